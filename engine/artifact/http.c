/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The drivers http and artifactory: an object is what a URL gives, and what is put there. Fields are those of Argo's HTTPArtifact and
 * ArtifactoryArtifact. Redirects are followed, those of a PUT too, as WebHDFS needs it: the body is not sent before the server asked for it. Neither user,
 * token nor headers of the manifest go to another origin with a PUT; with a GET libcurl holds back what identifies.
 */
#include <sys/stat.h>

#include "core/log.h"
#include "core/net/http_transfer.h"
#include "core/net/oauth.h"
#include "core/net/sigv4.h"
#include "engine/artifact/cloud.h"
#include "engine/artifact/driver.h"

#define REDIRECTS_MAX 10u

struct http {
	const struct artifact_site *site;
	const struct val *place;
	struct http_session *session;
	struct http_header *headers; /* with room for three more */
	size_t headers_n;
	str user, password, cert, key;
	const struct val *oauth; /* NULL: no token is needed */
	struct oauth_token token;
};

/* One request, with all its tries. */
struct asking {
	struct http *h;
	const char *method;
	str url;
	bool foreign; /* not the manifest's own origin any more */
};

/* ---- the place ----------------------------------------------------------------------------------------------------- */

static void
read_headers(struct http *h)
{
	const struct val *list = val_get(h->place, S("headers"));
	uint32_t n = val_is(list, VAL_LIST) ? list->n : 0;
	h->headers = ARENA_ARRAY(h->site->arena, struct http_header, n + 3);
	for (uint32_t i = 0; i < n; i++)
		h->headers[h->headers_n++] = (struct http_header){ val_get_str(&list->items[i], "name"), val_get_str(&list->items[i], "value") };
}

static int
read_auth(struct http *h, struct err *e)
{
	static const char *const needs[] = { "clientID", "clientSecret", "tokenURL" };
	const struct val *auth = val_get(h->place, S("auth")), *basic = val_get(auth, S("basicAuth")), *cert = val_get(auth, S("clientCert"));
	h->user = val_get_str(basic, "username");
	h->password = val_get_str(basic, "password");
	h->cert = val_get_str(cert, "clientCert");
	h->key = val_get_str(cert, "clientKey");
	h->oauth = val_get(auth, S("oauth2"));
	if (!h->cert.n != !h->key.n)
		return err_set(e, ERR_INVALID, "http: auth.clientCert needs clientCertSecret and clientKeySecret");
	for (size_t i = 0; h->oauth && i < ARRAY_LEN(needs); i++)
		if (!val_get_str(h->oauth, needs[i]).n)
			return err_set(e, ERR_INVALID, "http: auth.oauth2 needs %sSecret", needs[i]);
	return 0;
}

static struct http *
open_any(const struct val *place, const struct artifact_site *site)
{
	struct http *h = ARENA_NEW(site->arena, struct http);
	*h = (struct http){ .site = site, .place = place, .session = http_session_new() };
	read_headers(h);
	return h;
}

static void
close_http(void *state)
{
	struct http *h = state;
	http_session_free(h->session);
	oauth_token_free(&h->token);
}

static int
open_http(const struct val *place, const struct artifact_site *site, void **state, struct err *e)
{
	struct http *h = open_any(place, site);
	*state = h;
	if (read_auth(h, e) == 0)
		return 0;
	close_http(h);
	return -1;
}

static int
open_artifactory(const struct val *place, const struct artifact_site *site, void **state, struct err *e UNUSED)
{
	struct http *h = open_any(place, site);
	h->user = val_get_str(place, "username");
	h->password = val_get_str(place, "password");
	*state = h;
	return 0;
}

/* ---- a token ------------------------------------------------------------------------------------------------------- */

/* How a client proves itself (RFC 6749, 2.3.1): in the header, or in the form. */
struct token_call {
	struct http *h;
	bool in_form;
};

static str
token_form(const struct http *h, bool with_client, struct arena *a)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	const struct val *scopes = val_get(h->oauth, S("scopes")), *more = val_get(h->oauth, S("endpointParams"));
	buf_addf(&b, "grant_type=client_credentials");
	for (uint32_t i = 0; val_is(scopes, VAL_LIST) && i < scopes->n; i++)
		buf_addf(&b, "%s%.*s", i ? "%20" : "&scope=", STR_ARG(sigv4_encode(a, val_text(&scopes->items[i]), false)));
	for (uint32_t i = 0; val_is(more, VAL_LIST) && i < more->n; i++) {
		str value = val_get_str(&more->items[i], "value");
		buf_addf(&b, "&%.*s=%.*s", STR_ARG(sigv4_encode(a, val_get_str(&more->items[i], "key"), false)),
		         STR_ARG(sigv4_encode(a, value.p ? value : S(""), false)));
	}
	if (with_client)
		buf_addf(&b, "&client_id=%.*s&client_secret=%.*s", STR_ARG(sigv4_encode(a, val_get_str(h->oauth, "clientID"), false)),
		         STR_ARG(sigv4_encode(a, val_get_str(h->oauth, "clientSecret"), false)));
	return arena_dup(a, buf_str(&b));
}

