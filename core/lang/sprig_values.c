/* SPDX-License-Identifier: Apache-2.0 */
/* sprig: numbers, lists and dictionaries. */
#include <limits.h>
#include <math.h>

#include "core/lang/sprig.h"

/* ---- conversions ---------------------------------------------------------------------------------------------------------- */

/* "12.00" counts as 12 (cast.trimZeroDecimal). */
static str
trim_zero_decimal(str s)
{
	size_t dot = str_find_char(s, '.', 0);
	for (size_t i = dot + 1; dot != SIZE_MAX && i < s.n; i++)
		if (s.p[i] != '0')
			return s;
	return dot == SIZE_MAX || dot + 1 == s.n ? s : str_slice(s, 0, dot);
}

static int64_t
saturate(double d)
{
	if (isnan(d))
		return INT64_MIN;
	return d >= 0x1p63 || d < -0x1p63 ? INT64_MIN : (int64_t)d;
}

int64_t
sprig_int(const struct val *v)
{
	struct val x = go_norm(v);
	int64_t i = 0;
	switch (x.kind) {
	case VAL_INT: return x.i;
	case VAL_FLOAT: return saturate(x.f);
	case VAL_BOOL: return x.b;
	case VAL_STR: return go_parse_int(trim_zero_decimal(val_text(&x)), 0, &i) ? i : 0;
	default: return 0;
	}
}

double
sprig_float(const struct val *v)
{
	struct val x = go_norm(v);
	double d = 0;
	switch (x.kind) {
	case VAL_INT: return (double)x.i;
	case VAL_FLOAT: return x.f;
	case VAL_BOOL: return x.b;
	case VAL_STR: return go_parse_float(val_text(&x), &d) ? d : 0;
	default: return 0;
	}
}

str
sprig_text(struct run *r, const struct val *v)
{
	return go_string(r, v);
}

struct val
go_list(struct run *r, struct val_list *b, uint32_t type)
{
	struct val v = val_list_end(b, r->a);
	v.pad = type;
	return v;
}

struct val
sprig_texts(struct run *r, const struct val *v)
{
	struct val x = go_norm(v);
	struct val_list b = { 0 };
	for (size_t i = 0; x.kind == VAL_LIST && i < x.n; i++)
		if (go_item(&x, i).kind != VAL_NULL)
			val_list_add(&b, val_str(sprig_text(r, &x.items[i])));
	if (x.kind != VAL_LIST && x.kind != VAL_NULL)
		val_list_add(&b, val_str(sprig_text(r, &x)));
	return go_list(r, &b, GO_STRINGS);
}

FN(fn_int64)
{
	*out = go_int64(sprig_int(&v[0]));
	return true;
}
FN(fn_int)
{
	*out = val_int(sprig_int(&v[0]));
	return true;
}
FN(fn_float64)
{
	*out = val_float(sprig_float(&v[0]));
	return true;
}
FN(fn_atoi)
{
	int64_t i;
	*out = val_int(go_parse_int(TEXT(0), 10, &i) ? i : 0);
	return true;
}
FN(fn_to_decimal)
{
	int64_t i;
	*out = go_int64(go_parse_int(sprig_text(r, &v[0]), 8, &i) ? i : 0);
	return true;
}
FN(fn_to_string)
{
	*out = val_str(sprig_text(r, &v[0]));
	return true;
}
FN(fn_to_strings)
{
	*out = sprig_texts(r, &v[0]);
	return true;
}

/* ---- integers: they wrap around, as Go's do ---------------------------------------------------------------------------------- */

#define WRAP(a, op, b) ((int64_t)((uint64_t)(a) op (uint64_t)(b)))

