/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of one event through a sensor, from what its decisions left. A way is one evaluation at one dependency: it begins with the
 * decision that has the trace, or with the first one about another dependency.
 */
#include "core/diag.h"
#include "sensors/explain_impl.h"
#include "triggers/dead.h"

enum { ROWS_MAX = 1000 /* decisions about one event that are shown */ };

/* A row of sensor_decision, its texts in the arena. */
struct row {
	struct told t;
	str firing, trace, tries, outline;
	int64_t version, why;
	struct check check;
	bool has_check;
};

struct way {
	str dependency;
	size_t from, n; /* rows */
};

struct explaining {
	const struct explain_query *q;
	sqlite3 *db;
	struct arena *a;
	int64_t sensor;
	struct event *ev; /* NULL: not in the log any more */
	str bus;          /* where it is */
	VEC(struct row) rows;
	VEC(struct way) ways;
	bool fired;
	str summary;
};

int
explain_failed(sqlite3 *db, struct err *e)
{
	return err_set(e, ERR_IO, "reading decisions: %s", sqlite3_errmsg(db));
}

int
explain_id(sqlite3 *db, str ns, str sensor, int64_t *id, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT id FROM sensor WHERE ns = ? AND name = ?", e);
	if (!q)
		return -1;
	sqlite3_bind_text(q, 1, ns.p, (int)ns.n, SQLITE_STATIC);
	sqlite3_bind_text(q, 2, sensor.p, (int)sensor.n, SQLITE_STATIC);
	int rc = sqlite3_step(q);
	*id = rc == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
	sqlite3_reset(q);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : explain_failed(db, e);
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

static str
column(struct explaining *x, sqlite3_stmt *q, int i)
{
	return arena_dup(x->a, store_text(q, i));
}

static void
add_row(struct explaining *x, sqlite3_stmt *q)
{
	struct row *r = VEC_PUSH(&x->rows);
	*r = (struct row){ .firing = column(x, q, 6), .version = sqlite3_column_int64(q, 7), .outline = column(x, q, 8), .tries = column(x, q, 11),
		           .why = sqlite3_column_type(q, 12) == SQLITE_NULL ? -1 : sqlite3_column_int64(q, 12) };
	r->t = (struct told){ .event = x->q->event, .dependency = column(x, q, 0), .trigger = column(x, q, 1), .verdict = column(x, q, 2),
		              .time_ns = sqlite3_column_int64(q, 3), .ended_ns = sqlite3_column_int64(q, 4), .held = column(x, q, 9),
		              .attempts = sqlite3_column_int64(q, 10), .live = &x->q->live, .now_ns = x->q->now_ns };
	r->t.reason = decision_reason(q, 13, x->a);
	r->trace = column(x, q, 14);
	str result = column(x, q, 5);
	struct val *v = ARENA_NEW(x->a, struct val);
	struct err ignored;
	if (result.n && json_read(x->a, result, v, &ignored) == 0)
		r->t.result = v;
}

static int
read_rows(struct explaining *x, struct err *e)
{
	sqlite3_stmt *q = store_prepare(x->db,
	                                "SELECT d.dependency, d.trigger, d.verdict, d.time_ns, d.ended_ns, d.result, d.firing, d.version, v.outline, d.held,"
	                                " d.attempts, d.tries, d.why, " DECISION_REASON " FROM sensor_decision d " DECISION_CHECK
	                                " LEFT JOIN sensor_version v ON v.sensor = d.key >> 40 AND v.version = d.version"
	                                " WHERE d.event = ?1 AND d.key BETWEEN ?2 AND ?3 ORDER BY d.key LIMIT ?4", e);
	int rc;
	if (!q)
		return -1;
	sqlite3_bind_text(q, 1, x->q->event.p, (int)x->q->event.n, SQLITE_STATIC);
	sqlite3_bind_int64(q, 2, x->sensor << ROWS_KEY_BITS);
	sqlite3_bind_int64(q, 3, ((x->sensor + 1) << ROWS_KEY_BITS) - 1);
	sqlite3_bind_int64(q, 4, ROWS_MAX);
	while ((rc = sqlite3_step(q)) == SQLITE_ROW)
		add_row(x, q);
	sqlite3_reset(q);
	return rc == SQLITE_DONE ? 0 : explain_failed(x->db, e);
}

/* Firings that have not ended, and dead letters, are rows of the framework. */
static int
read_firing(struct explaining *x, struct row *r, struct err *e)
{
	struct val *v = ARENA_NEW(x->a, struct val);
	bool stopped = str_eq(r->t.verdict, S("error"));
	if (r->firing.n && firing_shown(x->db, r->firing, x->a, v, e) < 0)
		return -1;
	if (r->firing.n && v->n)
		r->t.firing = v;
	if (r->t.firing && str_eq(val_get_str(v, "state"), S("dead")))
		r->t.letter = r->firing;
	if (stopped)
		return dead_letter_of(x->db, x->q->ns, x->q->sensor, r->t.trigger, x->q->event, x->a, &r->t.letter, e);
	return 0;
}

static void
divide(struct explaining *x)
{
	for (size_t i = 0; i < x->rows.n; i++) {
		const struct row *r = &x->rows.p[i];
		struct way *last = x->ways.n ? &x->ways.p[x->ways.n - 1] : NULL;
		if (last && str_eq(last->dependency, r->t.dependency) && !r->trace.n)
			last->n++;
		else
			*VEC_PUSH(&x->ways) = (struct way){ r->t.dependency, i, 1 };
	}
}

/* ---- checks --------------------------------------------------------------------------------------------------------- */

static const char *const check_words[] = { [FILTER_PASS] = "passed", [FILTER_MISS] = "missed", [FILTER_ERROR] = "error" };

static struct val
check_shown(struct explaining *x, const struct check *c, const struct trace_look *l, bool decides)
{
	struct val_map m = { 0 };
	val_map_add(&m, S("kind"), val_cstr(c->kind));
	val_map_add_str(&m, S("what"), c->what);
	val_map_add_str(&m, S("want"), c->want);
	if (l)
		val_map_add_str(&m, l->verdict == FILTER_ERROR ? S("problem") : S("got"), l->got);
	val_map_add(&m, S("verdict"), val_cstr(l ? check_words[l->verdict] : "not looked at"));
	val_map_add_str(&m, S("place"), c->place);
	if (decides)
		val_map_add(&m, S("decides"), val_bool(true));
	val_map_add(&m, S("text"), val_str(explain_check(x->a, c, l)));
	return val_map_end(&m, x->a);
}

/* The check of a filter as a whole is shown only where it had something to say. */
static bool
is_whole(const struct check *c)
{
	return !c->what.n && !c->want.n && (!strcmp(c->kind, "data") || !strcmp(c->kind, "exprs") || !strcmp(c->kind, "or"));
}

static const struct trace_look *
look_at(const struct trace *t, size_t check)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->looks[i].check == check)
			return &t->looks[i];
	return NULL;
}