static int
token_request(void *arg, uint64_t from UNUSED, str etag UNUSED, struct arena *a, struct http_call *call, struct err *e UNUSED)
{
	static const struct http_header form[] = { { { "Content-Type", 12 }, { "application/x-www-form-urlencoded", 33 } } };
	const struct token_call *t = arg;
	const struct val *o = t->h->oauth;
	*call = (struct http_call){ .method = S("POST"), .url = str_trim(val_get_str(o, "tokenURL")), .headers = form, .headers_n = 1,
		.body = token_form(t->h, t->in_form, a) };
	if (!t->in_form) {
		call->user = sigv4_encode(a, val_get_str(o, "clientID"), false);
		call->password = sigv4_encode(a, val_get_str(o, "clientSecret"), false);
	}
	return 0;
}

static int
get_token(struct http *h, struct arena *a, struct err *e)
{
	struct token_call t = { .h = h };
	const struct http_transfer how = { .request = token_request, .arg = &t };
	struct http_answer ans;
	if (oauth_token_is_good(&h->token, cloud_now_ns()))
		return 0;
	if (http_ask(h->session, &how, a, &ans, e) < 0)
		return err_wrap(e, "http: the token of auth.oauth2");
	if (ans.status / 100 == 4) { /* some servers take it in the form only */
		t.in_form = true;
		if (http_ask(h->session, &how, a, &ans, e) < 0)
			return err_wrap(e, "http: the token of auth.oauth2");
	}
	str why = ans.status / 100 == 2 ? STR_NONE : oauth_refusal(a, ans.body);
	if (ans.status / 100 != 2)
		return err_set(e, ans.status >= 500 ? ERR_UNAVAILABLE : ERR_UNAUTHENTICATED, "http: auth.oauth2 got no token: %d%s%.*s", ans.status,
		               why.n ? " " : "", STR_ARG(why));
	return oauth_token_take(&h->token, ans.body, cloud_now_ns(), e) < 0 ? err_wrap(e, "http: auth.oauth2") : 0;
}

/* ---- requests ------------------------------------------------------------------------------------------------------ */

static void
add_header(struct http_call *call, struct http_header *list, const char *name, str value)
{
	list[call->headers_n++] = (struct http_header){ str_c(name), value };
}

/* With what the manifest says of who asks. */
static int
identify(struct http *h, struct arena *a, struct http_call *call, struct http_header *list, struct err *e)
{
	if (h->headers_n)
		memcpy(list, h->headers, h->headers_n * sizeof *list);
	call->headers_n = h->headers_n;
	if (h->user.n) {
		call->user = h->user;
		call->password = h->password.p ? h->password : S("");
	}
	call->cert_pem = h->cert;
	call->key_pem = h->key;
	if (!h->oauth)
		return 0;
	if (get_token(h, a, e) < 0)
		return -1;
	call->user = STR_NONE;
	add_header(call, list, "Authorization", arena_fmt(a, "Bearer %.*s", STR_ARG(h->token.text)));
	return 0;
}

static int
make_request(void *arg, uint64_t from, str etag, struct arena *a, struct http_call *call, struct err *e)
{
	const struct asking *x = arg;
	struct http_header *list = ARENA_ARRAY(a, struct http_header, x->h->headers_n + 3);
	bool put = strcmp(x->method, "PUT") == 0;
	call->method = str_c(x->method);
	call->url = x->url;
	call->headers = list;
	call->max_redirects = put ? 0 : REDIRECTS_MAX;
	call->ask_first = put;
	if (!x->foreign && identify(x->h, a, call, list, e) < 0)
		return -1;
	if (from)
		add_header(call, list, "Range", arena_fmt(a, "bytes=%llu-", (unsigned long long)from));
	if (from && etag.n && !str_starts(etag, S("W/")))
		add_header(call, list, "If-Range", etag);
	return 0;
}

static struct http_transfer
transfer(const struct http *h, struct asking *x)
{
	return (struct http_transfer){ .request = make_request, .arg = x, .watch = h->site->watch };
}

