/* SPDX-License-Identifier: Apache-2.0 */
#include "sensors/rows.h"

#include "core/map.h"
#include "sensors/sensor.h"
#include "triggers/firing.h"
#include "triggers/saved.h"

const char sensor_schema_sql[] = ROWS_SCHEMA_SQL FIRING_SCHEMA_SQL;
const char sensor_waiting_sql[] = ROWS_WAITING_SQL;
const char sensor_explain_sql[] = ROWS_EXPLAIN_SQL VERSION_SCHEMA_SQL;

enum {
	TRIM_EVERY = 1000,
	BATCH_MAX = 8, /* then it is passed on: the writer works while a long turn goes on */
};

struct rows;

/* One statement to come; everything in it belongs to the batch. */
struct change {
	int (*write)(sqlite3 *db, const struct change *c, struct err *e);
	int64_t sensor, key;
	struct decision d;
	bool final;
	struct saved_row row;
	str ns, name;
	struct event *ev;
	struct check check;
	str outline;
};

struct batch {
	struct arena *arena;
	VEC(struct change) changes;
};

struct rows {
	struct loop *loop;
	struct store *store;
	struct batch *batch; /* of this turn; NULL: nothing yet */
	int64_t last_id;     /* given to a sensor; 0: not asked yet */
	struct map heads;    /* sensor number -> struct head */
	bool freed, deferred;
	rows_told *told; /* NULL: decisions are written */
	void *told_arg;
};

/* Where a sensor's ring stands. */
struct head {
	int64_t sensor, count;
	char key[24];
};

/* ---- the turn's batch -------------------------------------------------------------------------------------------------- */

static int
write_batch(sqlite3 *db, void *arg, struct err *e)
{
	struct batch *b = arg;
	for (size_t i = 0; i < b->changes.n; i++)
		if (b->changes.p[i].write(db, &b->changes.p[i], e) < 0)
			return -1;
	return 0;
}

static void
free_batch(void *arg)
{
	struct batch *b = arg;
	for (size_t i = 0; i < b->changes.n; i++)
		event_unref(b->changes.p[i].ev);
	VEC_FREE(&b->changes);
	arena_free(b->arena);
	free(b);
}

static void
hand_over(struct rows *r)
{
	if (r->batch)
		store_write(r->store, write_batch, r->batch, free_batch);
	r->batch = NULL;
}

static void
end_of_turn(void *arg)
{
	struct rows *r = arg;
	r->deferred = false;
	if (r->freed)
		free(r);
	else
		hand_over(r);
}

static struct change *
change(struct rows *r, int64_t sensor, int (*write)(sqlite3 *db, const struct change *c, struct err *e))
{
	if (r->batch && r->batch->changes.n == BATCH_MAX)
		hand_over(r);
	if (!r->batch) {
		r->batch = MEM_NEW(struct batch);
		r->batch->arena = arena_new();
	}
	if (!r->deferred)
		loop_defer(r->loop, end_of_turn, r);
	r->deferred = true;
	struct change *c = VEC_PUSH(&r->batch->changes);
	c->write = write;
	c->sensor = sensor;
	return c;
}

struct rows *
rows_new(struct loop *l, struct store *s)
{
	struct rows *r = MEM_NEW(struct rows);
	r->loop = l;
	r->store = s;
	return r;
}

void
rows_free(struct rows *r)
{
	if (!r)
		return;
	hand_over(r);
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&r->heads, &i));)
		free(slot->value);
	map_free(&r->heads);
	r->freed = true;
	if (!r->deferred)
		free(r);
}

/* ---- statements ---------------------------------------------------------------------------------------------------------- */

/* Keys of a sensor's ring below the newest ROWS_RING. */
static int
trim(sqlite3 *db, const struct change *c, struct err *e)
{
	return store_exec(db, e, "DELETE FROM sensor_decision WHERE key >= ? AND key <= ?", "ii", c->sensor << ROWS_KEY_BITS, c->key - ROWS_RING);
}

/* Most are about an event that the filters stopped, and such a row has few columns. */
static int
insert_short(sqlite3 *db, const struct change *c, struct err *e)
{
	const struct decision *d = &c->d;
	return store_exec(db, e,
	                  "INSERT INTO sensor_decision (key, event, time_ns, dependency, verdict, version, why, trace) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
	                  "isissiis", c->key, d->event, d->time_ns, d->dependency, str_c(d->verdict), d->version, d->why, d->trace);
}

