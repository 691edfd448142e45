/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/webhook_context.h"

#include "sources/filter.h"

static void
check_port(const struct webhook_context *w, const struct val *in, struct decode *c)
{
	int64_t port;

	if (!w->port.n)
		decode_error(c, in, "port", "port can't be empty");
	else if (!str_to_i64(w->port, &port))
		decode_error(c, in, "port", "failed to parse server port \"%.*s\": must be a number", STR_ARG(w->port));
	else if (port < 1 || port > 65535)
		decode_error(c, in, "port", "port %lld: must be between 1 and 65535", (long long)port);
}

static void
check_context(void *obj, const struct val *in, struct decode *c)
{
	const struct webhook_context *w = obj;

	if (!w->endpoint.n)
		decode_error(c, in, "endpoint", "endpoint can't be empty");
	else if (w->endpoint.p[0] != '/')
		decode_error(c, in, "endpoint", "endpoint \"%.*s\" never matches a request: must begin with \"/\"",
			STR_ARG(w->endpoint));
	check_port(w, in, c);
	if (!w->server_cert != !w->server_key)
		decode_error(c, in, w->server_cert ? "serverCertSecret" : "serverKeySecret",
			"both serverCertSecret and serverKeySecret are needed for TLS");
}

const struct schema webhook_context_schema = { "WebhookContext", "An HTTP endpoint that takes events.",
	sizeof(struct webhook_context),
	(const struct field[]){
	FIELD_PTR(struct webhook_context, auth, "authSecret", 0, &secret_ref_schema,
		.doc = "Bearer token required of callers."),
	FIELD(struct webhook_context, endpoint, "endpoint", 0,
		.doc = "Path to serve, such as `/push`; `{name}` stands for one segment."),
	FIELD(struct webhook_context, max_payload, "maxPayloadSize", 0, .dflt = "1048576", .min = 1, .max = 1 << 30,
		.doc = "Largest body in bytes."),
	FIELD(struct webhook_context, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct webhook_context, method, "method", 0, .doc = "HTTP method accepted."),
	FIELD(struct webhook_context, port, "port", 0,
		.doc = "Port to listen on, as text; several endpoints may share one."),
	FIELD_PTR(struct webhook_context, server_cert, "serverCertSecret", 0, &secret_ref_schema,
		.doc = "Certificate; with the key it makes HTTPS."),
	FIELD_PTR(struct webhook_context, server_key, "serverKeySecret", 0, &secret_ref_schema,
		.doc = "Key of the certificate."),
	FIELD(struct webhook_context, url, "url", 0,
		.doc = "Address under which the outside reaches the port; for registering hooks."),
	FIELD_SRC(struct webhook_context, src),
	{ 0 } }, check_context, .exact = true };

void
webhook_context_required(const struct webhook_context *w, const struct val *in, struct decode *c)
{
	if (!w)
		decode_error(c, in, NULL, "webhook is missing: write webhook: {endpoint: /path, port: \"12000\", "
			"method: POST}");
}

/* A filter without an expression fails for every event: nothing would ever pass (spec events 1.0). */
static void
check_filter(void *obj, const struct val *in, struct decode *c)
{
	const struct source_filter *f = obj;
	struct filter *compiled;
	struct err e;

	if (!f->expression.n)
		decode_error(c, in, "expression", "an empty filter drops every event: give an expression, or leave "
			"filter out");
	else if (filter_compile(f->expression, &compiled, &e) < 0)
		(e.code == ERR_UNSUPPORTED ? decode_later : decode_error)(c, in, "expression", "%s", e.msg);
	else
		filter_free(compiled);
}

const struct schema source_filter_schema = { "EventSourceFilter", "Which events are let in.",
	sizeof(struct source_filter), (const struct field[]){
	FIELD(struct source_filter, expression, "expression", 0,
		.doc = "Expression over the data; an event for which it is not true is dropped."),
	FIELD_SRC(struct source_filter, src),
	{ 0 } }, check_filter, .exact = true };
