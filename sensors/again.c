/* SPDX-License-Identifier: Apache-2.0 */
/* Dead letters that are events: they come back to their dependency, or to the trigger that could not run. */
#include "sensors/impl.h"

/* Where a dead letter goes: a dependency, or a trigger that could not run. False: there is no such thing now. */
static bool
find_again(struct sensors *ss, const struct dead_again *x, struct sensor **s, size_t *dep, struct program_trigger **t)
{
	*s = map_get(&ss->by_name, arena_fmt(ss->tmp, "%.*s/%.*s", STR_ARG(x->ns), STR_ARG(x->sensor)));
	*dep = *s ? program_dep_named((*s)->prog, x->dependency) : SIZE_MAX;
	*t = *s && x->trigger.n ? program_trigger_named((*s)->prog, x->trigger) : NULL;
	return *dep != SIZE_MAX && (*t || !x->trigger.n);
}

static void
decide_again(struct sensor *s, const struct dead_again *x, size_t dep, struct program_trigger *t, const struct transformed *seen)
{
	dead_letter_taken(s->ss->triggers, x->id);
	if (t)
		(void)decide_at_trigger(s, t, dep, x->ev);
	else
		decide_at_dependency(s, dep, x->ev, seen, seen != NULL);
	if (s->prog->timed)
		joining_arm(s, INT64_MIN);
}

/* Lies in the arena of the event, which the job keeps. */
struct awaited_again {
	struct sensors *ss;
	struct dead_again x;
};

static void
transformed_again(void *arg, str out, const struct err *e)
{
	struct awaited_again *w = arg;
	struct program_trigger *t;
	struct sensor *s;
	size_t dep;
	if (!find_again(w->ss, &w->x, &s, &dep, &t))
		return; /* the letter stays */
	struct transformed seen = { .dep = dep };
	if (!e)
		seen.ev = event_with_data(w->x.ev, out);
	else
		seen.why = str_c(e->msg);
	decide_again(s, &w->x, dep, t, &seen);
	event_unref(seen.ev);
	arena_reset(w->ss->tmp);
}

static void
transform_again(struct sensor *s, size_t dep, const struct dead_again *x)
{
	struct event *ev = event_with_data(x->ev, x->ev->data);
	struct arena *a = ev->arena;
	struct awaited_again *w = ARENA_NEW(a, struct awaited_again);
	*w = (struct awaited_again){ s->ss, { arena_dup(a, x->id), arena_dup(a, x->ns), arena_dup(a, x->sensor), S(""), arena_dup(a, x->dependency), ev } };
	jq_run(sensor_jq(s), s->prog->deps[dep].transform.spec->jq, ev, transformed_again, w);
	event_unref(ev);
}

/* A dead letter comes back. */
bool
again(void *arg, const struct dead_again *x)
{
	struct sensors *ss = arg;
	struct program_trigger *t;
	struct sensor *s;
	size_t dep;
	bool known = find_again(ss, x, &s, &dep, &t);
	if (known && !t && !s->prog->deps[dep].problem.p && transformer_is_jq(&s->prog->deps[dep].transform) && event_is_json(x->ev)) {
		transform_again(s, dep, x);
	} else if (known) {
		struct transformed none = { .dep = dep, .why = S("the event's data is no JSON") };
		decide_again(s, x, dep, t, &none);
	}
	arena_reset(ss->tmp);
	return known;
}
