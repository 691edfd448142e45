/* SPDX-License-Identifier: Apache-2.0 */
/* Steps, run for real through the helper: what they print and leave, how they end and are ended. */
#include "exec_world.h"

#include <poll.h>
#include <sys/pidfd.h>

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
	if (w->x->cgroups.base[LIMIT_MEMORY]) {
		assert_int_equal(end->phase, PHASE_FAILED);
		assert_string_equal(end->message, "main: OOMKilled (exit code 137)");
		step_init(&s, "modest", "echo fine");
		s.c.resources = &resources;
		assert_succeeded(run(w, &s));
		char *group = strdup(w->x->cgroups.base[LIMIT_MEMORY]);
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
	/* A grandchild in a session of its own, with its parent gone, holding the output open. It is there before the end. */
	snprintf(script, sizeof script,
		"(setsid sh -c 'sleep %s & echo $! >there; exec sleep %s' &) ; until [ -s there ]; do sleep 0.02; done; echo done", mark, mark);
	step_init(&s, "orphans", script);
	const struct ended *e = run(w, &s);
	assert_succeeded(e);
	assert_string_equal(e->result, "done");
	assert_false(process_lives(mark));
	world_free(w);
}

/* The only child of the helper; 0 if there is none, or more than one. */
static pid_t
only_child(const struct world *w)
{
	char path[64], text[256] = "", *end;
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", w->x->helper.pid, w->x->helper.pid);
	int fd CLEANUP(close_fd) = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof text - 1);
	long pid = n > 0 ? strtol(text, &end, 10) : 0;
	return pid > 0 && (*end == ' ' || !*end) && strtol(end, NULL, 10) == 0 ? (pid_t)pid : 0;
}

static void
a_monitor_is_made_ahead_and_ends_with_the_helper(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	char pid[16];
	step_init(&s, "first", "echo $PPID");
	const struct ended *e = run(w, &s);
	assert_succeeded(e);
	pid_t ended = (pid_t)strtol(e->result, NULL, 10); /* may be there for a moment still */
	if (w->sandbox != TASK_SANDBOX_OFF) { /* its namespaces are made with it */
		world_free(w);
		return;
	}
	WAIT_FOR(w, only_child(w) && only_child(w) != ended);
	pid_t first = only_child(w);
	snprintf(pid, sizeof pid, "%d", first);
	step_init(&s, "second", "echo $PPID");
	e = run(w, &s);
	assert_succeeded(e);
	assert_string_equal(e->result, pid);
	WAIT_FOR(w, only_child(w) && only_child(w) != first);
	int spare CLEANUP(close_fd) = pidfd_open(only_child(w), 0);
	assert_true(spare >= 0);
	world_free(w);
	struct pollfd gone = { spare, POLLIN, 0 };
	assert_int_equal(poll(&gone, 1, 60000), 1);
}

