/* SPDX-License-Identifier: Apache-2.0 */
/* Sensors: events go in, and firings, state and decisions come out. What triggers make of firings: test_firing.c. */
#include <signal.h>

#include "sensor_world.h"
#include "sensors/jq.h"

/* ---- tests ------------------------------------------------------------------------------------------------------------------ */

static void
fires_a_workflow_with_its_parameters(void **state)
{
	struct world *w = *state;
	apply(w, SENSOR("s") "  dependencies:\n" DEP("push") "  triggers:\n  - template:\n      name: t\n" WORKFLOW
	      "        parameters:\n        - {src: {dependencyName: push, dataKey: body.ref}, dest: spec.arguments.parameters.0.value}\n");
	const char *id = emit(w, "push", "{\"body\":{\"ref\":\"refs/heads/main\"}}");
	assert_string_equal(verdict(w, id, "t"), "fired");
	assert_int_equal(engine.n, 1);
	assert_string_equal(parameter(w, 0), "\"refs/heads/main\"");
	assert_true(str_find(engine.list[0].manifest, S("\"events.argoproj.io/sensor\":\"s\""), 0) != SIZE_MAX);
	assert_string_equal(verdict(w, emit(w, "other", "{}"), ""), ""); /* nobody asked for it */
}

static void
filters_by_data_and_says_why(void **state)
{
	struct world *w = *state;
	apply(w, SENSOR("s") "  dependencies:\n  - name: push\n    eventSourceName: hook\n    eventName: push\n    filters:\n      data:\n"
	      "      - {path: body.ref, type: string, value: [\"refs/heads/main\"]}\n  triggers:\n  - template:\n      name: t\n" WORKFLOW);
	const char *other = emit(w, "push", "{\"body\":{\"ref\":\"refs/heads/feature/x\"}}");
	assert_string_equal(verdict(w, other, ""), "filtered: data filter body.ref: want \"refs/heads/main\", got \"refs/heads/feature/x\" (sensor.yaml:11)");
	assert_string_equal(verdict(w, emit(w, "push", "{}"), ""), "error: data filter body.ref: path body.ref does not exist in the data (sensor.yaml:11)");
	assert_string_equal(verdict(w, emit(w, "push", "oops"), ""), "error: data filter: the event's data is no JSON (sensor.yaml:11)");
	assert_int_equal(engine.n, 0);
	assert_string_equal(verdict(w, emit(w, "push", "{\"body\":{\"ref\":\"refs/heads/main\"}}"), "t"), "fired");
	assert_int_equal(engine.n, 1);
}

static void
filters_by_script_and_says_why(void **state)
{
	struct world *w = *state;
	apply(w, SENSOR("s") "  dependencies:\n  - name: push\n    eventSourceName: hook\n    eventName: push\n    filters:\n"
	      "      script: if event.n > 5 then return true end\n  triggers:\n  - template:\n      name: t\n" WORKFLOW);
	assert_string_equal(verdict(w, emit(w, "push", "{\"n\":6}"), "t"), "fired");
	assert_string_equal(verdict(w, emit(w, "push", ""), "t"), "fired");
	assert_string_equal(verdict(w, emit(w, "push", "{\"n\":5}"), ""), "filtered: script filter: did not return true (sensor.yaml:10)");
	assert_string_equal(verdict(w, emit(w, "push", "{}"), ""),
	                    "error: script filter: script:1: attempt to compare number with nil (sensor.yaml:10)");
	assert_string_equal(verdict(w, emit(w, "push", "[1]"), ""), "error: script filter: the event's data must be an object, not a list (sensor.yaml:10)");
	assert_string_equal(verdict(w, emit(w, "push", "oops"), ""), "error: script filter: the event's data is no JSON (sensor.yaml:10)");
	assert_string_equal(verdict(w, emit(w, "push", "null"), ""),
	                    "error: script filter: script:1: attempt to compare number with nil (sensor.yaml:10)");
}

