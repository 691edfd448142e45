/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mqtt: messages of MQTT topics (spec events A3), over mqtt_feed.h. Argo's has QoS 0 and a new session each time; what loses no message
 * is ours: `qos: 1` or `2` with `cleanSession: false`; what comes again then is known by mqtt_memory.h.
 */
#include "core/net/mqtt.h"
#include "core/net/stream.h"
#include "sources/check.h"
#include "sources/mqtt_feed.h"
#include "sources/mqtt_memory.h"
#include "sources/s3_event.h"
#include "sources/webhook_context.h"

struct mqtt_source {
	struct basic_auth *auth;
	bool clean_session;
	str client_id;
	struct backoff *connection_backoff;
	struct source_filter *filter;
	struct s3_events *s3_events;
	bool json_body;
	struct kvs metadata;
	int64_t protocol_version, qos;
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
	mqtt_feed_check_url(s->url, in, c, "url");
	if (!s->clean_session && !s->qos)
		decode_warn(c, in, "cleanSession", "a session that stays keeps messages of QoS 1 and 2 only: add qos: 1");
}

static const struct schema mqtt_source_schema = { "MQTTEventSource", "Messages of MQTT topics.",
	sizeof(struct mqtt_source), (const struct field[]){
	FIELD_PTR(struct mqtt_source, auth, "auth", 0, &basic_auth_schema, .doc = "User name and password."),
	FIELD(struct mqtt_source, clean_session, "cleanSession", 0, .dflt = "true",
		.doc = "false: the broker keeps the session of this clientId, and what is sent with QoS 1 or 2 while the source is away."),
	FIELD(struct mqtt_source, client_id, "clientId", 0, .doc = "Id of the client: one connection at a time may have it."),
	FIELD_PTR(struct mqtt_source, connection_backoff, "connectionBackoff", 0, &backoff_schema,
		.doc = "Waits between attempts to connect."),
	FIELD_PTR(struct mqtt_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD_PTR(struct mqtt_source, s3_events, "s3Events", 0, &s3_events_schema,
		.doc = "Messages are notifications of S3, and become events as those of minio. Ours."),
	FIELD(struct mqtt_source, json_body, "jsonBody", 0,
		.doc = "Whether payloads are JSON and go into the data as such; else they go in as base64."),
	FIELD(struct mqtt_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct mqtt_source, protocol_version, "protocolVersion", 0, .dflt = "4", .min = 4, .max = 5,
		.doc = "4: MQTT 3.1.1; 5: MQTT 5, and userProperties are in the data."),
	FIELD(struct mqtt_source, qos, "qos", 0, .dflt = "0", .max = 2,
		.doc = "Quality of service: 0 at most once, 1 at least once, 2 once; what is below it if the publisher said so."),
	FIELD_PTR(struct mqtt_source, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct mqtt_source, topic, "topic", 0, .doc = "Topic; may have wildcards."),
	FIELD(struct mqtt_source, url, "url", 0, .doc = "URL of the broker."),
	FIELD_SRC(struct mqtt_source, src),
	{ 0 } }, check };

static int
target(struct source *s, struct arena *a, struct peer_target *t, struct err *e)
{
	const struct mqtt_source *c = source_config(s);
	return mqtt_feed_target(s, c->url, c->auth, c->tls, a, t, e);
}

static struct mqtt_form
form(const struct mqtt_source *c)
{
	return (struct mqtt_form){ c->json_body, true, c->protocol_version == MQTT_V5, &c->metadata };
}

static void *
open_session(struct feed *f, const struct peer_target *t, struct err *e)
{
	const struct mqtt_source *c = feed_config(f);
	struct mqtt_hello h = { (int)c->protocol_version, c->client_id, t->user, t->password, c->clean_session };
	return mqtt_feed_open(f, t, &h, c->topic, (int)c->qos, form(c), e);
}

static const struct feed_ops feed = { "mqtt", target, open_session, mqtt_feed_receive, mqtt_feed_wait, mqtt_feed_settle, NULL, mqtt_feed_close };

/* The rows are there: it begins to connect. */
static void
begin(void *arg, const struct source_row *rows, size_t n, const struct err *unread)
{
	struct source *s = arg;
	const struct mqtt_source *c = source_config(s);
	struct err e;
	if (unread) {
		source_state(s, false, unread);
		return;
	}
	struct feed_context context = { mqtt_memory_new(), mqtt_memory_free };
	mqtt_memory_load(context.p, rows, n);
	if (feed_start_context(s, &feed, context, c->connection_backoff, 0, &e) < 0)
		source_state(s, false, &e);
}

static int
start(struct source *s, struct err *e)
{
	const struct mqtt_source *c = source_config(s);
	if (c->clean_session)
		return feed_start(s, &feed, c->connection_backoff, 0, e);
	source_connecting(s);
	source_read_rows(s, begin, s);
	return 0;
}

static int
wrap(struct source *s, struct arena *a, str body, str *out, struct err *e)
{
	const struct mqtt_source *c = source_config(s);
	return mqtt_feed_wrap(c->topic, body, form(c), a, out, e);
}

const struct source_ops source_mqtt = { .kind = "mqtt", .doc = "Messages of MQTT topics.", .schema = &mqtt_source_schema,
	.start = start, .ack = feed_ack, .take = mqtt_feed_take, .pause = feed_pause, .stop = feed_stop, .wrap = wrap, .describe = feed_describe };
