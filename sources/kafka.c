/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka: messages of a Kafka topic, as a member of a group, or of one partition (sources/kafka_feed.h). Where we differ from Argo, on purpose:
 * one partition is read on from where it was left, and not from its end again; a group that is new keeps the place where it began; errors are
 * shown and tried again for ever; certificates are verified. A message whose value is null has a null body.
 */
#include "core/crypto.h"
#include "core/net/kafka_config.h"
#include "core/net/kafka_login.h"
#include "core/tz.h"
#include "sources/check.h"
#include "sources/kafka_feed.h"
#include "sources/message.h"
#include "sources/s3_event.h"
#include "sources/webhook_context.h"

enum { OPTIONS = 10 }; /* beside those of `config` */

struct kafka_msk {
	str region;
	const struct val *src;
};
static const struct schema kafka_msk_schema = { "AWSMSKIAMAuth", "Identity by AWS IAM.", sizeof(struct kafka_msk),
	(const struct field[]){
	FIELD(struct kafka_msk, region, "region", 0, .doc = "Region of the cluster."),
	FIELD_SRC(struct kafka_msk, src),
	{ 0 } } };

struct kafka_group {
	str group_name;
	bool oldest;
	str rebalance_strategy;
	const struct val *src;
};
static const char *const strategies[] = { "range", "roundrobin", "sticky", NULL };
static const struct schema kafka_group_schema = { "KafkaConsumerGroup", "A group of consumers.",
	sizeof(struct kafka_group), (const struct field[]){
	FIELD(struct kafka_group, group_name, "groupName", 0, .doc = "Name of the group."),
	FIELD(struct kafka_group, oldest, "oldest", 0, .doc = "Begin with the oldest message if the group is new."),
	FIELD(struct kafka_group, rebalance_strategy, "rebalanceStrategy", 0, .choices = strategies, .dflt = "range",
		.doc = "sticky, roundrobin or range (default)."),
	FIELD_SRC(struct kafka_group, src),
	{ 0 } } };

struct kafka_source {
	struct kafka_msk *aws_msk_iam_auth;
	str config;
	struct backoff *connection_backoff;
	struct kafka_group *consumer_group;
	struct source_filter *filter;
	struct s3_events *s3_events;
	bool json_body;
	int64_t limit_events_per_second;
	struct kvs metadata;
	str partition;
	struct sasl_config *sasl;
	struct registry_config *schema_registry;
	struct tls_config *tls;
	str topic;
	str url;
	str version;
	const struct val *src;
};

static void
check_partition(const struct kafka_source *s, const struct val *in, struct decode *c)
{
	int32_t partition;
	struct err e;

	if (!s->partition.n && !s->consumer_group)
		decode_error(c, in, NULL, "consumerGroup or partition must be specified");
	else if (s->partition.n && s->consumer_group)
		decode_warn(c, in, "partition", "has no effect beside consumerGroup: a group shares all partitions");
	else if (s->partition.n && kafka_partition_parse(s->partition, &partition, &e) < 0)
		decode_error(c, in, "partition", "%s", e.msg);
	if (s->consumer_group)
		source_need(s->consumer_group->group_name, s->consumer_group->src, c, "groupName");
}

/* `endpoint`: the one of `config` that gives tokens. */
static void
check_login(const struct kafka_source *s, str endpoint, const struct val *in, struct decode *c)
{
	bool tokens = s->sasl && str_eq(s->sasl->mechanism, S("OAUTHBEARER"));
	if (s->aws_msk_iam_auth && !s->aws_msk_iam_auth->region.n)
		decode_error(c, s->aws_msk_iam_auth->src, NULL, "region must be specified");
	if (s->aws_msk_iam_auth && s->sasl)
		decode_warn(c, in, "sasl", "has no effect beside awsMskIamAuth");
	else if (s->sasl && !kafka_mechanism_served(s->sasl->mechanism))
		decode_later(c, val_get(in, S("sasl")), "mechanism", "mechanism %.*s: not served yet; use " KAFKA_MECHANISMS, STR_ARG(s->sasl->mechanism));
	else if (tokens && !endpoint.p)
		decode_warn(c, in, "sasl", KAFKA_LOGIN_NONE);
	else if (!tokens && endpoint.p)
		decode_warn(c, in, "config", "sasl.oauthbearer.token.endpoint.url has no effect without sasl.mechanism OAUTHBEARER");
}

