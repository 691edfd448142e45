/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The object as one of S3, or of what speaks like it: a signed GET (core/net/sigv4.h). Buckets of AWS are addressed by host, as it wants
 * them, those of other services by path. A service that has the bucket in another region says which; then it is asked once more.
 */
#include "core/xml.h"
#include "triggers/aws.h"
#include "triggers/call.h"
#include "triggers/fetch.h"

#define AWS_DOMAIN ".amazonaws.com"

struct s3_reading {
	struct sigv4_keys keys;
	bool signed_;
	str ca, region, name;
	bool asked; /* with a region that the service named */
};

/* ---- where ------------------------------------------------------------------------------------------------------------ */

static bool
is_aws(str endpoint)
{
	return str_ends(endpoint, S(AWS_DOMAIN)) || str_ends(endpoint, S(AWS_DOMAIN ".cn"));
}

/* s3.amazonaws.com is the endpoint of one region only. */
static str
host_of_region(struct arena *a, str endpoint, str region)
{
	return str_eq(endpoint, S("s3" AWS_DOMAIN)) && !str_eq(region, S("us-east-1"))
	               ? arena_fmt(a, "s3.%.*s" AWS_DOMAIN, STR_ARG(region))
	               : endpoint;
}

/* Certificates of AWS hold for one label before the endpoint. */
static bool
goes_by_host(const struct s3_source *s)
{
	return is_aws(s->endpoint) && str_find_char(s->bucket.name, '.', 0) == SIZE_MAX;
}

static void
address(struct arena *a, const struct s3_source *s, const struct s3_reading *r, struct sigv4_request *out)
{
	str host = host_of_region(a, s->endpoint, r->region), key = sigv4_encode(a, s->bucket.key, true), bucket = sigv4_encode(a, s->bucket.name, false);
	while (str_starts(key, S("/")))
		key = str_slice(key, 1, key.n);
	out->host = goes_by_host(s) ? arena_fmt(a, "%.*s.%.*s", STR_ARG(bucket), STR_ARG(host)) : host;
	out->path = goes_by_host(s) ? arena_fmt(a, "/%.*s", STR_ARG(key)) : arena_fmt(a, "/%.*s/%.*s", STR_ARG(bucket), STR_ARG(key));
}

/* ---- the call ----------------------------------------------------------------------------------------------------------- */

static void answered(void *arg, const struct http_answer *ans, const struct err *failure);

static void
ask(struct fetch *x)
{
	const struct trigger_env *env = firing_env(x->firing);
	const struct s3_source *s = x->from.s3;
	struct s3_reading *r = x->own;
	struct arena *a = firing_arena(x->firing);
	struct sigv4_request q = { .method = S("GET"), .body = S(""), .region = r->region, .service = S("s3"), .once_encoded = true };
	address(a, s, r, &q);
	struct http_call call = { .method = q.method, .max_response = RESOURCE_S3_MAX, .ca_pem = r->ca };
	call.url = arena_fmt(a, "http%s://%.*s%.*s", s->insecure ? "" : "s", STR_ARG(q.host), STR_ARG(q.path));
	if (r->signed_)
		call.headers = sigv4_sign(&q, &r->keys, loop_now(env->loop), a, &call.headers_n);
	httpc_send(env->httpc(env->arg), &call, answered, x);
}

/* The region that a refusal names: in a header, or in <Region> of its body. */
static str
region_named(struct arena *a, const struct http_answer *ans)
{
	str region = http_answer_header(ans, "X-Amz-Bucket-Region");
	if (!region.n)
		region = xml_find(ans->body, "Region", a);
	for (size_t i = 0; i < region.n; i++)
		if (!((region.p[i] >= 'a' && region.p[i] <= 'z') || (region.p[i] >= '0' && region.p[i] <= '9') || region.p[i] == '-'))
			return STR_NONE;
	return region.n <= 32 ? arena_dup(a, region) : STR_NONE;
}

static bool
ask_elsewhere(struct fetch *x, const struct http_answer *ans)
{
	struct s3_reading *r = x->own;
	bool moved = ans->status == 400 || ans->status == 301 || ans->status == 307 || ans->status == 403;
	str region = moved && !r->asked ? region_named(firing_arena(x->firing), ans) : STR_NONE;
	if (!region.n || str_eq(region, r->region) || firing_is_over(x->firing))
		return false;
	r->asked = true;
	r->region = region;
	ask(x);
	return true;
}

static void
answered(void *arg, const struct http_answer *ans, const struct err *failure)
{
	struct fetch *x = arg;
	const struct s3_reading *r = x->own;
	struct err e = { 0 };
	if (failure)
		e = *failure;
	else if (ans->status != 200 && ask_elsewhere(x, ans))
		return;
	else
		(void)!call_judge_read(x->firing, r->name, ans, &e); /* e says it */
	fetch_done(x, e.code ? STR_NONE : ans->body, r->name, e.code ? &e : NULL);
}

static int
prepare(struct fetch *x, struct s3_reading *r, struct err *e)
{
	const struct s3_source *s = x->from.s3;
	if (!firing_env(x->firing)->httpc)
		return err_set(e, ERR_UNSUPPORTED, "source.s3: nothing is asked for over the network here");
	if (!s->endpoint.n || !s->bucket.name.n || !s->bucket.key.n)
		return err_set(e, ERR_INVALID, "source.s3: endpoint, bucket.name and bucket.key must be given");
	r->name = arena_fmt(firing_arena(x->firing), "s3 %.*s/%.*s", STR_ARG(s->bucket.name), STR_ARG(s->bucket.key));
	r->region = s->region.n ? s->region : S("us-east-1");
	r->signed_ = s->access_key || sigv4_keys_around(&r->keys);
	if (call_secret(x->firing, s->ca, &r->ca, e) < 0)
		return -1;
	return r->signed_ ? aws_keys(x->firing, s->access_key, s->secret_key, NULL, &r->keys, e) : 0;
}

void
fetch_s3(struct fetch *x)
{
	struct s3_reading *r = ARENA_NEW(firing_arena(x->firing), struct s3_reading);
	struct err e = { 0 };
	*r = (struct s3_reading){ 0 };
	x->own = r;
	if (prepare(x, r, &e) < 0)
		fetch_failed(x, &e);
	else
		ask(x);
}
