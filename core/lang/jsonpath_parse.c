/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a JSONPath: cut into tokens, then each token by itself. Both steps do what the library does (token/token.go),
 * also where that is odd: quotes and brackets are counted, not matched.
 */
#include "core/lang/gofmt.h"
#include "core/lang/jsonpath_impl.h"

/* ---- cutting ---------------------------------------------------------------------------------------------------- */

typedef VEC(str) texts;

struct cutter {
	struct buf token;
	size_t quotes, open_script, close_script, open_subscript, close_subscript;
};

static void
count(struct cutter *c, char ch)
{
	if (!c->token.n)
		c->quotes = c->open_script = c->close_script = 0;
	c->quotes += ch == '\'';
	c->open_script += ch == '(';
	c->close_script += ch == ')';
	c->open_subscript += ch == '[';
	c->close_subscript += ch == ']';
}

/* The token so far without `cut` bytes at its end, and without a dot before it, is one. */
static void
push(struct jp *p, struct cutter *c, size_t cut, texts *out)
{
	str t = str_slice(buf_str(&c->token), 0, c->token.n - cut);
	if (t.n && t.p[0] == '.' && !str_eq(t, S("..")))
		t = str_slice(t, 1, t.n);
	*VEC_PUSH(out) = arena_dup(p->arena, t);
	c->token.n = 0;
}

static size_t
times(str s, char c)
{
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == c;
	return n;
}

static bool
inside(const struct cutter *c)
{
	return c->quotes % 2 == 1 || c->open_script != c->close_script;
}

/* One more byte, which is not the first of the selector. */
static void
cut_one(struct jp *p, struct cutter *c, char ch, texts *out)
{
	str t = buf_str(&c->token);
	if (str_eq(t, S(".")))
		return;
	if (str_eq(t, S(".."))) {
		push(p, c, 0, out);
		return;
	}
	if (ch == '[') {
		if (str_eq(t, S("[")) || str_eq(t, S(".[")) || times(t, '[') > 1)
			return;
		push(p, c, 1, out);
		buf_addc(&c->token, '[');
		return;
	}
	if (inside(c))
		return;
	if (times(t, '[')) {
		if (ch == ']' && c->open_subscript == c->close_subscript)
			push(p, c, 0, out);
	} else if (ch == '.') {
		push(p, c, 1, out);
		buf_addc(&c->token, '.');
	}
}

static int
cut(struct jp *p, str s, texts *out)
{
	struct cutter c = { 0 };
	if (!s.n)
		return jp_fail(p, "unexpected token '' at index 0");
	if (s.p[0] != '$' && s.p[0] != '@')
		return jp_fail(p, "unexpected token '%.*s' at index 0", 1, s.p);
	if (s.n > 1 && s.p[1] != '.' && s.p[1] != '[')
		return jp_fail(p, "unexpected token '%.*s' at index 1", 1, s.p + 1);
	*VEC_PUSH(out) = str_slice(s, 0, 1);
	for (size_t i = 1; i < s.n; i++) {
		count(&c, s.p[i]);
		buf_addc(&c.token, s.p[i]);
		cut_one(p, &c, s.p[i], out);
	}
	if (c.token.n) {
		str t = buf_str(&c.token);
		*VEC_PUSH(out) = arena_dup(p->arena, t.p[0] == '.' ? str_slice(t, 1, t.n) : t);
	}
	buf_free(&c.token);
	return jp_spend(p, s.n);
}

/* ---- subscripts ------------------------------------------------------------------------------------------------- */

typedef VEC(struct jp_arg) args;

static bool
is_script(str t)
{
	return t.n > 2 && t.p[0] == '(' && t.p[t.n - 1] == ')';
}

static bool
is_key(str t)
{
	return t.n > 1 && (t.p[0] == '\'' || t.p[0] == '"') && t.p[t.n - 1] == t.p[0];
}

static int
no_format(struct jp *p, str token)
{
	return jp_fail(p, "invalid token. '%.*s' does not match any token format", STR_ARG(token));
}

struct subscript {
	struct jp *p;
	str token;
	struct buf b;
	size_t open, close;
	bool single, twofold; /* in '' or "" */
	args args;
};

