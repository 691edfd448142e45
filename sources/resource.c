/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resource: changes of Tidegate's own objects (spec events 1.C18): workflows, and what else `tidegate get` knows but secrets. There is no cluster
 * to ask for others.
 *
 * Workflows come from the feed of the daemon, in the transaction that changes them. Those that were there before the source are told of as
 * added, in pages, up to the newest of the moment it first started; the mark says how far that is. Objects of the configuration are
 * compared with what was told of them last, so that what changed while nothing ran is told, too.
 */
#include "sources/resource.h"
#include "core/map.h"
#include "sources/check.h"

enum { PAGE = 32 };

extern const struct source_ops source_resource;

static const struct schema resource_selector_schema = { "Selector", "A condition on a label or a field.",
	sizeof(struct resource_selector), (const struct field[]){
	FIELD(struct resource_selector, key, "key", 0, .doc = "Label, or path of the field."),
	FIELD(struct resource_selector, operation, "operation", 0,
		.doc = "How it relates to the value: `==`, `!=`, in, ..."),
	FIELD(struct resource_selector, value, "value", 0, .doc = "Value, or regular expression for a field."),
	FIELD_SRC(struct resource_selector, src),
	{ 0 } } };

static const struct schema resource_filter_schema = { "ResourceFilter", "Which objects.",
	sizeof(struct resource_filter), (const struct field[]){
	FIELD(struct resource_filter, after_start, "afterStart", 0, .doc = "Only those made after the source started first."),
	FIELD(struct resource_filter, created_by, "createdBy", 0, .doc = "Only those made until then."),
	FIELD_LIST(struct resource_filter, fields, "fields", 0, &resource_selector_schema, .doc = "By field."),
	FIELD_LIST(struct resource_filter, labels, "labels", 0, &resource_selector_schema, .doc = "By label."),
	FIELD(struct resource_filter, prefix, "prefix", 0, .doc = "By beginning of the name."),
	FIELD_SRC(struct resource_filter, src),
	{ 0 } } };

static void
check_selectors(const struct resource_selector *p, size_t n, struct decode *c)
{
	for (size_t i = 0; i < n; i++)
		if (!p[i].key.n)
			decode_error(c, p[i].src, NULL, "key can't be empty for a selector");
}

/* What can be watched, as `group/version resource` says it. */
static const struct watched {
	const char *resource, *group, *version, *kind; /* kind NULL: workflows */
} all_watched[] = {
	{ "workflows", "argoproj.io", "v1alpha1", NULL },
	{ "workflowtemplates", "argoproj.io", "v1alpha1", "WorkflowTemplate" },
	{ "clusterworkflowtemplates", "argoproj.io", "v1alpha1", "ClusterWorkflowTemplate" },
	{ "cronworkflows", "argoproj.io", "v1alpha1", "CronWorkflow" },
	{ "workfloweventbindings", "argoproj.io", "v1alpha1", "WorkflowEventBinding" },
	{ "eventsources", "argoproj.io", "v1alpha1", "EventSource" },
	{ "sensors", "argoproj.io", "v1alpha1", "Sensor" },
	{ "eventbus", "argoproj.io", "v1alpha1", "EventBus" },
	{ "configmaps", "", "v1", "ConfigMap" },
};

static const struct watched *
watched_of(const struct resource_source *c)
{
	for (size_t i = 0; i < ARRAY_LEN(all_watched); i++) {
		const struct watched *w = &all_watched[i];
		if (str_eq(c->resource, str_c(w->resource)) && str_eq(c->group, str_c(w->group)) && str_eq(c->version, str_c(w->version)))
			return w;
	}
	return NULL;
}

static const struct watched *
watched_named(str resource)
{
	for (size_t i = 0; i < ARRAY_LEN(all_watched); i++)
		if (str_eq(resource, str_c(all_watched[i].resource)))
			return &all_watched[i];
	return NULL;
}