FN(fn_add)
{
	int64_t sum = 0;
	for (size_t i = 0; i < n; i++)
		sum = WRAP(sum, +, sprig_int(&v[i]));
	*out = go_int64(sum);
	return true;
}
FN(fn_add1)
{
	*out = go_int64(WRAP(sprig_int(&v[0]), +, 1));
	return true;
}
FN(fn_sub)
{
	*out = go_int64(WRAP(sprig_int(&v[0]), -, sprig_int(&v[1])));
	return true;
}
FN(fn_mul)
{
	int64_t product = sprig_int(&v[0]);
	for (size_t i = 1; i < n; i++)
		product = WRAP(product, *, sprig_int(&v[i]));
	*out = go_int64(product);
	return true;
}

static bool
divide(struct run *r, const struct val *v, bool rest, struct val *out)
{
	int64_t a = sprig_int(&v[0]), b = sprig_int(&v[1]);
	if (!b)
		return go_fail(r, "error calling %s: integer divide by zero", rest ? "mod" : "div");
	if (b == -1)
		*out = go_int64(rest ? 0 : WRAP(0, -, a));
	else
		*out = go_int64(rest ? a % b : a / b);
	return true;
}
FN(fn_div) { return divide(r, v, false, out); }
FN(fn_mod) { return divide(r, v, true, out); }

FN(fn_max)
{
	int64_t most = sprig_int(&v[0]);
	for (size_t i = 1; i < n; i++)
		most = sprig_int(&v[i]) > most ? sprig_int(&v[i]) : most;
	*out = go_int64(most);
	return true;
}
FN(fn_min)
{
	int64_t least = sprig_int(&v[0]);
	for (size_t i = 1; i < n; i++)
		least = sprig_int(&v[i]) < least ? sprig_int(&v[i]) : least;
	*out = go_int64(least);
	return true;
}

/* ---- floats ------------------------------------------------------------------------------------------------------------------------ */

FN(fn_maxf)
{
	double most = sprig_float(&v[0]);
	for (size_t i = 1; i < n; i++)
		most = fmax(most, sprig_float(&v[i]));
	*out = val_float(most);
	return true;
}
FN(fn_minf)
{
	double least = sprig_float(&v[0]);
	for (size_t i = 1; i < n; i++)
		least = fmin(least, sprig_float(&v[i]));
	*out = val_float(least);
	return true;
}
FN(fn_floor)
{
	*out = val_float(floor(sprig_float(&v[0])));
	return true;
}
FN(fn_ceil)
{
	*out = val_float(ceil(sprig_float(&v[0])));
	return true;
}
FN(fn_round)
{
	double on = n > 2 ? v[2].f : 0.5, pow10 = pow(10, (double)v[1].i), digit = pow10 * sprig_float(&v[0]), whole;
	double part = modf(digit, &whole);
	*out = val_float((part >= on ? ceil(digit) : floor(digit)) / pow10);
	return true;
}

/*
 * addf and its kin reckon in decimal (github.com/shopspring/decimal), so that 0.1 + 0.2 is 0.3. A number is m * 10^x; what
 * does not fit into 38 digits is reckoned in binary.
 */
struct decimal {
	__int128 m;
	int x;
	bool fits;
};

static struct decimal
to_decimal(double f)
{
	struct decimal d = { .fits = isfinite(f) };
	struct buf b CLEANUP(free_buf) = { 0 };
	go_format_float(&b, f, 'e', -1);
	bool fraction = false;
	for (size_t i = 0; d.fits && i < b.n; i++) {
		char c = b.p[i];
		if (c == '.')
			fraction = true;
		else if (c >= '0' && c <= '9')
			d.m = d.m * 10 + (c - '0'), d.x -= fraction;
		else if (c == 'e') {
			d.x += (int)strtol(b.p + i + 1, NULL, 10);
			break;
		}
	}
	if (f < 0)
		d.m = -d.m;
	return d;
}

static double
from_decimal(struct decimal d)
{
	char text[80], *p = text + 50;
	bool neg = d.m < 0;
	unsigned __int128 u = neg ? -(unsigned __int128)d.m : (unsigned __int128)d.m;
	snprintf(p, 30, "e%d", d.x);
	do
		*--p = (char)('0' + (int)(u % 10));
	while ((u /= 10));
	if (neg)
		*--p = '-';
	return strtod(p, NULL);
}

