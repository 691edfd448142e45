/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One httpd a port with a single route for everything, because the rules of gorilla/mux, which Argo routes with, are not those
 * of our own API: the path is cleaned first (301), then the endpoints are tried in the order they came, exactly or as a
 * pattern, and what fits none is 404 whatever the method.
 *
 * A server ends when its last endpoint has gone and every request that waits for a commit is answered.
 */
#include "sources/webhook_server.h"

#include "core/crypto.h"
#include "core/log.h"
#include "sources/secure.h"
#include "sources/webhook_path.h"

struct webhook_servers {
	struct loop *loop;
	str address;
	struct arena *arena;
	struct link all;
};

struct server {
	struct link link; /* in webhook_servers.all */
	struct httpd *httpd;
	struct http_route *everything;
	uint16_t port;
	bool tls;
	struct link routes;
	size_t waiting; /* requests handed on and not answered */
};

struct webhook_route {
	struct link link; /* in server.routes */
	struct server *server;
	struct source *source;
	const struct webhook_context *context;
	struct regex *pattern; /* NULL: the endpoint as it stands */
	void (*handle)(struct source *s, struct http_req *r);
	const char *content_type; /* of the answer when all went well */
	str success;
};

/* What webhook_ack gets as token. In the request's arena. */
struct waiting {
	struct http_req *req;
	struct server *server;
	const char *content_type;
	str success;
	size_t left;        /* events that are not on disk yet */
	enum err_code worst;
};

/* ---- answers -------------------------------------------------------------------------------------------------- */

void
webhook_text(struct http_req *r, int status, str text)
{
	http_reply(r, status, "text/plain; charset=utf-8", text);
}

void
webhook_refuse(struct source *s, struct http_req *r, str text)
{
	source_count_failure(s);
	webhook_text(r, 400, text);
}

static void
reply_full(struct http_req *r)
{
	http_reply_header(r, "Retry-After", S("1"));
	webhook_text(r, 503, S("too many events are waiting for the disk, try again"));
}

/* ---- a request ------------------------------------------------------------------------------------------------ */

static void
redirect(struct http_req *r, str path)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	webhook_path_escape(&b, path);
	str query = http_req_query(r);
	if (query.n) {
		buf_addc(&b, '?');
		buf_add(&b, query);
	}
	http_reply_header(r, "Location", buf_str(&b));
	http_reply(r, 301, NULL, S(""));
}

static bool
route_matches(const struct webhook_route *route, str path)
{
	struct err e;
	return route->pattern ? regex_matches(route->pattern, path, &e) > 0 : str_eq(route->context->endpoint, path);
}

/* True if the request was answered: its token is missing or wrong. */
static bool
refuse_caller(const struct webhook_route *route, struct http_req *r)
{
	if (!route->context->auth)
		return false;
	str token, header = http_req_header(r, "Authorization");
	struct err e;
	if (source_secret(route->source, route->context->auth, http_req_arena(r), &token, &e) < 0) {
		log_error("a webhook's token cannot be read", "eventsource", str_z(http_req_arena(r), source_name(route->source)), "event",
		          str_z(http_req_arena(r), source_event_name(route->source)), "error", e.msg, NULL);
		webhook_text(r, 500, S("Error loading auth token"));
	} else if (!str_starts(header, S("Bearer "))) {
		webhook_text(r, 401, S("Invalid Authorization Header"));
	} else if (!crypto_equal(str_slice(header, 7, header.n), token)) {
		webhook_text(r, 401, S("Invalid Auth token"));
	} else {
		return false;
	}
	source_count_failure(route->source);
	return true;
}

static void
on_request(struct http_req *r, void *arg)
{
	struct server *srv = arg;
	str path = http_req_path(r), clean = webhook_path_clean(http_req_arena(r), path);
	if (!str_eq(path, clean)) {
		redirect(r, clean);
		return;
	}
	LIST_EACH(&srv->routes, struct webhook_route, link, route) {
		if (!route_matches(route, path))
			continue;
		if (refuse_caller(route, r))
			return;
		if (source_is_paused(route->source))
			reply_full(r);
		else
			route->handle(route->source, r);
		return;
	}
	if (str_eq(path, S("/health"))) {
		webhook_text(r, 200, S("OK"));
		return;
	}
	http_reply_header(r, "X-Content-Type-Options", S("nosniff"));
	webhook_text(r, 404, S("404 page not found\n"));
}

static void close_if_over(struct server *srv);

static void
emit(struct source *s, struct waiting *w, str data, str dedup)
{
	struct event *ev = event_new();
	ev->data = arena_dup(ev->arena, data);
	ev->dedup = dedup.n ? arena_dup(ev->arena, dedup) : STR_NONE;
	ev->checked = EVENT_JSON; /* its kind has just put it together: no sensor need look again */
	source_emit(s, ev, w);
}

void
webhook_emit_all(struct source *s, struct webhook_route *route, struct http_req *r, const struct webhook_event *events, size_t n)
{
	if (n == 0) {
		http_reply(r, 200, route->content_type, route->success);
		return;
	}
	struct waiting *w = ARENA_NEW(http_req_arena(r), struct waiting);
	*w = (struct waiting){ r, route->server, route->content_type, route->success, n, ERR_NONE };
	w->server->waiting++;
	for (size_t i = 0; i < n; i++) /* the last may answer, and end the request, at once */
		emit(s, w, events[i].data, events[i].dedup);
}

void
webhook_emit(struct source *s, struct webhook_route *route, struct http_req *r, str data, str dedup)
{
	const struct webhook_event event = { data, dedup };
	webhook_emit_all(s, route, r, &event, 1);
}

void
webhook_set_success(struct webhook_route *route, const char *content_type, str text)
{
	route->content_type = content_type;
	route->success = text;
}

