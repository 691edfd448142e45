/* SPDX-License-Identifier: Apache-2.0 */
#include "core/json_patch.h"

enum { NODES_MAX = 100000 /* values in the result */ };

enum edit { EDIT_ADD, EDIT_REPLACE, EDIT_REMOVE };

/* ---- pointers ------------------------------------------------------------------------------------------------------------- */

/* ~1 is a slash and ~0 a tilde; false where a tilde stands alone. */
static bool
unescape(str token, struct buf *out)
{
	for (size_t i = 0; i < token.n; i++) {
		char c = token.p[i];
		if (c == '~' && (i + 1 == token.n || (token.p[i + 1] != '0' && token.p[i + 1] != '1')))
			return false;
		if (c == '~')
			c = token.p[++i] == '0' ? '~' : '/';
		buf_addc(out, c);
	}
	return true;
}

/* Cuts the next token off a pointer that begins with a slash; false if it is none. */
static bool
next_token(str *pointer, struct buf *token)
{
	if (!str_starts(*pointer, S("/")))
		return false;
	size_t end = str_find_char(*pointer, '/', 1);
	str text = str_slice(*pointer, 1, end);
	*pointer = end == SIZE_MAX ? S("") : str_slice(*pointer, end, pointer->n);
	token->n = 0;
	return unescape(text, token);
}

/* Digits without a zero in front; SIZE_MAX if it is anything else, or beyond `max`. */
static size_t
index_of(str token, size_t max)
{
	size_t i = 0;
	if (!token.n || token.n > 9 || (token.n > 1 && token.p[0] == '0'))
		return SIZE_MAX;
	for (size_t k = 0; k < token.n; k++) {
		if (token.p[k] < '0' || token.p[k] > '9')
			return SIZE_MAX;
		i = i * 10 + (size_t)(token.p[k] - '0');
	}
	return i <= max ? i : SIZE_MAX;
}

static const struct val *
child(const struct val *v, str token)
{
	if (val_is(v, VAL_MAP))
		return val_get(v, token);
	return val_is(v, VAL_LIST) && v->n ? val_at(v, index_of(token, v->n - 1)) : NULL;
}

const struct val *
json_pointer(const struct val *doc, str pointer)
{
	struct buf token CLEANUP(free_buf) = { 0 };
	while (doc && pointer.n)
		doc = next_token(&pointer, &token) ? child(doc, buf_str(&token)) : NULL;
	return doc;
}

/* ---- edits ---------------------------------------------------------------------------------------------------------------- */

static const struct val *
edit_map(struct arena *a, const struct val *map, enum edit how, str name, const struct val *value)
{
	if (how != EDIT_ADD && !val_get(map, name))
		return NULL;
	return how == EDIT_REMOVE ? val_unset(a, map, name) : val_set(a, map, name, value);
}

static const struct val *
edit_list(struct arena *a, const struct val *list, enum edit how, str token, const struct val *value)
{
	size_t at = how == EDIT_ADD && str_eq(token, S("-")) ? list->n : index_of(token, how == EDIT_ADD ? list->n : list->n - 1);
	struct val_list out = { 0 };
	if (at == SIZE_MAX || (how != EDIT_ADD && !list->n))
		return NULL;
	for (size_t i = 0; i <= list->n; i++) {
		if (i == at && how != EDIT_REMOVE)
			val_list_add(&out, *value);
		if (i < list->n && (i != at || how == EDIT_ADD))
			val_list_add(&out, list->items[i]);
	}
	struct val *v = ARENA_NEW(a, struct val);
	*v = val_list_end(&out, a);
	return v;
}

static const struct val *
edit_in(struct arena *a, const struct val *v, enum edit how, str token, const struct val *value)
{
	if (val_is(v, VAL_MAP))
		return edit_map(a, v, how, token, value);
	return val_is(v, VAL_LIST) ? edit_list(a, v, how, token, value) : NULL;
}

/* NULL: the pointer leads nowhere. */
static const struct val *
edit(struct arena *a, const struct val *v, enum edit how, str pointer, const struct val *value)
{
	struct buf token CLEANUP(free_buf) = { 0 };
	if (!pointer.n)
		return how == EDIT_REMOVE ? NULL : value;
	if (!next_token(&pointer, &token))
		return NULL;
	if (!pointer.n)
		return edit_in(a, v, how, buf_str(&token), value);
	const struct val *in = child(v, buf_str(&token));
	const struct val *changed = in ? edit(a, in, how, pointer, value) : NULL;
	return changed ? edit_in(a, v, EDIT_REPLACE, buf_str(&token), changed) : NULL;
}

/* ---- operations ----------------------------------------------------------------------------------------------------------- */

struct operation {
	str op, path, from;
	const struct val *value;
};

static const struct val *
nowhere(str pointer, struct err *e)
{
	err_set(e, ERR_NOT_FOUND, "there is nothing at \"%.*s\"", STR_ARG(str_slice(pointer, 0, 200)));
	return NULL;
}

