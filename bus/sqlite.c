/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/rows.h"

#include "core/log.h"

/* data comes last: what only looks at the other columns does not read the pages that a large body spills into. */
const char bus_schema_sql[] =
	"CREATE TABLE bus (id INTEGER PRIMARY KEY, ns TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (ns, name)) STRICT;"
	"CREATE TABLE bus_event (key INTEGER PRIMARY KEY, time INTEGER NOT NULL, pos INTEGER NOT NULL, crc INTEGER NOT NULL,"
	" id TEXT NOT NULL, source TEXT NOT NULL, subject TEXT NOT NULL, type TEXT NOT NULL, content_type TEXT NOT NULL,"
	" dedup TEXT, ext TEXT, data BLOB NOT NULL) STRICT;"
	"CREATE INDEX bus_event_id ON bus_event (id);"
	/* Delivery ids of events that retention removed before their window had passed. */
	"CREATE TABLE bus_delivery (key INTEGER PRIMARY KEY, time INTEGER NOT NULL, source TEXT NOT NULL, subject TEXT NOT NULL,"
	" dedup TEXT NOT NULL, id TEXT NOT NULL) STRICT;"
	"CREATE TABLE bus_cursor (bus INTEGER NOT NULL, grp TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (bus, grp))"
	" STRICT, WITHOUT ROWID;";

/* The columns of an event in the order that read_row expects them. */
#define COLUMNS "key, time, pos, crc, id, source, subject, type, content_type, dedup, ext, data"
enum column { COL_KEY, COL_TIME, COL_POS, COL_CRC, COL_ID, COL_SOURCE, COL_SUBJECT, COL_TYPE, COL_CONTENT_TYPE, COL_DEDUP, COL_EXT, COL_DATA };

enum { BUS_ID_BITS = 22 };

static int
sql_failed(sqlite3_stmt *q, const char *what, struct err *e)
{
	err_set(e, ERR_IO, "%s: %s", what, sqlite3_errmsg(sqlite3_db_handle(q)));
	sqlite3_reset(q);
	return -1;
}

/* ---- one event ------------------------------------------------------------------------------------------------ */

static uint32_t
crc_number(uint32_t crc, int64_t v)
{
	return store_crc32c(crc, (str){ (const char *)&v, sizeof v });
}

/* Length first, so that no byte can move from one column to the next; an absent value is not an empty one. */
static uint32_t
crc_text(uint32_t crc, str s)
{
	return store_crc32c(crc_number(crc, s.p ? (int64_t)s.n : -1), s);
}

/* Only the delivery id and the further attributes may be absent in a row. */
static str
present(str s)
{
	return s.p ? s : S("");
}

static uint32_t
row_crc(int64_t key, int64_t pos, const struct event *ev, str ext)
{
	uint32_t crc = crc_number(crc_number(crc_number(0, key), ev->time), pos);
	const str texts[] = { present(ev->id), present(ev->source), present(ev->subject), present(ev->type),
		present(ev->content_type), ev->dedup, ext, present(ev->data) };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		crc = crc_text(crc, texts[i]);
	return crc;
}

/* Further attributes as a JSON object; STR_NONE if there are none. */
static str
ext_text(const struct event *ev, struct arena *a)
{
	if (!ev->ext_n)
		return STR_NONE;
	struct val_map m = { 0 };
	for (size_t i = 0; i < ev->ext_n; i++)
		val_map_add(&m, ev->ext[i].key, val_str(ev->ext[i].value));
	struct val v = val_map_end(&m, a);
	return json_write(a, &v);
}

static int
read_ext(struct event *ev, str text, struct err *e)
{
	struct val v;
	if (!text.p)
		return 0;
	if (json_read(ev->arena, text, &v, e) < 0 || v.kind != VAL_MAP)
		return -1;
	ev->ext = ARENA_ARRAY(ev->arena, struct kvs_ext, v.n);
	for (; ev->ext_n < v.n && v.members[ev->ext_n].value.kind == VAL_STR; ev->ext_n++)
		ev->ext[ev->ext_n] = (struct kvs_ext){ val_key(&v.members[ev->ext_n]), val_text(&v.members[ev->ext_n].value) };
	return 0;
}

size_t
rows_size(const struct event *ev)
{
	return 64 + ev->id.n + ev->source.n + ev->subject.n + ev->type.n + ev->content_type.n + ev->dedup.n + ev->data.n;
}

