/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dedup: which delivery ids a log has seen, and as which event. Remembered for a window of time, in slices of an eighth of it:
 * forgetting is freeing a slice. Bounded; what does not fit is forgotten early, oldest first.
 */
#ifndef TIDEGATE_BUS_DEDUP_H
#define TIDEGATE_BUS_DEDUP_H

#include "core/event.h"
#include "core/map.h"

enum { DEDUP_MAX = 200000 }; /* read at start-up: a fifth of a second */

struct dedup_entry {
	int64_t seq, time;
	str id; /* of the event that was there first */
};

struct dedup_slice {
	int64_t index; /* time / slice length */
	struct arena *arena;
	struct map entries; /* source, subject and delivery id, joined -> struct dedup_entry */
};

struct dedup {
	int64_t slice_ns;
	VEC(struct dedup_slice) slices; /* oldest first */
	size_t n;
};

void dedup_init(struct dedup *d, int64_t window_ns);
/* What is remembered at `now` of an event with that source, subject and delivery id; NULL: nothing. Forgets what is too old. */
const struct dedup_entry *dedup_find(struct dedup *d, int64_t now, str source, str subject, str delivery);
/* Remembers; everything is copied. An entry that is there already stays. */
void dedup_add(struct dedup *d, str source, str subject, str delivery, const struct dedup_entry *entry);
/* The first, and if that is nothing, the second: NULL. */
const struct dedup_entry *dedup_enter(struct dedup *d, int64_t now, str source, str subject, str delivery, const struct dedup_entry *entry);
void dedup_free(struct dedup *d);

#endif
