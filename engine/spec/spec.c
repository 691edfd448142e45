/* SPDX-License-Identifier: Apache-2.0 */
/* spec: the five kinds of the workflow language and the specs below them. */
#include "config/kube.h"
#include "engine/run/evaluate.h"
#include "engine/spec/spec.h"

#define TEXT(name, text) FIELD_AS(name, FIELD_STR, 0, .doc = text)
#define MUST(name, text) FIELD_AS(name, FIELD_STR, REQ, .doc = text)
#define FLAG(name, text) FIELD_AS(name, FIELD_BOOL, 0, .doc = text)

/* ---- parts of a WorkflowSpec -------------------------------------------------------------------------------- */

static const struct schema workflow_template_ref_schema = { "WorkflowTemplateRef",
	"The WorkflowTemplate a workflow is made from.",
	sizeof(struct workflow_template_ref), (const struct field[]){
	FIELD(struct workflow_template_ref, cluster_scope, "clusterScope", 0,
		.doc = "Whether it is a ClusterWorkflowTemplate."),
	FIELD(struct workflow_template_ref, name, "name", 0, .doc = "Its name."),
	FIELD_SRC(struct workflow_template_ref, src),
	{ 0 } } };

static const struct schema ttl_schema = { "TTLStrategy", "How long a finished workflow is kept.", 0,
	(const struct field[]){
	FIELD_AS("secondsAfterCompletion", FIELD_INT, 0, .min = 0, .max = INT32_MAX, .doc = "After any end."),
	FIELD_AS("secondsAfterFailure", FIELD_INT, 0, .min = 0, .max = INT32_MAX, .doc = "After it failed."),
	FIELD_AS("secondsAfterSuccess", FIELD_INT, 0, .min = 0, .max = INT32_MAX, .doc = "After it succeeded."),
		{ 0 } } };

static const char *const pod_gc_strategies[] = { "", "OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion",
	"OnWorkflowSuccess", NULL };

static void
check_pod_gc(void *obj UNUSED, const struct val *in, struct decode *c)
{
	const str text = val_get_str(in, "deleteDelayDuration");
	int64_t seconds;
	dur d = { 0 };
	struct err e;
	if (!text.n || (str_to_i64(text, &seconds) ? seconds >= 0 && seconds < INT32_MAX : dur_parse(text, &d, &e) == 0 && d.ns >= 0))
		return;
	diag_hint(c->diags, decode_error(c, in, "deleteDelayDuration", "\"%.*s\" is not a duration, or none from 0",
		STR_ARG(str_slice(text, 0, 60))), "write it like \"30s\" or \"1h30m\", or as seconds: \"30\"");
}

static const struct schema pod_gc_schema = { "PodGC", "When what pods left is removed.", 0, (const struct field[]){
	TEXT("deleteDelayDuration", "How long after that; 5s by default."),
	FIELD_AS("labelSelector", FIELD_OBJ_, 0, .schema = &kube_label_selector_schema, .doc = "Which pods."),
	FIELD_AS("strategy", FIELD_STR, 0, .choices = pod_gc_strategies, .doc = "When."), { 0 } }, check_pod_gc };

static const char *const claim_gc_strategies[] = { "", "OnWorkflowSuccess", "OnWorkflowCompletion", NULL };
static const struct schema claim_gc_schema = { "VolumeClaimGC", "When claims made for the workflow are deleted.", 0,
	(const struct field[]){
	FIELD_AS("strategy", FIELD_STR, 0, .choices = claim_gc_strategies, .doc = "When; after success by default."),
		{ 0 } } };

static const struct schema artifact_repository_ref_schema = { "ArtifactRepositoryRef",
	"The artifact repository to use.", 0, (const struct field[]){
	TEXT("configMap", "ConfigMap with repositories; artifact-repositories by default."), TEXT("key",
		"Key of the repository in it."), { 0 } } };

