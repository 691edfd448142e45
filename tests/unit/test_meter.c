/* SPDX-License-Identifier: Apache-2.0 */
/* The meter of a transfer: what one process writes another reads, whole, and whoever dies when. */
#include "core/base.h"

#include <setjmp.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/meter.h"

struct both {
	struct meter *daemon, *helper;
	int fd;
};

static int
setup(void **state)
{
	struct both *b = MEM_NEW(struct both);
	struct err e;
	assert_int_equal(meter_new(&b->daemon, &b->fd, &e), 0);
	b->helper = meter_open(b->fd);
	assert_non_null(b->helper);
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct both *b = *state;
	meter_free(b->daemon);
	meter_free(b->helper);
	close(b->fd);
	free(b);
	return 0;
}

static void
expect(const struct meter *m, uint32_t item, uint32_t attempt, uint64_t bytes, uint64_t total, uint64_t moved, const char *reason)
{
	struct meter_reading r;
	assert_true(meter_read(m, &r));
	assert_int_equal(r.item, item);
	assert_int_equal(r.attempt, attempt);
	assert_int_equal(r.bytes, bytes);
	assert_int_equal(r.total, total);
	assert_int_equal(r.moved, moved);
	assert_string_equal(r.reason, reason);
}

static void
the_other_side_sees_it(void **state)
{
	struct both *b = *state;
	expect(b->daemon, 0, 0, 0, 0, 0, "");
	meter_begin(b->helper, 0);
	meter_total(b->helper, 100);
	meter_had(b->helper, 30);
	meter_moved(b->helper, 20);
	expect(b->daemon, 0, 1, 50, 100, 20, "");
	meter_again(b->helper, false, "it broke off");
	expect(b->daemon, 0, 2, 50, 100, 20, "it broke off");
	meter_again(b->helper, true, "nobody is there");
	expect(b->daemon, 0, 3, 0, 0, 20, "nobody is there");
	meter_moved(b->helper, 100);
	meter_begin(b->helper, 1);
	expect(b->daemon, 1, 1, 0, 0, 120, "");
}

static void
a_long_reason_is_cut(void **state)
{
	struct both *b = *state;
	struct meter_reading r;
	char text[2 * METER_REASON_MAX];
	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = 0;
	meter_again(b->helper, true, text);
	assert_true(meter_read(b->daemon, &r));
	assert_int_equal(strlen(r.reason), METER_REASON_MAX - 1);
	meter_again(b->helper, true, "short");
	assert_true(meter_read(b->daemon, &r));
	assert_string_equal(r.reason, "short");
}

/* Else the daemon would end where it reads. */
static void
its_file_cannot_be_cut(void **state)
{
	struct both *b = *state;
	assert_int_equal(ftruncate(b->fd, 0), -1);
	assert_int_equal(ftruncate(b->fd, 1 << 20), -1);
	expect(b->daemon, 0, 0, 0, 0, 0, "");
}

static void
what_is_no_meter_is_none(void **state UNUSED)
{
	struct meter_reading r = { .bytes = 7 };
	int fd = memfd_create("other", MFD_CLOEXEC);
	assert_null(meter_open(fd));
	close(fd);
	assert_null(meter_open(fd));
	meter_begin(NULL, 1);
	meter_again(NULL, true, "");
	meter_total(NULL, 1);
	meter_moved(NULL, 1);
	meter_had(NULL, 1);
	meter_free(NULL);
	assert_true(meter_read(NULL, &r));
	assert_int_equal(r.bytes, 0);
}

/* A process that writes for ever. */
static pid_t
start_writer(const struct both *b)
{
	pid_t child = fork();
	if (child != 0)
		return child;
	for (uint32_t i = 1;; i++) {
		char text[16];
		meter_begin(b->helper, i);
		snprintf(text, sizeof text, "%u", i);
		meter_again(b->helper, true, text);
		usleep(20);
	}
}

/* An item, its attempt and the reason are of one time; a helper that is killed wherever it was holds nobody up. */
static void
what_is_read_is_whole(void **state)
{
	struct both *b = *state;
	struct meter_reading r;
	pid_t child = start_writer(b);
	assert_true(child > 0);
	for (unsigned whole = 0; whole < 2000;) {
		if (!meter_read(b->daemon, &r) || !r.item)
			continue; /* it has not begun, or is in the middle */
		whole++;
		if (r.attempt == 2)
			assert_int_equal(strtoul(r.reason, NULL, 10), r.item);
		else
			assert_string_equal(r.reason, "");
	}
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	(void)meter_read(b->daemon, &r);
	assert_true(r.item >= 1); /* ends, wherever the writer was */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_other_side_sees_it, setup, teardown),
		cmocka_unit_test_setup_teardown(a_long_reason_is_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(its_file_cannot_be_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_read_is_whole, setup, teardown),
		cmocka_unit_test(what_is_no_meter_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
