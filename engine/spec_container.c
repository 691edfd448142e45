/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec_container: containers in the four forms the language has: the container of a template, a script, a member of a
 * container set, a side container.
 */
#include "config/kube.h"
#include "engine/spec.h"

/* ---- containers --------------------------------------------------------------------------------------------- */

/* An empty list and no list differ: `args: []` keeps the image's own arguments away. */
static void
check_container(void *obj, const struct val *in, struct decode *c UNUSED)
{
	struct container *ctr = obj;
	const struct val *command = val_get(in, S("command")), *args = val_get(in, S("args"));

	ctr->has_command = val_is(command, VAL_LIST);
	ctr->has_args = val_is(args, VAL_LIST);
}

#define CONTAINER_ROWS(image_flags) \
	FIELD(struct container, args, "args", 0, .doc = "Arguments; those of the image if absent, none if `[]`."), \
	FIELD(struct container, command, "command", 0, \
		.doc = "Command; looked up in the image table of the settings if absent."), \
	FIELD_LIST(struct container, env, "env", 0, &env_var_schema, .doc = "Environment variables."), \
	FIELD_LIST(struct container, env_from, "envFrom", 0, &env_from_schema, \
		.doc = "Environment variables from whole objects."), \
	FIELD(struct container, image, "image", image_flags, \
		.doc = "Name of the image; the image table of the settings says what it means here."), \
	FIELD(struct container, image_pull_policy, "imagePullPolicy", NOEFFECT, .doc = "When the image is pulled."), \
	FIELD_AS("lifecycle", FIELD_OBJ_, LATER, .schema = &kube_lifecycle_schema, \
		.doc = "Actions at start and end."), \
	FIELD_AS("livenessProbe", FIELD_OBJ_, LATER, .schema = &kube_probe_schema, \
		.doc = "A look that restarts the container when it fails."), \
	FIELD(struct container, ports, "ports", NOEFFECT, .as = FIELD_LIST_, .schema = &kube_port_schema, \
		.doc = "Ports it listens on.", \
		.hint = "steps share the network of the host"), \
	FIELD(struct container, readiness_probe, "readinessProbe", NOEFFECT, .schema = &kube_probe_schema, \
		.doc = "A look that says when a daemon is ready."), \
	FIELD_AS("resizePolicy", FIELD_LIST_, NOEFFECT, .schema = &kube_resize_policy_schema, \
		.doc = "What a change of resources does."), \
	FIELD(struct container, resources, "resources", 0, .schema = &kube_resources_schema, \
		.doc = "What it may take. Limits of cpu and memory are enforced where the daemon can make control groups, of " \
			"ephemeral-storage in the sandbox; `requests` mean nothing on one machine."), \
	FIELD_AS("restartPolicy", FIELD_STR, NOEFFECT, .doc = "`Always` makes an init container a side container."), \
	FIELD_AS("restartPolicyRules", FIELD_NONE_, NOEFFECT, .doc = "When the container is restarted in place."), \
	FIELD(struct container, security_context, "securityContext", NOEFFECT, \
		.schema = &kube_security_context_schema, .doc = "Privileges.", \
		.hint = "steps run as the user of the daemon, in the sandbox of the settings"), \
	FIELD_AS("startupProbe", FIELD_OBJ_, NOEFFECT, .schema = &kube_probe_schema, \
		.doc = "A look that holds the other looks back."), \
	FIELD_AS("stdin", FIELD_BOOL, NOEFFECT, .doc = "Whether standard input is kept open."), \
	FIELD_AS("stdinOnce", FIELD_BOOL, NOEFFECT, .doc = "Whether standard input ends with the first client."), \
	FIELD_AS("terminationMessagePath", FIELD_STR, NOEFFECT, \
		.doc = "File whose content becomes the termination message."), \
	FIELD_AS("terminationMessagePolicy", FIELD_STR, NOEFFECT, .doc = "Where the termination message comes from."), \
	FIELD_AS("tty", FIELD_BOOL, NOEFFECT, .doc = "Whether it gets a terminal."), \
	FIELD_AS("volumeDevices", FIELD_LIST_, LATER, .schema = &kube_volume_device_schema, \
		.doc = "Raw block devices."), \
	FIELD_LIST(struct container, volume_mounts, "volumeMounts", 0, &volume_mount_schema, \
		.doc = "Where volumes appear."), \
	FIELD(struct container, working_dir, "workingDir", 0, \
		.doc = "Directory to start in; the image's by default."), \
	FIELD_SRC(struct container, src)

const struct schema container_schema = { "Container", "A command in an image.", sizeof(struct container),
	(const struct field[]){
	FIELD(struct container, name, "name", 0, .doc = "Ignored: the container of a template is always called main."),
	CONTAINER_ROWS(0),
	{ 0 } }, check_container };

const struct schema script_schema = { "ScriptTemplate", "A script that is written to a file and given to a command.",
	sizeof(struct container), (const struct field[]){
	FIELD(struct container, name, "name", 0, .doc = "Ignored: the container of a template is always called main."),
	FIELD(struct container, source, "source", 0,
		.doc = "Text of the script; the path of its file becomes the last argument."),
	CONTAINER_ROWS(0),
	{ 0 } }, check_container };

const struct schema user_container_schema = { "UserContainer", "A container beside, or before, the main one.",
	sizeof(struct container), (const struct field[]){
	FIELD(struct container, name, "name", 0, .doc = "Name of the container; must be given."),
	FIELD_AS("mirrorVolumeMounts", FIELD_BOOL, 0,
		.doc = "Mount what the main container mounts at the same places."),
	CONTAINER_ROWS(0),
	{ 0 } }, check_container };

const struct schema container_node_schema = { "ContainerNode", "A member of a container set.", sizeof(struct container),
	(const struct field[]){
	FIELD(struct container, name, "name", 0, .doc = "Name of the member; `main` is the one with outputs."),
	FIELD(struct container, dependencies, "dependencies", 0, .doc = "Members that must have ended well before."),
	CONTAINER_ROWS(0),
	{ 0 } }, check_container };
