/* SPDX-License-Identifier: Apache-2.0 */
/* mns: Messages of an Alibaba MNS queue. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

struct mns_source {
	struct secret_ref *access_key;
	str endpoint;
	struct source_filter *filter;
	bool json_body;
	struct kvs metadata;
	str queue;
	struct secret_ref *secret_key;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct mns_source *s = obj;

	source_need(s->queue, in, c, "queue");
	source_need(s->endpoint, in, c, "endpoint");
}

static const struct schema mns_source_schema = { "MNSEventSource", "Messages of an Alibaba MNS queue.",
	sizeof(struct mns_source), (const struct field[]){
	FIELD_PTR(struct mns_source, access_key, "accessKey", 0, &secret_ref_schema, .doc = "Access key."),
	FIELD(struct mns_source, endpoint, "endpoint", 0, .doc = "URL of the service."),
	FIELD_PTR(struct mns_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct mns_source, json_body, "jsonBody", 0,
		.doc = "Whether payloads are JSON and go into the data as such; else they go in as base64."),
	FIELD(struct mns_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct mns_source, queue, "queue", 0, .doc = "Name of the queue."),
	FIELD_PTR(struct mns_source, secret_key, "secretKey", 0, &secret_ref_schema, .doc = "Secret key."),
	FIELD_SRC(struct mns_source, src),
	{ 0 } }, check };

const struct source_ops source_mns = { .kind = "mns", .doc = "Messages of an Alibaba MNS queue.",
	.schema = &mns_source_schema, .rolling = true };
