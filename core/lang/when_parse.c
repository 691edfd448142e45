/* SPDX-License-Identifier: Apache-2.0 */
/*
 * when_parse: tokens, and a precedence-climbing parser to a tree. Every operator is a row of one table. The tree lives in an arena;
 * tokens and depth are limited, and so is every loop here.
 */
#include <ctype.h>

#include "core/lang/gotime.h"
#include "core/tz.h"
#include "core/lang/when_impl.h"

/* ---- operators ------------------------------------------------------------------------------------------------- */

/* Precedence as in govaluate's stage planner: a higher number binds tighter. 0: not a binary operator. */
static const struct {
	const char *text;
	enum when_op op;
	int precedence;
} operators[] = {
	{ ",", OP_LIST, 1 },
	{ "?", OP_CHOOSE, 2 },
	{ ":", OP_ELSE, 2 },
	{ "??", OP_COALESCE, 2 },
	{ "||", OP_OR, 3 },
	{ "&&", OP_AND, 4 },
	{ "==", OP_EQ, 5 },
	{ "!=", OP_NE, 5 },
	{ "<", OP_LT, 5 },
	{ "<=", OP_LE, 5 },
	{ ">", OP_GT, 5 },
	{ ">=", OP_GE, 5 },
	{ "=~", OP_MATCH, 5 },
	{ "!~", OP_NOMATCH, 5 },
	{ "in", OP_IN, 5 },
	{ "IN", OP_IN, 5 },
	{ "&", OP_BITAND, 6 },
	{ "|", OP_BITOR, 6 },
	{ "^", OP_BITXOR, 6 },
	{ "<<", OP_SHL, 7 },
	{ ">>", OP_SHR, 7 },
	{ "+", OP_ADD, 8 },
	{ "-", OP_SUB, 8 },
	{ "*", OP_MUL, 9 },
	{ "/", OP_DIV, 9 },
	{ "%", OP_MOD, 9 },
	{ "**", OP_POW, 10 },
	{ "!", OP_NOT, 0 },
	{ "~", OP_INVERT, 0 },
};

const char *
when_op_text(enum when_op op)
{
	for (size_t i = 0; i < ARRAY_LEN(operators); i++)
		if (operators[i].op == op)
			return operators[i].text;
	return op == OP_NEG ? "-" : "";
}

/* Modifiers, in govaluate's words: nothing that it takes for a date may stand behind one. */
static bool
is_arithmetic(enum when_op op)
{
	return op >= OP_BITAND && op <= OP_POW;
}

static bool
is_choice(enum when_op op)
{
	return op >= OP_CHOOSE && op <= OP_COALESCE;
}

static bool
is_prefix(enum when_op op)
{
	return op >= OP_NOT;
}

/* ---- tokens ---------------------------------------------------------------------------------------------------- */

enum token_kind { TOKEN_END, TOKEN_VALUE, TOKEN_TEXT, TOKEN_TIME, TOKEN_NAME, TOKEN_OP, TOKEN_OPEN, TOKEN_CLOSE };
struct parser {
	struct arena *arena;
	struct err *err;
	struct when *when;
	str text;
	size_t pos, tokens, depth;
	enum token_kind kind; /* of the token under the cursor */
	struct val value;
	enum when_op op;
	str seen;         /* its text */
	bool after_value; /* what came before it can be a left operand: tells minus from negation */
};

str
when_cited(struct arena *a, const struct when *w)
{
	return arena_fmt(a, "'%.*s'", (int)(w->text.n < 200 ? w->text.n : 200), w->text.p);
}

static int
fail(struct parser *p, const char *why, str what)
{
	return err_set(p->err, ERR_INVALID, "Invalid %sexpression %.*s: %s%s%.*s%s", p->when->names ? "" : "'when' ",
		STR_ARG(when_cited(p->arena, p->when)), why, what.p ? ": '" : "", STR_ARG(what), what.p ? "'" : "");
}

