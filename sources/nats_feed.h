/* SPDX-License-Identifier: Apache-2.0 */
/* nats_feed: connections of the source nats (sources/nats.c): a subject as it is, or a stream of JetStream. */
#ifndef TIDEGATE_SOURCES_NATS_FEED_H
#define TIDEGATE_SOURCES_NATS_FEED_H

#include "sources/feed.h"
#include "sources/message.h"

/* A pull consumer that the server keeps: what it has not been told is done, it gives again. */
struct nats_stream {
	str stream, durable;
	int deliver;      /* enum jsDeliverPolicy of a consumer that is made */
	dur ack_wait;     /* likewise: how long the server waits before it gives a message again */
	const struct val *src;
};

struct nats_session {
	str subject, queue;               /* queue: absent, or shared with others of that name */
	const struct nats_stream *stream; /* NULL: the subject as it is, at most once */
	/* The data of an event; NULL: it can be none. Any thread. */
	struct event *(*make)(const void *config, str subject, struct message_pair *headers, size_t n, str body, struct err *e);
};
/* feed_ops.open: what `s` points to lives as long as the source. */
void *nats_feed_open(struct feed *f, const struct peer_target *t, const struct nats_session *s, struct err *e);
/* feed_ops. */
int nats_feed_receive(void *conn, struct feed *f, struct err *e);
int nats_feed_wait(void *conn, short *events, int *timeout_ms);
int nats_feed_settle(void *conn, const union feed_handle *handles, size_t n, struct err *e);
void nats_feed_forget(void *conn, union feed_handle handle);
void nats_feed_close(void *conn);

#endif