static int
insert_whole(sqlite3 *db, const struct change *c, struct err *e)
{
	const struct decision *d = &c->d;
	return store_exec(db, e,
	                  "INSERT INTO sensor_decision (key, event, time_ns, dependency, trigger, verdict, reason, result, firing, version, trace, held,"
	                  " attempts, tries) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, nullif(?, 0), ?)",
	                  "isissssssissis", c->key, d->event, d->time_ns, d->dependency, d->trigger, str_c(d->verdict), d->reason, d->result, d->firing,
	                  d->version, d->trace, d->held, (int64_t)d->attempts, d->tried);
}

static int
insert_decision(sqlite3 *db, const struct change *c, struct err *e)
{
	if ((c->d.why >= 0 ? insert_short(db, c, e) : insert_whole(db, c, e)) < 0)
		return -1;
	return c->key % TRIM_EVERY ? 0 : trim(db, c, e);
}

static int
update_decision(sqlite3 *db, const struct change *c, struct err *e)
{
	const struct decision *d = &c->d;
	return store_exec(db, e,
	                  "UPDATE sensor_decision SET verdict = ?, reason = ?, result = ?, firing = ?, held = ?, attempts = nullif(?, 0), ended_ns = ?"
	                  " WHERE key = (SELECT max(key) FROM sensor_decision WHERE event = ? AND key BETWEEN ? AND ? AND dependency = ? AND trigger IS ?)",
	                  "sssssiisiiss", str_c(d->verdict), d->reason, d->result, d->firing, d->held, (int64_t)d->attempts, d->time_ns, d->event,
	                  c->sensor << ROWS_KEY_BITS, ((c->sensor + 1) << ROWS_KEY_BITS) - 1, d->dependency, d->trigger);
}

static int
update_reported(sqlite3 *db, const struct change *c, struct err *e)
{
	const struct decision *d = &c->d;
	str firing = c->final ? STR_NONE : d->firing;
	if (d->tried.p && store_exec(db, e,
	                             "UPDATE sensor_decision SET tries = iif(length(ifnull(tries, '')) < ?, ifnull(tries || char(10), '') || ?, tries)"
	                             " WHERE firing = ?",
	                             "iss", (int64_t)ROWS_TRIES_MAX, d->tried, d->firing) < 0)
		return -1;
	return store_exec(db, e,
	                  "UPDATE sensor_decision SET verdict = ?, reason = ?, result = ?, firing = ?, attempts = nullif(?, 0), ended_ns = ?"
	                  " WHERE firing = ?",
	                  "ssssiis", str_c(d->verdict), d->reason, d->result, firing, (int64_t)d->attempts, d->time_ns, d->firing);
}

static int
insert_waiting(sqlite3 *db, const struct change *c, struct err *e)
{
	struct arena *a = arena_new();
	const struct saved_row *w = &c->row;
	int rc = store_exec(db, e,
	                    "INSERT INTO sensor_waiting (sensor, place, trigger, dependency, signature, key, attributes, data)"
	                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
	                    "iisssssb", c->sensor, w->place, w->trigger, w->dependency, w->signature, w->key, saved_attributes(c->ev, a),
	                    c->ev->data.p ? c->ev->data : S(""));
	arena_free(a);
	return rc;
}

static int
delete_waiting(sqlite3 *db, const struct change *c, struct err *e)
{
	return store_exec(db, e, "DELETE FROM sensor_waiting WHERE sensor = ? AND place = ?", "ii", c->sensor, c->row.place);
}

static int
delete_sensor(sqlite3 *db, const struct change *c, struct err *e)
{
	static const char *const tables[] = { "DELETE FROM sensor_waiting WHERE sensor = ?", "DELETE FROM sensor_version WHERE sensor = ?",
		                              "DELETE FROM sensor_check WHERE sensor = ?" };
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		if (store_exec(db, e, tables[i], "i", c->sensor) < 0)
			return -1;
	return store_exec(db, e, "DELETE FROM sensor_decision WHERE key BETWEEN ? AND ?", "ii", c->sensor << ROWS_KEY_BITS,
	                  ((c->sensor + 1) << ROWS_KEY_BITS) - 1);
}

