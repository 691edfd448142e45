/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine: workflows. A shell around the pure core of run.h: it keeps the runs that are not finished in memory, turns the
 * world's news (a step ended, a timer fired, somebody said stop) into stimuli, writes the nodes that changed, and carries
 * out the effects after their commit.
 *
 * Loop thread only.
 */
#ifndef TIDEGATE_ENGINE_ENGINE_H
#define TIDEGATE_ENGINE_ENGINE_H

#include "config/config.h"
#include "core/loop.h"
#include "core/store.h"

struct engine;
struct executor;

extern const struct kind kind_workflow, kind_workflowtemplate, kind_clusterworkflowtemplate, kind_cronworkflow,
	kind_workfloweventbinding;
extern const char engine_schema_sql[];  /* tables: workflow, node */
extern const char queue_schema_sql[];   /* column: workflow.queued */
extern const char cache_schema_sql[];   /* table: memo */
extern const char sync_limit_schema_sql[]; /* table: sync_limit */
extern const char archive_schema_sql[]; /* table: workflow_tag */
extern const char tags_schema_sql[];    /* table: workflow_tag_new */
extern const char baseline_schema_sql[];
extern const char expiry_schema_sql[];  /* table: due */
extern const char kill_schema_sql[];    /* table: kill */
extern const char collect_schema_sql[]; /* table: artifact_gc */
extern const char cron_schema_sql[];    /* tables: cron, cron_child */

/* Borrows all of them. The executor reports to engine_task_news with the engine as its argument, so it is made second:
 * g = engine_new(...); executor_new(..., engine_task_news, g, &x, e); engine_set_executor(g, x); engine_recover(g, e). */
struct engine *engine_new(struct loop *l, struct store *s, struct objects *objects, const struct settings *settings);
void engine_set_executor(struct engine *g, struct executor *x);
struct task_result;
struct task_id;
extern void (*const engine_task_news)(void *arg, const struct task_id *id, const struct task_result *result);
/* Reads the unfinished runs from the store and takes up their steps again. Before anything is submitted. */
int engine_recover(struct engine *g, struct err *e) MUST_CHECK;
/* Lets running steps run on, without us. */
void engine_free(struct engine *g);

struct submit_options {
	str ns;                /* namespace of the workflow if its manifest names none */
	struct kvs parameters; /* override or add to spec.arguments.parameters */
	struct kvs artifacts;  /* keys of artifacts that spec.arguments.artifacts, or its template's, has */
	str name, generate_name, entrypoint, service_account;
	struct kvs labels, annotations;
	const int64_t *priority;
	str key;               /* idempotency: a second submission with the same key gives the first one's workflow */
	bool dry_run;          /* validate and return what would be created */
	const struct val **made; /* the manifest with all of these, once they are put in; NULL: nobody wants it */
};
/*
 * Submits a Workflow manifest. Validated as Argo does on create (spec 6); on errors the findings are in `d` and -1 is returned with
 * `e` summing them up. On success the name is in `*name` (in `a`), the run's rows are queued in this turn's transaction,
 * and created(arg) runs after its commit. Steps start only then.
 */
int engine_submit(struct engine *g, const struct val *manifest, const struct submit_options *o, struct arena *a, str *name,
                  void (*created)(void *arg), void *arg, struct diags *d, struct err *e) MUST_CHECK;

/* The manifest that engine_submit makes a workflow of: with what the options say. Shares with `manifest`. */
const struct val *engine_with_options(struct arena *a, const struct val *manifest, const struct submit_options *o);
/* A Workflow's spec with these values of its arguments' parameters, which come first. Shares with `spec`. */
const struct val *engine_with_parameters(struct arena *a, const struct val *spec, const struct kvs *given);
/*
 * The Workflow that submitting from a WorkflowTemplate, ClusterWorkflowTemplate or CronWorkflow (kind in any of its spellings) would make, in `a`:
 * with a generateName and with the label that says where it is from, of a CronWorkflow scheduled for `now` (ns). ERR_INVALID: another kind;
 * ERR_NOT_FOUND, with what it is near to.
 */
