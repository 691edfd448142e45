/* SPDX-License-Identifier: Apache-2.0 */
/*
 * impl: what the files of a sensor share; nobody else includes it.
 *
 *     sensor.c     the set of sensors; what the daemon calls
 *     load.c       from one program to the next: triggers, subscription, what is saved
 *     decide.c     an event at its dependencies: transform, filters, triggers, firing
 *     joining.c    events that wait for others at a trigger, and what the clock ends
 *     again.c      dead letters that come back
 *     try.c        trying out: without a bus, and without rows
 *     status.c     how it is
 *     explain_live.c  the same, for those who ask why
 */
#ifndef TIDEGATE_SENSORS_IMPL_H
#define TIDEGATE_SENSORS_IMPL_H

#include "core/map.h"
#include "sensors/awaiting.h"
#include "sensors/program.h"
#include "sensors/rows.h"
#include "sensors/sensor.h"
#include "triggers/dead.h"

struct sensors {
	struct trigger_env env;
	struct bus *(*bus_of)(void *arg, str ns, str bus_name);
	void *arg;
	struct rows *rows;
	struct triggers *triggers;
	struct map by_name; /* "ns/name" -> struct sensor */
	struct jq_pool *jq; /* NULL: nobody needed it yet */
	struct arena *tmp;  /* for one event */
	struct trace trace; /* of the event at the dependency where it is */
	bool trace_told;    /* a decision has it */
	uint64_t round;     /* of apply: marks what is still there */
	sensors_told *told; /* trying out (try.c); NULL: in earnest */
	void *told_arg;
	bool brief;
};

struct sensor {
	struct sensors *ss;
	char *key;
	int64_t id; /* of its rows */
	struct program *prog;
	uint64_t revision, round;
	int64_t version; /* of the manifest, as rows name it (version.h); 0: not written yet */
	struct bus *bus;
	struct subscription *sub;
	struct awaiting *awaiting; /* events under way, in order */
	str group;
	uint64_t events, fired;
	int64_t place;      /* the last one given to an event that waits */
	struct timer timer; /* for what waits; not armed while nothing can end */
};

/* An event that takes part in a firing. */
struct part {
	struct event *ev;
	size_t dep;
};

/* ---- decide.c ---------------------------------------------------------------------------------------------------- */

/* What is to be said about the event at the dependency; `t`: and at the trigger. The caller adds verdict and reason. */
struct decision decision_about(struct sensor *s, const struct event *ev, size_t dep, const struct program_trigger *t);
/* A row with it, and with what the filters looked at if no other has it yet. `verdict` is a literal. */
void decide(struct sensor *s, const struct event *ev, size_t dep, const struct program_trigger *t, const char *verdict, str reason);
/* The event cannot go on, through no fault of its own perhaps: it is kept with the reason. */
void decide_stop(struct sensor *s, size_t dep, const struct program_trigger *t, struct event *ev, str reason);
/* The parts leave together; `last` is the one of them that came now. Sorts them. */
void decide_fire(struct sensor *s, struct program_trigger *t, struct part *parts, size_t n, const struct part *last);
/* The event has passed the dependency's filters: it enters the conditions of the trigger. False: they do not name the dependency. */
bool decide_at_trigger(struct sensor *s, struct program_trigger *t, size_t dep, struct event *ev);
/* `t` has what jq programs made of the event. */
void decide_at_dependency(struct sensor *s, size_t dep, struct event *ev, const struct transformed *t, size_t n);
/* The whole event; `arg` is the sensor. For the bus, and for awaiting_new. */
void decide_received(void *arg, struct event *ev);
void decide_ready(void *arg, struct event *ev, const struct transformed *t, size_t n);
/* For triggers_new: the framework tells what became of a firing; `arg` is the set. */
void decide_report(void *arg, const struct trigger_def *def, const struct firing_outcome *o);

/* ---- joining.c --------------------------------------------------------------------------------------------------- */

/* The event enters the trigger's join: it waits, or fires with those that waited. */
void joining_enter(struct sensor *s, struct program_trigger *t, size_t dep, struct event *ev);
/* Sets the timer to where something that waits comes to its end, but not before `from`. */
void joining_arm(struct sensor *s, int64_t from);

/* ---- again.c ----------------------------------------------------------------------------------------------------- */

/* For dead_letters_on_again; `arg` is the set. */
bool again(void *arg, const struct dead_again *x);

/* ---- status.c ---------------------------------------------------------------------------------------------------- */

/* One sensor of sensors_status. */
struct val sensor_status(const struct sensor *s, struct arena *a);

/* ---- load.c ------------------------------------------------------------------------------------------------------ */

/* Takes the object's new version over. What is saved in the store is read for a sensor that was not there yet. */
int sensor_load(struct sensor *s, struct object *o, struct err *e) MUST_CHECK;
/* Triggers of the old program that the new one (NULL: none) does not run. */
void sensor_retire_triggers(const struct program *old, const struct program *new);
/* The helper processes, started with their first use; `arg` is the sensor. */
struct jq_pool *sensor_jq(void *arg);

#endif
