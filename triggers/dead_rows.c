/* SPDX-License-Identifier: Apache-2.0 */
/* How dead letters lie in the store and are chosen. Everything here runs on the writer's or a pool thread, or at start-up. */
#include "core/log.h"
#include "triggers/dead_impl.h"
#include "triggers/saved.h"

/* What a dlqTrigger gave up belongs to its trigger. */
#define CHOSEN                                                                                                              \
	" FROM firing WHERE state = 'dead' AND (?1 IS NULL OR id = ?1) AND (?2 IS NULL OR ns = ?2) AND (?3 IS NULL OR sensor = ?3)" \
	" AND (?4 IS NULL OR trigger = ?4 OR trigger = ?4 || '" FIRING_DLQ_NAME "') AND (?5 IS NULL OR instr(reason, ?5) > 0)"     \
	" AND created_ns >= ?6 AND (?7 = 0 OR created_ns < ?7) AND seq > ?8 AND (?9 = 0 OR seq <= ?9)"

static void
bind_text(sqlite3_stmt *q, int at, str s)
{
	if (s.n)
		sqlite3_bind_text(q, at, s.p, (int)s.n, SQLITE_STATIC);
}

static void
bind_choice(sqlite3_stmt *q, const struct dead_choice *c)
{
	const str texts[] = { c->id, c->ns, c->sensor, c->trigger, c->reason };
	const int64_t numbers[] = { c->since_ns, c->before_ns, c->after, c->until };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		bind_text(q, (int)i + 1, texts[i]);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		sqlite3_bind_int64(q, (int)i + 6, numbers[i]);
}

static int
read_failed(sqlite3 *db, struct err *e)
{
	return err_set(e, ERR_IO, "reading dead letters: %s", sqlite3_errmsg(db));
}

int
dead_rows_read(sqlite3 *db, const struct dead_choice *c, struct arena *a, struct dead_row **out, size_t *n, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT seq, id, ns, sensor, trigger, attempt, created_ns, reason" CHOSEN " ORDER BY seq LIMIT ?10", e);
	if (!q)
		return -1;
	VEC(struct dead_row) rows = { 0 };
	int rc;
	bind_choice(q, c);
	sqlite3_bind_int64(q, 10, c->limit ? (int64_t)c->limit : -1);
	while ((rc = sqlite3_step(q)) == SQLITE_ROW)
		*VEC_PUSH(&rows) = (struct dead_row){ .seq = sqlite3_column_int64(q, 0), .id = arena_dup(a, store_text(q, 1)),
			.ns = arena_dup(a, store_text(q, 2)), .sensor = arena_dup(a, store_text(q, 3)), .trigger = arena_dup(a, store_text(q, 4)),
			.attempt = sqlite3_column_int64(q, 5), .created_ns = sqlite3_column_int64(q, 6), .reason = arena_dup(a, store_text(q, 7)) };
	sqlite3_reset(q);
	*n = rows.n;
	*out = ARENA_ARRAY(a, struct dead_row, rows.n);
	if (rows.n)
		memcpy(*out, rows.p, rows.n * sizeof *rows.p);
	VEC_FREE(&rows);
	return rc == SQLITE_DONE ? 0 : read_failed(db, e);
}

int
dead_rows_newest(sqlite3 *db, int64_t *seq, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT ifnull(max(seq), 0) FROM firing", e);
	if (!q)
		return -1;
	int rc = sqlite3_step(q);
	*seq = rc == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
	sqlite3_reset(q);
	return rc == SQLITE_ROW ? 0 : read_failed(db, e);
}

static int
drop_chosen(sqlite3 *db, const char *sql, const struct dead_choice *c, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, sql, e);
	if (!q)
		return -1;
	bind_choice(q, c);
	int rc = sqlite3_step(q);
	sqlite3_reset(q);
	return rc == SQLITE_DONE ? 0 : err_set(e, ERR_IO, "dropping dead letters: %s", sqlite3_errmsg(db));
}

int
dead_rows_drop(sqlite3 *db, const struct dead_choice *c, struct err *e)
{
	if (drop_chosen(db, "DELETE FROM firing_event WHERE firing IN (SELECT id" CHOSEN ")", c, e) < 0)
		return -1;
	return drop_chosen(db, "DELETE" CHOSEN, c, e);
}

