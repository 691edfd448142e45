/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading an expression: a Pratt parser over the words of expr_lex.c. Precedences and the odd corners (`not in`, `??` not to be
 * mixed, chains of comparisons, pipes) are expr-lang's: parser/parser.go and parser/operator/operator.go.
 */
#include "core/lang/expr_builtin.h"
#include "core/lang/expr_lex.h"

static const struct operator {
	const char *text;
	enum op op;
	int precedence;
	bool right, comparison;
} operators[] = {
	{ "|", OP_PIPE, 0 }, { "or", OP_OR, 10 }, { "||", OP_OR, 10 }, { "and", OP_AND, 15 }, { "&&", OP_AND, 15 },
	{ "==", OP_EQ, 20 }, { "!=", OP_NE, 20 }, { "<", OP_LT, 20, .comparison = true }, { ">", OP_GT, 20, .comparison = true },
	{ "<=", OP_LE, 20, .comparison = true }, { ">=", OP_GE, 20, .comparison = true },
	{ "in", OP_IN, 20 }, { "matches", OP_MATCHES, 20 }, { "contains", OP_CONTAINS, 20 }, { "startsWith", OP_STARTS, 20 },
	{ "endsWith", OP_ENDS, 20 }, { "..", OP_RANGE, 25 }, { "+", OP_ADD, 30 }, { "-", OP_SUB, 30 }, { "*", OP_MUL, 60 },
	{ "/", OP_DIV, 60 }, { "%", OP_MOD, 60 }, { "**", OP_POW, 100, .right = true }, { "^", OP_POW, 100, .right = true },
	{ "??", OP_COALESCE, 500 },
};
/* Which of them may follow `not`. */
static const char *const after_not[] = { "in", "matches", "contains", "startsWith", "endsWith" };
static const struct {
	const char *text;
	enum op op;
	int precedence;
} unaries[] = { { "not", OP_NOT, 50 }, { "!", OP_NOT, 50 }, { "-", OP_NEGATE, 90 }, { "+", OP_PLUS, 90 } };

static const struct node *parse_expression(struct parser *p, int precedence);
static const struct node *parse_sequence(struct parser *p, const char *end);

/* ---- words ---------------------------------------------------------------------------------------------------- */

static void
unexpected(struct parser *p)
{
	if (p->token.kind == TOKEN_END)
		lex_fail(p, p->token.at, ERR_INVALID, "the expression ends too early");
	else
		lex_fail(p, p->token.at, ERR_INVALID, "unexpected %.*s", STR_ARG(str_slice(p->token.text, 0, 40)));
}

static bool
at_operator(const struct parser *p, const char *text)
{
	return p->token.kind == TOKEN_OPERATOR && str_eq(p->token.text, str_c(text));
}

static bool
accept(struct parser *p, const char *text)
{
	if (!at_operator(p, text))
		return false;
	lex_next(p);
	return true;
}

static void
expect(struct parser *p, const char *text)
{
	if (accept(p, text) || p->failed)
		return;
	if (p->token.kind == TOKEN_END)
		lex_fail(p, p->token.at, ERR_INVALID, "the expression ends where %s is expected", text);
	else
		lex_fail(p, p->token.at, ERR_INVALID, "unexpected %.*s: %s is expected here", STR_ARG(str_slice(p->token.text, 0, 40)), text);
}

/* ---- nodes ---------------------------------------------------------------------------------------------------- */

static struct node *
new_node(struct parser *p, enum node_kind kind, uint32_t at, const struct node *a, const struct node *b)
{
	struct node *n = ARENA_NEW(p->x->arena, struct node);
	unsigned depth = a ? a->depth : 0;
	*n = (struct node){ .kind = kind, .at = at, .a = a, .b = b };
	n->depth = 1 + (b && b->depth > depth ? b->depth : depth);
	if (++p->nodes > EXPR_NODES_MAX)
		lex_fail(p, at, ERR_LIMIT, "the expression has more than %d parts", EXPR_NODES_MAX);
	else if (n->depth > EXPR_DEPTH_MAX)
		lex_fail(p, at, ERR_LIMIT, "the expression is nested more than %d deep", EXPR_DEPTH_MAX);
	return n;
}

static struct node *
new_const(struct parser *p, uint32_t at, struct val v)
{
	struct node *n = new_node(p, NODE_CONST, at, NULL, NULL);
	n->value = v;
	return n;
}

typedef VEC(const struct node *) nodes;

