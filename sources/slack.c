/* SPDX-License-Identifier: Apache-2.0 */
/* slack: Events of a Slack app. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

struct slack_source {
	struct source_filter *filter;
	struct kvs metadata;
	struct secret_ref *signing_secret;
	struct secret_ref *token;
	struct webhook_context *webhook;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct slack_source *s = obj;

	source_need_ref(s->token, in, c, "token");
	source_need_ref(s->signing_secret, in, c, "signingSecret");
	webhook_context_required(s->webhook, in, c);
}

static const struct schema slack_source_schema = { "SlackEventSource", "Events of a Slack app.",
	sizeof(struct slack_source), (const struct field[]){
	FIELD_PTR(struct slack_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct slack_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD_PTR(struct slack_source, signing_secret, "signingSecret", 0, &secret_ref_schema,
		.doc = "Secret that signs the requests."),
	FIELD_PTR(struct slack_source, token, "token", 0, &secret_ref_schema, .doc = "Verification token of the app."),
	FIELD_PTR(struct slack_source, webhook, "webhook", 0, &webhook_context_schema, .doc = "The endpoint."),
	FIELD_SRC(struct slack_source, src),
	{ 0 } }, check };

const struct source_ops source_slack = { .kind = "slack", .doc = "Events of a Slack app.",
	.schema = &slack_source_schema, .rolling = true };
