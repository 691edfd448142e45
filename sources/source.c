/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The set of sources that run, and what each kind is spared: naming events, filtering, publishing, counting, starting again.
 *
 * A source lives from sources_apply to the later of source_stopped() and the answer to its last event. It holds on to the
 * EventSource object its configuration is in; an object that changed elsewhere leaves it running on the old, equal one.
 * All state belongs to the loop's thread; source_emit from another thread travels there first.
 */
#include "sources/source.h"

#include <pthread.h>

#include "core/log.h"
#include "core/map.h"
#include "core/metrics.h"
#include "core/net/httpc.h"
#include "sources/backoff.h"
#include "sources/eventsource.h"
#include "sources/filter.h"
#include "sources/resource.h"
#include "sources/s3_event.h"
#include "sources/webhook_context.h"
#include "sources/webhook_server.h"

const char sources_schema_sql[] =
	"CREATE TABLE source_mark (ns TEXT NOT NULL, source TEXT NOT NULL, event TEXT NOT NULL, mark INTEGER NOT NULL,"
	" PRIMARY KEY (ns, source, event)) STRICT, WITHOUT ROWID;";

enum state { STARTING, CONNECTING, RUNNING, FAILED };
static const char *const state_names[] = { "starting", "connecting", "running", "failed" };

/* A bus and who of us publishes to it, so that a full one pauses them. */
struct bus_watch {
	struct link link; /* in sources.watches */
	struct sources *owner;
	struct bus *bus;
};

struct sources {
	struct loop *loop;
	struct store *store;
	struct objects *objects;
	struct bus *(*bus_of)(void *arg, str ns, str bus_name);
	void *arg;
	pthread_t thread;
	struct map running;   /* "ns/source/event" -> struct source */
	struct link all;      /* also those that are stopping */
	struct link watches;
	struct webhook_servers *webhooks;
	struct httpc *httpc; /* NULL until somebody asks */
	const struct workflow_feed *workflows; /* NULL: there are none */
	bool closed;
};

struct source {
	struct link link; /* in sources.all */
	struct sources *owner;
	struct arena *arena;
	struct object *object; /* one reference: the configuration lies in it */
	const struct source_entry *entry;
	const struct source_ops *ops;
	str key, url;
	const char *name_z, *event_z; /* for metrics and logs */
	struct bus *bus;
	struct filter *filter;
	void *data;
	enum state state;
	int64_t since;
	char error[sizeof((struct err *)0)->msg], last_error[sizeof((struct err *)0)->msg];
	int64_t failed_at; /* when last_error came; 0: never */
	bool paused, started, stopping, stopped, seen;
	size_t under_way; /* events published and not answered, reads of the mark */
	struct backoff_state waits;
	struct timer retry;
};

/* ---- what kinds ask ------------------------------------------------------------------------------------------- */

const void *
source_config(const struct source *s)
{
	return s->entry->config;
}

str
source_ns(const struct source *s)
{
	return s->object->ns;
}

str
source_name(const struct source *s)
{
	return s->object->name;
}

str
source_event_name(const struct source *s)
{
	return s->entry->name;
}

struct loop *
source_loop(const struct source *s)
{
	return s->owner->loop;
}

struct sources *
source_owner(const struct source *s)
{
	return s->owner;
}

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

void
source_set_data(struct source *s, void *data)
{
	s->data = data;
}

void *
source_data(const struct source *s)
{
	return s->data;
}

void
source_set_url(struct source *s, str url)
{
	s->url = arena_dup(s->arena, url);
}

bool
source_is_paused(const struct source *s)
{
	return s->paused;
}

int
source_secret(struct source *s, const struct secret_ref *ref, struct arena *a, str *out, struct err *e)
{
	str value;
	if (secret_key(s->owner->objects, s->object->ns, ref->name, ref->key, &value, e) < 0)
		return -1;
	if (value.n && value.p[value.n - 1] == '\n')
		value.n--;
	log_mask(value);
	*out = arena_dup(a, value);
	return 0;
}

