/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evaluating the tree. Every node costs a step, everything that is made costs bytes; whoever runs out is told so. The rules for
 * operands are those of expr-lang's virtual machine (vm/vm.go, vm/runtime/runtime.go).
 */
#include <math.h>

#include "core/clock.h"
#include "core/lang/expr_builtin.h"
#include "core/lang/gofmt.h"

int
eval_fail(struct eval *ev, const char *fmt, ...)
{
	char msg[300];
	unsigned line = 1, col = 1;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof msg, fmt, ap);
	va_end(ap);
	for (size_t i = 0; ev->at && i < ev->at->at && i < ev->x->text.n; i++) {
		bool newline = ev->x->text.p[i] == '\n';
		line += newline;
		col = newline ? 1 : col + ((ev->x->text.p[i] & 0xc0) != 0x80);
	}
	return err_set(ev->e, ERR_INVALID, "%u:%u: %s", line, col, msg);
}

int
eval_spend(struct eval *ev, size_t bytes)
{
	if (bytes > EXPR_BYTES_MAX || ev->bytes + bytes > EXPR_BYTES_MAX)
		return err_set(ev->e, ERR_LIMIT, "the expression makes more than %d MiB of values", EXPR_BYTES_MAX >> 20);
	ev->bytes += bytes;
	ev->steps += 1 + bytes / 64;
	if (ev->steps > EXPR_STEPS_MAX)
		return err_set(ev->e, ERR_LIMIT, "the expression takes more than %d steps", EXPR_STEPS_MAX);
	return 0;
}

int
eval_list(struct eval *ev, const struct val *items, size_t n, struct val *out)
{
	if (eval_spend(ev, n * sizeof *items) < 0)
		return -1;
	struct val *copy = ARENA_ARRAY(ev->arena, struct val, n);
	if (n)
		memcpy(copy, items, n * sizeof *items);
	*out = (struct val){ .kind = VAL_LIST, .items = copy, .n = (uint32_t)n };
	return 0;
}

/* ---- values --------------------------------------------------------------------------------------------------- */

bool
value_number(const struct val *v, struct number *out)
{
	*out = (struct number){ 0 };
	if (v->kind == VAL_INT && v->pad >= EXPR_TIME)
		return false;
	if (v->kind == VAL_INT) {
		*out = (struct number){ true, v->i, (double)v->i };
		return true;
	}
	if (v->kind == VAL_FLOAT)
		out->f = v->f;
	else if (v->kind != VAL_NUM || !val_to_double(v, &out->f))
		return false;
	return true;
}

struct val
value_of(const struct number *n)
{
	return n->is_int ? val_int(n->i) : val_float(n->f);
}

const char *
value_kind(const struct val *v)
{
	static const char *const names[] = { [VAL_NULL] = "nil", [VAL_BOOL] = "bool", [VAL_INT] = "int", [VAL_FLOAT] = "float",
		[VAL_NUM] = "float", [VAL_STR] = "string", [VAL_LIST] = "array", [VAL_MAP] = "map" };
	const char *type = time_type(v);
	return type ? type : names[v->kind];
}

bool
value_compare(const struct val *a, const struct val *b, int *out)
{
	struct number x, y;
	if (value_number(a, &x) && value_number(b, &y)) {
		if (x.is_int && y.is_int)
			*out = (x.i > y.i) - (x.i < y.i);
		else
			*out = (x.f > y.f) - (x.f < y.f);
		return true;
	}
	if (time_compare(a, b, out))
		return true;
	if (a->kind != VAL_STR || b->kind != VAL_STR)
		return false;
	size_t n = a->n < b->n ? a->n : b->n;
	int c = n ? memcmp(a->p, b->p, n) : 0;
	*out = c ? (c > 0) - (c < 0) : (a->n > b->n) - (a->n < b->n);
	return true;
}

int
value_add(struct eval *ev, const struct val *a, const struct val *b, struct val *out)
{
	struct number x, y;
	int rc;
	if (time_binary(ev, OP_ADD, a, b, out, &rc))
		return rc;
	if (a->kind == VAL_STR && b->kind == VAL_STR) {
		if (eval_spend(ev, (size_t)a->n + b->n) < 0)
			return -1;
		char *p = arena_alloc(ev->arena, (size_t)a->n + b->n + 1, 1);
		memcpy(p, a->p ? a->p : "", a->n);
		memcpy(p + a->n, b->p ? b->p : "", b->n);
		*out = val_str((str){ p, (size_t)a->n + b->n });
		return 0;
	}
	if (!value_number(a, &x) || !value_number(b, &y))
		return eval_fail(ev, "invalid operation: %s + %s", value_kind(a), value_kind(b));
	*out = x.is_int && y.is_int ? val_int((int64_t)((uint64_t)x.i + (uint64_t)y.i)) : val_float(x.f + y.f);
	return 0;
}

