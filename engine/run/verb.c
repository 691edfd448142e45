/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb: what people do to a workflow that is there: suspend, resume, stop, terminate, set; retry is in rerun.c (spec 5;
 * workflow/util/util.go, v4.1.2). A verb is checked first, without a change; applied, it cannot fail.
 */
#include "engine/engine.h"
#include "engine/run/run_impl.h"
#include "engine/selector.h"

/* ---- choosing nodes
 * -------------------------------------------------------------------------------------------------- */

static str
node_field(void *arg, str key)
{
	const struct node *n = arg;
	if (str_eq(key, S("displayName")))
		return n->display;
	if (str_eq(key, S("templateName"))) /* of a templateRef: the template in it */
		return n->template_ref ? val_get_str(n->template_ref, "template") : n->template_name;
	if (str_eq(key, S("phase")))
		return str_c(phase_name(n->phase));
	if (str_eq(key, S("name")))
		return n->name;
	if (str_eq(key, S("id")))
		return n->id;
	if (str_eq(key, S("templateRef.name")))
		return val_get_str(n->template_ref, "name");
	if (str_eq(key, S("templateRef.template")))
		return val_get_str(n->template_ref, "template");
	if (str_starts(key, S("inputs.parameters.")) && str_ends(key, S(".value")))
		return output_parameter(
			n->inputs, str_slice(key, strlen("inputs.parameters."), key.n - strlen(".value")));
	return STR_NONE;
}

bool
node_chosen(const struct selector *s, struct node *n)
{
	return selector_match(s, node_field, n);
}

static bool
waits(const struct node *n)
{
	return !n->gone && n->type == NODE_SUSPEND && n->phase == PHASE_RUNNING;
}

/* ---- checks
 * ---------------------------------------------------------------------------------------------------------- */

static bool
among(const struct kvs *given, str name)
{
	for (size_t i = 0; i < given->n; i++)
		if (str_eq(given->p[i].key, name))
			return true;
	return false;
}

/* Whether every supplied output of a suspended node has a value, one of those given, or a default. */
static int
can_succeed(const struct node *n, const struct kvs *given, struct err *e)
{
	const struct val *params = val_get(n->outputs, S("parameters"));
	for (uint32_t i = 0; val_is(params, VAL_LIST) && i < params->n; i++) {
		const struct val *p = &params->items[i];
		if (!val_get(p, S("value")) && !val_get(p, S("default")) && !val_path(p, "valueFrom.default") &&
			!among(given, val_get_str(p, "name")))
			return err_set(e, ERR_INVALID,
				"raw output parameter '%.*s' has not been set and does not have a default value",
				STR_ARG(val_get_str(p, "name")));
	}
	return 0;
}

static int
nothing_chosen(const struct verb_options *o, struct err *e)
{
	return err_set(e, ERR_INVALID,
		"currently, set only targets suspend nodes: no suspend nodes matching nodeFieldSelector: %.*s",
		STR_ARG(o->node_field_selector));
}

/* Whether somebody may supply this output: it is declared as supplied, and nobody did. */
static int
check_output(const struct node *n, str name, struct err *e)
{
	const struct val *p = val_named(val_get(n->outputs, S("parameters")), name);
	if (!n->outputs)
		return err_set(e, ERR_INVALID,
			"cannot set output parameters because node is not expecting any raw parameters");
	if (!p)
		return err_set(e, ERR_INVALID, "node is not expecting output parameter '%.*s'", STR_ARG(name));
	if (!val_path(p, "valueFrom.supplied"))
		return err_set(e, ERR_INVALID, "cannot set output parameter '%.*s' because it does not use valueFrom.raw or it was already set",
		               STR_ARG(name));
	return 0;
}

static int
check_outputs(const struct node *n, const struct kvs *given, struct err *e)
{
	for (size_t i = 0; i < given->n; i++)
		if (check_output(n, given->p[i].key, e))
			return -1;
	return 0;
}

/* Whether the suspended nodes that are meant can succeed; with a selector there must be one. */
static int
check_resume(const struct run *r, const struct selector *s, const struct verb_options *o, struct err *e)
{
	static const struct kvs none = { 0 };
	const struct kvs *given = o ? &o->output_parameters : &none;
	size_t n = 0;
	for (size_t i = 0; i < r->nodes.n; i++) {
		struct node *x = r->nodes.p[i];
		if (!waits(x) || !node_chosen(s, x))
			continue;
		n++;
		if (check_outputs(x, given, e) || can_succeed(x, given, e))
			return -1;
	}
	if (!n && given->n && !o->node_field_selector.n)
		return err_set(e, ERR_INVALID, "no node is suspended that could take output parameters");
	return o && o->node_field_selector.n && !n ? nothing_chosen(o, e) : 0;
}

