/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A zone is a sorted list of transitions (instant, type) followed by a rule. tz_span finds the stretch around an instant
 * by bisection among the transitions, and behind the last one by asking the rule for the transitions of the years around it.
 * Everything that converts or searches works on spans, inside which local time is UTC plus a constant.
 */
#include "core/tz.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TZ_FILE_MAX = 1 << 20, TZ_NAME_MAX = 128, DAY = 86400 };

struct tz_type {
	int32_t offset;
	bool dst;
	str abbr;
};

/* When a POSIX rule changes: a day of the year and a second of that day (which may be negative or beyond the day). */
struct tz_date {
	enum { DATE_JULIAN1, DATE_JULIAN0, DATE_WEEKDAY } kind;
	int month, week, day;
	int32_t seconds;
};

struct tz {
	str name;
	size_t n;
	const int64_t *at;
	const uint8_t *kind; /* index into types: in force from at[i] on */
	const struct tz_type *types;
	size_t types_n;
	size_t first;        /* type before the first transition */
	bool has_rule;       /* behind the last transition these hold; std alone if dst.abbr is absent */
	struct tz_type std, dst;
	struct tz_date dst_from, dst_to;
};

/* ---- civil dates ---------------------------------------------------------------------------------------------- */

static int64_t
div_floor(int64_t a, int64_t b)
{
	return a / b - (a % b != 0 && (a ^ b) < 0);
}

