/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules: whatever parses finds a next instant that is later, and from it a previous one that is not before the start. */
#include "core/cron.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 9)
		return 0;
	int64_t at;
	memcpy(&at, data, 8);
	struct arena *a = arena_new();
	struct cron c;
	struct err e;
	const struct tz *zone = NULL;
	if (data[8] & 4 && tz_open(a, S("Europe/Berlin"), &zone, &e) < 0)
		zone = NULL;
	if (cron_parse((str){ (const char *)data + 9, size - 9 }, data[8] & 3, a, &c, &e) == 0) {
		int64_t next = cron_next(&c, zone, at);
		assert(next > at || (next == INT64_MAX && at == INT64_MAX));
		if (next != INT64_MAX && !c.every_ns) {
			int64_t prev = cron_prev(&c, zone, next + 1);
			assert(prev == next);
			assert(cron_prev(&c, zone, next) <= at);
		}
	}
	arena_free(a);
	return 0;
}
