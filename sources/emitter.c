/* SPDX-License-Identifier: Apache-2.0 */
/*
 * emitter: messages of a channel of emitter.io (spec events C11), which is MQTT 3.1.1 whose topics begin with the key of their channel. An
 * error that comes after the subscription comes as a message of the topic emitter/error/.
 */
#include "core/net/mqtt.h"
#include "sources/check.h"
#include "sources/mqtt_feed.h"
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
	mqtt_feed_check_url(s->broker, in, c, "broker");
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

static int
target(struct source *s, struct arena *a, struct peer_target *t, struct err *e)
{
	const struct emitter_source *c = source_config(s);
	struct basic_auth login = { c->username, c->password };
	return mqtt_feed_target(s, c->broker, c->username || c->password ? &login : NULL, c->tls, a, t, e);
}

static struct mqtt_form
form(const struct emitter_source *c)
{
	return (struct mqtt_form){ .json_body = c->json_body, .metadata = &c->metadata, .error_topic = "emitter/error/" };
}

/* "channel/" with one slash at its end, none at its beginning. */
static str
bare(str s)
{
	while (s.n && s.p[0] == '/')
		s = str_slice(s, 1, s.n);
	while (s.n && s.p[s.n - 1] == '/')
		s = str_slice(s, 0, s.n - 1);
	return s;
}

static void *
open_channel(struct feed *f, const struct peer_target *t, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const struct emitter_source *c = feed_config(f);
	struct mqtt_hello h = { MQTT_V3, S(""), t->user, t->password, true };
	str topic = arena_fmt(a, "%.*s/%.*s/", STR_ARG(bare(c->channel_key)), STR_ARG(bare(c->channel_name)));
	return mqtt_feed_open(f, t, &h, topic, 0, form(c), e);
}

static const struct feed_ops feed = { "emitter", target, open_channel, mqtt_feed_receive, mqtt_feed_wait, mqtt_feed_settle, NULL, mqtt_feed_close };

static int
start(struct source *s, struct err *e)
{
	const struct emitter_source *c = source_config(s);
	return feed_start(s, &feed, c->connection_backoff, 0, e);
}

static int
wrap(struct source *s, struct arena *a, str body, str *out, struct err *e)
{
	const struct emitter_source *c = source_config(s);
	return mqtt_feed_wrap(arena_fmt(a, "%.*s/", STR_ARG(bare(c->channel_name))), body, form(c), a, out, e);
}

const struct source_ops source_emitter = { .kind = "emitter", .doc = "Messages of an Emitter channel.", .schema = &emitter_source_schema,
	.start = start, .ack = feed_ack, .pause = feed_pause, .stop = feed_stop, .wrap = wrap, .describe = feed_describe };
