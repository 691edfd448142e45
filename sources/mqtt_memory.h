/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mqtt_memory: which messages of an MQTT session that stays are on disk, so that one that the broker sends again is the same event and one
 * that only looks like it is not. Decisions and rows; no I/O, no clock.
 *
 * A message has no identity that lasts in MQTT, but its packet id cannot be given to another while the broker has not had the last word on it.
 * What is known of an id is a row: written in the transaction of the event, so both are on disk or neither is. A PUBLISH is the same
 * message again if it has DUP, the id's QoS and the id's contents, the session goes on, and the id cannot have been given anew:
 *
 * QoS 2   The id is the sender's until PUBCOMP, which leaves when the row says on disk that the id is released. So a row that does not say it
 *         is the message that comes: exactly once, also through a kill at any step.
 * Both    The id of QoS 1 is the sender's until PUBACK, and what a kill leaves of a PUBACK on its way nobody can know. So the newest message on
 *         disk gets no PUBACK or PUBREC until a newer one is on disk: its id (the pin) cannot have been given anew. A broker sends again
 *         what it has neither of, in the order in which it sent it at first [MQTT-4.6.0-1], and takes them in that order: what comes
 *         until the pin was sent before it, and is on disk if it is known; what comes behind the pin is new, whatever it looks like. No
 *         order in which a broker hands out its ids is assumed: the lowest that is free, or one after the other.
 *         (QoS 2 needs that where a broker sends a PUBLISH again after its PUBREL, against [MQTT-4.3.3-1]: mosquitto 2.0.11 does when
 *         two connections in a row break before it has PUBCOMP.)
 *         A broker that has room for no more than what is held back would stand still, so it is let go then, and after IDLE_MS
 *         without a message. A note, on disk before the PUBACK leaves, says so: until the next message is on disk there is no pin, and a
 *         message of QoS 1 that comes again is taken for a new one, since it may be one: none is lost, and a PUBACK let go that is on
 *         its way at the moment of a kill or a break is all that can make a message two events.
 *
 * A session that the broker does not know any more, or another client's, or another broker's, makes all of it void: a new one begins on
 * disk before its subscription is asked for.
 *
 * One thread at a time, but for mqtt_memory_taken.
 */
#ifndef TIDEGATE_SOURCES_MQTT_MEMORY_H
#define TIDEGATE_SOURCES_MQTT_MEMORY_H

#include "core/net/mqtt.h"
#include "sources/source.h"

struct mqtt_memory;

enum { MQTT_MEMORY_IDLE_MS = 10000 };

/* A message: `number` rises by one with each. QoS 0 has neither number nor id. */
struct mqtt_mark {
	int64_t number;
	unsigned id;
	int qos;
	uint64_t contents; /* a hash */
};

enum mqtt_verdict {
	MQTT_NEW,
	MQTT_KNOWN,   /* on disk, or on its way there: to be acknowledged once it is, and no event */
	MQTT_REPEATED /* came over this connection before: whoever has that one acknowledges it */
};

struct mqtt_row {
	char key[2], bytes[17];
};
/* In `r`, which the result points into. The row of a message that becomes an event, of one whose id is released, and of a pin that is let go. */
struct source_row mqtt_row_taken(struct mqtt_row *r, const struct mqtt_mark *mark);
struct source_row mqtt_row_released(struct mqtt_row *r, const struct mqtt_mark *mark);
struct source_row mqtt_row_let_go(struct mqtt_row *r, int64_t number);
/* The only row of a session that begins; `name` is whose it is. */
struct source_row mqtt_row_session(str name);

struct mqtt_memory *mqtt_memory_new(void);
void mqtt_memory_free(void *m);
/* What is on disk: rows that are none of ours are passed over. Before anything else. */
void mqtt_memory_load(struct mqtt_memory *m, const struct source_row *rows, size_t n);
/* Whether what is remembered is of the session of that name. */
bool mqtt_memory_is_of(const struct mqtt_memory *m, str name);
/* All is forgotten: the session `name` begins. mqtt_row_session is to be on disk, and all other rows gone, before it is asked for messages. */
void mqtt_memory_begin(struct mqtt_memory *m, str name);
/* A connection to the session is there: what comes from now on comes over it. */
void mqtt_memory_connected(struct mqtt_memory *m);

/* A PUBLISH of QoS 1 or 2 has come. *mark is what the following know it by. */
enum mqtt_verdict mqtt_memory_came(struct mqtt_memory *m, const struct mqtt_packet *p, struct mqtt_mark *mark);
/* The message becomes an event in this turn's transaction, and so is mqtt_row_taken to be if this says so: else its session is over. Any thread. */
bool mqtt_memory_taken(struct mqtt_memory *m, const struct mqtt_mark *mark) MUST_CHECK;
/* PUBREL has come. true: mqtt_row_released of *mark is to be on disk before PUBCOMP leaves; else what was written until now. */
bool mqtt_memory_released(struct mqtt_memory *m, unsigned id, struct mqtt_mark *mark) MUST_CHECK;
/* PUBCOMP leaves. */
void mqtt_memory_completed(struct mqtt_memory *m);

/* What is to be done with an acknowledgement. */
typedef void mqtt_ack_fn(void *arg, int qos, unsigned id);
/* It is on disk, or was dropped, with all that came before it: calls `ack` for what may be acknowledged now. */
void mqtt_memory_settled(struct mqtt_memory *m, const struct mqtt_mark *mark, int64_t now_ms, mqtt_ack_fn *ack, void *arg);
/* A number to let go, told once: when mqtt_row_let_go of it is on disk, mqtt_memory_let_go is to follow. 0: none now. */
int64_t mqtt_memory_due(struct mqtt_memory *m, int64_t now_ms);
void mqtt_memory_let_go(struct mqtt_memory *m, int64_t number, mqtt_ack_fn *ack, void *arg);
/* The time in ms until mqtt_memory_due is to be asked; -1: not before something else happens. */
int mqtt_memory_wait(const struct mqtt_memory *m, int64_t now_ms);

#endif
