/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sensor_world: what the tests of sensors and triggers share: sensors over a real bus in a real store. The clock is set by the test,
 * the engine is a list of what was submitted, HTTP goes to a server on loopback. A restart closes everything and opens the
 * same state file again.
 */
#ifndef TIDEGATE_TESTS_SENSOR_WORLD_H
#define TIDEGATE_TESTS_SENSOR_WORLD_H

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/kept.h"
#include "core/child.h"
#include "core/log.h"
#include "core/net/httpd.h"
#include "engine/engine.h"
#include "sensors/sensor.h"
#include "triggers/firing.h"

#define START (INT64_C(1784109600) * NS_PER_SEC)

/* ---- a fake engine ------------------------------------------------------------------------------------------------- */

static struct {
	struct submitted {
		char key[40];
		str manifest;
	} list[200];
	size_t n, calls;
	enum err_code refuse;
	struct arena *arena;
	struct loop *loop;
	struct store *store;
	struct ordered {
		enum verb verb;
		const char *name, *text; /* "ns/name"; message or node selector */
	} verbs[1200];
	size_t verbs_n;
	enum err_code refuse_verb;
	const char *labels; /* of every workflow, as JSON */
	size_t gets;
	void (*changed)(void *arg, str ns, str name, bool finished, bool deleted);
	void *changed_arg;
} engine;

int
engine_submit(struct engine *g UNUSED, const struct val *manifest, const struct submit_options *o, struct arena *a, str *name,
              void (*created)(void *arg) UNUSED, void *arg UNUSED, struct diags *d UNUSED, struct err *e)
{
	size_t i = 0;
	engine.calls++;
	if (engine.refuse)
		return err_set(e, engine.refuse, "the engine says no");
	while (i < engine.n && !str_eq(str_c(engine.list[i].key), o->key))
		i++;
	if (i == engine.n) {
		snprintf(engine.list[i].key, sizeof engine.list[i].key, "%.*s", STR_ARG(o->key));
		engine.list[i].manifest = arena_dup(engine.arena, json_write(a, manifest));
		engine.n++;
	}
	*name = arena_fmt(a, "wf-%zu", i);
	return 0;
}

struct fake_order {
	enum verb verb;
	str ns, name;
	struct verb_options o;
	void (*done)(void *arg, const struct val *workflow, const struct err *e);
	void *arg;
};

static void
order_is_on_disk(void *arg)
{
	const struct fake_order *x = arg;
	x->done(x->arg, NULL, NULL);
}

static void
carry_out(void *arg)
{
	struct fake_order *x = arg;
	struct err e = { 0 };
	if (engine.refuse_verb) {
		err_set(&e, engine.refuse_verb, "the engine says no");
		x->done(x->arg, NULL, &e);
		return;
	}
	engine.verbs[engine.verbs_n++] = (struct ordered){ x->verb, arena_fmt(engine.arena, "%.*s/%.*s", STR_ARG(x->ns), STR_ARG(x->name)).p,
		arena_fmt(engine.arena, "%.*s%.*s", STR_ARG(x->o.message), STR_ARG(x->o.node_field_selector)).p };
	if (x->o.decided)
		x->o.decided(x->arg, x->verb == VERB_RESUBMIT ? S("again") : x->name);
	store_after_commit(engine.store, order_is_on_disk, x);
}

void
engine_verb(struct engine *g UNUSED, enum verb v, str ns, str name, const struct verb_options *o,
            void (*done)(void *arg, const struct val *workflow, const struct err *e), void *arg)
{
	struct fake_order *x = ARENA_NEW(engine.arena, struct fake_order);
	*x = (struct fake_order){ v, arena_dup(engine.arena, ns), arena_dup(engine.arena, name), *o, done, arg };
	x->o.message = arena_dup(engine.arena, o->message);
	x->o.node_field_selector = arena_dup(engine.arena, o->node_field_selector);
	loop_defer(engine.loop, carry_out, x);
}