/* What waits for others, and what is kept over a restart, is the data as the transform left it. */
static void
transforms_by_script_before_everything_else(void **state)
{
	struct world *w = *state;
	apply(w, SENSOR("s") "  dependencies:\n  - name: push\n    eventSourceName: hook\n    eventName: push\n    transform:\n"
	      "      script: return {k = event.a .. '!'}\n    filters:\n      data: [{path: k, type: string, value: [x]}]\n" DEP("other")
	      "  triggers:\n  - template:\n      name: t\n      conditions: push && other\n" WORKFLOW
	      "        parameters:\n        - {src: {dependencyName: push, dataKey: k}, dest: spec.arguments.parameters.0.value}\n");
	assert_string_equal(verdict(w, emit(w, "push", "{\"a\":\"y\"}"), ""), "filtered: data filter k: want \"x\", got \"y!\" (sensor.yaml:12)");
	assert_string_equal(verdict(w, emit(w, "push", "{}"), ""),
	                    "error: transform: script:1: attempt to concatenate field 'a' (a nil value) (sensor.yaml:10)");
	assert_string_equal(verdict(w, emit(w, "push", ""), ""), "error: transform: the event has no data (sensor.yaml:10)");
	const char *id = emit(w, "push", "{\"a\":\"x\"}");
	assert_string_equal(verdict(w, id, "t"), "waiting: waits for other");
	restart(w);
	emit(w, "other", "{}");
	assert_string_equal(verdict(w, id, "t"), "fired");
	assert_string_equal(parameter(w, 0), "\"x!\"");
}

#define EXPRS(expr) SENSOR("s") "  dependencies:\n  - name: a\n    eventSourceName: hook\n    eventName: a\n    filters:\n      exprs:\n" \
	"      - expr: " expr "\n        fields: [{path: n, name: n}, {path: t, name: my-text}]\n  triggers:\n  - template: {name: t, log: {}}\n"

static void
filters_by_expressions(void **state)
{
	struct world *w = *state;
	apply(w, EXPRS("n > 2 && ([my-text] ?? 'none') =~ '^a'"));
	assert_string_equal(verdict(w, emit(w, "a", "{\"n\":3,\"t\":\"abc\"}"), "t"), "fired");
	assert_string_equal(verdict(w, emit(w, "a", "{\"n\":3,\"t\":null}"), ""),
	                    "filtered: exprs filter n > 2 && ([my-text] ?? 'none') =~ '^a': does not hold with n = 3, my-text = null (sensor.yaml:11)");
	assert_string_equal(verdict(w, emit(w, "a", "{\"n\":3}"), ""),
	                    "error: exprs filter n > 2 && ([my-text] ?? 'none') =~ '^a': path t does not exist in the data (sensor.yaml:11)");
	apply(w, EXPRS("n > '2020-01-01' && n < '2020-01-01 00:01:00+00:00'"));
	assert_string_equal(verdict(w, emit(w, "a", "{\"n\":1577836801,\"t\":1}"), "t"), "fired");
	assert_string_equal(verdict(w, emit(w, "a", "{\"n\":1577836860,\"t\":1}"), ""),
	                    "filtered: exprs filter n > '2020-01-01' && n < '2020-01-01 00:01:00+00:00': does not hold with n = 1577836860, my-text = 1 (sensor.yaml:11)");
	apply(w, EXPRS("(1, 'b') == [my-text] && 'urgent' in n"));
	assert_string_equal(verdict(w, emit(w, "a", "{\"n\":[\"x\",\"urgent\"],\"t\":[1,\"b\"]}"), "t"), "fired");
	assert_string_equal(verdict(w, emit(w, "a", "{\"n\":[{\"urgent\":1}],\"t\":[1,\"b\"]}"), ""),
	                    "filtered: exprs filter (1, 'b') == [my-text] && 'urgent' in n: does not hold with n = [{\"urgent\":1}], my-text = [1,\"b\"] (sensor.yaml:11)");
	assert_string_equal(verdict(w, emit(w, "a", "{\"n\":\"urgent\",\"t\":[1,\"b\"]}"), ""),
	                    "error: exprs filter (1, 'b') == [my-text] && 'urgent' in n: Failed to evaluate expression '(1, 'b') == [my-text] && 'urgent' in n': "
	                    "Value 'urgent' cannot be used with the comparator 'in', it is not a list (sensor.yaml:11)");
}

