/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slack: what a Slack app is told (spec events B7): events {"type":"<inner type>","Data":{...}}, slash commands, interactions. Every
 * request is signed, with the time. An event is known by its event_id, which is the same over Slack's retries; everything else
 * by its signature.
 */
#include "core/crypto.h"
#include "sources/check.h"
#include "sources/go_json.h"
#include "sources/signed.h"

struct slack_source {
	struct signed_config common;
	struct source_filter *filter;
	struct secret_ref *token;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct slack_source *s = obj;

	source_need_ref(s->token, in, c, "token");
	source_need_ref(s->common.secret, in, c, "signingSecret");
	webhook_context_required(s->common.webhook, in, c);
}

static const struct schema slack_source_schema = { "SlackEventSource", "Events of a Slack app.",
	sizeof(struct slack_source), (const struct field[]){
	FIELD_PTR(struct slack_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct slack_source, common.metadata, "metadata", NOEFFECT, .doc = "Copied into the data of each event.",
		.hint = "Slack's data has no place for it, in Argo Events neither"),
	FIELD_PTR(struct slack_source, common.secret, "signingSecret", 0, &secret_ref_schema,
		.doc = "Secret that signs the requests."),
	FIELD_PTR(struct slack_source, token, "token", 0, &secret_ref_schema, .doc = "Verification token of the app."),
	FIELD_PTR(struct slack_source, common.webhook, "webhook", 0, &webhook_context_schema, .doc = "The endpoint."),
	FIELD_SRC(struct slack_source, src),
	{ 0 } }, check };

/* ---- events --------------------------------------------------------------------------------------------------- */

/* Inner types that slack-go knows (slackevents/inner_events.go); Argo refuses every other. */
static const char *const inner_types[] = {
	"app_mention", "app_home_opened", "app_uninstalled", "assistant_thread_started", "assistant_thread_context_changed", "channel_created",
	"channel_deleted", "channel_archive", "channel_unarchive", "channel_left", "channel_rename", "channel_id_changed", "file_change",
	"file_deleted", "file_shared", "file_unshared", "group_deleted", "group_archive", "group_unarchive", "group_left", "group_rename",
	"grid_migration_finished", "grid_migration_started", "link_shared", "message", "member_joined_channel", "member_left_channel",
	"pin_added", "pin_removed", "reaction_added", "reaction_removed", "shared_channel_invite_approved", "shared_channel_invite_accepted",
	"shared_channel_invite_declined", "shared_channel_invite_received", "team_join", "tokens_revoked", "emoji_changed",
	"workflow_step_execute", "message_metadata_posted", "message_metadata_updated", "message_metadata_deleted", "team_access_granted",
	"team_access_revoked", "user_profile_changed", "channel_history_changed", "commands_changed", "dnd_updated", "dnd_updated_user",
	"email_domain_changed", "group_close", "group_history_changed", "group_open", "im_close", "im_created", "im_history_changed",
	"im_open", "subteam_created", "subteam_members_changed", "subteam_self_added", "subteam_self_removed", "subteam_updated",
	"team_domain_change", "team_rename", "user_change", "app_deleted", "app_installed", "app_requested", "app_uninstalled_team",
	"call_rejected", "channel_shared", "file_created", "file_public", "function_executed", "invite_requested",
	"shared_channel_invite_requested", "star_added", "star_removed", "user_huddle_changed", "user_status_changed",
};

static bool
is_known(str type)
{
	for (size_t i = 0; i < ARRAY_LEN(inner_types); i++)
		if (str_eq(type, str_c(inner_types[i])))
			return true;
	return false;
}

/* Argo says 500 to whatever it cannot read of a request that is signed. */
static void
refuse(struct source *s, struct http_req *r, str why)
{
	source_count_failure(s);
	webhook_text(r, 500, why);
}

static bool
token_matches(struct source *s, struct http_req *r, const struct val *event)
{
	const struct slack_source *c = source_config(s);
	struct err e;
	str token, given = val_get_str(event, "token");
	return source_secret(s, c->token, http_req_arena(r), &token, &e) == 0 && token.n && given.n && crypto_equal(given, token);
}

static void
emit(struct source *s, struct http_req *r, const struct buf *data, str id)
{
	webhook_emit(s, signed_route(s), r, buf_str(data), id);
}

static void
callback(struct source *s, struct http_req *r, const struct val *event, str id)
{
	const struct val *inner = val_get(event, S("event"));
	str type = val_get_str(inner, "type"), event_id = val_get_str(event, "event_id");
	if (!is_known(type)) {
		refuse(s, r, arena_fmt(http_req_arena(r), "failed to extract event, EventsAPI Error parsing inner event: %.*s, inner Event does "
		                       "not exist! %.*s", STR_ARG(str_slice(type, 0, 100)), STR_ARG(str_slice(type, 0, 100))));
		return;
	}
	struct buf data CLEANUP(free_buf) = { 0 };
	buf_addf(&data, "{\"type\":\"%.*s\",\"Data\":", STR_ARG(type));
	json_write_opts(&data, inner, JSON_HTML);
	buf_addc(&data, '}');
	emit(s, r, &data, event_id.n ? event_id : id);
}

