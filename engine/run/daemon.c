/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon: pods that are fulfilled as soon as they run and are ready (spec 2.15). Whoever waits for one goes on; the pod
 * runs until the steps or the dag around it end, and is then Succeeded. Until then an end of its own is a failure.
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
	if (n->daemoned) {
		if (!n->told_ready)
			node_announce(n); /* after a restart, of a Retry node */
		return;
	}
	n->daemoned = true;
	daemon_track(n);
	if (n->lock) /* it counts as fulfilled: others may have it, as in Argo */
		sync_release(n->run, n);
	node_set(n, PHASE_RUNNING, S(""));
	node_changed(n);
	node_announce(n);
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
			pod_kill(r, n);
		node_set(n, PHASE_SUCCEEDED, STR_NONE);
	}
	boundary->daemons = NULL;
}

size_t
daemons_running(const struct node *boundary)
{
	size_t n = 0;
	for (const struct node *x = boundary->daemons; x; x = x->next_daemon)
		n += x->daemoned && x->type == NODE_POD;
	return n;
}
