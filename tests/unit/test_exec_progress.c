/* SPDX-License-Identifier: Apache-2.0 */
/* The progress file, while a step runs. */
#include "exec_world.h"

/* A shell function that waits until the test makes a file in the folder that both see. */
#define WAIT "until_there() { until test -e \"$1\"; do sleep 0.05; done; }; "

struct signals {
	char dir[160], script[1024];
	struct host_path path;
};

/* The step sees `dir` at its own path. */
static void
step_with_signals(struct world *w, struct step_of *s, struct signals *g, const char *node, const char *script)
{
	snprintf(g->dir, sizeof g->dir, "%s/signals", w->dir);
	(void)mkdir(g->dir, 0777);
	chmod(g->dir, 0777);
	snprintf(g->script, sizeof g->script, WAIT "D=%s; %s", g->dir, script);
	step_init(s, node, g->script);
	g->path = (struct host_path){ .path = str_c(g->dir) };
	step_volume(s, "signals")->host_path = &g->path;
	step_mount(s, "signals", g->dir, false);
}

static void
signal_step(const struct signals *g, const char *name)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", g->dir, name);
	int fd CLEANUP(close_fd) = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
}

static void
progress_is_told_while_the_step_runs(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	struct signals g;
	step_with_signals(w, &s, &g, "says",
		"echo 1/10 > $ARGO_PROGRESS_FILE; until_there $D/a;"
		"echo 5/10 > $ARGO_PROGRESS_FILE.new; mv $ARGO_PROGRESS_FILE.new $ARGO_PROGRESS_FILE; until_there $D/b;"
		"printf 'nothing of the kind\\n' >> $ARGO_PROGRESS_FILE; printf '7/10' >> $ARGO_PROGRESS_FILE;"
		"until_there $D/c; exit 1");
	begin(w, &s);
	WAIT_FOR(w, !strcmp(w->progress, "1/10"));
	signal_step(&g, "a");
	WAIT_FOR(w, !strcmp(w->progress, "1/10 5/10"));
	signal_step(&g, "b");
	WAIT_FOR(w, !strcmp(w->progress, "1/10 5/10 7/10"));
	signal_step(&g, "c");
	assert_string_equal(finish(w, "says")->message, "main: Error (exit code 1)");
	world_free(w);
}

/* It gets a quarter of a second for each look, and a link to something else gets none. */
static void
a_step_cannot_flood_the_daemon(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	struct signals g;
	step_with_signals(w, &s, &g, "floods",
		"i=0; while test $i -lt 2000; do i=$((i+1)); echo $i/3000 > $ARGO_PROGRESS_FILE; done; touch $D/done;"
		"until_there $D/a; ln -sf $D/elsewhere $ARGO_PROGRESS_FILE; echo 9/9 > $D/elsewhere;"
		"rm $ARGO_PROGRESS_FILE; echo 3000/3000 > $ARGO_PROGRESS_FILE; until_there $D/b");
	int64_t start = real_ms();
	begin(w, &s);
	WAIT_FOR(w, strstr(w->progress, "2000/3000"));
	size_t told = 1;
	for (const char *p = w->progress; (p = strchr(p, ' ')); p++)
		told++;
	assert_true(told <= 2 + (size_t)(real_ms() - start) / 250);
	w->progress[0] = 0;
	signal_step(&g, "a");
	WAIT_FOR(w, *w->progress);
	assert_string_equal(w->progress, "3000/3000");
	signal_step(&g, "b");
	assert_succeeded(finish(w, "floods"));
	world_free(w);
}

/* The step outlives the daemon, and the next one knows what it said before and hears what it says then. */
static void
progress_survives_the_daemon(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	struct signals g;
	step_with_signals(w, &s, &g, "lives",
		"echo 2/4 > $ARGO_PROGRESS_FILE; until_there $D/a; echo 3/4 > $ARGO_PROGRESS_FILE; until_there $D/b");
	begin(w, &s);
	WAIT_FOR(w, !strcmp(w->progress, "2/4"));
	executor_free(w->x);
	w->progress[0] = 0;
	open_executor(w);
	executor_adopt(w->x, &s.spec);
	WAIT_FOR(w, !strcmp(w->progress, "2/4"));
	signal_step(&g, "a");
	WAIT_FOR(w, !strcmp(w->progress, "2/4 3/4"));
	signal_step(&g, "b");
	assert_succeeded(finish(w, "lives"));
	world_free(w);
}

int
main(int argc, char **argv)
{
	static const struct exec_test tests[] = {
		TEST(progress_is_told_while_the_step_runs),
		TEST(a_step_cannot_flood_the_daemon),
		TEST(progress_survives_the_daemon),
	};
	return exec_main("exec_progress", tests, ARRAY_LEN(tests), argc, argv);
}
