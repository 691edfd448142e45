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
 * a restart. Beyond that the firings themselves are on disk alone (pages.c).
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

int64_t
turn_rate_slot(const struct trigger *t, int64_t now)
{
	return rate_slot(t, now);
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
	if (beyond_takes(t, f->order)) {
		firing_free(f);
		return;
	}
	list_del(&f->link);
	list_add_tail(place_before(t, f), &f->link);
	if (++t->queued > KEEP_EVENTS)
		firing_drop_events(f);
	if (t->queued > QUEUE_MAX)
		beyond_push(t);
}

void
turn_leave(struct firing *f)
{
	if (f->holds_slot)
		f->t->in_window--;
	f->holds_slot = false;
}

/* ---- behind a row ------------------------------------------------------------------------------------------------- */

/* Its trigger is gone meanwhile: the row says what to do when it is there again. */
static bool
is_orphan(struct firing *f)
{
	struct trigger *t = f->t;
	if (t->ts && !t->retired)
		return false;
	firing_free(f);
	trigger_free_if_idle(t);
	return true;
}

void
turn_enter(struct firing *f)
{
	struct trigger *t = f->t;
	if (is_orphan(f))
		return;
	turn_add(f);
	turn_pump(t);
}

static void
due_beside(void *arg)
{
	struct firing *f = arg;
	f->t->waits--;
	turn_enter(f);
}

static void
wait_beside(struct firing *f)
{
	struct trigger *t = f->t;
	list_del(&f->link);
	list_add_tail(&t->waiting, &f->link);
	if (++t->waits > KEEP_EVENTS)
		firing_drop_events(f);
	timer_start(t->ts->env->loop, &f->timer, f->next_ns, due_beside, f);
}

void
turn_plan_retry(struct firing *f, bool holds_up)
{
	struct trigger *t = f->t;
	f->holds_up = holds_up;
	f->set_aside = !holds_up && t->waits >= WAITING_MAX;
	if (f->set_aside && f->next_ns <= t->aside.bound_ns)
		f->next_ns = t->aside.bound_ns + 1;
}

void
turn_return(struct firing *f)
{
	struct trigger *t = f->t;
	turn_leave(f);
	if (is_orphan(f))
		return;
	if (f->holds_up)
		turn_add(f);
	else if (!f->set_aside || !aside_takes(f))
		wait_beside(f);
	turn_pump(t);
}

void
turn_end(struct firing *f)
{
	struct trigger *t = f->t;
	bool was_full = t->ends-- == ENDED_MAX;
	firing_free(f);
	if (was_full && t->ts)
		turn_pump(t);
	trigger_free_if_idle(t);
}

/* ---- who may begin, who is forgotten --------------------------------------------------------------------------------- */

bool
turn_is_open(const struct trigger *t)
{
	int64_t now = loop_now(t->ts->env->loop);
	bool idle = !t->queued && !t->beyond.n && list_empty(&t->unwritten) && (!t->def.serial || (!t->in_window && list_empty(&t->running)));
	return !t->away && idle && t->beside < BESIDE_MAX && rate_slot(t, now) <= now;
}

void
turn_forget(struct trigger *t)
{
	timer_stop(&t->timer);
	while (!list_empty(&t->queue))
		firing_free(LIST_FIRST(&t->queue, struct firing, link));
	while (!list_empty(&t->waiting))
		firing_free(LIST_FIRST(&t->waiting, struct firing, link));
	t->queued = t->waits = 0;
	pages_forget(t);
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
	return t->in_window < (t->def.serial || t->away ? 1u : FIRING_WINDOW) && t->ends < ENDED_MAX;
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
	if (t->ts && !t->retired)
		pages_read(t);
}
