/* SPDX-License-Identifier: Apache-2.0 */
/* What a test file wants of a value: what holds, and where the first difference is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/match.h"
#include "core/diag.h"

static const struct val *
read(struct arena *a, const char *yaml)
{
	struct diags d;
	struct val *docs;
	size_t n;
	diags_init(&d);
	assert_int_equal(yaml_read_all(a, S("t"), str_c(yaml), NULL, &docs, &n, &d), 0);
	diags_free(&d);
	return &docs[0];
}

static void
what_holds_and_what_differs(void **state)
{
	static const struct {
		const char *want, *is;
		bool exactly;
		const char *path, *expected, *got; /* path NULL: it holds */
	} rows[] = {
		{ "{a: 1}", "{\"a\": 1, \"b\": 2}", false, NULL, NULL, NULL },
		{ "{a: 1}", "{\"a\": 1.0}", true, NULL, NULL, NULL },
		{ "{a: 1}", "{\"a\": \"1\"}", false, "a", "1", "\"1\"" },
		{ "{a: main}", "{\"a\": \"main\"}", true, NULL, NULL, NULL },
		{ "{a: {b: [1, {c: x}]}}", "{\"a\": {\"b\": [1, {\"c\": \"y\", \"d\": 1}]}}", false, "a.b[1].c", "\"x\"", "\"y\"" },
		{ "{a: {b: [1, {c: x}]}}", "{\"a\": {\"b\": [1, {\"c\": \"x\", \"d\": 1}]}}", false, NULL, NULL, NULL },
		{ "{a: {b: [1, {c: x}]}}", "{\"a\": {\"b\": [1, {\"c\": \"x\", \"d\": 1}]}}", true, "a.b[1].d", "nothing", "1" },
		{ "{a: [1]}", "{\"a\": [1, 2]}", false, "a", "[1]", "[1,2]" },
		{ "{a: null}", "{\"b\": 1}", false, NULL, NULL, NULL },
		{ "{a: null}", "{\"a\": null}", false, NULL, NULL, NULL },
		{ "{a: ~}", "{\"a\": 1}", false, "a", "nothing", "1" },
		{ "{a: 1}", "{}", false, "a", "1", "nothing" },
		{ "{}", "{\"a\": 1}", false, NULL, NULL, NULL },
		{ "{}", "{\"a\": 1}", true, "a", "nothing", "1" },
		{ "{a: {}}", "{\"a\": 1}", false, "a", "{}", "1" },
		{ "true", "true", false, NULL, NULL, NULL },
		{ "'true'", "true", false, "", "\"true\"", "true" },
	};
	struct arena *a = arena_new();
	struct mismatch m;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool holds = val_matches(a, read(a, rows[i].want), read(a, rows[i].is), rows[i].exactly, &m);
		if (holds != !rows[i].path)
			fail_msg("%s against %s", rows[i].want, rows[i].is);
		if (holds)
			continue;
		assert_string_equal(m.path.p, rows[i].path);
		assert_string_equal(str_z(a, m.want), rows[i].expected);
		assert_string_equal(str_z(a, m.got), rows[i].got);
		assert_int_equal(m.at->line, 1);
	}
	assert_false(val_matches(a, read(a, "{a: 1}"), NULL, false, &m));
	assert_string_equal(m.got.p, "nothing");
	arena_free(a);
}

static void
note(void *arg, str path, const struct val *from, const struct val *to)
{
	struct arena *a = arena_new();
	buf_addf(arg, "%.*s: %.*s > %.*s\n", STR_ARG(path), STR_ARG(val_excerpt(a, from)), STR_ARG(val_excerpt(a, to)));
	arena_free(a);
}

static void
what_changed_is_told_by_place(void **state)
{
	struct arena *a = arena_new();
	struct buf b = { 0 };
	(void)state;
	val_changes(a, read(a, "{\"a\": 1, \"b\": {\"c\": [1, {\"d\": 2}]}, \"e\": [1], \"f\": 3, \"same\": [1.0]}"),
	            read(a, "{\"a\": \"1\", \"b\": {\"c\": [1, {\"d\": 3}]}, \"e\": [1, 2], \"g\": null, \"same\": [1]}"), note, &b);
	assert_string_equal(b.p, "a: 1 > \"1\"\nb.c[1].d: 2 > 3\ne: [1] > [1,2]\nf: 3 > nothing\ng: nothing > null\n");
	buf_free(&b);
	arena_free(a);
}

static void
long_values_are_shortened(void **state)
{
	struct arena *a = arena_new();
	char text[1000];
	(void)state;
	memset(text, 'x', sizeof text);
	struct val v = val_str((str){ text, sizeof text });
	assert_int_equal(val_excerpt(a, &v).n, 303);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_holds_and_what_differs), cmocka_unit_test(what_changed_is_told_by_place),
		cmocka_unit_test(long_values_are_shortened) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
