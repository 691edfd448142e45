/* SPDX-License-Identifier: Apache-2.0 */
/* Steps and a daemon that comes and goes: what an executor that comes later finds. */
#include "exec_world.h"

#include <sys/prctl.h>
#include <sys/wait.h>

/* ---- a daemon that comes and goes ------------------------------------------------------------------------------- */

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
	s.spec.order++;
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
		step_init(&s[i], nodes[i], i < 2 ? "sleep 1000" : "true"); /* the first two keep their places */
		begin(w, &s[i]);
		assert_true(executor_running(w->x) <= 2);
	}
	executor_kill(w->x, S("default"), S("wf"), S("n8"), 1);
	for (size_t i = 0; i < 2; i++)
		executor_kill(w->x, S("default"), S("wf"), s[i].spec.node_id, 1);
	WAIT_FOR(w, w->ended_n == ARRAY_LEN(s));
	assert_string_equal(find_ended(w, "n8")->message, "stopped before it started");
	for (size_t i = 2; i + 1 < ARRAY_LEN(s); i++)
		assert_int_equal(find_ended(w, s[i].spec.node_id.p)->phase, PHASE_SUCCEEDED);
	assert_int_equal(executor_running(w->x), 0);
	world_free(w);
}

/* ---- steps that nobody adopts --------------------------------------------------------------------------------------- */

static str
log_of(const struct world *w, struct arena *a, const char *node)
{
	const char *path = arena_fmt(a, "%s/tasks/default/wf/%s.log", w->dir, node).p;
	char *text = ARENA_ARRAY(a, char, 1 << 16);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, 1 << 16);
	if (fd >= 0)
		close(fd);
	return n < 0 ? STR_NONE : (str){ text, (size_t)n };
}

static bool
has_ended(const struct world *w, const char *node)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	return str_find(log_of(w, a, node), S("\n#end "), 0) != SIZE_MAX;
}

static int
end_left(struct world *w, const char *node, int64_t grace_seconds)
{
	struct err e;
	int rc = executor_end(w->x, S("default"), S("wf"), str_c(node), grace_seconds, &e);
	if (rc)
		fail_msg("%s", e.msg);
	return rc;
}

/* With its grace period, as often as one asks. */
static void
a_step_of_an_earlier_daemon_is_ended(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	struct host_path hp;
	char script[512], path[160], then[320];
	ledger(w, path);
	snprintf(then, sizeof then, "trap 'echo told >>%s' TERM; echo heeds >>%s; while :; do sleep 0.02; done", path, path);
	ledger_step(w, &s, &hp, script, path, "stubborn", then);
	begin(w, &s);
	WAIT_FOR(w, lines(path, "heeds") == 1);
	reopen(w);
	end_left(w, "stubborn", 1);
	WAIT_FOR(w, has_ended(w, "stubborn"));
	assert_int_equal(lines(path, "told"), 1);
	end_left(w, "stubborn", 1);
	end_left(w, "nobody", 1);
	snprintf(then, sizeof then, "%s/tasks/default/wf/nobody.log", w->dir);
	assert_false(file_exists(then)); /* of a step that never was nothing is left */
	assert_int_equal(w->started_n + w->ended_n, 0);
	world_free(w);
}

/* Whether monitors are left whose server is gone: we have inherited them. */
static bool
monitors_are_left(const struct world *w)
{
	char text[4096], *end;
	int fd CLEANUP(close_fd) = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	ssize_t n = read(fd, text, sizeof text - 1);
	text[n > 0 ? n : 0] = 0;
	for (char *p = text; *p; p = end) {
		long pid = strtol(p, &end, 10);
		if (end == p)
			break;
		if (pid != w->x->helper.pid)
			return true;
	}
	return false;
}

/*
 * The daemon dies right after the release, in every phase of the helper's work, and the next one wants the step ended. Which
 * steps have begun is decided when it is there: they are ended, and no other ever begins, however late its monitor wakes up.
 */
