/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call: one template invocation, from a name and arguments to a node that runs. The order of events is that of Argo's
 * executeTemplate (workflow/controller/operator.go, v4.1.2; spec 2.3); the substitution is that of its ProcessArgs
 * (workflow/common/util.go; spec 1.5, 3.1 pass 5).
 */
#include "engine/run/run_impl.h"

#include <ctype.h>

/* ---- calls and their nodes ------------------------------------------------------------------------------------- */

struct call *
call_new(struct run *r, str name)
{
	struct call *c = ARENA_NEW(r->work, struct call);
	c->name = name;
	c->passing = r->work != r->arena;
	c->library = &r->local;
	r->begun++;
	return c;
}

static void
link_node(const struct call *c, struct node *n)
{
	if (c->role == ROLE_TASK)
		dag_link_task(c->owner->frame, c->slot, n);
	else if (c->owner)
		node_link(c->owner, n);
}

static void
adopt(struct node *n, struct call *c)
{
	n->role = c->role;
	n->owner = c->owner;
	n->slot = c->slot;
	n->call = c->passing ? NULL : c;
	n->of = c->of;
	rest_meet(n);
	if (c->role == ROLE_TASK)
		dag_adopt(c->owner->frame, c->slot, n);
	lifecycle_attach(n);
}

struct node *
call_node(struct run *r, struct call *c, enum node_type t)
{
	struct node *n = node_named(r, c->name);
	if (n) {
		adopt(n, c);
		return n;
	}
	n = node_new(r, c->name, t, c->boundary);
	if (!n)
		return NULL;
	adopt(n, c);
	n->template_name = c->ref ? S("") : c->tmpl;
	n->template_ref = c->ref;
	n->template_scope = c->library->scope;
	n->hooked = c->hooked;
	n->retried = c->retried != NULL;
	n->exiting = c->exiting;
	link_node(c, n);
	if (node_is_task(n) || t == NODE_SUSPEND)
		progress_set(n, 0, 1);
	limit_count(n, false, true);
	return n;
}

bool
call_is_new(struct run *r, const struct call *c)
{
	const struct node *n = node_named(r, c->name);
	return !n || sync_unbegun(n);
}

enum node_type
call_node_type(const struct call *c, const struct template *t)
{
	if (t->retry && !c->retried)
		return NODE_RETRY;
	switch (t->type) {
	case TEMPLATE_STEPS:
		return NODE_STEPS;
	case TEMPLATE_DAG:
		return NODE_DAG;
	case TEMPLATE_SUSPEND:
		return NODE_SUSPEND;
	case TEMPLATE_HTTP:
		return NODE_HTTP;
	default:
		return NODE_POD;
	}
}

struct node *
call_failed(struct run *r, struct call *c, str message)
{
	struct node *n = call_node(r, c, NODE_SKIPPED);
	if (!n)
		return NULL;
	n->bubbles = true;
	node_set(n, PHASE_ERROR, message);
	return n;
}

/* ---- inputs ---------------------------------------------------------------------------------------------------- */

static const struct parameter *
argument(const struct arguments *args, str name)
{
	for (size_t i = 0; args && i < args->parameters.n; i++)
		if (str_eq(args->parameters.p[i].name, name))
			return &args->parameters.p[i];
	return NULL;
}

static int
from_config_map(struct run *r, const struct parameter *p, const struct secret_ref *ref, str *out, struct err *e)
{
	struct scope x = { .run = r };
	struct tag_scope t = scope_tags(&x);
	str name, key;
	if (tags_put_text(r->tmp, ref->name, &t, &name, e) || tags_put_text(r->tmp, ref->key, &t, &key, e))
		return -1;
	struct err why = { 0 };
	str text;
	if (r->world.config_map && !r->world.config_map(r->world.arg, r->ns, name, key, &text, &why)) {
		*out = arena_dup(r->arena, text);
		return 0;
	}
	if (p->value_from->dflt.p && (why.code == ERR_NOT_FOUND || !why.code)) {
		*out = p->value_from->dflt;
		return 0;
	}
	return err_set(e, why.code ? why.code : ERR_NOT_FOUND,
		"unable to retrieve inputs.parameters.%.*s from ConfigMap: %s", STR_ARG(p->name), why.msg);
}

/* Order of spec 1.5: the template's own value, its default, what the argument says, the config map that either names.
 */
static int
input_value(struct run *r, const struct parameter *in, const struct arguments *args, str *out, struct err *e)
{
	const struct parameter *arg = argument(args, in->name), *from = in;
	*out = in->value.p ? in->value : in->dflt;
	if (arg && arg->value.p) {
		*out = arg->value;
		from = NULL;
	} else if (arg && arg->value_from) {
		*out = STR_NONE;
		from = arg;
	}
	if (from && from->value_from && from->value_from->config_map_key)
		return from_config_map(r, from, from->value_from->config_map_key, out, e);
	if (out->p)
		return 0;
	if (arg && val_is(val_get(arg->src, S("value")), VAL_NULL))
		return err_set(e, ERR_INVALID,
			"inputs.parameters.%.*s: argument references an absent optional output and the input has no "
			"default",
			STR_ARG(in->name));
	return err_set(e, ERR_INVALID, "inputs.parameters.%.*s was not supplied", STR_ARG(in->name));
}

