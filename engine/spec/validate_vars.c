/* SPDX-License-Identifier: Apache-2.0 */
/*
 * validate_vars: whether the variables in {{...}} exist where they stand. Tags whose first word is not one of ours
 * pass: they are for somebody else, or come to life later (spec 6, check 9). Of expression tags only the syntax is looked at, and
 * what is wrong is a warning: Argo does not look at all.
 */
#include "engine/run/evaluate.h"
#include "engine/spec/validate.h"

/* ---- what a step or task gives ------------------------------------------------------------------------------ */

static bool
gives_result(const struct template *t)
{
	switch (t->type) {
	case TEMPLATE_CONTAINER: case TEMPLATE_SCRIPT: case TEMPLATE_DATA: case TEMPLATE_HTTP: case TEMPLATE_PLUGIN:
	case TEMPLATE_CONTAINER_SET: case TEMPLATE_RESOURCE:
		return true;
	default:
		return false;
	}
}

static bool
has_parameter(const struct template *t, str name)
{
	for (size_t i = 0; i < t->outputs.parameters.n; i++)
		if (str_eq(t->outputs.parameters.p[i].name, name))
			return true;
	return false;
}

static bool
has_artifact(const struct template *t, str name)
{
	for (size_t i = 0; i < t->outputs.artifacts.n; i++)
		if (str_eq(t->outputs.artifacts.p[i].name, name))
			return true;
	return false;
}

/* `rest` is what stands behind "steps.<name>.". */
static bool
step_gives(const struct known_step *s, str rest)
{
	static const char *const always[] = { "id", "startedAt", "finishedAt", "hostNodeName", "status" };
	const struct template *t;

	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		if (str_eq(rest, str_c(always[i])))
			return true;
	if (!s->tmpl)
		return true; /* nobody knows what it gives */
	t = s->tmpl->t;
	if (str_eq(rest, S("ip")))
		return t->daemon == TRI_TRUE;
	if (str_eq(rest, S("exitCode")) || str_eq(rest, S("outputs.result")))
		return gives_result(t);
	if (str_eq(rest, S("outputs.parameters")))
		return check_is_loop(s->step);
	if (str_starts(rest, S("outputs.parameters.")))
		return has_parameter(t, str_slice(rest, 19, rest.n));
	return str_starts(rest, S("outputs.artifacts.")) && has_artifact(t, str_slice(rest, 18, rest.n));
}

static bool
steps_has(const struct scope *s, str name, str rest)
{
	const struct known_step *known = map_get(&s->steps->by_name, name);

	if (!known)
		return false;
	if (known->group < s->group || known->step == s->self)
		return step_gives(known, rest);
	return known->group == s->group && str_eq(rest, S("status"));
}

static bool
tasks_have(const struct scope *s, str name, str rest)
{
	const struct known_step *known = map_get(&s->dag->by_name, name);

	if (!known)
		return false;
	if (str_eq(rest, S("status")) && s->task != SIZE_MAX && known->step != s->self &&
		!check_is_ancestor(s->dag, s->task, known->group))
		return false;
	return step_gives(known, rest);
}

/* ---- inputs and globals ------------------------------------------------------------------------------------- */

static bool
inputs_have(const struct template *t, str rest)
{
	if (!t)
		return false;
	if (str_eq(rest, S("parameters")))
		return t->inputs.parameters.n > 0;
	if (str_starts(rest, S("parameters."))) {
		str name = str_slice(rest, 11, rest.n);

		for (size_t i = 0; i < t->inputs.parameters.n; i++)
			if (str_eq(t->inputs.parameters.p[i].name, name))
				return true;
		return false;
	}
	if (!str_starts(rest, S("artifacts.")))
		return false;
	rest = str_slice(rest, 10, rest.n);
	if (str_ends(rest, S(".path")))
		rest.n -= 5;
	for (size_t i = 0; i < t->inputs.artifacts.n; i++)
		if (str_eq(t->inputs.artifacts.p[i].name, rest))
			return true;
	return false;
}

