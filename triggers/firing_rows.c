/* SPDX-License-Identifier: Apache-2.0 */
/* How firings lie in the store. Everything here runs on the writer's or a pool thread, or at start-up. */
#include "core/store.h"
#include "triggers/dead_impl.h"
#include "triggers/saved.h"

const char firing_schema_sql[] = FIRING_RATE_SCHEMA_SQL;
const char firing_gather_sql[] = FIRING_GATHER_SCHEMA_SQL;
const char firing_aside_sql[] = FIRING_ASIDE_SCHEMA_SQL;

static int
read_failed(sqlite3 *db, struct err *e)
{
	return err_set(e, ERR_IO, "reading firings: %s", sqlite3_errmsg(db));
}

static int
insert_events(sqlite3 *db, const struct firing_row *r, struct err *e)
{
	struct arena *a = arena_new();
	int rc = 0;
	for (size_t i = 0; i < r->n && rc == 0; i++)
		rc = store_exec(db, e, "INSERT OR IGNORE INTO firing_event (firing, place, dependency, attributes, data) VALUES (?, ?, ?, ?, ?)", "sissb",
		                str_c(r->id), (int64_t)(r->first_place + i), r->dependencies[i], saved_attributes(r->events[i], a),
		                r->events[i]->data.p ? r->events[i]->data : S(""));
	arena_free(a);
	return rc;
}

int
firing_row_insert(sqlite3 *db, struct firing_row *r, struct err *e)
{
	if (store_exec(db, e,
	               "INSERT INTO firing (id, ns, sensor, trigger, state, attempt, next_ns, created_ns, reason, gathered, aside)"
	               " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
	               "sssssiiisii", str_c(r->id), r->ns, r->sensor, r->trigger, r->dead ? S("dead") : S("pending"), (int64_t)r->attempt, r->next_ns,
	               r->created_ns, r->reason, r->gathered, r->aside) < 0)
		return -1;
	r->seq = sqlite3_changes(db) ? sqlite3_last_insert_rowid(db) : 0;
	if (insert_events(db, r, e) < 0)
		return -1;
	return r->dead_keep ? dead_rows_trim(db, r, e) : 0;
}

int
firing_row_append(sqlite3 *db, struct firing_row *r, struct err *e)
{
	return firing_row_update(db, r, e) < 0 ? -1 : insert_events(db, r, e);
}

int
firing_row_delete(sqlite3 *db, const char *id, struct err *e)
{
	if (store_exec(db, e, "DELETE FROM firing_event WHERE firing = ?", "s", str_c(id)) < 0)
		return -1;
	return store_exec(db, e, "DELETE FROM firing WHERE id = ?", "s", str_c(id));
}

int
firing_row_update(sqlite3 *db, struct firing_row *r, struct err *e)
{
	if (store_exec(db, e, "UPDATE firing SET state = ?, trigger = ?, attempt = ?, next_ns = ?, reason = ?, gathered = ?, aside = ? WHERE id = ?",
	               "ssiisiis", r->dead ? S("dead") : S("pending"), r->trigger, (int64_t)r->attempt, r->next_ns, r->reason, r->gathered, r->aside,
	               str_c(r->id)) < 0)
		return -1;
	return r->dead_keep ? dead_rows_trim(db, r, e) : 0;
}

static void
copy_id(char to[33], str id)
{
	size_t n = id.n < 32 ? id.n : 32;
	memcpy(to, id.p, n);
	to[n] = 0;
}

static void
bind_trigger(sqlite3_stmt *q, str ns, str sensor, str trigger)
{
	const str keys[] = { ns, sensor, trigger };
	for (int i = 0; i < 3; i++)
		sqlite3_bind_text(q, i + 1, keys[i].p, (int)keys[i].n, SQLITE_STATIC);
}

int
firing_rate_write(sqlite3 *db, struct firing_row *r, struct err *e)
{
	return store_exec(db, e, "INSERT INTO firing_rate (ns, sensor, trigger, next_ns) VALUES (?, ?, ?, ?)"
	                         " ON CONFLICT (ns, sensor, trigger) DO UPDATE SET next_ns = excluded.next_ns",
	                  "sssi", r->ns, r->sensor, r->trigger, r->next_ns);
}

/* The one number that `q` gives; without a row, or with NULL, `otherwise`. */
static int
read_number(sqlite3 *db, sqlite3_stmt *q, int64_t otherwise, int64_t *out, struct err *e)
{
	int rc = sqlite3_step(q);
	bool given = rc == SQLITE_ROW && sqlite3_column_type(q, 0) != SQLITE_NULL;
	*out = given ? sqlite3_column_int64(q, 0) : otherwise;
	sqlite3_reset(q);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : read_failed(db, e);
}

int
firing_rate_read(sqlite3 *db, str ns, str sensor, str trigger, int64_t *next_ns, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT next_ns FROM firing_rate WHERE ns = ? AND sensor = ? AND trigger = ?", e);
	if (!q)
		return -1;
	bind_trigger(q, ns, sensor, trigger);
	return read_number(db, q, 0, next_ns, e);
}

#define PAGE_COLUMNS                                                                                                     \
	"SELECT id, attempt, next_ns, created_ns, reason, gathered,"                                                       \
	" iif(gathered > 0, (SELECT count(*) FROM firing_event WHERE firing = id), 0),"                                    \
	" iif(gathered > 0, (SELECT sum(length(data)) FROM firing_event WHERE firing = id), 0), seq"