/* A number as Go's int(x): cut towards zero. What does not fit is the smallest, as on amd64. */
static int64_t
cut_to_int(const struct number *n)
{
	if (n->is_int)
		return n->i;
	return n->f >= -9223372036854775808.0 && n->f < 9223372036854775808.0 ? (int64_t)n->f : INT64_MIN;
}

/* The place in something of `length`; counted from the end if negative. */
static int
index_of(struct eval *ev, const struct val *index, size_t length, size_t *out)
{
	struct number n;
	if (!value_number(index, &n))
		return eval_fail(ev, "an index must be a number, not %s", value_kind(index));
	int64_t i = cut_to_int(&n);
	if (i < 0 && i > INT64_MIN + (int64_t)length)
		i += (int64_t)length;
	if (i < 0 || (uint64_t)i >= length)
		return eval_fail(ev, "index out of range: %lld (length is %zu)", (long long)i, length);
	*out = (size_t)i;
	return 0;
}

int
value_fetch(struct eval *ev, const struct val *from, const struct val *index, struct val *out)
{
	size_t i = 0;
	if (from->kind == VAL_MAP) {
		if (index->kind != VAL_STR)
			return eval_fail(ev, "a key must be a string, not %s", value_kind(index));
		const struct val *v = val_get(from, val_text(index));
		ev->steps += from->n / 16;
		*out = v ? *v : val_null();
		return 0;
	}
	if (from->kind == VAL_LIST || from->kind == VAL_STR) {
		if (index_of(ev, index, from->n, &i) < 0)
			return -1;
		*out = from->kind == VAL_LIST ? from->items[i] : val_int((unsigned char)from->p[i]);
		return 0;
	}
	struct buf b CLEANUP(free_buf) = { 0 };
	expr_print(&b, index);
	return eval_fail(ev, "cannot fetch %.*s from %s", STR_ARG(str_slice(buf_str(&b), 0, 60)), value_kind(from));
}

/* ---- printing (fmt's %v) -------------------------------------------------------------------------------------- */

static int
member_order(const void *a, const void *b)
{
	const struct member *const *x = a, *const *y = b;
	int c;
	(void)value_compare(&(*x)->key, &(*y)->key, &c); /* strings always compare */
	return c;
}

static void
print_map(struct buf *b, const struct val *v)
{
	const struct member **sorted = mem_alloc((v->n + 1) * sizeof *sorted);
	for (uint32_t i = 0; i < v->n; i++)
		sorted[i] = &v->members[i];
	qsort(sorted, v->n, sizeof *sorted, member_order);
	buf_add(b, S("map["));
	for (uint32_t i = 0; i < v->n; i++) {
		if (i)
			buf_addc(b, ' ');
		buf_add(b, val_key(sorted[i]));
		buf_addc(b, ':');
		expr_print(b, &sorted[i]->value);
	}
	buf_addc(b, ']');
	free(sorted);
}

void
expr_print(struct buf *b, const struct val *v)
{
	struct number n;
	switch (v->kind) {
	case VAL_NULL:
		buf_add(b, S("<nil>"));
		break;
	case VAL_BOOL:
		buf_add(b, v->b ? S("true") : S("false"));
		break;
	case VAL_STR:
		buf_add(b, val_text(v));
		break;
	case VAL_LIST:
		buf_addc(b, '[');
		for (uint32_t i = 0; i < v->n; i++) {
			if (i)
				buf_addc(b, ' ');
			expr_print(b, &v->items[i]);
		}
		buf_addc(b, ']');
		break;
	case VAL_MAP:
		print_map(b, v);
		break;
	default:
		if (time_print(b, v))
			break;
		if (v->kind == VAL_INT)
			buf_addf(b, "%lld", (long long)v->i);
		else if (value_number(v, &n))
			go_format_float(b, n.f, 'g', -1);
		break;
	}
}

/* ---- operators ------------------------------------------------------------------------------------------------ */