int workflow_from_kept(const struct objects *os, str kind, str ns, str name, int64_t now, struct arena *a, const struct val **out, struct err *e) MUST_CHECK;

/*
 * Where an object lies that a workflow of `ns` with this artifactRepositoryRef (NULL: none) finds by `key`; `artifact`: what else is known of its location (NULL: nothing).
 * In `a`. ERR_NOT_FOUND, ERR_INVALID: the repository.
 */
int engine_place(struct engine *g, str ns, const struct val *ref, const struct val *artifact, str key, struct arena *a, struct val *place, struct err *e) MUST_CHECK;
/*
 * The same for an artifact of the arguments of a WorkflowTemplate, which is given with this key: `*artifact`, in `a`. ERR_NOT_FOUND: there is no such template or
 * artifact; ERR_INVALID: it lies in no place with keys.
 */
int engine_template_place(struct engine *g, str ns, str tmpl, str name, str key, struct arena *a, const struct val **artifact, struct val *place,
	struct err *e) MUST_CHECK;

struct collected;
enum verb { VERB_SUSPEND, VERB_RESUME, VERB_STOP, VERB_TERMINATE, VERB_RETRY, VERB_SET, VERB_DELETE, VERB_RESUBMIT, VERB_COLLECTED };
struct verb_options {
	str node_field_selector, message, phase;
	struct kvs parameters, output_parameters;
	bool restart_successful, memoized, force;
	bool bare;  /* done() is given the Workflow without status.nodes, which may be many */
	bool exact; /* resubmit: what it executed, and not what its templates say now */
	const struct collected *collected; /* COLLECTED, which nobody asks for from outside; borrowed */
	const int64_t *priority; /* of the new workflow; NULL: that of the old one. RESUBMIT */
	/*
	 * Runs in the turn in which the verb is carried out, before done() and only if it succeeds: what is written in it is one transaction with
	 * the verb's effect. With the name of the workflow (of RESUBMIT the new one). May be NULL.
	 */
	void (*decided)(void *arg, str name);
};
/*
 * Carries out a verb (spec 5). done() runs exactly once, later, after the commit: with the Workflow as it is then (of RESUBMIT the new
 * one; NULL after DELETE), or with ERR_NOT_FOUND, ERR_EXISTS (the workflow's state does not allow it) or ERR_INVALID. Safe to repeat.
 */
void engine_verb(struct engine *g, enum verb v, str ns, str name, const struct verb_options *o,
                 void (*done)(void *arg, const struct val *workflow, const struct err *e), void *arg);

/*
 * The Workflow object in Argo's shape with its status, whether it runs or is finished; "@latest" is the newest. A finished one is read
 * on a pool thread. `nodes`: with status.nodes; what is in memory keeps the loop for as long as there are many. done() runs exactly once, later: `workflow` (in an arena that goes when it returns) or e (ERR_NOT_FOUND).
 */
void engine_get(struct engine *g, str ns, str name, bool nodes, void (*done)(void *arg, const struct val *workflow, const struct err *e), void *arg);
enum name_match { NAME_EXACT, NAME_CONTAINS, NAME_PREFIX, NAME_NOT_EQUALS };
struct list_query {
	str ns;               /* absent: all */
	str label_selector;   /* Kubernetes' grammar: a=b,c!=d,e in (f,g),!h */
	str field_selector;   /* metadata.name=, metadata.namespace=, metadata.uid=, status.phase=, spec.startedAt> and < */
	str name, uid;        /* or in the field selector */
	enum name_match name_match;
	int64_t created_after, finished_before; /* ns; 0: any */
	struct kvs parameters, outputs; /* those with all of these values; long values are compared by their first 256 bytes */
	bool only_finished;   /* the archive */
	size_t limit, offset; /* limit 0: no limit */
	bool count;           /* also count what lies behind the page */
	enum list_nodes { LIST_NODES_NONE, LIST_NODES_OPEN, LIST_NODES_ALL } nodes; /* status.nodes: of none, of those not finished, of all */
};
struct list_answer {
	const struct val *workflows; /* a list of Workflow objects */
	bool more;                   /* there are some behind them */
	size_t remaining;            /* how many, if it was asked for */
};
/* Workflow objects, running first and then by end, newest first. done() runs exactly once, later: the answer or e. */
void engine_list(struct engine *g, const struct list_query *q,
                 void (*done)(void *arg, const struct list_answer *answer, const struct err *e), void *arg);
