/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exprs: expressions over named values of the event's data (events spec 3.3), in govaluate's language. Entries are ANDed
 * unless exprLogicalOperator says or; one without fields is not looked at. A result that is no truth value does not pass.
 */
#include "core/lang/gjson.h"
#include "core/lang/when.h"
#include "sensors/filter.h"

enum { OPERANDS_SHOWN = 150 /* bytes; then no more */ };

struct exprs {
	const struct filters *spec;
	struct when **conditions; /* one for each entry; NULL: it has no fields */
	bool any;                 /* exprLogicalOperator: or */
	size_t whole;             /* its check; those of the entries come behind it */
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
compile(const struct filters *s, struct checks *checks, void **out, struct err *e)
{
	struct arena *a = checks->arena;
	struct exprs *x = ARENA_NEW(a, struct exprs);
	x->whole = checks_add(checks, "exprs", S(""), S(""), "no expression has fields", val_get(s->src, S("exprs")));
	x->spec = s;
	x->any = str_eq(s->expr_operator, S("or"));
	x->conditions = ARENA_ARRAY(a, struct when *, s->exprs.n);
	memset(x->conditions, 0, s->exprs.n * sizeof *x->conditions);
	for (size_t i = 0; i < s->exprs.n; i++) {
		const struct expr_filter *f = &s->exprs.p[i];
		(void)checks_add(checks, "exprs", f->expr, S(""), "does not hold", f->src);
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
	struct buf shown; /* "ref = "main", n = 3" */
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

static void
show_field(struct names *n, str name, str raw)
{
	if (n->shown.n > OPERANDS_SHOWN)
		return;
	buf_addf(&n->shown, "%s%.*s = %.*s%s", n->shown.n ? ", " : "", STR_ARG(name), STR_ARG(str_slice(raw, 0, 60)), raw.n > 60 ? "..." : "");
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
		show_field(n, s->fields.p[i].name, g.kind == GJSON_NULL ? S("null") : g.raw);
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
entry_eval(const struct expr_filter *s, const struct when *condition, size_t check, struct filtered *f)
{
	struct names n = { 0 };
	struct err e; /* its half a kilobyte is not cleared for each event: it counts only where something failed */
	enum verdict v;
	struct val result;
	if (read_fields(s, f, &n, &e) < 0 || when_value(condition, lookup, &n, f->tmp, &result, &e) < 0)
		v = filter_look(f, check, FILTER_ERROR, arena_dup(f->tmp, str_c(e.msg)));
	else
		v = filter_look(f, check, result.kind == VAL_BOOL && result.b ? FILTER_PASS : FILTER_MISS, arena_dup(f->tmp, buf_str(&n.shown)));
	buf_free(&n.shown);
	return v;
}

static enum verdict
eval(const void *compiled, struct filtered *f)
{
	const struct exprs *x = compiled;
	enum verdict worst = FILTER_MISS;
	struct trace_look why = { 0 };
	bool looked = false;
	if (!f->ev->data.n)
		return filter_look(f, x->whole, FILTER_PASS, S("the event has no data"));
	if (!event_is_json(f->ev))
		return filter_look(f, x->whole, FILTER_ERROR, S("the event's data is no JSON"));
	for (size_t i = 0; i < x->spec->exprs.n; i++) {
		const struct expr_filter *s = &x->spec->exprs.p[i];
		if (!s->fields.n)
			continue;
		enum verdict v = entry_eval(s, x->conditions[i], x->whole + 1 + i, f);
		if ((v == FILTER_PASS) == x->any)
			return v;
		if (v == FILTER_PASS)
			continue;
		if (v == FILTER_ERROR || worst == FILTER_MISS)
			why = f->why;
		worst = v == FILTER_ERROR ? v : worst;
		looked = true;
	}
	if (!x->any)
		return FILTER_PASS;
	if (!looked)
		return filter_look(f, x->whole, FILTER_MISS, S(""));
	f->why = why;
	return worst;
}

const struct filter_ops filter_exprs = { .kind = "exprs", .present = present, .compile = compile, .eval = eval, .free = free_conditions };
