/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steps: groups one after the other, the steps of a group side by side (spec 2.4; workflow/controller/steps.go,
 * v4.1.2). A group counts the steps that are not settled; a step is settled when it and its exit hook are fulfilled.
 *
 * Where Argo ends a group with an error while other steps of it still run, and leaves them behind, the group here waits
 * for what it began and then fails with the same message.
 */
#include "engine/run/run_impl.h"

/* ---- frames: what Steps and DAG nodes have in common ----------------------------------------------------------- */

struct frame *
frame_new(struct run *r, struct node *n, struct call *c, const struct def *d, const struct template *t)
{
	struct frame *f = ARENA_NEW(r->arena, struct frame);
	f->node = n;
	f->call = c;
	f->def = d;
	f->tmpl = t;
	list_init(&f->waiting);
	n->frame = f;
	limit_note(f);
	if (n->type == NODE_DAG && n->message.n) /* after a restart: see dag_error */
		f->error = n->message;
	*VEC_PUSH(&r->frames) = f;
	return f;
}

struct call *
frame_call(struct run *r, struct frame *f, const struct step *s, str name, struct place at)
{
	struct call *c = call_new(
		r, arena_fmt(r->work, "%.*s.%.*s", STR_ARG(f->node->type == NODE_DAG ? f->node->name : f->group->name),
			   STR_ARG(name)));
	c->library = f->def->library;
	c->tmpl = s->tmpl;
	c->ref = s->template_ref ? s->template_ref->src : NULL;
	c->inline_template = s->inline_template;
	c->args = &s->arguments;
	c->step = name;
	c->place = at;
	c->is_task = f->node->type == NODE_DAG;
	c->exiting = f->node->exiting;
	c->late = f->call->late;
	c->boundary = f->node;
	c->depth = f->call->depth + 1;
	c->of = s;
	return c;
}

static const char *const strict_siblings[] = { "steps.", "tasks.", NULL };

/* The step with `when` replaced, everything else as it was: it will not run, so nothing else matters. */
static const struct step *
with_when(struct run *r, const struct step *s, str when)
{
	struct step *copy = ARENA_NEW(r->arena, struct step);
	*copy = *s;
	copy->when = when;
	return copy;
}

/* Where only texts of `arguments` and `when` were put in, nothing else need be decoded again. */
static bool
patch_step(struct run *r, const struct step *s, const struct val *v, struct step *out)
{
	const struct val *arguments = NULL;
	if (v->n != s->src->n)
		return false;
	*out = *s;
	out->src = v;
	for (uint32_t i = 0; i < v->n; i++) {
		const struct val *is = &v->members[i].value;
		if (!memcmp(is, &s->src->members[i].value, sizeof *is))
			continue;
		str key = val_key(&v->members[i]);
		if (str_eq(key, S("arguments")))
			arguments = is;
		else if (str_eq(key, S("when")) && is->kind == VAL_STR)
			out->when = val_text(is);
		else
			return false;
	}
	return !arguments || !schema_decode(&arguments_schema, r->work, arguments, s->name, &out->arguments, &r->diags);
}

const struct step *
step_decode(struct run *r, const struct step *s, const struct val *v, const struct schema *sc, struct err *e)
{
	struct step *out = ARENA_NEW(r->work, struct step);
	run_fresh_diags(r);
	if (patch_step(r, s, v, out))
		return out;
	if (schema_decode(sc, r->work, v, s->name, out, &r->diags)) {
		const struct diag *x = r->diags.v.n ? &r->diags.v.p[0] : NULL;
		(void)err_set(e, ERR_INVALID, "%.*s: %.*s", STR_ARG(x ? x->path : s->name),
			STR_ARG(x ? x->text : S("is not valid")));
		return NULL;
	}
	/* Hooks are resolved when they run: they may refer to what their own step left (spec 3.1, pass 3). */
	out->hooks.p = s->hooks.p;
	out->hooks.n = s->hooks.n;
	return out;
}

