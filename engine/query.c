/* SPDX-License-Identifier: Apache-2.0 */
/*
 * query: workflows shown. One that is in memory is shown from there; the others are rebuilt from their rows on a pool
 * thread, so that a large one does not stall the loop.
 */
#include "engine/archive.h"
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
	bool latest, nodes;
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
	q->workflow = q->nodes ? run_workflow(l->run, q->arena) : run_workflow_bare(l->run, q->arena);
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
		if (archive_load_row(db, q->id, q->nodes, &archive_no_world, &x, e))
			return -1;
	} else if (archive_load(db, q->ns, q->name, q->nodes, &archive_no_world, &x, e)) {
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
engine_get(struct engine *g, str ns, str name, bool nodes, void (*done)(void *arg, const struct val *workflow, const struct err *e), void *arg)
{
	struct arena *a = arena_new();
	struct get *q = ARENA_NEW(a, struct get);
	*q = (struct get){ .engine = g, .arena = a, .ns = arena_dup(a, ns), .name = arena_dup(a, name), .nodes = nodes, .done = done, .arg = arg };
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
	struct store *store;
	struct arena *arena;
	struct list_query q;
	struct search search;
	VEC(struct item) items; /* running ones first */
	VEC(int64_t) live_ids;  /* sorted */
	size_t place;           /* how many matched so far */
	sqlite3 *db;
	struct err error;
	void (*done)(void *arg, const struct list_answer *answer, const struct err *e);
	void *arg;
};

static size_t
end_of_page(const struct list *l)
{
	return l->q.limit ? l->q.offset + l->q.limit : SIZE_MAX;
}

/* Whether one more than the page holds was seen, and nobody wants to know how many. */
static bool
enough(const struct list *l)
{
	return !l->q.count && l->place > end_of_page(l);
}

/* Gives a match its place: whether that is on the page. */
static bool
on_page(struct list *l)
{
	size_t place = l->place++;
	return place >= l->q.offset && place < end_of_page(l);
}

static void
take(struct list *l, const struct run *r, bool nodes, int64_t id)
{
	struct arena *tmp CLEANUP(free_arena) = arena_new();
	struct val w = nodes ? run_workflow(r, tmp) : run_workflow_bare(r, tmp);
	*VEC_PUSH(&l->items) = (struct item){ val_copy(l->arena, &w), id };
}

static int
newest_first(const void *a, const void *b)
{
	int64_t x = (*(struct live *const *)a)->id, y = (*(struct live *const *)b)->id;
	return (x < y) - (x > y);
}

static int
ascending(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static void
offer_lives(struct list *l)
{
	VEC(struct live *) lives = { 0 };
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&l->engine->lives, &i));) {
		struct live *x = slot->value;
		*VEC_PUSH(&l->live_ids) = x->id;
		if (!x->deleted && (!l->search.ns.p || str_eq(run_ns(x->run), l->search.ns)))
			*VEC_PUSH(&lives) = x;
	}
	if (lives.n) {
		qsort(lives.p, lives.n, sizeof *lives.p, newest_first);
		qsort(l->live_ids.p, l->live_ids.n, sizeof *l->live_ids.p, ascending);
	}
	for (size_t i = 0; i < lives.n && !enough(l); i++)
		if (search_match(&l->search, lives.p[i]->run, lives.p[i]->created) && on_page(l))
			take(l, lives.p[i]->run, l->q.nodes != LIST_NODES_NONE, lives.p[i]->id);
	VEC_FREE(&lives);
}

static bool
was_live(const struct list *l, int64_t id)
{
	return l->live_ids.n && bsearch(&id, l->live_ids.p, l->live_ids.n, sizeof id, ascending);
}

static bool
offer_row(void *arg, int64_t id)
{
	struct list *l = arg;
	struct archived x;
	struct err damaged; /* a damaged row must not hide the others: `get` of it says what is wrong */
	if (was_live(l, id) || !on_page(l))
		return !enough(l);
	if (archive_load_row(l->db, id, l->q.nodes == LIST_NODES_ALL, &archive_no_world, &x, &damaged))
		return true;
	take(l, x.run, l->q.nodes == LIST_NODES_ALL, id);
	run_free(x.run);
	return true;
}