/* A map of structs keeps its key in the first member. */
struct named {
	str name;
};
static const struct schema label_from_schema = { "LabelFrom", "A label with a computed value.", sizeof(struct named),
	(const struct field[]){
	MUST("expression", "Expression that gives the value."), { 0 } } };

static const struct schema workflow_metadata_schema = { "WorkflowMetadata",
	"Metadata that is added to the workflow itself.", 0, (const struct field[]){
	FIELD_AS("annotations", FIELD_KVS, 0, .doc = "Annotations."),
	FIELD_AS("labels", FIELD_KVS, 0, .doc = "Labels."),
	FIELD_AS("labelsFrom", FIELD_MAP_, 0, .schema = &label_from_schema, .doc = "Labels whose values are computed when it begins; `workflow.labels.*` has them."),
		{ 0 } } };

static const struct schema plugin_sidecar_schema = { "ExecutorPluginSidecar", "The container of a plugin.", 0,
	(const struct field[]){
	FLAG("automountServiceAccountToken", "Whether it gets a token of its account."),
	FIELD_AS("container", FIELD_OBJ_, 0, .schema = &container_schema, .doc = "The container."), { 0 } } };
static const struct schema plugin_spec_schema = { "ExecutorPluginSpec", "What a plugin is.", 0, (const struct field[]){
	FIELD_AS("sidecar", FIELD_OBJ_, 0, .schema = &plugin_sidecar_schema, .doc = "Its container."), { 0 } } };
static const struct schema executor_plugin_schema = { "ExecutorPlugin", "A plugin that runs with the workflow.", 0,
	(const struct field[]){
	FIELD_AS("metadata", FIELD_OBJ_, 0, .schema = &kube_object_meta_schema, .doc = "Its name."),
	FIELD_AS("spec", FIELD_OBJ_, 0, .schema = &plugin_spec_schema, .doc = "What it is."), { 0 } } };

/* ---- WorkflowSpec ------------------------------------------------------------------------------------------- */

static const char *const shutdowns[] = { "", "Stop", "Terminate", NULL };

static void
check_workflow_spec(void *obj, const struct val *in, struct decode *c UNUSED)
{
	struct workflow_spec *spec = obj;

	spec->volumes_src = val_get(in, S("volumes"));
}

