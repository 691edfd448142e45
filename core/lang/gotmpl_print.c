/* SPDX-License-Identifier: Apache-2.0 */
/* Values as text, as Go's fmt prints them, and times by Go's layouts. Source: Go 1.26, fmt/print.go, fmt/format.go, time/format.go. */
#include <math.h>

#include "core/lang/gofmt.h"
#include "core/lang/gotmpl_impl.h"
#include "core/tz.h"

static int
by_key(const void *x, const void *y)
{
	const struct member *const *a = x, *const *b = y;
	return str_cmp(val_key(*a), val_key(*b));
}

/* "map[k:v ...]" in order of the keys, each part by `part`. */
static void
print_map(struct buf *b, const struct val *map, void (*part)(struct buf *b, const void *arg, const struct val *v), const void *arg)
{
	VEC(const struct member *) order = { 0 };
	for (size_t i = 0; i < map->n; i++)
		*VEC_PUSH(&order) = &map->members[i];
	if (order.n)
		qsort(order.p, order.n, sizeof *order.p, by_key);
	buf_add(b, S("map["));
	for (size_t i = 0; i < order.n; i++) {
		if (i)
			buf_addc(b, ' ');
		part(b, arg, &order.p[i]->key);
		buf_addc(b, ':');
		part(b, arg, &order.p[i]->value);
	}
	buf_addc(b, ']');
	VEC_FREE(&order);
}

/* "2006-01-02 15:04:05.999999999 -0700 MST" in UTC */
static void
print_time(struct buf *b, int64_t ns)
{
	struct arena *a = arena_new();
	buf_add(b, tz_go_string(a, tz_utc(), ns));
	arena_free(a);
}

static void
print_part(struct buf *b, const void *arg UNUSED, const struct val *v)
{
	go_print(b, v);
}

void
go_print(struct buf *b, const struct val *v)
{
	struct val n = go_norm(v);
	switch (n.kind) {
	case VAL_NULL: buf_add(b, S("<nil>")); break;
	case VAL_BOOL: buf_add(b, n.b ? S("true") : S("false")); break;
	case VAL_INT:
		if (n.pad == GO_TIME)
			print_time(b, n.i);
		else
			buf_addf(b, "%lld", (long long)n.i);
		break;
	case VAL_FLOAT: go_format_float(b, n.f, 'g', -1); break;
	case VAL_LIST:
		buf_addc(b, '[');
		for (size_t i = 0; i < n.n; i++) {
			if (i)
				buf_addc(b, ' ');
			go_print(b, &n.items[i]);
		}
		buf_addc(b, ']');
		break;
	case VAL_MAP: print_map(b, &n, print_part, NULL); break;
	default: buf_add(b, val_text(&n)); break;
	}
}

str
go_string(struct run *r, const struct val *v)
{
	struct val n = go_norm(v);
	if (n.kind == VAL_STR)
		return val_text(&n);
	struct buf b CLEANUP(free_buf) = { 0 };
	go_print(&b, v);
	return arena_dup(r->a, buf_str(&b));
}

/* ---- printf ------------------------------------------------------------------------------------------------------------------ */

struct spec {
	bool minus, plus, sharp, space, zero;
	int width, precision; /* -1: none */
	char verb;
};

enum { WIDTH_MAX = 1000 };

static int
read_number(str f, size_t *i)
{
	int n = -1;
	for (; *i < f.n && f.p[*i] >= '0' && f.p[*i] <= '9'; ++*i)
		n = (n < 0 ? 0 : n) * 10 + f.p[*i] - '0' > WIDTH_MAX ? WIDTH_MAX : (n < 0 ? 0 : n) * 10 + f.p[*i] - '0';
	return n;
}

static struct spec
read_spec(str f, size_t *i)
{
	struct spec s = { .width = -1, .precision = -1 };
	for (; *i < f.n; ++*i) {
		char c = f.p[*i];
		if (c == '-') s.minus = true;
		else if (c == '+') s.plus = true;
		else if (c == '#') s.sharp = true;
		else if (c == ' ') s.space = true;
		else if (c == '0') s.zero = true;
		else break;
	}
	s.width = read_number(f, i);
	if (*i < f.n && f.p[*i] == '.') {
		++*i;
		s.precision = read_number(f, i);
		if (s.precision < 0)
			s.precision = 0;
	}
	if (*i < f.n)
		s.verb = f.p[(*i)++];
	return s;
}

