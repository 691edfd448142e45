/* SPDX-License-Identifier: Apache-2.0 */
/* The words of an expression: names, numbers, strings, operators (expr-lang parser/lexer). */
#include "core/lang/expr_lex.h"
#include "core/lang/gofmt.h"
#include "core/utf8.h"

/* Words that are no names. */
static const char *const word_operators[] = { "not", "or", "and", "in", "matches", "contains", "startsWith", "endsWith", "let", "if", "else" };

/* ---- trouble -------------------------------------------------------------------------------------------------- */

static void
place(str text, uint32_t at, unsigned *line, unsigned *col)
{
	*line = *col = 1;
	for (size_t i = 0; i < at && i < text.n; i++) {
		bool newline = text.p[i] == '\n';
		*line += newline;
		*col = newline ? 1 : *col + ((text.p[i] & 0xc0) != 0x80);
	}
}

void
lex_fail(struct parser *p, uint32_t at, enum err_code code, const char *fmt, ...)
{
	char msg[300];
	unsigned line, col;
	if (p->failed)
		return;
	p->failed = true;
	p->token = (struct token){ .kind = TOKEN_END, .at = at };
	p->pos = p->text.n;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof msg, fmt, ap);
	va_end(ap);
	place(p->text, at, &line, &col);
	err_set(p->e, code, "%u:%u: %s", line, col, msg);
}

/* ---- words ---------------------------------------------------------------------------------------------------- */

static int
char_at(const struct parser *p, size_t i)
{
	return i < p->text.n ? (unsigned char)p->text.p[i] : -1;
}

static bool
is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool
is_name_char(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == '$' || c >= 0x80;
}

static bool
starts_name(int c)
{
	return c >= 0 && is_name_char(c) && !is_digit(c);
}

static void
skip_blank(struct parser *p)
{
	for (;;) {
		int c = char_at(p, p->pos), next = char_at(p, p->pos + 1);
		if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
			p->pos++;
		} else if (c == '/' && next == '/') {
			size_t end = str_find_char(p->text, '\n', p->pos);
			p->pos = end == SIZE_MAX ? p->text.n : end;
		} else if (c == '/' && next == '*') {
			size_t end = str_find(p->text, S("*/"), p->pos + 2);
			if (end == SIZE_MAX) {
				lex_fail(p, (uint32_t)p->pos, ERR_INVALID, "a comment without an end");
				return;
			}
			p->pos = end + 2;
		} else {
			return;
		}
	}
}

static bool
hex_value(const struct parser *p, size_t at, unsigned n, uint32_t *out)
{
	*out = 0;
	for (unsigned i = 0; i < n; i++) {
		int c = char_at(p, at + i);
		int v = is_digit(c) ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
		if (c < 0 || v < 0)
			return false;
		*out = *out << 4 | (uint32_t)v;
	}
	return true;
}