static const struct val *
place(struct arena *a, const struct val *doc, enum edit how, str path, const struct val *value, struct err *e)
{
	doc = edit(a, doc, how, path, value);
	return doc ? doc : nowhere(path, e);
}

static const struct val *
add(struct arena *a, const struct val *doc, const struct operation *o, struct err *e)
{
	return place(a, doc, EDIT_ADD, o->path, o->value, e);
}

static const struct val *
replace(struct arena *a, const struct val *doc, const struct operation *o, struct err *e)
{
	return place(a, doc, EDIT_REPLACE, o->path, o->value, e);
}

static const struct val *
take_away(struct arena *a, const struct val *doc, const struct operation *o, struct err *e)
{
	return place(a, doc, EDIT_REMOVE, o->path, NULL, e);
}

static const struct val *
copy(struct arena *a, const struct val *doc, const struct operation *o, struct err *e)
{
	const struct val *v = json_pointer(doc, o->from);
	return v ? place(a, doc, EDIT_ADD, o->path, v, e) : nowhere(o->from, e);
}

static const struct val *
move(struct arena *a, const struct val *doc, const struct operation *o, struct err *e)
{
	const struct val *v = json_pointer(doc, o->from);
	if (v && str_eq(o->from, o->path))
		return doc;
	if (str_starts(o->path, o->from) && (o->path.n == o->from.n || o->path.p[o->from.n] == '/')) {
		err_set(e, ERR_INVALID, "\"%.*s\" cannot be moved into itself", STR_ARG(str_slice(o->from, 0, 200)));
		return NULL;
	}
	if (!v || !(doc = place(a, doc, EDIT_REMOVE, o->from, NULL, e)))
		return v ? NULL : nowhere(o->from, e);
	return place(a, doc, EDIT_ADD, o->path, v, e);
}

static const struct val *
test(struct arena *a, const struct val *doc, const struct operation *o, struct err *e)
{
	const struct val *v = json_pointer(doc, o->path);
	if (!v)
		return nowhere(o->path, e);
	if (val_eq(val_resolve_all(a, v), val_resolve_all(a, o->value)))
		return doc;
	err_set(e, ERR_EXISTS, "\"%.*s\" is not what the test wants", STR_ARG(str_slice(o->path, 0, 200)));
	return NULL;
}

static const struct {
	const char *name;
	const struct val *(*apply)(struct arena *a, const struct val *doc, const struct operation *o, struct err *e);
	bool value, from;
} operations[] = {
	{ "add", add, true, false }, { "remove", take_away, false, false }, { "replace", replace, true, false },
	{ "move", move, false, true }, { "copy", copy, false, true }, { "test", test, true, false },
};

static const struct val *
apply(struct arena *a, const struct val *doc, const struct val *in, struct err *e)
{
	struct operation *o = ARENA_NEW(a, struct operation);
	*o = (struct operation){ val_get_str(in, "op"), val_get_str(in, "path"), val_get_str(in, "from"), val_get(in, S("value")) };
	for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
		if (!str_eq(o->op, str_c(operations[i].name)))
			continue;
		if (o->path.p && (o->from.p || !operations[i].from) && (o->value || !operations[i].value))
			return operations[i].apply(a, doc, o, e);
		err_set(e, ERR_INVALID, "%s needs path%s", operations[i].name, operations[i].value ? " and value" : operations[i].from ? " and from" : "");
		return NULL;
	}
	err_set(e, ERR_INVALID, "op must be add, remove, replace, move, copy or test");
	return NULL;
}

/* Copies of copies share their memory, but would be written out. */
static bool
is_within(const struct val *v, size_t *left)
{
	for (uint32_t i = 0; (v->kind == VAL_MAP || v->kind == VAL_LIST) && i < v->n; i++)
		if ((*left)-- == 0 || !is_within(v->kind == VAL_MAP ? &v->members[i].value : &v->items[i], left))
			return false;
	return true;
}

const struct val *
json_patch(struct arena *a, const struct val *doc, const struct val *list, struct err *e)
{
	if (!val_is(list, VAL_LIST)) {
		err_set(e, ERR_INVALID, "a JSON patch must be a list of operations");
		return NULL;
	}
	if (list->n > JSON_PATCH_MAX) {
		err_set(e, ERR_LIMIT, "a JSON patch may have %d operations", JSON_PATCH_MAX);
		return NULL;
	}
	for (uint32_t i = 0; i < list->n && doc; i++) {
		size_t left = NODES_MAX;
		doc = apply(a, doc, &list->items[i], e);
		if (doc && !is_within(doc, &left)) {
			err_set(e, ERR_LIMIT, "the result has more than %d values", NODES_MAX);
			doc = NULL;
		}
		if (!doc)
			(void)err_wrap(e, "operation %u of the JSON patch", i); /* the caller returns it */
	}
	return doc;
}
