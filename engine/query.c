/* SPDX-License-Identifier: Apache-2.0 */
/*
 * query: workflows shown. One that is in memory is shown from there; the others are rebuilt from their rows on a pool
 * thread, so that a large one does not stall the loop.
 */
#include "engine/selector.h"
#include "engine/shell.h"

static struct live *
newest_live(const struct engine *g, str ns)
{
	struct live *best = NULL;
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&g->lives, &i));) {
		struct live *l = slot->value;
		if (!l->deleted && (!ns.n || str_eq(run_ns(l->run), ns)) && (!best || l->id > best->id))
			best = l;
	}
	return best;
}

/* ---- one ----------------------------------------------------------------------------------------------------- */

struct get {
	struct engine *engine;
	struct arena *arena;
	str ns, name;
	bool latest;
	int64_t id;
	bool in_memory; /* the one that @latest means is in memory: go back there */
	int64_t newest_live;
	struct val workflow;
	void (*done)(void *arg, const struct val *workflow, const struct err *e);
	void *arg;
};

static void
get_end(struct get *q, const struct err *e)
{
	q->done(q->arg, e ? NULL : &q->workflow, e);
	arena_free(q->arena);
}

static int get_stored(sqlite3 *db, void *arg, struct err *e);
static void get_read(void *arg, const struct err *e);

static void
get_live(void *arg)
{
	struct get *q = arg;
	struct live *l = q->latest ? newest_live(q->engine, q->ns) : live_find(q->engine, q->ns, q->name);
	struct err e;
	if (!l && !q->latest) { /* it has ended in this very turn */
		store_read(q->engine->store, get_stored, q, get_read);
		return;
	}
	if (!l) {
		err_set(&e, ERR_NOT_FOUND, "workflows.argoproj.io \"%.*s\" not found", STR_ARG(q->name));
		get_end(q, &e);
		return;
	}
	q->workflow = run_workflow(l->run, q->arena);
	get_end(q, NULL);
}

static int
get_stored(sqlite3 *db, void *arg, struct err *e)
{
	struct get *q = arg;
	struct archived x;
	if (q->latest) {
		if (archive_latest(db, q->ns, &q->id, e))
			return -1;
		if (q->id <= q->newest_live) {
			q->in_memory = q->newest_live != 0;
			return q->in_memory ? 0 : err_set(e, ERR_NOT_FOUND, "no workflow in namespace \"%.*s\"", STR_ARG(q->ns));
		}
		if (archive_load_row(db, q->id, true, &archive_no_world, &x, e))
			return -1;
	} else if (archive_load(db, q->ns, q->name, true, &archive_no_world, &x, e)) {
		return -1;
	}
	q->workflow = run_workflow(x.run, q->arena);
	q->workflow = val_copy(q->arena, &q->workflow);
	run_free(x.run);
	return 0;
}

static void
get_read(void *arg, const struct err *e)
{
	struct get *q = arg;
	if (!e && q->in_memory)
		get_live(q);
	else
		get_end(q, e);
}

void
engine_get(struct engine *g, str ns, str name, void (*done)(void *arg, const struct val *workflow, const struct err *e), void *arg)
{
	struct arena *a = arena_new();
	struct get *q = ARENA_NEW(a, struct get);
	*q = (struct get){ .engine = g, .arena = a, .ns = arena_dup(a, ns), .name = arena_dup(a, name), .done = done, .arg = arg };
	q->latest = str_eq(name, S("@latest"));
	struct live *newest = q->latest ? newest_live(g, ns) : NULL;
	q->newest_live = newest ? newest->id : 0;
	if (!q->latest && live_find(g, ns, name))
		loop_defer(g->loop, get_live, q);
	else
		store_read(g->store, get_stored, q, get_read);
}

/* ---- lists --------------------------------------------------------------------------------------------------- */

struct item {
	struct val workflow;
	int64_t id;
};

struct list {
	struct engine *engine;
	struct arena *arena;
	struct list_query q;
	struct selector labels, fields;
	VEC(struct item) items; /* running ones first */
	VEC(int64_t) live_ids;
	size_t total;
	struct err error;
	void (*done)(void *arg, const struct val *workflows, size_t total, const struct err *e);
	void *arg;
};

static str
text_of(const struct val *v)
{
	return val_is(v, VAL_STR) ? val_text(v) : STR_NONE;
}

static str
label_of(void *arg, str key)
{
	return text_of(val_get(val_path(arg, "metadata.labels"), key));
}

static str
field_of(void *arg, str key)
{
	char path[64];
	if (key.n >= sizeof path)
		return STR_NONE;
	memcpy(path, key.p, key.n);
	path[key.n] = '\0';
	return text_of(val_path(arg, path));
}

