/* SPDX-License-Identifier: Apache-2.0 */
/* validate_dag: tasks, what they wait for, and whether that can come about. */
#include "engine/run/depends.h"
#include "engine/spec/validate.h"

/* ---- dependencies ------------------------------------------------------------------------------------------- */

struct reading {
	struct dag_scope *dag;
	str unknown; /* the name that is no task's */
};

static size_t
find_task(void *arg, str name, uint8_t *bare UNUSED)
{
	struct reading *r = arg;
	const struct known_step *s = map_get(&r->dag->by_name, name);

	if (!s)
		r->unknown = name;
	return s ? s->group : SIZE_MAX;
}

static void
hint_task(struct check *k, struct diag *x, const struct dag *dag, str name)
{
	const char **names = ARENA_ARRAY(k->arena, const char *, dag->tasks.n + 1);
	const char *near;

	for (size_t i = 0; i < dag->tasks.n; i++)
		names[i] = str_z(k->arena, dag->tasks.p[i].name);
	near = diag_nearest(name, names, dag->tasks.n);
	if (near)
		diag_hint(k->diags, x, "did you mean \"%s\"?", near);
}

static void
read_dependencies(struct check *k, struct dag_scope *dag, size_t index)
{
	const struct step *task = &dag->dag->tasks.p[index];
	struct task_deps *deps = &dag->deps[index];
	const struct val *list = val_get(task->src, S("dependencies"));

	deps->p = ARENA_ARRAY(k->arena, size_t, task->dependencies.n);
	for (size_t i = 0; i < task->dependencies.n; i++) {
		str name = task->dependencies.p[i];
		const struct known_step *s = map_get(&dag->by_name, name);

		if (s)
			deps->p[deps->n++] = s->group;
		else
			hint_task(k, check_fail(k, val_at(list, i), "dependency '%.*s' not defined", STR_ARG(name)),
				dag->dag, name);
	}
}

static void
read_depends(struct check *k, struct dag_scope *dag, size_t index)
{
	const struct step *task = &dag->dag->tasks.p[index];
	const struct val *at = val_get(task->src, S("depends"));
	struct reading r = { dag };
	const struct depends_scope scope = { find_task, &r };
	struct depends d;
	struct err e;

	if (depends_parse(k->arena, task->depends, &scope, &d, &e) < 0) {
		struct diag *x = check_fail(k, at, "%s", e.msg);
		if (r.unknown.p)
			hint_task(k, x, dag->dag, r.unknown);
		return;
	}
	dag->deps[index] = (struct task_deps){ d.tasks, d.tasks_n };
	for (size_t i = 0; i < d.n; i++) {
		const struct depends_code *c = &d.code[i];

		if (c->op == DEPENDS_TEST && c->results & (DEPENDS_ANY_SUCCEEDED | DEPENDS_ALL_FAILED) &&
			!check_is_loop(dag->tasks[c->task].step))
			check_fail(k, at, "dependency '%.*s' uses an items-based condition such as .AnySucceeded or "
				".AllFailed but does not "
				"contain any items", STR_ARG(dag->tasks[c->task].step->name));
	}
}

/* ---- ancestors ---------------------------------------------------------------------------------------------- */

enum {
	NEAR = 64,             /* tasks looked at before the walk is made from the other end */
	REACH_MAX = 64,        /* tasks whose descendants are remembered */
	WORK_MAX = 100000000,  /* steps of all walks of a graph */
};

/* Walks up from `task`, looking at `most` tasks: 1 found, 0 not there, -1 not found so far. */
static int
walk_up(struct dag_scope *dag, size_t task, size_t ancestor, size_t most)
{
	uint32_t round = ++dag->round;
	size_t head = 0, tail = 0;

	for (dag->queue[tail++] = task; head < tail; head++) {
		const struct task_deps *deps = &dag->deps[dag->queue[head]];

		if (head == most)
			return -1;
		dag->work += deps->n + 1;
		for (size_t i = 0; i < deps->n; i++) {
			if (deps->p[i] == ancestor)
				return 1;
			if (dag->mark[deps->p[i]] != round) {
				dag->mark[deps->p[i]] = round;
				dag->queue[tail++] = deps->p[i];
			}
		}
	}
	return 0;
}

