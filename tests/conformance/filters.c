/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filters FILE [LEAST]: runs cases of sensors, one a line: a sensor, events, and what must come of them (the README beside the
 * data says how). Every case goes through the whole way: manifest, bus, filters, conditions, parameters, trigger; only the
 * engine and the HTTP client are stand-ins that keep what they are given. A case holds, is not served yet (its
 * manifest has a field that Tidegate does not serve), or is wrong; any wrong one, and fewer than LEAST that hold, is
 * failure.
 */
#include "core/lang/gjson.h"
#include "core/lang/regex.h"
#include "core/log.h"
#include "engine/engine.h"
#include "sensors/sensor.h"
#include "triggers/firing.h"

/* ---- stand-ins ---------------------------------------------------------------------------------------------------------- */

static struct {
	struct arena *arena;
	str made; /* JSON of the last object or body */
} kept;

int
engine_submit(struct engine *g UNUSED, const struct val *manifest, const struct submit_options *o UNUSED, struct arena *a, str *name,
              void (*created)(void *arg) UNUSED, void *arg UNUSED, struct diags *d UNUSED, struct err *e UNUSED)
{
	kept.made = arena_dup(kept.arena, json_write(a, manifest));
	*name = S("workflow");
	return 0;
}

struct reply {
	void (*done)(void *arg, const struct http_answer *ans, const struct err *e);
	void *arg;
};

static void
answer_200(void *arg)
{
	struct reply r = *(struct reply *)arg;
	struct http_answer ans = { .status = 200 };
	free(arg);
	r.done(r.arg, &ans, NULL);
}

void
httpc_send(struct httpc *c, const struct http_call *call, void (*done)(void *arg, const struct http_answer *ans, const struct err *e), void *arg)
{
	struct reply *r = MEM_NEW(struct reply);
	*r = (struct reply){ done, arg };
	kept.made = arena_dup(kept.arena, call->body);
	loop_defer((struct loop *)c, answer_200, r); /* our env gives the loop for a client */
}

/* ---- one case ------------------------------------------------------------------------------------------------------------- */

static const struct kind *const kinds[] = { &kind_sensor };

struct world {
	struct arena *arena;
	struct loop *loop;
	struct store *store;
	struct objects *objects;
	struct bus *bus;
	struct sensors *sensors;
	const char *first_id;
	VEC(str) ids;
};

static struct bus *
bus_of(void *arg, str ns UNUSED, str name UNUSED)
{
	return ((struct world *)arg)->bus;
}

static struct httpc *
httpc_of(void *arg)
{
	return (struct httpc *)((struct world *)arg)->loop;
}

static void
must(int rc, const struct err *e)
{
	if (rc < 0) {
		fprintf(stderr, "filters: %s\n", e->msg);
		exit(2);
	}
}

static void
open_world(struct world *w, int64_t now)
{
	struct store_migration history[] = { { 1, bus_schema_sql }, { 2, sensor_schema_sql }, { 3, sensor_waiting_sql }, { 4, firing_schema_sql }, { 5, firing_gather_sql } };
	struct bus_limits limits = { 0 };
	struct err e;
	w->loop = loop_new();
	loop_set_clock(w->loop, now);
	must(store_open(w->loop, S(""), history, ARRAY_LEN(history), &w->store, &e), &e);
	must(bus_open(w->store, w->loop, S("default"), S("default"), &limits, &w->bus, &e), &e);
	w->objects = objects_new(kinds, ARRAY_LEN(kinds));
	struct trigger_env env = { .loop = w->loop, .store = w->store, .objects = w->objects, .httpc = httpc_of, .arg = w };
	w->sensors = sensors_new(&env, bus_of, w);
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

static void
publish(struct world *w, const struct val *c, const struct val *event, int64_t now, size_t i)
{
	const struct val *deps = val_path(c, "sensor.dependencies"), *context = val_get(event, S("context")), *data = val_get(event, S("data"));
	struct event *ev = event_bare();
	struct err e;
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
		must(time_parse_rfc3339(val_get_str(context, "time"), &ev->time, &e), &e);
	str text = val_get_str(event, "text");
	ev->data = data ? arena_dup(ev->arena, json_write(w->arena, data)) : arena_dup(ev->arena, text.p ? text : S(""));
	*VEC_PUSH(&w->ids) = arena_dup(w->arena, ev->id);
	bus_publish(w->bus, ev, NULL, NULL);
	event_unref(ev);
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
judge(struct arena *a, const struct val *expect, int64_t fired, str complaints)
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
		must(regex_compile(val_text(error), &re, &e), &e);
		int found = regex_matches(re, complaints, &e);
		regex_free(re);
		if (found <= 0)
			return arena_fmt(a, "does not complain of %.*s but: %.*s", STR_ARG(val_text(error)), STR_ARG(complaints)).p;
	}
	for (size_t i = 0; parameters && i < parameters->n; i++) {
		struct gjson g;
		struct val got;
		struct err e;
		str path = val_key(&parameters->members[i]), raw = kept.made;
		if (path.n)
			raw = gjson_get(a, kept.made, path, &g) ? g.raw : STR_NONE;
		if (!raw.n || json_read(a, raw, &got, &e) < 0 || !val_eq(&got, &parameters->members[i].value))
			return arena_fmt(a, "%.*s is %.*s in %.*s", STR_ARG(path), STR_ARG(raw), STR_ARG(kept.made)).p;
	}
	return NULL;
}

