/* SPDX-License-Identifier: Apache-2.0 */
/*
 * amqp: a channel of AMQP 0-9-1 (RabbitMQ) in confirm mode, by librabbitmq. `to` is the exchange, `key` the routing key. A message is sent when
 * the broker has confirmed it, which for a persistent one in a durable queue means that it is on disk; with must_route one that no queue
 * takes is returned and has failed. The message's id is its message-id.
 */
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <sys/time.h>
#include <time.h>

#include "core/net/peer.h"

#define AMQP_FUNCTIONS(X)                                                                                                   \
	X(new_connection) X(destroy_connection) X(connection_close) X(parse_url) X(tcp_socket_new) X(ssl_socket_new) X(ssl_socket_set_cacert) \
	X(ssl_socket_set_key) X(ssl_socket_set_verify_peer) X(ssl_socket_set_verify_hostname) X(socket_open_noblock) X(set_rpc_timeout)      \
	X(set_handshake_timeout) X(login) X(channel_open) X(confirm_select) X(get_rpc_reply) X(basic_publish) X(simple_wait_frame_noblock)   \
	X(read_message) X(destroy_message) X(maybe_release_buffers) X(error_string2)

static struct {
#define X(name) __typeof__(&amqp_##name) name;
	AMQP_FUNCTIONS(X)
#undef X
} lib;

static const struct peer_function functions[] = {
#define X(name) { "amqp_" #name, (void **)&lib.name },
	AMQP_FUNCTIONS(X)
#undef X
};

enum { CHANNEL = 1, FRAME_MAX = 131072 };
#define AUTHORITIES "/etc/ssl/certs/ca-certificates.crt"

struct amqp {
	amqp_connection_state_t c;
	uint64_t published; /* messages on this channel: the last one's delivery tag */
};

/* ---- errors ---------------------------------------------------------------------------------------------------------- */

/* A reply code of the broker (AMQP 0-9-1, 1.2). */
static enum err_code
code_of(int reply)
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

static int
fail(int status, const char *what, struct err *e)
{
	if (status == AMQP_STATUS_SSL_PEER_VERIFY_FAILED)
		return err_set(e, ERR_UNAUTHENTICATED, "amqp: %s: the server's certificate is not by an authority that is trusted", what);
	if (status == AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED)
		return err_set(e, ERR_UNAUTHENTICATED, "amqp: %s: the server's certificate is for another name", what);
	return err_set(e, ERR_UNAVAILABLE, "amqp: %s: %s", what, lib.error_string2(status));
}

/* Why the broker closes: code and text of a close method. */
static bool
closing(amqp_method_number_t id, const void *method, int *code, str *text)
{
	if (id == AMQP_CONNECTION_CLOSE_METHOD) {
		const amqp_connection_close_t *m = method;
		*code = m->reply_code;
		*text = (str){ m->reply_text.bytes, m->reply_text.len };
		return true;
	}
	if (id == AMQP_CHANNEL_CLOSE_METHOD) {
		const amqp_channel_close_t *m = method;
		*code = m->reply_code;
		*text = (str){ m->reply_text.bytes, m->reply_text.len };
		return true;
	}
	return false;
}

static int
check_reply(amqp_rpc_reply_t r, const char *what, struct err *e)
{
	int code;
	str text;
	if (r.reply_type == AMQP_RESPONSE_NORMAL)
		return 0;
	if (r.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && closing(r.reply.id, r.reply.decoded, &code, &text))
		return err_set(e, code == AMQP_ACCESS_REFUSED ? ERR_UNAUTHENTICATED : code_of(code), "amqp: %s: %.*s", what, STR_ARG(text));
	return fail(r.library_error, what, e);
}

/* ---- connecting ------------------------------------------------------------------------------------------------------ */

static void
amqp_close(void *conn)
{
	struct amqp *c = conn;
	lib.connection_close(c->c, AMQP_REPLY_SUCCESS);
	lib.destroy_connection(c->c);
	free(c);
}

