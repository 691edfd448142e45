/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dag: tasks and their dependencies (spec 2.5, 2.6; workflow/controller/dag.go, v4.1.2). Every task counts the
 * dependencies that are not settled; the one that settles last makes it ready. A task is settled when it, the elements
 * of its loop and their exit hooks are fulfilled. The DAG is assessed once, when its last reachable task is settled.
 *
 * A task with a loop has a TaskGroup node; ready tasks are begun in the order in which they are written.
 */
#include "engine/run/depends.h"
#include "engine/run/run_impl.h"

struct task {
	struct node *node;
	size_t waiting; /* dependencies that are not settled */
	bool reachable, settled;
	uint32_t mark;       /* of the last look for ancestors that came by; while planning, of its dependent */
	uint32_t enter, leave; /* of a walk from the first tasks: what was entered in between comes after it. 0: not yet */
	struct depends expr; /* without code: `dependencies`, or none */
	VEC(size_t) deps, dependents;
};

size_t
dag_task_index(const struct frame *f, str name)
{
	return (size_t)(uintptr_t)map_get(&f->names, name) - 1;
}

struct node *
dag_task_node(const struct frame *f, size_t i)
{
	return f->tasks[i].node;
}

void
dag_error(struct frame *f, str why)
{
	if (f->error.p)
		return;
	node_set(f->node, f->node->phase, why);
	f->error = f->node->message;
}

void
dag_adopt(struct frame *f, size_t task, struct node *n)
{
	f->tasks[task].node = n;
}

/* ---- the plan -------------------------------------------------------------------------------------------------- */

/* What "fine" means of a task: its continueOn forgives more (spec 2.6). */
static uint8_t
fine(const struct step *s)
{
	uint8_t set = DEPENDS_DEFAULT;
	if (s->continue_on && s->continue_on->error)
		set |= DEPENDS_ERRORED;
	if (s->continue_on && s->continue_on->failed)
		set |= DEPENDS_FAILED;
	return set;
}

static size_t
number_of(void *arg, str name, uint8_t *bare)
{
	const struct frame *f = arg;
	size_t i = dag_task_index(f, name);
	if (i != SIZE_MAX)
		*bare = fine(&f->tmpl->dag->tasks.p[i]);
	return i;
}

/* Once each: f->marks stands for `task`. */
static void
add_dep(struct frame *f, size_t task, size_t dep)
{
	struct task *t = &f->tasks[task];
	if (f->tasks[dep].mark == f->marks)
		return;
	f->tasks[dep].mark = f->marks;
	*VEC_PUSH(&t->deps) = dep;
	*VEC_PUSH(&f->tasks[dep].dependents) = task;
	t->waiting++;
}

static int
plan_task(struct run *r, struct frame *f, size_t i, struct err *e)
{
	const struct step *s = &f->tmpl->dag->tasks.p[i];
	f->marks++;
	for (size_t k = 0; k < s->dependencies.n; k++) {
		size_t dep = dag_task_index(f, s->dependencies.p[k]);
		if (dep == SIZE_MAX)
			return err_set(e, ERR_INVALID, "dependency '%.*s' not defined", STR_ARG(s->dependencies.p[k]));
		add_dep(f, i, dep);
	}
	if (!s->depends.n)
		return 0;
	struct depends_scope scope = { number_of, f };
	if (depends_parse(r->arena, s->depends, &scope, &f->tasks[i].expr, e))
		return -1;
	for (size_t k = 0; k < f->tasks[i].expr.tasks_n; k++)
		add_dep(f, i, f->tasks[i].expr.tasks[k]);
	return 0;
}

static void
reach(struct frame *f, size_t task)
{
	/* A stack of our own: a chain of dependencies may be as long as the DAG. */
	VEC(size_t) todo = { 0 };
	*VEC_PUSH(&todo) = task;
	while (todo.n) {
		struct task *t = &f->tasks[todo.p[--todo.n]];
		if (t->reachable)
			continue;
		t->reachable = true;
		f->open++;
		for (size_t i = 0; i < t->deps.n; i++)
			*VEC_PUSH(&todo) = t->deps.p[i];
	}
	VEC_FREE(&todo);
}

static int
by_name(const void *a, const void *b)
{
	const str *x = a, *y = b;
	int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);
	return order ? order : (x->n > y->n) - (x->n < y->n);
}

