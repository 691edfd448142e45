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
	bool any; /* exprLogicalOperator: or */
};

static bool
present(const struct filters *s)
{
	return s->exprs.n > 0;
}

/*
 * govaluate takes a quoted text that looks like a date for a point in time. Served that would need its two dozen date
 * formats; taken for text it would give other answers. So it is refused.
 */
static bool
has_quoted_date(str s)
{
	for (size_t i = 0; i + 11 < s.n; i++) {
		if (s.p[i] != '\'' && s.p[i] != '"')
			continue;
		static const char shape[] = "dddd-dd-dd";
		size_t k = 0;
		while (shape[k] && (shape[k] == 'd' ? s.p[i + 1 + k] >= '0' && s.p[i + 1 + k] <= '9' : s.p[i + 1 + k] == '-'))
			k++;
		if (!shape[k])
			return true;
	}
	return false;
}

static int
compile(const struct filters *s, struct arena *a, void **out, struct err *e)
{
	struct exprs *x = ARENA_NEW(a, struct exprs);
	x->spec = s;
	x->any = str_eq(s->expr_operator, S("or"));
	for (size_t i = 0; i < s->exprs.n; i++) {
		const struct expr_filter *f = &s->exprs.p[i];
		if (f->fields.n && has_quoted_date(f->expr))
			return err_set(e, ERR_UNSUPPORTED, "expr %.*s: dates in expressions are not served yet", STR_ARG(f->expr));
		if (f->fields.n && when_check_names(f->expr, e) < 0)
			return -1;
	}
	*out = x;
	return 0;
}

/* The values of an entry's fields. */
struct names {
	const struct expr_filter *spec;
	struct when_value *values;
};

static bool
lookup(void *arg, str name, struct when_value *out)
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

static int
read_fields(const struct expr_filter *s, struct filtered *f, struct names *n, struct err *e)
{
	n->spec = s;
	n->values = ARENA_ARRAY(f->tmp, struct when_value, s->fields.n);
	for (size_t i = 0; i < s->fields.n; i++) {
		struct gjson g;
		str path = s->fields.p[i].path;
		if (!gjson_get(f->tmp, f->ev->data, path, &g))
			return err_set(e, ERR_NOT_FOUND, "path %.*s does not exist in the data", STR_ARG(path));
		switch (g.kind) {
		case GJSON_NULL: n->values[i] = (struct when_value){ .kind = WHEN_NIL }; break;
		case GJSON_NUM: n->values[i] = (struct when_value){ .kind = WHEN_NUMBER, .number = g.num }; break;
		case GJSON_STR: n->values[i] = (struct when_value){ .kind = WHEN_TEXT, .text = g.text }; break;
		case GJSON_TRUE: case GJSON_FALSE: n->values[i] = (struct when_value){ .kind = WHEN_BOOL, .truth = g.kind == GJSON_TRUE }; break;
		case GJSON_JSON:
			return err_set(e, ERR_UNSUPPORTED, "path %.*s leads to a list or an object: not served in expressions yet", STR_ARG(path));
		}
	}
	return 0;
}

static enum verdict
entry_eval(const struct expr_filter *s, struct filtered *f, str *why)
{
	struct names n;
	struct err e = { 0 };
	bool holds = false;
	str place = manifest_place(f->tmp, f->file, s->src);
	if (read_fields(s, f, &n, &e) < 0 || when_eval_names(s->expr, lookup, &n, &holds, &e) < 0) {
		*why = arena_fmt(f->tmp, "exprs filter %.*s: %s (%.*s)", STR_ARG(s->expr), e.msg, STR_ARG(place));
		return FILTER_ERROR;
	}
	if (holds)
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
		enum verdict v = entry_eval(s, f, why);
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

const struct filter_ops filter_exprs = { .kind = "exprs", .present = present, .compile = compile, .eval = eval };
