/* SPDX-License-Identifier: Apache-2.0 */
/* The set of sources that run: it follows the EventSource objects in force, and has what its sources share. */
#include "core/log.h"
#include "core/net/httpc.h"
#include "sources/impl.h"
#include "sources/resource.h"
#include "sources/webhook_server.h"

/* ---- what sources ask ----------------------------------------------------------------------------------------- */

struct webhook_servers *
sources_webhooks(struct sources *ss)
{
	return ss->webhooks;
}

struct httpc *
sources_httpc(struct sources *ss)
{
	if (!ss->httpc && !ss->closed)
		ss->httpc = httpc_new(ss->loop);
	return ss->httpc;
}

struct store *
sources_store(const struct sources *ss)
{
	return ss->store;
}

struct objects *
sources_objects(const struct sources *ss)
{
	return ss->objects;
}

void
sources_set_workflows(struct sources *ss, const struct workflow_feed *feed)
{
	ss->workflows = feed;
}

const struct workflow_feed *
sources_workflows(const struct sources *ss)
{
	return ss->workflows;
}

void
sources_set_cluster(struct sources *ss, const struct cluster_place *place)
{
	ss->cluster = place;
}

const struct cluster_place *
sources_cluster(const struct sources *ss)
{
	return ss->cluster;
}

void
sources_each(struct sources *ss, const struct source_ops *kind, void (*fn)(struct source *s, void *arg), void *arg)
{
	LIST_EACH(&ss->all, struct source, link, s)
		if (s->ops == kind && s->started && !s->stopping)
			fn(s, arg);
}

bool
sources_closing(const struct sources *ss)
{
	return ss->closed;
}

struct bus *
sources_bus(struct sources *ss, str ns, str name)
{
	return ss->bus_of(ss->arg, ns, name);
}

/* ---- the set -------------------------------------------------------------------------------------------------- */

static void
bus_changed(void *arg, bool full)
{
	struct bus_watch *w = arg;
	LIST_EACH(&w->owner->all, struct source, link, s) {
		if (s->bus != w->bus || s->paused == full)
			continue;
		s->paused = full;
		if (s->started && !s->stopping && s->ops->pause)
			s->ops->pause(s, full);
	}
	if (full)
		log_warn("too many events are waiting for the disk: sources pause", NULL);
}

void
sources_watch_bus(struct sources *ss, struct bus *b)
{
	LIST_EACH(&ss->watches, struct bus_watch, link, w)
		if (w->bus == b)
			return;
	struct bus_watch *w = MEM_NEW(struct bus_watch);
	w->owner = ss;
	w->bus = b;
	list_add_tail(&ss->watches, &w->link);
	bus_on_room(b, bus_changed, w);
}

struct sources *
sources_new(struct loop *l, struct store *store, struct objects *objects, str address,
            struct bus *(*bus_of)(void *arg, str ns, str bus_name), void *arg)
{
	struct sources *ss = MEM_NEW(struct sources);
	*ss = (struct sources){ .loop = l, .store = store, .objects = objects, .bus_of = bus_of, .arg = arg, .thread = pthread_self() };
	list_init(&ss->all);
	list_init(&ss->watches);
	ss->webhooks = webhook_servers_new(l, address);
	return ss;
}

/* Whether the running source does what the entry asks for. */
static bool
is_current(const struct source *s, const struct object *o, const struct source_entry *entry)
{
	const struct event_source *now = o->spec, *then = s->object->spec;
	return s->ops == entry->ops && object_like_argo(o) == object_like_argo(s->object) && str_eq(now->spec.bus_name, then->spec.bus_name) &&
	       schema_equal(s->ops->schema, s->entry->config, entry->config);
}

static str
entry_key(struct arena *a, const struct object *o, const struct source_entry *entry)
{
	return arena_fmt(a, "%.*s/%.*s/%.*s", STR_ARG(o->ns), STR_ARG(o->name), STR_ARG(entry->name));
}

static void
mark_current(struct sources *ss, struct object *o, const struct source_entry *entry, str key)
{
	struct source *s = map_get(&ss->running, key);
	if (s)
		s->seen = is_current(s, o, entry);
}

static void
add_new(struct sources *ss, struct object *o, const struct source_entry *entry, str key)
{
	if (!map_get(&ss->running, key))
		source_add(ss, o, entry, key);
}

static void
each_entry(struct sources *ss, void (*fn)(struct sources *ss, struct object *o, const struct source_entry *entry, str key))
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	size_t i = 0;
	for (struct object *o; (o = objects_next(ss->objects, &kind_eventsource, &i));) {
		const struct event_source *es = o->spec;
		for (size_t n = 0; n < es->spec.entries.n; n++)
			fn(ss, o, &es->spec.entries.p[n], entry_key(a, o, &es->spec.entries.p[n]));
	}
}

void
sources_apply(struct sources *ss)
{
	LIST_EACH(&ss->all, struct source, link, old)
		old->seen = false;
	each_entry(ss, mark_current);
	/* What is gone gives its port back before what is new asks for it. */
	LIST_EACH(&ss->all, struct source, link, s)
		if (!s->seen)
			source_end(s);
	each_entry(ss, add_new);
	LIST_EACH(&ss->all, struct source, link, told)
		if (told->ops->objects_changed && told->started && !told->stopping)
			told->ops->objects_changed(told);
}

void
sources_free(struct sources *ss)
{
	if (!ss)
		return;
	LIST_EACH(&ss->watches, struct bus_watch, link, w) {
		bus_on_room(w->bus, NULL, NULL);
		free(w);
	}
	list_init(&ss->watches);
	struct source *last = NULL; /* keeps the set alive until all are told */
	ss->closed = true;
	LIST_EACH(&ss->all, struct source, link, s) {
		if (!last)
			(last = s)->under_way++;
		source_end(s);
	}
	map_free(&ss->running);
	struct httpc *httpc = ss->httpc;
	ss->httpc = NULL;
	httpc_free(httpc); /* what is under way ends now, and with it the sources that wait for it */
	if (last) {
		last->under_way--;
		source_free_if_over(last);
	} else {
		webhook_servers_free(ss->webhooks);
		free(ss);
	}
}
