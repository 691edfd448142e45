/* SPDX-License-Identifier: Apache-2.0 */
/*
 * azureEventsHub: events of an Azure Event Hub, by the hub's own Kafka endpoint (Argo uses AMQP; the events are the same): port 9093 of the
 * namespace unless `fqdn` has one, TLS with the system's authorities, and the connection string as password, as Azure's documentation of
 * the endpoint says. Each entry is a group of its own, whose name is made up once and kept in our state: it gets all events, as in Argo,
 * and goes on where it was after a restart.
 */
#include "sources/check.h"
#include "sources/kafka_feed.h"
#include "sources/message.h"
#include "sources/webhook_context.h"

enum { OPTIONS = 5 };

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
	else if (!s->shared_access_key)
		decode_later(c, in, NULL, "an identity of Azure's: not served yet; give sharedAccessKeyName and sharedAccessKey");
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

/* ---- events ----------------------------------------------------------------------------------------------------------- */

/* The message id of a sender, which the endpoint hands on as a header; else the event's place. */
static str
id_of(const struct kafka_record *record, struct arena *a)
{
	for (size_t i = 0; i < record->headers_n; i++)
		if (str_eq(record->headers[i].name, S("message-id")))
			return record->headers[i].value;
	return arena_fmt(a, "%d:%lld", record->partition, (long long)record->offset);
}

static struct event *
make_event(const struct kafka_reader *r, const struct kafka_record *record, struct err *e)
{
	const struct azure_events_hub_source *s = source_config(r->source);
	struct message m;
	message_begin_in(&m, r->group_of_events);
	message_str(&m, "id", id_of(record, m.ev->arena));
	if (record->key.n)
		message_str(&m, "partitionKey", record->key);
	if (message_body(&m, "body", record->value, false, e) < 0) {
		message_drop(&m);
		return NULL;
	}
	message_metadata(&m, &s->metadata);
	kafka_reader_name(r, record, m.ev);
	return message_end(&m);
}

/* ---- connections ------------------------------------------------------------------------------------------------------ */

static int
log_in(struct source *src, const struct azure_events_hub_source *s, struct arena *a, struct peer_target *t, struct err *e)
{
	str name, key, host = str_slice(s->fqdn, 0, str_find_char(s->fqdn, ':', 0));
	if (feed_secret(src, s->shared_access_key_name, a, &name, e) < 0 || feed_secret(src, s->shared_access_key, a, &key, e) < 0)
		return -1;
	if (!key.p)
		return err_set(e, ERR_UNSUPPORTED, "without sharedAccessKey there is no login");
	t->user = S("$ConnectionString");
	t->password = arena_fmt(a, "Endpoint=sb://%.*s/;SharedAccessKeyName=%.*s;SharedAccessKey=%.*s", STR_ARG(host), STR_ARG(name), STR_ARG(key));
	return 0;
}

static int
target(struct source *src, struct arena *a, struct peer_target *t, struct err *e)
{
	const struct azure_events_hub_source *s = source_config(src);
	const struct kafka_reader *r = feed_context(src);
	struct http_header *room = ARENA_ARRAY(a, struct http_header, OPTIONS);
	bool has_port = str_find_char(s->fqdn, ':', 0) != SIZE_MAX;
	t->address = has_port ? s->fqdn : arena_fmt(a, "%.*s:9093", STR_ARG(s->fqdn));
	t->tls = true;
	kafka_option(t, room, "topic", arena_dup(a, s->hub_name));
	kafka_option(t, room, "group.id", r->group);
	kafka_option(t, room, "auto.offset.reset", S("latest"));
	kafka_option(t, room, "partition.assignment.strategy", S("range"));
	kafka_option(t, room, "sasl.mechanism", S("PLAIN"));
	return log_in(src, s, a, t, e);
}

static const struct feed_ops feed = { KAFKA_FEED_OPS, .target = target };

/* The number that makes the group's name is drawn with the first start, and kept. */
static void
begin(struct source *src, int64_t mark)
{
	const struct azure_events_hub_source *s = source_config(src);
	struct kafka_reader *r;
	struct err e = { 0 };
	if (!mark) {
		arc4random_buf(&mark, sizeof mark);
		mark = (mark & INT64_MAX) | 1;
		source_write_mark(src, mark);
	}
	if (kafka_reader_new(src, s->fqdn, s->hub_name, make_event, &r, &e) == 0) {
		str name = source_name(src), event = source_event_name(src);
		r->group = arena_fmt(r->arena, "tidegate-%.*s-%.*s-%016llx", STR_ARG(name), STR_ARG(event), (unsigned long long)mark);
		if (feed_start_context(src, &feed, (struct feed_context){ r, kafka_reader_free }, NULL, 0, &e) == 0)
			return;
	}
	source_state(src, false, &e);
}

static int
start(struct source *src, struct err *e UNUSED)
{
	source_connecting(src);
	source_read_mark(src, begin);
	return 0;
}

/* For `emit`: as if it had been sent to partition 0. */
static int
wrap(struct source *src, struct arena *a, str body, str *out, struct err *e)
{
	const struct azure_events_hub_source *s = source_config(src);
	const struct kafka_record record = { .value = body };
	return kafka_reader_wrap(src, s->hub_name, make_event, &record, a, out, e);
}

const struct source_ops source_azureEventsHub = { .kind = "azureEventsHub", .doc = "Events of an Azure Event Hub.",
	.schema = &azure_events_hub_source_schema, .start = start, .ack = feed_ack, .pause = feed_pause, .stop = feed_stop, .wrap = wrap,
	.describe = kafka_feed_describe };