/* What an answer says that is not 2xx. */
static int
refused(const struct http *h, const struct asking *x, const struct http_answer *ans, struct err *e)
{
	struct arena *a = h->site->arena;
	static const struct { int status; enum err_code code; } codes[] = { { 401, ERR_UNAUTHENTICATED }, { 403, ERR_DENIED }, { 404, ERR_NOT_FOUND },
		{ 410, ERR_NOT_FOUND }, { 408, ERR_UNAVAILABLE }, { 429, ERR_UNAVAILABLE }, { 413, ERR_LIMIT } };
	enum err_code code = ans->status >= 500 && ans->status != 501 ? ERR_UNAVAILABLE : ERR_INVALID;
	str said = http_excerpt(a, ans->body.p ? ans->body : S("")), url = http_url_public(a, x->url);
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].status == ans->status)
			code = codes[i].code;
	return err_set(e, code, "%s %.*s: %d%s%.*s", x->method, STR_ARG(url), ans->status, said.n ? " " : "", STR_ARG(said));
}

static int
get(void *state, str url, int fd, struct err *e)
{
	struct http *h = state;
	struct asking x = { h, "GET", url, false };
	struct http_transfer t = transfer(h, &x);
	struct http_answer ans;
	cloud_go_on(h->site, &t);
	if (http_download(h->session, &t, fd, h->site->arena, &ans, e) < 0)
		return -1;
	return ans.status / 100 == 2 ? 0 : refused(h, &x, &ans, e);
}

/* ---- putting ------------------------------------------------------------------------------------------------------- */

static str
origin_of(str url)
{
	size_t host = str_find(url, S("://"), 0);
	host = host == SIZE_MAX ? 0 : host + 3;
	size_t end = str_find_char(url, '/', host), query = str_find_char(url, '?', host);
	return str_slice(url, 0, end < query ? end : query);
}

/* 307 and 308 mean the same request once more elsewhere. 1: it goes on there. */
static int
follow(struct asking *x, const struct http_answer *ans, struct err *e)
{
	struct arena *a = x->h->site->arena;
	str to = http_answer_header(ans, "Location");
	if ((ans->status != 307 && ans->status != 308) || !to.n)
		return 0;
	str url = str_starts(to, S("/")) ? arena_fmt(a, "%.*s%.*s", STR_ARG(origin_of(x->url)), STR_ARG(to)) : arena_dup(a, to);
	if (!str_starts(url, S("http://")) && !str_starts(url, S("https://")))
		return err_set(e, ERR_INVALID, "PUT %.*s: redirects to what is no URL of http", STR_ARG(http_url_public(a, x->url)));
	x->foreign = x->foreign || !str_eq(origin_of(url), origin_of(x->url));
	x->url = url;
	return 1;
}

static int
put(void *state, str url, int fd, struct err *e)
{
	struct http *h = state;
	struct asking x = { h, "PUT", url, false };
	struct http_transfer t = transfer(h, &x);
	struct http_answer ans;
	struct stat st;
	int more = 1;
	if (fstat(fd, &st) < 0)
		return err_errno(e, "look at what is to be saved");
	for (unsigned i = 0; more == 1; i++) {
		if (i > REDIRECTS_MAX)
			return err_set(e, ERR_LIMIT, "PUT %.*s: more than %u redirects", STR_ARG(http_url_public(h->site->arena, url)), REDIRECTS_MAX);
		if (http_upload(h->session, &t, fd, 0, (uint64_t)st.st_size, h->site->arena, &ans, e) < 0 || (more = follow(&x, &ans, e)) < 0)
			return -1;
	}
	return ans.status / 100 == 2 ? 0 : refused(h, &x, &ans, e);
}

/* A URL has one body. */
static int
put_tree(void *state UNUSED, str url UNUSED, int dir UNUSED, struct err *e)
{
	return err_set(e, ERR_INVALID, "a folder cannot be saved at a URL as it is: leave `archive: {none: {}}` out");
}

static int
remove_object(void *state, str url, struct err *e)
{
	struct http *h = state;
	struct asking x = { h, "DELETE", url, false };
	struct http_transfer t = transfer(h, &x);
	struct http_answer ans;
	if (http_ask(h->session, &t, h->site->arena, &ans, e) < 0)
		return -1;
	return ans.status / 100 == 2 || ans.status == 404 || ans.status == 410 ? 0 : refused(h, &x, &ans, e);
}

const struct artifact_driver artifact_http = { .name = "http", .key = "url", .open = open_http, .close = close_http, .get = get, .put = put,
	.put_tree = put_tree };
const struct artifact_driver artifact_artifactory = { .name = "artifactory", .key = "url", .open = open_artifactory, .close = close_http, .get = get,
	.put = put, .put_tree = put_tree, .remove = remove_object };
