/* SPDX-License-Identifier: Apache-2.0 */
/* expr_ast: the tree between expr_parse.c and expr_eval.c, and what expr_builtin.c needs of them. */
#ifndef TIDEGATE_CORE_LANG_EXPR_AST_H
#define TIDEGATE_CORE_LANG_EXPR_AST_H

#include "core/lang/expr.h"
#include "core/lang/regex.h"

enum node_kind {
	NODE_CONST,   /* value */
	NODE_NAME,    /* name: variable, else member of the environment */
	NODE_ENV,     /* $env */
	NODE_POINTER, /* name: "" the element, "index", "acc" */
	NODE_UNARY,   /* op a */
	NODE_BINARY,  /* a op b */
	NODE_AND,
	NODE_OR,
	NODE_COALESCE,
	NODE_COND,    /* a ? b : c */
	NODE_MEMBER,  /* a[b]; optional: nil cuts the chain */
	NODE_CHAIN,   /* a; nil if something in it was cut */
	NODE_SLICE,   /* a[b:c]; b, c may be NULL */
	NODE_LIST,    /* items */
	NODE_MAP,     /* items: key, value, key, value, ... */
	NODE_LET,     /* name = a; b */
	NODE_SEQUENCE, /* items; the last one counts */
	NODE_CALL,    /* function or builtin, items */
};
enum op {
	OP_NONE, OP_NOT, OP_NEGATE, OP_PLUS,
	OP_EQ, OP_NE, OP_LT, OP_GT, OP_LE, OP_GE,
	OP_IN, OP_MATCHES, OP_CONTAINS, OP_STARTS, OP_ENDS,
	OP_RANGE, OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_MOD, OP_POW,
	/* only while reading */
	OP_OR, OP_AND, OP_COALESCE, OP_PIPE,
};

struct builtin;
struct node {
	enum node_kind kind;
	enum op op;
	bool optional;
	unsigned depth;
	uint32_t at; /* offset in the text */
	str name;
	struct val value;
	const struct node *a, *b, *c;
	const struct node **items;
	size_t n;
	const struct builtin *builtin;
	const struct expr_function *function;
	struct regex *regex; /* of NODE_BINARY matches with a constant pattern */
};

struct expr {
	struct arena *arena;
	str text;
	unsigned flags;
	void *arg;
	const struct node *root;
	VEC(struct regex *) regexes;
	const struct expr_name *names; /* NULL until somebody asks */
	size_t names_n;
};

/* ---- evaluation ----------------------------------------------------------------------------------------------- */

/* A variable. */
struct binding {
	str name;
	struct val value;
	const struct binding *outer;
};
/* What # stands for. */
struct closure {
	struct val element, acc;
	int64_t index;
	const struct closure *outer;
};
struct eval {
	const struct expr *x;
	struct arena *arena;
	const struct val *env;
	const struct binding *vars;
	const struct closure *closure;
	uint64_t steps;
	size_t bytes;
	const struct node *at; /* for messages */
	struct err *e;
};

/* 0; -1 with ev->e set; EVAL_CUT: an optional member was nil, on to the NODE_CHAIN. */
enum { EVAL_CUT = 1 };
int eval_node(struct eval *ev, const struct node *n, struct val *out);
/* -1, with the place of ev->at. */
int eval_fail(struct eval *ev, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Accounts for bytes and steps; -1 when the evaluation has had its share. */
int eval_spend(struct eval *ev, size_t bytes);
/* A copy of the items as a list value. */
int eval_list(struct eval *ev, const struct val *items, size_t n, struct val *out);

struct number {
	bool is_int;
	int64_t i;
	double f; /* always set */
};
bool value_number(const struct val *v, struct number *out);
const char *value_kind(const struct val *v); /* "nil", "int", "float", "string", "bool", "array", "map" */
struct val value_of(const struct number *n);
/* <0, 0, >0 in *out; false if the two cannot be compared. */
bool value_compare(const struct val *a, const struct val *b, int *out);
int value_add(struct eval *ev, const struct val *a, const struct val *b, struct val *out);
/* One JSON value as Go reads it: numbers are floats. Bytes are the caller's to account for. */
int expr_read_json(struct arena *a, str text, struct val *out, struct err *e) MUST_CHECK;
int value_fetch(struct eval *ev, const struct val *from, const struct val *index, struct val *out);

#endif
