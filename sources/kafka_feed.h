/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_feed: what the kinds that read a topic of Kafka share: a feed over a consumer. Where a source goes on after a restart, its group
 * knows (offsets are stored when the events are on disk, and committed once a second and at the end), or, of one partition without a
 * group, a mark of the source, written when the events before it are on disk. What comes once more by a crash in between has the same
 * dedup id, and is the same event.
 */
#ifndef TIDEGATE_SOURCES_KAFKA_FEED_H
#define TIDEGATE_SOURCES_KAFKA_FEED_H

#include "core/net/avro_registry.h"
#include "core/net/kafka_consumer.h"
#include "sources/feed.h"

struct kafka_reader;
/* The event of a record, on the feed's thread. NULL with an error that is avro_registry_failed: not yet, it is asked again; any other: it can be none. */
typedef struct event *kafka_event_fn(const struct kafka_reader *r, const struct kafka_record *record, struct err *e);

/* One source that reads; the context of its feed. */
struct kafka_reader {
	struct arena *arena;
	struct source *source;
	kafka_event_fn *event;
	str id_prefix;        /* "<event source>:<event>:<broker>:<topic>:" */
	str dedup_prefix;     /* "<topic>:" */
	const struct tz *zone; /* of times as text */
	str group;            /* its own, for kinds that make it up */
	struct event_group *group_of_events; /* for the next event that is made; NULL: it gets an arena of its own. The feed's thread */
	str mark;             /* of one partition: the mark's name; else absent */
	struct avro_registry *registry; /* of its messages' schemas; NULL: none, or not connected. The feed's thread's */
	int64_t next;         /* of one partition: the offset to go on from; -1: not known yet. The loop's */
	_Atomic int64_t settled;
	_Atomic bool told;
	_Atomic size_t partitions;
};

/* A new reader: `broker` is the first of them as the manifest has it. ERR_IO if the zone cannot be read. */
int kafka_reader_new(struct source *s, str broker, str topic, kafka_event_fn *event, struct kafka_reader **out, struct err *e) MUST_CHECK;
void kafka_reader_free(void *reader);
/* For source_ops.wrap: the data of the event of a record. */
int kafka_reader_wrap(struct source *s, str topic, kafka_event_fn *event, const struct kafka_record *record, struct arena *a, str *out,
                      struct err *e) MUST_CHECK;
/* Gives the event of the record its ids. */
void kafka_reader_name(const struct kafka_reader *r, const struct kafka_record *record, struct event *ev);
/* Adds an option to the target; `room` for them is the caller's. */
void kafka_option(struct peer_target *t, struct http_header *room, const char *name, str value);

void *kafka_feed_open(struct feed *f, const struct peer_target *t, struct err *e);
int kafka_feed_receive(void *conn, struct feed *f, struct err *e);
int kafka_feed_wait(void *conn, short *events, int *timeout_ms);
int kafka_feed_settle(void *conn, const union feed_handle *handles, size_t n, struct err *e);
void kafka_feed_close(void *conn);
/* source_ops.describe: also how many partitions are read. */
void kafka_feed_describe(const struct source *s, struct val_map *m, struct arena *a);
enum { KAFKA_FEED_WINDOW = 8192 };
/* The operations of a feed, but for `target`. */
#define KAFKA_FEED_OPS .name = "kafka", .open = kafka_feed_open, .receive = kafka_feed_receive, .wait = kafka_feed_wait, \
	.settle = kafka_feed_settle, .close = kafka_feed_close, .window = KAFKA_FEED_WINDOW, .tends = true, .says_when = true

#endif
