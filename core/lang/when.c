/* SPDX-License-Identifier: Apache-2.0 */
/*
 * when: tokens, a precedence-climbing parser to a tree, and its evaluation. Every operator is a row of one table. The
 * tree lives in an arena of its own; tokens and depth are limited, and so is every loop here.
 */
#include "core/lang/when.h"

#include "core/lang/regex.h"
#include "core/val.h"

#include <ctype.h>
#include <math.h>

/* ---- operators ------------------------------------------------------------------------------------------------- */

enum op {
	OP_NONE,
	OP_OR,
	OP_AND,
	OP_EQ,
	OP_NE,
	OP_LT,
	OP_LE,
	OP_GT,
	OP_GE,
	OP_MATCH,
	OP_NOMATCH,
	OP_IN,
	OP_BITAND,
	OP_BITOR,
	OP_BITXOR,
	OP_SHL,
	OP_SHR,
	OP_ADD,
	OP_SUB,
	OP_MUL,
	OP_DIV,
	OP_MOD,
	OP_POW,
	OP_CHOOSE,
	OP_ELSE,
	OP_COALESCE,
	OP_NOT,
	OP_NEG,
	OP_INVERT
};

/* Precedence as in govaluate's stage planner: a higher number binds tighter. 0: not a binary operator. */
static const struct {
	const char *text;
	enum op op;
	int precedence;
} operators[] = {
	{ "?", OP_CHOOSE, 1 },
	{ "??", OP_COALESCE, 1 },
	{ ":", OP_ELSE, 0 },
	{ "||", OP_OR, 2 },
	{ "&&", OP_AND, 3 },
	{ "==", OP_EQ, 4 },
	{ "!=", OP_NE, 4 },
	{ "<", OP_LT, 4 },
	{ "<=", OP_LE, 4 },
	{ ">", OP_GT, 4 },
	{ ">=", OP_GE, 4 },
	{ "=~", OP_MATCH, 4 },
	{ "!~", OP_NOMATCH, 4 },
	{ "in", OP_IN, 4 },
	{ "IN", OP_IN, 4 },
	{ "&", OP_BITAND, 5 },
	{ "|", OP_BITOR, 5 },
	{ "^", OP_BITXOR, 5 },
	{ "<<", OP_SHL, 6 },
	{ ">>", OP_SHR, 6 },
	{ "+", OP_ADD, 7 },
	{ "-", OP_SUB, 7 },
	{ "*", OP_MUL, 8 },
	{ "/", OP_DIV, 8 },
	{ "%", OP_MOD, 8 },
	{ "**", OP_POW, 9 },
	{ "!", OP_NOT, 0 },
	{ "~", OP_INVERT, 0 },
};

static const char *
op_text(enum op op)
{
	for (size_t i = 0; i < ARRAY_LEN(operators); i++)
		if (operators[i].op == op)
			return operators[i].text;
	return op == OP_NEG ? "-" : "";
}

/* ---- values and trees ------------------------------------------------------------------------------------------ */

enum kind { NUMBER, STRING, BOOL, LIST, NIL, NAME /* of an expression with names: text is looked up */ };
struct value {
	enum kind kind;
	union {
		double number;
		bool truth;
		str text;
		struct {
			const struct tree *const *items;
			size_t n;
		};
	};
};

struct tree {
	enum op op; /* OP_NONE: a leaf */
	struct value value;
	struct tree *left, *right, *other; /* other: behind the colon */
};

enum token_kind { TOKEN_END, TOKEN_VALUE, TOKEN_OP, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_COMMA };
struct parser {
	struct arena *arena;
	struct err *err;
	str text, whole;
	size_t pos, tokens, depth;
	enum token_kind kind; /* of the token under the cursor */
	struct value value;
	enum op op;
	str seen;         /* its text */
	bool names;       /* bare words are names */
	bool after_value; /* what came before it can be a left operand: tells minus from negation */
};

