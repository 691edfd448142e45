/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/cron_times.h"
#include "core/base.h"

static struct arena *arena;

static int
setup(void **state UNUSED)
{
	arena = arena_new();
	return 0;
}

static int
teardown(void **state UNUSED)
{
	arena_free(arena);
	return 0;
}

static void
times_are_read_as_argo_and_we_write_them(void **state UNUSED)
{
	static const struct {
		const char *text, *layout, *time;
	} cases[] = {
		{ "Mon, 15 Jul 2024 01:02:03 UTC", NULL, "2024-07-15T01:02:03Z" }, /* argo's layout, if --format is not given */
		{ "Mon, 15 Jul 2024 01:02:03 UTC", "2006-01-02", "2024-07-15T01:02:03Z" },
		{ "15.07.2024 01:02", "02.01.2006 15:04", "2024-07-15T01:02:00Z" },
		{ "2024-07-15 01:02 +0200", "2006-01-02 15:04 -0700", "2024-07-14T23:02:00Z" },
		{ "2024-07-15", NULL, "2024-07-15T00:00:00Z" },
		{ "2024-07-15", "2006-01-02", "2024-07-15T00:00:00Z" },
		{ "2024-07-15T01:02:03+02:00", NULL, "2024-07-14T23:02:03Z" },
		{ "2h", NULL, "2024-07-14T22:00:00Z" },
		{ "0001-01-01 00:00", "2006-01-02 15:04", NULL }, /* before there are nanoseconds */
		{ "yesterday", "2006-01-02", NULL },
		{ "", NULL, NULL },
	};
	const int64_t now = INT64_C(1721001600) * NS_PER_SEC; /* 2024-07-15 */
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t ns = 0;
		struct err e;
		int rc = cron_time_read(cases[i].text, cases[i].layout, now, &ns, arena, &e);
		if ((rc == 0) != (cases[i].time != NULL))
			fail_msg("%s: %d", cases[i].text, rc);
		if (rc == 0)
			assert_string_equal(time_rfc3339(arena, ns).p, cases[i].time);
	}
}

static void
a_slot_is_told_in_its_own_zone(void **state UNUSED)
{
	const str slot = S("2026-07-15 02:30:00 +0200 CEST");
	assert_string_equal(cron_time_text(slot, NULL, arena).p, slot.p);
	assert_string_equal(cron_time_text(slot, "2006-01-02", arena).p, "2026-07-15");
	assert_string_equal(cron_time_text(slot, "Mon, 02 Jan 2006 15:04:05 MST", arena).p, "Wed, 15 Jul 2026 02:30:00 CEST");
	assert_string_equal(cron_time_text(slot, "2006-01-02T15:04:05Z07:00", arena).p, "2026-07-15T02:30:00+02:00");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_read_as_argo_and_we_write_them),
		cmocka_unit_test(a_slot_is_told_in_its_own_zone),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
