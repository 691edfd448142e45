/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A turn: due timers, one pass of libuv (which waits), the deferred calls, the store's hook, the calls after it. Calls from other threads
 * arrive in an inbox behind a lock that is only ever held for a few instructions; a uv_async wakes the loop for it.
 *
 * Our timers are points of wall-clock time in a binary heap. One timerfd on the wall clock stands for the first of them:
 * unlike uv_timer, which counts monotonic milliseconds, it also fires when somebody sets the clock, so that a calendar
 * never sleeps through a change.
 */
#include "core/loop.h"

#include <errno.h>
#include <signal.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"

/* A deferred call may defer again. Past so many rounds others are served, and the transaction stays open: half of it must not be committed. */
#define DEFER_ROUNDS 16

struct call {
	void (*fn)(void *arg);
	void *arg;
};
typedef VEC(struct call) calls;

struct loop {
	uv_loop_t uv;
	uv_async_t wake;
	uv_prepare_t before_poll;
	uv_timer_t patience; /* bounds the wait of loop_turn */
	uv_poll_t clock;     /* on clock_fd: the first timer is due, or the clock was set */
	int clock_fd;
	int64_t clock_armed; /* what clock_fd is set to; 0: disarmed */

	uint64_t turns;
	int64_t now;
	bool now_known; /* `now` was read in this turn */
	bool test_clock;
	bool stop;

	uv_mutex_t lock;
	calls inbox; /* guarded by lock */
	calls taken; /* the inbox being worked off; swapped with it, so that neither allocates in steady state */
	calls deferred, deferred_taken;
	calls after, after_taken; /* the turn */
	struct heap timers;
	uint64_t timers_started;
	void (*turn_end)(void *arg);
	void *turn_end_arg;
};

/* ---- clock -------------------------------------------------------------------------------------------------- */

int64_t
loop_now(const struct loop *l)
{
	if (!l->now_known) {
		struct loop *m = (struct loop *)(uintptr_t)l; /* only fills its cache */
		m->now = clock_wall_ns();
		m->now_known = true;
	}
	return l->now;
}

void
loop_set_clock(struct loop *l, int64_t ns)
{
	l->test_clock = l->now_known = true;
	l->now = ns;
}

static void
forget_now(struct loop *l)
{
	l->now_known = l->test_clock;
}

/* ---- timers ------------------------------------------------------------------------------------------------- */

#define TIMER_OF(n) CONTAINER_OF(n, struct timer, place)