static void
set_items(struct parser *p, struct node *n, nodes *items)
{
	n->items = ARENA_ARRAY(p->x->arena, const struct node *, items->n);
	if (items->n)
		memcpy(n->items, items->p, items->n * sizeof *items->p);
	n->n = items->n;
	for (size_t i = 0; i < items->n; i++)
		if (items->p[i]->depth >= n->depth)
			n->depth = items->p[i]->depth + 1;
	if (n->depth > EXPR_DEPTH_MAX)
		lex_fail(p, n->at, ERR_LIMIT, "the expression is nested more than %d deep", EXPR_DEPTH_MAX);
	VEC_FREE(items);
}

/* What kind of value a node has for certain, so far as the text alone tells: then a comparison that can never hold is a mistake. */
static const char *
known_kind(const struct node *n)
{
	switch (n->kind) {
	case NODE_CONST:
		return n->value.kind == VAL_INT || n->value.kind == VAL_FLOAT ? "number" : n->value.kind == VAL_STR ? "string" :
			n->value.kind == VAL_BOOL ? "bool" : NULL;
	case NODE_UNARY:
		return n->op == OP_NOT ? "bool" : NULL;
	case NODE_AND:
	case NODE_OR:
		return "bool";
	case NODE_BINARY:
		return n->op >= OP_EQ && n->op <= OP_ENDS ? "bool" : n->op == OP_RANGE || n->op == OP_ADD ? NULL : "number";
	case NODE_LIST:
		return "array";
	case NODE_MAP:
		return "map";
	default:
		return NULL;
	}
}

static bool
is_fraction(const struct node *n)
{
	return n->kind == NODE_CONST && n->value.kind == VAL_FLOAT;
}

static bool
is_no_text(const struct node *n, const char *kind)
{
	return (n->kind == NODE_CONST && n->value.kind == VAL_NULL) || (kind && strcmp(kind, "string") != 0);
}

static const struct node *
binary(struct parser *p, const struct operator *op, uint32_t at, const struct node *a, const struct node *b)
{
	static const enum node_kind lazy[] = { [OP_OR] = NODE_OR, [OP_AND] = NODE_AND, [OP_COALESCE] = NODE_COALESCE };
	const char *left = known_kind(a), *right = known_kind(b);
	if ((op->op == OP_OR || op->op == OP_AND) && ((left && strcmp(left, "bool") != 0) || (right && strcmp(right, "bool") != 0)))
		lex_fail(p, at, ERR_UNSUPPORTED, "%s takes bools, not a %s", op->text, left && strcmp(left, "bool") != 0 ? left : right);
	if (op->op >= OP_OR)
		return new_node(p, lazy[op->op], at, a, b);
	if ((op->op == OP_EQ || op->op == OP_NE) && left && right && strcmp(left, right) != 0)
		lex_fail(p, at, ERR_UNSUPPORTED, "%s compares a %s with a %s: that never changes", op->text, left, right);
	if (op->op >= OP_MATCHES && op->op <= OP_ENDS && (is_no_text(a, left) || is_no_text(b, right)))
		lex_fail(p, at, ERR_UNSUPPORTED, "%s takes strings", op->text);
	if (op->op == OP_RANGE && (is_fraction(a) || is_fraction(b)))
		lex_fail(p, at, ERR_UNSUPPORTED, ".. takes ints");
	struct node *n = new_node(p, NODE_BINARY, at, a, b);
	n->op = op->op;
	if (n->op == OP_MATCHES && b->kind == NODE_CONST && b->value.kind == VAL_STR && !p->failed) {
		struct err e;
		if (regex_compile(val_text(&b->value), &n->regex, &e) < 0)
			lex_fail(p, b->at, ERR_INVALID, "%s", e.msg);
		else
			*VEC_PUSH(&p->x->regexes) = n->regex;
	}
	return n;
}

/* ---- expressions ---------------------------------------------------------------------------------------------- */

/* The body of a predicate: in braces, or as it is. */
static const struct node *
parse_predicate(struct parser *p)
{
	const struct node *n;
	p->closures++;
	if (accept(p, "{")) {
		n = parse_sequence(p, "}");
		expect(p, "}");
	} else {
		n = parse_expression(p, 0);
	}
	p->closures--;
	return n;
}

static void
check_arguments(struct parser *p, uint32_t at, str name, int min, int max, size_t n)
{
	if ((int)n < min || (max >= 0 && (int)n > max))
		lex_fail(p, at, ERR_INVALID, "%.*s takes %s%d argument%s, not %zu", STR_ARG(name), min == max ? "" : (int)n < min ? "at least " : "at most ",
		     (int)n < min ? min : max, ((int)n < min ? min : max) == 1 ? "" : "s", n);
}

