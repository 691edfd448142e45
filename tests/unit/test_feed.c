/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A feed between a protocol that is a list of numbers and a framework that is this file: what source.h promises to feed.c is played here,
 * so that each commit, each refusal of a full bus and each turn of the clock is the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <unistd.h>

#include "core/log.h"
#include "sources/feed.h"

enum { MAX = 3 * FEED_WINDOW };

/* An event that came, and is not answered. */
struct waiting {
	struct event *ev;
	void *token;
};

struct commit {
	void (*done)(void *arg);
	void *arg;
};

struct source {
	struct loop *loop;
	void *data;
	bool connecting, connected, stopped;
	int states, failures;
	char error[500];
	VEC(struct waiting) came;
	VEC(struct commit) commits; /* calls that wait for the disk */
	int saved[8], saved_n;      /* numbers that were to be saved */
};

/* The broker: below the lock. */
static struct {
	pthread_mutex_t lock;
	struct feed *feed;
	int opens, closes, refuse_opens, targets;
	int next, last;        /* numbers to give: next .. last */
	int bad;               /* this one can be no event; 0: none */
	bool die;              /* receive fails */
	int saves;             /* this one is no message, and is to be saved; 0: none */
	int saves_first;       /* this one is saved when the connection is opened; 0: none */
	bool together;         /* all that there is, in one go */
	int received;          /* calls */
	int fd;                /* what to wait for */
	int64_t settled[MAX];
	int settled_n, forgotten;
} broker = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- the framework ------------------------------------------------------------------------------------------------- */

const void *source_config(const struct source *s) { return s; }
str source_name(const struct source *s UNUSED) { return S("test"); }
str source_event_name(const struct source *s UNUSED) { return S("event"); }
struct loop *source_loop(const struct source *s) { return s->loop; }
void source_set_data(struct source *s, void *data) { s->data = data; }
void *source_data(const struct source *s) { return s->data; }
bool source_is_paused(const struct source *s UNUSED) { return false; }
void source_connecting(struct source *s) { s->connecting = true; }
void source_stopped(struct source *s) { s->stopped = true; }
void source_count_failure(struct source *s) { s->failures++; }

int
source_secret(struct source *s UNUSED, const struct secret_ref *ref UNUSED, struct arena *a UNUSED, str *out, struct err *e UNUSED)
{
	*out = S("secret");
	return 0;
}

void
source_state(struct source *s, bool connected, const struct err *e)
{
	s->connected = connected;
	s->states++;
	snprintf(s->error, sizeof s->error, "%s", e ? e->msg : "");
}

struct arrival {
	struct source *source;
	struct waiting w;
};

static void
arrived(void *arg)
{
	struct arrival *a = arg;
	*VEC_PUSH(&a->source->came) = a->w;
	free(a);
}

void
source_emit(struct source *s, struct event *ev, void *token)
{
	struct arrival *a = MEM_NEW(struct arrival);
	*a = (struct arrival){ s, { ev, token } };
	loop_post(s->loop, arrived, a);
}

void
source_emit_all(struct source *s, struct event *const *ev, void *const *tokens, size_t n)
{
	for (size_t i = 0; i < n; i++)
		source_emit(s, ev[i], tokens[i]);
}

void
source_after_commit(struct source *s, void (*done)(void *arg), void *arg)
{
	*VEC_PUSH(&s->commits) = (struct commit){ done, arg };
}

static void
commit(struct source *s)
{
	for (size_t i = 0; i < s->commits.n; i++)
		s->commits.p[i].done(s->commits.p[i].arg);
	s->commits.n = 0;
}

/* ---- the protocol ---------------------------------------------------------------------------------------------------- */

static int
target(struct source *s UNUSED, struct arena *a, struct peer_target *t, struct err *e UNUSED)
{
	t->address = arena_dup(a, S("broker:1"));
	broker.targets++;
	return 0;
}

static void
save(struct source *s, union feed_handle h)
{
	s->saved[s->saved_n++] = (int)h.number[0];
}