/* Versions that no decision in the ring was made with. */
#define UNUSED_VERSIONS \
	" WHERE sensor = ?1 AND version <> ?2 AND version NOT IN (SELECT version FROM sensor_decision WHERE key BETWEEN ?3 AND ?4 AND version IS NOT NULL)"

static int
insert_version(sqlite3 *db, const struct change *c, struct err *e)
{
	static const char *const gone[] = { "DELETE FROM sensor_check" UNUSED_VERSIONS, "DELETE FROM sensor_version" UNUSED_VERSIONS };
	for (size_t i = 0; i < ARRAY_LEN(gone); i++)
		if (store_exec(db, e, gone[i], "iiii", c->sensor, c->d.version, c->sensor << ROWS_KEY_BITS, ((c->sensor + 1) << ROWS_KEY_BITS) - 1) < 0)
			return -1;
	return store_exec(db, e, "INSERT OR IGNORE INTO sensor_version (sensor, version, time_ns, outline) VALUES (?, ?, ?, ?)", "iiis", c->sensor,
	                  c->d.version, c->d.time_ns, c->outline);
}

static int
insert_check(sqlite3 *db, const struct change *c, struct err *e)
{
	const struct check *k = &c->check;
	return store_exec(db, e,
	                  "INSERT OR IGNORE INTO sensor_check (sensor, version, number, kind, what, want, otherwise, place) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
	                  "iiisssss", c->sensor, c->d.version, c->d.why, str_c(k->kind), k->what, k->want, str_c(k->otherwise), k->place);
}

static int
insert_sensor(sqlite3 *db, const struct change *c, struct err *e)
{
	return store_exec(db, e, "INSERT INTO sensor (id, ns, name) VALUES (?, ?, ?)", "iss", c->sensor, c->ns, c->name);
}

/* ---- changes -------------------------------------------------------------------------------------------------------------- */

static struct head *
head_of(struct rows *r, int64_t sensor)
{
	char key[24];
	int n = text_format(key, sizeof key, "%lld", (long long)sensor);
	struct head *h = map_get(&r->heads, (str){ key, (size_t)n });
	if (h)
		return h;
	h = MEM_NEW(struct head);
	h->sensor = sensor;
	memcpy(h->key, key, sizeof key);
	map_put(&r->heads, (str){ h->key, (size_t)n }, h);
	return h;
}

static struct change *
deciding(struct rows *r, int64_t sensor, const struct decision *d, int (*write)(sqlite3 *db, const struct change *c, struct err *e))
{
	struct change *c = change(r, sensor, write);
	struct arena *a = r->batch->arena;
	c->d = *d;
	str *const texts[] = { &c->d.event, &c->d.dependency, &c->d.trigger, &c->d.reason, &c->d.result, &c->d.firing, &c->d.trace, &c->d.held,
		               &c->d.tried };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		*texts[i] = arena_dup(a, *texts[i]);
	return c;
}

void
rows_tell(struct rows *r, rows_told *told, void *arg)
{
	r->told = told;
	r->told_arg = arg;
}

/* Whether nothing is written; a decision is told. */
static bool
only_told(struct rows *r, enum rows_how how, int64_t sensor, const struct decision *d)
{
	if (r->told && d)
		r->told(r->told_arg, how, sensor, d);
	return r->told;
}

void
rows_decide(struct rows *r, int64_t sensor, const struct decision *d)
{
	if (only_told(r, ROWS_NEW, sensor, d))
		return;
	struct change *c = deciding(r, sensor, d, insert_decision);
	c->key = sensor << ROWS_KEY_BITS | ++head_of(r, sensor)->count;
}

void
rows_redecide(struct rows *r, int64_t sensor, const struct decision *d)
{
	if (!only_told(r, ROWS_CHANGED, sensor, d))
		(void)deciding(r, sensor, d, update_decision);
}

void
rows_report(struct rows *r, int64_t sensor, const struct decision *d, bool final)
{
	if (!only_told(r, ROWS_REPORTED, sensor, d))
		deciding(r, sensor, d, update_reported)->final = final;
}