/* Selectors look at values and don't change them: the cast only fits their general argument. */
static bool
wanted(const struct list *l, const struct val *workflow)
{
	void *subject = (void *)(uintptr_t)workflow;
	return str_starts(val_get_str(val_get(workflow, S("metadata")), "name"), l->q.name_prefix) &&
	       selector_match(&l->labels, label_of, subject) && selector_match(&l->fields, field_of, subject);
}

static const struct val *
without_nodes(struct arena *a, const struct val *workflow)
{
	const struct val *status = val_get(workflow, S("status"));
	if (!status)
		return workflow;
	return val_set(a, workflow, S("status"), val_unset(a, status, S("nodes")));
}

/* Takes it into the list if it matches and lies within offset and limit. */
static void
offer(struct list *l, const struct val *workflow, int64_t id)
{
	if (!wanted(l, workflow))
		return;
	size_t place = l->total++;
	if (place < l->q.offset || (l->q.limit && place >= l->q.offset + l->q.limit))
		return;
	if (!l->q.nodes)
		workflow = without_nodes(l->arena, workflow);
	*VEC_PUSH(&l->items) = (struct item){ val_copy(l->arena, workflow), id };
}

static int
newest_first(const void *a, const void *b)
{
	int64_t x = (*(struct live *const *)a)->id, y = (*(struct live *const *)b)->id;
	return (x < y) - (x > y);
}

static void
offer_lives(struct list *l)
{
	VEC(struct live *) lives = { 0 };
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&l->engine->lives, &i));) {
		struct live *x = slot->value;
		*VEC_PUSH(&l->live_ids) = x->id;
		if (!x->deleted && (!l->q.ns.n || str_eq(run_ns(x->run), l->q.ns)))
			*VEC_PUSH(&lives) = x;
	}
	if (lives.n)
		qsort(lives.p, lives.n, sizeof *lives.p, newest_first);
	for (size_t i = 0; i < lives.n; i++) {
		struct arena *tmp CLEANUP(free_arena) = arena_new();
		struct val w = run_workflow(lives.p[i]->run, tmp);
		offer(l, &w, lives.p[i]->id);
	}
	VEC_FREE(&lives);
}

static bool
was_live(const struct list *l, int64_t id)
{
	for (size_t i = 0; i < l->live_ids.n; i++)
		if (l->live_ids.p[i] == id)
			return true;
	return false;
}

static int
offer_stored(sqlite3 *db, void *arg, struct err *e)
{
	struct list *l = arg;
	sqlite3_stmt *q = store_prepare(db,
		"SELECT id FROM workflow WHERE finished IS NOT NULL AND (?1 = '' OR ns = ?1) ORDER BY finished DESC, id DESC", e);
	if (!q)
		return -1;
	sqlite3_bind_text(q, 1, l->q.ns.p ? l->q.ns.p : "", (int)l->q.ns.n, SQLITE_TRANSIENT);
	int rc;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		struct archived x;
		int64_t id = sqlite3_column_int64(q, 0);
		struct err damaged; /* a damaged row must not hide the others: `get` of it says what is wrong */
		if (was_live(l, id) || archive_load_row(db, id, l->q.nodes, &archive_no_world, &x, &damaged))
			continue;
		struct arena *tmp CLEANUP(free_arena) = arena_new();
		struct val w = run_workflow(x.run, tmp);
		offer(l, &w, id);
		run_free(x.run);
	}
	sqlite3_reset(q);
	return rc == SQLITE_DONE ? 0 : err_set(e, ERR_IO, "listing workflows: %s", sqlite3_errmsg(db));
}

static void
list_end(void *arg, const struct err *e)
{
	struct list *l = arg;
	struct val_list items = { 0 };
	for (size_t i = 0; i < l->items.n; i++)
		val_list_add(&items, l->items.p[i].workflow);
	struct val v = val_list_end(&items, l->arena);
	l->done(l->arg, e ? NULL : &v, l->total, e);
	VEC_FREE(&l->items);
	VEC_FREE(&l->live_ids);
	arena_free(l->arena);
}

static void
list_refused(void *arg)
{
	struct list *l = arg;
	list_end(l, &l->error);
}

void
engine_list(struct engine *g, const struct list_query *query,
            void (*done)(void *arg, const struct val *workflows, size_t total, const struct err *e), void *arg)
{
	struct arena *a = arena_new();
	struct list *l = ARENA_NEW(a, struct list);
	*l = (struct list){ .engine = g, .arena = a, .q = *query, .done = done, .arg = arg };
	l->q.ns = arena_dup(a, query->ns);
	l->q.name_prefix = arena_dup(a, query->name_prefix);
	if (selector_parse(a, arena_dup(a, query->label_selector), &l->labels, &l->error) ||
	    selector_parse(a, arena_dup(a, query->field_selector), &l->fields, &l->error)) {
		loop_defer(g->loop, list_refused, l);
		return;
	}
	offer_lives(l);
	store_read(g->store, offer_stored, l, list_end);
}
