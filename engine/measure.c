/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure: the metrics that Argo's controller has of itself (spec 9), so far as they mean something here. What happens is counted
 * where it happens, or here if several places would have to; what there is now is looked at when somebody asks: in memory, and
 * for finished workflows and what is due in the store. core/metrics.def says what each means, and which there are not.
 */

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/version.h"
#include "engine/custom_metrics.h"
#include "engine/locks.h"
#include "engine/shell.h"

/* ---- what happens ---------------------------------------------------------------------------------------------- */

double
measure_since(int64_t clock)
{
	return (double)(clock_monotonic_ns() - clock) / (double)NS_PER_SEC;
}

static void
count_template(const struct run *r, enum phase phase)
{
	const struct val *ref = run_template_ref(r);
	if (!ref)
		return;
	struct arena *a CLEANUP(free_arena) = arena_new();
	const char *name = str_z(a, val_get_str(ref, "name")), *ns = run_ns(r).p;
	const struct val *scope = val_get(ref, S("clusterScope"));
	const char *cluster = val_is(scope, VAL_BOOL) && scope->b ? "true" : "false";
	metric_add(METRIC_TEMPLATE_TRIGGERED, 1, name, ns, cluster, phase_name(phase), NULL);
	if (run_finished(r) && run_started(r))
		metric_observe(METRIC_TEMPLATE_RUNTIME, (double)(run_finished_at(r) - run_started(r)) / (double)NS_PER_SEC, name, ns,
			cluster, NULL);
}

void
measure_phase(struct live *l, bool settled)
{
	const enum phase phase = run_phase(l->run);
	if (phase == l->phase_told || (phase == PHASE_PENDING && !settled))
		return;
	l->phase_told = phase;
	if (phase == PHASE_NONE) /* it starts over */
		return;
	metric_add(METRIC_WORKFLOWS, 1, phase_name(phase), run_ns(l->run).p, NULL);
	count_template(l->run, phase);
}

void
measure_lost(const struct node *n, int64_t now)
{
	enum { RECENTLY = 10 }; /* seconds: Argo's RECENTLY_STARTED_POD_DURATION */
	const bool recent = now - node_started(n) < RECENTLY * NS_PER_SEC;
	metric_add(METRIC_POD_MISSING, 1, phase_name(node_phase(n)), recent ? "true" : "false", NULL);
}

void
measure_due(const struct due *d)
{
	metric_add(METRIC_QUEUE_ADDS, 1, d->what == DUE_WORKFLOW ? "workflow_ttl_queue" : "pod_cleanup_queue", NULL);
}

/* ---- what there is --------------------------------------------------------------------------------------------- */

static const enum phase ends[] = { PHASE_SUCCEEDED, PHASE_FAILED, PHASE_ERROR };

struct metrics_read {
	struct engine *engine;
	double finished[ARRAY_LEN(ends)], due_workflows, due_pods; /* in the store */
	void (*done)(void *arg, str text, const struct err *e);
	void *arg;
};

static int
read_finished(sqlite3 *db, struct metrics_read *m, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db,
		"SELECT value, count(*) FROM workflow_tag WHERE kind = 0 AND name = 'workflows.argoproj.io/phase' GROUP BY value"
		" UNION ALL SELECT value, count(*) FROM workflow_tag_new WHERE kind = 0 AND name = 'workflows.argoproj.io/phase'"
		" GROUP BY value", e);
	if (!q)
		return -1;
	while (sqlite3_step(q) == SQLITE_ROW)
		for (size_t i = 0; i < ARRAY_LEN(ends); i++)
			if (str_eq(store_text(q, 0), str_c(phase_name(ends[i]))))
				m->finished[i] += (double)sqlite3_column_int64(q, 1);
	sqlite3_reset(q);
	return 0;
}

