/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop: the one thread that owns all state, over libuv. A turn is one pass of the loop: everything that became ready is
 * handled, deferred calls run, and then what the turn decided to write goes to the store as one transaction.
 *
 * The clock is read once a turn; tests set it.
 */
#ifndef TIDEGATE_CORE_LOOP_H
#define TIDEGATE_CORE_LOOP_H

#include <uv.h>

#include "core/heap.h"

struct loop;

/* A new loop. The calling thread becomes its thread. Ignores SIGPIPE. */
struct loop *loop_new(void);
/* Closes what is left and frees; calls deferred still run, calls posted are dropped. NULL is fine. */
void loop_free(struct loop *l);
/* How many turns there were: to know one from the next. */
uint64_t loop_turns(const struct loop *l);
/* Runs turns until loop_stop. */
void loop_run(struct loop *l);
/* One turn; waits for something to happen at most `wait_ms` (-1: for ever, 0: not at all). For tests and `run`. */
void loop_turn(struct loop *l, int wait_ms);
/* Ends loop_run after this turn. Loop thread only. */
void loop_stop(struct loop *l);
/* For handles of libuv's own: uv_poll, uv_process, ... Close them before loop_free. */
uv_loop_t *loop_uv(struct loop *l);

/* Wall clock of this turn, nanoseconds since the epoch: read once, when first asked for after the wait. */
int64_t loop_now(const struct loop *l);
/* Puts the clock under the test's control: loop_now returns `ns`, and timers due at or before it fire in the next turn. */
void loop_set_clock(struct loop *l, int64_t ns);

/* Runs `fn` on the loop's thread in its next turn. Any thread; the only way across. Order per thread is kept. */
void loop_post(struct loop *l, void (*fn)(void *arg), void *arg);
/* Runs `fn` at the end of this turn, after everything that was ready and before the turn's transaction is handed over. */
void loop_defer(struct loop *l, void (*fn)(void *arg), void *arg);
/*
 * Runs `fn` once this turn's transaction was handed over, so that the disk works meanwhile; what it writes goes with a transaction of its own,
 * and so does what it defers.
 */
void loop_after_turn(struct loop *l, void (*fn)(void *arg), void *arg);
/* Runs `work` on a pool thread, then `done` on the loop. */
void loop_work(struct loop *l, void (*work)(void *arg), void (*done)(void *arg), void *arg);

/* A timer at a point of wall-clock time: follows clock changes. Zero-initialise; the owner keeps it alive while armed. */
struct timer {
	struct loop *loop;
	int64_t at_ns;
	uint64_t order; /* of timers with the same time, the one started first fires first */
	struct heap_node place; /* among the loop's */
	void (*fn)(void *arg);
	void *arg;
};
/* Arms (or re-arms) it: fn(arg) runs once, in the first turn whose clock is at or past `at_ns`. */
void timer_start(struct loop *l, struct timer *t, int64_t at_ns, void (*fn)(void *arg), void *arg);
/* Disarms it; fine if it isn't armed. */
void timer_stop(struct timer *t);
static inline bool
timer_is_armed(const struct timer *t)
{
	return t->place.at != 0;
}
/* When the first of the timers is due; INT64_MAX: none is armed. For who sets the clock. */
int64_t loop_next_timer(const struct loop *l);

/*
 * What the store hooks into: called at the end of every turn, and after loop_after_turn's calls, when no deferred call is left. One hook.
 */
void loop_on_turn_end(struct loop *l, void (*fn)(void *arg), void *arg);

#endif
