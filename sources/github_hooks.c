/* SPDX-License-Identifier: Apache-2.0 */
/* GitHub's API of hooks: repositories and organizations have the same. */
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

static int
authorize(struct hook_site *site, struct hook_request *q, struct err *e)
{
	hook_header(q, "Accept", S("application/vnd.github+json"));
	return hook_authorize(q, site, "Bearer", config(site)->api_token, e);
}

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

const struct hook_api github_hooks = { .forge = "GitHub", .rounds = 10, .begin = begin, .authorize = authorize, .list = list, .find = find,
	.create = create, .remove = hook_delete };
