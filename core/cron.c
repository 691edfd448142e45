/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Searching works on spans of a zone (core/tz.h): inside a span local time is UTC plus a constant, so that the next match
 * is a question about the calendar alone. Where it lies behind the end of the span, the search goes on in the next one. Daylight
 * saving needs no case of its own.
 */
#include "core/cron.h"

/* How far a search looks: nine years, for 29 February of 2104 is eight years after that of 2096. */
#define SECONDS_AHEAD (INT64_C(9) * 366 * 86400)

struct name {
	char text[4];
	int value;
};
static const struct name months[] = {
	{ "jan", 1 }, { "feb", 2 }, { "mar", 3 }, { "apr", 4 }, { "may", 5 }, { "jun", 6 },
	{ "jul", 7 }, { "aug", 8 }, { "sep", 9 }, { "oct", 10 }, { "nov", 11 }, { "dec", 12 }, { "", 0 },
};
static const struct name weekdays[] = {
	{ "sun", 0 }, { "mon", 1 }, { "tue", 2 }, { "wed", 3 }, { "thu", 4 }, { "fri", 5 }, { "sat", 6 }, { "", 0 },
};

/* A field of the language; where it goes in struct cron. */
static const struct field_row {
	const char *name;
	int min, max;
	const struct name *names;
	size_t set, open; /* offsets; open 0: nobody asks */
	const char *hint;
} fields[] = {
	{ "minute", 0, 59, NULL, offsetof(struct cron, minute), 0, "" },
	{ "hour", 0, 23, NULL, offsetof(struct cron, hour), offsetof(struct cron, hour_open), "" },
	{ "day of month", 1, 31, NULL, offsetof(struct cron, day), offsetof(struct cron, day_open), "" },
	{ "month", 1, 12, months, offsetof(struct cron, month), 0, " or JAN to DEC" },
	{ "day of week", 0, 6, weekdays, offsetof(struct cron, weekday), offsetof(struct cron, weekday_open),
	  " or SUN to SAT; Sunday is 0" },
};

static const struct {
	const char *name, *means;
} descriptors[] = {
	{ "@yearly", "0 0 1 1 *" }, { "@annually", "0 0 1 1 *" }, { "@monthly", "0 0 1 * *" }, { "@weekly", "0 0 * * 0" },
	{ "@daily", "0 0 * * *" },  { "@midnight", "0 0 * * *" }, { "@hourly", "0 * * * *" },
};

/* ---- reading -------------------------------------------------------------------------------------------------- */

static int
read_value(const struct field_row *f, str s, int64_t *out, struct err *e)
{
	for (const struct name *n = f->names; n && *n->text; n++) {
		if (s.n == 3 && (s.p[0] | 32) == n->text[0] && (s.p[1] | 32) == n->text[1] && (s.p[2] | 32) == n->text[2]) {
			*out = n->value;
			return 0;
		}
	}
	str number = s.n && *s.p == '+' ? str_slice(s, 1, s.n) : s; /* as strconv.Atoi has it */
	bool digits = number.n > 0 && number.n <= 18;
	for (size_t i = 0; i < number.n; i++)
		digits = digits && number.p[i] >= '0' && number.p[i] <= '9';
	if (digits && str_to_i64(number, out) && *out >= f->min && *out <= f->max)
		return 0;
	return err_set(e, ERR_INVALID, "%s \"%.*s\": must be %d to %d%s", f->name, STR_ARG(str_slice(s, 0, 32)), f->min, f->max, f->hint);
}

/* One element of a list: "*", "?", "n", "a-b", each also with "/step". "n/step" means n to the maximum; "*-b" is "*", as robfig has it. */
static int
read_range(const struct field_row *f, str s, uint64_t *set, bool *open, struct err *e)
{
	str whole = s, step_text = s;
	str range = str_cut(&step_text, '/');
	bool has_step = range.n != whole.n;
	int64_t from = f->min, to = f->max, step = 1;
	str high = range, low = str_cut(&high, '-');
	bool star = str_eq(low, S("*")) || str_eq(low, S("?"));
	if (!star) {
		if (read_value(f, low, &from, e) < 0)
			return -1;
		if (low.n != range.n) {
			if (read_value(f, high, &to, e) < 0)
				return -1;
		} else if (!has_step) {
			to = from;
		}
	}
	if (from > to)
		return err_set(e, ERR_INVALID, "%s \"%.*s\": a range goes from the smaller to the larger", f->name,
		               STR_ARG(str_slice(whole, 0, 32)));
	if (has_step && (!str_to_i64(step_text, &step) || step < 1))
		return err_set(e, ERR_INVALID, "%s \"%.*s\": the step behind / must be a number from 1 on", f->name,
		               STR_ARG(str_slice(whole, 0, 32)));
	for (int64_t v = from; v <= to; v = step > to - v ? to + 1 : v + step)
		*set |= UINT64_C(1) << v;
	*open |= star && step == 1;
	return 0;
}

