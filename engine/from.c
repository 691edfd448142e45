/* SPDX-License-Identifier: Apache-2.0 */
/* from: a Workflow made from what is kept: a template, or what a cron workflow would run (server/workflow/workflow_server.go of Argo). */
#include "engine/engine.h"

static const struct from_kind {
	const char *kind, *label;
	bool cluster;
	const char *names[4];
} from_kinds[] = {
	{ "WorkflowTemplate", "workflows.argoproj.io/workflow-template", false, { "WorkflowTemplate", "workflowtemplate", "workflowtemplates", "wftmpl" } },
	{ "ClusterWorkflowTemplate", "workflows.argoproj.io/cluster-workflow-template", true,
	  { "ClusterWorkflowTemplate", "clusterworkflowtemplate", "clusterworkflowtemplates", "cwftmpl" } },
	{ "CronWorkflow", "workflows.argoproj.io/cron-workflow", false, { "CronWorkflow", "cronworkflow", "cronworkflows", "cronwf" } },
};

static const struct from_kind *
find_from_kind(str name)
{
	for (size_t i = 0; i < ARRAY_LEN(from_kinds); i++)
		for (size_t k = 0; k < ARRAY_LEN(from_kinds[i].names); k++)
			if (str_eq(name, str_c(from_kinds[i].names[k])))
				return &from_kinds[i];
	return NULL;
}

/* {workflowTemplateRef: {name, clusterScope}}, with the template's workflowMetadata; of a CronWorkflow its workflowSpec. */
static struct val
workflow_from(struct arena *a, const struct from_kind *from, const struct object *template, str ns)
{
	struct val_map ref = { 0 }, spec = { 0 }, meta = { 0 }, labels = { 0 }, out = { 0 };
	const struct val *given = val_get(template->manifest, S("spec"));
	bool cron = strcmp(from->kind, "CronWorkflow") == 0;
	const struct val *extra = val_get(given, S("workflowMetadata"));
	const struct val *more = val_get(extra, S("labels")), *annotations = val_get(extra, S("annotations"));
	val_map_add(&ref, S("name"), val_str(template->name));
	if (from->cluster)
		val_map_add(&ref, S("clusterScope"), val_bool(true));
	val_map_add(&spec, S("workflowTemplateRef"), val_map_end(&ref, a));
	struct val from_spec = val_map_end(&spec, a);
	for (uint32_t i = 0; val_is(more, VAL_MAP) && i < more->n; i++)
		val_map_add(&labels, val_key(&more->members[i]), more->members[i].value);
	val_map_add(&labels, str_c(from->label), val_str(template->name));
	val_map_add(&meta, S("generateName"), val_str(arena_fmt(a, "%.*s-", STR_ARG(template->name))));
	val_map_add(&meta, S("namespace"), val_str(ns));
	val_map_add(&meta, S("labels"), val_map_end(&labels, a));
	if (val_is(annotations, VAL_MAP))
		val_map_add(&meta, S("annotations"), *annotations);
	val_map_add(&out, S("apiVersion"), val_cstr("argoproj.io/v1alpha1"));
	val_map_add(&out, S("kind"), val_cstr("Workflow"));
	val_map_add(&out, S("metadata"), val_map_end(&meta, a));
	val_map_add(&out, S("spec"), cron ? *val_get(given, S("workflowSpec")) : from_spec);
	return val_map_end(&out, a);
}

int
workflow_from_kept(const struct objects *os, str kind, str ns, str name, struct arena *a, const struct val **out, struct err *e)
{
	const struct from_kind *from = find_from_kind(kind);
	if (!from)
		return err_set(e, ERR_INVALID, "Resource kind '%.*s' is not supported for submitting", STR_ARG(kind));
	const struct object *template = objects_find_named(os, from->kind, ns, name);
	if (!template) {
		const char *near = objects_nearest(os, from->kind, ns, name);
		return err_set(e, ERR_NOT_FOUND, "no %s \"%.*s\"%s%s%s", from->kind, STR_ARG(name), near ? "; did you mean \"" : "", near ? near : "",
		               near ? "\"?" : "");
	}
	struct val *manifest = ARENA_NEW(a, struct val);
	*manifest = workflow_from(a, from, template, ns);
	*out = manifest;
	return 0;
}
