/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source: one entry of an EventSource manifest, running. A kind of source is one file with a `struct source_ops` and one
 * line in sources.def. The framework decodes and checks its configuration, names its events, puts the body into the
 * envelope, applies the source's filter, publishes, and tells the kind when an event is on disk.
 */
#ifndef TIDEGATE_SOURCES_SOURCE_H
#define TIDEGATE_SOURCES_SOURCE_H

#include "bus/bus.h"
#include "config/config.h"
#include "core/field.h"

struct source;
struct sources;
struct webhook_servers; /* sources/webhook_server.h */
struct httpc;           /* core/net/httpc.h */

struct source_ops {
	const char *kind;            /* key under the EventSource's spec: "webhook", "pubSub" */
	const char *type;            /* CloudEvents type if it differs from kind ("pubsub"), else NULL */
	const char *doc;
	const struct schema *schema; /* its configuration; struct size is schema->size */
	bool rolling;                /* spec events 1.0: may run several times; must not share an EventSource with the others */
	/* Starts; source_config(s) is decoded and valid. Must not block. NULL: the kind is not served yet, and is refused as such. */
	int (*start)(struct source *s, struct err *e);
	const char *instead;         /* of a kind that is not served: why, and what to use; NULL: nothing to say */
	/*
	 * The event is on disk (e NULL), or could not be taken (e says why; ERR_UNAVAILABLE: the bus is full): reply, commit the
	 * offset. Also after stop(), for what was under way. ev->seq is 0 if the filter dropped it. May be NULL.
	 */
	void (*ack)(struct source *s, struct event *ev, void *token, bool duplicate, const struct err *e);
	/*
	 * The event is about to be published: what the kind writes now (marks, rows) is in its transaction. false: it is not taken in, and ack says
	 * ERR_UNAVAILABLE. May be NULL.
	 */
	bool (*take)(struct source *s, struct event *ev, void *token);
	void (*pause)(struct source *s, bool on); /* the bus is full / has room again; may be NULL: source_is_paused says it too */
	void (*stop)(struct source *s);           /* ends with source_stopped(), now or later */
	/*
	 * The event's data for `body` as a sender would send it, for `emit`: allocated in `a`. ERR_INVALID for a body that the kind
	 * would refuse. NULL: the body is the data.
	 */
	int (*wrap)(struct source *s, struct arena *a, str body, str *out, struct err *e);
	/* The objects in force may have changed, in this turn. May be NULL. */
	void (*objects_changed)(struct source *s);
	/* Adds what only the kind knows of its state, in `a`: a calendar's ticks. May be NULL. */
	void (*describe)(const struct source *s, struct val_map *m, struct arena *a);
};

const void *source_config(const struct source *s); /* the struct of ops->schema */
str source_ns(const struct source *s);
str source_name(const struct source *s);           /* of the EventSource */
bool source_like_argo(const struct source *s);      /* object_like_argo of the EventSource */
str source_event_name(const struct source *s);     /* of the entry */
struct loop *source_loop(const struct source *s);
struct sources *source_owner(const struct source *s);
/* The kind's own running state. */
void source_set_data(struct source *s, void *data);
void *source_data(const struct source *s);
bool source_is_paused(const struct source *s);
/* A secret's value now (spec events 1.0: one trailing newline is stripped). In `a`; masked in the logs from here on. */
int source_secret(struct source *s, const struct secret_ref *ref, struct arena *a, str *out, struct err *e) MUST_CHECK;

/*
 * An event has come. `ev->data` is the body as sensors will see it, ev->dedup the delivery id if there is one; the
 * framework sets ns, source, subject, type. `token` comes back in ack(). Any thread; takes the reference. An event that the
 * source's filter drops is acknowledged as if stored, and counted.
 */
void source_emit(struct source *s, struct event *ev, void *token);
/* Several, in their order and in one turn, for the price of one journey to the loop: `ev` and `tokens` are `n` each, not kept. */
void source_emit_all(struct source *s, struct event *const *ev, void *const *tokens, size_t n);
/* start() succeeds, and the connection is not there yet: source_state will say when it is. */
void source_connecting(struct source *s);
/* Connection state, for `tidegate status` and metrics; logged when it changes. e NULL: all is well. */
void source_state(struct source *s, bool connected, const struct err *e);
void source_stopped(struct source *s);
/* Where senders reach it ("http://0.0.0.0:12000/push"), for `tidegate status`. Copied. */
void source_set_url(struct source *s, str url);
/* A request that the source refused, for the metrics. */
void source_count_failure(struct source *s);
/* A delivery that the source knew, and did not emit again, for the metrics. */
void source_count_duplicate(struct source *s);
/*
 * A number that survives restarts, one an entry: the last tick, an offset. Reads it (0: never set) and calls `done` in a later turn
 * unless the source was stopped meanwhile.
 */
