/* SPDX-License-Identifier: Apache-2.0 */
#include "sensors/version.h"

/* ---- the outline ---------------------------------------------------------------------------------------------------- */

static void
add_place(struct val_map *m, const struct program *p, const struct val *at, struct arena *a)
{
	val_map_add_str(m, S("place"), manifest_place(a, p->object->file, at));
}

static struct val
dependency_outline(const struct program *p, const struct program_dep *d, struct arena *a)
{
	const struct dependency *s = d->spec;
	struct val_map m = { 0 };
	val_map_add(&m, S("name"), val_str(s->name));
	val_map_add(&m, S("source"), val_str(s->source));
	val_map_add(&m, S("event"), val_str(s->event));
	add_place(&m, p, s->src, a);
	val_map_add_str(&m, S("onError"), s->on_error);
	val_map_add_str(&m, S("problem"), d->problem);
	if (d->filters.any)
		val_map_add(&m, S("any"), val_bool(true));
	if (d->transform.spec)
		val_map_add(&m, S("transform"), val_str(d->transform.spec->jq.n ? S("jq") : S("script")));
	val_map_add(&m, S("firstCheck"), val_int((int64_t)d->first_check));
	val_map_add(&m, S("checks"), val_int((int64_t)d->checks_n));
	return val_map_end(&m, a);
}

/* A member of the trigger's manifest as it is written, with where that is. */
static void
add_member(struct val_map *m, const struct program *p, const struct val *of, const char *name, struct arena *a)
{
	const struct val *v = val_get(of, str_c(name));
	struct val_map at = { 0 };
	if (!v)
		return;
	val_map_add(&at, S("value"), *v);
	add_place(&at, p, v, a);
	val_map_add(m, str_c(name), val_map_end(&at, a));
}

static struct val
trigger_outline(const struct program *p, const struct program_trigger *t, struct arena *a)
{
	static const char *const of_template[] = { "conditions", "conditionsReset", "join", "joinKey", "joinMax", "within" };
	static const char *const of_trigger[] = { "rateLimit", "batch", "debounce", "retryStrategy", "atLeastOnce", "dlqTrigger", "policy" };
	const struct val *template = t->spec->template ? t->spec->template->src : NULL;
	struct val_map m = { 0 };
	struct val_list uses = { 0 };
	val_map_add(&m, S("name"), val_str(t->name));
	val_map_add_str(&m, S("kind"), t->spec->template && t->spec->template->kind ? str_c(t->spec->template->kind->kind) : STR_NONE);
	add_place(&m, p, template ? template : t->spec->src, a);
	val_map_add_str(&m, S("problem"), t->problem);
	for (size_t i = 0; !t->problem.p && i < p->deps_n; i++)
		if (condition_uses(&t->cond, i))
			val_list_add(&uses, val_str(p->deps[i].spec->name));
	val_map_add(&m, S("uses"), val_list_end(&uses, a));
	if (t->join)
		val_map_add(&m, S("joins"), val_bool(true));
	for (size_t i = 0; i < ARRAY_LEN(of_template); i++)
		add_member(&m, p, template, of_template[i], a);
	for (size_t i = 0; i < ARRAY_LEN(of_trigger); i++)
		add_member(&m, p, t->spec->src, of_trigger[i], a);
	return val_map_end(&m, a);
}

struct val
version_outline(const struct program *p, struct arena *a)
{
	struct val_map m = { 0 };
	struct val_list deps = { 0 }, triggers = { 0 };
	for (size_t i = 0; i < p->deps_n; i++)
		val_list_add(&deps, dependency_outline(p, &p->deps[i], a));
	for (size_t i = 0; i < p->triggers_n; i++)
		val_list_add(&triggers, trigger_outline(p, &p->triggers[i], a));
	val_map_add_str(&m, S("file"), p->object->file);
	add_place(&m, p, p->spec->src, a);
	val_map_add(&m, S("bus"), val_str(p->spec->bus_name.n ? p->spec->bus_name : S("default")));
	val_map_add(&m, S("dependencies"), val_list_end(&deps, a));
	val_map_add(&m, S("triggers"), val_list_end(&triggers, a));
	return val_map_end(&m, a);
}

/* ---- rows ----------------------------------------------------------------------------------------------------------- */

static uint64_t
mix(uint64_t h, str s)
{
	return (h ^ str_fnv64a(s)) * UINT64_C(1099511628211);
}

/* Texts decide, not when or how often it was loaded. */
static int64_t
number_of(const struct program *p, str outline)
{
	uint64_t h = str_fnv64a(outline);
	for (size_t i = 0; i < p->deps_n; i++) {
		for (size_t k = 0; k < p->deps[i].checks_n; k++) {
			const struct check *c = &p->deps[i].checks[k];
			const str texts[] = { str_c(c->kind), c->what, c->want, str_c(c->otherwise), c->place };
			for (size_t x = 0; x < ARRAY_LEN(texts); x++)
				h = mix(h, texts[x]);
		}
	}
	int64_t version = (int64_t)(h >> 1);
	return version ? version : 1;
}

int64_t
version_save(struct rows *r, int64_t sensor, const struct program *p, int64_t now_ns)
{
	struct arena *a = arena_new();
	struct val v = version_outline(p, a);
	str outline = json_write(a, &v);
	int64_t version = number_of(p, outline);
	rows_version(r, sensor, version, now_ns, outline);
	for (size_t i = 0; i < p->deps_n; i++)
		for (size_t k = 0; k < p->deps[i].checks_n; k++)
			rows_check(r, sensor, version, (int64_t)(p->deps[i].first_check + k), &p->deps[i].checks[k]);
	arena_free(a);
	return version;
}