/* Blanks (or zeros, behind a sign) up to the width, counted in runes. */
static void
pad(struct buf *out, str text, const struct spec *s, bool number)
{
	size_t have = go_rune_count(text), want = s->width > 0 ? (size_t)s->width : 0;
	size_t fill = want > have ? want - have : 0;
	bool zero = s->zero && !s->minus && number;
	if (s->minus)
		buf_add(out, text);
	if (zero && text.n && (text.p[0] == '-' || text.p[0] == '+')) {
		buf_addc(out, text.p[0]);
		text = str_slice(text, 1, text.n);
	}
	for (size_t i = 0; i < fill; i++)
		buf_addc(out, zero || (s->zero && !s->minus) ? '0' : ' ');
	if (!s->minus)
		buf_add(out, text);
}

static void
bad_verb(struct buf *out, const struct spec *s, const struct val *v)
{
	buf_addf(out, "%%!%c(", s->verb);
	if (v->kind == VAL_NULL) {
		buf_add(out, S("<nil>)"));
		return;
	}
	buf_addf(out, "%s=", go_type(v));
	go_print(out, v);
	buf_addc(out, ')');
}

static void
add_integer(struct buf *b, const struct spec *s, int64_t v)
{
	static const char digits[] = "0123456789abcdef";
	unsigned base = s->verb == 'x' || s->verb == 'X' ? 16 : s->verb == 'o' || s->verb == 'O' ? 8 : s->verb == 'b' ? 2 : 10;
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	char text[70];
	size_t n = sizeof text;
	do {
		char c = digits[u % base];
		text[--n] = (char)(s->verb == 'X' && c >= 'a' ? c - 32 : c);
		u /= base;
	} while (u);
	if (v < 0 || s->plus || s->space)
		buf_addc(b, v < 0 ? '-' : s->plus ? '+' : ' ');
	if (s->sharp && base == 16)
		buf_addf(b, "0%c", s->verb);
	if ((s->sharp && base == 8) || s->verb == 'O')
		buf_add(b, s->verb == 'O' ? S("0o") : S("0"));
	if (s->sharp && base == 2)
		buf_add(b, S("0b"));
	for (size_t have = sizeof text - n; s->precision > 0 && have < (size_t)s->precision; have++)
		buf_addc(b, '0');
	buf_add(b, (str){ text + n, sizeof text - n });
}

static bool
format_int(struct buf *b, const struct spec *s, int64_t v)
{
	switch (s->verb) {
	case 'v': case 'd': case 'x': case 'X': case 'o': case 'O': case 'b':
		add_integer(b, s, v);
		return true;
	case 'c':
		go_add_rune(b, v < 0 || v > 0x10ffff ? 0xfffd : (uint32_t)v);
		return true;
	case 'U':
		buf_addf(b, "U+%04llX", (unsigned long long)v);
		return true;
	case 'q': {
		struct buf c CLEANUP(free_buf) = { 0 };
		go_add_rune(&c, v < 0 || v > 0x10ffff ? 0xfffd : (uint32_t)v);
		buf_addf(b, "'%.*s'", STR_ARG(buf_str(&c)));
		return true;
	}
	default: return false;
	}
}

static bool
format_float(struct buf *b, const struct spec *s, double f)
{
	char verb = s->verb == 'v' ? 'g' : s->verb == 'F' ? 'f' : s->verb;
	if (!strchr("eEfgG", verb))
		return false;
	int precision = s->precision >= 0 || verb == 'g' || verb == 'G' ? s->precision : 6;
	if (s->plus && !signbit(f) && !isnan(f) && !isinf(f))
		buf_addc(b, '+');
	else if (s->space && !signbit(f))
		buf_addc(b, ' ');
	go_format_float(b, f, verb, precision);
	return true;
}

