/* SPDX-License-Identifier: Apache-2.0 */
/* when: evaluation of the tree. Values are struct val, with numbers as VAL_FLOAT. */
#include "core/lang/when.h"

#include <math.h>

#include "core/lang/gofmt.h"
#include "core/lang/gotmpl_impl.h"
#include "core/lang/when_impl.h"

struct eval {
	struct arena *arena;
	struct err *err;
	const struct when *when;
	bool (*lookup)(void *arg, str name, struct val *out); /* NULL: there are no names */
	void *arg;
	size_t made;
};

static int
spend(struct eval *x, size_t n)
{
	x->made += n;
	return x->made > WHEN_MADE_MAX ? err_set(x->err, ERR_LIMIT, "%sexpression: its values grow too long", x->when->names ? "" : "'when' ") : 0;
}

/* As Go's %v. */
static str
show(struct arena *a, const struct val *v)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	go_print(&b, v);
	return arena_dup(a, buf_str(&b));
}

static int
mistyped(struct eval *x, const struct val *v, enum when_op op, const char *role, const char *want)
{
	str shown = v->kind == VAL_LIST ? S("[a list]") : v->kind == VAL_MAP ? S("[an object]") : show(x->arena, v);
	return err_set(x->err, ERR_INVALID, "Failed to evaluate %s %.*s: Value '%.*s' cannot be used with the %s '%s', it is not a %s",
		x->when->names ? "expression" : "'when' expresion", STR_ARG(when_cited(x->arena, x->when)),
		(int)(shown.n < 200 ? shown.n : 200), shown.p, role, when_op_text(op), want);
}

static int eval(struct eval *x, const struct when_tree *t, struct val *out);

/* Deeply; what is no number (0 / 0) is not even like itself. */
static bool
equal(const struct val *a, const struct val *b)
{
	return a->kind == VAL_FLOAT && b->kind == VAL_FLOAT ? a->f == b->f : val_eq(a, b);
}

/* One value in parentheses is a list of one, but nothing in parentheses is nothing. */
static int
contains(struct eval *x, const struct when_tree *t, const struct val *v, const struct val *list, bool *out)
{
	bool empty = t->right->op == OP_NONE && t->right->value.kind == VAL_NULL;
	if (list->kind != VAL_LIST && (!t->right->in_parens || empty))
		return mistyped(x, list, t->op, "comparator", "list");
	*out = list->kind != VAL_LIST && equal(list, v);
	for (size_t i = 0; list->kind == VAL_LIST && i < list->n && !*out; i++)
		*out = equal(&list->items[i], v);
	return 0;
}

static int
match(struct eval *x, const struct when_tree *t, str text, str pattern, bool *out)
{
	struct regex *re = NULL;
	struct err why;
	if (!t->pattern && regex_compile(pattern, &re, &why))
		return err_set(x->err, why.code, "Failed to evaluate %s %.*s: Unable to compile regexp pattern '%.*s': %s",
			x->when->names ? "expression" : "'when' expresion", STR_ARG(when_cited(x->arena, x->when)),
			(int)(pattern.n < 100 ? pattern.n : 100), pattern.p, why.msg);
	int n = regex_matches(t->pattern ? t->pattern : re, text, x->err);
	regex_free(re);
	*out = n > 0;
	return n < 0 ? -1 : 0;
}

static bool
compare(enum when_op op, int order)
{
	return op == OP_LT ? order < 0 : op == OP_LE ? order <= 0 : op == OP_GT ? order > 0 : order >= 0;
}

/* Bits of a number that is not one (infinite, too large) are none, rather than whatever the hardware says. */
static int64_t
bits(double f)
{
	return f >= -9e18 && f <= 9e18 ? (int64_t)f : 0;
}

static double
arithmetic(enum when_op op, double a, double b)
{
	uint64_t shift = (uint64_t)bits(b);
	switch (op) {
	case OP_ADD:
		return a + b;
	case OP_SUB:
		return a - b;
	case OP_MUL:
		return a * b;
	case OP_DIV:
		return a / b;
	case OP_MOD:
		return fmod(a, b);
	case OP_POW:
		return pow(a, b);
	case OP_BITAND:
		return (double)(bits(a) & bits(b));
	case OP_BITOR:
		return (double)(bits(a) | bits(b));
	case OP_BITXOR:
		return (double)(bits(a) ^ bits(b));
	case OP_SHL:
		return shift > 63 ? 0 : (double)((uint64_t)bits(a) << shift);
	default:
		return shift > 63 ? 0 : (double)((uint64_t)bits(a) >> shift);
	}
}

static int
order_of(str a, str b)
{
	int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
	return order ? order : (a.n > b.n) - (a.n < b.n);
}

