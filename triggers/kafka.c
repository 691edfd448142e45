/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka: sends to a Kafka topic. Where we differ from Argo, on purpose: the firing has succeeded when the broker has confirmed the message
 * (Argo reports success before it is sent, and an error only to its log), certificates are verified, and flushFrequency is in
 * milliseconds, as its description says (Argo takes nanoseconds). Every message carries the firing's id as a header.
 */
#include "core/net/avro_registry.h"
#include "core/net/kafka_config.h"
#include "core/net/kafka_login.h"
#include "triggers/broker.h"
#include "triggers/call.h"
#include "triggers/check.h"

enum { LOGIN_SETTINGS = 3 }; /* what `config` may have */

struct kafka_trigger {
	bool compress;
	str config;
	int64_t flush_frequency;
	struct kvs headers;
	LIST_OF(struct trigger_parameter) parameters;
	int64_t partition;
	str partitioning_key;
	LIST_OF(struct trigger_parameter) payload;
	int64_t required_acks;
	struct sasl_config *sasl;
	struct registry_config *schema_registry;
	LIST_OF(struct secure_header) secure_headers;
	struct tls_config *tls;
	str topic;
	str url;
	str version;
	const struct val *src;
};

/* Of a client's settings those of the token endpoint are here for OAUTHBEARER; the others have fields. */
static void
check_config(const struct kafka_config *config, const struct val *in, struct decode *c)
{
	for (size_t i = 0; i < config->findings.n; i++) {
		const struct kafka_finding *f = &config->findings.p[i];
		diag_into_text(c->diags, (f->wrong ? decode_error : decode_warn)(c, in, "config", "%.*s", STR_ARG(f->text)), f->line);
	}
	for (size_t i = 0; i < config->settings.n; i++)
		if (!str_starts(config->settings.p[i].name, S("login.")))
			decode_error(c, in, "config", "%.*s: a trigger takes sasl.oauthbearer.token.endpoint.url, .scope and .extensions only",
			             STR_ARG(config->settings.p[i].name));
}

static void
check_login(const struct kafka_trigger *t, const struct val *in, struct decode *c)
{
	struct kafka_config config = { .arena = c->arena };
	bool tokens = t->sasl && str_eq(t->sasl->mechanism, S("OAUTHBEARER"));
	kafka_config_read(&config, t->config);
	check_config(&config, in, c);
	if (t->sasl && !kafka_mechanism_served(t->sasl->mechanism))
		decode_later(c, val_get(in, S("sasl")), "mechanism", "mechanism %.*s: not served yet; use " KAFKA_MECHANISMS, STR_ARG(t->sasl->mechanism));
	else if (tokens && !kafka_config_get(&config, KAFKA_LOGIN_ENDPOINT).p)
		decode_warn(c, in, "sasl", KAFKA_LOGIN_NONE);
	kafka_config_free(&config);
}

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct kafka_trigger *t = obj;

	trigger_need(t->url, in, c, "url");
	trigger_need_payload(t->payload.n, in, c);
	trigger_need(t->topic, in, c, "topic");
	check_login(t, in, c);
}

static const struct schema kafka_trigger_schema = { "KafkaTrigger", "Sends to a Kafka topic.",
	sizeof(struct kafka_trigger), (const struct field[]){
	FIELD(struct kafka_trigger, compress, "compress", 0, .doc = "Pack messages, with Snappy."),
	FIELD(struct kafka_trigger, config, "config", 0,
		.doc = "Where OAUTHBEARER gets tokens, by librdkafka's names, YAML: sasl.oauthbearer.token.endpoint.url, .scope, .extensions. Ours."),
	FIELD(struct kafka_trigger, flush_frequency, "flushFrequency", 0, .min = 0, .max = INT32_MAX,
		.doc = "Longest wait before messages are sent, in milliseconds."),
	FIELD(struct kafka_trigger, headers, "headers", 0, .doc = "Headers of the message."),
	FIELD_LIST(struct kafka_trigger, parameters, "parameters", 0, &trigger_parameter_schema,
		.doc = "Values from events to put into this trigger."),
	FIELD(struct kafka_trigger, partition, "partition", NOEFFECT, .min = 0, .max = INT32_MAX,
		.doc = "Partition to send to.", .hint = "Argo Events does not look at it either; partitioningKey decides"),
	FIELD(struct kafka_trigger, partitioning_key, "partitioningKey", 0,
		.doc = "Key that decides on the partition."),
	FIELD_LIST(struct kafka_trigger, payload, "payload", 0, &trigger_parameter_schema,
		.doc = "Values from events that make up the body."),
	FIELD(struct kafka_trigger, required_acks, "requiredAcks", 0, .min = -1, .max = 1,
		.doc = "Brokers that must have it: 1, or -1 or 0 for all."),
	FIELD_PTR(struct kafka_trigger, sasl, "sasl", 0, &sasl_config_schema, .doc = "SASL settings."),
	FIELD_PTR(struct kafka_trigger, schema_registry, "schemaRegistry", 0, &registry_config_schema,
		.doc = "The payload is sent as Avro, by a schema of this registry."),
	FIELD_LIST(struct kafka_trigger, secure_headers, "secureHeaders", 0, &secure_header_schema,
		.doc = "Headers from Secrets and ConfigMaps."),
	FIELD_PTR(struct kafka_trigger, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct kafka_trigger, topic, "topic", 0, .doc = "Topic to send to."),
	FIELD(struct kafka_trigger, url, "url", 0, .doc = "Addresses of the brokers, comma between."),
	FIELD(struct kafka_trigger, version, "version", NOEFFECT, .doc = "Version of the protocol.",
		.hint = "client and broker agree on it by themselves"),
	FIELD_SRC(struct kafka_trigger, src),
	{ 0 } }, check };

