/* SPDX-License-Identifier: Apache-2.0 */
/* Go's layouts for times, "2006-01-02 15:04": writing and reading. Source of the rules: the Go standard library,
 * time/format.go. */
#include "core/lang/gotime.h"

#include <ctype.h>

static const char *const months[] = { "January", "February", "March", "April", "May", "June", "July", "August",
	"September", "October", "November", "December" };
static const char *const days[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };

enum piece {
	P_MONTH,
	P_MON,
	P_01,
	P_1,
	P_MONDAY,
	P_MON3,
	P_02,
	P__2,
	P_2,
	P_002,
	P_15,
	P_03,
	P_3,
	P_04,
	P_4,
	P_05,
	P_5,
	P_2006,
	P_06,
	P_PM,
	P_pm,
	P_MST,
	P_Z070000,
	P_Z0700,
	P_Z07_00,
	P_Z07,
	P_070000,
	P_0700,
	P_07_00,
	P_07,
	P_TEXT
};

/* Longer ones first where one begins with another. */
static const struct piece_text {
	const char *text;
	enum piece piece;
} pieces[] = {
	{ "January", P_MONTH },
	{ "Jan", P_MON },
	{ "Monday", P_MONDAY },
	{ "Mon", P_MON3 },
	{ "MST", P_MST },
	{ "2006", P_2006 },
	{ "002", P_002 },
	{ "01", P_01 },
	{ "02", P_02 },
	{ "03", P_03 },
	{ "04", P_04 },
	{ "05", P_05 },
	{ "06", P_06 },
	{ "15", P_15 },
	{ "PM", P_PM },
	{ "pm", P_pm },
	{ "-07:00:00", P_070000 },
	{ "-0700", P_0700 },
	{ "-07:00", P_07_00 },
	{ "-07", P_07 },
	{ "Z07:00:00", P_Z070000 },
	{ "Z0700", P_Z0700 },
	{ "Z07:00", P_Z07_00 },
	{ "Z07", P_Z07 },
	{ "_2", P__2 },
	{ "1", P_1 },
	{ "2", P_2 },
	{ "3", P_3 },
	{ "4", P_4 },
	{ "5", P_5 },
};

/* "Month" is no "Mon". */
static bool
begins_word(str layout, enum piece p)
{
	return (p == P_MON || p == P_MON3) && layout.n > 3 && islower((unsigned char)layout.p[3]);
}

static const struct piece_text *
piece_at(str layout)
{
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
		if (str_starts(layout, str_c(pieces[i].text)) && !begins_word(layout, pieces[i].piece))
			return &pieces[i];
	return NULL;
}

static void
add_offset(struct buf *b, enum piece p, int32_t offset)
{
	bool z = p == P_Z070000 || p == P_Z0700 || p == P_Z07_00 || p == P_Z07;
	if (z && !offset) {
		buf_addc(b, 'Z');
		return;
	}
	int32_t o = offset < 0 ? -offset : offset;
	buf_addf(b, "%c%02d", offset < 0 ? '-' : '+', o / 3600);
	if (p != P_07 && p != P_Z07)
		buf_addf(b, "%s%02d", p == P_0700 || p == P_Z0700 ? "" : ":", o / 60 % 60);
	if (p == P_070000 || p == P_Z070000)
		buf_addf(b, ":%02d", o % 60);
}

static void
add_piece(struct buf *b, enum piece p, const struct civil *c, int32_t offset, str zone)
{
	int h12 = c->hour % 12 ? c->hour % 12 : 12;
	switch (p) {
	case P_MONTH:
		buf_add(b, str_c(months[c->month - 1]));
		break;
	case P_MON:
		buf_add(b, (str){ months[c->month - 1], 3 });
		break;
	case P_MONDAY:
		buf_add(b, str_c(days[c->weekday]));
		break;
	case P_MON3:
		buf_add(b, (str){ days[c->weekday], 3 });
		break;
	case P_01:
		buf_addf(b, "%02d", c->month);
		break;
	case P_1:
		buf_addf(b, "%d", c->month);
		break;
	case P_02:
		buf_addf(b, "%02d", c->day);
		break;
	case P__2:
		buf_addf(b, "%2d", c->day);
		break;
	case P_2:
		buf_addf(b, "%d", c->day);
		break;
	case P_002:
		buf_addf(b, "%03d", (int)(civil_days(c->year, c->month, c->day) - civil_days(c->year, 1, 1)) + 1);
		break;
	case P_15:
		buf_addf(b, "%02d", c->hour);
		break;
	case P_03:
		buf_addf(b, "%02d", h12);
		break;
	case P_3:
		buf_addf(b, "%d", h12);
		break;
	case P_04:
		buf_addf(b, "%02d", c->minute);
		break;
	case P_4:
		buf_addf(b, "%d", c->minute);
		break;
	case P_05:
		buf_addf(b, "%02d", c->second);
		break;
	case P_5:
		buf_addf(b, "%d", c->second);
		break;
	case P_2006:
		buf_addf(b, "%04lld", (long long)c->year);
		break;
	case P_06:
		buf_addf(b, "%02d", (int)(c->year % 100));
		break;
	case P_PM:
		buf_add(b, c->hour >= 12 ? S("PM") : S("AM"));
		break;
	case P_pm:
		buf_add(b, c->hour >= 12 ? S("pm") : S("am"));
		break;
	case P_MST:
		buf_add(b, zone);
		break;
	default:
		add_offset(b, p, offset);
		break;
	}
}

