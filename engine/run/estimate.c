/* SPDX-License-Identifier: Apache-2.0 */
/*
 * estimate: how long a workflow and its nodes will probably take: as long as in the last successful run of the same template (spec 10;
 * workflow/controller/estimation of v4.1.2). Nodes are the same where their names are, less the workflow's own.
 */
#include "engine/run/run_impl.h"

enum { NODES_KEPT = 2000 };

static int64_t
seconds_of(int64_t started, int64_t finished)
{
	return started && finished > started ? (finished - started) / NS_PER_SEC : 0;
}

struct val
run_baseline(const struct run *r, struct arena *a)
{
	struct val_map m = { 0 }, nodes = { 0 };
	struct node *n;
	for (size_t i = 0; nodes.v.n < NODES_KEPT && (n = run_node_next(r, &i));) {
		int64_t seconds = seconds_of(n->started, n->finished);
		if (seconds && str_starts(n->name, r->name))
			val_map_add(&nodes, str_slice(n->name, r->name.n, n->name.n), val_int(seconds));
	}
	val_map_add(&m, S("seconds"), val_int(seconds_of(r->started, r->finished)));
	val_map_add(&m, S("nodes"), val_map_end(&nodes, a));
	return val_map_end(&m, a);
}

void
estimate_take(struct run *r)
{
	const struct val *b = r->world.baseline ? r->world.baseline(r->world.arg, r) : NULL, *nodes = val_get(b, S("nodes"));
	int64_t seconds;
	if (!r->estimated && b && val_get(b, S("seconds")) && val_to_i64(val_get(b, S("seconds")), &seconds))
		r->estimated = seconds;
	for (uint32_t i = 0; val_is(nodes, VAL_MAP) && i < nodes->n && i < NODES_KEPT; i++) {
		int64_t *kept = ARENA_NEW(r->arena, int64_t);
		if (val_to_i64(&nodes->members[i].value, kept))
			map_put(&r->estimates, arena_dup(r->arena, val_key(&nodes->members[i])), kept);
	}
}

int64_t
estimate_of(const struct run *r, str name)
{
	if (!r->estimates.n || !str_starts(name, r->name))
		return 0;
	const int64_t *seconds = map_get(&r->estimates, str_slice(name, r->name.n, name.n));
	return seconds ? *seconds : 0;
}