static bool
is_sooner(struct heap_node *x, struct heap_node *y)
{
	const struct timer *a = TIMER_OF(x), *b = TIMER_OF(y);
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

/* NULL: none is armed. */
static struct timer *
first_timer(const struct loop *l)
{
	struct heap_node *n = heap_top(&l->timers);
	return n ? TIMER_OF(n) : NULL;
}

void
timer_stop(struct timer *t)
{
	if (timer_is_armed(t))
		heap_del(&t->loop->timers, &t->place);
}

void
timer_start(struct loop *l, struct timer *t, int64_t at_ns, void (*fn)(void *arg), void *arg)
{
	timer_stop(t);
	*t = (struct timer){ .loop = l, .at_ns = at_ns, .order = ++l->timers_started, .fn = fn, .arg = arg };
	heap_add(&l->timers, &t->place);
}

int64_t
loop_next_timer(const struct loop *l)
{
	const struct timer *t = first_timer(l);
	return t ? t->at_ns : INT64_MAX;
}

static bool
timer_is_due(const struct loop *l)
{
	const struct timer *t = first_timer(l);
	return t && t->at_ns <= loop_now(l);
}

/* Fires what is due, in order; a timer that starts itself again for now waits for the next turn. */
static size_t
run_timers(struct loop *l)
{
	size_t fired = 0;
	uint64_t before = l->timers_started;
	for (struct timer *t; timer_is_due(l) && (t = first_timer(l))->order <= before;) {
		timer_stop(t);
		t->fn(t->arg);
		fired++;
	}
	return fired;
}

static void
arm_clock(struct loop *l)
{
	/* 1 ns past the epoch for what is older: 0 would disarm it. */
	const struct timer *t = l->test_clock ? NULL : first_timer(l);
	int64_t at = !t ? 0 : t->at_ns > 0 ? t->at_ns : 1;
	if (at == l->clock_armed)
		return;
	struct itimerspec when = { .it_value = { at / NS_PER_SEC, at % NS_PER_SEC } };
	timerfd_settime(l->clock_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when, NULL);
	l->clock_armed = at;
}

static void
on_clock(uv_poll_t *p, int status UNUSED, int events UNUSED)
{
	struct loop *l = p->data;
	uint64_t expirations;
	/* ECANCELED means that the clock was set: what is due then is due now. */
	(void)!read(l->clock_fd, &expirations, sizeof expirations);
	l->clock_armed = 0;
	run_timers(l);
}

/* ---- calls -------------------------------------------------------------------------------------------------- */

static void
run_calls(calls *c)
{
	for (size_t i = 0; i < c->n; i++)
		c->p[i].fn(c->p[i].arg);
	c->n = 0;
}

static void
swap_calls(calls *a, calls *b)
{
	calls t = *a;
	*a = *b;
	*b = t;
}

void
loop_post(struct loop *l, void (*fn)(void *arg), void *arg)
{
	uv_mutex_lock(&l->lock);
	*VEC_PUSH(&l->inbox) = (struct call){ fn, arg };
	bool first = l->inbox.n == 1;
	uv_mutex_unlock(&l->lock);
	if (first)
		uv_async_send(&l->wake);
}

static void
on_wake(uv_async_t *a)
{
	struct loop *l = a->data;
	uv_mutex_lock(&l->lock);
	swap_calls(&l->inbox, &l->taken);
	uv_mutex_unlock(&l->lock);
	run_calls(&l->taken);
}

void
loop_defer(struct loop *l, void (*fn)(void *arg), void *arg)
{
	*VEC_PUSH(&l->deferred) = (struct call){ fn, arg };
}

/* False: there is more to come. */
static bool
run_deferred(struct loop *l)
{
	for (int round = 0; l->deferred.n && round < DEFER_ROUNDS; round++) {
		swap_calls(&l->deferred, &l->deferred_taken);
		run_calls(&l->deferred_taken);
	}
	return l->deferred.n == 0;
}

void
loop_after_turn(struct loop *l, void (*fn)(void *arg), void *arg)
{
	*VEC_PUSH(&l->after) = (struct call){ fn, arg };
}

/* What was decided, with what the deferred calls add to it, is one transaction. False: it is not whole yet. */
static bool
hand_over(struct loop *l)
{
	if (!run_deferred(l))
		return false;
	if (l->turn_end)
		l->turn_end(l->turn_end_arg);
	return true;
}

static void
end_turn(struct loop *l)
{
	if (!hand_over(l) || !l->after.n)
		return;
	swap_calls(&l->after, &l->after_taken);
	run_calls(&l->after_taken);
	(void)hand_over(l);
}

void
loop_on_turn_end(struct loop *l, void (*fn)(void *arg), void *arg)
{
	assert(!fn || !l->turn_end);
	l->turn_end = fn;
	l->turn_end_arg = arg;
}

struct work {
	uv_work_t req;
	void (*work)(void *arg), (*done)(void *arg);
	void *arg;
};

static void
on_work(uv_work_t *req)
{
	struct work *w = req->data;
	w->work(w->arg);
}

static void
on_worked(uv_work_t *req, int status UNUSED)
{
	struct work *w = req->data;
	void (*done)(void *) = w->done;
	void *arg = w->arg;
	free(w);
	done(arg);
}

void
loop_work(struct loop *l, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
	struct work *w = MEM_NEW(struct work);
	*w = (struct work){ .req.data = w, .work = work, .done = done, .arg = arg };
	uv_queue_work(&l->uv, &w->req, on_work, on_worked);
}

/*
 * The wait is over after this: whoever asks for the time next shall get what it is then. What libuv's own timers did just before (they are the
 * HTTP client's) may have started a timer of ours, or deferred a call: then the clock is set for it, or the wait is none.
 */
static void
on_before_poll(uv_prepare_t *p)
{
	struct loop *l = p->data;
	arm_clock(l);
	if (l->deferred.n || l->after.n)
		uv_async_send(&l->wake);
	forget_now(l);
}

/* ---- turns -------------------------------------------------------------------------------------------------- */

static void
on_patience(uv_timer_t *t UNUSED)
{
	/* Waking was all. */
}

void
loop_turn(struct loop *l, int wait_ms)
{
	l->turns++;
	forget_now(l);
	bool busy = run_timers(l) || timer_is_due(l) || l->deferred.n || l->after.n;
	if (busy || wait_ms == 0) {
		uv_run(&l->uv, UV_RUN_NOWAIT);
	} else {
		if (wait_ms > 0) {
			uv_update_time(&l->uv);
			/* Repeating: uv_run fires what is due before it waits, and this may be due by then. */
			uv_timer_start(&l->patience, on_patience, (uint64_t)wait_ms, (uint64_t)wait_ms);
		}
		uv_run(&l->uv, UV_RUN_ONCE);
		uv_timer_stop(&l->patience);
	}
	end_turn(l);
}

uint64_t
loop_turns(const struct loop *l)
{
	return l->turns;
}

void
loop_run(struct loop *l)
{
	for (l->stop = false; !l->stop;)
		loop_turn(l, -1);
}

void
loop_stop(struct loop *l)
{
	l->stop = true;
}

uv_loop_t *
loop_uv(struct loop *l)
{
	return &l->uv;
}

/* ---- life --------------------------------------------------------------------------------------------------- */

/* Only lack of memory or descriptors makes these fail, and there is no going on without a loop. */
static void
must(int rc, const char *what)
{
	if (rc == 0)
		return;
	fprintf(stderr, "tidegate: event loop: %s: %s\n", what, uv_strerror(rc));
	exit(err_exit_code(ERR_IO));
}

struct loop *
loop_new(void)
{
	struct loop *l = MEM_NEW(struct loop);
	l->timers.before = is_sooner;
	signal(SIGPIPE, SIG_IGN);
	must(uv_loop_init(&l->uv), "init");
	must(uv_mutex_init(&l->lock), "lock");
	must(uv_async_init(&l->uv, &l->wake, on_wake), "async");
	must(uv_prepare_init(&l->uv, &l->before_poll), "prepare");
	must(uv_timer_init(&l->uv, &l->patience), "timer");
	l->clock_fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	must(l->clock_fd < 0 ? uv_translate_sys_error(errno) : 0, "timerfd");
	must(uv_poll_init(&l->uv, &l->clock, l->clock_fd), "poll");
	l->wake.data = l->before_poll.data = l->clock.data = l;
	must(uv_prepare_start(&l->before_poll, on_before_poll), "prepare");
	must(uv_poll_start(&l->clock, UV_READABLE, on_clock), "poll");
	return l;
}

static void
close_handle(uv_handle_t *h, void *arg UNUSED)
{
	if (!uv_is_closing(h))
		uv_close(h, NULL);
}

void
loop_free(struct loop *l)
{
	if (!l)
		return;
	uv_walk(&l->uv, close_handle, NULL);
	while (uv_run(&l->uv, UV_RUN_DEFAULT) != 0)
		continue;
	(void)run_deferred(l); /* some only let go of what they hold */
	run_calls(&l->after); /* likewise */
	int rc = uv_loop_close(&l->uv);
	assert(rc == 0);
	(void)rc;
	close(l->clock_fd);
	uv_mutex_destroy(&l->lock);
	VEC_FREE(&l->inbox);
	VEC_FREE(&l->taken);
	VEC_FREE(&l->deferred);
	VEC_FREE(&l->deferred_taken);
	VEC_FREE(&l->after);
	VEC_FREE(&l->after_taken);
	heap_free(&l->timers);
	free(l);
}
