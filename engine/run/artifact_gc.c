/* SPDX-License-Identifier: Apache-2.0 */
/*
 * artifact_gc: which artifacts of a workflow go, and when (spec 2.19: artifactGC of the artifact, else of the workflow, else Never). Whoever removes them says so
 * afterwards: they are marked as deleted, or the condition ArtifactGCError says why they are still there.
 */
#include "engine/run/run_impl.h"

static str
strategy_of(const struct run *r, const struct val *artifact)
{
	str own = val_get_str(val_get(artifact, S("artifactGC")), "strategy");
	return own.n ? own : val_get_str(val_get(r->spec, S("artifactGC")), "strategy");
}

/* Pods alone make any; those of a result that was used again are another workflow's. */
static const struct val *
artifacts_made_by(const struct node *n)
{
	bool own = n->type == NODE_POD && !n->gone && n->phase != PHASE_SKIPPED && !val_is_true(val_get(n->memo, S("hit")));
	const struct val *list = own ? val_get(n->outputs, S("artifacts")) : NULL;
	return val_is(list, VAL_LIST) ? list : NULL;
}

static bool
add(const struct run *r, const struct node *n, const struct val *artifact, struct arena *a, struct collectable *out)
{
	str when = strategy_of(r, artifact), key;
	bool completion = str_eq(when, S("OnWorkflowCompletion"));
	if ((!completion && !str_eq(when, S("OnWorkflowDeletion"))) || val_is_true(val_get(artifact, S("deleted"))))
		return false;
	if (artifact_place(artifact, &key) == ARTIFACT_RAW)
		return false;
	*out = (struct collectable){ n->id, val_get_str(artifact, "name"),
		artifact_located(artifact, val_get(r->repository, S("location")), key, a), completion };
	return true;
}

size_t
run_collectables(const struct run *r, struct arena *a, struct collectable **out)
{
	VEC(struct collectable) v = { 0 };
	struct collectable one;
	for (size_t i = 0; i < r->nodes.n; i++) {
		const struct val *list = artifacts_made_by(r->nodes.p[i]);
		for (uint32_t k = 0; list && k < list->n; k++)
			if (add(r, r->nodes.p[i], &list->items[k], a, &one))
				*VEC_PUSH(&v) = one;
	}
	size_t n = v.n;
	*out = ARENA_ARRAY(a, struct collectable, n);
	if (n)
		memcpy(*out, v.p, n * sizeof **out);
	VEC_FREE(&v);
	return n;
}

bool
run_keeps_artifacts(const struct run *r)
{
	bool keeps = str_eq(val_get_str(val_get(r->spec, S("artifactGC")), "strategy"), S("Never"));
	for (size_t i = 0; i < r->nodes.n && !keeps; i++) {
		const struct val *list = artifacts_made_by(r->nodes.p[i]);
		for (uint32_t k = 0; list && k < list->n; k++)
			keeps |= str_eq(strategy_of(r, &list->items[k]), S("Never"));
	}
	return keeps;
}

/* ---- what became of them ----------------------------------------------------------------------------------------- */

static void
mark(struct run *r, struct node *n, str name)
{
	const struct val *list = val_get(n->outputs, S("artifacts"));
	struct val_list all = { 0 };
	struct val gone = val_bool(true);
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++) {
		const struct val *v = &list->items[i];
		val_list_add(&all, str_eq(val_get_str(v, "name"), name) ? *val_set(r->arena, v, S("deleted"), &gone) : *v);
	}
	struct val v = val_list_end(&all, r->arena);
	if (!v.n)
		return;
	n->outputs = val_set(r->arena, n->outputs, S("artifacts"), &v);
	node_changed(n);
}

/* `gone` may be about an earlier workflow of the same name. */
void
artifacts_collected(struct run *r, const struct collected *gone)
{
	if (!str_eq(gone->uid, r->uid))
		return;
	r->collect_error = S("");
	for (size_t i = 0; i < gone->n; i++) {
		struct node *n = run_node(r, gone->p[i].node_id);
		if (n && !gone->p[i].problem.p)
			mark(r, n, gone->p[i].name);
		else if (n && !r->collect_error.n)
			r->collect_error = run_text(r, "%.*s of %.*s: %.*s", STR_ARG(gone->p[i].name), STR_ARG(n->display), STR_ARG(gone->p[i].problem));
	}
}