/* Said, not left to SQLite: it knows nothing of how few rows are set aside, or how many. */
#define BY_ASIDE " FROM firing INDEXED BY firing_aside WHERE ns = ?1 AND sensor = ?2 AND trigger = ?3 AND aside > 0"
#define BY_PLACE " FROM firing INDEXED BY firing_trigger WHERE ns = ?1 AND sensor = ?2 AND trigger = ?3 AND state = 'pending'"
#define NOT_ASIDE " AND (aside = 0 OR aside <> ?5)"

static sqlite3_stmt *
page_query(sqlite3 *db, const char *sql, const struct firing_page *p, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, sql, e);
	if (!q)
		return NULL;
	bind_trigger(q, p->ns, p->sensor, p->trigger);
	sqlite3_bind_int64(q, 4, p->after);
	sqlite3_bind_int64(q, 5, p->aside);
	return q;
}

static int
read_rows(sqlite3 *db, sqlite3_stmt *q, struct firing_page *p, void (*fn)(void *arg, const struct firing_row *r), void *arg, struct err *e)
{
	int rc;
	p->n = 0;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		struct firing_row r = { .attempt = (unsigned)sqlite3_column_int64(q, 1), .next_ns = sqlite3_column_int64(q, 2),
			                .created_ns = sqlite3_column_int64(q, 3), .reason = store_text(q, 4),
			                .gathered = sqlite3_column_int64(q, 5), .first_place = (size_t)sqlite3_column_int64(q, 6),
			                .bytes = sqlite3_column_int64(q, 7), .seq = sqlite3_column_int64(q, 8) };
		copy_id(r.id, store_text(q, 0));
		fn(arg, &r);
		p->n++;
	}
	sqlite3_reset(q);
	return rc == SQLITE_DONE ? 0 : read_failed(db, e);
}

int
firing_rows_queue(sqlite3 *db, struct firing_page *p, void (*fn)(void *arg, const struct firing_row *r), void *arg, struct err *e)
{
	sqlite3_stmt *q = page_query(db, PAGE_COLUMNS BY_PLACE NOT_ASIDE " AND seq > ?4 ORDER BY seq LIMIT ?6", p, e);
	if (!q)
		return -1;
	sqlite3_bind_int64(q, 6, (int64_t)p->limit);
	return read_rows(db, q, p, fn, arg, e);
}

int
firing_rows_aside(sqlite3 *db, struct firing_page *p, void (*fn)(void *arg, const struct firing_row *r), void *arg, struct err *e)
{
	sqlite3_stmt *q = page_query(db, PAGE_COLUMNS BY_ASIDE " AND aside = ?5 AND (next_ns, seq) > (?7, ?4) AND next_ns <= ?8"
	                                              " ORDER BY next_ns, seq LIMIT ?6", p, e);
	if (!q)
		return -1;
	sqlite3_bind_int64(q, 6, (int64_t)p->limit);
	sqlite3_bind_int64(q, 7, p->after_ns);
	sqlite3_bind_int64(q, 8, p->due_ns);
	if (read_rows(db, q, p, fn, arg, e) < 0)
		return -1;
	q = page_query(db, "SELECT min(next_ns)" BY_ASIDE " AND aside = ?5 AND next_ns > ?8", p, e);
	if (!q)
		return -1;
	sqlite3_bind_int64(q, 8, p->due_ns);
	return read_number(db, q, INT64_MAX, &p->next_ns, e);
}

int
firing_rows_mark(sqlite3 *db, const struct firing_page *p, int64_t *mark, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT max(aside) + 1" BY_ASIDE, e);
	if (!q)
		return -1;
	bind_trigger(q, p->ns, p->sensor, p->trigger);
	return read_number(db, q, 1, mark, e);
}

int
firing_rows_beyond(sqlite3 *db, const struct firing_page *p, size_t *n, struct err *e)
{
	int64_t count = 0;
	sqlite3_stmt *q = page_query(db, "SELECT count(*)" BY_PLACE NOT_ASIDE " AND seq > ?4", p, e);
	if (!q || read_number(db, q, 0, &count, e) < 0)
		return -1;
	*n = (size_t)count;
	return 0;
}

int
firing_row_events(sqlite3 *db, const char *id, struct arena *a, str **dependencies, struct event ***events, size_t *n, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT dependency, attributes, data FROM firing_event WHERE firing = ? ORDER BY place", e);
	if (!q)
		return -1;
	sqlite3_bind_text(q, 1, id, -1, SQLITE_STATIC);
	VEC(str) deps = { 0 };
	VEC(struct event *) evs = { 0 };
	int rc;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		struct event *ev = saved_event(store_text(q, 1), store_text(q, 2), e);
		if (!ev)
			break;
		*VEC_PUSH(&deps) = arena_dup(a, store_text(q, 0));
		*VEC_PUSH(&evs) = ev;
	}
	sqlite3_reset(q);
	if (rc != SQLITE_DONE) {
		for (size_t i = 0; i < evs.n; i++)
			event_unref(evs.p[i]);
		rc = rc == SQLITE_ROW ? -1 : read_failed(db, e);
	} else {
		*n = evs.n;
		*dependencies = ARENA_ARRAY(a, str, evs.n);
		*events = ARENA_ARRAY(a, struct event *, evs.n);
		if (evs.n) {
			memcpy(*dependencies, deps.p, evs.n * sizeof *deps.p);
			memcpy(*events, evs.p, evs.n * sizeof(struct event *));
		}
		rc = 0;
	}
	VEC_FREE(&deps);
	VEC_FREE(&evs);
	return rc;
}
