/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run: the life of a workflow. A stimulus changes nodes; fulfilled nodes are news, and the news are told one by one to
 * whoever waits for them, until there are none. Then the effects are complete (spec 2.2).
 */
#include "engine/run/run_impl.h"

/* ---- texts and effects ------------------------------------------------------------------------------------------- */

str
run_text(struct run *r, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	str s = arena_vfmt(r->arena, fmt, ap);
	va_end(ap);
	return s;
}

struct effect *
run_effect(struct run *r, enum effect_kind k, struct node *n)
{
	struct effect *x = ARENA_NEW(r->tmp, struct effect);
	x->kind = k;
	x->node = n;
	x->node_id = n ? n->id : S("");
	*r->last = x;
	r->last = &x->next;
	return x;
}

/* ---- what the specification says about the workflow itself ---------------------------------------------------------
 */

/* For the next decoding: without what was found in the last. */
void
run_fresh_diags(struct run *r)
{
	if (!r->diags.v.n)
		return;
	diags_free(&r->diags);
	diags_init(&r->diags);
}

int
run_decode(struct run *r, const struct schema *sc, const struct val *v, const char *what, void *out, struct err *e)
{
	run_fresh_diags(r);
	if (!schema_decode(sc, r->arena, v, str_c(what), out, &r->diags))
		return 0;
	const struct diag *x = r->diags.v.n ? &r->diags.v.p[0] : NULL;
	return err_set(e, ERR_INVALID, "%.*s: %.*s", STR_ARG(x ? x->path : str_c(what)),
		STR_ARG(x ? x->text : S("is not valid")));
}

const struct arguments *
arguments_decode(struct run *r, const struct val *v, struct err *e)
{
	static const struct val none = { .kind = VAL_MAP };
	struct arguments *out = ARENA_NEW(r->arena, struct arguments);
	return run_decode(r, &arguments_schema, v ? v : &none, "arguments", out, e) ? NULL : out;
}

static int
global_value(struct run *r, const struct parameter *p, str *out, struct err *e)
{
	const struct secret_ref *ref = p->value_from ? p->value_from->config_map_key : NULL;
	if (ref) {
		struct err why = { 0 };
		if (r->world.config_map && !r->world.config_map(r->world.arg, r->ns, ref->name, ref->key, out, &why)) {
			*out = arena_dup(r->arena, *out);
			return 0;
		}
		*out = p->value_from->dflt;
		return out->p ? 0
			      : err_set(e, ERR_NOT_FOUND,
					"failed to set global parameter %.*s from configmap with name %.*s and key "
					"%.*s: %s",
					STR_ARG(p->name), STR_ARG(ref->name), STR_ARG(ref->key), why.msg);
	}
	*out = p->value.p ? p->value : p->value_from && p->value_from->dflt.p ? p->value_from->dflt : p->dflt;
	return out->p ? 0
		      : err_set(e, ERR_INVALID,
				"either value or valueFrom must be specified in order to set global parameter %.*s",
				STR_ARG(p->name));
}

/* workflow.parameters.*. What a config map said at the start holds for as long as the workflow runs, so it is kept. */
static int
set_parameters(struct run *r, struct err *e)
{
	r->arguments = arguments_decode(r, val_get(r->merged, S("arguments")), e);
	for (size_t i = 0; r->arguments && i < r->arguments->parameters.n; i++) {
		const struct parameter *p = &r->arguments->parameters.p[i];
		str *v = map_get(&r->parameters, p->name);
		if (v)
			continue;
		v = ARENA_NEW(r->arena, str);
		if (global_value(r, p, v, e))
			return -1;
		map_put(&r->parameters, p->name, v);
	}
	return r->arguments ? 0 : -1;
}

