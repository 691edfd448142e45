/* SPDX-License-Identifier: Apache-2.0 */
/* validate_template: what all templates have (inputs, outputs, limits), and steps. */
#include "engine/spec/validate.h"

#include "core/lang/when.h"

static const char *const type_names[] = { "", "Container", "ContainerSet", "Script", "Steps", "DAG", "Resource",
	"Suspend", "Data", "HTTP",
	"Plugin" };

static bool
is_leaf(const struct template *t)
{
	return t->type != TEMPLATE_STEPS && t->type != TEMPLATE_DAG;
}

/* ---- arguments meet inputs ---------------------------------------------------------------------------------- */

static const struct parameter *
find_parameter(const struct arguments *args, str name)
{
	for (size_t i = 0; i < args->parameters.n; i++)
		if (str_eq(args->parameters.p[i].name, name))
			return &args->parameters.p[i];
	return NULL;
}

static bool
has_artifact_argument(const struct arguments *args, str name)
{
	for (size_t i = 0; i < args->artifacts.n; i++)
		if (str_eq(args->artifacts.p[i].name, name))
			return true;
	return false;
}

static bool
has_location(const struct artifact *art)
{
	static const char *const keys[] = { "artifactory", "azure", "gcs", "git", "hdfs", "http", "oss", "plugin",
		"raw", "s3" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (val_is(val_get(art->src, str_c(keys[i])), VAL_MAP))
			return true;
	return false;
}

/* An argument that is named but has no value is complained of where it stands. */
static void
check_supplied(struct check *k, const struct template *t, const struct arguments *args, const struct val *at)
{
	for (size_t i = 0; i < t->inputs.parameters.n; i++) {
		const struct parameter *in = &t->inputs.parameters.p[i];

		if (!in->value.p && !in->dflt.p && !in->value_from && !find_parameter(args, in->name))
			check_fail(k, at, "templates.%.*s inputs.parameters.%.*s was not supplied", STR_ARG(t->name),
				STR_ARG(in->name));
	}
	for (size_t i = 0; i < t->inputs.artifacts.n; i++) {
		const struct artifact *in = &t->inputs.artifacts.p[i];

		if (!in->optional && !has_location(in) && !has_artifact_argument(args, in->name))
			check_fail(k, at, "templates.%.*s inputs.artifacts.%.*s was not supplied", STR_ARG(t->name),
				STR_ARG(in->name));
	}
}

/* ---- inputs ------------------------------------------------------------------------------------------------- */

/* A path with ".." that leads out of what stands before it. */
static bool
climbs_out(str path)
{
	int depth = 0;

	while (path.n) {
		str part = str_cut(&path, '/');

		if (str_eq(part, S("..")) && --depth < 0)
			return true;
		if (part.n && !str_eq(part, S(".")) && !str_eq(part, S("..")))
			depth++;
	}
	return false;
}

static void
check_artifact_path(struct check *k, const struct template *t, const struct artifact *art, const char *where,
	bool input)
{
	if (!is_leaf(t)) {
		if (art->path.n)
			check_fail(k, val_get(art->src, S("path")), "%s.path only valid in container/script templates",
				where);
	} else if (!art->path.n && t->type != TEMPLATE_PLUGIN && t->type != TEMPLATE_HTTP && t->type != TEMPLATE_DATA) {
		check_fail(k, art->src, input ? "%s.path is required: Artifact '%.*s' did not specify a "
			"path" : "%s.path not specified "
			"(Artifact '%.*s' did not specify a path)", where, STR_ARG(art->name));
	} else if (climbs_out(art->path)) {
		check_fail(k, val_get(art->src, S("path")), "%s.path '%.*s': Directory traversal is not permitted",
			where, STR_ARG(art->path));
	}
}

static void
check_inputs(struct check *k, const struct template *t)
{
	struct map parameters = { 0 }, artifacts = { 0 };

	for (size_t i = 0; i < t->inputs.parameters.n; i++) {
		const struct parameter *p = &t->inputs.parameters.p[i];
		const char *where = str_z(k->arena,
			arena_fmt(k->arena, "templates.%.*s.inputs.parameters[%zu].name", STR_ARG(t->name), i));

		if (check_parameter_name(k, p->name, p->src, where))
			check_unique(k, &parameters, p->name, p->src, where);
		if (p->has_enum && !p->enum_values.n)
			check_fail(k, p->src, "templates.%.*s.inputs.parameters.%.*s.enum should contain at least one "
				"value", STR_ARG(t->name),
				STR_ARG(p->name));
	}
	for (size_t i = 0; i < t->inputs.artifacts.n; i++) {
		const struct artifact *art = &t->inputs.artifacts.p[i];
		const char *name = str_z(k->arena, arena_fmt(k->arena, "templates.%.*s.inputs.artifacts[%zu].name",
			STR_ARG(t->name), i));
		const char *where = str_z(k->arena,
			arena_fmt(k->arena, "templates.%.*s.inputs.artifacts.%.*s", STR_ARG(t->name),
			STR_ARG(art->name)));

		if (check_parameter_name(k, art->name, art->src, name))
			check_unique(k, &artifacts, art->name, art->src, name);
		check_artifact_path(k, t, art, where, true);
		if (art->from.n)
			check_fail(k, val_get(art->src, S("from")), "%s.from not valid in inputs", where);
		check_artifact_location(k, art, where);
	}
	map_free(&parameters);
	map_free(&artifacts);
}

/* ---- outputs ------------------------------------------------------------------------------------------------ */

static void
check_global_name(struct check *k, str name, const struct val *at, const char *where)
{
	if (name.n && !check_has_tag(name))
		check_parameter_name(k, name, val_get(at, S("globalName")),
			str_z(k->arena, arena_fmt(k->arena, "%s.globalName", where)));
}

static void
check_value_from(struct check *k, const struct template *t, const struct value_from *v, const char *where)
{
	int kinds = !!v->path.n + !!v->jq_filter.n + !!v->json_path.n + !!v->parameter.n + !!v->expression.n +
		!!v->supplied;
	bool resource = t->type == TEMPLATE_RESOURCE;

	if (kinds == 0)
		check_fail(k, v->src, "%s.valueFrom type unspecified. choose one of: path, jqFilter, jsonPath, "
			"parameter, raw, expression", where);
	if (kinds > 1)
		check_fail(k, v->src, "%s multiple valueFrom types specified. choose one of: path, jqFilter, "
			"jsonPath, parameter, raw, expression", where);
	if (kinds == 0)
		return;
	if ((t->type == TEMPLATE_CONTAINER || t->type == TEMPLATE_CONTAINER_SET || t->type == TEMPLATE_SCRIPT) &&
		!v->path.n)
		check_fail(k, v->src, "%s.path must be specified for %s templates", where, type_names[t->type]);
	if (resource && !v->jq_filter.n && !v->json_path.n)
		check_fail(k, v->src, "%s .jqFilter or jsonPath must be specified for %s templates", where,
			type_names[t->type]);
	if (!is_leaf(t) && !v->parameter.n && !v->expression.n)
		check_fail(k, v->src, "%s.parameter or expression must be specified for %s templates", where,
			type_names[t->type]);
}

static void
check_output_parameter(struct check *k, const struct template *t, const struct parameter *p)
{
	const char *where = str_z(k->arena, arena_fmt(k->arena, "templates.%.*s.outputs.parameters.%.*s",
		STR_ARG(t->name), STR_ARG(p->name)));

	if (p->value_from && p->value.p)
		check_fail(k, p->src, "%s has both valueFrom and value specified. Choose one.", where);
	else if (!p->value_from && !p->value.p)
		check_fail(k, p->src, "%s does not have valueFrom or value specified", where);
	else if (p->value_from)
		check_value_from(k, t, p->value_from, where);
	check_global_name(k, p->global_name, p->src, where);
}

static void
check_outputs(struct check *k, const struct template *t, const struct scope *scope)
{
	struct map parameters = { 0 }, artifacts = { 0 };
	size_t before;

	for (size_t i = 0; i < t->outputs.parameters.n; i++) {
		const struct parameter *p = &t->outputs.parameters.p[i];
		const char *where = str_z(k->arena,
			arena_fmt(k->arena, "templates.%.*s.outputs.parameters[%zu].name", STR_ARG(t->name), i));

		if (check_output_name(k, p->name, p->src, where))
			check_unique(k, &parameters, p->name, p->src, where);
		check_output_parameter(k, t, p);
	}
	for (size_t i = 0; i < t->outputs.artifacts.n; i++) {
		const struct artifact *art = &t->outputs.artifacts.p[i];
		const char *name = str_z(k->arena, arena_fmt(k->arena, "templates.%.*s.outputs.artifacts[%zu].name",
			STR_ARG(t->name), i));
		const char *where = str_z(k->arena,
			arena_fmt(k->arena, "templates.%.*s.outputs.artifacts.%.*s", STR_ARG(t->name),
			STR_ARG(art->name)));

		if (check_output_name(k, art->name, art->src, name))
			check_unique(k, &artifacts, art->name, art->src, name);
		check_artifact_path(k, t, art, where, false);
		check_global_name(k, art->global_name, art->src, where);
	}
	if (!is_leaf(t)) { /* a leaf is looked through as a whole */
		before = check_enter(k, "templates.%.*s.outputs ", STR_ARG(t->name));
		check_tags(k, scope, t->outputs.src, NULL);
		check_leave(k, before);
	}
	map_free(&parameters);
	map_free(&artifacts);
}

/* ---- steps and tasks ---------------------------------------------------------------------------------------- */

/* Argo finds out when the step is due. Variables are read as a word each: what they will be is unknown, where they stand isn't. */
void
check_when(struct check *k, const struct step *step)
{
	struct buf text CLEANUP(free_buf) = { 0 };
	str rest = step->when;
	struct err e;
	size_t open, close;

	while ((open = str_find(rest, S("{{"), 0)) != SIZE_MAX && (close = str_find(rest, S("}}"), open)) != SIZE_MAX) {
		buf_add(&text, str_slice(rest, 0, open));
		buf_add(&text, S("variable"));
		rest = str_slice(rest, close + 2, rest.n);
	}
	buf_add(&text, rest);
	if (when_check(buf_str(&text), &e) < 0)
		diag_hint(k->diags, check_warn(k, val_get(step->src, S("when")), "%s", e.msg), "the step will fail: write it like \"{{x}} == a && {{y}} != b\"");
}

void
check_loop(struct check *k, const struct step *step, struct loops *loops)
{
	const struct val *items = step->with_items;
	bool has_items = items && items->n > 0;

	if (has_items + !!step->with_param.n + !!step->with_sequence > 1) {
		check_fail(k, step->src, "only one of withItems, withParam, withSequence can be specified");
		return;
	}
	if (step->with_param.n || (has_items && items->kind == VAL_STR))
		loops->any = true;
	for (uint32_t i = 0; has_items && items->kind == VAL_LIST && i < items->n; i++) {
		const struct val *item = &items->items[i];

		if (val_resolve(item).kind == VAL_NULL)
			check_fail(k, item, "unsupported withItems type: null");
		for (uint32_t j = 0; item->kind == VAL_MAP && j < item->n; j++)
			map_put(&loops->keys, val_key(&item->members[j]), loops);
		for (uint32_t j = 0; item->kind == VAL_LIST && j < item->n; j++)
			map_put(&loops->keys, arena_fmt(k->arena, "[%u]", j), loops);
	}
	if (step->with_sequence && step->with_sequence->count.text.p && step->with_sequence->end.text.p)
		check_fail(k, val_get(step->src, S("withSequence")), "only one of count or end can be defined in "
			"withSequence");
	else if (step->with_sequence && !step->with_sequence->count.text.p && !step->with_sequence->end.text.p)
		diag_hint(k->diags, check_warn(k, val_get(step->src, S("withSequence")),
			"neither end nor count was specified in withSequence"), "it will fail when it is needed");
}

void
check_hooks(struct check *k, struct owner *owner, const struct step *step, const struct scope *scope)
{
	struct scope own = *scope;
	bool on_exit = k->on_exit;
	struct template_state *s;

	own.self = step;
	k->on_exit = true;
	if (step->on_exit.n) {
		s = check_resolve_name(k, owner, step->on_exit, val_get(step->src, S("onExit")));
		if (s)
			check_call(k, s, NULL, step->src);
	}
	for (size_t i = 0; i < step->hooks.n; i++) {
		const struct hook *h = &step->hooks.p[i];
		size_t before = check_enter(k, "hooks.%.*s ", STR_ARG(h->name));

		if (!str_eq(h->name, S("exit")) && !h->expression.n)
			check_fail(k, h->src, "Expression required");
		check_expression(k, h->expression, val_get(h->src, S("expression")));
		s = check_resolve(k, owner, h->tmpl, h->template_ref, NULL, h->src);
		check_tags(k, &own, h->src, NULL);
		if (s)
			check_call(k, s, &h->arguments, h->src);
		check_leave(k, before);
	}
	k->on_exit = on_exit;
}

static const char *const not_in_step[] = { "hooks", "inline", NULL };

static void
enter_step(struct check *k, const struct template_state *s, size_t group, size_t i, struct steps_scope *scope,
	struct loops *loops)
{
	const struct step *step = &s->t->steps.p[group].p[i];
	struct known_step *known = ARENA_NEW(k->arena, struct known_step);
	const char *where = str_z(k->arena, arena_fmt(k->arena, "templates.%.*s.steps[%zu].name", STR_ARG(s->t->name),
		group));
	const char *arguments = str_z(k->arena, arena_fmt(k->arena, "templates.%.*s.steps[%zu].%.*s.arguments.",
		STR_ARG(s->t->name), group,
		STR_ARG(step->name)));
	size_t before;

	*known = (struct known_step){ .step = step, .group = group };
	if ((check_has_tag(step->name) || check_field_name(k, step->name, step->src, where)) &&
	    map_put(&scope->by_name, step->name, known))
		check_fail(k, step->src, "%s '%.*s' is not unique", where, STR_ARG(step->name));
	check_arguments(k, &step->arguments, false, arguments);
	before = check_enter(k, "templates.%.*s.steps[%zu].%.*s ", STR_ARG(s->t->name), group, STR_ARG(step->name));
	check_when(k, step);
	check_loop(k, step, loops);
	known->tmpl = check_resolve(k, s->owner, step->tmpl, step->template_ref, step->inline_template, step->src);
	if (known->tmpl)
		check_call(k, known->tmpl, &step->arguments, step->src);
	check_leave(k, before);
}

static void
leave_step(struct check *k, const struct template_state *s, size_t group, const struct step *step, struct scope *scope)
{
	size_t before = check_enter(k, "templates.%.*s.steps[%zu].%.*s ", STR_ARG(s->t->name), group,
		STR_ARG(step->name));

	scope->group = group;
	check_tags(k, scope, step->src, not_in_step);
	check_hooks(k, s->owner, step, scope);
	check_leave(k, before);
}

static void
check_steps(struct check *k, const struct template_state *s, struct steps_scope *steps, struct loops *loops)
{
	struct scope scope = { .t = s->t, .steps = steps, .loops = loops };

	for (size_t g = 0; g < s->t->steps.n; g++) {
		const struct step_group *group = &s->t->steps.p[g];

		for (size_t i = 0; i < group->n; i++)
			enter_step(k, s, g, i, steps, loops);
		for (size_t i = 0; i < group->n; i++)
			leave_step(k, s, g, &group->p[i], &scope);
	}
}

/* ---- limits ------------------------------------------------------------------------------------------------- */

static void
check_timeout(struct check *k, const struct template *t)
{
	struct err e;
	int64_t seconds;
	dur d;

	if (t->timeout.n && !is_leaf(t))
		check_fail(k, val_get(t->src, S("timeout")), "templates.%.*s %s template doesn't support timeout "
			"field.", STR_ARG(t->name), type_names[t->type]);
	else if (t->timeout.n && !check_has_tag(t->timeout) &&
		(str_to_i64(t->timeout, &seconds) || dur_parse(t->timeout, &d, &e) < 0))
		check_fail(k, val_get(t->src, S("timeout")), "templates.%.*s '%.*s' has invalid duration format in "
			"timeout: write 10s or 1h30m",
			STR_ARG(t->name), STR_ARG(t->timeout));
	else if (t->timeout.n && t->type == TEMPLATE_SUSPEND)
		diag_hint(k->diags, check_warn(k, val_get(t->src, S("timeout")), "a suspended node does not heed timeout"),
			"write suspend: {duration: ...}, or activeDeadlineSeconds of the workflow");
	if (t->pending_timeout.n && !is_leaf(t))
		check_fail(k, val_get(t->src, S("pendingTimeout")), "templates.%.*s %s template doesn't support "
			"pendingTimeout field.", STR_ARG(t->name),
			type_names[t->type]);
}

/* Read when they are needed: then it is too late to say so. */
static void
check_durations(struct check *k, const struct template *t)
{
	const struct retry_backoff *b = t->retry ? t->retry->backoff : NULL;
	if (t->retry)
		check_expression(k, t->retry->expression, val_get(t->retry->src, S("expression")));
	const struct {
		const char *field;
		str text;
		const struct val *in;
	} all[] = {
		{ "duration", b ? b->duration : STR_NONE, b ? val_get(t->retry->src, S("backoff")) : NULL },
		{ "maxDuration", b ? b->max_duration : STR_NONE, b ? val_get(t->retry->src, S("backoff")) : NULL },
		{ "cap", b ? b->cap : STR_NONE, b ? val_get(t->retry->src, S("backoff")) : NULL },
		{ "duration", t->suspend ? t->suspend->duration : STR_NONE, t->suspend ? t->suspend->src : NULL },
	};
	int64_t seconds;
	struct err e;
	dur d;

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i].text.n && !check_has_tag(all[i].text) && !str_to_i64(all[i].text, &seconds) && dur_parse(all[i].text, &d, &e) < 0)
			diag_hint(k->diags, check_warn(k, val_get(all[i].in, str_c(all[i].field)), "\"%.*s\" is not a duration", STR_ARG(all[i].text)),
				"write it like \"30s\" or \"1h30m\"");
}

