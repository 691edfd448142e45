/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exprs: expressions over named values of the event's data (events spec 3.3), in govaluate's language. Entries are ANDed
 * unless exprLogicalOperator says or; one without fields is not looked at. A result that is no truth value does not pass.
 */
#include "core/lang/gjson.h"
#include "core/lang/when.h"
#include "sensors/filter.h"

struct exprs {
	const struct filters *spec;
	struct when **conditions; /* one for each entry; NULL: it has no fields */
	bool any;                 /* exprLogicalOperator: or */
};

static bool
present(const struct filters *s)
{
	return s->exprs.n > 0;
}

static void
free_conditions(void *compiled)
{
	struct exprs *x = compiled;
	for (size_t i = 0; i < x->spec->exprs.n; i++)
		when_free(x->conditions[i]);
}

static int
compile(const struct filters *s, struct arena *a, void **out, struct err *e)
{
	struct exprs *x = ARENA_NEW(a, struct exprs);
	x->spec = s;
	x->any = str_eq(s->expr_operator, S("or"));
	x->conditions = ARENA_ARRAY(a, struct when *, s->exprs.n);
	memset(x->conditions, 0, s->exprs.n * sizeof *x->conditions);
	for (size_t i = 0; i < s->exprs.n; i++) {
		const struct expr_filter *f = &s->exprs.p[i];
		if (f->fields.n && when_compile(f->expr, a, &x->conditions[i], e) < 0) {
			free_conditions(x);
			return -1;
		}
	}
	*out = x;
	return 0;
}

/* The values of an entry's fields. */
struct names {
	const struct expr_filter *spec;
	struct val *values;
};

static bool
lookup(void *arg, str name, struct val *out)
{
	const struct names *n = arg;
	for (size_t i = n->spec->fields.n; i-- > 0;) {
		if (str_eq(n->spec->fields.p[i].name, name)) {
			*out = n->values[i];
			return true;
		}
	}
	return false;
}

/* A list or an object, as a tree. */
static int
read_tree(struct arena *a, str raw, struct val *out, struct err *e)
{
	struct val v;
	if (json_read(a, raw, &v, e) < 0)
		return -1;
	*out = when_number_values(a, &v);
	return 0;
}

static int
read_fields(const struct expr_filter *s, struct filtered *f, struct names *n, struct err *e)
{
	n->spec = s;
	n->values = ARENA_ARRAY(f->tmp, struct val, s->fields.n);
	for (size_t i = 0; i < s->fields.n; i++) {
		struct gjson g;
		str path = s->fields.p[i].path;
		if (!gjson_get(f->tmp, f->ev->data, path, &g))
			return err_set(e, ERR_NOT_FOUND, "path %.*s does not exist in the data", STR_ARG(path));
		switch (g.kind) {
		case GJSON_NULL: n->values[i] = val_null(); break;
		case GJSON_NUM: n->values[i] = val_float(g.num); break;
		case GJSON_STR: n->values[i] = val_str(g.text); break;
		case GJSON_TRUE: case GJSON_FALSE: n->values[i] = val_bool(g.kind == GJSON_TRUE); break;
		case GJSON_JSON:
			if (read_tree(f->tmp, g.raw, &n->values[i], e) < 0)
				return err_wrap(e, "path %.*s", STR_ARG(path));
		}
	}
	return 0;
}

static enum verdict
entry_eval(const struct expr_filter *s, const struct when *condition, struct filtered *f, str *why)
{
	struct names n;
	struct err e = { 0 };
	struct val v;
	str place = manifest_place(f->tmp, f->file, s->src);
	if (read_fields(s, f, &n, &e) < 0 || when_value(condition, lookup, &n, f->tmp, &v, &e) < 0) {
		*why = arena_fmt(f->tmp, "exprs filter %.*s: %s (%.*s)", STR_ARG(s->expr), e.msg, STR_ARG(place));
		return FILTER_ERROR;
	}
	if (v.kind == VAL_BOOL && v.b)
		return FILTER_PASS;
	*why = arena_fmt(f->tmp, "exprs filter %.*s: does not hold (%.*s)", STR_ARG(s->expr), STR_ARG(place));
	return FILTER_MISS;
}

static enum verdict
eval(const void *compiled, struct filtered *f, str *why)
{
	const struct exprs *x = compiled;
	enum verdict worst = FILTER_MISS;
	str reason = S("exprs filter: no expression has fields");
	if (!f->ev->data.n)
		return FILTER_PASS;
	if (!event_is_json(f->ev)) {
		*why = S("exprs filter: the event's data is no JSON");
		return FILTER_ERROR;
	}
	for (size_t i = 0; i < x->spec->exprs.n; i++) {
		const struct expr_filter *s = &x->spec->exprs.p[i];
		if (!s->fields.n)
			continue;
		enum verdict v = entry_eval(s, x->conditions[i], f, why);
		if (v == FILTER_PASS && x->any)
			return v;
		if (v != FILTER_PASS && !x->any)
			return v;
		if (v == FILTER_ERROR || worst == FILTER_MISS)
			reason = *why;
		worst = v == FILTER_ERROR ? v : worst;
	}
	*why = reason;
	return x->any ? worst : FILTER_PASS;
}

const struct filter_ops filter_exprs = { .kind = "exprs", .present = present, .compile = compile, .eval = eval, .free = free_conditions };
