/* SPDX-License-Identifier: Apache-2.0 */
/* Applying a JSONPath: see jsonpath.h. Source: the files of token/ in github.com/evilmonkeyinc/jsonpath v0.8.1. */
#include "core/lang/jsonpath_impl.h"

#include <math.h>

int
jp_fail(struct jp *p, const char *fmt, ...)
{
	if (p->fatal)
		return -1;
	char msg[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof msg, fmt, ap);
	va_end(ap);
	return err_set(p->e, ERR_INVALID, "%s", msg);
}

int
jp_fatal(struct jp *p, enum err_code code, const char *fmt, ...)
{
	if (p->fatal)
		return -1;
	char msg[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof msg, fmt, ap);
	va_end(ap);
	p->fatal = true;
	return err_set(p->e, code, "%s", msg);
}

int
jp_spend(struct jp *p, size_t bytes)
{
	p->steps += 1 + bytes / 64;
	p->bytes += bytes;
	if (p->steps > JSONPATH_STEPS_MAX || p->bytes > JSONPATH_BYTES_MAX)
		return jp_fatal(p, ERR_LIMIT, "a JSONPath takes more than %d steps or %d MiB", JSONPATH_STEPS_MAX,
			JSONPATH_BYTES_MAX >> 20);
	return p->fatal ? -1 : 0;
}

const char *
jp_type(const struct val *v)
{
	static const char *const names[] = { [VAL_NULL] = "nil",
		[VAL_BOOL] = "bool",
		[VAL_INT] = "int64",
		[VAL_FLOAT] = "float64",
		[VAL_NUM] = "float64",
		[VAL_STR] = "string",
		[VAL_LIST] = "slice",
		[VAL_MAP] = "map" };
	return names[v->kind];
}

bool
jp_integer(const struct val *v, int64_t *out)
{
	double f;
	if (v->kind == VAL_INT) {
		*out = v->i;
		return true;
	}
	if ((v->kind != VAL_FLOAT && v->kind != VAL_NUM) || !val_to_double(v, &f) || trunc(f) != f)
		return false;
	*out = fabs(f) < 9.2e18 ? (int64_t)f : INT64_MIN;
	return true;
}

static int
by_key(const void *a, const void *b)
{
	const struct member *const *x = a, *const *y = b;
	str s = val_key(*x), t = val_key(*y);
	int order = s.n && t.n ? memcmp(s.p, t.p, s.n < t.n ? s.n : t.n) : 0;
	if (!order && s.n != t.n)
		return s.n < t.n ? -1 : 1;
	return order ? order : (*x > *y) - (*x < *y);
}

int
jp_members(struct jp *p, const struct val *map, const struct member ***out, size_t *n)
{
	if (jp_spend(p, (map->n + 1) * sizeof **out))
		return -1;
	const struct member **list = ARENA_ARRAY(p->arena, const struct member *, map->n + 1);
	for (uint32_t i = 0; i < map->n; i++)
		list[i] = &map->members[i];
	qsort(list, map->n, sizeof *list, by_key);
	*n = 0;
	for (uint32_t i = 0; i < map->n; i++)
		if (i + 1 == map->n || !str_eq(val_key(list[i]), val_key(list[i + 1])))
			list[(*n)++] = list[i];
	*out = list;
	return 0;
}

static int
wrong_target(struct jp *p, const char *what, const struct val *v, const char *expected)
{
	return jp_fail(p, "%s: invalid token target. expected [%s] got [%s]", what, expected, jp_type(v));
}

/* ---- results ---------------------------------------------------------------------------------------------------- */

typedef VEC(struct val) results;

static int
give(struct jp *p, results *r, struct val *out)
{
	int rc = jp_spend(p, r->n * sizeof *r->p);
	struct val *items = ARENA_ARRAY(p->arena, struct val, rc ? 0 : r->n);
	if (!rc && r->n)
		memcpy(items, r->p, r->n * sizeof *items);
	*out = (struct val){ .kind = VAL_LIST, .items = items, .n = rc ? 0 : (uint32_t)r->n };
	VEC_FREE(r);
	return rc;
}

/* Elements of a map (by key) or a list; -1 if it is neither. */
static int
elements(struct jp *p, const char *what, const struct val *v, results *out)
{
	const struct member **members;
	size_t n;
	if (v->kind != VAL_MAP && v->kind != VAL_LIST)
		return wrong_target(p, what, v, "array map slice");
	if (jp_spend(p, v->n * sizeof *v))
		return -1;
	for (uint32_t i = 0; v->kind == VAL_LIST && i < v->n; i++)
		*VEC_PUSH(out) = v->items[i];
	if (v->kind == VAL_MAP && jp_members(p, v, &members, &n))
		return -1;
	for (size_t i = 0; v->kind == VAL_MAP && i < n; i++)
		*VEC_PUSH(out) = members[i]->value;
	return 0;
}

