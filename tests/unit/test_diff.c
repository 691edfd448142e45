/* SPDX-License-Identifier: Apache-2.0 */
/* The unified form, and that every script turns the one text into the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cli/diff.h"

static void
shown(void **state)
{
	(void)state;
	struct buf b CLEANUP(free_buf) = { 0 };
	assert_true(diff_unified(&b, S("x"), S("a\nb\nc\nd\ne\nf\ng\nh\n"), S("y"), S("a\nb\nc\nd\nE\nf\ng\nh\ni\n"), false));
	assert_string_equal(b.p, "--- x\n+++ y\n@@ -2,7 +2,8 @@\n b\n c\n d\n-e\n+E\n f\n g\n h\n+i\n");
	buf_free(&b);
	assert_false(diff_unified(&b, S("x"), S("a\n"), S("y"), S("a\n"), false));
	assert_int_equal(b.n, 0);
	assert_true(diff_unified(&b, S("x"), S(""), S("y"), S("a\n"), false));
	assert_string_equal(b.p, "--- x\n+++ y\n@@ -0,0 +1,1 @@\n+a\n");
	buf_free(&b);
	assert_true(diff_unified(&b, S("x"), S("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n"), S("y"), S("2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n"), false));
	assert_string_equal(b.p, "--- x\n+++ y\n@@ -1,4 +1,3 @@\n-1\n 2\n 3\n 4\n@@ -9,4 +8,3 @@\n 9\n 10\n 11\n-12\n");
}

/* What '-' and ' ' lines say is the old text, '+' and ' ' the new one: with no more lines than the context all of it is shown. */
static void
check(str old_text, str new_text)
{
	struct buf b CLEANUP(free_buf) = { 0 }, was CLEANUP(free_buf) = { 0 }, is CLEANUP(free_buf) = { 0 };
	bool differ = diff_unified(&b, S("x"), old_text, S("y"), new_text, false);
	assert_int_equal(differ, !str_eq(old_text, new_text));
	for (str rest = buf_str(&b); rest.n;) {
		str line = str_cut(&rest, '\n');
		if (str_starts(line, S("@@")) || str_starts(line, S("---")) || str_starts(line, S("+++")))
			continue;
		if (line.p[0] != '+')
			buf_addf(&was, "%.*s\n", (int)line.n - 1, line.p + 1);
		if (line.p[0] != '-')
			buf_addf(&is, "%.*s\n", (int)line.n - 1, line.p + 1);
	}
	if (!differ)
		return;
	assert_true(str_eq(buf_str(&was), old_text));
	assert_true(str_eq(buf_str(&is), new_text));
}

static void
scripts_hold(void **state)
{
	(void)state;
	uint32_t seed = 1;
	for (int round = 0; round < 3000; round++) {
		struct buf texts[2] = { { 0 }, { 0 } };
		for (int t = 0; t < 2; t++)
			for (seed = seed * 1664525 + 1013904223; (seed >> 16) % 6 && texts[t].n < 8; seed = seed * 1664525 + 1013904223)
				buf_addf(&texts[t], "%c\n", 'a' + (seed >> 24) % 3);
		check(buf_str(&texts[0]), buf_str(&texts[1]));
		buf_free(&texts[0]);
		buf_free(&texts[1]);
	}
}

/* Past the limit of edits the whole is replaced. */
static void
far_apart(void **state)
{
	(void)state;
	struct buf a CLEANUP(free_buf) = { 0 }, b CLEANUP(free_buf) = { 0 };
	for (int i = 0; i < 3000; i++) {
		buf_addf(&a, "a%d\n", i);
		buf_addf(&b, "b%d\n", i);
	}
	check(buf_str(&a), buf_str(&b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(shown), cmocka_unit_test(scripts_hold), cmocka_unit_test(far_apart) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
