/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cnats has threads of its own: one reads, one gives the messages of a subscription to on_message. A subject as it is waits there for room, and
 * what comes meanwhile waits in the library, up to a limit. A stream is asked for so many messages as there is room for, with the
 * requests that NATS documents for pull consumers ($JS.API.CONSUMER.MSG.NEXT): the library's own way to fetch would hold up a
 * thread that has acknowledgements to send.
 */
#include "sources/nats_feed.h"

#include <pthread.h>

#include "core/clock.h"
#include "sources/nats_stream.h"

enum {
	PENDING = 65536,            /* messages of a subject that wait in the library; more are dropped, and that is an error */
	PENDING_BYTES = 64 << 20,
	GRACE_S = 10,               /* when there is no word that a request is over, it is after so long */
	PING_S = 20
};

struct conn {
	struct feed *feed;
	const struct nats_session *session;
	natsConnection *nc;
	jsCtx *js;
	natsSubscription *sub;
	char *inbox;
	pthread_mutex_t lock;
	pthread_cond_t over;
	bool up, closed, complete; /* below the lock, as what follows */
	unsigned asked;            /* messages that were asked for and have not come; 0: no request is open */
	int64_t asked_until_ms;
	bool one;                  /* the next message is larger than a request allows: ask for it alone */
	int64_t dropped;
};

/* ---- what the library tells -------------------------------------------------------------------------------------------- */

static void
on_closed(natsConnection *nc, void *arg)
{
	struct conn *c = arg;
	struct err e;
	const char *last = NULL;
	natsStatus s = nats_lib.natsConnection_GetLastError(nc, &last);
	err_set(&e, ERR_UNAVAILABLE, "nats: the connection broke%s%s", s != NATS_OK && last && *last ? ": " : "", s != NATS_OK && last ? last : "");
	pthread_mutex_lock(&c->lock);
	if (c->up)
		feed_break(c->feed, &e);
	c->closed = true;
	pthread_cond_broadcast(&c->over);
	pthread_mutex_unlock(&c->lock);
}

static void
on_complete(void *arg)
{
	struct conn *c = arg;
	pthread_mutex_lock(&c->lock);
	c->complete = true;
	pthread_cond_broadcast(&c->over);
	pthread_mutex_unlock(&c->lock);
}

/* Messages that the library had to drop count as refused. */
static void
on_error(natsConnection *nc, natsSubscription *sub, natsStatus status, void *arg)
{
	struct conn *c = arg;
	struct err e;
	const char *last = NULL;
	int64_t dropped = 0;
	pthread_mutex_lock(&c->lock);
	if (c->up && status == NATS_SLOW_CONSUMER && sub && nats_lib.natsSubscription_GetDropped(sub, &dropped) == NATS_OK) {
		err_set(&e, ERR_UNAVAILABLE, "slow consumer: %lld came faster than the bus takes them, and NATS keeps none", (long long)(dropped - c->dropped));
		c->dropped = dropped;
		feed_refuse(c->feed, (union feed_handle){ .pointer = NULL }, &e);
	} else if (c->up && status == NATS_NOT_PERMITTED) {
		(void)nats_lib.natsConnection_GetLastError(nc, &last);
		err_set(&e, ERR_DENIED, "nats: %s", last && *last ? last : "not permitted");
		feed_break(c->feed, &e);
	}
	pthread_mutex_unlock(&c->lock);
}

static natsStatus
set_handlers(natsOptions *o, void *arg)
{
	natsStatus s = nats_lib.natsOptions_SetClosedCB(o, on_closed, arg);
	if (s == NATS_OK)
		s = nats_lib.natsOptions_SetPingInterval(o, (int64_t)PING_S * 1000);
	return s == NATS_OK ? nats_lib.natsOptions_SetErrorHandler(o, on_error, arg) : s;
}

/* ---- messages -------------------------------------------------------------------------------------------------------------- */

typedef VEC(struct message_pair) nats_headers;

static void
read_headers(natsMsg *msg, nats_headers *out)
{
	const char **keys = NULL, **values = NULL;
	int n = 0, m = 0;
	if (nats_lib.natsMsgHeader_Keys(msg, &keys, &n) != NATS_OK)
		return;
	for (int i = 0; i < n; i++) {
		if (nats_lib.natsMsgHeader_Values(msg, keys[i], &values, &m) == NATS_OK)
			for (int k = 0; k < m; k++)
				*VEC_PUSH(out) = (struct message_pair){ str_c(keys[i]), str_c(values[k]), out->n };
		free(values);
		values = NULL;
	}
	free(keys);
}

