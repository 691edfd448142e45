/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gitlab: webhooks of GitLab (spec events B2). X-Gitlab-Token is compared whenever secretToken is given, and not only when hooks
 * are registered. Idempotency-Key, the same over GitLab's retries, names the delivery.
 */
#include "sources/check.h"
#include "sources/signed.h"

struct gitlab_source {
	struct signed_config common;
	struct secret_ref *access_token;
	bool delete_hook_on_finish;
	bool enable_ssl_verification;
	struct strs events;
	struct source_filter *filter;
	str gitlab_base_url;
	struct strs groups;
	str project_id;
	struct strs projects;
	const struct val *src;
};

/* ---- events --------------------------------------------------------------------------------------------------- */

/* As manifests have them (fields of go-gitlab's AddProjectHookOptions and AddGroupHookOptions), and as the API does. */
static const struct {
	const char *name, *flag;
} event_flags[] = {
	{ "PushEvents", "push_events" },
	{ "TagPushEvents", "tag_push_events" },
	{ "IssuesEvents", "issues_events" },
	{ "ConfidentialIssuesEvents", "confidential_issues_events" },
	{ "MergeRequestsEvents", "merge_requests_events" },
	{ "NoteEvents", "note_events" },
	{ "ConfidentialNoteEvents", "confidential_note_events" },
	{ "JobEvents", "job_events" },
	{ "PipelineEvents", "pipeline_events" },
	{ "WikiPageEvents", "wiki_page_events" },
	{ "DeploymentEvents", "deployment_events" },
	{ "ReleasesEvents", "releases_events" },
	{ "SubGroupEvents", "subgroup_events" },
	{ "MemberEvents", "member_events" },
	{ "EmojiEvents", "emoji_events" },
	{ "FeatureFlagEvents", "feature_flag_events" },
	{ "MilestoneEvents", "milestone_events" },
	{ "ProjectEvents", "project_events" },
	{ "ResourceAccessTokenEvents", "resource_access_token_events" },
	{ "VulnerabilityEvents", "vulnerability_events" },
};
enum { ALWAYS_SAID = 10 /* of event_flags: switched off as well as on; GitLab sends pushes unless told not to */ };

static bool
wants(const struct strs *events, const char *name)
{
	for (size_t i = 0; i < events->n; i++)
		if (str_eq(events->p[i], str_c(name)))
			return true;
	return false;
}

static bool
is_event(str name)
{
	for (size_t i = 0; i < ARRAY_LEN(event_flags); i++)
		if (str_eq(name, str_c(event_flags[i].name)))
			return true;
	return false;
}

/* ---- the table ------------------------------------------------------------------------------------------------ */

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct gitlab_source *s = obj;

	source_need_list(s->events.n, in, c, "events");
	source_need(s->gitlab_base_url, in, c, "gitlabBaseURL");
	source_need_ref(s->access_token, in, c, "accessToken");
	webhook_context_required(s->common.webhook, in, c);
	for (size_t i = 0; i < s->events.n; i++)
		if (!is_event(s->events.p[i]))
			decode_error(c, in, "events", "unknown event %.*s: write the API's names as in PushEvents, MergeRequestsEvents",
				STR_ARG(s->events.p[i]));
	if (!s->common.secret)
		decode_warn(c, in, NULL, "without secretToken anybody who reaches the port can send events");
}

static const struct schema gitlab_source_schema = { "GitlabEventSource", "Webhooks of GitLab.",
	sizeof(struct gitlab_source), (const struct field[]){
	FIELD_PTR(struct gitlab_source, access_token, "accessToken", 0, &secret_ref_schema,
		.doc = "Token for the API; with webhook.url hooks are registered."),
	FIELD(struct gitlab_source, delete_hook_on_finish, "deleteHookOnFinish", 0,
		.doc = "Delete the hook when the source stops."),
	FIELD(struct gitlab_source, enable_ssl_verification, "enableSSLVerification", 0,
		.doc = "Whether GitLab checks our certificate."),
	FIELD(struct gitlab_source, events, "events", 0, .doc = "Events to register for, such as PushEvents."),
	FIELD_PTR(struct gitlab_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct gitlab_source, gitlab_base_url, "gitlabBaseURL", 0, .doc = "URL of the server."),
	FIELD(struct gitlab_source, groups, "groups", 0, .doc = "Groups to register with."),
	FIELD(struct gitlab_source, common.metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct gitlab_source, project_id, "projectID", DEPRECATED, .hint = "write projects", .doc = "Project."),
	FIELD(struct gitlab_source, projects, "projects", 0, .doc = "Projects to register with."),
	FIELD_PTR(struct gitlab_source, common.secret, "secretToken", 0, &secret_ref_schema,
		.doc = "Token that GitLab sends along; without it anything is accepted."),
	FIELD_PTR(struct gitlab_source, common.webhook, "webhook", 0, &webhook_context_schema, .doc = "The endpoint."),
	FIELD_SRC(struct gitlab_source, src),
	{ 0 } }, check };

