/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expiry: finished workflows and the files of pods go when their time has come: by spec.ttlStrategy, by spec.podGC, by spec.volumeClaimGC, and by the
 * daemon's retentionPolicy. What a manifest asks for is a row of `due`, written with the save that decided it, so a restart
 * forgets nothing; one timer waits for the earliest. A sweep reads what is due on a pool thread, a few hundred at a time,
 * and each removal is a small transaction.
 *
 * Rows go before files. So that no crash in between leaves files for ever, the transaction that deletes the rows leaves
 * one behind, which goes when the files have; at the start such files go first, before a new workflow can have the name.
 */
#include "engine/shell.h"

#include "core/log.h"

enum { BATCH = 200 };

const char expiry_schema_sql[] =
	"CREATE TABLE due ("
	" at INTEGER NOT NULL," /* ns */
	" what INTEGER NOT NULL," /* enum due_what */
	" workflow INTEGER NOT NULL, name TEXT NOT NULL,"
	" PRIMARY KEY (at, what, workflow, name)) WITHOUT ROWID;"
	"CREATE INDEX due_of ON due (workflow, what);";

/* ---- rows ---------------------------------------------------------------------------------------------------- */

int
due_write(sqlite3 *db, int64_t id, const struct due *p, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (store_exec(db, e, "INSERT OR IGNORE INTO due (at, what, workflow, name) VALUES (?,?,?,?)", "iiis", p[i].at, (int64_t)p[i].what, id, p[i].name))
			return -1;
	return 0;
}

/* A workflow that goes on is neither deleted nor, as one that has ended, cleaned up. */
int
due_cancel(sqlite3 *db, int64_t id, struct err *e)
{
	return store_exec(db, e, "DELETE FROM due WHERE workflow = ? AND what IN (0, 2, 5)", "i", id);
}

int
due_deleted(sqlite3 *db, int64_t id, str ns, str name, bool keeps, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct due files = { 0, keeps ? DUE_FILES_ONLY : DUE_FILES, arena_fmt(a, "%.*s/%.*s", STR_ARG(ns), STR_ARG(name)) };
	return store_exec(db, e, "DELETE FROM due WHERE workflow = ?", "i", id) ? -1 : due_write(db, id, &files, 1, e);
}

/* ---- removing ------------------------------------------------------------------------------------------------ */

/* The end of one row, or the deletion of one workflow. */
struct end {
	struct arena *arena;
	struct engine *engine;
	struct due due;
	int64_t id;
	str ns, name;
	bool keeps; /* its artifacts stay */
	void (*done)(void *arg);
	void *arg;
};

static struct end *
end_new(struct engine *g, const struct due *d, int64_t id, str ns, str name)
{
	struct arena *a = arena_new();
	struct end *x = ARENA_NEW(a, struct end);
	*x = (struct end){ .arena = a, .engine = g, .due = *d, .id = id, .ns = arena_dup(a, ns), .name = arena_dup(a, name) };
	x->due.name = arena_dup(a, d->name);
	return x;
}

static int
end_row(sqlite3 *db, void *arg, struct err *e)
{
	const struct end *x = arg;
	return store_exec(db, e, "DELETE FROM due WHERE at = ? AND what = ? AND workflow = ? AND name = ?", "iiis", x->due.at, (int64_t)x->due.what, x->id,
	                  x->due.name);
}

static void
ended(void *arg)
{
	struct end *x = arg;
	arena_free(x->arena);
}

void
expiry_files(struct engine *g, int64_t id, str ns, str name, bool keeps)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct due d = { 0, keeps ? DUE_FILES_ONLY : DUE_FILES, arena_fmt(a, "%.*s/%.*s", STR_ARG(ns), STR_ARG(name)) };
	executor_remove(g->executor, ns, name);
	executor_remove_claims(g->executor, ns, name);
	if (!keeps)
		executor_remove_artifacts(g->executor, ns, name);
	store_write(g->store, end_row, end_new(g, &d, id, ns, name), ended);
}

static int
delete_rows(sqlite3 *db, void *arg, struct err *e)
{
	struct end *x = arg;
	return archive_delete(db, x->id, x->ns, x->name, &x->keeps, e);
}

static void
rows_deleted(void *arg)
{
	struct end *x = arg;
	expiry_files(x->engine, x->id, x->ns, x->name, x->keeps);
	collect_soon(x->engine);
	live_tell(x->engine, x->ns, x->name, true, true);
	if (x->done)
		x->done(x->arg);
	arena_free(x->arena);
}

void
expiry_delete(struct engine *g, int64_t id, str ns, str name, void (*done)(void *arg), void *arg)
{
	struct due none = { .name = S("") };
	struct end *x = end_new(g, &none, id, ns, name);
	x->done = done;
	x->arg = arg;
	show_removing(g, id, ns, name);
	cron_child_gone(g, ns, name);
	store_write(g->store, delete_rows, x, rows_deleted);
}

/* ---- a sweep ------------------------------------------------------------------------------------------------- */

struct found {
	struct due due;
	int64_t id;
	str ns, name;
};

