/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tryout.h"

#include "triggers/firing.h"

struct tryout {
	struct loop *loop;
	struct store *store; /* in memory: for firings that gather or wait, and dead letters */
	struct sensors *sensors;
	struct tryout_listener listener;
	int64_t seq;
};

/* Sensors that are tried out ask for no bus. */
static struct bus *
no_bus(void *arg UNUSED, str ns UNUSED, str name UNUSED)
{
	return NULL;
}

static void
fired(void *arg, struct firing *f)
{
	struct tryout *t = arg;
	t->listener.fired(t->listener.arg, f);
	firing_done(f, NULL, NULL);
}

static bool
is_busy(const struct tryout *t)
{
	return store_pending(t->store) || (t->sensors && (sensors_under_way(t->sensors) || triggers_under_way(sensors_triggers(t->sensors))));
}

/* Until nothing goes on before time passes. */
static void
settle(struct tryout *t)
{
	while (is_busy(t) || loop_next_timer(t->loop) <= loop_now(t->loop))
		loop_turn(t->loop, is_busy(t) ? 20 : 0);
}

int
tryout_new(struct objects *objects, int64_t now, const struct tryout_listener *listener, struct tryout **out, struct err *e)
{
	struct store_migration history[] = { { 1, bus_schema_sql }, { 2, sensor_schema_sql }, { 3, sensor_waiting_sql }, { 4, firing_schema_sql },
	                                     { 5, firing_gather_sql }, { 6, sensor_explain_sql }, { 7, firing_aside_sql } };
	struct tryout *t = MEM_NEW(struct tryout);
	t->listener = *listener;
	t->loop = loop_new();
	loop_set_clock(t->loop, now);
	if (store_open(t->loop, S(""), history, ARRAY_LEN(history), &t->store, e) < 0) {
		loop_free(t->loop);
		free(t);
		return -1;
	}
	struct trigger_env env = { .loop = t->loop, .store = t->store, .objects = objects, .instead = fired, .arg = t };
	t->sensors = sensors_new(&env, no_bus, t);
	sensors_try_out(t->sensors, listener->decided, listener->arg, listener->brief);
	if (sensors_apply(t->sensors, e) < 0) {
		tryout_free(t);
		return -1;
	}
	settle(t);
	*out = t;
	return 0;
}

void
tryout_until(struct tryout *t, int64_t at)
{
	for (int64_t due; (due = loop_next_timer(t->loop)) <= at;) {
		loop_set_clock(t->loop, due);
		settle(t);
	}
	if (at > loop_now(t->loop))
		loop_set_clock(t->loop, at);
}

size_t
tryout_take(struct tryout *t, struct event *ev)
{
	if (!ev->seq)
		ev->seq = t->seq + 1;
	t->seq = ev->seq;
	size_t n = sensors_take(t->sensors, ev);
	settle(t);
	return n;
}

void
tryout_free(struct tryout *t)
{
	if (!t)
		return;
	sensors_free(t->sensors);
	t->sensors = NULL;
	for (int quiet = 0; quiet < 2; quiet++) { /* what the end of the sensors left for the next turn */
		settle(t);
		loop_turn(t->loop, 0);
	}
	store_close(t->store);
	loop_turn(t->loop, 0);
	loop_free(t->loop);
	free(t);
}

/* ---- decisions kept --------------------------------------------------------------------------------------------------------- */

static bool
is_about(const struct decided *x, str ns, str sensor, enum rows_how how, const struct decision *d)
{
	if (how == ROWS_REPORTED)
		return x->firing.n && str_eq(x->firing, d->firing);
	return str_eq(x->ns, ns) && str_eq(x->sensor, sensor) && str_eq(x->event, d->event) && str_eq(x->dependency, d->dependency) &&
	       str_eq(x->trigger, d->trigger);
}

static void
set(struct decisions *l, struct decided *x, const struct decision *d)
{
	x->verdict = str_c(d->verdict);
	x->reason = arena_dup(l->arena, d->reason);
	x->firing = arena_dup(l->arena, d->firing);
}

void
decisions_add(struct decisions *l, str ns, str sensor, enum rows_how how, const struct decision *d)
{
	struct arena *a = l->arena;
	if (how == ROWS_NEW) {
		struct decided *x = VEC_PUSH(&l->v);
		*x = (struct decided){ .ns = arena_dup(a, ns), .sensor = arena_dup(a, sensor), .event = arena_dup(a, d->event),
			               .dependency = arena_dup(a, d->dependency), .trigger = arena_dup(a, d->trigger) };
		set(l, x, d);
		return;
	}
	for (size_t i = l->v.n; i-- > 0;) {
		if (!is_about(&l->v.p[i], ns, sensor, how, d))
			continue;
		set(l, &l->v.p[i], d);
		if (how == ROWS_CHANGED)
			return; /* the latest one; a report is about all events of its firing */
	}
}
