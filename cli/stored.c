/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/stored.h"

#include "bus/bus.h"

enum { PAGE_EVENTS = 64 }; /* a statement reads so many: short, and their memory is used again */

struct pages {
	struct bus_query query;
	int64_t until;
	void (*fn)(void *arg, struct event *ev);
	void *arg;
};

/* True: there may be more. Times hardly go back, so a page that begins behind `until` is the last. */
static bool
pass_on(struct pages *p, struct event *const *events, size_t n)
{
	bool more = n == PAGE_EVENTS && events[0]->time <= p->until;
	for (size_t i = 0; i < n; i++) {
		p->query.after_seq = events[i]->seq;
		if (events[i]->time <= p->until)
			p->fn(p->arg, events[i]);
		event_unref(events[i]);
	}
	return more;
}

static int
read_pages(sqlite3 *db, void *arg, struct err *e)
{
	struct pages *p = arg;
	struct arena *a = arena_new();
	struct event **events;
	size_t n;
	int rc;
	do {
		arena_reset(a);
		rc = bus_read(db, &p->query, &events, &n, a, e);
	} while (rc == 0 && pass_on(p, events, n));
	arena_free(a);
	return rc;
}

int
stored_events(str state, str ns, str bus, int64_t since, int64_t until, void (*fn)(void *arg, struct event *ev), void *arg, struct err *e)
{
	struct pages p = { { .ns = ns, .bus = bus, .since_ns = since, .limit = PAGE_EVENTS }, until, fn, arg };
	return store_look(state, read_pages, &p, e);
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
