/* SPDX-License-Identifier: Apache-2.0 */
/* What steps use, and what they may use. */
#include <sys/wait.h>

#include "exec_world.h"

/* ---- what was used --------------------------------------------------------------------------------------------- */

/* By its children too, by those that nobody waits for, and by a step that fails. */
static void
the_kernel_counts_what_a_step_uses(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	step_init(&s, "child",
		"python3 -c 'import time\nx = bytearray(64 << 20)\nwhile time.process_time() < 0.3: pass'; exit 1");
	const struct ended *e = run(w, &s);
	assert_int_equal(e->phase, PHASE_FAILED);
	assert_true(e->usage.cpu >= 300 && e->usage.cpu < 20000);
	assert_true(e->usage.memory >= 190); /* 0.3 s of 64Mi, in thousandths of seconds of 100Mi */

	step_init(&s, "orphan",
		"(setsid sh -c 'python3 -c \"import time\nwhile time.process_time() < 0.3: pass\"; touch done' &)\n"
		"until test -e done; do sleep 0.05; done");
	e = run(w, &s);
	assert_succeeded(e);
	assert_true(e->usage.cpu >= 300);
	world_free(w);
}

/* ---- what may be used ------------------------------------------------------------------------------------------- */

static void
step_with_limits(struct arena *a, struct step_of *s, const char *node, const char *script, const char *limits, const char *pod)
{
	struct val *v = ARENA_ARRAY(a, struct val, 2);
	struct err e;
	step_init(s, node, script);
	assert_int_equal(json_read(a, str_c(limits), &v[0], &e), 0);
	assert_int_equal(json_read(a, str_c(pod), &v[1], &e), 0);
	s->c.resources = &v[0];
	s->spec.pod_resources = &v[1];
}

static void
a_step_has_no_more_processes_than_it_may(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	w->settings.pids_limit = 20;
	step_init(&s, "bomb", "i=0; while test $i -lt 40; do sleep 60 & i=$((i+1)); done; echo all of them");
	const struct ended *e = run(w, &s);
	if (w->x->cgroups.base[LIMIT_PIDS])
		assert_int_equal(e->phase, PHASE_FAILED);
	else
		assert_string_equal(e->result, "all of them");
	step_init(&s, "modest", "sleep 0 & sleep 0 & wait; echo fine");
	assert_succeeded(run(w, &s));
	world_free(w);
}

static void
a_step_stores_no_more_than_it_may(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct arena *a = arena_new();
	struct step_of s;
	const char *script = "head -c 3000000 /dev/zero > big && rm big && echo it went";
	step_with_limits(a, &s, "much", script, "{\"limits\":{\"ephemeral-storage\":\"2Mi\"}}", "{}");
	const struct ended *e = run(w, &s);
	if (w->sandbox == TASK_SANDBOX_OFF)
		assert_string_equal(e->result, "it went"); /* it was warned of */
	else
		assert_int_equal(e->phase, PHASE_FAILED);
	step_with_limits(a, &s, "enough", script, "{\"limits\":{\"ephemeral-storage\":\"8Mi\"}}", "{}");
	assert_succeeded(run(w, &s));
	arena_free(a);
	world_free(w);
}

/* ---- groups of version 2 ----------------------------------------------------------------------------------------- */

