/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hooks: exit handlers. A step or task that completed may have one (`hooks.exit`, `onExit`), if its expression does not
 * say no; whoever waits for the step waits for its handler too, but the handler's failure is its own affair. The
 * workflow's handler runs when the root is done (spec 2.9; workflow/controller/exit_handler.go, v4.1.2).
 */
#include "engine/run/run_impl.h"

struct exit_hook {
	str tmpl, expression;
	const struct val *ref;
	const struct arguments *args;
	const struct val *args_src;
};

static bool
find_hook(struct run *r, const struct step *s, struct exit_hook *out)
{
	*out = (struct exit_hook){ .tmpl = s->on_exit, .args = r->arguments };
	if (s->on_exit.n)
		return true;
	for (size_t i = 0; i < s->hooks.n; i++) {
		const struct hook *h = &s->hooks.p[i];
		if (!str_eq(h->name, S("exit")))
			continue;
		bool own = h->arguments.parameters.n || h->arguments.artifacts.n;
		*out = (struct exit_hook){ h->tmpl, h->expression, h->template_ref ? h->template_ref->src : NULL,
			own ? &h->arguments : r->arguments, own ? h->arguments.src : NULL };
		return true;
	}
	return false;
}

int
hook_put_arguments(struct run *r, const struct val *src, struct scope *x, const struct arguments **out, struct err *e)
{
	if (!src || !(src->flags & VAL_TAGGED))
		return 0;
	struct tag_scope ts = scope_tags(x);
	ts.absent_is_null = true;
	const struct val *put = tags_put(r->arena, src, &ts, e);
	if (!put)
		return -1;
	if (put != src)
		*out = arguments_decode(r, put, e);
	return *out ? 0 : -1;
}

/* When a hook began, or now if it does not yet: what it sees of time must be the same after a restart. */
int64_t
hook_time(struct run *r, str name)
{
	const struct node *n = node_named(r, name);
	return n ? n->started : r->now - r->now % NS_PER_SEC;
}

/* A hook may speak of the very step it belongs to: steps.<self>.status, .outputs... */
struct scope
hook_scope(struct run *r, struct node *n)
{
	return (struct scope){ .run = r,
		.frame = n->boundary ? n->boundary->frame : NULL,
		.task = n->role == ROLE_STEP ? SIZE_MAX : n->slot,
		.self = n,
		.self_name = n->of->name };
}

struct place
hook_place(const struct node *n, uint32_t which)
{
	struct place at = n->call ? n->call->place : (struct place){ { n->slot } };
	if (n->role == ROLE_STEP)
		at.at[0] = 1;
	else
		at.at[1] = n->role == ROLE_ITEM ? 1 : 2;
	at.at[3] = which;
	return at;
}

/*
 * A hook that could not even begin is an error of what waits for it; a hook that failed is not. That of an exit hook is also one of the
 * steps, if they are what the workflow began with (executeSteps returns the group then).
 */
void
hook_error(struct node *n, enum role role, str message)
{
	if (n->role == ROLE_STEP) {
		n->owner->bubbles |= role == ROLE_EXIT && !n->owner->error.p;
		steps_error(n->owner, message);
	} else if (n->boundary && n->boundary->frame)
		dag_error(n->boundary->frame, message);
}

/* Whether the exit hook is to run: an expression may say no. 1, 0, -1. */
static int
exit_wanted(struct run *r, const struct exit_hook *h, str name, struct scope *x, struct err *e)
{
	bool yes;
	if (!h->expression.n || node_named(r, name)) /* the latter after a restart */
		return 1;
	return scope_evaluate_bool(x, h->expression, &yes, e) ? -1 : yes;
}

static void
begin_exit(struct run *r, struct node *n, const struct exit_hook *h)
{
	struct frame *f = n->boundary->frame;
	str name = run_text(r, "%.*s.onExit", STR_ARG(n->name));
	struct scope x = hook_scope(r, n);
	struct err e;
	x.time = hook_time(r, name);
	n->exit_begun = true;
	if (limit_frozen(f) && !node_named(r, name)) {
		n->hooks_open++; /* it is due, but will not begin any more */
		return;
	}
	int wanted = exit_wanted(r, h, name, &x, &e);
	if (!wanted)
		return;
	struct call *c = call_new(r, name);
	c->library = f->def->library;
	c->tmpl = h->tmpl;
	c->ref = h->ref;
	c->step = S("");
	c->exiting = c->hooked = true;
	c->late = f->call->late;
	c->args = h->args;
	c->boundary = n->boundary;
	c->owner = n;
	c->place = hook_place(n, UINT32_MAX);
	c->role = ROLE_EXIT;
	c->depth = f->call->depth + 1;
	n->hooks_open++;
	if (wanted < 0 || hook_put_arguments(r, h->args_src, &x, &c->args, &e))
		(void)call_failed(r, c, run_text(r, "%s", e.msg));
	else
		(void)call_begin(r, c);
}

/* No exit handler begins any more; one that did is found again after a restart, though it is about to end. */
static bool
is_barred(struct run *r, str of)
{
	return run_shut(r, true) && !node_named(r, arena_fmt(r->tmp, "%.*s.onExit", STR_ARG(of)));
}

bool
hooks_wait(struct run *r, struct node *n)
{
	struct exit_hook h;
	if (!n->of || n->hooked)
		return false;
	lifecycle_look(r, n); /* the exit hook follows the others (Argo: steps.go, dag.go) */
	if (!n->hooks_open && !n->exit_begun && phase_completed(n->phase) && !is_barred(r, n->name) && find_hook(r, n->of, &h))
		begin_exit(r, n, &h);
	return n->hooks_open > 0;
}

