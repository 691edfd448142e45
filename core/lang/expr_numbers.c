/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of numbers. Source: expr-lang builtin/builtin.go, builtin/lib.go. */
#include <math.h>

#include "core/lang/expr_builtin.h"
#include "core/lang/gofmt.h"

/* ---- numbers -------------------------------------------------------------------------------------------------- */

static int
call_len(BUILTIN_ARGS)
{
	(void)args_n;
	if (args[0].kind != VAL_STR && args[0].kind != VAL_LIST && args[0].kind != VAL_MAP)
		return builtin_wrong_argument(ev, n, &args[0]);
	bool runes = args[0].kind == VAL_STR && !(ev->x->flags & EXPR_V115);
	*out = val_int(runes ? (int64_t)go_rune_count(val_text(&args[0])) : args[0].n);
	ev->steps += runes ? args[0].n / 16 : 0;
	return 0;
}

static int
call_type(BUILTIN_ARGS)
{
	(void)ev, (void)n, (void)args_n;
	*out = val_cstr(value_kind(&args[0]));
	return 0;
}

static int
rounded(BUILTIN_ARGS, double (*f)(double))
{
	struct number x;
	(void)args_n;
	if (!value_number(&args[0], &x))
		return builtin_wrong_argument(ev, n, &args[0]);
	*out = val_float(f(x.f));
	return 0;
}

static int
call_ceil(BUILTIN_ARGS)
{
	return rounded(ev, n, args, args_n, out, ceil);
}

static int
call_floor(BUILTIN_ARGS)
{
	return rounded(ev, n, args, args_n, out, floor);
}

static int
call_round(BUILTIN_ARGS)
{
	return rounded(ev, n, args, args_n, out, round);
}

static int
call_abs(BUILTIN_ARGS)
{
	struct number x;
	(void)args_n;
	if (!value_number(&args[0], &x))
		return builtin_wrong_argument(ev, n, &args[0]);
	*out = x.is_int ? val_int(x.i < 0 ? (int64_t)(0 - (uint64_t)x.i) : x.i) : val_float(fabs(x.f));
	return 0;
}

static int
call_int(BUILTIN_ARGS)
{
	struct number x;
	int64_t i;
	(void)args_n;
	if (args[0].kind == VAL_STR) {
		if (!go_parse_int(val_text(&args[0]), 10, &i))
			return eval_fail(ev, "int: \"%.*s\" is no integer", STR_ARG(str_slice(val_text(&args[0]), 0, 60)));
	} else if (time_type(&args[0]) && !expr_is_time(&args[0])) {
		i = args[0].i;
	} else if (!value_number(&args[0], &x)) {
		return builtin_wrong_argument(ev, n, &args[0]);
	} else {
		i = x.is_int ? x.i : x.f >= -9223372036854775808.0 && x.f < 9223372036854775808.0 ? (int64_t)x.f : INT64_MIN;
	}
	*out = val_int(i);
	return 0;
}

static int
call_float(BUILTIN_ARGS)
{
	struct number x;
	(void)args_n;
	if (args[0].kind == VAL_STR) {
		if (!go_parse_float(val_text(&args[0]), &x.f))
			return eval_fail(ev, "float: \"%.*s\" is no number", STR_ARG(str_slice(val_text(&args[0]), 0, 60)));
	} else if (!value_number(&args[0], &x)) {
		return builtin_wrong_argument(ev, n, &args[0]);
	}
	*out = val_float(x.f);
	return 0;
}

/* The numbers among the arguments, arrays of them taken apart. */
static int
each_number(BUILTIN_ARGS, int (*fn)(void *arg, const struct number *x), void *arg)
{
	for (size_t i = 0; i < args_n; i++) {
		struct number x;
		if (eval_spend(ev, 0) < 0)
			return -1;
		if (args[i].kind == VAL_LIST) { /* as deep as it is nested, which the data's reader and the steps bound */
			if (each_number(ev, n, args[i].items, args[i].n, out, fn, arg) < 0)
				return -1;
			continue;
		}
		if (!value_number(&args[i], &x))
			return builtin_wrong_argument(ev, n, &args[i]);
		fn(arg, &x);
	}
	return 0;
}

struct extreme {
	bool any, largest;
	struct number best;
};

static int
take_extreme(void *arg, const struct number *x)
{
	struct extreme *e = arg;
	bool less = x->is_int && e->best.is_int ? x->i < e->best.i : x->f < e->best.f;
	bool more = x->is_int && e->best.is_int ? x->i > e->best.i : x->f > e->best.f;
	if (!e->any || (e->largest ? more : less))
		e->best = *x;
	e->any = true;
	return 0;
}

