/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rerun: a finished workflow runs again, with what was good of it (spec 5; FormulateRetryWorkflow and
 * FormulateResubmitWorkflow in workflow/util/util.go, v4.1.2). Retry takes failed nodes away, and what came of them, and
 * opens what they are part of; the run then starts as after a restart, and finds the rest. A memoized resubmission is
 * the same done to a copy under a new name, in which what succeeded is Skipped.
 */
#include "engine/engine.h"
#include "engine/run/run_impl.h"
#include "engine/selector.h"

static bool
is_execution(const struct node *n)
{
	return node_is_task(n) || n->type == NODE_SUSPEND || n->type == NODE_SKIPPED;
}

static bool
is_good(const struct node *n, const bool *good)
{
	return !n->hooked && (good[n->order] || (node_is_task(n) && n->phase == PHASE_SUCCEEDED));
}

/* Nodes in the order of creation have their children behind them: one pass from the end finds who has a good
 * descendant. */
static void
find_good(struct run *r, bool *good)
{
	for (size_t i = r->nodes.n; i > 0; i--) {
		const struct node *n = r->nodes.p[i - 1];
		for (size_t k = 0; k < n->children.n && !good[i - 1]; k++)
			good[i - 1] = is_good(n->children.p[k], good);
	}
}

/*
 * A failure that the workflow went on from: something good came after the node, or after something that it is part of.
 * Parents are made before what is below them, so one pass from the start is enough.
 */
struct after {
	const bool *good;
	bool any;
};
/* What has another boundary came after it, the rest is inside. */
static void
look_after(void *arg, struct node *leaf)
{
	struct after *x = arg;
	for (size_t i = 0; i < leaf->children.n; i++) {
		const struct node *c = leaf->children.p[i];
		x->any |= c->boundary != leaf && is_good(c, x->good);
	}
}

static bool *
find_handled(struct run *r, const bool *good)
{
	bool *handled = ARENA_ARRAY(r->tmp, bool, r->nodes.n);
	for (size_t i = 0; i < r->nodes.n; i++) {
		struct node *n = r->nodes.p[i];
		struct after x = { good, n->owner && handled[n->owner->order] };
		if (!n->gone && !x.any && n->type != NODE_STEP_GROUP)
			node_outbound(n, look_after, &x);
		handled[i] = x.any;
	}
	return handled;
}

/* Everything below what goes, goes. Children are made after their parents, so one pass does it. */
static void
doom_below(struct run *r, bool *doomed)
{
	for (size_t i = 0; i < r->nodes.n; i++) {
		const struct node *n = r->nodes.p[i];
		doomed[i] |= n->boundary && doomed[n->boundary->order];
		for (size_t k = 0; doomed[i] && k < n->children.n; k++)
			doomed[n->children.p[k]->order] = true;
	}
}

/*
 * Hooks of steps in a group that ended well, and what is below them: their failure did not matter, and nobody comes by
 * that group again who could begin them once more.
 */
static bool *
find_settled_hooks(struct run *r)
{
	bool *settled = ARENA_ARRAY(r->tmp, bool, r->nodes.n);
	for (size_t i = 0; i < r->nodes.n; i++) {
		const struct node *n = r->nodes.p[i], *step = n->owner;
		bool hook = (n->role == ROLE_HOOK || n->role == ROLE_EXIT) && step && step->role == ROLE_STEP && step->owner;
		settled[i] = (step && settled[step->order]) || (hook && step->owner->phase == PHASE_SUCCEEDED);
	}
	return settled;
}

/* A daemon that ended by itself, or an attempt of one, after which its group has failed: whatever came after it, it is needed. */
static bool
is_lost_daemon(const struct node *n)
{
	const struct node *step = n->retried && n->owner ? n->owner : n;
	const struct node *group = step->parents.n ? step->parents.p[0] : NULL;
	return step->daemon && phase_failed(step->phase) && group && group->type == NODE_STEP_GROUP &&
	       phase_failed(group->phase);
}

/* Which nodes go: failed ones that nothing good came of, lost daemons, omitted ones, the exit handler; those asked for; and all
 * below. */
