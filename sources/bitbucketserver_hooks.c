/* SPDX-License-Identifier: Apache-2.0 */
/* The REST API of Bitbucket Server as far as hooks go: those of repositories, and what repositories a project has. */
#include "sources/bitbucketserver.h"

enum { REPOSITORY, PROJECT };
enum { PAGE = 1000 };

static const struct bitbucketserver_source *
config(const struct hook_site *site)
{
	return source_config(site->source);
}

/* A repository may be named twice: by itself, and by its project. */
static void
add_repository(struct hook_site *site, str project, str slug, struct arena *a)
{
	str path = arena_fmt(a, "api/1.0/projects/%.*s/repos/%.*s/webhooks", STR_ARG(sigv4_encode(a, project, false)),
	                     STR_ARG(sigv4_encode(a, slug, false)));
	for (size_t i = 0; i < site->targets.n; i++)
		if (str_eq(site->targets.p[i].path, path))
			return;
	hook_add_target(site, REPOSITORY, "%.*s", STR_ARG(path));
}

static int
begin(struct hook_site *site, struct err *e UNUSED)
{
	const struct bitbucketserver_source *c = config(site);
	site->base = hook_base(c->base_url, "");
	site->delete_at_end = c->delete_hook_on_finish;
	site->tls = c->tls;
	for (size_t i = 0; i < c->projects.n; i++)
		hook_add_target(site, PROJECT, "api/1.0/projects/%.*s/repos", STR_ARG(sigv4_encode(site->arena, c->projects.p[i], false)));
	for (size_t i = 0; i < c->repositories.n; i++)
		add_repository(site, c->repositories.p[i].project_key, c->repositories.p[i].repository_slug, site->arena);
	if (c->project_key.n && c->repository_slug.n)
		add_repository(site, c->project_key, c->repository_slug, site->arena);
	return 0;
}

static int
authorize(struct hook_site *site, struct hook_request *q, struct err *e)
{
	hook_header(q, "X-Atlassian-Token", S("no-check"));
	hook_header(q, "X-Requested-With", S("XMLHttpRequest"));
	return hook_authorize(q, site, "Bearer", config(site)->access_token, e);
}

static bool
list(struct hook_site *site, const struct hook_target *t, unsigned page, struct hook_request *q)
{
	hook_call(q, "GET", STR_NONE, site, "/%.*s?limit=%d&start=%u", STR_ARG(t->path), PAGE, (page - 1) * PAGE);
	return true;
}

/* The project of a target "api/1.0/projects/<key>/repos", decoded again by nobody: the answer has it too. */
static void
add_repositories(struct hook_site *site, const struct val *list, struct arena *a)
{
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++) {
		const struct val *key = val_path(&list->items[i], "project.key");
		str slug = val_get_str(&list->items[i], "slug");
		if (val_is(key, VAL_STR) && slug.n)
			add_repository(site, val_text(key), slug, a);
	}
}

/* A secret that was changed is not seen: some servers show it as it is, others as stars. */
static int
find(struct hook_site *site, size_t target, str answer, struct arena *a, str *id, struct err *e)
{
	struct val all;
	if (json_read(a, answer, &all, e) < 0)
		return -1;
	const struct val *list = val_get(&all, S("values")), *last = val_get(&all, S("isLastPage"));
	bool more = last && !val_is_true(last);
	if (site->targets.p[target].what == PROJECT) {
		add_repositories(site, list, a);
		return more ? HOOK_MORE : HOOK_OURS;
	}
	const struct val *hook = hook_with_url(list, "url", site->url);
	if (!hook)
		return more ? HOOK_MORE : HOOK_NONE;
	*id = hook_text(hook, "id", a);
	return hook_same_events(val_get(hook, S("events")), &config(site)->events) ? HOOK_OURS : HOOK_STALE;
}

static int
create(struct hook_site *site, const struct hook_target *t, struct hook_request *q, struct err *e)
{
	const struct bitbucketserver_source *c = config(site);
	struct val_map m = { 0 }, conf = { 0 };
	str secret;
	if (t->what == PROJECT)
		return err_set(e, ERR_LIMIT, "the project has more repositories than are looked at");
	if (c->common.secret && source_secret(site->source, c->common.secret, q->arena, &secret, e) < 0)
		return err_wrap(e, "webhookSecret");
	val_map_add(&m, S("name"), val_str(S("Tidegate")));
	val_map_add(&m, S("url"), val_str(site->url));
	val_map_add(&m, S("active"), val_bool(true));
	val_map_add(&m, S("events"), hook_events(&c->events, q->arena));
	if (c->common.secret) { /* an empty one is a 500 */
		val_map_add(&conf, S("secret"), val_str(secret));
		val_map_add(&m, S("configuration"), val_map_end(&conf, q->arena));
	}
	hook_write(site, t, q, "PUT", val_map_end(&m, q->arena));
	return 0;
}

const struct hook_api bitbucketserver_hooks = { .forge = "Bitbucket Server", .begin = begin, .authorize = authorize, .list = list,
	.find = find, .create = create, .remove = hook_delete };
