/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quiet: after a busy time. Runs and rows leave memory in pieces that malloc keeps; when nothing has changed for a moment
 * they go back to the system, on a pool thread.
 */
#include "engine/shell.h"

#include <malloc.h>

#define QUIET NS_PER_SEC /* without a change of a workflow */

static void
trim(void *arg UNUSED)
{
	malloc_trim(0);
}

static void
trimmed(void *arg UNUSED)
{
}

static void
look(void *arg)
{
	struct engine *g = arg;
	if (g->saves == g->saves_before) {
		store_rest(g->store);
		loop_work(g->loop, trim, trimmed, NULL);
		return;
	}
	g->saves_before = g->saves;
	timer_start(g->loop, &g->quiet, loop_now(g->loop) + QUIET, look, g);
}

void
quiet_awaited(struct engine *g)
{
	g->saves++;
	if (!g->quiet.slot && !g->closing)
		timer_start(g->loop, &g->quiet, loop_now(g->loop) + QUIET, look, g);
}
