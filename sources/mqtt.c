/* SPDX-License-Identifier: Apache-2.0 */
/* mqtt: Messages of MQTT topics. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

struct mqtt_source {
	struct basic_auth *auth;
	str client_id;
	struct backoff *connection_backoff;
	struct source_filter *filter;
	bool json_body;
	struct kvs metadata;
	struct tls_config *tls;
	str topic;
	str url;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct mqtt_source *s = obj;

	source_need(s->url, in, c, "url");
	source_need(s->topic, in, c, "topic");
	source_need(s->client_id, in, c, "clientId");
	source_check_basic(s->auth, in, c);
}

static const struct schema mqtt_source_schema = { "MQTTEventSource", "Messages of MQTT topics.",
	sizeof(struct mqtt_source), (const struct field[]){
	FIELD_PTR(struct mqtt_source, auth, "auth", 0, &basic_auth_schema, .doc = "User name and password."),
	FIELD(struct mqtt_source, client_id, "clientId", 0, .doc = "Id of the client."),
	FIELD_PTR(struct mqtt_source, connection_backoff, "connectionBackoff", 0, &backoff_schema,
		.doc = "Waits between attempts to connect."),
	FIELD_PTR(struct mqtt_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct mqtt_source, json_body, "jsonBody", 0,
		.doc = "Whether payloads are JSON and go into the data as such; else they go in as base64."),
	FIELD(struct mqtt_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD_PTR(struct mqtt_source, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct mqtt_source, topic, "topic", 0, .doc = "Topic; may have wildcards."),
	FIELD(struct mqtt_source, url, "url", 0, .doc = "URL of the broker."),
	FIELD_SRC(struct mqtt_source, src),
	{ 0 } }, check };

const struct source_ops source_mqtt = { .kind = "mqtt", .doc = "Messages of MQTT topics.",
	.schema = &mqtt_source_schema };
