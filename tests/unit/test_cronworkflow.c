/* SPDX-License-Identifier: Apache-2.0 */
/* CronWorkflows by a clock that the test sets. What the plays of tests/cron can show is there (test_cron_plays.c). */
#include "tests/unit/cron_world.h"

#define EVERY_MINUTE "  schedules: ['* * * * *']\n"

/* ---- slots ------------------------------------------------------------------------------------------------------ */

static void
a_slot_starts_a_workflow(void **state)
{
	struct world *w = *state;
	put(w, "job", EVERY_MINUTE "  timezone: Europe/Berlin\n  workflowMetadata: {labels: {a: b}, annotations: {c: d}}\n"
		"  workflowSpec: {entrypoint: main, arguments: {parameters: [{name: at, value: '{{workflow.scheduledTime}}'}]},"
		" templates: [{name: main, inputs: {parameters: [{name: t, value: '{{workflow.scheduledTime}}'}]}, suspend: {}}]}\n");
	expect(w, "");
	expect_at(w, "job", "status", "{\"active\":null,\"conditions\":null,\"failed\":0,\"lastScheduledTime\":null,\"phase\":\"\",\"succeeded\":0,"
		"\"tidegate\":{\"nextScheduledTime\":\"2026-07-15T10:01:00Z\"}}");
	to(w, "2026-07-15T10:00:59Z");
	expect(w, "");
	to(w, "2026-07-15T10:01:00Z");
	expect(w, "10:01 Running");
	expect_at(w, "job", "status.lastScheduledTime", "\"2026-07-15T10:01:00Z\"");
	expect_at(w, "job", "status.phase", "\"Active\"");
	assert_int_equal(val_path(view(w, "job"), "status.active")->n, 1);
	assert_true(str_eq(val_get_str(val_path(view(w, "job"), "metadata.annotations"), "cronworkflows.argoproj.io/last-used-schedule"),
		S("CRON_TZ=Europe/Berlin * * * * *")));
	const struct val *child = workflow(w, "job", "2026-07-15T10:01:00Z"), *labels = val_path(child, "metadata.labels");
	assert_true(str_eq(val_get_str(labels, CRON_LABEL), S("job")));
	assert_true(str_eq(val_get_str(labels, "a"), S("b")));
	assert_true(str_eq(val_get_str(val_path(child, "metadata.annotations"), "c"), S("d")));
	assert_true(str_eq(val_get_str(val_path(child, "metadata.annotations"), CRON_SCHEDULED), S("2026-07-15T10:01:00Z")));
	const struct val *nodes = val_path(child, "status.nodes"), *inputs = val_path(&nodes->members[0].value, "inputs.parameters");
	assert_true(str_eq(val_get_str(val_at(inputs, 0), "value"), S("2026-07-15T10:01:00Z")));
	assert_string_equal(explained(w, "job"), "the last slot started job-1784109660");
	finish(w, "job", "2026-07-15T10:01:00Z", VERB_RESUME);
	expect(w, "10:01 Succeeded");
	expect_at(w, "job", "status.active", "null");
	expect_at(w, "job", "status.succeeded", "1");
	to(w, "2026-07-15T10:02:10Z"); /* a turn that is late */
	expect(w, "10:01 Succeeded, 10:02 Running");
	finish(w, "job", "2026-07-15T10:02:00Z", VERB_STOP);
	expect_at(w, "job", "status.failed", "1");
}

static void
several_schedules_are_one_set_of_slots(void **state)
{
	struct world *w = *state;
	put(w, "job", "  schedules: ['*/2 * * * *', '*/3 * * * *']\n");
	to(w, "2026-07-15T10:02:00Z");
	to(w, "2026-07-15T10:03:00Z");
	to(w, "2026-07-15T10:04:00Z");
	to(w, "2026-07-15T10:05:00Z");
	to(w, "2026-07-15T10:06:00Z"); /* of both */
	expect(w, "10:02 Running, 10:03 Running, 10:04 Running, 10:06 Running");
}

