/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop gathers a turn's jobs in batches. The writer takes all turns there are, runs their jobs in one transaction, takes
 * what arrived meanwhile, commits, and gives them back for their `done`. While it commits, the next turns queue up: the
 * slower the disk, the larger the group, and neither side polls.
 *
 * A turn is passed on in parts, so that an idle writer runs the first jobs while the loop decides the rest: its first job if
 * the writer has nothing to do, then every PART_JOBS. It commits only when it has all of the turn. (Measured with 64
 * connections: a fifth more requests a second.)
 *
 * A commit appends to the write-ahead log and waits for the disk once. Moving the log into the database (a checkpoint) is
 * the writer's too: when nothing has come for a moment, or when the log has grown to its limit. The log's file is filled
 * with zeros ahead of time, because a commit into blocks that exist is twice as fast as one that grows the file: it
 * needs no journal entry of the file system, and does not wait for those of everybody else. SQLite stops reading a log at
 * the first frame whose checksum does not fit, so zeros behind the last one mean nothing to it.
 */
#include "core/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"
#include "core/metrics.h"
#include "core/wal.h"

#define GROUP_JOBS_MAX 4096   /* a transaction takes no more turns in past this */
#define PART_JOBS 24          /* so many jobs are passed on before their turn ends */
#define WAL_LIMIT_PAGES 2048  /* 8 MiB: then it is moved into the database, whoever waits */
#define WAL_IDLE_PAGES 64     /* from here on it is moved when there is time */
#define WAL_FRAME 4120        /* a page and 24 bytes */
#define WAL_RESERVE (WAL_LIMIT_PAGES * WAL_FRAME + (256 << 10)) /* and a large group's excess */
#define WAL_STEP (1 << 20)    /* reserved at once while there is work */
#define IDLE_MS 200           /* nothing to write for so long: time for housekeeping */
#define BUSY_MS 10000
#define STATEMENTS_MIN 64

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

struct store {
	struct loop *loop;
	char *dir, *path; /* NULL in memory */
	int lock_fd;
	struct conn writer;
	off_t wal_reserved; /* the writer's: the log's file has so many bytes */
	uv_async_t finished_wake;

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

/* The connection whose job runs on this thread: store_prepare gets SQLite's handle only. */
static _Thread_local struct conn *current;

/* ---- batches ------------------------------------------------------------------------------------------------ */

static void
batches_add(struct batches *q, struct batch *b)
{
	if (!q->first)
		q->end = &q->first;
	*q->end = b;
	while (*q->end)
		q->end = &(*q->end)->next;
}

static struct batch *
batches_take(struct batches *q)
{
	struct batch *b = q->first;
	q->first = NULL;
	return b;
}

/* ---- connections and statements ----------------------------------------------------------------------------- */

static int
sqlite_error(struct err *e, sqlite3 *db, const char *what)
{
	return err_set(e, ERR_IO, "%s: %s", what, db ? sqlite3_errmsg(db) : "out of memory");
}

static int
run_sql(sqlite3 *db, const char *sql, struct err *e)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : sqlite_error(e, db, "state");
}

static struct statement *
statement_slot(const struct conn *c, const char *sql)
{
	size_t i = (size_t)((uintptr_t)sql * UINT64_C(0x9E3779B97F4A7C15) >> 32) & (c->size - 1);
	while (c->statements[i].sql && c->statements[i].sql != sql)
		i = (i + 1) & (c->size - 1);
	return &c->statements[i];
}

static void
statements_grow(struct conn *c)
{
	struct conn old = *c;
	c->size = old.size ? old.size * 2 : STATEMENTS_MIN;
	c->statements = mem_alloc(c->size * sizeof *c->statements);
	for (size_t i = 0; i < old.size; i++)
		if (old.statements[i].sql)
			*statement_slot(c, old.statements[i].sql) = old.statements[i];
	free(old.statements);
}

