/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The row of a CronWorkflow, and its entry in memory. The row is written whole, but for the two counters: those are
 * counted in the transaction that ends a workflow (cron_child.c), whoever runs it.
 */
#include "engine/cron.h"

/* What ended before there was this table. */
#define ENDED_BEFORE(tags)                                                                                             \
	" SELECT w.id, w.ns, t.value, iif(w.phase = 'Succeeded', 1, 2), w.finished, w.name, w.uid FROM " tags          \
	" t JOIN workflow w ON w.id = t.id"                                                                            \
	" WHERE t.kind = 0 AND t.name = '" CRON_LABEL "' AND w.finished IS NOT NULL"

const char cron_schema_sql[] =
	"CREATE TABLE cron ("
	" ns TEXT NOT NULL, name TEXT NOT NULL,"
	" created INTEGER NOT NULL, since INTEGER NOT NULL, decided INTEGER NOT NULL, scheduled INTEGER NOT NULL," /* s
														    */
	" succeeded INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,"
	" schedules TEXT NOT NULL, held INTEGER NOT NULL, stopped INTEGER NOT NULL, stop TEXT, hold INTEGER NOT NULL, "
	"hold_suspend INTEGER NOT NULL,"
	" spec_error TEXT, submission_error TEXT, noted INTEGER NOT NULL, note TEXT,"
	" PRIMARY KEY (ns, name)) WITHOUT ROWID;"
	/* The workflows of each: state 0 not ended, 1 succeeded, 2 failed. */
	"CREATE TABLE cron_child ("
	" id INTEGER PRIMARY KEY," /* of the workflow */
	" ns TEXT NOT NULL, cron TEXT NOT NULL, state INTEGER NOT NULL, finished INTEGER NOT NULL," /* ns */
	" name TEXT NOT NULL, uid TEXT NOT NULL);"
	"CREATE INDEX cron_child_of ON cron_child (ns, cron, state, finished, id);"
	"INSERT OR IGNORE INTO cron_child" ENDED_BEFORE("workflow_tag") ";"
									"INSERT OR IGNORE INTO cron_child" ENDED_BEFORE(
										"workflow_tag_new") ";";

/* ---- entries ------------------------------------------------------------------------------------------------- */

static str
entry_key(struct arena *a, str ns, str name)
{
	return arena_fmt(a, "%.*s/%.*s", STR_ARG(ns), STR_ARG(name));
}

struct cron_entry *
cron_find(const struct engine *g, str ns, str name)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	return map_get(&g->cron->entries, entry_key(a, ns, name));
}

struct cron_entry *
cron_get(struct engine *g, str ns, str name)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	str key = entry_key(a, ns, name);
	struct cron_entry *x = map_get(&g->cron->entries, key);
	if (x)
		return x;
	x = MEM_NEW(struct cron_entry);
	x->clock = g->cron;
	x->key = str_own(key);
	x->ns = str_own(ns);
	x->name = str_slice(x->key, ns.n + 1, x->key.n);
	x->arena = arena_new();
	list_init(&x->active);
	map_put(&g->cron->entries, x->key, x);
	return x;
}

static void
forget_row(struct cron_row *r)
{
	str *const texts[] = { &r->schedules, &r->stop, &r->spec_error, &r->submission_error, &r->note };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		str_disown(*texts[i]);
	*r = (struct cron_row){ 0 };
}

static void
leave_trim(struct cron_entry *x)
{
	struct cron_clock *c = x->clock;
	for (size_t i = 0; x->trim && i < c->trim.n; i++)
		if (c->trim.p[i] == x)
			c->trim.p[i--] = c->trim.p[--c->trim.n];
}

void
cron_put_back(struct cron_entry *x)
{
	if (x->object || !list_empty(&x->active))
		return;
	heap_del(&x->clock->due, &x->due);
	leave_trim(x);
	forget_row(&x->row);
	map_del(&x->clock->entries, x->key);
	str_disown(x->ns);
	str_disown(x->key);
	arena_free(x->arena);
	free(x);
}

void
cron_set(str *text, str to)
{
	str old = *text;
	*text = to.p ? str_own(to) : STR_NONE;
	str_disown(old);
}

/* ---- writing ------------------------------------------------------------------------------------------------- */

struct row_job {
	struct arena *arena;
	str ns, name;
	struct cron_row row; /* texts in the arena */
	int64_t failures;
};