/* dag.target, split at spaces, or the tasks that no other depends on, by name. */
static int
find_targets(struct run *r, struct frame *f, struct err *e)
{
	const struct dag *d = f->tmpl->dag;
	str rest = d->target;
	f->targets = ARENA_ARRAY(r->arena, str, d->tasks.n + d->target.n + 1);
	while (rest.n) {
		str name = str_cut(&rest, ' ');
		if (!name.n)
			continue;
		if (dag_task_index(f, name) == SIZE_MAX)
			return err_set(e, ERR_INVALID, "target '%.*s' is not defined", STR_ARG(name));
		f->targets[f->targets_n++] = name;
	}
	for (size_t i = 0; !d->target.n && i < d->tasks.n; i++)
		if (!f->tasks[i].dependents.n)
			f->targets[f->targets_n++] = d->tasks.p[i].name;
	if (!d->target.n)
		qsort(f->targets, f->targets_n, sizeof *f->targets, by_name);
	for (size_t i = 0; i < f->targets_n; i++)
		reach(f, dag_task_index(f, f->targets[i]));
	return 0;
}

struct way { /* on a walk: a task, and which of its dependents is next */
	size_t task, at;
};

/*
 * Numbers the tasks in a walk from those that depend on none. A chain of thousands that all speak of its first task would
 * else be gone through thousands of times.
 */
static void
walk(struct frame *f, size_t first, uint32_t *clock)
{
	VEC(struct way) path = { 0 };
	*VEC_PUSH(&path) = (struct way){ first, 0 };
	while (path.n) {
		struct way *x = &path.p[path.n - 1];
		struct task *t = &f->tasks[x->task];
		if (!x->at)
			t->enter = ++*clock;
		while (x->at < t->dependents.n && f->tasks[t->dependents.p[x->at]].enter)
			x->at++;
		if (x->at < t->dependents.n) {
			size_t next = t->dependents.p[x->at++]; /* the push may move x */
			*VEC_PUSH(&path) = (struct way){ next, 0 };
		} else {
			t->leave = ++*clock;
			path.n--;
		}
	}
	VEC_FREE(&path);
}

static int
plan(struct run *r, struct frame *f, struct err *e)
{
	const struct dag *d = f->tmpl->dag;
	uint32_t clock = 0;
	f->tasks = ARENA_ARRAY(r->arena, struct task, d->tasks.n);
	f->tasks_n = d->tasks.n;
	for (size_t i = 0; i < d->tasks.n; i++)
		map_put(&f->names, d->tasks.p[i].name, (void *)(uintptr_t)(i + 1));
	for (size_t i = 0; i < d->tasks.n; i++)
		if (plan_task(r, f, i, e))
			return -1;
	for (size_t i = 0; i < d->tasks.n; i++)
		if (!f->tasks[i].deps.n)
			walk(f, i, &clock);
	return find_targets(r, f, e);
}

void
dag_frame_free(struct frame *f)
{
	for (size_t i = 0; i < f->tasks_n; i++) {
		VEC_FREE(&f->tasks[i].deps);
		VEC_FREE(&f->tasks[i].dependents);
	}
	f->tasks_n = 0;
	VEC_FREE(&f->due);
}

/* By way of the walk; false says nothing. */
static bool
is_after(const struct frame *f, size_t task, size_t of)
{
	const struct task *t = &f->tasks[task], *o = &f->tasks[of];
	return task != of && o->enter < t->enter && t->leave < o->leave;
}

/* Whether `task` depends on `of`, at once or by others. */
bool
dag_depends_on(struct frame *f, size_t task, size_t of)
{
	bool is = is_after(f, task, of);
	uint32_t mark = ++f->marks;
	VEC(size_t) todo = { 0 };
	*VEC_PUSH(&todo) = task;
	while (todo.n && !is) {
		struct task *t = &f->tasks[todo.p[--todo.n]];
		f->looked++;
		for (size_t i = 0; i < t->deps.n && !is; i++) {
			size_t dep = t->deps.p[i];
			is = dep == of || is_after(f, dep, of);
			if (f->tasks[dep].mark == mark)
				continue;
			f->tasks[dep].mark = mark;
			*VEC_PUSH(&todo) = dep;
		}
	}
	VEC_FREE(&todo);
	return is;
}

