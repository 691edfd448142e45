/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps, run for real through the helper, in every sandbox that this machine allows: what they print and leave, how
 * they end and are ended, what an executor that comes later finds, and what they cannot do.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/log.h"
#include "engine/exec/exec.h"

#define PATIENCE_MS 20000

/* ---- the world of a test ------------------------------------------------------------------------------------- */

struct ended {
	char node[64], message[600], result[1024];
	int exit_code;
	enum phase phase;
	size_t result_n;
	struct {
		char name[32], value[256];
	} parameters[4];
	size_t parameters_n;
};
struct world {
	char dir[64];
	struct loop *loop;
	struct settings settings;
	struct objects *objects;
	struct executor *x;
	enum task_sandbox sandbox;
	char started[64][64];
	size_t started_n;
	struct ended ended[64];
	size_t ended_n;
	str host_paths[1];
};

static void
take_news(void *arg, str ns, str workflow, str node_id, const struct task_result *r)
{
	struct world *w = arg;
	assert_true(str_eq(ns, S("default")));
	assert_true(str_eq(workflow, S("wf")));
	if (!r) {
		snprintf(w->started[w->started_n++], 64, "%.*s", STR_ARG(node_id));
		return;
	}
	struct ended *e = &w->ended[w->ended_n++];
	snprintf(e->node, sizeof e->node, "%.*s", STR_ARG(node_id));
	snprintf(e->message, sizeof e->message, "%.*s", STR_ARG(r->message));
	snprintf(e->result, sizeof e->result, "%.*s", STR_ARG(r->result));
	e->result_n = r->result.p ? r->result.n : SIZE_MAX;
	e->exit_code = r->exit_code;
	e->phase = r->phase;
	for (size_t i = 0; i < r->parameters.n && i < 4; i++) {
		snprintf(e->parameters[i].name, 32, "%.*s", STR_ARG(r->parameters.p[i].key));
		snprintf(e->parameters[i].value, 256, "%.*s", STR_ARG(r->parameters.p[i].value));
		e->parameters_n++;
	}
}

static const struct kind *const kinds[] = { &kind_configmap, &kind_secret };

static void
put_object(struct world *w, const char *json)
{
	struct arena *a = arena_new();
	struct diags d;
	struct val doc;
	struct err e;
	diags_init(&d);
	assert_int_equal(json_read(a, str_c(json), &doc, &e), 0);
	struct object *o = object_decode(kinds, ARRAY_LEN(kinds), &doc, S("test"), S("default"), &d);
	assert_non_null(o);
	assert_true(objects_put(w->objects, o));
	object_unref(o);
	diags_free(&d);
	arena_free(a);
}