/* Stop with a selector is for suspended nodes; there must be one (Argo: updateSuspendedNode). */
static int
check_stop(const struct run *r, const struct selector *s, const struct verb_options *o, struct err *e)
{
	for (size_t i = 0; i < r->nodes.n; i++)
		if (waits(r->nodes.p[i]) && node_chosen(s, r->nodes.p[i]))
			return 0;
	return o && o->node_field_selector.n ? nothing_chosen(o, e) : 0;
}

static int
check_set(const struct run *r, const struct selector *s, const struct verb_options *o, struct err *e)
{
	size_t n = 0;
	enum phase p = phase_of(o->phase);
	if (!o->node_field_selector.n)
		return err_set(e, ERR_INVALID, "nodeFieldSelector is required");
	if (o->phase.n && p != PHASE_SUCCEEDED && p != PHASE_FAILED && p != PHASE_ERROR)
		return err_set(e, ERR_INVALID, "%.*s is an invalid phase to set: use Succeeded, Failed or Error",
			STR_ARG(o->phase));
	for (size_t i = 0; i < r->nodes.n; i++) {
		struct node *x = r->nodes.p[i];
		if (!waits(x) || !node_chosen(s, x))
			continue;
		n++;
		if (check_outputs(x, &o->output_parameters, e) ||
			(p == PHASE_SUCCEEDED && can_succeed(x, &o->output_parameters, e)))
			return -1;
	}
	return n ? 0 : nothing_chosen(o, e);
}

static int
check_retry(const struct run *r, const struct verb_options *o, struct err *e)
{
	if (!r->finished)
		return err_set(e, ERR_EXISTS, "Cannot retry a workflow in phase %s",
			r->phase == PHASE_NONE ? "Pending" : phase_name(r->phase));
	if (r->phase == PHASE_SUCCEEDED && !(o && o->restart_successful && o->node_field_selector.n))
		return err_set(e, ERR_EXISTS,
			"To retry a succeeded workflow, set the options restartSuccessful and nodeFieldSelector");
	return 0;
}

int
run_verb_check(const struct run *r, enum stimulus_kind verb, const struct verb_options *o, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct selector s = { 0 };
	bool selected = o && o->node_field_selector.n;
	if (selected && selector_parse(a, o->node_field_selector, &s, e))
		return -1;
	if (verb == STIM_RETRY)
		return check_retry(r, o, e);
	if (r->finished && verb == STIM_SUSPEND)
		return err_set(e, ERR_EXISTS, "cannot suspend completed workflows");
	if (r->finished && (verb == STIM_STOP || verb == STIM_TERMINATE))
		return err_set(e, ERR_EXISTS,
			"cannot shutdown a completed workflow: workflow: \"%.*s\", namespace: \"%.*s\"",
			STR_ARG(r->name), STR_ARG(r->ns));
	switch (verb) {
	case STIM_STOP:
		return check_stop(r, &s, o, e);
	case STIM_RESUME: /* of one that has ended: nothing to do, which is no mistake */
		return check_resume(r, &s, o, e);
	case STIM_SET:
		return o ? check_set(r, &s, o, e) : err_set(e, ERR_INVALID, "nodeFieldSelector is required");
	default:
		return 0;
	}
}

/* ---- resume, set, stop
 * ----------------------------------------------------------------------------------------------- */

static void
finish_waiting(struct run *r, const struct selector *s, size_t before, enum phase p, str message)
{
	struct err e;
	for (size_t i = 0; i < before; i++) {
		struct node *n = r->nodes.p[i];
		if (waits(n) && node_chosen(s, n) && suspend_finish(r, n, p, message, &e))
			node_set(n, PHASE_ERROR, run_text(r, "%s", e.msg));
	}
}

static void
supply(struct run *r, struct node *n, str name, str value)
{
	const struct val *params = val_get(n->outputs, S("parameters"));
	struct val_list list = { 0 };
	struct val text = val_str(arena_dup(r->arena, value));
	for (uint32_t i = 0; i < params->n; i++) {
		const struct val *p = &params->items[i];
		if (str_eq(val_get_str(p, "name"), name))
			p = val_set(r->arena, val_unset(r->arena, p, S("valueFrom")), S("value"), &text);
		val_list_add(&list, *p);
	}
	struct val v = val_list_end(&list, r->arena);
	n->outputs = val_set(r->arena, n->outputs, S("parameters"), &v);
	outputs_to_globals(r, n);
	node_changed(n);
}

static void
supply_all(struct run *r, struct node *n, const struct kvs *given)
{
	for (size_t i = 0; i < given->n; i++)
		supply(r, n, given->p[i].key, given->p[i].value);
}

