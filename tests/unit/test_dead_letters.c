/* SPDX-License-Identifier: Apache-2.0 */
/* Dead letters: what becomes one, and what is done with them. */
#include "sensor_world.h"
#include "triggers/dead.h"

struct letters {
	struct arena *a;
	struct dead_choice choice;
	struct val out;
};

static int
read_letters(sqlite3 *db, void *arg, struct err *e)
{
	struct letters *l = arg;
	return dead_letters_read(db, &l->choice, true, l->a, &l->out, e);
}

static struct val
letters(struct world *w, struct dead_choice c)
{
	struct letters l = { w->arena, c, { 0 } };
	struct err e;
	settle(w);
	must(store_read_now(w->store, read_letters, &l, &e), &e);
	return l.out;
}

static size_t
count(struct world *w)
{
	return letters(w, (struct dead_choice){ 0 }).n;
}

struct answer_of {
	struct dead_done done;
	bool came;
};

static void
changed(void *arg, const struct dead_done *d, const struct err *e)
{
	struct answer_of *a = arg;
	if (e)
		fail_msg("%s", e->msg);
	a->done = *d;
	a->came = true;
}

typedef void change(struct triggers *ts, const struct dead_choice *c, void (*done)(void *arg, const struct dead_done *d, const struct err *e), void *arg);

static struct dead_done
do_change(struct world *w, change *fn, struct dead_choice c)
{
	struct answer_of a = { 0 };
	fn(sensors_triggers(w->sensors), &c, changed, &a);
	for (int i = 0; i < 2000 && !a.came; i++)
		loop_turn(w->loop, 10);
	assert_true(a.came);
	settle(w);
	return a.done;
}

static void
a_firing_is_tried_again_from_its_first_attempt_on(void **state)
{
	struct world *w = *state;
	apply(w, HTTP("    retryStrategy: {steps: 2, duration: 1s}\n"), listen_on_loopback(w));
	w->answers[0] = w->answers[1] = w->answers[2] = 500;
	w->answers_n = 3;
	const char *id = emit(w, "a", "{\"v\":7}");
	wait_for_calls(w, 1);
	later(w, 10);
	wait_for_calls(w, 2);
	struct val all = letters(w, (struct dead_choice){ .sensor = S("s"), .trigger = S("t"), .reason = S("answered 500") });
	assert_int_equal(all.n, 1);
	assert_string_equal(json_write(w->arena, val_path(val_at(&all, 0), "events")).p,
	                    "[{\"dependency\":\"a\",\"id\":\"ev-1\",\"source\":\"hook\",\"subject\":\"a\",\"time\":\"2026-07-15T10:00:00Z\",\"size\":7,\"data\":{\"v\":7}}]");
	assert_int_equal(letters(w, (struct dead_choice){ .reason = S("answered 404") }).n, 0);
	struct dead_done d = do_change(w, dead_letters_retry, (struct dead_choice){ .trigger = S("t") });
	assert_int_equal(d.n, 1);
	wait_for_calls(w, 3);
	assert_string_equal(verdict(w, id, "t"), arena_fmt(w->arena, "failed: http://127.0.0.1:%u/in answered 500", httpd_port(w->httpd)).p);
	assert_int_equal(count(w), 0);
	later(w, 10);
	wait_for_calls(w, 4);
	wait_for_verdict(w, id, "t", "fired");
	assert_true(str_eq(w->calls[0].id, w->calls[3].id));
	assert_int_equal(count(w), 0);
}

#define FILTERED(path) SENSOR("s") "  dependencies:\n  - name: a\n    eventSourceName: hook\n    eventName: a\n    filters:\n      data:\n" \
	"      - {path: " path ", type: string, value: [\"x\"]}\n  triggers:\n  - template:\n      name: t\n" WORKFLOW

static void
an_event_that_a_filter_cannot_judge_is_kept_and_goes_the_whole_way_again(void **state)
{
	struct world *w = *state;
	apply(w, FILTERED("body.ref"));
	const char *poison = emit(w, "a", "{\"ref\":\"x\"}");
	assert_string_equal(verdict(w, poison, ""), "error: data filter body.ref: path body.ref does not exist in the data (sensor.yaml:11)");
	assert_string_equal(verdict(w, emit(w, "a", "{\"body\":{\"ref\":\"x\"}}"), "t"), "fired"); /* the next one flows */
	restart(w);
	struct val all = letters(w, (struct dead_choice){ 0 });
	assert_int_equal(all.n, 1);
	assert_string_equal(val_get_str(val_at(&all, 0), "reason").p, "data filter body.ref: path body.ref does not exist in the data (sensor.yaml:11)");
	/* again under the same manifest: a letter again */
	assert_int_equal(do_change(w, dead_letters_retry, (struct dead_choice){ 0 }).n, 1);
	assert_int_equal(count(w), 1);
	apply(w, FILTERED("ref"));
	assert_int_equal(do_change(w, dead_letters_retry, (struct dead_choice){ 0 }).n, 1);
	assert_int_equal(count(w), 0);
	assert_int_equal(engine.n, 2);
	assert_string_equal(verdict(w, poison, "t"), "fired");
}

