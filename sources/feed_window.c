/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is under way. Messages stand in `given` in the order in which they came, and are settled from its front: a message that is done before
 * an older one (its filter dropped it, say) waits, because many protocols can only be told "up to here".
 */
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "sources/feed_impl.h"

enum { GIVE_BATCH = 256 };

void
feed_wake_locked(struct feed *f)
{
	if (f->woken)
		return;
	f->woken = true;
	uint64_t one = 1;
	(void)!write(f->wake_fd, &one, sizeof one);
}

void
feed_wake(struct feed *f)
{
	pthread_mutex_lock(&f->lock);
	feed_wake_locked(f);
	pthread_mutex_unlock(&f->lock);
}

void
feed_break(struct feed *f, const struct err *e)
{
	pthread_mutex_lock(&f->lock);
	if (!f->broken)
		f->why = *e;
	f->broken = true;
	feed_wake_locked(f);
	pthread_cond_broadcast(&f->room);
	pthread_mutex_unlock(&f->lock);
}

static size_t
window_of(const struct feed *f)
{
	return f->ops->window ? f->ops->window : FEED_WINDOW;
}

bool
feed_has_room(const struct feed *f)
{
	return !f->paused && !f->ending && !f->broken && !f->full && f->unsettled < 2 * window_of(f);
}

void
feed_note_fill(struct feed *f)
{
	if (f->with_loop >= window_of(f) || f->bytes >= FEED_WINDOW_BYTES)
		f->full = true;
	else if (f->with_loop <= window_of(f) / 4 * 3 && f->bytes <= FEED_WINDOW_BYTES / 4 * 3)
		f->full = false;
}

bool
feed_wants(struct feed *f)
{
	pthread_mutex_lock(&f->lock);
	bool wants = feed_has_room(f) && (!f->rate_every_ns || f->rate_next_ns <= clock_monotonic_ns());
	pthread_mutex_unlock(&f->lock);
	return wants;
}

size_t
feed_wanted(struct feed *f, size_t most)
{
	pthread_mutex_lock(&f->lock);
	size_t n = feed_has_room(f) ? window_of(f) - f->with_loop : 0;
	if (n && f->rate_every_ns)
		n = f->rate_next_ns <= clock_monotonic_ns();
	pthread_mutex_unlock(&f->lock);
	return n < most ? n : most;
}

/* Below the lock. */
static void
wait_for_rate(struct feed *f)
{
	struct timespec t = { .tv_sec = f->rate_next_ns / NS_PER_SEC, .tv_nsec = f->rate_next_ns % NS_PER_SEC };
	pthread_cond_timedwait(&f->room, &f->lock, &t);
}

bool
feed_room(struct feed *f)
{
	pthread_mutex_lock(&f->lock);
	for (;;) {
		if (f->ending || f->broken)
			break;
		if (!feed_has_room(f))
			pthread_cond_wait(&f->room, &f->lock);
		else if (f->rate_every_ns && f->rate_next_ns > clock_monotonic_ns())
			wait_for_rate(f);
		else
			break;
	}
	bool there = !f->ending && !f->broken;
	pthread_mutex_unlock(&f->lock);
	return there;
}

struct item *
feed_add_item(struct feed *f, size_t bytes, union feed_handle handle)
{
	struct item *i = list_empty(&f->spare) ? MEM_NEW(struct item) : LIST_FIRST(&f->spare, struct item, link);
	list_del(&i->link);
	*i = (struct item){ .feed = f, .bytes = bytes, .handle = handle };
	list_add_tail(&f->given, &i->link);
	f->with_loop++;
	f->bytes += bytes;
	f->unsettled++;
	feed_note_fill(f);
	if (f->rate_every_ns) {
		int64_t now = clock_monotonic_ns();
		f->rate_next_ns = (f->rate_next_ns > now - f->rate_every_ns ? f->rate_next_ns : now - f->rate_every_ns) + f->rate_every_ns;
	}
	return i;
}

struct item *
feed_new_item(struct feed *f, size_t bytes, union feed_handle handle)
{
	pthread_mutex_lock(&f->lock);
	struct item *i = feed_add_item(f, bytes, handle);
	pthread_mutex_unlock(&f->lock);
	return i;
}

void
feed_give(struct feed *f, struct event *ev, union feed_handle handle)
{
	struct item *i = feed_new_item(f, ev->data.n, handle);
	source_emit(f->source, ev, i);
}

void
feed_give_all(struct feed *f, struct event *const *events, const union feed_handle *handles, size_t n)
{
	struct event *ev[GIVE_BATCH];
	void *items[GIVE_BATCH];
	for (size_t from = 0; from < n; from += GIVE_BATCH) {
		size_t now = n - from < GIVE_BATCH ? n - from : GIVE_BATCH;
		memcpy(ev, events + from, now * sizeof *ev);
		pthread_mutex_lock(&f->lock);
		for (size_t i = 0; i < now; i++)
			items[i] = feed_add_item(f, ev[i]->data.n, handles[from + i]);
		pthread_mutex_unlock(&f->lock);
		source_emit_all(f->source, ev, items, now);
	}
}

size_t
feed_take_done(struct feed *f, union feed_handle *out)
{
	size_t n = 0;
	pthread_mutex_lock(&f->lock);
	bool was_full = !feed_has_room(f);
	while (n < SETTLE_BATCH && !list_empty(&f->given)) {
		struct item *i = LIST_FIRST(&f->given, struct item, link);
		if (!i->done)
			break;
		list_del(&i->link);
		list_add_tail(&f->spare, &i->link);
		f->unsettled--;
		out[n++] = i->handle;
	}
	if (was_full && feed_has_room(f))
		pthread_cond_broadcast(&f->room);
	pthread_mutex_unlock(&f->lock);
	return n;
}
