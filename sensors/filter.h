/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter: whether an event counts for a dependency. A kind of filter is one file with a `struct filter_ops` and a line in
 * filters.def. Filters are compiled once per manifest and are pure: the event, and nothing else, decides.
 */
#ifndef TIDEGATE_SENSORS_FILTER_H
#define TIDEGATE_SENSORS_FILTER_H

#include "core/event.h"
#include "sensors/spec.h"

enum verdict { FILTER_PASS, FILTER_MISS, FILTER_ERROR };

/* An event on its way through the filters of a sensor. */
struct filtered {
	struct event *ev;
	struct arena *tmp; /* for one event */
	str file;          /* of the manifest, for reasons */
};

struct filter_ops {
	const char *kind;
	bool (*present)(const struct filters *spec);
	/* Into `a`; *out may be NULL. NULL: the kind is not served yet. */
	int (*compile)(const struct filters *spec, struct arena *a, void **out, struct err *e);
	/* `why` (in f->tmp) says for MISS and ERROR what was wanted and what came. */
	enum verdict (*eval)(const void *compiled, struct filtered *f, str *why);
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
	str file;
};
/* `file` is where the manifest came from, for reasons. ERR_INVALID, ERR_UNSUPPORTED (with the place). */
int filter_set_compile(const struct dependency *dep, str file, struct arena *a, struct filter_set *out, struct err *e) MUST_CHECK;
/* By default all must pass. With `or`, one is enough, but an error of exprs, data or time is an error still (as in Argo). */
enum verdict filter_set_eval(const struct filter_set *s, struct filtered *f, str *why);
void filter_set_free(struct filter_set *s);

/* "sensor.yaml:12", or "line 12" without a file; "" without a line. For the end of a reason: " (sensor.yaml:12)". */
str manifest_place(struct arena *a, str file, const struct val *at);

#endif
