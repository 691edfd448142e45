/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube_template: the pod and the service that Argo Events makes for an EventSource or a Sensor. Here they need neither.
 */
#include "config/kube.h"

static const struct schema service_port_schema = { "ServicePort", "A port of the service.", 0, (const struct field[]){
	FIELD_AS("appProtocol", FIELD_STR, 0, .doc = "Application protocol."),
	FIELD_AS("name", FIELD_STR, 0, .doc = "Name of the port."),
	FIELD_AS("nodePort", FIELD_INT, 0, .min = 0, .max = 65535, .doc = "Port on every node."),
	FIELD_AS("port", FIELD_INT, REQ, .min = 1, .max = 65535, .doc = "Port of the service."),
	FIELD_AS("protocol", FIELD_STR, 0, .doc = "TCP, UDP or SCTP."),
	FIELD_AS("targetPort", FIELD_INTSTR, 0, .doc = "Port of the pod, by number or name."),
	{ 0 } } };

const struct schema kube_service_schema = { "Service", "The Kubernetes service in front of a source.", 0,
	(const struct field[]){
	FIELD_AS("clusterIP", FIELD_STR, 0, .doc = "Address of the service; None for a headless one."),
	FIELD_AS("metadata", FIELD_OBJ_, 0, .schema = &kube_metadata_schema, .doc = "Labels and annotations."),
	FIELD_AS("ports", FIELD_LIST_, 0, .schema = &service_port_schema, .doc = "Ports."),
	{ 0 } } };

static const struct schema template_container_schema = { "Container",
	"The container that would run the source or sensor.", 0, (const struct field[]){
	FIELD_AS("env", FIELD_LIST_, 0, .schema = &env_var_schema, .doc = "Environment variables."),
	FIELD_AS("envFrom", FIELD_LIST_, 0, .schema = &env_from_schema,
		.doc = "Environment variables from whole objects."),
	FIELD_AS("image", FIELD_STR, 0, .doc = "Image."),
	FIELD_AS("imagePullPolicy", FIELD_STR, 0, .doc = "When the image is pulled."),
	FIELD_AS("livenessProbe", FIELD_OBJ_, 0, .schema = &kube_probe_schema,
		.doc = "A look that restarts the container."),
	FIELD_AS("readinessProbe", FIELD_OBJ_, 0, .schema = &kube_probe_schema,
		.doc = "A look that says when it is ready."),
	FIELD_AS("resources", FIELD_OBJ_, 0, .schema = &kube_resources_schema, .doc = "CPU and memory."),
	FIELD_AS("securityContext", FIELD_OBJ_, 0, .schema = &kube_security_context_schema, .doc = "Privileges."),
	FIELD_AS("volumeMounts", FIELD_LIST_, 0, .schema = &volume_mount_schema, .doc = "Where volumes appear."),
	{ 0 } } };

const struct schema kube_pod_template_schema = { "Template", "The pod that Argo Events would make.", 0,
	(const struct field[]){
	FIELD_AS("affinity", FIELD_OBJ_, 0, .schema = &kube_affinity_schema, .doc = "Nodes it may run on."),
	FIELD_AS("container", FIELD_OBJ_, 0, .schema = &template_container_schema, .doc = "Its container."),
	FIELD_AS("imagePullSecrets", FIELD_LIST_, 0, .schema = &kube_name_ref_schema,
		.doc = "Credentials for registries."),
	FIELD_AS("metadata", FIELD_OBJ_, 0, .schema = &kube_metadata_schema, .doc = "Labels and annotations."),
	FIELD_AS("nodeSelector", FIELD_KVS, 0, .doc = "Labels of nodes it may run on."),
	FIELD_AS("priority", FIELD_INT, 0, .doc = "Priority of the pod."),
	FIELD_AS("priorityClassName", FIELD_STR, 0, .doc = "Priority class of the pod."),
	FIELD_AS("securityContext", FIELD_OBJ_, 0, .schema = &kube_pod_security_context_schema, .doc = "Privileges."),
	FIELD_AS("serviceAccountName", FIELD_STR, 0, .doc = "Account of the pod."),
	FIELD_AS("tolerations", FIELD_LIST_, 0, .schema = &kube_toleration_schema, .doc = "Taints it puts up with."),
	FIELD_AS("volumes", FIELD_LIST_, 0, .schema = &volume_schema, .doc = "Volumes."),
	{ 0 } } };
