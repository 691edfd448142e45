/* SPDX-License-Identifier: Apache-2.0 */
/* sprig: lists and dictionaries. */
#include "core/lang/sprig.h"

/* ---- lists ------------------------------------------------------------------------------------------------------------------------------ */

bool
go_deep_equal(const struct val *a, const struct val *b)
{
	struct val x = go_norm(a), y = go_norm(b);
	if (x.kind != y.kind || x.pad != y.pad)
		return false;
	if (x.kind == VAL_LIST) {
		bool same = x.n == y.n;
		for (size_t i = 0; same && i < x.n; i++)
			same = go_deep_equal(&x.items[i], &y.items[i]);
		return same;
	}
	if (x.kind == VAL_MAP) {
		bool same = x.n == y.n;
		for (size_t i = 0; same && i < x.n; i++) {
			const struct val *other = val_get(&y, val_key(&x.members[i]));
			same = other && go_deep_equal(&x.members[i].value, other);
		}
		return same;
	}
	return val_eq(&x, &y);
}

/* The list, whatever box it comes in; what is none is an error with the function's name. */
static bool
as_list(struct run *r, const char *name, const struct val *v, struct val *out)
{
	*out = go_norm(v);
	if (out->kind == VAL_LIST)
		return true;
	return go_fail(r, "error calling %s: cannot work on type %s", name, go_kind(v));
}

static struct val
sublist(struct val list, size_t from, size_t to)
{
	list.items += from;
	list.n = (uint32_t)(to - from);
	return list;
}

FN(fn_list)
{
	struct val_list b = { 0 };
	for (size_t i = 0; i < n; i++)
		val_list_add(&b, v[i]);
	*out = go_list(r, &b, GO_PLAIN);
	return true;
}
FN(fn_first)
{
	struct val l;
	if (!as_list(r, "first", &v[0], &l))
		return false;
	*out = l.n ? l.items[0] : val_null();
	return true;
}
FN(fn_last)
{
	struct val l;
	if (!as_list(r, "last", &v[0], &l))
		return false;
	*out = l.n ? l.items[l.n - 1] : val_null();
	return true;
}
FN(fn_rest)
{
	struct val l;
	if (!as_list(r, "rest", &v[0], &l))
		return false;
	*out = l.n ? sublist(l, 1, l.n) : l;
	out->pad = GO_PLAIN;
	return true;
}
FN(fn_initial)
{
	struct val l;
	if (!as_list(r, "initial", &v[0], &l))
		return false;
	*out = l.n ? sublist(l, 0, l.n - 1) : l;
	out->pad = GO_PLAIN;
	return true;
}

static bool
extended(struct run *r, const char *name, const struct val *v, bool front, struct val *out)
{
	struct val l;
	struct val_list b = { 0 };
	if (!as_list(r, name, &v[0], &l) || !go_charge(r, l.n * sizeof l))
		return false;
	if (front)
		val_list_add(&b, v[1]);
	for (size_t i = 0; i < l.n; i++)
		val_list_add(&b, l.items[i]);
	if (!front)
		val_list_add(&b, v[1]);
	*out = go_list(r, &b, GO_PLAIN);
	return true;
}
FN(fn_append) { return extended(r, "append", v, false, out); }
FN(fn_prepend) { return extended(r, "prepend", v, true, out); }

FN(fn_reverse)
{
	struct val l;
	struct val_list b = { 0 };
	if (!as_list(r, "reverse", &v[0], &l))
		return false;
	for (size_t i = l.n; i-- > 0;)
		val_list_add(&b, l.items[i]);
	*out = go_list(r, &b, GO_PLAIN);
	return true;
}

static bool
holds(struct run *r, const struct val *list, size_t n, const struct val *needle)
{
	for (size_t i = 0; i < n; i++, r->steps++)
		if (go_deep_equal(&list[i], needle))
			return true;
	return false;
}

