/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sensor reads its bus in order. For every event and every dependency that names it: filters, then, for every trigger
 * whose conditions use the dependency, either an immediate firing (conditions without &&) or a place among the events that
 * wait, and a firing when they are complete. Everything that this decides (state, decisions, firings, and what triggers
 * do inside) is queued in the turn of the event and commits with it; so the event is consumed at once, and a crash
 * leaves either all of it or nothing.
 */
#include "sensors/impl.h"

/* ---- decisions ----------------------------------------------------------------------------------------------------------- */

struct decision
decision_about(struct sensor *s, const struct event *ev, size_t dep, const struct program_trigger *t)
{
	return (struct decision){ .event = ev->id, .dependency = s->prog->deps[dep].spec->name, .trigger = t ? t->name : STR_NONE,
		                  .time_ns = loop_now(s->ss->env.loop) };
}

void
decide(struct sensor *s, const struct event *ev, size_t dep, const struct program_trigger *t, const char *verdict, str reason)
{
	struct decision d = decision_about(s, ev, dep, t);
	d.verdict = verdict;
	d.reason = reason;
	rows_decide(s->ss->rows, s->id, &d);
}

static const char *const verdict_names[] = { [FIRING_PENDING] = "pending", [FIRING_FIRED] = "fired", [FIRING_FAILED] = "failed",
	                                     [FIRING_DEAD] = "dead-letter", [FIRING_HANDED] = "failed", [FIRING_HANDLED] = "dead-letter",
	                                     [FIRING_SUPERSEDED] = "superseded" };

static bool
is_final(enum firing_verdict v)
{
	return v == FIRING_FIRED || v == FIRING_HANDLED || v == FIRING_SUPERSEDED; /* a dead letter may be tried again */
}

/* The framework tells what became of a firing later on. */
void
decide_report(void *arg, const struct trigger_def *def, const struct firing_outcome *o)
{
	struct sensors *ss = arg;
	struct arena *a = arena_new();
	struct sensor *s = map_get(&ss->by_name, arena_fmt(a, "%.*s/%.*s", STR_ARG(def->ns), STR_ARG(def->sensor)));
	struct decision d = { .verdict = verdict_names[o->verdict], .reason = o->reason, .firing = o->id };
	if (o->result)
		d.result = json_write(a, o->result);
	if (s && o->verdict == FIRING_FIRED)
		s->fired++;
	rows_report(ss->rows, s ? s->id : 0, &d, is_final(o->verdict));
	arena_free(a);
}

/* The event cannot go on, through no fault of its own perhaps: it is kept with the reason. */
void
decide_stop(struct sensor *s, size_t dep, const struct program_trigger *t, struct event *ev, str reason)
{
	const struct inputs in = { &s->prog->deps[dep].spec->name, &ev, 1, loop_now(s->ss->env.loop) };
	decide(s, ev, dep, t, "error", reason);
	dead_letter_keep(s->ss->triggers, s->prog->object->ns, s->prog->object->name, t ? t->name : STR_NONE, &in, reason);
}

/* ---- firing ------------------------------------------------------------------------------------------------------------------ */

static int
by_arrival(const void *x, const void *y)
{
	const struct part *a = x, *b = y;
	if (a->ev->seq != b->ev->seq)
		return a->ev->seq < b->ev->seq ? -1 : 1;
	return a->dep < b->dep ? -1 : a->dep > b->dep;
}

void
decide_fire(struct sensor *s, struct program_trigger *t, struct part *parts, size_t n, const struct part *last)
{
	struct arena *a = s->ss->tmp;
	str *deps = ARENA_ARRAY(a, str, n);
	struct event **events = ARENA_ARRAY(a, struct event *, n);
	struct firing_outcome o;
	qsort(parts, n, sizeof *parts, by_arrival);
	for (size_t i = 0; i < n; i++) {
		deps[i] = s->prog->deps[parts[i].dep].spec->name;
		events[i] = parts[i].ev;
	}
	struct inputs in = { deps, events, n, loop_now(s->ss->env.loop) };
	trigger_fire(t->runs, &in, a, &o);
	s->fired += o.verdict == FIRING_FIRED;
	for (size_t i = 0; i < n; i++) {
		struct decision d = decision_about(s, parts[i].ev, parts[i].dep, t);
		d.verdict = verdict_names[o.verdict];
		d.reason = o.reason;
		d.result = o.result ? json_write(a, o.result) : STR_NONE;
		d.firing = is_final(o.verdict) ? STR_NONE : o.id;
		if (parts[i].ev == last->ev && parts[i].dep == last->dep)
			rows_decide(s->ss->rows, s->id, &d);
		else
			rows_redecide(s->ss->rows, s->id, &d); /* it was waiting until now */
	}
}

