/* SPDX-License-Identifier: Apache-2.0 */
/* A call over HTTP as libcurl is told of it. */
#include "core/net/httpc_impl.h"

/* ---- headers and body --------------------------------------------------------------------------------------------- */

static bool
is_token(str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7F || strchr("\"(),/:;<=>?@[\\]{}", s.p[i]))
			return false;
	return s.n > 0;
}

static bool
is_one_line(str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\r' || s.p[i] == '\n' || !s.p[i])
			return false;
	return true;
}

static void
add_line(struct call *c, const char *line)
{
	struct curl_slist *l = c->client->curl.slist_append(c->request_headers, line);
	assert(l);
	c->request_headers = l;
}

static int
set_headers(struct call *c, const struct http_call *call, struct err *e)
{
	bool has_type = false;
	for (size_t i = 0; i < call->headers_n; i++) {
		const struct http_header *h = &call->headers[i];
		if (!is_token(h->name) || !is_one_line(h->value))
			return err_set(e, ERR_INVALID, "%.*s: header \"%.*s\": not a header's name, or its value has a line break", STR_ARG(c->what),
				STR_ARG(str_slice(h->name, 0, 60)));
		has_type |= str_eq_nocase(h->name, S("Content-Type"));
		/* For libcurl "Name:" removes a header, "Name;" sends an empty one. */
		str value = str_trim(h->value);
		add_line(c, arena_fmt(c->arena, value.n ? "%.*s: %.*s" : "%.*s;", STR_ARG(h->name), STR_ARG(value)).p);
	}
	/* libcurl's own rule would have larger bodies wait a second for "100 Continue" from servers that never say so */
	add_line(c, call->ask_first ? "Expect: 100-continue" : "Expect:");
	if (!has_type)
		add_line(c, "Content-Type:"); /* else libcurl calls every body a form */
	c->client->curl.easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->request_headers);
	return 0;
}

static void
set_body(struct call *c, const struct http_call *call)
{
	struct curl *curl = &c->client->curl;
	bool post = str_eq(call->method, S("POST"));
	if (call->body.n || post) {
		str body = arena_dup(c->arena, call->body.p ? call->body : S(""));
		curl->easy_setopt(c->easy, CURLOPT_POST, 1L);
		curl->easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
		curl->easy_setopt(c->easy, CURLOPT_POSTFIELDS, body.p);
	}
	if (str_eq(call->method, S("HEAD")))
		curl->easy_setopt(c->easy, CURLOPT_NOBODY, 1L);
	else if (!post && !(str_eq(call->method, S("GET")) && !call->body.n))
		curl->easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, str_z(c->arena, call->method));
}

/* ---- whom it goes to ---------------------------------------------------------------------------------------------- */

/* libcurl 7.88 begins HTTP/2 anew on a plain connection that has it already: there each call has a connection of its own. */
static void
set_http2(struct call *c, bool tls)
{
	struct curl *curl = &c->client->curl;
	curl->easy_setopt(c->easy, CURLOPT_HTTP_VERSION, (long)(tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE));
	curl->easy_setopt(c->easy, CURLOPT_FRESH_CONNECT, tls ? 0L : 1L);
	curl->easy_setopt(c->easy, CURLOPT_FORBID_REUSE, tls ? 0L : 1L);
}

/* An empty user is whoever has tickets. */
static void
set_negotiate(struct call *c)
{
	struct curl *curl = &c->client->curl;
	curl->easy_setopt(c->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_NEGOTIATE);
	curl->easy_setopt(c->easy, CURLOPT_USERNAME, "");
	curl->easy_setopt(c->easy, CURLOPT_PASSWORD, "");
}

static void
set_peer(struct call *c, const struct http_call *call)
{
	struct curl *curl = &c->client->curl;
	transfer_set_text(c, CURLOPT_URL, call->url);
	transfer_set_text(c, CURLOPT_UNIX_SOCKET_PATH, call->unix_socket);
	transfer_set_text(c, CURLOPT_USERNAME, call->user);
	transfer_set_text(c, CURLOPT_PASSWORD, call->password);
	transfer_set_blob(c, CURLOPT_CAINFO_BLOB, call->ca_pem);
	transfer_set_blob(c, CURLOPT_SSLCERT_BLOB, call->cert_pem);
	transfer_set_blob(c, CURLOPT_SSLKEY_BLOB, call->key_pem);
	transfer_set_peer(c, call->insecure, call->timeout_ms);
	if (str_starts(call->url, S("https:")) && !call->cert_pem.n)
		c->hint = " (the server may want a certificate of the client)";
	if (call->negotiate)
		set_negotiate(c);
	if (call->http2)
		set_http2(c, str_starts(call->url, S("https:")));
	if (call->connect_to.n) {
		c->connect_to = curl->slist_append(NULL, arena_fmt(c->arena, "::%.*s", STR_ARG(call->connect_to)).p);
		assert(c->connect_to);
		curl->easy_setopt(c->easy, CURLOPT_CONNECT_TO, c->connect_to);
	}
	curl->easy_setopt(c->easy, CURLOPT_FOLLOWLOCATION, call->max_redirects ? 1L : 0L);
	curl->easy_setopt(c->easy, CURLOPT_MAXREDIRS, (long)call->max_redirects);
	curl->easy_setopt(c->easy, CURLOPT_PROTOCOLS_STR, call->tls_only ? "https" : "http,https");
	curl->easy_setopt(c->easy, CURLOPT_REDIR_PROTOCOLS_STR, call->tls_only ? "https" : "http,https");
}

/* ---- the whole ---------------------------------------------------------------------------------------------------- */

static str
describe(struct arena *a, str method, str url)
{
	return arena_fmt(a, "%.*s %.*s", STR_ARG(method), STR_ARG(str_slice(http_url_public(a, url), 0, 200)));
}

static int
prepare(struct call *c, const struct http_call *call, struct err *e)
{
	if (!is_token(call->method))
		return err_set(e, ERR_INVALID, "\"%.*s\": not an HTTP method", STR_ARG(str_slice(call->method, 0, 40)));
	if (!is_one_line(call->url))
		return err_set(e, ERR_INVALID, "%.*s: the URL has a line break in it", STR_ARG(c->what));
	if (transfer_open(c, e) < 0)
		return -1;
	set_peer(c, call);
	set_body(c, call);
	if (call->piece)
		transfer_set_pieces(c, call);
	return set_headers(c, call, e);
}

struct call *
transfer_http(struct httpc *h, const struct http_call *call, void (*done)(void *arg, const struct http_answer *ans, const struct err *e), void *arg,
              int *rc)
{
	struct arena *a = arena_new();
	struct call *c = transfer_new(h, a, describe(a, call->method, call->url), done, arg);
	if (call->max_response)
		c->max_response = call->max_response;
	*rc = prepare(c, call, &c->err);
	return c;
}

void
httpc_send(struct httpc *h, const struct http_call *call, void (*done)(void *arg, const struct http_answer *ans, const struct err *e), void *arg)
{
	int rc;
	struct call *c = transfer_http(h, call, done, arg, &rc);
	transfer_go(c, rc);
}
