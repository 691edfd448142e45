/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call at a time: the targets are worked off in order, each with its pages of hooks and, if ours is not among them, the
 * creation of one. What fails is logged when it is news, and tried again in the next round. All on the loop.
 */
#include "sources/hooks.h"

#include <stdarg.h>

#include "core/log.h"

#define ROUND_EVERY (60 * NS_PER_SEC)
#define PAUSE_AFTER_CREATION (500 * NS_PER_MS)
enum { PAGES_MAX = 20, TARGETS_MAX = 10000 };

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

/* ---- requests ------------------------------------------------------------------------------------------------- */

void
hook_add_target(struct hook_site *site, int what, const char *path, ...)
{
	va_list ap;
	if (site->targets.n == TARGETS_MAX)
		return;
	struct hook_target *t = VEC_PUSH(&site->targets);
	va_start(ap, path);
	t->path = arena_vfmt(site->arena, path, ap);
	va_end(ap);
	t->what = what;
}

void
hook_call(struct hook_request *q, const char *method, str body, const struct hook_site *site, const char *path, ...)
{
	va_list ap;
	va_start(ap, path);
	str rest = arena_vfmt(q->arena, path, ap);
	va_end(ap);
	q->method = method;
	q->url = arena_fmt(q->arena, "%.*s%.*s", STR_ARG(site->base), STR_ARG(rest));
	q->body = body;
	if (body.n)
		hook_header(q, "Content-Type", S("application/json"));
}

void
hook_form(struct hook_request *q, str form, const struct hook_site *site, const char *path, ...)
{
	va_list ap;
	va_start(ap, path);
	str rest = arena_vfmt(q->arena, path, ap);
	va_end(ap);
	q->method = "POST";
	q->url = arena_fmt(q->arena, "%.*s%.*s", STR_ARG(site->base), STR_ARG(rest));
	q->body = form;
	hook_header(q, "Content-Type", S("application/x-www-form-urlencoded"));
}

void
hook_header(struct hook_request *q, const char *name, str value)
{
	assert(q->headers_n < HOOK_HEADERS);
	q->headers[q->headers_n++] = (struct http_header){ str_c(name), value };
}

int
hook_authorize(struct hook_request *q, const struct hook_site *site, const char *scheme, const struct secret_ref *ref, struct err *e)
{
	str token;
	if (source_secret(site->source, ref, q->arena, &token, e) < 0)
		return -1;
	hook_header(q, "Authorization", arena_fmt(q->arena, "%s %.*s", scheme, STR_ARG(token)));
	return 0;
}

int
hook_basic(struct hook_request *q, const struct hook_site *site, const struct secret_ref *user, const struct secret_ref *password,
           struct err *e)
{
	return source_secret(site->source, user, q->arena, &q->user, e) < 0 ? -1
	                                                                    : source_secret(site->source, password, q->arena, &q->password, e);
}

int
hook_tls(struct source *s, const struct tls_config *tls, struct arena *a, struct http_call *call, struct err *e)
{
	if (!tls)
		return 0;
	const struct {
		const struct secret_ref *ref;
		str *to;
	} parts[] = { { tls->ca_cert, &call->ca_pem }, { tls->client_cert, &call->cert_pem }, { tls->client_key, &call->key_pem } };
	call->insecure = tls->insecure_skip_verify;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (parts[i].ref && source_secret(s, parts[i].ref, a, parts[i].to, e) < 0)
			return err_wrap(e, "tls");
	return 0;
}

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
	if (news)
		log_warn("a hook is not registered, trying again", "forge", h->api->forge, "eventsource",
		         str_z(h->site.arena, source_name(h->site.source)), "event", str_z(h->site.arena, source_event_name(h->site.source)), "hook",
		         t->path.p, "error", why, NULL);
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
		t->id = id.n ? arena_dup(h->site.arena, id) : t->id;
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
		target(h)->id = id.n ? arena_dup(h->site.arena, id) : STR_NONE;
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
		hook_add_target(&h->site, what, "%.*s", STR_ARG(path));
	else if (!str_eq(h->site.targets.p[i].path, path))
		h->site.targets.p[i].path = arena_dup(h->site.arena, path);
	else
		return;
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

/* ---- what rows have in common ---------------------------------------------------------------------------------- */

str
hook_text(const struct val *object, const char *member, struct arena *a)
{
	const struct val *v = val_get(object, str_c(member));
	int64_t number;
	if (val_is(v, VAL_STR))
		return val_text(v);
	return v && val_to_i64(v, &number) ? arena_fmt(a, "%lld", (long long)number) : STR_NONE;
}

static bool
has_text(const struct val *list, str text)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (list->items[i].kind == VAL_STR && str_eq(val_text(&list->items[i]), text))
			return true;
	return false;
}

bool
hook_same_events(const struct val *list, const struct strs *want)
{
	if (!val_is(list, VAL_LIST) || list->n != want->n)
		return false;
	for (size_t i = 0; i < want->n; i++)
		if (!has_text(list, want->p[i]))
			return false;
	return true;
}

const struct val *
hook_with_url(const struct val *list, const char *member, str url)
{
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++) {
		const struct val *at = val_path(&list->items[i], member);
		if (val_is(at, VAL_STR) && str_eq(val_text(at), url))
			return &list->items[i];
	}
	return NULL;
}

int
hook_read_page(const struct hook_site *site, str answer, const char *items, const char *member, struct arena *a,
               const struct val **hook, struct err *e)
{
	struct val *all = ARENA_NEW(a, struct val);
	if (json_read(a, answer, all, e) < 0)
		return -1;
	const struct val *list = items ? val_get(all, str_c(items)) : all;
	if (!val_is(list, VAL_LIST))
		return err_set(e, ERR_INVALID, "the answer has no list of hooks");
	*hook = hook_with_url(list, member, site->url);
	return (int)list->n;
}

void
hook_delete(struct hook_site *site, const struct hook_target *t, struct hook_request *q)
{
	hook_call(q, "DELETE", STR_NONE, site, "/%.*s/%.*s", STR_ARG(t->path), STR_ARG(t->id));
}

void
hook_write(struct hook_site *site, const struct hook_target *t, struct hook_request *q, const char *change, struct val body)
{
	str text = json_write(q->arena, &body);
	if (t->id.n)
		hook_call(q, change, text, site, "/%.*s/%.*s", STR_ARG(t->path), STR_ARG(t->id));
	else
		hook_call(q, "POST", text, site, "/%.*s", STR_ARG(t->path));
}

struct val
hook_events(const struct strs *events, struct arena *a)
{
	struct val_list list = { 0 };
	for (size_t i = 0; i < events->n; i++)
		val_list_add(&list, val_str(events->p[i]));
	return val_list_end(&list, a);
}

str
hook_base(str url, const char *otherwise)
{
	if (!url.n)
		return str_c(otherwise);
	while (str_ends(url, S("/")))
		url.n--;
	return url;
}