/* ".000" and ".999" (also with a comma) behind the seconds: a fraction. Its length in the layout, 0 if it is none. */
static size_t
fraction(struct buf *b, str l, int64_t ns)
{
	size_t n = 1;
	if (l.n < 2 || (l.p[0] != '.' && l.p[0] != ',') || (l.p[1] != '0' && l.p[1] != '9'))
		return 0;
	while (n < l.n && l.p[n] == l.p[1])
		n++;
	if (n < l.n && l.p[n] >= '0' && l.p[n] <= '9')
		return 0;
	char digits[16];
	snprintf(digits, sizeof digits, "%09u", (unsigned)(ns % NS_PER_SEC));
	size_t keep = n - 1 > 9 ? 9 : n - 1;
	if (l.p[1] == '9')
		while (keep && digits[keep - 1] == '0')
			keep--;
	if (keep)
		buf_addf(b, "%c%.*s", l.p[0], (int)keep, digits);
	return n;
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

void
go_time_format_at(struct buf *b, int64_t sec, int32_t nsec, str layout, int32_t offset, str zone)
{
	struct civil c = civil_from(sec + offset);
	while (layout.n) {
		size_t used = fraction(b, layout, nsec);
		const struct piece_text *t = used ? NULL : piece_at(layout);
		if (t) {
			used = strlen(t->text);
			add_piece(b, t->piece, &c, offset, zone);
		}
		if (!used) {
			buf_addc(b, layout.p[0]);
			used = 1;
		}
		layout = str_slice(layout, used, layout.n);
	}
}

void
go_time_format(struct buf *b, int64_t ns, str layout, int32_t offset, str zone)
{
	int64_t sec = ns / NS_PER_SEC - (ns % NS_PER_SEC < 0);
	go_time_format_at(b, sec, (int32_t)(ns - sec * NS_PER_SEC), layout, offset, zone);
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

struct reader {
	str value;
	struct go_time *t;
	int yday;
	bool pm, am, wrong;
};

static bool
digit_at(str s, size_t i)
{
	return i < s.n && isdigit((unsigned char)s.p[i]);
}

/* One or two digits; exactly two if `fixed`. */
static int
number(struct reader *r, bool fixed, int low, int high)
{
	size_t n = digit_at(r->value, 1) ? 2 : 1;
	if (!digit_at(r->value, 0) || (fixed && n != 2)) {
		r->wrong = true;
		return 0;
	}
	int v = r->value.p[0] - '0';
	if (n == 2)
		v = v * 10 + r->value.p[1] - '0';
	r->value = str_slice(r->value, n, r->value.n);
	r->wrong |= v < low || v > high;
	return v;
}

static int64_t
digits(struct reader *r, size_t n)
{
	int64_t v = 0;
	for (size_t i = 0; i < n && !r->wrong; i++) {
		r->wrong = !digit_at(r->value, i);
		v = r->wrong ? 0 : v * 10 + r->value.p[i] - '0';
	}
	if (!r->wrong)
		r->value = str_slice(r->value, n, r->value.n);
	return v;
}

/* The number of the name at the front, letter case aside; `n` 0: the whole name, else its first letters. */
static int
name(struct reader *r, const char *const *names, size_t count, size_t n)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = n ? n : strlen(names[i]);
		if (r->value.n >= len && !strncasecmp(r->value.p, names[i], len)) {
			r->value = str_slice(r->value, len, r->value.n);
			return (int)i;
		}
	}
	r->wrong = true;
	return 0;
}

