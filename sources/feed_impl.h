/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside feed.h. Two sides touch a feed: the loop, which starts and joins the thread, takes events in and hears of their commits; and the
 * thread of the connection. What both touch is below `lock`:
 *
 *     feed.c          the loop: from start to end, one connection after the other
 *     feed_thread.c   the thread of a connection
 *     feed_window.c   both: what is under way, whether there is room for more, and what may be settled
 *     feed_message.c  the loop: what became of a message
 */
#ifndef TIDEGATE_SOURCES_FEED_IMPL_H
#define TIDEGATE_SOURCES_FEED_IMPL_H

#include <pthread.h>

#include "sources/backoff.h"
#include "sources/feed.h"

/* A message on its way to the disk. */
struct item {
	struct link link;  /* in feed.given: below the lock */
	struct link held;  /* in feed.held: the loop's */
	struct feed *feed;
	struct event *ev;  /* while it is held: one reference; NULL for what is to be saved */
	void (*save)(struct source *s, union feed_handle handle);
	size_t bytes;
	union feed_handle handle;
	bool done;         /* on disk, dropped or refused: below the lock */
	bool given_up;     /* will not be on disk: below the lock */
	bool forgotten;    /* its connection is gone: below the lock */
	bool is_awaited;   /* by feed_save_now: below the lock */
};

struct feed {
	struct source *source;
	const struct feed_ops *ops;
	struct feed_context context;
	struct loop *loop;
	const struct backoff *backoff;
	int64_t rate_every_ns; /* 0: no limit */
	int64_t number;        /* the kind's */

	/* the loop's */
	struct backoff_state waits;
	struct timer again;
	struct link held;      /* the bus had no room for them, nor for those behind them */
	bool thread_runs, stopping;
	int64_t connected_at;  /* ns; 0: not connected */
	int64_t refused_told;
	uint64_t refused;

	/* the connection's: made by the loop before the thread, freed after it */
	struct arena *arena;
	struct peer_target target;
	pthread_t thread;
	void *conn;            /* the thread's */

	pthread_mutex_t lock;
	pthread_cond_t room;
	struct link given, spare; /* spare: items for the next messages */
	size_t with_loop, bytes; /* items that the loop has not answered, also of connections that are gone; and their bytes */
	size_t unsettled;        /* in `given` */
	bool full;               /* with_loop or bytes: feed_note_fill */
	bool paused, ending, broken, woken;
	int64_t end_by_ms;
	int64_t rate_next_ns;
	struct err why;          /* of `broken` */
	int wake_fd;
};

/* ---- feed.c: the loop's ---------------------------------------------------------------------------------------------- */

/* For loop_post: the thread has a connection; it has ended. `feed` */
void feed_connected(void *feed);
void feed_ended(void *feed);
/* A feed that stops is freed when its thread and its messages are gone, and then tells its source. */
void feed_free_if_over(struct feed *f);

/* ---- feed_thread.c ---------------------------------------------------------------------------------------------------- */

/* An errno, or 0. */
int feed_thread_start(struct feed *f);

/* ---- feed_window.c: "locked" is what is called below the lock ------------------------------------------------------------ */

void feed_wake_locked(struct feed *f);
/* Locked. What is done and not settled counts, too: a receive that never runs dry must leave the thread time to settle. */
bool feed_has_room(const struct feed *f);
/* Locked. A window that was full takes in again when a quarter of it is free: a message at a time costs each its own journey. */
void feed_note_fill(struct feed *f);
/* Locked. A message is on its way from here on. */
struct item *feed_add_item(struct feed *f, size_t bytes, union feed_handle handle);
struct item *feed_new_item(struct feed *f, size_t bytes, union feed_handle handle); /* not locked */
/* What may be settled, from the front, at most SETTLE_BATCH; the loop knows nothing of these any more. */
enum { SETTLE_BATCH = 256 };
size_t feed_take_done(struct feed *f, union feed_handle *out);

/* ---- feed_message.c: the loop's ------------------------------------------------------------------------------------------ */

/* What was held goes to the bus again, in its order. */
void feed_give_held(struct feed *f);
/* It will not be on disk: the broker has it yet, and sends it again. So what came behind it is not settled either, and the end is near. */
void feed_give_up(struct feed *f, struct item *i);

#endif
