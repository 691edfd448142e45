/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calendar: events by the clock (spec events 1.A5). The tick that fired last is kept in the store in the transaction of its
 * event, so that after a restart it is known which ticks were missed, and none fires twice.
 *
 * Ticks that come due while the process stands still or the bus is full fire late, in order, up to a day (or
 * catchup.maxDuration) back. Those missed while it was down do so only if catch-up is asked for, as in Argo.
 */
#include "core/cron.h"
#include "core/log.h"
#include "sources/check.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

#define LATE_MAX (24 * 3600 * NS_PER_SEC)
enum { TICKS_A_TURN = 64, SLOTS_SHOWN = 3 };

struct catchup {
	bool enabled;
	str max_duration;
};
struct calendar_config_map {
	bool create_if_not_exist;
	str name;
};
struct persistence {
	struct catchup *catchup;
	struct calendar_config_map *config_map;
};
struct calendar_source {
	struct strs exclusion_dates;
	struct source_filter *filter;
	str interval;
	struct kvs metadata;
	struct persistence *persistence;
	str schedule;
	str timezone;
	const struct val *src;
};

/* ---- excluded days -------------------------------------------------------------------------------------------- */

/* "20060102" and what stands behind it, a time of day: only the day counts. */
static bool
read_day(str date, int64_t *day)
{
	int64_t year, month, of_month;
	if (date.n < 8 || !str_to_i64(str_slice(date, 0, 4), &year) || !str_to_i64(str_slice(date, 4, 6), &month) ||
		!str_to_i64(str_slice(date, 6, 8), &of_month))
		return false;
	if (year < 1 || month < 1 || month > 12 || of_month < 1 || of_month > civil_month_days(year, (int)month))
		return false;
	*day = civil_days(year, (int)month, of_month);
	return true;
}

/*
 * The dates of "EXDATE:20060102T150405Z,20060103T150405Z", or of what RFC 5545 has beside that,
 * "EXDATE;VALUE=DATE:20060102". False: it is no EXDATE, and passed over as in Argo.
 */
static bool
dates_of(str entry, str *dates)
{
	size_t colon = str_find_char(entry, ':', 0);
	if (!str_starts(entry, S("EXDATE")) || colon == SIZE_MAX || (colon != 6 && entry.p[6] != ';'))
		return false;
	*dates = str_slice(entry, colon + 1, entry.n);
	return true;
}

/* ---- the table ------------------------------------------------------------------------------------------------ */

static void
check_schedule(const struct calendar_source *s, const struct val *in, struct decode *c)
{
	struct cron cron;
	struct err e;
	dur interval;

	if (s->schedule.n) {
		if (cron_parse(s->schedule, 0, c->arena, &cron, &e) < 0)
			decode_error(c, in, "schedule", "%s", e.msg);
	} else if (!s->interval.n && val_get(in, S("interval")) && val_get(in, S("interval"))->kind != VAL_STR) {
		return; /* given, but no text: that has been said */
	} else if (!s->interval.n) {
		decode_error(c, in, NULL, "must have either schedule or interval");
	} else if (dur_parse(s->interval, &interval, &e) < 0) {
		decode_error(c, in, "interval", "%s", e.msg);
	} else if (interval.ns < NS_PER_SEC) {
		decode_error(c, in, "interval", "interval %.*s: must be a second at least", STR_ARG(s->interval));
	}
}

