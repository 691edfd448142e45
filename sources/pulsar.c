/* SPDX-License-Identifier: Apache-2.0 */
/* pulsar: Messages of Pulsar topics. Not served: Debian has no client library for its protocol. The table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

struct pulsar_source {
	struct kvs auth_athenz_params;
	struct secret_ref *auth_athenz_secret;
	struct secret_ref *auth_token_secret;
	struct backoff *connection_backoff;
	struct source_filter *filter;
	bool json_body;
	struct kvs metadata;
	struct tls_config *tls;
	bool tls_allow_insecure_connection;
	struct secret_ref *tls_trust_certs_secret;
	bool tls_validate_hostname;
	struct strs topics;
	str type;
	str url;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct pulsar_source *s = obj;

	source_need_list(s->topics.n, in, c, "topics");
	source_need(s->url, in, c, "url");
	if (!str_eq(s->type, S("exclusive")) && !str_eq(s->type, S("shared")))
		decode_error(c, in, "type", "subscription type can only be exclusive or shared");
}

static const struct schema pulsar_source_schema = { "PulsarEventSource", "Messages of Pulsar topics.",
	sizeof(struct pulsar_source), (const struct field[]){
	FIELD(struct pulsar_source, auth_athenz_params, "authAthenzParams", 0, .doc = "Parameters of Athenz."),
	FIELD_PTR(struct pulsar_source, auth_athenz_secret, "authAthenzSecret", 0, &secret_ref_schema,
		.doc = "Private key for Athenz."),
	FIELD_PTR(struct pulsar_source, auth_token_secret, "authTokenSecret", 0, &secret_ref_schema, .doc = "Token."),
	FIELD_PTR(struct pulsar_source, connection_backoff, "connectionBackoff", 0, &backoff_schema,
		.doc = "Waits between attempts to connect."),
	FIELD_PTR(struct pulsar_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct pulsar_source, json_body, "jsonBody", 0,
		.doc = "Whether payloads are JSON and go into the data as such; else they go in as base64."),
	FIELD(struct pulsar_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD_PTR(struct pulsar_source, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct pulsar_source, tls_allow_insecure_connection, "tlsAllowInsecureConnection", 0,
		.doc = "Do not check the certificate."),
	FIELD_PTR(struct pulsar_source, tls_trust_certs_secret, "tlsTrustCertsSecret", 0, &secret_ref_schema,
		.doc = "Certificate authority of the server."),
	FIELD(struct pulsar_source, tls_validate_hostname, "tlsValidateHostname", 0,
		.doc = "Check the host name of the certificate."),
	FIELD(struct pulsar_source, topics, "topics", 0, .doc = "Topics to read."),
	FIELD(struct pulsar_source, type, "type", 0, .doc = "exclusive or shared."),
	FIELD(struct pulsar_source, url, "url", 0, .doc = "URL of the server."),
	FIELD_SRC(struct pulsar_source, src),
	{ 0 } }, check };

const struct source_ops source_pulsar = { .kind = "pulsar", .doc = "Messages of Pulsar topics.",
	.schema = &pulsar_source_schema,
	.instead = "Debian has no client library for Pulsar; use kafka or mqtt with the broker's protocol handler (KoP, MoP), or an HTTP sink of the broker and webhook" };
