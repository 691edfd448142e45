/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http: calls a URL. Where we differ from Argo, on purpose: a status of 400 or more is a failure unless policy.status.allow
 * or `compat: argo` says otherwise (Argo counts every answer as success), certificates are checked, and every attempt carries the
 * firing's id in X-Tidegate-Firing-Id, so that the receiver can recognise a repetition.
 */
#include "triggers/call.h"
#include "triggers/check.h"

enum { REDIRECTS_MAX = 10, HEADERS_MAX = 200 };

struct http_trigger {
	str url, method, host, compat;
	int64_t timeout;
	struct kvs headers;
	LIST_OF(struct secure_header) secure_headers;
	LIST_OF(struct trigger_parameter) dynamic_headers;
	LIST_OF(struct trigger_parameter) payload;
	LIST_OF(struct trigger_parameter) parameters;
	struct basic_auth *auth;
	struct tls_config *tls;
	const struct val *src;
};

static const char *const compats[] = { "", "argo", NULL };
static const char *const methods[] = { "", "GET", "DELETE", "PATCH", "POST", "PUT", NULL };

/* R11 of spec events 5.4. */
static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct http_trigger *t = obj;
	trigger_need(t->url, in, c, "url");
	bool http = str_starts(t->url, S("http://")) || str_starts(t->url, S("https://"));
	if (t->url.n && !http)
		decode_error(c, in, "url", "url %.*s: must begin with http:// or https://", STR_ARG(t->url));
}

static const struct schema http_schema = { "HTTPTrigger", "Calls a URL.", sizeof(struct http_trigger), (const struct field[]){
	FIELD_PTR(struct http_trigger, auth, "basicAuth", 0, &basic_auth_schema, .doc = "User name and password."),
	FIELD(struct http_trigger, compat, "compat", 0, .choices = compats,
		.doc = "argo: every answer is success, whatever its status, as in Argo Events; `policy.status` still counts."),
	FIELD_LIST(struct http_trigger, dynamic_headers, "dynamicHeaders", 0, &trigger_parameter_schema,
		.doc = "Headers with values from events; dest is the name."),
	FIELD(struct http_trigger, headers, "headers", 0, .doc = "Headers to send."),
	FIELD(struct http_trigger, host, "host", 0, .doc = "Host header, if it is not the URL's host."),
	FIELD(struct http_trigger, method, "method", 0, .choices = methods, .doc = "Method; POST if it is not given."),
	FIELD_LIST(struct http_trigger, parameters, "parameters", 0, &trigger_parameter_schema, .doc = "Values from events to put into this trigger."),
	FIELD_LIST(struct http_trigger, payload, "payload", 0, &trigger_payload_schema, .doc = "Values from events that make up the body."),
	FIELD_LIST(struct http_trigger, secure_headers, "secureHeaders", 0, &secure_header_schema, .doc = "Headers from Secrets and ConfigMaps."),
	FIELD(struct http_trigger, timeout, "timeout", 0, .min = 0, .max = 86400, .doc = "Longest wait for the answer in seconds; 60 if it is not given."),
	FIELD_PTR(struct http_trigger, tls, "tls", 0, &tls_config_schema, .doc = "Certificates."),
	FIELD(struct http_trigger, url, "url", 0, .doc = "What to call."),
	FIELD_SRC(struct http_trigger, src),
	{ 0 } }, check };

/* ---- the call --------------------------------------------------------------------------------------------------- */

struct headers {
	struct http_header p[HEADERS_MAX];
	size_t n;
};

