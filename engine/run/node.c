/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node: the records of status.nodes. Names, ids, display names and links are an interface (tests look nodes up by
 * them), so they are Argo's to the byte (spec 2.1; workflow/util, workflow/controller/operator.go, v4.1.2).
 */
#include "engine/run/run_impl.h"

#include <ctype.h>

enum { POD_PREFIX_MAX = 242 }; /* 253 for a Kubernetes name, less a dash and ten digits */

static const char *const type_names[NODE_TYPES] = { "Pod", "Steps", "StepGroup", "DAG", "TaskGroup", "Retry", "Skipped",
	"Suspend", "HTTP", "Container" };
static const char *const phase_names[] = { "", "Pending", "Running", "Succeeded", "Skipped", "Failed", "Error",
	"Omitted" };

const char *
phase_name(enum phase p)
{
	return phase_names[p];
}

enum phase
phase_of(str name)
{
	for (size_t i = 1; i < ARRAY_LEN(phase_names); i++)
		if (str_eq(name, str_c(phase_names[i])))
			return (enum phase)i;
	return PHASE_NONE;
}

const char *
node_type_name(enum node_type t)
{
	return type_names[t];
}

enum node_type
node_type_of(str name)
{
	size_t i = 0;
	while (i < NODE_TYPES && !str_eq(name, str_c(type_names[i])))
		i++;
	return (enum node_type)i;
}

/* ---- names ----------------------------------------------------------------------------------------------------- */

/*
 * The hash has 32 bits, so among tens of thousands of names two may well meet, which Argo does not notice. Here the
 * later one takes the hash of its name with a mark behind it; its id still looks like one.
 */
static str
make_id(struct run *r, str name)
{
	if (str_eq(name, r->name))
		return r->name;
	str id = run_text(r, "%.*s-%u", STR_ARG(r->name), str_fnv32a(name));
	for (unsigned i = 1; run_node(r, id); i++)
		id = run_text(r, "%.*s-%u", STR_ARG(r->name), str_fnv32a(run_text(r, "%.*s#%u", STR_ARG(name), i)));
	return id;
}

/* The name less that of its boundary, less "[0]." or ".". */
static str
display_name(str name, const struct node *boundary)
{
	if (!boundary || !str_starts(name, boundary->name))
		return name;
	str rest = str_slice(name, boundary->name.n, name.n);
	if (str_starts(rest, S(".")))
		return str_slice(rest, 1, rest.n);
	size_t i = 1;
	while (str_starts(rest, S("[")) && i < rest.n && isdigit((unsigned char)rest.p[i]))
		i++;
	bool indexed = i > 1 && i + 1 < rest.n && rest.p[i] == ']' && rest.p[i + 1] == '.';
	return indexed ? str_slice(rest, i + 2, rest.n) : rest;
}

str
pod_name(const struct run *r, struct arena *a, str node_name, str template_name)
{
	if (str_eq(node_name, r->name))
		return r->name;
	const struct node *n = node_named(r, node_name);
	/* The number of the id is the hash of the name, and unique where the hash is not. */
	str number = n ? str_slice(n->id, r->name.n + 1, n->id.n) : arena_fmt(a, "%u", str_fnv32a(node_name));
	str prefix = template_name.n ? arena_fmt(a, "%.*s-%.*s", STR_ARG(r->name), STR_ARG(template_name)) : r->name;
	return arena_fmt(a, "%.*s-%.*s", STR_ARG(str_slice(prefix, 0, POD_PREFIX_MAX)), STR_ARG(number));
}

/* ---- the index tables ------------------------------------------------------------------------------------------ */

/*
 * Open addressing with linear probing, at most three quarters full, of four bytes for a node: the key is in the node.
 * Names come from strangers, so the hash is keyed.
 */
typedef str key_of(const struct node *n);

static str
node_name_of(const struct node *n)
{
	return n->name;
}

static void
index_put(struct node_index *x, const struct node *n, str key)
{
	size_t i = map_hash(key) & (x->cap - 1);
	while (x->slots[i])
		i = (i + 1) & (x->cap - 1);
	x->slots[i] = n->order + 1;
	x->n++;
}

/* All anew, with room for so many. */
static void
index_renew(struct run *r, struct node_index *x, key_of *key, size_t room)
{
	free(x->slots);
	*x = (struct node_index){ .cap = 16 };
	while (x->cap * 3 < room * 4)
		x->cap *= 2;
	x->slots = mem_alloc(x->cap * sizeof *x->slots);
	for (size_t i = 0; i < r->nodes.n; i++)
		if (!r->nodes.p[i]->gone)
			index_put(x, r->nodes.p[i], key(r->nodes.p[i]));
}

/* It is in r->nodes already. */
static void
index_add(struct run *r, struct node_index *x, key_of *key, const struct node *n)
{
	if ((x->n + 1) * 4 > x->cap * 3)
		index_renew(r, x, key, (x->n + 1) * 3 / 2);
	else
		index_put(x, n, key(n));
}