static int
eval_comparison(struct eval *x, const struct when_tree *t, const struct val *a, const struct val *b, bool *out)
{
	enum when_op op = t->op;
	if (op == OP_EQ || op == OP_NE) {
		*out = equal(a, b) == (op == OP_EQ);
		return 0;
	}
	if (op == OP_IN)
		return contains(x, t, a, b, out);
	if (op == OP_MATCH || op == OP_NOMATCH) {
		if (a->kind != VAL_STR || b->kind != VAL_STR)
			return mistyped(x, a->kind != VAL_STR ? a : b, op, "comparator", "string");
		if (match(x, t, val_text(a), val_text(b), out))
			return -1;
		*out = *out == (op == OP_MATCH);
		return 0;
	}
	if (a->kind == VAL_STR && b->kind == VAL_STR) {
		*out = compare(op, order_of(val_text(a), val_text(b)));
		return 0;
	}
	if (a->kind != VAL_FLOAT || b->kind != VAL_FLOAT)
		return mistyped(x, a->kind != VAL_FLOAT ? a : b, op, "comparator",
			t->left->date.n || t->right->date.n ? "number, as a quoted date is one (of seconds since 1970)" : "number");
	*out = op == OP_LT ? a->f < b->f : op == OP_LE ? a->f <= b->f : op == OP_GT ? a->f > b->f : a->f >= b->f;
	return 0;
}

/* Text and anything: both as Go prints them. */
static int
join(struct eval *x, const struct val *a, const struct val *b, struct val *out)
{
	struct buf text CLEANUP(free_buf) = { 0 };
	go_print(&text, a);
	go_print(&text, b);
	if (text.n > WHEN_MAX)
		return err_set(x->err, ERR_LIMIT, "%sexpression: a text grows too long", x->when->names ? "" : "'when' ");
	*out = val_str(arena_dup(x->arena, buf_str(&text)));
	return spend(x, text.n);
}

/* Both sides are known. */
static int
apply(struct eval *x, const struct when_tree *t, const struct val *a, const struct val *b, struct val *out)
{
	if (t->op == OP_AND || t->op == OP_OR) {
		if (a->kind != VAL_BOOL || b->kind != VAL_BOOL)
			return mistyped(x, a->kind != VAL_BOOL ? a : b, t->op, "logical operator", "bool");
		*out = val_bool(t->op == OP_AND ? a->b && b->b : a->b || b->b);
		return 0;
	}
	if (t->op >= OP_EQ && t->op <= OP_IN) {
		bool is = false;
		int rc = eval_comparison(x, t, a, b, &is);
		*out = val_bool(is);
		return rc;
	}
	if (t->op == OP_ADD && (a->kind == VAL_STR || b->kind == VAL_STR))
		return join(x, a, b, out);
	if (a->kind != VAL_FLOAT || b->kind != VAL_FLOAT)
		return mistyped(x, a->kind != VAL_FLOAT ? a : b, t->op, "modifier", "number");
	*out = val_float(arithmetic(t->op, a->f, b->f));
	return 0;
}

static int
eval_prefix(struct eval *x, enum when_op op, struct val *v)
{
	if (op == OP_NOT) {
		if (v->kind != VAL_BOOL)
			return mistyped(x, v, op, "prefix", "bool");
		v->b = !v->b;
		return 0;
	}
	if (v->kind != VAL_FLOAT)
		return mistyped(x, v, op, "prefix", "number");
	v->f = op == OP_NEG ? -v->f : (double)~bits(v->f);
	return 0;
}

/* A list that comes first takes the others in, as in govaluate, to which a comma is an operator. */
static int
eval_list(struct eval *x, const struct when_tree *t, struct val *out)
{
	struct val first;
	if (eval(x, t->items[0], &first))
		return -1;
	size_t n = first.kind == VAL_LIST ? first.n : 1;
	if (spend(x, (n + t->n) * sizeof first))
		return -1;
	struct val *items = ARENA_ARRAY(x->arena, struct val, n + t->n - 1);
	if (first.kind != VAL_LIST)
		items[0] = first;
	else if (first.n)
		memcpy(items, first.items, first.n * sizeof *items);
	for (size_t i = 1; i < t->n; i++)
		if (eval(x, t->items[i], &items[n++]))
			return -1;
	*out = (struct val){ .kind = VAL_LIST, .items = items, .n = (uint32_t)n };
	return 0;
}

/* `a ? b` is b or nothing, `x : y` is y where x is nothing; so is `x ?? y`. */
static int
eval_choice(struct eval *x, const struct when_tree *t, const struct val *left, struct val *out)
{
	*out = *left;
	if (t->op != OP_CHOOSE)
		return left->kind == VAL_NULL ? eval(x, t->right, out) : 0;
	if (left->kind != VAL_BOOL)
		return mistyped(x, left, t->op, "ternary operator", "bool");
	*out = val_null();
	return left->b ? eval(x, t->right, out) : 0;
}

