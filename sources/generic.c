/* SPDX-License-Identifier: Apache-2.0 */
/* generic: Events of a gRPC server of one's own. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

struct generic_source {
	struct secret_ref *auth_secret;
	str config;
	struct source_filter *filter;
	bool insecure;
	bool json_body;
	struct kvs metadata;
	str url;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct generic_source *s = obj;

	source_need(s->url, in, c, "url");
	source_need(s->config, in, c, "config");
}

static const struct schema generic_source_schema = { "GenericEventSource", "Events of a gRPC server of one's own.",
	sizeof(struct generic_source), (const struct field[]){
	FIELD_PTR(struct generic_source, auth_secret, "authSecret", 0, &secret_ref_schema,
		.doc = "Bearer token to send."),
	FIELD(struct generic_source, config, "config", 0, .doc = "What the server wants to know."),
	FIELD_PTR(struct generic_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct generic_source, insecure, "insecure", 0, .doc = "Without TLS."),
	FIELD(struct generic_source, json_body, "jsonBody", 0,
		.doc = "Whether payloads are JSON and go into the data as such; else they go in as base64."),
	FIELD(struct generic_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct generic_source, url, "url", 0, .doc = "Address of the server."),
	FIELD_SRC(struct generic_source, src),
	{ 0 } }, check };

const struct source_ops source_generic = { .kind = "generic", .doc = "Events of a gRPC server of one's own.",
	.schema = &generic_source_schema };
