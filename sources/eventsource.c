/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eventsource: the EventSource object. Every kind of source has a map of entries in its spec; each entry is decoded by
 * the schema of its kind. Then come the checks that look at several entries: names that are used twice, kinds that
 * cannot share an object, two endpoints in one place.
 */
#include "sources/eventsource.h"

#include "config/kube.h"
#include "sources/webhook_context.h"

/* ---- the kinds ---------------------------------------------------------------------------------------------- */

#define SOURCE(kind) extern const struct source_ops source_##kind;
#include "sources/sources.def"
#undef SOURCE

const struct source_ops *const source_kinds[] = {
#define SOURCE(kind) &source_##kind,
#include "sources/sources.def"
#undef SOURCE
};
const size_t source_kinds_n = ARRAY_LEN(source_kinds);

const struct source_ops *
source_kind(str key)
{
	for (size_t i = 0; i < source_kinds_n; i++)
		if (str_eq(key, str_c(source_kinds[i]->kind)))
			return source_kinds[i];
	return NULL;
}

/* ---- entries ------------------------------------------------------------------------------------------------ */

typedef VEC(struct source_entry) entries;

static void
check_name(str name, const struct val *at, struct decode *c)
{
	if (!name.n)
		decode_error(c, at, NULL, "an event needs a name");
	else if (str_find_char(name, '.', 0) != SIZE_MAX)
		decode_warn(c, at, NULL, "the event name \"%.*s\" has a dot: sensors on other buses can't subscribe "
			"to it", STR_ARG(name));
}

/* Decodes spec.<kind>.<name>, for the findings and for those who run it. */
static void
decode_entry(const struct source_ops *ops, const struct member *m, struct decode *c, struct source_entry *out)
{
	void *config = arena_alloc(c->arena, ops->schema->size, _Alignof(max_align_t));
	str path = arena_fmt(c->arena, "%.*s.%s.%.*s", (int)c->path.n, c->path.p, ops->kind, STR_ARG(val_key(m)));

	*out = (struct source_entry){ .ops = ops, .name = val_key(m), .config = config, .src = &m->value };
	check_name(out->name, &m->key, c);
	if (schema_decode(ops->schema, c->arena, &m->value, path, config, c->diags) < 0)
		out->config = NULL;
}

static void
decode_kind(const struct source_ops *ops, const struct val *map, const struct val *in, struct decode *c, entries *out)
{
	if (val_resolve(map).kind == VAL_NULL)
		return;
	if (map->kind != VAL_MAP) {
		decode_error(c, in, ops->kind, "must be a map from event name to configuration, not %s",
			val_kind_name(map));
		return;
	}
	if (!ops->start && map->n)
		decode_later(c, in, ops->kind, "sources of kind %s are not served yet%s%s", ops->kind, ops->instead ? ": " : "",
		             ops->instead ? ops->instead : "");
	for (uint32_t i = 0; i < map->n; i++)
		decode_entry(ops, &map->members[i], c, VEC_PUSH(out));
}

/* ---- checks over all entries -------------------------------------------------------------------------------- */

/* E2: the name of an event tells sensors where it comes from, so it must be unique over all kinds. */
static void
check_unique(const entries *e, struct decode *c)
{
	for (size_t i = 0; i < e->n; i++)
		for (size_t j = 0; j < i; j++)
			if (str_eq(e->p[i].name, e->p[j].name)) {
				struct diag *x = decode_error(c, e->p[i].src, NULL,
					"more than one \"%.*s\" found in the spec: "
					"%s and %s", STR_ARG(e->p[i].name), e->p[j].ops->kind, e->p[i].ops->kind);

				x->other_file = c->diags->file;
				x->other_line = e->p[j].src->line;
				x->other_col = e->p[j].src->col;
				break;
			}
}

/* E3: there, the classes are deployed differently; a manifest that mixes them could not be taken there. */
static void
check_classes(const entries *e, const struct val *in, struct decode *c)
{
	const struct source_ops *rolling = NULL, *recreate = NULL;

	for (size_t i = 0; i < e->n; i++)
		*(e->p[i].ops->rolling ? &rolling : &recreate) = e->p[i].ops;
	if (rolling && recreate)
		decode_error(c, in, rolling->kind, "rolling-update and recreate types cannot be combined: put %s and "
			"%s into "
			"EventSources of their own", rolling->kind, recreate->kind);
}

struct endpoint {
	const struct source_entry *entry;
	str port, path;
	const struct val *at;
};

/* The endpoint of an entry, if its kind has one: in `webhook`, or in the entry itself for kind webhook. */
static bool
endpoint_of(const struct source_entry *e, struct endpoint *out)
{
	const struct val *w = str_eq(str_c(e->ops->kind), S("webhook")) ? e->src : val_get(e->src, S("webhook"));

	*out = (struct endpoint){ e, val_get_str(w, "port"), val_get_str(w, "endpoint"), w };
	return out->port.n && out->path.n;
}

