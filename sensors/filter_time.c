/* SPDX-License-Identifier: Apache-2.0 */
/*
 * time: a part of the day, from start (included) to stop (not included), in UTC or a named zone. What counts is the time of
 * the event. A stop before the start means over midnight.
 */
#include "core/tz.h"
#include "sensors/filter.h"

struct day_part {
	const struct tz *zone;
	int start, stop; /* seconds of the day */
	size_t check;
};

static bool
present(const struct filters *s)
{
	return s->time;
}

/* "HH:MM:SS" */
static int
parse_clock(str s, const char *name, int *out, struct err *e)
{
	static const int most[] = { 23, 59, 59 };
	str rest = s;
	int total = 0;
	for (int i = 0; i < 3; i++) {
		str part = str_cut(&rest, ':');
		int64_t v;
		if (part.n != 2 || part.p[0] < '0' || part.p[0] > '9' || !str_to_i64(part, &v) || v > most[i] || (i == 2 && rest.n))
			return err_set(e, ERR_INVALID, "%s %.*s: HH:MM:SS is expected", name, STR_ARG(s));
		total = total * 60 + (int)v;
	}
	*out = total;
	return 0;
}

static int
compile(const struct filters *s, struct checks *checks, void **out, struct err *e)
{
	struct arena *a = checks->arena;
	struct day_part *p = ARENA_NEW(a, struct day_part);
	p->zone = tz_utc();
	*out = p;
	if (parse_clock(s->time->start, "start", &p->start, e) < 0 || parse_clock(s->time->stop, "stop", &p->stop, e) < 0)
		return -1;
	if (s->time->timezone.n && tz_open(a, s->time->timezone, &p->zone, e) < 0)
		return -1;
	str zone = tz_name(p->zone);
	str want = arena_fmt(a, "%.*s to %.*s %.*s", STR_ARG(s->time->start), STR_ARG(s->time->stop), STR_ARG(zone));
	p->check = checks_add(checks, "time", S(""), want, "", s->time->src);
	return 0;
}

static enum verdict
eval(const void *compiled, struct filtered *f)
{
	const struct day_part *p = compiled;
	int64_t sec = f->ev->time / NS_PER_SEC;
	struct civil c = civil_from(sec + tz_span(p->zone, sec).offset);
	int t = (c.hour * 60 + c.minute) * 60 + c.second;
	bool in = p->start < p->stop ? t >= p->start && t < p->stop : t >= p->start || t < p->stop;
	return filter_look(f, p->check, in ? FILTER_PASS : FILTER_MISS, arena_fmt(f->tmp, "%02d:%02d:%02d", c.hour, c.minute, c.second));
}

const struct filter_ops filter_time = { .kind = "time", .present = present, .compile = compile, .eval = eval };
