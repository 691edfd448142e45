/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sensor reads its bus in order. For every event and every dependency that names it: filters, then, for every trigger
 * whose conditions use the dependency, either an immediate firing (conditions without &&) or a place among the events that
 * wait, and a firing when they are complete. Everything that this decides (state, decisions, firings, and what triggers
 * do inside) is queued in the turn of the event and commits with it; so the event is consumed at once, and a crash
 * leaves either all of it or nothing.
 */
#include "sensors/sensor.h"

#include "core/log.h"
#include "core/map.h"
#include "sensors/awaiting.h"
#include "sensors/program.h"
#include "sensors/rows.h"
#include "triggers/dead.h"

struct sensors {
	struct trigger_env env;
	struct bus *(*bus_of)(void *arg, str ns, str bus_name);
	void *arg;
	struct rows *rows;
	struct triggers *triggers;
	struct map by_name; /* "ns/name" -> struct sensor */
	struct jq_pool *jq; /* NULL: nobody needed it yet */
	struct arena *tmp;  /* for one event */
	uint64_t round;     /* of apply: marks what is still there */
};

struct sensor {
	struct sensors *ss;
	char *key;
	int64_t id; /* of its rows */
	struct program *prog;
	uint64_t revision, round;
	struct bus *bus;
	struct subscription *sub;
	struct awaiting *awaiting; /* events under way, in order */
	str group;
	uint64_t events, fired;
	int64_t place;      /* the last one given to an event that waits */
	struct timer timer; /* for what waits; not armed while nothing can end */
};

#define BEHIND_AGAIN NS_PER_SEC

static void arm(struct sensor *s, int64_t from);

/* ---- decisions ----------------------------------------------------------------------------------------------------------- */

static struct decision
decision_about(struct sensor *s, const struct event *ev, size_t dep, const struct program_trigger *t)
{
	return (struct decision){ .event = ev->id, .dependency = s->prog->deps[dep].spec->name, .trigger = t ? t->name : STR_NONE,
		                  .time_ns = loop_now(s->ss->env.loop) };
}

static void
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
static void
report(void *arg, const struct trigger_def *def, const struct firing_outcome *o)
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
static void
stop(struct sensor *s, size_t dep, const struct program_trigger *t, struct event *ev, str reason)
{
	const struct inputs in = { &s->prog->deps[dep].spec->name, &ev, 1, loop_now(s->ss->env.loop) };
	decide(s, ev, dep, t, "error", reason);
	dead_letter_keep(s->ss->triggers, s->prog->object->ns, s->prog->object->name, t ? t->name : STR_NONE, &in, reason);
}

/* ---- firing ------------------------------------------------------------------------------------------------------------------ */

/* An event that takes part in a firing. */
struct part {
	struct event *ev;
	size_t dep;
};

static int
by_arrival(const void *x, const void *y)
{
	const struct part *a = x, *b = y;
	if (a->ev->seq != b->ev->seq)
		return a->ev->seq < b->ev->seq ? -1 : 1;
	return a->dep < b->dep ? -1 : a->dep > b->dep;
}

static void
fire(struct sensor *s, struct program_trigger *t, struct part *parts, size_t n, const struct part *last)
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

/* ---- joins ------------------------------------------------------------------------------------------------------------------- */

/* What a join tells of events that leave without a firing. */
struct leaving {
	struct sensor *s;
	const struct program_trigger *t;
	const struct event *by; /* the event that came; NULL: the clock */
};

static str
why_it_left(const struct leaving *l, enum join_end why, int64_t at)
{
	struct arena *a = l->s->ss->tmp;
	const struct program_trigger *t = l->t;
	static const char *const fields[] = { [JOIN_EXPIRED] = "within", [JOIN_RESET] = "conditionsReset", [JOIN_EVICTED] = "joinMax" };
	const struct val *src = t->spec->template->src, *at_field = fields[why] ? val_get(src, str_c(fields[why])) : NULL;
	str place = manifest_place(a, l->s->prog->object->file, at_field ? at_field : src);
	switch (why) {
	case JOIN_SUPERSEDED:
		return arena_fmt(a, "event %.*s of the same dependency came before the conditions held", STR_ARG(l->by->id));
	case JOIN_EXPIRED:
		return arena_fmt(a, "waited longer than within: %.*s (%.*s)", STR_ARG(dur_fmt(a, t->spec->template->within)), STR_ARG(place));
	case JOIN_RESET:
		return arena_fmt(a, "forgotten at %.*s by conditionsReset (%.*s)", STR_ARG(time_rfc3339(a, at)), STR_ARG(place));
	default:
		return arena_fmt(a, "gave way to newer events: joinMax is %zu and %d MiB (%.*s)", t->join_max, JOIN_BYTES_MAX >> 20, STR_ARG(place));
	}
}

