/* SPDX-License-Identifier: Apache-2.0 */
/* options: what who submits a Workflow says beside its manifest, put into it. */
#include "engine/engine.h"

static const struct val *
set_str(struct arena *a, const struct val *map, const char *key, str s)
{
	struct val v = val_str(arena_dup(a, s));
	return s.p ? val_set(a, map, str_c(key), &v) : map;
}

static const struct val *
set_pairs(struct arena *a, const struct val *meta, const char *key, const struct kvs *pairs)
{
	if (!pairs->n)
		return meta;
	const struct val *map = val_get(meta, str_c(key));
	for (size_t i = 0; i < pairs->n; i++) {
		struct val v = val_str(arena_dup(a, pairs->p[i].value));
		map = val_set(a, map, arena_dup(a, pairs->p[i].key), &v);
	}
	return val_set(a, meta, str_c(key), map);
}

static bool
among(const struct kvs *pairs, str name)
{
	for (size_t i = 0; i < pairs->n; i++)
		if (str_eq(pairs->p[i].key, name))
			return true;
	return false;
}

/* Given parameters come first, in their order; those of the manifest that they override go (argo submit does the same). */
const struct val *
engine_with_parameters(struct arena *a, const struct val *spec, const struct kvs *given)
{
	if (!given->n)
		return spec;
	const struct val *arguments = val_get(spec, S("arguments")), *old = val_get(arguments, S("parameters"));
	struct val_list list = { 0 };
	for (size_t i = 0; i < given->n; i++) {
		struct val_map m = { 0 };
		val_map_add(&m, S("name"), val_str(arena_dup(a, given->p[i].key)));
		val_map_add(&m, S("value"), val_str(arena_dup(a, given->p[i].value)));
		val_list_add(&list, val_map_end(&m, a));
	}
	for (size_t i = 0; val_is(old, VAL_LIST) && i < old->n; i++)
		if (!among(given, val_get_str(val_at(old, i), "name")))
			val_list_add(&list, *val_at(old, i));
	struct val v = val_list_end(&list, a);
	arguments = val_set(a, arguments, S("parameters"), &v);
	return val_set(a, spec, S("arguments"), arguments);
}

const struct val *
engine_with_options(struct arena *a, const struct val *manifest, const struct submit_options *o)
{
	const struct val *meta = val_get(manifest, S("metadata")), *spec = val_get(manifest, S("spec"));
	if (o->name.n)
		meta = set_str(a, meta, "name", o->name);
	if (o->generate_name.n) {
		meta = val_unset(a, meta, S("name"));
		meta = set_str(a, meta, "generateName", o->generate_name);
	}
	if (!val_get_str(meta, "namespace").n)
		meta = set_str(a, meta, "namespace", o->ns.n ? o->ns : S("default"));
	meta = set_pairs(a, meta, "labels", &o->labels);
	meta = set_pairs(a, meta, "annotations", &o->annotations);
	if (o->entrypoint.n)
		spec = set_str(a, spec, "entrypoint", o->entrypoint);
	if (o->service_account.n)
		spec = set_str(a, spec, "serviceAccountName", o->service_account);
	if (o->priority) {
		struct val v = val_int(*o->priority);
		spec = val_set(a, spec, S("priority"), &v);
	}
	spec = engine_with_parameters(a, spec, &o->parameters);
	manifest = meta ? val_set(a, manifest, S("metadata"), meta) : manifest;
	return spec ? val_set(a, manifest, S("spec"), spec) : manifest;
}