static const struct jp_path *
rest(const struct jp_path *path, struct jp_path *out)
{
	*out = (struct jp_path){ path->tokens + 1, path->n - 1 };
	return out;
}

static int
go_on(struct jp *p, const struct jp_path *next, const struct val *root, const struct val *current, struct val *out)
{
	if (next->n)
		return jp_apply(p, next, root, current, out);
	*out = *current;
	return 0;
}

/* Every element goes on by itself; those that lead nowhere are left out. */
static int
go_on_each(struct jp *p, const struct jp_path *next, const struct val *root, results *list, struct val *out)
{
	results kept = { 0 };
	for (size_t i = 0; i < list->n && !p->fatal; i++) {
		struct val v;
		if (!next->n)
			*VEC_PUSH(&kept) = list->p[i];
		else if (!jp_apply(p, next, root, &list->p[i], &v) && v.kind != VAL_NULL)
			*VEC_PUSH(&kept) = v;
	}
	VEC_FREE(list);
	int rc = give(p, &kept, out);
	return p->fatal ? -1 : rc;
}

/* The same, but an index behind means the list itself. */
static int
go_on_list(struct jp *p, const struct jp_path *next, const struct val *root, results *list, struct val *out)
{
	struct val whole;
	if (!next->n || next->tokens[0].kind != JP_INDEX)
		return go_on_each(p, next, root, list, out);
	if (give(p, list, &whole))
		return -1;
	return jp_apply(p, next, root, &whole, out);
}

/* ---- tokens ----------------------------------------------------------------------------------------------------- */

static int
apply_key(struct jp *p, str key, const struct jp_path *next, const struct val *root, const struct val *current,
	struct val *out)
{
	if (current->kind != VAL_MAP)
		return wrong_target(p, "key", current, "map");
	const struct val *v = val_get(current, key);
	if (!v)
		return jp_fail(p, "key: invalid token key '%.*s' not found", STR_ARG(key));
	return go_on(p, next, root, v, out);
}

static int
apply_index(struct jp *p, int64_t i, const struct jp_path *next, const struct val *root, const struct val *current,
	struct val *out)
{
	if (current->kind != VAL_LIST)
		return wrong_target(p, "index", current, "array slice");
	if (i < 0)
		i += current->n;
	if (i < 0 || i >= current->n)
		return jp_fail(p, "index: invalid token out of range");
	return go_on(p, next, root, &current->items[i], out);
}

static int
apply_length(
	struct jp *p, const struct jp_path *next, const struct val *root, const struct val *current, struct val *out)
{
	if (current->kind != VAL_MAP && current->kind != VAL_LIST && current->kind != VAL_STR)
		return wrong_target(p, "length", current, "array map slice string");
	size_t n = current->n;
	const struct member **members;
	if (current->kind == VAL_MAP && jp_members(p, current, &members, &n))
		return -1;
	struct val length = val_int((int64_t)n);
	const struct val *own = current->kind == VAL_MAP ? val_get(current, S("length")) : NULL;
	return go_on(p, next, root, own ? own : &length, out);
}

static int
apply_wildcard(
	struct jp *p, const struct jp_path *next, const struct val *root, const struct val *current, struct val *out)
{
	results list = { 0 };
	if (elements(p, "wildcard", current, &list)) {
		VEC_FREE(&list);
		return -1;
	}
	return go_on_each(p, next, root, &list, out);
}

/* Depth is that of the data, which its reader bounds. */
static int
descend(struct jp *p, const struct jp_path *next, const struct val *root, const struct val *current, results *out)
{
	struct val v;
	results below = { 0 };
	if (jp_spend(p, 0))
		return -1;
	if (current->kind == VAL_NULL)
		return 0;
	if (!next->n) {
		*VEC_PUSH(out) = *current;
	} else if (!jp_apply(p, next, root, current, &v) && v.kind != VAL_NULL) {
		for (uint32_t i = 0; v.kind == VAL_LIST && i < v.n; i++)
			*VEC_PUSH(out) = v.items[i];
		if (v.kind != VAL_LIST)
			*VEC_PUSH(out) = v;
	}
	bool container = current->kind == VAL_LIST || current->kind == VAL_MAP;
	int rc = jp_spend(p, out->n > JSONPATH_BYTES_MAX / sizeof v ? JSONPATH_BYTES_MAX : 0);
	if (container && !rc)
		rc = elements(p, "recursive", current, &below);
	for (size_t i = 0; i < below.n && !rc && !p->fatal; i++)
		rc = descend(p, next, root, &below.p[i], out);
	VEC_FREE(&below);
	return p->fatal ? -1 : rc;
}

