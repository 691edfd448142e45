/* SPDX-License-Identifier: Apache-2.0 */
/* gitlab: Webhooks of GitLab. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

struct gitlab_source {
	struct secret_ref *access_token;
	bool delete_hook_on_finish;
	bool enable_ssl_verification;
	struct strs events;
	struct source_filter *filter;
	str gitlab_base_url;
	struct strs groups;
	struct kvs metadata;
	str project_id;
	struct strs projects;
	struct secret_ref *secret_token;
	struct webhook_context *webhook;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct gitlab_source *s = obj;

	source_need_list(s->events.n, in, c, "events");
	source_need(s->gitlab_base_url, in, c, "gitlabBaseURL");
	source_need_ref(s->access_token, in, c, "accessToken");
	webhook_context_required(s->webhook, in, c);
}

static const struct schema gitlab_source_schema = { "GitlabEventSource", "Webhooks of GitLab.",
	sizeof(struct gitlab_source), (const struct field[]){
	FIELD_PTR(struct gitlab_source, access_token, "accessToken", 0, &secret_ref_schema,
		.doc = "Token for the API."),
	FIELD(struct gitlab_source, delete_hook_on_finish, "deleteHookOnFinish", 0,
		.doc = "Delete the hook when the source stops."),
	FIELD(struct gitlab_source, enable_ssl_verification, "enableSSLVerification", 0,
		.doc = "Whether GitLab checks our certificate."),
	FIELD(struct gitlab_source, events, "events", 0, .doc = "Events to register for, such as PushEvents."),
	FIELD_PTR(struct gitlab_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct gitlab_source, gitlab_base_url, "gitlabBaseURL", 0, .doc = "URL of the server."),
	FIELD(struct gitlab_source, groups, "groups", 0, .doc = "Groups to register with."),
	FIELD(struct gitlab_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct gitlab_source, project_id, "projectID", DEPRECATED, .hint = "write projects", .doc = "Project."),
	FIELD(struct gitlab_source, projects, "projects", 0, .doc = "Projects to register with."),
	FIELD_PTR(struct gitlab_source, secret_token, "secretToken", 0, &secret_ref_schema,
		.doc = "Token that GitLab sends along."),
	FIELD_PTR(struct gitlab_source, webhook, "webhook", 0, &webhook_context_schema, .doc = "The endpoint."),
	FIELD_SRC(struct gitlab_source, src),
	{ 0 } }, check };

const struct source_ops source_gitlab = { .kind = "gitlab", .doc = "Webhooks of GitLab.",
	.schema = &gitlab_source_schema, .rolling = true };