static void
open_executor(struct world *w)
{
	struct err e;
	w->settings.sandbox = w->sandbox == TASK_SANDBOX_OFF ? SANDBOX_OFF : SANDBOX_REQUIRE;
	if (executor_new(w->loop, &w->settings, w->objects, str_c(w->dir), take_news, w, &w->x, &e) < 0)
		fail_msg("%s", e.msg);
	w->x->sandbox = w->sandbox; /* root would always choose the privileged one */
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static struct world *
world_new(enum task_sandbox sandbox)
{
	struct world *w = MEM_NEW(struct world);
	snprintf(w->dir, sizeof w->dir, "/tmp/test_exec.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->loop = loop_new();
	w->objects = objects_new(kinds, ARRAY_LEN(kinds));
	w->sandbox = sandbox;
	w->host_paths[0] = str_c(w->dir);
	w->settings.host_paths = (struct strs){ w->host_paths, 1 };
	open_executor(w);
	return w;
}

static void
world_free(struct world *w)
{
	executor_free(w->x);
	objects_free(w->objects);
	loop_free(w->loop);
	nftw(w->dir, remove_one, 32, FTW_DEPTH | FTW_PHYS);
	free(w);
}

/* Turns the loop until `done`; fails after PATIENCE_MS. */
#define WAIT_FOR(w, done)                                                                                              \
	do {                                                                                                           \
		int64_t start_ = real_ms();                                                                            \
		while (!(done)) {                                                                                      \
			loop_turn((w)->loop, 50);                                                                      \
			if (real_ms() - start_ > PATIENCE_MS)                                                          \
				fail_msg("waited too long for " #done);                                                \
		}                                                                                                      \
	} while (0)

static int64_t
real_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* A step: a shell script as the command of a container, unless the test puts something else there. */
struct step_of {
	struct task_spec spec;
	struct template tmpl;
	struct container c;
	str argv[3];
	struct parameter outputs[4];
	struct value_from from[4];
	struct volume_mount mounts[4];
	struct volume volumes[4];
	struct env_var env[4];
};

static void
step_init(struct step_of *s, const char *node, const char *script)
{
	*s = (struct step_of){ .argv = { S("/bin/sh"), S("-c"), str_c(script) } };
	s->c.image = S("busybox");
	s->c.command = (struct strs){ s->argv, 3 };
	s->c.has_command = true;
	s->tmpl.container = &s->c;
	s->tmpl.name = S("main");
	s->spec = (struct task_spec){ .ns = S("default"),
		.workflow = S("wf"),
		.uid = S("u-1"),
		.node_id = str_c(node),
		.pod = str_c(node),
		.template_name = S("main"),
		.tmpl = &s->tmpl,
		.capture_result = true };
}

static void
step_output(struct step_of *s, const char *name, const char *path, const char *dflt)
{
	size_t i = s->tmpl.outputs.parameters.n++;
	s->tmpl.outputs.parameters.p = s->outputs;
	s->from[i] = (struct value_from){ .path = str_c(path), .dflt = str_c(dflt) };
	s->outputs[i] = (struct parameter){ .name = str_c(name), .value_from = &s->from[i] };
}

static void
step_mount(struct step_of *s, const char *name, const char *path, bool read_only)
{
	s->c.volume_mounts.p = s->mounts;
	s->mounts[s->c.volume_mounts.n++] =
		(struct volume_mount){ .name = str_c(name), .mount_path = str_c(path), .read_only = read_only };
}

static struct volume *
step_volume(struct step_of *s, const char *name)
{
	s->tmpl.volumes.p = s->volumes;
	struct volume *v = &s->volumes[s->tmpl.volumes.n++];
	v->name = str_c(name);
	return v;
}

static void
begin(struct world *w, struct step_of *s)
{
	executor_start(w->x, &s->spec);
	executor_release(w->x, S("default"), S("wf"), s->spec.node_id);
}

static const struct ended *
find_ended(struct world *w, const char *node)
{
	for (size_t i = 0; i < w->ended_n; i++)
		if (!strcmp(w->ended[i].node, node))
			return &w->ended[i];
	return NULL;
}

static const struct ended *
finish(struct world *w, const char *node)
{
	WAIT_FOR(w, find_ended(w, node));
	return find_ended(w, node);
}

static const struct ended *
run(struct world *w, struct step_of *s)
{
	begin(w, s);
	return finish(w, s->spec.node_id.p);
}

static void
assert_succeeded(const struct ended *e)
{
	if (e->phase != PHASE_SUCCEEDED)
		fail_msg("%s: phase %d, exit code %d: %s (stdout: %s)", e->node, e->phase, e->exit_code, e->message,
			e->result);
}

static void
assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not contain \"%s\"", text, part);
}

/* The step's log, or "". */
static char *
read_log(struct world *w, const char *node, char *to, size_t n)
{
	char path[256];
	snprintf(path, sizeof path, "%s/tasks/default/wf/%s.log", w->dir, node);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? 0 : read(fd, to, n - 1);
	to[got > 0 ? got : 0] = 0;
	close_fd(&fd);
	return to;
}

static bool
file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* Every test runs once in each sandbox; cmocka's state says which. */
static enum task_sandbox
sandbox_of(void **state)
{
	return *(enum task_sandbox *)*state;
}

static bool
sandbox_works(enum task_sandbox sandbox)
{
	if (sandbox == TASK_SANDBOX_OFF)
		return true;
	if (sandbox == TASK_SANDBOX_PRIVILEGED && geteuid() != 0)
		return false;
	char why[512];
	struct world *w = world_new(TASK_SANDBOX_OFF);
	bool works = helper_probe(w->x, sandbox, why, sizeof why);
	if (!works)
		print_message("sandbox %d does not work here: %s\n", sandbox, why);
	world_free(w);
	return works;
}

/* ---- what a step leaves --------------------------------------------------------------------------------------- */

static void
output_and_exit_code_come_back(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	char log[4096];
	step_init(&s, "hello", "echo hello; echo oops >&2; echo world");
	const struct ended *e = run(w, &s);
	assert_succeeded(e);
	assert_string_equal(e->result, "hello\nworld");
	assert_int_equal(e->exit_code, 0);
	assert_string_equal(e->message, "");
	assert_int_equal(w->started_n, 1);
	read_log(w, "hello", log, sizeof log);
	assert_contains(log, "Z hello\n");
	assert_contains(log, "Z oops\n");
	assert_int_equal(strncmp(log, "#started ", 9), 0);
	const char *line = strchr(log, '\n') + 1;
	assert_int_equal(line[4], '-'); /* 2006-01-02T15:04:05.000000000Z */
	assert_int_equal(line[29], 'Z');

	step_init(&s, "three", "echo -n bye; exit 3");
	e = run(w, &s);
	assert_int_equal(e->phase, PHASE_FAILED);
	assert_int_equal(e->exit_code, 3);
	assert_string_equal(e->message, "main: Error (exit code 3)");
	assert_string_equal(e->result, "bye");

	step_init(&s, "signal", "kill -USR1 $$$$");
	e = run(w, &s);
	assert_string_equal(e->message, "main: Error (exit code 138)");
	world_free(w);
}

static void
a_command_that_does_not_exist_ends_with_64(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	char log[1024];
	step_init(&s, "none", "");
	s.argv[0] = S("no-such-command");
	const struct ended *e = run(w, &s);
	assert_int_equal(e->phase, PHASE_FAILED);
	assert_string_equal(e->message,
		"main: Error (exit code 64): Error: failed to find name in PATH: exec: \"no-such-command\": "
		"executable file not found in $PATH");
	assert_contains(read_log(w, "none", log, sizeof log), "executable file not found in $PATH\n");

	step_init(&s, "noent", "");
	s.argv[0] = S("/no/such");
	assert_contains(run(w, &s)->message, "exec: \"/no/such\": stat /no/such: no such file or directory");
	step_init(&s, "dir", "");
	s.argv[0] = S("/usr");
	assert_contains(run(w, &s)->message, "exec: \"/usr\": is a directory");
	world_free(w);
}

static void
files_become_parameters(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	char a[128], b[128];
	/* Without a sandbox paths are the host's own. */
	snprintf(a, sizeof a, "%s/a", w->sandbox == TASK_SANDBOX_OFF ? w->dir : "/deep/in/the/root");
	snprintf(b, sizeof b, "%s/missing", w->sandbox == TASK_SANDBOX_OFF ? w->dir : "/tmp");
	char script[512];
	snprintf(script, sizeof script, "mkdir -p $(dirname %s); printf 'one\\ntwo\\n\\n' >%s", a, a);
	step_init(&s, "files", script);
	step_output(&s, "a", a, NULL);
	step_output(&s, "b", b, "given");
	const struct ended *e = run(w, &s);
	assert_succeeded(e);
	assert_int_equal(e->parameters_n, 1);
	assert_string_equal(e->parameters[0].name, "a");
	assert_string_equal(e->parameters[0].value, "one\ntwo\n"); /* one newline goes, not two */

	step_init(&s, "nofile", "true");
	step_output(&s, "b", b, NULL);
	e = run(w, &s);
	assert_int_equal(e->phase, PHASE_ERROR);
	assert_contains(e->message, "missing: no such file or directory");

	/* The command's own failure comes first; what it left is kept. */
	snprintf(script, sizeof script, "mkdir -p $(dirname %s); echo x >%s; exit 5", a, a);
	step_init(&s, "failed", script);
	step_output(&s, "a", a, NULL);
	step_output(&s, "b", b, NULL);
	e = run(w, &s);
	assert_string_equal(e->message, "main: Error (exit code 5)");
	assert_string_equal(e->parameters[0].value, "x");
	world_free(w);
}

static void
hostile_outputs_are_refused(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	static const struct {
		const char *node, *make, *want;
	} cases[] = {
		{ "fifo", "mkfifo %s", "not a regular file" },
		{ "folder", "mkdir %s", "Is a directory" },
		{ "large", "head -c 262145 /dev/zero >%s", "larger than 262144 bytes" },
		{ "device", "ln -s /dev/zero %s", "not a regular file" },
		{ "loop", "ln -s %1$s %1$s", "Too many levels of symbolic links" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char path[128], script[512];
		snprintf(path, sizeof path, "%s/%s", w->sandbox == TASK_SANDBOX_OFF ? w->dir : "/tmp", cases[i].node);
		snprintf(script, sizeof script, "f=%s; ", path);
		size_t n = strlen(script);
		for (const char *p = cases[i].make; *p && n + 3 < sizeof script; p++) {
			if (p[0] == '%') {
				n += (size_t)snprintf(script + n, sizeof script - n, "$f");
				p += p[1] == '1' ? 3 : 1;
			} else {
				script[n++] = *p;
			}
		}
		script[n] = 0;
		step_init(&s, cases[i].node, script);
		step_output(&s, "x", path, NULL);
		const struct ended *e = run(w, &s);
		assert_int_equal(e->phase, PHASE_ERROR);
		assert_contains(e->message, cases[i].want);
	}
	world_free(w);
}

/* The monitor reads outputs with the step's rights, not its own. */
static void
outputs_are_read_with_the_steps_rights(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	if (w->sandbox != TASK_SANDBOX_OFF) {
		struct step_of s;
		step_init(&s, "closed", "echo x >/tmp/closed; chmod 0 /tmp/closed");
		step_output(&s, "x", "/tmp/closed", NULL);
		const struct ended *e = run(w, &s);
		assert_int_equal(e->phase, PHASE_ERROR);
		assert_contains(e->message, "Permission denied");
	}
	world_free(w);
}

/* A link out of the root leads to the root's own files; a magic link of /proc to nothing. */
static void
outputs_stay_in_the_root(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	if (w->sandbox != TASK_SANDBOX_OFF) {
		struct step_of s;
		char secret[128], script[512];
		snprintf(secret, sizeof secret, "%s/secret", w->dir);
		close(open(secret, O_CREAT | O_WRONLY, 0644));
		snprintf(script, sizeof script, "ln -s ../../../..%s /tmp/out", secret);
		step_init(&s, "dots", script);
		step_output(&s, "x", "/tmp/out", NULL);
		assert_contains(run(w, &s)->message, "no such file or directory");
		for (int fd = 0; fd < 12; fd++) {
			char node[16];
			snprintf(script, sizeof script,
				"ln -s /proc/1/fd/%d/default/wf/magic0.log /tmp/out; cat /tmp/out && exit 9; true", fd);
			snprintf(node, sizeof node, "magic%d", fd);
			step_init(&s, node, script);
			step_output(&s, "x", "/tmp/out", NULL);
			const struct ended *e = run(w, &s);
			assert_int_equal(e->phase, PHASE_ERROR);
			assert_int_equal(e->exit_code, 0);
		}
	}
	world_free(w);
}

static void
ten_megabytes_of_output_keep_their_end(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	char path[256];
	struct stat st;
	step_init(&s, "large", "seq 1 1300000; echo the end");
	const struct ended *e = run(w, &s);
	assert_succeeded(e);
	assert_int_equal(e->result_n, TASK_RESULT_MAX - 1);
	snprintf(path, sizeof path, "%s/tasks/default/wf/large.log", w->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size > 45 * 1000 * 1000); /* 1.3 million lines, each with its time */
	world_free(w);
}

static void
the_log_has_limits(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	static char log[64 * 1024];
	char path[128];
	struct stat st;
	step_init(&s, "long", "head -c 40000 /dev/zero | tr '\\0' x; echo; printf 'no newline'");
	assert_succeeded(run(w, &s));
	read_log(w, "long", log, sizeof log);
	size_t broken = 0;
	for (const char *at = log; (at = strstr(at, "Z xxx")); at++)
		broken++;
	assert_int_equal(broken, 3); /* 16 KiB each */
	assert_contains(log, "Z no newline\n#end ");

	if (w->sandbox == TASK_SANDBOX_OFF) { /* 64 MiB once is enough */
		step_init(&s, "full", "head -c 70000000 /dev/zero | tr '\\0' x; echo the end");
		const struct ended *e = run(w, &s);
		assert_succeeded(e);
		assert_int_equal(e->result_n, TASK_RESULT_MAX - 1); /* its end is kept all the same */
		snprintf(path, sizeof path, "%s/tasks/default/wf/full.log", w->dir);
		assert_int_equal(stat(path, &st), 0);
		assert_true(st.st_size < (66 << 20) && st.st_size > (63 << 20));
	}
	world_free(w);
}

static void
what_is_removed_is_gone(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	char path[128];
	step_init(&s, "gone", "ln -s /etc link; echo x >file");
	s.c.working_dir = w->sandbox == TASK_SANDBOX_OFF ? STR_NONE : S("/v");
	if (w->sandbox != TASK_SANDBOX_OFF) {
		step_volume(&s, "v");
		step_mount(&s, "v", "/v", false);
	}
	assert_succeeded(run(w, &s));
	snprintf(path, sizeof path, "%s/tasks/default/wf", w->dir);
	assert_true(file_exists(path));
	executor_remove(w->x, S("default"), S("../default/wf")); /* no name of a workflow */
	executor_remove(w->x, S("default"), S("wf"));
	WAIT_FOR(w, !file_exists(path));
	assert_true(file_exists("/etc/passwd"));
	world_free(w);
}

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
	snprintf(root, sizeof root, "%s/image", w->dir);
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

/* ---- ends ------------------------------------------------------------------------------------------------------- */

static void
sigterm_then_sigkill(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	step_init(&s, "soft", "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.05; done");
	begin(w, &s);
	char log[256];
	WAIT_FOR(w, strstr(read_log(w, "soft", log, sizeof log), "up"));
	executor_kill(w->x, S("default"), S("wf"), S("soft"), 30);
	const struct ended *e = finish(w, "soft");
	assert_int_equal(e->exit_code, 7);
	assert_string_equal(e->result, "up\nbye");

	step_init(&s, "hard", "trap '' TERM; echo up; while :; do sleep 0.05; done");
	begin(w, &s);
	WAIT_FOR(w, strstr(read_log(w, "hard", log, sizeof log), "up"));
	executor_kill(w->x, S("default"), S("wf"), S("hard"), 0);
	e = finish(w, "hard");
	assert_int_equal(e->phase, PHASE_FAILED);
	assert_int_equal(e->exit_code, 137);
	world_free(w);
}

static void
a_deadline_ends_a_step(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	step_init(&s, "late", "sleep 1000");
	s.spec.deadline_ns = loop_now(w->loop) + 300 * NS_PER_MS;
	const struct ended *e = run(w, &s);
	assert_int_equal(e->phase, PHASE_FAILED);
	assert_string_equal(e->message, "Pod was active on the node longer than the specified deadline");
	world_free(w);
}

static void reopen(struct world *w);

/* Only where control groups can be made: as root, mostly. */
static void
a_step_that_takes_too_much_memory_is_killed(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	struct arena *a = arena_new();
	struct val resources;
	struct err e;
	assert_int_equal(json_read(a, S("{\"limits\":{\"memory\":\"32Mi\",\"cpu\":\"1500m\"}}"), &resources, &e), 0);
	step_init(&s, "hog", "");
	s.argv[0] = S("/usr/bin/python3");
	s.argv[2] = S("x = bytearray(200 << 20)");
	s.c.resources = &resources;
	const struct ended *end = run(w, &s);
	if (w->x->cgroups[LIMIT_MEMORY]) {
		assert_int_equal(end->phase, PHASE_FAILED);
		assert_string_equal(end->message, "main: OOMKilled (exit code 137)");
		step_init(&s, "modest", "echo fine");
		s.c.resources = &resources;
		assert_succeeded(run(w, &s));
		char *group = strdup(w->x->cgroups[LIMIT_MEMORY]);
		reopen(w);
		assert_false(file_exists(group)); /* nothing was left in it */
		free(group);
	} else {
		assert_succeeded(end);
	}
	arena_free(a);
	world_free(w);
}

static bool
process_lives(const char *mark)
{
	char command[256];
	snprintf(command, sizeof command,
		"for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null | grep -q '^sleep %s ' && exit 0; done "
		"2>/dev/null; exit 1",
		mark);
	return system(command) == 0;
}

static void
nothing_of_a_step_stays_behind(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	char script[256], mark[32];
	snprintf(mark, sizeof mark, "98%d.%d", getpid(), (int)w->sandbox);
	/* A grandchild in a session of its own, with its parent gone, holding the output open. */
	snprintf(script, sizeof script, "(setsid sh -c 'sleep %s & sleep %s' &) ; sleep 0.2; echo done", mark, mark);
	step_init(&s, "orphans", script);
	const struct ended *e = run(w, &s);
	assert_succeeded(e);
	assert_string_equal(e->result, "done");
	assert_false(process_lives(mark));
	world_free(w);
}

/* ---- a daemon that comes and goes ------------------------------------------------------------------------------- */

/* The executor is dropped without a word, as a kill of the daemon would; the helper sees the same: the sockets close.
 */
static void
reopen(struct world *w)
{
	executor_free(w->x);
	w->started_n = w->ended_n = 0;
	open_executor(w);
}

static const char *
ledger(struct world *w, char path[160])
{
	char dir[128];
	snprintf(dir, sizeof dir, "%s/ledger", w->dir);
	mkdir(dir, 0777);
	snprintf(path, 160, "%s/lines", dir);
	return path;
}

/* The step appends a line to a file of the host; `dir` is mounted at its own path in a sandbox. */
static void
ledger_step(struct world *w, struct step_of *s, struct host_path *hp, char script[512], char path[160],
	const char *node, const char *then)
{
	static char dir[128];
	ledger(w, path);
	snprintf(script, 512, "echo %s >>%s; %s", node, path, then);
	snprintf(dir, sizeof dir, "%s/ledger", w->dir);
	step_init(s, node, script);
	if (w->sandbox == TASK_SANDBOX_OFF)
		return;
	*hp = (struct host_path){ .path = str_c(dir) };
	step_volume(s, "ledger")->host_path = hp;
	step_mount(s, "ledger", dir, false);
}

static size_t
lines(const char *path, const char *text)
{
	FILE *f = fopen(path, "re");
	char line[128];
	size_t n = 0;
	while (f && fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = 0;
		n += !strcmp(line, text);
	}
	if (f)
		fclose(f);
	return n;
}

static void
a_running_step_is_adopted(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	struct host_path hp;
	char script[512], path[160], go[160];
	ledger(w, path);
	snprintf(go, sizeof go, "%s/ledger/go", w->dir);
	char then[256];
	snprintf(then, sizeof then, "while ! [ -e %s ]; do sleep 0.02; done; echo survived; exit 4", go);
	ledger_step(w, &s, &hp, script, path, "runs", then);
	begin(w, &s);
	WAIT_FOR(w, lines(path, "runs") == 1);
	reopen(w);
	executor_adopt(w->x, &s.spec);
	assert_int_equal(w->started_n, 0); /* never from within */
	WAIT_FOR(w, w->started_n == 1);
	close(open(go, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	const struct ended *e = finish(w, "runs");
	assert_int_equal(e->exit_code, 4);
	assert_string_equal(e->result, "survived");
	assert_int_equal(lines(path, "runs"), 1);

	/* And one that ended meanwhile; and once more, as a daemon that died before it stored the end would. */
	for (int i = 0; i < 2; i++) {
		reopen(w);
		executor_adopt(w->x, &s.spec);
		assert_int_equal(finish(w, "runs")->exit_code, 4);
		assert_int_equal(lines(path, "runs"), 1);
	}
	world_free(w);
}

static void
a_step_that_was_not_released_leaves_no_trace(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	struct host_path hp;
	char script[512], path[160], dir[160];
	ledger_step(w, &s, &hp, script, path, "early", "true");
	executor_start(w->x, &s.spec);
	loop_turn(w->loop, 100); /* the helper has prepared it by now, or not: the same must come of it */
	reopen(w);
	snprintf(dir, sizeof dir, "%s/tasks/default/wf/early.log", w->dir);
	assert_false(file_exists(dir));
	assert_int_equal(lines(path, "early"), 0);
	executor_adopt(w->x, &s.spec);
	assert_succeeded(finish(w, "early"));
	assert_int_equal(lines(path, "early"), 1);
	world_free(w);
}

/* The daemon dies at once after the release, in every phase of the helper's work: exactly one of the two monitors runs
 * it. */
static void
no_command_starts_twice(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	for (int i = 0; i < 12; i++) {
		struct step_of s;
		struct host_path hp;
		char script[512], path[160], node[32];
		snprintf(node, sizeof node, "once%d", i);
		ledger_step(w, &s, &hp, script, path, node, "true");
		begin(w, &s);
		if (i % 3)
			usleep((useconds_t)(i * 300)); /* spreads the deaths over the start; nothing depends on it */
		reopen(w);
		executor_adopt(w->x, &s.spec);
		assert_succeeded(finish(w, node));
		assert_int_equal(lines(path, node), 1);
	}
	world_free(w);
}

static void
a_claim_without_a_command_can_be_taken(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	char path[256];
	/* A monitor died between creating its claim and writing to it. */
	snprintf(path, sizeof path, "%s/tasks/default", w->dir);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "%s/tasks/default/wf", w->dir);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "%s/tasks/default/wf/half.log", w->dir);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	step_init(&s, "half", "echo ran");
	executor_adopt(w->x, &s.spec);
	assert_string_equal(finish(w, "half")->result, "ran");

	/* One died while its command ran: that is an error, not a second start. */
	snprintf(path, sizeof path, "%s/tasks/default/wf/lost.log", w->dir);
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, "#started x\n2006 #end\n#end AAAA", 31), 31); /* the last line is not whole */
	close(fd);
	step_init(&s, "lost", "echo ran");
	executor_adopt(w->x, &s.spec);
	const struct ended *e = finish(w, "lost");
	assert_int_equal(e->phase, PHASE_ERROR);
	assert_contains(e->message, "the step was lost");
	world_free(w);
}

