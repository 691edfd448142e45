/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tags: see tags.h. A text is read once from left to right into a buffer, with a stack of the tags that are open: a tag
 * inside a tag ({{a.{{b}}}}) closes first, and its value becomes part of the outer name, as Argo has it after two
 * passes. What is never closed stays as it is.
 */
#include "engine/run/tags.h"

enum { NESTING_MAX = 64 }; /* beyond, two braces are text */

const char *const tags_strict_all[] = { "", NULL };

static bool
must_be_found(const struct tag_scope *s, str name)
{
	/* Artifacts may be optional: whoever resolves them says whether one is missing. */
	bool stays = (s->strict != tags_strict_all || s->artifacts_stay) && str_find(name, S("puts.artifacts."), 0) != SIZE_MAX;
	for (size_t i = 0; s->strict && s->strict[i]; i++) {
		str prefix = str_c(s->strict[i]);
		bool whole = name.n + 1 == prefix.n && str_starts(prefix, name);
		if (whole || (str_starts(name, prefix) && !stays))
			return true;
	}
	return false;
}

static bool
at(str text, size_t i, char c)
{
	return i + 1 < text.n && text.p[i] == c && text.p[i + 1] == c;
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

struct put {
	struct arena *arena;
	struct tag_scope *scope;
	struct err *err;
	bool changed;
	str absent; /* the first tag of this string that has no value; .p == NULL: all have one */
};

/* The value may be put where `open` is: not more than a text may hold. */
static int
put_in(struct put *p, struct buf *out, size_t open, str name, str value)
{
	p->changed = true;
	p->scope->put_tags |= tags_in(value);
	if (open + value.n > TAGS_TEXT_MAX)
		return err_set(p->err, ERR_LIMIT, "{{%.*s}}: the text grows beyond %d MiB", STR_ARG(str_slice(name, 0, 200)),
			TAGS_TEXT_MAX >> 20);
	out->n = open;
	buf_add(out, value);
	return 0;
}

static int
refuse_absent(struct put *p, str name)
{
	return err_set(p->err, ERR_INVALID,
		"unable to substitute {{%.*s}}: output is an absent optional (its step was skipped and it has no default)",
		STR_ARG(name));
}

/* The tag that began at `open` in the buffer has its name complete: puts its value there, or closes it as it was
 * written. */
static int
close_tag(struct put *p, struct buf *out, size_t open)
{
	str value, name = str_trim(str_slice(buf_str(out), open + 2, out->n));
	switch (p->scope->look(p->scope->arg, name, p->arena, &value)) {
	case TAG_FOUND:
		return put_in(p, out, open, name, value);
	case TAG_ABSENT:
		if (!p->scope->absent_is_null)
			return refuse_absent(p, name);
		if (!p->absent.p)
			p->absent = arena_dup(p->arena, name);
		break;
	case TAG_MISSING:
		if (must_be_found(p->scope, name))
			return err_set(p->err, ERR_NOT_FOUND, "failed to resolve {{%.*s}}", STR_ARG(name));
		break;
	}
	buf_add(out, S("}}"));
	return 0;
}

/* The expression tag at `i`, to the first "}}" as Argo has it. Inside of another tag it is text. */
static int
put_expression(struct put *p, str text, size_t *i, bool inside, struct buf *out)
{
	size_t from = *i, close = str_find(text, S("}}"), from);
	struct tag_scope *s = p->scope;
	*i = close == SIZE_MAX ? text.n : close + 2;
	if (close != SIZE_MAX && !inside && s->expression) {
		enum tag_found found;
		str value, expression = str_slice(text, from + 3, close);
		if (s->expression(s->arg, expression, s->strict, p->arena, &found, &value, p->err))
			return -1;
		if (found == TAG_FOUND)
			return put_in(p, out, out->n, str_slice(text, from + 2, close), value);
	}
	buf_add(out, str_slice(text, from, *i));
	return 0;
}

static int
put_text(struct put *p, str text, str *out)
{
	*out = text;
	size_t i = str_find(text, S("{{"), 0), open[NESTING_MAX], depth = 0;
	if (i == SIZE_MAX)
		return 0;
	struct buf b CLEANUP(free_buf) = { 0 };
	buf_add(&b, str_slice(text, 0, i));
	while (i < text.n) {
		if (at(text, i, '{') && i + 2 < text.n && text.p[i + 2] == '=') {
			if (put_expression(p, text, &i, depth > 0, &b))
				return -1;
		} else if (at(text, i, '{') && depth < NESTING_MAX) {
			open[depth++] = b.n;
			buf_add(&b, S("{{"));
			i += 2;
		} else if (at(text, i, '}') && depth) {
			if (close_tag(p, &b, open[--depth]))
				return -1;
			i += 2;
		} else {
			size_t from = i++;
			while (i < text.n && text.p[i] != '{' && text.p[i] != '}')
				i++;
			buf_add(&b, str_slice(text, from, i));
		}
	}
	if (p->changed)
		*out = arena_dup(p->arena, buf_str(&b));
	return 0;
}

int
tags_put_text(struct arena *a, str text, struct tag_scope *s, str *out, struct err *e)
{
	struct put p = { .arena = a, .scope = s, .err = e };
	return put_text(&p, text, out);
}

/* ---- values ---------------------------------------------------------------------------------------------------- */

static bool
is_one_tag(str text)
{
	text = str_trim(text);
	return str_starts(text, S("{{")) && str_find(text, S("}}"), 0) == text.n - 2;
}

static int
put_string(struct put *p, const struct val *v, struct val *out)
{
	str text = val_text(v), put;
	p->changed = false;
	p->absent = STR_NONE;
	if (put_text(p, text, &put))
		return -1;
	if (p->absent.p) {
		if (!is_one_tag(text))
			return refuse_absent(p, p->absent);
		*out = val_null();
		out->line = v->line;
		out->col = v->col;
		p->changed = true;
		return 0;
	}
	if (!p->changed)
		return 0;
	/* Once text was put in it is a string, whatever it looks like: Argo's JSON has quotes around it. */
	*out = val_str(put);
	out->line = v->line;
	out->col = v->col;
	return 0;
}

static const struct val *put_value(struct put *p, const struct val *v);

static const struct val *
put_list(struct put *p, const struct val *v)
{
	struct val *items = NULL;
	uint8_t flags = 0;
	for (uint32_t i = 0; i < v->n; i++) {
		const struct val *was = &v->items[i], *is = put_value(p, was);
		if (!is)
			return NULL;
		if (is != was && !items) {
			items = ARENA_ARRAY(p->arena, struct val, v->n);
			memcpy(items, v->items, v->n * sizeof *items);
		}
		if (is != was)
			items[i] = *is;
		flags |= is->flags & VAL_TAGGED;
	}
	if (!items)
		return v;
	struct val *out = ARENA_NEW(p->arena, struct val);
	*out = *v;
	out->items = items;
	out->flags = (uint8_t)((v->flags & ~VAL_TAGGED) | flags);
	return out;
}

static const struct val *
put_map(struct put *p, const struct val *v)
{
	struct member *members = NULL;
	uint8_t flags = 0;
	for (uint32_t i = 0; i < v->n; i++) {
		const struct member *was = &v->members[i];
		const struct val *key = put_value(p, &was->key);
		const struct val *value = key ? put_value(p, &was->value) : NULL;
		if (!value)
			return NULL;
		if ((key != &was->key || value != &was->value) && !members) {
			members = ARENA_ARRAY(p->arena, struct member, v->n);
			memcpy(members, v->members, v->n * sizeof *members);
		}
		if (members)
			members[i] = (struct member){ *key, *value };
		flags |= (key->flags | value->flags) & VAL_TAGGED;
	}
	if (!members)
		return v;
	struct val *out = ARENA_NEW(p->arena, struct val);
	*out = *v;
	out->members = members;
	out->flags = (uint8_t)((v->flags & ~VAL_TAGGED) | flags);
	return out;
}

static const struct val *
put_value(struct put *p, const struct val *v)
{
	if (!(v->flags & VAL_TAGGED))
		return v;
	if (v->kind == VAL_LIST)
		return put_list(p, v);
	if (v->kind == VAL_MAP)
		return put_map(p, v);
	if (v->kind != VAL_STR)
		return v;
	struct val put;
	if (put_string(p, v, &put))
		return NULL;
	if (!p->changed)
		return v;
	struct val *out = ARENA_NEW(p->arena, struct val);
	*out = put;
	return out;
}

const struct val *
tags_put(struct arena *a, const struct val *v, struct tag_scope *s, struct err *e)
{
	struct put p = { .arena = a, .scope = s, .err = e };
	return put_value(&p, v);
}

/* ---- looking --------------------------------------------------------------------------------------------------- */

static bool
each_in_text(str text, bool (*fn)(void *arg, str name), void *arg)
{
	for (size_t close = str_find(text, S("}}"), 0), from = 0; close != SIZE_MAX;
		close = str_find(text, S("}}"), from)) {
		str before = str_slice(text, from, close);
		size_t open = SIZE_MAX;
		for (size_t k = str_find(before, S("{{"), 0); k != SIZE_MAX; k = str_find(before, S("{{"), k + 2))
			open = k;
		if (open != SIZE_MAX) {
			str name = str_slice(before, open + 2, before.n);
			if (!str_starts(name, S("=")) && !fn(arg, str_trim(name)))
				return false;
		}
		from = close + 2;
	}
	return true;
}

bool
tags_each(const struct val *v, bool (*fn)(void *arg, str name), void *arg)
{
	if (!v || !(v->flags & VAL_TAGGED))
		return true;
	if (v->kind == VAL_STR)
		return each_in_text(val_text(v), fn, arg);
	for (uint32_t i = 0; v->kind == VAL_LIST && i < v->n; i++)
		if (!tags_each(&v->items[i], fn, arg))
			return false;
	for (uint32_t i = 0; v->kind == VAL_MAP && i < v->n; i++)
		if (!tags_each(&v->members[i].key, fn, arg) || !tags_each(&v->members[i].value, fn, arg))
			return false;
	return true;
}
