/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of workflows: order, limits, namespaces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "engine/queue.h"

static int64_t
two_for_small(void *arg UNUSED, str ns)
{
	return str_eq(ns, S("small")) ? 2 : 0;
}

static void
add(struct queue *q, const char *ns, const char *name, int64_t priority, int64_t created)
{
	queue_add(q, &(struct queue_entry){ priority, created, created, str_c(ns), str_c(name) });
}

static void
expect_next(struct queue *q, const char *name)
{
	struct queue_entry e;
	if (!name) {
		assert_false(queue_next(q, &e));
		return;
	}
	assert_true(queue_next(q, &e));
	assert_true(str_eq(e.name, str_c(name)));
}

static void
by_priority_then_by_age(void **state UNUSED)
{
	struct queue *q = queue_new(1, NULL, NULL);
	assert_true(queue_room(q, S("a")));
	queue_enter(q, S("a"));
	assert_false(queue_room(q, S("a")));
	add(q, "a", "young", 0, 9);
	add(q, "b", "old", 0, 1);
	add(q, "a", "urgent", 7, 5);
	add(q, "a", "urgent", 7, 5); /* twice is once */
	assert_int_equal(queue_waiting(q), 3);
	expect_next(q, NULL);
	queue_leave(q, S("a"));
	expect_next(q, "urgent");
	expect_next(q, NULL);
	queue_leave(q, S("a"));
	expect_next(q, "old");
	queue_leave(q, S("b"));
	expect_next(q, "young");
	queue_leave(q, S("a"));
	expect_next(q, NULL);
	assert_true(queue_room(q, S("a")));
	queue_free(q);
}

/* A full namespace does not hold up the others, whatever the priority of who waits in it. */
static void
a_namespace_has_its_own_limit(void **state UNUSED)
{
	struct queue *q = queue_new(0, two_for_small, NULL);
	queue_enter(q, S("small"));
	queue_enter(q, S("small"));
	assert_false(queue_room(q, S("small")));
	assert_true(queue_room(q, S("large")));
	add(q, "small", "first", 9, 1);
	add(q, "small", "second", 9, 2);
	add(q, "large", "other", 0, 3);
	expect_next(q, "other");
	expect_next(q, NULL);
	queue_leave(q, S("small"));
	expect_next(q, "first");
	expect_next(q, NULL);
	assert_true(queue_del(q, S("small"), S("second")));
	assert_false(queue_del(q, S("small"), S("second")));
	assert_false(queue_has(q, S("small"), S("second")));
	queue_leave(q, S("small"));
	expect_next(q, NULL);
	queue_free(q);
}

/* 100,000 wait, are taken in order, and none is lost. */
static void
many_wait(void **state UNUSED)
{
	enum { N = 100000 };
	struct queue *q = queue_new(1, NULL, NULL);
	struct queue_entry e, before = { .priority = INT64_MAX };
	char name[32];
	queue_enter(q, S("x"));
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof name, "w%d", i);
		add(q, i % 3 ? "x" : "y", name, i * 7919 % 10, N - i);
	}
	size_t n = 0;
	str ns = S("x");
	for (queue_leave(q, ns); queue_next(q, &e); queue_leave(q, e.ns), n++) {
		assert_true(e.priority < before.priority || (e.priority == before.priority && e.created > before.created));
		before.priority = e.priority;
		before.created = e.created;
	}
	assert_int_equal(n, N);
	queue_free(q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_priority_then_by_age),
		cmocka_unit_test(a_namespace_has_its_own_limit),
		cmocka_unit_test(many_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
