/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bitbucket: webhooks of Bitbucket Cloud (spec events B3). Argo Events checks nothing; here webhookSecret, a field of ours, is
 * given to the hooks that are registered, and checked.
 */
#include "sources/check.h"
#include "sources/signed.h"

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
	struct signed_config common;
	struct bitbucket_auth *auth;
	bool delete_hook_on_finish;
	str endpoint;
	struct strs events;
	struct source_filter *filter;
	str owner;
	str project_key;
	LIST_OF(struct bitbucket_repository) repositories;
	str repository_slug;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct bitbucket_source *s = obj;

	if (!s->repositories.n && !(s->owner.n && s->repository_slug.n))
		decode_error(c, in, NULL, "at least one repository must be listed in repositories");
	if (s->auth && s->common.webhook && s->common.webhook->url.n && !s->events.n)
		decode_error(c, in, NULL, "events must be defined to create a bitbucket webhook");
	if (s->auth && !s->auth->oauth_token && (!s->auth->basic || !s->auth->basic->username || !s->auth->basic->password))
		decode_error(c, in, "auth", "write basic: {username: ..., password: ...}, or oauthToken");
	webhook_context_required(s->common.webhook, in, c);
	if (!s->common.secret)
		decode_warn(c, in, NULL, "without webhookSecret anybody who reaches the port can send events");
}

static const struct schema bitbucket_source_schema = { "BitbucketEventSource", "Webhooks of Bitbucket Cloud.",
	sizeof(struct bitbucket_source), (const struct field[]){
	FIELD_PTR(struct bitbucket_source, auth, "auth", 0, &bitbucket_auth_schema,
		.doc = "How to identify to the API."),
	FIELD(struct bitbucket_source, delete_hook_on_finish, "deleteHookOnFinish", 0,
		.doc = "Delete the hook when the source stops."),
	FIELD(struct bitbucket_source, endpoint, "endpoint", 0,
		.doc = "URL of the API, if it is not https://api.bitbucket.org/2.0. Tidegate's own field."),
	FIELD(struct bitbucket_source, events, "events", 0, .doc = "Events to register for."),
	FIELD_PTR(struct bitbucket_source, filter, "filter", 0, &source_filter_schema,
		.doc = "Which events are let in."),
	FIELD(struct bitbucket_source, common.metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct bitbucket_source, owner, "owner", DEPRECATED, .hint = "write repositories",
		.doc = "Owner of the repository."),
	FIELD(struct bitbucket_source, project_key, "projectKey", DEPRECATED, .hint = "write repositories",
		.doc = "Project of the repository."),
	FIELD_LIST(struct bitbucket_source, repositories, "repositories", 0, &bitbucket_repository_schema,
		.doc = "Repositories to register with."),
	FIELD(struct bitbucket_source, repository_slug, "repositorySlug", DEPRECATED, .hint = "write repositories",
		.doc = "Repository."),
	FIELD_PTR(struct bitbucket_source, common.webhook, "webhook", 0, &webhook_context_schema, .doc = "The endpoint."),
	FIELD_PTR(struct bitbucket_source, common.secret, "webhookSecret", 0, &secret_ref_schema,
		.doc = "Secret that signs the deliveries; without it anything is accepted. Tidegate's own field."),
	FIELD_SRC(struct bitbucket_source, src),
	{ 0 } }, check };

/* ---- hooks ---------------------------------------------------------------------------------------------------- */

static const struct bitbucket_source *
config(const struct hook_site *site)
{
	return source_config(site->source);
}

static void
add_target(struct hook_site *site, str owner, str slug)
{
	hook_add_target(site, 0, "repositories/%.*s/%.*s/hooks", STR_ARG(sigv4_encode(site->arena, owner, false)),
	                STR_ARG(sigv4_encode(site->arena, slug, false)));
}