int
rows_insert(sqlite3 *db, int64_t bus_id, int64_t pos, const struct event *ev, struct err *e)
{
	struct arena *scratch = ev->ext_n ? arena_new() : NULL;
	str ext = ext_text(ev, scratch);
	int64_t key = rows_key(bus_id, ev->seq);
	int64_t crc = row_crc(key, pos, ev, ext);
	int rc = store_exec(db, e, "INSERT INTO bus_event (" COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "iiiisssssssb", key,
	                    ev->time, pos, crc, present(ev->id), present(ev->source), present(ev->subject), present(ev->type),
	                    present(ev->content_type), ev->dedup, ext, present(ev->data));
	arena_free(scratch);
	return rc;
}

/* The current row as an event with one reference; NULL if it is damaged. */
static struct event *
read_row(sqlite3_stmt *q, str ns)
{
	struct event *ev = event_bare();
	struct arena *a = ev->arena;
	int64_t key = sqlite3_column_int64(q, COL_KEY);
	ev->seq = key & ((INT64_C(1) << ROWS_SEQ_BITS) - 1);
	ev->ns = arena_dup(a, ns);
	ev->time = sqlite3_column_int64(q, COL_TIME);
	ev->id = arena_dup(a, store_text(q, COL_ID));
	ev->source = arena_dup(a, store_text(q, COL_SOURCE));
	ev->subject = arena_dup(a, store_text(q, COL_SUBJECT));
	ev->type = arena_dup(a, store_text(q, COL_TYPE));
	ev->content_type = arena_dup(a, store_text(q, COL_CONTENT_TYPE));
	ev->dedup = arena_dup(a, store_text(q, COL_DEDUP));
	ev->data = arena_dup(a, store_text(q, COL_DATA));
	str ext = arena_dup(a, store_text(q, COL_EXT));
	struct err e;
	uint32_t crc = row_crc(key, sqlite3_column_int64(q, COL_POS), ev, ext);
	if (crc == (uint32_t)sqlite3_column_int64(q, COL_CRC) && read_ext(ev, ext, &e) == 0)
		return ev;
	char number[24];
	snprintf(number, sizeof number, "%lld", (long long)ev->seq);
	log_error("an event's row is damaged: its checksum does not fit; it is passed over", "namespace", str_z(a, ns), "seq", number,
	          NULL);
	event_unref(ev);
	return NULL;
}

/* ---- open ----------------------------------------------------------------------------------------------------- */

/*
 * A bus gets its number from its name, so that opening a new one waits for no commit; the next free one if another bus has
 * it. Two new buses of one turn with the same number (one chance in four million) fail that turn, and the restart
 * finds the first in its place.
 */
static int
find_id(sqlite3 *db, struct rows_open *o, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT id FROM bus WHERE ns = ? AND name = ?", e);
	if (!q)
		return -1;
	sqlite3_bind_text64(q, 1, o->ns.p, o->ns.n, SQLITE_STATIC, SQLITE_UTF8);
	sqlite3_bind_text64(q, 2, o->name.p, o->name.n, SQLITE_STATIC, SQLITE_UTF8);
	int rc = sqlite3_step(q);
	o->is_new = rc == SQLITE_DONE;
	if (rc == SQLITE_ROW)
		o->id = sqlite3_column_int64(q, 0);
	else if (rc != SQLITE_DONE)
		return sql_failed(q, "reading the bus", e);
	sqlite3_reset(q);
	if (!o->is_new)
		return 0;
	o->id = crc_text(crc_text(0, o->ns), o->name) & ((1u << BUS_ID_BITS) - 1);
	for (;; o->id = (o->id + 1) & ((1u << BUS_ID_BITS) - 1)) {
		if (!(q = store_prepare(db, "SELECT 1 FROM bus WHERE id = ?", e)))
			return -1;
		sqlite3_bind_int64(q, 1, o->id);
		rc = sqlite3_step(q);
		if (rc != SQLITE_ROW && rc != SQLITE_DONE)
			return sql_failed(q, "reading the bus", e);
		sqlite3_reset(q);
		if (rc == SQLITE_DONE && o->id != 0)
			return 0;
	}
}

int
rows_create(sqlite3 *db, void *arg, struct err *e)
{
	const struct rows_open *o = arg;
	return store_exec(db, e, "INSERT INTO bus (id, ns, name) VALUES (?, ?, ?)", "iss", o->id, o->ns, o->name);
}

