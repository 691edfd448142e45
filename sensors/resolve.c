/* SPDX-License-Identifier: Apache-2.0 */
/* resolve: the kind Sensor, and whether what it names among the other manifests is there. */
#include "sensors/spec.h"
#include "sensors/sensor.h"

typedef VEC(const char *) names;

/* The event names of an EventSource as written: every map of maps in its spec but the two that configure pods. */
static void
event_names(const struct val *spec, struct arena *a, names *out)
{
	for (uint32_t i = 0; val_is(spec, VAL_MAP) && i < spec->n; i++) {
		const struct val *kind = &spec->members[i].value;
		str key = val_key(&spec->members[i]);

		if (str_eq(key, S("template")) || str_eq(key, S("service")))
			continue;
		for (uint32_t j = 0; kind->kind == VAL_MAP && j < kind->n; j++)
			*VEC_PUSH(out) = str_z(a, val_key(&kind->members[j]));
	}
}

static void
resolve_dependency(const struct object *o, const struct dependency *d, size_t index, const struct objects *set,
	struct diags *diags)
{
	struct object *es = objects_find_named(set, "EventSource", o->ns, d->source);
	struct arena *a CLEANUP(free_arena) = arena_new();
	names events = { 0 };
	const char *near;
	struct diag *x;
	bool found = false;

	if (!es) {
		const struct val *at = val_get(d->src, S("eventSourceName"));

		near = objects_nearest(set, "EventSource", o->ns, d->source);
		x = diag_add(diags, DIAG_WARNING, at, arena_fmt(a, "spec.dependencies[%zu].eventSourceName", index),
			"no EventSource \"%.*s\" among these manifests", STR_ARG(d->source));
		x->file = arena_dup(diags->arena, o->file);
		if (near)
			diag_hint(diags, x, "did you mean \"%s\"?", near);
		return;
	}
	event_names(val_get(es->manifest, S("spec")), a, &events);
	for (size_t i = 0; i < events.n && !found; i++)
		found = str_eq(d->event, str_c(events.p[i]));
	if (!found) {
		near = diag_nearest(d->event, events.p, events.n);
		x = diag_add(diags, DIAG_ERROR, val_get(d->src, S("eventName")),
			arena_fmt(a, "spec.dependencies[%zu].eventName", index),
			"EventSource \"%.*s\" has no event \"%.*s\"", STR_ARG(d->source), STR_ARG(d->event));
		x->file = arena_dup(diags->arena, o->file);
		x->other_file = arena_dup(diags->arena, es->file);
		x->other_line = es->manifest->line;
		x->other_col = es->manifest->col;
		if (near)
			diag_hint(diags, x, "did you mean \"%s\"?", near);
	}
	VEC_FREE(&events);
}

/* A k8s trigger makes objects of the kinds that there are here. */
static void
resolve_trigger(const struct object *o, const struct trigger_spec *t, size_t index, const struct objects *set, struct diags *diags)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const struct trigger_template *tm = t->template;
	const struct val *kind = tm && tm->kind == trigger_kind(S("k8s")) ? val_path(tm->body, "source.resource.kind") : NULL;

	if (!val_is(kind, VAL_STR) || objects_kind(set, val_text(kind)))
		return;
	struct diag *x = diag_add(diags, DIAG_LATER, kind, arena_fmt(a, "spec.triggers[%zu].template.k8s.source.resource.kind", index),
		"objects of kind \"%.*s\" are not served: there is no cluster", STR_ARG(val_text(kind)));

	x->file = arena_dup(diags->arena, o->file);
	diag_hint(diags, x, "a Workflow can run what it would");
}

static void
resolve(const struct object *o, const struct objects *set, struct diags *d)
{
	const struct sensor_object *s = o->spec;

	for (size_t i = 0; i < s->spec.triggers.n; i++)
		resolve_trigger(o, &s->spec.triggers.p[i], i, set, d);

	for (size_t i = 0; i < s->spec.dependencies.n; i++)
		if (s->spec.dependencies.p[i].source.n && s->spec.dependencies.p[i].event.n)
			resolve_dependency(o, &s->spec.dependencies.p[i], i, set, d);
}

const struct kind kind_sensor = { .name = "Sensor", .plural = "sensors",
	.short_names = (const char *const[]){ "sn", NULL },
	.api = "argoproj.io/v1alpha1", .schema = &sensor_schema, .name_max = 63, .lenient = true, .resolve = resolve };
