/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scripts and filters of JSONPath: a text is cut at its first operator of the lowest precedence, and so on for both
 * sides. What is left is text, whose meaning (number, truth value, string, name) the operator that uses it decides.
 * Source: script/standard/ of github.com/evilmonkeyinc/jsonpath v0.8.1, whose ways with brackets, quotes and `in` are
 * kept.
 */
#include <math.h>

#include "core/lang/expr.h"
#include "core/lang/gofmt.h"
#include "core/lang/jsonpath_impl.h"
#include "core/lang/regex.h"

/* In order of precedence; the first stands for "look at all of them again", behind brackets. */
static const char *const operators[] = { "", "||", "&&", "==", "!=", "<=", ">=", "<", ">", "=~", "!", "+", "-", "**",
	"*", "/", "%", "not in", "in", "@", "$" };
enum operator{
	OP_AGAIN,
	OP_OR,
	OP_AND,
	OP_EQ,
	OP_NE,
	OP_LE,
	OP_GE,
	OP_LT,
	OP_GT,
	OP_MATCH,
	OP_NOT,
	OP_ADD,
	OP_SUB,
	OP_POW,
	OP_MUL,
	OP_DIV,
	OP_MOD,
	OP_NOT_IN,
	OP_IN,
	OP_CURRENT,
	OP_ROOT,
	OP_LAST = OP_ROOT,
};

struct operation;
struct operand {
	enum { OPERAND_NIL, OPERAND_TEXT, OPERAND_VALUE, OPERAND_OPERATION } kind;
	str text;
	struct val value;
	const struct operation *operation;
};
struct operation {
	enum operator op;
	struct operand a, b;
	struct jp_path path; /* @, $ */
};
struct jp_script {
	str text;
	const struct operation *root; /* NULL: the text is the value */
};

/* ---- compiling -------------------------------------------------------------------------------------------------- */

/* Where `op` ends for the first time outside of quotes and brackets, less its length; SIZE_MAX: nowhere. */
static size_t
find_operator(str s, str op)
{
	bool single = false, twofold = false;
	size_t square = 0, square_close = 0, round = 0, round_close = 0;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (((unsigned char)c & 0xc0) == 0x80)
			continue; /* the library goes by characters */
		bool in_square = square > square_close, in_round = round > round_close;
		if ((c == '(' || c == ')') && (single || twofold || in_square))
			continue;
		if ((c == '[' || c == ']') && (single || twofold || in_round))
			continue;
		if (c == '\'' && (twofold || in_square || in_round))
			continue;
		if (c == '"' && (single || in_square || in_round))
			continue;
		round += c == '(';
		round_close += c == ')';
		square += c == '[';
		square_close += c == ']';
		single ^= c == '\'';
		twofold ^= c == '"';
		if (single || twofold || square > square_close || round > round_close || op.n > i + 1)
			continue;
		if (str_eq(str_slice(s, i + 1 - op.n, i + 1), op))
			return i + 1 - op.n;
	}
	return SIZE_MAX;
}

static int build(struct jp *p, str s, unsigned from, const struct operation **out);

static int
operand(struct jp *p, str s, unsigned from, struct operand *out)
{
	struct err ignored;
	*out = (struct operand){ OPERAND_NIL };
	if (build(p, s, from, &out->operation))
		return -1;
	s = str_trim(s);
	if (out->operation) {
		out->kind = OPERAND_OPERATION;
	} else if (s.n) {
		bool list = s.p[0] == '[' && s.p[s.n - 1] == ']', map = s.p[0] == '{' && s.p[s.n - 1] == '}';
		out->kind = OPERAND_TEXT;
		out->text = s;
		if ((list || map) && !json_read(p->arena, s, &out->value, &ignored))
			out->kind = OPERAND_VALUE;
	}
	return 0;
}

/* The next operators are for another try; *out stays NULL if there are none. */
static int
build_next(struct jp *p, str s, unsigned at, const struct operation **out)
{
	return at == OP_LAST ? 0 : build(p, s, at + 1, out);
}

