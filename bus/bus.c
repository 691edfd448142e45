/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop's side of a log. An event gets its number, joins the queue of those that are not on disk yet, is handed to the
 * subscriptions, and its row is one write job of this turn's transaction. The job keeps a reference, so that the body is never
 * copied; the queue keeps the events until their commit, so that a subscription can be served from memory up to the newest.
 *
 * A subscription is a number, `next`. What is at or below `committed` it reads from the store, a page at a time; what is above
 * comes from the queue. There is no other state: a subscription that has enough to do simply isn't served, falls behind, and
 * reads from the store when it has room again.
 */
#include "bus/bus.h"

#include "bus/rows.h"
#include "core/log.h"

enum {
	PENDING_MAX = 16384,
	PENDING_BYTES_MAX = 64 << 20,
	WINDOW_EVENTS = 1024, /* handed to a subscription and not yet consumed */
	WINDOW_BYTES = 16 << 20,
	PAGE_EVENTS = 256,
	PAGE_BYTES = 4 << 20,
	TRIM_SLICE = 256,     /* events removed in one transaction */
};
#define DEDUP_DEFAULT (24 * 3600 * NS_PER_SEC)
#define TRIM_EVERY (10 * NS_PER_SEC)
#define RETRY_AFTER (1 * NS_PER_SEC)

/* A group's place; outlives its subscription. */
struct cursor {
	struct link link; /* in bus.cursors */
	char *group;
	size_t group_n;
	int64_t seq; /* consumed up to here */
	bool dirty;
	struct subscription *sub; /* NULL: nobody listens */
};

struct flight {
	int64_t seq;
	size_t bytes;
};

struct subscription {
	struct link link; /* in bus.subs */
	struct bus *bus;
	struct cursor *cursor;
	void (*recv)(void *arg, struct event *ev);
	void *arg;
	int64_t next;     /* number of the next event to hand over */
	VEC(struct flight) flights; /* handed over, not consumed: from flights.p[landed] on */
	size_t landed, flight_bytes;
	bool pumping, reading, closed;
	struct timer retry;
};

/* An event on its way to the disk. In the event's arena. */
struct pending {
	struct event *ev; /* one reference */
	struct bus *bus;
	int64_t pos;
	void (*stored)(void *arg, struct event *ev, enum bus_result how);
	void *arg;
};

struct bus {
	struct store *store;
	struct loop *loop;
	struct arena *arena;
	str ns, name;
	int64_t id;
	struct bus_limits lim;
	struct dedup dedup;

	int64_t head, head_pos;  /* the newest event */
	int64_t committed;       /* the newest that is on disk */
	VEC(struct event *) queue; /* committed + 1 .. head, from queue.p[written] on */
	size_t written, pending_bytes;
	bool full;
	void (*changed)(void *arg, bool full);
	void *changed_arg;

	struct link subs, cursors;
	bool cursors_queued, reap_queued, trimming, closed;
	size_t busy; /* jobs and reads that will come back to this struct */
	struct timer trim_timer;
};

static void pump(struct subscription *sub);
static void start_trim(void *arg);

static void
trim_soon(struct bus *b)
{
	if (!b->trim_timer.slot && !b->trimming && !b->closed)
		timer_start(b->loop, &b->trim_timer, loop_now(b->loop) + TRIM_EVERY, start_trim, b);
}

/* ---- life ----------------------------------------------------------------------------------------------------- */

static struct cursor *
add_cursor(struct bus *b, str group, int64_t seq)
{
	struct cursor *c = MEM_NEW(struct cursor);
	c->group = mem_alloc(group.n + 1);
	memcpy(c->group, group.p, group.n);
	c->group_n = group.n;
	c->seq = seq;
	list_add_tail(&b->cursors, &c->link);
	return c;
}

static str
cursor_group(const struct cursor *c)
{
	return (str){ c->group, c->group_n };
}

static struct cursor *
find_cursor(struct bus *b, str group)
{
	LIST_EACH(&b->cursors, struct cursor, link, c)
		if (str_eq(cursor_group(c), group))
			return c;
	return NULL;
}

static void
free_cursor(struct cursor *c)
{
	list_del(&c->link);
	free(c->group);
	free(c);
}

static void
free_bus(struct bus *b)
{
	LIST_EACH(&b->cursors, struct cursor, link, c)
		free_cursor(c);
	timer_stop(&b->trim_timer);
	dedup_free(&b->dedup);
	VEC_FREE(&b->queue);
	arena_free(b->arena);
	free(b);
}

