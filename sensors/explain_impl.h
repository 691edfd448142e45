/* SPDX-License-Identifier: Apache-2.0 */
/* explain_impl: what the files of explain share; nobody else includes it. */
#ifndef TIDEGATE_SENSORS_EXPLAIN_IMPL_H
#define TIDEGATE_SENSORS_EXPLAIN_IMPL_H

#include "sensors/explain.h"
#include "sensors/rows.h"

/* ---- explain_text.c: words ------------------------------------------------------------------------------------- */

/* One check of an event; `l` NULL: it was not looked at. */
str explain_check(struct arena *a, const struct check *c, const struct trace_look *l);
/* What would have made a check pass: "body.action "opened" (sensor.yaml:9)". */
str explain_wanted(struct arena *a, const struct check *c);

/* A decision about an event at a trigger, or at the dependency alone. */
struct told {
	str event, dependency, trigger, verdict, reason, held;
	int64_t time_ns, ended_ns, attempts;
	const struct val *result;      /* NULL: none */
	const struct val *firing;      /* firing_shown; NULL: it has ended */
	str letter;                    /* id of its dead letter; absent: none */
	const struct val *dependency_outline, *trigger_outline; /* version.h; NULL: not known */
	const struct val *outline;     /* of the sensor */
	const struct val *live;        /* explain_live */
	str wanted;                    /* of a filtered one: what would have passed */
	int64_t now_ns;
};
/* "did not fire: ..." in one line, without the sensor. */
str explain_decision(struct arena *a, const struct told *t);
/* What would have made it fire, or will; absent where there is nothing to say. */
str explain_advice(struct arena *a, const struct told *t);
/* What a trigger waits for now, a line each. */
struct val explain_trigger(struct arena *a, const struct val *outline, const struct val *live);

/* ---- both ------------------------------------------------------------------------------------------------------ */

/* The number of the sensor's rows; 0: it has none. */
int explain_id(sqlite3 *db, str ns, str sensor, int64_t *id, struct err *e);
int explain_failed(sqlite3 *db, struct err *e);

#endif
