/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/backoff.h"

#include <stdlib.h>

static int64_t
at_random(int64_t ns)
{
	int64_t half = ns / 2;
	return half + (int64_t)((double)half * (arc4random() / 0x1p32));
}

static int64_t
by_default(unsigned attempt)
{
	unsigned doublings = attempt > 6 ? 6 : attempt - 1;
	int64_t s = (int64_t)BACKOFF_FIRST_S << doublings;
	return at_random((s < BACKOFF_MAX_S ? s : BACKOFF_MAX_S) * NS_PER_SEC);
}

int64_t
backoff_next(struct backoff_state *s, const struct backoff *b)
{
	s->attempt++;
	if (!b)
		return by_default(s->attempt);
	unsigned steps = (unsigned)backoff_steps(b), attempt = s->attempt < steps ? s->attempt : steps;
	int64_t ns = backoff_wait_ns(b, attempt, arc4random() / 0x1p32);
	return ns > NS_PER_MS ? ns : NS_PER_MS; /* never at once: a broker that refuses would be asked without end */
}

void
backoff_reset(struct backoff_state *s)
{
	s->attempt = 0;
}
