/* SPDX-License-Identifier: Apache-2.0 */
/*
 * field_doc: what else comes from the tables: reference pages, JSON Schema for editors, and a check of the tables
 * themselves.
 */
#include <strings.h>

#include "core/field_kinds.h"
#include "core/map.h"

/* ---- all schemas below one ----------------------------------------------------------------------------------- */

typedef VEC(const struct schema *) schema_vec;

static void
collect(const struct schema *sc, schema_vec *out)
{
	for (size_t i = 0; i < out->n; i++)
		if (out->p[i] == sc)
			return;
	*VEC_PUSH(out) = sc;
	EACH_FIELD(sc, f)
		if (f->schema)
			collect(f->schema, out);
}

void
schema_each(const struct schema *sc, void (*fn)(const struct schema *sc, void *arg), void *arg)
{
	schema_vec all = { 0 };
	collect(sc, &all);
	for (size_t i = 0; i < all.n; i++)
		fn(all.p[i], arg);
	VEC_FREE(&all);
}

/* ---- which tables nothing that is served leads to ------------------------------------------------------------ */

struct reached {
	const struct schema *sc;
	const struct field *under;
};
typedef VEC(struct reached) reached_vec;

static const struct field *
worse(const struct field *under, const struct field *f)
{
	return under ? under : f->flags & (LATER | NOEFFECT | STATUS) ? f : NULL;
}

/* A table is visited again when a way to it is found that is served. */
static void
reach(const struct schema *sc, const struct field *under, reached_vec *out)
{
	size_t i = 0;
	while (i < out->n && out->p[i].sc != sc)
		i++;
	if (i == out->n)
		*VEC_PUSH(out) = (struct reached){ sc, under };
	else if (under || !out->p[i].under)
		return;
	else
		out->p[i].under = NULL;
	EACH_FIELD(sc, f)
	{
		if (f->schema)
			reach(f->schema, worse(under, f), out);
	}
}

void
schema_each_under(const struct schema *const *roots, const struct field *const *under_root, size_t n,
	void (*fn)(const struct schema *sc, const struct field *under, void *arg), void *arg)
{
	reached_vec all = { 0 };
	for (size_t i = 0; i < n; i++)
		reach(roots[i], under_root ? under_root[i] : NULL, &all);
	for (size_t i = 0; i < all.n; i++)
		fn(all.p[i].sc, all.p[i].under, arg);
	VEC_FREE(&all);
}

/* ---- reference pages ----------------------------------------------------------------------------------------- */

/* As GitHub makes an anchor of a heading. */
static void
print_anchor(FILE *f, const char *heading)
{
	for (; *heading; heading++) {
		char c = *heading;
		if (c >= 'A' && c <= 'Z')
			fputc(c | 0x20, f);
		else if (c == ' ')
			fputc('-', f);
		else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')
			fputc(c, f);
	}
}

static void
print_type(const struct field *f, FILE *out)
{
	enum field_kind shape = field_shape(f);
	fputs(shape == FIELD_NONE_ ? "any" : field_types[shape].doc, out);
	if (f->schema) {
		fprintf(out, "[%s](#", f->schema->name);
		print_anchor(out, f->schema->name);
		fputc(')', out);
	}
	for (size_t i = 0; f->choices && f->choices[i]; i++)
		if (*f->choices[i])
			fprintf(out, "%s`%s`", i && *f->choices[i - 1] ? ", " : ": ", f->choices[i]);
}

/* Table cells must not hold a bar or a line break. */
static void
print_cell(FILE *f, const char *text)
{
	for (; text && *text; text++) {
		if (*text == '|')
			fputc('\\', f);
		fputc(*text == '\n' ? ' ' : *text, f);
	}
}

