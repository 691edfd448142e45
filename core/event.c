/* SPDX-License-Identifier: Apache-2.0 */
#include "core/event.h"

#include <sys/random.h>

#include "core/base64.h"
#include "core/clock.h"

enum { GROUP_EVENTS = 16, GROUP_BYTES = 16 << 10 };

/* Lies in its arena. */
struct event_group {
	struct arena *arena;
	size_t made, alive; /* events; and one for who makes them */
};

static struct event *
new_event(struct arena *a, struct event_group *g)
{
	struct event *ev = ARENA_NEW(a, struct event);
	ev->arena = a;
	ev->group = g;
	ev->refs = 1;
	ev->content_type = S("application/json");
	return ev;
}

struct event *
event_bare(void)
{
	return new_event(arena_new(), NULL);
}

struct event_group *
event_group_new(void)
{
	struct arena *a = arena_new();
	struct event_group *g = ARENA_NEW(a, struct event_group);
	*g = (struct event_group){ .arena = a, .alive = 1 };
	return g;
}

struct event *
event_in(struct event_group *g)
{
	if (!g)
		return event_bare();
	g->made++;
	g->alive++;
	return new_event(g->arena, g);
}

bool
event_group_is_full(const struct event_group *g)
{
	return g->made >= GROUP_EVENTS || arena_size(g->arena) >= GROUP_BYTES;
}

void
event_group_end(struct event_group *g)
{
	if (g && --g->alive == 0)
		arena_free(g->arena);
}

struct event *
event_new(void)
{
	struct event *ev = event_bare();
	ev->id = event_random_id(ev->arena);
	return ev;
}

/* Of the kernel's, which is asked once for sixteen ids: a system call each was a fortieth of an event's cost. */
static void
random_bytes(unsigned char out[16])
{
	static _Thread_local unsigned char pool[256];
	static _Thread_local size_t left;
	if (!left) {
		if (getrandom(pool, sizeof pool, 0) != (ssize_t)sizeof pool) {
			perror("getrandom"); /* cannot happen for 256 bytes once the kernel is up; an id that repeats would lose events */
			abort();
		}
		left = sizeof pool;
	}
	left -= 16;
	memcpy(out, pool + left, 16);
}

/* RFC 9562 section 5.7: 48 bits of milliseconds, version 7, 74 random bits. */
str
event_random_id(struct arena *a)
{
	unsigned char bytes[16];
	random_bytes(bytes);
	uint64_t ms = (uint64_t)(clock_wall_ns() / NS_PER_MS);
	for (int i = 0; i < 6; i++)
		bytes[i] = (unsigned char)(ms >> (40 - 8 * i));
	bytes[6] = 0x70 | (bytes[6] & 0x0f);
	bytes[8] = 0x80 | (bytes[8] & 0x3f);
	char *out = arena_alloc(a, 2 * sizeof bytes + 1, 1);
	for (size_t i = 0; i < sizeof bytes; i++) {
		out[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	return (str){ out, 2 * sizeof bytes };
}

bool
event_is_trace(str key)
{
	return str_eq(key, S(EVENT_REPLAY_OF)) || str_eq(key, S(EVENT_LIKE)) || str_eq(key, S(EVENT_REPLAY_FOR));
}

str
event_ext(const struct event *ev, const char *key)
{
	for (size_t i = 0; i < ev->ext_n; i++)
		if (str_eq(ev->ext[i].key, str_c(key)))
			return ev->ext[i].value;
	return STR_NONE;
}

struct event *
event_ref(struct event *ev)
{
	ev->refs++;
	return ev;
}

void
event_unref(struct event *ev)
{
	if (!ev)
		return;
	assert(ev->refs > 0);
	if (--ev->refs)
		return;
	if (ev->group)
		event_group_end(ev->group);
	else
		arena_free(ev->arena);
}

const struct val *
event_data(struct event *ev, struct err *e)
{
	if (ev->parsed)
		return ev->parsed;
	if (ev->data.n == 0) {
		e->code = ERR_NONE;
		e->msg[0] = 0;
		return NULL;
	}
	struct val *v = ARENA_NEW(ev->arena, struct val);
	if (json_read(ev->arena, ev->data, v, e) < 0) {
		(void)err_wrap(e, "event %.*s: its data is no JSON", STR_ARG(ev->id));
		return NULL;
	}
	return ev->parsed = v;
}

bool
event_is_json(struct event *ev)
{
	if (ev->checked == EVENT_UNCHECKED)
		ev->checked = ev->parsed || json_valid(ev->data) ? EVENT_JSON : EVENT_NO_JSON;
	return ev->checked == EVENT_JSON;
}

/* The attributes, in the order that Argo's envelope has. */
static void
add_attributes(struct val_map *m, const struct event *ev, struct arena *a)
{
	val_map_add(m, S("specversion"), val_str(S("1.0")));
	val_map_add(m, S("id"), val_str(ev->id));
	val_map_add(m, S("source"), val_str(ev->source));
	val_map_add(m, S("type"), val_str(ev->type));
	val_map_add(m, S("subject"), val_str(ev->subject));
	val_map_add(m, S("datacontenttype"), val_str(ev->content_type));
	val_map_add(m, S("time"), val_str(time_rfc3339_nano(a, ev->time)));
	for (size_t i = 0; i < ev->ext_n; i++)
		val_map_add(m, ev->ext[i].key, val_str(ev->ext[i].value));
}

struct val
event_envelope(const struct event *ev, struct arena *a)
{
	struct val_map m = { 0 };
	add_attributes(&m, ev, a);
	if (ev->data.n)
		val_map_add(&m, S("data_base64"), val_str(base64_encode(a, ev->data)));
	return val_map_end(&m, a);
}

struct val
event_context_and_data(const struct event *ev, struct arena *a)
{
	struct val_map context = { 0 };
	val_map_add(&context, S("id"), val_str(ev->id));
	val_map_add(&context, S("source"), val_str(ev->source));
	val_map_add(&context, S("specversion"), val_str(S("1.0")));
	val_map_add(&context, S("type"), val_str(ev->type));
	val_map_add(&context, S("datacontenttype"), val_str(ev->content_type));
	val_map_add(&context, S("subject"), val_str(ev->subject));
	val_map_add(&context, S("time"), val_str(time_rfc3339(a, ev->time)));
	struct val_map m = { 0 };
	val_map_add(&m, S("context"), val_map_end(&context, a));
	val_map_add(&m, S("data"), val_str(base64_encode(a, ev->data)));
	return val_map_end(&m, a);
}
