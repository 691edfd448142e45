/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pod: the leaves. A pod is a task for the executor, and so is a request of an http template for the agent: the processed
 * template stays with the node until the task has ended, so that it can be given out once more after a restart. A
 * suspended node waits for a verb or for its time.
 */
#include "engine/run/run_impl.h"

enum { GRACE_SECONDS = 30 };

/* ---- durations --------------------------------------------------------------------------------------------------- */

/* ParseStringToDuration: whole seconds, or a Go duration. */
int
duration_parse(str text, int64_t *out, struct err *e)
{
	int64_t seconds;
	dur d;
	if (str_to_i64(text, &seconds)) {
		if (seconds < 0 || seconds > INT64_MAX / NS_PER_SEC / 2)
			return err_set(e, ERR_INVALID, "duration %.*s: out of range", STR_ARG(text));
		*out = seconds * NS_PER_SEC;
		return 0;
	}
	if (dur_parse(text, &d, e))
		return -1;
	*out = d.ns;
	return 0;
}

/* ---- pods -------------------------------------------------------------------------------------------------------- */

static bool
is_captured(const struct call *c)
{
	const struct frame *f = c->boundary ? c->boundary->frame : NULL;
	const struct step *s = c->of;
	return f && s && map_get(&f->def->captured, s->name);
}

int
pod_read_limits(struct node *n, const struct call *c, const struct template *t, struct err *e)
{
	int64_t timeout, seconds, pending;
	if (t->pending_timeout.n) {
		if (duration_parse(t->pending_timeout, &pending, e))
			return err_wrap(e, "pendingTimeout");
		work_set(n)->pending = n->started + pending;
	}
	if (t->timeout.n) {
		if (duration_parse(t->timeout, &timeout, e))
			return err_wrap(e, "timeout");
		work_set(n)->deadline = n->started + timeout;
	}
	bool limited = c->deadline && (!work_of(n)->deadline || c->deadline < work_of(n)->deadline);
	if (limited || n->work)
		work_set(n)->limited = limited;
	if (limited)
		work_set(n)->deadline = c->deadline;
	if (t->active_deadline_seconds.text.n) {
		if (!str_to_i64(str_trim(t->active_deadline_seconds.text), &seconds) || seconds < 1 ||
			seconds > INT64_MAX / NS_PER_SEC / 2)
			return err_set(e, ERR_INVALID, "activeDeadlineSeconds '%.*s' must be a positive integer > 0",
				STR_ARG(t->active_deadline_seconds.text));
		work_set(n)->active = seconds * NS_PER_SEC;
	}
	return 0;
}

void
pod_set_timers(struct run *r, struct node *n)
{
	int64_t at = work_of(n)->deadline;
	if (work_of(n)->active && work_of(n)->running_since && (!at || work_of(n)->running_since + work_of(n)->active < at))
		at = work_of(n)->running_since + work_of(n)->active;
	if (work_of(n)->pending && n->phase == PHASE_PENDING && (!at || work_of(n)->pending < at))
		at = work_of(n)->pending;
	if (at)
		run_effect(r, EFFECT_TIMER, n)->at_ns = at;
}

static str
service_account(const struct run *r, const struct template *t)
{
	str own = val_get_str(t->src, "serviceAccountName");
	return own.n ? own : val_get_str(r->spec, "serviceAccountName");
}

static void
emit_start(struct run *r, struct node *n, const struct template *t)
{
	struct task_spec *task = ARENA_NEW(r->tmp, struct task_spec);
	*task = (struct task_spec){ .ns = r->ns,
		.workflow = r->name,
		.uid = r->uid,
		.node_id = n->id,
		.pod = n->pod,
		.order = n->order,
		.template_name = work_of(n)->template_name,
		.tmpl = t,
		.artifacts = val_get(n->inputs, S("artifacts")),
		.archive = val_get(n->body, S("archiveLocation")),
		.capture_result = work_of(n)->capture,
		.deadline_ns = work_of(n)->deadline,
		.images = &r->images,
		.pod_resources = t->pod_resources ? t->pod_resources : val_get(r->spec, S("podResources")),
		.volumes = val_get(r->spec, S("volumes")),
		.claims = val_get(r->spec, S("volumeClaimTemplates")),
		.grace_seconds = work_of(n)->grace ? work_of(n)->grace - 1 : GRACE_SECONDS,
		.host_network = val_is_true(val_get(r->spec, S("hostNetwork"))),
		.service_account = service_account(r, t) };
	run_effect(r, EFFECT_START, n)->task = task;
}

