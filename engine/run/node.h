/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node: a node in memory, as the files of the run see it; and how its name, links and phase change (node.c).
 */
#ifndef TIDEGATE_ENGINE_RUN_NODE_H
#define TIDEGATE_ENGINE_RUN_NODE_H

#include "engine/run/run.h"

enum node_type {
	NODE_POD,
	NODE_STEPS,
	NODE_STEP_GROUP,
	NODE_DAG,
	NODE_TASK_GROUP,
	NODE_RETRY,
	NODE_SKIPPED,
	NODE_SUSPEND,
	NODE_HTTP,
	NODE_CONTAINER,
	NODE_TYPES
};
/* Who is told when a node is fulfilled. */
enum role {
	ROLE_NONE,
	ROLE_ROOT,    /* the workflow */
	ROLE_GROUP,   /* its Steps node */
	ROLE_STEP,    /* its StepGroup */
	ROLE_TASK,    /* its DAG node */
	ROLE_ITEM,    /* its TaskGroup */
	ROLE_ATTEMPT, /* its Retry node */
	ROLE_EXIT,    /* the node whose exit hook it is */
	ROLE_ON_EXIT, /* the workflow: its exit handler */
	ROLE_HOOK,    /* the node whose hook it is */
	ROLE_WORKFLOW_HOOK, /* the workflow; its owner is the root */
	ROLES
};

struct call;
struct frame;
struct lifecycle;

/* What a node has while it is open and its work is done outside the run, or it waits for a time or a lock. */
struct work {
	str template_name;
	int64_t deadline,
		active;  /* timeout: a point in time; activeDeadlineSeconds: a length from its start. ns, 0: none */
	int64_t pending; /* pendingTimeout: a point in time, while it is pending */
	int64_t running_since;
	int64_t grace;   /* of a pod: seconds between SIGTERM and SIGKILL, and one; 0: the default */
	struct val *packed; /* its body, if that is its own; else NULL */
	bool capture;       /* its result is wanted */
	bool limited;       /* the deadline is that of all attempts together (backoff.maxDuration) */
};

/*
 * A node stays in memory as long as its workflow runs: names and links are looked up, outputs are handed on. So that this is
 * little, what only an open one needs lies in `work` and goes when it ends, and nodes are found by two index tables instead of
 * maps (node.c).
 */
struct node {
	struct run *run;
	uint32_t order;
	enum node_type type : 8;
	enum phase phase : 8;
	str id, name, display, message;
	str template_name, template_scope;
	const struct val *template_ref; /* as written: {name, template, clusterScope} */
	struct node *boundary;
	int64_t started, finished; /* ns, whole seconds; 0: not yet */
	int64_t estimated;         /* seconds it will probably take; 0: unknown */
	const struct val *inputs, *outputs;
	VEC(struct node *) children, parents, outbound;
	bool hooked, retried; /* nodeFlag */
	bool exiting;         /* part of an exit handler: spared by Stop and by the workflow's deadline */
	bool gone;            /* taken away by a retry; its row says so */
	bool dirty, queued;
	bool counted;         /* it is queued, and its frame counts that */
	bool recovered;       /* an open pod that was read back */
	bool met;             /* it was made or called since this run is in memory */
	bool bubbles; /* its error is its caller's too (an error of executeTemplate, not a result) */
	uint16_t image; /* place in run.images, from 1; 0: none */
	str pod;
	struct work *work;        /* NULL: it has none (any more); see work_of */
	const struct val *body;   /* of an open pod: the processed template, kept as long as the pod may have to be adopted */
	const struct val *labels; /* metadata.labels of its template, with podMetadata; NULL if there are none */
	/* of a daemon, and of a Retry node above one */
	bool daemon;   /* its template is one */
	bool daemoned; /* it runs and is ready */
	bool ending;   /* it was told to end, and the executor has not seen its end yet; of any pod */
	str pod_ip;
	/* progress: of a leaf its own, of others the sum of the leaves below */
	uint32_t done, total;
	struct usage usage; /* likewise */
	/* what it counts as a boundary */
	uint32_t active_pods, active_children, waiting_children, failed_children;
	/* derived: not saved */
	enum role role : 8;
	struct node *owner;
	uint32_t slot;         /* which step of the group, task of the dag, attempt */
	struct call *call;     /* NULL if it was made in passing, see loop_in_passing */
	const struct step *of; /* the step or task it came from; NULL for the root, hooks */
	struct frame *frame;   /* Steps, DAG */
	uint32_t waiting;      /* StepGroup, TaskGroup: children that are not settled */
	str error;             /* StepGroup: what it will fail with once its children ended */
	bool exit_begun;       /* its exit hook was called */
	bool told;             /* its end was told to whoever waits for it */
	uint32_t hooks_open;   /* hooks, its exit hook too, that were begun and have not ended */
	struct lifecycle *hooks; /* NULL: it has none with a condition */
	const struct val *memo;    /* status.memoizationStatus; NULL: none */
	struct locking *lock;      /* its locks, until it ends; NULL: none */
	const struct val *metrics; /* of its template, variables put in; NULL: none */
	struct node *daemons, *next_daemon; /* of a boundary those below it, in a chain */
	bool members;          /* a pod: it has nodes for the members of a container set */
	bool told_ready;       /* who waited for a daemon was told */
	uint32_t visit;        /* of the last walk that came by (dag.c, containers.c) */
	uint8_t visited;
};

