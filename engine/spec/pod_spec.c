/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pod_spec: the fields of a pod that podSpecPatch may name, as of Kubernetes 1.33, and what becomes of them; and how the text
 * of a patch is read.
 */
#include "config/kube.h"
#include "engine/spec/spec.h"

#define NO_CLUSTER_NAMES .hint = "there is no DNS of a cluster; `hostAliases` gives names to addresses"
#define OWN_NAMESPACES .hint = "docs/steps.md says which namespaces a step has of its own"

const struct schema pod_spec_schema = { "PodSpec",
	"What a podSpecPatch may change of the pod of a step, in JSON or YAML: merged as Kubernetes merges, lists by their keys.", 0,
	(const struct field[]){
	FIELD_AS("containers", FIELD_LIST_, 0, .schema = &user_container_schema,
		.doc = "Containers by name: `main`, those of the template, and others that are to run beside them."),
	FIELD_AS("initContainers", FIELD_LIST_, 0, .schema = &user_container_schema, .doc = "Containers that run before, by name."),
	FIELD_AS("volumes", FIELD_LIST_, 0, .schema = &volume_schema, .doc = "Volumes by name."),
	FIELD_AS("hostAliases", FIELD_LIST_, 0, .schema = &kube_host_alias_schema, .doc = "Lines for /etc/hosts, by address."),
	FIELD_AS("securityContext", FIELD_OBJ_, 0, .schema = &kube_pod_security_context_schema,
		.doc = "User and group of all containers."),
	FIELD_AS("activeDeadlineSeconds", FIELD_INTSTR, 0, .doc = "Longest time it may run."),
	FIELD_AS("terminationGracePeriodSeconds", FIELD_INT, 0, .min = 0, .max = INT32_MAX,
		.doc = "Time between SIGTERM and SIGKILL; 30 by default."),
	/* without effect */
	FIELD_AS("affinity", FIELD_OBJ_, NOEFFECT, .schema = &kube_affinity_schema, .doc = "Nodes it may run on.", WHY_ONE_MACHINE),
	FIELD_AS("automountServiceAccountToken", FIELD_BOOL, NOEFFECT, .doc = "Whether it gets a token of its account.",
		WHY_NO_TOKEN),
	FIELD_AS("dnsConfig", FIELD_OBJ_, NOEFFECT, .schema = &kube_dns_config_schema, .doc = "Settings of the resolver.",
		WHY_ONE_RESOLVER),
	FIELD_AS("dnsPolicy", FIELD_STR, NOEFFECT, .doc = "Which resolver.", WHY_ONE_RESOLVER),
	FIELD_AS("enableServiceLinks", FIELD_BOOL, NOEFFECT, .doc = "Variables for the services of the namespace.",
		.hint = "there are no services"),
	FIELD_AS("ephemeralContainers", FIELD_VAL, NOEFFECT, .doc = "Containers to look into it with.",
		.hint = "nobody can attach to a step; `tidegate logs` shows what it printed"),
	FIELD_AS("hostIPC", FIELD_BOOL, NOEFFECT, .doc = "Use the host's IPC.", OWN_NAMESPACES),
	FIELD_AS("hostNetwork", FIELD_BOOL, NOEFFECT, .doc = "Use the host's network.",
		.hint = "all but daemons do; for those it stands in the spec of the workflow"),
	FIELD_AS("hostPID", FIELD_BOOL, NOEFFECT, .doc = "See the host's processes.", OWN_NAMESPACES),
	FIELD_AS("hostUsers", FIELD_BOOL, NOEFFECT, .doc = "Use the host's users.",
		.hint = "the first sandbox that works is taken, see docs/steps.md"),
	FIELD_AS("hostname", FIELD_STR, NOEFFECT, .doc = "Host name.", NO_CLUSTER_NAMES),
	FIELD_AS("hostnameOverride", FIELD_STR, NOEFFECT, .doc = "Host name, whatever else says.", NO_CLUSTER_NAMES),
	FIELD_AS("imagePullSecrets", FIELD_LIST_, NOEFFECT, .schema = &kube_name_ref_schema, .doc = "Credentials for registries.",
		WHY_NO_PULLING),
	FIELD_AS("nodeName", FIELD_STR, NOEFFECT, .doc = "Node to run on.", WHY_ONE_MACHINE),
	FIELD_AS("nodeSelector", FIELD_KVS, NOEFFECT, .doc = "Labels of nodes it may run on.", WHY_ONE_MACHINE),
	FIELD_AS("os", FIELD_VAL, NOEFFECT, .doc = "Operating system.", .hint = "steps are processes of Linux"),
	FIELD_AS("overhead", FIELD_VAL, NOEFFECT, .doc = "What the runtime takes for itself.",
		.hint = "there is no container runtime"),
	FIELD_AS("preemptionPolicy", FIELD_STR, NOEFFECT, .doc = "Whether others go for it.", WHY_NO_PREEMPTION),
	FIELD_AS("priority", FIELD_INT, NOEFFECT, .doc = "Priority of the pod.", WHY_NO_PREEMPTION),
	FIELD_AS("priorityClassName", FIELD_STR, NOEFFECT, .doc = "Priority class of the pod.", WHY_NO_PREEMPTION),
	FIELD_AS("readinessGates", FIELD_VAL, NOEFFECT, .doc = "Conditions for it to be ready.",
		.hint = "a daemon is ready when its `readinessProbe` says so"),
	FIELD_AS("resourceClaims", FIELD_LIST_, NOEFFECT, .schema = &kube_pod_resource_claim_schema, .doc = "Devices of the pod.",
		WHY_NO_DEVICES),
	FIELD_AS("resources", FIELD_OBJ_, NOEFFECT, .schema = &kube_resources_schema, .doc = "What the pod may take.",
		.hint = "write `podResources` into the template"),
	FIELD_AS("restartPolicy", FIELD_STR, NOEFFECT, .doc = "Whether its containers are restarted.",
		.hint = "those of a workflow's pod never are; `retryStrategy` tries again"),
	FIELD_AS("runtimeClassName", FIELD_STR, NOEFFECT, .doc = "Container runtime.", .hint = "there is no container runtime"),
	FIELD_AS("schedulerName", FIELD_STR, NOEFFECT, .doc = "Scheduler of the pod.", WHY_ONE_MACHINE),
	FIELD_AS("schedulingGates", FIELD_VAL, NOEFFECT, .doc = "What holds it back.",
		.hint = "`suspend` and `synchronization` hold a step back"),
	FIELD_AS("serviceAccount", FIELD_STR, NOEFFECT, .doc = "Account of the pod.", .hint = "write `serviceAccountName` into the template"),
	FIELD_AS("serviceAccountName", FIELD_STR, NOEFFECT, .doc = "Account of the pod.", .hint = "write it into the template"),
	FIELD_AS("setHostnameAsFQDN", FIELD_BOOL, NOEFFECT, .doc = "Host name with its domain.", NO_CLUSTER_NAMES),
	FIELD_AS("shareProcessNamespace", FIELD_BOOL, NOEFFECT, .doc = "Containers see each other's processes.", OWN_NAMESPACES),
	FIELD_AS("subdomain", FIELD_STR, NOEFFECT, .doc = "Domain below that of the cluster.", NO_CLUSTER_NAMES),
	FIELD_AS("tolerations", FIELD_LIST_, NOEFFECT, .schema = &kube_toleration_schema, .doc = "Taints it puts up with.",
		WHY_ONE_MACHINE),
	FIELD_AS("topologySpreadConstraints", FIELD_VAL, NOEFFECT, .doc = "How pods are spread over nodes.", WHY_ONE_MACHINE),
	{ 0 } } };

int
pod_spec_read(struct arena *a, str text, const struct val **out, struct err *e)
{
	struct diags found;
	struct val *docs;
	size_t n = 0;
	diags_init(&found);
	int rc = yaml_read_all(a, S("podSpecPatch"), arena_dup(a, text), NULL, &docs, &n, &found);
	*out = n == 1 ? &docs[0] : NULL;
	if (rc || !val_is(*out, VAL_MAP))
		rc = err_set(e, ERR_INVALID, "Invalid PodSpecPatch String: %.*s",
			STR_ARG(found.v.n ? found.v.p[0].text : S("it is not an object in JSON or YAML")));
	diags_free(&found);
	return rc;
}
