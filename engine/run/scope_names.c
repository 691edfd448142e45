/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scope_names: the names that scope.c may know, for expressions, which see variables as maps: `inputs.parameters |
 * keys()`. Only the part of the names that somebody asks for is gone through; what a name stands for, and whether there
 * is such a variable at all, is for scope_look to say.
 */
#include "engine/run/run_impl.h"

struct lister {
	const struct scope *x;
	str under;
	bool (*fn)(void *to, str name);
	void *to;
	struct arena *arena;
	bool stopped;
};

/* Whether `name` is asked for. */
static bool
wanted(const struct lister *l, str name)
{
	return !l->under.n || (str_starts(name, l->under) && (name.n == l->under.n || name.p[l->under.n] == '.'));
}

/* Whether something that begins with `prefix` (which ends in a dot) may be asked for. */
static bool
may_want(const struct lister *l, str prefix)
{
	return !l->stopped && (str_starts(l->under, prefix) || wanted(l, str_slice(prefix, 0, prefix.n - 1)));
}

static void
offer(struct lister *l, str name)
{
	if (!l->stopped && wanted(l, name))
		l->stopped = !l->fn(l->to, name);
}

static void
offer_in(struct lister *l, str prefix, str rest)
{
	offer(l, arena_fmt(l->arena, "%.*s%.*s", STR_ARG(prefix), STR_ARG(rest)));
}

static void
offer_all(struct lister *l, str prefix, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n && may_want(l, prefix); i++)
		offer_in(l, prefix, str_c(names[i]));
}

/* The members of a map, or of a list of objects with names. */
static void
offer_members(struct lister *l, str prefix, const struct val *v)
{
	if (!v || !may_want(l, prefix))
		return;
	for (uint32_t i = 0; v->kind == VAL_MAP && i < v->n; i++)
		offer_in(l, prefix, val_key(&v->members[i]));
	for (uint32_t i = 0; v->kind == VAL_LIST && i < v->n; i++)
		offer_in(l, prefix, val_get_str(&v->items[i], "name"));
}

static void
offer_keys(struct lister *l, str prefix, const struct map *m)
{
	struct map_slot *slot;
	for (size_t i = 0; may_want(l, prefix) && (slot = map_next(m, &i));)
		offer_in(l, prefix, slot->key);
}

/* ---- workflow.* -------------------------------------------------------------------------------------------------- */

static void
names_of_workflow(struct lister *l)
{
	static const char *const fixed[] = { "name", "namespace", "uid", "mainEntrypoint", "serviceAccountName",
		"parameters.json", "parameters", "labels.json", "labels", "annotations.json", "annotations", "priority",
		"scheduledTime", "duration", "status", "failures", "creationTimestamp" };
	static const char *const parts[] = { "RFC3339", "s", "L", "B", "b", "m", "A", "a", "d", "H", "I", "M", "S", "Y",
		"y", "p", "Z", "z" };
	struct run *r = l->x->run;
	offer_all(l, S("workflow."), fixed, ARRAY_LEN(fixed));
	offer_all(l, S("workflow.creationTimestamp."), parts, ARRAY_LEN(parts));
	offer_keys(l, S("workflow.parameters."), &r->parameters);
	offer_keys(l, S("workflow.outputs.parameters."), &r->outputs);
	for (size_t i = 0; i < r->artifacts.n && may_want(l, S("workflow.outputs.artifacts.")); i++)
		offer_in(l, S("workflow.outputs.artifacts."), val_get_str(r->artifacts.p[i], "name"));
	offer_members(l, S("workflow.labels."), r->labels);
	offer_members(l, S("workflow.annotations."), r->annotations);
}

/* ---- steps.*, tasks.* -------------------------------------------------------------------------------------------- */

static void
names_of_outputs(struct lister *l, str prefix, const struct step *s)
{
	struct frame *f = l->x->frame;
	struct err ignored;
	struct call c = { .library = f->def->library,
		.tmpl = s->tmpl,
		.ref = s->template_ref ? s->template_ref->src : NULL,
		.inline_template = s->inline_template,
		.step = s->name };
	const struct def *d = may_want(l, prefix) ? library_resolve(l->x->run, &c, &ignored) : NULL;
	for (size_t i = 0; d && i < d->decoded->outputs.parameters.n; i++)
		offer_in(l, prefix, d->decoded->outputs.parameters.p[i].name);
}

