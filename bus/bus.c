/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop's side of a log. An event gets its number, joins the queue of those that are not on disk yet, is handed to the
 * subscriptions, and its row is one write job of this turn's transaction. The job keeps a reference, so that the body is never
 * copied; the queue keeps the events until their commit, so that a subscription can be served from memory up to the newest.
 *
 * A subscription is a number, `next`. What is at or below `committed` it reads from the store, a page at a time; what is above
 * comes from the queue. A subscription that has enough to do simply isn't served, falls behind, and reads from the store when it
 * has room again.
 *
 * One that is not behind is `live`: its place is the end of the log, wherever that is, and an event that it does not want leaves
 * no trace at it. So an event costs by the subscriptions that want it, and not by those that there are.
 */
#include "bus/bus.h"

#include "bus/impl.h"
#include "core/log.h"

enum {
	PENDING_MAX = 65536,
	PENDING_BYTES_MAX = 64 << 20,
	OWN_ARENA = 4096,     /* the least that an event in an arena of its own takes of memory */
	WINDOW_EVENTS = 1024, /* handed to a subscription and not yet consumed */
	WINDOW_BYTES = 16 << 20,
	PAGE_EVENTS = 256,
	PAGE_BYTES = 4 << 20,
	TRIM_SLICE = 256,     /* events removed in one transaction */
};
#define DEDUP_DEFAULT (24 * 3600 * NS_PER_SEC)
#define TRIM_EVERY (10 * NS_PER_SEC)
#define RETRY_AFTER (1 * NS_PER_SEC)

/* An event on its way to the disk. In the event's arena. */
struct pending {
	struct event *ev; /* one reference */
	struct bus *bus;
	int64_t pos;
	void (*stored)(void *arg, struct event *ev, enum bus_result how);
	void *arg;
};

static void pump(struct subscription *sub);
static void fall_behind(struct subscription *sub, int64_t next);
static void start_trim(void *arg);

void
bus_trim_soon(struct bus *b)
{
	if (!timer_is_armed(&b->trim_timer) && !b->trimming && !b->closed)
		timer_start(b->loop, &b->trim_timer, loop_now(b->loop) + TRIM_EVERY, start_trim, b);
}

/* ---- life ----------------------------------------------------------------------------------------------------- */

static void
free_bus(struct bus *b)
{
	LIST_EACH(&b->cursors, struct cursor, link, c)
		cursor_free(b, c);
	map_free(&b->by_group);
	topics_free(&b->topics);
	VEC_FREE(&b->everything.members);
	VEC_FREE(&b->dirty);
	timer_stop(&b->trim_timer);
	dedup_free(&b->dedup);
	VEC_FREE(&b->queue);
	arena_free(b->arena);
	free(b);
}

/* A job or read that knew this bus has come back. */
void
bus_release(struct bus *b)
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
	list_init(&b->behind);
	list_init(&b->unattended);
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
		cursor_open(b, &o->cursors.p[i]);
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
	bus_release(b);
}

void
bus_set_limits(struct bus *b, const struct bus_limits *lim)
{
	b->lim = *lim;
	if (!b->lim.max_pending)
		b->lim.max_pending = PENDING_MAX;
	if (b->lim.dedup_ns <= 0)
		b->lim.dedup_ns = DEDUP_DEFAULT;
	bus_trim_soon(b);
}

int64_t
bus_head(const struct bus *b)
{
	return b->head;
}

/* ---- back-pressure -------------------------------------------------------------------------------------------- */

/* What it takes of memory while it waits for the disk. */
static size_t
weight(const struct event *ev)
{
	size_t n = rows_size(ev);
	return ev->group || n > OWN_ARENA ? n : OWN_ARENA;
}

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
	b->pending_bytes -= weight(ev);
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
	bus_release(b);
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
	bus_release(b);
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
	struct dedup_entry entry = { b->head + 1, ev->time, ev->id };
	const struct dedup_entry *first = dedup_enter(&b->dedup, ev->time, ev->source, ev->subject, ev->dedup, &entry);
	if (!first)
		return false;
	ev->id = arena_dup(ev->arena, first->id);
	ev->seq = first->seq;
	return true;
}

