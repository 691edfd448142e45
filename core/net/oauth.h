/* SPDX-License-Identifier: Apache-2.0 */
/* oauth: a token that somebody gave for a while (RFC 6749, 5), and what such a giver says when it refuses. Nothing is sent here. */
#ifndef TIDEGATE_CORE_NET_OAUTH_H
#define TIDEGATE_CORE_NET_OAUTH_H

#include "core/base.h"

/* So long before it ends a token is no longer used; one with a short life until half of that is over. */
#define OAUTH_EARLY (60 * NS_PER_SEC)

/* Zero-initialise. */
struct oauth_token {
	struct arena *arena;
	str text;         /* absent: there is none */
	int64_t until_ns; /* so long it is used */
};

/* It can be used for a while yet. */
bool oauth_token_is_good(const struct oauth_token *t, int64_t now_ns);
/* Takes the token in a good answer in place of the one before; masked in the logs from here on. ERR_UNAVAILABLE: it has ended already. */
int oauth_token_take(struct oauth_token *t, str json, int64_t now_ns, struct err *e) MUST_CHECK;
/* Leaves none. */
void oauth_token_free(struct oauth_token *t);
/* "code: description" of an answer that refuses, in `a`; absent if it says no such thing. */
str oauth_refusal(struct arena *a, str json);

#endif