struct sweep {
	struct engine *engine;
	struct arena *arena;
	int64_t now, next; /* next: the earliest that is not due yet; INT64_MAX: none */
	int64_t age, keep[RETAIN_KINDS];
	VEC(struct found) found;
	bool more;
};

static void
add(struct sweep *s, const struct due *d, int64_t id, str ns, str name)
{
	struct found *f = VEC_PUSH(&s->found);
	*f = (struct found){ { d->at, d->what, arena_dup(s->arena, d->name) }, id, arena_dup(s->arena, ns), arena_dup(s->arena, name) };
}

/* Rows of id, ns, name of workflows to be deleted. */
static int
add_workflows(struct sweep *s, sqlite3 *db, sqlite3_stmt *q, struct err *e)
{
	const struct due d = { 0, DUE_WORKFLOW, S("") };
	int rc;
	size_t n = 0;
	for (; (rc = sqlite3_step(q)) == SQLITE_ROW; n++)
		add(s, &d, sqlite3_column_int64(q, 0), store_text(q, 1), store_text(q, 2));
	sqlite3_reset(q);
	s->more |= n == BATCH;
	return rc == SQLITE_DONE ? 0 : err_set(e, ERR_IO, "looking for what is due: %s", sqlite3_errmsg(db));
}

static int
read_due(struct sweep *s, sqlite3 *db, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db,
		"SELECT d.at, d.what, d.workflow, d.name, w.ns, w.name FROM due d JOIN workflow w ON w.id = d.workflow"
		" WHERE d.at <= ? AND (d.what < 3 OR d.what = 5) ORDER BY d.at LIMIT 200", e);
	if (!q)
		return -1;
	sqlite3_bind_int64(q, 1, s->now);
	int rc;
	size_t n = 0;
	for (; (rc = sqlite3_step(q)) == SQLITE_ROW; n++) {
		struct due d = { sqlite3_column_int64(q, 0), (enum due_what)sqlite3_column_int(q, 1), store_text(q, 3) };
		add(s, &d, sqlite3_column_int64(q, 2), store_text(q, 4), store_text(q, 5));
	}
	sqlite3_reset(q);
	s->more |= n == BATCH;
	return rc == SQLITE_DONE ? 0 : err_set(e, ERR_IO, "looking for what is due: %s", sqlite3_errmsg(db));
}

static int
read_next(struct sweep *s, sqlite3 *db, const char *sql, int64_t bound, int64_t add_ns, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, sql, e);
	if (!q)
		return -1;
	sqlite3_bind_int64(q, 1, bound);
	if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_type(q, 0) != SQLITE_NULL && sqlite3_column_int64(q, 0) + add_ns < s->next)
		s->next = sqlite3_column_int64(q, 0) + add_ns;
	sqlite3_reset(q);
	return 0;
}

static int
read_old(struct sweep *s, sqlite3 *db, struct err *e)
{
	if (!s->age)
		return 0;
	sqlite3_stmt *q = store_prepare(db, "SELECT id, ns, name FROM workflow WHERE finished <= ? ORDER BY finished LIMIT 200", e);
	if (!q)
		return -1;
	sqlite3_bind_int64(q, 1, s->now - s->age);
	return add_workflows(s, db, q, e) || read_next(s, db, "SELECT min(finished) FROM workflow WHERE finished > ?", s->now - s->age, s->age, e) ? -1 : 0;
}

static int
read_beyond(struct sweep *s, sqlite3 *db, const char *phase, int64_t keep, struct err *e)
{
	if (keep < 0)
		return 0;
	sqlite3_stmt *q = store_prepare(db,
		"SELECT w.id, w.ns, w.name FROM workflow_tag t JOIN workflow w ON w.id = t.id WHERE t.kind = 0 AND t.name = 'workflows.argoproj.io/phase'"
		" AND t.value = ? ORDER BY t.finished DESC, t.id DESC LIMIT 200 OFFSET ?", e);
	if (!q)
		return -1;
	sqlite3_bind_text(q, 1, phase, -1, SQLITE_STATIC);
	sqlite3_bind_int64(q, 2, keep);
	return add_workflows(s, db, q, e);
}

static int
read_sweep(sqlite3 *db, void *arg, struct err *e)
{
	static const char *const phases[RETAIN_KINDS] = { "Succeeded", "Failed", "Error" };
	struct sweep *s = arg;
	if (read_due(s, db, e) || read_next(s, db, "SELECT min(at) FROM due WHERE at > ?", s->now, 0, e) || read_old(s, db, e))
		return -1;
	for (size_t i = 0; i < RETAIN_KINDS; i++)
		if (read_beyond(s, db, phases[i], s->keep[i], e))
			return -1;
	return 0;
}

void
expiry_forget(struct engine *g, int64_t id, str ns, str name)
{
	struct live *l = live_find(g, ns, name);
	bool ours = l && l->id == id;
	if (ours && run_finished(l->run)) { /* its last rows are on their way */
		l->deleted = true;
		live_changed(l);
	} else if (!ours) {
		expiry_delete(g, id, ns, name, NULL, NULL);
	}
}

