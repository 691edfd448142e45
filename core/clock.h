/* SPDX-License-Identifier: Apache-2.0 */
/* clock: what the kernel's clocks say, for threads and processes that are not the loop's: what the loop decides is decided by loop_now. */
#ifndef TIDEGATE_CORE_CLOCK_H
#define TIDEGATE_CORE_CLOCK_H

#include <time.h>

#include "core/base.h"

/* Nanoseconds of any clock, those of a processor's time among them; 0: there is no such clock any more. */
static inline int64_t
clock_ns(clockid_t id)
{
	struct timespec t = { 0 };
	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

/* The time of day: nanoseconds since 1970-01-01T00:00:00Z. */
static inline int64_t
clock_wall_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

/* Of a clock that nobody sets, for waits and measures. */
static inline int64_t
clock_monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static inline int64_t
clock_monotonic_ms(void)
{
	return clock_monotonic_ns() / NS_PER_MS;
}

#endif
