/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containers: the members of a container set as nodes below their pod's (spec 2.16; executeContainerSet and
 * assessNodeStatus, workflow/controller, v4.1.2). They are told by the pod: nothing waits for one of them.
 */
#include "engine/run/run_impl.h"

static struct node *
find(struct run *r, const struct node *pod, str container)
{
	return node_named(r, arena_fmt(r->tmp, "%.*s.%.*s", STR_ARG(pod->name), STR_ARG(container)));
}

static struct node *
make(struct run *r, struct node *pod, str container)
{
	struct node *n = find(r, pod, container);
	if (n)
		return n;
	n = node_new(r, arena_fmt(r->tmp, "%.*s.%.*s", STR_ARG(pod->name), STR_ARG(container)), NODE_CONTAINER, pod);
	if (!n)
		return NULL;
	pod->members = true;
	n->owner = pod;
	n->template_name = pod->template_name;
	n->template_ref = pod->template_ref;
	n->template_scope = pod->template_scope;
	n->hooked = pod->hooked;
	n->retried = pod->retried;
	n->exiting = pod->exiting;
	progress_set(n, 0, 1);
	return n;
}

/* A member without dependencies is a child of the pod, any other one of what it depends on. */
void
containers_begin(struct run *r, struct node *pod, const struct container_set *set)
{
	for (size_t i = 0; i < set->containers.n; i++)
		if (!make(r, pod, set->containers.p[i].name))
			return;
	for (size_t i = 0; i < set->containers.n; i++) {
		const struct container *c = &set->containers.p[i];
		struct node *n = find(r, pod, c->name);
		if (!c->dependencies.n)
			node_link(pod, n);
		for (size_t k = 0; k < c->dependencies.n; k++)
			if (find(r, pod, c->dependencies.p[k]))
				node_link(find(r, pod, c->dependencies.p[k]), n);
	}
}

void
containers_changed(struct run *r, struct node *pod, const struct task_result *res)
{
	for (size_t i = 0; i < res->containers_n; i++) {
		const struct container_result *c = &res->containers[i];
		struct node *n = find(r, pod, c->name);
		if (n && n->type == NODE_CONTAINER && !node_fulfilled(n) && c->phase != PHASE_PENDING)
			node_set(n, c->phase, c->message);
	}
}

static void
add(struct node *n, const struct node *pod, void (*fn)(void *arg, struct node *member), void *arg)
{
	if (n->boundary != pod || n->type != NODE_CONTAINER || n->visit == pod->run->visits)
		return;
	n->visit = pod->run->visits;
	fn(arg, n);
	for (size_t i = 0; i < n->children.n; i++)
		add(n->children.p[i], pod, fn, arg);
}

/* Calls `fn` for every member, each once. */
static void
each(struct node *pod, void (*fn)(void *arg, struct node *member), void *arg)
{
	pod->run->visits++;
	for (size_t i = 0; i < pod->children.n; i++)
		add(pod->children.p[i], pod, fn, arg);
}

static void
fail_open(void *arg, struct node *n)
{
	if (!node_fulfilled(n))
		node_set(n, PHASE_FAILED, *(const str *)arg);
}

void
containers_end(struct node *pod, str why)
{
	if (pod->members)
		each(pod, fail_open, &why);
}

struct leaves {
	const struct node *pod;
	void (*fn)(void *arg, struct node *leaf);
	void *arg;
	bool any;
};

static void
if_last(void *arg, struct node *n)
{
	struct leaves *x = arg;
	for (size_t i = 0; i < n->children.n; i++)
		if (n->children.p[i]->boundary == x->pod)
			return;
	x->any = true;
	x->fn(x->arg, n);
}

bool
containers_outbound(struct node *pod, void (*fn)(void *arg, struct node *leaf), void *arg)
{
	struct leaves x = { pod, fn, arg, false };
	if (!pod->members)
		return false;
	each(pod, if_last, &x);
	return x.any;
}
