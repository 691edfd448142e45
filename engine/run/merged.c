/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merged: the spec that a manifest with a workflowTemplateRef means (spec 1.9; MergeWfSpecs and JoinWorkflowSpec in
 * workflow/util/merge.go, v4.1.2). A strategic merge of the Workflow's spec over the template's, except for what Argo
 * merges by rules of its own: hooks per key, parameters whole, suspend from the Workflow alone.
 */
#include "engine/run/run.h"

static bool
has_value(const struct val *p)
{
	return p && (val_get(p, S("value")) || val_get(p, S("valueFrom")));
}

/* Every parameter of either, whole, from the Workflow if it says a value there. */
static struct val
merged_parameters(struct arena *a, const struct val *base, const struct val *own)
{
	struct val_list out = { 0 };
	for (uint32_t i = 0; val_is(own, VAL_LIST) && i < own->n; i++) {
		const struct val *below = val_named(base, val_get_str(&own->items[i], "name"));
		val_list_add(&out, has_value(&own->items[i]) || !below ? own->items[i] : *below);
	}
	for (uint32_t i = 0; val_is(base, VAL_LIST) && i < base->n; i++)
		if (!val_named(own, val_get_str(&base->items[i], "name")))
			val_list_add(&out, base->items[i]);
	return val_list_end(&out, a);
}

static const struct val *
merged_arguments(struct arena *a, const struct val *merged, const struct val *base, const struct val *own)
{
	struct val list =
		merged_parameters(a, val_path(base, "arguments.parameters"), val_path(own, "arguments.parameters"));
	if (!list.n)
		return merged;
	const struct val *args = val_set(a, val_get(merged, S("arguments")), S("parameters"), &list);
	return val_set(a, merged, S("arguments"), args);
}

/* The keys of both maps; of a key in both the Workflow's value, whole. */
static const struct val *
per_key(struct arena *a, const struct val *merged, const char *key, const struct val *base, const struct val *own)
{
	const struct val *out = val_get(base, str_c(key)), *over = val_get(own, str_c(key));
	if (!val_is(out, VAL_MAP) || !val_is(over, VAL_MAP))
		return merged;
	for (uint32_t i = 0; i < over->n; i++)
		out = val_set(a, out, val_key(&over->members[i]), &over->members[i].value);
	return val_set(a, merged, str_c(key), out);
}

const struct val *
run_joined_spec(struct arena *a, const struct val *base, const struct val *own)
{
	if (!base)
		return own;
	const struct val *merged = val_merge(a, base, own);
	merged = merged_arguments(a, merged, base, own);
	return per_key(a, merged, "hooks", base, own);
}

const struct val *
run_merged_spec(struct arena *a, const struct val *manifest, const struct run_world *w, struct err *e)
{
	const struct val *own = val_get(manifest, S("spec")), *ref = val_get(own, S("workflowTemplateRef"));
	if (!val_is(own, VAL_MAP)) {
		(void)err_set(e, ERR_INVALID, "spec is required");
		return NULL;
	}
	if (!val_is(ref, VAL_MAP))
		return own;
	const struct val *scope = val_get(ref, S("clusterScope"));
	struct val resolved = scope ? val_resolve(scope) : val_bool(false);
	bool cluster = resolved.kind == VAL_BOOL && resolved.b;
	str name = val_get_str(ref, "name"), ns = val_get_str(val_get(manifest, S("metadata")), "namespace");
	const struct val *base = w && w->template_spec ? w->template_spec(w->arg, cluster, ns, name) : NULL;
	if (!base) {
		(void)(cluster ? err_set(e, ERR_NOT_FOUND, "couldn't find cluster workflow template \"%.*s\"",
					 STR_ARG(name))
			       : err_set(e, ERR_NOT_FOUND,
					 "couldn't find workflow template \"%.*s\" in namespace \"%.*s\"",
					 STR_ARG(name), STR_ARG(ns)));
		return NULL;
	}
	return run_joined_spec(a, run_joined_spec(a, w->defaults, val_unset(a, base, S("suspend"))), own);
}
