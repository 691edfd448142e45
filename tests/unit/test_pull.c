/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop of pulled queues between a service that is a list of calls and a framework that is this file: each answer, each commit, each refusal
 * of a full bus and each turn of the clock is the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/log.h"
#include "sources/pull.h"

enum { BATCH = 3, MOST = 4 };
#define HIDDEN (120 * NS_PER_SEC)

/* A call that waits for its answer. */
struct pending {
	char what; /* p a k r f: prepare, ask, acknowledge, release, finish */
	char receipts[64];
	void (*done)(void *arg, const struct http_answer *ans, const struct err *e);
	void *arg;
};
struct waiting {
	struct event *ev;
	void *token;
};

struct source {
	struct loop *loop;
	void *data;
	bool connected, paused, stopped, no_client;
	int news, failures; /* changes of state, as the framework would log them */
	char error[500];
	VEC(struct waiting) came;
	VEC(struct pending) calls;
	int next;           /* number of the next message */
	/* the kind's */
	int prepares;       /* calls that must be made first */
	bool releases, finishes;
	int64_t idle_ns;
	struct pending made; /* of the call that is being made */
};

/* ---- the framework and the client ---------------------------------------------------------------------------------------- */

static struct source *the_source;

const void *source_config(const struct source *s) { return s; }
str source_name(const struct source *s UNUSED) { return S("test"); }
str source_event_name(const struct source *s UNUSED) { return S("event"); }
struct loop *source_loop(const struct source *s) { return s->loop; }
struct sources *source_owner(const struct source *s UNUSED) { return NULL; }
void source_set_data(struct source *s, void *data) { s->data = data; }
void *source_data(const struct source *s) { return s->data; }
bool source_is_paused(const struct source *s) { return s->paused; }
void source_connecting(struct source *s UNUSED) {}
void source_stopped(struct source *s) { s->stopped = true; }
void source_count_failure(struct source *s) { s->failures++; }
struct httpc *sources_httpc(struct sources *ss UNUSED) { return the_source->no_client ? NULL : (struct httpc *)(void *)the_source; }
str http_excerpt(struct arena *a, str text) { return arena_dup(a, text); }

int
source_secret(struct source *s UNUSED, const struct secret_ref *ref UNUSED, struct arena *a UNUSED, str *out, struct err *e UNUSED)
{
	*out = S("secret");
	return 0;
}

void
source_state(struct source *s, bool connected, const struct err *e)
{
	s->news += s->connected != connected || strcmp(s->error, e ? e->msg : "") != 0;
	s->connected = connected;
	snprintf(s->error, sizeof s->error, "%s", e ? e->msg : "");
}

void
source_emit(struct source *s, struct event *ev, void *token)
{
	*VEC_PUSH(&s->came) = (struct waiting){ ev, token };
}

void
httpc_send(struct httpc *c UNUSED, const struct http_call *call UNUSED, void (*done)(void *arg, const struct http_answer *ans, const struct err *e), void *arg)
{
	struct pending p = the_source->made;
	p.done = done;
	p.arg = arg;
	*VEC_PUSH(&the_source->calls) = p;
}

static void
remove_call(struct source *s, size_t i)
{
	memmove(s->calls.p + i, s->calls.p + i + 1, (s->calls.n - i - 1) * sizeof *s->calls.p);
	s->calls.n--;
}

void
httpc_forget(struct httpc *c UNUSED, void *arg)
{
	for (size_t i = the_source->calls.n; i-- > 0;)
		if (the_source->calls.p[i].arg == arg)
			remove_call(the_source, i);
}

/* ---- the kind -------------------------------------------------------------------------------------------------------------- */

static void
make(char what, const str *receipts, size_t n)
{
	struct pending *m = &the_source->made;
	*m = (struct pending){ .what = what };
	for (size_t i = 0; i < n; i++)
		snprintf(m->receipts + strlen(m->receipts), sizeof m->receipts - strlen(m->receipts), "%s%.*s", i ? " " : "", STR_ARG(receipts[i]));
}

