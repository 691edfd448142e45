/* SPDX-License-Identifier: Apache-2.0 */
#include "triggers/submit.h"

#include <stdlib.h>

/* Labels of pkg/sensors/triggers/standard-k8s of Argo Events. The time is the firing's, the same on every attempt. */
const struct val *
trigger_labelled(struct firing *f, const struct val *object)
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

/* ---- a new workflow ----------------------------------------------------------------------------------------------------- */

static str
key_of(struct firing *f)
{
	unsigned attempt = firing_attempt_number(f);
	return firing_policy(f) && attempt > 1 ? arena_fmt(firing_arena(f), "%.*s-%u", STR_ARG(firing_id(f)), attempt) : firing_id(f);
}

void
trigger_submit(struct firing *f, const struct val *object, const struct submit_options *more)
{
	struct arena *a = firing_arena(f);
	struct submit_options o = more ? *more : (struct submit_options){ 0 };
	str name = STR_NONE, ns = val_get_str(val_get(object, S("metadata")), "namespace");
	struct err e = { 0 };
	struct diags d;
	o.ns = firing_ns(f);
	o.key = key_of(f);
	diags_init(&d);
	int rc = engine_submit(firing_env(f)->engine, object, &o, a, &name, NULL, NULL, &d, &e);
	diags_free(&d);
	if (rc < 0)
		firing_done(f, &e, NULL);
	else if (o.dry_run)
		firing_done(f, NULL, NULL);
	else
		trigger_done_with(f, "Workflow", ns.n ? ns : o.ns, name);
}

/* ---- verbs ---------------------------------------------------------------------------------------------------------------- */

/* The firing ends in the turn of the verb, and the engine answers when that is on disk: so this lives on its own. */
struct order {
	struct firing *f; /* NULL: it has ended */
	str ns;
	void (*missing)(struct firing *f);
};

static void
decided(void *arg, str name)
{
	struct order *x = arg;
	struct firing *f = x->f;
	x->f = NULL;
	if (firing_is_over(f))
		firing_done(f, NULL, NULL);
	else
		trigger_done_with(f, "Workflow", x->ns, name);
}

static void
answered(void *arg, const struct val *workflow, const struct err *e)
{
	struct order *x = arg;
	struct firing *f = x->f;
	if (f && e && e->code == ERR_NOT_FOUND && x->missing && !firing_is_over(f))
		x->missing(f);
	else if (f && e)
		firing_done(f, e, NULL);
	else if (f) /* it was as it was to be */
		decided(x, val_get_str(val_get(workflow, S("metadata")), "name"));
	str_disown(x->ns);
	free(x);
}

void
trigger_verb(struct firing *f, enum verb v, str ns, str name, const struct verb_options *o, void (*missing)(struct firing *f))
{
	struct order *x = MEM_NEW(struct order);
	struct verb_options options = o ? *o : (struct verb_options){ 0 };
	*x = (struct order){ f, str_own(ns), missing };
	options.decided = decided;
	engine_verb(firing_env(f)->engine, v, ns, name, &options, answered, x);
}
