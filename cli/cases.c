/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cases: sensors against events, one case a line: {name, sensor, events, now, expect}. Every case goes the whole way, manifest, bus, transforms,
 * filters, conditions, parameters; only what a trigger would do is kept instead of done.
 */
#include "cli/cases.h"

#include "cli/kinds.h"
#include "cli/tryout.h"
#include "core/lang/gjson.h"
#include "core/lang/regex.h"
#include "triggers/firing.h"

/* ---- one case ------------------------------------------------------------------------------------------------------------- */

struct world {
	struct arena *arena;
	struct tryout *tryout;
	int64_t fired;
	str made; /* JSON of the last object or body that a trigger would have sent */
	struct decisions decisions;
};

static void
fired(void *arg, struct firing *f)
{
	struct world *w = arg;
	w->fired++;
	w->made = firing_sends(f, w->arena);
}

static void
decided(void *arg, str ns, str sensor, enum rows_how how, const struct decision *d)
{
	decisions_add(&((struct world *)arg)->decisions, ns, sensor, how, d);
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
take(struct world *w, const struct val *c, const struct val *event, int64_t now, size_t i, struct err *e)
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
	if (rc == 0)
		(void)tryout_take(w->tryout, ev);
	event_unref(ev);
	return rc;
}

/* What was complained of. */
static void
add_complaints(const struct decisions *l, struct buf *complaints)
{
	static const str bad[] = { { "error", 5 }, { "failed", 6 }, { "dead-letter", 11 } };
	for (size_t i = 0; i < l->v.n; i++)
		for (size_t k = 0; k < ARRAY_LEN(bad); k++)
			if (str_eq(l->v.p[i].verdict, bad[k]))
				buf_addf(complaints, "%.*s\n", STR_ARG(l->v.p[i].reason));
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
run_events(struct world *w, struct objects *objects, const struct val *c, int64_t now, struct err *e)
{
	const struct val *events = val_get(c, S("events"));
	struct tryout_listener listener = { fired, decided, w };
	if (tryout_new(objects, now, &listener, &w->tryout, e) < 0)
		return -1;
	int rc = 0;
	for (size_t i = 0; val_is(events, VAL_LIST) && i < events->n && rc == 0; i++)
		rc = take(w, c, val_at(events, i), now, i, e);
	tryout_free(w->tryout);
	return rc;
}

/* The sensor runs, if it can. */
static int
run_case(struct world *w, const struct val *c, int64_t now, struct buf *complaints, struct err *e)
{
	struct objects *objects = objects_new(tidegate_kinds, tidegate_kinds_n);
	struct diags d;
	int rc = 0;
	diags_init(&d);
	struct object *o = object_decode(tidegate_kinds, tidegate_kinds_n, sensor_manifest(w->arena, c), STR_NONE, S("default"), &d);
	add_findings(&d, complaints);
	if (o && !d.later) {
		objects_put(objects, o);
		rc = run_events(w, objects, c, now, e);
	}
	object_unref(o);
	diags_free(&d);
	objects_free(objects);
	return rc;
}

const char *
case_run(struct arena *a, const struct val *c)
{
	struct world w = { .arena = a, .decisions = { .arena = a } };
	struct buf complaints CLEANUP(free_buf) = { 0 };
	struct err e;
	int64_t now = 0;
	if (!val_is(val_get(c, S("sensor")), VAL_MAP) || !val_is(val_get(c, S("expect")), VAL_MAP))
		return "a case needs sensor and expect";
	if (time_parse_rfc3339(val_get_str(c, "now"), &now, &e) < 0)
		return arena_fmt(a, "now: %s", e.msg).p;
	int rc = run_case(&w, c, now, &complaints, &e);
	add_complaints(&w.decisions, &complaints);
	VEC_FREE(&w.decisions.v);
	if (rc < 0)
		return arena_fmt(a, "%s", e.msg).p;
	return judge(a, w.made, val_get(c, S("expect")), w.fired, arena_dup(a, buf_str(&complaints)));
}