static int
apply_recursive(
	struct jp *p, const struct jp_path *next, const struct val *root, const struct val *current, struct val *out)
{
	results list = { 0 };
	int rc = descend(p, next, root, current, &list);
	int given = give(p, &list, out);
	return rc ? rc : given;
}

/* ---- unions and ranges --------------------------------------------------------------------------------------------
 */

static int
argument(struct jp *p, const char *what, const struct jp_arg *a, const struct val *root, const struct val *current,
	struct val *out)
{
	if (a->kind == JP_EXPRESSION) {
		if (jp_script_evaluate(p, a->script, root, current, out))
			return jp_fail(p, "%s: invalid token invalid expression. %s", what, p->e->msg);
		return 0;
	}
	*out = a->kind == JP_INT ? val_int(a->i) : a->kind == JP_STR ? val_str(a->text) : val_null();
	return 0;
}

static int
union_element(struct jp *p, const struct val *arg, const struct val *current, bool keys, results *out)
{
	int64_t i = 0;
	if (keys) {
		const struct val *v = val_get(current, val_text(arg));
		if (v)
			*VEC_PUSH(out) = *v;
		return 0;
	}
	(void)p;
	(void)jp_integer(arg, &i);
	if (i < 0)
		i += current->n;
	if (i >= 0 && i < current->n)
		*VEC_PUSH(out) = current->items[i];
	return 0;
}

static int
apply_union(struct jp *p, const struct jp_token *t, const struct jp_path *next, const struct val *root,
	const struct val *current, struct val *out)
{
	struct val *list = ARENA_ARRAY(p->arena, struct val, t->args_n);
	bool keys = false, indices = false;
	int64_t ignored;
	for (size_t i = 0; i < t->args_n; i++) {
		if (argument(p, "union", &t->args[i], root, current, &list[i]))
			return -1;
		keys |= list[i].kind == VAL_STR;
		indices |= list[i].kind != VAL_STR && jp_integer(&list[i], &ignored);
		if (list[i].kind != VAL_STR && !jp_integer(&list[i], &ignored))
			return jp_fail(
				p, "union: invalid token argument. expected [int string] got [%s]", jp_type(&list[i]));
		if (keys && indices)
			return jp_fail(p, "union: invalid token argument. expected [%s] got [%s]",
				list[i].kind == VAL_STR ? "int" : "string", list[i].kind == VAL_STR ? "string" : "int");
	}
	if (keys ? current->kind != VAL_MAP : current->kind != VAL_LIST)
		return wrong_target(p, "union", current, keys ? "map" : "array slice");
	results picked = { 0 };
	for (size_t i = 0; i < t->args_n; i++)
		(void)union_element(p, &list[i], current, keys, &picked);
	return go_on_list(p, next, root, &picked, out);
}

static int
bound(struct jp *p, const struct jp_arg *a, const struct val *root, const struct val *current, int64_t otherwise,
	int64_t *out)
{
	struct val v;
	*out = otherwise;
	if (a->kind == JP_NIL)
		return 0;
	if (argument(p, "range", a, root, current, &v))
		return -1;
	if (!jp_integer(&v, out))
		return jp_fail(
			p, "range: invalid token unexpected expression result. expected [int] got [%s]", jp_type(&v));
	return 0;
}

static int64_t
clip(int64_t i, int64_t length)
{
	if (i < 0)
		i = i < -length ? 0 : i + length;
	return i > length ? length : i;
}

static int
apply_range(struct jp *p, const struct jp_token *t, const struct jp_path *next, const struct val *root,
	const struct val *current, struct val *out)
{
	static const struct jp_arg nil = { .kind = JP_NIL };
	int64_t from, to, step, length = current->n;
	if (current->kind != VAL_LIST)
		return wrong_target(p, "range", current, "array slice");
	if (bound(p, &t->args[0], root, current, 0, &from) || bound(p, &t->args[1], root, current, length, &to) ||
		bound(p, t->args_n > 2 ? &t->args[2] : &nil, root, current, 1, &step))
		return -1;
	if (!step)
		return jp_fail(p, "range: invalid token out of range");
	from = clip(from, length);
	to = clip(to, length);
	results picked = { 0 };
	for (int64_t i = step < 0 ? to - 1 : from; step < 0 ? i >= from : i < to;) {
		*VEC_PUSH(&picked) = current->items[i];
		if (step < 0 ? i < INT64_MIN - step : i > INT64_MAX - step)
			break;
		i += step;
	}
	return go_on_list(p, next, root, &picked, out);
}

