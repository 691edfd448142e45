/* SPDX-License-Identifier: Apache-2.0 */
/* When the schedules of a CronWorkflow fire. */
#include "engine/cron.h"

/* Daylight saving moves slots instead of leaving them out or repeating them, unless the manifest wants Argo's way. */
static unsigned
flags_of(const struct object *cron)
{
	return object_like_argo(cron) ? CRON_DESCRIPTORS : CRON_DESCRIPTORS | CRON_EACH_ONCE;
}

int
slots_read(const struct object *cron, int64_t anchor, struct arena *a, struct slots *out, struct err *e)
{
	const struct cron_workflow_spec *s = &((const struct cron_workflow *)cron->spec)->spec;
	*out = (struct slots){ .list = ARENA_ARRAY(a, struct cron, s->schedules.n), .anchor = anchor };
	if (tz_open(a, s->timezone.n ? s->timezone : S("Local"), &out->zone, e) < 0)
		return err_wrap(e, "timezone");
	for (; out->n < s->schedules.n; out->n++)
		if (cron_parse(s->schedules.p[out->n], flags_of(cron), a, &out->list[out->n], e) < 0)
			return -1;
	return 0;
}

const struct tz *
slots_zone(const struct slots *s)
{
	const struct tz *own = s->n ? s->list[0].zone : NULL;
	for (size_t i = 1; i < s->n && own; i++)
		if (!s->list[i].zone || !str_eq(tz_name(s->list[i].zone), tz_name(own)))
			own = NULL;
	return own ? own : s->zone;
}

/* @every: the multiples of it after the anchor. */
static int64_t
multiple(const struct slots *s, int64_t every, int64_t until)
{
	return until < s->anchor || until - s->anchor < every ? INT64_MIN : s->anchor + (until - s->anchor) / every * every;
}

static int64_t
next_of(const struct slots *s, const struct cron *c, int64_t after)
{
	if (!c->every_ns)
		return cron_next(c, s->zone, after);
	int64_t last = multiple(s, c->every_ns, after);
	last = last == INT64_MIN ? s->anchor : last;
	return last > INT64_MAX - c->every_ns ? INT64_MAX : last + c->every_ns; /* centuries, and never */
}

static int64_t
last_of(const struct slots *s, const struct cron *c, int64_t until)
{
	return c->every_ns ? multiple(s, c->every_ns, until) : cron_prev(c, s->zone, until + 1);
}

int64_t
slots_next(const struct slots *s, int64_t after)
{
	int64_t first = INT64_MAX;
	for (size_t i = 0; i < s->n; i++) {
		int64_t t = next_of(s, &s->list[i], after);
		first = t < first ? t : first;
	}
	return first;
}

int64_t
slots_last(const struct slots *s, int64_t until)
{
	int64_t last = INT64_MIN;
	for (size_t i = 0; i < s->n; i++) {
		int64_t t = last_of(s, &s->list[i], until);
		last = t > last ? t : last;
	}
	return last;
}

str
slots_text(const struct cron_workflow_spec *s, struct arena *a)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < s->schedules.n; i++) {
		if (s->timezone.n)
			buf_addf(&b, "%sCRON_TZ=%.*s ", i ? "," : "", STR_ARG(s->timezone));
		else if (i)
			buf_addc(&b, ',');
		buf_add(&b, s->schedules.p[i]);
	}
	return arena_dup(a, buf_str(&b));
}
