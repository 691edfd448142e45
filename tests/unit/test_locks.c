/* SPDX-License-Identifier: Apache-2.0 */
/* The lock table: its rules one by one, and many random operations against a model that only knows the rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/heap.h"
#include "engine/locks.h"

/* ---- a world ------------------------------------------------------------------------------------------------------ */

enum { LOCKS = 5, HOLDERS = 40, WANTS_MAX = 3 };

/* Limits of the semaphores "s0", "s1", ...; 0: there is none. */
struct world {
	struct locks *t;
	struct arena *a;
	int64_t limits[LOCKS];
};

static int
limit_of(void *arg, const struct lock_id *id, int64_t *limit, struct err *e)
{
	const struct world *w = arg;
	*limit = w->limits[id->name.p[1] - '0'];
	return *limit ? 0 : err_set(e, ERR_NOT_FOUND, "ConfigMap \"%.*s\" not found", STR_ARG(id->name));
}

static struct lock_id
mutex(str name)
{
	return (struct lock_id){ LOCK_MUTEX, S("ns"), name, S("") };
}

static struct lock_id
semaphore(str name)
{
	return (struct lock_id){ LOCK_SEMAPHORE, S("ns"), name, S("k") };
}

static void
open_world(struct world *w)
{
	*w = (struct world){ .a = arena_new() };
	for (size_t i = 0; i < LOCKS; i++)
		w->limits[i] = 2;
	w->t = locks_new(limit_of, w);
}

static void
close_world(struct world *w)
{
	locks_free(w->t);
	arena_free(w->a);
}

static int
ask(struct world *w, const char *holder, int64_t priority, int64_t created, const struct lock_id *ids, size_t n,
	struct locks_wait *wait)
{
	struct err e;
	struct lock_rank rank = { priority, created, created, 0 };
	struct locks_wait ignored;
	return locks_ask(w->t, str_c(holder), &rank, ids, n, w->a, wait ? wait : &ignored, &e);
}

#define ASK(w, holder, priority, created, ...) \
	ask(w, holder, priority, created, (const struct lock_id[]){ __VA_ARGS__ }, \
		sizeof((const struct lock_id[]){ __VA_ARGS__ }) / sizeof(struct lock_id), NULL)

static void
expect_granted(struct world *w, const char *holder)
{
	str got = locks_granted(w->t);
	if (!holder) {
		assert_null(got.p);
		return;
	}
	assert_non_null(got.p);
	assert_string_equal(got.p, holder);
}

/* ---- rules --------------------------------------------------------------------------------------------------------- */

static void
one_holds_a_mutex(void **state UNUSED)
{
	struct world w;
	struct locks_wait wait;
	struct lock_id m = mutex(S("m"));
	open_world(&w);
	assert_int_equal(ASK(&w, "ns/a", 0, 1, mutex(S("m"))), 1);
	assert_int_equal(ask(&w, "ns/b", 0, 2, &m, 1, &wait), 0);
	assert_string_equal(wait.lock.p, "ns/Mutex/m");
	assert_string_equal(wait.message.p, "Waiting for ns/Mutex/m lock. Lock status: 0/1");
	expect_granted(&w, NULL);
	assert_true(locks_release(w.t, S("ns/a")));
	expect_granted(&w, "ns/b");
	expect_granted(&w, NULL);
	assert_false(locks_release(w.t, S("ns/a"))); /* once */
	expect_granted(&w, NULL);
	assert_true(locks_release(w.t, S("ns/b")));
	assert_int_equal(locks_claims(w.t), 0);
	close_world(&w);
}

static void
asking_twice_is_asking_once(void **state UNUSED)
{
	struct world w;
	open_world(&w);
	assert_int_equal(ASK(&w, "ns/a", 0, 1, mutex(S("m"))), 1);
	assert_int_equal(ASK(&w, "ns/a", 0, 1, mutex(S("m"))), 1);
	assert_int_equal(ASK(&w, "ns/b", 0, 2, mutex(S("m"))), 0);
	assert_int_equal(ASK(&w, "ns/b", 0, 2, mutex(S("m"))), 0);
	locks_release(w.t, S("ns/a"));
	expect_granted(&w, "ns/b");
	expect_granted(&w, NULL);
	close_world(&w);
}

