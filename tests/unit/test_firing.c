/* SPDX-License-Identifier: Apache-2.0 */
/* The trigger framework: when a firing leaves, how often it is tried, and where it goes when it is given up. */
#include "sensor_world.h"

static void
fill_answers(struct world *w, size_t n, int status)
{
	while (w->answers_n < n)
		w->answers[w->answers_n++] = status;
}

static void
emit_numbers(struct world *w, int from, int to)
{
	for (int i = from; i < to; i++)
		emit(w, "a", arena_fmt(w->arena, "{\"v\":%d}", i).p);
}

static void
expect_body(struct world *w, size_t call, int n)
{
	assert_string_equal(w->calls[call].body.p, arena_fmt(w->arena, "{\"n\":%d}", n).p);
}

/* ---- rateLimit ------------------------------------------------------------------------------------------------------ */

static void
a_rate_limit_delays_and_drops_nothing(void **state)
{
	struct world *w = *state;
	apply(w, HTTP("    rateLimit: {unit: Minute, requestsPerUnit: 6}\n"), listen_on_loopback(w));
	emit_numbers(w, 0, 3);
	wait_for_calls(w, 1); /* the first at once, then one in ten seconds */
	later(w, 9);
	settle(w);
	assert_int_equal(w->calls_n, 1);
	later(w, 1);
	wait_for_calls(w, 2);
	restart(w);
	w->httpd = NULL;
	assert_int_equal(w->calls_n, 2); /* the limit is not forgotten */
}

static void
a_rate_limit_holds_over_a_restart(void **state)
{
	struct world *w = *state;
	apply(w, SENSOR("s") "  dependencies:\n" DEP("a") "  triggers:\n  - template:\n      name: t\n" WORKFLOW
	      "    rateLimit: {unit: Hour, requestsPerUnit: 1}\n");
	const char *first = emit(w, "a", "{}"), *second = emit(w, "a", "{}");
	assert_string_equal(verdict(w, first, "t"), "fired");
	assert_string_equal(verdict(w, second, "t"), "pending");
	restart(w);
	settle(w);
	assert_int_equal(engine.n, 1);
	later(w, 3599);
	settle(w);
	assert_int_equal(engine.n, 1);
	later(w, 1);
	wait_for_verdict(w, second, "t", "fired");
	assert_int_equal(engine.n, 2);
}

static void
a_rate_limit_makes_up_for_ten_unused_slots(void **state)
{
	struct world *w = *state;
	apply(w, SENSOR("s") "  dependencies:\n" DEP("a") "  triggers:\n  - template:\n      name: t\n" WORKFLOW
	      "    rateLimit: {requestsPerUnit: 1}\n");
	emit(w, "a", "{}");
	settle(w);
	later(w, 1000);
	for (int i = 0; i < 20; i++)
		emit(w, "a", "{}");
	settle(w);
	assert_int_equal(engine.n, 12); /* the first, ten made up for, and this second's */
	for (int i = 0; i < 9; i++) {
		later(w, 1);
		settle(w);
	}
	assert_int_equal(engine.n, 21);
}

/* ---- outages --------------------------------------------------------------------------------------------------------- */

static void
an_hour_of_outage_loses_nothing_and_keeps_the_order(void **state)
{
	struct world *w = *state;
	apply(w, HTTP("    atLeastOnce: true\n") "  - template: {name: other, log: {}}\n", listen_on_loopback(w));
	fill_answers(w, 90, 503);
	emit_numbers(w, 0, 50);
	wait_for_calls(w, 1);
	for (int minute = 0; minute < 60; minute++) {
		later(w, 70);
		wait_for_calls(w, w->calls_n + 1); /* one call a pause, however many wait */
		if (minute == 30)
			assert_string_equal(verdict(w, emit(w, "a", "{\"v\":50}"), "other"), "fired"); /* others have no part in it */
	}
	size_t tried = w->calls_n;
	assert_int_equal(tried, 61);
	w->answers_n = 0;
	later(w, 70);
	wait_for_calls(w, tried + 51);
	for (int i = 0; i < 51; i++)
		expect_body(w, tried + (size_t)i, i);
	for (int i = 1; i <= 51; i++)
		wait_for_verdict(w, arena_fmt(w->arena, "ev-%d", i).p, "t", "fired");
}

