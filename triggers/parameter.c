/* SPDX-License-Identifier: Apache-2.0 */
#include "triggers/parameter.h"

#include "core/lang/gotmpl.h"

/* A template that cannot be read is passed over; that is an error only where nothing else gives a value. */
static void
check_go_template(const struct parameter_source *p, str text, str key, const char *field, struct decode *c)
{
	struct gotmpl *parsed;
	struct err e;

	if (!text.n || gotmpl_parse(c->arena, text, &parsed, &e) == 0)
		return;
	if (key.n || p->value.p)
		decode_warn(c, p->src, field, "%s", e.msg);
	else
		decode_error(c, p->src, field, "%s", e.msg);
}

static void
check_parameter_source(void *obj, const struct val *in UNUSED, struct decode *c)
{
	const struct parameter_source *p = obj;

	check_go_template(p, p->data_template, p->data_key, "dataTemplate", c);
	check_go_template(p, p->context_template, p->context_key, "contextTemplate", c);
}

static const struct schema parameter_source_schema = { "TriggerParameterSource",
	"Where a parameter takes its value from.",
	sizeof(struct parameter_source), (const struct field[]){
	FIELD(struct parameter_source, context_key, "contextKey", 0,
		.doc = "Path into the context of the event, such as `id`."),
	FIELD(struct parameter_source, context_template, "contextTemplate", 0,
		.doc = "Go template over the context, as `.Input`."),
	FIELD(struct parameter_source, data_key, "dataKey", 0,
		.doc = "Path into the data of the event, such as `body.ref`."),
	FIELD(struct parameter_source, data_template, "dataTemplate", 0,
		.doc = "Go template over the data, as `.Input`."),
	FIELD(struct parameter_source, dependency, "dependencyName", 0, .doc = "Dependency whose event is meant."),
	FIELD(struct parameter_source, use_raw, "useRawData", 0,
		.doc = "Keep numbers, booleans and objects as they are; else all becomes text."),
	FIELD(struct parameter_source, value, "value", 0, .doc = "Value if there is no event or nothing at the path."),
	FIELD_SRC(struct parameter_source, src),
	{ 0 } }, check_parameter_source };

static const char *const operations[] = { "", "overwrite", "append", "prepend", NULL };

/* Argo Events, pkg/sensors/validate: the order of its checks is ours, but all are reported. */
static void
check_source(const struct trigger_parameter *p, const struct val *in, struct decode *c)
{
	if (!p->source)
		decode_error(c, in, NULL, "parameter source can't be empty: write src: {dependencyName: ..., dataKey: "
			"...}");
	else if (!p->source->dependency.n)
		decode_error(c, p->source->src, NULL, "parameter dependency name can't be empty: set dependencyName");
}

static void
check_parameter(void *obj, const struct val *in, struct decode *c)
{
	const struct trigger_parameter *p = obj;

	check_source(p, in, c);
	if (!p->dest.n)
		decode_error(c, in, "dest", "parameter destination can't be empty");
}

static void
check_payload(void *obj, const struct val *in, struct decode *c)
{
	check_source(obj, in, c);
}

#define PARAMETER_ROWS \
	FIELD(struct trigger_parameter, dest, "dest", 0, \
		.doc = "Path of what is set, such as `spec.arguments.parameters.0.value`."), \
	FIELD(struct trigger_parameter, operation, "operation", 0, .choices = operations, \
		.doc = "What to do with a value that is there: overwrite it (default), append or prepend to it."), \
	FIELD_PTR(struct trigger_parameter, source, "src", 0, &parameter_source_schema, \
		.doc = "Where the value comes from."), \
	FIELD_SRC(struct trigger_parameter, src)

const struct schema trigger_parameter_schema = { "TriggerParameter", "A value from an event, and where it goes.",
	sizeof(struct trigger_parameter), (const struct field[]){ PARAMETER_ROWS, { 0 } }, check_parameter };

const struct schema trigger_payload_schema = { "TriggerPayload",
	"A value from an event, and where it goes in the body; without dest it is the body.",
	sizeof(struct trigger_parameter), (const struct field[]){ PARAMETER_ROWS, { 0 } }, check_payload };

/* ---- headers ------------------------------------------------------------------------------------------------ */

struct header_value {
	struct secret_ref *secret, *config_map;
};
static const struct schema header_value_schema = { "ValueFromSource", "A key of a Secret or a ConfigMap.",
	sizeof(struct header_value),
	(const struct field[]){
	FIELD_PTR(struct header_value, config_map, "configMapKeyRef", 0, &config_map_ref_schema, .one_of = "source",
		.doc = "A key of a ConfigMap."),
	FIELD_PTR(struct header_value, secret, "secretKeyRef", 0, &secret_ref_schema, .one_of = "source",
		.doc = "A key of a Secret."),
	{ 0 } } };

/* The same two members, one level up. */
static_assert(offsetof(struct secure_header, config_map) == offsetof(struct secure_header, secret) + sizeof(void *),
	"as in header_value");

const struct schema secure_header_schema = { "SecureHeader", "A header whose value is kept in a Secret or a ConfigMap.",
	sizeof(struct secure_header),
	(const struct field[]){
	FIELD(struct secure_header, name, "name", REQ, .doc = "Header name."),
	{ .name = "valueFrom", .kind = FIELD_OBJ_, .flags = REQ, .offset = offsetof(struct secure_header, secret),
		.schema = &header_value_schema,
		.doc = "Where the value is." },
	{ 0 } } };
