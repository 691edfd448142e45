/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call at a time: the targets are worked off in order, each with its pages of hooks and, if ours is not among them, the
 * creation of one. What fails is logged when it is news, and tried again in the next round. All on the loop.
 */
#include "sources/hooks.h"

#include "core/log.h"

#define ROUND_EVERY (60 * NS_PER_SEC)
#define PAUSE_AFTER_CREATION (500 * NS_PER_MS)
enum { PAGES_MAX = 20 };

struct hooks {
	struct hook_site site;
	const struct hook_api *api;
	size_t at;
	unsigned page;
	int64_t every_ns;
	unsigned rounds; /* that went well, in a row */
	bool failed;     /* something in this round */
	bool calling, stopping;
	struct timer timer;
};

/* ---- calls ---------------------------------------------------------------------------------------------------- */

typedef void answered(struct hooks *h, const struct http_answer *answer, struct arena *a);

struct hook_flight {
	struct hooks *hooks;
	struct arena *arena;
	answered *done;
};

static struct hook_target *
target(struct hooks *h)
{
	return &h->site.targets.p[h->at];
}

/* An outage is one line a target and reason, however long it lasts. */
static void
complain(struct hooks *h, const char *why)
{
	struct hook_target *t = target(h);
	uint64_t hash = str_fnv64a(str_c(why)) | 1;
	bool news = t->complaint != hash;
	h->failed = true;
	t->complaint = hash;
	if (!news)
		return;
	struct arena *a CLEANUP(free_arena) = arena_new();
	log_warn("a hook is not registered, trying again", "forge", h->api->forge, "eventsource", str_z(a, source_name(h->site.source)), "event",
	         str_z(a, source_event_name(h->site.source)), "hook", t->path.p, "error", why, NULL);
}

/* What is known of a hook lives as long as we do: only what is new is kept. */
static void
set_id(struct hooks *h, str id)
{
	struct hook_target *t = target(h);
	if (!str_eq(t->id, id))
		t->id = id.n ? arena_dup(h->site.arena, id) : STR_NONE;
}

static bool
is_good(const struct http_answer *answer)
{
	return answer && answer->status >= 200 && answer->status < 300;
}

static void
complain_of(struct hooks *h, const struct http_answer *answer)
{
	char why[250];
	int shown = answer->body.n < 150 ? (int)answer->body.n : 150;
	snprintf(why, sizeof why, "%s answers %d: %.*s", h->api->forge, answer->status, shown, shown ? answer->body.p : "");
	complain(h, why);
}

static void
called(void *arg, const struct http_answer *answer, const struct err *e)
{
	struct hook_flight *f = arg;
	struct hooks *h = f->hooks;
	h->calling = false;
	if (e && !h->stopping)
		complain(h, e->msg);
	f->done(h, e ? NULL : answer, f->arena);
	arena_free(f->arena);
}

static void
send_request(struct hooks *h, struct httpc *client, struct hook_flight *f, struct hook_request *q)
{
	struct err e = { 0 };
	hook_header(q, "User-Agent", S("tidegate"));
	struct http_call call = { .method = str_c(q->method), .url = q->url, .headers = q->headers, .headers_n = q->headers_n, .body = q->body,
		                  .user = q->user, .password = q->password };
	if (hook_tls(h->site.source, h->site.tls, q->arena, &call, &e) < 0) {
		called(f, NULL, &e);
		return;
	}
	h->calling = true;
	httpc_send(client, &call, called, f);
}

/* Sends what is in `q`, which was made in its arena. `done` gets NULL if there is no answer. */
static void
call(struct hooks *h, struct hook_request *q, bool authorize, answered *done)
{
	struct hook_flight *f = ARENA_NEW(q->arena, struct hook_flight);
	*f = (struct hook_flight){ h, q->arena, done };
	struct httpc *client = sources_httpc(source_owner(h->site.source));
	struct err e = { 0 };
	if (!client)
		err_set(&e, ERR_UNAVAILABLE, "the daemon stops");
	if (!client || (authorize && h->api->authorize(&h->site, q, &e) < 0)) {
		called(f, NULL, &e);
		return;
	}
	send_request(h, client, f, q);
}

