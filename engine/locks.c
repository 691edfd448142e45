/* SPDX-License-Identifier: Apache-2.0 */
/*
 * locks: a claim is one holder's wish, with a place (slot) at each of its locks: in the queue while it waits, in the
 * list of holders when it was let in. A lock lives as long as somebody has a place at it.
 */
#include "engine/locks.h"

#include "core/heap.h"
#include "core/map.h"
#include "core/val.h"

enum { HOLDERS_SHOWN = 20 }; /* to who waits */

struct slot {
	struct heap_node queued;
	struct link holding;
	struct claim *claim;
	struct lock *lock;
};
struct claim {
	str holder;
	struct lock_rank rank;
	bool held;
	bool news; /* is in locks->news */
	struct link granted;
	size_t n;
	struct slot *slots;
};
struct lock {
	struct lock_id id;
	str key, text;
	int64_t limit; /* 0: cannot be known now */
	size_t held;
	struct heap queue;
	struct link holders;
	struct link look; /* its first in line is to be looked at */
	bool looked_for;
};
struct locks {
	locks_limit *limit;
	void *arg;
	struct map locks, claims; /* key -> struct lock; holder -> struct claim */
	void (*taken)(const struct lock_id *id); /* may be NULL */
	struct link news, look;
	bool closed;
	str last; /* what locks_granted gave last */
};

#define SLOT_OF(node) CONTAINER_OF(node, struct slot, queued)

/* ---- names ------------------------------------------------------------------------------------------------------ */

str
lock_text(struct arena *a, const struct lock_id *id)
{
	switch (id->kind) {
	case LOCK_MUTEX:
		return arena_fmt(a, "%.*s/Mutex/%.*s", STR_ARG(id->ns), STR_ARG(id->name));
	case LOCK_SEMAPHORE:
		return arena_fmt(
			a, "%.*s/ConfigMap/%.*s/%.*s", STR_ARG(id->ns), STR_ARG(id->name), STR_ARG(id->key));
	default:
		return arena_fmt(a, "%.*s/Database/%.*s", STR_ARG(id->ns), STR_ARG(id->name));
	}
}

/* What a lock is found by: in the database a mutex and a semaphore of one name are two locks. */
static str
key_of(struct arena *a, const struct lock_id *id)
{
	return arena_fmt(a, "%d %.*s", (int)id->kind, STR_ARG(lock_text(a, id)));
}

/* ---- locks ------------------------------------------------------------------------------------------------------ */

static bool
comes_before(struct heap_node *x, struct heap_node *y)
{
	const struct lock_rank *a = &SLOT_OF(x)->claim->rank, *b = &SLOT_OF(y)->claim->rank;
	if (a->priority != b->priority)
		return a->priority > b->priority;
	if (a->created != b->created)
		return a->created < b->created;
	return a->workflow != b->workflow ? a->workflow < b->workflow : a->order < b->order;
}

static int
read_limit(const struct locks *t, const struct lock_id *id, int64_t *limit, struct err *e)
{
	*limit = 1;
	if (!lock_is_semaphore(id))
		return 0;
	if (t->limit(t->arg, id, limit, e) == 0 && *limit > 0)
		return 0;
	*limit = 0;
	return -1;
}

static struct lock *
lock_new(struct locks *t, const struct lock_id *id, str key, str text, int64_t limit)
{
	struct lock *l = MEM_NEW(struct lock);
	l->id = (struct lock_id){ id->kind, str_own(id->ns), str_own(id->name), str_own(id->key) };
	l->key = str_own(key);
	l->text = str_own(text);
	l->limit = limit;
	l->queue.before = comes_before;
	list_init(&l->holders);
	map_put(&t->locks, l->key, l);
	return l;
}

static void
lock_free(struct locks *t, struct lock *l)
{
	if (l->looked_for)
		list_del(&l->look);
	map_del(&t->locks, l->key);
	heap_free(&l->queue);
	str_disown(l->id.ns);
	str_disown(l->id.name);
	str_disown(l->id.key);
	str_disown(l->key);
	str_disown(l->text);
	free(l);
}

static void
drop_if_unused(struct locks *t, struct lock *l)
{
	if (!l->held && !heap_top(&l->queue))
		lock_free(t, l);
}

/* The first in line of `l` may have a chance now. */
static void
look_at(struct locks *t, struct lock *l)
{
	if (l->looked_for)
		return;
	l->looked_for = true;
	list_add_tail(&t->look, &l->look);
}

/* ---- claims ----------------------------------------------------------------------------------------------------- */

static struct claim *
claim_new(struct locks *t, str holder, const struct lock_rank *rank, size_t n)
{
	struct claim *c = MEM_NEW(struct claim);
	c->holder = str_own(holder);
	if (rank)
		c->rank = *rank;
	c->n = n;
	c->slots = mem_realloc(NULL, n ? n : 1, sizeof *c->slots);
	memset(c->slots, 0, n * sizeof *c->slots);
	map_put(&t->claims, c->holder, c);
	return c;
}

