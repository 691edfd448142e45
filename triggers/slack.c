/* SPDX-License-Identifier: Apache-2.0 */
/* slack: Posts to a Slack channel. Not served yet: the table is what lint knows. */
#include "triggers/check.h"
#include "triggers/parameter.h"
#include "triggers/trigger.h"

struct slack_sender {
	str icon;
	str username;
	const struct val *src;
};
static const struct schema slack_sender_schema = { "SlackSender", "Who posts.", sizeof(struct slack_sender),
	(const struct field[]){
	FIELD(struct slack_sender, icon, "icon", 0, .doc = "Emoji or URL of the picture."),
	FIELD(struct slack_sender, username, "username", 0, .doc = "Name to show."),
	FIELD_SRC(struct slack_sender, src),
	{ 0 } } };

struct slack_thread {
	bool broadcast_message_to_channel;
	str message_aggregation_key;
	const struct val *src;
};
static const struct schema slack_thread_schema = { "SlackThread", "Thread to post to.", sizeof(struct slack_thread),
	(const struct field[]){
	FIELD(struct slack_thread, broadcast_message_to_channel, "broadcastMessageToChannel", 0,
		.doc = "Show it in the channel as well."),
	FIELD(struct slack_thread, message_aggregation_key, "messageAggregationKey", 0,
		.doc = "Messages with the same key go into one thread."),
	FIELD_SRC(struct slack_thread, src),
	{ 0 } } };

struct slack_trigger {
	str attachments;
	str blocks;
	str channel;
	str message;
	LIST_OF(struct trigger_parameter) parameters;
	struct slack_sender *sender;
	struct secret_ref *slack_token;
	struct slack_thread *thread;
	const struct val *src;
};

/* Parameters may still fill in a template here, so text with a placeholder is not looked into. */
static void
check_json(str text, const struct val *in, struct decode *c, const char *field)
{
	if (text.n && str_find(text, S("{{"), 0) == SIZE_MAX && !json_valid(text))
		decode_warn(c, in, field, "is not JSON");
}

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct slack_trigger *t = obj;

	trigger_need_ref(t->slack_token, in, c, "slackToken");
	check_json(t->attachments, in, c, "attachments");
	check_json(t->blocks, in, c, "blocks");
}

static const struct schema slack_trigger_schema = { "SlackTrigger", "Posts to a Slack channel.",
	sizeof(struct slack_trigger), (const struct field[]){
	FIELD(struct slack_trigger, attachments, "attachments", 0, .doc = "Attachments, JSON."),
	FIELD(struct slack_trigger, blocks, "blocks", 0, .doc = "Blocks, JSON."),
	FIELD(struct slack_trigger, channel, "channel", 0, .doc = "Channel to post to."),
	FIELD(struct slack_trigger, message, "message", 0, .doc = "Text to post."),
	FIELD_LIST(struct slack_trigger, parameters, "parameters", 0, &trigger_parameter_schema,
		.doc = "Values from events to put into this trigger."),
	FIELD_PTR(struct slack_trigger, sender, "sender", 0, &slack_sender_schema, .doc = "Who posts."),
	FIELD_PTR(struct slack_trigger, slack_token, "slackToken", 0, &secret_ref_schema, .doc = "Token of the app."),
	FIELD_PTR(struct slack_trigger, thread, "thread", 0, &slack_thread_schema, .doc = "Thread to post to."),
	FIELD_SRC(struct slack_trigger, src),
	{ 0 } }, check };

const struct trigger_ops trigger_slack = { .kind = "slack", .doc = "Posts to a Slack channel.",
	.schema = &slack_trigger_schema };