static void
check_watched(const struct resource_source *s, const struct val *in, struct decode *c)
{
	const struct watched *w = watched_of(s), *meant = watched_named(s->resource);
	if (w)
		return;
	if (meant)
		decode_later(c, in, "resource", "%s: are of group \"%s\" and version %s here", meant->resource, meant->group, meant->version);
	else if (str_eq(s->resource, S("secrets")))
		decode_later(c, in, "resource", "secrets are not told of: their values would be in the events");
	else
		decode_later(c, in, "resource", "%.*s: there is no cluster to watch: workflows, configmaps and the other objects of Tidegate are served",
			STR_ARG(str_slice(s->resource, 0, 60)));
}

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct resource_source *s = obj;

	source_need(s->version, in, c, "version");
	source_need(s->resource, in, c, "resource");
	source_need_list(s->event_types.n, in, c, "eventTypes");
	for (size_t i = 0; i < s->event_types.n; i++)
		if (!str_eq(s->event_types.p[i], S("ADD")) && !str_eq(s->event_types.p[i], S("UPDATE")) && !str_eq(s->event_types.p[i], S("DELETE")))
			decode_warn(c, in, "eventTypes", "\"%.*s\" is none of ADD, UPDATE, DELETE and matches nothing", STR_ARG(str_slice(s->event_types.p[i], 0, 60)));
	check_selectors(s->filter ? s->filter->labels.p : NULL, s->filter ? s->filter->labels.n : 0, c);
	check_selectors(s->filter ? s->filter->fields.p : NULL, s->filter ? s->filter->fields.n : 0, c);
	if (s->filter)
		resource_filter_check(s->filter, in, c);
	if (s->version.n && s->resource.n)
		check_watched(s, in, c);
}

static const struct schema resource_source_schema = { "ResourceEventSource", "Changes of objects.",
	sizeof(struct resource_source), (const struct field[]){
	FIELD(struct resource_source, event_types, "eventTypes", 0, .doc = "ADD, UPDATE, DELETE."),
	FIELD_PTR(struct resource_source, filter, "filter", 0, &resource_filter_schema, .doc = "Which objects."),
	FIELD(struct resource_source, group, "group", 0, .doc = "API group of the objects."),
	FIELD(struct resource_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct resource_source, namespace, "namespace", 0, .doc = "Namespace of the objects; all if empty."),
	FIELD(struct resource_source, resource, "resource", 0, .doc = "Plural of their kind, such as workflows."),
	FIELD(struct resource_source, version, "version", 0, .doc = "API version of the objects."),
	FIELD_SRC(struct resource_source, src),
	{ 0 } }, check };

/* ---- the running source --------------------------------------------------------------------------------------------- */

/* An object of the configuration as it was told last. */
struct known {
	str key, body; /* "ns/name"; both owned */
	struct object *object; /* which that was, one reference; NULL: it is only known from the store */
	bool seen;
};

struct resource {
	struct source *source;
	struct store *store;
	struct objects *objects;
	const struct resource_source *config;
	const struct watched *watched;
	struct resource_news *news;
	size_t under_way; /* reads and writes of ours */
	bool stopping;
	/* workflows: those with `at` to `to` are still to be told of as added */
	int64_t at, to;
	bool placed; /* `at` is known */
	bool reading, again;
	/* objects of the configuration */
	struct map known; /* by key */
	bool loaded;
};

static void
ended(void *arg)
{
	struct resource *r = arg;
	struct source *s = r->source;
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&r->known, &i));) {
		struct known *k = slot->value;
		map_del(&r->known, slot->key);
		object_unref(k->object);
		str_disown(k->key);
		str_disown(k->body);
		free(k);
	}
	map_free(&r->known);
	free(r);
	source_stopped(s);
}

/* One of our jobs is done. */
static void
over(struct resource *r)
{
	r->under_way--;
	if (r->stopping && !r->under_way)
		resource_news_free(r->news, ended, r);
}

static bool
in_scope(const struct resource *r, str ns)
{
	return !r->config->namespace.n || !ns.n || str_eq(r->config->namespace, ns);
}

static bool
is_after_start(const struct resource *r)
{
	return r->config->filter && r->config->filter->after_start;
}

/* ---- workflows ------------------------------------------------------------------------------------------------------ */

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

static str
body_text(struct arena *a, const struct val *v)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	json_write_opts(&b, v, JSON_SORT | JSON_HTML);
	return arena_dup(a, buf_str(&b));
}

static void
tell_page(struct resource *r, struct page *p)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct stored_workflow *w = &p->items[i];
		r->at = w->id + 1;
		if (w->body.kind != VAL_MAP) /* damaged */
			continue;
		struct object_news o = { .change = OBJECT_ADD, .id = w->id, .ns = w->ns, .name = w->name, .body = body_text(p->arena, &w->body), .advance = true };
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
	over(r);
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
	over(r);
}