#define JOIN "  dependencies:\n" DEP("a") DEP("b") DEP("c") "  triggers:\n  - template:\n      name: t\n      conditions: \"a && b && c\"\n" WORKFLOW \
	"        parameters:\n" \
	"        - {src: {dependencyName: a, dataKey: v}, dest: spec.arguments.parameters.0.value}\n" \
	"        - {src: {dependencyName: b, dataKey: v}, dest: spec.arguments.parameters.0.value, operation: append}\n" \
	"        - {src: {dependencyName: c, dataKey: v}, dest: spec.arguments.parameters.0.value, operation: prepend}\n"

static void
joins_three_dependencies_over_a_restart(void **state)
{
	struct world *w = *state;
	apply(w, SENSOR("s") JOIN);
	const char *first = emit(w, "b", "{\"v\":\"old\"}");
	assert_string_equal(verdict(w, first, "t"), "waiting: waits for a, c");
	const char *second = emit(w, "b", "{\"v\":\"B\"}");
	assert_string_equal(verdict(w, first, "t"), "superseded: event ev-2 of the same dependency came before the conditions held");
	const char *third = emit(w, "c", "{\"v\":\"C\"}");
	assert_string_equal(verdict(w, third, "t"), "waiting: waits for a");
	restart(w);
	assert_int_equal(engine.n, 0);
	assert_string_equal(verdict(w, emit(w, "a", "{\"v\":\"A\"}"), "t"), "fired");
	assert_string_equal(verdict(w, second, "t"), "fired");
	assert_int_equal(engine.n, 1);
	assert_string_equal(parameter(w, 0), "\"CAB\"");
	/* the state is cleared: a second round needs all three again, also after a restart */
	emit(w, "a", "{\"v\":\"1\"}");
	restart(w);
	emit(w, "b", "{\"v\":\"2\"}");
	settle(w);
	assert_int_equal(engine.n, 1);
	emit(w, "c", "{\"v\":\"3\"}");
	settle(w);
	assert_int_equal(engine.n, 2);
	assert_string_equal(parameter(w, 1), "\"312\"");
}

static void
an_alternative_fires_alone_and_clears_what_waits(void **state)
{
	struct world *w = *state;
	apply(w, SENSOR("s") "  dependencies:\n" DEP("a") DEP("b") DEP("c") "  triggers:\n  - template:\n      name: t\n      conditions: a && b || c\n" WORKFLOW
	      "  - template:\n      name: either\n      conditions: a || b\n" WORKFLOW);
	const char *a = emit(w, "a", "{}");
	assert_string_equal(verdict(w, a, "t"), "waiting: waits for b, c");
	assert_string_equal(verdict(w, a, "either"), "fired");
	assert_int_equal(engine.n, 1);
	assert_string_equal(verdict(w, emit(w, "c", "{}"), "t"), "fired");
	assert_int_equal(engine.n, 2);
	assert_string_equal(verdict(w, emit(w, "b", "{}"), "t"), "waiting: waits for a, c");
}

static void
pass(struct world *w, int64_t ns)
{
	settle(w);
	w->now += ns;
	loop_set_clock(w->loop, w->now);
	settle(w);
}

#define PAIR(more) SENSOR("s") "  dependencies:\n" DEP("a") DEP("b") "  triggers:\n  - template:\n      name: t\n" more WORKFLOW

static void
a_tick_of_the_clock_forgets_what_waits(void **state)
{
	struct world *w = *state; /* at START it is 10:00 in UTC */
	apply(w, PAIR("      conditionsReset: [{byTime: {cron: '30 12 * * *', timezone: Europe/Berlin}}, {byTime: {cron: '0 11 * * *'}}]\n"));
	const char *first = emit(w, "a", "{}");
	pass(w, 30 * 60 * NS_PER_SEC - 1);
	assert_string_equal(verdict(w, first, "t"), "waiting: waits for b");
	pass(w, 1);
	assert_string_equal(verdict(w, first, "t"), "reset: forgotten at 2026-07-15T10:30:00Z by conditionsReset (sensor.yaml:11)");
	const char *second = emit(w, "b", "{}");
	assert_string_equal(verdict(w, second, "t"), "waiting: waits for a");
	/* a tick while the daemon was down */
	close_world(w);
	w->now += 40 * 60 * NS_PER_SEC;
	open_world(w);
	assert_string_equal(verdict(w, second, "t"), "reset: forgotten at 2026-07-15T11:00:00Z by conditionsReset (sensor.yaml:11)");
	emit(w, "b", "{}");
	restart(w);
	assert_string_equal(verdict(w, emit(w, "a", "{}"), "t"), "fired");
	assert_int_equal(engine.n, 1);
}