/* All tasks that depend on `from`, by index. */
static bool *
walk_down(struct dag_scope *dag, size_t from)
{
	bool *reach = ARENA_ARRAY(dag->arena, bool, dag->dag->tasks.n);
	size_t head = 0, tail = 0;

	for (dag->queue[tail++] = from; head < tail; head++)
		for (size_t i = dag->first[dag->queue[head]]; i < dag->first[dag->queue[head] + 1]; i++, dag->work++)
			if (!reach[dag->behind[i]]) {
				reach[dag->behind[i]] = true;
				if (dag->behind[i] != from)
					dag->queue[tail++] = dag->behind[i];
			}
	return reach;
}

bool
check_is_ancestor(struct dag_scope *dag, size_t task, size_t ancestor)
{
	int near;

	if (dag->work > WORK_MAX)
		return true;
	near = walk_up(dag, task, ancestor, NEAR);
	if (near >= 0)
		return near;
	if (!dag->reach[ancestor] && dag->reached < REACH_MAX) {
		dag->reach[ancestor] = walk_down(dag, ancestor);
		dag->reached++;
	}
	return dag->reach[ancestor] ? dag->reach[ancestor][task] : walk_up(dag, task, ancestor, SIZE_MAX) != 0;
}

/* Turns "i depends on" into "depend on i". */
static void
turn_around(struct check *k, struct dag_scope *dag)
{
	size_t n = dag->dag->tasks.n, *fill = ARENA_ARRAY(k->arena, size_t, n);

	dag->first = ARENA_ARRAY(k->arena, size_t, n + 1);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < dag->deps[i].n; j++)
			dag->first[dag->deps[i].p[j] + 1]++;
	for (size_t i = 0; i < n; i++)
		dag->first[i + 1] += dag->first[i];
	dag->behind = ARENA_ARRAY(k->arena, size_t, dag->first[n]);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < dag->deps[i].n; j++) {
			size_t d = dag->deps[i].p[j];

			dag->behind[dag->first[d] + fill[d]++] = i;
		}
}

/* ---- cycles ------------------------------------------------------------------------------------------------- */

/*
 * The shortest way from `in` over its dependencies back to it, in front of them all: breadth first, remembering where
 * from.
 */
static void
report_cycle(struct check *k, const struct template *t, const struct dag_scope *dag, size_t in)
{
	size_t *from = ARENA_ARRAY(k->arena, size_t, dag->dag->tasks.n), head = 0, tail = 0;
	struct buf path CLEANUP(free_buf) = { 0 };

	for (size_t i = 0; i < dag->dag->tasks.n; i++)
		from[i] = SIZE_MAX;
	for (dag->queue[tail++] = in; head < tail && from[in] == SIZE_MAX; head++) {
		const struct task_deps *deps = &dag->deps[dag->queue[head]];

		for (size_t i = 0; i < deps->n; i++)
			if (from[deps->p[i]] == SIZE_MAX) {
				from[deps->p[i]] = dag->queue[head];
				dag->queue[tail++] = deps->p[i];
			}
	}
	buf_addf(&path, "%.*s", STR_ARG(dag->tasks[in].step->name));
	for (size_t at = from[in]; at != in; at = from[at])
		buf_addf(&path, "<-%.*s", STR_ARG(dag->tasks[at].step->name));
	buf_addf(&path, "<-%.*s", STR_ARG(dag->tasks[in].step->name));
	check_fail(k, dag->tasks[in].step->src, "templates.%.*s sorting failed: graph with cycle: %s",
		STR_ARG(t->name), path.p);
}

