/* SPDX-License-Identifier: Apache-2.0 */
/* resource: Changes of objects. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"

struct resource_selector {
	str key;
	str operation;
	str value;
	const struct val *src;
};
static const struct schema resource_selector_schema = { "Selector", "A condition on a label or a field.",
	sizeof(struct resource_selector), (const struct field[]){
	FIELD(struct resource_selector, key, "key", 0, .doc = "Label, or path of the field."),
	FIELD(struct resource_selector, operation, "operation", 0,
		.doc = "How it relates to the value: `==`, `!=`, in, ..."),
	FIELD(struct resource_selector, value, "value", 0, .doc = "Value, or regular expression for a field."),
	FIELD_SRC(struct resource_selector, src),
	{ 0 } } };

struct resource_filter {
	bool after_start;
	str created_by;
	LIST_OF(struct resource_selector) fields;
	LIST_OF(struct resource_selector) labels;
	str prefix;
	const struct val *src;
};
static const struct schema resource_filter_schema = { "ResourceFilter", "Which objects.",
	sizeof(struct resource_filter), (const struct field[]){
	FIELD(struct resource_filter, after_start, "afterStart", 0, .doc = "Only those made after the source started."),
	FIELD(struct resource_filter, created_by, "createdBy", 0, .doc = "Only those made until then."),
	FIELD_LIST(struct resource_filter, fields, "fields", 0, &resource_selector_schema, .doc = "By field."),
	FIELD_LIST(struct resource_filter, labels, "labels", 0, &resource_selector_schema, .doc = "By label."),
	FIELD(struct resource_filter, prefix, "prefix", 0, .doc = "By beginning of the name."),
	FIELD_SRC(struct resource_filter, src),
	{ 0 } } };

static void
check_selectors(const struct resource_selector *p, size_t n, struct decode *c)
{
	for (size_t i = 0; i < n; i++)
		if (!p[i].key.n)
			decode_error(c, p[i].src, NULL, "key can't be empty for a selector");
}

struct resource_source {
	struct strs event_types;
	struct resource_filter *filter;
	str group;
	struct kvs metadata;
	str namespace;
	str resource;
	str version;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct resource_source *s = obj;

	source_need(s->version, in, c, "version");
	source_need(s->resource, in, c, "resource");
	source_need_list(s->event_types.n, in, c, "eventTypes");
	check_selectors(s->filter ? s->filter->labels.p : NULL, s->filter ? s->filter->labels.n : 0, c);
	check_selectors(s->filter ? s->filter->fields.p : NULL, s->filter ? s->filter->fields.n : 0, c);
}

static const struct schema resource_source_schema = { "ResourceEventSource", "Changes of objects.",
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

const struct source_ops source_resource = { .kind = "resource", .doc = "Changes of objects.",
	.schema = &resource_source_schema };
