/* SPDX-License-Identifier: Apache-2.0 */
/*
 * validate_leaf: templates that run something: images, mounts, container sets, resources; and metrics of all templates.
 */
#include "core/quantity.h"
#include "engine/spec/validate.h"

#define NAME(t) STR_ARG((t)->name)

/* ---- containers --------------------------------------------------------------------------------------------- */

static bool
default_image(const struct check *k, const char *body)
{
	const struct val *defaults = k->owners->spec.template_defaults;

	return val_get_str(val_get(defaults, str_c(body)), "image").n > 0;
}

/* Volumes come from the template, or from the workflow that runs it, whoever wrote the template. */
static void
check_mounts(struct check *k, const struct template *t, const struct container *ctr, const char *body,
	struct map *mounted)
{
	for (size_t i = 0; i < ctr->volume_mounts.n; i++) {
		const struct volume_mount *m = &ctr->volume_mounts.p[i];
		const char *where = str_z(k->arena, arena_fmt(k->arena, "%s.volumeMounts[%zu].mountPath", body, i));
		union {
			const char *in;
			void *out;
		} value = { .in = where };
		const char *before = m->mount_path.n ? map_get(mounted, m->mount_path) : NULL;

		if (before)
			check_fail(k, m->src, "templates.%.*s.%s '%.*s' already mounted in %s", NAME(t), where,
				STR_ARG(m->mount_path), before);
		else if (m->mount_path.n)
			map_put(mounted, m->mount_path, value.out);
	}
}

static void
check_artifact_mounts(struct check *k, const struct template *t, const struct map *mounted)
{
	for (size_t i = 0; i < t->inputs.artifacts.n; i++) {
		const struct artifact *art = &t->inputs.artifacts.p[i];
		const char *before = art->path.n ? map_get(mounted, art->path) : NULL;

		if (before)
			check_fail(k, art->src, "templates.%.*s.inputs.artifacts[%zu].path '%.*s' already mounted in "
				"%s", NAME(t), i, STR_ARG(art->path),
				before);
	}
}

static void
check_main(struct check *k, const struct template *t, const struct container *ctr, const char *body)
{
	struct map mounted = { 0 };

	if (!ctr->image.n && !default_image(k, body))
		check_fail(k, ctr->src, "templates.%.*s.%s.image may not be empty", NAME(t), body);
	check_mounts(k, t, ctr, body, &mounted);
	check_artifact_mounts(k, t, &mounted);
	map_free(&mounted);
}

static void
check_limits(struct check *k, const struct container *ctr)
{
	static const struct {
		const char *name;
		int (*read)(str text, int64_t *out, struct err *e);
	} kinds[] = { { "cpu", quantity_milli }, { "memory", quantity_bytes }, { "ephemeral-storage", quantity_bytes } };
	const struct val *limits = val_get(ctr->resources, S("limits"));
	int64_t amount;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct val *v = val_get(limits, str_c(kinds[i].name));

		if (val_is(v, VAL_STR) && !check_has_tag(val_text(v)) && kinds[i].read(val_text(v), &amount, &e) < 0)
			check_warn(k, v, "%s: the step will fail", e.msg);
	}
}

static void
check_containers(struct check *k, const struct template *t, const struct container *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		check_limits(k, &list[i]);
		for (size_t j = 0; j < list[i].volume_mounts.n; j++)
			check_volume_mount(k, t, &list[i].volume_mounts.p[j]);
	}
}

/* What all containers of a pod have. */
static void
check_each_container(struct check *k, const struct template *t)
{
	check_containers(k, t, t->init_containers.p, t->init_containers.n);
	check_containers(k, t, t->container, t->container != NULL);
	check_containers(k, t, t->script, t->script != NULL);
	if (t->container_set)
		check_containers(k, t, t->container_set->containers.p, t->container_set->containers.n);
	check_containers(k, t, t->sidecars.p, t->sidecars.n);
}

/* Names that belong to containers of Argo's own. */
static bool
is_reserved(str name)
{
	return str_eq(name, S("wait")) || str_eq(name, S("supervisor")) || str_starts(name, S("artifact-plugin-"));
}

static void
check_side_containers(struct check *k, const struct template *t, const char *field)
{
	const struct val *list = val_get(t->src, str_c(field));

	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++) {
		str name = val_get_str(&list->items[i], "name");

		if (!name.n)
			check_fail(k, &list->items[i], "templates.%.*s.%s[%u].name is required", NAME(t), field, i);
		else if (is_reserved(name))
			check_fail(k, &list->items[i], "templates.%.*s.%s[%u].name '%.*s' is reserved", NAME(t), field,
				i, STR_ARG(name));
	}
}

/* ---- container sets ----------------------------------------------------------------------------------------- */

