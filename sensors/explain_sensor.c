/* SPDX-License-Identifier: Apache-2.0 */
/* A sensor as a whole: its last decisions counted by reason, and what its triggers wait for. */
#include "core/map.h"
#include "sensors/explain_impl.h"

enum { REASONS_MAX = 200 /* different ones that are told apart; what is beyond is counted as one */, SIGNATURE_MAX = 160 };

/* Decisions of one kind. */
struct reason {
	str verdict, dependency, trigger, text, event; /* text and event: of the latest */
	int64_t count, last_ns;
};

struct counting {
	struct arena *a;
	struct map by_kind; /* -> struct reason */
	VEC(struct reason *) reasons;
	struct reason others;
	int64_t n, fired, oldest_ns;
};

/* Reasons that differ in numbers, ids and what stands in quotes are one. */
static void
add_signature(struct buf *b, str reason)
{
	bool quoted = false;
	size_t from = b->n;
	for (size_t i = 0; i < reason.n && b->n - from < SIGNATURE_MAX; i++) {
		char c = reason.p[i];
		bool digit = c >= '0' && c <= '9';
		if (c == '"')
			quoted = !quoted;
		if (quoted || (digit && b->n > from && b->p[b->n - 1] == '#'))
			continue;
		buf_addc(b, digit ? '#' : c);
	}
}

/* Of a filtered one the check says what kind it is, whatever came. */
static str
kind_of(struct counting *c, sqlite3_stmt *q, str reason)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (int i = 0; i < 3; i++)
		buf_addf(&b, "%.*s%c", STR_ARG(store_text(q, i)), 0);
	if (store_text(q, 7).p)
		buf_addf(&b, "%.*s %.*s %.*s", STR_ARG(store_text(q, 7)), STR_ARG(store_text(q, 8)), STR_ARG(store_text(q, 11)));
	else
		add_signature(&b, reason);
	return arena_dup(c->a, buf_str(&b));
}

static struct reason *
reason_for(struct counting *c, sqlite3_stmt *q, str text)
{
	str kind = kind_of(c, q, text);
	struct reason *r = map_get(&c->by_kind, kind);
	if (r)
		return r;
	if (c->reasons.n == REASONS_MAX)
		return &c->others;
	r = ARENA_NEW(c->a, struct reason);
	*r = (struct reason){ .verdict = arena_dup(c->a, store_text(q, 2)), .dependency = arena_dup(c->a, store_text(q, 0)),
		              .trigger = arena_dup(c->a, store_text(q, 1)), .text = text, .event = arena_dup(c->a, store_text(q, 3)) };
	map_put(&c->by_kind, kind, r);
	*VEC_PUSH(&c->reasons) = r;
	return r;
}

/* Newest first: the first of a kind is its latest. */
static void
count(struct counting *c, sqlite3_stmt *q)
{
	int64_t at = sqlite3_column_int64(q, 4);
	struct reason *r = reason_for(c, q, decision_reason(q, 5, c->a));
	r->count++;
	r->last_ns = at > r->last_ns ? at : r->last_ns;
	c->n++;
	c->fired += str_eq(store_text(q, 2), S("fired"));
	c->oldest_ns = at;
}

static int
count_all(sqlite3 *db, int64_t sensor, const struct explain_query *x, struct counting *c, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db,
	                                "SELECT d.dependency, d.trigger, d.verdict, d.event, d.time_ns, " DECISION_REASON " FROM sensor_decision d " DECISION_CHECK
	                                " WHERE d.key BETWEEN ?1 AND ?2 AND d.time_ns >= ?3 ORDER BY d.key DESC LIMIT ?4", e);
	int rc;
	if (!q)
		return -1;
	sqlite3_bind_int64(q, 1, sensor << ROWS_KEY_BITS);
	sqlite3_bind_int64(q, 2, ((sensor + 1) << ROWS_KEY_BITS) - 1);
	sqlite3_bind_int64(q, 3, x->since_ns);
	sqlite3_bind_int64(q, 4, ROWS_RING);
	while ((rc = sqlite3_step(q)) == SQLITE_ROW)
		count(c, q);
	sqlite3_reset(q);
	return rc == SQLITE_DONE ? 0 : explain_failed(db, e);
}

static int
most_first(const void *x, const void *y)
{
	const struct reason *a = *(struct reason *const *)x, *b = *(struct reason *const *)y;
	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return (a->last_ns < b->last_ns) - (a->last_ns > b->last_ns);
}

