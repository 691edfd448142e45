/* SPDX-License-Identifier: Apache-2.0 */
/*
 * field: decoding a value into a struct by its table, with everything that is wrong said in one pass. Here are structs,
 * lists and maps; what a single scalar means is in field_scalar.c, places and their messages are in field_place.c.
 * Encoding and equality: field_encode.c; types for what is only kept: field_resolve.c; reference pages, JSON Schema and
 * the check of the tables themselves: field_doc.c.
 *
 * Null is absent, as Go's decoders have it. A plain YAML scalar has no type until its row asks for one: `yes` is a
 * boolean in a boolean row and text in a string row.
 */
#include "core/field.h"

#include <math.h>
#include <strings.h>

#include "core/field_kinds.h"

const struct field_type field_types[FIELD_NONE_ + 1] = {
	[FIELD_STR] = { "a string", "string", sizeof(str), _Alignof(str), "string" },
	[FIELD_BOOL] = { "true or false", "boolean", sizeof(bool), _Alignof(bool), "boolean" },
	[FIELD_TRI] = { "true or false", "boolean", sizeof(tri), _Alignof(tri), "boolean" },
	[FIELD_INT] = { "an integer", "integer", sizeof(int64_t), _Alignof(int64_t), "integer" },
	[FIELD_OPT_INT] = { "an integer", "integer", sizeof(struct opt_int), _Alignof(struct opt_int), "integer" },
	[FIELD_FLOAT] = { "a number", "number", sizeof(double), _Alignof(double), "number" },
	[FIELD_DUR] = { "a duration", "duration", sizeof(dur), _Alignof(dur), "string" },
	[FIELD_INTSTR] = { "an integer or a string", "integer or string", sizeof(struct intstr),
		_Alignof(struct intstr), NULL },
	[FIELD_VAL] = { "a value", "any", sizeof(struct val *), _Alignof(struct val *), NULL },
	[FIELD_STRS] = { "a list of strings", "list of strings", sizeof(struct strs), _Alignof(struct strs), "array" },
	[FIELD_KVS] = { "a map of strings", "map of strings", sizeof(struct kvs), _Alignof(struct kvs), "object" },
	[FIELD_ENUM_] = { "one of the known words", "string", sizeof(int), _Alignof(int), "string" },
	[FIELD_OBJ_] = { "a map", "", 0, 1, "object" },
	[FIELD_PTR_] = { "a map", "", sizeof(void *), _Alignof(void *), "object" },
	[FIELD_LIST_] = { "a list", "list of ", sizeof(struct any_list), _Alignof(struct any_list), "array" },
	[FIELD_LISTS_] = { "a list of lists", "list of lists of ", sizeof(struct any_list), _Alignof(struct any_list),
		"array" },
	[FIELD_MAP_] = { "a map", "map of ", sizeof(struct any_list), _Alignof(struct any_list), "object" },
	[FIELD_SRC_] = { "", "", sizeof(struct val *), _Alignof(struct val *), NULL },
	[FIELD_NONE_] = { "", "", 0, 1, NULL },
};

static void decode_struct(struct decode *c, const struct schema *sc, const struct val *in, void *out);

/* ---- lists and maps ----------------------------------------------------------------------------------------- */

static bool
expect_list(struct decode *c, const struct field *f, const struct val *v)
{
	if (v->kind != VAL_LIST) {
		struct diag *d = field_wrong_type(c, f, v);
		if (f->kind == FIELD_STRS && v->kind == VAL_STR)
			field_hint(c, d, "write [\"%.*s\"]", STR_ARG(field_excerpt(v)));
		else if (v->kind == VAL_MAP)
			field_hint(c, d, "begin each item with \"- \"");
		return false;
	}
	if (f->max && v->n > (size_t)f->max)
		field_wrong(c, v, "%u items: at most %lld are allowed", v->n, (long long)f->max);
	return true;
}

static bool
expect_map(struct decode *c, const struct field *f, const struct val *v)
{
	if (v->kind == VAL_MAP)
		return true;
	struct diag *d = field_wrong_type(c, f, v);
	if (v->kind == VAL_LIST)
		field_hint(c, d, f->kind == FIELD_MAP_ || f->kind == FIELD_KVS
			? "write \"name: ...\" in place of \"- \""
			: "remove the \"- \"");
	return false;
}

static bool
is_null(const struct val *v)
{
	return val_resolve(v).kind == VAL_NULL;
}