void
webhook_ack(struct source *s UNUSED, struct event *ev, void *token, bool duplicate UNUSED, const struct err *e)
{
	struct waiting *w = token;
	struct server *srv = w->server;
	if (e && w->worst != ERR_UNAVAILABLE)
		w->worst = e->code;
	else if (!e && ev->seq)
		http_reply_header(w->req, "X-Tidegate-Event-Id", ev->id);
	if (--w->left)
		return;
	if (w->worst == ERR_NONE)
		http_reply(w->req, 200, w->content_type, w->success);
	else if (w->worst == ERR_UNAVAILABLE)
		reply_full(w->req);
	else
		webhook_text(w->req, 500, S("failed to record event"));
	srv->waiting--;
	close_if_over(srv);
}

/* ---- servers -------------------------------------------------------------------------------------------------- */

struct webhook_servers *
webhook_servers_new(struct loop *l, str address)
{
	struct webhook_servers *ws = MEM_NEW(struct webhook_servers);
	ws->loop = l;
	ws->arena = arena_new();
	ws->address = arena_dup(ws->arena, address);
	list_init(&ws->all);
	return ws;
}

void
webhook_servers_free(struct webhook_servers *ws)
{
	if (!ws)
		return;
	assert(list_empty(&ws->all));
	arena_free(ws->arena);
	free(ws);
}

static void
close_if_over(struct server *srv)
{
	if (srv->waiting || !list_empty(&srv->routes))
		return;
	list_del(&srv->link);
	httpd_stop(srv->httpd);
	free(srv);
}

static int
start_server(struct source *s, const struct webhook_context *w, uint16_t port, struct server **out, struct err *e)
{
	struct webhook_servers *ws = sources_webhooks(source_owner(s));
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct httpd_config c = { .address = ws->address, .port = port, .max_body = (size_t)w->max_payload };
	if (w->server_cert && w->server_key &&
	    (source_secret(s, w->server_cert, a, &c.cert_pem, e) < 0 || source_secret(s, w->server_key, a, &c.key_pem, e) < 0))
		return -1;
	struct httpd *h;
	if (httpd_start(ws->loop, &c, &h, e) < 0)
		return err_wrap(e, "port %u", port);
	struct server *srv = MEM_NEW(struct server);
	*srv = (struct server){ .httpd = h, .port = port, .tls = c.cert_pem.p };
	list_init(&srv->routes);
	list_add_tail(&ws->all, &srv->link);
	srv->everything = httpd_route(h, "*", "/{path...}", on_request, srv);
	*out = srv;
	return 0;
}

/* The largest body that any endpoint of the port takes; each checks its own limit too. */
static void
set_limit(struct server *srv)
{
	int64_t max = 1;
	LIST_EACH(&srv->routes, struct webhook_route, link, route)
		if (route->context->max_payload > max)
			max = route->context->max_payload;
	http_route_max_body(srv->everything, (size_t)max);
}

static int
find_server(struct source *s, const struct webhook_context *w, struct server **out, struct err *e)
{
	int64_t port = 0;
	if (!str_to_i64(w->port, &port) || port < 0 || port > 65535)
		return err_set(e, ERR_INVALID, "port %.*s: must be between 1 and 65535", STR_ARG(w->port));
	LIST_EACH(&sources_webhooks(source_owner(s))->all, struct server, link, srv) {
		if (srv->port != port)
			continue;
		if (w->server_cert && !srv->tls)
			return err_set(e, ERR_EXISTS, "port %u is served without TLS by another event: give both the certificate", srv->port);
		LIST_EACH(&srv->routes, struct webhook_route, link, other)
			if (str_eq(other->context->endpoint, w->endpoint))
				return err_set(e, ERR_EXISTS, "%.*s on port %u is served by event %.*s of %.*s/%.*s already", STR_ARG(w->endpoint),
				               srv->port, STR_ARG(source_event_name(other->source)), STR_ARG(source_ns(other->source)),
				               STR_ARG(source_name(other->source)));
		*out = srv;
		return 0;
	}
	return start_server(s, w, (uint16_t)port, out, e);
}

int
webhook_serve(struct source *s, const struct webhook_context *w, void (*handle)(struct source *s, struct http_req *r),
              struct webhook_route **out, struct err *e)
{
	struct regex *pattern;
	struct server *srv = NULL;
	if (w->auth && crypto_load(e) < 0) /* now, not with the first token to compare */
		return -1;
	if (webhook_endpoint_compile(w->endpoint, &pattern, e) < 0)
		return -1;
	if (find_server(s, w, &srv, e) < 0) {
		regex_free(pattern);
		return -1;
	}
	struct webhook_route *route = MEM_NEW(struct webhook_route);
	*route = (struct webhook_route){ .server = srv, .source = s, .context = w, .pattern = pattern, .handle = handle,
	                                 .content_type = "text/plain; charset=utf-8", .success = S("success") };
	list_add_tail(&srv->routes, &route->link);
	set_limit(srv);
	str address = sources_webhooks(source_owner(s))->address;
	struct buf url CLEANUP(free_buf) = { 0 };
	buf_addf(&url, "http%s://%.*s:%u%.*s", srv->tls ? "s" : "", address.n ? (int)address.n : 7, address.n ? address.p : "0.0.0.0",
	         httpd_port(srv->httpd), STR_ARG(w->endpoint));
	source_set_url(s, buf_str(&url));
	*out = route;
	return 0;
}

void
webhook_unserve(struct webhook_route *route)
{
	struct server *srv = route->server;
	list_del(&route->link);
	regex_free(route->pattern);
	free(route);
	set_limit(srv);
	close_if_over(srv);
}
