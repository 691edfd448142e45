/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions against a plain evaluation of their meaning over all assignments; what is refused, and with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sensors/condition.h"

static const str deps[] = { S("a"), S("b"), S("dep-c"), S("d_d") };

static bool
bit(const void *arg, size_t dep)
{
	return *(const unsigned *)arg >> dep & 1;
}

#define A (m & 1)
#define B (m >> 1 & 1)
#define C (m >> 2 & 1)
#define D (m >> 3 & 1)

static void
means_what_it_says(void **state UNUSED)
{
	struct arena *arena = arena_new();
	for (unsigned m = 0; m < 16; m++) {
		const struct {
			const char *text;
			bool want;
		} rows[] = {
			{ "a", A },
			{ "a && b", A && B },
			{ "a||b", A || B },
			{ "a && b || dep-c", (A && B) || C },
			{ "a || b && dep-c", A || (B && C) },
			{ "(a || b) && dep-c", (A || B) && C },
			{ "(a || b) && (dep-c || d_d)", (A || B) && (C || D) },
			{ "((a)) && ((b || (dep-c && d_d)))", A && (B || (C && D)) },
			{ "a && b && dep-c && d_d", A && B && C && D },
			{ "a || b || dep-c || d_d", A || B || C || D },
			{ "dep_c && d-d", C && D },
			{ "a && a", A },
			{ " a\n&&\tb ", A && B },
			{ "", A && B && C && D },
			{ NULL, A && B && C && D },
			{ "a && (b || dep-c) && d_d || b && dep-c", (A && (B || C) && D) || (B && C) },
		};
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			struct condition c;
			struct err e;
			if (condition_compile(arena, str_c(rows[i].text), deps, ARRAY_LEN(deps), &c, &e) < 0)
				fail_msg("%s: %s", rows[i].text, e.msg);
			if (condition_holds(&c, bit, &m) != rows[i].want)
				fail_msg("%s for %x", rows[i].text, m);
		}
	}
	arena_free(arena);
}

static void
says_what_is_wrong(void **state UNUSED)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "a & b", "at 3: single &: write &&" },
		{ "a | b", "at 3: single |: write ||" },
		{ "a && dep-x", "at 6: no dependency is called dep-x: did you mean dep-c?" },
		{ "a and b", "at 3: && or || is expected between names" },
		{ "and", "at 1: no dependency is called and: did you mean &&?" },
		{ "!a", "at 1: conditions have no \"not\": only names, &&, || and brackets" },
		{ "(a && b", "at 1: the bracket opened here is not closed" },
		{ "a)", "at 2: no bracket is open here" },
		{ "a &&", "at 5: a dependency's name is expected" },
		{ "a && || b", "at 6: a dependency's name is expected" },
		{ "()", "at 2: a dependency's name is expected" },
	};
	struct arena *arena = arena_new();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct condition c;
		struct err e;
		assert_int_equal(condition_compile(arena, str_c(rows[i].text), deps, ARRAY_LEN(deps), &c, &e), -1);
		assert_string_equal(e.msg, rows[i].want);
	}
	arena_free(arena);
}

static void
knows_what_it_uses(void **state UNUSED)
{
	struct arena *arena = arena_new();
	struct condition c;
	struct err e;
	assert_int_equal(condition_compile(arena, S("a || d_d"), deps, ARRAY_LEN(deps), &c, &e), 0);
	assert_true(condition_uses(&c, 0));
	assert_false(condition_uses(&c, 1));
	assert_true(condition_uses(&c, 3));
	assert_false(c.joins);
	assert_int_equal(condition_compile(arena, S("a && d_d"), deps, ARRAY_LEN(deps), &c, &e), 0);
	assert_true(c.joins);
	assert_int_equal(condition_compile(arena, STR_NONE, deps, 1, &c, &e), 0);
	assert_false(c.joins);
	arena_free(arena);
}

static void
has_limits(void **state UNUSED)
{
	struct arena *arena = arena_new();
	struct condition c;
	struct err e;
	struct buf deep = { 0 }, wide = { 0 };
	for (int i = 0; i <= CONDITION_DEPTH_MAX; i++)
		buf_addc(&deep, '(');
	assert_int_equal(condition_compile(arena, buf_str(&deep), deps, 4, &c, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	for (int i = 0; i < CONDITION_TERMS_MAX; i++)
		buf_addf(&wide, "%sa", i ? "&&" : "");
	assert_int_equal(condition_compile(arena, buf_str(&wide), deps, 4, &c, &e), 0);
	buf_add(&wide, S("||b"));
	assert_int_equal(condition_compile(arena, buf_str(&wide), deps, 4, &c, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	/* far more dependencies than a machine word has bits */
	str many[500];
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = arena_fmt(arena, "dep-%zu", i);
	assert_int_equal(condition_compile(arena, S("dep-499 && dep-0"), many, ARRAY_LEN(many), &c, &e), 0);
	assert_true(condition_uses(&c, 499));
	buf_free(&deep);
	buf_free(&wide);
	arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(means_what_it_says),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(knows_what_it_uses),
		cmocka_unit_test(has_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