static int
open_tls(struct amqp *c, const struct peer_target *t, amqp_socket_t **out, struct err *e)
{
	int ca CLEANUP(close_fd) = -1, cert CLEANUP(close_fd) = -1, key CLEANUP(close_fd) = -1;
	char ca_path[32], cert_path[32], key_path[32];
	amqp_socket_t *s = *out = lib.ssl_socket_new(c->c);
	if (!s)
		return err_set(e, ERR_UNAVAILABLE, "amqp: no TLS");
	if (peer_file(t->ca_pem, &ca, ca_path, e) < 0 || peer_file(t->cert_pem, &cert, cert_path, e) < 0 || peer_file(t->key_pem, &key, key_path, e) < 0)
		return -1;
	lib.ssl_socket_set_verify_peer(s, !t->insecure);
	lib.ssl_socket_set_verify_hostname(s, !t->insecure);
	if (!t->insecure && lib.ssl_socket_set_cacert(s, ca >= 0 ? ca_path : AUTHORITIES))
		return err_set(e, ERR_INVALID, "amqp: the authorities' certificates cannot be used");
	if (cert >= 0 && key >= 0 && lib.ssl_socket_set_key(s, cert_path, key_path))
		return err_set(e, ERR_INVALID, "amqp: our certificate or its key cannot be used");
	return 0;
}

static int
log_in(struct amqp *c, const struct peer_target *t, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct timeval third = { .tv_sec = PEER_WAIT_MS / 3000 };
	struct amqp_connection_info u;
	amqp_socket_t *s;
	struct peer_target secure = *t;
	char *url = (char *)(uintptr_t)str_z(a, t->address); /* a copy of ours: parse_url cuts it in pieces */
	if (lib.parse_url(url, &u))
		return err_set(e, ERR_INVALID, "amqp: the URL must be amqp://user:password@host:port/vhost or amqps://...");
	secure.tls = t->tls || u.ssl;
	if (secure.tls) {
		if (open_tls(c, t, &s, e) < 0)
			return -1;
	} else {
		s = lib.tcp_socket_new(c->c);
	}
	int status = s ? lib.socket_open_noblock(s, u.host, u.port, &third) : AMQP_STATUS_NO_MEMORY;
	if (status)
		return fail(status, "connecting", e);
	lib.set_handshake_timeout(c->c, &third);
	lib.set_rpc_timeout(c->c, &third);
	if (check_reply(lib.login(c->c, u.vhost, 0, FRAME_MAX, 0, AMQP_SASL_METHOD_PLAIN, t->user.p ? str_z(a, t->user) : u.user,
	                          t->password.p ? str_z(a, t->password) : u.password), "logging in", e) < 0) {
		struct err why = *e;
		return why.code == ERR_UNAVAILABLE ? err_set(e, why.code, "%s%s", why.msg, peer_tls_hint(&secure)) : -1;
	}
	lib.channel_open(c->c, CHANNEL);
	if (check_reply(lib.get_rpc_reply(c->c), "opening a channel", e) < 0)
		return -1;
	lib.confirm_select(c->c, CHANNEL);
	return check_reply(lib.get_rpc_reply(c->c), "asking for confirmations", e);
}

static void *
amqp_open(const struct peer_target *t, struct err *e)
{
	static bool loaded;
	if (peer_load(&loaded, "librabbitmq.so.4", "librabbitmq4", functions, ARRAY_LEN(functions), e) < 0)
		return NULL;
	struct amqp *c = MEM_NEW(struct amqp);
	c->c = lib.new_connection();
	assert(c->c);
	if (log_in(c, t, e) == 0)
		return c;
	lib.destroy_connection(c->c);
	free(c);
	return NULL;
}

/* ---- sending --------------------------------------------------------------------------------------------------------- */

static amqp_bytes_t
bytes(str s)
{
	return (amqp_bytes_t){ s.n, (void *)(uintptr_t)s.p };
}

static int
publish(struct amqp *c, const struct peer_message *m)
{
	amqp_basic_properties_t p = { ._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_CONTENT_TYPE_FLAG };
	p.delivery_mode = m->keep ? 2 : 1;
	p.message_id = bytes(m->id);
	p.content_type = bytes(S("application/json"));
	c->published++;
	return lib.basic_publish(c->c, CHANNEL, bytes(m->to), bytes(m->key), m->must_route, 0, &p, bytes(m->body));
}

/* A batch whose first message has delivery tag `first`. */
struct batch {
	struct peer_message *const *m;
	size_t n, open; /* open: not settled */
	uint64_t first;
};