static void
decode_strs(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	if (!expect_list(c, f, v))
		return;
	struct strs *out = to;
	out->p = ARENA_ARRAY(c->arena, str, v->n);
	out->n = v->n;
	for (uint32_t i = 0; i < v->n; i++) {
		size_t before = field_enter_index(c, i);
		out->p[i] = S("");
		if (!is_null(&v->items[i]))
			(void)field_decode_string(c, f, &v->items[i], &out->p[i]);
		field_leave(c, before);
	}
}

static void
decode_kvs(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	if (!expect_map(c, f, v))
		return;
	struct kvs *out = to;
	out->p = ARENA_ARRAY(c->arena, struct kv, v->n);
	out->n = v->n;
	for (uint32_t i = 0; i < v->n; i++) {
		const struct member *m = &v->members[i];
		size_t before = field_enter_name(c, val_key(m));
		out->p[i] = (struct kv){ val_key(m), S("") };
		if (!is_null(&m->value))
			(void)field_decode_string(c, f, &m->value, &out->p[i].value);
		field_leave(c, before);
	}
}

static void
decode_obj(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	if (expect_map(c, f, v))
		decode_struct(c, f->schema, v, to);
}

static void
decode_ptr(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	void *obj = arena_alloc(c->arena, f->schema->size, _Alignof(max_align_t));
	*(void **)to = obj;
	decode_obj(c, f, v, obj);
}

static void
decode_items(struct decode *c, const struct field *f, const struct val *v, struct any_list *out)
{
	out->p = arena_array(c->arena, v->n, f->schema->size, _Alignof(max_align_t));
	out->n = v->n;
	for (uint32_t i = 0; i < v->n; i++) {
		size_t before = field_enter_index(c, i);
		void *item = (char *)out->p + i * f->schema->size;
		if (v->items[i].kind == VAL_MAP) {
			decode_struct(c, f->schema, &v->items[i], item);
		} else {
			struct diag *d = field_wrong(c, &v->items[i], "expected a map, not %s",
				val_kind_name(&v->items[i]));
			if (v->items[i].kind == VAL_LIST)
				field_hint(c, d, "one \"- \" too many");
		}
		field_leave(c, before);
	}
}

static void
decode_list(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	if (expect_list(c, f, v))
		decode_items(c, f, v, to);
}

static void
decode_lists(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	if (!expect_list(c, f, v))
		return;
	struct any_list *out = to;
	struct any_list *inner = ARENA_ARRAY(c->arena, struct any_list, v->n);
	out->p = inner;
	out->n = v->n;
	for (uint32_t i = 0; i < v->n; i++) {
		size_t before = field_enter_index(c, i);
		if (v->items[i].kind == VAL_LIST) {
			decode_items(c, f, &v->items[i], &inner[i]);
		} else {
			struct diag *d = field_wrong(c, &v->items[i], "expected a list, not %s",
				val_kind_name(&v->items[i]));
			field_hint(c, d, "each item is a list itself: begin it with \"- - \"");
		}
		field_leave(c, before);
	}
}

static void
decode_map(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	if (!expect_map(c, f, v))
		return;
	struct any_list *out = to;
	out->p = arena_array(c->arena, v->n, f->schema->size, _Alignof(max_align_t));
	out->n = v->n;
	for (uint32_t i = 0; i < v->n; i++) {
		const struct member *m = &v->members[i];
		void *item = (char *)out->p + i * f->schema->size;
		struct val empty = { .kind = VAL_MAP, .line = m->key.line, .col = m->key.col };
		size_t before = field_enter_name(c, val_key(m));
		*(str *)item = val_key(m); /* the schema's check may look at it */
		if (is_null(&m->value))
			decode_struct(c, f->schema, &empty, item);
		else if (m->value.kind == VAL_MAP)
			decode_struct(c, f->schema, &m->value, item);
		else
			field_wrong(c, &m->value, "expected a map, not %s", val_kind_name(&m->value));
		*(str *)item = val_key(m); /* whatever a row of that name has put there */
		field_leave(c, before);
	}
}

static void decode_as(struct decode *c, const struct field *f, const struct val *v);

/* The value stays as it is; where the row says what it must look like, that is checked. */
/* Numbers that YAML knows and JSON does not: Argo's reader refuses the whole manifest. */
static void
refuse_infinity(struct decode *c, const struct val *v)
{
	for (uint32_t i = 0; v->kind == VAL_LIST && i < v->n; i++)
		refuse_infinity(c, &v->items[i]);
	for (uint32_t i = 0; v->kind == VAL_MAP && i < v->n; i++)
		refuse_infinity(c, &v->members[i].value);
	const struct val r = v->kind == VAL_LIST || v->kind == VAL_MAP ? val_null() : val_resolve(v);
	double d;
	if (!val_to_double(&r, &d) || isfinite(d))
		return;
	const str shown = v->kind == VAL_FLOAT ? isnan(d) ? S(".nan") : d > 0 ? S(".inf") : S("-.inf") : field_excerpt(v);
	field_hint(c, field_wrong(c, v, "%.*s is not a number in JSON", STR_ARG(shown)), "put it in quotes: \"%.*s\"", STR_ARG(shown));
}