int
frame_resolve(struct run *r, struct frame *f, size_t task, const struct step *s, const struct schema *sc,
	const struct step **out, bool *skip, struct err *e)
{
	struct scope x = { .run = r, .frame = f, .task = task, .salt = s->name, .inputs = f->node->inputs };
	struct tag_scope ts = scope_tags(&x);
	str when = s->when;
	bool proceed = true;
	ts.strict = strict_siblings;
	*out = s;
	*skip = false;
	if (tags_in(when) && tags_put_text(r->arena, when, &ts, &when, e))
		return -1;
	/* `when` of a loop may speak of {{item}}: then it is for every item to decide. */
	if (!tags_in(when) || !step_expands(s)) {
		if (when_eval(when, &proceed, e))
			return -1;
		if (!proceed) {
			*skip = true;
			*out = with_when(r, s, when);
			return 0;
		}
	}
	if (!(s->src->flags & VAL_TAGGED))
		return 0;
	ts.absent_is_null = true;
	const struct val *v = val_unset(r->arena, s->src, S("hooks"));
	const struct val *put = tags_put(r->arena, v, &ts, e);
	if (!put)
		return -1;
	if (put == v)
		return 0;
	*out = step_decode(r, s, put, sc, e);
	if (*out && s->with_param.p && !(*out)->with_param.p)
		return err_set(e, ERR_INVALID,
			"withParam '%.*s': the output is an absent optional (its step was skipped and it has no "
			"default)",
			STR_ARG(s->with_param));
	return *out ? 0 : -1;
}

/* ---- a group --------------------------------------------------------------------------------------------------- */

static void
skipped(struct run *r, struct node *group, const struct step *s, str name, struct place at, enum phase p, str why)
{
	struct frame *f = group->owner->frame;
	struct call *c = frame_call(r, f, s, name, at);
	c->owner = group;
	bool waited_for = p == PHASE_SKIPPED && lifecycle_hooks(s);
	if (waited_for) { /* they may be for just that */
		c->role = ROLE_STEP;
		group->waiting++;
	}
	struct node *n = call_node(r, c, NODE_SKIPPED);
	if (n && waited_for && node_fulfilled(n))
		node_announce(n); /* after a restart */
	else if (n)
		node_set(n, p, why);
}

/* The first in time counts, also after a restart: so it is shown from now on. */
void
steps_error(struct node *group, str why)
{
	if (group->error.p)
		return;
	node_set(group, group->phase, why);
	group->error = group->message;
	limit_withdraw(group);
}

/* A step could not even begin: no further step of the group begins. */
void
steps_child_begun(struct run *r, struct node *n)
{
	if (n->bubbles && n->role == ROLE_STEP && !n->owner->error.p)
		steps_error(n->owner, run_text(r, "step group deemed errored due to child %.*s error: %.*s",
					      STR_ARG(n->name), STR_ARG(n->message)));
}

/* Decides about one step, or one element of a loop, and begins it. */
static int
begin_step(struct run *r, struct node *group, const struct step *s, const struct step *of, str name, struct place at,
	struct err *e)
{
	bool proceed;
	if (group->error.p && !node_named(r, run_text(r, "%.*s.%.*s", STR_ARG(group->name), STR_ARG(name))))
		return 0;
	if (when_eval(s->when, &proceed, e)) {
		skipped(r, group, s, name, at, PHASE_ERROR, run_text(r, "%s", e->msg));
		return -1;
	}
	if (!proceed) {
		skipped(r, group, s, name, at, PHASE_SKIPPED,
			run_text(r, "when '%.*s' evaluated false", STR_ARG(s->when)));
		return 0;
	}
	struct call *c = frame_call(r, group->owner->frame, s, name, at);
	c->owner = group;
	c->role = ROLE_STEP;
	c->of = of;
	group->waiting++;
	struct node *n = call_begin(r, c);
	if (n)
		steps_child_begun(r, n);
	return 0;
}

/* Its steps were begun (rc 0), or it was left (1), or something is wrong with it (-1). */
static void
group_begun(struct run *r, struct node *group, int rc, const struct err *e)
{
	if (rc > 0)
		return;
	if (rc < 0)
		steps_error(group, run_text(r, "%s", e->msg));
	hooks_follow_group(r, group, 0);
}

