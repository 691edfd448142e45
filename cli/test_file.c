/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/test_file.h"

#include "cli/files.h"

static void
need_map(struct decode *c, const struct val *in, const char *field, const struct val *v)
{
	if (v && v->kind != VAL_MAP)
		decode_error(c, in, field, "expected an object, not %s", val_kind_name(v));
}

static void
check_firing(void *obj, const struct val *in, struct decode *c)
{
	const struct expected_firing *x = obj;
	need_map(c, in, "parameters", x->parameters);
	need_map(c, in, "resource", x->resource);
	need_map(c, in, "settings", x->settings);
}

static void
check_workflow(void *obj, const struct val *in, struct decode *c)
{
	const struct expected_workflow *x = obj;
	need_map(c, in, "nodes", x->nodes);
	need_map(c, in, "outputs", x->outputs);
	need_map(c, in, "resource", x->resource);
}

/* ---- tables ------------------------------------------------------------------------------------------------------------------ */

static const struct schema test_event_schema = { "TestEvent", "An event that comes in. Of `data`, `body`, `text`, `file` and `bodyFile` one is given; "
	"without any its data is `{}`.", sizeof(struct test_event), (const struct field[]){
	FIELD(struct test_event, at, "at", 0, .doc = "When it comes: a duration after `clock` (`90s`), or a time. Without it: when the one before "
		"it came; of the first one, at `clock`."),
	FIELD(struct test_event, body, "body", 0, .one_of = "data", .doc = "What a sender would post: short for `data: {header: {}, body: ...}`, which is "
		"what webhook and its kin make of a request."),
	FIELD(struct test_event, body_file, "bodyFile", 0, .one_of = "data", .doc = "The same from a JSON file; its path is seen from the test file."),
	FIELD(struct test_event, content_type, "contentType", 0, .doc = "Type of its data; application/json."),
	FIELD(struct test_event, data, "data", 0, .one_of = "data", .doc = "Its data as sensors see it."),
	FIELD(struct test_event, event, "event", REQ, .doc = "Name of the entry of the EventSource: a dependency's eventName."),
	FIELD(struct test_event, file, "file", 0, .one_of = "data", .doc = "A file with its data; its path is seen from the test file."),
	FIELD(struct test_event, headers, "headers", 0, .doc = "With `body` or `bodyFile`: headers of the request."),
	FIELD(struct test_event, id, "id", 0, .doc = "Its id, by which expectations call it; event-1, event-2 and so on."),
	FIELD(struct test_event, source, "source", REQ, .doc = "Name of the EventSource: a dependency's eventSourceName."),
	FIELD(struct test_event, subject, "subject", 0, .doc = "Its subject, if it is not the entry's name."),
	FIELD(struct test_event, text, "text", 0, .one_of = "data", .doc = "Its data byte by byte."),
	FIELD(struct test_event, type, "type", 0, .doc = "Its type; webhook."),
	FIELD_SRC(struct test_event, src),
	{ 0 } } };

static const struct schema expected_firing_schema = { "ExpectedFiring", "What a trigger would do. What is left out is not compared.",
	sizeof(struct expected_firing), (const struct field[]){
	FIELD(struct expected_firing, at, "at", 0, .doc = "When: a duration after `clock`, or a time."),
	FIELD(struct expected_firing, events, "events", 0, .doc = "Ids of its events, in the order they came."),
	FIELD(struct expected_firing, exactly, "exactly", 0, .doc = "`resource`, `payload` and `settings` are all there is; else they are what must be "
		"among it: of objects these members, of lists all. `null` means that it is not there."),
	FIELD(struct expected_firing, parameters, "parameters", 0, .doc = "Values by path, in the language of a parameter's `dest`, of what it would send: the resource, else the payload, else "
		"its settings. The empty path is all of it."),
	FIELD(struct expected_firing, payload, "payload", 0, .doc = "The body it would send; a text that is no JSON is compared as it is."),
	FIELD(struct expected_firing, resource, "resource", 0, .doc = "The object that k8s and argoWorkflow work with, parameters applied."),
	FIELD(struct expected_firing, sensor, "sensor", 0, .doc = "Name of the Sensor."),
	FIELD(struct expected_firing, settings, "settings", 0, .doc = "What is under the key of the trigger's kind (`http: {...}`), parameters applied."),
	FIELD(struct expected_firing, trigger, "trigger", 0, .doc = "Name of the trigger."),
	FIELD_SRC(struct expected_firing, src),
	{ 0 } }, check_firing };

static const struct schema expected_decision_schema = { "ExpectedDecision", "What became of an event at a dependency or a trigger, as `tidegate events` "
	"tells it. What is left out may be anything.", sizeof(struct expected_decision), (const struct field[]){
	FIELD(struct expected_decision, dependency, "dependency", 0, .doc = "Name of the dependency."),
	FIELD(struct expected_decision, event, "event", 0, .doc = "Id of the event."),
	FIELD(struct expected_decision, reason, "reason", 0, .doc = "Part of the reason."),
	FIELD(struct expected_decision, sensor, "sensor", 0, .doc = "Name of the Sensor."),
	FIELD(struct expected_decision, trigger, "trigger", 0, .doc = "Name of the trigger; what filters decide has none."),
	FIELD(struct expected_decision, verdict, "verdict", REQ, .doc = "filtered, error, unused, waiting, superseded, expired, reset, evicted, pending, fired, "
		"failed or dead-letter; `none`: no decision fits the rest."),
	FIELD_SRC(struct expected_decision, src),
	{ 0 } } };

