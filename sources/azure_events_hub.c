/* SPDX-License-Identifier: Apache-2.0 */
/* azureEventsHub: Events of an Azure Event Hub. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

struct azure_events_hub_source {
	struct source_filter *filter;
	str fqdn;
	str hub_name;
	struct kvs metadata;
	struct secret_ref *shared_access_key;
	struct secret_ref *shared_access_key_name;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct azure_events_hub_source *s = obj;

	source_need(s->fqdn, in, c, "fqdn");
	source_need(s->hub_name, in, c, "hubName");
	if (!s->shared_access_key != !s->shared_access_key_name)
		decode_error(c, in, NULL, "both sharedAccessKey and sharedAccessKeyName must be specified, or neither");
}

static const struct schema azure_events_hub_source_schema = { "AzureEventsHubEventSource",
	"Events of an Azure Event Hub.", sizeof(struct azure_events_hub_source), (const struct field[]){
	FIELD_PTR(struct azure_events_hub_source, filter, "filter", 0, &source_filter_schema,
		.doc = "Which events are let in."),
	FIELD(struct azure_events_hub_source, fqdn, "fqdn", 0, .doc = "Host of the Event Hubs namespace."),
	FIELD(struct azure_events_hub_source, hub_name, "hubName", 0, .doc = "Name of the hub."),
	FIELD(struct azure_events_hub_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD_PTR(struct azure_events_hub_source, shared_access_key, "sharedAccessKey", 0, &secret_ref_schema,
		.doc = "Shared access key."),
	FIELD_PTR(struct azure_events_hub_source, shared_access_key_name, "sharedAccessKeyName", 0, &secret_ref_schema,
		.doc = "Name of the shared access key."),
	FIELD_SRC(struct azure_events_hub_source, src),
	{ 0 } }, check };

const struct source_ops source_azureEventsHub = { .kind = "azureEventsHub", .doc = "Events of an Azure Event Hub.",
	.schema = &azure_events_hub_source_schema };
