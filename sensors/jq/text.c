/* SPDX-License-Identifier: Apache-2.0 */
#include "sensors/jq/text.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* On one line, so that jq's line numbers are the program's. */
static const char prelude[] =
	"def limit($n; f): if $n > 0 then label $__limit | foreach f as $x (0; . + 1; $x, if . >= $n then break $__limit else empty end)"
	" elif $n == 0 then empty else error(\"negative limit\") end; "
	"def skip($n; f): if $n > 0 then foreach f as $x ($n; . - 1; if . < 0 then $x else empty end)"
	" elif $n == 0 then f else error(\"negative skip\") end; "
	"def pick(f): . as $top | reduce path(f) as $p (null; setpath($p; $top | getpath($p))); "
	"def debug(f): .; "
	"def add(f): reduce f as $x (null; . + $x); "
	"def toarray: if type == \"array\" then . else [.] end; "
	"def abs: if type == \"number\" then (if . < 0 then - . else . end) else error(type + \" has no absolute value\") end; "
	"def have_literal_numbers: true; def have_decnum: false; "
	"def _text(f): if type == \"string\" then f else error(type + \" cannot be trimmed\") end; "
	"def ltrim: _text(sub(\"\\\\A\\\\s+\"; \"\")); def rtrim: _text(sub(\"\\\\s+\\\\z\"; \"\")); def trim: ltrim | rtrim; "
	"def trimstr($x): ltrimstr($x) | rtrimstr($x); "
	"def scan($re; $flags): match($re; \"g\" + $flags) | if (.captures | length) > 0 then [.captures[].string] else .string end; "
	"def splits($re): splits($re; null); "
	"def _base64: \"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/\"; "
	"def _bits($n): . as $x | [range($n - 1; -1; -1) as $i | ($x / pow(2; $i) | floor) % 2]; "
	"def _number: reduce .[] as $b (0; . * 2 + $b); "
	"def _base32d: [tostring | explode[] | select(. != 61) | if . >= 65 and . <= 90 then . - 65 elif . >= 50 and . <= 55 then . - 24"
	" else error(\"not base32\") end] | [.[] | _bits(5)[]] | .[:((length / 8 | floor) * 8)]"
	" | [range(0; length; 6) as $i | .[$i:$i + 6] | (. + [range(length; 6) | 0]) | _number | _base64[.:. + 1]] | add // \"\""
	" | . + (\"====\"[:(4 - length % 4) % 4]) | @base64d; "
	"def _format(f): format(f); "
	"def format(f): f as $f | if $f == \"base32d\" then _base32d else _format($f) end; ";

/* ---- output -------------------------------------------------------------------------------------------------------- */

struct out {
	char *p;
	size_t n, cap;
};

static bool
put(struct out *o, const char *s, size_t n)
{
	if (o->n + n + 1 > o->cap) {
		size_t cap = 2 * o->cap + n + 1;
		char *p = realloc(o->p, cap);
		if (!p)
			return false;
		o->p = p;
		o->cap = cap;
	}
	memcpy(o->p + o->n, s, n);
	o->n += n;
	o->p[o->n] = 0;
	return true;
}

/* ---- the program's tokens --------------------------------------------------------------------------------------------- */

enum { DEPTH_MAX = 1000 };

struct scan {
	const char *s;
	size_t n, i;
	struct out *o;
	/* for each `if` that is open: whether its `else` came */
	bool has_else[DEPTH_MAX];
	size_t ifs;
	/* for each string whose interpolation we are in: the parentheses open in it */
	unsigned parens[DEPTH_MAX];
	size_t strings;
	size_t keyword; /* where the last keyword ended: a dot there begins a term */
};

