/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events with what became of them, and emit. An event and its decisions are read together on a pool thread; a watch asks
 * again from the last event's time on, four times a second, which costs one indexed look-up when nothing happened. (A place in
 * the log would be no help: there may be several logs.)
 */
#include "api/rest.h"
#include "bus/bus.h"
#include "core/base64.h"
#include "sensors/sensor.h"
#include "sources/source.h"

enum { EVENTS_DEFAULT = 20, EVENTS_MAX = 1000, LOOK_EVERY_MS = 250, SETTLE_LOOKS = 8 };

struct events_watch {
	struct stream stream;
	struct arena *arena; /* of the query */
	struct bus_query query;
	struct timer timer;
	bool follow, closed, reading, data;
	unsigned waited;     /* looks at an event without a decision, so far */
	struct arena *told_arena;
	struct map told;     /* ids of the events with the time that query.since_ns has: they were told */
};

struct shown {
	struct val event;
	str id;
	int64_t time;
};

/* One look: what was read on the pool thread. */
struct look {
	struct events_watch *w;
	struct arena *arena;
	struct bus_query query;
	VEC(struct shown) events;
	bool data;      /* with what the events carry */
	bool settle;    /* stop before an event that no sensor has decided about yet */
	bool unsettled;
};

/* The data as a value, or as base64 where it is no JSON. */
static void
add_data(struct val_map *m, const struct event *ev, struct arena *a)
{
	struct val v;
	struct err e;
	str copy = arena_dup(a, ev->data);
	if (json_read(a, copy, &v, &e) == 0)
		val_map_add(m, S("data"), v);
	else
		val_map_add(m, S("data_base64"), val_str(base64_encode(a, copy)));
}

static struct val
event_shown(const struct event *ev, const struct val *decisions, bool data, struct arena *a)
{
	struct val_map m = { 0 };
	val_map_add(&m, S("seq"), val_int(ev->seq));
	val_map_add(&m, S("id"), val_str(arena_dup(a, ev->id)));
	val_map_add(&m, S("time"), val_str(time_rfc3339_nano(a, ev->time)));
	val_map_add(&m, S("namespace"), val_str(arena_dup(a, ev->ns)));
	val_map_add(&m, S("source"), val_str(arena_dup(a, ev->source)));
	val_map_add(&m, S("subject"), val_str(arena_dup(a, ev->subject)));
	val_map_add(&m, S("type"), val_str(arena_dup(a, ev->type)));
	val_map_add(&m, S("size"), val_int((int64_t)ev->data.n));
	val_map_add_str(&m, S("replayOf"), arena_dup(a, event_ext(ev, EVENT_REPLAY_OF)));
	val_map_add_str(&m, S("replayFor"), arena_dup(a, event_ext(ev, EVENT_REPLAY_FOR)));
	val_map_add_str(&m, S("likeOf"), arena_dup(a, event_ext(ev, EVENT_LIKE)));
	if (data)
		add_data(&m, ev, a);
	val_map_add(&m, S("decisions"), *decisions);
	return val_map_end(&m, a);
}

static bool
still_open(const struct val *decisions)
{
	for (uint32_t i = 0; val_is(decisions, VAL_LIST) && i < decisions->n; i++)
		if (str_eq(val_get_str(&decisions->items[i], "verdict"), S("pending")))
			return true;
	return !val_is(decisions, VAL_LIST) || decisions->n == 0;
}

static int
read_events(sqlite3 *db, void *arg, struct err *e)
{
	struct look *l = arg;
	struct event **events;
	size_t n;
	if (bus_read(db, &l->query, &events, &n, l->arena, e))
		return -1;
	int failed = 0;
	for (size_t k = 0; k < n; k++) {
		struct event *ev = events[l->query.newest_first ? n - 1 - k : k]; /* shown oldest first */
		struct val decisions;
		if (!failed && !l->unsettled && (failed = sensor_decisions(db, ev->ns, ev->id, l->arena, &decisions, e)) == 0) {
			l->unsettled = l->settle && still_open(&decisions);
			if (!l->unsettled) {
				*VEC_PUSH(&l->events) = (struct shown){ event_shown(ev, &decisions, l->data, l->arena), arena_dup(l->arena, ev->id), ev->time };
			}
		}
		event_unref(ev);
	}
	return failed;
}