/* A job or read that knew this bus has come back. */
static void
release(struct bus *b)
{
	assert(b->busy > 0);
	if (--b->busy == 0 && b->closed)
		free_bus(b);
}

static void
created(void *arg)
{
	struct rows_open *o = arg;
	arena_free(o->arena);
}

int
bus_open(struct store *s, struct loop *l, str ns, str name, const struct bus_limits *lim, struct bus **out, struct err *e)
{
	struct bus *b = MEM_NEW(struct bus);
	b->store = s;
	b->loop = l;
	b->arena = arena_new();
	b->ns = arena_dup(b->arena, ns);
	b->name = arena_dup(b->arena, name);
	list_init(&b->subs);
	list_init(&b->cursors);
	bus_set_limits(b, lim);
	dedup_init(&b->dedup, b->lim.dedup_ns);
	struct arena *a = arena_new();
	struct rows_open *o = ARENA_NEW(a, struct rows_open);
	*o = (struct rows_open){ .arena = a, .ns = arena_dup(a, ns), .name = arena_dup(a, name), .dedup = &b->dedup,
	                         .dedup_since = loop_now(l) - b->lim.dedup_ns };
	int rc = store_read_now(s, rows_open, o, e);
	b->id = o->id;
	b->head = b->committed = o->head;
	b->head_pos = o->head_pos;
	for (size_t i = 0; i < o->cursors.n; i++)
		(void)add_cursor(b, o->cursors.p[i].group, o->cursors.p[i].seq);
	VEC_FREE(&o->cursors);
	if (rc < 0) {
		(void)err_wrap(e, "event bus %.*s/%.*s", STR_ARG(ns), STR_ARG(name));
		arena_free(a);
		free_bus(b);
		return -1;
	}
	if (o->is_new)
		store_write(s, rows_create, o, created);
	else
		arena_free(a);
	*out = b;
	return 0;
}

void
bus_close(struct bus *b)
{
	if (!b)
		return;
	b->closed = true;
	b->changed = NULL;
	timer_stop(&b->trim_timer);
	b->busy++;
	LIST_EACH(&b->subs, struct subscription, link, sub)
		bus_unsubscribe(sub);
	release(b);
}

void
bus_set_limits(struct bus *b, const struct bus_limits *lim)
{
	b->lim = *lim;
	if (!b->lim.max_pending)
		b->lim.max_pending = PENDING_MAX;
	if (b->lim.dedup_ns <= 0)
		b->lim.dedup_ns = DEDUP_DEFAULT;
	trim_soon(b);
}

int64_t
bus_head(const struct bus *b)
{
	return b->head;
}

/* ---- back-pressure -------------------------------------------------------------------------------------------- */

static void
watch_fill(struct bus *b)
{
	size_t n = b->queue.n - b->written;
	bool full = b->full ? n > b->lim.max_pending / 2 || b->pending_bytes > PENDING_BYTES_MAX / 2
	                    : n >= b->lim.max_pending || b->pending_bytes >= PENDING_BYTES_MAX;
	if (full == b->full)
		return;
	b->full = full;
	if (b->changed)
		b->changed(b->changed_arg, full);
}

bool
bus_is_full(const struct bus *b)
{
	return b->full;
}

void
bus_on_room(struct bus *b, void (*changed)(void *arg, bool full), void *arg)
{
	b->changed = changed;
	b->changed_arg = arg;
}

/* ---- publishing ----------------------------------------------------------------------------------------------- */

/* On the writer's thread: reads what does not change any more once the event is published. */
static int
insert(sqlite3 *db, void *arg, struct err *e)
{
	const struct pending *p = arg;
	return rows_insert(db, p->bus->id, p->pos, p->ev, e);
}

/* The queue's head has been written: moves on, and closes the gap now and then. */
static void
leave_queue(struct bus *b)
{
	struct event *ev = b->queue.p[b->written++];
	b->pending_bytes -= rows_size(ev);
	b->committed = ev->seq;
	if (b->written == b->queue.n) {
		b->written = b->queue.n = 0;
	} else if (b->written >= 1024 && b->written * 2 >= b->queue.n) {
		memmove(b->queue.p, b->queue.p + b->written, (b->queue.n - b->written) * sizeof *b->queue.p);
		b->queue.n -= b->written;
		b->written = 0;
	}
}

static void
inserted(void *arg)
{
	struct pending *p = arg;
	struct bus *b = p->bus;
	struct event *ev = p->ev;
	assert(b->queue.p[b->written] == ev);
	leave_queue(b);
	if (p->stored)
		p->stored(p->arg, ev, BUS_STORED);
	event_unref(ev); /* and with it p */
	watch_fill(b);
	release(b);
}

