/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expr: the expression language of expr-lang (github.com/expr-lang/expr, docs/language-definition.md) over struct val. One
 * implementation for all places: v1.17 as Argo Workflows has it, v1.15.5 as the source filters of Argo Events have it by a flag.
 *
 * A source text becomes a tree once; evaluating walks it. Both are bounded: length, depth and nodes of the text; steps and bytes of
 * an evaluation. Nothing an expression does reaches outside.
 *
 * Numbers as in Go: integer literals are int (64 bits, wrapping), all else is float64; a JSON number (VAL_NUM) is a float64. A name
 * that is not in the environment is nil; a member of nil is an error.
 */
#ifndef TIDEGATE_CORE_LANG_EXPR_H
#define TIDEGATE_CORE_LANG_EXPR_H

#include "core/base.h"
#include "core/val.h"

enum {
	EXPR_TEXT_MAX = 64 << 10,
	EXPR_NODES_MAX = 10000,
	EXPR_DEPTH_MAX = 500,
	EXPR_STEPS_MAX = 1000000,
	EXPR_BYTES_MAX = 16 << 20, /* made by one evaluation */
};

#define EXPR_V115 1u /* length of a string in bytes; no chained comparisons, if, sequences, raw strings */

struct expr;

/* What a function is called with. */
struct expr_call {
	struct arena *arena;      /* for the result */
	const struct val *env;
	void *arg;                /* of expr_options */
	const void *data;         /* of the function */
	int64_t now;              /* ns since the epoch */
	uint64_t *random;         /* state of the sequence that random functions draw from */
};
/*
 * A function of the caller's: asInt, jsonpath, sprig.trim. The number of arguments is checked before the call; max < 0: any number.
 * ERR_INVALID for arguments of the wrong kind.
 */
struct expr_function {
	const char *name;
	int min, max;
	int (*call)(const struct expr_call *c, const struct val *args, size_t n, struct val *out, struct err *e);
	const void *data;
};
struct expr_options {
	unsigned flags;
	/* The function of that name ("asInt", "sprig.trim"); false: there is none. May be NULL. Before the language's own. */
	bool (*function)(void *arg, str name, struct expr_function *out);
	void *arg;
};

/* asInt(x), asFloat(x), toJson(x) and sprig.*: what both Argos add. For `function` hooks. */
bool expr_argo_function(str name, struct expr_function *out);

/* ERR_INVALID: "line:column: reason"; ERR_NOT_FOUND: there is no function of that name;
 * ERR_UNSUPPORTED: it can be read, but has types that do not go together; ERR_LIMIT. The options are copied. */
int expr_compile(str text, const struct expr_options *o, struct expr **out, struct err *e) MUST_CHECK;
void expr_free(struct expr *x); /* NULL is fine */
/*
 * A name of the environment that the text speaks of, with the constant members behind it: {workflow, parameters, a-b} for
 * workflow.parameters["a-b"]. No parts: all of the environment ($env).
 */
struct expr_name {
	const str *parts;
	uint32_t n;
	uint32_t needed; /* so many of the first parts are not guarded by ?? or ?. (Argo's getIdentifiers) */
	bool bound;      /* the first part is a variable of a `let` here */
};
/* All of them in order of appearance, some perhaps twice; they live as long as `x`. */
const struct expr_name *expr_names(struct expr *x, size_t *n);
/* ERR_INVALID where a member of `env` that is a string is compared with what can be none, or has members: Go's compiler knows. */
int expr_check_types(const struct expr *x, const struct val *env, struct err *e) MUST_CHECK;
/*
 * Evaluates over `env`, a map. The result lies in `a` and may point into env and x. ERR_INVALID with the place and reason; ERR_LIMIT where
 * the work or the result grows too large.
 */
int expr_eval(const struct expr *x, const struct val *env, struct arena *a, struct val *out, struct err *e) MUST_CHECK;

/*
 * How Go's encoding/json writes a result: compact, keys sorted, <, > and & escaped. ERR_INVALID for what JSON does not have (NaN,
 * infinities).
 */
int expr_json(struct buf *b, const struct val *v, struct err *e) MUST_CHECK;
/* When an evaluation takes place, and where its random numbers begin: the same ones give the same result. */
struct expr_moment {
	int64_t now; /* ns since the epoch */
	uint64_t seed;
};
/* The same at a given moment; expr_eval takes the clock's time and a new seed. */
int expr_eval_at(const struct expr *x, const struct val *env, struct expr_moment when, struct arena *a, struct val *out, struct err *e) MUST_CHECK;

/* A point in time and a length of time (time.Time, time.Duration), which are ints else. */
bool expr_is_time(const struct val *v);
struct val expr_time(int64_t ns); /* since the epoch, in UTC: for an environment */
bool expr_is_duration(const struct val *v);
/* A result without such values: times as texts, durations as numbers, as JSON has them. */
struct val expr_plain(struct arena *a, const struct val *v);
/* How fmt's %v prints a value: "<nil>", "1e+06", "[1 a]", "map[a:1]". Go sorts the keys, and so does this. */
void expr_print(struct buf *b, const struct val *v);

#endif