/* ---- right after what was begun ------------------------------------------------------------------------------- */

static void follow_on(struct run *r, struct rest *x);

/* `mark`: of the news of its hooks. */
static void
follow_one(struct run *r, struct node *n, size_t mark)
{
	if (!node_fulfilled(n)) {
		lifecycle_look(r, n);
		return;
	}
	(void)hooks_wait(r, n);
	if (r->interrupted.n) { /* a hook was left: that comes first */
		run_rest(r, &(struct rest){ .go_on = follow_on, .node = n->boundary, .at = n->order, .mark = mark });
		return;
	}
	run_settle_below(r, mark, n); /* it may have ended as it began: then the exit hook is next */
	(void)hooks_wait(r, n);
}

static void
follow_on(struct run *r, struct rest *x)
{
	follow_one(r, r->nodes.p[x->at], x->mark < r->news.n ? x->mark : r->news_at);
}

void
hooks_follow(struct run *r, struct node *n)
{
	if (n->role == ROLE_STEP || n->role == ROLE_TASK || n->role == ROLE_ITEM) /* else nobody waits for it */
		follow_one(r, n, r->news.n);
}

static bool
has_hooks(const struct node *n)
{
	return n->of && (n->of->hooks.n || n->of->on_exit.n);
}

/* From x->at on. */
static void
follow(struct run *r, struct rest *x)
{
	struct node *group = x->node;
	for (; x->at < group->children.n; x->at++) {
		struct node *n = group->children.p[x->at];
		if (!has_hooks(n) || n->owner != group)
			continue;
		if (run_is_tired(r)) {
			run_rest(r, x);
			return;
		}
		hooks_follow(r, n);
	}
	if (group->type == NODE_STEP_GROUP) {
		steps_child_settled(r, group, NULL);
		return;
	}
	dag_item_settled(group);
	run_settle_below(r, x->mark < r->news.n ? x->mark : r->news.n, group); /* it may be over already */
	hooks_follow(r, group);
}

void
hooks_follow_group(struct run *r, struct node *group, size_t mark)
{
	struct rest x = { .go_on = follow, .node = group, .mark = mark };
	if (r->interrupted.n) /* something below the last of them was left: that comes first */
		run_rest(r, &x);
	else
		follow(r, &x);
}

/* ---- the workflow's ---------------------------------------------------------------------------------------------- */

static bool
workflow_hook(struct run *r, str *tmpl, const struct val **ref, const struct val **args)
{
	const struct val *exit = val_path(r->spec, "hooks.exit");
	*tmpl = val_get_str(r->spec, "onExit");
	*ref = *args = NULL;
	if (tmpl->n)
		return true;
	if (!exit)
		return false;
	*tmpl = val_get_str(exit, "template");
	*ref = val_get(exit, S("templateRef"));
	*args = val_get(exit, S("arguments"));
	return true;
}

bool
on_exit_is_there(const struct run *r)
{
	return val_path(r->merged, "hooks.exit") || val_get_str(r->merged, "onExit").n;
}

/* The name of the template that a node was called with; the referred one's where it was referred to. */
static str
template_called(const struct node *n)
{
	return n->template_ref ? val_get_str(n->template_ref, "template") : n->template_name;
}

/* Argo: nodes that failed, as a JSON list, which is quoted once more (spec 3.5). */
str
hook_failures(struct run *r, struct arena *a)
{
	struct val_list list = { 0 };
	for (size_t i = 0; i < r->nodes.n; i++) {
		const struct node *n = r->nodes.p[i];
		if (n->gone || !phase_failed(n->phase))
			continue;
		struct val_map m = { 0 };
		val_map_add(&m, S("displayName"), val_str(n->display));
		val_map_add(&m, S("message"), val_str(n->message));
		val_map_add(&m, S("templateName"), val_str(template_called(n)));
		val_map_add(&m, S("phase"), val_cstr(phase_name(n->phase)));
		val_map_add(&m, S("podName"), val_str(pod_name(r, a, n->name, template_called(n))));
		val_map_add(&m, S("finishedAt"), val_str(time_rfc3339(a, n->finished)));
		val_list_add(&list, val_map_end(&m, a));
	}
	bool any = list.v.n > 0;
	struct val v = val_list_end(&list, a);
	struct buf text CLEANUP(free_buf) = { 0 }, quoted CLEANUP(free_buf) = { 0 };
	json_write_opts(&text, &v, JSON_HTML);
	json_quote(&quoted, any ? buf_str(&text) : S("null"), 0);
	return arena_dup(a, buf_str(&quoted));
}

bool
on_exit_begin(struct run *r)
{
	str tmpl;
	const struct val *ref, *args;
	if (is_barred(r, r->name) || !workflow_hook(r, &tmpl, &ref, &args))
		return false;
	struct call *c = call_new(r, run_text(r, "%.*s.onExit", STR_ARG(r->name)));
	c->tmpl = tmpl;
	c->ref = ref;
	c->step = S("");
	c->args = r->arguments;
	c->exiting = c->hooked = true;
	c->place.at[0] = 2;
	c->role = ROLE_ON_EXIT;
	struct scope x = { .run = r, .time = hook_time(r, c->name) };
	struct err e = { 0 };
	const struct val *parameters = val_get(args, S("parameters"));
	if (val_is(parameters, VAL_LIST) && parameters->n) {
		c->args = arguments_decode(r, args, &e);
		if (c->args && hook_put_arguments(r, args, &x, &c->args, &e))
			c->args = NULL;
		if (!c->args) {
			(void)call_failed(r, c, run_text(r, "%s", e.msg));
			return true;
		}
	}
	(void)call_begin(r, c);
	return true;
}
