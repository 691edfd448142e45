/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sync_limits: the limits of semaphores with a database key (Argo's table sync_limit), in memory and as rows. `tidegate sync`
 * and /api/v1/sync keep them.
 */
#include "engine/shell.h"

const char sync_limit_schema_sql[] =
	"CREATE TABLE sync_limit (name TEXT PRIMARY KEY, sizelimit INTEGER NOT NULL) STRICT, WITHOUT ROWID;"; /* name: "ns/key" */

struct sync_limits {
	struct map by_name; /* "ns/key" -> struct entry */
};
struct entry {
	str name;
	int64_t limit;
};

static str
name_of(str ns, str key)
{
	struct buf b = { 0 };
	buf_addf(&b, "%.*s/%.*s", STR_ARG(ns), STR_ARG(key));
	return buf_str(&b); /* the buffer's memory is the name's */
}

int64_t
engine_sync_limit(const struct engine *g, str ns, str key)
{
	str name = name_of(ns, key);
	const struct entry *x = map_get(&g->sync_limits->by_name, name);
	str_disown(name);
	return x ? x->limit : 0;
}

static void
set(struct sync_limits *t, str name, int64_t limit)
{
	struct entry *x = map_del(&t->by_name, name);
	if (x) {
		str_disown(x->name);
		free(x);
	}
	if (!limit)
		return;
	struct buf b = { 0 };
	buf_add(&b, name);
	x = MEM_NEW(struct entry);
	*x = (struct entry){ buf_str(&b), limit };
	map_put(&t->by_name, x->name, x);
}

struct row {
	struct arena *arena;
	str name;
	int64_t limit;
	void (*done)(void *arg);
	void *arg;
};

static int
write_row(sqlite3 *db, void *arg, struct err *e)
{
	const struct row *w = arg;
	if (!w->limit)
		return store_exec(db, e, "DELETE FROM sync_limit WHERE name = ?", "s", w->name);
	return store_exec(db, e, "INSERT OR REPLACE INTO sync_limit (name, sizelimit) VALUES (?, ?)", "si", w->name, w->limit);
}

static void
row_written(void *arg)
{
	struct row *w = arg;
	w->done(w->arg);
	arena_free(w->arena);
}

void
engine_set_sync_limit(struct engine *g, str ns, str key, int64_t limit, void (*done)(void *arg), void *arg)
{
	struct arena *a = arena_new();
	struct row *w = ARENA_NEW(a, struct row);
	*w = (struct row){ a, arena_fmt(a, "%.*s/%.*s", STR_ARG(ns), STR_ARG(key)), limit, done, arg };
	set(g->sync_limits, w->name, limit);
	store_write(g->store, write_row, w, row_written);
	grants_refresh(g);
}

static int
read_rows(sqlite3 *db, void *arg, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT name, sizelimit FROM sync_limit", e);
	int rc;
	if (!q)
		return -1;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW)
		set(arg, store_text(q, 0), sqlite3_column_int64(q, 1));
	sqlite3_reset(q);
	return rc == SQLITE_DONE ? 0 : err_set(e, ERR_IO, "reading limits: %s", sqlite3_errmsg(db));
}

int
sync_limits_read(struct engine *g, struct err *e)
{
	return store_read_now(g->store, read_rows, g->sync_limits, e);
}

struct sync_limits *
sync_limits_new(void)
{
	return MEM_NEW(struct sync_limits);
}

void
sync_limits_free(struct sync_limits *t)
{
	struct map_slot *slot;
	if (!t)
		return;
	for (size_t i = 0; (slot = map_next(&t->by_name, &i));) {
		struct entry *x = slot->value;
		str_disown(x->name);
		free(x);
	}
	map_free(&t->by_name);
	free(t);
}