static int
build_at(struct jp *p, str s, unsigned at, enum operator op, size_t i, const struct operation **out)
{
	str left = str_trim(str_slice(s, 0, i)), right = str_trim(str_slice(s, i + strlen(operators[op]), s.n));
	bool selects = op == OP_CURRENT || op == OP_ROOT;
	struct operation *o = ARENA_NEW(p->arena, struct operation);
	*o = (struct operation){ .op = op };
	if (!right.n && !selects)
		return build_next(p, s, at, out);
	if (operand(p, right, at, &o->b))
		return -1;
	if (!left.n && !selects && op != OP_NOT)
		return build_next(p, s, at, out);
	if (operand(p, left, at, &o->a))
		return -1;
	if ((selects || op == OP_NOT) && o->a.kind != OPERAND_NIL)
		return build_next(p, s, at, out);
	if (op == OP_AGAIN)
		return jp_fail(p, "unsupported operator");
	if (selects && jp_parse(p, s, &o->path))
		return -1;
	*out = o;
	return 0;
}

static int
build(struct jp *p, str s, unsigned from, const struct operation **out)
{
	enum operator op =(enum operator) from;
	*out = NULL;
	s = str_trim(s);
	if (!s.n)
		return 0;
	if (p->depth >= JSONPATH_DEPTH_MAX)
		return jp_fatal(p, ERR_LIMIT, "a JSONPath is nested more than %d deep", JSONPATH_DEPTH_MAX);
	if (jp_spend(p, s.n))
		return -1;
	p->depth++;
	unsigned at = from;
	if (s.p[0] == '(' && s.p[s.n - 1] == ')' && s.n > 1) {
		s = str_trim(str_slice(s, 1, s.n - 1));
		at = OP_AGAIN;
	}
	size_t i = find_operator(s, str_c(operators[op]));
	p->depth -= i == SIZE_MAX; /* trying the next operator is no deeper */
	int rc = i == SIZE_MAX ? build_next(p, s, at, out) : build_at(p, s, at, op, i, out);
	p->depth -= i != SIZE_MAX;
	return rc;
}

int
jp_script_compile(struct jp *p, str text, const struct jp_script **out)
{
	struct jp_script *s = ARENA_NEW(p->arena, struct jp_script);
	s->text = text;
	*out = s;
	return build(p, text, OP_OR, &s->root);
}

/* ---- operands --------------------------------------------------------------------------------------------------- */

struct names {
	struct jp *p;
	const struct val *root, *current;
};

static int evaluate(const struct names *x, const struct operation *o, struct val *out);

/* $, @, nil and null as words of their own. */
static bool
named(const struct names *x, str text, struct val *out)
{
	bool nil = str_eq(text, S("nil")) || str_eq(text, S("null"));
	if (nil)
		*out = val_null();
	else if (str_eq(text, S("$")))
		*out = *x->root;
	else if (str_eq(text, S("@")))
		*out = *x->current;
	else
		return false;
	return true;
}

/* The operand's value, names not looked up; *nil: there is none. */
static int
value_of(const struct names *x, const struct operand *a, struct val *out)
{
	if (a->kind == OPERAND_OPERATION)
		return evaluate(x, a->operation, out);
	*out = a->kind == OPERAND_TEXT ? val_str(a->text) : a->value;
	return 0;
}

static int
no_operand(const struct names *x)
{
	return jp_fail(x->p, "invalid argument. is nil");
}

/* The text that %v prints of the value; in the arena. */
static str
printed(struct jp *p, const struct val *v)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	if (v->kind == VAL_STR)
		return val_text(v);
	expr_print(&b, v);
	(void)jp_spend(p, b.n);
	return arena_dup(p->arena, buf_str(&b));
}

static int
plain(const struct names *x, const struct operand *a, struct val *out)
{
	if (value_of(x, a, out))
		return -1;
	struct val v;
	if (out->kind == VAL_STR && named(x, val_text(out), &v))
		*out = v;
	return 0;
}

static int
number(const struct names *x, const struct operand *a, double *out)
{
	struct val v;
	if (a->kind == OPERAND_NIL)
		return no_operand(x);
	if (plain(x, a, &v))
		return -1;
	if (v.kind == VAL_FLOAT || v.kind == VAL_INT || v.kind == VAL_NUM)
		return val_to_double(&v, out) ? 0 : jp_fail(x->p, "invalid argument. expected number");
	return v.kind == VAL_STR && go_parse_float(val_text(&v), out)
		       ? 0
		       : jp_fail(x->p, "invalid argument. expected number");
}

