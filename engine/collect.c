/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collect: artifacts that go by artifactGC. Which do is written with the workflow's end, a row for each: those that go at its deletion are held until then. A
 * row goes when its object has, in one transaction with the mark in the workflow's status; one that failed is tried again, later and later, for as
 * long as it takes, so neither a crash nor an outage leaves anything behind. A row of a workflow whose name another has by now goes without its
 * object: the keys are the same, and the object may be the other's.
 *
 * On this machine the objects that lie below a workflow's name go with it in any case (executor_remove_artifacts), unless a strategy is Never: that is a row,
 * too, without an artifact.
 */
#include "engine/shell.h"

#include "core/log.h"

enum { BATCH = 500 };
#define RETRY_FIRST (60 * NS_PER_SEC)
#define RETRY_LAST (3600 * NS_PER_SEC)

const char collect_schema_sql[] =
	"CREATE TABLE artifact_gc ("
	" id INTEGER PRIMARY KEY, workflow INTEGER NOT NULL, ns TEXT NOT NULL, name TEXT NOT NULL, uid TEXT NOT NULL,"
	" node TEXT NOT NULL, artifact TEXT NOT NULL," /* empty: the workflow keeps what it has */
	" place TEXT NOT NULL," /* JSON, with selectors of secrets */
	" mark INTEGER NOT NULL," /* the workflow is to be told */
	" held INTEGER NOT NULL, at INTEGER NOT NULL, tries INTEGER NOT NULL DEFAULT 0);" /* ns */
	"CREATE INDEX artifact_gc_at ON artifact_gc (held, at);"
	"CREATE INDEX artifact_gc_of ON artifact_gc (workflow);";

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static void
note(struct save_job *j, str node, str artifact, str place, bool mark, bool held)
{
	j->collect[j->collect_n++] = (struct collect_row){ arena_dup(j->arena, node), arena_dup(j->arena, artifact), place, mark, held };
}

void
collect_note(struct save_job *j, const struct run *r)
{
	struct arena *tmp CLEANUP(free_arena) = arena_new();
	struct collectable *list;
	bool over = j->remove && !run_finished(r);
	if (!j->ended && !over)
		return;
	size_t n = run_collectables(r, tmp, &list);
	j->collect = ARENA_ARRAY(j->arena, struct collect_row, n + 1);
	if (run_keeps_artifacts(r))
		note(j, S(""), S(""), S(""), false, true);
	for (size_t i = 0; i < n; i++)
		note(j, list[i].node_id, list[i].name, json_write(j->arena, &list[i].place), list[i].completion, !list[i].completion);
	j->collect_uid = arena_dup(j->arena, run_uid(r));
}

int
collect_write(sqlite3 *db, const struct save_job *j, struct err *e)
{
	if (j->untag && store_exec(db, e, "DELETE FROM artifact_gc WHERE workflow = ? AND held = 1", "i", j->id))
		return -1;
	for (size_t i = 0; i < j->collect_n; i++) {
		const struct collect_row *x = &j->collect[i];
		if (store_exec(db, e, "INSERT INTO artifact_gc (workflow, ns, name, uid, node, artifact, place, mark, held, at) VALUES (?,?,?,?,?,?,?,?,?,0)",
			    "issssssii", j->id, j->ns, j->name, j->collect_uid, x->node, x->artifact, x->place, (int64_t)x->mark, (int64_t)x->held))
			return -1;
	}
	return 0;
}

static int
find_keep(sqlite3 *db, int64_t id, bool *keeps, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT 1 FROM artifact_gc WHERE workflow = ? AND artifact = ''", e);
	if (!q)
		return -1;
	sqlite3_bind_int64(q, 1, id);
	*keeps = sqlite3_step(q) == SQLITE_ROW;
	sqlite3_reset(q);
	return 0;
}

int
collect_deleted(sqlite3 *db, int64_t id, bool *keeps, struct err *e)
{
	if (find_keep(db, id, keeps, e) || store_exec(db, e, "DELETE FROM artifact_gc WHERE workflow = ? AND artifact = ''", "i", id))
		return -1;
	return store_exec(db, e, "UPDATE artifact_gc SET held = 0, mark = 0 WHERE workflow = ?", "i", id);
}

/* ---- a round ----------------------------------------------------------------------------------------------------- */

struct row {
	int64_t id, tries;
	str ns, name, uid, node, artifact, problem;
	bool mark, taken; /* taken: another workflow has the name */
	struct val place;
};

struct round {
	struct engine *engine; /* NULL: it is gone */
	struct arena *arena;
	int64_t now, next;
	VEC(struct row) rows;
	struct lying *lying;
	size_t open; /* groups that are not written yet */
};

