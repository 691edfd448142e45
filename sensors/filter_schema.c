/* SPDX-License-Identifier: Apache-2.0 */
/* filter_schema: the tables of a dependency's filters and transform (spec events 5.4: S6 to S14, and filters that can match nothing). */
#include "core/cron.h"
#include "core/lang/gotmpl.h"
#include "core/lang/regex.h"
#include "core/lang/script.h"
#include "core/lang/when.h"
#include "core/tz.h"
#include "sensors/schema_impl.h"
#include "sensors/spec.h"

const char *const sensor_operators[] = { "", "and", "or", NULL };

void
sensor_check_timezone(str name, const struct val *in, struct decode *c)
{
	const struct tz *zone;
	struct err e;

	if (name.n && tz_open(c->arena, name, &zone, &e) < 0)
		decode_error(c, in, "timezone", "invalid timezone: %s", e.msg);
}

static const struct schema filter_field_schema = { "PayloadField", "A value of the event under a name.",
	sizeof(struct filter_field), (const struct field[]){
	FIELD(struct filter_field, name, "name", 0, .doc = "Name in the expression."),
	FIELD(struct filter_field, path, "path", 0, .doc = "Path of the value in the data."),
	{ 0 } }, .exact = true };

static void
check_expr(void *obj, const struct val *in, struct decode *c)
{
	const struct expr_filter *f = obj;
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct err e;
	str name, date;

	if (!f->expr.n)
		decode_error(c, in, NULL, "one of expr filters is not valid: expr must not be empty");
	else if (!f->fields.n) /* S7 calls it an error; the sensor passes over it */
		decode_warn(c, in, NULL, "is not looked at: an expression needs fields");
	else if (when_check_names(f->expr, &e) < 0)
		decode_error(c, in, "expr", "%s", e.msg);
	else if (when_compares_date(f->expr, a, &name, &date))
		decode_warn(c, in, "expr", "%.*s is a number here, the seconds since 1970, which a text is never equal to; if %.*s is a text, use a data filter, or =~ and a pattern "
			"as '^2024-01-15$'", STR_ARG(date), STR_ARG(name));
	for (size_t i = 0; i < f->fields.n; i++)
		if (!f->fields.p[i].path.n || !f->fields.p[i].name.n)
			decode_error(c, in, "fields", "one of expr filters is not valid: path and name must not be "
				"empty");
}

static const struct schema expr_filter_schema = { "ExprFilter", "A condition over named values.",
	sizeof(struct expr_filter), (const struct field[]){
	FIELD(struct expr_filter, expr, "expr", 0, .doc = "Condition over the names of fields."),
	FIELD_LIST(struct expr_filter, fields, "fields", 0, &filter_field_schema, .doc = "Values of the event."),
	FIELD_SRC(struct expr_filter, src),
	{ 0 } }, check_expr, .exact = true };

static const char *const data_types[] = { "", "bool", "number", "string", NULL };
static const char *const comparators[] = { "", ">=", ">", "=", "!=", "<=", "<", NULL };

static void
check_data_value(const struct data_filter *f, str value, struct decode *c)
{
	static const char *const bools[] = { "1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false",
		"False" };
	struct regex *re = NULL;
	struct err e;
	double number;
	bool ok = true;

	if (!value.n) {
		decode_error(c, f->src, "value", "one of data filters is not valid: value must be not empty");
	} else if (str_eq(f->type, S("number"))) {
		if (!str_to_double(value, &number))
			decode_error(c, f->src, "value", "\"%.*s\" is not a number: no event would pass",
				STR_ARG(value));
	} else if (str_eq(f->type, S("bool"))) {
		ok = false;
		for (size_t i = 0; i < ARRAY_LEN(bools); i++)
			ok |= str_eq(value, str_c(bools[i]));
		if (!ok)
			decode_error(c, f->src, "value", "\"%.*s\" is not a boolean: no event would pass",
				STR_ARG(value));
	} else if (str_eq(f->type, S("string"))) {
		if (regex_compile(value, &re, &e) < 0)
			decode_error(c, f->src, "value", "not a regular expression: %s", e.msg);
		regex_free(re);
	}
}

