/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/rabbit.h"

struct rabbit_functions rabbit;

static const struct peer_function functions[] = {
#define X(name) { "amqp_" #name, (void **)&rabbit.name },
	RABBIT_FUNCTIONS(X)
#undef X
};

enum { FRAME_MAX = 131072 };
#define AUTHORITIES "/etc/ssl/certs/ca-certificates.crt"

/* ---- errors ---------------------------------------------------------------------------------------------------------- */

enum err_code
rabbit_code(int reply)
{
	switch (reply) {
	case AMQP_NOT_FOUND:
		return ERR_NOT_FOUND;
	case AMQP_ACCESS_REFUSED:
	case AMQP_NOT_ALLOWED:
		return ERR_DENIED;
	case AMQP_CONTENT_TOO_LARGE:
	case AMQP_PRECONDITION_FAILED:
		return ERR_INVALID;
	default:
		return ERR_UNAVAILABLE;
	}
}

int
rabbit_fail(int status, const char *what, struct err *e)
{
	if (status == AMQP_STATUS_SSL_PEER_VERIFY_FAILED)
		return err_set(e, ERR_UNAUTHENTICATED, "amqp: %s: the server's certificate is not by an authority that is trusted", what);
	if (status == AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED)
		return err_set(e, ERR_UNAUTHENTICATED, "amqp: %s: the server's certificate is for another name", what);
	return err_set(e, ERR_UNAVAILABLE, "amqp: %s: %s", what, rabbit.error_string2(status));
}

bool
rabbit_closing(amqp_method_number_t id, const void *method, int *code, str *text)
{
	if (id == AMQP_CONNECTION_CLOSE_METHOD) {
		const amqp_connection_close_t *m = method;
		*code = m->reply_code;
		*text = rabbit_text(m->reply_text);
		return true;
	}
	if (id == AMQP_CHANNEL_CLOSE_METHOD) {
		const amqp_channel_close_t *m = method;
		*code = m->reply_code;
		*text = rabbit_text(m->reply_text);
		return true;
	}
	return false;
}

int
rabbit_check(amqp_rpc_reply_t r, const char *what, struct err *e)
{
	int code;
	str text;
	if (r.reply_type == AMQP_RESPONSE_NORMAL)
		return 0;
	if (r.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && rabbit_closing(r.reply.id, r.reply.decoded, &code, &text))
		return err_set(e, code == AMQP_ACCESS_REFUSED ? ERR_UNAUTHENTICATED : rabbit_code(code), "amqp: %s: %.*s", what, STR_ARG(text));
	return rabbit_fail(r.library_error, what, e);
}

/* ---- connecting ------------------------------------------------------------------------------------------------------ */

void
rabbit_close(amqp_connection_state_t c)
{
	rabbit.connection_close(c, AMQP_REPLY_SUCCESS);
	rabbit.destroy_connection(c);
}

static int
open_tls(amqp_connection_state_t c, const struct peer_target *t, amqp_socket_t **out, struct err *e)
{
	int ca CLEANUP(close_fd) = -1, cert CLEANUP(close_fd) = -1, key CLEANUP(close_fd) = -1;
	char ca_path[32], cert_path[32], key_path[32];
	amqp_socket_t *s = *out = rabbit.ssl_socket_new(c);
	if (!s)
		return err_set(e, ERR_UNAVAILABLE, "amqp: no TLS");
	if (peer_file(t->ca_pem, &ca, ca_path, e) < 0 || peer_file(t->cert_pem, &cert, cert_path, e) < 0 || peer_file(t->key_pem, &key, key_path, e) < 0)
		return -1;
	rabbit.ssl_socket_set_verify_peer(s, !t->insecure);
	rabbit.ssl_socket_set_verify_hostname(s, !t->insecure);
	if (!t->insecure && rabbit.ssl_socket_set_cacert(s, ca >= 0 ? ca_path : AUTHORITIES))
		return err_set(e, ERR_INVALID, "amqp: the authorities' certificates cannot be used");
	if (cert >= 0 && key >= 0 && rabbit.ssl_socket_set_key(s, cert_path, key_path))
		return err_set(e, ERR_INVALID, "amqp: our certificate or its key cannot be used");
	return 0;
}

/* A connection that is of use, up to the login. `u` are parts of `url`. */
static int
connect_to(amqp_connection_state_t c, const struct peer_target *t, char *url, struct amqp_connection_info *u, bool *tls, struct err *e)
{
	struct timeval third = { .tv_sec = PEER_WAIT_MS / 3000 };
	amqp_socket_t *s;
	if (rabbit.parse_url(url, u))
		return err_set(e, ERR_INVALID, "amqp: the URL must be amqp://user:password@host:port/vhost or amqps://...");
	*tls = t->tls || u->ssl;
	if (!*tls)
		s = rabbit.tcp_socket_new(c);
	else if (open_tls(c, t, &s, e) < 0)
		return -1;
	int status = s ? rabbit.socket_open_noblock(s, u->host, u->port, &third) : AMQP_STATUS_NO_MEMORY;
	if (status)
		return rabbit_fail(status, "connecting", e);
	rabbit.set_handshake_timeout(c, &third);
	rabbit.set_rpc_timeout(c, &third);
	return 0;
}

/* Without asking for it, a consumer whose queue is deleted hears nothing of it, and waits for ever (RabbitMQ: consumer-cancel). */
static amqp_rpc_reply_t
introduce(amqp_connection_state_t c, const struct amqp_connection_info *u, int heartbeat_s)
{
	amqp_table_entry_t cancel = { rabbit_bytes(S("consumer_cancel_notify")), { .kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = true } };
	amqp_table_entry_t capabilities = { rabbit_bytes(S("capabilities")), { .kind = AMQP_FIELD_KIND_TABLE, .value.table = { 1, &cancel } } };
	const amqp_table_t ours = { 1, &capabilities };
	return rabbit.login_with_properties(c, u->vhost, 0, FRAME_MAX, heartbeat_s, &ours, AMQP_SASL_METHOD_PLAIN, u->user, u->password);
}

static int
log_in(amqp_connection_state_t c, const struct peer_target *t, int heartbeat_s, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct amqp_connection_info u;
	struct peer_target secure = *t;
	char *url = (char *)(uintptr_t)str_z(a, t->address); /* a copy of ours: parse_url cuts it in pieces */
	if (connect_to(c, t, url, &u, &secure.tls, e) < 0)
		return -1;
	if (t->user.p)
		u.user = (char *)(uintptr_t)str_z(a, t->user);
	if (t->password.p)
		u.password = (char *)(uintptr_t)str_z(a, t->password);
	if (rabbit_check(introduce(c, &u, heartbeat_s), "logging in", e) < 0) {
		struct err why = *e;
		return why.code == ERR_UNAVAILABLE ? err_set(e, why.code, "%s%s", why.msg, peer_tls_hint(&secure)) : -1;
	}
	rabbit.channel_open(c, RABBIT_CHANNEL);
	return rabbit_check(rabbit.get_rpc_reply(c), "opening a channel", e);
}

amqp_connection_state_t
rabbit_open(const struct peer_target *t, int heartbeat_s, struct err *e)
{
	static bool loaded;
	if (peer_load(&loaded, "librabbitmq.so.4", "librabbitmq4", functions, ARRAY_LEN(functions), e) < 0)
		return NULL;
	amqp_connection_state_t c = rabbit.new_connection();
	assert(c);
	if (log_in(c, t, heartbeat_s, e) == 0)
		return c;
	rabbit.destroy_connection(c);
	return NULL;
}