/* ---- conditions ------------------------------------------------------------------------------------------------ */

static bool
any_succeeded(const struct node *group)
{
	for (size_t i = 0; i < group->children.n; i++)
		if (!group->children.p[i]->hooked && group->children.p[i]->phase == PHASE_SUCCEEDED)
			return true;
	return false;
}

static bool
all_failed(const struct node *group)
{
	size_t n = 0;
	for (size_t i = 0; i < group->children.n; i++) {
		if (group->children.p[i]->hooked)
			continue;
		if (group->children.p[i]->phase != PHASE_FAILED)
			return false;
		n++;
	}
	return n > 0;
}

static uint8_t
results(const void *arg, size_t i)
{
	const struct frame *f = arg;
	const struct node *n = f->tasks[i].node;
	static const uint8_t sets[] = { [PHASE_SUCCEEDED] = DEPENDS_SUCCEEDED,
		[PHASE_FAILED] = DEPENDS_FAILED,
		[PHASE_ERROR] = DEPENDS_ERRORED,
		[PHASE_SKIPPED] = DEPENDS_SKIPPED,
		[PHASE_OMITTED] = DEPENDS_OMITTED };
	if (!n)
		return 0;
	uint8_t set = sets[n->phase];
	if (n->daemoned)
		set |= DEPENDS_DAEMONED;
	if (n->type == NODE_TASK_GROUP && any_succeeded(n))
		set |= DEPENDS_ANY_SUCCEEDED;
	if (n->type == NODE_TASK_GROUP && all_failed(n))
		set |= DEPENDS_ALL_FAILED;
	return set;
}

static bool
condition(struct frame *f, size_t i)
{
	const struct task *t = &f->tasks[i];
	if (t->expr.n)
		return depends_holds(&t->expr, results, f);
	for (size_t k = 0; k < t->deps.n; k++)
		if (!(results(f, t->deps.p[k]) & fine(&f->tmpl->dag->tasks.p[t->deps.p[k]])))
			return false;
	return true;
}

/* ---- beginning tasks ------------------------------------------------------------------------------------------- */

static void
link_to(void *arg, struct node *leaf)
{
	node_link(leaf, arg);
}

/* A root task is a child of the DAG, any other of all that comes last in its dependencies. */
void
dag_link_task(struct frame *f, size_t task, struct node *n)
{
	const struct task *t = &f->tasks[task];
	if (!t->deps.n)
		node_link(f->node, n);
	for (size_t i = 0; i < t->deps.n; i++)
		if (f->tasks[t->deps.p[i]].node)
			node_outbound(f->tasks[t->deps.p[i]].node, link_to, n);
}

static struct call *
task_call(struct run *r, struct frame *f, size_t i, const struct step *s)
{
	struct call *c = frame_call(r, f, s, s->name, (struct place){ { (uint32_t)i } });
	c->owner = f->node;
	c->role = ROLE_TASK;
	c->slot = (uint32_t)i;
	return c;
}

/* A task that does not run: skipped, omitted, or in error. */
static void
without_running(struct run *r, struct frame *f, size_t i, const struct step *s, enum phase p, str why)
{
	struct node *n = call_node(r, task_call(r, f, i, s), NODE_SKIPPED);
	if (!n)
		return;
	f->tasks[i].node = n;
	node_set(n, p, why);
}

static struct call *
item_call(struct run *r, struct node *group, const struct step *s, str name, uint32_t which)
{
	struct call *c = frame_call(r, group->owner->frame, s, name, (struct place){ { group->slot, 0, which } });
	c->owner = group;
	c->role = ROLE_ITEM;
	c->slot = group->slot;
	return c;
}

/* One element of a loop: a node that does not run, or a call. All are told about by the queue of news. */
static void
begin_item(struct run *r, struct node *group, const struct expanded *x, const struct step *of, uint32_t which)
{
	struct err e;
	bool proceed = false;
	int rc = when_eval(x->step->when, &proceed, &e);
	struct call *c = item_call(r, group, x->step, x->name, which);
	c->of = of;
	group->waiting++;
	if (!rc && proceed) {
		(void)call_begin(r, c);
		return;
	}
	struct node *n = call_node(r, c, NODE_SKIPPED);
	if (n && node_fulfilled(n))
		node_announce(n);
	else if (n)
		node_set(n, rc ? PHASE_ERROR : PHASE_SKIPPED,
			rc ? run_text(r, "%s", e.msg)
			   : run_text(r, "when '%.*s' evaluated false", STR_ARG(x->step->when)));
}

