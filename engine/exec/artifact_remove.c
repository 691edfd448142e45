/* SPDX-License-Identifier: Apache-2.0 */
/* artifact_remove: objects that nobody wants any more, by tidegate-artifact as well. */
#include <unistd.h>

#include "engine/exec/exec.h"

#define REMOVE_MS (INT64_C(3600) * 1000)
#define ANSWER_MAX (16u << 20)

struct removing {
	struct executor *x;
	struct lying *list;
	size_t n;
	struct arena *arena;
	void (*done)(void *arg);
	void *arg;
	bool *sent;
};

static void
take_answer(const struct removing *r, const struct val *answer, str problem)
{
	uint32_t at = 0;
	for (size_t i = 0; i < r->n; i++) {
		if (!r->sent[i])
			continue;
		str why = problem.p ? problem : val_get_str(val_at(answer, at++), "problem");
		r->list[i].problem = why.p ? arena_dup(r->arena, why) : STR_NONE;
	}
}

static void
ended(void *arg, const struct child_end *end, const struct err *e)
{
	struct removing *r = arg;
	struct val answer = { .kind = VAL_LIST };
	take_answer(r, &answer, transfer_answer(r->arena, end, e, &answer));
	r->done(r->arg);
}

static struct val
item(struct removing *r, size_t i, bool *ok)
{
	struct lying *l = &r->list[i];
	struct val_map m = { 0 };
	struct val place;
	struct err e = { 0 };
	*ok = artifact_place_resolve(r->x, l->ns, l->place, r->arena, &place, &e) == 0;
	if (!*ok) {
		l->problem = arena_dup(r->arena, str_c(e.msg));
		return place;
	}
	val_map_add(&m, S("name"), val_str(l->name));
	val_map_add(&m, S("place"), place);
	return val_map_end(&m, r->arena);
}

void
executor_remove_objects(struct executor *x, struct lying *list, size_t n, struct arena *a, void (*done)(void *arg), void *arg)
{
	struct removing *r = ARENA_NEW(a, struct removing);
	struct val_list items = { 0 };
	struct val_map m = { 0 };
	*r = (struct removing){ x, list, n, a, done, arg, ARENA_ARRAY(a, bool, n) };
	for (size_t i = 0; i < n; i++) {
		struct val v = item(r, i, &r->sent[i]);
		if (r->sent[i])
			val_list_add(&items, v);
	}
	val_map_add(&m, S("do"), val_str(S("remove")));
	val_map_add(&m, S("parent"), val_int(getpid()));
	val_map_add(&m, S("scratch"), val_str(arena_fmt(a, "%s/.remove", x->tasks_path)));
	val_map_add(&m, S("items"), val_list_end(&items, a));
	struct val job = val_map_end(&m, a);
	transfer_run(x, false, json_write(a, &job), 0, NULL, ANSWER_MAX, REMOVE_MS, ended, r);
}