/* The second delivery of an event waits for the same commit as the first, or for none. */
static void
duplicate_done(void *arg)
{
	struct pending *p = arg;
	struct bus *b = p->bus;
	struct event *ev = p->ev;
	if (p->stored)
		p->stored(p->arg, ev, BUS_DUPLICATE);
	event_unref(ev);
	release(b);
}

static struct pending *
new_pending(struct bus *b, struct event *ev, void (*stored)(void *arg, struct event *ev, enum bus_result how), void *arg)
{
	struct pending *p = ARENA_NEW(ev->arena, struct pending);
	*p = (struct pending){ .ev = event_ref(ev), .bus = b, .stored = stored, .arg = arg };
	b->busy++;
	return p;
}

static bool
seen_before(struct bus *b, struct event *ev)
{
	if (!ev->dedup.p)
		return false;
	const struct dedup_entry *first = dedup_find(&b->dedup, ev->time, ev->source, ev->subject, ev->dedup);
	if (!first) {
		struct dedup_entry entry = { b->head + 1, ev->time, ev->id };
		dedup_add(&b->dedup, ev->source, ev->subject, ev->dedup, &entry);
		return false;
	}
	ev->id = arena_dup(ev->arena, first->id);
	ev->seq = first->seq;
	return true;
}

void
bus_publish(struct bus *b, struct event *ev, void (*stored)(void *arg, struct event *ev, enum bus_result how), void *arg)
{
	struct pending *p = new_pending(b, ev, stored, arg);
	if (seen_before(b, ev)) {
		if (ev->seq > b->committed)
			store_after_commit(b->store, duplicate_done, p);
		else
			loop_defer(b->loop, duplicate_done, p);
		return;
	}
	size_t size = rows_size(ev);
	ev->seq = ++b->head;
	b->head_pos += (int64_t)size;
	p->pos = b->head_pos;
	b->pending_bytes += size;
	*VEC_PUSH(&b->queue) = ev;
	store_write(b->store, insert, p, inserted);
	trim_soon(b);
	watch_fill(b);
	LIST_EACH(&b->subs, struct subscription, link, sub)
		pump(sub);
}

/* ---- subscriptions: handing over ------------------------------------------------------------------------------ */

static bool
has_room(const struct subscription *sub)
{
	return sub->flights.n - sub->landed < WINDOW_EVENTS && sub->flight_bytes < WINDOW_BYTES;
}

static void
hand_over(struct subscription *sub, struct event *ev)
{
	size_t bytes = rows_size(ev);
	*VEC_PUSH(&sub->flights) = (struct flight){ ev->seq, bytes };
	sub->flight_bytes += bytes;
	sub->next = ev->seq + 1;
	sub->recv(sub->arg, ev);
}

struct page_read {
	struct subscription *sub;
	struct rows_page page;
	char ns[];
};

/* On a pool thread. */
static int
read_page(sqlite3 *db, void *arg, struct err *e)
{
	struct page_read *r = arg;
	return rows_read_page(db, &r->page, e);
}

static void
retry_page(void *arg)
{
	pump(arg);
}

static void reap_later(struct bus *b);

static void
page_read(void *arg, const struct err *e)
{
	struct page_read *r = arg;
	struct subscription *sub = r->sub;
	struct bus *b = sub->bus;
	sub->reading = false;
	sub->pumping = true; /* what recv publishes waits until the page is through */
	for (size_t i = 0; i < r->page.events.n; i++) {
		if (!sub->closed)
			hand_over(sub, r->page.events.p[i]);
		event_unref(r->page.events.p[i]);
	}
	sub->pumping = false;
	if (sub->closed) {
		reap_later(b);
	} else if (e) {
		log_error("a sensor's catching up stops for a second", "group", sub->cursor->group, "error", e->msg, NULL);
		timer_start(b->loop, &sub->retry, loop_now(b->loop) + RETRY_AFTER, retry_page, sub);
	} else {
		sub->next = r->page.next;
		pump(sub);
	}
	VEC_FREE(&r->page.events);
	free(r);
	release(b);
}

static size_t
min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void
start_page(struct subscription *sub)
{
	struct bus *b = sub->bus;
	struct page_read *r = mem_alloc(sizeof *r + b->ns.n);
	memcpy(r->ns, b->ns.p, b->ns.n);
	r->sub = sub;
	r->page = (struct rows_page){
		.bus_id = b->id, .from = sub->next, .to = b->committed, .ns = { r->ns, b->ns.n },
		.max_events = min_size(PAGE_EVENTS, WINDOW_EVENTS - (sub->flights.n - sub->landed)),
		.max_bytes = min_size(PAGE_BYTES, WINDOW_BYTES - sub->flight_bytes),
	};
	sub->reading = true;
	b->busy++;
	store_read(b->store, read_page, r, page_read);
}