static __int128
abs128(__int128 m)
{
	return m < 0 ? -m : m;
}

/* Up to 36 digits are safe to go on with. */
static bool
scale(struct decimal *d, int digits)
{
	static const __int128 most = (__int128)1000000000000000000 * 1000000000000000000;
	for (; digits > 0; digits--, d->x--) {
		if (abs128(d->m) > most / 10)
			return false;
		d->m *= 10;
	}
	return true;
}

static double
decimal_op(char op, double fa, double fb)
{
	struct decimal a = to_decimal(fa), b = to_decimal(fb);
	bool fits = a.fits && b.fits;
	if (op == '+' || op == '-') {
		fits = fits && scale(&a, a.x - b.x) && scale(&b, b.x - a.x);
		a.m += op == '+' ? b.m : -b.m;
	} else if (op == '*') {
		a.m *= b.m; /* 17 digits each */
		a.x += b.x;
	} else if (fits) { /* 16 places behind the point, rounded half away from zero */
		int more = a.x - b.x + 16;
		fits = more >= 0 ? scale(&a, more) : scale(&b, -more);
		__int128 q = fits ? a.m / b.m : 0, rest = fits ? a.m % b.m : 0;
		if (abs128(rest) * 2 >= abs128(b.m))
			q += (a.m < 0) == (b.m < 0) ? 1 : -1;
		a = (struct decimal){ q, -16, fits };
	}
	if (fits)
		return from_decimal(a);
	return op == '+' ? fa + fb : op == '-' ? fa - fb : op == '*' ? fa * fb : fa / fb;
}

static bool
fold(struct run *r, const struct val *v, size_t n, char op, double start, struct val *out)
{
	double total = start;
	for (size_t i = 0; i < n; i++) {
		double f = sprig_float(&v[i]);
		if (op == '/' && f == 0)
			return go_fail(r, "error calling divf: decimal division by 0");
		total = decimal_op(op, total, f);
	}
	*out = val_float(total);
	return true;
}
FN(fn_addf) { return fold(r, v, n, '+', 0, out); }
FN(fn_add1f) { return fold(r, v, 1, '+', 1, out); }
FN(fn_subf) { return fold(r, v + 1, n - 1, '-', sprig_float(&v[0]), out); }
FN(fn_mulf) { return fold(r, v + 1, n - 1, '*', sprig_float(&v[0]), out); }
FN(fn_divf) { return fold(r, v + 1, n - 1, '/', sprig_float(&v[0]), out); }

/* ---- series --------------------------------------------------------------------------------------------------------------------------- */

enum { SERIES_MAX = 100000 };

static bool
series(struct run *r, int64_t start, int64_t stop, int64_t step, struct val_list *b)
{
	if ((stop < start && step >= 0) || (stop >= start && step <= 0))
		return true;
	for (int64_t i = start, count = 0; stop < start ? i > stop : i < stop; count++) {
		if (count == SERIES_MAX)
			return go_fail(r, "a series has at most %d numbers", SERIES_MAX);
		val_list_add(b, val_int(i));
		if (__builtin_add_overflow(i, step, &i))
			break;
	}
	return true;
}

FN(fn_until_step)
{
	struct val_list b = { 0 };
	bool ok = series(r, v[0].i, v[1].i, v[2].i, &b);
	*out = go_list(r, &b, GO_PLAIN);
	return ok;
}
FN(fn_until)
{
	struct val_list b = { 0 };
	bool ok = series(r, 0, v[0].i, v[0].i < 0 ? -1 : 1, &b);
	*out = go_list(r, &b, GO_PLAIN);
	return ok;
}