static void
names_of_artifacts(struct lister *l, str prefix, const struct step *s)
{
	struct sibling found;
	if (!may_want(l, prefix) || !scope_sibling(l->x, l->x->frame->node->type == NODE_DAG, s->name, l->arena, &found) || !found.node)
		return;
	const struct node *last = found.node->type == NODE_RETRY ? node_last_attempt(found.node) : NULL;
	offer_members(l, prefix, val_get((last ? last : found.node)->outputs, S("artifacts")));
}

static void
names_of_step(struct lister *l, str family, const struct step *s, str name)
{
	static const char *const fixed[] = { "id", "status", "startedAt", "finishedAt", "ip", "hostNodeName",
		"exitCode", "outputs.result", "outputs.parameters" };
	str prefix = arena_fmt(l->arena, "%.*s%.*s.", STR_ARG(family), STR_ARG(name));
	if (!may_want(l, prefix))
		return;
	offer_all(l, prefix, fixed, ARRAY_LEN(fixed));
	prefix = arena_fmt(l->arena, "%.*soutputs.parameters.", STR_ARG(prefix));
	str artifacts = arena_fmt(l->arena, "%.*s.outputs.artifacts.", STR_ARG(str_slice(prefix, 0, family.n + name.n)));
	if (s)
		names_of_outputs(l, prefix, s);
	if (s && l->x->frame)
		names_of_artifacts(l, artifacts, s);
	if (l->x->self)
		offer_members(l, artifacts, val_get(l->x->self->outputs, S("artifacts")));
	if (l->x->self)
		offer_members(l, prefix, val_get(l->x->self->outputs, S("parameters")));
}

/* What is asked for may be one step; then only that one is looked at. */
static void
names_of_steps(struct lister *l, str family, const struct step *steps, size_t n)
{
	for (size_t i = 0; i < n && may_want(l, family); i++)
		names_of_step(l, family, &steps[i], steps[i].name);
}

static void
names_of_tasks(struct lister *l)
{
	struct frame *f = l->x->frame;
	str rest = str_slice(l->under, sizeof "tasks." - 1, l->under.n), name = str_cut(&rest, '.');
	size_t one = name.n ? dag_task_index(f, name) : SIZE_MAX;
	if (one != SIZE_MAX)
		names_of_steps(l, S("tasks."), &f->tmpl->dag->tasks.p[one], 1);
	else if (!name.n)
		names_of_steps(l, S("tasks."), f->tmpl->dag->tasks.p, f->tmpl->dag->tasks.n);
}

static void
names_of_siblings(struct lister *l, bool tasks)
{
	const struct scope *x = l->x;
	str family = tasks ? S("tasks.") : S("steps.");
	if (!may_want(l, family))
		return;
	if (x->self)
		names_of_step(l, family, x->self->of, x->self_name);
	if (!x->frame || (x->frame->node->type == NODE_DAG) != tasks)
		return;
	if (tasks)
		names_of_tasks(l);
	for (size_t g = 0; !tasks && g < x->frame->current && g < x->frame->tmpl->steps.n; g++)
		names_of_steps(l, family, x->frame->tmpl->steps.p[g].p, x->frame->tmpl->steps.p[g].n);
}

/* ---- the call itself --------------------------------------------------------------------------------------------- */

static void
names_of_template(struct lister *l)
{
	const struct template *t = l->x->tmpl;
	for (size_t i = 0; i < t->inputs.artifacts.n && may_want(l, S("inputs.artifacts.")); i++)
		offer(l, arena_fmt(l->arena, "inputs.artifacts.%.*s.path", STR_ARG(t->inputs.artifacts.p[i].name)));
	for (size_t i = 0; i < t->outputs.artifacts.n && may_want(l, S("outputs.artifacts.")); i++)
		offer(l, arena_fmt(l->arena, "outputs.artifacts.%.*s.path", STR_ARG(t->outputs.artifacts.p[i].name)));
	for (size_t i = 0; i < t->outputs.parameters.n && may_want(l, S("outputs.parameters.")); i++)
		offer(l, arena_fmt(l->arena, "outputs.parameters.%.*s.path", STR_ARG(t->outputs.parameters.p[i].name)));
}