static int
fail(struct parser *p, const char *why, str what)
{
	return err_set(p->err, ERR_INVALID, "Invalid %sexpression '%.*s': %s%s%.*s%s", p->names ? "" : "'when' ",
		(int)(p->whole.n < 200 ? p->whole.n : 200), p->whole.p, why, what.p ? ": '" : "", STR_ARG(what),
		what.p ? "'" : "");
}

/* ---- tokens ---------------------------------------------------------------------------------------------------- */

static bool
is_letter(char c)
{
	return isalpha((unsigned char)c) ||
	       (unsigned char)c >= 0x80; /* of UTF-8 every letter is taken, like Go's IsLetter nearly does */
}

static bool
is_symbol(char c)
{
	return !is_letter(c) && !isdigit((unsigned char)c) && !isspace((unsigned char)c) && !strchr("()[]'\"", c);
}

static int
read_number(struct parser *p, size_t from)
{
	bool hex = p->text.p[from] == '0' && from + 1 < p->text.n && p->text.p[from + 1] == 'x';
	p->pos = from + (hex ? 2 : 0);
	while (p->pos < p->text.n && (hex ? isxdigit((unsigned char)p->text.p[p->pos])
					  : isdigit((unsigned char)p->text.p[p->pos]) || p->text.p[p->pos] == '.'))
		p->pos++;
	p->seen = str_slice(p->text, from, p->pos);
	p->kind = TOKEN_VALUE;
	p->value = (struct value){ .kind = NUMBER };
	if (hex) {
		char *end;
		p->value.number = (double)strtoull(str_z(p->arena, str_slice(p->seen, 2, p->seen.n)), &end, 16);
		return *end || p->seen.n == 2 ? fail(p, "Unable to parse hex value to uint64", p->seen) : 0;
	}
	str digits = str_ends(p->seen, S(".")) ? str_slice(p->seen, 0, p->seen.n - 1) : p->seen;
	if (!str_to_double(digits, &p->value.number))
		return fail(p, "Unable to parse numeric value to float64", p->seen);
	return 0;
}

/* Up to the closing quote; a backslash takes the next character as it is. */
static int
read_quoted(struct parser *p, size_t from, char quote, const char *unclosed)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	size_t i = from + 1;
	for (; i < p->text.n && p->text.p[i] != quote; i++) {
		if (p->text.p[i] == '\\' && i + 1 < p->text.n)
			i++;
		buf_addc(&b, p->text.p[i]);
	}
	if (i >= p->text.n)
		return fail(p, unclosed, STR_NONE);
	p->pos = i + 1;
	p->seen = str_slice(p->text, from, p->pos);
	p->kind = TOKEN_VALUE;
	p->value = (struct value){ .kind = quote == ']' && p->names ? NAME : STRING, .text = arena_dup(p->arena, buf_str(&b)) };
	return 0;
}

static int
read_word(struct parser *p, size_t from)
{
	p->pos = from;
	while (p->pos < p->text.n && (is_letter(p->text.p[p->pos]) || isdigit((unsigned char)p->text.p[p->pos]) ||
					     p->text.p[p->pos] == '_' || p->text.p[p->pos] == '.'))
		p->pos++;
	p->seen = str_slice(p->text, from, p->pos);
	p->kind = TOKEN_VALUE;
	p->value = (struct value){ .kind = p->names ? NAME : STRING, .text = p->seen };
	if (str_eq(p->seen, S("true")) || str_eq(p->seen, S("false")))
		p->value = (struct value){ .kind = BOOL, .truth = p->seen.n == 4 };
	if (str_eq(p->seen, S("in")) || str_eq(p->seen, S("IN"))) {
		p->kind = TOKEN_OP;
		p->op = OP_IN;
	} else if (str_find_char(p->seen, '.', 0) != SIZE_MAX) {
		/* govaluate takes a.b for a field of an object, of which there are none */
		return fail(p, "Unable to access a field, quote the text", p->seen);
	}
	return 0;
}