/* All below the mark have been dealt with: with afterStart, all that there are when it starts first. */
static void
start_workflows(struct resource *r)
{
	const struct workflow_feed *feed = sources_workflows(source_owner(r->source));
	struct arena *a = arena_new();
	struct first_mark *m = ARENA_NEW(a, struct first_mark);
	r->to = feed->newest(feed->arg);
	*m = (struct first_mark){ a, r, source_ns(r->source), source_name(r->source), source_event_name(r->source),
		                  is_after_start(r) ? r->to + 1 : 1 };
	if (is_after_start(r) || !resource_news_wants(r->news, OBJECT_ADD)) { /* nothing is told of those that are there */
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
	if (!r || r->stopping || r->watched->kind || !in_scope(r, w->ns))
		return;
	if (r->placed && w->id >= r->at && w->id <= r->to) { /* its turn comes */
		r->again = true;
		return;
	}
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct object_news o = { .change = w->change, .id = w->id, .ns = w->ns, .name = w->name, .body = w->body ? body_text(a, w->body) : STR_NONE };
	o.advance = w->change == OBJECT_ADD && !is_after_start(r) && r->placed && r->at > r->to;
	o.below = !r->placed && w->id <= r->to;
	resource_news_add(r->news, &o);
}

void
sources_tell(struct sources *ss, const struct workflow_news *news)
{
	sources_each(ss, &source_resource, tell_workflow, (void *)(uintptr_t)news);
}

/* ---- objects of the configuration ----------------------------------------------------------------------------------- */

static struct known *
known_add(struct resource *r, str key, str body)
{
	struct known *k = MEM_NEW(struct known);
	k->key = str_own(key);
	k->body = str_own(body);
	map_put(&r->known, k->key, k);
	return k;
}

static void
tell_object(struct resource *r, enum object_change change, str key, str body, str old, bool silent)
{
	str name = key, ns = str_cut(&name, '/');
	struct object_news o = { .change = change, .ns = ns, .name = name, .body = body, .old = old, .known = silent };
	resource_news_add(r->news, &o);
}

static void
look_at(struct resource *r, struct object *o, bool silent)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	str key = arena_fmt(a, "%.*s/%.*s", STR_ARG(o->ns), STR_ARG(o->name));
	struct known *k = map_get(&r->known, key);
	if (k)
		k->seen = true;
	if (k && k->object == o)
		return;
	str body = body_text(a, o->manifest);
	if (!k) {
		tell_object(r, OBJECT_ADD, key, body, STR_NONE, silent);
		k = known_add(r, key, body);
		k->seen = true;
	} else if (!str_eq(k->body, body)) {
		tell_object(r, OBJECT_UPDATE, key, body, k->body, false);
		str_disown(k->body);
		k->body = str_own(body);
	}
	object_unref(k->object);
	k->object = object_ref(o);
}

static void
look_for_gone(struct resource *r)
{
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&r->known, &i));) {
		struct known *k = slot->value;
		bool seen = k->seen;
		k->seen = false;
		if (seen)
			continue;
		tell_object(r, OBJECT_DELETE, k->key, k->body, STR_NONE, false);
		map_del(&r->known, k->key);
		object_unref(k->object);
		str_disown(k->key);
		str_disown(k->body);
		free(k);
	}
}

static void
compare(struct resource *r, bool silent)
{
	const struct kind *kind = objects_kind(r->objects, str_c(r->watched->resource));
	size_t i = 0;
	for (struct object *o; kind && (o = objects_next(r->objects, kind, &i));)
		if (in_scope(r, o->ns))
			look_at(r, o, silent);
	look_for_gone(r);
}

static void
objects_changed(struct source *s)
{
	struct resource *r = source_data(s);
	if (r && r->loaded && !r->stopping)
		compare(r, false);
}

struct loading {
	struct arena *arena;
	struct resource *resource;
	str ns, source, event, resource_name;
	VEC(struct known) known;
	bool first; /* it never ran */
};

