/* SPDX-License-Identifier: Apache-2.0 */
/* kafka: Sends to a Kafka topic. Not served yet: the table is what lint knows. */
#include "triggers/check.h"
#include "triggers/parameter.h"
#include "triggers/trigger.h"

struct kafka_registry {
	struct basic_auth *auth;
	int64_t schema_id;
	str url;
	const struct val *src;
};
static const struct schema kafka_registry_schema = { "SchemaRegistryConfig", "A registry of Avro schemas.",
	sizeof(struct kafka_registry), (const struct field[]){
	FIELD_PTR(struct kafka_registry, auth, "auth", 0, &basic_auth_schema, .doc = "User name and password."),
	FIELD(struct kafka_registry, schema_id, "schemaId", 0, .min = 0, .max = INT32_MAX, .doc = "Id of the schema."),
	FIELD(struct kafka_registry, url, "url", 0, .doc = "URL of the registry."),
	FIELD_SRC(struct kafka_registry, src),
	{ 0 } } };

struct kafka_trigger {
	bool compress;
	int64_t flush_frequency;
	struct kvs headers;
	LIST_OF(struct trigger_parameter) parameters;
	int64_t partition;
	str partitioning_key;
	LIST_OF(struct trigger_parameter) payload;
	int64_t required_acks;
	struct sasl_config *sasl;
	struct kafka_registry *schema_registry;
	LIST_OF(struct secure_header) secure_headers;
	struct tls_config *tls;
	str topic;
	str url;
	str version;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct kafka_trigger *t = obj;

	trigger_need(t->url, in, c, "url");
	trigger_need_payload(t->payload.n, in, c);
	trigger_need(t->topic, in, c, "topic");
}

static const struct schema kafka_trigger_schema = { "KafkaTrigger", "Sends to a Kafka topic.",
	sizeof(struct kafka_trigger), (const struct field[]){
	FIELD(struct kafka_trigger, compress, "compress", 0, .doc = "Pack messages."),
	FIELD(struct kafka_trigger, flush_frequency, "flushFrequency", 0, .min = 0, .max = INT32_MAX,
		.doc = "Longest wait before messages are sent, in milliseconds."),
	FIELD(struct kafka_trigger, headers, "headers", 0, .doc = "Headers of the message."),
	FIELD_LIST(struct kafka_trigger, parameters, "parameters", 0, &trigger_parameter_schema,
		.doc = "Values from events to put into this trigger."),
	FIELD(struct kafka_trigger, partition, "partition", 0, .min = 0, .max = INT32_MAX,
		.doc = "Partition to send to."),
	FIELD(struct kafka_trigger, partitioning_key, "partitioningKey", 0,
		.doc = "Key that decides on the partition."),
	FIELD_LIST(struct kafka_trigger, payload, "payload", 0, &trigger_parameter_schema,
		.doc = "Values from events that make up the body."),
	FIELD(struct kafka_trigger, required_acks, "requiredAcks", 0, .min = -1, .max = 1,
		.doc = "Brokers that must have it: 0, 1 or -1 for all."),
	FIELD_PTR(struct kafka_trigger, sasl, "sasl", 0, &sasl_config_schema, .doc = "SASL settings."),
	FIELD_PTR(struct kafka_trigger, schema_registry, "schemaRegistry", 0, &kafka_registry_schema,
		.doc = "Registry of Avro schemas."),
	FIELD_LIST(struct kafka_trigger, secure_headers, "secureHeaders", 0, &secure_header_schema,
		.doc = "Headers from Secrets and ConfigMaps."),
	FIELD_PTR(struct kafka_trigger, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct kafka_trigger, topic, "topic", 0, .doc = "Topic to send to."),
	FIELD(struct kafka_trigger, url, "url", 0, .doc = "Addresses of the brokers, comma between."),
	FIELD(struct kafka_trigger, version, "version", 0, .dflt = "1.0.0", .doc = "Version of the protocol."),
	FIELD_SRC(struct kafka_trigger, src),
	{ 0 } }, check };

const struct trigger_ops trigger_kafka = { .kind = "kafka", .doc = "Sends to a Kafka topic.",
	.schema = &kafka_trigger_schema };