void
source_count_failure(struct source *s)
{
	metric_add(METRIC_EVENTS_FAILED, 1, s->name_z, s->event_z, NULL);
}

/* ---- life of one source --------------------------------------------------------------------------------------- */

static void
free_if_over(struct source *s)
{
	if (!s->stopped || s->under_way)
		return;
	struct sources *ss = s->owner;
	list_del(&s->link);
	object_unref(s->object);
	filter_free(s->filter);
	arena_free(s->arena);
	if (ss->closed && list_empty(&ss->all)) {
		webhook_servers_free(ss->webhooks);
		free(ss);
	}
}

struct store *
source_store(const struct source *s)
{
	return s->owner->store;
}

void
source_hold(struct source *s)
{
	s->under_way++;
}

void
source_release(struct source *s)
{
	s->under_way--;
	free_if_over(s);
}

bool
source_is_stopping(const struct source *s)
{
	return s->stopping;
}

static void
note_error(struct source *s, const char *error)
{
	if (!*error)
		return;
	metric_add(METRIC_SOURCE_FAILURES, 1, s->name_z, s->event_z, NULL);
	snprintf(s->last_error, sizeof s->last_error, "%s", error);
	s->failed_at = loop_now(s->owner->loop);
}

static void
set_state(struct source *s, enum state state, const char *error)
{
	/* An attempt that fails as the one before did is no news. */
	bool news = strcmp(s->error, error) != 0 || (state == RUNNING && s->state != RUNNING);
	if (state != s->state)
		s->since = loop_now(s->owner->loop);
	s->state = state;
	metric_set(METRIC_SOURCE_UP, state == RUNNING, s->name_z, s->event_z, NULL);
	if (!news)
		return;
	snprintf(s->error, sizeof s->error, "%s", error);
	note_error(s, error);
	const char *ns = s->object->ns.p;
	if (state == FAILED)
		log_warn("source does not run", "namespace", ns, "eventsource", s->name_z, "event", s->event_z, "error", s->error, NULL);
	else if (state == RUNNING)
		log_info("source runs", "namespace", ns, "eventsource", s->name_z, "event", s->event_z, "type", s->ops->kind,
		         s->url.n ? "url" : NULL, s->url.p, NULL);
}

void
source_state(struct source *s, bool connected, const struct err *e)
{
	set_state(s, connected ? RUNNING : FAILED, e ? e->msg : "");
}

void
source_connecting(struct source *s)
{
	if (s->state == STARTING)
		s->state = CONNECTING;
}

/* What a member of that schema says, wherever the kind has it; NULL: nothing. */
static const void *
member_of(const struct source_entry *entry, const struct schema *schema)
{
	for (const struct field *f = entry->ops->schema->fields; f->kind != FIELD_END; f++)
		if (f->kind == FIELD_PTR_ && f->schema == schema)
			return *(const void *const *)(const void *)((const char *)entry->config + f->offset);
	return NULL;
}

/* The expression of the entry, if its kind filters by expression. */
static str
filter_of(const struct source_entry *entry)
{
	const struct source_filter *filter = member_of(entry, &source_filter_schema);
	return filter ? filter->expression : STR_NONE;
}

static void watch_bus(struct sources *ss, struct bus *b);

static int
try_start(struct source *s, struct err *e)
{
	const struct event_source *es = s->object->spec;
	str bus_name = es->spec.bus_name.n ? es->spec.bus_name : S("default");
	s->bus = s->owner->bus_of(s->owner->arg, s->object->ns, bus_name);
	if (!s->bus)
		return err_set(e, ERR_NOT_FOUND, "event bus \"%.*s\": there is none of that name in namespace %.*s", STR_ARG(bus_name),
		               STR_ARG(s->object->ns));
	watch_bus(s->owner, s->bus);
	if (!s->ops->start)
		return err_set(e, ERR_UNSUPPORTED, "sources of kind %s are not served yet", s->ops->kind);
	str expression = filter_of(s->entry);
	if (expression.p && !s->filter && filter_compile(expression, &s->filter, e) < 0)
		return err_wrap(e, "filter.expression");
	return s->ops->start(s, e);
}

