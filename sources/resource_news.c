/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resource_news: from a change of an object to its event, without loss and without repetition. A change is judged on the writer's thread,
 * in the transaction that makes it, where the object can be read as it was; what is to be told becomes a row there. Rows become events
 * in pages: an event is published and its row deleted in one transaction. So a kill at any point leaves either the row or the event,
 * a full bus leaves the rows where they are, and a chain of workflows that leads to itself takes turns with everybody else.
 */
#include "core/log.h"
#include "sources/resource.h"
#include "sources/webhook_server.h"

enum { PAGE = 64, PAGE_BYTES = 4 << 20 };

const char resource_schema_sql[] =
	/* What is to be told. */
	"CREATE TABLE resource_news (id INTEGER PRIMARY KEY, ns TEXT NOT NULL, source TEXT NOT NULL, event TEXT NOT NULL, data TEXT NOT NULL) STRICT;"
	"CREATE INDEX resource_news_of ON resource_news (ns, source, event, id);"
	/* Objects of the configuration as they were told last. */
	"CREATE TABLE resource_known (ns TEXT NOT NULL, source TEXT NOT NULL, event TEXT NOT NULL, resource TEXT NOT NULL, object_ns TEXT NOT NULL,"
	" object TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (ns, source, event, resource, object_ns, object)) STRICT, WITHOUT ROWID;";

const char resource_cluster_sql[] =
	"ALTER TABLE resource_news ADD COLUMN dedup TEXT;"
	/* Objects of a cluster as they were told last; the body is last, so that it is read only if it is asked for. */
	"CREATE TABLE resource_seen (ns TEXT NOT NULL, source TEXT NOT NULL, event TEXT NOT NULL, object_ns TEXT NOT NULL, object TEXT NOT NULL,"
	" uid TEXT NOT NULL, version TEXT NOT NULL, created INTEGER NOT NULL, listing INTEGER NOT NULL, body TEXT NOT NULL,"
	" UNIQUE (ns, source, event, object_ns, object)) STRICT;";

struct resource_news {
	struct source *source;
	struct store *store;
	const struct resource_source *config;
	const struct workflow_feed *feed;
	struct resource_match *match; /* the writer's */
	bool types[3];                /* by enum object_change */
	size_t under_way;             /* jobs and reads */
	bool reading, again, ending;
	void (*ended)(void *arg);
	void *arg;
};

/* ---- names ---------------------------------------------------------------------------------------------------------- */

static const char *const change_names[] = { [OBJECT_ADD] = "ADD", [OBJECT_UPDATE] = "UPDATE", [OBJECT_DELETE] = "DELETE" };

void
resource_data(struct buf *b, const struct resource_source *c, enum object_change change, str body, str old)
{
	buf_addf(b, "{\"type\":\"%s\",\"body\":%.*s,\"oldBody\":", change_names[change], STR_ARG(body));
	buf_add(b, change == OBJECT_UPDATE && old.p ? old : S("null"));
	buf_add(b, S(",\"group\":"));
	json_quote(b, c->group, JSON_HTML);
	buf_add(b, S(",\"version\":"));
	json_quote(b, c->version, JSON_HTML);
	buf_add(b, S(",\"resource\":"));
	json_quote(b, c->resource, JSON_HTML);
	if (c->metadata.n) {
		buf_add(b, S(",\"metadata\":"));
		webhook_metadata_json(b, &c->metadata);
	}
	buf_addc(b, '}');
}

struct resource_news *
resource_news_new(struct source *s, struct store *store, struct resource_match *match)
{
	struct resource_news *n = MEM_NEW(struct resource_news);
	*n = (struct resource_news){ .source = s, .store = store, .config = source_config(s), .match = match,
		                     .feed = sources_workflows(source_owner(s)) };
	for (size_t i = 0; i < n->config->event_types.n; i++)
		for (size_t t = 0; t < ARRAY_LEN(change_names); t++)
			n->types[t] |= str_eq(n->config->event_types.p[i], str_c(change_names[t]));
	return n;
}

bool
resource_news_wants(const struct resource_news *n, enum object_change change)
{
	return n->types[change];
}

static void
end_if_over(struct resource_news *n)
{
	if (!n->ending || n->under_way)
		return;
	n->ended(n->arg);
	resource_match_free(n->match);
	free(n);
}

void
resource_news_free(struct resource_news *n, void (*ended)(void *arg), void *arg)
{
	n->ending = true;
	n->ended = ended;
	n->arg = arg;
	end_if_over(n);
}

/* ---- from the change to the row: on the writer's thread ------------------------------------------------------------- */

struct change_job {
	struct arena *arena;
	struct resource_news *news;
	struct object_news o;
	str ns, source, event; /* of the source */
	bool told;
};