/* @every counts from when the schedules came into force, over restarts, and beside others. */
static void
every_keeps_its_step(void **state)
{
	struct world *w = *state;
	put(w, "job", "  schedules: ['@every 90s', '5 10 * * *']\n");
	to(w, "2026-07-15T10:02:00Z");
	expect(w, "10:02 Running");
	restart(w, "2026-07-15T10:02:30Z");
	to(w, "2026-07-15T10:03:30Z");
	to(w, "2026-07-15T10:05:00Z");
	to(w, "2026-07-15T10:06:29Z");
	expect(w, "10:02 Running, 10:03 Running, 10:05 Running");
	to(w, "2026-07-15T10:06:30Z");
	expect(w, "10:02 Running, 10:03 Running, 10:05 Running, 10:06 Running");
}

/* What Go reads as a duration may lie behind the end of our time: that slot never comes. */
static void
every_some_centuries_is_never(void **state)
{
	struct world *w = *state;
	struct val v;
	struct err e;
	put(w, "job", "  schedules: ['@every 2562047h']\n");
	expect_at(w, "job", "status.tidegate", "");
	to(w, "2026-07-16T10:00:00Z");
	expect(w, "");
	assert_int_equal(engine_cron_slots(w->engine, S("default"), S("job"), at("1700-01-01T00:00:00Z"), INT64_MAX, 5, w->arena, &v, &e), 0);
	assert_int_equal(val_get(&v, S("slots"))->n, 0);
	put(w, "job", "  schedules: ['@every 2562047h', '1 10 * * *']\n");
	to(w, "2026-07-17T10:01:00Z");
	expect(w, "10:01 Running");
}

static void
daylight_saving_moves_a_slot(void **state)
{
	struct world *w = *state;
	to(w, "2026-03-28T12:00:00Z"); /* back: nothing was decided yet */
	put(w, "job", "  schedules: ['30 2 * * *']\n  timezone: Europe/Berlin\n");
	str argo = cron_text(w, "argo", "  schedules: ['30 2 * * *']\n  timezone: Europe/Berlin\n");
	size_t cut = str_find(argo, S("labels:"), 0);
	put_text(w, 1, arena_fmt(w->arena, "%.*sannotations: {tidegate/compat: argo}, %.*s", STR_ARG(str_slice(argo, 0, cut)), STR_ARG(str_slice(argo, cut, argo.n))));
	to(w, "2026-03-29T01:00:00Z"); /* 02:00 is 03:00 */
	expect(w, "01:00 Running");
	expect_at(w, "argo", "status.tidegate.nextScheduledTime", "\"2026-03-30T00:30:00Z\"");
	expect_at(w, "job", "status.tidegate.nextScheduledTime", "\"2026-03-30T00:30:00Z\"");
	to(w, "2026-10-24T12:00:00Z");
	to(w, "2026-10-25T00:30:00Z"); /* 02:30 for the first time */
	expect_at(w, "argo", "status.tidegate.nextScheduledTime", "\"2026-10-25T01:30:00Z\"");
	expect_at(w, "job", "status.tidegate.nextScheduledTime", "\"2026-10-26T01:30:00Z\"");
}

/* ---- late ------------------------------------------------------------------------------------------------------- */

static void
a_restart_around_a_slot_misses_nothing(void **state)
{
	struct world *w = *state;
	put(w, "job", "  schedules: ['*/5 * * * *']\n");
	restart(w, "2026-07-15T10:05:59Z");
	expect(w, "10:05 Running");
	restart(w, "2026-07-15T10:06:10Z"); /* not again */
	expect(w, "10:05 Running");
	restart(w, "2026-07-15T10:11:00Z"); /* a minute late */
	expect(w, "10:05 Running");
	assert_non_null(strstr(explained(w, "job"), "it was missed: looked at 60 s late"));
}

