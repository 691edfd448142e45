/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop gathers a turn's jobs in batches. A turn is passed on in parts, so that an idle writer runs the first jobs while the loop decides
 * the rest: its first job if the writer has nothing to do, then every PART_JOBS. The writer commits only when it has all of the turn.
 * (Measured with 64 connections: a fifth more requests a second.)
 */
#include "core/metrics.h"
#include "core/store_impl.h"

#define PART_JOBS 24          /* so many jobs are passed on before their turn ends */

static struct batch *
this_turn(struct store *s)
{
	if (!s->turn) {
		s->turn = s->spare ? s->spare : MEM_NEW(struct batch);
		s->spare = s->turn->next;
		s->turn->next = NULL;
		s->turn->commit_ns = 0;
	}
	return s->turn;
}

/* Passes on what this turn has written so far. `ends`: and that was all of it. */
static void
pass_on(struct store *s, bool ends)
{
	pthread_mutex_lock(&s->lock);
	if (s->turn)
		batches_add(&s->parts, s->turn);
	if (ends && s->parts.first)
		batches_add(&s->queue, batches_take(&s->parts));
	s->turns_ended += ends;
	bool wake = s->waiting;
	pthread_mutex_unlock(&s->lock);
	/* After the unlock, or it would wake only to wait for the lock. */
	if (wake)
		pthread_cond_signal(&s->work);
	s->turn = NULL;
	s->turn_passed = !ends;
}

void
store_write(struct store *s, store_fn *fn, void *arg, void (*done)(void *arg))
{
	struct batch *b = this_turn(s);
	*VEC_PUSH(&b->jobs) = (struct job){ .fn = fn, .arg = arg, .done = done };
	s->pending++;
	s->jobs++;
	/* In memory readers share the writer's connection: a transaction must not be open while the loop is in its turn. */
	if (s->path && (b->jobs.n >= PART_JOBS || (!s->turn_passed && s->waiting)))
		pass_on(s, false);
}

void
store_after_commit(struct store *s, void (*done)(void *arg), void *arg)
{
	store_write(s, NULL, arg, done);
}

void
store_end_turn(void *arg)
{
	struct store *s = arg;
	if (s->turn || s->turn_passed)
		pass_on(s, true);
}

void
turns_rest(struct store *s)
{
	for (struct batch *b = s->spare, *next; b; b = next) {
		next = b->next;
		VEC_FREE(&b->jobs);
		free(b);
	}
	s->spare = NULL;
}

/* Runs the `done`s of what is on disk, in order. */
static void
deliver(struct store *s)
{
	assert(!s->delivering); /* store_flush from within a done */
	s->delivering = true;
	pthread_mutex_lock(&s->lock);
	struct batch *b = batches_take(&s->finished);
	pthread_mutex_unlock(&s->lock);
	while (b) {
		struct batch *next = b->next;
		if (b->commit_ns) {
			s->commits++;
			s->commit_ns = b->commit_ns;
			metric_observe(METRIC_STORE_COMMIT, (double)b->commit_ns / 1e9, NULL);
		}
		for (size_t i = 0; i < b->jobs.n; i++) {
			struct job *j = &b->jobs.p[i];
			s->pending--;
			if (j->done)
				j->done(j->arg);
		}
		b->jobs.n = 0;
		b->next = s->spare;
		s->spare = b;
		b = next;
	}
	s->delivering = false;
}

void
store_on_finished(uv_async_t *a)
{
	deliver(a->data);
}

void
store_flush(struct store *s)
{
	store_end_turn(s);
	pthread_mutex_lock(&s->lock);
	while (s->queue.first || s->committing)
		pthread_cond_wait(&s->idle, &s->lock);
	pthread_mutex_unlock(&s->lock);
	deliver(s);
}

size_t
store_pending(const struct store *s)
{
	return s->pending;
}

size_t
store_reading(const struct store *s)
{
	return s->reads;
}

uint64_t
store_jobs(const struct store *s)
{
	return s->jobs;
}

uint64_t
store_commits(const struct store *s)
{
	return s->commits;
}

int64_t
store_commit_ns(const struct store *s)
{
	return s->commit_ns;
}
