/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lifecycle: hooks with a condition (spec 2.9; workflow/controller/hooks.go, v4.1.2). Each runs once, as the node
 * <node>.hooks.<name>, as soon as its condition was seen to hold. Whoever waits for the node waits for the hooks that
 * were begun, too; their failure is their own affair. Exit hooks are in hooks.c.
 *
 * Conditions speak of the node itself, of what came before it, and of the workflow. So they are looked at when the node
 * changed or an output of the workflow was set, those of the workflow when anything changed. Nodes without hooks cost
 * nothing. What was begun is found again by its name after a restart.
 *
 * A condition that cannot be evaluated while its node runs may speak of what is not there yet; only when the node has
 * ended is it an error. (Argo fails at once.)
 */
#include "engine/run/run_impl.h"

/* ---- who is to be looked at ------------------------------------------------------------------------------------ */

bool
lifecycle_hooks(const struct step *s)
{
	for (size_t i = 0; i < s->hooks.n; i++)
		if (!str_eq(s->hooks.p[i].name, S("exit")))
			return true;
	return false;
}

void
lifecycle_attach(struct node *n)
{
	struct run *r = n->run;
	bool may = n->role == ROLE_STEP || n->role == ROLE_TASK || n->role == ROLE_ITEM;
	if (!may || n->hooks || !n->of || !lifecycle_hooks(n->of))
		return;
	n->hooks = ARENA_NEW(r->arena, struct lifecycle);
	n->hooks->begun = ARENA_ARRAY(r->arena, bool, n->of->hooks.n);
	*VEC_PUSH(&r->hooked) = n;
	lifecycle_notice(n);
}

void
lifecycle_notice(struct node *n)
{
	if (n->role == ROLE_ATTEMPT && n->owner) /* its Retry node has the hooks, and shows its state */
		n = n->owner;
	if (!n->hooks || n->hooks->noticed)
		return;
	n->hooks->noticed = true;
	*VEC_PUSH(&n->run->noticed) = n;
}

/* Those whose hooks can do nothing more leave the list. */
void
lifecycle_notice_all(struct run *r)
{
	size_t kept = 0;
	for (size_t i = 0; i < r->hooked.n; i++) {
		struct node *n = r->hooked.p[i];
		if (n->gone || !n->hooks || (node_fulfilled(n) && !n->hooks_open))
			continue;
		r->hooked.p[kept++] = n;
		lifecycle_notice(n);
	}
	r->hooked.n = kept;
}

/* ---- looking --------------------------------------------------------------------------------------------------- */

/* Whose hooks are looked at: a node's, or the workflow's. */
struct holder {
	struct node *node; /* the hooks' nodes are named after it, and linked below */
	struct scope scope; /* what conditions see */
	const struct hook *hooks;
	size_t n;
	bool *begun;
	uint32_t *open;
	void (*begin)(struct holder *h, const struct hook *hook, str name);
	str error; /* of a condition */
};

/* -1: it cannot be evaluated. */
static int
holds(struct holder *h, const struct hook *hook, str name, struct err *e)
{
	bool yes;
	if (node_named(h->scope.run, name)) /* begun before a restart */
		return 1;
	return scope_evaluate_bool(&h->scope, hook->expression, &yes, e) ? -1 : yes;
}

static void
look(struct holder *h)
{
	struct run *r = h->scope.run;
	struct err e;
	for (size_t i = 0; i < h->n; i++) {
		const struct hook *hook = &h->hooks[i];
		if (h->begun[i] || str_eq(hook->name, S("exit")))
			continue;
		str name = arena_fmt(r->tmp, "%.*s.hooks.%.*s", STR_ARG(h->node->name), STR_ARG(hook->name));
		int yes = holds(h, hook, name, &e);
		if (yes < 0)
			h->error = run_text(r, "%s", e.msg);
		if (yes <= 0)
			continue;
		h->begun[i] = true;
		*h->open += 1;
		h->begin(h, hook, arena_dup(r->arena, name));
	}
}

static struct call *
hook_call(struct holder *h, const struct hook *hook, str name, enum role role)
{
	struct call *c = call_new(h->scope.run, name);
	c->tmpl = hook->tmpl;
	c->ref = hook->template_ref ? hook->template_ref->src : NULL;
	c->step = S("");
	c->args = &hook->arguments;
	c->hooked = true;
	c->owner = h->node;
	c->role = role;
	return c;
}

/* ---- of a step or task ------------------------------------------------------------------------------------------- */

/* What the hook's node was given when it began, which its step's state then decided; absent if it was not. */
static str
given(const struct node *n, str name)
{
	return val_get_str(val_named(val_get(n->inputs, S("parameters")), name), "value");
}