/* seq LAST, seq FIRST LAST, seq FIRST STEP LAST: as text, both ends included */
FN(fn_seq)
{
	int64_t first = n > 1 ? v[0].i : 1, last = n ? v[n - 1].i : 0, way = last < first ? -1 : 1, step = n == 3 ? v[1].i : way;
	struct val_list list = { 0 };
	struct buf b = { 0 };
	bool ok = true;
	if (n > 0 && n <= 3 && !(n == 3 && last < first && step > 0) && last < INT64_MAX && last > INT64_MIN)
		ok = series(r, first, last + way, step, &list);
	for (size_t i = 0; i < list.v.n; i++)
		buf_addf(&b, "%s%lld", i ? " " : "", (long long)list.v.p[i].i);
	VEC_FREE(&list.v);
	return go_made(r, &b, out) && ok;
}

const struct gofn sprig_numbers[] = {
	{ "int64", "a", fn_int64 }, { "int", "a", fn_int }, { "float64", "a", fn_float64 }, { "atoi", "s", fn_atoi }, { "toDecimal", "a", fn_to_decimal },
	{ "toString", "a", fn_to_string }, { "toStrings", "a", fn_to_strings },
	{ "add", "a*", fn_add }, { "add1", "a", fn_add1 }, { "sub", "aa", fn_sub }, { "mul", "aa*", fn_mul }, { "div", "aa", fn_div }, { "mod", "aa", fn_mod },
	{ "max", "aa*", fn_max }, { "biggest", "aa*", fn_max }, { "min", "aa*", fn_min }, { "maxf", "aa*", fn_maxf }, { "minf", "aa*", fn_minf },
	{ "floor", "a", fn_floor }, { "ceil", "a", fn_ceil }, { "round", "aif*", fn_round },
	{ "addf", "a*", fn_addf }, { "add1f", "a", fn_add1f }, { "subf", "aa*", fn_subf }, { "mulf", "aa*", fn_mulf }, { "divf", "aa*", fn_divf },
	{ "until", "i", fn_until }, { "untilStep", "iii", fn_until_step }, { "seq", "i*", fn_seq },
	{ 0 },
};

/* ---- lists ------------------------------------------------------------------------------------------------------------------------------ */

bool
go_deep_equal(const struct val *a, const struct val *b)
{
	struct val x = go_norm(a), y = go_norm(b);
	if (x.kind != y.kind || x.pad != y.pad)
		return false;
	if (x.kind == VAL_LIST) {
		bool same = x.n == y.n;
		for (size_t i = 0; same && i < x.n; i++)
			same = go_deep_equal(&x.items[i], &y.items[i]);
		return same;
	}
	if (x.kind == VAL_MAP) {
		bool same = x.n == y.n;
		for (size_t i = 0; same && i < x.n; i++) {
			const struct val *other = val_get(&y, val_key(&x.members[i]));
			same = other && go_deep_equal(&x.members[i].value, other);
		}
		return same;
	}
	return val_eq(&x, &y);
}

/* The list, whatever box it comes in; what is none is an error with the function's name. */
static bool
as_list(struct run *r, const char *name, const struct val *v, struct val *out)
{
	*out = go_norm(v);
	if (out->kind == VAL_LIST)
		return true;
	return go_fail(r, "error calling %s: cannot work on type %s", name, go_kind(v));
}

static struct val
sublist(struct val list, size_t from, size_t to)
{
	list.items += from;
	list.n = (uint32_t)(to - from);
	return list;
}

FN(fn_list)
{
	struct val_list b = { 0 };
	for (size_t i = 0; i < n; i++)
		val_list_add(&b, v[i]);
	*out = go_list(r, &b, GO_PLAIN);
	return true;
}
FN(fn_first)
{
	struct val l;
	if (!as_list(r, "first", &v[0], &l))
		return false;
	*out = l.n ? l.items[0] : val_null();
	return true;
}
FN(fn_last)
{
	struct val l;
	if (!as_list(r, "last", &v[0], &l))
		return false;
	*out = l.n ? l.items[l.n - 1] : val_null();
	return true;
}
FN(fn_rest)
{
	struct val l;
	if (!as_list(r, "rest", &v[0], &l))
		return false;
	*out = l.n ? sublist(l, 1, l.n) : l;
	out->pad = GO_PLAIN;
	return true;
}
FN(fn_initial)
{
	struct val l;
	if (!as_list(r, "initial", &v[0], &l))
		return false;
	*out = l.n ? sublist(l, 0, l.n - 1) : l;
	out->pad = GO_PLAIN;
	return true;
}