static bool
is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* From the quote, or from the end of an interpolation, to the end of the string or to the next "\(". */
static bool
string(struct scan *c)
{
	size_t start = c->i;
	while (c->i < c->n && c->s[c->i] != '"') {
		if (c->s[c->i] != '\\') {
			c->i++;
			continue;
		}
		bool into = c->i + 1 < c->n && c->s[c->i + 1] == '(';
		c->i += c->i + 2 <= c->n ? 2 : 1;
		if (into && c->strings < DEPTH_MAX) {
			c->parens[c->strings++] = 0;
			return put(c->o, c->s + start, c->i - start);
		}
	}
	c->i += c->i < c->n;
	return put(c->o, c->s + start, c->i - start);
}

/* The last byte that is not white space, before what comes next. */
static char
before(const struct scan *c, size_t at)
{
	while (at > 0 && isspace((unsigned char)c->s[at - 1]))
		at--;
	return at ? c->s[at - 1] : 0;
}

static char
after(const struct scan *c, size_t at)
{
	while (at < c->n && isspace((unsigned char)c->s[at]))
		at++;
	return at < c->n ? c->s[at] : 0;
}

static bool
is_keyword(const char *w, size_t n)
{
	static const char *const words[] = { "if", "then", "elif", "else", "and", "or", "as", "def", "reduce", "foreach", "try", "catch", "label", "import",
		                             "include" };
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strlen(words[i]) == n && !memcmp(words[i], w, n))
			return true;
	return false;
}

static bool
word(struct scan *c)
{
	size_t start = c->i;
	while (c->i < c->n && is_word(c->s[c->i]))
		c->i++;
	const char *w = c->s + start;
	size_t n = c->i - start;
	char left = start ? c->s[start - 1] : 0;
	bool plain = left != '.' && left != '$' && left != '@' && !(after(c, c->i) == ':' && strchr("{,", before(c, start)));
	if (plain && is_keyword(w, n))
		c->keyword = c->i;
	if (plain && n == 2 && !memcmp(w, "if", 2) && c->ifs < DEPTH_MAX)
		c->has_else[c->ifs++] = false;
	else if (plain && n == 4 && !memcmp(w, "else", 4) && c->ifs)
		c->has_else[c->ifs - 1] = true;
	else if (plain && n == 3 && !memcmp(w, "end", 3) && c->ifs && !c->has_else[--c->ifs] && !put(c->o, "else . ", 7))
		return false;
	return put(c->o, w, n);
}

static bool
comment(struct scan *c)
{
	size_t start = c->i;
	while (c->i < c->n && c->s[c->i] != '\n')
		c->i++;
	return put(c->o, c->s + start, c->i - start);
}

/* A dot behind a term and before a bracket is one too many for jq 1.6. */
static bool
is_spare_dot(const struct scan *c)
{
	char left = c->i ? c->s[c->i - 1] : 0;
	return c->s[c->i] == '.' && c->i != c->keyword && c->i + 1 < c->n && c->s[c->i + 1] == '[' && left && (is_word(left) || strchr("])\"?", left));
}

static bool
token(struct scan *c)
{
	char ch = c->s[c->i];
	if (is_word(ch))
		return word(c);
	if (ch == '#')
		return comment(c);
	c->i++;
	if (ch == '"')
		return put(c->o, "\"", 1) && string(c);
	if (ch == '(' && c->strings)
		c->parens[c->strings - 1]++;
	if (ch == ')' && c->strings && c->parens[c->strings - 1]-- == 0) {
		c->strings--;
		return put(c->o, ")", 1) && string(c);
	}
	return put(c->o, &ch, 1);
}

char *
jq_text(const char *program, size_t n)
{
	struct out o = { 0 };
	struct scan *c = calloc(1, sizeof *c);
	bool ok = c && put(&o, prelude, sizeof prelude - 1);
	if (c)
		*c = (struct scan){ .s = program, .n = n, .o = &o };
	while (ok && c->i < n) {
		if (is_spare_dot(c))
			c->i++;
		ok = token(c);
	}
	free(c);
	if (ok)
		return o.p;
	free(o.p);
	return NULL;
}