static void
of_missed_slots_the_last_runs_within_the_deadline(void **state)
{
	struct world *w = *state;
	put(w, "job", EVERY_MINUTE "  startingDeadlineSeconds: 30\n");
	restart(w, "2026-07-15T11:00:29Z");
	expect(w, "11:00 Running");
	restart(w, "2026-07-15T11:05:30Z");
	expect(w, "11:00 Running");
	to(w, "2026-07-15T11:06:40Z"); /* while it runs, a slot of the last minute is on time */
	expect(w, "11:00 Running, 11:06 Running");
}

static void
startingDeadlineSeconds_0_makes_up_for_nothing(void **state)
{
	struct world *w = *state;
	put(w, "job", EVERY_MINUTE "  startingDeadlineSeconds: 0\n");
	restart(w, "2026-07-15T10:01:01Z");
	expect(w, "");
	to(w, "2026-07-15T10:02:05Z");
	expect(w, "10:02 Running");
}

static void
a_changed_schedule_missed_nothing(void **state)
{
	struct world *w = *state;
	put(w, "job", "  schedules: ['5 * * * *']\n  startingDeadlineSeconds: 3600\n");
	w->manifests[0] = cron_text(w, "job", "  schedules: ['6 * * * *']\n  startingDeadlineSeconds: 3600\n");
	restart(w, "2026-07-15T10:10:00Z");
	expect(w, "");
	to(w, "2026-07-15T11:06:00Z");
	expect(w, "11:06 Running");
	put(w, "job", EVERY_MINUTE "  startingDeadlineSeconds: 3600\n"); /* 11:06 is one of its own, but was before it */
	to(w, "2026-07-15T11:06:30Z");
	expect(w, "11:06 Running");
}

static void
a_suspended_machine_makes_up_for_one_slot(void **state)
{
	struct world *w = *state;
	put(w, "job", EVERY_MINUTE);
	put_text(w, 1, cron_text(w, "late", "  schedules: ['0 * * * *']\n  startingDeadlineSeconds: 3000\n"));
	to(w, "2026-07-15T13:30:20Z");
	expect(w, "13:30 Running, 13:00 Running");
}

static void
a_clock_that_is_set_back_repeats_nothing(void **state)
{
	struct world *w = *state;
	put(w, "job", EVERY_MINUTE);
	to(w, "2026-07-15T10:10:00Z");
	to(w, "2026-07-15T10:05:00Z");
	restart(w, "2026-07-15T10:06:00Z");
	to(w, "2026-07-15T10:10:30Z");
	expect(w, "10:10 Running");
	to(w, "2026-07-15T10:11:00Z");
	expect(w, "10:10 Running, 10:11 Running");
	to(w, "2031-07-15T10:10:00Z"); /* a clock that was wrong by years */
	expect(w, "10:10 Running, 10:11 Running, 10:10 Running");
	restart(w, "2026-07-15T10:20:30Z");
	to(w, "2026-07-15T10:21:00Z");
	expect(w, "10:10 Running, 10:11 Running, 10:10 Running, 10:21 Running");
}

/* ---- concurrencyPolicy ------------------------------------------------------------------------------------------ */

static void
Forbid_starts_nothing_beside_another(void **state)
{
	struct world *w = *state;
	put(w, "job", EVERY_MINUTE "  concurrencyPolicy: Forbid\n");
	to(w, "2026-07-15T10:01:00Z");
	to(w, "2026-07-15T10:02:00Z");
	expect(w, "10:01 Running");
	assert_string_equal(explained(w, "job"), "the last slot started nothing: concurrencyPolicy: Forbid: job-1784109660 has not ended");
	restart(w, "2026-07-15T10:02:30Z"); /* that one is decided */
	to(w, "2026-07-15T10:03:00Z");
	expect(w, "10:01 Running");
	finish(w, "job", "2026-07-15T10:01:00Z", VERB_RESUME);
	expect(w, "10:01 Succeeded");
	to(w, "2026-07-15T10:04:00Z");
	expect(w, "10:01 Succeeded, 10:04 Running");
}

