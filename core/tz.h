/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tz: civil time in a named zone. libc can only convert in the process's own zone (or by changing TZ for the whole process),
 * so the system's zone files are read here: TZif (RFC 8536) versions 1 to 4, with the POSIX rule that governs the years
 * behind the last transition.
 */
#ifndef TIDEGATE_CORE_TZ_H
#define TIDEGATE_CORE_TZ_H

#include "core/base.h"

struct tz;

/*
 * The zone of that IANA name ("Europe/Berlin"), in `a`. "" and "UTC" need no file; "Local" is the process's zone ($TZ, else
 * /etc/localtime, else UTC). The database lies in $TZDIR or /usr/share/zoneinfo. ERR_INVALID for a name that cannot be one,
 * ERR_NOT_FOUND if the database does not know it, ERR_IO for a file that is damaged or cannot be read.
 */
int tz_open(struct arena *a, str name, const struct tz **out, struct err *e) MUST_CHECK;
/* The same from the bytes of a zone file, which are not kept. */
int tz_read(struct arena *a, str name, str bytes, const struct tz **out, struct err *e) MUST_CHECK;
const struct tz *tz_utc(void);
/* tz_near.c: the name in that folder's database that may have been meant, in `a`; NULL: none is near. */
const char *tz_nearest(struct arena *a, str name, const char *folder);
str tz_name(const struct tz *z);

/* A stretch of time in which the offset does not change: [from, to), seconds since the epoch, INT64_MIN and _MAX if open. */
struct tz_span {
	int64_t from, to;
	int32_t offset; /* seconds east of UTC */
	bool dst;
	str abbr;       /* "CET"; "+03" where the zone has no letters */
};
/* The span that holds the instant `sec`. Any zone, any instant. */
struct tz_span tz_span(const struct tz *z, int64_t sec);

/* Civil date and time of day, proleptic Gregorian. */
struct civil {
	int64_t year;
	int month, day;           /* from 1 */
	int hour, minute, second;
	int weekday;              /* 0 Sunday */
};
/* Seconds of local time (UTC seconds + offset) to civil and back. `month` and `day` may lie outside their range. */
struct civil civil_from(int64_t local_sec);
int64_t civil_seconds(const struct civil *c);
/* Days since 1970-01-01 of a date; `month` 1..12, `day` may overflow. */
int64_t civil_days(int64_t year, int month, int64_t day);
int civil_month_days(int64_t year, int month);

/* An instant as Go's Time.String() prints it: "2026-07-15 12:00:00.5 +0200 CEST" (Go: time/format.go). */
str tz_go_string(struct arena *a, const struct tz *z, int64_t ns);

#endif