static void
half(struct reader *r, const char *am, const char *pm)
{
	r->pm = str_starts(r->value, str_c(pm));
	r->am = str_starts(r->value, str_c(am));
	r->wrong |= !r->pm && !r->am;
	r->value = str_slice(r->value, 2, r->value.n);
}

/* Up to nine digits behind a point or comma; more are cut. */
static void
read_fraction(struct reader *r, size_t n)
{
	int32_t nsec = 0;
	for (size_t i = 1; i < 10; i++)
		nsec = nsec * 10 + (i < n && digit_at(r->value, i) ? r->value.p[i] - '0' : 0);
	r->t->nsec = nsec;
	r->value = str_slice(r->value, n, r->value.n);
}

static size_t
fraction_length(str s)
{
	size_t n = 1;
	if (s.n < 2 || (s.p[0] != '.' && s.p[0] != ',') || !digit_at(s, 1))
		return 0;
	while (digit_at(s, n))
		n++;
	return n;
}

static void
read_offset(struct reader *r, enum piece p)
{
	bool z = p == P_Z070000 || p == P_Z0700 || p == P_Z07_00 || p == P_Z07;
	if (z && str_starts(r->value, S("Z"))) {
		r->value = str_slice(r->value, 1, r->value.n);
		r->t->zone = GO_ZONE_UTC;
		return;
	}
	bool minutes = p != P_07 && p != P_Z07, seconds = p == P_070000 || p == P_Z070000,
	     colon = minutes && p != P_0700 && p != P_Z0700;
	char sign = r->value.n ? r->value.p[0] : 0;
	r->wrong |= sign != '+' && sign != '-';
	r->value = str_slice(r->value, 1, r->value.n);
	int64_t offset = digits(r, 2) * 3600;
	for (int part = 0; part < minutes + seconds; part++) {
		if (colon) {
			r->wrong |= !str_starts(r->value, S(":"));
			r->value = str_slice(r->value, 1, r->value.n);
		}
		offset += digits(r, 2) * (part ? 1 : 60);
	}
	r->wrong |= offset > 24 * 3600;
	if (r->t->zone == GO_ZONE_UTC)
		return; /* that name was read, and counts */
	r->t->zone = GO_ZONE_OFFSET;
	r->t->offset = (int32_t)(sign == '-' ? -offset : offset);
}

/* "+3", "-04": hours up to 23; 0 if it is none. */
static size_t
hours_length(str v)
{
	size_t n = 1;
	int hours = 0;
	if (!v.n || (v.p[0] != '+' && v.p[0] != '-'))
		return 0;
	for (; n < v.n && isdigit((unsigned char)v.p[n]) && hours <= 23; n++)
		hours = hours * 10 + v.p[n] - '0';
	return n > 1 && hours <= 23 ? n : 0;
}

/* What Go takes for the name of a zone; 0: nothing. */
static size_t
zone_name_length(str v)
{
	size_t n = 0;
	if (str_starts(v, S("ChST")) || str_starts(v, S("MeST")))
		return 4;
	if (str_starts(v, S("GMT")))
		return 3 + hours_length(str_slice(v, 3, v.n));
	if (v.n && (v.p[0] == '+' || v.p[0] == '-'))
		return hours_length(v);
	while (n < v.n && n < 6 && isupper((unsigned char)v.p[n]))
		n++;
	bool fits = n == 3 || (n == 4 && (v.p[3] == 'T' || str_starts(v, S("WITA")))) || (n == 5 && v.p[4] == 'T');
	return fits ? n : 0;
}

/* A name that is not UTC's has no offset of its own: what it means differs from place to place. One that was read beside it
 * stays. */
static void
read_zone_name(struct reader *r)
{
	bool utc = str_starts(r->value, S("UTC"));
	size_t n = utc ? 3 : zone_name_length(r->value);
	r->wrong |= !n;
	if (utc)
		r->t->offset = 0;
	if (utc || r->t->zone == GO_ZONE_NONE)
		r->t->zone = utc ? GO_ZONE_UTC : GO_ZONE_OFFSET;
	r->value = str_slice(r->value, n, r->value.n);
}

static void
read_second(struct reader *r, bool fixed, str layout_behind)
{
	struct buf none CLEANUP(free_buf) = { 0 };
	r->t->second = number(r, fixed, 0, 59);
	size_t n = fraction_length(r->value);
	if (n && !fraction(&none, layout_behind, 0)) /* a fraction may follow though the layout has none */
		read_fraction(r, n);
}