static const struct schema expected_workflow_schema = { "ExpectedWorkflow", "A workflow when it has ended, or when nothing goes on in it.",
	sizeof(struct expected_workflow), (const struct field[]){
	FIELD(struct expected_workflow, message, "message", 0, .doc = "Part of its message."),
	FIELD(struct expected_workflow, nodes, "nodes", 0, .doc = "Nodes by display name, or by name with @ for the workflow's: a phase, or "
		"what must be among {phase, message, type, inputs, outputs}; inputs and outputs are values by name. `null`: there is no such node."),
	FIELD(struct expected_workflow, outputs, "outputs", 0, .doc = "Its global output parameters (`globalName`), by name; those of its first node are with the node `@`."),
	FIELD(struct expected_workflow, phase, "phase", 0, .doc = "Its phase."),
	FIELD(struct expected_workflow, resource, "resource", 0, .doc = "What must be in the Workflow: metadata, spec, status."),
	FIELD_SRC(struct expected_workflow, src),
	{ 0 } }, check_workflow };

static const struct schema expectation_schema = { "Expectation", "What must come of it. What is left out is not looked at.",
	sizeof(struct expectation), (const struct field[]){
	FIELD_LIST(struct expectation, decisions, "decisions", 0, &expected_decision_schema, .doc = "Decisions that there must be, among others: why "
		"something did not fire."),
	FIELD_LIST(struct expectation, firings, "firings", 0, &expected_firing_schema, .doc = "All firings there are, in their order; `[]`: none."),
	FIELD_LIST(struct expectation, workflows, "workflows", 0, &expected_workflow_schema, .doc = "All workflows that were made, in their order. They run "
		"with the results that `steps` says."),
	FIELD_SRC(struct expectation, src),
	{ 0 } } };

static const struct schema submission_schema = { "Submission", "A workflow that is submitted, without a sensor.", sizeof(struct submission),
	(const struct field[]){
	FIELD(struct submission, parameters, "parameters", ANYSTR, .doc = "Values for its parameters."),
	FIELD(struct submission, template, "template", 0, .one_of = "what", .doc = "Name of a WorkflowTemplate."),
	FIELD(struct submission, workflow, "workflow", 0, .one_of = "what", .doc = "Name (or generateName) of a Workflow among the manifests; if there is one "
		"alone it need not be named."),
	FIELD_SRC(struct submission, src),
	{ 0 } } };

static const char *const step_phases[] = { "", "Succeeded", "Failed", "Error", NULL };
static const struct schema step_schema = { "TestStep", "What the command of a step comes to. The first entry that fits counts; without one a step "
	"succeeds after a second.", 0, (const struct field[]){
	FIELD_AS("containers", FIELD_KVS, ANYSTR, .doc = "Of a container set: exit codes by name; `\"\"`: it was never started."),
	FIELD_AS("delay", FIELD_INT, 0, .max = 1000000000, .doc = "Seconds before it starts."),
	FIELD_AS("exit", FIELD_INT, 0, .max = 255, .doc = "Its exit code; 0."),
	FIELD_AS("message", FIELD_STR, 0, .doc = "The node's message, if it is not the usual one."),
	FIELD_AS("node", FIELD_STR, REQ, .doc = "Display name of the node (`build`, `build(0)`), its name with @ for the workflow's (`@.build`), or `*`."),
	FIELD_AS("parameters", FIELD_KVS, ANYSTR, .doc = "Values of its output parameters."),
	FIELD_AS("phase", FIELD_STR, 0, .choices = step_phases, .doc = "Error: it was lost."),
	FIELD_AS("progress", FIELD_STR, 0, .doc = "Its progress at the end, as 3/10."),
	FIELD_AS("ready", FIELD_INT, 0, .max = 1000000000, .doc = "Of a daemon: seconds until it is ready; 1."),
	FIELD_AS("result", FIELD_STR, ANYSTR, .doc = "Its result: what the command prints."),
	FIELD_AS("seconds", FIELD_INT, 0, .max = 1000000000, .doc = "How long it takes; 1. A daemon runs for ever without it."),
	FIELD_AS("times", FIELD_INT, 0, .min = 1, .max = 1000000000, .doc = "How often the entry counts for a node."),
	{ 0 } } };