/* For the executor once more: after a restart. */
void
pod_emit_start(struct run *r, struct node *n)
{
	struct err e;
	const struct template *t = n->body ? template_decode(r, r->tmp, n->body, work_of(n)->template_name, false, &e) : NULL;
	if (!t && n->ending) {
		(void)pod_gone(r, n);
		return;
	}
	if (!t) {
		node_set(n, PHASE_ERROR, n->body ? run_text(r, "%s", e.msg) : S("the template of the pod is lost"));
		return;
	}
	emit_start(r, n, t);
	if (n->ending)
		pod_emit_kill(r, n);
	else
		pod_set_timers(r, n);
}

static void
put_progress(struct node *n, str text)
{
	str rest = text, done = str_cut(&rest, '/');
	int64_t a, b;
	if (!text.p || !str_to_i64(done, &a) || !str_to_i64(rest, &b) || a < 0 || b < 1 || a > b || b > 1000000)
		return;
	progress_set(n, (uint32_t)a, (uint32_t)b);
}

static const struct val *
copied(struct run *r, const struct val *v)
{
	struct val *out = ARENA_NEW(r->arena, struct val);
	*out = val_copy(r->arena, v);
	return out;
}

/* As written it belongs to the definition; else it is the pod's, as long as that is open. */
static void
keep_body(struct node *n, const struct def *d, const struct call *c, const struct val *body)
{
	n->body = body;
	if (body != d->src && body_passes(d, c))
		n->body = work_set(n)->packed = val_pack(body, d->src);
}

/* metadata of the template: labels, by which its log is found, and the progress that it begins with (spec 1.2). */
static void
put_metadata(struct node *n)
{
	const struct val *labels = val_path(n->body, "metadata.labels");
	if (val_is(labels, VAL_MAP) && labels->n)
		n->labels = work_of(n)->packed ? copied(n->run, labels) : labels;
	put_progress(n, val_get_str(val_path(n->body, "metadata.annotations"), "workflows.argoproj.io/progress"));
}

str
node_pod(const struct node *n)
{
	return n->pod.p ? n->pod : S("");
}

str
node_label(const struct node *n, str key)
{
	if (str_eq(key, S("workflows.argoproj.io/workflow")))
		return n->run->name;
	if (str_eq(key, S("workflows.argoproj.io/completed")))
		return node_fulfilled(n) ? S("true") : S("false");
	if (str_eq(key, S("workflows.argoproj.io/on-exit")) && n->exiting)
		return S("true");
	const struct val *v = val_get(n->labels, key);
	return val_is(v, VAL_STR) ? val_text(v) : STR_NONE;
}

static int
patch(struct run *r, struct node *n, const struct call *c, const struct def *d, struct processed *p, struct err *e)
{
	int64_t seconds = -1;
	struct scope x = { .run = r, .call = c, .tmpl = d->decoded, .inputs = p->inputs };
	x.pod = pod_name(r, r->tmp, n->name, d->name);
	if (volumes_put(r, r->arena, d, p, &x, e) || pod_patch(r, d, p, &x, &seconds, e) || archive_put(r, body_passes(d, c) ? r->tmp : r->arena, p, &x, e))
		return -1;
	work_set(n)->grace = seconds + 1;
	return 0;
}

