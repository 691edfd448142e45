/* SPDX-License-Identifier: Apache-2.0 */
/* field_encode: structs as manifests again, and whether two of them are equal. */
#include "core/field_kinds.h"

static struct val encode_struct(const struct schema *sc, struct arena *a, const void *obj, bool redact);
static bool equal_structs(const struct schema *sc, const void *x, const void *y);

/* What a row without a default is when it isn't given. */
static bool
is_absent(const struct field *f, const void *p)
{
	switch (f->kind) {
	case FIELD_STR:
		return ((const str *)p)->p == NULL || (((const str *)p)->n == 0 && !(f->flags & EMPTY_OK));
	case FIELD_BOOL:
		return !*(const bool *)p;
	case FIELD_TRI:
		return *(const tri *)p == TRI_UNSET;
	case FIELD_INT:
		return *(const int64_t *)p == 0;
	case FIELD_OPT_INT:
		return !((const struct opt_int *)p)->set;
	case FIELD_FLOAT:
		return *(const double *)p == 0;
	case FIELD_DUR:
		return ((const dur *)p)->ns == 0;
	case FIELD_INTSTR:
		return ((const struct intstr *)p)->text.p == NULL;
	case FIELD_VAL:
	case FIELD_PTR_:
		return *(const void *const *)p == NULL;
	case FIELD_STRS:
		return ((const struct strs *)p)->p == NULL;
	case FIELD_KVS:
		return ((const struct kvs *)p)->p == NULL;
	case FIELD_ENUM_:
		return *(const int *)p == 0;
	case FIELD_LIST_:
	case FIELD_LISTS_:
	case FIELD_MAP_:
		return ((const struct any_list *)p)->p == NULL;
	default:
		return false;
	}
}

static bool
equal_lists(const struct field *f, const struct any_list *x, const struct any_list *y)
{
	if (x->n != y->n)
		return false;
	for (size_t i = 0; i < x->n; i++) {
		const void *p = (const char *)x->p + i * f->schema->size, *q = (const char *)y->p + i * f->schema->size;
		/* the key is no row of the table */
		if (f->kind == FIELD_MAP_ && !str_eq(*(const str *)p, *(const str *)q))
			return false;
		if (!equal_structs(f->schema, p, q))
			return false;
	}
	return true;
}

static bool
equal_kvs(const struct kvs *x, const struct kvs *y)
{
	if (x->n != y->n)
		return false;
	for (size_t i = 0; i < x->n; i++) {
		size_t k = 0;
		while (k < y->n && !str_eq(x->p[i].key, y->p[k].key))
			k++;
		if (k == y->n || !str_eq(x->p[i].value, y->p[k].value))
			return false;
	}
	return true;
}

static bool
equal_strs(const struct strs *x, const struct strs *y)
{
	if (x->n != y->n)
		return false;
	for (size_t i = 0; i < x->n; i++)
		if (!str_eq(x->p[i], y->p[i]))
			return false;
	return true;
}

static bool
equal_field(const struct field *f, const void *x, const void *y)
{
	const void *p, *q;
	switch (f->kind) {
	case FIELD_STR:
		return str_eq(*(const str *)x, *(const str *)y);
	case FIELD_BOOL:
		return *(const bool *)x == *(const bool *)y;
	case FIELD_TRI:
	case FIELD_ENUM_:
		return *(const int *)x == *(const int *)y;
	case FIELD_INT:
		return *(const int64_t *)x == *(const int64_t *)y;
	case FIELD_OPT_INT:
		return ((const struct opt_int *)x)->set == ((const struct opt_int *)y)->set &&
		       ((const struct opt_int *)x)->v == ((const struct opt_int *)y)->v;
	case FIELD_FLOAT:
		return *(const double *)x == *(const double *)y;
	case FIELD_DUR:
		return ((const dur *)x)->ns == ((const dur *)y)->ns;
	case FIELD_INTSTR:
		return str_eq(((const struct intstr *)x)->text, ((const struct intstr *)y)->text);
	case FIELD_VAL:
		return val_eq(*(const struct val *const *)x, *(const struct val *const *)y);
	case FIELD_STRS:
		return equal_strs(x, y);
	case FIELD_KVS:
		return equal_kvs(x, y);
	case FIELD_OBJ_:
		return equal_structs(f->schema, x, y);
	case FIELD_PTR_:
		p = *(const void *const *)x;
		q = *(const void *const *)y;
		return p && q ? equal_structs(f->schema, p, q) : p == q;
	case FIELD_LIST_:
	case FIELD_MAP_:
		return equal_lists(f, x, y);
	case FIELD_LISTS_: {
		const struct any_list *l = x, *m = y;
		const struct any_list *li = l->p, *mi = m->p;
		for (size_t i = 0; l->n == m->n && i < l->n; i++)
			if (!equal_lists(f, &li[i], &mi[i]))
				return false;
		return l->n == m->n;
	}
	default:
		return true;
	}
}

static bool
equal_structs(const struct schema *sc, const void *x, const void *y)
{
	EACH_FIELD(sc, f)
		if (!equal_field(f, (const char *)x + f->offset, (const char *)y + f->offset))
			return false;
	return true;
}