static void
add_arg(struct subscript *s, str text)
{
	int64_t i;
	struct jp_arg a = { .kind = JP_STR };
	if (go_parse_int(text, 10, &i))
		a = (struct jp_arg){ .kind = JP_INT, .i = i };
	else
		a.text = arena_dup(s->p->arena, text);
	*VEC_PUSH(&s->args) = a;
}

static int
read_quote(struct subscript *s, char quote, bool *inside_quotes, bool other)
{
	if (other || s->open != s->close)
		return 0;
	if (s->b.n > 1 && s->b.p[s->b.n - 2] == '\\') {
		s->b.n -= 2;
		buf_addc(&s->b, quote);
		return 0;
	}
	*inside_quotes = !*inside_quotes;
	if (*inside_quotes)
		return s->b.n == 1 ? 0 : no_format(s->p, s->token);
	if (!is_key(buf_str(&s->b)))
		return no_format(s->p, s->token);
	*VEC_PUSH(&s->args) = (struct jp_arg){ .kind = JP_STR, .text = arena_dup(s->p->arena, buf_str(&s->b)) };
	s->b.n = 0;
	return 0;
}

static int
read_bracket(struct subscript *s)
{
	if (++s->close != s->open)
		return 0;
	str script = buf_str(&s->b);
	if (!is_script(script))
		return jp_fail(s->p, "invalid expression. invalid format '%.*s'", STR_ARG(script));
	*VEC_PUSH(&s->args) = (struct jp_arg){ .kind = JP_STR, .text = arena_dup(s->p->arena, script) };
	s->b.n = 0;
	return 0;
}

static int
read_separator(struct subscript *s, char c, bool first)
{
	str arg = str_slice(buf_str(&s->b), 0, s->b.n - 1);
	int64_t i;
	if (arg.n && c == ':' && !go_parse_int(arg, 10, &i))
		return no_format(s->p, s->token);
	if (arg.n)
		add_arg(s, arg);
	else if (c == ':' && first)
		*VEC_PUSH(&s->args) = (struct jp_arg){ .kind = JP_NIL };
	*VEC_PUSH(&s->args) = (struct jp_arg){ .kind = c == ':' ? JP_COLON : JP_COMMA };
	s->b.n = 0;
	return 0;
}

static void
trim(struct subscript *s)
{
	str t = str_trim(buf_str(&s->b));
	if (t.n)
		memmove(s->b.p, t.p, t.n);
	s->b.n = t.n;
}

static int
read_byte(struct subscript *s, char c, bool first)
{
	bool quoted = s->single || s->twofold, outside = !quoted && s->open == s->close;
	buf_addc(&s->b, c);
	switch (c) {
	case ' ':
		if (outside)
			trim(s);
		return 0;
	case '(':
		s->open += !quoted;
		return 0;
	case ')':
		return read_bracket(s);
	case '\'':
		return read_quote(s, c, &s->single, s->twofold);
	case '"':
		return read_quote(s, c, &s->twofold, s->single);
	case ':':
	case ',':
		return outside ? read_separator(s, c, first) : 0;
	default:
		return 0;
	}
}

/* ---- tokens of subscripts -----------------------------------------------------------------------------------------
 */

static str
unwrap(str t)
{
	return str_slice(t, 1, t.n - 1);
}

static int
single(struct subscript *s, const struct jp_arg *a, struct jp_token *out)
{
	if (a->kind == JP_INT) {
		*out = (struct jp_token){ .kind = JP_INDEX, .index = a->i };
		return 0;
	}
	if (a->kind == JP_STR && is_key(a->text)) {
		*out = (struct jp_token){ .kind = JP_KEY, .key = unwrap(a->text) };
		return 0;
	}
	if (a->kind != JP_STR || !is_script(a->text))
		return no_format(s->p, s->token);
	*out = (struct jp_token){ .kind = JP_SCRIPT, .key = unwrap(a->text) };
	return jp_script_compile(s->p, out->key, &out->script);
}

/* Texts become what they mean: keys lose their quotes, scripts are compiled. */
static int
resolve_arg(struct subscript *s, struct jp_arg *a, bool keys)
{
	if (a->kind != JP_STR)
		return 0;
	if (is_script(a->text)) {
		a->kind = JP_EXPRESSION;
		a->text = unwrap(a->text);
		return jp_script_compile(s->p, a->text, &a->script);
	}
	if (!keys)
		return jp_fail(s->p, "invalid expression. invalid format '%.*s'", STR_ARG(a->text));
	if (!is_key(a->text))
		return no_format(s->p, s->token);
	a->text = unwrap(a->text);
	return 0;
}

