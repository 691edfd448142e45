/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/match.h"

enum { EXCERPT_MAX = 300 };

struct matching {
	struct arena *arena;
	struct buf path;
	bool exactly;
	struct mismatch *out;
};

str
val_excerpt(struct arena *a, const struct val *v)
{
	if (!v)
		return S("nothing");
	str s = json_write(a, v);
	return s.n <= EXCERPT_MAX ? s : arena_fmt(a, "%.*s...", EXCERPT_MAX, s.p);
}

static bool
differs(struct matching *m, const struct val *want, const struct val *is)
{
	bool absent = val_resolve(want).kind == VAL_NULL;
	*m->out = (struct mismatch){ want, arena_dup(m->arena, buf_str(&m->path)), val_excerpt(m->arena, absent ? NULL : want),
		                     val_excerpt(m->arena, is) };
	return false;
}

static size_t
enter(struct matching *m, str key)
{
	size_t before = m->path.n;
	buf_addf(&m->path, "%s%.*s", before ? "." : "", STR_ARG(key));
	return before;
}

static bool match(struct matching *m, const struct val *want, const struct val *is);

static bool
match_map(struct matching *m, const struct val *want, const struct val *is)
{
	for (uint32_t i = 0; i < want->n; i++) {
		size_t before = enter(m, val_key(&want->members[i]));
		if (!match(m, &want->members[i].value, val_get(is, val_key(&want->members[i]))))
			return false;
		m->path.n = before;
	}
	for (uint32_t i = 0; m->exactly && i < is->n; i++) {
		const struct member *x = &is->members[i];
		if (val_get(want, val_key(x)))
			continue;
		(void)enter(m, val_key(x));
		struct val *none = ARENA_NEW(m->arena, struct val);
		*none = (struct val){ .kind = VAL_NULL, .line = want->line, .col = want->col };
		return differs(m, none, &x->value);
	}
	return true;
}

static bool
match_list(struct matching *m, const struct val *want, const struct val *is)
{
	for (uint32_t i = 0; i < want->n; i++) {
		size_t before = m->path.n;
		buf_addf(&m->path, "[%u]", i);
		if (!match(m, &want->items[i], &is->items[i]))
			return false;
		m->path.n = before;
	}
	return true;
}

static bool
match(struct matching *m, const struct val *want, const struct val *is)
{
	struct val w = val_resolve(want);
	if (w.kind == VAL_NULL)
		return !is || is->kind == VAL_NULL || differs(m, want, is);
	if (w.kind == VAL_MAP && val_is(is, VAL_MAP))
		return match_map(m, want, is);
	if (w.kind == VAL_LIST && val_is(is, VAL_LIST) && is->n == w.n)
		return match_list(m, want, is);
	struct val got = is ? val_resolve(is) : val_null();
	return (w.kind != VAL_MAP && w.kind != VAL_LIST && is && val_eq(&w, &got)) || differs(m, want, is);
}

bool
val_matches(struct arena *a, const struct val *want, const struct val *is, bool exactly, struct mismatch *out)
{
	struct matching m = { .arena = a, .exactly = exactly, .out = out };
	bool ok = match(&m, want, is);
	buf_free(&m.path);
	return ok;
}

/* ---- what changed ---------------------------------------------------------------------------------------------------------------- */

struct changing {
	struct arena *arena;
	struct buf path;
	void (*fn)(void *arg, str path, const struct val *from, const struct val *to);
	void *arg;
};

static void compare(struct changing *c, const struct val *from, const struct val *to);

static void
compare_member(struct changing *c, str key, const struct val *from, const struct val *to)
{
	size_t before = c->path.n;
	buf_addf(&c->path, "%s%.*s", before ? "." : "", STR_ARG(key));
	compare(c, from, to);
	c->path.n = before;
}

static void
compare_maps(struct changing *c, const struct val *from, const struct val *to)
{
	for (uint32_t i = 0; i < from->n; i++)
		compare_member(c, val_key(&from->members[i]), &from->members[i].value, val_get(to, val_key(&from->members[i])));
	for (uint32_t i = 0; i < to->n; i++)
		if (!val_get(from, val_key(&to->members[i])))
			compare_member(c, val_key(&to->members[i]), NULL, &to->members[i].value);
}

static void
compare_lists(struct changing *c, const struct val *from, const struct val *to)
{
	for (uint32_t i = 0; i < from->n; i++) {
		size_t before = c->path.n;
		buf_addf(&c->path, "[%u]", i);
		compare(c, &from->items[i], &to->items[i]);
		c->path.n = before;
	}
}

static void
compare(struct changing *c, const struct val *from, const struct val *to)
{
	if (val_is(from, VAL_MAP) && val_is(to, VAL_MAP))
		compare_maps(c, from, to);
	else if (val_is(from, VAL_LIST) && val_is(to, VAL_LIST) && from->n == to->n)
		compare_lists(c, from, to);
	else if (!from || !to || !val_eq(from, to))
		c->fn(c->arg, arena_dup(c->arena, buf_str(&c->path)), from, to);
}

void
val_changes(struct arena *a, const struct val *from, const struct val *to,
	void (*fn)(void *arg, str path, const struct val *from, const struct val *to), void *arg)
{
	struct changing c = { .arena = a, .fn = fn, .arg = arg };
	compare(&c, from, to);
	buf_free(&c.path);
}
