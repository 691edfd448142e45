/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live: the runs in memory. A stimulus changes the run at once; its effects are gathered, for the end of the turn (commit.c), or handed to
 * those who carry them out (tasks.c, grant.c, cache.c).
 */
#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "engine/custom_metrics.h"
#include "engine/shell.h"

struct run_timer {
	struct timer timer;
	struct live *live;
	str node_id; /* owned; empty: the workflow's own */
};

/* ---- lives --------------------------------------------------------------------------------------------------- */

static str
map_key(str ns, str name)
{
	struct buf b = { 0 };
	buf_add(&b, ns);
	buf_addc(&b, '/');
	buf_add(&b, name);
	return buf_str(&b); /* the buffer's memory is the key's */
}

struct live *
live_find(const struct engine *g, str ns, str name)
{
	str key = map_key(ns, name);
	struct live *l = map_get(&g->lives, key);
	str_disown(key);
	return l && !l->deleted ? l : NULL;
}

struct live *
live_new(struct engine *g, struct run *r, int64_t id, int64_t created, str key)
{
	struct live *l = MEM_NEW(struct live);
	l->engine = g;
	l->run = r;
	l->id = id;
	l->created = created;
	l->map_key = map_key(run_ns(r), run_name(r));
	l->phase_told = run_phase(r);
	map_put(&g->lives, l->map_key, l);
	if (key.p) {
		l->key = str_own(key);
		map_put(&g->keys, l->key, l);
	}
	return l;
}

struct live *
live_read(struct engine *g, struct archived *x)
{
	struct live *l = live_new(g, x->run, x->id, x->created, STR_NONE);
	l->inserted = true;
	l->tagged = run_finished(x->run);
	l->spec_version = run_spec_version(x->run);
	return l;
}

static void
timer_free(struct run_timer *t)
{
	timer_stop(&t->timer);
	str_disown(t->node_id);
	free(t);
}

void
live_forget(struct live *l)
{
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&l->timers, &i));)
		timer_free(slot->value);
	map_free(&l->timers);
	timer_stop(&l->later);
	timer_stop(&l->more);
	line_leave(l);
	map_del(&l->engine->lives, l->map_key);
	str_disown(l->map_key);
	if (l->key.p) {
		map_del(&l->engine->keys, l->key);
		str_disown(l->key);
	}
	run_free(l->run);
	VEC_FREE(&l->dirty);
	VEC_FREE(&l->dues);
	VEC_FREE(&l->actions);
	VEC_FREE(&l->waiters);
	free(l);
}

/* ---- effects ------------------------------------------------------------------------------------------------------ */

static void
timer_fired(void *arg)
{
	struct run_timer *t = arg;
	struct live *l = t->live;
	struct stimulus s = { .kind = STIM_TIMER, .now = loop_now(l->engine->loop), .node_id = t->node_id };
	map_del(&l->timers, t->node_id);
	live_advance(l, &s);
	timer_free(t);
}

static void
set_timer(struct live *l, str node_id, int64_t at_ns)
{
	struct run_timer *t = map_get(&l->timers, node_id);
	if (!t) {
		t = MEM_NEW(struct run_timer);
		t->live = l;
		t->node_id = str_own(node_id);
		map_put(&l->timers, t->node_id, t);
	}
	timer_start(l->engine->loop, &t->timer, at_ns, timer_fired, t);
}

static void
report_metric(struct live *l, const struct custom_metric *m)
{
	struct engine *g = l->engine;
	struct err e;
	if (custom_metrics_report(g->metrics, run_uid(l->run), m, loop_now(g->loop), &e))
		run_metrics_failed(l->run, str_c(e.msg));
}

static void
apply(struct live *l, const struct effect *x)
{
	int64_t at;
	switch (x->kind) {
	case EFFECT_START:
		tasks_start(l, x);
		break;
	case EFFECT_KILL:
		*VEC_PUSH(&l->actions) = (struct action){ ACTION_KILL, node_id(run_node(l->run, x->node_id)), x->task ? x->task->grace_seconds : 30 };
		break;
	case EFFECT_TIMER:
		set_timer(l, x->node_id, x->at_ns);
		break;
	case EFFECT_MEMO:
		cache_keep(l, x);
		break;
	case EFFECT_LOCK:
		grants_ask(l, x);
		break;
	case EFFECT_UNLOCK:
		grants_release(l, x->node_id);
		break;
	case EFFECT_SAVE:
		*VEC_PUSH(&l->dirty) = x->node;
		if ((at = run_gc_pod(l->run, x->node)))
			*VEC_PUSH(&l->dues) = (struct due){ at, DUE_POD, node_pod(x->node) };
		break;
	case EFFECT_METRIC:
		report_metric(l, x->metric);
		break;
	case EFFECT_FINISHED:
		admission_leave(l);
		baseline_learn(l->engine, l->run);
		custom_metrics_stop(l->engine->metrics, run_uid(l->run));
		log_info("workflow finished", "namespace", run_ns(l->run).p, "workflow", run_name(l->run).p, "phase",
			phase_name(run_phase(l->run)), NULL);
		break;
	}
}

/* ---- stimuli ------------------------------------------------------------------------------------------------------ */

/* What was left of a stimulus, now that everybody else had a turn. */
static void
go_on(void *arg)
{
	struct live *l = arg;
	const struct stimulus s = { .kind = STIM_GO_ON, .now = loop_now(l->engine->loop) };
	if (!l->deleted && !l->engine->closing)
		live_advance(l, &s);
}

static void
advance(struct live *l, const struct stimulus *s)
{
	/* An effect may not lead to a stimulus from within, so one scratch arena is enough. */
	struct effect *effects = NULL;
	const int64_t began = clock_monotonic_ns();
	run_advance(l->run, s, l->engine->scratch, &effects);
	for (const struct effect *x = effects; x; x = x->next)
		apply(l, x);
	measure_phase(l, false);
	metric_observe(METRIC_OPERATION, measure_since(began), NULL);
	arena_reset(l->engine->scratch);
	if (run_busy(l->run) && !timer_is_armed(&l->more))
		timer_start(l->engine->loop, &l->more, s->now, go_on, l);
	grants_tell(l->engine);
	admission_serve(l->engine);
}

void
live_advance(struct live *l, const struct stimulus *s)
{
	advance(l, s);
	live_changed(l);
}

void
live_room(struct live *l, const struct stimulus *s)
{
	advance(l, s);
	if (l->dirty.n || l->actions.n || run_finished(l->run))
		live_changed(l);
}

void
live_look_on(struct live *l, const struct stimulus *s)
{
	advance(l, s);
	if (l->actions.n || l->waiters.n || run_finished(l->run))
		live_changed(l);
	else
		live_changed_soon(l);
}
