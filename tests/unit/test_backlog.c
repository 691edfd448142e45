/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What waits takes no memory, however much it is, and costs the others nothing. The framework over a store in memory, with a clock of the
 * test's and kinds of trigger that do as they are told.
 */
#include "sensor_world.h"
#include "triggers/framework.h"

enum {
	MANY = 100000,
	LIMIT = QUEUE_MAX + WAITING_MAX + ENDED_MAX + 2 * FIRING_WINDOW, /* of a trigger's firings in memory, beside new ones on their way to the disk */
};

/* ---- kinds ------------------------------------------------------------------------------------------------------------ */

struct target {
	enum err_code code;   /* what its firings end with */
	bool odd_ones_later;  /* those with an odd number with ERR_UNAVAILABLE the first time */
	bool alone;           /* ... which says nothing about those behind */
	size_t calls;
	int64_t last;         /* number of the event of the last call */
	size_t out_of_order;
	uint64_t turn;        /* of the last call */
	uint8_t got[MANY];    /* calls with that event */
};
static struct target targets[2];

static int64_t
number_of(const struct firing *f)
{
	struct event **ev;
	int64_t n = 0;
	assert_int_equal(firing_events((struct firing *)(uintptr_t)f, &ev), 1);
	assert_true(str_to_i64(ev[0]->data, &n));
	return n;
}

static void
reach(struct target *t, struct firing *f)
{
	struct err e = { 0 };
	int64_t n = number_of(f);
	t->calls++;
	t->out_of_order += n < t->last;
	t->last = n;
	t->turn = loop_turns(firing_env(f)->loop);
	if (t->got[n] < UINT8_MAX)
		t->got[n]++;
	if (t->code)
		err_set(&e, t->odd_ones_later && n % 2 && t->got[n] == 1 ? ERR_UNAVAILABLE : t->code, "the target says no");
	if (t->code && t->alone)
		firing_alone(f);
	firing_done(f, &e, NULL);
}

static void reach_first(struct firing *f) { reach(&targets[0], f); }
static void reach_second(struct firing *f) { reach(&targets[1], f); }

struct nothing {
	const struct val *src;
};
static const struct schema nothing_schema = { "Nothing", "Nothing.", sizeof(struct nothing), (const struct field[]){ FIELD_SRC(struct nothing, src), { 0 } } };
static const struct trigger_ops first_kind = { .kind = "first", .doc = "For tests.", .schema = &nothing_schema, .fire = reach_first };
static const struct trigger_ops second_kind = { .kind = "second", .doc = "For tests.", .schema = &nothing_schema, .fire = reach_second };

/* ---- a set of triggers --------------------------------------------------------------------------------------------------- */

struct backlog {
	struct loop *loop;
	struct store *store;
	int64_t now;
	struct trigger_env env;
	struct triggers *ts;
	struct object *owner;
	struct val first_template, second_template;
	size_t most; /* in memory at once */
	size_t fired, dead, handed, handled;
};

static void
count_outcome(void *arg, const struct trigger_def *def UNUSED, const struct firing_outcome *o)
{
	struct backlog *b = arg;
	b->fired += o->verdict == FIRING_FIRED;
	b->dead += o->verdict == FIRING_DEAD;
	b->handed += o->verdict == FIRING_HANDED;
	b->handled += o->verdict == FIRING_HANDLED;
}

static void
open_backlog(struct backlog *b, struct world *w)
{
	struct err e;
	struct store_migration history[] = { { 1, bus_schema_sql }, { 2, sensor_schema_sql }, { 3, sensor_waiting_sql },
		                             { 4, firing_schema_sql }, { 5, firing_gather_sql }, { 6, firing_aside_sql } };
	*b = (struct backlog){ .loop = loop_new(), .now = START };
	loop_set_clock(b->loop, b->now);
	must(store_open(b->loop, S(""), history, ARRAY_LEN(history), &b->store, &e), &e);
	memset(targets, 0, sizeof targets);
	apply(w, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: owner}\n");
	b->owner = objects_find(w->objects, &kind_configmap, S("default"), S("owner"));
	assert_non_null(b->owner);
	must(json_read(w->arena, S("{\"first\":{}}"), &b->first_template, &e), &e);
	must(json_read(w->arena, S("{\"second\":{}}"), &b->second_template, &e), &e);
	b->env = (struct trigger_env){ .loop = b->loop, .store = b->store, .objects = w->objects, .dead_letters = 2 * MANY };
	b->ts = triggers_new(&b->env, count_outcome, b);
}

