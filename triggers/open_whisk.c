/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openWhisk: invokes an action and waits for it. Where we differ from Argo: the status of the answer counts even without a
 * policy, so that an action that fails (502) is a failure; one that takes longer than the API waits (202) is not.
 */
#include "core/base64.h"
#include "core/net/sigv4.h"
#include "triggers/call.h"
#include "triggers/check.h"

#define TIMEOUT_MS (10 * 60 * 1000)

struct open_whisk_trigger {
	str action_name;
	struct secret_ref *auth_token;
	str host;
	str namespace;
	LIST_OF(struct trigger_parameter) parameters;
	LIST_OF(struct trigger_parameter) payload;
	str version;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct open_whisk_trigger *t = obj;

	trigger_need(t->action_name, in, c, "actionName");
	trigger_need(t->host, in, c, "host");
	trigger_need_ref(t->auth_token, in, c, "authToken");
	trigger_need_payload(t->payload.n, in, c);
}

static const struct schema open_whisk_trigger_schema = { "OpenWhiskTrigger", "Invokes an action of OpenWhisk.",
	sizeof(struct open_whisk_trigger), (const struct field[]){
	FIELD(struct open_whisk_trigger, action_name, "actionName", 0, .doc = "Name of the action."),
	FIELD_PTR(struct open_whisk_trigger, auth_token, "authToken", 0, &secret_ref_schema,
		.doc = "Token for the API, <uuid>:<key> as of `wsk property get --auth`."),
	FIELD(struct open_whisk_trigger, host, "host", 0, .doc = "Host of the API; http:// before it for one without TLS."),
	FIELD(struct open_whisk_trigger, namespace, "namespace", 0, .dflt = "_", .doc = "Namespace of the action."),
	FIELD_LIST(struct open_whisk_trigger, parameters, "parameters", 0, &trigger_parameter_schema,
		.doc = "Values from events to put into this trigger."),
	FIELD_LIST(struct open_whisk_trigger, payload, "payload", 0, &trigger_parameter_schema,
		.doc = "Values from events that make up the body."),
	FIELD(struct open_whisk_trigger, version, "version", 0, .dflt = "v1", .doc = "Version of the API."),
	FIELD_SRC(struct open_whisk_trigger, src),
	{ 0 } }, check };

/* ---- the call ------------------------------------------------------------------------------------------------------ */

static str
url_of(struct arena *a, const struct open_whisk_trigger *t)
{
	bool has_scheme = str_find(t->host, S("://"), 0) != SIZE_MAX;
	str host = str_ends(t->host, S("/")) ? str_slice(t->host, 0, t->host.n - 1) : t->host;
	str name = sigv4_encode(a, t->action_name, true), ns = sigv4_encode(a, t->namespace, false);
	return arena_fmt(a, "%s%.*s/api/%.*s/namespaces/%.*s/actions/%.*s?blocking=true", has_scheme ? "" : "https://", STR_ARG(host),
	                 STR_ARG(t->version), STR_ARG(ns), STR_ARG(name));
}

static void
answered(void *arg, const struct http_answer *ans, const struct err *failure)
{
	struct firing *f = arg;
	const struct open_whisk_trigger *t = firing_config(f);
	struct err e = { 0 };
	if (failure)
		e = *failure;
	else
		(void)!call_judge_told(f, arena_fmt(firing_arena(f), "action %.*s", STR_ARG(t->action_name)), ans, &e); /* e says it */
	call_done(f, ans ? ans->status : 0, &e);
}

static void
fire(struct firing *f)
{
	const struct open_whisk_trigger *t = firing_config(f);
	const struct trigger_env *env = firing_env(f);
	struct arena *a = firing_arena(f);
	struct err e = { 0 };
	str token;
	if (call_secret(f, t->auth_token, &token, &e) < 0) {
		firing_done(f, &e, NULL);
		return;
	}
	const struct http_header headers[] = { { S("Content-Type"), S("application/json") },
		                               { S("Authorization"), arena_fmt(a, "Basic %.*s", STR_ARG(base64_encode(a, token))) },
		                               { S(FIRING_HEADER), firing_id(f) } };
	struct http_call call = { .method = S("POST"), .url = url_of(a, t), .headers = headers, .headers_n = ARRAY_LEN(headers),
		                  .body = firing_payload(f), .timeout_ms = TIMEOUT_MS };
	httpc_send(env->httpc(env->arg), &call, answered, f);
}

const struct trigger_ops trigger_openWhisk = { .kind = "openWhisk", .doc = "Invokes an action of OpenWhisk.",
	.schema = &open_whisk_trigger_schema, .fire = fire };
