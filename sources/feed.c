/* SPDX-License-Identifier: Apache-2.0 */
/* A feed from its start to its end, one connection after the other. On the loop. */
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/clock.h"
#include "sources/feed_impl.h"

enum { STEADY_S = 10 /* a connection that held so long makes the next wait short again */ };

const void *
feed_config(const struct feed *f)
{
	return source_config(f->source);
}

struct source *
feed_source(const struct feed *f)
{
	return f->source;
}

static void connect_feed(void *arg);

static void
connect_later(struct feed *f, const struct err *e)
{
	source_state(f->source, false, e);
	timer_start(f->loop, &f->again, loop_now(f->loop) + backoff_next(&f->waits, f->backoff), connect_feed, f);
}

static void
connect_feed(void *arg)
{
	struct feed *f = arg;
	struct err e = { 0 };
	f->arena = arena_new();
	f->target = (struct peer_target){ 0 };
	f->broken = f->woken = false;
	if (f->ops->target(f->source, f->arena, &f->target, &e) == 0 && feed_thread_start(f) == 0) {
		f->thread_runs = true;
		return;
	}
	if (!e.code)
		err_set(&e, ERR_UNAVAILABLE, "%s: no thread can be started", f->ops->name);
	arena_free(f->arena);
	f->arena = NULL;
	connect_later(f, &e);
}

void
feed_connected(void *arg)
{
	struct feed *f = arg;
	f->connected_at = loop_now(f->loop);
	if (!f->stopping && !f->ops->says_when)
		source_state(f->source, true, NULL);
}

/* ---- what the library says of its broker -------------------------------------------------------------------- */

struct news {
	struct feed *feed;
	bool connected;
	struct err err;
};

static void
tell_news(void *arg)
{
	struct news *n = arg;
	if (!n->feed->stopping)
		source_state(n->feed->source, n->connected, n->connected ? NULL : &n->err);
	free(n);
}

void
feed_state(struct feed *f, const struct err *e)
{
	struct news *n = MEM_NEW(struct news);
	*n = (struct news){ .feed = f, .connected = !e };
	if (e)
		n->err = *e;
	loop_post(f->loop, tell_news, n);
}

void
feed_free_if_over(struct feed *f)
{
	if (!f->stopping || f->thread_runs || f->with_loop)
		return;
	struct source *s = f->source;
	source_set_data(s, NULL);
	LIST_EACH(&f->spare, struct item, link, i)
		free(i);
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->room);
	close(f->wake_fd);
	if (f->context.free)
		f->context.free(f->context.p);
	free(f);
	source_stopped(s);
}

void
feed_ended(void *arg)
{
	struct feed *f = arg;
	pthread_join(f->thread, NULL);
	f->thread_runs = false;
	arena_free(f->arena);
	f->arena = NULL;
	uint64_t n;
	if (f->woken)
		(void)!read(f->wake_fd, &n, sizeof n);
	if (f->connected_at && loop_now(f->loop) - f->connected_at >= STEADY_S * NS_PER_SEC)
		backoff_reset(&f->waits);
	f->connected_at = 0;
	if (!f->stopping)
		connect_later(f, &f->why);
	feed_free_if_over(f);
}

static int
start_feed(struct source *s, const struct feed_ops *ops, struct feed_context context, int64_t number, const struct backoff *b, int64_t per_second,
           struct err *e)
{
	pthread_condattr_t clock;
	struct feed *f = MEM_NEW(struct feed);
	*f = (struct feed){ .source = s, .ops = ops, .context = context, .number = number, .loop = source_loop(s), .backoff = b,
	                    .paused = source_is_paused(s),
	                    .rate_every_ns = per_second > 0 ? NS_PER_SEC / per_second : 0 };
	f->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (f->wake_fd < 0) {
		if (context.free)
			context.free(context.p);
		free(f);
		return err_errno(e, "%s: eventfd", ops->name);
	}
	list_init(&f->held);
	list_init(&f->given);
	list_init(&f->spare);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->room, &clock);
	pthread_condattr_destroy(&clock);
	source_set_data(s, f);
	source_connecting(s);
	connect_feed(f);
	return 0;
}

int
feed_start(struct source *s, const struct feed_ops *ops, const struct backoff *b, int64_t per_second, struct err *e)
{
	return feed_start_with(s, ops, b, per_second, 0, e);
}

int64_t
feed_number(const struct source *s)
{
	const struct feed *f = source_data(s);
	return f->number;
}

int
feed_start_with(struct source *s, const struct feed_ops *ops, const struct backoff *b, int64_t per_second, int64_t number, struct err *e)
{
	return start_feed(s, ops, (struct feed_context){ 0 }, number, b, per_second, e);
}

int
feed_start_context(struct source *s, const struct feed_ops *ops, struct feed_context context, const struct backoff *b, int64_t per_second,
                   struct err *e)
{
	return start_feed(s, ops, context, 0, b, per_second, e);
}

void *
feed_context(const struct source *s)
{
	const struct feed *f = source_data(s);
	return f->context.p;
}

/* ---- what kinds ask ------------------------------------------------------------------------------------------------------ */

void
feed_pause(struct source *s, bool on)
{
	struct feed *f = source_data(s);
	if (!f)
		return;
	if (!on)
		feed_give_held(f);
	pthread_mutex_lock(&f->lock);
	f->paused = on;
	if (!on) {
		feed_wake_locked(f);
		pthread_cond_broadcast(&f->room);
	}
	pthread_mutex_unlock(&f->lock);
}

void
feed_stop(struct source *s)
{
	struct feed *f = source_data(s);
	if (!f) {
		source_stopped(s);
		return;
	}
	f->stopping = true;
	timer_stop(&f->again);
	pthread_mutex_lock(&f->lock);
	f->ending = true;
	f->end_by_ms = clock_monotonic_ms() + FEED_SETTLE_MS;
	feed_wake_locked(f);
	pthread_cond_broadcast(&f->room);
	pthread_mutex_unlock(&f->lock);
	while (!list_empty(&f->held)) {
		struct item *i = LIST_FIRST(&f->held, struct item, held);
		list_del(&i->held);
		feed_give_up(f, i);
	}
	feed_free_if_over(f);
}

void
feed_describe(const struct source *s, struct val_map *m, struct arena *a UNUSED)
{
	struct feed *f = source_data(s);
	if (!f)
		return;
	pthread_mutex_lock(&f->lock);
	size_t under_way = f->with_loop;
	pthread_mutex_unlock(&f->lock);
	val_map_add(m, S("underWay"), val_int((int64_t)under_way));
	if (f->refused)
		val_map_add(m, S("refused"), val_int((int64_t)f->refused));
}
