/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resource_objects: objects of the configuration are compared with what was told of them last, which is kept in the store, so that what changed while
 * nothing ran is told, too.
 */
#include "sources/resource_impl.h"

/* An object as it was told last. */
struct known {
	str key, body; /* "ns/name"; both owned */
	struct object *object; /* which that was, one reference; NULL: it is only known from the store */
	bool seen;
};

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
forget(struct resource *r, struct known *k)
{
	map_del(&r->known, k->key);
	object_unref(k->object);
	str_disown(k->key);
	str_disown(k->body);
	free(k);
}

static void
tell_object(struct resource *r, enum object_change change, str key, str body, str old, bool silent)
{
	str name = key, ns = str_cut(&name, '/');
	struct object_news o = { .change = change, .ns = ns, .name = name, .body = body, .old = old, .known = silent };
	resource_news_add(r->news, &o);
}

/* That is what it is now. */
static void
is_now(struct known *k, struct object *o)
{
	k->seen = true;
	object_unref(k->object);
	k->object = object_ref(o);
}

static void
look_at_known(struct resource *r, struct known *k, struct object *o, str body)
{
	if (!str_eq(k->body, body)) {
		tell_object(r, OBJECT_UPDATE, k->key, body, k->body, false);
		str_disown(k->body);
		k->body = str_own(body);
	}
	is_now(k, o);
}

static void
look_at(struct resource *r, struct object *o, bool silent)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	str key = arena_fmt(a, "%.*s/%.*s", STR_ARG(o->ns), STR_ARG(o->name));
	struct known *k = map_get(&r->known, key);
	if (k && k->object == o) {
		k->seen = true;
		return;
	}
	str body = resource_body(a, o->manifest);
	if (k) {
		look_at_known(r, k, o, body);
		return;
	}
	tell_object(r, OBJECT_ADD, key, body, STR_NONE, silent);
	is_now(known_add(r, key, body), o);
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
		forget(r, k);
	}
}

static void
compare(struct resource *r, bool silent)
{
	const struct kind *kind = objects_kind(r->objects, str_c(r->watched->resource));
	size_t i = 0;
	for (struct object *o; kind && (o = objects_next(r->objects, kind, &i));)
		if (resource_in_scope(r, o->ns))
			look_at(r, o, silent);
	look_for_gone(r);
}

void
resource_objects_changed(struct source *s)
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
		if (resource_in_scope(r, ns))
			known_add(r, l->known.p[i].key, l->known.p[i].body);
	}
	r->loaded = !e;
	if (r->loaded && !r->stopping) {
		compare(r, l->first && resource_is_after_start(r));
		source_write_mark(r->source, 1);
	}
	VEC_FREE(&l->known);
	arena_free(l->arena);
	resource_over(r);
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

void
resource_start_objects(struct resource *r)
{
	source_read_mark(r->source, read_objects);
}

void
resource_free_objects(struct resource *r)
{
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&r->known, &i));)
		forget(r, slot->value);
	map_free(&r->known);
}
