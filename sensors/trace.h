/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace: what was looked at of an event at a dependency, and what came of it. What can be looked at is known when the manifest is
 * compiled: a check has a number and all its texts. A trace then is numbers, verdicts and what came, a few bytes; what has no
 * look was not looked at, because what came before it had decided. Texts are put together by whoever reads.
 */
#ifndef TIDEGATE_SENSORS_TRACE_H
#define TIDEGATE_SENSORS_TRACE_H

#include "core/val.h"

enum verdict { FILTER_PASS, FILTER_MISS, FILTER_ERROR };

/* Something that a transform or a filter looks at: an entry of data or exprs, an attribute, the time, a script. */
struct check {
	const char *kind;      /* data, exprs, context, time, script, transform */
	str what;              /* the path, the expression, the attribute; "": the filter as a whole */
	str want;              /* "": `otherwise` says it */
	const char *otherwise; /* what a miss is called where nothing is wanted by name; "": not used */
	str place;             /* "sensor.yaml:12" */
};
/* Those of a dependency, in the order of evaluation. */
struct checks {
	struct arena *arena;
	str file; /* of the manifest */
	VEC(struct check) list;
};
/* The number of a new one, which `at` in the manifest asks for. `what` and `want` must live as long as the arena. */
size_t checks_add(struct checks *c, const char *kind, str what, str want, const char *otherwise, const struct val *at);

/* One check that was made. */
struct trace_look {
	size_t check;
	enum verdict verdict;
	str got; /* what came, as a reason shows it; of an ERROR: what is wrong */
};

enum { TRACE_MAX = 64 /* looks kept of one event at one dependency */, TRACE_GOT_MAX = 300 /* bytes of each */ };
struct trace {
	struct trace_look looks[TRACE_MAX];
	size_t n;
	size_t left_out; /* beyond those */
	bool decided;    /* a filter said no, or could not say: */
	struct trace_look why;
};
void trace_clear(struct trace *t);
void trace_add(struct trace *t, const struct trace_look *l);
/* It as text, in `a`: "<check><letter><length>:<got>" for each look. The letter is p, m or e; that of the look that decided is M or E. */
str trace_write(const struct trace *t, struct arena *a);
/* Reads such a text, whose bytes the looks point to. What cannot be read ends it. */
void trace_read(str text, struct trace *t);

/* "data filter body.ref: want "x", got "y" (sensor.yaml:12)": of a MISS or an ERROR. In `a`. */
str trace_reason(struct arena *a, const struct check *c, const struct trace_look *l);

/* A value as a reason shows it: quoted, and at most 60 bytes of it. */
void trace_show(struct buf *b, str s);
/* The same in `a`, without the way through a buffer where it can: every look of every event is kept. */
str trace_shown(struct arena *a, str s);

/* "sensor.yaml:12", or "line 12" without a file; "" without a line. For the end of a reason: " (sensor.yaml:12)". */
str manifest_place(struct arena *a, str file, const struct val *at);

#endif