/* A step as it is before anything of its group begins. */
struct prepared {
	const struct step *step, *body; /* the body is an element's; NULL: no loop */
	const struct val *items;
	bool skip;
};

static int
prepare_step(struct run *r, struct frame *f, const struct step *s, struct prepared *out, struct err *e)
{
	*out = (struct prepared){ 0 };
	if (frame_resolve(r, f, SIZE_MAX, s, &step_schema, &out->step, &out->skip, e))
		return -1;
	if (!step_expands(out->step))
		return 0;
	int rc = expand_items(r, out->step, out->skip, &out->items, &out->body, e);
	if (rc > 0)
		out->body = NULL;
	return rc < 0 ? -1 : 0;
}

/* After an error no further step begins. After a restart those that were begun before it must still be found. */
static bool
goes_on(const struct rest *x)
{
	return x->again || !x->node->error.p;
}

/* From element at->item on; up to there it came. */
static int
begin_loop(struct run *r, const struct prepared *p, struct rest *at, struct err *e)
{
	struct node *group = at->node;
	struct place place = { { 0, (uint32_t)at->at, 0 } };
	bool passing = loop_in_passing(r, group->owner->frame, p->body);
	struct scope siblings = { .run = r, .frame = group->owner->frame, .task = SIZE_MAX, .time = group->started };
	int rc = 0;
	for (; at->item < p->items->n && !rc && goes_on(at) && !run_is_tired(r); at->item++) {
		struct expanded x;
		place.at[2] = at->item;
		r->work = passing ? r->passing : r->arena;
		rc = expand_one(r, &siblings, p->body, &step_schema, at->item, &p->items->items[at->item], p->skip, &x, e) ||
				     begin_step(r, group, x.step, passing ? p->body : x.step, x.name, place, e)
			     ? -1
			     : 0;
		r->work = r->arena;
		arena_reset(r->passing);
	}
	return rc;
}

static const struct step_group *
steps_of(const struct node *group)
{
	const struct frame *f = group->owner->frame;
	return &f->tmpl->steps.p[f->current];
}

/* In the middle: what is prepared must outlive this stimulus. */
static int
leave_group(struct run *r, struct rest *x)
{
	const struct step_group *g = steps_of(x->node);
	if (!x->kept) {
		struct prepared *kept = ARENA_ARRAY(r->arena, struct prepared, g->n);
		memcpy(kept, x->steps, g->n * sizeof *kept);
		x->steps = kept;
		x->kept = true;
	}
	run_rest(r, x);
	return 1;
}

/* 1: it was left, and will go on. */
static int
begin_rest(struct run *r, struct rest *x, struct err *e)
{
	const struct step_group *g = steps_of(x->node);
	for (; x->at < g->n && goes_on(x); x->at++, x->item = 0) {
		const struct prepared *p = &x->steps[x->at];
		const struct step *s = p->step;
		if (run_is_tired(r))
			return leave_group(r, x);
		struct place place = { { 0, (uint32_t)x->at, 0 } };
		if (p->body ? begin_loop(r, p, x, e) : begin_step(r, x->node, s, s, s->name, place, e))
			return -1;
		if (p->body && x->item < p->items->n && goes_on(x))
			return leave_group(r, x);
	}
	return 0;
}

/* What is left of a group that was left. */
static void
go_on(struct run *r, struct rest *x)
{
	struct err e;
	group_begun(r, x->node, begin_rest(r, x, &e), &e);
}

/* All are resolved before the first begins: a mistake in one keeps the whole group from running (spec 3.1, pass 3). A loop over nothing is
 * Skipped already then, whatever comes of the others, as in Argo's expandStepGroup. */
static int
begin_steps(struct run *r, struct node *group, bool again, struct err *e)
{
	const struct step_group *g = steps_of(group);
	struct prepared *p = ARENA_ARRAY(r->tmp, struct prepared, g->n);
	for (size_t i = 0; i < g->n; i++) {
		struct place place = { { 0, (uint32_t)i, 0 } };
		if (prepare_step(r, group->owner->frame, &g->p[i], &p[i], e))
			return -1;
		if (p[i].body && !p[i].items->n)
			skipped(r, group, p[i].step, p[i].step->name, place, PHASE_SKIPPED, S("Skipped, empty params"));
	}
	struct rest x = { .go_on = go_on, .node = group, .steps = p, .again = again };
	return begin_rest(r, &x, e);
}

