/* SPDX-License-Identifier: Apache-2.0 */
/* A store's life: its directory and lock, the schema's history, the end. How it writes and reads is in the files that store_impl.h names. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/store_impl.h"
#include "core/wal.h"

static char *
join(const char *dir, const char *name)
{
	struct buf b = { 0 };
	buf_addf(&b, "%s/%s", dir, name);
	return b.p;
}

static str
holder(const struct store *s, char pid[32])
{
	ssize_t n = pread(s->lock_fd, pid, 31, 0);
	return str_trim((str){ pid, n > 0 ? (size_t)n : 0 });
}

/*
 * A process that was killed while it started another leaves the lock to that one, until its exec, which is about to come. So one whose holder is dead
 * is waited for, two seconds at most.
 */
static int
lock(const struct store *s)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	for (int i = 0;; i++) {
		char text[32];
		int64_t pid;
		int rc = fcntl(s->lock_fd, F_OFD_SETLK, &fl), code = errno;
		bool dead = rc < 0 && i < 200 && str_to_i64(holder(s, text), &pid) && pid > 0 && kill((pid_t)pid, 0) < 0 && errno == ESRCH;
		errno = code;
		if (!dead)
			return rc;
		nanosleep(&(struct timespec){ .tv_nsec = 10 * NS_PER_MS }, NULL);
	}
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
	char pid[32] = "";
	if (lock(s) == 0) {
		/* Always as long, written over the last one: a truncation would wait for the file system's journal. */
		int n = snprintf(pid, sizeof pid, "%-20ld\n", (long)getpid());
		if (pwrite(s->lock_fd, pid, (size_t)n, 0) != n)
			return err_errno(e, "%s/lock", s->dir);
		return 0;
	}
	if (errno != EAGAIN && errno != EACCES)
		return err_errno(e, "%s/lock", s->dir);
	str process = holder(s, pid);
	return err_set(e, ERR_EXISTS, "state directory %s is in use by process %.*s: stop that one or give another --state", s->dir,
		STR_ARG(process.n ? process : S("(unknown)")));
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
		return store_failed(e, db, "version");
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
	if (store_run_sql(db, "BEGIN IMMEDIATE", e))
		return -1;
	for (size_t i = (size_t)version; i < n; i++) {
		assert(history[i].version == (int)i + 1);
		if (store_run_sql(db, history[i].sql, e))
			return err_wrap(e, "taking %s to version %d", s->path ? s->path : "the state", history[i].version);
	}
	char sql[64];
	snprintf(sql, sizeof sql, "PRAGMA user_version = %d; COMMIT", known);
	if (store_run_sql(db, sql, e))
		return -1;
	/* So that the version is in the file's header, where check_header of an older program finds it. */
	if (s->path)
		store_checkpoint(s);
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
	if (conn_run(&s->writer, read_version, &version, e))
		return -1;
	if (version > known) { /* so far in the log only */
		sqlite3_db_config(s->writer.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		return refuse_newer(s, version, known, e);
	}
	if (store_run_sql(s->writer.db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192;", e))
		return -1;
	sqlite3_wal_hook(s->writer.db, store_on_wal, &s->writer); /* takes the place of SQLite's own, which checkpoints in the commit */
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
	pthread_cond_init(&s->mover.work, NULL);
	pthread_cond_init(&s->mover.idle, NULL);
	pthread_condattr_destroy(&clock);
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
	pthread_cond_destroy(&s->mover.work);
	pthread_cond_destroy(&s->mover.idle);
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
	if (open_writer(s, history, n, e) || store_start_writer(s, e))
		goto fail;
	uv_async_init(loop_uv(l), &s->finished_wake, store_on_finished);
	s->finished_wake.data = s;
	loop_on_turn_end(l, store_end_turn, s);
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
	mover_stop(s);
	for (struct conn *c = s->readers; c;) {
		struct conn *next = c->next;
		conn_close(c);
		free(c);
		c = next;
	}
	turns_rest(s);
	release(s);
	uv_close((uv_handle_t *)&s->finished_wake, on_closed);
}