/* Those of the topic that have nothing before this event come to it now; the others come to it by themselves. */
static void
wake(const struct topic *t, int64_t seq)
{
	for (size_t i = 0; t && i < t->members.n; i++)
		if (t->members.p[i]->live && !t->members.p[i]->closed)
			fall_behind(t->members.p[i], seq);
}

/* What recv publishes may grow the topic, and may have served its members already. */
static void
serve(const struct topic *t)
{
	for (size_t i = 0; t && i < t->members.n; i++)
		pump(t->members.p[i]);
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
	cursors_keep_places(b);
	size_t size = rows_size(ev);
	ev->seq = ++b->head;
	b->head_pos += (int64_t)size;
	p->pos = b->head_pos;
	b->pending_bytes += weight(ev);
	*VEC_PUSH(&b->queue) = ev;
	store_write(b->store, insert, p, inserted);
	bus_trim_soon(b);
	watch_fill(b);
	const struct topic *topic = topics_find(&b->topics, ev->source, ev->subject);
	wake(&b->everything, ev->seq);
	wake(topic, ev->seq);
	serve(&b->everything);
	serve(topic);
}

/* ---- subscriptions: handing over ------------------------------------------------------------------------------ */

static bool
has_room(const struct subscription *sub)
{
	return sub->flights.n - sub->landed < WINDOW_EVENTS && sub->flight_bytes < WINDOW_BYTES;
}

static bool
wants(const struct subscription *sub, const struct event *ev)
{
	bool wanted = sub->topics.n == 0;
	for (size_t i = 0; i < sub->topics.n && !wanted; i++)
		wanted = str_eq(sub->topics.p[i].source, ev->source) && str_eq(sub->topics.p[i].subject, ev->subject);
	return wanted;
}

/* It looks at the events from `next` on, one by one, until it is at the end again. */
static void
fall_behind(struct subscription *sub, int64_t next)
{
	sub->next = next;
	sub->live = false;
	list_add_tail(&sub->bus->behind, &sub->lag);
}

static void
live_if_at_end(struct subscription *sub)
{
	struct bus *b = sub->bus;
	if (sub->live || sub->closed || sub->reading || sub->next <= b->head)
		return;
	sub->live = true;
	list_del(&sub->lag);
	if (!sub->cursor->stored_at_end)
		cursor_touch(b, sub->cursor);
}

static void
hand_over(struct subscription *sub, struct event *ev)
{
	size_t bytes = rows_size(ev);
	if (!in_flight(sub))
		sub->cursor->seq = ev->seq - 1; /* what it passed over until here */
	if (sub->cursor->stored_at_end)
		cursor_touch(sub->bus, sub->cursor); /* unless it is consumed in this turn, the row needs a number */
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
		if (!sub->closed && wants(sub, r->page.events.p[i]))
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
		if (!sub->cursor->stored_at_end)
			cursor_touch(b, sub->cursor); /* it may have passed over all of them */
		pump(sub);
	}
	VEC_FREE(&r->page.events);
	free(r);
	bus_release(b);
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
	if (sub->live || sub->pumping || sub->reading || timer_is_armed(&sub->retry))
		return;
	sub->pumping = true;
	while (!sub->closed && sub->next <= b->head && has_room(sub)) {
		if (sub->next <= b->committed) {
			start_page(sub);
			break;
		}
		struct event *ev = b->queue.p[b->written + (size_t)(sub->next++ - b->committed - 1)];
		if (wants(sub, ev))
			hand_over(sub, ev);
	}
	sub->pumping = false;
	live_if_at_end(sub);
}

