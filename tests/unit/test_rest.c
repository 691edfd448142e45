/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "api/rest.h"

static void
fields_are_kept_or_dropped_through_lists(void **state UNUSED)
{
	static const struct {
		const char *in, *fields, *out;
	} cases[] = {
		{ "{\"a\":1,\"b\":{\"c\":2,\"d\":3}}", "", "{\"a\":1,\"b\":{\"c\":2,\"d\":3}}" },
		{ "{\"a\":1,\"b\":{\"c\":2,\"d\":3}}", "a", "{\"a\":1}" },
		{ "{\"a\":1,\"b\":{\"c\":2,\"d\":3}}", "b.c", "{\"b\":{\"c\":2}}" },
		{ "{\"a\":1,\"b\":{\"c\":2,\"d\":3}}", "a,b.d", "{\"a\":1,\"b\":{\"d\":3}}" },
		{ "{\"a\":1,\"b\":{\"c\":2,\"d\":3}}", "-b.c", "{\"a\":1,\"b\":{\"d\":3}}" },
		{ "{\"a\":1,\"b\":{\"c\":2,\"d\":3}}", "-a,b", "{}" },
		{ "{\"a\":1}", "missing", "{}" },
		{ "{\"items\":[{\"x\":{\"n\":1},\"y\":2},{\"y\":3}]}", "items.x.n", "{\"items\":[{\"x\":{\"n\":1}},{}]}" },
		{ "{\"items\":[{\"x\":1,\"y\":2}]}", "-items.y", "{\"items\":[{\"x\":1}]}" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena *a = arena_new();
		struct val v;
		struct err e;
		assert_int_equal(json_read(a, str_c(cases[i].in), &v, &e), 0);
		assert_string_equal(json_write(a, fields_select(a, &v, str_c(cases[i].fields))).p, cases[i].out);
		arena_free(a);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_kept_or_dropped_through_lists),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