static void
the_helper_may_die(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s, t;
	step_init(&s, "first", "sleep 0.3; echo first");
	begin(w, &s);
	WAIT_FOR(w, w->started_n == 1);
	kill(w->x->helper.pid, SIGKILL);
	step_init(&t, "second", "echo second");
	begin(w, &t);
	assert_succeeded(finish(w, "second"));
	assert_string_equal(finish(w, "first")->result, "first");
	world_free(w);
}

static void
a_monitor_that_is_killed_is_an_error(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	char path[256];
	step_init(&s, "victim", "sleep 1000");
	begin(w, &s);
	WAIT_FOR(w, w->started_n == 1);
	snprintf(path, sizeof path, "%s/tasks/default/wf/victim.log", w->dir);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	assert_int_equal(fcntl(fd, F_GETLK, &lock), 0);
	assert_int_equal(lock.l_type, F_WRLCK);
	assert_int_equal(kill(lock.l_pid, SIGKILL), 0);
	close(fd);
	const struct ended *e = finish(w, "victim");
	assert_int_equal(e->phase, PHASE_ERROR);
	assert_contains(e->message, "the step was lost");
	world_free(w);
}

static void
a_second_run_of_a_pod_starts_afresh(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	step_init(&s, "again", "echo one; exit 1");
	assert_int_equal(run(w, &s)->exit_code, 1);
	w->ended_n = 0;
	s.argv[2] = S("echo two");
	const struct ended *e = run(w, &s);
	assert_succeeded(e);
	assert_string_equal(e->result, "two");
	world_free(w);
}