static int
eval(struct eval *x, const struct when_tree *t, struct val *out)
{
	*out = t->value;
	if (t->op == OP_NONE)
		return 0;
	if (t->op == OP_NAME)
		return x->lookup(x->arg, val_text(&t->value), out) ? 0 : err_set(x->err, ERR_INVALID, "No parameter '%.*s' found.",
			STR_ARG(val_text(&t->value)));
	if (t->op == OP_LIST)
		return eval_list(x, t, out);
	if (!t->left)
		return eval(x, t->right, out) ? -1 : eval_prefix(x, t->op, out);
	struct val left, right;
	if (eval(x, t->left, &left))
		return -1;
	if (left.kind == VAL_BOOL && ((t->op == OP_AND && !left.b) || (t->op == OP_OR && left.b))) {
		*out = left;
		return 0;
	}
	if (t->op == OP_CHOOSE || t->op == OP_ELSE || t->op == OP_COALESCE)
		return eval_choice(x, t, &left, out);
	return eval(x, t->right, &right) ? -1 : apply(x, t, &left, &right, out);
}

/* ---- expressions with names -------------------------------------------------------------------------------------- */

int
when_compile(str text, struct arena *a, struct when **out, struct err *e)
{
	struct when *w = ARENA_NEW(a, struct when);
	*w = (struct when){ .text = arena_dup(a, text), .names = true };
	*out = NULL;
	if (when_parse(w, a, e) < 0) {
		when_free(w);
		return -1;
	}
	*out = w;
	return 0;
}

void
when_free(struct when *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->patterns.n; i++)
		regex_free(w->patterns.p[i]);
	VEC_FREE(&w->patterns);
}

int
when_value(const struct when *w, bool (*lookup)(void *arg, str name, struct val *out), void *arg, struct arena *a, struct val *out, struct err *e)
{
	struct eval x = { .arena = a, .err = e, .when = w, .lookup = lookup, .arg = arg };
	return eval(&x, w->root, out);
}

static struct val
number_list(struct arena *a, const struct val *v)
{
	struct val *items = ARENA_ARRAY(a, struct val, v->n);
	for (size_t i = 0; i < v->n; i++)
		items[i] = when_number_values(a, &v->items[i]);
	struct val out = *v;
	out.items = items;
	return out;
}

static struct val
number_map(struct arena *a, const struct val *v)
{
	struct member *members = ARENA_ARRAY(a, struct member, v->n);
	for (size_t i = 0; i < v->n; i++)
		members[i] = (struct member){ v->members[i].key, when_number_values(a, &v->members[i].value) };
	struct val out = *v;
	out.members = members;
	return out;
}

struct val
when_number_values(struct arena *a, const struct val *v)
{
	double d = 0;
	if (v->kind == VAL_LIST)
		return number_list(a, v);
	if (v->kind == VAL_MAP)
		return number_map(a, v);
	if (!val_is_number(v))
		return *v;
	if (!val_to_double(v, &d))
		(void)go_parse_float(val_text(v), &d); /* beyond a double: infinite */
	return val_float(d);
}

int
when_check_names(str text, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct when *w;
	if (!text.n)
		return 0;
	int rc = when_compile(text, a, &w, e);
	when_free(w);
	return rc;
}

static bool
compares_date(const struct when_tree *t, str *name, str *date)
{
	const struct when_tree *l = t ? t->left : NULL, *r = t ? t->right : NULL;
	if (!t)
		return false;
	if (l && (t->op == OP_EQ || t->op == OP_NE) && ((l->op == OP_NAME && r->date.n) || (r->op == OP_NAME && l->date.n))) {
		*name = val_text(l->op == OP_NAME ? &l->value : &r->value);
		*date = l->date.n ? l->date : r->date;
		return true;
	}
	for (size_t i = 0; i < t->n; i++)
		if (compares_date(t->items[i], name, date))
			return true;
	return compares_date(l, name, date) || compares_date(r, name, date);
}

bool
when_compares_date(str text, struct arena *a, str *name, str *date)
{
	struct when *w;
	struct err e;
	if (when_compile(text, a, &w, &e) < 0)
		return false;
	bool does = compares_date(w->root, name, date);
	when_free(w);
	return does;
}

/* ---- a step's condition --------------------------------------------------------------------------------------------- */

static int
not_bool(const struct when *w, struct arena *a, const struct val *v, struct err *e)
{
	str shown = show(a, v);
	return err_set(e, ERR_INVALID, "Expected boolean evaluation for %.*s. Got %.*s", STR_ARG(when_cited(a, w)), (int)(shown.n < 200 ? shown.n : 200),
	               shown.p);
}

int
when_check(str text, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct when w = { .text = text };
	int rc = text.n ? when_parse(&w, a, e) : 0;
	when_free(&w);
	return rc;
}

int
when_eval(str text, bool *out, struct err *e)
{
	if (!text.n) {
		*out = true;
		return 0;
	}
	if (str_eq(text, S("true")) || str_eq(text, S("false"))) { /* by far the most frequent */
		*out = text.n == 4;
		return 0;
	}
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct when w = { .text = text };
	struct eval x = { .arena = a, .err = e, .when = &w };
	struct val v = val_null();
	int rc = when_parse(&w, a, e);
	if (rc == 0)
		rc = eval(&x, w.root, &v);
	when_free(&w);
	if (rc == 0 && v.kind != VAL_BOOL)
		rc = not_bool(&w, a, &v, e);
	*out = rc == 0 && v.b;
	return rc;
}