int
dead_rows_trim(sqlite3 *db, const struct firing_row *r, struct err *e)
{
#define SURPLUS "SELECT id FROM firing WHERE ns = ? AND sensor = ? AND trigger = ? AND state = 'dead' ORDER BY seq DESC LIMIT -1 OFFSET ?"
	if (store_exec(db, e, "DELETE FROM firing_event WHERE firing IN (" SURPLUS ")", "sssi", r->ns, r->sensor, r->trigger, r->dead_keep) < 0)
		return -1;
	if (store_exec(db, e, "DELETE FROM firing WHERE id IN (" SURPLUS ")", "sssi", r->ns, r->sensor, r->trigger, r->dead_keep) < 0)
		return -1;
#undef SURPLUS
	if (sqlite3_changes(db) > 0)
		log_warn("the oldest dead letters were dropped: too many of this trigger", "sensor", r->sensor.p, "trigger", r->trigger.p, NULL);
	return 0;
}

static int
read_counts(sqlite3 *db, sqlite3_stmt *q, void (*fn)(void *arg, str ns, str sensor, str trigger, int64_t n), void *arg, struct err *e)
{
	int rc;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW)
		fn(arg, store_text(q, 0), store_text(q, 1), store_text(q, 2), sqlite3_column_int64(q, 3));
	sqlite3_reset(q);
	return rc == SQLITE_DONE ? 0 : read_failed(db, e);
}

int
dead_rows_count(sqlite3 *db, void (*fn)(void *arg, str ns, str sensor, str trigger, int64_t n), void *arg, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT ns, sensor, trigger, count(*) FROM firing WHERE state = 'dead' GROUP BY ns, sensor, trigger", e);
	return q ? read_counts(db, q, fn, arg, e) : -1;
}

int
dead_rows_count_chosen(sqlite3 *db, const struct dead_choice *c, void (*fn)(void *arg, str ns, str sensor, str trigger, int64_t n), void *arg,
                       struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT ns, sensor, trigger, count(*)" CHOSEN " GROUP BY ns, sensor, trigger", e);
	if (!q)
		return -1;
	bind_choice(q, c);
	return read_counts(db, q, fn, arg, e);
}

/* ---- shown ---------------------------------------------------------------------------------------------------------- */

static struct val
event_shown(const struct event *ev, str dependency, bool data, struct arena *a)
{
	struct val_map m = { 0 };
	struct val v;
	struct err ignored;
	val_map_add(&m, S("dependency"), val_str(dependency));
	val_map_add(&m, S("id"), val_str(arena_dup(a, ev->id)));
	val_map_add(&m, S("source"), val_str(arena_dup(a, ev->source)));
	val_map_add(&m, S("subject"), val_str(arena_dup(a, ev->subject)));
	val_map_add(&m, S("time"), val_str(time_rfc3339_nano(a, ev->time)));
	val_map_add(&m, S("size"), val_int((int64_t)ev->data.n));
	if (data) {
		str text = arena_dup(a, ev->data);
		val_map_add(&m, S("data"), json_read(a, text, &v, &ignored) == 0 ? v : val_str(text));
	}
	return val_map_end(&m, a);
}

static int
row_shown(sqlite3 *db, const struct dead_row *r, bool data, struct arena *a, struct val *out, struct err *e)
{
	struct val_map m = { 0 };
	struct val_list list = { 0 };
	struct event **events;
	str *dependencies;
	size_t n;
	if (firing_row_events(db, r->id.p, a, &dependencies, &events, &n, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		val_list_add(&list, event_shown(events[i], dependencies[i], data, a));
		event_unref(events[i]);
	}
	val_map_add(&m, S("seq"), val_int(r->seq));
	val_map_add(&m, S("id"), val_str(r->id));
	val_map_add(&m, S("namespace"), val_str(r->ns));
	val_map_add(&m, S("sensor"), val_str(r->sensor));
	val_map_add_str(&m, S("trigger"), r->trigger);
	val_map_add(&m, S("attempts"), val_int(r->attempt));
	val_map_add(&m, S("time"), val_str(time_rfc3339_nano(a, r->created_ns)));
	val_map_add(&m, S("reason"), val_str(r->reason));
	val_map_add(&m, S("events"), val_list_end(&list, a));
	*out = val_map_end(&m, a);
	return 0;
}

int
dead_letters_read(sqlite3 *db, const struct dead_choice *c, bool data, struct arena *a, struct val *out, struct err *e)
{
	struct dead_row *rows;
	struct val_list list = { 0 };
	size_t n;
	int rc = dead_rows_read(db, c, a, &rows, &n, e);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct val v;
		rc = row_shown(db, &rows[i], data, a, &v, e);
		if (rc == 0)
			val_list_add(&list, v);
	}
	*out = val_list_end(&list, a);
	return rc;
}
