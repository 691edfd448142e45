/* SPDX-License-Identifier: Apache-2.0 */
/*
 * val: building, looking into and comparing values. The notations are in json.c and yaml.c, changes in merge.c.
 */
#include "core/val.h"

#include <math.h>

#include "core/map.h"

/* Maps larger than this are compared through a hash table, so that no input makes comparison quadratic. */
#define SMALL_MAP 16

/* ---- make --------------------------------------------------------------------------------------------------- */

static uint8_t
tagged(str s)
{
	return str_find(s, S("{{"), 0) != SIZE_MAX ? VAL_TAGGED : 0;
}

struct val
val_str(str s)
{
	if (s.n > UINT32_MAX)
		s.n = UINT32_MAX;
	return (struct val){ .kind = VAL_STR, .flags = tagged(s), .p = s.p ? s.p : "", .n = (uint32_t)s.n };
}

void
val_list_add(struct val_list *b, struct val v)
{
	*VEC_PUSH(&b->v) = v;
}

struct val
val_list_end(struct val_list *b, struct arena *a)
{
	struct val *items = ARENA_ARRAY(a, struct val, b->v.n);
	uint8_t flags = 0;
	for (size_t i = 0; i < b->v.n; i++) {
		items[i] = b->v.p[i];
		flags |= items[i].flags & VAL_TAGGED;
	}
	struct val v = { .kind = VAL_LIST, .flags = flags, .items = items, .n = (uint32_t)b->v.n };
	VEC_FREE(&b->v);
	return v;
}

void
val_map_add(struct val_map *b, str key, struct val v)
{
	*VEC_PUSH(&b->v) = (struct member){ .key = val_str(key), .value = v };
}

void
val_map_add_str(struct val_map *b, str key, str s)
{
	if (s.p && s.n)
		val_map_add(b, key, val_str(s));
}

struct val
val_map_end(struct val_map *b, struct arena *a)
{
	struct member *members = ARENA_ARRAY(a, struct member, b->v.n);
	uint8_t flags = 0;
	for (size_t i = 0; i < b->v.n; i++) {
		members[i] = b->v.p[i];
		flags |= (members[i].key.flags | members[i].value.flags) & VAL_TAGGED;
	}
	struct val v = { .kind = VAL_MAP, .flags = flags, .members = members, .n = (uint32_t)b->v.n };
	VEC_FREE(&b->v);
	return v;
}

struct val
val_copy(struct arena *a, const struct val *v)
{
	struct val out = *v;
	if (v->kind == VAL_STR || v->kind == VAL_NUM) {
		out.p = arena_dup(a, val_text(v)).p;
	} else if (v->kind == VAL_LIST) {
		struct val *items = ARENA_ARRAY(a, struct val, v->n);
		for (uint32_t i = 0; i < v->n; i++)
			items[i] = val_copy(a, &v->items[i]);
		out.items = items;
	} else if (v->kind == VAL_MAP) {
		struct member *members = ARENA_ARRAY(a, struct member, v->n);
		for (uint32_t i = 0; i < v->n; i++)
			members[i] = (struct member){ val_copy(a, &v->members[i].key), val_copy(a,
				&v->members[i].value) };
		out.members = members;
	}
	return out;
}

/* ---- pack ---- */

/* Where the next value and the next byte go; without `to` they are only counted. */
struct pack {
	char *to;
	size_t vals, bytes;
};

static const char *
pack_text(struct pack *x, const char *p, size_t n)
{
	char *at = x->to ? x->to + x->bytes : NULL;
	x->bytes += n + 1;
	if (!at)
		return p;
	memcpy(at, p, n);
	at[n] = '\0';
	return at;
}

static void *
pack_room(struct pack *x, size_t bytes)
{
	void *at = x->to ? x->to + x->vals : NULL;
	x->vals += bytes;
	return at;
}