static void
what_waits_longer_than_its_window_is_dropped(void **state)
{
	struct world *w = *state;
	apply(w, PAIR("      within: 10m\n"));
	const char *first = emit(w, "a", "{}");
	pass(w, 600 * NS_PER_SEC);
	assert_string_equal(verdict(w, first, "t"), "waiting: waits for b");
	pass(w, 1);
	assert_string_equal(verdict(w, first, "t"), "expired: waited longer than within: 10m0s (sensor.yaml:11)");
	const char *second = emit(w, "a", "{}");
	close_world(w);
	w->now += 11 * 60 * NS_PER_SEC;
	open_world(w);
	assert_string_equal(verdict(w, second, "t"), "expired: waited longer than within: 10m0s (sensor.yaml:11)");
	const char *third = emit(w, "b", "{}");
	pass(w, 300 * NS_PER_SEC);
	restart(w);
	assert_string_equal(verdict(w, emit(w, "a", "{}"), "t"), "fired");
	assert_string_equal(verdict(w, third, "t"), "fired");
}

static void
a_queue_pairs_in_order_over_restarts(void **state)
{
	struct world *w = *state;
	apply(w, PAIR("      join: fifo\n      joinMax: 3\n"));
	const char *a[5], *b[5];
	for (int i = 0; i < 4; i++)
		a[i] = emit(w, "a", "{}");
	restart(w);
	assert_string_equal(verdict(w, a[0], "t"), "evicted: gave way to newer events: joinMax is 3 and 64 MiB (sensor.yaml:12)");
	for (int i = 0; i < 4; i++)
		b[i] = emit(w, "b", "{}");
	for (int i = 1; i < 4; i++)
		assert_string_equal(verdict(w, a[i], "t"), "fired");
	assert_string_equal(verdict(w, b[2], "t"), "fired");
	assert_string_equal(verdict(w, b[3], "t"), "waiting: waits for a");
	assert_int_equal(engine.n, 3);
}

static void
events_pair_by_the_value_of_their_key(void **state)
{
	struct world *w = *state;
	apply(w, PAIR("      joinKey: data.body.commit ?? data.sha\n"));
	const char *one = emit(w, "a", "{\"body\":{\"commit\":\"c1\"}}");
	const char *two = emit(w, "a", "{\"body\":{\"commit\":\"c2\"}}");
	assert_string_equal(verdict(w, one, "t"), "waiting: waits for b (key c1)");
	restart(w);
	assert_string_equal(verdict(w, emit(w, "b", "{\"sha\":\"c2\",\"body\":{}}"), "t"), "fired");
	assert_string_equal(verdict(w, two, "t"), "fired");
	assert_string_equal(verdict(w, one, "t"), "waiting: waits for b (key c1)");
	assert_string_equal(verdict(w, emit(w, "b", "{\"body\":{}}"), "t"), "error: joinKey: it is null for this event");
	/* other events belong together now: what came under the old key is forgotten */
	apply(w, PAIR("      joinKey: data.sha\n"));
	assert_string_equal(verdict(w, emit(w, "b", "{\"sha\":\"c1\"}"), "t"), "waiting: waits for a (key c1)");
}

static void
a_reload_keeps_the_state_of_what_did_not_change(void **state)
{
	struct world *w = *state;
#define TWO(filter) SENSOR("s") "  dependencies:\n" DEP("a") "  - name: b\n    eventSourceName: hook\n    eventName: b\n" filter "  triggers:\n" \
	"  - template:\n      name: t\n      conditions: a && b\n" WORKFLOW
	apply(w, TWO(""));
	emit(w, "a", "{\"v\":1}");
	settle(w);
	apply(w, TWO("    filters:\n      data: [{path: v, type: number, value: [\"2\"]}]\n"));
	emit(w, "b", "{\"v\":1}");
	settle(w);
	assert_int_equal(engine.n, 0); /* the new filter counts */
	assert_string_equal(verdict(w, emit(w, "b", "{\"v\":2}"), "t"), "fired"); /* a is still there */
	/* now the dependency that waits changes: what came under its old filter is forgotten */
	emit(w, "b", "{\"v\":2}");
	settle(w);
	apply(w, TWO("    filters:\n      data: [{path: v, type: number, value: [\"3\"]}]\n"));
	assert_string_equal(verdict(w, emit(w, "a", "{}"), "t"), "waiting: waits for b");
	restart(w);
	assert_string_equal(verdict(w, emit(w, "b", "{\"v\":3}"), "t"), "fired");
}

