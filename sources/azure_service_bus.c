/* SPDX-License-Identifier: Apache-2.0 */
/* azureServiceBus: Messages of an Azure Service Bus queue or topic. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

struct azure_service_bus_source {
	struct secret_ref *connection_string;
	bool defer_delete;
	struct source_filter *filter;
	str fully_qualified_namespace;
	bool json_body;
	struct kvs metadata;
	str queue_name;
	str subscription_name;
	struct tls_config *tls;
	str topic_name;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct azure_service_bus_source *s = obj;

	if (!s->connection_string && !s->fully_qualified_namespace.n)
		decode_error(c, in, NULL, "must specify connectionString or fullyQualifiedNamespace");
	if (!s->queue_name.n && !s->topic_name.n && !s->subscription_name.n)
		decode_error(c, in, NULL, "must specify either queueName or topicName and subscriptionName");
	if (s->queue_name.n && (s->topic_name.n || s->subscription_name.n))
		decode_error(c, in, "queueName", "must specify either queueName or topicName and subscriptionName, "
			"not both");
	else if (s->subscription_name.n && !s->topic_name.n)
		decode_error(c, in, NULL, "must specify topicName with subscriptionName");
	else if (s->topic_name.n && !s->subscription_name.n)
		decode_error(c, in, NULL, "must specify subscriptionName with topicName");
}

static const struct schema azure_service_bus_source_schema = { "AzureServiceBusEventSource",
	"Messages of an Azure Service Bus queue or topic.", sizeof(struct azure_service_bus_source),
	(const struct field[]){
	FIELD_PTR(struct azure_service_bus_source, connection_string, "connectionString", 0, &secret_ref_schema,
		.doc = "Connection string of the namespace."),
	FIELD(struct azure_service_bus_source, defer_delete, "deferDelete", 0,
		.doc = "Complete a message only after it was stored."),
	FIELD_PTR(struct azure_service_bus_source, filter, "filter", 0, &source_filter_schema,
		.doc = "Which events are let in."),
	FIELD(struct azure_service_bus_source, fully_qualified_namespace, "fullyQualifiedNamespace", 0,
		.doc = "Host of the namespace, for a managed identity."),
	FIELD(struct azure_service_bus_source, json_body, "jsonBody", 0,
		.doc = "Whether payloads are JSON and go into the data as such; else they go in as base64."),
	FIELD(struct azure_service_bus_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct azure_service_bus_source, queue_name, "queueName", 0, .doc = "Queue to read."),
	FIELD(struct azure_service_bus_source, subscription_name, "subscriptionName", 0,
		.doc = "Subscription of the topic."),
	FIELD_PTR(struct azure_service_bus_source, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct azure_service_bus_source, topic_name, "topicName", 0, .doc = "Topic to read."),
	FIELD_SRC(struct azure_service_bus_source, src),
	{ 0 } }, check };

const struct source_ops source_azureServiceBus = { .kind = "azureServiceBus",
	.doc = "Messages of an Azure Service Bus queue or topic.",
	.schema = &azure_service_bus_source_schema };