static void
pump_behind(void *arg)
{
	struct bus *b = arg;
	b->pump_queued = false;
	LIST_EACH(&b->behind, struct subscription, lag, sub)
		pump(sub);
	bus_release(b);
}

static void
pump_later(struct bus *b)
{
	if (b->pump_queued)
		return;
	b->pump_queued = true;
	b->busy++;
	loop_defer(b->loop, pump_behind, b);
}

/* ---- subscriptions: life ---------------------------------------------------------------------------------------- */

int
bus_subscribe(struct bus *b, str group, bool from_start, void (*recv)(void *arg, struct event *ev), void *arg,
              struct subscription **out, struct err *e)
{
	struct cursor *c = cursor_find(b, group);
	if (c && c->sub)
		return err_set(e, ERR_EXISTS, "event bus %.*s: group %.*s is subscribed already", STR_ARG(b->name), STR_ARG(group));
	if (!c) {
		c = cursor_add(b, group, from_start ? 0 : b->head);
		cursor_touch(b, c);
	} else if (c->seq > b->head || c->seq < 0) {
		/* Whoever waited there would miss everything up to it. */
		log_error("a sensor's place lies behind the end of the log: it goes on at the end", "group", c->group, NULL);
		c->seq = b->head;
		cursor_touch(b, c);
	}
	struct subscription *sub = MEM_NEW(struct subscription);
	*sub = (struct subscription){ .bus = b, .cursor = c, .recv = recv, .arg = arg };
	c->sub = sub;
	list_del(&c->unattended);
	list_add_tail(&b->subs, &sub->link);
	*VEC_PUSH(&b->everything.members) = sub;
	fall_behind(sub, c->seq + 1);
	live_if_at_end(sub);
	pump_later(b);
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
	if (!sub->cursor->stored_at_end)
		cursor_touch(b, sub->cursor);
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
	if (!had_room && has_room(sub))
		pump_later(b);
}

bool
bus_is_behind(const struct subscription *sub)
{
	return !sub->live || in_flight(sub);
}

/* ---- subscriptions: topics ------------------------------------------------------------------------------------- */

static void
leave_topics(struct subscription *sub)
{
	struct bus *b = sub->bus;
	struct topic *all = &b->everything;
	for (size_t i = 0; i < sub->topics.n; i++) {
		topics_remove(&b->topics, &sub->topics.p[i], sub);
		str_disown(sub->topics.p[i].source);
		str_disown(sub->topics.p[i].subject);
	}
	for (size_t i = 0, kept = 0, n = all->members.n; sub->topics.n == 0 && i < n; i++) {
		if (all->members.p[i] == sub)
			all->members.n--;
		else
			all->members.p[kept++] = all->members.p[i];
	}
	VEC_FREE(&sub->topics);
}

void
bus_listen(struct subscription *sub, const struct bus_topic *topics, size_t n)
{
	struct bus *b = sub->bus;
	leave_topics(sub);
	for (size_t i = 0; i < n; i++) {
		*VEC_PUSH(&sub->topics) = (struct bus_topic){ str_own(topics[i].source), str_own(topics[i].subject) };
		topics_add(&b->topics, &sub->topics.p[i], sub);
	}
	if (n == 0)
		*VEC_PUSH(&b->everything.members) = sub;
}

/* ---- subscriptions: the end -------------------------------------------------------------------------------------- */

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
		list_del(&sub->lag);
		leave_topics(sub);
		VEC_FREE(&sub->flights);
		free(sub);
	}
	bus_release(b);
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
	struct cursor *c = sub->cursor;
	c->seq = cursor_place(c);
	if (c->stored_at_end)
		list_add_tail(&sub->bus->unattended, &c->unattended);
	sub->closed = true;
	c->sub = NULL;
	timer_stop(&sub->retry);
	reap_later(sub->bus);
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
	bus_release(b);
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
		if (cursor_place(c) + 1 < below)
			below = cursor_place(c) + 1;
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