/* The spec with globals put in everywhere except in templates (spec 3.1, pass 1), and what else follows from it. */
/* Hooks begin later than the workflow: what changes until then is put in when they do. */
static const struct val *
put_globals(struct run *r, struct err *e)
{
	struct scope x = { .run = r, .time = r->created };
	struct tag_scope ts = scope_tags(&x);
	const struct val *v = val_unset(r->arena, r->merged, S("templates")), *hooks = val_get(v, S("hooks"));
	v = tags_put(r->arena, val_unset(r->arena, v, S("hooks")), &ts, e);
	if (!v || !hooks)
		return v;
	x.lasting = true;
	hooks = tags_put(r->arena, hooks, &ts, e);
	return hooks ? val_set(r->arena, v, S("hooks"), hooks) : NULL;
}

int
run_globals(struct run *r, struct err *e)
{
	r->spec = r->merged;
	metadata_put(r);
	if (set_parameters(r, e))
		return -1;
	const struct val *templates = val_get(r->merged, S("templates"));
	const struct val *put = put_globals(r, e);
	if (!put)
		return -1;
	r->spec = templates ? val_set(r->arena, put, S("templates"), templates) : put;
	r->args = val_get(r->spec, S("arguments"));
	r->arguments = arguments_decode(r, r->args, e);
	metadata_put(r);
	r->local.scope = run_text(r, "local/%.*s", STR_ARG(r->name));
	r->local.templates = templates;
	const struct val *parallelism = val_get(r->spec, S("parallelism"));
	r->parallelism = -1;
	if (parallelism && (!val_to_i64(parallelism, &r->parallelism) || r->parallelism < 1))
		r->parallelism = -1;
	return r->arguments ? lifecycle_of_workflow(r, e) : -1;
}

static void
set_deadline(struct run *r)
{
	const struct val *v = val_get(r->spec, S("activeDeadlineSeconds"));
	int64_t seconds;
	r->deadline = 0;
	if (!v || !val_to_i64(v, &seconds) || seconds < 0 || seconds > INT64_MAX / NS_PER_SEC / 4)
		return;
	r->deadline = r->started - r->started % NS_PER_SEC + seconds * NS_PER_SEC;
	if (r->deadline > r->now)
		run_effect(r, EFFECT_TIMER, NULL)->at_ns = r->deadline;
}

/* ---- new and gone --------------------------------------------------------------------------------------------------
 */

/*
 * Plain scalars get their types, and numbers the form that they have after Argo turned YAML into JSON: 16.10 is 16.1.
 * From here on the manifest is data, which reads the same from a file, from the API and from the store.
 */
struct val
val_typed(struct arena *a, const struct val *v)
{
	struct val out = *v;
	int64_t i;
	double f;
	if (v->kind == VAL_LIST) {
		struct val *items = ARENA_ARRAY(a, struct val, v->n);
		for (uint32_t k = 0; k < v->n; k++)
			items[k] = val_typed(a, &v->items[k]);
		out.items = items;
	} else if (v->kind == VAL_MAP) {
		struct member *members = ARENA_ARRAY(a, struct member, v->n);
		for (uint32_t k = 0; k < v->n; k++)
			members[k] =
				(struct member){ val_typed(a, &v->members[k].key), val_typed(a, &v->members[k].value) };
		out.members = members;
	} else if (v->kind == VAL_NUM || (v->kind == VAL_STR && (v->flags & VAL_PLAIN))) {
		out = val_resolve(v);
		if (out.kind == VAL_NUM && val_to_i64(&out, &i))
			out = val_int(i);
		else if (out.kind == VAL_NUM && val_to_double(&out, &f))
			out = val_float(f);
		out.line = v->line;
		out.col = v->col;
	}
	return out;
}

struct run *
run_alloc(const struct val *manifest, const struct run_world *w)
{
	struct arena *a = arena_new();
	struct run *r = ARENA_NEW(a, struct run);
	struct val *copy = ARENA_NEW(a, struct val);
	*copy = val_copy(a, manifest);
	*copy = val_typed(a, copy);
	const struct val *meta = val_get(copy, S("metadata"));
	r->arena = r->work = a;
	r->passing = arena_new();
	r->manifest = copy;
	if (w)
		r->world = *w;
	r->name = arena_dup(a, val_get_str(meta, "name"));
	r->ns = arena_dup(a, val_get_str(meta, "namespace"));
	r->uid = arena_dup(a, val_get_str(meta, "uid"));
	r->message = r->shutdown = r->metrics_error = S("");
	struct err ignored;
	if (time_parse_rfc3339(val_get_str(meta, "creationTimestamp"), &r->created, &ignored))
		r->created = 0;
	diags_init(&r->diags);
	return r;
}

