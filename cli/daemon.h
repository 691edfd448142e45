/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon: the parts put together in the right order, for `serve` and for `run`.
 *
 *     store -> objects -> engine -> executor -> recovery -> sensors -> sources -> listeners
 *
 * Each stands on those before it: recovered runs ask for templates, sensors submit workflows, sources feed sensors, and
 * nobody can call before all of it runs. Closing goes the other way.
 */
#ifndef TIDEGATE_CLI_DAEMON_H
#define TIDEGATE_CLI_DAEMON_H

#include "bus/bus.h"
#include "config/config.h"
#include "core/net/httpc.h"
#include "core/net/peer.h"
#include "engine/engine.h"
#include "engine/exec/executor.h"
#include "sensors/sensor.h"
#include "sources/resource.h"

struct daemon {
	struct arena *arena;
	struct settings settings;
	str state;
	struct loop *loop;
	struct store *store;
	struct objects *objects;
	bool keep_revisions;      /* of templates; set before daemon_open */
	struct revisions *revisions;
	struct engine *engine;
	struct executor *executor;
	struct map buses;         /* "ns/name" -> struct bus */
	struct sensors *sensors;  /* NULL for `run`, as the sources */
	struct sources *sources;
	struct httpc *httpc;
	struct peers *peers;
	struct children *children;
	bool change_is_due; /* of objects, by a trigger */
	struct workflow_feed workflows; /* for sources of kind resource ... */
	size_t workflows_watched;       /* ... so many of them */
};

/* Settings from `config` (NULL: defaults) with what the command line says on top (NULL: nothing). Prints findings. On an error
 * nothing is left to be freed. */
int daemon_settings(struct daemon *d, const char *config, const char *state, const char *sandbox, struct err *e) MUST_CHECK;
/* Everything up to the executor, on the state directory d->state; objects that came through the API are in force. */
int daemon_open(struct daemon *d, struct err *e) MUST_CHECK;
/* Takes up what was running. After the manifests are in force. */
int daemon_recover(struct daemon *d, struct err *e) MUST_CHECK;
/* Sensors, then sources. */
int daemon_start_events(struct daemon *d, struct err *e) MUST_CHECK;
/* Applies changed objects to those that run. */
void daemon_objects_changed(struct daemon *d);
/* Stops sources and sensors, commits what is queued, leaves running steps to their helpers. Accepts a half-opened one. */
void daemon_close(struct daemon *d);

/* Reads manifests, prints the findings to standard error with source line and caret where it is a terminal. */
int read_manifests(const char *const *paths, size_t n, str ns, const struct objects *resolve_in, struct manifest_set *out, struct diags *d) MUST_CHECK;
/* Prints findings to standard error. */
void print_findings(struct diags *d);

#endif
