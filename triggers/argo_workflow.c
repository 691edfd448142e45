/* SPDX-License-Identifier: Apache-2.0 */
/*
 * argoWorkflow: what the argo command does with workflows, done by the built-in engine: submit, submit-from, and the verbs. Each is exactly once:
 * what it does and the end of the firing are one transaction.
 *
 * As in Argo (pkg/sensors/triggers/argo-workflow), submit adds three labels; here submit-from does, too. Where it differs: submit-from takes a
 * ClusterWorkflowTemplate as well, and has succeeded when the workflow was made (Argo then looks for a workflow of the template's name).
 */
#include "triggers/argo_args.h"
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

/* Only what the manifest says now: parameters may change both. */
static void
check_args(const struct argo_workflow *t, const struct val *in, struct decode *c)
{
	const struct val *list = val_get(in, S("args"));
	struct argo_args args;
	struct err e = { 0 };
	size_t at = 0;
	int op = argo_operation(t->operation);
	if (op < 0 || argo_args_read((enum argo_operation)op, &t->args, c->arena, &args, &at, &e) == 0)
		return;
	if (e.code == ERR_UNSUPPORTED)
		decode_later(c, val_is(list, VAL_LIST) ? val_at(list, at) : in, NULL, "%s", e.msg);
	else
		decode_error(c, val_is(list, VAL_LIST) ? val_at(list, at) : in, NULL, "%s", e.msg);
}

/* R8, R10 of spec events 5.4. */
static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct argo_workflow *t = obj;
	if (!t->source)
		decode_error(c, in, "source", "source must be specified: {resource: ...}");
	if (!t->operation.n)
		decode_error(c, in, "operation", "unknown operation type \"\": write operation: submit");
	check_args(t, in, c);
}

static const struct schema argo_workflow_schema = { "ArgoWorkflowTrigger", "Submits a Workflow to the built-in engine, or does with one what the "
	"argo command does.",
	sizeof(struct argo_workflow), (const struct field[]){
	FIELD(struct argo_workflow, args, "args", 0, .max = 1000, .doc = "Flags of the argo command for this operation, such as `-p`, `name=value`; "
		"flags that only show something have no effect."),
	FIELD(struct argo_workflow, operation, "operation", 0, .choices = operations, .doc = "What to do: submit the source; submit-from: a Workflow made from "
		"the WorkflowTemplate, ClusterWorkflowTemplate or CronWorkflow that the source names; the others with the Workflow that it names."),
	FIELD_LIST(struct argo_workflow, parameters, "parameters", 0, &trigger_parameter_schema, .doc = "Values from events to put into the source."),
	FIELD_PTR(struct argo_workflow, source, "source", 0, &manifest_source_schema, .doc = "The Workflow, or what names it."),
	FIELD_SRC(struct argo_workflow, src),
	{ 0 } }, check };

/* ---- submit ------------------------------------------------------------------------------------------------------------- */

struct subject {
	str kind, ns, name;
	const struct val *object;
	struct argo_args args;
};

/* *out points into `s`. */
static const struct val *
with_flags(struct firing *f, const struct val *object, const struct subject *s, struct submit_options *out)
{
	struct arena *a = firing_arena(f);
	const struct argo_args *x = &s->args;
	*out = (struct submit_options){ .parameters = x->parameters, .labels = x->labels, .annotations = x->annotations, .name = x->name,
		                        .generate_name = x->generate_name, .entrypoint = x->entrypoint, .service_account = x->service_account,
		                        .priority = x->has_priority ? &x->priority : NULL, .dry_run = x->dry_run };
	struct val ns = val_str(s->ns);
	object = val_set(a, object, S("metadata"), val_set(a, val_get(object, S("metadata")), S("namespace"), &ns));
	return trigger_labelled(f, object);
}

static int
check_source(const struct subject *s, struct err *e)
{
	if (!str_eq(s->kind, S("Workflow")))
		return err_set(e, ERR_INVALID, "argoWorkflow submit: the source is of kind %.*s, a Workflow is expected%s", STR_ARG(s->kind),
			str_eq(s->kind, S("CronWorkflow")) ? "; a k8s trigger creates a CronWorkflow, `submit-from` runs one that is there" : "");
	if (!s->name.n && !val_get_str(val_get(s->object, S("metadata")), "generateName").n && !s->args.name.n && !s->args.generate_name.n)
		return err_set(e, ERR_INVALID, "failed to trigger the workflow, neither name nor generateName is given");
	return 0;
}

/* What submit and submit-from submit, without the flags. */
static int
submitted(struct firing *f, enum argo_operation op, const struct subject *s, const struct val **out, struct err *e)
{
	*out = s->object;
	if (op == ARGO_SUBMIT)
		return check_source(s, e);
	if (workflow_from_kept(firing_env(f)->objects, s->kind, s->ns, s->name, loop_now(firing_env(f)->loop), firing_arena(f), out, e) < 0)
		return err_wrap(e, "argoWorkflow submit-from");
	return 0;
}

