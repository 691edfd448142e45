/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cron_times.h"

#include "cli/output.h"
#include "core/lang/gotime.h"

#define RFC_1123 "Mon, 02 Jan 2006 15:04:05 MST"
#define GO_STRING "2006-01-02 15:04:05.999999999 -0700 MST"

static int64_t
instant(const struct go_time *t)
{
	const struct civil c = { .year = t->year,
		.month = t->month,
		.day = t->day,
		.hour = t->hour,
		.minute = t->minute,
		.second = t->second };
	return (civil_seconds(&c) - t->offset) * NS_PER_SEC + t->nsec;
}

/* False: the text is not of that layout, or its time not of the centuries that have nanoseconds. */
static bool
read_by(const char *layout, const char *text, int64_t *out)
{
	struct go_time t;
	if (!go_time_parse(str_c(layout), str_c(text), &t) || t.year < 1678 || t.year > 2261)
		return false;
	*out = instant(&t);
	return true;
}

int
cron_time_read(const char *text, const char *layout, int64_t now, int64_t *out, struct arena *a, struct err *e)
{
	const char *whole = strlen(text) == 10 ? arena_fmt(a, "%sT00:00:00Z", text).p : text;
	if ((layout && read_by(layout, text, out)) || read_by(RFC_1123, text, out))
		return 0;
	if (time_before(whole, now, out, e) == 0)
		return 0;
	return layout ? err_wrap(e, "not as --format %s, and no other time", layout) : -1;
}

str
cron_time_text(str local, const char *layout, struct arena *a)
{
	struct go_time t;
	struct buf b CLEANUP(free_buf) = { 0 };
	size_t zone = local.n;
	if (!layout || !go_time_parse(S(GO_STRING), local, &t))
		return local;
	while (zone && local.p[zone - 1] != ' ')
		zone--;
	go_time_format(&b, instant(&t), str_c(layout), t.offset, str_slice(local, zone, local.n));
	return arena_dup(a, buf_str(&b));
}
