/* SPDX-License-Identifier: Apache-2.0 */
/*
 * email: sends mail. One message to all receivers, or to none (Argo: a mail for each, and who has got it when one fails is not known); its
 * Message-ID is made of the firing's id, so that servers and readers recognise a repetition.
 */
#include <time.h>

#include "core/base64.h"
#include "core/net/mail.h"
#include "triggers/call.h"
#include "triggers/check.h"

enum { PORT = 587 /* submission, RFC 6409 */ };

struct email_trigger {
	str body;
	str from;
	str host;
	bool html;
	LIST_OF(struct trigger_parameter) parameters;
	int64_t port;
	struct secret_ref *smtp_password;
	str subject;
	struct strs to;
	struct tls_config *tls;
	str username;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct email_trigger *t = obj;

	trigger_need(t->host, in, c, "host");
	if (!val_get(in, S("port")))
		decode_warn(c, in, NULL, "port is missing: most servers listen on 587");
}

static const struct schema email_trigger_schema = { "EmailTrigger", "Sends mail.", sizeof(struct email_trigger),
	(const struct field[]){
	FIELD(struct email_trigger, body, "body", 0, .doc = "Text of the mail."),
	FIELD(struct email_trigger, from, "from", 0, .doc = "Sender, with or without a name: a@b or Name <a@b>; the user name if it is not given."),
	FIELD(struct email_trigger, host, "host", 0, .doc = "Host of the SMTP server."),
	FIELD(struct email_trigger, html, "html", 0, .doc = "The body is HTML, not plain text. Ours, not Argo's."),
	FIELD_LIST(struct email_trigger, parameters, "parameters", 0, &trigger_parameter_schema,
		.doc = "Values from events to put into this trigger."),
	FIELD(struct email_trigger, port, "port", 0, .min = 0, .max = 65535, 
		.doc = "Port of the SMTP server; 587 if it is not given. At 465 TLS comes first, else STARTTLS does where the server has it."),
	FIELD_PTR(struct email_trigger, smtp_password, "smtpPassword", 0, &secret_ref_schema, 
		.doc = "Password. It is sent in TLS only, unless the host is this one."),
	FIELD(struct email_trigger, subject, "subject", 0, .doc = "Subject."),
	FIELD_PTR(struct email_trigger, tls, "tls", 0, &tls_config_schema, .doc = "Certificates; with it nothing is sent without TLS. Ours, not Argo's."),
	FIELD(struct email_trigger, to, "to", 0, .doc = "Receivers."),
	FIELD(struct email_trigger, username, "username", 0, .doc = "User name."),
	FIELD_SRC(struct email_trigger, src),
	{ 0 } }, check };

/* ---- the message ---------------------------------------------------------------------------------------------------- */

enum { LINE = 76 /* characters of base64 in a line (RFC 2045 6.8) */, WORD = 45 /* bytes in an encoded word (RFC 2047 2) */ };

/* "Name <a@b>" or "a@b": the address alone. */
static str
address_of(str who)
{
	who = str_trim(who);
	size_t open = str_find_char(who, '<', 0);
	return open != SIZE_MAX && str_ends(who, S(">")) ? str_slice(who, open + 1, who.n - 1) : who;
}

static bool
is_plain(str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || (unsigned char)s.p[i] >= 0x7F)
			return false;
	return s.n < 200 && str_find(s, S("=?"), 0) == SIZE_MAX; /* lines of a head are short */
}

/* As encoded words of UTF-8, if it is not plain ASCII; so a line break cannot begin another header. */
static void
add_words(struct buf *b, struct arena *a, str text)
{
	if (is_plain(text)) {
		buf_add(b, text);
		return;
	}
	for (size_t at = 0, end; at < text.n; at = end) {
		end = at + WORD < text.n ? at + WORD : text.n;
		while (end < text.n && end > at + 1 && ((unsigned char)text.p[end] & 0xC0) == 0x80)
			end--; /* not within a character */
		str word = base64_encode(a, str_slice(text, at, end));
		buf_addf(b, "%s=?UTF-8?B?%.*s?=", at ? "\r\n " : "", STR_ARG(word));
	}
}

/* "Name <a@b>" with the name encoded where it must be. */
static void
add_who(struct buf *b, struct arena *a, str who)
{
	str address = address_of(who), name = str_trim(str_slice(who, 0, str_find_char(who, '<', 0)));
	if (str_eq(address, str_trim(who))) {
		buf_add(b, address);
		return;
	}
	add_words(b, a, name);
	buf_addf(b, "%s<%.*s>", name.n ? " " : "", STR_ARG(address));
}

static void
add_body(struct buf *b, struct arena *a, str body)
{
	str code = base64_encode(a, body);
	for (size_t at = 0; at < code.n; at += LINE)
		buf_addf(b, "%.*s\r\n", STR_ARG(str_slice(code, at, at + LINE)));
}

