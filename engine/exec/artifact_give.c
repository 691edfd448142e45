/* SPDX-License-Identifier: Apache-2.0 */
/* artifact_give: objects for who looks at them from outside, brought by tidegate-artifact to a file that loses its name at once. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/files.h"
#include "engine/exec/exec.h"

#define ANSWER_MAX (64u << 20) /* 10,000 keys of a kilobyte, escaped */

/* ---- jobs from outside ------------------------------------------------------------------------------------------- */

static const char *
scratch_beside(struct arena *a, const char *into)
{
	return arena_fmt(a, "%s.scratch", into).p;
}

struct child *
transfer_outside(struct executor *x, const struct outside_job *j, struct arena *a, void (*done)(void *arg, const struct child_end *end, const struct err *e), void *arg)
{
	struct val_map m = { 0 };
	struct val_list items = { 0 };
	val_list_add(&items, j->item);
	val_map_add(&m, S("do"), val_cstr(j->what));
	val_map_add(&m, S("parent"), val_int(getpid()));
	val_map_add(&m, S("into"), val_cstr(j->into));
	val_map_add(&m, S("scratch"), val_cstr(scratch_beside(a, j->into)));
	artifact_limits(x->settings, &m);
	val_map_add(&m, S("items"), val_list_end(&items, a));
	struct val job = val_map_end(&m, a);
	return transfer_run(x, true, json_write(a, &job), j->fd, j->moving, ANSWER_MAX, x->settings->artifact_time.ns / NS_PER_MS, done, arg);
}

/* What whoever asked could do something about; the rest is his place's. */
static enum err_code
code_of(const struct val *answer)
{
	static const enum err_code told[] = { ERR_NOT_FOUND, ERR_INVALID, ERR_EXISTS, ERR_LIMIT, ERR_UNSUPPORTED };
	int64_t code = ERR_UNAVAILABLE;
	(void)val_to_i64(val_get(answer, S("code")), &code);
	for (size_t i = 0; i < ARRAY_LEN(told); i++)
		if (code == (int64_t)told[i])
			return told[i];
	return ERR_UNAVAILABLE;
}

const struct val *
transfer_one(struct arena *a, const struct child_end *end, const struct err *failure, struct err *e)
{
	struct val *answer = ARENA_NEW(a, struct val);
	str problem = transfer_answer(a, end, failure, answer);
	const struct val *one = problem.p ? NULL : val_at(answer, 0);
	if (one && !val_get(one, S("problem")))
		return one;
	if (one)
		problem = val_get_str(one, "problem");
	(void)err_set(e, one ? code_of(one) : ERR_UNAVAILABLE, "%.*s", STR_ARG(problem));
	return NULL;
}

struct giving {
	struct executor *x;
	struct arena *arena;
	bool list;
	const char *into;
	void (*done)(void *arg, int fd, const struct val *answer, const struct err *e);
	void *arg;
	struct child *child; /* NULL: it cannot even begin */
	struct moving moving;
	struct err problem;
	bool stopped;
};

/* What it leaves: one file, or, where it was ended, whatever it had made by then. */
static void
clean_up(const struct giving *g)
{
	if (!g->stopped) {
		files_remove(g->into);
		return;
	}
	folder_remove(g->x, g->into);
	folder_remove(g->x, scratch_beside(g->arena, g->into));
}

static int
open_given(const struct giving *g, struct err *e)
{
	const char *path = arena_fmt(g->arena, "%s/0", g->into).p;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? err_errno(e, "open what was brought") : fd;
}

/* ---- objects, out -------------------------------------------------------------------------------------------------- */

static void
ended(void *arg, const struct child_end *end, const struct err *failure)
{
	struct giving *g = arg;
	struct err e = { 0 };
	moving_end(g->x, &g->moving);
	const struct val *one = transfer_one(g->arena, end, failure, &e);
	int fd = one && !g->list ? open_given(g, &e) : -1;
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
	struct val_map item = { 0 };
	struct val place;
	*g = (struct giving){ .x = x, .arena = a, .list = w->list, .into = arena_fmt(a, "%s/" GIVEN "/%u", x->tasks_path, ++serial).p, .done = done, .arg = arg };
	if (artifact_place_resolve(x, w->ns, w->place, a, &place, &g->problem) < 0 || (!w->list && moving_begin(x, &g->moving, &g->problem) < 0)) {
		loop_defer(x->loop, not_begun, g);
		return g;
	}
	val_map_add(&item, S("name"), val_str(w->name));
	val_map_add(&item, S("place"), place);
	val_map_add(&item, S("packing"), val_str(S("none")));
	if (w->prefix.p)
		val_map_add(&item, S("prefix"), val_str(w->prefix));
	const struct outside_job job = { w->list ? "list" : "give", g->into, val_map_end(&item, a), 0, w->list ? NULL : &g->moving };
	g->child = transfer_outside(x, &job, a, ended, g);
	return g;
}