/* ---- scripts ---------------------------------------------------------------------------------------------------- */

static bool
included(const struct val *v)
{
	double f;
	str t;
	switch (v->kind) {
	case VAL_BOOL:
		return v->b;
	case VAL_LIST:
	case VAL_MAP:
		return v->n;
	case VAL_STR:
		t = val_text(v);
		if (t.n > 1 && (t.p[0] == '\'' || t.p[0] == '"') && t.p[t.n - 1] == t.p[0])
			return t.n > 2;
		return t.n;
	case VAL_NULL:
		return false;
	default:
		return val_to_double(v, &f) ? f != 0 : true;
	}
}

static int
apply_filter(struct jp *p, const struct jp_token *t, const struct jp_path *next, const struct val *root,
	const struct val *current, struct val *out)
{
	results list = { 0 }, kept = { 0 };
	if (!t->key.n)
		return jp_fail(p, "invalid expression. is empty");
	int rc = elements(p, "filter", current, &list);
	for (size_t i = 0; i < list.n && !rc && !p->fatal; i++) {
		struct val v;
		if (!jp_script_evaluate(p, t->script, root, &list.p[i], &v) && included(&v))
			*VEC_PUSH(&kept) = list.p[i];
	}
	VEC_FREE(&list);
	if (rc || p->fatal) {
		VEC_FREE(&kept);
		return -1;
	}
	/* Behind an index the library takes the filtered value for the root. */
	bool index = next->n && next->tokens[0].kind == JP_INDEX;
	return go_on_list(p, next, index ? current : root, &kept, out);
}

static int
apply_script(struct jp *p, const struct jp_token *t, const struct jp_path *next, const struct val *root,
	const struct val *current, struct val *out)
{
	struct val v;
	int64_t i;
	if (jp_script_evaluate(p, t->script, root, current, &v))
		return jp_fail(p, "invalid expression. %s", p->e->msg);
	if (v.kind == VAL_STR)
		return apply_key(p, val_text(&v), next, root, current, out);
	if (jp_integer(&v, &i))
		return apply_index(p, i, next, root, current, out);
	return jp_fail(p, "unexpected expression result. expected [int string] got [%s]", jp_type(&v));
}

static int
apply_one(struct jp *p, const struct jp_token *t, const struct jp_path *next, const struct val *root,
	const struct val *current, struct val *out)
{
	switch (t->kind) {
	case JP_ROOT:
		return go_on(p, next, root, root, out);
	case JP_CURRENT:
		return go_on(p, next, root, current, out);
	case JP_WILDCARD:
		return apply_wildcard(p, next, root, current, out);
	case JP_RECURSIVE:
		return apply_recursive(p, next, root, current, out);
	case JP_LENGTH:
		return apply_length(p, next, root, current, out);
	case JP_KEY:
		return apply_key(p, t->key, next, root, current, out);
	case JP_INDEX:
		return apply_index(p, t->index, next, root, current, out);
	case JP_UNION:
		return apply_union(p, t, next, root, current, out);
	case JP_RANGE:
		return apply_range(p, t, next, root, current, out);
	case JP_FILTER:
		return apply_filter(p, t, next, root, current, out);
	default:
		return apply_script(p, t, next, root, current, out);
	}
}

int
jp_apply(struct jp *p, const struct jp_path *path, const struct val *root, const struct val *current, struct val *out)
{
	struct jp_path next;
	if (jp_spend(p, 0))
		return -1;
	if (p->depth >= JSONPATH_DEPTH_MAX)
		return jp_fatal(p, ERR_LIMIT, "a JSONPath is nested more than %d deep", JSONPATH_DEPTH_MAX);
	p->depth++;
	int rc = apply_one(p, &path->tokens[0], rest(path, &next), root, current, out);
	p->depth--;
	return rc;
}

int
jsonpath_query(struct arena *a, str path, const struct val *root, struct val *out, struct err *e)
{
	struct jp p = { .arena = a, .e = e, .root = root };
	struct jp_path tokens;
	struct val v;
	if (path.n > JSONPATH_MAX)
		return err_set(e, ERR_LIMIT, "a JSONPath of %zu bytes: must be at most %d", path.n, JSONPATH_MAX);
	if (jp_parse(&p, path, &tokens)) {
		char why[400];
		snprintf(why, sizeof why, "%s", e->msg);
		return p.fatal ? -1
			       : err_set(e, ERR_INVALID, "invalid JSONPath selector '%.*s' %s",
					 STR_ARG(str_slice(path, 0, 200)), why);
	}
	p.depth = 0;
	if (jp_apply(&p, &tokens, root, root, &v))
		return -1;
	*out = v;
	return 0;
}