static void
print_notes(const struct field *f, FILE *out)
{
	static const struct {
		unsigned flag;
		const char *text;
	} notes[] = {
		{ DEPRECATED, " *Deprecated.*" },
		{ SECRET, " *Never shown.*" },
	};
	for (size_t i = 0; i < ARRAY_LEN(notes); i++)
		if (f->flags & notes[i].flag)
			fputs(notes[i].text, out);
	if (f->hint && f->flags & DEPRECATED) {
		fputs(" (", out);
		print_cell(out, f->hint);
		fputs(")", out);
	}
	bool number = field_shape(f) == FIELD_INT || field_shape(f) == FIELD_OPT_INT;
	if (f->max && number)
		fprintf(out, " From %lld to %lld.", (long long)f->min, (long long)f->max);
	else if (f->min && number)
		fprintf(out, " At least %lld.", (long long)f->min);
	else if (f->max)
		fprintf(out, " At most %lld %s.", (long long)f->max, field_shape(f) == FIELD_STR ? "bytes" : "entries");
	if (f->one_of)
		fprintf(out, " One of the group \"%s\" only.", f->one_of);
}

/* What becomes of a field: served, accepted without effect and why, or refused and why. */
static void
print_standing(const struct field *f, const struct field *under, FILE *out)
{
	if (f->flags & STATUS)
		fputs("no effect: Tidegate writes it", out);
	else if (f->flags & LATER)
		fprintf(out, "refused: not served yet%s", f->hint ? "; " : "");
	else if (under)
		fprintf(out, "%s: as `%s`", under->flags & LATER ? "refused" : "no effect", under->name);
	else
		fputs(f->flags & NOEFFECT ? "no effect: " : "served", out);
	if (f->hint && (f->flags & LATER || (f->flags & NOEFFECT && !under)))
		print_cell(out, f->hint);
}

static void
print_rows(const struct schema *sc, const struct field *under, FILE *out)
{
	EACH_FIELD(sc, f)
	{
		if (f->kind == FIELD_SRC_)
			continue;
		if (f->flags & INLINE) {
			print_rows(f->schema, under, out);
			continue;
		}
		fprintf(out, "| `%s`%s | ", f->name, f->flags & REQ ? " (required)" : "");
		print_type(f, out);
		fputs(f->dflt ? " | `" : " | ", out);
		print_cell(out, f->dflt && !*f->dflt ? "\"\"" : f->dflt);
		fputs(f->dflt ? "` | " : " | ", out);
		print_standing(f, under, out);
		fputs(" | ", out);
		print_cell(out, f->doc);
		print_notes(f, out);
		fputs(" |\n", out);
	}
}

void
schema_doc(const struct schema *sc, const struct field *under, FILE *f)
{
	fprintf(f, "## %s\n\n%s\n\n", sc->name, sc->doc ? sc->doc : "");
	if (sc->fields && sc->fields->kind != FIELD_END) {
		fputs("| field | type | default | here | meaning |\n|---|---|---|---|---|\n", f);
		print_rows(sc, under, f);
	}
	if (sc->open)
		fputs("\nOther fields are not looked into.\n", f);
	fputc('\n', f);
}

/* ---- JSON Schema --------------------------------------------------------------------------------------------- */

static struct val
one_member(struct arena *a, const char *key, struct val v)
{
	struct val_map m = { 0 };
	val_map_add(&m, str_c(key), v);
	return val_map_end(&m, a);
}

static struct val
types(struct arena *a, const char *const *names, size_t n)
{
	struct val_list l = { 0 };
	for (size_t i = 0; i < n; i++)
		val_list_add(&l, val_cstr(names[i]));
	return val_list_end(&l, a);
}

static struct val
ref_to(struct arena *a, const struct schema *sc)
{
	return one_member(a, "$ref", val_str(arena_fmt(a, "#/$defs/%s", sc->name)));
}