const struct schema workflow_spec_schema = { "WorkflowSpec", "What a workflow does.", sizeof(struct workflow_spec),
	(const struct field[]){
	FIELD(struct workflow_spec, entrypoint, "entrypoint", 0, .doc = "Template to begin with."),
	FIELD_LIST(struct workflow_spec, templates, "templates", 0, &template_schema, .max = 200,
		.doc = "The templates; their names are unique."),
	FIELD_OBJ(struct workflow_spec, arguments, "arguments", 0, &arguments_schema,
		.doc = "Values for the inputs of the first template, and global parameters."),
	FIELD_PTR(struct workflow_spec, workflow_template_ref, "workflowTemplateRef", 0, &workflow_template_ref_schema,
		.doc = "Take the spec from a WorkflowTemplate; what is given here is put over it."),
	FIELD(struct workflow_spec, template_defaults, "templateDefaults", 0, .schema = &template_schema,
		.doc = "What every template gets that does not say otherwise."),
	FIELD(struct workflow_spec, on_exit, "onExit", 0, .doc = "Template to run at the end, however it ended."),
	FIELD_MAP(struct workflow_spec, hooks, "hooks", 0, &hook_schema,
		.doc = "Templates to run while and after it runs."),
	FIELD(struct workflow_spec, parallelism, "parallelism", 0, .min = 1, .max = INT32_MAX,
		.doc = "Most pods at once."),
	FIELD(struct workflow_spec, suspend, "suspend", 0, .doc = "Start nothing until somebody resumes it."),
	FIELD(struct workflow_spec, shutdown, "shutdown", 0, .choices = shutdowns, .doc = "Set by stop and terminate."),
	FIELD(struct workflow_spec, active_deadline_seconds, "activeDeadlineSeconds", 0,
		.doc = "Longest time it may run."),
	FIELD(struct workflow_spec, priority, "priority", 0, .min = INT32_MIN, .max = INT32_MAX,
		.doc = "Higher goes first where workflows wait."),
	FIELD_PTR(struct workflow_spec, retry, "retryStrategy", 0, &retry_strategy_schema,
		.doc = "For every template without one of its own."),
	FIELD_LIST(struct workflow_spec, volumes, "volumes", 0, &volume_schema,
		.doc = "Volumes that all templates may mount."),
	FIELD(struct workflow_spec, workflow_metadata, "workflowMetadata", 0, .schema = &workflow_metadata_schema,
		.doc = "Labels and annotations to add to the workflow."),
	FIELD(struct workflow_spec, pod_metadata, "podMetadata", 0, .schema = &kube_metadata_schema,
		.doc = "Labels and annotations of all pods; a template's own `metadata` goes before."),
	FIELD(struct workflow_spec, service_account, "serviceAccountName", NOEFFECT, .doc = "Account of the pods.",
		.hint = "steps run as the daemon's user, or as `securityContext.runAsUser`; only the variable "
			"workflow.serviceAccountName and `fieldRef` have it"),
	/* later */
	FIELD_AS("artifactGC", FIELD_OBJ_, 0, .schema = &artifact_gc_schema, .doc = "When artifacts are deleted."),
	FIELD_AS("artifactRepositoryRef", FIELD_OBJ_, 0, .schema = &artifact_repository_ref_schema,
		.doc = "Artifact repository to use."),
	FIELD_AS("executorPlugins", FIELD_LIST_, LATER, .schema = &executor_plugin_schema,
		.doc = "Plugins that run with the workflow.",
		.hint = "no executor plugins are run; leave them out, and write http templates or containers in place "
			"of plugin templates"),
	FIELD_AS("metrics", FIELD_OBJ_, 0, .schema = &metrics_schema, .doc = "Metrics to report."),
	FIELD(struct workflow_spec, pod_spec_patch, "podSpecPatch", 0, .schema = &pod_spec_schema,
		.doc = "Patch of every pod, JSON or YAML; that of a template comes after it."),
	FIELD_AS("synchronization", FIELD_OBJ_, 0, .schema = &synchronization_schema,
		.doc = "Locks to hold while it runs."),
	FIELD_AS("volumeClaimGC", FIELD_OBJ_, 0, .schema = &claim_gc_schema,
		.doc = "When claims made for it are deleted."),
	FIELD_AS("volumeClaimTemplates", FIELD_LIST_, 0, .schema = &kube_claim_schema, .max = 100,
		.doc = "Folders to make for it: volumes that all its pods may mount, called as `metadata.name`."),
	/* without a cluster */
	FIELD_AS("affinity", FIELD_OBJ_, NOEFFECT, .schema = &kube_affinity_schema,
		.doc = "Nodes the pods may run on.", WHY_ONE_MACHINE),
	FIELD_AS("archiveLogs", FIELD_BOOL, 0, .doc = "Keep logs as artifacts too; `tidegate logs` shows those of this machine in any case."),
	FIELD_AS("automountServiceAccountToken", FIELD_BOOL, NOEFFECT,
		.doc = "Whether pods get a token of their account.", WHY_NO_TOKEN),
	FIELD_AS("dnsConfig", FIELD_OBJ_, NOEFFECT, .schema = &kube_dns_config_schema,
		.doc = "Settings of the resolver.", WHY_ONE_RESOLVER),
	FIELD_AS("dnsPolicy", FIELD_STR, NOEFFECT, .doc = "Which resolver.", WHY_ONE_RESOLVER),
	FIELD_AS("executor", FIELD_OBJ_, NOEFFECT, .schema = &executor_config_schema,
		.doc = "Account of Argo's own container.", WHY_NO_EXECUTOR),
	FIELD_LIST(struct workflow_spec, host_aliases, "hostAliases", 0, &kube_host_alias_schema,
		.doc = "Lines for /etc/hosts of all pods, in a sandbox."),
	FIELD_AS("hostNetwork", FIELD_BOOL, 0,
		.doc = "Give daemons the network of the host, and no address of their own; all other steps have it anyway."),
	FIELD_AS("imagePullSecrets", FIELD_LIST_, NOEFFECT, .schema = &kube_name_ref_schema,
		.doc = "Credentials for registries.", WHY_NO_PULLING),
	FIELD_AS("nodeSelector", FIELD_KVS, NOEFFECT, .doc = "Labels of nodes the pods may run on.",
		WHY_ONE_MACHINE),
	FIELD_AS("podDisruptionBudget", FIELD_OBJ_, NOEFFECT, .schema = &kube_disruption_budget_schema,
		.doc = "How many pods may be evicted at once.",
		.hint = "nothing evicts a step: it ends by itself, at a deadline, or by stop and terminate"),
	FIELD_AS("podGC", FIELD_OBJ_, 0, .schema = &pod_gc_schema, .doc = "When what pods left is removed: logs and folders."),
	FIELD_AS("podPriorityClassName", FIELD_STR, NOEFFECT, .doc = "Priority class of the pods.", WHY_NO_PREEMPTION),
	FIELD_AS("podResources", FIELD_OBJ_, 0, .schema = &kube_resources_schema,
		.doc = "CPU, memory and storage of each pod whose template does not say."),
	FIELD_AS("resourceClaims", FIELD_LIST_, NOEFFECT, .schema = &kube_pod_resource_claim_schema,
		.doc = "Devices of the pods.", WHY_NO_DEVICES),
	FIELD_AS("schedulerName", FIELD_STR, NOEFFECT, .doc = "Scheduler of the pods.", WHY_ONE_MACHINE),
	FIELD(struct workflow_spec, security_context, "securityContext", 0, .schema = &kube_pod_security_context_schema,
		.doc = "User and group of all pods."),
	FIELD_AS("tolerations", FIELD_LIST_, NOEFFECT, .schema = &kube_toleration_schema,
		.doc = "Taints the pods put up with.", WHY_ONE_MACHINE),
	FIELD_AS("ttlStrategy", FIELD_OBJ_, 0, .schema = &ttl_schema, .doc = "How long the finished workflow is kept."),
	FIELD_SRC(struct workflow_spec, src),
	{ 0 } }, check_workflow_spec };