/* Of a file below the folder of tasks; 0: it is not there. */
static ino_t __attribute__((format(printf, 2, 3)))
inode_of(const struct world *w, const char *fmt, ...)
{
	char path[128];
	struct stat st;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(path, sizeof path, fmt, ap);
	va_end(ap);
	return fstatat(w->x->tasks_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_ino : 0;
}

static ino_t
folder_of(const struct world *w, pid_t spare)
{
	return inode_of(w, ".ahead/%d", spare);
}

static ino_t
log_of(const struct world *w, pid_t spare)
{
	return inode_of(w, ".ahead/%d/.log", spare);
}

/* The spare that is there when `ended` is gone, with all its files. */
static pid_t
next_spare(struct world *w, pid_t ended)
{
	WAIT_FOR(w, only_child(w) && only_child(w) != ended && log_of(w, only_child(w)));
	return only_child(w);
}

static void
files_made_ahead_become_those_of_the_step(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	step_init(&s, "first", "echo $PPID");
	const struct ended *e = run(w, &s);
	assert_succeeded(e);
	if (w->sandbox != TASK_SANDBOX_OFF) {
		world_free(w);
		return;
	}
	/* The workflow has its folder: what works in it comes along, and the rest goes. */
	pid_t spare = next_spare(w, (pid_t)strtol(e->result, NULL, 10));
	ino_t log = log_of(w, spare), work = inode_of(w, ".ahead/%d/.dir", spare);
	step_init(&s, "second", "echo $PPID; pwd");
	assert_succeeded(run(w, &s));
	assert_int_equal(inode_of(w, "default/wf/second.log"), log);
	assert_int_equal(inode_of(w, "default/wf/second"), work);
	WAIT_FOR(w, !folder_of(w, spare));
	/* It has none. */
	spare = next_spare(w, spare);
	executor_remove(w->x, S("default"), S("wf"));
	ino_t folder = folder_of(w, spare);
	log = log_of(w, spare);
	step_init(&s, "third", "echo $PPID; pwd");
	assert_succeeded(run(w, &s));
	assert_int_equal(inode_of(w, "default/wf"), folder);
	assert_int_equal(inode_of(w, "default/wf/third.log"), log);
	assert_int_equal(inode_of(w, "default/wf/.log") + inode_of(w, "default/wf/.dir") + folder_of(w, spare), 0);
	world_free(w);
}

/* Killed, a spare leaves its files; the next one, and the step, make their own. They go with the next start. */
static void
what_a_dead_spare_made_is_swept_up(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	step_init(&s, "first", "echo $PPID");
	const struct ended *e = run(w, &s);
	assert_succeeded(e);
	if (w->sandbox != TASK_SANDBOX_OFF) {
		world_free(w);
		return;
	}
	pid_t spare = next_spare(w, (pid_t)strtol(e->result, NULL, 10));
	kill(spare, SIGKILL);
	WAIT_FOR(w, !only_child(w));
	step_init(&s, "second", "echo there");
	assert_succeeded(run(w, &s));
	assert_true(log_of(w, spare) != 0);
	executor_free(w->x);
	open_executor(w);
	assert_int_equal(folder_of(w, spare), 0);
	world_free(w);
}

/* Somebody else has the log between the start and the release: it is theirs. */
static void
a_log_made_ahead_takes_no_others_place(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	step_init(&s, "first", "echo $PPID");
	const struct ended *e = run(w, &s);
	assert_succeeded(e);
	if (w->sandbox == TASK_SANDBOX_OFF)
		(void)next_spare(w, (pid_t)strtol(e->result, NULL, 10));
	step_init(&s, "second", "touch begun");
	executor_start(w->x, &s.spec);
	loop_turn(w->loop, 0);
	int other CLEANUP(close_fd) = openat(w->x->tasks_fd, "default/wf/second.log", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(other >= 0);
	assert_int_equal(write(other, "#started 2026-01-01T00:00:00.000000000Z u-1/0\n", 46), 46);
	executor_release(w->x, S("default"), S("wf"), s.spec.node_id);
	e = finish(w, "second");
	assert_int_equal(e->phase, PHASE_ERROR); /* of this attempt, and its monitor is gone */
	assert_int_equal(inode_of(w, "default/wf/second/begun"), 0);
	world_free(w);
}

int
main(int argc, char **argv)
{
	static const struct exec_test tests[] = {
		TEST(output_and_exit_code_come_back),
		TEST(a_command_that_does_not_exist_ends_with_64),
		TEST(files_become_parameters),
		TEST(hostile_outputs_are_refused),
		TEST(outputs_stay_in_the_root),
		TEST(outputs_are_read_with_the_steps_rights),
		TEST(ten_megabytes_of_output_keep_their_end),
		TEST(the_log_has_limits),
		TEST(what_is_removed_is_gone),
		TEST(sigterm_then_sigkill),
		TEST(a_deadline_ends_a_step),
		TEST(a_step_that_takes_too_much_memory_is_killed),
		TEST(nothing_of_a_step_stays_behind),
		TEST(a_monitor_is_made_ahead_and_ends_with_the_helper),
		TEST(files_made_ahead_become_those_of_the_step),
		TEST(what_a_dead_spare_made_is_swept_up),
		TEST(a_log_made_ahead_takes_no_others_place),
	};
	return exec_main("exec", tests, ARRAY_LEN(tests), argc, argv);
}
