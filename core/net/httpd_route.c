/* SPDX-License-Identifier: Apache-2.0 */
/* Which handler a request goes to. */
#include "core/net/http_path.h"
#include "core/net/httpd_impl.h"

void
httpd_route_unref(struct http_route *rt)
{
	if (!rt || --rt->refs > 0)
		return;
	http_pattern_free(rt->pattern);
	free(rt->spool_folder);
	free(rt->method);
	free(rt);
}

struct http_route *
httpd_route(struct httpd *h, const char *method, const char *pattern, http_handler *fn, void *arg)
{
	struct http_pattern *p;
	struct err e;
	if (http_pattern_new(pattern, &p, &e))
		return NULL;
	struct http_route *rt = MEM_NEW(struct http_route), **end = &h->routes;
	*rt = (struct http_route){ .method = mem_text(str_c(method)), .pattern = p, .max_body = SIZE_MAX, .fn = fn, .arg = arg, .refs = 1 };
	while (*end)
		end = &(*end)->next;
	return *end = rt;
}

void
httpd_unroute(struct httpd *h, struct http_route *rt)
{
	for (struct http_route **at = &h->routes; *at; at = &(*at)->next)
		if (*at == rt) {
			*at = rt->next;
			rt->fn = NULL; /* requests on their way in get 404 */
			httpd_route_unref(rt);
			return;
		}
}

void
http_route_max_body(struct http_route *rt, size_t bytes)
{
	rt->max_body = bytes;
}

void
http_route_spool(struct http_route *rt, const char *folder, bool (*admit)(struct http_req *r, void *arg))
{
	rt->spool_folder = mem_text(str_c(folder));
	rt->admit = admit;
}

static bool
serves(const struct http_route *rt, str method)
{
	return !strcmp(rt->method, "*") || str_eq(str_c(rt->method), method) || (!strcmp(rt->method, "GET") && str_eq(method, S("HEAD")));
}

/* Sets the route and its variables. */
void
httpd_find_route(struct http_req *r)
{
	for (struct http_route *rt = r->httpd->routes; rt; rt = rt->next)
		if (serves(rt, r->method) && http_pattern_match(rt->pattern, r->path, r->arena, &r->vars, &r->vars_n)) {
			r->route = rt;
			rt->refs++;
			return;
		}
}

/* The methods that other routes serve this path with, for 405; empty: none. */
str
httpd_allowed_methods(struct http_req *r)
{
	struct buf allow CLEANUP(free_buf) = { 0 };
	for (struct http_route *rt = r->httpd->routes; rt; rt = rt->next)
		if (http_pattern_match(rt->pattern, r->path, r->arena, NULL, NULL))
			buf_addf(&allow, "%s%s", allow.n ? ", " : "", rt->method);
	return arena_dup(r->arena, buf_str(&allow));
}
