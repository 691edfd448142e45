/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec_template: a template with its ten kinds of body, and what goes with steps and tasks. A template refers to
 * itself: a step may hold one inline.
 */
#include "config/kube.h"
#include "engine/run/evaluate.h"
#include "engine/spec/spec.h"

#define TEXT(name, text) FIELD_AS(name, FIELD_STR, 0, .doc = text)
#define MUST(name, text) FIELD_AS(name, FIELD_STR, REQ, .doc = text)
#define FLAG(name, text) FIELD_AS(name, FIELD_BOOL, 0, .doc = text)

/* ---- retry -------------------------------------------------------------------------------------------------- */

static const struct schema retry_backoff_schema = { "Backoff", "How long to wait between attempts.",
	sizeof(struct retry_backoff), (const struct field[]){
	FIELD(struct retry_backoff, cap, "cap", 0, .doc = "Longest wait between two attempts."),
	FIELD(struct retry_backoff, duration, "duration", 0,
		.doc = "First wait: seconds, or a duration such as 30s; must be given."),
	FIELD(struct retry_backoff, factor, "factor", 0, .doc = "What each wait is multiplied by for the next."),
	FIELD(struct retry_backoff, max_duration, "maxDuration", 0, .doc = "Longest time for all attempts together."),
	{ 0 } } };

static const struct schema node_anti_affinity_schema = { "RetryNodeAntiAffinity",
	"`{}`: another node for each attempt.", 0,
	(const struct field[]){ { 0 } } };
static const struct schema retry_affinity_schema = { "RetryAffinity", "Where the next attempt may run.", 0,
	(const struct field[]){
	FIELD_AS("nodeAntiAffinity", FIELD_OBJ_, 0, .schema = &node_anti_affinity_schema,
		.doc = "Not on a node where it failed."), { 0 } } };

static const char *const retry_policies[] = { "", "Always", "OnFailure", "OnError", "OnTransientError", NULL };

const struct schema retry_strategy_schema = { "RetryStrategy", "Whether and when a failed template runs again.",
	sizeof(struct retry_strategy),
	(const struct field[]){
	FIELD_AS("affinity", FIELD_OBJ_, NOEFFECT, .schema = &retry_affinity_schema,
		.doc = "Where the next attempt may run.", .hint = "there is only this host to try again on"),
	FIELD_PTR(struct retry_strategy, backoff, "backoff", 0, &retry_backoff_schema,
		.doc = "Waits between attempts; none by default."),
	FIELD(struct retry_strategy, expression, "expression", 0,
		.doc = "Expression over lastRetry that must hold for another attempt."),
	FIELD(struct retry_strategy, limit, "limit", 0, .doc = "Attempts after the first; no limit if absent."),
	FIELD(struct retry_strategy, policy, "retryPolicy", 0, .choices = retry_policies,
		.doc = "What is tried again: OnFailure by default, Always if there is an expression."),
	FIELD_SRC(struct retry_strategy, src),
	{ 0 } } };

/* ---- references --------------------------------------------------------------------------------------------- */

const struct schema template_ref_schema = { "TemplateRef", "A template of a WorkflowTemplate.",
	sizeof(struct template_ref), (const struct field[]){
	FIELD(struct template_ref, cluster_scope, "clusterScope", 0, .doc = "Whether it is a ClusterWorkflowTemplate."),
	FIELD(struct template_ref, name, "name", 0, .doc = "Name of the WorkflowTemplate."),
	FIELD(struct template_ref, tmpl, "template", 0, .doc = "Name of the template in it."),
	FIELD_SRC(struct template_ref, src),
	{ 0 } } };

const struct schema hook_schema = { "LifecycleHook", "A template that runs when something has come about.",
	sizeof(struct hook), (const struct field[]){
	FIELD_OBJ(struct hook, arguments, "arguments", 0, &arguments_schema, .doc = "Values for its inputs."),
	FIELD(struct hook, expression, "expression", 0,
		.doc = "Condition; must be given unless the hook is called exit."),
	FIELD(struct hook, tmpl, "template", 0, .doc = "Name of the template."),
	FIELD_PTR(struct hook, template_ref, "templateRef", 0, &template_ref_schema,
		.doc = "The template, if it is another object's."),
	FIELD_SRC(struct hook, src),
	{ 0 } } };

