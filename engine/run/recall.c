/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recall: what is in memory beyond the nodes is derived, and can be made anew at any time by calling the root again, which finds
 * its nodes instead of making them. After a restart that is how a workflow goes on; here it is done to one that is in memory:
 * when it is retried, and when it was suspended while things ended. What they lead to then begins in the order in which it is
 * written, not in that in which they ended, and it is the same as if there had been a restart meanwhile.
 */
#include "engine/run/run_impl.h"

void
node_forget(struct node *n)
{
	n->call = NULL;
	n->of = NULL;
	n->frame = NULL;
	n->waiting = 0;
	n->error = STR_NONE;
	n->exit_begun = n->queued = n->counted = n->told = n->told_ready = false;
	n->hooks_open = 0;
	n->hooks = NULL;
	n->met = false;
}

void
run_recall(struct run *r)
{
	run_drop_frames(r);
	for (size_t i = 0; i < r->nodes.n; i++)
		node_forget(r->nodes.p[i]);
	r->news.n = r->news_at = 0;
	r->hooked.n = r->noticed.n = r->noticed_at = 0;
	for (size_t i = 0; i < r->hooks_n; i++)
		r->hooks_begun[i] = false;
	r->hooks_open = 0;
	r->hook_error = STR_NONE;
	r->workflow_noticed = true;
	r->exit_begun = false;
	r->entered = false;
}
