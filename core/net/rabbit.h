/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rabbit: a connection of AMQP 0-9-1 (RabbitMQ) by librabbitmq, logged in and with one channel: what the trigger's peer and the source share. One
 * thread a connection.
 */
#ifndef TIDEGATE_CORE_NET_RABBIT_H
#define TIDEGATE_CORE_NET_RABBIT_H

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <sys/time.h>

#include "core/net/peer.h"

#define RABBIT_FUNCTIONS(X)                                                                                                            \
	X(new_connection) X(destroy_connection) X(connection_close) X(parse_url) X(tcp_socket_new) X(ssl_socket_new) X(ssl_socket_set_cacert) \
	X(ssl_socket_set_key) X(ssl_socket_set_verify_peer) X(ssl_socket_set_verify_hostname) X(socket_open_noblock) X(set_rpc_timeout)      \
	X(set_handshake_timeout) X(login_with_properties) X(channel_open) X(confirm_select) X(get_rpc_reply) X(basic_publish) X(simple_wait_frame_noblock)   \
	X(read_message) X(destroy_message) X(maybe_release_buffers) X(error_string2) X(exchange_declare) X(queue_declare) X(queue_bind)      \
	X(basic_qos) X(basic_consume) X(basic_ack) X(basic_reject) X(send_frame) X(get_sockfd)

/* The functions of the library, once a connection was opened. */
extern struct rabbit_functions {
#define X(name) __typeof__(&amqp_##name) name;
	RABBIT_FUNCTIONS(X)
#undef X
} rabbit;

enum { RABBIT_CHANNEL = 1 };

/* Within PEER_WAIT_MS. `heartbeat_s`: both sides let hear of themselves so often; 0: never. */
amqp_connection_state_t rabbit_open(const struct peer_target *t, int heartbeat_s, struct err *e);
void rabbit_close(amqp_connection_state_t c);

/* "amqp: WHAT: why" of a status of the library that is not AMQP_STATUS_OK. */
int rabbit_fail(int status, const char *what, struct err *e);
/* The same of a reply; 0 if it is a good one. */
int rabbit_check(amqp_rpc_reply_t r, const char *what, struct err *e) MUST_CHECK;
/* Whether the method closes the connection or the channel: code and text of the broker. */
bool rabbit_closing(amqp_method_number_t id, const void *method, int *code, str *text);
/* What a reply code of the broker means (AMQP 0-9-1, 1.2). */
enum err_code rabbit_code(int reply);

static inline amqp_bytes_t
rabbit_bytes(str s)
{
	return (amqp_bytes_t){ s.n, (void *)(uintptr_t)s.p };
}

static inline str
rabbit_text(amqp_bytes_t b)
{
	return (str){ b.bytes, b.len };
}

#endif
