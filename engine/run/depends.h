/* SPDX-License-Identifier: Apache-2.0 */
/*
 * depends: the condition of a DAG task over other tasks, "A.Succeeded && (B || !C.Failed)" (spec 2.6; Argo v4.1.2
 * workflow/common/ancestry.go). It becomes a program in postfix form over task numbers: reading it needs a stack as
 * deep as the brackets, not as long as the text.
 *
 * An operand asks whether a task has one of a set of results. A bare name is the set that counts as success: Succeeded,
 * Skipped, Daemoned, and what the task's continueOn forgives.
 */
#ifndef TIDEGATE_ENGINE_RUN_DEPENDS_H
#define TIDEGATE_ENGINE_RUN_DEPENDS_H

#include "core/base.h"

#define DEPENDS_TEXT_MAX (1u << 20)
#define DEPENDS_DEPTH_MAX 100 /* nested brackets and negations */

/* Results of a task: a set. */
enum {
	DEPENDS_SUCCEEDED = 1 << 0,
	DEPENDS_FAILED = 1 << 1,
	DEPENDS_ERRORED = 1 << 2,
	DEPENDS_SKIPPED = 1 << 3,
	DEPENDS_OMITTED = 1 << 4,
	DEPENDS_DAEMONED = 1 << 5,
	DEPENDS_ANY_SUCCEEDED = 1 << 6, /* of a loop's children */
	DEPENDS_ALL_FAILED = 1 << 7,
	DEPENDS_DEFAULT = DEPENDS_SUCCEEDED | DEPENDS_SKIPPED | DEPENDS_DAEMONED,
};

enum depends_op { DEPENDS_TEST, DEPENDS_NOT, DEPENDS_AND, DEPENDS_OR };
struct depends_code {
	uint8_t op;
	uint8_t results; /* TEST: the set asked for */
	uint32_t task;   /* TEST */
};
struct depends {
	struct depends_code *code;
	size_t n;
	size_t *tasks;   /* each task named, once, in order of appearance */
	size_t tasks_n;
	uint8_t asked;   /* union of the results written out, bare names aside */
};

/* What the parser asks about tasks. */
struct depends_scope {
	/*
	 * The number of the task of that name, SIZE_MAX if there is none; *bare: what a bare name stands for
	 * (DEPENDS_DEFAULT and more).
	 */
	size_t (*task)(void *arg, str name, uint8_t *bare);
	void *arg;
};

/*
 * Reads `text`. ERR_INVALID: "dependency 'x' not defined", "task result 'X' for task 'Y' is invalid", or "at N: ..."
 * where the text is no expression; ERR_LIMIT. The result is in `a`.
 */
int depends_parse(struct arena *a, str text, const struct depends_scope *scope, struct depends *out,
	struct err *e) MUST_CHECK;
/* Whether it holds; results(arg, task) gives the set of results that a task has. */
bool depends_holds(const struct depends *d, uint8_t (*results)(const void *arg, size_t task), const void *arg);

#endif
