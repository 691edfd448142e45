/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/map.h"

static void
puts_gets_and_deletes(void **state)
{
	(void)state;
	struct map m = { 0 };
	int one = 1, two = 2;
	assert_null(map_get(&m, S("a")));
	assert_null(map_del(&m, S("a")));
	assert_null(map_put(&m, S("a"), &one));
	assert_ptr_equal(map_put(&m, S("a"), &two), &one);
	assert_ptr_equal(map_get(&m, S("a")), &two);
	assert_int_equal(m.n, 1);
	assert_null(map_put(&m, S(""), &one));
	assert_ptr_equal(map_get(&m, S("")), &one);
	assert_ptr_equal(map_del(&m, S("a")), &two);
	assert_null(map_get(&m, S("a")));
	assert_int_equal(m.n, 1);
	map_free(&m);
	assert_null(map_get(&m, S("")));
}

/* Deletions leave tombstones: many rounds of them must neither lose an entry nor let the table grow without end. */
static void
survives_churn(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	struct map m = { 0 };
	static int values[20000];
	for (int i = 0; i < 20000; i++) {
		map_put(&m, arena_fmt(a, "key-%d", i), &values[i]);
		if (i >= 100)
			assert_ptr_equal(map_del(&m, arena_fmt(a, "key-%d", i - 100)), &values[i - 100]);
	}
	assert_int_equal(m.n, 100);
	assert_true(m.cap <= 1024);
	size_t i = 0, seen = 0;
	for (struct map_slot *s; (s = map_next(&m, &i)); seen++) {
		str key = s->key;
		assert_ptr_equal(map_del(&m, key), &values[strtol(key.p + 4, NULL, 10)]);
	}
	assert_int_equal(seen, 100);
	assert_int_equal(m.n, 0);
	assert_null(m.slots); /* a large map that is empty has given its memory back */
	assert_null(map_get(&m, S("key-1")));
	map_put(&m, S("again"), &values[0]);
	assert_ptr_equal(map_get(&m, S("again")), &values[0]);
	map_free(&m);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(puts_gets_and_deletes), cmocka_unit_test(survives_churn) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