/* ---- the kinds ---------------------------------------------------------------------------------------------- */

#define ENVELOPE(T) \
	FIELD_AS("apiVersion", FIELD_STR, REQ, .doc = "argoproj.io/v1alpha1."), \
	FIELD_AS("kind", FIELD_STR, REQ, .doc = "Kind of the object."), \
	FIELD_OBJ(T, meta, "metadata", 0, &meta_schema, .doc = "Name, namespace, labels and annotations.")

const struct schema workflow_schema = { "Workflow", "A run of a workflow.", sizeof(struct workflow),
	(const struct field[]){
	ENVELOPE(struct workflow),
	FIELD_OBJ(struct workflow, spec, "spec", REQ, &workflow_spec_schema, .doc = "What it does."),
	FIELD(struct workflow, status, "status", STATUS, .doc = "How far it has come."),
	{ 0 } } };

const struct schema workflow_template_schema = { "WorkflowTemplate", "A workflow, or templates, kept to be used again.",
	sizeof(struct workflow_template),
	(const struct field[]){
	ENVELOPE(struct workflow_template),
	FIELD_OBJ(struct workflow_template, spec, "spec", REQ, &workflow_spec_schema,
		.doc = "What a workflow made from it does."),
	{ 0 } } };

/* What an object that starts workflows says of their metadata: Argo looks at few of ObjectMeta's fields. */
#define NOT_LOOKED_AT .hint = "Argo does not look at it here"
#define OTHER_METADATA \
	FIELD_NONE("creationTimestamp", STATUS, .doc = "Set by the server."), \
	FIELD_NONE("deletionGracePeriodSeconds", STATUS, .doc = "Set by the server."), \
	FIELD_NONE("deletionTimestamp", STATUS, .doc = "Set by the server."), \
	FIELD_NONE("generation", STATUS, .doc = "Set by the server."), \
	FIELD_NONE("managedFields", STATUS, .doc = "Set by the server."), \
	FIELD_NONE("resourceVersion", STATUS, .doc = "Set by the server."), \
	FIELD_NONE("selfLink", STATUS, .doc = "Set by the server."), \
	FIELD_NONE("uid", STATUS, .doc = "Set by the server."), \
	FIELD_AS("namespace", FIELD_STR, NOEFFECT, .doc = "Namespace.", \
		.hint = "workflows are made in the namespace of the object that starts them"), \
	FIELD_AS("ownerReferences", FIELD_LIST_, NOEFFECT, .schema = &kube_owner_schema, .doc = "Objects it belongs to.", \
		NOT_LOOKED_AT)