static void *
open_broker(struct feed *f, const struct peer_target *t, struct err *e)
{
	assert(str_eq(t->address, S("broker:1")));
	pthread_mutex_lock(&broker.lock);
	bool refuse = broker.refuse_opens > 0;
	broker.refuse_opens -= refuse;
	broker.opens += !refuse;
	broker.feed = f;
	broker.die = false;
	int first = broker.saves_first;
	pthread_mutex_unlock(&broker.lock);
	if (!refuse && first && feed_save_now(f, save, (union feed_handle){ .number = { first } }, e) < 0) {
		broker.opens--;
		return NULL;
	}
	if (!refuse)
		return &broker;
	err_set(e, ERR_UNAVAILABLE, "test: connection refused");
	return NULL;
}

static void
give_next(struct feed *f)
{
	struct err e;
	union feed_handle h = { .number = { broker.next } };
	if (broker.next == broker.saves) {
		broker.next++;
		feed_save(f, save, h);
		return;
	}
	if (broker.next++ == broker.bad) {
		err_set(&e, ERR_INVALID, "no JSON");
		feed_refuse(f, h, &e);
		return;
	}
	struct event *ev = event_new();
	ev->data = arena_fmt(ev->arena, "%d", broker.next - 1);
	feed_give(f, ev, h);
}

/* All there is room for, at once. */
static void
give_together(struct feed *f)
{
	static struct event *events[FEED_WINDOW]; /* below the lock, and not on a small stack */
	static union feed_handle handles[FEED_WINDOW];
	size_t n = 0, most = feed_wanted(f, FEED_WINDOW);
	for (; n < most && broker.next <= broker.last; n++) {
		events[n] = event_new();
		events[n]->data = arena_fmt(events[n]->arena, "%d", broker.next);
		handles[n].number[0] = broker.next++;
	}
	feed_give_all(f, events, handles, n);
}

static int
receive(void *conn UNUSED, struct feed *f, struct err *e)
{
	int rc = 0;
	pthread_mutex_lock(&broker.lock);
	broker.received++;
	if (broker.together)
		give_together(f);
	while (broker.next <= broker.last && feed_wants(f))
		give_next(f);
	if (broker.die)
		rc = err_set(e, ERR_UNAVAILABLE, "test: gone");
	pthread_mutex_unlock(&broker.lock);
	return rc;
}

static int
settle(void *conn UNUSED, const union feed_handle *handles, size_t n, struct err *e UNUSED)
{
	pthread_mutex_lock(&broker.lock);
	for (size_t i = 0; i < n; i++)
		broker.settled[broker.settled_n++] = handles[i].number[0];
	pthread_mutex_unlock(&broker.lock);
	return 0;
}

static int
wait_fd(void *conn UNUSED, short *events UNUSED, int *timeout_ms UNUSED)
{
	return broker.fd;
}

static void
forget(void *conn UNUSED, union feed_handle handle UNUSED)
{
	broker.forgotten++;
}

static void
close_broker(void *conn UNUSED)
{
	broker.closes++;
	broker.feed = NULL;
}

static const struct feed_ops ops = { "test", target, open_broker, receive, NULL, settle, forget, close_broker };

static const struct feed_ops tending = { .name = "test", .target = target, .open = open_broker, .receive = receive, .wait = wait_fd, .settle = settle,
	.forget = forget, .close = close_broker, .tends = true };

/* ---- the test's hand on it ---------------------------------------------------------------------------------------------- */

static void
offer(int from, int to)
{
	pthread_mutex_lock(&broker.lock);
	broker.next = from;
	broker.last = to;
	pthread_mutex_unlock(&broker.lock);
}

static void
nudge(void)
{
	pthread_mutex_lock(&broker.lock);
	struct feed *f = broker.feed;
	pthread_mutex_unlock(&broker.lock);
	if (f)
		feed_wake(f);
}

static int
settled(void)
{
	pthread_mutex_lock(&broker.lock);
	int n = broker.settled_n;
	pthread_mutex_unlock(&broker.lock);
	return n;
}

/* Turns until it is so; a minute is long enough for any machine. */
#define TURN_UNTIL(s, condition)                                    \
	do {                                                        \
		int turns_ = 0;                                     \
		for (; !(condition) && turns_ < 60000; turns_++)    \
			loop_turn((s)->loop, 1);                    \
		assert_true(condition);                             \
	} while (0)

static void
answer(struct source *s, size_t i, const struct err *e)
{
	struct waiting w = s->came.p[i];
	memmove(s->came.p + i, s->came.p + i + 1, (s->came.n - i - 1) * sizeof w);
	s->came.n--;
	feed_ack(s, w.ev, w.token, false, e);
	event_unref(w.ev);
}