static void
read_piece(struct reader *r, enum piece p, str behind)
{
	struct go_time *t = r->t;
	switch (p) {
	case P_MONTH:
		t->month = name(r, months, ARRAY_LEN(months), 0) + 1;
		break;
	case P_MON:
		t->month = name(r, months, ARRAY_LEN(months), 3) + 1;
		break;
	case P_MONDAY:
		(void)name(r, days, ARRAY_LEN(days), 0);
		break;
	case P_MON3:
		(void)name(r, days, ARRAY_LEN(days), 3);
		break;
	case P_01:
	case P_1:
		t->month = number(r, p == P_01, 1, 12);
		break;
	case P__2:
		if (str_starts(r->value, S(" ")))
			r->value = str_slice(r->value, 1, r->value.n);
		t->day = number(r, false, 1, 31);
		break;
	case P_02:
	case P_2:
		t->day = number(r, p == P_02, 1, 31);
		break;
	case P_002:
		r->yday = (int)digits(r, 3);
		break;
	case P_15:
		t->hour = number(r, false, 0, 23);
		break;
	case P_03:
	case P_3:
		t->hour = number(r, p == P_03, 0, 12);
		break;
	case P_04:
	case P_4:
		t->minute = number(r, p == P_04, 0, 59);
		break;
	case P_05:
	case P_5:
		read_second(r, p == P_05, behind);
		break;
	case P_2006:
		t->year = digits(r, 4);
		break;
	case P_06:
		t->year = digits(r, 2);
		t->year += t->year >= 69 ? 1900 : 2000;
		break;
	case P_PM:
		half(r, "AM", "PM");
		break;
	case P_pm:
		half(r, "am", "pm");
		break;
	case P_MST:
		read_zone_name(r);
		break;
	default:
		read_offset(r, p);
		break;
	}
}

/* A fraction of the layout: ".000" wants so many digits, ".999" takes what there is. */
static void
read_layout_fraction(struct reader *r, str layout, size_t used)
{
	size_t n = fraction_length(r->value);
	if (layout.p[1] == '0') {
		r->wrong |= n < used;
		read_fraction(r, used);
	} else if (n) {
		read_fraction(r, n);
	}
}

/* A byte of the layout that means itself; a space stands for any number of them. */
static void
read_text(struct reader *r, char c)
{
	if (c == ' ' && r->value.n && r->value.p[0] != ' ')
		r->wrong = true;
	if (c == ' ') {
		while (str_starts(r->value, S(" ")))
			r->value = str_slice(r->value, 1, r->value.n);
		return;
	}
	r->wrong |= !r->value.n || r->value.p[0] != c;
	r->value = str_slice(r->value, 1, r->value.n);
}

static void
read_value(struct reader *r, str layout)
{
	struct buf none CLEANUP(free_buf) = { 0 };
	while (layout.n && !r->wrong) {
		none.n = 0;
		size_t used = fraction(&none, layout, 0);
		const struct piece_text *t = used ? NULL : piece_at(layout);
		if (used) {
			read_layout_fraction(r, layout, used);
		} else if (t) {
			used = strlen(t->text);
			read_piece(r, t->piece, str_slice(layout, used, layout.n));
		} else {
			used = 1;
			read_text(r, layout.p[0]);
			while (layout.p[0] == ' ' && used < layout.n && layout.p[used] == ' ')
				used++;
		}
		layout = str_slice(layout, used, layout.n);
	}
	r->wrong |= r->value.n > 0;
}

bool
go_time_parse(str layout, str value, struct go_time *out)
{
	struct reader r = { .value = value, .t = out, .yday = -1 };
	*out = (struct go_time){ .zone = GO_ZONE_NONE };
	read_value(&r, layout);
	if (r.wrong)
		return false;
	if (r.pm && out->hour < 12)
		out->hour += 12;
	else if (r.am && out->hour == 12)
		out->hour = 0;
	if (r.yday >= 0) {
		int leap = civil_month_days(out->year, 2) == 29;
		struct civil c = civil_from((civil_days(out->year, 1, 1) + r.yday - 1) * 86400);
		if (r.yday < 1 || r.yday > 365 + leap || (out->month && out->month != c.month) ||
			(out->day && out->day != c.day))
			return false;
		out->month = c.month;
		out->day = c.day;
	}
	out->month = out->month ? out->month : 1;
	out->day = out->day ? out->day : 1;
	return out->day <= civil_month_days(out->year, out->month);
}
