/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_impl: what the files of the run share. One file, one idea:
 *
 *     run.c        the workflow: start, stimuli        make.c     from a manifest to a run
 *     news.c       who is told that a node ended       finish.c   the end of the workflow
 *     call.c       one template invocation: look up, put arguments in, begin (Argo's executeTemplate)
 *     library.c    where templates come from: the workflow, WorkflowTemplates, defaults, what is stored of them
 *     steps.c      steps and their groups             dag.c      tasks and their dependencies
 *     expand.c     withItems, withParam, withSequence  retry.c    attempts
 *     lifecycle.c  hooks with a condition              metadata.c labels and annotations of the workflow
 *     hooks.c      exit handlers                       pod.c      leaves: pods and suspended nodes
 *     containers.c members of a container set          daemon.c   pods that go on while others use them
 *     ending.c     pods that are told to end
 *     scope.c      which variables are visible where   outputs.c  what a node hands on
 *     limits.c     parallelism, fail-fast, deadlines   verb.c     suspend, resume, stop, terminate, set
 *     rerun.c      retry, memoized resubmission        recall.c   what is in memory beyond the nodes is made anew
 *     node.c       names, ids, links, phases           save.c     rows and status, both ways
 *     sums.c       progress and use of resources, summed up the tree
 *     images.c     what the names of images meant
 *     merged.c     the spec that a workflowTemplateRef means
 *     scope_names.c  variables as expressions see them
 *     metrics.c    metrics of templates and workflows   sync.c     mutexes and semaphores
 *     memo.c       results that are used again          rest.c     what a stimulus leaves for the next
 *     artifacts.c  which artifacts a call gets, a node hands on
 *     places.c     where artifacts lie                 archive.c  where those go that have no place
 *     artifact_gc.c which artifacts go
 *     repository.c which repository a workflow uses
 *
 * How it moves. A call begins a node. When a node is fulfilled it goes into the queue of news; run_settle takes one
 * after the other and tells whoever waits for it (its role), which may begin further calls. Recursion is as deep as
 * templates are nested, DEPTH_MAX, never as long as a chain of steps; and nothing is looked through to find out what to
 * do next: everybody counts what he still waits for.
 *
 * A stimulus begins so many calls and no more; the places where it was left are taken up by the next (rest.c).
 *
 * Of one instant: what a call comes to the moment it begins is settled before its caller goes on, as in Argo, whose
 * executeTemplate returns only then. What is subject to a limit begins when there are no more news, and in the order in
 * which it is written (limits.c): so that order follows from the state, and is the same after a restart.
 *
 * What is in memory beyond the nodes (frames, calls, counts) is derived. After a restart the root is called again, and
 * calls find their nodes instead of making them: so nothing of it need be saved, and run_load cannot disagree with it.
 */
#ifndef TIDEGATE_ENGINE_RUN_RUN_IMPL_H
#define TIDEGATE_ENGINE_RUN_RUN_IMPL_H

#include "core/lang/when.h"
#include "core/map.h"
#include "engine/custom_metrics.h"
#include "engine/run/call.h"
#include "engine/run/evaluate.h"
#include "engine/run/node.h"
#include "engine/run/run.h"
#include "engine/run/tags.h"

enum {
	DEPTH_MAX = 100,     /* nested template invocations, as Argo's maxRecursionDepth */
	NODES_MAX = 1000000, /* of one workflow */
	ITEMS_MAX = 250000,  /* of one expansion */
};

/* A lock that cannot be had. */
struct refusal {
	struct node *node;
	str why;
};

/*
 * A place in something that begins many, where it was left because the stimulus had begun enough (rest.c). `go_on` takes a
 * copy, which it may give to run_rest again.
 */
struct rest {
	void (*go_on)(struct run *r, struct rest *x);
	struct node *node; /* StepGroup, TaskGroup, DAG; when it is fulfilled there is nothing left to do. NULL: the workflow */
	size_t at;         /* the next step, task or dependent */
	uint32_t item;     /* the next element, if it is in a loop */
	uint32_t task;     /* of a DAG, if its dependents are told */
	const struct prepared *steps; /* of a StepGroup ... */
	bool kept;                    /* ... in the arena of the run */
	const struct val *items;      /* of a TaskGroup */
	const struct step *body;
	bool skip;
	bool again;  /* of a StepGroup that was begun before a restart */
	size_t mark; /* of news: see run_settle_below */
};

struct run {
	struct arena *arena;   /* everything that stays */
	struct arena *passing; /* what one element of a loop needs to begin */
	struct arena *work;    /* one of the two: where calls and their steps are made */
	struct run_world world;
	const struct val *manifest; /* as submitted */
	const struct val *merged;   /* the spec as merged, variables not put in */
	const struct val *spec;     /* the same, variables put in except in templates: what is executed */
	bool stored_spec;           /* it came by workflowTemplateRef */
	unsigned spec_version;
	str name, ns, uid;
	int64_t created, started, finished; /* ns */
	enum phase phase;
	str message;
	str shutdown; /* "", "Stop", "Terminate" */
	bool suspended;
	bool queued; /* told to wait: nothing was begun, globals are not known */
	size_t ending;       /* pods that were told to end and have not */
	enum phase withheld; /* the phase that the workflow will have then; NONE: it is not waiting for that */
	str withheld_message;
	int64_t deadline;                       /* of the workflow; 0: none */
	int64_t parallelism;                    /* -1: none */
	const struct val *args;                 /* arguments of the entrypoint, variables put in */
	const struct arguments *arguments;      /* the same, decoded */
	const struct val *labels, *annotations; /* of the workflow, with spec.workflowMetadata */
	const struct val *computed_labels;      /* by workflowMetadata.labelsFrom, when it began */
	struct map parameters;                  /* workflow.parameters.<name> -> str * */
	struct map outputs;                     /* workflow.outputs.parameters.<name> -> str * */
	VEC(str) output_names;                  /* in order of their first appearance */
	VEC(const struct val *) artifacts;      /* workflow.outputs.artifacts: each with its name */
	struct hook *hooks;                     /* of the workflow */
	size_t hooks_n;
	bool *hooks_begun;
	uint32_t hooks_open;
	str hook_error; /* of a hook of the workflow that could not begin: the root is an Error; absent: none */
	bool exit_begun;                        /* the exit handler was called since this run is in memory */
	VEC(struct node *) hooked, noticed;     /* see lifecycle.c */
	size_t noticed_at;                      /* the first of them that was not looked at yet */
	bool workflow_noticed;
	const struct val *repository;           /* {"ref": status.artifactRepositoryRef, "location": an archiveLocation whose key is a pattern}; NULL: the one on this machine */
	str collect_error;                      /* why an artifact could not be removed; "" */
	str metrics_error;                      /* why metrics could not be reported; "" */
	const struct val *stored_templates;     /* status.storedTemplates */
	int64_t estimated;                      /* seconds it will probably take; 0: unknown */
	struct map estimates;                   /* name of a node less the workflow's -> int64_t *, seconds */
	const struct val *revisions;            /* status.templateRevisions; NULL: none */
	const struct val *frozen;               /* scope -> spec: the only WorkflowTemplates there are for it (again.c); NULL: those in force */
	struct library local;
	struct map libraries;     /* scope -> struct library */
	struct map inlines;       /* text of an inline template -> struct def */
	VEC(struct node *) nodes; /* in order of creation; those gone too */
	struct node_index {
		uint32_t *slots; /* order of the node and one; 0: none */
		size_t n, cap;
	} by_name, by_id;
	uint32_t active_pods, done, total;
	uint32_t asks;              /* nodes that have asked for their locks and not been told: each may be about to begin */
	struct usage usage;
	struct image_uses images;
	struct node *root, *on_exit;
	bool entered;               /* the root was called since this run is in memory */
	struct locking *lock;       /* those of spec.synchronization; NULL: none (yet) */
	struct heap line;           /* calls that begin in their turn: see limits.c */
	struct heap noted;          /* frames with limits in which somebody ended or failed, by age */
	VEC(struct frame *) frames; /* to be freed */
	uint32_t visits;
	struct evaluator *evaluator; /* NULL until there is an expression */
	struct diags diags; /* scratch, for decoding */
	/* of the stimulus being handled */
	int64_t now;
	struct arena *tmp;
	struct effect *first, **last;
	bool keeps; /* there is an EFFECT_MEMO among them that keeps a result */
	VEC(struct node *) dirty;
	VEC(struct node *) news; /* fulfilled nodes whose owner was not told yet */
	size_t news_at;
	bool was_finished;
	VEC(struct val *) dropped; /* bodies of pods that ended: effects may still speak of them */
	size_t begun;            /* calls in this stimulus */
	VEC(struct rest) rests;  /* the innermost last */
	VEC(struct rest) interrupted; /* of this moment, the innermost first */
	VEC(struct refusal) refusals; /* of locks, told when nothing else is left */
	bool behind;             /* what begins is what was left */
	uint32_t turn;           /* the number of the stimulus */
	uint32_t unmet;          /* open nodes that were read back and not called yet */
};

/* ---- images.c -------------------------------------------------------------------------------------------------- */

struct val images_save(const struct run *r, struct arena *a);
void images_load(struct run *r, const struct val *list); /* in the run's arena */
struct val images_shown(const struct run *r, struct arena *a); /* name -> digest */
void image_of_node(const struct node *n, struct arena *a, struct val_map *status);

/* ---- sums.c ---------------------------------------------------------------------------------------------------- */

/* Progress of a leaf, and with it of everything it is part of. */
void progress_set(struct node *leaf, uint32_t done, uint32_t total);
/* What a leaf used, likewise. */
void usage_set(struct node *leaf, struct usage u);
/* {cpu, memory} in whole units, as Argo's resourcesDuration; false: nothing was used. */
bool usage_shown(struct usage u, struct arena *a, struct val *out);

/* ---- run.c ----------------------------------------------------------------------------------------------------- */

struct effect *run_effect(struct run *r, enum effect_kind k, struct node *n);
str run_text(struct run *r, const char *fmt, ...) PRINTF_LIKE(2, 3); /* in the run's arena */
void run_start(struct run *r);
void run_queue(struct run *r);
void run_enter(struct run *r);                    /* calls the root, if it was not called since this run is in memory */
bool run_shut(const struct run *r, bool exiting); /* shut down, and such a node may not go on */

/* ---- make.c ---------------------------------------------------------------------------------------------------- */

int run_decode(struct run *r, const struct schema *sc, const struct val *v, const char *what, void *out, struct err *e);
int run_globals(struct run *r, struct err *e); /* parameters, spec: what a start and a load share */
void run_fresh_diags(struct run *r);
struct val val_typed(
	struct arena *a, const struct val *v); /* plain scalars as what they are; numbers as Go's JSON has them */
struct run *run_alloc(const struct val *manifest, const struct run_world *w);
void run_drop_frames(struct run *r);
void run_free_dropped(struct run *r);

/* ---- news.c ---------------------------------------------------------------------------------------------------- */

void run_settle(struct run *r);
/* Tells the news from the `mark`-th on, but for those of `n`: what is below it. */
void run_settle_below(struct run *r, size_t mark, struct node *n);

/* ---- finish.c -------------------------------------------------------------------------------------------------- */

void run_end(struct run *r, enum phase p, str message); /* the workflow ends now, or when the last pod that is to end has */
void finish_root(struct run *r, struct node *root);     /* it is fulfilled */
void finish_if_done(struct run *r);                     /* the same, and something that was waited for since has ended */

/* ---- rest.c ---------------------------------------------------------------------------------------------------- */

bool run_is_tired(const struct run *r); /* the stimulus has begun enough: leave your place and return */
void run_rest(struct run *r, const struct rest *x);
void rest_gather(struct run *r);
bool rest_go_on(struct run *r); /* takes up the innermost; false: there is none */
void rest_forget(struct run *r);
/* Whether the body of a Steps or DAG node is not to begin: it was left, and the workflow is shut down or out of time. Then it has failed. */
bool rest_is_over(struct run *r, struct node *n);
void rest_expect(struct run *r);   /* the root is about to be called: who must be met */
void rest_meet(struct node *n);

/* ---- metadata.c ------------------------------------------------------------------------------------------------ */

void metadata_put(struct run *r); /* sets labels and annotations from the manifest, the spec and what was computed */
int metadata_compute(struct run *r, struct err *e); /* checks labels, computes labelsFrom: when the workflow begins */

/* The specification that is executed, merged; what follows from it directly. */
int run_take_spec(struct run *r, const struct val *merged, struct err *e);

/* ---- estimate.c ------------------------------------------------------------------------------------------------ */

/* Looks up what the last run of the template took. */
void estimate_take(struct run *r);
/* Seconds that a node of this name will probably take; 0: unknown. */
int64_t estimate_of(const struct run *r, str name);

/* ---- again.c --------------------------------------------------------------------------------------------------- */

/* A WorkflowTemplate as it is for this run; NULL if there is none. */
const struct val *template_of_run(const struct run *r, bool cluster, str name);
/* Which revision of it that is goes into the status. */
void revision_note(struct run *r, bool cluster, str name);

/* ---- library.c ------------------------------------------------------------------------------------------------- */

/* The definition a call means, and the scope that names in it are looked up in. */
struct def *library_resolve(struct run *r, const struct call *c, struct err *e);
struct library *library_open(struct run *r, bool cluster, str name, struct err *e);
struct def *library_find(struct run *r, struct library *l, str name, struct err *e);

/* A template as a struct; `first`: as written, which is also when what is not served yet is refused. NULL with
 * ERR_INVALID, ERR_UNSUPPORTED. */
const struct template *template_decode(
	struct run *r, struct arena *a, const struct val *v, str name, bool first, struct err *e);

const struct template *template_processed(
	struct run *r, struct arena *a, const struct def *d, const struct val *body, struct err *e);

/* ---- call.c ---------------------------------------------------------------------------------------------------- */

struct call *call_new(struct run *r, str name);
/* Begins the call, or finds the node that it began before. Returns its node; NULL: it is parked, and will be begun
 * later. */
struct node *call_begin(struct run *r, struct call *c);
/* The node of a call that cannot be begun: type Skipped, phase Error. */
struct node *call_failed(struct run *r, struct call *c, str message);
struct node *call_node(
	struct run *r, struct call *c, enum node_type t); /* made, linked to whom its role says, template names set */
struct processed {
	const struct val *body;
	const struct template *tmpl;
	const struct val *inputs;
};
/* Whether the body of the call's node is still to be begun: there is no node, or it has just got its locks. */
bool call_is_new(struct run *r, const struct call *c);
/* Whether a template with its variables is wanted by its pod only, and no longer than that is open. */
bool body_passes(const struct def *d, const struct call *c);
/* What the node of a call of that template is: Retry if it is tried again. */
enum node_type call_node_type(const struct call *c, const struct template *t);

/* ---- scope.c --------------------------------------------------------------------------------------------------- */

/* Variables that a pass sees, innermost first. Zero members are left out. */
struct scope {
	struct run *run;
	struct frame *frame;     /* steps.* or tasks.* */
	size_t task;             /* dag: only the ancestors of this task are visible; SIZE_MAX: all */
	struct node *self;       /* for exit hooks: the node itself ... */
	str self_name;           /* ... under this name */
	bool late;               /* workflow.status, workflow.failures */
	bool lasting;            /* leaves out what changes while a workflow runs: workflow.outputs, .duration, ... */
	const struct val *item;  /* item, item.key */
	const struct call *call; /* node.name, pod.name, steps.name, tasks.name, retries, lastRetry.* */
	int64_t time;       /* of now(), ns; 0: the stimulus' */
	str salt;           /* the step, the element of a loop: sets random numbers of the same place apart */
	unsigned evaluated; /* expressions so far */
	bool defers;        /* now() is for the pass of each step or task: Argo evaluates these anew each time */
	const struct node *retry; /* retries, lastRetry.* of the attempts below it: for what decides on another */
	str pod;
	const struct val *inputs;    /* inputs.parameters.* */
	const struct template *tmpl; /* inputs.artifacts.x.path, outputs.*.path */
};
enum tag_found scope_look(void *scope, str name, struct arena *a, str *out);
/* artifacts.c. What the arguments of a call were written for: what its caller sees. */
struct scope scope_of_caller(struct run *r, const struct call *c);
/* The scope for substitution: tags are looked up, expression tags evaluated. */
struct tag_scope scope_tags(struct scope *x);
int64_t scope_moment(const struct scope *x); /* now, for what is evaluated in it: ns, whole seconds */
/* The scope for expressions (evaluate.h); x lives as long as it is used. */
struct variables scope_variables(struct scope *x);
/* The same functions as in evaluate.h, over a scope. */
int scope_evaluate(struct scope *x, str text, struct arena *a, struct val *out, struct err *e) MUST_CHECK;
int scope_evaluate_bool(struct scope *x, str text, bool *out, struct err *e) MUST_CHECK;
int scope_evaluate_text(struct scope *x, str text, struct arena *a, str *out, struct err *e) MUST_CHECK;
/* A step or task that is seen. */
struct sibling {
	const struct step *step;
	struct node *parent, *node; /* parent: of a loop's elements, or the group of a step; either may be NULL */
};
bool scope_sibling(const struct scope *x, bool task, str name, struct arena *a, struct sibling *out);
/* One value of a sibling: "outputs.result", "status", ... */
enum tag_found scope_of_node(struct run *r, struct node *n, str what, struct arena *a, str *out);
str item_text(struct arena *a, const struct val *item);

/* ---- the bodies ------------------------------------------------------------------------------------------------ */

void steps_begin(struct run *r, struct node *n, struct call *c, const struct def *d, const struct processed *p);
void steps_child_settled(struct run *r, struct node *group, struct node *child);
void steps_group_done(struct run *r, struct node *group);
void steps_child_begun(struct run *r, struct node *n); /* if it is an error already, its group is, too */
void steps_daemon_lost(struct run *r, struct node *n);     /* a daemon ended by itself */
void steps_error(struct node *group, str why); /* it will end as an Error; no further step of it begins */
void dag_begin(struct run *r, struct node *n, struct call *c, const struct def *d, const struct processed *p);
void dag_task_settled(struct run *r, struct node *dag, struct node *n);
void dag_go_on(struct run *r, struct frame *f); /* begins what is due, if no end of a task is still to be told */
void dag_item_settled(struct node *group);
void dag_task_dropped(struct run *r, struct frame *f); /* a task that was held will not begin */
void dag_error(struct frame *f, str why); /* it will end as an Error: the first in time counts */
void dag_adopt(struct frame *f, size_t task, struct node *n); /* it is the task's node */
void dag_frame_free(struct frame *f);
struct node *dag_task_node(const struct frame *f, size_t task);   /* NULL: not begun, or parked */
void dag_link_task(struct frame *f, size_t task, struct node *n); /* to what comes before it */
size_t dag_task_index(const struct frame *f, str name);           /* SIZE_MAX: none */
bool dag_depends_on(struct frame *f, size_t task, size_t of);
struct node *retry_begin(struct run *r, struct call *c, const struct processed *p);
void retry_attempt_done(struct run *r, struct node *retry);
void retry_called_off(struct run *r, struct node *retry); /* the workflow is stopped or out of time: no further attempt */
struct node *pod_begin(struct run *r, struct call *c, const struct def *d, const struct processed *p);
void pod_emit_start(struct run *r, struct node *n);
struct node *suspend_begin(struct run *r, struct call *c, const struct processed *p);
int suspend_finish(struct run *r, struct node *n, enum phase p, str message, struct err *e);
void pod_started(struct run *r, struct node *n);
void pod_done(struct run *r, struct node *n, const struct task_result *result);
void pod_progress(struct run *r, struct node *n, str text);
void pod_timer(struct run *r, struct node *n);
int pod_read_limits(struct node *n, const struct call *c, const struct template *t, struct err *e); /* its times */
void pod_set_timers(struct run *r, struct node *n);
void pod_changed(struct run *r, struct node *n, const struct task_result *result);
void suspend_timer(struct run *r, struct node *n);
void suspend_set_timer(struct run *r, struct node *n); /* if it is a suspended node with a time */
int duration_parse(str text, int64_t *out, struct err *e); /* whole seconds, or a Go duration; ns */

/* ---- pod_patch.c ----------------------------------------------------------------------------------------------- */

/*
 * Puts what the workflow says of all pods, and podSpecPatch, into the template of a pod that begins. `grace`: set if the
 * patch says so, seconds. ERR_INVALID in Argo's words.
 */
int pod_patch(struct run *r, const struct def *d, struct processed *p, struct scope *x, int64_t *grace, struct err *e);
/*
 * Volumes of the workflow that speak of variables, among the template's own, with what is known: first to the caller, then to the template (spec 3.1, passes 2
 * and 6). In `a`.
 */
int volumes_put(struct run *r, struct arena *a, const struct def *d, struct processed *p, struct scope *x, struct err *e);

/* ---- containers.c ---------------------------------------------------------------------------------------------- */

/* The nodes of a container set's members: made and linked; what the executor says of them; those still open fail. */
void containers_begin(struct run *r, struct node *pod, const struct container_set *set);
void containers_changed(struct run *r, struct node *pod, const struct task_result *res);
void containers_end(struct node *pod, str why);
/* Those that no other member depends on; false: the pod has none. */
bool containers_outbound(struct node *pod, void (*fn)(void *arg, struct node *leaf), void *arg);

/* ---- daemon.c -------------------------------------------------------------------------------------------------- */

void daemon_ready(struct node *n, str ip);
void daemon_track(struct node *n);                    /* after it was read back: its boundary knows it */
void daemons_end(struct run *r, struct node *boundary);
size_t daemons_running(const struct node *boundary);

/* ---- ending.c -------------------------------------------------------------------------------------------------- */

void pod_emit_kill(struct run *r, struct node *n); /* the effect alone */
void pod_kill(struct run *r, struct node *n);      /* it is to end; its end is waited for if it runs. Before its last phase */
void pod_give_up(struct run *r, struct node *n, str why); /* the same, and it has Failed at once */
bool pod_gone(struct run *r, struct node *n);      /* its end was seen; true: it was told to, that was all */

/* Frames */
struct frame *frame_new(struct run *r, struct node *n, struct call *c, const struct def *d, const struct template *t);
struct call *frame_call(struct run *r, struct frame *f, const struct step *s, str name, struct place at);
/* Puts the frame's variables into a step and decodes it; shares `s` if there are none. `skip` is set, and nothing else
 * done, if its `when` is false. */
int frame_resolve(struct run *r, struct frame *f, size_t task, const struct step *s, const struct schema *sc,
	const struct step **out, bool *skip, struct err *e);

/* `v` as a step with the hooks of `s`; NULL with ERR_INVALID. */
const struct step *step_decode(
	struct run *r, const struct step *s, const struct val *v, const struct schema *sc, struct err *e);

/* ---- expand.c -------------------------------------------------------------------------------------------------- */

struct expanded {
	str name;                /* "A(0:x)" */
	const struct step *step; /* item put in, loop taken away */
};
static inline bool
step_expands(const struct step *s)
{
	return s->with_items || s->with_param.p || s->with_sequence;
}
/*
 * The elements of a loop, and the step without it. `skip`: its `when` is false already, so unresolved variables do not
 * matter. 1: the list cannot be known, and nobody needs it.
 */
int expand_items(struct run *r, const struct step *s, bool skip, const struct val **items, const struct step **body,
	struct err *e);
/* `siblings`: the variables that the loop's step sees; the element is added to them. */
int expand_one(struct run *r, const struct scope *siblings, const struct step *body, const struct schema *sc, size_t i,
	const struct val *item, bool skip, struct expanded *out, struct err *e);

/* Whether nothing of a loop's calls has to stay once they were begun: leaves without limits, retries or hooks. */
bool loop_in_passing(struct run *r, const struct frame *f, const struct step *body);

/* ---- hooks.c --------------------------------------------------------------------------------------------------- */

/* `n` has ended: begins what hooks are due. Whether its owner must wait for hooks. */
bool hooks_wait(struct run *r, struct node *n);
/* `n` was just begun: its hooks that are due begin right after it, also its exit hook if it has ended at once. */
void hooks_follow(struct run *r, struct node *n);
/* Those of all children of a StepGroup or TaskGroup, of which all that can begin were; then it may end. `mark`: of the news of
 * its children, see run_settle_below. */
void hooks_follow_group(struct run *r, struct node *group, size_t mark);
void hook_error(struct node *n, enum role role, str message); /* of one that could not begin: an error of whoever waits for `n` */
int64_t hook_time(struct run *r, str name); /* what it sees as now: ns, whole seconds */
struct scope hook_scope(struct run *r, struct node *n); /* what hooks of `n` see */
struct place hook_place(const struct node *n, uint32_t which); /* which: of the hooks of its step */
int hook_put_arguments(
	struct run *r, const struct val *src, struct scope *x, const struct arguments **out, struct err *e);
str hook_failures(struct run *r, struct arena *a); /* workflow.failures */
bool on_exit_is_there(const struct run *r); /* the workflow has an exit handler */
/* Begins the workflow's exit handler. False: there is none, or it may not run. */
bool on_exit_begin(struct run *r);
const struct arguments *arguments_decode(struct run *r, const struct val *v, struct err *e);

/* ---- lifecycle.c ----------------------------------------------------------------------------------------------- */

bool lifecycle_hooks(const struct step *s); /* whether it has hooks other than exit */
void lifecycle_attach(struct node *n);      /* it was begun, or found again: its hooks will be looked at */
void lifecycle_notice(struct node *n);      /* it changed */
void lifecycle_notice_all(struct run *r);   /* a variable that all may see changed */
void lifecycle_look(struct run *r, struct node *n);            /* now; if it has ended, for the last time */
int lifecycle_of_workflow(struct run *r, struct err *e);       /* reads the workflow's hooks */
str lifecycle_look_at_workflow(struct run *r);                 /* absent, or what makes the workflow an Error */
bool lifecycle_settle(struct run *r); /* looks at one that changed; false: there was none */

/* ---- outputs.c ------------------------------------------------------------------------------------------------- */

int outputs_of_template(struct run *r, struct frame *f, const struct val **out,
	struct err *e); /* steps and dags; *out NULL: none declared */
void outputs_to_globals(struct run *r, const struct node *n);
int outputs_of_pod(struct run *r, struct node *n, const struct task_result *res, const struct val **out, struct err *e);
str output_parameter(const struct val *outputs, str name); /* .p == NULL: none */
str any_text(struct run *r, const struct val *v);          /* a scalar as text; .p == NULL: none */

/* ---- artifacts.c ----------------------------------------------------------------------------------------------- */

/*
 * The artifact that `ref` means ("steps.a.outputs.artifacts.x", "inputs.artifacts.x", with or without braces), as an object; NULL: there is
 * none. Of a step that was skipped it is an object without a place.
 */
const struct val *artifact_look(const struct scope *x, str ref);
/* The artifacts of a call's template, in the arena of the run: a list, empty if it declares none. `own`: the variables of the template itself. */
int artifacts_put(struct run *r, const struct template *t, const struct call *c, struct scope *own, struct val *out, struct err *e);
/* What a pod leaves (in the arena of the run), a steps or dag template hands on; `rc` of what is missing is the caller's. */
int artifacts_of_pod(struct run *r, struct node *n, const struct task_result *res, struct val *out, struct err *e);
int artifacts_of_template(struct run *r, struct frame *f, struct val *out, struct err *e);
void artifacts_to_globals(struct run *r, const struct val *outputs);
void artifact_set_global(struct run *r, const struct val *artifact);
struct val artifacts_global(const struct run *r, struct arena *a); /* a list */

/* ---- repository.c ---------------------------------------------------------------------------------------------- */
/* When the workflow begins: which artifact repository it uses, from now on. */
int repository_choose(struct run *r, struct err *e);

/* ---- artifact_gc.c --------------------------------------------------------------------------------------------- */
void artifacts_collected(struct run *r, const struct collected *gone);

/* ---- archive.c ------------------------------------------------------------------------------------------------- */
/* Puts into the body where its artifacts go and whether its logs do, if that is to be known. In `a`. */
int archive_put(struct run *r, struct arena *a, struct processed *p, struct scope *x, struct err *e);
/* Whether it is another place than the workflow's repository. */
bool archive_is_own(const struct run *r, const struct val *archive);

/* ---- places.c -------------------------------------------------------------------------------------------------- */
/* Whether two locations differ in nothing but the key. Either may be NULL. */
bool artifact_location_beside(const struct val *a, const struct val *b, struct arena *tmp);
/* What the status says of an output of a pod that was saved under `key`. `own`: `archive` is the template's own. In `a`, sharing. */
struct val artifact_saved(const struct val *artifact, const struct val *archive, bool own, str key, struct arena *a);

/* ---- limits.c -------------------------------------------------------------------------------------------------- */

/* Whether the call must wait for its turn; then it is parked. */
bool limit_parks(struct run *r, struct call *c);
/* There are no news: ends one template that fails fast, or begins the first call whose turn it is. False: neither. */
bool limit_settle(struct run *r);
bool limit_due(const struct run *r); /* there is something for it to do */
void limit_leaves(struct call *c);             /* it does not wait any longer, if it did */
void limit_withdraw(struct node *group);       /* of its steps none begins any more */
void limit_forget(struct frame *f);            /* none of its calls waits any longer */
void limit_note(struct frame *f);              /* it is to be looked at when there are no news; NULL: none */
/* Whether its template has a failed child and failFast: nothing is begun or decided there any more. NULL: no. */
bool limit_frozen(const struct frame *f);
void limit_deadline(struct run *r);
bool limit_deadline_due(const struct run *r); /* something is open that it would end */
void limit_count(struct node *n, bool was_active, bool is_active);
/* Who waits for its locks is a child of its boundary, but not active. */
void limit_count_waits(struct node *n, bool waits);
void limit_count_failed(struct node *n); /* it ended in failure: its boundary counts that */

/* ---- save.c ---------------------------------------------------------------------------------------------------- */

void run_count(struct run *r); /* all counts anew, from the nodes */

/* ---- memo.c ---------------------------------------------------------------------------------------------------- */

/* Whether the call is over before it begins: an earlier result serves, or `memoize` is wrong. *out is its node. */
bool memo_ends(struct run *r, struct call *c, const struct processed *p, struct node **out);
void memo_begins(struct run *r, struct node *n, const struct processed *p);
/* It is about to have Succeeded: keeps its outputs. -1: they cannot be kept, which is its error. */
int memo_keeps(struct run *r, struct node *n, struct err *e);
bool memo_is_hit(const struct node *n);

/* ---- sync.c ---------------------------------------------------------------------------------------------------- */

/* Whether the call must wait for its template's locks; *out is its node then. A call with locks in hand goes on. */
bool sync_parks(struct run *r, struct call *c, const struct processed *p, struct node **out);
/* It has them, but may not begin now (spec.parallelism): others may. */
void sync_give_back(struct run *r, struct node *n);
/* It has them, and begins: counted from here on. */
void sync_begins(struct node *n);
/* It has ended: gives back what it has or waits for. */
void sync_release(struct run *r, struct node *n);
/* The same of the workflow: before it runs, ... */
bool sync_workflow_parks(struct run *r);
bool sync_workflow_shut(struct run *r); /* ... when it is shut down: true if it does not run yet, ... */
void sync_finish(struct run *r);        /* ... and at its end, with all that is left */
void sync_told(struct run *r, const struct stimulus *s);
bool sync_tell_refusal(struct run *r); /* the next, when nothing else is left; false: there is none */
void sync_suspend(struct run *r);
void sync_order_asks(struct run *r); /* of this stimulus */
void sync_resume(struct run *r);
struct val sync_save(const struct locking *l, struct arena *a);
struct locking *sync_load(struct run *r, const struct val *v); /* NULL: none */
struct val sync_status(const struct run *r, struct arena *a);  /* status.synchronization; may be empty */

/* ---- metrics.c ------------------------------------------------------------------------------------------------- */

/* `n` has begun (or was found again after a restart), and its template reports `metrics`; NULL: none. */
void metrics_begin(struct run *r, struct node *n, const struct val *metrics);
/* `n` has metrics, and is fulfilled. */
void metrics_end(struct run *r, struct node *n);
void metrics_of_workflow(struct run *r, bool ended);

/* ---- verb.c, rerun.c -------------------------------------------------------------------------------------------- */

/* recall.c. Everything but the nodes is forgotten, and the root is to be called again: as after a restart. */
void run_recall(struct run *r);
void node_forget(struct node *n); /* the same of one node */

struct selector;
bool node_chosen(const struct selector *s, struct node *n); /* whether a nodeFieldSelector means it (spec 5) */
/* Takes away what is to run again, and opens what it is part of; then the run can be started. */
void rerun_prepare(struct run *r, const struct verb_options *o, const struct selector *s);
void verb_apply(struct run *r, const struct stimulus *s);
void verb_shutdown(struct run *r); /* kills what may not go on */

#endif
