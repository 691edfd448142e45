/* SPDX-License-Identifier: Apache-2.0 */
/* Why something did or did not happen: sensors, sources, schedules, workflows. What is in memory is taken first, the rest is read. */
#include "api/rest.h"
#include "bus/bus.h"
#include "engine/engine.h"
#include "sensors/explain.h"
#include "sources/source.h"

static bool
read_since(struct http_req *r, int64_t *out)
{
	struct err e;
	str since = http_req_arg(r, "since");
	if (!since.n || time_parse_rfc3339(since, out, &e) == 0)
		return true;
	(void)err_wrap(&e, "since");
	rest_fail(r, &e);
	return false;
}

/* What is read on a pool thread for a request, and answered then. */
struct answer {
	struct http_req *req;
	struct val out;
};

static void
answered(void *arg, const struct err *e)
{
	struct answer *x = arg;
	if (e)
		rest_fail(x->req, e);
	else
		rest_reply(x->req, &x->out);
}

/* ---- sensors ------------------------------------------------------------------------------------------------------- */

struct sensor_read {
	struct answer answer; /* first */
	struct explain_query query;
};

static int
read_sensor(sqlite3 *db, void *arg, struct err *e)
{
	struct sensor_read *x = arg;
	struct arena *a = http_req_arena(x->answer.req);
	struct val *out = &x->answer.out;
	return x->query.event.n ? explain_event(db, &x->query, a, out, e) : explain_sensor(db, &x->query, a, out, e);
}

void
explain_a_sensor(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct sensor_read *x = ARENA_NEW(http_req_arena(r), struct sensor_read);
	struct err e;
	*x = (struct sensor_read){ .answer = { .req = r }, .query = { .ns = rest_ns(api, r, true), .sensor = http_req_var(r, "name"),
		.event = http_req_arg(r, "event"), .now_ns = loop_now(api->env.loop) } };
	if (!read_since(r, &x->query.since_ns))
		return;
	if (explain_live(api->env.sensors, x->query.ns, x->query.sensor, http_req_arena(r), &x->query.live, &e) < 0)
		rest_fail(r, &e);
	else
		store_read(api->env.store, read_sensor, x, answered);
}

/* ---- sources ------------------------------------------------------------------------------------------------------- */

struct source_read {
	struct answer answer; /* first */
	str ns, name;
	struct val sources; /* as sources_status has them */
};

/* The entry's last event. */
static int
add_last_event(sqlite3 *db, const struct source_read *x, const struct val *source, struct val_map *m, struct err *e)
{
	struct arena *a = http_req_arena(x->answer.req);
	const struct bus_query q = { .ns = x->ns, .source = x->name, .subject = val_get_str(source, "event"), .limit = 1, .newest_first = true };
	struct event **events;
	size_t n;
	if (bus_read(db, &q, &events, &n, a, e) < 0)
		return -1;
	if (n) {
		struct val_map last = { 0 };
		val_map_add(&last, S("id"), val_str(arena_dup(a, events[0]->id)));
		val_map_add(&last, S("time"), val_str(time_rfc3339_nano(a, events[0]->time)));
		val_map_add(m, S("lastEvent"), val_map_end(&last, a));
	}
	for (size_t i = 0; i < n; i++)
		event_unref(events[i]);
	return 0;
}

static str
source_text(const struct val *s, struct arena *a)
{
	str state = val_get_str(s, "state"), error = val_get_str(s, "error"), since = val_get_str(s, "since");
	if (str_eq(state, S("running")))
		return arena_fmt(a, "connected since %.*s", STR_ARG(since));
	if (str_eq(state, S("paused")))
		return arena_fmt(a, "paused since %.*s: the bus is full, and takes no more until its events are on disk", STR_ARG(since));
	if (str_eq(state, S("starting")))
		return arena_fmt(a, "not connected yet, tries since %.*s%s%.*s", STR_ARG(since), error.n ? ": " : "", STR_ARG(error));
	return arena_fmt(a, "not connected since %.*s%s%.*s", STR_ARG(since), error.n ? ": " : "", STR_ARG(error));
}

