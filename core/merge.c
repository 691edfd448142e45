/* SPDX-License-Identifier: Apache-2.0 */
/* merge: values made from others by changing a member or by laying one over another. What doesn't change is shared. */
#include "core/val.h"

/* ---- one member --------------------------------------------------------------------------------------------- */

static const struct val *
new_map(struct arena *a, const struct val *like, struct member *members, uint32_t n)
{
	struct val *v = ARENA_NEW(a, struct val);
	*v = (struct val){ .kind = VAL_MAP, .members = members, .n = n };
	if (like) {
		v->line = like->line;
		v->col = like->col;
	}
	for (uint32_t i = 0; i < n; i++)
		v->flags |= (members[i].key.flags | members[i].value.flags) & VAL_TAGGED;
	return v;
}

const struct val *
val_set(struct arena *a, const struct val *map, str key, const struct val *v)
{
	uint32_t n = val_is(map, VAL_MAP) ? map->n : 0;
	struct member *members = ARENA_ARRAY(a, struct member, n + 1);
	bool found = false;
	for (uint32_t i = 0; i < n; i++) {
		members[i] = map->members[i];
		if (str_eq(val_key(&members[i]), key)) {
			members[i].value = *v;
			found = true;
		}
	}
	if (!found)
		members[n++] = (struct member){ val_str(arena_dup(a, key)), *v };
	return new_map(a, map, members, n);
}

const struct val *
val_unset(struct arena *a, const struct val *map, str key)
{
	if (!val_get(map, key))
		return map;
	struct member *members = ARENA_ARRAY(a, struct member, map->n);
	uint32_t n = 0;
	for (uint32_t i = 0; i < map->n; i++)
		if (!str_eq(val_key(&map->members[i]), key))
			members[n++] = map->members[i];
	return new_map(a, map, members, n);
}

/* ---- patches ------------------------------------------------------------------------------------------------ */

/* A null, also one that YAML left open. */
static bool
is_null(const struct val *v)
{
	return val_resolve(v).kind == VAL_NULL;
}

/* Which lists merge by key, and by which: the patchMergeKey tags of Kubernetes' core/v1 and of Argo's WorkflowSpec. */
static const struct {
	const char *field, *key;
} keyed_lists[] = {
	{ "templates", "name" },       { "volumes", "name" },        { "volumeClaimTemplates", "metadata.name" },
	{ "imagePullSecrets", "name" }, { "tolerations", "key" },     { "hostAliases", "ip" },
	{ "initContainers", "name" },  { "sidecars", "name" },       { "containers", "name" },
	{ "env", "name" },             { "volumeMounts", "mountPath" }, { "volumeDevices", "devicePath" },
	{ "ports", "containerPort" },  { "parameters", "name" },     { "artifacts", "name" },
	{ "tasks", "name" },
};

static const char *
merge_key(str field)
{
	for (size_t i = 0; i < ARRAY_LEN(keyed_lists); i++)
		if (str_eq(field, str_c(keyed_lists[i].field)))
			return keyed_lists[i].key;
	return NULL;
}

static const struct val *merge(struct arena *a, const struct val *base, const struct val *patch, bool by_key);

/* The item of `list` whose key is that of `like`; list->n if there is none. */
static uint32_t
find_item(const struct val *list, const struct val *like, const char *key)
{
	const struct val *wanted = val_path(like, key);
	uint32_t i = 0;
	while (i < list->n && !(wanted && val_eq(val_path(&list->items[i], key), wanted)))
		i++;
	return wanted ? i : list->n;
}

static const struct val *
merge_list(struct arena *a, const struct val *base, const struct val *patch, const char *key)
{
	struct val *items = ARENA_ARRAY(a, struct val, (size_t)base->n + patch->n);
	struct val *out = ARENA_NEW(a, struct val);
	*out = (struct val){ .kind = VAL_LIST, .line = patch->line, .col = patch->col, .items = items, .n = base->n };
	memcpy(items, base->items, base->n * sizeof *items);
	for (uint32_t i = 0; i < patch->n; i++) {
		uint32_t at = find_item(out, &patch->items[i], key);
		if (at == out->n)
			items[out->n++] = patch->items[i];
		else
			items[at] = *merge(a, &items[at], &patch->items[i], true);
	}
	for (uint32_t i = 0; i < out->n; i++)
		out->flags |= items[i].flags & VAL_TAGGED;
	return out;
}

static const struct val *
merge_member(struct arena *a, str name, const struct val *old, const struct val *change, bool by_key)
{
	const char *key = by_key ? merge_key(name) : NULL;
	if (key && val_is(old, VAL_LIST) && change->kind == VAL_LIST)
		return merge_list(a, old, change, key);
	return merge(a, old, change, by_key);
}

/* RFC 7386 section 2; `by_key` adds Kubernetes' keyed lists. */
static const struct val *
merge(struct arena *a, const struct val *base, const struct val *patch, bool by_key)
{
	if (patch->kind != VAL_MAP)
		return patch;
	uint32_t base_n = val_is(base, VAL_MAP) ? base->n : 0;
	struct member *members = ARENA_ARRAY(a, struct member, (size_t)base_n + patch->n);
	uint32_t n = 0;
	for (uint32_t i = 0; i < base_n; i++) {
		const struct member *m = &base->members[i];
		const struct val *change = val_get(patch, val_key(m));
		if (!change)
			members[n++] = *m;
		else if (!is_null(change))
			members[n++] = (struct member){ m->key,
				*merge_member(a, val_key(m), &m->value, change, by_key) };
	}
	for (uint32_t i = 0; i < patch->n; i++) {
		const struct member *m = &patch->members[i];
		if (!is_null(&m->value) && !val_get(base, val_key(m)))
			members[n++] = (struct member){ m->key, *merge_member(a, val_key(m), NULL, &m->value, by_key) };
	}
	return new_map(a, patch, members, n);
}

const struct val *
val_merge(struct arena *a, const struct val *base, const struct val *patch)
{
	return patch ? merge(a, base, patch, true) : base;
}

const struct val *
val_merge_patch(struct arena *a, const struct val *base, const struct val *patch)
{
	return patch ? merge(a, base, patch, false) : base;
}
