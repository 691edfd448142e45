/* SPDX-License-Identifier: Apache-2.0 */
/*
 * field: decoding a value into a struct by its table, with everything that is wrong said in one pass. (Encoding and
 * equality are in field_encode.c; reference pages, JSON Schema and the check of the tables themselves in field_doc.c.)
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

/* The struct being decoded and those around it: for hints about fields that stand on the wrong level. */
struct decode_frame {
	const struct decode_frame *up;
	const struct schema *schema;
	const struct val *in;
};

static void decode_struct(struct decode *c, const struct schema *sc, const struct val *in, void *out);

/* ---- where and what ----------------------------------------------------------------------------------------- */

static size_t
enter_name(struct decode *c, str name)
{
	size_t before = c->path.n;
	if (str_find_char(name, '.', 0) != SIZE_MAX)
		buf_addf(&c->path, "[\"%.*s\"]", STR_ARG(name));
	else
		buf_addf(&c->path, "%s%.*s", before ? "." : "", STR_ARG(name));
	return before;
}

static size_t
enter_index(struct decode *c, size_t i)
{
	size_t before = c->path.n;
	buf_addf(&c->path, "[%zu]", i);
	return before;
}

static void
leave(struct decode *c, size_t before)
{
	c->path.n = before;
	c->path.p[before] = 0;
}

