/* SPDX-License-Identifier: Apache-2.0 */
/* argoWorkflow and k8s: what they ask of the engine, what they do to objects that are kept, and that each is done once. */
#include "sensor_world.h"

#define TEMPLATE(kind) SENSOR("s") "  dependencies:\n" DEP("a") "  triggers:\n  - template:\n      name: t\n      " kind ":\n"
#define WORKFLOW_NAMED "        source: {resource: {apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {name: x}}}\n"
#define NAME_PARAMETER "        parameters: [{src: {dependencyName: a, dataKey: v}, dest: metadata.name}]\n"

static const char *
submitted(struct world *w, size_t i, const char *path)
{
	struct val v;
	struct err e;
	must(json_read(w->arena, engine.list[i].manifest, &v, &e), &e);
	const struct val *p = val_path(&v, path);
	return p ? json_write(w->arena, p).p : "";
}

/* A member of a kept object as JSON; "" if there is none. */
static const char *
kept(struct world *w, const char *kind, const char *name, const char *path)
{
	const struct object *o = objects_find_named(w->objects, kind, S("default"), str_c(name));
	const struct val *v = o ? val_path(o->manifest, path) : NULL;
	return v ? json_write(w->arena, v).p : "";
}

static int
read_row(sqlite3 *db, void *arg, struct err *e)
{
	str *out = arg;
	static struct arena *a;
	sqlite3_stmt *q = store_prepare(db, "SELECT manifest FROM object WHERE name = 'c'", e);
	if (!q)
		return -1;
	arena_free(a);
	a = arena_new();
	*out = sqlite3_step(q) == SQLITE_ROW ? arena_dup(a, store_text(q, 0)) : STR_NONE;
	return 0;
}

static str
row_of_c(struct world *w)
{
	str text;
	struct err e;
	settle(w);
	must(store_read_now(w->store, read_row, &text, &e), &e);
	return text;
}

/* ---- argoWorkflow: verbs -------------------------------------------------------------------------------------------------- */

static void
each_operation_is_the_engines_verb(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *operation, *args;
		enum verb verb;
		const char *text;
	} rows[] = {
		{ "suspend", "[]", VERB_SUSPEND, "" }, { "resume", "[--node-field-selector, 'displayName=a']", VERB_RESUME, "displayName=a" },
		{ "stop", "[--message=no more]", VERB_STOP, "no more" }, { "terminate", "[]", VERB_TERMINATE, "" },
		{ "retry", "[--restart-successful, '--node-field-selector=id=1']", VERB_RETRY, "id=1" }, { "resubmit", "[--memoized, -pa=b]", VERB_RESUBMIT, "" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		apply(w, TEMPLATE("argoWorkflow") "        operation: %s\n        args: %s\n" WORKFLOW_NAMED NAME_PARAMETER, rows[i].operation, rows[i].args);
		wait_for_verdict(w, emit(w, "a", "{\"v\":\"hello-1\"}"), "t", "fired");
		assert_int_equal(engine.verbs_n, i + 1);
		assert_int_equal(engine.verbs[i].verb, rows[i].verb);
		assert_string_equal(engine.verbs[i].name, "default/hello-1");
		assert_string_equal(engine.verbs[i].text, rows[i].text);
	}
}

static void
a_verb_that_the_engine_refuses_is_a_dead_letter(void **state)
{
	struct world *w = *state;
	engine.refuse_verb = ERR_EXISTS;
	apply(w, TEMPLATE("argoWorkflow") "        operation: retry\n" WORKFLOW_NAMED);
	wait_for_verdict(w, emit(w, "a", "{}"), "t", "dead-letter: the engine says no");
}

/* The firing's row and the verb are one transaction: a crash after it does not repeat the verb, one before it does it. */
static void
a_verb_is_done_once(void **state)
{
	struct world *w = *state;
	apply(w, TEMPLATE("argoWorkflow") "        operation: resubmit\n" WORKFLOW_NAMED);
	for (int i = 0; i < 5; i++)
		emit(w, "a", "{}");
	settle(w);
	restart(w);
	settle(w);
	assert_int_equal(engine.verbs_n, 5);
}

