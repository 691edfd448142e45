/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sensor_schema: the Sensor object's tables and checks (spec events 5.4: S0 to S14 and R1 to R23,
	and what Argo Events finds out
 * only when an event comes: conditions that name no dependency, filters that can match nothing).
 */
#include "config/kube.h"
#include "core/cron.h"
#include "core/lang/gotmpl.h"
#include "core/lang/regex.h"
#include "core/lang/script.h"
#include "core/lang/when.h"
#include "core/tz.h"
#include "sensors/join.h"
#include "sensors/join_key.h"
#include "sensors/spec.h"
#include "sensors/sensor.h"

static const char *const operators[] = { "", "and", "or", NULL };

static void
check_timezone(str name, const struct val *in, struct decode *c)
{
	const struct tz *zone;
	struct err e;

	if (name.n && tz_open(c->arena, name, &zone, &e) < 0)
		decode_error(c, in, "timezone", "invalid timezone: %s", e.msg);
}

/* ---- filters ------------------------------------------------------------------------------------------------ */

static const struct schema filter_field_schema = { "PayloadField", "A value of the event under a name.",
	sizeof(struct filter_field), (const struct field[]){
	FIELD(struct filter_field, name, "name", 0, .doc = "Name in the expression."),
	FIELD(struct filter_field, path, "path", 0, .doc = "Path of the value in the data."),
	{ 0 } } };

static void
check_expr(void *obj, const struct val *in, struct decode *c)
{
	const struct expr_filter *f = obj;
	struct err e;

	if (!f->expr.n)
		decode_error(c, in, NULL, "one of expr filters is not valid: expr must not be empty");
	else if (!f->fields.n) /* S7 calls it an error; the sensor passes over it */
		decode_warn(c, in, NULL, "is not looked at: an expression needs fields");
	else if (when_check_names(f->expr, &e) < 0)
		decode_error(c, in, "expr", "%s", e.msg);
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
	{ 0 } }, check_expr };

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
	{ 0 } }, check_data };

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
	{ 0 } }, check_context };

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

	check_timezone(f->timezone, in, c);
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
	{ 0 } }, check_time };

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

static const struct schema filters_schema = { "EventDependencyFilter", "Which events count for a dependency.",
	sizeof(struct filters), (const struct field[]){
	FIELD_PTR(struct filters, context, "context", 0, &context_filter_schema, .doc = "Attributes of the event."),
	FIELD_LIST(struct filters, data, "data", 0, &data_filter_schema, .doc = "Comparisons of values of the data."),
	FIELD(struct filters, data_operator, "dataLogicalOperator", 0, .choices = operators,
		.doc = "Whether all data filters must hold (and), or one (or)."),
	FIELD(struct filters, expr_operator, "exprLogicalOperator", 0, .choices = operators,
		.doc = "Whether all expressions must hold (and), or one (or)."),
	FIELD_LIST(struct filters, exprs, "exprs", 0, &expr_filter_schema,
		.doc = "Conditions over values of the data."),
	FIELD(struct filters, script, "script", 0, .doc = "Lua 5.1 script over `event`, the data as a table, that returns true for an event that "
		"counts. It has Lua's string, table, math and coroutine functions; what it may use is in the settings scriptInstructions, "
		"scriptMemory and scriptTime."),
	FIELD_PTR(struct filters, time, "time", 0, &time_filter_schema, .doc = "Part of the day."),
	FIELD_SRC(struct filters, src),
	{ 0 } }, check_filters };

static void
check_transform(void *obj, const struct val *in, struct decode *c)
{
	const struct transform *t = obj;

	check_script(t->script, in, c);
	if (t->jq.n && t->script.n)
		decode_warn(c, in, "script", "has no effect: jq is given as well, and wins");
}