/* keep is what the test above has. */
#define ON_ERROR(how) SENSOR("s") "  dependencies:\n  - name: a\n    eventSourceName: hook\n    eventName: a\n    onError: " how "\n" \
	"    transform:\n      script: return {k = event.k + 1}\n    filters:\n      data: [{path: k, type: number, value: [\"2\"]}]\n" \
	"  triggers:\n  - template:\n      name: t\n" WORKFLOW \
	"        parameters:\n        - {src: {dependencyName: a, dataKey: k, value: none}, dest: spec.arguments.parameters.0.value}\n"

static void
on_error_chooses_what_becomes_of_an_event(void **state)
{
	struct world *w = *state;
	apply(w, ON_ERROR("drop"));
	const char *reason = verdict(w, emit(w, "a", "{\"k\":\"x\"}"), "");
	assert_string_equal(reason, "error: transform: script:1: attempt to perform arithmetic on field 'k' (a string value) (sensor.yaml:11)");
	assert_int_equal(count(w), 0);
	apply(w, ON_ERROR("pass"));
	assert_string_equal(verdict(w, emit(w, "a", "{\"k\":[2]}"), ""), "filtered: data filter k: want 2, got \"[2]\" (sensor.yaml:13)");
	assert_string_equal(verdict(w, emit(w, "a", "{}"), "t"), "fired"); /* neither could say */
	assert_int_equal(count(w), 0);
	apply(w, ON_ERROR("keep"));
	emit(w, "a", "{\"k\":\"x\"}");
	assert_int_equal(count(w), 1);
}

static void
a_letter_whose_sensor_is_gone_stays(void **state)
{
	struct world *w = *state;
	struct err e;
	apply(w, FILTERED("body.ref"));
	emit(w, "a", "{}");
	settle(w);
	assert_true(objects_del(w->objects, &kind_sensor, S("default"), S("s")));
	must(sensors_apply(w->sensors, &e), &e);
	struct dead_done d = do_change(w, dead_letters_retry, (struct dead_choice){ 0 });
	assert_int_equal(d.n, 0);
	assert_int_equal(d.skipped, 1);
	assert_int_equal(count(w), 1);
}

static void
letters_are_dropped_by_choice(void **state)
{
	struct world *w = *state;
	apply(w, FILTERED("body.ref"));
	emit(w, "a", "{}");
	settle(w);
	later(w, 3600);
	emit(w, "a", "{}");
	assert_int_equal(count(w), 2);
	assert_int_equal(do_change(w, dead_letters_drop, (struct dead_choice){ .before_ns = w->now - 60 * NS_PER_SEC }).n, 1);
	assert_int_equal(count(w), 1);
	assert_int_equal(do_change(w, dead_letters_drop, (struct dead_choice){ .sensor = S("other") }).n, 0);
	assert_int_equal(do_change(w, dead_letters_drop, (struct dead_choice){ 0 }).n, 1);
	assert_int_equal(count(w), 0);
}

static void
the_oldest_letters_go_when_there_are_too_many(void **state)
{
	struct world *w = *state;
	w->dead_letters = 3;
	restart(w);
	apply(w, FILTERED("body.ref"));
	for (int i = 0; i < 5; i++)
		emit(w, "a", "{}");
	struct val all = letters(w, (struct dead_choice){ 0 });
	assert_int_equal(all.n, 3);
	assert_string_equal(val_get_str(val_at(val_path(val_at(&all, 0), "events"), 0), "id").p, "ev-3");
	restart(w); /* they are counted anew */
	emit(w, "a", "{}");
	assert_int_equal(count(w), 3);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, new_world, end_world)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_firing_is_tried_again_from_its_first_attempt_on),
		TEST(an_event_that_a_filter_cannot_judge_is_kept_and_goes_the_whole_way_again),
		TEST(on_error_chooses_what_becomes_of_an_event),
		TEST(a_letter_whose_sensor_is_gone_stays),
		TEST(letters_are_dropped_by_choice),
		TEST(the_oldest_letters_go_when_there_are_too_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