static void
add_wanted(struct explaining *x, struct buf *b, const struct check *c)
{
	str w = explain_wanted(x->a, c);
	if (b->n < 600)
		buf_addf(b, "%s%.*s", b->n ? ", or " : "", STR_ARG(w));
}

/* All that missed would do where one is enough; else the one that decided, though others may come behind it. */
static int
read_checks(struct explaining *x, struct row *r, const struct val *dep, struct val *out, struct err *e)
{
	sqlite3_stmt *q = store_prepare(x->db,
	                                "SELECT number, kind, what, want, otherwise, place FROM sensor_check WHERE sensor = ? AND version = ?"
	                                " AND number >= ? AND number < ? ORDER BY number", e);
	int64_t first = 0, n = 0;
	struct val_list list = { 0 };
	struct buf wanted CLEANUP(free_buf) = { 0 };
	struct trace t;
	int rc;
	if (!q)
		return -1;
	(void)val_to_i64(val_get(dep, S("firstCheck")), &first);
	(void)val_to_i64(val_get(dep, S("checks")), &n);
	sqlite3_bind_int64(q, 1, x->sensor);
	sqlite3_bind_int64(q, 2, r->version);
	sqlite3_bind_int64(q, 3, first);
	sqlite3_bind_int64(q, 4, first + n);
	trace_read(r->trace, &t);
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		size_t number = (size_t)(sqlite3_column_int64(q, 0) - first);
		const struct check c = { str_z(x->a, store_text(q, 1)), column(x, q, 2), column(x, q, 3), str_z(x->a, store_text(q, 4)), column(x, q, 5) };
		const struct trace_look *l = look_at(&t, number);
		bool decides = t.decided && t.why.check == number;
		if (l || !is_whole(&c))
			val_list_add(&list, check_shown(x, &c, l, decides));
		if (decides || (l && l->verdict == FILTER_MISS))
			add_wanted(x, &wanted, &c);
	}
	sqlite3_reset(q);
	r->t.wanted = arena_dup(x->a, buf_str(&wanted));
	*out = val_list_end(&list, x->a);
	return rc == SQLITE_DONE ? 0 : explain_failed(x->db, e);
}

