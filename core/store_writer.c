/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer takes all turns there are, runs their jobs in one transaction, takes what arrived meanwhile, commits, and gives them back for
 * their `done`. While it commits, the next turns queue up: the slower the disk, the larger the group, and neither side polls.
 *
 * A commit appends to the write-ahead log and waits for the disk once. The log is moved into the database (a checkpoint) by the mover
 * while commits go on, a piece at a time. The last piece is the writer's, when the log has grown to its limit, or when nothing has come
 * for a moment: only while nobody appends is all of it moved, and the next commit begins the log anew. The log's file is filled
 * with zeros ahead of time, because a commit into blocks that exist is twice as fast as one that grows the file: it
 * needs no journal entry of the file system, and does not wait for those of everybody else. SQLite stops reading a log at
 * the first frame whose checksum does not fit, so zeros behind the last one mean nothing to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/store_impl.h"

#define GROUP_JOBS_MAX 4096   /* a transaction takes no more turns in past this */
#define WAL_LIMIT_PAGES 2048  /* 8 MiB: then the rest of it is moved into the database, whoever waits */
#define WAL_MOVE_PAGES 512    /* a piece that is moved meanwhile */
#define WAL_AGAIN_PAGES 128   /* a log that a reader holds beyond its limit: after so many the next try */
#define WAL_IDLE_PAGES 64     /* from here on it is moved when there is time */
#define WAL_FRAME 4120        /* a page and 24 bytes */
#define WAL_RESERVE (WAL_LIMIT_PAGES * WAL_FRAME + (256 << 10)) /* and a large group's excess */
#define WAL_STEP (1 << 20)    /* reserved at once while there is work */
#define IDLE_MS 200           /* nothing to write for so long: time for housekeeping */

/* Memory is ahead of the disk from here on, and what an fsync that failed has lost nobody can say. */
_Noreturn void
store_die(const struct err *e)
{
	log_error("state cannot be written, stopping", "error", e->msg, NULL);
	_exit(err_exit_code(ERR_IO));
}

/* Waits for work. True: `deadline` passed without any. */
static bool
wait_for_work(struct store *s, const struct timespec *deadline)
{
	s->waiting = true;
	int rc = deadline ? pthread_cond_timedwait(&s->work, &s->lock, deadline) : pthread_cond_wait(&s->work, &s->lock);
	s->waiting = false;
	return rc == ETIMEDOUT;
}

static int
run_jobs(struct store *s, struct batch *b, bool *begun, struct err *e)
{
	for (size_t i = 0; i < b->jobs.n; i++) {
		struct job *j = &b->jobs.p[i];
		if (!j->fn)
			continue;
		if (!*begun && store_exec(s->writer.db, e, "BEGIN IMMEDIATE", ""))
			return -1;
		*begun = true;
		e->code = ERR_INTERNAL;
		e->msg[0] = 0;
		if (j->fn(s->writer.db, j->arg, e))
			return -1;
	}
	return 0;
}

static int
run_all(struct store *s, struct batch *first, bool *begun, size_t *jobs, struct err *e)
{
	for (struct batch *b = first; b; b = b->next) {
		if (run_jobs(s, b, begun, e))
			return -1;
		*jobs += b->jobs.n;
	}
	return 0;
}

/* What comes next in this transaction; NULL: nothing, commit. In the midst of a turn it waits for the rest. */
static struct batch *
take_more(struct store *s, bool *in_turn, uint64_t turn, size_t jobs)
{
	struct batch *more = NULL;
	pthread_mutex_lock(&s->lock);
	while (*in_turn && s->turns_ended == turn && !s->parts.first)
		wait_for_work(s, NULL);
	if (*in_turn && s->turns_ended == turn)
		more = batches_take(&s->parts);
	else if (*in_turn || jobs < GROUP_JOBS_MAX)
		more = batches_take(&s->queue);
	*in_turn &= s->turns_ended == turn;
	pthread_mutex_unlock(&s->lock);
	return more;
}

/* Runs and commits `group` and what arrives until the commit begins, which is added to it. */
static int
commit_group(struct store *s, struct batches *group, bool in_turn, uint64_t turn, struct err *e)
{
	bool begun = false;
	size_t jobs = 0;
	for (struct batch *b = group->first; b; b = take_more(s, &in_turn, turn, jobs)) {
		if (b != group->first)
			batches_add(group, b);
		if (run_all(s, b, &begun, &jobs, e))
			return -1;
	}
	if (!begun)
		return 0;
	int64_t start = clock_monotonic_ns();
	if (store_exec(s->writer.db, e, "COMMIT", ""))
		return -1;
	int64_t took = clock_monotonic_ns() - start;
	group->first->commit_ns = took > 0 ? took : 1;
	return 0;
}

static void
write_group(struct store *s, struct batches *group, bool in_turn, uint64_t turn)
{
	struct err e = { 0 };
	if (!s->path)
		pthread_mutex_lock(&s->memory);
	struct conn *outer = conn_enter(&s->writer);
	if (commit_group(s, group, in_turn, turn, &e))
		store_die(&e);
	conn_reset(&s->writer);
	conn_leave(outer);
	if (!s->path)
		pthread_mutex_unlock(&s->memory);
}