static void
left(void *arg, const struct join_part *part, enum join_end why, int64_t at)
{
	static const char *const verdicts[] = { [JOIN_SUPERSEDED] = "superseded", [JOIN_EXPIRED] = "expired", [JOIN_RESET] = "reset",
		                                [JOIN_EVICTED] = "evicted" };
	const struct leaving *l = arg;
	struct decision d = decision_about(l->s, part->ev, part->dep, l->t);
	d.verdict = verdicts[why];
	d.reason = why_it_left(l, why, at);
	rows_redecide(l->s->ss->rows, l->s->id, &d);
	rows_unsave(l->s->ss->rows, l->s->id, part->place);
}

static str
waits_for(struct sensor *s, const struct program_trigger *t, str key)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < s->prog->deps_n && b.n < 400; i++)
		if (condition_uses(&t->cond, i) && !join_has(t->join, i, key))
			buf_addf(&b, "%s%.*s", b.n ? ", " : "waits for ", STR_ARG(s->prog->deps[i].spec->name));
	if (t->key)
		buf_addf(&b, " (key %.*s)", STR_ARG(str_slice(key, 0, 100)));
	return arena_dup(s->ss->tmp, buf_str(&b));
}

static void
wait_for_others(struct sensor *s, struct program_trigger *t, size_t dep, str key, struct event *ev, int64_t place)
{
	struct saved_row row = { place, t->name, s->prog->deps[dep].spec->name, t->signatures[dep], key };
	rows_save(s->ss->rows, s->id, &row, ev);
	decide(s, ev, dep, t, "waiting", waits_for(s, t, key));
}

static void
fire_together(struct sensor *s, struct program_trigger *t, const struct join_part *joined, size_t n, int64_t last)
{
	struct part *parts = ARENA_ARRAY(s->ss->tmp, struct part, n);
	struct part latest = { 0 };
	for (size_t i = 0; i < n; i++) {
		parts[i] = (struct part){ joined[i].ev, joined[i].dep };
		if (joined[i].place == last)
			latest = parts[i];
		else
			rows_unsave(s->ss->rows, s->id, joined[i].place);
	}
	fire(s, t, parts, n, &latest);
	for (size_t i = 0; i < n; i++)
		event_unref(joined[i].ev);
}

static void
join(struct sensor *s, struct program_trigger *t, size_t dep, struct event *ev)
{
	struct arena *a = s->ss->tmp;
	struct leaving l = { s, t, ev };
	struct join_part *joined;
	str key = S("");
	struct err e;
	if (t->key && join_key_of(t->key, ev, s->prog->deps[dep].spec->name, a, &key, &e) < 0) {
		stop(s, dep, t, ev, arena_fmt(a, "joinKey: %s", e.msg));
		return;
	}
	int64_t place = ++s->place;
	join_advance(t->join, ev->time, left, &l);
	size_t n = join_take(t->join, dep, key, ev, place, a, &joined, left, &l);
	if (n)
		fire_together(s, t, joined, n, place);
	else
		wait_for_others(s, t, dep, key, ev, place);
}

/* What the clock ends. While events are missing, they decide: each brings its own time (join.h). */
static void
time_passes(void *arg)
{
	struct sensor *s = arg;
	int64_t now = loop_now(s->ss->env.loop);
	bool missing = !s->sub || bus_is_behind(s->sub);
	for (size_t i = 0; i < s->prog->triggers_n && !missing; i++) {
		struct program_trigger *t = &s->prog->triggers[i];
		if (t->join)
			join_advance(t->join, now, left, &(struct leaving){ s, t, NULL });
	}
	arena_reset(s->ss->tmp);
	arm(s, missing ? now + BEHIND_AGAIN : INT64_MIN);
}

