/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event that is stored comes in once more: as it was (`replay`), for all sensors or one, or with other data (`emit --like`). It is a new
 * event with an id and a time of its own, which names the first one; nothing filters it at its source, which may be gone.
 */
#include "api/rest.h"
#include "bus/bus.h"
#include "sensors/spec.h"
#include "sensors/sensor.h"
#include "sources/source.h"

struct event_again {
	struct api *api;
	struct http_req *req;
	str ns, id, sensor, data; /* sensor, data: may be absent */
	bool like;                /* not the same event again, but another one like it */
	struct event *first;      /* NULL: there is none */
	str bus;
};

static int
read_first(sqlite3 *db, void *arg, struct err *e)
{
	struct event_again *x = arg;
	return bus_find(db, x->ns, x->id, http_req_arena(x->req), &x->first, &x->bus, e);
}

/* Whether the sensor is there, and looks at such events. */
static int
check_sensor(const struct event_again *x, struct err *e)
{
	const struct object *o = objects_find(x->api->env.objects, &kind_sensor, x->ns, x->sensor);
	const struct sensor_object *s = o ? o->spec : NULL;
	if (!s)
		return err_set(e, ERR_NOT_FOUND, "there is no sensor %.*s in namespace %.*s", STR_ARG(x->sensor), STR_ARG(x->ns));
	for (size_t i = 0; i < s->spec.dependencies.n; i++)
		if (str_eq(s->spec.dependencies.p[i].source, x->first->source) && str_eq(s->spec.dependencies.p[i].event, x->first->subject))
			return 0;
	return err_set(e, ERR_INVALID, "sensor %.*s does not depend on %.*s/%.*s", STR_ARG(x->sensor), STR_ARG(x->first->source), STR_ARG(x->first->subject));
}

static void
add_ext(struct event *ev, const char *key, str value)
{
	ev->ext[ev->ext_n++] = (struct kvs_ext){ str_c(key), arena_dup(ev->arena, value) };
}

static struct event *
make_again(const struct event_again *x)
{
	const struct event *first = x->first;
	struct event *ev = event_new();
	struct arena *a = ev->arena;
	ev->ns = arena_dup(a, first->ns);
	ev->source = arena_dup(a, first->source);
	ev->subject = arena_dup(a, first->subject);
	ev->type = arena_dup(a, first->type);
	ev->content_type = arena_dup(a, first->content_type);
	ev->time = loop_now(x->api->env.loop);
	ev->data = arena_dup(a, x->data.p ? x->data : first->data);
	ev->ext = ARENA_ARRAY(a, struct kvs_ext, first->ext_n + 2);
	for (size_t i = 0; i < first->ext_n; i++)
		if (!event_is_trace(first->ext[i].key))
			add_ext(ev, str_z(a, first->ext[i].key), first->ext[i].value);
	add_ext(ev, x->like ? EVENT_LIKE : EVENT_REPLAY_OF, first->id);
	if (x->sensor.n)
		add_ext(ev, EVENT_REPLAY_FOR, x->sensor);
	return ev;
}

static void
published(void *arg, struct event *ev, enum bus_result how UNUSED)
{
	struct http_req *r = arg;
	struct val_map m = { 0 };
	val_map_add(&m, S("id"), val_str(ev->id));
	struct val v = val_map_end(&m, http_req_arena(r));
	rest_reply(r, &v);
}

static int
publish(struct event_again *x, struct err *e)
{
	struct bus *bus = sources_bus(x->api->env.sources, x->ns, x->bus);
	if (x->sensor.n && check_sensor(x, e) < 0)
		return -1;
	if (!bus || bus_is_full(bus))
		return err_set(e, ERR_UNAVAILABLE, bus ? "too many events are waiting for the disk" : "the event's bus is not there");
	struct event *ev = make_again(x);
	bus_publish(bus, ev, published, x->req);
	event_unref(ev);
	return 0;
}

static void
first_read(void *arg, const struct err *failure)
{
	struct event_again *x = arg;
	struct err e = { 0 };
	if (failure)
		rest_fail(x->req, failure);
	else if (!x->first)
		rest_failf(x->req, ERR_NOT_FOUND, "there is no event %.*s in namespace %.*s", STR_ARG(x->id), STR_ARG(x->ns));
	else if (publish(x, &e) < 0)
		rest_fail(x->req, &e);
	event_unref(x->first);
}

void
post_event_again(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct val body;
	if (!rest_body(r, &body))
		return;
	struct event_again *x = ARENA_NEW(http_req_arena(r), struct event_again);
	*x = (struct event_again){ .api = api, .req = r, .ns = rest_ns(api, r, true), .id = http_req_var(r, "id"), .sensor = val_get_str(&body, "sensor"),
		                   .data = val_get_str(&body, "data"), .like = val_is_true(val_get(&body, S("like"))) };
	store_read(api->env.store, read_first, x, first_read);
}
