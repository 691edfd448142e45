/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream: a connection of bytes, plain, over TLS, or as binary messages of a WebSocket (RFC 6455), for protocols that no library speaks as
 * needed. libcurl resolves, connects and encrypts (CURLOPT_CONNECT_ONLY). For threads of their own: opening blocks, reading and writing
 * do not.
 */
#ifndef TIDEGATE_CORE_NET_STREAM_H
#define TIDEGATE_CORE_NET_STREAM_H

#include "core/base.h"
#include "core/net/peer.h"

struct stream;

struct stream_to {
	str host;
	int port;
	bool tls;
	str ws_path;             /* present: a WebSocket at this path, with its slash; crypto_load was called on the loop */
	const char *ws_protocol; /* its subprotocol */
};

/*
 * Connects, within PEER_WAIT_MS; of `t` only the certificates are looked at. `name` begins errors: ERR_UNAUTHENTICATED for a certificate that
 * is not trusted, ERR_INVALID, ERR_UNSUPPORTED (no libcurl), else ERR_UNAVAILABLE.
 */
struct stream *stream_open(const char *name, const struct stream_to *to, const struct peer_target *t, struct err *e) MUST_CHECK;
/* Adds what is there to `in`, at most a few KiB more than `max`. 0: nothing is there now. -1: the connection is of no use any more. */
ssize_t stream_read(struct stream *s, struct buf *in, size_t max, struct err *e) MUST_CHECK;
/* Sends, or keeps what the socket does not take yet for the next call; an empty text only sends what is kept. */
int stream_write(struct stream *s, str bytes, struct err *e) MUST_CHECK;
/* Something is kept: to be called again when the descriptor can be written to. */
bool stream_keeps(const struct stream *s);
int stream_fd(const struct stream *s);
/* NULL is fine. */
void stream_close(struct stream *s);

/* ---- the framing of WebSockets, for tests ------------------------------------------------------------------------- */

/* What came and is not taken apart yet. Zero-initialise. */
struct ws_in {
	struct buf raw;
	size_t left;   /* bytes of the frame that is being read */
	bool passes;   /* they are data */
};
/*
 * Takes `raw` apart: data goes to `out`, answers that are to be sent (pongs) to `answer`. -1: not by the rules, too large a control frame, or
 * closed by the other side.
 */
int ws_take(struct ws_in *w, struct buf *out, struct buf *answer, struct err *e) MUST_CHECK;
/* Adds a frame; of a client's, which are masked. `opcode`: 2 binary, 10 pong. */
void ws_frame(struct buf *to, unsigned opcode, str bytes);

#endif