static const struct schema transform_schema = { "EventDependencyTransformer",
	"A change of the data before filters look at it.",
	sizeof(struct transform), (const struct field[]){
	FIELD(struct transform, jq, "jq", 0, .doc = "jq program over the data, which must be an object; its first output, which must be "
		"an object too, becomes the data. It runs in a process of its own, within the settings jqMemory and jqTime."),
	FIELD(struct transform, script, "script", 0, .doc = "Lua 5.1 script over `event`, the data as a table, that returns a table: the data from "
		"there on. A table with the key 1 or a higher whole number is a list."),
	FIELD_SRC(struct transform, src),
	{ 0 } }, check_transform };

/* ---- dependencies ------------------------------------------------------------------------------------------- */

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
	FIELD(struct dependency, filters_operator, "filtersLogicalOperator", 0, .choices = operators,
		.doc = "Whether all kinds of filter must pass (and), or one (or)."),
	FIELD(struct dependency, name, "name", 0, .doc = "Name, for conditions and parameters."),
	FIELD_PTR(struct dependency, transform, "transform", 0, &transform_schema,
		.doc = "Change of the data before filters look at it."),
	FIELD_SRC(struct dependency, src),
	{ 0 } }, check_dependency };

/* ---- triggers ----------------------------------------------------------------------------------------------- */

static void
check_reset_by_time(void *obj, const struct val *in, struct decode *c)
{
	const struct reset_by_time *r = obj;
	struct cron cron;
	struct err e;

	if (cron_parse(r->cron, 0, c->arena, &cron, &e) < 0)
		decode_error(c, in, "cron", "invalid cron expression: %s", e.msg);
	check_timezone(r->timezone, in, c);
}

static const struct schema reset_by_time_schema = { "ConditionsResetByTime", "When what has come so far is forgotten.",
	sizeof(struct reset_by_time),
	(const struct field[]){
	FIELD(struct reset_by_time, cron, "cron", 0, .doc = "Cron expression with five fields."),
	FIELD(struct reset_by_time, timezone, "timezone", 0, .doc = "Time zone of the expression."),
	{ 0 } }, check_reset_by_time };

static void
check_reset(void *obj, const struct val *in, struct decode *c)
{
	const struct conditions_reset *r = obj;

	if (!r->by_time)
		decode_error(c, in, NULL, "invalid conditionsReset: byTime is missing");
}

static const struct schema conditions_reset_schema = { "ConditionsResetCriteria",
	"When what has come so far is forgotten.",
	sizeof(struct conditions_reset), (const struct field[]){
	FIELD_PTR(struct conditions_reset, by_time, "byTime", 0, &reset_by_time_schema, .doc = "At certain times."),
	FIELD_SRC(struct conditions_reset, src),
	{ 0 } }, check_reset };

static const char *const join_policies[] = { "", "latest", "fifo", "key", NULL };

/* A trigger that joins nothing is told by check_conditions, which knows the dependencies. */
static void
check_join(const struct trigger_template *t, const struct val *in, struct decode *c)
{
	struct expr *x = NULL;
	struct err e;
	bool by_key = str_eq(t->join, S("key"));

	if (by_key && !t->join_key.n)
		decode_error(c, in, "join", "join: key needs joinKey: the expression by which events pair");
	if (t->join.n && !by_key && t->join_key.n)
		decode_error(c, in, "joinKey", "joinKey goes with join: key, not with %.*s", STR_ARG(t->join));
	if (t->join_key.n && join_key_compile(t->join_key, &x, &e) < 0)
		decode_error(c, in, "joinKey", "%s", e.msg);
	expr_free(x);
	if (t->join_max && !t->join_key.n && !str_eq(t->join, S("fifo")))
		decode_warn(c, in, "joinMax", "has no effect with join: latest, which keeps one event of each dependency");
	if (t->within.ns < 0)
		decode_error(c, in, "within", "must not be negative");
}

/* In this order the first wins where several are given (spec events 3.1). */
static const char *const kind_order[] = { "k8s", "argoWorkflow", "http", "awsLambda", "azureEventHubs",
	"azureServiceBus", "kafka", "pulsar",
	"nats", "slack", "openWhisk", "custom", "log", "email", "exec", "mqtt", "redis", "amqp" };

