/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evaluate: see evaluate.h. Source of the rules: util/template/expression_template.go and util/expand/expand.go of Argo
 * Workflows (v4.0.7). Argo builds the map of all variables for every tag; here it is put together from the names that
 * the text holds.
 */
#include "engine/run/evaluate.h"

#include "core/map.h"
#include "core/utf8.h"

enum {
	COMPILED_MAX = 512, /* kept by one evaluator: a text that variables were put into may never come again */
	NAMES_MAX = 200000, /* variables that one expression may see */
};

struct compiled {
	str text;
	struct expr *expr;
};
struct evaluator {
	struct map compiled;
	struct arena *scratch;
};

struct evaluator *
evaluator_new(void)
{
	struct evaluator *ev = MEM_NEW(struct evaluator);
	ev->scratch = arena_new();
	return ev;
}

static void
free_compiled(struct compiled *c)
{
	expr_free(c->expr);
	str_disown(c->text);
	free(c);
}

void
evaluator_free(struct evaluator *ev)
{
	if (!ev)
		return;
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&ev->compiled, &i));)
		free_compiled(slot->value);
	map_free(&ev->compiled);
	arena_free(ev->scratch);
	free(ev);
}

/* ---- compiling --------------------------------------------------------------------------------------------------- */

static bool
function_named(void *arg, str name, struct expr_function *out)
{
	(void)arg;
	return expr_argo_function(name, out);
}

static int
compile(str text, struct expr **out, struct err *e)
{
	struct expr_options o = { .function = function_named };
	return expr_compile(text, &o, out, e);
}

int
evaluate_names(str text, void (*fn)(void *arg, const struct expr_name *name), void *arg, struct err *e)
{
	struct expr *x;
	size_t n;
	if (compile(text, &x, e))
		return -1;
	const struct expr_name *names = expr_names(x, &n);
	for (size_t i = 0; i < n; i++)
		fn(arg, &names[i]);
	expr_free(x);
	return 0;
}

static void
pass(void *arg UNUSED, const struct expr_name *name UNUSED)
{
}

int
evaluate_check(str text, struct err *e)
{
	return evaluate_names(text, pass, NULL, e);
}

/* *own: the caller frees it. */
static int
compile_once(struct evaluator *ev, str text, struct expr **out, bool *own, struct err *e)
{
	const struct compiled *known = map_get(&ev->compiled, text);
	*own = false;
	if (known) {
		*out = known->expr;
		return 0;
	}
	if (compile(text, out, e))
		return -1;
	*own = ev->compiled.n >= COMPILED_MAX;
	if (*own)
		return 0;
	struct compiled *c = MEM_NEW(struct compiled);
	char *copy = mem_alloc(text.n + 1);
	memcpy(copy, text.p, text.n);
	c->text = (str){ copy, text.n };
	c->expr = *out;
	map_put(&ev->compiled, c->text, c);
	return 0;
}

/* ---- the environment --------------------------------------------------------------------------------------------- */

struct variable {
	str name;
	struct val value;
};
struct gather {
	struct arena *arena;
	const struct variables *from;
	str under; /* what is looked for */
	bool exists_only, any, limit;
	VEC(struct variable) found;
};

static bool
note(void *to, str name)
{
	struct gather *g = to;
	struct val value;
	enum tag_found got = g->from->look(g->from->arg, name, g->arena, &value);
	if (got == TAG_MISSING)
		return true;
	g->any = true;
	if (g->found.n >= NAMES_MAX) {
		g->limit = true;
		return false;
	}
	if (g->exists_only && name.n > g->under.n) { /* there is a map, but nobody asks for what is in it */
		*VEC_PUSH(&g->found) = (struct variable){ g->under, { .kind = VAL_MAP } };
		return false;
	}
	*VEC_PUSH(&g->found) = (struct variable){ arena_dup(g->arena, name), got == TAG_ABSENT ? val_null() : value };
	return true;
}

