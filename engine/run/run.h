/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run: one workflow as a pure state machine. Nodes, phases, names, messages and links are Argo's (spec 2). There is no
 * clock and no I/O here: what happens comes in as a stimulus with its time, what is to be done goes out as effects.
 *
 * The cost of a stimulus is what it changed: every node counts what it waits for, a node that ends lowers the counts of
 * those behind it, and zero means ready. Nothing walks the tree.
 */
#ifndef TIDEGATE_ENGINE_RUN_RUN_H
#define TIDEGATE_ENGINE_RUN_RUN_H

#include "config/config.h"
#include "engine/locks.h"
#include "engine/spec/spec.h"

struct run;
struct node;

enum phase {
	PHASE_NONE,
	PHASE_PENDING,
	PHASE_RUNNING,
	PHASE_SUCCEEDED,
	PHASE_SKIPPED,
	PHASE_FAILED,
	PHASE_ERROR,
	PHASE_OMITTED
};
const char *phase_name(enum phase p); /* "Succeeded"; "" for NONE */

enum stimulus_kind {
	STIM_START,
	STIM_TASK_STARTED,
	STIM_TASK_CHANGED, /* of a pod that runs: the states of its containers, that it is ready */
	STIM_TASK_DONE,
	STIM_TASK_PROGRESS,
	STIM_TIMER,
	STIM_ROOM, /* there is room for .node_id's task now: its EFFECT_START comes again if it is still wanted */
	STIM_SUSPEND,
	STIM_RESUME,
	STIM_STOP,
	STIM_TERMINATE,
	STIM_RETRY,
	STIM_SET,
	STIM_QUEUE, /* it may not run yet: STIM_START comes when it may */
	STIM_GO_ON, /* run_busy said so */
	STIM_COLLECTED, /* artifacts of it were removed, or could not be: verb_options.collected */
	STIM_LOCK   /* news of locks that .node_id asked for by EFFECT_LOCK (empty: the workflow) */
};
/* What became of an EFFECT_LOCK. */
struct lock_news {
	bool granted;
	str error;                 /* .p: they cannot be had, and were not asked for */
	str lock, message;         /* else: the lock it waits for, and Argo's words for it */
	const struct val *holders; /* a list for each lock asked for: who holds it now; for display, may be NULL */
};
/* The locks that a node or a workflow asked for. */
struct locking {
	enum lock_state { LOCK_WAITING, LOCK_GRANTED, LOCK_HELD } state; /* GRANTED: about to begin */
	bool asked;                /* and has not been told yet: WAITING */
	bool placed;               /* asked, and has a place among those that run until it is told */
	struct lock_id *ids;
	size_t n;
	str waiting;               /* name of the lock it waits for; may be absent */
	const struct val *holders; /* as in lock_news */
};
/* What a step used, in thousandths of Argo's units: seconds of a core, and seconds of 100Mi of memory (spec 10). */
struct usage {
	int64_t cpu, memory;
};
/* A container of a pod. */
struct container_result {
	str name;
	enum phase phase; /* PENDING: it was not started */
	str message;
	int exit_code;    /* -1: there is none */
};
/* What became of an output artifact. */
struct artifact_result {
	str name;
	bool saved;   /* under artifact_key */
	bool log;     /* it is none of the template's: what a container printed, as NAME-logs */
	str problem;  /* else: why not; absent: it is not there */
};
struct task_result {
	enum phase phase;      /* SUCCEEDED, FAILED or ERROR */
	str message;           /* "main: Error (exit code 1)" */
	int exit_code;         /* -1: there is none */
	struct kvs parameters; /* contents of the files of outputs.parameters that exist, by parameter name; as they
				  are, the run takes off a line feed */
	struct artifact_result *artifacts; /* one for each of outputs.artifacts that says anything */
	size_t artifacts_n;
	str result;            /* stdout, likewise; absent if it was not captured */
	str progress;          /* "3/10"; may be absent */
	struct usage usage;    /* zero: not known */
	const struct container_result *containers; /* of a container set */
	size_t containers_n;
	str ip;                /* of a daemon: its address; absent: it is not known yet */
	bool ready;            /* a daemon's containers all run and are ready */
	bool lost;             /* nobody can say how it ended */
};
struct stimulus {
	enum stimulus_kind kind;
	int64_t now; /* ns */
	str node_id; /* TASK_*, TIMER, ROOM */
	const struct task_result *result;
	str progress; /* TASK_PROGRESS: "3/10" */
	const struct verb_options *verb; /* RESUME, STOP, SET, RETRY */
	const struct lock_news *lock;    /* LOCK */
	bool hold;                       /* RETRY: it may not run yet, as with QUEUE */
};