static void
start(void *arg)
{
	struct source *s = arg;
	struct err e = { 0 };
	s->state = STARTING;
	if (try_start(s, &e) == 0) {
		s->started = true;
		backoff_reset(&s->waits);
		s->paused = bus_is_full(s->bus);
		if (s->state == STARTING) /* else the kind has said more */
			set_state(s, RUNNING, "");
		if (s->paused && s->ops->pause)
			s->ops->pause(s, true);
		return;
	}
	set_state(s, FAILED, e.msg);
	timer_start(s->owner->loop, &s->retry, loop_now(s->owner->loop) + backoff_next(&s->waits, NULL), start, s);
}

static void
stop(struct source *s)
{
	if (s->stopping)
		return;
	s->stopping = true;
	map_del(&s->owner->running, s->key);
	timer_stop(&s->retry);
	metric_set(METRIC_SOURCE_UP, 0, s->name_z, s->event_z, NULL);
	log_info("source stops", "namespace", s->object->ns.p, "eventsource", s->name_z, "event", s->event_z, NULL);
	if (s->started)
		s->ops->stop(s);
	else
		source_stopped(s);
}

void
source_stopped(struct source *s)
{
	s->stopped = true;
	free_if_over(s);
}

static void
count_from_zero(struct source *s)
{
	static const enum metric_id ids[] = { METRIC_EVENTS_SENT, METRIC_EVENTS_FAILED, METRIC_EVENTS_DUPLICATE, METRIC_EVENTS_FILTERED,
	                                      METRIC_SOURCE_UP, METRIC_SOURCE_FAILURES };
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		metric_add(ids[i], 0, s->name_z, s->event_z, NULL);
}

static void
add(struct sources *ss, struct object *o, const struct source_entry *entry, str key)
{
	struct arena *a = arena_new();
	struct source *s = ARENA_NEW(a, struct source);
	*s = (struct source){ .owner = ss, .arena = a, .object = object_ref(o), .entry = entry, .ops = entry->ops, .seen = true,
	                      .key = arena_dup(a, key), .name_z = str_z(a, o->name), .event_z = str_z(a, entry->name),
	                      .since = loop_now(ss->loop) };
	list_add_tail(&ss->all, &s->link);
	map_put(&ss->running, s->key, s);
	count_from_zero(s);
	start(s);
}

/* ---- events --------------------------------------------------------------------------------------------------- */

/* An event that its kind waits to hear about. In the event's arena. */
struct emitted {
	struct source *source;
	struct event *ev; /* one reference, while it travels to the loop */
	void *token;
	struct emitted *next; /* what travels with it */
};

static void
answer(struct source *s, struct event *ev, void *token, bool duplicate, const struct err *e)
{
	if (s->ops->ack)
		s->ops->ack(s, ev, token, duplicate, e);
}

static void
stored(void *arg, struct event *ev, enum bus_result how)
{
	struct emitted *m = arg;
	struct source *s = m->source;
	metric_add(how == BUS_STORED ? METRIC_EVENTS_SENT : METRIC_EVENTS_DUPLICATE, 1, s->name_z, s->event_z, NULL);
	answer(s, ev, m->token, how == BUS_DUPLICATE, NULL);
	s->under_way--;
	free_if_over(s);
}

static void
name_event(struct source *s, struct event *ev)
{
	ev->ns = arena_dup(ev->arena, s->object->ns);
	ev->source = arena_dup(ev->arena, s->object->name);
	ev->subject = arena_dup(ev->arena, s->entry->name);
	ev->type = str_c(s->ops->type ? s->ops->type : s->ops->kind);
	ev->time = loop_now(s->owner->loop);
}