static void
the_line_holds_what_is_too_much(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	static struct step_of s[9];
	w->x->limit = 2;
	for (size_t i = 0; i < ARRAY_LEN(s); i++) {
		static char nodes[ARRAY_LEN(s)][16];
		snprintf(nodes[i], sizeof nodes[i], "n%zu", i);
		step_init(&s[i], nodes[i], "true");
		begin(w, &s[i]);
		assert_true(executor_running(w->x) <= 2);
	}
	executor_kill(w->x, S("default"), S("wf"), S("n8"), 1);
	WAIT_FOR(w, w->ended_n == ARRAY_LEN(s));
	assert_string_equal(find_ended(w, "n8")->message, "stopped before it started");
	for (size_t i = 0; i + 1 < ARRAY_LEN(s); i++)
		assert_int_equal(find_ended(w, s[i].spec.node_id.p)->phase, PHASE_SUCCEEDED);
	assert_int_equal(executor_running(w->x), 0);
	world_free(w);
}

/* ---- what a step cannot do -------------------------------------------------------------------------------------- */

static void
a_sandbox_has_no_way_out(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	/* Each must fail; the step prints the names of those that did not. */
	static const struct {
		const char *name, *attempt;
	} attempts[] = {
		{ "write /usr", "touch /usr/x" },
		{ "write /etc of the host", "echo x >/etc/alternatives/x" },
		{ "see the host's processes", "test $(ls -d /proc/[0-9]* | wc -l) -gt 8" },
		{ "signal process 1", "kill -9 1 && ! kill -0 1" },
		{ "read process 1's descriptors",
			"for f in 0 1 2 3 4 5 6 7 8 9; do readlink /proc/1/fd/$f && exit; done; exit 1" },
		{ "enter process 1's root", "ls /proc/1/root/" },
		{ "read process 1's memory", "head -c 1 /proc/1/mem || head -c 1 /proc/1/environ | grep ." },
		{ "mount", "mount -t tmpfs none /tmp" },
		{ "remount /proc", "mount -o remount,rw /proc" },
		{ "mknod", "mknod /tmp/sda b 8 0" },
		{ "write /proc/sys", "echo x >/proc/sys/kernel/hostname" },
		{ "trigger sysrq", "echo h >/proc/sysrq-trigger" },
		{ "a user namespace", "unshare -U true" },
		{ "a mount namespace", "unshare -m true" },
		{ "enter a namespace", "nsenter -t 1 -m true" },
		{ "chroot", "chroot /tmp true" },
		{ "capabilities", "grep -E 'Cap(Eff|Prm|Bnd|Amb|Inh):' /proc/self/status | grep -qv 0000000000000000" },
		{ "new privileges", "! grep -q 'NoNewPrivs:.1' /proc/self/status" },
		{ "no filter", "! grep -q 'Seccomp:.2' /proc/self/status" },
		{ "shadow", "cat /etc/shadow" },
		{ "state of the daemon", "ls %s" },
		{ "kernel log", "dmesg" },
		{ "hostname", "hostname evil" },
		{ "clock", "date -s 2001-01-01" },
		{ "keyctl", "python3 -c 'import ctypes,sys; sys.exit(0 if ctypes.CDLL(None).syscall(250,0,-3,0)>=0 "
			    "else 1)'" },
		{ "bpf", "python3 -c 'import ctypes,sys; sys.exit(0 if ctypes.CDLL(None).syscall(321,0,0,0)>=0 else "
			 "1)'" },
		{ "ptrace process 1",
			"python3 -c 'import ctypes,sys; sys.exit(0 if ctypes.CDLL(None).ptrace(16,1,0,0)==0 else 1)'" },
		{ "open by handle", "python3 -c 'import ctypes,sys; c=ctypes.CDLL(None,use_errno=True); "
				    "c.syscall(304,-1,0,0); sys.exit(ctypes.get_errno()==1)'" },
		{ "unix sockets of the host", "ls /run/dbus /run/docker.sock /run/systemd" },
	};
	if (w->sandbox != TASK_SANDBOX_OFF) {
		struct buf script CLEANUP(free_buf) = { 0 };
		for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
			struct buf one CLEANUP(free_buf) = { 0 };
			const char *at = strstr(attempts[i].attempt, "%s");
			if (at)
				buf_addf(&one, "%.*s%s%s", (int)(at - attempts[i].attempt), attempts[i].attempt, w->dir,
					at + 2);
			else
				buf_addf(&one, "%s", attempts[i].attempt);
			buf_addf(&script, "if ( %s ) >/dev/null 2>&1; then echo \"%s\"; fi\n", one.p, attempts[i].name);
		}
		struct step_of s;
		step_init(&s, "escape", script.p);
		const struct ended *e = run(w, &s);
		assert_succeeded(e);
		assert_string_equal(e->result, "");
	}
	world_free(w);
}