static void
end_loop(struct node *group)
{
	enum phase p = PHASE_SUCCEEDED;
	for (size_t i = 0; i < group->children.n; i++)
		if (!group->children.p[i]->hooked && phase_failed(group->children.p[i]->phase))
			p = group->children.p[i]->phase;
	if (group->error.p)
		node_set(group, PHASE_ERROR, group->error);
	else
		node_set(group, p, STR_NONE);
}

void
dag_item_settled(struct node *group)
{
	if (!node_fulfilled(group) && --group->waiting == 0 && !limit_frozen(group->owner ? group->owner->frame : NULL))
		end_loop(group);
}

/* From x->item on. */
static void
begin_items(struct run *r, struct rest *x)
{
	struct node *group = x->node;
	struct frame *f = group->owner->frame;
	bool passing = loop_in_passing(r, f, x->body);
	struct scope siblings = { .run = r, .frame = f, .task = group->slot, .time = group->started };
	for (; x->item < x->items->n && !group->error.p && !run_is_tired(r); x->item++) {
		struct expanded one;
		struct err e;
		r->work = passing ? r->passing : r->arena;
		if (expand_one(r, &siblings, x->body, &dag_task_schema, x->item, &x->items->items[x->item], x->skip, &one, &e))
			group->error = run_text(r, "%s", e.msg);
		else
			begin_item(r, group, &one, passing ? x->body : one.step, x->item);
		r->work = r->arena;
		arena_reset(r->passing);
	}
	if (x->item < x->items->n && !group->error.p)
		run_rest(r, x);
	else
		hooks_follow_group(r, group, x->mark);
}

static void
begin_loop(struct run *r, struct frame *f, size_t i, const struct step *s, const struct val *items,
	const struct step *body, bool skip)
{
	struct call *c = task_call(r, f, i, s);
	struct node *group = call_node(r, c, NODE_TASK_GROUP);
	if (!group)
		return;
	f->tasks[i].node = group;
	group->exiting = f->node->exiting;
	node_set(group, PHASE_RUNNING, STR_NONE);
	group->waiting = 1; /* ourselves */
	begin_items(r, &(struct rest){ .go_on = begin_items, .node = group, .items = items, .body = body, .skip = skip, .mark = r->news.n });
}

static void
begin_task(struct run *r, struct frame *f, size_t i)
{
	const struct step *written = &f->tmpl->dag->tasks.p[i], *s, *body;
	const struct val *items;
	struct err e;
	bool skip;
	if (frame_resolve(r, f, i, written, &dag_task_schema, &s, &skip, &e)) {
		without_running(r, f, i, written, PHASE_ERROR, run_text(r, "%s", e.msg));
		return;
	}
	int rc = step_expands(s) ? expand_items(r, s, skip, &items, &body, &e) : 1;
	if (rc < 0)
		without_running(r, f, i, s, PHASE_ERROR, run_text(r, "%s", e.msg));
	else if (rc == 0 && items->n)
		begin_loop(r, f, i, s, items, body, skip);
	else if (rc == 0)
		without_running(r, f, i, s, PHASE_SKIPPED, S("Skipped, empty params"));
	else if (when_eval(s->when, &skip, &e))
		without_running(r, f, i, s, PHASE_ERROR, run_text(r, "%s", e.msg));
	else if (!skip)
		without_running(
			r, f, i, s, PHASE_SKIPPED, run_text(r, "when '%.*s' evaluated false", STR_ARG(s->when)));
	else
		(void)call_begin(r, task_call(r, f, i, s));
}

static void
follow_task(struct run *r, struct rest *x)
{
	struct node *n = x->node->frame->tasks[x->task].node;
	if (n)
		hooks_follow(r, n);
}