/* A run of symbols is one operator, or nothing: `==-1` is as wrong here as there. */
static int
read_symbols(struct parser *p, size_t from)
{
	p->pos = from;
	while (p->pos < p->text.n && is_symbol(p->text.p[p->pos]))
		p->pos++;
	p->seen = str_slice(p->text, from, p->pos);
	p->kind = TOKEN_OP;
	if (!p->after_value && str_eq(p->seen, S("-"))) {
		p->op = OP_NEG;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(operators); i++)
		if (str_eq(p->seen, str_c(operators[i].text))) {
			p->op = operators[i].op;
			return 0;
		}
	(void)fail(p, "Invalid token", p->seen);
	size_t n = strlen(p->err->msg);
	snprintf(p->err->msg + n, sizeof p->err->msg - n,
		" (hint: try wrapping the affected expression in quotes (\"))");
	return -1;
}

static int
next(struct parser *p)
{
	p->after_value = p->tokens && (p->kind == TOKEN_VALUE || p->kind == TOKEN_CLOSE);
	while (p->pos < p->text.n && isspace((unsigned char)p->text.p[p->pos]))
		p->pos++;
	size_t i = p->pos;
	if (++p->tokens > WHEN_TOKENS_MAX)
		return err_set(p->err, ERR_LIMIT, "'when' expression: more than %d tokens", WHEN_TOKENS_MAX);
	if (i >= p->text.n) {
		p->kind = TOKEN_END;
		p->seen = S("the end");
		return 0;
	}
	char c = p->text.p[i];
	if (isdigit((unsigned char)c))
		return read_number(p, i);
	if (is_letter(c))
		return read_word(p, i);
	if (c == '\'' || c == '"')
		return read_quoted(p, i, c, "Unclosed string literal");
	if (c == '[')
		return read_quoted(p, i, ']', "Unclosed parameter bracket");
	if (c == '(' || c == ')' || c == ',') {
		p->kind = c == '(' ? TOKEN_OPEN : c == ')' ? TOKEN_CLOSE : TOKEN_COMMA;
		p->seen = str_slice(p->text, i, i + 1);
		p->pos++;
		return 0;
	}
	return read_symbols(p, i);
}

/* ---- parser ---------------------------------------------------------------------------------------------------- */

static struct tree *expression(struct parser *p, int lowest);

static struct tree *
node(struct parser *p, enum op op, struct tree *left, struct tree *right)
{
	struct tree *t = ARENA_NEW(p->arena, struct tree);
	t->op = op;
	t->left = left;
	t->right = right;
	return t;
}

/* Behind '(': one expression, or several with commas between: a list. */
static struct tree *
clause(struct parser *p)
{
	VEC(struct tree *) items = { 0 };
	struct tree *out = NULL;
	do {
		if (next(p))
			goto done;
		if (p->kind == TOKEN_CLOSE && items.n == 0)
			break;
		struct tree *t = expression(p, 1);
		if (!t)
			goto done;
		*VEC_PUSH(&items) = t;
	} while (p->kind == TOKEN_COMMA);
	if (p->kind != TOKEN_CLOSE) {
		(void)fail(p, "Unbalanced parenthesis", STR_NONE);
		goto done;
	}
	if (next(p))
		goto done;
	if (items.n == 1) {
		out = items.p[0];
		goto done;
	}
	struct tree **kept = ARENA_ARRAY(p->arena, struct tree *, items.n);
	if (items.n)
		memcpy(kept, items.p, items.n * sizeof *kept);
	out = node(p, OP_NONE, NULL, NULL);
	out->value = (struct value){ .kind = LIST, .items = (const struct tree *const *)kept, .n = items.n };
done:
	VEC_FREE(&items);
	return out;
}

static struct tree *
operand(struct parser *p)
{
	if (p->kind == TOKEN_OP && (p->op == OP_NOT || p->op == OP_NEG || p->op == OP_INVERT)) {
		enum op op = p->op;
		struct tree *t = next(p) ? NULL : operand(p);
		return t ? node(p, op, NULL, t) : NULL;
	}
	if (p->kind == TOKEN_OPEN)
		return clause(p);
	if (p->kind != TOKEN_VALUE) {
		(void)fail(p, "Unexpected token, a value should stand here", p->seen);
		return NULL;
	}
	struct tree *t = node(p, OP_NONE, NULL, NULL);
	t->value = p->value;
	return next(p) ? NULL : t;
}