static void
order_is_priority_then_creation(void **state UNUSED)
{
	struct world w;
	open_world(&w);
	assert_int_equal(ASK(&w, "ns/a", 0, 1, mutex(S("m"))), 1);
	assert_int_equal(ASK(&w, "ns/late", 0, 9, mutex(S("m"))), 0);
	assert_int_equal(ASK(&w, "ns/early", 0, 3, mutex(S("m"))), 0);
	assert_int_equal(ASK(&w, "ns/high", 5, 10, mutex(S("m"))), 0);
	locks_release(w.t, S("ns/a"));
	expect_granted(&w, "ns/high");
	locks_release(w.t, S("ns/high"));
	expect_granted(&w, "ns/early");
	locks_release(w.t, S("ns/early"));
	expect_granted(&w, "ns/late");
	close_world(&w);
}

/* Who holds one of two must not keep the other from those who wait longer; nothing is held by halves. */
static void
all_or_nothing(void **state UNUSED)
{
	struct world w;
	struct arena *a;
	str *holders;
	struct lock_id y = mutex(S("y"));
	open_world(&w);
	a = w.a;
	assert_int_equal(ASK(&w, "ns/x", 0, 1, mutex(S("x"))), 1);
	assert_int_equal(ASK(&w, "ns/both", 0, 2, mutex(S("x")), mutex(S("y"))), 0);
	assert_int_equal(locks_holders(w.t, &y, 9, a, &holders), 0);
	assert_int_equal(ASK(&w, "ns/y", 0, 3, mutex(S("y"))), 0); /* y is free, but it is not its turn */
	locks_release(w.t, S("ns/x"));
	expect_granted(&w, "ns/both");
	expect_granted(&w, NULL);
	locks_release(w.t, S("ns/both"));
	expect_granted(&w, "ns/y");
	close_world(&w);
}

static void
who_gives_up_its_place_lets_the_next_in(void **state UNUSED)
{
	struct world w;
	open_world(&w);
	assert_int_equal(ASK(&w, "ns/x", 0, 1, mutex(S("x"))), 1);
	assert_int_equal(ASK(&w, "ns/both", 0, 2, mutex(S("x")), mutex(S("y"))), 0);
	assert_int_equal(ASK(&w, "ns/y", 0, 3, mutex(S("y"))), 0);
	locks_release(w.t, S("ns/both"));
	expect_granted(&w, "ns/y");
	close_world(&w);
}

static void
a_limit_that_changes_counts_at_once(void **state UNUSED)
{
	struct world w;
	struct locks_wait wait;
	struct lock_id s = semaphore(S("s0"));
	open_world(&w);
	assert_int_equal(ASK(&w, "ns/a", 0, 1, semaphore(S("s0"))), 1);
	assert_int_equal(ASK(&w, "ns/b", 0, 2, semaphore(S("s0"))), 1);
	assert_int_equal(ASK(&w, "ns/c", 0, 3, semaphore(S("s0"))), 0);
	assert_int_equal(ASK(&w, "ns/d", 0, 4, semaphore(S("s0"))), 0);
	w.limits[0] = 4;
	locks_refresh(w.t);
	expect_granted(&w, "ns/c");
	expect_granted(&w, "ns/d");
	w.limits[0] = 1; /* four hold: nobody gets in before three have left */
	locks_refresh(w.t);
	assert_int_equal(ask(&w, "ns/e", 0, 5, &s, 1, &wait), 0);
	assert_string_equal(wait.message.p, "Waiting for ns/ConfigMap/s0/k lock. Lock status: -3/1");
	locks_release(w.t, S("ns/a"));
	locks_release(w.t, S("ns/b"));
	locks_release(w.t, S("ns/c"));
	expect_granted(&w, NULL);
	locks_release(w.t, S("ns/d"));
	expect_granted(&w, "ns/e");
	close_world(&w);
}