static int
read_field(const struct field_row *f, str s, struct cron *c, struct err *e)
{
	uint64_t set = 0;
	bool open = false;
	for (str rest = s; rest.n;) {
		str part = str_cut(&rest, ',');
		if (part.n && read_range(f, part, &set, &open, e) < 0) /* an empty element is passed over, as robfig does */
			return -1;
	}
	if (!set)
		return err_set(e, ERR_INVALID, "%s \"%.*s\": must be %d to %d%s", f->name, STR_ARG(str_slice(s, 0, 32)), f->min, f->max, f->hint);
	*(uint64_t *)(void *)((char *)c + f->set) = set;
	if (f->open)
		*((bool *)c + f->open) = open;
	return 0;
}

/* Cuts the next word; its n is 0 at the end. */
static str
next_word(str *s)
{
	*s = str_trim(*s);
	size_t n = 0;
	while (n < s->n && !strchr(" \t\r\n", s->p[n]))
		n++;
	str word = str_slice(*s, 0, n);
	*s = str_slice(*s, n, s->n);
	return word;
}

static int
read_fields(str text, struct cron *c, struct err *e)
{
	str words[ARRAY_LEN(fields)];
	size_t n = 0;
	for (str rest = text, word; (word = next_word(&rest)).n; n++)
		if (n < ARRAY_LEN(words))
			words[n] = word;
	if (n != ARRAY_LEN(words))
		return err_set(e, ERR_INVALID, "%zu fields where five are expected: minute, hour, day of month, month, day of week", n);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (read_field(&fields[i], words[i], c, e) < 0)
			return -1;
	return 0;
}

static int
read_descriptor(str text, struct cron *c, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(descriptors); i++)
		if (str_eq(text, str_c(descriptors[i].name)))
			return read_fields(str_c(descriptors[i].means), c, e);
	if (!str_starts(text, S("@every ")))
		return err_set(e, ERR_INVALID, "\"%.*s\": must be @yearly, @monthly, @weekly, @daily, @hourly or @every 1h30m",
		               STR_ARG(str_slice(text, 0, 32)));
	dur d;
	if (dur_parse(str_slice(text, 7, text.n), &d, e) < 0)
		return err_wrap(e, "@every");
	c->every_ns = d.ns < NS_PER_SEC ? NS_PER_SEC : d.ns - d.ns % NS_PER_SEC;
	return 0;
}

static int
read_schedule(str text, unsigned flags, struct arena *a, struct cron *c, struct err *e)
{
	text = str_trim(text);
	if (str_starts(text, S("TZ=")) || str_starts(text, S("CRON_TZ="))) {
		str prefix = next_word(&text);
		str name = prefix;
		(void)str_cut(&name, '='); /* what is before it is known */
		if (tz_open(a, name, &c->zone, e) < 0)
			return -1;
		text = str_trim(text);
	}
	if (text.n == 0 || text.p[0] != '@')
		return read_fields(text, c, e);
	if (flags & CRON_DESCRIPTORS)
		return read_descriptor(text, c, e);
	return err_set(e, ERR_INVALID, "\"%.*s\": descriptors are not accepted here; write five fields, as in \"0 * * * *\"",
	               STR_ARG(str_slice(text, 0, 32)));
}

int
cron_parse(str text, unsigned flags, struct arena *a, struct cron *out, struct err *e)
{
	struct cron c = { .each_once = flags & CRON_EACH_ONCE };
	if (read_schedule(text, flags, a, &c, e) < 0)
		return err_wrap(e, "schedule \"%.*s\"", STR_ARG(str_slice(text, 0, 64)));
	*out = c;
	return 0;
}

/* ---- searching ------------------------------------------------------------------------------------------------ */

static bool
day_matches(const struct cron *c, const struct civil *d)
{
	bool day = c->day >> d->day & 1, weekday = c->weekday >> d->weekday & 1;
	return c->day_open || c->weekday_open ? day && weekday : day || weekday;
}

/* The lowest bit of `set` at or above `from`, or the highest at or below; -1 if there is none. */
static int
bit_up(uint64_t set, int from)
{
	uint64_t rest = from > 63 ? 0 : set >> from << from;
	return rest ? __builtin_ctzll(rest) : -1;
}

static int
bit_down(uint64_t set, int from)
{
	uint64_t rest = from < 0 ? 0 : set & (UINT64_MAX >> (63 - from));
	return rest ? 63 - __builtin_clzll(rest) : -1;
}

/*
 * The first matching local time at or after `local` (`up`), or the last at or before it, not beyond `limit`. Local seconds,
 * without a zone. False if there is none.
 */
