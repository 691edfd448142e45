/* SPDX-License-Identifier: Apache-2.0 */
/*
 * awaiting: the events of a sensor that wait for a jq program, and those behind them. A sensor decides on its events in the order of
 * the bus, so whoever comes while one is under way waits behind it. Nothing of this is on disk: an event that is not decided is not consumed.
 */
#ifndef TIDEGATE_SENSORS_AWAITING_H
#define TIDEGATE_SENSORS_AWAITING_H

#include "sensors/jq.h"
#include "sensors/program.h"

/* What a dependency sees of an event whose data a jq program changed. */
struct transformed {
	size_t dep;
	struct event *ev; /* NULL: it failed */
	str why;          /* what went wrong */
};
struct awaiting;

/* `ready` is called for each event that awaiting_add took, in their order, with the answers of its jq programs. `jq` gives the pool when one is needed. */
struct awaiting *awaiting_new(struct jq_pool *(*jq)(void *arg), void (*ready)(void *arg, struct event *ev, const struct transformed *t, size_t n),
                              void *arg);
/* Forgets all; `ready` is not called any more. NULL is fine. */
void awaiting_free(struct awaiting *w);
/* False: the event waits for nothing and nobody is before it, so the caller goes on with it at once. */
bool awaiting_add(struct awaiting *w, const struct program *p, struct event *ev);
/* From here on this program counts, also for those that wait. Before the old one is freed. */
void awaiting_restart(struct awaiting *w, const struct program *p);
/* Forgets those that wait: they come again with the next subscription. */
void awaiting_clear(struct awaiting *w);
size_t awaiting_count(const struct awaiting *w);

#endif
