/* SPDX-License-Identifier: Apache-2.0 */
/* azureEventHubs: Sends to an Azure Event Hub. Not served yet: the table is what lint knows. */
#include "triggers/check.h"
#include "triggers/parameter.h"
#include "triggers/trigger.h"

struct azure_event_hubs_trigger {
	str fqdn;
	str hub_name;
	LIST_OF(struct trigger_parameter) parameters;
	LIST_OF(struct trigger_parameter) payload;
	struct secret_ref *shared_access_key;
	struct secret_ref *shared_access_key_name;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct azure_event_hubs_trigger *t = obj;

	trigger_need(t->fqdn, in, c, "fqdn");
	trigger_need(t->hub_name, in, c, "hubName");
	trigger_need_ref(t->shared_access_key, in, c, "sharedAccessKey");
	trigger_need_ref(t->shared_access_key_name, in, c, "sharedAccessKeyName");
	trigger_need_payload(t->payload.n, in, c);
}

static const struct schema azure_event_hubs_trigger_schema = { "AzureEventHubsTrigger", "Sends to an Azure Event Hub.",
	sizeof(struct azure_event_hubs_trigger), (const struct field[]){
	FIELD(struct azure_event_hubs_trigger, fqdn, "fqdn", 0, .doc = "Host of the Event Hubs namespace."),
	FIELD(struct azure_event_hubs_trigger, hub_name, "hubName", 0, .doc = "Name of the hub."),
	FIELD_LIST(struct azure_event_hubs_trigger, parameters, "parameters", 0, &trigger_parameter_schema,
		.doc = "Values from events to put into this trigger."),
	FIELD_LIST(struct azure_event_hubs_trigger, payload, "payload", 0, &trigger_parameter_schema,
		.doc = "Values from events that make up the body."),
	FIELD_PTR(struct azure_event_hubs_trigger, shared_access_key, "sharedAccessKey", 0, &secret_ref_schema,
		.doc = "Shared access key."),
	FIELD_PTR(struct azure_event_hubs_trigger, shared_access_key_name, "sharedAccessKeyName", 0, &secret_ref_schema,
		.doc = "Name of the shared access key."),
	FIELD_SRC(struct azure_event_hubs_trigger, src),
	{ 0 } }, check };

const struct trigger_ops trigger_azureEventHubs = { .kind = "azureEventHubs", .doc = "Sends to an Azure Event Hub.",
	.schema = &azure_event_hubs_trigger_schema };