static int
submit(struct firing *f, enum argo_operation op, const struct subject *s, struct err *e)
{
	struct submit_options o;
	const struct val *object;
	if (submitted(f, op, s, &object, e) < 0)
		return -1;
	object = with_flags(f, object, s, &o);
	trigger_submit(f, object, &o);
	return 0;
}

/* ---- verbs --------------------------------------------------------------------------------------------------------------- */

static const enum verb verbs[] = { [ARGO_RESUBMIT] = VERB_RESUBMIT, [ARGO_RESUME] = VERB_RESUME, [ARGO_RETRY] = VERB_RETRY,
	[ARGO_SUSPEND] = VERB_SUSPEND, [ARGO_TERMINATE] = VERB_TERMINATE, [ARGO_STOP] = VERB_STOP };

static int
do_verb(struct firing *f, enum argo_operation op, const struct subject *s, struct err *e)
{
	const struct argo_args *x = &s->args;
	const struct verb_options o = { .node_field_selector = x->node_field_selector, .message = x->message, .parameters = x->parameters,
		                        .output_parameters = x->output_parameters, .restart_successful = x->restart_successful,
		                        .memoized = x->memoized, .exact = x->exact, .priority = x->has_priority ? &x->priority : NULL };
	if (s->kind.n && !str_eq(s->kind, S("Workflow")))
		return err_set(e, ERR_INVALID, "argoWorkflow %s: the source is of kind %.*s, a Workflow is expected", operations[op + 1], STR_ARG(s->kind));
	trigger_verb(f, verbs[op], s->ns, s->name, &o, NULL);
	return 0;
}

/* As with the argo command: `-n` goes before what the trigger gives it, but not before what a Workflow itself says. */
static str
namespace_of(struct firing *f, int op, str of_object, str of_args)
{
	if (op == ARGO_SUBMIT && of_object.n)
		return of_object;
	return of_args.n ? of_args : of_object.n ? of_object : firing_ns(f);
}

static int
read_subject(struct firing *f, int *op, struct subject *s, struct err *e)
{
	const struct argo_workflow *t = firing_config(f);
	const struct val *object = firing_source(f), *meta = val_get(object, S("metadata"));
	size_t at;
	*op = argo_operation(t->operation);
	*s = (struct subject){ .kind = val_get_str(object, "kind"), .name = val_get_str(meta, "name"), .object = object };
	if (*op < 0)
		return err_set(e, ERR_INVALID, "unknown operation type %.*s", STR_ARG(t->operation));
	if (argo_args_read((enum argo_operation)*op, &t->args, firing_arena(f), &s->args, &at, e) < 0)
		return err_wrap(e, "args[%zu]", at);
	s->ns = namespace_of(f, *op, val_get_str(meta, "namespace"), s->args.ns);
	if (*op != ARGO_SUBMIT && !s->name.n)
		return err_set(e, ERR_INVALID, "failed to execute the workflow %s operation, no name is given", operations[*op + 1]);
	return 0;
}

static bool
makes_one(int op)
{
	return op == ARGO_SUBMIT || op == ARGO_SUBMIT_FROM;
}

static void
fire(struct firing *f)
{
	struct subject *s = ARENA_NEW(firing_arena(f), struct subject);
	struct err e = { 0 };
	int op, rc = read_subject(f, &op, s, &e);
	if (rc == 0)
		rc = makes_one(op) ? submit(f, (enum argo_operation)op, s, &e) : do_verb(f, (enum argo_operation)op, s, &e);
	if (rc < 0)
		firing_done(f, &e, NULL);
}

static int
submits(struct firing *f, const struct val **out, struct err *e)
{
	struct subject *s = ARENA_NEW(firing_arena(f), struct subject);
	struct submit_options o;
	int op;
	*out = NULL;
	if (!firing_source(f)) /* it lies elsewhere, and was not read */
		return 0;
	if (read_subject(f, &op, s, e) < 0 || (makes_one(op) && submitted(f, (enum argo_operation)op, s, out, e) < 0))
		return -1;
	if (!*out || s->args.dry_run) {
		*out = NULL;
		return 0;
	}
	const struct val *object = with_flags(f, *out, s, &o);
	*out = engine_with_options(firing_arena(f), object, &o);
	return 0;
}

const struct trigger_ops trigger_argoWorkflow = { .kind = "argoWorkflow", .doc = "Submits a Workflow to the built-in engine, or stops, suspends, "
	"retries, ... one.", .schema = &argo_workflow_schema, .fire = fire, .inside = true, .submits = submits, .resume = trigger_resume };
