/* SPDX-License-Identifier: Apache-2.0 */
/* impl: what the files of the bus share: bus.c (events, subscriptions, retention) and cursors.c (the places of groups). */
#ifndef TIDEGATE_BUS_IMPL_H
#define TIDEGATE_BUS_IMPL_H

#include "bus/rows.h"
#include "bus/topics.h"

/* A group's place; outlives its subscription. */
struct cursor {
	struct link link; /* in bus.cursors */
	char *group;
	size_t group_n;
	int64_t seq;        /* consumed up to here; what it says of a live subscription is old */
	bool dirty;         /* in bus.dirty */
	bool stored_at_end; /* the row says ROWS_AT_END */
	struct link unattended; /* in bus.unattended: stored_at_end, and nobody listens */
	struct subscription *sub; /* NULL: nobody listens */
};

struct flight {
	int64_t seq;
	size_t bytes;
};

struct subscription {
	struct link link; /* in bus.subs */
	struct bus *bus;
	struct cursor *cursor;
	void (*recv)(void *arg, struct event *ev);
	void *arg;
	VEC(struct bus_topic) topics; /* those it wants; none: all. Their bytes are the subscription's */
	bool live;        /* nothing before the end of the log is to be handed over */
	struct link lag;  /* in bus.behind, unless live */
	int64_t next;     /* number of the next event to look at; live: old */
	VEC(struct flight) flights; /* handed over, not consumed: from flights.p[landed] on */
	size_t landed, flight_bytes;
	bool pumping, reading, closed;
	struct timer retry;
};

struct bus {
	struct store *store;
	struct loop *loop;
	struct arena *arena;
	str ns, name;
	int64_t id;
	struct bus_limits lim;
	struct dedup dedup;

	int64_t head, head_pos;  /* the newest event */
	int64_t committed;       /* the newest that is on disk */
	VEC(struct event *) queue; /* committed + 1 .. head, from queue.p[written] on */
	size_t written, pending_bytes;
	bool full;
	void (*changed)(void *arg, bool full);
	void *changed_arg;

	struct link subs, cursors, behind, unattended;
	struct map by_group; /* struct cursor */
	struct topics topics;
	struct topic everything; /* the subscriptions without topics */
	VEC(struct cursor *) dirty;
	bool cursors_queued, reap_queued, pump_queued, trimming, closed;
	size_t busy; /* jobs and reads that will come back to this struct */
	struct timer trim_timer;
};

/* Handed over, and not all of it consumed. */
static inline bool
in_flight(const struct subscription *sub)
{
	return sub->landed < sub->flights.n;
}

/* A job or read that knew this bus (it was counted in `busy`) has come back. */
void bus_release(struct bus *b);
/* Something may have become old, or free to go. */
void bus_trim_soon(struct bus *b);

/* ---- cursors.c -------------------------------------------------------------------------------------------------- */

struct cursor *cursor_add(struct bus *b, str group, int64_t seq);
/* The one that the store has. */
void cursor_open(struct bus *b, const struct rows_cursor *row);
struct cursor *cursor_find(struct bus *b, str group); /* NULL: there is none */
void cursor_free(struct bus *b, struct cursor *c);
/* What the group has consumed, or passed over. */
int64_t cursor_place(const struct cursor *c);
/* Its place is looked at at the end of the turn, and so written in its transaction, if the row does not say it already. */
void cursor_touch(struct bus *b, struct cursor *c);
/* Groups that nobody listens for stay where they are: the log grows behind them from now on. */
void cursors_keep_places(struct bus *b);

#endif