static void
check_template(void *obj, const struct val *in, struct decode *c)
{
	struct trigger_template *t = obj;

	if (!t->name.n)
		decode_error(c, in, NULL, "trigger must define a name");
	check_join(t, in, c);
	for (size_t i = 0; i < ARRAY_LEN(kind_order); i++) {
		const struct val *body = val_get(in, str_c(kind_order[i]));

		if (!body || val_resolve(body).kind == VAL_NULL)
			continue;
		if (t->kind) {
			decode_warn(c, in, kind_order[i], "has no effect: a trigger does one thing, and %s wins",
				t->kind->kind);
			continue;
		}
		t->kind = trigger_kind(str_c(kind_order[i]));
		t->body = body;
	}
	if (!t->kind) {
		decode_error(c, in, NULL, "the trigger does nothing: give one of http, log, argoWorkflow, k8s");
		return;
	}
	if (!t->kind->fire)
		decode_later(c, in, t->kind->kind, "triggers of kind %s are not served yet%s%s", t->kind->kind,
			t->kind->instead ? ": " : "", t->kind->instead ? t->kind->instead : "");
	void *config = arena_alloc(c->arena, t->kind->schema->size, _Alignof(max_align_t));
	str path = arena_fmt(c->arena, "%.*s.%s", (int)c->path.n, c->path.p, t->kind->kind);

	bool ok = schema_decode(t->kind->schema, c->arena, t->body, path, config, c->diags) == 0;

	(void)ok; /* what is wrong is in the findings; the body is looked into further all the same */
}

static const struct schema trigger_template_schema = { "TriggerTemplate", "What is done, and when.",
	sizeof(struct trigger_template), (const struct field[]){
	FIELD(struct trigger_template, conditions, "conditions", 0,
		.doc = "Dependencies joined by `&&`, `||` and `()`; all of them by default."),
	FIELD_LIST(struct trigger_template, resets, "conditionsReset", 0, &conditions_reset_schema, .max = 100,
		.doc = "When what has come so far is forgotten."),
	FIELD(struct trigger_template, join, "join", 0, .choices = join_policies,
		.doc = "Tidegate's own: which events fire together: `latest` of each dependency (the default, and Argo's), "
			"`fifo` (each is paired once, in order), `key` (those with the same value of joinKey)."),
	FIELD(struct trigger_template, join_key, "joinKey", 0,
		.doc = "Tidegate's own: an expression over `data`, `context` and `dependency`, such as `data.body.commit`; "
			"events with the same value pair, and many joins are open at a time."),
	FIELD(struct trigger_template, join_max, "joinMax", 0, .max = JOIN_MAX_LIMIT,
		.doc = "Tidegate's own: how many events may wait (fifo), or joins be open (key); 1000 by default. The oldest "
			"gives way, with the decision `evicted`."),
	FIELD(struct trigger_template, name, "name", 0, .doc = "Name of the trigger."),
	FIELD(struct trigger_template, within, "within", 0, .doc = "Tidegate's own: how long an event waits for the others, such as "
		"`10m`; for ever by default. What waits longer is dropped from the join, with the decision `expired`."),
#define TRIGGER(kind) FIELD_NONE(#kind, 0, .doc = "What a trigger of kind " #kind " does."),
#include "triggers/triggers.def"
#undef TRIGGER
	FIELD_SRC(struct trigger_template, src),
	{ 0 } }, check_template };

static void
check_k8s_policy(void *obj, const struct val *in, struct decode *c)
{
	const struct policy_labels *p = obj;

	if (!p->labels.n)
		decode_error(c, in, "labels", "resource labels are not specified");
}

static const struct schema k8s_policy_schema = { "K8SResourcePolicy", "Labels that the object must get.",
	sizeof(struct policy_labels), (const struct field[]){
	FIELD_PTR(struct policy_labels, backoff, "backoff", 0, &backoff_schema, .doc = "How often and when to look."),
	FIELD(struct policy_labels, error_on_timeout, "errorOnBackoffTimeout", 0,
		.doc = "Whether it is a failure if they do not come."),
	FIELD(struct policy_labels, labels, "labels", 0, .doc = "The labels."),
	FIELD_SRC(struct policy_labels, src),
	{ 0 } }, check_k8s_policy };

