/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a workflow waits, skipped or failed. Most of it stands in its nodes, whose messages are Argo's; what waits without a node or a
 * message is asked of those who hold it back: the queue of workflows, the line of steps, the limits of templates; and of a step's artifacts who moves them.
 */
#include "engine/shell.h"

enum { REASONS_MAX = 50 /* of one workflow that are told; the rest is counted */ };

struct explaining {
	struct engine *engine;
	struct arena *a;
	const struct val *workflow, *nodes;
	const struct live *live; /* NULL: it is not in memory */
	struct map around;       /* ids of nodes inside which something failed */
	struct val_list reasons;
	size_t more;             /* beyond REASONS_MAX */
	bool waits, runs;
	bool moves;              /* artifacts of it are being moved */
	str summary;             /* of the first reason that says why it waits or failed ... */
	str otherwise;           /* ... and where there is none */
	void (*done)(void *arg, const struct val *v, const struct err *e);
	void *arg;
};

struct why {
	str node, phase, place, advice, text;
	const struct transfer_view *transfer; /* NULL: none is under way */
};

/* ---- where it stands in the manifests ------------------------------------------------------------------------------- */

/* A template of that name in a manifest that came from a file. */
static str
place_in(struct explaining *x, const struct object *o, str template)
{
	const struct val *list = o ? val_get(val_get(o->manifest, S("spec")), S("templates")) : NULL;
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++) {
		const struct val *t = &list->items[i];
		if (str_eq(val_get_str(t, "name"), template) && t->line && o->file.n)
			return arena_fmt(x->a, "%.*s:%u", STR_ARG(o->file), t->line);
	}
	return STR_NONE;
}

static const struct object *
template_object(struct explaining *x, const struct val *ref, str name)
{
	bool cluster = val_is_true(val_get(ref, S("clusterScope")));
	str ns = val_get_str(val_get(x->workflow, S("metadata")), "namespace");
	return name.n ? objects_find(x->engine->objects, cluster ? &kind_clusterworkflowtemplate : &kind_workflowtemplate, ns, name) : NULL;
}

/* By the node's own reference, or the workflow's. */
static str
place_of(struct explaining *x, const struct val *node)
{
	const struct val *ref = val_get(node, S("templateRef")), *of_all = val_path(x->workflow, "spec.workflowTemplateRef");
	if (ref)
		return place_in(x, template_object(x, ref, val_get_str(ref, "name")), val_get_str(ref, "template"));
	return place_in(x, template_object(x, of_all, val_get_str(of_all, "name")), val_get_str(node, "templateName"));
}

/* ---- reasons --------------------------------------------------------------------------------------------------------- */

static void
add(struct explaining *x, const struct why *w, bool is_summary)
{
	struct val_map m = { 0 };
	if (is_summary && !x->summary.p)
		x->summary = w->node.n ? arena_fmt(x->a, "%.*s: %.*s", STR_ARG(w->node), STR_ARG(w->text)) : w->text;
	if (x->reasons.v.n == REASONS_MAX) {
		x->more++;
		return;
	}
	val_map_add(&m, S("node"), val_str(w->node.n ? w->node : S("the workflow")));
	val_map_add_str(&m, S("phase"), w->phase);
	val_map_add_str(&m, S("place"), w->place);
	val_map_add(&m, S("text"), val_str(w->text));
	val_map_add_str(&m, S("advice"), w->advice);
	if (w->transfer)
		val_map_add(&m, S("transfer"), transfer_val(w->transfer, x->a));
	val_list_add(&x->reasons, val_map_end(&m, x->a));
}

static void
workflow_waits(struct explaining *x, str text, str advice)
{
	const struct why w = { .phase = S("Pending"), .text = text, .advice = advice };
	x->waits = true;
	add(x, &w, true);
}

