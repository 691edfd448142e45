/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call: templates, their invocations, and the frame of one that has others inside. Derived: none of it is saved.
 */
#ifndef TIDEGATE_ENGINE_RUN_CALL_H
#define TIDEGATE_ENGINE_RUN_CALL_H

#include "core/heap.h"
#include "core/map.h"
#include "engine/run/node.h"

/* A template as it stands in the specification, defaults merged in. Decoded once; used as it is if it holds no tag. */
struct def {
	str name;
	const struct val *src;
	const struct template *decoded;
	struct library *library; /* where its own references are looked up */
	struct map captured;     /* names of steps or tasks whose outputs.result it refers to */
};
struct library {
	str scope; /* "local/wf", "namespaced/name", "cluster/name" */
	const struct val *templates;
	const struct val *spec; /* of the object they stand in: what comes along with them; NULL for the workflow's own */
	struct map defs;        /* name -> struct def */
};

/*
 * Where a call stands among those of its boundary, the first number counting most. Of steps: 0 (a hook: 1), which of its
 * group, which element. Of a dag: which task, 0 (a hook of an element: 1, of the task: 2), which element. Of the workflow:
 * its root 0, a hook 1, its exit handler 2. The last one of a hook: which of those of its step, the exit hook after the others.
 */
struct place {
	uint32_t at[4];
};

/* A template invocation that was decided on: what executeTemplate is given. */
struct call {
	struct heap_node rank;  /* in the line it waits in: see limits.c */
	struct heap *line;      /* NULL: it does not wait */
	struct link kin;        /* in its frame's list of those that wait; unused without a frame */
	bool held;              /* it waits, and counts as held in its frame */
	bool admitted;          /* it was its turn: it begins now */
	uint32_t turn;          /* since which stimulus it waits */
	struct place place;
	bool passing;            /* it lives only as long as it is begun: nothing may keep it, or what it points to */
	str name;                /* of the node */
	struct library *library; /* where `tmpl` is looked up */
	str tmpl;
	const struct val *ref, *inline_template;
	const struct arguments *args; /* variables put in; may be NULL */
	str step;                     /* name of the step or task, expanded */
	bool is_task, exiting, hooked;
	bool late; /* sees workflow.status and workflow.failures though the workflow goes on: in its hooks */
	struct node *boundary, *owner;
	enum role role;
	uint32_t slot;
	uint32_t depth;
	const struct step *of; /* the step or task as decoded; NULL for the root, hooks and attempts' own calls */
	const struct retry_strategy *retry; /* of a Retry node */
	/* an attempt */
	struct call *retried; /* the call that is tried again */
	uint32_t attempt;
	int64_t deadline; /* attempts may not run longer (backoff.maxDuration); ns, 0: none */
};

struct frame {
	struct node *node; /* the Steps or DAG node */
	struct call *call;
	const struct def *def;
	const struct template *tmpl; /* processed */
	struct map names;            /* step or task name -> index + 1 (steps: of its group) */
	struct map aggregates;       /* "name.outputs.result" -> str *, see scope.c */
	struct heap parked;  /* calls that wait for this template's own limits */
	struct link waiting; /* all its calls that wait, in whatever line */
	size_t offered;      /* how many of them are in the run's line */
	struct heap_node noted; /* in run->noted */
	/* steps */
	size_t current;
	struct node *group;
	struct node *lost; /* a group before, of which a daemon ended by itself: the steps fail when this group has ended */
	/* dag */
	struct task *tasks;
	size_t tasks_n;
	str *targets;
	size_t targets_n;
	uint32_t marks;
	size_t looked; /* tasks gone through for what depends on what, so far */
	size_t open;  /* reachable tasks that are not settled */
	size_t begun; /* tasks that are ready and not settled */
	size_t held;  /* those of them that wait to begin */
	size_t news;  /* tasks whose end is in the queue of news */
	VEC(size_t) due; /* tasks that depend on nothing open any more, from due_at on: they begin when that queue has none of ours */
	size_t due_at;
	str error;    /* fails the DAG when its tasks are done */
};

#endif
