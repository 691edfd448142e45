/* SPDX-License-Identifier: Apache-2.0 */
/*
 * impl: what the files of the framework share: source.c (the life of one source, and its events), set.c (all of them), status.c (what is told
 * of them). marks.c and rows.c need no more than source.h.
 */
#ifndef TIDEGATE_SOURCES_IMPL_H
#define TIDEGATE_SOURCES_IMPL_H

#include <pthread.h>

#include "core/map.h"
#include "sources/backoff.h"
#include "sources/eventsource.h"

enum source_state { STARTING, CONNECTING, RUNNING, FAILED };

/* A bus and who of us publishes to it, so that a full one pauses them. */
struct bus_watch {
	struct link link; /* in sources.watches */
	struct sources *owner;
	struct bus *bus;
};

struct sources {
	struct loop *loop;
	struct store *store;
	struct objects *objects;
	struct bus *(*bus_of)(void *arg, str ns, str bus_name);
	void *arg;
	pthread_t thread;
	struct map running;   /* "ns/source/event" -> struct source */
	struct link all;      /* also those that are stopping */
	struct link watches;
	struct webhook_servers *webhooks;
	struct httpc *httpc; /* NULL until somebody asks */
	const struct workflow_feed *workflows; /* NULL: there are none */
	const struct cluster_place *cluster;   /* NULL: there is none */
	bool closed;
};

struct source {
	struct link link; /* in sources.all */
	struct sources *owner;
	struct arena *arena;
	struct object *object; /* one reference: the configuration lies in it */
	const struct source_entry *entry;
	const struct source_ops *ops;
	str key, url;
	const char *name_z, *event_z; /* for metrics and logs */
	struct bus *bus;
	struct filter *filter;
	const struct s3_events *s3; /* NULL: its events are no notifications of S3 */
	void *data;
	enum source_state state;
	int64_t since;
	char error[sizeof((struct err *)0)->msg], last_error[sizeof((struct err *)0)->msg];
	int64_t failed_at; /* when last_error came; 0: never */
	unsigned told;     /* lines about failures since it ran last */
	int64_t told_at;   /* of the last of them */
	bool paused, started, stopping, stopped, seen;
	size_t under_way; /* events published and not answered, reads of the mark */
	struct backoff_state waits;
	struct timer retry;
};

/* Makes it and starts it. `key` is copied. */
void source_add(struct sources *ss, struct object *o, const struct source_entry *entry, str key);
/* Stops it, and frees it once nothing is under way. */
void source_end(struct source *s);
void source_free_if_over(struct source *s);
/* Namespace, source, subject, type and time. */
void source_name_event(struct source *s, struct event *ev);
/* A notification of S3 gets the shape that those of minio have. False: there is nothing in it to tell. */
bool source_is_told(struct source *s, struct event *ev);
/* The set hears when the bus is full. */
void sources_watch_bus(struct sources *ss, struct bus *b);

#endif
