/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec_container: containers in the four forms the language has: the container of a template, a script, a member of a
 * container set, a side container.
 */
#include "config/kube.h"
#include "engine/spec/spec.h"

/* ---- containers --------------------------------------------------------------------------------------------- */

/* What a container's helper cannot ask: it speaks no TLS. */
static void
check_looks(const struct val *in, struct decode *c)
{
	static const char *const looks[] = { "readinessProbe", "livenessProbe", "startupProbe" };
	static const char *const hooks[] = { "postStart", "preStop" };
	const char *tls = "over TLS is not served: use HTTP, tcpSocket, or exec with a client of your own";

	for (size_t i = 0; i < ARRAY_LEN(looks); i++) {
		const struct val *probe = val_get(in, str_c(looks[i]));

		if (str_eq(val_get_str(val_get(probe, S("httpGet")), "scheme"), S("HTTPS")))
			decode_later(c, in, looks[i], "httpGet %s", tls);
	}
	for (size_t i = 0; i < ARRAY_LEN(hooks); i++)
		if (str_eq(val_get_str(val_get(val_get(val_get(in, S("lifecycle")), str_c(hooks[i])), S("httpGet")), "scheme"),
			    S("HTTPS")))
			decode_later(c, in, "lifecycle", "httpGet %s", tls);
}

/* An empty list and no list differ: `args: []` keeps the image's own arguments away. */
static void
check_container(void *obj, const struct val *in, struct decode *c)
{
	struct container *ctr = obj;
	const struct val *command = val_get(in, S("command")), *args = val_get(in, S("args"));

	ctr->has_command = val_is(command, VAL_LIST);
	ctr->has_args = val_is(args, VAL_LIST);
	check_looks(in, c);
	str restart = val_get_str(in, "restartPolicy");
	if (restart.n && !str_eq(restart, S("Never")))
		decode_later(c, in, "restartPolicy", "a container that is restarted in place is not served: use sidecars for one "
			"that is to stay, and retryStrategy for one that failed");
}

#define ALWAYS_MAIN "the container of a template is always called main, in Argo as well"
static const char *const message_policies[] = { "", "File", "FallbackToLogsOnError", NULL };