static void
Replace_terminates_what_runs(void **state)
{
	struct world *w = *state;
	put(w, "job", EVERY_MINUTE "  concurrencyPolicy: Replace\n  failedJobsHistoryLimit: 9\n");
	to(w, "2026-07-15T10:01:00Z");
	to(w, "2026-07-15T10:02:00Z");
	expect(w, "10:01 Failed, 10:02 Running");
	restart(w, "2026-07-15T10:02:30Z");
	to(w, "2026-07-15T10:03:00Z");
	expect(w, "10:01 Failed, 10:02 Failed, 10:03 Running");
	expect_at(w, "job", "status.failed", "2");
}

/* A workflow that waits to be let run, and is in no memory, has not ended either. */
static void
a_workflow_in_the_queue_counts(void **state)
{
	struct world *w = *state;
	close_world(w);
	w->settings.workflow_parallelism = 1;
	open_world(w);
	put(w, "job", EVERY_MINUTE);
	to(w, "2026-07-15T10:01:00Z");
	to(w, "2026-07-15T10:02:00Z");
	expect(w, "10:01 Running, 10:02 Pending");
	put(w, "job", EVERY_MINUTE "  concurrencyPolicy: Forbid\n");
	restart(w, "2026-07-15T10:02:30Z");
	assert_int_equal(val_path(view(w, "job"), "status.active")->n, 2);
	finish(w, "job", "2026-07-15T10:02:00Z", VERB_DELETE);
	assert_int_equal(val_path(view(w, "job"), "status.active")->n, 1);
	to(w, "2026-07-15T10:03:00Z");
	expect(w, "10:01 Running");
	put(w, "job", EVERY_MINUTE);
	to(w, "2026-07-15T10:04:00Z");
	put(w, "job", EVERY_MINUTE "  concurrencyPolicy: Replace\n  failedJobsHistoryLimit: 9\n");
	to(w, "2026-07-15T10:05:00Z");
	expect(w, "10:01 Failed, 10:04 Failed, 10:05 Running");
}

/* ---- suspend ---------------------------------------------------------------------------------------------------- */

static void
suspend_starts_nothing_and_misses_nothing(void **state)
{
	struct world *w = *state;
	put(w, "job", EVERY_MINUTE "  startingDeadlineSeconds: 3600\n  suspend: true\n");
	to(w, "2026-07-15T10:03:00Z");
	expect(w, "");
	assert_string_equal(explained(w, "job"), "suspend: true keeps it from starting anything");
	put(w, "job", EVERY_MINUTE "  startingDeadlineSeconds: 3600\n");
	expect(w, "");
	to(w, "2026-07-15T10:04:00Z");
	expect(w, "10:04 Running");
}

static void
a_verb_holds_until_the_manifest_says_otherwise(void **state)
{
	struct world *w = *state;
	put(w, "job", EVERY_MINUTE "  startingDeadlineSeconds: 3600\n");
	hold(w, "job", true);
	expect_at(w, "job", "spec.suspend", "true");
	restart(w, "2026-07-15T10:05:00Z");
	put(w, "job", "  schedules: ['*/1 * * * *']\n  startingDeadlineSeconds: 3600\n"); /* another edit */
	to(w, "2026-07-15T10:06:00Z");
	expect(w, "");
	assert_string_equal(explained(w, "job"), "it is suspended: `tidegate cron resume` lets it go on");
	hold(w, "job", false);
	expect(w, ""); /* not 10:06 */
	to(w, "2026-07-15T10:07:00Z");
	expect(w, "10:07 Running");
	hold(w, "job", true);
	put(w, "job", "  schedules: ['*/1 * * * *']\n  suspend: true\n");
	put(w, "job", "  schedules: ['*/1 * * * *']\n");
	to(w, "2026-07-15T10:08:00Z");
	expect(w, "10:07 Running, 10:08 Running");
}

