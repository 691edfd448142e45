/* SPDX-License-Identifier: Apache-2.0 */
/* What `explain` says where time decides, and after manifests have changed. The matrix of filters is in tests/integration/test_explain.py. */
#include "sensor_world.h"

#include "sensors/explain.h"

struct asked {
	struct explain_query q;
	struct arena *a;
	struct val out;
};

static int
read_event_way(sqlite3 *db, void *arg, struct err *e)
{
	struct asked *x = arg;
	return explain_event(db, &x->q, x->a, &x->out, e);
}

static int
read_counts(sqlite3 *db, void *arg, struct err *e)
{
	struct asked *x = arg;
	return explain_sensor(db, &x->q, x->a, &x->out, e);
}

static struct val
ask(struct world *w, const char *event)
{
	struct asked x = { .a = w->arena, .q = { .ns = S("default"), .sensor = S("s"), .event = str_c(event), .now_ns = w->now } };
	struct err e;
	settle(w);
	must(explain_live(w->sensors, x.q.ns, x.q.sensor, w->arena, &x.q.live, &e), &e);
	must(store_read_now(w->store, *event ? read_event_way : read_counts, &x, &e), &e);
	return x.out;
}

/* The text (`what` "text") or the advice of the event's first decision. */
static const char *
says(struct world *w, const char *event, const char *what)
{
	struct val v = ask(w, event);
	const struct val *d = val_at(val_get(val_at(val_get(&v, S("ways")), 0), S("decisions")), 0);
	return d ? str_z(w->arena, val_get_str(d, what)) : str_z(w->arena, val_get_str(&v, "summary"));
}

static void
clock_to(struct world *w, int64_t ns)
{
	w->now = ns;
	loop_set_clock(w->loop, ns);
	settle(w);
}

static int
read_held(sqlite3 *db, void *arg, struct err *e)
{
	struct asked *x = arg;
	sqlite3_stmt *q = store_prepare(db, "SELECT held FROM sensor_decision WHERE event = ?", e);
	if (!q)
		return -1;
	sqlite3_bind_text(q, 1, x->q.event.p, (int)x->q.event.n, SQLITE_STATIC);
	if (sqlite3_step(q) == SQLITE_ROW)
		x->out = val_str(arena_dup(x->a, store_text(q, 0)));
	sqlite3_reset(q);
	return 0;
}

/* What the event's decision says it was held up by, up to how many are before it. */
static const char *
recorded(struct world *w, const char *event)
{
	struct asked x = { .a = w->arena, .q = { .event = str_c(event) } };
	struct err e;
	settle(w);
	must(store_read_now(w->store, read_held, &x, &e), &e);
	return str_z(w->arena, str_slice(val_text(&x.out), 0, str_find(val_text(&x.out), S(", and "), 0)));
}

#define LOG "      log: {}\n"
#define FILTERED(value) SENSOR("s") "  dependencies:\n  - name: a\n    eventSourceName: hook\n    eventName: a\n    filters:\n      data:\n" \
	"      - {path: v, type: string, value: [" value "]}\n  triggers:\n  - template:\n      name: t\n" LOG
#define JOINED(more) SENSOR("s") "  dependencies:\n" DEP("a") DEP("b") "  triggers:\n  - template:\n      name: t\n" more LOG

static void
an_event_that_a_reset_forgot(void **state)
{
	struct world *w = *state;
	apply(w, JOINED("      conditions: a && b\n      conditionsReset:\n      - byTime: {cron: '0 0 * * *', timezone: UTC}\n"));
	const char *id = emit(w, "a", "{}");
	assert_string_equal(says(w, id, "text"), "did not fire: it waits for b (sensor.yaml:11)");
	assert_string_equal(says(w, id, "advice"), "events so that the conditions hold; there is none yet of b (hook/b); the first of those that wait is "
	                                           "given up at 2026-07-16T00:00:00Z (within, conditionsReset)");
	clock_to(w, START + 24 * 3600 * NS_PER_SEC);
	assert_string_equal(says(w, id, "text"), "did not fire: reset: forgotten at 2026-07-16T00:00:00Z by conditionsReset (sensor.yaml:13)");
	assert_string_equal(says(w, id, "advice"), "the others before the time of conditionsReset (sensor.yaml:13)");
}

