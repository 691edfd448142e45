/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/oss.h"

#include <stdlib.h>

#include "core/base64.h"
#include "core/crypto.h"
#include "core/net/http_date.h"
#include "core/net/sigv4.h"
#include "core/val.h"

#define METADATA "http://100.100.100.200/latest/"
#define EARLY (5 * 60 * NS_PER_SEC)
enum { METADATA_MS = 5000 };

/* ---- calls ----------------------------------------------------------------------------------------------------------- */

/* What of a query is signed, of that which is asked here. */
static bool
is_signed(str name)
{
	static const char *const names[] = { "lifecycle", "partNumber", "uploadId", "uploads" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_eq(name, str_c(names[i])))
			return true;
	return false;
}

static str
standard(const struct oss_request *r, const char *name)
{
	for (size_t i = 0; i < r->headers_n; i++)
		if (str_eq(r->headers[i].name, str_c(name)))
			return r->headers[i].value;
	return STR_NONE;
}

/* Method, Content-MD5, Content-Type, Date, the headers of OSS, and what is asked for, not encoded. */
static str
to_sign(const struct oss_request *r, const struct http_header *headers, size_t n, str date, struct arena *a)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	unsigned shown = 0;
	buf_addf(&b, "%.*s\n%.*s\n%.*s\n%.*s\n", STR_ARG(r->method), STR_ARG(standard(r, "Content-MD5")), STR_ARG(standard(r, "Content-Type")), STR_ARG(date));
	for (size_t i = 0; i < n; i++)
		if (str_starts(headers[i].name, S("x-oss-")))
			buf_addf(&b, "%.*s:%.*s\n", STR_ARG(headers[i].name), STR_ARG(headers[i].value));
	buf_addf(&b, "/%.*s/%.*s", STR_ARG(r->bucket), STR_ARG(r->key));
	for (size_t i = 0; i < r->query_n; i++)
		if (is_signed(r->query[i].name))
			buf_addf(&b, "%c%.*s%s%.*s", shown++ ? '&' : '?', STR_ARG(r->query[i].name), r->query[i].value.p ? "=" : "", STR_ARG(r->query[i].value));
	return arena_dup(a, buf_str(&b));
}

static str
signature(str secret, str text, struct arena *a)
{
	unsigned char mac[CRYPTO_HASH_MAX];
	size_t n = 0;
	struct err e;
	int rc = crypto_hmac("sha1", secret, text, mac, &n, &e);
	assert(rc == 0); /* the hash is known, and the library is there */
	(void)rc;
	return base64_encode(a, (str){ (const char *)mac, n });
}

/* Digits, dots and a port, or an address in brackets. */
static bool
is_address(str host)
{
	for (size_t i = 0; i < host.n; i++)
		if (!((host.p[i] >= '0' && host.p[i] <= '9') || host.p[i] == '.' || host.p[i] == ':'))
			return host.p[0] == '[';
	return true;
}

static str
url(const struct oss_request *r, struct arena *a)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	size_t from = str_find(r->endpoint, S("://"), 0) + 3;
	str host = str_slice(r->endpoint, from, r->endpoint.n), key = sigv4_encode(a, r->key, true);
	buf_add(&b, str_slice(r->endpoint, 0, from));
	if (is_address(host))
		buf_addf(&b, "%.*s/%.*s/%.*s", STR_ARG(host), STR_ARG(r->bucket), STR_ARG(key));
	else
		buf_addf(&b, "%.*s.%.*s/%.*s", STR_ARG(r->bucket), STR_ARG(host), STR_ARG(key));
	for (size_t i = 0; i < r->query_n; i++)
		buf_addf(&b, "%c%.*s%s%.*s", i ? '&' : '?', STR_ARG(r->query[i].name), r->query[i].value.p ? "=" : "",
		         STR_ARG(sigv4_encode(a, r->query[i].value, false)));
	return arena_dup(a, buf_str(&b));
}

void
oss_call(const struct oss_request *r, const struct oss_keys *k, int64_t now_ns, struct arena *a, struct http_call *out)
{
	struct http_header *headers = ARENA_ARRAY(a, struct http_header, r->headers_n + 3);
	size_t n = 0;
	for (; n < r->headers_n; n++)
		headers[n] = r->headers[n];
	if (k->token.n)
		headers[n++] = (struct http_header){ S("x-oss-security-token"), k->token };
	str date = http_date(a, now_ns), sum = signature(k->secret_key, to_sign(r, headers, n, date, a), a);
	headers[n++] = (struct http_header){ S("Date"), date };
	headers[n++] = (struct http_header){ S("Authorization"), arena_fmt(a, "OSS %.*s:%.*s", STR_ARG(k->access_key), STR_ARG(sum)) };
	*out = (struct http_call){ .method = r->method, .url = url(r, a), .headers = headers, .headers_n = n };
}

/* ---- keys ------------------------------------------------------------------------------------------------------------ */

bool
oss_keys_around(struct oss_keys *out)
{
	*out = (struct oss_keys){ str_c(getenv("ALIBABA_CLOUD_ACCESS_KEY_ID")), str_c(getenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET")),
		                  str_c(getenv("ALIBABA_CLOUD_SECURITY_TOKEN")), INT64_MAX };
	return out->access_key.n && out->secret_key.n;
}

void
oss_metadata_session_call(struct arena *a UNUSED, struct http_call *out)
{
	static const struct http_header headers[] = { { { "X-aliyun-ecs-metadata-token-ttl-seconds", 39 }, { "300", 3 } } };
	*out = (struct http_call){ .method = S("PUT"), .url = S(METADATA "api/token"), .headers = headers, .headers_n = 1, .timeout_ms = METADATA_MS };
}

void
oss_metadata_call(str role, str session, struct arena *a, struct http_call *out)
{
	struct http_header *header = ARENA_NEW(a, struct http_header);
	*header = (struct http_header){ S("X-aliyun-ecs-metadata-token"), session };
	*out = (struct http_call){ .method = S("GET"), .headers = header, .headers_n = session.n ? 1 : 0, .timeout_ms = METADATA_MS };
	out->url = arena_fmt(a, METADATA "meta-data/ram/security-credentials/%.*s", STR_ARG(sigv4_encode(a, role, false)));
}

int
oss_keys_read(str json, struct arena *a, struct oss_keys *out, struct err *e)
{
	struct val v;
	int64_t until;
	if (json_read(a, json, &v, e) < 0)
		return err_wrap(e, "the keys of the machine's role");
	*out = (struct oss_keys){ val_get_str(&v, "AccessKeyId"), val_get_str(&v, "AccessKeySecret"), val_get_str(&v, "SecurityToken"), 0 };
	if (!out->access_key.n || !out->secret_key.n || !out->token.n || time_parse_rfc3339(val_get_str(&v, "Expiration"), &until, e) < 0)
		return err_set(e, ERR_INVALID, "the keys of the machine's role: AccessKeyId, AccessKeySecret, SecurityToken or Expiration is missing");
	out->until_ns = until - EARLY;
	return 0;
}
