/* SPDX-License-Identifier: Apache-2.0 */
/* argoWorkflow: submits a Workflow to the engine, in the transaction of the event. */
#include "triggers/manifest_source.h"
#include "triggers/parameter.h"
#include "triggers/submit.h"

struct argo_workflow {
	str operation;
	struct strs args;
	struct manifest_source *source;
	LIST_OF(struct trigger_parameter) parameters;
	const struct val *src;
};

static const char *const operations[] = { "",       "submit",  "submit-from", "resubmit", "resume",
	                                  "retry",  "suspend", "terminate",   "stop",     NULL };

/* R8, R10 of spec events 5.4; what is known but not served says so. */
static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct argo_workflow *t = obj;
	if (!t->source)
		decode_error(c, in, "source", "source must be specified: {resource: ...}");
	if (!t->operation.n)
		decode_error(c, in, "operation", "unknown operation type \"\": write operation: submit");
	else if (!str_eq(t->operation, S("submit")))
		decode_later(c, in, "operation", "operation %.*s is not served yet, only submit is", STR_ARG(t->operation));
	if (t->args.n)
		decode_later(c, in, "args", "arguments for the argo command are not served yet");
}

static const struct schema argo_workflow_schema = { "ArgoWorkflowTrigger", "Submits a Workflow to the built-in engine.",
	sizeof(struct argo_workflow), (const struct field[]){
	FIELD(struct argo_workflow, args, "args", 0, .doc = "Further arguments, as the argo command takes them."),
	FIELD(struct argo_workflow, operation, "operation", 0, .choices = operations, .doc = "What to do; submit is served."),
	FIELD_LIST(struct argo_workflow, parameters, "parameters", 0, &trigger_parameter_schema, .doc = "Values from events to put into the Workflow."),
	FIELD_PTR(struct argo_workflow, source, "source", 0, &manifest_source_schema, .doc = "The Workflow."),
	FIELD_SRC(struct argo_workflow, src),
	{ 0 } }, check };

/* What lint warns of must not run to a wrong result. */
static int
is_served(struct firing *f, struct err *e)
{
	const struct argo_workflow *t = firing_config(f);
	str kind = val_get_str(firing_source(f), "kind");
	if (!str_eq(t->operation, S("submit")))
		return err_set(e, ERR_UNSUPPORTED, "argoWorkflow operation %.*s is not served yet", STR_ARG(t->operation));
	if (t->args.n)
		return err_set(e, ERR_UNSUPPORTED, "argoWorkflow args are not served yet");
	if (!str_eq(kind, S("Workflow")))
		return err_set(e, ERR_INVALID, "argoWorkflow submit: the source is of kind %.*s, a Workflow is expected", STR_ARG(kind));
	return 0;
}

static void
fire(struct firing *f)
{
	struct err e = { 0 };
	if (is_served(f, &e) < 0)
		firing_done(f, &e, NULL);
	else
		trigger_submit(f);
}

const struct trigger_ops trigger_argoWorkflow = { .kind = "argoWorkflow", .doc = "Submits a Workflow to the built-in engine.",
	.schema = &argo_workflow_schema, .fire = fire, .inside = true };