static void
args_may_name_another_namespace(void **state)
{
	struct world *w = *state;
	apply(w, TEMPLATE("argoWorkflow") "        operation: submit\n        args: [-n, other]\n        source: {resource: {apiVersion: argoproj.io/v1alpha1, "
	      "kind: Workflow, metadata: {generateName: x-}}}\n        parameters: [{src: {dependencyName: a, dataKey: ns, value: \"\"}, dest: metadata.namespace}]\n");
	assert_string_equal(verdict(w, emit(w, "a", "{}"), "t"), "fired");
	assert_string_equal(submitted(w, 0, "metadata.namespace"), "\"other\"");
	assert_string_equal(verdict(w, emit(w, "a", "{\"ns\":\"third\"}"), "t"), "fired");
	assert_string_equal(submitted(w, 1, "metadata.namespace"), "\"third\"");
	apply(w, TEMPLATE("argoWorkflow") "        operation: stop\n        args: [-n, other]\n" WORKFLOW_NAMED);
	wait_for_verdict(w, emit(w, "a", "{}"), "t", "fired");
	assert_string_equal(engine.verbs[0].name, "other/x");
}

static void
a_verb_without_a_name_says_so(void **state)
{
	struct world *w = *state;
	apply(w, TEMPLATE("argoWorkflow") "        operation: stop\n        source: {resource: {apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: "
	      "{generateName: x-}}}\n");
	wait_for_verdict(w, emit(w, "a", "{}"), "t", "dead-letter: failed to execute the workflow stop operation, no name is given");
}

/* ---- argoWorkflow: submit -------------------------------------------------------------------------------------------------- */

static void
submit_from_names_its_template_and_its_sensor(void **state)
{
	struct world *w = *state;
	apply(w, "apiVersion: argoproj.io/v1alpha1\nkind: WorkflowTemplate\nmetadata: {name: build}\nspec:\n  entrypoint: main\n  templates: [{name: main, suspend: {}}]\n---\n"
	      "apiVersion: argoproj.io/v1alpha1\nkind: CronWorkflow\nmetadata: {name: nightly}\nspec: {schedules: ['* * * * *'], workflowSpec: {entrypoint: main, "
	      "templates: [{name: main, suspend: {}}]}}\n---\n"
	      TEMPLATE("argoWorkflow") "        operation: submit-from\n        source: {resource: {apiVersion: argoproj.io/v1alpha1, kind: WorkflowTemplate, metadata: "
	      "{name: build}}}\n        parameters:\n        - {src: {dependencyName: a, dataKey: kind}, dest: kind}\n        - {src: {dependencyName: a, dataKey: v}, "
	      "dest: metadata.name}\n");
	assert_string_equal(verdict(w, emit(w, "a", "{\"kind\":\"WorkflowTemplate\",\"v\":\"build\"}"), "t"), "fired");
	assert_string_equal(submitted(w, 0, "spec"), "{\"workflowTemplateRef\":{\"name\":\"build\"}}");
	assert_string_equal(submitted(w, 0, "metadata.generateName"), "\"build-\"");
	assert_non_null(strstr(submitted(w, 0, "metadata.labels"), "\"workflows.argoproj.io/workflow-template\":\"build\""));
	assert_non_null(strstr(submitted(w, 0, "metadata.labels"), "\"events.argoproj.io/sensor\":\"s\""));
	assert_string_equal(verdict(w, emit(w, "a", "{\"kind\":\"CronWorkflow\",\"v\":\"nightly\"}"), "t"), "fired");
	assert_non_null(strstr(submitted(w, 1, "spec"), "\"entrypoint\":\"main\""));
	assert_string_equal(verdict(w, emit(w, "a", "{\"kind\":\"CronWorkflow\",\"v\":\"nightl\"}"), "t"),
	                    "dead-letter: argoWorkflow submit-from: no CronWorkflow \"nightl\"; did you mean \"nightly\"?");
	assert_string_equal(verdict(w, emit(w, "a", "{\"kind\":\"Secret\",\"v\":\"x\"}"), "t"),
	                    "dead-letter: argoWorkflow submit-from: Resource kind 'Secret' is not supported for submitting");
}

/* ---- policy.k8s -------------------------------------------------------------------------------------------------------------- */

#define POLICY(more) "    policy: {k8s: {labels: {workflows.argoproj.io/phase: Succeeded}, backoff: {duration: 10s, steps: 4, jitter: 0}" more "}}\n"
#define RUNNING "{\"workflows.argoproj.io/phase\":\"Running\"}"
#define SUCCEEDED "{\"workflows.argoproj.io/phase\":\"Succeeded\",\"workflows.argoproj.io/completed\":\"true\"}"
#define FAILED "{\"workflows.argoproj.io/phase\":\"Failed\",\"workflows.argoproj.io/completed\":\"true\"}"

