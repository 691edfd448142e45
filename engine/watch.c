/* SPDX-License-Identifier: Apache-2.0 */
/* watch: who wants to be told of the changes of workflows. */
#include "engine/shell.h"

struct watch {
	struct link link;
	struct arena *arena; /* it lies in it */
	str ns, name;        /* absent: any */
	void (*changed)(void *arg, str ns, str name, bool finished, bool deleted);
	void *arg;
};

void
live_tell(struct engine *g, str ns, str name, bool finished, bool deleted)
{
	LIST_EACH (&g->watches, struct watch, link, w)
		if ((!w->ns.p || str_eq(w->ns, ns)) && (!w->name.p || str_eq(w->name, name)))
			w->changed(w->arg, ns, name, finished, deleted);
}

struct watch *
engine_watch(struct engine *g, str ns, str name, void (*changed)(void *arg, str ns, str name, bool finished, bool deleted), void *arg)
{
	struct arena *a = arena_new();
	struct watch *w = ARENA_NEW(a, struct watch);
	*w = (struct watch){ .arena = a, .ns = arena_dup(a, ns), .name = arena_dup(a, name), .changed = changed, .arg = arg };
	list_add_tail(&g->watches, &w->link);
	return w;
}

void
engine_unwatch(struct watch *w)
{
	if (!w)
		return;
	list_del(&w->link);
	arena_free(w->arena);
}

void
watches_free(struct engine *g)
{
	LIST_EACH (&g->watches, struct watch, link, w)
		engine_unwatch(w);
}
