/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of the language (builtin/builtin.go, builtin/lib.go), by name in one table. Those that take a predicate walk an
 * array with `each`; all others get their arguments' values.
 *
 * Not served: now, date, duration, timezone and their kin: an expression has no clock here.
 */
#include <math.h>

#include "core/base64.h"
#include "core/lang/expr_ast.h"
#include "core/lang/gofmt.h"
#include "core/lang/sprig_call.h"
#include "core/utf8.h"

#define ARGS struct eval *ev, const struct node *n, const struct val *args, size_t args_n, struct val *out

static int
wrong_argument(struct eval *ev, const struct node *n, const struct val *v)
{
	return eval_fail(ev, "invalid argument for %.*s (type %s)", STR_ARG(n->name), value_kind(v));
}

/* A string that was made in `b`, which is freed. */
static int
give_text(struct eval *ev, struct buf *b, struct val *out)
{
	int rc = eval_spend(ev, b->n);
	if (rc == 0)
		*out = val_str(arena_dup(ev->arena, buf_str(b)));
	buf_free(b);
	return rc;
}

static int
want_text(struct eval *ev, const struct node *n, const struct val *v, str *out)
{
	if (v->kind != VAL_STR)
		return wrong_argument(ev, n, v);
	*out = v->p ? val_text(v) : S("");
	ev->steps += v->n / 16;
	return 0;
}

static int
want_int(struct eval *ev, const struct node *n, const struct val *v, int64_t *out)
{
	struct number x;
	if (!value_number(v, &x))
		return wrong_argument(ev, n, v);
	*out = x.is_int ? x.i : x.f > -9e18 && x.f < 9e18 ? (int64_t)x.f : 0;
	return 0;
}

static int
want_list(struct eval *ev, const struct node *n, const struct val *v)
{
	return v->kind == VAL_LIST ? 0 : wrong_argument(ev, n, v);
}

/* ---- predicates ----------------------------------------------------------------------------------------------- */

typedef VEC(struct val) values;

/* One element's predicate. */
static int
predicate(struct eval *ev, const struct node *body, const struct val *list, uint32_t i, const struct val *acc, struct val *out)
{
	struct closure c = { .element = list->items[i], .index = i, .outer = ev->closure };
	if (acc)
		c.acc = *acc;
	ev->closure = &c;
	int rc = eval_node(ev, body, out);
	ev->closure = c.outer;
	return rc;
}

static int
holds(struct eval *ev, const struct node *n, const struct val *list, uint32_t i, bool *out)
{
	struct val v;
	int rc = predicate(ev, n->items[1], list, i, NULL, &v);
	if (rc)
		return rc;
	ev->at = n;
	if (v.kind != VAL_BOOL)
		return eval_fail(ev, "the predicate of %.*s must give a bool, not %s", STR_ARG(n->name), value_kind(&v));
	*out = v.b;
	return 0;
}

/* all, any, none, one and count: how many hold; ends early at `enough`. */
static int
count_holding(struct eval *ev, const struct node *n, const struct val *list, bool what, int64_t enough, int64_t *out)
{
	*out = 0;
	if (want_list(ev, n, list) < 0)
		return -1;
	for (uint32_t i = 0; i < list->n && *out < enough; i++) {
		bool yes = false;
		int rc = holds(ev, n, list, i, &yes);
		if (rc)
			return rc;
		*out += yes == what;
	}
	return 0;
}

static int
call_all(ARGS)
{
	int64_t count = 0;
	(void)args_n;
	int rc = count_holding(ev, n, &args[0], false, 1, &count);
	*out = val_bool(count == 0);
	return rc;
}

static int
call_any(ARGS)
{
	int64_t count = 0;
	(void)args_n;
	int rc = count_holding(ev, n, &args[0], true, 1, &count);
	*out = val_bool(count > 0);
	return rc;
}

static int
call_none(ARGS)
{
	int rc = call_any(ev, n, args, args_n, out);
	out->b = !out->b;
	return rc;
}

static int
call_one(ARGS)
{
	int64_t count = 0;
	(void)args_n;
	int rc = count_holding(ev, n, &args[0], true, 2, &count);
	*out = val_bool(count == 1);
	return rc;
}

static int
call_count(ARGS)
{
	int64_t count = 0;
	(void)args_n;
	if (n->n > 1) {
		int rc = count_holding(ev, n, &args[0], true, INT64_MAX, &count);
		*out = val_int(count);
		return rc;
	}
	if (want_list(ev, n, &args[0]) < 0)
		return -1;
	for (uint32_t i = 0; i < args[0].n; i++) {
		if (args[0].items[i].kind != VAL_BOOL)
			return wrong_argument(ev, n, &args[0].items[i]);
		count += args[0].items[i].b;
	}
	*out = val_int(count);
	return 0;
}

static int
call_filter(ARGS)
{
	values kept = { 0 };
	(void)args_n;
	int rc = want_list(ev, n, &args[0]);
	for (uint32_t i = 0; rc == 0 && i < args[0].n; i++) {
		bool yes = false;
		rc = holds(ev, n, &args[0], i, &yes);
		if (rc == 0 && yes)
			*VEC_PUSH(&kept) = args[0].items[i];
	}
	if (rc == 0)
		rc = eval_list(ev, kept.p, kept.n, out);
	VEC_FREE(&kept);
	return rc;
}