/* Its hooks come right after a task; those of a loop after its elements. */
static void
follow(struct run *r, struct frame *f, size_t i)
{
	const struct node *n = f->tasks[i].node;
	struct rest x = { .go_on = follow_task, .node = f->node, .task = (uint32_t)i };
	if (!n || (n->type == NODE_TASK_GROUP && !node_fulfilled(n)))
		return;
	if (r->interrupted.n) /* something below it was left: that comes first */
		run_rest(r, &x);
	else
		follow_task(r, &x);
}

/* Nothing it depends on is open any more. */
static void
ready(struct run *r, struct frame *f, size_t i)
{
	const struct step *s = &f->tmpl->dag->tasks.p[i];
	struct node *n = node_named(r, run_text(r, "%.*s.%.*s", STR_ARG(f->node->name), STR_ARG(s->name)));
	if (!n && (limit_frozen(f) || run_shut(r, f->node->exiting)))
		return; /* nothing new is begun any more */
	f->begun++;
	if (n && node_past(n)) { /* after a restart */
		n->role = ROLE_TASK;
		n->owner = f->node;
		n->slot = (uint32_t)i;
		n->of = s;
		lifecycle_attach(n);
		f->tasks[i].node = n;
		node_announce(n);
	} else if (condition(f, i)) {
		begin_task(r, f, i);
	} else {
		without_running(r, f, i, s, PHASE_OMITTED, S("omitted: depends condition not met"));
	}
	follow(r, f, i);
}

/* ---- the end --------------------------------------------------------------------------------------------------- */

struct visit {
	struct node *node;
	enum phase branch;
};
struct visits {
	VEC(struct visit) v;
};

static void
walk_below(struct visits *todo, const struct node *n, enum phase branch)
{
	for (size_t i = 0; i < n->children.n; i++)
		*VEC_PUSH(&todo->v) = (struct visit){ n->children.p[i], branch };
}

/* A Retry node is what its last attempt is: the walk goes on below that, and below its hooks. */
static void
walk_below_retry(struct visits *todo, const struct node *n, enum phase branch)
{
	const struct node *last = node_last_attempt(n);
	for (size_t i = 0; i < n->children.n; i++)
		if (n->children.p[i] == last || n->children.p[i]->hooked)
			walk_below(todo, n->children.p[i], branch);
}

static bool
visited(struct run *r, struct node *n, enum phase branch)
{
	uint8_t bit = (uint8_t)(1u << (branch - PHASE_NONE));
	if (n->visit != r->visits) {
		n->visit = r->visits;
		n->visited = 0;
	}
	bool seen = n->visited & bit;
	n->visited |= bit;
	return seen;
}

/*
 * Argo's walk from the DAG's children down with the phase of the branch, which a skipped or omitted task takes over
 * from above: a failed one rather than a good one. Only needed for targets that did not run; the others speak for
 * themselves.
 */
static void
inherit_phases(struct run *r, struct frame *f, enum phase *phases)
{
	struct visits todo = { 0 };
	r->visits++;
	walk_below(&todo, f->node, PHASE_SUCCEEDED);
	for (size_t at = 0; at < todo.v.n; at++) {
		struct visit v = todo.v.p[at];
		if (visited(r, v.node, v.branch))
			continue;
		if (phase_completed(v.node->phase))
			v.branch = v.node->phase;
		for (size_t i = 0; i < f->targets_n; i++)
			if (f->tasks[dag_task_index(f, f->targets[i])].node == v.node && !phase_failed(phases[i]))
				phases[i] = v.branch;
		if (v.node->type == NODE_RETRY && node_last_attempt(v.node))
			walk_below_retry(&todo, v.node, v.branch);
		else
			walk_below(&todo, v.node, v.branch);
	}
	VEC_FREE(&todo.v);
}

static bool
continues(const struct step *s, enum phase p)
{
	return s->continue_on &&
	       ((p == PHASE_FAILED && s->continue_on->failed) || (p == PHASE_ERROR && s->continue_on->error));
}

static enum phase
assess(struct run *r, struct frame *f)
{
	bool walk = false;
	enum phase *phases = ARENA_ARRAY(r->tmp, enum phase, f->targets_n + 1), result = PHASE_SUCCEEDED;
	for (size_t i = 0; i < f->targets_n; i++) {
		const struct node *n = f->tasks[dag_task_index(f, f->targets[i])].node;
		phases[i] = n && phase_completed(n->phase) ? n->phase : PHASE_NONE;
		walk |= phases[i] == PHASE_NONE;
	}
	if (walk)
		inherit_phases(r, f, phases);
	for (size_t i = 0; i < f->targets_n; i++) {
		if (!phase_failed(phases[i]) ||
			continues(&f->tmpl->dag->tasks.p[dag_task_index(f, f->targets[i])], phases[i]))
			continue;
		result = phases[i];
		if (f->tmpl->dag->fail_fast != TRI_FALSE)
			break;
	}
	return result;
}

