/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "cli/output.h"
#include "cli/tree.h"

static const char steps[] =
	"{\"metadata\":{\"name\":\"w\"},\"status\":{\"phase\":\"Failed\",\"nodes\":{"
	"\"w\":{\"id\":\"w\",\"name\":\"w\",\"displayName\":\"w\",\"type\":\"Steps\",\"phase\":\"Failed\",\"startedAt\":\"2026-07-15T10:00:00Z\","
	"\"finishedAt\":\"2026-07-15T10:00:12Z\",\"children\":[\"w-1\"]},"
	"\"w-1\":{\"id\":\"w-1\",\"name\":\"w[0]\",\"displayName\":\"[0]\",\"type\":\"StepGroup\",\"phase\":\"Failed\",\"boundaryID\":\"w\","
	"\"startedAt\":\"2026-07-15T10:00:00Z\",\"children\":[\"w-2\",\"w-5\"]},"
	"\"w-2\":{\"id\":\"w-2\",\"name\":\"w[0].a\",\"displayName\":\"a\",\"type\":\"Retry\",\"phase\":\"Failed\",\"boundaryID\":\"w\","
	"\"startedAt\":\"2026-07-15T10:00:00Z\",\"children\":[\"w-3\",\"w-4\"]},"
	"\"w-3\":{\"id\":\"w-3\",\"name\":\"w[0].a(0)\",\"displayName\":\"a(0)\",\"type\":\"Pod\",\"phase\":\"Failed\",\"boundaryID\":\"w\","
	"\"startedAt\":\"2026-07-15T10:00:01Z\",\"finishedAt\":\"2026-07-15T10:00:02Z\",\"message\":\"main: Error (exit code 1)\"},"
	"\"w-4\":{\"id\":\"w-4\",\"name\":\"w[0].a(1)\",\"displayName\":\"a(1)\",\"type\":\"Pod\",\"phase\":\"Failed\",\"boundaryID\":\"w\","
	"\"startedAt\":\"2026-07-15T10:00:03Z\",\"finishedAt\":\"2026-07-15T10:01:05Z\"},"
	"\"w-5\":{\"id\":\"w-5\",\"name\":\"w[0].b\",\"displayName\":\"b\",\"type\":\"Skipped\",\"phase\":\"Omitted\",\"boundaryID\":\"w\","
	"\"startedAt\":\"2026-07-15T10:00:04Z\"},"
	"\"w-6\":{\"id\":\"w-6\",\"name\":\"w[0].c\",\"displayName\":\"c\",\"type\":\"Retry\",\"phase\":\"Succeeded\",\"boundaryID\":\"w\","
	"\"startedAt\":\"2026-07-15T10:00:05Z\",\"children\":[\"w-7\"]},"
	"\"w-7\":{\"id\":\"w-7\",\"name\":\"w[0].c(0)\",\"displayName\":\"c(0)\",\"type\":\"Pod\",\"phase\":\"Succeeded\",\"boundaryID\":\"w\","
	"\"startedAt\":\"2026-07-15T10:00:05Z\",\"finishedAt\":\"2026-07-15T10:00:06Z\"}}}}";

static char *
draw(const struct tree_opts *o, size_t *lines)
{
	struct arena *a = arena_new();
	struct buf b = { 0 };
	struct val v;
	struct err e;
	assert_int_equal(json_read(a, str_c(steps), &v, &e), 0);
	*lines = tree_print(&b, &v, o, 0);
	arena_free(a);
	return b.p;
}

static void
groups_and_single_attempts_are_left_out(void **state UNUSED)
{
	size_t lines;
	char *text = draw(&(struct tree_opts){ .ascii = true }, &lines);
	assert_string_equal(text,
		"STEP        STATUS     DURATION  MESSAGE\n"
		"x w         Failed     12s\n"
		"|-x a       Failed     0.0s\n"
		"| |-x a(0)  Failed     1.0s      main: Error (exit code 1)\n"
		"| `-x a(1)  Failed     1m 2s\n"
		"`-+ c       Succeeded  1.0s\n");
	assert_int_equal(lines, 6);
	free(text);
}

static void
long_trees_say_how_much_is_missing(void **state UNUSED)
{
	size_t lines;
	char *text = draw(&(struct tree_opts){ .ascii = true, .max_lines = 2 }, &lines);
	assert_non_null(strstr(text, "... and "));
	assert_null(strstr(text, "a(1)"));
	free(text);
}

static void
a_suspended_workflow_says_so(void **state UNUSED)
{
	struct arena *a = arena_new();
	struct val v;
	struct err e;
	assert_int_equal(json_read(a, S("{\"spec\":{\"suspend\":true},\"status\":{\"phase\":\"Running\"}}"), &v, &e), 0);
	assert_true(str_eq(workflow_status(a, &v), S("Running (Suspended)")));
	assert_int_equal(json_read(a, S("{\"status\":{}}"), &v, &e), 0);
	assert_true(str_eq(workflow_status(a, &v), S("Pending")));
	arena_free(a);
}

static void
durations_and_ages(void **state UNUSED)
{
	struct arena *a = arena_new();
	assert_string_equal(duration_text(a, 1500 * NS_PER_MS).p, "1.5s");
	assert_string_equal(duration_text(a, 65 * NS_PER_SEC).p, "1m 5s");
	assert_string_equal(duration_text(a, 90061 * NS_PER_SEC).p, "1d 1h");
	assert_string_equal(age_text(a, 7300 * NS_PER_SEC).p, "2h");
	assert_string_equal(age_text(a, -5).p, "0s");
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(groups_and_single_attempts_are_left_out),
		cmocka_unit_test(long_trees_say_how_much_is_missing),
		cmocka_unit_test(a_suspended_workflow_says_so),
		cmocka_unit_test(durations_and_ages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
