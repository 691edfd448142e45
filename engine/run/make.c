/* SPDX-License-Identifier: Apache-2.0 */
/*
 * make: a run is made of a manifest, and goes. What is executed is its merged specification, in which variables are put in when the
 * workflow begins (spec 1.9; 3.1, pass 1).
 */
#include "engine/run/run_impl.h"

/* ---- what the specification says about the workflow itself ------------------------------------------------------ */

/* For the next decoding: without what was found in the last. */
void
run_fresh_diags(struct run *r)
{
	if (!r->diags.v.n)
		return;
	diags_free(&r->diags);
	diags_init(&r->diags);
}

int
run_decode(struct run *r, const struct schema *sc, const struct val *v, const char *what, void *out, struct err *e)
{
	run_fresh_diags(r);
	if (!schema_decode(sc, r->arena, v, str_c(what), out, &r->diags))
		return 0;
	const struct diag *x = r->diags.v.n ? &r->diags.v.p[0] : NULL;
	return err_set(e, ERR_INVALID, "%.*s: %.*s", STR_ARG(x ? x->path : str_c(what)),
		STR_ARG(x ? x->text : S("is not valid")));
}

const struct arguments *
arguments_decode(struct run *r, const struct val *v, struct err *e)
{
	static const struct val none = { .kind = VAL_MAP };
	struct arguments *out = ARENA_NEW(r->arena, struct arguments);
	return run_decode(r, &arguments_schema, v ? v : &none, "arguments", out, e) ? NULL : out;
}

static int
global_value(struct run *r, const struct parameter *p, str *out, struct err *e)
{
	const struct secret_ref *ref = p->value_from ? p->value_from->config_map_key : NULL;
	if (ref) {
		struct err why = { 0 };
		if (r->world.config_map && !r->world.config_map(r->world.arg, r->ns, ref->name, ref->key, out, &why)) {
			*out = arena_dup(r->arena, *out);
			return 0;
		}
		*out = p->value_from->dflt;
		return out->p ? 0
			      : err_set(e, ERR_NOT_FOUND,
					"failed to set global parameter %.*s from configmap with name %.*s and key "
					"%.*s: %s",
					STR_ARG(p->name), STR_ARG(ref->name), STR_ARG(ref->key), why.msg);
	}
	*out = p->value.p ? p->value : p->value_from && p->value_from->dflt.p ? p->value_from->dflt : p->dflt;
	return out->p ? 0
		      : err_set(e, ERR_INVALID,
				"either value or valueFrom must be specified in order to set global parameter %.*s",
				STR_ARG(p->name));
}

/* workflow.parameters.*. What a config map said at the start holds for as long as the workflow runs, so it is kept. */
static int
set_parameters(struct run *r, struct err *e)
{
	r->arguments = arguments_decode(r, val_get(r->merged, S("arguments")), e);
	for (size_t i = 0; r->arguments && i < r->arguments->parameters.n; i++) {
		const struct parameter *p = &r->arguments->parameters.p[i];
		str *v = map_get(&r->parameters, p->name);
		if (v)
			continue;
		v = ARENA_NEW(r->arena, str);
		if (global_value(r, p, v, e))
			return -1;
		map_put(&r->parameters, p->name, v);
	}
	return r->arguments ? 0 : -1;
}

/* The spec with globals put in everywhere except in templates (spec 3.1, pass 1), and what else follows from it. */
/* Hooks begin later than the workflow: what changes until then is put in when they do. */
static const struct val *
put_globals(struct run *r, struct err *e)
{
	struct scope x = { .run = r, .time = r->created };
	struct tag_scope ts = scope_tags(&x);
	const struct val *v = val_unset(r->arena, r->merged, S("templates")), *hooks = val_get(v, S("hooks"));
	v = tags_put(r->arena, val_unset(r->arena, v, S("hooks")), &ts, e);
	if (!v || !hooks)
		return v;
	x.lasting = true;
	hooks = tags_put(r->arena, hooks, &ts, e);
	return hooks ? val_set(r->arena, v, S("hooks"), hooks) : NULL;
}

