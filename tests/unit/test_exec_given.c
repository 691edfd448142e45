/* SPDX-License-Identifier: Apache-2.0 */
/* What the command of a step is given: script, environment, volumes, image, user. */
#include "exec_world.h"
#include "engine/exec/exec.h"

/* ---- what a step is given -------------------------------------------------------------------------------------- */

static void
a_script_is_the_last_argument(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	step_init(&s, "script", "");
	s.c.command.n = 1;
	s.c.source = S("echo \"script $0 $#\"\n");
	s.tmpl.container = NULL;
	s.tmpl.script = &s.c;
	const struct ended *e = run(w, &s);
	assert_succeeded(e);
	if (w->sandbox != TASK_SANDBOX_OFF)
		assert_string_equal(e->result, "script /argo/staging/script 0");
	else
		assert_contains(e->result, "/wf/script.script 0");
	world_free(w);
}

static void
the_environment_is_the_manifests_alone(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	setenv("DAEMON_SECRET", "xyzzy", 1);
	step_init(&s, "env", "env; echo \"arg $(A) $$(A) $(NONE)\"; pwd");
	s.env[0] = (struct env_var){ .name = S("A"), .value = S("1") };
	s.env[1] = (struct env_var){ .name = S("B"), .value = S("$(A)2$(C)$$(A)") };
	s.c.env.p = s.env;
	s.c.env.n = 2;
	s.c.working_dir = S("/tmp");
	const struct ended *e = run(w, &s);
	assert_succeeded(e);
	assert_contains(e->result, "\nB=12$(C)$(A)\n");
	assert_contains(e->result, "\nARGO_NODE_ID=env\n");
	assert_contains(e->result, "\nARGO_INCLUDE_SCRIPT_OUTPUT=true\n");
	assert_contains(e->result, "\nARGO_WORKFLOW_NAME=wf\n");
	assert_contains(e->result, "\n/tmp");
	assert_null(strstr(e->result, "xyzzy"));
	world_free(w);
}

static void
volumes_appear_where_the_manifest_says(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	char host[128];
	snprintf(host, sizeof host, "%s/host", w->dir);
	mkdir(host, 0777);
	struct host_path hp = { .path = str_c(host) };
	struct empty_dir memory = { .medium = S("Memory"), .size_limit.text = S("1Mi") };
	step_init(&s, "volumes",
		"set -e; echo a >/mnt/vol/a; cat /ro/a; grep -c /mnt/vol /proc/mounts; ! echo x 2>/dev/null >/ro/x; "
		"! head -c 2000000 /dev/zero 2>/dev/null >/mem/x; echo h >/host/h");
	step_volume(&s, "work");
	step_volume(&s, "host")->host_path = &hp;
	step_volume(&s, "mem")->empty_dir = &memory;
	step_mount(&s, "work", "/mnt/vol", false);
	step_mount(&s, "work", "/ro", true);
	step_mount(&s, "mem", "/mem", false);
	step_mount(&s, "host", "/host", false);
	const struct ended *e;
	if (w->sandbox == TASK_SANDBOX_OFF) {
		e = run(w, &s);
		assert_int_equal(e->phase, PHASE_ERROR);
		assert_contains(e->message, "nothing can be mounted without a sandbox");
		world_free(w);
		return;
	}
	e = run(w, &s);
	assert_succeeded(e);
	assert_string_equal(e->result, "a\n1");
	char path[160];
	snprintf(path, sizeof path, "%s/h", host);
	assert_true(file_exists(path));
	world_free(w);
}

