/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits: how many run at once, when a failure stops the rest, and when time is over (spec 2.8, 2.14).
 *
 * A call that is subject to a limit (spec.parallelism, or parallelism or failFast of the template around it) stands in the
 * run's line. When there are no news left the first in line begins, then the next, as long as there is room. First is what
 * is written first, the hooks of a group's steps after all its steps; inner calls where their template stands. That is the
 * order in which Argo walks down the tree. Who meets the limit of the template around it waits there and comes back into
 * the line as soon as somebody has ended. Nothing polls.
 *
 * failFast: as soon as a child has failed, nothing more is begun or decided in the template. What it began comes to its own
 * end; who waits for a lock has not begun. When nothing of it runs any more, and there are no news, the template fails with
 * Argo's message.
 */
#include "engine/run/run_impl.h"

/* ---- counting -------------------------------------------------------------------------------------------------- */

static void
count_pod(struct node *n, bool add)
{
	uint32_t by = add ? 1 : UINT32_MAX; /* plus one, or minus one */
	n->run->active_pods += by;
	if (n->boundary)
		n->boundary->active_pods += by;
}

static void
count_waiting(struct node *n, bool add)
{
	if (n->boundary) {
		n->boundary->waiting_children += add ? 1 : UINT32_MAX;
		limit_note(n->boundary->frame);
	}
}

/* What Argo counts by walking all nodes (getActivePods, getActiveChildren), kept as nodes change. */
void
limit_count(struct node *n, bool was_active, bool is_active)
{
	if (was_active == is_active || (n->type != NODE_POD && n->type != NODE_STEPS && n->type != NODE_DAG))
		return;
	uint32_t by = is_active ? 1 : UINT32_MAX; /* plus one, or minus one */
	if (n->boundary) {
		n->boundary->active_children += by;
		limit_note(n->boundary->frame);
	}
	if (sync_waits(n))
		count_waiting(n, is_active);
	else if (n->type == NODE_POD)
		count_pod(n, is_active);
}

void
limit_count_waits(struct node *n, bool waits)
{
	if (n->type != NODE_POD && n->type != NODE_STEPS && n->type != NODE_DAG)
		return;
	count_waiting(n, waits);
	if (n->type == NODE_POD)
		count_pod(n, !waits);
}

/* Of attempts only the Retry node counts; exit handlers do not. */
void
limit_count_failed(struct node *n)
{
	bool counts = n->type == NODE_POD || n->type == NODE_STEPS || n->type == NODE_DAG || n->type == NODE_RETRY;
	if (n->boundary && counts && phase_failed(n->phase) && !n->retried && !n->exiting && !n->hooked) {
		n->boundary->failed_children++;
		limit_note(n->boundary->frame);
	}
}

/* ---- who is first ---------------------------------------------------------------------------------------------- */

static struct call *
call_at(struct heap_node *x)
{
	return CONTAINER_OF(x, struct call, rank);
}

static const struct call *
around(const struct call *c)
{
	return c->boundary->frame->call;
}

static bool
is_before(struct heap_node *x, struct heap_node *y)
{
	const struct call *a = call_at(x), *b = call_at(y);
	while (a->depth > b->depth)
		a = around(a);
	while (b->depth > a->depth)
		b = around(b);
	while (a->boundary != b->boundary) {
		a = around(a);
		b = around(b);
	}
	for (size_t i = 0; i < ARRAY_LEN(a->place.at); i++)
		if (a->place.at[i] != b->place.at[i])
			return a->place.at[i] < b->place.at[i];
	return str_cmp(call_at(x)->name, call_at(y)->name) < 0;
}

/* ---- lines ----------------------------------------------------------------------------------------------------- */

static struct frame *
frame_around(const struct call *c)
{
	return c->boundary ? c->boundary->frame : NULL;
}

static bool
has_limits(const struct frame *f)
{
	return f->tmpl->parallelism.set || f->tmpl->fail_fast == TRI_TRUE;
}

/* The frame whose template limits the call; NULL if none does. A node that is there already is among those it counts. */
static struct frame *
limiting_frame(const struct run *r, const struct call *c)
{
	struct frame *f = frame_around(c);
	return f && has_limits(f) && !node_named(r, c->name) ? f : NULL;
}

