/* SPDX-License-Identifier: Apache-2.0 */
/* When a CronWorkflow's schedules fire, for those who ask. */
#include "core/cron.h"
#include "engine/shell.h"
#include "engine/spec/spec.h"

enum { SLOTS_SHOWN = 3 };

/* All schedules of one CronWorkflow. */
struct slots {
	struct cron *list;
	size_t n;
	const struct tz *zone;
};

static int
read_slots(const struct cron_workflow_spec *s, struct arena *a, struct slots *out, struct err *e)
{
	out->list = ARENA_ARRAY(a, struct cron, s->schedules.n);
	if (tz_open(a, s->timezone, &out->zone, e) < 0)
		return -1;
	for (; out->n < s->schedules.n; out->n++)
		if (cron_parse(s->schedules.p[out->n], CRON_DESCRIPTORS, a, &out->list[out->n], e) < 0)
			return -1;
	return 0;
}

static int64_t
next_slot(const struct slots *s, int64_t after)
{
	int64_t first = INT64_MAX;
	for (size_t i = 0; i < s->n; i++) {
		int64_t t = cron_next(&s->list[i], s->zone, after);
		first = t < first ? t : first;
	}
	return first;
}

static int64_t
last_slot(const struct slots *s, int64_t before)
{
	int64_t last = INT64_MIN;
	for (size_t i = 0; i < s->n; i++) {
		int64_t t = cron_prev(&s->list[i], s->zone, before);
		last = t > last ? t : last;
	}
	return last;
}

static struct val
next_slots(const struct slots *s, int64_t now, struct arena *a)
{
	struct val_list list = { 0 };
	int64_t t = now;
	for (int i = 0; i < SLOTS_SHOWN && (t = next_slot(s, t)) < INT64_MAX; i++)
		val_list_add(&list, val_str(time_rfc3339(a, t)));
	return val_list_end(&list, a);
}

static str
joined(const struct strs *list, struct arena *a)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < list->n; i++)
		buf_addf(&b, "%s%.*s", i ? "; " : "", STR_ARG(list->p[i]));
	return arena_dup(a, buf_str(&b));
}

static struct object *
find_cron(struct engine *g, str ns, str name, struct err *e)
{
	struct object *o = objects_find(g->objects, &kind_cronworkflow, ns, name);
	const char *near = o ? NULL : objects_nearest(g->objects, "CronWorkflow", ns, name);
	if (!o)
		err_set(e, ERR_NOT_FOUND, "there is no CronWorkflow, and no event source with a calendar, \"%.*s\" in namespace %.*s%s%s%s", STR_ARG(name),
		        STR_ARG(ns), near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	return o;
}

int
engine_schedule(struct engine *g, str ns, str name, struct arena *a, struct val *out, struct err *e)
{
	struct object *o = find_cron(g, ns, name, e);
	struct val_map m = { 0 };
	struct slots slots = { 0 };
	if (!o)
		return -1;
	const struct cron_workflow_spec *s = &((const struct cron_workflow *)o->spec)->spec;
	if (read_slots(s, a, &slots, e) < 0)
		return -1;
	int64_t now = loop_now(g->loop), last = last_slot(&slots, now + 1);
	const struct val *src = s->src;
	val_map_add(&m, S("kind"), val_cstr("CronWorkflow"));
	val_map_add(&m, S("namespace"), val_str(ns));
	val_map_add(&m, S("name"), val_str(name));
	if (o->file.n && src && src->line)
		val_map_add(&m, S("place"), val_str(arena_fmt(a, "%.*s:%u", STR_ARG(o->file), src->line)));
	val_map_add(&m, S("schedule"), val_str(joined(&s->schedules, a)));
	val_map_add_str(&m, S("timezone"), s->timezone);
	if (last > INT64_MIN)
		val_map_add(&m, S("last"), val_str(time_rfc3339(a, last)));
	val_map_add(&m, S("next"), next_slots(&slots, now, a));
	val_map_add(&m, S("held"), val_bool(true));
	val_map_add(&m, S("text"), val_str(s->suspend ? S("suspend: true keeps it from starting anything")
	                                              : S("CronWorkflows are not started by the clock yet: a calendar event source and a sensor are")));
	*out = val_map_end(&m, a);
	return 0;
}
