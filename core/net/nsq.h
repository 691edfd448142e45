/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nsq: a consumer's connection to one nsqd, by its TCP protocol V2 (nsq.io/clients/tcp_protocol_spec.html), with TLS if both sides want it, and
 * the look-up of who has a topic (nsq.io/components/nsqlookupd.html). One thread; what blocks says so.
 */
#ifndef TIDEGATE_CORE_NET_NSQ_H
#define TIDEGATE_CORE_NET_NSQ_H

#include "core/net/peer.h"
#include "core/val.h"

enum {
	NSQ_ID = 16,                       /* bytes of a message's id */
	NSQ_FRAME_MAX = PEER_MESSAGE_MAX,  /* of a frame's data */
	NSQ_BEAT_MS = 15000,               /* the nsqd lets hear of itself so often; one that does not three times is gone */
	NSQ_LOOKUP_MAX = 1 << 20,          /* bytes of an answer */
};
enum nsq_frame_type { NSQ_RESPONSE, NSQ_ERROR, NSQ_MESSAGE };

/* ---- the wire -------------------------------------------------------------------------------------------------------- */

struct nsq_frame {
	int32_t type; /* another number than those above is a frame that nobody knows yet */
	str data;     /* within what was read */
};
/* The first frame of `in`: how many bytes it takes; 0: it is not all there; -1 (ERR_INVALID): too long, or too short to be one. */
ssize_t nsq_frame(str in, struct nsq_frame *out, struct err *e) MUST_CHECK;
struct nsq_message {
	int64_t timestamp_ns;
	int attempts;
	str id, body;
};
/* The data of a frame of type NSQ_MESSAGE; ERR_INVALID. */
int nsq_message(str data, struct nsq_message *out, struct err *e) MUST_CHECK;
/* Whether a topic or channel may be called so: [.a-zA-Z0-9_-]{1,64}, and #ephemeral behind it. */
bool nsq_name_is_valid(str name);

/* ---- who has a topic ------------------------------------------------------------------------------------------------- */

struct nsq_address {
	str host;
	int port;
};
struct nsq_addresses {
	struct nsq_address *p;
	size_t n;
};
/*
 * Asks nsqlookupd at `url` ("host:port", http:// or https://, the latter with the certificates of `t`) for the nsqds of the topic, in `a`; blocks,
 * `wait_ms` at most for each step. None if it does not know the topic. ERR_UNAVAILABLE.
 */
int nsq_lookup(str url, const struct peer_target *t, str topic, int wait_ms, struct arena *a, struct nsq_addresses *out, struct err *e) MUST_CHECK;
/* What its answer says: of nsqlookupd 1.0, and before. ERR_INVALID. */
int nsq_lookup_read(struct arena *a, str json, struct nsq_addresses *out, struct err *e) MUST_CHECK;

/* ---- a connection ---------------------------------------------------------------------------------------------------- */

struct nsq;

struct nsq_to {
	struct nsq_address at;
	str topic, channel;
	const struct peer_target *t; /* of it only TLS */
	int wait_ms;
};
/* Connects, introduces itself and subscribes; no message comes before nsq_ready. Blocks. */
struct nsq *nsq_open(const struct nsq_to *to, struct err *e);
/* NULL is fine. */
void nsq_close(struct nsq *n);
int nsq_fd(const struct nsq *n);
/* "host:port" */
str nsq_where(const struct nsq *n);
/* So long the nsqd waits for a message to be finished or touched. */
int64_t nsq_timeout_ms(const struct nsq *n);
/* Takes in what is there, without waiting; answers heartbeats. -1: the connection is of no use. */
int nsq_receive(struct nsq *n, void (*take)(void *arg, struct nsq *n, const struct nsq_message *m), void *arg, struct err *e) MUST_CHECK;
/* So many messages may be under way. Sent at once, if it is another number than before and the nsqd allows so many. */
int nsq_ready(struct nsq *n, int count, struct err *e) MUST_CHECK;
/* Put behind what is to be sent: a message is done with; a message takes longer. */
void nsq_finish(struct nsq *n, const char id[NSQ_ID]);
void nsq_touch(struct nsq *n, const char id[NSQ_ID]);
int nsq_flush(struct nsq *n, struct err *e) MUST_CHECK;

#endif
