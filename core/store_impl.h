/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_impl: what the files of the store share; nobody else includes it.
 *
 *     store.c         a store: opened, migrated, locked, closed
 *     store_conn.c    connections to SQLite and their prepared statements
 *     store_turn.c    the loop's side of writing: a turn's jobs go out, their `done` comes back
 *     store_writer.c  the thread that writes: groups, commits, the log
 *     store_mover.c   the thread that moves the log into the database
 *     store_read.c    reads, on pool threads or at once
 */
#ifndef TIDEGATE_CORE_STORE_IMPL_H
#define TIDEGATE_CORE_STORE_IMPL_H

#include <pthread.h>

#include "core/store.h"

/* A connection with its prepared statements, by the address of their text. */
struct conn {
	sqlite3 *db;
	struct statement {
		const char *sql;
		sqlite3_stmt *q;
	} *statements; /* open addressing; `size` is a power of two */
	size_t n, size;
	int wal_pages; /* in the log after the last commit */
	struct conn *next;
};

struct job {
	store_fn *fn; /* NULL: only waits for the commit */
	void (*done)(void *arg);
	void *arg;
};
struct batch {
	VEC(struct job) jobs;
	int64_t commit_ns; /* of the commit it went with; only in the first batch of a group, else 0 */
	struct batch *next;
};
struct batches {
	struct batch *first, **end;
};

/* The thread that moves the log. Only the writer's thread asks it; what both touch is below the store's lock. */
struct mover {
	pthread_t thread;
	pthread_cond_t work, idle;
	struct conn conn; /* its own */
	bool runs;        /* the writer's */
	bool asked, ends; /* it moves, or is about to; it is to end */
	int pages;        /* of the log that were moved the last time */
};

struct store {
	struct loop *loop;
	char *dir, *path; /* NULL in memory */
	int lock_fd;
	struct conn writer;
	off_t wal_reserved; /* the writer's: the log's file has so many bytes */
	uv_async_t finished_wake;
	struct mover mover;

	/* The loop's. */
	struct batch *turn;  /* what this turn has written and not passed on; NULL: nothing */
	bool turn_passed;    /* some of it was */
	struct batch *spare; /* used ones, for the next turns */
	size_t pending;
	uint64_t jobs, commits;
	int64_t commit_ns;
	size_t reads; /* under way */
	bool delivering;

	/* Shared, guarded by lock. */
	pthread_mutex_t lock;
	pthread_cond_t work, idle;
	struct batches parts;  /* of the turn that the loop is in: number turns_ended */
	uint64_t turns_ended;
	struct batches queue, finished; /* whole turns, or the rest of one whose parts were taken */
	_Atomic bool waiting; /* the writer waits for work; changed with the lock, read without where it is only a hint */
	bool committing, closing; /* it works; it shall end when the queue is empty */
	struct conn *readers; /* free ones */

	pthread_mutex_t memory; /* in memory: the only connection, one at a time */
	pthread_t thread;
};

/* ---- batches: lists with an end ------------------------------------------------------------------------------------ */

static inline void
batches_add(struct batches *q, struct batch *b)
{
	if (!q->first)
		q->end = &q->first;
	*q->end = b;
	while (*q->end)
		q->end = &(*q->end)->next;
}

static inline struct batch *
batches_take(struct batches *q)
{
	struct batch *b = q->first;
	q->first = NULL;
	return b;
}

/* ---- store_conn.c -------------------------------------------------------------------------------------------------- */

/* -1, with SQLite's message behind `what`. */
int store_failed(struct err *e, sqlite3 *db, const char *what);
int store_run_sql(sqlite3 *db, const char *sql, struct err *e) MUST_CHECK;
int conn_open(struct conn *c, const char *path, int flags, const char *vfs, struct err *e) MUST_CHECK;
void conn_close(struct conn *c);
/* Runs fn with this connection as that of store_prepare. */
int conn_run(struct conn *c, store_fn *fn, void *arg, struct err *e);
/* From here to conn_leave this thread's store_prepare is of this connection; the one before it. */
struct conn *conn_enter(struct conn *c);
void conn_leave(struct conn *outer);
/* A query not read to its end would hold its snapshot, and with it the log. */
void conn_reset(struct conn *c);
/* Its cached pages go if a busy time left many: they lie between what was freed since, of which malloc then can return nothing. */
void conn_rest(struct conn *c);

/* ---- store_writer.c ------------------------------------------------------------------------------------------------ */

int store_start_writer(struct store *s, struct err *e) MUST_CHECK;
/* Moves the log into the database, as far as no reader holds it; gives how many of its pages were moved. Any connection, one at a time. */
int store_move_log(struct conn *c);
/* The same over the writer's. On the writer's thread, or before it is there. */
void store_checkpoint(struct store *s);
/* Says why, and ends the process. */
_Noreturn void store_die(const struct err *e);
/* SQLite tells after each commit how long the log is. */
int store_on_wal(void *arg, sqlite3 *db, const char *schema, int pages);

/* ---- store_mover.c: the writer's thread ----------------------------------------------------------------------------- */

/* Moves the log beside the writer; not again while it does. */
void mover_ask(struct store *s);
/* Waits until it has nothing to do; the writer is about to move the log up to `pages` itself. */
void mover_wait(struct store *s, int pages);
/* How much of the log was moved. */
int mover_pages(struct store *s);
/* When the writer has ended. */
void mover_stop(struct store *s);

/* ---- store_turn.c -------------------------------------------------------------------------------------------------- */

/* Nothing more comes of this turn: the writer may commit. */
void store_end_turn(void *arg);
/* The writer has finished some. */
void store_on_finished(uv_async_t *a);
/* Used batches leave memory: a busy time may have left thousands, which lie between what malloc could give back. */
void turns_rest(struct store *s);

#endif
