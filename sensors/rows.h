/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows: what a sensor writes. Two things: which events wait for others (sensor_state), and what became of each event
 * (sensor_decision, a ring per sensor). Both go to the store as one job a turn, in the transaction of the events that they are about.
 */
#ifndef TIDEGATE_SENSORS_ROWS_H
#define TIDEGATE_SENSORS_ROWS_H

#include "core/event.h"
#include "core/loop.h"
#include "core/store.h"

enum { ROWS_RING = 10000 /* decisions kept per sensor */ };

/* What happened to an event at a dependency (trigger absent) or a trigger. */
struct decision {
	str event, dependency, trigger;
	const char *verdict; /* literal: filtered, error, waiting, superseded, expired, reset, evicted, pending, fired, failed, dead-letter */
	str reason, result;  /* result: JSON */
	str firing;          /* while it is not final: later reports find it by this */
	int64_t time_ns;
};

/* A writer for all sensors; one batch a turn. */
struct rows;
struct rows *rows_new(struct loop *l, struct store *s);
/*
 * For trying out: from now on decisions are told instead of written, valid during the call, and what waits is not saved. ROWS_NEW,
 * ROWS_CHANGED and ROWS_REPORTED are what rows_decide, rows_redecide and rows_report do.
 */
enum rows_how { ROWS_NEW, ROWS_CHANGED, ROWS_REPORTED };
typedef void rows_told(void *arg, enum rows_how how, int64_t sensor, const struct decision *d);
void rows_tell(struct rows *r, rows_told *told, void *arg);
/* Writes nothing more; what was queued is written. */
void rows_free(struct rows *r);

/* Everything is copied. `sensor` is the number that rows_sensor_id gave. */
void rows_decide(struct rows *r, int64_t sensor, const struct decision *d);
/* Changes the latest decision about (event, dependency, trigger). */
void rows_redecide(struct rows *r, int64_t sensor, const struct decision *d);
/* Changes all decisions that carry d->firing; keeps the mark unless the verdict is final. */
void rows_report(struct rows *r, int64_t sensor, const struct decision *d, bool final);
/* An event that waits, as its row has it. */
struct saved_row {
	int64_t place; /* its number at the sensor: the order of arrival */
	str trigger, dependency;
	str signature; /* of what the trigger and the dependency mean */
	str key;       /* by which it pairs; "" */
};
/* Takes a reference to the event until it is written. */
void rows_save(struct rows *r, int64_t sensor, const struct saved_row *row, struct event *ev);
void rows_unsave(struct rows *r, int64_t sensor, int64_t place);
/* The sensor is gone: its state and its decisions. */
void rows_drop_sensor(struct rows *r, int64_t sensor);

/* ---- reading, on the calling thread ---------------------------------------------------------------------------------- */

/* The number under which the sensor's rows stand; a new one (the row is queued) if it has none. Ask once per sensor. */
int rows_sensor_id(struct rows *r, str ns, str name, int64_t *out, struct err *e) MUST_CHECK;
/* Calls fn for each saved event, in the order of places. It may keep a reference. */
int rows_load(struct rows *r, int64_t sensor, void (*fn)(void *arg, const struct saved_row *row, struct event *ev), void *arg, struct err *e) MUST_CHECK;

#define ROWS_SCHEMA_SQL \
	"CREATE TABLE sensor (id INTEGER PRIMARY KEY, ns TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (ns, name)) STRICT;" \
	"CREATE TABLE sensor_state (sensor INTEGER NOT NULL, trigger TEXT NOT NULL, dependency TEXT NOT NULL, signature TEXT NOT NULL," \
	" attributes TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (sensor, trigger, dependency)) STRICT, WITHOUT ROWID;" \
	/* The key is the sensor's number above 40 bits of a count: a ring is a range of keys. */ \
	"CREATE TABLE sensor_decision (key INTEGER PRIMARY KEY, event TEXT NOT NULL, time_ns INTEGER NOT NULL, dependency TEXT NOT NULL," \
	" trigger TEXT, verdict TEXT NOT NULL, reason TEXT, result TEXT, firing TEXT) STRICT;" \
	"CREATE INDEX sensor_decision_event ON sensor_decision (event);" \
	"CREATE INDEX sensor_decision_firing ON sensor_decision (firing) WHERE firing IS NOT NULL;"

/* Many events may wait for one dependency: a row has a number, and the one of a dependency becomes the first of its queue. */
#define ROWS_WAITING_SQL \
	"CREATE TABLE sensor_waiting (sensor INTEGER NOT NULL, place INTEGER NOT NULL, trigger TEXT NOT NULL, dependency TEXT NOT NULL," \
	" signature TEXT NOT NULL, key TEXT NOT NULL, attributes TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (sensor, place)) STRICT," \
	" WITHOUT ROWID;" \
	"INSERT INTO sensor_waiting SELECT sensor, row_number() OVER (PARTITION BY sensor ORDER BY json_extract(attributes, '$.seq'))," \
	" trigger, dependency, signature, '', attributes, data FROM sensor_state;" \
	"DROP TABLE sensor_state;"

#endif
