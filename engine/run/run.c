/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run: the life of a workflow. A stimulus changes nodes; fulfilled nodes are news (news.c), which are told until there are none. Then
 * the effects are complete (spec 2.2).
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

bool
run_shut(const struct run *r, bool exiting)
{
	return r->shutdown.n && (!exiting || str_eq(r->shutdown, S("Terminate")));
}

/* ---- stimuli ----------------------------------------------------------------------------------------------------- */

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
		run_end(r, PHASE_FAILED, run_text(r, "failed to set global parameters: %s", e.msg));
		return false;
	}
	if (metadata_compute(r, &e)) {
		r->phase = PHASE_RUNNING;
		run_end(r, PHASE_ERROR, run_text(r, "%s", e.msg));
		return false;
	}
	if (repository_choose(r, &e)) {
		r->phase = PHASE_RUNNING;
		run_end(r, PHASE_ERROR, run_text(r, "failed to resolve artifact repository: %s", e.msg));
		return false;
	}
	return true;
}

/* What the executor and the clock must be told of a node again after a restart. */
static void
take_up(struct run *r, struct node *n)
{
	if (node_has_task(n) || n->ending)
		pod_emit_start(r, n);
	else if (sync_waits(n))
		pod_set_timers(r, n);
	else
		suspend_set_timer(r, n);
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
		take_up(r, r->nodes.p[i]);
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
	run_free_dropped(r);
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

/* ---- look -------------------------------------------------------------------------------------------------------- */

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
