/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two sides touch a feed: the loop, which starts and joins the thread, takes events in and hears of their commits; and the thread of the
 * connection. What both touch is below `lock`. Messages stand in `given` in the order in which they came, and are settled from its
 * front: a message that is done before an older one (its filter dropped it, say) waits, because many protocols can only be told "up to here".
 */
#include "sources/feed.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"
#include "sources/backoff.h"

enum {
	STACK = 512 << 10,
	SETTLE_BATCH = 256,
	GIVE_BATCH = 256,
	STEADY_S = 10,       /* a connection that held so long makes the next wait short again */
	REFUSED_EVERY_S = 60 /* a line about messages that can be no events, at most so often */
};

/* A message on its way to the disk. */
struct item {
	struct link link;  /* in feed.given: below the lock */
	struct link held;  /* in feed.held: the loop's */
	struct feed *feed;
	struct event *ev;  /* while it is held: one reference; NULL for what is to be saved */
	void (*save)(struct source *s, union feed_handle handle);
	size_t bytes;
	union feed_handle handle;
	bool done;         /* on disk, dropped or refused: below the lock */
	bool given_up;     /* will not be on disk: below the lock */
	bool forgotten;    /* its connection is gone: below the lock */
	bool is_awaited;   /* by feed_save_now: below the lock */
};

struct feed {
	struct source *source;
	const struct feed_ops *ops;
	struct feed_context context;
	struct loop *loop;
	const struct backoff *backoff;
	int64_t rate_every_ns; /* 0: no limit */
	int64_t number;        /* the kind's */

	/* the loop's */
	struct backoff_state waits;
	struct timer again;
	struct link held;      /* the bus had no room for them, nor for those behind them */
	bool thread_runs, stopping;
	int64_t connected_at;  /* ns; 0: not connected */
	int64_t refused_told;
	uint64_t refused;

	/* the connection's: made by the loop before the thread, freed after it */
	struct arena *arena;
	struct peer_target target;
	pthread_t thread;
	void *conn;            /* the thread's */

	pthread_mutex_t lock;
	pthread_cond_t room;
	struct link given, spare; /* spare: items for the next messages */
	size_t with_loop, bytes; /* items that the loop has not answered, also of connections that are gone; and their bytes */
	size_t unsettled;        /* in `given` */
	bool full;               /* with_loop or bytes: note_fill */
	bool paused, ending, broken, woken;
	int64_t end_by_ms;
	int64_t rate_next_ns;
	struct err why;          /* of `broken` */
	int wake_fd;
};

/* ---- both sides ------------------------------------------------------------------------------------------------------ */

static int64_t
monotonic_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

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

/* Below the lock. */
static void
wake(struct feed *f)
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
	wake(f);
	pthread_mutex_unlock(&f->lock);
}

void
feed_break(struct feed *f, const struct err *e)
{
	pthread_mutex_lock(&f->lock);
	if (!f->broken)
		f->why = *e;
	f->broken = true;
	wake(f);
	pthread_cond_broadcast(&f->room);
	pthread_mutex_unlock(&f->lock);
}

static size_t
window(const struct feed *f)
{
	return f->ops->window ? f->ops->window : FEED_WINDOW;
}

/* Below the lock. What is done and not settled counts, too: a receive that never runs dry must leave the thread time to settle. */
static bool
has_room(const struct feed *f)
{
	return !f->paused && !f->ending && !f->broken && !f->full && f->unsettled < 2 * window(f);
}

/* Below the lock. A window that was full takes in again when a quarter of it is free: a message at a time costs each its own journey. */
static void
note_fill(struct feed *f)
{
	if (f->with_loop >= window(f) || f->bytes >= FEED_WINDOW_BYTES)
		f->full = true;
	else if (f->with_loop <= window(f) / 4 * 3 && f->bytes <= FEED_WINDOW_BYTES / 4 * 3)
		f->full = false;
}

