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

static const struct val *
set_text(struct arena *a, const struct val *map, const char *key, str text)
{
	const struct val v = val_str(text);
	return val_set(a, map, str_c(key), &v);
}

/* What spec.workflowMetadata says, with where it is from; `annotations` come on top. */
static struct val
metadata_from(struct arena *a, const struct object *from, const char *label, str name, const struct val *annotations)
{
	const struct val *extra = val_path(from->manifest, "spec.workflowMetadata"), *more = val_get(extra, S("annotations")), *meta = NULL;
	const struct val *labels = val_get(extra, S("labels"));
	labels = set_text(a, val_is(labels, VAL_MAP) ? labels : NULL, label, from->name);
	more = val_is(more, VAL_MAP) ? more : NULL;
	for (uint32_t i = 0; annotations && i < annotations->n; i++)
		more = val_set(a, more, val_key(&annotations->members[i]), &annotations->members[i].value);
	meta = name.n ? set_text(a, meta, "name", name) : set_text(a, meta, "generateName", arena_fmt(a, "%.*s-", STR_ARG(from->name)));
	meta = val_set(a, meta, S("labels"), labels);
	if (more)
		meta = val_set(a, meta, S("annotations"), more);
	return *meta;
}

static const struct val *
workflow_of(struct arena *a, const struct val *meta, str ns, const struct val *spec)
{
	struct val_map out = { 0 };
	struct val *v = ARENA_NEW(a, struct val);
	val_map_add(&out, S("apiVersion"), val_cstr("argoproj.io/v1alpha1"));
	val_map_add(&out, S("kind"), val_cstr("Workflow"));
	val_map_add(&out, S("metadata"), *set_text(a, meta, "namespace", ns));
	val_map_add(&out, S("spec"), *spec);
	*v = val_map_end(&out, a);
	return v;
}

/* {workflowTemplateRef: {name, clusterScope}}, with the template's workflowMetadata. */
static const struct val *
workflow_from_template(struct arena *a, const struct from_kind *from, const struct object *template, str ns)
{
	const struct val yes = val_bool(true), *ref = set_text(a, NULL, "name", template->name);
	const struct val meta = metadata_from(a, template, from->label, STR_NONE, NULL);
	if (from->cluster)
		ref = val_set(a, ref, S("clusterScope"), &yes);
	return workflow_of(a, &meta, ns, val_set(a, NULL, S("workflowTemplateRef"), ref));
}

/* What the object has of these goes to its workflows, too: who made it, and which controller it is for. */
static const struct val *
inherited(struct arena *a, const struct val *labels, const struct object *cron)
{
	const struct val *own = val_path(cron->manifest, "metadata.labels");
	for (uint32_t i = 0; val_is(own, VAL_MAP) && i < own->n; i++) {
		str key = val_key(&own->members[i]);
		if (str_starts(key, S("workflows.argoproj.io/creator")) || str_eq(key, S("workflows.argoproj.io/controller-instanceid")))
			labels = val_set(a, labels, key, &own->members[i].value);
	}
	return labels;
}

const struct val *
workflow_from_cron(const struct object *cron, str name, const char *label, int64_t slot, struct arena *a)
{
	const struct val *scheduled = set_text(a, NULL, "workflows.argoproj.io/scheduled-time", time_rfc3339(a, slot));
	struct val meta = metadata_from(a, cron, label, name, scheduled);
	meta = *val_set(a, &meta, S("labels"), inherited(a, val_get(&meta, S("labels")), cron));
	return workflow_of(a, &meta, cron->ns, val_path(cron->manifest, "spec.workflowSpec"));
}

int
workflow_from_kept(const struct objects *os, str kind, str ns, str name, int64_t now, struct arena *a, const struct val **out, struct err *e)
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
	*out = strcmp(from->kind, "CronWorkflow") == 0 ? workflow_from_cron(template, STR_NONE, from->label, now, a)
						       : workflow_from_template(a, from, template, ns);
	return 0;
}
