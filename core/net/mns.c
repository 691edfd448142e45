/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/mns.h"

#include "core/base64.h"
#include "core/crypto.h"
#include "core/net/http_date.h"

#define VERSION S("2015-06-06")
#define XML_TYPE S("application/xml")

/* Method, Content-MD5 (which may be left out, and is), Content-Type, Date, the headers of MNS, and what is asked for. */
static str
signature(const struct mns_request *r, str date, struct arena *a)
{
	unsigned char mac[CRYPTO_HASH_MAX];
	size_t n = 0;
	struct err e;
	str text = arena_fmt(a, "%.*s\n\n%.*s\n%.*s\nx-mns-version:%.*s\n%.*s", STR_ARG(r->method), STR_ARG(XML_TYPE), STR_ARG(date), STR_ARG(VERSION),
	                     STR_ARG(r->resource));
	int rc = crypto_hmac("sha1", r->secret_key, text, mac, &n, &e);
	assert(rc == 0); /* the hash is known, and the library is there */
	(void)rc;
	return base64_encode(a, (str){ (const char *)mac, n });
}

void
mns_call(const struct mns_request *r, int64_t now_ns, struct arena *a, struct http_call *out)
{
	struct http_header *headers = ARENA_ARRAY(a, struct http_header, 4);
	str base = str_ends(r->endpoint, S("/")) ? str_slice(r->endpoint, 0, r->endpoint.n - 1) : r->endpoint;
	headers[0] = (struct http_header){ S("Content-Type"), XML_TYPE };
	headers[1] = (struct http_header){ S("Date"), http_date(a, now_ns) };
	headers[2] = (struct http_header){ S("x-mns-version"), VERSION };
	headers[3] = (struct http_header){ S("Authorization"), arena_fmt(a, "MNS %.*s:%.*s", STR_ARG(r->access_key),
		STR_ARG(signature(r, headers[1].value, a))) };
	out->method = r->method;
	out->url = arena_fmt(a, "%.*s%.*s", STR_ARG(base), STR_ARG(r->resource));
	out->headers = headers;
	out->headers_n = 4;
	out->body = r->body;
}