/* The declared parameter with its value: what the node shows, and `inputs.parameters` is made of; in Argo's order. */
static struct val
input_shown(struct run *r, const struct parameter *p, str value)
{
	static const char *const behind[] = { "globalName", "enum", "description" };
	const struct val *dflt = val_get(p->src, S("default"));
	struct val_map m = { 0 };
	val_map_add(&m, S("name"), val_str(p->name));
	if (dflt)
		val_map_add(&m, S("default"), *dflt);
	val_map_add(&m, S("value"), val_str(value));
	for (size_t i = 0; i < ARRAY_LEN(behind); i++) {
		const struct val *v = val_get(p->src, str_c(behind[i]));
		if (v)
			val_map_add(&m, str_c(behind[i]), *v);
	}
	return val_map_end(&m, r->arena);
}

static int
put_inputs(struct run *r, const struct def *d, const struct call *c, struct scope *x, const struct val **out,
	struct err *e)
{
	const struct template *t = d->decoded;
	*out = NULL;
	if (!t->inputs.parameters.n && !t->inputs.artifacts.n)
		return 0;
	struct val_list list = { 0 };
	struct tag_scope ts = scope_tags(x);
	int rc = 0;
	for (size_t i = 0; i < t->inputs.parameters.n && !rc; i++) {
		const struct parameter *p = &t->inputs.parameters.p[i];
		str value;
		rc = input_value(r, p, c->args, &value, e);
		if (!rc && tags_in(value))
			rc = tags_put_text(r->arena, value, &ts, &value, e);
		else if (!rc && c->passing)
			value = arena_dup(r->arena, value);
		if (!rc)
			val_list_add(&list, input_shown(r, p, value));
	}
	struct val_map m = { 0 };
	struct val parameters = val_list_end(&list, r->arena), artifacts = { 0 };
	if (parameters.n)
		val_map_add(&m, S("parameters"), parameters);
	if (!rc && t->inputs.artifacts.n) { /* their keys may speak of the parameters */
		struct val_map known = { 0 };
		val_map_add(&known, S("parameters"), parameters);
		struct val seen = val_map_end(&known, r->tmp);
		struct scope own = *x;
		own.inputs = &seen;
		rc = artifacts_put(r, t, c, &own, &artifacts, e);
	}
	if (artifacts.n)
		val_map_add(&m, S("artifacts"), artifacts);
	struct val *v = ARENA_NEW(r->arena, struct val);
	*v = val_map_end(&m, r->arena);
	*out = rc || !v->n ? NULL : v;
	return rc;
}

/* ---- the template with its variables --------------------------------------------------------------------------- */

static bool
is_leaf(const struct def *d)
{
	return d->decoded->type != TEMPLATE_STEPS && d->decoded->type != TEMPLATE_DAG;
}

/*
 * Argo makes three passes over the text: globals and what belongs to the call, then inputs, then (pods) both again. One
 * pass gives the same unless a value that was put in holds a tag itself; only then are the other passes made.
 */
static int
put_into(struct arena *a, const struct val *v, struct scope *x, const struct val **out, struct err *e)
{
	struct tag_scope ts = scope_tags(x);
	*out = tags_put(a, v, &ts, e);
	for (int pass = 1; *out && ts.put_tags && pass < 3; pass++) {
		ts.put_tags = false;
		*out = tags_put(a, *out, &ts, e);
	}
	return *out ? 0 : -1;
}

/*
 * The steps of a template begin later than the template, so what changes until then is put in when they do (Argo does all
 * this again whenever something happens). Members that have not changed stay the same values.
 */
static int
put_variables(struct arena *a, const struct def *d, struct scope *x, const struct val **out, struct err *e)
{
	if (is_leaf(d) || !(d->src->flags & VAL_TAGGED))
		return put_into(a, d->src, x, out, e);
	struct val_map m = { 0 };
	const struct val *v = NULL;
	bool same = true;
	int rc = 0;
	for (uint32_t i = 0; i < d->src->n && !rc; i++) {
		str key = val_key(&d->src->members[i]);
		x->lasting = str_eq(key, S("steps")) || str_eq(key, S("dag"));
		rc = put_into(a, &d->src->members[i].value, x, &v, e);
		same = same && v == &d->src->members[i].value;
		if (!rc)
			val_map_add(&m, key, *v);
	}
	x->lasting = false;
	struct val *put = ARENA_NEW(a, struct val);
	*put = val_map_end(&m, a);
	*out = same ? d->src : put;
	return rc;
}

