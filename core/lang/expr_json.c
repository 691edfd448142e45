/* SPDX-License-Identifier: Apache-2.0 */
/* JSON as Go's encoding/json reads it into `any`, where all numbers are float64, and writes it. */
#include <math.h>

#include "core/lang/expr_ast.h"

static int
to_floats(struct arena *a, struct val *v, struct err *e)
{
	double f;
	if (v->kind == VAL_NUM) {
		str text = val_text(v);
		if (!val_to_double(v, &f) || !isfinite(f))
			return err_set(e, ERR_INVALID,
				"json: cannot unmarshal number %.*s into Go value of type float64",
				STR_ARG(str_slice(text, 0, 60)));
		*v = val_float(f);
	} else if (v->kind == VAL_LIST) {
		struct val *items = ARENA_ARRAY(a, struct val, v->n);
		for (uint32_t i = 0; i < v->n; i++) {
			items[i] = v->items[i];
			if (to_floats(a, &items[i], e))
				return -1;
		}
		v->items = items;
	} else if (v->kind == VAL_MAP) {
		struct member *members = ARENA_ARRAY(a, struct member, v->n);
		for (uint32_t i = 0; i < v->n; i++) {
			members[i] = v->members[i];
			if (to_floats(a, &members[i].value, e))
				return -1;
		}
		v->members = members;
	}
	return 0;
}

int
expr_read_json(struct arena *a, str text, struct val *out, struct err *e)
{
	return json_read(a, text, out, e) ? -1 : to_floats(a, out, e);
}

static bool
has_times(const struct val *v)
{
	for (uint32_t i = 0; v->kind == VAL_LIST && i < v->n; i++)
		if (has_times(&v->items[i]))
			return true;
	for (uint32_t i = 0; v->kind == VAL_MAP && i < v->n; i++)
		if (has_times(&v->members[i].value))
			return true;
	return time_type(v);
}

struct val
expr_plain(struct arena *a, const struct val *v)
{
	struct val out = *v;
	if (expr_is_time(v)) {
		struct buf b CLEANUP(free_buf) = { 0 };
		(void)time_json(&b, v);
		out = val_str(arena_dup(a, str_slice(buf_str(&b), 1, b.n - 1)));
	} else if (time_type(v)) {
		out = val_int(v->i);
	} else if (v->kind == VAL_LIST) {
		struct val *items = ARENA_ARRAY(a, struct val, v->n);
		for (uint32_t i = 0; i < v->n; i++)
			items[i] = expr_plain(a, &v->items[i]);
		out.items = items;
	} else if (v->kind == VAL_MAP) {
		struct member *members = ARENA_ARRAY(a, struct member, v->n);
		for (uint32_t i = 0; i < v->n; i++)
			members[i] = (struct member){ v->members[i].key, expr_plain(a, &v->members[i].value) };
		out.members = members;
	}
	return out;
}

void
expr_write_json(struct buf *b, const struct val *v, unsigned opts)
{
	if (!has_times(v)) {
		json_write_opts(b, v, opts);
		return;
	}
	struct arena *a = arena_new();
	struct val plain = expr_plain(a, v);
	json_write_opts(b, &plain, opts);
	arena_free(a);
}

/* Whether JSON can say it; else `culprit` is the first number that it cannot. */
static bool
has_json(const struct val *v, double *culprit)
{
	if (v->kind == VAL_FLOAT) {
		*culprit = v->f;
		return isfinite(v->f);
	}
	for (uint32_t i = 0; v->kind == VAL_LIST && i < v->n; i++)
		if (!has_json(&v->items[i], culprit))
			return false;
	for (uint32_t i = 0; v->kind == VAL_MAP && i < v->n; i++)
		if (!has_json(&v->members[i].value, culprit))
			return false;
	return true;
}

int
expr_json(struct buf *b, const struct val *v, struct err *e)
{
	double f = 0;
	if (!has_json(v, &f)) /* Go's words */
		return err_set(e, ERR_INVALID, "json: unsupported value: %s", isnan(f) ? "NaN" : f > 0 ? "+Inf" : "-Inf");
	expr_write_json(b, v, JSON_SORT | JSON_HTML);
	return 0;
}