static int
read_sources(sqlite3 *db, void *arg, struct err *e)
{
	struct source_read *x = arg;
	struct arena *a = http_req_arena(x->answer.req);
	struct val_list list = { 0 };
	struct val_map all = { 0 };
	bool connected = true;
	int rc = 0;
	for (uint32_t i = 0; rc == 0 && i < x->sources.n; i++) {
		const struct val *s = &x->sources.items[i];
		struct val_map m = { 0 };
		for (uint32_t k = 0; k < s->n; k++)
			val_map_add(&m, val_key(&s->members[k]), s->members[k].value);
		connected &= str_eq(val_get_str(s, "state"), S("running"));
		val_map_add(&m, S("text"), val_str(source_text(s, a)));
		rc = add_last_event(db, x, s, &m, e);
		val_list_add(&list, val_map_end(&m, a));
	}
	val_map_add(&all, S("connected"), val_bool(connected && x->sources.n));
	val_map_add(&all, S("sources"), val_list_end(&list, a));
	x->answer.out = val_map_end(&all, a);
	return rc;
}

/* The entries of the EventSource, or the one that `event` names. */
static struct val
chosen_sources(struct api *api, struct http_req *r, str ns, str name)
{
	struct arena *a = http_req_arena(r);
	struct val all = sources_status(api->env.sources, a);
	struct val_list list = { 0 };
	str event = http_req_arg(r, "event");
	for (uint32_t i = 0; i < all.n; i++) {
		const struct val *s = &all.items[i];
		if (str_eq(val_get_str(s, "namespace"), ns) && str_eq(val_get_str(s, "eventSource"), name) && (!event.n || str_eq(val_get_str(s, "event"), event)))
			val_list_add(&list, *s);
	}
	return val_list_end(&list, a);
}

static void
no_source(struct api *api, struct http_req *r, str ns, str name)
{
	const char *near = objects_nearest(api->env.objects, "EventSource", ns, name);
	rest_failf(r, ERR_NOT_FOUND, "there is no event source \"%.*s\" in namespace %.*s with such an event%s%s%s", STR_ARG(name), STR_ARG(ns),
	           near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

void
explain_a_source(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct source_read *x = ARENA_NEW(http_req_arena(r), struct source_read);
	*x = (struct source_read){ .answer = { .req = r }, .ns = rest_ns(api, r, true), .name = http_req_var(r, "name") };
	x->sources = chosen_sources(api, r, x->ns, x->name);
	if (x->sources.n)
		store_read(api->env.store, read_sources, x, answered);
	else
		no_source(api, r, x->ns, x->name);
}

/* ---- schedules ----------------------------------------------------------------------------------------------------- */

/* A CronWorkflow, or the calendar entries of an EventSource. */
void
explain_a_schedule(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct arena *a = http_req_arena(r);
	str ns = rest_ns(api, r, true), name = http_req_var(r, "name");
	struct val_list list = { 0 };
	struct val_map m = { 0 };
	struct err e = { 0 };
	struct val cron, sources = chosen_sources(api, r, ns, name);
	bool is_cron = engine_schedule(api->env.engine, ns, name, a, &cron, &e) == 0;
	if (is_cron)
		val_list_add(&list, cron);
	for (uint32_t i = 0; i < sources.n; i++)
		if (val_get(&sources.items[i], S("next")))
			val_list_add(&list, sources.items[i]);
	struct val schedules = val_list_end(&list, a);
	if (!schedules.n) {
		rest_fail(r, &e);
		return;
	}
	val_map_add(&m, S("schedules"), schedules);
	struct val v = val_map_end(&m, a);
	rest_reply(r, &v);
}

/* ---- workflows ----------------------------------------------------------------------------------------------------- */

static void
workflow_explained(void *arg, const struct val *v, const struct err *e)
{
	struct http_req *r = arg;
	if (e)
		rest_fail(r, e);
	else
		rest_reply(r, v);
}

void
explain_a_workflow(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	engine_explain(api->env.engine, rest_ns(api, r, true), http_req_var(r, "name"), workflow_explained, r);
}