static void
check_data(void *obj, const struct val *in, struct decode *c)
{
	const struct data_filter *f = obj;
	struct gotmpl *parsed;
	struct err e;
	bool equal = !f->comparator.n || str_eq(f->comparator, S("=")) || str_eq(f->comparator, S("!="));

	if (!f->path.n || !f->type.n || !f->value.n)
		decode_error(c, in, NULL, "one of data filters is not valid: type, path and value must not be empty");
	for (size_t i = 0; i < f->value.n; i++)
		check_data_value(f, f->value.p[i], c);
	if (f->template.n && gotmpl_parse(c->arena, f->template, &parsed, &e) < 0)
		decode_error(c, in, "template", "%s", e.msg);
	if (str_eq(f->type, S("string")) && !equal)
		decode_warn(c, in, "comparator", "never holds for strings: only = and != do");
	if (str_eq(f->type, S("bool")) && f->comparator.n && !str_eq(f->comparator, S("=")))
		decode_warn(c, in, "comparator", "has no effect on booleans: the value is compared for equality");
	if (str_eq(f->comparator, S("!=")) && f->value.n > 1)
		decode_warn(c, in, "value", "with != and several values nearly every event passes: one unequal value "
			"is enough");
}

static const struct schema data_filter_schema = { "DataFilter", "A comparison of a value of the data.",
	sizeof(struct data_filter), (const struct field[]){
	FIELD(struct data_filter, comparator, "comparator", 0, .choices = comparators,
		.doc = "How the value is compared; = by default."),
	FIELD(struct data_filter, path, "path", 0, .doc = "Path of the value in the data."),
	FIELD(struct data_filter, template, "template", 0,
		.doc = "Go template over the value, as `.Input`; its text is compared."),
	FIELD(struct data_filter, type, "type", 0, .choices = data_types, .doc = "What the value is taken for."),
	FIELD(struct data_filter, value, "value", 0,
		.doc = "Values to compare with, one of which is enough; strings are regular expressions."),
	FIELD_SRC(struct data_filter, src),
	{ 0 } }, check_data, .exact = true };

static void
check_context(void *obj, const struct val *in, struct decode *c)
{
	const struct context_filter *f = obj;

	/* S12 calls it an error; the sensor runs it */
	if (!f->type.n && !f->subject.n && !f->source.n && !f->datacontenttype.n)
		decode_warn(c, in, NULL, "compares nothing, so every event passes: give type, subject, source or "
			"datacontenttype");
	else if (f->id.n || f->time.n || f->specversion.n)
		decode_warn(c, in, f->id.n ? "id" : f->time.n ? "time" : "specversion",
			"is not compared: only type, subject, source and "
			"datacontenttype are");
}

static const struct schema context_filter_schema = { "EventContext", "Attributes the event must have exactly.",
	sizeof(struct context_filter),
	(const struct field[]){
	FIELD(struct context_filter, datacontenttype, "datacontenttype", 0, .doc = "Media type of the data."),
	FIELD(struct context_filter, id, "id", 0, .doc = "Not compared."),
	FIELD(struct context_filter, source, "source", 0, .doc = "Name of the EventSource."),
	FIELD(struct context_filter, specversion, "specversion", 0, .doc = "Not compared."),
	FIELD(struct context_filter, subject, "subject", 0, .doc = "Name of the event."),
	FIELD(struct context_filter, time, "time", 0, .doc = "Not compared."),
	FIELD(struct context_filter, type, "type", 0, .doc = "Kind of the source."),
	FIELD_SRC(struct context_filter, src),
	{ 0 } }, check_context, .exact = true };

/* "HH:MM:SS" of a day; -1 for anything else. */
static int
time_of_day(str s)
{
	int64_t part[3];

	for (int i = 0; i < 3; i++) {
		str p = i < 2 ? str_cut(&s, ':') : s;

		if (p.n != 2 || p.p[0] < '0' || !str_to_i64(p, &part[i]) || part[i] > (i ? 59 : 23))
			return -1;
	}
	return (int)(part[0] * 3600 + part[1] * 60 + part[2]);
}

static void
check_time(void *obj, const struct val *in, struct decode *c)
{
	const struct time_filter *f = obj;
	int start = time_of_day(f->start), stop = time_of_day(f->stop);

	sensor_check_timezone(f->timezone, in, c);
	if (start < 0)
		decode_error(c, in, "start", "invalid start \"%.*s\": must be HH:MM:SS", STR_ARG(f->start));
	if (stop < 0)
		decode_error(c, in, "stop", "invalid stop \"%.*s\": must be HH:MM:SS", STR_ARG(f->stop));
	if (start >= 0 && start == stop)
		decode_error(c, in, "stop", "stop is equal to start");
}

