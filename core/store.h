/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store: one SQLite file (WAL, synchronous=FULL), written by one thread, one transaction for all that a turn of the loop
 * decided. While a commit is under way the next turns' jobs gather; they become the next transaction.
 *
 * Promise: `done` of a write runs on the loop after the COMMIT that holds it returned. If a commit fails, memory is ahead
 * of the disk: the process logs why and exits with ERR_IO's code. fsync is never retried.
 */
#ifndef TIDEGATE_CORE_STORE_H
#define TIDEGATE_CORE_STORE_H

#include <sqlite3.h>

#include "core/base.h"
#include "core/loop.h"

struct store;

/* One step of the schema's history: SQL that takes version n-1 to n. store_open runs what is missing, in one transaction. */
struct store_migration {
	int version; /* from 1, without gaps */
	const char *sql;
};

/*
 * Opens (creates) `dir`/tidegate.db and takes the lock file `dir`/lock. ERR_EXISTS names the pid of another daemon that
 * holds it; ERR_UNSUPPORTED refuses a file of a newer version without touching it; ERR_IO otherwise.
 * `dir` is created with mode 0700. "" opens a private in-memory store without a lock, for tests.
 */
int store_open(struct loop *l, str dir, const struct store_migration *history, size_t n, struct store **out, struct err *e) MUST_CHECK;
/* Waits for what was queued, closes, releases the lock. NULL is fine. */
void store_close(struct store *s);

/*
 * A write job, run on the writer's thread inside the transaction of this turn, in the order of the calls: at any time from
 * the call on, even before the turn ends. It must not look at anything the loop owns: what `arg` points to belongs to the
 * job until `done`. A job that fails (-1) fails the
 * transaction, which ends the process: check before you write.
 */
typedef int store_fn(sqlite3 *db, void *arg, struct err *e);
/* done may be NULL. It runs on the loop, in the order of the calls. */
void store_write(struct store *s, store_fn *fn, void *arg, void (*done)(void *arg));
/* As if a write had been queued: done(arg) when everything written so far in this turn and before is on disk. */
void store_after_commit(struct store *s, void (*done)(void *arg), void *arg);
/* A read on a pool thread with a read-only connection: sees every commit whose `done` has run. */
void store_read(struct store *s, store_fn *fn, void *arg, void (*done)(void *arg, const struct err *e));
/* A read on the calling thread, for start-up and for the command line. */
int store_read_now(struct store *s, store_fn *fn, void *arg, struct err *e) MUST_CHECK;
/*
 * A read of a state directory that another process may be writing to: its file, read only and without the lock. What `fn` reads in one
 * statement is of one moment; keep it short, since a snapshot keeps the log from being moved. ERR_NOT_FOUND: there is no state.
 */
int store_look(str dir, store_fn *fn, void *arg, struct err *e) MUST_CHECK;
/*
 * After a busy time: gives back the memory of connections for reading that nobody uses, but one, and of its cache; and of the
 * batches that turns were written in. On the loop.
 */
void store_rest(struct store *s);
/* Ends the turn's transaction now and waits for it: for shutdown and for tests. */
void store_flush(struct store *s);
/* Jobs queued and not yet committed; all that were queued so far; commits so far; of the last commit the duration in ns. For metrics and back-pressure. */
size_t store_pending(const struct store *s);
size_t store_reading(const struct store *s); /* reads on pool threads whose done() has not run */
uint64_t store_jobs(const struct store *s);
uint64_t store_commits(const struct store *s);
int64_t store_commit_ns(const struct store *s);

/* Prepared statement of the connection, cached by the address of `sql` (a literal), reset and without bindings. */
sqlite3_stmt *store_prepare(sqlite3 *db, const char *sql, struct err *e);
/* Binds in order: 's' str (absent: NULL), 'b' str as blob, 'i' int64_t, 'd' double, 'n' NULL; then steps to the end. -1 with SQLite's message. */
int store_exec(sqlite3 *db, struct err *e, const char *sql, const char *types, ...) MUST_CHECK;
/* Text or blob of a column of the current row, valid until the next step. */
str store_text(sqlite3_stmt *q, int col);
/* CRC-32C (Castagnoli), for the checksum that every event and node row carries. */
uint32_t store_crc32c(uint32_t crc, str bytes);
/* The same without the processor's help: what machines without the instruction run, and what tests compare with. */
uint32_t store_crc32c_plain(uint32_t crc, str bytes);

#endif
