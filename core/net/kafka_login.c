/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/kafka_login.h"

#include "core/clock.h"
#include "core/net/httpc.h"
#include "core/net/msk.h"

bool
kafka_login_wanted(const struct peer_target *t)
{
	return str_eq(peer_option(t, "sasl.mechanism"), S("OAUTHBEARER"));
}

void
kafka_login_begin(struct kafka_login *l, const struct kafka_api *api, const struct peer_target *t)
{
	*l = (struct kafka_login){ .api = api, .target = t };
}

void
kafka_login_end(struct kafka_login *l)
{
	if (l->token.arena)
		oauth_token_free(&l->token);
}

int
kafka_login_extensions(str text, struct arena *a, const char ***out, size_t *n, struct err *e)
{
	size_t most = 2;
	for (size_t i = 0; i < text.n; i++)
		most += text.p[i] == ',' ? 2 : 0;
	*out = ARENA_ARRAY(a, const char *, most);
	*n = 0;
	while (text.n) {
		str value = str_cut(&text, ','), name = str_cut(&value, '=');
		if (!str_trim(name).n || !value.n)
			return err_set(e, ERR_INVALID, "extensions are name=value, with commas between");
		(*out)[(*n)++] = str_z(a, str_trim(name));
		(*out)[(*n)++] = str_z(a, str_trim(value));
	}
	return 0;
}

/* ---- where they come from ------------------------------------------------------------------------------------------------ */

/* The client credentials grant (RFC 6749, 4.4). */
static void
make_call(const struct peer_target *t, struct arena *a, struct http_call *out)
{
	static const struct http_header form[] = { { { "Content-Type", 12 }, { "application/x-www-form-urlencoded", 33 } },
		                                   { { "Accept", 6 }, { "application/json", 16 } } };
	str scope = peer_option(t, KAFKA_LOGIN_SCOPE);
	*out = (struct http_call){ .method = S("POST"), .url = peer_option(t, KAFKA_LOGIN_ENDPOINT), .headers = form, .headers_n = ARRAY_LEN(form),
	                           .user = t->user, .password = t->password, .timeout_ms = KAFKA_LOGIN_WAIT_MS };
	out->body = S("grant_type=client_credentials");
	if (scope.n)
		out->body = arena_fmt(a, "%.*s&scope=%.*s", STR_ARG(out->body), STR_ARG(sigv4_encode(a, scope, false)));
}

static int
from_endpoint(const struct peer_target *t, struct oauth_token *out, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct http_call call;
	struct http_answer ans = { 0 };
	make_call(t, a, &call);
	if (!call.url.p)
		return err_set(e, ERR_INVALID, KAFKA_LOGIN_NONE);
	if (http_wait(&call, a, &ans, e) < 0)
		return -1;
	if (ans.status == 200)
		return oauth_token_take(out, ans.body, clock_wall_ns(), e);
	str why = oauth_refusal(a, ans.body);
	return err_set(e, ans.status == 400 || ans.status == 401 || ans.status == 403 ? ERR_UNAUTHENTICATED : ERR_UNAVAILABLE, "%.*s: status %d: %.*s",
	               STR_ARG(http_url_public(a, call.url)), ans.status, STR_ARG(why.p ? why : http_excerpt(a, ans.body)));
}

static int
from_aws(str region, struct oauth_token *out, struct err *e)
{
	struct sigv4_keys keys;
	if (!sigv4_keys_around(&keys))
		return err_set(e, ERR_UNAUTHENTICATED, "there are no AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment");
	out->arena = arena_new();
	out->text = msk_token(region, &keys, clock_wall_ns(), out->arena, &out->until_ns);
	return 0;
}

/* ---- handing over ---------------------------------------------------------------------------------------------------------- */

static int
hand_over(struct kafka_login *l, rd_kafka_t *rk, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const char **extensions;
	size_t n;
	char why[300];
	str user = l->target->user;
	if (kafka_login_extensions(peer_option(l->target, KAFKA_LOGIN_EXTENSIONS), a, &extensions, &n, e) < 0)
		return -1;
	if (l->api->oauthbearer_set_token(rk, str_z(a, l->token.text), l->token.until_ns / NS_PER_MS, user.n ? str_z(a, user) : "tidegate", extensions, n, why, sizeof why) ==
	    RD_KAFKA_RESP_ERR_NO_ERROR)
		return 0;
	return err_set(e, ERR_UNAUTHENTICATED, "%s", why);
}

int
kafka_login_refresh(struct kafka_login *l, rd_kafka_t *rk, struct err *e)
{
	struct oauth_token token = { 0 };
	struct err why = { 0 };
	str region = peer_option(l->target, KAFKA_LOGIN_REGION);
	if ((region.p ? from_aws(region, &token, &why) : from_endpoint(l->target, &token, &why)) == 0) {
		kafka_login_end(l);
		l->token = token;
	}
	if (!why.code || oauth_token_is_good(&l->token, clock_wall_ns()))
		return hand_over(l, rk, e) < 0 ? err_wrap(e, "the token for Kafka") : 0;
	*e = why;
	return err_wrap(e, "the token for Kafka");
}