/* ---- steps and tasks ---------------------------------------------------------------------------------------- */

static const struct schema continue_on_schema = { "ContinueOn", "Ends that count as success for what follows.",
	sizeof(struct continue_on), (const struct field[]){
	FIELD(struct continue_on, error, "error", 0, .doc = "Error."),
	FIELD(struct continue_on, failed, "failed", 0, .doc = "Failed."),
	{ 0 } } };

static const struct schema sequence_schema = { "Sequence", "A range of numbers to loop over.", sizeof(struct sequence),
	(const struct field[]){
	FIELD(struct sequence, count, "count", 0, .doc = "How many; excludes end."),
	FIELD(struct sequence, end, "end", 0, .doc = "Last number; smaller than start counts down."),
	FIELD(struct sequence, format, "format", 0, .doc = "printf format of an item, such as `%02X`."),
	FIELD(struct sequence, start, "start", 0, .doc = "First number; 0 by default."),
	{ 0 } } };

#define STEP_ROWS \
	FIELD_OBJ(struct step, arguments, "arguments", 0, &arguments_schema, \
		.doc = "Values for the inputs of the template."), \
	FIELD_PTR(struct step, continue_on, "continueOn", 0, &continue_on_schema, .doc = "Failures to ignore."), \
	FIELD_MAP(struct step, hooks, "hooks", 0, &hook_schema, .doc = "Templates to run beside and after it."), \
	FIELD(struct step, inline_template, "inline", 0, .schema = &template_schema, \
		.doc = "The template itself, without a name."), \
	FIELD(struct step, name, "name", 0, .doc = "Name, for variables and in the tree."), \
	FIELD(struct step, on_exit, "onExit", DEPRECATED, .doc = "Template to run after it.", \
		.hint = "write hooks: {exit: {template: ...}}"), \
	FIELD(struct step, tmpl, "template", 0, .doc = "Name of the template to run."), \
	FIELD_PTR(struct step, template_ref, "templateRef", 0, &template_ref_schema, \
		.doc = "The template, if it is another object's."), \
	FIELD(struct step, when, "when", 0, .doc = "Condition; if it does not hold, it is skipped."), \
	FIELD(struct step, with_items, "withItems", 0, .doc = "Run it once for each item of this list."), \
	FIELD(struct step, with_param, "withParam", 0, \
		.doc = "Run it once for each item of the JSON list that this text is."), \
	FIELD_PTR(struct step, with_sequence, "withSequence", 0, &sequence_schema, \
		.doc = "Run it once for each number."), \
	FIELD_SRC(struct step, src)

const struct schema step_schema = { "WorkflowStep", "A step; the steps of an inner list run side by side.",
	sizeof(struct step), (const struct field[]){
	STEP_ROWS,
	{ 0 } } };

const struct schema dag_task_schema = { "DAGTask", "A task of a graph.", sizeof(struct step), (const struct field[]){
	STEP_ROWS,
	FIELD(struct step, dependencies, "dependencies", 0,
		.doc = "Tasks that must have ended well before; excludes depends."),
	FIELD(struct step, depends, "depends", 0,
		.doc = "Condition over other tasks: `A.Succeeded && (B || C.Failed)`."),
	{ 0 } } };

static const struct schema dag_schema = { "DAGTemplate", "Tasks that wait for each other.", sizeof(struct dag),
	(const struct field[]){
	FIELD(struct dag, fail_fast, "failFast", 0, .dflt = "true", .doc = "Whether the first failed target decides."),
	FIELD(struct dag, target, "target", 0,
		.doc = "Tasks to reach, space between; by default those nobody depends on."),
	FIELD_LIST(struct dag, tasks, "tasks", 0, &dag_task_schema, .doc = "The tasks."),
	FIELD_SRC(struct dag, src),
	{ 0 } } };

