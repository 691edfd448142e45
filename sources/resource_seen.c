/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resource_seen: what was told last of each object of a cluster is kept in the store, and what the cluster says is compared with that on the
 * writer's thread, in the transaction in which the source's place in the watch moves on. So it does not matter whether the cluster says it in a
 * watch, in a listing after a gap, or twice: an object whose resourceVersion is the one that was told is no news, and nothing of it is in memory.
 */
#include "core/net/cluster.h"
#include "sources/resource_impl.h"

enum { SWEEP_PAGE = 32 };

struct seen {
	str uid, version, body; /* in the job's arena */
	int64_t created;
};

struct job {
	struct arena *arena;
	struct resource *r;
	str ns, source, event; /* of the source */
	struct object_news o;  /* as it is said to be; absent body: it is gone */
	struct seen now;
	int64_t listing, since;
	bool told;
	/* a sweep */
	str after_ns, after;   /* goes on behind this object */
	bool more;
	void (*done)(struct resource *r);
};

static struct job *
job_new(struct resource *r, int64_t listing, int64_t since)
{
	struct arena *a = arena_new();
	struct job *j = ARENA_NEW(a, struct job);
	*j = (struct job){ .arena = a, .r = r, .ns = source_ns(r->source), .source = source_name(r->source), .event = source_event_name(r->source),
		           .listing = listing, .since = since };
	r->under_way++;
	return j;
}

static void
job_over(void *arg)
{
	struct job *j = arg;
	struct resource *r = j->r;
	if (j->told)
		resource_news_go_on(r->news);
	arena_free(j->arena);
	resource_over(r);
}

/* ---- on the writer's thread ------------------------------------------------------------------------------------------- */

/* 1, 0; -1: the store cannot be read. */
static int
read_seen(struct job *j, sqlite3 *db, struct seen *out, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db,
		"SELECT uid, version, created, body FROM resource_seen WHERE ns = ? AND source = ? AND event = ? AND object_ns = ? AND object = ?", e);
	if (!q)
		return -1;
	const str keys[] = { j->ns, j->source, j->event, j->o.ns, j->o.name };
	for (int i = 0; i < (int)ARRAY_LEN(keys); i++)
		sqlite3_bind_text64(q, i + 1, keys[i].p, keys[i].n, SQLITE_STATIC, SQLITE_UTF8);
	bool there = sqlite3_step(q) == SQLITE_ROW;
	if (there)
		*out = (struct seen){ arena_dup(j->arena, store_text(q, 0)), arena_dup(j->arena, store_text(q, 1)), arena_dup(j->arena, store_text(q, 3)),
			              sqlite3_column_int64(q, 2) };
	sqlite3_reset(q);
	return there;
}

static int
write_seen(struct job *j, sqlite3 *db, struct err *e)
{
	return store_exec(db, e,
		"INSERT INTO resource_seen (ns, source, event, object_ns, object, uid, version, created, listing, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
		" ON CONFLICT (ns, source, event, object_ns, object) DO UPDATE SET uid = excluded.uid, version = excluded.version,"
		" created = excluded.created, listing = excluded.listing, body = excluded.body",
		"sssssssiis", j->ns, j->source, j->event, j->o.ns, j->o.name, j->now.uid, j->now.version, j->now.created, j->listing, j->o.body);
}

/* The listing has it, and it is as it was. */
static int
mark_seen(struct job *j, sqlite3 *db, struct err *e)
{
	return store_exec(db, e, "UPDATE resource_seen SET listing = ? WHERE ns = ? AND source = ? AND event = ? AND object_ns = ? AND object = ?", "isssss",
	                  j->listing, j->ns, j->source, j->event, j->o.ns, j->o.name);
}

static int
delete_seen(struct job *j, sqlite3 *db, struct err *e)
{
	return store_exec(db, e, "DELETE FROM resource_seen WHERE ns = ? AND source = ? AND event = ? AND object_ns = ? AND object = ?", "sssss", j->ns,
	                  j->source, j->event, j->o.ns, j->o.name);
}

/* uid, version and type are the same whenever it is found out. */
static int
tell(struct job *j, sqlite3 *db, enum object_change change, const struct seen *of, str old, struct err *e)
{
	static const char letters[] = { [OBJECT_ADD] = 'A', [OBJECT_UPDATE] = 'U', [OBJECT_DELETE] = 'D' };
	if (of->created && of->created < j->since)
		return 0;
	struct object_news o = { .change = change, .ns = j->o.ns, .name = j->o.name, .body = of->body, .old = old };
	str dedup = arena_fmt(j->arena, "%.*s %.*s %c", STR_ARG(of->uid), STR_ARG(of->version), letters[change]);
	return resource_news_write(j->r->news, db, &o, dedup, &j->told, e);
}

/* A watch says of a gone object how it was last, and a sweep does not know it better than what was told. */
static int
is_gone(struct job *j, sqlite3 *db, const struct seen *was, struct err *e)
{
	const struct seen *last = j->now.body.p ? &j->now : was;
	if (tell(j, db, OBJECT_DELETE, last, STR_NONE, e) < 0)
		return -1;
	return delete_seen(j, db, e);
}