/* The timer goes to where something that waits comes to its end, but not before `from`. */
static void
arm(struct sensor *s, int64_t from)
{
	int64_t due = INT64_MAX;
	for (size_t i = 0; i < s->prog->triggers_n; i++) {
		int64_t at = s->prog->triggers[i].join ? join_due(s->prog->triggers[i].join) : INT64_MAX;
		due = at < due ? at : due;
	}
	if (due == INT64_MAX)
		timer_stop(&s->timer);
	else if (due < from)
		timer_start(s->ss->env.loop, &s->timer, from, time_passes, s);
	else if (!s->timer.slot || s->timer.at_ns != due)
		timer_start(s->ss->env.loop, &s->timer, due, time_passes, s);
}

static void
at_trigger(struct sensor *s, struct program_trigger *t, size_t dep, struct event *ev)
{
	if (!t->runs) {
		stop(s, dep, t, ev, t->problem);
		return;
	}
	if (!condition_uses(&t->cond, dep))
		return;
	if (t->cond.joins) {
		join(s, t, dep, ev);
		return;
	}
	struct part only = { ev, dep };
	fire(s, t, &only, 1, &(struct part){ ev, dep });
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
		stop(s, dep, NULL, came, why);
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
		at_trigger(s, &s->prog->triggers[i], dep, ev);
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

static void
at_dependency(struct sensor *s, size_t dep, struct event *ev, const struct transformed *t, size_t n)
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
static void
handle(void *arg, struct event *ev, const struct transformed *t, size_t n)
{
	struct sensor *s = arg;
	for (size_t at = program_find(s->prog, ev->source, ev->subject); at; at = s->prog->deps[at - 1].next) {
		at_dependency(s, at - 1, ev, t, n);
		s->events++;
	}
	arena_reset(s->ss->tmp);
	if (s->prog->timed)
		arm(s, INT64_MIN);
	bus_consumed(s->sub, ev->seq);
}

static void
received(void *arg, struct event *ev)
{
	struct sensor *s = arg;
	if (!awaiting_add(s->awaiting, s->prog, ev))
		handle(s, ev, NULL, 0);
}

static struct jq_pool *
jq_of(void *arg)
{
	struct sensors *ss = ((struct sensor *)arg)->ss;
	if (!ss->jq)
		ss->jq = jq_pool_new(ss->env.loop);
	return ss->jq;
}

/* ---- dead letters ------------------------------------------------------------------------------------------------------------------- */

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
		at_trigger(s, t, dep, x->ev);
	else
		at_dependency(s, dep, x->ev, seen, seen != NULL);
	if (s->prog->timed)
		arm(s, INT64_MIN);
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
	const struct transformer *how = &s->prog->deps[dep].transform;
	if (!e)
		seen.ev = event_with_data(w->x.ev, out);
	else if (how->spec)
		seen.why = transform_failed(how, w->ss->tmp, e->msg);
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
	jq_run(jq_of(s), s->prog->deps[dep].transform.spec->jq, ev, transformed_again, w);
	event_unref(ev);
}

/* A dead letter comes back. */
static bool
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
		struct transformed none = { .dep = dep, .why = S("transform: the event's data is no JSON") };
		decide_again(s, x, dep, t, &none);
	}
	arena_reset(ss->tmp);
	return known;
}

/* ---- from one program to the next --------------------------------------------------------------------------------------------- */

/* A saved event finds its place again, if trigger and dependency still mean the same. */
static void
restore(void *arg, const struct saved_row *row, struct event *ev)
{
	struct sensor *s = arg;
	struct program_trigger *t = program_trigger_named(s->prog, row->trigger);
	size_t dep = program_dep_named(s->prog, row->dependency);
	if (row->place > s->place)
		s->place = row->place;
	if (!t || !t->join || dep == SIZE_MAX || !str_eq(t->signatures[dep], row->signature) || !join_restore(t->join, dep, row->key, ev, row->place))
		rows_unsave(s->ss->rows, s->id, row->place);
}

struct carrying {
	struct sensor *s;
	const struct program *old;
	const struct program_trigger *from;
};

static void
carry_one(void *arg, const struct join_part *part, str key)
{
	const struct carrying *c = arg;
	struct saved_row row = { part->place, c->from->name, c->old->deps[part->dep].spec->name, c->from->signatures[part->dep], key };
	restore(c->s, &row, part->ev);
}