/* resourceFieldRef counts in whole units of its divisor, rounded up; what is not given is 0, or the machine's. */
static void
variables_may_hold_resources(void **state)
{
	static const struct {
		const char *ref, *value;
	} cases[] = { { "{\"resource\":\"limits.cpu\"}", "2" }, { "{\"resource\":\"requests.cpu\",\"divisor\":\"1m\"}", "250" },
		{ "{\"resource\":\"limits.memory\",\"divisor\":\"1Mi\",\"containerName\":\"main\"}", "64" },
		{ "{\"resource\":\"requests.memory\"}", "67108864" }, { "{\"resource\":\"requests.ephemeral-storage\"}", "0" },
		{ "{\"resource\":\"limits.gpu\"}", NULL }, { "{\"resource\":\"limits.cpu\",\"divisor\":\"x\"}", NULL },
		{ "{\"resource\":\"limits.cpu\",\"containerName\":\"other\"}", NULL } };
	struct arena *a = arena_new();
	struct val resources;
	struct container c = { .resources = &resources };
	struct err e;
	(void)state;
	assert_int_equal(
		json_read(a, S("{\"limits\":{\"cpu\":\"1500m\",\"memory\":\"64Mi\"},\"requests\":{\"cpu\":0.25}}"), &resources, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct val ref;
		str out = STR_NONE;
		assert_int_equal(json_read(a, str_c(cases[i].ref), &ref, &e), 0);
		int rc = resource_field(a, &c, S("main"), &ref, &out, &e);
		assert_int_equal(rc, cases[i].value ? 0 : -1);
		if (cases[i].value)
			assert_string_equal(out.p, cases[i].value);
	}
	arena_free(a);
}

static void
a_sub_path_may_hold_variables(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	step_init(&s, "sub-path", "echo x >/mine/f; cd /all; find . -type f");
	step_volume(&s, "work");
	step_mount(&s, "work", "/all", false);
	step_mount(&s, "work", "/mine", false);
	s.mounts[1].sub_path_expr = S("$(WHO)/x");
	s.env[0] = (struct env_var){ .name = S("WHO"), .value = S("me") };
	s.c.env.p = s.env;
	s.c.env.n = 1;
	const struct ended *e = run(w, &s);
	if (w->sandbox != TASK_SANDBOX_OFF) {
		assert_succeeded(e);
		assert_string_equal(e->result, "./me/x/f");
	}
	s.spec.node_id = s.spec.pod = S("no-variable");
	s.mounts[1].sub_path_expr = S("$(NOBODY)");
	e = run(w, &s);
	assert_int_equal(e->phase, PHASE_ERROR);
	if (w->sandbox != TASK_SANDBOX_OFF)
		assert_contains(e->message, "subPathExpr $(NOBODY)");
	world_free(w);
}

/* At its own path a folder of the host is served even where nothing can be mounted: it is there already. */
static void
a_host_folder_at_its_own_path_needs_no_mount(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	char host[128], path[160], command[200];
	snprintf(host, sizeof host, "%s/host", w->dir);
	snprintf(path, sizeof path, "%s/h", host);
	snprintf(command, sizeof command, "echo h >%s", path);
	mkdir(host, 0777);
	chmod(host, 0777);
	struct host_path hp = { .path = str_c(host) };
	step_init(&s, "own-path", command);
	step_volume(&s, "host")->host_path = &hp;
	step_mount(&s, "host", host, false);
	assert_succeeded(run(w, &s));
	assert_true(file_exists(path));
	world_free(w);
}

/* A ConfigMap and a Secret as files and as variables; the volume of the workflow is found by name. */
static void
config_maps_and_secrets_are_given(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	put_object(w, "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"conf\"},\"data\":{\"a."
		      "txt\":\"alpha\",\"B\":\"beta\"}}");
	put_object(w, "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"sec\"},\"stringData\":{"
		      "\"pass\":\"hidden\"}}");
	struct secret_ref pass = { .name = S("sec"), .key = S("pass") },
			  gone = { .name = S("none"), .key = S("x"), .optional = true };
	struct env_from_key from_secret = { .secret = &pass }, from_none = { .config_map = &gone };
	struct object_ref conf = { .name = S("conf") };
	struct env_from all = { .prefix = S("C_"), .config_map = &conf };
	struct key_to_path item = { .key = S("a.txt"), .path = S("sub/renamed"), .mode = { true, 0400 } };
	struct object_volume some = { .name = S("conf"), .items = { &item, 1 } }, secret = { .name = S("sec") };
	step_init(&s, "given", "echo $C_B $PASS ${NONE-unset}");
	s.env[0] = (struct env_var){ .name = S("PASS"), .value_from = &from_secret };
	s.env[1] = (struct env_var){ .name = S("NONE"), .value_from = &from_none };
	s.c.env.p = s.env;
	s.c.env.n = 2;
	s.c.env_from.p = &all;
	s.c.env_from.n = 1;
	const struct ended *e = run(w, &s);
	assert_succeeded(e);
	assert_string_equal(e->result, "beta hidden unset");

	gone.optional = false;
	s.spec.node_id = s.spec.pod = S("required");
	e = run(w, &s);
	assert_int_equal(e->phase, PHASE_ERROR);
	assert_contains(e->message, "none");
	if (w->sandbox != TASK_SANDBOX_OFF) {
		step_init(&s, "files",
			"cat /conf/sub/renamed /secret/pass; stat -c %a /conf/sub/renamed; cat /one; ls /conf; "
			"! touch /secret/x 2>/dev/null && ! rm -f /secret/pass 2>/dev/null && ls -A / | grep stage");
		step_volume(&s, "conf")->config_map = &some;
		step_volume(&s, "sec")->secret = &secret;
		step_mount(&s, "conf", "/conf", false);
		step_mount(&s, "sec", "/secret", false);
		step_mount(&s, "sec", "/one", false);
		s.mounts[2].sub_path = S("pass");
		e = run(w, &s);
		assert_string_equal(e->result, "alphahidden400\nhiddensub");
		assert_int_equal(e->exit_code, 1); /* of the grep */
	}
	world_free(w);
}

/* Beyond what a message to the helper holds. */
static void
a_large_script_arrives_whole(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	struct buf script = { 0 };
	buf_addf(&script, "x=0\n");
	int count = 0;
	for (; script.n < 300 * 1024; count++)
		buf_addf(&script, "x=$((x+1)) # line after line\n");
	buf_addf(&script, "echo $x\n");
	step_init(&s, "script", "");
	s.c.command.n = 1;
	s.c.source = buf_str(&script);
	s.tmpl.container = NULL;
	s.tmpl.script = &s.c;
	const struct ended *e = run(w, &s);
	assert_succeeded(e);
	assert_int_equal(strtol(e->result, NULL, 10), count);
	buf_free(&script);
	world_free(w);
}

static void
sub_paths_stay_in_their_volume(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	if (w->sandbox != TASK_SANDBOX_OFF) {
		struct step_of s;
		step_init(&s, "sub", "echo x >/a/file; ls /all/deep/er");
		step_volume(&s, "v");
		step_mount(&s, "v", "/all", false);
		step_mount(&s, "v", "/a", false);
		s.mounts[1].sub_path = S("deep/er");
		const struct ended *e = run(w, &s);
		assert_succeeded(e);
		assert_string_equal(e->result, "file");

		char dir[128], link[160];
		snprintf(dir, sizeof dir, "%s/host", w->dir);
		snprintf(link, sizeof link, "%s/out", dir);
		mkdir(dir, 0777);
		assert_int_equal(symlink("/etc", link), 0);
		struct host_path hp = { .path = str_c(dir) };
		step_init(&s, "out", "true");
		step_volume(&s, "v")->host_path = &hp;
		step_mount(&s, "v", "/v", true);
		s.mounts[0].sub_path = S("out/ssl");
		e = run(w, &s);
		assert_int_equal(e->phase, PHASE_ERROR);
		assert_contains(e->message, "volume for /v");

		step_init(&s, "dots", "true");
		step_volume(&s, "v");
		step_mount(&s, "v", "/v", true);
		s.mounts[0].sub_path = S("../..");
		assert_contains(run(w, &s)->message, "must be relative and without ..");
	}
	world_free(w);
}

/* A root file system with nothing but a shell: the step may write anywhere in it, and it stays as it was. */
static void
an_image_is_a_root_of_its_own(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	char root[128], command[1024], path[160];
	snprintf(root, sizeof root, "%s/image:1", w->dir);
	snprintf(command, sizeof command,
		"mkdir -p %1$s/bin %1$s/etc %1$s/data && cp /bin/sh %1$s/bin/sh && echo mine >%1$s/etc/passwd && "
		"for f in $(ldd /bin/sh | grep -o '/[^ ]*'); do mkdir -p %1$s$(dirname $f); cp -L $f %1$s$f; done && "
		"chmod -R a+rwX %1$s",
		root);
	assert_int_equal(system(command), 0);
	struct image row = { .name = S("tiny"), .root = str_c(root), .workdir = S("/data") };
	w->settings.images.p = &row;
	w->settings.images.n = 1;
	step_init(&s, "image",
		"echo changed >/etc/passwd; echo new >file; read x <file; echo $x; pwd; echo /*; echo /dev/null; echo "
		"y >/tmp/y && [ -w /tmp/y ]");
	s.c.image = S("tiny");
	const struct ended *e = run(w, &s);
	if (w->sandbox == TASK_SANDBOX_OFF) {
		assert_int_equal(e->phase, PHASE_ERROR);
		assert_contains(e->message, "needs the sandbox");
	} else {
		assert_succeeded(e);
		assert_contains(e->result, "new\n/data\n");
		assert_null(strstr(e->result, "/usr/"));
		snprintf(path, sizeof path, "%s/data/file", root);
		assert_false(file_exists(path));
	}
	world_free(w);
}

/* Whether there is a user 1234: not in a user namespace with only one. */
static bool
has_users(void)
{
	FILE *f = fopen("/proc/self/uid_map", "re");
	unsigned inside = 0, outside, count = 0;
	bool ok = f && fscanf(f, "%u %u %u", &inside, &outside, &count) == 3 && inside + count > 1234;
	if (f)
		fclose(f);
	return ok;
}

/* The image's user; in a user namespace it is the one user that is mapped. */
static void
an_image_names_its_user(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	if (w->sandbox == TASK_SANDBOX_USER || (geteuid() == 0 && has_users())) {
		struct step_of s;
		struct image row = { .name = S("*"), .user = S("1234:1234") };
		w->settings.images.p = &row;
		w->settings.images.n = 1;
		step_init(&s, "user",
			"id -u; id -g; echo x >/tmp/of-test-exec-$$$$ && rm /tmp/of-test-exec-$$$$; touch /usr/x "
			"2>/dev/null || echo no");
		const struct ended *e = run(w, &s);
		assert_string_equal(e->result, "1234\n1234\nno");
	}
	world_free(w);
}

static void
host_paths_are_only_those_allowed(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	if (w->sandbox != TASK_SANDBOX_OFF) {
		struct step_of s;
		char link[128];
		struct host_path outside = { .path = S("/etc") };
		step_init(&s, "etc", "true");
		step_volume(&s, "v")->host_path = &outside;
		step_mount(&s, "v", "/v", true);
		const struct ended *e = run(w, &s);
		assert_int_equal(e->phase, PHASE_ERROR);
		assert_contains(e->message, "hostPath /etc is not allowed");

		char made[128];
		snprintf(made, sizeof made, "%s/made", w->dir);
		struct host_path make = { .path = str_c(made), .type = S("DirectoryOrCreate") };
		step_init(&s, "made", "touch /v/x");
		step_volume(&s, "v")->host_path = &make;
		step_mount(&s, "v", "/v", false);
		assert_succeeded(run(w, &s));
		make.type = S("File");
		s.spec.node_id = s.spec.pod = S("file");
		assert_contains(run(w, &s)->message, "is not a File");

		snprintf(link, sizeof link, "%s/link", w->dir);
		assert_int_equal(symlink("/etc", link), 0);
		struct host_path by_link = { .path = str_c(link) };
		step_init(&s, "link", "true");
		step_volume(&s, "v")->host_path = &by_link;
		step_mount(&s, "v", "/v", true);
		assert_contains(run(w, &s)->message, "is not allowed");
	}
	world_free(w);
}

int
main(int argc, char **argv)
{
	static const struct exec_test tests[] = {
		TEST(a_script_is_the_last_argument),
		TEST(the_environment_is_the_manifests_alone),
		TEST(volumes_appear_where_the_manifest_says),
		TEST(variables_may_hold_resources),
		TEST(a_sub_path_may_hold_variables),
		TEST(a_host_folder_at_its_own_path_needs_no_mount),
		TEST(config_maps_and_secrets_are_given),
		TEST(a_large_script_arrives_whole),
		TEST(sub_paths_stay_in_their_volume),
		TEST(an_image_is_a_root_of_its_own),
		TEST(an_image_names_its_user),
		TEST(host_paths_are_only_those_allowed),
	};
	return exec_main("exec_given", tests, ARRAY_LEN(tests), argc, argv);
}
