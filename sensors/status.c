/* SPDX-License-Identifier: Apache-2.0 */
/* How sensors are, for `tidegate status`. */
#include "sensors/impl.h"

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

struct val
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
