/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resource_workflows: workflows come from the feed of the daemon, in the transaction that changes them. Those that were there before the source are
 * told of as added, in pages, up to the newest of the moment it first started; the mark says how far that is.
 */
#include "sources/resource_impl.h"

enum { PAGE = 32 };

extern const struct source_ops source_resource;

struct page {
	struct arena *arena;
	struct resource *resource;
	const struct workflow_feed *feed;
	str ns;
	int64_t from, to;
	struct stored_workflow items[PAGE];
	size_t n;
};

static int
read_page(sqlite3 *db, void *arg, struct err *e)
{
	struct page *p = arg;
	return p->feed->page(db, p->ns, p->from, p->to, PAGE, p->arena, p->items, &p->n, e);
}

static void replay(struct resource *r);

static void
tell_page(struct resource *r, struct page *p)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct stored_workflow *w = &p->items[i];
		r->at = w->id + 1;
		if (w->body.kind != VAL_MAP) /* damaged */
			continue;
		struct object_news o = { .change = OBJECT_ADD, .id = w->id, .ns = w->ns, .name = w->name, .body = resource_body(p->arena, &w->body), .advance = true };
		resource_news_add(r->news, &o);
	}
	if (p->n < PAGE)
		r->at = r->to + 1;
}

static void
page_read(void *arg, const struct err *e)
{
	struct page *p = arg;
	struct resource *r = p->resource;
	r->reading = false;
	if (e)
		source_state(r->source, true, e);
	if (!r->again && !e && !r->stopping)
		tell_page(r, p);
	arena_free(p->arena);
	if (!e)
		replay(r);
	resource_over(r);
}

static void
page_settled(void *arg)
{
	struct page *p = arg;
	store_read(p->resource->store, read_page, p, page_read);
}

/* What has changed until now is on disk when the page is read; if one of them changes meanwhile, the page is read again. */
static void
replay(struct resource *r)
{
	if (r->stopping || r->reading || r->at > r->to)
		return;
	struct arena *a = arena_new();
	struct page *p = ARENA_NEW(a, struct page);
	*p = (struct page){ .arena = a, .resource = r, .feed = sources_workflows(source_owner(r->source)), .ns = r->config->namespace,
		            .from = r->at, .to = r->to };
	r->reading = true;
	r->again = false;
	r->under_way++;
	store_after_commit(r->store, page_settled, p);
}

static void
mark_known(struct source *s, int64_t mark)
{
	struct resource *r = source_data(s);
	r->placed = true;
	r->at = mark;
	replay(r);
}

struct first_mark {
	struct arena *arena;
	struct resource *resource;
	str ns, source, event;
	int64_t mark;
};

static int
write_first(sqlite3 *db, void *arg, struct err *e)
{
	const struct first_mark *m = arg;
	return store_exec(db, e, "INSERT OR IGNORE INTO source_mark (ns, source, event, mark) VALUES (?, ?, ?, ?)", "sssi", m->ns, m->source, m->event,
	                  m->mark);
}

static void
first_written(void *arg)
{
	struct first_mark *m = arg;
	struct resource *r = m->resource;
	if (!r->stopping && !r->placed)
		source_read_mark(r->source, mark_known);
	arena_free(m->arena);
	resource_over(r);
}

/* All below the mark have been dealt with: with afterStart, all that there are when it starts first. */
void
resource_start_workflows(struct resource *r)
{
	const struct workflow_feed *feed = sources_workflows(source_owner(r->source));
	struct arena *a = arena_new();
	struct first_mark *m = ARENA_NEW(a, struct first_mark);
	r->to = feed->newest(feed->arg);
	*m = (struct first_mark){ a, r, source_ns(r->source), source_name(r->source), source_event_name(r->source),
		                  resource_is_after_start(r) ? r->to + 1 : 1 };
	if (resource_is_after_start(r) || !resource_news_wants(r->news, OBJECT_ADD)) { /* nothing is told of those that are there */
		r->placed = true;
		r->at = r->to + 1;
	}
	r->under_way++;
	store_write(r->store, write_first, m, first_written);
	feed->watch(feed->arg, true);
}

static void
tell_workflow(struct source *s, void *arg)
{
	const struct workflow_news *w = arg;
	struct resource *r = source_data(s);
	if (!r || r->stopping || !r->watched || r->watched->kind || !resource_in_scope(r, w->ns))
		return;
	if (r->placed && w->id >= r->at && w->id <= r->to) { /* its turn comes */
		r->again = true;
		return;
	}
	struct object_news o = { .change = w->change, .id = w->id, .ns = w->ns, .name = w->name };
	o.advance = w->change == OBJECT_ADD && !resource_is_after_start(r) && r->placed && r->at > r->to;
	o.below = !r->placed && w->id <= r->to;
	if (resource_news_is_idle(r->news, &o))
		return;
	struct arena *a CLEANUP(free_arena) = arena_new();
	if (w->body) {
		struct val body = w->body(w, a);
		o.body = resource_body(a, &body);
	}
	resource_news_add(r->news, &o);
}

void
sources_tell(struct sources *ss, const struct workflow_news *news)
{
	sources_each(ss, &source_resource, tell_workflow, (void *)(uintptr_t)news);
}
