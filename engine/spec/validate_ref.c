/* SPDX-License-Identifier: Apache-2.0 */
/* validate_ref: from references to templates, in the workflow itself and in (Cluster)WorkflowTemplates. */
#include "engine/spec/validate.h"

/* A parameter or artifact that goes up to the workflow's own outputs. */
static void
note_global(struct check *k, str name, struct map *names, bool *any)
{
	if (check_has_tag(name))
		*any = true;
	else if (name.n)
		map_put(names, name, k);
}

static struct template_state *
state_new(struct check *k, const struct template *t, struct owner *owner)
{
	struct template_state *s = ARENA_NEW(k->arena, struct template_state);

	*s = (struct template_state){ .t = t, .owner = owner };
	for (size_t i = 0; i < t->outputs.parameters.n; i++)
		note_global(k, t->outputs.parameters.p[i].global_name, &k->global_parameters, &k->any_global_parameter);
	for (size_t i = 0; i < t->outputs.artifacts.n; i++)
		note_global(k, t->outputs.artifacts.p[i].global_name, &k->global_artifacts, &k->any_global_artifact);
	return s;
}

struct owner *
check_owner(struct check *k, const struct val *spec, bool cluster, str name)
{
	struct owner *o = ARENA_NEW(k->arena, struct owner), **end = &k->owners;

	o->cluster = cluster;
	o->name = name;
	if (schema_decode(&workflow_spec_schema, k->arena, spec, S("spec"), &o->spec, &k->quiet) < 0)
		k->quiet.errors = 0; /* whoever read it has said so; what could be read is looked into all the same */
	for (size_t i = 0; i < o->spec.templates.n; i++)
		if (o->spec.templates.p[i].name.n && !map_get(&o->by_name, o->spec.templates.p[i].name))
			map_put(&o->by_name, o->spec.templates.p[i].name, state_new(k, &o->spec.templates.p[i], o));
	while (*end)
		end = &(*end)->next;
	*end = o;
	return o;
}

void
check_report_later(struct check *k, const struct val *v, const struct schema *sc, const struct val *at,
	const char *what)
{
	void *scratch = arena_alloc(k->arena, sc->size, _Alignof(max_align_t));
	const struct val *outer = k->foreign;
	struct diags found;

	diags_init(&found);
	k->foreign = at;
	if (schema_decode(sc, k->arena, v, S(""), scratch, &found) == 0)
		for (size_t i = 0; i < found.v.n; i++)
			if (found.v.p[i].level == DIAG_LATER)
				check_later(k, at, "\"%s\": %.*s: %.*s", what, STR_ARG(found.v.p[i].path),
					STR_ARG(found.v.p[i].text));
	k->foreign = outer;
	diags_free(&found);
}

static void
hint_name(struct check *k, struct diag *x, const struct owner *o, str name)
{
	const char **names = ARENA_ARRAY(k->arena, const char *, o->spec.templates.n + 1);
	const char *near;

	for (size_t i = 0; i < o->spec.templates.n; i++)
		names[i] = str_z(k->arena, o->spec.templates.p[i].name);
	near = diag_nearest(name, names, o->spec.templates.n);
	if (near)
		diag_hint(k->diags, x, "did you mean \"%s\"?", near);
}

struct template_state *
check_resolve_name(struct check *k, struct owner *from, str name, const struct val *at)
{
	struct template_state *s = map_get(&from->by_name, name);

	if (!s && !check_has_tag(name))
		hint_name(k, check_fail(k, at, "template name '%.*s' undefined", STR_ARG(name)), from, name);
	return s;
}

void
check_hint_template(struct check *k, struct diag *x, bool cluster, str name)
{
	const struct run_world *w = k->world;
	const char *near = w && w->nearest_template ? w->nearest_template(w->arg, cluster, k->ns, name) : NULL;

	if (near)
		diag_hint(k->diags, x, "did you mean \"%s\"?", near);
}

static struct owner *
find_owner(struct check *k, const struct template_ref *ref)
{
	const struct val *spec;

	for (struct owner *o = k->owners; o; o = o->next)
		if (o->name.n && o->cluster == ref->cluster_scope && str_eq(o->name, ref->name))
			return o;
	spec = k->world ? k->world->template_spec(k->world->arg, ref->cluster_scope, k->ns, ref->name) : NULL;
	if (spec)
		return check_owner(k, spec, ref->cluster_scope, ref->name);
	const struct val *at = val_get(ref->src, S("name"));
	struct diag *x = ref->cluster_scope ? check_fail(k, at, "couldn't find cluster workflow template \"%.*s\"", STR_ARG(ref->name))
	                                    : check_fail(k, at, "couldn't find workflow template \"%.*s\" in namespace \"%.*s\"", STR_ARG(ref->name),
	                                                 STR_ARG(k->ns));
	check_hint_template(k, x, ref->cluster_scope, ref->name);
	return NULL;
}

static struct template_state *
resolve_ref(struct check *k, const struct template_ref *ref)
{
	struct template_state *s;
	struct owner *o;

	if (check_has_tag(ref->name) || check_has_tag(ref->tmpl))
		return NULL;
	if (!ref->name.n)
		check_fail(k, ref->src, "resource name is required");
	if (!ref->tmpl.n)
		check_fail(k, ref->src, "template name is required");
	if (!ref->name.n || !ref->tmpl.n)
		return NULL;
	o = find_owner(k, ref);
	s = o ? map_get(&o->by_name, ref->tmpl) : NULL;
	if (o && !s)
		hint_name(k, check_fail(k, ref->src, "template reference %.*s.%.*s not found", STR_ARG(ref->name),
			STR_ARG(ref->tmpl)), o, ref->tmpl);
	return s;
}

struct template_state *
check_resolve(struct check *k, struct owner *from, str name, const struct template_ref *ref,
	const struct val *inline_template, const struct val *at)
{
	if (ref) {
		if (name.n)
			check_fail(k, at, "template name cannot be specified with templateRef.");
		return resolve_ref(k, ref);
	}
	if (name.n)
		return check_resolve_name(k, from, name, val_get(at, S("template")));
	if (val_is(inline_template, VAL_MAP)) {
		struct template *t = ARENA_NEW(k->arena, struct template);

		if (schema_decode(&template_schema, k->arena, inline_template, S(""), t, &k->quiet) < 0)
			k->quiet.errors = 0; /* said where it was read */
		return state_new(k, t, from);
	}
	check_fail(k, at, "template, templateRef or inline is required");
	return NULL;
}
