/* SPDX-License-Identifier: Apache-2.0 */
/* loop: turns, timers under a test clock and under the real one, calls across threads, the pool. */
#include "core/base.h"

#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <time.h>

#include "core/loop.h"

struct trace {
	struct loop *loop;
	int n, seen[64];
};
struct mark {
	struct trace *trace;
	int id;
	struct timer timer;
};

static void
note(void *arg)
{
	struct mark *m = arg;
	m->trace->seen[m->trace->n++] = m->id;
}

static void
timers_fire_in_order_of_time_then_of_start(void **state UNUSED)
{
	struct loop *l = loop_new();
	loop_set_clock(l, 1000);
	struct trace t = { .loop = l };
	struct mark m[6];
	static const int64_t at[] = { 3000, 1500, 3000, 2000, 1500, 9000 };
	for (int i = 0; i < 6; i++) {
		m[i] = (struct mark){ .trace = &t, .id = i };
		timer_start(l, &m[i].timer, at[i], note, &m[i]);
	}
	loop_turn(l, 0);
	assert_int_equal(t.n, 0);
	loop_set_clock(l, 3000);
	loop_turn(l, -1); /* does not wait: something was due */
	static const int expected[] = { 1, 4, 3, 0, 2 };
	assert_int_equal(t.n, 5);
	assert_memory_equal(t.seen, expected, sizeof expected);
	timer_stop(&m[5].timer);
	timer_stop(&m[5].timer);
	loop_set_clock(l, 10000);
	loop_turn(l, 0);
	assert_int_equal(t.n, 5);
	loop_free(l);
}

/* Against a plain sort: many timers, stopped and moved at random. */
static void
the_heap_stays_a_heap(void **state UNUSED)
{
	enum { N = 500 };
	struct loop *l = loop_new();
	loop_set_clock(l, 0);
	static struct mark m[N];
	struct trace t = { .loop = l };
	unsigned seed = 7;
	int64_t clock = 0;
	for (int i = 0; i < N; i++)
		m[i] = (struct mark){ .trace = &t, .id = i };
	for (int round = 0; round < 2000; round++) {
		struct mark *k = &m[rand_r(&seed) % N];
		if (rand_r(&seed) % 3)
			timer_start(l, &k->timer, clock + rand_r(&seed) % 1000, note, k);
		else
			timer_stop(&k->timer);
		if (rand_r(&seed) % 50)
			continue;
		clock += rand_r(&seed) % 20;
		loop_set_clock(l, clock);
		t.n = 0;
		loop_turn(l, 0);
		for (int i = 0; i < N; i++)
			assert_true(!timer_is_armed(&m[i].timer) || m[i].timer.at_ns > clock);
		for (int i = 1; i < t.n; i++)
			assert_true(m[t.seen[i - 1]].timer.at_ns <= m[t.seen[i]].timer.at_ns);
	}
	loop_free(l);
}

struct again {
	struct loop *loop;
	struct timer timer;
	int count;
};

static void
start_again(void *arg)
{
	struct again *a = arg;
	a->count++;
	timer_start(a->loop, &a->timer, loop_now(a->loop), start_again, a);
}

static void
a_timer_restarted_for_now_waits_for_the_next_turn(void **state UNUSED)
{
	struct loop *l = loop_new();
	loop_set_clock(l, 5);
	struct again a = { .loop = l };
	timer_start(l, &a.timer, 0, start_again, &a);
	for (int i = 1; i <= 3; i++) {
		loop_turn(l, -1);
		assert_int_equal(a.count, i);
	}
	loop_free(l);
}

static void
stop(void *arg)
{
	loop_stop(arg);
}

static void
a_timer_wakes_the_loop_by_the_real_clock(void **state UNUSED)
{
	struct loop *l = loop_new();
	struct timer soon = { 0 }, past = { 0 };
	struct trace t = { .loop = l };
	struct mark m = { .trace = &t, .id = 1 };
	int64_t at = loop_now(l) + 20 * NS_PER_MS;
	timer_start(l, &soon, at, stop, l);
	timer_start(l, &past, -5, note, &m);
	loop_run(l);
	assert_int_equal(t.n, 1);
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	assert_true(ts.tv_sec * NS_PER_SEC + ts.tv_nsec >= at);
	assert_true(loop_now(l) >= at);
	loop_free(l);
}

