/* SPDX-License-Identifier: Apache-2.0 */
/* kafka: Messages of a Kafka topic. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/s3_event.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

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
static const struct schema kafka_group_schema = { "KafkaConsumerGroup", "A group of consumers.",
	sizeof(struct kafka_group), (const struct field[]){
	FIELD(struct kafka_group, group_name, "groupName", 0, .doc = "Name of the group."),
	FIELD(struct kafka_group, oldest, "oldest", 0, .doc = "Begin with the oldest message if the group is new."),
	FIELD(struct kafka_group, rebalance_strategy, "rebalanceStrategy", 0,
		.doc = "sticky, roundrobin or range (default)."),
	FIELD_SRC(struct kafka_group, src),
	{ 0 } } };

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
	struct kafka_registry *schema_registry;
	struct tls_config *tls;
	str topic;
	str url;
	str version;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct kafka_source *s = obj;

	source_need(s->url, in, c, "url");
	source_need(s->topic, in, c, "topic");
	if (!s->partition.n && !s->consumer_group)
		decode_error(c, in, NULL, "consumerGroup or partition must be specified");
	if (s->aws_msk_iam_auth && !s->aws_msk_iam_auth->region.n)
		decode_error(c, s->aws_msk_iam_auth->src, NULL, "region must be specified");
}

static const struct schema kafka_source_schema = { "KafkaEventSource", "Messages of a Kafka topic.",
	sizeof(struct kafka_source), (const struct field[]){
	FIELD_PTR(struct kafka_source, aws_msk_iam_auth, "awsMskIamAuth", 0, &kafka_msk_schema,
		.doc = "Identify by AWS IAM."),
	FIELD(struct kafka_source, config, "config", 0, .doc = "Settings of the client, YAML."),
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
	FIELD_PTR(struct kafka_source, schema_registry, "schemaRegistry", 0, &kafka_registry_schema,
		.doc = "Registry of Avro schemas."),
	FIELD_PTR(struct kafka_source, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct kafka_source, topic, "topic", 0, .doc = "Topic to read."),
	FIELD(struct kafka_source, url, "url", 0, .doc = "Addresses of the brokers, comma between."),
	FIELD(struct kafka_source, version, "version", 0, .dflt = "1.0.0", .doc = "Version of the protocol."),
	FIELD_SRC(struct kafka_source, src),
	{ 0 } }, check };

const struct source_ops source_kafka = { .kind = "kafka", .doc = "Messages of a Kafka topic.",
	.schema = &kafka_source_schema };
