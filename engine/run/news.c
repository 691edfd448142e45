/* SPDX-License-Identifier: Apache-2.0 */
/*
 * news: nodes that were fulfilled. They are told one by one to whoever waits for them, until there are none.
 */
#include "engine/run/run_impl.h"

/*
 * Whether the owner is there to be told. After a restart it is not until it was called again, and then it asks for
 * itself; nor is it where a row was damaged.
 */
static bool
has_listener(const struct node *n)
{
	const struct node *o = n->owner;
	if (n->told_ready && n->role != ROLE_ATTEMPT)
		return false; /* what becomes of a daemon later is nobody's business but that of its Retry node */
	if (!phase_fulfilled(n->phase) && n->role == ROLE_ROOT)
		return false; /* a workflow that is a daemon runs until somebody stops it */
	switch (n->role) {
	case ROLE_GROUP:
		return o && o->type == NODE_STEPS && o->frame && o->frame->group == n;
	case ROLE_STEP:
		return o && o->type == NODE_STEP_GROUP && o->waiting && o->owner && o->owner->frame;
	case ROLE_TASK:
		return o && o->type == NODE_DAG && o->frame && n->slot < o->frame->tasks_n;
	case ROLE_ITEM:
		return o && o->type == NODE_TASK_GROUP && o->waiting;
	case ROLE_ATTEMPT:
		return o && o->type == NODE_RETRY && o->call;
	case ROLE_EXIT:
	case ROLE_HOOK:
		return o && o->role != ROLE_EXIT && o->role != ROLE_HOOK && o->hooks_open && has_listener(o);
	case ROLE_WORKFLOW_HOOK:
		return n->run->hooks_open > 0;
	case ROLE_ROOT:
	case ROLE_ON_EXIT:
		return true;
	case ROLE_NONE:
	case ROLES:
		break;
	}
	return false;
}

static void
tell_listener(struct run *r, struct node *n)
{
	if (!has_listener(n))
		return;
	n->told_ready = n->daemoned;
	if (n->role == ROLE_EXIT || n->role == ROLE_HOOK) {
		if (n->bubbles)
			hook_error(n->owner, n->role, n->message);
		n = n->owner;
		n->hooks_open--;
		if (!n->told)
			return; /* it goes on itself, or its own end is still to be told */
	}
	n->told = true;
	switch (n->role) {
	case ROLE_ROOT:
		finish_root(r, n);
		break;
	case ROLE_GROUP:
		steps_group_done(r, n);
		break;
	case ROLE_STEP:
		steps_child_begun(r, n); /* an error is one from now on, not from when its hooks have ended */
		if (!hooks_wait(r, n))
			steps_child_settled(r, n->owner, n);
		break;
	case ROLE_TASK:
		if (!hooks_wait(r, n))
			dag_task_settled(r, n->owner, n);
		break;
	case ROLE_ITEM:
		if (!hooks_wait(r, n))
			dag_item_settled(n->owner);
		break;
	case ROLE_ATTEMPT:
		retry_attempt_done(r, n->owner);
		break;
	case ROLE_ON_EXIT:
		r->on_exit = n;
		if (n->bubbles)
			run_end(r, PHASE_ERROR, run_text(r, "error in exit template execution : %.*s", STR_ARG(n->message)));
		else
			finish_if_done(r);
		break;
	case ROLE_WORKFLOW_HOOK:
		r->hooks_open--;
		if (n->bubbles && !r->hook_error.p)
			r->hook_error = n->message;
		if (r->root && r->root->told)
			finish_if_done(r);
		break;
	case ROLE_NONE:
	case ROLE_EXIT:
	case ROLE_HOOK:
	case ROLES:
		break;
	}
}

static void
tell(struct run *r, struct node *n)
{
	struct frame *f = n->counted ? n->owner->frame : NULL;
	n->queued = n->counted = false;
	if (f)
		f->news--;
	tell_listener(r, n);
	if (f)
		dag_go_on(r, f);
}

static bool
tell_next(struct run *r)
{
	if (r->news_at == r->news.n)
		return false;
	tell(r, r->news.p[r->news_at++]);
	return true;
}

static void
settle_rest(struct run *r, struct rest *x)
{
	run_settle_below(r, x->mark, x->node);
	steps_child_begun(r, x->node);
}

/* The news from `mark` to `at` were told, but for that of `own`, which comes first now. */
static void
drop_told(struct run *r, size_t mark, size_t at, struct node *own)
{
	if (own)
		r->news.p[--at] = own;
	memmove(r->news.p + mark, r->news.p + at, (r->news.n - at) * sizeof *r->news.p);
	r->news.n -= at - mark;
}

void
run_settle_below(struct run *r, size_t mark, struct node *n)
{
	struct node *own = NULL;
	size_t at = mark < r->news_at ? mark = r->news_at : mark;
	for (; at < r->news.n && !r->finished && !r->interrupted.n; at++) {
		struct node *x = r->news.p[at];
		if (x == n) {
			own = n;
			continue;
		}
		tell(r, x);
	}
	if (r->interrupted.n) /* places were left: they come first */
		run_rest(r, &(struct rest){ .go_on = settle_rest, .node = n, .mark = mark });
	if (at > mark)
		drop_told(r, mark, at, own);
}

/* Until nothing is left, or the stimulus has begun enough. */
void
run_settle(struct run *r)
{
	for (;;) {
		rest_gather(r);
		if (r->suspended || r->finished || r->withheld || run_is_tired(r))
			break;
		if (!rest_go_on(r) && !tell_next(r) && !lifecycle_settle(r) && !limit_settle(r) && !sync_tell_refusal(r))
			break;
	}
	if (r->news_at == r->news.n)
		r->news.n = r->news_at = 0;
}