FN(fn_uniq)
{
	struct val l;
	struct val_list b = { 0 };
	if (!as_list(r, "uniq", &v[0], &l))
		return false;
	for (size_t i = 0; i < l.n && r->steps < GOTMPL_STEPS_MAX; i++)
		if (!holds(r, b.v.p, b.v.n, &l.items[i]))
			val_list_add(&b, l.items[i]);
	*out = go_list(r, &b, GO_PLAIN);
	return true;
}
FN(fn_without)
{
	struct val l;
	struct val_list b = { 0 };
	if (!as_list(r, "without", &v[0], &l))
		return false;
	for (size_t i = 0; i < l.n; i++)
		if (!holds(r, v + 1, n - 1, &l.items[i]))
			val_list_add(&b, l.items[i]);
	*out = go_list(r, &b, GO_PLAIN);
	return true;
}
FN(fn_has)
{
	struct val l;
	*out = val_bool(false);
	if (go_norm(&v[1]).kind == VAL_NULL)
		return true;
	if (!as_list(r, "has", &v[1], &l))
		return false;
	*out = val_bool(holds(r, l.items, l.n, &v[0]));
	return true;
}
FN(fn_compact)
{
	struct val l;
	struct val_list b = { 0 };
	if (!as_list(r, "compact", &v[0], &l))
		return false;
	for (size_t i = 0; i < l.n; i++)
		if (go_truth(&l.items[i]))
			val_list_add(&b, l.items[i]);
	*out = go_list(r, &b, GO_PLAIN);
	return true;
}
FN(fn_slice)
{
	struct val l;
	if (!as_list(r, "slice", &v[0], &l))
		return false;
	if (!l.n)
		return true; /* nil */
	int64_t from = n > 1 ? sprig_int(&v[1]) : 0, to = n > 2 ? sprig_int(&v[2]) : (int64_t)l.n;
	if (from < 0 || to > (int64_t)l.n || from > to)
		return go_fail(r, "error calling slice: slice index out of bounds");
	*out = sublist(l, (size_t)from, (size_t)to);
	return true;
}
FN(fn_concat)
{
	struct val_list b = { 0 };
	bool ok = true;
	for (size_t i = 0; ok && i < n; i++) {
		struct val l;
		ok = as_list(r, "concat", &v[i], &l) && go_charge(r, l.n * sizeof l);
		for (size_t k = 0; ok && k < l.n; k++)
			val_list_add(&b, l.items[k]);
	}
	*out = go_list(r, &b, GO_PLAIN);
	return ok;
}
FN(fn_chunk)
{
	struct val l;
	struct val_list b = { 0 };
	if (!as_list(r, "chunk", &v[1], &l))
		return false;
	if (v[0].i <= 0)
		return go_fail(r, "error calling chunk: a size of at least 1 is expected");
	for (size_t i = 0; i < l.n; i += (size_t)v[0].i) {
		struct val part = sublist(l, i, l.n - i > (size_t)v[0].i ? i + (size_t)v[0].i : l.n);
		part.pad = GO_PLAIN;
		val_list_add(&b, part);
	}
	*out = go_list(r, &b, GO_PLAIN);
	return true;
}

FN(fn_join)
{
	struct val l = sprig_texts(r, &v[1]);
	struct buf b = { 0 };
	for (size_t i = 0; i < l.n && go_fits(r, &b); i++) {
		if (i)
			buf_add(&b, TEXT(0));
		buf_add(&b, val_text(&l.items[i]));
	}
	return go_fits(r, &b) ? go_made(r, &b, out) : (buf_free(&b), false);
}

static int
by_text(const void *x, const void *y)
{
	struct val a = *(const struct val *)x, b = *(const struct val *)y;
	str s = val_text(&a), t = val_text(&b);
	int c = memcmp(s.p, t.p, s.n < t.n ? s.n : t.n);
	return c ? c : s.n < t.n ? -1 : s.n > t.n;
}

FN(fn_sort_alpha)
{
	struct val l = sprig_texts(r, &v[0]);
	struct val *items = ARENA_ARRAY(r->a, struct val, l.n + 1);
	memcpy(items, l.items, l.n * sizeof l);
	qsort(items, l.n, sizeof l, by_text);
	*out = l;
	out->items = items;
	return true;
}

/* strings.SplitN: an empty separator splits into characters; most < 0: all. */
static struct val
split(struct run *r, str s, str sep, int64_t most)
{
	struct val_list b = { 0 };
	size_t i = 0, width;
	while (most < 0 || (int64_t)b.v.n + 1 < most) {
		size_t at = sep.n ? str_find(s, sep, i) : i < s.n ? ((void)go_rune(s, i, &width), i + width) : SIZE_MAX;
		if (at == SIZE_MAX || (!sep.n && at >= s.n) || !go_charge(r, sizeof(struct val)))
			break;
		val_list_add(&b, val_str(str_slice(s, i, at)));
		i = at + sep.n;
	}
	if (most != 0 && !(!sep.n && !s.n))
		val_list_add(&b, val_str(str_slice(s, i, s.n)));
	return go_list(r, &b, GO_STRINGS);
}