/* ---- a round -------------------------------------------------------------------------------------------------- */

static void work(void *arg);

static void
later(struct hooks *h, int64_t ns)
{
	struct loop *l = source_loop(h->site.source);
	timer_start(l, &h->timer, loop_now(l) + ns, work, h);
}

static void
next_target(struct hooks *h, int64_t pause_ns)
{
	h->page = 1;
	if (++h->at < h->site.targets.n) {
		later(h, pause_ns);
		return;
	}
	h->rounds = h->failed ? 0 : h->rounds + 1;
	h->failed = false;
	h->at = 0;
	if (!h->api->rounds || h->rounds < h->api->rounds)
		later(h, h->every_ns);
}

static void
fail(struct hooks *h, const struct err *e)
{
	complain(h, e->msg);
	next_target(h, 0);
}

static str
id_created(struct hooks *h, const struct http_answer *answer, struct arena *a)
{
	struct val object;
	struct err e;
	if (h->api->created)
		return h->api->created(target(h), answer->body, a);
	return json_read(a, answer->body, &object, &e) == 0 ? hook_text(&object, "id", a) : STR_NONE;
}

static void
created(struct hooks *h, const struct http_answer *answer, struct arena *a)
{
	struct hook_target *t = target(h);
	if (is_good(answer)) {
		str id = id_created(h, answer, a);
		if (id.n)
			set_id(h, id);
		t->complaint = 0;
	}
	if (h->stopping) {
		hooks_stop(h);
		return;
	}
	if (is_good(answer))
		log_info("hook registered", "forge", h->api->forge, "eventsource", str_z(a, source_name(h->site.source)), "hook", t->path.p, NULL);
	else if (answer)
		complain_of(h, answer);
	next_target(h, PAUSE_AFTER_CREATION);
}

static void
create(struct hooks *h)
{
	struct hook_request q = { .arena = arena_new() };
	struct err e = { 0 };
	if (h->api->create(&h->site, target(h), &q, &e) == 0) {
		call(h, &q, true, created);
		return;
	}
	fail(h, &e);
	arena_free(q.arena);
}

static void
listed(struct hooks *h, const struct http_answer *answer, struct arena *a)
{
	str id = STR_NONE;
	struct err e = { 0 };
	if (h->stopping) {
		hooks_stop(h);
		return;
	}
	if (!is_good(answer)) {
		if (answer)
			complain_of(h, answer);
		next_target(h, 0);
		return;
	}
	int found = h->api->find(&h->site, h->at, answer->body, a, &id, &e);
	if (found == HOOK_OURS || found == HOOK_STALE)
		set_id(h, id);
	if (found == HOOK_OURS)
		target(h)->complaint = 0;
	if (found < 0) {
		fail(h, &e);
	} else if (found == HOOK_OURS) {
		next_target(h, 0);
	} else if (found == HOOK_MORE && h->page < PAGES_MAX) {
		h->page++;
		work(h);
	} else {
		if (found != HOOK_STALE)
			target(h)->id = STR_NONE; /* somebody took away what was there */
		create(h);
	}
}

static void
logged_in(struct hooks *h, const struct http_answer *answer, struct arena *a UNUSED)
{
	struct err e = { 0 };
	if (h->stopping) {
		hooks_stop(h);
	} else if (is_good(answer) && h->api->logged_in(&h->site, answer->body, &e) == 0) {
		work(h);
	} else {
		if (is_good(answer))
			complain(h, e.msg);
		else if (answer)
			complain_of(h, answer);
		next_target(h, 0);
	}
}

/* 1: a call that logs in is under way, and ends in `then`; 0: none is needed. */
static int
log_in(struct hooks *h, answered *then, struct err *e)
{
	struct hook_request q = { .arena = arena_new() };
	int needed = h->api->login ? h->api->login(&h->site, &q, e) : 0;
	if (needed > 0)
		call(h, &q, false, then);
	else
		arena_free(q.arena);
	return needed;
}

