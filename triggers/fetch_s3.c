/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The object as one of S3, or of what speaks like it: a signed GET (core/net/sigv4.h). Buckets of AWS are addressed by host, as it wants
 * them, those of other services by path. A service that has the bucket in another region says which; then it is asked once more.
 */
#include "core/net/s3_address.h"
#include "triggers/aws.h"
#include "triggers/call.h"
#include "triggers/fetch.h"

struct s3_reading {
	struct sigv4_keys keys;
	bool signed_;
	str ca, region, name;
	bool asked; /* with a region that the service named */
};

/* ---- the call ----------------------------------------------------------------------------------------------------------- */

static void answered(void *arg, const struct http_answer *ans, const struct err *failure);

static void
ask(struct fetch *x)
{
	const struct trigger_env *env = firing_env(x->firing);
	const struct s3_source *s = x->from.s3;
	struct s3_reading *r = x->own;
	struct arena *a = firing_arena(x->firing);
	const struct s3_address where = { s->endpoint, s->bucket.name, r->region, s3_goes_by_host(s->endpoint, s->bucket.name) };
	struct sigv4_request q = { .method = S("GET"), .body = S(""), .region = r->region, .service = S("s3"), .once_encoded = true };
	s3_address(&where, s->bucket.key, a, &q);
	struct http_call call = { .method = q.method, .max_response = RESOURCE_S3_MAX, .ca_pem = r->ca };
	call.url = s3_url(!s->insecure, &q, a);
	if (r->signed_)
		call.headers = sigv4_sign(&q, &r->keys, loop_now(env->loop), a, &call.headers_n);
	httpc_send(env->httpc(env->arg), &call, answered, x);
}

static bool
ask_elsewhere(struct fetch *x, const struct http_answer *ans)
{
	struct s3_reading *r = x->own;
	str region = r->asked ? STR_NONE : s3_region_elsewhere(ans, firing_arena(x->firing));
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
