/* SPDX-License-Identifier: Apache-2.0 */
/* kube_pod: probes, lifecycle, ports, resources and security of a container. */
#include "config/kube.h"

static const char *const protocols[] = { "TCP", "UDP", "SCTP", NULL };
static const char *const field_versions[] = { "", "v1", NULL };
static const char *const schemes[] = { "HTTP", "HTTPS", NULL };

static const struct schema exec_action_schema = { "ExecAction", "A command run inside the container.",
	sizeof(struct exec_action), (const struct field[]){
	FIELD(struct exec_action, command, "command", 0, .doc = "Command and arguments; no shell is involved."),
	{ 0 } } };

static const struct schema grpc_action_schema = { "GRPCAction", "A call of the gRPC health service.", 0,
	(const struct field[]){
	FIELD_AS("port", FIELD_INT, REQ, .min = 1, .max = 65535, .doc = "Port of the gRPC service."),
	FIELD_AS("service", FIELD_STR, 0, .doc = "Service name to ask for; the server as a whole if empty."),
	{ 0 } } };

static const struct schema http_header_schema = { "ProbeHTTPHeader", "A header of a probe's request.",
	sizeof(struct probe_header), (const struct field[]){
	FIELD(struct probe_header, name, "name", REQ, .doc = "Header name."),
	FIELD(struct probe_header, value, "value", REQ | EMPTY_OK, .doc = "Header value."),
	{ 0 } } };

static const struct schema http_get_schema = { "HTTPGetAction", "An HTTP GET that must answer 2xx or 3xx.",
	sizeof(struct http_get), (const struct field[]){
	FIELD(struct http_get, host, "host", 0, .doc = "Host to connect to, an address; the container itself by default."),
	FIELD_LIST(struct http_get, headers, "httpHeaders", 0, &http_header_schema, .doc = "Headers to send."),
	FIELD(struct http_get, path, "path", 0, .doc = "Path to request."),
	FIELD(struct http_get, port, "port", REQ, .doc = "Port number, or the name of a port of the container."),
	FIELD(struct http_get, scheme, "scheme", 0, .choices = schemes, .dflt = "HTTP",
		.doc = "Whether to use TLS, which is not served in a step."),
	{ 0 } } };

static const struct schema tcp_socket_schema = { "TCPSocketAction", "A connection that must be accepted.",
	sizeof(struct tcp_socket), (const struct field[]){
	FIELD(struct tcp_socket, host, "host", 0, .doc = "Host to connect to, an address; the container itself by default."),
	FIELD(struct tcp_socket, port, "port", REQ, .doc = "Port number, or the name of a port of the container."),
	{ 0 } } };

static const struct schema sleep_action_schema = { "SleepAction", "A pause.", sizeof(struct sleep_action),
	(const struct field[]){
	FIELD(struct sleep_action, seconds, "seconds", REQ, .min = 0, .max = INT32_MAX, .doc = "Length of the pause."),
	{ 0 } } };

#define ACTION_ROWS(T) \
	FIELD_PTR(T, exec, "exec", 0, &exec_action_schema, .doc = "Run a command."), \
	FIELD_PTR(T, http_get, "httpGet", 0, &http_get_schema, .doc = "Send an HTTP request."), \
	FIELD_PTR(T, tcp_socket, "tcpSocket", 0, &tcp_socket_schema, .doc = "Open a TCP connection.")

const struct schema kube_probe_schema = { "Probe", "A repeated look at whether a container is well.",
	sizeof(struct probe), (const struct field[]){
	ACTION_ROWS(struct probe),
	FIELD_AS("grpc", FIELD_OBJ_, LATER, .schema = &grpc_action_schema, .doc = "Ask the gRPC health service.",
		.hint = "use tcpSocket, or exec with a client of your own"),
	FIELD(struct probe, failures, "failureThreshold", 0, .dflt = "3", .min = 0, .max = INT32_MAX,
		.doc = "Failures in a row before the probe counts as failed."),
	FIELD(struct probe, delay, "initialDelaySeconds", 0, .dflt = "0", .min = 0, .max = INT32_MAX,
		.doc = "Wait after the start of the container."),
	FIELD(struct probe, period, "periodSeconds", 0, .dflt = "10", .min = 0, .max = INT32_MAX,
		.doc = "Time between two looks."),
	FIELD(struct probe, successes, "successThreshold", 0, .dflt = "1", .min = 0, .max = INT32_MAX,
		.doc = "Successes in a row before the probe counts as good again."),
	FIELD_AS("terminationGracePeriodSeconds", FIELD_INT, NOEFFECT,
		.doc = "Time to end in when a failed probe stops the container.", .hint = "that of the pod counts"),
	FIELD(struct probe, timeout, "timeoutSeconds", 0, .dflt = "1", .min = 0, .max = INT32_MAX,
		.doc = "Longest time a look may take."),
	{ 0 } } };