static struct diag * __attribute__((format(printf, 3, 4)))
wrong(struct decode *c, const struct val *at, const char *fmt, ...)
{
	char text[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return diag_add(c->diags, DIAG_ERROR, at, buf_str(&c->path), "%s", text);
}

#define hint(c, d, ...) diag_hint((c)->diags, d, __VA_ARGS__)

/* What is written, short enough for a message. */
static str
excerpt(const struct val *v)
{
	static const str list = { "[...]", 5 }, map = { "{...}", 5 };
	if (v->kind == VAL_LIST)
		return list;
	if (v->kind == VAL_MAP)
		return map;
	return v->kind == VAL_STR || v->kind == VAL_NUM ? str_slice(val_text(v), 0, 60) : STR_NONE;
}

static const struct member *
last_member(const struct val *map, str name)
{
	for (uint32_t i = map->n; i-- > 0;)
		if (str_eq(val_key(&map->members[i]), name))
			return &map->members[i];
	return NULL;
}

static struct diag *
wrong_type(struct decode *c, const struct field *f, const struct val *v)
{
	str text = excerpt(v);
	if (v->kind == VAL_STR && !(v->flags & VAL_PLAIN && val_resolve(v).kind != VAL_STR))
		return wrong(c, v, "expected %s, not the string \"%.*s\"", field_types[f->kind].expected,
			STR_ARG(text));
	return wrong(c, v, "expected %s, not %s", field_types[f->kind].expected, val_kind_name(v));
}

/*
 * Appends the path from `from` to `to`, which is a value (or a key) somewhere below it: by identity, so that a check of
 * a whole object can complain about any part of it and the path is right.
 */
static bool
add_path_to(struct decode *c, const struct val *from, const struct val *to)
{
	if (from == to)
		return true;
	for (uint32_t i = 0; from->kind == VAL_LIST && i < from->n; i++) {
		size_t before = enter_index(c, i);
		if (add_path_to(c, &from->items[i], to))
			return true;
		leave(c, before);
	}
	for (uint32_t i = 0; from->kind == VAL_MAP && i < from->n; i++) {
		const struct member *m = &from->members[i];
		size_t before = enter_name(c, val_key(m));
		if (&m->key == to || add_path_to(c, &m->value, to))
			return true;
		leave(c, before);
	}
	return false;
}

/* Whether this very place has an error already: what a check finds missing then was only unreadable. */
static bool
has_error(const struct diags *d, const struct val *at, str path)
{
	for (size_t i = d->v.n; i-- > 0;) {
		const struct diag *x = &d->v.p[i];
		if (x->level == DIAG_ERROR && x->line == at->line && x->col == at->col && str_eq(x->path, path) &&
			str_eq(x->file, d->file))
			return true;
	}
	return false;
}

static struct diag * __attribute__((format(printf, 5, 0)))
at_member(struct decode *c, enum diag_level level, const struct val *in, const char *field, const char *fmt, va_list ap)
{
	char text[400];
	size_t before = c->path.n;
	const struct val *at = in;
	str rest = str_c(field);
	vsnprintf(text, sizeof text, fmt, ap);
	if (in && c->frame && in != c->frame->in)
		/* not below: some other value, the path stays that of the object */
		(void)add_path_to(c, c->frame->in, in);
	while (rest.n) {
		str name = str_cut(&rest, '.');
		const struct member *m = val_is(in, VAL_MAP) ? last_member(in, name) : NULL;
		enter_name(c, name);
		if (!m)
			break;
		in = &m->value;
		/* what a block holds begins a line too late */
		at = in->kind == VAL_LIST || in->kind == VAL_MAP ? &m->key : in;
	}
	bool again = level == DIAG_ERROR && at && has_error(c->diags, at, buf_str(&c->path));
	struct diag *d = again ? &c->diags->overflow : diag_add(c->diags, level, at, buf_str(&c->path), "%s", text);
	if (c->path.p)
		leave(c, before);
	return d;
}

#define DECODE_FINDING(name, level) \
	struct diag *name(struct decode *c, const struct val *in, const char *field, const char *fmt, ...) \
	{ \
		va_list ap; \
		va_start(ap, fmt); \
		struct diag *d = at_member(c, level, in, field, fmt, ap); \
		va_end(ap); \
		return d; \
	}
DECODE_FINDING(decode_error, DIAG_ERROR)
DECODE_FINDING(decode_warn, DIAG_WARNING)
DECODE_FINDING(decode_later, DIAG_LATER)

/* ---- scalars ------------------------------------------------------------------------------------------------ */

str
field_format_float(struct arena *a, double f)
{
	char text[64];
	int precision = 1;
	for (; precision < 17; precision++) {
		snprintf(text, sizeof text, "%.*e", precision - 1, f);
		if (strtod(text, NULL) == f)
			break;
	}
	snprintf(text, sizeof text, "%.*e", precision - 1, f);
	int exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
	int decimals = precision - 1 - exponent;
	if (decimals >= 0)
		return arena_fmt(a, "%.*f", decimals, f);
	/* printf would show digits that the shortest form doesn't have: pad that with zeros instead */
	struct buf b CLEANUP(free_buf) = { 0 };
	for (const char *p = text; *p != 'e'; p++)
		if (*p != '.')
			buf_addc(&b, *p);
	while (decimals++)
		buf_addc(&b, '0');
	return arena_dup(a, buf_str(&b));
}

/* Argo's AnyString: a number or boolean is text as Go prints it. */
str
field_any_string(struct arena *a, const struct val *v)
{
	double f;
	if (v->kind == VAL_BOOL)
		return v->b ? S("true") : S("false");
	if (v->kind == VAL_INT)
		return arena_fmt(a, "%lld", (long long)v->i);
	return val_to_double(v, &f) && isfinite(f) ? field_format_float(a, f) : STR_NONE;
}

static void
unknown_choice(struct decode *c, const struct field *f, const struct val *v)
{
	size_t n = 0;
	struct buf all CLEANUP(free_buf) = { 0 };
	for (; f->choices[n]; n++)
		if (*f->choices[n])
			buf_addf(&all, "%s%s", all.n ? ", " : "", f->choices[n]);
	struct diag *d = wrong(c, v, "unknown value \"%.*s\"", STR_ARG(excerpt(v)));
	const char *near = diag_nearest(val_text(v), f->choices, n);
	for (size_t i = 0; i < n; i++)
		if (strlen(f->choices[i]) == v->n && strncasecmp(f->choices[i], v->p, v->n) == 0)
			near = f->choices[i];
	if (near && *near)
		hint(c, d, "did you mean \"%s\"?", near);
	else
		hint(c, d, "known are: %s", buf_str(&all).p);
}

static bool
find_choice(const struct field *f, str s, int *out)
{
	for (int i = 0; f->choices[i]; i++)
		if (str_eq(s, str_c(f->choices[i]))) {
			*out = i;
			return true;
		}
	return false;
}

static bool
decode_string(struct decode *c, const struct field *f, const struct val *v, str *out)
{
	struct val r = val_resolve(v);
	if (r.kind == VAL_STR) {
		*out = val_text(&r);
		return true;
	}
	if (f->flags & ANYSTR && r.kind != VAL_LIST && r.kind != VAL_MAP && r.kind != VAL_NULL) {
		*out = field_any_string(c->arena, &r);
		if (out->p)
			return true;
	}
	struct diag *d = wrong(c, v, "expected a string, not %s", val_kind_name(v));
	if (v->kind == VAL_STR || v->kind == VAL_NUM)
		hint(c, d, "put it in quotes: \"%.*s\"", STR_ARG(excerpt(v)));
	else if (v->kind == VAL_MAP && v->n == 1 && v->members[0].value.kind == VAL_MAP)
		hint(c, d, "put \"{{...}}\" in quotes");
	return false;
}

static void
decode_str(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	str s;
	int i;
	if (!decode_string(c, f, v, &s))
		return;
	if (f->choices && !find_choice(f, s, &i))
		unknown_choice(c, f, v);
	else if (f->max && s.n > (size_t)f->max)
		wrong(c, v, "%zu bytes long: at most %lld are allowed", s.n, (long long)f->max);
	*(str *)to = s;
}

static void
decode_enum(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	str s;
	if (decode_string(c, f, v, &s) && !find_choice(f, s, to))
		unknown_choice(c, f, v);
}

/*
 * YAML 1.1's further words for booleans, which Argo's reader takes; only unquoted and only where a boolean is asked
 * for.
 */
bool
field_to_bool(const struct val *v, bool *out)
{
	static const struct {
		const char *word;
		bool means;
	} words[] = {
		{ "yes", true }, { "on", true }, { "y", true }, { "no", false }, { "off", false }, { "n", false },
	};
	struct val r = val_resolve(v);
	if (r.kind == VAL_BOOL) {
		*out = r.b;
		return true;
	}
	if (v->kind != VAL_STR || !(v->flags & VAL_PLAIN))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (v->n == strlen(words[i].word) && strncasecmp(v->p, words[i].word, v->n) == 0) {
			*out = words[i].means;
			return true;
		}
	return false;
}

static bool
decode_boolean(struct decode *c, const struct field *f, const struct val *v, bool *out)
{
	if (field_to_bool(v, out))
		return true;
	struct diag *d = wrong_type(c, f, v);
	if (v->kind == VAL_STR && (str_eq(val_text(v), S("true")) || str_eq(val_text(v), S("false"))))
		hint(c, d, "remove the quotes");
	return false;
}

static void
decode_bool(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	(void)decode_boolean(c, f, v, to); /* a finding says what is wrong */
}

static void
decode_tri(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	bool b;
	if (decode_boolean(c, f, v, &b))
		*(tri *)to = b ? TRI_TRUE : TRI_FALSE;
}

static bool
decode_integer(struct decode *c, const struct field *f, const struct val *v, int64_t *out)
{
	int64_t i;
	if (!val_to_i64(v, &i)) {
		struct diag *d = wrong_type(c, f, v);
		if (v->kind == VAL_STR && str_to_i64(val_text(v), &i))
			hint(c, d, "remove the quotes");
		return false;
	}
	bool below = f->min && i < f->min, above = f->max && i > f->max;
	if (!f->min && f->max && i < 0)
		below = true;
	if (below && !f->max)
		wrong(c, v, "%lld is too small: must be at least %lld", (long long)i, (long long)f->min);
	else if (below || above)
		wrong(c, v, "%lld is out of range: must be between %lld and %lld", (long long)i, (long long)f->min,
			(long long)f->max);
	*out = i;
	return true;
}

static void
decode_int(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	(void)decode_integer(c, f, v, to); /* a finding says what is wrong */
}

static void
decode_opt_int(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	struct opt_int *o = to;
	o->set = decode_integer(c, f, v, &o->v);
}

static void
decode_float(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	double d;
	if (val_to_double(v, &d) && isfinite(d))
		*(double *)to = d;
	else
		wrong_type(c, f, v);
}

static void
decode_dur(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	struct val r = val_resolve(v);
	struct err e;
	int64_t seconds;
	str text = r.kind == VAL_STR || r.kind == VAL_NUM ? val_text(&r) : STR_NONE;
	if (f->flags & GO_DURATION && text.p && str_to_i64(text, &seconds)) {
		if (seconds > INT64_MAX / NS_PER_SEC || seconds < INT64_MIN / NS_PER_SEC)
			wrong(c, v, "%lld seconds are too long", (long long)seconds);
		else
			((dur *)to)->ns = seconds * NS_PER_SEC;
		return;
	}
	if (text.p && dur_parse(text, to, &e) == 0)
		return;
	struct diag *d = text.p ? wrong(c, v, "\"%.*s\" is not a duration", STR_ARG(str_slice(text, 0, 60)))
	                        : wrong_type(c, f, v);
	if (r.kind == VAL_NUM && str_to_i64(text, &seconds))
		hint(c, d, "say the unit: \"%llds\"", (long long)seconds);
	else
		hint(c, d, "write it like \"30s\", \"1h30m\" or \"500ms\"");
}

static void
decode_intstr(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	struct val r = val_resolve(v);
	struct intstr *out = to;
	int64_t i;
	if (r.kind == VAL_STR) {
		out->text = val_text(&r);
		out->is_int = str_to_i64(out->text, &out->v);
	} else if (val_to_i64(&r, &i)) {
		out->text = r.kind == VAL_NUM ? val_text(&r) : arena_fmt(c->arena, "%lld", (long long)i);
		out->is_int = true;
		out->v = i;
	} else {
		wrong_type(c, f, v);
	}
}

/* ---- lists and maps ----------------------------------------------------------------------------------------- */

static bool
expect_list(struct decode *c, const struct field *f, const struct val *v)
{
	if (v->kind != VAL_LIST) {
		struct diag *d = wrong_type(c, f, v);
		if (f->kind == FIELD_STRS && v->kind == VAL_STR)
			hint(c, d, "write [\"%.*s\"]", STR_ARG(excerpt(v)));
		else if (v->kind == VAL_MAP)
			hint(c, d, "begin each item with \"- \"");
		return false;
	}
	if (f->max && v->n > (size_t)f->max)
		wrong(c, v, "%u items: at most %lld are allowed", v->n, (long long)f->max);
	return true;
}

static bool
expect_map(struct decode *c, const struct field *f, const struct val *v)
{
	if (v->kind == VAL_MAP)
		return true;
	struct diag *d = wrong_type(c, f, v);
	if (v->kind == VAL_LIST)
		hint(c, d, f->kind == FIELD_MAP_ || f->kind == FIELD_KVS ? "write \"name: ...\" in place of \"- \""
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
		size_t before = enter_index(c, i);
		out->p[i] = S("");
		if (!is_null(&v->items[i]))
			(void)decode_string(c, f, &v->items[i], &out->p[i]);
		leave(c, before);
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
		size_t before = enter_name(c, val_key(m));
		out->p[i] = (struct kv){ val_key(m), S("") };
		if (!is_null(&m->value))
			(void)decode_string(c, f, &m->value, &out->p[i].value);
		leave(c, before);
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
		size_t before = enter_index(c, i);
		void *item = (char *)out->p + i * f->schema->size;
		if (v->items[i].kind == VAL_MAP) {
			decode_struct(c, f->schema, &v->items[i], item);
		} else {
			struct diag *d = wrong(c, &v->items[i], "expected a map, not %s", val_kind_name(&v->items[i]));
			if (v->items[i].kind == VAL_LIST)
				hint(c, d, "one \"- \" too many");
		}
		leave(c, before);
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
		size_t before = enter_index(c, i);
		if (v->items[i].kind == VAL_LIST) {
			decode_items(c, f, &v->items[i], &inner[i]);
		} else {
			struct diag *d = wrong(c, &v->items[i], "expected a list, not %s", val_kind_name(&v->items[i]));
			hint(c, d, "each item is a list itself: begin it with \"- - \"");
		}
		leave(c, before);
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
		size_t before = enter_name(c, val_key(m));
		*(str *)item = val_key(m); /* the schema's check may look at it */
		if (is_null(&m->value))
			decode_struct(c, f->schema, &empty, item);
		else if (m->value.kind == VAL_MAP)
			decode_struct(c, f->schema, &m->value, item);
		else
			wrong(c, &m->value, "expected a map, not %s", val_kind_name(&m->value));
		*(str *)item = val_key(m); /* whatever a row of that name has put there */
		leave(c, before);
	}
}

static void decode_as(struct decode *c, const struct field *f, const struct val *v);

/* The value stays as it is; where the row says what it must look like, that is checked. */
static void
decode_val(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	*(const struct val **)to = v;
	decode_as(c, f, v);
}

static void
decode_none(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	(void)to; /* nothing to fill in */
	decode_as(c, f, v);
}

static void (*const decoders[FIELD_NONE_ + 1])(struct decode *c, const struct field *f, const struct val *v,
	void *to) = {
	[FIELD_STR] = decode_str, [FIELD_BOOL] = decode_bool, [FIELD_TRI] = decode_tri, [FIELD_INT] = decode_int,
	[FIELD_OPT_INT] = decode_opt_int, [FIELD_FLOAT] = decode_float, [FIELD_DUR] = decode_dur,
		[FIELD_INTSTR] = decode_intstr,
	[FIELD_VAL] = decode_val, [FIELD_STRS] = decode_strs, [FIELD_KVS] = decode_kvs, [FIELD_ENUM_] = decode_enum,
	[FIELD_OBJ_] = decode_obj, [FIELD_PTR_] = decode_ptr, [FIELD_LIST_] = decode_list,
		[FIELD_LISTS_] = decode_lists,
	[FIELD_MAP_] = decode_map, [FIELD_NONE_] = decode_none,
};

/* For the findings alone. */
static void
decode_as(struct decode *c, const struct field *f, const struct val *v)
{
	struct field row = *f;
	row.kind = field_shape(f);
	if (row.kind == FIELD_NONE_ || row.kind == FIELD_VAL)
		return;
	decoders[row.kind](c, &row, v, arena_alloc(c->arena, field_size(&row), _Alignof(max_align_t)));
}

/*
 * The member of that name; else one that differs in case only, as Go's decoder takes it (unless its exact name is a
 * field too). unknown_field warns of those.
 */
static const struct member *
find_member(const struct schema *sc, const struct val *in, const char *name)
{
	str key = str_c(name);
	const struct member *near = NULL;
	for (uint32_t i = in ? in->n : 0; i-- > 0;) {
		str k = val_key(&in->members[i]);
		if (str_eq(k, key))
			return &in->members[i];
		if (k.n == key.n && strncasecmp(k.p, key.p, k.n) == 0 && !field_find(sc, k))
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
		} else if (f->kind != FIELD_SRC_ && str_eq(str_c(f->name), name)) {
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
		if (strlen(names->p[i]) == word.n && strncasecmp(names->p[i], word.p, word.n) == 0)
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
		if (strlen(names->p[i]) == m->key.n && strncasecmp(names->p[i], m->key.p, m->key.n) == 0 &&
			find_member(sc, in, names->p[i]) == m)
			return names->p[i];
	return NULL;
}

static void
unknown_field(struct decode *c, const struct member *m)
{
	const struct decode_frame *here = c->frame;
	names_vec names = { 0 };
	str shown = str_slice(val_key(m), 0, 80);
	collect_names(here->schema, &names);
	const char *taken = taken_for(&names, here->schema, here->in, m);
	size_t before = enter_name(c, val_key(m));
	struct diag *d = taken ? diag_add(c->diags, DIAG_WARNING, &m->key, buf_str(&c->path),
		"\"%.*s\" is taken for \"%s\"", STR_ARG(shown), taken)
	                       : wrong(c, &m->key, "unknown field \"%.*s\"", STR_ARG(shown));
	leave(c, before);
	const char *near = near_name(&names, val_key(m)), *below = belongs_below(here->schema, here->in, val_key(m));
	const struct decode_frame *up = here->up;
	while (up && !field_find(up->schema, val_key(m)))
		up = up->up;
	if (taken) {
		hint(c, d, "write it so");
	} else if (near) {
		hint(c, d, "did you mean \"%s\"?", near);
	} else if (below) {
		hint(c, d, "it belongs into \"%s\": indent it deeper", below);
	} else if (up) {
		hint(c, d, "it belongs to the map that begins in line %u: indent it less", up->in->line);
	} else if (names.n && names.n <= 12) {
		struct buf all CLEANUP(free_buf) = { 0 };
		for (size_t i = 0; i < names.n; i++)
			buf_addf(&all, "%s%s", i ? ", " : "", names.p[i]);
		hint(c, d, "known are: %s", all.p);
	}
	VEC_FREE(&names);
}

/* ---- structs ------------------------------------------------------------------------------------------------ */

/* What the row itself has to say about being given. */
static void
report_flags(struct decode *c, const struct field *f, const struct val *at)
{
	struct diag *d = NULL;
	if (f->flags & LATER)
		d = diag_add(c->diags, DIAG_LATER, at, buf_str(&c->path), "not served yet");
	else if (f->flags & NOEFFECT)
		d = diag_add(c->diags, DIAG_WARNING, at, buf_str(&c->path), "has no effect here");
	else if (f->flags & DEPRECATED)
		d = diag_add(c->diags, DIAG_WARNING, at, buf_str(&c->path), "deprecated");
	if (d && f->hint)
		hint(c, d, "%s", f->hint);
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
		struct diag *d = wrong(c, &m->key, "\"%s\" and \"%s\" exclude each other", other->name, f->name);
		hint(c, d, "remove one of them");
		d->other_line = first->key.line;
		d->other_col = first->key.col;
		return;
	}
}

bool
field_default(const struct field *f, struct arena *a, void *to)
{
	if (!f->dflt || !decoders[f->kind])
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
	decoders[f->kind](&c, f, kept, to);
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
	size_t before = enter_name(c, str_c(f->name));
	struct diag *d = wrong(c, in, "required, but not given");
	const char *type = field_types[field_shape(f)].expected;
	if (f->choices && f->choices[0])
		hint(c, d, "for example \"%s: %s\"", f->name, *f->choices[0] ||
			!f->choices[1] ? f->choices[0] : f->choices[1]);
	else
		hint(c, d, "add \"%s\": %s", f->name, *type ? type : "a value");
	leave(c, before);
}

static void decode_rows(struct decode *c, const struct schema *sc, const struct val *in, void *out);

static void
decode_row(struct decode *c, const struct schema *sc, const struct field *f, const struct val *in, void *out)
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
	const struct member *m = find_member(sc, in, f->name);
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
	size_t before = enter_name(c, str_c(f->name));
	report_flags(c, f, &m->key);
	if (f->one_of)
		check_one_of(c, sc, f, in, m);
	if (f->dflt)
		(void)field_default(f, c->arena, to); /* stays where the given value can't be read */
	decoders[f->kind](c, f, &m->value, to);
	bool empty = m->value.kind == VAL_STR && !m->value.n;
	if (f->flags & REQ && !(f->flags & EMPTY_OK) && field_shape(f) == FIELD_STR && empty)
		wrong(c, &m->value, "must not be empty");
	leave(c, before);
}

static void
decode_rows(struct decode *c, const struct schema *sc, const struct val *in, void *out)
{
	EACH_FIELD(sc, f)
		decode_row(c, sc, f, in, out);
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
		wrong(&c, in, "expected a map, not %s", val_kind_name(in));
	}
	buf_free(&c.path);
	return d->errors == errors ? 0 : -1;
}