/* A notification of S3 gets the shape that those of minio have. False: there is nothing in it to tell. */
static bool
is_told(struct source *s, struct event *ev)
{
	const struct s3_events *s3 = member_of(s->entry, &s3_events_schema);
	str data = STR_NONE;
	int rc = s3 ? s3_events_unwrap(s3, ev->arena, ev->data, &data) : -1;
	if (rc > 0)
		ev->data = data;
	else if (rc == 0)
		metric_add(METRIC_EVENTS_FILTERED, 1, s->name_z, s->event_z, NULL);
	return rc != 0;
}

static bool
filtered_out(struct source *s, struct event *ev)
{
	struct err e = { 0 };
	int passes = s->filter ? filter_passes(s->filter, ev, &e) : 1;
	if (passes > 0)
		return false;
	metric_add(METRIC_EVENTS_FILTERED, 1, s->name_z, s->event_z, NULL);
	if (passes < 0)
		log_warn("the source's filter failed on an event, which is dropped", "eventsource", s->name_z, "event", s->event_z, "error",
		         e.msg, NULL);
	return true;
}

/* On the loop's thread. Borrows the event. */
static void
take_in(struct source *s, struct event *ev, void *token)
{
	struct err e = { 0 };
	if (bus_is_full(s->bus)) {
		err_set(&e, ERR_UNAVAILABLE, "too many events are waiting for the disk");
		source_count_failure(s);
		answer(s, ev, token, false, &e);
		return;
	}
	name_event(s, ev);
	if (!is_told(s, ev) || filtered_out(s, ev)) {
		answer(s, ev, token, false, NULL);
		return;
	}
	struct emitted *m = ARENA_NEW(ev->arena, struct emitted);
	*m = (struct emitted){ .source = s, .token = token };
	s->under_way++;
	bus_publish(s->bus, ev, stored, m);
}

static void
arrived(void *arg)
{
	for (struct emitted *m = arg, *next; m; m = next) {
		struct event *ev = m->ev;
		next = m->next;
		take_in(m->source, ev, m->token);
		event_unref(ev);
	}
}

void
source_emit(struct source *s, struct event *ev, void *token)
{
	if (!pthread_equal(pthread_self(), s->owner->thread)) {
		source_emit_all(s, &ev, &token, 1);
		return;
	}
	take_in(s, ev, token);
	event_unref(ev);
}

void
source_emit_all(struct source *s, struct event *const *ev, void *const *tokens, size_t n)
{
	struct emitted *first = NULL, **end = &first;
	for (size_t i = 0; i < n; i++) {
		*end = ARENA_NEW(ev[i]->arena, struct emitted);
		**end = (struct emitted){ .source = s, .ev = ev[i], .token = tokens[i] };
		end = &(*end)->next;
	}
	if (pthread_equal(pthread_self(), s->owner->thread))
		arrived(first);
	else if (first)
		loop_post(s->owner->loop, arrived, first);
}

/* ---- marks ---------------------------------------------------------------------------------------------------- */

struct mark_job {
	struct arena *arena;
	struct source *source;
	str ns, name, event;
	int64_t mark;
	void (*done)(struct source *s, int64_t mark);
};

/* A mark with a name has its own row: names of entries have no line feed. */
static str
row_name(struct source *s, struct arena *a, str name)
{
	return name.n ? arena_fmt(a, "%.*s\n%.*s", STR_ARG(s->entry->name), STR_ARG(name)) : arena_dup(a, s->entry->name);
}

static struct mark_job *
new_mark_job(struct source *s, str name)
{
	struct arena *a = arena_new();
	struct mark_job *j = ARENA_NEW(a, struct mark_job);
	*j = (struct mark_job){ .arena = a, .source = s, .ns = arena_dup(a, s->object->ns), .name = arena_dup(a, s->object->name),
	                        .event = row_name(s, a, name) };
	s->under_way++;
	return j;
}