bool
schema_equal(const struct schema *sc, const void *a, const void *b)
{
	return equal_structs(sc, a, b);
}

/* ---- encode ------------------------------------------------------------------------------------------------- */

static struct val
encode_items(const struct field *f, struct arena *a, const struct any_list *l, bool redact)
{
	struct val_list out = { 0 };
	for (size_t i = 0; i < l->n; i++)
		val_list_add(&out, encode_struct(f->schema, a, (const char *)l->p + i * f->schema->size, redact));
	return val_list_end(&out, a);
}

static struct val
encode_map(const struct field *f, struct arena *a, const struct any_list *l, bool redact)
{
	struct val_map out = { 0 };
	for (size_t i = 0; i < l->n; i++) {
		const void *item = (const char *)l->p + i * f->schema->size;
		val_map_add(&out, *(const str *)item, encode_struct(f->schema, a, item, redact));
	}
	return val_map_end(&out, a);
}

static struct val
encode_lists(const struct field *f, struct arena *a, const struct any_list *l, bool redact)
{
	struct val_list out = { 0 };
	const struct any_list *inner = l->p;
	for (size_t i = 0; i < l->n; i++)
		val_list_add(&out, encode_items(f, a, &inner[i], redact));
	return val_list_end(&out, a);
}

static struct val
encode_strs(struct arena *a, const struct strs *s, bool hide)
{
	struct val_list out = { 0 };
	for (size_t i = 0; i < s->n; i++)
		val_list_add(&out, hide ? val_str(S("***")) : val_str(s->p[i]));
	return val_list_end(&out, a);
}

static struct val
encode_kvs(struct arena *a, const struct kvs *s, bool hide)
{
	struct val_map out = { 0 };
	for (size_t i = 0; i < s->n; i++)
		val_map_add(&out, s->p[i].key, hide ? val_str(S("***")) : val_str(s->p[i].value));
	return val_map_end(&out, a);
}

static struct val
encode_field(const struct field *f, struct arena *a, const void *p, bool redact)
{
	bool hide = redact && f->flags & SECRET;
	switch (f->kind) {
	case FIELD_STR:
		return hide ? val_str(S("***")) : val_str(*(const str *)p);
	case FIELD_BOOL:
		return val_bool(*(const bool *)p);
	case FIELD_TRI:
		return val_bool(*(const tri *)p == TRI_TRUE);
	case FIELD_INT:
		return val_int(*(const int64_t *)p);
	case FIELD_OPT_INT:
		return val_int(((const struct opt_int *)p)->v);
	case FIELD_FLOAT:
		return val_float(*(const double *)p);
	case FIELD_DUR:
		return val_str(dur_fmt(a, *(const dur *)p));
	case FIELD_INTSTR: {
		const struct intstr *i = p;
		return i->is_int ? val_int(i->v) : val_str(i->text);
	}
	case FIELD_VAL:
		return hide ? val_str(S("***")) : **(const struct val *const *)p;
	case FIELD_STRS:
		return encode_strs(a, p, hide);
	case FIELD_KVS:
		return encode_kvs(a, p, hide);
	case FIELD_ENUM_:
		return val_cstr(f->choices[*(const int *)p]);
	case FIELD_OBJ_:
		return encode_struct(f->schema, a, p, redact);
	case FIELD_PTR_:
		return encode_struct(f->schema, a, *(const void *const *)p, redact);
	case FIELD_LIST_:
		return encode_items(f, a, p, redact);
	case FIELD_LISTS_:
		return encode_lists(f, a, p, redact);
	case FIELD_MAP_:
		return encode_map(f, a, p, redact);
	default:
		return val_null();
	}
}

/* Whether a reader would put the same in place if the field were left out. */
static bool
is_default(const struct field *f, struct arena *a, const void *p)
{
	if (!f->dflt)
		return is_absent(f, p);
	void *d = arena_alloc(a, field_size(f), _Alignof(max_align_t));
	return field_default(f, a, d) && equal_field(f, d, p);
}

static void
encode_rows(const struct schema *sc, struct arena *a, const void *obj, bool redact, struct val_map *out)
{
	EACH_FIELD(sc, f)
	{
		const void *p = (const char *)obj + f->offset;
		if (f->kind == FIELD_SRC_ || f->kind == FIELD_NONE_)
			continue;
		if (f->flags & INLINE) {
			encode_rows(f->schema, a, p, redact, out);
			continue;
		}
		if (is_default(f, a, p))
			continue;
		struct val v = encode_field(f, a, p, redact);
		if (f->kind == FIELD_OBJ_ && !v.n)
			continue;
		val_map_add(out, str_c(f->name), v);
	}
}

static struct val
encode_struct(const struct schema *sc, struct arena *a, const void *obj, bool redact)
{
	struct val_map out = { 0 };
	encode_rows(sc, a, obj, redact, &out);
	return val_map_end(&out, a);
}

struct val
schema_encode(const struct schema *sc, struct arena *a, const void *obj, bool redact)
{
	return encode_struct(sc, a, obj, redact);
}