static struct trigger_def
def_of(const struct backlog *b, const char *name, bool second)
{
	return (struct trigger_def){ .ns = S("default"), .sensor = S("s"), .name = str_c(name), .kind = second ? &second_kind : &first_kind,
		                     .template = second ? &b->second_template : &b->first_template };
}

static struct trigger *
define(struct backlog *b, const struct trigger_def *def)
{
	struct trigger *t;
	struct err e;
	must(trigger_define(b->ts, def, b->owner, &t, &e), &e);
	return t;
}

static void
fire(struct backlog *b, struct trigger *t, int n)
{
	struct event *ev = event_bare();
	struct firing_outcome o;
	struct arena *a = arena_new();
	const str dep = S("d");
	ev->ns = S("default");
	ev->id = arena_fmt(ev->arena, "ev-%d", n);
	ev->source = S("hook");
	ev->type = ev->subject = S("x");
	ev->data = arena_fmt(ev->arena, "%d", n);
	const struct inputs in = { &dep, &ev, 1, loop_now(b->loop), false };
	trigger_fire(t, &in, a, &o);
	event_unref(ev);
	arena_free(a);
}

static void
turn(struct backlog *b, int wait_ms)
{
	loop_turn(b->loop, wait_ms);
	size_t n = triggers_in_memory(b->ts);
	b->most = n > b->most ? n : b->most;
}

static void
write_all(struct backlog *b)
{
	while (store_pending(b->store))
		turn(b, 20);
}

static void
fire_all(struct backlog *b, struct trigger *t, int from, int to)
{
	for (int n = from; n < to; n++) {
		fire(b, t, n);
		if (n % 256 == 255) /* not more than the store can take */
			write_all(b);
	}
	write_all(b);
}

static void
wait_for_calls_of(struct backlog *b, const struct target *t, size_t calls)
{
	for (int idle = 0; t->calls < calls && idle < 3000;) {
		size_t before = t->calls;
		turn(b, 20);
		idle = before == t->calls ? idle + 1 : 0;
	}
	write_all(b);
	assert_int_equal(t->calls, calls);
}

static void
pass(struct backlog *b, int64_t seconds)
{
	b->now += seconds * NS_PER_SEC;
	loop_set_clock(b->loop, b->now);
	turn(b, 0);
}

static void
expect_each_once(const struct target *t, int n)
{
	for (int i = 0; i < n; i++)
		assert_int_equal(t->got[i], 1);
}

static void
forget_calls(struct target *t)
{
	*t = (struct target){ .code = t->code, .alone = t->alone, .odd_ones_later = t->odd_ones_later };
}

static void
close_backlog(struct backlog *b)
{
	triggers_free(b->ts);
	write_all(b);
	store_close(b->store);
	loop_turn(b->loop, 0);
	loop_free(b->loop);
}

/* The daemon ends and starts again: only the store stays. */
static void
restart_triggers(struct backlog *b)
{
	triggers_free(b->ts);
	write_all(b);
	b->ts = triggers_new(&b->env, count_outcome, b);
}

/* ---- what waits ------------------------------------------------------------------------------------------------------------- */

static void
a_queue_before_a_target_that_is_down_is_on_disk(void **state)
{
	enum { N = 12000 };
	struct backlog b;
	open_backlog(&b, *state);
	struct trigger_def def = def_of(&b, "t", false);
	def.serial = true;
	targets[0].code = ERR_UNAVAILABLE;
	struct trigger *t = define(&b, &def);
	fire_all(&b, t, 0, N);
	assert_int_equal(trigger_pending(t), N);
	for (int minute = 0; minute < 60; minute++) { /* one call a pause, however many wait */
		wait_for_calls_of(&b, &targets[0], 1 + (size_t)minute);
		pass(&b, 70);
	}
	wait_for_calls_of(&b, &targets[0], 61);
	assert_true(triggers_in_memory(b.ts) <= QUEUE_MAX + 1);
	targets[0].code = ERR_NONE;
	forget_calls(&targets[0]);
	b.most = 0;
	pass(&b, 70);
	wait_for_calls_of(&b, &targets[0], N);
	assert_int_equal(targets[0].out_of_order, 0);
	expect_each_once(&targets[0], N);
	assert_int_equal(trigger_pending(t), 0);
	assert_true(b.most <= LIMIT);
	close_backlog(&b);
}

