/* SPDX-License-Identifier: Apache-2.0 */
/* The depends grammar: what it means, what it refuses, where it stops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "engine/run/depends.h"

/* Tasks A to H and a-b; E has continueOn.failed. */
static size_t
task(void *arg, str name, uint8_t *bare)
{
	(void)arg;
	if (str_eq(name, S("a-b")))
		return 8;
	if (name.n != 1 || name.p[0] < 'A' || name.p[0] > 'H')
		return SIZE_MAX;
	if (name.p[0] == 'E')
		*bare |= DEPENDS_FAILED;
	return (size_t)(name.p[0] - 'A');
}
static const struct depends_scope scope = { task, NULL };

static uint8_t
result(const void *arg, size_t t)
{
	return ((const uint8_t *)arg)[t];
}

#define OK DEPENDS_SUCCEEDED
#define BAD DEPENDS_FAILED
#define ERR DEPENDS_ERRORED
#define SKIP DEPENDS_SKIPPED
#define OMIT DEPENDS_OMITTED

static void
means(void **state)
{
	static const struct {
		const char *text;
		uint8_t of[9];
		bool holds;
	} cases[] = {
		{ "A", { OK }, true }, { "A", { BAD }, false }, { "A", { SKIP }, true }, { "A", { OMIT }, false },
		{ "A", { DEPENDS_DAEMONED }, true }, { "A", { ERR }, false },
		{ "E", { 0, 0, 0, 0, BAD }, true }, { "E", { 0, 0, 0, 0, ERR }, false },
		{ "E.Succeeded", { 0, 0, 0, 0, BAD }, false },
		{ "A && B", { OK, BAD }, false }, { "A || B", { BAD, OK }, true }, { "!A", { BAD }, true },
			{ "!!A", { OK }, true },
		{ "A || B && C", { OK, BAD, BAD }, true }, { "(A || B) && C", { OK, BAD, BAD }, false },
		{ "A.Succeeded||B.Failed", { BAD, BAD }, true }, { " A\n&&\tB ", { OK, OK }, true },
		{ "A.AnySucceeded", { OK | DEPENDS_ANY_SUCCEEDED }, true }, { "A.AllFailed", { BAD }, false },
		{ "A.Skipped && !B.Omitted", { SKIP, OK }, true },
			{ "a-b.Errored", { 0, 0, 0, 0, 0, 0, 0, 0, ERR }, true },
		{ "!(A && B) && !(C || D)", { OK, BAD, BAD, BAD }, true },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct depends d;
		struct err e = { 0 };

		if (depends_parse(a, str_c(cases[i].text), &scope, &d, &e) < 0)
			fail_msg("%s: %s", cases[i].text, e.msg);
		if (depends_holds(&d, result, cases[i].of) != cases[i].holds)
			fail_msg("%s: not %d", cases[i].text, cases[i].holds);
	}
	arena_free(a);
}

static void
refuses(void **state)
{
	static const char *const cases[][2] = {
		{ "", "at 1: expected a task, found the end" }, { "A &&", "at 5: expected a task, found the end" },
		{ "A & B", "at 3: expected '&&', '||' or the end, found '&'" },
			{ "(A", "at 3: expected ')', found the end" },
		{ "A B", "at 3: expected '&&', '||' or the end, found 'B'" }, { "X", "dependency 'X' not defined" },
		{ "A.Completed", "task result 'Completed' for task 'A' is invalid" },
			{ "A.", "task result '' for task 'A' is invalid" },
		{ "A)", "at 2: expected '&&', '||' or the end, found ')'" },
			{ "A and B", "at 3: expected '&&', '||' or the end, found 'a'" },
		{ "-A", "at 3: expected a task, found the end" },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct depends d;
		struct err e = { 0 };

		assert_int_equal(depends_parse(a, str_c(cases[i][0]), &scope, &d, &e), -1);
		assert_string_equal(e.msg, cases[i][1]);
	}
	arena_free(a);
}

static void
lists_each_task_once(void **state)
{
	struct arena *a = arena_new();
	struct depends d;
	struct err e;

	(void)state;
	assert_int_equal(depends_parse(a, S("B.Failed && A || B.AllFailed && C"), &scope, &d, &e), 0);
	assert_int_equal(d.tasks_n, 3);
	assert_int_equal(d.tasks[0], 1);
	assert_int_equal(d.tasks[1], 0);
	assert_int_equal(d.tasks[2], 2);
	assert_int_equal(d.asked, DEPENDS_FAILED | DEPENDS_ALL_FAILED);
	arena_free(a);
}

static void
stops_at_its_limits(void **state)
{
	static const uint8_t all[9] = { OK, OK, OK, OK, OK, OK, OK, OK, OK };
	struct arena *a = arena_new();
	struct buf b = { 0 };
	struct depends d;
	struct err e;

	(void)state;
	/* a long chain needs no depth; brackets as deep as allowed need no more stack than there is */
	for (int i = 0; i < 20000; i++)
		buf_addf(&b, "%sA", i ? " && " : "");
	assert_int_equal(depends_parse(a, buf_str(&b), &scope, &d, &e), 0);
	assert_true(depends_holds(&d, result, all));
	b.n = 0;
	for (int i = 0; i < DEPENDS_DEPTH_MAX - 1; i++)
		buf_addf(&b, "A || A && (");
	buf_addf(&b, "A");
	for (int i = 0; i < DEPENDS_DEPTH_MAX - 1; i++)
		buf_addc(&b, ')');
	assert_int_equal(depends_parse(a, buf_str(&b), &scope, &d, &e), 0);
	assert_true(depends_holds(&d, result, all));
	b.n = 0;
	for (int i = 0; i < 100000; i++)
		buf_addc(&b, '(');
	assert_int_equal(depends_parse(a, buf_str(&b), &scope, &d, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	buf_free(&b);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(means), cmocka_unit_test(refuses), cmocka_unit_test(lists_each_task_once),
			cmocka_unit_test(stops_at_its_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