static int
read_head(sqlite3 *db, struct rows_open *o, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT key, pos FROM bus_event WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT 1", e);
	if (!q)
		return -1;
	sqlite3_bind_int64(q, 1, rows_key(o->id, 0));
	sqlite3_bind_int64(q, 2, rows_key(o->id + 1, 0) - 1);
	int rc = sqlite3_step(q);
	if (rc == SQLITE_ROW) {
		o->head = sqlite3_column_int64(q, 0) - rows_key(o->id, 0);
		o->head_pos = sqlite3_column_int64(q, 1);
	} else if (rc != SQLITE_DONE) {
		return sql_failed(q, "reading the log's end", e);
	}
	sqlite3_reset(q);
	return 0;
}

static int
read_cursors(sqlite3 *db, struct rows_open *o, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT grp, seq FROM bus_cursor WHERE bus = ?", e);
	if (!q)
		return -1;
	sqlite3_bind_int64(q, 1, o->id);
	int rc;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW)
		*VEC_PUSH(&o->cursors) =
			(struct rows_cursor){ arena_dup(o->arena, store_text(q, 0)), sqlite3_column_int64(q, 1) };
	if (rc != SQLITE_DONE)
		return sql_failed(q, "reading cursors", e);
	sqlite3_reset(q);
	return 0;
}

/* Newest first, until the window is over. */
static int
read_deliveries(sqlite3 *db, struct rows_open *o, const char *sql, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, sql, e);
	if (!q)
		return -1;
	sqlite3_bind_int64(q, 1, rows_key(o->id, 0));
	sqlite3_bind_int64(q, 2, rows_key(o->id + 1, 0) - 1);
	int rc = SQLITE_DONE;
	while (o->dedup->n < DEDUP_MAX && (rc = sqlite3_step(q)) == SQLITE_ROW) {
		int64_t time = sqlite3_column_int64(q, 1);
		if (time < o->dedup_since) {
			rc = SQLITE_DONE;
			break;
		}
		if (sqlite3_column_type(q, 4) == SQLITE_NULL)
			continue;
		struct dedup_entry entry = { sqlite3_column_int64(q, 0) - rows_key(o->id, 0), time, store_text(q, 5) };
		dedup_add(o->dedup, store_text(q, 2), store_text(q, 3), store_text(q, 4), &entry);
	}
	if (o->dedup->n < DEDUP_MAX && rc != SQLITE_DONE)
		return sql_failed(q, "reading delivery ids", e);
	sqlite3_reset(q);
	return 0;
}

int
rows_open(sqlite3 *db, void *arg, struct err *e)
{
	struct rows_open *o = arg;
	static const char events[] = "SELECT key, time, source, subject, dedup, id FROM bus_event WHERE key BETWEEN ? AND ? ORDER BY key DESC";
	static const char removed[] =
		"SELECT key, time, source, subject, dedup, id FROM bus_delivery WHERE key BETWEEN ? AND ? ORDER BY key DESC";
	if (find_id(db, o, e) < 0)
		return -1;
	if (o->is_new)
		return 0;
	return read_head(db, o, e) < 0 || read_cursors(db, o, e) < 0 || read_deliveries(db, o, events, e) < 0 ||
	       read_deliveries(db, o, removed, e) < 0 ? -1 : 0;
}

/* ---- cursors -------------------------------------------------------------------------------------------------- */

int
rows_set_cursor(sqlite3 *db, int64_t bus_id, str group, int64_t seq, struct err *e)
{
	return store_exec(db, e, "INSERT INTO bus_cursor (bus, grp, seq) VALUES (?, ?, ?) ON CONFLICT (bus, grp) DO UPDATE SET seq = excluded.seq",
	                  "isi", bus_id, group, seq);
}

int
rows_delete_cursor(sqlite3 *db, int64_t bus_id, str group, struct err *e)
{
	return store_exec(db, e, "DELETE FROM bus_cursor WHERE bus = ? AND grp = ?", "is", bus_id, group);
}

/* ---- reading -------------------------------------------------------------------------------------------------- */

