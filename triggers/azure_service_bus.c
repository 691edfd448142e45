/* SPDX-License-Identifier: Apache-2.0 */
/* azureServiceBus: Sends to an Azure Service Bus queue or topic. Not served yet: the table is what lint knows. */
#include "triggers/check.h"
#include "triggers/parameter.h"
#include "triggers/trigger.h"

struct azure_service_bus_trigger {
	struct secret_ref *connection_string;
	LIST_OF(struct trigger_parameter) parameters;
	LIST_OF(struct trigger_parameter) payload;
	str queue_name;
	str subscription_name;
	struct tls_config *tls;
	str topic_name;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct azure_service_bus_trigger *t = obj;

	trigger_need_ref(t->connection_string, in, c, "connectionString");
	if (!t->queue_name.n && !t->topic_name.n)
		decode_error(c, in, NULL, "must specify queueName or topicName");
	if (t->queue_name.n && t->topic_name.n)
		decode_warn(c, in, "topicName", "has no effect: queueName wins");
	trigger_need_payload(t->payload.n, in, c);
}

static const struct schema azure_service_bus_trigger_schema = { "AzureServiceBusTrigger",
	"Sends to an Azure Service Bus queue or topic.", sizeof(struct azure_service_bus_trigger),
	(const struct field[]){
	FIELD_PTR(struct azure_service_bus_trigger, connection_string, "connectionString", 0, &secret_ref_schema,
		.doc = "Connection string of the namespace."),
	FIELD_LIST(struct azure_service_bus_trigger, parameters, "parameters", 0, &trigger_parameter_schema,
		.doc = "Values from events to put into this trigger."),
	FIELD_LIST(struct azure_service_bus_trigger, payload, "payload", 0, &trigger_parameter_schema,
		.doc = "Values from events that make up the body."),
	FIELD(struct azure_service_bus_trigger, queue_name, "queueName", 0, .doc = "Queue to send to."),
	FIELD(struct azure_service_bus_trigger, subscription_name, "subscriptionName", 0,
		.doc = "Not used for sending."),
	FIELD_PTR(struct azure_service_bus_trigger, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct azure_service_bus_trigger, topic_name, "topicName", 0, .doc = "Topic to send to."),
	FIELD_SRC(struct azure_service_bus_trigger, src),
	{ 0 } }, check };

const struct trigger_ops trigger_azureServiceBus = { .kind = "azureServiceBus",
	.doc = "Sends to an Azure Service Bus queue or topic.", .schema = &azure_service_bus_trigger_schema,
	.instead = "use http with https://<namespace>.servicebus.windows.net/<queue or topic>/messages and a SAS token in secureHeaders" };
