/* SPDX-License-Identifier: Apache-2.0 */
/* What when_parse.c and when.c share: operators and the tree. */
#ifndef TIDEGATE_CORE_LANG_WHEN_IMPL_H
#define TIDEGATE_CORE_LANG_WHEN_IMPL_H

#include "core/lang/regex.h"
#include "core/lang/when.h"

enum when_op {
	OP_NONE, /* a leaf: a value */
	OP_NAME, /* a leaf: value.p is looked up */
	OP_LIST,
	OP_OR,
	OP_AND,
	OP_EQ,
	OP_NE,
	OP_LT,
	OP_LE,
	OP_GT,
	OP_GE,
	OP_MATCH,
	OP_NOMATCH,
	OP_IN,
	OP_BITAND,
	OP_BITOR,
	OP_BITXOR,
	OP_SHL,
	OP_SHR,
	OP_ADD,
	OP_SUB,
	OP_MUL,
	OP_DIV,
	OP_MOD,
	OP_POW,
	OP_CHOOSE,
	OP_ELSE,
	OP_COALESCE,
	OP_NOT,
	OP_NEG,
	OP_INVERT
};
/* As it is written; "" for what is not written. */
const char *when_op_text(enum when_op op);

struct when_tree {
	enum when_op op;
	struct val value;
	struct when_tree *left, *right; /* left NULL: a prefix */
	struct when_tree **items;       /* LIST */
	size_t n;
	bool in_parens;                 /* directly */
	str date;                       /* a leaf that was written as a quoted date: as it was written */
	const struct regex *pattern;    /* MATCH, NOMATCH with a constant on the right */
};

struct when {
	str text;
	bool names; /* bare words are names, not texts */
	const struct when_tree *root;
	VEC(struct regex *) patterns;
};

/* Parses w->text into `a`. */
int when_parse(struct when *w, struct arena *a, struct err *e) MUST_CHECK;
/* "'...'" with at most 200 bytes of the expression, for messages; in `a`. */
str when_cited(struct arena *a, const struct when *w);

#endif