static str
joined(struct arena *a, const str *parts, uint32_t n)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			buf_addc(&b, '.');
		buf_add(&b, parts[i]);
	}
	return arena_dup(a, buf_str(&b));
}

/* What there is of one name: its value or the map below it; or else how far its way goes. */
static void
gather_name(struct gather *g, const struct expr_name *name)
{
	uint32_t n = name->n;
	g->any = false;
	do {
		g->under = joined(g->arena, name->parts, n);
		g->exists_only = n < name->n;
		(void)g->from->each(g->from->arg, g->under, note, g);
	} while (!g->any && !g->limit && n-- > 1);
}

/* By name, with the dot before all else: then what is below a name follows it. */
static int
by_path(const void *a, const void *b)
{
	const struct variable *x = a, *y = b;
	size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
	for (size_t i = 0; i < n; i++) {
		int c = x->name.p[i] == '.' ? -1 : (unsigned char)x->name.p[i],
		    d = y->name.p[i] == '.' ? -1 : (unsigned char)y->name.p[i];
		if (c != d)
			return c < d ? -1 : 1;
	}
	return (x->name.n > y->name.n) - (x->name.n < y->name.n);
}

static str
part_at(const struct variable *v, size_t from)
{
	return str_slice(v->name, from, str_find_char(v->name, '.', from));
}

/* Sorted variables as nested maps; `from` is where in their names this level begins. */
static struct val
nested(struct arena *a, const struct variable *v, size_t n, size_t from)
{
	struct val_map m = { 0 };
	for (size_t i = 0, end; i < n; i = end) {
		str key = part_at(&v[i], from);
		for (end = i + 1; end < n && str_eq(part_at(&v[end], from), key);)
			end++;
		size_t below = i; /* the shorter names of the same way are dropped */
		while (below + 1 < end && v[below].name.n == from + key.n)
			below++;
		bool leaf = v[below].name.n == from + key.n;
		val_map_add(&m, key, leaf ? v[below].value : nested(a, v + below, end - below, from + key.n + 1));
	}
	return val_map_end(&m, a);
}

static int
environment(struct expr *x, const struct variables *v, struct arena *a, struct val *env, struct err *e)
{
	size_t n;
	const struct expr_name *names = expr_names(x, &n);
	struct gather g = { .arena = a, .from = v };
	for (size_t i = 0; i < n && !g.limit; i++)
		gather_name(&g, &names[i]);
	if (g.found.n)
		qsort(g.found.p, g.found.n, sizeof *g.found.p, by_path);
	*env = g.limit ? val_null() : nested(a, g.found.p, g.found.n, 0);
	VEC_FREE(&g.found);
	return g.limit ? err_set(e, ERR_LIMIT, "the expression sees more than %d variables", NAMES_MAX) : 0;
}

/* ---- what is missing --------------------------------------------------------------------------------------------- */

static bool
in_env(const struct val *env, str name)
{
	for (str rest = name; env && rest.n;) {
		str part = str_cut(&rest, '.');
		env = val_get(env, part);
	}
	return env;
}

/* The shortest of a name's needed beginnings that is not there; STR_NONE if all are. */
static str
missing_of(const struct expr_name *name, const struct val *env, struct arena *a)
{
	for (uint32_t n = 1; n <= name->needed; n++) {
		str text = joined(a, name->parts, n);
		if (!in_env(env, text))
			return text;
	}
	return STR_NONE;
}

/* A name that is neither a variable nor one of `let` cannot be compiled in Argo. */
static int
check_known(struct expr *x, const struct val *env, struct err *e)
{
	size_t n;
	const struct expr_name *names = expr_names(x, &n);
	for (size_t i = 0; i < n; i++)
		if (names[i].n && names[i].needed && !names[i].bound && !val_get(env, names[i].parts[0]))
			return err_set(e, ERR_INVALID, "unknown name %.*s", STR_ARG(names[i].parts[0]));
	return 0;
}