struct node *
pod_begin(struct run *r, struct call *c, const struct def *d, const struct processed *as_written)
{
	struct processed patched = *as_written, *p = &patched;
	bool made = call_is_new(r, c);
	bool http = p->tmpl->type == TEMPLATE_HTTP;
	struct node *n = call_node(r, c, http ? NODE_HTTP : NODE_POD);
	if (!n || !made)
		return n;
	n->inputs = p->inputs;
	if (run_shut(r, n->exiting)) {
		node_set(n, PHASE_FAILED,
			run_text(r, http ? "Stopped with strategy '%.*s'" : "workflow shutdown with strategy: %.*s", STR_ARG(r->shutdown)));
		return n;
	}
	if (r->deadline && r->now >= r->deadline && !n->exiting) {
		node_set(n, PHASE_FAILED, S(STEP_TOO_LONG));
		return n;
	}
	struct err e;
	if (!http && patch(r, n, c, d, p, &e)) {
		n->bubbles = true;
		node_set(n, PHASE_ERROR, run_text(r, "%s", e.msg));
		return n;
	}
	if (pod_read_limits(n, c, p->tmpl, &e)) {
		n->bubbles = true;
		node_set(n, PHASE_ERROR, run_text(r, "%s", e.msg));
		return n;
	}
	keep_body(n, d, c, p->body);
	put_metadata(n);
	work_set(n)->template_name = d->name;
	if (!http)
		n->pod = pod_name(r, r->arena, n->name, d->name);
	work_set(n)->capture = http || p->tmpl->data || is_captured(c);
	n->daemon = p->tmpl->daemon == TRI_TRUE;
	if (p->tmpl->container_set)
		containers_begin(r, n, p->tmpl->container_set);
	emit_start(r, n, p->tmpl);
	pod_set_timers(r, n);
	return n;
}

void
pod_started(struct run *r, struct node *n)
{
	if (!node_is_task(n) || n->phase != PHASE_PENDING)
		return;
	work_set(n)->running_since = r->now;
	if (n->daemon)
		node_changed(n); /* pending until it is ready */
	else
		node_set(n, PHASE_RUNNING, S(""));
	if (work_of(n)->active || work_of(n)->pending)
		pod_set_timers(r, n);
}

/* News of a pod that runs. */
void
pod_changed(struct run *r, struct node *n, const struct task_result *res)
{
	if (!node_has_task(n))
		return;
	containers_changed(r, n, res);
	if (n->daemon && res->ready)
		daemon_ready(n, res->ip);
}

/* Said while it runs; what is no progress is ignored. */
void
pod_progress(struct run *r UNUSED, struct node *n, str text)
{
	const uint32_t done = n->done, total = n->total;
	if (!node_has_task(n))
		return;
	put_progress(n, text);
	if (n->done != done || n->total != total)
		node_changed(n);
}

/* Of a pod that was told to end: what it left is there for exit handlers; what it lacks is no error any more. */
static void
leave_outputs(struct run *r, struct node *n, const struct task_result *res)
{
	struct err ignored;
	(void)outputs_of_pod(r, n, res, &n->outputs, &ignored);
	outputs_to_globals(r, n);
}

void
pod_done(struct run *r, struct node *n, const struct task_result *res)
{
	if (n->type == NODE_POD && !n->gone && !n->usage.memory && res->usage.memory) {
		usage_set(n, res->usage);
		node_changed(n);
	}
	if (node_dying(n))
		leave_outputs(r, n, res);
	if (pod_gone(r, n) || !node_has_task(n))
		return; /* it was given up before: stopped, timed out */
	/* Its command ran: hooks may want to see that, however short it was. */
	if (res->exit_code >= 0 && n->phase == PHASE_PENDING && !r->suspended) {
		pod_started(r, n);
		while (lifecycle_settle(r))
			;
	}
	struct err e;
	enum phase p = res->phase;
	if (n->daemon && p == PHASE_SUCCEEDED)
		p = PHASE_FAILED; /* a daemon has no business to end: assessNodeStatus, v4.1.2 */
	str message = res->message.p ? res->message : S("");
	if (work_of(n)->limited && str_eq(message, S(POD_TOO_LONG))) /* it was ended before our own timer said so */
		message = S(STEP_TOO_LONG);
	containers_changed(r, n, res);
	containers_end(n, S("Pod Failed whilst container running"));
	const struct val *outputs = NULL;
	if (outputs_of_pod(r, n, res, &outputs, &e) && p == PHASE_SUCCEEDED) {
		p = PHASE_ERROR;
		message = run_text(r, "%s", e.msg);
	}
	n->outputs = outputs;
	n->body = NULL;
	put_progress(n, res->progress);
	outputs_to_globals(r, n);
	node_set(n, p, message);
}

