/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sensor_schema: the Sensor object's own tables, and the checks that need more than one of its parts (spec events 5.4: S0 to S5, R1, and what
 * Argo Events finds out only when an event comes: conditions that name no dependency).
 */
#include "config/kube.h"
#include "sensors/condition.h"
#include "sensors/schema_impl.h"
#include "sensors/spec.h"
#include "sensors/sensor.h"

static void
check_dependency(void *obj, const struct val *in, struct decode *c)
{
	const struct dependency *d = obj;

	if (!d->name.n)
		decode_error(c, in, "name", "event dependency must define a name");
	if (!d->source.n)
		decode_error(c, in, "eventSourceName", "event dependency must define the eventSourceName");
	if (!d->event.n)
		decode_error(c, in, "eventName", "event dependency must define the eventName");
}

static const char *const on_errors[] = { "", "keep", "drop", "pass", NULL };

static const struct schema dependency_schema = { "EventDependency", "An event that triggers wait for.",
	sizeof(struct dependency), (const struct field[]){
	FIELD(struct dependency, on_error, "onError", 0, .choices = on_errors,
		.doc = "Tidegate's own: what becomes of an event that the transform or a filter fails on: `keep` as a dead letter (the default), "
			"`drop` (Argo's way), `pass`: it counts, with the data as they are."),
	FIELD(struct dependency, event, "eventName", 0, .doc = "Name of the event in its EventSource."),
	FIELD(struct dependency, source, "eventSourceName", 0, .doc = "Name of the EventSource."),
	FIELD_PTR(struct dependency, filters, "filters", 0, &filters_schema, .doc = "Which of the events count."),
	FIELD(struct dependency, filters_operator, "filtersLogicalOperator", 0, .choices = sensor_operators,
		.doc = "Whether all kinds of filter must pass (and), or one (or)."),
	FIELD(struct dependency, name, "name", 0, .doc = "Name, for conditions and parameters."),
	FIELD_PTR(struct dependency, transform, "transform", 0, &transform_schema,
		.doc = "Change of the data before filters look at it."),
	FIELD_SRC(struct dependency, src),
	{ 0 } }, check_dependency, .exact = true };

/* ---- across the sensor -------------------------------------------------------------------------------------- */

static void
check_dependency_names(const struct sensor_spec *s, struct decode *c)
{
	for (size_t i = 0; i < s->dependencies.n; i++)
		for (size_t j = 0; j < i; j++)
			if (s->dependencies.p[i].name.n &&
				str_eq(s->dependencies.p[i].name, s->dependencies.p[j].name)) {
				struct diag *x = decode_error(c, s->dependencies.p[i].src, "name",
					"duplicate dependency name: %.*s",
					STR_ARG(s->dependencies.p[i].name));

				x->other_file = c->diags->file;
				x->other_line = s->dependencies.p[j].src->line;
				x->other_col = s->dependencies.p[j].src->col;
				break;
			}
}

static void
check_trigger_names(const struct sensor_spec *s, struct decode *c)
{
	for (size_t i = 0; i < s->triggers.n; i++)
		for (size_t j = 0; j < i; j++) {
			const struct trigger_template *a = s->triggers.p[i].template, *b = s->triggers.p[j].template;

			if (a && b && a->name.n && str_eq(a->name, b->name)) {
				decode_error(c, a->src, "name", "duplicate trigger name: %.*s", STR_ARG(a->name));
				break;
			}
		}
}

static bool
has_dependency(const struct sensor_spec *s, str name)
{
	for (size_t i = 0; i < s->dependencies.n; i++)
		if (str_eq(s->dependencies.p[i].name, name))
			return true;
	return false;
}

/* A parameter may only take from a dependency that exists; with a default, the default would always be taken. */
static void
check_parameters(const struct sensor_spec *s, const struct val *list, struct decode *c)
{
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++) {
		const struct val *src = val_get(&list->items[i], S("src"));
		str name = val_get_str(src, "dependencyName");
		const char *near = NULL;

		if (!name.n || has_dependency(s, name))
			continue;
		const char **names = ARENA_ARRAY(c->arena, const char *, s->dependencies.n + 1);

		for (size_t j = 0; j < s->dependencies.n; j++)
			names[j] = str_z(c->arena, s->dependencies.p[j].name);
		near = diag_nearest(name, names, s->dependencies.n);
		struct diag *x = val_get(src, S("value")) ?
			decode_warn(c, src, "dependencyName", "no dependency is called \"%.*s\": the value is always "
				"used", STR_ARG(name)) :
			decode_error(c, src, "dependencyName", "no dependency is called \"%.*s\"", STR_ARG(name));

		if (near)
			diag_hint(c->diags, x, "did you mean \"%s\"?", near);
	}
}