static int
prepared(struct pull *p, const struct pull_call *c, const struct http_answer *ans, struct err *e)
{
	the_source->prepares -= ans->status == 200;
	return pull_judge(p, c, ans, STR_NONE, e);
}

static int
prepare(struct pull *p UNUSED, struct pull_call *c, struct err *e UNUSED)
{
	make('p', NULL, 0);
	c->answered = prepared;
	return the_source->prepares > 0;
}

/* The body is a letter for each message: m, or one that can be no event: d (to be deleted), l (to be left). */
static int
read_messages(struct pull *p, const struct pull_call *c, const struct http_answer *ans, struct err *e)
{
	struct err why = { 0 };
	if (pull_judge(p, c, ans, STR_NONE, e) < 0)
		return -1;
	for (size_t i = 0; i < ans->body.n; i++) {
		struct event *ev = event_new();
		ev->data = arena_fmt(ev->arena, "%d", the_source->next++);
		err_set(&why, ERR_INVALID, "no JSON");
		if (ans->body.p[i] == 'm') {
			pull_take(p, ev, ev->data);
			continue;
		}
		pull_refuse(p, ev->data, ans->body.p[i] == 'd' ? PULL_DELETE : PULL_LEAVE, &why);
		event_unref(ev);
	}
	return 0;
}

static int
ask(struct pull *p UNUSED, struct pull_call *c, struct err *e UNUSED)
{
	make('a', NULL, 0);
	c->answered = read_messages;
	return 0;
}

static int
acknowledge(struct pull *p UNUSED, const str *receipts, size_t n, struct pull_call *c UNUSED, struct err *e UNUSED)
{
	make('k', receipts, n);
	return 0;
}

static int
release(struct pull *p UNUSED, const str *receipts, size_t n, struct pull_call *c UNUSED, struct err *e UNUSED)
{
	make('r', receipts, n);
	return 0;
}

static int
finish(struct pull *p UNUSED, struct pull_call *c UNUSED, struct err *e UNUSED)
{
	make('f', NULL, 0);
	return the_source->finishes;
}

static int64_t
idle_ns(struct pull *p UNUSED)
{
	return the_source->idle_ns;
}

static const struct pull_ops ops = { .service = "Test", .batch = BATCH, .most = MOST, .hidden_ns = HIDDEN, .prepare = prepare, .ask = ask,
	.acknowledge = acknowledge, .release = release, .finish = finish, .idle_ns = idle_ns };

/* ---- the test's hand on it ---------------------------------------------------------------------------------------------- */

static int64_t now = 1784109600 * NS_PER_SEC;

static void
turn(struct source *s)
{
	loop_turn(s->loop, 0);
	loop_turn(s->loop, 0);
}

static void
pass(struct source *s, int64_t seconds)
{
	now += seconds * NS_PER_SEC;
	loop_set_clock(s->loop, now);
	turn(s);
}

/* The calls that are under way, in order: "a", "ak". */
static void
expect_calls(struct source *s, const char *what)
{
	char got[128] = "";
	turn(s);
	for (size_t i = 0; i < s->calls.n && i + 1 < sizeof got; i++)
		got[i] = s->calls.p[i].what;
	assert_string_equal(got, what);
}

static size_t
find_call(struct source *s, char what)
{
	for (size_t i = 0; i < s->calls.n; i++)
		if (s->calls.p[i].what == what)
			return i;
	fail_msg("no call %c", what);
	return 0;
}

static void
answer(struct source *s, char what, int status, const char *body)
{
	size_t i = find_call(s, what);
	struct pending p = s->calls.p[i];
	struct http_answer ans = { .status = status, .body = str_c(body) };
	struct err e;
	remove_call(s, i);
	err_set(&e, ERR_UNAVAILABLE, "cannot connect");
	p.done(p.arg, status ? &ans : NULL, status ? NULL : &e);
	turn(s);
}