static int
compare(sqlite3 *db, void *arg, struct err *e)
{
	struct job *j = arg;
	struct seen was;
	int known = read_seen(j, db, &was, e);
	if (known < 0)
		return -1;
	if (!j->o.body.p)
		return known ? is_gone(j, db, &was, e) : 0;
	bool same = known && str_eq(was.uid, j->now.uid);
	if (same && str_eq(was.version, j->now.version))
		return j->listing ? mark_seen(j, db, e) : 0;
	if (known && !same && tell(j, db, OBJECT_DELETE, &was, STR_NONE, e) < 0) /* another object of that name */
		return -1;
	if (tell(j, db, same ? OBJECT_UPDATE : OBJECT_ADD, &j->now, same ? was.body : STR_NONE, e) < 0)
		return -1;
	return write_seen(j, db, e);
}

/* ---- one object ------------------------------------------------------------------------------------------------------- */

void
resource_seen_tell(struct resource *r, const struct cluster_object *o, int64_t listing, int64_t since)
{
	struct job *j = job_new(r, listing, since);
	str body = resource_body(j->arena, &o->object);
	j->o.ns = arena_dup(j->arena, o->ns);
	j->o.name = arena_dup(j->arena, o->name);
	j->o.body = o->change == CLUSTER_DELETED ? STR_NONE : body;
	j->now = (struct seen){ arena_dup(j->arena, o->uid), arena_dup(j->arena, o->version), body, o->created_ns };
	store_write(r->store, compare, j, job_over);
}

/* ---- what a listing has not had ---------------------------------------------------------------------------------------- */

struct gone {
	str ns, name;
	struct seen was;
};

static int
read_gone(struct job *j, sqlite3 *db, struct gone *gone, size_t *n, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db,
		"SELECT object_ns, object, uid, version, created, body FROM resource_seen WHERE ns = ? AND source = ? AND event = ?"
		" AND (object_ns, object) > (?, ?) AND listing <> ? ORDER BY object_ns, object LIMIT 32", e);
	if (!q)
		return -1;
	const str keys[] = { j->ns, j->source, j->event, j->after_ns, j->after };
	for (int i = 0; i < (int)ARRAY_LEN(keys); i++)
		sqlite3_bind_text64(q, i + 1, keys[i].p, keys[i].n, SQLITE_STATIC, SQLITE_UTF8);
	sqlite3_bind_int64(q, 6, j->listing);
	int rc;
	for (*n = 0; (rc = sqlite3_step(q)) == SQLITE_ROW; ++*n) {
		str texts[6];
		for (int i = 0; i < 6; i++)
			texts[i] = i == 4 ? STR_NONE : arena_dup(j->arena, store_text(q, i));
		gone[*n] = (struct gone){ texts[0], texts[1], { texts[2], texts[3], texts[5], sqlite3_column_int64(q, 4) } };
	}
	sqlite3_reset(q);
	return rc == SQLITE_DONE ? 0 : err_set(e, ERR_IO, "reading what objects were: %s", sqlite3_errmsg(db));
}

static int
sweep(sqlite3 *db, void *arg, struct err *e)
{
	struct job *j = arg;
	struct gone gone[SWEEP_PAGE];
	size_t n;
	if (read_gone(j, db, gone, &n, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		j->o.ns = j->after_ns = gone[i].ns;
		j->o.name = j->after = gone[i].name;
		if (is_gone(j, db, &gone[i].was, e) < 0)
			return -1;
	}
	j->more = n == SWEEP_PAGE;
	return 0;
}

static void sweep_on(struct resource *r, const struct job *before);

static void
swept(void *arg)
{
	struct job *j = arg;
	if (!j->r->stopping && j->more)
		sweep_on(j->r, j);
	else if (!j->r->stopping)
		j->done(j->r);
	job_over(j);
}

static void
sweep_on(struct resource *r, const struct job *before)
{
	struct job *j = job_new(r, before->listing, before->since);
	j->after_ns = arena_dup(j->arena, before->after_ns);
	j->after = arena_dup(j->arena, before->after);
	j->done = before->done;
	store_write(r->store, sweep, j, swept);
}

void
resource_seen_sweep(struct resource *r, int64_t listing, int64_t since, void (*done)(struct resource *r))
{
	sweep_on(r, &(struct job){ .listing = listing, .since = since, .after_ns = S(""), .after = S(""), .done = done });
}

/* ---- anew -------------------------------------------------------------------------------------------------------------- */

static int
forget(sqlite3 *db, void *arg, struct err *e)
{
	const struct job *j = arg;
	return store_exec(db, e, "DELETE FROM resource_seen WHERE ns = ? AND source = ? AND event = ?", "sss", j->ns, j->source, j->event);
}

void
resource_seen_forget(struct resource *r)
{
	struct job *j = job_new(r, 0, 0);
	store_write(r->store, forget, j, job_over);
}