static void
add_date(struct buf *b, int64_t now_ns)
{
	time_t s = (time_t)(now_ns / NS_PER_SEC);
	struct tm t;
	char text[64];
	gmtime_r(&s, &t);
	buf_add(b, (str){ text, strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S +0000", &t) });
}

static str
message(struct firing *f, str from)
{
	const struct email_trigger *t = firing_config(f);
	struct arena *a = firing_arena(f);
	struct buf b CLEANUP(free_buf) = { 0 };
	str domain = address_of(from);
	(void)str_cut(&domain, '@');
	buf_addf(&b, "Message-ID: <%.*s@%.*s>\r\nDate: ", STR_ARG(firing_id(f)), STR_ARG(domain));
	add_date(&b, firing_inputs(f).now_ns);
	buf_add(&b, S("\r\nFrom: "));
	add_who(&b, a, from);
	for (size_t i = 0; i < t->to.n; i++) {
		buf_add(&b, i ? S(",\r\n ") : S("\r\nTo: "));
		add_who(&b, a, t->to.p[i]);
	}
	buf_add(&b, S("\r\nSubject: "));
	add_words(&b, a, t->subject);
	buf_addf(&b, "\r\nMIME-Version: 1.0\r\nContent-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n",
	         t->html ? "html" : "plain");
	add_body(&b, a, t->body);
	return arena_dup(a, buf_str(&b));
}

/* ---- sending ---------------------------------------------------------------------------------------------------------- */

static bool
is_loopback(str host)
{
	return str_eq(host, S("localhost")) || str_starts(host, S("127.")) || str_eq(host, S("::1")) || str_eq(host, S("[::1]"));
}

/* A password goes over the network in TLS only. */
static enum mail_tls
tls_of(const struct email_trigger *t, unsigned port)
{
	if (port == 465)
		return MAIL_TLS_AT_ONCE;
	return t->tls || (t->smtp_password && !is_loopback(t->host)) ? MAIL_TLS_NEEDED : MAIL_TLS_IF_OFFERED;
}

static int
find_secrets(struct firing *f, const struct email_trigger *t, struct mail *m, struct err *e)
{
	m->user = t->username.n ? t->username : STR_NONE;
	if (call_secret(f, t->smtp_password, &m->password, e) < 0)
		return -1;
	if (!t->tls)
		return 0;
	m->insecure = t->tls->insecure_skip_verify;
	if (call_secret(f, t->tls->ca_cert, &m->ca_pem, e) < 0 || call_secret(f, t->tls->client_cert, &m->cert_pem, e) < 0)
		return -1;
	return call_secret(f, t->tls->client_key, &m->key_pem, e);
}

/* The addresses of the envelope. libcurl's side refuses what is none. */
static int
find_addresses(struct firing *f, const struct email_trigger *t, str from, struct mail *m, struct err *e)
{
	str *to = ARENA_ARRAY(firing_arena(f), str, t->to.n + 1);
	for (size_t i = 0; i < t->to.n; i++) {
		to[i] = address_of(t->to.p[i]);
		if (str_find_char(to[i], '@', 0) == SIZE_MAX)
			return err_set(e, ERR_INVALID, "to: \"%.*s\" is not an address of mail", STR_ARG(str_slice(t->to.p[i], 0, 100)));
	}
	m->from = address_of(from);
	m->to = to;
	m->to_n = t->to.n;
	if (str_find_char(m->from, '@', 0) == SIZE_MAX)
		return err_set(e, ERR_INVALID, "from: \"%.*s\" is not an address of mail", STR_ARG(str_slice(from, 0, 100)));
	if (!t->to.n || !t->subject.n || !t->body.n)
		return err_set(e, ERR_INVALID, "%s is empty", !t->to.n ? "to" : !t->subject.n ? "subject" : "body");
	return 0;
}

static void
sent(void *arg, const struct http_answer *ans, const struct err *e)
{
	struct firing *f = arg;
	if (e && str_find(str_c(e->msg), S(MAIL_REFUSED), 0) != SIZE_MAX)
		firing_alone(f);
	call_done(f, ans ? ans->status : 0, e);
}

static void
fire(struct firing *f)
{
	const struct email_trigger *t = firing_config(f);
	const struct trigger_env *env = firing_env(f);
	struct err e = { 0 };
	struct mail m = { .host = t->host, .port = t->port ? (unsigned)t->port : PORT };
	str from = t->from.n ? t->from : t->username;
	m.tls = tls_of(t, m.port);
	if (find_addresses(f, t, from, &m, &e) < 0 || find_secrets(f, t, &m, &e) < 0) {
		firing_done(f, &e, NULL);
		return;
	}
	m.message = message(f, from);
	mail_send(env->httpc(env->arg), &m, sent, f);
}

const struct trigger_ops trigger_email = { .kind = "email", .doc = "Sends mail.", .schema = &email_trigger_schema, .fire = fire };