/* Whether all dependencies of a member are in `gone`. */
static bool
is_free(const struct val *list, const struct val *member, const bool *gone)
{
	const struct val *deps = val_get(member, S("dependencies"));

	for (uint32_t i = 0; val_is(deps, VAL_LIST) && i < deps->n; i++)
		for (uint32_t j = 0; j < list->n; j++)
			if (!gone[j] && deps->items[i].kind == VAL_STR &&
			    str_eq(val_get_str(&list->items[j], "name"), val_text(&deps->items[i])))
				return false;
	return true;
}

/* Takes away members that wait for none that is left, as long as there are any. */
static void
check_set_cycle(struct check *k, const struct template *t, const struct val *list)
{
	bool gone[CONTAINERS_MAX] = { false };
	uint32_t left = list->n, before;

	if (left > CONTAINERS_MAX)
		return;
	do {
		before = left;
		for (uint32_t i = 0; i < list->n; i++)
			if (!gone[i] && is_free(list, &list->items[i], gone)) {
				gone[i] = true;
				left--;
			}
	} while (left && left < before);
	for (uint32_t i = 0; left && i < list->n; i++)
		if (!gone[i]) {
			check_fail(k, &list->items[i], "templates.%.*s.containerSet dependency cycle detected: %.*s",
				NAME(t),
				STR_ARG(val_get_str(&list->items[i], "name")));
			return;
		}
}

static void
check_member(struct check *k, const struct template *t, const struct val *list, uint32_t index, struct map *names)
{
	const struct val *member = &list->items[index], *deps = val_get(member, S("dependencies"));
	str name = val_get_str(member, "name");
	const char *where = str_z(k->arena, arena_fmt(k->arena, "templates.%.*s.containerSet.containers[%u].name",
		NAME(t), index));

	if (check_field_name(k, name, member, where) && is_reserved(name))
		check_fail(k, member, "%s '%.*s' is reserved", where, STR_ARG(name));
	if (!val_get_str(member, "image").n)
		check_fail(k, member, "templates.%.*s.containerSet.containers.%.*s.image may not be empty", NAME(t),
			STR_ARG(name));
	for (uint32_t i = 0; val_is(deps, VAL_LIST) && i < deps->n; i++)
		if (deps->items[i].kind == VAL_STR && !map_get(names, val_text(&deps->items[i])))
			check_fail(k, &deps->items[i], "templates.%.*s.containerSet.containers.%.*s dependency '%.*s' "
				"not defined", NAME(t), STR_ARG(name),
				STR_ARG(val_text(&deps->items[i])));
}

static bool
needs_main(const struct template *t)
{
	return t->inputs.artifacts.n || t->outputs.parameters.n || t->outputs.artifacts.n;
}

static void
check_container_set(struct check *k, const struct template *t)
{
	const struct val *list = val_get(t->container_set->src, S("containers"));
	struct map names = { 0 };

	if (!val_is(list, VAL_LIST) || !list->n) {
		check_fail(k, t->container_set->src, "templates.%.*s.containerSet must have at least one container",
			NAME(t));
		return;
	}
	for (uint32_t i = 0; i < list->n; i++)
		check_unique(k, &names, val_get_str(&list->items[i], "name"), &list->items[i],
			"containerSet.containers.name");
	if (needs_main(t) && !map_get(&names, S("main")))
		check_fail(k, t->container_set->src, "templates.%.*s.containerSet.containers must have a container named "
			"\"main\" for input or output", NAME(t));
	for (uint32_t i = 0; i < list->n; i++)
		check_member(k, t, list, i, &names);
	check_set_cycle(k, t, list);
	map_free(&names);
}

/* ---- resources ---------------------------------------------------------------------------------------------- */

static bool
is_action(str action)
{
	static const char *const actions[] = { "get", "create", "apply", "delete", "replace", "patch" };

	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		if (str_eq(action, str_c(actions[i])))
			return true;
	return check_has_tag(action);
}

/* A manifest is often YAML only once its variables are put in: then only the text as it is can be judged. */
static bool
is_yaml(struct check *k, str text)
{
	struct diags found;
	struct val *docs;
	size_t n;
	bool ok;

	diags_init(&found);
	ok = yaml_read_all(k->arena, S("manifest"), text, NULL, &docs, &n, &found) == 0;
	for (size_t i = 0; ok && i < n; i++)
		ok = docs[i].kind == VAL_MAP || docs[i].kind == VAL_NULL;
	diags_free(&found);
	return ok;
}

static bool
is_declared(const struct template *t, str artifact)
{
	for (size_t i = 0; i < t->inputs.artifacts.n; i++)
		if (str_eq(t->inputs.artifacts.p[i].name, artifact))
			return true;
	return false;
}