static void
work(void *arg)
{
	struct hooks *h = arg;
	struct err e = { 0 };
	int login = log_in(h, logged_in, &e);
	if (login < 0)
		fail(h, &e);
	if (login)
		return;
	struct hook_request q = { .arena = arena_new() };
	if (h->api->list && h->api->list(&h->site, target(h), h->page, &q)) {
		call(h, &q, true, listed);
		return;
	}
	arena_free(q.arena);
	create(h);
}

/* ---- life ----------------------------------------------------------------------------------------------------- */

static void
free_hooks(struct hooks *h)
{
	for (size_t i = 0; i < h->site.targets.n; i++)
		free(h->site.targets.p[i].own);
	VEC_FREE(&h->site.targets);
	arena_free(h->site.login.arena);
	arena_free(h->site.arena);
}

struct hooks *
hooks_start(struct source *s, const struct hook_api *api, const struct webhook_context *w, int64_t every_ns, struct err *e)
{
	struct arena *a = arena_new();
	struct hooks *h = ARENA_NEW(a, struct hooks);
	*h = (struct hooks){ .site = { .source = s, .arena = a }, .api = api, .page = 1, .every_ns = every_ns ? every_ns : ROUND_EVERY };
	h->site.url = arena_fmt(a, "%.*s%.*s", STR_ARG(w->url), STR_ARG(w->endpoint));
	if (api->begin(&h->site, e) == 0 && (h->site.targets.n || api->idle)) {
		if (h->site.targets.n)
			later(h, 0);
		return h;
	}
	if (!h->site.targets.n && !e->code)
		err_set(e, ERR_INVALID, "there is nothing to register the hook with");
	free_hooks(h);
	return NULL;
}

static void
deleted(struct hooks *h, const struct http_answer *answer, struct arena *a UNUSED)
{
	if (answer && !is_good(answer) && answer->status != 404)
		complain_of(h, answer);
	target(h)->id = STR_NONE;
	h->site.delete_at_end &= answer != NULL; /* nobody is asked ten thousand times who does not answer */
	hooks_stop(h);
}

/* Without a login nothing can be deleted: the hooks stay. */
static void
logged_in_to_delete(struct hooks *h, const struct http_answer *answer, struct arena *a UNUSED)
{
	struct err e = { 0 };
	if (!is_good(answer) || h->api->logged_in(&h->site, answer->body, &e) < 0)
		h->site.delete_at_end = false;
	hooks_stop(h);
}

void
hooks_set_target(struct hooks *h, int what, str path)
{
	size_t i = 0;
	while (i < h->site.targets.n && h->site.targets.p[i].what != what)
		i++;
	if (i == h->site.targets.n)
		hook_add_target(&h->site, what, "%s", "");
	struct hook_target *t = &h->site.targets.p[i];
	if (t->own && str_eq(t->path, path))
		return;
	free(t->own);
	t->own = mem_text(path); /* who sends many of them does not fill the memory */
	t->path = (str){ t->own, path.n };
	h->rounds = 0;
	h->failed |= h->at > 0; /* the round that is under way may be past it: it is not the last */
	if (!h->calling && h->at == 0)
		later(h, 0);
}

void
hooks_stop(struct hooks *h)
{
	h->stopping = true;
	timer_stop(&h->timer);
	if (h->calling) /* its end brings us back */
		return;
	bool ends = h->site.delete_at_end && !sources_closing(source_owner(h->site.source));
	for (h->at = 0; ends && h->site.delete_at_end && h->api->remove && h->at < h->site.targets.n; h->at++) {
		if (!target(h)->id.n)
			continue;
		struct err e = { 0 };
		int login = log_in(h, logged_in_to_delete, &e);
		if (login > 0)
			return;
		if (login < 0)
			break;
		struct hook_request q = { .arena = arena_new() };
		h->api->remove(&h->site, target(h), &q);
		call(h, &q, true, deleted);
		return;
	}
	struct source *s = h->site.source;
	free_hooks(h);
	source_stopped(s);
}
