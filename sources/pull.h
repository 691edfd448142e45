/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pull: queues that are asked for messages over HTTP: SQS, MNS, Azure's queues, Pub/Sub. One loop for all of them, on the loop's thread:
 *
 *	prepare -> ask (waits at the service) -> pull_take each -> source_emit -> commit -> acknowledge, in batches
 *	              ^______________________ at once, while there is room ___|
 *
 * What a service is, is a `struct pull_ops`: which call asks, what its answer says, which call acknowledges. Secrets are read for every
 * call. A call that fails, or an answer that refuses, makes everything wait a while (backoff.h), for ever.
 *
 * At most PULL_WINDOW messages, or PULL_WINDOW_BYTES of them, are taken and not yet acknowledged. A bus that is full ends the asking;
 * messages that came before are kept, in order, and become events when there is room. Should that take longer than the service hides them
 * from others, it gives them again, and they are known by their id. An acknowledgement that fails is repeated as long as it is of use;
 * after that the message comes again, is a duplicate, and is acknowledged anew. When a source stops, what is on its way to the disk is
 * waited for and acknowledged, for PULL_STOP_NS at most; what was only kept is released.
 */
#ifndef TIDEGATE_SOURCES_PULL_H
#define TIDEGATE_SOURCES_PULL_H

#include "core/net/httpc.h"
#include "sources/source.h"

struct pull;

enum {
	PULL_WINDOW = 1024,           /* messages taken and not acknowledged */
	PULL_WINDOW_BYTES = 16 << 20, /* and the bytes of their events */
	PULL_ASKING_MAX = 4,          /* calls for messages at a time: as many, while each brings as many as it may */
	PULL_ACKNOWLEDGING_MAX = 8,   /* calls that acknowledge, or release, at a time */
	PULL_SINGLES_MAX = 16,        /* of either, where a call is about one message only: each waits for the way there and back */
};
#define PULL_STOP_NS (5 * NS_PER_SEC)

/* A call, made by the kind, and what its answer means. */
struct pull_call {
	struct arena *arena;    /* lives as long as the call: for all its texts */
	struct http_call http;
	/* `c` is the call that is answered. -1: it did not do, and why. NULL: pull_judge. */
	int (*answered)(struct pull *p, const struct pull_call *c, const struct http_answer *ans, struct err *e);
};

struct pull_ops {
	const char *service;  /* "SQS": for errors */
	size_t batch;         /* messages acknowledged, or released, by one call at most */
	size_t most;          /* messages that one call may bring */
	int64_t hidden_ns;    /* so long the service gives a message that it gave to nobody else */
	/*
	 * What must be had before anything else can be asked: an address, keys, a token. 1: `c` is the call that gets the next of it; 0:
	 * all is there; -1: it cannot be had. Called before every other call. May be NULL.
	 */
	int (*prepare)(struct pull *p, struct pull_call *c, struct err *e);
	/* Asks for messages; answered() takes them by pull_take and pull_refuse. */
	int (*ask)(struct pull *p, struct pull_call *c, struct err *e);
	/* These are on disk, and may go. answered() is 0 for those of them that the service does not know any more, too. */
	int (*acknowledge)(struct pull *p, const str *receipts, size_t n, struct pull_call *c, struct err *e);
	/* These will not be events now: the service may give them to others at once. NULL: it does so by itself after hidden_ns. */
	int (*release)(struct pull *p, const str *receipts, size_t n, struct pull_call *c, struct err *e);
	/* The last call of a source that is removed or changed, while the daemon goes on. 1, 0 and -1 as for prepare. May be NULL. */
	int (*finish)(struct pull *p, struct pull_call *c, struct err *e);
	/* How long to wait after an answer without messages, for services that do not wait themselves. NULL: not at all. */
	int64_t (*idle_ns)(struct pull *p);
	void (*free)(void *own); /* what pull_own gives. May be NULL: nothing to free */
};

/* Begins to ask; becomes the data of the source. `own` is the kind's, freed by ops->free. */
void pull_start(struct source *s, const struct pull_ops *ops, void *own);
/* source_ops.ack, .pause, .stop and .describe. */
void pull_ack(struct source *s, struct event *ev, void *token, bool duplicate, const struct err *e);
void pull_pause(struct source *s, bool on);
void pull_stop(struct source *s);
void pull_describe(const struct source *s, struct val_map *m, struct arena *a);

void *pull_own(const struct pull *p);
struct source *pull_source(const struct pull *p);
/* The configuration of the source. */
const void *pull_config(const struct pull *p);
/* A secret, as source_secret; absent for a NULL reference. */
int pull_secret(struct pull *p, const struct secret_ref *ref, struct arena *a, str *out, struct err *e) MUST_CHECK;

/* The data of an event that is not to be taken in, in `a`: for wrap. The reference is given back. */
str pull_data(struct event *ev, struct arena *a);

/* ---- in answered() of ask -------------------------------------------------------------------------------------------- */

/* A message: its event (the reference is taken), with ev->dedup its id, and what acknowledges it. */
void pull_take(struct pull *p, struct event *ev, str receipt);
/* A message that can never be an event: counted, and logged once in a while. */
enum pull_fate { PULL_DELETE /* acknowledged: gone */, PULL_LEAVE /* hidden for hidden_ns, then the service decides */, PULL_RELEASE };
void pull_refuse(struct pull *p, str receipt, enum pull_fate fate, const struct err *why);

/* ---- in answered() --------------------------------------------------------------------------------------------------- */

/* 0 for a status below 300; else the error: "SQS answered 403: <why>". An absent `why` is the beginning of the body. */
int pull_judge(struct pull *p, const struct pull_call *c, const struct http_answer *ans, str why, struct err *e) MUST_CHECK;

#endif