/* ---- how many stay ---------------------------------------------------------------------------------------------- */

static void
history_limits_keep_the_newest(void **state)
{
	struct world *w = *state;
	static const char *const slots[] = { "2026-07-15T10:01:00Z", "2026-07-15T10:02:00Z", "2026-07-15T10:03:00Z", "2026-07-15T10:04:00Z" };
	put(w, "job", EVERY_MINUTE "  successfulJobsHistoryLimit: 2\n");
	put_text(w, 1, cron_text(w, "other", "  schedules: ['1 * * * *']\n")); /* whose workflow stays */
	for (size_t i = 0; i < ARRAY_LEN(slots); i++)
		to(w, slots[i]);
	finish(w, "job", slots[2], VERB_RESUME);
	to(w, "2026-07-15T10:04:10Z");
	finish(w, "job", slots[0], VERB_RESUME);
	to(w, "2026-07-15T10:04:20Z");
	finish(w, "other", slots[0], VERB_RESUME);
	finish(w, "job", slots[1], VERB_RESUME);
	expect(w, "10:01 Succeeded, 10:01 Succeeded, 10:02 Succeeded, 10:04 Running"); /* that of 10:03 ended first */
	finish(w, "job", slots[3], VERB_STOP);
	to(w, "2026-07-15T10:05:00Z");
	to(w, "2026-07-15T10:05:10Z");
	finish(w, "job", "2026-07-15T10:05:00Z", VERB_TERMINATE);
	expect(w, "10:01 Succeeded, 10:01 Succeeded, 10:02 Succeeded, 10:05 Failed"); /* one failure, if nothing is said */
	put(w, "job", EVERY_MINUTE "  successfulJobsHistoryLimit: 0\n  failedJobsHistoryLimit: 0\n");
	expect(w, "10:01 Succeeded");
	expect_at(w, "job", "status.succeeded", "3");
	expect_at(w, "job", "status.failed", "2");
}

/* ---- stopStrategy, when ----------------------------------------------------------------------------------------- */

static void
stopStrategy_stops_for_good(void **state)
{
	struct world *w = *state;
	put(w, "job", EVERY_MINUTE "  stopStrategy: {expression: 'cronworkflow.succeeded >= 1'}\n");
	to(w, "2026-07-15T10:01:00Z");
	to(w, "2026-07-15T10:02:00Z");
	finish(w, "job", "2026-07-15T10:01:00Z", VERB_RESUME);
	expect_at(w, "job", "status.phase", "\"Stopped\"");
	assert_true(str_eq(val_get_str(val_path(view(w, "job"), "metadata.labels"), "cronworkflows.argoproj.io/completed"), S("true")));
	to(w, "2026-07-15T10:03:00Z");
	restart(w, "2026-07-15T10:04:00Z");
	to(w, "2026-07-15T10:05:00Z");
	expect(w, "10:01 Succeeded, 10:02 Running");
	assert_string_equal(explained(w, "job"), "stopStrategy.expression has stopped it for good");
	put(w, "job", EVERY_MINUTE "  stopStrategy: {expression: 'cronworkflow.succeeded >= 5'}\n"); /* another one is asked again */
	to(w, "2026-07-15T10:06:00Z");
	expect(w, "10:01 Succeeded, 10:02 Running, 10:06 Running");
	put(w, "job", EVERY_MINUTE "  stopStrategy: {expression: 'cronworkflow.nothing >= 5'}\n");
	to(w, "2026-07-15T10:07:00Z");
	expect(w, "10:01 Succeeded, 10:02 Running, 10:06 Running");
	assert_non_null(strstr(json_write(w->arena, val_path(view(w, "job"), "status.conditions")).p, "SpecError"));
}