static void
a_limit_that_is_not_there_is_an_error_and_one_that_goes_is_waited_for(void **state UNUSED)
{
	struct world w;
	struct err e;
	struct locks_wait wait;
	struct lock_rank rank = { 0, 1, 1, 0 };
	struct lock_id ids[2] = { semaphore(S("s0")), semaphore(S("s1")) };
	open_world(&w);
	w.limits[1] = 0;
	assert_int_equal(locks_ask(w.t, S("ns/a"), &rank, ids, 2, w.a, &wait, &e), -1);
	assert_string_equal(e.msg, "failed to initialize semaphore ns/ConfigMap/s1/k with limit: ConfigMap \"s1\" not found");
	assert_int_equal(locks_claims(w.t), 0);
	assert_int_equal(ASK(&w, "ns/b", 0, 2, semaphore(S("s0"))), 1);
	w.limits[0] = 0;
	locks_refresh(w.t);
	assert_int_equal(ask(&w, "ns/c", 0, 3, ids, 1, &wait), 0);
	assert_string_equal(wait.message.p, "Failed to get semaphore limit for ns/ConfigMap/s0/k");
	locks_release(w.t, S("ns/b"));
	expect_granted(&w, NULL);
	w.limits[0] = 1;
	locks_refresh(w.t);
	expect_granted(&w, "ns/c");
	ids[1] = ids[0];
	assert_int_equal(locks_ask(w.t, S("ns/d"), &rank, ids, 2, w.a, &wait, &e), -1);
	assert_non_null(strstr(e.msg, "Duplicate synchronization item found"));
	close_world(&w);
}

/* Names in the database: a mutex and a semaphore of one name are two locks; the message counts holders. */
static void
database_locks(void **state UNUSED)
{
	struct world w;
	struct locks_wait wait;
	struct lock_id m = { LOCK_DATABASE_MUTEX, S("ns"), S("s0"), S("") },
		       s = { LOCK_DATABASE_SEMAPHORE, S("ns"), S("s0"), S("") };
	open_world(&w);
	w.limits[0] = 1;
	assert_int_equal(ask(&w, "ns/a", 0, 1, &m, 1, NULL), 1);
	assert_int_equal(ask(&w, "ns/b", 0, 2, &s, 1, NULL), 1);
	assert_int_equal(ask(&w, "ns/c", 0, 3, &m, 1, &wait), 0);
	assert_string_equal(wait.lock.p, "ns/Database/s0");
	assert_string_equal(wait.message.p, "Waiting for ns/Database/s0 lock (mtx/ns/s0). Lock status: 1/1");
	assert_int_equal(ask(&w, "ns/d", 0, 4, &s, 1, &wait), 0);
	assert_string_equal(wait.message.p, "Waiting for ns/Database/s0 lock (sem/ns/s0). Lock status: 1/1");
	close_world(&w);
}

static void
what_was_held_is_held_whatever_the_limit(void **state UNUSED)
{
	struct world w;
	struct lock_id s = semaphore(S("s0"));
	str *holders;
	open_world(&w);
	w.limits[0] = 1;
	locks_hold(w.t, S("ns/a"), &s, 1);
	locks_hold(w.t, S("ns/b"), &s, 1);
	assert_int_equal(locks_holders(w.t, &s, 9, w.a, &holders), 2);
	assert_string_equal(holders[1].p, "ns/b");
	assert_int_equal(locks_holders(w.t, &s, 1, w.a, &holders), 1);
	assert_string_equal(holders[0].p, "ns/a");
	assert_int_equal(ASK(&w, "ns/a", 0, 1, semaphore(S("s0"))), 1);
	assert_int_equal(ASK(&w, "ns/c", 9, 3, semaphore(S("s0"))), 0);
	locks_release(w.t, S("ns/a"));
	expect_granted(&w, NULL);
	locks_release(w.t, S("ns/b"));
	expect_granted(&w, "ns/c");
	close_world(&w);
}

/* After a restart those who wait ask in any order. */
static void
closed_nobody_is_let_in_and_open_all_in_their_order(void **state UNUSED)
{
	struct world w;
	struct lock_id s = semaphore(S("s0"));
	open_world(&w);
	locks_close(w.t);
	locks_hold(w.t, S("ns/a"), &s, 1);
	assert_int_equal(ASK(&w, "ns/late", 0, 9, semaphore(S("s0"))), 0);
	assert_int_equal(ASK(&w, "ns/early", 0, 2, semaphore(S("s0"))), 0);
	expect_granted(&w, NULL);
	locks_open(w.t);
	expect_granted(&w, "ns/early");
	expect_granted(&w, NULL);
	close_world(&w);
}