/* What is not served yet is refused by whoever takes a manifest in; to be sure, also here: never run to a wrong result.
 */
static void
refuse_later(const struct run *r, struct err *e)
{
	for (size_t i = 0; i < r->diags.v.n; i++)
		if (r->diags.v.p[i].level == DIAG_LATER) {
			(void)err_set(e, ERR_UNSUPPORTED, "line %u: %.*s: not served yet", r->diags.v.p[i].line,
				STR_ARG(r->diags.v.p[i].path));
			return;
		}
}

int
run_take_spec(struct run *r, const struct val *merged, struct err *e)
{
	struct val *copy = ARENA_NEW(r->arena, struct val);
	*copy = val_copy(r->arena, merged); /* the template it came from may change while we run */
	*copy = val_typed(r->arena, copy);
	r->merged = copy;
	if (!r->name.n)
		return err_set(e, ERR_INVALID, "metadata.name is required");
	struct workflow_spec *spec = ARENA_NEW(r->arena, struct workflow_spec);
	if (run_decode(r, &workflow_spec_schema, r->merged, "spec", spec, e))
		return -1;
	if (r->diags.later) {
		refuse_later(r, e);
		return -1;
	}
	r->stored_spec = val_get(val_get(r->manifest, S("spec")), S("workflowTemplateRef")) != NULL;
	r->suspended = val_is_true(val_get(r->merged, S("suspend")));
	str shutdown = val_get_str(r->merged, "shutdown");
	r->shutdown = shutdown.p ? shutdown : S("");
	return 0;
}

int
run_new(struct run **out, const struct val *manifest, const struct run_world *w, struct err *e)
{
	struct run *r = run_alloc(manifest, w);
	const struct val *merged = run_merged_spec(r->arena, r->manifest, w, e);
	if (!merged || run_take_spec(r, merged, e)) {
		run_free(r);
		return -1;
	}
	const struct val *ref = val_get(val_get(r->manifest, S("spec")), S("workflowTemplateRef"));
	if (ref)
		revision_note(r, val_is_true(val_get(ref, S("clusterScope"))), val_get_str(ref, "name"));
	*out = r;
	return 0;
}

static void
free_defs(struct map *defs)
{
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(defs, &i));)
		map_free(&((struct def *)slot->value)->captured);
	map_free(defs);
}

void
run_drop_frames(struct run *r)
{
	rest_forget(r);
	for (size_t i = 0; i < r->frames.n; i++) {
		map_free(&r->frames.p[i]->names);
		map_free(&r->frames.p[i]->aggregates);
		limit_forget(r->frames.p[i]);
		heap_free(&r->frames.p[i]->parked);
		dag_frame_free(r->frames.p[i]);
	}
	VEC_FREE(&r->frames);
	VEC_FREE(&r->noted);
	heap_free(&r->line);
}

static void
free_dropped(struct run *r)
{
	while (r->dropped.n)
		free(r->dropped.p[--r->dropped.n]);
}

void
run_free(struct run *r)
{
	if (!r)
		return;
	run_drop_frames(r);
	for (size_t i = 0; i < r->nodes.n; i++) {
		VEC_FREE(&r->nodes.p[i]->children);
		VEC_FREE(&r->nodes.p[i]->parents);
		VEC_FREE(&r->nodes.p[i]->outbound);
		work_end(r->nodes.p[i]);
	}
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&r->libraries, &i));)
		free_defs(&((struct library *)slot->value)->defs);
	free_defs(&r->local.defs);
	free_defs(&r->inlines);
	map_free(&r->libraries);
	map_free(&r->parameters);
	map_free(&r->outputs);
	map_free(&r->estimates);
	node_indexes_free(r);
	free_dropped(r);
	VEC_FREE(&r->dropped);
	VEC_FREE(&r->nodes);
	VEC_FREE(&r->dirty);
	VEC_FREE(&r->news);
	VEC_FREE(&r->hooked);
	VEC_FREE(&r->noticed);
	VEC_FREE(&r->output_names);
	VEC_FREE(&r->images.v);
	diags_free(&r->diags);
	evaluator_free(r->evaluator);
	arena_free(r->passing);
	arena_free(r->arena);
}