/* Its time is over. Pending: `timeout` and `pendingTimeout` count from the node's start; running: Kubernetes' words for
 * activeDeadlineSeconds, or those of Argo's executor if it is the time of all attempts. */
void
pod_timer(struct run *r, struct node *n)
{
	int64_t active_end = work_of(n)->active && work_of(n)->running_since ? work_of(n)->running_since + work_of(n)->active : INT64_MAX;
	bool waited = work_of(n)->pending && n->phase == PHASE_PENDING && r->now >= work_of(n)->pending;
	if ((!node_has_task(n) && !sync_waits(n)) || (!waited && r->now < active_end && (!work_of(n)->deadline || r->now < work_of(n)->deadline)))
		return;
	bool pending = n->phase == PHASE_PENDING || sync_waits(n);
	bool limited = work_of(n)->limited && r->now >= work_of(n)->deadline && !waited;
	pod_give_up(r, n, limited ? S(STEP_TOO_LONG) : pending ? S("timeout") : S(POD_TOO_LONG));
}

/* ---- suspended nodes --------------------------------------------------------------------------------------------- */

/*
 * Intermediate parameters: a value that is a JSON object with a list `enum` offers a choice, of which the first is the
 * default (spec 2.11; resolveInputFieldsForSuspendNode in workflow/controller/operator.go).
 */
static struct val
with_choice(struct run *r, const struct val *input)
{
	struct val offer;
	struct err not_json;
	str text = val_get_str(input, "value");
	if (!text.p || json_read(r->arena, text, &offer, &not_json))
		return *input;
	const struct val *choices = val_get(&offer, S("enum"));
	if (!val_is(choices, VAL_LIST) || !choices->n)
		return *input;
	struct val_list list = { 0 };
	for (uint32_t i = 0; i < choices->n; i++) {
		str choice = any_text(r, &choices->items[i]);
		if (!choice.p)
			return *input;
		val_list_add(&list, val_str(choice));
	}
	struct val all = val_list_end(&list, r->arena);
	const struct val *out = val_set(r->arena, input, S("enum"), &all);
	return val_get(out, S("default")) ? *out : *val_set(r->arena, out, S("default"), &all.items[0]);
}

static const struct val *
offered_inputs(struct run *r, const struct val *inputs)
{
	const struct val *params = val_get(inputs, S("parameters"));
	struct val_list list = { 0 };
	for (uint32_t i = 0; val_is(params, VAL_LIST) && i < params->n; i++)
		val_list_add(&list, with_choice(r, &params->items[i]));
	struct val v = val_list_end(&list, r->arena);
	return v.n ? val_set(r->arena, inputs, S("parameters"), &v) : inputs;
}

/* The default of the input of that name, as it is offered; absent if it has none. */
static str
input_default(struct run *r, const struct val *inputs, str name)
{
	return any_text(r, val_get(val_named(val_get(inputs, S("parameters")), name), S("default")));
}

/* The parameters that somebody is to supply; an output without a default takes that of the input of its name
 * (spec 2.11). */