static void
claim_free(struct locks *t, struct claim *c)
{
	if (c->news)
		list_del(&c->granted);
	map_del(&t->claims, c->holder);
	str_disown(c->holder);
	free(c->slots);
	free(c);
}

static void
hold(struct slot *s)
{
	heap_del(&s->lock->queue, &s->queued);
	list_add_tail(&s->lock->holders, &s->holding);
	s->lock->held++;
}

static bool
may_have(const struct claim *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct lock *l = c->slots[i].lock;
		if ((int64_t)l->held >= l->limit || heap_top(&l->queue) != &c->slots[i].queued)
			return false;
	}
	return true;
}

static void
let_in(struct locks *t, struct claim *c)
{
	c->held = true;
	for (size_t i = 0; i < c->n; i++) {
		hold(&c->slots[i]);
		if (t->taken)
			t->taken(&c->slots[i].lock->id);
		look_at(t, c->slots[i].lock); /* there may be room for the next */
	}
}

/* Lets in whoever came to the front with room before it, until nobody is left. */
static void
let_all_in(struct locks *t)
{
	while (!t->closed && !list_empty(&t->look)) {
		struct lock *l = LIST_FIRST(&t->look, struct lock, look);
		list_del(&l->look);
		l->looked_for = false;
		struct heap_node *first = heap_top(&l->queue);
		if (!first || !may_have(SLOT_OF(first)->claim))
			continue;
		struct claim *c = SLOT_OF(first)->claim;
		let_in(t, c);
		c->news = true;
		list_add_tail(&t->news, &c->granted);
	}
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

static void
say_waiting(const struct claim *c, struct arena *a, struct locks_wait *w)
{
	const struct lock *l = c->slots[0].lock;
	for (size_t i = 0; i < c->n; i++) {
		l = c->slots[i].lock;
		if ((int64_t)l->held >= l->limit || heap_top(&l->queue) != &c->slots[i].queued)
			break;
	}
	long long held = (long long)l->held, limit = l->limit;
	w->lock = arena_dup(a, l->text);
	if (!limit)
		w->message = arena_fmt(a, "Failed to get semaphore limit for %.*s", STR_ARG(l->text));
	else if (l->id.kind == LOCK_DATABASE_MUTEX || l->id.kind == LOCK_DATABASE_SEMAPHORE)
		w->message = arena_fmt(a, "Waiting for %.*s lock (%s/%.*s/%.*s). Lock status: %lld/%lld",
			STR_ARG(l->text), l->id.kind == LOCK_DATABASE_MUTEX ? "mtx" : "sem", STR_ARG(l->id.ns),
			STR_ARG(l->id.name), held, limit);
	else
		w->message = arena_fmt(a, "Waiting for %.*s lock. Lock status: %lld/%lld", STR_ARG(l->text),
			limit - held, limit);
}

/* Before anything is changed: whether all of them can be. */
static int
check_all(const struct locks *t, const struct lock_id *ids, size_t n, struct arena *a, struct err *e)
{
	struct map seen = { 0 };
	bool twice = false;
	for (size_t i = 0; i < n; i++)
		twice |= map_put(&seen, key_of(a, &ids[i]), &seen) != NULL;
	map_free(&seen);
	if (twice)
		return err_set(e, ERR_INVALID,
			"requested configuration is invalid: Duplicate synchronization item found");
	for (size_t i = 0; i < n; i++) {
		int64_t limit;
		struct err why = { 0 };
		if (map_get(&t->locks, key_of(a, &ids[i])) || read_limit(t, &ids[i], &limit, &why) == 0)
			continue;
		return err_set(e, why.code ? why.code : ERR_INVALID,
			"failed to initialize semaphore %.*s with limit%s%s", STR_ARG(lock_text(a, &ids[i])),
			why.msg[0] ? ": " : "", why.msg);
	}
	return 0;
}

static void
take_places(struct locks *t, struct claim *c, const struct lock_id *ids, struct arena *a)
{
	for (size_t i = 0; i < c->n; i++) {
		str key = key_of(a, &ids[i]);
		struct slot *s = &c->slots[i];
		struct err ignored;
		int64_t limit;
		s->claim = c;
		s->lock = map_get(&t->locks, key);
		if (s->lock)
			continue;
		(void)read_limit(t, &ids[i], &limit, &ignored); /* zero: nobody more gets in until it is known */
		s->lock = lock_new(t, &ids[i], key, lock_text(a, &ids[i]), limit);
	}
}

int
locks_ask(struct locks *t, str holder, const struct lock_rank *rank, const struct lock_id *ids, size_t n,
	struct arena *a, struct locks_wait *w, struct err *e)
{
	struct claim *c = map_get(&t->claims, holder);
	if (!c) {
		if (check_all(t, ids, n, a, e))
			return -1;
		c = claim_new(t, holder, rank, n);
		take_places(t, c, ids, a);
		for (size_t i = 0; i < n; i++)
			heap_add(&c->slots[i].lock->queue, &c->slots[i].queued);
		if (!t->closed && may_have(c))
			let_in(t, c);
		let_all_in(t);
	}
	if (c->held)
		return 1;
	say_waiting(c, a, w);
	return 0;
}

void
locks_hold(struct locks *t, str holder, const struct lock_id *ids, size_t n)
{
	if (map_get(&t->claims, holder))
		return;
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct claim *c = claim_new(t, holder, NULL, n);
	take_places(t, c, ids, a);
	c->held = true;
	for (size_t i = 0; i < n; i++)
		hold(&c->slots[i]);
}

bool
locks_release(struct locks *t, str holder)
{
	struct claim *c = map_get(&t->claims, holder);
	if (!c)
		return false;
	for (size_t i = 0; i < c->n; i++) {
		struct slot *s = &c->slots[i];
		if (c->held) {
			list_del(&s->holding);
			s->lock->held--;
		} else {
			heap_del(&s->lock->queue, &s->queued);
		}
		look_at(t, s->lock);
	}
	let_all_in(t);
	for (size_t i = 0; i < c->n; i++)
		drop_if_unused(t, c->slots[i].lock);
	claim_free(t, c);
	return true;
}

void
locks_refresh(struct locks *t)
{
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&t->locks, &i));) {
		struct lock *l = slot->value;
		struct err ignored;
		(void)read_limit(t, &l->id, &l->limit, &ignored); /* zero if it is gone: those who wait go on waiting */
		look_at(t, l);
	}
	let_all_in(t);
}