static bool
format_string(struct buf *b, const struct spec *s, str text)
{
	if (s->precision >= 0 && s->verb != 'x' && s->verb != 'X') { /* in runes */
		size_t i = 0, width;
		for (int n = 0; n < s->precision && i < text.n; n++, i += width)
			(void)go_rune(text, i, &width);
		text = str_slice(text, 0, i);
	}
	switch (s->verb) {
	case 'v':
		if (s->sharp) {
			go_quote(b, text);
			return true;
		}
		buf_add(b, text);
		return true;
	case 's': buf_add(b, text); return true;
	case 'q':
		if (s->sharp && str_find_char(text, '`', 0) == SIZE_MAX)
			buf_addf(b, "`%.*s`", STR_ARG(text));
		else
			go_quote(b, text);
		return true;
	case 'x': case 'X':
		for (size_t i = 0; i < text.n; i++)
			buf_addf(b, s->verb == 'x' ? "%02x" : "%02X", (unsigned char)text.p[i]);
		return true;
	default: return false;
	}
}

static void format_value(struct buf *out, const struct spec *s, const struct val *v);

/* Every element under the verb: "%d" of a list prints its numbers. */
static void
format_list(struct buf *out, const struct spec *s, const struct val *list)
{
	buf_addc(out, '[');
	for (size_t i = 0; i < list->n; i++) {
		if (i)
			buf_addc(out, ' ');
		format_value(out, s, &list->items[i]);
	}
	buf_addc(out, ']');
}

static void
format_part(struct buf *out, const void *spec, const struct val *v)
{
	format_value(out, spec, v);
}

static void
format_value(struct buf *out, const struct spec *s, const struct val *v)
{
	struct val n = go_norm(v);
	struct buf b CLEANUP(free_buf) = { 0 };
	bool ok = true;
	switch (n.kind) {
	case VAL_NULL:
		if (s->verb != 'v') {
			buf_addf(out, "%%!%c(<nil>)", s->verb);
			return;
		}
		buf_add(&b, S("<nil>"));
		break;
	case VAL_BOOL:
		ok = s->verb == 'v' || s->verb == 't';
		buf_add(&b, n.b ? S("true") : S("false"));
		break;
	case VAL_INT:
		if (n.pad == GO_TIME)
			go_print(&b, &n);
		else
			ok = format_int(&b, s, n.i);
		break;
	case VAL_FLOAT: ok = format_float(&b, s, n.f); break;
	case VAL_STR: ok = format_string(&b, s, val_text(&n)); break;
	case VAL_LIST: format_list(out, s, &n); return;
	default: print_map(out, &n, format_part, s); return;
	}
	if (ok)
		pad(out, buf_str(&b), s, n.kind == VAL_INT || n.kind == VAL_FLOAT);
	else
		bad_verb(out, s, &n);
}

bool
go_printf(struct run *r, str f, const struct val *args, size_t n, struct buf *out)
{
	size_t used = 0;
	for (size_t i = 0; i < f.n && go_fits(r, out);) {
		if (f.p[i] != '%') {
			buf_addc(out, f.p[i++]);
			continue;
		}
		i++;
		struct spec s = read_spec(f, &i);
		if (!s.verb) {
			buf_add(out, S("%!(NOVERB)"));
		} else if (s.verb == '%') {
			buf_addc(out, '%');
		} else if (used >= n) {
			buf_addf(out, "%%!%c(MISSING)", s.verb);
		} else if (s.verb == 'T') {
			struct buf b CLEANUP(free_buf) = { 0 };
			buf_add(&b, str_c(go_type(&args[used++])));
			pad(out, buf_str(&b), &s, false);
		} else {
			format_value(out, &s, &args[used++]);
		}
	}
	if (used < n) {
		buf_add(out, S("%!(EXTRA "));
		for (size_t i = used; i < n; i++) {
			struct val v = go_norm(&args[i]);
			buf_addf(out, "%s%s", i > used ? ", " : "", v.kind == VAL_NULL ? "" : go_type(&v));
			if (v.kind != VAL_NULL)
				buf_addc(out, '=');
			go_print(out, &v);
		}
		buf_addc(out, ')');
	}
	return go_fits(r, out);
}

/* ---- time layouts ---------------------------------------------------------------------------------------------------------------- */

