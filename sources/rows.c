/* SPDX-License-Identifier: Apache-2.0 */
/* rows: the durable rows of a source (source.h): what it saw last, which is more than a mark can hold. */
#include "sources/source.h"

const char sources_rows_sql[] =
	"CREATE TABLE source_row (ns TEXT NOT NULL, source TEXT NOT NULL, event TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,"
	" PRIMARY KEY (ns, source, event, key)) STRICT, WITHOUT ROWID;";

struct job {
	struct arena *arena;
	struct source *source;
	str ns, name, event;
	bool anew;
	VEC(struct source_row) rows; /* texts in the arena */
	void (*done)(void *arg, const struct source_row *rows, size_t n, const struct err *e);
	void *arg;
};

static struct job *
job_new(struct source *s)
{
	struct arena *a = arena_new();
	struct job *j = ARENA_NEW(a, struct job);
	*j = (struct job){ .arena = a, .source = s, .ns = arena_dup(a, source_ns(s)), .name = arena_dup(a, source_name(s)),
	                   .event = arena_dup(a, source_event_name(s)) };
	source_hold(s);
	return j;
}

static void
job_over(void *arg)
{
	struct job *j = arg;
	struct source *s = j->source;
	VEC_FREE(&j->rows);
	arena_free(j->arena);
	source_release(s);
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

static int
read_rows(sqlite3 *db, void *arg, struct err *e)
{
	struct job *j = arg;
	sqlite3_stmt *q = store_prepare(db, "SELECT key, value FROM source_row WHERE ns = ? AND source = ? AND event = ? ORDER BY key", e);
	if (!q)
		return -1;
	const str keys[] = { j->ns, j->name, j->event };
	for (int i = 0; i < (int)ARRAY_LEN(keys); i++)
		sqlite3_bind_text64(q, i + 1, keys[i].p, keys[i].n, SQLITE_STATIC, SQLITE_UTF8);
	int rc;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		struct source_row *r = VEC_PUSH(&j->rows);
		r->key = arena_dup(j->arena, store_text(q, 0));
		r->value = arena_dup(j->arena, store_text(q, 1));
	}
	return rc == SQLITE_DONE ? 0 : err_set(e, ERR_IO, "reading what a source saw last: %s", sqlite3_errmsg(db));
}

static void
rows_read(void *arg, const struct err *e)
{
	struct job *j = arg;
	if (!source_is_stopping(j->source))
		j->done(j->arg, j->rows.p, e ? 0 : j->rows.n, e);
	job_over(j);
}

/* What a source of the same name has written before, perhaps in this very turn, is on disk. */
static void
all_written(void *arg)
{
	struct job *j = arg;
	store_read(source_store(j->source), read_rows, j, rows_read);
}

void
source_read_rows(struct source *s, void (*done)(void *arg, const struct source_row *rows, size_t n, const struct err *e), void *arg)
{
	struct job *j = job_new(s);
	j->done = done;
	j->arg = arg;
	store_after_commit(source_store(s), all_written, j);
}

/* ---- writing -------------------------------------------------------------------------------------------------------- */

static int
write_row(sqlite3 *db, const struct job *j, const struct source_row *r, struct err *e)
{
	if (!r->value.p)
		return store_exec(db, e, "DELETE FROM source_row WHERE ns = ? AND source = ? AND event = ? AND key = ?", "sssb", j->ns, j->name,
		                  j->event, r->key);
	return store_exec(db, e, "INSERT INTO source_row (ns, source, event, key, value) VALUES (?, ?, ?, ?, ?)"
	                         " ON CONFLICT (ns, source, event, key) DO UPDATE SET value = excluded.value",
	                  "sssbb", j->ns, j->name, j->event, r->key, r->value);
}

static int
write_rows(sqlite3 *db, void *arg, struct err *e)
{
	const struct job *j = arg;
	if (j->anew && store_exec(db, e, "DELETE FROM source_row WHERE ns = ? AND source = ? AND event = ?", "sss", j->ns, j->name, j->event) < 0)
		return -1;
	for (size_t i = 0; i < j->rows.n; i++)
		if (write_row(db, j, &j->rows.p[i], e) < 0)
			return -1;
	return 0;
}

void
source_write_rows(struct source *s, bool anew, const struct source_row *rows, size_t n)
{
	if (!anew && !n)
		return;
	struct job *j = job_new(s);
	j->anew = anew;
	for (size_t i = 0; i < n; i++)
		*VEC_PUSH(&j->rows) = (struct source_row){ arena_dup(j->arena, rows[i].key), arena_dup(j->arena, rows[i].value) };
	store_write(source_store(s), write_rows, j, job_over);
}