static void
when_is_asked_at_each_slot(void **state)
{
	struct world *w = *state;
	put(w, "job", EVERY_MINUTE
		"  when: '{{= cronworkflow.lastScheduledTime == nil || (now() - cronworkflow.lastScheduledTime).Seconds() >= 120 }}'\n");
	to(w, "2026-07-15T10:01:00Z");
	to(w, "2026-07-15T10:02:00Z");
	assert_string_equal(explained(w, "job"), "the last slot started nothing: `when` did not hold: false");
	to(w, "2026-07-15T10:03:00Z");
	to(w, "2026-07-15T10:04:00Z");
	expect(w, "10:01 Running, 10:03 Running");
	put(w, "job", EVERY_MINUTE "  when: \"{{cronworkflow.failed}} == 0 && '{{cronworkflow.labels.team}}' == 'blue'\"\n");
	to(w, "2026-07-15T10:05:00Z");
	expect(w, "10:01 Running, 10:03 Running, 10:05 Running");
	put(w, "job", EVERY_MINUTE "  when: \"{{cronworkflow.labels.team}} == blue\"\n"); /* bare words are no strings here */
	to(w, "2026-07-15T10:06:00Z");
	expect(w, "10:01 Running, 10:03 Running, 10:05 Running");
	expect_at(w, "job", "status.failed", "1");
	assert_non_null(strstr(json_write(w->arena, val_path(view(w, "job"), "status.conditions")).p, "SubmissionError"));
	put(w, "job", EVERY_MINUTE);
	to(w, "2026-07-15T10:07:00Z");
	expect_at(w, "job", "status.conditions", "null");
}

static void
a_specification_that_cannot_run_is_a_condition(void **state)
{
	struct world *w = *state;
	put(w, "job", EVERY_MINUTE "  workflowSpec: {workflowTemplateRef: {name: later}}\n");
	to(w, "2026-07-15T10:01:00Z");
	expect(w, "");
	assert_non_null(strstr(json_write(w->arena, val_path(view(w, "job"), "status.conditions")).p, "SpecError"));
	expect_at(w, "job", "status.failed", "0");
	restart(w, "2026-07-15T10:01:30Z");
	assert_non_null(strstr(json_write(w->arena, val_path(view(w, "job"), "status.conditions")).p, "SpecError"));
	put_text(w, 1, S("apiVersion: argoproj.io/v1alpha1\nkind: WorkflowTemplate\nmetadata: {name: later}\nspec: {entrypoint: main, templates: [{name: main, suspend: {}}]}\n"));
	to(w, "2026-07-15T10:02:00Z");
	expect(w, "10:02 Running");
	expect_at(w, "job", "status.conditions", "null");
}

/* ---- edits ------------------------------------------------------------------------------------------------------ */

static void
deleted_while_its_workflows_run(void **state)
{
	struct world *w = *state;
	put(w, "job", EVERY_MINUTE);
	to(w, "2026-07-15T10:01:00Z");
	assert_true(objects_del(w->objects, &kind_cronworkflow, S("default"), S("job")));
	w->n = 0;
	engine_objects_changed(w->engine);
	to(w, "2026-07-15T10:02:00Z");
	restart(w, "2026-07-15T10:02:30Z");
	expect(w, "10:01 Running");
	put(w, "job", EVERY_MINUTE "  concurrencyPolicy: Forbid\n"); /* another one of that name */
	expect_at(w, "job", "status.lastScheduledTime", "null");
	to(w, "2026-07-15T10:03:00Z");
	expect(w, "10:01 Running");
	finish(w, "job", "2026-07-15T10:01:00Z", VERB_RESUME);
	expect_at(w, "job", "status.succeeded", "1");
	to(w, "2026-07-15T10:04:00Z");
	expect(w, "10:01 Succeeded, 10:04 Running");
}