static const struct schema suspend_schema = { "SuspendTemplate", "Waits.", sizeof(struct suspend),
	(const struct field[]){
	FIELD(struct suspend, duration, "duration", ANYSTR,
		.doc = "Resume after so long: seconds, or a duration such as 1h; never if absent."),
	FIELD_SRC(struct suspend, src),
	{ 0 } } };

/* ---- container sets ------------------------------------------------------------------------------------------ */

static const struct schema container_set_retry_schema = { "ContainerSetRetryStrategy",
	"Whether a member runs its command again.", sizeof(struct container_set_retry), (const struct field[]){
	FIELD(struct container_set_retry, duration, "duration", 0, .doc = "Wait between attempts, such as 10s."),
	FIELD(struct container_set_retry, retries, "retries", 0,
		.doc = "Number of attempts, the first one included: as Argo does, whatever its documentation says."),
	{ 0 } } };

static const struct schema container_set_schema = { "ContainerSetTemplate", "Containers that share one pod.",
	sizeof(struct container_set), (const struct field[]){
	FIELD_LIST(struct container_set, containers, "containers", 0, &container_node_schema, .max = CONTAINERS_MAX,
		.doc = "The members."),
	FIELD_PTR(struct container_set, retry, "retryStrategy", 0, &container_set_retry_schema,
		.doc = "Attempts of a member."),
	FIELD_LIST(struct container_set, volume_mounts, "volumeMounts", 0, &volume_mount_schema,
		.doc = "Mounts of every member."),
	FIELD_SRC(struct container_set, src),
	{ 0 } } };

/* ---- bodies that are served later --------------------------------------------------------------------------- */

static const struct schema manifest_from_schema = { "ManifestFrom", "A manifest in an artifact.", 0,
	(const struct field[]){
	FIELD_AS("artifact", FIELD_OBJ_, REQ, .schema = &artifact_schema, .doc = "Input artifact that holds it."),
		{ 0 } } };

static const struct schema resource_schema = { "ResourceTemplate", "An action on an object of the cluster.", 0,
	(const struct field[]){
	TEXT("action", "get, create, apply, delete, replace or patch."), TEXT("failureCondition",
		"Condition on the object that means failure."),
	FIELD_AS("flags", FIELD_STRS, 0, .doc = "Further arguments of kubectl."), TEXT("manifest", "The object."),
	FIELD_AS("manifestFrom", FIELD_OBJ_, 0, .schema = &manifest_from_schema, .doc = "Artifact with the object."),
	TEXT("mergeStrategy", "strategic, merge or json, for patch."), FLAG("setOwnerReference",
		"Delete the object with the workflow."),
	TEXT("successCondition", "Condition on the object that means success."), { 0 } } };

static const struct schema http_header_source_schema = { "HTTPHeaderSource", "Where a header takes its value from.",
	sizeof(struct http_header_source), (const struct field[]){
	FIELD_PTR(struct http_header_source, secret_key, "secretKeyRef", 0, &secret_ref_schema, .doc = "A key of a Secret."),
	{ 0 } } };

static const struct schema http_header_schema = { "HTTPHeader", "A header of the request.", sizeof(struct http_header_field),
	(const struct field[]){
	FIELD(struct http_header_field, name, "name", REQ, .doc = "Header name."),
	FIELD(struct http_header_field, value, "value", 0, .doc = "Header value."),
	FIELD_PTR(struct http_header_field, value_from, "valueFrom", 0, &http_header_source_schema,
		.doc = "Where to take the value from."),
	{ 0 } } };

static const struct schema http_body_source_schema = { "HTTPBodySource", "A body of bytes.", sizeof(struct http_body_source),
	(const struct field[]){
	FIELD(struct http_body_source, bytes, "bytes", 0, .doc = "The bytes in base64."), { 0 } } };

static void
check_http(void *obj, const struct val *in, struct decode *c)
{
	const struct http_request *rq = obj;
	struct err e;

	if (str_find(rq->success_condition, S("{{"), 0) == SIZE_MAX && rq->success_condition.n &&
		evaluate_check(rq->success_condition, &e))
		decode_warn(c, in, "successCondition", "not an expression: %s", e.msg);
}

