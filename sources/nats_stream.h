/* SPDX-License-Identifier: Apache-2.0 */
/* nats_stream: what a stream of JetStream is asked: its consumer, its messages, and which message a reply subject is of. */
#ifndef TIDEGATE_SOURCES_NATS_STREAM_H
#define TIDEGATE_SOURCES_NATS_STREAM_H

#include "core/net/nats_lib.h"
#include "sources/nats_feed.h"

enum {
	NATS_ASK = 256,   /* messages of a stream in one request */
	NATS_ASK_S = 30,  /* for so long it waits at the server */
};

/* The consumer that is there, as it is, if it fits; else a new one. *js is the caller's to destroy, also after -1; it may stay NULL. */
int nats_stream_open(natsConnection *nc, const struct nats_session *s, jsCtx **js, struct err *e) MUST_CHECK;
/* Asks for so many messages, which come to the inbox. Any thread. */
natsStatus nats_stream_ask(natsConnection *nc, const struct nats_stream *st, const char *inbox, unsigned n);

/* A reply subject of JetStream, taken apart: which message of which stream it acknowledges. */
struct nats_place {
	str stream, sequence, time;
};
/* False: it is none. */
bool nats_place(str reply, struct nats_place *out);

#endif