static void
add_type(struct val_map *m, const struct field *f, struct arena *a)
{
	static const char *const any_string[] = { "string", "number", "boolean" };
	static const char *const int_or_string[] = { "integer", "string" };
	enum field_kind shape = field_shape(f);
	const char *json = field_types[shape].json;
	struct val text = one_member(a, "type", f->flags & ANYSTR ? types(a, any_string, 3) : val_cstr("string"));
	if (shape == FIELD_OBJ_ || shape == FIELD_PTR_) {
		val_map_add(m, S("$ref"), val_str(arena_fmt(a, "#/$defs/%s", f->schema->name)));
		return;
	}
	if ((shape == FIELD_STR && f->flags & ANYSTR) || (shape == FIELD_DUR && f->flags & GO_DURATION))
		val_map_add(m, S("type"), types(a, any_string, shape == FIELD_DUR ? 2 : 3));
	else if (shape == FIELD_INTSTR)
		val_map_add(m, S("type"), types(a, int_or_string, 2));
	else if (json)
		val_map_add(m, S("type"), val_cstr(json));
	if (shape == FIELD_STRS)
		val_map_add(m, S("items"), text);
	if (shape == FIELD_KVS)
		val_map_add(m, S("additionalProperties"), text);
	if (shape == FIELD_LIST_)
		val_map_add(m, S("items"), ref_to(a, f->schema));
	if (shape == FIELD_MAP_)
		val_map_add(m, S("additionalProperties"), ref_to(a, f->schema));
	if (shape == FIELD_LISTS_) {
		struct val_map inner = { 0 };
		val_map_add(&inner, S("type"), val_cstr("array"));
		val_map_add(&inner, S("items"), ref_to(a, f->schema));
		val_map_add(m, S("items"), val_map_end(&inner, a));
	}
}

static struct val
property(const struct field *f, struct arena *a)
{
	struct val_map m = { 0 };
	add_type(&m, f, a);
	if (f->doc)
		val_map_add(&m, S("description"), val_cstr(f->doc));
	if (f->choices) {
		struct val_list l = { 0 };
		for (size_t i = 0; f->choices[i]; i++)
			val_list_add(&l, val_cstr(f->choices[i]));
		val_map_add(&m, S("enum"), val_list_end(&l, a));
	}
	if (f->dflt) {
		struct val d = val_cstr(f->dflt);
		if (f->kind != FIELD_STR && f->kind != FIELD_ENUM_ && f->kind != FIELD_DUR)
			d.flags |= VAL_PLAIN;
		val_map_add(&m, S("default"), val_resolve(&d));
	}
	bool number = field_shape(f) == FIELD_INT || field_shape(f) == FIELD_OPT_INT;
	if (number && (f->min || f->max))
		val_map_add(&m, S("minimum"), val_int(f->min));
	if (f->max)
		val_map_add(&m, number ? S("maximum") : field_shape(f) == FIELD_STR ? S("maxLength") : S("maxItems"),
			val_int(f->max));
	if (f->flags & DEPRECATED)
		val_map_add(&m, S("deprecated"), val_bool(true));
	return val_map_end(&m, a);
}

static void
add_properties(const struct schema *sc, struct arena *a, struct val_map *properties, struct val_list *required)
{
	EACH_FIELD(sc, f)
	{
		if (f->flags & INLINE) {
			add_properties(f->schema, a, properties, required);
		} else if (f->kind != FIELD_SRC_) {
			val_map_add(properties, str_c(f->name), property(f, a));
			if (f->flags & REQ)
				val_list_add(required, val_cstr(f->name));
		}
	}
}

static void
add_object(const struct schema *sc, struct arena *a, struct val_map *m)
{
	struct val_map properties = { 0 };
	struct val_list required = { 0 };
	add_properties(sc, a, &properties, &required);
	val_map_add(m, S("type"), val_cstr("object"));
	if (sc->doc)
		val_map_add(m, S("description"), val_cstr(sc->doc));
	val_map_add(m, S("properties"), val_map_end(&properties, a));
	struct val list = val_list_end(&required, a);
	if (list.n)
		val_map_add(m, S("required"), list);
	if (!sc->open)
		val_map_add(m, S("additionalProperties"), val_bool(false));
}

