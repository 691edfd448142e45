/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of the language by name, in one table a subject; and those that both Argos add to it.
 */
#include "core/lang/expr_builtin.h"

#include <math.h>

#include "core/lang/gofmt.h"
#include "core/lang/jsonpath.h"
#include "core/lang/sprig_call.h"

int
builtin_wrong_argument(struct eval *ev, const struct node *n, const struct val *v)
{
	return eval_fail(ev, "invalid argument for %.*s (type %s)", STR_ARG(n->name), value_kind(v));
}

int
builtin_give_text(struct eval *ev, struct buf *b, struct val *out)
{
	int rc = eval_spend(ev, b->n);
	if (rc == 0)
		*out = val_str(arena_dup(ev->arena, buf_str(b)));
	buf_free(b);
	return rc;
}

int
builtin_want_text(struct eval *ev, const struct node *n, const struct val *v, str *out)
{
	if (v->kind != VAL_STR)
		return builtin_wrong_argument(ev, n, v);
	*out = v->p ? val_text(v) : S("");
	ev->steps += v->n / 16;
	return 0;
}

int
builtin_want_int(struct eval *ev, const struct node *n, const struct val *v, int64_t *out)
{
	struct number x;
	if (!value_number(v, &x))
		return builtin_wrong_argument(ev, n, v);
	*out = x.is_int ? x.i : x.f > -9e18 && x.f < 9e18 ? (int64_t)x.f : 0;
	return 0;
}

int
builtin_want_list(struct eval *ev, const struct node *n, const struct val *v)
{
	return v->kind == VAL_LIST ? 0 : builtin_wrong_argument(ev, n, v);
}

const struct builtin *
builtin_find(str name)
{
	static const struct builtin *const tables[] = { expr_predicates, expr_numbers, expr_strings, expr_collections, expr_times };
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		for (const struct builtin *b = tables[i]; b->name; b++)
			if (str_eq(name, str_c(b->name)))
				return b;
	return NULL;
}

/* ---- what both Argos add (argo-workflows util/expr/env/env.go) -------------------------------------------------- */

static int
as_int(const struct expr_call *c UNUSED, const struct val *args, size_t n UNUSED, struct val *out, struct err *e)
{
	struct number x;
	int64_t i = 0;
	if (time_type(&args[0]) && !expr_is_time(&args[0])) {
		*out = val_int(args[0].i);
		return 0;
	}
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
	expr_write_json(&b, &args[0], JSON_SORT | JSON_HTML);
	*out = val_str(arena_dup(c->arena, buf_str(&b)));
	return 0;
}

static int
jsonpath(const struct expr_call *c, const struct val *args, size_t n UNUSED, struct val *out, struct err *e)
{
	struct val root;
	if (args[0].kind != VAL_STR || args[1].kind != VAL_STR)
		return err_set(e, ERR_INVALID, "cannot use %s as argument (type string)",
			value_kind(&args[args[0].kind == VAL_STR]));
	if (expr_read_json(c->arena, val_text(&args[0]), &root, e))
		return -1;
	return jsonpath_query(c->arena, val_text(&args[1]), &root, out, e);
}

/* A time as sprig's functions have it; a duration is a number to them. */
static struct val
to_sprig(const struct val *v)
{
	struct val out = *v;
	if (!time_type(v))
		return out;
	out = val_int(expr_is_time(v) ? (int64_t)((uint64_t)v->i * NS_PER_SEC + v->n) : v->i);
	out.pad = expr_is_time(v) ? SPRIG_TIME : 0;
	return out;
}

static int
call_sprig(const struct expr_call *c, const struct val *args, size_t n, struct val *out, struct err *e)
{
	struct val *copy = ARENA_ARRAY(c->arena, struct val, n);
	for (size_t i = 0; i < n; i++)
		copy[i] = to_sprig(&args[i]);
	if (sprig_call(c->data, copy, n, c->now, c->random, c->arena, out, e))
		return -1;
	if (out->kind == VAL_INT && out->pad == SPRIG_TIME)
		*out = time_from_ns(out->i);
	return 0;
}

bool
expr_argo_function(str name, struct expr_function *out)
{
	static const struct expr_function functions[] = {
		{ "asInt", 1, 1, as_int },
		{ "asFloat", 1, 1, as_float },
		{ "toJson", 1, 1, to_json },
		{ "jsonpath", 2, 2, jsonpath },
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