/* What the name of an image meant: a digest, or as executor_image says. */
struct image_use {
	str name, digest;
	str first;   /* id of the first node that used it; may be absent */
	bool listed; /* somebody said what it means */
};
struct image_uses {
	VEC(struct image_use) v;
};
/* What `name` meant before; absent: nothing yet. `u` may be NULL. */
str image_pinned(const struct image_uses *u, str name);

/* What a pod says that ran longer than its own template allows, and than the workflow or all its attempts together may. */
#define POD_TOO_LONG "Pod was active on the node longer than the specified deadline"
#define STEP_TOO_LONG "Step exceeded its deadline"

/* A step to be executed: everything the executor needs, with all variables put in. Lives in the arena given to
 * run_advance. */
struct task_spec {
	str ns, workflow, uid, node_id, pod, template_name;
	uint32_t order; /* node_order: with the uid it names this attempt, whatever else the node's id was or will be used for */
	const struct template *tmpl; /* the processed template: container or script */
	const struct val *artifacts; /* those it takes, with their places: inputs.artifacts of its node; may be NULL */
	const struct val *archive;   /* where those lie that have no complete place of their own: archiveLocation of its template; NULL: on this machine */
	bool capture_result;
	int64_t deadline_ns; /* 0: none; kill it then. activeDeadlineSeconds is not in it: the run counts that from
				STIM_TASK_STARTED */
	const struct image_uses *images; /* of the workflow; may be NULL */
	const struct val *pod_resources; /* podResources of the template, else of the workflow; may be NULL */
	const struct val *volumes; /* spec.volumes of the workflow, processed; NULL if none */
	const struct val *claims;  /* spec.volumeClaimTemplates, processed; NULL if none */
	int64_t grace_seconds;
	bool host_network; /* a daemon takes the host's address: spec.hostNetwork */
	str service_account; /* serviceAccountName of the template, else of the workflow; absent: it has none */
};

/* places.c. Where an artifact lies. */
enum artifact_place {
	ARTIFACT_NOWHERE,
	ARTIFACT_RAW,    /* in itself */
	ARTIFACT_BY_KEY, /* in the archiveLocation of its template, under this key: its own location is not complete */
	ARTIFACT_ELSEWHERE, /* its location says all */
};
/* `text`: the raw text, the key (of git there is none); may be NULL. Both live as long as the artifact. */
enum artifact_place artifact_place(const struct val *artifact, str *text);
/* The artifact with a further path behind its key; itself if it has no key. In `a`. */
const struct val *artifact_below(const struct val *artifact, str sub, struct arena *a);
/* Whether an archiveLocation says all that is needed; if not, it does not count. NULL is fine. */
bool artifact_location_complete(const struct val *archive);
/*
 * The whole place, as a map with one member: {"s3": {...}}. `archive`: the archiveLocation of its template; of one that is not complete, or NULL, {"local":
 * {"key": ...}}. `key`: that of an artifact whose location is not complete. In `a`, sharing.
 */
struct val artifact_located(const struct val *artifact, const struct val *archive, str key, struct arena *a);
/*
 * The place of what a data template lists, whose key may be empty, and that key as the manifest has it: its own if that says all but the key; else its own over the
 * workflow's repository, if that is of the same kind (what Argo's drivers come to: theirs is the repository's, ListObjects gets the artifact); else the repository with
 * its key. ERR_INVALID: none of these. In `a`, sharing.
 */
int artifact_listed(const struct val *artifact, const struct val *archive, struct arena *a, struct val *out, str *key, struct err *e) MUST_CHECK;
/* The key of an output artifact of a pod: its own, or that of spec 2.19. In `a`. */
str artifact_key(const struct val *artifact, const struct val *archive, str workflow, str pod, struct arena *a);
/*
 * A repository as settings and config maps have it (Argo's artifactRepository), as a location: its key is the pattern of keys. In `a`. ERR_INVALID: its
 * fields are wrong, or it lacks some.
 */