FN(fn_split_list)
{
	*out = split(r, TEXT(1), TEXT(0), -1);
	return true;
}

/* {"_0": ..., "_1": ...} */
static struct val
numbered(struct run *r, struct val list)
{
	struct val_map m = { 0 };
	for (size_t i = 0; i < list.n; i++)
		val_map_add(&m, arena_fmt(r->a, "_%zu", i), list.items[i]);
	struct val v = val_map_end(&m, r->a);
	v.pad = GO_STRING_MAP;
	return v;
}
FN(fn_split)
{
	*out = numbered(r, split(r, TEXT(1), TEXT(0), -1));
	return true;
}
FN(fn_splitn)
{
	*out = numbered(r, split(r, TEXT(2), TEXT(0), v[1].i));
	return true;
}

const struct gofn sprig_lists[] = {
	{ "list", "a*", fn_list }, { "tuple", "a*", fn_list }, { "first", "a", fn_first }, { "mustFirst", "a", fn_first }, { "last", "a", fn_last }, { "mustLast", "a", fn_last },
	{ "rest", "a", fn_rest }, { "mustRest", "a", fn_rest }, { "initial", "a", fn_initial }, { "mustInitial", "a", fn_initial },
	{ "append", "aa", fn_append }, { "mustAppend", "aa", fn_append }, { "push", "aa", fn_append }, { "mustPush", "aa", fn_append },
	{ "prepend", "aa", fn_prepend }, { "mustPrepend", "aa", fn_prepend }, { "reverse", "a", fn_reverse }, { "mustReverse", "a", fn_reverse },
	{ "uniq", "a", fn_uniq }, { "mustUniq", "a", fn_uniq }, { "without", "aa*", fn_without }, { "mustWithout", "aa*", fn_without },
	{ "has", "aa", fn_has }, { "mustHas", "aa", fn_has }, { "compact", "a", fn_compact }, { "mustCompact", "a", fn_compact },
	{ "slice", "aa*", fn_slice }, { "mustSlice", "aa*", fn_slice }, { "concat", "a*", fn_concat }, { "chunk", "ia", fn_chunk }, { "mustChunk", "ia", fn_chunk },
	{ "join", "sa", fn_join }, { "sortAlpha", "a", fn_sort_alpha }, { "splitList", "ss", fn_split_list }, { "split", "ss", fn_split }, { "splitn", "sis", fn_splitn },
	{ 0 },
};

/* ---- dictionaries ------------------------------------------------------------------------------------------------------------------------- */

struct val
go_box(struct run *r, struct val map)
{
	struct val *inner = ARENA_NEW(r->a, struct val);
	*inner = map;
	struct val v = { .kind = VAL_MAP, .n = 1, .pad = GO_BOX };
	v.members = (const struct member *)(const void *)inner;
	return v;
}

/* Changes the map in its box; one of the input has none, and gets one. */
static void
change(struct run *r, struct val *map, struct val to)
{
	if (map->pad == GO_BOX)
		*(struct val *)(uintptr_t)map->members = to;
	else
		*map = go_box(r, to);
}

FN(fn_dict)
{
	struct val map = { .kind = VAL_MAP };
	for (size_t i = 0; i < n; i += 2) {
		struct val empty = val_str(S(""));
		map = *val_set(r->a, &map, sprig_text(r, &v[i]), i + 1 < n ? &v[i + 1] : &empty);
	}
	*out = go_box(r, map);
	return true;
}
FN(fn_get)
{
	struct val m = go_norm(&v[0]);
	const struct val *x = val_get(&m, TEXT(1));
	*out = x ? *x : val_str(S(""));
	return true;
}
FN(fn_set)
{
	struct val m = go_norm(&v[0]), box = v[0];
	if (!go_charge(r, m.n * sizeof(struct member)))
		return false;
	change(r, &box, *val_set(r->a, &m, TEXT(1), &v[2]));
	*out = box;
	return true;
}
FN(fn_unset)
{
	struct val m = go_norm(&v[0]), box = v[0];
	if (!go_charge(r, m.n * sizeof(struct member)))
		return false;
	if (val_get(&m, TEXT(1)))
		change(r, &box, *val_unset(r->a, &m, TEXT(1)));
	*out = box;
	return true;
}
FN(fn_has_key)
{
	struct val m = go_norm(&v[0]);
	*out = val_bool(val_get(&m, TEXT(1)));
	return true;
}
FN(fn_pluck)
{
	struct val_list b = { 0 };
	for (size_t i = 1; i < n; i++) {
		struct val m = go_norm(&v[i]);
		const struct val *x = val_get(&m, TEXT(0));
		if (x)
			val_list_add(&b, *x);
	}
	*out = go_list(r, &b, GO_PLAIN);
	return true;
}
FN(fn_keys)
{
	struct val_list b = { 0 };
	for (size_t i = 0; i < n; i++) {
		struct val m = go_norm(&v[i]);
		for (size_t k = 0; k < m.n; k++)
			val_list_add(&b, val_str(val_key(&m.members[k])));
	}
	*out = go_list(r, &b, GO_STRINGS);
	return true;
}
FN(fn_values)
{
	struct val m = go_norm(&v[0]);
	struct val_list b = { 0 };
	for (size_t k = 0; k < m.n; k++)
		val_list_add(&b, m.members[k].value);
	*out = go_list(r, &b, GO_PLAIN);
	return true;
}

