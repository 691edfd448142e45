/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trigger: what a sensor does when its conditions hold. A kind of trigger is one file with a `struct trigger_ops` and one
 * line in triggers.def. The framework has applied the parameters; it keeps the firing on disk until it has ended, applies
 * retries, rate limit and policy, and parks what it gives up as a dead letter.
 */
#ifndef TIDEGATE_TRIGGERS_TRIGGER_H
#define TIDEGATE_TRIGGERS_TRIGGER_H

#include "config/config.h"
#include "core/event.h"
#include "core/field.h"
#include "core/loop.h"
#include "core/net/httpc.h"

struct children;
struct revisions;
struct engine;
struct firing;
struct peers;

/* What carries the firing's id to a receiver that has headers. */
#define FIRING_HEADER "X-Tidegate-Firing-Id"

/* What triggers need from outside; one for all. */
struct trigger_env {
	struct loop *loop;
	struct store *store;
	struct objects *objects;
	struct revisions *revisions; /* may be NULL */
	struct engine *engine;
	void (*changed)(void *arg); /* a trigger has put or deleted an object: whoever follows them looks again, but not within this call. May be NULL */
	struct httpc *(*httpc)(void *arg); /* made with the first use, as peers is */
	struct peers *(*peers)(void *arg);
	struct children *(*children)(void *arg);
	str folder; /* where a kind may keep files while an attempt runs; emptied when the daemon starts */
	/*
	 * For trying out: called in place of every kind's fire, within the turn of the event as for kinds that work inside. A source that
	 * lies elsewhere is not read: firing_source is NULL then. NULL: in earnest.
	 */
	void (*instead)(void *arg, struct firing *f);
	void *arg;
	int64_t dead_letters; /* kept per trigger; 0: as many as the settings' default */
};

struct trigger_ops {
	const char *kind;            /* key under the trigger's template: "http", "argoWorkflow" */
	const char *doc;
	const struct schema *schema;
	/*
	 * Fires: `firing_spec` is the kind's object with all parameters applied. Exactly one firing_done, now or later. A kind with
	 * `inside` set has no effect outside the store: its whole effect is queued with store_write in this turn, in the same
	 * transaction as the event, and is therefore exactly once. NULL fire: the kind is not served yet.
	 */
	void (*fire)(struct firing *f);
	bool inside;
	void (*resume)(struct firing *f, str mark); /* an attempt of a daemon that ended goes on where firing_mark was; NULL: nothing is marked */
	bool own_parameters;         /* `parameters` are not of the trigger's object: the kind applies them itself */
	/* What the parameters are applied to in place of the object that `source` has; NULL: there is no such hook. NULL and `e`: the attempt fails. */
	const struct val *(*object)(struct firing *f, const struct val *source, struct err *e);
	/*
	 * For trying out: the Workflow that firing would submit, in the firing's arena; *out NULL: none. -1: it would fail. NULL: the kind
	 * submits none.
	 */
	int (*submits)(struct firing *f, const struct val **out, struct err *e);
	void (*forget)(void *memory); /* frees what firing_memory holds; NULL: nothing is held */
	const char *instead; /* not served: what to write instead; may be NULL */
};

const struct val *firing_spec(const struct firing *f);   /* the trigger's object (what is under `http:`), parameters applied */
const struct val *firing_source(const struct firing *f); /* the resource of k8s and argoWorkflow, parameters applied; NULL for others */
const void *firing_config(const struct firing *f);       /* firing_spec decoded by ops->schema */
str firing_payload(const struct firing *f);              /* built from `payload`; absent if the trigger has none */
const struct trigger_ops *firing_kind(const struct firing *f);
/* JSON of what it acts with, in `a`: the resource, else the payload (which need not be JSON), else the trigger's object. */
str firing_sends(const struct firing *f, struct arena *a);
str firing_id(const struct firing *f);                   /* the same on every attempt: goes out with the call */
str firing_ns(const struct firing *f);
str firing_sensor(const struct firing *f);
str firing_trigger(const struct firing *f);
struct arena *firing_arena(const struct firing *f);
const struct trigger_env *firing_env(const struct firing *f);
size_t firing_events(const struct firing *f, struct event ***out); /* by dependency, in the order they arrived */
str firing_dependency(const struct firing *f, size_t i);           /* of event i */
/*
 * Where the kind keeps what it remembers of this trigger while the daemon runs; NULL at first; ops->forget frees it. The place stays
 * until the last attempt has ended.
 */
void **firing_memory(const struct firing *f);
/* The daemon ends: nothing more may be sent, and firing_done is all that is left. For calls that follow calls. */
bool firing_is_over(const struct firing *f);
/* The attempt has ended. e NULL: well; `result` (may be NULL) is shown by `events` and `explain`: {"workflow":"hello-x7k2f"}, {"status":200}. */
void firing_done(struct firing *f, const struct err *e, const struct val *result);

extern const struct trigger_ops *const trigger_kinds[];
extern const size_t trigger_kinds_n;
const struct trigger_ops *trigger_kind(str key);

#endif