static void
carry_over(struct sensor *s, const struct program *old)
{
	for (size_t i = 0; i < old->triggers_n; i++)
		if (old->triggers[i].join)
			join_each(old->triggers[i].join, carry_one, &(struct carrying){ s, old, &old->triggers[i] });
}

static void
log_problems(const struct sensor *s)
{
	const struct program *p = s->prog;
	struct arena *a = arena_new();
	for (size_t i = 0; i < p->deps_n; i++)
		if (p->deps[i].problem.p)
			log_error("sensor dependency cannot be evaluated", "sensor", s->key, "dependency", str_z(a, p->deps[i].spec->name), "error",
			          p->deps[i].problem.p, NULL);
	for (size_t i = 0; i < p->triggers_n; i++)
		if (p->triggers[i].problem.p)
			log_error("sensor trigger cannot fire", "sensor", s->key, "trigger", str_z(a, p->triggers[i].name), "error",
			          p->triggers[i].problem.p, NULL);
	arena_free(a);
}

static int
define_triggers(struct sensor *s, struct err *e)
{
	for (size_t i = 0; i < s->prog->triggers_n; i++) {
		struct program_trigger *t = &s->prog->triggers[i];
		if (t->problem.p)
			continue;
		struct trigger_def def = program_def(s->prog, t);
		if (trigger_define(s->ss->triggers, &def, s->prog->object, &t->runs, e) < 0)
			return -1;
	}
	return 0;
}

/* Triggers of the old program that the new one does not run. */
static void
retire_triggers(const struct program *old, const struct program *new)
{
	for (size_t i = 0; i < old->triggers_n; i++) {
		const struct program_trigger *now = new ? program_trigger_named(new, old->triggers[i].name) : NULL;
		if (old->triggers[i].runs && (!now || now->problem.p))
			trigger_retire(old->triggers[i].runs);
	}
}

static str
bus_name(const struct program *p)
{
	return p->spec->bus_name.n ? p->spec->bus_name : S("default");
}

/* Only events of its dependencies wake the sensor. */
static void
listen_to_dependencies(struct sensor *s)
{
	const struct program *p = s->prog;
	struct bus_topic *topics = ARENA_ARRAY(s->ss->tmp, struct bus_topic, p->deps_n);
	for (size_t i = 0; i < p->deps_n; i++)
		topics[i] = (struct bus_topic){ p->deps[i].spec->source, p->deps[i].spec->event };
	bus_listen(s->sub, topics, p->deps_n);
	arena_reset(s->ss->tmp);
}

static int
subscribe(struct sensor *s, struct err *e)
{
	struct bus *bus = s->ss->bus_of(s->ss->arg, s->prog->object->ns, bus_name(s->prog));
	if (s->sub && s->bus == bus) {
		listen_to_dependencies(s);
		return 0;
	}
	if (s->sub) {
		awaiting_clear(s->awaiting);
		bus_unsubscribe(s->sub);
		bus_forget(s->bus, s->group);
		s->sub = NULL;
	}
	s->bus = bus;
	if (!bus)
		return err_set(e, ERR_NOT_FOUND, "sensor %s: there is no event bus %.*s", s->key, STR_ARG(bus_name(s->prog)));
	if (bus_subscribe(bus, s->group, false, received, s, &s->sub, e) < 0)
		return -1;
	listen_to_dependencies(s);
	return 0;
}

/* Lies in the arena of the event, which the job keeps. */
struct compiling {
	str sensor, dependency;
};

static void
compiled(void *arg, str out UNUSED, const struct err *e)
{
	const struct compiling *c = arg;
	if (e)
		log_error("jq program of a dependency cannot run", "sensor", c->sensor.p, "dependency", c->dependency.p, "error", e->msg, NULL);
}

/* So that the log says at once, and not with the first event, that a program is wrong. */
static void
compile_programs(struct sensor *s)
{
	for (size_t i = 0; i < s->prog->deps_n; i++) {
		const struct program_dep *d = &s->prog->deps[i];
		if (!transformer_is_jq(&d->transform))
			continue;
		struct event *nothing = event_bare();
		struct compiling *c = ARENA_NEW(nothing->arena, struct compiling);
		*c = (struct compiling){ arena_dup(nothing->arena, str_c(s->key)), arena_dup(nothing->arena, d->spec->name) };
		jq_run(jq_of(s), d->transform.spec->jq, nothing, compiled, c);
		event_unref(nothing);
	}
}

