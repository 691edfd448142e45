/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of arrays and maps. Source: expr-lang builtin/builtin.go, builtin/lib.go. */
#include "core/lang/expr_builtin.h"
#include "core/lang/gofmt.h"

/* An element of an array, or of a string whose value is not known before. */
static int
end_of(struct eval *ev, const struct node *n, const struct val *v, uint32_t i, struct val *out)
{
	bool written = eval_written(n->items[0]) && v->kind != VAL_NULL && !(ev->x->flags & EXPR_V115);
	*out = val_null();
	if (written && v->kind != VAL_LIST)
		return eval_fail(ev, "cannot get %.*s element from %s", STR_ARG(n->name), value_kind(v));
	if (v->kind == VAL_LIST && v->n)
		*out = v->items[i];
	else if (v->kind == VAL_STR && v->n && !(ev->x->flags & EXPR_V115))
		*out = val_int((unsigned char)v->p[i]);
	return 0;
}

static int
call_first(BUILTIN_ARGS)
{
	(void)args_n;
	return end_of(ev, n, &args[0], 0, out);
}

static int
call_last(BUILTIN_ARGS)
{
	(void)args_n;
	return end_of(ev, n, &args[0], args[0].n - 1, out);
}

/* As fetching, but what is missing is nil. */
static int
call_get(BUILTIN_ARGS)
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
call_take(BUILTIN_ARGS)
{
	int64_t count;
	(void)args_n;
	if (builtin_want_list(ev, n, &args[0]) < 0 || builtin_want_int(ev, n, &args[1], &count) < 0)
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
parts(BUILTIN_ARGS, enum part part)
{
	(void)args_n;
	if (args[0].kind != VAL_MAP)
		return builtin_wrong_argument(ev, n, &args[0]);
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
call_keys(BUILTIN_ARGS)
{
	return parts(ev, n, args, args_n, out, PART_KEY);
}

static int
call_values(BUILTIN_ARGS)
{
	return parts(ev, n, args, args_n, out, PART_VALUE);
}

static int
call_to_pairs(BUILTIN_ARGS)
{
	return parts(ev, n, args, args_n, out, PART_PAIR);
}

static int
call_from_pairs(BUILTIN_ARGS)
{
	struct val_map m = { 0 };
	(void)args_n;
	int rc = builtin_want_list(ev, n, &args[0]);
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
call_reverse(BUILTIN_ARGS)
{
	(void)args_n;
	if (builtin_want_list(ev, n, &args[0]) < 0 || eval_list(ev, args[0].items, args[0].n, out) < 0)
		return -1;
	struct val *items = ARENA_ARRAY(ev->arena, struct val, args[0].n);
	for (uint32_t i = 0; i < args[0].n; i++)
		items[i] = args[0].items[args[0].n - 1 - i];
	out->items = items;
	return 0;
}

static int
call_uniq(BUILTIN_ARGS)
{
	values kept = { 0 };
	(void)args_n;
	int rc = builtin_want_list(ev, n, &args[0]);
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
call_concat(BUILTIN_ARGS)
{
	values all = { 0 };
	int rc = 0;
	for (size_t i = 0; i < args_n && rc == 0; i++)
		rc = builtin_want_list(ev, n, &args[i]) < 0 ? -1 : append(ev, &args[i], 0, &all);
	if (rc == 0)
		rc = eval_list(ev, all.p, all.n, out);
	VEC_FREE(&all);
	return rc;
}

static int
call_flatten(BUILTIN_ARGS)
{
	values all = { 0 };
	(void)args_n;
	int rc = builtin_want_list(ev, n, &args[0]) < 0 ? -1 : append(ev, &args[0], 100, &all);
	if (rc == 0)
		rc = eval_list(ev, all.p, all.n, out);
	VEC_FREE(&all);
	return rc;
}

/* ---- the table ------------------------------------------------------------------------------------------------ */

const struct builtin expr_collections[] = {
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
	{ 0 },
};