static const char *
receipts(struct source *s, char what)
{
	return s->calls.p[find_call(s, what)].receipts;
}

/* The fate of the event that came first. */
static void
commit(struct source *s, const struct err *e)
{
	struct waiting w = s->came.p[0];
	memmove(s->came.p, s->came.p + 1, (s->came.n - 1) * sizeof w);
	s->came.n--;
	pull_ack(s, w.ev, w.token, false, e);
	event_unref(w.ev);
}

static void
commit_all(struct source *s)
{
	while (s->came.n)
		commit(s, NULL);
	turn(s);
}

static void
pause_source(struct source *s, bool on)
{
	s->paused = on;
	pull_pause(s, on);
	turn(s);
}

static const struct pull_ops singles = { .service = "Test", .batch = 1, .most = 1, .hidden_ns = HIDDEN, .ask = ask, .acknowledge = acknowledge };

static int
setup_of(void **state, const struct pull_ops *o)
{
	struct source *s = the_source = MEM_NEW(struct source);
	log_setup(LOG_ERROR, LOG_LOGFMT);
	s->loop = loop_new();
	loop_set_clock(s->loop, now);
	pull_start(s, o, NULL);
	*state = s;
	return 0;
}

static int
setup(void **state)
{
	return setup_of(state, &ops);
}

static int
setup_singles(void **state)
{
	return setup_of(state, &singles);
}

static int
teardown(void **state)
{
	struct source *s = *state;
	if (!s->stopped) {
		s->paused = false;
		pull_stop(s);
		commit_all(s);
		s->no_client = true;
		while (s->calls.n)
			answer(s, s->calls.p[0].what, 0, "");
		turn(s);
	}
	assert_true(s->stopped);
	loop_free(s->loop);
	VEC_FREE(&s->came);
	VEC_FREE(&s->calls);
	free(s);
	return 0;
}

/* ---- tests ------------------------------------------------------------------------------------------------------------------ */

static void
what_is_on_disk_is_acknowledged_in_batches(void **state)
{
	struct source *s = *state;
	expect_calls(s, "a");
	answer(s, 'a', 200, "mmm");
	expect_calls(s, "a"); /* it asks again at once, and acknowledges nothing */
	assert_int_equal(s->came.n, 3);
	answer(s, 'a', 200, "mm");
	commit_all(s);
	expect_calls(s, "akk");
	assert_string_equal(receipts(s, 'k'), "0 1 2");
	answer(s, 'k', 200, "");
	assert_string_equal(receipts(s, 'k'), "3 4");
	answer(s, 'k', 200, "");
	expect_calls(s, "a");
	assert_true(s->connected);
}

static void
more_is_asked_for_while_answers_are_full(void **state)
{
	struct source *s = *state;
	expect_calls(s, "a");
	answer(s, 'a', 200, "mmmm");
	expect_calls(s, "aa");
	answer(s, 'a', 200, "mmmm");
	expect_calls(s, "aaa");
	s->idle_ns = NS_PER_SEC;
	answer(s, 'a', 200, "");
	expect_calls(s, "aa");
}

/* Where a call is about one message, a way to the service and back is the time of one message: so many are under way. */
static void
singles_are_many_at_a_time(void **state)
{
	struct source *s = *state;
	turn(s);
	for (int i = 0; i < 40; i++)
		answer(s, 'a', 200, "m");
	expect_calls(s, "aaaaaaaaaaaaaaaa");
	commit_all(s);
	expect_calls(s, "aaaaaaaaaaaaaaaakkkkkkkkkkkkkkkk");
	assert_string_equal(receipts(s, 'k'), "0");
	answer(s, 'k', 200, "");
	expect_calls(s, "aaaaaaaaaaaaaaaakkkkkkkkkkkkkkkk");
	for (int i = 0; i < 16; i++)
		answer(s, 'a', 200, "");
	expect_calls(s, "kkkkkkkkkkkkkkkk");
}

