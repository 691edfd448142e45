/* SPDX-License-Identifier: Apache-2.0 */
/* eventsource: the EventSource object as C structs. Its entries are decoded by the schemas of their kinds. */
#ifndef TIDEGATE_SOURCES_EVENTSOURCE_H
#define TIDEGATE_SOURCES_EVENTSOURCE_H

#include "sources/source.h"

/* One entry: spec.<kind>.<name>. */
struct source_entry {
	const struct source_ops *ops;
	str name;                     /* of the event */
	const void *config;           /* struct of ops->schema, in the object's arena; NULL if it has errors */
	const struct val *src;        /* the configuration as written */
};
struct event_source_spec {
	str bus_name;                 /* "": default */
	LIST_OF(struct source_entry) entries; /* in order of sources.def, then of appearance */
	const struct val *src;
};
/* What kind_eventsource decodes to. */
struct event_source {
	struct meta meta;
	struct event_source_spec spec;
	const struct val *status;
};
extern const struct schema event_source_schema;

/* The operations of a kind by its key ("pubSub"), or NULL. */
const struct source_ops *source_kind(str key);

#endif