sqlite3_stmt *
store_prepare(sqlite3 *db, const char *sql, struct err *e)
{
	struct conn *c = current;
	assert(c && c->db == db);
	if (c->n * 4 >= c->size * 3)
		statements_grow(c);
	struct statement *s = statement_slot(c, sql);
	if (s->q) {
		sqlite3_reset(s->q);
		sqlite3_clear_bindings(s->q);
		return s->q;
	}
	if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->q, NULL) != SQLITE_OK) {
		sqlite_error(e, db, sql);
		return NULL;
	}
	c->n += !s->sql;
	s->sql = sql;
	return s->q;
}

static int
bind_one(sqlite3_stmt *q, int i, char type, va_list *ap)
{
	str s;
	switch (type) {
	case 's':
		s = va_arg(*ap, str);
		return sqlite3_bind_text64(q, i, s.p, s.n, SQLITE_STATIC, SQLITE_UTF8);
	case 'b':
		s = va_arg(*ap, str);
		return sqlite3_bind_blob64(q, i, s.p, s.n, SQLITE_STATIC);
	case 'i':
		return sqlite3_bind_int64(q, i, va_arg(*ap, int64_t));
	case 'd':
		return sqlite3_bind_double(q, i, va_arg(*ap, double));
	case 'n':
		return sqlite3_bind_null(q, i);
	default:
		assert(!"a type of store_exec");
		return SQLITE_MISUSE;
	}
}

int
store_exec(sqlite3 *db, struct err *e, const char *sql, const char *types, ...)
{
	sqlite3_stmt *q = store_prepare(db, sql, e);
	if (!q)
		return -1;
	int rc = SQLITE_OK;
	va_list ap;
	va_start(ap, types);
	for (int i = 0; types[i] && rc == SQLITE_OK; i++)
		rc = bind_one(q, i + 1, types[i], &ap);
	va_end(ap);
	if (rc == SQLITE_OK)
		do
			rc = sqlite3_step(q);
		while (rc == SQLITE_ROW);
	if (rc != SQLITE_DONE)
		sqlite_error(e, db, sql);
	/* What was bound is the caller's and may go away now. */
	sqlite3_reset(q);
	sqlite3_clear_bindings(q);
	return rc == SQLITE_DONE ? 0 : -1;
}

str
store_text(sqlite3_stmt *q, int col)
{
	int type = sqlite3_column_type(q, col);
	if (type == SQLITE_NULL)
		return STR_NONE;
	const char *p = type == SQLITE_BLOB ? sqlite3_column_blob(q, col) : (const char *)sqlite3_column_text(q, col);
	return p ? (str){ p, (size_t)sqlite3_column_bytes(q, col) } : S("");
}

static int
run_on(struct conn *c, store_fn *fn, void *arg, struct err *e)
{
	struct conn *outer = current;
	current = c;
	int rc = fn(c->db, arg, e);
	current = outer;
	return rc;
}

/* A query not read to its end would hold its snapshot, and with it the log. */
static void
reset_statements(struct conn *c)
{
	for (sqlite3_stmt *q = NULL; (q = sqlite3_next_stmt(c->db, q));)
		if (sqlite3_stmt_busy(q))
			sqlite3_reset(q);
}

static int
conn_open(struct conn *c, const char *path, int flags, const char *vfs, struct err *e)
{
	*c = (struct conn){ 0 };
	if (sqlite3_open_v2(path, &c->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, vfs) != SQLITE_OK) {
		sqlite_error(e, c->db, path);
		sqlite3_close(c->db);
		c->db = NULL;
		return -1;
	}
	sqlite3_busy_timeout(c->db, BUSY_MS);
	return 0;
}

static void
conn_close(struct conn *c)
{
	for (size_t i = 0; i < c->size; i++)
		sqlite3_finalize(c->statements[i].q);
	free(c->statements);
	int rc = sqlite3_close(c->db);
	assert(rc == SQLITE_OK);
	(void)rc;
}