static void
find_doomed(struct run *r, const struct verb_options *o, const struct selector *s, bool *doomed)
{
	bool *good = ARENA_ARRAY(r->tmp, bool, r->nodes.n);
	find_good(r, good);
	const bool *handled = find_handled(r, good), *settled = find_settled_hooks(r);
	for (size_t i = 0; i < r->nodes.n; i++) {
		struct node *n = r->nodes.p[i];
		bool of_good_retry = n->retried && n->owner && n->owner->phase == PHASE_SUCCEEDED;
		if (n->gone)
			continue;
		bool mattered = !handled[i] && !of_good_retry && !settled[i];
		doomed[i] |= is_execution(n) && phase_failed(n->phase) && (mattered || is_lost_daemon(n));
		doomed[i] |= (n->phase == PHASE_OMITTED && !handled[i] && !settled[i]) || n->role == ROLE_ON_EXIT;
		doomed[i] |= o && o->restart_successful && node_chosen(s, n);
		for (size_t k = 0; doomed[i] && k < n->children.n; k++)
			doomed[n->children.p[k]->order] = true;
	}
}

static bool
is_composite(const struct node *n)
{
	return n->type == NODE_STEPS || n->type == NODE_STEP_GROUP || n->type == NODE_DAG ||
	       n->type == NODE_TASK_GROUP || n->type == NODE_RETRY;
}

static void
reset(struct run *r, struct node *n)
{
	n->phase = PHASE_RUNNING;
	n->message = S("");
	n->started = r->now - r->now % NS_PER_SEC;
	n->finished = 0;
	n->outputs = NULL;
	n->bubbles = false;
	n->outbound.n = 0;
	node_changed(n);
}

/* What a node that goes is part of. */
static bool *
find_above(struct run *r, const bool *doomed)
{
	bool *above = ARENA_ARRAY(r->tmp, bool, r->nodes.n);
	for (size_t i = 0; i < r->nodes.n; i++)
		for (struct node *n = doomed[i] ? r->nodes.p[i]->owner : NULL; n && !above[n->order]; n = n->owner)
			above[n->order] = true;
	return above;
}

/* A Retry node that runs again goes on with its last attempt; the earlier ones are history. */
static void
doom_earlier_attempts(struct run *r, bool *doomed)
{
	const bool *above = find_above(r, doomed);
	for (size_t i = 0; i < r->nodes.n; i++) {
		const struct node *n = r->nodes.p[i],
				  *last = n->type == NODE_RETRY && above[i] ? node_last_attempt(n) : NULL;
		for (size_t k = 0; last && k < n->children.n; k++)
			doomed[n->children.p[k]->order] |= n->children.p[k] != last;
	}
	doom_below(r, doomed);
}

static void
reset_above(struct run *r, const bool *doomed)
{
	const bool *above = find_above(r, doomed);
	for (size_t i = 0; i < r->nodes.n; i++)
		if (above[i] && !doomed[i] && is_composite(r->nodes.p[i]))
			reset(r, r->nodes.p[i]);
}

static void
keep_living(struct node **p, size_t *n, const bool *doomed)
{
	size_t kept = 0;
	for (size_t i = 0; i < *n; i++)
		if (!doomed[p[i]->order])
			p[kept++] = p[i];
	*n = kept;
}

static void
bury(struct run *r, const bool *doomed)
{
	for (size_t i = 0; i < r->nodes.n; i++) {
		struct node *n = r->nodes.p[i];
		keep_living(n->children.p, &n->children.n, doomed);
		keep_living(n->parents.p, &n->parents.n, doomed);
		keep_living(n->outbound.p, &n->outbound.n, doomed);
		n->lock = NULL;
		node_forget(n);
		if (!doomed[i] || n->gone)
			continue;
		n->gone = true;
		n->owner = n->boundary = NULL;
		node_changed(n);
	}
	node_indexes_renew(r);
}

/* New values for spec.arguments.parameters: in the manifest, and in what is executed. */
static void
override(struct run *r, const struct kvs *given)
{
	const struct val *old = val_path(r->merged, "arguments.parameters");
	struct val_list list = { 0 };
	bool *used = ARENA_ARRAY(r->tmp, bool, given->n);
	for (uint32_t i = 0; val_is(old, VAL_LIST) && i < old->n; i++) {
		const struct val *p = &old->items[i];
		for (size_t k = 0; k < given->n; k++) {
			if (!str_eq(val_get_str(p, "name"), given->p[k].key))
				continue;
			struct val text = val_str(arena_dup(r->arena, given->p[k].value));
			p = val_set(r->arena, val_unset(r->arena, p, S("valueFrom")), S("value"), &text);
			used[k] = true;
		}
		val_list_add(&list, *p);
	}
	for (size_t k = 0; k < given->n; k++) {
		struct val_map m = { 0 };
		val_map_add(&m, S("name"), val_str(arena_dup(r->arena, given->p[k].key)));
		val_map_add(&m, S("value"), val_str(arena_dup(r->arena, given->p[k].value)));
		struct val v = val_map_end(&m, r->arena);
		if (!used[k])
			val_list_add(&list, v);
		(void)map_del(&r->parameters, given->p[k].key);
	}
	struct val v = val_list_end(&list, r->arena);
	const struct val *spec = val_get(r->manifest, S("spec"));
	r->merged = val_set(r->arena, r->merged, S("arguments"),
		val_set(r->arena, val_get(r->merged, S("arguments")), S("parameters"), &v));
	spec = val_set(
		r->arena, spec, S("arguments"), val_set(r->arena, val_get(spec, S("arguments")), S("parameters"), &v));
	r->manifest = val_set(r->arena, r->manifest, S("spec"), spec);
	r->spec_version++;
}