/* Takes the object's new version over. What is saved in the store is read for a sensor that was not there yet. */
static int
load(struct sensor *s, struct object *o, struct err *e)
{
	struct program *old = s->prog;
	s->prog = program_new(o);
	s->revision = o->revision;
	if (old)
		retire_triggers(old, s->prog);
	int rc = define_triggers(s, e);
	if (rc == 0 && old)
		carry_over(s, old);
	else if (rc == 0)
		rc = rows_load(s->ss->rows, s->id, restore, s, e);
	program_free(old);
	log_problems(s);
	compile_programs(s);
	arm(s, INT64_MIN);
	rc = rc < 0 ? -1 : subscribe(s, e);
	awaiting_restart(s->awaiting, s->prog);
	return rc;
}

/* ---- the set ---------------------------------------------------------------------------------------------------------------------- */

struct sensors *
sensors_new(const struct trigger_env *env, struct bus *(*bus_of)(void *arg, str ns, str bus_name), void *arg)
{
	struct sensors *ss = MEM_NEW(struct sensors);
	ss->env = *env;
	ss->bus_of = bus_of;
	ss->arg = arg;
	ss->rows = rows_new(env->loop, env->store);
	ss->triggers = triggers_new(&ss->env, report, ss);
	dead_letters_on_again(ss->triggers, again, ss);
	ss->tmp = arena_new();
	return ss;
}

static struct sensor *
new_sensor(struct sensors *ss, str key)
{
	struct sensor *s = MEM_NEW(struct sensor);
	struct buf group = { 0 };
	s->ss = ss;
	s->key = mem_alloc(key.n + 1);
	memcpy(s->key, key.p, key.n);
	buf_addf(&group, "sensor/%s", s->key);
	s->group = buf_str(&group); /* the buffer's bytes are the sensor's now */
	s->awaiting = awaiting_new(jq_of, handle, s);
	map_put(&ss->by_name, (str){ s->key, key.n }, s);
	return s;
}

static void
free_sensor(struct sensor *s)
{
	timer_stop(&s->timer);
	awaiting_free(s->awaiting);
	if (s->sub)
		bus_unsubscribe(s->sub);
	program_free(s->prog);
	free(s->key);
	str_disown(s->group);
	free(s);
}

/* The sensor is gone from the manifests: it forgets what it read and what waited. Firings under way end; pending ones stay. */
static void
remove_sensor(struct sensor *s)
{
	if (s->prog)
		retire_triggers(s->prog, NULL);
	rows_drop_sensor(s->ss->rows, s->id);
	struct bus *bus = s->sub ? s->bus : NULL;
	if (s->sub)
		bus_unsubscribe(s->sub);
	s->sub = NULL;
	if (bus)
		bus_forget(bus, s->group);
	log_info("sensor removed", "sensor", s->key, NULL);
	free_sensor(s);
}

static int
apply_one(struct sensors *ss, struct object *o, struct err *e)
{
	struct buf key CLEANUP(free_buf) = { 0 };
	buf_addf(&key, "%.*s/%.*s", STR_ARG(o->ns), STR_ARG(o->name));
	struct sensor *s = map_get(&ss->by_name, buf_str(&key));
	bool is_new = !s;
	if (is_new)
		s = new_sensor(ss, buf_str(&key));
	s->round = ss->round;
	if (is_new && rows_sensor_id(ss->rows, o->ns, o->name, &s->id, e) < 0)
		return -1;
	if (!is_new && s->prog && s->prog->object == o && s->revision == o->revision && s->sub)
		return 0;
	if (load(s, o, e) < 0)
		return err_wrap(e, "sensor %s", s->key);
	log_info(is_new ? "sensor started" : "sensor changed", "sensor", s->key, NULL);
	return 0;
}