static const struct schema http_schema = { "HTTP", "An HTTP request.", sizeof(struct http_request), (const struct field[]){
	FIELD(struct http_request, body, "body", 0, .doc = "Body to send."),
	FIELD_PTR(struct http_request, body_from, "bodyFrom", 0, &http_body_source_schema, .doc = "Body that is no text."),
	FIELD_LIST(struct http_request, headers, "headers", 0, &http_header_schema, .max = 200, .doc = "Headers to send."),
	FIELD(struct http_request, insecure_skip_verify, "insecureSkipVerify", 0, .doc = "Do not check the certificate."),
	FIELD(struct http_request, method, "method", 0, .doc = "Method; GET by default."),
	FIELD(struct http_request, success_condition, "successCondition", 0,
		.doc = "Expression over request and response; 2xx by default."),
	FIELD(struct http_request, timeout_seconds, "timeoutSeconds", 0, .min = 0, .max = 604800,
		.doc = "Longest time for the request; none if absent or 0."),
	FIELD(struct http_request, url, "url", REQ, .doc = "URL to call."),
	FIELD_SRC(struct http_request, src),
	{ 0 } }, check_http };

static const struct schema data_source_schema = { "DataSource", "Where the data comes from.", 0, (const struct field[]){
	FIELD_AS("artifactPaths", FIELD_OBJ_, REQ, .schema = &artifact_paths_schema,
		.doc = "Keys of the objects at a location: those beneath its key, or all of its bucket."), { 0 } } };

static const struct schema transformation_schema = { "TransformationStep", "A change of the data.", 0,
	(const struct field[]){
	MUST("expression", "Expression over `data`."), { 0 } } };

static const struct schema data_schema = { "Data", "A list made from what lies at a location.", 0,
	(const struct field[]){
	FIELD_AS("source", FIELD_OBJ_, REQ, .schema = &data_source_schema, .doc = "Where it comes from."),
	FIELD_AS("transformation", FIELD_LIST_, 0, .schema = &transformation_schema, .doc = "Changes, in order."),
		{ 0 } } };

/* ---- locks, cache, metrics ---------------------------------------------------------------------------------- */

/* Argo takes these in, and fails when it gets there: said before. */
static void
check_mutex(void *obj, const struct val *in, struct decode *c)
{
	const struct mutex_ref *m = obj;
	if (!m->name.n)
		decode_warn(c, in, "name", "a mutex without a name: who asks for it will fail");
}

static void
check_semaphore(void *obj, const struct val *in, struct decode *c)
{
	const struct semaphore_ref *s = obj;
	if (!s->config_map_key == !s->database)
		decode_warn(c, in, NULL, "a semaphore must have one of configMapKeyRef and database: who asks for it will fail");
}

static const struct schema mutex_schema = { "Mutex", "A lock one may hold.", sizeof(struct mutex_ref),
	(const struct field[]){
	FIELD(struct mutex_ref, database, "database", 0,
		.doc = "Whether it is a lock of its own among those of the database."),
	FIELD(struct mutex_ref, name, "name", 0, .doc = "Name of the lock."),
	FIELD(struct mutex_ref, ns, "namespace", 0, .doc = "Namespace of the lock; the workflow's if not given."),
	{ 0 } }, check_mutex };

static const struct schema sync_database_schema = { "SyncDatabaseRef", "A limit that `tidegate sync` keeps.",
	sizeof(struct sync_database_ref), (const struct field[]){
	FIELD(struct sync_database_ref, key, "key", REQ, .doc = "Key of the limit."),
	{ 0 } } };

static const struct schema semaphore_schema = { "SemaphoreRef", "A lock several may hold.",
	sizeof(struct semaphore_ref), (const struct field[]){
	FIELD_PTR(struct semaphore_ref, config_map_key, "configMapKeyRef", 0, &config_map_ref_schema,
		.doc = "Key of a ConfigMap that holds the limit; a change of it counts at once."),
	FIELD_PTR(struct semaphore_ref, database, "database", 0, &sync_database_schema,
		.doc = "Limit that `tidegate sync` keeps."),
	FIELD(struct semaphore_ref, ns, "namespace", 0, .doc = "Namespace of the lock; the workflow's if not given."),
	{ 0 } }, check_semaphore };