static void
an_outage_is_probed_one_at_a_time_without_atLeastOnce_too(void **state)
{
	struct world *w = *state;
	apply(w, HTTP(""), listen_on_loopback(w));
	fill_answers(w, 99, 503);
	emit_numbers(w, 0, 5);
	wait_for_calls(w, 5); /* they left before it was known */
	emit_numbers(w, 5, 40);
	settle(w);
	assert_int_equal(w->calls_n, 5);
	later(w, 2);
	wait_for_calls(w, 6);
	expect_body(w, 5, 0);
	w->answers_n = 0;
	later(w, 10);
	wait_for_calls(w, 46);
	expect_body(w, 6, 0);
}

/* Counted, not measured: what an event of another sensor costs while a target is down, however many wait for it. */
static void
another_sensor_pays_nothing_for_an_outage(void **state)
{
	struct world *w = *state;
	apply(w, HTTP("    atLeastOnce: true\n") "---\n" SENSOR("other") "  dependencies:\n" DEP("b") "  triggers:\n  - template: {name: u, log: {}}\n",
	      listen_on_loopback(w));
	fill_answers(w, 90, 503);
	uint64_t alone = 0;
	for (int waiting = 0; waiting <= 600; waiting += 300) {
		for (int minute = 0; minute < 20; minute++) {
			uint64_t before = store_jobs(w->store);
			const char *id = emit(w, "b", "{}");
			assert_string_equal(verdict(w, id, "u"), "fired");
			alone = alone ? alone : store_jobs(w->store) - before;
			assert_int_equal(store_jobs(w->store) - before, alone);
			later(w, 70);
			if (waiting)
				wait_for_calls(w, w->calls_n + 1);
		}
		if (!waiting)
			emit_numbers(w, 0, 1);
		wait_for_calls(w, waiting ? w->calls_n : 1);
		emit_numbers(w, waiting + 1, waiting + 301);
		settle(w);
	}
}

/* More than are kept in memory, before and after a restart, and some that come while they are worked off. */
static void
a_queue_beyond_memory_keeps_the_order(void **state)
{
	enum { FIRST = 4500, SECOND = 500, THIRD = 200, ALL = FIRST + SECOND + THIRD };
	struct world *w = *state;
	unsigned port = listen_on_loopback(w);
	apply(w, HTTP("    atLeastOnce: true\n"), port);
	w->answers[0] = 503;
	w->answers_n = 1;
	emit_numbers(w, 0, FIRST);
	wait_for_calls(w, 1);
	struct val status = sensors_status(w->sensors, w->arena);
	int64_t pending = 0;
	assert_true(val_to_i64(val_get(val_at(val_get(val_at(&status, 0), S("triggers")), 0), S("pending")), &pending));
	assert_int_equal(pending, FIRST);
	struct httpd *h = w->httpd;
	w->httpd = NULL; /* it stays up over the restart of the others */
	sensors_free(w->sensors);
	w->sensors = NULL;
	struct trigger_env env = { .loop = w->loop, .store = w->store, .objects = w->objects, .httpc = httpc_of, .arg = w };
	struct err e;
	settle(w);
	w->httpd = h;
	w->hold = true;
	w->sensors = sensors_new(&env, bus_of, w);
	must(sensors_apply(w->sensors, &e), &e);
	emit_numbers(w, FIRST, FIRST + SECOND);
	settle(w);
	w->hold = false;
	for (size_t i = 0; i < w->held_n; i++)
		http_reply(w->held[i], 200, NULL, S("ok"));
	while (w->calls_n < FIRST / 2)
		loop_turn(w->loop, 20);
	emit_numbers(w, FIRST + SECOND, ALL);
	for (int i = 0; i < 100000 && w->calls_n < ALL + 1; i++)
		loop_turn(w->loop, 20);
	assert_int_equal(w->calls_n, ALL + 1);
	for (int i = 0; i < ALL; i++)
		expect_body(w, (size_t)i + 1, i);
	settle(w);
	assert_int_equal(w->calls_n, ALL + 1);
}