static void
tell_workflow(void *arg)
{
	struct fake_order *x = arg;
	struct val labels;
	struct err e = { 0 };
	engine.gets++;
	if (!engine.labels) {
		err_set(&e, ERR_NOT_FOUND, "workflows.argoproj.io \"%.*s\" not found", STR_ARG(x->name));
		x->done(x->arg, NULL, &e);
		return;
	}
	assert_int_equal(json_read(engine.arena, str_c(engine.labels), &labels, &e), 0);
	const struct val *meta = val_set(engine.arena, NULL, S("labels"), &labels);
	x->done(x->arg, val_set(engine.arena, NULL, S("metadata"), meta), NULL);
}

void
engine_get(struct engine *g UNUSED, str ns, str name, bool nodes UNUSED, void (*done)(void *arg, const struct val *workflow, const struct err *e), void *arg)
{
	struct fake_order *x = ARENA_NEW(engine.arena, struct fake_order);
	*x = (struct fake_order){ .ns = ns, .name = arena_dup(engine.arena, name), .done = done, .arg = arg };
	loop_defer(engine.loop, tell_workflow, x);
}

struct watch *
engine_watch(struct engine *g UNUSED, str ns UNUSED, str name UNUSED,
             void (*changed)(void *arg, str ns, str name, bool finished, bool deleted), void *arg)
{
	engine.changed = changed;
	engine.changed_arg = arg;
	return (struct watch *)&engine;
}

void
engine_unwatch(struct watch *w)
{
	if (w)
		engine.changed = NULL;
}

/* ---- the world -------------------------------------------------------------------------------------------------------- */

static const struct kind *const kinds[] = { &kind_sensor, &kind_configmap, &kind_secret, &kind_workflow, &kind_workflowtemplate, &kind_cronworkflow };

struct world {
	char dir[64];
	struct loop *loop;
	struct store *store;
	struct objects *objects;
	struct bus *bus;
	struct httpc *httpc;
	struct children *children;
	struct sensors *sensors;
	struct arena *arena;
	int64_t now;
	size_t emitted;
	/* a server that counts, remembers, and answers what it is told to */
	struct httpd *httpd;
	struct call {
		str id, body, method, x;
	} calls[8000];
	size_t calls_n;
	int answers[100];
	size_t answers_n;
	struct http_req *held[8]; /* with `hold`: requests that wait for release() */
	size_t held_n;
	bool hold;
	int64_t dead_letters;    /* the setting */
	const char *retry_after; /* sent with answers other than 200 */
};

static UNUSED struct bus *
bus_of(void *arg, str ns UNUSED, str name UNUSED)
{
	return ((struct world *)arg)->bus;
}

static UNUSED struct httpc *
httpc_of(void *arg)
{
	struct world *w = arg;
	if (!w->httpc)
		w->httpc = httpc_new(w->loop);
	return w->httpc;
}

static UNUSED struct children *
children_of(void *arg)
{
	struct world *w = arg;
	if (!w->children)
		w->children = children_new(w->loop, 2);
	return w->children;
}

static UNUSED void
must(int rc, const struct err *e)
{
	if (rc < 0)
		fail_msg("%s", e->msg);
}

static UNUSED void
open_world(struct world *w)
{
	static const struct store_migration unset[8];
	struct store_migration history[ARRAY_LEN(unset)] = { { 1, bus_schema_sql }, { 2, sensor_schema_sql }, { 3, sensor_waiting_sql },
	                                                         { 4, firing_schema_sql }, { 5, firing_gather_sql },
	                                                         { 6, sensor_explain_sql }, { 7, kept_schema_sql }, { 8, firing_aside_sql } };
	struct bus_limits limits = { 0 };
	struct err e;
	w->loop = loop_new();
	loop_set_clock(w->loop, w->now);
	must(store_open(w->loop, str_c(w->dir), history, ARRAY_LEN(history), &w->store, &e), &e);
	must(bus_open(w->store, w->loop, S("default"), S("default"), &limits, &w->bus, &e), &e);
	struct trigger_env env = { .loop = w->loop, .store = w->store, .objects = w->objects, .httpc = httpc_of, .children = children_of, .arg = w,
	                           .folder = arena_fmt(w->arena, "%s/triggers", w->dir), .dead_letters = w->dead_letters };
	engine.loop = w->loop;
	engine.store = w->store;
	w->sensors = sensors_new(&env, bus_of, w);
	must(sensors_apply(w->sensors, &e), &e);
}