static bool
extended(struct run *r, const char *name, const struct val *v, bool front, struct val *out)
{
	struct val l;
	struct val_list b = { 0 };
	if (!as_list(r, name, &v[0], &l) || !go_charge(r, l.n * sizeof l))
		return false;
	if (front)
		val_list_add(&b, v[1]);
	for (size_t i = 0; i < l.n; i++)
		val_list_add(&b, l.items[i]);
	if (!front)
		val_list_add(&b, v[1]);
	*out = go_list(r, &b, GO_PLAIN);
	return true;
}
FN(fn_append) { return extended(r, "append", v, false, out); }
FN(fn_prepend) { return extended(r, "prepend", v, true, out); }

FN(fn_reverse)
{
	struct val l;
	struct val_list b = { 0 };
	if (!as_list(r, "reverse", &v[0], &l))
		return false;
	for (size_t i = l.n; i-- > 0;)
		val_list_add(&b, l.items[i]);
	*out = go_list(r, &b, GO_PLAIN);
	return true;
}

static bool
holds(struct run *r, const struct val *list, size_t n, const struct val *needle)
{
	for (size_t i = 0; i < n; i++, r->steps++)
		if (go_deep_equal(&list[i], needle))
			return true;
	return false;
}

FN(fn_uniq)
{
	struct val l;
	struct val_list b = { 0 };
	if (!as_list(r, "uniq", &v[0], &l))
		return false;
	for (size_t i = 0; i < l.n && r->steps < GOTMPL_STEPS_MAX; i++)
		if (!holds(r, b.v.p, b.v.n, &l.items[i]))
			val_list_add(&b, l.items[i]);
	*out = go_list(r, &b, GO_PLAIN);
	return true;
}
FN(fn_without)
{
	struct val l;
	struct val_list b = { 0 };
	if (!as_list(r, "without", &v[0], &l))
		return false;
	for (size_t i = 0; i < l.n; i++)
		if (!holds(r, v + 1, n - 1, &l.items[i]))
			val_list_add(&b, l.items[i]);
	*out = go_list(r, &b, GO_PLAIN);
	return true;
}
FN(fn_has)
{
	struct val l;
	*out = val_bool(false);
	if (go_norm(&v[1]).kind == VAL_NULL)
		return true;
	if (!as_list(r, "has", &v[1], &l))
		return false;
	*out = val_bool(holds(r, l.items, l.n, &v[0]));
	return true;
}
FN(fn_compact)
{
	struct val l;
	struct val_list b = { 0 };
	if (!as_list(r, "compact", &v[0], &l))
		return false;
	for (size_t i = 0; i < l.n; i++)
		if (go_truth(&l.items[i]))
			val_list_add(&b, l.items[i]);
	*out = go_list(r, &b, GO_PLAIN);
	return true;
}
FN(fn_slice)
{
	struct val l;
	if (!as_list(r, "slice", &v[0], &l))
		return false;
	if (!l.n)
		return true; /* nil */
	int64_t from = n > 1 ? sprig_int(&v[1]) : 0, to = n > 2 ? sprig_int(&v[2]) : (int64_t)l.n;
	if (from < 0 || to > (int64_t)l.n || from > to)
		return go_fail(r, "error calling slice: slice index out of bounds");
	*out = sublist(l, (size_t)from, (size_t)to);
	return true;
}
FN(fn_concat)
{
	struct val_list b = { 0 };
	bool ok = true;
	for (size_t i = 0; ok && i < n; i++) {
		struct val l;
		ok = as_list(r, "concat", &v[i], &l) && go_charge(r, l.n * sizeof l);
		for (size_t k = 0; ok && k < l.n; k++)
			val_list_add(&b, l.items[k]);
	}
	*out = go_list(r, &b, GO_PLAIN);
	return ok;
}
FN(fn_chunk)
{
	struct val l;
	struct val_list b = { 0 };
	if (!as_list(r, "chunk", &v[1], &l))
		return false;
	if (v[0].i <= 0)
		return go_fail(r, "error calling chunk: a size of at least 1 is expected");
	for (size_t i = 0; i < l.n; i += (size_t)v[0].i) {
		struct val part = sublist(l, i, l.n - i > (size_t)v[0].i ? i + (size_t)v[0].i : l.n);
		part.pad = GO_PLAIN;
		val_list_add(&b, part);
	}
	*out = go_list(r, &b, GO_PLAIN);
	return true;
}