/* ---- hooks ---------------------------------------------------------------------------------------------------- */

static const struct gitlab_source *
config(const struct hook_site *site)
{
	return source_config(site->source);
}

static void
add_target(struct hook_site *site, const char *plural, str name)
{
	str encoded = sigv4_encode(site->arena, name, false);
	hook_add_target(site, 0, "%s/%.*s/hooks", plural, STR_ARG(encoded));
}

static int
begin(struct hook_site *site, struct err *e UNUSED)
{
	const struct gitlab_source *c = config(site);
	str base = hook_base(c->gitlab_base_url, "");
	site->base = str_ends(base, S("/api/v4")) ? base : arena_fmt(site->arena, "%.*s/api/v4", STR_ARG(base));
	site->delete_at_end = c->delete_hook_on_finish;
	for (size_t i = 0; i < c->groups.n; i++)
		add_target(site, "groups", c->groups.p[i]);
	for (size_t i = 0; i < c->projects.n; i++)
		add_target(site, "projects", c->projects.p[i]);
	if (c->project_id.n)
		add_target(site, "projects", c->project_id);
	return 0;
}

static int
authorize(struct hook_site *site, struct hook_request *q, struct err *e)
{
	str token;
	if (source_secret(site->source, config(site)->access_token, q->arena, &token, e) < 0)
		return err_wrap(e, "accessToken");
	hook_header(q, "PRIVATE-TOKEN", token);
	return 0;
}

enum { PAGE = 100 };

static bool
list(struct hook_site *site, const struct hook_target *t, unsigned page, struct hook_request *q)
{
	hook_call(q, "GET", STR_NONE, site, "/%.*s?per_page=%d&page=%u", STR_ARG(t->path), PAGE, page);
	return true;
}

static bool
has_our_events(const struct val *hook, const struct strs *events)
{
	for (size_t i = 0; i < ARRAY_LEN(event_flags); i++)
		if (val_is_true(val_get(hook, str_c(event_flags[i].flag))) != wants(events, event_flags[i].name))
			return false;
	return true;
}

static int
find(struct hook_site *site, size_t target UNUSED, str answer, struct arena *a, str *id, struct err *e)
{
	const struct val *hook;
	int n = hook_read_page(site, answer, NULL, "url", a, &hook, e);
	if (n < 0 || !hook)
		return n < 0 ? -1 : n == PAGE ? HOOK_MORE : HOOK_NONE;
	*id = hook_text(hook, "id", a);
	return has_our_events(hook, &config(site)->events) ? HOOK_OURS : HOOK_STALE;
}

static int
create(struct hook_site *site, const struct hook_target *t, struct hook_request *q, struct err *e)
{
	const struct gitlab_source *c = config(site);
	struct val_map m = { 0 };
	str token;
	if (c->common.secret && source_secret(site->source, c->common.secret, q->arena, &token, e) < 0)
		return err_wrap(e, "secretToken");
	val_map_add(&m, S("url"), val_str(site->url));
	for (size_t i = 0; i < ARRAY_LEN(event_flags); i++)
		if (i < ALWAYS_SAID || wants(&c->events, event_flags[i].name) || t->id.n)
			val_map_add(&m, str_c(event_flags[i].flag), val_bool(wants(&c->events, event_flags[i].name)));
	val_map_add(&m, S("enable_ssl_verification"), val_bool(c->enable_ssl_verification));
	if (c->common.secret)
		val_map_add(&m, S("token"), val_str(token));
	hook_write(site, t, q, "PUT", val_map_end(&m, q->arena));
	return 0;
}

static const struct hook_api hooks = { .forge = "GitLab", .begin = begin, .authorize = authorize, .list = list, .find = find,
	.create = create, .remove = hook_delete };

/* ---- life ----------------------------------------------------------------------------------------------------- */

static bool
registers(const struct source *s)
{
	const struct gitlab_source *c = source_config(s);
	return c->access_token && c->common.webhook->url.n;
}

static const struct signed_kind gitlab = { .signature = &signatures[SIGNED_GITLAB], .secret = "secretToken", .hooks = &hooks,
	.registers = registers };

static int
start(struct source *s, struct err *e)
{
	return signed_start(s, &gitlab, 0, e);
}

const struct source_ops source_gitlab = { .kind = "gitlab", .doc = "Webhooks of GitLab.", .schema = &gitlab_source_schema,
	.rolling = true, .start = start, .ack = webhook_ack, .stop = signed_stop, .wrap = signed_wrap };