int
run_globals(struct run *r, struct err *e)
{
	r->spec = r->merged;
	metadata_put(r);
	if (set_parameters(r, e))
		return -1;
	const struct val *templates = val_get(r->merged, S("templates"));
	const struct val *put = put_globals(r, e);
	if (!put)
		return -1;
	r->spec = templates ? val_set(r->arena, put, S("templates"), templates) : put;
	r->args = val_get(r->spec, S("arguments"));
	r->arguments = arguments_decode(r, r->args, e);
	metadata_put(r);
	r->local.scope = run_text(r, "local/%.*s", STR_ARG(r->name));
	r->local.templates = templates;
	const struct val *parallelism = val_get(r->spec, S("parallelism"));
	r->parallelism = -1;
	if (parallelism && (!val_to_i64(parallelism, &r->parallelism) || r->parallelism < 1))
		r->parallelism = -1;
	return r->arguments ? lifecycle_of_workflow(r, e) : -1;
}

/* ---- new and gone ------------------------------------------------------------------------------------------------ */

/*
 * Plain scalars get their types, and numbers the form that they have after Argo turned YAML into JSON: 16.10 is 16.1.
 * From here on the manifest is data, which reads the same from a file, from the API and from the store.
 */
struct val
val_typed(struct arena *a, const struct val *v)
{
	struct val out = *v;
	int64_t i;
	double f;
	if (v->kind == VAL_LIST) {
		struct val *items = ARENA_ARRAY(a, struct val, v->n);
		for (uint32_t k = 0; k < v->n; k++)
			items[k] = val_typed(a, &v->items[k]);
		out.items = items;
	} else if (v->kind == VAL_MAP) {
		struct member *members = ARENA_ARRAY(a, struct member, v->n);
		for (uint32_t k = 0; k < v->n; k++)
			members[k] =
				(struct member){ val_typed(a, &v->members[k].key), val_typed(a, &v->members[k].value) };
		out.members = members;
	} else if (v->kind == VAL_NUM || (v->kind == VAL_STR && (v->flags & VAL_PLAIN))) {
		out = val_resolve(v);
		if (out.kind == VAL_NUM && val_to_i64(&out, &i))
			out = val_int(i);
		else if (out.kind == VAL_NUM && val_to_double(&out, &f))
			out = val_float(f);
		out.line = v->line;
		out.col = v->col;
	}
	return out;
}

struct run *
run_alloc(const struct val *manifest, const struct run_world *w)
{
	struct arena *a = arena_new();
	struct run *r = ARENA_NEW(a, struct run);
	struct val *copy = ARENA_NEW(a, struct val);
	*copy = val_copy(a, manifest);
	*copy = val_typed(a, copy);
	const struct val *meta = val_get(copy, S("metadata"));
	r->arena = r->work = a;
	r->passing = arena_new();
	r->manifest = copy;
	if (w)
		r->world = *w;
	r->name = arena_dup(a, val_get_str(meta, "name"));
	r->ns = arena_dup(a, val_get_str(meta, "namespace"));
	r->uid = arena_dup(a, val_get_str(meta, "uid"));
	r->message = r->shutdown = r->metrics_error = r->collect_error = S("");
	struct err ignored;
	if (time_parse_rfc3339(val_get_str(meta, "creationTimestamp"), &r->created, &ignored))
		r->created = 0;
	diags_init(&r->diags);
	return r;
}

/* What is not served yet is refused by whoever takes a manifest in; to be sure, also here: never run to a wrong result.
 */
static void
refuse_later(const struct run *r, struct err *e)
{
	for (size_t i = 0; i < r->diags.v.n; i++)
		if (r->diags.v.p[i].level == DIAG_LATER) {
			(void)err_set(e, ERR_UNSUPPORTED, "line %u: %.*s: not served yet", r->diags.v.p[i].line,
				STR_ARG(r->diags.v.p[i].path));
			return;
		}
}

