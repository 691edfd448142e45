/* SPDX-License-Identifier: Apache-2.0 */
/* program: a Sensor manifest made ready to run: filters and conditions compiled, dependencies by event. Immutable but for `join`. */
#ifndef TIDEGATE_SENSORS_PROGRAM_H
#define TIDEGATE_SENSORS_PROGRAM_H

#include "core/map.h"
#include "sensors/condition.h"
#include "sensors/filter.h"
#include "sensors/join.h"
#include "sensors/join_key.h"
#include "sensors/transform.h"
#include "triggers/firing.h"

struct program_dep {
	const struct dependency *spec;
	struct transformer transform; /* before the filters */
	struct filter_set filters;
	const struct check *checks; /* what transform and filters look at */
	size_t checks_n, first_check; /* the first one's number among all of the sensor */
	str problem; /* why it cannot be evaluated; absent: it can */
	size_t next; /* the next dependency on the same event, +1; 0: none */
};
struct program_trigger {
	const struct trigger_spec *spec;
	str name;
	struct condition cond;
	struct trigger *runs;  /* NULL: it has a problem */
	str problem;
	struct join *join;     /* what waits; NULL: the conditions join nothing */
	struct expr *key;      /* by which it pairs; NULL: it does not */
	size_t join_max;
	str *signatures;       /* by dependency: state of another signature is not this trigger's */
};
struct program {
	struct object *object;
	struct arena *arena;
	const struct sensor_spec *spec;
	struct program_dep *deps;
	size_t deps_n;
	struct program_trigger *triggers;
	size_t triggers_n;
	size_t checks_n;       /* of all dependencies */
	bool timed;            /* a join may have something to do without an event */
	struct map by_event;   /* "source\0event" -> (void *)(first dependency + 1) */
};

/* Never NULL: what cannot be served is a `problem` of its dependency or trigger, and every event says so. */
struct program *program_new(struct object *sensor);
void program_free(struct program *p);
/* The first dependency on that event, +1; 0: none. */
size_t program_find(const struct program *p, str source, str event);
struct program_trigger *program_trigger_named(const struct program *p, str name);
/* SIZE_MAX: none. */
size_t program_dep_named(const struct program *p, str name);
/* What a trigger is, for the framework. */
struct trigger_def program_def(struct program *p, const struct program_trigger *t);

#endif