int
rows_read_page(sqlite3 *db, struct rows_page *page, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT " COLUMNS " FROM bus_event WHERE key BETWEEN ? AND ? ORDER BY key", e);
	if (!q)
		return -1;
	sqlite3_bind_int64(q, 1, rows_key(page->bus_id, page->from));
	sqlite3_bind_int64(q, 2, rows_key(page->bus_id, page->to));
	size_t bytes = 0;
	int rc = SQLITE_DONE;
	page->next = page->from;
	while (page->events.n < page->max_events && bytes < page->max_bytes && (rc = sqlite3_step(q)) == SQLITE_ROW) {
		page->next = sqlite3_column_int64(q, COL_KEY) - rows_key(page->bus_id, 0) + 1;
		struct event *ev = read_row(q, page->ns);
		if (!ev)
			continue;
		bytes += rows_size(ev);
		*VEC_PUSH(&page->events) = ev;
	}
	if (rc == SQLITE_DONE && page->events.n < page->max_events && bytes < page->max_bytes)
		page->next = page->to + 1;
	else if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return sql_failed(q, "reading the log", e);
	sqlite3_reset(q);
	return 0;
}

/* ---- trimming ------------------------------------------------------------------------------------------------- */

/* The number behind the last event that goes: events go from the old end only, so one bound says it all. */
static int
find_end(sqlite3 *db, struct rows_trim *t, int64_t *end, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT key, time, pos FROM bus_event WHERE key BETWEEN ? AND ? ORDER BY key", e);
	if (!q)
		return -1;
	int64_t base = rows_key(t->bus_id, 0);
	sqlite3_bind_int64(q, 1, base);
	sqlite3_bind_int64(q, 2, rows_key(t->bus_id + 1, 0) - 1);
	int rc;
	*end = 0;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		int64_t seq = sqlite3_column_int64(q, 0) - base, time = sqlite3_column_int64(q, 1), pos = sqlite3_column_int64(q, 2);
		t->oldest = time;
		if (seq >= t->below || !(time < t->before_time || seq < t->keep_seq || pos <= t->keep_pos))
			break;
		if (t->removed == t->max) {
			t->more = true;
			break;
		}
		t->removed++;
		*end = seq + 1;
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return sql_failed(q, "reading the log's beginning", e);
	sqlite3_reset(q);
	return 0;
}

int
rows_trim(sqlite3 *db, struct rows_trim *t, struct err *e)
{
	int64_t end;
	if (find_end(db, t, &end, e) < 0)
		return -1;
	int64_t from = rows_key(t->bus_id, 0), to = rows_key(t->bus_id, end) - 1;
	if (t->removed == 0)
		return 0;
	if (store_exec(db, e, "INSERT OR IGNORE INTO bus_delivery (key, time, source, subject, dedup, id)"
	                      " SELECT key, time, source, subject, dedup, id FROM bus_event"
	                      " WHERE key BETWEEN ? AND ? AND dedup IS NOT NULL AND time >= ?", "iii", from, to, t->dedup_since) < 0)
		return -1;
	if (store_exec(db, e, "DELETE FROM bus_event WHERE key BETWEEN ? AND ?", "ii", from, to) < 0)
		return -1;
	return store_exec(db, e, "DELETE FROM bus_delivery WHERE key BETWEEN ? AND ? AND time < ?", "iii", from,
	                  rows_key(t->bus_id + 1, 0) - 1, t->dedup_since);
}

/* ---- queries -------------------------------------------------------------------------------------------------- */

struct log_id {
	int64_t id;
	str ns;
};

static int
find_logs(sqlite3 *db, const struct bus_query *query, struct arena *a, struct log_id **out, size_t *n, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT id, ns FROM bus WHERE (?1 IS NULL OR ns = ?1) AND (?2 IS NULL OR name = ?2) ORDER BY ns, name", e);
	if (!q)
		return -1;
	sqlite3_bind_text64(q, 1, query->ns.p, query->ns.n, SQLITE_STATIC, SQLITE_UTF8);
	sqlite3_bind_text64(q, 2, query->bus.p, query->bus.n, SQLITE_STATIC, SQLITE_UTF8);
	VEC(struct log_id) logs = { 0 };
	int rc;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW)
		*VEC_PUSH(&logs) = (struct log_id){ sqlite3_column_int64(q, 0), arena_dup(a, store_text(q, 1)) };
	*out = ARENA_ARRAY(a, struct log_id, logs.n);
	if (logs.n)
		memcpy(*out, logs.p, logs.n * sizeof *logs.p);
	*n = logs.n;
	VEC_FREE(&logs);
	if (rc != SQLITE_DONE)
		return sql_failed(q, "reading the buses", e);
	sqlite3_reset(q);
	return 0;
}

typedef VEC(struct event *) events;