static void
a_policy_waits_for_the_labels(void **state)
{
	struct world *w = *state;
	engine.labels = RUNNING;
	apply(w, SENSOR("s") "  dependencies:\n" DEP("a") "  triggers:\n  - template:\n      name: t\n" WORKFLOW POLICY(", errorOnBackoffTimeout: true"));
	const char *id = emit(w, "a", "{}");
	assert_string_equal(verdict(w, id, "t"), "pending");
	later(w, 10);
	settle(w);
	assert_int_equal(engine.gets, 2);
	assert_string_equal(verdict(w, id, "t"), "pending");
	engine.labels = SUCCEEDED;
	later(w, 10);
	wait_for_verdict(w, id, "t", "fired");
	assert_int_equal(engine.n, 1);
	assert_null(engine.changed);
}

static void
labels_that_do_not_come_are_a_failure_only_if_the_policy_says_so(void **state)
{
	struct world *w = *state;
	engine.labels = RUNNING;
	apply(w, SENSOR("s") "  dependencies:\n" DEP("a") "  triggers:\n  - template:\n      name: t\n" WORKFLOW POLICY(", errorOnBackoffTimeout: true")
	      "    retryStrategy: {steps: 2, duration: 1s, factor: 1, jitter: 0}\n  - template:\n      name: u\n" WORKFLOW POLICY(""));
	const char *id = emit(w, "a", "{}");
	for (int i = 0; i < 3; i++) { /* four looks, three pauses */
		assert_string_equal(verdict(w, id, "t"), "pending");
		later(w, 10);
	}
	wait_for_verdict(w, id, "u", "fired");
	wait_for_verdict(w, id, "t", "failed: policy.k8s: Workflow wf-0 did not get its labels in time: workflows.argoproj.io/phase=Running, not Succeeded");
	assert_int_equal(engine.n, 2);
	later(w, 1);
	settle(w);
	assert_int_equal(engine.n, 3); /* the next attempt makes a Workflow of its own */
	engine.labels = SUCCEEDED;
	later(w, 10);
	wait_for_verdict(w, id, "t", "fired");
}

static void
a_workflow_that_ended_otherwise_is_not_waited_for(void **state)
{
	struct world *w = *state;
	engine.labels = RUNNING;
	apply(w, SENSOR("s") "  dependencies:\n" DEP("a") "  triggers:\n  - template:\n      name: t\n" WORKFLOW POLICY(", errorOnBackoffTimeout: true")
	      "    retryStrategy: {steps: 1}\n");
	const char *id = emit(w, "a", "{}");
	assert_string_equal(verdict(w, id, "t"), "pending");
	engine.labels = FAILED;
	assert_non_null(engine.changed);
	engine.changed(engine.changed_arg, S("default"), S("wf-0"), true, false);
	wait_for_verdict(w, id, "t", "dead-letter: policy.k8s: Workflow wf-0 has ended without its labels: workflows.argoproj.io/phase=Failed, not Succeeded");
}

/* Beyond a thousand that wait, firings stay in the queue, and go on when some have ended. */
static void
those_that_wait_are_bounded(void **state)
{
	struct world *w = *state;
	engine.labels = RUNNING;
	apply(w, TEMPLATE("argoWorkflow") "        operation: suspend\n" WORKFLOW_NAMED POLICY(""));
	for (int i = 0; i < 1100; i++)
		emit(w, "a", "{}");
	settle(w);
	assert_in_range(engine.verbs_n, 1000, 1016);
	engine.labels = SUCCEEDED;
	for (int i = 0; i < 20 && engine.verbs_n < 1100; i++) {
		later(w, 10);
		settle(w);
	}
	assert_int_equal(engine.verbs_n, 1100);
}

/* What was done is not done again; the wait goes on. */
static void
a_restart_while_labels_are_waited_for(void **state)
{
	struct world *w = *state;
	engine.labels = RUNNING;
	apply(w, TEMPLATE("argoWorkflow") "        operation: resubmit\n" WORKFLOW_NAMED POLICY(", errorOnBackoffTimeout: true"));
	const char *id = emit(w, "a", "{}");
	assert_string_equal(verdict(w, id, "t"), "pending");
	assert_int_equal(engine.verbs_n, 1);
	restart(w);
	settle(w);
	assert_int_equal(engine.verbs_n, 1);
	engine.labels = SUCCEEDED;
	later(w, 10);
	wait_for_verdict(w, id, "t", "fired");
	assert_int_equal(engine.verbs_n, 1);
}