static int
take_row(struct round *x, sqlite3_stmt *q, struct err *e)
{
	struct row *r = VEC_PUSH(&x->rows);
	str *texts[] = { &r->ns, &r->name, &r->uid, &r->node, &r->artifact };
	*r = (struct row){ .id = sqlite3_column_int64(q, 0), .tries = sqlite3_column_int64(q, 1), .mark = sqlite3_column_int(q, 8), .taken = sqlite3_column_int(q, 9) };
	for (int i = 0; i < (int)ARRAY_LEN(texts); i++)
		*texts[i] = arena_dup(x->arena, store_text(q, 2 + i));
	return json_read(x->arena, arena_dup(x->arena, store_text(q, 7)), &r->place, e);
}

static int
read_next(struct round *x, sqlite3 *db, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT min(at) FROM artifact_gc WHERE held = 0 AND at > ?", e);
	if (!q)
		return -1;
	sqlite3_bind_int64(q, 1, x->now);
	if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_type(q, 0) != SQLITE_NULL)
		x->next = sqlite3_column_int64(q, 0);
	sqlite3_reset(q);
	return 0;
}

static int
read_round(sqlite3 *db, void *arg, struct err *e)
{
	struct round *x = arg;
	sqlite3_stmt *q = store_prepare(db,
		"SELECT g.id, g.tries, g.ns, g.name, g.uid, g.node, g.artifact, g.place, g.mark,"
		" EXISTS (SELECT 1 FROM workflow w WHERE w.ns = g.ns AND w.name = g.name AND w.id <> g.workflow)"
		" FROM artifact_gc g WHERE g.held = 0 AND g.at <= ? ORDER BY g.workflow, g.id LIMIT 500", e);
	if (!q)
		return -1;
	sqlite3_bind_int64(q, 1, x->now);
	int rc = SQLITE_DONE, bad = 0;
	while (!bad && (rc = sqlite3_step(q)) == SQLITE_ROW)
		bad = take_row(x, q, e);
	sqlite3_reset(q);
	if (bad)
		return -1;
	return rc == SQLITE_DONE ? read_next(x, db, e) : err_set(e, ERR_IO, "looking for artifacts to remove: %s", sqlite3_errmsg(db));
}

static void
end_round(struct round *x)
{
	struct engine *g = x->engine;
	bool more = x->rows.n == BATCH;
	int64_t next = x->next;
	VEC_FREE(&x->rows);
	arena_free(x->arena);
	if (!g)
		return;
	more |= g->collect.again;
	g->collect.round = NULL;
	g->collect.again = false;
	if (more)
		collect_soon(g);
	else if (next != INT64_MAX)
		collect_at(g, next);
}

/* ---- what came of it --------------------------------------------------------------------------------------------- */

/* Rows of one workflow. */
struct group {
	struct round *round;
	struct arena *arena; /* of its own: the writer may be later than the round */
	struct row *rows;
	size_t n;
	struct collected told;
	int64_t now;
	bool written;
};

static int64_t
retry_at(int64_t now, int64_t tries)
{
	int64_t wait = RETRY_FIRST;
	for (int64_t i = 0; i < tries && wait < RETRY_LAST; i++)
		wait *= 2;
	return now + (wait < RETRY_LAST ? wait : RETRY_LAST);
}

static int
write_group(sqlite3 *db, void *arg, struct err *e)
{
	const struct group *x = arg;
	for (size_t i = 0; i < x->n; i++) {
		const struct row *r = &x->rows[i];
		if (r->problem.p ? store_exec(db, e, "UPDATE artifact_gc SET at = ?, tries = tries + 1 WHERE id = ?", "ii", retry_at(x->now, r->tries), r->id)
		                 : store_exec(db, e, "DELETE FROM artifact_gc WHERE id = ?", "i", r->id))
			return -1;
	}
	return 0;
}

static void
group_written(void *arg)
{
	struct group *x = arg;
	struct round *round = x->round;
	for (size_t i = 0; round->engine && i < x->n; i++)
		if (x->rows[i].problem.p && round->next > retry_at(x->now, x->rows[i].tries))
			round->next = retry_at(x->now, x->rows[i].tries);
	arena_free(x->arena);
	if (--round->open == 0)
		end_round(round);
}

/* With the mark, in one transaction; or without, if there is no workflow any more. */
static void
write_once(struct group *x)
{
	if (x->written || !x->round->engine)
		return;
	x->written = true;
	store_write(x->round->engine->store, write_group, x, group_written);
}

static void
marked(void *arg, str name UNUSED)
{
	write_once(arg);
}