static int
precedence(const struct parser *p)
{
	for (size_t i = 0; p->kind == TOKEN_OP && i < ARRAY_LEN(operators); i++)
		if (operators[i].op == p->op)
			return operators[i].precedence;
	return 0;
}

static struct tree *
binary(struct parser *p, struct tree *left, int level)
{
	enum op op = p->op;
	if (next(p))
		return NULL;
	struct tree *right = expression(p, op == OP_CHOOSE ? 1 : level + 1);
	if (!right)
		return NULL;
	struct tree *t = node(p, op, left, right);
	if (op == OP_CHOOSE && p->kind == TOKEN_OP && p->op == OP_ELSE) {
		if (next(p))
			return NULL;
		t->other = expression(p, 1);
		return t->other ? t : NULL;
	}
	return t;
}

static struct tree *
expression(struct parser *p, int lowest)
{
	if (++p->depth > WHEN_DEPTH_MAX) {
		(void)err_set(p->err, ERR_LIMIT, "'when' expression: nested deeper than %d", WHEN_DEPTH_MAX);
		return NULL;
	}
	struct tree *left = operand(p);
	for (int level; left && (level = precedence(p)) >= lowest && level > 0;)
		left = binary(p, left, level);
	p->depth--;
	return left;
}

static struct tree *
parse(struct parser *p)
{
	if (next(p))
		return NULL;
	struct tree *t = expression(p, 1);
	if (!t)
		return NULL;
	if (p->kind != TOKEN_END) {
		(void)fail(p, p->kind == TOKEN_CLOSE ? "Unbalanced parenthesis" : "Cannot transition token types to",
			p->kind == TOKEN_CLOSE ? STR_NONE : p->seen);
		return NULL;
	}
	return t;
}

/* ---- evaluation ------------------------------------------------------------------------------------------------ */

struct eval {
	struct arena *arena;
	struct err *err;
	str whole;
	bool (*lookup)(void *arg, str name, struct when_value *out); /* NULL: there are no names */
	void *arg;
};

static str
show(struct arena *a, const struct value *v)
{
	if (v->kind == STRING)
		return v->text;
	if (v->kind == BOOL)
		return v->truth ? S("true") : S("false");
	if (v->kind == LIST)
		return S("[a list]");
	if (v->kind == NIL)
		return S("<nil>");
	struct buf b CLEANUP(free_buf) = { 0 };
	json_float(&b, v->number);
	return arena_dup(a, buf_str(&b));
}

static int
mistyped(struct eval *x, const struct value *v, enum op op, const char *role, const char *want)
{
	return err_set(x->err, ERR_INVALID,
		"Failed to evaluate %s '%.*s': Value '%.*s' cannot be used with the %s '%s', it is not a "
		"%s",
		x->lookup ? "expression" : "'when' expresion", (int)(x->whole.n < 200 ? x->whole.n : 200), x->whole.p, STR_ARG(show(x->arena, v)), role, op_text(op),
		want);
}

static bool
equal(const struct value *a, const struct value *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == NUMBER)
		return a->number == b->number;
	if (a->kind == BOOL)
		return a->truth == b->truth;
	return a->kind == NIL || (a->kind == STRING && str_eq(a->text, b->text));
}

static int eval(struct eval *x, const struct tree *t, struct value *out);

static int
contains(struct eval *x, const struct value *list, const struct value *v, bool *out)
{
	*out = list->kind != LIST && equal(list, v);
	for (size_t i = 0; list->kind == LIST && i < list->n && !*out; i++) {
		struct value item;
		if (eval(x, list->items[i], &item))
			return -1;
		*out = equal(&item, v);
	}
	return 0;
}