/* What excludes nothing. */
static void
check_exclusions(const struct calendar_source *s, const struct val *in, struct decode *c)
{
	const struct val *list = val_get(in, S("exclusionDates"));
	int64_t day;
	for (size_t i = 0; i < s->exclusion_dates.n; i++) {
		const struct val *at = val_at(list, i);
		str entry = s->exclusion_dates.p[i], rest;
		if (!dates_of(entry, &rest)) {
			decode_warn(c, at, NULL, "\"%.*s\" does not begin with EXDATE: and excludes nothing", STR_ARG(entry));
			continue;
		}
		while (rest.n) {
			str date = str_trim(str_cut(&rest, ','));
			if (!read_day(date, &day))
				decode_error(c, at, NULL, "\"%.*s\" is no day: write it as 20060102T150405Z", STR_ARG(date));
		}
	}
}

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct calendar_source *s = obj;
	const struct tz *zone;
	struct err e;
	dur d;

	check_schedule(s, in, c);
	check_exclusions(s, in, c);
	if (s->timezone.n && tz_open(c->arena, s->timezone, &zone, &e) < 0)
		decode_error(c, in, "timezone", "%s", e.msg);
	const struct catchup *catchup = s->persistence ? s->persistence->catchup : NULL;
	if (catchup && catchup->max_duration.n && dur_parse(catchup->max_duration, &d, &e) < 0)
		decode_error(c, in, "persistence", "catchup.maxDuration: %s", e.msg);
}

static const struct schema catchup_schema = { "CatchupConfiguration", "Firing of ticks that were missed.",
	sizeof(struct catchup), (const struct field[]){
	FIELD(struct catchup, enabled, "enabled", 0, .doc = "Fire what was missed while nothing ran, oldest first."),
	FIELD(struct catchup, max_duration, "maxDuration", 0, .doc = "How far back, such as 2h; a day if it is not given."),
	{ 0 } } };

static const struct schema config_map_schema = { "ConfigMapPersistence", "Where the last tick is kept.",
	sizeof(struct calendar_config_map), (const struct field[]){
	FIELD(struct calendar_config_map, create_if_not_exist, "createIfNotExist", 0, .doc = "Make it if it is not there."),
	FIELD(struct calendar_config_map, name, "name", 0, .doc = "Name of the ConfigMap."),
	{ 0 } } };

static const struct schema persistence_schema = { "EventPersistence", "What is remembered over restarts.",
	sizeof(struct persistence), (const struct field[]){
	FIELD_PTR(struct persistence, catchup, "catchup", 0, &catchup_schema, .doc = "Ticks that were missed."),
	FIELD_PTR(struct persistence, config_map, "configMap", NOEFFECT, &config_map_schema, .doc = "Where the last tick is kept.",
		.hint = "the last tick is always kept, in Tidegate's state"),
	{ 0 } } };

