/* SPDX-License-Identifier: Apache-2.0 */
/* trigger_schema: the tables of a Sensor's triggers (spec events 5.4: R2 to R23). */
#include "config/kube.h"
#include "core/cron.h"
#include "core/tz.h"
#include "sensors/join.h"
#include "sensors/join_key.h"
#include "sensors/schema_impl.h"
#include "sensors/spec.h"
#include "sensors/sensor.h"

static void
check_reset_by_time(void *obj, const struct val *in, struct decode *c)
{
	const struct reset_by_time *r = obj;
	struct cron cron;
	struct err e;

	if (cron_parse(r->cron, 0, c->arena, &cron, &e) < 0)
		decode_error(c, in, "cron", "invalid cron expression: %s", e.msg);
	sensor_check_timezone(r->timezone, in, c);
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