struct val
schema_json_schema(const struct schema *sc, struct arena *a)
{
	schema_vec all = { 0 };
	struct val_map root = { 0 }, defs = { 0 };
	struct map seen = { 0 };
	collect(sc, &all);
	for (size_t i = 0; i < all.n; i++) {
		struct val_map def = { 0 };
		/* one table under two names is fine, two under one are a mistake of ours */
		if (map_put(&seen, str_c(all.p[i]->name), &seen))
			continue;
		add_object(all.p[i], a, &def);
		val_map_add(&defs, str_c(all.p[i]->name), val_map_end(&def, a));
	}
	val_map_add(&root, S("$schema"), val_cstr("https://json-schema.org/draft/2020-12/schema"));
	val_map_add(&root, S("title"), val_cstr(sc->name));
	add_object(sc, a, &root);
	val_map_add(&root, S("$defs"), val_map_end(&defs, a));
	map_free(&seen);
	VEC_FREE(&all);
	return val_map_end(&root, a);
}

/* ---- our own mistakes ---------------------------------------------------------------------------------------- */

static const char *
check_row(const struct schema *sc, const struct field *f, struct arena *a)
{
	enum field_kind shape = field_shape(f);
	bool has_member = f->kind != FIELD_NONE_;
	bool has_struct = shape == FIELD_OBJ_ || shape == FIELD_PTR_ || shape == FIELD_LIST_ || shape == FIELD_LISTS_ ||
		shape == FIELD_MAP_;
	if (!f->name)
		return "a row without a name";
	if (has_struct && !f->schema)
		return "no schema";
	if (has_member && (f->offset + field_size(f) > sc->size || f->offset % field_types[f->kind].align))
		return "outside of its struct: offsetof of another type?";
	if (f->kind == FIELD_SRC_)
		return NULL;
	if (!f->doc || !*f->doc)
		return f->flags & INLINE ? NULL : "no doc";
	if (shape == FIELD_ENUM_ && !f->choices)
		return "no choices";
	if (f->flags & INLINE && f->kind != FIELD_OBJ_)
		return "INLINE is for FIELD_OBJ";
	if (f->flags & EMPTY_OK && !(f->flags & REQ))
		return "EMPTY_OK without REQ";
	if (f->flags & DEPRECATED && !f->hint)
		return "DEPRECATED without a hint what to write";
	if (f->flags & NOEFFECT && !f->hint)
		return "NOEFFECT without a hint why";
	if (f->dflt && f->flags & REQ)
		return "REQ with a default";
	if (f->max && f->max < f->min)
		return "max below min";
	if (f->dflt) {
		void *to = arena_alloc(a, field_size(f), _Alignof(max_align_t));
		if (!field_default(f, a, to))
			return "a default that does not decode";
	}
	return NULL;
}

static void
find_duplicate(const struct schema *sc, struct map *names, const char **out)
{
	union {
		const void *in;
		void *out;
	} value = { .in = sc };
	EACH_FIELD(sc, f)
	{
		if (f->flags & INLINE && f->schema)
			find_duplicate(f->schema, names, out);
		else if (f->kind != FIELD_SRC_ && f->name && map_put(names, str_c(f->name), value.out))
			*out = f->name;
	}
}

const char *
schema_self_test(const struct schema *sc)
{
	static _Thread_local char text[200];
	struct arena *a CLEANUP(free_arena) = arena_new();
	if (!sc->name || !sc->fields)
		return "a schema without name or fields";
	EACH_FIELD(sc, f)
	{
		const char *wrong = check_row(sc, f, a);
		if (!wrong)
			continue;
		snprintf(text, sizeof text, "%s.%s: %s", sc->name, f->name ? f->name : "?", wrong);
		return text;
	}
	struct map names = { 0 };
	const char *twice = NULL;
	find_duplicate(sc, &names, &twice);
	map_free(&names);
	if (!twice)
		return NULL;
	snprintf(text, sizeof text, "%s.%s: twice", sc->name, twice);
	return text;
}
