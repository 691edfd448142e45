/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cases: sensors against events, one case a line: {name, sensor, events, now, expect}. Every case goes the whole way, manifest, bus, transforms,
 * filters, conditions, parameters; only what a trigger would do is kept instead of done.
 */
#include "cli/cases.h"

#include "core/lang/gjson.h"
#include "core/lang/regex.h"
#include "sensors/sensor.h"
#include "triggers/firing.h"

/* ---- one case ------------------------------------------------------------------------------------------------------------- */

static const struct kind *const kinds[] = { &kind_sensor };

struct world {
	struct arena *arena;
	struct loop *loop;
	struct store *store;
	struct objects *objects;
	struct bus *bus;
	struct sensors *sensors;
	str made; /* JSON of the last object or body that a trigger would have sent */
	VEC(str) ids;
};

static struct bus *
bus_of(void *arg, str ns UNUSED, str name UNUSED)
{
	return ((struct world *)arg)->bus;
}

/* In place of what the trigger does: the object it would make, else the body it would send, else itself. */
static void
keep(void *arg, struct firing *f)
{
	struct world *w = arg;
	const struct val *source = firing_source(f);
	str body = firing_payload(f);
	if (source || !body.p)
		w->made = arena_dup(w->arena, json_write(firing_arena(f), source ? source : firing_spec(f)));
	else
		w->made = arena_dup(w->arena, body);
	firing_done(f, NULL, NULL);
}

static int
open_world(struct world *w, int64_t now, struct err *e)
{
	struct store_migration history[] = { { 1, bus_schema_sql }, { 2, sensor_schema_sql }, { 3, sensor_waiting_sql }, { 4, firing_schema_sql }, { 5, firing_gather_sql } };
	struct bus_limits limits = { 0 };
	w->loop = loop_new();
	loop_set_clock(w->loop, now);
	if (store_open(w->loop, S(""), history, ARRAY_LEN(history), &w->store, e) < 0 ||
	    bus_open(w->store, w->loop, S("default"), S("default"), &limits, &w->bus, e) < 0)
		return -1;
	w->objects = objects_new(kinds, ARRAY_LEN(kinds));
	struct trigger_env env = { .loop = w->loop, .store = w->store, .objects = w->objects, .instead = keep, .arg = w };
	w->sensors = sensors_new(&env, bus_of, w);
	return 0;
}

static void
settle(struct world *w)
{
	for (int quiet = 0; quiet < 3;) {
		bool busy = store_pending(w->store) > 0 || (w->sensors && sensors_under_way(w->sensors) > 0);
		loop_turn(w->loop, busy ? 20 : 0);
		quiet = busy ? 0 : quiet + 1;
	}
}

static void
close_world(struct world *w)
{
	sensors_free(w->sensors);
	w->sensors = NULL;
	bus_close(w->bus);
	settle(w);
	store_close(w->store);
	loop_turn(w->loop, 0);
	loop_free(w->loop);
	objects_free(w->objects);
	VEC_FREE(&w->ids);
}

/* With one dependency the manifest follows the event's context; with several, the events follow their dependencies. */
static const struct val *
sensor_manifest(struct arena *a, const struct val *c)
{
	const struct val *spec = val_get(c, S("sensor")), *deps = val_get(spec, S("dependencies")), *events = val_get(c, S("events"));
	const struct val *context = val_get(val_at(events, 0), S("context"));
	if (deps && deps->n == 1 && context) {
		struct val_list l = { 0 };
		const struct val *dep = val_set(a, val_at(deps, 0), S("eventSourceName"), val_get(context, S("source")));
		val_list_add(&l, *val_set(a, dep, S("eventName"), val_get(context, S("subject"))));
		struct val list = val_list_end(&l, a);
		spec = val_set(a, spec, S("dependencies"), &list);
	}
	struct val_map meta = { 0 }, m = { 0 };
	val_map_add(&meta, S("name"), val_str(S("case")));
	val_map_add(&m, S("apiVersion"), val_str(S("argoproj.io/v1alpha1")));
	val_map_add(&m, S("kind"), val_str(S("Sensor")));
	val_map_add(&m, S("metadata"), val_map_end(&meta, a));
	val_map_add(&m, S("spec"), *spec);
	struct val *v = ARENA_NEW(a, struct val);
	*v = val_map_end(&m, a);
	return v;
}

static int
publish(struct world *w, const struct val *c, const struct val *event, int64_t now, size_t i, struct err *e)
{
	const struct val *deps = val_path(c, "sensor.dependencies"), *context = val_get(event, S("context")), *data = val_get(event, S("data"));
	struct event *ev = event_bare();
	int rc = 0;
	ev->ns = S("default");
	ev->id = arena_fmt(ev->arena, "%zu-%.*s", i, STR_ARG(val_get_str(context, "id")));
	ev->source = arena_dup(ev->arena, val_get_str(context, "source"));
	ev->subject = arena_dup(ev->arena, val_get_str(context, "subject"));
	ev->type = arena_dup(ev->arena, val_get_str(context, "type"));
	for (size_t k = 0; deps && deps->n > 1 && k < deps->n; k++) {
		if (!str_eq(val_get_str(val_at(deps, k), "name"), val_get_str(event, "dependency")))
			continue;
		ev->source = arena_dup(ev->arena, val_get_str(val_at(deps, k), "eventSourceName"));
		ev->subject = arena_dup(ev->arena, val_get_str(val_at(deps, k), "eventName"));
	}
	if (val_get(context, S("datacontenttype")))
		ev->content_type = arena_dup(ev->arena, val_get_str(context, "datacontenttype"));
	ev->time = now;
	if (val_get(context, S("time")))
		rc = time_parse_rfc3339(val_get_str(context, "time"), &ev->time, e);
	str text = val_get_str(event, "text");
	ev->data = data ? arena_dup(ev->arena, json_write(w->arena, data)) : arena_dup(ev->arena, text.p ? text : S(""));
	*VEC_PUSH(&w->ids) = arena_dup(w->arena, ev->id);
	if (rc == 0)
		bus_publish(w->bus, ev, NULL, NULL);
	event_unref(ev);
	return rc;
}

