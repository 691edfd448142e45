/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evaluate: expressions over variables, for everything in the engine that has some: {{=tags}}, valueFrom.expression,
 * conditions of hooks and retries, labelsFrom, metrics. The language is core/lang/expr.h's, with what Argo adds (asInt,
 * toJson, sprig.*, ...).
 *
 * Variables have dotted names; an expression sees them as nested maps (spec 3.3): where one name is the beginning of
 * another, the shorter is not there. Only what the expression speaks of is looked up, so an expression costs what it
 * uses. All that is a variable of a workflow is a string, or nil: the output of a step that was skipped.
 */
#ifndef TIDEGATE_ENGINE_RUN_EVALUATE_H
#define TIDEGATE_ENGINE_RUN_EVALUATE_H

#include "core/lang/expr.h"
#include "engine/run/tags.h"

/* Where variables come from. */
struct variables {
	/*
	 * Calls fn with every name that may exist and is `under`, or begins with `under` and a dot; any name if `under`
	 * is empty. Names that look does not know do no harm. Stops and returns false when fn does.
	 */
	bool (*each)(void *arg, str under, bool (*fn)(void *to, str name), void *to);
	/* The value; TAG_ABSENT: nil. Lives as long as `a`. */
	enum tag_found (*look)(void *arg, str name, struct arena *a, struct val *out);
	void *arg;
	struct expr_moment when; /* of no time: the clock's, and random numbers are new each time */
};
/* The members of a map with dotted keys as variables; they need not be strings. `map` lives as long as it is used. */
struct variables evaluate_map(const struct val *map);

/* Compiled expressions, each compiled once, and room to work in. One for each run. */
struct evaluator;
struct evaluator *evaluator_new(void);
void evaluator_free(struct evaluator *ev); /* NULL is fine */

/*
 * The value of an expression; strings and all else live in `a`. ERR_INVALID with the reason for what cannot be compiled
 * or evaluated, ERR_LIMIT beyond the limits of expr.h. A name that is no variable is an error, nil members are not.
 */
int evaluate(struct evaluator *ev, str text, const struct variables *v, struct arena *a, struct val *out,
	struct err *e) MUST_CHECK;
/* The same, which must give a truth value (Argo's EvalBool): "unable to evaluate expression '...': ...", "unable to
 * cast expression result '...' to bool". */
int evaluate_bool(struct evaluator *ev, str text, const struct variables *v, bool *out, struct err *e) MUST_CHECK;
/* The same as the text of a parameter: as Go's %v prints it. ERR_NOT_FOUND for nil. */
int evaluate_text(
	struct evaluator *ev, str text, const struct variables *v, struct arena *a, str *out, struct err *e) MUST_CHECK;
/*
 * The text that takes the place of {{=text}} (spec 3.3): a string as it is, all else as JSON. TAG_MISSING: the tag
 * stays as it is, because something it speaks of may come later. -1: ERR_NOT_FOUND if a name is missing that `strict`
 * (as in tags.h) demands, else ERR_INVALID for what is wrong with it.
 */
int evaluate_tag(struct evaluator *ev, str text, const struct variables *v, const char *const *strict, struct arena *a,
	enum tag_found *found, str *out, struct err *e) MUST_CHECK;
/* Whether `text` can be compiled: for validation. The names of variables are not looked at. */
int evaluate_check(str text, struct err *e) MUST_CHECK;
/* The same, and calls fn with each name of a variable in it (expr.h: expr_names). */
int evaluate_names(str text, void (*fn)(void *arg, const struct expr_name *name), void *arg, struct err *e) MUST_CHECK;

#endif