static bool
picked(struct run *r, const struct val *v, size_t n, bool wanted, struct val *out)
{
	struct val m = go_norm(&v[0]);
	struct val_map b = { 0 };
	for (size_t i = 0; i < m.n; i++) {
		bool named = false;
		for (size_t k = 1; k < n; k++)
			named |= str_eq(TEXT(k), val_key(&m.members[i]));
		if (named == wanted)
			val_map_add(&b, val_key(&m.members[i]), m.members[i].value);
	}
	*out = go_box(r, val_map_end(&b, r->a));
	return true;
}
FN(fn_pick) { return picked(r, v, n, true, out); }
FN(fn_omit) { return picked(r, v, n, false, out); }

/* mergo: what is empty in `into` (or, overwriting, what is not empty in `from`) is taken from `from`; maps merge. */
static struct val
merged(struct run *r, const struct val *into, const struct val *from, bool overwrite, unsigned depth)
{
	struct val a = go_norm(into), b = go_norm(from);
	for (size_t i = 0; depth && i < b.n; i++) {
		str key = val_key(&b.members[i]);
		const struct val *old = val_get(&a, key);
		struct val new = b.members[i].value, was = old ? go_norm(old) : val_null(), is = go_norm(&new);
		r->steps++;
		if (was.kind == VAL_MAP && is.kind == VAL_MAP)
			new = merged(r, &was, &is, overwrite, depth - 1);
		else if (old && !(overwrite ? go_truth(&is) : !go_truth(&was)))
			continue;
		a = *val_set(r->a, &a, key, &new);
	}
	return a;
}

static bool
merge(struct run *r, const struct val *v, size_t n, bool overwrite, struct val *out)
{
	struct val box = v[0], m = go_norm(&v[0]);
	for (size_t i = 1; i < n; i++)
		m = merged(r, &m, &v[i], overwrite, GOTMPL_DEPTH_MAX);
	change(r, &box, m);
	*out = box;
	return true;
}
FN(fn_merge) { return merge(r, v, n, false, out); }
FN(fn_merge_overwrite) { return merge(r, v, n, true, out); }

/* dig "a" "b" DEFAULT MAP */
FN(fn_dig)
{
	if (n < 3)
		return go_fail(r, "error calling dig: needs at least three arguments");
	*out = v[n - 1];
	for (size_t i = 0; i < n - 2; i++) {
		struct val m = go_norm(out), key = go_norm(&v[i]);
		if (m.kind != VAL_MAP || key.kind != VAL_STR)
			return go_fail(r, "error calling dig: a map and names are expected");
		const struct val *x = val_get(&m, val_text(&key));
		*out = x ? *x : v[n - 2];
		if (!x)
			break;
	}
	return true;
}

const struct gofn sprig_dicts[] = {
	{ "dict", "a*", fn_dict }, { "get", "ms", fn_get }, { "set", "msa", fn_set }, { "unset", "ms", fn_unset }, { "hasKey", "ms", fn_has_key },
	{ "pluck", "sm*", fn_pluck }, { "keys", "m*", fn_keys }, { "values", "m", fn_values }, { "pick", "ms*", fn_pick }, { "omit", "ms*", fn_omit },
	{ "merge", "mm*", fn_merge }, { "mustMerge", "mm*", fn_merge }, { "mergeOverwrite", "mm*", fn_merge_overwrite },
	{ "mustMergeOverwrite", "mm*", fn_merge_overwrite }, { "dig", "a*", fn_dig },
	{ 0 },
};
