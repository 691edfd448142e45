/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_consumer: reads a topic with librdkafka, as a member of a group or from one partition. librdkafka has threads of its own, which
 * connect, and connect again; what they have is taken by one thread, which a descriptor wakes. All calls are of that thread.
 *
 * What is known of errors and rebalances comes with kafka_consumer_take, which is therefore to be called whenever the descriptor
 * is readable, also by who wants no message, and after kafka_consumer_wait_ms at the latest, or the group takes its member for dead.
 *
 * Options of the target: topic; partition (then also offset, where to begin; absent: at the end) or group.id; sasl.mechanism; those that
 * begin with "registry." are not for this, those with "login." of core/net/kafka_login.h; all others are settings of librdkafka by their names, `auto.offset.reset` for one.
 */
#ifndef TIDEGATE_CORE_NET_KAFKA_CONSUMER_H
#define TIDEGATE_CORE_NET_KAFKA_CONSUMER_H

#include "core/net/peer.h"

struct kafka_consumer;

struct kafka_record {
	int32_t partition;
	uint32_t turn;         /* of a group: which assignment of that partition it came with */
	int64_t offset;
	int64_t timestamp_ms;  /* since the epoch; -1: it has none */
	str key, value;        /* p NULL: null */
	const struct http_header *headers; /* in the order of the message */
	size_t headers_n;
};

/* A number of a partition. ERR_INVALID. */
int kafka_partition_parse(str text, int32_t *out, struct err *e) MUST_CHECK;
/*
 * Connects, within PEER_WAIT_MS; NULL with ERR_UNAVAILABLE, ERR_UNAUTHENTICATED, ERR_DENIED, ERR_NOT_FOUND, ERR_INVALID, ERR_UNSUPPORTED.
 * `t` lives as long as the consumer.
 */
struct kafka_consumer *kafka_consumer_open(const struct peer_target *t, struct err *e);
/* Readable: there is something to take. */
int kafka_consumer_fd(const struct kafka_consumer *c);
/* The longest wait until the next kafka_consumer_take. */
int kafka_consumer_wait_ms(const struct kafka_consumer *c);
/* Of one partition: where it began to read, to be kept before anything comes. */
int64_t kafka_consumer_begin(const struct kafka_consumer *c);
/*
 * At most `most` records of what is there, without waiting; valid until the next call. -1: the consumer is of no use any more. Without a
 * broker it waits a second at most for one to come back.
 */
int kafka_consumer_take(struct kafka_consumer *c, size_t most, const struct kafka_record **out, size_t *n, struct err *e) MUST_CHECK;
/* The last `n` of what was taken come again with the next kafka_consumer_take that wants some. */
void kafka_consumer_keep(struct kafka_consumer *c, size_t n);
/* Its group has said which partitions it is to read, be it none; at once of one partition. What is sent before may be passed over. */
bool kafka_consumer_joined(const struct kafka_consumer *c);
/* Partitions that are its own now. */
size_t kafka_consumer_partitions(const struct kafka_consumer *c);
/* Whether it reads; else *why says what is the matter, until it is over by itself. */
bool kafka_consumer_reads(const struct kafka_consumer *c, struct err *why);
/* Of a group: these need not come again, in this order. What came with an earlier assignment is another member's by now, and is passed over. */
struct kafka_place {
	int32_t partition;
	uint32_t turn;
	int64_t offset;
};
void kafka_consumer_store(struct kafka_consumer *c, const struct kafka_place *places, size_t n);
/* Commits what was stored, leaves the group, and frees. Waits for the broker for PEER_WAIT_MS at most, and not at all for one that is away. */
void kafka_consumer_close(struct kafka_consumer *c);

#endif
