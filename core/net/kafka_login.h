/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_login: tokens for the mechanism OAUTHBEARER. librdkafka of Debian 12 cannot fetch them itself (it is built without OIDC), so it asks us:
 * before it connects, and again when four fifths of a token's time are over. A token comes from a token endpoint, by the client credentials
 * grant, or is the presigned URL that Amazon MSK takes for one. Fetching waits, on the thread that polls librdkafka: never the loop's.
 */
#ifndef TIDEGATE_CORE_NET_KAFKA_LOGIN_H
#define TIDEGATE_CORE_NET_KAFKA_LOGIN_H

#include "core/net/kafka_conf.h"
#include "core/net/oauth.h"

enum {
	KAFKA_LOGIN_WAIT_MS = 10000, /* longest wait for the endpoint */
};

/* Options of a target. With the first, user and password are those of the client at the endpoint. */
#define KAFKA_LOGIN_ENDPOINT "login.endpoint"
#define KAFKA_LOGIN_SCOPE "login.scope"
#define KAFKA_LOGIN_EXTENSIONS "login.extensions" /* name=value, with commas between */
#define KAFKA_LOGIN_REGION "login.region"         /* of MSK; keys are AWS_ACCESS_KEY_ID ... of the environment; crypto_load was called */

/* What is said of a mechanism without an endpoint. */
#define KAFKA_LOGIN_NONE "OAUTHBEARER needs a token endpoint: write config: \"sasl.oauthbearer.token.endpoint.url: https://...\""

struct kafka_login {
	const struct kafka_api *api;
	const struct peer_target *target;
	struct oauth_token token;
};

/* Whether the target's mechanism wants tokens: then the callback of librdkafka is to be set, and to call kafka_login_refresh. */
bool kafka_login_wanted(const struct peer_target *t);
/* `t` lives as long. */
void kafka_login_begin(struct kafka_login *l, const struct kafka_api *api, const struct peer_target *t);
/*
 * Fetches a token and hands it over. If that cannot be done, the last one stays while it is good, and librdkafka asks again. -1: there is none that is
 * good; librdkafka is told nothing, and cannot log in.
 */
int kafka_login_refresh(struct kafka_login *l, rd_kafka_t *rk, struct err *e) MUST_CHECK;
void kafka_login_end(struct kafka_login *l);
/* "a=1,b=2" into names and values, one after the other, in `a`; *n of both together. ERR_INVALID. */
int kafka_login_extensions(str text, struct arena *a, const char ***out, size_t *n, struct err *e) MUST_CHECK;

#endif
