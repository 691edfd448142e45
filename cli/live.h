/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live: shows a workflow while it runs. On a terminal the tree is painted over itself; elsewhere each node that changes its
 * phase gets one line, so that a build log tells the story in order.
 */
#ifndef TIDEGATE_CLI_LIVE_H
#define TIDEGATE_CLI_LIVE_H

#include "core/map.h"
#include "core/val.h"

struct live {
	FILE *f;
	bool paint;         /* a terminal */
	size_t lines;       /* painted last */
	struct arena *seen_arena;
	struct map seen;    /* node id -> phase as last told */
};
void live_init(struct live *l, FILE *f);
/* The workflow as it is now. `last`: it is finished; what is painted then stays. */
void live_show(struct live *l, const struct val *workflow, bool last);
void live_free(struct live *l);

#endif