static void
decode_val(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	refuse_infinity(c, v);
	*(const struct val **)to = v;
	decode_as(c, f, v);
}

static void
decode_none(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	(void)to; /* nothing to fill in */
	decode_as(c, f, v);
}

static field_decoder *const decoders[FIELD_NONE_ + 1] = {
	[FIELD_VAL] = decode_val, [FIELD_STRS] = decode_strs, [FIELD_KVS] = decode_kvs, [FIELD_OBJ_] = decode_obj,
	[FIELD_PTR_] = decode_ptr, [FIELD_LIST_] = decode_list, [FIELD_LISTS_] = decode_lists,
		[FIELD_MAP_] = decode_map,
	[FIELD_NONE_] = decode_none,
};

static field_decoder *
decoder_of(enum field_kind kind)
{
	return field_scalars[kind] ? field_scalars[kind] : decoders[kind];
}

/* For the findings alone. */
static void
decode_as(struct decode *c, const struct field *f, const struct val *v)
{
	struct field row = *f;
	row.kind = field_shape(f);
	if (row.kind == FIELD_NONE_ || row.kind == FIELD_VAL)
		return;
	decoder_of(row.kind)(c, &row, v, arena_alloc(c->arena, field_size(&row), _Alignof(max_align_t)));
}

/*
 * The member of that name; else one that differs in case only, as Go's decoder takes it (unless its exact name is a
 * field too). unknown_field warns of those.
 */
static const struct member *
find_member(const struct schema *sc, const struct val *in, const char *name)
{
	const struct member *near = NULL;
	for (uint32_t i = in ? in->n : 0; i-- > 0;) {
		str k = val_key(&in->members[i]);
		/* Every member is held against every field of its schema: mostly the first letter tells, whatever its case. */
		if (!k.n || (k.p[0] | 0x20) != (name[0] | 0x20))
			continue;
		str key = str_c(name);
		if (str_eq(k, key))
			return &in->members[i];
		if (str_eq_nocase(k, key) && !field_find(sc, k))
			near = &in->members[i];
	}
	return near;
}

/* ---- unknown fields ----------------------------------------------------------------------------------------- */

const struct field *
field_find(const struct schema *sc, str name)
{
	EACH_FIELD(sc, f)
	{
		if (f->flags & INLINE) {
			const struct field *found = field_find(f->schema, name);
			if (found)
				return found;
		} else if (f->kind != FIELD_SRC_ && name.n && f->name[0] == name.p[0] && str_eq(str_c(f->name), name)) {
			return f;
		}
	}
	return NULL;
}

typedef VEC(const char *) names_vec;

static void
collect_names(const struct schema *sc, names_vec *out)
{
	EACH_FIELD(sc, f)
	{
		if (f->flags & INLINE)
			collect_names(f->schema, out);
		else if (f->kind != FIELD_SRC_)
			*VEC_PUSH(out) = f->name;
	}
}

static const char *
near_name(const names_vec *names, str word)
{
	for (size_t i = 0; i < names->n; i++)
		if (str_eq_nocase(word, str_c(names->p[i])))
			return names->p[i];
	return diag_nearest(word, names->p, names->n);
}

/* A field of this map's that has the name, and is a map itself here: where a line slipped out to the left. */
static const char *
belongs_below(const struct schema *sc, const struct val *in, str name)
{
	EACH_FIELD(sc, f)
		if (f->schema && !(f->flags & INLINE) && f->kind != FIELD_MAP_ && val_get(in, str_c(f->name)) &&
			field_find(f->schema, name))
			return f->name;
	return NULL;
}

/* The field that `m` is taken for because only the case differs. */
static const char *
taken_for(const names_vec *names, const struct schema *sc, const struct val *in, const struct member *m)
{
	for (size_t i = 0; i < names->n; i++)
		if (str_eq_nocase(val_key(m), str_c(names->p[i])) && find_member(sc, in, names->p[i]) == m)
			return names->p[i];
	return NULL;
}