void
rows_save(struct rows *r, int64_t sensor, const struct saved_row *row, struct event *ev)
{
	if (only_told(r, ROWS_NEW, sensor, NULL))
		return;
	struct change *c = change(r, sensor, insert_waiting);
	struct arena *a = r->batch->arena;
	c->row = (struct saved_row){ row->place, arena_dup(a, row->trigger), arena_dup(a, row->dependency), arena_dup(a, row->signature),
		                     row->key.n ? arena_dup(a, row->key) : S("") };
	c->ev = event_ref(ev);
}

void
rows_unsave(struct rows *r, int64_t sensor, int64_t place)
{
	if (!only_told(r, ROWS_NEW, sensor, NULL))
		change(r, sensor, delete_waiting)->row.place = place;
}

void
rows_version(struct rows *r, int64_t sensor, int64_t version, int64_t now_ns, str outline)
{
	struct change *c = change(r, sensor, insert_version);
	c->d.version = version;
	c->d.time_ns = now_ns;
	c->outline = arena_dup(r->batch->arena, outline);
}

/* Empty, not absent: the columns are never NULL. */
static str
kept(struct arena *a, str s)
{
	return s.n ? arena_dup(a, s) : S("");
}

void
rows_check(struct rows *r, int64_t sensor, int64_t version, int64_t number, const struct check *k)
{
	struct change *c = change(r, sensor, insert_check);
	struct arena *a = r->batch->arena;
	c->d.version = version;
	c->d.why = number;
	c->check = (struct check){ k->kind, kept(a, k->what), kept(a, k->want), k->otherwise, kept(a, k->place) };
}

void
rows_drop_sensor(struct rows *r, int64_t sensor)
{
	(void)change(r, sensor, delete_sensor);
}

/* ---- reading ------------------------------------------------------------------------------------------------------------------ */

static int
read_failed(sqlite3 *db, struct err *e)
{
	return err_set(e, ERR_IO, "reading sensors: %s", sqlite3_errmsg(db));
}

struct find {
	struct rows *r;
	str ns, name;
	int64_t id, count;
};

static int
one_number(sqlite3_stmt *q, int64_t *out)
{
	int rc = sqlite3_step(q);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(q, 0);
	sqlite3_reset(q);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : -1;
}

static int
find_sensor(sqlite3 *db, void *arg, struct err *e)
{
	struct find *f = arg;
	sqlite3_stmt *q = store_prepare(db, "SELECT id FROM sensor WHERE ns = ? AND name = ?", e);
	if (!q)
		return -1;
	sqlite3_bind_text(q, 1, f->ns.p, (int)f->ns.n, SQLITE_STATIC);
	sqlite3_bind_text(q, 2, f->name.p, (int)f->name.n, SQLITE_STATIC);
	if (one_number(q, &f->id) < 0)
		return read_failed(db, e);
	int64_t last = 0, key = 0;
	q = store_prepare(db, "SELECT ifnull(max(id), 0) FROM sensor", e);
	if (!q || one_number(q, &last) < 0)
		return read_failed(db, e);
	if (last > f->r->last_id)
		f->r->last_id = last;
	q = store_prepare(db, "SELECT ifnull(max(key), 0) FROM sensor_decision WHERE key BETWEEN ? AND ?", e);
	if (!q)
		return -1;
	sqlite3_bind_int64(q, 1, f->id << ROWS_KEY_BITS);
	sqlite3_bind_int64(q, 2, ((f->id + 1) << ROWS_KEY_BITS) - 1);
	if (one_number(q, &key) < 0)
		return read_failed(db, e);
	f->count = key & ((INT64_C(1) << ROWS_KEY_BITS) - 1);
	return 0;
}

int
rows_sensor_id(struct rows *r, str ns, str name, int64_t *out, struct err *e)
{
	struct find f = { .r = r, .ns = ns, .name = name };
	if (store_read_now(r->store, find_sensor, &f, e) < 0)
		return -1;
	if (!f.id) {
		f.id = ++r->last_id;
		struct change *c = change(r, f.id, insert_sensor);
		c->ns = arena_dup(r->batch->arena, ns);
		c->name = arena_dup(r->batch->arena, name);
	}
	struct head *h = head_of(r, f.id);
	if (f.count > h->count)
		h->count = f.count;
	*out = f.id;
	return 0;
}

