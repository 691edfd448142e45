/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message: the data of an event, put together member by member in the order in which Argo's structs have them, with text escaped as
 * Go's encoding/json does (spec events 1.0). Any thread.
 *
 *	struct message m;
 *	message_begin(&m);
 *	message_str(&m, "topic", topic);
 *	if (message_body(&m, "body", payload, s->json_body, &e) < 0) { message_drop(&m); ... }
 *	message_metadata(&m, &s->metadata);
 *	struct event *ev = message_end(&m);
 */
#ifndef TIDEGATE_SOURCES_MESSAGE_H
#define TIDEGATE_SOURCES_MESSAGE_H

#include "core/event.h"
#include "core/field.h"

struct message {
	struct event *ev;
	struct buf b;
};

void message_begin(struct message *m);
/* The same, of an event in a group; NULL: in none. */
void message_begin_in(struct message *m, struct event_group *g);
void message_str(struct message *m, const char *name, str value);
void message_int(struct message *m, const char *name, int64_t value);
/* JSON that is put in as it is. */
void message_raw(struct message *m, const char *name, str json);
/*
 * A payload: as JSON, compacted as Go does it, if `json_body`; else as base64. -1 (ERR_INVALID, with the text of Go's decoder): it is to be
 * JSON and is not; nothing was added.
 */
int message_body(struct message *m, const char *name, str payload, bool json_body, struct err *e) MUST_CHECK;
/* The same where text goes in as a string (redis, mns). */
int message_text_body(struct message *m, const char *name, str payload, bool json_body, struct err *e) MUST_CHECK;
/* {"key":"value"} in order of keys; {} if there are none. */
void message_map(struct message *m, const char *name, const struct kvs *map);
/* {"name":["value",...]} in order of names; a name may come several times, its values stay in their order. `pairs` is sorted in place. */
struct message_pair {
	str name, value;
	size_t place; /* among the others, from 0 */
};
void message_lists(struct message *m, const char *name, struct message_pair *pairs, size_t n);
/* `metadata`, which is left out if it is empty. */
void message_metadata(struct message *m, const struct kvs *metadata);
/* An event with that data and one reference; with a random id, unless m->ev->id is set. */
struct event *message_end(struct message *m);
/* Only the data, in `a`, for source_ops.wrap. */
str message_text(struct message *m, struct arena *a);
/* Frees what was begun, in place of message_end. */
void message_drop(struct message *m);

#endif
