/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of the sources, and events that are put in by hand. */
#include "core/diag.h"
#include "sources/impl.h"

static const char *const state_names[] = { [STARTING] = "starting", [CONNECTING] = "connecting", [RUNNING] = "running", [FAILED] = "failed" };

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
		(void)source_is_told(s, ev); /* also what the keys would leave out: it was asked for */
		source_name_event(s, ev);
		bus_publish(s->bus, ev, told, arg);
	}
	event_unref(ev);
	return rc;
}
