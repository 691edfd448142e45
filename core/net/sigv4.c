/* SPDX-License-Identifier: Apache-2.0 */
/* See sigv4.h. Three steps, each a hash of the one before: the canonical request, the string to sign, the signature. */
#include "core/net/sigv4.h"

#include <time.h>

#include "core/crypto.h"

#define ALGORITHM "AWS4-HMAC-SHA256"

str
sigv4_encode(struct arena *a, str text, bool slash)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("-_.~", c)) || (slash && c == '/');
		if (plain)
			buf_addc(&b, (char)c);
		else
			buf_addf(&b, "%%%02X", c);
	}
	return arena_dup(a, buf_str(&b));
}

bool
sigv4_keys_around(struct sigv4_keys *out)
{
	*out = (struct sigv4_keys){ str_c(getenv("AWS_ACCESS_KEY_ID")), str_c(getenv("AWS_SECRET_ACCESS_KEY")), str_c(getenv("AWS_SESSION_TOKEN")) };
	return out->access_key.n && out->secret_key.n;
}

str
sigv4_endpoint(struct arena *a, str given, const char *service, str region)
{
	bool china = str_starts(region, S("cn-"));
	if (!given.n)
		return arena_fmt(a, "https://%s.%.*s.amazonaws.com%s", service, STR_ARG(region), china ? ".cn" : "");
	return str_ends(given, S("/")) ? str_slice(given, 0, given.n - 1) : given;
}

str
sigv4_host(str endpoint)
{
	size_t scheme = str_find(endpoint, S("://"), 0);
	return scheme == SIZE_MAX ? endpoint : str_slice(endpoint, scheme + 3, endpoint.n);
}

/* ---- the canonical request --------------------------------------------------------------------------------------- */

static str
hash_hex(struct arena *a, str bytes)
{
	unsigned char hash[CRYPTO_HASH_MAX];
	return str_hex(a, hash, crypto_hash("sha256", bytes, hash));
}

static str
lower(struct arena *a, str s)
{
	str out = arena_dup(a, s);
	for (size_t i = 0; i < out.n; i++)
		if (s.p[i] >= 'A' && s.p[i] <= 'Z')
			((char *)(uintptr_t)out.p)[i] = (char)(s.p[i] + 'a' - 'A');
	return out;
}

/* Without spaces around it, and with one where there were several. */
static str
squeeze(struct arena *a, str s)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	s = str_trim(s);
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != ' ' || s.p[i - 1] != ' ')
			buf_addc(&b, s.p[i]);
	return arena_dup(a, buf_str(&b));
}

struct pair {
	str name, value;
	size_t place; /* as they came: equal names keep their order */
};

static int
by_name(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int c = str_cmp(x->name, y->name);
	return c ? c : x->place < y->place ? -1 : 1;
}

static int
by_name_and_value(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int c = str_cmp(x->name, y->name);
	return c ? c : str_cmp(x->value, y->value);
}

static void
add_query(struct buf *b, struct arena *a, str query)
{
	size_t n = 0, most = 1;
	for (size_t i = 0; i < query.n; i++)
		most += query.p[i] == '&';
	struct pair *p = ARENA_ARRAY(a, struct pair, most);
	while (query.n) {
		str value = str_cut(&query, '&');
		str name = str_cut(&value, '=');
		if (name.n || value.n)
			p[n++] = (struct pair){ name, value, 0 };
	}
	if (n)
		qsort(p, n, sizeof *p, by_name_and_value);
	for (size_t i = 0; i < n; i++)
		buf_addf(b, "%s%.*s=%.*s", i ? "&" : "", STR_ARG(p[i].name), STR_ARG(p[i].value));
}

/* The headers, and in *names the list of their names. */
static void
add_headers(struct buf *b, struct arena *a, str host, const struct http_header *headers, size_t headers_n, str *names)
{
	size_t n = headers_n + 1;
	struct buf list CLEANUP(free_buf) = { 0 };
	struct pair *p = ARENA_ARRAY(a, struct pair, n);
	p[0] = (struct pair){ S("host"), host, 0 };
	for (size_t i = 1; i < n; i++)
		p[i] = (struct pair){ lower(a, headers[i - 1].name), squeeze(a, headers[i - 1].value), i };
	qsort(p, n, sizeof *p, by_name);
	for (size_t i = 0; i < n; i++) {
		bool again = i && str_eq(p[i].name, p[i - 1].name);
		if (again)
			buf_addf(b, ",%.*s", STR_ARG(p[i].value));
		else
			buf_addf(b, "%s%.*s:%.*s", i ? "\n" : "", STR_ARG(p[i].name), STR_ARG(p[i].value));
		if (!again)
			buf_addf(&list, "%s%.*s", i ? ";" : "", STR_ARG(p[i].name));
	}
	*names = arena_dup(a, buf_str(&list));
}