static int
arithmetic(struct eval *ev, const struct node *n, const struct val *a, const struct val *b, struct val *out)
{
	static const char *const names[] = { [OP_SUB] = "-", [OP_MUL] = "*", [OP_DIV] = "/", [OP_MOD] = "%", [OP_POW] = "**" };
	struct number x, y;
	bool numbers = value_number(a, &x) && value_number(b, &y);
	bool ints = numbers && x.is_int && y.is_int;
	if (!numbers || (n->op == OP_MOD && !ints))
		return eval_fail(ev, "invalid operation: %s %s %s", value_kind(a), names[n->op], value_kind(b));
	switch (n->op) {
	case OP_SUB:
		*out = ints ? val_int((int64_t)((uint64_t)x.i - (uint64_t)y.i)) : val_float(x.f - y.f);
		return 0;
	case OP_MUL:
		*out = ints ? val_int((int64_t)((uint64_t)x.i * (uint64_t)y.i)) : val_float(x.f * y.f);
		return 0;
	case OP_DIV:
		*out = val_float(y.f != 0 ? x.f / y.f : x.f == 0 || isnan(x.f) ? NAN : signbit(x.f) != signbit(y.f) ? -INFINITY : INFINITY);
		return 0;
	case OP_POW:
		*out = val_float(pow(x.f, y.f));
		return 0;
	default:
		if (y.i == 0)
			return eval_fail(ev, "division by zero");
		*out = val_int(y.i == -1 ? 0 : x.i % y.i);
		return 0;
	}
}

static int
compare(struct eval *ev, const struct node *n, const struct val *a, const struct val *b, struct val *out)
{
	static const char *const names[] = { [OP_LT] = "<", [OP_GT] = ">", [OP_LE] = "<=", [OP_GE] = ">=" };
	struct number x, y;
	int c;
	if (!value_compare(a, b, &c))
		return eval_fail(ev, "invalid operation: %s %s %s", value_kind(a), names[n->op], value_kind(b));
	bool nan = value_number(a, &x) && value_number(b, &y) && (isnan(x.f) || isnan(y.f));
	*out = val_bool(!nan && (n->op == OP_LT ? c < 0 : n->op == OP_GT ? c > 0 : n->op == OP_LE ? c <= 0 : c >= 0));
	return 0;
}

static size_t
weight(const struct val *v)
{
	return v->kind >= VAL_STR ? v->n : 0;
}

static int
is_in(struct eval *ev, const struct val *needle, const struct val *in, struct val *out)
{
	*out = val_bool(false);
	switch (in->kind) {
	case VAL_NULL:
		return 0;
	case VAL_LIST:
		for (uint32_t i = 0; i < in->n && !out->b; i++) {
			if (eval_spend(ev, 0) < 0)
				return -1;
			ev->steps += weight(&in->items[i]) / 16;
			out->b = val_eq(needle, &in->items[i]);
		}
		return 0;
	case VAL_MAP:
		if (needle->kind != VAL_STR && needle->kind != VAL_NULL)
			return eval_fail(ev, "a key must be a string, not %s", value_kind(needle));
		out->b = needle->kind == VAL_STR && val_get(in, val_text(needle));
		return 0;
	default:
		return eval_fail(ev, "operator in is not defined on %s: use contains for strings", value_kind(in));
	}
}

static int
match(struct eval *ev, const struct node *n, str text, str pattern, bool *out)
{
	struct regex *re = n->regex;
	struct err e;
	if (!re && regex_compile(pattern, &re, &e) < 0)
		return eval_fail(ev, "%s", e.msg);
	int rc = regex_matches(re, text, &e);
	if (!n->regex)
		regex_free(re);
	if (rc < 0)
		return eval_fail(ev, "%s", e.msg);
	*out = rc;
	return 0;
}

static int
compare_text(struct eval *ev, const struct node *n, const struct val *a, const struct val *b, struct val *out)
{
	static const char *const names[] = { [OP_MATCHES] = "matches", [OP_CONTAINS] = "contains", [OP_STARTS] = "startsWith",
		[OP_ENDS] = "endsWith" };
	*out = val_bool(false);
	if ((a->kind == VAL_NULL || b->kind == VAL_NULL) && !(ev->x->flags & EXPR_V115))
		return 0;
	if (a->kind != VAL_STR || b->kind != VAL_STR)
		return eval_fail(ev, "invalid operation: %s %s %s", value_kind(a), names[n->op], value_kind(b));
	str x = val_text(a), y = val_text(b);
	if (eval_spend(ev, 0) < 0)
		return -1;
	ev->steps += x.n / 64;
	switch (n->op) {
	case OP_CONTAINS:
		out->b = str_find(x, y, 0) != SIZE_MAX;
		return 0;
	case OP_STARTS:
		out->b = str_starts(x, y);
		return 0;
	case OP_ENDS:
		out->b = str_ends(x, y);
		return 0;
	default:
		return match(ev, n, x, y, &out->b);
	}
}