static bool
workflow_has(const struct check *k, str rest)
{
	static const char *const always[] = { "name", "namespace", "uid", "status", "mainEntrypoint",
		"serviceAccountName", "scheduledTime",
		"parameters.json", "labels", "labels.json", "annotations", "annotations.json" };
	static const struct {
		const char *prefix;
		size_t names; /* offset of the map in struct check */
	} maps[] = {
		{ "parameters.", offsetof(struct check, parameters) }, { "labels.", offsetof(struct check, labels) },
		{ "annotations.", offsetof(struct check, annotations) },
		{ "outputs.parameters.", offsetof(struct check, global_parameters) },
		{ "outputs.artifacts.", offsetof(struct check, global_artifacts) },
	};

	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		if (str_eq(rest, str_c(always[i])))
			return true;
	if (str_starts(rest, S("creationTimestamp")) || str_starts(rest, S("duration")))
		return true;
	if (str_eq(rest, S("failures")))
		return k->on_exit;
	if (str_eq(rest, S("priority")))
		return k->owners && k->owners->spec.priority.set;
	if (str_starts(rest, S("parameters")) && k->mode == VALIDATE_TEMPLATE)
		return true;
	if (str_eq(rest, S("parameters")))
		return k->parameters.n > 0;
	if ((k->any_global_parameter && str_starts(rest, S("outputs.parameters."))) ||
	    (k->any_global_artifact && str_starts(rest, S("outputs.artifacts."))))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(maps); i++)
		if (str_starts(rest, str_c(maps[i].prefix))) {
			const struct map *m = (const void *)((const char *)k + maps[i].names);

			return map_get(m, str_slice(rest, strlen(maps[i].prefix), rest.n)) != NULL;
		}
	return false;
}

/* ---- tags --------------------------------------------------------------------------------------------------- */

static bool
pod_has(const struct scope *s, str rest)
{
	return str_eq(rest, S("name")) && s->t && s->t->type != TEMPLATE_STEPS && s->t->type != TEMPLATE_DAG &&
		s->t->type != TEMPLATE_SUSPEND;
}

/* "a.b.c": the first word decides who knows. */
static bool
known(const struct check *k, const struct scope *s, str tag)
{
	str rest = str_trim(tag), first = str_cut(&rest, '.');

	if (!rest.p || first.n == str_trim(tag).n)
		return true; /* one word is nobody's, or `item` */
	if (str_eq(first, S("item")))
		return s->loops && (s->loops->any || map_get(&s->loops->keys, rest));
	if (str_eq(first, S("inputs")))
		return inputs_have(s->t, rest);
	if (str_eq(first, S("workflow")))
		return workflow_has(k, rest);
	if (str_eq(first, S("pod")))
		return pod_has(s, rest);
	if (!str_eq(first, S("steps")) && !str_eq(first, S("tasks")))
		return true;
	if (str_eq(rest, S("name")))
		return true;
	str name = str_cut(&rest, '.');

	if (str_eq(first, S("steps")))
		return s->steps && steps_has(s, name, rest);
	return s->dag && tasks_have(s, name, rest);
}

/* Calls fn for every simple tag; a tag with another inside, or with '=', is left to the run. */
static void
each_tag(str text, void (*fn)(void *arg, str tag, bool expression), void *arg)
{
	for (size_t at = 0;;) {
		size_t open = str_find(text, S("{{"), at), close;

		if (open == SIZE_MAX || (close = str_find(text, S("}}"), open + 2)) == SIZE_MAX)
			return;
		str tag = str_slice(text, open + 2, close);

		if (tag.n && tag.p[0] == '=')
			fn(arg, tag, true);
		else if (!check_has_tag(tag))
			fn(arg, tag, false);
		at = close + 2;
	}
}

/* ---- what was meant ----------------------------------------------------------------------------------------- */

typedef VEC(const char *) names;

static void
keys_of(const struct map *m, struct arena *a, names *out)
{
	size_t i = 0;

	for (struct map_slot *slot; (slot = map_next(m, &i));)
		*VEC_PUSH(out) = str_z(a, slot->key);
}