/* A deadline of 0 stopped the workflow; it does not count when it runs again (spec 5). */
static void
forget_stop(struct run *r)
{
	const struct val *deadline = val_get(r->merged, S("activeDeadlineSeconds")),
			 *spec = val_get(r->manifest, S("spec"));
	int64_t seconds;
	if (!deadline || !val_to_i64(deadline, &seconds) || seconds)
		return;
	spec = val_unset(r->arena, spec, S("activeDeadlineSeconds"));
	r->manifest = val_set(r->arena, r->manifest, S("spec"), spec);
	r->merged = val_unset(r->arena, r->merged, S("activeDeadlineSeconds"));
	r->spec_version++;
}

/* With new parameters loops and groups that run again are expanded anew. */
static void
doom_expansions(struct run *r, bool *doomed)
{
	const bool *above = find_above(r, doomed);
	for (size_t i = 0; i < r->nodes.n; i++) {
		const struct node *n = r->nodes.p[i];
		bool again = above[i] && (n->type == NODE_TASK_GROUP || n->type == NODE_STEP_GROUP);
		for (size_t k = 0; again && k < n->children.n; k++)
			doomed[n->children.p[k]->order] = true;
	}
	doom_below(r, doomed);
}

/* Something that comes after it goes. */
static bool *
find_feeding(struct run *r, const bool *doomed)
{
	bool *feeds = ARENA_ARRAY(r->tmp, bool, r->nodes.n);
	for (size_t i = r->nodes.n; i > 0; i--) {
		const struct node *n = r->nodes.p[i - 1];
		for (size_t k = 0; k < n->children.n && !feeds[i - 1]; k++)
			feeds[i - 1] = doomed[n->children.p[k]->order] || feeds[n->children.p[k]->order];
	}
	return feeds;
}

/*
 * A daemon ended with the steps or the dag around it; whoever runs again there needs it. So it begins again, and as it
 * begins empty, what came after it runs again, too. (Argo leaves it ended.) In a dag that was not stopped every task has a
 * node, so it is known whether somebody needs it.
 */
static void
doom_daemons(struct run *r, bool *doomed)
{
	const bool *above = find_above(r, doomed), *feeds = find_feeding(r, doomed);
	for (size_t i = 0; i < r->nodes.n; i++) {
		const struct node *n = r->nodes.p[i], *around = n->boundary, *whole = n->retried && n->owner ? n->owner : n;
		if (n->gone || !n->daemon || doomed[i] || !around || !above[around->order])
			continue;
		if (around->type == NODE_DAG && !feeds[whole->order] && !r->shutdown.n)
			continue;
		doomed[i] = true;
	}
	doom_below(r, doomed);
}

void
rerun_prepare(struct run *r, const struct verb_options *o, const struct selector *s)
{
	bool *doomed = ARENA_ARRAY(r->tmp, bool, r->nodes.n);
	bool parameters = o && o->parameters.n;
	find_doomed(r, o, s, doomed);
	if (parameters)
		doom_expansions(r, doomed);
	doom_daemons(r, doomed);
	doom_earlier_attempts(r, doomed);
	reset_above(r, doomed);
	bury(r, doomed);
	run_recall(r);
	r->root = node_named(r, r->name);
	r->on_exit = NULL;
	run_count(r);
	if (parameters)
		override(r, &o->parameters);
	forget_stop(r);
	r->message = r->shutdown = S("");
	r->finished = 0;
	r->phase = PHASE_NONE; /* it starts over, with what is left */
	r->was_finished = false;
}

/* ---- a memoized resubmission ------------------------------------------------------------------------------------- */

/* The copy of a run that is being made: where the nodes of the old one went. */
struct copy {
	const struct run *from;
	struct run *to;
	struct node **nodes; /* by the order of the old node; NULL: left out */
};