static int
range(struct eval *ev, const struct val *a, const struct val *b, struct val *out)
{
	struct number x, y;
	if (!value_number(a, &x) || !value_number(b, &y))
		return eval_fail(ev, "invalid operation: %s .. %s", value_kind(a), value_kind(b));
	int64_t from = cut_to_int(&x), to = cut_to_int(&y);
	uint64_t n = to < from ? 0 : (uint64_t)to - (uint64_t)from + 1;
	if (n > EXPR_BYTES_MAX / sizeof(struct val) || eval_spend(ev, n * sizeof(struct val)) < 0)
		return err_set(ev->e, ERR_LIMIT, "a range of more than %zu numbers", EXPR_BYTES_MAX / sizeof(struct val));
	struct val *items = ARENA_ARRAY(ev->arena, struct val, n);
	for (uint64_t i = 0; i < n; i++)
		items[i] = val_int((int64_t)((uint64_t)from + i));
	*out = (struct val){ .kind = VAL_LIST, .items = items, .n = (uint32_t)n };
	return 0;
}

static int
eval_binary(struct eval *ev, const struct node *n, struct val *out)
{
	struct val a, b;
	int rc = eval_node(ev, n->a, &a);
	if (rc == 0)
		rc = eval_node(ev, n->b, &b);
	if (rc)
		return rc;
	ev->at = n;
	if (time_binary(ev, n->op, &a, &b, out, &rc))
		return rc;
	switch (n->op) {
	case OP_EQ:
	case OP_NE:
		ev->steps += (weight(&a) < weight(&b) ? weight(&a) : weight(&b)) / 16;
		*out = val_bool(val_eq(&a, &b) == (n->op == OP_EQ));
		return 0;
	case OP_LT:
	case OP_GT:
	case OP_LE:
	case OP_GE:
		return compare(ev, n, &a, &b, out);
	case OP_IN:
		return is_in(ev, &a, &b, out);
	case OP_MATCHES:
	case OP_CONTAINS:
	case OP_STARTS:
	case OP_ENDS:
		return compare_text(ev, n, &a, &b, out);
	case OP_RANGE:
		return range(ev, &a, &b, out);
	case OP_ADD:
		return value_add(ev, &a, &b, out);
	default:
		return arithmetic(ev, n, &a, &b, out);
	}
}

static int
eval_unary(struct eval *ev, const struct node *n, struct val *out)
{
	struct val v;
	struct number x;
	int rc = eval_node(ev, n->a, &v);
	if (rc)
		return rc;
	ev->at = n;
	if (n->op == OP_NOT) {
		if (v.kind != VAL_BOOL)
			return eval_fail(ev, "not takes a bool, not %s", value_kind(&v));
		*out = val_bool(!v.b);
		return 0;
	}
	if (n->op == OP_PLUS && !eval_written(n->a)) {
		*out = v;
		return 0;
	}
	if (!value_number(&v, &x))
		return eval_fail(ev, "invalid operation: %s %s", n->op == OP_NEGATE ? "-" : "+", value_kind(&v));
	*out = n->op == OP_PLUS ? v : x.is_int ? val_int((int64_t)(0 - (uint64_t)x.i)) : val_float(-x.f);
	return 0;
}

static int
eval_bool(struct eval *ev, const struct node *n, const char *what, bool *out)
{
	struct val v;
	int rc = eval_node(ev, n, &v);
	if (rc)
		return rc;
	ev->at = n;
	if (v.kind != VAL_BOOL)
		return eval_fail(ev, "%s takes a bool, not %s", what, value_kind(&v));
	*out = v.b;
	return 0;
}

/* and, or: the right side only if it matters. */
static int
eval_logic(struct eval *ev, const struct node *n, struct val *out)
{
	bool value = false, and = n->kind == NODE_AND;
	int rc = eval_bool(ev, n->a, and ? "and" : "or", &value);
	*out = val_bool(rc == 0 && value);
	if (rc || value != and)
		return rc;
	return eval_node(ev, n->b, out); /* what it is is not looked at */
}