static void
mark_job_over(struct mark_job *j)
{
	struct source *s = j->source;
	arena_free(j->arena);
	s->under_way--;
	free_if_over(s);
}

static int
read_mark(sqlite3 *db, void *arg, struct err *e)
{
	struct mark_job *j = arg;
	sqlite3_stmt *q = store_prepare(db, "SELECT mark FROM source_mark WHERE ns = ? AND source = ? AND event = ?", e);
	if (!q)
		return -1;
	const str keys[] = { j->ns, j->name, j->event };
	for (int i = 0; i < (int)ARRAY_LEN(keys); i++)
		sqlite3_bind_text64(q, i + 1, keys[i].p, keys[i].n, SQLITE_STATIC, SQLITE_UTF8);
	int rc = sqlite3_step(q);
	if (rc == SQLITE_ROW)
		j->mark = sqlite3_column_int64(q, 0);
	else if (rc != SQLITE_DONE)
		return err_set(e, ERR_IO, "reading a source's mark: %s", sqlite3_errmsg(db));
	return 0;
}

static void
mark_read(void *arg, const struct err *e)
{
	struct mark_job *j = arg;
	if (e)
		log_error("a source's place cannot be read: it begins anew", "eventsource", j->source->name_z, "event", j->source->event_z,
		          "error", e->msg, NULL);
	if (!j->source->stopping)
		j->done(j->source, j->mark);
	mark_job_over(j);
}

void
source_read_mark(struct source *s, void (*done)(struct source *s, int64_t mark))
{
	source_read_named_mark(s, STR_NONE, done);
}

void
source_read_named_mark(struct source *s, str name, void (*done)(struct source *s, int64_t mark))
{
	struct mark_job *j = new_mark_job(s, name);
	j->done = done;
	store_read(s->owner->store, read_mark, j, mark_read);
}

static int
write_mark(sqlite3 *db, void *arg, struct err *e)
{
	const struct mark_job *j = arg;
	return store_exec(db, e, "INSERT INTO source_mark (ns, source, event, mark) VALUES (?, ?, ?, ?)"
	                         " ON CONFLICT (ns, source, event) DO UPDATE SET mark = excluded.mark",
	                  "sssi", j->ns, j->name, j->event, j->mark);
}

static void
mark_written(void *arg)
{
	mark_job_over(arg);
}

void
source_write_mark(struct source *s, int64_t mark)
{
	source_write_named_mark(s, STR_NONE, mark);
}

void
source_write_named_mark(struct source *s, str name, int64_t mark)
{
	struct mark_job *j = new_mark_job(s, name);
	j->mark = mark;
	store_write(s->owner->store, write_mark, j, mark_written);
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

static void
watch_bus(struct sources *ss, struct bus *b)
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
	return s->ops == entry->ops && str_eq(now->spec.bus_name, then->spec.bus_name) &&
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
		add(ss, o, entry, key);
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
			stop(s);
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
		stop(s);
	}
	map_free(&ss->running);
	struct httpc *httpc = ss->httpc;
	ss->httpc = NULL;
	httpc_free(httpc); /* what is under way ends now, and with it the sources that wait for it */
	if (last) {
		last->under_way--;
		free_if_over(last);
	} else {
		webhook_servers_free(ss->webhooks);
		free(ss);
	}
}

/* ---- looking and emitting ------------------------------------------------------------------------------------- */

/* "file:line" of the entry; absent if it came from no file. */
static str
place_of(const struct source *s, struct arena *a)
{
	const struct val *kinds = val_get(s->object->manifest, S("spec")), *at = val_get(val_get(kinds, str_c(s->ops->kind)), s->entry->name);
	return at && at->line && s->object->file.n ? arena_fmt(a, "%.*s:%u", STR_ARG(s->object->file), at->line) : STR_NONE;
}