/* A later one of the same name takes the place of an earlier one (events spec 4, row 3). */
static int
set_header(struct headers *h, str name, str value, struct err *e)
{
	if (str_find_char(name, '\n', 0) != SIZE_MAX || str_find_char(name, '\r', 0) != SIZE_MAX || str_find_char(value, '\n', 0) != SIZE_MAX ||
	    str_find_char(value, '\r', 0) != SIZE_MAX || !name.n)
		return err_set(e, ERR_INVALID, "header %.*s: a name is needed, and no line breaks", STR_ARG(name));
	size_t i = 0;
	while (i < h->n && !str_eq(h->p[i].name, name))
		i++;
	if (i == HEADERS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d headers", HEADERS_MAX);
	h->p[i] = (struct http_header){ name, value };
	h->n += i == h->n;
	return 0;
}

static int
collect_headers(struct firing *f, const struct http_trigger *t, struct headers *h, struct err *e)
{
	struct inputs in = firing_inputs(f);
	for (size_t i = 0; i < t->headers.n; i++)
		if (set_header(h, t->headers.p[i].key, t->headers.p[i].value, e) < 0)
			return -1;
	for (size_t i = 0; i < t->dynamic_headers.n; i++) {
		const struct trigger_parameter *p = &t->dynamic_headers.p[i];
		struct resolved r;
		if (parameter_resolve(p->source, &in, firing_arena(f), &r, e) < 0)
			return err_wrap(e, "dynamicHeaders %.*s", STR_ARG(p->dest));
		if (r.kind != RESOLVED_NOTHING && set_header(h, p->dest, r.text, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < t->secure_headers.n; i++) {
		const struct secure_header *s = &t->secure_headers.p[i];
		str value;
		int rc = s->secret ? call_secret(f, s->secret, &value, e) : call_config(f, s->config_map, &value, e);
		if (rc < 0 || set_header(h, s->name, value, e) < 0)
			return -1;
	}
	if (t->host.n && set_header(h, S("Host"), t->host, e) < 0)
		return -1;
	return set_header(h, S(FIRING_HEADER), firing_id(f), e);
}

static int
collect_secrets(struct firing *f, const struct http_trigger *t, struct http_call *call, struct err *e)
{
	if (t->auth && (call_secret(f, t->auth->username, &call->user, e) < 0 || call_secret(f, t->auth->password, &call->password, e) < 0))
		return -1;
	if (!t->tls)
		return 0;
	call->insecure = t->tls->insecure_skip_verify;
	if (call_secret(f, t->tls->ca_cert, &call->ca_pem, e) < 0 || call_secret(f, t->tls->client_cert, &call->cert_pem, e) < 0)
		return -1;
	return call_secret(f, t->tls->client_key, &call->key_pem, e);
}

/* ---- the answer --------------------------------------------------------------------------------------------------- */

static void
answered(void *arg, const struct http_answer *ans, const struct err *failure)
{
	struct firing *f = arg;
	const struct http_trigger *t = firing_config(f);
	struct err e = { 0 };
	if (failure)
		e = *failure;
	else if (firing_allow(f) || !str_eq(t->compat, S("argo")))
		(void)!call_judge(f, http_url_public(firing_arena(f), t->url), ans, &e); /* e says it */
	call_done(f, ans ? ans->status : 0, &e);
}

static void
fire(struct firing *f)
{
	const struct http_trigger *t = firing_config(f);
	const struct trigger_env *env = firing_env(f);
	struct headers *h = ARENA_NEW(firing_arena(f), struct headers);
	struct err e = { 0 };
	struct http_call call = { .method = t->method.n ? t->method : S("POST"), .url = t->url, .body = firing_payload(f),
		                  .timeout_ms = (t->timeout ? t->timeout : 60) * 1000, .max_redirects = REDIRECTS_MAX };
	if (collect_headers(f, t, h, &e) < 0 || collect_secrets(f, t, &call, &e) < 0) {
		firing_done(f, &e, NULL);
		return;
	}
	call.headers = h->p;
	call.headers_n = h->n;
	httpc_send(env->httpc(env->arg), &call, answered, f);
}

const struct trigger_ops trigger_http = { .kind = "http", .doc = "Calls a URL.", .schema = &http_schema, .fire = fire };
