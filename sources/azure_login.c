/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/azure_login.h"

#include "core/net/azure_identity.h"

static int64_t
now(struct pull *p)
{
	return loop_now(source_loop(pull_source(p)));
}

struct azure_login *
azure_login_new(void)
{
	return MEM_NEW(struct azure_login);
}

void
azure_login_free(void *own)
{
	struct azure_login *l = own;
	oauth_token_free(&l->token);
	free(l);
}

static int
token_came(struct pull *p, const struct pull_call *c, const struct http_answer *ans, struct err *e)
{
	struct azure_login *l = pull_own(p);
	if (pull_judge(p, c, ans, oauth_refusal(c->arena, ans->body), e) < 0 || oauth_token_take(&l->token, ans->body, now(p), e) < 0)
		return err_wrap(e, "a token of the managed identity");
	return 0;
}

int
azure_login_prepare(struct pull *p, const char *resource, struct pull_call *c, struct err *e)
{
	const struct azure_login *l = pull_own(p);
	if (oauth_token_is_good(&l->token, now(p)))
		return 0;
	c->answered = token_came;
	return azure_identity_call(resource, c->arena, &c->http, e) < 0 ? -1 : 1;
}

str
azure_login_header(struct pull *p, struct arena *a)
{
	const struct azure_login *l = pull_own(p);
	return arena_fmt(a, "Bearer %.*s", STR_ARG(l->token.text));
}

void
azure_login_note(struct pull *p, const struct http_answer *ans)
{
	struct azure_login *l = pull_own(p);
	if (ans->status == 401)
		oauth_token_free(&l->token);
}
