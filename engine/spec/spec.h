/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec: the Workflow language as C structs, and the tables that decode them (spec.c for Argo's own types, kube.c for
 * those borrowed from Kubernetes). All fields of the format have a row; those without a member here are FIELD_NONE rows
 * that say whether they come later or mean nothing without a cluster.
 *
 * A template is decoded after its variables were put in, so that every member has its final text.
 */
#ifndef TIDEGATE_ENGINE_SPEC_SPEC_H
#define TIDEGATE_ENGINE_SPEC_SPEC_H

#include "config/config.h"
#include "config/kube.h"
#include "core/field.h"

/* ---- parameters and artifacts ------------------------------------------------------------------------------- */

struct value_from {
	str path, json_path, jq_filter, parameter, expression, event;
	str dflt;                       /* .p == NULL: not given */
	const struct val *supplied;     /* {} */
	struct secret_ref *config_map_key;
	const struct val *src;
};
struct parameter {
	str name;
	str value, dflt, description, global_name; /* AnyString; .p == NULL: not given */
	struct strs enum_values;
	bool has_enum;                  /* an enum was given, be it empty */
	struct value_from *value_from;
	const struct val *src;
};
struct artifact {
	str name, path, from, from_expression, sub_path, global_name;
	bool optional, deleted;
	const struct val *src;          /* the locations are decoded by the artifact drivers */
};
struct arguments {
	LIST_OF(struct parameter) parameters;
	LIST_OF(struct artifact) artifacts;
	const struct val *src;
};
struct outputs {
	LIST_OF(struct parameter) parameters;
	LIST_OF(struct artifact) artifacts;
	str result, exit_code;          /* written by the engine */
	const struct val *src;
};

/* ---- containers --------------------------------------------------------------------------------------------- */

struct container {
	str name, image;
	struct strs command, args;
	bool has_command, has_args;     /* `args: []` is not the same as none */
	str working_dir, image_pull_policy;
	LIST_OF(struct env_var) env;
	LIST_OF(struct env_from) env_from;
	LIST_OF(struct volume_mount) volume_mounts;
	const struct val *resources, *security_context;
	LIST_OF(struct container_port) ports;
	struct probe *readiness_probe, *liveness_probe, *startup_probe;
	struct container_lifecycle *lifecycle;
	str termination_message_path, termination_message_policy;
	bool mirror_volume_mounts;      /* side containers only */
	str source;                     /* script templates only */
	struct strs dependencies;       /* members of a container set only */
	const struct val *src;
};
#define CONTAINERS_MAX 100 /* of each kind in a pod */
struct container_set_retry {
	str duration;
	struct intstr retries;
};
struct container_set {
	LIST_OF(struct container) containers;
	LIST_OF(struct volume_mount) volume_mounts;
	struct container_set_retry *retry;
	const struct val *src;
};

/* ---- locks --------------------------------------------------------------------------------------------------- */

struct mutex_ref {
	str name, ns;
	bool database;
};
struct sync_database_ref {
	str key;
};
struct semaphore_ref {
	struct secret_ref *config_map_key;
	struct sync_database_ref *database;
	str ns;
};
struct synchronization {
	LIST_OF(struct mutex_ref) mutexes;
	LIST_OF(struct semaphore_ref) semaphores;
};

/* ---- templates ---------------------------------------------------------------------------------------------- */

struct retry_backoff {
	str duration, max_duration, cap;
	struct intstr factor;
};
struct retry_strategy {
	struct intstr limit;            /* absent: unlimited */
	str policy, expression;         /* policy "": OnFailure, or Always if there is an expression */
	struct retry_backoff *backoff;
	const struct val *src;
};
struct template_ref {
	str name, tmpl;
	bool cluster_scope;
	const struct val *src;
};
struct continue_on {
	bool error, failed;
};
struct sequence {
	struct intstr count, start, end;
	str format;
};
struct hook {
	str name, tmpl, expression;
	struct template_ref *template_ref;
	struct arguments arguments;
	const struct val *src;
};
/* A step of `steps`, or a task of a `dag`. */
struct step {
	str name, tmpl, when, with_param, on_exit;
	struct template_ref *template_ref;
	const struct val *inline_template; /* undecoded: it may hold variables */
	struct arguments arguments;
	const struct val *with_items;
	struct sequence *with_sequence;
	struct continue_on *continue_on;
	LIST_OF(struct hook) hooks;
	struct strs dependencies;       /* dag only */
	str depends;                    /* dag only; .p == NULL: not given */
	const struct val *src;
};
struct step_group {
	struct step *p;
	size_t n;
};
struct dag {
	LIST_OF(struct step) tasks;
	str target;
	tri fail_fast;
	const struct val *src;
};
struct suspend {
	str duration;
	const struct val *src;
};
struct http_header_source {
	struct secret_ref *secret_key;
};
struct http_header_field {
	str name, value;
	struct http_header_source *value_from;
};
struct http_body_source {
	str bytes; /* base64 */
};
struct http_request {
	str url, method, body, success_condition;
	LIST_OF(struct http_header_field) headers;
	struct http_body_source *body_from;
	int64_t timeout_seconds; /* 0: none */
	bool insecure_skip_verify;
	const struct val *src;
};
enum template_type { TEMPLATE_NONE, TEMPLATE_CONTAINER, TEMPLATE_CONTAINER_SET, TEMPLATE_SCRIPT, TEMPLATE_STEPS,
	TEMPLATE_DAG, TEMPLATE_RESOURCE,
	TEMPLATE_SUSPEND, TEMPLATE_DATA, TEMPLATE_HTTP, TEMPLATE_PLUGIN };
