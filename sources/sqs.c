/* SPDX-License-Identifier: Apache-2.0 */
/* sqs: Messages of an AWS SQS queue. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

struct sqs_source {
	struct secret_ref *access_key;
	bool dlq;
	str endpoint;
	struct source_filter *filter;
	bool json_body;
	struct kvs metadata;
	str queue;
	str queue_account_id;
	str region;
	str role_arn;
	struct secret_ref *secret_key;
	struct secret_ref *session_token;
	int64_t wait_time_seconds;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct sqs_source *s = obj;

	source_need(s->region, in, c, "region");
	source_need(s->queue, in, c, "queue");
}

static const struct schema sqs_source_schema = { "SQSEventSource", "Messages of an AWS SQS queue.",
	sizeof(struct sqs_source), (const struct field[]){
	FIELD_PTR(struct sqs_source, access_key, "accessKey", 0, &secret_ref_schema, .doc = "Access key."),
	FIELD(struct sqs_source, dlq, "dlq", 0, .doc = "Leave messages that cannot be read."),
	FIELD(struct sqs_source, endpoint, "endpoint", 0, .doc = "URL of the service, if it is not AWS."),
	FIELD_PTR(struct sqs_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct sqs_source, json_body, "jsonBody", 0,
		.doc = "Whether payloads are JSON and go into the data as such; else they go in as base64."),
	FIELD(struct sqs_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct sqs_source, queue, "queue", 0, .doc = "Name of the queue."),
	FIELD(struct sqs_source, queue_account_id, "queueAccountId", 0, .doc = "Account that owns the queue."),
	FIELD(struct sqs_source, region, "region", 0, .doc = "Region of the queue."),
	FIELD(struct sqs_source, role_arn, "roleARN", 0, .doc = "Role to take on."),
	FIELD_PTR(struct sqs_source, secret_key, "secretKey", 0, &secret_ref_schema, .doc = "Secret key."),
	FIELD_PTR(struct sqs_source, session_token, "sessionToken", 0, &secret_ref_schema, .doc = "Session token."),
	FIELD(struct sqs_source, wait_time_seconds, "waitTimeSeconds", 0, .dflt = "3", .min = 0, .max = 20,
		.doc = "How long a look waits for a message."),
	FIELD_SRC(struct sqs_source, src),
	{ 0 } }, check };

const struct source_ops source_sqs = { .kind = "sqs", .doc = "Messages of an AWS SQS queue.",
	.schema = &sqs_source_schema, .rolling = true };