static void
check_config(const struct kafka_source *s, const struct val *in, struct decode *c)
{
	struct kafka_config config = { .arena = c->arena };
	kafka_config_read(&config, s->config);
	check_login(s, kafka_config_get(&config, KAFKA_LOGIN_ENDPOINT), in, c);
	for (size_t i = 0; i < config.findings.n; i++) {
		const struct kafka_finding *f = &config.findings.p[i];
		diag_into_text(c->diags, (f->wrong ? decode_error : decode_warn)(c, in, "config", "%.*s", STR_ARG(f->text)), f->line);
	}
	kafka_config_free(&config);
}

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct kafka_source *s = obj;

	source_need(s->url, in, c, "url");
	source_need(s->topic, in, c, "topic");
	check_partition(s, in, c);
	check_config(s, in, c);
	if (s->schema_registry && !s->json_body)
		decode_warn(c, in, "schemaRegistry", "has no effect without jsonBody: the body is the message in base64");
}

static const struct schema kafka_source_schema = { "KafkaEventSource", "Messages of a Kafka topic.",
	sizeof(struct kafka_source), (const struct field[]){
	FIELD_PTR(struct kafka_source, aws_msk_iam_auth, "awsMskIamAuth", 0, &kafka_msk_schema,
		.doc = "Identify by AWS IAM to Amazon MSK, with the keys of the environment, over TLS."),
	FIELD(struct kafka_source, config, "config", 0,
		.doc = "Settings of the client, YAML: names of Sarama's Config, or librdkafka's own."),
	FIELD_PTR(struct kafka_source, connection_backoff, "connectionBackoff", 0, &backoff_schema,
		.doc = "Waits between attempts to connect."),
	FIELD_PTR(struct kafka_source, consumer_group, "consumerGroup", 0, &kafka_group_schema,
		.doc = "Consume as a member of a group."),
	FIELD_PTR(struct kafka_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD_PTR(struct kafka_source, s3_events, "s3Events", 0, &s3_events_schema,
		.doc = "Messages are notifications of S3, and become events as those of minio. Ours."),
	FIELD(struct kafka_source, json_body, "jsonBody", 0,
		.doc = "Whether payloads are JSON and go into the data as such; else they go in as base64."),
	FIELD(struct kafka_source, limit_events_per_second, "limitEventsPerSecond", 0, .min = 0, .max = INT32_MAX,
		.doc = "Most messages a second; 0: no limit."),
	FIELD(struct kafka_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct kafka_source, partition, "partition", 0, .doc = "Partition to read, without a group."),
	FIELD_PTR(struct kafka_source, sasl, "sasl", 0, &sasl_config_schema, .doc = "SASL settings."),
	FIELD_PTR(struct kafka_source, schema_registry, "schemaRegistry", 0, &registry_config_schema,
		.doc = "Messages are Avro, with schemas of this registry, and go in as JSON."),
	FIELD_PTR(struct kafka_source, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct kafka_source, topic, "topic", 0, .doc = "Topic to read."),
	FIELD(struct kafka_source, url, "url", 0, .doc = "Addresses of the brokers, comma between."),
	FIELD(struct kafka_source, version, "version", NOEFFECT, .doc = "Version of the protocol.",
		.hint = "client and broker agree on it by themselves"),
	FIELD_SRC(struct kafka_source, src),
	{ 0 } }, check };

/* ---- events ----------------------------------------------------------------------------------------------------------- */

struct header {
	struct kv kv;
	size_t order;
};

static int
by_name(const void *a, const void *b)
{
	const struct header *x = a, *y = b;
	int order = str_cmp(x->kv.key, y->kv.key);
	return order ? order : x->order < y->order ? -1 : 1;
}

/* Of several with one name the last counts. */
static void
add_headers(struct message *m, const struct kafka_record *r)
{
	struct arena *a = m->ev->arena;
	struct header *all = ARENA_ARRAY(a, struct header, r->headers_n);
	struct kvs map = { ARENA_ARRAY(a, struct kv, r->headers_n), 0 };
	for (size_t i = 0; i < r->headers_n; i++)
		all[i] = (struct header){ { r->headers[i].name, r->headers[i].value }, i };
	qsort(all, r->headers_n, sizeof *all, by_name);
	for (size_t i = 0; i < r->headers_n; i++)
		if (i + 1 == r->headers_n || !str_eq(all[i].kv.key, all[i + 1].kv.key))
			map.p[map.n++] = all[i].kv;
	message_map(m, "headers", &map);
}

/* What Go's zero time prints, of messages from before there were times. */
static str
time_text(const struct kafka_reader *r, struct arena *a, int64_t ms)
{
	return ms < 0 ? S("0001-01-01 00:00:00 +0000 UTC") : tz_go_string(a, r->zone, ms * NS_PER_MS);
}

static int
add_body(struct message *m, const struct kafka_reader *r, str value, bool json, struct err *e)
{
	struct buf decoded CLEANUP(free_buf) = { 0 };
	if (value.n > PEER_MESSAGE_MAX)
		return err_set(e, ERR_LIMIT, "a message of %zu bytes: %d at most", value.n, PEER_MESSAGE_MAX);
	if (!value.p) {
		message_raw(m, "body", S("null"));
		return 0;
	}
	if (!json || !r->registry)
		return message_body(m, "body", value, json, e);
	return avro_registry_decode(r->registry, value, &decoded, e) < 0 ? -1 : message_body(m, "body", buf_str(&decoded), true, e);
}

static struct event *
make_event(const struct kafka_reader *r, const struct kafka_record *record, struct err *e)
{
	const struct kafka_source *s = source_config(r->source);
	struct message m;
	message_begin_in(&m, r->group_of_events);
	message_str(&m, "topic", s->topic);
	message_str(&m, "key", record->key);
	message_int(&m, "partition", record->partition);
	if (add_body(&m, r, record->value, s->json_body, e) < 0) {
		message_drop(&m);
		return NULL;
	}
	message_str(&m, "timestamp", time_text(r, m.ev->arena, record->timestamp_ms));
	add_headers(&m, record);
	message_metadata(&m, &s->metadata);
	kafka_reader_name(r, record, m.ev);
	return message_end(&m);
}

/* ---- connections ------------------------------------------------------------------------------------------------------ */

static int
log_in(struct source *src, const struct kafka_source *s, struct arena *a, struct peer_target *t, struct http_header *room, struct err *e)
{
	if (s->aws_msk_iam_auth) {
		t->tls = true;
		kafka_option(t, room, "sasl.mechanism", S("OAUTHBEARER"));
		kafka_option(t, room, KAFKA_LOGIN_REGION, s->aws_msk_iam_auth->region);
		return crypto_load(e); /* signing is the feed's thread's */
	}
	if (!s->sasl)
		return 0;
	kafka_option(t, room, "sasl.mechanism", s->sasl->mechanism);
	if (feed_secret(src, s->sasl->user, a, &t->user, e) < 0)
		return -1;
	return feed_secret(src, s->sasl->password, a, &t->password, e);
}

static void
add_place(const struct kafka_source *s, const struct kafka_reader *r, struct arena *a, struct peer_target *t, struct http_header *room)
{
	const struct kafka_group *g = s->consumer_group;
	bool sticky = g && str_eq(g->rebalance_strategy, S("sticky"));
	if (g) {
		kafka_option(t, room, "group.id", g->group_name);
		kafka_option(t, room, "auto.offset.reset", g->oldest ? S("earliest") : S("latest"));
		kafka_option(t, room, "partition.assignment.strategy", sticky ? S("cooperative-sticky") : g->rebalance_strategy);
	} else {
		kafka_option(t, room, "partition", s->partition);
		kafka_option(t, room, "auto.offset.reset", S("earliest")); /* of a place that is gone */
		if (r->next >= 0)
			kafka_option(t, room, "offset", arena_fmt(a, "%lld", (long long)r->next));
	}
}

static int
add_registry(struct source *src, const struct registry_config *c, struct arena *a, struct peer_target *t, struct http_header *room, struct err *e)
{
	str user = STR_NONE, password = STR_NONE;
	if (!c)
		return 0;
	if (c->auth && (feed_secret(src, c->auth->username, a, &user, e) < 0 || feed_secret(src, c->auth->password, a, &password, e) < 0))
		return -1;
	kafka_option(t, room, AVRO_REGISTRY_URL, c->url);
	kafka_option(t, room, AVRO_REGISTRY_USER, user);
	kafka_option(t, room, AVRO_REGISTRY_PASSWORD, password);
	return 0;
}

static int
target(struct source *src, struct arena *a, struct peer_target *t, struct err *e)
{
	const struct kafka_source *s = source_config(src);
	struct kafka_config config = { .arena = a };
	kafka_config_read(&config, s->config);
	struct http_header *room = ARENA_ARRAY(a, struct http_header, config.settings.n + OPTIONS);
	for (size_t i = 0; i < config.settings.n; i++)
		kafka_option(t, room, str_z(a, config.settings.p[i].name), config.settings.p[i].value);
	kafka_config_free(&config);
	kafka_option(t, room, "topic", arena_dup(a, s->topic));
	add_place(s, feed_context(src), a, t, room);
	t->address = s->url;
	if (add_registry(src, s->schema_registry, a, t, room, e) < 0 || log_in(src, s, a, t, room, e) < 0)
		return -1;
	return feed_tls(src, s->tls, a, t, e);
}

static const struct feed_ops feed = { KAFKA_FEED_OPS, .target = target };

static str
mark_name(const struct kafka_source *s, struct arena *a)
{
	return arena_fmt(a, "%.*s:%.*s", STR_ARG(s->topic), STR_ARG(s->partition));
}

static void
begin(struct source *src, int64_t mark)
{
	const struct kafka_source *s = source_config(src);
	struct kafka_reader *r;
	struct err e = { 0 };
	str rest = s->url, broker = str_cut(&rest, ',');
	if (kafka_reader_new(src, broker, s->topic, make_event, &r, &e) == 0) {
		if (!s->consumer_group)
			r->mark = mark_name(s, r->arena);
		r->next = mark - 1;
		struct feed_context context = { r, kafka_reader_free };
		if (feed_start_context(src, &feed, context, s->connection_backoff, s->limit_events_per_second, &e) == 0)
			return;
	}
	source_state(src, false, &e);
}

/* Without a group: only where the source was is known by its mark. */
static int
start(struct source *src, struct err *e UNUSED)
{
	const struct kafka_source *s = source_config(src);
	struct arena *a CLEANUP(free_arena) = arena_new();
	source_connecting(src);
	if (s->consumer_group)
		begin(src, 0);
	else
		source_read_named_mark(src, mark_name(s, a), begin);
	return 0;
}

/* For `emit`: as if a producer had sent it to partition 0. */
static int
wrap(struct source *src, struct arena *a, str body, str *out, struct err *e)
{
	const struct kafka_source *s = source_config(src);
	const struct kafka_record record = { .value = body, .timestamp_ms = loop_now(source_loop(src)) / NS_PER_MS };
	return kafka_reader_wrap(src, s->topic, make_event, &record, a, out, e);
}

const struct source_ops source_kafka = { .kind = "kafka", .doc = "Messages of a Kafka topic.", .schema = &kafka_source_schema,
	.start = start, .ack = feed_ack, .pause = feed_pause, .stop = feed_stop, .wrap = wrap, .describe = kafka_feed_describe };