/* Who asks for its locks has its place until it is told: else those behind it would take it each time. */
static bool
run_full(const struct run *r)
{
	return r->parallelism >= 0 && (int64_t)r->active_pods + r->asks >= r->parallelism;
}

/* How many more children it may have; SIZE_MAX: any number. */
static size_t
room(const struct frame *f)
{
	if (!f->tmpl->parallelism.set)
		return SIZE_MAX;
	int64_t left = f->tmpl->parallelism.v - f->node->active_children;
	return left > 0 ? (size_t)left : 0;
}

bool
limit_frozen(const struct frame *f)
{
	return f && f->tmpl->fail_fast == TRI_TRUE && f->node->failed_children;
}

static void
stand(struct run *r, struct call *c, struct heap *line)
{
	struct frame *f = frame_around(c);
	if (c->line)
		heap_del(c->line, &c->rank);
	if (f)
		f->offered += (line == &r->line) - (c->line == &r->line);
	line->before = is_before;
	c->line = line;
	heap_add(line, &c->rank);
}

bool
limit_parks(struct run *r, struct call *c)
{
	struct frame *f = frame_around(c);
	bool made = node_named(r, c->name) != NULL;
	if (c->admitted || (made ? !run_full(r) : r->parallelism < 0 && !limiting_frame(r, c))) {
		c->admitted = false;
		return false;
	}
	stand(r, c, &r->line);
	c->turn = r->turn;
	if (!f)
		return true;
	list_add_tail(&f->waiting, &c->kin);
	c->held = c->role == ROLE_TASK && !made;
	f->held += c->held;
	return true;
}

void
limit_leaves(struct call *c)
{
	struct frame *f = frame_around(c);
	if (!c->line)
		return;
	heap_del(c->line, &c->rank);
	if (f) {
		f->offered -= c->line != &f->parked;
		f->held -= c->held;
		list_del(&c->kin);
	}
	c->line = NULL;
	c->held = false;
}

void
limit_forget(struct frame *f)
{
	while (!list_empty(&f->waiting))
		limit_leaves(LIST_FIRST(&f->waiting, struct call, kin));
}

void
limit_withdraw(struct node *group)
{
	struct frame *f = group->owner ? group->owner->frame : NULL;
	if (!f)
		return;
	LIST_EACH(&f->waiting, struct call, kin, c)
	{
		if (c->role != ROLE_STEP || c->owner != group || node_named(group->run, c->name))
			continue;
		limit_leaves(c);
		group->waiting--;
	}
}

static struct frame *
noted_at(struct heap_node *x)
{
	return CONTAINER_OF(x, struct frame, noted);
}

/* Of several that may end at one moment the one that was made first does so first, as their nodes do. */
static bool
is_older(struct heap_node *x, struct heap_node *y)
{
	return noted_at(x)->node->order < noted_at(y)->node->order;
}

void
limit_note(struct frame *f)
{
	if (!f || f->noted.at || !has_limits(f))
		return;
	struct heap *all = &f->node->run->noted;
	all->before = is_older;
	heap_add(all, &f->noted);
}

/*
 * As many as there is room for come back into the line, and the first of them in any case: it may come before all that are
 * in the line already. It is asked again whenever one of them has begun.
 */
static void
offer(struct run *r, struct frame *f)
{
	bool first = room(f) > 0 && !limit_frozen(f);
	while (heap_top(&f->parked) && !limit_frozen(f) && (first || room(f) > f->offered)) {
		stand(r, call_at(heap_top(&f->parked)), &r->line);
		first = false;
	}
}

static void
begin(struct run *r, struct call *c)
{
	struct frame *f = frame_around(c);
	bool dropped = c->held && run_shut(r, c->exiting); /* nothing new is begun any more */
	struct node *n = NULL;
	limit_leaves(c);
	limit_note(f);
	c->admitted = !dropped;
	r->behind = c->turn != r->turn;
	if (dropped)
		dag_task_dropped(r, f);
	else
		n = call_begin(r, c);
	if (n)
		steps_child_begun(r, n);
	r->behind = false;
}