static bool
continues(const struct step *s, enum phase p)
{
	return s && s->continue_on &&
	       ((p == PHASE_FAILED && s->continue_on->failed) || (p == PHASE_ERROR && s->continue_on->error));
}

/* All its steps are settled: the first failed one that may not fail decides. */
static void
end_group(struct run *r, struct node *group)
{
	if (group->error.p) {
		node_set(group, PHASE_ERROR, group->error);
		return;
	}
	for (size_t i = 0; i < group->children.n; i++) {
		struct node *n = group->children.p[i];
		if (!phase_failed(n->phase) || n->hooked || continues(n->of, n->phase))
			continue;
		node_set(group, PHASE_FAILED, run_text(r, "child '%.*s' failed", STR_ARG(n->id)));
		return;
	}
	node_set(group, PHASE_SUCCEEDED, STR_NONE);
}

/* What was written of a step, by its node; of an element it is that of the loop. After a restart no call knows it any more. */
static const struct step *
step_of(const struct frame *f, const struct node *group, const struct node *n)
{
	str name = str_slice(n->name, group->name.n + 1, n->name.n);
	size_t element = str_find(name, S("("), 0);
	if (element != SIZE_MAX)
		name = str_slice(name, 0, element);
	size_t i = (size_t)(uintptr_t)map_get(&f->names, name);
	for (size_t k = 0; i && k < f->tmpl->steps.p[i - 1].n; k++)
		if (str_eq(f->tmpl->steps.p[i - 1].p[k].name, name))
			return &f->tmpl->steps.p[i - 1].p[k];
	return NULL;
}

/*
 * A daemon of a group that is done ended by itself: the group has failed after all, and no further group begins. Argo looks
 * at a group again as long as something after it runs (childrenFulfilled), and fails the steps at once; here what runs is
 * waited for.
 */
void
steps_daemon_lost(struct run *r, struct node *n)
{
	struct node *group = n->parents.n ? n->parents.p[0] : NULL, *steps = n->boundary;
	struct frame *f = steps ? steps->frame : NULL;
	if (!f || steps->type != NODE_STEPS || node_fulfilled(steps) || !group || group->type != NODE_STEP_GROUP)
		return; /* not a step's: an attempt's is for its Retry node to decide */
	if (group->phase != PHASE_SUCCEEDED || continues(step_of(f, group, n), n->phase))
		return;
	node_set(group, PHASE_FAILED, run_text(r, "child '%.*s' failed", STR_ARG(n->id)));
	if (!f->lost)
		f->lost = group;
}

void
steps_child_settled(struct run *r, struct node *group, struct node *child)
{
	if (node_fulfilled(group))
		return;
	if (child)
		steps_child_begun(r, child);
	if (--group->waiting == 0 && !limit_frozen(group->owner->frame))
		end_group(r, group);
}

/* ---- one group after the other --------------------------------------------------------------------------------- */

static void
link_to(void *arg, struct node *leaf)
{
	node_link(leaf, arg);
}

static void
link_group(struct run *r, struct frame *f, struct node *group, size_t i)
{
	if (i == 0) {
		node_link(f->node, group);
		return;
	}
	struct node *before = node_named(r, run_text(r, "%.*s[%zu]", STR_ARG(f->node->name), i - 1));
	if (!before->children.n)
		node_link(before, group);
	for (size_t k = 0; k < before->children.n; k++)
		node_outbound(before->children.p[k], link_to, group);
}

static void
begin_group(struct run *r, struct frame *f, size_t i)
{
	str name = run_text(r, "%.*s[%zu]", STR_ARG(f->node->name), i);
	struct node *group = node_named(r, name);
	f->current = i;
	bool made = !group;
	if (made)
		group = node_new(r, name, NODE_STEP_GROUP, f->node);
	if (!group)
		return;
	f->group = group;
	group->role = ROLE_GROUP;
	group->owner = f->node;
	group->exiting = f->node->exiting;
	group->template_scope = f->def->library->scope;
	if (made)
		link_group(r, f, group, i);
	if (node_fulfilled(group)) {
		node_announce(group);
		return;
	}
	node_set(group, PHASE_RUNNING, STR_NONE);
	if (group->message.n)
		group->error = group->message;
	group->waiting = 1; /* ourselves, so that it cannot end before all were begun */
	struct err e;
	group_begun(r, group, begin_steps(r, group, !made, &e), &e);
}

