/* SPDX-License-Identifier: Apache-2.0 */
/* artifact_give: objects for who looks at them from outside, brought by tidegate-artifact to a file that loses its name at once. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/files.h"
#include "engine/exec/exec.h"

#define ANSWER_MAX (64u << 20) /* 10,000 keys of a kilobyte, escaped */

struct giving {
	struct executor *x;
	struct arena *arena;
	bool list;
	const char *into;
	void (*done)(void *arg, int fd, const struct val *answer, const struct err *e);
	void *arg;
	struct child *child; /* NULL: it cannot even begin */
	struct err problem;
	bool stopped;
};

static const char *
scratch_of(const struct giving *g)
{
	return arena_fmt(g->arena, "%s.scratch", g->into).p;
}

/* What it leaves: one file, or, where it was ended, whatever it had made by then. */
static void
clean_up(const struct giving *g)
{
	if (!g->stopped) {
		files_remove(g->into);
		return;
	}
	folder_remove(g->x, g->into);
	folder_remove(g->x, scratch_of(g));
}

static int
open_given(const struct giving *g, struct err *e)
{
	const char *path = arena_fmt(g->arena, "%s/0", g->into).p;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? err_errno(e, "open what was brought") : fd;
}

static void
ended(void *arg, const struct child_end *end, const struct err *failure)
{
	struct giving *g = arg;
	struct val answer = { 0 };
	struct err e = { 0 };
	str problem = transfer_answer(g->arena, end, failure, &answer);
	const struct val *one = problem.p ? NULL : val_at(&answer, 0);
	int fd = -1;
	if (one)
		problem = val_get_str(one, "problem");
	if (problem.p || !one)
		err_set(&e, one && val_is_true(val_get(one, S("missing"))) ? ERR_NOT_FOUND : ERR_UNAVAILABLE, "%.*s", STR_ARG(problem));
	else if (!g->list)
		fd = open_given(g, &e);
	clean_up(g);
	g->done(g->arg, fd, e.code ? NULL : one, e.code ? &e : NULL);
}

/* Later, as the end of a process is. */
static void
not_begun(void *arg)
{
	struct giving *g = arg;
	g->done(g->arg, -1, NULL, &g->problem);
}

void
executor_stop_giving(struct giving *g)
{
	if (!g->child)
		return;
	g->stopped = true;
	child_stop(g->child);
}

struct giving *
executor_give_object(struct executor *x, const struct object_wanted *w, struct arena *a,
	void (*done)(void *arg, int fd, const struct val *answer, const struct err *e), void *arg)
{
	static unsigned serial; /* of this process */
	struct giving *g = ARENA_NEW(a, struct giving);
	struct val_map item = { 0 }, m = { 0 };
	struct val_list items = { 0 };
	struct val place;
	*g = (struct giving){ .x = x, .arena = a, .list = w->list, .into = arena_fmt(a, "%s/" GIVEN "/%u", x->tasks_path, ++serial).p, .done = done, .arg = arg };
	if (artifact_place_resolve(x, w->ns, w->place, a, &place, &g->problem) < 0) {
		loop_defer(x->loop, not_begun, g);
		return g;
	}
	val_map_add(&item, S("name"), val_str(w->name));
	val_map_add(&item, S("place"), place);
	val_map_add(&item, S("packing"), val_str(S("none")));
	val_list_add(&items, val_map_end(&item, a));
	val_map_add(&m, S("do"), val_cstr(w->list ? "list" : "give"));
	val_map_add(&m, S("parent"), val_int(getpid()));
	val_map_add(&m, S("into"), val_cstr(g->into));
	val_map_add(&m, S("scratch"), val_cstr(scratch_of(g)));
	artifact_limits(x->settings, &m);
	val_map_add(&m, S("items"), val_list_end(&items, a));
	struct val job = val_map_end(&m, a);
	g->child = transfer_run(x, true, json_write(a, &job), ANSWER_MAX, x->settings->artifact_time.ns / NS_PER_MS, ended, g);
	return g;
}
