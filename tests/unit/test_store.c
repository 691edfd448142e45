/* SPDX-License-Identifier: Apache-2.0 */
/* store: order of commits and callbacks, groups, the lock, versions, readers, and a kill in the middle of it all. */
#include "core/base.h"

#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/store_impl.h"

static const struct store_migration history[] = {
	{ 1, "CREATE TABLE log (nr INTEGER PRIMARY KEY, text TEXT)" },
	{ 2, "ALTER TABLE log ADD COLUMN twice INTEGER; UPDATE log SET twice = nr * 2" },
};

struct place {
	char dir[64];
	struct loop *loop;
	struct store *store;
};

static void
open_place(struct place *p, size_t version)
{
	struct err e;
	p->loop = loop_new();
	if (store_open(p->loop, str_c(p->dir), history, version, &p->store, &e))
		fail_msg("%s", e.msg);
}

static void
close_place(struct place *p)
{
	store_close(p->store);
	loop_free(p->loop);
}

static int
setup(void **state)
{
	struct place *p = MEM_NEW(struct place);
	snprintf(p->dir, sizeof p->dir, "/tmp/tidegate-store-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct place *p = *state;
	static const char *const names[] = { "lock", "tidegate.db", "tidegate.db-wal", "tidegate.db-shm" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[128];
		snprintf(path, sizeof path, "%s/%s", p->dir, names[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(p->dir), 0);
	free(p);
	return 0;
}

/* ---- jobs --------------------------------------------------------------------------------------------------- */

static int
insert(sqlite3 *db, void *arg, struct err *e)
{
	return store_exec(db, e, "INSERT INTO log (nr, text) VALUES (?, ?)", "is", (int64_t)(intptr_t)arg, S("x"));
}

static int
insert_much(sqlite3 *db, void *arg, struct err *e)
{
	static char text[2000];
	memset(text, 'x', sizeof text);
	return store_exec(db, e, "INSERT INTO log (nr, text) VALUES (?, ?)", "is", (int64_t)(intptr_t)arg, (str){ text, sizeof text });
}

static int
count(sqlite3 *db, void *arg, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT count(*), max(nr) FROM log", e);
	if (!q || sqlite3_step(q) != SQLITE_ROW)
		return -1;
	*(int64_t *)arg = sqlite3_column_int64(q, 0);
	return 0; /* not reset: the store does that */
}

static int64_t
rows(struct store *s)
{
	struct err e;
	int64_t n = -1;
	if (store_read_now(s, count, &n, &e))
		fail_msg("%s", e.msg);
	return n;
}

struct order {
	struct store *store;
	int n;
	int64_t seen[32], rows_then[32];
};
struct step {
	struct order *order;
	int64_t nr;
};

static int
insert_step(sqlite3 *db, void *arg, struct err *e)
{
	struct step *s = arg;
	return insert(db, (void *)(intptr_t)s->nr, e);
}

static void
done_step(void *arg)
{
	struct step *s = arg;
	struct order *o = s->order;
	o->rows_then[o->n] = rows(o->store);
	o->seen[o->n++] = s->nr;
}

/* ---- tests -------------------------------------------------------------------------------------------------- */

static void
done_comes_in_order_and_after_the_commit(void **state)
{
	struct place *p = *state;
	open_place(p, 2);
	struct order o = { .store = p->store };
	struct step s[5] = { { &o, 1 }, { &o, 2 }, { &o, 100 }, { &o, 3 }, { &o, 4 } };
	store_write(p->store, insert_step, &s[0], done_step);
	store_write(p->store, insert_step, &s[1], done_step);
	store_after_commit(p->store, done_step, &s[2]);
	assert_int_equal(store_pending(p->store), 3);
	assert_int_equal(rows(p->store), 0);
	loop_turn(p->loop, 0); /* hands over: the first transaction holds these */
	store_write(p->store, insert_step, &s[3], done_step);
	store_write(p->store, insert_step, &s[4], done_step);
	while (o.n < 5)
		loop_turn(p->loop, 1000);
	static const int64_t expected[] = { 1, 2, 100, 3, 4 };
	assert_memory_equal(o.seen, expected, sizeof expected);
	for (int i = 0; i < 3; i++)
		assert_true(o.rows_then[i] >= 2);
	assert_int_equal(o.rows_then[4], 4);
	assert_int_equal(store_pending(p->store), 0);
	assert_true(store_commits(p->store) >= 1 && store_commits(p->store) <= 2);
	assert_true(store_commit_ns(p->store) > 0);
	close_place(p);
}

static void
a_turn_is_one_transaction(void **state)
{
	struct place *p = *state;
	open_place(p, 2);
	for (intptr_t i = 1; i <= 1000; i++)
		store_write(p->store, insert, (void *)i, NULL);
	/* The writer may have begun; nobody sees anything of it yet. */
	assert_int_equal(rows(p->store), 0);
	loop_turn(p->loop, 0);
	store_flush(p->store);
	assert_int_equal(store_commits(p->store), 1);
	assert_int_equal(rows(p->store), 1000);
	close_place(p);
}

static int
insert_long(sqlite3 *db, void *arg, struct err *e)
{
	static char text[1500];
	memset(text, 'a', sizeof text);
	return store_exec(db, e, "INSERT INTO log (nr, text) VALUES (?, ?)", "is", (int64_t)(intptr_t)arg, (str){ text, sizeof text });
}

static void
query(sqlite3 *db, const char *sql, char out[64])
{
	sqlite3_stmt *q;
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	snprintf(out, 64, "%s", sqlite3_column_text(q, 0));
	sqlite3_finalize(q);
}

/* Small and large, and what does not fit into the memory for pages and is written before its commit: seen through SQLite's own VFS. */
static void
others_see_every_commit_in_the_log(void **state)
{
	struct place *p = *state;
	char path[128], text[64], expected[64];
	sqlite3 *other;
	open_place(p, 2);
	snprintf(path, sizeof path, "%s/tidegate.db", p->dir);
	assert_int_equal(sqlite3_open_v2(path, &other, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	intptr_t nr = 0;
	static const int sizes[] = { 1, 200, 1, 6000, 3 };
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		for (int k = 0; k < sizes[i]; k++)
			store_write(p->store, insert_long, (void *)++nr, NULL);
		loop_turn(p->loop, 0);
		store_flush(p->store);
		snprintf(expected, sizeof expected, "%ld", (long)nr);
		query(other, "SELECT count(*) FROM log", text);
		assert_string_equal(text, expected);
		query(other, "PRAGMA integrity_check", text);
		assert_string_equal(text, "ok");
	}
	sqlite3_close(other);
	close_place(p);
}

static void
waiting_for_nothing_commits_nothing(void **state)
{
	struct place *p = *state;
	open_place(p, 2);
	struct order o = { .store = p->store };
	struct step s = { &o, 7 };
	store_after_commit(p->store, done_step, &s);
	store_flush(p->store);
	assert_int_equal(o.n, 1);
	assert_int_equal(store_commits(p->store), 0);
	close_place(p);
}

static void
done_may_write_and_close_waits_for_it(void **state)
{
	struct place *p = *state;
	open_place(p, 2);
	struct order o = { .store = p->store };
	struct step s = { &o, 1 };
	store_write(p->store, insert_step, &s, done_step);
	close_place(p);
	assert_int_equal(o.n, 1);
	open_place(p, 2);
	assert_int_equal(rows(p->store), 1);
	close_place(p);
}

static void
the_lock_names_the_other(void **state)
{
	struct place *p = *state;
	open_place(p, 2);
	struct store *second;
	struct err e;
	assert_int_equal(store_open(p->loop, str_c(p->dir), history, 2, &second, &e), -1);
	assert_int_equal(e.code, ERR_EXISTS);
	char pid[32];
	snprintf(pid, sizeof pid, "process %ld:", (long)getpid());
	assert_non_null(strstr(e.msg, pid));
	close_place(p);
	open_place(p, 2); /* released */
	close_place(p);
}

static void
migrations_run_once_and_forward(void **state)
{
	struct place *p = *state;
	open_place(p, 1);
	store_write(p->store, insert, (void *)21, NULL);
	store_flush(p->store);
	close_place(p);
	for (int again = 0; again < 2; again++) {
		open_place(p, 2);
		assert_int_equal(rows(p->store), 1);
		close_place(p);
	}
}

static struct buf
slurp(const char *dir, const char *name)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	struct buf b = { 0 };
	FILE *f = fopen(path, "r");
	if (!f)
		return b;
	size_t n;
	do {
		n = fread(buf_room(&b, 65536), 1, 65536, f);
		b.n += n;
	} while (n);
	fclose(f);
	return b;
}

static void
expect_refused(struct place *p, size_t known)
{
	struct buf before = slurp(p->dir, "tidegate.db"), wal_before = slurp(p->dir, "tidegate.db-wal");
	struct loop *l = loop_new();
	struct store *s;
	struct err e;
	assert_int_equal(store_open(l, str_c(p->dir), history, known, &s, &e), -1);
	assert_int_equal(e.code, ERR_UNSUPPORTED);
	loop_free(l);
	struct buf after = slurp(p->dir, "tidegate.db"), wal_after = slurp(p->dir, "tidegate.db-wal");
	assert_true(str_eq(buf_str(&before), buf_str(&after)));
	assert_true(str_eq(buf_str(&wal_before), buf_str(&wal_after)));
	buf_free(&before);
	buf_free(&after);
	buf_free(&wal_before);
	buf_free(&wal_after);
}

static void
a_newer_version_is_refused_untouched(void **state)
{
	struct place *p = *state;
	open_place(p, 2);
	close_place(p);
	expect_refused(p, 1);
	open_place(p, 2);
	close_place(p);
}

/* A process that ends hard leaves its log beside the file: there must be no recovery by an older program. */
static void
a_newer_version_with_a_log_is_refused_untouched(void **state)
{
	struct place *p = *state;
	pid_t child = fork();
	assert_true(child >= 0);
	if (!child) {
		open_place(p, 2);
		store_write(p->store, insert, (void *)5, NULL);
		store_flush(p->store);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	expect_refused(p, 1);
	open_place(p, 2);
	assert_int_equal(rows(p->store), 1);
	close_place(p);
}

static int
break_rule(sqlite3 *db, void *arg UNUSED, struct err *e)
{
	return store_exec(db, e, "INSERT INTO log (nr) VALUES (1), (1)", "");
}

static void
must_not_be_told(void *arg UNUSED)
{
	_exit(9);
}

static void
a_failed_transaction_ends_the_process(void **state)
{
	struct place *p = *state;
	pid_t child = fork();
	assert_true(child >= 0);
	if (!child) {
		int null = open("/dev/null", O_WRONLY);
		dup2(null, 2);
		open_place(p, 2);
		store_write(p->store, insert, (void *)1, must_not_be_told);
		store_write(p->store, break_rule, NULL, must_not_be_told);
		store_flush(p->store);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 74);
	open_place(p, 2);
	assert_int_equal(rows(p->store), 0); /* the whole of it, not the part before */
	close_place(p);
}

/* ---- kill --------------------------------------------------------------------------------------------------- */

struct teller {
	struct store *store;
	int fd; /* a number is written here when its row is committed */
	int64_t next;
	int size;
};

static void *told_to;

static void
tell(void *arg)
{
	struct teller *t = told_to;
	int64_t first = (intptr_t)arg;
	if (write(t->fd, &first, sizeof first) != sizeof first)
		_exit(1);
}

/* Writes turns of a hundred rows for ever, each row a job; tells of each turn that is committed. */
static _Noreturn void
write_for_ever(struct place *p, int fd, int64_t from, store_fn *row)
{
	static struct teller t;
	open_place(p, 2);
	t = (struct teller){ .store = p->store, .fd = fd };
	told_to = &t;
	for (intptr_t nr = from;; nr += 100) {
		for (intptr_t i = 0; i < 100; i++)
			store_write(p->store, row, (void *)(nr + i), i == 50 ? tell : NULL);
		loop_turn(p->loop, nr % 300 ? 0 : 1);
	}
}

static int
check_groups(sqlite3 *db, void *arg, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT count(*) FROM (SELECT nr / 100 AS g FROM log GROUP BY g HAVING count(*) <> 100)", e);
	if (!q || sqlite3_step(q) != SQLITE_ROW)
		return -1;
	*(int64_t *)arg = sqlite3_column_int64(q, 0);
	return 0;
}

static int
has_row(sqlite3 *db, void *arg, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT 1 FROM log WHERE nr = ?", e);
	if (!q)
		return -1;
	sqlite3_bind_int64(q, 1, *(int64_t *)arg);
	return sqlite3_step(q) == SQLITE_ROW ? 0 : err_set(e, ERR_NOT_FOUND, "row %lld", (long long)*(int64_t *)arg);
}

static int
check_file(sqlite3 *db, void *arg, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "PRAGMA integrity_check", e);
	if (!q || sqlite3_step(q) != SQLITE_ROW)
		return -1;
	*(bool *)arg = str_eq(store_text(q, 0), S("ok"));
	return 0;
}

static bool
is_whole(struct store *s)
{
	struct err e;
	bool whole = false;
	if (store_read_now(s, check_file, &whole, &e))
		fail_msg("%s", e.msg);
	return whole;
}

/* A child writes turns of a hundred rows, and is killed once it told of `first` of them, then of `more` each round. */
static void
kill_again_and_again(struct place *p, store_fn *row, int rounds, int first, int more)
{
	int64_t from = 100;
	for (int round = 0; round < rounds; round++) {
		int fds[2];
		assert_int_equal(pipe(fds), 0);
		pid_t child = fork();
		assert_true(child >= 0);
		if (!child)
			write_for_ever(p, fds[1], from, row);
		close(fds[1]);
		int64_t told[400];
		int n = 0, enough = first + round * more;
		while (n < enough && read(fds[0], &told[n], sizeof *told) == sizeof *told)
			n++;
		assert_int_equal(n, enough);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		while (n < 400 && read(fds[0], &told[n], sizeof *told) == sizeof *told)
			n++;
		close(fds[0]);

		open_place(p, 2);
		struct err e;
		int64_t broken = -1;
		assert_int_equal(store_read_now(p->store, check_groups, &broken, &e), 0);
		assert_int_equal(broken, 0);
		for (int i = 0; i < n; i++)
			assert_int_equal(store_read_now(p->store, has_row, &told[i], &e), 0);
		assert_true(is_whole(p->store));
		from = 1000000 * (round + 1);
		close_place(p);
	}
}

static void
kill_loses_nothing_that_was_told(void **state)
{
	kill_again_and_again(*state, insert, 8, 3, 40);
}

/* Two hundred kilobytes a turn: a piece of the log is moved every ten of them, and all of it every forty. */
static void
kill_while_the_log_is_moved_loses_nothing(void **state)
{
	kill_again_and_again(*state, insert_much, 6, 9, 13);
}

static void
the_log_is_moved_while_it_grows(void **state)
{
	struct place *p = *state;
	char name[96];
	struct stat st;
	open_place(p, 2);
	for (intptr_t nr = 0; nr < 15000; nr += 100) {
		for (intptr_t i = 0; i < 100; i++)
			store_write(p->store, insert_much, (void *)(nr + i), NULL);
		loop_turn(p->loop, 0);
		while (store_pending(p->store) > 1000)
			loop_turn(p->loop, -1);
	}
	store_flush(p->store);
	snprintf(name, sizeof name, "%s/tidegate.db-wal", p->dir);
	assert_int_equal(stat(name, &st), 0);
	assert_true(st.st_size < 20 << 20); /* of more than thirty million bytes: it began anew */
	assert_int_equal(rows(p->store), 15000);
	assert_true(is_whole(p->store));
	close_place(p);
	open_place(p, 2);
	assert_int_equal(rows(p->store), 15000);
	close_place(p);
}

/* ---- reading ------------------------------------------------------------------------------------------------ */

struct reader {
	struct loop *loop;
	int64_t n;
	int answers, errors;
};

static void
counted(void *arg, const struct err *e)
{
	struct reader *r = arg;
	r->answers++;
	r->errors += e != NULL;
}

static int
count_for(sqlite3 *db, void *arg, struct err *e)
{
	return count(db, &((struct reader *)arg)->n, e);
}

static int
write_through_reader(sqlite3 *db, void *arg UNUSED, struct err *e)
{
	return store_exec(db, e, "DELETE FROM log", "");
}

static void
readers_see_what_is_done_and_cannot_write(void **state)
{
	struct place *p = *state;
	open_place(p, 2);
	store_write(p->store, insert, (void *)1, NULL);
	store_flush(p->store);
	struct reader r = { .loop = p->loop };
	store_read(p->store, count_for, &r, counted);
	store_read(p->store, write_through_reader, &r, counted);
	while (r.answers < 2)
		loop_turn(p->loop, 1000);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.errors, 1);
	store_read(p->store, count_for, &r, counted);
	close_place(p); /* waits for it */
	assert_int_equal(r.answers, 3);
}

static void
in_memory_is_the_same(void **state UNUSED)
{
	struct loop *l = loop_new();
	struct store *s;
	struct err e;
	assert_int_equal(store_open(l, S(""), history, 2, &s, &e), 0);
	struct reader r = { .loop = l };
	store_write(s, insert, (void *)1, NULL);
	store_flush(s);
	store_read(s, count_for, &r, counted);
	while (!r.answers)
		loop_turn(l, 1000);
	assert_int_equal(r.n, 1);
	assert_int_equal(rows(s), 1);
	store_close(s);
	loop_free(l);
}

/* What the connection has of the file in memory, after a look at all of it. */
static int
cached(sqlite3 *db, void *arg, struct err *e)
{
	int64_t n;
	int most;
	if (count(db, &n, e) < 0)
		return -1;
	return sqlite3_db_status(db, SQLITE_DBSTATUS_CACHE_USED, arg, &most, 0) == SQLITE_OK ? 0 : -1;
}

static int
cached_now(sqlite3 *db, void *arg, struct err *e UNUSED)
{
	int most;
	return sqlite3_db_status(db, SQLITE_DBSTATUS_CACHE_USED, arg, &most, 0) == SQLITE_OK ? 0 : -1;
}

static void
rest_gives_back_what_was_read(void **state)
{
	struct place *p = *state;
	struct err e;
	int before = 0, after = 0;
	open_place(p, 2);
	for (intptr_t i = 0; i < 500; i++)
		store_write(p->store, insert_much, (void *)i, NULL);
	store_flush(p->store);
	assert_int_equal(store_read_now(p->store, cached, &before, &e), 0);
	assert_true(before > 512 << 10);
	store_rest(p->store);
	assert_int_equal(store_read_now(p->store, cached_now, &after, &e), 0);
	assert_true(after < 64 << 10);
	assert_int_equal(rows(p->store), 500); /* it reads on */
	close_place(p);
}

static int
bind_all(sqlite3 *db, void *arg UNUSED, struct err *e)
{
	char text[] = "from here";
	if (store_exec(db, e, "CREATE TABLE kinds (s, b, i, d, n, gone, empty)", "") ||
		store_exec(db, e, "INSERT INTO kinds VALUES (?, ?, ?, ?, ?, ?, ?)", "sbidnss", str_c(text), S("\0\1"), INT64_C(-5), 1.5,
			STR_NONE, S("")))
		return -1;
	memset(text, 'x', sizeof text - 1);
	sqlite3_stmt *q = store_prepare(db, "SELECT * FROM kinds", e);
	if (!q || sqlite3_step(q) != SQLITE_ROW)
		return -1;
	assert_true(str_eq(store_text(q, 0), S("from here")));
	assert_true(str_eq(store_text(q, 1), S("\0\1")));
	assert_int_equal(sqlite3_column_int64(q, 2), -5);
	assert_true(sqlite3_column_double(q, 3) == 1.5);
	assert_null(store_text(q, 4).p);
	assert_null(store_text(q, 5).p);
	assert_non_null(store_text(q, 6).p);
	assert_int_equal(store_text(q, 6).n, 0);
	assert_ptr_equal(store_prepare(db, "SELECT * FROM kinds", e), q); /* the cached one (the linker makes the literals one) */
	return 0;
}

static void
values_come_back_as_they_went(void **state UNUSED)
{
	struct loop *l = loop_new();
	struct store *s;
	struct err e;
	assert_int_equal(store_open(l, S(""), history, 2, &s, &e), 0);
	if (store_read_now(s, bind_all, NULL, &e))
		fail_msg("%s", e.msg);
	store_close(s);
	loop_free(l);
}

static void
count_done(void *arg)
{
	++*(int *)arg;
}

/* A turn of many jobs goes out in as many batches, which are used again, but not kept through a quiet time. */
static void
rest_gives_back_what_turns_were_written_with(void **state)
{
	enum { JOBS = 1000 };
	struct place *p = *state;
	int done = 0;
	open_place(p, 2);
	for (int i = 0; i < JOBS; i++)
		store_after_commit(p->store, count_done, &done);
	store_flush(p->store);
	assert_int_equal(done, JOBS);
	assert_non_null(p->store->spare);
	store_rest(p->store);
	assert_null(p->store->spare);
	store_after_commit(p->store, count_done, &done);
	store_flush(p->store);
	assert_int_equal(done, JOBS + 1);
	close_place(p);
}

/* RFC 3720 B.4, and the plain form against the hardware's at every length and alignment. */
static void
crc32c_is_castagnolis(void **state UNUSED)
{
	char zeros[32] = { 0 }, up[300];
	assert_int_equal(store_crc32c(0, (str){ zeros, 32 }), 0x8A9136AAu);
	assert_int_equal(store_crc32c(0, S("123456789")), 0xE3069283u);
	for (size_t i = 0; i < sizeof up; i++)
		up[i] = (char)(i * 7);
	for (size_t from = 0; from < 9; from++)
		for (size_t n = 0; n < 100; n++) {
			str s = { up + from, n };
			assert_int_equal(store_crc32c(0, s), store_crc32c_plain(0, s));
			assert_int_equal(store_crc32c(store_crc32c(0, str_slice(s, 0, n / 3)), str_slice(s, n / 3, n)), store_crc32c(0, s));
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(done_comes_in_order_and_after_the_commit, setup, teardown),
		cmocka_unit_test_setup_teardown(a_turn_is_one_transaction, setup, teardown),
		cmocka_unit_test_setup_teardown(others_see_every_commit_in_the_log, setup, teardown),
		cmocka_unit_test_setup_teardown(waiting_for_nothing_commits_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(done_may_write_and_close_waits_for_it, setup, teardown),
		cmocka_unit_test_setup_teardown(the_lock_names_the_other, setup, teardown),
		cmocka_unit_test_setup_teardown(migrations_run_once_and_forward, setup, teardown),
		cmocka_unit_test_setup_teardown(a_newer_version_is_refused_untouched, setup, teardown),
		cmocka_unit_test_setup_teardown(a_newer_version_with_a_log_is_refused_untouched, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failed_transaction_ends_the_process, setup, teardown),
		cmocka_unit_test_setup_teardown(kill_loses_nothing_that_was_told, setup, teardown),
		cmocka_unit_test_setup_teardown(kill_while_the_log_is_moved_loses_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(the_log_is_moved_while_it_grows, setup, teardown),
		cmocka_unit_test_setup_teardown(readers_see_what_is_done_and_cannot_write, setup, teardown),
		cmocka_unit_test_setup_teardown(rest_gives_back_what_was_read, setup, teardown),
		cmocka_unit_test_setup_teardown(rest_gives_back_what_turns_were_written_with, setup, teardown),
		cmocka_unit_test(in_memory_is_the_same),
		cmocka_unit_test(values_come_back_as_they_went),
		cmocka_unit_test(crc32c_is_castagnolis),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