static struct node *
index_find(const struct run *r, const struct node_index *x, key_of *key, str wanted)
{
	for (size_t i = x->n ? map_hash(wanted) & (x->cap - 1) : 0; x->n && x->slots[i]; i = (i + 1) & (x->cap - 1)) {
		struct node *n = r->nodes.p[x->slots[i] - 1];
		if (!n->gone && str_eq(key(n), wanted))
			return n;
	}
	return NULL;
}

void
node_indexes_renew(struct run *r)
{
	index_renew(r, &r->by_name, node_name_of, r->nodes.n);
	index_renew(r, &r->by_id, node_id, r->nodes.n);
}

void
node_indexes_free(struct run *r)
{
	free(r->by_name.slots);
	free(r->by_id.slots);
}

/* ---- making, finding ------------------------------------------------------------------------------------------- */

void
node_register(struct run *r, struct node *n)
{
	n->run = r;
	*VEC_PUSH(&r->nodes) = n;
	if (n->gone)
		return;
	index_add(r, &r->by_name, node_name_of, n);
	index_add(r, &r->by_id, node_id, n);
}

/*
 * The workflow has all it may have, and ends. So does the node in which that happened, to show where; the others stay as
 * they are, lest ending them costs as much again.
 */
static void
end_too_large(struct run *r, struct node *boundary, const char *what)
{
	str message = run_text(r, "the workflow would have more than %s%s%.*s%s", what,
		boundary && boundary->template_name.n ? ": the last was begun by template '" : "",
		STR_ARG(boundary ? boundary->template_name : S("")), boundary && boundary->template_name.n ? "'" : "");
	run_end(r, PHASE_ERROR, message);
	if (boundary && !node_fulfilled(boundary))
		node_set(boundary, PHASE_ERROR, message);
}

static bool
is_too_large(struct run *r, struct node *boundary)
{
	const struct run_limits *l = &r->world.limits;
	char what[160];
	size_t nodes = l->nodes ? l->nodes : NODES_MAX;
	if (r->nodes.n >= nodes)
		snprintf(what, sizeof what, "%zu nodes, which is what workflowNodes in the settings allows", nodes);
	else if (l->memory && arena_size(r->arena) >= l->memory)
		snprintf(what, sizeof what, "%zu MiB in memory, which is what workflowMemory in the settings allows", l->memory >> 20);
	else
		return false;
	end_too_large(r, boundary, what);
	return true;
}

struct node *
node_new(struct run *r, str name, enum node_type t, struct node *boundary)
{
	if (is_too_large(r, boundary))
		return NULL;
	struct node *n = ARENA_NEW(r->arena, struct node);
	n->name = arena_dup(r->arena, name);
	n->id = make_id(r, n->name);
	n->order = (uint32_t)r->nodes.n;
	n->type = t;
	n->phase = PHASE_PENDING;
	n->boundary = boundary;
	n->display = display_name(n->name, boundary);
	n->message = S("");
	n->started = r->now - r->now % NS_PER_SEC;
	n->estimated = estimate_of(r, n->name);
	n->met = true;
	node_register(r, n);
	node_changed(n);
	return n;
}

struct node *
node_named(const struct run *r, str name)
{
	return index_find(r, &r->by_name, node_name_of, name);
}

struct node *
run_node(const struct run *r, str id)
{
	return index_find(r, &r->by_id, node_id, id);
}

struct node *
run_node_next(const struct run *r, size_t *i)
{
	while (*i < r->nodes.n) {
		struct node *n = r->nodes.p[(*i)++];
		if (!n->gone)
			return n;
	}
	return NULL;
}

str
node_id(const struct node *n)
{
	return n->id;
}

uint32_t
node_order(const struct node *n)
{
	return n->order;
}

bool
node_recovered(const struct node *n)
{
	return n->recovered;
}

enum phase
node_phase(const struct node *n)
{
	return n->phase;
}

int64_t
node_started(const struct node *n)
{
	return n->started;
}

/* ---- links ----------------------------------------------------------------------------------------------------- */

/*
 * Only the child remembers a link in its row: a parent with thousands of children would be written again with each of
 * them. Links are made when the child is, so a link made twice is the parent's last one.
 */
void
node_link(struct node *parent, struct node *child)
{
	if (parent == child || (parent->children.n && parent->children.p[parent->children.n - 1] == child))
		return;
	*VEC_PUSH(&parent->children) = child;
	*VEC_PUSH(&child->parents) = parent;
}

struct node *
node_last_attempt(const struct node *retry)
{
	for (size_t i = retry->children.n; i > 0; i--) { /* without attempts, what comes after it is below it */
		struct node *child = retry->children.p[i - 1];
		if (!child->hooked && child->owner == retry)
			return child;
	}
	return NULL;
}

/* Of a Retry node: an attempt, or a hook. NULL: it has none, what comes after it is below it. */
static struct node *
last_own_child(const struct node *n)
{
	for (size_t i = n->children.n; i > 0; i--)
		if (n->children.p[i - 1]->owner == n)
			return n->children.p[i - 1];
	return NULL;
}

/* It ended while it waited for a lock, or found the workflow stopped: there is nothing in it that others could follow. */
static bool
never_began(const struct node *n)
{
	if (!phase_fulfilled(n->phase))
		return false;
	for (size_t i = 0; i < n->children.n; i++)
		if (n->children.p[i]->boundary == n)
			return false;
	return true;
}