static int
call_map(ARGS)
{
	(void)args_n;
	if (want_list(ev, n, &args[0]) < 0 || eval_spend(ev, args[0].n * sizeof *args) < 0)
		return -1;
	struct val *items = ARENA_ARRAY(ev->arena, struct val, args[0].n);
	for (uint32_t i = 0; i < args[0].n; i++) {
		int rc = predicate(ev, n->items[1], &args[0], i, NULL, &items[i]);
		if (rc)
			return rc;
	}
	*out = (struct val){ .kind = VAL_LIST, .items = items, .n = args[0].n };
	return 0;
}

/* The first (last) element that holds, or its index. */
static int
find(ARGS, bool last, bool index)
{
	(void)args_n;
	*out = val_null();
	if (want_list(ev, n, &args[0]) < 0)
		return -1;
	for (uint32_t k = 0; k < args[0].n; k++) {
		uint32_t i = last ? args[0].n - 1 - k : k;
		bool yes = false;
		int rc = holds(ev, n, &args[0], i, &yes);
		if (rc)
			return rc;
		if (yes) {
			*out = index ? val_int(i) : args[0].items[i];
			return 0;
		}
	}
	return 0;
}

static int
call_find(ARGS)
{
	return find(ev, n, args, args_n, out, false, false);
}

static int
call_find_index(ARGS)
{
	return find(ev, n, args, args_n, out, false, true);
}

static int
call_find_last(ARGS)
{
	return find(ev, n, args, args_n, out, true, false);
}

static int
call_find_last_index(ARGS)
{
	return find(ev, n, args, args_n, out, true, true);
}

static int
call_sum(ARGS)
{
	struct val sum = val_int(0);
	(void)args_n;
	if (want_list(ev, n, &args[0]) < 0)
		return -1;
	for (uint32_t i = 0; i < args[0].n; i++) {
		struct val v = args[0].items[i], before = sum;
		int rc = n->n > 1 ? predicate(ev, n->items[1], &args[0], i, NULL, &v) : 0;
		if (rc)
			return rc;
		ev->at = n;
		if (v.kind < VAL_INT || v.kind > VAL_NUM)
			return wrong_argument(ev, n, &v);
		if (value_add(ev, &before, &v, &sum) < 0)
			return -1;
	}
	*out = sum;
	return 0;
}

/* reduce(array, body, start): the start may be left out, then it is the first element. */
static int
call_reduce(ARGS)
{
	(void)args_n;
	if (want_list(ev, n, &args[0]) < 0)
		return -1;
	struct val acc = val_null();
	uint32_t from = n->n < 3;
	int rc = n->n > 2 ? eval_node(ev, n->items[2], &acc) : 0;
	if (rc)
		return rc;
	ev->at = n;
	if (from && args[0].n == 0)
		return eval_fail(ev, "reduce of an empty array needs a start value");
	if (from)
		acc = args[0].items[0];
	for (uint32_t i = from; i < args[0].n; i++) {
		struct val next;
		if ((rc = predicate(ev, n->items[1], &args[0], i, &acc, &next)))
			return rc;
		acc = next;
	}
	*out = acc;
	return 0;
}

/* A map from what the body gives to the elements that gave it. Keys are strings here; Go's may be anything. */
static int
call_group_by(ARGS)
{
	struct val_map groups = { 0 };
	VEC(values) lists = { 0 };
	(void)args_n;
	int rc = want_list(ev, n, &args[0]);
	for (uint32_t i = 0; rc == 0 && i < args[0].n; i++) {
		struct val key;
		if ((rc = predicate(ev, n->items[1], &args[0], i, NULL, &key)) || (rc = eval_spend(ev, 0)))
			break;
		struct buf b = { 0 };
		expr_print(&b, &key);
		size_t g = 0;
		while (g < groups.v.n && !str_eq(val_key(&groups.v.p[g]), buf_str(&b)))
			g++;
		ev->steps += g;
		if (g == groups.v.n) {
			val_map_add(&groups, arena_dup(ev->arena, buf_str(&b)), val_null());
			(void)VEC_PUSH(&lists);
		}
		buf_free(&b);
		*VEC_PUSH(&lists.p[g]) = args[0].items[i];
	}
	for (size_t g = 0; g < lists.n; g++) {
		if (rc == 0)
			rc = eval_list(ev, lists.p[g].p, lists.p[g].n, &groups.v.p[g].value);
		VEC_FREE(&lists.p[g]);
	}
	VEC_FREE(&lists);
	*out = val_map_end(&groups, ev->arena);
	return rc;
}

/* ---- sorting -------------------------------------------------------------------------------------------------- */

struct sortable {
	struct val key, value;
	uint32_t order;
};

