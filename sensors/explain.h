/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain: why a sensor did or did not fire. What is only in memory is taken on the loop (explain_live); the rest is read on a pool
 * thread from what the decisions left (rows.h, version.h). Every answer has its words beside its parts: `text`.
 */
#ifndef TIDEGATE_SENSORS_EXPLAIN_H
#define TIDEGATE_SENSORS_EXPLAIN_H

#include "core/store.h"
#include "sensors/sensor.h"

struct explain_query {
	str ns, sensor;
	str event;        /* its id */
	int64_t since_ns; /* for explain_sensor: decisions since then; 0: all that are kept */
	int64_t now_ns;
	struct val live;  /* from explain_live */
};
/* The sensor as it is now: outline, state, and what waits at its triggers. ERR_NOT_FOUND with the nearest name. In `a`. */
int explain_live(struct sensors *ss, str ns, str name, struct arena *a, struct val *out, struct err *e) MUST_CHECK;
/*
 * For a store_fn. The way of one event: {sensor, namespace, place, event, fired, summary, ways: [{dependency, place, version, checks:
 * [{kind, what, want, got, verdict, place, decides, text}], note, decisions: [{trigger, verdict, reason, time, attempts, tries, firing, result,
 * advice, text}]}]}. Verdicts of checks: passed, missed, error, "not looked at". ERR_NOT_FOUND: nobody knows of such an event.
 */
int explain_event(sqlite3 *db, const struct explain_query *q, struct arena *a, struct val *out, struct err *e) MUST_CHECK;
/*
 * For a store_fn. The last decisions by reason: {sensor, namespace, place, state, decisions, since, fired, reasons: [{verdict, dependency,
 * trigger, reason, count, last, event}], triggers: [{name, place, text: [...]}]}, the most frequent reason first.
 */
int explain_sensor(sqlite3 *db, const struct explain_query *q, struct arena *a, struct val *out, struct err *e) MUST_CHECK;

#endif
