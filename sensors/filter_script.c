/* SPDX-License-Identifier: Apache-2.0 */
/*
 * script: Lua over the event's data (events spec 3.3). It passes if the last value it returns is exactly true. The data must be an
 * object; an event without data passes.
 */
#include "core/lang/script.h"
#include "sensors/filter.h"

struct lua_filter {
	struct script *script;
	size_t check;
};

static bool
present(const struct filters *s)
{
	return s->script.n > 0;
}

static int
compile(const struct filters *s, struct checks *checks, void **out, struct err *e)
{
	struct lua_filter *l = ARENA_NEW(checks->arena, struct lua_filter);
	l->check = checks_add(checks, "script", S(""), S(""), "did not return true", val_get(s->src, S("script")));
	*out = l;
	return script_compile(s->script, &l->script, e);
}

static void
free_script(void *compiled)
{
	script_free(((struct lua_filter *)compiled)->script);
}

static enum verdict
failed(struct filtered *f, const struct lua_filter *l, const char *what)
{
	return filter_look(f, l->check, FILTER_ERROR, arena_dup(f->tmp, str_c(what)));
}

static enum verdict
eval(const void *compiled, struct filtered *f)
{
	const struct lua_filter *l = compiled;
	struct err e;
	bool passes;
	if (!f->ev->data.n)
		return filter_look(f, l->check, FILTER_PASS, S("the event has no data"));
	const struct val *data = event_data(f->ev, &e);
	if (!data)
		return failed(f, l, "the event's data is no JSON");
	static const struct val nothing = { .kind = VAL_MAP };
	if (data->kind != VAL_MAP && data->kind != VAL_NULL)
		return failed(f, l, arena_fmt(f->tmp, "the event's data must be an object, not %s", val_kind_name(data)).p);
	if (script_passes(l->script, data->kind == VAL_NULL ? &nothing : data, &passes, &e) < 0)
		return failed(f, l, e.msg);
	return filter_look(f, l->check, passes ? FILTER_PASS : FILTER_MISS, S(""));
}

const struct filter_ops filter_script = { .kind = "script", .present = present, .compile = compile, .eval = eval, .free = free_script };
