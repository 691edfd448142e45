/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which names of the environment an expression speaks of, so that whoever builds one need not know everything; and
 * which of them are guarded, as Argo's getIdentifiers has it (util/template/expression_template.go). And what Go's
 * compiler would say of their types.
 */
#include "core/lang/expr_ast.h"

struct let {
	str name;
	const struct let *outer;
};
struct names {
	struct arena *arena;
	const struct let *lets;
	bool guarded; /* left of ?? */
	VEC(struct expr_name) found;
};

static bool
is_let(const struct let *l, str name)
{
	for (; l; l = l->outer)
		if (str_eq(l->name, name))
			return true;
	return false;
}

static bool
is_constant_member(const struct node *n)
{
	return n->kind == NODE_MEMBER && n->b->kind == NODE_CONST && n->b->value.kind == VAL_STR;
}

/* Whether `n` is a name, or constant members of one; then it is noted. */
static bool
note_path(struct names *s, const struct node *n)
{
	uint32_t parts = 1, needed = 0;
	const struct node *root = n;
	for (; is_constant_member(root); root = root->a)
		parts++;
	if (root->kind != NODE_NAME && root->kind != NODE_ENV)
		return false;
	parts -= root->kind == NODE_ENV;
	str *text = ARENA_ARRAY(s->arena, str, parts);
	uint32_t at = parts, unguarded = parts;
	for (; n != root; n = n->a) {
		text[--at] = val_text(&n->b->value);
		if (n->optional)
			unguarded = at > 1 ? at - 1 : 1; /* what ?. stands behind is guarded by it */
	}
	if (root->kind == NODE_NAME) {
		text[0] = root->name;
		needed = s->guarded ? 1 : unguarded;
	}
	*VEC_PUSH(&s->found) = (struct expr_name){ .parts = text,
		.n = parts,
		.needed = needed,
		.bound = root->kind == NODE_NAME && is_let(s->lets, root->name) };
	return true;
}

/* Depth is bounded by the parser. */
static void
walk(struct names *s, const struct node *n)
{
	if (!n || note_path(s, n))
		return;
	bool guarded = s->guarded;
	struct let let = { n->name, s->lets };
	s->guarded |= n->kind == NODE_COALESCE;
	walk(s, n->a);
	s->guarded = guarded;
	if (n->kind == NODE_LET)
		s->lets = &let;
	walk(s, n->b);
	s->lets = let.outer;
	walk(s, n->c);
	for (size_t i = 0; i < n->n; i++)
		walk(s, n->items[i]);
}

const struct expr_name *
expr_names(struct expr *x, size_t *n)
{
	if (!x->names) {
		struct names s = { .arena = x->arena };
		walk(&s, x->root);
		struct expr_name *copy = ARENA_ARRAY(x->arena, struct expr_name, s.found.n + 1);
		if (s.found.n)
			memcpy(copy, s.found.p, s.found.n * sizeof *copy);
		x->names = copy;
		x->names_n = s.found.n;
		VEC_FREE(&s.found);
	}
	*n = x->names_n;
	return x->names;
}

/* ---- types ------------------------------------------------------------------------------------------------------ */

struct types {
	const struct val *env;
	const struct let *lets;
	const struct node *wrong;
};

/* Go's compiler knows the types of the variables at the top: here only strings matter. */
static bool
is_text_variable(const struct types *t, const struct node *n)
{
	return n->kind == NODE_NAME && !is_let(t->lets, n->name) && val_is(val_get(t->env, n->name), VAL_STR);
}

static bool
is_other(const struct node *n)
{
	bool constant = n->kind == NODE_CONST && n->value.kind != VAL_STR && n->value.kind != VAL_NULL;
	return constant || n->kind == NODE_LIST || n->kind == NODE_MAP;
}

/* Depth is bounded by the parser. */
static void
check(struct types *t, const struct node *n)
{
	if (!n || t->wrong)
		return;
	bool compares = n->kind == NODE_BINARY && (n->op == OP_EQ || n->op == OP_NE);
	bool clash = compares &&
		     ((is_text_variable(t, n->a) && is_other(n->b)) || (is_other(n->a) && is_text_variable(t, n->b)));
	if (clash || (n->kind == NODE_MEMBER && is_text_variable(t, n->a))) {
		t->wrong = n;
		return;
	}
	struct let let = { n->name, t->lets };
	check(t, n->a);
	if (n->kind == NODE_LET)
		t->lets = &let;
	check(t, n->b);
	t->lets = let.outer;
	check(t, n->c);
	for (size_t i = 0; i < n->n; i++)
		check(t, n->items[i]);
}

int
expr_check_types(const struct expr *x, const struct val *env, struct err *e)
{
	struct types t = { .env = env };
	check(&t, x->root);
	if (!t.wrong)
		return 0;
	if (t.wrong->kind == NODE_MEMBER)
		return err_set(e, ERR_INVALID, "a variable that is a string has no members");
	return err_set(e, ERR_INVALID, "invalid operation: %s (mismatched types: a variable is a string)",
		t.wrong->op == OP_EQ ? "==" : "!=");
}
