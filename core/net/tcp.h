/* SPDX-License-Identifier: Apache-2.0 */
/* tcp: a connection, and TLS over it, for protocols without a library of their own or with one that has no TLS. Blocks: not on the loop. */
#ifndef TIDEGATE_CORE_NET_TCP_H
#define TIDEGATE_CORE_NET_TCP_H

#include "core/net/peer.h"

/*
 * Connects to one of the host's addresses within `wait_ms` and returns the descriptor: it blocks, and a peer that is silently gone
 * is found out within TCP_GONE_S. -1: ERR_UNAVAILABLE with `what` (the protocol's name) in front.
 */
enum { TCP_GONE_S = 60 };
int tcp_connect(const char *what, str host, int port, int wait_ms, struct err *e) MUST_CHECK;

/*
 * Makes a connection an encrypted one: shakes hands with the server, `host`, as `t` says (insecure, ca_pem, cert_pem, key_pem), and returns
 * another descriptor, where what is written goes out encrypted and what is read has been decrypted. So a library that knows a descriptor only
 * gets TLS. `fd` is taken in any case; a thread passes on in both directions until one of them ends. -1: ERR_UNAUTHENTICATED (the
 * server's certificate), ERR_INVALID (PEM of ours), ERR_UNSUPPORTED (no libssl), ERR_UNAVAILABLE.
 */
int tls_pipe(const char *what, int fd, const struct peer_target *t, str host, int wait_ms, struct err *e) MUST_CHECK;

/* The first, and the second if the target has TLS. */
int tcp_or_tls(const char *what, const struct peer_target *t, bool tls, str host, int port, struct err *e) MUST_CHECK;

#endif