/* Of UTF-8 every letter is taken, like Go's IsLetter nearly does. */
static bool
is_letter(char c)
{
	return isalpha((unsigned char)c) || (unsigned char)c >= 0x80;
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
	double number = 0;
	p->pos = from + (hex ? 2 : 0);
	while (p->pos < p->text.n && (hex ? isxdigit((unsigned char)p->text.p[p->pos])
					  : isdigit((unsigned char)p->text.p[p->pos]) || p->text.p[p->pos] == '.'))
		p->pos++;
	p->seen = str_slice(p->text, from, p->pos);
	p->kind = TOKEN_VALUE;
	if (hex) {
		char *end;
		number = (double)strtoull(str_z(p->arena, str_slice(p->seen, 2, p->seen.n)), &end, 16);
		if (*end || p->seen.n == 2)
			return fail(p, "Unable to parse hex value to uint64", p->seen);
	} else {
		str digits = p->seen.n > 1 && str_ends(p->seen, S(".")) ? str_slice(p->seen, 0, p->seen.n - 1) : p->seen;
		digits = str_starts(digits, S(".")) ? arena_fmt(p->arena, "0%.*s", STR_ARG(digits)) : digits;
		if (!str_to_double(digits, &number))
			return fail(p, "Unable to parse numeric value to float64", p->seen);
	}
	p->value = val_float(number);
	return 0;
}

/* The layouts that govaluate tries a quoted text with, in its order. */
static const char *const time_layouts[] = { "Mon Jan _2 15:04:05 2006", "Mon Jan _2 15:04:05 MST 2006", "Mon Jan 02 15:04:05 -0700 2006", "3:04PM",
	"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05.999999999Z07:00", "2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05",
	"2006-01-02 15:04:05-07:00", "2006-01-02T15Z0700", "2006-01-02T15:04Z0700", "2006-01-02T15:04:05Z0700",
	"2006-01-02T15:04:05.999999999Z0700" };

/* Seconds since 1970 if the text is a date. */
static bool
date_of(str text, double *seconds)
{
	struct go_time t;
	/* each has a digit and one of these, so that most texts are not looked at any further */
	if (text.n > 64 || text.n < 6 || (str_find_char(text, '-', 0) == SIZE_MAX && str_find_char(text, ':', 0) == SIZE_MAX))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(time_layouts); i++) {
		if (!go_time_parse(str_c(time_layouts[i]), text, &t))
			continue;
		struct civil c = { .year = t.year, .month = t.month, .day = t.day, .hour = t.hour, .minute = t.minute, .second = t.second };
		*seconds = (double)(civil_seconds(&c) - t.offset);
		return true;
	}
	return false;
}

/* Up to the closing quote; a backslash takes the next character as it is. */
static int
read_quoted(struct parser *p, size_t from, char quote, const char *unclosed)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	size_t i = from + 1;
	double seconds;
	for (; i < p->text.n && p->text.p[i] != quote; i++) {
		if (p->text.p[i] == '\\' && i + 1 < p->text.n)
			i++;
		buf_addc(&b, p->text.p[i]);
	}
	if (i >= p->text.n)
		return fail(p, unclosed, str_slice(p->text, from, p->text.n < from + 40 ? p->text.n : from + 40));
	p->pos = i + 1;
	p->seen = str_slice(p->text, from, p->pos);
	p->kind = quote == ']' && p->when->names ? TOKEN_NAME : TOKEN_TEXT;
	p->value = val_str(arena_dup(p->arena, buf_str(&b)));
	if (quote != ']' && date_of(buf_str(&b), &seconds)) {
		p->kind = TOKEN_TIME;
		p->value = val_float(seconds);
	}
	return 0;
}

/* The word's text: a backslash takes the next character as it is. */
static str
read_letters(struct parser *p, size_t from)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (p->pos = from; p->pos < p->text.n; p->pos++) {
		char c = p->text.p[p->pos];
		if (c == '\\' && p->pos + 1 < p->text.n)
			c = p->text.p[++p->pos];
		else if (!is_letter(c) && !isdigit((unsigned char)c) && c != '_' && c != '.')
			break;
		buf_addc(&b, c);
	}
	p->seen = str_slice(p->text, from, p->pos);
	return arena_dup(p->arena, buf_str(&b));
}

