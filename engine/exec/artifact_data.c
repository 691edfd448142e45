/* SPDX-License-Identifier: Apache-2.0 */
/* artifact_data: the lists of data templates, made by tidegate-artifact, too: a listing may be long, and its expressions slow. */
#include <unistd.h>

#include "core/files.h"
#include "engine/exec/exec.h"

#define ANSWER_MAX (16u << 20)

struct making {
	struct arena *arena;
	const char *scratch;
	void (*done)(void *arg, str text, const struct err *e);
	void *arg;
};

static void
ended(void *arg, const struct child_end *end, const struct err *failure)
{
	struct making *m = arg;
	struct val answer = { 0 };
	struct err e = { 0 };
	str problem = transfer_answer(m->arena, end, failure, &answer);
	const struct val *one = problem.p ? NULL : val_at(&answer, 0);
	str text = val_get_str(one, "result");
	if (!text.p)
		err_set(&e, ERR_UNAVAILABLE, "%.*s", STR_ARG(one ? val_get_str(one, "problem") : problem));
	files_remove(m->scratch); /* where it was stopped it is still there */
	m->done(m->arg, text, text.p ? NULL : &e);
}

struct child *
executor_make_data(struct executor *x, const struct data_wanted *w, struct arena *a, void (*done)(void *arg, str text, const struct err *e), void *arg, struct err *e)
{
	static unsigned serial; /* of this process */
	struct val_map item = { 0 }, m = { 0 };
	struct val_list items = { 0 };
	struct val place;
	if (artifact_place_resolve(x, w->ns, w->place, a, &place, e) < 0)
		return NULL;
	struct making *mk = ARENA_NEW(a, struct making);
	*mk = (struct making){ a, arena_fmt(a, "%s/.data-%u", x->tasks_path, ++serial).p, done, arg };
	val_map_add(&item, S("name"), val_str(S("data")));
	val_map_add(&item, S("place"), place);
	val_map_add(&item, S("under"), val_str(w->under));
	val_map_add(&item, S("expressions"), *w->expressions);
	val_list_add(&items, val_map_end(&item, a));
	val_map_add(&m, S("do"), val_str(S("data")));
	val_map_add(&m, S("parent"), val_int(getpid()));
	val_map_add(&m, S("scratch"), val_cstr(mk->scratch));
	val_map_add(&m, S("items"), val_list_end(&items, a));
	struct val job = val_map_end(&m, a);
	return transfer_run(x, false, json_write(a, &job), 0, NULL, ANSWER_MAX, x->settings->artifact_time.ns / NS_PER_MS, ended, mk);
}
