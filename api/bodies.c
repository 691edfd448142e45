/* SPDX-License-Identifier: Apache-2.0 */
#include "api/bodies.h"

#include "api/rest.h"
#include "config/kube.h"

#define TEXT(name, text) FIELD_AS(name, FIELD_STR, 0, .doc = text)
#define FLAG(name, text) FIELD_AS(name, FIELD_BOOL, 0, .doc = text)
#define TEXTS(name, text) FIELD_AS(name, FIELD_STRS, 0, .doc = text)
#define OBJECT(name, text) FIELD_AS(name, FIELD_VAL, REQ, .doc = text)
/* What stands in the path too; that of the path counts. */
#define PLACE TEXT("name", "Name, as in the path."), TEXT("namespace", "Namespace, as in the path.")
#define NODES TEXT("nodeFieldSelector", "Which nodes: displayName, templateName, phase, name, id, templateRef.name, templateRef.template, " \
	"inputs.parameters.NAME.value.")
#define PARAMETERS TEXTS("parameters", "Parameters, `name=value`.")
#define BODY(id, name, doc, ...) \
	const struct schema id = { name, doc, 0, (const struct field[]){ __VA_ARGS__, { 0 } }, .open = true }

static BODY(submit_options, "SubmitOpts", "How to make a workflow of what is submitted.",
	TEXT("annotations", "Annotations, `a=b,c=d`."),
	TEXTS("artifacts", "Keys of artifacts that the arguments have, `name=key`."),
	FLAG("dryRun", "Check it and answer with it, and make nothing."),
	TEXT("entryPoint", "Template to begin with."),
	TEXT("generateName", "Beginning of its name."),
	TEXT("labels", "Labels, `a=b,c=d`."),
	TEXT("name", "Its name."),
	FIELD_AS("ownerReference", FIELD_OBJ_, NOEFFECT, .schema = &kube_owner_schema, .doc = "Object it belongs to.",
		.hint = "it stays when its owner goes"),
	PARAMETERS,
	FIELD_AS("podPriorityClassName", FIELD_STR, NOEFFECT, .doc = "Priority class of its pods.", WHY_NO_PREEMPTION),
	FIELD_AS("priority", FIELD_INT, 0, .min = INT32_MIN, .max = INT32_MAX, .doc = "Its priority."),
	FLAG("serverDryRun", "As dryRun."),
	TEXT("serviceAccount", "Its serviceAccountName."));

static BODY(create_options, "CreateOptions", "How to make an object.",
	TEXTS("dryRun", "`All`: check it and answer with it, and make nothing."),
	FIELD_AS("fieldManager", FIELD_STR, NOEFFECT, .doc = "Who makes it.", .hint = "revisions say from where a change came"),
	FIELD_AS("fieldValidation", FIELD_STR, NOEFFECT, .doc = "What becomes of unknown fields.", .hint = "they are errors"));

#define CREATE_OPTIONS FIELD_AS("createOptions", FIELD_OBJ_, 0, .schema = &create_options, .doc = "How to make it.")

BODY(body_create_workflow, "WorkflowCreateRequest", "POST /api/v1/workflows/{namespace}.",
	CREATE_OPTIONS,
	FIELD_AS("instanceID", FIELD_STR, NOEFFECT, .doc = "Controller it is for.", .hint = "there is one daemon, and all are its own"),
	TEXT("namespace", "Namespace, as in the path."),
	FLAG("serverDryRun", "Check it and answer with it, and make nothing."),
	FIELD_AS("submitOptions", FIELD_OBJ_, 0, .schema = &submit_options, .doc = "An addition: what the command line puts over it."),
	OBJECT("workflow", "The Workflow."));

BODY(body_lint_workflow, "WorkflowLintRequest", "POST /api/v1/workflows/{namespace}/lint.",
	TEXT("namespace", "Namespace, as in the path."), OBJECT("workflow", "The Workflow."));