static const char *const months[] = { "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December" };
static const char *const days[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };

enum piece { P_MONTH, P_MON, P_01, P_1, P_MONDAY, P_MON3, P_02, P__2, P_2, P_002, P_15, P_03, P_3, P_04, P_4, P_05, P_5, P_2006, P_06, P_PM, P_pm,
	     P_MST, P_Z070000, P_Z0700, P_Z07_00, P_Z07, P_070000, P_0700, P_07_00, P_07, P_TEXT };

/* Longer ones first where one begins with another. */
static const struct {
	const char *text;
	enum piece piece;
} pieces[] = {
	{ "January", P_MONTH }, { "Jan", P_MON }, { "Monday", P_MONDAY }, { "Mon", P_MON3 }, { "MST", P_MST }, { "2006", P_2006 }, { "002", P_002 },
	{ "01", P_01 }, { "02", P_02 }, { "03", P_03 }, { "04", P_04 }, { "05", P_05 }, { "06", P_06 }, { "15", P_15 }, { "PM", P_PM }, { "pm", P_pm },
	{ "-07:00:00", P_070000 }, { "-0700", P_0700 }, { "-07:00", P_07_00 }, { "-07", P_07 }, { "Z07:00:00", P_Z070000 }, { "Z0700", P_Z0700 },
	{ "Z07:00", P_Z07_00 }, { "Z07", P_Z07 }, { "_2", P__2 }, { "1", P_1 }, { "2", P_2 }, { "3", P_3 }, { "4", P_4 }, { "5", P_5 },
};

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
	case P_MONTH: buf_add(b, str_c(months[c->month - 1])); break;
	case P_MON: buf_add(b, (str){ months[c->month - 1], 3 }); break;
	case P_MONDAY: buf_add(b, str_c(days[c->weekday])); break;
	case P_MON3: buf_add(b, (str){ days[c->weekday], 3 }); break;
	case P_01: buf_addf(b, "%02d", c->month); break;
	case P_1: buf_addf(b, "%d", c->month); break;
	case P_02: buf_addf(b, "%02d", c->day); break;
	case P__2: buf_addf(b, "%2d", c->day); break;
	case P_2: buf_addf(b, "%d", c->day); break;
	case P_002: buf_addf(b, "%03d", (int)(civil_days(c->year, c->month, c->day) - civil_days(c->year, 1, 1)) + 1); break;
	case P_15: buf_addf(b, "%02d", c->hour); break;
	case P_03: buf_addf(b, "%02d", h12); break;
	case P_3: buf_addf(b, "%d", h12); break;
	case P_04: buf_addf(b, "%02d", c->minute); break;
	case P_4: buf_addf(b, "%d", c->minute); break;
	case P_05: buf_addf(b, "%02d", c->second); break;
	case P_5: buf_addf(b, "%d", c->second); break;
	case P_2006: buf_addf(b, "%04lld", (long long)c->year); break;
	case P_06: buf_addf(b, "%02d", (int)(c->year % 100)); break;
	case P_PM: buf_add(b, c->hour >= 12 ? S("PM") : S("AM")); break;
	case P_pm: buf_add(b, c->hour >= 12 ? S("pm") : S("am")); break;
	case P_MST: buf_add(b, zone); break;
	default: add_offset(b, p, offset); break;
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

void
go_time_format(struct buf *b, int64_t ns, str layout, int32_t offset, str zone)
{
	int64_t sec = ns / NS_PER_SEC - (ns % NS_PER_SEC < 0);
	int64_t rest = ns - sec * NS_PER_SEC;
	struct civil c = civil_from(sec + offset);
	while (layout.n) {
		size_t used = fraction(b, layout, rest);
		for (size_t i = 0; !used && i < ARRAY_LEN(pieces); i++) {
			if (!str_starts(layout, str_c(pieces[i].text)))
				continue;
			used = strlen(pieces[i].text);
			add_piece(b, pieces[i].piece, &c, offset, zone);
		}
		if (!used) {
			buf_addc(b, layout.p[0]);
			used = 1;
		}
		layout = str_slice(layout, used, layout.n);
	}
}
