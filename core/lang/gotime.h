/* SPDX-License-Identifier: Apache-2.0 */
/* gotime: times as Go's package time writes and reads them by a layout, "2006-01-02T15:04:05Z07:00". */
#ifndef TIDEGATE_CORE_LANG_GOTIME_H
#define TIDEGATE_CORE_LANG_GOTIME_H

#include "core/base.h"
#include "core/tz.h"

/* Writes an instant (nanoseconds, or seconds and nanoseconds since the epoch) at that offset (seconds east) in a zone
 * of that name. */
void go_time_format(struct buf *b, int64_t ns, str layout, int32_t offset, str zone);
void go_time_format_at(struct buf *b, int64_t sec, int32_t nsec, str layout, int32_t offset, str zone);

enum go_zone { GO_ZONE_NONE /* the text names none */, GO_ZONE_UTC, GO_ZONE_OFFSET };
struct go_time {
	int64_t year;
	int month, day, hour, minute, second;
	int32_t nsec, offset;
	enum go_zone zone;
};
/* Reads `value` by the layout; what the layout does not name is that of year 0, January 1st. False if it does not fit.
 */
bool go_time_parse(str layout, str value, struct go_time *out);

#endif