static int
sort_up(const void *a, const void *b)
{
	const struct sortable *x = a, *y = b;
	int c;
	(void)value_compare(&x->key, &y->key, &c); /* checked before */
	return c ? c : (x->order > y->order) - (x->order < y->order);
}

static int
sort_down(const void *a, const void *b)
{
	const struct sortable *x = a, *y = b;
	int c;
	(void)value_compare(&x->key, &y->key, &c);
	return c ? -c : (x->order > y->order) - (x->order < y->order);
}

static int
sort_order(struct eval *ev, const struct node *n, const struct val *order, bool *down)
{
	str text;
	if (want_text(ev, n, order, &text) < 0)
		return -1;
	*down = str_eq(text, S("desc"));
	if (!*down && !str_eq(text, S("asc")))
		return eval_fail(ev, "unknown order \"%.*s\": must be asc or desc", STR_ARG(str_slice(text, 0, 40)));
	return 0;
}

static int
sort_list(struct eval *ev, const struct node *n, const struct val *list, const struct node *body, bool down, struct val *out)
{
	if (eval_spend(ev, (list->n + 1) * sizeof(struct sortable)) < 0)
		return -1;
	struct sortable *items = ARENA_ARRAY(ev->arena, struct sortable, list->n);
	for (uint32_t i = 0; i < list->n; i++) {
		items[i] = (struct sortable){ list->items[i], list->items[i], i };
		int c, rc = body ? predicate(ev, body, list, i, NULL, &items[i].key) : 0;
		if (rc)
			return rc;
		if (!value_compare(&items[0].key, &items[i].key, &c))
			return wrong_argument(ev, n, &items[i].key);
	}
	qsort(items, list->n, sizeof *items, down ? sort_down : sort_up);
	struct val *sorted = ARENA_ARRAY(ev->arena, struct val, list->n);
	for (uint32_t i = 0; i < list->n; i++)
		sorted[i] = items[i].value;
	*out = (struct val){ .kind = VAL_LIST, .items = sorted, .n = list->n };
	ev->steps += (uint64_t)list->n * 8;
	return 0;
}

static int
call_sort(ARGS)
{
	bool down = false;
	if (want_list(ev, n, &args[0]) < 0 || (args_n > 1 && sort_order(ev, n, &args[1], &down) < 0))
		return -1;
	return sort_list(ev, n, &args[0], NULL, down, out);
}

static int
call_sort_by(ARGS)
{
	bool down = false;
	struct val order;
	(void)args_n;
	if (want_list(ev, n, &args[0]) < 0)
		return -1;
	int rc = n->n > 2 ? eval_node(ev, n->items[2], &order) : 0;
	if (rc || (n->n > 2 && (rc = sort_order(ev, n, &order, &down))))
		return rc;
	return sort_list(ev, n, &args[0], n->items[1], down, out);
}

/* ---- numbers -------------------------------------------------------------------------------------------------- */

static int
call_len(ARGS)
{
	(void)args_n;
	if (args[0].kind != VAL_STR && args[0].kind != VAL_LIST && args[0].kind != VAL_MAP)
		return wrong_argument(ev, n, &args[0]);
	bool runes = args[0].kind == VAL_STR && !(ev->x->flags & EXPR_V115);
	*out = val_int(runes ? (int64_t)go_rune_count(val_text(&args[0])) : args[0].n);
	ev->steps += runes ? args[0].n / 16 : 0;
	return 0;
}

static int
call_type(ARGS)
{
	(void)ev, (void)n, (void)args_n;
	*out = val_cstr(value_kind(&args[0]));
	return 0;
}

static int
rounded(ARGS, double (*f)(double))
{
	struct number x;
	(void)args_n;
	if (!value_number(&args[0], &x))
		return wrong_argument(ev, n, &args[0]);
	*out = val_float(f(x.f));
	return 0;
}

static int
call_ceil(ARGS)
{
	return rounded(ev, n, args, args_n, out, ceil);
}

static int
call_floor(ARGS)
{
	return rounded(ev, n, args, args_n, out, floor);
}

static int
call_round(ARGS)
{
	return rounded(ev, n, args, args_n, out, round);
}

static int
call_abs(ARGS)
{
	struct number x;
	(void)args_n;
	if (!value_number(&args[0], &x))
		return wrong_argument(ev, n, &args[0]);
	*out = x.is_int ? val_int(x.i < 0 ? (int64_t)(0 - (uint64_t)x.i) : x.i) : val_float(fabs(x.f));
	return 0;
}

static int
call_int(ARGS)
{
	struct number x;
	int64_t i;
	(void)args_n;
	if (args[0].kind == VAL_STR) {
		if (!go_parse_int(val_text(&args[0]), 10, &i))
			return eval_fail(ev, "int: \"%.*s\" is no integer", STR_ARG(str_slice(val_text(&args[0]), 0, 60)));
	} else if (!value_number(&args[0], &x)) {
		return wrong_argument(ev, n, &args[0]);
	} else {
		i = x.is_int ? x.i : x.f >= -9223372036854775808.0 && x.f < 9223372036854775808.0 ? (int64_t)x.f : INT64_MIN;
	}
	*out = val_int(i);
	return 0;
}