static void
settle(struct batch *b, uint64_t tag, bool multiple, bool taken)
{
	for (size_t i = 0; i < b->n; i++) {
		uint64_t its = b->first + i;
		if (b->m[i]->settled || (multiple ? tag && its > tag : its != tag))
			continue;
		b->m[i]->settled = true;
		b->open--;
		if (!taken)
			err_set(&b->m[i]->err, ERR_UNAVAILABLE, "amqp: the broker could not keep the message");
	}
}

/* No queue takes it; its confirmation comes behind, and settles it. */
static int
returned(struct amqp *c, const struct batch *b, const amqp_basic_return_t *r, struct err *e)
{
	amqp_message_t back;
	if (check_reply(lib.read_message(c->c, CHANNEL, &back, 0), "a message that comes back", e) < 0)
		return -1;
	str id = { back.properties.message_id.bytes, back.properties.message_id.len };
	for (size_t i = 0; i < b->n; i++)
		if (str_eq(b->m[i]->id, id))
			err_set(&b->m[i]->err, ERR_NOT_FOUND, "amqp: no queue takes it: exchange \"%.*s\", routing key \"%.*s\": %.*s", STR_ARG(b->m[i]->to),
			        STR_ARG(b->m[i]->key), (int)r->reply_text.len, (const char *)r->reply_text.bytes);
	lib.destroy_message(&back);
	return 0;
}

/* The broker closed the channel over one message and names its exchange; the others go out again. */
static int
closed(struct batch *b, int code, str text, struct err *e)
{
	for (size_t i = 0; i < b->n; i++) {
		char quoted[300];
		struct peer_message *m = b->m[i];
		int n = snprintf(quoted, sizeof quoted, "'%.*s'", STR_ARG(m->to));
		if (m->settled || (b->n > 1 && str_find(text, (str){ quoted, (size_t)n < sizeof quoted ? (size_t)n : sizeof quoted - 1 }, 0) == SIZE_MAX))
			continue;
		m->settled = true;
		err_set(&m->err, code_of(code), "amqp: %.*s", STR_ARG(text));
	}
	return err_set(e, ERR_UNAVAILABLE, "amqp: the broker closed: %.*s", STR_ARG(text));
}

static int
handle(struct amqp *c, struct batch *b, const amqp_frame_t *f, struct err *e)
{
	int code;
	str text;
	if (f->frame_type != AMQP_FRAME_METHOD)
		return 0;
	const void *method = f->payload.method.decoded;
	const amqp_basic_ack_t *ack = method;
	const amqp_basic_nack_t *nack = method;
	switch (f->payload.method.id) {
	case AMQP_BASIC_ACK_METHOD:
		settle(b, ack->delivery_tag, ack->multiple, true);
		return 0;
	case AMQP_BASIC_NACK_METHOD:
		settle(b, nack->delivery_tag, nack->multiple, false);
		return 0;
	case AMQP_BASIC_RETURN_METHOD:
		return returned(c, b, method, e);
	default:
		return closing(f->payload.method.id, method, &code, &text) ? closed(b, code, text, e) : 0;
	}
}

static int
wait_for_word(struct amqp *c, struct batch *b, struct err *e)
{
	time_t end = time(NULL) + PEER_WAIT_MS / 1000;
	while (b->open) {
		amqp_frame_t frame;
		struct timeval second = { .tv_sec = 1 };
		lib.maybe_release_buffers(c->c);
		int status = lib.simple_wait_frame_noblock(c->c, &frame, &second);
		if (status == AMQP_STATUS_TIMEOUT && time(NULL) < end)
			continue;
		if (status)
			return fail(status, "waiting for confirmations", e);
		if (handle(c, b, &frame, e) < 0)
			return -1;
	}
	return 0;
}

static int
amqp_send(void *conn, struct peer_message *const *m, size_t n, struct err *e)
{
	struct amqp *c = conn;
	struct batch b = { .m = m, .n = n, .open = n, .first = c->published + 1 };
	for (size_t i = 0; i < n; i++) {
		int status = publish(c, m[i]);
		if (status)
			return fail(status, "publishing", e);
	}
	return wait_for_word(c, &b, e);
}

const struct peer_ops peer_amqp = { "amqp", amqp_open, amqp_send, amqp_close };