static const struct schema child_metadata_schema = { "CronWorkflowMetadata", "Metadata of the workflows that are started.", 0,
	(const struct field[]){
	FIELD_AS("annotations", FIELD_KVS, 0, .doc = "Annotations."),
	FIELD_AS("labels", FIELD_KVS, 0, .doc = "Labels."),
	FIELD_AS("finalizers", FIELD_STRS, NOEFFECT, .doc = "Who has something to do before a workflow goes.",
		.hint = "delete deletes at once"),
	FIELD_AS("name", FIELD_STR, NOEFFECT, .doc = "Name.", NOT_LOOKED_AT),
	FIELD_AS("generateName", FIELD_STR, NOEFFECT, .doc = "Beginning of a name.", NOT_LOOKED_AT),
	OTHER_METADATA,
	{ 0 } } };

static const struct schema submit_metadata_schema = { "SubmitMetadata", "Metadata of the workflow; each value is an expression.",
	0, (const struct field[]){
	FIELD_AS("name", FIELD_STR, 0, .doc = "Name."),
	FIELD_AS("generateName", FIELD_STR, 0, .doc = "Beginning of a name; that of the template and `-` by default."),
	FIELD_AS("annotations", FIELD_KVS, 0, .doc = "Annotations."),
	FIELD_AS("labels", FIELD_KVS, 0, .doc = "Labels."),
	FIELD_AS("finalizers", FIELD_STRS, NOEFFECT, .doc = "Who has something to do before the workflow goes.", NOT_LOOKED_AT),
	OTHER_METADATA,
	{ 0 } } };

static void
check_expression(const struct val *in, const char *member, struct decode *c)
{
	struct err e;
	str text = val_get_str(in, member);
	if (text.n && evaluate_check(text, &e))
		decode_error(c, in, member, "not an expression: %s", e.msg);
}

static void
check_stop(void *obj UNUSED, const struct val *in, struct decode *c)
{
	check_expression(in, "expression", c);
}

static void
check_selector(void *obj UNUSED, const struct val *in, struct decode *c)
{
	check_expression(in, "selector", c);
}

static const char *const concurrency_policies[] = { "", "Allow", "Forbid", "Replace", NULL };
static const struct schema stop_strategy_schema = { "StopStrategy", "When a CronWorkflow stops for good.", 0,
	(const struct field[]){
	MUST("expression", "Expression over cronworkflow; once true, nothing is started any more."), { 0 } }, check_stop };

