/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes: claims and where they come from, memory, and that nothing leads out of what is allowed. */
#include "exec_world.h"

static bool
without_mounts(const struct world *w)
{
	return w->sandbox == TASK_SANDBOX_OFF;
}

/* Another name of the same step, to be run again. */
static const struct ended *
run_as(struct world *w, struct step_of *s, const char *node)
{
	s->spec.node_id = s->spec.pod = str_c(node);
	return run(w, s);
}

static void
memory_is_one_volume_wherever_it_is_mounted(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct empty_dir memory = { .medium = S("Memory"), .size_limit.text = S("1Mi") };
	struct step_of s;
	step_init(&s, "memory", "set -e; echo x >/sub/f; cat /mem/a/b/f; ! touch /ro/f 2>/dev/null; ! head -c 2000000 /dev/zero 2>/dev/null >/sub/big");
	step_volume(&s, "mem")->empty_dir = &memory;
	step_mount(&s, "mem", "/mem", false);
	step_mount(&s, "mem", "/sub", false);
	step_mount(&s, "mem", "/ro", true);
	s.mounts[1].sub_path = S("a/b");
	const struct ended *e = run(w, &s);
	if (!without_mounts(w)) {
		assert_succeeded(e);
		assert_string_equal(e->result, "x");
	}
	world_free(w);
}

static void
a_claim_comes_from_a_manifest_the_settings_or_nowhere(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct claim_volume data = { .claim_name = S("data") }, none = { .claim_name = S("none") };
	struct step_of s;
	char host[128], file[160];
	step_init(&s, "one", "cat /data/f 2>/dev/null; echo x >>/data/f");
	step_volume(&s, "data")->claim = &data;
	step_mount(&s, "data", "/data", false);
	assert_int_equal(run(w, &s)->phase, PHASE_ERROR);
	if (without_mounts(w)) {
		world_free(w);
		return;
	}
	assert_contains(find_ended(w, "one")->message, "persistentvolumeclaim \"data\" not found in namespace default");

	put_object(w, "{\"apiVersion\":\"v1\",\"kind\":\"PersistentVolumeClaim\",\"metadata\":{\"name\":\"data\"},\"spec\":{}}");
	assert_succeeded(run_as(w, &s, "two"));
	executor_free(w->x);
	open_executor(w);
	assert_string_equal(run_as(w, &s, "three")->result, "x");
	data.read_only = true;
	s.argv[2] = S("! touch /data/g 2>/dev/null");
	assert_succeeded(run_as(w, &s, "read-only"));

	snprintf(host, sizeof host, "%s/mine", w->dir);
	mkdir(host, 0777);
	chmod(host, 0777);
	struct claim_setting row = { .name = S("none"), .path = str_c(host) };
	w->settings.claims.p = &row;
	w->settings.claims.n = 1;
	s.volumes[0].claim = &none;
	s.argv[2] = S("echo y >/data/of-settings");
	assert_succeeded(run_as(w, &s, "settings"));
	snprintf(file, sizeof file, "%s/of-settings", host);
	assert_true(file_exists(file));
	row.path = S("/nowhere/at/all");
	assert_contains(run_as(w, &s, "settings-wrong")->message, "`claims` of the settings");
	w->settings.claims.n = 0;
	none.claim_name = S("../x");
	assert_contains(run_as(w, &s, "name")->message, "cannot be the name of a claim");
	world_free(w);
}

/* Named WORKFLOW-NAME, also for others; gone with the workflow's. */
static void
a_claim_template_makes_a_folder_of_the_workflow(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct claim_volume by_name = { .claim_name = S("wf-work") };
	struct step_of s;
	struct val claims;
	struct err err;
	struct arena *a = arena_new();
	char path[160];
	assert_int_equal(json_read(a, S("[{\"metadata\":{\"name\":\"work\"}}]"), &claims, &err), 0);
	step_init(&s, "first", "echo x >/work/f");
	s.spec.claims = &claims;
	step_mount(&s, "work", "/work", false);
	const struct ended *e = run(w, &s);
	if (!without_mounts(w)) {
		assert_succeeded(e);
		step_init(&s, "second", "cat /work/f");
		step_volume(&s, "other")->claim = &by_name;
		step_mount(&s, "other", "/work", false);
		assert_string_equal(run(w, &s)->result, "x");
		snprintf(path, sizeof path, "%s/claims/.workflows/default/wf", w->dir);
		assert_true(file_exists(path));
		executor_remove_claims(w->x, S("default"), S("wf"));
		assert_false(file_exists(path));
		assert_contains(run_as(w, &s, "third")->message, "not found");
	}
	arena_free(a);
	world_free(w);
}

/* As after a power cut between its name and the disk's knowing that: folder and name come together again. */
static void
a_claim_that_has_no_name_yet_keeps_what_is_in_it(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct claim_volume data = { .claim_name = S("data") };
	struct step_of s;
	char named[160], unnamed[160], kept[176];
	snprintf(named, sizeof named, "%s/claims/default/data", w->dir);
	snprintf(unnamed, sizeof unnamed, "%s/claims/default/.data", w->dir);
	snprintf(kept, sizeof kept, "%s/kept", unnamed);
	put_object(w, "{\"apiVersion\":\"v1\",\"kind\":\"PersistentVolumeClaim\",\"metadata\":{\"name\":\"data\"},\"spec\":{}}");
	step_init(&s, "first", "echo x >/data/kept");
	step_volume(&s, "data")->claim = &data;
	step_mount(&s, "data", "/data", false);
	if (!without_mounts(w)) {
		assert_succeeded(run(w, &s));
		assert_true(file_exists(named) && !file_exists(unnamed));
		assert_int_equal(rename(named, unnamed), 0);
		assert_true(file_exists(kept));
		s.argv[2] = S("cat /data/kept");
		assert_string_equal(run_as(w, &s, "second")->result, "x");
		assert_true(file_exists(named) && !file_exists(unnamed));
		/* Both: one of them is a daemon's that looked too early. */
		assert_int_equal(mkdir(unnamed, 0777), 0);
		assert_string_equal(run_as(w, &s, "third")->result, "x");
	}
	world_free(w);
}

