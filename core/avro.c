/* SPDX-License-Identifier: Apache-2.0 */
/* Schemas: names, and what they stand for. A record is known by its name before its fields are read, so that it may have itself in them. */
#include "core/avro_impl.h"

#include "core/map.h"

struct reading {
	struct arena *arena;
	struct map types; /* full name -> struct avro_type */
	struct err *e;
};

static const struct {
	const char *name;
	enum avro_kind kind;
} primitives[] = {
	{ "null", AVRO_NULL }, { "boolean", AVRO_BOOLEAN }, { "int", AVRO_INT }, { "long", AVRO_LONG },
	{ "float", AVRO_FLOAT }, { "double", AVRO_DOUBLE }, { "bytes", AVRO_BYTES }, { "string", AVRO_STRING },
};

/* Those that have a name of their own in unions; the value is what it is without. */
static const char *const logical_types[] = {
	"int.date", "int.time-millis", "long.time-micros", "long.timestamp-millis", "long.timestamp-micros", "bytes.decimal", "fixed.decimal",
};

int
avro_enter(struct avro_budget *b, struct err *e)
{
	if (!b->values)
		return err_set(e, ERR_LIMIT, "avro: more than %d values", AVRO_VALUES_MAX);
	if (!b->depth)
		return err_set(e, ERR_LIMIT, "avro: more than %d values inside each other", AVRO_DEPTH_MAX);
	if (b->out->n > AVRO_BYTES_MAX)
		return err_set(e, ERR_LIMIT, "avro: larger than %d bytes", AVRO_BYTES_MAX);
	b->values--;
	b->depth--;
	return 0;
}

/* ---- names ---------------------------------------------------------------------------------------------------------- */