/* ---- the writer --------------------------------------------------------------------------------------------- */

static int64_t
monotonic_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

/* Memory is ahead of the disk from here on, and what an fsync that failed has lost nobody can say. */
static _Noreturn void
die(const struct err *e)
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
	int64_t start = monotonic_ns();
	if (store_exec(s->writer.db, e, "COMMIT", ""))
		return -1;
	int64_t took = monotonic_ns() - start;
	group->first->commit_ns = took > 0 ? took : 1;
	return 0;
}

static void
write_group(struct store *s, struct batches *group, bool in_turn, uint64_t turn)
{
	struct err e = { 0 };
	if (!s->path)
		pthread_mutex_lock(&s->memory);
	current = &s->writer;
	if (commit_group(s, group, in_turn, turn, &e))
		die(&e);
	reset_statements(&s->writer);
	current = NULL;
	if (!s->path)
		pthread_mutex_unlock(&s->memory);
}

/* PASSIVE: readers are not waited for. What they hold back is moved the next time. */
static void
checkpoint(struct store *s)
{
	int rc = sqlite3_wal_checkpoint_v2(s->writer.db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	if (rc != SQLITE_OK && (rc & 0xFF) != SQLITE_BUSY) {
		struct err e;
		sqlite_error(&e, s->writer.db, "checkpoint");
		die(&e);
	}
	s->writer.wal_pages = 0;
}

static int
on_wal(void *arg, sqlite3 *db UNUSED, const char *schema UNUSED, int pages)
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
	int64_t at = monotonic_ns() + ms * NS_PER_MS;
	return (struct timespec){ at / NS_PER_SEC, at % NS_PER_SEC };
}