static void
check_limits(struct check *k, const struct template *t)
{
	const struct intstr *deadline = &t->active_deadline_seconds;
	const struct val *at = val_get(t->src, S("activeDeadlineSeconds"));

	if (deadline->text.p && !is_leaf(t))
		check_fail(k, at, "templates.%.*s.activeDeadlineSeconds is only valid for leaf templates",
			STR_ARG(t->name));
	else if (deadline->text.p && deadline->is_int ? deadline->v <= 0 : deadline->text.p &&
		!check_has_tag(deadline->text))
		check_fail(k, at, "templates.%.*s.activeDeadlineSeconds must be a positive integer > 0 or an argo "
			"variable", STR_ARG(t->name));
	if (t->parallelism.set && is_leaf(t))
		check_fail(k, val_get(t->src, S("parallelism")), "templates.%.*s.parallelism is only valid for steps "
			"and dag templates", STR_ARG(t->name));
	check_timeout(k, t);
	check_durations(k, t);
	if (t->retry && t->retry->backoff && !t->retry->backoff->duration.n)
		check_warn(k, val_get(t->retry->src, S("backoff")), "templates.%.*s no base duration specified for "
			"retryStrategy: the first retry will fail",
			STR_ARG(t->name));
}

#define TYPES "choose one of: container, containerSet, steps, script, resource, dag, suspend, data, http, plugin"