static void
what_cannot_be_submitted_is_a_dead_letter(void **state)
{
	struct world *w = *state;
	apply(w, SENSOR("s") "  dependencies:\n" DEP("a") "  triggers:\n  - template:\n      name: t\n" WORKFLOW
	      "        parameters:\n        - {src: {dependencyName: a, dataKey: missing}, dest: spec.arguments.parameters.0.value}\n");
	const char *id = emit(w, "a", "{}");
	assert_string_equal(verdict(w, id, "t"), "dead-letter: parameter 0 (dest spec.arguments.parameters.0.value): cannot resolve a parameter from "
	                                         "dependency a: key missing does not exist in the event");
	assert_int_equal(engine.calls, 0);
}

static void
an_engine_that_is_busy_is_asked_again_with_the_same_key(void **state)
{
	struct world *w = *state;
	apply(w, SENSOR("s") "  dependencies:\n" DEP("a") "  triggers:\n  - template:\n      name: t\n" WORKFLOW);
	engine.refuse = ERR_UNAVAILABLE;
	const char *id = emit(w, "a", "{}");
	assert_string_equal(verdict(w, id, "t"), "failed: the engine says no");
	engine.refuse = ERR_NONE;
	restart(w); /* pending over a restart */
	wait_for_verdict(w, id, "t", "fired");
	assert_int_equal(engine.n, 1);
	restart(w);
	assert_int_equal(engine.n, 1);
}

/* ---- http -------------------------------------------------------------------------------------------------------------------- */

static void
http_is_tried_until_it_succeeds_with_one_id(void **state)
{
	struct world *w = *state;
	apply(w, HTTP(""), listen_on_loopback(w));
	w->answers[0] = w->answers[1] = 503;
	w->answers_n = 2;
	const char *id = emit(w, "a", "{\"v\":7}");
	wait_for_calls(w, 1);
	assert_string_equal(verdict(w, id, "t"), arena_fmt(w->arena, "failed: http://127.0.0.1:%u/in answered 503", httpd_port(w->httpd)).p);
	later(w, 2);
	wait_for_calls(w, 2);
	later(w, 3);
	wait_for_calls(w, 3);
	assert_string_equal(verdict(w, id, "t"), "fired");
	for (size_t i = 0; i < 3; i++) {
		assert_true(str_eq(w->calls[i].id, w->calls[0].id));
		assert_true(str_eq(w->calls[i].body, S("{\"n\":7}")));
		assert_true(str_eq(w->calls[i].method, S("POST")));
		assert_true(str_eq(w->calls[i].x, S("yes")));
	}
	assert_int_equal(w->calls[0].id.n, 32);
	later(w, 100);
	settle(w);
	assert_int_equal(w->calls_n, 3);
}

static void
http_gives_up_with_a_record(void **state)
{
	struct world *w = *state;
	apply(w, HTTP("    retryStrategy: {steps: 2, duration: 1s, factor: 1}\n"), listen_on_loopback(w));
	for (size_t i = 0; i < 10; i++)
		w->answers[w->answers_n++] = i < 2 ? 500 : 404;
	const char *id = emit(w, "a", "{\"v\":1}");
	wait_for_calls(w, 1);
	later(w, 3);
	wait_for_calls(w, 2);
	assert_string_equal(verdict(w, id, "t"), arena_fmt(w->arena, "dead-letter: http://127.0.0.1:%u/in answered 500", httpd_port(w->httpd)).p);
	/* without a retryStrategy, what cannot pass is tried once */
	apply(w, HTTP(""), httpd_port(w->httpd));
	id = emit(w, "a", "{\"v\":1}");
	wait_for_calls(w, 3);
	assert_string_equal(verdict(w, id, "t"), arena_fmt(w->arena, "dead-letter: http://127.0.0.1:%u/in answered 404", httpd_port(w->httpd)).p);
	later(w, 100);
	settle(w);
	assert_int_equal(w->calls_n, 3);
}

