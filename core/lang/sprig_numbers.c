/* SPDX-License-Identifier: Apache-2.0 */
/* sprig: conversions and numbers. */
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
	return d < 9223372036854775808.0 && d >= -9223372036854775808.0 ? (int64_t)d : INT64_MIN; /* NaN too, as amd64 has it */
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