static int
match(struct eval *x, str text, str pattern, bool *out)
{
	struct regex *re;
	struct err why;
	if (regex_compile(pattern, &re, &why))
		return err_set(x->err, why.code,
			"Failed to evaluate 'when' expresion '%.*s': Unable to compile regexp pattern '%.*s': %s",
			(int)(x->whole.n < 200 ? x->whole.n : 200), x->whole.p,
			(int)(pattern.n < 100 ? pattern.n : 100), pattern.p, why.msg);
	int n = regex_matches(re, text, x->err);
	regex_free(re);
	*out = n > 0;
	return n < 0 ? -1 : 0;
}

static bool
compare(enum op op, int order)
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
arithmetic(enum op op, double a, double b)
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
eval_comparison(struct eval *x, enum op op, const struct value *a, const struct value *b, bool *out)
{
	if (op == OP_EQ || op == OP_NE) {
		*out = equal(a, b) == (op == OP_EQ);
		return 0;
	}
	if (op == OP_IN)
		return contains(x, b, a, out);
	if (op == OP_MATCH || op == OP_NOMATCH) {
		if (a->kind != STRING || b->kind != STRING)
			return mistyped(x, a->kind != STRING ? a : b, op, "comparator", "string");
		if (match(x, a->text, b->text, out))
			return -1;
		*out = *out == (op == OP_MATCH);
		return 0;
	}
	if (a->kind == STRING && b->kind == STRING) {
		size_t n = a->text.n < b->text.n ? a->text.n : b->text.n;
		int order = memcmp(a->text.p, b->text.p, n);
		*out = compare(op, order ? order : (a->text.n > b->text.n) - (a->text.n < b->text.n));
		return 0;
	}
	if (a->kind != NUMBER || b->kind != NUMBER)
		return mistyped(x, a->kind != NUMBER ? a : b, op, "comparator", "number");
	*out = op == OP_LT   ? a->number < b->number
	       : op == OP_LE ? a->number <= b->number
	       : op == OP_GT ? a->number > b->number
			     : a->number >= b->number;
	return 0;
}

/* Both sides are known. */
static int
apply(struct eval *x, enum op op, const struct value *a, const struct value *b, struct value *out)
{
	if (op == OP_AND || op == OP_OR) {
		if (a->kind != BOOL || b->kind != BOOL)
			return mistyped(x, a->kind != BOOL ? a : b, op, "logical operator", "bool");
		*out = (struct value){ .kind = BOOL,
			.truth = op == OP_AND ? a->truth && b->truth : a->truth || b->truth };
		return 0;
	}
	if (op >= OP_EQ && op <= OP_IN) {
		out->kind = BOOL;
		return eval_comparison(x, op, a, b, &out->truth);
	}
	if (op == OP_ADD && (a->kind == STRING || b->kind == STRING)) {
		*out = (struct value){ .kind = STRING,
			.text = arena_fmt(
				x->arena, "%.*s%.*s", STR_ARG(show(x->arena, a)), STR_ARG(show(x->arena, b))) };
		return out->text.n > WHEN_MAX ? err_set(x->err, ERR_LIMIT, "'when' expression: a text grows too long")
					      : 0;
	}
	if (a->kind != NUMBER || b->kind != NUMBER)
		return mistyped(x, a->kind != NUMBER ? a : b, op, "modifier", "number");
	*out = (struct value){ .kind = NUMBER, .number = arithmetic(op, a->number, b->number) };
	return 0;
}

static int
eval_prefix(struct eval *x, enum op op, struct value *v)
{
	if (op == OP_NOT) {
		if (v->kind != BOOL)
			return mistyped(x, v, op, "prefix", "bool");
		v->truth = !v->truth;
		return 0;
	}
	if (v->kind != NUMBER)
		return mistyped(x, v, op, "prefix", "number");
	v->number = op == OP_NEG ? -v->number : (double)~bits(v->number);
	return 0;
}

