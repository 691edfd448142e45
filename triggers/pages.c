/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Firings that are on disk alone, so that what waits for a target that is down, or for its next attempt, takes no memory however much
 * it is. There are two kinds, and both come back in pages:
 *
 * Those of the queue beyond QUEUE_MAX. The queue in memory is its beginning, by seq; what comes later is left on disk, what comes
 * earlier (handed over, taken back from the dead letters) takes its place, and the last goes back to disk instead.
 *
 * Those that failed and wait beside the queue, beyond WAITING_MAX. They are marked in their rows as set aside, and read by when they
 * are due.
 *
 * A page is read on another thread, and rows may be on their way to the disk meanwhile. What is in memory is known by its id until its
 * last row is written, so that no row is taken for a firing that is here already, or has ended.
 */
#include "core/log.h"
#include "triggers/framework.h"

struct page {
	struct trigger *t;
	struct arena *arena;
	struct firing_page p;
	bool aside;
	unsigned spills;
	VEC(struct firing_row) rows;
};

static void
keep_row(void *arg, const struct firing_row *r)
{
	struct page *p = arg;
	struct firing_row *kept = VEC_PUSH(&p->rows);
	*kept = *r;
	kept->reason = arena_dup(p->arena, r->reason);
}

static int
read_page(sqlite3 *db, void *arg, struct err *e)
{
	struct page *p = arg;
	return (p->aside ? firing_rows_aside : firing_rows_queue)(db, &p->p, keep_row, p, e);
}

static struct page *
new_page(struct trigger *t, bool aside)
{
	struct arena *a = arena_new();
	struct page *p = ARENA_NEW(a, struct page);
	*p = (struct page){ .t = t, .arena = a, .aside = aside, .spills = t->beyond.spills };
	p->p = (struct firing_page){ .ns = arena_dup(a, t->def.ns), .sensor = arena_dup(a, t->def.sensor), .trigger = arena_dup(a, t->def.name),
		                     .aside = t->aside.generation };
	return p;
}

/* ---- the queue -------------------------------------------------------------------------------------------------------- */

static void
left_on_disk(struct beyond *b, int64_t seq)
{
	b->n++;
	b->spills++;
	if (seq < b->low)
		b->low = seq;
}

bool
beyond_takes(struct trigger *t, int64_t seq)
{
	struct beyond *b = &t->beyond;
	bool behind = b->n || b->reading;
	if (seq <= b->last)
		return false;
	if (behind || t->queued >= QUEUE_MAX) {
		left_on_disk(b, seq);
		return true;
	}
	b->last = seq;
	return false;
}

void
beyond_push(struct trigger *t)
{
	struct firing *f = CONTAINER_OF(t->queue.prev, struct firing, link);
	t->beyond.last = f->order - 1;
	t->queued--;
	if (f->set_aside) {
		firing_requeue(f); /* its row's mark goes first, or no page would have it */
		return;
	}
	left_on_disk(&t->beyond, f->order);
	firing_free(f);
}

/* What came while it was read and is not in it stays beyond. */
static void
take_queue(struct trigger *t, const struct page *p)
{
	struct beyond *b = &t->beyond;
	size_t i = 0;
	for (; i < p->rows.n && p->rows.p[i].seq < b->low; i++)
		firing_resume(t, &p->rows.p[i]);
	b->n = b->n > i ? b->n - i : 0;
	if (p->rows.n == i && i < QUEUE_LOW && p->spills == b->spills)
		b->n = 0;
	else if (!b->n)
		b->n = 1; /* there may be more: the next page tells */
}

/* ---- beside the queue -------------------------------------------------------------------------------------------------- */

static void
look_again(void *arg)
{
	pages_read(arg);
}

static void
due_at(struct trigger *t, int64_t when)
{
	if (when >= t->aside.due_ns)
		return;
	t->aside.due_ns = when;
	timer_start(t->ts->env->loop, &t->aside.timer, when, look_again, t);
}

/* A page that was read up to f->next_ns may have passed it by. */
bool
aside_takes(struct firing *f)
{
	struct trigger *t = f->t;
	if (f->next_ns <= t->aside.bound_ns)
		return false;
	t->aside.n++;
	due_at(t, f->next_ns);
	firing_free(f);
	return true;
}

static void
take_aside(struct trigger *t, const struct page *p)
{
	struct aside *s = &t->aside;
	for (size_t i = 0; i < p->rows.n; i++) {
		const struct firing_row *r = &p->rows.p[i];
		struct firing *f = firing_of_row(t, r);
		s->after_ns = r->next_ns;
		s->after_seq = r->seq;
		if (!f)
			continue;
		f->next_ns = r->next_ns;
		f->set_aside = true;
		s->n -= s->n > 0;
		turn_add(f);
	}
	due_at(t, p->rows.n == WAITING_PAGE ? p->p.due_ns : p->p.next_ns);
}

/* ---- pages ---------------------------------------------------------------------------------------------------------------- */

/* Of an earlier life of the trigger, if it was retired while it was read: then all was read anew. */
static bool
is_stale(const struct trigger *t, const struct page *p)
{
	return t->retired || p->p.aside != t->aside.generation;
}

static void
page_read(void *arg, const struct err *e)
{
	struct page *p = arg;
	struct trigger *t = p->t;
	*(p->aside ? &t->aside.reading : &t->beyond.reading) = false;
	if (e)
		log_error("pending firings cannot be read", "trigger", t->key.p, "error", e->msg, NULL);
	if (e && p->aside && t->ts)
		due_at(t, loop_now(t->ts->env->loop) + NS_PER_SEC);
	if (t->ts && !e && !is_stale(t, p))
		(p->aside ? take_aside : take_queue)(t, p);
	t->beyond.low = t->beyond.reading ? t->beyond.low : INT64_MAX;
	VEC_FREE(&p->rows);
	arena_free(p->arena);
	if (t->ts && !e)
		turn_pump(t);
	trigger_free_if_idle(t);
}

static void
read_queue(struct trigger *t)
{
	struct page *p = new_page(t, false);
	p->p.after = t->beyond.last;
	p->p.limit = QUEUE_LOW;
	t->beyond.reading = true;
	t->beyond.low = INT64_MAX;
	store_read(t->ts->env->store, read_page, p, page_read);
}

static void
read_aside(struct trigger *t, int64_t now)
{
	struct aside *s = &t->aside;
	struct page *p = new_page(t, true);
	p->p.after_ns = s->after_ns;
	p->p.after = s->after_seq;
	p->p.due_ns = s->bound_ns = now > s->bound_ns ? now : s->bound_ns;
	p->p.limit = WAITING_PAGE;
	s->reading = true;
	s->due_ns = INT64_MAX;
	store_read(t->ts->env->store, read_page, p, page_read);
}

void
pages_read(struct trigger *t)
{
	int64_t now = loop_now(t->ts->env->loop);
	if (t->queued >= QUEUE_LOW)
		return;
	if (t->beyond.n && !t->beyond.reading)
		read_queue(t);
	if (t->aside.n && !t->aside.reading && t->aside.due_ns <= now)
		read_aside(t, now);
}

/* The next life of the trigger begins with other marks; a page of this one is not looked at any more. */
void
pages_forget(struct trigger *t)
{
	timer_stop(&t->aside.timer);
	t->beyond.n = 0;
	t->beyond.last = 0;
	t->aside = (struct aside){ .generation = t->aside.generation, .due_ns = INT64_MAX, .reading = t->aside.reading };
}

bool
pages_busy(const struct trigger *t)
{
	return t->beyond.reading || t->aside.reading;
}