/* ---- the end
 * --------------------------------------------------------------------------------------------------------- */

/* None is open after an ordinary end, but for a daemon that is the exit handler. */
static void
end_open_pods(struct run *r)
{
	for (size_t i = 0; i < r->nodes.n; i++) {
		struct node *n = r->nodes.p[i];
		if (!node_has_task(n))
			continue;
		pod_kill(r, n);
		node_set(n, n->daemoned ? PHASE_SUCCEEDED : PHASE_FAILED,
			n->daemoned ? STR_NONE : S("the workflow has ended"));
	}
}

static void
finish(struct run *r, enum phase p, str message)
{
	if (r->finished)
		return;
	end_open_pods(r);
	if (r->ending) { /* until the last pod is gone */
		r->withheld = p;
		r->withheld_message = arena_dup(r->arena, message);
		return;
	}
	r->withheld = PHASE_NONE;
	r->phase = p;
	r->queued = false;
	r->message = arena_dup(r->arena, message);
	r->finished = r->now - r->now % NS_PER_SEC;
	if (!r->started) /* it never got its locks */
		r->started = r->finished;
	if (r->finished < r->started)
		r->finished = r->started;
	sync_finish(r);
	metrics_of_workflow(r, true);
}

void
run_fail(struct run *r, enum phase p, str message)
{
	finish(r, p, message);
}

/* Root and exit handler are done: the handler's result counts only if the root's is good (spec 2.2). */
static void
conclude(struct run *r)
{
	enum phase p = r->root->phase;
	if (p == PHASE_SKIPPED || p == PHASE_OMITTED)
		p = PHASE_SUCCEEDED;
	str message = phase_failed(p) && r->shutdown.n
			      ? run_text(r, "Stopped with strategy '%.*s'", STR_ARG(r->shutdown))
			      : r->root->message;
	if (p == PHASE_SUCCEEDED && r->on_exit && phase_failed(r->on_exit->phase)) {
		p = r->on_exit->phase;
		message = r->on_exit->message;
	}
	finish(r, p, message);
}

/* The root is done. What is still waited for: hooks of the workflow that were begun, and its exit handler (spec 2.2). */
static void
end_if_done(struct run *r)
{
	str error = lifecycle_look_at_workflow(r);
	if (error.p && !r->hook_error.p)
		r->hook_error = error;
	if (r->hooks_open)
		return;
	if (r->hook_error.p && r->root->phase != PHASE_ERROR)
		node_set(r->root, PHASE_ERROR, r->hook_error);
	if (!r->exit_begun) {
		r->exit_begun = on_exit_begin(r);
		if (r->exit_begun)
			return;
	}
	if (!r->exit_begun || (r->on_exit && node_fulfilled(r->on_exit)))
		conclude(r);
}

static void
root_done(struct run *r, struct node *root)
{
	r->root = root;
	if (root->bubbles)
		finish(r, PHASE_ERROR, run_text(r, "error in entry template execution: %.*s", STR_ARG(root->message)));
	else
		end_if_done(r);
}

bool
run_shut(const struct run *r, bool exiting)
{
	return r->shutdown.n && (!exiting || str_eq(r->shutdown, S("Terminate")));
}

/* ---- news
 * ------------------------------------------------------------------------------------------------------------ */

/*
 * Whether the owner is there to be told. After a restart it is not until it was called again, and then it asks for
 * itself; nor is it where a row was damaged.
 */