/* What the object was before, if nobody said. A row that cannot be read is no reason to stop the daemon. */
static void
read_old(struct change_job *j, sqlite3 *db)
{
	struct val v;
	struct err e;
	if (j->o.old.p || !j->o.id || j->o.change == OBJECT_ADD)
		return;
	if (j->news->feed->read(db, j->o.ns, j->o.name, j->arena, &v, &e) < 0)
		return;
	struct buf b CLEANUP(free_buf) = { 0 };
	json_write_opts(&b, &v, JSON_SORT | JSON_HTML);
	j->o.old = arena_dup(j->arena, buf_str(&b));
	if (j->o.change == OBJECT_DELETE && !j->o.body.p)
		j->o.body = j->o.old;
}

/* As a watch by labels sees it: who begins to have them is added, who has them no more is deleted. False: it is no concern of the source's. */
static bool
seen_change(struct change_job *j)
{
	struct resource_match *m = j->news->match;
	bool has = j->o.body.p && resource_labels_match(m, j->o.body);
	bool had = j->o.change == OBJECT_UPDATE && (j->o.old.p ? resource_labels_match(m, j->o.old) : has);
	if (j->o.change == OBJECT_UPDATE)
		j->o.change = had && has ? OBJECT_UPDATE : has ? OBJECT_ADD : OBJECT_DELETE;
	return has || had;
}

/* Workflows before the source's start do not count with afterStart, nor those that are still to be told of. -1: the store cannot be read. */
static int
counts(struct change_job *j, sqlite3 *db, struct err *e)
{
	const struct resource_filter *f = j->news->config->filter;
	bool after_start = f && f->after_start;
	if (!j->o.id || (!after_start && !j->o.below))
		return 1;
	sqlite3_stmt *q = store_prepare(db, "SELECT mark FROM source_mark WHERE ns = ? AND source = ? AND event = ?", e);
	if (!q)
		return -1;
	const str keys[] = { j->ns, j->source, j->event };
	for (int i = 0; i < (int)ARRAY_LEN(keys); i++)
		sqlite3_bind_text64(q, i + 1, keys[i].p, keys[i].n, SQLITE_STATIC, SQLITE_UTF8);
	int64_t mark = sqlite3_step(q) == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
	sqlite3_reset(q);
	return after_start ? j->o.id >= mark : j->o.id < mark;
}

static int
write_known(struct change_job *j, sqlite3 *db, bool removed, struct err *e)
{
	str resource = j->news->config->resource;
	if (j->o.id)
		return 0;
	if (removed)
		return store_exec(db, e, "DELETE FROM resource_known WHERE ns = ? AND source = ? AND event = ? AND resource = ? AND object_ns = ? AND object = ?",
		                  "ssssss", j->ns, j->source, j->event, resource, j->o.ns, j->o.name);
	return store_exec(db, e,
		"INSERT OR REPLACE INTO resource_known (ns, source, event, resource, object_ns, object, body) VALUES (?, ?, ?, ?, ?, ?, ?)", "sssssss", j->ns,
		j->source, j->event, resource, j->o.ns, j->o.name, j->o.body);
}

static int
write_mark(struct change_job *j, sqlite3 *db, struct err *e)
{
	if (!j->o.advance)
		return 0;
	return store_exec(db, e, "UPDATE source_mark SET mark = max(mark, ?) WHERE ns = ? AND source = ? AND event = ?", "isss", j->o.id + 1, j->ns,
	                  j->source, j->event);
}

int
resource_news_write(struct resource_news *n, sqlite3 *db, const struct object_news *o, str dedup, bool *told, struct err *e)
{
	struct buf data CLEANUP(free_buf) = { 0 };
	if (!n->types[o->change] || !resource_fields_match(n->match, o->name, o->body))
		return 0;
	resource_data(&data, n->config, o->change, o->body, o->old);
	*told = true;
	return store_exec(db, e, "INSERT INTO resource_news (ns, source, event, data, dedup) VALUES (?, ?, ?, ?, ?)", "sssss", source_ns(n->source),
	                  source_name(n->source), source_event_name(n->source), buf_str(&data), dedup);
}

static int
judge(sqlite3 *db, void *arg, struct err *e)
{
	struct change_job *j = arg;
	bool removed = j->o.change == OBJECT_DELETE;
	read_old(j, db);
	int counted = counts(j, db, e);
	if (counted < 0 || write_known(j, db, removed, e) < 0 || write_mark(j, db, e) < 0)
		return -1;
	if (!counted || j->o.known || !seen_change(j))
		return 0;
	return resource_news_write(j->news, db, &j->o, STR_NONE, &j->told, e);
}

