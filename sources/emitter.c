/* SPDX-License-Identifier: Apache-2.0 */
/* emitter: Messages of an Emitter channel. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

struct emitter_source {
	str broker;
	str channel_key;
	str channel_name;
	struct backoff *connection_backoff;
	struct source_filter *filter;
	bool json_body;
	struct kvs metadata;
	struct secret_ref *password;
	struct tls_config *tls;
	struct secret_ref *username;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct emitter_source *s = obj;

	source_need(s->broker, in, c, "broker");
	source_need(s->channel_name, in, c, "channelName");
	source_need(s->channel_key, in, c, "channelKey");
}

static const struct schema emitter_source_schema = { "EmitterEventSource", "Messages of an Emitter channel.",
	sizeof(struct emitter_source), (const struct field[]){
	FIELD(struct emitter_source, broker, "broker", 0, .doc = "URL of the broker."),
	FIELD(struct emitter_source, channel_key, "channelKey", SECRET, .doc = "Key of the channel."),
	FIELD(struct emitter_source, channel_name, "channelName", 0, .doc = "Name of the channel."),
	FIELD_PTR(struct emitter_source, connection_backoff, "connectionBackoff", 0, &backoff_schema,
		.doc = "Waits between attempts to connect."),
	FIELD_PTR(struct emitter_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct emitter_source, json_body, "jsonBody", 0,
		.doc = "Whether payloads are JSON and go into the data as such; else they go in as base64."),
	FIELD(struct emitter_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD_PTR(struct emitter_source, password, "password", 0, &secret_ref_schema, .doc = "Password."),
	FIELD_PTR(struct emitter_source, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD_PTR(struct emitter_source, username, "username", 0, &secret_ref_schema, .doc = "User name."),
	FIELD_SRC(struct emitter_source, src),
	{ 0 } }, check };

const struct source_ops source_emitter = { .kind = "emitter", .doc = "Messages of an Emitter channel.",
	.schema = &emitter_source_schema };