static struct diag *
say_unknown(struct decode *c, const struct member *m, const char *taken, bool ignored)
{
	str shown = str_slice(val_key(m), 0, 80);
	size_t before = field_enter_name(c, val_key(m));
	struct diag *d;
	if (taken)
		d = diag_add(c->diags, DIAG_WARNING, &m->key, buf_str(&c->path), "\"%.*s\" is taken for \"%s\"", STR_ARG(shown), taken);
	else if (ignored)
		d = diag_add(c->diags, DIAG_WARNING, &m->key, buf_str(&c->path), "unknown field \"%.*s\" does not count", STR_ARG(shown));
	else
		d = field_wrong(c, &m->key, "unknown field \"%.*s\"", STR_ARG(shown));
	field_leave(c, before);
	return d;
}

static void
unknown_field(struct decode *c, const struct member *m)
{
	const struct decode_frame *here = c->frame;
	names_vec names = { 0 };
	collect_names(here->schema, &names);
	const char *taken = taken_for(&names, here->schema, here->in, m);
	const char *near = near_name(&names, val_key(m)), *below = belongs_below(here->schema, here->in, val_key(m));
	struct diag *d = say_unknown(c, m, taken, c->diags->lenient && !near && !below && !here->schema->exact);
	const struct decode_frame *up = here->up;
	while (up && (!field_find(up->schema, val_key(m)) || up->in->line == m->key.line)) /* {of one line} has no indent */
		up = up->up;
	if (taken) {
		field_hint(c, d, "write it so");
	} else if (near) {
		field_hint(c, d, "did you mean \"%s\"?", near);
	} else if (below) {
		field_hint(c, d, "it belongs into \"%s\": indent it deeper", below);
	} else if (up) {
		field_hint(c, d, "it belongs to the map that begins in line %u: indent it less", up->in->line);
	} else if (names.n && names.n <= 12) {
		struct buf all CLEANUP(free_buf) = { 0 };
		for (size_t i = 0; i < names.n; i++)
			buf_addf(&all, "%s%s", i ? ", " : "", names.p[i]);
		field_hint(c, d, "known are: %s", all.p);
	}
	VEC_FREE(&names);
}

/* ---- structs ------------------------------------------------------------------------------------------------ */

static bool
is_empty(const struct val *v)
{
	return (v->kind == VAL_STR || v->kind == VAL_LIST || v->kind == VAL_MAP) && !v->n;
}

/* What the row itself has to say about being given. */
static void
report_flags(struct decode *c, const struct field *f, const struct member *m)
{
	struct diag *d = NULL;
	const struct val *at = &m->key;
	if (f->flags & LATER)
		d = diag_add(c->diags, DIAG_LATER, at, buf_str(&c->path), "not served yet");
	else if (f->flags & NOEFFECT && !is_empty(&m->value)) /* tools write `{}` and "" for what nobody said */
		d = diag_add(c->diags, DIAG_WARNING, at, buf_str(&c->path), "has no effect here");
	else if (f->flags & DEPRECATED)
		d = diag_add(c->diags, DIAG_WARNING, at, buf_str(&c->path), "deprecated");
	if (d && f->hint)
		field_hint(c, d, "%s", f->hint);
}

/* The rows above `f` that exclude it. */
static void
check_one_of(struct decode *c, const struct schema *sc, const struct field *f, const struct val *in,
	const struct member *m)
{
	for (const struct field *other = sc->fields; other != f; other++) {
		bool group = other->one_of && strcmp(other->one_of, f->one_of) == 0;
		const struct member *first = group ? find_member(sc, in, other->name) : NULL;
		if (!first || is_null(&first->value))
			continue;
		struct diag *d = field_wrong(c, &m->key, "\"%s\" and \"%s\" exclude each other", other->name, f->name);
		field_hint(c, d, "remove one of them");
		d->other_line = first->key.line;
		d->other_col = first->key.col;
		return;
	}
}

bool
field_default(const struct field *f, struct arena *a, void *to)
{
	if (!f->dflt || !decoder_of(f->kind))
		return false;
	struct diags d = { .arena = a }; /* nobody reads the findings */
	struct decode c = { .arena = a, .diags = &d };
	struct val v = val_cstr(f->dflt);
	v.flags |= VAL_PLAIN;
	if (f->kind == FIELD_STR || f->kind == FIELD_ENUM_) /* text, whatever it looks like */
		v.flags &= (uint8_t)~VAL_PLAIN;
	const struct val *kept = &v;
	if (f->kind == FIELD_VAL) {
		struct val *copy = ARENA_NEW(a, struct val);
		*copy = v;
		kept = copy;
	}
	decoder_of(f->kind)(&c, f, kept, to);
	bool ok = d.errors == 0;
	buf_free(&c.path);
	VEC_FREE(&d.v);
	return ok;
}