/* "a, b": who holds the locks that something waits for, by status.synchronization. */
static str
holders(struct explaining *x, const char *kind)
{
	const struct val *waiting = val_get(val_get(val_path(x->workflow, "status.synchronization"), str_c(kind)), S("waiting"));
	struct buf b CLEANUP(free_buf) = { 0 };
	for (uint32_t i = 0; val_is(waiting, VAL_LIST) && i < waiting->n && b.n < 400; i++) {
		const struct val *w = &waiting->items[i], *list = val_get(w, S("holders"));
		str one = val_get_str(w, "holder");
		if (one.n)
			buf_addf(&b, "%s%.*s", b.n ? ", " : "", STR_ARG(one));
		for (uint32_t k = 0; val_is(list, VAL_LIST) && k < list->n && b.n < 400; k++)
			if (list->items[k].kind == VAL_STR)
				buf_addf(&b, "%s%.*s", b.n ? ", " : "", STR_ARG(val_text(&list->items[k])));
	}
	return arena_dup(x->a, buf_str(&b));
}

static str
when_free(struct explaining *x)
{
	str mutexes = holders(x, "mutex"), semaphores = holders(x, "semaphore");
	if (!mutexes.n && !semaphores.n)
		return S("whoever holds it ends");
	return arena_fmt(x->a, "it is given back by %.*s%s%.*s", STR_ARG(mutexes), mutexes.n && semaphores.n ? ", " : "", STR_ARG(semaphores));
}

static bool
is_for_a_lock(str message)
{
	return str_starts(message, S("Waiting for ")) && str_find(message, S(" lock. "), 0) != SIZE_MAX;
}

/* ---- the workflow itself --------------------------------------------------------------------------------------------- */

static void
queued(struct explaining *x)
{
	const struct settings *s = x->engine->settings;
	str text = arena_fmt(x->a, "waits to be let run: %zu workflows run and %zu wait", engine_active(x->engine), admission_waiting(x->engine));
	str advice = arena_fmt(x->a, "one of those that run ends (settings workflowParallelism: %lld, namespaceParallelism: %lld; 0 is no limit)%s",
	                       (long long)s->workflow_parallelism, (long long)s->namespace_parallelism,
	                       line_is_long(x->engine) ? "; none is let run while a thousand steps wait" : "");
	workflow_waits(x, text, advice);
}

static void
limited(void *arg, str around, int64_t limit, size_t held)
{
	struct explaining *x = arg;
	const struct why w = { .node = around, .phase = S("Pending"),
		               .text = arena_fmt(x->a, "%zu wait to begin: parallelism is %lld%s", held, (long long)limit, around.n ? " here" : " in spec"),
		               .advice = S("one of those that run ends, or a higher parallelism") };
	add(x, &w, true);
}

static void
whole_workflow(struct explaining *x)
{
	const struct val *status = val_get(x->workflow, S("status")), *meta = val_get(x->workflow, S("metadata"));
	str phase = val_get_str(status, "phase"), message = val_get_str(status, "message");
	bool open = !phase.n || str_eq(phase, S("Pending")) || str_eq(phase, S("Running"));
	if (open && admission_waits(x->engine, val_get_str(meta, "namespace"), val_get_str(meta, "name")))
		queued(x);
	else if (open && is_for_a_lock(message))
		workflow_waits(x, message, when_free(x));
	else if (open && val_is_true(val_path(x->workflow, "spec.suspend")))
		workflow_waits(x, S("it is suspended"), arena_fmt(x->a, "tidegate resume %.*s", STR_ARG(val_get_str(meta, "name"))));
	else if (!open && message.n && !str_eq(phase, S("Succeeded")))
		x->otherwise = message;
	if (open && x->live)
		run_each_limited(x->live->run, limited, x);
}

/* ---- nodes ------------------------------------------------------------------------------------------------------------ */

static str
name_of(const struct val *node)
{
	str shown = val_get_str(node, "displayName");
	return shown.n ? shown : val_get_str(node, "name");
}

static bool
in_line(const struct explaining *x, str id)
{
	for (size_t i = x->live ? x->live->line_at : 0; x->live && i < x->live->line.n; i++)
		if (str_eq(node_id(x->live->line.p[i].node), id))
			return true;
	return false;
}

