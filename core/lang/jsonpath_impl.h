/* SPDX-License-Identifier: Apache-2.0 */
/* jsonpath_impl: what jsonpath_parse.c, jsonpath.c and jsonpath_script.c share. */
#ifndef TIDEGATE_CORE_LANG_JSONPATH_IMPL_H
#define TIDEGATE_CORE_LANG_JSONPATH_IMPL_H

#include "core/lang/jsonpath.h"

enum jp_kind {
	JP_ROOT,
	JP_CURRENT,
	JP_WILDCARD,
	JP_RECURSIVE,
	JP_LENGTH,
	JP_KEY,
	JP_INDEX,
	JP_UNION,
	JP_RANGE,
	JP_FILTER,
	JP_SCRIPT,
};
struct jp_script;
/* An element of a union, a bound of a range. */
struct jp_arg {
	enum { JP_NIL, JP_INT, JP_STR, JP_EXPRESSION, JP_COLON, JP_COMMA } kind;
	str text; /* of STR: with its quotes while parsing; of EXPRESSION */
	int64_t i;
	const struct jp_script *script;
};
struct jp_token {
	enum jp_kind kind;
	str key;
	int64_t index;
	const struct jp_arg *args; /* UNION; RANGE: from, to, step */
	size_t args_n;
	const struct jp_script *script; /* FILTER, SCRIPT */
};
struct jp_path {
	const struct jp_token *tokens;
	size_t n;
};

struct jp {
	struct arena *arena;
	struct err *e;
	const struct val *root; /* of the query */
	uint64_t steps;
	size_t bytes;
	unsigned depth;
	bool fatal; /* the error may not be left out: a limit, or what ends the program in Go */
};

/* -1 with the error set; fatal ones stay. */
int jp_fail(struct jp *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
int jp_fatal(struct jp *p, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Accounts for a step and for bytes; -1 when the query has had its share. */
int jp_spend(struct jp *p, size_t bytes);

/* ---- jsonpath_parse.c ---- */
int jp_parse(struct jp *p, str selector, struct jp_path *out);

/* ---- jsonpath.c ---- */
int jp_apply(
	struct jp *p, const struct jp_path *path, const struct val *root, const struct val *current, struct val *out);
bool jp_integer(const struct val *v, int64_t *out);
/* The members in order of their keys, of equal ones the last. */
int jp_members(struct jp *p, const struct val *map, const struct member ***out, size_t *n);
const char *jp_type(const struct val *v); /* Go's kind: "map", "slice", "float64", ... */

/* ---- jsonpath_script.c ---- */
int jp_script_compile(struct jp *p, str text, const struct jp_script **out);
int jp_script_evaluate(
	struct jp *p, const struct jp_script *s, const struct val *root, const struct val *current, struct val *out);

#endif
