/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfers: what somebody who asks is told of a node whose artifacts are being moved. It stands in no row and in no run: it is other a moment later, and nothing
 * follows from it.
 */
#include "core/transfer_watch.h"
#include "engine/shell.h"

/* ": 312.0 MiB of 1.0 GiB" */
static str
how_far(struct arena *a, const struct transfer_view *v)
{
	str bytes = bytes_text(a, v->bytes);
	if (v->total)
		return arena_fmt(a, ": %.*s of %.*s", STR_ARG(bytes), STR_ARG(bytes_text(a, v->total)));
	return v->bytes ? arena_fmt(a, ": %.*s", STR_ARG(bytes)) : S("");
}

str
transfer_text(const struct transfer_view *v, struct arena *a)
{
	if (v->waits)
		return arena_fmt(a, "waits to have its artifacts %s", v->out ? "saved" : "loaded");
	if (v->done || !v->artifact.n)
		return arena_fmt(a, "its artifacts are %s", v->out ? "saved" : "loaded");
	str again = v->attempt > 1 ? arena_fmt(a, "; attempt %u%s%.*s", v->attempt, v->reason.n ? ", since " : "", STR_ARG(v->reason)) : S("");
	return arena_fmt(a, "%s artifact %.*s%.*s %s %.*s%.*s", v->out ? "saving" : "loading", STR_ARG(v->artifact), STR_ARG(how_far(a, v)), v->out ? "to" : "from",
		STR_ARG(v->place), STR_ARG(again));
}

struct val
transfer_val(const struct transfer_view *v, struct arena *a)
{
	struct val_map m = { 0 };
	val_map_add(&m, S("direction"), val_cstr(v->out ? "output" : "input"));
	val_map_add(&m, S("waits"), val_bool(v->waits));
	val_map_add_str(&m, S("artifact"), v->artifact);
	val_map_add_str(&m, S("place"), v->place);
	if (!v->waits && !v->done) {
		val_map_add(&m, S("bytes"), val_int((int64_t)v->bytes));
		if (v->total)
			val_map_add(&m, S("total"), val_int((int64_t)v->total));
		val_map_add(&m, S("attempt"), val_int(v->attempt));
		val_map_add_str(&m, S("reason"), v->reason.n ? v->reason : STR_NONE);
	}
	return val_map_end(&m, a);
}

/* ---- in a workflow that is shown ------------------------------------------------------------------------------------- */

static struct val
told_node(struct engine *g, const struct val *meta, const struct val *node, struct arena *a)
{
	struct transfer_view v;
	str phase = val_get_str(node, "phase");
	bool open = str_eq(phase, S("Pending")) || str_eq(phase, S("Running"));
	if (!open || val_get_str(node, "message").n ||
		!executor_transfer(g->executor, val_get_str(meta, "namespace"), val_get_str(meta, "name"), val_get_str(node, "id"), a, &v))
		return *node;
	struct val text = val_str(transfer_text(&v, a));
	return *val_set(a, node, S("message"), &text);
}

const struct val *
engine_tell_transfers(struct engine *g, const struct val *workflow, struct arena *a)
{
	const struct val *meta = val_get(workflow, S("metadata")), *status = val_get(workflow, S("status")), *nodes = val_get(status, S("nodes"));
	struct val_map m = { 0 };
	if (!g->executor || !val_is(nodes, VAL_MAP) || !executor_transfers(g->executor, val_get_str(meta, "namespace"), val_get_str(meta, "name")))
		return workflow;
	for (uint32_t i = 0; i < nodes->n; i++)
		val_map_add(&m, val_key(&nodes->members[i]), told_node(g, meta, &nodes->members[i].value, a));
	struct val told = val_map_end(&m, a);
	return val_set(a, workflow, S("status"), val_set(a, status, S("nodes"), &told));
}
