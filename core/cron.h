/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cron: schedules in the language of robfig/cron v3 (parser.go, spec.go), which Argo uses: five fields (minute hour
 * day-of-month month day-of-week), names, ranges, steps, lists, `?`, descriptors and a zone prefix.
 *
 * A schedule is the set of instants whose civil time matches the fields. From that follow the rules for daylight saving:
 * a local time that a transition skips does not fire, one that comes twice fires twice, as robfig's does.
 */
#ifndef TIDEGATE_CORE_CRON_H
#define TIDEGATE_CORE_CRON_H

#include "core/base.h"
#include "core/tz.h"

/* What a caller allows, and how daylight saving is taken. */
#define CRON_DESCRIPTORS 1u /* @yearly @annually @monthly @weekly @daily @midnight @hourly and @every DURATION */
/*
 * Each slot once: a slot that a transition skips fires at the transition, one that comes twice only the first time. Schedules
 * that run every hour follow the clock in any case.
 */
#define CRON_EACH_ONCE 2u

struct cron {
	uint64_t minute, hour, day, month, weekday; /* bit n: n fires */
	bool day_open, weekday_open; /* "*" or "?": then both must match; if neither is open, one of the two is enough */
	bool hour_open;
	bool each_once;
	int64_t every_ns;            /* @every: the fields mean nothing; whole seconds */
	const struct tz *zone;       /* of a CRON_TZ= or TZ= prefix, else NULL */
};

/*
 * Reads a schedule; a zone goes into `a`. ERR_INVALID says which field is wrong and what would be right; ERR_NOT_FOUND is an
 * unknown zone.
 */
int cron_parse(str text, unsigned flags, struct arena *a, struct cron *out, struct err *e) MUST_CHECK;
/*
 * The first instant after `after_ns` (the last one before `before_ns`) that fires, in the schedule's own zone, else in `zone`
 * (NULL: UTC). Whole seconds. INT64_MAX (INT64_MIN) if there is none within nine years: 30 February, say.
 * @every counts from the instant given: cron_prev of it is one interval earlier.
 */
int64_t cron_next(const struct cron *c, const struct tz *zone, int64_t after_ns);
int64_t cron_prev(const struct cron *c, const struct tz *zone, int64_t before_ns);

#endif
