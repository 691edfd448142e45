/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ending: pods that are told to end: by a stop, a deadline, the end of what a daemon serves (spec 2.14, 2.15). Their nodes
 * have their last phase at once. A pod whose command may be running is remembered as ending until the executor has seen
 * its end, and the workflow does not finish before: so a crash in between cannot leave a command behind that nobody knows
 * of.
 *
 * What is no daemon is not even fulfilled before: its lock is not given back while its command uses its grace period, no
 * further attempt and no exit handler begins beside it, and it counts for parallelism. (In Argo a node is fulfilled when its task result is complete,
 * which its executor writes when the command is gone.)
 */
#include "engine/run/run_impl.h"

void
pod_emit_kill(struct run *r, struct node *n)
{
	struct effect *kill = run_effect(r, EFFECT_KILL, n);
	if (!work_of(n)->grace)
		return;
	struct task_spec *task = ARENA_NEW(r->tmp, struct task_spec);
	task->grace_seconds = work_of(n)->grace - 1;
	kill->task = task;
}

void
pod_kill(struct run *r, struct node *n)
{
	bool runs = n->daemon || (n->type == NODE_POD && n->phase == PHASE_RUNNING);
	pod_emit_kill(r, n);
	if (!runs || n->ending)
		return;
	n->ending = true;
	r->ending++;
	node_changed(n);
}

void
pod_give_up(struct run *r, struct node *n, str why)
{
	pod_kill(r, n);
	if (!n->ending)
		n->body = NULL;
	containers_end(n, why);
	node_set(n, PHASE_FAILED, why);
}

bool
pod_gone(struct run *r, struct node *n)
{
	if (!n->ending)
		return false;
	n->ending = false;
	n->body = NULL;
	work_end(n);
	node_changed(n);
	if (!n->daemon) {
		limit_count(n, true, false);
		node_over(n);
	}
	if (--r->ending == 0 && r->withheld)
		run_end(r, r->withheld, r->withheld_message);
	return true;
}
