/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sensor reads its bus in order. For every event and every dependency that names it: filters, then, for every trigger
 * whose conditions use the dependency, either an immediate firing (conditions without &&) or a place among the events that
 * wait, and a firing when they are complete. Everything that this decides (state, decisions, firings, and what triggers
 * do inside) is queued in the turn of the event and commits with it; so the event is consumed at once, and a crash
 * leaves either all of it or nothing.
 */
#include "sensors/impl.h"
#include "sensors/version.h"

enum { TRIED_MAX = 500 /* bytes of an error that are kept */ };

/* ---- decisions ----------------------------------------------------------------------------------------------------------- */

struct decision
decision_about(struct sensor *s, const struct event *ev, size_t dep, const struct program_trigger *t)
{
	return (struct decision){ .event = ev->id, .dependency = s->prog->deps[dep].spec->name, .trigger = t ? t->name : STR_NONE, .why = -1,
		                  .time_ns = loop_now(s->ss->env.loop) };
}

/* What the filters looked at goes with the first decision about the event at the dependency. */
static void
tell(struct sensor *s, struct decision *d)
{
	struct sensors *ss = s->ss;
	if (!s->version && !ss->told)
		s->version = version_save(ss->rows, s->id, s->prog, d->time_ns);
	d->version = s->version;
	if (ss->trace.n && !ss->trace_told && !ss->told)
		d->trace = trace_write(&ss->trace, ss->tmp);
	ss->trace_told = true;
	rows_decide(ss->rows, s->id, d);
}

void
decide(struct sensor *s, const struct event *ev, size_t dep, const struct program_trigger *t, const char *verdict, str reason)
{
	struct decision d = decision_about(s, ev, dep, t);
	d.verdict = verdict;
	d.reason = reason;
	tell(s, &d);
}

static const char *const verdict_names[] = { [FIRING_PENDING] = "pending", [FIRING_FIRED] = "fired", [FIRING_FAILED] = "failed",
	                                     [FIRING_DEAD] = "dead-letter", [FIRING_HANDED] = "failed", [FIRING_HANDLED] = "dead-letter",
	                                     [FIRING_SUPERSEDED] = "superseded" };

static bool
is_final(enum firing_verdict v)
{
	return v == FIRING_FIRED || v == FIRING_HANDLED || v == FIRING_SUPERSEDED; /* a dead letter may be tried again */
}

/* What is kept of an attempt that failed, so that the one that comes next does not hide it. */
static str
try_line(struct arena *a, const struct firing_outcome *o, int64_t now)
{
	bool tried = o->attempt && (o->verdict == FIRING_FAILED || o->verdict == FIRING_DEAD || o->verdict == FIRING_HANDED);
	return tried ? arena_fmt(a, "%lld\t%.*s", (long long)now, STR_ARG(str_slice(o->reason, 0, TRIED_MAX))) : STR_NONE;
}

/* The framework tells what became of a firing later on. */
void
decide_report(void *arg, const struct trigger_def *def, const struct firing_outcome *o)
{
	struct sensors *ss = arg;
	struct arena *a = arena_new();
	struct sensor *s = map_get(&ss->by_name, arena_fmt(a, "%.*s/%.*s", STR_ARG(def->ns), STR_ARG(def->sensor)));
	struct decision d = { .verdict = verdict_names[o->verdict], .reason = o->reason, .firing = o->id, .why = -1, .attempts = o->attempt,
		              .time_ns = loop_now(ss->env.loop) };
	d.tried = try_line(a, o, d.time_ns);
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
		d.held = o.held;
		d.attempts = o.attempt;
		d.tried = try_line(a, &o, d.time_ns);
		if (parts[i].ev == last->ev && parts[i].dep == last->dep)
			tell(s, &d);
		else
			rows_redecide(s->ss->rows, s->id, &d); /* it was waiting until now */
	}
}

bool
decide_at_trigger(struct sensor *s, struct program_trigger *t, size_t dep, struct event *ev)
{
	struct part only = { ev, dep };
	if (!t->runs)
		decide_stop(s, dep, t, ev, t->problem);
	else if (!condition_uses(&t->cond, dep))
		return false;
	else if (t->cond.joins)
		joining_enter(s, t, dep, ev);
	else
		decide_fire(s, t, &only, 1, &(struct part){ ev, dep });
	return true;
}

