/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/test_record.h"

#include "cli/client.h"
#include "cli/daemon.h"
#include "cli/kinds.h"
#include "cli/stored.h"
#include "cli/tryout.h"
#include "triggers/firing.h"

struct record {
	struct arena *arena;
	VEC(struct event *) events; /* one reference each */
	struct objects *objects;
	struct val_list firings;
	struct decisions decisions;
};

/* ---- what comes of them ---------------------------------------------------------------------------------------------------------- */

/* {sensor, trigger, events, and what it would send} */
static void
fired(void *arg, struct firing *f)
{
	struct record *r = arg;
	struct arena *a = r->arena;
	struct event **events;
	struct val_map m = { 0 };
	struct val_list ids = { 0 };
	struct val payload;
	struct err e;
	size_t n = firing_events(f, &events);
	for (size_t i = 0; i < n; i++)
		val_list_add(&ids, val_str(arena_dup(a, events[i]->id)));
	val_map_add(&m, S("sensor"), val_str(arena_dup(a, firing_sensor(f))));
	val_map_add(&m, S("trigger"), val_str(arena_dup(a, firing_trigger(f))));
	val_map_add(&m, S("events"), val_list_end(&ids, a));
	str body = arena_dup(a, firing_payload(f));
	if (firing_source(f))
		val_map_add(&m, S("resource"), val_copy(a, val_resolve_all(a, firing_source(f))));
	else if (body.p)
		val_map_add(&m, S("payload"), json_read(a, body, &payload, &e) == 0 ? payload : val_str(body));
	else
		val_map_add(&m, S("settings"), val_copy(a, val_resolve_all(a, firing_spec(f))));
	val_list_add(&r->firings, val_map_end(&m, a));
}

static void
decided(void *arg, str ns, str sensor, enum rows_how how, const struct decision *d)
{
	decisions_add(&((struct record *)arg)->decisions, ns, sensor, how, d);
}

static int
play(struct record *r, struct err *e)
{
	struct tryout_listener listener = { fired, decided, r };
	struct tryout *t;
	if (tryout_new(r->objects, r->events.p[0]->time, &listener, &t, e) < 0)
		return -1;
	for (size_t i = 0; i < r->events.n; i++) {
		tryout_until(t, r->events.p[i]->time);
		(void)tryout_take(t, r->events.p[i]);
	}
	tryout_free(t);
	return 0;
}

/* ---- as a test file --------------------------------------------------------------------------------------------------------------- */

static struct val
event_val(const struct record *r, const struct event *ev)
{
	struct arena *a = r->arena;
	struct val_map m = { 0 };
	struct val data;
	struct err e;
	val_map_add(&m, S("id"), val_str(ev->id));
	val_map_add(&m, S("source"), val_str(ev->source));
	val_map_add(&m, S("event"), val_str(ev->subject));
	val_map_add(&m, S("type"), val_str(ev->type));
	val_map_add(&m, S("at"), val_str(time_rfc3339_nano(a, ev->time)));
	if (!str_eq(ev->content_type, S("application/json")))
		val_map_add(&m, S("contentType"), val_str(ev->content_type));
	bool is_json = json_read(a, ev->data, &data, &e) == 0;
	val_map_add(&m, is_json ? S("data") : S("text"), is_json ? data : val_str(ev->data));
	return val_map_end(&m, a);
}

static struct val
decision_val(const struct decided *d, struct arena *a)
{
	struct val_map m = { 0 };
	val_map_add_str(&m, S("event"), d->event);
	val_map_add_str(&m, S("sensor"), d->sensor);
	val_map_add_str(&m, S("dependency"), d->dependency);
	val_map_add_str(&m, S("trigger"), d->trigger);
	val_map_add_str(&m, S("verdict"), d->verdict);
	return val_map_end(&m, a);
}