static void
a_poisonous_event_does_not_hold_up_the_next(void **state)
{
	struct world *w = *state;
	apply(w, HTTP("    retryStrategy: {steps: 2, duration: 10s, factor: 1}\n"), listen_on_loopback(w));
	w->answers[0] = w->answers[3] = 500; /* the first attempt and the second of the first event */
	w->answers[1] = w->answers[2] = 200;
	w->answers_n = 4;
	const char *poison = emit(w, "a", "{\"v\":0}");
	wait_for_calls(w, 1);
	const char *next = emit(w, "a", "{\"v\":1}"), *third = emit(w, "a", "{\"v\":2}");
	wait_for_calls(w, 3);
	wait_for_verdict(w, next, "t", "fired");
	wait_for_verdict(w, third, "t", "fired");
	later(w, 30);
	wait_for_calls(w, 4);
	expect_body(w, 3, 0);
	assert_string_equal(verdict(w, poison, "t"), arena_fmt(w->arena, "dead-letter: http://127.0.0.1:%u/in answered 500", httpd_port(w->httpd)).p);
}

static void
an_unresolvable_parameter_is_a_dead_letter_and_the_next_ones_flow(void **state)
{
	struct world *w = *state;
	apply(w, HTTP("    atLeastOnce: true\n"), listen_on_loopback(w));
	const char *poison = emit(w, "a", "{}"), *next = emit(w, "a", "{\"v\":1}");
	wait_for_calls(w, 1);
	expect_body(w, 0, 1);
	assert_string_equal(verdict(w, poison, "t"), "dead-letter: payload 0 (dest n): cannot resolve a parameter from dependency a: key v does not exist in the "
	                                             "event");
	wait_for_verdict(w, next, "t", "fired");
}

static void
retry_after_is_honoured(void **state)
{
	struct world *w = *state;
	apply(w, HTTP(""), listen_on_loopback(w));
	w->answers[0] = w->answers[1] = 429;
	w->answers_n = 2;
	w->retry_after = "120";
	emit(w, "a", "{\"v\":1}");
	wait_for_calls(w, 1);
	later(w, 119);
	settle(w);
	assert_int_equal(w->calls_n, 1);
	w->retry_after = "Wed, 15 Jul 2026 10:05:00 GMT"; /* START is 10:00 */
	later(w, 1);
	wait_for_calls(w, 2);
	later(w, 179);
	settle(w);
	assert_int_equal(w->calls_n, 2);
	later(w, 1);
	wait_for_calls(w, 3);
}

static void
compat_argo_counts_every_answer(void **state)
{
	struct world *w = *state;
	apply(w, HTTP("        compat: argo\n"), listen_on_loopback(w));
	fill_answers(w, 1, 404);
	const char *id = emit(w, "a", "{\"v\":1}");
	wait_for_calls(w, 1);
	assert_string_equal(verdict(w, id, "t"), "fired");
}

/* ---- dlqTrigger ------------------------------------------------------------------------------------------------------ */

#define DLQ(more) "    atLeastOnce: true\n    retryStrategy: {steps: 1}\n    dlqTrigger:\n      atLeastOnce: true\n" more "      template:\n        name: lost\n" \
	"        argoWorkflow:\n          operation: submit\n          source:\n            resource:\n" \
	"              apiVersion: argoproj.io/v1alpha1\n              kind: Workflow\n              metadata: {generateName: lost-}\n" \
	"              spec: {entrypoint: main, arguments: {parameters: [{name: m, value: none}]}}\n" \
	"          parameters:\n          - {src: {dependencyName: a, dataKey: v}, dest: spec.arguments.parameters.0.value}\n"

