/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/filter.h"

#include "core/lang/expr.h"

struct filter {
	struct expr *expr;
};

static int
not_served(const struct expr_call *c UNUSED, const struct val *args UNUSED, size_t n UNUSED, struct val *out UNUSED, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, "not served yet");
}

/* *arg tells that the expression calls something that is known and not served. */
static bool
find_function(void *arg, str name, struct expr_function *out)
{
	if (!str_eq(name, S("jsonpath")))
		return expr_argo_function(name, out);
	*(bool *)arg = true;
	*out = (struct expr_function){ "jsonpath", 2, 2, not_served, NULL };
	return true;
}

int
filter_compile(str expression, struct filter **out, struct err *e)
{
	bool unserved = false;
	struct expr_options o = { .flags = EXPR_V115, .function = find_function, .arg = &unserved };
	struct expr *x;
	if (expr_compile(expression, &o, &x, e) < 0)
		return -1;
	if (unserved) {
		expr_free(x);
		return err_set(e, ERR_UNSUPPORTED, "the function jsonpath is not served yet: write the path as in body.ref");
	}
	struct filter *f = MEM_NEW(struct filter);
	f->expr = x;
	*out = f;
	return 0;
}

void
filter_free(struct filter *f)
{
	if (!f)
		return;
	expr_free(f->expr);
	free(f);
}

/* ---- the environment ------------------------------------------------------------------------------------------ */

static str
with_underscores(struct arena *a, str key)
{
	if (str_find_char(key, '-', 0) == SIZE_MAX)
		return key;
	char *out = arena_alloc(a, key.n + 1, 1);
	for (size_t i = 0; i < key.n; i++)
		out[i] = key.p[i] == '-' ? '_' : key.p[i];
	return (str){ out, key.n };
}

/* `map` with the value put at a.b.c, maps being made on the way. */
static const struct val *
put(struct arena *a, const struct val *map, str path, const struct val *v)
{
	str rest = path, first = str_cut(&rest, '.');
	if (first.n == path.n)
		return val_set(a, map, first, v);
	const struct val *inner = map ? val_get(map, first) : NULL;
	return val_set(a, map, first, put(a, val_is(inner, VAL_MAP) ? inner : NULL, rest, v));
}

/* Most data needs nothing done. */
static const struct val *
environment(struct arena *a, const struct val *data)
{
	bool plain = true;
	for (uint32_t i = 0; i < data->n && plain; i++) {
		str key = val_key(&data->members[i]);
		plain = str_find_char(key, '-', 0) == SIZE_MAX && str_find_char(key, '.', 0) == SIZE_MAX;
	}
	if (plain)
		return data;
	const struct val *env = NULL;
	for (uint32_t i = 0; i < data->n; i++)
		env = put(a, env, with_underscores(a, val_key(&data->members[i])), &data->members[i].value);
	return env;
}

int
filter_passes(const struct filter *f, struct event *ev, struct err *e)
{
	const struct val *data = event_data(ev, e);
	if (!data && e->code == ERR_NONE)
		return err_set(e, ERR_INVALID, "the event has no data");
	if (!data)
		return -1;
	if (data->kind != VAL_MAP)
		return err_set(e, ERR_INVALID, "the event's data is %s, not a map", val_kind_name(data));
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct val result;
	if (expr_eval(f->expr, environment(a, data), a, &result, e) < 0)
		return -1;
	if (result.kind != VAL_BOOL)
		return err_set(e, ERR_INVALID, "the expression gives %s, not true or false", val_kind_name(&result));
	return result.b;
}
