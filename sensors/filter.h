/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter: whether an event counts for a dependency. A kind of filter is one file with a `struct filter_ops` and a line in
 * filters.def. Filters are compiled once per manifest and are pure: the event, and nothing else, decides.
 */
#ifndef TIDEGATE_SENSORS_FILTER_H
#define TIDEGATE_SENSORS_FILTER_H

#include "core/event.h"
#include "sensors/spec.h"
#include "sensors/trace.h"

/* An event on its way through the filters of a sensor. */
struct filtered {
	struct event *ev;
	struct arena *tmp;   /* for one event */
	struct trace *trace; /* what was looked at */
	struct trace_look why;     /* of a MISS or an ERROR: the look that decided */
};

struct filter_ops {
	const char *kind;
	bool (*present)(const struct filters *spec);
	/* Into the arena of the checks, to which it adds its own; *out may be NULL. NULL: the kind is not served yet. */
	int (*compile)(const struct filters *spec, struct checks *checks, void **out, struct err *e);
	/* Every look goes through filter_look; after a MISS or an ERROR f->why is the one that decided. */
	enum verdict (*eval)(const void *compiled, struct filtered *f);
	void (*free)(void *compiled);
};

/* All filters of a dependency. */
struct filter_set {
	struct filter_part {
		const struct filter_ops *ops;
		void *compiled;
	} *parts; /* those that are present, in the order of evaluation */
	size_t n;
	bool any;  /* filtersLogicalOperator: or */
	bool given; /* the dependency has filters at all */
	size_t none; /* the check that says so where one must pass and none is there */
};
/* What is looked at goes to `checks`, whose arena holds what is compiled. ERR_INVALID, ERR_UNSUPPORTED (with the place). */
int filter_set_compile(const struct dependency *dep, struct checks *checks, struct filter_set *out, struct err *e) MUST_CHECK;
/* By default all must pass. With `or`, one is enough, but an error of exprs, data or time is an error still (as in Argo). */
enum verdict filter_set_eval(const struct filter_set *s, struct filtered *f);
void filter_set_free(struct filter_set *s);

/* One look: into the trace, and into f->why unless it passed. Gives the verdict back. */
static inline enum verdict
filter_look(struct filtered *f, size_t check, enum verdict v, str got)
{
	const struct trace_look l = { check, v, got };
	trace_add(f->trace, &l);
	if (v != FILTER_PASS)
		f->why = l;
	return v;
}

#endif