static const struct schema lifecycle_handler_schema = { "LifecycleHandler",
	"What to do at a point in a container's life.", sizeof(struct lifecycle_handler), (const struct field[]){
	ACTION_ROWS(struct lifecycle_handler),
	FIELD_PTR(struct lifecycle_handler, sleep, "sleep", 0, &sleep_action_schema, .doc = "Wait."),
	{ 0 } } };

const struct schema kube_lifecycle_schema = { "Lifecycle", "Actions after the start and before the end of a container.",
	sizeof(struct container_lifecycle), (const struct field[]){
	FIELD_PTR(struct container_lifecycle, post_start, "postStart", 0, &lifecycle_handler_schema,
		.doc = "Right after the container was started; if it fails, the container is ended."),
	FIELD_PTR(struct container_lifecycle, pre_stop, "preStop", 0, &lifecycle_handler_schema,
		.doc = "Before the container is told to end, within the time it has for that."),
	FIELD_AS("stopSignal", FIELD_STR, LATER, .doc = "Signal that tells the container to end.",
		.hint = "it is told by SIGTERM"),
	{ 0 } } };

const struct schema kube_port_schema = { "ContainerPort", "A port the container listens on; informational.",
	sizeof(struct container_port), (const struct field[]){
	FIELD(struct container_port, port, "containerPort", REQ, .min = 1, .max = 65535, .doc = "Port number in the container."),
	FIELD_AS("hostIP", FIELD_STR, NOEFFECT, .doc = "Host address to bind.", WHY_NO_FORWARDING),
	FIELD_AS("hostPort", FIELD_INT, NOEFFECT, .min = 0, .max = 65535, .doc = "Port of the host to forward.",
		WHY_NO_FORWARDING),
	FIELD(struct container_port, name, "name", 0, .doc = "Name that probes may use."),
	FIELD_AS("protocol", FIELD_STR, 0, .choices = protocols, .dflt = "TCP",
		.doc = "Transport protocol; only told, as in Kubernetes: any port may be used."),
	{ 0 } } };

static const struct schema exit_codes_schema = { "ContainerRestartRuleOnExitCodes", "Exit codes of a container.", 0,
	(const struct field[]){
	FIELD_AS("operator", FIELD_STR, REQ, .doc = "In or NotIn."),
	FIELD_AS("values", FIELD_VAL, 0, .doc = "The exit codes, integers."),
	{ 0 } } };

const struct schema kube_restart_rule_schema = { "ContainerRestartRule", "When a container is restarted in place.", 0,
	(const struct field[]){
	FIELD_AS("action", FIELD_STR, REQ, .doc = "Restart or RestartAllContainers."),
	FIELD_AS("exitCodes", FIELD_OBJ_, 0, .schema = &exit_codes_schema, .doc = "With which exit codes."),
	{ 0 } } };

const struct schema kube_resize_policy_schema = { "ContainerResizePolicy",
	"Whether changing a resource restarts the container.", 0, (const struct field[]){
	FIELD_AS("resourceName", FIELD_STR, REQ, .doc = "Resource the rule is for."),
	FIELD_AS("restartPolicy", FIELD_STR, REQ, .doc = "NotRequired or RestartContainer."),
	{ 0 } } };

static const struct schema resource_claim_schema = { "ResourceClaim",
	"A claimed device of the pod that the container uses.", 0, (const struct field[]){
	FIELD_AS("name", FIELD_STR, REQ, .doc = "Name of the claim in the pod's resourceClaims."),
	FIELD_AS("request", FIELD_STR, 0, .doc = "One request of the claim; all if empty."),
	{ 0 } } };