const struct schema synchronization_schema = { "Synchronization",
	"Locks to hold while it runs: all of them or none, first come first served by priority.",
	sizeof(struct synchronization), (const struct field[]){
	FIELD_LIST(struct synchronization, mutexes, "mutexes", 0, &mutex_schema, .max = 1000,
		.doc = "Locks one may hold."),
	FIELD_LIST(struct synchronization, semaphores, "semaphores", 0, &semaphore_schema, .max = 1000,
		.doc = "Locks several may hold."),
	{ 0 } } };

static const struct schema cache_schema = { "Cache", "Where results are kept.", 0, (const struct field[]){
	FIELD_AS("configMap", FIELD_OBJ_, REQ, .schema = &kube_name_ref_schema, .doc = "ConfigMap that holds them."),
		{ 0 } } };

static const struct schema memoize_schema = { "Memoize", "Results that are used again.", 0, (const struct field[]){
	FIELD_AS("cache", FIELD_OBJ_, 0, .schema = &cache_schema, .doc = "Where they are kept."), TEXT("key",
		"Key of the result."),
	TEXT("maxAge", "How old a result may be, such as 10s."), { 0 } } };

static const struct schema counter_schema = { "Counter", "A metric that grows.", 0, (const struct field[]){
	FIELD_AS("value", FIELD_STR, ANYSTR, .doc = "What to add."), { 0 } } };
static const struct schema gauge_schema = { "Gauge", "A metric that rises and falls.", 0, (const struct field[]){
	TEXT("operation", "Set, Add or Sub."), FLAG("realtime", "Report it while the thing runs."), 
	FIELD_AS("value", FIELD_STR, ANYSTR, .doc = "The value."), { 0 } } };
static const struct schema histogram_schema = { "Histogram", "A metric that counts by size.", 0, (const struct field[]){
	FIELD_AS("buckets", FIELD_VAL, 0, .doc = "Upper bounds, numbers."), FIELD_AS("value", FIELD_STR, ANYSTR,
		.doc = "What to count."), { 0 } } };
static const struct schema metric_label_schema = { "MetricLabel", "A label of a metric.", 0, (const struct field[]){
	FIELD_AS("key", FIELD_STR, 0, .doc = "Name."), FIELD_AS("value", FIELD_STR, 0, .doc = "Value."), { 0 } } };

static const struct schema prometheus_schema = { "Prometheus", "A metric of one's own.", 0, (const struct field[]){
	FIELD_AS("counter", FIELD_OBJ_, 0, .schema = &counter_schema, .doc = "Make it a counter."),
	FIELD_AS("gauge", FIELD_OBJ_, 0, .schema = &gauge_schema, .doc = "Make it a gauge."),
	FIELD_AS("help", FIELD_STR, 0, .doc = "What it means."),
	FIELD_AS("histogram", FIELD_OBJ_, 0, .schema = &histogram_schema, .doc = "Make it a histogram."),
	FIELD_AS("labels", FIELD_LIST_, 0, .schema = &metric_label_schema, .doc = "Labels."),
	FIELD_AS("name", FIELD_STR, 0, .doc = "Name."), FIELD_AS("when", FIELD_STR, 0,
		.doc = "Condition to report it."), { 0 } } };

const struct schema metrics_schema = { "Metrics", "Metrics of one's own.", 0, (const struct field[]){
	FIELD_AS("prometheus", FIELD_LIST_, 0, .schema = &prometheus_schema, .doc = "The metrics."), { 0 } } };

const struct schema executor_config_schema = { "ExecutorConfig", "Settings of Argo's own container.", 0,
	(const struct field[]){
	TEXT("serviceAccountName", "Account it uses."), { 0 } } };

/* ---- template ----------------------------------------------------------------------------------------------- */

