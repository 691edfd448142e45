/* SPDX-License-Identifier: Apache-2.0 */
/* A call beside the loop: its end comes to the loop, or, if nobody waits any more, is cleared away without it, whenever that was decided. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "sources/aside.h"

struct call {
	sem_t may_end;
	atomic_int worked, dropped;
	int done;
	pthread_t loop_thread;
};

static void
work(void *arg)
{
	struct call *c = arg;
	assert_false(pthread_equal(pthread_self(), c->loop_thread));
	sem_wait(&c->may_end);
	atomic_fetch_add(&c->worked, 1);
}

static void
done(void *arg)
{
	struct call *c = arg;
	assert_true(pthread_equal(pthread_self(), c->loop_thread));
	c->done++;
}

static void
drop(void *arg)
{
	struct call *c = arg;
	atomic_fetch_add(&c->dropped, 1);
}

static void
begin(struct call *c)
{
	*c = (struct call){ .loop_thread = pthread_self() };
	sem_init(&c->may_end, 0, 0);
}

static struct aside *
start(struct loop *l, struct call *c)
{
	struct err e;
	struct aside *a = aside_start(l, &(struct aside_job){ work, done, drop, c }, &e);
	assert_non_null(a);
	return a;
}

static void
test_its_end_comes_to_the_loop(void **state UNUSED)
{
	struct loop *l = loop_new();
	struct call c;
	begin(&c);
	(void)start(l, &c); /* it frees itself */
	loop_turn(l, 0);
	assert_int_equal(c.done, 0);
	sem_post(&c.may_end);
	while (!c.done)
		loop_turn(l, 100);
	assert_int_equal(c.done, 1);
	assert_int_equal(atomic_load(&c.dropped), 0);
	loop_free(l);
}

static void
test_left_while_it_works(void **state UNUSED)
{
	struct loop *l = loop_new();
	struct call c;
	begin(&c);
	aside_leave(start(l, &c));
	loop_free(l); /* the thread does not need it any more */
	sem_post(&c.may_end);
	while (!atomic_load(&c.dropped))
		sched_yield();
	assert_int_equal(atomic_load(&c.worked), 1);
	assert_int_equal(c.done, 0);
}

static void
test_left_when_it_has_ended(void **state UNUSED)
{
	struct loop *l = loop_new();
	struct call c;
	begin(&c);
	sem_post(&c.may_end);
	struct aside *a = start(l, &c);
	while (!atomic_load(&c.worked))
		sched_yield();
	aside_leave(a);
	while (!atomic_load(&c.dropped))
		loop_turn(l, 1);
	assert_int_equal(c.done, 0);
	loop_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_its_end_comes_to_the_loop),
		cmocka_unit_test(test_left_while_it_works),
		cmocka_unit_test(test_left_when_it_has_ended),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