static struct val
reason_shown(const struct reason *r, struct arena *a)
{
	struct val_map m = { 0 };
	val_map_add(&m, S("verdict"), val_str(r->verdict));
	val_map_add_str(&m, S("dependency"), r->dependency);
	val_map_add_str(&m, S("trigger"), r->trigger);
	val_map_add_str(&m, S("reason"), r->text);
	val_map_add(&m, S("count"), val_int(r->count));
	val_map_add(&m, S("last"), val_str(time_rfc3339_nano(a, r->last_ns)));
	val_map_add_str(&m, S("event"), r->event);
	return val_map_end(&m, a);
}

static struct val
reasons_shown(struct counting *c)
{
	struct val_list list = { 0 };
	if (c->others.count) {
		c->others.verdict = S("others");
		*VEC_PUSH(&c->reasons) = &c->others;
	}
	if (c->reasons.n)
		qsort(c->reasons.p, c->reasons.n, sizeof *c->reasons.p, most_first);
	for (size_t i = 0; i < c->reasons.n; i++)
		val_list_add(&list, reason_shown(c->reasons.p[i], c->a));
	return val_list_end(&list, c->a);
}

/* ---- what waits ------------------------------------------------------------------------------------------------------ */

static struct val
triggers_shown(const struct val *live, struct arena *a)
{
	const struct val *outlines = val_get(val_get(live, S("outline")), S("triggers"));
	struct val_list list = { 0 };
	for (uint32_t i = 0; val_is(outlines, VAL_LIST) && i < outlines->n; i++) {
		const struct val *t = &outlines->items[i];
		struct val_map m = { 0 };
		val_map_add(&m, S("name"), val_str(val_get_str(t, "name")));
		val_map_add_str(&m, S("kind"), val_get_str(t, "kind"));
		val_map_add_str(&m, S("place"), val_get_str(t, "place"));
		val_map_add(&m, S("text"), explain_trigger(a, t, val_named(val_get(live, S("triggers")), val_get_str(t, "name"))));
		val_list_add(&list, val_map_end(&m, a));
	}
	return val_list_end(&list, a);
}

static int
count_letters(sqlite3 *db, const struct explain_query *x, int64_t *n, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT count(*) FROM firing WHERE ns = ? AND sensor = ? AND state = 'dead'", e);
	if (!q)
		return -1;
	sqlite3_bind_text(q, 1, x->ns.p, (int)x->ns.n, SQLITE_STATIC);
	sqlite3_bind_text(q, 2, x->sensor.p, (int)x->sensor.n, SQLITE_STATIC);
	int rc = sqlite3_step(q);
	*n = rc == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
	sqlite3_reset(q);
	return rc == SQLITE_ROW ? 0 : explain_failed(db, e);
}

static struct val
sensor_shown(struct counting *c, const struct explain_query *q, int64_t letters)
{
	const struct val *outline = val_get(&q->live, S("outline"));
	struct val_map m = { 0 };
	val_map_add(&m, S("sensor"), val_str(q->sensor));
	val_map_add(&m, S("namespace"), val_str(q->ns));
	val_map_add_str(&m, S("place"), val_get_str(outline, "place"));
	val_map_add_str(&m, S("state"), val_get_str(val_get(&q->live, S("status")), "state"));
	val_map_add(&m, S("behind"), *val_get(&q->live, S("behind")));
	val_map_add(&m, S("decisions"), val_int(c->n));
	if (c->n)
		val_map_add(&m, S("since"), val_str(time_rfc3339(c->a, c->oldest_ns)));
	val_map_add(&m, S("fired"), val_int(c->fired));
	val_map_add(&m, S("deadLetters"), val_int(letters));
	val_map_add(&m, S("reasons"), reasons_shown(c));
	val_map_add(&m, S("dependencies"), *val_get(outline, S("dependencies")));
	val_map_add(&m, S("triggers"), triggers_shown(&q->live, c->a));
	return val_map_end(&m, c->a);
}

int
explain_sensor(sqlite3 *db, const struct explain_query *q, struct arena *a, struct val *out, struct err *e)
{
	struct counting c = { .a = a };
	int64_t sensor, letters = 0;
	int rc = explain_id(db, q->ns, q->sensor, &sensor, e);
	if (rc == 0)
		rc = count_all(db, sensor, q, &c, e);
	if (rc == 0)
		rc = count_letters(db, q, &letters, e);
	if (rc == 0)
		*out = sensor_shown(&c, q, letters);
	map_free(&c.by_kind);
	VEC_FREE(&c.reasons);
	return rc;
}
