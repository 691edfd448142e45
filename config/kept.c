/* SPDX-License-Identifier: Apache-2.0 */
#include "config/kept.h"

#include "core/event.h"
#include "core/random.h"

enum { SUFFIX = 5, NAME_TRIES = 20, NAME_MAX_DEFAULT = 253 };

const char kept_schema_sql[] =
	"CREATE TABLE object (kind TEXT NOT NULL, ns TEXT NOT NULL, name TEXT NOT NULL, manifest BLOB NOT NULL, crc INTEGER NOT NULL,"
	" PRIMARY KEY (kind, ns, name)) STRICT, WITHOUT ROWID;";

/* ---- rows --------------------------------------------------------------------------------------------------------------- */

struct row {
	struct arena *arena;
	str kind, ns, name, manifest; /* manifest absent: delete the row */
	void (*done)(void *arg);
	void *arg;
};

static int
write_row(sqlite3 *db, void *arg, struct err *e)
{
	const struct row *w = arg;
	if (!w->manifest.p)
		return store_exec(db, e, "DELETE FROM object WHERE kind = ? AND ns = ? AND name = ?", "sss", w->kind, w->ns, w->name);
	return store_exec(db, e, "INSERT OR REPLACE INTO object (kind, ns, name, manifest, crc) VALUES (?, ?, ?, ?, ?)", "sssbi", w->kind, w->ns,
	                  w->name, w->manifest, (int64_t)store_crc32c(0, w->manifest));
}

static void
row_written(void *arg)
{
	struct row *w = arg;
	if (w->done)
		w->done(w->arg);
	arena_free(w->arena);
}

static struct row *
new_row(const struct kind *k, str ns, str name, void (*done)(void *arg), void *arg)
{
	struct arena *a = arena_new();
	struct row *w = ARENA_NEW(a, struct row);
	*w = (struct row){ .arena = a, .kind = str_c(k->name), .ns = k->cluster ? S("") : arena_dup(a, ns), .name = arena_dup(a, name), .done = done,
		           .arg = arg };
	return w;
}

void
kept_put(struct store *s, struct objects *os, struct object *o, const struct val *manifest, void (*done)(void *arg), void *arg)
{
	struct row *w = new_row(o->kind, o->ns, o->name, done, arg);
	w->manifest = json_write(w->arena, manifest);
	(void)objects_put(os, o); /* an equal one is written again, too: somebody asked for it */
	store_write(s, write_row, w, row_written);
}

void
kept_del(struct store *s, struct objects *os, const struct kind *k, str ns, str name, void (*done)(void *arg), void *arg)
{
	struct row *w = new_row(k, ns, name, done, arg);
	(void)objects_del(os, k, w->ns, w->name); /* the caller has found it */
	store_write(s, write_row, w, row_written);
}

/* ---- reading them back ---------------------------------------------------------------------------------------------------- */

static int
load_row(sqlite3_stmt *q, struct objects *os, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct val v;
	struct diags d;
	str text = store_text(q, 3);
	if ((int64_t)store_crc32c(0, text) != sqlite3_column_int64(q, 4))
		return err_set(e, ERR_IO, "the stored %.*s %.*s is damaged: its checksum does not fit", STR_ARG(store_text(q, 0)), STR_ARG(store_text(q, 2)));
	if (json_read(a, text, &v, e))
		return -1;
	diags_init(&d);
	struct object *o = objects_decode(os, &v, STR_NONE, store_text(q, 1), &d);
	if (o)
		(void)objects_put(os, o); /* whether it is new does not matter here */
	object_unref(o);
	diags_free(&d);
	return 0;
}

static int
load_rows(sqlite3 *db, void *arg, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT kind, ns, name, manifest, crc FROM object ORDER BY kind, ns, name", e);
	if (!q)
		return -1;
	int rc;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW)
		if (load_row(q, arg, e))
			return -1;
	return rc == SQLITE_DONE ? 0 : err_set(e, ERR_IO, "reading objects: %s", sqlite3_errmsg(db));
}

int
kept_load(struct store *s, struct objects *os, struct err *e)
{
	return store_read_now(s, load_rows, os, e);
}

/* ---- manifests ------------------------------------------------------------------------------------------------------------ */

/* The beginning gives way to what makes it another's, as in Kubernetes (apiserver/pkg/storage/names). */
static str
generate_name(const struct objects *os, struct arena *a, const struct val *v)
{
	const struct val *meta = val_get(v, S("metadata"));
	const struct kind *k = objects_kind(os, val_get_str(v, "kind"));
	str prefix = val_get_str(meta, "generateName"), name = STR_NONE;
	if (!prefix.n || !k)
		return STR_NONE;
	prefix = str_slice(prefix, 0, (k->name_max ? k->name_max : NAME_MAX_DEFAULT) - SUFFIX);
	for (int i = 0; i < NAME_TRIES && (!name.n || objects_find(os, k, val_get_str(meta, "namespace"), name)); i++)
		name = arena_fmt(a, "%.*s%.*s", STR_ARG(prefix), STR_ARG(random_suffix(a, SUFFIX)));
	return name;
}

const struct val *
kept_identity(const struct objects *os, struct arena *a, const struct val *v, const struct object *before, int64_t now_ns)
{
	const struct val *meta = val_get(v, S("metadata")), *old = before ? val_get(before->manifest, S("metadata")) : NULL;
	str name = val_get_str(meta, "name"), uid = val_get_str(old, "uid"), made = val_get_str(old, "creationTimestamp");
	if (!name.n)
		name = generate_name(os, a, v);
	if (!uid.n) {
		str id = event_random_id(a);
		uid = arena_fmt(a, "%.8s-%.4s-%.4s-%.4s-%.12s", id.p, id.p + 8, id.p + 12, id.p + 16, id.p + 20);
	}
	if (!made.n)
		made = time_rfc3339(a, now_ns);
	struct val values[] = { val_str(name), val_str(uid), val_str(made),
	                        val_str(arena_fmt(a, "%llu", (unsigned long long)(before ? before->revision + 1 : 1))) };
	meta = val_set(a, meta, S("name"), &values[0]);
	meta = val_set(a, meta, S("uid"), &values[1]);
	meta = val_set(a, meta, S("creationTimestamp"), &values[2]);
	meta = val_set(a, meta, S("resourceVersion"), &values[3]);
	return val_set(a, v, S("metadata"), meta);
}

struct object *
kept_decode(const struct objects *os, const struct val *manifest, str default_ns, struct diags *d)
{
	struct object *o = objects_decode(os, manifest, STR_NONE, default_ns, d);
	if (o && o->kind->resolve)
		o->kind->resolve(o, os, d);
	if (o && !d->errors)
		return o;
	object_unref(o);
	return NULL;
}

str
kept_resource_name(struct arena *a, const struct kind *k)
{
	str api = str_c(k->api);
	size_t slash = str_find_char(api, '/', 0);
	return slash == SIZE_MAX ? str_c(k->plural) : arena_fmt(a, "%s.%.*s", k->plural, (int)slash, api.p);
}