static UNUSED void
settle(struct world *w)
{
	for (int quiet = 0, rounds = 0; quiet < 3 && rounds < 2000; rounds++) {
		bool busy = store_pending(w->store) > 0 || store_reading(w->store) > 0 || (w->sensors && sensors_under_way(w->sensors));
		loop_turn(w->loop, busy ? 20 : 2);
		quiet = busy ? 0 : quiet + 1;
	}
}

static UNUSED void
close_world(struct world *w)
{
	settle(w);
	sensors_free(w->sensors);
	w->sensors = NULL;
	bus_close(w->bus);
	if (w->httpd)
		httpd_stop(w->httpd);
	httpc_free(w->httpc);
	children_free(w->children);
	settle(w);
	store_close(w->store);
	loop_turn(w->loop, 0);
	loop_free(w->loop);
	w->httpd = NULL;
	w->httpc = NULL;
	w->children = NULL;
}

static UNUSED void
restart(struct world *w)
{
	close_world(w);
	open_world(w);
}

static UNUSED int
new_world(void **state)
{
	struct world *w = MEM_NEW(struct world);
	snprintf(w->dir, sizeof w->dir, "/tmp/tidegate-sensor-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->now = START;
	w->arena = arena_new();
	w->objects = objects_new(kinds, ARRAY_LEN(kinds));
	memset(&engine, 0, sizeof engine);
	engine.arena = w->arena;
	open_world(w);
	*state = w;
	return 0;
}

static UNUSED int
remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED, struct FTW *f UNUSED)
{
	return remove(path);
}

static UNUSED int
end_world(void **state)
{
	struct world *w = *state;
	close_world(w);
	objects_free(w->objects);
	arena_free(w->arena);
	nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(w);
	return 0;
}

static UNUSED void PRINTF_LIKE(2, 3)
apply(struct world *w, const char *fmt, ...)
{
	struct diags d;
	struct val *docs;
	struct err e;
	size_t n;
	va_list ap;
	va_start(ap, fmt);
	str text = arena_vfmt(w->arena, fmt, ap);
	va_end(ap);
	diags_init(&d);
	int rc = yaml_read_all(w->arena, S("sensor.yaml"), text, NULL, &docs, &n, &d);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct object *o = object_decode(kinds, ARRAY_LEN(kinds), &docs[i], S("sensor.yaml"), S("default"), &d);
		if (!o)
			rc = -1;
		else
			objects_put(w->objects, o);
		object_unref(o);
	}
	if (rc < 0) {
		diags_print(&d, stderr, 0);
		fail_msg("the manifest of this test is wrong");
	}
	diags_free(&d);
	must(sensors_apply(w->sensors, &e), &e);
	settle(w);
}

/* Publishes and returns the event's id ("ev-1", ...). */
static UNUSED const char *
emit(struct world *w, const char *subject, const char *data)
{
	struct event *ev = event_bare();
	const char *id = arena_fmt(w->arena, "ev-%zu", ++w->emitted).p;
	ev->ns = S("default");
	ev->id = arena_dup(ev->arena, str_c(id));
	ev->source = S("hook");
	ev->type = S("webhook");
	ev->subject = arena_dup(ev->arena, str_c(subject));
	ev->data = arena_dup(ev->arena, str_c(data));
	ev->time = w->now;
	bus_publish(w->bus, ev, NULL, NULL);
	event_unref(ev);
	return id;
}

struct decisions {
	struct arena *a;
	const char *id;
	struct val out;
};

static UNUSED int
read_decisions(sqlite3 *db, void *arg, struct err *e)
{
	struct decisions *d = arg;
	return sensor_decisions(db, STR_NONE, str_c(d->id), d->a, &d->out, e);
}

