/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resource: how the sources of that kind learn of workflows, which sources/ knows nothing of: the daemon gives them a feed. Objects of
 * the configuration they look up by themselves.
 */
#ifndef TIDEGATE_SOURCES_RESOURCE_H
#define TIDEGATE_SOURCES_RESOURCE_H

#include "sources/source.h"

/* A workflow that is about to be written, in the transaction of this turn. */
struct workflow_news {
	enum object_change { OBJECT_ADD, OBJECT_UPDATE, OBJECT_DELETE } change;
	int64_t id;      /* grows with each workflow */
	str ns, name;
	/* The Workflow as it is about to be written, in `a`: asked for only if somebody wants it. NULL: as it is stored (of one that is deleted). */
	struct val (*body)(const struct workflow_news *news, struct arena *a);
	const void *of; /* for body() */
};
struct stored_workflow {
	int64_t id;
	str ns, name;
	struct val body; /* null: damaged */
};
struct workflow_feed {
	/* Whether anybody wants to hear of workflows: from now on sources_tell is called for each, or no more. */
	void (*watch)(void *arg, bool on);
	/* The id of the newest workflow; 0: there never was one. */
	int64_t (*newest)(void *arg);
	/* Within a store_fn: the workflow as it is stored, in `a` (ERR_NOT_FOUND); up to `limit` of them with from <= id <= to, of a namespace ("": of all). */
	int (*read)(sqlite3 *db, str ns, str name, struct arena *a, struct val *out, struct err *e);
	int (*page)(sqlite3 *db, str ns, int64_t from, int64_t to, size_t limit, struct arena *a, struct stored_workflow *out, size_t *n, struct err *e);
	void *arg;
};
/* Before the first sources_apply. Borrowed. */
void sources_set_workflows(struct sources *ss, const struct workflow_feed *feed);
const struct workflow_feed *sources_workflows(const struct sources *ss);
/* Tells the sources that watch workflows, before the write of the change is queued: what they make of it is in the same transaction. */
void sources_tell(struct sources *ss, const struct workflow_news *news);

/* Where the cluster is whose objects are watched beside our own. Before the first sources_apply. Borrowed; NULL: there is none. */
struct cluster_place; /* core/net/cluster.h */
void sources_set_cluster(struct sources *ss, const struct cluster_place *place);
const struct cluster_place *sources_cluster(const struct sources *ss);

/* Tables of the source: SQL for one migration step of the state file each. */
extern const char resource_schema_sql[], resource_cluster_sql[];

/* ---- what resource.c and its neighbours share ---------------------------------------------------------------------- */

struct resource_selector {
	str key, operation, value;
	const struct val *src;
};
struct resource_filter {
	bool after_start;
	str created_by;
	LIST_OF(struct resource_selector) fields;
	LIST_OF(struct resource_selector) labels;
	str prefix;
	const struct val *src;
};
struct resource_source {
	struct strs event_types;
	struct resource_filter *filter;
	str group;
	struct kvs metadata;
	str namespace;
	str resource;
	str version;
	const struct val *src;
};

/* ---- resource_filter.c: for one thread at a time */
struct resource_match;
/* The filter may be NULL. ERR_INVALID: an expression or a time that cannot be read. `f` must live as long. */
int resource_match_new(const struct resource_filter *f, struct resource_match **out, struct err *e) MUST_CHECK;
void resource_match_free(struct resource_match *m);
/* Whether its labels are those asked for. */
bool resource_labels_match(const struct resource_match *m, str body);
/* Whether name, age and fields are. */
bool resource_fields_match(const struct resource_match *m, str name, str body);
/* The labels as a cluster takes them: "a=b,c in (d,e)", in `a`; empty if there are none. */
str resource_label_selector(const struct resource_filter *f, struct arena *a);
/* Findings about the selectors, for lint. */
void resource_filter_check(const struct resource_filter *f, const struct val *in, struct decode *c);

/* ---- resource_news.c: changes become rows, and rows become events */
struct resource_news; /* of one source */
/* A change; strings are copied. */
struct object_news {
	enum object_change change;
	int64_t id;       /* of a workflow; 0: another object */
	str ns, name;
	str body, old;    /* JSON; absent: as it is stored, if it is a workflow */
	bool known;       /* only to be remembered, not to be told */
	bool advance;     /* all workflows up to this one have been dealt with */
	bool below;       /* only if it is below the mark */
};
struct resource_news *resource_news_new(struct source *s, struct store *store, struct resource_match *match);
/* Whether nothing can come of it, whatever the object is: then it need not be read. */
bool resource_news_is_idle(const struct resource_news *n, const struct object_news *o);
/* Decides, in this turn's transaction, whether it becomes an event. */
void resource_news_add(struct resource_news *n, const struct object_news *o);
/* Within a store_fn, for who judges by himself: what is to be told of `o` becomes a row, and *told true; then resource_news_go_on. `dedup` may be absent. */
int resource_news_write(struct resource_news *n, sqlite3 *db, const struct object_news *o, str dedup, bool *told, struct err *e) MUST_CHECK;
/* Ends; `ended` runs now or later, when nothing is under way any more, and `n` is freed. */
void resource_news_free(struct resource_news *n, void (*ended)(void *arg), void *arg);
/* There are rows, perhaps, or the bus has room again. */
void resource_news_go_on(struct resource_news *n);
/* Whether the source tells of such changes. */
bool resource_news_wants(const struct resource_news *n, enum object_change change);
/* The event's data for an object. Appends. */
void resource_data(struct buf *b, const struct resource_source *c, enum object_change change, str body, str old);

#endif
