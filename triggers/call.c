/* SPDX-License-Identifier: Apache-2.0 */
#include "triggers/call.h"

#include <strings.h>

enum { EXCERPT = 200 /* bytes of an answer that are shown in a reason */ };

int
call_secret(struct firing *f, const struct secret_ref *ref, str *out, struct err *e)
{
	*out = STR_NONE;
	if (!ref)
		return 0;
	int rc = secret_key(firing_env(f)->objects, firing_ns(f), ref->name, ref->key, out, e);
	if (str_ends(*out, S("\n")))
		out->n--;
	return rc;
}

str
call_header(const struct http_answer *ans, const char *name)
{
	size_t n = strlen(name);
	for (size_t i = ans->headers_n; i-- > 0;)
		if (ans->headers[i].name.n == n && strncasecmp(ans->headers[i].name.p, name, n) == 0)
			return ans->headers[i].value;
	return STR_NONE;
}

bool
call_may_pass(int status)
{
	return status >= 500 || status == 408 || status == 425 || status == 429;
}

static bool
is_allowed(const struct val *allow, int status)
{
	int64_t v;
	for (size_t i = 0; i < allow->n; i++)
		if (val_to_i64(val_at(allow, i), &v) && v == status)
			return true;
	return false;
}

str
call_excerpt(struct arena *a, str text)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	text = str_trim(text);
	for (size_t i = 0; i < text.n && i < EXCERPT; i++)
		buf_addc(&b, (unsigned char)text.p[i] < ' ' || text.p[i] == 0x7F ? ' ' : text.p[i]);
	return arena_dup(a, buf_str(&b));
}

int
call_judge(struct firing *f, str what, const struct http_answer *ans, struct err *e)
{
	const struct val *allow = firing_allow(f);
	if (allow ? is_allowed(allow, ans->status) : ans->status < 400)
		return 0;
	str body = call_excerpt(firing_arena(f), ans->body);
	return err_set(e, call_may_pass(ans->status) ? ERR_UNAVAILABLE : ERR_INVALID, "%.*s answered %d%s%s%.*s", STR_ARG(what), ans->status,
	               allow ? ", which policy.status.allow does not list" : "", body.n ? ": " : "", STR_ARG(body));
}

void
call_done(struct firing *f, int status, const struct err *e)
{
	struct val v = val_int(status);
	firing_done(f, e && e->code ? e : NULL, val_set(firing_arena(f), NULL, S("status"), &v));
}