static void
inputs_of(const struct template *t, bool artifacts, struct arena *a, names *out)
{
	for (size_t i = 0; t && !artifacts && i < t->inputs.parameters.n; i++)
		*VEC_PUSH(out) = str_z(a, t->inputs.parameters.p[i].name);
	for (size_t i = 0; t && artifacts && i < t->inputs.artifacts.n; i++)
		*VEC_PUSH(out) = str_z(a, t->inputs.artifacts.p[i].name);
}

/* A known name in place of the one that isn't: of a parameter, an artifact, a step or a task. */
static void
hint_variable(struct check *k, const struct scope *s, struct diag *x, str tag)
{
	str rest = str_trim(tag), first = str_cut(&rest, '.'), word = rest, tail = STR_NONE;
	const char *before = "";
	names known_names = { 0 };

	if (str_starts(rest, S("parameters.")) || str_starts(rest, S("artifacts."))) {
		before = *rest.p == 'p' ? "parameters." : "artifacts.";
		word = str_slice(rest, strlen(before), rest.n);
		if (str_eq(first, S("inputs")))
			inputs_of(s->t, *rest.p == 'a', k->arena, &known_names);
		else if (str_eq(first, S("workflow")) && *rest.p == 'p')
			keys_of(&k->parameters, k->arena, &known_names);
	} else if (str_eq(first, S("steps")) || str_eq(first, S("tasks"))) {
		tail = rest;
		word = str_cut(&tail, '.');
		if (s->steps && str_eq(first, S("steps")))
			keys_of(&s->steps->by_name, k->arena, &known_names);
		else if (s->dag && str_eq(first, S("tasks")))
			keys_of(&s->dag->by_name, k->arena, &known_names);
	}
	const char *near = diag_nearest(word, known_names.p, known_names.n);

	if (near && !str_eq(word, str_c(near)))
		diag_hint(k->diags, x, "did you mean {{%.*s.%s%s%s%.*s}}?", STR_ARG(first), before, near, tail.n ? "." : "", STR_ARG(tail));
	VEC_FREE(&known_names);
}

struct tag_walk {
	struct check *k;
	const struct scope *scope;
	const struct val *at;
};

static void
check_tag(void *arg, str tag, bool expression)
{
	const struct tag_walk *w = arg;

	if (!expression && !known(w->k, w->scope, tag))
		hint_variable(w->k, w->scope, check_fail(w->k, w->at, "failed to resolve {{%.*s}}", STR_ARG(tag)), tag);
}

static bool
skipped(str key, const char *const *skip)
{
	for (; skip && *skip; skip++)
		if (str_eq(key, str_c(*skip)))
			return true;
	return false;
}

/* Calls fn for the tags of every string and key; depth is bounded by the reader. */
static void
walk(const struct val *v, const char *const *skip, struct tag_walk *w, void (*fn)(void *arg, str tag, bool expression))
{
	for (uint32_t i = 0; v->kind == VAL_MAP && i < v->n; i++) {
		if (skipped(val_key(&v->members[i]), skip))
			continue;
		w->at = &v->members[i].key;
		each_tag(val_key(&v->members[i]), fn, w);
		walk(&v->members[i].value, NULL, w, fn);
	}
	for (uint32_t i = 0; v->kind == VAL_LIST && i < v->n; i++)
		walk(&v->items[i], NULL, w, fn);
	w->at = v;
	if (v->kind == VAL_STR)
		each_tag(val_text(v), fn, w);
}

void
check_tags(struct check *k, const struct scope *s, const struct val *v, const char *const *skip)
{
	struct tag_walk w = { .k = k, .scope = s };

	if (v)
		walk(v, skip, &w, check_tag);
}

static void
report_expression(void *arg, str tag, bool expression)
{
	const struct tag_walk *w = arg;
	struct err e;

	if (expression && evaluate_check(str_slice(tag, 1, tag.n), &e))
		check_warn(w->k, w->at, "{{%.*s}}: %s", STR_ARG(str_slice(tag, 0, 60)), e.msg);
}

void
check_expressions(struct check *k, const struct val *v)
{
	struct tag_walk w = { .k = k };

	if (v)
		walk(v, NULL, &w, report_expression);
}
