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
	} else if (accept(r, S("in ")) || accept(r, S("in("))) {
		r->at -= r->text.p[r->at - 1] == '(';
		q->op = SELECT_IN;
		return read_set(r, q);
	} else if (accept(r, S("notin ")) || accept(r, S("notin("))) {
		r->at -= r->text.p[r->at - 1] == '(';
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
		if (r.at < text.n && !accept(&r, S(",")))
			return unexpected(&r, "\",\"");
	}
	out->p = ARENA_ARRAY(a, struct requirement, n);
	memcpy(out->p, found, n * sizeof *found);
	out->n = n;
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