static void
check_conditions(const struct sensor_spec *s, const struct trigger_template *t, struct decode *c)
{
	static const char *const joining[] = { "conditionsReset", "join", "joinKey", "joinMax", "within" };
	str *names = ARENA_ARRAY(c->arena, str, s->dependencies.n + 1);
	struct condition condition;
	struct err e;

	for (size_t i = 0; i < s->dependencies.n; i++)
		names[i] = s->dependencies.p[i].name;
	if (condition_compile(c->arena, t->conditions, names, s->dependencies.n, &condition, &e) < 0) {
		decode_error(c, t->src, "conditions", "%s", e.msg);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(joining) && !condition.joins; i++)
		if (val_get(t->src, str_c(joining[i])))
			decode_warn(c, t->src, joining[i], "has no effect: the conditions join nothing, every event fires alone");
}

static void
check_sensor(void *obj, const struct val *in, struct decode *c)
{
	const struct sensor_spec *s = obj;

	if (!s->dependencies.n)
		decode_error(c, in, "dependencies", "no event dependencies found");
	if (!s->triggers.n)
		decode_error(c, in, "triggers", "no triggers found");
	check_dependency_names(s, c);
	check_trigger_names(s, c);
	for (size_t i = 0; i < s->triggers.n; i++) {
		const struct trigger_spec *t = &s->triggers.p[i];

		check_parameters(s, val_get(t->src, S("parameters")), c);
		if (!t->template)
			continue;
		check_conditions(s, t->template, c);
		check_parameters(s, val_get(t->template->body, S("parameters")), c);
		check_parameters(s, val_get(t->template->body, S("payload")), c);
	}
}

static const struct schema sensor_spec_schema = { "SensorSpec", "Events, and what is done when they have come.",
	sizeof(struct sensor_spec), (const struct field[]){
	FIELD_LIST(struct sensor_spec, dependencies, "dependencies", 0, &dependency_schema, .max = 1000,
		.doc = "Events that triggers wait for."),
	FIELD_AS("errorOnFailedRound", FIELD_BOOL, NOEFFECT, .doc = "Nothing that Argo Events looks at.",
		.hint = "it has none in Argo Events either"),
	FIELD(struct sensor_spec, bus_name, "eventBusName", 0, .dflt = "default", .doc = "Bus to listen to."),
	FIELD(struct sensor_spec, logging_fields, "loggingFields", NOEFFECT,
		.doc = "Nothing that Argo Events looks at.", .hint = "it has none in Argo Events either"),
	FIELD_AS("replicas", FIELD_INT, NOEFFECT, .min = INT32_MIN, .max = INT32_MAX,
		.doc = "Number of pods.", .hint = "one process serves all sensors"),
	FIELD_AS("revisionHistoryLimit", FIELD_INT, NOEFFECT, .doc = "Old versions of the deployment to keep.",
		.hint = "there is no deployment: a changed manifest counts at once"),
	FIELD_AS("template", FIELD_OBJ_, NOEFFECT, .schema = &kube_pod_template_schema, .doc = "Pod to make.",
		WHY_IN_THE_DAEMON),
	FIELD_LIST(struct sensor_spec, triggers, "triggers", 0, &trigger_spec_schema, .max = 1000,
		.doc = "What is done."),
	FIELD_SRC(struct sensor_spec, src),
	{ 0 } }, check_sensor };

const struct schema sensor_schema = { "Sensor", "What is done when events come.", sizeof(struct sensor_object),
	(const struct field[]){
	FIELD_AS("apiVersion", FIELD_STR, REQ, .doc = "argoproj.io/v1alpha1."),
	FIELD_AS("kind", FIELD_STR, REQ, .doc = "Sensor."),
	FIELD_OBJ(struct sensor_object, meta, "metadata", REQ, &meta_schema,
		.doc = "Name, namespace, labels and annotations."),
	FIELD_OBJ(struct sensor_object, spec, "spec", REQ, &sensor_spec_schema, .doc = "Dependencies and triggers."),
	FIELD(struct sensor_object, status, "status", STATUS, .doc = "Written by the controller."),
	{ 0 } } };