static str
renamed(const struct copy *c, str name)
{
	return str_starts(name, c->from->name) ? run_text(c->to, "%.*s%.*s", STR_ARG(c->to->name),
							 STR_ARG(str_slice(name, c->from->name.n, name.n)))
					       : arena_dup(c->to->arena, name);
}

static const struct val *
kept(const struct copy *c, const struct val *v)
{
	if (!v)
		return NULL;
	struct val *out = ARENA_NEW(c->to->arena, struct val);
	*out = val_copy(c->to->arena, v);
	return out;
}

static struct node *
counterpart(const struct copy *c, const struct node *n)
{
	return n ? c->nodes[n->order] : NULL;
}

static void
copy_node(const struct copy *c, const struct node *n)
{
	struct run *r = c->to;
	struct node *boundary = counterpart(c, n->boundary), *out = node_new(r, renamed(c, n->name), n->type, boundary);
	c->nodes[n->order] = out;
	out->phase = n->phase;
	out->display = boundary ? arena_dup(r->arena, n->display) : renamed(c, n->display);
	out->message = arena_dup(r->arena, n->message);
	out->template_name = arena_dup(r->arena, n->template_name);
	out->template_scope = str_starts(n->template_scope, S("local/")) ? r->local.scope
									 : arena_dup(r->arena, n->template_scope);
	out->template_ref = kept(c, n->template_ref);
	out->started = out->finished = r->now - r->now % NS_PER_SEC;
	out->inputs = kept(c, n->inputs);
	out->outputs = kept(c, n->outputs);
	out->labels = kept(c, n->labels);
	out->hooked = n->hooked;
	out->retried = n->retried;
	out->exiting = n->exiting;
	out->bubbles = n->bubbles;
	out->role = n->role;
	out->daemon = n->daemon;
	out->slot = n->slot;
	out->owner = counterpart(c, n->owner);
	out->done = n->done;
	out->total = n->total;
	for (size_t i = 0; i < n->parents.n; i++)
		if (counterpart(c, n->parents.p[i]))
			node_link(counterpart(c, n->parents.p[i]), out);
}

static void
copy_nodes(const struct copy *c)
{
	for (size_t i = 0; i < c->from->nodes.n; i++) {
		const struct node *n = c->from->nodes.p[i];
		bool below_exit = n->boundary && !c->nodes[n->boundary->order];
		if (!n->gone && n->role != ROLE_ON_EXIT && !below_exit && (!n->owner || c->nodes[n->owner->order]))
			copy_node(c, n);
	}
	for (size_t i = 0; i < c->from->nodes.n; i++) {
		const struct node *n = c->from->nodes.p[i];
		for (size_t k = 0; c->nodes[i] && k < n->outbound.n; k++)
			if (counterpart(c, n->outbound.p[k]))
				*VEC_PUSH(&c->nodes[i]->outbound) = counterpart(c, n->outbound.p[k]);
	}
}

/* What succeeded is not run again: it is Skipped, but hands on what it had. */
static void
skip_done(const struct copy *c)
{
	struct run *r = c->to;
	for (size_t i = 0; i < c->from->nodes.n; i++) {
		struct node *n = c->nodes[i];
		if (!n || n->gone || n->type != NODE_POD || n->phase != PHASE_SUCCEEDED)
			continue;
		n->type = NODE_SKIPPED;
		n->phase = PHASE_SKIPPED;
		n->message = run_text(r, "original pod: %.*s", STR_ARG(c->from->nodes.p[i]->id));
		outputs_to_globals(r, n);
	}
	run_count(r);
}

int
run_memoized(struct run **out, const struct run *old, const struct val *manifest, const struct run_world *w, int64_t now,
	struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct run *r;
	if (!old->finished || !phase_failed(old->phase))
		return err_set(e, ERR_EXISTS, "workflow must be Failed/Error to resubmit in memoized mode");
	if (w && w->limits.nodes && old->nodes.n >= w->limits.nodes)
		return err_set(e, ERR_LIMIT, "workflow has %zu nodes: workflowNodes in the settings allows no more than %zu",
			old->nodes.n, w->limits.nodes);
	if (run_new(&r, manifest, w, e))
		return -1;
	struct copy c = { old, r, ARENA_ARRAY(a, struct node *, old->nodes.n) };
	const struct selector none = { 0 };
	r->tmp = a;
	r->now = now;
	r->local.scope = run_text(r, "local/%.*s", STR_ARG(r->name));
	r->stored_templates = kept(&c, old->stored_templates);
	copy_nodes(&c);
	rerun_prepare(r, NULL, &none);
	skip_done(&c);
	r->tmp = NULL;
	*out = r;
	return 0;
}
