/* SPDX-License-Identifier: Apache-2.0 */
/*
 * line: the steps that wait because as many run as may. Of such a step there is only its place in line: what it is to
 * execute is asked of the run again when there is room (STIM_ROOM), so that a step that waits costs next to nothing beyond
 * its node.
 *
 * Steps of one workflow go in their order; workflows take turns, so that a large one does not hold up the small ones.
 */
#include "core/metrics.h"
#include "engine/shell.h"

enum { LONG = 1000 };

void
line_add(struct live *l, const struct node *n, uint64_t save)
{
	if (!l->line.n)
		list_add_tail(&l->engine->line, &l->in_line);
	*VEC_PUSH(&l->line) = (struct waiting){ n, save };
	l->engine->waiting++;
	metric_add(METRIC_POD_PENDING, 1, "Unschedulable", run_ns(l->run).p, NULL); /* Kubernetes' word for it */
}

void
line_leave(struct live *l)
{
	if (!l->line.n)
		return;
	list_del(&l->in_line);
	l->engine->waiting -= l->line.n - l->line_at;
	VEC_FREE(&l->line);
	l->line_at = 0;
}

bool
line_is_long(const struct engine *g)
{
	return g->waiting >= LONG;
}

/* The next step of the workflow whose turn it is. */
static struct waiting
take(struct engine *g, struct live **out)
{
	struct live *l = LIST_FIRST(&g->line, struct live, in_line);
	struct waiting w = l->line.p[l->line_at++];
	g->waiting--;
	*out = l;
	list_del(&l->in_line);
	if (l->line_at < l->line.n) {
		list_add_tail(&g->line, &l->in_line);
	} else {
		VEC_FREE(&l->line);
		l->line_at = 0;
	}
	return w;
}

/* If the row of its node is on disk, the step need not wait for a commit. */
static void
begin(struct live *l, struct waiting w)
{
	struct stimulus s = { .kind = STIM_ROOM, .now = loop_now(l->engine->loop), .node_id = node_id(w.node) };
	l->called = w.node;
	l->on_disk = w.save <= l->saves_done;
	live_room(l, &s);
	l->called = NULL;
}

void
line_serve(void *arg)
{
	struct engine *g = arg;
	while (!g->closing && !list_empty(&g->line) && executor_room(g->executor)) {
		struct live *l;
		struct waiting w = take(g, &l);
		if (node_has_task(w.node))
			begin(l, w);
	}
	admission_serve(g);
}