void
decide_at_trigger(struct sensor *s, struct program_trigger *t, size_t dep, struct event *ev)
{
	if (!t->runs) {
		decide_stop(s, dep, t, ev, t->problem);
		return;
	}
	if (!condition_uses(&t->cond, dep))
		return;
	if (t->cond.joins) {
		joining_enter(s, t, dep, ev);
		return;
	}
	struct part only = { ev, dep };
	decide_fire(s, t, &only, 1, &(struct part){ ev, dep });
}

/* What the dependency's onError says of an event that transform or filters failed on. True: it goes on all the same. */
static bool
goes_on(struct sensor *s, size_t dep, struct event *came, str why)
{
	str how = s->prog->deps[dep].spec->on_error;
	if (str_eq(how, S("pass")))
		return true;
	if (str_eq(how, S("drop")))
		decide(s, came, dep, NULL, "error", why);
	else
		decide_stop(s, dep, NULL, came, why);
	return false;
}

/* What the filters say of the event as its transform left it; `came`: as it was before. */
static void
filter_event(struct sensor *s, size_t dep, struct event *ev, struct event *came)
{
	const struct program_dep *d = &s->prog->deps[dep];
	struct filtered f = { .ev = ev, .tmp = s->ss->tmp, .file = s->prog->object->file };
	str why = STR_NONE;
	enum verdict v = filter_set_eval(&d->filters, &f, &why);
	if (v == FILTER_MISS)
		decide(s, ev, dep, NULL, "filtered", why);
	if (v == FILTER_MISS || (v == FILTER_ERROR && !goes_on(s, dep, came, why)))
		return;
	for (size_t i = 0; i < s->prog->triggers_n; i++)
		decide_at_trigger(s, &s->prog->triggers[i], dep, ev);
}

/* What the dependency sees of the event, with one reference; NULL: nothing, because of `why`. */
static struct event *
seen_by(struct sensor *s, size_t dep, struct event *ev, const struct transformed *t, size_t n, str *why)
{
	const struct program_dep *d = &s->prog->deps[dep];
	*why = d->problem;
	if (d->problem.p)
		return NULL;
	if (!d->transform.spec)
		return event_ref(ev);
	if (!transformer_is_jq(&d->transform))
		return transform_now(&d->transform, ev, s->ss->tmp, why);
	while (n-- > 0 && t->dep != dep)
		t++;
	*why = t->why;
	return t->ev ? event_ref(t->ev) : NULL;
}

void
decide_at_dependency(struct sensor *s, size_t dep, struct event *ev, const struct transformed *t, size_t n)
{
	str why;
	struct event *seen = seen_by(s, dep, ev, t, n, &why);
	if (!seen && goes_on(s, dep, ev, why))
		seen = event_ref(ev);
	if (seen)
		filter_event(s, dep, seen, ev);
	event_unref(seen);
}

/* Decides on the event; `t` has what jq programs made of it. */
void
decide_ready(void *arg, struct event *ev, const struct transformed *t, size_t n)
{
	struct sensor *s = arg;
	for (size_t at = program_find(s->prog, ev->source, ev->subject); at; at = s->prog->deps[at - 1].next) {
		decide_at_dependency(s, at - 1, ev, t, n);
		s->events++;
	}
	arena_reset(s->ss->tmp);
	if (s->prog->timed)
		joining_arm(s, INT64_MIN);
	if (s->sub)
		bus_consumed(s->sub, ev->seq);
}

void
decide_received(void *arg, struct event *ev)
{
	struct sensor *s = arg;
	if (!awaiting_add(s->awaiting, s->prog, ev))
		decide_ready(s, ev, NULL, 0);
}
