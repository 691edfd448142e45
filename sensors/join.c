/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A waiting event is in two lists: of all events, by arrival, for what time ends; and of its dependency in its room. A room
 * has a list for every dependency that the conditions name. Rooms of the policy key are found by a map; the other policies have one
 * room that is never closed. Nothing depends on when a room was opened, so that a restart changes nothing.
 *
 * Whatever happens costs by the events that it concerns, but for one thing: a tick looks at all that wait, once.
 */
#include "sensors/join.h"

#include "core/map.h"

#define NO_SLOT UINT16_MAX

struct room {
	struct link link; /* in join.rooms */
	str key;          /* its bytes are the room's */
	size_t n;         /* events */
	const struct join *join;
	struct link slots[]; /* by join.slot_of: waiting events, the earliest first */
};

struct waiting {
	struct link all, slot;
	struct room *room;
	struct join_part part;
};

struct join {
	struct join_rules rules;
	uint16_t *slot_of; /* by dependency; NO_SLOT: the conditions do not name it */
	size_t slots_n;
	struct link all;   /* struct waiting, by arrival */
	size_t n, bytes;
	struct link rooms;
	size_t rooms_n;
	struct map by_key;
	struct room *only; /* not of the policy key */
	int64_t tick, next_tick; /* the last one and the one to come, as far as the time went: tick <= now < next_tick */
};

/* ---- rooms ------------------------------------------------------------------------------------------------------ */

static struct room *
open_room(struct join *j, str key)
{
	struct room *r = mem_alloc(sizeof *r + j->slots_n * sizeof *r->slots);
	*r = (struct room){ .join = j, .key = { NULL, key.n } };
	for (size_t i = 0; i < j->slots_n; i++)
		list_init(&r->slots[i]);
	list_add_tail(&j->rooms, &r->link);
	if (j->rules.policy != JOIN_KEY)
		return r;
	char *bytes = mem_alloc(key.n + 1);
	memcpy(bytes, key.p, key.n);
	r->key.p = bytes;
	map_put(&j->by_key, r->key, r);
	j->rooms_n++;
	return r;
}

static void
close_room(struct join *j, struct room *r)
{
	list_del(&r->link);
	if (r->key.p) {
		map_del(&j->by_key, r->key);
		j->rooms_n--;
	}
	str_disown(r->key);
	free(r);
}

static struct room *
find_room(const struct join *j, str key)
{
	return j->only ? j->only : map_get(&j->by_key, key);
}

static struct link *
slot(struct room *r, size_t dep)
{
	return &r->slots[r->join->slot_of[dep]];
}

static bool
in_room(const void *arg, size_t dep)
{
	const struct room *r = arg;
	return !list_empty(&r->slots[r->join->slot_of[dep]]);
}

/* ---- events ----------------------------------------------------------------------------------------------------- */

static void
enter(struct join *j, struct room *r, const struct join_part *part)
{
	struct waiting *w = MEM_NEW(struct waiting);
	w->part = *part;
	w->room = r;
	(void)event_ref(part->ev);
	list_add_tail(&j->all, &w->all);
	list_add_tail(slot(r, part->dep), &w->slot);
	r->n++;
	j->n++;
	j->bytes += part->ev->data.n;
	if (part->ev->time < j->tick)
		j->next_tick = INT64_MIN; /* late: the tick has yet to come to it */
}

/* Out of all lists; its reference is the caller's. An empty room of a key is closed by the caller, who may still need it. */
static struct join_part
leave(struct join *j, struct waiting *w)
{
	struct join_part part = w->part;
	list_del(&w->all);
	list_del(&w->slot);
	w->room->n--;
	j->n--;
	j->bytes -= part.ev->data.n;
	free(w);
	return part;
}

static void
close_if_empty(struct join *j, struct room *r)
{
	if (r != j->only && r->n == 0)
		close_room(j, r);
}

