/* SPDX-License-Identifier: Apache-2.0 */
/*
 * azureEventHubs: sends to an Azure Event Hub, by the hub's own Kafka endpoint (Argo uses AMQP; the events are the same): port 9093 of the
 * namespace unless `fqdn` has one, TLS with the system's authorities, and the connection string as password, as Azure's documentation of the
 * endpoint says. The Basic tier of the service does not have it.
 */
#include "triggers/broker.h"
#include "triggers/call.h"
#include "triggers/check.h"

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

static int
log_in(struct broker_call *b, const struct azure_event_hubs_trigger *t, struct err *e)
{
	str name, key, host = str_slice(t->fqdn, 0, str_find_char(t->fqdn, ':', 0));
	if (call_secret(b->firing, t->shared_access_key_name, &name, e) < 0 || call_secret(b->firing, t->shared_access_key, &key, e) < 0)
		return -1;
	broker_option(b, S("sasl.mechanism"), S("PLAIN"));
	b->target.user = S("$ConnectionString");
	b->target.password = arena_fmt(firing_arena(b->firing), "Endpoint=sb://%.*s/;SharedAccessKeyName=%.*s;SharedAccessKey=%.*s", STR_ARG(host),
	                               STR_ARG(name), STR_ARG(key));
	return 0;
}

static void
fire(struct firing *f)
{
	const struct azure_event_hubs_trigger *t = firing_config(f);
	struct broker_call *b = broker_call(f, &peer_kafka);
	struct err e = { 0 };
	bool has_port = str_find_char(t->fqdn, ':', 0) != SIZE_MAX;
	b->target.address = has_port ? t->fqdn : arena_fmt(firing_arena(f), "%.*s:9093", STR_ARG(t->fqdn));
	b->target.tls = true;
	b->message.to = t->hub_name;
	b->result = broker_offset;
	bool ready = log_in(b, t, &e) == 0 && broker_header(b, S(FIRING_HEADER), firing_id(f), &e) == 0;
	broker_send(b, ready ? NULL : &e);
}

const struct trigger_ops trigger_azureEventHubs = { .kind = "azureEventHubs", .doc = "Sends to an Azure Event Hub.",
	.schema = &azure_event_hubs_trigger_schema, .fire = fire };
