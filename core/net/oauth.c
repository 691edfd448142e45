/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/oauth.h"

#include "core/log.h"
#include "core/val.h"

enum { LIFE_S = 3600 /* of a token that does not say */, LIFE_MAX_S = 86400 };

bool
oauth_token_is_good(const struct oauth_token *t, int64_t now_ns)
{
	return t->text.n && now_ns < t->until_ns;
}

void
oauth_token_free(struct oauth_token *t)
{
	arena_free(t->arena);
	*t = (struct oauth_token){ 0 };
}

/* Seconds: a number, or one in quotes as Azure has it. */
static bool
seconds(const struct val *v, int64_t *out)
{
	return v && (val_to_i64(v, out) || (v->kind == VAL_STR && str_to_i64(val_text(v), out)));
}

/* Seconds. */
static int64_t
life_of(const struct val *v, int64_t now_ns)
{
	int64_t s = -1;
	if (!seconds(val_get(v, S("expires_in")), &s) && seconds(val_get(v, S("expires_on")), &s))
		s = s > now_ns / NS_PER_SEC ? s - now_ns / NS_PER_SEC : 0;
	return s < 0 || s > LIFE_MAX_S ? LIFE_S : s;
}

static int64_t
used_for(int64_t life_ns)
{
	return life_ns > 2 * OAUTH_EARLY ? life_ns - OAUTH_EARLY : life_ns / 2;
}

int
oauth_token_take(struct oauth_token *t, str json, int64_t now_ns, struct err *e)
{
	struct arena *a = arena_new();
	struct val v;
	int rc = json_read(a, json, &v, e);
	str text = rc == 0 ? val_get_str(&v, "access_token") : STR_NONE;
	int64_t life = rc == 0 ? life_of(&v, now_ns) : 0;
	if (rc < 0)
		err_wrap(e, "the answer with the token");
	else if (!text.n)
		rc = err_set(e, ERR_INVALID, "the answer has no access_token");
	else if (!life)
		rc = err_set(e, ERR_UNAVAILABLE, "the token that came has ended already");
	oauth_token_free(t);
	if (rc == 0)
		*t = (struct oauth_token){ a, arena_dup(a, text), now_ns + used_for(life * NS_PER_SEC) };
	else
		arena_free(a);
	log_mask(t->text);
	return rc;
}

str
oauth_refusal(struct arena *a, str json)
{
	struct val v;
	struct err e;
	if (json_read(a, json, &v, &e) < 0 || !val_get_str(&v, "error").n)
		return STR_NONE;
	str code = val_get_str(&v, "error"), why = val_get_str(&v, "error_description");
	return why.n ? arena_fmt(a, "%.*s: %.*s", STR_ARG(code), STR_ARG(why)) : code;
}