void source_read_mark(struct source *s, void (*done)(struct source *s, int64_t mark));
/* Sets it in this turn's transaction: together with what is emitted in this turn. */
void source_write_mark(struct source *s, int64_t mark);
/* The same for one of several marks of an entry, known by its name: the partition of a topic whose offset it is. */
void source_read_named_mark(struct source *s, str name, void (*done)(struct source *s, int64_t mark));
void source_write_named_mark(struct source *s, str name, int64_t mark);

/*
 * More than a number: rows that survive restarts, key to value, a set of its own for each entry. Keys and values are bytes. The kind bounds
 * how many there are, and reads them once, when it starts.
 */
struct source_row {
	str key, value; /* absent value: the row goes */
};
/*
 * Reads them all, in order of their keys, and calls `done` in a later turn unless the source was stopped meanwhile; they are valid during
 * it. `e`: they cannot be read: no reason to forget them.
 */
void source_read_rows(struct source *s, void (*done)(void *arg, const struct source_row *rows, size_t n, const struct err *e), void *arg);
/* Calls `done` once all that was written or emitted until now is on disk. */
void source_after_commit(struct source *s, void (*done)(void *arg), void *arg);
/* Sets and removes rows in this turn's transaction: together with what is emitted in this turn. `anew`: all that were there before go. */
void source_write_rows(struct source *s, bool anew, const struct source_row *rows, size_t n);

/* All kinds, in order of sources.def. */
extern const struct source_ops *const source_kinds[];
extern const size_t source_kinds_n;
/* The schema of the EventSource object and its cross-field checks (spec events 5.1 to 5.3). */
extern const struct kind kind_eventsource;

/* For what belongs to the framework (rows.c): the store; keeps the source in memory, also when it has stopped, until it is released. */
struct store *source_store(const struct source *s);
void source_hold(struct source *s);
void source_release(struct source *s);
bool source_is_stopping(const struct source *s);

/* ---- the set that runs --------------------------------------------------------------------------------------- */

/* Tables of marks and rows: SQL for one migration step of the state file each. */
extern const char sources_schema_sql[], sources_rows_sql[];
/*
 * Runs the sources of all EventSource objects in `objects`, publishing to the buses that `bus_of` gives (NULL: there is no such bus;
 * the source waits for it). `address` is where webhooks listen; absent: everywhere.
 */
struct sources *sources_new(struct loop *l, struct store *store, struct objects *objects, str address,
                            struct bus *(*bus_of)(void *arg, str ns, str bus_name), void *arg);
/* Starts what is new, stops what is gone, restarts what changed (by schema_equal); the rest keeps running. */
void sources_apply(struct sources *ss);
/* Stops everything, then frees: once the last source has stopped, in a later turn if need be. NULL is fine. */
void sources_free(struct sources *ss);
/* What the webhook kinds share: one server a port. */
struct webhook_servers *sources_webhooks(struct sources *ss);
/* The HTTP client of the sources, made with its first use; NULL while the set is being freed. */
struct httpc *sources_httpc(struct sources *ss);
/* The set ends, and with it the daemon, not the manifest: what is registered elsewhere stays. */
bool sources_closing(const struct sources *ss);
/* What the sources were made with. */
struct store *sources_store(const struct sources *ss);
struct objects *sources_objects(const struct sources *ss);
/* Calls fn(s, arg) for each source of a kind that has started and was not stopped. */
void sources_each(struct sources *ss, const struct source_ops *kind, void (*fn)(struct source *s, void *arg), void *arg);
/* The bus of that name, as the sources get it; NULL: there is none. */
struct bus *sources_bus(struct sources *ss, str ns, str name);
/*
 * A list of {namespace, eventSource, event, type, place, state, since, error, url, lastError, lastErrorTime}, and what the kind adds;
 * state: starting, connecting, running, paused, failed, and since when it is in that. The last error stays when all is well again.
 */
struct val sources_status(struct sources *ss, struct arena *a);
/* Publishes `data` as if the named entry had received it: `emit`. ERR_NOT_FOUND names the near miss. */
int sources_emit(struct sources *ss, str ns, str source, str event, str data, void (*stored)(void *arg, struct event *ev, enum bus_result how),
                 void *arg, struct err *e) MUST_CHECK;

#endif