static void
add_outbound(void *arg, struct node *leaf)
{
	struct node *n = arg;
	*VEC_PUSH(&n->outbound) = leaf;
}

static void
end_steps(struct run *r, struct frame *f, enum phase p, str message)
{
	struct node *n = f->node;
	for (size_t i = 0; f->group && i < f->group->children.n; i++)
		node_outbound(f->group->children.p[i], add_outbound, n);
	struct err e;
	const struct val *outputs = NULL;
	if (p == PHASE_SUCCEEDED && outputs_of_template(r, f, &outputs, &e)) {
		n->bubbles = true;
		p = PHASE_ERROR;
		message = run_text(r, "%s", e.msg);
	}
	n->outputs = outputs;
	outputs_to_globals(r, n);
	node_set(n, p, message);
}

void
steps_group_done(struct run *r, struct node *group)
{
	struct frame *f = group->owner->frame;
	if (node_fulfilled(f->node))
		return;
	if (f->lost)
		end_steps(r, f, PHASE_FAILED, f->lost->message);
	else if (group->phase == PHASE_ERROR && group->bubbles && f->node->role == ROLE_ROOT)
		end_steps(r, f, PHASE_ERROR, group->message);
	else if (phase_failed(group->phase))
		end_steps(r, f, PHASE_FAILED, group->message);
	else if (f->current + 1 < f->tmpl->steps.n)
		begin_group(r, f, f->current + 1);
	else {
		f->current++; /* now the last group's steps are siblings too */
		end_steps(r, f, PHASE_SUCCEEDED, STR_NONE);
	}
}

static bool
has_restarting_daemon(const struct node *group)
{
	for (size_t i = 0; group && i < group->children.n; i++)
		if (group->children.p[i]->type == NODE_RETRY && group->children.p[i]->daemoned)
			return true;
	return false;
}

/* After a restart: a daemon of a group that is done, and that has attempts left, must know again how to make them. */
static void
call_daemons_again(struct run *r, struct frame *f, size_t groups)
{
	struct err ignored; /* the group has ended: what goes wrong now is nobody's error any more */
	for (size_t i = 0; i < groups; i++) {
		struct node *group = node_named(r, arena_fmt(r->tmp, "%.*s[%zu]", STR_ARG(f->node->name), i));
		if (!has_restarting_daemon(group))
			continue;
		f->current = i;
		f->group = group;
		group->owner = f->node;
		(void)begin_steps(r, group, true, &ignored);
	}
}

static struct node *
group_named(struct run *r, const struct node *steps, size_t i)
{
	return node_named(r, arena_fmt(r->tmp, "%.*s[%zu]", STR_ARG(steps->name), i));
}

void
steps_begin(struct run *r, struct node *n, struct call *c, const struct def *d, const struct processed *p)
{
	struct frame *f = frame_new(r, n, c, d, p->tmpl);
	for (size_t i = 0; i < p->tmpl->steps.n; i++)
		for (size_t k = 0; k < p->tmpl->steps.p[i].n; k++)
			map_put(&f->names, p->tmpl->steps.p[i].p[k].name, (void *)(uintptr_t)(i + 1));
	size_t i = 0; /* the last group that exists: 0 unless this is after a restart */
	for (struct node *group = group_named(r, n, 0), *next; i + 1 < p->tmpl->steps.n; i++, group = next) {
		if (!(next = group_named(r, n, i + 1)))
			break;
		if (!f->lost && phase_failed(group->phase))
			f->lost = group;
	}
	call_daemons_again(r, f, i);
	if (p->tmpl->steps.n)
		begin_group(r, f, i);
	else
		end_steps(r, f, PHASE_SUCCEEDED, STR_NONE);
}
