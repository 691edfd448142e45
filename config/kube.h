/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube: the types that manifests borrow from Kubernetes, as tables. Most of what they say means nothing on one machine;
 * it is checked for names and types all the same, so that a typing slip in an affinity is found here and not on the day
 * the manifest meets a cluster. The few types whose content is used have a struct.
 */
#ifndef TIDEGATE_CONFIG_KUBE_H
#define TIDEGATE_CONFIG_KUBE_H

#include "config/config.h"
#include "core/field.h"

/* kube_pod.c: what a container may say besides its command */
extern const struct schema kube_probe_schema, kube_lifecycle_schema, kube_port_schema, kube_resize_policy_schema,
	kube_restart_rule_schema, kube_resources_schema, kube_security_context_schema, kube_volume_device_schema, kube_field_ref_schema,
	kube_resource_field_ref_schema;
/* kube_sched.c: where a pod runs, and as whom */
extern const struct schema kube_affinity_schema, kube_toleration_schema, kube_host_alias_schema, kube_dns_config_schema,
	kube_pod_security_context_schema, kube_disruption_budget_schema, kube_label_selector_schema,
		kube_name_ref_schema,
	kube_metadata_schema, kube_pod_resource_claim_schema;
/* kube_volume.c: the volumes that are not served, and claims */
extern const struct schema kube_claim_schema, kube_claim_spec_schema, kube_claim_template_schema,
	kube_object_meta_schema, kube_owner_schema,
	kube_projected_schema, kube_downward_api_schema, kube_nfs_schema, kube_csi_schema, kube_ephemeral_schema,
	kube_image_volume_schema, kube_aws_disk_schema, kube_azure_disk_schema, kube_azure_file_schema,
		kube_cephfs_schema,
	kube_cinder_schema, kube_fc_schema, kube_flex_schema, kube_flocker_schema, kube_gce_disk_schema,
	kube_git_repo_schema, kube_glusterfs_schema, kube_iscsi_schema, kube_photon_schema, kube_portworx_schema,
	kube_quobyte_schema, kube_rbd_schema, kube_scaleio_schema, kube_storageos_schema, kube_vsphere_schema;

/* kube_env.c */
extern const struct schema env_var_schema, env_from_schema, volume_mount_schema, volume_schema, key_to_path_schema;
/*
 * kube_template.c: `template` of an EventSource or a Sensor, and the `service` of an EventSource: nothing of it has an
 * effect
 */
extern const struct schema kube_pod_template_schema, kube_service_schema;

/* {metadata.labels, metadata.annotations}: what `metadata`, `podMetadata` hold. */
struct kube_metadata {
	struct kvs labels, annotations;
};

/* What a probe or a lifecycle hook does: one of them. */
struct exec_action {
	struct strs command;
};
struct probe_header {
	str name, value;
};
struct http_get {
	str host, path, scheme;
	struct intstr port;             /* a number, or the name of one of the container's ports */
	LIST_OF(struct probe_header) headers;
};
struct tcp_socket {
	str host;
	struct intstr port;
};
struct sleep_action {
	int64_t seconds;
};
struct probe {
	struct exec_action *exec;
	struct http_get *http_get;
	struct tcp_socket *tcp_socket;
	int64_t failures, successes;    /* in a row */
	int64_t delay, period, timeout; /* seconds; period and timeout 0: Kubernetes' defaults, 10 and 1 */
};
struct lifecycle_handler {
	struct exec_action *exec;
	struct http_get *http_get;
	struct tcp_socket *tcp_socket;
	struct sleep_action *sleep;
};
struct container_lifecycle {
	struct lifecycle_handler *post_start, *pre_stop;
};
struct container_port {
	str name;
	int64_t port;
};
struct host_alias {
	str ip;
	struct strs hostnames;
};
struct env_from_key {
	struct secret_ref *secret, *config_map;
	const struct val *field_ref, *resource_field_ref;
};
struct env_var {
	str name, value;
	struct env_from_key *value_from;
};
/* {name, optional}: a whole ConfigMap or Secret. */
struct object_ref {
	str name;
	bool optional;
};
struct env_from {
	str prefix;
	struct object_ref *config_map, *secret; /* one of them */
};
struct volume_mount {
	str name, mount_path, sub_path, sub_path_expr;
	bool read_only;
	const struct val *src;
};
/* Volumes that the process executor serves have a member; the others are LATER. */
struct key_to_path {
	str key, path;
	struct opt_int mode;
};
struct empty_dir {
	str medium;                     /* "" or "Memory" */
	struct intstr size_limit;       /* a quantity: "64Mi" */
};
struct host_path {
	str path, type;                 /* type as Kubernetes has it: "", DirectoryOrCreate, Directory, FileOrCreate, File, ... */
};
/* A ConfigMap or Secret as files. */
struct object_volume {
	str name;
	LIST_OF(struct key_to_path) items; /* empty: every key */
	struct opt_int default_mode;    /* not set: 0644 */
	bool optional;
};
struct claim_volume {
	str claim_name;
	bool read_only;
};
/* A file with a field of the pod in it. */
struct downward_file {
	str path;
	const struct val *field_ref, *resource_field_ref; /* one of them */
	struct opt_int mode;
};
struct downward_volume {
	LIST_OF(struct downward_file) items;
	struct opt_int default_mode;    /* of a volume, not of a projection; not set: 0644 */
};
/* One source of a projected volume: one of these, or a kind that is not served. */
struct projection {
	struct object_volume *config_map, *secret; /* without default_mode */
	struct downward_volume *downward;
	const struct val *src;
};
struct projected_volume {
	LIST_OF(struct projection) sources;
	struct opt_int default_mode;
};
struct volume {
	str name;
	struct empty_dir *empty_dir;    /* one of these; all NULL: an emptyDir, or a kind that is not served */
	struct host_path *host_path;
	struct object_volume *config_map, *secret;
	struct claim_volume *claim;
	struct downward_volume *downward;
	struct projected_volume *projected;
	const struct val *ephemeral;    /* a claim that goes with the pod: a folder, as an emptyDir */
	const struct val *src;
};


/* ---- why fields have no effect: for the tables of several kinds ---------------------------------------------------- */

#define WHY_ONE_MACHINE .hint = "there is one machine, and every step runs on it"
#define WHY_NO_PREEMPTION .hint = "nothing is preempted; `priority` of the workflow orders those that wait"
#define WHY_NO_TOKEN .hint = "no step gets a token; what is to use the API gets one by a Secret"
#define WHY_NO_EXECUTOR .hint = "there is no executor container: the daemon's helper does its work, see docs/steps.md"
#define WHY_ONE_RESOLVER .hint = "steps have a copy of the machine's /etc/resolv.conf; for single names there is `hostAliases`"
#define WHY_NO_PULLING .hint = "no step pulls an image: `tidegate image pull` does, with `--authfile` or `registries` of the settings"
#define WHY_NO_FORWARDING .hint = "nothing is forwarded: a daemon is reached at its own address, any other step has the machine's ports"
#define WHY_NO_DEVICES .hint = "no devices are allocated; docs/steps.md says which a step has"
#define WHY_IN_THE_DAEMON .hint = "sources and sensors run within the daemon, under its user; docs/reference/settings.md has its settings"

#endif