/* After a restart a hook that had begun keeps its arguments. */
static const struct arguments *
keep_given(const struct node *n, const struct arguments *args)
{
	struct arguments *out = ARENA_NEW(n->run->arena, struct arguments);
	*out = *args;
	out->parameters.p = ARENA_ARRAY(n->run->arena, struct parameter, args->parameters.n);
	for (size_t i = 0; i < args->parameters.n; i++) {
		struct parameter *p = &out->parameters.p[i];
		*p = args->parameters.p[i];
		str value = given(n, p->name);
		if (value.p)
			p->value = value;
	}
	return out;
}

static void
begin_with(struct run *r, struct call *c)
{
	const struct node *begun = node_named(r, c->name);
	if (begun && begun->inputs)
		c->args = keep_given(begun, c->args);
	(void)call_begin(r, c);
}

static void
begin_of_node(struct holder *h, const struct hook *hook, str name)
{
	struct run *r = h->scope.run;
	const struct frame *f = h->scope.frame;
	struct call *c = hook_call(h, hook, name, ROLE_HOOK);
	struct err e;
	c->library = f->def->library;
	c->exiting = h->node->exiting;
	c->late = f->call->late;
	c->boundary = h->node->boundary;
	c->place = hook_place(h->node, (uint32_t)(hook - h->hooks));
	c->depth = f->call->depth + 1;
	h->scope.time = hook_time(r, name);
	if (hook_put_arguments(r, hook->arguments.src, &h->scope, &c->args, &e))
		(void)call_failed(r, c, run_text(r, "%s", e.msg));
	else
		begin_with(r, c);
}

/* Begins what is due. When the node has ended, a condition that nobody could evaluate is an error of the step. */
static void
look_at_node(struct run *r, struct node *n)
{
	n->hooks->noticed = false;
	struct holder h = { .node = n,
		.scope = hook_scope(r, n),
		.hooks = n->of->hooks.p,
		.n = n->of->hooks.n,
		.begun = n->hooks->begun,
		.open = &n->hooks_open,
		.begin = begin_of_node };
	look(&h);
	if (h.error.p && node_fulfilled(n))
		hook_error(n, ROLE_HOOK, h.error);
}

void
lifecycle_look(struct run *r, struct node *n)
{
	if (n->hooks)
		look_at_node(r, n);
}

/* ---- of the workflow --------------------------------------------------------------------------------------------- */

int
lifecycle_of_workflow(struct run *r, struct err *e)
{
	const struct val *map = val_get(r->spec, S("hooks"));
	r->hooks_n = val_is(map, VAL_MAP) ? map->n : 0;
	r->hooks = ARENA_ARRAY(r->arena, struct hook, r->hooks_n);
	r->hooks_begun = ARENA_ARRAY(r->arena, bool, r->hooks_n);
	for (size_t i = 0; i < r->hooks_n; i++) {
		run_fresh_diags(r);
		if (schema_decode(&hook_schema, r->arena, &map->members[i].value, S("spec.hooks"), &r->hooks[i], &r->diags))
			return err_set(e, ERR_INVALID, "spec.hooks: not valid");
		r->hooks[i].name = val_key(&map->members[i]);
	}
	return 0;
}

static void
begin_of_workflow(struct holder *h, const struct hook *hook, str name)
{
	struct call *c = hook_call(h, hook, name, ROLE_WORKFLOW_HOOK);
	c->late = true;
	c->place = (struct place){ { 1, 0, 0, (uint32_t)(hook - h->hooks) } };
	(void)call_begin(h->scope.run, c);
}

str
lifecycle_look_at_workflow(struct run *r)
{
	struct node *root = node_named(r, r->name);
	if (!r->hooks_n || !root)
		return STR_NONE;
	struct holder h = { .node = root,
		.scope = { .run = r, .late = true },
		.hooks = r->hooks,
		.n = r->hooks_n,
		.begun = r->hooks_begun,
		.open = &r->hooks_open,
		.begin = begin_of_workflow };
	look(&h);
	return node_fulfilled(root) ? h.error : STR_NONE;
}

/* ---- all --------------------------------------------------------------------------------------------------------- */

/* The first that was noticed comes first, so that hooks of a loop's elements begin in the order of the elements. */
static struct node *
next_noticed(struct run *r)
{
	if (r->noticed_at < r->noticed.n)
		return r->noticed.p[r->noticed_at++];
	r->noticed.n = r->noticed_at = 0;
	return NULL;
}

bool
lifecycle_settle(struct run *r)
{
	struct node *n = next_noticed(r);
	if (n) {
		bool over = n->gone || !n->hooks || (node_fulfilled(n) && !(n->told && n->hooks_open));
		if (!over)
			look_at_node(r, n);
		else if (n->hooks)
			n->hooks->noticed = false;
		return true;
	}
	if (!r->workflow_noticed)
		return false;
	r->workflow_noticed = false;
	(void)lifecycle_look_at_workflow(r);
	return true;
}
