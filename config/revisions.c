/* SPDX-License-Identifier: Apache-2.0 */
#include "config/revisions.h"

#include "core/log.h"

const char revisions_schema_sql[] =
	"CREATE TABLE template_revision ("
	" kind TEXT NOT NULL, ns TEXT NOT NULL, name TEXT NOT NULL, revision INTEGER NOT NULL,"
	" at INTEGER NOT NULL," /* ns */
	" hash TEXT NOT NULL, origin TEXT NOT NULL, manifest BLOB NOT NULL, crc INTEGER NOT NULL,"
	" PRIMARY KEY (kind, ns, name, revision)) WITHOUT ROWID;";

/* The newest of a name: what a change is compared with. */
struct latest {
	int64_t number;
	char hash[17];
};

struct revisions {
	struct loop *loop;
	struct store *store;
	struct objects *objects;
	int64_t keep;
	struct map latest; /* "kind/ns/name" -> struct latest */
	struct arena *arena;
	str origin;
};

bool
revisions_has_kind(const struct kind *k)
{
	return strcmp(k->name, "WorkflowTemplate") == 0 || strcmp(k->name, "ClusterWorkflowTemplate") == 0;
}

/* ---- what is compared ---------------------------------------------------------------------------------------- */

/* As it was written: without what a server adds. */
static const struct val *
written(struct arena *a, const struct val *manifest)
{
	static const char *const added[] = { "uid", "creationTimestamp", "resourceVersion", "generation", "managedFields", "selfLink" };
	const struct val *meta = val_get(manifest, S("metadata"));
	for (size_t i = 0; meta && i < ARRAY_LEN(added); i++)
		meta = val_unset(a, meta, str_c(added[i]));
	manifest = val_unset(a, manifest, S("status"));
	return meta ? val_set(a, manifest, S("metadata"), meta) : manifest;
}

/* FNV-1a of 64 bits over the manifest with its members sorted. It only has to tell one revision from the next. */
static void
hash(const struct val *manifest, char out[17])
{
	struct buf b CLEANUP(free_buf) = { 0 };
	uint64_t h = UINT64_C(14695981039346656037);
	json_write_opts(&b, manifest, JSON_SORT);
	for (size_t i = 0; i < b.n; i++)
		h = (h ^ (unsigned char)b.p[i]) * UINT64_C(1099511628211);
	snprintf(out, 17, "%016llx", (unsigned long long)h);
}

/* ---- writing ------------------------------------------------------------------------------------------------- */

struct row {
	struct arena *arena;
	str kind, ns, name, hash, origin, manifest;
	int64_t number, at, oldest; /* of those that stay */
};

static int
write_row(sqlite3 *db, void *arg, struct err *e)
{
	const struct row *w = arg;
	if (store_exec(db, e, "INSERT OR REPLACE INTO template_revision (kind, ns, name, revision, at, hash, origin, manifest, crc) VALUES (?,?,?,?,?,?,?,?,?)",
	               "sssiissbi", w->kind, w->ns, w->name, w->number, w->at, w->hash, w->origin, w->manifest, (int64_t)store_crc32c(0, w->manifest)))
		return -1;
	return store_exec(db, e, "DELETE FROM template_revision WHERE kind = ? AND ns = ? AND name = ? AND revision < ?", "sssi", w->kind, w->ns, w->name,
	                  w->oldest);
}

static void
row_written(void *arg)
{
	struct row *w = arg;
	arena_free(w->arena);
}

struct lookup {
	str kind, ns, name;
	struct latest *out;
};

static int
read_latest(sqlite3 *db, void *arg, struct err *e)
{
	const struct lookup *l = arg;
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct revision *p;
	size_t n;
	if (revisions_list(db, l->kind, l->ns, l->name, a, &p, &n, e))
		return -1;
	if (n) {
		l->out->number = p[0].number;
		snprintf(l->out->hash, sizeof l->out->hash, "%.*s", STR_ARG(p[0].hash));
	}
	return 0;
}

/* Read once a name, with an index look-up on this thread, as the number must be known before the object is in force. */
static struct latest *
latest_of(struct revisions *rv, const struct object *o)
{
	str key = arena_fmt(rv->arena, "%s/%.*s/%.*s", o->kind->name, STR_ARG(o->ns), STR_ARG(o->name));
	struct latest *l = map_get(&rv->latest, key);
	if (l)
		return l;
	struct lookup q = { str_c(o->kind->name), o->ns, o->name, ARENA_NEW(rv->arena, struct latest) };
	struct err e;
	if (store_read_now(rv->store, read_latest, &q, &e)) {
		log_error("the revision of a template is not kept", "template", str_z(rv->arena, key), "error", e.msg, NULL);
		return NULL;
	}
	map_put(&rv->latest, key, q.out);
	return q.out;
}

static void
put(void *arg, struct object *o)
{
	struct revisions *rv = arg;
	char now[17];
	if (!revisions_has_kind(o->kind))
		return;
	struct latest *l = latest_of(rv, o);
	struct arena *a = arena_new();
	const struct val *manifest = written(a, o->manifest);
	hash(manifest, now);
	if (!l || strcmp(l->hash, now) == 0) {
		o->revision = l ? (uint64_t)l->number : 0;
		arena_free(a);
		return;
	}
	memcpy(l->hash, now, sizeof now);
	o->revision = (uint64_t)++l->number;
	struct row *w = ARENA_NEW(a, struct row);
	*w = (struct row){ .arena = a, .kind = str_c(o->kind->name), .ns = arena_dup(a, o->ns), .name = arena_dup(a, o->name), .hash = arena_dup(a, str_c(now)),
		.number = l->number, .at = loop_now(rv->loop), .oldest = l->number - rv->keep + 1 };
	w->origin = o->file.n ? arena_fmt(a, "file %.*s", STR_ARG(o->file)) : arena_dup(a, rv->origin.n ? rv->origin : S("api"));
	w->manifest = json_write(a, manifest);
	store_write(rv->store, write_row, w, row_written);
}

