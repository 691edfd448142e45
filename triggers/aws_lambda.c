/* SPDX-License-Identifier: Apache-2.0 */
/*
 * awsLambda: invokes a function of AWS Lambda. The request is signed (core/net/sigv4.h). Where we differ from Argo: a function that
 * ends with an error is a failure (Argo looks at the status alone, which is 200 then), and the function is told the firing's id in its
 * client context, so that it can recognise a repetition.
 */
#include "core/base64.h"
#include "triggers/aws.h"
#include "triggers/aws_role.h"
#include "triggers/call.h"
#include "triggers/check.h"

#define TIMEOUT_MS (15 * 60 * 1000 + 10000) /* a function may run for 15 minutes */

struct aws_lambda_trigger {
	struct secret_ref *access_key;
	str endpoint;
	str function_name;
	str invocation_type;
	LIST_OF(struct trigger_parameter) parameters;
	LIST_OF(struct trigger_parameter) payload;
	str region;
	str role_arn;
	struct secret_ref *secret_key, *session_token;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct aws_lambda_trigger *t = obj;

	trigger_need(t->function_name, in, c, "functionName");
	trigger_need(t->region, in, c, "region");
	trigger_need_payload(t->payload.n, in, c);
	if (!t->access_key != !t->secret_key)
		decode_error(c, in, NULL, "accessKey and secretKey go together: give both, or neither for those of the environment");
	if (t->endpoint.n && !str_starts(t->endpoint, S("http://")) && !str_starts(t->endpoint, S("https://")))
		decode_error(c, in, "endpoint", "endpoint %.*s: must begin with http:// or https://", STR_ARG(t->endpoint));
}

static const char *const invocation_types[] = { "", "RequestResponse", "Event", "DryRun", NULL };

static const struct schema aws_lambda_trigger_schema = { "AWSLambdaTrigger", "Calls a function of AWS Lambda.",
	sizeof(struct aws_lambda_trigger), (const struct field[]){
	FIELD_PTR(struct aws_lambda_trigger, access_key, "accessKey", 0, &secret_ref_schema, 
		.doc = "Access key; without one, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN of the daemon's environment."),
	FIELD(struct aws_lambda_trigger, endpoint, "endpoint", 0,
		.doc = "URL of the service, if it is not https://lambda.<region>.amazonaws.com. Ours, not Argo's."),
	FIELD(struct aws_lambda_trigger, function_name, "functionName", 0, .doc = "Name or ARN of the function, with its version or alias if it is to be that."),
	FIELD(struct aws_lambda_trigger, invocation_type, "invocationType", 0, .choices = invocation_types,
		.doc = "RequestResponse (default), Event or DryRun."),
	FIELD_LIST(struct aws_lambda_trigger, parameters, "parameters", 0, &trigger_parameter_schema,
		.doc = "Values from events to put into this trigger."),
	FIELD_LIST(struct aws_lambda_trigger, payload, "payload", 0, &trigger_parameter_schema,
		.doc = "Values from events that make up the body."),
	FIELD(struct aws_lambda_trigger, region, "region", 0, .doc = "Region of the function."),
	FIELD(struct aws_lambda_trigger, role_arn, "roleARN", 0,
		.doc = "Role to take on: the keys ask STS for keys of the role, at AWS_ENDPOINT_URL_STS if the daemon's environment has that."),
	FIELD_PTR(struct aws_lambda_trigger, secret_key, "secretKey", 0, &secret_ref_schema, .doc = "Secret key."),
	FIELD_PTR(struct aws_lambda_trigger, session_token, "sessionToken", 0, &secret_ref_schema,
		.doc = "Session token of temporary keys. Ours, not Argo's."),
	FIELD_SRC(struct aws_lambda_trigger, src),
	{ 0 } }, check };

/* ---- the call ------------------------------------------------------------------------------------------------------ */

static str
invocation_type(const struct aws_lambda_trigger *t)
{
	return t->invocation_type.n ? t->invocation_type : S("RequestResponse");
}

