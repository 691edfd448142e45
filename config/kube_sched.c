/* SPDX-License-Identifier: Apache-2.0 */
/* kube_sched: affinity, tolerations, DNS, disruption budgets, label selectors: types and names only. */
#include "config/kube.h"

static const char *const effects[] = { "", "NoSchedule", "PreferNoSchedule", "NoExecute", NULL };
static const char *const toleration_operators[] = { "", "Equal", "Exists", "Lt", "Gt", NULL };
static const char *const label_operators[] = { "In", "NotIn", "Exists", "DoesNotExist", NULL };
static const char *const node_operators[] = { "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", NULL };

const struct schema kube_name_ref_schema = { "LocalObjectReference", "The name of an object in the same namespace.", 0,
	(const struct field[]){
	FIELD_AS("name", FIELD_STR, 0, .doc = "Name of the object."),
	{ 0 } } };

const struct schema kube_metadata_schema = { "Metadata", "Labels and annotations for a pod.",
	sizeof(struct kube_metadata), (const struct field[]){
	FIELD(struct kube_metadata, labels, "labels", 0, .doc = "Labels by name."),
	FIELD(struct kube_metadata, annotations, "annotations", 0, .doc = "Annotations by name."),
	{ 0 } } };

static const struct schema label_requirement_schema = { "LabelSelectorRequirement", "A condition on one label.", 0,
	(const struct field[]){
	FIELD_AS("key", FIELD_STR, REQ, .doc = "Label name."),
	FIELD_AS("operator", FIELD_STR, REQ, .choices = label_operators, .doc = "How the label relates to the values."),
	FIELD_AS("values", FIELD_STRS, 0, .doc = "Values for In and NotIn."),
	{ 0 } } };

const struct schema kube_label_selector_schema = { "LabelSelector", "Conditions on labels; all must hold.", 0,
	(const struct field[]){
	FIELD_AS("matchExpressions", FIELD_LIST_, 0, .schema = &label_requirement_schema,
		.doc = "Conditions with an operator."),
	FIELD_AS("matchLabels", FIELD_KVS, 0, .doc = "Labels that must have exactly these values."),
	{ 0 } } };

/* ---- affinity ----------------------------------------------------------------------------------------------- */

static const struct schema node_requirement_schema = { "NodeSelectorRequirement",
	"A condition on a label or field of a node.", 0, (const struct field[]){
	FIELD_AS("key", FIELD_STR, REQ, .doc = "Label or field."),
	FIELD_AS("operator", FIELD_STR, REQ, .choices = node_operators, .doc = "How it relates to the values."),
	FIELD_AS("values", FIELD_STRS, 0, .doc = "Values; one integer for Gt and Lt."),
	{ 0 } } };

static const struct schema node_term_schema = { "NodeSelectorTerm", "Conditions on a node; all must hold.", 0,
	(const struct field[]){
	FIELD_AS("matchExpressions", FIELD_LIST_, 0, .schema = &node_requirement_schema,
		.doc = "Conditions on labels."),
	FIELD_AS("matchFields", FIELD_LIST_, 0, .schema = &node_requirement_schema, .doc = "Conditions on fields."),
	{ 0 } } };

static const struct schema node_selector_schema = { "NodeSelector", "Terms, one of which must hold.", 0,
	(const struct field[]){
	FIELD_AS("nodeSelectorTerms", FIELD_LIST_, REQ, .schema = &node_term_schema, .doc = "The terms."),
	{ 0 } } };

static const struct schema preferred_node_schema = { "PreferredSchedulingTerm", "A node term with a weight.", 0,
	(const struct field[]){
	FIELD_AS("preference", FIELD_OBJ_, REQ, .schema = &node_term_schema, .doc = "The term."),
	FIELD_AS("weight", FIELD_INT, REQ, .min = 1, .max = 100, .doc = "How much it counts."),
	{ 0 } } };

#define REQUIRED "requiredDuringSchedulingIgnoredDuringExecution"
#define PREFERRED "preferredDuringSchedulingIgnoredDuringExecution"

static const struct schema node_affinity_schema = { "NodeAffinity", "Nodes a pod wants or must have.", 0,
	(const struct field[]){
	FIELD_AS(PREFERRED, FIELD_LIST_, 0, .schema = &preferred_node_schema, .doc = "Nodes to prefer."),
	FIELD_AS(REQUIRED, FIELD_OBJ_, 0, .schema = &node_selector_schema, .doc = "Nodes it must run on."),
	{ 0 } } };

static const struct schema pod_term_schema = { "PodAffinityTerm", "Pods to be near to, or far from.", 0,
	(const struct field[]){
	FIELD_AS("labelSelector", FIELD_OBJ_, 0, .schema = &kube_label_selector_schema, .doc = "Which pods."),
	FIELD_AS("matchLabelKeys", FIELD_STRS, 0, .doc = "Labels whose values must be those of the new pod."),
	FIELD_AS("mismatchLabelKeys", FIELD_STRS, 0, .doc = "Labels whose values must differ from the new pod's."),
	FIELD_AS("namespaceSelector", FIELD_OBJ_, 0, .schema = &kube_label_selector_schema,
		.doc = "Namespaces by label."),
	FIELD_AS("namespaces", FIELD_STRS, 0, .doc = "Namespaces by name."),
	FIELD_AS("topologyKey", FIELD_STR, REQ, .doc = "Node label that says what near means."),
	{ 0 } } };