/* Years are counted from March so that the leap day is the last of its year; 400 years are one era of 146097 days. */
int64_t
civil_days(int64_t year, int month, int64_t day)
{
	int64_t y = year - (month <= 2);
	int64_t era = div_floor(y, 400);
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

int
civil_month_days(int64_t year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return days[month - 1] + (month == 2 && leap);
}

struct civil
civil_from(int64_t local_sec)
{
	int64_t days = div_floor(local_sec, DAY);
	int sec = (int)(local_sec - days * DAY);
	int64_t z = days + 719468;
	int64_t era = div_floor(z, 146097);
	int64_t of_era = z - era * 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int m = (int)((5 * of_year + 2) / 153);
	struct civil c = {
		.month = m < 10 ? m + 3 : m - 9,
		.day = (int)(of_year - (153 * m + 2) / 5 + 1),
		.hour = sec / 3600, .minute = sec / 60 % 60, .second = sec % 60,
		.weekday = (int)(((days + 4) % 7 + 7) % 7),
	};
	c.year = year + era * 400 + (c.month <= 2);
	return c;
}

int64_t
civil_seconds(const struct civil *c)
{
	int64_t months = c->year * 12 + c->month - 1;
	int64_t year = div_floor(months, 12);
	return civil_days(year, (int)(months - year * 12) + 1, c->day) * DAY + c->hour * 3600 + c->minute * 60 + c->second;
}

/* ---- the rule behind the table: POSIX TZ ---------------------------------------------------------------------- */

/* The reader of a rule: takes bytes off `s` and notes that it could not. */
struct rule_in {
	str s;
	bool bad;
};

static int
peek(const struct rule_in *in)
{
	return in->s.n ? (unsigned char)in->s.p[0] : -1;
}

static bool
take(struct rule_in *in, char c)
{
	if (peek(in) != c)
		return false;
	in->s = str_slice(in->s, 1, in->s.n);
	return true;
}

static int
take_number(struct rule_in *in, int max)
{
	int v = 0;
	size_t digits = 0;
	for (; peek(in) >= '0' && peek(in) <= '9' && v <= max; digits++) {
		v = v * 10 + (peek(in) - '0');
		in->s = str_slice(in->s, 1, in->s.n);
	}
	in->bad |= digits == 0 || v > max;
	return v;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static int32_t
take_time(struct rule_in *in)
{
	int sign = take(in, '-') ? -1 : 1;
	if (sign > 0)
		(void)take(in, '+'); /* optional, means nothing */
	int32_t sec = take_number(in, 167) * 3600;
	if (take(in, ':'))
		sec += take_number(in, 59) * 60;
	if (take(in, ':'))
		sec += take_number(in, 59);
	return sign * sec;
}

static str
take_abbr(struct rule_in *in)
{
	size_t n = 0;
	str name;
	if (take(in, '<')) {
		n = str_find_char(in->s, '>', 0);
		if (n == SIZE_MAX) {
			in->bad = true;
			return STR_NONE;
		}
		name = str_slice(in->s, 0, n++);
	} else {
		while (n < in->s.n && ((in->s.p[n] | 32) >= 'a' && (in->s.p[n] | 32) <= 'z'))
			n++;
		name = str_slice(in->s, 0, n);
	}
	in->bad |= name.n == 0;
	in->s = str_slice(in->s, n, in->s.n);
	return name;
}

static struct tz_date
take_date(struct rule_in *in)
{
	struct tz_date d = { .seconds = 7200 };
	if (take(in, 'M')) {
		d.kind = DATE_WEEKDAY;
		d.month = take_number(in, 12);
		in->bad |= !take(in, '.');
		d.week = take_number(in, 5);
		in->bad |= !take(in, '.');
		d.day = take_number(in, 6);
		in->bad |= d.month < 1 || d.week < 1;
	} else {
		d.kind = take(in, 'J') ? DATE_JULIAN1 : DATE_JULIAN0;
		d.day = take_number(in, 365);
	}
	if (take(in, '/'))
		d.seconds = take_time(in);
	return d;
}

static int
read_rule(struct tz *z, struct arena *a, str text)
{
	struct rule_in in = { .s = text };
	z->std.abbr = arena_dup(a, take_abbr(&in));
	z->std.offset = -take_time(&in);
	if (!in.bad && in.s.n) {
		z->dst = (struct tz_type){ .abbr = arena_dup(a, take_abbr(&in)), .dst = true, .offset = z->std.offset + 3600 };
		if (peek(&in) != ',')
			z->dst.offset = -take_time(&in);
		in.bad |= !take(&in, ',');
		z->dst_from = take_date(&in);
		in.bad |= !take(&in, ',');
		z->dst_to = take_date(&in);
	}
	z->has_rule = !in.bad && in.s.n == 0;
	return z->has_rule ? 0 : -1;
}

/* The instant at which, in `year`, the clock that is `offset` ahead of UTC reaches the date. */
static int64_t
rule_instant(const struct tz_date *d, int64_t year, int32_t offset)
{
	int64_t days = civil_days(year, 1, 1);
	if (d->kind == DATE_JULIAN0) {
		days += d->day;
	} else if (d->kind == DATE_JULIAN1) { /* 29 February is not counted */
		days += d->day - 1 + (d->day >= 60 && civil_month_days(year, 2) == 29);
	} else {
		days = civil_days(year, d->month, 1);
		int first = (int)(((days + 4) % 7 + 7) % 7);
		int day = (d->day - first + 7) % 7 + (d->week - 1) * 7;
		while (day >= civil_month_days(year, d->month))
			day -= 7;
		days += day;
	}
	return days * DAY + d->seconds - offset;
}

/* The rule's transitions of the years around `sec`, those that bracket it. `from` is where the rule begins to hold. */
static struct tz_span
rule_span(const struct tz *z, int64_t sec, int64_t from)
{
	if (!z->dst.abbr.p)
		return (struct tz_span){ from, INT64_MAX, z->std.offset, false, z->std.abbr };
	int64_t year = civil_from(sec + z->std.offset).year;
	struct tz_span best = { from, INT64_MAX, z->std.offset, false, z->std.abbr };
	int64_t best_at = INT64_MIN;
	for (int64_t y = year - 1; y <= year + 1; y++) {
		for (int to_dst = 0; to_dst < 2; to_dst++) {
			const struct tz_type *t = to_dst ? &z->dst : &z->std;
			int64_t at = to_dst ? rule_instant(&z->dst_from, y, z->std.offset) : rule_instant(&z->dst_to, y, z->dst.offset);
			if (at <= sec && at >= best_at) {
				best_at = at;
				best.offset = t->offset;
				best.dst = t->dst;
				best.abbr = t->abbr;
			} else if (at > sec && at < best.to) {
				best.to = at;
			}
		}
	}
	best.from = best_at > from ? best_at : from;
	return best;
}

struct tz_span
tz_span(const struct tz *z, int64_t sec)
{
	size_t lo = 0, hi = z->n; /* transitions at or before sec */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (z->at[mid] <= sec)
			lo = mid + 1;
		else
			hi = mid;
	}
	int64_t from = lo ? z->at[lo - 1] : INT64_MIN;
	if (lo == z->n && z->has_rule)
		return rule_span(z, sec, from);
	const struct tz_type *t = &z->types[lo ? z->kind[lo - 1] : z->first];
	return (struct tz_span){ from, lo < z->n ? z->at[lo] : INT64_MAX, t->offset, t->dst, t->abbr };
}

/* ---- TZif (RFC 8536) ------------------------------------------------------------------------------------------ */

struct tzif {
	uint32_t isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt;
};

static uint64_t
big_endian(const char *p, size_t n)
{
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | (unsigned char)p[i];
	return v;
}

static bool
read_header(str b, struct tzif *h)
{
	if (b.n < 44 || memcmp(b.p, "TZif", 4) != 0)
		return false;
	uint32_t *const counts[] = { &h->isutcnt, &h->isstdcnt, &h->leapcnt, &h->timecnt, &h->typecnt, &h->charcnt };
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		*counts[i] = (uint32_t)big_endian(b.p + 20 + 4 * i, 4);
		if (*counts[i] > TZ_FILE_MAX)
			return false;
	}
	return h->typecnt > 0 && h->typecnt <= 256 && h->charcnt > 0;
}