struct reasons {
	struct world *w;
	struct buf *text; /* what was complained of */
};

static int
read_reasons(sqlite3 *db, void *arg, struct err *e)
{
	struct reasons *r = arg;
	for (size_t i = 0; i < r->w->ids.n; i++) {
		struct val v;
		if (sensor_decisions(db, STR_NONE, r->w->ids.p[i], r->w->arena, &v, e) < 0)
			return -1;
		for (size_t k = 0; k < v.n; k++) {
			str verdict = val_get_str(val_at(&v, k), "verdict"), reason = val_get_str(val_at(&v, k), "reason");
			if (str_eq(verdict, S("error")) || str_eq(verdict, S("failed")) || str_eq(verdict, S("dead-letter")))
				buf_addf(r->text, "%.*s\n", STR_ARG(reason));
		}
	}
	return 0;
}

/* What the case says against what came; NULL: it holds. */
static const char *
judge(struct arena *a, str made, const struct val *expect, int64_t fired, str complaints)
{
	const struct val *fires = val_get(expect, S("fires")), *error = val_get(expect, S("error")), *times = val_get(expect, S("times"));
	const struct val *parameters = val_get(expect, S("parameters"));
	int64_t n = 0;
	if (val_is(fires, VAL_BOOL) && fires->b != (fired > 0))
		return arena_fmt(a, "fired %lld times; complaints: %.*s", (long long)fired, STR_ARG(complaints)).p;
	if (times && val_to_i64(times, &n) && n != fired)
		return arena_fmt(a, "fired %lld times instead of %lld", (long long)fired, (long long)n).p;
	if (!val_is(error, VAL_STR) && complaints.n)
		return arena_fmt(a, "complained: %.*s", STR_ARG(complaints)).p;
	if (val_is(error, VAL_STR)) {
		struct regex *re;
		struct err e;
		if (regex_compile(val_text(error), &re, &e) < 0)
			return arena_fmt(a, "expect.error: %s", e.msg).p;
		int found = regex_matches(re, complaints, &e);
		regex_free(re);
		if (found <= 0)
			return arena_fmt(a, "does not complain of %.*s but: %.*s", STR_ARG(val_text(error)), STR_ARG(complaints)).p;
	}
	for (size_t i = 0; parameters && i < parameters->n; i++) {
		struct gjson g;
		struct val got;
		struct err e;
		str path = val_key(&parameters->members[i]), raw = made;
		if (path.n)
			raw = gjson_get(a, made, path, &g) ? g.raw : STR_NONE;
		if (!raw.n || json_read(a, raw, &got, &e) < 0 || !val_eq(&got, &parameters->members[i].value))
			return arena_fmt(a, "%.*s is %.*s in %.*s", STR_ARG(path), STR_ARG(raw), STR_ARG(made)).p;
	}
	return NULL;
}

/* What the manifest is complained of, also what is not served. */
static void
add_findings(const struct diags *d, struct buf *complaints)
{
	for (size_t i = 0; i < d->v.n; i++)
		if (d->v.p[i].level == DIAG_ERROR || d->v.p[i].level == DIAG_LATER)
			buf_addf(complaints, "%.*s: %.*s\n", STR_ARG(d->v.p[i].path), STR_ARG(d->v.p[i].text));
}

static int
run_events(struct world *w, const struct val *c, int64_t now, struct buf *complaints, int64_t *fired, struct err *e)
{
	const struct val *events = val_get(c, S("events"));
	if (sensors_apply(w->sensors, e) < 0)
		return -1;
	settle(w);
	for (size_t i = 0; val_is(events, VAL_LIST) && i < events->n; i++)
		if (publish(w, c, val_at(events, i), now, i, e) < 0)
			return -1;
	settle(w);
	struct reasons r = { w, complaints };
	if (store_read_now(w->store, read_reasons, &r, e) < 0)
		return -1;
	struct val status = sensors_status(w->sensors, w->arena);
	(void)val_to_i64(val_get(val_at(&status, 0), S("fired")), fired); /* absent: 0 */
	return 0;
}

const char *
case_run(struct arena *a, const struct val *c)
{
	struct world w = { .arena = a };
	struct buf complaints CLEANUP(free_buf) = { 0 };
	struct diags d;
	struct err e;
	int64_t now = 0, fired = 0;
	const char *why = NULL;
	if (!val_is(val_get(c, S("sensor")), VAL_MAP) || !val_is(val_get(c, S("expect")), VAL_MAP))
		return "a case needs sensor and expect";
	if (time_parse_rfc3339(val_get_str(c, "now"), &now, &e) < 0)
		return arena_fmt(a, "now: %s", e.msg).p;
	if (open_world(&w, now, &e) < 0)
		return arena_fmt(a, "%s", e.msg).p;
	diags_init(&d);
	struct object *o = object_decode(kinds, ARRAY_LEN(kinds), sensor_manifest(a, c), STR_NONE, S("default"), &d);
	add_findings(&d, &complaints);
	if (o && !d.later) {
		objects_put(w.objects, o);
		if (run_events(&w, c, now, &complaints, &fired, &e) < 0)
			why = arena_fmt(a, "%s", e.msg).p;
	}
	if (!why)
		why = judge(a, w.made, val_get(c, S("expect")), fired, arena_dup(a, buf_str(&complaints)));
	object_unref(o);
	close_world(&w);
	diags_free(&d);
	return why;
}
