/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_group: one consumer of a consumer group, over some streams of Redis (redis.io/docs/data-types/streams). First come the entries that are
 * pending for this consumer, then new ones, and once a minute those that another consumer left unacknowledged for more than a minute.
 *
 * A client that waits in XREADGROUP can send nothing else: there are two connections, the second for what is answered at once. One thread.
 */
#ifndef TIDEGATE_CORE_NET_REDIS_GROUP_H
#define TIDEGATE_CORE_NET_REDIS_GROUP_H

#include "core/net/redis_client.h"

struct redis_group;

enum {
	REDIS_STREAMS_MAX = 256,
	REDIS_ACKS_MAX = 256,       /* in one call */
	REDIS_ANSWERS_MAX = 16,     /* in one call */
	REDIS_BLOCK_MS = 20000,     /* a wait of the server; one that says nothing for twice as long is gone */
	REDIS_ABANDONED_MS = 60000, /* an entry that its consumer has had so long is taken over; looked for as often */
};

struct redis_member {
	str group, consumer;
	const str *streams;
	size_t streams_n;
	int64_t count; /* entries of a stream in one answer */
	/* Whether more is wanted. What was asked for before comes all the same: `count` of each stream. */
	bool (*wants)(void *arg);
	/*
	 * An entry: {field, value, ...}, or NULL for one that was deleted while it was pending. `again`: it may be one that was given over this
	 * connection before. Valid during the call.
	 */
	void (*entry)(void *arg, size_t stream, str id, const redisReply *fields, bool again);
	void *arg;
};

/*
 * Connects, and makes streams and groups that are not there; a group that is new begins with what is added from now on. `m` and its texts live as
 * long as the group.
 */
struct redis_group *redis_group_join(const struct peer_target *t, const struct redis_member *m, struct err *e);
/* NULL is fine. */
void redis_group_leave(struct redis_group *g);
/* Gives what is there, without waiting, and asks for more. 1: there may be more, of which no descriptor tells; -1: the connection is of no use. */
int redis_group_read(struct redis_group *g, struct err *e) MUST_CHECK;
/* The descriptor of the answers; redis_group_read is to be called REDIS_BLOCK_MS later at the latest. */
int redis_group_fd(const struct redis_group *g);
/* Puts the acknowledgement of entries of one stream behind what is to be sent. */
void redis_group_ack(struct redis_group *g, size_t stream, const str *ids, size_t n);
/* Sends the acknowledgements and waits for the answers. */
int redis_group_settle(struct redis_group *g, struct err *e) MUST_CHECK;

#endif
