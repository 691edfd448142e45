/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/sns_message.h"

/* ---- the message ---------------------------------------------------------------------------------------------- */

static enum sns_type
type_of(str name)
{
	static const char *const names[] = { "Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_eq(name, str_c(names[i])))
			return (enum sns_type)i;
	return SNS_OTHER;
}

/* A member of the message that is a text, or is not there. */
static int
member(const struct val *v, const char *name, str *out, struct err *e)
{
	const struct val *m = val_get(v, str_c(name));
	bool is_text = val_is(m, VAL_STR);
	if (m && !is_text && m->kind != VAL_NULL)
		return err_set(e, ERR_INVALID, "bad request, %s of an SNS notification must be a string, not %s", name, val_kind_name(m));
	*out = is_text ? val_text(m) : STR_NONE;
	return 0;
}

int
sns_message_read(str body, struct arena *a, struct sns_message *out, struct err *e)
{
	struct val v;
	const struct {
		const char *name;
		str *to;
	} members[] = { { "Type", &out->type_name }, { "MessageId", &out->id }, { "TopicArn", &out->topic }, { "Message", &out->message },
		        { "Timestamp", &out->timestamp }, { "SignatureVersion", &out->version }, { "Signature", &out->signature },
		        { "SigningCertURL", &out->certificate_url }, { "Token", &out->token }, { "SubscribeURL", &out->subscribe_url },
		        { "Subject", &out->subject } };
	*out = (struct sns_message){ 0 };
	if (json_read(a, body, &v, e) < 0 || v.kind != VAL_MAP)
		return err_set(e, ERR_INVALID, "bad request, not a valid SNS notification");
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (member(&v, members[i].name, members[i].to, e) < 0)
			return -1;
		if (!members[i].to->p && members[i].to != &out->subject)
			*members[i].to = S("");
	}
	out->type = type_of(out->type_name);
	return 0;
}

static void
add(struct buf *b, const char *name, str value)
{
	buf_addf(b, "%s\n", name);
	buf_add(b, value);
	buf_addc(b, '\n');
}

str
sns_message_text(const struct sns_message *m, struct arena *a)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	add(&b, "Message", m->message);
	add(&b, "MessageId", m->id);
	if (m->type != SNS_NOTIFICATION)
		add(&b, "SubscribeURL", m->subscribe_url);
	else if (m->subject.p)
		add(&b, "Subject", m->subject);
	add(&b, "Timestamp", m->timestamp);
	if (m->type != SNS_NOTIFICATION)
		add(&b, "Token", m->token);
	add(&b, "TopicArn", m->topic);
	add(&b, "Type", m->type_name);
	return arena_dup(a, buf_str(&b));
}

const char *
sns_message_hash(const struct sns_message *m)
{
	return str_eq(m->version, S("1")) ? "sha1" : str_eq(m->version, S("2")) ? "sha256" : NULL;
}

/* ---- where the certificate comes from -------------------------------------------------------------------------- */

/* As AWS's own validators have it (for JavaScript and PHP): https, this host, and ".pem" at the end of the URL. */

/* "https://host:port" of an URL; absent: it has none, or a name and a password before it. */
static str
origin(str url)
{
	size_t at = str_find(url, S("://"), 0);
	if (at == SIZE_MAX)
		return STR_NONE;
	size_t end = at + 3;
	while (end < url.n && !strchr("/?#\\", url.p[end]))
		end++;
	str s = str_slice(url, 0, end);
	return str_find_char(s, '@', 0) == SIZE_MAX && end > at + 3 ? s : STR_NONE;
}

/* sns.<region>.amazonaws.com, or .com.cn in China. */
static bool
is_sns(str host)
{
	str rest = host;
	if (!str_eq(str_cut(&rest, '.'), S("sns")))
		return false;
	str region = str_cut(&rest, '.');
	bool ok = region.n >= 3;
	for (size_t i = 0; i < region.n; i++) {
		char c = region.p[i];
		ok &= (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
	}
	return ok && (str_eq(rest, S("amazonaws.com")) || str_eq(rest, S("amazonaws.com.cn")));
}

static bool
is_printable(str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f)
			return false;
	return true;
}

int
sns_certificate_url(str url, str service, struct err *e)
{
	str from = origin(url), shown = is_printable(url) ? str_slice(url, 0, 200) : S("?");
	if (!from.n || !is_printable(url) || from.n == url.n || url.p[from.n] != '/' || !str_ends(url, S(".pem")))
		return err_set(e, ERR_DENIED, "failed to verify SigningCertURL: \"%.*s\" is not a valid URL", STR_ARG(shown));
	if (service.n)
		return str_eq(from, origin(service)) ? 0 : err_set(e, ERR_DENIED, "failed to verify SigningCertURL: \"%.*s\" is not at the endpoint",
		                                                   STR_ARG(shown));
	if (!str_starts(from, S("https://")))
		return err_set(e, ERR_DENIED, "failed to verify SigningCertURL: SigningCertURL is not using https");
	return is_sns(str_slice(from, 8, from.n)) ? 0 : err_set(e, ERR_DENIED, "failed to verify SigningCertURL: \"%.*s\" is not "
	                                                        "sns.<region>.amazonaws.com", STR_ARG(shown));
}