static const struct val *
supplied_outputs(struct run *r, const struct template *t, const struct val *inputs)
{
	struct val_list list = { 0 };
	for (size_t i = 0; i < t->outputs.parameters.n; i++) {
		const struct parameter *p = &t->outputs.parameters.p[i];
		bool has_default = p->dflt.p || (p->value_from && p->value_from->dflt.p);
		str dflt = has_default || !p->value_from ? STR_NONE : input_default(r, inputs, p->name);
		struct val text = val_str(dflt);
		val_list_add(&list, dflt.p ? *val_set(r->arena, p->src, S("default"), &text) : *p->src);
	}
	if (!list.v.n)
		return NULL;
	struct val_map m = { 0 };
	val_map_add(&m, S("parameters"), val_list_end(&list, r->arena));
	struct val *out = ARENA_NEW(r->arena, struct val);
	*out = val_map_end(&m, r->arena);
	return out;
}

void
suspend_set_timer(struct run *r, struct node *n)
{
	if (n->type == NODE_SUSPEND && n->phase == PHASE_RUNNING && work_of(n)->deadline)
		run_effect(r, EFFECT_TIMER, n)->at_ns = work_of(n)->deadline;
}

struct node *
suspend_begin(struct run *r, struct call *c, const struct processed *p)
{
	struct err e;
	int64_t length;
	bool made = call_is_new(r, c);
	struct node *n = call_node(r, c, NODE_SUSPEND);
	if (!n)
		return NULL;
	if (made) {
		n->inputs = offered_inputs(r, p->inputs);
		n->outputs = supplied_outputs(r, p->tmpl, n->inputs);
		node_set(n, PHASE_RUNNING, STR_NONE);
		if (run_shut(r, n->exiting)) {
			node_set(n, PHASE_FAILED, run_text(r, "Stopped with strategy '%.*s'", STR_ARG(r->shutdown)));
			return n;
		}
		if (r->deadline && r->now >= r->deadline && !n->exiting) {
			node_set(n, PHASE_FAILED, S(STEP_TOO_LONG));
			return n;
		}
	}
	if (!p->tmpl->suspend->duration.n)
		return n;
	if (duration_parse(p->tmpl->suspend->duration, &length, &e)) {
		n->bubbles = true;
		node_set(n, PHASE_ERROR, run_text(r, "%s", e.msg));
		return n;
	}
	work_set(n)->deadline = n->started + length;
	if (work_of(n)->deadline < r->now) /* it waited for its locks that long */
		suspend_timer(r, n);
	else
		suspend_set_timer(r, n);
	return n;
}

/* Ends a suspended node. Supplied outputs that nobody set take their default; without one the node cannot succeed. */
int
suspend_finish(struct run *r, struct node *n, enum phase p, str message, struct err *e)
{
	const struct val *params = val_get(n->outputs, S("parameters"));
	struct val_list list = { 0 };
	int rc = 0;
	for (uint32_t i = 0; p == PHASE_SUCCEEDED && val_is(params, VAL_LIST) && i < params->n; i++) {
		const struct val *v = &params->items[i];
		str value = val_get_str(v, "value"), dflt = any_text(r, val_get(v, S("default")));
		if (!dflt.p)
			dflt = any_text(r, val_path(v, "valueFrom.default"));
		if (!value.p && !dflt.p)
			rc = err_set(e, ERR_INVALID,
				"raw output parameter '%.*s' has not been set and does not have a default value",
				STR_ARG(val_get_str(v, "name")));
		struct val text = val_str(value.p ? value : dflt);
		val_list_add(&list, *val_set(r->arena, v, S("value"), &text));
	}
	struct val done = val_list_end(&list, r->arena);
	if (rc)
		return -1;
	if (done.n)
		n->outputs = val_set(r->arena, n->outputs, S("parameters"), &done);
	outputs_to_globals(r, n);
	node_set(n, p, message);
	return 0;
}

void
suspend_timer(struct run *r, struct node *n)
{
	struct err e;
	if (n->phase != PHASE_RUNNING || !work_of(n)->deadline || r->now < work_of(n)->deadline)
		return;
	if (!suspend_finish(r, n, PHASE_SUCCEEDED, STR_NONE, &e))
		return;
	n->bubbles = true; /* nobody can be told that asked for it, as with resume: the caller is in error */
	node_set(n, PHASE_ERROR, run_text(r, "%s", e.msg));
}