/* What can wait until nobody waits for us. Called and returns with the lock. */
static void
housekeeping(struct store *s)
{
	pthread_mutex_unlock(&s->lock);
	if (s->writer.wal_pages >= WAL_IDLE_PAGES)
		checkpoint(s);
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
		if (s->writer.wal_pages >= WAL_LIMIT_PAGES)
			checkpoint(s);
		if (s->path)
			reserve_ahead(s);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* ---- the loop's side of writing ------------------------------------------------------------------------------ */

static struct batch *
this_turn(struct store *s)
{
	if (!s->turn) {
		s->turn = s->spare ? s->spare : MEM_NEW(struct batch);
		s->spare = s->turn->next;
		s->turn->next = NULL;
		s->turn->commit_ns = 0;
	}
	return s->turn;
}

/* Passes on what this turn has written so far. `ends`: and that was all of it. */
static void
pass_on(struct store *s, bool ends)
{
	pthread_mutex_lock(&s->lock);
	if (s->turn)
		batches_add(&s->parts, s->turn);
	if (ends && s->parts.first)
		batches_add(&s->queue, batches_take(&s->parts));
	s->turns_ended += ends;
	bool wake = s->waiting;
	pthread_mutex_unlock(&s->lock);
	/* After the unlock, or it would wake only to wait for the lock. */
	if (wake)
		pthread_cond_signal(&s->work);
	s->turn = NULL;
	s->turn_passed = !ends;
}

void
store_write(struct store *s, store_fn *fn, void *arg, void (*done)(void *arg))
{
	struct batch *b = this_turn(s);
	*VEC_PUSH(&b->jobs) = (struct job){ .fn = fn, .arg = arg, .done = done };
	s->pending++;
	s->jobs++;
	/* In memory readers share the writer's connection: a transaction must not be open while the loop is in its turn. */
	if (s->path && (b->jobs.n >= PART_JOBS || (!s->turn_passed && s->waiting)))
		pass_on(s, false);
}

void
store_after_commit(struct store *s, void (*done)(void *arg), void *arg)
{
	store_write(s, NULL, arg, done);
}

static void
end_turn(void *arg)
{
	struct store *s = arg;
	if (s->turn || s->turn_passed)
		pass_on(s, true);
}

/* Runs the `done`s of what is on disk, in order. */
static void
deliver(struct store *s)
{
	assert(!s->delivering); /* store_flush from within a done */
	s->delivering = true;
	pthread_mutex_lock(&s->lock);
	struct batch *b = batches_take(&s->finished);
	pthread_mutex_unlock(&s->lock);
	while (b) {
		struct batch *next = b->next;
		if (b->commit_ns) {
			s->commits++;
			s->commit_ns = b->commit_ns;
			metric_observe(METRIC_STORE_COMMIT, (double)b->commit_ns / 1e9, NULL);
		}
		for (size_t i = 0; i < b->jobs.n; i++) {
			struct job *j = &b->jobs.p[i];
			s->pending--;
			if (j->done)
				j->done(j->arg);
		}
		b->jobs.n = 0;
		b->next = s->spare;
		s->spare = b;
		b = next;
	}
	s->delivering = false;
}

static void
on_finished(uv_async_t *a)
{
	deliver(a->data);
}

void
store_flush(struct store *s)
{
	end_turn(s);
	pthread_mutex_lock(&s->lock);
	while (s->queue.first || s->committing)
		pthread_cond_wait(&s->idle, &s->lock);
	pthread_mutex_unlock(&s->lock);
	deliver(s);
}

size_t
store_pending(const struct store *s)
{
	return s->pending;
}

size_t
store_reading(const struct store *s)
{
	return s->reads;
}

uint64_t
store_jobs(const struct store *s)
{
	return s->jobs;
}

uint64_t
store_commits(const struct store *s)
{
	return s->commits;
}

int64_t
store_commit_ns(const struct store *s)
{
	return s->commit_ns;
}

/* ---- reading ------------------------------------------------------------------------------------------------ */

static struct conn *
take_reader(struct store *s, struct err *e)
{
	pthread_mutex_lock(&s->lock);
	struct conn *c = s->readers;
	if (c)
		s->readers = c->next;
	pthread_mutex_unlock(&s->lock);
	if (c)
		return c;
	c = MEM_NEW(struct conn);
	if (conn_open(c, s->path, SQLITE_OPEN_READONLY, NULL, e) == 0)
		return c;
	free(c);
	return NULL;
}

static int
read_file(struct store *s, store_fn *fn, void *arg, struct err *e)
{
	struct conn *c = take_reader(s, e);
	if (!c)
		return -1;
	int rc = run_on(c, fn, arg, e);
	reset_statements(c);
	pthread_mutex_lock(&s->lock);
	c->next = s->readers;
	s->readers = c;
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static int
read_memory(struct store *s, store_fn *fn, void *arg, struct err *e)
{
	pthread_mutex_lock(&s->memory);
	int rc = run_on(&s->writer, fn, arg, e);
	reset_statements(&s->writer);
	pthread_mutex_unlock(&s->memory);
	return rc;
}

int
store_read_now(struct store *s, store_fn *fn, void *arg, struct err *e)
{
	return s->path ? read_file(s, fn, arg, e) : read_memory(s, fn, arg, e);
}

int
store_look(str dir, store_fn *fn, void *arg, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const char *path = arena_fmt(a, "%.*s/tidegate.db", STR_ARG(dir)).p;
	struct conn c;
	if (access(path, R_OK) != 0)
		return err_errno(e, "%s", path);
	if (conn_open(&c, path, SQLITE_OPEN_READONLY, NULL, e) < 0)
		return -1;
	int rc = run_on(&c, fn, arg, e);
	conn_close(&c);
	return rc;
}

struct reading {
	struct store *store;
	store_fn *fn;
	void *arg;
	void (*done)(void *arg, const struct err *e);
	bool failed;
	struct err err;
};

static void
read_work(void *arg)
{
	struct reading *r = arg;
	r->failed = store_read_now(r->store, r->fn, r->arg, &r->err) != 0;
}

static void
read_done(void *arg)
{
	struct reading *r = arg;
	r->store->reads--;
	r->done(r->arg, r->failed ? &r->err : NULL);
	free(r);
}

void
store_read(struct store *s, store_fn *fn, void *arg, void (*done)(void *arg, const struct err *e))
{
	struct reading *r = MEM_NEW(struct reading);
	*r = (struct reading){ .store = s, .fn = fn, .arg = arg, .done = done };
	s->reads++;
	loop_work(s->loop, read_work, read_done, r);
}

/* ---- opening ------------------------------------------------------------------------------------------------ */

static char *
join(const char *dir, const char *name)
{
	struct buf b = { 0 };
	buf_addf(&b, "%s/%s", dir, name);
	return b.p;
}

/* The lock is the kernel's: it goes with the process, whatever becomes of that. The pid in it is for people. */
static int
take_lock(struct store *s, struct err *e)
{
	char *name = join(s->dir, "lock");
	s->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	free(name);
	if (s->lock_fd < 0)
		return err_errno(e, "%s/lock", s->dir);
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char pid[32] = "";
	if (fcntl(s->lock_fd, F_OFD_SETLK, &fl) == 0) {
		/* Always as long, written over the last one: a truncation would wait for the file system's journal. */
		int n = snprintf(pid, sizeof pid, "%-20ld\n", (long)getpid());
		if (pwrite(s->lock_fd, pid, (size_t)n, 0) != n)
			return err_errno(e, "%s/lock", s->dir);
		return 0;
	}
	if (errno != EAGAIN && errno != EACCES)
		return err_errno(e, "%s/lock", s->dir);
	ssize_t n = pread(s->lock_fd, pid, sizeof pid - 1, 0);
	str holder = str_trim((str){ pid, n > 0 ? (size_t)n : 0 });
	return err_set(e, ERR_EXISTS, "state directory %s is in use by process %.*s: stop that one or give another --state", s->dir,
		STR_ARG(holder.n ? holder : S("(unknown)")));
}

static int
refuse_newer(const struct store *s, int found, int known, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, "%s is of version %d, and this program knows up to %d: run the newer program, or give another --state",
		s->path, found, known);
}

/* Looks at the file's header before SQLite does: opening it would already change a file that has a log beside it.
 * sqlite.org/fileformat2.html 1.3: the user version is the big-endian word at offset 60. */
static int
check_header(const struct store *s, int known, struct err *e)
{
	int fd CLEANUP(close_fd) = open(s->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(e, "%s", s->path);
	uint8_t b[4];
	if (pread(fd, b, sizeof b, 60) != sizeof b)
		return 0; /* empty: just made */
	int found = (int)((uint32_t)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3]);
	return found > known ? refuse_newer(s, found, known, e) : 0;
}

static int
read_version(sqlite3 *db, void *arg, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "PRAGMA user_version", e);
	if (!q)
		return -1;
	if (sqlite3_step(q) != SQLITE_ROW)
		return sqlite_error(e, db, "version");
	*(int *)arg = sqlite3_column_int(q, 0);
	sqlite3_reset(q);
	return 0;
}