bool
locks_closed(const struct locks *t)
{
	return t->closed;
}

void
locks_close(struct locks *t)
{
	t->closed = true;
}

void
locks_open(struct locks *t)
{
	struct map_slot *slot;
	t->closed = false;
	for (size_t i = 0; (slot = map_next(&t->locks, &i));)
		look_at(t, slot->value);
	let_all_in(t);
}

str
locks_granted(struct locks *t)
{
	str_disown(t->last);
	t->last = STR_NONE;
	if (list_empty(&t->news))
		return STR_NONE;
	struct claim *c = LIST_FIRST(&t->news, struct claim, granted);
	list_del(&c->granted);
	c->news = false;
	t->last = str_own(c->holder);
	return t->last;
}

/* ---- looking ----------------------------------------------------------------------------------------------------- */

size_t
locks_holders(const struct locks *t, const struct lock_id *id, size_t max, struct arena *a, str **out)
{
	const struct lock *l = map_get(&t->locks, key_of(a, id));
	size_t n = 0, all = l ? l->held : 0;
	max = all < max ? all : max;
	*out = ARENA_ARRAY(a, str, max);
	for (struct link *at = l ? l->holders.next : NULL; n < max; at = at->next)
		(*out)[n++] = arena_dup(a, CONTAINER_OF(at, struct slot, holding)->claim->holder);
	return n;
}

const struct val *
locks_shown(const struct locks *t, const struct lock_id *ids, size_t n, struct arena *a)
{
	struct val_list all = { 0 };
	for (size_t i = 0; i < n; i++) {
		struct val_list list = { 0 };
		str *holders;
		size_t found = locks_holders(t, &ids[i], HOLDERS_SHOWN, a, &holders);
		for (size_t k = 0; k < found; k++)
			val_list_add(&list, val_str(holders[k]));
		val_list_add(&all, val_list_end(&list, a));
	}
	struct val *out = ARENA_NEW(a, struct val);
	*out = val_list_end(&all, a);
	return out;
}

int
locks_look(struct locks *t, str holder, struct arena *a, struct locks_wait *w, const struct val **holders)
{
	struct claim *c = map_get(&t->claims, holder);
	if (!c)
		return -1;
	if (c->held) {
		if (c->news)
			list_del(&c->granted);
		c->news = false;
		return 1;
	}
	struct lock_id *ids = ARENA_ARRAY(a, struct lock_id, c->n);
	for (size_t i = 0; i < c->n; i++)
		ids[i] = c->slots[i].lock->id;
	say_waiting(c, a, w);
	*holders = locks_shown(t, ids, c->n, a);
	return 0;
}

void
locks_each(const struct locks *t, void (*fn)(void *arg, const struct lock_id *id, size_t held, size_t waiting), void *arg)
{
	const struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&t->locks, &i));) {
		const struct lock *l = slot->value;
		fn(arg, &l->id, l->held, l->queue.v.n);
	}
}

void
locks_on_taken(struct locks *t, void (*fn)(const struct lock_id *id))
{
	t->taken = fn;
}

size_t
locks_claims(const struct locks *t)
{
	return t->claims.n;
}

/* ---- life cycle -------------------------------------------------------------------------------------------------- */

struct locks *
locks_new(locks_limit *limit, void *arg)
{
	struct locks *t = MEM_NEW(struct locks);
	t->limit = limit;
	t->arg = arg;
	list_init(&t->news);
	list_init(&t->look);
	return t;
}

void
locks_free(struct locks *t)
{
	struct map_slot *slot;
	if (!t)
		return;
	for (size_t i = 0; (slot = map_next(&t->claims, &i));)
		claim_free(t, slot->value);
	for (size_t i = 0; (slot = map_next(&t->locks, &i));)
		lock_free(t, slot->value);
	map_free(&t->claims);
	map_free(&t->locks);
	str_disown(t->last);
	free(t);
}
