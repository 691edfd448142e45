/* SPDX-License-Identifier: Apache-2.0 */
#include "triggers/call.h"

#include "core/net/http_date.h"

/* Without the newline at its end that editors leave there. */
static int
read_key(struct firing *f, const struct secret_ref *ref, __typeof__(&secret_key) read, str *out, struct err *e)
{
	*out = STR_NONE;
	if (!ref)
		return 0;
	int rc = read(firing_env(f)->objects, firing_ns(f), ref->name, ref->key, out, e);
	if (str_ends(*out, S("\n")))
		out->n--;
	return rc;
}

int
call_secret(struct firing *f, const struct secret_ref *ref, str *out, struct err *e)
{
	return read_key(f, ref, secret_key, out, e);
}

int
call_config(struct firing *f, const struct secret_ref *ref, str *out, struct err *e)
{
	return read_key(f, ref, config_map_key, out, e);
}

static bool
may_pass(int status)
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

/* A Retry-After of seconds or of a date (RFC 9110 10.2.3), as a point in time; 0 if there is none that can be read. */
static int64_t
retry_after(const struct http_answer *ans, int64_t now)
{
	int64_t seconds, at = 0;
	str v = http_answer_header(ans, "Retry-After");
	if (str_to_i64(v, &seconds))
		return seconds < 0 ? 0 : now + (seconds < 86400 ? seconds : 86400) * NS_PER_SEC;
	return http_date_read(v, &at) ? at : 0;
}

/* What tells of the server, or of what stands before it, and not of this call. */
static bool
is_away(int status)
{
	return status == 429 || status == 502 || status == 503 || status == 504;
}

/* The error of an answer that will not do. */
static int
refused(struct firing *f, str what, const struct http_answer *ans, const char *why, struct err *e)
{
	if (!is_away(ans->status))
		firing_alone(f);
	firing_not_before(f, retry_after(ans, loop_now(firing_env(f)->loop)));
	return err_set(e, may_pass(ans->status) ? ERR_UNAVAILABLE : ERR_INVALID, "%.*s answered %d%s", STR_ARG(what), ans->status, why);
}

int
call_judge(struct firing *f, str what, const struct http_answer *ans, struct err *e)
{
	const struct val *allow = firing_allow(f);
	if (allow ? is_allowed(allow, ans->status) : ans->status < 400)
		return 0;
	return refused(f, what, ans, allow ? ", which policy.status.allow does not list" : "", e);
}

/* The same with the beginning of the body. */
static int
tell_body(struct firing *f, const struct http_answer *ans, struct err *e)
{
	struct err status = *e;
	str body = http_excerpt(firing_arena(f), ans->body);
	return body.n ? err_set(e, status.code, "%s: %.*s", status.msg, STR_ARG(body)) : -1;
}

int
call_judge_read(struct firing *f, str what, const struct http_answer *ans, struct err *e)
{
	if (ans->status == 200)
		return 0;
	(void)refused(f, what, ans, "", e); /* and more */
	return tell_body(f, ans, e);
}

int
call_judge_told(struct firing *f, str what, const struct http_answer *ans, struct err *e)
{
	return call_judge(f, what, ans, e) == 0 ? 0 : tell_body(f, ans, e);
}

void
call_done(struct firing *f, int status, const struct err *e)
{
	struct val v = val_int(status);
	firing_done(f, e && e->code ? e : NULL, val_set(firing_arena(f), NULL, S("status"), &v));
}