static const struct schema weighted_pod_schema = { "WeightedPodAffinityTerm", "A pod term with a weight.", 0,
	(const struct field[]){
	FIELD_AS("podAffinityTerm", FIELD_OBJ_, REQ, .schema = &pod_term_schema, .doc = "The term."),
	FIELD_AS("weight", FIELD_INT, REQ, .min = 1, .max = 100, .doc = "How much it counts."),
	{ 0 } } };

static const struct schema pod_affinity_schema = { "PodAffinity", "Pods a pod wants to be near to, or far from.", 0,
	(const struct field[]){
	FIELD_AS(PREFERRED, FIELD_LIST_, 0, .schema = &weighted_pod_schema, .doc = "Terms to prefer."),
	FIELD_AS(REQUIRED, FIELD_LIST_, 0, .schema = &pod_term_schema, .doc = "Terms that must hold."),
	{ 0 } } };

const struct schema kube_affinity_schema = { "Affinity", "On which nodes, and near which pods, a pod may run.", 0,
	(const struct field[]){
	FIELD_AS("nodeAffinity", FIELD_OBJ_, 0, .schema = &node_affinity_schema, .doc = "Nodes."),
	FIELD_AS("podAffinity", FIELD_OBJ_, 0, .schema = &pod_affinity_schema, .doc = "Pods to be near to."),
	FIELD_AS("podAntiAffinity", FIELD_OBJ_, 0, .schema = &pod_affinity_schema, .doc = "Pods to be far from."),
	{ 0 } } };

const struct schema kube_toleration_schema = { "Toleration", "A taint of nodes that a pod puts up with.", 0,
	(const struct field[]){
	FIELD_AS("effect", FIELD_STR, 0, .choices = effects, .doc = "Effect of the taint; all if empty."),
	FIELD_AS("key", FIELD_STR, 0, .doc = "Key of the taint; all if empty."),
	FIELD_AS("operator", FIELD_STR, 0, .choices = toleration_operators, .doc = "How the value is compared."),
	FIELD_AS("tolerationSeconds", FIELD_INT, 0, .doc = "How long a NoExecute taint is put up with."),
	FIELD_AS("value", FIELD_STR, 0, .doc = "Value of the taint."),
	{ 0 } } };

/* ---- network ------------------------------------------------------------------------------------------------ */

const struct schema kube_host_alias_schema = { "HostAlias", "A line for /etc/hosts.",
	sizeof(struct host_alias), (const struct field[]){
	FIELD(struct host_alias, hostnames, "hostnames", 0, .doc = "Names for the address."),
	FIELD(struct host_alias, ip, "ip", REQ, .doc = "The address."),
	{ 0 } } };

static const struct schema dns_option_schema = { "PodDNSConfigOption", "An option of the resolver.", 0,
	(const struct field[]){
	FIELD_AS("name", FIELD_STR, 0, .doc = "Name of the option."),
	FIELD_AS("value", FIELD_STR, 0, .doc = "Its value, if it has one."),
	{ 0 } } };

const struct schema kube_dns_config_schema = { "PodDNSConfig", "Settings of a pod's resolver.", 0,
	(const struct field[]){
	FIELD_AS("nameservers", FIELD_STRS, 0, .doc = "Addresses of name servers."),
	FIELD_AS("options", FIELD_LIST_, 0, .schema = &dns_option_schema, .doc = "Resolver options."),
	FIELD_AS("searches", FIELD_STRS, 0, .doc = "Domains to search in."),
	{ 0 } } };

/* ---- the rest ----------------------------------------------------------------------------------------------- */

const struct schema kube_disruption_budget_schema = { "PodDisruptionBudgetSpec",
	"How many pods may be evicted at once.", 0, (const struct field[]){
	FIELD_AS("maxUnavailable", FIELD_INTSTR, 0, .doc = "Most pods that may be away, as a number or a percentage."),
	FIELD_AS("minAvailable", FIELD_INTSTR, 0, .doc = "Least pods that must stay, as a number or a percentage."),
	FIELD_AS("selector", FIELD_OBJ_, 0, .schema = &kube_label_selector_schema, .doc = "Which pods."),
	FIELD_AS("unhealthyPodEvictionPolicy", FIELD_STR, 0,
		.doc = "Whether pods that are not ready may always be evicted."),
	{ 0 } } };

const struct schema kube_pod_resource_claim_schema = { "PodResourceClaim", "A device claim of the pod.", 0,
	(const struct field[]){
	FIELD_AS("name", FIELD_STR, REQ, .doc = "Name that containers use."),
	FIELD_AS("resourceClaimName", FIELD_STR, 0, .doc = "Name of a ResourceClaim."),
	FIELD_AS("resourceClaimTemplateName", FIELD_STR, 0, .doc = "Name of a ResourceClaimTemplate."),
	{ 0 } } };