static int
extreme(BUILTIN_ARGS, bool largest)
{
	struct extreme e = { .largest = largest };
	if (args_n == 1 && args[0].kind == VAL_STR && eval_written(n->items[0]))
		return builtin_wrong_argument(ev, n, &args[0]);
	if (args_n == 1 && args[0].kind != VAL_LIST) { /* the only argument is what it is */
		*out = args[0];
		return ev->x->flags & EXPR_V115 ? builtin_wrong_argument(ev, n, &args[0]) : 0;
	}
	if (each_number(ev, n, args, args_n, out, take_extreme, &e) < 0)
		return -1;
	*out = e.any ? value_of(&e.best) : val_null();
	return 0;
}

static int
call_max(BUILTIN_ARGS)
{
	return extreme(ev, n, args, args_n, out, true);
}

static int
call_min(BUILTIN_ARGS)
{
	return extreme(ev, n, args, args_n, out, false);
}

typedef VEC(double) doubles;

static int
take_double(void *arg, const struct number *x)
{
	doubles *d = arg;
	*VEC_PUSH(d) = x->f;
	return 0;
}

static int
double_order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static struct val
empty(const struct eval *ev)
{
	return ev->x->flags & EXPR_V115 ? val_int(0) : val_float(0);
}

static int
call_mean(BUILTIN_ARGS)
{
	doubles d = { 0 };
	int rc = each_number(ev, n, args, args_n, out, take_double, &d);
	double sum = 0;
	for (size_t i = 0; i < d.n; i++)
		sum += d.p[i];
	*out = d.n ? val_float(sum / (double)d.n) : empty(ev);
	VEC_FREE(&d);
	return rc;
}

static int
call_median(BUILTIN_ARGS)
{
	doubles d = { 0 };
	int rc = each_number(ev, n, args, args_n, out, take_double, &d);
	if (d.n) {
		qsort(d.p, d.n, sizeof *d.p, double_order);
		*out = val_float(d.n % 2 ? d.p[d.n / 2] : (d.p[d.n / 2 - 1] + d.p[d.n / 2]) / 2);
	} else {
		*out = empty(ev);
	}
	VEC_FREE(&d);
	return rc;
}

/* ---- bits ----------------------------------------------------------------------------------------------------- */

static int
bits(BUILTIN_ARGS, char op)
{
	int64_t a, b = 0;
	for (size_t i = 0; i < args_n; i++)
		if (args[i].kind != VAL_INT)
			return builtin_wrong_argument(ev, n, &args[i]);
	a = args[0].i;
	b = args_n > 1 ? args[1].i : 0;
	if (strchr("<>u", op) && b < 0)
		return eval_fail(ev, "invalid operation: negative shift count %lld", (long long)b);
	uint64_t u = (uint64_t)a;
	switch (op) {
	case '&':
		u &= (uint64_t)b;
		break;
	case '|':
		u |= (uint64_t)b;
		break;
	case '^':
		u ^= (uint64_t)b;
		break;
	case 'n': /* and not */
		u &= ~(uint64_t)b;
		break;
	case '~':
		u = ~u;
		break;
	case '<':
		u = b > 63 ? 0 : u << b;
		break;
	case 'u':
		u = b > 63 ? 0 : u >> b;
		break;
	default:
		u = (uint64_t)(a >> (b > 63 ? 63 : b));
		break;
	}
	*out = val_int((int64_t)u);
	return 0;
}

#define BITS(name, op) \
	static int name(BUILTIN_ARGS) \
	{ \
		return bits(ev, n, args, args_n, out, op); \
	}
BITS(call_bitand, '&')
BITS(call_bitor, '|')
BITS(call_bitxor, '^')
BITS(call_bitnand, 'n')
BITS(call_bitnot, '~')
BITS(call_bitshl, '<')
BITS(call_bitshr, '>')
BITS(call_bitushr, 'u')

/* ---- the table ------------------------------------------------------------------------------------------------ */

const struct builtin expr_numbers[] = {
	{ "len", 1, 1, .call = call_len },
	{ "type", 1, 1, .call = call_type },
	{ "abs", 1, 1, .call = call_abs },
	{ "ceil", 1, 1, .call = call_ceil },
	{ "floor", 1, 1, .call = call_floor },
	{ "round", 1, 1, .call = call_round },
	{ "int", 1, 1, .call = call_int },
	{ "float", 1, 1, .call = call_float },
	{ "max", 1, -1, .call = call_max },
	{ "min", 1, -1, .call = call_min },
	{ "mean", 1, -1, .call = call_mean },
	{ "median", 1, -1, .call = call_median },
	{ "bitand", 2, 2, .call = call_bitand },
	{ "bitor", 2, 2, .call = call_bitor },
	{ "bitxor", 2, 2, .call = call_bitxor },
	{ "bitnand", 2, 2, .call = call_bitnand },
	{ "bitnot", 1, 1, .call = call_bitnot },
	{ "bitshl", 2, 2, .call = call_bitshl },
	{ "bitshr", 2, 2, .call = call_bitshr },
	{ "bitushr", 2, 2, .call = call_bitushr },
	{ 0 },
};