/* The call of a function by name; the token is behind "(". `first` is what a pipe puts before the arguments. */
static const struct node *
parse_call(struct parser *p, uint32_t at, str name, const struct node *first)
{
	struct expr_function theirs = { 0 };
	const struct expr_function *function = p->o->function && p->o->function(p->o->arg, name, &theirs) ? &theirs : NULL;
	const struct builtin *builtin = function ? NULL : builtin_find(name);
	nodes items = { 0 };
	if (!function && !builtin)
		lex_fail(p, at, ERR_NOT_FOUND, "there is no function %.*s", STR_ARG(str_slice(name, 0, 60)));
	if (first)
		*VEC_PUSH(&items) = first;
	while (!p->failed && !at_operator(p, ")")) {
		bool predicate = builtin && builtin->predicate == (int)items.n + 1;
		*VEC_PUSH(&items) = predicate ? parse_predicate(p) : parse_expression(p, 0);
		if (!accept(p, ","))
			break;
		if (at_operator(p, ")"))
			unexpected(p);
	}
	expect(p, ")");
	struct node *n = new_node(p, NODE_CALL, at, NULL, NULL);
	n->name = arena_dup(p->x->arena, name);
	n->builtin = builtin;
	if (function) {
		struct expr_function *copy = ARENA_NEW(p->x->arena, struct expr_function);
		*copy = theirs;
		n->function = copy;
		check_arguments(p, at, name, function->min, function->max, items.n);
	} else if (builtin) {
		check_arguments(p, at, name, builtin->min, builtin->max, items.n);
	}
	set_items(p, n, &items);
	return n;
}

/* "a.b.c" of nested members of names, for functions in a namespace; STR_NONE if it is anything else. */
static str
dotted_name(struct parser *p, const struct node *n)
{
	if (n->kind == NODE_NAME)
		return n->name;
	if (n->kind != NODE_MEMBER || n->optional || n->b->kind != NODE_CONST || n->b->value.kind != VAL_STR)
		return STR_NONE;
	str left = dotted_name(p, n->a);
	return left.p && left.n < 200 ? arena_fmt(p->x->arena, "%.*s.%.*s", STR_ARG(left), STR_ARG(val_text(&n->b->value))) : STR_NONE;
}

static const struct node *
member(struct parser *p, uint32_t at, const struct node *a, const struct node *b, bool optional)
{
	struct node *n = new_node(p, NODE_MEMBER, at, a, b);
	n->optional = optional;
	return n;
}

/* Whether a dotted name means a function of the caller's, or would if there were one: sprig.x. */
static bool
names_function(struct parser *p, str dotted)
{
	struct expr_function ignored;
	return dotted.p && (str_starts(dotted, S("sprig.")) || (p->o->function && p->o->function(p->o->arg, dotted, &ignored)));
}

/* a.name(...), the token behind "(". `m` is the member that it would be without. */
static const struct node *
parse_method(struct parser *p, uint32_t at, const struct node *m, str name)
{
	struct node *n = new_node(p, NODE_METHOD, at, m->a, NULL);
	nodes items = { 0 };
	n->name = name;
	n->optional = m->optional;
	while (!p->failed && !at_operator(p, ")")) {
		*VEC_PUSH(&items) = parse_expression(p, 0);
		if (!accept(p, ","))
			break;
	}
	expect(p, ")");
	set_items(p, n, &items);
	return n;
}

static const struct node *
parse_dot(struct parser *p, uint32_t at, const struct node *n, bool optional)
{
	str name = p->token.text;
	bool is_name = p->token.kind == TOKEN_NAME || (p->token.kind == TOKEN_OPERATOR && lex_is_operator_word(name));
	if (!is_name) {
		lex_fail(p, p->token.at, ERR_INVALID, "a name is expected behind %s", optional ? "?." : ".");
		return n;
	}
	struct node *property = new_const(p, p->token.at, val_str(name));
	uint32_t name_at = p->token.at;
	lex_next(p);
	bool chain = n->kind == NODE_CHAIN;
	const struct node *m = member(p, name_at, chain ? n->a : n, property, optional);
	if (accept(p, "(")) {
		str dotted = dotted_name(p, m);
		m = names_function(p, dotted) ? parse_call(p, at, dotted, NULL) : parse_method(p, name_at, m, name);
	}
	return chain || optional ? new_node(p, NODE_CHAIN, at, m, NULL) : m;
}