static int
integer(const struct names *x, const struct operand *a, int64_t *out)
{
	struct val v;
	if (a->kind == OPERAND_NIL)
		return no_operand(x);
	if (plain(x, a, &v))
		return -1;
	return go_parse_int(printed(x->p, &v), 10, out) ? 0 : jp_fail(x->p, "invalid argument. expected integer");
}

static int
truth(const struct names *x, const struct operand *a, bool *out)
{
	struct val v;
	*out = false;
	if (a->kind == OPERAND_NIL)
		return 0;
	if (plain(x, a, &v))
		return -1;
	if (v.kind == VAL_NULL)
		return 0;
	return go_parse_bool(printed(x->p, &v), out) ? 0 : jp_fail(x->p, "invalid argument. expected boolean");
}

static bool
in_quotes(str t, char quote)
{
	return t.n > 1 && t.p[0] == quote && t.p[t.n - 1] == quote;
}

static str
quoted(struct jp *p, str t)
{
	(void)jp_spend(p, t.n);
	return arena_fmt(p->arena, "'%.*s'", STR_ARG(t));
}

static int
string(const struct names *x, const struct operand *a, str *out)
{
	struct val v, w;
	if (a->kind == OPERAND_NIL)
		return no_operand(x);
	if (value_of(x, a, &v))
		return -1;
	bool name = v.kind == VAL_STR && named(x, val_text(&v), &w);
	if (name)
		v = w;
	*out = printed(x->p, &v);
	if (v.kind != VAL_STR || in_quotes(*out, '\''))
		return 0;
	if (in_quotes(*out, '"'))
		*out = quoted(x->p, str_slice(*out, 1, out->n - 1));
	else if (name)
		*out = quoted(x->p, *out);
	return 0;
}

static int
collection(const struct names *x, const struct operand *a, struct val *out)
{
	struct err ignored;
	if (a->kind == OPERAND_NIL)
		return no_operand(x);
	if (plain(x, a, out))
		return -1;
	if (out->kind == VAL_STR && out->n) {
		str t = val_text(out);
		bool list = t.p[0] == '[' && t.p[t.n - 1] == ']', map = t.p[0] == '{' && t.p[t.n - 1] == '}';
		if ((list || map) && json_read(x->p->arena, t, out, &ignored))
			return jp_fail(x->p, "invalid argument");
	}
	if (out->kind == VAL_NULL)
		return no_operand(x);
	return out->kind == VAL_LIST || out->kind == VAL_MAP
		       ? 0
		       : jp_fail(x->p, "invalid argument. expected array, map, or slice");
}

/* ---- operators -------------------------------------------------------------------------------------------------- */

static int
arithmetic(const struct names *x, const struct operation *o, struct val *out)
{
	double a, b;
	if (number(x, &o->a, &a) || number(x, &o->b, &b))
		return -1;
	switch (o->op) {
	case OP_ADD:
		*out = val_float(a + b);
		break;
	case OP_SUB:
		*out = val_float(a - b);
		break;
	case OP_MUL:
		*out = val_float(a * b);
		break;
	case OP_DIV:
		*out = val_float(b != 0                     ? a / b
				 : a == 0 || isnan(a)       ? NAN
				 : signbit(a) != signbit(b) ? -INFINITY
							    : INFINITY);
		break;
	case OP_POW:
		*out = val_float(pow(a, b));
		break;
	case OP_LT:
		*out = val_bool(a < b);
		break;
	case OP_LE:
		*out = val_bool(a <= b);
		break;
	case OP_GT:
		*out = val_bool(a > b);
		break;
	default:
		*out = val_bool(a >= b);
		break;
	}
	return 0;
}

static int
modulus(const struct names *x, const struct operation *o, struct val *out)
{
	int64_t a, b;
	if (integer(x, &o->a, &a) || integer(x, &o->b, &b))
		return -1;
	if (!b)
		return jp_fatal(x->p, ERR_INVALID, "runtime error: integer divide by zero");
	*out = val_int(b == -1 ? 0 : a % b);
	return 0;
}

static int
logic(const struct names *x, const struct operation *o, struct val *out)
{
	bool a, b;
	if (truth(x, &o->a, &a) || truth(x, &o->b, &b))
		return -1;
	*out = val_bool(o->op == OP_AND ? a && b : a || b);
	return 0;
}