static int
migrate(struct store *s, int version, const struct store_migration *history, size_t n, struct err *e)
{
	sqlite3 *db = s->writer.db;
	int known = n ? history[n - 1].version : 0;
	if (version == known)
		return 0;
	if (run_sql(db, "BEGIN IMMEDIATE", e))
		return -1;
	for (size_t i = (size_t)version; i < n; i++) {
		assert(history[i].version == (int)i + 1);
		if (run_sql(db, history[i].sql, e))
			return err_wrap(e, "taking %s to version %d", s->path ? s->path : "the state", history[i].version);
	}
	char sql[64];
	snprintf(sql, sizeof sql, "PRAGMA user_version = %d; COMMIT", known);
	if (run_sql(db, sql, e))
		return -1;
	/* So that the version is in the file's header, where check_header of an older program finds it. */
	if (s->path)
		checkpoint(s);
	return 0;
}

static int
open_writer(struct store *s, const struct store_migration *history, size_t n, struct err *e)
{
	int version = 0, known = n ? history[n - 1].version : 0;
	if (s->path && check_header(s, known, e))
		return -1;
	if (conn_open(&s->writer, s->path ? s->path : ":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, s->path ? wal_vfs() : NULL, e))
		return -1;
	if (run_on(&s->writer, read_version, &version, e))
		return -1;
	if (version > known) { /* so far in the log only */
		sqlite3_db_config(s->writer.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		return refuse_newer(s, version, known, e);
	}
	if (run_sql(s->writer.db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;", e))
		return -1;
	sqlite3_wal_hook(s->writer.db, on_wal, &s->writer); /* takes the place of SQLite's own, which checkpoints in the commit */
	return migrate(s, version, history, n, e);
}

static void
lock_init(struct store *s)
{
	pthread_condattr_t clock;
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->memory, NULL);
	pthread_cond_init(&s->work, &clock);
	pthread_cond_init(&s->idle, NULL);
	pthread_condattr_destroy(&clock);
}

/* Signals are the loop's: none may end up on this thread. */
static int
start_writer(struct store *s, struct err *e)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int rc = pthread_create(&s->thread, NULL, writer_main, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc ? err_set(e, ERR_IO, "store thread: %s", strerror(rc)) : 0;
}

/* Everything but the struct: the loop may still have our handle in it. */
static void
release(struct store *s)
{
	if (s->writer.db)
		conn_close(&s->writer);
	close_fd(&s->lock_fd);
	pthread_cond_destroy(&s->work);
	pthread_cond_destroy(&s->idle);
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->memory);
	free(s->dir);
	free(s->path);
}

int
store_open(struct loop *l, str dir, const struct store_migration *history, size_t n, struct store **out, struct err *e)
{
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* a lock less at each allocation; too late the second time, which is fine */
	struct store *s = MEM_NEW(struct store);
	s->loop = l;
	s->lock_fd = -1;
	lock_init(s);
	if (dir.n) {
		struct buf b = { 0 };
		buf_add(&b, dir);
		s->dir = b.p;
		if (mkdir(s->dir, 0700) && errno != EEXIST) {
			err_errno(e, "%s", s->dir);
			goto fail;
		}
		s->path = join(s->dir, "tidegate.db");
		if (take_lock(s, e))
			goto fail;
	}
	if (open_writer(s, history, n, e) || start_writer(s, e))
		goto fail;
	uv_async_init(loop_uv(l), &s->finished_wake, on_finished);
	s->finished_wake.data = s;
	loop_on_turn_end(l, end_turn, s);
	*out = s;
	return 0;
fail:
	release(s);
	free(s);
	return -1;
}

static void
on_closed(uv_handle_t *h)
{
	free(h->data);
}

void
store_close(struct store *s)
{
	if (!s)
		return;
	while (s->pending || s->reads) {
		store_flush(s);
		if (s->reads)
			uv_run(loop_uv(s->loop), UV_RUN_ONCE);
	}
	loop_on_turn_end(s->loop, NULL, NULL);
	pthread_mutex_lock(&s->lock);
	s->closing = true;
	pthread_mutex_unlock(&s->lock);
	pthread_cond_signal(&s->work);
	pthread_join(s->thread, NULL);
	for (struct conn *c = s->readers; c;) {
		struct conn *next = c->next;
		conn_close(c);
		free(c);
		c = next;
	}
	for (struct batch *b = s->spare; b;) {
		struct batch *next = b->next;
		VEC_FREE(&b->jobs);
		free(b);
		b = next;
	}
	release(s);
	uv_close((uv_handle_t *)&s->finished_wake, on_closed);
}