static void
names_of_call(struct lister *l)
{
	static const char *const names[] = { "node.name", "pod.name", "steps.name", "tasks.name", "retries",
		"lastRetry.exitCode", "lastRetry.status", "lastRetry.duration", "lastRetry.message" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		offer(l, str_c(names[i]));
}

static bool
scope_each(void *arg, str under, bool (*fn)(void *to, str name), void *to)
{
	const struct scope *x = arg;
	struct lister l = { x, under, fn, to, arena_new(), false };
	if (x->item) {
		offer(&l, S("item"));
		offer_members(&l, S("item."), val_is(x->item, VAL_MAP) ? x->item : NULL);
	}
	if (x->call || x->retry)
		names_of_call(&l);
	if (x->inputs) {
		offer(&l, S("inputs.parameters"));
		offer_members(&l, S("inputs.parameters."), val_get(x->inputs, S("parameters")));
		offer_members(&l, S("inputs.artifacts."), val_get(x->inputs, S("artifacts")));
	}
	if (x->tmpl)
		names_of_template(&l);
	names_of_siblings(&l, false);
	names_of_siblings(&l, true);
	if (may_want(&l, S("workflow.")))
		names_of_workflow(&l);
	arena_free(l.arena);
	return !l.stopped;
}

static enum tag_found
look(void *arg, str name, struct arena *a, struct val *out)
{
	str text;
	const struct val *artifact = str_find(name, S("artifacts."), 0) == SIZE_MAX ? NULL : artifact_look(arg, name);
	if (artifact) {
		*out = *val_resolve_all(a, artifact);
		return TAG_FOUND;
	}
	enum tag_found got = scope_look(arg, name, a, &text);
	if (got == TAG_FOUND)
		*out = val_str(text);
	return got;
}

/*
 * What is evaluated again after a restart must give the same: names of loops depend on it. So now() is the start of
 * what is decided on, in whole seconds, and random numbers follow from where the expression stands.
 */
int64_t
scope_moment(const struct scope *x)
{
	struct run *r = x->run;
	const struct frame *f = x->frame;
	const struct node *n = NULL;
	if (x->time)
		return x->time;
	if (f && f->node->type != NODE_DAG)
		n = f->group;
	else if (f && x->salt.n)
		n = node_named(r, arena_fmt(r->tmp, "%.*s.%.*s", STR_ARG(f->node->name), STR_ARG(x->salt)));
	return n ? n->started : r->now ? r->now - r->now % NS_PER_SEC : r->created;
}

static struct expr_moment
moment(struct scope *x)
{
	struct run *r = x->run;
	str place = x->call ? x->call->name : x->frame ? x->frame->node->name : S("");
	struct buf b CLEANUP(free_buf) = { 0 };
	buf_addf(&b, "%.*s %.*s %.*s %u", STR_ARG(r->uid), STR_ARG(place), STR_ARG(x->salt), x->evaluated++);
	return (struct expr_moment){ scope_moment(x), str_fnv64a(buf_str(&b)) };
}

struct variables
scope_variables(struct scope *x)
{
	return (struct variables){ .each = scope_each, .look = look, .arg = x, .when = moment(x) };
}

static struct evaluator *
evaluator_of(struct run *r)
{
	if (!r->evaluator)
		r->evaluator = evaluator_new();
	return r->evaluator;
}

int
scope_evaluate(struct scope *x, str text, struct arena *a, struct val *out, struct err *e)
{
	struct variables v = scope_variables(x);
	return evaluate(evaluator_of(x->run), text, &v, a, out, e);
}

int
scope_evaluate_bool(struct scope *x, str text, bool *out, struct err *e)
{
	struct variables v = scope_variables(x);
	return evaluate_bool(evaluator_of(x->run), text, &v, out, e);
}

int
scope_evaluate_text(struct scope *x, str text, struct arena *a, str *out, struct err *e)
{
	struct variables v = scope_variables(x);
	return evaluate_text(evaluator_of(x->run), text, &v, a, out, e);
}

/* ---- tags -------------------------------------------------------------------------------------------------------- */

static int
expression(
	void *arg, str text, const char *const *strict, struct arena *a, enum tag_found *found, str *out, struct err *e)
{
	struct scope *x = arg;
	*found = TAG_MISSING;
	if (x->defers && str_find(text, S("now("), 0) != SIZE_MAX)
		return 0;
	struct variables v = scope_variables(x);
	return evaluate_tag(evaluator_of(x->run), text, &v, strict, a, found, out, e);
}

struct tag_scope
scope_tags(struct scope *x)
{
	return (struct tag_scope){ .look = scope_look, .expression = expression, .arg = x };
}