static void
http_status_policy_decides(void **state)
{
	struct world *w = *state;
	apply(w, HTTP("    policy: {status: {allow: [404]}}\n"), listen_on_loopback(w));
	w->answers[0] = 404;
	w->answers[1] = 200;
	w->answers_n = 2;
	const char *id = emit(w, "a", "{\"v\":1}");
	wait_for_calls(w, 1);
	assert_string_equal(verdict(w, id, "t"), "fired");
	id = emit(w, "a", "{\"v\":1}");
	wait_for_calls(w, 2);
	assert_string_equal(verdict(w, id, "t"), arena_fmt(w->arena, "dead-letter: http://127.0.0.1:%u/in answered 200, which policy.status.allow does not list",
	                                                   httpd_port(w->httpd)).p);
}

static void
pending_calls_survive_a_restart(void **state)
{
	struct world *w = *state;
	unsigned port = listen_on_loopback(w);
	apply(w, HTTP(""), port);
	w->hold = true; /* the answer never comes */
	const char *id = emit(w, "a", "{\"v\":1}");
	wait_for_calls(w, 1);
	assert_string_equal(verdict(w, id, "t"), "pending");
	http_reply(w->held[0], 200, NULL, S("too late")); /* on the wire, but we are gone */
	sensors_free(w->sensors);
	w->sensors = NULL;
	struct trigger_env env = { .loop = w->loop, .store = w->store, .objects = w->objects, .httpc = httpc_of, .arg = w };
	struct err e;
	w->sensors = sensors_new(&env, bus_of, w);
	w->hold = false;
	must(sensors_apply(w->sensors, &e), &e);
	wait_for_calls(w, 2);
	assert_string_equal(verdict(w, id, "t"), "fired");
	assert_true(str_eq(w->calls[0].id, w->calls[1].id)); /* at least once, and the receiver can tell */
}

static void
a_serial_trigger_keeps_the_order(void **state)
{
	struct world *w = *state;
	apply(w, HTTP("    atLeastOnce: true\n"), listen_on_loopback(w));
	w->answers[0] = 503;
	w->answers_n = 1;
	for (int i = 0; i < 20; i++)
		emit(w, "a", arena_fmt(w->arena, "{\"v\":%d}", i).p);
	wait_for_calls(w, 1); /* the first failed: the others wait behind it */
	later(w, 2);
	wait_for_calls(w, 21);
	for (int i = 0; i < 20; i++)
		assert_string_equal(w->calls[i + 1].body.p, arena_fmt(w->arena, "{\"n\":%d}", i).p);
}

static void
a_backlog_beyond_memory_is_sent_in_full(void **state)
{
	struct world *w = *state;
	static char seen[700];
	apply(w, HTTP(""), listen_on_loopback(w));
	memset(seen, 0, sizeof seen);
	w->hold = false;
	for (size_t i = 0; i < 400; i++)
		emit(w, "a", arena_fmt(w->arena, "{\"v\":%zu}", i).p);
	wait_for_calls(w, 400);
	for (size_t i = 0; i < 400; i++) {
		struct val v;
		struct err e;
		int64_t n;
		must(json_read(w->arena, w->calls[i].body, &v, &e), &e);
		assert_true(val_to_i64(val_get(&v, S("n")), &n) && n >= 0 && n < 400 && !seen[n]);
		seen[n] = 1;
	}
}

static void
what_is_not_served_says_so(void **state)
{
	struct world *w = *state;
	apply(w, SENSOR("s") "  dependencies:\n" DEP("b") "  triggers:\n"
	      "  - template:\n      name: t\n      pulsar: {url: 'pulsar://a', topic: t, payload: [{src: {dependencyName: b, dataKey: x}, dest: y}]}\n");
	assert_string_equal(verdict(w, emit(w, "b", "{}"), "t"), "error: triggers of this kind are not served yet (sensor.yaml:8)");
	assert_int_equal(engine.n, 0);
}

/* ---- jq ---- */