static int
eval_condition(struct eval *ev, const struct node *n, struct val *out)
{
	bool yes = false;
	int rc = eval_bool(ev, n->a, "a condition", &yes);
	return rc ? rc : eval_node(ev, yes ? n->b : n->c, out);
}

/* ---- names, members, slices ----------------------------------------------------------------------------------- */

static int
eval_name(struct eval *ev, const struct node *n, struct val *out)
{
	for (const struct binding *v = ev->vars; v; v = v->outer) {
		if (str_eq(v->name, n->name)) {
			*out = v->value;
			return 0;
		}
	}
	const struct val *v = val_get(ev->env, n->name);
	*out = v ? *v : val_null();
	return 0;
}

static int
eval_pointer(struct eval *ev, const struct node *n, struct val *out)
{
	const struct closure *c = ev->closure;
	if (!c)
		return eval_fail(ev, "# has a meaning only in a predicate");
	*out = n->name.n == 0 ? c->element : n->name.p[0] == 'i' ? val_int(c->index) : c->acc;
	return 0;
}

static int
eval_member(struct eval *ev, const struct node *n, struct val *out)
{
	struct val from, index;
	int rc = eval_node(ev, n->a, &from);
	if (rc)
		return rc;
	if (n->optional && from.kind == VAL_NULL)
		return EVAL_CUT;
	if ((rc = eval_node(ev, n->b, &index)))
		return rc;
	ev->at = n;
	return value_fetch(ev, &from, &index, out);
}

/* A bound of a slice, clipped to 0..length. */
static int
eval_bound(struct eval *ev, const struct node *n, size_t length, size_t otherwise, size_t *out)
{
	struct val v;
	struct number x;
	*out = otherwise;
	if (!n)
		return 0;
	int rc = eval_node(ev, n, &v);
	if (rc)
		return rc;
	ev->at = n;
	if (!value_number(&v, &x))
		return eval_fail(ev, "a bound must be a number, not %s", value_kind(&v));
	int64_t i = cut_to_int(&x);
	if (i < 0)
		i = i < -(int64_t)length ? 0 : i + (int64_t)length;
	*out = (uint64_t)i > length ? length : (size_t)i;
	return 0;
}

static int
eval_slice(struct eval *ev, const struct node *n, struct val *out)
{
	struct val v;
	size_t from = 0, to = 0;
	int rc = eval_node(ev, n->a, &v);
	if (rc)
		return rc;
	ev->at = n;
	if (v.kind != VAL_LIST && v.kind != VAL_STR)
		return eval_fail(ev, "only arrays and strings have slices, not %s", value_kind(&v));
	if ((rc = eval_bound(ev, n->b, v.n, 0, &from)) || (rc = eval_bound(ev, n->c, v.n, v.n, &to)))
		return rc;
	if (from > to)
		from = to;
	*out = v;
	out->n = (uint32_t)(to - from);
	if (v.kind == VAL_LIST)
		out->items = v.items + from;
	else
		out->p = v.p + from;
	return 0;
}

/* ---- the rest ------------------------------------------------------------------------------------------------- */

static int
eval_items(struct eval *ev, const struct node *n, size_t count, struct val **out)
{
	if (eval_spend(ev, count * sizeof **out) < 0)
		return -1;
	*out = ARENA_ARRAY(ev->arena, struct val, count);
	for (size_t i = 0; i < count; i++) {
		int rc = eval_node(ev, n->items[i], &(*out)[i]);
		if (rc)
			return rc;
	}
	return 0;
}

static int
eval_map(struct eval *ev, const struct node *n, struct val *out)
{
	struct val *items;
	int rc = eval_items(ev, n, n->n, &items);
	if (rc)
		return rc;
	struct member *members = ARENA_ARRAY(ev->arena, struct member, n->n / 2);
	for (size_t i = 0; i < n->n / 2; i++) {
		if (items[2 * i].kind != VAL_STR)
			return eval_fail(ev, "a key must be a string, not %s", value_kind(&items[2 * i]));
		members[i] = (struct member){ items[2 * i], items[2 * i + 1] };
	}
	*out = (struct val){ .kind = VAL_MAP, .members = members, .n = (uint32_t)(n->n / 2) };
	return 0;
}