FN(fn_join)
{
	struct val l = sprig_texts(r, &v[1]);
	struct buf b = { 0 };
	for (size_t i = 0; i < l.n && go_fits(r, &b); i++) {
		if (i)
			buf_add(&b, TEXT(0));
		buf_add(&b, val_text(&l.items[i]));
	}
	return go_fits(r, &b) ? go_made(r, &b, out) : (buf_free(&b), false);
}

static int
by_text(const void *x, const void *y)
{
	struct val a = *(const struct val *)x, b = *(const struct val *)y;
	str s = val_text(&a), t = val_text(&b);
	int c = memcmp(s.p, t.p, s.n < t.n ? s.n : t.n);
	return c ? c : s.n < t.n ? -1 : s.n > t.n;
}

FN(fn_sort_alpha)
{
	struct val l = sprig_texts(r, &v[0]);
	struct val *items = ARENA_ARRAY(r->a, struct val, l.n + 1);
	memcpy(items, l.items, l.n * sizeof l);
	qsort(items, l.n, sizeof l, by_text);
	*out = l;
	out->items = items;
	return true;
}

/* strings.SplitN: an empty separator splits into characters; most < 0: all. */
static struct val
split(struct run *r, str s, str sep, int64_t most)
{
	struct val_list b = { 0 };
	size_t i = 0, width;
	while (most < 0 || (int64_t)b.v.n + 1 < most) {
		size_t at = sep.n ? str_find(s, sep, i) : i < s.n ? ((void)go_rune(s, i, &width), i + width) : SIZE_MAX;
		if (at == SIZE_MAX || (!sep.n && at >= s.n) || !go_charge(r, sizeof(struct val)))
			break;
		val_list_add(&b, val_str(str_slice(s, i, at)));
		i = at + sep.n;
	}
	if (most != 0 && !(!sep.n && !s.n))
		val_list_add(&b, val_str(str_slice(s, i, s.n)));
	return go_list(r, &b, GO_STRINGS);
}

FN(fn_split_list)
{
	*out = split(r, TEXT(1), TEXT(0), -1);
	return true;
}

/* {"_0": ..., "_1": ...} */
static struct val
numbered(struct run *r, struct val list)
{
	struct val_map m = { 0 };
	for (size_t i = 0; i < list.n; i++)
		val_map_add(&m, arena_fmt(r->a, "_%zu", i), list.items[i]);
	struct val v = val_map_end(&m, r->a);
	v.pad = GO_STRING_MAP;
	return v;
}
FN(fn_split)
{
	*out = numbered(r, split(r, TEXT(1), TEXT(0), -1));
	return true;
}
FN(fn_splitn)
{
	*out = numbered(r, split(r, TEXT(2), TEXT(0), v[1].i));
	return true;
}