static void
add_login_settings(struct broker_call *b, const struct kafka_trigger *t)
{
	struct kafka_config config = { .arena = firing_arena(b->firing) };
	kafka_config_read(&config, t->config);
	for (size_t i = 0; i < config.settings.n && i < LOGIN_SETTINGS; i++)
		broker_option(b, config.settings.p[i].name, config.settings.p[i].value);
	kafka_config_free(&config);
}

static int
log_in(struct broker_call *b, const struct kafka_trigger *t, struct err *e)
{
	const struct sasl_config *s = t->sasl;
	if (!s)
		return 0;
	if (!kafka_mechanism_served(s->mechanism))
		return err_set(e, ERR_UNSUPPORTED, "sasl mechanism %.*s is not served: use " KAFKA_MECHANISMS, STR_ARG(s->mechanism));
	if (str_eq(s->mechanism, S("OAUTHBEARER")))
		add_login_settings(b, t);
	broker_option(b, S("sasl.mechanism"), s->mechanism);
	if (call_secret(b->firing, s->user, &b->target.user, e) < 0)
		return -1;
	return call_secret(b->firing, s->password, &b->target.password, e);
}

/* What the payload becomes Avro by, at the connection (core/net/peer_kafka.c). */
static int
add_registry(struct broker_call *b, const struct registry_config *c, struct err *e)
{
	str user = STR_NONE, password = STR_NONE;
	if (!c)
		return 0;
	if (c->auth && (call_secret(b->firing, c->auth->username, &user, e) < 0 || call_secret(b->firing, c->auth->password, &password, e) < 0))
		return -1;
	broker_option(b, S(AVRO_REGISTRY_URL), c->url);
	broker_option(b, S(AVRO_REGISTRY_ID), arena_fmt(firing_arena(b->firing), "%lld", (long long)c->schema_id));
	if (user.p) {
		broker_option(b, S(AVRO_REGISTRY_USER), user);
		broker_option(b, S(AVRO_REGISTRY_PASSWORD), password);
	}
	return 0;
}

static int
add_headers(struct broker_call *b, const struct kafka_trigger *t, struct err *e)
{
	for (size_t i = 0; i < t->headers.n; i++)
		if (broker_header(b, t->headers.p[i].key, t->headers.p[i].value, e) < 0)
			return -1;
	if (broker_secure_headers(b, t->secure_headers.p, t->secure_headers.n, e) < 0)
		return -1;
	return broker_header(b, S(FIRING_HEADER), firing_id(b->firing), e);
}

static void
fire(struct firing *f)
{
	const struct kafka_trigger *t = firing_config(f);
	struct broker_call *b = broker_call(f, &peer_kafka);
	struct err e = { 0 };
	b->target.address = t->url;
	b->message.to = t->topic;
	b->message.key = t->partitioning_key.n ? t->partitioning_key : STR_NONE;
	b->result = broker_offset;
	if (t->required_acks == 1)
		broker_option(b, S("acks"), S("1"));
	if (t->compress)
		broker_option(b, S("compression"), S("snappy"));
	if (t->flush_frequency)
		broker_option(b, S("linger.ms"), arena_fmt(firing_arena(f), "%lld", (long long)t->flush_frequency));
	bool ready = add_registry(b, t->schema_registry, &e) == 0 && log_in(b, t, &e) == 0 && broker_tls(b, t->tls, &e) == 0 &&
		add_headers(b, t, &e) == 0;
	broker_send(b, ready ? NULL : &e);
}

const struct trigger_ops trigger_kafka = { .kind = "kafka", .doc = "Sends to a Kafka topic.",
	.schema = &kafka_trigger_schema, .fire = fire };