static void
check_resource(struct check *k, const struct template *t)
{
	const struct val *r = t->resource, *from = val_get(r, S("manifestFrom")), *flags = val_get(r, S("flags"));
	str action = val_get_str(r, "action"), manifest = val_get_str(r, "manifest");
	str artifact = val_get_str(val_get(from, S("artifact")), "name");
	bool by_flags = val_is(flags, VAL_LIST) && flags->n &&
		(str_eq(action, S("get")) || str_eq(action, S("delete")));

	if (!is_action(action))
		check_fail(k, r, "templates.%.*s.resource.action must be one of: get, create, apply, delete, replace, "
			"patch", NAME(t));
	if (manifest.n && from)
		check_fail(k, from, "templates.%.*s shouldn't have both `manifest` and `manifestFrom` specified in "
			"`Manifest` for resource template", NAME(t));
	else if (!manifest.n && !from && !by_flags)
		check_fail(k, r, "either templates.%.*s.resource.manifest or templates.%.*s.resource.manifestFrom "
			"must be specified", NAME(t), NAME(t));
	if (from && !is_declared(t, artifact))
		check_fail(k, from, "templates.%.*s.resource.manifestFrom.artifact.name %.*s must be declared in "
			"inputs.artifacts", NAME(t), STR_ARG(artifact));
	if (manifest.n && !check_has_tag(manifest) && !is_yaml(k, manifest))
		check_fail(k, val_get(r, S("manifest")), "templates.%.*s.resource.manifest must be a valid yaml",
			NAME(t));
}

/* ---- the template ------------------------------------------------------------------------------------------- */

static void
check_pod(struct check *k, const struct template *t)
{
	const struct val *resources = val_get(t->src, S("podResources")), *claims = val_get(resources, S("claims"));

	check_side_containers(k, t, "initContainers");
	check_side_containers(k, t, "sidecars");
	if (val_is(claims, VAL_LIST) && claims->n)
		check_fail(k, claims, "templates.%.*s.podResources.claims is not supported", NAME(t));
}

void
check_leaf(struct check *k, const struct template_state *s, const struct scope *scope)
{
	const struct template *t = s->t;
	size_t before = check_enter(k, "templates.%.*s: ", NAME(t));

	check_tags(k, scope, t->src, NULL);
	check_leave(k, before);
	check_volumes(k, t->volumes.p, t->volumes.n);
	check_each_container(k, t);
	if (t->container)
		check_main(k, t, t->container, "container");
	if (t->script)
		check_main(k, t, t->script, "script");
	if (t->type == TEMPLATE_CONTAINER_SET)
		check_container_set(k, t);
	if (t->type == TEMPLATE_RESOURCE)
		check_resource(k, t);
	check_pod(k, t);
}

/* ---- metrics ------------------------------------------------------------------------------------------------ */

static bool
is_metric_name(str name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

		if (!letter && (i == 0 || c < '0' || c > '9'))
			return false;
	}
	return name.n > 0;
}

static void
check_metric_value(struct check *k, const struct template *t, const struct val *m, str name)
{
	const struct val *gauge = val_get(m, S("gauge")), *counter = val_get(m, S("counter")),
		*histogram = val_get(m, S("histogram"));
	const struct val *one = gauge ? gauge : counter ? counter : histogram;
	size_t before = check_enter(k, "templates.%.*s metric '%.*s' error: ", NAME(t), STR_ARG(name));

	if (!!gauge + !!counter + !!histogram != 1)
		check_fail(k, m, "must have exactly one of Gauge, Counter, or Histogram");
	else if (!val_get_str(one, "value").n && !val_is_number(val_get(one, S("value"))))
		check_fail(k, one, "missing %s.value", gauge ? "gauge" : counter ? "counter" : "histogram");
	if (val_is_true(val_get(gauge, S("realtime"))) &&
		str_find(val_get_str(gauge, "value"), S("resourcesDuration."), 0) != SIZE_MAX)
		check_fail(k, gauge, "'resourcesDuration.*' metrics cannot be used in real-time");
	check_leave(k, before);
}

static void
check_metric(struct check *k, const struct template *t, const struct val *m)
{
	str name = val_get_str(m, "name");
	const struct val *labels = val_get(m, S("labels"));

	if (!is_metric_name(name))
		check_fail(k, m, "templates.%.*s metric name '%.*s' is invalid. Metric names must contain "
			"alphanumeric characters or '_'", NAME(t),
			STR_ARG(name));
	for (uint32_t i = 0; val_is(labels, VAL_LIST) && i < labels->n; i++) {
		str key = val_get_str(&labels->items[i], "key");

		if (!is_metric_name(key))
			check_fail(k, &labels->items[i], "templates.%.*s metric '%.*s' error: '%.*s' is an invalid "
				"label key", NAME(t), STR_ARG(name), STR_ARG(key));
	}
	if (!val_get_str(m, "help").n)
		check_fail(k, m, "templates.%.*s metric '%.*s' must contain a help string under 'help: ' field",
			NAME(t), STR_ARG(name));
	check_metric_value(k, t, m, name);
}

void
check_metrics(struct check *k, const struct template *t)
{
	const struct val *list = val_path(t->src, "metrics.prometheus");

	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++)
		check_metric(k, t, &list->items[i]);
}
