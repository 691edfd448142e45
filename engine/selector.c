/* SPDX-License-Identifier: Apache-2.0 */
/* See selector.h. A requirement is read by hand: the grammar has no nesting. */
#include "engine/selector.h"

enum { MAX_REQUIREMENTS = 100, MAX_VALUES = 1000 };

struct reader {
	struct arena *arena;
	str text;
	size_t at;
	struct err *e;
};

static void
skip_space(struct reader *r)
{
	while (r->at < r->text.n && (r->text.p[r->at] == ' ' || r->text.p[r->at] == '\t'))
		r->at++;
}

static bool
accept(struct reader *r, str token)
{
	skip_space(r);
	if (!str_starts(str_slice(r->text, r->at, r->text.n), token))
		return false;
	r->at += token.n;
	return true;
}

/* A token that a space or a bracket ends. */
static bool
accept_word(struct reader *r, str token)
{
	size_t before = r->at;
	if (accept(r, token) && r->at < r->text.n && strchr(" \t(", r->text.p[r->at]))
		return true;
	r->at = before;
	return false;
}

static bool
ends_word(char c)
{
	return c == '=' || c == '!' || c == ',' || c == '(' || c == ')' || c == ' ' || c == '\t';
}

/* Up to the next operator; may be empty. */
static str
word(struct reader *r)
{
	skip_space(r);
	size_t from = r->at;
	while (r->at < r->text.n && !ends_word(r->text.p[r->at]))
		r->at++;
	return str_slice(r->text, from, r->at);
}

static int
unexpected(struct reader *r, const char *wanted)
{
	return err_set(r->e, ERR_INVALID, "selector \"%.*s\": expected %s at offset %zu", STR_ARG(r->text), wanted, r->at);
}

static void
add_value(struct reader *r, struct requirement *q, str v)
{
	str *grown = ARENA_ARRAY(r->arena, str, q->values.n + 1);
	if (q->values.n)
		memcpy(grown, q->values.p, q->values.n * sizeof *grown);
	grown[q->values.n++] = v;
	q->values.p = grown;
}

static int
read_set(struct reader *r, struct requirement *q)
{
	if (!accept(r, S("(")))
		return unexpected(r, "\"(\"");
	do {
		if (q->values.n == MAX_VALUES)
			return err_set(r->e, ERR_LIMIT, "selector: more than %d values", MAX_VALUES);
		add_value(r, q, word(r));
	} while (accept(r, S(",")));
	return accept(r, S(")")) ? 0 : unexpected(r, "\",\" or \")\"");
}

static int
read_requirement(struct reader *r, struct requirement *q)
{
	if (accept(r, S("!"))) {
		q->op = SELECT_MISSING;
		q->key = word(r);
		return q->key.n ? 0 : unexpected(r, "a key");
	}
	q->key = word(r);
	if (!q->key.n)
		return unexpected(r, "a key");
	if (accept(r, S("!="))) {
		q->op = SELECT_NOT_IN;
		add_value(r, q, word(r));
	} else if (accept(r, S("==")) || accept(r, S("="))) {
		q->op = SELECT_IN;
		add_value(r, q, word(r));
	} else if (accept_word(r, S("in"))) {
		q->op = SELECT_IN;
		return read_set(r, q);
	} else if (accept_word(r, S("notin"))) {
		q->op = SELECT_NOT_IN;
		return read_set(r, q);
	} else {
		q->op = SELECT_EXISTS;
	}
	return 0;
}

