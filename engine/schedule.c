/* SPDX-License-Identifier: Apache-2.0 */
/* When a CronWorkflow's schedules fire, and why the last slot started nothing: for those who ask. */
#include "engine/cron.h"

enum { SLOTS_SHOWN = 3 };

static struct val
next_slots(const struct slots *s, int64_t now, struct arena *a)
{
	struct val_list list = { 0 };
	int64_t t = now;
	for (int i = 0; i < SLOTS_SHOWN && (t = slots_next(s, t)) < INT64_MAX; i++)
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

static const struct cron_entry *
find_cron(struct engine *g, str ns, str name, struct err *e)
{
	const struct cron_entry *x = cron_find(g, ns, name);
	if (x && x->object)
		return x;
	const char *near = objects_nearest(g->objects, "CronWorkflow", ns, name);
	err_set(e, ERR_NOT_FOUND,
		"there is no CronWorkflow, and no event source with a calendar, \"%.*s\" in namespace %.*s%s%s%s",
		STR_ARG(name), STR_ARG(ns), near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	return NULL;
}

str
cron_held_text(const struct cron_entry *x, struct arena *a)
{
	if (!x->readable)
		return arena_dup(a, x->row.spec_error);
	if (x->row.stopped)
		return S("stopStrategy.expression has stopped it for good");
	if (!x->row.held)
		return STR_NONE;
	return x->row.hold ? S("it is suspended: `tidegate cron resume` lets it go on")
			   : S("suspend: true keeps it from starting anything");
}

/* What came of the last slot. */
static str
last_text(const struct cron_entry *x, int64_t last, struct arena *a)
{
	const struct cron_row *r = &x->row;
	if (last == INT64_MIN)
		return STR_NONE;
	if (r->noted == last / NS_PER_SEC)
		return r->note.p
			       ? arena_fmt(a, "the last slot started nothing: %.*s", STR_ARG(r->note))
			       : arena_fmt(a, "the last slot started %.*s-%lld", STR_ARG(x->name), (long long)r->noted);
	if (last / NS_PER_SEC <= r->since)
		return S("the last slot was before these schedules came into force");
	if (last / NS_PER_SEC <= r->decided)
		return S("the last slot started nothing: it was suspended or stopped then");
	return STR_NONE;
}

static str
text_of(const struct cron_entry *x, int64_t last, struct arena *a)
{
	str held = cron_held_text(x, a);
	return held.p ? held : last_text(x, last, a);
}

int
engine_schedule(struct engine *g, str ns, str name, struct arena *a, struct val *out, struct err *e)
{
	const struct cron_entry *x = find_cron(g, ns, name, e);
	struct val_map m = { 0 };
	if (!x)
		return -1;
	const struct cron_workflow_spec *s = cron_spec(x);
	const int64_t now = loop_now(g->loop), last = x->readable ? slots_last(&x->slots, now) : INT64_MIN;
	const str text = text_of(x, last, a);
	val_map_add(&m, S("kind"), val_cstr("CronWorkflow"));
	val_map_add(&m, S("namespace"), val_str(ns));
	val_map_add(&m, S("name"), val_str(name));
	if (x->object->file.n && s->src && s->src->line)
		val_map_add(&m, S("place"), val_str(arena_fmt(a, "%.*s:%u", STR_ARG(x->object->file), s->src->line)));
	val_map_add(&m, S("schedule"), val_str(joined(&s->schedules, a)));
	val_map_add(&m, S("timezone"), val_str(x->readable ? tz_name(slots_zone(&x->slots)) : s->timezone));
	if (last > INT64_MIN)
		val_map_add(&m, S("last"), val_str(time_rfc3339(a, last)));
	if (x->row.scheduled)
		val_map_add(&m, S("lastTick"), val_str(time_rfc3339(a, x->row.scheduled * NS_PER_SEC)));
	const bool held = cron_held_text(x, a).p != NULL;
	val_map_add(&m, S("next"), !held ? next_slots(&x->slots, now, a) : (struct val){ .kind = VAL_LIST });
	val_map_add(&m, S("held"), val_bool(held));
	if (text.p)
		val_map_add(&m, S("text"), val_str(text));
	*out = val_map_end(&m, a);
	return 0;
}
