/* SPDX-License-Identifier: Apache-2.0 */
/* See artifact_of.h. An artifact whose location is only a key lies in the archiveLocation of its template, else in the workflow's repository. */
#include "engine/artifact_of.h"

#include "engine/run/run.h"

static const struct val *
find_node(const struct val *workflow, str node)
{
	const struct val *nodes = val_path(workflow, "status.nodes"), *n = val_get(nodes, node);
	for (uint32_t i = 0; !n && val_is(nodes, VAL_MAP) && i < nodes->n; i++)
		if (str_eq(val_get_str(&nodes->members[i].value, "name"), node))
			n = &nodes->members[i].value;
	return n;
}

/* The template of a node, wherever it came from. */
static const struct val *
template_of(const struct val *workflow, const struct val *node)
{
	static const char *const lists[] = { "spec.templates", "status.storedWorkflowTemplateSpec.templates" };
	str name = val_get_str(node, "templateName");
	const struct val *t = NULL;
	for (size_t i = 0; i < ARRAY_LEN(lists) && !t; i++)
		t = val_named(val_path(workflow, lists[i]), name);
	return t;
}

/* Where those lie that have but a key; NULL: on this machine. */
static const struct val *
archive_of(const struct val *workflow, const struct val *node, struct arena *a)
{
	const struct val *own = val_get(template_of(workflow, node), S("archiveLocation"));
	const struct val *repo = val_path(workflow, "status.artifactRepositoryRef.artifactRepository");
	struct val *location = ARENA_NEW(a, struct val);
	struct err e;
	if (artifact_location_complete(own))
		return own;
	return val_is(repo, VAL_MAP) && repository_location(repo, a, location, &e) == 0 ? location : NULL;
}

/* A relative path without parts that lead up. */
static bool
is_beneath(str path)
{
	if (str_starts(path, S("/")) || memchr(path.p, 0, path.n))
		return false;
	while (path.n) {
		str part = str_cut(&path, '/');
		if (str_eq(part, S("..")) || str_eq(part, S(".")))
			return false;
	}
	return true;
}

int
artifact_of_node(const struct val *workflow, str node, bool inputs, str name, str file, struct arena *a, struct artifact_of *out, struct err *e)
{
	const struct val *n = find_node(workflow, node);
	*out = (struct artifact_of){ 0 };
	if (!n)
		return err_set(e, ERR_NOT_FOUND, "the workflow has no node \"%.*s\"", STR_ARG(node));
	const struct val *artifact = val_named(val_path(n, inputs ? "inputs.artifacts" : "outputs.artifacts"), name);
	if (!artifact)
		return err_set(e, ERR_NOT_FOUND, "the node has no %s artifact \"%.*s\"", inputs ? "input" : "output", STR_ARG(name));
	if (val_is_true(val_get(artifact, S("deleted"))))
		return err_set(e, ERR_NOT_FOUND, "the artifact \"%.*s\" was deleted", STR_ARG(name));
	if (file.n && !is_beneath(file))
		return err_set(e, ERR_INVALID, "\"%.*s\" is no path beneath the artifact", STR_ARG(file));
	out->artifact = artifact;
	if (artifact_place(artifact, &out->raw) == ARTIFACT_RAW)
		return 0;
	out->raw = STR_NONE;
	const struct val *whole = artifact_below(artifact, file, a);
	enum artifact_place place = artifact_place(whole, &out->key);
	if (place == ARTIFACT_NOWHERE)
		return err_set(e, ERR_NOT_FOUND, "the artifact \"%.*s\" has no location: its step did not leave it", STR_ARG(name));
	out->place = artifact_located(whole, archive_of(workflow, n, a), out->key, a);
	return 0;
}
