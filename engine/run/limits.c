/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits: how many run at once, when a failure stops the rest, and when time is over (spec 2.8, 2.14). A call that has
 * to wait is parked in the queue of the limit it met; whoever ends lets the first in line try again. Nothing polls.
 */
#include "engine/run/run_impl.h"

/* ---- counting -------------------------------------------------------------------------------------------------- */

/* What Argo counts by walking all nodes (getActivePods, getActiveChildren), kept as nodes change. */
void
limit_count(struct node *n, bool was_active, bool is_active)
{
	if (was_active == is_active || (n->type != NODE_POD && n->type != NODE_STEPS && n->type != NODE_DAG))
		return;
	uint32_t by = is_active ? 1 : UINT32_MAX; /* plus one, or minus one */
	if (n->boundary)
		n->boundary->active_children += by;
	if (n->type == NODE_POD && !sync_waits(n))
		limit_count_pod(n, is_active);
}

void
limit_count_pod(struct node *n, bool add)
{
	uint32_t by = add ? 1 : UINT32_MAX;
	n->run->active_pods += by;
	if (n->boundary)
		n->boundary->active_pods += by;
}

/* Of attempts only the Retry node counts; exit handlers do not. */
void
limit_count_failed(struct node *n)
{
	bool counts = n->type == NODE_POD || n->type == NODE_STEPS || n->type == NODE_DAG || n->type == NODE_RETRY;
	if (n->boundary && counts && phase_failed(n->phase) && !n->retried && !n->exiting && !n->hooked)
		n->boundary->failed_children++;
}

/* ---- parallelism ----------------------------------------------------------------------------------------------- */

static void
park(struct link *queue, struct call *c)
{
	c->is_parked = true;
	list_add_tail(queue, &c->parked);
}

/* The frame whose template limits its children; NULL if none does. */
static struct frame *
limiting_frame(const struct call *c)
{
	return c->boundary ? c->boundary->frame : NULL;
}

static bool
template_full(const struct frame *f)
{
	return f->tmpl->parallelism.set && f->node->active_children >= f->tmpl->parallelism.v;
}

static bool
fails_fast(const struct frame *f)
{
	return f->tmpl->fail_fast == TRI_TRUE && f->node->failed_children;
}

bool
limit_parks(struct run *r, struct call *c)
{
	/* What was left of an earlier stimulus (rest.c) would have met the limit then: it comes behind who did. */
	if (r->parallelism >= 0 && (r->active_pods >= r->parallelism || (r->behind && !list_empty(&r->parked)))) {
		park(&r->parked, c);
		return true;
	}
	struct frame *f = node_named(r, c->name) ? NULL : limiting_frame(c);
	if (f && (template_full(f) || fails_fast(f) || (r->behind && !list_empty(&f->parked)))) {
		park(&f->parked, c);
		return true;
	}
	return false;
}

static struct call *
first_parked(struct link *queue)
{
	struct call *c = LIST_FIRST(queue, struct call, parked);
	list_del(&c->parked);
	c->is_parked = false;
	return c;
}

static bool
frame_releases(const struct run *r, const struct frame *f)
{
	return f && !list_empty(&f->parked) && !template_full(f) && !fails_fast(f) &&
		(r->parallelism < 0 || r->active_pods < r->parallelism);
}

static bool
run_releases(const struct run *r)
{
	return !list_empty(&r->parked) && r->active_pods < r->parallelism;
}

static void
go_on(struct run *r, struct rest *x)
{
	r->behind = false;
	limit_release(r, x->node);
}

void
limit_release(struct run *r, struct node *boundary)
{
	struct frame *f = boundary && !node_fulfilled(boundary) ? boundary->frame : NULL;
	while (frame_releases(r, f) && !run_is_tired(r))
		(void)call_begin(r, first_parked(&f->parked));
	while (run_releases(r) && !run_is_tired(r))
		(void)call_begin(r, first_parked(&r->parked));
	if (frame_releases(r, f) || run_releases(r))
		run_rest(r, &(struct rest){ .go_on = go_on, .node = f ? boundary : NULL });
}

/* ---- failFast of a template ------------------------------------------------------------------------------------ */

static void
forget_parked(struct frame *f)
{
	LIST_EACH(&f->parked, struct call, parked, c)
	{
		list_del(&c->parked);
		c->is_parked = false;
	}
}

/* What is not active, but not done either: attempts that wait, suspended nodes, groups; and the hooks of those that are. */
static void
give_up(struct node *n, str why)
{
	for (size_t i = 0; i < n->children.n; i++)
		if (n->children.p[i]->boundary == n->boundary && (n->type == NODE_TASK_GROUP || n->children.p[i]->hooked))
			give_up(n->children.p[i], why);
	if (node_fulfilled(n))
		return;
	n->role = ROLE_NONE;
	node_set(n, PHASE_FAILED, why);
}

/* Source: checkParallelism, workflow/controller/operator.go: once nothing runs any more the template fails, whatever
 * was left to do. */
bool
limit_fail_fast(struct run *r, struct node *boundary)
{
	struct frame *f = boundary ? boundary->frame : NULL;
	size_t daemons = boundary ? daemons_running(boundary) : 0; /* they do not keep it from ending */
	if (!f || node_fulfilled(boundary) || !fails_fast(f) || boundary->active_pods > daemons ||
		boundary->active_children > daemons)
		return false;
	str why = S("template has failed or errored children and failFast enabled");
	(void)r;
	forget_parked(f);
	for (size_t i = 0; f->group && i < f->group->children.n; i++)
		if (f->group->children.p[i]->boundary == boundary)
			give_up(f->group->children.p[i], why);
	for (size_t i = 0; i < f->tasks_n; i++)
		if (dag_task_node(f, i))
			give_up(dag_task_node(f, i), why);
	if (f->group)
		give_up(f->group, why);
	node_set(boundary, PHASE_FAILED, why);
	return true;
}

/* ---- the workflow's deadline ----------------------------------------------------------------------------------- */

void
pod_give_up(struct run *r, struct node *n, str why)
{
	daemon_kill(r, n);
	if (!n->ending)
		n->body = NULL;
	containers_end(n, why);
	node_set(n, PHASE_FAILED, why);
}

/* Pods and suspended nodes fail at once; steps and dags then fail through them. Exit handlers are spared. */
void
limit_deadline(struct run *r)
{
	for (size_t i = 0; i < r->nodes.n; i++) {
		struct node *n = r->nodes.p[i];
		if (n->gone || n->exiting || phase_fulfilled(n->phase))
			continue;
		if (node_is_task(n) && !sync_waits(n))
			pod_give_up(r, n, S(STEP_TOO_LONG));
		else if (n->type == NODE_SUSPEND || sync_waits(n))
			node_set(n, PHASE_FAILED, S(STEP_TOO_LONG));
		else if (n->type == NODE_RETRY && node_last_attempt(n))
			node_announce(
				node_last_attempt(n)); /* it may wait for a backoff that is not worth waiting for */
	}
}