/* Whether an entry before this one serves the same endpoint; else *shared is one of another kind on the same port. */
static bool
is_taken(const entries *e, size_t i, const struct endpoint *b, struct decode *c, struct endpoint *shared)
{
	struct endpoint a;

	for (size_t j = 0; j < i; j++) {
		if (!endpoint_of(&e->p[j], &a) || !str_eq(a.port, b->port))
			continue;
		if (str_eq(a.path, b->path)) {
			decode_error(c, b->at, "endpoint", "\"%.*s\" already serves %.*s on port %.*s: this one would never get an event",
				STR_ARG(a.entry->name), STR_ARG(b->path), STR_ARG(b->port));
			return true;
		}
		if (!shared->entry && a.entry->ops != b->entry->ops)
			*shared = a;
	}
	return false;
}

/* One finding an entry, however many others it meets. */
static void
check_endpoints(const entries *e, struct decode *c)
{
	for (size_t i = 0; i < e->n; i++) {
		struct endpoint b, shared = { 0 };

		if (endpoint_of(&e->p[i], &b) && !is_taken(e, i, &b, c, &shared) && shared.entry)
			decode_warn(c, b.at, "port", "port %.*s is shared with kind %s: Argo Events cannot serve two kinds on one port",
				STR_ARG(b.port), shared.entry->ops->kind);
	}
}

/* ---- the object --------------------------------------------------------------------------------------------- */

static void
check_spec(void *obj, const struct val *in, struct decode *c)
{
	struct event_source_spec *spec = obj;
	entries found = { 0 };

	for (size_t i = 0; i < source_kinds_n; i++) {
		const struct val *map = val_get(in, str_c(source_kinds[i]->kind));

		if (map)
			decode_kind(source_kinds[i], map, in, c, &found);
	}
	check_unique(&found, c);
	check_classes(&found, in, c);
	check_endpoints(&found, c);
	spec->entries.n = found.n;
	spec->entries.p = ARENA_ARRAY(c->arena, struct source_entry, found.n);
	if (found.n)
		memcpy(spec->entries.p, found.p, found.n * sizeof *found.p);
	VEC_FREE(&found);
}

static const struct schema event_source_spec_schema = { "EventSourceSpec",
	"Where events come from: for each kind of source a map from "
	"event name to configuration.", sizeof(struct event_source_spec), (const struct field[]){
	FIELD(struct event_source_spec, bus_name, "eventBusName", 0, .dflt = "default", .doc = "Bus to publish to."),
	FIELD_AS("replicas", FIELD_INT, NOEFFECT, .min = INT32_MIN, .max = INT32_MAX,
		.doc = "Number of pods.", .hint = "one process serves all sources"),
	FIELD_AS("service", FIELD_OBJ_, NOEFFECT, .schema = &kube_service_schema,
		.doc = "Service in front of the pods.",
		.hint = "the ports of the sources are open on this machine"),
	FIELD_AS("template", FIELD_OBJ_, NOEFFECT, .schema = &kube_pod_template_schema, .doc = "Pod to make.",
		WHY_IN_THE_DAEMON),
#define SOURCE(kind) FIELD_NONE(#kind, 0, .doc = "Sources of kind " #kind ", by event name."),
#include "sources/sources.def"
#undef SOURCE
	FIELD_SRC(struct event_source_spec, src),
	{ 0 } }, check_spec, .exact = true };

const struct schema event_source_schema = { "EventSource", "Sources of events.", sizeof(struct event_source),
	(const struct field[]){
	FIELD_AS("apiVersion", FIELD_STR, REQ, .doc = "argoproj.io/v1alpha1."),
	FIELD_AS("kind", FIELD_STR, REQ, .doc = "EventSource."),
	FIELD_OBJ(struct event_source, meta, "metadata", REQ, &meta_schema,
		.doc = "Name, namespace, labels and annotations."),
	FIELD_OBJ(struct event_source, spec, "spec", REQ, &event_source_spec_schema, .doc = "The sources."),
	FIELD(struct event_source, status, "status", STATUS, .doc = "Written by the controller."),
	{ 0 } } };

static void
resolve(const struct object *o, const struct objects *set UNUSED, struct diags *d)
{
	object_check_compat(o, d);
}

const struct kind kind_eventsource = { .name = "EventSource", .plural = "eventsources",
	.short_names = (const char *const[]){ "es", NULL }, .api = "argoproj.io/v1alpha1",
		.schema = &event_source_schema, .name_max = 63, .lenient = true, .resolve = resolve };