/* Takes away tasks whose dependencies are gone, as long as there are any; the rest is in, or behind, a cycle. */
static void
check_cycles(struct check *k, const struct template *t, const struct dag_scope *dag)
{
	size_t n = dag->dag->tasks.n, head = 0, tail = 0, at = 0, in = 0;
	size_t *waits = ARENA_ARRAY(k->arena, size_t, n);

	for (size_t i = 0; i < n; i++) {
		waits[i] = dag->deps[i].n;
		if (!waits[i])
			dag->queue[tail++] = i;
	}
	while (head < tail) {
		size_t i = dag->queue[head++];

		for (size_t j = dag->first[i]; j < dag->first[i + 1]; j++)
			if (!--waits[dag->behind[j]])
				dag->queue[tail++] = dag->behind[j];
	}
	if (tail == n)
		return;
	for (size_t i = n; i-- > 0;)
		at = waits[i] ? i : at;
	/*
	 * Each of the rest waits for another of the rest: whoever follows that often enough is in a cycle, and then
	 * sees all of it.
	 */
	for (size_t steps = 0; steps < 2 * n; steps++) {
		size_t j = 0;

		while (!waits[dag->deps[at].p[j]])
			j++;
		at = dag->deps[at].p[j];
		if (steps == n || (steps > n && at < in))
			in = at;
	}
	report_cycle(k, t, dag, in);
}

/* ---- tasks -------------------------------------------------------------------------------------------------- */

static void
check_task_style(struct check *k, const struct template *t, const struct step *task, bool uses_depends)
{
	bool waits = uses_depends || task->dependencies.n;

	if (waits && task->name.n && task->name.p[0] >= '0' && task->name.p[0] <= '9')
		check_fail(k, task->src, "templates.%.*s.tasks.%.*s name cannot begin with a digit when using either "
			"'depends' or 'dependencies'",
			STR_ARG(t->name), STR_ARG(task->name));
	if (uses_depends && task->dependencies.n)
		check_fail(k, val_get(task->src, S("dependencies")), "templates.%.*s cannot use both 'depends' and "
			"'dependencies' in the same DAG template",
			STR_ARG(t->name));
	if (uses_depends && task->continue_on)
		check_fail(k, val_get(task->src, S("continueOn")), "templates.%.*s cannot use 'continueOn' when using "
			"'depends'. Instead use "
			"'dep-task.Failed'/'dep-task.Errored'", STR_ARG(t->name));
}

static void
check_names(struct check *k, const struct template_state *s, struct dag_scope *dag)
{
	bool uses_depends = false;

	for (size_t i = 0; i < dag->dag->tasks.n; i++)
		uses_depends |= dag->dag->tasks.p[i].depends.n > 0;
	for (size_t i = 0; i < dag->dag->tasks.n; i++) {
		const struct step *task = &dag->dag->tasks.p[i];
		const char *where = str_z(k->arena,
			arena_fmt(k->arena, "templates.%.*s.tasks[%zu].name", STR_ARG(s->t->name), i));

		dag->tasks[i] = (struct known_step){ .step = task, .group = i };
		if ((check_has_tag(task->name) || check_field_name(k, task->name, task->src, where)) &&
		    map_put(&dag->by_name, task->name, &dag->tasks[i]))
			check_fail(k, task->src, "%s '%.*s' is not unique", where, STR_ARG(task->name));
		check_task_style(k, s->t, task, uses_depends);
	}
}