/* What the function finds in its context as client context: {"custom": {"firingId": "..."}}. AWS hands it on when it is waited for. */
static str
client_context(struct firing *f)
{
	struct arena *a = firing_arena(f);
	return base64_encode(a, arena_fmt(a, "{\"custom\":{\"firingId\":\"%.*s\"}}", STR_ARG(firing_id(f))));
}

static str
what(struct firing *f)
{
	const struct aws_lambda_trigger *t = firing_config(f);
	return arena_fmt(firing_arena(f), "function %.*s", STR_ARG(t->function_name));
}

static void
answered(void *arg, const struct http_answer *ans, const struct err *failure)
{
	struct firing *f = arg;
	struct err e = { 0 };
	if (failure) {
		call_done(f, 0, failure);
		return;
	}
	str error = http_answer_header(ans, "X-Amz-Function-Error");
	if (call_judge_told(f, what(f), ans, &e) == 0 && error.n) {
		firing_alone(f);
		err_set(&e, ERR_UNAVAILABLE, "%.*s ended with an error (%.*s): %.*s", STR_ARG(what(f)), STR_ARG(error),
		        STR_ARG(http_excerpt(firing_arena(f), ans->body)));
	}
	call_done(f, ans->status, &e);
}

static void
invoke(struct firing *f, const struct sigv4_keys *keys)
{
	const struct aws_lambda_trigger *t = firing_config(f);
	const struct trigger_env *env = firing_env(f);
	struct arena *a = firing_arena(f);
	const struct http_header headers[] = { { S("Content-Type"), S("application/json") },
		                               { S("X-Amz-Invocation-Type"), invocation_type(t) },
		                               { S("X-Amz-Client-Context"), client_context(f) } };
	str base = sigv4_endpoint(a, t->endpoint, "lambda", t->region), host = sigv4_host(base);
	struct sigv4_request r = { .method = S("POST"), .host = host, .headers = headers, .body = firing_payload(f), .region = t->region,
		                   .service = S("lambda") };
	r.headers_n = ARRAY_LEN(headers) - !str_eq(invocation_type(t), S("RequestResponse"));
	r.path = arena_fmt(a, "/2015-03-31/functions/%.*s/invocations", STR_ARG(sigv4_encode(a, t->function_name, false)));
	struct http_call call = { .method = r.method, .url = arena_fmt(a, "%.*s%.*s", STR_ARG(base), STR_ARG(r.path)), .body = r.body,
		                  .timeout_ms = TIMEOUT_MS };
	call.headers = sigv4_sign(&r, keys, loop_now(env->loop), a, &call.headers_n);
	httpc_send(env->httpc(env->arg), &call, answered, f);
}

static void
invoke_or_fail(struct firing *f, const struct sigv4_keys *keys, const struct err *e)
{
	if (e)
		firing_done(f, e, NULL);
	else
		invoke(f, keys);
}

static void
forget(void *memory)
{
	aws_role_free(memory);
}

static void
take_on(struct firing *f, const struct aws_lambda_trigger *t, const struct sigv4_keys *own)
{
	const struct sts_role role = { .arn = t->role_arn, .session = S("tidegate"), .region = t->region, .endpoint = str_c(getenv("AWS_ENDPOINT_URL_STS")) };
	aws_role_keys((struct aws_role **)firing_memory(f), f, &role, own, invoke_or_fail);
}

static void
fire(struct firing *f)
{
	const struct aws_lambda_trigger *t = firing_config(f);
	struct sigv4_keys keys = { 0 };
	struct err e = { 0 };
	if (!firing_payload(f).n)
		err_set(&e, ERR_INVALID, "the payload came to nothing: none of its values is in the events");
	else if (aws_keys(f, t->access_key, t->secret_key, t->session_token, &keys, &e) == 0) {
		if (t->role_arn.n)
			take_on(f, t, &keys);
		else
			invoke(f, &keys);
		return;
	}
	firing_done(f, &e, NULL);
}

const struct trigger_ops trigger_awsLambda = { .kind = "awsLambda", .doc = "Calls a function of AWS Lambda.",
	.schema = &aws_lambda_trigger_schema, .fire = fire, .forget = forget };
