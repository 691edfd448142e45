/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache: where results are kept that memoized templates use again (spec 2.12). Argo keeps them in ConfigMaps, which it reads
 * and writes whole; here each is a row under namespace, name of the cache and key, written in the transaction that ends
 * the node. What is not on disk yet is found all the same: the next step may ask in this very turn.
 *
 * A ConfigMap of that name among the manifests counts too: its entries are found behind the rows, and without Argo's label
 * it keeps anybody from using the cache. Rows that nobody used for settings.cacheMaxIdle go, and the longest unused ones above
 * settings.cacheEntries.
 */
#include "engine/shell.h"

enum { TRIM_EVERY = 256 }; /* saves; so many rows may be too many for a while */

const char cache_schema_sql[] =
	"CREATE TABLE memo (ns TEXT NOT NULL, cache TEXT NOT NULL, key TEXT NOT NULL, node TEXT NOT NULL,"
	" outputs BLOB NOT NULL, crc INTEGER NOT NULL," /* JSON */
	" created INTEGER NOT NULL, hit INTEGER NOT NULL," /* ns; hit: last used */
	" PRIMARY KEY (ns, cache, key)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX memo_hit ON memo (hit);";

struct cache {
	struct engine *engine;
	struct map pending; /* "ns/cache/key" -> struct keeping, not on disk yet */
	unsigned saves;
};
/* One write. Owns its arena. */
struct keeping {
	struct arena *arena;
	struct cache *cache;
	str id, ns, name, key, node, outputs; /* outputs absent: the entry was used */
	int64_t now, idle_before, entries_max;
	bool trim;
};

/* ---- looking up ---------------------------------------------------------------------------------------------------- */

struct lookup {
	str ns, cache, key;
	int64_t idle_before;
	struct arena *arena;
	struct memo_entry *out;
	bool found;
};

static int
parse(struct arena *a, str text, struct memo_entry *out, struct err *e)
{
	struct val *v = ARENA_NEW(a, struct val);
	if (json_read(a, arena_dup(a, text), v, e))
		return -1;
	out->outputs = v->kind == VAL_MAP ? v : NULL;
	return 0;
}

static int
find_row(sqlite3 *db, void *arg, struct err *e)
{
	struct lookup *l = arg;
	sqlite3_stmt *q = store_prepare(db,
		"SELECT outputs, crc, created FROM memo WHERE ns = ? AND cache = ? AND key = ? AND hit >= ?", e);
	if (!q)
		return -1;
	const str texts[] = { l->ns, l->cache, l->key };
	for (int i = 0; i < (int)ARRAY_LEN(texts); i++)
		sqlite3_bind_text(q, i + 1, texts[i].p, (int)texts[i].n, SQLITE_TRANSIENT);
	sqlite3_bind_int64(q, 4, l->idle_before);
	int rc = sqlite3_step(q);
	if (rc == SQLITE_ROW) {
		str text = store_text(q, 0);
		l->found = (int64_t)store_crc32c(0, text) == sqlite3_column_int64(q, 1); /* a damaged one is none */
		l->out->created = sqlite3_column_int64(q, 2);
		rc = l->found ? parse(l->arena, text, l->out, e) : 0;
	} else {
		rc = rc == SQLITE_DONE ? 0 : err_set(e, ERR_IO, "reading the cache: %s", sqlite3_errmsg(db));
	}
	sqlite3_reset(q);
	return rc;
}

/* In a ConfigMap of the manifests: Argo's own form of an entry. */
static int
find_in_config_map(const struct object *o, const struct lookup *l, struct err *e)
{
	struct val *v = ARENA_NEW(l->arena, struct val);
	const struct val *data = val_get(val_get(o->manifest, S("data")), l->key);
	struct err why;
	if (!val_is(data, VAL_STR) || !val_text(data).n)
		return 0;
	if (json_read(l->arena, val_text(data), v, &why) || v->kind != VAL_MAP)
		return err_set(e, ERR_INVALID, "malformed cache entry: could not unmarshal JSON; unable to parse: %s",
			why.msg);
	const struct val *outputs = val_get(v, S("outputs"));
	if (time_parse_rfc3339(val_get_str(v, "creationTimestamp"), &l->out->created, &why))
		l->out->created = 0;
	l->out->outputs = val_is(outputs, VAL_MAP) ? outputs : NULL;
	return val_get_str(v, "nodeID").n > 0;
}