/* ---- k8s: objects that are kept -------------------------------------------------------------------------------------------- */

#define K8S(operation, more) TEMPLATE("k8s") "        operation: " operation "\n" more "        source:\n          resource:\n            apiVersion: v1\n" \
	"            kind: ConfigMap\n            metadata: {name: c, labels: {mine: yes}}\n"
#define DATA "            data: {a: one, b: two}\n"
#define A_PARAMETER "        parameters: [{src: {dependencyName: a, dataKey: v}, dest: data.a}]\n"

static void
create_update_and_delete_a_config_map(void **state)
{
	struct world *w = *state;
	apply(w, K8S("create", "") DATA A_PARAMETER);
	assert_string_equal(verdict(w, emit(w, "a", "{\"v\":\"1\"}"), "t"), "fired");
	assert_string_equal(kept(w, "ConfigMap", "c", "data"), "{\"a\":\"1\",\"b\":\"two\"}");
	assert_non_null(strstr(kept(w, "ConfigMap", "c", "metadata.labels"), "\"events.argoproj.io/trigger\":\"t\""));
	assert_string_equal(verdict(w, emit(w, "a", "{\"v\":\"2\"}"), "t"), "dead-letter: configmaps \"c\" already exists");
	const char *uid = kept(w, "ConfigMap", "c", "metadata.uid");
	apply(w, K8S("update", "") "            data: {a: x, c: three}\n" A_PARAMETER);
	assert_string_equal(verdict(w, emit(w, "a", "{\"v\":\"3\"}"), "t"), "fired");
	assert_string_equal(kept(w, "ConfigMap", "c", "data"), "{\"a\":\"3\",\"b\":\"two\",\"c\":\"three\"}");
	assert_string_equal(kept(w, "ConfigMap", "c", "metadata.uid"), uid);
	assert_non_null(strstr(row_of_c(w).p, "\"c\":\"three\""));
	apply(w, K8S("delete", ""));
	assert_string_equal(verdict(w, emit(w, "a", "{}"), "t"), "fired");
	assert_string_equal(kept(w, "ConfigMap", "c", "data"), "");
	assert_null(row_of_c(w).p);
	assert_string_equal(verdict(w, emit(w, "a", "{}"), "t"), "fired"); /* there is nothing to delete */
}

/* A name of its own for each. */
static void
a_generated_name_is_nobody_elses(void **state)
{
	struct world *w = *state;
	apply(w, TEMPLATE("k8s") "        source: {resource: {apiVersion: v1, kind: ConfigMap, metadata: {generateName: made-}, data: {a: x}}}\n");
	for (int i = 0; i < 300; i++)
		emit(w, "a", "{}");
	settle(w);
	assert_int_equal(objects_count(w->objects), 301);
}

static void
update_and_patch_of_what_there_is_not_create_it(void **state)
{
	struct world *w = *state;
	apply(w, K8S("update", "") DATA);
	assert_string_equal(verdict(w, emit(w, "a", "{}"), "t"), "fired");
	assert_string_equal(kept(w, "ConfigMap", "c", "metadata.labels"), "{\"mine\":\"yes\"}"); /* without labels of ours, as in Argo */
	apply(w, K8S("delete", ""));
	assert_string_equal(verdict(w, emit(w, "a", "{}"), "t"), "fired");
	apply(w, K8S("patch", "") DATA);
	assert_string_equal(verdict(w, emit(w, "a", "{}"), "t"), "fired");
	assert_string_equal(kept(w, "ConfigMap", "c", "data.b"), "\"two\"");
}