static const struct schema time_filter_schema = { "TimeFilter", "A part of the day the event must have come in.",
	sizeof(struct time_filter),
	(const struct field[]){
	FIELD(struct time_filter, start, "start", 0, .doc = "Begin, HH:MM:SS."),
	FIELD(struct time_filter, stop, "stop", 0, .doc = "End, HH:MM:SS; before start it means the next day."),
	FIELD(struct time_filter, timezone, "timezone", 0, .doc = "Time zone; UTC by default."),
	FIELD_SRC(struct time_filter, src),
	{ 0 } }, check_time, .exact = true };

/* The line that Lua's "script:3: ..." names. */
static uint32_t
script_line(const char *message)
{
	str rest = str_c(message);
	int64_t line = 0;
	if (!str_starts(rest, S("script:")))
		return 0;
	rest = str_slice(rest, 7, rest.n);
	return str_to_i64(str_cut(&rest, ':'), &line) && line > 0 && line < INT32_MAX ? (uint32_t)line : 0;
}

/* A script that does not compile stops every event. */
static void
check_script(str text, const struct val *in, struct decode *c)
{
	struct script *s;
	struct err e;

	if (!text.n)
		return;
	if (script_compile(text, &s, &e) == 0)
		script_free(s);
	else if (e.code == ERR_UNAVAILABLE) /* it may be there where the manifest runs */
		decode_warn(c, in, "script", "could not be checked: %s", e.msg);
	else
		diag_into_text(c->diags, decode_error(c, in, "script", "%s", e.msg), script_line(e.msg));
}

static void
check_filters(void *obj, const struct val *in, struct decode *c)
{
	check_script(((const struct filters *)obj)->script, in, c);
}

const struct schema filters_schema = { "EventDependencyFilter", "Which events count for a dependency.",
	sizeof(struct filters), (const struct field[]){
	FIELD_PTR(struct filters, context, "context", 0, &context_filter_schema, .doc = "Attributes of the event."),
	FIELD_LIST(struct filters, data, "data", 0, &data_filter_schema, .doc = "Comparisons of values of the data."),
	FIELD(struct filters, data_operator, "dataLogicalOperator", 0, .choices = sensor_operators,
		.doc = "Whether all data filters must hold (and), or one (or)."),
	FIELD(struct filters, expr_operator, "exprLogicalOperator", 0, .choices = sensor_operators,
		.doc = "Whether all expressions must hold (and), or one (or)."),
	FIELD_LIST(struct filters, exprs, "exprs", 0, &expr_filter_schema,
		.doc = "Conditions over values of the data."),
	FIELD(struct filters, script, "script", 0, .doc = "Lua 5.1 script over `event`, the data as a table, that returns true for an event that "
		"counts. It has Lua's string, table, math and coroutine functions; what it may use is in the settings scriptInstructions, "
		"scriptMemory and scriptTime."),
	FIELD_PTR(struct filters, time, "time", 0, &time_filter_schema, .doc = "Part of the day."),
	FIELD_SRC(struct filters, src),
	{ 0 } }, check_filters, .exact = true };

static void
check_transform(void *obj, const struct val *in, struct decode *c)
{
	const struct transform *t = obj;

	check_script(t->script, in, c);
	if (t->jq.n && t->script.n)
		decode_warn(c, in, "script", "has no effect: jq is given as well, and wins");
}

const struct schema transform_schema = { "EventDependencyTransformer",
	"A change of the data before filters look at it.",
	sizeof(struct transform), (const struct field[]){
	FIELD(struct transform, jq, "jq", 0, .doc = "jq program over the data, which must be an object; its first output, which must be "
		"an object too, becomes the data. It runs in a process of its own, within the settings jqMemory and jqTime."),
	FIELD(struct transform, script, "script", 0, .doc = "Lua 5.1 script over `event`, the data as a table, that returns a table: the data from "
		"there on. A table with the key 1 or a higher whole number is a list."),
	FIELD_SRC(struct transform, src),
	{ 0 } }, check_transform };