#define JQ(program) SENSOR("s") "  dependencies:\n  - name: a\n    eventSourceName: hook\n    eventName: a\n    transform:\n      jq: '" program "'\n" \
	DEP("b") "  triggers:\n  - template:\n      name: t\n      conditions: a || b\n" WORKFLOW \
	"        parameters:\n        - {src: {dependencyName: a, dataKey: k, value: b}, dest: spec.arguments.parameters.0.value}\n"

static void
transforms_by_jq(void **state)
{
	struct world *w = *state;
	apply(w, JQ("if .a then {k: (.a | tostring), z: 1} end"));
	assert_string_equal(verdict(w, emit(w, "a", "{\"a\":1}"), "t"), "fired");
	assert_string_equal(parameter(w, 0), "\"1\"");
	assert_string_equal(verdict(w, emit(w, "a", "[1]"), ""), "error: transform: the event's data must be an object, not array (sensor.yaml:10)");
	assert_string_equal(verdict(w, emit(w, "a", "{\"a\""), ""), "error: transform: the event's data is no JSON (sensor.yaml:10)");
	assert_string_equal(verdict(w, emit(w, "a", ""), ""), "error: transform: the event has no data (sensor.yaml:10)");
	apply(w, JQ("error(\"no good\")"));
	assert_string_equal(verdict(w, emit(w, "a", "{}"), ""), "error: transform: no good (sensor.yaml:10)");
	apply(w, JQ("foo"));
	assert_string_equal(verdict(w, emit(w, "a", "{}"), ""), "error: transform: foo/0 is not defined at <top-level>, line 1 (sensor.yaml:10)");
}

/* Events that wait for nothing stay behind those that do. */
static void
order_is_kept_behind_jq(void **state)
{
	struct world *w = *state;
	apply(w, JQ("{k: .k}"));
	for (int i = 0; i < 20; i++)
		emit(w, i % 3 ? "b" : "a", arena_fmt(w->arena, "{\"k\":\"%d\"}", i).p);
	settle(w);
	assert_int_equal(engine.n, 20);
	for (size_t i = 0; i < 20; i++) {
		char want[20];
		snprintf(want, sizeof want, i % 3 ? "\"b\"" : "\"%zu\"", i);
		assert_string_equal(parameter(w, i), want);
	}
}

/* What was not decided comes again; what was, does not. */
static void
a_restart_and_a_change_while_jq_runs_lose_nothing(void **state)
{
	struct world *w = *state;
	apply(w, JQ("{k: (\"1\" + .k)}"));
	for (int i = 0; i < 4; i++)
		emit(w, "a", arena_fmt(w->arena, "{\"k\":\"%d\"}", i).p);
	while (store_pending(w->store))
		loop_turn(w->loop, 20);
	sensors_free(w->sensors);
	w->sensors = NULL;
	restart(w);
	settle(w);
	assert_int_equal(engine.n, 4); /* whether or not some were through */
	for (int i = 4; i < 8; i++)
		emit(w, "a", arena_fmt(w->arena, "{\"k\":\"%d\"}", i).p);
	apply(w, JQ("{k: (\"2\" + .k)}")); /* in the very turn */
	settle(w);
	assert_int_equal(engine.n, 8);
	assert_string_equal(parameter(w, 3), "\"13\"");
	assert_string_equal(parameter(w, 7), "\"27\"");
}

static void
a_jq_program_is_limited(void **state)
{
	struct world *w = *state;
	jq_set_limits(&(struct jq_limits){ .memory = (int64_t)100 << 20, .cpu_ns = 300 * NS_PER_MS });
	restart(w);
	apply(w, JQ("if .loop then (def f: f; f) elif .grow then ([range(1e9)] | {}) else {k} end"));
	const char *looped = verdict(w, emit(w, "a", "{\"loop\":1}"), ""); /* on a busy machine ten times as long passes first */
	assert_non_null(strstr(looped, "error: transform: the program did not end within 300"));
	assert_non_null(strstr(looped, "(setting jqTime) (sensor.yaml:10)"));
	const char *grown = verdict(w, emit(w, "a", "{\"grow\":1}"), "");
	assert_non_null(strstr(grown, "error: transform: the program "));
	assert_string_equal(verdict(w, emit(w, "a", "{\"k\":\"after\"}"), "t"), "fired");
	assert_string_equal(parameter(w, 0), "\"after\"");
	jq_set_limits(&(struct jq_limits){ 0 });
}