/* As Argo's getOutboundNodes: of a Retry node the last child as it is, of a loop all below it, hooks too. */
void
node_outbound(struct node *n, void (*fn)(void *arg, struct node *leaf), void *arg)
{
	struct node *last;
	switch (n->type) {
	case NODE_RETRY:
		last = last_own_child(n);
		fn(arg, last ? last : n);
		break;
	case NODE_TASK_GROUP:
		for (size_t i = 0; i < n->children.n; i++)
			if (n->children.p[i]->boundary == n->boundary)
				node_outbound(n->children.p[i], fn, arg);
		break;
	case NODE_STEPS:
	case NODE_DAG:
		if (memo_is_hit(n) || never_began(n))
			fn(arg, n);
		for (size_t i = 0; i < n->outbound.n; i++)
			node_outbound(n->outbound.p[i], fn, arg);
		break;
	case NODE_POD:
		if (!containers_outbound(n, fn, arg))
			fn(arg, n);
		break;
	default:
		fn(arg, n);
	}
}

/* ---- phases ---------------------------------------------------------------------------------------------------- */

void
node_changed(struct node *n)
{
	lifecycle_notice(n);
	n->run->workflow_noticed = true;
	if (n->dirty)
		return;
	n->dirty = true;
	*VEC_PUSH(&n->run->dirty) = n;
}

bool
node_is_task(const struct node *n)
{
	return n->type == NODE_POD || n->type == NODE_HTTP;
}

bool
node_has_task(const struct node *n)
{
	return node_is_task(n) && !n->gone && !sync_waits(n) && (n->phase == PHASE_PENDING || n->phase == PHASE_RUNNING);
}

static bool
is_active(const struct node *n)
{
	return !n->gone && (n->phase == PHASE_PENDING || n->phase == PHASE_RUNNING || node_dying(n));
}

void
node_announce(struct node *n)
{
	if (n->queued)
		return;
	n->queued = true;
	*VEC_PUSH(&n->run->news) = n;
	n->counted = n->role == ROLE_TASK && n->owner && n->owner->frame;
	if (n->counted)
		n->owner->frame->news++;
}

const struct work *
work_of(const struct node *n)
{
	static const struct work none;
	return n->work ? n->work : &none;
}

struct work *
work_set(struct node *n)
{
	if (!n->work)
		n->work = MEM_NEW(struct work);
	return n->work;
}

void
work_end(struct node *n)
{
	if (!n->work)
		return;
	if (n->work->packed)
		n->body = NULL;
	if (n->work->packed)
		*VEC_PUSH(&n->run->dropped) = n->work->packed;
	free(n->work);
	n->work = NULL;
}

/* Nothing of it runs any more: what it held is given back, and those who wait for it are told. */
void
node_over(struct node *n)
{
	int64_t now = n->run->now - n->run->now % NS_PER_SEC;
	n->finished = now > n->started ? now : n->started;
	if (n->lock)
		sync_release(n->run, n);
	if (n->metrics)
		metrics_end(n->run, n);
	node_announce(n);
	node_changed(n);
}

static void
end(struct node *n)
{
	limit_count_failed(n);
	if (node_counts(n) && n->phase == PHASE_SUCCEEDED)
		progress_set(n, n->total, n->total);
	if (n->daemons)
		daemons_end(n->run, n);
	if (n->frame)
		limit_forget(n->frame);
	if (!n->ending)
		work_end(n);
	if (!node_dying(n))
		node_over(n);
}

/* An error of what a task calls is said with the task's name, except for that of the depth (executeDAGTask, v4.0.7). */
static str
error_of_task(const struct node *n, str message)
{
	bool of_dag = n->role == ROLE_TASK || n->role == ROLE_ITEM;
	if (!of_dag || !n->bubbles || !message.p || str_starts(message, S("Maximum recursion depth exceeded.")))
		return message;
	return run_text(n->run, "task '%.*s' errored: %.*s", STR_ARG(n->name), STR_ARG(message));
}

void
node_set(struct node *n, enum phase p, str message)
{
	bool was_active = is_active(n), was_fulfilled = phase_fulfilled(n->phase), was_daemon = n->daemoned;
	struct err e;
	if (p == PHASE_SUCCEEDED && n->memo && !was_fulfilled && memo_keeps(n->run, n, &e)) {
		p = PHASE_ERROR;
		message = run_text(n->run, "%s", e.msg);
	}
	if (n->phase == p && (!message.p || str_eq(message, n->message)))
		return;
	if (p == PHASE_ERROR && !was_fulfilled)
		message = error_of_task(n, message);
	n->phase = p;
	if (message.p)
		n->message = arena_dup(n->run->arena, message);
	limit_count(n, was_active, is_active(n));
	if (phase_fulfilled(n->phase) && !was_fulfilled) {
		n->daemoned = false;
		end(n);
	}
	node_changed(n);
	if (was_daemon && phase_failed(n->phase))
		steps_daemon_lost(n->run, n);
}