bool
body_passes(const struct def *d, const struct call *c)
{
	const struct template *t = d->decoded;
	bool pod = t->type == TEMPLATE_CONTAINER || t->type == TEMPLATE_SCRIPT;
	return pod && (!t->retry || c->retried) && !t->synchronization && !t->memoize && t->daemon != TRI_TRUE &&
		!val_get(d->src, S("metrics"));
}

static int
process(struct run *r, struct call *c, const struct def *d, struct processed *out, struct err *e)
{
	bool attempts = d->decoded->retry && !c->retried, leaf = is_leaf(d) && !attempts;
	const struct node *begun = node_named(r, c->name);
	struct scope x = { .run = r, .call = c, .tmpl = d->decoded, .time = begun ? begun->started : 0,
		.defers = !is_leaf(d) };
	if (leaf && d->decoded->type != TEMPLATE_SUSPEND && d->decoded->type != TEMPLATE_HTTP)
		x.pod = pod_name(r, r->tmp, c->name, d->name);
	if (put_inputs(r, d, c, &x, &out->inputs, e))
		return -1;
	x.inputs = out->inputs;
	if (put_variables(body_passes(d, c) ? r->tmp : r->arena, d, &x, &out->body, e))
		return -1;
	out->tmpl = d->decoded;
	if (out->body != d->src)
		out->tmpl = template_processed(r, leaf ? r->tmp : r->arena, d, out->body, e);
	return out->tmpl ? 0 : -1;
}

/* An annotation of the template may give its nodes another display name (spec 1.2). */
static void
set_display(struct run *r, struct node *n, const struct template *t)
{
	for (size_t i = 0; i < t->annotations.n; i++) {
		str name = t->annotations.p[i].value;
		bool valid = name.n >= 2 && name.n <= 63;
		for (size_t k = 0; valid && k < name.n; k++)
			valid = isalnum((unsigned char)name.p[k]) ||
				(k > 0 && k + 1 < name.n && strchr("-.", name.p[k]));
		if (valid && str_eq(t->annotations.p[i].key, S("workflows.argoproj.io/display-name")) &&
			!str_eq(n->display, name)) {
			n->display = arena_dup(r->arena, name);
			node_changed(n);
		}
	}
}

/* ---- beginning ------------------------------------------------------------------------------------------------- */

static struct node *
begin_body(struct run *r, struct call *c, const struct def *d, const struct processed *p)
{
	struct node *n;
	switch (p->tmpl->type) {
	case TEMPLATE_CONTAINER:
	case TEMPLATE_CONTAINER_SET:
	case TEMPLATE_SCRIPT:
	case TEMPLATE_DATA:
	case TEMPLATE_HTTP:
		return pod_begin(r, c, d, p);
	case TEMPLATE_SUSPEND:
		return suspend_begin(r, c, p);
	case TEMPLATE_STEPS:
	case TEMPLATE_DAG:
		n = call_node(r, c, p->tmpl->type == TEMPLATE_DAG ? NODE_DAG : NODE_STEPS);
		if (!n)
			return NULL;
		n->inputs = p->inputs;
		node_set(n, PHASE_RUNNING, STR_NONE);
		if (rest_is_over(r, n))
			return n;
		if (p->tmpl->type == TEMPLATE_DAG)
			dag_begin(r, n, c, d, p);
		else
			steps_begin(r, n, c, d, p);
		return n;
	default:
		return call_failed(r, c,
			run_text(r, "template '%.*s': this type of template is not served yet", STR_ARG(d->name)));
	}
}

struct node *
call_begin(struct run *r, struct call *c)
{
	struct node *n = node_named(r, c->name);
	size_t mark = r->news.n;
	if (r->finished || r->withheld || (c->boundary && node_fulfilled(c->boundary)))
		return NULL;
	if (n && node_past(n)) {
		adopt(n, c);
		node_announce(n);
		return n;
	}
	if ((!n || (sync_unbegun(n) && !sync_queued(n))) && limit_parks(r, c)) {
		if (n)
			sync_give_back(r, n);
		return n;
	}
	if (n)
		sync_begins(n);
	if (c->depth + 1 >= DEPTH_MAX) /* the root is the first */
		return call_failed(r, c,
			S("Maximum recursion depth exceeded. See "
			  "https://argo-workflows.readthedocs.io/en/latest/scaling/#maximum-recursion-depth"));
	struct err e;
	const struct def *d = library_resolve(r, c, &e);
	struct processed p;
	if (!d || process(r, c, d, &p, &e))
		return call_failed(r, c, run_text(r, "%s", e.msg));
	if (sync_parks(r, c, &p, &n))
		return n;
	if (!memo_ends(r, c, &p, &n)) {
		n = p.tmpl->retry && !c->retried ? retry_begin(r, c, &p) : begin_body(r, c, d, &p);
		if (n)
			memo_begins(r, n, &p);
	}
	if (n)
		metrics_begin(r, n, val_get(p.body, S("metrics")));
	if (n && p.tmpl->annotations.n && !c->retried)
		set_display(r, n, p.tmpl);
	if (n)
		run_settle_below(r, mark, n);
	return n;
}