static void
a_step_that_is_about_to_begin_is_barred(void **state)
{
	enum { STEPS = 12 };
	struct world *w = world_new(sandbox_of(state));
	struct host_path hp;
	char script[512], path[160], log[160], node[STEPS][32];
	bool begun[STEPS];
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (int i = 0; i < STEPS; i++) {
		struct step_of s;
		snprintf(node[i], sizeof node[i], "about%d", i);
		snprintf(log, sizeof log, "%s/tasks/default/wf/%s.log", w->dir, node[i]);
		ledger_step(w, &s, &hp, script, path, node[i], "sleep 1000");
		begin(w, &s);
		if (i % 3)
			usleep((useconds_t)(i * 300)); /* spreads the deaths over the start; nothing depends on it */
		reopen(w);
		begun[i] = file_exists(log);
		end_left(w, node[i], 0);
	}
	WAIT_FOR(w, !monitors_are_left(w));
	for (int i = 0; i < STEPS; i++) {
		snprintf(log, sizeof log, "%s/tasks/default/wf/%s.log", w->dir, node[i]);
		assert_int_equal(file_exists(log), begun[i]);
		assert_int_equal(has_ended(w, node[i]), begun[i]);
		assert_true(lines(path, node[i]) <= begun[i]);
	}
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	world_free(w);
}

/* A claim under way when the next daemon comes is one that it finds: it waits for it. */
static void
a_claim_under_way_is_waited_for(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	struct stat st;
	int told[2], byte;
	assert_int_equal(pipe2(told, O_CLOEXEC), 0);
	int gate CLEANUP(close_fd) = openat(w->x->tasks_fd, TASK_GATE, O_RDWR | O_CLOEXEC);
	executor_free(w->x);
	pid_t monitor = fork(); /* one that was released, and has entered the gate */
	if (monitor == 0) {
		close(told[0]);
		if (fcntl(gate, F_SETLK, &lock) < 0)
			_exit(1);
		byte = !write(told[1], "e", 1);
		/* Until the next daemon stands before the gate, or, if it does not care, has gone on. */
		for (int i = 0; i < 300; i++)
			usleep(1000);
		byte |= fstat(gate, &st) < 0 || st.st_size != 0;
		_exit(byte);
	}
	assert_int_equal(read(told[0], &byte, 1), 1);
	open_executor(w);
	assert_int_equal(waitpid(monitor, &byte, 0), monitor);
	assert_int_equal(byte, 0); /* as long as it was in there, nobody closed it */
	assert_int_equal(fstat(gate, &st), 0);
	assert_true(st.st_size > 0);
	close(told[0]);
	close(told[1]);
	world_free(w);
}

/* ---- the same pod once more ------------------------------------------------------------------------------------------ */

/* Takes a moment to end when it is told, and says so. */
static void
slow_step(struct world *w, struct step_of *s, struct host_path *hp, char script[512], char path[160], const char *node)
{
	char then[320];
	ledger(w, path);
	snprintf(then, sizeof then, "trap 'sleep 0.3; echo over >>%s; exit 1' TERM; echo runs >>%s; while :; do sleep 0.02; done", path, path);
	ledger_step(w, s, hp, script, path, node, then);
	s->spec.grace_seconds = 20;
}

/* Another attempt of the node: it says what it finds. */
static void
again_step(struct step_of *s, char script[512], const char *path)
{
	snprintf(script, 512, "echo again >>%s; grep -c over %s", path, path);
	s->argv[2] = str_c(script);
	s->spec.order++;
}

static void
assert_begun_after_the_other(struct world *w, const char *path, const char *node)
{
	const struct ended *e = finish(w, node);
	assert_succeeded(e);
	assert_string_equal(e->result, "1");
	assert_int_equal(lines(path, "again"), 1);
	assert_int_equal(w->ended_n, 1); /* of the earlier attempt nobody hears any more */
	assert_int_equal(executor_running(w->x), 0);
}

static void
the_next_attempt_waits_for_the_one_before(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	struct host_path hp;
	char script[512], path[160];
	/* It was told to end; it was not, and the next attempt sees to that. */
	for (int told = 0; told < 2; told++) {
		const char *node = told ? "told" : "untold";
		slow_step(w, &s, &hp, script, path, node);
		begin(w, &s);
		WAIT_FOR(w, lines(path, "runs") == 1);
		if (told)
			assert_true(executor_kill(w->x, S("default"), S("wf"), s.spec.node_id, 20));
		again_step(&s, script, path);
		begin(w, &s);
		assert_begun_after_the_other(w, path, node);
		w->ended_n = 0;
		unlink(path);
	}
	world_free(w);
}

/* The daemon is another one, and takes the next attempt for a new one or for one that may have begun. */
static void
the_next_attempt_waits_after_a_restart(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	struct host_path hp;
	char script[512], path[160];
	for (int adopts = 0; adopts < 2; adopts++) {
		const char *node = adopts ? "adopted" : "started";
		slow_step(w, &s, &hp, script, path, node);
		begin(w, &s);
		WAIT_FOR(w, lines(path, "runs") == 1);
		again_step(&s, script, path);
		reopen(w);
		assert_false(executor_claimed(w->x, &s.spec));
		if (adopts)
			executor_adopt(w->x, &s.spec);
		else
			begin(w, &s);
		assert_begun_after_the_other(w, path, node);
		unlink(path);
		w->ended_n = 0;
	}
	world_free(w);
}