static const struct schema calendar_source_schema = { "CalendarEventSource", "Events by the clock.",
	sizeof(struct calendar_source), (const struct field[]){
	FIELD(struct calendar_source, exclusion_dates, "exclusionDates", 0,
		.doc = "Days without events, as in iCalendar: EXDATE:20260704T000000Z; only the day counts."),
	FIELD_PTR(struct calendar_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct calendar_source, interval, "interval", 0, .doc = "Time between events, such as 10s or 1h30m."),
	FIELD(struct calendar_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD_PTR(struct calendar_source, persistence, "persistence", 0, &persistence_schema,
		.doc = "What is remembered over restarts."),
	FIELD(struct calendar_source, schedule, "schedule", 0,
		.doc = "Cron schedule with five fields: minute, hour, day of month, month, day of week."),
	FIELD(struct calendar_source, timezone, "timezone", 0, .doc = "Zone of the schedule, such as Europe/Berlin."),
	FIELD_SRC(struct calendar_source, src),
	{ 0 } }, check };

/* ---- the running source --------------------------------------------------------------------------------------- */

struct calendar {
	struct source *source;
	struct arena *arena;
	struct cron cron;
	int64_t interval_ns; /* 0: cron */
	const struct tz *zone, *local;
	int64_t *excluded;   /* days since the epoch */
	size_t excluded_n;
	int64_t catch_up_ns; /* how far back what was missed while it was down still fires */
	int64_t late_max_ns; /* the same of what comes due while it runs */
	int64_t last;        /* the last tick that fired, or where counting begins */
	int64_t fired;       /* the last tick that fired, as far as is known; 0: none */
	struct timer timer;
};

static bool
is_excluded(const struct calendar *c, int64_t tick)
{
	int64_t sec = tick / NS_PER_SEC;
	int64_t local = sec + tz_span(c->zone, sec).offset;
	int64_t day = local / 86400 - (local % 86400 < 0);
	for (size_t i = 0; i < c->excluded_n; i++)
		if (c->excluded[i] == day)
			return true;
	return false;
}

/* The first tick behind `after` that falls on no excluded day; INT64_MAX: there is none. */
static int64_t
next_tick(const struct calendar *c, int64_t after)
{
	int64_t tick = after;
	do
		tick = !c->interval_ns                      ? cron_next(&c->cron, c->zone, tick)
		       : tick > INT64_MAX - c->interval_ns ? INT64_MAX
							   : tick + c->interval_ns;
	while (tick != INT64_MAX && is_excluded(c, tick));
	return tick;
}

static void
fire(struct calendar *c, int64_t tick)
{
	const struct calendar_source *config = source_config(c->source);
	struct event *ev = event_new();
	struct arena *a = ev->arena;
	struct val_map m = { 0 };
	val_map_add(&m, S("eventTime"), val_str(tz_go_string(a, c->local, tick)));
	val_map_add(&m, S("scheduledTime"), val_str(time_rfc3339(a, tick)));
	if (config->metadata.n) {
		struct val_map metadata = { 0 };
		for (size_t i = 0; i < config->metadata.n; i++)
			val_map_add(&metadata, config->metadata.p[i].key, val_str(config->metadata.p[i].value));
		val_map_add(&m, S("metadata"), val_map_end(&metadata, a));
	}
	struct val data = val_map_end(&m, a);
	struct buf b CLEANUP(free_buf) = { 0 };
	json_write_opts(&b, &data, JSON_HTML);
	ev->data = arena_dup(a, buf_str(&b));
	ev->dedup = time_rfc3339(a, tick);
	c->last = c->fired = tick;
	source_emit(c->source, ev, NULL);
	source_write_mark(c->source, tick);
}

static void
on_timer(void *arg)
{
	struct calendar *c = arg;
	int64_t now = loop_now(source_loop(c->source)), tick = 0;
	if (now - c->last > c->late_max_ns && next_tick(c, c->last) < now - c->late_max_ns) {
		log_warn("ticks of a calendar are too long ago and are skipped", "eventsource",
		         str_z(c->arena, source_name(c->source)), "event", str_z(c->arena, source_event_name(c->source)), NULL);
		c->last = now - c->late_max_ns;
	}
	for (int n = 0; !source_is_paused(c->source); n++) {
		tick = next_tick(c, c->last);
		if (tick > now || n == TICKS_A_TURN)
			break;
		fire(c, tick);
	}
	if (tick != INT64_MAX && !source_is_paused(c->source))
		timer_start(source_loop(c->source), &c->timer, tick, on_timer, c);
}

/*
 * Where to go on. A mark in the future means that the clock was set back: ticks up to it have fired. If it is far off, it was
 * the clock of then that was wrong.
 */
static void
begin(struct source *s, int64_t mark)
{
	struct calendar *c = source_data(s);
	int64_t now = loop_now(source_loop(s));
	c->fired = mark;
	if (mark && mark > now - c->catch_up_ns && mark < now + LATE_MAX)
		c->last = mark;
	else if (mark && mark <= now)
		c->last = now - c->catch_up_ns;
	else
		c->last = now;
	on_timer(c);
}

static void
on_pause(struct source *s, bool on)
{
	struct calendar *c = source_data(s);
	if (!on && c->last)
		on_timer(c);
}

static void
read_exclusions(struct calendar *c, const struct calendar_source *config)
{
	VEC(int64_t) days = { 0 };
	for (size_t i = 0; i < config->exclusion_dates.n; i++) {
		str rest;
		if (!dates_of(config->exclusion_dates.p[i], &rest))
			continue;
		while (rest.n) {
			int64_t day;
			if (read_day(str_trim(str_cut(&rest, ',')), &day))
				*VEC_PUSH(&days) = day;
		}
	}
	c->excluded = ARENA_ARRAY(c->arena, int64_t, days.n);
	if (days.n)
		memcpy(c->excluded, days.p, days.n * sizeof *days.p);
	c->excluded_n = days.n;
	VEC_FREE(&days);
}

static int
read_times(struct calendar *c, const struct calendar_source *config, struct err *e)
{
	const struct catchup *catchup = config->persistence ? config->persistence->catchup : NULL;
	dur d;
	if (catchup && catchup->enabled) {
		c->catch_up_ns = LATE_MAX;
		if (catchup->max_duration.n && dur_parse(catchup->max_duration, &d, e) < 0)
			return -1;
		if (catchup->max_duration.n)
			c->catch_up_ns = d.ns < 0 ? 0 : d.ns;
	}
	c->late_max_ns = c->catch_up_ns > LATE_MAX ? c->catch_up_ns : LATE_MAX;
	if (tz_open(c->arena, S("Local"), &c->local, e) < 0 ||
	    tz_open(c->arena, config->timezone.n ? config->timezone : S("Local"), &c->zone, e) < 0)
		return -1;
	if (config->schedule.n)
		return cron_parse(config->schedule, source_like_argo(c->source) ? 0 : CRON_EACH_ONCE, c->arena, &c->cron, e);
	if (dur_parse(config->interval, &d, e) < 0)
		return -1;
	c->interval_ns = d.ns - d.ns % NS_PER_SEC;
	return 0;
}

static int
start(struct source *s, struct err *e)
{
	struct arena *a = arena_new();
	struct calendar *c = ARENA_NEW(a, struct calendar);
	*c = (struct calendar){ .source = s, .arena = a };
	if (read_times(c, source_config(s), e) < 0) {
		arena_free(a);
		return -1;
	}
	if (c->cron.zone)
		c->zone = c->cron.zone;
	read_exclusions(c, source_config(s));
	source_set_data(s, c);
	source_read_mark(s, begin);
	return 0;
}

static void
stop(struct source *s)
{
	struct calendar *c = source_data(s);
	timer_stop(&c->timer);
	arena_free(c->arena);
	source_stopped(s);
}

/* The slot at or before `now` that falls on no excluded day. */
static int64_t
last_slot(const struct calendar *c, int64_t now)
{
	int64_t tick = now + 1;
	do
		tick = cron_prev(&c->cron, c->zone, tick);
	while (tick != INT64_MIN && is_excluded(c, tick));
	return tick;
}

static void
describe(const struct source *s, struct val_map *m, struct arena *a)
{
	const struct calendar *c = source_data(s);
	const struct calendar_source *config = source_config(s);
	int64_t now = loop_now(source_loop(s)), tick = c->interval_ns ? c->last : now, last;
	struct val_list next = { 0 };
	if (!c->last)
		return; /* the mark has not been read yet */
	val_map_add(m, S("schedule"), val_str(arena_dup(a, config->schedule.n ? config->schedule : config->interval)));
	val_map_add(m, S("timezone"), val_str(arena_dup(a, tz_name(c->zone))));
	if (!c->interval_ns && (last = last_slot(c, now)) != INT64_MIN)
		val_map_add(m, S("last"), val_str(time_rfc3339(a, last)));
	if (c->fired)
		val_map_add(m, S("lastTick"), val_str(time_rfc3339(a, c->fired)));
	for (int i = 0; i < SLOTS_SHOWN && (tick = next_tick(c, tick)) != INT64_MAX; i++)
		val_list_add(&next, val_str(time_rfc3339(a, tick)));
	val_map_add(m, S("next"), val_list_end(&next, a));
}

const struct source_ops source_calendar = { .kind = "calendar", .doc = "Events by the clock.", .schema = &calendar_source_schema,
	.start = start, .pause = on_pause, .stop = stop, .describe = describe };