static bool
check_type(struct check *k, const struct template *t)
{
	if (t->bodies == 0)
		check_fail(k, t->src, "templates.%.*s template type unspecified. " TYPES, STR_ARG(t->name));
	else if (t->bodies > 1)
		check_fail(k, t->src, "templates.%.*s multiple template types specified. " TYPES, STR_ARG(t->name));
	return t->bodies == 1;
}

/* ---- the template ------------------------------------------------------------------------------------------- */

static void
look_into(struct check *k, struct template_state *s)
{
	struct steps_scope steps = { 0 };
	struct dag_scope dag = { 0 };
	struct loops loops = { 0 };
	struct scope scope = { .t = s->t, .task = SIZE_MAX, .group = SIZE_MAX };

	check_inputs(k, s->t);
	check_limits(k, s->t);
	if (s->t->type == TEMPLATE_STEPS) {
		check_steps(k, s, &steps, &loops);
		scope.steps = &steps;
	} else if (s->t->type == TEMPLATE_DAG) {
		check_dag(k, s, &dag, &loops);
		scope.dag = &dag;
	} else {
		check_leaf(k, s, &scope);
	}
	check_outputs(k, s->t, &scope);
	check_metrics(k, s->t);
	map_free(&steps.by_name);
	map_free(&dag.by_name);
	map_free(&loops.keys);
}

void
check_call(struct check *k, struct template_state *s, const struct arguments *args, const struct val *at)
{
	const struct val *outer = k->foreign;

	if (args)
		check_supplied(k, s->t, args, at);
	if (s->visited)
		return;
	s->visited = true;
	if (s->owner->name.n && !outer) {
		check_report_later(k, s->t->src, &template_schema, at, str_z(k->arena, s->owner->name));
		k->foreign = at;
	}
	if (check_type(k, s->t))
		look_into(k, s);
	k->foreign = outer;
}
