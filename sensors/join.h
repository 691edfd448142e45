/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join: the events that wait for others at one trigger. Events lie in rooms; the conditions are asked of one room, and when they
 * hold, the first event of every dependency in it leaves together. What the policies differ in is which room an event enters
 * and what it finds there:
 *
 *     latest  one room, one event a dependency: a newer one takes the place of an older one (Argo's)
 *     fifo    one room, a queue a dependency: every event is paired once, in order
 *     key     a room for each value of the key, one event a dependency
 *
 * Time is the events' own: what the clock does between them (a reset, the end of the window) is decided by join_advance with
 * the next event's time, and by a timer with the clock's only when no event is missing. So a sensor that catches up decides what
 * it would have decided in time.
 *
 * No clock, no I/O, no rows: the caller writes down what it is told.
 */
#ifndef TIDEGATE_SENSORS_JOIN_H
#define TIDEGATE_SENSORS_JOIN_H

#include "core/cron.h"
#include "core/event.h"
#include "sensors/condition.h"

enum join_policy { JOIN_LATEST, JOIN_FIFO, JOIN_KEY };
enum {
	JOIN_MAX_DEFAULT = 1000, /* events that wait (fifo); rooms (key) */
	JOIN_MAX_LIMIT = 100000,
	JOIN_BYTES_MAX = 64 << 20, /* bodies that wait at one trigger (fifo and key) */
};

struct join_reset {
	struct cron cron;
	const struct tz *zone;
};
/* What it points to must outlive the join. */
struct join_rules {
	const struct condition *cond;
	size_t deps_n;
	enum join_policy policy;
	size_t max;          /* 0: JOIN_MAX_DEFAULT */
	int64_t within_ns;   /* how long an event may wait; 0: for ever */
	const struct join_reset *resets;
	size_t resets_n;
};

/* An event that waits, or waited. */
struct join_part {
	struct event *ev;
	size_t dep;
	int64_t place; /* the caller's number for it; they grow with the order of arrival */
};
/* Why an event left without a firing. */
enum join_end { JOIN_SUPERSEDED, JOIN_EXPIRED, JOIN_RESET, JOIN_EVICTED };
/* `part` is valid during the call; `at` is when: the time of the tick (RESET), else of the event or clock that brought it about. */
typedef void join_left_fn(void *arg, const struct join_part *part, enum join_end why, int64_t at);

struct join;
struct join *join_new(const struct join_rules *r);
void join_free(struct join *j); /* NULL is fine */

/* What the time has ended by `now`: call it with an event's time before the event, or with the clock's when none is missing. */
void join_advance(struct join *j, int64_t now, join_left_fn *left, void *arg);
/*
 * The event enters the room of `key` (policy key; else not looked at) under `place`. The number of events that fire with it, the
 * earliest first, in *out (in `a`, each with a reference that is now the caller's); they are gone from the join. 0: it
 * waits now, and the join has a reference of its own. `left` hears of events that made room for it.
 */
size_t join_take(struct join *j, size_t dep, str key, struct event *ev, int64_t place, struct arena *a, struct join_part **out, join_left_fn *left,
                 void *arg);
/* An event that waited in an earlier life, in the order of places. false: there is no place for it under these rules. */
bool join_restore(struct join *j, size_t dep, str key, struct event *ev, int64_t place);
/* All that wait, in the order of arrival. */
void join_each(const struct join *j, void (*fn)(void *arg, const struct join_part *part, str key), void *arg);
/* When the next event's time is over; INT64_MAX: never. */
int64_t join_due(const struct join *j);
/* Whether an event of the dependency waits in the room of `key`. */
bool join_has(const struct join *j, size_t dep, str key);
size_t join_waiting(const struct join *j); /* events */
size_t join_rooms(const struct join *j);   /* rooms with an event in them */

#endif
