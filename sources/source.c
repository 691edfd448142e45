/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One source, and what each kind is spared: naming events, filtering, publishing, counting, starting again.
 *
 * A source lives from sources_apply to the later of source_stopped() and the answer to its last event. It holds on to the
 * EventSource object its configuration is in; an object that changed elsewhere leaves it running on the old, equal one.
 * All state belongs to the loop's thread; source_emit from another thread travels there first.
 */
#include "core/log.h"
#include "core/metrics.h"
#include "sources/filter.h"
#include "sources/impl.h"
#include "sources/s3_event.h"
#include "sources/webhook_context.h"
#include "sources/webhook_server.h"

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

bool
source_like_argo(const struct source *s)
{
	return object_like_argo(s->object);
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

void
source_count_duplicate(struct source *s)
{
	metric_add(METRIC_EVENTS_DUPLICATE, 1, s->name_z, s->event_z, NULL);
}

/* ---- life of one source --------------------------------------------------------------------------------------- */

void
source_free_if_over(struct source *s)
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
source_after_commit(struct source *s, void (*done)(void *arg), void *arg)
{
	store_after_commit(s->owner->store, done, arg);
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
	source_free_if_over(s);
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

/*
 * Whether one more failure gets a line. Those of an outage may differ each time (a path, the number of a request): a few do, and then as many as
 * there are doublings of its time.
 */
static bool
worth_a_line(struct source *s)
{
	enum { AT_ONCE = 4, DOUBLINGS = 20 };
	int64_t now = loop_now(s->owner->loop);
	unsigned more = s->told < AT_ONCE ? 0 : s->told - AT_ONCE;
	if (s->told >= AT_ONCE && now - s->told_at < (4 * NS_PER_SEC) << (more < DOUBLINGS ? more : DOUBLINGS))
		return false;
	s->told++;
	s->told_at = now;
	return true;
}

static void
set_state(struct source *s, enum source_state state, const char *error)
{
	/* An attempt that fails as the one before did is no news. */
	bool news = strcmp(s->error, error) != 0 || (state == RUNNING && s->state != RUNNING);
	if (state != s->state)
		s->since = loop_now(s->owner->loop);
	s->state = state;
	s->told = state == RUNNING ? 0 : s->told;
	metric_set(METRIC_SOURCE_UP, state == RUNNING, s->name_z, s->event_z, NULL);
	if (!news)
		return;
	snprintf(s->error, sizeof s->error, "%s", error);
	note_error(s, error);
	const char *ns = s->object->ns.p;
	if (state == FAILED && worth_a_line(s))
		log_warn("source does not run", "namespace", ns, "eventsource", s->name_z, "event", s->event_z, "error", s->error, NULL);
	if (state == RUNNING)
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

static int
try_start(struct source *s, struct err *e)
{
	const struct event_source *es = s->object->spec;
	str bus_name = es->spec.bus_name.n ? es->spec.bus_name : S("default");
	s->bus = s->owner->bus_of(s->owner->arg, s->object->ns, bus_name);
	if (!s->bus)
		return err_set(e, ERR_NOT_FOUND, "event bus \"%.*s\": there is none of that name in namespace %.*s", STR_ARG(bus_name),
		               STR_ARG(s->object->ns));
	sources_watch_bus(s->owner, s->bus);
	if (!s->ops->start)
		return err_set(e, ERR_UNSUPPORTED, "sources of kind %s are not served yet%s%s", s->ops->kind, s->ops->instead ? ": " : "",
		               s->ops->instead ? s->ops->instead : "");
	s->s3 = member_of(s->entry, &s3_events_schema);
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

void
source_end(struct source *s)
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
	source_free_if_over(s);
}

static void
count_from_zero(struct source *s)
{
	static const enum metric_id ids[] = { METRIC_EVENTS_SENT, METRIC_EVENTS_FAILED, METRIC_EVENTS_DUPLICATE, METRIC_EVENTS_FILTERED,
	                                      METRIC_SOURCE_UP, METRIC_SOURCE_FAILURES };
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		metric_add(ids[i], 0, s->name_z, s->event_z, NULL);
}

void
source_add(struct sources *ss, struct object *o, const struct source_entry *entry, str key)
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
	source_free_if_over(s);
}

void
source_name_event(struct source *s, struct event *ev)
{
	ev->ns = arena_dup(ev->arena, s->object->ns);
	ev->source = arena_dup(ev->arena, s->object->name);
	ev->subject = arena_dup(ev->arena, s->entry->name);
	ev->type = str_c(s->ops->type ? s->ops->type : s->ops->kind);
	ev->time = loop_now(s->owner->loop);
}

bool
source_is_told(struct source *s, struct event *ev)
{
	str data = STR_NONE;
	int rc = s->s3 ? s3_events_unwrap(s->s3, ev->arena, ev->data, &data) : -1;
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
	source_name_event(s, ev);
	if (!source_is_told(s, ev) || filtered_out(s, ev)) {
		answer(s, ev, token, false, NULL);
		return;
	}
	if (s->ops->take && !s->ops->take(s, ev, token)) {
		err_set(&e, ERR_UNAVAILABLE, "the source stops");
		answer(s, ev, token, false, &e);
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