int
selector_parse(struct arena *a, str text, struct selector *out, struct err *e)
{
	struct reader r = { a, text, 0, e };
	struct requirement found[MAX_REQUIREMENTS];
	size_t n = 0;
	skip_space(&r);
	while (r.at < text.n) {
		if (n == MAX_REQUIREMENTS)
			return err_set(e, ERR_LIMIT, "selector: more than %d requirements", MAX_REQUIREMENTS);
		found[n] = (struct requirement){ 0 };
		if (read_requirement(&r, &found[n++]))
			return -1;
		skip_space(&r);
		bool more = r.at < text.n;
		if (more && (text.p[r.at] == '>' || text.p[r.at] == '<'))
			return err_set(e, ERR_UNSUPPORTED, "selector \"%.*s\": > and < are not served", STR_ARG(str_slice(text, 0, 200)));
		if (more && !accept(&r, S(",")))
			return unexpected(&r, "\",\"");
		skip_space(&r);
		if (more && r.at == text.n)
			return unexpected(&r, "a key");
	}
	out->p = ARENA_ARRAY(a, struct requirement, n);
	memcpy(out->p, found, n * sizeof *found);
	out->n = n;
	return 0;
}

/* ---- labels: validation.IsQualifiedName, IsValidLabelValue -------------------------------------------------------- */

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* Letters, digits, '-', '_' and '.', the first and the last a letter or digit; at most 63. */
static bool
is_name(str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_alnum(s.p[i]) && (i == 0 || i + 1 == s.n || !strchr("-_.", s.p[i])))
			return false;
	return s.n > 0 && s.n <= 63;
}

/* A DNS name: parts of small letters, digits and '-' between dots. */
static bool
is_domain(str s)
{
	for (size_t i = 0; i < s.n; i++) {
		bool inner = i > 0 && i + 1 < s.n && s.p[i - 1] != '.' && s.p[i + 1] != '.';
		bool small = is_alnum(s.p[i]) && !(s.p[i] >= 'A' && s.p[i] <= 'Z');
		if (!small && !(s.p[i] == '-' && inner) && !(s.p[i] == '.' && i > 0 && i + 1 < s.n && s.p[i - 1] != '.'))
			return false;
	}
	return s.n > 0 && s.n <= 253;
}

static bool
is_key(str key)
{
	size_t slash = str_find_char(key, '/', 0);
	if (slash == SIZE_MAX)
		return is_name(key);
	return is_domain(str_slice(key, 0, slash)) && is_name(str_slice(key, slash + 1, key.n));
}

int
selector_parse_labels(struct arena *a, str text, struct selector *out, struct err *e)
{
	if (selector_parse(a, text, out, e))
		return -1;
	for (size_t i = 0; i < out->n; i++) {
		const struct requirement *q = &out->p[i];
		if (str_find_char(q->key, '>', 0) != SIZE_MAX || str_find_char(q->key, '<', 0) != SIZE_MAX)
			return err_set(e, ERR_UNSUPPORTED, "selector \"%.*s\": > and < are not served", STR_ARG(str_slice(text, 0, 200)));
		if (!is_key(q->key))
			return err_set(e, ERR_INVALID, "unable to parse requirement: \"%.*s\" is no label's key", STR_ARG(str_slice(q->key, 0, 200)));
		for (size_t k = 0; k < q->values.n; k++)
			if (q->values.p[k].n && !is_name(q->values.p[k]))
				return err_set(e, ERR_INVALID, "unable to parse requirement: values[%zu][%.*s]: \"%.*s\" is no label's value", k,
					STR_ARG(q->key), STR_ARG(str_slice(q->values.p[k], 0, 200)));
	}
	return 0;
}

static bool
holds(const struct requirement *q, str value)
{
	if (q->op == SELECT_EXISTS || q->op == SELECT_MISSING)
		return (value.p != NULL) == (q->op == SELECT_EXISTS);
	bool among = false;
	for (size_t i = 0; i < q->values.n && value.p; i++)
		among = among || str_eq(q->values.p[i], value);
	return among == (q->op == SELECT_IN);
}

bool
selector_match(const struct selector *s, str (*get)(void *arg, str key), void *arg)
{
	for (size_t i = 0; i < s->n; i++)
		if (!holds(&s->p[i], get(arg, s->p[i].key)))
			return false;
	return true;
}