static bool
is_name(str s)
{
	for (size_t i = 0; i < s.n; i++) {
		bool digit = s.p[i] >= '0' && s.p[i] <= '9', first = !i || s.p[i - 1] == '.';
		bool letter = (s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') || s.p[i] == '_';
		if (!letter && !(digit && !first) && !(s.p[i] == '.' && !first))
			return false;
	}
	return s.n && s.p[s.n - 1] != '.';
}

static str
full_name(struct reading *r, str name, str space)
{
	bool whole = str_find_char(name, '.', 0) != SIZE_MAX || !space.n;
	return whole ? name : arena_fmt(r->arena, "%.*s.%.*s", STR_ARG(space), STR_ARG(name));
}

static str
space_of(str full)
{
	size_t dot = 0;
	for (size_t i = 0; i < full.n; i++)
		if (full.p[i] == '.')
			dot = i;
	return str_slice(full, 0, dot);
}

static struct avro_type *
new_type(struct reading *r, enum avro_kind kind, str name)
{
	struct avro_type *t = ARENA_NEW(r->arena, struct avro_type);
	*t = (struct avro_type){ .kind = kind, .name = name };
	return t;
}

static struct avro_type *
named_type(struct reading *r, const struct val *v, enum avro_kind kind, str space)
{
	str name = val_get_str(v, "name"), own = val_get_str(v, "namespace");
	if (!is_name(name) || (own.n && !is_name(own))) {
		err_set(r->e, ERR_INVALID, "avro: \"%.*s\" is no name for a type", STR_ARG(str_slice(name, 0, 60)));
		return NULL;
	}
	struct avro_type *t = new_type(r, kind, full_name(r, name, own.p ? own : space));
	if (!map_put(&r->types, t->name, t))
		return t;
	err_set(r->e, ERR_INVALID, "avro: there are two types %.*s", STR_ARG(t->name));
	return NULL;
}

static const struct avro_type *
by_name(struct reading *r, str name, str space)
{
	for (size_t i = 0; i < ARRAY_LEN(primitives); i++)
		if (str_eq(name, str_c(primitives[i].name)))
			return new_type(r, primitives[i].kind, str_c(primitives[i].name));
	const struct avro_type *t = map_get(&r->types, full_name(r, name, space));
	if (!t)
		t = map_get(&r->types, name);
	if (!t)
		err_set(r->e, ERR_INVALID, "avro: there is no type \"%.*s\"", STR_ARG(str_slice(name, 0, 60)));
	return t;
}

/* ---- types ---------------------------------------------------------------------------------------------------------- */

static const struct avro_type *read_type(struct reading *r, const struct val *v, str space);

static const struct avro_type *
missing(struct reading *r, const struct avro_type *t, const char *what)
{
	err_set(r->e, ERR_INVALID, "avro: %.*s: %s", STR_ARG(t->name), what);
	return NULL;
}

static const struct avro_type *
read_record(struct reading *r, const struct val *v, str space)
{
	struct avro_type *t = named_type(r, v, AVRO_RECORD, space);
	const struct val *fields = val_get(v, S("fields"));
	if (!t || !val_is(fields, VAL_LIST))
		return t ? missing(r, t, "a record needs fields") : NULL;
	struct avro_member *m = ARENA_ARRAY(r->arena, struct avro_member, fields->n);
	t->members = m;
	for (; t->n < fields->n; t->n++) {
		const struct val *f = &fields->items[t->n], *type = val_get(f, S("type"));
		m[t->n] = (struct avro_member){ .name = val_get_str(f, "name"), .dflt = val_get(f, S("default")) };
		if (!is_name(m[t->n].name) || !type)
			return missing(r, t, "a field needs a name and a type");
		m[t->n].type = read_type(r, type, space_of(t->name));
		if (!m[t->n].type)
			return NULL;
	}
	return t;
}

static const struct avro_type *
read_enum(struct reading *r, const struct val *v, str space)
{
	struct avro_type *t = named_type(r, v, AVRO_ENUM, space);
	const struct val *symbols = val_get(v, S("symbols"));
	if (!t || !val_is(symbols, VAL_LIST) || !symbols->n)
		return t ? missing(r, t, "an enum needs symbols") : NULL;
	struct avro_member *m = ARENA_ARRAY(r->arena, struct avro_member, symbols->n);
	for (size_t i = 0; i < symbols->n; i++) {
		if (!val_is(&symbols->items[i], VAL_STR))
			return missing(r, t, "a symbol is a text");
		m[i].name = val_text(&symbols->items[i]);
	}
	t->members = m;
	t->n = symbols->n;
	return t;
}

static const struct avro_type *
read_fixed(struct reading *r, const struct val *v, str space)
{
	struct avro_type *t = named_type(r, v, AVRO_FIXED, space);
	const struct val *size = val_get(v, S("size"));
	int64_t n = -1;
	if (t && (!size || !val_to_i64(size, &n) || n < 0 || n > AVRO_BYTES_MAX))
		return missing(r, t, "fixed needs a size");
	if (t)
		t->size = (size_t)n;
	return t;
}

static const struct avro_type *
read_series(struct reading *r, const struct val *v, enum avro_kind kind, str space)
{
	struct avro_type *t = new_type(r, kind, kind == AVRO_ARRAY ? S("array") : S("map"));
	const struct val *of = val_get(v, kind == AVRO_ARRAY ? S("items") : S("values"));
	if (!of)
		return missing(r, t, kind == AVRO_ARRAY ? "items are missing" : "values are missing");
	t->of = read_type(r, of, space);
	return t->of ? t : NULL;
}

static const struct avro_type *
read_union(struct reading *r, const struct val *v, str space)
{
	struct avro_type *t = new_type(r, AVRO_UNION, S("union"));
	struct avro_member *m = ARENA_ARRAY(r->arena, struct avro_member, v->n);
	if (!v->n)
		return missing(r, t, "a union needs types");
	t->members = m;
	for (; t->n < v->n; t->n++) {
		m[t->n].type = read_type(r, &v->items[t->n], space);
		if (!m[t->n].type)
			return NULL;
		m[t->n].name = m[t->n].type->name;
		if (m[t->n].type->kind == AVRO_UNION)
			return missing(r, t, "it has a union in it");
	}
	return t;
}

/* With the logical type that goes with it. */
static const struct avro_type *
refine(struct reading *r, const struct val *v, const struct avro_type *t, const char *kind)
{
	str logical = val_get_str(v, "logicalType"), name = arena_fmt(r->arena, "%s.%.*s", kind, STR_ARG(logical));
	for (size_t i = 0; t && logical.n && i < ARRAY_LEN(logical_types); i++) {
		if (!str_eq(name, str_c(logical_types[i])))
			continue;
		struct avro_type *refined = new_type(r, t->kind, name);
		refined->size = t->size;
		return refined;
	}
	return t;
}

static const struct avro_type *
read_object(struct reading *r, const struct val *v, str space)
{
	const struct val *type = val_get(v, S("type"));
	if (!val_is(type, VAL_STR)) /* {"type": {"type": ...}} */
		return type ? read_type(r, type, space) : by_name(r, STR_NONE, space);
	str kind = val_text(type);
	if (str_eq(kind, S("record")) || str_eq(kind, S("error")))
		return read_record(r, v, space);
	if (str_eq(kind, S("enum")))
		return read_enum(r, v, space);
	if (str_eq(kind, S("fixed")))
		return refine(r, v, read_fixed(r, v, space), "fixed");
	if (str_eq(kind, S("array")) || str_eq(kind, S("map")))
		return read_series(r, v, str_eq(kind, S("array")) ? AVRO_ARRAY : AVRO_MAP, space);
	const struct avro_type *t = by_name(r, kind, space);
	return t && t->kind <= AVRO_STRING ? refine(r, v, t, t->name.p) : t;
}

static const struct avro_type *
read_type(struct reading *r, const struct val *v, str space)
{
	switch (v->kind) {
	case VAL_STR: return by_name(r, val_text(v), space);
	case VAL_LIST: return read_union(r, v, space);
	case VAL_MAP: return read_object(r, v, space);
	default: err_set(r->e, ERR_INVALID, "avro: %s is no type", val_kind_name(v)); return NULL;
	}
}

/* ---- life ----------------------------------------------------------------------------------------------------------- */

struct avro_schema *
avro_schema_read(str json, struct err *e)
{
	static const struct val_limits limits = { .depth = AVRO_DEPTH_MAX, .bytes = AVRO_SCHEMA_MAX };
	struct arena *a = arena_new();
	struct reading r = { .arena = a, .e = e };
	struct val *v = ARENA_NEW(a, struct val);
	struct avro_schema *s = ARENA_NEW(a, struct avro_schema);
	s->arena = a;
	if (json_read_limited(a, arena_dup(a, json), &limits, v, e) == 0) /* names and defaults point into the text */
		s->type = read_type(&r, v, STR_NONE);
	map_free(&r.types);
	if (s->type)
		return s;
	arena_free(a);
	return NULL;
}

void
avro_schema_free(struct avro_schema *s)
{
	if (s)
		arena_free(s->arena);
}