/* Behind "[": an index, or a slice. */
static const struct node *
parse_index(struct parser *p, uint32_t at, const struct node *n, bool optional)
{
	const struct node *from = at_operator(p, ":") ? NULL : parse_expression(p, 0);
	if (accept(p, ":")) {
		struct node *slice = new_node(p, NODE_SLICE, at, n, from);
		if (!at_operator(p, "]"))
			slice->c = parse_expression(p, 0);
		if (slice->c && slice->c->depth >= slice->depth)
			slice->depth = slice->c->depth + 1;
		expect(p, "]");
		return slice;
	}
	expect(p, "]");
	const struct node *m = member(p, at, n, from, optional);
	return optional ? new_node(p, NODE_CHAIN, at, m, NULL) : m;
}

static const struct node *
parse_postfix(struct parser *p, const struct node *n)
{
	while (!p->failed) {
		uint32_t at = p->token.at;
		if (accept(p, ".")) {
			n = parse_dot(p, at, n, false);
		} else if (at_operator(p, "?.")) {
			lex_next(p);
			if (!(p->x->flags & EXPR_V115) && accept(p, "["))
				n = parse_index(p, at, n, true);
			else
				n = parse_dot(p, at, n, true);
		} else if (accept(p, "[")) {
			n = parse_index(p, at, n, false);
		} else {
			break;
		}
	}
	return n;
}

static const struct node *
parse_list(struct parser *p, uint32_t at)
{
	nodes items = { 0 };
	while (!p->failed && !at_operator(p, "]")) {
		*VEC_PUSH(&items) = parse_expression(p, 0);
		if (!accept(p, ","))
			break;
	}
	expect(p, "]");
	struct node *n = new_node(p, NODE_LIST, at, NULL, NULL);
	set_items(p, n, &items);
	return n;
}

static const struct node *
parse_key(struct parser *p)
{
	uint32_t at = p->token.at;
	struct token t = p->token;
	if (accept(p, "(")) {
		const struct node *n = parse_expression(p, 0);
		expect(p, ")");
		return n;
	}
	if (t.kind == TOKEN_STRING) {
		lex_next(p);
		return new_const(p, at, t.value);
	}
	if (t.kind != TOKEN_NAME && t.kind != TOKEN_NUMBER) {
		lex_fail(p, at, ERR_INVALID, "a key is a name, a number, a string, or an expression in parentheses");
		return new_const(p, at, val_null());
	}
	lex_next(p);
	return new_const(p, at, val_str(t.text));
}

static const struct node *
parse_map(struct parser *p, uint32_t at)
{
	nodes items = { 0 };
	while (!p->failed && !at_operator(p, "}")) {
		*VEC_PUSH(&items) = parse_key(p);
		expect(p, ":");
		*VEC_PUSH(&items) = parse_expression(p, 0);
		if (!accept(p, ","))
			break;
	}
	expect(p, "}");
	struct node *n = new_node(p, NODE_MAP, at, NULL, NULL);
	set_items(p, n, &items);
	return n;
}

static const struct node *
parse_name(struct parser *p)
{
	static const struct {
		const char *name;
		struct val value;
	} constants[] = { { "true", { .kind = VAL_BOOL, .b = true } }, { "false", { .kind = VAL_BOOL } }, { "nil", { .kind = VAL_NULL } } };
	struct token t = p->token;
	lex_next(p);
	for (size_t i = 0; i < ARRAY_LEN(constants); i++)
		if (str_eq(t.text, str_c(constants[i].name)))
			return new_const(p, t.at, constants[i].value);
	if (accept(p, "("))
		return parse_call(p, t.at, t.text, NULL);
	struct node *n = new_node(p, str_eq(t.text, S("$env")) ? NODE_ENV : NODE_NAME, t.at, NULL, NULL);
	n->name = t.text;
	return n;
}

static const struct node *
parse_pointer(struct parser *p)
{
	static const char *const names[] = { "index", "acc" };
	uint32_t at = p->token.at;
	struct node *n = new_node(p, NODE_POINTER, at, NULL, NULL);
	n->name = S("");
	if (!accept(p, "#")) /* ".name" is "#.name" */
		return n;
	if (p->token.kind == TOKEN_NAME && p->token.at == at + 1) {
		n->name = p->token.text;
		if (!str_eq(n->name, str_c(names[0])) && !str_eq(n->name, str_c(names[1])))
			lex_fail(p, at, ERR_INVALID, "#%.*s: must be #, #index or #acc", STR_ARG(str_slice(n->name, 0, 40)));
		lex_next(p);
	}
	return n;
}

