/* SPDX-License-Identifier: Apache-2.0 */
/* What of a sensor is in memory only: taken on the loop for whoever explains. */
#include "sensors/explain.h"
#include "sensors/impl.h"
#include "sensors/version.h"

static void
names_of(const struct sensor *s, const struct program_trigger *t, bool there, struct val_map *m, const char *name, struct arena *a)
{
	struct val_list list = { 0 };
	for (size_t i = 0; i < s->prog->deps_n; i++)
		if (condition_uses(&t->cond, i) && join_has(t->join, i, S("")) == there)
			val_list_add(&list, val_str(s->prog->deps[i].spec->name));
	val_map_add(m, str_c(name), val_list_end(&list, a));
}

static struct val
trigger_live(const struct sensor *s, const struct program_trigger *t, struct arena *a)
{
	struct val_map m = { 0 };
	val_map_add(&m, S("name"), val_str(t->name));
	if (t->join && !t->key) {
		names_of(s, t, true, &m, "has", a);
		names_of(s, t, false, &m, "lacks", a);
	}
	if (t->join) {
		int64_t due = join_due(t->join);
		val_map_add(&m, S("waiting"), val_int((int64_t)join_waiting(t->join)));
		val_map_add(&m, S("joins"), val_int((int64_t)join_rooms(t->join)));
		if (due < INT64_MAX)
			val_map_add(&m, S("due"), val_str(time_rfc3339_nano(a, due)));
	}
	if (t->runs)
		val_map_add(&m, S("firings"), trigger_shown(t->runs, a));
	return val_map_end(&m, a);
}

static int
not_found(struct sensors *ss, str ns, str name, struct err *e)
{
	const char *near = objects_nearest(ss->env.objects, "Sensor", ns, name);
	return err_set(e, ERR_NOT_FOUND, "there is no sensor \"%.*s\" in namespace %.*s%s%s%s", STR_ARG(name), STR_ARG(ns), near ? "; did you mean \"" : "",
	               near ? near : "", near ? "\"?" : "");
}

int
explain_live(struct sensors *ss, str ns, str name, struct arena *a, struct val *out, struct err *e)
{
	const struct sensor *s = map_get(&ss->by_name, arena_fmt(a, "%.*s/%.*s", STR_ARG(ns), STR_ARG(name)));
	struct val_map m = { 0 };
	struct val_list triggers = { 0 };
	if (!s || !s->prog)
		return not_found(ss, ns, name, e);
	for (size_t i = 0; i < s->prog->triggers_n; i++)
		val_list_add(&triggers, trigger_live(s, &s->prog->triggers[i], a));
	val_map_add(&m, S("outline"), version_outline(s->prog, a));
	val_map_add(&m, S("status"), sensor_status(s, a));
	val_map_add(&m, S("version"), val_int(s->version));
	val_map_add(&m, S("behind"), val_bool(!s->sub || bus_is_behind(s->sub) || awaiting_count(s->awaiting) > 0));
	val_map_add(&m, S("triggers"), val_list_end(&triggers, a));
	struct val v = val_map_end(&m, a);
	*out = val_copy(a, &v);
	return 0;
}