static bool
search_calendar(const struct cron *c, int64_t local, int64_t limit, bool up, int64_t *out)
{
	int (*bit)(uint64_t, int) = up ? bit_up : bit_down;
	struct civil t = civil_from(local);
	int step = up ? 1 : -1;
	int64_t day = (local - (t.hour * 3600 + t.minute * 60 + t.second)) / 86400;
	/* Up: a time with seconds is past its minute. Down: it is not. */
	int second_of_day = t.hour * 3600 + t.minute * 60 + t.second + (up ? 59 : 0);
	int minute_of_day = second_of_day / 60;
	for (;; day += step, minute_of_day = up ? 0 : 1439) {
		int64_t start = day * 86400;
		if (up ? start > limit : start + 86399 < limit)
			return false;
		t = civil_from(start);
		if (!(c->month >> t.month & 1) || !day_matches(c, &t) || minute_of_day > 1439)
			continue;
		int hour = minute_of_day / 60, minute = bit(c->minute, minute_of_day % 60);
		if (!(c->hour >> hour & 1) || minute < 0) {
			hour = bit(c->hour, hour + step);
			minute = bit(c->minute, up ? 0 : 59);
		}
		if (hour < 0)
			continue;
		*out = start + hour * 3600 + minute * 60;
		return up ? *out <= limit : *out >= limit;
	}
}

/* With CRON_EACH_ONCE: the part of a span's local time that came before, in the span before it. Seconds. */
static int64_t
repeated(const struct cron *c, const struct tz *z, const struct tz_span *s)
{
	if (!c->each_once || c->hour_open || s->from == INT64_MIN)
		return 0;
	struct tz_span before = tz_span(z, s->from - 1);
	return before.offset > s->offset ? before.offset - s->offset : 0;
}

/* With CRON_EACH_ONCE: whether a slot lies in the gap that ends where the span begins; it fires there. */
static bool
fires_at_start(const struct cron *c, const struct tz *z, const struct tz_span *s)
{
	if (!c->each_once || c->hour_open || s->from == INT64_MIN)
		return false;
	struct tz_span before = tz_span(z, s->from - 1);
	int64_t at;
	return before.offset < s->offset &&
	       search_calendar(c, s->from + before.offset, s->from + s->offset - 1, true, &at);
}

static int64_t
max_i64(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t
min_i64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* The instant in whole seconds, rounded down. */
static int64_t
floor_seconds(int64_t ns)
{
	return ns / NS_PER_SEC - (ns % NS_PER_SEC < 0);
}

static const struct tz *
zone_of(const struct cron *c, const struct tz *zone)
{
	return c->zone ? c->zone : zone ? zone : tz_utc();
}

int64_t
cron_next(const struct cron *c, const struct tz *zone, int64_t after_ns)
{
	int64_t start = floor_seconds(after_ns) + 1;
	if (c->every_ns)
		return (start - 1) * NS_PER_SEC > INT64_MAX - c->every_ns ? INT64_MAX : (start - 1) * NS_PER_SEC + c->every_ns;
	const struct tz *z = zone_of(c, zone);
	int64_t end = min_i64(start + SECONDS_AHEAD, INT64_MAX / NS_PER_SEC);
	while (start <= end) {
		struct tz_span s = tz_span(z, start);
		if (start == s.from && fires_at_start(c, z, &s))
			return start * NS_PER_SEC;
		int64_t from = s.from == INT64_MIN ? start : max_i64(start, s.from + repeated(c, z, &s));
		int64_t last = min_i64(s.to - 1, end), local;
		if (from <= last && search_calendar(c, from + s.offset, last + s.offset, true, &local))
			return (local - s.offset) * NS_PER_SEC;
		if (s.to == INT64_MAX)
			break;
		start = s.to;
	}
	return INT64_MAX;
}

int64_t
cron_prev(const struct cron *c, const struct tz *zone, int64_t before_ns)
{
	int64_t start = floor_seconds(before_ns - 1);
	if (c->every_ns)
		return start + 1 < (INT64_MIN + c->every_ns) / NS_PER_SEC ? INT64_MIN : floor_seconds(before_ns) * NS_PER_SEC - c->every_ns;
	const struct tz *z = zone_of(c, zone);
	int64_t end = max_i64(start - SECONDS_AHEAD, INT64_MIN / NS_PER_SEC);
	while (start >= end) {
		struct tz_span s = tz_span(z, start);
		int64_t first = s.from == INT64_MIN ? end : max_i64(s.from + repeated(c, z, &s), end);
		int64_t local;
		if (start >= first && search_calendar(c, start + s.offset, first + s.offset, false, &local))
			return (local - s.offset) * NS_PER_SEC;
		if (s.from < end)
			break;
		if (fires_at_start(c, z, &s))
			return s.from * NS_PER_SEC;
		start = s.from - 1;
	}
	return INT64_MIN;
}