static void
judged(void *arg)
{
	struct change_job *j = arg;
	struct resource_news *n = j->news;
	bool told = j->told;
	arena_free(j->arena);
	if (told)
		resource_news_go_on(n);
	n->under_way--;
	end_if_over(n);
}

bool
resource_news_is_idle(const struct resource_news *n, const struct object_news *o)
{
	bool by_labels = n->config->filter && n->config->filter->labels.n;
	return o->id && !o->advance && !n->types[o->change] && !(o->change == OBJECT_UPDATE && by_labels);
}

void
resource_news_add(struct resource_news *n, const struct object_news *o)
{
	if (resource_news_is_idle(n, o))
		return;
	struct arena *a = arena_new();
	struct change_job *j = ARENA_NEW(a, struct change_job);
	*j = (struct change_job){ .arena = a, .news = n, .o = *o, .ns = source_ns(n->source), .source = source_name(n->source),
		                  .event = source_event_name(n->source) };
	j->o.ns = arena_dup(a, o->ns);
	j->o.name = arena_dup(a, o->name);
	j->o.body = arena_dup(a, o->body);
	j->o.old = arena_dup(a, o->old);
	n->under_way++;
	store_write(n->store, judge, j, judged);
}

/* ---- from the row to the event -------------------------------------------------------------------------------------- */

struct page {
	struct arena *arena;
	struct resource_news *news;
	str ns, source, event;
	struct event *events[PAGE];
	int64_t ids[PAGE], last;
	size_t n;
	bool more;
};

static struct page *
page_new(struct resource_news *n)
{
	struct arena *a = arena_new();
	struct page *p = ARENA_NEW(a, struct page);
	*p = (struct page){ .arena = a, .news = n, .ns = source_ns(n->source), .source = source_name(n->source), .event = source_event_name(n->source) };
	n->under_way++;
	return p;
}

static int
read_page(sqlite3 *db, void *arg, struct err *e)
{
	struct page *p = arg;
	sqlite3_stmt *q = store_prepare(db, "SELECT id, data, dedup FROM resource_news WHERE ns = ? AND source = ? AND event = ? ORDER BY id LIMIT 65", e);
	if (!q)
		return -1;
	const str keys[] = { p->ns, p->source, p->event };
	for (int i = 0; i < (int)ARRAY_LEN(keys); i++)
		sqlite3_bind_text64(q, i + 1, keys[i].p, keys[i].n, SQLITE_STATIC, SQLITE_UTF8);
	int rc;
	size_t bytes = 0;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		p->more = p->n == PAGE || (p->n && bytes > PAGE_BYTES);
		if (p->more)
			break;
		struct event *ev = event_new();
		ev->data = arena_dup(ev->arena, store_text(q, 1));
		if (sqlite3_column_type(q, 2) != SQLITE_NULL)
			ev->dedup = arena_dup(ev->arena, store_text(q, 2));
		bytes += ev->data.n;
		p->ids[p->n] = sqlite3_column_int64(q, 0);
		p->events[p->n++] = ev;
	}
	sqlite3_reset(q);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : err_set(e, ERR_IO, "reading changes of objects: %s", sqlite3_errmsg(db));
}

static int
delete_told(sqlite3 *db, void *arg, struct err *e)
{
	const struct page *p = arg;
	return store_exec(db, e, "DELETE FROM resource_news WHERE ns = ? AND source = ? AND event = ? AND id <= ?", "sssi", p->ns, p->source, p->event,
	                  p->last);
}

static void
page_over(struct page *p, bool more)
{
	struct resource_news *n = p->news;
	arena_free(p->arena);
	n->reading = false;
	if (more || n->again)
		resource_news_go_on(n);
	n->under_way--;
	end_if_over(n);
}

static void
told_deleted(void *arg)
{
	struct page *p = arg;
	page_over(p, p->more);
}

/* As many as the bus has room for. */
static void
emit_page(struct page *p)
{
	struct resource_news *n = p->news;
	for (size_t i = 0; i < p->n; i++) {
		if (n->ending || source_is_paused(n->source)) {
			event_unref(p->events[i]);
			p->more = false; /* goes on when there is room */
			continue;
		}
		p->last = p->ids[i];
		source_emit(n->source, p->events[i], NULL);
	}
}

static void
page_read(void *arg, const struct err *e)
{
	struct page *p = arg;
	if (e)
		log_error("changes of objects cannot be read", "error", e->msg, NULL);
	emit_page(p);
	if (p->last)
		store_write(p->news->store, delete_told, p, told_deleted);
	else
		page_over(p, false);
}

void
resource_news_go_on(struct resource_news *n)
{
	n->again = n->reading;
	if (n->reading || n->ending || source_is_paused(n->source))
		return;
	n->reading = true;
	struct page *p = page_new(n);
	store_read(n->store, read_page, p, page_read);
}
