/* SPDX-License-Identifier: Apache-2.0 */
/* The set of sensors: one for each Sensor object. What one does with an event begins in decide.c. */
#include "core/log.h"
#include "sensors/impl.h"

struct sensors *
sensors_new(const struct trigger_env *env, struct bus *(*bus_of)(void *arg, str ns, str bus_name), void *arg)
{
	struct sensors *ss = MEM_NEW(struct sensors);
	ss->env = *env;
	ss->bus_of = bus_of;
	ss->arg = arg;
	ss->rows = rows_new(env->loop, env->store);
	ss->triggers = triggers_new(&ss->env, decide_report, ss);
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
	s->awaiting = awaiting_new(sensor_jq, decide_ready, s);
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
		sensor_retire_triggers(s->prog, NULL);
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
	if (sensor_load(s, o, e) < 0)
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
