/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookup: looks at a directory somewhere else, again and again: when the first one is due, how long to wait after one that failed, that no look
 * begins before what the last one found is announced. How to look is the kind's; what a look means is sources/watch.h's.
 */
#ifndef TIDEGATE_SOURCES_LOOKUP_H
#define TIDEGATE_SOURCES_LOOKUP_H

#include "sources/watch.h"

#define LOOKUP_INTERVAL_MIN (100 * NS_PER_MS)
#define LOOKUP_SETTLE_MIN (2 * NS_PER_SEC) /* a name has to look the same for an interval, and for this long */

struct lookup;

/* A Go duration of LOOKUP_INTERVAL_MIN at least, for checks of members; absent is fine. */
void lookup_check_interval(str text, const struct val *in, struct decode *c, const char *field);
/*
 * Begins; `look` is called for each look, in a turn of its own, and ends it with one of the two below, now or later. `o`: settle_ns is set
 * here. `interval` is good for lookup_check_interval; absent: `dflt`, ns.
 */
struct lookup *lookup_start(struct source *s, struct watch_options *o, str interval, int64_t dflt, void (*look)(void *arg), void *arg);
/* What was seen; takes it. */
void lookup_seen(struct lookup *l, struct watch_look *seen);
/* It could not be done: tried again after a while. ERR_NOT_FOUND: there is no such directory, which says nothing of its files. */
void lookup_failed(struct lookup *l, const struct err *e);
/* source_ops.pause and .describe. */
void lookup_pause(struct lookup *l, bool on);
void lookup_describe(const struct lookup *l, struct val_map *m, struct arena *a);
/* No look begins any more; one that is under way is the kind's to end, without telling. NULL is fine. */
void lookup_free(struct lookup *l);
struct watch *lookup_watch(struct lookup *l);

#endif
