/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cursors: the places of groups. A row says ROWS_AT_END while its group keeps up, and a number from the end of a turn on in which it
 * did not. What a turn may have changed is looked at once, at its end.
 */
#include "bus/impl.h"

struct cursor *
cursor_add(struct bus *b, str group, int64_t seq)
{
	struct cursor *c = MEM_NEW(struct cursor);
	c->group = mem_alloc(group.n + 1);
	memcpy(c->group, group.p, group.n);
	c->group_n = group.n;
	c->seq = seq;
	list_add_tail(&b->cursors, &c->link);
	map_put(&b->by_group, (str){ c->group, c->group_n }, c);
	return c;
}

static str
cursor_group(const struct cursor *c)
{
	return (str){ c->group, c->group_n };
}

struct cursor *
cursor_find(struct bus *b, str group)
{
	return map_get(&b->by_group, group);
}

static void
forget_dirty(struct bus *b, const struct cursor *c)
{
	for (size_t i = 0; c->dirty && i < b->dirty.n; i++)
		if (b->dirty.p[i] == c)
			b->dirty.p[i] = NULL;
}

void
cursor_free(struct bus *b, struct cursor *c)
{
	forget_dirty(b, c);
	list_del(&c->link);
	list_del(&c->unattended);
	map_del(&b->by_group, cursor_group(c));
	free(c->group);
	free(c);
}

void
cursor_open(struct bus *b, const struct rows_cursor *row)
{
	bool at_end = row->seq == ROWS_AT_END;
	struct cursor *c = cursor_add(b, row->group, at_end ? b->head : row->seq);
	c->stored_at_end = at_end;
	if (at_end)
		list_add_tail(&b->unattended, &c->unattended);
}

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
	bus_release(b);
}

int64_t
cursor_place(const struct cursor *c)
{
	const struct subscription *sub = c->sub;
	if (!sub || in_flight(sub))
		return c->seq;
	return sub->live ? sub->bus->head : sub->next - 1;
}

static struct cursor_job *
new_cursor_job(struct bus *b)
{
	struct arena *a = arena_new();
	struct cursor_job *j = ARENA_NEW(a, struct cursor_job);
	j->arena = a;
	j->bus = b;
	b->busy++;
	return j;
}

/* Into the job, which is made with the first that has something to write. */
static void
note_move(struct bus *b, struct cursor *c, struct cursor_job **j)
{
	bool at_end = c->sub && c->sub->live && !in_flight(c->sub);
	c->dirty = false;
	if (at_end && c->stored_at_end)
		return;
	if (!*j)
		*j = new_cursor_job(b);
	*VEC_PUSH(&(*j)->moved) = (struct rows_cursor){ arena_dup((*j)->arena, cursor_group(c)), at_end ? ROWS_AT_END : cursor_place(c) };
	c->stored_at_end = at_end;
	list_del(&c->unattended);
}

static void
queue_cursors(void *arg)
{
	struct bus *b = arg;
	struct cursor_job *j = NULL;
	for (size_t i = 0; i < b->dirty.n; i++)
		if (b->dirty.p[i])
			note_move(b, b->dirty.p[i], &j);
	b->dirty.n = 0;
	b->cursors_queued = false;
	if (j)
		store_write(b->store, write_cursors, j, wrote_cursors);
	bus_trim_soon(b); /* what a slow group held back may go now */
	bus_release(b);
}

void
cursor_touch(struct bus *b, struct cursor *c)
{
	if (c->dirty)
		return;
	c->dirty = true;
	*VEC_PUSH(&b->dirty) = c;
	if (b->cursors_queued)
		return;
	b->cursors_queued = true;
	b->busy++;
	loop_defer(b->loop, queue_cursors, b);
}

void
cursors_keep_places(struct bus *b)
{
	LIST_EACH(&b->unattended, struct cursor, unattended, c) {
		list_del(&c->unattended);
		cursor_touch(b, c);
	}
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
	bus_release(b);
}

/* Queued behind the cursors of this turn, which might hold the group's. */
static void
forget_now(void *arg)
{
	struct forget_job *j = arg;
	if (cursor_find(j->bus, (str){ j->group, j->n }))
		deleted_cursor(j); /* it is there again */
	else
		store_write(j->bus->store, delete_cursor, j, deleted_cursor);
}

void
bus_forget(struct bus *b, str group)
{
	struct cursor *c = cursor_find(b, group);
	if (!c)
		return;
	bus_unsubscribe(c->sub);
	cursor_free(b, c);
	struct forget_job *j = mem_alloc(sizeof *j + group.n);
	j->bus = b;
	j->n = group.n;
	memcpy(j->group, group.p, group.n);
	b->busy++;
	loop_defer(b->loop, forget_now, j);
}