const struct schema kube_resources_schema = { "ResourceRequirements",
	"How much of the machine a container asks for and may take.", 0, (const struct field[]){
	FIELD_AS("claims", FIELD_LIST_, NOEFFECT, .schema = &resource_claim_schema, .doc = "Devices.", WHY_NO_DEVICES),
	FIELD_AS("limits", FIELD_VAL, 0, .doc = "Most it may take, by resource: cpu, memory, ephemeral-storage; others mean nothing."),
	FIELD_AS("requests", FIELD_VAL, 0,
		.doc = "Least it needs, by resource: `resourceFieldRef` tells it, nothing is set aside on one machine."),
	{ 0 } } };

const struct schema kube_field_ref_schema = { "ObjectFieldSelector", "A field of the pod.", 0, (const struct field[]){
	FIELD_AS("apiVersion", FIELD_STR, 0, .choices = field_versions, .dflt = "v1", .doc = "Version of the pod's schema that the path is for."),
	FIELD_AS("fieldPath", FIELD_STR, REQ, .doc = "Path of the field, such as metadata.name."),
	{ 0 } } };

const struct schema kube_resource_field_ref_schema = { "ResourceFieldSelector",
	"A resource limit or request of a container.", 0, (const struct field[]){
	FIELD_AS("containerName", FIELD_STR, 0, .doc = "Container to look at; needed for volumes."),
	FIELD_AS("divisor", FIELD_INTSTR, 0, .dflt = "1", .doc = "Unit to express the value in."),
	FIELD_AS("resource", FIELD_STR, REQ, .doc = "Resource, such as limits.cpu."),
	{ 0 } } };

const struct schema kube_volume_device_schema = { "VolumeDevice", "A raw block device in the container.", 0,
	(const struct field[]){
	FIELD_AS("devicePath", FIELD_STR, REQ, .doc = "Path in the container."),
	FIELD_AS("name", FIELD_STR, REQ, .doc = "Name of a claim among the pod's volumes."),
	{ 0 } } };

/* ---- security ----------------------------------------------------------------------------------------------- */

static const struct schema capabilities_schema = { "Capabilities", "Changes to the capabilities of the container.", 0,
	(const struct field[]){
	FIELD_AS("add", FIELD_STRS, 0, .doc = "Capabilities to add."),
	FIELD_AS("drop", FIELD_STRS, 0, .doc = "Capabilities to take away."),
	{ 0 } } };

static const struct schema profile_schema = { "SecurityProfile", "A seccomp or AppArmor profile.", 0,
	(const struct field[]){
	FIELD_AS("localhostProfile", FIELD_STR, 0, .doc = "Profile on the node, for type Localhost."),
	FIELD_AS("type", FIELD_STR, REQ, .doc = "RuntimeDefault, Localhost or Unconfined."),
	{ 0 } } };

static const struct schema selinux_schema = { "SELinuxOptions", "The SELinux context.", 0, (const struct field[]){
	FIELD_AS("level", FIELD_STR, 0, .doc = "Level label."),
	FIELD_AS("role", FIELD_STR, 0, .doc = "Role label."),
	FIELD_AS("type", FIELD_STR, 0, .doc = "Type label."),
	FIELD_AS("user", FIELD_STR, 0, .doc = "User label."),
	{ 0 } } };

static const struct schema windows_schema = { "WindowsSecurityContextOptions", "Settings for Windows nodes.", 0,
	(const struct field[]){
	FIELD_AS("gmsaCredentialSpec", FIELD_STR, 0, .doc = "Contents of the GMSA credential spec."),
	FIELD_AS("gmsaCredentialSpecName", FIELD_STR, 0, .doc = "Name of the GMSA credential spec."),
	FIELD_AS("hostProcess", FIELD_BOOL, 0, .doc = "Run as a host process."),
	FIELD_AS("runAsUserName", FIELD_STR, 0, .doc = "Windows user name."),
	{ 0 } } };

