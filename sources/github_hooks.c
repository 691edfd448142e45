/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call at a time: the targets are worked off in order, each with its pages of hooks and, if ours is not among them, the
 * creation of one. What fails is logged and tried again in the next round.
 */
#include "core/log.h"
#include "core/net/httpc.h"
#include "sources/github.h"

#define ROUND_EVERY (60 * NS_PER_SEC)
#define PAUSE_AFTER_CREATION (500 * NS_PER_MS)
enum { ROUNDS = 10, PAGE = 100, PAGES_MAX = 20 };

struct target {
	str path;   /* "repos/octocat/hello" or "orgs/octocat" */
	int64_t id; /* of our hook; 0: not known */
};

struct github_hooks {
	struct source *source;
	struct arena *arena;
	struct target *targets;
	size_t n, at;
	int page;
	str url, base;
	unsigned rounds;      /* that went well, in a row */
	bool failed;          /* something in this round */
	bool calling, stopping;
	struct timer timer;
};

static void work(void *arg);

static const struct github_source *
config(const struct github_hooks *h)
{
	return source_config(h->source);
}

/* ---- calls ---------------------------------------------------------------------------------------------------- */

struct hook_call {
	struct github_hooks *hooks;
	struct arena *arena;
	void (*done)(struct github_hooks *h, const struct http_answer *answer, struct arena *a);
};

static void
complain(struct github_hooks *h, const char *what, const char *why)
{
	h->failed = true;
	log_warn("a hook is not registered with GitHub, trying again in a minute", "eventsource",
	         str_z(h->arena, source_name(h->source)), "event", str_z(h->arena, source_event_name(h->source)), "hook", what, "error", why, NULL);
}

static void
called(void *arg, const struct http_answer *answer, const struct err *e)
{
	struct hook_call *c = arg;
	struct github_hooks *h = c->hooks;
	h->calling = false;
	if (e && !h->stopping)
		complain(h, h->at < h->n ? h->targets[h->at].path.p : "", e->msg);
	c->done(h, e ? NULL : answer, c->arena);
	arena_free(c->arena);
}

/* Sends `method` to the target's hooks + `suffix`. `done` gets NULL if there is no answer. */
static void
call(struct github_hooks *h, const char *method, const char *suffix, str body,
     void (*done)(struct github_hooks *h, const struct http_answer *answer, struct arena *a))
{
	struct arena *a = arena_new();
	struct hook_call *c = ARENA_NEW(a, struct hook_call);
	*c = (struct hook_call){ h, a, done };
	struct httpc *client = sources_httpc(source_owner(h->source));
	str token;
	struct err e = { 0 };
	if (!client)
		err_set(&e, ERR_UNAVAILABLE, "the daemon stops");
	if (!client || source_secret(h->source, config(h)->api_token, a, &token, &e) < 0) {
		called(c, NULL, &e);
		return;
	}
	const struct http_header headers[] = {
		{ S("Accept"), S("application/vnd.github+json") }, { S("User-Agent"), S("tidegate") },
		{ S("Authorization"), arena_fmt(a, "Bearer %.*s", STR_ARG(token)) }, { S("Content-Type"), S("application/json") },
	};
	struct http_call request = {
		.method = str_c(method), .headers = headers, .headers_n = ARRAY_LEN(headers) - !body.n, .body = body,
		.url = arena_fmt(a, "%.*s%.*s/hooks%s", STR_ARG(h->base), STR_ARG(h->targets[h->at].path), suffix),
	};
	h->calling = true;
	httpc_send(client, &request, called, c);
}

static void
complain_of(struct github_hooks *h, const struct http_answer *answer)
{
	char why[200];
	snprintf(why, sizeof why, "GitHub answers %d: %.*s", answer->status, (int)(answer->body.n < 150 ? answer->body.n : 150),
	         answer->body.n ? answer->body.p : "");
	complain(h, h->targets[h->at].path.p, why);
}