/* The value of a name. */
static int
look_up(struct eval *x, str name, struct value *out)
{
	static const enum kind kinds[] = {
		[WHEN_NIL] = NIL, [WHEN_NUMBER] = NUMBER, [WHEN_BOOL] = BOOL, [WHEN_TEXT] = STRING
	};
	struct when_value v = { .kind = WHEN_NIL };
	if (!x->lookup(x->arg, name, &v))
		return err_set(x->err, ERR_INVALID, "No parameter '%.*s' found.", STR_ARG(name));
	*out = (struct value){ .kind = kinds[v.kind] };
	if (v.kind == WHEN_NUMBER)
		out->number = v.number;
	else if (v.kind == WHEN_BOOL)
		out->truth = v.truth;
	else
		out->text = v.text;
	return 0;
}

static int
eval(struct eval *x, const struct tree *t, struct value *out)
{
	if (t->op == OP_NONE) {
		*out = t->value;
		return t->value.kind == NAME ? look_up(x, t->value.text, out) : 0;
	}
	if (!t->left) {
		return eval(x, t->right, out) ? -1 : eval_prefix(x, t->op, out);
	}
	struct value left, right;
	if (eval(x, t->left, &left))
		return -1;
	if (left.kind == BOOL && ((t->op == OP_AND && !left.truth) || (t->op == OP_OR && left.truth))) {
		*out = left;
		return 0;
	}
	if (t->op == OP_COALESCE) {
		*out = left;
		return left.kind == NIL ? eval(x, t->right, out) : 0;
	}
	if (t->op == OP_CHOOSE) {
		if (left.kind != BOOL)
			return mistyped(x, &left, t->op, "ternary operator", "bool");
		if (!left.truth && !t->other)
			return err_set(x->err, ERR_INVALID, "Invalid 'when' expression '%.*s': '?' without ':'",
				(int)(x->whole.n < 200 ? x->whole.n : 200), x->whole.p);
		return eval(x, left.truth ? t->right : t->other, out);
	}
	return eval(x, t->right, &right) ? -1 : apply(x, t->op, &left, &right, out);
}

static int
check(str text, bool names, struct err *e)
{
	if (!text.n)
		return 0;
	if (text.n > WHEN_MAX)
		return err_set(e, ERR_LIMIT, "expression: longer than %d bytes", WHEN_MAX);
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct parser p = { .arena = a, .err = e, .text = text, .whole = text, .names = names };
	return parse(&p) ? 0 : -1;
}

int
when_check(str text, struct err *e)
{
	return check(text, false, e);
}

int
when_check_names(str text, struct err *e)
{
	return check(text, true, e);
}

int
when_eval_names(str text, bool (*lookup)(void *arg, str name, struct when_value *out), void *arg, bool *out, struct err *e)
{
	if (text.n > WHEN_MAX)
		return err_set(e, ERR_LIMIT, "expression: longer than %d bytes", WHEN_MAX);
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct parser p = { .arena = a, .err = e, .text = text, .whole = text, .names = true };
	const struct tree *t = parse(&p);
	struct eval x = { .arena = a, .err = e, .whole = text, .lookup = lookup, .arg = arg };
	struct value v;
	if (!t || eval(&x, t, &v))
		return -1;
	*out = v.kind == BOOL && v.truth;
	return 0;
}

int
when_eval(str text, bool *out, struct err *e)
{
	if (!text.n) {
		*out = true;
		return 0;
	}
	if (text.n > WHEN_MAX)
		return err_set(e, ERR_LIMIT, "'when' expression: longer than %d bytes", WHEN_MAX);
	if (str_eq(text, S("true")) || str_eq(text, S("false"))) { /* by far the most frequent */
		*out = text.n == 4;
		return 0;
	}
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct parser p = { .arena = a, .err = e, .text = text, .whole = text };
	const struct tree *t = parse(&p);
	if (!t)
		return -1;
	struct value v;
	struct eval x = { .arena = a, .err = e, .whole = text };
	if (eval(&x, t, &v))
		return -1;
	if (v.kind != BOOL)
		return err_set(e, ERR_INVALID, "Expected boolean evaluation for '%.*s'. Got %.*s",
			(int)(text.n < 200 ? text.n : 200), text.p, STR_ARG(show(a, &v)));
	*out = v.truth;
	return 0;
}
