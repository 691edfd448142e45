/* SPDX-License-Identifier: Apache-2.0 */
/* trial: a case of a test file played: its manifests read, its events through its sensors. What came of them is kept for who judges. */
#ifndef TIDEGATE_CLI_TRIAL_H
#define TIDEGATE_CLI_TRIAL_H

#include "cli/test_file.h"
#include "cli/tryout.h"

/* A firing as it was. */
struct seen {
	str sensor, trigger, payload, sends;
	int64_t at;
	const struct val *settings, *resource;
	const struct val *workflow; /* what is submitted; NULL: nothing */
	str problem;                /* why it would fail at that; absent: it would not */
	struct strs events;
};

struct trial {
	struct arena *arena;
	const struct test_file *file;
	const struct test_case *c;
	struct objects *objects;
	VEC(struct object *) workflows; /* among the manifests; one reference each */
	struct tryout *tryout;
	VEC(struct seen) firings;
	struct decisions decisions;
	int64_t began, now;
	struct buf *out;
};

/* The i-th document of the file, a case. Findings go to `out`. */
void trial_init(struct trial *t, const struct test_file *f, size_t i, struct buf *out);
/* False: it could not be played, and why is told. */
bool trial_play(struct trial *t);
void trial_free(struct trial *t);
/* "file:line: name: text" at that place of the file (NULL: at the case). */
void trial_differs(struct trial *t, const struct val *at, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A duration after the case's clock, or a time. */
int trial_time(const struct trial *t, str text, int64_t *out, struct err *e) MUST_CHECK;

#endif