/* ---- a round -------------------------------------------------------------------------------------------------- */

static void
later(struct github_hooks *h, int64_t ns)
{
	struct loop *l = source_loop(h->source);
	timer_start(l, &h->timer, loop_now(l) + ns, work, h);
}

static void
next_target(struct github_hooks *h, int64_t pause_ns)
{
	h->page = 1;
	if (++h->at < h->n) {
		later(h, pause_ns);
		return;
	}
	h->rounds = h->failed ? 0 : h->rounds + 1;
	h->failed = false;
	h->at = 0;
	if (h->rounds < ROUNDS)
		later(h, ROUND_EVERY);
}

/* The id in a hook as GitHub describes it; 0: there is none. */
static int64_t
hook_id(const struct val *hook)
{
	const struct val *id = val_get(hook, S("id"));
	int64_t v = 0;
	return id && val_to_i64(id, &v) ? v : 0;
}

static bool
has_event(const struct val *events, str event)
{
	for (uint32_t i = 0; i < events->n; i++)
		if (events->items[i].kind == VAL_STR && str_eq(val_text(&events->items[i]), event))
			return true;
	return false;
}

/* Ours: delivers to our URL, for the very same events. */
static bool
is_ours(const struct github_hooks *h, const struct val *hook)
{
	const struct val *url = val_path(hook, "config.url"), *events = val_get(hook, S("events"));
	const struct strs *want = &config(h)->events;
	if (!val_is(url, VAL_STR) || !str_eq(val_text(url), h->url) || !val_is(events, VAL_LIST) || events->n != want->n)
		return false;
	for (size_t i = 0; i < want->n; i++)
		if (!has_event(events, want->p[i]))
			return false;
	return true;
}

static void
created(struct github_hooks *h, const struct http_answer *answer, struct arena *a)
{
	struct val hook;
	struct err e;
	if (answer && answer->status == 201 && json_read(a, answer->body, &hook, &e) == 0)
		h->targets[h->at].id = hook_id(&hook);
	if (h->stopping) {
		github_hooks_stop(h);
		return;
	}
	if (h->targets[h->at].id)
		log_info("hook registered with GitHub", "eventsource", str_z(a, source_name(h->source)), "hook", h->targets[h->at].path.p, NULL);
	else if (answer)
		complain_of(h, answer);
	next_target(h, PAUSE_AFTER_CREATION);
}

static int
hook_json(struct github_hooks *h, struct arena *a, str *out, struct err *e)
{
	const struct github_source *c = config(h);
	struct val_map m = { 0 }, conf = { 0 };
	struct val_list events = { 0 };
	str secret;
	if (c->secret && source_secret(h->source, c->secret, a, &secret, e) < 0)
		return -1;
	val_map_add(&conf, S("url"), val_str(h->url));
	val_map_add_str(&conf, S("content_type"), c->content_type);
	val_map_add(&conf, S("insecure_ssl"), val_str(c->insecure ? S("1") : S("0")));
	if (c->secret)
		val_map_add(&conf, S("secret"), val_str(secret));
	for (size_t i = 0; i < c->events.n; i++)
		val_list_add(&events, val_str(c->events.p[i]));
	val_map_add(&m, S("name"), val_str(S("web")));
	val_map_add(&m, S("config"), val_map_end(&conf, a));
	val_map_add(&m, S("events"), val_list_end(&events, a));
	val_map_add(&m, S("active"), val_bool(c->active));
	struct val v = val_map_end(&m, a);
	*out = json_write(a, &v);
	return 0;
}

static void
create(struct github_hooks *h, struct arena *a)
{
	str body;
	struct err e;
	if (hook_json(h, a, &body, &e) < 0) {
		complain(h, h->targets[h->at].path.p, e.msg);
		next_target(h, 0);
		return;
	}
	call(h, "POST", "", body, created);
}