static void
no_more_than_the_window_is_taken(void **state)
{
	struct source *s = *state;
	turn(s);
	for (int i = 0; s->calls.n && i < PULL_WINDOW; i++)
		answer(s, 'a', 200, "mmmm");
	assert_int_equal(s->came.n, PULL_WINDOW);
	expect_calls(s, "");
	commit(s, NULL);
	expect_calls(s, "k");
	answer(s, 'k', 200, "");
	expect_calls(s, "");
	for (int i = 0; i < 3; i++)
		commit(s, NULL);
	expect_calls(s, "k");
	answer(s, 'k', 200, "");
	expect_calls(s, "a");
}

static void
a_full_bus_keeps_what_came_in_order(void **state)
{
	struct source *s = *state;
	struct err full;
	err_set(&full, ERR_UNAVAILABLE, "too many events");
	expect_calls(s, "a");
	answer(s, 'a', 200, "m");
	pause_source(s, true);
	answer(s, 'a', 200, "mm"); /* it was under way */
	expect_calls(s, "");
	assert_int_equal(s->came.n, 1);
	commit(s, &full);
	pause_source(s, false);
	expect_calls(s, "a");
	assert_int_equal(s->came.n, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(s->came.p[i].ev->data.p[0], '0' + (int)i);
}

static void
failures_wait_longer_and_longer_and_are_told_once(void **state)
{
	struct source *s = *state;
	expect_calls(s, "a");
	for (int i = 0; i < 20; i++) {
		answer(s, 'a', i % 2 ? 0 : 503, "busy");
		expect_calls(s, "");
		assert_false(s->connected);
		pass(s, 60);
		expect_calls(s, "a");
	}
	answer(s, 'a', 503, "busy");
	assert_string_equal(s->error, "Test answered 503: busy");
	pass(s, 10); /* the wait is 30 s at least by now */
	expect_calls(s, "");
	pass(s, 60);
	answer(s, 'a', 200, "m");
	assert_true(s->connected);
}

static void
nothing_else_is_asked_before_what_is_missing_is_there(void **state)
{
	struct source *s = *state;
	s->prepares = 2;
	expect_calls(s, "p");
	answer(s, 'p', 403, "no");
	expect_calls(s, "");
	assert_string_equal(s->error, "Test answered 403: no");
	pass(s, 60);
	expect_calls(s, "p");
	answer(s, 'p', 200, "");
	answer(s, 'p', 200, "");
	expect_calls(s, "a");
}

static void
an_acknowledgement_is_repeated_and_the_state_does_not_flap(void **state)
{
	struct source *s = *state;
	expect_calls(s, "a");
	answer(s, 'a', 200, "mm");
	commit_all(s);
	answer(s, 'k', 403, "no");
	int news = s->news;
	for (int i = 0; i < 3; i++) {
		answer(s, 'a', 200, "m"); /* while asking goes well */
		commit_all(s);
		pass(s, 20);
		answer(s, 'k', 403, "no");
		pass(s, 20);
		assert_false(s->connected);
		if (!s->calls.n || s->calls.p[0].what != 'a')
			break; /* nothing is asked for that could not be acknowledged */
	}
	assert_int_equal(s->news, news);
	pass(s, 60);
	assert_string_equal(receipts(s, 'k'), "0 1 2");
	answer(s, 'k', 200, "");
	expect_calls(s, "a");
	answer(s, 'a', 200, "m");
	assert_true(s->connected);
}

static void
an_acknowledgement_that_is_of_no_use_is_given_up(void **state)
{
	struct source *s = *state;
	expect_calls(s, "a");
	answer(s, 'a', 200, "m");
	commit_all(s);
	answer(s, 'k', 500, "");
	pass(s, 130);
	answer(s, 'k', 500, "");
	pass(s, 130);
	expect_calls(s, "a"); /* the service gives it again */
}

static void
an_empty_answer_is_waited_after(void **state)
{
	struct source *s = *state;
	expect_calls(s, "a");
	answer(s, 'a', 200, ""); /* at once: the service does not wait, though it should */
	expect_calls(s, "");
	pass(s, 1);
	expect_calls(s, "a");
	now += 3 * NS_PER_SEC;
	loop_set_clock(s->loop, now);
	answer(s, 'a', 200, ""); /* it waited */
	expect_calls(s, "a");
	s->idle_ns = 5 * NS_PER_SEC;
	answer(s, 'a', 200, "");
	pass(s, 4);
	expect_calls(s, "");
	pass(s, 1);
	expect_calls(s, "a");
}

static void
what_can_be_no_event_is_deleted_or_left(void **state)
{
	struct source *s = *state;
	expect_calls(s, "a");
	answer(s, 'a', 200, "dlm");
	expect_calls(s, "ka");
	assert_string_equal(receipts(s, 'k'), "0");
	assert_int_equal(s->failures, 2);
	assert_int_equal(s->came.n, 1);
}

static void
a_stop_acknowledges_what_is_under_way_and_releases_the_rest(void **state)
{
	struct source *s = *state;
	s->finishes = true;
	expect_calls(s, "a");
	answer(s, 'a', 200, "m");
	pause_source(s, true);
	answer(s, 'a', 200, "mm");
	pull_stop(s);
	expect_calls(s, "r");
	assert_string_equal(receipts(s, 'r'), "1 2");
	answer(s, 'r', 200, "");
	expect_calls(s, "");
	assert_false(s->stopped);
	commit_all(s);
	expect_calls(s, "k");
	answer(s, 'k', 200, "");
	expect_calls(s, "f");
	assert_false(s->stopped);
	answer(s, 'f', 200, "");
	assert_true(s->stopped);
}

static void
a_stop_does_not_wait_for_ever(void **state)
{
	struct source *s = *state;
	expect_calls(s, "a");
	answer(s, 'a', 200, "mmmm");
	commit_all(s);
	expect_calls(s, "aakk");
	pull_stop(s);
	expect_calls(s, "kk"); /* who asks is cut off at once */
	pass(s, 6);
	assert_true(s->stopped);
	assert_int_equal(s->calls.n, 0);
}

static void
a_stop_while_the_service_refuses_ends(void **state)
{
	struct source *s = *state;
	expect_calls(s, "a");
	answer(s, 'a', 200, "m");
	pull_stop(s);
	commit_all(s);
	answer(s, 'k', 500, "");
	assert_true(s->stopped);
}

static void
the_end_of_the_client_is_the_end(void **state)
{
	struct source *s = *state;
	s->finishes = true;
	expect_calls(s, "a");
	answer(s, 'a', 200, "mmm");
	commit_all(s);
	pull_stop(s);
	s->no_client = true;
	answer(s, 'k', 0, "");
	assert_true(s->stopped);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(what_is_on_disk_is_acknowledged_in_batches),
		TEST(more_is_asked_for_while_answers_are_full),
		cmocka_unit_test_setup_teardown(singles_are_many_at_a_time, setup_singles, teardown),
		TEST(no_more_than_the_window_is_taken),
		TEST(a_full_bus_keeps_what_came_in_order),
		TEST(failures_wait_longer_and_longer_and_are_told_once),
		TEST(nothing_else_is_asked_before_what_is_missing_is_there),
		TEST(an_acknowledgement_is_repeated_and_the_state_does_not_flap),
		TEST(an_acknowledgement_that_is_of_no_use_is_given_up),
		TEST(an_empty_answer_is_waited_after),
		TEST(what_can_be_no_event_is_deleted_or_left),
		TEST(a_stop_acknowledges_what_is_under_way_and_releases_the_rest),
		TEST(a_stop_does_not_wait_for_ever),
		TEST(a_stop_while_the_service_refuses_ends),
		TEST(the_end_of_the_client_is_the_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