static void
firings_that_wait_for_their_time(void **state)
{
	struct world *w = *state;
	apply(w, SENSOR("s") "  dependencies:\n" DEP("a") "  triggers:\n  - template:\n      name: t\n" LOG "    rateLimit: {unit: Minute, requestsPerUnit: 1}\n");
	const char *first = emit(w, "a", "{}"), *second = emit(w, "a", "{}"), *third = emit(w, "a", "{}");
	wait_for_verdict(w, first, "t", "fired");
	assert_string_equal(says(w, third, "text"), "has not fired yet: rateLimit: nothing may leave before 2026-07-15T10:01:00Z, and 1 are before it (sensor.yaml:11)");
	clock_to(w, START + 60 * NS_PER_SEC);
	wait_for_verdict(w, second, "t", "fired");
	assert_string_equal(says(w, second, "text"), "fired");
	assert_string_equal(says(w, third, "text"), "has not fired yet: rateLimit: nothing may leave before 2026-07-15T10:02:00Z, and 0 are before it (sensor.yaml:11)");
}

/* More would have begun, but no more may wait for what they have made. */
static void
a_firing_behind_many_that_wait_for_labels(void **state)
{
	struct world *w = *state;
	engine.labels = "{}";
	apply(w, SENSOR("s") "  dependencies:\n" DEP("a") "  triggers:\n  - template:\n      name: t\n      argoWorkflow:\n        operation: suspend\n"
	      "        source: {resource: {apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {name: x}}}\n"
	      "    policy: {k8s: {labels: {done: yes}, backoff: {duration: 10s, steps: 4, jitter: 0}}}\n");
	const char *first = emit(w, "a", "{}"), *last = first;
	for (int i = 0; i < 1100; i++)
		last = emit(w, "a", "{}");
	const char *text = says(w, last, "text");
	assert_non_null(strstr(text, "has not fired yet: 1000 of its trigger wait for what they have made (sensor.yaml:13), and "));
	assert_string_equal(recorded(w, last), "1000 wait for what they have made, as its policy says");
	engine.labels = "{\"done\":\"yes\"}";
	for (int64_t at = 10; at <= 200; at += 10)
		clock_to(w, START + at * NS_PER_SEC);
	wait_for_verdict(w, last, "t", "fired");
}

static void
decisions_that_are_not_kept(void **state)
{
	struct world *w = *state;
	apply(w, FILTERED("x"));
	const char *first = emit(w, "a", "{\"v\":\"n\"}");
	assert_non_null(strstr(says(w, first, "text"), "did not fire: filtered"));
	w->now = START + NS_PER_SEC;
	loop_set_clock(w->loop, w->now);
	for (int i = 0; i < 12000; i++)
		(void)emit(w, "a", "{}");
	assert_string_equal(says(w, first, "text"), "the decision about it is not kept any more: they are the last 10000, since 2026-07-15T10:00:01Z");
}

static void
a_firing_between_two_attempts(void **state)
{
	struct world *w = *state;
	unsigned port = listen_on_loopback(w);
	w->answers[0] = 503;
	w->answers_n = 1;
	apply(w, SENSOR("s") "  dependencies:\n" DEP("a") "  triggers:\n  - template:\n      name: t\n      http: {url: 'http://127.0.0.1:%u/in', method: POST}\n"
	         "    retryStrategy: {steps: 5, duration: 10m}\n", port);
	const char *id = emit(w, "a", "{}"), *text = says(w, id, "text");
	static const char expected[] = "answered 503; 1 attempt failed, the next one is at 2026-07-15T10:";
	for (int i = 0; i < 20000 && !strstr(text, expected); i++) /* the answer is another thread's and another socket's */
		text = says(w, id, "text");
	if (!strstr(text, expected))
		fail_msg("%s", text);
	clock_to(w, START + 1300 * NS_PER_SEC);
	wait_for_verdict(w, id, "t", "fired");
	assert_non_null(strstr(says(w, id, "text"), "fired after 2 attempts"));
	struct val v = ask(w, id);
	const struct val *tries = val_get(val_at(val_get(val_at(val_get(&v, S("ways")), 0), S("decisions")), 0), S("tries"));
	assert_non_null(strstr(str_z(w->arena, val_get_str(val_at(tries, 0), "error")), "answered 503"));
}

