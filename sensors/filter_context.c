/* SPDX-License-Identifier: Apache-2.0 */
/* context: attributes of the event, compared as they are. id, specversion and time are accepted and not compared, as in Argo. */
#include "sensors/filter.h"

struct context {
	const struct context_filter *spec;
};

static bool
present(const struct filters *s)
{
	return s->context;
}

static int
compile(const struct filters *s, struct arena *a, void **out, struct err *e UNUSED)
{
	struct context *c = ARENA_NEW(a, struct context);
	c->spec = s->context;
	*out = c;
	return 0;
}

static enum verdict
eval(const void *compiled, struct filtered *f, str *why)
{
	const struct context_filter *s = ((const struct context *)compiled)->spec;
	const struct {
		const char *name;
		str want, got;
	} rows[] = {
		{ "type", s->type, f->ev->type },
		{ "subject", s->subject, f->ev->subject },
		{ "source", s->source, f->ev->source },
		{ "datacontenttype", s->datacontenttype, f->ev->content_type },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!rows[i].want.n || str_eq(rows[i].want, rows[i].got))
			continue;
		str place = manifest_place(f->tmp, f->file, s->src);
		*why = arena_fmt(f->tmp, "context filter %s: want %.*s, got %.*s (%.*s)", rows[i].name, STR_ARG(rows[i].want), STR_ARG(rows[i].got),
		                 STR_ARG(place));
		return FILTER_MISS;
	}
	return FILTER_PASS;
}

const struct filter_ops filter_context = { .kind = "context", .present = present, .compile = compile, .eval = eval };
