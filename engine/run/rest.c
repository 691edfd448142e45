/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rest: how much one stimulus begins. A loop over 100,000 elements, or templates that call themselves, would keep
 * everybody else waiting; so a stimulus begins as many calls as world.limits.calls says, and what is left goes on with
 * the next STIM_GO_ON, at the very place where it was left.
 *
 * Who begins many (a group of steps, a loop, the tasks of a dag) looks at run_is_tired before each, and if so leaves its
 * place with run_rest and returns. Whoever called it comes by the same question and does likewise, so the places come in from
 * the innermost outwards and are taken up in that order. No news are told before all of them have been: nodes are
 * made in the same order as if there were no limit.
 *
 * Nothing of it is saved. After a restart the root is called again, which finds what was begun and begins what was
 * not. As that is before everybody was found who may hear of something, nothing may be put off until then: the nodes
 * that were open are counted (unmet), and there is no limit while one of them was not called yet.
 */
#include "engine/run/run_impl.h"

bool
run_is_tired(const struct run *r)
{
	if (r->finished || r->withheld)
		return true; /* nothing begins any more */
	return r->world.limits.calls && r->begun >= r->world.limits.calls && !r->unmet;
}

void
run_rest(struct run *r, const struct rest *x)
{
	*VEC_PUSH(&r->interrupted) = *x;
}

/* Those of this moment lie above those that were there: what interrupted them is innermost. */
void
rest_gather(struct run *r)
{
	while (r->interrupted.n)
		*VEC_PUSH(&r->rests) = r->interrupted.p[--r->interrupted.n];
}

bool
rest_go_on(struct run *r)
{
	if (!r->rests.n)
		return false;
	struct rest x = r->rests.p[--r->rests.n];
	r->behind = true;
	if (!x.node || !node_fulfilled(x.node))
		x.go_on(r, &x);
	r->behind = false;
	return true;
}

void
rest_forget(struct run *r)
{
	VEC_FREE(&r->rests);
	VEC_FREE(&r->interrupted);
	VEC_FREE(&r->refusals);
}

/* Templates that call themselves would go on for long after they were stopped. */
bool
rest_is_over(struct run *r, struct node *n)
{
	bool late = r->deadline && r->now >= r->deadline && !n->exiting;
	if (!r->behind || n->children.n)
		return false;
	if (run_shut(r, n->exiting))
		node_set(n, PHASE_FAILED, run_text(r, "Stopped with strategy '%.*s'", STR_ARG(r->shutdown)));
	else if (late)
		node_set(n, PHASE_FAILED, S("Step exceeded its deadline"));
	return node_fulfilled(n);
}

/* ---- after a restart --------------------------------------------------------------------------------------------- */

/* It may hear of something, and somebody will call it. */
static bool
is_to_be_met(const struct node *n)
{
	return !n->met && !n->gone && (!phase_fulfilled(n->phase) || node_dying(n)) &&
	       (node_is_task(n) || n->type == NODE_SUSPEND || n->type == NODE_RETRY);
}

void
rest_expect(struct run *r)
{
	r->unmet = 0;
	for (size_t i = 0; i < r->nodes.n; i++)
		r->unmet += is_to_be_met(r->nodes.p[i]);
}

void
rest_meet(struct node *n)
{
	if (n->run->unmet && is_to_be_met(n))
		n->run->unmet--;
	n->met = true;
}

/* ---- what is left ------------------------------------------------------------------------------------------------ */

bool
run_busy(const struct run *r)
{
	bool left = r->rests.n || r->news_at < r->news.n || r->noticed_at < r->noticed.n || r->workflow_noticed || limit_due(r) || r->refusals.n;
	return left && r->phase == PHASE_RUNNING && !r->suspended && !r->finished && !r->withheld;
}
