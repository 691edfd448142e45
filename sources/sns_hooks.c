/* SPDX-License-Identifier: Apache-2.0 */
/* The subscription of an sns source: the query interface of SNS of 2010-03-31, signed, with keys of a role if need be. */
#include "sources/sns.h"

#include "core/crypto.h"
#include "core/net/sts.h"
#include "core/xml.h"

enum { SUBSCRIBE, CONFIRM };

void
sns_confirm(struct source *s, str token)
{
	hooks_set_target(signed_hooks(s), CONFIRM, token);
}

static const struct sns_source *
config(const struct hook_site *site)
{
	return source_config(site->source);
}

static int
begin(struct hook_site *site, struct err *e)
{
	const struct sns_source *c = config(site);
	site->base = sigv4_endpoint(site->arena, hook_base(c->endpoint, ""), "sns", c->region);
	site->delete_at_end = true;
	if (c->common.webhook->url.n)
		hook_add_target(site, SUBSCRIBE, "%.*s", STR_ARG(c->topic_arn));
	return crypto_load(e);
}

/* The keys of the manifest or, without, those of the daemon's environment, where AWS's own tools look for them. */
static int
own_keys(const struct hook_site *site, struct arena *a, struct sigv4_keys *k, struct err *e)
{
	const struct sns_source *c = config(site);
	*k = (struct sigv4_keys){ 0 };
	if (c->access_key)
		return source_secret(site->source, c->access_key, a, &k->access_key, e) < 0 ? -1
		                                                                            : source_secret(site->source, c->secret_key, a, &k->secret_key, e);
	return sigv4_keys_around(k) ? 0 : err_set(e, ERR_NOT_FOUND, "no keys: give accessKey and secretKey");
}

static void
copy_call(struct hook_request *q, const struct http_call *c)
{
	q->method = str_z(q->arena, c->method);
	q->url = c->url;
	q->body = c->body;
	for (size_t i = 0; i < c->headers_n; i++)
		hook_header(q, str_z(q->arena, c->headers[i].name), c->headers[i].value);
}

enum { GOOD_FOR_YET = 60 /* seconds that keys of a role must have left */ };

static int
login(struct hook_site *site, struct hook_request *q, struct err *e)
{
	const struct sns_source *c = config(site);
	int64_t now = loop_now(source_loop(site->source));
	struct sigv4_keys keys;
	struct http_call call;
	if (!c->role_arn.n || site->login.until > now + GOOD_FOR_YET * NS_PER_SEC)
		return 0;
	if (own_keys(site, q->arena, &keys, e) < 0)
		return -1;
	struct sts_role role = { .arn = c->role_arn, .session = S("tidegate"), .region = c->region, .endpoint = str_c(getenv("AWS_ENDPOINT_URL_STS")) };
	sts_assume_role(&role, &keys, now, q->arena, &call);
	copy_call(q, &call);
	return 1;
}

static int
logged_in(struct hook_site *site, str answer, struct err *e)
{
	arena_free(site->login.arena);
	site->login.arena = arena_new();
	return sts_read_keys(answer, site->login.arena, &site->login.keys, &site->login.until, e);
}

static int
authorize(struct hook_site *site, struct hook_request *q, struct err *e)
{
	const struct sns_source *c = config(site);
	struct sigv4_keys keys = site->login.keys;
	if (!c->role_arn.n && own_keys(site, q->arena, &keys, e) < 0)
		return -1;
	struct sigv4_request r = { .method = str_c(q->method), .path = S("/"), .headers = q->headers, .headers_n = q->headers_n, .body = q->body,
		                   .region = c->region, .service = S("sns") };
	r.host = sigv4_host(site->base);
	size_t n;
	const struct http_header *headers = sigv4_sign(&r, &keys, loop_now(source_loop(site->source)), q->arena, &n);
	q->headers_n = 0;
	for (size_t i = 0; i < n; i++)
		q->headers[q->headers_n++] = headers[i];
	return 0;
}

static str
enc(struct hook_request *q, str text)
{
	return sigv4_encode(q->arena, text, false);
}

static int
create(struct hook_site *site, const struct hook_target *t, struct hook_request *q, struct err *e UNUSED)
{
	const struct sns_source *c = config(site);
	str topic = enc(q, c->topic_arn);
	if (t->what == CONFIRM)
		hook_form(q, arena_fmt(q->arena, "Action=ConfirmSubscription&Token=%.*s&TopicArn=%.*s&Version=2010-03-31", STR_ARG(enc(q, t->path)),
		                       STR_ARG(topic)), site, "/");
	else
		hook_form(q, arena_fmt(q->arena, "Action=Subscribe&Endpoint=%.*s&Protocol=%s&ReturnSubscriptionArn=true&TopicArn=%.*s"
		                       "&Version=2010-03-31", STR_ARG(enc(q, site->url)), str_starts(site->url, S("https://")) ? "https" : "http",
		                       STR_ARG(topic)), site, "/");
	return 0;
}

/* The subscription is the one that we asked for: of another that was confirmed, its maker may make an end. */
static str
created(const struct hook_target *t, str answer, struct arena *a)
{
	str arn = t->what == SUBSCRIBE ? xml_find(answer, "SubscriptionArn", a) : STR_NONE;
	return str_starts(arn, S("arn:")) ? arn : STR_NONE;
}

static void
take_away(struct hook_site *site, const struct hook_target *t, struct hook_request *q)
{
	hook_form(q, arena_fmt(q->arena, "Action=Unsubscribe&SubscriptionArn=%.*s&Version=2010-03-31", STR_ARG(enc(q, t->id))), site, "/");
}

const struct hook_api sns_hooks = { .forge = "SNS", .rounds = 1, .idle = true, .begin = begin, .login = login, .logged_in = logged_in,
	.authorize = authorize, .create = create, .created = created, .remove = take_away };