static int
call_float(ARGS)
{
	struct number x;
	(void)args_n;
	if (args[0].kind == VAL_STR) {
		if (!go_parse_float(val_text(&args[0]), &x.f))
			return eval_fail(ev, "float: \"%.*s\" is no number", STR_ARG(str_slice(val_text(&args[0]), 0, 60)));
	} else if (!value_number(&args[0], &x)) {
		return wrong_argument(ev, n, &args[0]);
	}
	*out = val_float(x.f);
	return 0;
}

/* The numbers among the arguments, arrays of them taken apart one level. */
static int
each_number(ARGS, int (*fn)(void *arg, const struct number *x), void *arg)
{
	(void)out;
	for (size_t i = 0; i < args_n; i++) {
		const struct val *items = args[i].kind == VAL_LIST ? args[i].items : &args[i];
		size_t count = args[i].kind == VAL_LIST ? args[i].n : 1;
		if (eval_spend(ev, 0) < 0)
			return -1;
		ev->steps += count;
		for (size_t k = 0; k < count; k++) {
			struct number x;
			if (!value_number(&items[k], &x))
				return wrong_argument(ev, n, &items[k]);
			fn(arg, &x);
		}
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
extreme(ARGS, bool largest)
{
	struct extreme e = { .largest = largest };
	if (args_n == 1 && args[0].kind != VAL_LIST)
		return wrong_argument(ev, n, &args[0]);
	if (each_number(ev, n, args, args_n, out, take_extreme, &e) < 0)
		return -1;
	*out = e.any ? value_of(&e.best) : val_null();
	return 0;
}

static int
call_max(ARGS)
{
	return extreme(ev, n, args, args_n, out, true);
}

static int
call_min(ARGS)
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

static int
call_mean(ARGS)
{
	doubles d = { 0 };
	int rc = each_number(ev, n, args, args_n, out, take_double, &d);
	double sum = 0;
	for (size_t i = 0; i < d.n; i++)
		sum += d.p[i];
	*out = d.n ? val_float(sum / (double)d.n) : val_int(0);
	VEC_FREE(&d);
	return rc;
}

static int
call_median(ARGS)
{
	doubles d = { 0 };
	int rc = each_number(ev, n, args, args_n, out, take_double, &d);
	if (d.n) {
		qsort(d.p, d.n, sizeof *d.p, double_order);
		*out = val_float(d.n % 2 ? d.p[d.n / 2] : (d.p[d.n / 2 - 1] + d.p[d.n / 2]) / 2);
	} else {
		*out = val_int(0);
	}
	VEC_FREE(&d);
	return rc;
}

/* ---- bits ----------------------------------------------------------------------------------------------------- */

static int
bits(ARGS, char op)
{
	int64_t a, b = 0;
	for (size_t i = 0; i < args_n; i++)
		if (args[i].kind != VAL_INT)
			return wrong_argument(ev, n, &args[i]);
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
	static int name(ARGS) \
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

/* ---- strings -------------------------------------------------------------------------------------------------- */

static int
call_string(ARGS)
{
	struct buf b = { 0 };
	(void)n, (void)args_n;
	expr_print(&b, &args[0]);
	return give_text(ev, &b, out);
}

static str
trim_set(str s, str set)
{
	while (s.n && str_find_char(set, s.p[0], 0) != SIZE_MAX)
		s = str_slice(s, 1, s.n);
	while (s.n && str_find_char(set, s.p[s.n - 1], 0) != SIZE_MAX)
		s = str_slice(s, 0, s.n - 1);
	return s;
}

static int
call_trim(ARGS)
{
	str s = S(""), set = S(" \t\n\v\f\r");
	if (want_text(ev, n, &args[0], &s) < 0 || (args_n > 1 && want_text(ev, n, &args[1], &set) < 0))
		return -1;
	*out = val_str(trim_set(s, set));
	return 0;
}

static int
call_trim_prefix(ARGS)
{
	str s = S(""), cut = S(" ");
	if (want_text(ev, n, &args[0], &s) < 0 || (args_n > 1 && want_text(ev, n, &args[1], &cut) < 0))
		return -1;
	*out = val_str(str_starts(s, cut) ? str_slice(s, cut.n, s.n) : s);
	return 0;
}

static int
call_trim_suffix(ARGS)
{
	str s = S(""), cut = S(" ");
	if (want_text(ev, n, &args[0], &s) < 0 || (args_n > 1 && want_text(ev, n, &args[1], &cut) < 0))
		return -1;
	*out = val_str(str_ends(s, cut) ? str_slice(s, 0, s.n - cut.n) : s);
	return 0;
}

/* Letters of ASCII, Latin-1, Greek and Cyrillic; Go knows all of Unicode. */
static uint32_t
change_case(uint32_t c, bool upper)
{
	static const struct {
		uint32_t from, to; /* lower case */
		int32_t distance;  /* to the upper case letter */
	} ranges[] = { { 'a', 'z', 32 }, { 0xe0, 0xf6, 32 }, { 0xf8, 0xfe, 32 }, { 0x3b1, 0x3c1, 32 }, { 0x3c3, 0x3cb, 32 },
		       { 0x430, 0x44f, 32 }, { 0x450, 0x45f, 80 } };
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		uint32_t d = (uint32_t)ranges[i].distance;
		if (upper && c >= ranges[i].from && c <= ranges[i].to)
			return c - d;
		if (!upper && c + d >= ranges[i].from && c + d <= ranges[i].to)
			return c + d;
	}
	if (c >= 0x100 && c < 0x130) /* Latin Extended-A: pairs, the even one is upper case */
		return upper ? c & ~1u : c | 1u;
	return c;
}

static int
cased(ARGS, bool upper)
{
	struct buf b = { 0 };
	str s = S("");
	(void)args_n;
	if (want_text(ev, n, &args[0], &s) < 0)
		return -1;
	for (size_t i = 0, width; i < s.n; i += width)
		go_add_rune(&b, change_case(go_rune(s, i, &width), upper));
	return give_text(ev, &b, out);
}

static int
call_upper(ARGS)
{
	return cased(ev, n, args, args_n, out, true);
}

static int
call_lower(ARGS)
{
	return cased(ev, n, args, args_n, out, false);
}

/* Go's strings.SplitN and SplitAfterN: `max` parts at most, < 0: all; an empty separator splits into runes. */
static int
split(ARGS, bool after)
{
	str s = S(""), sep = S("");
	int64_t max = -1;
	if (want_text(ev, n, &args[0], &s) < 0 || want_text(ev, n, &args[1], &sep) < 0 ||
	    (args_n > 2 && want_int(ev, n, &args[2], &max) < 0))
		return -1;
	values parts = { 0 };
	int rc = 0;
	for (size_t from = 0; max != 0 && rc == 0;) {
		size_t width = 0, at = SIZE_MAX;
		if (sep.n)
			at = str_find(s, sep, from);
		else if (from < s.n && ((void)go_rune(s, from, &width), from + width < s.n))
			at = from + width;
		bool last = at == SIZE_MAX || (max > 0 && (int64_t)parts.n == max - 1);
		if (sep.n || from < s.n)
			*VEC_PUSH(&parts) = val_str(str_slice(s, from, last ? s.n : after ? at + sep.n : at));
		if (last)
			break;
		from = at + sep.n;
		rc = eval_spend(ev, sizeof(struct val));
	}
	if (rc == 0)
		rc = eval_list(ev, parts.p, parts.n, out);
	VEC_FREE(&parts);
	return rc;
}

static int
call_split(ARGS)
{
	return split(ev, n, args, args_n, out, false);
}

static int
call_split_after(ARGS)
{
	return split(ev, n, args, args_n, out, true);
}

static int
call_replace(ARGS)
{
	str s = S(""), from = S(""), to = S("");
	int64_t max = -1;
	if (want_text(ev, n, &args[0], &s) < 0 || want_text(ev, n, &args[1], &from) < 0 || want_text(ev, n, &args[2], &to) < 0 ||
	    (args_n > 3 && want_int(ev, n, &args[3], &max) < 0))
		return -1;
	struct buf b = { 0 };
	size_t i = 0;
	for (int64_t done = 0; max < 0 || done < max; done++) {
		size_t at = str_find(s, from, i), width = 1;
		if (from.n == 0 && i < s.n) /* between the runes */
			(void)go_rune(s, i, &width);
		if (at == SIZE_MAX || b.n > EXPR_BYTES_MAX)
			break;
		buf_add(&b, str_slice(s, i, at));
		buf_add(&b, to);
		i = at + from.n;
		if (from.n == 0) {
			buf_add(&b, str_slice(s, i, i + width));
			i += width;
			if (i > s.n)
				break;
		}
	}
	buf_add(&b, str_slice(s, i, s.n));
	return give_text(ev, &b, out);
}

static int
call_repeat(ARGS)
{
	str s = S("");
	int64_t times;
	(void)args_n;
	if (want_text(ev, n, &args[0], &s) < 0 || want_int(ev, n, &args[1], &times) < 0)
		return -1;
	if (times < 0)
		return eval_fail(ev, "repeat %lld times: must not be negative", (long long)times);
	if (times > EXPR_BYTES_MAX || s.n * (uint64_t)times > EXPR_BYTES_MAX)
		return eval_spend(ev, SIZE_MAX);
	struct buf b = { 0 };
	for (int64_t i = 0; i < times && s.n; i++)
		buf_add(&b, s);
	return give_text(ev, &b, out);
}

static int
call_join(ARGS)
{
	str sep = S("");
	struct buf b = { 0 };
	if (want_list(ev, n, &args[0]) < 0 || (args_n > 1 && want_text(ev, n, &args[1], &sep) < 0))
		return -1;
	for (uint32_t i = 0; i < args[0].n; i++) {
		str s;
		if (want_text(ev, n, &args[0].items[i], &s) < 0 || b.n > EXPR_BYTES_MAX) {
			buf_free(&b);
			return -1;
		}
		buf_add(&b, i ? sep : S(""));
		buf_add(&b, s);
	}
	return give_text(ev, &b, out);
}

static int
call_index_of(ARGS)
{
	str s = S(""), what = S("");
	(void)args_n;
	if (want_text(ev, n, &args[0], &s) < 0 || want_text(ev, n, &args[1], &what) < 0)
		return -1;
	size_t at = str_find(s, what, 0);
	*out = val_int(at == SIZE_MAX ? -1 : (int64_t)at);
	return 0;
}

static int
call_last_index_of(ARGS)
{
	str s = S(""), what = S("");
	(void)args_n;
	if (want_text(ev, n, &args[0], &s) < 0 || want_text(ev, n, &args[1], &what) < 0)
		return -1;
	*out = val_int(-1);
	for (size_t i = s.n + 1; i-- > 0;) {
		if (str_starts(str_slice(s, i, s.n), what)) {
			*out = val_int((int64_t)i);
			break;
		}
	}
	return 0;
}

static int
call_has_prefix(ARGS)
{
	str s = S(""), what = S("");
	(void)args_n;
	if (want_text(ev, n, &args[0], &s) < 0 || want_text(ev, n, &args[1], &what) < 0)
		return -1;
	*out = val_bool(str_starts(s, what));
	return 0;
}

static int
call_has_suffix(ARGS)
{
	str s = S(""), what = S("");
	(void)args_n;
	if (want_text(ev, n, &args[0], &s) < 0 || want_text(ev, n, &args[1], &what) < 0)
		return -1;
	*out = val_bool(str_ends(s, what));
	return 0;
}

/* ---- notations ------------------------------------------------------------------------------------------------ */

static int
call_to_json(ARGS)
{
	struct buf b = { 0 };
	(void)n, (void)args_n;
	json_write_opts(&b, &args[0], JSON_INDENT | JSON_SORT | JSON_HTML);
	return give_text(ev, &b, out);
}

static int
call_from_json(ARGS)
{
	str s = S("");
	struct err e;
	(void)args_n;
	if (want_text(ev, n, &args[0], &s) < 0 || eval_spend(ev, s.n * 4) < 0)
		return -1;
	if (json_read(ev->arena, s, out, &e) < 0)
		return eval_fail(ev, "fromJSON: %s", e.msg);
	return 0;
}

static int
call_to_base64(ARGS)
{
	str s = S("");
	(void)args_n;
	if (want_text(ev, n, &args[0], &s) < 0 || eval_spend(ev, s.n * 2) < 0)
		return -1;
	*out = val_str(base64_encode(ev->arena, s));
	return 0;
}

static int
call_from_base64(ARGS)
{
	str s, decoded;
	struct err e;
	(void)args_n;
	if (want_text(ev, n, &args[0], &s) < 0 || eval_spend(ev, s.n) < 0)
		return -1;
	if (base64_decode(ev->arena, s, &decoded, &e) < 0)
		return eval_fail(ev, "fromBase64: %s", e.msg);
	*out = val_str(decoded);
	return 0;
}

/* ---- arrays and maps ------------------------------------------------------------------------------------------ */

static int
call_first(ARGS)
{
	(void)ev, (void)n, (void)args_n;
	*out = args[0].kind == VAL_LIST && args[0].n ? args[0].items[0] : val_null();
	return 0;
}

static int
call_last(ARGS)
{
	(void)ev, (void)n, (void)args_n;
	*out = args[0].kind == VAL_LIST && args[0].n ? args[0].items[args[0].n - 1] : val_null();
	return 0;
}

/* As fetching, but what is missing is nil. */
static int
call_get(ARGS)
{
	struct err ignored;
	struct err *e = ev->e;
	(void)n, (void)args_n;
	ev->e = &ignored;
	if (value_fetch(ev, &args[0], &args[1], out) < 0)
		*out = val_null();
	ev->e = e;
	return 0;
}

static int
call_take(ARGS)
{
	int64_t count;
	(void)args_n;
	if (want_list(ev, n, &args[0]) < 0 || want_int(ev, n, &args[1], &count) < 0)
		return -1;
	if (count < 0)
		return eval_fail(ev, "take of %lld: must not be negative", (long long)count);
	*out = args[0];
	if ((uint64_t)count < out->n)
		out->n = (uint32_t)count;
	return 0;
}

enum part { PART_KEY, PART_VALUE, PART_PAIR };

static int
parts(ARGS, enum part part)
{
	(void)args_n;
	if (args[0].kind != VAL_MAP)
		return wrong_argument(ev, n, &args[0]);
	values list = { 0 };
	int rc = 0;
	for (uint32_t i = 0; i < args[0].n && rc == 0; i++) {
		const struct member *m = &args[0].members[i];
		struct val pair[] = { m->key, m->value };
		struct val v = pair[part == PART_VALUE];
		if (part == PART_PAIR)
			rc = eval_list(ev, pair, 2, &v);
		*VEC_PUSH(&list) = v;
	}
	if (rc == 0)
		rc = eval_list(ev, list.p, list.n, out);
	VEC_FREE(&list);
	return rc;
}

static int
call_keys(ARGS)
{
	return parts(ev, n, args, args_n, out, PART_KEY);
}

static int
call_values(ARGS)
{
	return parts(ev, n, args, args_n, out, PART_VALUE);
}

static int
call_to_pairs(ARGS)
{
	return parts(ev, n, args, args_n, out, PART_PAIR);
}

static int
call_from_pairs(ARGS)
{
	struct val_map m = { 0 };
	(void)args_n;
	int rc = want_list(ev, n, &args[0]);
	for (uint32_t i = 0; rc == 0 && i < args[0].n; i++) {
		const struct val *pair = &args[0].items[i];
		if (pair->kind != VAL_LIST || pair->n != 2 || pair->items[0].kind != VAL_STR)
			rc = eval_fail(ev, "fromPairs takes pairs of a string and a value");
		else if ((rc = eval_spend(ev, sizeof(struct member))) == 0)
			val_map_add(&m, val_text(&pair->items[0]), pair->items[1]);
	}
	*out = val_map_end(&m, ev->arena);
	return rc;
}

static int
call_reverse(ARGS)
{
	(void)args_n;
	if (want_list(ev, n, &args[0]) < 0 || eval_list(ev, args[0].items, args[0].n, out) < 0)
		return -1;
	struct val *items = ARENA_ARRAY(ev->arena, struct val, args[0].n);
	for (uint32_t i = 0; i < args[0].n; i++)
		items[i] = args[0].items[args[0].n - 1 - i];
	out->items = items;
	return 0;
}

static int
call_uniq(ARGS)
{
	values kept = { 0 };
	(void)args_n;
	int rc = want_list(ev, n, &args[0]);
	for (uint32_t i = 0; rc == 0 && i < args[0].n; i++) {
		size_t k = 0;
		while (k < kept.n && !val_eq(&kept.p[k], &args[0].items[i]))
			k++;
		ev->steps += k;
		rc = eval_spend(ev, 0);
		if (k == kept.n)
			*VEC_PUSH(&kept) = args[0].items[i];
	}
	if (rc == 0)
		rc = eval_list(ev, kept.p, kept.n, out);
	VEC_FREE(&kept);
	return rc;
}

static int
append(struct eval *ev, const struct val *list, unsigned levels, values *out)
{
	int rc = eval_spend(ev, list->n * sizeof(struct val));
	for (uint32_t i = 0; i < list->n && rc == 0; i++) {
		if (levels && list->items[i].kind == VAL_LIST)
			rc = append(ev, &list->items[i], levels - 1, out);
		else
			*VEC_PUSH(out) = list->items[i];
	}
	return rc;
}

static int
call_concat(ARGS)
{
	values all = { 0 };
	int rc = 0;
	for (size_t i = 0; i < args_n && rc == 0; i++)
		rc = want_list(ev, n, &args[i]) < 0 ? -1 : append(ev, &args[i], 0, &all);
	if (rc == 0)
		rc = eval_list(ev, all.p, all.n, out);
	VEC_FREE(&all);
	return rc;
}

static int
call_flatten(ARGS)
{
	values all = { 0 };
	(void)args_n;
	int rc = want_list(ev, n, &args[0]) < 0 ? -1 : append(ev, &args[0], 100, &all);
	if (rc == 0)
		rc = eval_list(ev, all.p, all.n, out);
	VEC_FREE(&all);
	return rc;
}

/* ---- the table ------------------------------------------------------------------------------------------------ */

static const struct builtin builtins[] = {
	{ "all", 2, 2, 2, .call = call_all },
	{ "any", 2, 2, 2, .call = call_any },
	{ "none", 2, 2, 2, .call = call_none },
	{ "one", 2, 2, 2, .call = call_one },
	{ "filter", 2, 2, 2, .call = call_filter },
	{ "map", 2, 2, 2, .call = call_map },
	{ "count", 1, 2, 2, .call = call_count },
	{ "find", 2, 2, 2, .call = call_find },
	{ "findIndex", 2, 2, 2, .call = call_find_index },
	{ "findLast", 2, 2, 2, .call = call_find_last },
	{ "findLastIndex", 2, 2, 2, .call = call_find_last_index },
	{ "groupBy", 2, 2, 2, .call = call_group_by },
	{ "sortBy", 2, 3, 2, .call = call_sort_by },
	{ "reduce", 2, 3, 2, .call = call_reduce },
	{ "sum", 1, 2, 2, .call = call_sum },
	{ "len", 1, 1, .call = call_len },
	{ "type", 1, 1, .call = call_type },
	{ "abs", 1, 1, .call = call_abs },
	{ "ceil", 1, 1, .call = call_ceil },
	{ "floor", 1, 1, .call = call_floor },
	{ "round", 1, 1, .call = call_round },
	{ "int", 1, 1, .call = call_int },
	{ "float", 1, 1, .call = call_float },
	{ "string", 1, 1, .call = call_string },
	{ "trim", 1, 2, .call = call_trim },
	{ "trimPrefix", 1, 2, .call = call_trim_prefix },
	{ "trimSuffix", 1, 2, .call = call_trim_suffix },
	{ "upper", 1, 1, .call = call_upper },
	{ "lower", 1, 1, .call = call_lower },
	{ "split", 2, 3, .call = call_split },
	{ "splitAfter", 2, 3, .call = call_split_after },
	{ "replace", 3, 4, .call = call_replace },
	{ "repeat", 2, 2, .call = call_repeat },
	{ "join", 1, 2, .call = call_join },
	{ "indexOf", 2, 2, .call = call_index_of },
	{ "lastIndexOf", 2, 2, .call = call_last_index_of },
	{ "hasPrefix", 2, 2, .call = call_has_prefix },
	{ "hasSuffix", 2, 2, .call = call_has_suffix },
	{ "max", 1, -1, .call = call_max },
	{ "min", 1, -1, .call = call_min },
	{ "mean", 1, -1, .call = call_mean },
	{ "median", 1, -1, .call = call_median },
	{ "toJSON", 1, 1, .call = call_to_json },
	{ "fromJSON", 1, 1, .call = call_from_json },
	{ "toBase64", 1, 1, .call = call_to_base64 },
	{ "fromBase64", 1, 1, .call = call_from_base64 },
	{ "first", 1, 1, .call = call_first },
	{ "last", 1, 1, .call = call_last },
	{ "get", 2, 2, .call = call_get },
	{ "take", 2, 2, .call = call_take },
	{ "keys", 1, 1, .call = call_keys },
	{ "values", 1, 1, .call = call_values },
	{ "toPairs", 1, 1, .call = call_to_pairs },
	{ "fromPairs", 1, 1, .call = call_from_pairs },
	{ "reverse", 1, 1, .call = call_reverse },
	{ "uniq", 1, 1, .call = call_uniq },
	{ "concat", 1, -1, .call = call_concat },
	{ "flatten", 1, 1, .call = call_flatten },
	{ "sort", 1, 2, .call = call_sort },
	{ "bitand", 2, 2, .call = call_bitand },
	{ "bitor", 2, 2, .call = call_bitor },
	{ "bitxor", 2, 2, .call = call_bitxor },
	{ "bitnand", 2, 2, .call = call_bitnand },
	{ "bitnot", 1, 1, .call = call_bitnot },
	{ "bitshl", 2, 2, .call = call_bitshl },
	{ "bitshr", 2, 2, .call = call_bitshr },
	{ "bitushr", 2, 2, .call = call_bitushr },
};

const struct builtin *
builtin_find(str name)
{
	for (size_t i = 0; i < ARRAY_LEN(builtins); i++)
		if (str_eq(name, str_c(builtins[i].name)))
			return &builtins[i];
	return NULL;
}

/* ---- what both Argos add (argo-workflows util/expr/env/env.go) -------------------------------------------------- */

static int
as_int(const struct expr_call *c UNUSED, const struct val *args, size_t n UNUSED, struct val *out, struct err *e)
{
	struct number x;
	int64_t i = 0;
	if (args[0].kind == VAL_STR ? !go_parse_int(val_text(&args[0]), 10, &i) : !value_number(&args[0], &x))
		return err_set(e, ERR_INVALID, "no integer: %s", value_kind(&args[0]));
	if (args[0].kind == VAL_NUM && val_to_i64(&args[0], &i)) { /* every digit counts */
		*out = val_int(i);
		return 0;
	}
	if (args[0].kind != VAL_STR)
		i = x.is_int ? x.i : fabs(x.f) < 9.2e18 ? (int64_t)x.f : 0;
	*out = val_int(i);
	return 0;
}

static int
as_float(const struct expr_call *c UNUSED, const struct val *args, size_t n UNUSED, struct val *out, struct err *e)
{
	struct number x;
	if (args[0].kind == VAL_STR ? !go_parse_float(val_text(&args[0]), &x.f) : !value_number(&args[0], &x))
		return err_set(e, ERR_INVALID, "no number: %s", value_kind(&args[0]));
	*out = val_float(x.f);
	return 0;
}

static int
to_json(const struct expr_call *c, const struct val *args, size_t n UNUSED, struct val *out, struct err *e UNUSED)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	json_write_opts(&b, &args[0], JSON_SORT | JSON_HTML);
	*out = val_str(arena_dup(c->arena, buf_str(&b)));
	return 0;
}

static int
call_sprig(const struct expr_call *c, const struct val *args, size_t n, struct val *out, struct err *e)
{
	return sprig_call(c->data, args, n, c->arena, out, e);
}

bool
expr_argo_function(str name, struct expr_function *out)
{
	static const struct expr_function functions[] = {
		{ "asInt", 1, 1, as_int },
		{ "asFloat", 1, 1, as_float },
		{ "toJson", 1, 1, to_json },
	};
	for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
		if (str_eq(name, str_c(functions[i].name))) {
			*out = functions[i];
			return true;
		}
	}
	const struct gofn *f = str_starts(name, S("sprig.")) ? sprig_find(str_slice(name, 6, name.n)) : NULL;
	if (f)
		*out = (struct expr_function){ "sprig", 0, -1, call_sprig, f }; /* counts its arguments itself */
	return f;
}