static void
answer_all(struct source *s)
{
	while (s->came.n)
		answer(s, 0, NULL);
}

static int64_t now = 1784109600 * NS_PER_SEC;

static void
pass(struct source *s, int64_t seconds)
{
	now += seconds * NS_PER_SEC;
	loop_set_clock(s->loop, now);
}

static int
setup(void **state)
{
	struct source *s = MEM_NEW(struct source);
	log_setup(LOG_ERROR, LOG_LOGFMT);
	s->loop = loop_new();
	loop_set_clock(s->loop, now);
	broker.opens = broker.closes = broker.refuse_opens = broker.targets = broker.bad = broker.settled_n = broker.forgotten = 0;
	broker.together = false;
	broker.saves = broker.saves_first = 0;
	broker.received = 0;
	offer(1, 0);
	*state = s;
	return 0;
}

static int
teardown(void **state)
{
	struct source *s = *state;
	if (s->data) {
		feed_stop(s);
		answer_all(s);
		TURN_UNTIL(s, s->stopped || (answer_all(s), false));
	}
	assert_int_equal(broker.opens, broker.closes);
	VEC_FREE(&s->came);
	VEC_FREE(&s->commits);
	loop_free(s->loop);
	free(s);
	return 0;
}

static void
start(struct source *s, int64_t per_second)
{
	struct err e;
	assert_int_equal(feed_start(s, &ops, NULL, per_second, &e), 0);
	assert_true(s->connecting);
}

/* ---- tests ---------------------------------------------------------------------------------------------------------------- */

