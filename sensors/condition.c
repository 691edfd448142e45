/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recursive descent into a small tree, then the tree into tests, last first: when a test is written, where its two ways
 * lead is already known.
 */
#include "sensors/condition.h"

#include "core/diag.h"

struct node {
	char op; /* '&', '|', or 0: a dependency */
	uint16_t dep;
	struct node *left, *right;
};

struct parse {
	struct arena *a;
	str text;
	size_t i;
	const str *deps;
	size_t n, terms;
	unsigned depth;
	struct err *e;
};

static void
skip_blanks(struct parse *p)
{
	while (p->i < p->text.n && strchr(" \t\r\n", p->text.p[p->i]))
		p->i++;
}

static bool
is_name_char(char c)
{
	return c && !strchr(" \t\r\n&|()!", c);
}

/* Takes "&&" or "||". A single one is a mistake that Argo only tells the log about. */
static int
take_operator(struct parse *p, char op)
{
	skip_blanks(p);
	if (p->i >= p->text.n || p->text.p[p->i] != op)
		return 0;
	if (p->i + 1 >= p->text.n || p->text.p[p->i + 1] != op)
		return err_set(p->e, ERR_INVALID, "at %zu: single %c: write %c%c", p->i + 1, op, op, op);
	p->i += 2;
	return 1;
}

static bool
same_name(str a, str b, bool loose)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (a.p[i] != b.p[i] && !(loose && strchr("-_", a.p[i]) && strchr("-_", b.p[i])))
			return false;
	return true;
}

static int
find_dep(struct parse *p, str name, size_t at, uint16_t *out)
{
	for (int loose = 0; loose < 2; loose++) {
		for (size_t i = 0; i < p->n; i++) {
			if (same_name(name, p->deps[i], loose)) {
				*out = (uint16_t)i;
				return 0;
			}
		}
	}
	const char **names = ARENA_ARRAY(p->a, const char *, p->n);
	for (size_t i = 0; i < p->n; i++)
		names[i] = str_z(p->a, p->deps[i]);
	const char *near = diag_nearest(name, names, p->n);
	if (str_eq(name, S("and")) || str_eq(name, S("or")))
		near = str_eq(name, S("or")) ? "||" : "&&";
	return err_set(p->e, ERR_INVALID, "at %zu: no dependency is called %.*s%s%s%s", at + 1, STR_ARG(name), near ? ": did you mean " : "",
	               near ? near : "", near ? "?" : "");
}

static struct node *either(struct parse *p);

static struct node *
term(struct parse *p)
{
	skip_blanks(p);
	size_t at = p->i;
	if (at < p->text.n && p->text.p[at] == '(') {
		if (++p->depth > CONDITION_DEPTH_MAX) {
			err_set(p->e, ERR_LIMIT, "at %zu: more than %d nested brackets", at + 1, CONDITION_DEPTH_MAX);
			return NULL;
		}
		p->i++;
		struct node *n = either(p);
		if (!n)
			return NULL;
		skip_blanks(p);
		if (p->i >= p->text.n || p->text.p[p->i] != ')') {
			err_set(p->e, ERR_INVALID, "at %zu: the bracket opened here is not closed", at + 1);
			return NULL;
		}
		p->i++;
		p->depth--;
		return n;
	}
	while (p->i < p->text.n && is_name_char(p->text.p[p->i]))
		p->i++;
	if (p->i == at) {
		if (at < p->text.n && p->text.p[at] == '!')
			err_set(p->e, ERR_INVALID, "at %zu: conditions have no \"not\": only names, &&, || and brackets", at + 1);
		else
			err_set(p->e, ERR_INVALID, "at %zu: a dependency's name is expected", at + 1);
		return NULL;
	}
	if (++p->terms > CONDITION_TERMS_MAX) {
		err_set(p->e, ERR_LIMIT, "more than %d names", CONDITION_TERMS_MAX);
		return NULL;
	}
	struct node *n = ARENA_NEW(p->a, struct node);
	return find_dep(p, str_slice(p->text, at, p->i), at, &n->dep) < 0 ? NULL : n;
}

/* A row of `next` joined by `op`. */
static struct node *
row(struct parse *p, char op, struct node *(*next)(struct parse *))
{
	struct node *left = next(p);
	int more = 1;
	while (left && (more = take_operator(p, op)) > 0) {
		struct node *n = ARENA_NEW(p->a, struct node);
		*n = (struct node){ .op = op, .left = left, .right = next(p) };
		left = n->right ? n : NULL;
	}
	return more < 0 ? NULL : left;
}

static struct node *
both(struct parse *p)
{
	return row(p, '&', term);
}

static struct node *
either(struct parse *p)
{
	return row(p, '|', both);
}

/* Writes the tests of `n`; returns where they begin. A row leans left and is walked as a loop: only brackets nest. */
static uint16_t
emit(struct condition *c, const struct node *n, uint16_t on_true, uint16_t on_false)
{
	while (n->op) {
		uint16_t right = emit(c, n->right, on_true, on_false);
		if (n->op == '&') {
			c->joins = true;
			on_true = right;
		} else {
			on_false = right;
		}
		n = n->left;
	}
	c->tests[c->n] = (struct condition_test){ n->dep, on_true, on_false };
	return (uint16_t)c->n++;
}

/* No text: all dependencies. */
static void
all_of(struct arena *a, size_t n, struct condition *out)
{
	out->tests = ARENA_ARRAY(a, struct condition_test, n);
	uint16_t next = CONDITION_TRUE;
	for (size_t i = 0; i < n; i++) {
		out->tests[i] = (struct condition_test){ (uint16_t)i, next, CONDITION_FALSE };
		next = (uint16_t)i;
	}
	out->n = n;
	out->start = next;
	out->joins = n > 1;
}

int
condition_compile(struct arena *a, str text, const str *deps, size_t n, struct condition *out, struct err *e)
{
	*out = (struct condition){ 0 };
	if (n >= CONDITION_FALSE)
		return err_set(e, ERR_LIMIT, "%zu dependencies: at most %d", n, CONDITION_FALSE - 1);
	if (!str_trim(text).n) {
		all_of(a, n, out);
		return 0;
	}
	struct parse p = { .a = a, .text = text, .deps = deps, .n = n, .e = e };
	struct node *root = either(&p);
	if (!root)
		return -1;
	skip_blanks(&p);
	if (p.i < text.n)
		return err_set(e, ERR_INVALID, "at %zu: %s", p.i + 1,
		               text.p[p.i] == ')' ? "no bracket is open here" : "&& or || is expected between names");
	out->tests = ARENA_ARRAY(a, struct condition_test, p.terms);
	out->start = emit(out, root, CONDITION_TRUE, CONDITION_FALSE);
	return 0;
}

bool
condition_holds(const struct condition *c, bool (*have)(const void *arg, size_t dep), const void *arg)
{
	uint16_t at = c->n ? c->start : CONDITION_FALSE;
	while (at < c->n)
		at = have(arg, c->tests[at].dep) ? c->tests[at].on_true : c->tests[at].on_false;
	return at == CONDITION_TRUE;
}

bool
condition_uses(const struct condition *c, size_t dep)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->tests[i].dep == dep)
			return true;
	return false;
}
