/* SPDX-License-Identifier: Apache-2.0 */
/*
 * field_resolve: a manifest with the types that its table gives to unquoted YAML scalars. What is printed as JSON later
 * has a string where the field is a string ("1.10" stays text, a parameter's 5 becomes "5") and true where it is a
 * boolean.
 */
#include "core/field_kinds.h"

static struct val resolve_map(const struct schema *sc, struct arena *a, const struct val *v);

static struct val
copy_resolved(struct arena *a, const struct val *v)
{
	struct val out = val_copy(a, v);
	return *val_resolve_all(a, &out);
}

/* Text stays text; a number where only text is allowed stays open, so that the decoder still finds it wrong. */
static struct val
resolve_string(const struct field *f, struct arena *a, const struct val *v)
{
	struct val out = val_copy(a, v), r = val_resolve(&out);
	if (r.kind == VAL_STR || r.kind == VAL_NULL || r.kind == VAL_LIST || r.kind == VAL_MAP)
		return r;
	str text = f->flags & ANYSTR ? field_any_string(a, &r) : STR_NONE;
	if (!text.p)
		return out;
	struct val s = val_str(text);
	s.line = v->line;
	s.col = v->col;
	return s;
}

static struct val
resolve_bool(struct arena *a, const struct val *v)
{
	struct val out = val_resolve(v);
	bool b;
	if (!field_to_bool(v, &b))
		return copy_resolved(a, v);
	out.kind = VAL_BOOL;
	out.b = b;
	out.n = 0;
	out.flags = 0;
	return out;
}

/* Applies `item` to every item or member value. */
static struct val
resolve_each(const struct field *f, struct arena *a, const struct val *v,
	struct val (*item)(const struct field *f, struct arena *a, const struct val *v))
{
	struct val out = *v;
	if (v->kind == VAL_LIST) {
		struct val *items = ARENA_ARRAY(a, struct val, v->n);
		for (uint32_t i = 0; i < v->n; i++)
			items[i] = item(f, a, &v->items[i]);
		out.items = items;
	} else if (v->kind == VAL_MAP) {
		struct member *members = ARENA_ARRAY(a, struct member, v->n);
		for (uint32_t i = 0; i < v->n; i++)
			members[i] = (struct member){ val_copy(a, &v->members[i].key), item(f, a,
				&v->members[i].value) };
		out.members = members;
	} else {
		return copy_resolved(a, v);
	}
	return out;
}

static struct val
resolve_object(const struct field *f, struct arena *a, const struct val *v)
{
	return resolve_map(f->schema, a, v);
}

static struct val
resolve_inner_list(const struct field *f, struct arena *a, const struct val *v)
{
	return resolve_each(f, a, v, resolve_object);
}

static struct val
resolve_field(const struct field *f, struct arena *a, const struct val *v)
{
	switch (f->flags & STATUS ? FIELD_NONE_ : field_shape(f)) {
	case FIELD_STR:
	case FIELD_ENUM_:
		return resolve_string(f, a, v);
	case FIELD_BOOL:
	case FIELD_TRI:
		return resolve_bool(a, v);
	case FIELD_STRS:
	case FIELD_KVS:
		return resolve_each(f, a, v, resolve_string);
	case FIELD_OBJ_:
	case FIELD_PTR_:
		return resolve_map(f->schema, a, v);
	case FIELD_LIST_:
	case FIELD_MAP_:
		return resolve_each(f, a, v, resolve_object);
	case FIELD_LISTS_:
		return resolve_each(f, a, v, resolve_inner_list);
	default:
		return copy_resolved(a, v);
	}
}

static struct val
resolve_map(const struct schema *sc, struct arena *a, const struct val *v)
{
	if (v->kind != VAL_MAP)
		return copy_resolved(a, v);
	struct val out = *v;
	struct member *members = ARENA_ARRAY(a, struct member, v->n);
	for (uint32_t i = 0; i < v->n; i++) {
		const struct member *m = &v->members[i];
		const struct field *f = field_find(sc, val_key(m));
		members[i] = (struct member){ val_copy(a, &m->key), f ? resolve_field(f, a,
			&m->value) : copy_resolved(a, &m->value) };
	}
	out.members = members;
	return out;
}

struct val
schema_resolve(const struct schema *sc, struct arena *a, const struct val *in)
{
	return resolve_map(sc, a, in);
}
