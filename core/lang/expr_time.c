/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times, durations and zones: what they are, what operators make of them, and the functions that give them. Sources:
 * Go's package time; expr-lang builtin/builtin.go and vm/runtime/helpers[generated].go. The local zone is UTC.
 *
 * A time's zone is a code in val.line: 0 is UTC; the top bit says a fixed offset; else it is a place in the list of the
 * zones that were asked for, which lives as long as the process (there are some six hundred).
 */
#include <math.h>
#include <pthread.h>

#include "core/lang/expr_builtin.h"
#include "core/lang/gotime.h"

enum { ZONES_MAX = 1000, DAY = 86400 };
#define FIXED 0x80000000u

static struct {
	pthread_mutex_t lock;
	struct arena *arena;
	const struct tz *list[ZONES_MAX];
	uint32_t n;
} zones = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- zones ------------------------------------------------------------------------------------------------------ */

static int
find_zone(str name, uint32_t *out)
{
	struct err ignored;
	for (uint32_t i = 0; i < zones.n; i++)
		if (str_eq(tz_name(zones.list[i]), name)) {
			*out = i + 1;
			return 0;
		}
	if (!zones.arena)
		zones.arena = arena_new();
	if (zones.n == ZONES_MAX || tz_open(zones.arena, name, &zones.list[zones.n], &ignored))
		return -1;
	*out = ++zones.n;
	return 0;
}

int
time_zone(str name, uint32_t *out)
{
	*out = 0;
	if (!name.n || str_eq(name, S("UTC")) || str_eq(name, S("Local")))
		return 0;
	pthread_mutex_lock(&zones.lock);
	int rc = find_zone(name, out);
	pthread_mutex_unlock(&zones.lock);
	return rc;
}

static const struct tz *
zone_of(uint32_t code)
{
	pthread_mutex_lock(&zones.lock);
	const struct tz *z = !code || code & FIXED || code > zones.n ? tz_utc() : zones.list[code - 1];
	pthread_mutex_unlock(&zones.lock);
	return z;
}

str
time_zone_name(uint32_t zone)
{
	return zone ? tz_name(zone_of(zone)) : S("UTC");
}

static uint32_t
fixed_zone(int32_t offset)
{
	return offset ? FIXED | (uint32_t)(offset + 2 * DAY) : 0;
}

int32_t
time_offset(const struct val *v, str *abbr)
{
	if (v->line & FIXED) {
		*abbr = STR_NONE;
		return (int32_t)(v->line & ~FIXED) - 2 * DAY;
	}
	struct tz_span s = tz_span(zone_of(v->line), v->i);
	*abbr = s.abbr;
	return s.offset;
}

/* ---- values ----------------------------------------------------------------------------------------------------- */

bool
expr_is_time(const struct val *v)
{
	return v->kind == VAL_INT && v->pad == EXPR_TIME;
}

bool
expr_is_duration(const struct val *v)
{
	return v->kind == VAL_INT && v->pad == EXPR_DURATION;
}

struct val
time_make(int64_t sec, int64_t nsec, uint32_t zone)
{
	int64_t whole = nsec / NS_PER_SEC - (nsec % NS_PER_SEC < 0);
	struct val v = time_special((int64_t)((uint64_t)sec + (uint64_t)whole), EXPR_TIME);
	v.n = (uint32_t)(nsec - whole * NS_PER_SEC);
	v.line = zone;
	return v;
}

struct val
time_from_ns(int64_t ns)
{
	return time_make(0, ns, 0);
}

struct val
expr_time(int64_t ns)
{
	return time_from_ns(ns);
}

const char *
time_type(const struct val *v)
{
	static const char *const names[] = { "time.Time", "time.Duration", "time.Month", "time.Weekday",
		"*time.Location" };
	return v->kind == VAL_INT && v->pad >= EXPR_TIME && v->pad <= EXPR_LOCATION ? names[v->pad - EXPR_TIME] : NULL;
}

void
time_format(struct buf *b, const struct val *v, str layout)
{
	str abbr;
	int32_t offset = time_offset(v, &abbr);
	char numeric[8];
	if (!abbr.p) {
		int32_t o = offset < 0 ? -offset : offset;
		snprintf(numeric, sizeof numeric, "%c%02d%02d", offset < 0 ? '-' : '+', o / 3600 % 100, o / 60 % 60);
		abbr = str_c(numeric);
	}
	go_time_format_at(b, v->i, (int32_t)v->n, layout, offset, abbr);
}

static void
write_duration(struct buf *b, int64_t ns)
{
	struct arena *a = arena_new();
	buf_add(b, dur_fmt(a, (dur){ ns }));
	arena_free(a);
}

static const char *const months[] = { "January", "February", "March", "April", "May", "June", "July", "August",
	"September", "October", "November", "December" };
static const char *const days[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };

bool
time_print(struct buf *b, const struct val *v)
{
	if (!time_type(v))
		return false;
	if (v->pad == EXPR_TIME)
		time_format(b, v, S("2006-01-02 15:04:05.999999999 -0700 MST"));
	else if (v->pad == EXPR_DURATION)
		write_duration(b, v->i);
	else if (v->pad == EXPR_LOCATION)
		buf_add(b, time_zone_name((uint32_t)v->i));
	else
		buf_add(b, str_c(v->pad == EXPR_MONTH ? months[(v->i + 11) % 12] : days[v->i % 7]));
	return true;
}

bool
time_json(struct buf *b, const struct val *v)
{
	if (!time_type(v))
		return false;
	if (v->pad == EXPR_TIME) {
		buf_addc(b, '"');
		time_format(b, v, S("2006-01-02T15:04:05.999999999Z07:00"));
		buf_addc(b, '"');
	} else if (v->pad == EXPR_LOCATION) {
		buf_add(b, S("{}"));
	} else {
		buf_addf(b, "%lld", (long long)v->i);
	}
	return true;
}

/* ---- operators -------------------------------------------------------------------------------------------------- */

bool
time_compare(const struct val *a, const struct val *b, int *out)
{
	if (!time_type(a) || !time_type(b) || a->pad != b->pad || a->pad > EXPR_DURATION)
		return false;
	*out = (a->i > b->i) - (a->i < b->i);
	if (!*out && a->pad == EXPR_TIME)
		*out = (a->n > b->n) - (a->n < b->n);
	return true;
}

/* Time.Sub: what is too long for a duration is the longest. */
static int64_t
difference(const struct val *a, const struct val *b)
{
	__int128 ns = ((__int128)a->i - b->i) * NS_PER_SEC + ((int64_t)a->n - (int64_t)b->n);
	return ns > INT64_MAX ? INT64_MAX : ns < INT64_MIN ? INT64_MIN : (int64_t)ns;
}

static struct val
moved(const struct val *t, int64_t by)
{
	return time_make(
		(int64_t)((uint64_t)t->i + (uint64_t)(by / NS_PER_SEC)), (int64_t)t->n + by % NS_PER_SEC, t->line);
}

static bool
times_sum(enum op op, const struct val *a, const struct val *b, struct val *out)
{
	bool at = expr_is_time(a), bt = expr_is_time(b), ad = expr_is_duration(a), bd = expr_is_duration(b);
	bool minus = op == OP_SUB;
	if (minus && at && bt)
		*out = time_special(difference(a, b), EXPR_DURATION);
	else if (at && bd)
		*out = moved(a, minus ? (int64_t)(0 - (uint64_t)b->i) : b->i);
	else if (!minus && ad && bt)
		*out = moved(b, a->i);
	else if (ad && bd)
		*out = time_special(
			(int64_t)(minus ? (uint64_t)a->i - (uint64_t)b->i : (uint64_t)a->i + (uint64_t)b->i),
			EXPR_DURATION);
	else
		return false;
	return true;
}

static bool
times_product(const struct val *a, const struct val *b, struct val *out)
{
	struct number x;
	const struct val *d = expr_is_duration(a) ? a : b, *other = d == a ? b : a;
	if (!expr_is_duration(d))
		return false;
	if (expr_is_duration(other))
		x = (struct number){ true, other->i, (double)other->i };
	else if (!value_number(other, &x))
		return false;
	*out = x.is_int ? time_special((int64_t)((uint64_t)d->i * (uint64_t)x.i), EXPR_DURATION)
			: val_float((double)d->i * x.f);
	return true;
}

bool
time_binary(struct eval *ev, enum op op, const struct val *a, const struct val *b, struct val *out, int *rc)
{
	int c;
	if (!time_type(a) && !time_type(b))
		return false;
	*rc = 0;
	if (op == OP_EQ || op == OP_NE) {
		if (a->kind != VAL_NULL && b->kind != VAL_NULL && (a->kind != b->kind || a->pad != b->pad)) {
			*rc = eval_fail(ev, "invalid operation: %s (mismatched types %s and %s)",
				op == OP_EQ ? "==" : "!=", value_kind(a), value_kind(b));
			return true;
		}
		bool same = time_compare(a, b, &c)
				    ? c == 0
				    : a->kind == VAL_INT && b->kind == VAL_INT && a->pad == b->pad && a->i == b->i;
		*out = val_bool(same == (op == OP_EQ));
		return true;
	}
	if ((op == OP_ADD || op == OP_SUB) && times_sum(op, a, b, out))
		return true;
	if (op == OP_MUL && times_product(a, b, out))
		return true;
	if (op >= OP_LT && op <= OP_GE && time_compare(a, b, &c)) {
		*out = val_bool(op == OP_LT ? c < 0 : op == OP_GT ? c > 0 : op == OP_LE ? c <= 0 : c >= 0);
		return true;
	}
	if (op == OP_IN)
		return false;
	*rc = eval_fail(
		ev, "invalid operation: the operator has no meaning for %s and %s", value_kind(a), value_kind(b));
	return true;
}