/* Also of a map's members, which are pairs of values. */
static struct val
pack(struct pack *x, const struct val *v, const struct val *base)
{
	struct val out = *v;
	if (base && !memcmp(v, base, sizeof *v))
		return out;
	bool like = base && base->kind == v->kind && base->n == v->n;
	if ((v->kind == VAL_STR || v->kind == VAL_NUM) && v->n) {
		out.p = pack_text(x, v->p, v->n);
	} else if (v->kind == VAL_LIST) {
		struct val *items = pack_room(x, v->n * sizeof *items);
		for (uint32_t i = 0; i < v->n; i++) {
			struct val item = pack(x, &v->items[i], like ? &base->items[i] : NULL);
			if (items)
				items[i] = item;
		}
		out.items = items;
	} else if (v->kind == VAL_MAP) {
		struct member *members = pack_room(x, v->n * sizeof *members);
		for (uint32_t i = 0; i < v->n; i++) {
			const struct member *m = like ? &base->members[i] : NULL;
			struct member copy = { pack(x, &v->members[i].key, m ? &m->key : NULL),
				pack(x, &v->members[i].value, m ? &m->value : NULL) };
			if (members)
				members[i] = copy;
		}
		out.members = members;
	}
	return out;
}

struct val *
val_pack(const struct val *v, const struct val *base)
{
	struct pack size = { .vals = sizeof *v };
	(void)pack(&size, v, base);
	struct val *out = mem_alloc(size.vals + size.bytes);
	struct pack x = { .to = (char *)out, .vals = sizeof *v, .bytes = size.vals };
	*out = pack(&x, v, base);
	return out;
}

/* ---- look --------------------------------------------------------------------------------------------------- */

const struct val *
val_get(const struct val *map, str key)
{
	if (!val_is(map, VAL_MAP))
		return NULL;
	for (uint32_t i = map->n; i-- > 0;) {
		const struct val *k = &map->members[i].key;
		if (k->n == key.n && memcmp(k->p, key.p, key.n) == 0)
			return &map->members[i].value;
	}
	return NULL;
}

const struct val *
val_at(const struct val *list, size_t i)
{
	return val_is(list, VAL_LIST) && i < list->n ? &list->items[i] : NULL;
}

const struct val *
val_named(const struct val *list, str name)
{
	for (size_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++)
		if (str_eq(val_get_str(&list->items[i], "name"), name))
			return &list->items[i];
	return NULL;
}

const struct val *
val_path(const struct val *root, const char *dotted)
{
	str rest = str_c(dotted);
	while (root && rest.n)
		root = val_get(root, str_cut(&rest, '.'));
	return root;
}

str
val_get_str(const struct val *map, const char *key)
{
	const struct val *v = val_get(map, str_c(key));
	return val_is(v, VAL_STR) ? val_text(v) : STR_NONE;
}

const char *
val_kind_name(const struct val *v)
{
	static const char *const names[] = {
		"null", "a boolean", "an integer", "a number", "a number", "a string", "a list", "a map",
	};
	if (!v)
		return "nothing";
	struct val r = val_resolve(v);
	if (r.kind == VAL_NUM && str_find_char(val_text(&r), '.', 0) == SIZE_MAX &&
	    str_find_char(val_text(&r), 'e', 0) == SIZE_MAX)
		return "an integer";
	return names[r.kind];
}

/* ---- plain scalars ------------------------------------------------------------------------------------------ */

static size_t
digits(str s, size_t i)
{
	while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
		i++;
	return i;
}

/* 0644: octal, as in YAML 1.1, which Kubernetes and Argo read: modes are written so. 08 is none, and decimal there too. */
static bool
resolve_octal(str s, struct val *out)
{
	uint64_t v = 0;
	if (s.n < 2 || s.n > 21 || s.p[0] != '0')
		return false;
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '7')
			return false;
		v = v << 3 | (uint64_t)(s.p[i] - '0');
	}
	out->kind = VAL_INT;
	out->i = (int64_t)v;
	return true;
}

/* 0x1F and 0o17. No sign, as the core schema has it. */
static bool
resolve_radix(str s, struct val *out)
{
	if (s.n < 3 || s.n > 18 || s.p[0] != '0' || (s.p[1] != 'x' && s.p[1] != 'o'))
		return false;
	unsigned shift = s.p[1] == 'x' ? 4 : 3;
	uint64_t v = 0;
	for (size_t i = 2; i < s.n; i++) {
		char c = s.p[i];
		unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0')
		               : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
		               : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10) : 99;
		if (digit >= 1u << shift || v > (uint64_t)INT64_MAX >> shift)
			return false;
		v = v << shift | digit;
	}
	out->kind = VAL_INT;
	out->i = (int64_t)v;
	return true;
}

/*
 * [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
 * What is a JSON number as it stands keeps its text; the rest becomes what it means.
 */
