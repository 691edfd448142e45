/* SPDX-License-Identifier: Apache-2.0 */
#include "triggers/submit.h"

#include "engine/engine.h"

/* Labels of pkg/sensors/triggers/standard-k8s of Argo Events. The time is the firing's, the same on every attempt. */
static const struct val *
labelled(struct firing *f, const struct val *object)
{
	struct arena *a = firing_arena(f);
	struct event **events;
	int64_t newest = 0;
	for (size_t i = 0, n = firing_events(f, &events); i < n; i++)
		newest = events[i]->time > newest ? events[i]->time : newest;
	const struct {
		const char *key;
		str value;
	} rows[] = {
		{ "events.argoproj.io/sensor", firing_sensor(f) },
		{ "events.argoproj.io/trigger", firing_trigger(f) },
		{ "events.argoproj.io/action-timestamp", arena_fmt(a, "%lld", (long long)(newest / NS_PER_MS)) },
	};
	const struct val *meta = val_get(object, S("metadata")), *labels = val_get(meta, S("labels"));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct val v = val_str(rows[i].value);
		labels = val_set(a, labels, str_c(rows[i].key), &v);
	}
	meta = val_set(a, meta, S("labels"), labels);
	return val_set(a, object, S("metadata"), meta);
}

const struct val *
trigger_submits(struct firing *f)
{
	const struct val *source = firing_source(f);
	str operation = val_get_str(firing_spec(f), "operation");
	bool makes = !operation.n || str_eq(operation, S("create")) || str_eq(operation, S("submit"));
	return makes && str_eq(val_get_str(source, "kind"), S("Workflow")) ? labelled(f, source) : NULL;
}

static const struct val *
result_of(struct arena *a, str name)
{
	struct val v = val_str(name);
	return val_set(a, NULL, S("workflow"), &v);
}

void
trigger_submit_object(struct firing *f, const struct val *object)
{
	struct arena *a = firing_arena(f);
	struct submit_options o = { .ns = firing_ns(f), .key = firing_id(f) };
	struct err e = { 0 };
	struct diags d;
	str name = STR_NONE;
	diags_init(&d);
	int rc = engine_submit(firing_env(f)->engine, labelled(f, object), &o, a, &name, NULL, NULL, &d, &e);
	diags_free(&d);
	if (rc < 0)
		firing_done(f, &e, NULL);
	else
		firing_done(f, NULL, result_of(a, name));
}

void
trigger_submit(struct firing *f)
{
	trigger_submit_object(f, firing_source(f));
}