#define SECURITY_COMMON \
	FIELD_AS("appArmorProfile", FIELD_OBJ_, NOEFFECT, .schema = &profile_schema, .doc = "AppArmor profile.", \
		.hint = "no profile is loaded: a step keeps the daemon's, within the sandbox that docs/steps.md describes"), \
	FIELD_AS("runAsGroup", FIELD_INT, 0, .min = 0, .max = INT64_MAX, .doc = "Group id."), \
	FIELD_AS("runAsNonRoot", FIELD_BOOL, 0, .doc = "Refuse to start as root."), \
	FIELD_AS("runAsUser", FIELD_INT, 0, .min = 0, .max = INT64_MAX, .doc = "User id."), \
	FIELD_AS("seLinuxOptions", FIELD_OBJ_, NOEFFECT, .schema = &selinux_schema, .doc = "SELinux context.", \
		.hint = "no label is set: a step keeps the daemon's context"), \
	FIELD_AS("seccompProfile", FIELD_OBJ_, NOEFFECT, .schema = &profile_schema, .doc = "Seccomp profile.", \
		.hint = "every step in a sandbox has the one filter of system calls that docs/steps.md describes"), \
	FIELD_AS("windowsOptions", FIELD_OBJ_, NOEFFECT, .schema = &windows_schema, .doc = "Settings for Windows nodes.", \
		.hint = "steps are processes of Linux")

const struct schema kube_security_context_schema = { "SecurityContext", "Privileges of one container.", 0,
	(const struct field[]){
	SECURITY_COMMON,
	FIELD_AS("allowPrivilegeEscalation", FIELD_BOOL, NOEFFECT,
		.doc = "Whether a process may gain more privileges than its parent.",
		.hint = "in a sandbox none can, whatever this says"),
	FIELD_AS("capabilities", FIELD_OBJ_, NOEFFECT, .schema = &capabilities_schema, .doc = "Capabilities to add and drop.",
		.hint = "a step in a sandbox has none and can get none"),
	FIELD_AS("privileged", FIELD_BOOL, NOEFFECT, .doc = "Run with the host's privileges.",
		.hint = "a step in a sandbox never has them; `hostPath` reaches folders that the settings allow"),
	FIELD_AS("procMount", FIELD_STR, NOEFFECT, .doc = "Kind of /proc to mount.",
		.hint = "/proc is read-only and shows the processes of the step"),
	FIELD_AS("readOnlyRootFilesystem", FIELD_BOOL, 0, .doc = "Mount the root file system read-only."),
	{ 0 } } };

static const struct schema sysctl_schema = { "Sysctl", "A kernel parameter of the pod.", 0, (const struct field[]){
	FIELD_AS("name", FIELD_STR, REQ, .doc = "Name of the parameter."),
	FIELD_AS("value", FIELD_STR, REQ, .doc = "Value to set."),
	{ 0 } } };

const struct schema kube_pod_security_context_schema = { "PodSecurityContext", "Privileges of all containers of a pod.",
	0, (const struct field[]){
	SECURITY_COMMON,
	FIELD_AS("fsGroup", FIELD_INT, NOEFFECT, .min = 0, .max = INT64_MAX, .doc = "Group that owns the volumes.",
		.hint = "any user of a step may write to an emptyDir and read the files of ConfigMaps and Secrets; a hostPath stays as it is"),
	FIELD_AS("fsGroupChangePolicy", FIELD_STR, NOEFFECT, .doc = "When ownership of volumes is changed.",
		.hint = "it is never changed"),
	FIELD_AS("seLinuxChangePolicy", FIELD_STR, NOEFFECT, .doc = "How volumes get the SELinux label.",
		.hint = "no label is set"),
	FIELD_AS("supplementalGroups", FIELD_VAL, NOEFFECT, .doc = "Further group ids.",
		.hint = "a step has its `runAsGroup` and no further groups"),
	FIELD_AS("supplementalGroupsPolicy", FIELD_STR, NOEFFECT, .doc = "Whether groups of the image are merged in.",
		.hint = "a step has its `runAsGroup` and no further groups, as with `Strict`"),
	FIELD_AS("sysctls", FIELD_LIST_, NOEFFECT, .schema = &sysctl_schema, .doc = "Kernel parameters.",
		.hint = "kernel parameters are the machine's: set them there"),
	{ 0 } } };