void
revisions_origin(struct revisions *rv, str origin)
{
	if (rv)
		rv->origin = arena_dup(rv->arena, origin);
}

struct revisions *
revisions_new(struct loop *l, struct store *s, struct objects *objects, int64_t keep)
{
	struct revisions *rv = MEM_NEW(struct revisions);
	*rv = (struct revisions){ .loop = l, .store = s, .objects = objects, .keep = keep, .arena = arena_new() };
	objects_on_put(objects, put, rv);
	return rv;
}

void
revisions_free(struct revisions *rv)
{
	if (!rv)
		return;
	objects_on_put(rv->objects, NULL, NULL);
	map_free(&rv->latest);
	arena_free(rv->arena);
	free(rv);
}

/* ---- reading ------------------------------------------------------------------------------------------------- */

static void
bind_name(sqlite3_stmt *q, str kind, str ns, str name)
{
	const str texts[] = { kind, ns, name };
	for (int i = 0; i < 3; i++)
		sqlite3_bind_text(q, i + 1, texts[i].p ? texts[i].p : "", (int)texts[i].n, SQLITE_TRANSIENT);
}

static struct revision
read_head(sqlite3_stmt *q, struct arena *a)
{
	return (struct revision){ .number = sqlite3_column_int64(q, 0), .at = sqlite3_column_int64(q, 1), .hash = arena_dup(a, store_text(q, 2)),
		.origin = arena_dup(a, store_text(q, 3)) };
}

int
revisions_list(sqlite3 *db, str kind, str ns, str name, struct arena *a, struct revision **out, size_t *n, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db,
		"SELECT revision, at, hash, origin FROM template_revision WHERE kind = ? AND ns = ? AND name = ? ORDER BY revision DESC", e);
	if (!q)
		return -1;
	bind_name(q, kind, ns, name);
	VEC(struct revision) v = { 0 };
	int rc;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW)
		*VEC_PUSH(&v) = read_head(q, a);
	sqlite3_reset(q);
	*n = v.n;
	*out = ARENA_ARRAY(a, struct revision, v.n + 1);
	if (v.n)
		memcpy(*out, v.p, v.n * sizeof *v.p);
	VEC_FREE(&v);
	return rc == SQLITE_DONE ? 0 : err_set(e, ERR_IO, "reading revisions: %s", sqlite3_errmsg(db));
}

/* The first row of a query with its manifest; 1, 0 if there is none, -1. */
static int
read_one(sqlite3 *db, sqlite3_stmt *q, struct arena *a, struct revision *out, struct err *e)
{
	int rc = sqlite3_step(q);
	if (rc == SQLITE_ROW) {
		*out = read_head(q, a);
		str text = arena_dup(a, store_text(q, 4));
		rc = (int64_t)store_crc32c(0, text) != sqlite3_column_int64(q, 5) ? err_set(e, ERR_IO, "a stored revision is damaged: its checksum differs")
		                                                                    : json_read(a, text, &out->manifest, e);
		rc = rc ? -1 : 1;
	} else {
		rc = rc == SQLITE_DONE ? 0 : err_set(e, ERR_IO, "reading revisions: %s", sqlite3_errmsg(db));
	}
	sqlite3_reset(q);
	return rc;
}

/* The newest revision of a name that a condition on ?4 leaves. A literal, as the statement is kept by its address. */
#define NEWEST_REVISION(CONDITION) \
	"SELECT revision, at, hash, origin, manifest, crc FROM template_revision" \
	" WHERE kind = ?1 AND ns = ?2 AND name = ?3 AND " CONDITION " ORDER BY revision DESC LIMIT 1"

/* One row of NEWEST_REVISION: 1 and it, 0 when there is none, -1. */
static int
read_newest(sqlite3 *db, const char *sql, str kind, str ns, str name, int64_t fourth, struct arena *a, struct revision *out, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, sql, e);
	if (!q)
		return -1;
	bind_name(q, kind, ns, name);
	sqlite3_bind_int64(q, 4, fourth);
	return read_one(db, q, a, out, e);
}

int
revisions_get(sqlite3 *db, str kind, str ns, str name, int64_t number, struct arena *a, struct revision *out, struct err *e)
{
	int rc = read_newest(db, NEWEST_REVISION("(?4 = 0 OR revision = ?4)"), kind, ns, name, number, a, out, e);
	if (rc)
		return rc < 0 ? -1 : 0;
	if (number)
		return err_set(e, ERR_NOT_FOUND, "%.*s \"%.*s\" has no revision %lld", STR_ARG(kind), STR_ARG(name), (long long)number);
	return err_set(e, ERR_NOT_FOUND, "no revisions of a %.*s \"%.*s\"", STR_ARG(kind), STR_ARG(name));
}

int
revisions_at(sqlite3 *db, str kind, str ns, str name, int64_t at, struct arena *a, struct revision *out, struct err *e)
{
	int rc = read_newest(db, NEWEST_REVISION("at <= ?4"), kind, ns, name, at, a, out, e);
	if (rc)
		return rc < 0 ? -1 : 0;
	return err_set(e, ERR_NOT_FOUND, "the revision of %.*s \"%.*s\" that was in force then is not kept", STR_ARG(kind), STR_ARG(name));
}
