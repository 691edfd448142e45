/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/test_play.h"

#include "engine/engine.h"
#include "engine/sim/sim.h"

/* ---- the workflow --------------------------------------------------------------------------------------------------------------- */

const struct val *
play_with_parameters(struct arena *a, const struct val *workflow, struct kvs parameters)
{
	const struct val *spec = engine_with_parameters(a, val_get(workflow, S("spec")), &parameters);
	return spec ? val_set(a, workflow, S("spec"), spec) : workflow;
}

const struct val *
play_of_template(struct arena *a, str name)
{
	struct val_map ref = { 0 }, spec = { 0 }, meta = { 0 }, m = { 0 };
	val_map_add(&ref, S("name"), val_str(name));
	val_map_add(&spec, S("workflowTemplateRef"), val_map_end(&ref, a));
	val_map_add(&meta, S("generateName"), val_str(arena_fmt(a, "%.*s-", STR_ARG(name))));
	val_map_add(&m, S("apiVersion"), val_str(S("argoproj.io/v1alpha1")));
	val_map_add(&m, S("kind"), val_str(S("Workflow")));
	val_map_add(&m, S("metadata"), val_map_end(&meta, a));
	val_map_add(&m, S("spec"), val_map_end(&spec, a));
	struct val *v = ARENA_NEW(a, struct val);
	*v = val_map_end(&m, a);
	return v;
}

/* generateName and a number: the same whenever the test runs. */
static const struct val *
named(const struct play *p, const struct val *workflow, struct arena *a)
{
	const struct val *meta = val_get(workflow, S("metadata"));
	if (val_get_str(meta, "name").n)
		return workflow;
	str prefix = val_get_str(meta, "generateName");
	struct val name = val_str(arena_fmt(a, "%.*s%zu", STR_ARG(prefix.n ? prefix : S("workflow-")), p->number));
	return val_set(a, workflow, S("metadata"), val_set(a, meta, S("name"), &name));
}

static const struct val *
scenario(const struct play *p, struct arena *a)
{
	struct val_map m = { 0 };
	if (p->steps)
		val_map_add(&m, S("steps"), *p->steps);
	if (p->verbs)
		val_map_add(&m, S("verbs"), *p->verbs);
	struct val *v = ARENA_NEW(a, struct val);
	*v = val_map_end(&m, a);
	return v;
}

static str
reasons(const struct sim *x, struct arena *a)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (str rest = buf_str(&x->why); rest.n;) {
		str line = str_trim(str_cut(&rest, '\n'));
		buf_addf(&b, "%s%.*s", b.n ? "; " : "", STR_ARG(line));
	}
	return arena_dup(a, buf_str(&b));
}

int
play_workflow(const struct play *p, const struct val *workflow, struct arena *a, const struct val **out, struct err *e)
{
	VEC(const struct val *) docs = { 0 };
	struct object *o;
	struct sim x;
	*VEC_PUSH(&docs) = scenario(p, a);
	*VEC_PUSH(&docs) = named(p, workflow, a);
	for (size_t i = 0; (o = objects_next(p->objects, NULL, &i));)
		*VEC_PUSH(&docs) = o->manifest;
	sim_init(&x, docs.p, docs.n, CRASH_NONE);
	x.validated = true;
	x.began = x.now = p->at;
	struct val *is = ARENA_NEW(a, struct val);
	if (sim_play(&x)) {
		struct val w = run_workflow(x.run, x.arena);
		*is = val_copy(a, &w);
	}
	*out = is;
	int rc = x.why.n ? err_set(e, ERR_INVALID, "%.*s", STR_ARG(reasons(&x, a))) : 0;
	sim_free(&x);
	VEC_FREE(&docs);
	return rc;
}

/* ---- what a test can expect --------------------------------------------------------------------------------------------------- */

/* [{name, value}] and a result as a map. */
static const struct val *
by_name(struct arena *a, const struct val *parameters_and_result)
{
	const struct val *list = val_get(parameters_and_result, S("parameters")), *result = val_get(parameters_and_result, S("result"));
	struct val_map m = { 0 };
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++) {
		const struct val *value = val_get(&list->items[i], S("value"));
		if (value)
			val_map_add(&m, val_get_str(&list->items[i], "name"), *value);
	}
	if (result)
		val_map_add(&m, S("result"), *result);
	struct val *v = ARENA_NEW(a, struct val);
	*v = val_map_end(&m, a);
	return v;
}

const struct val *
play_outputs(struct arena *a, const struct val *workflow)
{
	return by_name(a, val_path(workflow, "status.outputs"));
}

static bool
is_called(const struct val *node, str workflow, str name)
{
	str full = val_get_str(node, "name");
	if (str_eq(val_get_str(node, "displayName"), name) || str_eq(full, name))
		return true;
	return name.n && name.p[0] == '@' && str_starts(full, workflow) && str_eq(str_slice(full, workflow.n, full.n), str_slice(name, 1, name.n));
}

/* The first of that name, in the order in which they were made. */
static const struct val *
node_named(const struct val *workflow, str name)
{
	const struct val *nodes = val_path(workflow, "status.nodes");
	str whole = val_get_str(val_get(workflow, S("metadata")), "name");
	for (uint32_t i = 0; val_is(nodes, VAL_MAP) && i < nodes->n; i++)
		if (is_called(&nodes->members[i].value, whole, name))
			return &nodes->members[i].value;
	return NULL;
}

static const struct val *
shown(struct arena *a, const struct val *node)
{
	static const char *const members[] = { "phase", "message", "type" };
	struct val_map m = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		val_map_add_str(&m, str_c(members[i]), val_get_str(node, members[i]));
	val_map_add(&m, S("inputs"), *by_name(a, val_get(node, S("inputs"))));
	val_map_add(&m, S("outputs"), *by_name(a, val_get(node, S("outputs"))));
	struct val *v = ARENA_NEW(a, struct val);
	*v = val_map_end(&m, a);
	return v;
}

bool
play_nodes_match(struct arena *a, const struct val *want, const struct val *workflow, struct mismatch *out)
{
	for (uint32_t i = 0; i < want->n; i++) {
		const struct val *w = &want->members[i].value;
		str name = val_key(&want->members[i]);
		const struct val *node = node_named(workflow, name), *is = node ? shown(a, node) : NULL;
		if (w->kind == VAL_STR && is)
			is = val_get(is, S("phase"));
		if (val_matches(a, w, is, false, out))
			continue;
		out->path = arena_fmt(a, "%.*s%s%.*s", STR_ARG(name), out->path.n ? "." : "", STR_ARG(out->path));
		if (!w->line || !out->at->line)
			out->at = &want->members[i].key;
		return false;
	}
	return true;
}