struct counted {
	const char *sql;
	int64_t n;
};

static int
count_rows(sqlite3 *db, void *arg, struct err *e)
{
	struct counted *c = arg;
	sqlite3_stmt *q = store_prepare(db, c->sql, e);
	if (!q || sqlite3_step(q) != SQLITE_ROW)
		return -1;
	c->n = sqlite3_column_int64(q, 0);
	sqlite3_reset(q);
	return 0;
}

static int64_t
rows(struct world *w, const char *sql)
{
	struct counted c = { .sql = sql };
	struct err e;
	settle(w);
	must(store_read_now(w->store, count_rows, &c, &e), &e);
	return c.n;
}

static int
forget_second(sqlite3 *db, void *arg UNUSED, struct err *e)
{
	return store_exec(db, e, "DELETE FROM sensor_decision WHERE event = 'ev-2'", "");
}

/* The texts of a manifest stay as long as decisions need them, over a restart; the same manifest again is the same version. */
static void
manifests_that_changed(void **state)
{
	struct world *w = *state;
	static const char versions[] = "SELECT count(*) FROM sensor_version", checks[] = "SELECT count(DISTINCT version) FROM sensor_check";
	apply(w, FILTERED("x"));
	const char *first = emit(w, "a", "{\"v\":\"n\"}");
	apply(w, FILTERED("y"));
	const char *second = emit(w, "a", "{\"v\":\"n\"}");
	apply(w, FILTERED("x"));
	const char *third = emit(w, "a", "{\"v\":\"n\"}");
	restart(w);
	const char *const ids[] = { first, second, third }, *const wants[] = { "x", "y", "x" };
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(says(w, ids[i], "text"),
		                    arena_fmt(w->arena, "did not fire: filtered: data filter v: want \"%s\", got \"n\" (sensor.yaml:11)", wants[i]).p);
	assert_int_equal(rows(w, versions), 2);
	store_write(w->store, forget_second, NULL, NULL);
	apply(w, FILTERED("z"));
	(void)emit(w, "a", "{\"v\":\"n\"}");
	assert_int_equal(rows(w, versions), 2); /* x and z; nobody needs y any more */
	assert_int_equal(rows(w, checks), 2);
}

static void
reasons_that_differ_in_values_are_one(void **state)
{
	struct world *w = *state;
	apply(w, FILTERED("x"));
	for (int i = 0; i < 20; i++)
		(void)emit(w, "a", arena_fmt(w->arena, "{\"v\":\"value %d\"}", i).p);
	for (int i = 0; i < 5; i++)
		(void)emit(w, "a", "{}");
	struct val v = ask(w, "");
	const struct val *reasons = val_get(&v, S("reasons"));
	assert_int_equal(reasons->n, 2);
	assert_string_equal(str_z(w->arena, val_get_str(val_at(reasons, 0), "reason")), "data filter v: want \"x\", got \"value 19\" (sensor.yaml:11)");
	assert_int_equal(val_get(val_at(reasons, 0), S("count"))->i, 20);
	assert_int_equal(val_get(val_at(reasons, 1), S("count"))->i, 5);
}

static void
names_that_there_are_not(void **state)
{
	struct world *w = *state;
	struct val live;
	struct err e;
	apply(w, FILTERED("x"));
	assert_int_equal(explain_live(w->sensors, S("default"), S("sx"), w->arena, &live, &e), -1);
	assert_string_equal(e.msg, "there is no sensor \"sx\" in namespace default");
	assert_string_equal(says(w, emit(w, "other", "{}"), "text"), "no dependency names hook/other: a is for hook/a (sensor.yaml:6)");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, new_world, end_world)
	const struct CMUnitTest tests[] = {
		T(an_event_that_a_reset_forgot), T(firings_that_wait_for_their_time), T(a_firing_behind_many_that_wait_for_labels), T(decisions_that_are_not_kept),
		T(a_firing_between_two_attempts), T(manifests_that_changed),
		T(reasons_that_differ_in_values_are_one), T(names_that_there_are_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