/* Hands over what the subscription has room for: from memory at once, from the store in a later turn. */
static void
pump(struct subscription *sub)
{
	struct bus *b = sub->bus;
	if (sub->pumping || sub->reading || sub->retry.slot)
		return;
	sub->pumping = true;
	while (!sub->closed && sub->next <= b->head && has_room(sub)) {
		if (sub->next <= b->committed) {
			start_page(sub);
			break;
		}
		hand_over(sub, b->queue.p[b->written + (size_t)(sub->next - b->committed - 1)]);
	}
	sub->pumping = false;
}

static void
pump_later(void *arg)
{
	struct bus *b = arg;
	LIST_EACH(&b->subs, struct subscription, link, sub)
		pump(sub);
	release(b);
}

/* ---- subscriptions: cursors ----------------------------------------------------------------------------------- */

/* The places that moved in a turn, as one job. */
struct cursor_job {
	struct arena *arena;
	struct bus *bus;
	VEC(struct rows_cursor) moved;
};

static int
write_cursors(sqlite3 *db, void *arg, struct err *e)
{
	struct cursor_job *j = arg;
	for (size_t i = 0; i < j->moved.n; i++)
		if (rows_set_cursor(db, j->bus->id, j->moved.p[i].group, j->moved.p[i].seq, e) < 0)
			return -1;
	return 0;
}

static void
wrote_cursors(void *arg)
{
	struct cursor_job *j = arg;
	struct bus *b = j->bus;
	VEC_FREE(&j->moved);
	arena_free(j->arena);
	release(b);
}

static void
queue_cursors(void *arg)
{
	struct bus *b = arg;
	struct arena *a = arena_new();
	struct cursor_job *j = ARENA_NEW(a, struct cursor_job);
	j->arena = a;
	j->bus = b;
	LIST_EACH(&b->cursors, struct cursor, link, c) {
		if (c->dirty)
			*VEC_PUSH(&j->moved) = (struct rows_cursor){ arena_dup(a, cursor_group(c)), c->seq };
		c->dirty = false;
	}
	b->cursors_queued = false;
	store_write(b->store, write_cursors, j, wrote_cursors);
	trim_soon(b); /* what a slow group held back may go now */
}

/* At the end of the turn, and so in its transaction. */
static void
touch_cursor(struct bus *b, struct cursor *c)
{
	c->dirty = true;
	if (b->cursors_queued)
		return;
	b->cursors_queued = true;
	b->busy++;
	loop_defer(b->loop, queue_cursors, b);
}

int
bus_subscribe(struct bus *b, str group, bool from_start, void (*recv)(void *arg, struct event *ev), void *arg,
              struct subscription **out, struct err *e)
{
	struct cursor *c = find_cursor(b, group);
	if (c && c->sub)
		return err_set(e, ERR_EXISTS, "event bus %.*s: group %.*s is subscribed already", STR_ARG(b->name), STR_ARG(group));
	if (!c) {
		c = add_cursor(b, group, from_start ? 0 : b->head);
		touch_cursor(b, c);
	} else if (c->seq > b->head || c->seq < 0) {
		/* Whoever waited there would miss everything up to it. */
		log_error("a sensor's place lies behind the end of the log: it goes on at the end", "group", c->group, NULL);
		c->seq = b->head;
		touch_cursor(b, c);
	}
	struct subscription *sub = MEM_NEW(struct subscription);
	*sub = (struct subscription){ .bus = b, .cursor = c, .recv = recv, .arg = arg, .next = c->seq + 1 };
	c->sub = sub;
	list_add_tail(&b->subs, &sub->link);
	b->busy++;
	loop_defer(b->loop, pump_later, b);
	*out = sub;
	return 0;
}

void
bus_consumed(struct subscription *sub, int64_t seq)
{
	struct bus *b = sub->bus;
	if (seq <= sub->cursor->seq)
		return;
	sub->cursor->seq = seq;
	touch_cursor(b, sub->cursor);
	bool had_room = has_room(sub);
	while (sub->landed < sub->flights.n && sub->flights.p[sub->landed].seq <= seq)
		sub->flight_bytes -= sub->flights.p[sub->landed++].bytes;
	if (sub->landed == sub->flights.n) {
		sub->landed = sub->flights.n = 0;
	} else if (sub->landed >= WINDOW_EVENTS) {
		memmove(sub->flights.p, sub->flights.p + sub->landed, (sub->flights.n - sub->landed) * sizeof *sub->flights.p);
		sub->flights.n -= sub->landed;
		sub->landed = 0;
	}
	if (!had_room && has_room(sub)) {
		b->busy++;
		loop_defer(b->loop, pump_later, b);
	}
}

