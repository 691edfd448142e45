/* SPDX-License-Identifier: Apache-2.0 */
/* context: attributes of the event, compared as they are. id, specversion and time are accepted and not compared, as in Argo. */
#include "sensors/filter.h"

enum { ATTRIBUTES = 4 };

struct context {
	struct attribute {
		str (*of)(const struct event *ev);
		str want;
		size_t check;
	} list[ATTRIBUTES]; /* those that are compared */
	size_t n;
};

static bool
present(const struct filters *s)
{
	return s->context;
}

static str type_of(const struct event *ev) { return ev->type; }
static str subject_of(const struct event *ev) { return ev->subject; }
static str source_of(const struct event *ev) { return ev->source; }
static str content_type_of(const struct event *ev) { return ev->content_type; }

static int
compile(const struct filters *s, struct checks *checks, void **out, struct err *e UNUSED)
{
	struct context *c = ARENA_NEW(checks->arena, struct context);
	const struct {
		const char *name;
		str want;
		str (*of)(const struct event *ev);
	} rows[ATTRIBUTES] = {
		{ "type", s->context->type, type_of },
		{ "subject", s->context->subject, subject_of },
		{ "source", s->context->source, source_of },
		{ "datacontenttype", s->context->datacontenttype, content_type_of },
	};
	for (size_t i = 0; i < ATTRIBUTES; i++) {
		const struct val *at = val_get(s->context->src, str_c(rows[i].name));
		if (rows[i].want.n)
			c->list[c->n++] = (struct attribute){ rows[i].of, rows[i].want,
				checks_add(checks, "context", str_c(rows[i].name), rows[i].want, "", at ? at : s->context->src) };
	}
	*out = c;
	return 0;
}

static enum verdict
eval(const void *compiled, struct filtered *f)
{
	const struct context *c = compiled;
	for (size_t i = 0; i < c->n; i++) {
		str got = c->list[i].of(f->ev);
		bool same = str_eq(c->list[i].want, got);
		if (filter_look(f, c->list[i].check, same ? FILTER_PASS : FILTER_MISS, got) == FILTER_MISS)
			return FILTER_MISS;
	}
	return FILTER_PASS;
}

const struct filter_ops filter_context = { .kind = "context", .present = present, .compile = compile, .eval = eval };
