/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis: messages of Redis channels, by SUBSCRIBE (spec events 1.C5). At most once: Redis keeps nothing for who is not connected, and drops
 * who does not read in time. A server that is silent is asked whether it is there.
 */
#include "core/clock.h"
#include "core/net/redis_client.h"
#include "sources/check.h"
#include "sources/feed.h"
#include "sources/message.h"
#include "sources/redis_target.h"
#include "sources/s3_event.h"
#include "sources/webhook_context.h"

enum {
	ASK_AFTER_MS = 20000, /* of silence; as much again, and the server is taken for gone */
	BATCH = 256,          /* messages until something else has its turn */
};

struct redis_source {
	struct strs channels;
	int64_t db;
	struct source_filter *filter;
	struct s3_events *s3_events;
	str host_address;
	bool json_body;
	struct kvs metadata;
	str namespace;
	struct secret_ref *password;
	struct tls_config *tls;
	str username;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct redis_source *s = obj;

	source_need(s->host_address, in, c, "hostAddress");
	source_need_list(s->channels.n, in, c, "channels");
	if (s->password && !s->namespace.n)
		decode_error(c, in, NULL, "namespace must be defined in order to retrieve the password from the "
			"secret");
}

static const struct schema redis_source_schema = { "RedisEventSource", "Messages of Redis channels.",
	sizeof(struct redis_source), (const struct field[]){
	FIELD(struct redis_source, channels, "channels", 0, .doc = "Channels to subscribe to."),
	FIELD(struct redis_source, db, "db", 0, .min = 0, .max = INT32_MAX, .doc = "Number of the database."),
	FIELD_PTR(struct redis_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD_PTR(struct redis_source, s3_events, "s3Events", 0, &s3_events_schema,
		.doc = "Messages are notifications of S3, and become events as those of minio. Ours."),
	FIELD(struct redis_source, host_address, "hostAddress", 0, .doc = "Host and port of the server; rediss://host:port with TLS."),
	FIELD(struct redis_source, json_body, "jsonBody", 0,
		.doc = "Whether payloads are JSON and go into the data as such; else they go in as base64."),
	FIELD(struct redis_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct redis_source, namespace, "namespace", 0, .doc = "Namespace of the Secret with the password."),
	FIELD_PTR(struct redis_source, password, "password", 0, &secret_ref_schema, .doc = "Password."),
	FIELD_PTR(struct redis_source, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct redis_source, username, "username", 0, .doc = "User name."),
	FIELD_SRC(struct redis_source, src),
	{ 0 } }, check };

static int
target(struct source *s, struct arena *a, struct peer_target *t, struct err *e)
{
	const struct redis_source *config = source_config(s);
	const struct redis_login login = { config->host_address, config->username, config->db, config->password, config->tls };
	return redis_target(s, &login, a, t, e);
}

/* The data of what was published; nothing is begun if it fails. */
static int
begin_message(struct message *m, const struct redis_source *config, str channel, str body, struct err *e)
{
	message_begin(m);
	message_str(m, "channel", channel);
	message_str(m, "pattern", S(""));
	if (message_text_body(m, "body", body, config->json_body, e) < 0) {
		message_drop(m);
		return -1;
	}
	message_metadata(m, &config->metadata);
	return 0;
}

/* A body as somebody would publish it on the first channel. */
static int
wrap(struct source *s, struct arena *a, str body, str *out, struct err *e)
{
	const struct redis_source *config = source_config(s);
	struct message m;
	if (begin_message(&m, config, config->channels.p[0], body, e) < 0)
		return -1;
	*out = message_text(&m, a);
	return 0;
}

/* ---- the connection -------------------------------------------------------------------------------------------------- */

struct subscriber {
	struct redis *r;
	int64_t silent_since_ms;
	bool asked;
};

/* {"message", channel, body}. */
static void
take(struct feed *f, const redisReply *reply)
{
	struct message m;
	struct err e = { 0 };
	union feed_handle none = { 0 };
	if (begin_message(&m, feed_config(f), redis_text(reply->element[1]), redis_text(reply->element[2]), &e) < 0)
		feed_refuse(f, none, &e);
	else
		feed_give(f, message_end(&m), none);
}

static bool
says(const redisReply *reply, str what, size_t elements)
{
	return reply->type == REDIS_REPLY_ARRAY && reply->elements == elements && str_eq(redis_text(reply->element[0]), what);
}

static int
look_at(struct feed *f, const redisReply *reply, struct err *e)
{
	if (reply->type == REDIS_REPLY_ERROR)
		return redis_fail(reply, "subscribing", e);
	if (says(reply, S("message"), 3))
		take(f, reply);
	return 0;
}

/* Messages of one channel may come before the next is confirmed. */
static int
subscribe(struct subscriber *s, struct feed *f, str channel, struct err *e)
{
	struct redis_words w = { .count = 0 };
	redis_word_c(&w, "SUBSCRIBE");
	redis_word(&w, channel);
	redis_append(s->r, &w);
	for (bool confirmed = false; !confirmed;) {
		redisReply *reply = NULL;
		if (redis_await(s->r, "subscribing", &reply, e) < 0)
			return -1;
		confirmed = says(reply, S("subscribe"), 3);
		int rc = look_at(f, reply, e);
		redis_free_reply(reply);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static void
close_subscriber(void *conn)
{
	struct subscriber *s = conn;
	redis_close(s->r);
	free(s);
}

static void *
open_subscriber(struct feed *f, const struct peer_target *t, struct err *e)
{
	const struct redis_source *config = feed_config(f);
	struct redis *r = redis_connect(t, e);
	if (!r)
		return NULL;
	struct subscriber *s = MEM_NEW(struct subscriber);
	*s = (struct subscriber){ .r = r, .silent_since_ms = clock_monotonic_ms() };
	for (size_t i = 0; i < config->channels.n; i++)
		if (subscribe(s, f, config->channels.p[i], e) < 0) {
			close_subscriber(s);
			return NULL;
		}
	return s;
}

static int
still_there(struct subscriber *s, struct err *e)
{
	struct redis_words w = { .count = 0 };
	if (clock_monotonic_ms() - s->silent_since_ms < ASK_AFTER_MS)
		return 0;
	if (s->asked)
		return err_set(e, ERR_UNAVAILABLE, "redis: the server says nothing");
	redis_word_c(&w, "PING");
	redis_append(s->r, &w);
	s->asked = true;
	s->silent_since_ms = clock_monotonic_ms();
	return redis_flush(s->r, e);
}

static int
receive(void *conn, struct feed *f, struct err *e)
{
	struct subscriber *s = conn;
	int n = 0;
	while (feed_wants(f) && n++ < BATCH) {
		redisReply *reply;
		if (redis_look(s->r, &reply, e) < 0)
			return -1;
		if (!reply)
			return still_there(s, e);
		int rc = look_at(f, reply, e);
		redis_free_reply(reply);
		if (rc < 0)
			return -1;
		s->asked = false;
		s->silent_since_ms = clock_monotonic_ms();
	}
	if (n > BATCH)
		feed_wake(f); /* the rest may be in memory already, where no descriptor tells of it */
	s->silent_since_ms = clock_monotonic_ms(); /* whom nobody listens to is not silent */
	s->asked = false;
	return 0;
}

static int
wait_for(void *conn, short *events UNUSED, int *timeout_ms)
{
	const struct subscriber *s = conn;
	*timeout_ms = ASK_AFTER_MS;
	return redis_fd(s->r);
}

static const struct feed_ops ops = { .name = "redis", .target = target, .open = open_subscriber, .receive = receive, .wait = wait_for,
	.close = close_subscriber };

static int
start(struct source *s, struct err *e)
{
	return feed_start(s, &ops, NULL, 0, e);
}

const struct source_ops source_redis = { .kind = "redis", .doc = "Messages of Redis channels.", .schema = &redis_source_schema, .start = start,
	.ack = feed_ack, .pause = feed_pause, .stop = feed_stop, .wrap = wrap, .describe = feed_describe };
