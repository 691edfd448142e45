/* SPDX-License-Identifier: Apache-2.0 */
/* The thread of a connection: opens it, receives, settles, and ends with it. */
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "core/clock.h"
#include "sources/feed_impl.h"

enum { STACK = 512 << 10 };

static int
settle(struct feed *f, struct err *e)
{
	union feed_handle handles[SETTLE_BATCH];
	int rc = 0;
	for (size_t n; rc == 0 && (n = feed_take_done(f, handles)) > 0;)
		if (f->ops->settle)
			rc = f->ops->settle(f->conn, handles, n, e);
	return rc;
}

/* 1: the connection is to end; -1: it is of no use. */
static int
is_over(struct feed *f, struct err *e)
{
	pthread_mutex_lock(&f->lock);
	int over = f->broken ? -1 : f->ending && (!f->unsettled || clock_monotonic_ms() >= f->end_by_ms) ? 1 : 0;
	if (f->broken)
		*e = f->why;
	pthread_mutex_unlock(&f->lock);
	return over;
}

static int
sooner(int a, int64_t b)
{
	int ms = b < 0 ? 0 : b > 60000 ? 60000 : (int)b;
	return a < 0 || ms < a ? ms : a;
}

/* Waits until there is something to do. */
static void
wait_for_work(struct feed *f)
{
	struct pollfd fds[2] = { { .fd = f->wake_fd, .events = POLLIN }, { .fd = -1 } };
	short events = POLLIN;
	int timeout = -1, fd = f->ops->wait ? f->ops->wait(f->conn, &events, &timeout) : -1;
	pthread_mutex_lock(&f->lock);
	int64_t rest = feed_has_room(f) && f->rate_every_ns ? f->rate_next_ns - clock_monotonic_ns() : 0;
	if (rest > 0)
		timeout = sooner(timeout, rest / NS_PER_MS + 1);
	if (f->ops->tends || (feed_has_room(f) && rest <= 0))
		fds[1] = (struct pollfd){ .fd = fd, .events = events };
	if (f->ending)
		timeout = sooner(timeout, f->end_by_ms - clock_monotonic_ms());
	pthread_mutex_unlock(&f->lock);
	(void)poll(fds, 2, timeout);
	pthread_mutex_lock(&f->lock);
	uint64_t n;
	if (f->woken)
		(void)!read(f->wake_fd, &n, sizeof n);
	f->woken = false;
	pthread_mutex_unlock(&f->lock);
}

static int
serve(struct feed *f, struct err *e)
{
	for (;;) {
		int over = settle(f, e) < 0 ? -1 : is_over(f, e);
		if (over)
			return over;
		if (f->ops->receive && f->ops->receive(f->conn, f, e) < 0)
			return -1;
		wait_for_work(f);
	}
}

/* What is on its way to the disk yet belongs to no connection from here on. */
static void
forget_all(struct feed *f)
{
	pthread_mutex_lock(&f->lock);
	f->broken = true; /* whoever waits for room goes */
	pthread_cond_broadcast(&f->room);
	while (!list_empty(&f->given)) {
		struct item *i = LIST_FIRST(&f->given, struct item, link);
		list_del(&i->link);
		if (f->ops->forget)
			f->ops->forget(f->conn, i->handle);
		i->forgotten = true;
		if (i->done || i->given_up)
			free(i);
	}
	f->unsettled = 0;
	pthread_mutex_unlock(&f->lock);
}

static void *
feed_main(void *arg)
{
	struct feed *f = arg;
	struct err e = { 0 };
	int rc = -1;
	f->conn = f->ops->open(f, &f->target, &e);
	if (f->conn) {
		loop_post(f->loop, feed_connected, f);
		rc = serve(f, &e);
		forget_all(f);
		f->ops->close(f->conn);
		f->conn = NULL;
	}
	pthread_mutex_lock(&f->lock);
	f->why = e;
	if (rc < 0 && !e.code)
		err_set(&f->why, ERR_UNAVAILABLE, "%s: the connection broke", f->ops->name);
	pthread_mutex_unlock(&f->lock);
	loop_post(f->loop, feed_ended, f);
	return NULL;
}

int
feed_thread_start(struct feed *f)
{
	sigset_t all, old;
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int rc = pthread_create(&f->thread, &attr, feed_main, f);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return rc;
}