static void
check_status_policy(void *obj, const struct val *in, struct decode *c)
{
	const struct status_policy *p = obj;
	int64_t code;

	if (!val_is(p->allow, VAL_LIST) || !p->allow->n) {
		decode_error(c, in, "allow", "list of allowed response status is not specified");
		return;
	}
	for (uint32_t i = 0; i < p->allow->n; i++)
		if (!val_to_i64(&p->allow->items[i], &code))
			decode_error(c, &p->allow->items[i], NULL, "a status must be an integer, not %s",
				val_kind_name(&p->allow->items[i]));
}

static const struct schema status_policy_schema = { "StatusPolicy", "Statuses that count as success.",
	sizeof(struct status_policy), (const struct field[]){
	FIELD(struct status_policy, allow, "allow", 0, .doc = "The statuses, such as 200."),
	FIELD_SRC(struct status_policy, src),
	{ 0 } }, check_status_policy };

static const struct schema policy_schema = { "TriggerPolicy", "When a trigger counts as done.", sizeof(struct policy),
	(const struct field[]){
	FIELD_PTR(struct policy, k8s, "k8s", 0, &k8s_policy_schema,
		.doc = "By labels of the object: k8s and argoWorkflow."),
	FIELD_PTR(struct policy, status, "status", 0, &status_policy_schema,
		.doc = "By status of the answer: http, awsLambda, openWhisk."),
	FIELD_SRC(struct policy, src),
	{ 0 } } };

static const char *const units[] = { "", "Second", "Minute", "Hour", NULL };
static const struct schema rate_limit_schema = { "RateLimit", "How often a trigger may fire; more waits.",
	sizeof(struct rate_limit), (const struct field[]){
	FIELD(struct rate_limit, requests, "requestsPerUnit", 0, .min = 1, .max = 1000000,
		.doc = "Most times in a unit of time."),
	FIELD(struct rate_limit, unit, "unit", 0, .choices = units, .doc = "Second (default), Minute or Hour."),
	{ 0 } } };

static void
check_batch(void *obj, const struct val *in, struct decode *c)
{
	const struct batch *b = obj;

	if (b->within.ns <= 0)
		decode_error(c, in, "within", "must be more than nothing, such as 10s");
}

static const struct schema batch_schema = { "Batch", "Tidegate's own: many events, one firing. Parameters see the list of a dependency's "
	"events, in the order they came: `dataKey: \"#.body.id\"` gives all ids, `dataKey: \"0.body.id\"` the first, `dataKey: \"#\"` how many there "
	"are; in a dataTemplate `.Input` is the list.", sizeof(struct batch), (const struct field[]){
	FIELD(struct batch, size, "size", REQ, .min = 1, .max = 10000, .doc = "It fires when so many have come: events, or joins where "
		"conditions join some."),
	FIELD(struct batch, within, "within", 0, .dflt = "1m", .doc = "It fires at the latest so long after the first. Beyond 16 MiB or 10000 "
		"events it fires earlier."),
	{ 0 } }, check_batch };

static void
check_debounce(void *obj, const struct val *in, struct decode *c)
{
	const struct debounce *d = obj;

	if (d->quiet.ns <= 0)
		decode_error(c, in, "quiet", "must be more than nothing, such as 10s");
	if (d->most.ns && d->most.ns < d->quiet.ns)
		decode_error(c, in, "atMost", "must not be shorter than quiet");
}

static const char *const debounced[] = { "", "last", "all", NULL };
static const struct schema debounce_schema = { "Debounce", "Tidegate's own: it fires once, when no more has come for a while.",
	sizeof(struct debounce), (const struct field[]){
	FIELD(struct debounce, most, "atMost", 0, .doc = "It fires at the latest so long after the first; for ever by default."),
	FIELD(struct debounce, events, "events", 0, .choices = debounced, .doc = "With which: `last` (the default; those before are told as "
		"`superseded`), or `all`: then parameters see lists, as with batch."),
	FIELD(struct debounce, quiet, "quiet", REQ, .doc = "How long nothing may come, such as `10s`."),
	{ 0 } }, check_debounce };