/* Its artifacts are on their way, or wait for that. */
static bool
moving_node(struct explaining *x, const struct val *n, struct why *w)
{
	const struct val *meta = val_get(x->workflow, S("metadata"));
	struct transfer_view *v = ARENA_NEW(x->a, struct transfer_view);
	if (!x->moves || !executor_transfer(x->engine->executor, val_get_str(meta, "namespace"), val_get_str(meta, "name"), val_get_str(n, "id"), x->a, v))
		return false;
	w->text = transfer_text(v, x->a);
	w->transfer = v;
	if (v->waits)
		w->advice = arena_fmt(x->a, "the artifacts of another step are there (settings artifactTransfers: %lld)", (long long)x->engine->settings->artifact_transfers);
	x->runs |= !v->waits;
	add(x, w, v->waits);
	return true;
}

static void
pending_node(struct explaining *x, const struct val *n, struct why *w)
{
	str message = val_get_str(n, "message");
	if (is_for_a_lock(message)) {
		w->text = message;
		w->advice = when_free(x);
	} else if (in_line(x, val_get_str(n, "id"))) {
		w->text = arena_fmt(x->a, "waits for a place among the steps that run: %zu run and %zu wait", engine_running_steps(x->engine), x->engine->waiting);
		w->advice = arena_fmt(x->a, "a step ends (settings parallelism: %lld; 0: four for each core)",
		                      (long long)x->engine->settings->parallelism);
	} else {
		w->text = message.n ? message : S("is being started");
		x->runs |= !message.n;
	}
	add(x, w, true);
}

static void
running_node(struct explaining *x, const struct val *n, struct why *w)
{
	str type = val_get_str(n, "type"), message = val_get_str(n, "message"), since = val_get_str(n, "startedAt");
	if (str_eq(type, S("Suspend"))) {
		w->text = message.n ? arena_fmt(x->a, "is suspended since %.*s: %.*s", STR_ARG(since), STR_ARG(message))
		                    : arena_fmt(x->a, "is suspended since %.*s", STR_ARG(since));
		w->advice = S("`tidegate resume`, or the end of its duration if it has one");
	} else if (str_eq(type, S("Retry")) && message.n) {
		w->text = arena_fmt(x->a, "waits before the next attempt: %.*s", STR_ARG(message));
	} else if (str_eq(type, S("Pod")) || str_eq(type, S("HTTP")) || str_eq(type, S("Container"))) {
		w->text = arena_fmt(x->a, "runs since %.*s", STR_ARG(since));
		x->runs = true;
		add(x, w, false);
		return;
	} else {
		return; /* what is around others is as they are */
	}
	add(x, w, true);
}

static const struct val *
node_by_id(const struct explaining *x, const struct val *id)
{
	return id->kind == VAL_STR ? val_get(x->nodes, val_text(id)) : NULL;
}

static bool
has_failed(const struct val *n)
{
	str phase = val_get_str(n, "phase");
	return str_eq(phase, S("Failed")) || str_eq(phase, S("Error"));
}

static void
note_failure(struct explaining *x, const struct val *n)
{
	str around = val_get_str(n, "boundaryID");
	if (around.n && has_failed(n))
		(void)map_put(&x->around, around, x);
}

/* The failure began here: not inside it, and not below. */
static bool
is_origin(const struct explaining *x, const struct val *n)
{
	if (map_get(&x->around, val_get_str(n, "id")))
		return false;
	const struct val *children = val_get(n, S("children"));
	for (uint32_t i = 0; val_is(children, VAL_LIST) && i < children->n; i++) {
		const struct val *child = node_by_id(x, &children->items[i]);
		if (child && has_failed(child))
			return false;
	}
	return true;
}

static void
failed_node(struct explaining *x, const struct val *n, struct why *w)
{
	str message = val_get_str(n, "message"), code = val_get_str(val_get(n, S("outputs")), "exitCode");
	if (!is_origin(x, n))
		return;
	w->text = message.n ? message : code.n ? arena_fmt(x->a, "exit code %.*s", STR_ARG(code)) : S("failed");
	if (str_eq(val_get_str(n, "type"), S("Pod")))
		w->advice = arena_fmt(x->a, "to see what it printed: tidegate logs %.*s", STR_ARG(val_get_str(val_get(x->workflow, S("metadata")), "name")));
	add(x, w, true);
}

