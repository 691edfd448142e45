/* SPDX-License-Identifier: Apache-2.0 */
/* child: how commands end, and what is bounded. */
#include "core/base.h"

#include <setjmp.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/child.h"

struct fixture {
	struct loop *loop;
	struct children *set;
	size_t ended;
	int status;
	struct buf out, err;
	struct err error;
};

static void
done(void *arg, const struct child_end *end, const struct err *e)
{
	struct fixture *f = arg;
	f->ended++;
	f->error = e ? *e : (struct err){ 0 };
	f->status = end ? end->status : -1;
	f->out.n = f->err.n = 0;
	if (end) {
		buf_add(&f->out, end->out);
		buf_add(&f->err, end->err);
		buf_addc(&f->out, 0);
		buf_addc(&f->err, 0);
	}
}

static void
begin(struct fixture *f, const char *text, int64_t timeout_ms)
{
	const char *const argv[] = { "sh", "-c", text, NULL }, *const env[] = { "PATH=/usr/bin:/bin", "WORD=hello", NULL };
	child_run(f->set, &(struct child_spec){ .argv = argv, .env = env, .out_max = 100000, .timeout_ms = timeout_ms }, done, f);
}

static void
run_until(struct fixture *f, size_t n)
{
	for (int i = 0; f->ended < n && i < 60000; i++)
		loop_turn(f->loop, 100);
	assert_int_equal(f->ended, n);
}

static void
run(struct fixture *f, const char *text)
{
	size_t before = f->ended;
	begin(f, text, 60000);
	run_until(f, before + 1);
}

/* A file that is open here, under a number that is taken there by something else. */
static void
a_file_goes_along(void **state)
{
	struct fixture *f = *state;
	const char *const argv[] = { "sh", "-c", "cat /proc/self/fd/3; ls /proc/self/fd | wc -l", NULL }, *const env[] = { "PATH=/usr/bin:/bin", NULL };
	char name[] = "/tmp/tidegate-child-XXXXXX";
	int fd = mkstemp(name);
	assert_true(fd >= 0 && write(fd, "in a file\n", 10) == 10 && lseek(fd, 0, SEEK_SET) == 0);
	for (int i = 0; i < 4; i++) /* more than run at once: it is kept for those in line, too */
		child_run(f->set, &(struct child_spec){ .argv = argv, .env = env, .out_max = 1000, .timeout_ms = 60000, .fds = { fd }, .in = S("") }, done, f);
	close(fd);
	run_until(f, 4);
	assert_string_equal(f->out.p, "in a file\n5\n"); /* 0, 1, 2, 3 and that of ls */
	assert_int_equal(f->status, 0);
	unlink(name);
}

/* The second of the two, and not the first. */
static void
another_file_goes_along(void **state)
{
	struct fixture *f = *state;
	const char *const argv[] = { "sh", "-c", "cat /proc/self/fd/4; test ! -e /proc/$$/fd/3; echo $?", NULL }, *const env[] = { "PATH=/usr/bin:/bin", NULL };
	int fd = memfd_create("file", MFD_CLOEXEC);
	assert_true(fd >= 0 && write(fd, "in a file\n", 10) == 10 && lseek(fd, 0, SEEK_SET) == 0);
	struct child *c = child_run(f->set, &(struct child_spec){ .argv = argv, .env = env, .out_max = 1000, .timeout_ms = 60000, .fds = { 0, fd } }, done, f);
	assert_false(child_started(c));
	close(fd);
	run_until(f, 1);
	assert_string_equal(f->out.p, "in a file\n0\n");
}

static int
setup(void **state)
{
	struct fixture *f = MEM_NEW(struct fixture);
	f->loop = loop_new();
	f->set = children_new(f->loop, 2);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	children_free(f->set);
	loop_turn(f->loop, 0);
	loop_free(f->loop);
	buf_free(&f->out);
	buf_free(&f->err);
	free(f);
	return 0;
}

static void
output_status_and_environment(void **state)
{
	struct fixture *f = *state;
	run(f, "echo $WORD; echo oh >&2; echo ${HOME-none}; exit 7");
	assert_int_equal(f->status, 7);
	assert_string_equal(f->out.p, "hello\nnone\n");
	assert_string_equal(f->err.p, "oh\n");
	run(f, "kill -TERM $$");
	assert_int_equal(f->status, 128 + SIGTERM);
}

static struct child *
begin_with(struct fixture *f, const char *text, str in)
{
	const char *const argv[] = { "sh", "-c", text, NULL }, *const env[] = { "PATH=/usr/bin:/bin", NULL };
	return child_run(f->set, &(struct child_spec){ .argv = argv, .env = env, .out_max = 100000, .timeout_ms = 60000, .in = in }, done, f);
}