static bool
begin_first(struct run *r)
{
	struct heap_node *first;
	while ((first = heap_top(&r->line)) && !run_full(r)) {
		struct call *c = call_at(first);
		struct frame *f = limiting_frame(r, c);
		if (!f || (room(f) && !limit_frozen(f))) {
			begin(r, c);
			return true;
		}
		stand(r, c, &f->parked);
	}
	return false;
}

/* ---- failFast of a template ------------------------------------------------------------------------------------ */

/* What is not active, but not done either: attempts that wait, suspended nodes, groups; and the hooks of those that are. */
static void
give_up(struct node *n, str why)
{
	for (size_t i = 0; i < n->children.n; i++)
		if (n->children.p[i]->boundary == n->boundary && (n->type == NODE_TASK_GROUP || n->children.p[i]->hooked))
			give_up(n->children.p[i], why);
	if (node_fulfilled(n) || phase_fulfilled(n->phase))
		return;
	n->role = ROLE_NONE;
	node_set(n, PHASE_FAILED, why);
}

/* Source: checkParallelism, workflow/controller/operator.go. */
static bool
fail_fast(struct frame *f)
{
	struct node *n = f->node;
	size_t idle = daemons_running(n) + n->waiting_children; /* they do not keep it from ending */
	if (node_fulfilled(n) || !limit_frozen(f) || n->active_children > idle)
		return false;
	str why = S("template has failed or errored children and failFast enabled");
	limit_forget(f);
	for (size_t i = 0; f->group && i < f->group->children.n; i++)
		if (f->group->children.p[i]->boundary == n)
			give_up(f->group->children.p[i], why);
	for (size_t i = 0; i < f->tasks_n; i++)
		if (dag_task_node(f, i))
			give_up(dag_task_node(f, i), why);
	if (f->group)
		give_up(f->group, why);
	node_set(n, PHASE_FAILED, why);
	return true;
}

bool
limit_due(const struct run *r)
{
	return heap_top(&r->noted) || (heap_top(&r->line) && !run_full(r));
}

bool
limit_settle(struct run *r)
{
	while (heap_top(&r->noted)) {
		struct frame *f = noted_at(heap_top(&r->noted));
		heap_del(&r->noted, &f->noted);
		if (fail_fast(f))
			return true;
		offer(r, f);
	}
	return begin_first(r);
}

/* ---- the workflow's deadline ----------------------------------------------------------------------------------- */

static bool
ends_by_deadline(const struct node *n)
{
	bool leaf = node_is_task(n) || n->type == NODE_SUSPEND || sync_waits(n);
	return leaf && !n->gone && !n->exiting && !phase_fulfilled(n->phase) && !daemon_serves(n);
}

bool
limit_deadline_due(const struct run *r)
{
	for (size_t i = 0; i < r->nodes.n; i++)
		if (ends_by_deadline(r->nodes.p[i]))
			return true;
	return false;
}

/* Pods and suspended nodes fail at once; steps and dags then fail through them. Exit handlers are spared. */
void
limit_deadline(struct run *r)
{
	for (size_t i = 0; i < r->nodes.n; i++) {
		struct node *n = r->nodes.p[i];
		if (n->gone || n->exiting || phase_fulfilled(n->phase) || daemon_serves(n))
			continue;
		if (node_is_task(n) && !sync_waits(n))
			pod_give_up(r, n, S(STEP_TOO_LONG));
		else if (n->type == NODE_SUSPEND || sync_waits(n))
			node_set(n, PHASE_FAILED, S(STEP_TOO_LONG));
		else if (n->type == NODE_RETRY && node_last_attempt(n))
			retry_called_off(r, n); /* it may wait for a backoff that is not worth waiting for */
	}
}

/* ---- looking ---------------------------------------------------------------------------------------------------- */

void
run_each_limited(const struct run *r, void (*fn)(void *arg, str around, int64_t limit, size_t held), void *arg)
{
	if (r->line.v.n && run_full(r))
		fn(arg, S(""), r->parallelism, r->line.v.n);
	for (size_t i = 0; i < r->nodes.n; i++) {
		const struct frame *f = r->nodes.p[i]->frame;
		if (f && f->parked.v.n && f->tmpl->parallelism.set)
			fn(arg, r->nodes.p[i]->name, f->tmpl->parallelism.v, f->parked.v.n);
	}
}