static void
skipped_node(struct explaining *x, const struct val *n, struct why *w)
{
	str message = val_get_str(n, "message");
	bool omitted = str_eq(w->phase, S("Omitted"));
	w->text = arena_fmt(x->a, "%s%s%.*s", omitted ? "omitted" : "skipped", message.n ? ": " : "", STR_ARG(message));
	w->advice = omitted ? S("those that its `depends` or `dependencies` name end as it asks for") : str_starts(message, S("when")) ? S("a `when` that is true") : STR_NONE;
	add(x, w, false);
}

static void
one_node(struct explaining *x, const struct val *n)
{
	struct why w = { .node = name_of(n), .phase = val_get_str(n, "phase"), .place = place_of(x, n) };
	if (moving_node(x, n, &w))
		return;
	if (str_eq(w.phase, S("Pending")))
		pending_node(x, n, &w);
	else if (str_eq(w.phase, S("Running")))
		running_node(x, n, &w);
	else if (has_failed(n))
		failed_node(x, n, &w);
	else if (str_eq(w.phase, S("Skipped")) || str_eq(w.phase, S("Omitted")))
		skipped_node(x, n, &w);
}

/* ---- the answer ------------------------------------------------------------------------------------------------------- */

static struct val
put_together(struct explaining *x)
{
	const struct val *meta = val_get(x->workflow, S("metadata"));
	str phase = val_get_str(val_get(x->workflow, S("status")), "phase");
	bool open = !phase.n || str_eq(phase, S("Pending")) || str_eq(phase, S("Running"));
	struct val_map m = { 0 };
	val_map_add(&m, S("name"), val_str(val_get_str(meta, "name")));
	val_map_add(&m, S("namespace"), val_str(val_get_str(meta, "namespace")));
	val_map_add_str(&m, S("phase"), phase);
	val_map_add(&m, S("waits"), val_bool(open && !x->runs));
	str rest = open && x->runs ? S("it runs") : str_eq(phase, S("Succeeded")) ? S("it succeeded") : x->otherwise;
	val_map_add(&m, S("summary"), val_str(open && x->runs ? rest : x->summary.p ? x->summary : rest));
	val_map_add(&m, S("reasons"), val_list_end(&x->reasons, x->a));
	if (x->more)
		val_map_add(&m, S("more"), val_int((int64_t)x->more));
	return val_map_end(&m, x->a);
}

static void
explain(void *arg, const struct val *workflow, const struct err *e)
{
	struct explaining *x = arg;
	if (e) {
		x->done(x->arg, NULL, e);
		arena_free(x->a);
		return;
	}
	const struct val *meta = val_get(workflow, S("metadata"));
	x->workflow = workflow;
	x->nodes = val_path(workflow, "status.nodes");
	x->live = live_find(x->engine, val_get_str(meta, "namespace"), val_get_str(meta, "name"));
	x->moves = x->engine->executor && executor_transfers(x->engine->executor, val_get_str(meta, "namespace"), val_get_str(meta, "name"));
	whole_workflow(x);
	for (uint32_t i = 0; val_is(x->nodes, VAL_MAP) && i < x->nodes->n; i++)
		note_failure(x, &x->nodes->members[i].value);
	for (uint32_t i = 0; val_is(x->nodes, VAL_MAP) && i < x->nodes->n; i++)
		one_node(x, &x->nodes->members[i].value);
	struct val v = put_together(x);
	x->done(x->arg, &v, NULL);
	map_free(&x->around);
	arena_free(x->a);
}

void
engine_explain(struct engine *g, str ns, str name, void (*done)(void *arg, const struct val *v, const struct err *e), void *arg)
{
	struct arena *a = arena_new();
	struct explaining *x = ARENA_NEW(a, struct explaining);
	*x = (struct explaining){ .engine = g, .a = a, .done = done, .arg = arg };
	engine_get(g, ns, name, true, explain, x);
}
