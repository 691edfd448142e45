/* SPDX-License-Identifier: Apache-2.0 */
/* See sts.h. */
#include "core/net/sts.h"

#include "core/xml.h"

void
sts_assume_role(const struct sts_role *r, const struct sigv4_keys *k, int64_t now_ns, struct arena *a, struct http_call *out)
{
	static const struct http_header form[] = { { { "Content-Type", 12 }, { "application/x-www-form-urlencoded; charset=utf-8", 48 } } };
	str base = sigv4_endpoint(a, r->endpoint, "sts", r->region);
	struct sigv4_request q = { .method = S("POST"), .path = S("/"), .headers = form, .headers_n = ARRAY_LEN(form), .region = r->region, .service = S("sts") };
	q.host = sigv4_host(base);
	q.body = arena_fmt(a, "Action=AssumeRole&DurationSeconds=%d&RoleArn=%.*s&RoleSessionName=%.*s&Version=2011-06-15", STS_SECONDS,
	                   STR_ARG(sigv4_encode(a, r->arn, false)), STR_ARG(sigv4_encode(a, r->session, false)));
	*out = (struct http_call){ .method = q.method, .url = arena_fmt(a, "%.*s/", STR_ARG(base)), .body = q.body };
	out->headers = sigv4_sign(&q, k, now_ns, a, &out->headers_n);
}

void
sts_assume_role_by_token(const struct sts_role *r, str token, struct arena *a, struct http_call *out)
{
	static const struct http_header form[] = { { { "Content-Type", 12 }, { "application/x-www-form-urlencoded; charset=utf-8", 48 } } };
	*out = (struct http_call){ .method = S("POST"), .headers = form, .headers_n = ARRAY_LEN(form) };
	out->url = arena_fmt(a, "%.*s/", STR_ARG(sigv4_endpoint(a, r->endpoint, "sts", r->region)));
	out->body = arena_fmt(a, "Action=AssumeRoleWithWebIdentity&DurationSeconds=%d&RoleArn=%.*s&RoleSessionName=%.*s&Version=2011-06-15&WebIdentityToken=%.*s",
	                      STS_SECONDS, STR_ARG(sigv4_encode(a, r->arn, false)), STR_ARG(sigv4_encode(a, r->session, false)),
	                      STR_ARG(sigv4_encode(a, token, false)));
}

int
sts_read_keys(str xml, struct arena *a, struct sigv4_keys *out, int64_t *until_ns, struct err *e)
{
	*out = (struct sigv4_keys){ xml_find(xml, "AccessKeyId", a), xml_find(xml, "SecretAccessKey", a), xml_find(xml, "SessionToken", a) };
	str until = xml_find(xml, "Expiration", a);
	if (!out->access_key.n || !out->secret_key.n || !out->session_token.n)
		return err_set(e, ERR_INVALID, "the answer of STS has no AccessKeyId, SecretAccessKey or SessionToken");
	if (time_parse_rfc3339(until, until_ns, e) < 0)
		return err_wrap(e, "the Expiration in the answer of STS");
	return 0;
}