/* ---- a model: tries everybody who waits, in order of rank, until nobody can be let in --------------------------------- */

struct model_claim {
	bool there, held;
	int64_t priority, created;
	bool wants[LOCKS];
};
struct model {
	int64_t limits[LOCKS];
	struct model_claim claims[HOLDERS];
};

static bool
goes_first(const struct model_claim *a, const struct model_claim *b)
{
	return a->priority != b->priority ? a->priority > b->priority : a->created < b->created;
}

static bool
model_may(const struct model *m, const struct model_claim *c)
{
	for (size_t k = 0; k < LOCKS; k++) {
		int64_t held = 0;
		for (size_t i = 0; c->wants[k] && i < HOLDERS; i++) {
			const struct model_claim *o = &m->claims[i];
			if (!o->there || !o->wants[k] || o == c)
				continue;
			held += o->held;
			if (!o->held && goes_first(o, c))
				return false;
		}
		if (c->wants[k] && held >= m->limits[k])
			return false;
	}
	return true;
}

static void
model_settle(struct model *m)
{
	for (bool again = true; again;) {
		again = false;
		for (size_t i = 0; i < HOLDERS; i++) {
			struct model_claim *c = &m->claims[i];
			if (c->there && !c->held && model_may(m, c))
				again = c->held = true;
		}
	}
}

/* Everybody holds what the model says, nobody more than that. */
static void
compare(struct world *w, const struct model *m)
{
	for (size_t k = 0; k < LOCKS; k++) {
		str *holders;
		struct lock_id id = semaphore(arena_fmt(w->a, "s%zu", k));
		size_t n = locks_holders(w->t, &id, HOLDERS, w->a, &holders), want = 0;
		for (size_t i = 0; i < HOLDERS; i++) {
			if (!m->claims[i].there || !m->claims[i].held || !m->claims[i].wants[k])
				continue;
			want++;
			bool found = false;
			for (size_t j = 0; j < n; j++)
				found |= str_eq(holders[j], arena_fmt(w->a, "ns/%zu", i));
			assert_true(found);
		}
		assert_int_equal(n, want);
	}
}

static uint64_t
next(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *seed >> 33;
}

static void
random_ask(struct world *w, struct model *m, size_t i, int64_t created, uint64_t *seed)
{
	struct model_claim *c = &m->claims[i];
	struct lock_id ids[LOCKS];
	size_t n = 0;
	*c = (struct model_claim){ .there = true, .priority = (int64_t)(next(seed) % 3), .created = created };
	for (size_t tries = 1 + next(seed) % WANTS_MAX; tries > 0; tries--)
		c->wants[next(seed) % LOCKS] = true;
	for (size_t k = 0; k < LOCKS; k++)
		if (c->wants[k])
			ids[n++] = semaphore(arena_fmt(w->a, "s%zu", k));
	model_settle(m);
	int rc = ask(w, arena_fmt(w->a, "ns/%zu", i).p, c->priority, c->created, ids, n, NULL);
	assert_int_equal(rc, c->held);
}

/* Locks are asked for, given up and resized in any order; now and then all memory goes and holders come back first. */
static void
agrees_with_the_model(void **state UNUSED)
{
	for (uint64_t round = 1; round <= 200; round++) {
		uint64_t seed = round;
		struct world w;
		struct model m = { 0 };
		open_world(&w);
		for (size_t k = 0; k < LOCKS; k++)
			m.limits[k] = w.limits[k];
		for (int64_t now = 1; now <= 300; now++) {
			size_t i = next(&seed) % HOLDERS, k = next(&seed) % LOCKS;
			unsigned what = (unsigned)(next(&seed) % 20);
			struct model before = m;
			bool asked = false;
			if (what == 0) {
				w.limits[k] = m.limits[k] = 1 + (int64_t)(next(&seed) % 4);
				model_settle(&m);
				locks_refresh(w.t);
			} else if (m.claims[i].there && what < 14) {
				m.claims[i].there = false;
				model_settle(&m);
				assert_true(locks_release(w.t, arena_fmt(w.a, "ns/%zu", i)));
			} else if (!m.claims[i].there) {
				random_ask(&w, &m, i, now, &seed);
				asked = true;
			}
			size_t news = 0, want = 0;
			for (str s; (s = locks_granted(w.t)).p; news++)
				;
			for (size_t j = 0; j < HOLDERS; j++)
				want += m.claims[j].there && m.claims[j].held && !(before.claims[j].there && before.claims[j].held) &&
					!(asked && j == i);
			assert_int_equal(news, want);
			compare(&w, &m);
		}
		close_world(&w);
	}
}