static const struct node *
parse_primary(struct parser *p)
{
	uint32_t at = p->token.at;
	const struct node *n;
	for (size_t i = 0; i < ARRAY_LEN(unaries); i++) {
		if (!accept(p, unaries[i].text))
			continue;
		struct node *u = new_node(p, NODE_UNARY, at, parse_expression(p, unaries[i].precedence), NULL);
		u->op = unaries[i].op;
		return parse_postfix(p, u);
	}
	if (accept(p, "(")) {
		n = parse_sequence(p, ")");
		expect(p, ")");
	} else if (p->closures && (at_operator(p, "#") || at_operator(p, "."))) {
		n = parse_pointer(p);
	} else if (accept(p, "[")) {
		n = parse_list(p, at);
	} else if (accept(p, "{")) {
		n = parse_map(p, at);
	} else if (p->token.kind == TOKEN_NAME) {
		n = parse_name(p);
	} else if (p->token.kind == TOKEN_STRING) {
		n = new_const(p, at, p->token.value);
		lex_next(p);
	} else if (p->token.kind == TOKEN_NUMBER) {
		n = new_const(p, at, p->token.value);
		lex_next(p);
		return n;
	} else {
		unexpected(p);
		return new_const(p, at, val_null());
	}
	return parse_postfix(p, n);
}

static const struct node *
parse_let(struct parser *p)
{
	uint32_t at = p->token.at;
	lex_next(p);
	str name = p->token.text;
	if (p->token.kind != TOKEN_NAME)
		lex_fail(p, p->token.at, ERR_INVALID, "a name is expected behind let");
	else if (builtin_find(name))
		lex_fail(p, p->token.at, ERR_INVALID, "%.*s is a function: choose another name", STR_ARG(name));
	lex_next(p);
	expect(p, "=");
	const struct node *value = parse_expression(p, 0);
	expect(p, ";");
	struct node *n = new_node(p, NODE_LET, at, value, parse_sequence(p, NULL));
	n->name = name;
	return n;
}

static const struct node *
conditional(struct parser *p, uint32_t at, const struct node *a, const struct node *b, const struct node *c)
{
	struct node *n = new_node(p, NODE_COND, at, a, b);
	n->c = c;
	if (c->depth >= n->depth)
		n->depth = c->depth + 1;
	return n;
}

static const struct node *
parse_if(struct parser *p)
{
	uint32_t at = p->token.at;
	lex_next(p);
	const struct node *a = parse_expression(p, 0);
	expect(p, "{");
	const struct node *b = parse_sequence(p, "}");
	expect(p, "}");
	expect(p, "else");
	expect(p, "{");
	const struct node *c = parse_sequence(p, "}");
	expect(p, "}");
	return conditional(p, at, a, b, c);
}

static const struct operator *
find_operator(const struct token *t)
{
	for (size_t i = 0; i < ARRAY_LEN(operators); i++)
		if (t->kind == TOKEN_OPERATOR && str_eq(t->text, str_c(operators[i].text)))
			return &operators[i];
	return NULL;
}

/* a < b < c is a < b and b < c. The token is behind the first operator. */
static const struct node *
parse_comparison(struct parser *p, const struct operator *op, uint32_t at, const struct node *left)
{
	const struct node *all = NULL;
	for (;;) {
		const struct node *right = parse_expression(p, op->precedence + 1);
		const struct node *one = binary(p, op, at, left, right);
		all = all ? new_node(p, NODE_AND, at, all, one) : one;
		op = find_operator(&p->token);
		if (!op || !op->comparison || p->failed || (p->x->flags & EXPR_V115))
			return all;
		left = right;
		at = p->token.at;
		lex_next(p);
	}
}

static const struct node *
parse_pipe(struct parser *p, const struct node *left)
{
	struct token name = p->token;
	if (name.kind != TOKEN_NAME) {
		lex_fail(p, name.at, ERR_INVALID, "a function is expected behind |");
		return left;
	}
	lex_next(p);
	expect(p, "(");
	return parse_postfix(p, parse_call(p, name.at, name.text, left));
}