static int
write_row(sqlite3 *db, void *arg, struct err *e)
{
	const struct row_job *j = arg;
	const struct cron_row *r = &j->row;
	return store_exec(db, e,
		"INSERT INTO cron (ns, name, created, since, decided, scheduled, schedules, held, stopped, stop, hold, "
		"hold_suspend, spec_error,"
		" submission_error, noted, note, failed) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO "
		"UPDATE SET since = excluded.since,"
		" decided = excluded.decided, scheduled = excluded.scheduled, schedules = excluded.schedules, held = "
		"excluded.held,"
		" stopped = excluded.stopped, stop = excluded.stop, hold = excluded.hold, hold_suspend = "
		"excluded.hold_suspend,"
		" spec_error = excluded.spec_error, submission_error = excluded.submission_error, noted = "
		"excluded.noted, note = excluded.note,"
		" failed = failed + excluded.failed",
		"ssiiiisiisiissisi", j->ns, j->name, r->created, r->since, r->decided, r->scheduled, r->schedules,
		(int64_t)r->held, (int64_t)r->stopped, r->stop, (int64_t)r->hold, (int64_t)r->hold_suspend,
		r->spec_error, r->submission_error, r->noted, r->note, j->failures);
}

static int
delete_row(sqlite3 *db, void *arg, struct err *e)
{
	const struct row_job *j = arg;
	return store_exec(db, e, "DELETE FROM cron WHERE ns = ? AND name = ?", "ss", j->ns, j->name);
}

static void
row_done(void *arg)
{
	struct row_job *j = arg;
	arena_free(j->arena);
}

static struct row_job *
job_of(const struct cron_entry *x)
{
	struct arena *a = arena_new();
	struct row_job *j = ARENA_NEW(a, struct row_job);
	*j = (struct row_job){ .arena = a, .ns = arena_dup(a, x->ns), .name = arena_dup(a, x->name), .row = x->row };
	str *const texts[] = { &j->row.schedules, &j->row.stop, &j->row.spec_error, &j->row.submission_error,
		&j->row.note };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i]->p)
			*texts[i] = arena_dup(a, *texts[i]);
	return j;
}

void
cron_write(struct cron_entry *x, int64_t failures)
{
	struct row_job *j = job_of(x);
	j->failures = failures;
	x->row.failed += failures;
	x->kept = true;
	store_write(x->clock->engine->store, write_row, j, row_done);
}

void
cron_drop(struct cron_entry *x)
{
	store_write(x->clock->engine->store, delete_row, job_of(x), row_done);
	heap_del(&x->clock->due, &x->due);
	object_unref(x->object);
	x->object = NULL;
	x->kept = x->readable = false;
	forget_row(&x->row);
	cron_put_back(x);
}

/* ---- reading ------------------------------------------------------------------------------------------------- */

static str
column_text(sqlite3_stmt *q, int i)
{
	return sqlite3_column_type(q, i) == SQLITE_NULL ? STR_NONE : str_own(store_text(q, i));
}

static void
read_row(struct engine *g, sqlite3_stmt *q)
{
	struct cron_entry *x = cron_get(g, store_text(q, 0), store_text(q, 1));
	forget_row(&x->row);
	x->kept = true;
	x->row = (struct cron_row){
		.created = sqlite3_column_int64(q, 2),
		.since = sqlite3_column_int64(q, 3),
		.decided = sqlite3_column_int64(q, 4),
		.scheduled = sqlite3_column_int64(q, 5),
		.succeeded = sqlite3_column_int64(q, 6),
		.failed = sqlite3_column_int64(q, 7),
		.schedules = column_text(q, 8),
		.held = sqlite3_column_int(q, 9),
		.stopped = sqlite3_column_int(q, 10),
		.stop = column_text(q, 11),
		.hold = (unsigned)sqlite3_column_int(q, 12),
		.hold_suspend = sqlite3_column_int(q, 13),
		.spec_error = column_text(q, 14),
		.submission_error = column_text(q, 15),
		.noted = sqlite3_column_int64(q, 16),
		.note = column_text(q, 17),
	};
}

static void
read_child(struct engine *g, sqlite3_stmt *q)
{
	struct cron_entry *x = cron_get(g, store_text(q, 0), store_text(q, 1));
	cron_active_add(x, store_text(q, 2), store_text(q, 3));
}

static int
read_each(struct engine *g, sqlite3 *db, const char *sql, void (*row)(struct engine *g, sqlite3_stmt *q), struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, sql, e);
	int rc;
	if (!q)
		return -1;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW)
		row(g, q);
	sqlite3_reset(q);
	return rc == SQLITE_DONE ? 0 : err_set(e, ERR_IO, "reading CronWorkflows: %s", sqlite3_errmsg(db));
}

static int
read_all(sqlite3 *db, void *arg, struct err *e)
{
	return read_each(arg, db,
		       "SELECT ns, name, created, since, decided, scheduled, succeeded, failed, schedules, held, "
		       "stopped, stop, hold, hold_suspend,"
		       " spec_error, submission_error, noted, note FROM cron",
		       read_row, e) ||
			       read_each(arg, db,
				       "SELECT ns, cron, name, uid FROM cron_child WHERE state = 0 ORDER BY id",
				       read_child, e)
		       ? -1
		       : 0;
}

int
cron_read(struct engine *g, struct err *e)
{
	return store_read_now(g->store, read_all, g, e);
}
