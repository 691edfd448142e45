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

str
manifest_place(struct arena *a, str file, const struct val *at)
{
	if (!at || !at->line)
		return S("");
	return file.n ? arena_fmt(a, "%.*s:%u", STR_ARG(file), at->line) : arena_fmt(a, "line %u", at->line);
}

static int
compile_part(struct filter_set *s, const struct filter_ops *ops, const struct filters *spec, struct arena *a, struct err *e)
{
	struct filter_part *p = &s->parts[s->n];
	p->ops = ops;
	if (!ops->compile) {
		str place = manifest_place(a, s->file, spec->src);
		return err_set(e, ERR_UNSUPPORTED, "filter %s is not served yet (%.*s)", ops->kind, STR_ARG(place));
	}
	if (ops->compile(spec, a, &p->compiled, e) < 0)
		return err_wrap(e, "%s filter", ops->kind);
	s->n++;
	return 0;
}

int
filter_set_compile(const struct dependency *dep, str file, struct arena *a, struct filter_set *out, struct err *e)
{
	*out = (struct filter_set){ .any = str_eq(dep->filters_operator, S("or")), .given = dep->filters, .file = file };
	out->parts = ARENA_ARRAY(a, struct filter_part, ARRAY_LEN(kinds));
	for (size_t i = 0; dep->filters && i < ARRAY_LEN(kinds); i++) {
		if (!kinds[i]->present(dep->filters) || compile_part(out, kinds[i], dep->filters, a, e) == 0)
			continue;
		filter_set_free(out);
		return -1;
	}
	return 0;
}

enum verdict
filter_set_eval(const struct filter_set *s, struct filtered *f, str *why)
{
	enum verdict worst = FILTER_MISS;
	bool passed = false;
	str text = s->given && s->any ? S("no filter is given, and one of them must pass") : S("");
	for (size_t i = 0; i < s->n; i++) {
		enum verdict v = s->parts[i].ops->eval(s->parts[i].compiled, f, why);
		if (v != FILTER_PASS && !s->any)
			return v;
		passed |= v == FILTER_PASS;
		if (v == FILTER_ERROR || (v == FILTER_MISS && worst == FILTER_MISS))
			text = *why;
		if (v == FILTER_ERROR)
			worst = v;
	}
	if (!s->given || !s->any || (passed && worst != FILTER_ERROR))
		return FILTER_PASS;
	*why = text;
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