int repository_location(const struct val *repo, struct arena *a, struct val *out, struct err *e) MUST_CHECK;
struct run_world;
/*
 * repository.c. The repository that a workflow of `ns` with this artifactRepositoryRef (NULL: none) uses: {"ref": as its status shows it, "location": an archiveLocation whose
 * key is a pattern}, in `a`. *out stays as it is for the one on this machine. ERR_NOT_FOUND: the reference leads nowhere; ERR_INVALID: what it leads to is no repository.
 */
int repository_find(const struct run_world *w, str ns, const struct val *ref, struct arena *a, const struct val **out, struct err *e) MUST_CHECK;
/*
 * places.c. The artifact with this key in place of its own; where it has no location, with one that is but a key, which is looked for in the workflow's repository. In `a`. ERR_INVALID:
 * its location (raw, git) has none.
 */
int artifact_with_key(const struct val *artifact, str key, struct arena *a, const struct val **out, struct err *e) MUST_CHECK;
/* artifact_gc.c. An artifact that is to be removed, with its whole place: when the workflow has ended, or else when it is deleted. */
struct collectable {
	str node_id, name;
	struct val place;
	bool completion;
};
/* All of them; n, and the list in `a`. */
size_t run_collectables(const struct run *r, struct arena *a, struct collectable **out);
/* Whether a strategy is Never, said so: then nothing is removed with the workflow that is not asked for. */
bool run_keeps_artifacts(const struct run *r);
/* What became of artifacts of the workflow with that uid. */
struct collected {
	str uid;
	const struct collected_one {
		str node_id, name, problem; /* problem absent: it is gone */
	} *p;
	size_t n;
};
/* What the log of a container is called as an artifact, for artifact_key and the status. In `a`. */
struct val artifact_of_log(str container, struct arena *a);
enum artifact_packing { ARTIFACT_TAR, ARTIFACT_ZIP, ARTIFACT_NONE, ARTIFACT_GUESS };
/* How it is packed; GUESS: nothing is said, so that an output is packed as tar, and an input looked at. */
enum artifact_packing artifact_packing(const struct val *artifact);

enum effect_kind {
	EFFECT_START, /* start .task; news come as STIM_TASK_* for .node_id */
	EFFECT_KILL,  /* SIGTERM, grace, SIGKILL to .node_id's task */
	EFFECT_TIMER, /* STIM_TIMER for .node_id (may be empty: the workflow) at .at_ns; a later one for the same node
			 replaces it */
	EFFECT_SAVE, /* the row of .node changed: once a stimulus for each, at the end. A node that a retry took away is
			saved too, as gone */
	EFFECT_FINISHED, /* the workflow has its final phase */
	EFFECT_LOCK,   /* .node (NULL: the workflow) wants .locks; the answer comes as STIM_LOCK, now or later. Asking
			  again for the same is nothing */
	EFFECT_UNLOCK, /* it gives back what it holds or asked for: before that commit nobody may act on having it */
	EFFECT_MEMO,     /* .memo {hit, key, cacheName}: that result of the cache was used; or .outputs (NULL: none) of .node are
			    kept there, in the transaction that ends the node */
	EFFECT_METRIC,   /* .metric is reported; why it cannot be taken goes to run_metrics_failed */
};
struct effect {
	enum effect_kind kind;
	str node_id;
	struct node *node;
	const struct task_spec *task;
	const struct custom_metric *metric;
	const struct locking *locks;
	const struct val *memo, *outputs;
	int64_t at_ns;
	struct effect *next;
};

/* A result of an earlier node. */
struct memo_entry {
	const struct val *outputs; /* NULL: it had none */
	int64_t created;           /* ns */
};
/*
 * What one workflow may cost. `calls`: steps, tasks and elements of loops that one stimulus begins; the others follow with
 * STIM_GO_ON (0: all at once). `nodes`, `memory` (bytes): what the workflow may have; with more it ends in an error that
 * names the setting (0: NODES_MAX; any).
 */