static void
end(struct join *j, struct waiting *w, enum join_end why, int64_t at, join_left_fn *left, void *arg)
{
	struct room *r = w->room;
	struct join_part part = leave(j, w);
	left(arg, &part, why, at);
	event_unref(part.ev);
	close_if_empty(j, r);
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

static void
number_slots(struct join *j)
{
	const struct condition *c = j->rules.cond;
	for (size_t i = 0; i < j->rules.deps_n; i++)
		j->slot_of[i] = NO_SLOT;
	for (size_t i = 0; i < c->n; i++)
		if (j->slot_of[c->tests[i].dep] == NO_SLOT)
			j->slot_of[c->tests[i].dep] = (uint16_t)j->slots_n++;
}

struct join *
join_new(const struct join_rules *r)
{
	struct join *j = MEM_NEW(struct join);
	j->rules = *r;
	if (!j->rules.max)
		j->rules.max = JOIN_MAX_DEFAULT;
	j->slot_of = mem_alloc((r->deps_n + 1) * sizeof *j->slot_of);
	number_slots(j);
	list_init(&j->all);
	list_init(&j->rooms);
	j->tick = j->next_tick = INT64_MIN;
	if (r->policy != JOIN_KEY)
		j->only = open_room(j, S(""));
	return j;
}

void
join_free(struct join *j)
{
	if (!j)
		return;
	LIST_EACH(&j->all, struct waiting, all, w) {
		event_unref(w->part.ev);
		free(w);
	}
	LIST_EACH(&j->rooms, struct room, link, r)
		close_room(j, r);
	map_free(&j->by_key);
	free(j->slot_of);
	free(j);
}

/* ---- time ------------------------------------------------------------------------------------------------------- */

/* The last tick at or before `now` and the first after it, of all resets. */
static void
find_ticks(struct join *j, int64_t now)
{
	j->tick = INT64_MIN;
	j->next_tick = INT64_MAX;
	for (size_t i = 0; i < j->rules.resets_n; i++) {
		const struct join_reset *r = &j->rules.resets[i];
		int64_t last = cron_prev(&r->cron, r->zone, now + 1), next = cron_next(&r->cron, r->zone, now);
		j->tick = last > j->tick ? last : j->tick;
		j->next_tick = next < j->next_tick ? next : j->next_tick;
	}
}

static void
reset(struct join *j, int64_t now, join_left_fn *left, void *arg)
{
	if (now < j->next_tick)
		return;
	find_ticks(j, now);
	LIST_EACH(&j->all, struct waiting, all, w)
		if (w->part.ev->time < j->tick)
			end(j, w, JOIN_RESET, j->tick, left, arg);
}

static int64_t
window_end(const struct join *j, const struct waiting *w)
{
	return w->part.ev->time > INT64_MAX - j->rules.within_ns ? INT64_MAX : w->part.ev->time + j->rules.within_ns;
}

static void
expire(struct join *j, int64_t now, join_left_fn *left, void *arg)
{
	while (j->rules.within_ns && !list_empty(&j->all)) {
		struct waiting *w = LIST_FIRST(&j->all, struct waiting, all);
		if (window_end(j, w) >= now)
			return;
		end(j, w, JOIN_EXPIRED, now, left, arg);
	}
}

void
join_advance(struct join *j, int64_t now, join_left_fn *left, void *arg)
{
	if (j->rules.resets_n)
		reset(j, now, left, arg);
	expire(j, now, left, arg);
}

int64_t
join_due(const struct join *j)
{
	int64_t due = INT64_MAX;
	if (list_empty(&j->all))
		return due;
	if (j->rules.within_ns) {
		due = window_end(j, LIST_FIRST(&j->all, struct waiting, all));
		due += due < INT64_MAX;
	}
	return j->rules.resets_n && j->next_tick < due ? j->next_tick : due;
}

/* ---- taking ----------------------------------------------------------------------------------------------------- */

static struct waiting *
oldest_in(const struct join *j, const struct room *r)
{
	struct waiting *oldest = NULL;
	for (size_t i = 0; i < j->slots_n; i++) {
		struct waiting *w = list_empty(&r->slots[i]) ? NULL : LIST_FIRST(&r->slots[i], struct waiting, slot);
		if (w && (!oldest || w->part.place < oldest->part.place))
			oldest = w;
	}
	return oldest;
}

/* The oldest event gives way; with a key, all of its room: what is left of that would never be complete. */
static void
evict(struct join *j, int64_t now, join_left_fn *left, void *arg)
{
	struct waiting *oldest = LIST_FIRST(&j->all, struct waiting, all);
	if (j->rules.policy == JOIN_FIFO) {
		end(j, oldest, JOIN_EVICTED, now, left, arg);
		return;
	}
	struct room *r = oldest->room;
	for (size_t n = r->n; n > 0; n--) /* with the last one, the room is gone */
		end(j, oldest_in(j, r), JOIN_EVICTED, now, left, arg);
}

static bool
too_much(const struct join *j)
{
	size_t n = j->rules.policy == JOIN_FIFO ? j->n : j->rooms_n;
	return n > j->rules.max || j->bytes > JOIN_BYTES_MAX;
}

/* What waits is bounded; the newest event and its room stay. */
static void
bound(struct join *j, const struct room *newest, int64_t now, join_left_fn *left, void *arg)
{
	while (j->rules.policy != JOIN_LATEST && j->n > 1 && too_much(j)) {
		if (j->rules.policy == JOIN_KEY && LIST_FIRST(&j->all, struct waiting, all)->room == newest)
			return;
		evict(j, now, left, arg);
	}
}

static int
by_place(const void *x, const void *y)
{
	const struct join_part *a = x, *b = y;
	return (a->place > b->place) - (a->place < b->place);
}

/* The first event of every dependency leaves. */
static size_t
take_heads(struct join *j, struct room *r, struct arena *a, struct join_part **out)
{
	struct join_part *parts = ARENA_ARRAY(a, struct join_part, j->slots_n);
	size_t n = 0;
	for (size_t i = 0; i < j->slots_n; i++)
		if (!list_empty(&r->slots[i]))
			parts[n++] = leave(j, LIST_FIRST(&r->slots[i], struct waiting, slot));
	qsort(parts, n, sizeof *parts, by_place);
	*out = parts;
	return n;
}

size_t
join_take(struct join *j, size_t dep, str key, struct event *ev, int64_t place, struct arena *a, struct join_part **out, join_left_fn *left,
          void *arg)
{
	struct room *r = find_room(j, key);
	if (!r)
		r = open_room(j, key);
	struct waiting *old = list_empty(slot(r, dep)) ? NULL : LIST_FIRST(slot(r, dep), struct waiting, slot);
	enter(j, r, &(struct join_part){ ev, dep, place });
	if (old && j->rules.policy != JOIN_FIFO)
		end(j, old, JOIN_SUPERSEDED, ev->time, left, arg);
	if (!condition_holds(j->rules.cond, in_room, r)) {
		bound(j, r, ev->time, left, arg);
		return 0;
	}
	size_t n = take_heads(j, r, a, out);
	close_if_empty(j, r);
	return n;
}

bool
join_restore(struct join *j, size_t dep, str key, struct event *ev, int64_t place)
{
	if (dep >= j->rules.deps_n || j->slot_of[dep] == NO_SLOT)
		return false;
	struct room *r = find_room(j, key);
	if (r && j->rules.policy != JOIN_FIFO && in_room(r, dep))
		return false;
	enter(j, r ? r : open_room(j, key), &(struct join_part){ ev, dep, place });
	return true;
}

/* ---- looking ---------------------------------------------------------------------------------------------------- */

void
join_each(const struct join *j, void (*fn)(void *arg, const struct join_part *part, str key), void *arg)
{
	LIST_EACH(&j->all, struct waiting, all, w)
		fn(arg, &w->part, w->room->key);
}

bool
join_has(const struct join *j, size_t dep, str key)
{
	const struct room *r = find_room(j, key);
	return r && j->slot_of[dep] != NO_SLOT && in_room(r, dep);
}

size_t
join_waiting(const struct join *j)
{
	return j->n;
}

size_t
join_rooms(const struct join *j)
{
	return j->rules.policy == JOIN_KEY ? j->rooms_n : j->n > 0;
}
