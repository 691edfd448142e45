/* SPDX-License-Identifier: Apache-2.0 */
/* Reads: each on a connection of its own, which is kept for the next; of a store in memory on the only one there is. */
#include <unistd.h>

#include "core/store_impl.h"

static struct conn *
take_reader(struct store *s, struct err *e)
{
	pthread_mutex_lock(&s->lock);
	struct conn *c = s->readers;
	if (c)
		s->readers = c->next;
	pthread_mutex_unlock(&s->lock);
	if (c)
		return c;
	c = MEM_NEW(struct conn);
	if (conn_open(c, s->path, SQLITE_OPEN_READONLY, NULL, e) == 0)
		return c;
	free(c);
	return NULL;
}

static void
give_reader(struct store *s, struct conn *c)
{
	pthread_mutex_lock(&s->lock);
	c->next = s->readers;
	s->readers = c;
	pthread_mutex_unlock(&s->lock);
}

void
store_rest(struct store *s)
{
	turns_rest(s);
	pthread_mutex_lock(&s->lock);
	struct conn *c = s->readers, *next;
	s->readers = NULL;
	pthread_mutex_unlock(&s->lock);
	for (bool kept = false; c; c = next, kept = true) {
		next = c->next;
		if (!kept) {
			conn_rest(c);
			give_reader(s, c);
			continue;
		}
		conn_close(c);
		free(c);
	}
}

static int
read_file(struct store *s, store_fn *fn, void *arg, struct err *e)
{
	struct conn *c = take_reader(s, e);
	if (!c)
		return -1;
	int rc = conn_run(c, fn, arg, e);
	conn_reset(c);
	give_reader(s, c);
	return rc;
}

static int
read_memory(struct store *s, store_fn *fn, void *arg, struct err *e)
{
	pthread_mutex_lock(&s->memory);
	int rc = conn_run(&s->writer, fn, arg, e);
	conn_reset(&s->writer);
	pthread_mutex_unlock(&s->memory);
	return rc;
}

int
store_read_now(struct store *s, store_fn *fn, void *arg, struct err *e)
{
	return s->path ? read_file(s, fn, arg, e) : read_memory(s, fn, arg, e);
}

int
store_look(str dir, store_fn *fn, void *arg, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const char *path = arena_fmt(a, "%.*s/tidegate.db", STR_ARG(dir)).p;
	struct conn c;
	if (access(path, R_OK) != 0)
		return err_errno(e, "%s", path);
	if (conn_open(&c, path, SQLITE_OPEN_READONLY, NULL, e) < 0)
		return -1;
	int rc = conn_run(&c, fn, arg, e);
	conn_close(&c);
	return rc;
}

struct reading {
	struct store *store;
	store_fn *fn;
	void *arg;
	void (*done)(void *arg, const struct err *e);
	bool failed;
	struct err err;
};

static void
read_work(void *arg)
{
	struct reading *r = arg;
	r->failed = store_read_now(r->store, r->fn, r->arg, &r->err) != 0;
}

static void
read_done(void *arg)
{
	struct reading *r = arg;
	r->store->reads--;
	r->done(r->arg, r->failed ? &r->err : NULL);
	free(r);
}

void
store_read(struct store *s, store_fn *fn, void *arg, void (*done)(void *arg, const struct err *e))
{
	struct reading *r = MEM_NEW(struct reading);
	*r = (struct reading){ .store = s, .fn = fn, .arg = arg, .done = done };
	s->reads++;
	loop_work(s->loop, read_work, read_done, r);
}
