/* SPDX-License-Identifier: Apache-2.0 */
/* bitbucketserver: Webhooks of a Bitbucket server. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

struct bitbucketserver_repository {
	str project_key;
	str repository_slug;
	const struct val *src;
};
static const struct schema bitbucketserver_repository_schema = { "BitbucketServerRepository", "A repository.",
	sizeof(struct bitbucketserver_repository), (const struct field[]){
	FIELD(struct bitbucketserver_repository, project_key, "projectKey", 0, .doc = "Its project."),
	FIELD(struct bitbucketserver_repository, repository_slug, "repositorySlug", 0, .doc = "Its name in URLs."),
	FIELD_SRC(struct bitbucketserver_repository, src),
	{ 0 } } };

struct bitbucketserver_source {
	struct secret_ref *access_token;
	str bitbucketserver_base_url;
	str check_interval;
	bool delete_hook_on_finish;
	struct strs events;
	struct source_filter *filter;
	struct kvs metadata;
	bool one_event_per_change;
	str project_key;
	struct strs projects;
	LIST_OF(struct bitbucketserver_repository) repositories;
	str repository_slug;
	bool skip_branch_refs_changed_on_open_pr;
	struct tls_config *tls;
	struct webhook_context *webhook;
	struct secret_ref *webhook_secret;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct bitbucketserver_source *s = obj;

	if (s->access_token && s->webhook && s->webhook->url.n && !s->events.n)
		decode_error(c, in, NULL, "events must be defined to create a bitbucket server webhook");
	source_need(s->bitbucketserver_base_url, in, c, "bitbucketserverBaseURL");
	source_check_interval(s->check_interval, in, c, "checkInterval");
	webhook_context_required(s->webhook, in, c);
}

static const struct schema bitbucketserver_source_schema = { "BitbucketServerEventSource",
	"Webhooks of a Bitbucket server.", sizeof(struct bitbucketserver_source), (const struct field[]){
	FIELD_PTR(struct bitbucketserver_source, access_token, "accessToken", 0, &secret_ref_schema,
		.doc = "Token for the API."),
	FIELD(struct bitbucketserver_source, bitbucketserver_base_url, "bitbucketserverBaseURL", 0,
		.doc = "URL of the REST API."),
	FIELD(struct bitbucketserver_source, check_interval, "checkInterval", 0,
		.doc = "How often the hook is looked after."),
	FIELD(struct bitbucketserver_source, delete_hook_on_finish, "deleteHookOnFinish", 0,
		.doc = "Delete the hook when the source stops."),
	FIELD(struct bitbucketserver_source, events, "events", 0, .doc = "Events to register for."),
	FIELD_PTR(struct bitbucketserver_source, filter, "filter", 0, &source_filter_schema,
		.doc = "Which events are let in."),
	FIELD(struct bitbucketserver_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct bitbucketserver_source, one_event_per_change, "oneEventPerChange", 0,
		.doc = "One event for each change of a push."),
	FIELD(struct bitbucketserver_source, project_key, "projectKey", DEPRECATED, .hint = "write repositories",
		.doc = "Project of the repository."),
	FIELD(struct bitbucketserver_source, projects, "projects", 0, .doc = "Projects to register with."),
	FIELD_LIST(struct bitbucketserver_source, repositories, "repositories", 0, &bitbucketserver_repository_schema,
		.doc = "Repositories to register with."),
	FIELD(struct bitbucketserver_source, repository_slug, "repositorySlug", DEPRECATED,
		.hint = "write repositories", .doc = "Repository."),
	FIELD(struct bitbucketserver_source, skip_branch_refs_changed_on_open_pr, "skipBranchRefsChangedOnOpenPR", 0,
		.doc = "Leave out pushes to a branch with an open pull request."),
	FIELD_PTR(struct bitbucketserver_source, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD_PTR(struct bitbucketserver_source, webhook, "webhook", 0, &webhook_context_schema,
		.doc = "The endpoint."),
	FIELD_PTR(struct bitbucketserver_source, webhook_secret, "webhookSecret", 0, &secret_ref_schema,
		.doc = "Secret that signs the hooks."),
	FIELD_SRC(struct bitbucketserver_source, src),
	{ 0 } }, check };

const struct source_ops source_bitbucketserver = { .kind = "bitbucketserver", .doc = "Webhooks of a Bitbucket server.",
	.schema = &bitbucketserver_source_schema, .rolling = true };