struct run_limits {
	size_t calls, nodes, memory;
};
/* What a run may ask about the world while it advances: templates and config maps by name. Pure look-ups. */
struct run_world {
	const struct val *(*template_spec)(
		void *arg, bool cluster, str ns, str name); /* spec of a (Cluster)WorkflowTemplate, or NULL */
	int (*config_map)(void *arg, str ns, str name, str key, str *out, struct err *e);
	void *arg;
	bool (*transient)(void *arg, str message); /* whether the settings call such an error transient; may be NULL */
	/* Durations of the last successful run of the same template, as run_baseline gave them; NULL: none. May be NULL. */
	const struct val *(*baseline)(void *arg, const struct run *r);
	const struct val *defaults; /* spec of the settings' workflowDefaults, merged under that of a workflowTemplateRef; may be NULL */
	/* Number of the revision that template_spec gives; 0: not known. May be NULL. */
	int64_t (*template_revision)(void *arg, bool cluster, str ns, str name);
	const char *(*nearest_template)(
		void *arg, bool cluster, str ns, str name); /* a name that might be meant; may be NULL */
	/* 1: what the cache has under the key, in the arena; 0: nothing; -1: it cannot be used. May be NULL. */
	int (*memo)(void *arg, str ns, str cache, str key, struct arena *a, struct memo_entry *out, struct err *e);
	/* Where artifact repositories are found: a ConfigMap as it is written (NULL: there is none; may be NULL), the settings' artifactRepository (may be NULL),
	 * and the namespace whose config maps serve all. */
	const struct val *(*config_map_object)(void *arg, str ns, str name);
	const struct val *artifact_repository;
	str home;
	struct run_limits limits;
};

/* One spec over another as the next has it. `base` may be NULL. */
const struct val *run_joined_spec(struct arena *a, const struct val *base, const struct val *own);
/*
 * The spec that a manifest means: its own over that of its workflowTemplateRef (spec 1.9: whole parameters from the
 * highest layer, suspend from the Workflow, hooks per key); its own spec if it has no such reference. ERR_NOT_FOUND in
 * Argo's words.
 */
const struct val *run_merged_spec(
	struct arena *a, const struct val *manifest, const struct run_world *w, struct err *e);
/* A new run of a validated manifest (metadata complete: name, namespace, uid, creationTimestamp). Keeps its own arena.
 */
int run_new(struct run **out, const struct val *manifest, const struct run_world *w, struct err *e) MUST_CHECK;
/*
 * A new run in which what succeeded in `old`, which ended badly, need not run again (spec 5, resubmit --memoized): its pods are
 * Skipped and hand on what they had. Copies what it needs of `old`. ERR_EXISTS if that did not end badly.
 */
int run_memoized(struct run **out, const struct run *old, const struct val *manifest, const struct run_world *w,
	int64_t now, struct err *e) MUST_CHECK;
/*
 * again.c. A new run of exactly what another executed: its merged specification, its stored templates, the values of its
 * parameters and its images, from the other's run_save_spec and run_save_state. Where it comes to templates the other did
 * not reach, there are those of `frozen` and no others: a map "namespaced/NAME" or "cluster/NAME" -> spec.
 */
int run_again(struct run **out, const struct val *saved, const struct val *state, const struct val *frozen,
	const struct val *manifest, const struct run_world *w, struct err *e) MUST_CHECK;
void run_free(struct run *r);
/*
 * The step of `n` (NULL: none yet) runs with this image. From now on the name means that for the whole workflow; it is in
 * the state and, with `n`, in its row that are saved next: of several images of a node the first is the node's. Only the first
 * IMAGES_MAX_KEPT names are kept.
 */
enum { IMAGES_MAX_KEPT = 256 };
void run_use_image(struct run *r, struct node *n, str name, str digest, bool listed);
/* Handles one stimulus; effects in order, in `tmp`. */
void run_advance(struct run *r, const struct stimulus *s, struct arena *tmp, struct effect **effects);
/*
 * Something was left of the last stimulus, since world.limits.calls were begun: give it STIM_GO_ON when others have had their
 * turn. What was decided so far may be saved and carried out before that. Other stimuli may come in between.
 */
bool run_busy(const struct run *r);
/* Whether a verb may be applied now: ERR_EXISTS if the state does not allow it, ERR_INVALID for bad options, in Argo's
 * words (spec 5). */
struct verb_options;
int run_verb_check(
	const struct run *r, enum stimulus_kind verb, const struct verb_options *o, struct err *e) MUST_CHECK;
