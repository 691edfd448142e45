/* SPDX-License-Identifier: Apache-2.0 */
/* Workflows: list, get, create, lint, submit, verbs, delete (spec 7.2, rows 1 to 14). */
#include "api/bodies.h"
#include "api/rest.h"
#include "engine/engine.h"
#include "engine/spec/spec.h"

/* ---- one and many ------------------------------------------------------------------------------------------- */

void
rest_answer_workflow(void *arg, const struct val *workflow, const struct err *e)
{
	struct http_req *r = arg;
	if (e) {
		rest_fail(r, e);
		return;
	}
	struct val empty = { .kind = VAL_MAP };
	rest_reply(r, workflow ? fields_select(http_req_arena(r), workflow, http_req_arg(r, "fields")) : &empty);
}

/* As it is, and what is on its way. */
static void
answer_now(void *arg, const struct val *workflow, const struct err *e)
{
	struct http_req *r = arg;
	rest_answer_workflow(r, workflow ? engine_tell_transfers(rest_api(r)->env.engine, workflow, http_req_arena(r)) : NULL, e);
}

void
get_workflow(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	engine_get(api->env.engine, rest_ns(api, r, true), http_req_var(r, "name"), rest_wants_nodes(r), answer_now, r);
}

/* ---- pairs -------------------------------------------------------------------------------------------------- */

/* "k=v" */
static bool
add_pair(struct arena *a, struct kvs *out, str text)
{
	str value = text, key = str_cut(&value, '=');
	if (key.n == text.n || !key.n)
		return false;
	struct kv *grown = ARENA_ARRAY(a, struct kv, out->n + 1);
	if (out->n)
		memcpy(grown, out->p, out->n * sizeof *grown);
	grown[out->n] = (struct kv){ str_trim(key), value };
	*out = (struct kvs){ grown, out->n + 1 };
	return true;
}

/* A list of "k=v". Answers and returns false if one is not. */
bool
rest_list_pairs(struct http_req *r, const struct val *list, struct kvs *out)
{
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++) {
		const struct val *v = &list->items[i];
		if (v->kind != VAL_STR || !add_pair(http_req_arena(r), out, val_text(v))) {
			rest_failf(r, ERR_INVALID, "expected parameter of the form: NAME=VALUE. Received: %.*s", STR_ARG(v->kind == VAL_STR ? val_text(v) : S("")));
			return false;
		}
	}
	return true;
}

/* SubmitOpts.artifacts: a list of "name=key"; answers and returns false if one is not. The last of a name counts. */
static bool
artifact_pairs(struct http_req *r, const struct val *list, struct kvs *out)
{
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++) {
		str text = val_text(&list->items[i]);
		if (!add_pair(http_req_arena(r), out, text) || !out->p[out->n - 1].value.n) {
			rest_failf(r, ERR_INVALID, "expected artifact of the form: NAME=KEY. Received: %.*s", STR_ARG(text));
			return false;
		}
	}
	return true;
}

/* "a=b,c=d" */
bool
rest_text_pairs(struct http_req *r, str text, struct kvs *out)
{
	while (text.n) {
		str part = str_cut(&text, ',');
		if (!add_pair(http_req_arena(r), out, part)) {
			rest_failf(r, ERR_INVALID, "%.*s: write it as a=b,c=d", STR_ARG(part));
			return false;
		}
	}
	return true;
}

/* ---- create ------------------------------------------------------------------------------------------------- */

struct creation {
	struct api *api;
	struct http_req *req;
	str ns, name;
	const struct val *dry; /* what would have been created */
};

static void
created(void *arg)
{
	struct creation *c = arg;
	if (c->dry)
		rest_reply(c->req, c->dry);
	else
		engine_get(c->api->env.engine, c->ns, c->name, rest_wants_nodes(c->req), rest_answer_workflow, c->req);
}