static void
patches_of_each_strategy(void **state)
{
	struct world *w = *state;
	apply(w, K8S("create", "") DATA);
	assert_string_equal(verdict(w, emit(w, "a", "{}"), "t"), "fired");
	apply(w, K8S("patch", "") "            data: {a: null, c: three}\n");
	assert_string_equal(verdict(w, emit(w, "a", "{}"), "t"), "fired");
	assert_string_equal(kept(w, "ConfigMap", "c", "data"), "{\"b\":\"two\",\"c\":\"three\"}");
	apply(w, K8S("patch", "        patchStrategy: application/strategic-merge-patch+json\n") "            data: {d: four}\n");
	assert_string_equal(verdict(w, emit(w, "a", "{}"), "t"), "fired");
	assert_string_equal(kept(w, "ConfigMap", "c", "data"), "{\"b\":\"two\",\"c\":\"three\",\"d\":\"four\"}");
	apply(w, K8S("patch", "        patchStrategy: application/json-patch+json\n") "            patch:\n            - {op: test, path: /data/b, value: two}\n"
	      "            - {op: remove, path: /data/b}\n            - {op: add, path: /data/e, value: none}\n"
	      "        parameters: [{src: {dependencyName: a, dataKey: v}, dest: patch.2.value}]\n");
	assert_string_equal(verdict(w, emit(w, "a", "{\"v\":\"five\"}"), "t"), "fired");
	assert_string_equal(kept(w, "ConfigMap", "c", "data"), "{\"c\":\"three\",\"d\":\"four\",\"e\":\"five\"}");
	assert_string_equal(verdict(w, emit(w, "a", "{\"v\":\"six\"}"), "t"),
	                    "dead-letter: operation 0 of the JSON patch: there is nothing at \"/data/b\"");
	assert_string_equal(kept(w, "ConfigMap", "c", "data.e"), "\"five\"");
}

static void
a_live_object_gets_the_parameters(void **state)
{
	struct world *w = *state;
	apply(w, K8S("create", "") DATA);
	assert_string_equal(verdict(w, emit(w, "a", "{}"), "t"), "fired");
	apply(w, K8S("update", "        liveObject: true\n") "            data: {a: not looked at}\n"
	      "        parameters: [{src: {dependencyName: a, dataKey: v}, dest: data.b, operation: append}]\n");
	assert_string_equal(verdict(w, emit(w, "a", "{\"v\":\"+1\"}"), "t"), "fired");
	assert_string_equal(verdict(w, emit(w, "a", "{\"v\":\"+2\"}"), "t"), "fired");
	assert_string_equal(kept(w, "ConfigMap", "c", "data"), "{\"a\":\"one\",\"b\":\"two+1+2\"}");
	apply(w, K8S("delete", ""));
	emit(w, "a", "{}");
	settle(w);
	apply(w, K8S("update", "        liveObject: true\n"));
	assert_string_equal(verdict(w, emit(w, "a", "{}"), "t"), "dead-letter: configmaps \"c\" not found");
}

static void
what_came_from_a_file_stays_as_it_is(void **state)
{
	struct world *w = *state;
	static const char *const operations[] = { "update", "patch", "delete" };
	for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
		apply(w, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: file}\n---\n" K8S("%s", "") DATA, operations[i]);
		const char *id = emit(w, "a", "{}");
		assert_string_equal(verdict(w, id, "t"), strcmp(operations[i], "delete") ? "dead-letter: it comes from sensor.yaml: change it there"
		                                                                         : "dead-letter: it comes from sensor.yaml: change it there");
	}
	assert_string_equal(kept(w, "ConfigMap", "c", "data"), "{\"a\":\"file\"}");
}

static void
an_object_that_is_wrong_is_not_taken(void **state)
{
	struct world *w = *state;
	apply(w, K8S("create", "") "            datta: {a: one}\n");
	const char *got = verdict(w, emit(w, "a", "{}"), "t");
	assert_non_null(strstr(got, "dead-letter: datta: unknown field"));
	assert_string_equal(kept(w, "ConfigMap", "c", "metadata"), "");
	apply(w, TEMPLATE("k8s") "        source: {resource: {apiVersion: v1, kind: Pod, metadata: {name: x}}}\n");
	assert_non_null(strstr(verdict(w, emit(w, "a", "{}"), "t"), "dead-letter: objects of kind \"Pod\" (v1) are not served"));
	apply(w, TEMPLATE("k8s") "        source: {resource: {apiVersion: v2, kind: ConfigMap, metadata: {name: x}}}\n");
	assert_string_equal(verdict(w, emit(w, "a", "{}"), "t"), "dead-letter: wrong version for a ConfigMap: write apiVersion: v1");
}

