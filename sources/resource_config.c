/* SPDX-License-Identifier: Apache-2.0 */
/* resource_config: what a manifest says of a resource source. */
#include "sources/check.h"
#include "sources/resource_impl.h"

static const struct schema resource_selector_schema = { "Selector", "A condition on a label or a field.",
	sizeof(struct resource_selector), (const struct field[]){
	FIELD(struct resource_selector, key, "key", 0, .doc = "Label, or path of the field."),
	FIELD(struct resource_selector, operation, "operation", 0,
		.doc = "How it relates to the value: `==`, `!=`, in, ..."),
	FIELD(struct resource_selector, value, "value", 0, .doc = "Value, or regular expression for a field."),
	FIELD_SRC(struct resource_selector, src),
	{ 0 } }, .exact = true };

static const struct schema resource_filter_schema = { "ResourceFilter", "Which objects.",
	sizeof(struct resource_filter), (const struct field[]){
	FIELD(struct resource_filter, after_start, "afterStart", 0, .doc = "Only those made after the source started first."),
	FIELD(struct resource_filter, created_by, "createdBy", 0, .doc = "Only those made until then."),
	FIELD_LIST(struct resource_filter, fields, "fields", 0, &resource_selector_schema, .doc = "By field."),
	FIELD_LIST(struct resource_filter, labels, "labels", 0, &resource_selector_schema, .doc = "By label."),
	FIELD(struct resource_filter, prefix, "prefix", 0, .doc = "By beginning of the name."),
	FIELD_SRC(struct resource_filter, src),
	{ 0 } }, .exact = true };

static void
check_selectors(const struct resource_selector *p, size_t n, struct decode *c)
{
	for (size_t i = 0; i < n; i++)
		if (!p[i].key.n)
			decode_error(c, p[i].src, NULL, "key can't be empty for a selector");
}

static const struct watched all_watched[] = {
	{ "workflows", "argoproj.io", "v1alpha1", NULL },
	{ "workflowtemplates", "argoproj.io", "v1alpha1", "WorkflowTemplate" },
	{ "clusterworkflowtemplates", "argoproj.io", "v1alpha1", "ClusterWorkflowTemplate" },
	{ "cronworkflows", "argoproj.io", "v1alpha1", "CronWorkflow" },
	{ "workfloweventbindings", "argoproj.io", "v1alpha1", "WorkflowEventBinding" },
	{ "eventsources", "argoproj.io", "v1alpha1", "EventSource" },
	{ "sensors", "argoproj.io", "v1alpha1", "Sensor" },
	{ "eventbus", "argoproj.io", "v1alpha1", "EventBus" },
	{ "configmaps", "", "v1", "ConfigMap" },
};

const struct watched *
watched_of(const struct resource_source *c)
{
	for (size_t i = 0; i < ARRAY_LEN(all_watched); i++) {
		const struct watched *w = &all_watched[i];
		if (str_eq(c->resource, str_c(w->resource)) && str_eq(c->group, str_c(w->group)) && str_eq(c->version, str_c(w->version)))
			return w;
	}
	return NULL;
}

static const struct watched *
watched_named(str resource)
{
	for (size_t i = 0; i < ARRAY_LEN(all_watched); i++)
		if (str_eq(resource, str_c(all_watched[i].resource)))
			return &all_watched[i];
	return NULL;
}

bool
resource_is_secret(const struct resource_source *c)
{
	return !c->group.n && str_eq(c->resource, S("secrets"));
}

/* A name of an API's path. */
static bool
is_path_name(str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-.", s.p[i]) || !s.p[i])
			return false;
	return !str_starts(s, S("."));
}

/* What is none of ours is of the cluster that the settings name, which cannot be seen here. */
static void
check_watched(const struct resource_source *s, const struct val *in, struct decode *c)
{
	const struct watched *meant = watched_named(s->resource);
	if (resource_is_secret(s))
		decode_later(c, in, "resource", "secrets are not told of: their values would be in the events");
	else if (meant)
		decode_warn(c, in, "resource", "%s of group \"%.*s\" are watched in the cluster that the settings name; Tidegate's own are of group \"%s\" and version %s",
			meant->resource, STR_ARG(str_slice(s->group, 0, 60)), meant->group, meant->version);
	const struct {
		const char *name;
		str value;
	} parts[] = { { "group", s->group }, { "version", s->version }, { "resource", s->resource }, { "namespace", s->namespace } };
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (!is_path_name(parts[i].value))
			decode_error(c, in, parts[i].name, "\"%.*s\" cannot stand in the API's path: lower-case letters, digits, - and . are expected",
				STR_ARG(str_slice(parts[i].value, 0, 60)));
}

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct resource_source *s = obj;

	source_need(s->version, in, c, "version");
	source_need(s->resource, in, c, "resource");
	source_need_list(s->event_types.n, in, c, "eventTypes");
	for (size_t i = 0; i < s->event_types.n; i++)
		if (!str_eq(s->event_types.p[i], S("ADD")) && !str_eq(s->event_types.p[i], S("UPDATE")) && !str_eq(s->event_types.p[i], S("DELETE")))
			decode_warn(c, in, "eventTypes", "\"%.*s\" is none of ADD, UPDATE, DELETE and matches nothing", STR_ARG(str_slice(s->event_types.p[i], 0, 60)));
	check_selectors(s->filter ? s->filter->labels.p : NULL, s->filter ? s->filter->labels.n : 0, c);
	check_selectors(s->filter ? s->filter->fields.p : NULL, s->filter ? s->filter->fields.n : 0, c);
	if (s->filter)
		resource_filter_check(s->filter, in, c);
	if (s->version.n && s->resource.n && !watched_of(s))
		check_watched(s, in, c);
}

const struct schema resource_source_schema = { "ResourceEventSource", "Changes of objects.",
	sizeof(struct resource_source), (const struct field[]){
	FIELD(struct resource_source, event_types, "eventTypes", 0, .doc = "ADD, UPDATE, DELETE."),
	FIELD_PTR(struct resource_source, filter, "filter", 0, &resource_filter_schema, .doc = "Which objects."),
	FIELD(struct resource_source, group, "group", 0, .doc = "API group of the objects."),
	FIELD(struct resource_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct resource_source, namespace, "namespace", 0, .doc = "Namespace of the objects; all if empty."),
	FIELD(struct resource_source, resource, "resource", 0, .doc = "Plural of their kind, such as workflows."),
	FIELD(struct resource_source, version, "version", 0, .doc = "API version of the objects."),
	FIELD_SRC(struct resource_source, src),
	{ 0 } }, check };