/* A metric could not be reported: shown as the condition MetricsError. */
void run_metrics_failed(struct run *r, str why);
str run_name(const struct run *r);
str run_uid(const struct run *r);
str run_ns(const struct run *r);
enum phase run_phase(const struct run *r);
bool run_finished(const struct run *r);
bool run_has_pods(const struct run *r);          /* steps of it run: the condition PodRunning */
bool run_has_metrics_error(const struct run *r); /* the condition MetricsError */
const struct val *run_template_ref(const struct run *r); /* spec.workflowTemplateRef; NULL: it has none */
int64_t run_started(const struct run *r);     /* ns; 0: not yet */
int64_t run_finished_at(const struct run *r); /* ns; 0: not yet */
/* Its metadata as shown, with the labels of the phase and of its template. */
const struct val *run_metadata(const struct run *r, struct arena *a);
/* The Workflow with metadata (labels of the phase), spec and status. */
struct val run_workflow(const struct run *r, struct arena *a);
/* The same without status.nodes: as quick, however many there are. */
struct val run_workflow_bare(const struct run *r, struct arena *a);
/*
 * For the store, in three parts, because most changes touch little: what is executed (manifest, merged spec, stored
 * templates), how far it is (phase, times, message, global outputs; small), and a row for each node.
 */
struct val run_save_spec(const struct run *r, struct arena *a);
unsigned run_spec_version(const struct run *r); /* grows when run_save_spec would give something else */
struct val run_save_state(const struct run *r, struct arena *a);
struct val node_save(const struct node *n, struct arena *a);
/*
 * Rebuilds a run from what was saved (copied); then STIM_START resumes it: the effects START (to be adopted) and TIMER
 * come again for what is open. `nodes` are in order of creation. A finished run may be loaded without its nodes, to be
 * listed. Asks nothing of the world (it may be called on another thread), but remembers it.
 */
int run_load(struct run **out, const struct val *spec, const struct val *state, const struct val *const *nodes,
	size_t n, const struct run_world *w, struct err *e) MUST_CHECK;
/* After run_load, before anybody starts: what the run holds. *i starts at 0; `node_id` empty: the workflow. NULL: that is all. */
const struct locking *run_holds(const struct run *r, size_t *i, str *node_id);
bool run_queued(const struct run *r);      /* it waits to be let run */
int64_t run_priority(const struct run *r); /* spec.priority; 0 */
str node_id(const struct node *n);
/*
 * Calls that wait because a limit of `parallelism` is reached: for each such limit the name of the node whose template has it (empty: the
 * workflow's), the limit, and how many wait.
 */
void run_each_limited(const struct run *r, void (*fn)(void *arg, str around, int64_t limit, size_t held), void *arg);
uint32_t node_order(const struct node *n); /* place in the order of creation, from 0; never changes */
bool node_recovered(const struct node *n); /* its pod was open when it was read back: it may run already */
enum phase node_phase(const struct node *n);
int64_t node_started(const struct node *n); /* ns, whole seconds; 0: not yet */
str node_pod(const struct node *n); /* name of its pod; empty if it has none */
/* A label of its pod: of the template's metadata, and those that Argo sets; absent if there is none. */
str node_label(const struct node *n, str key);
bool node_has_task(const struct node *n); /* its work is done outside the run (a pod, a request), and has not ended */
/* estimate.c. How long a finished run and its nodes took: {"seconds": n, "nodes": {path: n}}; of 2,000 nodes at most. */
struct val run_baseline(const struct run *r, struct arena *a);
/* gc.c. When a finished run is to be deleted (spec.ttlStrategy): ns; 0: not by that. */
int64_t run_expires(const struct run *r);
/* When the files of a pod that has just ended are to go (spec.podGC), or those of all pods now that the workflow has ended: ns; 0: not
 * now. `*all`: without a choice of labels; else of those that run_gc_wants. */
int64_t run_gc_pod(const struct run *r, const struct node *n);
int64_t run_gc_pods(const struct run *r, bool *all);
bool run_gc_wants(const struct run *r, const struct node *n);
/* Whether the folders of volumeClaimTemplates are to go now that the workflow has ended (spec.volumeClaimGC). */
bool run_gc_claims(const struct run *r);
/* A node as Argo's status shows it. */
struct val node_status(const struct node *n, struct arena *a);
/* Nodes in order of creation, for trees and lists. */
struct node *run_node_next(const struct run *r, size_t *i);
struct node *run_node(const struct run *r, str id);

#endif
