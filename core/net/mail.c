/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/mail.h"

#include "core/net/httpc_impl.h"

/* libcurl asks for the next piece of the message. */
static size_t
on_read(char *to, size_t size, size_t n, void *arg)
{
	struct call *c = arg;
	size_t take = size * n < c->upload.n ? size * n : c->upload.n;
	memcpy(to, c->upload.p, take);
	c->upload = str_slice(c->upload, take, c->upload.n);
	return take;
}

/* The server's own words say more than libcurl's. */
static void
refused(struct call *c, CURLcode code, long status)
{
	bool login = code == CURLE_LOGIN_DENIED;
	if (status < 400 && !login) {
		transfer_failed(c, code);
		return;
	}
	enum err_code err = login ? ERR_UNAUTHENTICATED : status >= 500 ? ERR_INVALID : ERR_UNAVAILABLE;
	err_set(&c->err, err, "%.*s: %s: %s", STR_ARG(c->what), login ? "the login was refused" : MAIL_REFUSED, c->reply);
}

static bool
is_address(str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == '<' || s.p[i] == '>' || s.p[i] == 0x7F)
			return false;
	return s.n > 0;
}

static int
add_receivers(struct call *c, const struct mail *m, struct err *e)
{
	for (size_t i = 0; i < m->to_n; i++) {
		if (!is_address(m->to[i]))
			return err_set(e, ERR_INVALID, "\"%.*s\": not an address of mail", STR_ARG(str_slice(m->to[i], 0, 100)));
		struct curl_slist *l = c->client->curl.slist_append(c->receivers, str_z(c->arena, m->to[i]));
		assert(l);
		c->receivers = l;
	}
	return m->to_n ? 0 : err_set(e, ERR_INVALID, "the mail has no receiver");
}

static void
set_tls(struct call *c, const struct mail *m)
{
	long use = m->tls == MAIL_TLS_IF_OFFERED ? CURLUSESSL_TRY : CURLUSESSL_ALL;
	c->client->curl.easy_setopt(c->easy, CURLOPT_USE_SSL, use);
	transfer_set_blob(c, CURLOPT_CAINFO_BLOB, m->ca_pem);
	transfer_set_blob(c, CURLOPT_SSLCERT_BLOB, m->cert_pem);
	transfer_set_blob(c, CURLOPT_SSLKEY_BLOB, m->key_pem);
	transfer_set_peer(c, m->insecure, m->timeout_ms);
}

static int
prepare(struct call *c, const struct mail *m, struct err *e)
{
	struct curl *curl = &c->client->curl;
	c->refused = refused;
	c->upload = arena_dup(c->arena, m->message);
	if (!is_address(m->from))
		return err_set(e, ERR_INVALID, "\"%.*s\": not an address of mail", STR_ARG(str_slice(m->from, 0, 100)));
	if (!is_address(m->host) || str_find_char(m->host, '/', 0) != SIZE_MAX || str_find_char(m->host, '@', 0) != SIZE_MAX)
		return err_set(e, ERR_INVALID, "\"%.*s\": not the name of a host", STR_ARG(str_slice(m->host, 0, 100)));
	if (transfer_open(c, e) < 0 || add_receivers(c, m, e) < 0)
		return -1;
	const char *scheme = m->tls == MAIL_TLS_AT_ONCE ? "smtps" : "smtp";
	transfer_set_text(c, CURLOPT_URL, arena_fmt(c->arena, "%s://%.*s:%u", scheme, STR_ARG(m->host), m->port));
	curl->easy_setopt(c->easy, CURLOPT_PROTOCOLS_STR, scheme);
	set_tls(c, m);
	transfer_set_text(c, CURLOPT_USERNAME, m->user);
	transfer_set_text(c, CURLOPT_PASSWORD, m->password);
	transfer_set_text(c, CURLOPT_MAIL_FROM, m->from);
	curl->easy_setopt(c->easy, CURLOPT_MAIL_RCPT, c->receivers);
	curl->easy_setopt(c->easy, CURLOPT_UPLOAD, 1L);
	curl->easy_setopt(c->easy, CURLOPT_READFUNCTION, on_read);
	curl->easy_setopt(c->easy, CURLOPT_READDATA, c);
	curl->easy_setopt(c->easy, CURLOPT_FORBID_REUSE, 1L); /* servers close what is idle, and a mail is not repeated by libcurl then */
	return 0;
}

void
mail_send(struct httpc *h, const struct mail *m, void (*done)(void *arg, const struct http_answer *ans, const struct err *e), void *arg)
{
	struct arena *a = arena_new();
	struct call *c = transfer_new(h, a, arena_fmt(a, "mail by %.*s:%u", STR_ARG(str_slice(m->host, 0, 200)), m->port), done, arg);
	transfer_go(c, prepare(c, m, &c->err));
}