/* Each fails for itself, and the next ones flow: all of them wait for their next attempt at once. */
static struct trigger *
let_wait_beside(struct backlog *b, struct world *w, int n)
{
	open_backlog(b, w);
	struct trigger_def def = def_of(b, "t", false);
	targets[0].code = ERR_UNAVAILABLE;
	targets[0].alone = true;
	struct trigger *t = define(b, &def);
	fire_all(b, t, 0, n);
	wait_for_calls_of(b, &targets[0], (size_t)n);
	assert_int_equal(trigger_pending(t), n);
	assert_true(triggers_in_memory(b->ts) <= WAITING_MAX + FIRING_WINDOW);
	return t;
}

static void
what_waits_beside_the_queue_is_on_disk(void **state)
{
	struct backlog b;
	let_wait_beside(&b, *state, MANY);
	close_backlog(&b);
}

static void
what_waits_beside_the_queue_comes_back(void **state)
{
	enum { N = 15000 };
	struct backlog b;
	struct trigger *t = let_wait_beside(&b, *state, N);
	targets[0].code = ERR_NONE;
	forget_calls(&targets[0]);
	b.most = 0;
	pass(&b, 2); /* all are due */
	wait_for_calls_of(&b, &targets[0], N);
	expect_each_once(&targets[0], N);
	assert_int_equal(b.fired, N);
	assert_true(b.most <= LIMIT);
	assert_int_equal(trigger_pending(t), 0);
	assert_int_equal(triggers_in_memory(b.ts), 0);
	close_backlog(&b);
}

/* Again and again, and over a restart in between; no attempt too many, none too few. */
static void
what_is_set_aside_keeps_count_of_its_attempts(void **state)
{
	enum { N = 6000 };
	struct backlog b;
	open_backlog(&b, *state);
	struct trigger_def def = def_of(&b, "t", false);
	targets[0].code = ERR_UNAVAILABLE;
	targets[0].alone = true;
	struct trigger *t = define(&b, &def);
	fire_all(&b, t, 0, N);
	wait_for_calls_of(&b, &targets[0], N);
	pass(&b, 10);
	wait_for_calls_of(&b, &targets[0], 2 * N);
	restart_triggers(&b);
	t = define(&b, &def); /* what was waited for is due at once: the daemon was away */
	wait_for_calls_of(&b, &targets[0], 3 * N);
	pass(&b, 10);
	wait_for_calls_of(&b, &targets[0], 4 * N);
	assert_int_equal(b.dead, 0);
	pass(&b, 10);
	wait_for_calls_of(&b, &targets[0], 5 * N);
	assert_int_equal(b.dead, N);
	for (int i = 0; i < N; i++)
		assert_int_equal(targets[0].got[i], 5);
	assert_int_equal(trigger_pending(t), 0);
	assert_int_equal(triggers_in_memory(b.ts), 0);
	close_backlog(&b);
}