static int
read_known(sqlite3 *db, void *arg, struct err *e)
{
	struct loading *l = arg;
	sqlite3_stmt *q = store_prepare(db,
		"SELECT object_ns || '/' || object, body FROM resource_known WHERE ns = ? AND source = ? AND event = ? AND resource = ?", e);
	if (!q)
		return -1;
	const str keys[] = { l->ns, l->source, l->event, l->resource_name };
	for (int i = 0; i < (int)ARRAY_LEN(keys); i++)
		sqlite3_bind_text64(q, i + 1, keys[i].p, keys[i].n, SQLITE_STATIC, SQLITE_UTF8);
	int rc;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW)
		*VEC_PUSH(&l->known) = (struct known){ .key = arena_dup(l->arena, store_text(q, 0)), .body = arena_dup(l->arena, store_text(q, 1)) };
	sqlite3_reset(q);
	return rc == SQLITE_DONE ? 0 : err_set(e, ERR_IO, "reading what objects were: %s", sqlite3_errmsg(db));
}

static void
known_read(void *arg, const struct err *e)
{
	struct loading *l = arg;
	struct resource *r = l->resource;
	if (e)
		source_state(r->source, false, e);
	for (size_t i = 0; i < l->known.n; i++) {
		str name = l->known.p[i].key, ns = str_cut(&name, '/');
		if (in_scope(r, ns))
			known_add(r, l->known.p[i].key, l->known.p[i].body);
	}
	r->loaded = !e;
	if (r->loaded && !r->stopping) {
		compare(r, l->first && is_after_start(r));
		source_write_mark(r->source, 1);
	}
	VEC_FREE(&l->known);
	arena_free(l->arena);
	over(r);
}

/* A mark of 1 says that it has run. */
static void
read_objects(struct source *s, int64_t mark)
{
	struct resource *r = source_data(s);
	struct arena *a = arena_new();
	struct loading *l = ARENA_NEW(a, struct loading);
	*l = (struct loading){ .arena = a, .resource = r, .ns = source_ns(s), .source = source_name(s), .event = source_event_name(s),
		               .resource_name = r->config->resource, .first = mark == 0 };
	r->under_way++;
	store_read(r->store, read_known, l, known_read);
}

/* ---- life ----------------------------------------------------------------------------------------------------------- */

static int
start(struct source *s, struct err *e)
{
	const struct resource_source *c = source_config(s);
	const struct watched *w = watched_of(c);
	struct sources *ss = source_owner(s);
	struct resource_match *match;
	if (!w)
		return err_set(e, ERR_UNSUPPORTED, "%.*s of group \"%.*s\": there is no cluster to watch", STR_ARG(c->resource), STR_ARG(c->group));
	if (!w->kind && !sources_workflows(ss))
		return err_set(e, ERR_UNSUPPORTED, "there are no workflows here");
	if (resource_match_new(c->filter, &match, e) < 0)
		return err_wrap(e, "filter");
	struct resource *r = MEM_NEW(struct resource);
	*r = (struct resource){ .source = s, .store = sources_store(ss), .objects = sources_objects(ss), .config = c, .watched = w };
	r->news = resource_news_new(s, r->store, match);
	source_set_data(s, r);
	if (w->kind)
		source_read_mark(s, read_objects);
	else
		start_workflows(r);
	resource_news_go_on(r->news); /* what was not told before a restart */
	return 0;
}

static void
pause_(struct source *s, bool on)
{
	struct resource *r = source_data(s);
	if (!on)
		resource_news_go_on(r->news);
}

static void
stop(struct source *s)
{
	struct resource *r = source_data(s);
	const struct workflow_feed *feed = sources_workflows(source_owner(s));
	r->stopping = true;
	if (!r->watched->kind)
		feed->watch(feed->arg, false);
	r->under_way++;
	over(r);
}

static int
wrap(struct source *s, struct arena *a, str body, str *out, struct err *e)
{
	struct val v;
	struct buf b CLEANUP(free_buf) = { 0 };
	if (json_read(a, body, &v, e) < 0)
		return -1;
	if (v.kind != VAL_MAP)
		return err_set(e, ERR_INVALID, "the body must be the object, as JSON");
	resource_data(&b, source_config(s), OBJECT_ADD, body_text(a, &v), STR_NONE);
	*out = arena_dup(a, buf_str(&b));
	return 0;
}

const struct source_ops source_resource = { .kind = "resource", .doc = "Changes of objects.", .schema = &resource_source_schema,
	.start = start, .pause = pause_, .stop = stop, .wrap = wrap, .objects_changed = objects_changed };
