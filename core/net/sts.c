/* SPDX-License-Identifier: Apache-2.0 */
/* See sts.h. The answers are small and flat: each value stands between its tags, once. */
#include "core/net/sts.h"

void
sts_assume_role(const struct sts_role *r, const struct sigv4_keys *k, int64_t now_ns, struct arena *a, struct http_call *out)
{
	static const struct http_header form[] = { { { "Content-Type", 12 }, { "application/x-www-form-urlencoded; charset=utf-8", 48 } } };
	bool china = str_starts(r->region, S("cn-"));
	str base = r->endpoint.n ? r->endpoint : arena_fmt(a, "https://sts.%.*s.amazonaws.com%s", STR_ARG(r->region), china ? ".cn" : "");
	size_t host = str_find(base, S("://"), 0);
	struct sigv4_request q = { .method = S("POST"), .path = S("/"), .headers = form, .headers_n = ARRAY_LEN(form), .region = r->region, .service = S("sts") };
	q.host = host == SIZE_MAX ? base : str_slice(base, host + 3, base.n);
	q.body = arena_fmt(a, "Action=AssumeRole&DurationSeconds=%d&RoleArn=%.*s&RoleSessionName=%.*s&Version=2011-06-15", STS_SECONDS,
	                   STR_ARG(sigv4_encode(a, r->arn, false)), STR_ARG(sigv4_encode(a, r->session, false)));
	*out = (struct http_call){ .method = q.method, .url = arena_fmt(a, "%.*s/", STR_ARG(base)), .body = q.body };
	out->headers = sigv4_sign(&q, k, now_ns, a, &out->headers_n);
}

/* The five entities of XML 1.0, 4.6. */
static str
without_entities(str s, struct arena *a)
{
	static const struct {
		str name;
		char c;
	} entities[] = { { { "&lt;", 4 }, '<' }, { { "&gt;", 4 }, '>' }, { { "&amp;", 5 }, '&' }, { { "&quot;", 6 }, '"' }, { { "&apos;", 6 }, '\'' } };
	struct buf b CLEANUP(free_buf) = { 0 };
	while (s.n) {
		size_t i = 0;
		while (i < ARRAY_LEN(entities) && !str_starts(s, entities[i].name))
			i++;
		buf_addc(&b, i < ARRAY_LEN(entities) ? entities[i].c : s.p[0]);
		s = str_slice(s, i < ARRAY_LEN(entities) ? entities[i].name.n : 1, s.n);
	}
	return arena_dup(a, buf_str(&b));
}

/* What is between <name> and </name>; absent if there are none, or it is no text. */
static str
element(str xml, const char *name, struct arena *a)
{
	str open = arena_fmt(a, "<%s>", name), shut = arena_fmt(a, "</%s>", name);
	size_t from = str_find(xml, open, 0);
	if (from == SIZE_MAX)
		return STR_NONE;
	size_t to = str_find(xml, shut, from + open.n);
	str text = str_slice(xml, from + open.n, to);
	bool is_text = to != SIZE_MAX && str_find_char(text, 0, 0) == SIZE_MAX; /* XML 1.0, 2.2 */
	return is_text ? without_entities(str_trim(text), a) : STR_NONE;
}

int
sts_read_keys(str xml, struct arena *a, struct sigv4_keys *out, int64_t *until_ns, struct err *e)
{
	*out = (struct sigv4_keys){ element(xml, "AccessKeyId", a), element(xml, "SecretAccessKey", a), element(xml, "SessionToken", a) };
	str until = element(xml, "Expiration", a);
	if (!out->access_key.n || !out->secret_key.n || !out->session_token.n)
		return err_set(e, ERR_INVALID, "the answer of STS has no AccessKeyId, SecretAccessKey or SessionToken");
	if (time_parse_rfc3339(until, until_ns, e) < 0)
		return err_wrap(e, "the Expiration in the answer of STS");
	return 0;
}

str
sts_read_refusal(str xml, struct arena *a)
{
	str code = element(xml, "Code", a), message = element(xml, "Message", a);
	return code.n ? arena_fmt(a, "%.*s: %.*s", STR_ARG(code), STR_ARG(message)) : STR_NONE;
}