static void
a_sub_path_is_as_open_as_its_volume(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct empty_dir disk = { 0 }, memory = { .medium = S("Memory") };
	struct claim_volume data = { .claim_name = S("data") };
	struct val as;
	struct err err;
	struct step_of s;
	struct arena *a = arena_new();
	put_object(w, "{\"apiVersion\":\"v1\",\"kind\":\"PersistentVolumeClaim\",\"metadata\":{\"name\":\"data\"},\"spec\":{}}");
	assert_int_equal(json_read(a, S("{\"runAsUser\":1234,\"runAsGroup\":1234}"), &as, &err), 0);
	step_init(&s, "one", "set -e; for v in disk mem data; do echo x >/$v/f; stat -c %a /$v; done; id -u");
	s.c.security_context = &as;
	step_volume(&s, "disk")->empty_dir = &disk;
	step_volume(&s, "mem")->empty_dir = &memory;
	step_volume(&s, "data")->claim = &data;
	step_mount(&s, "disk", "/disk", false);
	step_mount(&s, "mem", "/mem", false);
	step_mount(&s, "data", "/data", false);
	for (size_t i = 0; i < 3; i++)
		s.mounts[i].sub_path = S("a/b");
	const struct ended *e = run(w, &s);
	if (!without_mounts(w)) {
		assert_succeeded(e);
		assert_string_equal(e->result, "777\n777\n777\n1234");
	}
	arena_free(a);
	world_free(w);
}

/* A step that may write to a volume can leave a link there; what is mounted or made after it stays in what is allowed. */
static void
links_lead_nowhere(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	char outside[] = "/tmp/test_exec_outside.XXXXXX", link[128], below[160], deep[160];
	struct step_of s;
	assert_non_null(mkdtemp(outside));
	snprintf(link, sizeof link, "%s/link", w->dir);
	assert_int_equal(symlink(outside, link), 0);
	snprintf(below, sizeof below, "%s/made/by", link);
	snprintf(deep, sizeof deep, "%s/a/b/c", w->dir);
	struct host_path by_link = { .path = str_c(below), .type = S("DirectoryOrCreate") }, all = { .path = str_c(w->dir) };
	step_init(&s, "made", "true");
	step_volume(&s, "v")->host_path = &by_link;
	step_mount(&s, "v", "/v", false);
	const struct ended *e = run(w, &s);
	assert_int_equal(e->phase, PHASE_ERROR);
	snprintf(below, sizeof below, "%s/made", outside);
	assert_false(file_exists(below));
	if (!without_mounts(w)) {
		struct host_path good = { .path = str_c(deep), .type = S("DirectoryOrCreate") };
		s.volumes[0].host_path = &good;
		assert_succeeded(run_as(w, &s, "deep"));
		assert_true(file_exists(deep));
		s.volumes[0].host_path = &all;
		s.mounts[0].sub_path = S("link/x");
		assert_int_equal(run_as(w, &s, "sub-path")->phase, PHASE_ERROR);
	}
	assert_int_equal(rmdir(outside), 0); /* it is empty */
	world_free(w);
}

static void
the_downward_api_knows_labels(void **state)
{
	static const struct {
		const char *path, *text;
	} cases[] = { { "metadata.labels", "app=\"a\\\"\\n\"\nworkflows.argoproj.io/completed=\"false\"\nworkflows.argoproj.io/workflow=\"wf\"" },
		{ "metadata.labels['app']", "a\"\n" }, { "metadata.labels['none']", "" }, { "metadata.annotations", "workflows.argoproj.io/node-id=\"n\"" },
		{ "metadata.name", "n" }, { "metadata.labelsx", NULL }, { "status.phase", NULL } };
	struct arena *a = arena_new();
	struct step_of s;
	struct val metadata;
	struct err e;
	(void)state;
	assert_int_equal(json_read(a, S("{\"labels\":{\"app\":\"a\\\"\\n\"}}"), &metadata, &e), 0);
	step_init(&s, "n", "true");
	s.tmpl.metadata = &metadata;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct val_map m = { 0 };
		val_map_add_str(&m, S("fieldPath"), str_c(cases[i].path));
		struct val ref = val_map_end(&m, a);
		str out = STR_NONE;
		assert_int_equal(pod_field(a, &s.spec, &ref, &out, &e), cases[i].text ? 0 : -1);
		if (cases[i].text)
			assert_true(str_eq(out, str_c(cases[i].text)));
	}
	arena_free(a);
}

int
main(int argc, char **argv)
{
	static const struct exec_test tests[] = {
		TEST(memory_is_one_volume_wherever_it_is_mounted),
		TEST(a_claim_comes_from_a_manifest_the_settings_or_nowhere),
		TEST(a_claim_template_makes_a_folder_of_the_workflow),
		TEST(a_claim_that_has_no_name_yet_keeps_what_is_in_it),
		TEST(a_sub_path_is_as_open_as_its_volume),
		TEST(links_lead_nowhere),
		TEST(the_downward_api_knows_labels),
	};
	return exec_main("exec_volumes", tests, ARRAY_LEN(tests), argc, argv);
}