static void
retried_workflows_are_active_again(void **state)
{
	struct world *w = *state;
	put(w, "job", EVERY_MINUTE "  concurrencyPolicy: Forbid\n");
	to(w, "2026-07-15T10:01:00Z");
	finish(w, "job", "2026-07-15T10:01:00Z", VERB_STOP);
	expect_at(w, "job", "status.active", "null");
	finish(w, "job", "2026-07-15T10:01:00Z", VERB_RETRY);
	to(w, "2026-07-15T10:02:00Z");
	expect(w, "10:01 Running");
	finish(w, "job", "2026-07-15T10:01:00Z", VERB_RESUME);
	expect_at(w, "job", "status.succeeded", "1");
	expect_at(w, "job", "status.failed", "1");
}

/* ---- backfill --------------------------------------------------------------------------------------------------- */

static int
start_slot(struct world *w, const char *slot, const char *name, struct err *e)
{
	struct kv told = { S("day"), str_slice(str_c(slot), 0, 10) };
	const struct cron_backfill b = { .slot = at(slot), .name = str_c(name), .parameters = { &told, 1 } };
	struct diags d;
	str made;
	diags_init(&d);
	int rc = engine_cron_backfill(w->engine, S("default"), S("job"), &b, w->arena, &made, NULL, NULL, &d, e);
	diags_free(&d);
	return rc;
}

static void
backfill_starts_slots_of_the_past(void **state)
{
	struct world *w = *state;
	struct val v;
	struct err e;
	put(w, "job", "  schedules: ['*/30 * * * *']\n  concurrencyPolicy: Forbid\n  successfulJobsHistoryLimit: 0\n");
	assert_int_equal(engine_cron_slots(w->engine, S("default"), S("job"), at("2026-07-14T23:59:59Z"), at("2026-07-15T01:00:00Z"), 10, w->arena, &v, &e), 0);
	assert_string_equal(json_write(w->arena, &v).p,
		"{\"timezone\":\"UTC\",\"slots\":[\"2026-07-15T00:00:00Z\",\"2026-07-15T00:30:00Z\",\"2026-07-15T01:00:00Z\"],"
		"\"local\":[\"2026-07-15 00:00:00 +0000 UTC\",\"2026-07-15 00:30:00 +0000 UTC\",\"2026-07-15 01:00:00 +0000 UTC\"]}");
	assert_int_equal(start_slot(w, "2026-07-15T00:30:00Z", "", &e), 0);
	assert_int_equal(start_slot(w, "2026-07-15T00:30:00Z", "", &e), -1);
	assert_int_equal(e.code, ERR_EXISTS);
	assert_int_equal(start_slot(w, "2026-07-15T00:31:00Z", "", &e), -1);
	assert_string_equal(e.msg, "2026-07-15T00:31:00Z is no slot of CronWorkflow job");
	expect(w, "00:30 Running");
	to(w, "2026-07-15T10:30:00Z"); /* it is none of its own */
	finish(w, "job", "2026-07-15T00:30:00Z", VERB_RESUME);
	expect(w, "00:30 Succeeded, 10:30 Running");
	expect_at(w, "job", "status.succeeded", "0");
}

