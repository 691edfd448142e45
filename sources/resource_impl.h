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
	const struct watched *watched;
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
};

/* ---- resource_config.c */
extern const struct schema resource_source_schema;
/* NULL: it cannot be watched. */
const struct watched *watched_of(const struct resource_source *c);

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

#endif
