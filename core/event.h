/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event: a CloudEvent on its way through the gateway. It owns an arena with everything it points to and is counted: the
 * source, the bus and every sensor hold it as long as they need it. Immutable once published, except `seq`.
 */
#ifndef TIDEGATE_CORE_EVENT_H
#define TIDEGATE_CORE_EVENT_H

#include "core/base.h"
#include "core/val.h"

struct event_group;

struct event {
	struct arena *arena;
	struct event_group *group; /* whose arena it is; NULL: its own */
	unsigned refs;
	int64_t seq;       /* place in the bus's log, from 1; 0 before it is published */
	str ns;            /* namespace of the EventSource */
	str id;            /* 32 lower-case hexadecimal digits (event_random_id) unless the source has a better one */
	str source;        /* name of the EventSource */
	str type;          /* "webhook", "github", ... (spec events 1.0) */
	str subject;       /* the event's name: the key of its entry */
	str content_type;  /* of `data`; "application/json" */
	int64_t time;      /* when it was taken in, ns */
	str data;          /* the body as bytes */
	str dedup;         /* a delivery id of the sender: another event of the same source, subject and dedup is the same event;
	                      absent: nothing is known */
	struct kvs_ext {
		str key, value;
	} *ext; /* further CloudEvents attributes */
	size_t ext_n;
	const struct val *parsed; /* cache of event_data */
	enum { EVENT_UNCHECKED, EVENT_JSON, EVENT_NO_JSON } checked; /* cache of event_is_json */
};

/* Attributes of events that came in once more (api/rest_again.c): the id of the first one, and the only sensor that sees it. */
#define EVENT_REPLAY_OF "replayof"
#define EVENT_LIKE "likeof"
#define EVENT_REPLAY_FOR "replayfor"
/* Whether it is one of them. */
bool event_is_trace(str key);
/* A further attribute; absent if it has none of that name. */
str event_ext(const struct event *ev, const char *key);
/* A new event with one reference, an arena, a random id and content type application/json. */
struct event *event_new(void);
/* The same without an id, for those who fill everything. */
struct event *event_bare(void);
/*
 * Small events that come together share an arena, which goes with the last of them: memory that is taken by one thread and given back by
 * another is dear. One thread makes a group and its events, and ends it before anybody else gets one of them.
 */
struct event_group *event_group_new(void);
/* As event_bare. NULL: in an arena of its own. */
struct event *event_in(struct event_group *g);
/* It holds as much as one event may keep alive. */
bool event_group_is_full(const struct event_group *g);
/* No more events are made in it. NULL is fine. */
void event_group_end(struct event_group *g);
struct event *event_ref(struct event *ev);
/* Drops a reference; the last one frees. NULL is fine. */
void event_unref(struct event *ev);
/* `data` as a value: parsed on the first call and kept. NULL with `e` set if it is no JSON. Empty data gives NULL, ERR_NONE. */
const struct val *event_data(struct event *ev, struct err *e);
/* Whether `data` is JSON, without building anything; looked at once. Empty data is none. */
bool event_is_json(struct event *ev);
/* Structured-mode CloudEvents JSON as Argo puts it on the bus (spec events 2.1): data under data_base64. */
struct val event_envelope(const struct event *ev, struct arena *a);
/* The whole event as parameters without a key see it (spec events 3.2): {"context":{...},"data":"<base64>"}. */
struct val event_context_and_data(const struct event *ev, struct arena *a);
/*
 * 32 lower-case hexadecimal digits: a UUIDv7 (RFC 9562) without dashes. It begins with the time, so that an index over ids grows
 * at its end; Argo's are version 4, and nobody looks.
 */
str event_random_id(struct arena *a);

#endif