/* What follows a backslash at p->pos. Go's escapes, both quotes. */
static bool
read_escape(struct parser *p, struct buf *b)
{
	static const char from[] = "abfnrtv\\\"'", to[] = "\a\b\f\n\r\t\v\\\"'";
	int c = char_at(p, p->pos++);
	const char *simple = c > 0 ? strchr(from, c) : NULL;
	if (simple) {
		buf_addc(b, to[simple - from]);
		return true;
	}
	unsigned digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
	uint32_t v = 0;
	if (digits) {
		if (!hex_value(p, p->pos, digits, &v) || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
			return false;
		p->pos += digits;
	} else if (c >= '0' && c <= '7') {
		for (unsigned i = 0; i < 2; i++)
			if (char_at(p, p->pos + i) < '0' || char_at(p, p->pos + i) > '7')
				return false;
		v = (uint32_t)((c - '0') << 6 | (p->text.p[p->pos] - '0') << 3 | (p->text.p[p->pos + 1] - '0'));
		p->pos += 2;
	} else {
		return false;
	}
	char utf8[4];
	buf_add(b, (str){ utf8, (size_t)(utf8_put(utf8, v) - utf8) });
	return true;
}

static struct val
read_string(struct parser *p, char quote)
{
	size_t start = p->pos++;
	struct buf b CLEANUP(free_buf) = { 0 };
	for (;;) {
		int c = char_at(p, p->pos);
		if (c < 0 || (c == '\n' && quote != '`')) {
			lex_fail(p, (uint32_t)start, ERR_INVALID, "a string without an end");
			return val_null();
		}
		p->pos++;
		if (c == quote) {
			if (quote != '`' || char_at(p, p->pos) != '`')
				break;
			p->pos++; /* two backticks are one */
		} else if (c == '\\' && quote != '`') {
			if (!read_escape(p, &b)) {
				lex_fail(p, (uint32_t)p->pos - 1, ERR_INVALID, "invalid escape in a string");
				return val_null();
			}
			continue;
		}
		buf_addc(&b, (char)c);
	}
	return val_str(arena_dup(p->x->arena, buf_str(&b)));
}

static struct val
read_number(struct parser *p)
{
	size_t start = p->pos;
	bool based = char_at(p, start) == '0' && char_at(p, start + 1) > 0 && strchr("xXbBoO", char_at(p, start + 1));
	bool is_float = false;
	for (;; p->pos++) {
		int c = char_at(p, p->pos);
		if (c == '.') {
			if (based || is_float || char_at(p, p->pos + 1) == '.') /* 1..3 is a range */
				break;
			is_float = true;
		} else if (!based && (c == 'e' || c == 'E')) {
			is_float = true;
			int sign = char_at(p, p->pos + 1);
			p->pos += sign == '+' || sign == '-';
		} else if (!is_digit(c) && c != '_' && !(based && starts_name(c))) {
			break;
		}
	}
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = start; i < p->pos; i++)
		if (p->text.p[i] != '_')
			buf_addc(&b, p->text.p[i]);
	int64_t i;
	double f;
	if (is_float ? !go_parse_float(buf_str(&b), &f) : !go_parse_int(buf_str(&b), based ? 0 : 10, &i)) {
		lex_fail(p, (uint32_t)start, ERR_INVALID, "invalid number %.*s", STR_ARG(str_slice(buf_str(&b), 0, 40)));
		return val_null();
	}
	return is_float ? val_float(f) : val_int(i);
}

bool
lex_is_operator_word(str s)
{
	for (size_t i = 0; i < ARRAY_LEN(word_operators); i++)
		if (str_eq(s, str_c(word_operators[i])))
			return true;
	return false;
}

/* Longest first. */
static size_t
operator_length(const struct parser *p)
{
	static const char *const pairs[] = { "||", "&&", "==", "!=", "<=", ">=", "..", "**", "??", "?.", "::" };
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		if (char_at(p, p->pos) == pairs[i][0] && char_at(p, p->pos + 1) == pairs[i][1])
			return 2;
	int c = char_at(p, p->pos);
	return c > 0 && strchr("|<>+-*/%^!?:.,;=#()[]{}", c) ? 1 : 0;
}

void
lex_next(struct parser *p)
{
	skip_blank(p);
	if (p->failed)
		return;
	size_t start = p->pos;
	struct token t = { .at = (uint32_t)start };
	int c = char_at(p, start);
	if (c == '"' || c == '\'' || (c == '`' && !(p->x->flags & EXPR_V115))) {
		t.kind = TOKEN_STRING;
		t.value = read_string(p, (char)c);
	} else if (is_digit(c) || (c == '.' && is_digit(char_at(p, start + 1)))) {
		t.kind = TOKEN_NUMBER;
		t.value = read_number(p);
	} else if (starts_name(c)) {
		while (char_at(p, p->pos) >= 0 && is_name_char(char_at(p, p->pos)))
			p->pos++;
		t.kind = lex_is_operator_word(str_slice(p->text, start, p->pos)) ? TOKEN_OPERATOR : TOKEN_NAME;
	} else if (c >= 0) {
		size_t n = operator_length(p);
		if (!n) {
			lex_fail(p, (uint32_t)start, ERR_INVALID, "'%c' has no meaning here", c);
			return;
		}
		p->pos += n;
		t.kind = TOKEN_OPERATOR;
	}
	if (p->failed)
		return;
	t.text = str_slice(p->text, start, p->pos);
	p->token = t;
}