/* Source: configMapCache.validateConfigmap, workflow/controller/cache, v4.1.2. */
static int
check_label(const struct object *o, struct err *e)
{
	static const char label[] = "workflows.argoproj.io/configmap-type";
	const struct val *type = val_get(val_path(o->manifest, "metadata.labels"), str_c(label));
	if (!type)
		return err_set(e, ERR_DENIED, "memoization configmap doesn't have %s label, refusing to use it", label);
	if (!val_is(type, VAL_STR) || !str_eq(val_text(type), S("Cache")))
		return err_set(e, ERR_DENIED, "memoization configmap doesn't have label %s = Cache, refusing to use it", label);
	return 0;
}

static int64_t
idle_before(const struct engine *g)
{
	return g->settings->cache_max_idle.ns > 0 ? loop_now(g->loop) - g->settings->cache_max_idle.ns : INT64_MIN;
}

static str
entry_id(struct arena *a, str ns, str cache, str key)
{
	return arena_fmt(a, "%.*s/%.*s/%.*s", STR_ARG(ns), STR_ARG(cache), STR_ARG(key));
}

int
cache_find(void *arg, str ns, str name, str key, struct arena *a, struct memo_entry *out, struct err *e)
{
	struct engine *g = arg;
	const struct object *o = objects_find_named(g->objects, "ConfigMap", ns, name);
	struct lookup l = { ns, name, key, idle_before(g), a, out, false };
	*out = (struct memo_entry){ 0 };
	if (o && check_label(o, e))
		return -1;
	const struct keeping *k = map_get(&g->cache->pending, entry_id(a, ns, name, key));
	if (k && k->now >= l.idle_before) {
		out->created = k->now;
		return parse(a, k->outputs, out, e) ? -1 : 1;
	}
	if (store_read_now(g->store, find_row, &l, e))
		return -1;
	return l.found ? 1 : o ? find_in_config_map(o, &l, e) : 0;
}

/* ---- keeping ------------------------------------------------------------------------------------------------------- */

static int
trim(sqlite3 *db, const struct keeping *k, struct err *e)
{
	if (store_exec(db, e, "DELETE FROM memo WHERE hit < ?", "i", k->idle_before))
		return -1;
	return store_exec(db, e,
		"DELETE FROM memo WHERE (ns, cache, key) IN (SELECT ns, cache, key FROM memo ORDER BY hit"
		" LIMIT max(0, (SELECT count(*) FROM memo) - ?))", "i", k->entries_max);
}

static int
write_row(sqlite3 *db, void *arg, struct err *e)
{
	const struct keeping *k = arg;
	if (!k->outputs.p)
		return store_exec(db, e, "UPDATE memo SET hit = ? WHERE ns = ? AND cache = ? AND key = ?", "isss", k->now, k->ns,
			k->name, k->key);
	if (store_exec(db, e,
		    "INSERT OR REPLACE INTO memo (ns, cache, key, node, outputs, crc, created, hit) VALUES (?,?,?,?,?,?,?,?)",
		    "ssssbiii", k->ns, k->name, k->key, k->node, k->outputs, (int64_t)store_crc32c(0, k->outputs), k->now, k->now))
		return -1;
	return k->trim ? trim(db, k, e) : 0;
}

static void
row_written(void *arg)
{
	struct keeping *k = arg;
	if (map_get(&k->cache->pending, k->id) == k)
		map_del(&k->cache->pending, k->id);
	arena_free(k->arena);
}

void
cache_keep(struct live *l, const struct effect *x)
{
	struct engine *g = l->engine;
	struct arena *a = arena_new();
	struct keeping *k = ARENA_NEW(a, struct keeping);
	const struct val *hit = val_get(x->memo, S("hit"));
	struct val none = val_null();
	*k = (struct keeping){ .arena = a,
		.cache = g->cache,
		.ns = arena_dup(a, run_ns(l->run)),
		.name = arena_dup(a, val_get_str(x->memo, "cacheName")),
		.key = arena_dup(a, val_get_str(x->memo, "key")),
		.node = arena_dup(a, x->node_id),
		.now = loop_now(g->loop),
		.idle_before = idle_before(g),
		.entries_max = g->settings->cache_entries };
	k->id = entry_id(a, k->ns, k->name, k->key);
	if (!val_is(hit, VAL_BOOL) || !hit->b) {
		k->outputs = json_write(a, x->outputs ? x->outputs : &none);
		k->trim = g->cache->saves++ % TRIM_EVERY == 0;
		map_del(&g->cache->pending, k->id); /* the key is the value's */
		map_put(&g->cache->pending, k->id, k);
	}
	store_write(g->store, write_row, k, row_written);
}

struct cache *
cache_new(struct engine *g)
{
	struct cache *c = MEM_NEW(struct cache);
	c->engine = g;
	return c;
}

void
cache_free(struct cache *c)
{
	if (!c)
		return;
	map_free(&c->pending);
	free(c);
}
