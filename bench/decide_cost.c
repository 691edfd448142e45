/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an event costs when it goes to many sensors and every one of them stops it with a filter: evaluation, decision and the rows of
 * both, in process, with the store in memory. Count it with callgrind or perf: the arguments are sensors and events.
 */
#include <stdlib.h>

#include "core/log.h"
#include "sensors/sensor.h"
#include "triggers/firing.h"

static const struct kind *const kinds[] = { &kind_sensor };

static struct bus *
bus_of(void *arg, str ns UNUSED, str name UNUSED)
{
	return *(struct bus **)arg;
}

static int
apply(struct objects *objects, size_t sensors, struct arena *a)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	struct diags d;
	struct val *docs;
	size_t n;
	for (size_t i = 0; i < sensors; i++)
		buf_addf(&b, "---\napiVersion: argoproj.io/v1alpha1\nkind: Sensor\nmetadata: {name: s%zu}\nspec:\n  dependencies:\n"
		             "  - name: push\n    eventSourceName: hook\n    eventName: push\n    filters:\n      data:\n"
		             "      - {path: body.ref, type: string, value: [refs/heads/release]}\n  triggers:\n  - template: {name: t, log: {}}\n", i);
	diags_init(&d);
	int rc = yaml_read_all(a, S("sensor.yaml"), buf_str(&b), NULL, &docs, &n, &d);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct object *o = object_decode(kinds, ARRAY_LEN(kinds), &docs[i], S("sensor.yaml"), S("default"), &d);
		rc = o ? 0 : -1;
		if (o)
			objects_put(objects, o);
		object_unref(o);
	}
	diags_free(&d);
	return rc;
}

static void
publish(struct bus *bus, size_t i)
{
	struct event *ev = event_new();
	ev->ns = S("default");
	ev->source = S("hook");
	ev->subject = S("push");
	ev->type = S("webhook");
	ev->time = (int64_t)i;
	ev->data = S("{\"body\":{\"repository\":{\"full_name\":\"octo/hello\"},\"commits\":[{\"id\":\"1\",\"message\":\"fix\"}],\"ref\":\"refs/heads/main\"}}");
	bus_publish(bus, ev, NULL, NULL);
	event_unref(ev);
}

int
main(int argc, char **argv)
{
	size_t sensors = argc > 1 ? strtoul(argv[1], NULL, 10) : 100, events = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000;
	struct store_migration history[] = { { 1, bus_schema_sql }, { 2, sensor_schema_sql }, { 3, sensor_waiting_sql }, { 4, firing_schema_sql },
		                             { 5, firing_gather_sql }, { 6, sensor_explain_sql }, { 7, firing_aside_sql } };
	struct bus_limits limits = { 0 };
	struct arena *a = arena_new();
	struct objects *objects = objects_new(kinds, ARRAY_LEN(kinds));
	struct loop *l = loop_new();
	struct store *store;
	struct bus *bus;
	struct err e;
	log_setup(LOG_ERROR, LOG_LOGFMT);
	if (apply(objects, sensors, a) < 0 || store_open(l, S(""), history, ARRAY_LEN(history), &store, &e) < 0 ||
		bus_open(store, l, S("default"), S("default"), &limits, &bus, &e) < 0)
		return 1;
	struct trigger_env env = { .loop = l, .store = store, .objects = objects };
	struct sensors *ss = sensors_new(&env, bus_of, &bus);
	if (sensors_apply(ss, &e) < 0)
		return 1;
	for (size_t i = 0; i < events; i++) {
		publish(bus, i);
		if (i % 32 == 0)
			loop_turn(l, 0);
	}
	while (store_pending(store))
		loop_turn(l, 20);
	printf("%zu events to %zu sensors: %llu commits\n", events, sensors, (unsigned long long)store_commits(store));
	sensors_free(ss);
	bus_close(bus);
	store_close(store);
	loop_turn(l, 0);
	loop_free(l);
	objects_free(objects);
	arena_free(a);
	return 0;
}
