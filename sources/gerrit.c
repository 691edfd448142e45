/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gerrit: webhooks of Gerrit, by its plugin of that name (spec events B5). The plugin signs nothing: who may send is decided by who
 * reaches the port and knows the endpoint.
 */
#include "sources/check.h"
#include "sources/signed.h"

struct gerrit_source {
	struct signed_config common;
	struct basic_auth *auth;
	bool delete_hook_on_finish;
	struct strs events;
	struct source_filter *filter;
	str gerrit_base_url;
	str hook_name;
	int64_t max_tries;
	struct strs projects;
	bool ssl_verify;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct gerrit_source *s = obj;

	source_need_list(s->projects.n, in, c, "projects");
	source_need_list(s->events.n, in, c, "events");
	source_need(s->gerrit_base_url, in, c, "gerritBaseURL");
	if (!s->auth)
		decode_error(c, in, NULL, "auth can't be empty");
	source_check_basic(s->auth, in, c);
	webhook_context_required(s->common.webhook, in, c);
	if (s->common.webhook && s->common.webhook->url.n && !s->hook_name.n)
		decode_error(c, in, "hookName", "hookName must be specified: what the hook is to be called in Gerrit");
	decode_warn(c, in, NULL, "Gerrit signs nothing: anybody who reaches the port and knows the endpoint can send events");
}

static const struct schema gerrit_source_schema = { "GerritEventSource", "Webhooks of Gerrit.",
	sizeof(struct gerrit_source), (const struct field[]){
	FIELD_PTR(struct gerrit_source, auth, "auth", 0, &basic_auth_schema,
		.doc = "User name and password for the API."),
	FIELD(struct gerrit_source, delete_hook_on_finish, "deleteHookOnFinish", 0,
		.doc = "Delete the hook when the source stops."),
	FIELD(struct gerrit_source, events, "events", 0, .doc = "Events to register for."),
	FIELD_PTR(struct gerrit_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct gerrit_source, gerrit_base_url, "gerritBaseURL", 0, .doc = "URL of the server."),
	FIELD(struct gerrit_source, hook_name, "hookName", 0, .doc = "Name of the hook."),
	FIELD(struct gerrit_source, max_tries, "maxTries", 0, .min = 0, .max = INT32_MAX,
		.doc = "How often Gerrit tries to deliver."),
	FIELD(struct gerrit_source, common.metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct gerrit_source, projects, "projects", 0, .doc = "Projects to register with."),
	FIELD(struct gerrit_source, ssl_verify, "sslVerify", 0, .doc = "Whether Gerrit checks our certificate."),
	FIELD_PTR(struct gerrit_source, common.webhook, "webhook", 0, &webhook_context_schema, .doc = "The endpoint."),
	FIELD_SRC(struct gerrit_source, src),
	{ 0 } }, check };

/* ---- hooks ---------------------------------------------------------------------------------------------------- */

static const struct gerrit_source *
config(const struct hook_site *site)
{
	return source_config(site->source);
}

static int
begin(struct hook_site *site, struct err *e UNUSED)
{
	const struct gerrit_source *c = config(site);
	site->base = hook_base(c->gerrit_base_url, "");
	site->delete_at_end = c->delete_hook_on_finish;
	for (size_t i = 0; i < c->projects.n; i++)
		hook_add_target(site, 0, "a/config/server/webhooks~projects/%.*s/remotes", STR_ARG(sigv4_encode(site->arena, c->projects.p[i], false)));
	return 0;
}

static int
authorize(struct hook_site *site, struct hook_request *q, struct err *e)
{
	const struct basic_auth *auth = config(site)->auth;
	return hook_basic(q, site, auth->username, auth->password, e);
}

static bool
list(struct hook_site *site, const struct hook_target *t, unsigned page UNUSED, struct hook_request *q)
{
	hook_call(q, "GET", STR_NONE, site, "/%.*s/", STR_ARG(t->path));
	return true;
}

/* {"name":{"url":...}}, after a line that keeps browsers from running it. */
static int
find(struct hook_site *site, size_t target UNUSED, str answer, struct arena *a, str *id, struct err *e)
{
	const struct gerrit_source *c = config(site);
	struct val hooks;
	if (str_starts(answer, S(")]}'")))
		answer = str_slice(answer, 4, answer.n);
	if (json_read(a, answer, &hooks, e) < 0)
		return -1;
	const struct val *hook = val_get(&hooks, c->hook_name);
	*id = sigv4_encode(a, c->hook_name, false);
	bool ours = str_eq(val_get_str(hook, "url"), site->url) && hook_same_events(val_get(hook, S("events")), &c->events);
	return ours ? HOOK_OURS : HOOK_NONE;
}

/* A hook of that name is replaced. Gerrit wants the number as text. */
static int
create(struct hook_site *site, const struct hook_target *t, struct hook_request *q, struct err *e UNUSED)
{
	const struct gerrit_source *c = config(site);
	struct val_map m = { 0 };
	val_map_add(&m, S("url"), val_str(site->url));
	val_map_add(&m, S("events"), hook_events(&c->events, q->arena));
	if (c->max_tries)
		val_map_add(&m, S("maxTries"), val_str(arena_fmt(q->arena, "%lld", (long long)c->max_tries)));
	if (c->ssl_verify)
		val_map_add(&m, S("sslVerify"), val_bool(true));
	struct val v = val_map_end(&m, q->arena);
	hook_call(q, "PUT", json_write(q->arena, &v), site, "/%.*s/%.*s", STR_ARG(t->path), STR_ARG(sigv4_encode(q->arena, c->hook_name, false)));
	return 0;
}

/* Its name is its id; whether it is ours is known from the URL alone. */
static str
created(const struct hook_target *t, str answer UNUSED, struct arena *a)
{
	return t->id.n ? t->id : arena_dup(a, S("?"));
}

static void
take_away(struct hook_site *site, const struct hook_target *t, struct hook_request *q)
{
	hook_call(q, "DELETE", STR_NONE, site, "/%.*s/%.*s", STR_ARG(t->path), STR_ARG(sigv4_encode(q->arena, config(site)->hook_name, false)));
}

static const struct hook_api hooks = { .forge = "Gerrit", .begin = begin, .authorize = authorize, .list = list, .find = find,
	.create = create, .created = created, .remove = take_away };

/* ---- life ----------------------------------------------------------------------------------------------------- */

static bool
registers(const struct source *s)
{
	const struct gerrit_source *c = source_config(s);
	return c->common.webhook->url.n > 0;
}

static const struct signed_kind gerrit = { .hooks = &hooks, .registers = registers };

static int
start(struct source *s, struct err *e)
{
	return signed_start(s, &gerrit, 0, e);
}

const struct source_ops source_gerrit = { .kind = "gerrit", .doc = "Webhooks of Gerrit.", .schema = &gerrit_source_schema,
	.rolling = true, .start = start, .ack = webhook_ack, .stop = signed_stop, .wrap = signed_wrap };