/* Later ones are handed over first: each takes its place. */
static void
what_a_dlqTrigger_that_is_down_was_handed_is_on_disk(void **state)
{
	enum { N = 12000 };
	struct backlog b;
	open_backlog(&b, *state);
	struct trigger_def def = def_of(&b, "t", false), dlq = def_of(&b, "t" FIRING_DLQ_NAME, true);
	dlq.is_dlq = true;
	dlq.serial = true;
	def.dlq = &dlq;
	targets[0].code = ERR_INVALID;
	targets[0].alone = targets[0].odd_ones_later = true;
	targets[1].code = ERR_UNAVAILABLE;
	struct trigger *t = define(&b, &def);
	fire_all(&b, t, 0, N);
	wait_for_calls_of(&b, &targets[0], N);
	assert_int_equal(b.handed, N / 2);
	pass(&b, 10);
	wait_for_calls_of(&b, &targets[0], N + N / 2);
	assert_int_equal(b.handed, N);
	assert_int_equal(trigger_pending(t), N);
	assert_true(triggers_in_memory(b.ts) <= QUEUE_MAX + FIRING_WINDOW);
	targets[1].code = ERR_NONE;
	forget_calls(&targets[1]);
	b.most = 0;
	pass(&b, 70);
	wait_for_calls_of(&b, &targets[1], N);
	assert_int_equal(targets[1].out_of_order, 0);
	expect_each_once(&targets[1], N);
	assert_int_equal(b.handled, N);
	assert_true(b.most <= LIMIT);
	assert_int_equal(triggers_in_memory(b.ts), 0);
	close_backlog(&b);
}

/* ---- the others ------------------------------------------------------------------------------------------------------------- */

struct cost {
	uint64_t jobs;  /* of the store */
	uint64_t turns; /* from the commit on, until the target is called */
	size_t calls;   /* of the target that is down */
};

struct written {
	struct loop *loop;
	uint64_t turn;
};

static void
note_turn(void *arg)
{
	struct written *w = arg;
	w->turn = loop_turns(w->loop);
}

/* One firing of the trigger whose target is there; `seconds` pass in the same turn. */
static struct cost
cost_of_one(struct backlog *b, struct trigger *up, int n, int64_t seconds)
{
	struct written w = { b->loop, 0 };
	struct cost c = { .jobs = store_jobs(b->store), .calls = targets[0].calls };
	size_t called = targets[1].calls;
	b->now += seconds * NS_PER_SEC;
	loop_set_clock(b->loop, b->now);
	fire(b, up, n);
	store_after_commit(b->store, note_turn, &w);
	wait_for_calls_of(b, &targets[1], called + 1);
	if (seconds)
		wait_for_calls_of(b, &targets[0], c.calls + 1);
	return (struct cost){ store_jobs(b->store) - c.jobs, targets[1].turn - w.turn, targets[0].calls - c.calls };
}

/* Counted, not measured: what one firing costs while another trigger's target is down for an hour and so many wait for it. */
static void
expect_same_cost(struct world *world, int backlog)
{
	struct backlog b;
	open_backlog(&b, world);
	struct trigger_def def = def_of(&b, "down", false), other = def_of(&b, "up", true);
	def.serial = true;
	targets[0].code = ERR_UNAVAILABLE;
	struct trigger *down = define(&b, &def), *up = define(&b, &other);
	fire_all(&b, down, 0, backlog);
	wait_for_calls_of(&b, &targets[0], backlog ? 1 : 0);
	for (int minute = 0; minute < 60; minute++) {
		struct cost c = cost_of_one(&b, up, 2 * minute, backlog ? 70 : 0); /* with the attempt at the other one's target */
		assert_int_equal(c.turns, 0);
		assert_int_equal(c.calls, backlog ? 1 : 0);
		assert_int_equal(c.jobs, 3 + c.calls); /* its row comes and goes, and the test's; the other's row */
		c = cost_of_one(&b, up, 2 * minute + 1, 0);
		assert_int_equal(c.turns, 0);
		assert_int_equal(c.jobs, 3);
		assert_int_equal(c.calls, 0);
	}
	close_backlog(&b);
}

static void
others_have_no_part_in_an_outage(void **state)
{
	expect_same_cost(*state, 0);
	expect_same_cost(*state, 10);
	expect_same_cost(*state, 10000);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, new_world, end_world)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_queue_before_a_target_that_is_down_is_on_disk),
		TEST(what_waits_beside_the_queue_is_on_disk),
		TEST(what_waits_beside_the_queue_comes_back),
		TEST(what_is_set_aside_keeps_count_of_its_attempts),
		TEST(what_a_dlqTrigger_that_is_down_was_handed_is_on_disk),
		TEST(others_have_no_part_in_an_outage),
	};
	log_setup((enum log_level)(LOG_ERROR + 1), LOG_LOGFMT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
