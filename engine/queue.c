/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue: each namespace has a line of its own, ordered by rank; those that have both somebody waiting and room are in a
 * line of lines, ordered by their first.
 */
#include "engine/queue.h"

#include "core/heap.h"
#include "core/map.h"

struct space {
	str ns;
	int64_t limit;
	size_t running;
	struct heap waiting; /* of struct item */
	struct heap_node ready;
};
struct item {
	struct heap_node place;
	struct queue_entry e;
	str key;
	struct space *space;
};
struct queue {
	int64_t all;
	int64_t (*of_ns)(void *arg, str ns);
	void *arg;
	size_t running;
	struct map spaces, items; /* ns -> struct space; "ns/name" -> struct item */
	struct heap ready;        /* of struct space */
	struct item *last;        /* what queue_next gave last */
};

#define ITEM_OF(node) CONTAINER_OF(node, struct item, place)
#define SPACE_OF(node) CONTAINER_OF(node, struct space, ready)

static bool
ranks_before(struct heap_node *x, struct heap_node *y)
{
	const struct queue_entry *a = &ITEM_OF(x)->e, *b = &ITEM_OF(y)->e;
	if (a->priority != b->priority)
		return a->priority > b->priority;
	return a->created != b->created ? a->created < b->created : a->id < b->id;
}

static bool
first_ranks_before(struct heap_node *x, struct heap_node *y)
{
	return ranks_before(heap_top(&SPACE_OF(x)->waiting), heap_top(&SPACE_OF(y)->waiting));
}

/* "ns/name" with its terminator, and the two within it. */
static str
key_of(str ns, str name)
{
	struct buf b = { 0 };
	buf_add(&b, ns);
	buf_addc(&b, '/');
	buf_add(&b, name);
	return buf_str(&b); /* the buffer's memory is the key's */
}

static struct space *
space_of(struct queue *q, str ns)
{
	struct space *s = map_get(&q->spaces, ns);
	if (s)
		return s;
	s = MEM_NEW(struct space);
	struct buf b = { 0 };
	buf_add(&b, ns);
	buf_addc(&b, '\0');
	s->ns = (str){ b.p, ns.n };
	s->limit = q->of_ns ? q->of_ns(q->arg, ns) : 0;
	s->waiting.before = ranks_before;
	map_put(&q->spaces, s->ns, s);
	return s;
}

static bool
has_room(const struct space *s)
{
	return s->limit <= 0 || (int64_t)s->running < s->limit;
}

/* Around a change of its first or of its room: out of the line of lines, and in again if it belongs there. */
static void
take_out(struct queue *q, struct space *s)
{
	heap_del(&q->ready, &s->ready);
}

static void
put_in(struct queue *q, struct space *s)
{
	if (heap_top(&s->waiting) && has_room(s))
		heap_add(&q->ready, &s->ready);
}

static bool
all_full(const struct queue *q)
{
	return q->all > 0 && (int64_t)q->running >= q->all;
}

bool
queue_room(struct queue *q, str ns)
{
	struct space *s = space_of(q, ns);
	return !all_full(q) && has_room(s) && !heap_top(&s->waiting);
}

static void
count(struct queue *q, struct space *s, bool one_more)
{
	take_out(q, s);
	s->running += one_more ? 1 : SIZE_MAX; /* minus one */
	q->running += one_more ? 1 : SIZE_MAX;
	put_in(q, s);
}

void
queue_enter(struct queue *q, str ns)
{
	count(q, space_of(q, ns), true);
}

void
queue_leave(struct queue *q, str ns)
{
	struct space *s = space_of(q, ns);
	if (s->running)
		count(q, s, false);
}

void
queue_add(struct queue *q, const struct queue_entry *e)
{
	if (queue_has(q, e->ns, e->name))
		return;
	struct item *i = MEM_NEW(struct item);
	i->key = key_of(e->ns, e->name);
	i->e = *e;
	i->e.ns = str_slice(i->key, 0, e->ns.n);
	i->e.name = str_slice(i->key, e->ns.n + 1, i->key.n);
	i->space = space_of(q, e->ns);
	map_put(&q->items, i->key, i);
	take_out(q, i->space);
	heap_add(&i->space->waiting, &i->place);
	put_in(q, i->space);
}

static struct item *
find(const struct queue *q, str ns, str name)
{
	str key = key_of(ns, name);
	struct item *i = map_get(&q->items, key);
	str_disown(key);
	return i;
}

bool
queue_has(const struct queue *q, str ns, str name)
{
	return find(q, ns, name) != NULL;
}

static void
item_free(struct item *i)
{
	if (i)
		str_disown(i->key);
	free(i);
}

static void
remove_item(struct queue *q, struct item *i)
{
	take_out(q, i->space);
	heap_del(&i->space->waiting, &i->place);
	put_in(q, i->space);
	map_del(&q->items, i->key);
}

bool
queue_del(struct queue *q, str ns, str name)
{
	struct item *i = find(q, ns, name);
	if (!i)
		return false;
	remove_item(q, i);
	item_free(i);
	return true;
}

bool
queue_next(struct queue *q, struct queue_entry *out)
{
	struct heap_node *top = heap_top(&q->ready);
	if (!top || all_full(q))
		return false;
	struct space *s = SPACE_OF(top);
	struct item *i = ITEM_OF(heap_top(&s->waiting));
	remove_item(q, i);
	count(q, s, true);
	item_free(q->last);
	q->last = i;
	*out = i->e;
	return true;
}

size_t
queue_waiting(const struct queue *q)
{
	return q->items.n;
}

struct queue *
queue_new(int64_t all, int64_t (*of_ns)(void *arg, str ns), void *arg)
{
	struct queue *q = MEM_NEW(struct queue);
	q->all = all;
	q->of_ns = of_ns;
	q->arg = arg;
	q->ready.before = first_ranks_before;
	return q;
}

void
queue_free(struct queue *q)
{
	struct map_slot *slot;
	if (!q)
		return;
	for (size_t i = 0; (slot = map_next(&q->items, &i));)
		item_free(slot->value);
	for (size_t i = 0; (slot = map_next(&q->spaces, &i));) {
		struct space *s = slot->value;
		heap_free(&s->waiting);
		str_disown(s->ns);
		free(s);
	}
	map_free(&q->items);
	map_free(&q->spaces);
	heap_free(&q->ready);
	item_free(q->last);
	free(q);
}