int
sensors_apply(struct sensors *ss, struct err *e)
{
	const struct kind *kind = objects_kind(ss->env.objects, S("Sensor"));
	struct object *o;
	int rc = 0;
	ss->round++;
	for (size_t i = 0; (o = objects_next(ss->env.objects, kind, &i));) {
		struct err failed;
		if (apply_one(ss, o, &failed) == 0)
			continue;
		log_error("sensor not started", "error", failed.msg, NULL);
		*e = failed;
		rc = -1;
	}
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&ss->by_name, &i));) {
		struct sensor *s = slot->value;
		if (s->round == ss->round)
			continue;
		map_del(&ss->by_name, slot->key);
		remove_sensor(s);
	}
	return rc;
}

void
sensors_free(struct sensors *ss)
{
	if (!ss)
		return;
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&ss->by_name, &i));)
		free_sensor(slot->value);
	map_free(&ss->by_name);
	jq_pool_free(ss->jq);
	triggers_free(ss->triggers);
	rows_free(ss->rows);
	arena_free(ss->tmp);
	free(ss);
}

struct triggers *
sensors_triggers(struct sensors *ss)
{
	return ss->triggers;
}

size_t
sensors_under_way(const struct sensors *ss)
{
	const struct map_slot *slot;
	size_t n = 0;
	for (size_t i = 0; (slot = map_next(&ss->by_name, &i));) {
		const struct sensor *s = slot->value;
		n += awaiting_count(s->awaiting) + (s->sub && bus_is_behind(s->sub));
	}
	return n;
}

/* ---- status ------------------------------------------------------------------------------------------------------------------------ */

static struct val
trigger_status(const struct program *p, const struct program_trigger *t, struct arena *a)
{
	struct val_map m = { 0 };
	val_map_add(&m, S("name"), val_str(t->name));
	val_map_add_str(&m, S("problem"), t->problem);
	if (t->runs)
		val_map_add(&m, S("pending"), val_int((int64_t)trigger_pending(t->runs)));
	struct val_list waiting = { 0 };
	for (size_t i = 0; t->join && !t->key && i < p->deps_n; i++)
		if (join_has(t->join, i, S("")))
			val_list_add(&waiting, val_str(p->deps[i].spec->name));
	if (t->join && !t->key)
		val_map_add(&m, S("satisfied"), val_list_end(&waiting, a));
	if (t->join)
		val_map_add(&m, S("waiting"), val_int((int64_t)join_waiting(t->join)));
	if (t->key)
		val_map_add(&m, S("joins"), val_int((int64_t)join_rooms(t->join)));
	return val_map_end(&m, a);
}

static struct val
sensor_status(const struct sensor *s, struct arena *a)
{
	const struct program *p = s->prog;
	struct val_map m = { 0 };
	struct val_list triggers = { 0 };
	bool broken = !s->sub;
	for (size_t i = 0; i < p->triggers_n; i++) {
		broken |= p->triggers[i].problem.p != NULL;
		val_list_add(&triggers, trigger_status(p, &p->triggers[i], a));
	}
	for (size_t i = 0; i < p->deps_n; i++)
		broken |= p->deps[i].problem.p != NULL;
	val_map_add(&m, S("namespace"), val_str(p->object->ns));
	val_map_add(&m, S("name"), val_str(p->object->name));
	val_map_add(&m, S("state"), val_str(broken ? S("degraded") : S("running")));
	val_map_add(&m, S("dependencies"), val_int((int64_t)p->deps_n));
	val_map_add(&m, S("events"), val_int((int64_t)s->events));
	val_map_add(&m, S("fired"), val_int((int64_t)s->fired));
	val_map_add(&m, S("underWay"), val_int((int64_t)awaiting_count(s->awaiting)));
	val_map_add(&m, S("triggers"), val_list_end(&triggers, a));
	return val_map_end(&m, a);
}

struct val
sensors_status(struct sensors *ss, struct arena *a)
{
	const struct kind *kind = objects_kind(ss->env.objects, S("Sensor"));
	struct val_list out = { 0 };
	struct object *o;
	for (size_t i = 0; (o = objects_next(ss->env.objects, kind, &i));) {
		struct sensor *s = map_get(&ss->by_name, arena_fmt(a, "%.*s/%.*s", STR_ARG(o->ns), STR_ARG(o->name)));
		if (s && s->prog)
			val_list_add(&out, sensor_status(s, a));
	}
	return val_list_end(&out, a);
}