static size_t
body_size(const struct tzif *h, size_t time_size)
{
	return h->timecnt * (time_size + 1) + h->typecnt * 6 + h->charcnt + h->leapcnt * (time_size + 4) + h->isstdcnt + h->isutcnt;
}

/* Transitions, types and abbreviations of a data block that is known to be complete. */
static bool
read_block(struct tz *z, struct arena *a, const struct tzif *h, const char *p, size_t time_size)
{
	int64_t *at = ARENA_ARRAY(a, int64_t, h->timecnt);
	for (size_t i = 0; i < h->timecnt; i++) {
		uint64_t v = big_endian(p + i * time_size, time_size);
		at[i] = time_size == 4 ? (int64_t)(int32_t)v : (int64_t)v;
		if (i && at[i] <= at[i - 1])
			return false;
	}
	const char *kinds = p + h->timecnt * time_size;
	const char *types = kinds + h->timecnt;
	str names = arena_dup(a, (str){ types + (size_t)h->typecnt * 6, h->charcnt });
	struct tz_type *t = ARENA_ARRAY(a, struct tz_type, h->typecnt);
	for (size_t i = 0; i < h->typecnt; i++) {
		size_t name = (unsigned char)types[i * 6 + 5];
		if (name >= names.n)
			return false;
		t[i].offset = (int32_t)big_endian(types + i * 6, 4);
		t[i].dst = types[i * 6 + 4];
		t[i].abbr = str_c(names.p + name);
		if (t[i].offset < -7 * DAY || t[i].offset > 7 * DAY)
			return false;
	}
	for (size_t i = 0; i < h->timecnt; i++)
		if ((unsigned char)kinds[i] >= h->typecnt)
			return false;
	z->n = h->timecnt;
	z->at = at;
	z->kind = (const uint8_t *)arena_dup(a, (str){ kinds, h->timecnt }).p;
	z->types = t;
	z->types_n = h->typecnt;
	return true;
}

int
tz_read(struct arena *a, str name, str b, const struct tz **out, struct err *e)
{
	struct tz *z = ARENA_NEW(a, struct tz);
	z->name = arena_dup(a, name);
	struct tzif h;
	size_t time_size = 4;
	if (!read_header(b, &h))
		goto damaged;
	if (b.p[4] >= '2') { /* the first block is for readers of 32-bit times; the one that counts follows */
		size_t skip = 44 + body_size(&h, 4);
		if (skip > b.n)
			goto damaged;
		b = str_slice(b, skip, b.n);
		time_size = 8;
		if (!read_header(b, &h))
			goto damaged;
	}
	size_t size = body_size(&h, time_size);
	if (size > b.n - 44 || !read_block(z, a, &h, b.p + 44, time_size))
		goto damaged;
	str footer = str_trim(str_slice(b, 44 + size, b.n));
	if (time_size == 8 && footer.n && read_rule(z, a, footer) < 0)
		goto damaged;
	*out = z;
	return 0;
damaged:
	return err_set(e, ERR_IO, "time zone %.*s: its file is damaged", STR_ARG(name));
}

/* ---- finding the file ----------------------------------------------------------------------------------------- */

static const struct tz_type utc_type = { .abbr = { "UTC", 3 } };
static const struct tz utc = { .name = { "UTC", 3 }, .types = &utc_type, .types_n = 1 };

/* Letters, digits and + - _ in parts between slashes: nothing that leaves the database's folder. */
static bool
name_is_plausible(str name)
{
	if (name.n == 0 || name.n > TZ_NAME_MAX || name.p[0] == '/')
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("+-_/", c));
		if (!word)
			return false;
	}
	return true;
}