static bool
resolve_decimal(str s, struct val *out)
{
	size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+');
	size_t sign = i, whole = digits(s, i);
	bool json = s.n && s.p[0] != '+' && whole > i && (s.p[i] != '0' || whole == i + 1), integer = true;
	i = whole;
	if (i < s.n && s.p[i] == '.') {
		size_t frac = digits(s, i + 1);
		if (frac == i + 1 && whole == sign)
			return false;
		json = json && frac > i + 1;
		integer = false;
		i = frac;
	}
	if (i == sign)
		return false;
	if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
		size_t e = i + 1;
		e += e < s.n && (s.p[e] == '-' || s.p[e] == '+');
		i = digits(s, e);
		if (i == e)
			return false;
		integer = false;
	}
	if (i != s.n)
		return false;
	int64_t n;
	double f;
	if (json)
		out->kind = VAL_NUM;
	else if (integer && str_to_i64(s, &n))
		out->kind = VAL_INT, out->i = n;
	else if (str_to_double(s, &f))
		out->kind = VAL_FLOAT, out->f = f;
	else
		return false;
	return true;
}

struct val
val_resolve(const struct val *v)
{
	static const struct {
		const char *text;
		uint8_t kind;
		bool b;
		double f;
	} words[] = {
		{ "", VAL_NULL }, { "~", VAL_NULL }, { "null", VAL_NULL }, { "Null", VAL_NULL }, { "NULL", VAL_NULL },
		{ "true", VAL_BOOL, true }, { "True", VAL_BOOL, true }, { "TRUE", VAL_BOOL, true },
		{ "false", VAL_BOOL, false }, { "False", VAL_BOOL, false }, { "FALSE", VAL_BOOL, false },
		{ ".inf", VAL_FLOAT, 0, INFINITY }, { ".Inf", VAL_FLOAT, 0, INFINITY }, 
		{ ".INF", VAL_FLOAT, 0, INFINITY },
		{ "+.inf", VAL_FLOAT, 0, INFINITY }, { "-.inf", VAL_FLOAT, 0, -INFINITY }, 
		{ "-.Inf", VAL_FLOAT, 0, -INFINITY },
		{ ".nan", VAL_FLOAT, 0, NAN }, { ".NaN", VAL_FLOAT, 0, NAN }, { ".NAN", VAL_FLOAT, 0, NAN },
	};
	if (v->kind != VAL_STR || !(v->flags & VAL_PLAIN))
		return *v;
	str s = val_text(v);
	struct val out = *v;
	out.flags = (uint8_t)(v->flags & ~VAL_PLAIN);
	if (s.n > 400) /* no number anybody writes */
		return out;
	if (s.n && ((s.p[0] >= '0' && s.p[0] <= '9') || s.p[0] == '-' || s.p[0] == '+' || s.p[0] == '.') &&
	    (resolve_radix(s, &out) || resolve_octal(s, &out) || resolve_decimal(s, &out)))
		return out;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!str_eq(s, str_c(words[i].text)))
			continue;
		out.kind = words[i].kind;
		out.n = 0;
		if (out.kind == VAL_FLOAT)
			out.f = words[i].f;
		else
			out.i = 0, out.b = words[i].b;
		break;
	}
	return out;
}

/* Whether val_resolve_all would change anything. */
static bool
has_plain(const struct val *v)
{
	if (v->kind == VAL_STR)
		return v->flags & VAL_PLAIN;
	if (v->kind == VAL_LIST)
		for (uint32_t i = 0; i < v->n; i++)
			if (has_plain(&v->items[i]))
				return true;
	if (v->kind == VAL_MAP)
		for (uint32_t i = 0; i < v->n; i++)
			if (has_plain(&v->members[i].value))
				return true;
	return false;
}

static struct val
resolve_copy(struct arena *a, const struct val *v)
{
	struct val out = val_resolve(v);
	if (v->kind == VAL_LIST) {
		struct val *items = ARENA_ARRAY(a, struct val, v->n);
		for (uint32_t i = 0; i < v->n; i++)
			items[i] = resolve_copy(a, &v->items[i]);
		out.items = items;
	} else if (v->kind == VAL_MAP) {
		struct member *members = ARENA_ARRAY(a, struct member, v->n);
		for (uint32_t i = 0; i < v->n; i++)
			members[i] = (struct member){ v->members[i].key, resolve_copy(a, &v->members[i].value) };
		out.members = members;
	}
	return out;
}