static void
give(struct conn *c, natsMsg *msg, union feed_handle handle, str dedup)
{
	struct err e;
	nats_headers headers = { 0 };
	str body = { nats_lib.natsMsg_GetData(msg), (size_t)nats_lib.natsMsg_GetDataLength(msg) };
	read_headers(msg, &headers);
	struct event *ev = c->session->make(feed_config(c->feed), str_c(nats_lib.natsMsg_GetSubject(msg)), headers.p, headers.n, body, &e);
	VEC_FREE(&headers);
	if (!ev) {
		feed_refuse(c->feed, handle, &e);
		return;
	}
	ev->dedup = arena_dup(ev->arena, dedup);
	feed_give(c->feed, ev, handle);
}

/* The server's word on a request: it is over, or the consumer is of no use. */
static void
on_status(struct conn *c, const char *status, const char *text)
{
	struct err e;
	bool large = !strcmp(status, "409") && text && strcasestr(text, "MaxBytes");
	bool over = large || !strcmp(status, "404") || !strcmp(status, "408") || (text && strcasestr(text, "leadership change"));
	if (!strcmp(status, "100"))
		return;
	pthread_mutex_lock(&c->lock);
	c->asked = 0;
	c->one = large;
	pthread_mutex_unlock(&c->lock);
	if (over) {
		feed_wake(c->feed);
		return;
	}
	err_set(&e, ERR_UNAVAILABLE, "nats: consumer %.*s: %s %s", STR_ARG(c->session->stream->durable), status, text ? text : "");
	feed_break(c->feed, &e);
}

static void
on_stream_message(struct conn *c, natsMsg *msg)
{
	const char *reply = nats_lib.natsMsg_GetReply(msg), *status = NULL, *text = NULL;
	char dedup[200];
	struct nats_place at;
	if (!reply && nats_lib.natsMsgHeader_Get(msg, "Status", &status) == NATS_OK) {
		(void)nats_lib.natsMsgHeader_Get(msg, "Description", &text);
		on_status(c, status, text);
		return;
	}
	if (!reply || !nats_place(str_c(reply), &at))
		return;
	/* with the time, because a stream that is made anew counts anew */
	snprintf(dedup, sizeof dedup, "%.*s:%.*s:%.*s", STR_ARG(at.stream), STR_ARG(at.sequence), STR_ARG(at.time));
	give(c, msg, (union feed_handle){ .pointer = mem_text(str_c(reply)) }, str_c(dedup));
	pthread_mutex_lock(&c->lock);
	bool last = c->asked && !--c->asked;
	pthread_mutex_unlock(&c->lock);
	if (last)
		feed_wake(c->feed);
}

static void
on_message(natsConnection *nc UNUSED, natsSubscription *sub UNUSED, natsMsg *msg, void *arg)
{
	struct conn *c = arg;
	if (c->session->stream)
		on_stream_message(c, msg);
	else if (feed_room(c->feed))
		give(c, msg, (union feed_handle){ .pointer = NULL }, STR_NONE);
	nats_lib.natsMsg_Destroy(msg);
}

/* ---- beginning and end ------------------------------------------------------------------------------------------------------- */

static natsStatus
subscribe(struct conn *c)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const struct nats_session *s = c->session;
	natsStatus st = s->stream ? nats_lib.natsInbox_Create(&c->inbox) : NATS_OK;
	const char *subject = s->stream ? c->inbox : str_z(a, s->subject);
	if (st == NATS_OK && s->queue.n)
		st = nats_lib.natsConnection_QueueSubscribe(&c->sub, c->nc, subject, str_z(a, s->queue), on_message, c);
	else if (st == NATS_OK)
		st = nats_lib.natsConnection_Subscribe(&c->sub, c->nc, subject, on_message, c);
	if (st != NATS_OK)
		return st;
	st = nats_lib.natsSubscription_SetOnCompleteCB(c->sub, on_complete, c);
	return st == NATS_OK ? nats_lib.natsSubscription_SetPendingLimits(c->sub, PENDING, PENDING_BYTES) : st;
}

