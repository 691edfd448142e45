/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus: the durable log that every source writes and every sensor reads. The built-in kind keeps it in the store; an event
 * and everything it causes inside in the same turn (its consumption, sensor state, the workflow created) are one transaction.
 *
 * Loop thread only.
 */
#ifndef TIDEGATE_BUS_BUS_H
#define TIDEGATE_BUS_BUS_H

#include "core/event.h"
#include "core/loop.h"
#include "core/store.h"

struct bus;
struct subscription;

/* Limits of a log; retention never removes what a group has not consumed, nor the newest event. Zero: no limit. */
struct bus_limits {
	int64_t max_age_ns;  /* 168h */
	int64_t max_events;
	int64_t max_bytes;
	int64_t dedup_ns;    /* how long a delivery id is remembered: 24h */
	size_t max_pending;  /* events taken in and not yet committed: above, bus_is_full; zero: 65536. 64 MiB at most in any case */
};

/*
 * Opens the log `name` of namespace `ns` (an EventBus object; "default") in the store and reads its cursors and the delivery
 * ids of the window. Reads on the calling thread: for start-up and reloads. Once a log in a store. ERR_IO.
 */
int bus_open(struct store *s, struct loop *l, str ns, str name, const struct bus_limits *lim, struct bus **out, struct err *e) MUST_CHECK;
/* Ends all subscriptions; frees once what is under way has ended (the loop must turn until the store is closed). NULL is fine. */
void bus_close(struct bus *b);
void bus_set_limits(struct bus *b, const struct bus_limits *lim);

enum bus_result { BUS_STORED, BUS_DUPLICATE };
/*
 * Gives the event its place in the log, hands it to every subscription in this very turn, and queues its row. `stored` runs
 * after the commit. BUS_DUPLICATE: an event with the same source, subject and dedup was there before; nothing is stored
 * again, ev->id becomes the first one's id, and `stored` runs once that one is on disk. The bus takes a reference while it needs one.
 */
void bus_publish(struct bus *b, struct event *ev, void (*stored)(void *arg, struct event *ev, enum bus_result how), void *arg);
/* Too much is waiting for the disk: a source answers 503 or pauses. Turns false again when half of it is written. */
bool bus_is_full(const struct bus *b);
/* `changed` is called whenever bus_is_full turns true or false. One listener. */
void bus_on_room(struct bus *b, void (*changed)(void *arg, bool full), void *arg);
/* The number of the newest event; 0: there never was one. */
int64_t bus_head(const struct bus *b);

/*
 * Reads the log from the group's cursor on: first what is in the store (in later turns), then what is published.
 * A group that is new starts at the end (`from_start`: at the oldest). recv borrows the event; it must call bus_consumed for
 * every event, now or later, in order. Up to 1024 events or 16 MiB are handed out ahead of that; what comes then waits in
 * the store. Once a group. Unsubscribing within recv is fine.
 */
int bus_subscribe(struct bus *b, str group, bool from_start, void (*recv)(void *arg, struct event *ev), void *arg,
                  struct subscription **out, struct err *e) MUST_CHECK;
/* What an event must be for a subscription to get it. */
struct bus_topic {
	str source, subject;
};
/*
 * From now on the subscription gets only events of these topics (copied; none: all events, as at the beginning). An event that a
 * group does not want is consumed by it without a call and without a write. Not within recv.
 */
void bus_listen(struct subscription *sub, const struct bus_topic *topics, size_t n);
/* The group needs nothing at or before seq any more. Written with the turn's transaction, if there is something to write. */
void bus_consumed(struct subscription *sub, int64_t seq);
/* Whether there are events before the log's end that it has not consumed. */
bool bus_is_behind(const struct subscription *sub);
/* Stops receiving; the cursor stays. */
void bus_unsubscribe(struct subscription *sub);
/* Forgets the group's cursor: its sensor is gone. */
void bus_forget(struct bus *b, str group);

/* Newest first or oldest first, for `events`: on a pool thread through store_read; row to event. */
struct bus_query {
	str ns, bus, source, subject, id; /* absent: any */
	int64_t after_seq, since_ns; /* 0: any; a number counts in one log: name the bus with it */
	size_t limit;                /* 0: all */
	bool newest_first;
};
/*
 * Reads matching events into `out` (a list in `a`, each event with one reference); for use inside a store_fn. Several logs are
 * merged by time. Damaged rows are logged and left out.
 */
int bus_read(sqlite3 *db, const struct bus_query *q, struct event ***out, size_t *n, struct arena *a, struct err *e) MUST_CHECK;
/* The event of that id in a log of the namespace, with one reference, and the log's name in `a`; *out NULL: there is none. Inside a store_fn. */
int bus_find(sqlite3 *db, str ns, str id, struct arena *a, struct event **out, str *bus, struct err *e) MUST_CHECK;
/* The schema of the bus's tables: SQL for one migration step of the state file. */
extern const char bus_schema_sql[];

#endif