/* Variables that come to life later: an expression that speaks of one that is not there yet waits for it. */
static bool
is_late(str name)
{
	static const char *const late[] = { "item", "retries", "lastRetry.exitCode", "lastRetry.status",
		"lastRetry.duration", "lastRetry.message", "workflow.status", "workflow.failures" };
	for (size_t i = 0; i < ARRAY_LEN(late); i++)
		if (str_eq(name, str_c(late[i])))
			return true;
	return false;
}

static bool
waits_for_later(struct expr *x, const struct val *env, struct arena *a)
{
	size_t n;
	const struct expr_name *names = expr_names(x, &n);
	for (size_t i = 0; i < n; i++)
		for (uint32_t k = 1; k <= names[i].needed; k++) {
			str name = joined(a, names[i].parts, k);
			if (is_late(name) && !names[i].bound && !in_env(env, name))
				return true;
		}
	return false;
}

static bool
is_demanded(const char *const *strict, str name)
{
	for (size_t i = 0; strict && strict[i]; i++) {
		str prefix = str_c(strict[i]);
		if (str_starts(name, prefix) ||
			(prefix.n == name.n + 1 && str_starts(prefix, name) && prefix.p[name.n] == '.'))
			return true;
	}
	return false;
}

/* Counts what is missing; -1 if something is that must not be. */
static int
check_missing(
	struct expr *x, const struct val *env, const char *const *strict, struct arena *a, size_t *count, struct err *e)
{
	size_t n;
	const struct expr_name *names = expr_names(x, &n);
	*count = 0;
	for (size_t i = 0; i < n; i++) {
		str missing = missing_of(&names[i], env, a);
		*count += missing.p != NULL;
		if (missing.p && !names[i].bound && is_demanded(strict, missing))
			return err_set(
				e, ERR_NOT_FOUND, "failed to evaluate expression: %.*s is missing", STR_ARG(missing));
	}
	return 0;
}

/* ---- evaluating -------------------------------------------------------------------------------------------------- */

static int
evaluate_compiled(
	struct expr *x, const struct val *env, struct expr_moment when, struct arena *a, struct val *out, struct err *e)
{
	if (check_known(x, env, e) || expr_check_types(x, env, e))
		return -1;
	return when.now ? expr_eval_at(x, env, when, a, out, e) : expr_eval(x, env, a, out, e);
}

int
evaluate(struct evaluator *ev, str text, const struct variables *v, struct arena *a, struct val *out, struct err *e)
{
	struct expr *x;
	struct val env, result;
	bool own;
	if (compile_once(ev, text, &x, &own, e))
		return -1;
	int rc = environment(x, v, ev->scratch, &env, e);
	if (!rc)
		rc = evaluate_compiled(x, &env, v->when, ev->scratch, &result, e);
	if (!rc)
		*out = val_copy(a, &result);
	arena_reset(ev->scratch);
	if (own)
		expr_free(x);
	return rc;
}

int
evaluate_bool(struct evaluator *ev, str text, const struct variables *v, bool *out, struct err *e)
{
	struct arena *a = arena_new();
	struct val result;
	int rc = evaluate(ev, text, v, a, &result, e);
	if (rc)
		(void)err_wrap(e, "unable to evaluate expression '%.*s'", STR_ARG(str_slice(text, 0, 200)));
	if (!rc && result.kind != VAL_BOOL) {
		struct buf b CLEANUP(free_buf) = { 0 };
		expr_print(&b, &result);
		rc = err_set(e, ERR_INVALID, "unable to cast expression result '%.*s' to bool",
			STR_ARG(str_slice(buf_str(&b), 0, 100)));
	}
	*out = !rc && result.b;
	arena_free(a);
	return rc;
}

int
evaluate_text(struct evaluator *ev, str text, const struct variables *v, struct arena *a, str *out, struct err *e)
{
	struct val result;
	if (evaluate(ev, text, v, a, &result, e))
		return -1;
	if (result.kind == VAL_NULL)
		return err_set(
			e, ERR_NOT_FOUND, "failed to evaluate expression \"%.*s\"", STR_ARG(str_slice(text, 0, 200)));
	struct buf b CLEANUP(free_buf) = { 0 };
	expr_print(&b, &result);
	*out = arena_dup(a, buf_str(&b));
	return 0;
}

