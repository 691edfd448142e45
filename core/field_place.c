/* SPDX-License-Identifier: Apache-2.0 */
/*
 * field_place: where the decoder is (the path in messages), and findings about that place or a part of it.
 */
#include "core/field_kinds.h"

size_t
field_enter_name(struct decode *c, str name)
{
	size_t before = c->path.n;
	if (str_find_char(name, '.', 0) != SIZE_MAX) {
		buf_addf(&c->path, "[\"%.*s\"]", STR_ARG(name));
		return before;
	}
	/* Once for each field that is read: not worth a format. */
	if (before)
		buf_addc(&c->path, '.');
	buf_add(&c->path, name);
	return before;
}

size_t
field_enter_index(struct decode *c, size_t i)
{
	size_t before = c->path.n;
	buf_addf(&c->path, "[%zu]", i);
	return before;
}

void
field_leave(struct decode *c, size_t before)
{
	c->path.n = before;
	c->path.p[before] = 0;
}

struct diag *
field_wrong(struct decode *c, const struct val *at, const char *fmt, ...)
{
	char text[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return diag_add(c->diags, DIAG_ERROR, at, buf_str(&c->path), "%s", text);
}

/* What is written, short enough for a message. */
str
field_excerpt(const struct val *v)
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

struct diag *
field_wrong_type(struct decode *c, const struct field *f, const struct val *v)
{
	str text = field_excerpt(v);
	if (v->kind == VAL_STR && !(v->flags & VAL_PLAIN && val_resolve(v).kind != VAL_STR))
		return field_wrong(c, v, "expected %s, not the string \"%.*s\"", field_types[f->kind].expected,
			STR_ARG(text));
	return field_wrong(c, v, "expected %s, not %s", field_types[f->kind].expected, val_kind_name(v));
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
		size_t before = field_enter_index(c, i);
		if (add_path_to(c, &from->items[i], to))
			return true;
		field_leave(c, before);
	}
	for (uint32_t i = 0; from->kind == VAL_MAP && i < from->n; i++) {
		const struct member *m = &from->members[i];
		size_t before = field_enter_name(c, val_key(m));
		if (&m->key == to || add_path_to(c, &m->value, to))
			return true;
		field_leave(c, before);
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
		field_enter_name(c, name);
		if (!m)
			break;
		in = &m->value;
		/* what a block holds begins a line too late */
		at = in->kind == VAL_LIST || in->kind == VAL_MAP ? &m->key : in;
	}
	bool again = level == DIAG_ERROR && at && has_error(c->diags, at, buf_str(&c->path));
	struct diag *d = again ? &c->diags->overflow : diag_add(c->diags, level, at, buf_str(&c->path), "%s", text);
	if (c->path.p)
		field_leave(c, before);
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
