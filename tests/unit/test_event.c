/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/event.h"

static struct event *
sample(void)
{
	struct event *ev = event_new();
	ev->id = S("0123456789abcdef0123456789abcdef");
	ev->source = S("hooks");
	ev->type = S("webhook");
	ev->subject = S("push");
	ev->time = INT64_C(1784109600123456789);
	ev->data = S("{\"a\": 1}");
	return ev;
}

static void
assert_json(struct arena *a, struct val v, const char *want)
{
	assert_string_equal(str_z(a, json_write(a, &v)), want);
}

static void
test_envelope(void **state)
{
	(void)state;
	struct event *ev = sample();
	assert_json(ev->arena, event_envelope(ev, ev->arena),
	            "{\"specversion\":\"1.0\",\"id\":\"0123456789abcdef0123456789abcdef\",\"source\":\"hooks\",\"type\":\"webhook\","
	            "\"subject\":\"push\",\"datacontenttype\":\"application/json\",\"time\":\"2026-07-15T10:00:00.123456789Z\","
	            "\"data_base64\":\"eyJhIjogMX0=\"}");
	assert_json(ev->arena, event_context_and_data(ev, ev->arena),
	            "{\"context\":{\"id\":\"0123456789abcdef0123456789abcdef\",\"source\":\"hooks\",\"specversion\":\"1.0\","
	            "\"type\":\"webhook\",\"datacontenttype\":\"application/json\",\"subject\":\"push\",\"time\":\"2026-07-15T10:00:00Z\"},"
	            "\"data\":\"eyJhIjogMX0=\"}");
	event_unref(ev);
}

static void
test_data(void **state)
{
	(void)state;
	struct event *ev = sample();
	struct err e;
	const struct val *v = event_data(ev, &e);
	assert_non_null(v);
	assert_ptr_equal(event_data(ev, &e), v);
	event_unref(ev);
	ev = sample();
	ev->data = S("{");
	assert_null(event_data(ev, &e));
	assert_int_equal(e.code, ERR_INVALID);
	ev->data = STR_NONE;
	assert_null(event_data(ev, &e));
	assert_int_equal(e.code, ERR_NONE);
	event_unref(ev);
}

static void
test_ids(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	str one = event_random_id(a), two = event_random_id(a);
	assert_int_equal(one.n, 32);
	assert_false(str_eq(one, two));
	assert_int_equal(strspn(one.p, "0123456789abcdef"), 32);
	assert_int_equal(one.p[12], '7');
	assert_true(memcmp(one.p, two.p, 11) <= 0); /* begins with the time */
	arena_free(a);
}

static void
test_references(void **state)
{
	(void)state;
	struct event *ev = event_new();
	assert_ptr_equal(event_ref(ev), ev);
	event_unref(ev);
	assert_int_equal(ev->refs, 1);
	event_unref(ev);
	event_unref(NULL);
}

/* ASan says if something goes too early, or stays. */
static void
test_events_of_a_group_go_with_the_last(void **state)
{
	(void)state;
	struct event_group *g = event_group_new();
	struct event *events[100];
	size_t n = 0;
	for (; !event_group_is_full(g); n++) {
		events[n] = event_in(g);
		events[n]->data = arena_fmt(events[n]->arena, "%zu", n);
	}
	assert_in_range(n, 2, ARRAY_LEN(events));
	event_unref(events[0]);
	event_group_end(g);
	assert_ptr_equal(event_ref(events[1]), events[1]);
	for (size_t i = 1; i < n; i++)
		event_unref(events[i]);
	assert_string_equal(events[1]->data.p, "1");
	event_unref(events[1]);

	g = event_group_new();
	event_unref(event_in(g));
	event_group_end(g);
	event_group_end(NULL);
	event_unref(event_in(NULL));

	g = event_group_new();
	events[0] = event_in(g);
	(void)arena_alloc(events[0]->arena, 64 << 10, 1);
	assert_true(event_group_is_full(g));
	event_group_end(g);
	event_unref(events[0]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_envelope),
		cmocka_unit_test(test_data),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_events_of_a_group_go_with_the_last),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
