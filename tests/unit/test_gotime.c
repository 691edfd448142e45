/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/lang/gotime.h"

/* As Go's time.Parse decides where an offset and a name stand side by side: the offset counts, but for UTC. */
static void
an_offset_beside_a_name(void **state UNUSED)
{
	static const struct {
		const char *layout, *text;
		enum go_zone zone;
		int32_t offset;
	} cases[] = {
		{ "2006-01-02 15:04:05 -0700 MST", "2026-07-15 02:30:00 +0200 CEST", GO_ZONE_OFFSET, 7200 },
		{ "2006-01-02 15:04:05 -0700 MST", "2026-07-15 02:30:00 +0300 +03", GO_ZONE_OFFSET, 10800 },
		{ "2006-01-02 15:04:05 -0700 MST", "2026-07-15 02:30:00 +0000 UTC", GO_ZONE_UTC, 0 },
		{ "2006-01-02 15:04:05 MST -0700", "2026-07-15 02:30:00 PDT -0700", GO_ZONE_OFFSET, -25200 },
		{ "2006-01-02 15:04:05 MST -0700", "2026-07-15 02:30:00 UTC +0200", GO_ZONE_UTC, 0 },
		{ "2006-01-02 15:04:05 MST", "2026-07-15 02:30:00 CEST", GO_ZONE_OFFSET, 0 },
		{ "2006-01-02 15:04:05", "2026-07-15 02:30:00", GO_ZONE_NONE, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct go_time t;
		if (!go_time_parse(str_c(cases[i].layout), str_c(cases[i].text), &t))
			fail_msg("%s", cases[i].text);
		assert_int_equal(t.zone, cases[i].zone);
		assert_int_equal(t.offset, cases[i].offset);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(an_offset_beside_a_name) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
