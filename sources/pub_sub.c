/* SPDX-License-Identifier: Apache-2.0 */
/* pubSub: Messages of Google Pub/Sub. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

struct pub_sub_source {
	struct secret_ref *credential_secret;
	bool delete_subscription_on_finish;
	struct source_filter *filter;
	bool json_body;
	struct kvs metadata;
	str project_id;
	str subscription_id;
	str topic;
	str topic_project_id;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct pub_sub_source *s = obj;

	if (s->topic_project_id.n && !s->topic.n)
		decode_error(c, in, "topicProjectID", "you need to specify topic if you want to specify "
			"topicProjectID");
	if (!s->topic.n && !s->subscription_id.n)
		decode_error(c, in, NULL, "must specify topic or subscriptionID");
}

static const struct schema pub_sub_source_schema = { "PubSubEventSource", "Messages of Google Pub/Sub.",
	sizeof(struct pub_sub_source), (const struct field[]){
	FIELD_PTR(struct pub_sub_source, credential_secret, "credentialSecret", 0, &secret_ref_schema,
		.doc = "Credentials of a service account."),
	FIELD(struct pub_sub_source, delete_subscription_on_finish, "deleteSubscriptionOnFinish", 0,
		.doc = "Delete the subscription when the source stops."),
	FIELD_PTR(struct pub_sub_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct pub_sub_source, json_body, "jsonBody", 0,
		.doc = "Whether payloads are JSON and go into the data as such; else they go in as base64."),
	FIELD(struct pub_sub_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct pub_sub_source, project_id, "projectID", 0, .doc = "Project of the subscription."),
	FIELD(struct pub_sub_source, subscription_id, "subscriptionID", 0, .doc = "Subscription; made if absent."),
	FIELD(struct pub_sub_source, topic, "topic", 0, .doc = "Topic to subscribe to."),
	FIELD(struct pub_sub_source, topic_project_id, "topicProjectID", 0, .doc = "Project of the topic."),
	FIELD_SRC(struct pub_sub_source, src),
	{ 0 } }, check };

const struct source_ops source_pubSub = { .kind = "pubSub", .type = "pubsub", .doc = "Messages of Google Pub/Sub.",
	.schema = &pub_sub_source_schema };
