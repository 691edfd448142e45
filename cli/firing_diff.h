/* SPDX-License-Identifier: Apache-2.0 */
/*
 * firing_diff: what two sensors made of the same events, firing by firing. Firings of one trigger by the same events belong together;
 * they are the same if they would send the same at the same time. Those that are the same are forgotten at once, so memory holds
 * what differs.
 */
#ifndef TIDEGATE_CLI_FIRING_DIFF_H
#define TIDEGATE_CLI_FIRING_DIFF_H

#include "core/map.h"
#include "core/val.h"

struct firing;

enum side { SIDE_BEFORE, SIDE_AFTER };

/* A firing that one side alone has, or that the sides have differently. */
struct firing_change {
	str key;            /* "trigger\0dependency\0event\0dependency\0event..." */
	bool there[2];
	int64_t at[2];
	uint64_t hash[2];
	str image[2];       /* JSON of {settings, resource, payload}; absent: too much was kept already */
};
struct firing_diff {
	struct map open;    /* key -> struct firing_change: one side has it, so far */
	VEC(struct firing_change *) changed; /* both have it */
	size_t same, fired[2], bytes;
};
void firing_diff_add(struct firing_diff *d, enum side side, struct firing *f);
/* All changes: those of one side and those of both, by time. Borrowed. */
const struct firing_change **firing_diff_list(struct firing_diff *d, struct arena *a, size_t *n);
void firing_diff_free(struct firing_diff *d);

#endif
