/* SPDX-License-Identifier: Apache-2.0 */
/* rabbit_consumer: declares an exchange and a queue, binds them, and takes in what the broker delivers. One thread. */
#ifndef TIDEGATE_CORE_NET_RABBIT_CONSUMER_H
#define TIDEGATE_CORE_NET_RABBIT_CONSUMER_H

#include "core/net/rabbit.h"
#include "core/val.h"

struct rabbit_consumer;

enum { RABBIT_BEAT_MS = 4000 }; /* we let hear of us so often; the broker, of itself, every RABBIT_HEARTBEAT_S */
enum { RABBIT_HEARTBEAT_S = 10 };
enum { RABBIT_BATCH = 256 }; /* deliveries in one call */

struct rabbit_delivery {
	uint64_t tag;
	str exchange, routing_key, body;
	const amqp_basic_properties_t *properties;
};

struct rabbit_plan {
	struct {
		str name, type; /* no name: the default exchange, which is not declared, nor bound to */
		bool durable, auto_delete, internal;
	} exchange;
	struct {
		str name; /* none: the broker makes one up */
		bool durable, auto_delete, exclusive;
		const struct val *arguments; /* an object; NULL: none. Scalars that are plain are of the type that they look like */
	} queue;
	str routing_key;
	struct {
		str tag;
		bool auto_ack, exclusive, no_local;
		uint16_t prefetch; /* deliveries that are not acknowledged */
	} consume;
	bool (*wants)(void *arg); /* whether more is wanted */
	void (*deliver)(void *arg, const struct rabbit_delivery *d); /* valid during the call */
	void *arg;
};

/* Connects and begins to consume; `p` lives as long as the consumer. An error has the broker's text. */
struct rabbit_consumer *rabbit_consume(const struct peer_target *t, const struct rabbit_plan *p, struct err *e);
void rabbit_leave(struct rabbit_consumer *c);
/*
 * Delivers what is there, while it is wanted, without waiting for more than the rest of a message, and keeps the connection alive: to be called
 * every RABBIT_BEAT_MS. 1: there may be more, of which no descriptor tells; -1: the connection is of no use.
 */
int rabbit_receive(struct rabbit_consumer *c, struct err *e) MUST_CHECK;
int rabbit_fd(const struct rabbit_consumer *c);
/* This one and all before it that were not rejected. */
int rabbit_ack(struct rabbit_consumer *c, uint64_t tag, struct err *e) MUST_CHECK;
/* This one, for good: the broker drops it, or passes it on to the queue's dead-letter exchange. */
int rabbit_reject(struct rabbit_consumer *c, uint64_t tag, struct err *e) MUST_CHECK;

#endif
