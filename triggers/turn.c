/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose turn it is. A trigger has a queue of firings that are on disk. `turn_pump` takes from its head while the window has room.
 *
 * A firing that failed and is to be tried again either waits beside the queue, and those behind it go on, or it goes back to its
 * place in the queue and holds it up: of a serial trigger always, so that nothing overtakes it; of others when the target cannot
 * be reached. Then one firing at a time is tried until one gets through: an outage costs one call per pause, however many
 * events wait, and their order is kept.
 *
 * Events of firings far down the queue are not kept in memory; they are read back when their turn comes, exactly as after
 * a restart.
 */
#include "core/log.h"
#include "triggers/framework.h"

enum { RATE_SLACK = 10 /* unused slots of a rate limit that may be made up for at once, as in Argo */ };

/* ---- rateLimit ------------------------------------------------------------------------------------------------------ */

static int64_t
later_of(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* When the next firing may leave: now or before, if it may at once. */
static int64_t
rate_slot(const struct trigger *t, int64_t now)
{
	int64_t every = t->def.rate_every_ns;
	if (!every || !t->rate_next_ns)
		return now;
	int64_t next = t->rate_next_ns < now + every ? t->rate_next_ns : now + every; /* the clock may have been set back */
	return later_of(next, now - RATE_SLACK * every);
}

void
turn_count(struct trigger *t)
{
	if (!t->def.rate_every_ns)
		return;
	t->rate_next_ns = rate_slot(t, loop_now(t->ts->env->loop)) + t->def.rate_every_ns;
	rate_save(t);
}

/* ---- the queue ------------------------------------------------------------------------------------------------------ */

/* Nearly always it is the last, or goes to the very front. */
static struct link *
place_before(struct trigger *t, const struct firing *f)
{
	struct link *first = t->queue.next;
	if (list_empty(&t->queue) || CONTAINER_OF(t->queue.prev, struct firing, link)->order < f->order)
		return &t->queue;
	while (CONTAINER_OF(first, struct firing, link)->order < f->order)
		first = first->next;
	return first;
}

void
turn_add(struct firing *f)
{
	struct trigger *t = f->t;
	list_del(&f->link);
	list_add_tail(place_before(t, f), &f->link);
	if (++t->queued > KEEP_EVENTS && f->stored)
		firing_drop_events(f);
}

/*
 * A new row has a seq above all that there are, though not above all that there were. With some on disk alone it goes behind those; not one
 * that a page has passed by because it was under way here.
 */
void
turn_add_new(struct firing *f)
{
	struct trigger *t = f->t;
	bool behind = t->beyond || t->reading;
	f->fresh = false;
	if (f->order > t->last && (behind || t->queued >= QUEUE_MAX)) {
		t->newest = f->order;
		t->beyond++;
		t->spills++;
		firing_free(f);
		return;
	}
	if (!behind)
		t->last = f->order;
	turn_add(f);
}

void
turn_leave(struct firing *f)
{
	if (f->holds_slot)
		f->t->in_window--;
	f->holds_slot = false;
}

static void
due_beside(void *arg)
{
	struct firing *f = arg;
	turn_add(f);
	turn_pump(f->t);
}

void
turn_wait_beside(struct firing *f)
{
	list_del(&f->link);
	list_add_tail(&f->t->waiting, &f->link);
	timer_start(f->t->ts->env->loop, &f->timer, f->next_ns, due_beside, f);
}

bool
turn_is_open(const struct trigger *t)
{
	int64_t now = loop_now(t->ts->env->loop);
	bool idle = !t->queued && list_empty(&t->unwritten) && (!t->def.serial || (!t->in_window && list_empty(&t->running)));
	return !t->away && idle && rate_slot(t, now) <= now;
}

void
turn_forget(struct trigger *t)
{
	timer_stop(&t->timer);
	while (!list_empty(&t->queue))
		firing_free(LIST_FIRST(&t->queue, struct firing, link));
	while (!list_empty(&t->waiting))
		firing_free(LIST_FIRST(&t->waiting, struct firing, link));
	t->queued = 0;
	t->beyond = 0;
	t->last = 0;
	gather_forget(t);
}

/* ---- reading events back -------------------------------------------------------------------------------------------- */

struct read_back {
	struct firing *f;
	struct arena *arena;
	char id[33];
	str *dependencies;
	struct event **events;
	size_t n;
};

static int
read_events(sqlite3 *db, void *arg, struct err *e)
{
	struct read_back *r = arg;
	return firing_row_events(db, r->id, r->arena, &r->dependencies, &r->events, &r->n, e);
}

static void
events_read(void *arg, const struct err *e)
{
	struct read_back *r = arg;
	struct firing *f = r->f;
	struct trigger *t = f->t;
	f->arena = r->arena;
	f->dependencies = r->dependencies;
	f->events = r->events;
	f->n = r->n;
	free(r);
	if (t->ts && !t->retired && !e && f->n) {
		firing_attempt(f);
		return;
	}
	/* Its row is pending, and is read again when the trigger is next defined; or somebody dropped it while it was a dead letter. */
	if (e)
		log_error("a firing's events cannot be read", "firing", f->id, "error", e->msg, NULL);
	turn_leave(f);
	firing_free(f);
	if (t->ts)
		turn_pump(t);
	trigger_free_if_idle(t);
}

static void
read_back(struct firing *f)
{
	struct read_back *r = MEM_NEW(struct read_back);
	r->f = f;
	r->arena = arena_new();
	memcpy(r->id, f->id, sizeof f->id);
	list_add_tail(&f->t->running, &f->link);
	store_read(f->t->ts->env->store, read_events, r, events_read);
}

/* ---- what is on disk alone --------------------------------------------------------------------------------------------- */

struct page {
	struct trigger *t;
	struct arena *arena;
	str ns, sensor, name;
	int64_t after, until;
	unsigned spills;
	VEC(struct firing_row) rows;
	size_t n;
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
	return firing_rows_pending(db, p->ns, p->sensor, p->name, p->after, p->until, QUEUE_LOW, &p->n, keep_row, p, e);
}

/* What came while it was read and is not in it stays beyond. */
static void
take_page(struct trigger *t, const struct page *p)
{
	for (size_t i = 0; i < p->rows.n; i++)
		firing_resume(t, &p->rows.p[i]);
	t->beyond = t->beyond > p->n ? t->beyond - p->n : 0;
	if (p->n < QUEUE_LOW && p->spills == t->spills)
		t->beyond = 0;
	else if (!t->beyond)
		t->beyond = 1; /* there may be more: the next page tells */
}

static void
page_read(void *arg, const struct err *e)
{
	struct page *p = arg;
	struct trigger *t = p->t;
	t->reading = false;
	if (e)
		log_error("pending firings cannot be read", "trigger", t->key.p, "error", e->msg, NULL);
	if (t->ts && !t->retired && !e)
		take_page(t, p);
	VEC_FREE(&p->rows);
	arena_free(p->arena);
	if (t->ts && !e)
		turn_pump(t);
	trigger_free_if_idle(t);
}

static void
read_on(struct trigger *t)
{
	struct arena *a = arena_new();
	struct page *p = ARENA_NEW(a, struct page);
	*p = (struct page){ .t = t, .arena = a, .ns = arena_dup(a, t->def.ns), .sensor = arena_dup(a, t->def.sensor),
		            .name = arena_dup(a, t->def.name), .after = t->last, .until = t->newest, .spills = t->spills };
	t->reading = true;
	store_read(t->ts->env->store, read_page, p, page_read);
}

/* ---- the window ------------------------------------------------------------------------------------------------------ */

static void
time_came(void *arg)
{
	turn_pump(arg);
}

/*
 * Until when the head of the queue must wait; now or before, if its turn is now. rateLimit counts firings, not attempts. A pause
 * for the sake of the target ends with the first firing that gets through.
 */
static int64_t
head_waits_until(const struct trigger *t, const struct firing *head, int64_t now)
{
	if (!head->attempt)
		return rate_slot(t, now);
	return t->away || t->def.serial ? head->next_ns : now;
}

void
turn_pump_soon(struct trigger *t)
{
	timer_start(t->ts->env->loop, &t->timer, 0, time_came, t);
}

static bool
has_room(const struct trigger *t)
{
	return t->in_window < (t->def.serial || t->away ? 1u : FIRING_WINDOW);
}

static void
begin(struct firing *f)
{
	struct trigger *t = f->t;
	list_del(&f->link);
	t->queued--;
	t->in_window++;
	f->holds_slot = true;
	if (!f->attempt)
		turn_count(t);
	if (f->n)
		firing_attempt(f);
	else
		read_back(f);
}

void
turn_pump(struct trigger *t)
{
	if (t->pumping) /* a kind that ends its attempt at once comes back here */
		return;
	t->pumping = true;
	while (t->ts && !t->retired && !list_empty(&t->queue) && has_room(t)) {
		struct firing *head = LIST_FIRST(&t->queue, struct firing, link);
		int64_t now = loop_now(t->ts->env->loop), until = head_waits_until(t, head, now);
		if (until > now) {
			timer_start(t->ts->env->loop, &t->timer, until, time_came, t);
			break;
		}
		begin(head);
	}
	t->pumping = false;
	if (t->ts && !t->retired && t->beyond && !t->reading && t->queued < QUEUE_LOW)
		read_on(t);
}