bool
feed_wants(struct feed *f)
{
	pthread_mutex_lock(&f->lock);
	bool wants = has_room(f) && (!f->rate_every_ns || f->rate_next_ns <= monotonic_ns());
	pthread_mutex_unlock(&f->lock);
	return wants;
}

size_t
feed_wanted(struct feed *f, size_t most)
{
	pthread_mutex_lock(&f->lock);
	size_t n = has_room(f) ? window(f) - f->with_loop : 0;
	if (n && f->rate_every_ns)
		n = f->rate_next_ns <= monotonic_ns();
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
		if (!has_room(f))
			pthread_cond_wait(&f->room, &f->lock);
		else if (f->rate_every_ns && f->rate_next_ns > monotonic_ns())
			wait_for_rate(f);
		else
			break;
	}
	bool there = !f->ending && !f->broken;
	pthread_mutex_unlock(&f->lock);
	return there;
}

/* Below the lock. */
static struct item *
add_item(struct feed *f, size_t bytes, union feed_handle handle)
{
	struct item *i = list_empty(&f->spare) ? MEM_NEW(struct item) : LIST_FIRST(&f->spare, struct item, link);
	list_del(&i->link);
	*i = (struct item){ .feed = f, .bytes = bytes, .handle = handle };
	list_add_tail(&f->given, &i->link);
	f->with_loop++;
	f->bytes += bytes;
	f->unsettled++;
	note_fill(f);
	if (f->rate_every_ns) {
		int64_t now = monotonic_ns();
		f->rate_next_ns = (f->rate_next_ns > now - f->rate_every_ns ? f->rate_next_ns : now - f->rate_every_ns) + f->rate_every_ns;
	}
	return i;
}

static void save_in_its_place(void *arg);

static struct item *
new_item(struct feed *f, size_t bytes, union feed_handle handle)
{
	pthread_mutex_lock(&f->lock);
	struct item *i = add_item(f, bytes, handle);
	pthread_mutex_unlock(&f->lock);
	return i;
}

void
feed_give(struct feed *f, struct event *ev, union feed_handle handle)
{
	struct item *i = new_item(f, ev->data.n, handle);
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
			items[i] = add_item(f, ev[i]->data.n, handles[from + i]);
		pthread_mutex_unlock(&f->lock);
		source_emit_all(f->source, ev, items, now);
	}
}

static struct item *
save_later(struct feed *f, void (*save)(struct source *s, union feed_handle handle), union feed_handle handle)
{
	pthread_mutex_lock(&f->lock);
	struct item *i = add_item(f, 0, handle);
	i->save = save;
	pthread_mutex_unlock(&f->lock);
	loop_post(f->loop, save_in_its_place, i);
	return i;
}

void
feed_save(struct feed *f, void (*save)(struct source *s, union feed_handle handle), union feed_handle handle)
{
	(void)save_later(f, save, handle);
}

int
feed_save_now(struct feed *f, void (*save)(struct source *s, union feed_handle handle), union feed_handle handle, struct err *e)
{
	struct item *i = save_later(f, save, handle);
	pthread_mutex_lock(&f->lock);
	i->is_awaited = true;
	while (!i->done && !i->given_up && !f->ending)
		pthread_cond_wait(&f->room, &f->lock);
	bool done = i->done;
	list_del(&i->link);
	f->unsettled--;
	i->forgotten = true;
	if (i->done || i->given_up)
		free(i);
	pthread_mutex_unlock(&f->lock);
	return done ? 0 : err_set(e, ERR_UNAVAILABLE, "%s: the source stops", f->ops->name);
}

/* ---- the thread ------------------------------------------------------------------------------------------------------ */