static int
read_log(sqlite3 *db, const struct bus_query *query, const struct log_id *log, events *out, struct err *e)
{
#define MATCHES " FROM bus_event WHERE key BETWEEN ?1 AND ?2 AND (?3 IS NULL OR source = ?3) AND (?4 IS NULL OR subject = ?4)" \
	" AND ?5 IS NULL AND time >= ?6 "
	static const char up[] = "SELECT " COLUMNS MATCHES "ORDER BY key", down[] = "SELECT " COLUMNS MATCHES "ORDER BY key DESC";
	static const char by_id[] = "SELECT " COLUMNS " FROM bus_event INDEXED BY bus_event_id WHERE id = ?5 AND key BETWEEN ?1 AND ?2"
		" AND (?3 IS NULL OR source = ?3) AND (?4 IS NULL OR subject = ?4) AND time >= ?6";
#undef MATCHES
	const char *sql = query->id.p ? by_id : query->newest_first ? down : up;
	sqlite3_stmt *q = store_prepare(db, sql, e);
	if (!q)
		return -1;
	sqlite3_bind_int64(q, 1, rows_key(log->id, query->after_seq + 1));
	sqlite3_bind_int64(q, 2, rows_key(log->id + 1, 0) - 1);
	const str texts[] = { query->source, query->subject, query->id };
	for (int i = 0; i < (int)ARRAY_LEN(texts); i++)
		sqlite3_bind_text64(q, 3 + i, texts[i].p, texts[i].n, SQLITE_STATIC, SQLITE_UTF8);
	sqlite3_bind_int64(q, 6, query->since_ns);
	int rc = SQLITE_DONE;
	for (size_t found = 0; (!query->limit || found < query->limit) && (rc = sqlite3_step(q)) == SQLITE_ROW;) {
		struct event *ev = read_row(q, log->ns);
		if (!ev)
			continue;
		*VEC_PUSH(out) = ev;
		found++;
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return sql_failed(q, "reading the log", e);
	sqlite3_reset(q);
	return 0;
}

static int
by_time(const void *a, const void *b)
{
	const struct event *x = *(struct event *const *)a, *y = *(struct event *const *)b;
	return x->time != y->time ? (x->time > y->time) - (x->time < y->time) : (x->seq > y->seq) - (x->seq < y->seq);
}

static int
by_time_down(const void *a, const void *b)
{
	return by_time(b, a);
}

int
bus_read(sqlite3 *db, const struct bus_query *query, struct event ***out, size_t *n, struct arena *a, struct err *e)
{
	struct log_id *logs;
	size_t logs_n;
	if (find_logs(db, query, a, &logs, &logs_n, e) < 0)
		return -1;
	events found = { 0 };
	int rc = 0;
	for (size_t i = 0; i < logs_n && rc == 0; i++)
		rc = read_log(db, query, &logs[i], &found, e);
	if (logs_n > 1 && found.n) /* several logs have nothing in common but the clock */
		qsort(found.p, found.n, sizeof *found.p, query->newest_first ? by_time_down : by_time);
	size_t keep = rc == 0 ? query->limit && query->limit < found.n ? query->limit : found.n : 0;
	for (size_t i = keep; i < found.n; i++)
		event_unref(found.p[i]);
	if (rc == 0) {
		*out = ARENA_ARRAY(a, struct event *, keep);
		if (keep)
			memcpy(*out, found.p, keep * sizeof *found.p);
		*n = keep;
	}
	VEC_FREE(&found);
	return rc;
}

int
bus_find(sqlite3 *db, str ns, str id, struct arena *a, struct event **out, str *bus, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT b.name FROM bus_event INDEXED BY bus_event_id JOIN bus b ON b.id = bus_event.key >> 40"
	                                    " WHERE bus_event.id = ? AND b.ns = ? LIMIT 1", e);
	*out = NULL;
	if (!q)
		return -1;
	sqlite3_bind_text64(q, 1, id.p, id.n, SQLITE_STATIC, SQLITE_UTF8);
	sqlite3_bind_text64(q, 2, ns.p, ns.n, SQLITE_STATIC, SQLITE_UTF8);
	int rc = sqlite3_step(q);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return sql_failed(q, "looking for an event", e);
	*bus = rc == SQLITE_ROW ? arena_dup(a, store_text(q, 0)) : STR_NONE;
	sqlite3_reset(q);
	if (rc == SQLITE_DONE)
		return 0;
	struct bus_query query = { .ns = ns, .bus = *bus, .id = id, .limit = 1 };
	struct event **found;
	size_t n;
	if (bus_read(db, &query, &found, &n, a, e) < 0)
		return -1;
	*out = n ? found[0] : NULL; /* damaged rows are left out */
	return 0;
}
