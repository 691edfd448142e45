/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to S3. Each try has a signature of its own, as one is good for minutes. A service that has the bucket in another region says
 * which; then it is asked once more.
 */
#include "core/net/s3_address.h"
#include "engine/artifact/cloud.h"
#include "engine/artifact/s3.h"

#define LIST_MAX ((size_t)16 << 20)

/* One request, with all its tries. */
struct asking {
	struct s3 *s;
	const struct s3_request *r;
};

str
s3_name(const struct s3 *s, str key, struct arena *a)
{
	return arena_fmt(a, "s3 %.*s, %.*s%s%.*s", STR_ARG(s->endpoint), STR_ARG(s->bucket), key.n ? "/" : "", STR_ARG(key));
}

static int
make_request(void *arg, uint64_t from, str etag, struct arena *a, struct http_call *call, struct err *e)
{
	const struct asking *x = arg;
	const struct s3_request *r = x->r;
	struct sigv4_request q = { .method = str_c(r->method), .query = r->query, .body = r->body.p ? r->body : S(""), .body_hash = r->body_hash,
		.region = x->s->region, .service = S("s3"), .once_encoded = true };
	struct http_header *headers = ARENA_ARRAY(a, struct http_header, r->headers_n + 2);
	struct s3_address where;
	size_t n = r->headers_n;
	if (s3_keys(x->s, e) < 0)
		return -1;
	where = (struct s3_address){ x->s->endpoint, x->s->bucket, x->s->region, x->s->by_host };
	if (n)
		memcpy(headers, r->headers, n * sizeof *headers);
	if (from)
		headers[n++] = (struct http_header){ S("Range"), arena_fmt(a, "bytes=%llu-", (unsigned long long)from) };
	if (from && etag.n)
		headers[n++] = (struct http_header){ S("If-Match"), etag };
	s3_address(&where, r->key, a, &q);
	q.headers = headers;
	q.headers_n = n;
	*call = (struct http_call){ .method = q.method, .body = r->body, .ca_pem = x->s->ca, .max_response = LIST_MAX, .headers = headers, .headers_n = n };
	call->url = s3_url(x->s->secure, &q, a);
	if (x->s->signed_)
		call->headers = sigv4_sign(&q, &x->s->keys.keys, cloud_now_ns(), a, &call->headers_n);
	return 0;
}

static bool
is_elsewhere(struct s3 *s, const struct http_answer *ans, struct arena *a)
{
	str region = s->named_region ? STR_NONE : s3_region_elsewhere(ans, a);
	if (!region.n || str_eq(region, s->region))
		return false;
	s->named_region = true;
	s->region = arena_dup(s->site->arena, region);
	return true;
}

static enum err_code
code_of(int status)
{
	return status == 404                             ? ERR_NOT_FOUND
	       : status == 401                           ? ERR_UNAUTHENTICATED
	       : status == 403                           ? ERR_DENIED
	       : status == 412                           ? ERR_UNAVAILABLE /* it was changed while it was read */
	       : status >= 500 || status == 429 || status == 408 ? ERR_UNAVAILABLE
	                                                 : ERR_INVALID;
}

static int
judge(const struct asking *x, const struct http_answer *ans, struct arena *a, struct err *e)
{
	str why = http_xml_refusal(a, ans->body);
	if (ans->status / 100 == 2)
		return 0;
	return err_set(e, code_of(ans->status), "%.*s: %s is answered with %d%s%.*s", STR_ARG(s3_name(x->s, x->r->key, a)), x->r->method, ans->status,
		why.n ? ", " : "", STR_ARG(str_slice(why, 0, 300)));
}

static struct http_transfer
transfer_of(struct asking *x)
{
	return (struct http_transfer){ .request = make_request, .arg = x, .watch = x->s->site->watch,
		.tries = x->r->tries, .began = x->r->began, .began_arg = x->r->began_arg,
		.have = x->r->have, .etag = x->r->etag };
}

static int
failed(const struct asking *x, struct arena *a, struct err *e)
{
	return err_wrap(e, "%.*s", STR_ARG(s3_name(x->s, x->r->key, a)));
}

int
s3_ask(struct s3 *s, const struct s3_request *r, struct arena *a, struct http_answer *out, struct err *e)
{
	struct asking x = { s, r };
	const struct http_transfer t = transfer_of(&x);
	do {
		if (http_ask(s->http, &t, a, out, e) < 0)
			return failed(&x, a, e);
	} while (is_elsewhere(s, out, a));
	return judge(&x, out, a, e);
}

int
s3_send(struct s3 *s, const struct s3_request *r, int fd, uint64_t offset, uint64_t bytes, struct arena *a, struct http_answer *out, struct err *e)
{
	struct asking x = { s, r };
	const struct http_transfer t = transfer_of(&x);
	do {
		if (http_upload(s->http, &t, fd, offset, bytes, a, out, e) < 0)
			return failed(&x, a, e);
	} while (is_elsewhere(s, out, a));
	return judge(&x, out, a, e);
}

int
s3_receive(struct s3 *s, const struct s3_request *r, int fd, struct arena *a, struct http_answer *out, struct err *e)
{
	struct asking x = { s, r };
	const struct http_transfer t = transfer_of(&x);
	do {
		if (http_download(s->http, &t, fd, a, out, e) < 0)
			return failed(&x, a, e);
	} while (is_elsewhere(s, out, a));
	return judge(&x, out, a, e);
}
