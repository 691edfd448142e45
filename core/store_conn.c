/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to SQLite. A statement is prepared once a connection, and found by the address of its text. */
#include "core/store_impl.h"

#define REST_CACHE (256 << 10) /* bytes of cached pages that a connection may keep through a quiet time */

#define BUSY_MS 10000
#define STATEMENTS_MIN 64

/* The connection whose job runs on this thread: store_prepare gets SQLite's handle only. */
static _Thread_local struct conn *current;

int
store_failed(struct err *e, sqlite3 *db, const char *what)
{
	return err_set(e, ERR_IO, "%s: %s", what, db ? sqlite3_errmsg(db) : "out of memory");
}

int
store_run_sql(sqlite3 *db, const char *sql, struct err *e)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : store_failed(e, db, "state");
}

static struct statement *
statement_slot(const struct conn *c, const char *sql)
{
	size_t i = (size_t)((uintptr_t)sql * UINT64_C(0x9E3779B97F4A7C15) >> 32) & (c->size - 1);
	while (c->statements[i].sql && c->statements[i].sql != sql)
		i = (i + 1) & (c->size - 1);
	return &c->statements[i];
}

static void
statements_grow(struct conn *c)
{
	struct conn old = *c;
	c->size = old.size ? old.size * 2 : STATEMENTS_MIN;
	c->statements = mem_alloc(c->size * sizeof *c->statements);
	for (size_t i = 0; i < old.size; i++)
		if (old.statements[i].sql)
			*statement_slot(c, old.statements[i].sql) = old.statements[i];
	free(old.statements);
}

sqlite3_stmt *
store_prepare(sqlite3 *db, const char *sql, struct err *e)
{
	struct conn *c = current;
	assert(c && c->db == db);
	if (c->n * 4 >= c->size * 3)
		statements_grow(c);
	struct statement *s = statement_slot(c, sql);
	if (s->q) {
		sqlite3_reset(s->q);
		sqlite3_clear_bindings(s->q);
		return s->q;
	}
	if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->q, NULL) != SQLITE_OK) {
		store_failed(e, db, sql);
		return NULL;
	}
	c->n += !s->sql;
	s->sql = sql;
	return s->q;
}

static int
bind_one(sqlite3_stmt *q, int i, char type, va_list *ap)
{
	str s;
	switch (type) {
	case 's':
		s = va_arg(*ap, str);
		return sqlite3_bind_text64(q, i, s.p, s.n, SQLITE_STATIC, SQLITE_UTF8);
	case 'b':
		s = va_arg(*ap, str);
		return sqlite3_bind_blob64(q, i, s.p, s.n, SQLITE_STATIC);
	case 'i':
		return sqlite3_bind_int64(q, i, va_arg(*ap, int64_t));
	case 'd':
		return sqlite3_bind_double(q, i, va_arg(*ap, double));
	case 'n':
		return sqlite3_bind_null(q, i);
	default:
		assert(!"a type of store_exec");
		return SQLITE_MISUSE;
	}
}

int
store_exec(sqlite3 *db, struct err *e, const char *sql, const char *types, ...)
{
	sqlite3_stmt *q = store_prepare(db, sql, e);
	if (!q)
		return -1;
	int rc = SQLITE_OK;
	va_list ap;
	va_start(ap, types);
	for (int i = 0; types[i] && rc == SQLITE_OK; i++)
		rc = bind_one(q, i + 1, types[i], &ap);
	va_end(ap);
	if (rc == SQLITE_OK)
		do
			rc = sqlite3_step(q);
		while (rc == SQLITE_ROW);
	if (rc != SQLITE_DONE)
		store_failed(e, db, sql);
	/* What was bound is the caller's and may go away now. */
	sqlite3_reset(q);
	sqlite3_clear_bindings(q);
	return rc == SQLITE_DONE ? 0 : -1;
}

str
store_text(sqlite3_stmt *q, int col)
{
	int type = sqlite3_column_type(q, col);
	if (type == SQLITE_NULL)
		return STR_NONE;
	const char *p = type == SQLITE_BLOB ? sqlite3_column_blob(q, col) : (const char *)sqlite3_column_text(q, col);
	return p ? (str){ p, (size_t)sqlite3_column_bytes(q, col) } : S("");
}

struct conn *
conn_enter(struct conn *c)
{
	struct conn *outer = current;
	current = c;
	return outer;
}

void
conn_leave(struct conn *outer)
{
	current = outer;
}

int
conn_run(struct conn *c, store_fn *fn, void *arg, struct err *e)
{
	struct conn *outer = conn_enter(c);
	int rc = fn(c->db, arg, e);
	conn_leave(outer);
	return rc;
}

void
conn_reset(struct conn *c)
{
	for (sqlite3_stmt *q = NULL; (q = sqlite3_next_stmt(c->db, q));)
		if (sqlite3_stmt_busy(q))
			sqlite3_reset(q);
}

int
conn_open(struct conn *c, const char *path, int flags, const char *vfs, struct err *e)
{
	*c = (struct conn){ 0 };
	if (sqlite3_open_v2(path, &c->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, vfs) != SQLITE_OK) {
		store_failed(e, c->db, path);
		sqlite3_close(c->db);
		c->db = NULL;
		return -1;
	}
	sqlite3_busy_timeout(c->db, BUSY_MS);
	return 0;
}

void
conn_close(struct conn *c)
{
	for (size_t i = 0; i < c->size; i++)
		sqlite3_finalize(c->statements[i].q);
	free(c->statements);
	int rc = sqlite3_close(c->db);
	assert(rc == SQLITE_OK);
	(void)rc;
}

void
conn_rest(struct conn *c)
{
	int used = 0, most;
	if (sqlite3_db_status(c->db, SQLITE_DBSTATUS_CACHE_USED, &used, &most, 0) == SQLITE_OK && used > REST_CACHE)
		(void)sqlite3_db_release_memory(c->db); /* as much as can be had */
}
