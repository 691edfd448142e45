/* SPDX-License-Identifier: Apache-2.0 */
/* Values as text, as Go's fmt prints them. Source: Go 1.26, fmt/print.go, fmt/format.go. */
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