static void
handle_event(struct source *s, struct http_req *r, str id)
{
	struct val event;
	struct err e;
	if (json_read(http_req_arena(r), http_req_body(r), &event, &e) < 0) {
		refuse(s, r, arena_fmt(http_req_arena(r), "failed to extract event, %.*s",
		                       STR_ARG(str_slice(go_json_error(http_req_arena(r), http_req_body(r)), 0, 200))));
		return;
	}
	str type = val_get_str(&event, "type");
	if (!token_matches(s, r, &event))
		refuse(s, r, S("failed to extract event, invalid verification token"));
	else if (str_eq(type, S("url_verification")))
		webhook_text(r, 200, val_get_str(&event, "challenge"));
	else if (str_eq(type, S("event_callback")))
		callback(s, r, &event, id);
	else
		webhook_text(r, 200, S("success"));
}

/* ---- forms ---------------------------------------------------------------------------------------------------- */

struct form {
	const struct http_header *fields;
	size_t n;
};

/* The first of that name, as Go's PostForm.Get; "" if there is none. */
static str
get(const struct form *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (str_eq(f->fields[i].name, str_c(name)))
			return f->fields[i].value;
	return S("");
}

/* What a member of slack-go's SlashCommand is made of. */
enum { TEXT, TEXT_IF_ANY, TRUTH };
static const struct {
	const char *name;
	int shape;
} command_members[] = {
	{ "token", TEXT }, { "team_id", TEXT }, { "team_domain", TEXT }, { "enterprise_id", TEXT_IF_ANY }, { "enterprise_name", TEXT_IF_ANY },
	{ "is_enterprise_install", TRUTH }, { "channel_id", TEXT }, { "channel_name", TEXT }, { "user_id", TEXT }, { "user_name", TEXT },
	{ "command", TEXT }, { "text", TEXT }, { "response_url", TEXT }, { "trigger_id", TEXT }, { "api_app_id", TEXT },
};

static void
handle_command(struct source *s, struct http_req *r, const struct form *f, str id)
{
	struct buf data CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(command_members); i++) {
		str value = get(f, command_members[i].name);
		if (command_members[i].shape == TEXT_IF_ANY && !value.n)
			continue;
		buf_addf(&data, "%s\"%s\":", i ? "," : "{", command_members[i].name);
		if (command_members[i].shape == TRUTH)
			buf_add(&data, str_eq(value, S("true")) ? S("true") : S("false"));
		else
			json_quote(&data, value, JSON_HTML);
	}
	buf_addc(&data, '}');
	emit(s, r, &data, id);
}

static void
handle_interaction(struct source *s, struct http_req *r, str payload, str id)
{
	if (!json_valid(payload)) {
		refuse(s, r, arena_fmt(http_req_arena(r), "failed to parse interaction event, %.*s",
		                       STR_ARG(str_slice(go_json_error(http_req_arena(r), payload), 0, 200))));
		return;
	}
	struct buf data CLEANUP(free_buf) = { 0 };
	go_json_compact(&data, payload);
	emit(s, r, &data, id);
}

static void
handle_form(struct source *s, struct http_req *r, str id)
{
	struct form f;
	f.n = http_form_parse(http_req_arena(r), http_req_body(r), &f.fields);
	if (get(&f, "payload").n)
		handle_interaction(s, r, get(&f, "payload"), id);
	else if (get(&f, "command").n)
		handle_command(s, r, &f, id);
	else
		refuse(s, r, S("could not determine slack type from form parameters"));
}

/* ---- life ----------------------------------------------------------------------------------------------------- */

static void
handle(struct source *s, struct http_req *r)
{
	str id;
	if (!signed_size_ok(s, r) || !signed_passes(s, r, &id))
		return;
	if (str_eq(http_req_header(r, "Content-Type"), S("application/x-www-form-urlencoded")))
		handle_form(s, r, id);
	else
		handle_event(s, r, id);
}

static const struct signed_kind slack = { .signature = &signatures[SIGNED_SLACK], .secret = "signingSecret", .handle = handle };

static int
start(struct source *s, struct err *e)
{
	const struct slack_source *c = source_config(s);
	return signed_secret_there(s, c->token, "token", e) < 0 ? -1 : signed_start(s, &slack, 0, e);
}

const struct source_ops source_slack = { .kind = "slack", .doc = "Events of a Slack app.", .schema = &slack_source_schema,
	.rolling = true, .start = start, .ack = webhook_ack, .stop = signed_stop };