enum verdict_of_case { HOLDS, NOT_SERVED, WRONG };

static enum verdict_of_case
run_case(struct arena *a, const struct val *c, const char **why)
{
	struct world w = { .arena = a };
	struct buf complaints = { 0 };
	struct diags d;
	struct err e;
	int64_t now = 0, fired = 0;
	must(time_parse_rfc3339(val_get_str(c, "now"), &now, &e), &e);
	kept.arena = a;
	kept.made = STR_NONE;
	diags_init(&d);
	open_world(&w, now);
	struct object *o = object_decode(kinds, ARRAY_LEN(kinds), sensor_manifest(a, c), STR_NONE, S("default"), &d);
	bool later = d.later > 0;
	for (size_t i = 0; i < d.v.n; i++)
		if (d.v.p[i].level == DIAG_ERROR)
			buf_addf(&complaints, "%.*s: %.*s\n", STR_ARG(d.v.p[i].path), STR_ARG(d.v.p[i].text));
	if (o && !later) {
		const struct val *events = val_get(c, S("events"));
		objects_put(w.objects, o);
		must(sensors_apply(w.sensors, &e), &e);
		settle(&w);
		for (size_t i = 0; i < events->n; i++)
			publish(&w, c, val_at(events, i), now, i);
		settle(&w);
		struct reasons r = { &w, &complaints };
		must(store_read_now(w.store, read_reasons, &r, &e), &e);
		struct val status = sensors_status(w.sensors, a);
		(void)val_to_i64(val_get(val_at(&status, 0), S("fired")), &fired); /* absent: 0 */
	}
	*why = later ? NULL : judge(a, val_get(c, S("expect")), fired, arena_dup(a, buf_str(&complaints)));
	object_unref(o);
	close_world(&w);
	diags_free(&d);
	buf_free(&complaints);
	return later ? NOT_SERVED : *why ? WRONG : HOLDS;
}

int
main(int argc, char **argv)
{
	FILE *f = argc > 1 ? fopen(argv[1], "rb") : NULL;
	int64_t least = 0;
	if (!f) {
		printf("filters: skipped: no %s\n", argc > 1 ? argv[1] : "file given");
		return 0;
	}
	if (argc > 2)
		(void)str_to_i64(str_c(argv[2]), &least); /* no number: no least */
	log_setup(LOG_ERROR + 1, LOG_LOGFMT);
	size_t counts[3] = { 0 }, n = 0, cap = 0;
	char *line = NULL;
	for (ssize_t got; (got = getline(&line, &cap, f)) > 0; n++) {
		struct arena *a = arena_new();
		struct val c;
		struct err e;
		const char *why = NULL;
		must(json_read(a, (str){ line, (size_t)got }, &c, &e), &e);
		enum verdict_of_case v = run_case(a, &c, &why);
		counts[v]++;
		if (v == WRONG)
			printf("wrong: %.*s: %s\n", STR_ARG(val_get_str(&c, "name")), why);
		arena_free(a);
	}
	free(line);
	fclose(f);
	printf("filters: %zu of %zu hold, %zu not served yet, %zu wrong\n", counts[HOLDS], n, counts[NOT_SERVED], counts[WRONG]);
	return counts[WRONG] || counts[HOLDS] < (size_t)least ? 1 : 0;
}