static int
begin(struct hook_site *site, struct err *e UNUSED)
{
	const struct bitbucket_source *c = config(site);
	site->base = hook_base(c->endpoint, "https://api.bitbucket.org/2.0");
	site->delete_at_end = c->delete_hook_on_finish;
	for (size_t i = 0; i < c->repositories.n; i++)
		add_target(site, c->repositories.p[i].owner, c->repositories.p[i].repository_slug);
	if (c->owner.n && c->repository_slug.n)
		add_target(site, c->owner, c->repository_slug);
	return 0;
}

static int
authorize(struct hook_site *site, struct hook_request *q, struct err *e)
{
	const struct bitbucket_auth *auth = config(site)->auth;
	if (auth->basic)
		return hook_basic(q, site, auth->basic->username, auth->basic->password, e);
	return hook_authorize(q, site, "Bearer", auth->oauth_token, e);
}

static bool
list(struct hook_site *site, const struct hook_target *t, unsigned page, struct hook_request *q)
{
	hook_call(q, "GET", STR_NONE, site, "/%.*s?pagelen=100&page=%u", STR_ARG(t->path), page);
	return true;
}

/* The id is a UUID in braces, which an URL cannot have. */
static str
id_of(const struct val *hook, struct arena *a)
{
	str uuid = hook_text(hook, "uuid", a);
	return uuid.n ? sigv4_encode(a, uuid, false) : STR_NONE;
}

static int
find(struct hook_site *site, size_t target UNUSED, str answer, struct arena *a, str *id, struct err *e)
{
	const struct val *hook;
	struct val all;
	if (hook_read_page(site, answer, "values", "url", a, &hook, e) < 0 || json_read(a, answer, &all, e) < 0)
		return -1;
	if (!hook)
		return val_get(&all, S("next")) ? HOOK_MORE : HOOK_NONE;
	*id = id_of(hook, a);
	return hook_same_events(val_get(hook, S("events")), &config(site)->events) ? HOOK_OURS : HOOK_STALE;
}

static int
create(struct hook_site *site, const struct hook_target *t, struct hook_request *q, struct err *e)
{
	const struct bitbucket_source *c = config(site);
	struct val_map m = { 0 };
	str secret;
	if (c->common.secret && source_secret(site->source, c->common.secret, q->arena, &secret, e) < 0)
		return err_wrap(e, "webhookSecret");
	val_map_add(&m, S("description"), val_str(S("webhook managed by Tidegate")));
	val_map_add(&m, S("url"), val_str(site->url));
	val_map_add(&m, S("active"), val_bool(true));
	val_map_add(&m, S("events"), hook_events(&c->events, q->arena));
	if (c->common.secret)
		val_map_add(&m, S("secret"), val_str(secret));
	hook_write(site, t, q, "PUT", val_map_end(&m, q->arena));
	return 0;
}

static str
created(const struct hook_target *t UNUSED, str answer, struct arena *a)
{
	struct val hook;
	struct err e;
	return json_read(a, answer, &hook, &e) == 0 ? id_of(&hook, a) : STR_NONE;
}

static const struct hook_api hooks = { .forge = "Bitbucket", .begin = begin, .authorize = authorize, .list = list, .find = find,
	.create = create, .created = created, .remove = hook_delete };

/* ---- life ----------------------------------------------------------------------------------------------------- */

static bool
registers(const struct source *s)
{
	const struct bitbucket_source *c = source_config(s);
	return c->auth && c->common.webhook->url.n;
}

static const struct signed_kind bitbucket = { .signature = &signatures[SIGNED_BITBUCKET], .secret = "webhookSecret", .hooks = &hooks,
	.registers = registers };

static int
start(struct source *s, struct err *e)
{
	return signed_start(s, &bitbucket, 0, e);
}

const struct source_ops source_bitbucket = { .kind = "bitbucket", .doc = "Webhooks of Bitbucket Cloud.",
	.schema = &bitbucket_source_schema, .rolling = true, .start = start, .ack = webhook_ack, .stop = signed_stop, .wrap = signed_wrap };