/* ---- the heap ------------------------------------------------------------------------------------------------------ */

struct number {
	struct heap_node node;
	uint64_t v;
};

static bool
less(struct heap_node *a, struct heap_node *b)
{
	return CONTAINER_OF(a, struct number, node)->v < CONTAINER_OF(b, struct number, node)->v;
}

static void
a_heap_gives_the_least_whatever_was_taken_out(void **state UNUSED)
{
	enum { N = 1000 };
	static struct number numbers[N];
	struct heap h = { .before = less };
	uint64_t seed = 1, last = 0;
	for (size_t i = 0; i < N; i++) {
		numbers[i] = (struct number){ .v = next(&seed) };
		heap_add(&h, &numbers[i].node);
	}
	for (size_t i = 0; i < N; i += 3) {
		heap_del(&h, &numbers[i].node);
		heap_del(&h, &numbers[i].node);
	}
	size_t n = 0;
	for (struct heap_node *top; (top = heap_top(&h)); n++) {
		assert_true(CONTAINER_OF(top, struct number, node)->v >= last);
		last = CONTAINER_OF(top, struct number, node)->v;
		heap_del(&h, top);
	}
	assert_int_equal(n, N - (N + 2) / 3);
	heap_free(&h);
}

static size_t taken;
static void
count_taken(const struct lock_id *id)
{
	taken += str_eq(id->name, S("m"));
}

struct sums {
	size_t locks, held, waiting;
};
static void
add_up(void *arg, const struct lock_id *id UNUSED, size_t held, size_t waiting)
{
	struct sums *s = arg;
	s->locks++;
	s->held += held;
	s->waiting += waiting;
}

static void
how_they_are_used_can_be_told(void **state UNUSED)
{
	struct world w;
	struct locks_wait wait;
	struct sums s = { 0 };
	const struct lock_id ids[] = { mutex(S("m")), semaphore(S("s0")) };
	open_world(&w);
	locks_on_taken(w.t, count_taken);
	locks_hold(w.t, S("ns/before"), ids, 1); /* before a restart: that was counted then */
	assert_int_equal(ask(&w, "ns/a", 0, 1, ids, 2, &wait), 0);
	assert_int_equal(ask(&w, "ns/b", 0, 2, ids, 1, &wait), 0);
	assert_int_equal(taken, 0);
	locks_each(w.t, add_up, &s);
	assert_int_equal(s.locks, 2);
	assert_int_equal(s.held, 1);
	assert_int_equal(s.waiting, 3);
	assert_true(locks_release(w.t, S("ns/before")));
	assert_int_equal(taken, 1);
	assert_true(locks_release(w.t, S("ns/a")));
	assert_int_equal(taken, 2);
	assert_true(locks_release(w.t, S("ns/b")));
	s = (struct sums){ 0 };
	locks_each(w.t, add_up, &s);
	assert_int_equal(s.locks, 0);
	close_world(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_holds_a_mutex),
		cmocka_unit_test(asking_twice_is_asking_once),
		cmocka_unit_test(order_is_priority_then_creation),
		cmocka_unit_test(all_or_nothing),
		cmocka_unit_test(who_gives_up_its_place_lets_the_next_in),
		cmocka_unit_test(a_limit_that_changes_counts_at_once),
		cmocka_unit_test(a_limit_that_is_not_there_is_an_error_and_one_that_goes_is_waited_for),
		cmocka_unit_test(database_locks),
		cmocka_unit_test(what_was_held_is_held_whatever_the_limit),
		cmocka_unit_test(closed_nobody_is_let_in_and_open_all_in_their_order),
		cmocka_unit_test(how_they_are_used_can_be_told),
		cmocka_unit_test(agrees_with_the_model),
		cmocka_unit_test(a_heap_gives_the_least_whatever_was_taken_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
