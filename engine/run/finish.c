/* SPDX-License-Identifier: Apache-2.0 */
/*
 * finish: how a workflow ends. Its root is done, then hooks of the workflow that were begun are waited for, then its exit handler, and
 * then pods that were told to end (spec 2.2).
 */
#include "engine/run/run_impl.h"

/* None is open after an ordinary end, but for a daemon that is the exit handler. */
static void
end_open_pods(struct run *r)
{
	for (size_t i = 0; i < r->nodes.n; i++) {
		struct node *n = r->nodes.p[i];
		if (!node_has_task(n))
			continue;
		pod_kill(r, n);
		node_set(n, n->daemoned ? PHASE_SUCCEEDED : PHASE_FAILED,
			n->daemoned ? STR_NONE : S("the workflow has ended"));
	}
}

void
run_end(struct run *r, enum phase p, str message)
{
	if (r->finished)
		return;
	end_open_pods(r);
	if (r->ending) { /* until the last pod is gone */
		r->withheld = p;
		r->withheld_message = arena_dup(r->arena, message);
		return;
	}
	r->withheld = PHASE_NONE;
	r->phase = p;
	r->queued = false;
	r->message = arena_dup(r->arena, message);
	r->finished = r->now - r->now % NS_PER_SEC;
	if (!r->started) /* it never got its locks */
		r->started = r->finished;
	if (r->finished < r->started)
		r->finished = r->started;
	sync_finish(r);
	metrics_of_workflow(r, true);
}

/* Root and exit handler are done: the handler's result counts only if the root's is good (spec 2.2). */
static void
conclude(struct run *r)
{
	enum phase p = r->root->phase;
	if (p == PHASE_SKIPPED || p == PHASE_OMITTED)
		p = PHASE_SUCCEEDED;
	str message = phase_failed(p) && r->shutdown.n
			      ? run_text(r, "Stopped with strategy '%.*s'", STR_ARG(r->shutdown))
			      : r->root->message;
	if (p == PHASE_SUCCEEDED && r->on_exit && phase_failed(r->on_exit->phase)) {
		p = r->on_exit->phase;
		message = r->on_exit->message;
	}
	run_end(r, p, message);
}

/* The root is done. What is still waited for: hooks of the workflow that were begun, and its exit handler (spec 2.2). */
void
finish_if_done(struct run *r)
{
	str error = lifecycle_look_at_workflow(r);
	if (error.p && !r->hook_error.p)
		r->hook_error = error;
	if (r->hooks_open)
		return;
	if (r->hook_error.p && r->root->phase != PHASE_ERROR)
		node_set(r->root, PHASE_ERROR, r->hook_error);
	if (!r->exit_begun) {
		r->exit_begun = on_exit_begin(r);
		if (r->exit_begun)
			return;
	}
	if (!r->exit_begun || (r->on_exit && node_fulfilled(r->on_exit)))
		conclude(r);
}

void
finish_root(struct run *r, struct node *root)
{
	r->root = root;
	if (root->bubbles)
		run_end(r, PHASE_ERROR, run_text(r, "error in entry template execution: %.*s", STR_ARG(root->message)));
	else
		finish_if_done(r);
}