/* Takes what may be settled from the front; the loop knows nothing of these any more. */
static size_t
take_done(struct feed *f, union feed_handle *out)
{
	size_t n = 0;
	pthread_mutex_lock(&f->lock);
	bool was_full = !has_room(f);
	while (n < SETTLE_BATCH && !list_empty(&f->given)) {
		struct item *i = LIST_FIRST(&f->given, struct item, link);
		if (!i->done)
			break;
		list_del(&i->link);
		list_add_tail(&f->spare, &i->link);
		f->unsettled--;
		out[n++] = i->handle;
	}
	if (was_full && has_room(f))
		pthread_cond_broadcast(&f->room);
	pthread_mutex_unlock(&f->lock);
	return n;
}

static int
settle(struct feed *f, struct err *e)
{
	union feed_handle handles[SETTLE_BATCH];
	int rc = 0;
	for (size_t n; rc == 0 && (n = take_done(f, handles)) > 0;)
		if (f->ops->settle)
			rc = f->ops->settle(f->conn, handles, n, e);
	return rc;
}

/* 1: the connection is to end; -1: it is of no use. */
static int
is_over(struct feed *f, struct err *e)
{
	pthread_mutex_lock(&f->lock);
	int over = f->broken ? -1 : f->ending && (!f->unsettled || monotonic_ns() / NS_PER_MS >= f->end_by_ms) ? 1 : 0;
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
	int64_t rest = has_room(f) && f->rate_every_ns ? f->rate_next_ns - monotonic_ns() : 0;
	if (rest > 0)
		timeout = sooner(timeout, rest / NS_PER_MS + 1);
	if (f->ops->tends || (has_room(f) && rest <= 0))
		fds[1] = (struct pollfd){ .fd = fd, .events = events };
	if (f->ending)
		timeout = sooner(timeout, f->end_by_ms - monotonic_ns() / NS_PER_MS);
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

static void connected(void *arg);
static void ended(void *arg);

static void *
feed_main(void *arg)
{
	struct feed *f = arg;
	struct err e = { 0 };
	int rc = -1;
	f->conn = f->ops->open(f, &f->target, &e);
	if (f->conn) {
		loop_post(f->loop, connected, f);
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
	loop_post(f->loop, ended, f);
	return NULL;
}

/* ---- the loop: connections ------------------------------------------------------------------------------------------- */

static int
start_thread(struct feed *f)
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
	if (f->ops->target(f->source, f->arena, &f->target, &e) == 0 && start_thread(f) == 0) {
		f->thread_runs = true;
		return;
	}
	if (!e.code)
		err_set(&e, ERR_UNAVAILABLE, "%s: no thread can be started", f->ops->name);
	arena_free(f->arena);
	f->arena = NULL;
	connect_later(f, &e);
}

static void
connected(void *arg)
{
	struct feed *f = arg;
	f->connected_at = loop_now(f->loop);
	if (!f->stopping && !f->ops->says_when)
		source_state(f->source, true, NULL);
}

/* ---- the loop: what the library says of its broker -------------------------------------------------------------------- */

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

static void
free_if_over(struct feed *f)
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

static void
ended(void *arg)
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
	free_if_over(f);
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

/* ---- the loop: messages ---------------------------------------------------------------------------------------------- */

/* The loop has nothing more to do with it. */
static void
answered(struct feed *f, struct item *i)
{
	pthread_mutex_lock(&f->lock);
	bool was_full = !has_room(f);
	f->with_loop--;
	f->bytes -= i->bytes;
	note_fill(f);
	i->done = true;
	if (i->is_awaited)
		pthread_cond_broadcast(&f->room);
	if (i->forgotten)
		free(i);
	else if (f->given.next == &i->link || (f->ending && f->thread_runs))
		wake(f);
	if (was_full && has_room(f)) {
		wake(f);
		pthread_cond_broadcast(&f->room);
	}
	pthread_mutex_unlock(&f->lock);
	free_if_over(f);
}

/* It will not be on disk: the broker has it yet, and sends it again. So what came behind it is not settled either, and the end is near. */
static void
give_up(struct feed *f, struct item *i)
{
	event_unref(i->ev);
	pthread_mutex_lock(&f->lock);
	f->with_loop--;
	f->bytes -= i->bytes;
	note_fill(f);
	f->end_by_ms = 0;
	i->given_up = true;
	if (i->forgotten)
		free(i);
	pthread_mutex_unlock(&f->lock);
}

void
feed_ack(struct source *s, struct event *ev, void *token, bool duplicate UNUSED, const struct err *e)
{
	struct item *i = token;
	struct feed *f = i->feed;
	assert(source_data(s) == f);
	if (!e) {
		answered(f, i);
		return;
	}
	i->ev = event_ref(ev);
	if (!f->stopping) {
		list_add_tail(&f->held, &i->held);
		return;
	}
	give_up(f, i);
	free_if_over(f);
}

union feed_handle
feed_handle_of(const void *token)
{
	return ((const struct item *)token)->handle;
}

/* ---- the loop: what is saved among the messages -------------------------------------------------------------------------- */

static void
saved(void *arg)
{
	struct item *i = arg;
	answered(i->feed, i);
}

static void
save_in_its_place(void *arg)
{
	struct item *i = arg;
	struct feed *f = i->feed;
	if (f->stopping) {
		give_up(f, i);
		free_if_over(f);
	} else if (!list_empty(&f->held)) {
		list_add_tail(&f->held, &i->held);
	} else {
		i->save(f->source, i->handle);
		source_after_commit(f->source, saved, i);
	}
}

/* In their order; what finds no room again is held again. */
static void
give_held(struct feed *f)
{
	struct link again;
	list_init(&again);
	while (!list_empty(&f->held)) {
		struct item *i = LIST_FIRST(&f->held, struct item, held);
		list_del(&i->held);
		list_add_tail(&again, &i->held);
	}
	while (!list_empty(&again)) {
		struct item *i = LIST_FIRST(&again, struct item, held);
		struct event *ev = i->ev;
		list_del(&i->held);
		i->ev = NULL;
		if (ev)
			source_emit(f->source, ev, i);
		else
			save_in_its_place(i); /* held again if what is before it is */
	}
}

void
feed_pause(struct source *s, bool on)
{
	struct feed *f = source_data(s);
	if (!f)
		return;
	if (!on)
		give_held(f);
	pthread_mutex_lock(&f->lock);
	f->paused = on;
	if (!on) {
		wake(f);
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
	f->end_by_ms = monotonic_ns() / NS_PER_MS + FEED_SETTLE_MS;
	wake(f);
	pthread_cond_broadcast(&f->room);
	pthread_mutex_unlock(&f->lock);
	while (!list_empty(&f->held)) {
		struct item *i = LIST_FIRST(&f->held, struct item, held);
		list_del(&i->held);
		give_up(f, i);
	}
	free_if_over(f);
}

/* ---- the loop: messages that can be no events ---------------------------------------------------------------------------- */

struct refusal {
	struct item *item;
	struct err err;
};

static void
refused(void *arg)
{
	struct refusal *r = arg;
	struct feed *f = r->item->feed;
	int64_t now = loop_now(f->loop);
	source_count_failure(f->source);
	f->refused++;
	if (!f->refused_told || now - f->refused_told >= REFUSED_EVERY_S * NS_PER_SEC) {
		str name = source_name(f->source), event = source_event_name(f->source);
		log_warn("messages that cannot be events are dropped", "eventsource", name.p, "event", event.p, "error", r->err.msg, NULL);
		f->refused_told = now;
	}
	answered(f, r->item);
	free(r);
}

void
feed_refuse(struct feed *f, union feed_handle handle, const struct err *e)
{
	struct refusal *r = MEM_NEW(struct refusal);
	*r = (struct refusal){ new_item(f, 0, handle), *e };
	loop_post(f->loop, refused, r);
}

/* ---- the loop: what kinds ask ------------------------------------------------------------------------------------------ */

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