static void
defer_more(void *arg)
{
	struct mark *m = arg;
	note(m);
	if (m->trace->n < 3)
		loop_defer(m->trace->loop, defer_more, m);
}

static void
note_end(void *arg)
{
	struct trace *t = arg;
	t->seen[t->n++] = 99;
}

static void
deferred_calls_run_in_their_turn_before_its_end(void **state UNUSED)
{
	struct loop *l = loop_new();
	struct trace t = { .loop = l };
	struct mark posted = { .trace = &t, .id = 1 }, deferred = { .trace = &t, .id = 2 };
	loop_on_turn_end(l, note_end, &t);
	loop_post(l, note, &posted);
	loop_defer(l, defer_more, &deferred);
	loop_turn(l, -1);
	static const int expected[] = { 1, 2, 2, 99 };
	assert_int_equal(t.n, 4);
	assert_memory_equal(t.seen, expected, sizeof expected);
	loop_free(l);
}

static void
call_after(void *arg)
{
	struct mark *m = arg;
	note(m);
	if (m->trace->n < 4)
		loop_after_turn(m->trace->loop, call_after, m);
}

static void
calls_after_a_turn_have_an_end_of_their_own(void **state UNUSED)
{
	struct loop *l = loop_new();
	struct trace t = { .loop = l };
	struct mark deferred = { .trace = &t, .id = 1 }, after = { .trace = &t, .id = 2 };
	loop_on_turn_end(l, note_end, &t);
	loop_after_turn(l, call_after, &after);
	loop_defer(l, note, &deferred);
	uint64_t turns = loop_turns(l);
	loop_turn(l, -1);
	static const int expected[] = { 1, 99, 2, 99, 99, 2, 99 };
	assert_int_equal(t.n, 4);
	loop_turn(l, -1); /* does not wait: there is one more */
	assert_int_equal(t.n, 7);
	assert_memory_equal(t.seen, expected, sizeof expected);
	assert_int_equal(loop_turns(l), turns + 2);
	loop_free(l);
}

static void
defer_note(void *arg)
{
	struct mark *m = arg;
	note(m);
	loop_defer(m->trace->loop, note, m);
}

/* An event published by a call after the turn, and what deferred calls make of it, must not be two transactions. */
static void
what_calls_after_a_turn_defer_comes_before_their_end(void **state UNUSED)
{
	struct loop *l = loop_new();
	struct trace t = { .loop = l };
	struct mark after = { .trace = &t, .id = 2 };
	loop_on_turn_end(l, note_end, &t);
	loop_after_turn(l, defer_note, &after);
	loop_turn(l, -1);
	static const int expected[] = { 99, 2, 2, 99 };
	assert_int_equal(t.n, 4);
	assert_memory_equal(t.seen, expected, sizeof expected);
	loop_free(l);
}

struct chain {
	struct loop *loop;
	int left, ends;
};

static void
defer_next(void *arg)
{
	struct chain *c = arg;
	if (--c->left > 0)
		loop_defer(c->loop, defer_next, c);
}

static void
count_end(void *arg)
{
	struct chain *c = arg;
	c->ends++;
}

static void
a_turn_ends_with_its_last_deferred_call_however_long_the_chain(void **state UNUSED)
{
	struct loop *l = loop_new();
	struct chain c = { .loop = l, .left = 100 };
	loop_on_turn_end(l, count_end, &c);
	loop_defer(l, defer_next, &c);
	while (c.left > 0) {
		assert_int_equal(c.ends, 0);
		loop_turn(l, -1); /* does not wait */
	}
	assert_int_equal(c.ends, 1);
	loop_free(l);
}

struct poster {
	struct loop *loop;
	pthread_t thread;
	int posted, ran;
	bool in_order;
	struct one {
		struct poster *poster;
		int nr;
	} one[1000];
};

static void
arrived(void *arg)
{
	struct one *o = arg;
	o->poster->in_order &= o->nr == o->poster->ran++;
}

static void *
post_many(void *arg)
{
	struct poster *p = arg;
	for (int i = 0; i < 1000; i++) {
		p->one[i] = (struct one){ p, i };
		loop_post(p->loop, arrived, &p->one[i]);
	}
	return NULL;
}