/* `sc`'s defaults where nothing was given at all: its required fields aren't missed then. */
static void
fill_defaults(const struct schema *sc, struct arena *a, void *out)
{
	EACH_FIELD(sc, f)
	{
		void *to = (char *)out + f->offset;
		if (f->dflt)
			(void)field_default(f, a, to); /* schema_self_test sees to it that they decode */
		else if (f->kind == FIELD_OBJ_)
			fill_defaults(f->schema, a, to);
	}
}

static void
missing(struct decode *c, const struct field *f, const struct val *in)
{
	size_t before = field_enter_name(c, str_c(f->name));
	struct diag *d = field_wrong(c, in, "required, but not given");
	const char *type = field_types[field_shape(f)].expected;
	if (f->choices && f->choices[0])
		field_hint(c, d, "for example \"%s: %s\"", f->name, *f->choices[0] ||
			!f->choices[1] ? f->choices[0] : f->choices[1]);
	else
		field_hint(c, d, "add \"%s\": %s", f->name, *type ? type : "a value");
	field_leave(c, before);
}

static void decode_rows(struct decode *c, const struct schema *sc, const struct val *in, void *out);

/* With which letters, whatever their case, the names of the members begin: most fields of a schema are not given, and this tells. */
static uint32_t
first_letters(const struct val *in)
{
	uint32_t letters = 0;
	for (uint32_t i = 0; in && i < in->n; i++) {
		str k = val_key(&in->members[i]);
		letters |= k.n ? UINT32_C(1) << (k.p[0] & 31) : 0;
	}
	return letters;
}

static void
decode_row(struct decode *c, const struct schema *sc, const struct field *f, const struct val *in, uint32_t letters, void *out)
{
	void *to = (char *)out + f->offset;
	if (f->kind == FIELD_SRC_) {
		*(const struct val **)to = in;
		return;
	}
	if (f->flags & INLINE) {
		decode_rows(c, f->schema, in, to);
		return;
	}
	const struct member *m = letters >> (f->name[0] & 31) & 1 ? find_member(sc, in, f->name) : NULL;
	if (!m || is_null(&m->value)) {
		if (f->dflt)
			(void)field_default(f, c->arena, to); /* schema_self_test sees to it that they decode */
		else if (f->flags & REQ)
			missing(c, f, in);
		else if (f->kind == FIELD_OBJ_)
			fill_defaults(f->schema, c->arena, to);
		return;
	}
	if (f->flags & STATUS) {
		if (f->kind == FIELD_VAL)
			*(const struct val **)to = &m->value;
		return;
	}
	size_t before = field_enter_name(c, str_c(f->name));
	report_flags(c, f, m);
	if (f->one_of)
		check_one_of(c, sc, f, in, m);
	if (f->dflt)
		(void)field_default(f, c->arena, to); /* stays where the given value can't be read */
	/* What is in it has been said by what was said of it: only mistakes are of interest. */
	const unsigned idle = !!(f->flags & (NOEFFECT | LATER));
	c->diags->quiet += idle;
	decoder_of(f->kind)(c, f, &m->value, to);
	c->diags->quiet -= idle;
	bool empty = m->value.kind == VAL_STR && !m->value.n;
	if (f->flags & REQ && !(f->flags & EMPTY_OK) && field_shape(f) == FIELD_STR && empty)
		field_wrong(c, &m->value, "must not be empty");
	field_leave(c, before);
}

static void
decode_rows(struct decode *c, const struct schema *sc, const struct val *in, void *out)
{
	const uint32_t letters = first_letters(in);
	EACH_FIELD(sc, f)
		decode_row(c, sc, f, in, letters, out);
	if (sc->check)
		sc->check(out, in, c);
}

static void
decode_struct(struct decode *c, const struct schema *sc, const struct val *in, void *out)
{
	struct decode_frame here = { .up = c->frame, .schema = sc, .in = in };
	c->frame = &here;
	for (uint32_t i = 0; i < in->n && !sc->open; i++)
		if (!field_find(sc, val_key(&in->members[i])))
			unknown_field(c, &in->members[i]);
	decode_rows(c, sc, in, out);
	c->frame = here.up;
}

int
schema_decode(const struct schema *sc, struct arena *a, const struct val *in, str path, void *out, struct diags *d)
{
	size_t errors = d->errors;
	struct decode c = { .arena = a, .diags = d };
	buf_add(&c.path, path.p ? path : S(""));
	memset(out, 0, sc->size);
	if (val_is(in, VAL_MAP)) {
		decode_struct(&c, sc, in, out);
	} else {
		fill_defaults(sc, a, out);
		field_wrong(&c, in, "expected a map, not %s", val_kind_name(in));
	}
	buf_free(&c.path);
	return d->errors == errors ? 0 : -1;
}
