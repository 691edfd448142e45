/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tryout: sensors as they would decide, without a daemon, files or network, in a time that is set. An event goes the whole way of the
 * manifest: transforms, filters, conditions, parameters; what a trigger would do is told instead of done. `test` and `backtest` stand
 * on it.
 */
#ifndef TIDEGATE_CLI_TRYOUT_H
#define TIDEGATE_CLI_TRYOUT_H

#include "sensors/sensor.h"

struct tryout;
struct firing;

/* Both are called from within the calls below; what they are given is valid during the call. Neither may be NULL. */
struct tryout_listener {
	/* A trigger would do something now: trigger.h says what may be asked of a firing. */
	void (*fired)(void *arg, struct firing *f);
	sensors_told *decided;
	void *arg;
	bool brief; /* why a filter stopped an event is not wanted: decisions do not say it */
};

/* The Sensor objects of `objects`, which must outlive it, at the time `now` (ns). ERR_INVALID: one of them cannot run. */
int tryout_new(struct objects *objects, int64_t now, const struct tryout_listener *listener, struct tryout **out, struct err *e) MUST_CHECK;
void tryout_free(struct tryout *t); /* NULL is fine */
/* Time goes on to `at`: what is due by then (batch, debounce, rateLimit, within, conditionsReset, retries) happens at its own time. */
void tryout_until(struct tryout *t, int64_t at);
/* An event comes in now, to the sensors of its namespace. Its seq is set if it is 0; those given must grow. How many sensors depend on it. */
size_t tryout_take(struct tryout *t, struct event *ev);

/* ---- decisions kept --------------------------------------------------------------------------------------------------------- */

struct decided {
	str ns, sensor, event, dependency, trigger, verdict, reason, firing;
};
/* Decisions as they stand: what `tidegate events` would show. */
struct decisions {
	struct arena *arena; /* texts are copied into it */
	VEC(struct decided) v;
};
void decisions_add(struct decisions *l, str ns, str sensor, enum rows_how how, const struct decision *d);

#endif