static void
posts_of_each_thread_keep_their_order(void **state UNUSED)
{
	struct loop *l = loop_new();
	static struct poster p[4];
	for (int i = 0; i < 4; i++) {
		p[i] = (struct poster){ .loop = l, .in_order = true };
		assert_int_equal(pthread_create(&p[i].thread, NULL, post_many, &p[i]), 0);
	}
	while (p[0].ran + p[1].ran + p[2].ran + p[3].ran < 4000)
		loop_turn(l, 1000);
	for (int i = 0; i < 4; i++) {
		pthread_join(p[i].thread, NULL);
		assert_true(p[i].in_order);
	}
	loop_free(l);
}

struct sum {
	struct loop *loop;
	pthread_t worker;
	int64_t total;
};

static void
add_up(void *arg)
{
	struct sum *s = arg;
	s->worker = pthread_self();
	for (int i = 1; i <= 1000; i++)
		s->total += i;
}

static void
added_up(void *arg)
{
	struct sum *s = arg;
	assert_int_equal(s->total, 500500);
	assert_false(pthread_equal(s->worker, pthread_self()));
	loop_stop(s->loop);
}

static void
work_runs_elsewhere_and_ends_here(void **state UNUSED)
{
	struct loop *l = loop_new();
	struct sum s = { .loop = l };
	loop_work(l, add_up, added_up, &s);
	loop_run(l);
	loop_free(l);
}

static void
a_turn_waits_no_longer_than_told(void **state UNUSED)
{
	struct loop *l = loop_new();
	struct timespec a, b;
	clock_gettime(CLOCK_MONOTONIC, &a);
	loop_turn(l, 20);
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_true((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 >= 19);
	loop_free(l);
	loop_free(NULL);
}

/* ---- what timers of libuv's own begin ------------------------------------------------------------------------------------ */

struct from_uv {
	struct loop *loop;
	struct timer timer;
	bool by_timer, done;
};

static void
is_done(void *arg)
{
	struct from_uv *f = arg;
	f->done = true;
}

static void
on_uv_timer(uv_timer_t *t)
{
	struct from_uv *f = t->data;
	if (f->by_timer)
		timer_start(f->loop, &f->timer, loop_now(f->loop) + NS_PER_MS, is_done, f);
	else
		loop_defer(f->loop, is_done, f);
}

/* They fire in the turn's call of libuv, before it waits: the HTTP client's do. */
static void
what_a_timer_of_libuv_begins_is_not_waited_over(void **state UNUSED)
{
	for (int by_timer = 0; by_timer < 2; by_timer++) {
		struct loop *l = loop_new();
		struct from_uv f = { .loop = l, .by_timer = by_timer };
		struct timespec from, to;
		uv_timer_t t;
		t.data = &f;
		uv_timer_init(loop_uv(l), &t);
		uv_timer_start(&t, on_uv_timer, 0, 0);
		clock_gettime(CLOCK_MONOTONIC, &from);
		for (int i = 0; i < 3 && !f.done; i++)
			loop_turn(l, 60000);
		clock_gettime(CLOCK_MONOTONIC, &to);
		assert_true(f.done && to.tv_sec - from.tv_sec < 50);
		uv_close((uv_handle_t *)&t, NULL);
		loop_free(l);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_fire_in_order_of_time_then_of_start),
		cmocka_unit_test(the_heap_stays_a_heap),
		cmocka_unit_test(a_timer_restarted_for_now_waits_for_the_next_turn),
		cmocka_unit_test(a_timer_wakes_the_loop_by_the_real_clock),
		cmocka_unit_test(deferred_calls_run_in_their_turn_before_its_end),
		cmocka_unit_test(calls_after_a_turn_have_an_end_of_their_own),
		cmocka_unit_test(what_calls_after_a_turn_defer_comes_before_their_end),
		cmocka_unit_test(a_turn_ends_with_its_last_deferred_call_however_long_the_chain),
		cmocka_unit_test(posts_of_each_thread_keep_their_order),
		cmocka_unit_test(work_runs_elsewhere_and_ends_here),
		cmocka_unit_test(a_turn_waits_no_longer_than_told),
		cmocka_unit_test(what_a_timer_of_libuv_begins_is_not_waited_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
