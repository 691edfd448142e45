/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gjson: paths into JSON, as Argo's filters and parameters write them ("body.commits.#(id==\"x\").author|@reverse").
 * A path is evaluated on the bytes: nothing is parsed that the path does not touch, no tree is built, and the answer is a
 * slice of the text wherever it can be. The language and its corner cases are those of github.com/tidwall/gjson 1.19
 * (SYNTAX.md); tests/vectors/gjson.jsonl was written by it.
 *
 * The text is expected to be valid JSON. If it is not, answers are arbitrary but nothing outside the text is read.
 */
#ifndef TIDEGATE_CORE_LANG_GJSON_H
#define TIDEGATE_CORE_LANG_GJSON_H

#include "core/base.h"

enum gjson_kind { GJSON_NULL, GJSON_FALSE, GJSON_NUM, GJSON_STR, GJSON_TRUE, GJSON_JSON /* object or array */ };

struct gjson {
	enum gjson_kind kind;
	bool limited;    /* the path asked for too much work or depth: treated as missing */
	bool escaped;    /* STR: raw has escapes, text is a decoded copy */
	bool computed;   /* a list or object made by the path: nothing below it lies in the input */
	str raw;         /* the JSON text of the value: a slice of the input, or in the arena where it was computed */
	str text;        /* STR: the decoded string */
	double num;      /* NUM */
	size_t at;       /* offset of raw in the input; 0: computed, or the whole */
	size_t *places;  /* for a list of several matches: the offset of each in the input */
	size_t places_n;
};

/* What one look-up may do at most, over everything nested in it. */
#define GJSON_PATH_MAX 4096
#define GJSON_DEPTH_MAX 200
#define GJSON_WORK_BASE (64u << 20) /* bytes looked at or produced, plus 16 times the size of the text */

/* True if `path` leads to something (null counts); then *out has it, else *out is zeroed but for `limited`. */
bool gjson_get(struct arena *a, str json, str path, struct gjson *out);
static inline bool gjson_exists(const struct gjson *g) { return g->kind != GJSON_NULL || g->raw.n != 0; }
/* Its form as text: strings decoded, integers as written, other numbers without exponent, objects and arrays raw, null "". */
str gjson_string(struct arena *a, const struct gjson *g);
/* Go's coercions: Bool() and Float() of a gjson Result. */
bool gjson_bool(const struct gjson *g);
double gjson_float(const struct gjson *g);
/* Whether the first step of a path is a plain key or index: no pattern, query, modifier or escape anywhere. */
bool gjson_is_plain(str path);
/* A key as a path component: special characters escaped. In `a`. */
str gjson_escape(struct arena *a, str key);

#endif
