/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lengths and points of time as text: Go's durations and RFC 3339. Days are counted by the proleptic Gregorian calendar
 * (the algorithms are H. Hinnant's "chrono-compatible low-level date algorithms").
 */
#include "core/base.h"

/* ---- durations ---------------------------------------------------------------------------------------------- */

static const struct {
	str name;
	int64_t ns;
} units[] = {
	{ S("ns"), 1 }, { S("us"), 1000 }, { S("\302\265s"), 1000 }, { S("\316\274s"), 1000 }, { S("ms"), NS_PER_MS },
	{ S("s"), NS_PER_SEC }, { S("m"), 60 * NS_PER_SEC }, { S("h"), 3600 * NS_PER_SEC },
};

static int
bad_duration(struct err *e, str s)
{
	return err_set(e, ERR_INVALID, "not a duration: \"%.*s\"; write it like 30s, 5m or 1h30m", STR_ARG(s));
}

static size_t
count_digits(str s, size_t from)
{
	size_t i = from;
	while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
		i++;
	return i - from;
}

/* Consumes "1.5h" from *s and adds it to *ns. */
static bool
add_term(str *s, int64_t *ns)
{
	size_t whole_n = count_digits(*s, 0), frac_n = 0, at = whole_n;
	if (at < s->n && s->p[at] == '.') {
		frac_n = count_digits(*s, at + 1);
		at += 1 + frac_n;
	}
	if (whole_n + frac_n == 0)
		return false;
	size_t unit_n = 0;
	while (at + unit_n < s->n && s->p[at + unit_n] != '.' && (s->p[at + unit_n] < '0' || s->p[at + unit_n] > '9'))
		unit_n++;
	str unit = str_slice(*s, at, at + unit_n);
	int64_t per = 0;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (str_eq(units[i].name, unit))
			per = units[i].ns;
	int64_t whole = 0, value;
	if (!per || (whole_n && !str_to_i64(str_slice(*s, 0, whole_n), &whole)) || __builtin_mul_overflow(whole, per, &value) ||
	    __builtin_add_overflow(*ns, value, ns))
		return false;
	double scale = (double)per;
	for (size_t i = 0; i < frac_n && i < 18; i++) {
		scale /= 10;
		int64_t part = (int64_t)(scale * (s->p[whole_n + 1 + i] - '0') + 0.5);
		if (__builtin_add_overflow(*ns, part, ns))
			return false;
	}
	*s = str_slice(*s, at + unit_n, s->n);
	return true;
}

int
dur_parse(str s, dur *out, struct err *e)
{
	str rest = s;
	bool minus = rest.n && rest.p[0] == '-';
	if (rest.n && (rest.p[0] == '-' || rest.p[0] == '+'))
		rest = str_slice(rest, 1, rest.n);
	if (str_eq(rest, S("0"))) {
		*out = (dur){ 0 };
		return 0;
	}
	if (rest.n == 0)
		return bad_duration(e, s);
	int64_t ns = 0;
	while (rest.n)
		if (!add_term(&rest, &ns))
			return bad_duration(e, s);
	*out = (dur){ minus ? -ns : ns };
	return 0;
}

/* "1.5" without trailing zeros: value / 10^digits. */
static str
decimal(struct arena *a, uint64_t value, unsigned digits)
{
	uint64_t one = 1;
	for (unsigned i = 0; i < digits; i++)
		one *= 10;
	uint64_t frac = value % one;
	if (!frac)
		return arena_fmt(a, "%llu", (unsigned long long)(value / one));
	while (frac % 10 == 0) {
		frac /= 10;
		digits--;
	}
	return arena_fmt(a, "%llu.%0*llu", (unsigned long long)(value / one), (int)digits, (unsigned long long)frac);
}

str
dur_fmt(struct arena *a, dur d)
{
	uint64_t ns = d.ns < 0 ? 0 - (uint64_t)d.ns : (uint64_t)d.ns;
	const char *sign = d.ns < 0 ? "-" : "";
	if (ns == 0)
		return arena_dup(a, S("0s"));
	if (ns < 1000)
		return arena_fmt(a, "%s%lluns", sign, (unsigned long long)ns);
	if (ns < (uint64_t)NS_PER_MS)
		return arena_fmt(a, "%s%s\302\265s", sign, decimal(a, ns, 3).p);
	if (ns < (uint64_t)NS_PER_SEC)
		return arena_fmt(a, "%s%sms", sign, decimal(a, ns, 6).p);
	uint64_t minutes = ns / (60 * (uint64_t)NS_PER_SEC);
	str seconds = decimal(a, ns % (60 * (uint64_t)NS_PER_SEC), 9);
	if (minutes == 0)
		return arena_fmt(a, "%s%ss", sign, seconds.p);
	if (minutes < 60)
		return arena_fmt(a, "%s%llum%ss", sign, (unsigned long long)minutes, seconds.p);
	return arena_fmt(a, "%s%lluh%llum%ss", sign, (unsigned long long)(minutes / 60), (unsigned long long)(minutes % 60), seconds.p);
}

/* ---- points of time ----------------------------------------------------------------------------------------- */

static int64_t
days_from_civil(int64_t y, int m, int d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void
civil_from_days(int64_t z, int64_t *y, int *m, int *d)
{
	z += 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	*d = (int)(doy - (153 * mp + 2) / 5 + 1);
	*m = (int)(mp < 10 ? mp + 3 : mp - 9);
	*y = yoe + era * 400 + (*m <= 2);
}

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static str
rfc3339(struct arena *a, int64_t ns, bool fraction)
{
	int64_t secs = floor_div(ns, NS_PER_SEC), days = floor_div(secs, 86400), y;
	int s = (int)(secs - days * 86400), m, d;
	civil_from_days(days, &y, &m, &d);
	str frac = S("");
	uint64_t sub = (uint64_t)(ns - secs * NS_PER_SEC);
	if (fraction && sub) {
		frac = decimal(a, sub, 9);
		frac = str_slice(frac, 1, frac.n);
	}
	return arena_fmt(a, "%04lld-%02d-%02dT%02d:%02d:%02d%.*sZ", (long long)y, m, d, s / 3600, s / 60 % 60, s % 60, STR_ARG(frac));
}

str
time_rfc3339(struct arena *a, int64_t ns)
{
	return rfc3339(a, ns, false);
}

str
time_rfc3339_nano(struct arena *a, int64_t ns)
{
	return rfc3339(a, ns, true);
}

/* `n` digits at *at; -1 if they aren't. */
static int
digits(str s, size_t *at, size_t n)
{
	if (*at > s.n || s.n - *at < n || count_digits(str_slice(s, 0, *at + n), *at) != n)
		return -1;
	int v = 0;
	for (size_t i = 0; i < n; i++)
		v = v * 10 + (s.p[*at + i] - '0');
	*at += n;
	return v;
}

static bool
literal(str s, size_t *at, const char *one_of)
{
	if (*at >= s.n || !memchr(one_of, s.p[*at], strlen(one_of)))
		return false;
	(*at)++;
	return true;
}

static int
days_in_month(int y, int m)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	return days[m - 1] + (m == 2 && ((y % 4 == 0 && y % 100 != 0) || y % 400 == 0));
}

static bool
parse_offset(str s, size_t *at, int64_t *seconds)
{
	*seconds = 0;
	if (literal(s, at, "Zz"))
		return true;
	bool minus = *at < s.n && s.p[*at] == '-';
	if (!literal(s, at, "+-"))
		return false;
	int h = digits(s, at, 2);
	if (h < 0 || h > 23 || !literal(s, at, ":"))
		return false;
	int m = digits(s, at, 2);
	if (m < 0 || m > 59)
		return false;
	*seconds = (minus ? -1 : 1) * (h * 3600 + m * 60);
	return true;
}

static bool
parse_fraction(str s, size_t *at, int64_t *ns)
{
	*ns = 0;
	if (!literal(s, at, "."))
		return true;
	size_t n = count_digits(s, *at);
	int64_t unit = NS_PER_SEC / 10;
	for (size_t i = 0; i < n; i++, unit /= 10)
		*ns += (s.p[*at + i] - '0') * unit;
	*at += n;
	return n > 0;
}

int
time_parse_rfc3339(str s, int64_t *out, struct err *e)
{
	size_t at = 0;
	int y = digits(s, &at, 4);
	bool ok = literal(s, &at, "-");
	int mo = digits(s, &at, 2);
	ok = ok && literal(s, &at, "-");
	int d = digits(s, &at, 2);
	ok = ok && literal(s, &at, "Tt ");
	int h = digits(s, &at, 2);
	ok = ok && literal(s, &at, ":");
	int mi = digits(s, &at, 2);
	ok = ok && literal(s, &at, ":");
	int sec = digits(s, &at, 2);
	int64_t ns = 0, offset = 0;
	ok = ok && parse_fraction(s, &at, &ns) && parse_offset(s, &at, &offset) && at == s.n;
	/* int64_t nanoseconds reach from 1678 to 2261. */
	if (!ok || y < 1678 || y > 2261 || mo < 1 || mo > 12 || d < 1 || d > days_in_month(y, mo) || h < 0 || h > 23 || mi < 0 || mi > 59 ||
	    sec < 0 || sec > 59)
		return err_set(e, ERR_INVALID, "not a time: \"%.*s\"; write it like 2026-07-15T10:00:00Z", STR_ARG(s));
	*out = ((days_from_civil(y, mo, d) * 24 + h) * 60 + mi) * 60 * NS_PER_SEC + (sec - offset) * NS_PER_SEC + ns;
	return 0;
}
