/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon: pods that are fulfilled as soon as they run and are ready (spec 2.15). Whoever waits for one goes on; the pod
 * runs until the steps or the dag around it end, and is then Succeeded. Until then an end of its own is a failure.
 *
 * A pod that was told to end is remembered as ending until the executor has seen its end, and the workflow does not
 * finish before: so a crash in between cannot leave a daemon behind that nobody knows of.
 */
#include "engine/run/run_impl.h"

void
daemon_track(struct node *n)
{
	if (!n->daemoned || !n->boundary)
		return;
	n->next_daemon = n->boundary->daemons;
	n->boundary->daemons = n;
}

/* Those who waited for it are told at once. */
void
daemon_ready(struct node *n, str ip)
{
	if (phase_fulfilled(n->phase))
		return;
	if (ip.n && !str_eq(ip, n->pod_ip)) { /* of a Retry node: it is that of its attempts */
		n->pod_ip = arena_dup(n->run->arena, ip);
		node_changed(n);
	}
	if (n->daemoned)
		return;
	n->daemoned = true;
	daemon_track(n);
	if (n->lock) /* it counts as fulfilled: others may have it, as in Argo */
		sync_release(n->run, n);
	node_set(n, PHASE_RUNNING, S(""));
	node_changed(n);
	node_announce(n);
}

void
daemon_kill(struct run *r, struct node *n)
{
	struct effect *kill = run_effect(r, EFFECT_KILL, n);
	if (work_of(n)->grace) {
		struct task_spec *task = ARENA_NEW(r->tmp, struct task_spec);
		task->grace_seconds = work_of(n)->grace - 1;
		kill->task = task;
	}
	if (!n->daemon || n->ending)
		return;
	n->ending = true;
	r->ending++;
	node_changed(n);
}

void
daemons_end(struct run *r, struct node *boundary)
{
	struct node *next;
	for (struct node *n = boundary->daemons; n; n = next) {
		next = n->next_daemon;
		n->next_daemon = NULL;
		if (!n->daemoned)
			continue; /* it ended by itself */
		if (n->type == NODE_POD)
			daemon_kill(r, n);
		node_set(n, PHASE_SUCCEEDED, STR_NONE);
	}
	boundary->daemons = NULL;
}

bool
daemon_ended(struct run *r, struct node *n)
{
	if (!n->ending)
		return false;
	n->ending = false;
	n->body = NULL;
	work_end(n);
	node_changed(n);
	if (--r->ending == 0 && r->withheld)
		run_fail(r, r->withheld, r->withheld_message);
	return true;
}

size_t
daemons_running(const struct node *boundary)
{
	size_t n = 0;
	for (const struct node *x = boundary->daemons; x; x = x->next_daemon)
		n += x->daemoned && x->type == NODE_POD;
	return n;
}