/* It was released and had not begun: in every phase of the helper's work, none is taken for the other. */
static void
the_next_attempt_is_not_the_one_that_was_about_to_begin(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct host_path hp;
	char script[512], path[160], node[12][32];
	for (int i = 0; i < 12; i++) {
		struct step_of s;
		snprintf(node[i], sizeof node[i], "turn%d", i);
		ledger_step(w, &s, &hp, script, path, node[i], "sleep 1000");
		begin(w, &s);
		if (i % 3)
			usleep((useconds_t)(i * 300)); /* spreads it over the start; nothing depends on it */
		executor_kill(w->x, S("default"), S("wf"), s.spec.node_id, 0);
		if (i % 2) {
			executor_set_aside(w->x, &s.spec); /* of the same attempt: nothing */
			s.spec.order++;
			executor_set_aside(w->x, &s.spec);
		}
		s.spec.uid = i % 4 < 2 ? S("u-2") : S("u-1");
		s.spec.order += 5;
		s.argv[2] = S("echo mine");
		begin(w, &s);
		const struct ended *e = finish(w, node[i]);
		assert_succeeded(e);
		assert_string_equal(e->result, "mine");
		assert_true(lines(path, node[i]) <= 1);
	}
	assert_int_equal(w->ended_n, 12);
	WAIT_FOR(w, executor_running(w->x) == 0);
	world_free(w);
}

/* A workflow is deleted, and another one of its name comes: it has the folder for itself, and its news. */
static void
a_workflow_of_the_same_name_has_steps_of_its_own(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	struct host_path hp;
	char script[512], path[160];
	slow_step(w, &s, &hp, script, path, "same");
	begin(w, &s);
	WAIT_FOR(w, lines(path, "runs") == 1);
	executor_kill(w->x, S("default"), S("wf"), s.spec.node_id, 20);
	executor_remove(w->x, S("default"), S("wf"));
	s.spec.uid = S("u-2");
	s.argv[2] = S("echo mine");
	const struct ended *e = run(w, &s);
	assert_succeeded(e);
	assert_string_equal(e->result, "mine");
	WAIT_FOR(w, lines(path, "over") == 1 && executor_running(w->x) == 0);
	assert_int_equal(w->ended_n, 1);
	world_free(w);
}

/* What it asks for has gone meanwhile: its node is an Error, and must not run on. */
static void
a_step_that_cannot_be_adopted_is_ended(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	struct secret_ref gone = { .name = S("nobody"), .key = S("k") };
	struct env_from_key from_gone = { .secret = &gone };
	step_init(&s, "bereft", "sleep 1000");
	begin(w, &s);
	WAIT_FOR(w, w->started_n == 1);
	reopen(w);
	s.env[0] = (struct env_var){ .name = S("GONE"), .value_from = &from_gone };
	s.c.env.p = s.env;
	s.c.env.n = 1;
	executor_adopt(w->x, &s.spec);
	assert_int_equal(finish(w, "bereft")->phase, PHASE_ERROR);
	WAIT_FOR(w, has_ended(w, "bereft"));
	world_free(w);
}

int
main(int argc, char **argv)
{
	static const struct exec_test tests[] = {
		TEST(a_running_step_is_adopted),
		TEST(a_step_that_was_not_released_leaves_no_trace),
		TEST(no_command_starts_twice),
		TEST(a_claim_without_a_command_can_be_taken),
		TEST(the_helper_may_die),
		TEST(a_monitor_that_is_killed_is_an_error),
		TEST(a_second_run_of_a_pod_starts_afresh),
		TEST(the_line_holds_what_is_too_much),
		TEST(a_step_of_an_earlier_daemon_is_ended),
		TEST(a_step_that_is_about_to_begin_is_barred),
		TEST(a_claim_under_way_is_waited_for),
		TEST(a_step_that_cannot_be_adopted_is_ended),
		TEST(the_next_attempt_waits_for_the_one_before),
		TEST(the_next_attempt_waits_after_a_restart),
		TEST(the_next_attempt_is_not_the_one_that_was_about_to_begin),
		TEST(a_workflow_of_the_same_name_has_steps_of_its_own),
	};
	return exec_main("exec_restart", tests, ARRAY_LEN(tests), argc, argv);
}
