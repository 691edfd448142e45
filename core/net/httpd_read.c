/* SPDX-License-Identifier: Apache-2.0 */
/* What a request says: the accessors of httpd.h. */
#include <netdb.h>
#include <netinet/in.h>

#include "core/net/httpd_impl.h"

struct arena *
http_req_arena(struct http_req *r)
{
	return r->arena;
}

str
http_req_method(const struct http_req *r)
{
	return r->method;
}

str
http_req_path(const struct http_req *r)
{
	return r->path;
}

str
http_req_raw_path(const struct http_req *r)
{
	return r->raw_path;
}

str
http_req_query(const struct http_req *r)
{
	return r->query;
}

str
http_req_body(const struct http_req *r)
{
	if (r->spool) /* it is in a file, or on its way there */
		return S("");
	return r->large.n ? buf_str(&r->large) : (str){ r->small ? r->small : "", r->body_n };
}

bool
http_req_too_large(const struct http_req *r)
{
	return r->too_large;
}

str
http_req_header(const struct http_req *r, const char *name)
{
	const char *value = NULL;
	size_t n = 0;
	if (!r->conn || mhd.lookup_connection_value_n(r->conn, MHD_HEADER_KIND, name, strlen(name), &value, &n) != MHD_YES || !value)
		return STR_NONE;
	return (str){ value, n };
}

struct header_list {
	struct http_header *p;
	size_t n, max;
};

static enum MHD_Result
add_header(void *cls, enum MHD_ValueKind kind UNUSED, const char *name, size_t name_n, const char *value, size_t value_n)
{
	struct header_list *l = cls;
	if (l->n < l->max)
		l->p[l->n++] = (struct http_header){ { name, name_n }, { value ? value : "", value_n } };
	return MHD_YES;
}

size_t
http_req_headers(const struct http_req *r, const struct http_header **out)
{
	if (!r->headers && r->conn) {
		struct http_req *m = (struct http_req *)(uintptr_t)r; /* only fills its cache */
		int n = mhd.get_connection_values(r->conn, MHD_HEADER_KIND, NULL, NULL);
		struct header_list l = { .p = ARENA_ARRAY(r->arena, struct http_header, (size_t)n), .max = (size_t)n };
		mhd.get_connection_values_n(r->conn, MHD_HEADER_KIND, add_header, &l);
		m->headers = l.p;
		m->headers_n = l.n;
	}
	*out = r->headers;
	return r->headers_n;
}

static str
find_pair(const struct http_header *p, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(p[i].name, str_c(name)))
			return p[i].value;
	return STR_NONE;
}

str
http_req_var(const struct http_req *r, const char *name)
{
	return find_pair(r->vars, r->vars_n, name);
}

size_t
http_req_args(const struct http_req *r, const struct http_header **out)
{
	if (!r->args) {
		struct http_req *m = (struct http_req *)(uintptr_t)r;
		m->args_n = http_form_parse(r->arena, r->query, &m->args);
	}
	*out = r->args;
	return r->args_n;
}

str
http_req_arg(const struct http_req *r, const char *name)
{
	const struct http_header *args;
	size_t n = http_req_args(r, &args);
	return find_pair(args, n, name);
}

bool
http_req_is_unix(const struct http_req *r)
{
	return r->httpd && r->httpd->unix_path;
}

void *
http_req_route_arg(const struct http_req *r)
{
	return r->route->arg;
}

str
http_req_peer(const struct http_req *r)
{
	if (http_req_is_unix(r) || !r->conn)
		return S("unix");
	const union MHD_ConnectionInfo *info = mhd.get_connection_info(r->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	char host[64], port[16];
	socklen_t n = info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	if (getnameinfo(info->client_addr, n, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV))
		return S("unknown");
	const char *mapped = str_starts(str_c(host), S("::ffff:")) ? host + 7 : host;
	return arena_fmt(r->arena, strchr(mapped, ':') ? "[%s]:%s" : "%s:%s", mapped, port);
}