/* A value that is another task's needs that task to come first. */
static void
check_argument_tasks(struct check *k, struct dag_scope *dag, size_t index)
{
	const struct step *task = &dag->dag->tasks.p[index];

	for (size_t i = 0; i < task->arguments.parameters.n; i++) {
		const struct parameter *p = &task->arguments.parameters.p[i];
		const struct known_step *other;
		str rest = p->value;

		if (!str_starts(rest, S("{{tasks.")))
			continue;
		(void)str_cut(&rest, '.'); /* "{{tasks" */
		rest = str_cut(&rest, '.');
		other = map_get(&dag->by_name, rest);
		if (!other || !check_is_ancestor(dag, index, other->group))
			check_fail(k, p->src, "missing dependency '%.*s' for parameter '%.*s'", STR_ARG(rest),
				STR_ARG(p->name));
	}
}

static void
check_task(struct check *k, const struct template_state *s, struct dag_scope *dag, struct loops *loops, size_t index)
{
	static const char *const skip[] = { "hooks", "inline", NULL };
	const struct step *task = &dag->dag->tasks.p[index];
	struct scope scope = { .t = s->t, .dag = dag, .task = index, .loops = loops };
	const char *arguments = str_z(k->arena, arena_fmt(k->arena, "templates.%.*s.tasks.%.*s.arguments.",
		STR_ARG(s->t->name), STR_ARG(task->name)));
	size_t before;

	check_arguments(k, &task->arguments, false, arguments);
	before = check_enter(k, "templates.%.*s.tasks.%.*s ", STR_ARG(s->t->name), STR_ARG(task->name));
	check_when(k, task);
	check_loop(k, task, loops);
	check_tags(k, &scope, task->src, skip);
	check_argument_tasks(k, dag, index);
	if (dag->tasks[index].tmpl)
		check_call(k, dag->tasks[index].tmpl, &task->arguments, task->src);
	check_hooks(k, s->owner, task, &scope);
	check_leave(k, before);
}

static void
check_targets(struct check *k, const struct template *t, const struct dag_scope *dag)
{
	const struct val *at = val_get(t->dag->src, S("target"));
	struct scope scope = { .t = t };
	str rest = t->dag->target;
	size_t before = check_enter(k, "templates.%.*s.targets ", STR_ARG(t->name));

	check_tags(k, &scope, at, NULL);
	check_leave(k, before);
	while (rest.n && !check_has_tag(t->dag->target)) {
		str name = str_cut(&rest, ' ');

		if (!map_get(&dag->by_name, name))
			hint_task(k, check_fail(k, at, "templates.%.*s target '%.*s' is not defined", STR_ARG(t->name),
				STR_ARG(name)), t->dag, name);
	}
}

void
check_dag(struct check *k, const struct template_state *s, struct dag_scope *dag, struct loops *loops)
{
	size_t n = s->t->dag->tasks.n;

	if (!n)
		check_fail(k, s->t->dag->src, "templates.%.*s must have at least one task", STR_ARG(s->t->name));
	dag->dag = s->t->dag;
	dag->tasks = ARENA_ARRAY(k->arena, struct known_step, n);
	dag->deps = ARENA_ARRAY(k->arena, struct task_deps, n);
	dag->mark = ARENA_ARRAY(k->arena, uint32_t, n);
	dag->queue = ARENA_ARRAY(k->arena, size_t, n + 1);
	dag->reach = ARENA_ARRAY(k->arena, bool *, n);
	dag->arena = k->arena;
	check_names(k, s, dag);
	for (size_t i = 0; i < n; i++) {
		const struct step *task = &dag->dag->tasks.p[i];
		size_t before = check_enter(k, "templates.%.*s.tasks.%.*s ", STR_ARG(s->t->name), STR_ARG(task->name));

		dag->tasks[i].tmpl = check_resolve(k, s->owner, task->tmpl, task->template_ref, task->inline_template,
			task->src);
		if (task->depends.n)
			read_depends(k, dag, i);
		else
			read_dependencies(k, dag, i);
		check_leave(k, before);
	}
	turn_around(k, dag);
	check_cycles(k, s->t, dag);
	check_targets(k, s->t, dag);
	for (size_t i = 0; i < n; i++)
		check_task(k, s, dag, loops, i);
}
