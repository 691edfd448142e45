/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/stored.h"

#include "bus/bus.h"

enum { PAGE_EVENTS = 500 };

struct page {
	struct bus_query query;
	struct arena *arena;
	struct event **events;
	size_t n;
};

static int
read_page(sqlite3 *db, void *arg, struct err *e)
{
	struct page *p = arg;
	return bus_read(db, &p->query, &p->events, &p->n, p->arena, e);
}

/* True: there may be more. Times hardly go back, so a page that begins behind `until` is the last. */
static bool
pass_on(struct page *p, int64_t until, void (*fn)(void *arg, struct event *ev), void *arg)
{
	bool more = p->n == PAGE_EVENTS && p->events[0]->time <= until;
	for (size_t i = 0; i < p->n; i++) {
		p->query.after_seq = p->events[i]->seq;
		if (p->events[i]->time <= until)
			fn(arg, p->events[i]);
		event_unref(p->events[i]);
	}
	arena_reset(p->arena);
	return more;
}

int
stored_events(str state, str ns, str bus, int64_t since, int64_t until, void (*fn)(void *arg, struct event *ev), void *arg, struct err *e)
{
	struct page p = { .query = { .ns = ns, .bus = bus, .since_ns = since, .limit = PAGE_EVENTS }, .arena = arena_new() };
	int rc;
	do
		rc = store_look(state, read_page, &p, e);
	while (rc == 0 && pass_on(&p, until, fn, arg));
	arena_free(p.arena);
	return rc;
}

struct lookup {
	struct arena *arena;
	str ns, id, bus;
	struct event *ev;
};

static int
find_event(sqlite3 *db, void *arg, struct err *e)
{
	struct lookup *l = arg;
	return bus_find(db, l->ns, l->id, l->arena, &l->ev, &l->bus, e);
}

int
stored_event(str state, str ns, str id, struct event **out, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct lookup l = { .arena = a, .ns = ns, .id = id };
	if (store_look(state, find_event, &l, e) < 0)
		return -1;
	*out = l.ev;
	return l.ev ? 0 : err_set(e, ERR_NOT_FOUND, "there is no event %.*s in namespace %.*s", STR_ARG(id), STR_ARG(ns));
}