const struct gofn sprig_lists[] = {
	{ "list", "a*", fn_list }, { "tuple", "a*", fn_list }, { "first", "a", fn_first }, { "mustFirst", "a", fn_first }, { "last", "a", fn_last }, { "mustLast", "a", fn_last },
	{ "rest", "a", fn_rest }, { "mustRest", "a", fn_rest }, { "initial", "a", fn_initial }, { "mustInitial", "a", fn_initial },
	{ "append", "aa", fn_append }, { "mustAppend", "aa", fn_append }, { "push", "aa", fn_append }, { "mustPush", "aa", fn_append },
	{ "prepend", "aa", fn_prepend }, { "mustPrepend", "aa", fn_prepend }, { "reverse", "a", fn_reverse }, { "mustReverse", "a", fn_reverse },
	{ "uniq", "a", fn_uniq }, { "mustUniq", "a", fn_uniq }, { "without", "aa*", fn_without }, { "mustWithout", "aa*", fn_without },
	{ "has", "aa", fn_has }, { "mustHas", "aa", fn_has }, { "compact", "a", fn_compact }, { "mustCompact", "a", fn_compact },
	{ "slice", "aa*", fn_slice }, { "mustSlice", "aa*", fn_slice }, { "concat", "a*", fn_concat }, { "chunk", "ia", fn_chunk }, { "mustChunk", "ia", fn_chunk },
	{ "join", "sa", fn_join }, { "sortAlpha", "a", fn_sort_alpha }, { "splitList", "ss", fn_split_list }, { "split", "ss", fn_split }, { "splitn", "sis", fn_splitn },
	{ 0 },
};

/* ---- dictionaries ------------------------------------------------------------------------------------------------------------------------- */

struct val
go_box(struct run *r, struct val map)
{
	struct val *inner = ARENA_NEW(r->a, struct val);
	*inner = map;
	struct val v = { .kind = VAL_MAP, .n = 1, .pad = GO_BOX };
	v.members = (const struct member *)(const void *)inner;
	return v;
}

/* Changes the map in its box; one of the input has none, and gets one. */
static void
change(struct run *r, struct val *map, struct val to)
{
	if (map->pad == GO_BOX)
		*(struct val *)(uintptr_t)map->members = to;
	else
		*map = go_box(r, to);
}

FN(fn_dict)
{
	struct val map = { .kind = VAL_MAP };
	for (size_t i = 0; i < n; i += 2) {
		struct val empty = val_str(S(""));
		map = *val_set(r->a, &map, sprig_text(r, &v[i]), i + 1 < n ? &v[i + 1] : &empty);
	}
	*out = go_box(r, map);
	return true;
}
FN(fn_get)
{
	struct val m = go_norm(&v[0]);
	const struct val *x = val_get(&m, TEXT(1));
	*out = x ? *x : val_str(S(""));
	return true;
}
FN(fn_set)
{
	struct val m = go_norm(&v[0]), box = v[0];
	if (!go_charge(r, m.n * sizeof(struct member)))
		return false;
	change(r, &box, *val_set(r->a, &m, TEXT(1), &v[2]));
	*out = box;
	return true;
}
FN(fn_unset)
{
	struct val m = go_norm(&v[0]), box = v[0];
	if (!go_charge(r, m.n * sizeof(struct member)))
		return false;
	if (val_get(&m, TEXT(1)))
		change(r, &box, *val_unset(r->a, &m, TEXT(1)));
	*out = box;
	return true;
}
FN(fn_has_key)
{
	struct val m = go_norm(&v[0]);
	*out = val_bool(val_get(&m, TEXT(1)));
	return true;
}
FN(fn_pluck)
{
	struct val_list b = { 0 };
	for (size_t i = 1; i < n; i++) {
		struct val m = go_norm(&v[i]);
		const struct val *x = val_get(&m, TEXT(0));
		if (x)
			val_list_add(&b, *x);
	}
	*out = go_list(r, &b, GO_PLAIN);
	return true;
}
FN(fn_keys)
{
	struct val_list b = { 0 };
	for (size_t i = 0; i < n; i++) {
		struct val m = go_norm(&v[i]);
		for (size_t k = 0; k < m.n; k++)
			val_list_add(&b, val_str(val_key(&m.members[k])));
	}
	*out = go_list(r, &b, GO_STRINGS);
	return true;
}
FN(fn_values)
{
	struct val m = go_norm(&v[0]);
	struct val_list b = { 0 };
	for (size_t k = 0; k < m.n; k++)
		val_list_add(&b, m.members[k].value);
	*out = go_list(r, &b, GO_PLAIN);
	return true;
}