/* In the order of precedence that the original has when several come in by templateDefaults (spec: 1.2). */
static const struct {
	enum template_type type;
	const char *key;
} bodies[] = {
	{ TEMPLATE_CONTAINER, "container" }, { TEMPLATE_CONTAINER_SET, "containerSet" }, { TEMPLATE_STEPS, "steps" },
	{ TEMPLATE_DAG, "dag" }, { TEMPLATE_SCRIPT, "script" }, { TEMPLATE_RESOURCE, "resource" },
	{ TEMPLATE_DATA, "data" }, { TEMPLATE_SUSPEND, "suspend" },
	{ TEMPLATE_HTTP, "http" }, { TEMPLATE_PLUGIN, "plugin" },
};

static void
check_template(void *obj, const struct val *in, struct decode *c UNUSED)
{
	struct template *t = obj;

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		const struct val *body = val_get(in, str_c(bodies[i].key));

		if (!body || val_resolve(body).kind == VAL_NULL)
			continue;
		if (t->bodies++ == 0)
			t->type = bodies[i].type;
	}
	t->has_steps = val_is(val_get(in, S("steps")), VAL_LIST);
}

const struct schema template_schema = { "Template",
	"A piece of work that can be run by its name. It has exactly one of the ten bodies.",
	sizeof(struct template), (const struct field[]){
	/* bodies */
	FIELD_PTR(struct template, container, "container", 0, &container_schema, .doc = "Body: a command in an image."),
	FIELD_PTR(struct template, container_set, "containerSet", 0, &container_set_schema,
		.doc = "Body: containers in one pod."),
	FIELD_PTR(struct template, dag, "dag", 0, &dag_schema, .doc = "Body: tasks that wait for each other."),
	FIELD(struct template, data, "data", 0, .schema = &data_schema,
		.doc = "Body: a list of what lies at a location, changed by expressions: its `outputs.result`, as JSON."),
	FIELD_PTR(struct template, http, "http", 0, &http_schema, .doc = "Body: an HTTP request."),
	FIELD(struct template, plugin, "plugin", LATER, .doc = "Body: whatever an executor plugin serves.",
		.hint = "no executor plugins are run; write an http template that calls the service, or a container"),
	FIELD(struct template, resource, "resource", LATER, .schema = &resource_schema,
		.doc = "Body: an action on an object of the cluster.",
		.hint = "there is no cluster to act on; write a script template that calls kubectl with a kubeconfig, "
			"and for another Workflow's templates a step with templateRef"),
	FIELD_PTR(struct template, script, "script", 0, &script_schema, .doc = "Body: a script."),
	FIELD_LISTS(struct template, steps, "steps", 0, &step_schema,
		.doc = "Body: groups one after the other, the steps of a group side by side."),
	FIELD_PTR(struct template, suspend, "suspend", 0, &suspend_schema, .doc = "Body: wait."),
	/* what all have */
	FIELD(struct template, name, "name", 0, .doc = "Name; letters, digits and `-`."),
	FIELD_OBJ(struct template, inputs, "inputs", 0, &inputs_schema, .doc = "What it takes."),
	FIELD_OBJ(struct template, outputs, "outputs", 0, &outputs_schema, .doc = "What it gives."),
	FIELD(struct template, metadata, "metadata", 0, .schema = &kube_metadata_schema,
		.doc = "Labels of its pods, for `logs --selector`, and annotations: "
		       "`workflows.argoproj.io/progress` is the progress they begin with."),
	FIELD(struct template, annotations, "annotations", 0,
		.doc = "Annotations of its nodes; `workflows.argoproj.io/display-name` renames them."),
	FIELD(struct template, active_deadline_seconds, "activeDeadlineSeconds", 0,
		.doc = "Longest time it may run; not for steps and dag."),
	FIELD(struct template, timeout, "timeout", 0,
		.doc = "Longest time from its node's start, waiting included; not for steps and dag."),
	FIELD(struct template, pending_timeout, "pendingTimeout", 0,
		.doc = "Longest time it may wait to be started; not for steps and dag."),
	FIELD_PTR(struct template, retry, "retryStrategy", 0, &retry_strategy_schema,
		.doc = "Whether a failure is tried again."),
	FIELD(struct template, parallelism, "parallelism", 0, .min = 1, .max = INT32_MAX,
		.doc = "Most children at once; steps and dag only."),
	FIELD(struct template, fail_fast, "failFast", 0,
		.doc = "Start nothing more once a child has failed; steps and dag only."),
	FIELD_LIST(struct template, volumes, "volumes", 0, &volume_schema, .doc = "Volumes of its own."),
	/* later */
	FIELD_AS("archiveLocation", FIELD_OBJ_, 0, .schema = &artifact_location_schema,
		.doc = "Where its artifacts go."),
	FIELD(struct template, daemon, "daemon", 0,
		.doc = "Go on as soon as it is ready, and stop it when the steps or dag around it end."),
	FIELD_LIST(struct template, init_containers, "initContainers", 0, &user_container_schema, .max = CONTAINERS_MAX,
		.doc = "Containers that run before it, one after the other."),
	FIELD(struct template, memoize, "memoize", 0, .schema = &memoize_schema,
		.doc = "Use an earlier result again."),
	FIELD_AS("metrics", FIELD_OBJ_, 0, .schema = &metrics_schema, .doc = "Metrics to report."),
	FIELD(struct template, pod_spec_patch, "podSpecPatch", 0, .schema = &pod_spec_schema,
		.doc = "Patch of the pod, JSON or YAML: what of a pod means something here is patched, the rest is checked."),
	FIELD_LIST(struct template, sidecars, "sidecars", 0, &user_container_schema, .max = CONTAINERS_MAX,
		.doc = "Containers that run beside it, and are ended when it has ended."),
	FIELD_PTR(struct template, synchronization, "synchronization", 0, &synchronization_schema,
		.doc = "Locks to hold while it runs."),
	/* without a cluster */
	FIELD_AS("affinity", FIELD_OBJ_, NOEFFECT, .schema = &kube_affinity_schema, .doc = "Nodes it may run on.",
		WHY_ONE_MACHINE),
	FIELD_AS("automountServiceAccountToken", FIELD_BOOL, NOEFFECT,
		.doc = "Whether it gets a token of its account.", WHY_NO_TOKEN),
	FIELD_AS("executor", FIELD_OBJ_, NOEFFECT, .schema = &executor_config_schema,
		.doc = "Account of Argo's own container.", WHY_NO_EXECUTOR),
	FIELD_LIST(struct template, host_aliases, "hostAliases", 0, &kube_host_alias_schema,
		.doc = "Lines for /etc/hosts, in a sandbox."),
	FIELD_AS("nodeSelector", FIELD_KVS, NOEFFECT, .doc = "Labels of nodes it may run on.", WHY_ONE_MACHINE),
	FIELD(struct template, pod_resources, "podResources", 0, .schema = &kube_resources_schema,
		.doc = "CPU, memory and storage of the pod: its containers have no more together."),
	FIELD_AS("priorityClassName", FIELD_STR, NOEFFECT, .doc = "Priority class of the pod.", WHY_NO_PREEMPTION),
	FIELD_AS("resourceClaims", FIELD_LIST_, NOEFFECT, .schema = &kube_pod_resource_claim_schema,
		.doc = "Devices of the pod.", WHY_NO_DEVICES),
	FIELD_AS("schedulerName", FIELD_STR, NOEFFECT, .doc = "Scheduler of the pod.", WHY_ONE_MACHINE),
	FIELD(struct template, security_context, "securityContext", 0, .schema = &kube_pod_security_context_schema,
		.doc = "User and group of its containers."),
	FIELD_AS("serviceAccountName", FIELD_STR, NOEFFECT, .doc = "Account of the pod.",
		.hint = "it runs as the daemon's user, or as `securityContext.runAsUser`; only `fieldRef` has it"),
	FIELD_AS("tolerations", FIELD_LIST_, NOEFFECT, .schema = &kube_toleration_schema,
		.doc = "Taints it puts up with.", WHY_ONE_MACHINE),
	FIELD_SRC(struct template, src),
	{ 0 } }, check_template };