static void
check_gathering(const struct trigger_spec *t, const struct val *in, struct decode *c)
{
	if (t->batch && t->debounce)
		decode_error(c, in, "debounce", "batch and debounce exclude each other");
	if (t->dlq && (t->dlq->batch || t->dlq->debounce))
		decode_warn(c, t->dlq->src, t->dlq->batch ? "batch" : "debounce", "has no effect on a dlqTrigger: it gets what was given up, as it was");
}

static void
check_policy_kind(const struct trigger_spec *t, struct decode *c)
{
	const struct trigger_ops *kind = t->template ? t->template->kind : NULL;
	str key = kind ? str_c(kind->kind) : STR_NONE;
	bool object = str_eq(key, S("k8s")) || str_eq(key, S("argoWorkflow"));
	bool status = str_eq(key, S("http")) || str_eq(key, S("awsLambda")) || str_eq(key, S("openWhisk"));

	if (kind && t->policy && t->policy->k8s && !object)
		decode_warn(c, t->policy->src, "k8s", "has no effect on a trigger of kind %s", kind->kind);
	if (kind && t->policy && t->policy->status && !status)
		decode_warn(c, t->policy->src, "status", "has no effect on a trigger of kind %s", kind->kind);
}

static void
check_trigger(void *obj, const struct val *in, struct decode *c)
{
	const struct trigger_spec *t = obj;

	if (!t->template)
		decode_error(c, in, NULL, "trigger template can't be nil: write template: {name: ..., http: ...}");
	check_policy_kind(t, c);
	check_gathering(t, in, c);
	if (t->dlq && !t->at_least_once)
		decode_error(c, in, "dlqTrigger", "to use dlqTrigger, atLeastOnce must be true");
	if (t->dlq && !t->dlq->at_least_once)
		decode_error(c, t->dlq->src, "atLeastOnce", "atLeastOnce must be true within the dlqTrigger");
}

const struct schema trigger_spec_schema = { "Trigger", "What is done when events have come.",
	sizeof(struct trigger_spec), (const struct field[]){
	FIELD(struct trigger_spec, at_least_once, "atLeastOnce", 0,
		.doc = "Whether a firing is kept until it went well; here it always is."),
	FIELD_PTR(struct trigger_spec, batch, "batch", 0, &batch_schema, .doc = "Tidegate's own: many events, one firing."),
	FIELD_PTR(struct trigger_spec, debounce, "debounce", 0, &debounce_schema,
		.doc = "Tidegate's own: one firing when no more has come for a while."),
	FIELD_PTR(struct trigger_spec, dlq, "dlqTrigger", 0, &trigger_spec_schema,
		.doc = "What is done with the same events when it is given up; without one, or if that is given up, too, they are dead letters. Its "
		       "`conditions` have no effect."),
	FIELD_LIST(struct trigger_spec, parameters, "parameters", 0, &trigger_parameter_schema,
		.doc = "Values from events to put into the template."),
	FIELD_PTR(struct trigger_spec, policy, "policy", 0, &policy_schema, .doc = "When it counts as done."),
	FIELD_PTR(struct trigger_spec, rate_limit, "rateLimit", 0, &rate_limit_schema,
		.doc = "How often it may fire; what comes faster waits. Up to ten unused times are made up for at once."),
	FIELD_PTR(struct trigger_spec, retry, "retryStrategy", 0, &backoff_schema,
		.doc = "How often and when a failure is tried again."),
	FIELD_PTR(struct trigger_spec, template, "template", 0, &trigger_template_schema,
		.doc = "What is done, and when."),
	FIELD_SRC(struct trigger_spec, src),
	{ 0 } }, check_trigger };

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

/* ---- names of other objects --------------------------------------------------------------------------------- */

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
	.api = "argoproj.io/v1alpha1", .schema = &sensor_schema, .name_max = 63, .resolve = resolve };