/* "verdict: reason" of the event's decision about the trigger ("" : at the dependency); "" if there is none. */
static UNUSED const char *
verdict(struct world *w, const char *id, const char *trigger)
{
	struct decisions d = { w->arena, id, { 0 } };
	struct err e;
	settle(w);
	must(store_read_now(w->store, read_decisions, &d, &e), &e);
	for (size_t i = 0; i < d.out.n; i++) {
		const struct val *v = val_at(&d.out, i);
		str name = val_get_str(v, "trigger"), reason = val_get_str(v, "reason");
		if (!str_eq(name, str_c(trigger)) && (name.n || *trigger))
			continue;
		str word = val_get_str(v, "verdict");
		return arena_fmt(w->arena, "%.*s%s%.*s", STR_ARG(word), reason.n ? ": " : "", STR_ARG(reason)).p;
	}
	return "";
}

/* What was read back on a pool thread comes when it comes: waits for the verdict, however busy the machine is. */
static UNUSED void
wait_for_verdict(struct world *w, const char *id, const char *trigger, const char *wanted)
{
	const char *got = verdict(w, id, trigger);
	for (int rounds = 0; strcmp(got, wanted) && rounds < 1000; rounds++)
		got = verdict(w, id, trigger);
	assert_string_equal(got, wanted);
}

static UNUSED const char *
parameter(struct world *w, size_t submission)
{
	struct val v;
	struct err e;
	must(json_read(w->arena, engine.list[submission].manifest, &v, &e), &e);
	const struct val *p = val_get(val_at(val_path(&v, "spec.arguments.parameters"), 0), S("value"));
	return p ? json_write(w->arena, p).p : "";
}

/* ---- manifests ------------------------------------------------------------------------------------------------------------ */

#define DEP(name) "  - {name: " name ", eventSourceName: hook, eventName: " name "}\n"
#define SENSOR(name) "apiVersion: argoproj.io/v1alpha1\nkind: Sensor\nmetadata: {name: " name "}\nspec:\n"
#define WORKFLOW \
	"      argoWorkflow:\n        operation: submit\n        source:\n          resource:\n" \
	"            apiVersion: argoproj.io/v1alpha1\n            kind: Workflow\n            metadata: {generateName: hello-}\n" \
	"            spec: {entrypoint: main, arguments: {parameters: [{name: m, value: none}]}}\n"

/* ---- a server -------------------------------------------------------------------------------------------------------------------- */

static UNUSED void
answer(struct http_req *r, void *arg)
{
	struct world *w = arg;
	struct call *c = &w->calls[w->calls_n];
	c->id = arena_dup(w->arena, http_req_header(r, "X-Tidegate-Firing-Id"));
	c->x = arena_dup(w->arena, http_req_header(r, "X-Test"));
	c->body = arena_dup(w->arena, http_req_body(r));
	c->method = arena_dup(w->arena, http_req_method(r));
	int status = w->calls_n < w->answers_n ? w->answers[w->calls_n] : 200;
	w->calls_n++;
	if (w->hold)
		w->held[w->held_n++] = r;
	else {
		if (w->retry_after && status != 200)
			http_reply_header(r, "Retry-After", str_c(w->retry_after));
		http_reply(r, status, NULL, S("ok"));
	}
}

static UNUSED unsigned
listen_on_loopback(struct world *w)
{
	struct httpd_config c = { .address = S("127.0.0.1") };
	struct err e;
	must(httpd_start(w->loop, &c, &w->httpd, &e), &e);
	assert_non_null(httpd_route(w->httpd, "*", "/{path...}", answer, w));
	return httpd_port(w->httpd);
}

static UNUSED void
wait_for_calls(struct world *w, size_t n)
{
	for (int i = 0; w->calls_n < n && i < 500; i++)
		loop_turn(w->loop, 20);
	assert_int_equal(w->calls_n, n);
	settle(w);
}

static UNUSED void
later(struct world *w, int64_t seconds)
{
	w->now += seconds * NS_PER_SEC;
	loop_set_clock(w->loop, w->now);
}

#define HTTP(extra) SENSOR("s") "  dependencies:\n" DEP("a") "  triggers:\n  - template:\n      name: t\n      http:\n        url: http://127.0.0.1:%u/in?key=secret\n" \
	"        headers: {X-Test: yes}\n        payload:\n        - {src: {dependencyName: a, dataKey: v, useRawData: true}, dest: n}\n" extra

#endif