/* ---- functions -------------------------------------------------------------------------------------------------- */

static int
call_now(BUILTIN_ARGS)
{
	if (args_n && (args[0].kind != VAL_INT || args[0].pad != EXPR_LOCATION))
		return eval_fail(ev, "invalid number of arguments (expected 0, got %zu)", args_n);
	(void)n;
	*out = time_from_ns(ev->now);
	if (args_n)
		out->line = (uint32_t)args[0].i;
	return 0;
}

static int
call_duration(BUILTIN_ARGS)
{
	str s = S("");
	dur d;
	struct err e;
	(void)args_n;
	if (builtin_want_text(ev, n, &args[0], &s) < 0)
		return -1;
	if (dur_parse(s, &d, &e))
		return eval_fail(ev, "time: invalid duration \"%.*s\"", STR_ARG(str_slice(s, 0, 60)));
	*out = time_special(d.ns, EXPR_DURATION);
	return 0;
}

static int
call_timezone(BUILTIN_ARGS)
{
	str s = S("");
	uint32_t zone;
	(void)args_n;
	if (builtin_want_text(ev, n, &args[0], &s) < 0)
		return -1;
	if (time_zone(s, &zone))
		return eval_fail(ev, "unknown time zone %.*s", STR_ARG(str_slice(s, 0, 60)));
	*out = time_special(zone, EXPR_LOCATION);
	return 0;
}

/* Civil time in a zone to an instant, as time.Date has it. */
static int64_t
instant(int64_t local, uint32_t zone)
{
	struct tz_span s = tz_span(zone_of(zone), local);
	int64_t sec = local - s.offset;
	if (sec < s.from || sec >= s.to)
		sec = local - tz_span(zone_of(zone), sec).offset;
	return sec;
}

static bool
parse(str layout, str text, uint32_t zone, struct val *out)
{
	struct go_time t;
	if (!go_time_parse(layout, text, &t))
		return false;
	struct civil c = {
		.year = t.year, .month = t.month, .day = t.day, .hour = t.hour, .minute = t.minute, .second = t.second
	};
	int64_t local = civil_seconds(&c);
	if (t.zone == GO_ZONE_NONE)
		*out = time_make(instant(local, zone), t.nsec, zone);
	else
		*out = time_make(local - (t.zone == GO_ZONE_OFFSET ? t.offset : 0), t.nsec,
			t.zone == GO_ZONE_OFFSET ? fixed_zone(t.offset) : 0);
	return true;
}

/* date(text), date(text, layout), date(text, layout, zone name), each with a zone before it. */
static int
call_date(BUILTIN_ARGS)
{
	static const char *const layouts[] = { "2006-01-02", "15:04:05", "2006-01-02 15:04:05",
		"2006-01-02T15:04:05Z07:00", "02 Jan 06 15:04 MST", "Monday, 02-Jan-06 15:04:05 MST",
		"Mon, 02 Jan 2006 15:04:05 MST" };
	uint32_t zone = 0;
	str text[3] = { S(""), S(""), S("") };
	if (args[0].kind == VAL_INT && args[0].pad == EXPR_LOCATION) {
		zone = (uint32_t)args[0].i;
		args++;
		args_n--;
	}
	if (!args_n || args_n > 3)
		return eval_fail(ev, "invalid number of arguments (expected 1 to 3, got %zu)", args_n);
	for (size_t i = 0; i < args_n; i++)
		if (builtin_want_text(ev, n, &args[i], &text[i]) < 0)
			return -1;
	if (args_n == 3 && time_zone(text[2], &zone))
		return eval_fail(ev, "unknown time zone %.*s", STR_ARG(str_slice(text[2], 0, 60)));
	for (size_t i = 0; args_n == 1 && i < ARRAY_LEN(layouts); i++)
		if (parse(str_c(layouts[i]), text[0], zone, out))
			return 0;
	if (args_n > 1 && parse(text[1], text[0], zone, out))
		return 0;
	return args_n == 1 ? eval_fail(ev, "invalid date %.*s", STR_ARG(str_slice(text[0], 0, 60)))
			   : eval_fail(ev, "parsing time \"%.*s\" as \"%.*s\": cannot parse it",
				     STR_ARG(str_slice(text[0], 0, 60)), STR_ARG(str_slice(text[1], 0, 60)));
}

const struct builtin expr_times[] = {
	{ "now", 0, 1, .call = call_now },
	{ "duration", 1, 1, .call = call_duration },
	{ "date", 1, 4, .call = call_date },
	{ "timezone", 1, 1, .call = call_timezone },
	{ 0 },
};