/* ---- an event at a dependency ---------------------------------------------------------------------------------------- */

/* A look that did not pass, in words. */
static str
reason_of(const struct sensor *s, size_t dep, const struct trace_look *l)
{
	return trace_reason(s->ss->tmp, &s->prog->deps[dep].checks[l->check], l);
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

/* The reason is put together by whoever reads it: most events end here. */
static void
filtered_out(struct sensor *s, size_t dep, const struct event *ev, const struct trace_look *why)
{
	struct decision d = decision_about(s, ev, dep, NULL);
	d.verdict = "filtered";
	d.why = (int64_t)(s->prog->deps[dep].first_check + why->check);
	if (s->ss->told && !s->ss->brief)
		d.reason = reason_of(s, dep, why); /* it is read now */
	tell(s, &d);
}

/* Nothing is lost without a word: not even what no trigger asks for. */
static void
at_triggers(struct sensor *s, size_t dep, struct event *ev)
{
	const struct program *p = s->prog;
	bool used = false;
	for (size_t i = 0; i < p->triggers_n; i++)
		used |= decide_at_trigger(s, &p->triggers[i], dep, ev);
	if (used)
		return;
	str place = manifest_place(s->ss->tmp, p->object->file, p->deps[dep].spec->src);
	decide(s, ev, dep, NULL, "unused", arena_fmt(s->ss->tmp, "no trigger's conditions name this dependency (%.*s)", STR_ARG(place)));
}

/* What the filters say of the event as its transform left it; `came`: as it was before. */
static void
filter_event(struct sensor *s, size_t dep, struct event *ev, struct event *came)
{
	struct trace *t = &s->ss->trace;
	struct filtered f = { .ev = ev, .tmp = s->ss->tmp, .trace = t };
	enum verdict v = filter_set_eval(&s->prog->deps[dep].filters, &f);
	t->decided = v != FILTER_PASS;
	t->why = f.why;
	if (v == FILTER_MISS)
		filtered_out(s, dep, ev, &f.why);
	else if (v == FILTER_PASS || goes_on(s, dep, came, reason_of(s, dep, &f.why)))
		at_triggers(s, dep, ev);
}

/* The event as a jq program left it, or what a script makes of it now, with one reference; NULL: it failed, because of `why`. */
static struct event *
transformed(struct sensor *s, size_t dep, struct event *ev, const struct transformed *t, size_t n, str *why)
{
	const struct program_dep *d = &s->prog->deps[dep];
	if (!transformer_is_jq(&d->transform))
		return transform_now(&d->transform, ev, s->ss->tmp, why);
	while (n-- > 0 && t->dep != dep)
		t++;
	*why = t->why;
	return t->ev ? event_ref(t->ev) : NULL;
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
	struct trace *trace = &s->ss->trace;
	str wrong = S("");
	struct event *seen = transformed(s, dep, ev, t, n, &wrong);
	struct trace_look l = { d->transform.check, seen ? FILTER_PASS : FILTER_ERROR, wrong };
	trace_add(trace, &l);
	trace->decided = !seen;
	trace->why = l;
	*why = seen ? STR_NONE : reason_of(s, dep, &l);
	return seen;
}

void
decide_at_dependency(struct sensor *s, size_t dep, struct event *ev, const struct transformed *t, size_t n)
{
	str why;
	trace_clear(&s->ss->trace);
	s->ss->trace_told = false;
	struct event *seen = seen_by(s, dep, ev, t, n, &why);
	if (!seen && goes_on(s, dep, ev, why))
		seen = event_ref(ev);
	if (seen)
		filter_event(s, dep, seen, ev);
	event_unref(seen);
	trace_clear(&s->ss->trace);
}

/* ---- the whole event ------------------------------------------------------------------------------------------------ */

/* A replay may be meant for one sensor alone. */
static bool
is_for(const struct sensor *s, const struct event *ev)
{
	str only = ev->ext_n ? event_ext(ev, EVENT_REPLAY_FOR) : STR_NONE;
	return !only.p || str_eq(only, s->prog->object->name);
}

void
decide_ready(void *arg, struct event *ev, const struct transformed *t, size_t n)
{
	struct sensor *s = arg;
	size_t first = is_for(s, ev) ? program_find(s->prog, ev->source, ev->subject) : 0;
	for (size_t at = first; at; at = s->prog->deps[at - 1].next) {
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