static void
a_dlq_trigger_takes_what_is_given_up(void **state)
{
	struct world *w = *state;
	apply(w, HTTP(DLQ("")), listen_on_loopback(w));
	fill_answers(w, 1, 500);
	const char *id = emit(w, "a", "{\"v\":7}");
	wait_for_calls(w, 1);
	wait_for_verdict(w, id, "t", arena_fmt(w->arena, "dead-letter: http://127.0.0.1:%u/in answered 500; its dlqTrigger fired", httpd_port(w->httpd)).p);
	assert_int_equal(engine.n, 1);
	assert_string_equal(parameter(w, 0), "\"7\"");
	restart(w);
	assert_int_equal(engine.n, 1);
}

static void
a_dlq_trigger_has_its_own_retries_over_a_restart(void **state)
{
	struct world *w = *state;
	apply(w, HTTP(DLQ("      retryStrategy: {steps: 3, duration: 1m}\n")), listen_on_loopback(w));
	unsigned port = httpd_port(w->httpd);
	fill_answers(w, 1, 500);
	engine.refuse = ERR_UNAVAILABLE;
	const char *id = emit(w, "a", "{\"v\":7}");
	wait_for_calls(w, 1);
	wait_for_verdict(w, id, "t", arena_fmt(w->arena, "failed: http://127.0.0.1:%u/in answered 500; its dlqTrigger: the engine says no", port).p);
	restart(w); /* one more attempt */
	for (int i = 0; i < 1000 && engine.calls < 2; i++)
		settle(w);
	later(w, 180);
	wait_for_verdict(w, id, "t", arena_fmt(w->arena, "dead-letter: http://127.0.0.1:%u/in answered 500; its dlqTrigger: the engine says no", port).p);
	assert_int_equal(engine.calls, 3);
}

/* ---- batch, debounce ------------------------------------------------------------------------------------------------- */

#define MANY SENSOR("s") "  dependencies:\n" DEP("a") DEP("b") "  triggers:\n  - template:\n      name: t\n      conditions: a || b\n      http:\n" \
	"        url: http://127.0.0.1:%u/in\n        payload:\n" \
	"        - {src: {dependencyName: a, dataKey: '#.v', useRawData: true}, dest: a}\n" \
	"        - {src: {dependencyName: b, contextKey: '#.id', useRawData: true}, dest: b}\n" \
	"        - {src: {dependencyName: a, dataTemplate: '{{ range .Input }}{{ .v }};{{ end }}'}, dest: t}\n"

static void
a_batch_is_one_firing_with_lists(void **state)
{
	struct world *w = *state;
	apply(w, MANY "    batch: {size: 3, within: 10s}\n", listen_on_loopback(w));
	const char *first = emit(w, "a", "{\"v\":1}");
	emit(w, "b", "{}");
	settle(w);
	assert_int_equal(w->calls_n, 0);
	const char *last = emit(w, "a", "{\"v\":2}");
	wait_for_calls(w, 1);
	assert_string_equal(w->calls[0].body.p, "{\"a\":[1,2],\"b\":[\"ev-2\"],\"t\":\"1;2;\"}");
	wait_for_verdict(w, first, "t", "fired");
	wait_for_verdict(w, last, "t", "fired");
	/* what does not fill up goes when its time has come */
	emit(w, "a", "{\"v\":3}");
	settle(w);
	later(w, 9);
	emit(w, "a", "{\"v\":4}");
	settle(w);
	assert_int_equal(w->calls_n, 1);
	later(w, 1);
	wait_for_calls(w, 2);
	assert_string_equal(w->calls[1].body.p, "{\"a\":[3,4],\"t\":\"3;4;\"}");
	assert_true(!str_eq(w->calls[0].id, w->calls[1].id));
}

#define BATCH(rule) SENSOR("s") "  dependencies:\n" DEP("a") "  triggers:\n  - template:\n      name: t\n" WORKFLOW \
	"        parameters:\n        - {src: {dependencyName: a, dataKey: '#.v'}, dest: spec.arguments.parameters.0.value}\n" rule

