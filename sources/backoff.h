/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backoff: how long a source waits before it connects again. For ever: a source that gives up is deaf without a word (spec events 8).
 */
#ifndef TIDEGATE_SOURCES_BACKOFF_H
#define TIDEGATE_SOURCES_BACKOFF_H

#include "config/config.h"

enum { BACKOFF_FIRST_S = 1, BACKOFF_MAX_S = 60 };

/* Zero-initialise. */
struct backoff_state {
	unsigned attempt; /* failures in a row */
};
/*
 * Nanoseconds to wait after one more failure: 1 s, twice as long each time, a minute at most; half of it is random, so that what broke at
 * one moment does not come back at one moment. `b` (a source's connectionBackoff; NULL: none) says otherwise for its first
 * `steps` attempts; those behind them wait as long as the last of these.
 */
int64_t backoff_next(struct backoff_state *s, const struct backoff *b);
/* It worked. */
void backoff_reset(struct backoff_state *s);

#endif
