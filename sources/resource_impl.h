/* SPDX-License-Identifier: Apache-2.0 */
/* resource_impl: what the files of the resource source share. Nobody else includes it. */
#ifndef TIDEGATE_SOURCES_RESOURCE_IMPL_H
#define TIDEGATE_SOURCES_RESOURCE_IMPL_H

#include "core/map.h"
#include "sources/resource.h"

/* What can be watched, as `group/version resource` says it. */
struct watched {
	const char *resource, *group, *version, *kind; /* kind NULL: workflows */
};
struct resource {
	struct source *source;
	struct store *store;
	struct objects *objects;
	const struct resource_source *config;
	const struct watched *watched; /* NULL: objects of a cluster */
	struct resource_news *news;
	size_t under_way; /* reads and writes of ours */
	bool stopping;
	/* workflows: those with `at` to `to` are still to be told of as added */
	int64_t at, to;
	bool placed; /* `at` is known */
	bool reading, again;
	/* objects of the configuration */
	struct map known; /* by key */
	bool loaded;
	struct cluster_watch *cluster; /* of objects of a cluster */
};

/* ---- resource_config.c */
extern const struct schema resource_source_schema;
/* NULL: it is no object of ours. */
const struct watched *watched_of(const struct resource_source *c);
/* Secrets of the core group: nobody is told of those, of whatever cluster. */
bool resource_is_secret(const struct resource_source *c);

/* ---- resource.c */
/* One of its jobs, counted in under_way, is done. */
void resource_over(struct resource *r);
bool resource_in_scope(const struct resource *r, str ns);
bool resource_is_after_start(const struct resource *r);
/* An object as events have it, in `a`. */
str resource_body(struct arena *a, const struct val *v);

/* ---- resource_workflows.c */
void resource_start_workflows(struct resource *r);

/* ---- resource_objects.c */
void resource_start_objects(struct resource *r);
void resource_objects_changed(struct source *s);
void resource_free_objects(struct resource *r);

/* ---- resource_cluster.c */
void resource_start_cluster(struct resource *r);
void resource_pause_cluster(struct resource *r, bool on);
/* One of its jobs is on disk. */
void resource_cluster_has_room(struct resource *r);
/* Sends and tells nothing from here on. */
void resource_stop_cluster(struct resource *r);
/* Once nothing of the source is under way. NULL is fine. */
void resource_free_cluster(struct cluster_watch *w);

/* ---- resource_seen.c: what was told of the objects of a cluster, in the store */

struct cluster_object;
/*
 * What the cluster says of an object: that it is so, as part of a listing (its number, not 0) or of the watch (0). What is new of it is told in this
 * turn's transaction. Objects that were made before `since` (ns) are known, and never told of.
 */
void resource_seen_tell(struct resource *r, const struct cluster_object *o, int64_t listing, int64_t since);
/* What this listing has not had is gone: told so, in portions; then done(r), unless the source stops. */
void resource_seen_sweep(struct resource *r, int64_t listing, int64_t since, void (*done)(struct resource *r));
/* Nothing was seen yet, in this turn's transaction. */
void resource_seen_forget(struct resource *r);

#endif