/* A backfill that has a name has workflows of its own: what others have started does not count, what it has started does. */
static void
a_named_backfill_goes_over_the_slots_anew(void **state)
{
	struct world *w = *state;
	struct err e;
	put(w, "job", EVERY_MINUTE
		"  workflowSpec: {entrypoint: main, arguments: {parameters: [{name: day, value: none}]},"
		" templates: [{name: main, inputs: {parameters: [{name: d, value: '{{workflow.parameters.day}}'}]}, suspend: {}}]}\n");
	to(w, "2026-07-15T10:01:00Z");
	assert_int_equal(start_slot(w, "2026-07-15T10:01:00Z", "", &e), -1);
	assert_int_equal(e.code, ERR_EXISTS);
	assert_int_equal(start_slot(w, "2026-07-15T10:01:00Z", "Fixed", &e), 0);
	assert_int_equal(start_slot(w, "2026-07-15T10:01:00Z", "fixed", &e), -1);
	assert_int_equal(e.code, ERR_EXISTS);
	expect(w, "10:01 Running, 10:01 Running");
	const struct val *made = workflow(w, "job-backfill-fixed", "2026-07-15T10:01:00Z");
	assert_true(str_eq(val_get_str(val_path(made, "metadata.labels"), CRON_BACKFILL_LABEL), S("job")));
	assert_true(str_eq(val_get_str(val_path(made, "metadata.annotations"), CRON_SCHEDULED), S("2026-07-15T10:01:00Z")));
	const struct val *inputs = val_path(&val_path(made, "status.nodes")->members[0].value, "inputs.parameters");
	assert_true(str_eq(val_get_str(val_at(inputs, 0), "value"), S("2026-07-15")));
	assert_int_equal(val_path(view(w, "job"), "status.active")->n, 1);
	assert_int_equal(start_slot(w, "2026-07-15T10:01:00Z", "no_name", &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
}

/* ---- cost ------------------------------------------------------------------------------------------------------- */

static uint64_t
jobs_of_a_slot(struct world *w, const char *time)
{
	uint64_t before = store_jobs(w->store);
	to(w, time);
	return store_jobs(w->store) - before;
}

/* Counted in writes: beside thousands of others, and of its own workflows. */
static void
a_slot_costs_the_same_beside_thousands(void **state)
{
	struct world *w = *state;
	struct buf b CLEANUP(free_buf) = { 0 };
	put(w, "job", EVERY_MINUTE);
	uint64_t alone = jobs_of_a_slot(w, "2026-07-15T10:01:00Z");
	for (int i = 0; i < 3000; i++)
		buf_addf(&b, "---\napiVersion: argoproj.io/v1alpha1\nkind: CronWorkflow\nmetadata: {name: other-%d}\nspec:\n  schedules: ['0 12 * * *']\n" SUSPENDED, i);
	put_text(w, 1, arena_dup(w->arena, buf_str(&b)));
	assert_int_equal(jobs_of_a_slot(w, "2026-07-15T10:02:00Z"), alone);
	to(w, "2026-07-15T12:00:00Z"); /* all of them, over several turns */
	to(w, "2026-07-15T12:00:05Z");
	assert_int_equal(engine_active(w->engine), 3003);
	assert_int_equal(jobs_of_a_slot(w, "2026-07-15T12:01:00Z"), alone);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_slot_starts_a_workflow), TEST(several_schedules_are_one_set_of_slots), TEST(every_keeps_its_step),
		TEST(every_some_centuries_is_never), TEST(daylight_saving_moves_a_slot), TEST(a_restart_around_a_slot_misses_nothing),
		TEST(of_missed_slots_the_last_runs_within_the_deadline), TEST(startingDeadlineSeconds_0_makes_up_for_nothing),
		TEST(a_changed_schedule_missed_nothing), TEST(a_suspended_machine_makes_up_for_one_slot),
		TEST(a_clock_that_is_set_back_repeats_nothing), TEST(Forbid_starts_nothing_beside_another), TEST(Replace_terminates_what_runs),
		TEST(a_workflow_in_the_queue_counts), TEST(suspend_starts_nothing_and_misses_nothing),
		TEST(a_verb_holds_until_the_manifest_says_otherwise), TEST(history_limits_keep_the_newest), TEST(stopStrategy_stops_for_good),
		TEST(when_is_asked_at_each_slot), TEST(a_specification_that_cannot_run_is_a_condition), TEST(deleted_while_its_workflows_run),
		TEST(retried_workflows_are_active_again), TEST(backfill_starts_slots_of_the_past), TEST(a_named_backfill_goes_over_the_slots_anew),
		TEST(a_slot_costs_the_same_beside_thousands),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