static struct val
source_status(const struct source *s, struct arena *a)
{
	struct val_map m = { 0 };
	val_map_add(&m, S("namespace"), val_str(arena_dup(a, s->object->ns)));
	val_map_add(&m, S("eventSource"), val_str(arena_dup(a, s->object->name)));
	val_map_add(&m, S("event"), val_str(arena_dup(a, s->entry->name)));
	val_map_add(&m, S("type"), val_cstr(s->ops->kind));
	val_map_add_str(&m, S("place"), place_of(s, a));
	val_map_add(&m, S("state"), val_cstr(s->paused && s->state == RUNNING ? "paused" : state_names[s->state]));
	val_map_add(&m, S("since"), val_str(time_rfc3339(a, s->since)));
	val_map_add_str(&m, S("error"), arena_dup(a, str_c(s->error)));
	val_map_add_str(&m, S("url"), arena_dup(a, s->url));
	if (s->failed_at) {
		val_map_add(&m, S("lastError"), val_str(arena_dup(a, str_c(s->last_error))));
		val_map_add(&m, S("lastErrorTime"), val_str(time_rfc3339(a, s->failed_at)));
	}
	if (s->ops->describe && s->started)
		s->ops->describe(s, &m, a);
	return val_map_end(&m, a);
}

struct val
sources_status(struct sources *ss, struct arena *a)
{
	struct val_list list = { 0 };
	LIST_EACH(&ss->all, struct source, link, s)
		if (!s->stopping)
			val_list_add(&list, source_status(s, a));
	return val_list_end(&list, a);
}

static int
not_found(struct sources *ss, str ns, str source, str event, struct err *e)
{
	VEC(const char *) names = { 0 };
	struct object *o = objects_find(ss->objects, &kind_eventsource, ns, source);
	LIST_EACH(&ss->all, struct source, link, s)
		if (o && s->object == o && !s->stopping)
			*VEC_PUSH(&names) = s->event_z;
	const char *near = o ? diag_nearest(event, names.p, names.n) : objects_nearest(ss->objects, "EventSource", ns, source);
	if (o)
		err_set(e, ERR_NOT_FOUND, "event source %.*s has no event \"%.*s\"", STR_ARG(source), STR_ARG(event));
	else
		err_set(e, ERR_NOT_FOUND, "there is no event source \"%.*s\" in namespace %.*s", STR_ARG(source), STR_ARG(ns));
	size_t n = strlen(e->msg);
	if (near)
		snprintf(e->msg + n, sizeof e->msg - n, "; did you mean \"%s\"?", near);
	VEC_FREE(&names);
	return -1;
}

int
sources_emit(struct sources *ss, str ns, str source, str event, str data,
             void (*told)(void *arg, struct event *ev, enum bus_result how), void *arg, struct err *e)
{
	struct buf key CLEANUP(free_buf) = { 0 };
	buf_addf(&key, "%.*s/%.*s/%.*s", STR_ARG(ns), STR_ARG(source), STR_ARG(event));
	struct source *s = map_get(&ss->running, buf_str(&key));
	if (!s)
		return not_found(ss, ns, source, event, e);
	if (!s->bus || bus_is_full(s->bus))
		return err_set(e, ERR_UNAVAILABLE, s->bus ? "too many events are waiting for the disk" : "the source's event bus is not there");
	struct event *ev = event_new();
	ev->data = arena_dup(ev->arena, data);
	int rc = s->ops->wrap ? s->ops->wrap(s, ev->arena, ev->data, &ev->data, e) : 0;
	if (rc == 0) {
		(void)is_told(s, ev); /* also what the keys would leave out: it was asked for */
		name_event(s, ev);
		bus_publish(s->bus, ev, told, arg);
	}
	event_unref(ev);
	return rc;
}

struct bus *
sources_bus(struct sources *ss, str ns, str name)
{
	return ss->bus_of(ss->arg, ns, name);
}