const struct val *
val_resolve_all(struct arena *a, const struct val *v)
{
	if (!has_plain(v))
		return v;
	struct val *out = ARENA_NEW(a, struct val);
	*out = resolve_copy(a, v);
	return out;
}

/* ---- numbers and equality ------------------------------------------------------------------------------------ */

bool
val_to_double(const struct val *v, double *out)
{
	if (!v)
		return false;
	struct val r = val_resolve(v);
	switch (r.kind) {
	case VAL_INT:
		*out = (double)r.i;
		return true;
	case VAL_FLOAT:
		*out = r.f;
		return true;
	case VAL_NUM:
		return str_to_double(val_text(&r), out);
	default:
		return false;
	}
}

bool
val_to_i64(const struct val *v, int64_t *out)
{
	if (!v)
		return false;
	struct val r = val_resolve(v);
	if (r.kind == VAL_INT) {
		*out = r.i;
		return true;
	}
	if (r.kind == VAL_NUM && str_to_i64(val_text(&r), out))
		return true;
	/* 1e3 and 2.0 are integers too; beyond 2^53 a double no longer says which */
	double f;
	if (!val_to_double(&r, &f) || f != trunc(f) || fabs(f) > 9007199254740992.0)
		return false;
	*out = (int64_t)f;
	return true;
}

static bool
number_eq(const struct val *a, const struct val *b)
{
	int64_t x, y;
	double f, g;
	bool exact_a = val_to_i64(a, &x), exact_b = val_to_i64(b, &y);
	if (exact_a && exact_b)
		return x == y;
	if (exact_a != exact_b && a->kind != VAL_FLOAT && b->kind != VAL_FLOAT)
		return false;
	if (a->kind == VAL_NUM && b->kind == VAL_NUM && str_eq(val_text(a), val_text(b)))
		return true;
	/* a NaN is the same as another: equality is for finding what changed */
	return val_to_double(a, &f) && val_to_double(b, &g) && (f == g || (isnan(f) && isnan(g)));
}

static void
index_map(struct map *index, const struct val *v)
{
	for (uint32_t i = 0; i < v->n; i++) {
		union {
			const struct val *in;
			void *out;
		} cast = { .in = &v->members[i].value };
		map_put(index, val_key(&v->members[i]), cast.out);
	}
}

static size_t
distinct_keys(const struct val *v)
{
	size_t n = 0;
	for (uint32_t i = 0; i < v->n; i++)
		n += val_get(v, val_key(&v->members[i])) == &v->members[i].value;
	return n;
}

static bool
small_map_eq(const struct val *a, const struct val *b)
{
	if (distinct_keys(a) != distinct_keys(b))
		return false;
	for (uint32_t i = 0; i < a->n; i++) {
		str key = val_key(&a->members[i]);
		if (val_get(a, key) == &a->members[i].value && !val_eq(&a->members[i].value, val_get(b, key)))
			return false;
	}
	return true;
}

static bool
large_map_eq(const struct val *a, const struct val *b)
{
	struct map x = { 0 }, y = { 0 };
	index_map(&x, a);
	index_map(&y, b);
	bool ok = x.n == y.n;
	size_t i = 0;
	for (struct map_slot *s; ok && (s = map_next(&x, &i));)
		ok = val_eq(s->value, map_get(&y, s->key));
	map_free(&x);
	map_free(&y);
	return ok;
}

bool
val_eq(const struct val *a, const struct val *b)
{
	if (a == b || !a || !b)
		return a == b;
	struct val x = val_resolve(a), y = val_resolve(b);
	if (val_is_number(&x) && val_is_number(&y))
		return number_eq(&x, &y);
	if (x.kind != y.kind)
		return false;
	switch (x.kind) {
	case VAL_BOOL:
		return x.b == y.b;
	case VAL_STR:
		return str_eq(val_text(&x), val_text(&y));
	case VAL_LIST:
		if (x.n != y.n)
			return false;
		for (uint32_t i = 0; i < x.n; i++)
			if (!val_eq(&x.items[i], &y.items[i]))
				return false;
		return true;
	case VAL_MAP:
		return x.n <= SMALL_MAP && y.n <= SMALL_MAP ? small_map_eq(&x, &y) : large_map_eq(&x, &y);
	default:
		return true;
	}
}
