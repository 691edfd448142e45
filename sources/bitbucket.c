/* SPDX-License-Identifier: Apache-2.0 */
/* bitbucket: Webhooks of Bitbucket Cloud. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

struct bitbucket_basic {
	struct secret_ref *password;
	struct secret_ref *username;
	const struct val *src;
};
static const struct schema bitbucket_basic_schema = { "BitbucketBasicAuth", "User name and password.",
	sizeof(struct bitbucket_basic), (const struct field[]){
	FIELD_PTR(struct bitbucket_basic, password, "password", 0, &secret_ref_schema, .doc = "Password."),
	FIELD_PTR(struct bitbucket_basic, username, "username", 0, &secret_ref_schema, .doc = "User name."),
	FIELD_SRC(struct bitbucket_basic, src),
	{ 0 } } };

struct bitbucket_auth {
	struct bitbucket_basic *basic;
	struct secret_ref *oauth_token;
	const struct val *src;
};
static const struct schema bitbucket_auth_schema = { "BitbucketAuth", "How to identify to the API.",
	sizeof(struct bitbucket_auth), (const struct field[]){
	FIELD_PTR(struct bitbucket_auth, basic, "basic", 0, &bitbucket_basic_schema, .doc = "User name and password."),
	FIELD_PTR(struct bitbucket_auth, oauth_token, "oauthToken", 0, &secret_ref_schema, .doc = "OAuth token."),
	FIELD_SRC(struct bitbucket_auth, src),
	{ 0 } } };

struct bitbucket_repository {
	str owner;
	str repository_slug;
	const struct val *src;
};
static const struct schema bitbucket_repository_schema = { "BitbucketRepository", "A repository.",
	sizeof(struct bitbucket_repository), (const struct field[]){
	FIELD(struct bitbucket_repository, owner, "owner", 0, .doc = "Its owner."),
	FIELD(struct bitbucket_repository, repository_slug, "repositorySlug", 0, .doc = "Its name in URLs."),
	FIELD_SRC(struct bitbucket_repository, src),
	{ 0 } } };

struct bitbucket_source {
	struct bitbucket_auth *auth;
	bool delete_hook_on_finish;
	struct strs events;
	struct source_filter *filter;
	struct kvs metadata;
	str owner;
	str project_key;
	LIST_OF(struct bitbucket_repository) repositories;
	str repository_slug;
	struct webhook_context *webhook;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct bitbucket_source *s = obj;

	if (!s->repositories.n && !(s->owner.n && s->repository_slug.n))
		decode_error(c, in, NULL, "at least one repository must be listed in repositories");
	if (s->auth && s->webhook && s->webhook->url.n && !s->events.n)
		decode_error(c, in, NULL, "events must be defined to create a bitbucket webhook");
	webhook_context_required(s->webhook, in, c);
}

static const struct schema bitbucket_source_schema = { "BitbucketEventSource", "Webhooks of Bitbucket Cloud.",
	sizeof(struct bitbucket_source), (const struct field[]){
	FIELD_PTR(struct bitbucket_source, auth, "auth", 0, &bitbucket_auth_schema,
		.doc = "How to identify to the API."),
	FIELD(struct bitbucket_source, delete_hook_on_finish, "deleteHookOnFinish", 0,
		.doc = "Delete the hook when the source stops."),
	FIELD(struct bitbucket_source, events, "events", 0, .doc = "Events to register for."),
	FIELD_PTR(struct bitbucket_source, filter, "filter", 0, &source_filter_schema,
		.doc = "Which events are let in."),
	FIELD(struct bitbucket_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct bitbucket_source, owner, "owner", DEPRECATED, .hint = "write repositories",
		.doc = "Owner of the repository."),
	FIELD(struct bitbucket_source, project_key, "projectKey", DEPRECATED, .hint = "write repositories",
		.doc = "Project of the repository."),
	FIELD_LIST(struct bitbucket_source, repositories, "repositories", 0, &bitbucket_repository_schema,
		.doc = "Repositories to register with."),
	FIELD(struct bitbucket_source, repository_slug, "repositorySlug", DEPRECATED, .hint = "write repositories",
		.doc = "Repository."),
	FIELD_PTR(struct bitbucket_source, webhook, "webhook", 0, &webhook_context_schema, .doc = "The endpoint."),
	FIELD_SRC(struct bitbucket_source, src),
	{ 0 } }, check };

const struct source_ops source_bitbucket = { .kind = "bitbucket", .doc = "Webhooks of Bitbucket Cloud.",
	.schema = &bitbucket_source_schema, .rolling = true };