/* A node's hooks with a condition: see lifecycle.c. */
struct lifecycle {
	bool *begun;  /* by the place in node->of->hooks */
	bool noticed; /* is in run->noticed */
};

/* ---- node.c ---------------------------------------------------------------------------------------------------- */

static inline bool
phase_completed(enum phase p)
{
	return p == PHASE_SUCCEEDED || p == PHASE_FAILED || p == PHASE_ERROR;
}
static inline bool
phase_failed(enum phase p)
{
	return p == PHASE_FAILED || p == PHASE_ERROR;
}
static inline bool
phase_fulfilled(enum phase p)
{
	return phase_completed(p) || p == PHASE_SKIPPED || p == PHASE_OMITTED;
}
/* It has failed as it was told to end, but its command may still run: nobody is told before that is over. A daemon's end
 * is not waited for. */
static inline bool
node_dying(const struct node *n)
{
	return n->ending && !n->daemon;
}
/* A daemon that is ready ends with what is around it, whatever happens before (Argo: it counts as fulfilled). */
static inline bool
daemon_serves(const struct node *n)
{
	return n->daemoned && n->phase == PHASE_RUNNING && n->boundary;
}
/* Whether those who wait for it may go on: it has ended, or it is a daemon that is ready. */
static inline bool
node_fulfilled(const struct node *n)
{
	return (phase_fulfilled(n->phase) && !node_dying(n)) || (n->daemoned && n->phase == PHASE_RUNNING);
}
/* The same, and nobody has to be called again after a restart: a Retry node above a daemon still makes attempts. */
static inline bool
node_past(const struct node *n)
{
	return node_fulfilled(n) && !(n->daemoned && n->type == NODE_RETRY);
}

/* It waits for its locks: its body was not begun. */
static inline bool
sync_waits(const struct node *n)
{
	return n->lock && n->lock->state == LOCK_WAITING;
}

static inline bool
sync_unbegun(const struct node *n)
{
	return n->lock && n->lock->state != LOCK_HELD;
}

/* It stands in line for its locks, and not in the run's: also after a restart, when it asks again. */
static inline bool
sync_queued(const struct node *n)
{
	return n->lock && n->lock->state == LOCK_WAITING && (n->lock->asked || n->lock->waiting.n);
}

const char *node_type_name(enum node_type t);
enum node_type node_type_of(str name); /* NODE_TYPES if there is none */
enum phase phase_of(str name);         /* PHASE_NONE if there is none */
/* A node with that name, id and display name, pending, in the run's maps, not linked yet. NULL: the workflow has too
 * many, and has ended in an error that says so. */
struct node *node_new(struct run *r, str name, enum node_type t, struct node *boundary);
void node_register(struct run *r, struct node *n); /* a node read back */
void node_indexes_free(struct run *r);
void node_indexes_renew(struct run *r); /* nodes are gone */
const struct work *work_of(const struct node *n); /* to look at; all zero if it has none */
struct work *work_set(struct node *n);            /* to write; made if it has none */
void work_end(struct node *n);
struct node *node_named(const struct run *r, str name);
void node_link(struct node *parent, struct node *child); /* children of parent */
void node_changed(struct node *n);
/* Sets phase and message, and on the way to a fulfilled phase its end, the counts, and the news. An absent message
 * keeps the old one. */
void node_set(struct node *n, enum phase p, str message);
/* Gets the news around again, for a node that was fulfilled before (after a restart). */
void node_over(struct node *n); /* its last phase is set and nothing of it runs: those who wait for it are told */
void node_announce(struct node *n);
/* The leaves that come last below `n` (Argo's getOutboundNodes), each once. */
void node_outbound(struct node *n, void (*fn)(void *arg, struct node *leaf), void *arg);
str pod_name(const struct run *r, struct arena *a, str node_name, str template_name);
struct node *node_last_attempt(const struct node *retry);
bool node_is_task(const struct node *n); /* its work is done outside the run: news come as STIM_TASK_* */
/* It has a progress of its own; all others have the sum of what is below. */
static inline bool
node_counts(const struct node *n)
{
	return node_is_task(n) || n->type == NODE_SUSPEND || n->type == NODE_CONTAINER;
}

#endif