static void
an_object_that_is_too_large_is_not_taken(void **state)
{
	struct world *w = *state;
	size_t n = 2 << 20;
	char *data = mem_alloc(n + 20);
	apply(w, K8S("create", "") DATA A_PARAMETER);
	memset(data, 'x', n);
	memcpy(data, "{\"v\":\"", 6);
	memcpy(data + n, "\"}", 3);
	assert_string_equal(verdict(w, emit(w, "a", data), "t"), "dead-letter: the object is larger than 1572864 bytes");
	free(data);
}

static void
a_policy_looks_at_kept_objects_too(void **state)
{
	struct world *w = *state;
	apply(w, K8S("create", "") DATA "    policy: {k8s: {labels: {mine: yes}}}\n");
	wait_for_verdict(w, emit(w, "a", "{}"), "t", "fired");
}

/* ---- k8s: Workflows ---------------------------------------------------------------------------------------------------------- */

#define K8S_WORKFLOW(operation, more) TEMPLATE("k8s") "        operation: " operation "\n        source: {resource: {apiVersion: argoproj.io/v1alpha1, kind: Workflow, " \
	"metadata: {name: x}" more "}}\n"

static void
a_patch_of_a_workflow_is_a_verb(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *spec;
		enum verb verb;
	} rows[] = { { "{suspend: true}", VERB_SUSPEND }, { "{suspend: null}", VERB_RESUME }, { "{shutdown: Stop}", VERB_STOP }, { "{shutdown: Terminate}", VERB_TERMINATE } };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		apply(w, K8S_WORKFLOW("patch", ", spec: %s"), rows[i].spec);
		wait_for_verdict(w, emit(w, "a", "{}"), "t", "fired");
		assert_int_equal(engine.verbs[i].verb, rows[i].verb);
	}
	apply(w, K8S_WORKFLOW("patch", ", spec: {entrypoint: b}"));
	assert_non_null(strstr(verdict(w, emit(w, "a", "{}"), "t"), "patch takes either spec.suspend or spec.shutdown"));
}

static void
delete_and_update_of_a_workflow(void **state)
{
	struct world *w = *state;
	apply(w, K8S_WORKFLOW("delete", ""));
	wait_for_verdict(w, emit(w, "a", "{}"), "t", "fired");
	assert_int_equal(engine.verbs[0].verb, VERB_DELETE);
	engine.refuse_verb = ERR_NOT_FOUND;
	wait_for_verdict(w, emit(w, "a", "{}"), "t", "fired");
	apply(w, K8S_WORKFLOW("patch", ", spec: {suspend: true}"));
	wait_for_verdict(w, emit(w, "a", "{}"), "t", "fired"); /* it is made */
	assert_int_equal(engine.n, 1);
	apply(w, K8S_WORKFLOW("update", ", spec: {entrypoint: a}"));
	wait_for_verdict(w, emit(w, "a", "{}"), "t", "fired"); /* so is this */
	assert_int_equal(engine.n, 2);
	engine.labels = RUNNING;
	const char *id = emit(w, "a", "{}");
	for (int i = 0; !strstr(verdict(w, id, "t"), "dead-letter") && i < 1000; i++)
		;
	assert_non_null(strstr(verdict(w, id, "t"), "it cannot be updated"));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, new_world, end_world)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_operation_is_the_engines_verb),
		TEST(a_verb_that_the_engine_refuses_is_a_dead_letter),
		TEST(a_verb_is_done_once),
		TEST(args_may_name_another_namespace),
		TEST(a_verb_without_a_name_says_so),
		TEST(submit_from_names_its_template_and_its_sensor),
		TEST(a_policy_waits_for_the_labels),
		TEST(labels_that_do_not_come_are_a_failure_only_if_the_policy_says_so),
		TEST(a_workflow_that_ended_otherwise_is_not_waited_for),
		TEST(those_that_wait_are_bounded),
		TEST(a_restart_while_labels_are_waited_for),
		TEST(create_update_and_delete_a_config_map),
		TEST(a_generated_name_is_nobody_elses),
		TEST(update_and_patch_of_what_there_is_not_create_it),
		TEST(patches_of_each_strategy),
		TEST(a_live_object_gets_the_parameters),
		TEST(what_came_from_a_file_stays_as_it_is),
		TEST(an_object_that_is_wrong_is_not_taken),
		TEST(an_object_that_is_too_large_is_not_taken),
		TEST(a_policy_looks_at_kept_objects_too),
		TEST(a_patch_of_a_workflow_is_a_verb),
		TEST(delete_and_update_of_a_workflow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
