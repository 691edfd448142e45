/* SPDX-License-Identifier: Apache-2.0 */
#include "core/lang/sprig_call.h"

#include "core/lang/sprig.h"

static const struct gofn *
find_random(str name)
{
	for (const struct gofn *f = sprig_random; f->name; f++)
		if (str_eq(name, str_c(f->name)))
			return f;
	return NULL;
}

const struct gofn *
sprig_find(str name)
{
	static const struct gofn *const tables[] = { sprig_strings, sprig_regex, sprig_numbers, sprig_lists, sprig_dicts, sprig_dates,
		sprig_semver, sprig_others };
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		for (const struct gofn *f = tables[i]; f->name; f++)
			if (str_eq(name, str_c(f->name)))
				return f->fn ? f : find_random(name);
	return NULL;
}

/* Go's types are not ours: nothing below the value may look like one any more. */
static bool
has_time(const struct val *v)
{
	if (v->kind == VAL_INT)
		return v->pad == GO_TIME;
	for (uint32_t i = 0; i < v->n && (v->kind == VAL_LIST || v->kind == VAL_MAP); i++)
		if (has_time(v->kind == VAL_LIST ? &v->items[i] : &v->members[i].value))
			return true;
	return false;
}

/* Where a template refuses nil, an expression has the type's zero. */
static void
fill_nil(const struct gofn *f, struct val *args, size_t n)
{
	size_t types = strlen(f->args);
	for (size_t i = 0; i < n && types; i++) {
		char type = f->args[i < types ? i : types - 1];
		if (type == '*')
			type = types > 1 ? f->args[types - 2] : 'a';
		if (args[i].kind != VAL_NULL)
			continue;
		if (type == 's')
			args[i] = val_str(S(""));
		else if (type == 'i')
			args[i] = val_int(0);
		else if (type == 'b')
			args[i] = val_bool(false);
	}
}

int
sprig_call(const struct gofn *f, const struct val *args, size_t n, int64_t now, uint64_t *random, struct arena *a, struct val *out, struct err *e)
{
	struct run r = { .a = a, .e = e, .now = now, .random = random };
	struct val *copy = ARENA_ARRAY(a, struct val, n), result;
	if (n)
		memcpy(copy, args, n * sizeof *copy);
	for (size_t i = 0; i < n; i++)
		copy[i].pad = copy[i].kind == VAL_INT && copy[i].pad == SPRIG_TIME ? GO_TIME : copy[i].pad;
	fill_nil(f, copy, n);
	bool ok = go_call(&r, f, copy, n, &result);
	buf_free(&r.out);
	VEC_FREE(&r.vars);
	if (!ok)
		return -1;
	result = go_plain(&r, &result);
	if (result.kind == VAL_INT && result.pad == GO_TIME) {
		*out = val_int(result.i);
		out->pad = SPRIG_TIME;
		return 0;
	}
	if (has_time(&result))
		return err_set(e, ERR_INVALID, "gives a time, which has no type here");
	*out = result;
	return 0;
}
