/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed: a connection to a broker that delivers, with a thread of its own. Client libraries of brokers block or have threads themselves, so
 * the loop leaves them alone: the thread connects, receives, and tells the broker what may be forgotten; the loop takes the messages
 * in as events and says which of them are on disk. What a protocol is, is a `struct feed_ops`; a kind of source (sources/KIND.c)
 * passes feed_ack, feed_pause and feed_stop on as its own.
 *
 *	loop:    feed_start -> target() .......................... source_emit -> commit -> feed_ack ...
 *	thread:                         open -> receive -> feed_give                               -> settle -> close
 *
 * A connection that cannot be made, or breaks, is made anew for ever, after a while (backoff.h), with the secrets as they are then. No more
 * than a window of messages is given and not settled; a bus that is full holds them back in order, and none is lost or skipped.
 */
#ifndef TIDEGATE_SOURCES_FEED_H
#define TIDEGATE_SOURCES_FEED_H

#include "core/net/peer.h"
#include "sources/source.h"

struct feed;

enum {
	FEED_WINDOW = 1024,            /* messages given and not settled, unless the protocol says another number */
	FEED_WINDOW_BYTES = 16 << 20,  /* and their bytes */
	FEED_SETTLE_MS = PEER_WAIT_MS, /* when a source stops: the longest wait for what is on its way to the disk */
};

/* What a protocol knows a message by: an offset, a delivery tag, a pointer. */
union feed_handle {
	int64_t number[2];
	void *pointer;
};

struct feed_ops {
	const char *name; /* "nats": for errors */
	/* On the loop, before each connection: whom to connect to, with the secrets as they are now; texts in `a` or in the configuration. */
	int (*target)(struct source *s, struct arena *a, struct peer_target *t, struct err *e);
	/* The rest is called on the feed's thread. `t` is valid as long as the connection. NULL: within PEER_WAIT_MS, with an error that names the protocol. */
	void *(*open)(struct feed *f, const struct peer_target *t, struct err *e);
	/*
	 * Gives what is there (feed_give), without waiting, while feed_wants. -1: the connection is of no use any more. NULL: the library's own
	 * threads call feed_give, after feed_room.
	 */
	int (*receive)(void *conn, struct feed *f, struct err *e);
	/*
	 * What to wait for until receive is called again: a descriptor (-1: none, feed_wake is called instead), the poll(2) events in *events,
	 * and at most so many milliseconds in *timeout_ms (as set before: -1, for ever). Also asked while the window is full, so that keep-alives go on. May be NULL.
	 */
	int (*wait)(void *conn, short *events, int *timeout_ms);
	/*
	 * These were given over this connection, and are on disk, in this order: the broker need not keep them. -1: the connection is of no
	 * use. NULL: the protocol has no acknowledgement.
	 */
	int (*settle)(void *conn, const union feed_handle *handles, size_t n, struct err *e);
	/* Frees a handle that will never be settled because its connection is gone; called before close(). May be NULL. */
	void (*forget)(void *conn, union feed_handle handle);
	void (*close)(void *conn);
	/*
	 * Messages given and not settled; 0: FEED_WINDOW. What comes while a commit is under way makes the next; but memory that is taken anew for each
	 * event makes a large window slower, so it is for those whose events share arenas.
	 */
	size_t window;
	/* receive is also called when the descriptor is readable while there is no room: it has more to do there than to give. */
	bool tends;
	/* Open is no reason yet to say that the source runs: the protocol says when, by feed_state. */
	bool says_when;
};

/* What a kind keeps beside its configuration while the source runs. */
struct feed_context {
	void *p;
	void (*free)(void *p); /* once neither side uses it any more, right before source_stopped; may be NULL */
};

/* ---- the kind's: loop ------------------------------------------------------------------------------------------------ */

/* Begins to connect; becomes the data of the source. `b`: connectionBackoff, or NULL. `per_second`: most messages a second; 0: no limit. */
int feed_start(struct source *s, const struct feed_ops *ops, const struct backoff *b, int64_t per_second, struct err *e) MUST_CHECK;
/* The same with a number of the kind's own, such as its mark, for target() to ask for (feed_number). */
int feed_start_with(struct source *s, const struct feed_ops *ops, const struct backoff *b, int64_t per_second, int64_t number,
                    struct err *e) MUST_CHECK;
int64_t feed_number(const struct source *s);
/* The same with a context, which is taken over also if this fails. */
int feed_start_context(struct source *s, const struct feed_ops *ops, struct feed_context context, const struct backoff *b, int64_t per_second,
                       struct err *e) MUST_CHECK;
/* Of a source that runs, from target() on; any thread. */
void *feed_context(const struct source *s);
/* source_ops.ack, .pause and .stop; also right while there is no feed yet. */
void feed_ack(struct source *s, struct event *ev, void *token, bool duplicate, const struct err *e);
void feed_pause(struct source *s, bool on);
void feed_stop(struct source *s);
/* The handle of what was given, for source_ops.take. */
union feed_handle feed_handle_of(const void *token);
/* source_ops.describe: messages under way, and since when there has been no connection. */
void feed_describe(const struct source *s, struct val_map *m, struct arena *a);
/* Login and TLS of a target, as target() needs them. NULL is fine. */
int feed_login(struct source *s, const struct basic_auth *auth, struct arena *a, struct peer_target *t, struct err *e) MUST_CHECK;
int feed_tls(struct source *s, const struct tls_config *tls, struct arena *a, struct peer_target *t, struct err *e) MUST_CHECK;
/* A secret, or an absent text for a NULL reference. */
int feed_secret(struct source *s, const struct secret_ref *ref, struct arena *a, str *out, struct err *e) MUST_CHECK;

/* ---- the protocol's: any thread, between open and the end of close ------------------------------------------------------ */

/* The configuration of the source: constant. */
const void *feed_config(const struct feed *f);
struct source *feed_source(const struct feed *f);
/* A message has come: takes the reference. In the order in which the events are to be. */
void feed_give(struct feed *f, struct event *ev, union feed_handle handle);
/* Several at once, which costs a fraction: `events` and `handles` are `n` each. */
void feed_give_all(struct feed *f, struct event *const *events, const union feed_handle *handles, size_t n);
/*
 * A message that can never be an event (a body that is no JSON where it must be): counted and logged once in a while. It is settled in its
 * place, or the broker would send it for ever.
 */
void feed_refuse(struct feed *f, union feed_handle handle, const struct err *e);
/*
 * Something that is no message and has its place among them: `save` is called on the loop, where what was given before has been taken in, and
 * `handle` is settled once what it wrote is on disk. Not when the source has been stopped.
 */
void feed_save(struct feed *f, void (*save)(struct source *s, union feed_handle handle), union feed_handle handle);
/* The same for open: waits until it is on disk, and is not settled. -1: the source stops. */
int feed_save_now(struct feed *f, void (*save)(struct source *s, union feed_handle handle), union feed_handle handle, struct err *e) MUST_CHECK;
/* There is room in the window, the bus, and the rate. */
bool feed_wants(struct feed *f);
/* How many messages there is room for, up to `most`. */
size_t feed_wanted(struct feed *f, size_t most);
/* For threads of a library: waits until feed_wants; false: the connection ends. Not on the feed's thread. */
bool feed_room(struct feed *f);
/* receive is to be called. */
void feed_wake(struct feed *f);
/* The library is without its broker, and connects again by itself: why; NULL: it is back. For who reports changes only. */
void feed_state(struct feed *f, const struct err *e);
/* The connection is of no use: as if receive had returned -1. */
void feed_break(struct feed *f, const struct err *e);

#endif