/* ---- decisions ------------------------------------------------------------------------------------------------------ */

/* "time, tab, error" a line. */
static struct val
tries_shown(struct explaining *x, str tries)
{
	struct val_list list = { 0 };
	while (tries.n) {
		str line = str_cut(&tries, '\n'), time = str_cut(&line, '\t');
		struct val_map m = { 0 };
		int64_t ns = 0;
		if (!str_to_i64(time, &ns))
			continue; /* a line of an error that had more than one */
		val_map_add(&m, S("time"), val_str(time_rfc3339_nano(x->a, ns)));
		val_map_add(&m, S("error"), val_str(line));
		val_list_add(&list, val_map_end(&m, x->a));
	}
	return val_list_end(&list, x->a);
}

static struct val
decision_shown(struct explaining *x, const struct row *r)
{
	const struct told *t = &r->t;
	struct val_map m = { 0 };
	str advice = explain_advice(x->a, t);
	val_map_add_str(&m, S("trigger"), t->trigger);
	val_map_add_str(&m, S("place"), val_get_str(t->trigger_outline, "place"));
	val_map_add(&m, S("verdict"), val_str(t->verdict));
	val_map_add_str(&m, S("reason"), t->reason);
	val_map_add(&m, S("time"), val_str(time_rfc3339_nano(x->a, t->time_ns)));
	if (t->ended_ns)
		val_map_add(&m, S("changed"), val_str(time_rfc3339_nano(x->a, t->ended_ns)));
	val_map_add_str(&m, S("held"), t->held);
	if (t->attempts)
		val_map_add(&m, S("attempts"), val_int(t->attempts));
	if (r->tries.n)
		val_map_add(&m, S("tries"), tries_shown(x, r->tries));
	if (t->firing)
		val_map_add(&m, S("firing"), *t->firing);
	if (t->result)
		val_map_add(&m, S("result"), *t->result);
	val_map_add_str(&m, S("deadLetter"), t->letter);
	val_map_add_str(&m, S("advice"), advice);
	val_map_add(&m, S("text"), val_str(explain_decision(x->a, t)));
	return val_map_end(&m, x->a);
}

static void
sum_up(struct explaining *x, const struct row *r)
{
	bool fired = str_eq(r->t.verdict, S("fired"));
	str text = explain_decision(x->a, &r->t), at = r->t.trigger.n ? r->t.trigger : r->t.dependency;
	if (!x->summary.p || (fired && !x->fired))
		x->summary = arena_fmt(x->a, "%s %.*s %.*s", r->t.trigger.n ? "trigger" : "dependency", STR_ARG(at), STR_ARG(text));
	x->fired |= fired;
}

/* The evaluation failed, and the event went on all the same. */
static str
went_on(struct explaining *x, const struct row *first, const struct val *dep)
{
	struct trace t;
	trace_read(first->trace, &t);
	bool failed = false;
	for (size_t i = 0; i < t.n; i++)
		failed |= t.looks[i].verdict == FILTER_ERROR;
	if (!failed || !str_eq(val_get_str(dep, "onError"), S("pass")) || str_eq(first->t.verdict, S("filtered")))
		return STR_NONE;
	return arena_fmt(x->a, "onError: pass let it go on all the same (%.*s)", STR_ARG(val_get_str(dep, "place")));
}