static void
steps_do_not_see_each_other(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	if (w->sandbox != TASK_SANDBOX_OFF) {
		struct step_of s, t;
		step_init(&s, "one", "echo mine >/tmp/x; ipcmk -M 100 >/dev/null; sleep 0.5; cat /tmp/x; hostname");
		step_init(&t, "two", "ls -A /tmp; ipcs -m | grep -c 0x; echo other >/tmp/x");
		begin(w, &s);
		begin(w, &t);
		assert_string_equal(finish(w, "one")->result, "mine\none");
		assert_string_equal(finish(w, "two")->result, "0");
	}
	world_free(w);
}

/* With `auto` the daemon starts at once with what it expects, and tries before the first step. */
static void
the_sandbox_settles_with_the_first_step(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	struct err e;
	executor_free(w->x);
	w->settings.sandbox = SANDBOX_AUTO;
	assert_int_equal(executor_new(w->loop, &w->settings, w->objects, str_c(w->dir), take_news, w, &w->x, &e), 0);
	assert_false(w->x->settled);
	assert_int_equal(w->x->helper.pid, 0);
	const char *expected = executor_sandbox(w->x);
	step_init(&s, "first", "true");
	assert_succeeded(run(w, &s));
	assert_true(w->x->settled);
	assert_string_equal(executor_sandbox(w->x), expected);
	world_free(w);
}