static struct val
case_val(struct record *r)
{
	struct arena *a = r->arena;
	const struct event *first = r->events.p[0];
	struct val_map m = { 0 }, expect = { 0 };
	struct val_list events = { 0 }, decisions = { 0 };
	for (size_t i = 0; i < r->events.n; i++)
		val_list_add(&events, event_val(r, r->events.p[i]));
	for (size_t i = 0; i < r->decisions.v.n; i++)
		val_list_add(&decisions, decision_val(&r->decisions.v.p[i], a));
	val_map_add(&expect, S("firings"), val_list_end(&r->firings, a));
	val_map_add(&expect, S("decisions"), val_list_end(&decisions, a));
	val_map_add(&m, S("name"), val_str(arena_fmt(a, "%.*s/%.*s of %.*s", STR_ARG(first->source), STR_ARG(first->subject), STR_ARG(time_rfc3339(a, first->time)))));
	val_map_add(&m, S("namespace"), val_str(first->ns));
	val_map_add(&m, S("clock"), val_str(time_rfc3339_nano(a, first->time)));
	val_map_add(&m, S("events"), val_list_end(&events, a));
	val_map_add(&m, S("expect"), val_map_end(&expect, a));
	return val_map_end(&m, a);
}

static void
print(struct record *r, char **paths, int n)
{
	struct val_list list = { 0 };
	struct val_map head = { 0 };
	struct buf b CLEANUP(free_buf) = { 0 };
	for (int i = 0; i < n; i++)
		val_list_add(&list, val_cstr(paths[i]));
	val_map_add(&head, S("manifests"), val_list_end(&list, r->arena));
	struct val v = val_map_end(&head, r->arena);
	buf_add(&b, S("# What came in, and what came of it. Trim what does not matter; paths are seen from this file.\n"));
	yaml_write_buf(&b, &v);
	buf_add(&b, S("---\n"));
	v = case_val(r);
	yaml_write_buf(&b, &v);
	printf("%.*s", STR_ARG(buf_str(&b)));
}

/* ---- all of it ------------------------------------------------------------------------------------------------------------------- */

static int
by_time(const void *x, const void *y)
{
	const struct event *a = *(struct event *const *)x, *b = *(struct event *const *)y;
	return a->time != b->time ? (a->time > b->time) - (a->time < b->time) : (a->seq > b->seq) - (a->seq < b->seq);
}

static int
read_events(struct record *r, const struct client *c, const struct cli_texts *ids, struct err *e)
{
	for (size_t i = 0; i < ids->n; i++) {
		struct event *ev;
		if (stored_event(c->state, c->ns, str_c(ids->p[i]), &ev, e) < 0)
			return -1;
		*VEC_PUSH(&r->events) = ev;
	}
	qsort(r->events.p, r->events.n, sizeof *r->events.p, by_time);
	for (size_t i = 0; i < r->events.n; i++)
		r->events.p[i]->seq = 0; /* places of this play, not of their logs */
	return 0;
}

static int
read_objects(struct record *r, const struct client *c, char **paths, int n, struct err *e)
{
	struct manifest_set m;
	struct diags d;
	VEC(const char *) list = { 0 };
	for (int i = 0; i < n; i++)
		*VEC_PUSH(&list) = paths[i];
	diags_init(&d);
	int rc = read_manifests(list.p, list.n, c->ns, NULL, &m, &d);
	if (d.errors)
		print_findings(&d);
	for (size_t i = 0; i < m.objects.n; i++)
		if (!m.objects.p[i]->kind->instance)
			objects_put(r->objects, m.objects.p[i]);
	manifest_set_free(&m);
	diags_free(&d);
	VEC_FREE(&list);
	return rc < 0 ? err_set(e, ERR_INVALID, "the manifests are wrong") : 0;
}

int
test_record(const struct cli_common *common, const struct cli_texts *ids, char **paths, int n, struct err *e)
{
	struct client c CLEANUP(client_free);
	client_init(&c, common);
	struct record r = { .arena = c.arena, .objects = objects_new(tidegate_kinds, tidegate_kinds_n), .decisions = { .arena = c.arena } };
	int rc = read_objects(&r, &c, paths, n, e) < 0 || read_events(&r, &c, ids, e) < 0 || play(&r, e) < 0 ? -1 : 0;
	if (rc == 0)
		print(&r, paths, n);
	for (size_t i = 0; i < r.events.n; i++)
		event_unref(r.events.p[i]);
	VEC_FREE(&r.events);
	VEC_FREE(&r.decisions.v);
	objects_free(r.objects);
	return rc;
}