static void
a_batch_goes_on_over_a_restart(void **state)
{
	struct world *w = *state;
	apply(w, BATCH("    batch: {size: 4, within: 1m}\n"));
	emit(w, "a", "{\"v\":1}");
	restart(w);
	emit(w, "a", "{\"v\":2}");
	emit(w, "a", "{\"v\":3}");
	restart(w);
	assert_int_equal(engine.n, 0);
	wait_for_verdict(w, emit(w, "a", "{\"v\":4}"), "t", "fired");
	assert_int_equal(engine.n, 1);
	assert_string_equal(parameter(w, 0), "\"[1,2,3,4]\"");
	/* its time comes while the daemon is away */
	const char *id = emit(w, "a", "{\"v\":5}");
	settle(w);
	close_world(w);
	w->now += 61 * NS_PER_SEC;
	open_world(w);
	wait_for_verdict(w, id, "t", "fired");
	assert_string_equal(parameter(w, 1), "\"[5]\"");
	/* the manifest does not gather any more */
	id = emit(w, "a", "{\"v\":6}");
	settle(w);
	apply(w, SENSOR("s") "  dependencies:\n" DEP("a") "  triggers:\n  - template:\n      name: t\n" WORKFLOW);
	wait_for_verdict(w, id, "t", "fired");
}

static void
a_debounce_fires_once_with_the_last(void **state)
{
	struct world *w = *state;
	apply(w, HTTP("    debounce: {quiet: 10s, atMost: 25s}\n"), listen_on_loopback(w));
	const char *first = emit(w, "a", "{\"v\":1}");
	settle(w);
	later(w, 9);
	const char *second = emit(w, "a", "{\"v\":2}");
	assert_string_equal(verdict(w, first, "t"), "superseded: debounce: event ev-2 came within the quiet time");
	later(w, 9);
	settle(w);
	assert_int_equal(w->calls_n, 0);
	later(w, 1);
	wait_for_calls(w, 1);
	expect_body(w, 0, 2);
	wait_for_verdict(w, second, "t", "fired");
	/* never quiet: 25 s are the most */
	for (int i = 3; i < 6; i++) {
		emit(w, "a", arena_fmt(w->arena, "{\"v\":%d}", i).p);
		settle(w);
		later(w, i < 5 ? 9 : 7);
	}
	wait_for_calls(w, 2);
	expect_body(w, 1, 5);
}

static void
a_debounce_of_all_sees_all(void **state)
{
	struct world *w = *state;
	apply(w, BATCH("    debounce: {quiet: 10s, events: all}\n"));
	emit(w, "a", "{\"v\":1}");
	settle(w);
	later(w, 9);
	emit(w, "a", "{\"v\":2}");
	restart(w);
	later(w, 9);
	settle(w);
	assert_int_equal(engine.n, 0);
	later(w, 1);
	wait_for_verdict(w, "ev-2", "t", "fired");
	assert_string_equal(parameter(w, 0), "\"[1,2]\"");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, new_world, end_world)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_rate_limit_delays_and_drops_nothing), TEST(a_rate_limit_holds_over_a_restart), TEST(a_rate_limit_makes_up_for_ten_unused_slots),
		TEST(an_hour_of_outage_loses_nothing_and_keeps_the_order), TEST(an_outage_is_probed_one_at_a_time_without_atLeastOnce_too),
		TEST(another_sensor_pays_nothing_for_an_outage), TEST(a_queue_beyond_memory_keeps_the_order), TEST(a_poisonous_event_does_not_hold_up_the_next), TEST(an_unresolvable_parameter_is_a_dead_letter_and_the_next_ones_flow),
		TEST(retry_after_is_honoured), TEST(compat_argo_counts_every_answer), TEST(a_dlq_trigger_takes_what_is_given_up),
		TEST(a_dlq_trigger_has_its_own_retries_over_a_restart), TEST(a_batch_is_one_firing_with_lists),
		TEST(a_batch_goes_on_over_a_restart), TEST(a_debounce_fires_once_with_the_last), TEST(a_debounce_of_all_sees_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
