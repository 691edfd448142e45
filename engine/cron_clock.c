/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose slot is due. All CronWorkflows that wait for one stand in a heap, and one timer waits for the first of them.
 * Those that are suspended or have stopped are not in it and cost nothing.
 *
 * A clock that is set back brings no slot a second time, as a slot before the last decided one is never looked at. What
 * was decided far in the future was decided by a clock that was wrong, and does not count.
 */
#include "engine/cron.h"

#include "core/log.h"

enum { DECISIONS_A_TURN = 64 };
#define CLOCK_WAS_WRONG (24 * 3600) /* s */

static bool
sooner(struct heap_node *a, struct heap_node *b)
{
	const struct cron_entry *x = CONTAINER_OF(a, struct cron_entry, due),
				*y = CONTAINER_OF(b, struct cron_entry, due);
	return x->next != y->next ? x->next < y->next : str_cmp(x->key, y->key) < 0;
}

static int64_t
now_seconds(const struct cron_clock *c)
{
	return loop_now(c->engine->loop) / NS_PER_SEC;
}

/* ---- waiting ------------------------------------------------------------------------------------------------- */

static void tick(void *arg);

static struct cron_entry *
first(const struct cron_clock *c)
{
	struct heap_node *top = heap_top(&c->due);
	return top ? CONTAINER_OF(top, struct cron_entry, due) : NULL;
}

static void
wait_for_first(struct cron_clock *c)
{
	const struct cron_entry *x = first(c);
	if (!x || c->engine->closing)
		timer_stop(&c->timer);
	else if (!timer_is_armed(&c->timer) || c->timer.at_ns != x->next)
		timer_start(c->engine->loop, &c->timer, x->next, tick, c);
}

static void
enter(struct cron_entry *x)
{
	heap_del(&x->clock->due, &x->due);
	if (!x->object || !x->readable || x->row.held || x->row.stopped || !x->clock->started)
		return;
	x->next = slots_next(&x->slots, x->row.decided * NS_PER_SEC);
	if (x->next < INT64_MAX)
		heap_add(&x->clock->due, &x->due);
}

void
cron_rearm(struct cron_entry *x)
{
	enter(x);
	wait_for_first(x->clock);
}

/* Many that are due at once leave others their turn. */
static void
tick(void *arg)
{
	struct cron_clock *c = arg;
	int64_t now = loop_now(c->engine->loop);
	struct cron_entry *x;
	for (int n = 0; n < DECISIONS_A_TURN && (x = first(c)) && x->next <= now; n++) {
		cron_decide(x, now);
		enter(x);
	}
	wait_for_first(c);
}

/* ---- objects in force ---------------------------------------------------------------------------------------- */

/* What was due up to now is not missed. */
static void
begin_anew(struct cron_entry *x)
{
	int64_t now = now_seconds(x->clock);
	if (x->row.decided < now)
		x->row.decided = now;
}

static void
read_slots(struct cron_entry *x)
{
	struct err e;
	arena_free(x->arena);
	x->arena = arena_new();
	x->readable = slots_read(x->object, x->row.since * NS_PER_SEC, x->arena, &x->slots, &e) == 0;
	if (x->readable)
		return;
	log_error("a CronWorkflow's schedule cannot be read: it starts nothing", "namespace", x->ns.p, "cronworkflow",
		x->name.p, "error", e.msg, NULL);
	cron_set(&x->row.spec_error, str_c(e.msg));
}

/* The schedules of the row, if they are other ones: slots before now are no business of theirs. */
static bool
take_schedules(struct cron_entry *x, str text)
{
	int64_t now = now_seconds(x->clock);
	if (x->kept && str_eq(x->row.schedules, text))
		return false;
	x->row.since = x->row.decided = now;
	if (!x->kept)
		x->row.created = now;
	cron_set(&x->row.schedules, text);
	return true;
}

static bool
take_suspend(struct cron_entry *x)
{
	const struct cron_workflow_spec *s = cron_spec(x);
	struct cron_row *r = &x->row;
	bool before = r->held, forgotten = r->hold && r->hold_suspend != s->suspend;
	if (forgotten)
		r->hold = HOLD_BY_MANIFEST;
	r->held = r->hold ? r->hold == HOLD_YES : s->suspend;
	if (before && !r->held)
		begin_anew(x);
	return forgotten || before != r->held;
}