bool
bus_is_behind(const struct subscription *sub)
{
	return sub->next <= sub->bus->head || sub->landed < sub->flights.n;
}

/* Frees closed subscriptions that no read will come back to. */
static void
reap(void *arg)
{
	struct bus *b = arg;
	b->reap_queued = false;
	LIST_EACH(&b->subs, struct subscription, link, sub) {
		if (!sub->closed || sub->reading)
			continue;
		list_del(&sub->link);
		VEC_FREE(&sub->flights);
		free(sub);
	}
	release(b);
}

static void
reap_later(struct bus *b)
{
	if (b->reap_queued)
		return;
	b->reap_queued = true;
	b->busy++;
	loop_defer(b->loop, reap, b);
}

void
bus_unsubscribe(struct subscription *sub)
{
	if (!sub || sub->closed)
		return;
	sub->closed = true;
	sub->cursor->sub = NULL;
	timer_stop(&sub->retry);
	reap_later(sub->bus);
}

struct forget_job {
	struct bus *bus;
	size_t n;
	char group[];
};

static int
delete_cursor(sqlite3 *db, void *arg, struct err *e)
{
	const struct forget_job *j = arg;
	return rows_delete_cursor(db, j->bus->id, (str){ j->group, j->n }, e);
}

static void
deleted_cursor(void *arg)
{
	struct forget_job *j = arg;
	struct bus *b = j->bus;
	free(j);
	release(b);
}

/* Queued behind the cursors of this turn, which might hold the group's. */
static void
forget_now(void *arg)
{
	struct forget_job *j = arg;
	if (find_cursor(j->bus, (str){ j->group, j->n }))
		deleted_cursor(j); /* it is there again */
	else
		store_write(j->bus->store, delete_cursor, j, deleted_cursor);
}

void
bus_forget(struct bus *b, str group)
{
	struct cursor *c = find_cursor(b, group);
	if (!c)
		return;
	bus_unsubscribe(c->sub);
	free_cursor(c);
	struct forget_job *j = mem_alloc(sizeof *j + group.n);
	j->bus = b;
	j->n = group.n;
	memcpy(j->group, group.p, group.n);
	b->busy++;
	loop_defer(b->loop, forget_now, j);
}

/* ---- retention ------------------------------------------------------------------------------------------------ */

struct trim_job {
	struct bus *bus;
	struct rows_trim trim;
};

static int
trim_rows(sqlite3 *db, void *arg, struct err *e)
{
	struct trim_job *j = arg;
	return rows_trim(db, &j->trim, e);
}

static void
trimmed(void *arg)
{
	struct trim_job *j = arg;
	struct bus *b = j->bus;
	struct rows_trim t = j->trim;
	free(j);
	b->trimming = false;
	if (!b->closed && t.more)
		start_trim(b);
	else if (!b->closed && t.oldest && b->lim.max_age_ns) {
		int64_t due = t.oldest + b->lim.max_age_ns, soon = loop_now(b->loop) + TRIM_EVERY;
		timer_start(b->loop, &b->trim_timer, due > soon ? due : soon, start_trim, b);
	}
	release(b);
}

/* One slice; more of them follow as long as there is something to remove. */
static void
start_trim(void *arg)
{
	struct bus *b = arg;
	const struct bus_limits *lim = &b->lim;
	if (!lim->max_age_ns && !lim->max_events && !lim->max_bytes)
		return;
	int64_t below = b->head;
	LIST_EACH(&b->cursors, struct cursor, link, c)
		if (c->seq + 1 < below)
			below = c->seq + 1;
	struct trim_job *j = MEM_NEW(struct trim_job);
	j->bus = b;
	j->trim = (struct rows_trim){
		.bus_id = b->id, .below = below, .max = TRIM_SLICE,
		.before_time = lim->max_age_ns ? loop_now(b->loop) - lim->max_age_ns : INT64_MIN,
		.keep_seq = lim->max_events ? b->head - lim->max_events + 1 : INT64_MIN,
		.keep_pos = lim->max_bytes ? b->head_pos - lim->max_bytes : INT64_MIN,
		.dedup_since = loop_now(b->loop) - lim->dedup_ns,
	};
	b->trimming = true;
	b->busy++;
	store_write(b->store, trim_rows, j, trimmed);
}
