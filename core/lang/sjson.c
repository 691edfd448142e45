/* SPDX-License-Identifier: Apache-2.0 */
#include "core/lang/sjson.h"

#include "core/lang/gjson.h"

/* One step of a plain path. */
struct step {
	str key; /* unescaped */
	bool force; /* ":" before it: a key of an object, never an index */
};

struct steps {
	struct step p[SJSON_DEPTH_MAX];
	size_t n;
};

/* Splits at dots. 1: a plain path; 0: it has patterns, queries or modifiers; -1: error. */
static int
split(struct arena *a, str path, struct steps *out, struct err *e)
{
	size_t i = 0;
	do {
		if (out->n == SJSON_DEPTH_MAX)
			return err_set(e, ERR_LIMIT, "path %.80s: at most %d steps", path.p, SJSON_DEPTH_MAX);
		struct step *s = &out->p[out->n++];
		if (i < path.n && path.p[i] == ':') {
			s->force = true;
			i++;
		}
		struct buf key CLEANUP(free_buf) = { 0 };
		for (; i < path.n && path.p[i] != '.'; i++) {
			if (strchr("|#@*?", path.p[i]) && path.p[i])
				return 0;
			if (path.p[i] == '\\' && ++i >= path.n)
				break;
			buf_addc(&key, path.p[i]);
		}
		s->key = arena_dup(a, buf_str(&key));
	} while (i++ < path.n);
	return 1;
}

/* A step as an index: digits only, and an empty step counts as 0 where something is made (sjson's atoui). */
static bool
as_index(const struct step *s, size_t *out)
{
	size_t n = 0;
	if (s->force)
		return false;
	for (size_t i = 0; i < s->key.n; i++) {
		if (s->key.p[i] < '0' || s->key.p[i] > '9')
			return false;
		n = n > SIZE_MAX / 20 ? SIZE_MAX / 2 : n * 10 + (size_t)(s->key.p[i] - '0');
	}
	*out = n;
	return true;
}

static bool
is_append(const struct step *s)
{
	return !s->force && str_eq(s->key, S("-1"));
}

static int
pad(struct val_list *l, size_t from, size_t to, struct err *e)
{
	if (to > from && to - from > SJSON_PAD_MAX)
		return err_set(e, ERR_LIMIT, "index %zu: more than %d places behind the end", to, SJSON_PAD_MAX);
	for (size_t i = from; i < to; i++)
		val_list_add(l, val_null());
	return 0;
}

static const struct val *
boxed(struct arena *a, struct val v)
{
	struct val *p = ARENA_NEW(a, struct val);
	*p = v;
	return p;
}

/* `value` under the steps that do not exist yet. */
static const struct val *
build(struct arena *a, const struct step *s, size_t n, const struct val *value, struct err *e)
{
	if (!n)
		return value;
	const struct val *below = build(a, s + 1, n - 1, value, e);
	if (!below)
		return NULL;
	size_t index = 0;
	bool numeric = as_index(s, &index);
	if (!numeric && !is_append(s))
		return val_set(a, NULL, s->key, below);
	struct val_list l = { 0 };
	int bad = pad(&l, 0, index, e);
	val_list_add(&l, *below);
	struct val list = val_list_end(&l, a);
	return bad ? NULL : boxed(a, list);
}

static const struct val *set(struct arena *a, const struct val *v, const struct step *s, size_t n, const struct val *value, struct err *e);

static const struct val *
set_in_list(struct arena *a, const struct val *list, const struct step *s, size_t n, const struct val *value, struct err *e)
{
	int64_t at = -1;
	size_t index = 0;
	if (s->key.n && s->key.p[0] >= '0' && s->key.p[0] <= '9')
		(void)str_to_i64(s->key, &at); /* no number: names no element */
	const struct val *there = at >= 0 ? val_at(list, (size_t)at) : NULL, *made;
	if (!there && !as_index(s, &index) && !is_append(s)) {
		err_set(e, ERR_INVALID, "cannot set element %.*s of a list: an index or -1 (append) is expected", STR_ARG(s->key));
		return NULL;
	}
	made = there ? set(a, there, s + 1, n - 1, value, e) : build(a, s + 1, n - 1, value, e);
	if (!made)
		return NULL;
	struct val_list l = { 0 };
	for (size_t i = 0; i < list->n; i++)
		val_list_add(&l, there == &list->items[i] ? *made : list->items[i]);
	int bad = there ? 0 : pad(&l, list->n, index, e);
	if (!there)
		val_list_add(&l, *made);
	struct val out = val_list_end(&l, a);
	return bad ? NULL : boxed(a, out);
}