static void
set(struct run *r, const struct selector *s, const struct verb_options *o)
{
	struct err e;
	for (size_t i = 0; i < r->nodes.n; i++) {
		struct node *n = r->nodes.p[i];
		if (!waits(n) || !node_chosen(s, n))
			continue;
		supply_all(r, n, &o->output_parameters);
		str message = o->message.n ? o->message : STR_NONE;
		if (!o->phase.n)
			node_set(n, n->phase, message);
		else if (suspend_finish(r, n, phase_of(o->phase), message, &e))
			node_set(n, PHASE_ERROR, run_text(r, "%s", e.msg));
	}
}

/*
 * It is not suspended any more: what ended meanwhile is gone through in the order in which it is written, and who waits for a lock
 * comes into the line again.
 */
static void
wake(struct run *r)
{
	bool missed = r->rests.n || r->news_at < r->news.n || r->noticed_at < r->noticed.n || r->shutdown.n;
	if (!r->suspended)
		return;
	r->suspended = false;
	sync_resume(r);
	if (r->entered && missed && !r->withheld)
		run_recall(r);
}

/* Pods that may not go on are killed and Failed at once, and what waits for a verb or a time (spec 2.14). Their message
 * ends with that of whoever stops them, if there is one. */
static void
shut_down(struct run *r, str strategy, str message)
{
	if (!str_eq(r->shutdown, S("Terminate")))
		r->shutdown = strategy;
	const char *sep = message.n ? "; " : "";
	str stopped = run_text(
		r, "Stopped with strategy '%.*s'%s%.*s", STR_ARG(r->shutdown), sep, STR_ARG(message));
	str killed = run_text(r, "workflow shutdown with strategy:  %.*s%s%.*s", STR_ARG(r->shutdown), sep,
		STR_ARG(message));
	if (sync_workflow_shut(r))
		return;
	wake(r);
	run_enter(r);
	run_settle(r);
	for (size_t i = 0; i < r->nodes.n; i++) {
		struct node *n = r->nodes.p[i];
		if (n->gone || phase_fulfilled(n->phase) || daemon_serves(n))
			continue;
		if (n->type == NODE_RETRY && node_last_attempt(n))
			retry_called_off(r, n); /* no further attempt, also of an exit handler */
		else if (!run_shut(r, n->exiting))
			continue;
		else if (node_is_task(n) && !sync_waits(n))
			pod_give_up(r, n, n->type == NODE_POD ? killed : stopped);
		else if (n->type == NODE_SUSPEND || sync_waits(n))
			node_set(n, PHASE_FAILED, stopped);
	}
}

static void
resume(struct run *r, const struct selector *s, const struct verb_options *o)
{
	size_t before = r->nodes.n; /* what goes on now may come to a further suspended node: that one waits */
	if (!o || !o->node_field_selector.n)
		wake(r);
	run_enter(r);
	run_settle(r);
	for (size_t i = 0; o && o->output_parameters.n && i < before; i++)
		if (waits(r->nodes.p[i]) && node_chosen(s, r->nodes.p[i]))
			supply_all(r, r->nodes.p[i], &o->output_parameters);
	finish_waiting(r, s, before, PHASE_SUCCEEDED, STR_NONE);
}

/* ---- all
 * ------------------------------------------------------------------------------------------------------------- */

void
verb_apply(struct run *r, const struct stimulus *s)
{
	struct selector chosen_by = { 0 };
	struct err e;
	const struct verb_options *o = s->verb;
	bool selected = o && o->node_field_selector.n;
	if (run_verb_check(r, s->kind, o, &e) ||
		(selected && selector_parse(r->tmp, o->node_field_selector, &chosen_by, &e)))
		return;
	switch (s->kind) {
	case STIM_SUSPEND:
		r->suspended = true;
		sync_suspend(r);
		break;
	case STIM_RESUME:
		resume(r, &chosen_by, o);
		break;
	case STIM_STOP:
		if (selected)
			finish_waiting(r, &chosen_by, r->nodes.n, PHASE_FAILED, o->message.p ? o->message : S(""));
		else
			shut_down(r, S("Stop"), o && o->message.p ? o->message : S(""));
		break;
	case STIM_TERMINATE:
		shut_down(r, S("Terminate"), S(""));
		break;
	case STIM_SET:
		set(r, &chosen_by, o);
		break;
	case STIM_RETRY:
		rerun_prepare(r, o, &chosen_by);
		if (s->hold)
			run_queue(r);
		else
			run_start(r);
		break;
	case STIM_COLLECTED:
		artifacts_collected(r, o->collected);
		break;
	default:
		break;
	}
}
