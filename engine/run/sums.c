/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sums: what is known of leaves and shown of everything above them: progress, and the use of resources. A change of a
 * leaf goes up to the root of the tree and no further, so it costs as much as templates are nested.
 */
#include "engine/run/run_impl.h"

/* The node whose sums contain those of `n`; a hook counts where the node does that it belongs to. */
static struct node *
part_of(const struct node *n)
{
	if (n->type == NODE_CONTAINER)
		return n->owner ? part_of(n->owner) : NULL; /* beside its pod, as Argo counts */
	bool hook = n->role == ROLE_EXIT || n->role == ROLE_HOOK || n->role == ROLE_WORKFLOW_HOOK;
	return hook && n->owner ? n->owner->owner : n->owner;
}

void
progress_set(struct node *leaf, uint32_t done, uint32_t total)
{
	uint32_t by_done = done - leaf->done,
		 by_total = total - leaf->total; /* modulo 2^32: may be less than nothing */
	leaf->run->done += by_done;
	leaf->run->total += by_total;
	for (struct node *n = leaf; n; n = part_of(n)) {
		n->done += by_done;
		n->total += by_total;
	}
}

static void
add(struct usage *to, struct usage by)
{
	to->cpu += by.cpu;
	to->memory += by.memory;
}

void
usage_set(struct node *leaf, struct usage u)
{
	const struct usage by = { u.cpu - leaf->usage.cpu, u.memory - leaf->usage.memory };
	add(&leaf->run->usage, by);
	for (struct node *n = leaf; n; n = part_of(n))
		add(&n->usage, by);
}

/* Sums are of the thousandths: a thousand steps of a millisecond are a second. */
bool
usage_shown(struct usage u, struct arena *a, struct val *out)
{
	struct val_map m = { 0 };
	if (!u.cpu && !u.memory)
		return false;
	val_map_add(&m, S("cpu"), val_int((u.cpu + 500) / 1000));
	val_map_add(&m, S("memory"), val_int((u.memory + 500) / 1000));
	*out = val_map_end(&m, a);
	return true;
}