static bool
has_listener(const struct node *n)
{
	const struct node *o = n->owner;
	if (n->told_ready && n->role != ROLE_ATTEMPT)
		return false; /* what becomes of a daemon later is nobody's business but that of its Retry node */
	if (!phase_fulfilled(n->phase) && n->role == ROLE_ROOT)
		return false; /* a workflow that is a daemon runs until somebody stops it */
	switch (n->role) {
	case ROLE_GROUP:
		return o && o->type == NODE_STEPS && o->frame && o->frame->group == n;
	case ROLE_STEP:
		return o && o->type == NODE_STEP_GROUP && o->waiting && o->owner && o->owner->frame;
	case ROLE_TASK:
		return o && o->type == NODE_DAG && o->frame && n->slot < o->frame->tasks_n;
	case ROLE_ITEM:
		return o && o->type == NODE_TASK_GROUP && o->waiting;
	case ROLE_ATTEMPT:
		return o && o->type == NODE_RETRY && o->call;
	case ROLE_EXIT:
	case ROLE_HOOK:
		return o && o->role != ROLE_EXIT && o->role != ROLE_HOOK && o->hooks_open && has_listener(o);
	case ROLE_WORKFLOW_HOOK:
		return n->run->hooks_open > 0;
	case ROLE_ROOT:
	case ROLE_ON_EXIT:
		return true;
	case ROLE_NONE:
	case ROLES:
		break;
	}
	return false;
}

static void
tell(struct run *r, struct node *n)
{
	if (!has_listener(n))
		return;
	n->told_ready = n->daemoned;
	if (n->role == ROLE_EXIT || n->role == ROLE_HOOK) {
		if (n->bubbles)
			hook_error(n->owner, n->message);
		n = n->owner;
		n->hooks_open--;
		if (!n->told)
			return; /* it goes on itself, or its own end is still to be told */
	}
	n->told = true;
	switch (n->role) {
	case ROLE_ROOT:
		root_done(r, n);
		break;
	case ROLE_GROUP:
		steps_group_done(r, n);
		break;
	case ROLE_STEP:
		if (!hooks_wait(r, n))
			steps_child_settled(r, n->owner, n);
		break;
	case ROLE_TASK:
		if (!hooks_wait(r, n))
			dag_task_settled(r, n->owner, n);
		break;
	case ROLE_ITEM:
		if (!hooks_wait(r, n))
			dag_item_settled(n->owner);
		break;
	case ROLE_ATTEMPT:
		retry_attempt_done(r, n->owner);
		break;
	case ROLE_ON_EXIT:
		r->on_exit = n;
		if (n->bubbles)
			finish(r, PHASE_ERROR, run_text(r, "error in exit template execution : %.*s", STR_ARG(n->message)));
		else
			end_if_done(r);
		break;
	case ROLE_WORKFLOW_HOOK:
		r->hooks_open--;
		if (n->bubbles && !r->hook_error.p)
			r->hook_error = n->message;
		if (r->root && r->root->told)
			end_if_done(r);
		break;
	case ROLE_NONE:
	case ROLE_EXIT:
	case ROLE_HOOK:
	case ROLES:
		break;
	}
}

static bool
tell_next(struct run *r)
{
	if (r->news_at == r->news.n)
		return false;
	struct node *n = r->news.p[r->news_at++];
	n->queued = false;
	tell(r, n);
	return true;
}

static void
settle_rest(struct run *r, struct rest *x)
{
	run_settle_below(r, x->mark, x->node);
	steps_child_begun(r, x->node);
}

/* The news from `mark` to `at` were told, but for that of `own`, which comes first now. */
static void
drop_told(struct run *r, size_t mark, size_t at, struct node *own)
{
	if (own)
		r->news.p[--at] = own;
	memmove(r->news.p + mark, r->news.p + at, (r->news.n - at) * sizeof *r->news.p);
	r->news.n -= at - mark;
}

void
run_settle_below(struct run *r, size_t mark, struct node *n)
{
	struct node *own = NULL;
	size_t at = mark < r->news_at ? mark = r->news_at : mark;
	for (; at < r->news.n && !r->finished && !r->interrupted.n; at++) {
		struct node *x = r->news.p[at];
		if (x == n) {
			own = n;
			continue;
		}
		x->queued = false;
		tell(r, x);
	}
	if (r->interrupted.n) /* places were left: they come first */
		run_rest(r, &(struct rest){ .go_on = settle_rest, .node = n, .mark = mark });
	if (at > mark)
		drop_told(r, mark, at, own);
}