static void
input_is_read_from_memory(void **state)
{
	struct fixture *f = *state;
	struct buf much CLEANUP(free_buf) = { 0 };
	for (int i = 0; i < 100000; i++) /* more than a pipe holds */
		buf_add(&much, S("0123456789"));
	begin_with(f, "wc -c", buf_str(&much));
	run_until(f, 1);
	assert_string_equal(f->out.p, "1000000\n");
	begin_with(f, "cat; ls /proc/self/fd | wc -l", S("hello\n"));
	run_until(f, 2);
	assert_string_equal(f->out.p, "hello\n4\n");
	begin_with(f, "wc -c", STR_NONE);
	run_until(f, 3);
	assert_string_equal(f->out.p, "0\n");
}

/* One that runs, and one that is in line behind two: both say so, the others go on. */
static void
what_is_stopped_ends(void **state)
{
	struct fixture *f = *state;
	struct child *one = begin_with(f, "exec sleep 1000", STR_NONE), *two = begin_with(f, "exec sleep 1000", STR_NONE);
	struct child *line = begin_with(f, "exec sleep 1000", STR_NONE);
	loop_turn(f->loop, 10);
	child_stop(line);
	run_until(f, 1);
	assert_int_equal(f->error.code, ERR_UNAVAILABLE);
	child_stop(one);
	run_until(f, 2);
	assert_int_equal(f->error.code, ERR_UNAVAILABLE);
	child_stop(two);
	child_stop(two);
	run_until(f, 3);
	run(f, "echo on");
	assert_string_equal(f->out.p, "on\n");
}

static void
nothing_is_inherited(void **state)
{
	struct fixture *f = *state;
	run(f, "ls /proc/self/fd | wc -l");
	assert_string_equal(f->out.p, "4\n"); /* three, and the one that ls reads with */
}

static void
what_cannot_start_says_so(void **state)
{
	struct fixture *f = *state;
	const char *const argv[] = { "tidegate-no-such-program", NULL }, *const env[] = { NULL };
	child_run(f->set, &(struct child_spec){ .argv = argv, .env = env, .out_max = 1, .timeout_ms = 1000 }, done, f);
	run_until(f, 1);
	assert_int_equal(f->error.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(f->error.msg, "tidegate-no-such-program"));
}

static void
large_output_is_whole_and_too_much_is_an_error(void **state)
{
	struct fixture *f = *state;
	run(f, "head -c 100000 /dev/zero | tr '\\0' x");
	assert_int_equal(f->status, 0);
	assert_int_equal(f->out.n, 100001);
	run(f, "cat /dev/zero");
	assert_int_equal(f->error.code, ERR_LIMIT);
	run(f, "seq 1 20000 >&2"); /* of standard error the end is kept */
	assert_int_equal(f->status, 0);
	assert_non_null(strstr(f->err.p, "\n20000\n"));
	assert_null(strstr(f->err.p, "\n100\n"));
}

static void
what_takes_too_long_is_killed_with_all_it_started(void **state)
{
	struct fixture *f = *state;
	begin(f, "sleep 1000 & echo $!; sleep 1000", 300);
	run_until(f, 1);
	assert_int_equal(f->error.code, ERR_TIMEOUT);
	run(f, "sleep 1000 >/dev/null 2>&1 & echo $!");
	int64_t pid;
	assert_true(str_to_i64(str_trim(str_c(f->out.p)), &pid));
	char path[64];
	snprintf(path, sizeof path, "/proc/%lld/cwd", (long long)pid);
	for (int i = 0; access(path, F_OK) == 0 && i < 60000; i++)
		loop_turn(f->loop, 10);
	assert_int_not_equal(access(path, F_OK), 0);
}

static void
more_than_may_run_wait(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 20; i++)
		begin(f, "echo one", 60000);
	run_until(f, 20);
	assert_string_equal(f->out.p, "one\n");
}

static void
the_end_of_the_daemon_ends_them(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 5; i++)
		begin(f, "sleep 1000", 1000000);
	loop_turn(f->loop, 0);
	children_free(f->set);
	f->set = NULL;
	assert_int_equal(f->ended, 5);
	assert_int_equal(f->error.code, ERR_UNAVAILABLE);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(output_status_and_environment),
		TEST(nothing_is_inherited),
		TEST(input_is_read_from_memory),
		TEST(what_is_stopped_ends),
		TEST(what_cannot_start_says_so),
		TEST(large_output_is_whole_and_too_much_is_an_error),
		TEST(what_takes_too_long_is_killed_with_all_it_started),
		TEST(more_than_may_run_wait),
		TEST(the_end_of_the_daemon_ends_them),
		TEST(a_file_goes_along),
		TEST(another_file_goes_along),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