struct template {
	str name;
	enum template_type type;        /* set by the schema's check; the first present in the order of spec 1.2 */
	unsigned bodies;                /* how many of the ten are given */
	struct arguments inputs;
	struct outputs outputs;
	struct container *container, *script;
	LIST_OF(struct step_group) steps;
	bool has_steps;
	struct dag *dag;
	struct suspend *suspend;
	struct http_request *http;
	struct container_set *container_set;
	const struct val *data;              /* DataSource and transformation, as they are */
	const struct val *resource, *plugin; /* not served */
	LIST_OF(struct container) init_containers, sidecars;
	LIST_OF(struct host_alias) host_aliases;
	str pod_spec_patch;
	const struct val *security_context;
	LIST_OF(struct volume) volumes;
	struct retry_strategy *retry;
	struct intstr active_deadline_seconds;
	str timeout, pending_timeout;
	struct opt_int parallelism;
	tri fail_fast, daemon;
	struct kvs annotations;
	struct synchronization *synchronization;
	const struct val *metadata, *memoize, *pod_resources, *src;
};

/* ---- workflows ---------------------------------------------------------------------------------------------- */

struct workflow_template_ref {
	str name;
	bool cluster_scope;
	const struct val *src;
};
struct workflow_spec {
	str entrypoint, on_exit, service_account, shutdown;
	struct arguments arguments;
	LIST_OF(struct template) templates; /* decoded as written, for validation; run.c decodes again after substitution */
	struct workflow_template_ref *workflow_template_ref;
	const struct val *template_defaults;
	LIST_OF(struct hook) hooks;
	LIST_OF(struct volume) volumes;
	const struct val *volumes_src;
	struct opt_int parallelism, active_deadline_seconds, priority;
	bool suspend;
	struct retry_strategy *retry;
	const struct val *workflow_metadata, *pod_metadata, *security_context, *src;
	LIST_OF(struct host_alias) host_aliases;
	str pod_spec_patch;
};
struct workflow {
	struct meta meta;
	struct workflow_spec spec;
	const struct val *status;
};
/* WorkflowTemplate and ClusterWorkflowTemplate. */
struct workflow_template {
	struct meta meta;
	struct workflow_spec spec;
};
struct cron_workflow_spec {
	struct strs schedules;
	str timezone, concurrency_policy, when;
	bool suspend;
	struct opt_int starting_deadline_seconds, successful_history, failed_history;
	struct workflow_spec workflow_spec;
	const struct val *workflow_metadata, *stop_strategy, *src;
};
struct cron_workflow {
	struct meta meta;
	struct cron_workflow_spec spec;
	const struct val *status;
};
struct workflow_event_binding_spec {
	const struct val *event, *submit, *src;
};
struct workflow_event_binding {
	struct meta meta;
	struct workflow_event_binding_spec spec;
};

/* spec_args.c */
extern const struct schema parameter_schema, artifact_schema, artifact_paths_schema, artifact_location_schema,
	arguments_schema, inputs_schema, outputs_schema;
/*
 * spec_container.c; container_schema has `name`, script_schema adds `source`, user_container_schema adds
 * `mirrorVolumeMounts`
 */
extern const struct schema container_schema, script_schema, user_container_schema, container_node_schema;
/* pod_spec.c */
extern const struct schema pod_spec_schema;
/* The text of a podSpecPatch, a map in the arena with YAML's plain scalars as they were written. ERR_INVALID, in Argo's words: it is no object in JSON or YAML. */
int pod_spec_read(struct arena *a, str text, const struct val **out, struct err *e) MUST_CHECK;
/* spec_template.c */
extern const struct schema template_schema, step_schema, dag_task_schema, hook_schema, retry_strategy_schema,
	template_ref_schema,
	synchronization_schema, metrics_schema, executor_config_schema, artifact_gc_schema;
/* spec.c */
extern const struct schema workflow_schema, workflow_spec_schema, workflow_template_schema, cron_workflow_schema,
	cron_workflow_spec_schema, workflow_event_binding_schema;

/* ---- validation (validate.c) ---------------------------------------------------------------------------------- */

struct run_world;
enum validate_mode {
	VALIDATE_SUBMIT,   /* argument values must be there */
	VALIDATE_LINT,     /* they may be missing */
	VALIDATE_TEMPLATE, /* a (Cluster)WorkflowTemplate: entrypoint optional, arguments taken as given */
};
/*
 * Everything of spec 6 that a table row cannot say, and what is not served yet in places that no row names ({{=...}}).
 * `manifest` is the whole object as written: a Workflow, a (Cluster)WorkflowTemplate or a CronWorkflow. A
 * workflowTemplateRef is followed and merged here; what is wrong in another object is reported where it is referred to.
 * The texts hold Argo's messages (v4.1.2, workflow/validate/validate.go), all of them at once instead of the first; the
 * findings have the manifest's positions and are in d->file. `ns` is the namespace to look in if the manifest names
 * none.
 */
void workflow_validate(const struct val *manifest, enum validate_mode mode, const struct run_world *w, str ns,
	struct diags *d);

#endif