/* Until nothing is left, or the stimulus has begun enough. */
void
run_settle(struct run *r)
{
	for (;;) {
		rest_gather(r);
		if (r->suspended || r->finished || r->withheld || run_is_tired(r))
			break;
		if (!rest_go_on(r) && !tell_next(r) && !lifecycle_settle(r) && !limit_settle(r) && !sync_tell_refusal(r))
			break;
	}
	if (r->news_at == r->news.n)
		r->news.n = r->news_at = 0;
}

/* ---- stimuli
 * --------------------------------------------------------------------------------------------------------- */

/* Calls the root: for the first time, or to find everything again that was begun before a restart. */
void
run_enter(struct run *r)
{
	if (r->entered || r->suspended || r->phase != PHASE_RUNNING)
		return;
	r->entered = true;
	rest_expect(r);
	struct call *c = call_new(r, r->name);
	c->tmpl = val_get_str(r->spec, "entrypoint");
	c->args = r->arguments;
	c->step = S("");
	c->role = ROLE_ROOT;
	(void)call_begin(r, c);
}

/* As many workflows run as may (spec 2.8). */
void
run_queue(struct run *r)
{
	if (r->finished || r->phase == PHASE_RUNNING)
		return;
	r->queued = true;
	r->phase = PHASE_PENDING;
	r->message = S("Workflow processing has been postponed because too many workflows are already running");
}

/* What holds for the whole run is read once, when it begins. False: it cannot begin. */
static bool
know_globals(struct run *r)
{
	struct err e;
	if (run_globals(r, &e)) {
		r->phase = PHASE_RUNNING;
		finish(r, PHASE_FAILED, run_text(r, "failed to set global parameters: %s", e.msg));
		return false;
	}
	if (metadata_compute(r, &e)) {
		r->phase = PHASE_RUNNING;
		finish(r, PHASE_ERROR, run_text(r, "%s", e.msg));
		return false;
	}
	return true;
}

void
run_start(struct run *r)
{
	if (r->finished)
		return;
	if (r->queued) {
		r->queued = false;
		r->phase = PHASE_NONE;
		r->message = S("");
	}
	if (r->phase == PHASE_NONE && !know_globals(r))
		return;
	if (sync_workflow_parks(r))
		return;
	if (r->phase != PHASE_RUNNING) {
		r->phase = PHASE_RUNNING;
		r->started = r->now - r->now % NS_PER_SEC;
	}
	set_deadline(r);
	estimate_take(r);
	metrics_of_workflow(r, false);
	for (size_t i = 0; i < r->nodes.n; i++)
		if (node_has_task(r->nodes.p[i]) || r->nodes.p[i]->ending)
			pod_emit_start(r, r->nodes.p[i]);
		else
			suspend_set_timer(r, r->nodes.p[i]);
	run_enter(r);
	run_settle(r); /* everybody is called again before anything happens to anybody */
	if (r->deadline && r->now == r->deadline && limit_deadline_due(r))
		run_effect(r, EFFECT_TIMER, NULL)->at_ns = r->deadline; /* after what else happens at that instant */
	else if (r->deadline && r->now >= r->deadline)
		limit_deadline(r);
}

static void
timer(struct run *r, str id)
{
	if (!id.n) {
		if (r->deadline && r->now >= r->deadline)
			limit_deadline(r);
		return;
	}
	struct node *n = run_node(r, id);
	if (!n || phase_fulfilled(n->phase))
		return;
	if (node_is_task(n) || sync_waits(n))
		pod_timer(r, n);
	else if (n->type == NODE_SUSPEND)
		suspend_timer(r, n);
	else if (n->type == NODE_RETRY && n->call && node_last_attempt(n))
		node_announce(node_last_attempt(n));
}

