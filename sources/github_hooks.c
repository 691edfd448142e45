/* SPDX-License-Identifier: Apache-2.0 */
/* GitHub's API of hooks: repositories and organizations have the same. */
#include "core/log.h"
#include "core/net/jwt.h"
#include "sources/github.h"

enum { PAGE = 100 };

static const struct github_source *
config(const struct hook_site *site)
{
	return source_config(site->source);
}

static int
begin(struct hook_site *site, struct err *e UNUSED)
{
	const struct github_source *c = config(site);
	site->base = hook_base(c->base_url, "https://api.github.com");
	site->delete_at_end = c->delete_hook_on_finish;
	for (size_t i = 0; i < c->organizations.n; i++)
		hook_add_target(site, 0, "orgs/%.*s/hooks", STR_ARG(c->organizations.p[i]));
	for (size_t i = 0; i < c->repositories.n; i++)
		for (size_t k = 0; k < c->repositories.p[i].names.n; k++)
			hook_add_target(site, 0, "repos/%.*s/%.*s/hooks", STR_ARG(c->repositories.p[i].owner), STR_ARG(c->repositories.p[i].names.p[k]));
	if (c->owner.n && c->repository.n)
		hook_add_target(site, 0, "repos/%.*s/%.*s/hooks", STR_ARG(c->owner), STR_ARG(c->repository));
	return 0;
}

/* ---- who we are ----------------------------------------------------------------------------------------------- */

/* GitHub takes a token for ten minutes at most, and counts by its own clock. */
enum { ISSUED_BEFORE = 60, GOOD_FOR = 540, GOOD_FOR_YET = 60 /* seconds */ };

static int
app_token(struct hook_site *site, struct arena *a, str *out, struct err *e)
{
	const struct github_app *app = config(site)->app;
	int64_t now = loop_now(source_loop(site->source)) / NS_PER_SEC;
	str key;
	if (source_secret(site->source, app->private_key, a, &key, e) < 0)
		return err_wrap(e, "githubApp.privateKey");
	str claims = arena_fmt(a, "{\"iat\":%lld,\"exp\":%lld,\"iss\":\"%lld\"}", (long long)(now - ISSUED_BEFORE), (long long)(now + GOOD_FOR),
	                       (long long)app->app_id.v);
	return jwt_rs256(key, claims, a, out, e) < 0 ? err_wrap(e, "githubApp.privateKey") : 0;
}

/* An app asks for a token of its installation, which is good for an hour. */
static int
login(struct hook_site *site, struct hook_request *q, struct err *e)
{
	const struct github_source *c = config(site);
	str token;
	if (c->api_token || site->login.until > loop_now(source_loop(site->source)) + GOOD_FOR_YET * NS_PER_SEC)
		return 0;
	if (app_token(site, q->arena, &token, e) < 0)
		return -1;
	hook_call(q, "POST", STR_NONE, site, "/app/installations/%lld/access_tokens", (long long)c->app->installation_id.v);
	hook_header(q, "Accept", S("application/vnd.github+json"));
	hook_header(q, "Authorization", arena_fmt(q->arena, "Bearer %.*s", STR_ARG(token)));
	return 1;
}

static int
logged_in(struct hook_site *site, str answer, struct err *e)
{
	struct arena *a = arena_new();
	struct val v;
	if (json_read(a, answer, &v, e) == 0 && val_get_str(&v, "token").n &&
	    time_parse_rfc3339(val_get_str(&v, "expires_at"), &site->login.until, e) == 0) {
		arena_free(site->login.arena);
		site->login.arena = a;
		site->login.token = arena_dup(a, val_get_str(&v, "token"));
		log_mask(site->login.token);
		return 0;
	}
	arena_free(a);
	return err_set(e, ERR_INVALID, "GitHub's answer has no token of the installation");
}

static int
authorize(struct hook_site *site, struct hook_request *q, struct err *e)
{
	const struct github_source *c = config(site);
	hook_header(q, "Accept", S("application/vnd.github+json"));
	if (c->api_token)
		return hook_authorize(q, site, "Bearer", c->api_token, e);
	hook_header(q, "Authorization", arena_fmt(q->arena, "Bearer %.*s", STR_ARG(site->login.token)));
	return 0;
}

/* ---- hooks ---------------------------------------------------------------------------------------------------- */

static bool
list(struct hook_site *site, const struct hook_target *t, unsigned page, struct hook_request *q)
{
	hook_call(q, "GET", STR_NONE, site, "/%.*s?per_page=%d&page=%u", STR_ARG(t->path), PAGE, page);
	return true;
}

/* Ours delivers to our URL, for the very same events. */
static int
find(struct hook_site *site, size_t target UNUSED, str answer, struct arena *a, str *id, struct err *e)
{
	struct val hooks;
	if (json_read(a, answer, &hooks, e) < 0)
		return -1;
	for (uint32_t i = 0; hooks.kind == VAL_LIST && i < hooks.n; i++) {
		const struct val *hook = &hooks.items[i], *url = val_path(hook, "config.url");
		if (!val_is(url, VAL_STR) || !str_eq(val_text(url), site->url) ||
		    !hook_same_events(val_get(hook, S("events")), &config(site)->events))
			continue;
		*id = hook_text(hook, "id", a);
		return HOOK_OURS;
	}
	return hooks.kind == VAL_LIST && hooks.n == PAGE ? HOOK_MORE : HOOK_NONE;
}

static int
create(struct hook_site *site, const struct hook_target *t, struct hook_request *q, struct err *e)
{
	const struct github_source *c = config(site);
	struct val_map m = { 0 }, conf = { 0 };
	str secret;
	if (c->common.secret && source_secret(site->source, c->common.secret, q->arena, &secret, e) < 0)
		return -1;
	val_map_add(&conf, S("url"), val_str(site->url));
	val_map_add_str(&conf, S("content_type"), c->content_type);
	val_map_add(&conf, S("insecure_ssl"), val_str(c->insecure ? S("1") : S("0")));
	if (c->common.secret)
		val_map_add(&conf, S("secret"), val_str(secret));
	val_map_add(&m, S("name"), val_str(S("web")));
	val_map_add(&m, S("config"), val_map_end(&conf, q->arena));
	val_map_add(&m, S("events"), hook_events(&c->events, q->arena));
	val_map_add(&m, S("active"), val_bool(c->active));
	hook_write(site, t, q, "PATCH", val_map_end(&m, q->arena));
	return 0;
}

const struct hook_api github_hooks = { .forge = "GitHub", .rounds = 10, .begin = begin, .login = login,
	.logged_in = logged_in, .authorize = authorize, .list = list, .find = find,
	.create = create, .remove = hook_delete };