static void
listed(struct github_hooks *h, const struct http_answer *answer, struct arena *a)
{
	struct val hooks;
	struct err e;
	if (h->stopping) {
		github_hooks_stop(h);
		return;
	}
	if (!answer || answer->status != 200 || json_read(a, answer->body, &hooks, &e) < 0 || hooks.kind != VAL_LIST) {
		if (answer)
			complain_of(h, answer);
		next_target(h, 0);
		return;
	}
	for (uint32_t i = 0; i < hooks.n; i++) {
		if (is_ours(h, &hooks.items[i])) {
			h->targets[h->at].id = hook_id(&hooks.items[i]);
			next_target(h, 0);
			return;
		}
	}
	if (hooks.n == PAGE && h->page < PAGES_MAX) {
		h->page++;
		work(h);
		return;
	}
	create(h, a);
}

static void
work(void *arg)
{
	struct github_hooks *h = arg;
	char suffix[40];
	snprintf(suffix, sizeof suffix, "?per_page=%d&page=%d", PAGE, h->page);
	call(h, "GET", suffix, STR_NONE, listed);
}

/* ---- life ----------------------------------------------------------------------------------------------------- */

static void
add_targets(struct github_hooks *h, const struct github_source *c)
{
	VEC(struct target) targets = { 0 };
	for (size_t i = 0; i < c->organizations.n; i++)
		VEC_PUSH(&targets)->path = arena_fmt(h->arena, "orgs/%.*s", STR_ARG(c->organizations.p[i]));
	for (size_t i = 0; i < c->repositories.n; i++)
		for (size_t k = 0; k < c->repositories.p[i].names.n; k++)
			VEC_PUSH(&targets)->path = arena_fmt(h->arena, "repos/%.*s/%.*s", STR_ARG(c->repositories.p[i].owner),
			                                     STR_ARG(c->repositories.p[i].names.p[k]));
	if (c->owner.n && c->repository.n)
		VEC_PUSH(&targets)->path = arena_fmt(h->arena, "repos/%.*s/%.*s", STR_ARG(c->owner), STR_ARG(c->repository));
	h->targets = ARENA_ARRAY(h->arena, struct target, targets.n);
	if (targets.n)
		memcpy(h->targets, targets.p, targets.n * sizeof *targets.p);
	h->n = targets.n;
	VEC_FREE(&targets);
}

struct github_hooks *
github_hooks_start(struct source *s)
{
	const struct github_source *c = source_config(s);
	struct arena *a = arena_new();
	struct github_hooks *h = ARENA_NEW(a, struct github_hooks);
	*h = (struct github_hooks){ .source = s, .arena = a, .page = 1 };
	h->url = arena_fmt(a, "%.*s%.*s", STR_ARG(c->webhook->url), STR_ARG(c->webhook->endpoint));
	h->base = c->base_url.n ? arena_fmt(a, "%.*s%s", STR_ARG(c->base_url), str_ends(c->base_url, S("/")) ? "" : "/")
	                        : S("https://api.github.com/");
	add_targets(h, c);
	if (h->n)
		later(h, 0);
	return h;
}

static void
deleted(struct github_hooks *h, const struct http_answer *answer, struct arena *a UNUSED)
{
	if (answer && answer->status != 204 && answer->status != 404)
		complain_of(h, answer);
	h->targets[h->at].id = 0;
	github_hooks_stop(h);
}

void
github_hooks_stop(struct github_hooks *h)
{
	h->stopping = true;
	timer_stop(&h->timer);
	if (h->calling) /* its end brings us back */
		return;
	for (h->at = 0; config(h)->delete_hook_on_finish && h->at < h->n; h->at++) {
		if (!h->targets[h->at].id)
			continue;
		char suffix[32];
		snprintf(suffix, sizeof suffix, "/%lld", (long long)h->targets[h->at].id);
		call(h, "DELETE", suffix, STR_NONE, deleted);
		return;
	}
	struct source *s = h->source;
	arena_free(h->arena);
	source_stopped(s);
}