/* One that waits to be let run, and is not in memory. */
static bool
offer_queued(void *arg, int64_t id)
{
	struct list *l = arg;
	struct archived x;
	struct err damaged;
	if (was_live(l, id) || archive_load_row(l->db, id, false, &archive_no_world, &x, &damaged))
		return true;
	if (search_match(&l->search, x.run, x.created) && on_page(l))
		take(l, x.run, false, id);
	run_free(x.run);
	return !enough(l);
}

static int
offer_stored(sqlite3 *db, void *arg, struct err *e)
{
	struct list *l = arg;
	l->db = db;
	if (!l->search.only_finished && !enough(l) &&
		archive_each_queued(db, l->search.ns.p ? l->search.ns : S(""), offer_queued, l, e))
		return -1;
	return enough(l) ? 0 : search_each(db, &l->search, offer_row, l, e);
}

static void
list_end(void *arg, const struct err *e)
{
	struct list *l = arg;
	struct val_list items = { 0 };
	for (size_t i = 0; i < l->items.n; i++)
		val_list_add(&items, l->items.p[i].workflow);
	struct val v = val_list_end(&items, l->arena);
	bool more = l->place > end_of_page(l);
	struct list_answer answer = { &v, more, more && l->q.count ? l->place - end_of_page(l) : 0 };
	l->done(l->arg, e ? NULL : &answer, e);
	VEC_FREE(&l->items);
	VEC_FREE(&l->live_ids);
	search_free(&l->search);
	arena_free(l->arena);
}

static void
list_refused(void *arg)
{
	struct list *l = arg;
	list_end(l, &l->error);
}

static void
list_stored(void *arg)
{
	struct list *l = arg;
	store_read(l->store, offer_stored, l, list_end);
}

void
engine_list(struct engine *g, const struct list_query *query,
            void (*done)(void *arg, const struct list_answer *answer, const struct err *e), void *arg)
{
	struct arena *a = arena_new();
	struct list *l = ARENA_NEW(a, struct list);
	*l = (struct list){ .engine = g, .store = g->store, .arena = a, .q = *query, .done = done, .arg = arg };
	if (search_read(query, a, &l->search, &l->error)) {
		loop_defer(g->loop, list_refused, l);
		return;
	}
	offer_lives(l);
	if (l->search.wanted.n)
		tags_settled(g, list_stored, l);
	else
		list_stored(l);
}

/* ---- labels -------------------------------------------------------------------------------------------------- */

struct labels {
	struct store *store;
	struct arena *arena;
	str key; /* absent: the keys */
	struct val_list found;
	void (*done)(void *arg, const struct val *texts, const struct err *e);
	void *arg;
};

static int
read_labels(sqlite3 *db, void *arg, struct err *e)
{
	struct labels *l = arg;
	return l->key.p ? search_label_values(db, l->key, l->arena, &l->found, e) : search_label_keys(db, l->arena, &l->found, e);
}

static void
labels_read(void *arg, const struct err *e)
{
	struct labels *l = arg;
	struct val texts = val_list_end(&l->found, l->arena);
	l->done(l->arg, e ? NULL : &texts, e);
	arena_free(l->arena);
}

static void
labels_settled(void *arg)
{
	struct labels *l = arg;
	store_read(l->store, read_labels, l, labels_read);
}

void
engine_label_values(struct engine *g, str key, void (*done)(void *arg, const struct val *texts, const struct err *e), void *arg)
{
	struct arena *a = arena_new();
	struct labels *l = ARENA_NEW(a, struct labels);
	*l = (struct labels){ .store = g->store, .arena = a, .key = arena_dup(a, key), .done = done, .arg = arg };
	tags_settled(g, labels_settled, l);
}

void
engine_label_keys(struct engine *g, void (*done)(void *arg, const struct val *texts, const struct err *e), void *arg)
{
	engine_label_values(g, STR_NONE, done, arg);
}