static str
canonical(const struct sigv4_request *r, const struct http_header *headers, size_t headers_n, str body, struct arena *a, str *names)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	str path = r->path.n ? r->path : S("/");
	if (!r->once_encoded)
		path = sigv4_encode(a, path, true);
	buf_addf(&b, "%.*s\n%.*s\n", STR_ARG(r->method), STR_ARG(path));
	add_query(&b, a, r->query);
	buf_addc(&b, '\n');
	add_headers(&b, a, r->host, headers, headers_n, names);
	buf_addf(&b, "\n\n%.*s\n%.*s", STR_ARG(*names), STR_ARG(body));
	return arena_dup(a, buf_str(&b));
}

/* ---- the signature ------------------------------------------------------------------------------------------------- */

static str
hmac(struct arena *a, str key, str message)
{
	unsigned char out[CRYPTO_HASH_MAX];
	size_t n = 0;
	struct err e;
	int rc = crypto_hmac("sha256", key, message, out, &n, &e);
	assert(rc == 0); /* the hash is known, and the library is there */
	(void)rc;
	return arena_dup(a, (str){ (const char *)out, n });
}

static str
scope_of(const struct sigv4_request *r, str at, struct arena *a)
{
	return arena_fmt(a, "%.*s/%.*s/%.*s/aws4_request", STR_ARG(str_slice(at, 0, 8)), STR_ARG(r->region), STR_ARG(r->service));
}

static str
sign(const struct sigv4_request *r, const struct sigv4_keys *k, str at, str request, struct arena *a)
{
	str day = str_slice(at, 0, 8), scope = scope_of(r, at, a), hash = hash_hex(a, request);
	str text = arena_fmt(a, ALGORITHM "\n%.*s\n%.*s\n%.*s", STR_ARG(at), STR_ARG(scope), STR_ARG(hash));
	str key = hmac(a, arena_fmt(a, "AWS4%.*s", STR_ARG(k->secret_key)), day);
	key = hmac(a, key, r->region);
	key = hmac(a, key, r->service);
	str signature = hmac(a, hmac(a, key, S("aws4_request")), text);
	return str_hex(a, signature.p, signature.n);
}

static str
timestamp(struct arena *a, int64_t now_ns)
{
	time_t s = (time_t)(now_ns / NS_PER_SEC);
	struct tm t;
	char out[32];
	gmtime_r(&s, &t);
	size_t n = strftime(out, sizeof out, "%Y%m%dT%H%M%SZ", &t);
	return arena_dup(a, (str){ out, n });
}

const struct http_header *
sigv4_sign(const struct sigv4_request *r, const struct sigv4_keys *k, int64_t now_ns, struct arena *a, size_t *n)
{
	struct http_header *out = ARENA_ARRAY(a, struct http_header, r->headers_n + SIGV4_HEADERS);
	size_t count = 0;
	str at = timestamp(a, now_ns), names, scope = scope_of(r, at, a), body = r->body_hash.p ? r->body_hash : hash_hex(a, r->body);
	for (size_t i = 0; i < r->headers_n; i++)
		out[count++] = r->headers[i];
	out[count++] = (struct http_header){ S("X-Amz-Date"), at };
	if (r->once_encoded) /* only s3 asks for it */
		out[count++] = (struct http_header){ S("X-Amz-Content-Sha256"), body };
	if (k->session_token.n)
		out[count++] = (struct http_header){ S("X-Amz-Security-Token"), k->session_token };
	str signature = sign(r, k, at, canonical(r, out, count, body, a, &names), a);
	out[count++] = (struct http_header){ S("Authorization"),
		arena_fmt(a, ALGORITHM " Credential=%.*s/%.*s, SignedHeaders=%.*s, Signature=%.*s", STR_ARG(k->access_key), STR_ARG(scope),
		          STR_ARG(names), STR_ARG(signature)) };
	*n = count;
	return out;
}

str
sigv4_presign(const struct sigv4_request *r, const struct sigv4_keys *k, int64_t now_ns, int seconds, struct arena *a)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	struct sigv4_request signed_ = *r;
	str at = timestamp(a, now_ns), names, scope = scope_of(r, at, a);
	str credential = sigv4_encode(a, arena_fmt(a, "%.*s/%.*s", STR_ARG(k->access_key), STR_ARG(scope)), false);
	buf_addf(&b, "%.*s%sX-Amz-Algorithm=" ALGORITHM "&X-Amz-Credential=%.*s&X-Amz-Date=%.*s&X-Amz-Expires=%d", STR_ARG(r->query), r->query.n ? "&" : "",
	         STR_ARG(credential), STR_ARG(at), seconds);
	if (k->session_token.n)
		buf_addf(&b, "&X-Amz-Security-Token=%.*s", STR_ARG(sigv4_encode(a, k->session_token, false)));
	buf_add(&b, S("&X-Amz-SignedHeaders=host"));
	signed_.query = buf_str(&b);
	str body = r->once_encoded ? S("UNSIGNED-PAYLOAD") : hash_hex(a, S("")); /* s3 leaves it open */
	str signature = sign(r, k, at, canonical(&signed_, NULL, 0, body, a, &names), a);
	buf_addf(&b, "&X-Amz-Signature=%.*s", STR_ARG(signature));
	return arena_dup(a, buf_str(&b));
}