const struct schema cron_workflow_spec_schema = { "CronWorkflowSpec", "When a workflow is started.",
	sizeof(struct cron_workflow_spec), (const struct field[]){
	FIELD(struct cron_workflow_spec, concurrency_policy, "concurrencyPolicy", 0, .choices = concurrency_policies,
		.doc = "What happens if the last one still runs: Allow (default), Forbid, Replace."),
	FIELD(struct cron_workflow_spec, failed_history, "failedJobsHistoryLimit", 0, .dflt = "1", .min = 0,
		.max = INT32_MAX, .doc = "Failed workflows to keep."),
	FIELD(struct cron_workflow_spec, schedules, "schedules", 0,
		.doc = "Cron expressions; each starts a workflow."),
	FIELD(struct cron_workflow_spec, starting_deadline_seconds, "startingDeadlineSeconds", 0, .min = INT64_MIN,
		.max = INT64_MAX,
		.doc = "How late a missed start may be made up for."),
	FIELD(struct cron_workflow_spec, stop_strategy, "stopStrategy", 0, .schema = &stop_strategy_schema,
		.doc = "When to stop for good."),
	FIELD(struct cron_workflow_spec, successful_history, "successfulJobsHistoryLimit", 0, .dflt = "3", .min = 0,
		.max = INT32_MAX, .doc = "Successful workflows to keep."),
	FIELD(struct cron_workflow_spec, suspend, "suspend", 0, .doc = "Start nothing for now."),
	FIELD(struct cron_workflow_spec, timezone, "timezone", 0,
		.doc = "Time zone of the schedules; the machine's by default."),
	FIELD(struct cron_workflow_spec, when, "when", 0,
		.doc = "Condition; if it does not hold, nothing is started."),
	FIELD(struct cron_workflow_spec, workflow_metadata, "workflowMetadata", 0, .schema = &child_metadata_schema,
		.doc = "Metadata of the workflows."),
	FIELD_OBJ(struct cron_workflow_spec, workflow_spec, "workflowSpec", REQ, &workflow_spec_schema,
		.doc = "What is started."),
	FIELD_SRC(struct cron_workflow_spec, src),
	{ 0 } } };

const struct schema cron_workflow_schema = { "CronWorkflow", "A workflow started by the clock.",
	sizeof(struct cron_workflow), (const struct field[]){
	ENVELOPE(struct cron_workflow),
	FIELD_OBJ(struct cron_workflow, spec, "spec", REQ, &cron_workflow_spec_schema, .doc = "When, and what."),
	FIELD(struct cron_workflow, status, "status", STATUS, .doc = "What was started."),
	{ 0 } } };

static const struct schema binding_event_schema = { "Event", "Which events a binding is for.", 0,
	(const struct field[]){
	MUST("selector", "Expression over payload, metadata, namespace and discriminator."), { 0 } }, check_selector };
static const struct schema binding_submit_schema = { "Submit", "What a binding starts.", 0, (const struct field[]){
	FIELD_AS("arguments", FIELD_OBJ_, 0, .schema = &arguments_schema,
		.doc = "Parameters; valueFrom.event is an expression over the event."),
	FIELD_AS("metadata", FIELD_OBJ_, 0, .schema = &submit_metadata_schema,
		.doc = "Metadata of the workflow; each value is an expression."),
	FIELD_AS("workflowTemplateRef", FIELD_OBJ_, REQ, .schema = &workflow_template_ref_schema,
		.doc = "WorkflowTemplate to start."), { 0 } } };

static const struct schema workflow_event_binding_spec_schema = { "WorkflowEventBindingSpec",
	"An event, and what it starts.",
	sizeof(struct workflow_event_binding_spec), (const struct field[]){
	FIELD(struct workflow_event_binding_spec, event, "event", REQ, .schema = &binding_event_schema,
		.doc = "Which events."),
	FIELD(struct workflow_event_binding_spec, submit, "submit", 0, .schema = &binding_submit_schema,
		.doc = "What they start."),
	FIELD_SRC(struct workflow_event_binding_spec, src),
	{ 0 } } };

const struct schema workflow_event_binding_schema = { "WorkflowEventBinding",
	"A WorkflowTemplate started by events sent to the API.",
	sizeof(struct workflow_event_binding), (const struct field[]){
	ENVELOPE(struct workflow_event_binding),
	FIELD_OBJ(struct workflow_event_binding, spec, "spec", REQ, &workflow_event_binding_spec_schema,
		.doc = "Which events start what."),
	{ 0 } } };