/* ---- tags -------------------------------------------------------------------------------------------------------- */

static int
result_text(const struct val *value, struct arena *a, str *out, struct err *e)
{
	struct val plain = expr_plain(a, value), *result = &plain;
	struct buf b CLEANUP(free_buf) = { 0 };
	if (result->kind == VAL_STR && utf8_valid(val_text(result))) {
		*out = arena_dup(a, val_text(result));
		return 0;
	}
	if (expr_json(&b, result, e))
		return err_wrap(e, "failed to marshal evaluated expression");
	*out = arena_dup(a, buf_str(&b));
	if (result->kind != VAL_STR)
		return 0;
	struct val text; /* with U+FFFD for what is no text */
	if (json_read(a, *out, &text, e))
		return -1;
	*out = val_text(&text);
	return 0;
}

/* Everything after compiling. *allow: what fails now may stay as it is. */
static int
tag_value(struct expr *x, str text, const struct variables *v, const char *const *strict, struct arena *scratch,
	struct arena *a, bool *allow, str *out, struct err *e)
{
	struct val env, result;
	size_t missing;
	*allow = false;
	if (environment(x, v, scratch, &env, e) || check_missing(x, &env, strict, scratch, &missing, e))
		return -1;
	*allow = missing || !strict;
	if (*allow && waits_for_later(x, &env, scratch))
		return err_set(e, ERR_NOT_FOUND, "a variable is not known yet");
	if (evaluate_compiled(x, &env, v->when, scratch, &result, e)) {
		*allow = *allow && e->code != ERR_LIMIT; /* what costs too much now will not get cheaper */
		return err_wrap(e, "failed to evaluate expression");
	}
	if (result.kind == VAL_NULL)
		return err_set(
			e, ERR_INVALID, "failed to evaluate expression \"%.*s\"", STR_ARG(str_slice(text, 0, 200)));
	return result_text(&result, a, out, e);
}

int
evaluate_tag(struct evaluator *ev, str text, const struct variables *v, const char *const *strict, struct arena *a,
	enum tag_found *found, str *out, struct err *e)
{
	struct expr *x;
	bool own, allow = false;
	*found = TAG_MISSING;
	if (compile_once(ev, text, &x, &own, e)) {
		/* To Argo a function that does not exist is a variable that does not, and wrong types come after
		 * missing names. */
		bool stays =
			e->code == ERR_NOT_FOUND ? strict != tags_strict_all : e->code == ERR_UNSUPPORTED && !strict;
		return stays ? 0 : err_wrap(e, "failed to evaluate expression");
	}
	int rc = tag_value(x, text, v, strict, ev->scratch, a, &allow, out, e);
	arena_reset(ev->scratch);
	if (own)
		expr_free(x);
	if (!rc)
		*found = TAG_FOUND;
	return rc && !allow ? -1 : 0;
}

/* ---- variables of a map ------------------------------------------------------------------------------------------ */

static bool
map_each(void *arg, str under, bool (*fn)(void *to, str name), void *to)
{
	const struct val *map = arg;
	for (uint32_t i = 0; val_is(map, VAL_MAP) && i < map->n; i++) {
		str name = val_key(&map->members[i]);
		bool below = !under.n || (str_starts(name, under) && (name.n == under.n || name.p[under.n] == '.'));
		if (below && !fn(to, name))
			return false;
	}
	return true;
}

static enum tag_found
map_look(void *arg, str name, struct arena *a, struct val *out)
{
	const struct val *v = val_get(arg, name);
	(void)a;
	if (v)
		*out = *v;
	return !v ? TAG_MISSING : v->kind == VAL_NULL ? TAG_ABSENT : TAG_FOUND;
}

struct variables
evaluate_map(const struct val *map)
{
	return (struct variables){ .each = map_each, .look = map_look, .arg = (void *)(uintptr_t)map };
}