static void look(struct events_watch *w);

static void
look_again(void *arg)
{
	look(arg);
}

/* Sends what was not told before. */
static bool
tell_event(struct events_watch *w, const struct shown *s)
{
	if (s->time == w->query.since_ns && map_get(&w->told, s->id))
		return false;
	if (s->time != w->query.since_ns) {
		map_free(&w->told);
		arena_reset(w->told_arena);
		w->query.since_ns = s->time;
	}
	(void)map_put(&w->told, arena_dup(w->told_arena, s->id), w);
	stream_send(&w->stream, &s->event);
	return true;
}

static void
events_free(struct events_watch *w)
{
	map_free(&w->told);
	arena_free(w->told_arena);
	arena_free(w->arena);
	free(w);
}

static void
looked(void *arg, const struct err *e)
{
	struct look *l = arg;
	struct events_watch *w = l->w;
	w->reading = false;
	if (w->closed) {
		events_free(w);
	} else if (e) {
		stream_error(&w->stream, e);
		stream_end(&w->stream);
	} else {
		size_t told = 0;
		for (size_t i = 0; i < l->events.n; i++)
			told += tell_event(w, &l->events.p[i]);
		w->waited = l->unsettled && told == 0 ? w->waited + 1 : 0;
		if (w->query.newest_first) {
			w->query.newest_first = false; /* from now on in order, from there */
			w->query.limit = EVENTS_MAX;
		}
		if (!w->follow)
			stream_end(&w->stream);
		else
			timer_start(w->stream.api->env.loop, &w->timer, loop_now(w->stream.api->env.loop) + LOOK_EVERY_MS * NS_PER_MS, look_again, w);
	}
	VEC_FREE(&l->events);
	arena_free(l->arena);
}

static void
look(struct events_watch *w)
{
	struct arena *a = arena_new();
	struct look *l = ARENA_NEW(a, struct look);
	*l = (struct look){ .w = w, .arena = a, .query = w->query, .data = w->data, .settle = w->follow && w->waited < SETTLE_LOOKS };
	w->reading = true;
	store_read(w->stream.api->env.store, read_events, l, looked);
}

static void
events_closed(struct stream *s)
{
	struct events_watch *w = CONTAINER_OF(s, struct events_watch, stream);
	timer_stop(&w->timer);
	w->closed = true;
	if (!w->reading)
		events_free(w);
}

void
list_events(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct err e;
	struct events_watch *w;
	int64_t since_ns = 0, limit = rest_int(r, "limit", EVENTS_DEFAULT);
	str since = http_req_arg(r, "since");
	if (since.n && time_parse_rfc3339(since, &since_ns, &e)) {
		rest_fail(r, &e);
		return;
	}
	w = MEM_NEW(struct events_watch);
	w->arena = arena_new();
	w->told_arena = arena_new();
	w->follow = rest_flag(r, "watch");
	w->data = rest_flag(r, "data");
	w->query = (struct bus_query){
		.ns = arena_dup(w->arena, rest_ns(api, r, false)), .source = arena_dup(w->arena, http_req_arg(r, "source")),
		.subject = arena_dup(w->arena, http_req_arg(r, "event")), .id = arena_dup(w->arena, http_req_arg(r, "id")), .since_ns = since_ns,
		.limit = limit < 1 || limit > EVENTS_MAX ? EVENTS_MAX : (size_t)limit, .newest_first = true,
	};
	stream_start(&w->stream, api, r, events_closed);
	look(w);
}

/* ---- emit --------------------------------------------------------------------------------------------------- */

static void
emitted(void *arg, struct event *ev, enum bus_result how)
{
	struct http_req *r = arg;
	struct val_map m = { 0 };
	val_map_add(&m, S("id"), val_str(ev->id));
	val_map_add(&m, S("stored"), val_bool(how == BUS_STORED));
	struct val v = val_map_end(&m, http_req_arena(r));
	rest_reply(r, &v);
}

void
emit_event(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct err e;
	if (sources_emit(api->env.sources, rest_ns(api, r, true), http_req_var(r, "source"), http_req_var(r, "event"), http_req_body(r), emitted, r, &e))
		rest_fail(r, &e);
}