/* A retry may have come since the row was read: then its steps have the folders again. */
static bool
goes_on(struct engine *g, const struct found *f)
{
	const struct live *l = live_find(g, f->ns, f->name);
	return l && (l->id != f->id || !run_finished(l->run));
}

static void
act(struct engine *g, const struct found *f)
{
	switch (f->due.what) {
	case DUE_WORKFLOW:
		expiry_forget(g, f->id, f->ns, f->name);
		return;
	case DUE_POD:
		executor_remove_pod(g->executor, f->ns, f->name, f->due.name);
		break;
	case DUE_PODS:
		executor_remove(g->executor, f->ns, f->name);
		break;
	case DUE_CLAIMS:
		if (!goes_on(g, f))
			executor_remove_claims(g->executor, f->ns, f->name);
		break;
	case DUE_FILES:
	case DUE_FILES_ONLY:
		break;
	}
	store_write(g->store, end_row, end_new(g, &f->due, f->id, f->ns, f->name), ended);
}

static void sweep_begin(void *arg);

static void
sweep_again(void *arg)
{
	struct engine *g = arg;
	g->expiry.sweeping = false;
	sweep_begin(g);
}

static void
sweep_act(struct engine *g, const struct sweep *s, bool failed)
{
	g->expiry.sweep = NULL;
	for (size_t i = 0; !failed && i < s->found.n; i++)
		act(g, &s->found.p[i]);
	bool again = !failed && (s->more || g->expiry.again);
	if (again) /* what was just decided must not be found again */
		store_after_commit(g->store, sweep_again, g);
	else
		g->expiry.sweeping = false;
	if (!again && s->next != INT64_MAX)
		expiry_at(g, s->next);
}

static void
sweep_read(void *arg, const struct err *e)
{
	struct sweep *s = arg;
	struct engine *g = s->engine;
	if (g && e)
		log_error("finished workflows are not cleaned up", "error", e->msg, NULL);
	if (g)
		sweep_act(g, s, e != NULL);
	VEC_FREE(&s->found);
	arena_free(s->arena);
}

static void
sweep_settled(void *arg)
{
	struct sweep *s = arg;
	if (s->engine)
		store_read(s->engine->store, read_sweep, s, sweep_read);
	else
		sweep_read(s, NULL);
}

static void
sweep_begin(void *arg)
{
	struct engine *g = arg;
	if (g->closing)
		return;
	g->expiry.again = g->expiry.sweeping;
	if (g->expiry.sweeping)
		return;
	g->expiry.sweeping = true;
	struct arena *a = arena_new();
	struct sweep *s = ARENA_NEW(a, struct sweep);
	*s = (struct sweep){ .engine = g, .arena = a, .now = loop_now(g->loop), .next = INT64_MAX, .age = g->settings->retention.age.ns };
	const struct opt_int *keep[RETAIN_KINDS] = { &g->settings->retention.completed, &g->settings->retention.failed, &g->settings->retention.errored };
	for (size_t i = 0; i < RETAIN_KINDS; i++)
		s->keep[i] = keep[i]->set ? keep[i]->v : -1;
	g->expiry.sweep = s;
	tags_settled(g, sweep_settled, s);
}

/* ---- when ---------------------------------------------------------------------------------------------------- */

void
expiry_at(struct engine *g, int64_t at)
{
	struct timer *t = &g->expiry.timer;
	if (!g->closing && (!timer_is_armed(t) || at < t->at_ns))
		timer_start(g->loop, t, at, sweep_begin, g);
}

void
expiry_finished(struct engine *g, enum phase p)
{
	const struct retention *r = &g->settings->retention;
	const struct opt_int *keep = p == PHASE_SUCCEEDED ? &r->completed : p == PHASE_FAILED ? &r->failed : &r->errored;
	if (keep->set)
		expiry_at(g, loop_now(g->loop));
	else if (r->age.ns)
		expiry_at(g, loop_now(g->loop) + r->age.ns);
}

/* ---- the start ----------------------------------------------------------------------------------------------- */

static int
read_files(sqlite3 *db, void *arg, struct err *e)
{
	struct engine *g = arg;
	sqlite3_stmt *q = store_prepare(db, "SELECT workflow, name, what FROM due WHERE at = 0 AND what IN (3, 4)", e);
	if (!q)
		return -1;
	int rc;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		str name = store_text(q, 1), ns = str_cut(&name, '/');
		expiry_files(g, sqlite3_column_int64(q, 0), ns, name, sqlite3_column_int(q, 2) == DUE_FILES_ONLY);
	}
	sqlite3_reset(q);
	return rc == SQLITE_DONE ? 0 : err_set(e, ERR_IO, "looking for files to remove: %s", sqlite3_errmsg(db));
}

int
expiry_start(struct engine *g, struct err *e)
{
	if (store_read_now(g->store, read_files, g, e))
		return -1;
	expiry_at(g, loop_now(g->loop));
	return 0;
}

void
expiry_stop(struct engine *g)
{
	timer_stop(&g->expiry.timer);
	if (g->expiry.sweep) /* its answer comes when nobody is there any more */
		g->expiry.sweep->engine = NULL;
}