static int
read_word(struct parser *p, size_t from)
{
	str word = read_letters(p, from);
	p->kind = p->when->names ? TOKEN_NAME : TOKEN_TEXT;
	p->value = val_str(word);
	if (str_eq(word, S("true")) || str_eq(word, S("false"))) {
		p->kind = TOKEN_VALUE;
		p->value = val_bool(word.n == 4);
	} else if (str_eq(word, S("in")) || str_eq(word, S("IN"))) {
		p->kind = TOKEN_OP;
		p->op = OP_IN;
	} else if (str_find_char(word, '.', 0) != SIZE_MAX) {
		/* govaluate takes a.b for a field of a Go struct, of which there are none */
		return fail(p, p->when->names ? "Unable to access a field; a name with a dot stands in brackets" : "Unable to access a field, quote the text",
		            p->seen);
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
	p->after_value = p->tokens && p->kind != TOKEN_OP && p->kind != TOKEN_OPEN;
	while (p->pos < p->text.n && isspace((unsigned char)p->text.p[p->pos]))
		p->pos++;
	size_t i = p->pos;
	if (++p->tokens > WHEN_TOKENS_MAX)
		return err_set(p->err, ERR_LIMIT, "%sexpression: more than %d tokens", p->when->names ? "" : "'when' ", WHEN_TOKENS_MAX);
	if (i >= p->text.n) {
		p->kind = TOKEN_END;
		p->seen = S("the end");
		return 0;
	}
	char c = p->text.p[i];
	if (isdigit((unsigned char)c) || c == '.')
		return read_number(p, i);
	if (is_letter(c))
		return read_word(p, i);
	if (c == '\'' || c == '"')
		return read_quoted(p, i, c, "Unclosed string literal");
	if (c == '[')
		return read_quoted(p, i, ']', "Unclosed parameter bracket");
	if (c == '(' || c == ')') {
		p->kind = c == '(' ? TOKEN_OPEN : TOKEN_CLOSE;
		p->seen = str_slice(p->text, i, i + 1);
		p->pos++;
		return 0;
	}
	if (c == ',') { /* never part of a run of symbols that it begins: (1,-2) */
		p->kind = TOKEN_OP;
		p->op = OP_LIST;
		p->seen = str_slice(p->text, i, i + 1);
		p->pos++;
		return 0;
	}
	return read_symbols(p, i);
}

/* ---- parser ---------------------------------------------------------------------------------------------------- */

static struct when_tree *expression(struct parser *p, int lowest);

static struct when_tree *
node(struct parser *p, enum when_op op, struct when_tree *left, struct when_tree *right)
{
	struct when_tree *t = ARENA_NEW(p->arena, struct when_tree);
	t->op = op;
	t->left = left;
	t->right = right;
	return t;
}

static struct when_tree *
unexpected(struct parser *p)
{
	(void)fail(p, "Unexpected token, a value should stand here", p->seen);
	return NULL;
}

/* Behind '(': an expression; nothing is null. */
static struct when_tree *
clause(struct parser *p)
{
	if (next(p))
		return NULL;
	struct when_tree *t = p->kind == TOKEN_CLOSE ? node(p, OP_NONE, NULL, NULL) : expression(p, 1);
	if (!t)
		return NULL;
	if (p->kind != TOKEN_CLOSE) {
		bool end = p->kind == TOKEN_END;
		(void)fail(p, end ? "Unbalanced parenthesis" : "Cannot transition token types to", end ? STR_NONE : p->seen);
		return NULL;
	}
	t->in_parens = true;
	return next(p) ? NULL : t;
}

static struct when_tree *
leaf(struct parser *p)
{
	if (p->kind == TOKEN_OPEN)
		return clause(p);
	if (p->kind != TOKEN_VALUE && p->kind != TOKEN_TEXT && p->kind != TOKEN_TIME && p->kind != TOKEN_NAME)
		return unexpected(p);
	struct when_tree *t = node(p, p->kind == TOKEN_NAME ? OP_NAME : OP_NONE, NULL, NULL);
	if (p->kind == TOKEN_TIME)
		t->date = p->seen;
	t->value = p->value;
	if (next(p))
		return NULL;
	if (t->date.n && p->kind == TOKEN_OP && is_choice(p->op)) {
		(void)fail(p, "Cannot transition token types from a date to", p->seen);
		return NULL;
	}
	return t;
}

static struct when_tree *
operand(struct parser *p)
{
	if (p->kind != TOKEN_OP || !is_prefix(p->op))
		return leaf(p);
	enum when_op op = p->op;
	if (next(p))
		return NULL;
	if (p->kind == TOKEN_OP || p->kind == TOKEN_TEXT || p->kind == TOKEN_TIME)
		return unexpected(p);
	struct when_tree *t = leaf(p);
	return t ? node(p, op, NULL, t) : NULL;
}

static int
precedence(const struct parser *p)
{
	for (size_t i = 0; p->kind == TOKEN_OP && i < ARRAY_LEN(operators); i++)
		if (operators[i].op == p->op)
			return operators[i].precedence;
	return 0;
}

/* A list as far as it is on this level: its items are kept beside each other. */
static struct when_tree *
list(struct parser *p, struct when_tree *first)
{
	VEC(struct when_tree *) items = { 0 };
	*VEC_PUSH(&items) = first;
	while (p->kind == TOKEN_OP && p->op == OP_LIST) {
		struct when_tree *t = next(p) ? NULL : expression(p, 2);
		if (!t) {
			VEC_FREE(&items);
			return NULL;
		}
		*VEC_PUSH(&items) = t;
	}
	struct when_tree *out = node(p, OP_LIST, NULL, NULL);
	out->items = ARENA_ARRAY(p->arena, struct when_tree *, items.n);
	out->n = items.n;
	memcpy(out->items, items.p, items.n * sizeof *items.p);
	VEC_FREE(&items);
	return out;
}

/* A constant pattern is compiled once, and is wrong whether or not it is come to. */
static int
keep_pattern(struct parser *p, struct when_tree *t)
{
	struct regex *re;
	struct err why;
	str pattern = val_text(&t->right->value);
	if (regex_compile(pattern, &re, &why))
		return err_set(p->err, why.code, "Invalid %sexpression %.*s: Unable to compile regexp pattern '%.*s': %s", p->when->names ? "" : "'when' ",
			STR_ARG(when_cited(p->arena, p->when)), (int)(pattern.n < 100 ? pattern.n : 100), pattern.p, why.msg);
	*VEC_PUSH(&p->when->patterns) = re;
	t->pattern = re;
	return 0;
}

static struct when_tree *
binary(struct parser *p, struct when_tree *left, int level)
{
	enum when_op op = p->op;
	if (op == OP_LIST)
		return list(p, left);
	if (next(p))
		return NULL;
	if (p->kind == TOKEN_TIME && is_arithmetic(op))
		return unexpected(p);
	bool literal = p->kind == TOKEN_TEXT && (op == OP_MATCH || op == OP_NOMATCH);
	struct when_tree *right = expression(p, level + 1);
	if (!right)
		return NULL;
	struct when_tree *t = node(p, op, left, right);
	return literal && right->op == OP_NONE && keep_pattern(p, t) ? NULL : t;
}

static struct when_tree *
expression(struct parser *p, int lowest)
{
	if (++p->depth > WHEN_DEPTH_MAX) {
		(void)err_set(p->err, ERR_LIMIT, "%sexpression: nested deeper than %d", p->when->names ? "" : "'when' ", WHEN_DEPTH_MAX);
		return NULL;
	}
	struct when_tree *left = operand(p);
	for (int level; left && (level = precedence(p)) >= lowest && level > 0;)
		left = binary(p, left, level);
	p->depth--;
	return left;
}

int
when_parse(struct when *w, struct arena *a, struct err *e)
{
	struct parser p = { .arena = a, .err = e, .when = w, .text = w->text };
	if (w->text.n > WHEN_MAX)
		return err_set(e, ERR_LIMIT, "%sexpression: longer than %d bytes", w->names ? "" : "'when' ", WHEN_MAX);
	if (next(&p) || !(w->root = expression(&p, 1)))
		return -1;
	if (p.kind == TOKEN_END)
		return 0;
	bool close = p.kind == TOKEN_CLOSE;
	return fail(&p, close ? "Unbalanced parenthesis" : "Cannot transition token types to", close ? STR_NONE : p.seen);
}
