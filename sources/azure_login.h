/* SPDX-License-Identifier: Apache-2.0 */
/* azure_login: the token of the machine's identity, for the sources that pull queues of Azure: what pull_own of each of them is. */
#ifndef TIDEGATE_SOURCES_AZURE_LOGIN_H
#define TIDEGATE_SOURCES_AZURE_LOGIN_H

#include "core/net/oauth.h"
#include "sources/pull.h"

struct azure_login {
	struct oauth_token token;
};
struct azure_login *azure_login_new(void);
/* pull_ops.free. */
void azure_login_free(void *own);
/* For pull_ops.prepare: the token for `resource`. */
int azure_login_prepare(struct pull *p, const char *resource, struct pull_call *c, struct err *e);
/* The value of the Authorization header, in `a`. */
str azure_login_header(struct pull *p, struct arena *a);
/* An answer has come; a token that was refused is forgotten. */
void azure_login_note(struct pull *p, const struct http_answer *ans);

#endif