/* ---- main ------------------------------------------------------------------------------------------------------- */

/* Each in every sandbox. */
static const struct {
	const char *name;
	void (*fn)(void **state);
} tests[] = {
#define TEST(fn)                                                                                                       \
	{                                                                                                              \
#fn, fn                                                                                                \
	}
	TEST(output_and_exit_code_come_back),
	TEST(a_command_that_does_not_exist_ends_with_64),
	TEST(files_become_parameters),
	TEST(hostile_outputs_are_refused),
	TEST(outputs_stay_in_the_root),
	TEST(outputs_are_read_with_the_steps_rights),
	TEST(ten_megabytes_of_output_keep_their_end),
	TEST(the_log_has_limits),
	TEST(what_is_removed_is_gone),
	TEST(a_script_is_the_last_argument),
	TEST(the_environment_is_the_manifests_alone),
	TEST(volumes_appear_where_the_manifest_says),
	TEST(a_host_folder_at_its_own_path_needs_no_mount),
	TEST(config_maps_and_secrets_are_given),
	TEST(a_large_script_arrives_whole),
	TEST(sub_paths_stay_in_their_volume),
	TEST(an_image_is_a_root_of_its_own),
	TEST(an_image_names_its_user),
	TEST(host_paths_are_only_those_allowed),
	TEST(sigterm_then_sigkill),
	TEST(a_deadline_ends_a_step),
	TEST(a_step_that_takes_too_much_memory_is_killed),
	TEST(nothing_of_a_step_stays_behind),
	TEST(a_running_step_is_adopted),
	TEST(a_step_that_was_not_released_leaves_no_trace),
	TEST(no_command_starts_twice),
	TEST(a_claim_without_a_command_can_be_taken),
	TEST(the_helper_may_die),
	TEST(a_monitor_that_is_killed_is_an_error),
	TEST(a_second_run_of_a_pod_starts_afresh),
	TEST(the_line_holds_what_is_too_much),
	TEST(the_sandbox_settles_with_the_first_step),
	TEST(a_sandbox_has_no_way_out),
	TEST(steps_do_not_see_each_other),
};

int
main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]); /* one test, in every sandbox: for debugging */
	static enum task_sandbox sandboxes[] = { TASK_SANDBOX_OFF, TASK_SANDBOX_USER, TASK_SANDBOX_PRIVILEGED };
	static struct CMUnitTest all[ARRAY_LEN(sandboxes) * ARRAY_LEN(tests)];
	size_t n = 0;
	log_setup(LOG_ERROR, LOG_LOGFMT);
	for (size_t i = 0; i < ARRAY_LEN(sandboxes); i++)
		for (size_t k = 0, works = sandbox_works(sandboxes[i]); works && k < ARRAY_LEN(tests); k++)
			all[n++] = (struct CMUnitTest){ tests[k].name, tests[k].fn, NULL, NULL, &sandboxes[i] };
	return _cmocka_run_group_tests("exec", all, n, NULL, NULL);
}