/* SubmitOpts of Argo; answers and returns false if something in it is wrong. */
static bool
read_options(struct http_req *r, const struct val *in, struct submit_options *o)
{
	o->name = val_get_str(in, "name");
	o->generate_name = val_get_str(in, "generateName");
	o->entrypoint = val_get_str(in, "entryPoint");
	o->service_account = val_get_str(in, "serviceAccount");
	int64_t *priority = ARENA_NEW(http_req_arena(r), int64_t);
	if (val_to_i64(val_get(in, S("priority")), priority))
		o->priority = priority;
	const struct val *dry = val_get(in, S("dryRun")), *server_dry = val_get(in, S("serverDryRun"));
	o->dry_run |= (val_is(dry, VAL_BOOL) && dry->b) || (val_is(server_dry, VAL_BOOL) && server_dry->b);
	return rest_list_pairs(r, val_get(in, S("parameters")), &o->parameters) && artifact_pairs(r, val_get(in, S("artifacts")), &o->artifacts) &&
	       rest_text_pairs(r, val_get_str(in, "labels"), &o->labels) &&
	       rest_text_pairs(r, val_get_str(in, "annotations"), &o->annotations);
}

static void
submit(struct api *api, struct http_req *r, const struct val *manifest, struct submit_options *o)
{
	struct arena *a = http_req_arena(r);
	struct creation *c = ARENA_NEW(a, struct creation);
	*c = (struct creation){ .api = api, .req = r };
	str ns = val_get_str(val_get(manifest, S("metadata")), "namespace");
	c->ns = ns.n ? ns : o->ns;
	if (o->dry_run)
		o->made = &c->dry;
	struct diags d;
	struct err e = { 0 };
	diags_init(&d);
	if (engine_submit(api->env.engine, manifest, o, a, &c->name, created, c, &d, &e))
		rest_fail_diags(r, &d, &e);
	diags_free(&d);
}

/* A list's or a client's Workflow may lack these two; the path says what it is. */
static const struct val *
with_kind(struct arena *a, const struct val *workflow)
{
	struct val api = val_cstr("argoproj.io/v1alpha1"), kind = val_cstr("Workflow");
	if (!val_get(workflow, S("apiVersion")))
		workflow = val_set(a, workflow, S("apiVersion"), &api);
	return val_get(workflow, S("kind")) ? workflow : val_set(a, workflow, S("kind"), &kind);
}

void
create_workflow(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct val body;
	if (!rest_body(r, &body))
		return;
	const struct val *workflow = val_get(&body, S("workflow")), *dry = val_get(&body, S("serverDryRun"));
	struct submit_options o = { .ns = rest_ns(api, r, true), .dry_run = (val_is(dry, VAL_BOOL) && dry->b) || body_is_dry(&body) };
	if (!val_is(workflow, VAL_MAP)) {
		rest_failf(r, ERR_INVALID, "the body needs a \"workflow\"");
		return;
	}
	if (rest_is_of_path(r, workflow) && body_is_good(r, &body_create_workflow, &body) && read_options(r, val_get(&body, S("submitOptions")), &o))
		submit(api, r, with_kind(http_req_arena(r), workflow), &o);
}

void
lint_workflow(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct val body;
	if (!rest_body(r, &body))
		return;
	const struct val *workflow = val_get(&body, S("workflow"));
	if (!val_is(workflow, VAL_MAP)) {
		rest_failf(r, ERR_INVALID, "the body needs a \"workflow\"");
		return;
	}
	struct submit_options o = { .ns = rest_ns(api, r, true), .dry_run = true };
	submit(api, r, with_kind(http_req_arena(r), workflow), &o);
}

/* ---- submit from -------------------------------------------------------------------------------------------- */