/* Keys of labels of finished workflows, or the values of one key: a sorted list of strings. */
void engine_label_keys(struct engine *g, void (*done)(void *arg, const struct val *texts, const struct err *e), void *arg);
void engine_label_values(struct engine *g, str key, void (*done)(void *arg, const struct val *texts, const struct err *e), void *arg);

/*
 * A workflow that is about to be shown, with what its nodes do that have no message: how far the transfers of their artifacts are, now. It is in no row, and not told
 * to who watches. In `a`, sharing.
 */
const struct val *engine_tell_transfers(struct engine *g, const struct val *workflow, struct arena *a);
/*
 * Why a workflow waits, skipped or failed: {name, namespace, phase, waits, summary, reasons: [{node, phase, place, text, advice, transfer}]}; `transfer` is of a node whose
 * artifacts are being moved: {direction, waits, artifact, place, bytes, total, attempt, reason}. done()
 * runs exactly once, later: `v` (in an arena that goes when it returns) or e (ERR_NOT_FOUND).
 */
void engine_explain(struct engine *g, str ns, str name, void (*done)(void *arg, const struct val *v, const struct err *e), void *arg);
/*
 * {kind, namespace, name, place, schedule, timezone, last, lastTick, next: [...], held, text} of a CronWorkflow, in `a`: `text` says why the
 * last slot started nothing. ERR_NOT_FOUND.
 */
int engine_schedule(struct engine *g, str ns, str name, struct arena *a, struct val *out, struct err *e) MUST_CHECK;

/*
 * From now on the clock starts CronWorkflows. After engine_recover, with the objects in force: what became of those of before is known by their
 * rows, and rows without an object go.
 */
int engine_cron_start(struct engine *g, struct err *e) MUST_CHECK;
/* The CronWorkflow `o` as it is shown: its manifest with its status, and with suspend as it is. In `a`. */
const struct val *engine_cron_view(struct engine *g, const struct object *o, struct arena *a);
/*
 * Suspends a CronWorkflow that comes from a file, or lets it go on; until the `suspend` of its manifest changes. done(arg) after the
 * commit. ERR_NOT_FOUND.
 */
int engine_cron_hold(struct engine *g, str ns, str name, bool on, void (*done)(void *arg), void *arg, struct err *e) MUST_CHECK;
/* {timezone, slots: [RFC 3339, ...]}: those after `from` up to `to` (ns), at most `limit`. ERR_NOT_FOUND. */
int engine_cron_slots(struct engine *g, str ns, str name, int64_t from, int64_t to, size_t limit, struct arena *a, struct val *out, struct err *e) MUST_CHECK;
/* A slot whose workflow is started by hand. */
struct cron_backfill {
	int64_t slot; /* ns */
	str name;     /* of the backfill: its workflows are called <cron>-backfill-<name>-<slot>; absent: as the clock would have */
	struct kvs parameters;
};
/*
 * Starts the workflow of one slot, whatever the clock says: it is none of the CronWorkflow's own and counts nothing there. As
 * engine_submit; ERR_EXISTS: there is a workflow of that name, ERR_INVALID: that is no slot.
 */
int engine_cron_backfill(struct engine *g, str ns, str name, const struct cron_backfill *b, struct arena *a, str *workflow, void (*created)(void *arg),
	void *arg, struct diags *d, struct err *e) MUST_CHECK;