#define CONTAINER_ROWS(image_flags) \
	FIELD(struct container, args, "args", 0, .doc = "Arguments; those of the image if absent, none if `[]`."), \
	FIELD(struct container, command, "command", 0, \
		.doc = "Command; looked up in the image table of the settings if absent."), \
	FIELD_LIST(struct container, env, "env", 0, &env_var_schema, .doc = "Environment variables."), \
	FIELD_LIST(struct container, env_from, "envFrom", 0, &env_from_schema, \
		.doc = "Environment variables from whole objects."), \
	FIELD(struct container, image, "image", image_flags, \
		.doc = "Name of the image; the image table of the settings says what it means here."), \
	FIELD(struct container, image_pull_policy, "imagePullPolicy", NOEFFECT, .doc = "When the image is pulled.", \
		.hint = "no step pulls an image: `tidegate image pull` brings in a new one, and the next step sees it"), \
	FIELD_PTR(struct container, lifecycle, "lifecycle", 0, &kube_lifecycle_schema, \
		.doc = "Actions at start and end."), \
	FIELD_PTR(struct container, liveness_probe, "livenessProbe", 0, &kube_probe_schema, \
		.doc = "A look that ends the container when it fails: a pod of a workflow is never restarted."), \
	FIELD_LIST(struct container, ports, "ports", 0, &kube_port_schema, \
		.doc = "Ports it listens on: names that probes may use."), \
	FIELD_PTR(struct container, readiness_probe, "readinessProbe", 0, &kube_probe_schema, \
		.doc = "A look that says when a daemon is ready. Looked at until it was ready once."), \
	FIELD_AS("resizePolicy", FIELD_LIST_, NOEFFECT, .schema = &kube_resize_policy_schema, \
		.doc = "What a change of resources does.", \
		.hint = "the limits of a step are set when it starts, and stay"), \
	FIELD(struct container, resources, "resources", 0, .schema = &kube_resources_schema, \
		.doc = "What it may take. Limits of cpu and memory are enforced where the daemon can make control groups, of " \
			"ephemeral-storage in the sandbox; `requests` mean nothing on one machine."), \
	FIELD_AS("restartPolicy", FIELD_STR, 0, .doc = "`Never`, as it is here; others are refused: a container is not " \
		"restarted in place. `sidecars` has what an init container with `Always` is for, `retryStrategy` the rest."), \
	FIELD_AS("restartPolicyRules", FIELD_LIST_, LATER, .schema = &kube_restart_rule_schema, \
		.doc = "When the container is restarted in place.", \
		.hint = "use `retryStrategy` with an expression over lastRetry.exitCode"), \
	FIELD(struct container, security_context, "securityContext", 0, \
		.schema = &kube_security_context_schema, .doc = "User, group and whether the root may be written to."), \
	FIELD_PTR(struct container, startup_probe, "startupProbe", 0, &kube_probe_schema, \
		.doc = "A look that holds the other looks back, and ends the container when it fails."), \
	FIELD_AS("stdin", FIELD_BOOL, NOEFFECT, .doc = "Whether standard input is kept open.", \
		.hint = "a step reads /dev/null: nobody can attach to it"), \
	FIELD_AS("stdinOnce", FIELD_BOOL, NOEFFECT, .doc = "Whether standard input ends with the first client.", \
		.hint = "a step reads /dev/null: nobody can attach to it"), \
	FIELD(struct container, termination_message_path, "terminationMessagePath", 0, \
		.doc = "File whose content becomes the termination message; /dev/termination-log by default."), \
	FIELD(struct container, termination_message_policy, "terminationMessagePolicy", 0, .choices = message_policies, \
		.doc = "`FallbackToLogsOnError`: if that file is empty and the container failed, the end of its log."), \
	FIELD_AS("tty", FIELD_BOOL, NOEFFECT, .doc = "Whether it gets a terminal.", \
		.hint = "its output goes to the log; `script -qec COMMAND /dev/null` gives a command that insists a terminal"), \
	FIELD_AS("volumeDevices", FIELD_LIST_, LATER, .schema = &kube_volume_device_schema, \
		.doc = "Raw block devices."), \
	FIELD_LIST(struct container, volume_mounts, "volumeMounts", 0, &volume_mount_schema, \
		.doc = "Where volumes appear."), \
	FIELD(struct container, working_dir, "workingDir", 0, \
		.doc = "Directory to start in; the image's by default."), \
	FIELD_SRC(struct container, src)

const struct schema container_schema = { "Container", "A command in an image.", sizeof(struct container),
	(const struct field[]){
	FIELD(struct container, name, "name", NOEFFECT, .doc = "Name of the container.", .hint = ALWAYS_MAIN),
	CONTAINER_ROWS(0),
	{ 0 } }, check_container };

const struct schema script_schema = { "ScriptTemplate", "A script that is written to a file and given to a command.",
	sizeof(struct container), (const struct field[]){
	FIELD(struct container, name, "name", NOEFFECT, .doc = "Name of the container.", .hint = ALWAYS_MAIN),
	FIELD(struct container, source, "source", 0,
		.doc = "Text of the script; the path of its file becomes the last argument."),
	CONTAINER_ROWS(0),
	{ 0 } }, check_container };

const struct schema user_container_schema = { "UserContainer", "A container beside, or before, the main one.",
	sizeof(struct container), (const struct field[]){
	FIELD(struct container, name, "name", 0, .doc = "Name of the container; must be given."),
	FIELD(struct container, mirror_volume_mounts, "mirrorVolumeMounts", 0,
		.doc = "Mount what the main container mounts at the same places."),
	CONTAINER_ROWS(0),
	{ 0 } }, check_container };

const struct schema container_node_schema = { "ContainerNode", "A member of a container set.", sizeof(struct container),
	(const struct field[]){
	FIELD(struct container, name, "name", 0, .doc = "Name of the member; `main` is the one with outputs."),
	FIELD(struct container, dependencies, "dependencies", 0, .doc = "Members that must have ended well before."),
	CONTAINER_ROWS(0),
	{ 0 } }, check_container };
