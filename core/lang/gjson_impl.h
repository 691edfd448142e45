/* SPDX-License-Identifier: Apache-2.0 */
/* What gjson.c and gjson_mod.c share. */
#ifndef TIDEGATE_CORE_LANG_GJSON_IMPL_H
#define TIDEGATE_CORE_LANG_GJSON_IMPL_H

#include "core/lang/gjson.h"

/* One look-up with everything nested in it: memory and the two budgets. */
struct gjson_run {
	struct arena *a;
	size_t work; /* left */
	unsigned depth;
	bool limited;
};

/* Takes `n` bytes of the work budget and one level of depth (give it back with --run->depth). False: over. */
bool gjson_enter(struct gjson_run *run, size_t n);
/* Takes bytes of the budget alone. */
bool gjson_spend(struct gjson_run *run, size_t n);
struct gjson gjson_lookup(struct gjson_run *run, str json, str path);
/* A look-up below a value; positions stay relative to the text that `v->at` is relative to. */
struct gjson gjson_below(struct gjson_run *run, const struct gjson *v, str path);
/* The value that a text begins with (a container is taken to the end of the text). */
struct gjson gjson_parse(struct gjson_run *run, str json);
/* Reads the value at *i or behind; false at the end. Moves *i behind it. */
bool gjson_value(struct gjson_run *run, str json, size_t *i, struct gjson *out);
/* What the byte at i starts. */
enum gjson_starts { STARTS_NOTHING, STARTS_STRING, STARTS_OBJECT, STARTS_ARRAY, STARTS_LITERAL, STARTS_NUMBER, STARTS_END_ARRAY };
enum gjson_starts gjson_starts(str json, size_t i);
/* Reads the value of that sort at *i, containers whole; nothing is decoded. False: a string without end. */
bool gjson_read(str json, size_t *i, enum gjson_starts sort, struct gjson *out);
/* The same with its number and text: for a value that is an answer, or that a query looks at. */
struct gjson gjson_taken(struct gjson_run *run, struct gjson v);
bool gjson_parses_as(const struct gjson *v, bool want);
/* From an opening bracket or quote to the end of that value. */
str gjson_squash(str s);
str gjson_decode(struct arena *a, str inside);
void gjson_quote(struct buf *b, str s);
str gjson_take(struct gjson_run *run, struct buf *b); /* the buffer's bytes in the arena, charged; frees the buffer */

/* for (struct gjson_iter it = gjson_iter(v); gjson_next(run, &it);) over an object, an array, or a single value */
struct gjson_iter {
	struct gjson key, value;
	str json;
	size_t i, base, n;
	bool object, single;
	const struct gjson *of;
};
struct gjson_iter gjson_iter(const struct gjson *v);
bool gjson_next(struct gjson_run *run, struct gjson_iter *it);
static inline bool gjson_is(const struct gjson *v, char open)
{
	return v->kind == GJSON_JSON && v->raw.n && v->raw.p[0] == open;
}

/* ---- steps (gjson_path.c) -------------------------------------------------------------------------------------- */

struct gjson_step {
	str part;    /* the key, pattern or index; unescaped */
	str path;    /* the steps behind it */
	str pipe;    /* or: what is looked up in the answer */
	bool more, piped, wild;
	/* arrays only */
	bool hash;   /* the step has a '#' */
	bool each;   /* "#.key": the key of every element */
	str each_key;
	bool query, all; /* "#(...)", "#(...)#" */
	str query_path, op, want;
};
struct gjson_step gjson_object_step(struct gjson_run *run, str path);
struct gjson_step gjson_array_step(struct gjson_run *run, str path);
/* The first '|' that stands outside of queries; false: there is none. */
bool gjson_split_pipe(str path, str *left, str *right);

/* ---- modifiers (gjson_mod.c) ------------------------------------------------------------------------------------ */

typedef str gjson_modifier(struct gjson_run *run, str json, str arg);
gjson_modifier *gjson_find_modifier(str name);

#endif