static int
read_stored(sqlite3 *db, void *arg, struct err *e)
{
	struct metrics_read *m = arg;
	if (read_finished(db, m, e))
		return -1;
	sqlite3_stmt *q = store_prepare(db, "SELECT what, count(*) FROM due GROUP BY what", e);
	if (!q)
		return -1;
	while (sqlite3_step(q) == SQLITE_ROW)
		*(sqlite3_column_int64(q, 0) == DUE_WORKFLOW ? &m->due_workflows : &m->due_pods) += (double)sqlite3_column_int64(q, 1);
	sqlite3_reset(q);
	return 0;
}

static void
set_workflows(const struct metrics_read *m)
{
	const struct engine *g = m->engine;
	double pending = (double)admission_waiting(g), running = 0, with_pods = 0, errors = 0, ended = 0;
	const struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&g->lives, &i));) {
		const struct live *l = slot->value;
		if (l->waits || l->deleted || run_finished(l->run))
			continue;
		*(run_phase(l->run) == PHASE_RUNNING ? &running : &pending) += 1;
		with_pods += run_has_pods(l->run);
		errors += run_has_metrics_error(l->run);
	}
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		metric_set(METRIC_WORKFLOWS_NOW, m->finished[i], phase_name(ends[i]), NULL);
		ended += m->finished[i];
	}
	metric_set(METRIC_WORKFLOWS_NOW, pending, phase_name(PHASE_PENDING), NULL);
	metric_set(METRIC_WORKFLOWS_NOW, running, phase_name(PHASE_RUNNING), NULL);
	metric_set(METRIC_CONDITIONS, with_pods, "PodRunning", "True", NULL);
	metric_set(METRIC_CONDITIONS, running - with_pods + ended, "PodRunning", "False", NULL);
	metric_set(METRIC_CONDITIONS, ended, "Completed", "True", NULL);
	metric_set(METRIC_CONDITIONS, errors, "MetricsError", "True", NULL);
}

static void
set_queues(const struct metrics_read *m)
{
	const struct engine *g = m->engine;
	metric_set(METRIC_PODS_NOW, (double)g->waiting, phase_name(PHASE_PENDING), NULL);
	metric_set(METRIC_PODS_NOW, (double)(g->executor ? executor_running(g->executor) : 0), phase_name(PHASE_RUNNING), NULL);
	if (g->executor)
		executor_measure(g->executor);
	metric_set(METRIC_QUEUE_DEPTH, (double)g->changed.n, "workflow_queue", NULL);
	metric_set(METRIC_QUEUE_DEPTH, (double)g->tags_new, "workflow_archive_queue", NULL);
	metric_set(METRIC_QUEUE_DEPTH, m->due_workflows, "workflow_ttl_queue", NULL);
	metric_set(METRIC_QUEUE_DEPTH, m->due_pods, "pod_cleanup_queue", NULL);
}

static void
set_process(void)
{
	static const struct {
		enum log_level level;
		const char *name;
	} levels[] = { { LOG_ERROR, "error" }, { LOG_WARN, "warn" }, { LOG_INFO, "info" } };
	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		metric_total(METRIC_LOG_MESSAGES, (double)log_written(levels[i].level), levels[i].name, NULL);
	metric_set(METRIC_IS_LEADER, 1, NULL);
	/* No Go, no git and no date of the build: the same source gives the same program. */
	metric_total(METRIC_VERSION, 1, "v" TIDEGATE_VERSION, "linux", "", "", TIDEGATE_COMPILER,
		"", "", "v" TIDEGATE_VERSION, NULL);
}

static void
stored_came(void *arg, const struct err *e)
{
	struct metrics_read *m = arg;
	struct buf text CLEANUP(free_buf) = { 0 };
	if (!e) {
		set_workflows(m);
		set_queues(m);
		set_process();
		grants_measure(m->engine->grants);
		metrics_write(&text);
		custom_metrics_write(m->engine->metrics, loop_now(m->engine->loop), &text);
	}
	m->done(m->arg, buf_str(&text), e);
	free(m);
}

void
engine_metrics(struct engine *g, void (*done)(void *arg, str text, const struct err *e), void *arg)
{
	struct metrics_read *m = MEM_NEW(struct metrics_read);
	*m = (struct metrics_read){ .engine = g, .done = done, .arg = arg };
	store_read(g->store, read_stored, m, stored_came);
}