/* The Workflow that a CronWorkflow makes for a slot (ns); an empty `name`: with a generateName. `label` is the one that names the CronWorkflow. In `a`. */
const struct val *workflow_from_cron(const struct object *cron, str name, const char *label, int64_t slot, struct arena *a);

/* Called for every change of a workflow's phase or nodes, at most once a turn and workflow: for watches and the live tree.
 * Returns a handle for engine_unwatch. `ns`/`name` absent: all. */
struct watch;
struct watch *engine_watch(struct engine *g, str ns, str name, void (*changed)(void *arg, str ns, str name, bool finished, bool deleted), void *arg);
void engine_unwatch(struct watch *w);
/* Whether artifacts that are to go by artifactGC are being removed, or will be in this turn: from when a workflow's end is told until each was tried once. */
bool engine_collecting(const struct engine *g);

struct run;
/* A workflow whose rows are about to be written in this turn's transaction. */
struct workflow_saving {
	int64_t id;            /* grows with every workflow */
	str ns, name;
	bool added, removed;
	const struct run *run; /* NULL: it is removed, and not in memory */
};
/*
 * saving() is called in the turn that decided a change, before its write is queued: what it writes is in the same transaction, and what it
 * reads within a write job is the workflow as it was. A change of nothing but nodes is told of once a second. One hook; NULL: none.
 */
void engine_on_save(struct engine *g, void (*saving)(void *arg, const struct workflow_saving *w), void *arg);
/* The Workflow as it is being saved. */
struct val engine_saving_workflow(const struct workflow_saving *w, struct arena *a);
/* The id of the newest workflow; 0: there never was one. */
int64_t engine_newest(const struct engine *g);
/* Within a store_fn: the Workflow as it is stored, in `a`: ERR_NOT_FOUND; and of up to `limit` with from <= id <= to, of a namespace ("": of all),
 * with `workflow` NULL for one whose rows are damaged. */
int engine_stored(sqlite3 *db, str ns, str name, struct arena *a, struct val *out, struct err *e) MUST_CHECK;
int engine_stored_page(sqlite3 *db, str ns, int64_t from, int64_t to, size_t limit, struct arena *a,
                       void (*row)(void *arg, int64_t id, str ns, str name, const struct val *workflow), void *arg, struct err *e) MUST_CHECK;

/* Logs: lines of the pods of a workflow, merged by time. `pod`, `container`, `grep` (RE2 regexp) may be absent. */
struct log_query {
	str ns, name, pod, container, grep, selector;
	bool follow, timestamps, previous;
	int64_t tail, since_ns, limit_bytes; /* tail -1: all */
};
struct log_stream;
/* line() for each; end() once: at the end, or with follow when the workflow is finished and everything was read. */
struct log_stream *engine_logs(struct engine *g, const struct log_query *q, void (*line)(void *arg, str pod, int64_t time, str text),
                               void (*end)(void *arg, const struct err *e), void *arg, struct err *e);
void engine_logs_stop(struct log_stream *ls); /* end() is not called */

/*
 * All metrics, in Prometheus' text format: the daemon's, and those that workflows and templates report. `text` is valid during the
 * call; `e` if the store could not be read.
 */
void engine_metrics(struct engine *g, void (*done)(void *arg, str text, const struct err *e), void *arg);

/* The limit of the semaphore with a database key; 0: there is none. */
int64_t engine_sync_limit(const struct engine *g, str ns, str key);
/* Sets it, or takes it away (0): counts at once. done() runs after the commit. */
void engine_set_sync_limit(struct engine *g, str ns, str key, int64_t limit, void (*done)(void *arg), void *arg);
/* Objects in force have changed: what workflows wait for may be there now. */
void engine_objects_changed(struct engine *g);

/* Number of workflows that run or are about to end; of those that wait to be let run; of steps that run. */
size_t engine_active(const struct engine *g);
size_t engine_waiting(const struct engine *g);
size_t engine_running_steps(const struct engine *g);

#endif
