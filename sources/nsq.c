/* SPDX-License-Identifier: Apache-2.0 */
/* nsq: Messages of an NSQ topic. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

struct nsq_source {
	str channel;
	struct backoff *connection_backoff;
	struct source_filter *filter;
	str host_address;
	bool json_body;
	struct kvs metadata;
	struct tls_config *tls;
	str topic;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct nsq_source *s = obj;

	source_need(s->host_address, in, c, "hostAddress");
	source_need(s->topic, in, c, "topic");
	source_need(s->channel, in, c, "channel");
}

static const struct schema nsq_source_schema = { "NSQEventSource", "Messages of an NSQ topic.",
	sizeof(struct nsq_source), (const struct field[]){
	FIELD(struct nsq_source, channel, "channel", 0, .doc = "Channel to use."),
	FIELD_PTR(struct nsq_source, connection_backoff, "connectionBackoff", 0, &backoff_schema,
		.doc = "Waits between attempts to connect."),
	FIELD_PTR(struct nsq_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct nsq_source, host_address, "hostAddress", 0, .doc = "Address of nsqlookupd."),
	FIELD(struct nsq_source, json_body, "jsonBody", 0,
		.doc = "Whether payloads are JSON and go into the data as such; else they go in as base64."),
	FIELD(struct nsq_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD_PTR(struct nsq_source, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct nsq_source, topic, "topic", 0, .doc = "Topic to read."),
	FIELD_SRC(struct nsq_source, src),
	{ 0 } }, check };

const struct source_ops source_nsq = { .kind = "nsq", .doc = "Messages of an NSQ topic.",
	.schema = &nsq_source_schema };
