/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quiet: after a busy time. Runs and rows leave memory in pieces that malloc keeps; when nothing has changed for a moment
 * they go back to the system, on a pool thread.
 *
 * malloc_trim gives back free pages between what is used, but of a thread's arena not those at its end: these go with a free(), once
 * there are more of them than M_TRIM_THRESHOLD, which by default grows with the largest block that was ever freed, up to 64 MiB.
 */
#include "engine/shell.h"

#include <malloc.h>

#define QUIET NS_PER_SEC /* without a change of a workflow */

enum { KEPT_AT_END = 512 << 10, MAPPED_FROM = 4 << 20 /* bytes; a block of its own costs two system calls and its pages */ };

void
quiet_prepare(void)
{
	(void)mallopt(M_TRIM_THRESHOLD, KEPT_AT_END);
	(void)mallopt(M_MMAP_THRESHOLD, MAPPED_FROM);
}

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
	if (!timer_is_armed(&g->quiet) && !g->closing)
		timer_start(g->loop, &g->quiet, loop_now(g->loop) + QUIET, look, g);
}