static void
task_news_came(struct run *r, const struct stimulus *s)
{
	struct node *n = run_node(r, s->node_id);
	if (!n)
		return;
	if (s->kind == STIM_TASK_STARTED)
		pod_started(r, n);
	else if (s->kind == STIM_TASK_PROGRESS)
		pod_progress(r, n, s->progress);
	else if (s->kind == STIM_TASK_CHANGED)
		pod_changed(r, n, s->result);
	else
		pod_done(r, n, s->result);
}

static void
room(struct run *r, str id)
{
	struct node *n = run_node(r, id);
	if (n && node_has_task(n))
		pod_emit_start(r, n);
}

static void
begin_effects(struct run *r, const struct stimulus *s, struct arena *tmp)
{
	r->now = s->now;
	r->tmp = tmp;
	r->first = NULL;
	r->keeps = false;
	r->last = &r->first;
	r->was_finished = r->finished != 0;
	r->begun = 0;
	r->turn++;
	free_dropped(r);
}

static void
end_effects(struct run *r, struct effect **effects)
{
	for (size_t i = 0; i < r->dirty.n; i++) {
		r->dirty.p[i]->dirty = false;
		run_effect(r, EFFECT_SAVE, r->dirty.p[i]);
	}
	r->dirty.n = 0;
	sync_order_asks(r);
	r->unmet = 0; /* who was not met by now has nobody who calls it */
	if (r->finished && !r->was_finished)
		run_effect(r, EFFECT_FINISHED, NULL);
	*effects = r->first;
	r->tmp = NULL;
}

/* While something is left of an earlier stimulus, news do not drive it on: it has its own turn. */
static bool
is_news(const struct stimulus *s)
{
	switch (s->kind) {
	case STIM_TASK_STARTED:
	case STIM_TASK_CHANGED:
	case STIM_TASK_DONE:
	case STIM_TASK_PROGRESS:
	case STIM_TIMER:
	case STIM_ROOM:
	case STIM_LOCK:
		return true;
	default:
		return false;
	}
}

void
run_advance(struct run *r, const struct stimulus *s, struct arena *tmp, struct effect **effects)
{
	bool busy = run_busy(r);
	begin_effects(r, s, tmp);
	switch (s->kind) {
	case STIM_START:
		run_start(r);
		break;
	case STIM_TASK_STARTED:
	case STIM_TASK_CHANGED:
	case STIM_TASK_DONE:
	case STIM_TASK_PROGRESS:
		task_news_came(r, s);
		break;
	case STIM_TIMER:
		timer(r, s->node_id);
		break;
	case STIM_ROOM:
		room(r, s->node_id);
		break;
	case STIM_QUEUE:
		run_queue(r);
		break;
	case STIM_GO_ON:
		break;
	case STIM_LOCK:
		sync_told(r, s);
		break;
	default:
		verb_apply(r, s);
	}
	if (busy && is_news(s))
		rest_gather(r);
	else
		run_settle(r);
	end_effects(r, effects);
}

/* ---- look
 * ------------------------------------------------------------------------------------------------------------ */

str
run_name(const struct run *r)
{
	return r->name;
}

str
run_ns(const struct run *r)
{
	return r->ns;
}

str
run_uid(const struct run *r)
{
	return r->uid;
}

enum phase
run_phase(const struct run *r)
{
	return r->phase;
}

bool
run_finished(const struct run *r)
{
	return r->finished != 0;
}

int64_t
run_started(const struct run *r)
{
	return r->started;
}

int64_t
run_finished_at(const struct run *r)
{
	return r->finished;
}

bool
run_has_pods(const struct run *r)
{
	return r->active_pods > 0;
}

bool
run_has_metrics_error(const struct run *r)
{
	return r->metrics_error.n > 0;
}

const struct val *
run_template_ref(const struct run *r)
{
	return val_get(val_get(r->manifest, S("spec")), S("workflowTemplateRef"));
}

bool
run_queued(const struct run *r)
{
	return r->queued;
}

int64_t
run_priority(const struct run *r)
{
	int64_t v;
	const struct val *priority = val_get(r->merged, S("priority"));
	return priority && val_to_i64(priority, &v) ? v : 0;
}

unsigned
run_spec_version(const struct run *r)
{
	return r->spec_version;
}
