/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From one program to the next. Triggers are defined anew, events that wait find their places again if trigger and dependency still
 * mean the same, and the subscription follows the bus.
 */
#include "core/log.h"
#include "sensors/impl.h"

struct jq_pool *
sensor_jq(void *arg)
{
	struct sensors *ss = ((struct sensor *)arg)->ss;
	if (!ss->jq)
		ss->jq = jq_pool_new(ss->env.loop);
	return ss->jq;
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
void
sensor_retire_triggers(const struct program *old, const struct program *new)
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
	if (s->ss->told)
		return 0;
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
	if (bus_subscribe(bus, s->group, false, decide_received, s, &s->sub, e) < 0)
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
		jq_run(sensor_jq(s), d->transform.spec->jq, nothing, compiled, c);
		event_unref(nothing);
	}
}

/* Takes the object's new version over. What is saved in the store is read for a sensor that was not there yet. */
int
sensor_load(struct sensor *s, struct object *o, struct err *e)
{
	struct program *old = s->prog;
	s->prog = program_new(o);
	s->revision = o->revision;
	s->version = 0;
	if (old)
		sensor_retire_triggers(old, s->prog);
	int rc = define_triggers(s, e);
	if (rc == 0 && old)
		carry_over(s, old);
	else if (rc == 0)
		rc = rows_load(s->ss->rows, s->id, restore, s, e);
	program_free(old);
	log_problems(s);
	compile_programs(s);
	joining_arm(s, INT64_MIN);
	rc = rc < 0 ? -1 : subscribe(s, e);
	awaiting_restart(s->awaiting, s->prog);
	return rc;
}
