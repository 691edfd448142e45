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
#include "sensors/trace.h"

enum {
	ROWS_RING = 10000,  /* decisions kept per sensor */
	ROWS_KEY_BITS = 40, /* of a decision's key, its number; above them is the number of its sensor */
};

/* What happened to an event at a dependency (trigger absent) or a trigger. */
struct decision {
	str event, dependency, trigger;
	const char *verdict; /* literal: filtered, error, unused, waiting, superseded, expired, reset, evicted, pending, fired, failed, dead-letter */
	str reason, result;  /* result: JSON. reason: absent where `why` says it */
	str firing;          /* while it is not final: later reports find it by this */
	int64_t time_ns;     /* of a report: when it was made */
	int64_t version;     /* of the manifest (version.h) */
	int64_t why;         /* number of the check that decided; -1: none did */
	str trace;           /* as trace_write has it */
	str held;            /* of a pending one: by what */
	unsigned attempts;   /* of the firing, so far */
	str tried;           /* of an attempt that failed: its line for `tries` */
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
/* Changes all decisions that carry d->firing; keeps the mark unless the verdict is final. A failed attempt is noted beside it. */
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
/* A version of the sensor's manifest; versions that no decision was made with go. The same again is fine. */
void rows_version(struct rows *r, int64_t sensor, int64_t version, int64_t now_ns, str outline);
void rows_check(struct rows *r, int64_t sensor, int64_t version, int64_t number, const struct check *c);
/* The sensor is gone: its state and its decisions. */
void rows_drop_sensor(struct rows *r, int64_t sensor);

/* ---- reading, on the calling thread ---------------------------------------------------------------------------------- */

/* The number under which the sensor's rows stand; a new one (the row is queued) if it has none. Ask once per sensor. */
int rows_sensor_id(struct rows *r, str ns, str name, int64_t *out, struct err *e) MUST_CHECK;
/* Calls fn for each saved event, in the order of places. It may keep a reference. */
int rows_load(struct rows *r, int64_t sensor, void (*fn)(void *arg, const struct saved_row *row, struct event *ev), void *arg, struct err *e) MUST_CHECK;

/* The columns of a decision d that its reason is made of, and the rows that they come from. */
#define DECISION_REASON "d.reason, d.trace, c.kind, c.what, c.want, c.otherwise, c.place"
#define DECISION_CHECK "LEFT JOIN sensor_check c ON c.sensor = d.key >> 40 AND c.version = d.version AND c.number = d.why"
enum { DECISION_REASON_COLUMNS = 7 };
/* The reason, in `a`; `col` is the first of these columns. */
str decision_reason(sqlite3_stmt *q, int col, struct arena *a);

#define ROWS_SCHEMA_SQL \
	"CREATE TABLE sensor (id INTEGER PRIMARY KEY, ns TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (ns, name)) STRICT;" \
	"CREATE TABLE sensor_state (sensor INTEGER NOT NULL, trigger TEXT NOT NULL, dependency TEXT NOT NULL, signature TEXT NOT NULL," \
	" attributes TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (sensor, trigger, dependency)) STRICT, WITHOUT ROWID;" \
	/* The key is the sensor's number above 40 bits of a count: a ring is a range of keys. */ \
	"CREATE TABLE sensor_decision (key INTEGER PRIMARY KEY, event TEXT NOT NULL, time_ns INTEGER NOT NULL, dependency TEXT NOT NULL," \
	" trigger TEXT, verdict TEXT NOT NULL, reason TEXT, result TEXT, firing TEXT) STRICT;" \
	"CREATE INDEX sensor_decision_event ON sensor_decision (event);" \
	"CREATE INDEX sensor_decision_firing ON sensor_decision (firing) WHERE firing IS NOT NULL;"

/* What a decision was made of, and what came of its firing. `tries` is a line for each attempt that failed: time, tab, error. */
#define ROWS_EXPLAIN_SQL \
	"ALTER TABLE sensor_decision ADD COLUMN version INTEGER;" \
	"ALTER TABLE sensor_decision ADD COLUMN why INTEGER;" \
	"ALTER TABLE sensor_decision ADD COLUMN trace TEXT;" \
	"ALTER TABLE sensor_decision ADD COLUMN held TEXT;" \
	"ALTER TABLE sensor_decision ADD COLUMN attempts INTEGER;" \
	"ALTER TABLE sensor_decision ADD COLUMN tries TEXT;" \
	"ALTER TABLE sensor_decision ADD COLUMN ended_ns INTEGER;"
enum { ROWS_TRIES_MAX = 4000 /* bytes of them */ };

#define VERSION_SCHEMA_SQL \
	"CREATE TABLE sensor_version (sensor INTEGER NOT NULL, version INTEGER NOT NULL, time_ns INTEGER NOT NULL, outline TEXT NOT NULL," \
	" PRIMARY KEY (sensor, version)) STRICT, WITHOUT ROWID;" \
	"CREATE TABLE sensor_check (sensor INTEGER NOT NULL, version INTEGER NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL," \
	" what TEXT NOT NULL, want TEXT NOT NULL, otherwise TEXT NOT NULL, place TEXT NOT NULL, PRIMARY KEY (sensor, version, number))" \
	" STRICT, WITHOUT ROWID;"

/* Many events may wait for one dependency: a row has a number, and the one of a dependency becomes the first of its queue. */
#define ROWS_WAITING_SQL \
	"CREATE TABLE sensor_waiting (sensor INTEGER NOT NULL, place INTEGER NOT NULL, trigger TEXT NOT NULL, dependency TEXT NOT NULL," \
	" signature TEXT NOT NULL, key TEXT NOT NULL, attributes TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (sensor, place)) STRICT," \
	" WITHOUT ROWID;" \
	"INSERT INTO sensor_waiting SELECT sensor, row_number() OVER (PARTITION BY sensor ORDER BY json_extract(attributes, '$.seq'))," \
	" trigger, dependency, signature, '', attributes, data FROM sensor_state;" \
	"DROP TABLE sensor_state;"

#endif
