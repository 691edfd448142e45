/* SPDX-License-Identifier: Apache-2.0 */
#include "sensors/filter.h"

#define FILTER(kind) extern const struct filter_ops filter_##kind;
#include "sensors/filters.def"
#undef FILTER

static const struct filter_ops *const kinds[] = {
#define FILTER(kind) &filter_##kind,
#include "sensors/filters.def"
#undef FILTER
};

static int
compile_part(struct filter_set *s, const struct filter_ops *ops, const struct filters *spec, struct checks *checks, struct err *e)
{
	struct filter_part *p = &s->parts[s->n];
	p->ops = ops;
	if (!ops->compile) {
		str place = manifest_place(checks->arena, checks->file, spec->src);
		return err_set(e, ERR_UNSUPPORTED, "filter %s is not served yet (%.*s)", ops->kind, STR_ARG(place));
	}
	if (ops->compile(spec, checks, &p->compiled, e) < 0)
		return err_wrap(e, "%s filter", ops->kind);
	s->n++;
	return 0;
}

int
filter_set_compile(const struct dependency *dep, struct checks *checks, struct filter_set *out, struct err *e)
{
	*out = (struct filter_set){ .any = str_eq(dep->filters_operator, S("or")), .given = dep->filters };
	out->parts = ARENA_ARRAY(checks->arena, struct filter_part, ARRAY_LEN(kinds));
	for (size_t i = 0; dep->filters && i < ARRAY_LEN(kinds); i++) {
		if (!kinds[i]->present(dep->filters) || compile_part(out, kinds[i], dep->filters, checks, e) == 0)
			continue;
		filter_set_free(out);
		return -1;
	}
	if (out->given && out->any && !out->n)
		out->none = checks_add(checks, "or", S(""), S(""), "no filter is given, and one of them must pass", dep->filters->src);
	return 0;
}

enum verdict
filter_set_eval(const struct filter_set *s, struct filtered *f)
{
	enum verdict worst = FILTER_MISS;
	struct trace_look why = { 0 };
	bool passed = false;
	for (size_t i = 0; i < s->n; i++) {
		enum verdict v = s->parts[i].ops->eval(s->parts[i].compiled, f);
		if (v != FILTER_PASS && !s->any)
			return v;
		passed |= v == FILTER_PASS;
		if (v == FILTER_ERROR || (v == FILTER_MISS && worst == FILTER_MISS))
			why = f->why;
		if (v == FILTER_ERROR)
			worst = v;
	}
	if (!s->given || !s->any || (passed && worst != FILTER_ERROR))
		return FILTER_PASS;
	if (!s->n)
		return filter_look(f, s->none, FILTER_MISS, S(""));
	f->why = why;
	return worst;
}

void
filter_set_free(struct filter_set *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->parts[i].ops->free)
			s->parts[i].ops->free(s->parts[i].compiled);
	s->n = 0;
}
