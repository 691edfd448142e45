/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transform: what becomes of an event's data before filters, conditions and parameters look at it (spec events 3.4). The event
 * stays the same one, with another body, whose type is then application/json.
 */
#ifndef TIDEGATE_SENSORS_TRANSFORM_H
#define TIDEGATE_SENSORS_TRANSFORM_H

#include "core/event.h"
#include "core/lang/script.h"
#include "sensors/spec.h"
#include "sensors/trace.h"

/* Of a dependency, made ready. All zero: none. */
struct transformer {
	const struct transform *spec;
	struct script *script;
	size_t check; /* its number in the trace */
};

/* ERR_INVALID: the script does not compile. A jq program is compiled by its helper, later. */
int transformer_compile(const struct transform *spec, struct checks *checks, struct transformer *out, struct err *e) MUST_CHECK;
void transformer_free(struct transformer *t);
/* Its answer takes a while: sensors/awaiting.h. */
static inline bool transformer_is_jq(const struct transformer *t) { return t->spec && t->spec->jq.n; }
/* Lua: a new event with the data changed, or NULL with what is wrong in `why` (in tmp). */
struct event *transform_now(const struct transformer *t, struct event *ev, struct arena *tmp, str *why);
/* The same event with other data, which is copied. One reference. */
struct event *event_with_data(const struct event *ev, str data);

#endif