struct load {
	int64_t sensor;
	void (*fn)(void *arg, const struct saved_row *row, struct event *ev);
	void *arg;
};

static int
load_state(sqlite3 *db, void *arg, struct err *e)
{
	struct load *l = arg;
	sqlite3_stmt *q = store_prepare(db, "SELECT place, trigger, dependency, signature, key, attributes, data FROM sensor_waiting"
	                                     " WHERE sensor = ? ORDER BY place", e);
	if (!q)
		return -1;
	sqlite3_bind_int64(q, 1, l->sensor);
	int rc;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		struct event *ev = saved_event(store_text(q, 5), store_text(q, 6), e);
		if (!ev)
			break;
		struct saved_row row = { sqlite3_column_int64(q, 0), store_text(q, 1), store_text(q, 2), store_text(q, 3), store_text(q, 4) };
		l->fn(l->arg, &row, ev);
		event_unref(ev);
	}
	sqlite3_reset(q);
	if (rc == SQLITE_ROW)
		return err_wrap(e, "sensor state");
	return rc == SQLITE_DONE ? 0 : read_failed(db, e);
}

int
rows_load(struct rows *r, int64_t sensor, void (*fn)(void *arg, const struct saved_row *row, struct event *ev), void *arg, struct err *e)
{
	struct load l = { sensor, fn, arg };
	return store_read_now(r->store, load_state, &l, e);
}

str
decision_reason(sqlite3_stmt *q, int col, struct arena *a)
{
	str reason = store_text(q, col), kind = store_text(q, col + 2);
	struct trace t;
	if (reason.p || !kind.p)
		return arena_dup(a, reason);
	trace_read(store_text(q, col + 1), &t);
	const struct check c = { str_z(a, kind), store_text(q, col + 3), store_text(q, col + 4), str_z(a, store_text(q, col + 5)), store_text(q, col + 6) };
	return t.decided ? trace_reason(a, &c, &t.why) : STR_NONE;
}

/* ---- what `events` shows ------------------------------------------------------------------------------------------------------- */

static void
add_decision(struct val_list *out, sqlite3_stmt *q, struct arena *a)
{
	static const char *const names[] = { "sensor", "namespace", "dependency", "trigger", "verdict" };
	struct val_map m = { 0 };
	for (int i = 0; i < (int)ARRAY_LEN(names); i++)
		val_map_add_str(&m, str_c(names[i]), arena_dup(a, store_text(q, i)));
	val_map_add_str(&m, S("reason"), decision_reason(q, 5, a));
	struct val result;
	struct err ignored;
	str text = arena_dup(a, store_text(q, 5 + DECISION_REASON_COLUMNS));
	if (text.n && json_read(a, text, &result, &ignored) == 0)
		val_map_add(&m, S("result"), result);
	val_map_add(&m, S("time"), val_str(time_rfc3339_nano(a, sqlite3_column_int64(q, 6 + DECISION_REASON_COLUMNS))));
	val_list_add(out, val_map_end(&m, a));
}

int
sensor_decisions(sqlite3 *db, str ns, str event_id, struct arena *a, struct val *out, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db,
	                                "SELECT s.name, s.ns, d.dependency, d.trigger, d.verdict, " DECISION_REASON ", d.result, d.time_ns"
	                                " FROM sensor_decision d JOIN sensor s ON s.id = d.key >> 40 " DECISION_CHECK
	                                " WHERE d.event = ?1 AND (?2 IS NULL OR s.ns = ?2) ORDER BY d.key",
	                                e);
	if (!q)
		return -1;
	struct val_list list = { 0 };
	sqlite3_bind_text(q, 1, event_id.p, (int)event_id.n, SQLITE_STATIC);
	if (ns.p)
		sqlite3_bind_text(q, 2, ns.p, (int)ns.n, SQLITE_STATIC);
	int rc;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW)
		add_decision(&list, q, a);
	sqlite3_reset(q);
	*out = val_list_end(&list, a);
	return rc == SQLITE_DONE ? 0 : read_failed(db, e);
}