static void
add_outbound(void *arg, struct node *leaf)
{
	struct node *n = arg;
	*VEC_PUSH(&n->outbound) = leaf;
}

static void
end_dag(struct run *r, struct frame *f)
{
	struct node *n = f->node;
	enum phase p = f->error.p ? PHASE_ERROR : run_shut(r, n->exiting) ? PHASE_FAILED : assess(r, f);
	str message = f->error;
	for (size_t i = 0; i < f->targets_n; i++) {
		struct node *target = f->tasks[dag_task_index(f, f->targets[i])].node;
		if (target)
			node_outbound(target, add_outbound, n);
	}
	struct err e;
	const struct val *outputs = NULL;
	if (p == PHASE_SUCCEEDED && outputs_of_template(r, f, &outputs, &e)) {
		p = PHASE_ERROR;
		message = run_text(r, "%s", e.msg);
		n->bubbles = true;
	}
	n->outputs = outputs;
	outputs_to_globals(r, n);
	node_set(n, p, message);
}

/* All is settled, or all that was begun, and nothing more is to be. */
static void
end_if_over(struct run *r, struct frame *f)
{
	bool over = !f->open || (f->begun == f->held && run_shut(r, f->node->exiting));
	if (over && !limit_frozen(f))
		end_dag(r, f);
}

void
dag_task_dropped(struct run *r, struct frame *f)
{
	f->begun--;
	end_if_over(r, f);
}

static int
as_written(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	return (x > y) - (x < y);
}

/* Of those that ended together all were told: what they let begin does so in the order in which it is written. */
static void
begin_due(struct run *r, struct rest *x)
{
	struct frame *f = x->node->frame;
	if (f->news || node_fulfilled(f->node))
		return;
	if (f->due.n - f->due_at > 1)
		qsort(f->due.p + f->due_at, f->due.n - f->due_at, sizeof *f->due.p, as_written);
	while (f->due_at < f->due.n) {
		if (run_is_tired(r)) {
			run_rest(r, x);
			return;
		}
		ready(r, f, f->due.p[f->due_at++]);
	}
	f->due.n = f->due_at = 0;
	end_if_over(r, f);
}

void
dag_go_on(struct run *r, struct frame *f)
{
	begin_due(r, &(struct rest){ .go_on = begin_due, .node = f->node });
}

/* The tasks that depend on none, from x->at on. */
static void
begin_first(struct run *r, struct rest *x)
{
	struct frame *f = x->node->frame;
	for (; x->at < f->tasks_n; x->at++) {
		const struct task *t = &f->tasks[x->at];
		if (!t->reachable || t->deps.n)
			continue;
		if (run_is_tired(r)) {
			run_rest(r, x);
			return;
		}
		ready(r, f, x->at);
	}
	end_if_over(r, f);
}

void
dag_task_settled(struct run *r, struct node *dag, struct node *n)
{
	struct frame *f = dag->frame;
	struct task *t = &f->tasks[n->slot];
	if (node_fulfilled(dag) || t->settled)
		return;
	t->settled = true;
	t->node = n;
	f->open--;
	f->begun--;
	for (size_t i = 0; i < t->dependents.n; i++) {
		struct task *d = &f->tasks[t->dependents.p[i]];
		if (--d->waiting == 0 && d->reachable)
			*VEC_PUSH(&f->due) = t->dependents.p[i];
	}
	dag_go_on(r, f);
}

void
dag_begin(struct run *r, struct node *n, struct call *c, const struct def *d, const struct processed *p)
{
	struct frame *f = frame_new(r, n, c, d, p->tmpl);
	struct err e;
	if (plan(r, f, &e)) {
		n->bubbles = true;
		node_set(n, PHASE_ERROR, run_text(r, "%s", e.msg));
		return;
	}
	begin_first(r, &(struct rest){ .go_on = begin_first, .node = n });
}