/* `not in` and the like: the operator that not stands before, with the token on it; NULL: not is something else here. */
static const struct operator *
negated_operator(struct parser *p, int precedence)
{
	struct parser before = *p;
	lex_next(p);
	const struct operator *op = find_operator(&p->token);
	bool allowed = false;
	for (size_t i = 0; op && i < ARRAY_LEN(after_not); i++)
		allowed |= strcmp(op->text, after_not[i]) == 0;
	if (!allowed) {
		unexpected(p);
		return NULL;
	}
	if (op->precedence >= precedence)
		return op;
	*p = before;
	return NULL;
}

static const struct node *
parse_operators(struct parser *p, const struct node *left, int precedence)
{
	bool coalesced = false;
	while (!p->failed) {
		bool negate = at_operator(p, "not");
		const struct operator *op = negate ? negated_operator(p, precedence) : find_operator(&p->token);
		if (!op || op->precedence < precedence)
			break;
		uint32_t at = p->token.at;
		if (coalesced && op->op != OP_COALESCE && op->op != OP_PIPE)
			lex_fail(p, at, ERR_INVALID, "%s and ?? cannot be mixed: put one of them in parentheses", op->text);
		coalesced = op->op == OP_COALESCE;
		lex_next(p);
		if (op->op == OP_PIPE)
			left = parse_pipe(p, left);
		else if (op->comparison)
			left = parse_comparison(p, op, at, left);
		else
			left = binary(p, op, at, left, parse_expression(p, op->precedence + !op->right));
		if (negate) {
			struct node *n = new_node(p, NODE_UNARY, at, left, NULL);
			n->op = OP_NOT;
			left = n;
		}
	}
	return left;
}

static const struct node *
parse_expression(struct parser *p, int precedence)
{
	if (++p->depth > EXPR_DEPTH_MAX)
		lex_fail(p, p->token.at, ERR_LIMIT, "the expression is nested more than %d deep", EXPR_DEPTH_MAX);
	const struct node *n;
	if (p->failed) {
		n = new_const(p, 0, val_null());
	} else if (precedence == 0 && at_operator(p, "let")) {
		n = parse_let(p);
	} else if (precedence == 0 && at_operator(p, "if") && !(p->x->flags & EXPR_V115)) {
		n = parse_if(p);
	} else {
		n = parse_operators(p, parse_primary(p), precedence);
		while (precedence == 0 && at_operator(p, "?") && !p->failed) {
			uint32_t at = p->token.at;
			lex_next(p);
			bool short_form = accept(p, ":");
			const struct node *yes = short_form ? n : parse_expression(p, 0);
			if (!short_form)
				expect(p, ":");
			n = conditional(p, at, n, yes, parse_expression(p, 0));
		}
	}
	p->depth--;
	return n;
}

/* Expressions with ; between them, up to `end` (NULL: wherever the last one ends). */
static const struct node *
parse_sequence(struct parser *p, const char *end)
{
	uint32_t at = p->token.at;
	const struct node *n = parse_expression(p, 0);
	if (!at_operator(p, ";") || (p->x->flags & EXPR_V115))
		return n;
	nodes items = { 0 };
	*VEC_PUSH(&items) = n;
	while (!p->failed && accept(p, ";") && p->token.kind != TOKEN_END && !(end && at_operator(p, end)))
		*VEC_PUSH(&items) = parse_expression(p, 0);
	struct node *sequence = new_node(p, NODE_SEQUENCE, at, NULL, NULL);
	set_items(p, sequence, &items);
	return sequence;
}

int
expr_compile(str text, const struct expr_options *o, struct expr **out, struct err *e)
{
	if (text.n > EXPR_TEXT_MAX)
		return err_set(e, ERR_LIMIT, "an expression of %zu bytes: must be at most %d", text.n, EXPR_TEXT_MAX);
	struct expr *x = MEM_NEW(struct expr);
	*x = (struct expr){ .arena = arena_new(), .flags = o->flags, .arg = o->arg };
	x->text = arena_dup(x->arena, text.p ? text : S(""));
	struct parser p = { .x = x, .o = o, .text = x->text, .e = e };
	lex_next(&p);
	x->root = parse_sequence(&p, NULL);
	if (!p.failed && p.token.kind != TOKEN_END)
		unexpected(&p);
	if (p.failed) {
		expr_free(x);
		return -1;
	}
	*out = x;
	return 0;
}

void
expr_free(struct expr *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < x->regexes.n; i++)
		regex_free(x->regexes.p[i]);
	VEC_FREE(&x->regexes);
	arena_free(x->arena);
	free(x);
}