/* The pid of the child of this process that runs jq; 0: none. */
static pid_t
helper_pid(void)
{
	char line[200] = "", path[64];
	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)gettid());
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	char *got = fgets(line, sizeof line, f);
	fclose(f);
	return got ? (pid_t)strtol(line, NULL, 10) : 0;
}

static void
a_jq_helper_that_dies_is_replaced(void **state)
{
	struct world *w = *state;
	jq_set_limits(&(struct jq_limits){ .helpers = 1 });
	restart(w);
	apply(w, JQ("{k}"));
	assert_string_equal(verdict(w, emit(w, "a", "{\"k\":\"1\"}"), "t"), "fired");
	pid_t first = helper_pid();
	assert_true(first > 0);
	kill(first, SIGKILL);
	assert_string_equal(verdict(w, emit(w, "a", "{\"k\":\"2\"}"), "t"), "fired");
	assert_true(helper_pid() != first);
	assert_int_equal(engine.n, 2);
	jq_set_limits(&(struct jq_limits){ 0 });
}

static void
a_removed_sensor_is_gone(void **state)
{
	struct world *w = *state;
	struct err e;
	apply(w, SENSOR("s") JOIN);
	emit(w, "a", "{\"v\":\"1\"}");
	settle(w);
	assert_true(objects_del(w->objects, &kind_sensor, S("default"), S("s")));
	must(sensors_apply(w->sensors, &e), &e);
	settle(w);
	apply(w, SENSOR("s") JOIN);
	emit(w, "b", "{\"v\":\"2\"}");
	assert_string_equal(verdict(w, emit(w, "c", "{\"v\":\"3\"}"), "t"), "waiting: waits for a");
}

static void
the_log_trigger_fires(void **state)
{
	struct world *w = *state;
	apply(w, SENSOR("s") "  dependencies:\n" DEP("a") "  triggers:\n  - template: {name: t, log: {}}\n");
	assert_string_equal(verdict(w, emit(w, "a", "{\"v\":1}"), "t"), "fired");
	struct val status = sensors_status(w->sensors, w->arena);
	assert_int_equal(status.n, 1);
	assert_true(str_eq(val_get_str(val_at(&status, 0), "state"), S("running")));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, new_world, end_world)

int
main(void)
{
	log_setup(getenv("VERBOSE") ? LOG_DEBUG : LOG_ERROR, LOG_LOGFMT);
	const struct CMUnitTest tests[] = {
		TEST(fires_a_workflow_with_its_parameters),
		TEST(filters_by_data_and_says_why), TEST(filters_by_script_and_says_why), TEST(transforms_by_script_before_everything_else),
		TEST(filters_by_expressions),
		TEST(joins_three_dependencies_over_a_restart),
		TEST(an_alternative_fires_alone_and_clears_what_waits),
		TEST(a_tick_of_the_clock_forgets_what_waits),
		TEST(what_waits_longer_than_its_window_is_dropped),
		TEST(a_queue_pairs_in_order_over_restarts),
		TEST(events_pair_by_the_value_of_their_key),
		TEST(a_reload_keeps_the_state_of_what_did_not_change),
		TEST(what_cannot_be_submitted_is_a_dead_letter),
		TEST(an_engine_that_is_busy_is_asked_again_with_the_same_key),
		TEST(http_is_tried_until_it_succeeds_with_one_id),
		TEST(http_gives_up_with_a_record),
		TEST(http_status_policy_decides),
		TEST(pending_calls_survive_a_restart),
		TEST(a_serial_trigger_keeps_the_order),
		TEST(a_backlog_beyond_memory_is_sent_in_full),
		TEST(what_is_not_served_says_so),
		TEST(transforms_by_jq), TEST(order_is_kept_behind_jq), TEST(a_restart_and_a_change_while_jq_runs_lose_nothing),
		TEST(a_jq_program_is_limited), TEST(a_jq_helper_that_dies_is_replaced),
		TEST(a_removed_sensor_is_gone),
		TEST(the_log_trigger_fires),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
