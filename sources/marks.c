/* SPDX-License-Identifier: Apache-2.0 */
/* marks: numbers of a source that survive restarts (source.h): the last tick, an offset. */
#include "core/log.h"
#include "sources/source.h"

const char sources_schema_sql[] =
	"CREATE TABLE source_mark (ns TEXT NOT NULL, source TEXT NOT NULL, event TEXT NOT NULL, mark INTEGER NOT NULL,"
	" PRIMARY KEY (ns, source, event)) STRICT, WITHOUT ROWID;";

struct mark_job {
	struct arena *arena;
	struct source *source;
	str ns, name, event;
	int64_t mark;
	void (*done)(struct source *s, int64_t mark);
};

/* A mark with a name has its own row: names of entries have no line feed. */
static str
row_name(struct source *s, struct arena *a, str name)
{
	return name.n ? arena_fmt(a, "%.*s\n%.*s", STR_ARG(source_event_name(s)), STR_ARG(name)) : arena_dup(a, source_event_name(s));
}

static struct mark_job *
new_mark_job(struct source *s, str name)
{
	struct arena *a = arena_new();
	struct mark_job *j = ARENA_NEW(a, struct mark_job);
	*j = (struct mark_job){ .arena = a, .source = s, .ns = arena_dup(a, source_ns(s)), .name = arena_dup(a, source_name(s)),
	                        .event = row_name(s, a, name) };
	source_hold(s);
	return j;
}

static void
mark_job_over(struct mark_job *j)
{
	struct source *s = j->source;
	arena_free(j->arena);
	source_release(s);
}

static int
read_mark(sqlite3 *db, void *arg, struct err *e)
{
	struct mark_job *j = arg;
	sqlite3_stmt *q = store_prepare(db, "SELECT mark FROM source_mark WHERE ns = ? AND source = ? AND event = ?", e);
	if (!q)
		return -1;
	const str keys[] = { j->ns, j->name, j->event };
	for (int i = 0; i < (int)ARRAY_LEN(keys); i++)
		sqlite3_bind_text64(q, i + 1, keys[i].p, keys[i].n, SQLITE_STATIC, SQLITE_UTF8);
	int rc = sqlite3_step(q);
	if (rc == SQLITE_ROW)
		j->mark = sqlite3_column_int64(q, 0);
	else if (rc != SQLITE_DONE)
		return err_set(e, ERR_IO, "reading a source's mark: %s", sqlite3_errmsg(db));
	return 0;
}

static void
mark_read(void *arg, const struct err *e)
{
	struct mark_job *j = arg;
	if (e)
		log_error("a source's place cannot be read: it begins anew", "eventsource", str_z(j->arena, j->name), "event", str_z(j->arena, j->event),
		          "error", e->msg, NULL);
	if (!source_is_stopping(j->source))
		j->done(j->source, j->mark);
	mark_job_over(j);
}

/* What a source of the same name has written before, perhaps in this very turn, is on disk. */
static void
all_written(void *arg)
{
	struct mark_job *j = arg;
	store_read(source_store(j->source), read_mark, j, mark_read);
}

void
source_read_mark(struct source *s, void (*done)(struct source *s, int64_t mark))
{
	source_read_named_mark(s, STR_NONE, done);
}

void
source_read_named_mark(struct source *s, str name, void (*done)(struct source *s, int64_t mark))
{
	struct mark_job *j = new_mark_job(s, name);
	j->done = done;
	store_after_commit(source_store(s), all_written, j);
}

static int
write_mark(sqlite3 *db, void *arg, struct err *e)
{
	const struct mark_job *j = arg;
	return store_exec(db, e, "INSERT INTO source_mark (ns, source, event, mark) VALUES (?, ?, ?, ?)"
	                         " ON CONFLICT (ns, source, event) DO UPDATE SET mark = excluded.mark",
	                  "sssi", j->ns, j->name, j->event, j->mark);
}

static void
mark_written(void *arg)
{
	mark_job_over(arg);
}

void
source_write_mark(struct source *s, int64_t mark)
{
	source_write_named_mark(s, STR_NONE, mark);
}

void
source_write_named_mark(struct source *s, str name, int64_t mark)
{
	struct mark_job *j = new_mark_job(s, name);
	j->mark = mark;
	store_write(source_store(s), write_mark, j, mark_written);
}