static bool
picked(struct run *r, const struct val *v, size_t n, bool wanted, struct val *out)
{
	struct val m = go_norm(&v[0]);
	struct val_map b = { 0 };
	for (size_t i = 0; i < m.n; i++) {
		bool named = false;
		for (size_t k = 1; k < n; k++)
			named |= str_eq(TEXT(k), val_key(&m.members[i]));
		if (named == wanted)
			val_map_add(&b, val_key(&m.members[i]), m.members[i].value);
	}
	*out = go_box(r, val_map_end(&b, r->a));
	return true;
}
FN(fn_pick) { return picked(r, v, n, true, out); }
FN(fn_omit) { return picked(r, v, n, false, out); }

/* mergo: what is empty in `into` (or, overwriting, what is not empty in `from`) is taken from `from`; maps merge. */
static struct val
merged(struct run *r, const struct val *into, const struct val *from, bool overwrite, unsigned depth)
{
	struct val a = go_norm(into), b = go_norm(from);
	for (size_t i = 0; depth && i < b.n; i++) {
		str key = val_key(&b.members[i]);
		const struct val *old = val_get(&a, key);
		struct val new = b.members[i].value, was = old ? go_norm(old) : val_null(), is = go_norm(&new);
		r->steps++;
		if (was.kind == VAL_MAP && is.kind == VAL_MAP)
			new = merged(r, &was, &is, overwrite, depth - 1);
		else if (old && !(overwrite ? go_truth(&is) : !go_truth(&was)))
			continue;
		a = *val_set(r->a, &a, key, &new);
	}
	return a;
}

static bool
merge(struct run *r, const struct val *v, size_t n, bool overwrite, struct val *out)
{
	struct val box = v[0], m = go_norm(&v[0]);
	for (size_t i = 1; i < n; i++)
		m = merged(r, &m, &v[i], overwrite, GOTMPL_DEPTH_MAX);
	change(r, &box, m);
	*out = box;
	return true;
}
FN(fn_merge) { return merge(r, v, n, false, out); }
FN(fn_merge_overwrite) { return merge(r, v, n, true, out); }

/* dig "a" "b" DEFAULT MAP */
FN(fn_dig)
{
	if (n < 3)
		return go_fail(r, "error calling dig: needs at least three arguments");
	*out = v[n - 1];
	for (size_t i = 0; i < n - 2; i++) {
		struct val m = go_norm(out), key = go_norm(&v[i]);
		if (m.kind != VAL_MAP || key.kind != VAL_STR)
			return go_fail(r, "error calling dig: a map and names are expected");
		const struct val *x = val_get(&m, val_text(&key));
		*out = x ? *x : v[n - 2];
		if (!x)
			break;
	}
	return true;
}

const struct gofn sprig_dicts[] = {
	{ "dict", "a*", fn_dict }, { "get", "ms", fn_get }, { "set", "msa", fn_set }, { "unset", "ms", fn_unset }, { "hasKey", "ms", fn_has_key },
	{ "pluck", "sm*", fn_pluck }, { "keys", "m*", fn_keys }, { "values", "m", fn_values }, { "pick", "ms*", fn_pick }, { "omit", "ms*", fn_omit },
	{ "merge", "mm*", fn_merge }, { "mustMerge", "mm*", fn_merge }, { "mergeOverwrite", "mm*", fn_merge_overwrite },
	{ "mustMergeOverwrite", "mm*", fn_merge_overwrite }, { "dig", "a*", fn_dig },
	{ 0 },
};