/* `path`: where its file would be. */
static int
unknown(struct arena *a, str name, const char *path, struct err *e)
{
	str folder = str_slice(str_c(path), 0, strlen(path) - name.n);
	const char *near = str_ends(str_c(path), name) ? tz_nearest(a, name, str_z(a, folder)) : NULL;
	return err_set(e, ERR_NOT_FOUND, "time zone %.*s is not in the system's database%s%s%s", STR_ARG(name), near ? "; did you mean " : "",
		near ? near : ": write a name like Europe/Berlin", near ? "?" : "");
}

static int
read_zone_file(struct arena *a, str name, const char *path, const struct tz **out, struct err *e)
{
	int fd CLEANUP(close_fd) = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		if (fd >= 0 || errno == ENOENT || errno == ENOTDIR)
			return unknown(a, name, path, e);
		return err_errno(e, "time zone %.*s: cannot read %s", STR_ARG(name), path);
	}
	if (st.st_size > TZ_FILE_MAX)
		return err_set(e, ERR_IO, "time zone %.*s: its file is damaged", STR_ARG(name));
	struct buf b CLEANUP(free_buf) = { 0 };
	char *room = buf_room(&b, (size_t)st.st_size + 1);
	ssize_t got = read(fd, room, (size_t)st.st_size);
	if (got < 0)
		return err_errno(e, "time zone %.*s: cannot read %s", STR_ARG(name), path);
	b.n = (size_t)got;
	return tz_read(a, name, buf_str(&b), out, e);
}

static int
open_local(struct arena *a, const struct tz **out, struct err *e)
{
	const char *env = getenv("TZ");
	if (env && *env == ':')
		env++;
	if (env)
		return strcmp(env, "Local") == 0 ? tz_open(a, S("UTC"), out, e) : tz_open(a, str_c(env), out, e);
	if (read_zone_file(a, S("Local"), "/etc/localtime", out, e) < 0)
		*out = &utc;
	return 0;
}

int
tz_open(struct arena *a, str name, const struct tz **out, struct err *e)
{
	if (name.n == 0 || str_eq(name, S("UTC"))) {
		*out = &utc;
		return 0;
	}
	if (str_eq(name, S("Local")))
		return open_local(a, out, e);
	if (!name_is_plausible(name))
		return err_set(e, ERR_INVALID, "time zone \"%.*s\": write a name like Europe/Berlin", STR_ARG(str_slice(name, 0, 64)));
	const char *dir = getenv("TZDIR");
	str path = arena_fmt(a, "%s/%.*s", dir && *dir ? dir : "/usr/share/zoneinfo", STR_ARG(name));
	return read_zone_file(a, name, path.p, out, e);
}

const struct tz *
tz_utc(void)
{
	return &utc;
}

str
tz_name(const struct tz *z)
{
	return z->name;
}

/* `v` in so many digits. */
static char *
put_digits(char *to, uint32_t v, size_t digits)
{
	for (size_t i = digits; i-- > 0; v /= 10)
		to[i] = (char)('0' + v % 10);
	return to + digits;
}

static char *
put_two(char *to, char before, int v)
{
	*to = before;
	return put_digits(to + 1, (uint32_t)v, 2);
}

/* Digit by digit: each message of some brokers has such a time. */
str
tz_go_string(struct arena *a, const struct tz *z, int64_t ns)
{
	int64_t sec = div_floor(ns, NS_PER_SEC);
	struct tz_span s = tz_span(z, sec);
	struct civil c = civil_from(sec + s.offset);
	int minutes = (s.offset < 0 ? -s.offset : s.offset) / 60;
	char year[24];
	size_t year_n = (size_t)text_format(year, sizeof year, "%04lld", (long long)c.year);
	char *text = arena_alloc(a, year_n + sizeof "-02-01 15:04:05.000000000 +0000 " + s.abbr.n, 1), *to = text;
	memcpy(to, year, year_n);
	to = put_two(to + year_n, '-', c.month);
	to = put_two(to, '-', c.day);
	to = put_two(to, ' ', c.hour);
	to = put_two(to, ':', c.minute);
	to = put_two(to, ':', c.second);
	if (ns != sec * NS_PER_SEC) {
		*to++ = '.';
		to = put_digits(to, (uint32_t)(ns - sec * NS_PER_SEC), 9);
		while (to[-1] == '0')
			to--;
	}
	*to++ = ' ';
	to = put_two(to, s.offset < 0 ? '-' : '+', minutes / 60);
	to = put_digits(to, (uint32_t)(minutes % 60), 2);
	*to++ = ' ';
	if (s.abbr.n)
		memcpy(to, s.abbr.p, s.abbr.n);
	return (str){ text, (size_t)(to - text) + s.abbr.n };
}
