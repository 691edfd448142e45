/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that take a predicate, and sorting. A predicate is evaluated for each element, with # standing for it. Source: expr-lang builtin/builtin.go, builtin/lib.go. */
#include "core/lang/expr_builtin.h"
#include "core/lang/gofmt.h"

/* ---- predicates ----------------------------------------------------------------------------------------------- */

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
	if (builtin_want_list(ev, n, list) < 0)
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
call_all(BUILTIN_ARGS)
{
	int64_t count = 0;
	(void)args_n;
	int rc = count_holding(ev, n, &args[0], false, 1, &count);
	*out = val_bool(count == 0);
	return rc;
}

static int
call_any(BUILTIN_ARGS)
{
	int64_t count = 0;
	(void)args_n;
	int rc = count_holding(ev, n, &args[0], true, 1, &count);
	*out = val_bool(count > 0);
	return rc;
}

static int
call_none(BUILTIN_ARGS)
{
	int rc = call_any(ev, n, args, args_n, out);
	out->b = !out->b;
	return rc;
}

static int
call_one(BUILTIN_ARGS)
{
	int64_t count = 0;
	(void)args_n;
	int rc = count_holding(ev, n, &args[0], true, 2, &count);
	*out = val_bool(count == 1);
	return rc;
}

static int
call_count(BUILTIN_ARGS)
{
	int64_t count = 0;
	(void)args_n;
	if (n->n > 1) {
		int rc = count_holding(ev, n, &args[0], true, INT64_MAX, &count);
		*out = val_int(count);
		return rc;
	}
	if (builtin_want_list(ev, n, &args[0]) < 0)
		return -1;
	for (uint32_t i = 0; i < args[0].n; i++) {
		if (args[0].items[i].kind != VAL_BOOL)
			return builtin_wrong_argument(ev, n, &args[0].items[i]);
		count += args[0].items[i].b;
	}
	*out = val_int(count);
	return 0;
}

static int
call_filter(BUILTIN_ARGS)
{
	values kept = { 0 };
	(void)args_n;
	int rc = builtin_want_list(ev, n, &args[0]);
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
call_map(BUILTIN_ARGS)
{
	(void)args_n;
	if (builtin_want_list(ev, n, &args[0]) < 0 || eval_spend(ev, args[0].n * sizeof *args) < 0)
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
find(BUILTIN_ARGS, bool last, bool index)
{
	(void)args_n;
	*out = val_null();
	if (builtin_want_list(ev, n, &args[0]) < 0)
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
call_find(BUILTIN_ARGS)
{
	return find(ev, n, args, args_n, out, false, false);
}

static int
call_find_index(BUILTIN_ARGS)
{
	return find(ev, n, args, args_n, out, false, true);
}

static int
call_find_last(BUILTIN_ARGS)
{
	return find(ev, n, args, args_n, out, true, false);
}

static int
call_find_last_index(BUILTIN_ARGS)
{
	return find(ev, n, args, args_n, out, true, true);
}

static int
call_sum(BUILTIN_ARGS)
{
	struct val sum = val_int(0);
	(void)args_n;
	if (builtin_want_list(ev, n, &args[0]) < 0)
		return -1;
	for (uint32_t i = 0; i < args[0].n; i++) {
		struct val v = args[0].items[i], before = sum;
		int rc = n->n > 1 ? predicate(ev, n->items[1], &args[0], i, NULL, &v) : 0;
		if (rc)
			return rc;
		ev->at = n;
		if (v.kind < VAL_INT || v.kind > VAL_NUM)
			return builtin_wrong_argument(ev, n, &v);
		if (i == 0 && expr_is_duration(&v))
			before = time_special(0, EXPR_DURATION);
		if (value_add(ev, &before, &v, &sum) < 0)
			return -1;
	}
	*out = sum;
	return 0;
}

/* reduce(array, body, start): the start may be left out, then it is the first element. */
static int
call_reduce(BUILTIN_ARGS)
{
	(void)args_n;
	if (builtin_want_list(ev, n, &args[0]) < 0)
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
call_group_by(BUILTIN_ARGS)
{
	struct val_map groups = { 0 };
	VEC(values) lists = { 0 };
	(void)args_n;
	int rc = builtin_want_list(ev, n, &args[0]);
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
	if (builtin_want_text(ev, n, order, &text) < 0)
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
			return builtin_wrong_argument(ev, n, &items[i].key);
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
call_sort(BUILTIN_ARGS)
{
	bool down = false;
	if (args[0].kind != VAL_LIST && !(ev->x->flags & EXPR_V115) && !eval_written(n->items[0])) {
		*out = (struct val){ .kind = VAL_LIST };
		return 0;
	}
	if (builtin_want_list(ev, n, &args[0]) < 0 || (args_n > 1 && sort_order(ev, n, &args[1], &down) < 0))
		return -1;
	return sort_list(ev, n, &args[0], NULL, down, out);
}

static int
call_sort_by(BUILTIN_ARGS)
{
	bool down = false;
	struct val order;
	(void)args_n;
	if (builtin_want_list(ev, n, &args[0]) < 0)
		return -1;
	int rc = n->n > 2 ? eval_node(ev, n->items[2], &order) : 0;
	if (rc || (n->n > 2 && (rc = sort_order(ev, n, &order, &down))))
		return rc;
	return sort_list(ev, n, &args[0], n->items[1], down, out);
}

/* ---- the table ------------------------------------------------------------------------------------------------ */

const struct builtin expr_predicates[] = {
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
	{ "sort", 1, 2, .call = call_sort },
	{ 0 },
};
