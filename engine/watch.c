/* SPDX-License-Identifier: Apache-2.0 */
/* watch: who wants to be told of the changes of workflows: after their commit, or in their transaction. */
#include "engine/shell.h"

#define SHOWN_EVERY NS_PER_SEC

struct watch {
	struct link link;
	struct arena *arena; /* it lies in it */
	str ns, name;        /* absent: any */
	void (*changed)(void *arg, str ns, str name, bool finished, bool deleted);
	void *arg;
};

void
live_tell(struct engine *g, str ns, str name, bool finished, bool deleted)
{
	LIST_EACH (&g->watches, struct watch, link, w)
		if ((!w->ns.p || str_eq(w->ns, ns)) && (!w->name.p || str_eq(w->name, name)))
			w->changed(w->arg, ns, name, finished, deleted);
}

struct watch *
engine_watch(struct engine *g, str ns, str name, void (*changed)(void *arg, str ns, str name, bool finished, bool deleted), void *arg)
{
	struct arena *a = arena_new();
	struct watch *w = ARENA_NEW(a, struct watch);
	*w = (struct watch){ .arena = a, .ns = arena_dup(a, ns), .name = arena_dup(a, name), .changed = changed, .arg = arg };
	list_add_tail(&g->watches, &w->link);
	return w;
}

void
engine_unwatch(struct watch *w)
{
	if (!w)
		return;
	list_del(&w->link);
	arena_free(w->arena);
}

void
watches_free(struct engine *g)
{
	LIST_EACH (&g->watches, struct watch, link, w)
		engine_unwatch(w);
}

/* ---- in the transaction ---------------------------------------------------------------------------------------------- */

void
engine_on_save(struct engine *g, void (*saving)(void *arg, const struct workflow_saving *w), void *arg)
{
	g->saving = saving;
	g->saving_arg = arg;
}

struct val
engine_saving_workflow(const struct workflow_saving *w, struct arena *a)
{
	return run_workflow(w->run, a);
}

/* A large workflow is as much to show as it has nodes: their changes are shown together. */
int64_t
show_saving(struct live *l)
{
	struct engine *g = l->engine;
	const int64_t now = loop_now(g->loop);
	const enum phase phase = run_phase(l->run);
	const struct workflow_saving w = { l->id, run_ns(l->run), run_name(l->run), !l->inserted, l->deleted, l->run };
	if (!g->saving || (w.added && w.removed))
		return 0;
	if (!w.added && !w.removed && l->shown && phase == l->phase_shown && !run_finished(l->run) && now - l->shown < SHOWN_EVERY)
		return l->shown + SHOWN_EVERY;
	l->phase_shown = phase;
	l->shown = now;
	g->saving(g->saving_arg, &w);
	return 0;
}

void
show_removing(struct engine *g, int64_t id, str ns, str name)
{
	const struct workflow_saving w = { id, ns, name, false, true, NULL };
	if (g->saving)
		g->saving(g->saving_arg, &w);
}

int64_t
engine_newest(const struct engine *g)
{
	return g->next_id - 1;
}

static struct val
shown_of(struct archived *x, struct arena *a)
{
	struct val v = run_workflow(x->run, a);
	v = val_copy(a, &v);
	run_free(x->run);
	return v;
}

int
engine_stored(sqlite3 *db, str ns, str name, struct arena *a, struct val *out, struct err *e)
{
	struct archived x;
	if (archive_load(db, ns, name, true, &archive_no_world, &x, e))
		return -1;
	*out = shown_of(&x, a);
	return 0;
}

/* A damaged row must not hide the others. */
int
engine_stored_page(sqlite3 *db, str ns, int64_t from, int64_t to, size_t limit, struct arena *a,
                   void (*row)(void *arg, int64_t id, str ns, str name, const struct val *workflow), void *arg, struct err *e)
{
	VEC(int64_t) ids = { 0 };
	sqlite3_stmt *q = store_prepare(db, "SELECT id FROM workflow WHERE id BETWEEN ? AND ? AND (?3 = '' OR ns = ?3) ORDER BY id LIMIT ?", e);
	if (!q)
		return -1;
	sqlite3_bind_int64(q, 1, from);
	sqlite3_bind_int64(q, 2, to);
	sqlite3_bind_text64(q, 3, ns.n ? ns.p : "", ns.n, SQLITE_STATIC, SQLITE_UTF8);
	sqlite3_bind_int64(q, 4, (int64_t)limit);
	int rc;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW)
		*VEC_PUSH(&ids) = sqlite3_column_int64(q, 0);
	sqlite3_reset(q);
	for (size_t i = 0; rc == SQLITE_DONE && i < ids.n; i++) {
		struct archived x;
		struct err damaged;
		if (archive_load_row(db, ids.p[i], true, &archive_no_world, &x, &damaged)) {
			row(arg, ids.p[i], S(""), S(""), NULL);
			continue;
		}
		str of = arena_dup(a, x.ns), name = arena_dup(a, x.name);
		struct val v = shown_of(&x, a);
		row(arg, ids.p[i], of, name, &v);
	}
	VEC_FREE(&ids);
	return rc == SQLITE_DONE ? 0 : err_set(e, ERR_IO, "reading workflows: %s", sqlite3_errmsg(db));
}