void
submit_workflow(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct val body;
	if (!rest_body(r, &body))
		return;
	if (!body_is_good(r, &body_submit, &body))
		return;
	struct arena *a = http_req_arena(r);
	str kind = val_get_str(&body, "resourceKind"), name = val_get_str(&body, "resourceName"), ns = rest_ns(api, r, true);
	const struct val *manifest;
	struct err e = { 0 };
	if (workflow_from_kept(api->env.objects, kind, ns, name, loop_now(api->env.loop), a, &manifest, &e) < 0) {
		rest_fail(r, &e);
		return;
	}
	struct submit_options o = { .ns = ns };
	const struct val *options = val_get(&body, S("submitOptions"));
	if (!read_options(r, options, &o))
		return;
	submit(api, r, manifest, &o);
}

/* ---- verbs -------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum verb verb;
	const struct schema *body;
} verbs[] = {
	{ "resubmit", VERB_RESUBMIT, &body_resubmit }, { "resume", VERB_RESUME, &body_resume }, { "retry", VERB_RETRY, &body_retry },
	{ "set", VERB_SET, &body_set }, { "stop", VERB_STOP, &body_stop }, { "suspend", VERB_SUSPEND, &body_suspend },
	{ "terminate", VERB_TERMINATE, &body_terminate },
};

/* outputParameters is a map as JSON text. */
static bool
output_parameters(struct http_req *r, str text, struct kvs *out)
{
	struct arena *a = http_req_arena(r);
	struct val map;
	struct err e;
	if (!text.n)
		return true;
	if (json_read(a, text, &map, &e) || map.kind != VAL_MAP) {
		rest_failf(r, ERR_INVALID, "outputParameters must be a JSON object as text, such as {\"approve\":\"YES\"}");
		return false;
	}
	*out = (struct kvs){ ARENA_ARRAY(a, struct kv, map.n + 1), map.n };
	for (uint32_t i = 0; i < map.n; i++) {
		const struct val *v = &map.members[i].value;
		out->p[i] = (struct kv){ val_key(&map.members[i]), v->kind == VAL_STR ? val_text(v) : json_write(a, v) };
	}
	return true;
}

static bool
is_true(const struct val *map, const char *key)
{
	const struct val *v = val_get(map, str_c(key));
	return val_is(v, VAL_BOOL) && v->b;
}

bool
rest_verb_options(struct http_req *r, const struct val *body, struct verb_options *o)
{
	*o = (struct verb_options){ .node_field_selector = val_get_str(body, "nodeFieldSelector"), .message = val_get_str(body, "message"),
	                            .phase = val_get_str(body, "phase"), .restart_successful = is_true(body, "restartSuccessful"),
	                            .memoized = is_true(body, "memoized"), .exact = is_true(body, "exact") };
	int64_t *priority = ARENA_NEW(http_req_arena(r), int64_t);
	if (val_get(body, S("priority")) && val_to_i64(val_get(body, S("priority")), priority))
		o->priority = priority;
	return rest_list_pairs(r, val_get(body, S("parameters")), &o->parameters) &&
	       output_parameters(r, val_get_str(body, "outputParameters"), &o->output_parameters);
}

static void
apply_verb(struct api *api, struct http_req *r, enum verb verb, struct verb_options *o)
{
	o->bare = !rest_wants_nodes(r);
	engine_verb(api->env.engine, verb, rest_ns(api, r, true), http_req_var(r, "name"), o, rest_answer_workflow, r);
}

void
put_verb(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct val body;
	str verb = http_req_var(r, "verb");
	if (!rest_body(r, &body))
		return;
	struct verb_options o;
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (str_eq(verb, str_c(verbs[i].name))) {
			if (body_is_good(r, verbs[i].body, &body) && rest_verb_options(r, &body, &o))
				apply_verb(api, r, verbs[i].verb, &o);
			return;
		}
	rest_failf(r, ERR_NOT_FOUND, "no verb \"%.*s\"", STR_ARG(verb));
}

void
delete_workflow(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct verb_options o = { .force = rest_flag(r, "force") };
	engine_verb(api->env.engine, VERB_DELETE, rest_ns(api, r, true), http_req_var(r, "name"), &o, rest_answer_workflow, r);
}