/* The server says that a subject is not permitted before it answers a ping. */
static int
begin(struct conn *c, struct err *e)
{
	const char *last = NULL;
	if (c->session->stream && nats_stream_open(c->nc, c->session, &c->js, e) < 0)
		return -1;
	natsStatus s = subscribe(c);
	if (s == NATS_OK)
		s = nats_lib.natsConnection_FlushTimeout(c->nc, PEER_WAIT_MS / 3);
	if (s != NATS_OK)
		return nats_fail(s, "subscribing", e);
	if (nats_lib.natsConnection_GetLastError(c->nc, &last) == NATS_NOT_PERMITTED)
		return err_set(e, ERR_DENIED, "nats: subscribing: %s", last && *last ? last : "not permitted");
	return 0;
}

void *
nats_feed_open(struct feed *f, const struct peer_target *t, const struct nats_session *s, struct err *e)
{
	struct conn *c = MEM_NEW(struct conn);
	*c = (struct conn){ .feed = f, .session = s };
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->over, NULL);
	if (nats_connect(t, set_handlers, c, &c->nc, e) == 0 && begin(c, e) == 0) {
		pthread_mutex_lock(&c->lock);
		c->up = true;
		bool closed = c->closed;
		pthread_mutex_unlock(&c->lock);
		if (!closed)
			return c;
		err_set(e, ERR_UNAVAILABLE, "nats: the connection broke");
	}
	nats_feed_close(c);
	return NULL;
}

/* Until the last call of the library's threads has returned, for they use `c`. */
void
nats_feed_close(void *conn)
{
	struct conn *c = conn;
	pthread_mutex_lock(&c->lock);
	bool had_sub = c->sub, had_nc = c->nc;
	c->up = false;
	pthread_mutex_unlock(&c->lock);
	if (had_nc && c->session->stream)
		(void)nats_lib.natsConnection_FlushTimeout(c->nc, PEER_WAIT_MS / 8); /* the last acknowledgements; without them they come again */
	if (had_sub)
		nats_lib.natsSubscription_Destroy(c->sub);
	if (c->js)
		nats_lib.jsCtx_Destroy(c->js);
	if (had_nc)
		nats_lib.natsConnection_Destroy(c->nc);
	pthread_mutex_lock(&c->lock);
	while ((had_nc && !c->closed) || (had_sub && !c->complete))
		pthread_cond_wait(&c->over, &c->lock);
	pthread_mutex_unlock(&c->lock);
	if (c->inbox)
		nats_lib.natsInbox_Destroy(c->inbox);
	pthread_cond_destroy(&c->over);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* ---- the feed's ---------------------------------------------------------------------------------------------------------------- */

int
nats_feed_receive(void *conn, struct feed *f, struct err *e)
{
	struct conn *c = conn;
	if (!c->session->stream || !feed_wants(f))
		return 0;
	pthread_mutex_lock(&c->lock);
	unsigned n = c->asked && clock_monotonic_ms() < c->asked_until_ms ? 0 : c->one ? 1 : NATS_ASK;
	if (n) {
		c->asked = n;
		c->asked_until_ms = clock_monotonic_ms() + (NATS_ASK_S + GRACE_S) * 1000;
		c->one = false;
	}
	pthread_mutex_unlock(&c->lock);
	natsStatus s = n ? nats_stream_ask(c->nc, c->session->stream, c->inbox, n) : NATS_OK;
	return s == NATS_OK ? 0 : nats_fail(s, "asking for messages", e);
}

int
nats_feed_wait(void *conn, short *events UNUSED, int *timeout_ms)
{
	struct conn *c = conn;
	pthread_mutex_lock(&c->lock);
	int64_t left = c->asked_until_ms - clock_monotonic_ms();
	if (c->asked)
		*timeout_ms = left < 0 ? 0 : (int)left;
	pthread_mutex_unlock(&c->lock);
	return -1;
}

int
nats_feed_settle(void *conn, const union feed_handle *handles, size_t n, struct err *e)
{
	struct conn *c = conn;
	natsStatus s = NATS_OK;
	for (size_t i = 0; i < n; i++) {
		if (handles[i].pointer && s == NATS_OK)
			s = nats_lib.natsConnection_PublishString(c->nc, handles[i].pointer, "+ACK");
		free(handles[i].pointer);
	}
	return s == NATS_OK ? 0 : nats_fail(s, "acknowledging", e);
}

void
nats_feed_forget(void *conn UNUSED, union feed_handle handle)
{
	free(handle.pointer);
}