static void
put_file(const char *dir, const char *name, const char *text)
{
	char path[400];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	int fd CLEANUP(close_fd) = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* A tree that looks like the kernel's: the daemon in /unit, which was delegated to it. */
static void
pretend_unified(struct world *w, char root[128], char self[160])
{
	char dir[256];
	snprintf(root, 128, "%s/cgroup", w->dir);
	snprintf(self, 160, "%s/self", w->dir);
	put_file(w->dir, "self", "12:memory:/elsewhere\n0::/unit\n");
	snprintf(dir, sizeof dir, "%s/unit", root);
	assert_int_equal(mkdir(root, 0755) | mkdir(dir, 0755), 0);
	put_file(root, "cgroup.controllers", "cpu memory pids\n");
	put_file(dir, "cgroup.controllers", "cpu memory pids\n");
	put_file(dir, "cgroup.subtree_control", "memory cpu\n");
	snprintf(dir, sizeof dir, "%s/unit/tidegate-%08x", root, str_fnv32a(str_c(w->x->tasks_path)));
	assert_int_equal(mkdir(dir, 0755), 0);
	put_file(dir, "cgroup.controllers", "memory cpu\n");
	put_file(dir, "cgroup.subtree_control", "memory cpu\n");
	w->x->cgroups.root = root;
	w->x->cgroups.self = self;
}

/* Its records as text, a line each. */
static char *
limits_of(struct world *w, struct step_of *s, char *to, size_t n)
{
	struct err e;
	struct record r;
	struct task t = { .x = w->x, .arena = arena_new(), .dir = S("default/wf/pod") };
	to[0] = 0;
	if (limits_write(&t, &s->spec, &s->c, &e) < 0)
		snprintf(to, n, "%s", e.msg);
	for (const char *at = t.records.p; t.records.p && record_next(&at, t.records.p + t.records.n, &r);)
		snprintf(to + strlen(to), n - strlen(to), "%s\n", r.type == TASK_CGROUP ? strrchr(r.p, '/') : r.p);
	buf_free(&t.records);
	arena_free(t.arena);
	return to;
}

static void
limits_are_written_as_version_2_wants_them(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct arena *a = arena_new();
	struct step_of s;
	char root[128], self[160], text[1000], group[64];
	pretend_unified(w, root, self);
	snprintf(group, sizeof group, "/pod-%08x\n", str_fnv32a(S("default/wf/pod")));
	step_with_limits(a, &s, "pod", "", "{\"limits\":{\"memory\":\"1Gi\",\"cpu\":\"1500m\"},\"requests\":{\"cpu\":4}}", "{}");
	limits_of(w, &s, text, sizeof text);
	assert_contains(text, group);
	assert_contains(text, "memory.max 1073741824\ncpu.max 150000 100000\n");
	assert_null(strstr(strstr(text, group) + 1, group)); /* one group for all */
	/* The pod's limits are limits of the container as well: the lower one counts. */
	step_with_limits(a, &s, "pod", "", "{\"limits\":{\"memory\":\"1Gi\",\"cpu\":1}}", "{\"limits\":{\"memory\":\"64Mi\",\"cpu\":2}}");
	assert_contains(limits_of(w, &s, text, sizeof text), "memory.max 67108864\ncpu.max 100000 100000\n");
	step_with_limits(a, &s, "pod", "", "{}", "{\"limits\":{\"cpu\":\"1m\"}}");
	assert_contains(limits_of(w, &s, text, sizeof text), "cpu.max 1000 100000\n"); /* the least there is */
	step_with_limits(a, &s, "pod", "", "{\"limits\":{\"memory\":\"much\"}}", "{}");
	assert_contains(limits_of(w, &s, text, sizeof text), "resources.limits: ");
	/* A controller that the folder of the steps does not have. */
	w->settings.pids_limit = 9;
	step_with_limits(a, &s, "pod", "", "{}", "{}");
	assert_string_equal(limits_of(w, &s, text, sizeof text), "");
	arena_free(a);
	world_free(w);
}

/* The records of a pod of two containers. */
static char *
pod_limits_of(struct world *w, struct step_of *s, const struct container *b, char *to, size_t n)
{
	struct err e;
	struct record r;
	struct task_member members[] = { { .c = &s->c, .name = S("a"), .role = TASK_ROLE_MAIN }, { .c = b, .name = S("b"), .role = TASK_ROLE_MAIN } };
	struct task t = { .x = w->x, .arena = arena_new(), .dir = S("default/wf/pod"), .members = { members, 2 } };
	to[0] = 0;
	int rc = limits_write_pod(&t, &s->spec, &e);
	for (size_t i = 0; rc == 0 && i < t.members.n; i++) {
		t.member = members[i].name;
		rc = limits_write(&t, &s->spec, members[i].c, &e);
	}
	if (rc < 0)
		snprintf(to, n, "%s", e.msg);
	for (const char *at = t.records.p; t.records.p && record_next(&at, t.records.p + t.records.n, &r);)
		snprintf(to + strlen(to), n - strlen(to), "%s\n", r.type == TASK_CGROUP ? strstr(r.p, "/pod-") : r.p);
	buf_free(&t.records);
	arena_free(t.arena);
	return to;
}

static void
a_pods_limits_are_around_those_of_its_containers(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct arena *a = arena_new();
	struct step_of s, other;
	char root[128], self[160], text[1000], wanted[600];
	unsigned hash = str_fnv32a(S("default/wf/pod"));
	pretend_unified(w, root, self);
	step_with_limits(a, &other, "pod", "", "{}", "{}");
	step_with_limits(a, &s, "pod", "", "{\"limits\":{\"cpu\":1}}", "{\"limits\":{\"memory\":\"64Mi\"}}");
	snprintf(wanted, sizeof wanted,
		"/pod-%08x\nmemory.max 67108864\ncgroup.subtree_control +memory\ncgroup.subtree_control +cpu\n"
		"/pod-%08x/a\ncpu.max 100000 100000\n/pod-%08x/b\n", hash, hash, hash);
	assert_string_equal(pod_limits_of(w, &s, &other.c, text, sizeof text), wanted);
	/* Without limits of the pod each container has its own group, or none. */
	step_with_limits(a, &s, "pod", "", "{\"limits\":{\"cpu\":1}}", "{}");
	snprintf(wanted, sizeof wanted, "/pod-%08x-a\ncpu.max 100000 100000\n", hash);
	assert_string_equal(pod_limits_of(w, &s, &other.c, text, sizeof text), wanted);
	step_with_limits(a, &s, "pod", "", "{}", "{\"limits\":{\"cpu\":\"some\"}}");
	assert_contains(pod_limits_of(w, &s, &other.c, text, sizeof text), "resources.limits: ");
	arena_free(a);
	world_free(w);
}

/* With the real thing, where some controller is left to version 2: a group with processes cannot hand it on. */
static void
a_daemon_makes_room_in_its_own_group(void **state)
{
	static const char *const roots[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	char path[256], text[256] = "", group[160];
	const char *root = NULL;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(roots) && !text[0]; i++) {
		snprintf(path, sizeof path, "%s/cgroup.controllers", roots[i]);
		int fd CLEANUP(close_fd) = open(path, O_RDONLY | O_CLOEXEC);
		root = roots[i];
		if (fd >= 0)
			(void)!read(fd, text, sizeof text - 1);
	}
	text[strcspn(text, " \n")] = 0; /* the first one */
	snprintf(group, sizeof group, "%s/test-%d", root, (int)getpid());
	if (!text[0] || !cgroup_delegate(root, text) || mkdir(group, 0755) < 0)
		return; /* there is none, or it is not ours */
	pid_t pid = fork();
	if (pid == 0) {
		snprintf(path, sizeof path, "%s/cgroup.procs", group);
		int fd = open(path, O_WRONLY | O_CLOEXEC);
		bool ok = write(fd, "0", 1) == 1 && cgroup_delegate(group, text) && cgroup_delegate(group, text);
		snprintf(path, sizeof path, "%s/tidegate-daemon/cgroup.procs", group);
		char own[32] = "";
		int in = open(path, O_RDONLY | O_CLOEXEC);
		ok = ok && in >= 0 && read(in, own, sizeof own - 1) > 0 && strtol(own, NULL, 10) == getpid();
		_exit(ok ? 0 : 1);
	}
	int status;
	waitpid(pid, &status, 0);
	snprintf(path, sizeof path, "%s/tidegate-daemon", group);
	rmdir(path);
	rmdir(group);
	assert_int_equal(status, 0);
}

int
main(int argc, char **argv)
{
	static const struct exec_test tests[] = {
		TEST(the_kernel_counts_what_a_step_uses),
		TEST(a_step_has_no_more_processes_than_it_may),
		TEST(a_step_stores_no_more_than_it_may),
		TEST(limits_are_written_as_version_2_wants_them),
		TEST(a_pods_limits_are_around_those_of_its_containers),
		TEST(a_daemon_makes_room_in_its_own_group),
	};
	return exec_main("exec_resources", tests, ARRAY_LEN(tests), argc, argv);
}
