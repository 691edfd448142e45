/* SPDX-License-Identifier: Apache-2.0 */
/* The trace of an event's evaluation: as text and back, and as a reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sensors/trace.h"

static struct trace t, back;

static void
add(size_t check, enum verdict v, str got, bool why)
{
	const struct trace_look l = { check, v, got };
	trace_add(&t, &l);
	t.decided |= why;
	if (why)
		t.why = l;
}

static void
comes_back_as_it_was(void **state)
{
	struct arena *a = *state;
	trace_clear(&t);
	add(0, FILTER_PASS, S(""), false);
	add(12, FILTER_PASS, S("3:x7m\n"), false); /* what looks like a look */
	add(345, FILTER_MISS, S("\"closed\""), true);
	str text = trace_write(&t, a);
	assert_string_equal(str_z(a, text), "0p0:12p6:3:x7m\n345M8:\"closed\"");
	trace_read(text, &back);
	assert_int_equal(back.n, 3);
	assert_true(back.decided);
	for (size_t i = 0; i < back.n; i++) {
		assert_int_equal(back.looks[i].check, t.looks[i].check);
		assert_int_equal(back.looks[i].verdict, t.looks[i].verdict);
		assert_true(str_eq(back.looks[i].got, t.looks[i].got));
	}
	assert_int_equal(back.why.check, 345);
}

/* However many there are, the one that decided is among them, and no more than a bounded number of bytes. */
static void
keeps_the_look_that_decided(void **state)
{
	struct arena *a = *state;
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < 1000; i++)
		buf_addc(&b, 'x');
	trace_clear(&t);
	for (size_t i = 0; i < 500; i++)
		add(i, FILTER_MISS, buf_str(&b), i == 499);
	assert_int_equal(t.left_out, 500 - TRACE_MAX);
	str text = trace_write(&t, a);
	assert_true(text.n < (TRACE_MAX + 1) * (TRACE_GOT_MAX + 10));
	trace_read(text, &back);
	assert_true(back.decided);
	assert_int_equal(back.why.check, 499);
	assert_int_equal(back.why.got.n, TRACE_GOT_MAX);
}

static void
takes_any_text(void **state UNUSED)
{
	static const char *const texts[] = { "", "0", "p", "0p", "0p3", "0p3:ab", "0p99999999999999999999:", "0x0:", "0p0:1", "-1p0:", "0p0:0P1:" };
	static const size_t looks[] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1 };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		trace_read(str_c(texts[i]), &back);
		assert_int_equal(back.n, looks[i]);
		assert_false(back.decided);
	}
}

static void
is_told_as_a_reason(void **state)
{
	struct arena *a = *state;
	const struct {
		struct check check;
		struct trace_look look;
		const char *reason;
	} cases[] = {
		{ { "data", S("body.ref"), S("\"x\" or \"y\""), "", S("s.yaml:3") }, { 0, FILTER_MISS, S("\"z\"") },
		  "data filter body.ref: want \"x\" or \"y\", got \"z\" (s.yaml:3)" },
		{ { "data", S("body.ref"), S("\"x\""), "", S("s.yaml:3") }, { 0, FILTER_ERROR, S("path body.ref does not exist in the data") },
		  "data filter body.ref: path body.ref does not exist in the data (s.yaml:3)" },
		{ { "exprs", S("n > 3"), S(""), "does not hold", S("") }, { 0, FILTER_MISS, S("n = 3") }, "exprs filter n > 3: does not hold with n = 3" },
		{ { "script", S(""), S(""), "did not return true", S("line 4") }, { 0, FILTER_MISS, S("") }, "script filter: did not return true (line 4)" },
		{ { "transform", S(""), S(""), "", S("s.yaml:9") }, { 0, FILTER_ERROR, S("no") }, "transform: no (s.yaml:9)" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(str_z(a, trace_reason(a, &cases[i].check, &cases[i].look)), cases[i].reason);
}

static void
shows_the_same_by_both_ways(void **state)
{
	static const char *const texts[] = { "", "main", "a \"b\"", "back\\slash", "\n", "\x7f", "\xc3\xa4", "\xff",
		"just as long as what is shown of a text, which is sixty by.", "one more than what is shown of a text, which is sixty bytes: 61" };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct buf b = { 0 };
		trace_show(&b, str_c(texts[i]));
		assert_true(str_eq(trace_shown(*state, str_c(texts[i])), buf_str(&b)));
		buf_free(&b);
	}
}

static int
begin(void **state)
{
	*state = arena_new();
	return 0;
}

static int
end(void **state)
{
	arena_free(*state);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(comes_back_as_it_was, begin, end),
		cmocka_unit_test_setup_teardown(keeps_the_look_that_decided, begin, end),
		cmocka_unit_test_setup_teardown(takes_any_text, begin, end),
		cmocka_unit_test_setup_teardown(is_told_as_a_reason, begin, end),
		cmocka_unit_test_setup_teardown(shows_the_same_by_both_ways, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