static void
a_message_is_settled_when_it_and_all_before_it_are_on_disk(void **state)
{
	struct source *s = *state;
	offer(1, 3);
	start(s, 0);
	TURN_UNTIL(s, s->came.n == 3 && s->connected);
	answer(s, 2, NULL); /* the third, which a filter dropped */
	answer(s, 1, NULL);
	nudge();
	loop_turn(s->loop, 5);
	assert_int_equal(settled(), 0);
	answer(s, 0, NULL);
	TURN_UNTIL(s, settled() == 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(broker.settled[i], i + 1);
}

static void
it_connects_again_for_ever_and_reads_the_secrets_each_time(void **state)
{
	struct source *s = *state;
	broker.refuse_opens = 20;
	start(s, 0);
	for (int i = 1; i <= 20; i++) {
		TURN_UNTIL(s, s->states == i);
		assert_false(s->connected);
		assert_string_equal(s->error, "test: connection refused");
		pass(s, 60);
	}
	TURN_UNTIL(s, s->connected);
	assert_int_equal(broker.targets, 21);
}

static void
what_a_broken_connection_gave_is_not_settled_over_the_next(void **state)
{
	struct source *s = *state;
	offer(1, 2);
	start(s, 0);
	TURN_UNTIL(s, s->came.n == 2 && s->connected);
	pthread_mutex_lock(&broker.lock);
	broker.die = true;
	pthread_mutex_unlock(&broker.lock);
	nudge();
	TURN_UNTIL(s, !s->connected);
	assert_string_equal(s->error, "test: gone");
	assert_int_equal(broker.forgotten, 2);
	offer(1, 2); /* the broker has had no word */
	pass(s, 2);
	TURN_UNTIL(s, s->came.n == 4);
	answer_all(s);
	TURN_UNTIL(s, settled() == 2);
	loop_turn(s->loop, 5);
	assert_int_equal(settled(), 2);
}

static void
what_a_full_bus_refuses_comes_again_in_order(void **state)
{
	struct source *s = *state;
	struct err full;
	err_set(&full, ERR_UNAVAILABLE, "too many events");
	offer(1, 3);
	start(s, 0);
	TURN_UNTIL(s, s->came.n == 3);
	answer(s, 0, NULL);
	feed_pause(s, true);
	answer(s, 0, &full);
	answer(s, 0, &full);
	offer(4, 5);
	nudge();
	loop_turn(s->loop, 5);
	assert_int_equal(s->came.n, 0);
	feed_pause(s, false);
	TURN_UNTIL(s, s->came.n == 4);
	for (int i = 0; i < 4; i++) {
		char number[8];
		snprintf(number, sizeof number, "%d", i + 2);
		assert_true(str_eq(s->came.p[i].ev->data, str_c(number)));
	}
	answer_all(s);
	TURN_UNTIL(s, settled() == 5);
}

static void
no_more_than_the_window_is_under_way(void **state)
{
	struct source *s = *state;
	offer(1, 3 * FEED_WINDOW);
	start(s, 0);
	TURN_UNTIL(s, s->came.n == FEED_WINDOW);
	nudge();
	loop_turn(s->loop, 5);
	assert_int_equal(s->came.n, FEED_WINDOW);
	TURN_UNTIL(s, (answer_all(s), settled() == 3 * FEED_WINDOW));
	for (int i = 0; i < 3 * FEED_WINDOW; i++)
		assert_int_equal(broker.settled[i], i + 1);
}

static void
what_can_be_no_event_is_settled_in_its_place(void **state)
{
	struct source *s = *state;
	broker.bad = 2;
	offer(1, 3);
	start(s, 0);
	TURN_UNTIL(s, s->came.n == 2 && s->failures == 1);
	assert_int_equal(settled(), 0);
	answer_all(s);
	TURN_UNTIL(s, settled() == 3);
	assert_int_equal(broker.settled[1], 2);
}

static void
what_is_saved_is_settled_in_its_place_and_behind_its_commit(void **state)
{
	struct source *s = *state;
	broker.saves = 2;
	offer(1, 3);
	start(s, 0);
	TURN_UNTIL(s, s->came.n == 2 && s->commits.n == 1);
	assert_int_equal(s->saved[0], 2);
	answer_all(s);
	TURN_UNTIL(s, settled() == 1);
	loop_turn(s->loop, 5);
	assert_int_equal(settled(), 1);
	commit(s);
	TURN_UNTIL(s, settled() == 3);
	assert_int_equal(broker.settled[1], 2);
}

static void
what_is_saved_waits_behind_what_a_full_bus_refused(void **state)
{
	struct source *s = *state;
	struct err full;
	err_set(&full, ERR_UNAVAILABLE, "too many events");
	broker.saves = 3;
	offer(1, 2);
	start(s, 0);
	TURN_UNTIL(s, s->came.n == 2);
	answer(s, 0, &full);
	answer(s, 0, &full);
	offer(3, 3);
	nudge();
	for (int i = 0; i < 20; i++)
		loop_turn(s->loop, 5);
	assert_int_equal(s->saved_n, 0);
	feed_pause(s, false);
	TURN_UNTIL(s, s->saved_n == 1 && s->came.n == 2);
	commit(s);
	answer_all(s);
	TURN_UNTIL(s, settled() == 3);
}

static void
what_is_saved_first_is_on_disk_before_the_connection_is_there(void **state)
{
	struct source *s = *state;
	broker.saves_first = 9;
	start(s, 0);
	TURN_UNTIL(s, s->commits.n == 1);
	loop_turn(s->loop, 5);
	assert_false(s->connected);
	commit(s);
	TURN_UNTIL(s, s->connected);
	assert_int_equal(s->saved[0], 9);
	assert_int_equal(settled(), 0);
}

static void
a_stop_ends_the_wait_for_what_is_saved_first(void **state)
{
	struct source *s = *state;
	broker.saves_first = 9;
	start(s, 0);
	TURN_UNTIL(s, s->commits.n == 1);
	feed_stop(s);
	commit(s);
	TURN_UNTIL(s, s->stopped);
	assert_false(s->connected);
}

static void
a_rate_is_kept(void **state)
{
	struct source *s = *state;
	offer(1, 4);
	struct timespec from, to;
	clock_gettime(CLOCK_MONOTONIC, &from);
	start(s, 20); /* the thread may give the first before this is back */
	TURN_UNTIL(s, (answer_all(s), settled() == 4));
	clock_gettime(CLOCK_MONOTONIC, &to);
	int64_t ms = (to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / NS_PER_MS;
	assert_true(ms >= 100); /* the first at once, then one in 50 ms: never sooner, however slow the machine is */
}

static void
a_stop_waits_for_what_is_on_its_way_to_the_disk(void **state)
{
	struct source *s = *state;
	offer(1, 2);
	start(s, 0);
	TURN_UNTIL(s, s->came.n == 2);
	feed_stop(s);
	loop_turn(s->loop, 5);
	assert_false(s->stopped);
	answer_all(s);
	TURN_UNTIL(s, s->stopped);
	assert_int_equal(settled(), 2);
	assert_null(s->data);
}

static void
a_stop_settles_nothing_behind_what_the_bus_never_took(void **state)
{
	struct source *s = *state;
	struct err full;
	err_set(&full, ERR_UNAVAILABLE, "too many events");
	offer(1, 3);
	start(s, 0);
	TURN_UNTIL(s, s->came.n == 3);
	feed_pause(s, true);
	answer(s, 1, &full);
	feed_stop(s);
	answer(s, 1, NULL);
	answer(s, 0, NULL);
	TURN_UNTIL(s, s->stopped);
	assert_true(settled() <= 1); /* the first, if the thread came to it */
}

static void
what_is_given_together_is_one_after_the_other(void **state)
{
	struct source *s = *state;
	broker.together = true;
	offer(1, 2 * FEED_WINDOW + 7);
	start(s, 0);
	TURN_UNTIL(s, s->came.n == FEED_WINDOW);
	nudge();
	loop_turn(s->loop, 5);
	assert_int_equal(s->came.n, FEED_WINDOW); /* not one more */
	TURN_UNTIL(s, (answer_all(s), settled() == 2 * FEED_WINDOW + 7));
	for (int i = 0; i < 2 * FEED_WINDOW + 7; i++)
		assert_int_equal(broker.settled[i], i + 1);
}

static void
a_library_that_connects_by_itself_says_how_it_is(void **state)
{
	struct source *s = *state;
	struct err away;
	err_set(&away, ERR_UNAVAILABLE, "test: away");
	start(s, 0);
	TURN_UNTIL(s, s->connected);
	feed_state(broker.feed, &away);
	TURN_UNTIL(s, !s->connected);
	assert_string_equal(s->error, "test: away");
	feed_state(broker.feed, NULL);
	TURN_UNTIL(s, s->connected);
	assert_int_equal(broker.targets, 1); /* the connection is the same */
}

static int
received(void)
{
	pthread_mutex_lock(&broker.lock);
	int n = broker.received;
	pthread_mutex_unlock(&broker.lock);
	return n;
}

static int freed;

static void
free_context(void *p)
{
	assert_string_equal(p, "context");
	freed++;
}

static void
a_protocol_with_more_to_do_is_woken_while_there_is_no_room(void **state)
{
	struct source *s = *state;
	struct err e;
	int pipe_fds[2];
	assert_int_equal(pipe(pipe_fds), 0);
	broker.fd = pipe_fds[0];
	freed = 0;
	assert_int_equal(feed_start_context(s, &tending, (struct feed_context){ (void *)(uintptr_t)"context", free_context }, NULL, 0, &e), 0);
	assert_string_equal(feed_context(s), "context");
	TURN_UNTIL(s, s->connected);
	feed_pause(s, true);
	TURN_UNTIL(s, received() > 0);
	int before = received();
	assert_int_equal(write(pipe_fds[1], "x", 1), 1);
	TURN_UNTIL(s, received() > before);
	feed_stop(s);
	TURN_UNTIL(s, s->stopped);
	assert_int_equal(freed, 1);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_message_is_settled_when_it_and_all_before_it_are_on_disk),
		TEST(it_connects_again_for_ever_and_reads_the_secrets_each_time),
		TEST(what_a_broken_connection_gave_is_not_settled_over_the_next),
		TEST(what_a_full_bus_refuses_comes_again_in_order),
		TEST(no_more_than_the_window_is_under_way),
		TEST(what_can_be_no_event_is_settled_in_its_place),
		TEST(what_is_saved_is_settled_in_its_place_and_behind_its_commit),
		TEST(what_is_saved_waits_behind_what_a_full_bus_refused),
		TEST(what_is_saved_first_is_on_disk_before_the_connection_is_there),
		TEST(a_stop_ends_the_wait_for_what_is_saved_first),
		TEST(a_rate_is_kept),
		TEST(a_stop_waits_for_what_is_on_its_way_to_the_disk),
		TEST(a_stop_settles_nothing_behind_what_the_bus_never_took),
		TEST(what_is_given_together_is_one_after_the_other),
		TEST(a_library_that_connects_by_itself_says_how_it_is),
		TEST(a_protocol_with_more_to_do_is_woken_while_there_is_no_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
