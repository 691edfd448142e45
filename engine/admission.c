/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admission: which workflows may run, and which wait (settings workflowParallelism, namespaceParallelism, namespaces). One
 * that waits has rows that say so, and once these are on disk it leaves memory: what remains is its entry in the queue. It
 * is read back when its turn comes, or when somebody wants something of it.
 *
 * Whatever the limits, workflows wait as well while the line of steps is long: their steps would only stand in it, and each
 * of them would be in memory for that. So a hundred thousand workflows may be submitted at once.
 *
 * Like a release of a lock, an end and the start that it makes room for are one transaction.
 */
#include "core/log.h"
#include "engine/queue.h"
#include "engine/shell.h"

struct admission {
	struct engine *engine;
	struct queue *queue;
	bool serving;
};

static int64_t
limit_of(void *arg, str ns)
{
	const struct settings *s = arg;
	for (size_t i = 0; i < s->namespaces.n; i++)
		if (str_eq(s->namespaces.p[i].name, ns))
			return s->namespaces.p[i].parallelism;
	return s->namespace_parallelism;
}

static struct queue_entry
entry_of(const struct live *l)
{
	return (struct queue_entry){ run_priority(l->run), l->created, l->id, run_ns(l->run), run_name(l->run) };
}

bool
admission_enter(struct live *l)
{
	struct admission *t = l->engine->admission;
	struct queue_entry e = entry_of(l);
	if (l->admitted)
		return true;
	if (!line_is_long(l->engine) && queue_room(t->queue, e.ns)) {
		queue_enter(t->queue, e.ns);
		l->admitted = true;
		return true;
	}
	queue_add(t->queue, &e);
	l->waits = true;
	return false;
}

void
admission_found(struct live *l)
{
	struct admission *t = l->engine->admission;
	l->waits = queue_has(t->queue, run_ns(l->run), run_name(l->run));
}

void
admission_recover(struct live *l)
{
	queue_enter(l->engine->admission->queue, run_ns(l->run));
	l->admitted = true;
}

void
admission_recover_row(struct engine *g, const struct open_row *row)
{
	queue_add(g->admission->queue, &(struct queue_entry){ row->priority, row->created, row->id, row->ns, row->name });
}

void
admission_leave(struct live *l)
{
	struct admission *t = l->engine->admission;
	if (l->waits)
		(void)queue_del(t->queue, run_ns(l->run), run_name(l->run)); /* it may have been called by now */
	if (l->admitted)
		queue_leave(t->queue, run_ns(l->run));
	l->waits = l->admitted = false;
}

void
admission_forget(struct engine *g, str ns, str name)
{
	(void)queue_del(g->admission->queue, ns, name); /* most were not waiting */
}

/* ---- whose turn it is ------------------------------------------------------------------------------------------- */

struct reading {
	struct engine *engine;
	int64_t id;
	struct archived out;
};

static int
read_row(sqlite3 *db, void *arg, struct err *e)
{
	struct reading *r = arg;
	return archive_load_row(db, r->id, true, &r->engine->world, &r->out, e);
}

static struct live *
call_in(struct engine *g, const struct queue_entry *e)
{
	struct live *l = live_find(g, e->ns, e->name);
	struct reading r = { .engine = g, .id = e->id };
	struct err why;
	if (l)
		return l;
	if (store_read_now(g->store, read_row, &r, &why)) {
		log_error("a workflow that waited cannot be run", "error", why.msg, NULL);
		return NULL;
	}
	return live_read(g, &r.out);
}

void
admission_serve(struct engine *g)
{
	struct admission *t = g->admission;
	struct queue_entry e;
	if (t->serving || g->closing)
		return;
	t->serving = true;
	while (!line_is_long(g) && queue_next(t->queue, &e)) {
		struct live *l = call_in(g, &e);
		struct stimulus s = { .kind = STIM_START, .now = loop_now(g->loop) };
		if (!l) {
			queue_leave(t->queue, e.ns);
			continue;
		}
		l->waits = false;
		l->admitted = true;
		live_advance(l, &s);
	}
	t->serving = false;
}

bool
admission_waits(const struct engine *g, str ns, str name)
{
	return queue_has(g->admission->queue, ns, name);
}

size_t
admission_waiting(const struct engine *g)
{
	return queue_waiting(g->admission->queue);
}

/* ---- life cycle -------------------------------------------------------------------------------------------------- */

struct admission *
admission_new(struct engine *g)
{
	struct admission *t = MEM_NEW(struct admission);
	t->engine = g;
	t->queue = queue_new(g->settings->workflow_parallelism, limit_of, (void *)(uintptr_t)g->settings);
	return t;
}

void
admission_free(struct admission *t)
{
	if (!t)
		return;
	queue_free(t->queue);
	free(t);
}
