/* SPDX-License-Identifier: Apache-2.0 */
/*
 * again: which revisions of templates a run executes, and a run of the same once more. What a run executed is in its rows
 * (merged specification, stored templates); what it referred to and never reached, the caller looks up as it was then.
 */
#include "engine/run/run_impl.h"

static str
scope_of(struct arena *a, bool cluster, str name)
{
	return arena_fmt(a, "%s/%.*s", cluster ? "cluster" : "namespaced", STR_ARG(name));
}

const struct val *
template_of_run(const struct run *r, bool cluster, str name)
{
	if (r->frozen)
		return val_get(r->frozen, scope_of(r->arena, cluster, name));
	return r->world.template_spec ? r->world.template_spec(r->world.arg, cluster, r->ns, name) : NULL;
}

static bool
noted(const struct run *r, const char *kind, str name, int64_t number)
{
	int64_t before;
	for (uint32_t i = 0; val_is(r->revisions, VAL_LIST) && i < r->revisions->n; i++) {
		const struct val *x = &r->revisions->items[i];
		if (str_eq(val_get_str(x, "kind"), str_c(kind)) && str_eq(val_get_str(x, "name"), name) &&
			val_to_i64(val_get(x, S("revision")), &before) && before == number)
			return true;
	}
	return false;
}

/* A run of the same again says what the first one did. */
void
revision_note(struct run *r, bool cluster, str name)
{
	const char *kind = cluster ? "ClusterWorkflowTemplate" : "WorkflowTemplate";
	int64_t number = r->world.template_revision && !r->frozen ? r->world.template_revision(r->world.arg, cluster, r->ns, name) : 0;
	if (!number || noted(r, kind, name, number))
		return;
	struct val_map m = { 0 };
	struct val_list list = { 0 };
	for (uint32_t i = 0; val_is(r->revisions, VAL_LIST) && i < r->revisions->n; i++)
		val_list_add(&list, r->revisions->items[i]);
	val_map_add(&m, S("kind"), val_cstr(kind));
	val_map_add(&m, S("name"), val_str(arena_dup(r->arena, name)));
	val_map_add(&m, S("revision"), val_int(number));
	val_list_add(&list, val_map_end(&m, r->arena));
	struct val *all = ARENA_NEW(r->arena, struct val);
	*all = val_list_end(&list, r->arena);
	r->revisions = all;
	r->spec_version++;
}

static const struct val *
kept(struct run *r, const struct val *v)
{
	if (!v)
		return NULL;
	struct val *copy = ARENA_NEW(r->arena, struct val);
	*copy = val_copy(r->arena, v);
	return copy;
}

/* What config maps said then holds again. */
static void
take_parameters(struct run *r, const struct val *state)
{
	const struct val *map = val_get(state, S("parameters"));
	for (uint32_t i = 0; val_is(map, VAL_MAP) && i < map->n; i++) {
		str *v = ARENA_NEW(r->arena, str);
		*v = arena_dup(r->arena, map->members[i].value.kind == VAL_STR ? val_text(&map->members[i].value) : S(""));
		map_put(&r->parameters, arena_dup(r->arena, val_key(&map->members[i])), v);
	}
}

int
run_again(struct run **out, const struct val *saved, const struct val *state, const struct val *frozen, const struct val *manifest, const struct run_world *w,
	struct err *e)
{
	static const struct val nothing = { .kind = VAL_MAP };
	struct run *r = run_alloc(manifest, w);
	const struct val *merged = val_get(saved, S("merged"));
	if (!merged) /* the manifest's own: without what stopped it */
		merged = val_get(r->manifest, S("spec"));
	if (val_path(r->manifest, "spec.priority"))
		merged = val_set(r->arena, merged, S("priority"), val_path(r->manifest, "spec.priority"));
	if (run_take_spec(r, val_unset(r->arena, merged, S("shutdown")), e)) {
		run_free(r);
		return -1;
	}
	r->stored_spec |= val_get(saved, S("merged")) != NULL;
	r->stored_templates = kept(r, val_get(saved, S("templates")));
	r->revisions = kept(r, val_get(saved, S("revisions")));
	r->frozen = kept(r, frozen ? frozen : &nothing);
	take_parameters(r, state);
	images_load(r, kept(r, val_get(state, S("images")))); /* their digests: a name means what it meant then */
	for (size_t i = 0; i < r->images.v.n; i++)
		r->images.v.p[i].first = STR_NONE; /* a node of the other run */
	*out = r;
	return 0;
}