static const char *const verbs[] = { "", "suspend", "resume", "stop", "terminate", "retry", "set", NULL };
static const struct schema verb_schema = { "TestVerb", "What somebody does to the workflow.", 0, (const struct field[]){
	FIELD_AS("at", FIELD_INT, REQ, .max = 1000000000, .doc = "Seconds after its start."),
	FIELD_AS("do", FIELD_STR, REQ, .choices = verbs, .doc = "suspend, resume, stop, terminate, retry or set."),
	FIELD_AS("message", FIELD_STR, 0, .doc = "Message of set and stop."),
	FIELD_AS("outputs", FIELD_KVS, ANYSTR, .doc = "Output parameters of set."),
	FIELD_AS("phase", FIELD_STR, 0, .doc = "Phase of set."),
	FIELD_AS("selector", FIELD_STR, 0, .doc = "nodeFieldSelector of resume, set, stop and retry."),
	{ 0 } } };

static void
check_case(void *obj, const struct val *in, struct decode *c)
{
	const struct test_case *t = obj;
	if (!t->expect && !t->manifests)
		decode_error(c, in, NULL, "a case needs expect; a document without it has manifests for the cases behind it");
	if (!t->expect && (t->events.n || t->submit))
		decode_error(c, in, "events", "without expect nothing would be looked at");
	if (t->expect && !t->name.n)
		decode_error(c, in, "name", "a case needs a name");
	for (size_t i = 0; i < t->events.n; i++)
		if (t->events.p[i].headers.n && !t->events.p[i].body && !t->events.p[i].body_file.n)
			decode_error(c, t->events.p[i].src, "headers", "headers stand beside body or bodyFile; data has its own header");
	if (t->manifests && t->manifests->kind != VAL_LIST)
		decode_error(c, in, "manifests", "expected a list of paths and objects, not %s", val_kind_name(t->manifests));
}

const struct schema test_case_schema = { "TestCase", "A case, one a document. A document without `expect` has manifests for all cases behind it.",
	sizeof(struct test_case), (const struct field[]){
	FIELD(struct test_case, clock, "clock", 0, .dflt = "2026-01-01T12:00:00Z", .doc = "The time when it begins."),
	FIELD_LIST(struct test_case, events, "events", 0, &test_event_schema, .doc = "What comes in, in the order of time."),
	FIELD_PTR(struct test_case, expect, "expect", 0, &expectation_schema, .doc = "What must come of it."),
	FIELD(struct test_case, manifests, "manifests", 0, .doc = "Sensors, workflows, templates, ConfigMaps: paths of files and folders, seen from the test file, "
		"and objects written out here."),
	FIELD(struct test_case, name, "name", 0, .doc = "What it says."),
	FIELD(struct test_case, ns, "namespace", 0, .dflt = "default", .doc = "Namespace of the events, and of objects that name none."),
	FIELD(struct test_case, steps, "steps", 0, .as = FIELD_LIST_, .schema = &step_schema, .doc = "What steps of workflows come to. Nothing is executed."),
	FIELD_PTR(struct test_case, submit, "submit", 0, &submission_schema, .doc = "A workflow to run without a sensor."),
	FIELD(struct test_case, until, "until", 0, .doc = "Time goes on so long after the last event: a duration after `clock`, or a time. What batch, debounce, "
		"within, conditionsReset and rateLimit bring happens by then; without it time stops with the last event."),
	FIELD(struct test_case, verbs, "verbs", 0, .as = FIELD_LIST_, .schema = &verb_schema, .doc = "What is done to workflows while they run."),
	FIELD_SRC(struct test_case, src),
	{ 0 } }, check_case };

/* ---- reading ------------------------------------------------------------------------------------------------------------------- */

str
test_file_beside(const struct test_file *f, str path, struct arena *a)
{
	size_t slash = f->path.n;
	while (slash && f->path.p[slash - 1] != '/')
		slash--;
	return str_starts(path, S("/")) ? arena_dup(a, path) : arena_fmt(a, "%.*s%.*s", (int)slash, f->path.p, STR_ARG(path));
}

static bool
is_empty(const struct val *doc)
{
	return doc->kind == VAL_NULL || val_resolve(doc).kind == VAL_NULL;
}

int
test_file_read(const char *path, struct arena *a, struct test_file *out, struct diags *d, struct err *e)
{
	struct val *docs;
	str text;
	size_t n, errors = d->errors;
	*out = (struct test_file){ .path = arena_dup(a, str_c(path)) };
	if (file_read(path, a, &text, e) < 0)
		return -1;
	str outer = d->file;
	d->file = out->path;
	diags_source(d, out->path, text);
	int rc = yaml_read_all(a, out->path, text, NULL, &docs, &n, d);
	for (size_t i = 0; i < n; i++) {
		if (is_empty(&docs[i]))
			continue;
		struct test_case c;
		rc |= schema_decode(&test_case_schema, a, &docs[i], STR_NONE, &c, d);
		*VEC_PUSH(&out->cases) = c;
	}
	d->file = outer;
	if (rc == 0 && d->errors == errors)
		return 0;
	test_file_free(out);
	return err_set(e, ERR_INVALID, "%s: not a test file", path);
}

void
test_file_free(struct test_file *f)
{
	VEC_FREE(&f->cases);
}
