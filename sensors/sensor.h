/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sensor: dependencies, filters and conditions over the bus. For every event that one of its dependencies names it
 * evaluates the filters, remembers the event per trigger until the trigger's conditions hold, and fires. Its state (which
 * dependency is satisfied by which event) is rows of the store, written in the transaction of the event.
 */
#ifndef TIDEGATE_SENSORS_SENSOR_H
#define TIDEGATE_SENSORS_SENSOR_H

#include "bus/bus.h"
#include "config/config.h"
#include "sensors/rows.h"
#include "triggers/trigger.h"

struct sensors;
struct triggers;

extern const struct kind kind_sensor;
extern const char sensor_schema_sql[]; /* tables: sensor state, firings, decisions, dead letters */
extern const char sensor_waiting_sql[]; /* table: sensor_waiting instead of sensor_state */
extern const char sensor_explain_sql[]; /* what decisions were made of: columns, tables sensor_version and sensor_check */

struct sensors *sensors_new(const struct trigger_env *env, struct bus *(*bus_of)(void *arg, str ns, str bus_name), void *arg);
/* What a sensor decided about an event; texts are valid during the call. `how`: see sensors/rows.h. */
typedef void sensors_told(void *arg, str ns, str sensor, enum rows_how how, const struct decision *d);
/*
 * For trying out, before sensors_apply: the sensors subscribe to nothing (`bus_of` is not called), what they decide is told instead
 * of written, and events come by sensors_take. `brief`: without the reasons of filtered events, which cost the most. With env.instead
 * nothing has an effect outside.
 */
void sensors_try_out(struct sensors *ss, sensors_told *told, void *arg, bool brief);
/* The event as if it had come from the bus of its namespace, to all sensors there that depend on it; returns how many do. Its seq grows. */
size_t sensors_take(struct sensors *ss, struct event *ev);
/* Follows the Sensor objects: starts, stops, keeps the state of triggers whose dependencies and conditions did not change. */
int sensors_apply(struct sensors *ss, struct err *e) MUST_CHECK;
void sensors_free(struct sensors *ss);
/* For what concerns firings alone, as dead letters do. */
struct triggers *sensors_triggers(struct sensors *ss);
struct val sensors_status(struct sensors *ss, struct arena *a);
/* Events that wait for a jq program or behind one that does, and one more for each sensor that has not read its bus to the end. 0: all is decided. */
size_t sensors_under_way(const struct sensors *ss);

/*
 * What became of an event: a list of {sensor, namespace, dependency, trigger, verdict, reason, result, time}. `ns` absent: any. Verdicts:
 * "filtered" and "error" (the filters said no, or could not say; no trigger), "unused" (no trigger asks for the dependency), "waiting" (for the dependencies that the reason
 * names), "superseded" (a later event of the same dependency took its place), "expired" (it waited longer than `within`), "reset"
 * (conditionsReset), "evicted" (too much waited), "pending" (decided, on disk, about to be
 * tried), "fired", "failed" (will be tried again), "dead-letter" (given up and kept). For use inside a store_fn.
 */
int sensor_decisions(sqlite3 *db, str ns, str event_id, struct arena *a, struct val *out, struct err *e) MUST_CHECK;

#endif
