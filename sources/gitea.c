/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gitea: webhooks of Gitea and of Forgejo, which are the same but for a name in a header. Not in Argo Events. The body must be
 * sent as JSON (the hook's content type application/json): that is what is signed.
 */
#include "sources/check.h"
#include "sources/github.h"

struct gitea_source {
	struct signed_config common;
	struct secret_ref *access_token;
	bool delete_hook_on_finish;
	struct strs events;
	struct source_filter *filter;
	str base_url;
	struct strs organizations;
	LIST_OF(struct owned_repositories) repositories;
	const struct val *src;
};

static bool
registers_hooks(const struct gitea_source *s)
{
	return s->access_token && s->common.webhook && s->common.webhook->url.n;
}

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct gitea_source *s = obj;

	if (registers_hooks(s)) {
		source_need_list(s->events.n, in, c, "events");
		source_need(s->base_url, in, c, "giteaBaseURL");
		if (!s->repositories.n && !s->organizations.n)
			decode_error(c, in, NULL, "repositories or organizations are needed to register the hook with");
	}
	webhook_context_required(s->common.webhook, in, c);
	if (!s->common.secret)
		decode_warn(c, in, NULL, "without webhookSecret anybody who reaches the port can send events");
}

static const struct schema gitea_source_schema = { "GiteaEventSource", "Webhooks of Gitea or Forgejo. Tidegate's own.",
	sizeof(struct gitea_source), (const struct field[]){
	FIELD_PTR(struct gitea_source, access_token, "accessToken", 0, &secret_ref_schema,
		.doc = "Token for the API; with webhook.url hooks are registered."),
	FIELD(struct gitea_source, delete_hook_on_finish, "deleteHookOnFinish", 0, .doc = "Delete the hook when the source stops."),
	FIELD(struct gitea_source, events, "events", 0, .doc = "Events to register for, such as push."),
	FIELD_PTR(struct gitea_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct gitea_source, base_url, "giteaBaseURL", 0, .doc = "URL of the server, without /api/v1."),
	FIELD(struct gitea_source, common.metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct gitea_source, organizations, "organizations", 0, .doc = "Organizations to register with."),
	FIELD_LIST(struct gitea_source, repositories, "repositories", 0, &owned_repositories_schema, .doc = "Repositories to register with."),
	FIELD_PTR(struct gitea_source, common.webhook, "webhook", 0, &webhook_context_schema, .doc = "The endpoint."),
	FIELD_PTR(struct gitea_source, common.secret, "webhookSecret", 0, &secret_ref_schema,
		.doc = "Secret that signs the deliveries; without it anything is accepted."),
	FIELD_SRC(struct gitea_source, src),
	{ 0 } }, check };

/* ---- hooks ---------------------------------------------------------------------------------------------------- */

static const struct gitea_source *
config(const struct hook_site *site)
{
	return source_config(site->source);
}

static int
begin(struct hook_site *site, struct err *e UNUSED)
{
	const struct gitea_source *c = config(site);
	str base = hook_base(c->base_url, "");
	site->base = arena_fmt(site->arena, "%.*s/api/v1", STR_ARG(base));
	site->delete_at_end = c->delete_hook_on_finish;
	for (size_t i = 0; i < c->organizations.n; i++)
		hook_add_target(site, 0, "orgs/%.*s/hooks", STR_ARG(c->organizations.p[i]));
	for (size_t i = 0; i < c->repositories.n; i++)
		for (size_t k = 0; k < c->repositories.p[i].names.n; k++)
			hook_add_target(site, 0, "repos/%.*s/%.*s/hooks", STR_ARG(c->repositories.p[i].owner), STR_ARG(c->repositories.p[i].names.p[k]));
	return 0;
}

static int
authorize(struct hook_site *site, struct hook_request *q, struct err *e)
{
	return hook_authorize(q, site, "token", config(site)->access_token, e);
}

enum { PAGE = 50 /* the most that a server gives, as it is installed */ };

static bool
list(struct hook_site *site, const struct hook_target *t, unsigned page, struct hook_request *q)
{
	hook_call(q, "GET", STR_NONE, site, "/%.*s?limit=%d&page=%u", STR_ARG(t->path), PAGE, page);
	return true;
}

/* By its URL alone: the events that the API shows are not those that were asked for, but what it made of them. */
static int
find(struct hook_site *site, size_t target UNUSED, str answer, struct arena *a, str *id, struct err *e)
{
	const struct val *hook;
	int n = hook_read_page(site, answer, NULL, "config.url", a, &hook, e);
	if (n < 0 || !hook)
		return n < 0 ? -1 : n == PAGE ? HOOK_MORE : HOOK_NONE;
	*id = hook_text(hook, "id", a);
	return HOOK_OURS;
}

static int
create(struct hook_site *site, const struct hook_target *t, struct hook_request *q, struct err *e)
{
	const struct gitea_source *c = config(site);
	struct val_map m = { 0 }, conf = { 0 };
	str secret;
	if (c->common.secret && source_secret(site->source, c->common.secret, q->arena, &secret, e) < 0)
		return err_wrap(e, "webhookSecret");
	val_map_add(&conf, S("url"), val_str(site->url));
	val_map_add(&conf, S("content_type"), val_str(S("json")));
	if (c->common.secret)
		val_map_add(&conf, S("secret"), val_str(secret));
	val_map_add(&m, S("type"), val_str(S("gitea")));
	val_map_add(&m, S("config"), val_map_end(&conf, q->arena));
	val_map_add(&m, S("events"), hook_events(&c->events, q->arena));
	val_map_add(&m, S("active"), val_bool(true));
	hook_write(site, t, q, "PATCH", val_map_end(&m, q->arena));
	return 0;
}

static const struct hook_api hooks = { .forge = "Gitea", .begin = begin, .authorize = authorize, .list = list, .find = find,
	.create = create, .remove = hook_delete };

/* ---- life ----------------------------------------------------------------------------------------------------- */

static bool
registers(const struct source *s)
{
	return registers_hooks(source_config(s));
}

static const struct signed_kind gitea = { .signature = &signatures[SIGNED_GITEA], .secret = "webhookSecret", .hooks = &hooks,
	.registers = registers };

static int
start(struct source *s, struct err *e)
{
	return signed_start(s, &gitea, 0, e);
}

const struct source_ops source_gitea = { .kind = "gitea", .doc = "Webhooks of Gitea.", .schema = &gitea_source_schema, .rolling = true,
	.start = start, .ack = webhook_ack, .stop = signed_stop, .wrap = signed_wrap };
const struct source_ops source_forgejo = { .kind = "forgejo", .doc = "Webhooks of Forgejo.", .schema = &gitea_source_schema,
	.rolling = true, .start = start, .ack = webhook_ack, .stop = signed_stop, .wrap = signed_wrap };