static int
eval_let(struct eval *ev, const struct node *n, struct val *out)
{
	struct binding v = { .name = n->name, .outer = ev->vars };
	int rc = eval_node(ev, n->a, &v.value);
	if (rc)
		return rc;
	ev->vars = &v;
	rc = eval_node(ev, n->b, out);
	ev->vars = v.outer;
	return rc;
}

static int
eval_call(struct eval *ev, const struct node *n, struct val *out)
{
	struct val *args;
	size_t count = n->n;
	if (n->builtin && n->builtin->predicate && (int)count >= n->builtin->predicate)
		count = (size_t)n->builtin->predicate - 1;
	int rc = eval_items(ev, n, count, &args);
	if (rc)
		return rc;
	ev->at = n;
	if (n->builtin)
		return n->builtin->call(ev, n, args, count, out);
	struct expr_call call = { ev->arena, ev->env, ev->x->arg, n->function->data, ev->now, &ev->random };
	struct err e = { 0 };
	size_t before = arena_size(ev->arena);
	if (n->function->call(&call, args, count, out, &e) < 0)
		return e.code == ERR_LIMIT ? err_set(ev->e, e.code, "%s", e.msg) : eval_fail(ev, "%.*s: %s", STR_ARG(n->name), e.msg);
	return eval_spend(ev, arena_size(ev->arena) - before);
}

static int
eval_method(struct eval *ev, const struct node *n, struct val *out)
{
	struct val self, *args;
	int rc = eval_node(ev, n->a, &self);
	if (rc)
		return rc;
	if (n->optional && self.kind == VAL_NULL)
		return EVAL_CUT;
	if ((rc = eval_items(ev, n, n->n, &args)))
		return rc;
	ev->at = n;
	return time_method(ev, n, &self, args, n->n, out);
}

int
eval_node(struct eval *ev, const struct node *n, struct val *out)
{
	int rc = 0;
	if (eval_spend(ev, 0) < 0)
		return -1;
	ev->at = n;
	switch (n->kind) {
	case NODE_CONST:
		*out = n->value;
		return 0;
	case NODE_NAME:
		return eval_name(ev, n, out);
	case NODE_ENV:
		*out = *ev->env;
		return 0;
	case NODE_POINTER:
		return eval_pointer(ev, n, out);
	case NODE_UNARY:
		return eval_unary(ev, n, out);
	case NODE_BINARY:
		return eval_binary(ev, n, out);
	case NODE_AND:
	case NODE_OR:
		return eval_logic(ev, n, out);
	case NODE_COALESCE:
		rc = eval_node(ev, n->a, out);
		return rc || out->kind != VAL_NULL ? rc : eval_node(ev, n->b, out);
	case NODE_COND:
		return eval_condition(ev, n, out);
	case NODE_MEMBER:
		return eval_member(ev, n, out);
	case NODE_CHAIN:
		rc = eval_node(ev, n->a, out);
		if (rc == EVAL_CUT)
			*out = val_null();
		return rc == EVAL_CUT ? 0 : rc;
	case NODE_SLICE:
		return eval_slice(ev, n, out);
	case NODE_LIST: {
		struct val *items;
		rc = eval_items(ev, n, n->n, &items);
		if (rc == 0)
			*out = (struct val){ .kind = VAL_LIST, .items = items, .n = (uint32_t)n->n };
		return rc;
	}
	case NODE_MAP:
		return eval_map(ev, n, out);
	case NODE_LET:
		return eval_let(ev, n, out);
	case NODE_SEQUENCE:
		for (size_t i = 0; i < n->n && rc == 0; i++)
			rc = eval_node(ev, n->items[i], out);
		return rc;
	case NODE_CALL:
		return eval_call(ev, n, out);
	case NODE_METHOD:
		return eval_method(ev, n, out);
	}
	return err_set(ev->e, ERR_INTERNAL, "an expression's tree is damaged");
}

int
expr_eval(const struct expr *x, const struct val *env, struct arena *a, struct val *out, struct err *e)
{
	struct expr_moment when = { clock_wall_ns(), (uint64_t)arc4random() << 32 | arc4random() };
	return expr_eval_at(x, env, when, a, out, e);
}

int
expr_eval_at(const struct expr *x, const struct val *env, struct expr_moment when, struct arena *a, struct val *out, struct err *e)
{
	struct eval ev = { .x = x, .arena = a, .env = env, .now = when.now, .random = when.seed, .e = e };
	struct val result;
	if (eval_node(&ev, x->root, &result) != 0)
		return -1;
	*out = result;
	return 0;
}