/* Several arguments: commas make a union, colons a range. */
static int
several(struct subscript *s, struct jp_token *out)
{
	size_t colons = 0, commas = 0, n = 0;
	struct jp_arg *list = ARENA_ARRAY(s->p->arena, struct jp_arg, s->args.n + 2);
	bool was_colon = false;
	for (size_t i = 0; i < s->args.n; i++) {
		const struct jp_arg *a = &s->args.p[i];
		bool colon = a->kind == JP_COLON;
		if (colon && was_colon)
			list[n++] = (struct jp_arg){ .kind = JP_NIL };
		else if (!colon && a->kind != JP_COMMA)
			list[n++] = *a;
		colons += colon;
		commas += a->kind == JP_COMMA;
		was_colon = colon;
	}
	if ((colons && commas) || (!colons && !commas) || colons > 2 || (commas && commas >= n))
		return no_format(s->p, s->token);
	if (colons == 1 && n == 1)
		n++; /* a nil */
	if (colons && n < 2)
		return no_format(s->p, s->token);
	if (colons && n > 3)
		n = 3;
	for (size_t i = 0; i < n; i++)
		if (resolve_arg(s, &list[i], commas))
			return -1;
	*out = (struct jp_token){ .kind = commas ? JP_UNION : JP_RANGE, .args = list, .args_n = n };
	return 0;
}

static int
parse_subscript(struct jp *p, str token, str text, struct jp_token *out)
{
	struct subscript s = { .p = p, .token = token };
	int rc = 0;
	for (size_t i = 0; i < text.n && !rc; i++)
		rc = read_byte(&s, text.p[i], i == 0);
	if (!rc && s.b.n)
		add_arg(&s, buf_str(&s.b));
	if (!rc)
		rc = s.args.n == 1 ? single(&s, &s.args.p[0], out) : several(&s, out);
	buf_free(&s.b);
	VEC_FREE(&s.args);
	return rc;
}

static int
parse_token(struct jp *p, str token, struct jp_token *out)
{
	static const struct {
		const char *text;
		enum jp_kind kind;
	} words[] = { { "$", JP_ROOT }, { "@", JP_CURRENT }, { "*", JP_WILDCARD }, { "..", JP_RECURSIVE },
		{ "length", JP_LENGTH } };
	token = str_trim(token);
	if (!token.n)
		return jp_fail(p, "invalid token. token string is empty");
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_eq(token, str_c(words[i].text))) {
			*out = (struct jp_token){ .kind = words[i].kind };
			return 0;
		}
	if (token.p[0] != '[') {
		*out = (struct jp_token){ .kind = JP_KEY, .key = token };
		return 0;
	}
	str text = str_ends(token, S("]")) ? str_trim(str_slice(token, 1, token.n - 1)) : S("");
	if (!text.n)
		return no_format(p, token);
	if (str_eq(text, S("*"))) {
		*out = (struct jp_token){ .kind = JP_WILDCARD };
		return 0;
	}
	if (text.p[0] != '?')
		return parse_subscript(p, token, text, out);
	if (!str_starts(text, S("?(")) || !str_ends(text, S(")")))
		return no_format(p, token);
	*out = (struct jp_token){ .kind = JP_FILTER, .key = str_trim(str_slice(text, 2, text.n - 1)) };
	return jp_script_compile(p, out->key, &out->script);
}

int
jp_parse(struct jp *p, str selector, struct jp_path *out)
{
	texts list = { 0 };
	if (++p->depth > JSONPATH_DEPTH_MAX)
		return jp_fatal(p, ERR_LIMIT, "a JSONPath is nested more than %d deep", JSONPATH_DEPTH_MAX);
	int rc = cut(p, selector, &list);
	struct jp_token *tokens = ARENA_ARRAY(p->arena, struct jp_token, list.n + 1);
	for (size_t i = 0; i < list.n && !rc; i++)
		rc = parse_token(p, list.p[i], &tokens[i]);
	*out = (struct jp_path){ tokens, list.n };
	VEC_FREE(&list);
	p->depth--;
	return rc;
}
