/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nsq_consumer: all nsqds that have a topic, as one. nsqlookupd is asked who they are, at first and now and then, since it cannot tell by itself;
 * an nsqd that is new is connected to, one that is gone is asked for again. One thread.
 */
#ifndef TIDEGATE_CORE_NET_NSQ_CONSUMER_H
#define TIDEGATE_CORE_NET_NSQ_CONSUMER_H

#include "core/net/nsq.h"

struct nsq_consumer;

enum {
	NSQ_WINDOW = 256,         /* messages under way, of all nsqds together */
	NSQ_NSQDS_MAX = 128,      /* that are connected to */
	NSQ_LOOK_MS = 5000,       /* nsq_consumer_receive is to be called as often, at least */
	NSQ_SEARCH_MS = 10000,    /* who has the topic is asked so often while an nsqd is missing, or none has it */
	NSQ_REFRESH_MS = 60000,   /* and else */
};

struct nsq_plan {
	str lookup; /* address of nsqlookupd */
	str topic, channel;
	bool (*wants)(void *arg);
	/* Keeps `handle` until nsq_consumer_finish or nsq_forget; what it is given is valid during the call. */
	void (*message)(void *arg, str where, const struct nsq_message *m, void *handle);
	void *arg;
};

/*
 * Connects to the nsqds that have the topic. That none has it is fine: it may come. -1: nsqlookupd does not answer, or no nsqd of those it
 * knows. `t` and `p` live as long as the consumer.
 */
struct nsq_consumer *nsq_consume(const struct peer_target *t, const struct nsq_plan *p, struct err *e);
/* NULL is fine. Handles that were not finished are to be forgotten before. */
void nsq_leave(struct nsq_consumer *c);
/* Takes in what is there; looks for nsqds, which may block for moments. -1: the last nsqd is gone. */
int nsq_consumer_receive(struct nsq_consumer *c, struct err *e) MUST_CHECK;
int nsq_consumer_fd(const struct nsq_consumer *c);
/* In so many milliseconds nsq_consumer_receive is to be called, at the latest. */
int nsq_consumer_wait_ms(const struct nsq_consumer *c);
/* The message is done with, which nsq_consumer_tell tells the nsqds; one that cannot be told sends it again. */
void nsq_consumer_finish(void *handle);
void nsq_consumer_tell(struct nsq_consumer *c);
/* A handle that will not be finished. */
void nsq_forget(void *handle);

#endif