/* PASSIVE: readers are not waited for. What they hold back is moved the next time. */
int
store_move_log(struct conn *c)
{
	int moved = 0, rc = sqlite3_wal_checkpoint_v2(c->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, &moved);
	if (rc != SQLITE_OK && (rc & 0xFF) != SQLITE_BUSY) {
		struct err e;
		store_failed(&e, c->db, "checkpoint");
		store_die(&e);
	}
	return moved > 0 ? moved : 0;
}

void
store_checkpoint(struct store *s)
{
	(void)store_move_log(&s->writer);
	s->writer.wal_pages = 0;
}

/* Between two commits. A log that a reader holds does not begin anew when all of it was moved, and grows beyond its limit. */
static void
move_log(struct store *s)
{
	int pages = s->writer.wal_pages, moved = mover_pages(s);
	int fresh = pages < moved ? pages : pages - moved; /* fewer than were moved: it has begun anew */
	if (pages >= WAL_LIMIT_PAGES && fresh >= WAL_AGAIN_PAGES) {
		mover_wait(s, pages);
		store_checkpoint(s);
	} else if (fresh >= WAL_MOVE_PAGES) {
		mover_ask(s);
	}
}

int
store_on_wal(void *arg, sqlite3 *db UNUSED, const char *schema UNUSED, int pages)
{
	struct conn *c = arg;
	c->wal_pages = pages;
	return SQLITE_OK;
}

/* Fills the log's file with zeros up to `end`. Only speed is lost if it fails. */
static void
reserve_wal(struct store *s, off_t end)
{
	char name[4096];
	if (s->wal_reserved >= end || (size_t)snprintf(name, sizeof name, "%s-wal", s->path) >= sizeof name)
		return;
	s->wal_reserved = end; /* not tried again */
	int fd CLEANUP(close_fd) = open(name, O_WRONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st))
		return;
	static const char zeros[64 << 10];
	for (off_t at = st.st_size; at < end;) {
		ssize_t n = pwrite(fd, zeros, sizeof zeros, at);
		if (n <= 0)
			return;
		at += n;
	}
	(void)fdatasync(fd);
}

/* Between two commits: some more room, if the next ones would reach the end of what is reserved. */
static void
reserve_ahead(struct store *s)
{
	off_t used = (off_t)s->writer.wal_pages * WAL_FRAME;
	if (s->wal_reserved < WAL_RESERVE && used + WAL_STEP / 2 > s->wal_reserved)
		reserve_wal(s, s->wal_reserved + WAL_STEP);
}

static struct timespec
after_ms(int64_t ms)
{
	int64_t at = clock_monotonic_ns() + ms * NS_PER_MS;
	return (struct timespec){ at / NS_PER_SEC, at % NS_PER_SEC };
}

/* What can wait until nobody waits for us. Called and returns with the lock. */
static void
housekeeping(struct store *s)
{
	pthread_mutex_unlock(&s->lock);
	if (s->writer.wal_pages >= WAL_IDLE_PAGES) {
		mover_wait(s, s->writer.wal_pages);
		store_checkpoint(s);
	}
	conn_rest(&s->writer);
	reserve_wal(s, WAL_RESERVE);
	pthread_mutex_lock(&s->lock);
}

static void *
writer_main(void *arg)
{
	struct store *s = arg;
	pthread_mutex_lock(&s->lock);
	for (;;) {
		struct timespec deadline = after_ms(IDLE_MS);
		while (!s->queue.first && !s->parts.first && !s->closing) {
			bool chores = s->path && (s->wal_reserved < WAL_RESERVE || s->writer.wal_pages >= WAL_IDLE_PAGES);
			if (wait_for_work(s, chores ? &deadline : NULL) && !s->queue.first && !s->parts.first)
				housekeeping(s);
		}
		struct batches group = { 0 };
		bool in_turn = !s->queue.first;
		struct batch *first = batches_take(in_turn ? &s->parts : &s->queue);
		if (!first)
			break;
		batches_add(&group, first);
		uint64_t turn = s->turns_ended;
		s->committing = true;
		pthread_mutex_unlock(&s->lock);
		write_group(s, &group, in_turn, turn);
		pthread_mutex_lock(&s->lock);
		batches_add(&s->finished, group.first);
		s->committing = false;
		pthread_cond_signal(&s->idle);
		pthread_mutex_unlock(&s->lock);
		uv_async_send(&s->finished_wake);
		sched_yield(); /* what waited for the commit goes first, where a processor is short */
		if (s->path) {
			move_log(s);
			reserve_ahead(s);
		}
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* Signals are the loop's: none may end up on this thread. */
int
store_start_writer(struct store *s, struct err *e)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int rc = pthread_create(&s->thread, NULL, writer_main, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc ? err_set(e, ERR_IO, "store thread: %s", strerror(rc)) : 0;
}
