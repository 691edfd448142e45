/* SPDX-License-Identifier: Apache-2.0 */
/* expr_builtin: the functions of the language, for the parser to find and the evaluator to call; and what they share. */
#ifndef TIDEGATE_CORE_LANG_EXPR_BUILTIN_H
#define TIDEGATE_CORE_LANG_EXPR_BUILTIN_H

#include "core/lang/expr_ast.h"

/* A call: args are the values of n->items up to the predicate, which the function evaluates itself, and what follows it. */
#define BUILTIN_ARGS struct eval *ev, const struct node *n, const struct val *args, size_t args_n, struct val *out

struct builtin {
	const char *name;
	int min, max;  /* arguments, the predicate counted; max < 0: any number */
	int predicate; /* which argument is one, from 1; 0: none */
	int (*call)(BUILTIN_ARGS);
};
/* The tables; each ends with a row without a name. */
extern const struct builtin expr_predicates[], expr_numbers[], expr_strings[], expr_collections[], expr_times[];
const struct builtin *builtin_find(str name);

typedef VEC(struct val) values;

/* -1: the function does not take a value of that type. */
int builtin_wrong_argument(struct eval *ev, const struct node *n, const struct val *v);
/* The argument as what it must be; -1 if it is something else. Charges for its length. */
int builtin_want_text(struct eval *ev, const struct node *n, const struct val *v, str *out);
int builtin_want_int(struct eval *ev, const struct node *n, const struct val *v, int64_t *out);
int builtin_want_list(struct eval *ev, const struct node *n, const struct val *v);
/* A string that was made in `b`, which is freed. */
int builtin_give_text(struct eval *ev, struct buf *b, struct val *out);

#endif