static int
equality(const struct names *x, const struct operation *o, struct val *out)
{
	double f, g;
	str s, t;
	bool equal;
	if (!number(x, &o->a, &f) && !number(x, &o->b, &g))
		equal = f == g;
	else if (string(x, &o->a, &s) || string(x, &o->b, &t))
		return -1;
	else
		equal = str_eq(s, t);
	*out = val_bool(equal == (o->op == OP_EQ));
	return x->p->fatal ? -1 : 0;
}

static int
match(const struct names *x, const struct operation *o, struct val *out)
{
	str text, pattern;
	struct regex *re;
	struct err e;
	if (string(x, &o->a, &text) || string(x, &o->b, &pattern))
		return -1;
	text = in_quotes(text, '\'') ? str_slice(text, 1, text.n - 1) : text;
	pattern = in_quotes(pattern, '\'') ? str_slice(pattern, 1, pattern.n - 1) : pattern;
	if (jp_spend(x->p, pattern.n * 64 + text.n))
		return -1;
	if (regex_compile(pattern, &re, &e))
		return jp_fail(x->p, "invalid argument. expected a valid regexp");
	int rc = regex_matches(re, text, &e);
	regex_free(re);
	*out = val_bool(rc > 0);
	return rc < 0 ? jp_fatal(x->p, e.code, "%s", e.msg) : 0;
}

/* Elements must be of the same type: strings of literals keep their quotes, and so equal none of the data. */
static int
membership(const struct names *x, const struct operation *o, struct val *out)
{
	struct val item, list;
	double f, g;
	str s = S("");
	bool b = false;
	if (!number(x, &o->a, &f))
		item = val_float(f);
	else if (!string(x, &o->a, &s))
		item = val_str(s);
	else if (!truth(x, &o->a, &b))
		item = val_bool(b);
	else
		item = val_null();
	if (x->p->fatal || collection(x, &o->b, &list))
		return -1;
	bool found = false;
	for (uint32_t i = 0; i < list.n && !found; i++) {
		const struct val *v = list.kind == VAL_LIST ? &list.items[i] : &list.members[i].value;
		if (jp_spend(x->p, 0))
			return -1;
		if (item.kind == VAL_FLOAT)
			found = (v->kind == VAL_FLOAT || v->kind == VAL_NUM) && val_to_double(v, &g) && f == g;
		else if (item.kind == VAL_STR)
			found = v->kind == VAL_STR && str_eq(val_text(v), s);
		else
			found = item.kind == VAL_BOOL && v->kind == VAL_BOOL && v->b == b;
	}
	*out = val_bool(found == (o->op == OP_IN));
	return 0;
}

static int
select_path(const struct names *x, const struct operation *o, struct val *out)
{
	if (jp_apply(x->p, &o->path, x->root, x->current, out))
		return -1;
	if (out->kind == VAL_STR && !in_quotes(val_text(out), '\''))
		*out = val_str(quoted(x->p, val_text(out)));
	return 0;
}

static int
evaluate(const struct names *x, const struct operation *o, struct val *out)
{
	bool b;
	if (jp_spend(x->p, 0))
		return -1;
	switch (o->op) {
	case OP_OR:
	case OP_AND:
		return logic(x, o, out);
	case OP_EQ:
	case OP_NE:
		return equality(x, o, out);
	case OP_MATCH:
		return match(x, o, out);
	case OP_NOT:
		if (truth(x, &o->b, &b))
			return -1;
		*out = val_bool(!b);
		return 0;
	case OP_MOD:
		return modulus(x, o, out);
	case OP_NOT_IN:
	case OP_IN:
		return membership(x, o, out);
	case OP_CURRENT:
	case OP_ROOT:
		return select_path(x, o, out);
	default:
		return arithmetic(x, o, out);
	}
}

int
jp_script_evaluate(
	struct jp *p, const struct jp_script *s, const struct val *root, const struct val *current, struct val *out)
{
	struct names x = { p, root, current };
	double f;
	bool b;
	if (!s->text.n)
		return jp_fail(p, "invalid expression. is empty");
	if (s->root)
		return evaluate(&x, s->root, out);
	if (named(&x, s->text, out))
		return 0;
	if (go_parse_float(s->text, &f))
		*out = val_float(f);
	else if (go_parse_bool(s->text, &b))
		*out = val_bool(b);
	else
		*out = val_str(s->text);
	return 0;
}