/* Stopped for good means by this expression: with another one it is asked again. */
static bool
take_stop(struct cron_entry *x)
{
	if (!x->row.stopped || str_eq(x->row.stop, val_get_str(cron_spec(x)->stop_strategy, "expression")))
		return false;
	x->row.stopped = false;
	cron_set(&x->row.stop, STR_NONE);
	begin_anew(x);
	return true;
}

static bool
mend_clock(struct cron_entry *x)
{
	int64_t now = now_seconds(x->clock);
	if (x->row.decided <= now + CLOCK_WAS_WRONG)
		return false;
	log_warn("the clock was far ahead when a CronWorkflow was last looked at", "namespace", x->ns.p, "cronworkflow",
		x->name.p, NULL);
	x->row.decided = now;
	if (x->row.since > now)
		x->row.since = now;
	return true;
}

static void
take_object(struct cron_entry *x, struct object *o)
{
	struct arena *tmp CLEANUP(free_arena) = arena_new();
	object_ref(o);
	object_unref(x->object);
	x->object = o;
	bool changed = take_schedules(x, slots_text(cron_spec(x), tmp));
	changed |= take_suspend(x);
	changed |= take_stop(x);
	changed |= mend_clock(x);
	read_slots(x);
	if (changed || !x->readable)
		cron_write(x, 0);
	enter(x);
	cron_trim(x);
}

static void
take_all(struct engine *g)
{
	struct object *o;
	for (size_t i = 0; (o = objects_next(g->objects, &kind_cronworkflow, &i));) {
		struct cron_entry *x = cron_get(g, o->ns, o->name);
		x->seen = true;
		if (x->object != o)
			take_object(x, o);
	}
}

/* Those that have gone. */
static void
drop_all(struct engine *g)
{
	VEC(struct cron_entry *) gone = { 0 };
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&g->cron->entries, &i));) {
		struct cron_entry *x = slot->value;
		if (!x->seen && (x->object || x->kept))
			*VEC_PUSH(&gone) = x;
		x->seen = false;
	}
	for (size_t i = 0; i < gone.n; i++)
		cron_drop(gone.p[i]);
	VEC_FREE(&gone);
}

void
cron_apply(struct engine *g)
{
	if (!g->cron->started)
		return;
	take_all(g);
	drop_all(g);
	wait_for_first(g->cron);
}

void
cron_hold(struct cron_entry *x, bool on)
{
	struct cron_row *r = &x->row;
	bool manifest = cron_spec(x)->suspend;
	r->hold = on == manifest ? HOLD_BY_MANIFEST : on ? HOLD_YES : HOLD_NO;
	r->hold_suspend = manifest;
	if (r->held && !on)
		begin_anew(x);
	r->held = on;
	cron_write(x, 0);
	cron_rearm(x);
}

/* ---- life cycle ---------------------------------------------------------------------------------------------- */

struct cron_clock *
cron_new(struct engine *g)
{
	struct cron_clock *c = MEM_NEW(struct cron_clock);
	c->engine = g;
	c->due.before = sooner;
	c->expressions = evaluator_new();
	return c;
}

int
engine_cron_start(struct engine *g, struct err *e)
{
	struct cron_clock *c = g->cron;
	if (cron_read(g, e))
		return err_wrap(e, "CronWorkflows");
	c->started = loop_now(g->loop);
	cron_apply(g);
	return 0;
}

void
cron_free(struct cron_clock *c)
{
	struct map_slot *slot;
	if (!c)
		return;
	timer_stop(&c->timer);
	cron_trim_stop(c);
	for (size_t i = 0; (slot = map_next(&c->active, &i));)
		cron_active_free(slot->value);
	for (size_t i = 0; (slot = map_next(&c->entries, &i));) {
		struct cron_entry *x = slot->value;
		object_unref(x->object);
		x->object = NULL;
		cron_put_back(x);
	}
	heap_free(&c->due);
	map_free(&c->active);
	map_free(&c->entries);
	evaluator_free(c->expressions);
	free(c);
}