int
run_take_spec(struct run *r, const struct val *merged, struct err *e)
{
	struct val *copy = ARENA_NEW(r->arena, struct val);
	*copy = val_copy(r->arena, merged); /* the template it came from may change while we run */
	*copy = val_typed(r->arena, copy);
	r->merged = copy;
	if (!r->name.n)
		return err_set(e, ERR_INVALID, "metadata.name is required");
	struct workflow_spec *spec = ARENA_NEW(r->arena, struct workflow_spec);
	if (run_decode(r, &workflow_spec_schema, r->merged, "spec", spec, e))
		return -1;
	if (r->diags.later) {
		refuse_later(r, e);
		return -1;
	}
	r->stored_spec = val_get(val_get(r->manifest, S("spec")), S("workflowTemplateRef")) != NULL;
	r->suspended = val_is_true(val_get(r->merged, S("suspend")));
	str shutdown = val_get_str(r->merged, "shutdown");
	r->shutdown = shutdown.p ? shutdown : S("");
	return 0;
}

int
run_new(struct run **out, const struct val *manifest, const struct run_world *w, struct err *e)
{
	struct run *r = run_alloc(manifest, w);
	const struct val *merged = run_merged_spec(r->arena, r->manifest, w, e);
	if (!merged || run_take_spec(r, merged, e)) {
		run_free(r);
		return -1;
	}
	const struct val *ref = val_get(val_get(r->manifest, S("spec")), S("workflowTemplateRef"));
	if (ref)
		revision_note(r, val_is_true(val_get(ref, S("clusterScope"))), val_get_str(ref, "name"));
	*out = r;
	return 0;
}

static void
free_defs(struct map *defs)
{
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(defs, &i));)
		map_free(&((struct def *)slot->value)->captured);
	map_free(defs);
}

void
run_drop_frames(struct run *r)
{
	rest_forget(r);
	for (size_t i = 0; i < r->frames.n; i++) {
		map_free(&r->frames.p[i]->names);
		map_free(&r->frames.p[i]->aggregates);
		limit_forget(r->frames.p[i]);
		heap_free(&r->frames.p[i]->parked);
		dag_frame_free(r->frames.p[i]);
	}
	VEC_FREE(&r->frames);
	heap_free(&r->noted);
	heap_free(&r->line);
}

void
run_free_dropped(struct run *r)
{
	while (r->dropped.n)
		free(r->dropped.p[--r->dropped.n]);
}

void
run_free(struct run *r)
{
	if (!r)
		return;
	run_drop_frames(r);
	for (size_t i = 0; i < r->nodes.n; i++) {
		VEC_FREE(&r->nodes.p[i]->children);
		VEC_FREE(&r->nodes.p[i]->parents);
		VEC_FREE(&r->nodes.p[i]->outbound);
		work_end(r->nodes.p[i]);
	}
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&r->libraries, &i));)
		free_defs(&((struct library *)slot->value)->defs);
	free_defs(&r->local.defs);
	free_defs(&r->inlines);
	map_free(&r->libraries);
	map_free(&r->parameters);
	map_free(&r->outputs);
	map_free(&r->estimates);
	node_indexes_free(r);
	run_free_dropped(r);
	VEC_FREE(&r->dropped);
	VEC_FREE(&r->nodes);
	VEC_FREE(&r->dirty);
	VEC_FREE(&r->news);
	VEC_FREE(&r->hooked);
	VEC_FREE(&r->noticed);
	VEC_FREE(&r->output_names);
	VEC_FREE(&r->artifacts);
	VEC_FREE(&r->images.v);
	diags_free(&r->diags);
	evaluator_free(r->evaluator);
	arena_free(r->passing);
	arena_free(r->arena);
}