static void
told(void *arg, const struct val *workflow UNUSED, const struct err *e)
{
	if (e)
		write_once(arg);
}

static void
end_group(struct group *x)
{
	struct engine *g = x->round->engine;
	const struct row *first = x->rows;
	struct collected_one *list = ARENA_ARRAY(x->arena, struct collected_one, x->n);
	for (size_t i = 0; i < x->n; i++) {
		if (x->rows[i].problem.p)
			log_warn("an artifact could not be removed", "namespace", first->ns.p, "workflow", first->name.p, "artifact", x->rows[i].artifact.p, "error",
				x->rows[i].problem.p, NULL);
		list[i] = (struct collected_one){ x->rows[i].node, x->rows[i].artifact, x->rows[i].problem };
	}
	x->told = (struct collected){ first->uid, list, x->n };
	if (first->mark && !first->taken)
		engine_verb(g, VERB_COLLECTED, first->ns, first->name, &(struct verb_options){ .collected = &x->told, .decided = marked }, told, x);
	else
		write_once(x);
}

static struct group *
group_new(struct round *x, size_t at)
{
	struct arena *a = arena_new();
	struct group *p = ARENA_NEW(a, struct group);
	*p = (struct group){ .round = x, .arena = a, .now = x->now };
	while (at + p->n < x->rows.n && str_eq(x->rows.p[at + p->n].uid, x->rows.p[at].uid) && x->rows.p[at + p->n].mark == x->rows.p[at].mark)
		p->n++;
	p->rows = ARENA_ARRAY(a, struct row, p->n);
	memcpy(p->rows, x->rows.p + at, p->n * sizeof *p->rows); /* their texts are the round's, which ends last */
	return p;
}

static void
removed(void *arg)
{
	struct round *x = arg;
	size_t at = 0, k = 0;
	if (!x->engine || x->engine->closing) {
		x->engine = NULL;
		end_round(x);
		return;
	}
	for (size_t i = 0; i < x->rows.n; i++)
		if (!x->rows.p[i].taken)
			x->rows.p[i].problem = x->lying[k++].problem;
	x->open = 1; /* nobody ends the round while groups are made */
	while (at < x->rows.n) {
		struct group *p = group_new(x, at);
		at += p->n;
		x->open++;
		end_group(p);
	}
	if (--x->open == 0)
		end_round(x);
}

static void
found(void *arg, const struct err *e)
{
	struct round *x = arg;
	size_t n = 0;
	if (e)
		log_error("artifacts are not removed", "error", e->msg, NULL);
	if (e || !x->engine || !x->rows.n) {
		end_round(x);
		return;
	}
	x->lying = ARENA_ARRAY(x->arena, struct lying, x->rows.n);
	for (size_t i = 0; i < x->rows.n; i++)
		if (!x->rows.p[i].taken)
			x->lying[n++] = (struct lying){ x->rows.p[i].ns, x->rows.p[i].artifact, &x->rows.p[i].place, STR_NONE };
	if (n)
		executor_remove_objects(x->engine->executor, x->lying, n, x->arena, removed, x);
	else
		removed(x);
}

static void
begin(void *arg)
{
	struct engine *g = arg;
	if (g->closing)
		return;
	if (g->collect.round) {
		g->collect.again = true;
		return;
	}
	struct arena *a = arena_new();
	struct round *x = ARENA_NEW(a, struct round);
	*x = (struct round){ .engine = g, .arena = a, .now = loop_now(g->loop), .next = INT64_MAX };
	g->collect.round = x;
	store_read(g->store, read_round, x, found);
}

void
collect_at(struct engine *g, int64_t at)
{
	struct timer *t = &g->collect.timer;
	if (!g->closing && (!timer_is_armed(t) || at < t->at_ns))
		timer_start(g->loop, t, at, begin, g);
}

void
collect_soon(struct engine *g)
{
	collect_at(g, loop_now(g->loop));
}

bool
engine_collecting(const struct engine *g)
{
	const struct timer *t = &g->collect.timer;
	return g->collect.round || (timer_is_armed(t) && t->at_ns <= loop_now(g->loop));
}

static int
all_now(sqlite3 *db, void *arg UNUSED, struct err *e)
{
	return store_exec(db, e, "UPDATE artifact_gc SET at = 0 WHERE held = 0 AND at > 0", "");
}

static void
started(void *arg)
{
	collect_soon(arg);
}

void
collect_start(struct engine *g)
{
	store_write(g->store, all_now, g, started);
}

void
collect_stop(struct engine *g)
{
	timer_stop(&g->collect.timer);
	if (g->collect.round)
		g->collect.round->engine = NULL;
}
