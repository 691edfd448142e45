/* SPDX-License-Identifier: Apache-2.0 */
/* uploads: where what is brought from outside is to lie, so that a workflow finds it; and the keys by which one is told of it. */
#include "engine/shell.h"

/* ---- places -------------------------------------------------------------------------------------------------------- */

int
engine_place(struct engine *g, str ns, const struct val *ref, const struct val *artifact, str key, struct arena *a, struct val *place, struct err *e)
{
	const struct val *repository = NULL;
	if (repository_find(&g->world, ns, ref, a, &repository, e) < 0)
		return -1;
	*place = artifact_located(artifact, val_get(repository, S("location")), key, a);
	return 0;
}

int
engine_template_place(struct engine *g, str ns, str tmpl, str name, str key, struct arena *a, const struct val **artifact, struct val *place, struct err *e)
{
	const struct val *spec = g->world.template_spec(g->world.arg, false, ns, tmpl);
	const struct val *argument = val_named(val_path(spec, "arguments.artifacts"), name);
	if (!spec)
		return err_set(e, ERR_NOT_FOUND, "workflowtemplates.argoproj.io \"%.*s\" not found", STR_ARG(tmpl));
	if (!argument)
		return err_set(e, ERR_NOT_FOUND, "workflow template %.*s has no artifact \"%.*s\" in its arguments", STR_ARG(tmpl), STR_ARG(name));
	if (artifact_with_key(argument, key, a, artifact, e) < 0)
		return -1;
	return engine_place(g, ns, val_get(spec, S("artifactRepositoryRef")), *artifact, key, a, place, e);
}

/* ---- keys ---------------------------------------------------------------------------------------------------------- */

/* The list with the artifact in place of the one of its name, or behind the others. */
static struct val
with_artifact(struct arena *a, const struct val *list, const struct val *artifact)
{
	struct val_list out = { 0 };
	bool there = false;
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++) {
		bool same = str_eq(val_get_str(&list->items[i], "name"), val_get_str(artifact, "name"));
		val_list_add(&out, same ? *artifact : list->items[i]);
		there |= same;
	}
	if (!there)
		val_list_add(&out, *artifact);
	return val_list_end(&out, a);
}

static int
set_key(struct arena *a, const struct val *argument, str key, const struct val **spec, struct err *e)
{
	const struct val *changed;
	if (artifact_with_key(argument, key, a, &changed, e) < 0)
		return -1;
	struct val list = with_artifact(a, val_path(*spec, "arguments.artifacts"), changed);
	*spec = val_set(a, *spec, S("arguments"), val_set(a, val_get(*spec, S("arguments")), S("artifacts"), &list));
	return 0;
}

/* As Argo's server: each must be among the arguments, the template's where there is one, or it would be passed over in silence. */
int
engine_with_artifacts(struct arena *a, const struct val *manifest, const struct run_world *w, const struct kvs *keys, const struct val **out, struct err *e)
{
	struct buf unknown CLEANUP(free_buf) = { 0 };
	const struct val *merged = keys->n ? run_merged_spec(a, manifest, w, e) : NULL, *spec = val_get(manifest, S("spec"));
	*out = manifest;
	if (!keys->n)
		return 0;
	if (!merged)
		return -1;
	for (size_t i = 0; i < keys->n; i++) {
		const struct val *argument = val_named(val_path(merged, "arguments.artifacts"), keys->p[i].key);
		if (!argument)
			buf_addf(&unknown, "%s%.*s", unknown.n ? ", " : "", STR_ARG(keys->p[i].key));
		else if (set_key(a, argument, keys->p[i].value, &spec, e) < 0)
			return -1;
	}
	if (unknown.n)
		return err_set(e, ERR_INVALID, "artifact override(s) matched no artifact: %.*s", STR_ARG(buf_str(&unknown)));
	*out = val_set(a, manifest, S("spec"), spec);
	return 0;
}
