/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kinds: the five kinds of the workflow language. Their `resolve` is the validation of spec 6, with the other objects
 * of the set as the world: what `lint` says, and what a manifest must pass before it comes into force.
 */
#include "engine/engine.h"
#include "engine/run/run.h"
#include "engine/spec/spec.h"

struct set_world {
	const struct objects *set;
};

static const struct val *
template_spec(void *arg, bool cluster, str ns, str name)
{
	const struct set_world *w = arg;
	struct object *o = objects_find_named(w->set, cluster ? "ClusterWorkflowTemplate" : "WorkflowTemplate", ns,
		name);

	return o ? val_get(o->manifest, S("spec")) : NULL;
}

static const char *
nearest_template(void *arg, bool cluster, str ns, str name)
{
	const struct set_world *w = arg;

	return objects_nearest(w->set, cluster ? "ClusterWorkflowTemplate" : "WorkflowTemplate", ns, name);
}

static void
validate(const struct object *o, const struct objects *set, enum validate_mode mode, struct diags *d)
{
	struct set_world arg = { set };
	struct run_world world = { .template_spec = template_spec, .nearest_template = nearest_template, .arg = &arg };
	str file = d->file;

	d->file = arena_dup(d->arena, o->file);
	workflow_validate(o->manifest, mode, &world, o->ns, d);
	d->file = file;
}

static void
resolve_workflow(const struct object *o, const struct objects *set, struct diags *d)
{
	validate(o, set, VALIDATE_LINT, d);
}

static void
resolve_cron(const struct object *o, const struct objects *set, struct diags *d)
{
	resolve_workflow(o, set, d);
	object_check_compat(o, d);
}

static void
resolve_template(const struct object *o, const struct objects *set, struct diags *d)
{
	validate(o, set, VALIDATE_TEMPLATE, d);
}

static void
resolve_binding(const struct object *o, const struct objects *set, struct diags *d)
{
	const struct workflow_event_binding *b = o->spec;
	const struct val *ref = val_get(b->spec.submit, S("workflowTemplateRef")),
		*flag = val_get(ref, S("clusterScope"));
	struct val cluster = flag ? val_resolve(flag) : val_bool(false);
	const char *kind = cluster.kind == VAL_BOOL && cluster.b ? "ClusterWorkflowTemplate" : "WorkflowTemplate";
	str name = val_get_str(ref, "name");

	if (!name.n || objects_find_named(set, kind, o->ns, name))
		return;
	struct diag *x = diag_add(d, DIAG_ERROR, val_get(ref, S("name")), S("spec.submit.workflowTemplateRef.name"),
		"no %s \"%.*s\" found",
		kind, STR_ARG(name));
	const char *near = objects_nearest(set, kind, o->ns, name);

	x->file = arena_dup(d->arena, o->file);
	if (near)
		diag_hint(d, x, "did you mean \"%s\"?", near);
}

#define NAMES(...) (const char *const[]){ __VA_ARGS__, NULL }
#define API "argoproj.io/v1alpha1"

const struct kind kind_workflow = { .name = "Workflow", .plural = "workflows", .short_names = NAMES("wf"), .api = API,
	.schema = &workflow_schema, .instance = true, .name_max = 63, .resolve = resolve_workflow };
const struct kind kind_workflowtemplate = { .name = "WorkflowTemplate", .plural = "workflowtemplates",
	.short_names = NAMES("wftmpl"),
	.api = API, .schema = &workflow_template_schema, .name_max = 63, .resolve = resolve_template };
const struct kind kind_clusterworkflowtemplate = { .name = "ClusterWorkflowTemplate",
	.plural = "clusterworkflowtemplates",
	.short_names = NAMES("clusterwftmpl", "cwft"), .api = API, .schema = &workflow_template_schema, .cluster = true,
		.name_max = 63,
	.resolve = resolve_template };
const struct kind kind_cronworkflow = { .name = "CronWorkflow", .plural = "cronworkflows",
	.short_names = NAMES("cwf", "cronwf"), .api = API,
	.schema = &cron_workflow_schema, .name_max = 52, .resolve = resolve_cron };
const struct kind kind_workfloweventbinding = { .name = "WorkflowEventBinding", .plural = "workfloweventbindings",
	.short_names = NAMES("wfeb"), .api = API, .schema = &workflow_event_binding_schema, .name_max = 63,
		.resolve = resolve_binding };
