/* SPDX-License-Identifier: Apache-2.0 */
/* world: what runs may ask about the world while they advance: look-ups that neither wait nor change anything. */
#include "engine/shell.h"

enum { CALLS_AT_ONCE = 200 }; /* that a workflow begins before others have their turn: some five milliseconds */

static const struct object *
template_object(const struct engine *g, bool cluster, str ns, str name)
{
	return objects_find_named(g->objects, cluster ? "ClusterWorkflowTemplate" : "WorkflowTemplate", ns, name);
}

static const struct val *
world_template(void *arg, bool cluster, str ns, str name)
{
	const struct object *o = template_object(arg, cluster, ns, name);
	return o ? val_get(o->manifest, S("spec")) : NULL;
}

static int64_t
world_revision(void *arg, bool cluster, str ns, str name)
{
	const struct object *o = template_object(arg, cluster, ns, name);
	return o ? (int64_t)o->revision : 0;
}

/* Argo reads parameters only from config maps that say so, lest a workflow reads any (workflow/util/util.go). */
static int
world_config_map(void *arg, str ns, str name, str key, str *out, struct err *e)
{
	const struct engine *g = arg;
	const struct object *o = objects_find_named(g->objects, "ConfigMap", ns, name);
	if (o) {
		const struct val *labels = val_path(o->manifest, "metadata.labels");
		const struct val *type = val_get(labels, S("workflows.argoproj.io/configmap-type"));
		if (!val_is(type, VAL_STR) || !str_eq(val_text(type), S("Parameter")))
			return err_set(e, ERR_DENIED,
				"ConfigMap '%.*s' needs to have the label workflows.argoproj.io/configmap-type: Parameter to load parameters",
				STR_ARG(name));
	}
	return config_map_key(g->objects, ns, name, key, out, e);
}

static const struct val *
world_config_map_object(void *arg, str ns, str name)
{
	const struct engine *g = arg;
	const struct object *o = objects_find_named(g->objects, "ConfigMap", ns, name);
	return o ? o->manifest : NULL;
}

static bool
world_transient(void *arg, str message)
{
	const struct engine *g = arg;
	struct err ignored; /* a message that costs the pattern too much is none of its */
	return g->transient && regex_matches(g->transient, message, &ignored) > 0;
}

struct run_world
engine_world(struct engine *g)
{
	return (struct run_world){ .template_spec = world_template, .config_map = world_config_map, .arg = g, .memo = cache_find,
		.transient = world_transient, .template_revision = world_revision, .baseline = baseline_find,
		.limits = { CALLS_AT_ONCE, (size_t)g->settings->workflow_nodes, (size_t)g->settings->workflow_memory << 20 },
		
		.config_map_object = world_config_map_object, .artifact_repository = g->settings->artifact_repository, .home = g->settings->namespace_,
		.defaults = val_get(g->settings->workflow_defaults, S("spec")) };
}