static const struct val *
set(struct arena *a, const struct val *v, const struct step *s, size_t n, const struct val *value, struct err *e)
{
	if (!n)
		return value;
	if (val_is(v, VAL_LIST))
		return set_in_list(a, v, s, n, value, e);
	if (!val_is(v, VAL_MAP)) { /* nothing there, or a scalar in the way: there, and only there, -1 is a name */
		if (!is_append(s))
			return build(a, s, n, value, e);
		const struct val *made = build(a, s + 1, n - 1, value, e);
		return made ? val_set(a, NULL, s->key, made) : NULL;
	}
	const struct val *child = val_get(v, s->key);
	const struct val *made = child ? set(a, child, s + 1, n - 1, value, e) : build(a, s + 1, n - 1, value, e);
	return made ? val_set(a, v, s->key, made) : NULL;
}

struct place {
	size_t at, n;
};

static int
last_first(const void *x, const void *y)
{
	const struct place *a = x, *b = y;
	return a->at < b->at ? 1 : a->at > b->at ? -1 : 0;
}

/* Where in the text the answer's values lie. False: the answer was computed and lies nowhere. */
static bool
places(struct arena *a, const struct gjson *g, struct place **out, size_t *n)
{
	if (!g->places_n) {
		*out = ARENA_NEW(a, struct place);
		**out = (struct place){ g->at, g->raw.n };
		*n = 1;
		return g->at != 0;
	}
	*out = ARENA_ARRAY(a, struct place, g->places_n);
	*n = 0;
	for (; *n < g->places_n; ++*n) {
		struct gjson item;
		if (!g->places[*n] || !gjson_get(a, g->raw, arena_fmt(a, "%zu", *n), &item))
			return false;
		(*out)[*n] = (struct place){ g->places[*n], item.raw.n };
	}
	qsort(*out, *n, sizeof **out, last_first);
	return true;
}

/* A path with patterns: found in the JSON text, replaced there, read back. */
static const struct val *
set_matches(struct arena *a, const struct val *root, str path, const struct val *value, struct err *e)
{
	struct val *out = ARENA_NEW(a, struct val);
	if (!root)
		root = boxed(a, val_null());
	struct gjson g;
	str text = json_write(a, root);
	if (!gjson_get(a, text, path, &g) && g.limited) {
		err_set(e, ERR_LIMIT, "path %.*s takes too much work", STR_ARG(path));
		return NULL;
	}
	struct place *at;
	size_t n;
	if (!gjson_exists(&g) || !places(a, &g, &at, &n))
		return root;
	str new = json_write(a, value);
	for (size_t i = 0; i < n; i++) {
		str tail = str_slice(text, at[i].at + at[i].n, text.n);
		text = arena_fmt(a, "%.*s%.*s%.*s", (int)at[i].at, text.p, STR_ARG(new), STR_ARG(tail));
	}
	if (json_read(a, text, out, e) < 0) {
		err_wrap(e, "setting %.*s", STR_ARG(path));
		return NULL;
	}
	return out;
}

const struct val *
sjson_set(struct arena *a, const struct val *root, str path, const struct val *value, struct err *e)
{
	if (!path.n) {
		err_set(e, ERR_INVALID, "a path must not be empty");
		return NULL;
	}
	struct steps steps = { .n = 0 };
	switch (split(a, path, &steps, e)) {
	case 1: return set(a, root, steps.p, steps.n, value, e);
	case 0: return set_matches(a, root, path, value, e);
	default: return NULL;
	}
}
