/* SPDX-License-Identifier: Apache-2.0 */
/* The entrance: every request of every listener comes through entered(), is let in or not, and goes to its handler. */

#include "api/rest.h"
#include "core/crypto.h"
#include "engine/exec/executor.h"

struct route {
	const char *method, *pattern;
	rest_handler *fn;
	bool object;
	rest_upload *upload; /* instead of fn */
};

#define ROUTE(m, p, f, doc) { m, p, f, false, NULL },
#define OBJECT_ROUTE(m, p, f, doc) { m, p, f, true, NULL },
#define UPLOAD_ROUTE(m, p, f, doc) { m, p, NULL, false, f },
static const struct route routes[] = {
#include "api/routes.def"
};
#undef ROUTE
#undef OBJECT_ROUTE
#undef UPLOAD_ROUTE

/* A route on a listener: what the server hands back to us with a request. */
struct binding {
	struct api *api;
	const struct route *route;
	const struct resource *resource;
	str token; /* absent: none is asked for. Owned by the binding */
};

/* "Authorization: Bearer <token>", as argo and Hera send it. */
static bool
let_in(const struct binding *b, const struct http_req *r)
{
	if (!b->token.p || b->route->fn == get_health)
		return true;
	str header = http_req_header(r, "Authorization");
	if (!str_starts(header, S("Bearer ")))
		return false;
	return crypto_equal(str_trim(str_slice(header, 7, header.n)), b->token);
}

struct api *
rest_api(const struct http_req *r)
{
	const struct binding *b = http_req_route_arg(r);
	return b->api;
}

/* Answers and returns false without the token. */
static bool
check_token(const struct binding *b, struct http_req *r)
{
	if (let_in(b, r))
		return true;
	http_reply_header(r, "WWW-Authenticate", S("Bearer"));
	rest_failf(r, ERR_UNAUTHENTICATED, "token not valid: the token is in the file `token` of the state directory");
	return false;
}

/* Before a file is read. */
static bool
admitted(struct http_req *r, void *arg)
{
	const struct binding *b = arg;
	return check_token(b, r) && upload_admit(b->api, r, b->route->upload);
}

static void
entered(struct http_req *r, void *arg)
{
	const struct binding *b = arg;
	if (!check_token(b, r))
		return;
	if (b->route->upload) {
		upload_take(b->api, r, b->route->upload);
		return;
	}
	if (http_req_too_large(r)) {
		rest_failf(r, ERR_LIMIT, "the body is too large");
		return;
	}
	b->route->fn(b->api, r, b->resource);
}

static void
bind_route(struct api *api, struct httpd *h, const struct route *rt, const struct resource *res, const char *pattern, str token)
{
	struct binding *b = MEM_NEW(struct binding);
	*b = (struct binding){ api, rt, res, STR_NONE };
	if (token.p) {
		char *copy = mem_alloc(token.n + 1);
		memcpy(copy, token.p, token.n);
		b->token = (str){ copy, token.n };
	}
	*VEC_PUSH(&api->bindings) = b;
	struct http_route *added = httpd_route(h, rt->method, pattern, entered, b);
	http_route_max_body(added, 16u << 20);
	if (rt->upload) {
		struct arena *a CLEANUP(free_arena) = arena_new();
		http_route_max_body(added, (size_t)api->env.settings->artifact_size << 20);
		http_route_spool(added, executor_files_folder(api->env.executor, a).p, admitted);
	}
}

/* The collection's own path: with and without a namespace where it has one. */
static void
bind_object_route(struct api *api, struct httpd *h, const struct route *rt, str token)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	for (const struct resource *res = resources; res->path; res++) {
		str pattern = arena_fmt(a, "/api/v1/%s%s%s", res->path, res->cluster ? "" : "/{ns}", rt->pattern);
		bind_route(api, h, rt, res, pattern.p, token);
		if (!res->cluster && !*rt->pattern)
			bind_route(api, h, rt, res, arena_fmt(a, "/api/v1/%s/", res->path).p, token);
	}
}

void
api_attach(struct api *api, struct httpd *h, str token)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if (routes[i].object)
			bind_object_route(api, h, &routes[i], token);
		else
			bind_route(api, h, &routes[i], NULL, routes[i].pattern, token);
	}
}

struct api *
api_new(const struct api_env *env)
{
	struct api *api = MEM_NEW(struct api);
	api->env = *env;
	api->started = loop_now(env->loop);
	list_init(&api->streams);
	return api;
}

void
api_stop(struct api *api)
{
	LIST_EACH(&api->streams, struct stream, link, s)
		stream_end(s);
}

void
api_free(struct api *api)
{
	if (!api)
		return;
	assert(list_empty(&api->streams));
	for (size_t i = 0; i < api->bindings.n; i++) {
		union {
			const char *in;
			char *out;
		} token = { .in = api->bindings.p[i]->token.p };
		free(token.out);
		free(api->bindings.p[i]);
	}
	VEC_FREE(&api->bindings);
	free(api);
}
