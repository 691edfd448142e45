/* SPDX-License-Identifier: Apache-2.0 */
/* sns: Messages of an AWS SNS topic. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

struct sns_source {
	struct secret_ref *access_key;
	str endpoint;
	struct source_filter *filter;
	struct kvs metadata;
	str region;
	str role_arn;
	struct secret_ref *secret_key;
	str topic_arn;
	bool validate_signature;
	struct webhook_context *webhook;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct sns_source *s = obj;

	source_need(s->topic_arn, in, c, "topicArn");
	source_need(s->region, in, c, "region");
	webhook_context_required(s->webhook, in, c);
}

static const struct schema sns_source_schema = { "SNSEventSource", "Messages of an AWS SNS topic.",
	sizeof(struct sns_source), (const struct field[]){
	FIELD_PTR(struct sns_source, access_key, "accessKey", 0, &secret_ref_schema, .doc = "Access key."),
	FIELD(struct sns_source, endpoint, "endpoint", 0, .doc = "URL of the service, if it is not AWS."),
	FIELD_PTR(struct sns_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct sns_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct sns_source, region, "region", 0, .doc = "Region of the topic."),
	FIELD(struct sns_source, role_arn, "roleARN", 0, .doc = "Role to take on."),
	FIELD_PTR(struct sns_source, secret_key, "secretKey", 0, &secret_ref_schema, .doc = "Secret key."),
	FIELD(struct sns_source, topic_arn, "topicArn", 0, .doc = "ARN of the topic."),
	FIELD(struct sns_source, validate_signature, "validateSignature", 0,
		.doc = "Check the signature of each message."),
	FIELD_PTR(struct sns_source, webhook, "webhook", 0, &webhook_context_schema, .doc = "The endpoint."),
	FIELD_SRC(struct sns_source, src),
	{ 0 } }, check };

const struct source_ops source_sns = { .kind = "sns", .doc = "Messages of an AWS SNS topic.",
	.schema = &sns_source_schema, .rolling = true };
