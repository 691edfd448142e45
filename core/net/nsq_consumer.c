/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/nsq_consumer.h"

#include <sys/epoll.h>
#include <unistd.h>

#include "core/clock.h"

/* A message that was given and is not finished: what a handle points to. */
struct held {
	struct link link; /* in consumer.held */
	struct nsq *from; /* NULL: its connection is gone */
	int64_t touched_ms;
	char id[NSQ_ID];
};

struct nsq_consumer {
	const struct peer_target *t;
	const struct nsq_plan *p;
	int epoll;
	struct nsq *nsqds[NSQ_NSQDS_MAX];
	size_t n;
	struct link held;
	int64_t look_at_ms; /* when nsqlookupd is asked again */
	struct err lost;    /* why the last nsqd went */
};

/* ---- connections ----------------------------------------------------------------------------------------------------- */

static void
drop(struct nsq_consumer *c, size_t i)
{
	struct nsq *gone = c->nsqds[i];
	LIST_EACH(&c->held, struct held, link, h)
		if (h->from == gone)
			h->from = NULL;
	nsq_close(gone);
	c->nsqds[i] = c->nsqds[--c->n];
	c->look_at_ms = 0;
}

static bool
is_connected(const struct nsq_consumer *c, const struct nsq_address *at)
{
	char where[300];
	snprintf(where, sizeof where, "%.*s:%d", STR_ARG(at->host), at->port);
	for (size_t i = 0; i < c->n; i++)
		if (str_eq(nsq_where(c->nsqds[i]), str_c(where)))
			return true;
	return false;
}

/* An nsqd that hangs must not hold up the others for long. */
static int
connect_to(struct nsq_consumer *c, const struct nsq_address *at, struct err *e)
{
	const struct nsq_to to = { *at, c->p->topic, c->p->channel, c->t, c->n ? PEER_WAIT_MS / 15 : PEER_WAIT_MS / 5 };
	struct nsq *n = nsq_open(&to, e);
	if (!n)
		return -1;
	struct epoll_event event = { .events = EPOLLIN };
	if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, nsq_fd(n), &event) < 0) {
		nsq_close(n);
		return err_errno(e, "nsq: epoll");
	}
	c->nsqds[c->n++] = n;
	return 0;
}

/* *missing: nsqds that nsqlookupd knows and that cannot be connected to, the last one's reason in `e`. */
static int
look_up(struct nsq_consumer *c, size_t *missing, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct nsq_addresses found;
	*missing = 0;
	if (nsq_lookup(c->p->lookup, c->t, c->p->topic, PEER_WAIT_MS / 5, a, &found, e) < 0)
		return -1;
	for (size_t i = 0; i < found.n && c->n < NSQ_NSQDS_MAX; i++)
		if (!is_connected(c, &found.p[i]) && connect_to(c, &found.p[i], e) < 0)
			(*missing)++;
	return 0;
}

/* While an nsqd is connected, it does not matter that nsqlookupd does not answer. */
static int
look_for_nsqds(struct nsq_consumer *c, struct err *e)
{
	size_t missing;
	int64_t now = clock_monotonic_ms();
	if (now < c->look_at_ms)
		return 0;
	int rc = look_up(c, &missing, e);
	c->look_at_ms = now + (rc == 0 && c->n && !missing ? NSQ_REFRESH_MS : NSQ_SEARCH_MS);
	return !c->n && (rc < 0 || missing) ? -1 : 0;
}

static bool
wants(const struct nsq_consumer *c)
{
	return c->p->wants(c->p->arg);
}

/* ---- messages -------------------------------------------------------------------------------------------------------- */

static void
take(void *arg, struct nsq *n, const struct nsq_message *m)
{
	struct nsq_consumer *c = arg;
	struct held *h = MEM_NEW(struct held);
	h->from = n;
	h->touched_ms = clock_monotonic_ms();
	memcpy(h->id, m->id.p, NSQ_ID);
	list_add_tail(&c->held, &h->link);
	c->p->message(c->p->arg, nsq_where(n), m, h);
}

/* A message is touched when a third of its time is over. */
static int64_t
touch_after_ms(const struct nsq *n)
{
	return nsq_timeout_ms(n) / 3;
}

int
nsq_consumer_wait_ms(const struct nsq_consumer *c)
{
	int64_t ms = NSQ_LOOK_MS;
	for (size_t i = 0; i < c->n && !list_empty(&c->held); i++)
		if (touch_after_ms(c->nsqds[i]) / 2 < ms)
			ms = touch_after_ms(c->nsqds[i]) / 2;
	return ms > 10 ? (int)ms : 10;
}

/* What takes its time to get to the disk is kept from being sent again. */
static void
touch(struct nsq_consumer *c)
{
	int64_t now = clock_monotonic_ms();
	LIST_EACH(&c->held, struct held, link, h) {
		if (!h->from || now - h->touched_ms < touch_after_ms(h->from))
			continue;
		nsq_touch(h->from, h->id);
		h->touched_ms = now;
	}
}

static int
attend(struct nsq_consumer *c, struct nsq *n, struct err *e)
{
	int share = wants(c) ? NSQ_WINDOW / (int)c->n : 0;
	return nsq_receive(n, take, c, e) < 0 ? -1 : nsq_ready(n, share, e);
}

int
nsq_consumer_receive(struct nsq_consumer *c, struct err *e)
{
	touch(c);
	for (size_t i = c->n; i-- > 0;)
		if (attend(c, c->nsqds[i], &c->lost) < 0)
			drop(c, i);
	if (!c->n && c->lost.code) {
		*e = c->lost;
		return -1;
	}
	return look_for_nsqds(c, e);
}

void
nsq_consumer_finish(void *handle)
{
	struct held *h = handle;
	if (h->from)
		nsq_finish(h->from, h->id);
	nsq_forget(h);
}

void
nsq_consumer_tell(struct nsq_consumer *c)
{
	for (size_t i = c->n; i-- > 0;)
		if (nsq_flush(c->nsqds[i], &c->lost) < 0)
			drop(c, i);
}

void
nsq_forget(void *handle)
{
	struct held *h = handle;
	list_del(&h->link);
	free(h);
}

/* ---- the whole ------------------------------------------------------------------------------------------------------- */

int
nsq_consumer_fd(const struct nsq_consumer *c)
{
	return c->epoll;
}

void
nsq_leave(struct nsq_consumer *c)
{
	if (!c)
		return;
	while (c->n)
		drop(c, c->n - 1);
	close_fd(&c->epoll);
	free(c);
}

struct nsq_consumer *
nsq_consume(const struct peer_target *t, const struct nsq_plan *p, struct err *e)
{
	struct nsq_consumer *c = MEM_NEW(struct nsq_consumer);
	*c = (struct nsq_consumer){ .t = t, .p = p, .epoll = epoll_create1(EPOLL_CLOEXEC) };
	list_init(&c->held);
	if (c->epoll < 0)
		(void)err_errno(e, "nsq: epoll");
	else if (look_for_nsqds(c, e) == 0)
		return c;
	nsq_leave(c);
	return NULL;
}