static int
way_shown(struct explaining *x, const struct way *w, struct val *out, struct err *e)
{
	struct row *first = &x->rows.p[w->from];
	struct val *outline = ARENA_NEW(x->a, struct val), checks = { .kind = VAL_LIST };
	struct val_map m = { 0 };
	struct val_list decisions = { 0 };
	int64_t now = 0;
	struct err ignored;
	if (!first->outline.n || json_read(x->a, first->outline, outline, &ignored) < 0)
		*outline = *val_get(&x->q->live, S("outline")); /* decided before versions were kept */
	const struct val *dep = val_named(val_get(outline, S("dependencies")), w->dependency);
	if (first->version && read_checks(x, first, dep, &checks, e) < 0)
		return -1;
	for (size_t i = w->from; i < w->from + w->n; i++) {
		struct row *r = &x->rows.p[i];
		r->t.outline = outline;
		r->t.dependency_outline = dep;
		r->t.trigger_outline = val_named(val_get(outline, S("triggers")), r->t.trigger);
		if (read_firing(x, r, e) < 0)
			return -1;
		sum_up(x, r);
		val_list_add(&decisions, decision_shown(x, r));
	}
	(void)val_to_i64(val_get(&x->q->live, S("version")), &now);
	val_map_add(&m, S("dependency"), val_str(w->dependency));
	val_map_add_str(&m, S("place"), val_get_str(dep, "place"));
	if (first->version)
		val_map_add(&m, S("version"), val_str(arena_fmt(x->a, "%016llx", (unsigned long long)first->version)));
	if (now && now != first->version)
		val_map_add(&m, S("changedSince"), val_bool(true));
	val_map_add(&m, S("checks"), checks);
	val_map_add_str(&m, S("note"), went_on(x, first, dep));
	val_map_add(&m, S("decisions"), val_list_end(&decisions, x->a));
	*out = val_map_end(&m, x->a);
	return 0;
}

/* ---- nothing was decided -------------------------------------------------------------------------------------------- */

/* The dependencies of the sensor, and the name that was perhaps meant. */
static str
no_dependency(struct explaining *x, const struct val *deps)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	buf_addf(&b, "no dependency names %.*s/%.*s: ", STR_ARG(x->ev->source), STR_ARG(x->ev->subject));
	for (uint32_t i = 0; val_is(deps, VAL_LIST) && i < deps->n && b.n < 600; i++) {
		const struct val *d = &deps->items[i];
		buf_addf(&b, "%s%.*s is for %.*s/%.*s (%.*s)", i ? ", " : "", STR_ARG(val_get_str(d, "name")), STR_ARG(val_get_str(d, "source")),
		         STR_ARG(val_get_str(d, "event")), STR_ARG(val_get_str(d, "place")));
	}
	return arena_dup(x->a, buf_str(&b));
}

static bool
is_asked_for(const struct val *deps, const struct event *ev)
{
	for (uint32_t i = 0; val_is(deps, VAL_LIST) && i < deps->n; i++)
		if (str_eq(val_get_str(&deps->items[i], "source"), ev->source) && str_eq(val_get_str(&deps->items[i], "event"), ev->subject))
			return true;
	return false;
}

/* How many decisions there are, and the time of the oldest. */
static int
read_ring(struct explaining *x, int64_t *n, int64_t *oldest, struct err *e)
{
	sqlite3_stmt *q = store_prepare(x->db, "SELECT count(*), ifnull(min(time_ns), 0) FROM sensor_decision WHERE key BETWEEN ? AND ?", e);
	if (!q)
		return -1;
	sqlite3_bind_int64(q, 1, x->sensor << ROWS_KEY_BITS);
	sqlite3_bind_int64(q, 2, ((x->sensor + 1) << ROWS_KEY_BITS) - 1);
	int rc = sqlite3_step(q);
	*n = rc == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
	*oldest = rc == SQLITE_ROW ? sqlite3_column_int64(q, 1) : 0;
	sqlite3_reset(q);
	return rc == SQLITE_ROW ? 0 : explain_failed(x->db, e);
}

