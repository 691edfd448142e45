/* SPDX-License-Identifier: Apache-2.0 */
/* nats: Messages of a NATS subject. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

struct nats_auth {
	struct basic_auth *basic;
	struct secret_ref *credential;
	struct secret_ref *nkey;
	struct secret_ref *token;
	const struct val *src;
};
static const struct schema nats_auth_schema = { "NATSAuth", "How to identify.", sizeof(struct nats_auth),
	(const struct field[]){
	FIELD_PTR(struct nats_auth, basic, "basic", 0, &basic_auth_schema, .doc = "User name and password."),
	FIELD_PTR(struct nats_auth, credential, "credential", 0, &secret_ref_schema, .doc = "Credentials file."),
	FIELD_PTR(struct nats_auth, nkey, "nkey", 0, &secret_ref_schema, .doc = "NKey."),
	FIELD_PTR(struct nats_auth, token, "token", 0, &secret_ref_schema, .doc = "Token."),
	FIELD_SRC(struct nats_auth, src),
	{ 0 } } };

struct nats_source {
	struct nats_auth *auth;
	struct backoff *connection_backoff;
	struct source_filter *filter;
	bool json_body;
	struct kvs metadata;
	str queue;
	str subject;
	struct tls_config *tls;
	str url;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct nats_source *s = obj;

	source_need(s->url, in, c, "url");
	source_need(s->subject, in, c, "subject");
	if (s->queue.p && !s->queue.n)
		decode_error(c, in, "queue", "queue can't be empty when it is given");
}

static const struct schema nats_source_schema = { "NATSEventsSource", "Messages of a NATS subject.",
	sizeof(struct nats_source), (const struct field[]){
	FIELD_PTR(struct nats_source, auth, "auth", 0, &nats_auth_schema, .doc = "How to identify."),
	FIELD_PTR(struct nats_source, connection_backoff, "connectionBackoff", 0, &backoff_schema,
		.doc = "Waits between attempts to connect."),
	FIELD_PTR(struct nats_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct nats_source, json_body, "jsonBody", 0,
		.doc = "Whether payloads are JSON and go into the data as such; else they go in as base64."),
	FIELD(struct nats_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct nats_source, queue, "queue", 0, .doc = "Share the messages with others of this queue."),
	FIELD(struct nats_source, subject, "subject", 0, .doc = "Subject to listen to."),
	FIELD_PTR(struct nats_source, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct nats_source, url, "url", 0, .doc = "URL of the server."),
	FIELD_SRC(struct nats_source, src),
	{ 0 } }, check };

const struct source_ops source_nats = { .kind = "nats", .doc = "Messages of a NATS subject.",
	.schema = &nats_source_schema };
