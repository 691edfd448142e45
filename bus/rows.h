/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows: how a log lies in the store. Everything here runs on the writer's or a pool thread and touches only what it is
 * given; bus.c is the loop's side.
 *
 * The key of an event's row is the number of its bus above 40 bits of sequence number: rows of a log are neighbours and a new
 * one is appended, whatever the number of logs. `pos` is the byte offset behind the event in its log, so that the size
 * of any stretch of a log is a subtraction.
 */
#ifndef TIDEGATE_BUS_ROWS_H
#define TIDEGATE_BUS_ROWS_H

#include "bus/bus.h"
#include "bus/dedup.h"

enum { ROWS_SEQ_BITS = 40 };

static inline int64_t
rows_key(int64_t bus_id, int64_t seq)
{
	return bus_id << ROWS_SEQ_BITS | seq;
}

/* A group's place. */
struct rows_cursor {
	str group;
	int64_t seq; /* or ROWS_AT_END */
};
/*
 * The group has consumed all there is, wherever the log ends: an event is in one transaction with what its groups did with it, and
 * a group that did not consume it at once has its number there. So a group that keeps up needs no write, nor one that wants none.
 */
#define ROWS_AT_END INT64_C(-1)
/* What bus_open reads. */
struct rows_open {
	struct arena *arena; /* of the caller; owns the cursors */
	str ns, name;
	int64_t dedup_since;
	int64_t id;          /* found, or free to take: then `is_new` */
	bool is_new;
	int64_t head, head_pos;
	VEC(struct rows_cursor) cursors;
	struct dedup *dedup;
};
int rows_open(sqlite3 *db, void *open, struct err *e);
/* Enters a new bus; arg is the struct rows_open. */
int rows_create(sqlite3 *db, void *open, struct err *e);

/* What an event takes of a log's size. */
size_t rows_size(const struct event *ev);
int rows_insert(sqlite3 *db, int64_t bus_id, int64_t pos, const struct event *ev, struct err *e);

int rows_set_cursor(sqlite3 *db, int64_t bus_id, str group, int64_t seq, struct err *e);
int rows_delete_cursor(sqlite3 *db, int64_t bus_id, str group, struct err *e);

/* A stretch of a log, for a subscription that is behind. Rows whose checksum is wrong are logged and left out. */
struct rows_page {
	int64_t bus_id, from, to; /* from..to inclusive */
	size_t max_events, max_bytes; /* at least one event is read */
	str ns;
	VEC(struct event *) events; /* one reference each */
	int64_t next;               /* where to go on; to + 1 at the end */
};
int rows_read_page(sqlite3 *db, struct rows_page *page, struct err *e);

/* Removes the oldest events of a log, at most `max` of them. */
struct rows_trim {
	int64_t bus_id;
	int64_t below;            /* only events with a smaller number: the slowest cursor, and never the newest event */
	int64_t before_time;      /* and that are older than this ... */
	int64_t keep_seq, keep_pos; /* ... or lie before this number or offset; INT64_MIN: no such limit */
	int64_t dedup_since;      /* delivery ids of later events are remembered */
	size_t max;
	size_t removed;
	bool more;                /* there is more to remove */
	int64_t oldest;           /* time of the oldest event that stays; 0: none */
};
int rows_trim(sqlite3 *db, struct rows_trim *trim, struct err *e);

#endif