static int
why_nothing(struct explaining *x, struct err *e)
{
	const struct val *outline = val_get(&x->q->live, S("outline")), *deps = val_get(outline, S("dependencies"));
	str reads = val_get_str(outline, "bus");
	int64_t n, oldest;
	if (read_ring(x, &n, &oldest, e) < 0)
		return -1;
	if (!is_asked_for(deps, x->ev))
		x->summary = no_dependency(x, deps);
	else if (!str_eq(x->bus, reads))
		x->summary = arena_fmt(x->a, "the event is on bus %.*s, and the sensor reads bus %.*s (%.*s)", STR_ARG(x->bus), STR_ARG(reads),
		                       STR_ARG(val_get_str(outline, "place")));
	else if (val_is_true(val_get(&x->q->live, S("behind"))))
		x->summary = S("the sensor has not come to it yet: it is behind, or waits for a jq program of an event before it");
	else if (n >= ROWS_RING && oldest > x->ev->time)
		x->summary = arena_fmt(x->a, "the decision about it is not kept any more: they are the last %d, since %.*s", (int)ROWS_RING,
		                       STR_ARG(time_rfc3339(x->a, oldest)));
	else
		x->summary = S("it came before the sensor, or this dependency of it, was there");
	return 0;
}

/* ---- the whole -------------------------------------------------------------------------------------------------------- */

static struct val
event_shown(struct explaining *x)
{
	const struct event *ev = x->ev;
	struct val_map m = { 0 };
	val_map_add(&m, S("id"), val_str(x->q->event));
	if (ev) {
		val_map_add(&m, S("source"), val_str(arena_dup(x->a, ev->source)));
		val_map_add(&m, S("subject"), val_str(arena_dup(x->a, ev->subject)));
		val_map_add(&m, S("type"), val_str(arena_dup(x->a, ev->type)));
		val_map_add(&m, S("time"), val_str(time_rfc3339_nano(x->a, ev->time)));
		val_map_add(&m, S("size"), val_int((int64_t)ev->data.n));
	}
	return val_map_end(&m, x->a);
}

static int
put_together(struct explaining *x, struct val *out, struct err *e)
{
	struct val_map m = { 0 };
	struct val_list ways = { 0 };
	int rc = 0;
	divide(x);
	for (size_t i = 0; rc == 0 && i < x->ways.n; i++) {
		struct val v;
		rc = way_shown(x, &x->ways.p[i], &v, e);
		if (rc == 0)
			val_list_add(&ways, v);
	}
	if (rc == 0 && !x->rows.n)
		rc = why_nothing(x, e);
	val_map_add(&m, S("sensor"), val_str(x->q->sensor));
	val_map_add(&m, S("namespace"), val_str(x->q->ns));
	val_map_add_str(&m, S("place"), val_get_str(val_get(&x->q->live, S("outline")), "place"));
	val_map_add(&m, S("event"), event_shown(x));
	val_map_add(&m, S("fired"), val_bool(x->fired));
	val_map_add_str(&m, S("summary"), x->summary);
	val_map_add(&m, S("ways"), val_list_end(&ways, x->a));
	*out = val_map_end(&m, x->a);
	return rc;
}

int
explain_event(sqlite3 *db, const struct explain_query *q, struct arena *a, struct val *out, struct err *e)
{
	struct explaining x = { .q = q, .db = db, .a = a };
	int rc = explain_id(db, q->ns, q->sensor, &x.sensor, e);
	if (rc == 0)
		rc = bus_find(db, q->ns, q->event, a, &x.ev, &x.bus, e);
	if (rc == 0)
		rc = read_rows(&x, e);
	if (rc == 0 && !x.ev && !x.rows.n)
		rc = err_set(e, ERR_NOT_FOUND, "there is no event %.*s in the log of namespace %.*s, and no decision about it", STR_ARG(q->event), STR_ARG(q->ns));
	if (rc == 0)
		rc = put_together(&x, out, e);
	event_unref(x.ev);
	VEC_FREE(&x.rows);
	VEC_FREE(&x.ways);
	return rc;
}