BODY(body_submit, "WorkflowSubmitRequest", "POST /api/v1/workflows/{namespace}/submit.",
	TEXT("namespace", "Namespace, as in the path."), TEXT("resourceKind", "Kind of what it is made from."),
	TEXT("resourceName", "Name of what it is made from."),
	FIELD_AS("submitOptions", FIELD_OBJ_, 0, .schema = &submit_options, .doc = "How to make it."));

BODY(body_resubmit, "WorkflowResubmitRequest", "PUT .../{name}/resubmit; of archived-workflows with the uid.",
	FLAG("exact", "An addition: with the specification and the templates of then."),
	FLAG("memoized", "Take along what ended well."), PLACE, PARAMETERS,
	FIELD_AS("priority", FIELD_INT, 0, .min = INT32_MIN, .max = INT32_MAX, .doc = "An addition: its priority."),
	TEXT("uid", "Of an archived workflow, as in the path."));

BODY(body_resume, "WorkflowResumeRequest", "PUT .../{name}/resume.",
	PLACE, NODES, TEXT("outputParameters", "An addition: outputs of the suspended nodes, a JSON object as text."));

BODY(body_retry, "WorkflowRetryRequest", "PUT .../{name}/retry; of archived-workflows with the uid.",
	PLACE, NODES, PARAMETERS, FLAG("restartSuccessful", "Run the nodes of nodeFieldSelector again though they ended well."),
	TEXT("uid", "Of an archived workflow, as in the path."));

BODY(body_set, "WorkflowSetRequest", "PUT .../{name}/set.",
	TEXT("message", "Message of the nodes."), PLACE, NODES,
	TEXT("outputParameters", "Their supplied outputs, a JSON object as text."), TEXT("phase", "Phase they end with."));

BODY(body_stop, "WorkflowStopRequest", "PUT .../{name}/stop.", TEXT("message", "Message of the nodes."), PLACE, NODES);
BODY(body_suspend, "WorkflowSuspendRequest", "PUT .../{name}/suspend.", PLACE);
BODY(body_terminate, "WorkflowTerminateRequest", "PUT .../{name}/terminate.", PLACE);

BODY(body_template, "WorkflowTemplateCreateRequest", "POST and PUT of workflow-templates, and their lint.",
	CREATE_OPTIONS, PLACE, OBJECT("template", "The WorkflowTemplate."));
BODY(body_cluster_template, "ClusterWorkflowTemplateCreateRequest", "POST and PUT of cluster-workflow-templates, and their lint.",
	CREATE_OPTIONS, TEXT("name", "Name, as in the path."), OBJECT("template", "The ClusterWorkflowTemplate."));
BODY(body_cron_workflow, "CreateCronWorkflowRequest", "POST and PUT of cron-workflows, and their lint.",
	CREATE_OPTIONS, PLACE, OBJECT("cronWorkflow", "The CronWorkflow."));

BODY(body_backfill, "CronBackfillRequest", "POST /tidegate/v1/cron-workflows/{namespace}/{name}/backfill.",
	TEXT("name", "Name of the backfill; without one the workflow is called as if the clock had started it."), PARAMETERS,
	FIELD_AS("scheduledTime", FIELD_STR, REQ, .doc = "The slot, RFC 3339."));

const struct schema *const request_bodies[] = { &body_create_workflow, &body_lint_workflow, &body_submit, &body_resubmit, &body_resume,
	&body_retry, &body_set, &body_stop, &body_suspend, &body_terminate, &body_template, &body_cluster_template, &body_cron_workflow,
	&body_backfill, NULL };

bool
body_is_good(struct http_req *r, const struct schema *sc, const struct val *body)
{
	struct diags d;
	struct err e = { 0 };
	char none[1]; /* no row has a member */
	if (!sc)
		return true;
	diags_init(&d);
	const bool good = schema_decode(sc, http_req_arena(r), body, STR_NONE, none, &d) == 0 && !d.later;
	if (!good)
		rest_fail_diags(r, &d, &e);
	diags_free(&d);
	return good;
}

bool
body_is_dry(const struct val *body)
{
	const struct val *list = val_path(body, "createOptions.dryRun");
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++)
		if (val_is(&list->items[i], VAL_STR) && str_eq(val_text(&list->items[i]), S("All")))
			return true;
	return false;
}
