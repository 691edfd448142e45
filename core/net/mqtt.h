/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mqtt: the side of MQTT that receives, 3.1.1 and 5 (OASIS), over stream.h. It is here because of when a message is acknowledged: paho,
 * which sends for us (peer_mqtt.c), acknowledges a message before the application sees it, and holding that up holds up all of its
 * connections. Here a message is acknowledged by whoever took it, as many at a time as the broker has under way.
 *
 * The first part is packets as bytes, without a connection; the second a connection, for a thread of its own.
 */
#ifndef TIDEGATE_CORE_NET_MQTT_H
#define TIDEGATE_CORE_NET_MQTT_H

#include "core/base.h"
#include "core/net/peer.h"

enum mqtt_type {
	MQTT_CONNECT = 1,
	MQTT_CONNACK = 2,
	MQTT_PUBLISH = 3,
	MQTT_PUBACK = 4,
	MQTT_PUBREC = 5,
	MQTT_PUBREL = 6,
	MQTT_PUBCOMP = 7,
	MQTT_SUBSCRIBE = 8,
	MQTT_SUBACK = 9,
	MQTT_PINGREQ = 12,
	MQTT_PINGRESP = 13,
	MQTT_DISCONNECT = 14
};

enum {
	MQTT_V3 = 4,                  /* the protocol's own number of 3.1.1 */
	MQTT_V5 = 5,
	MQTT_PACKET_MAX = 16 << 20,   /* bytes; a larger message is not taken in */
	MQTT_WINDOW = 1000,           /* messages of QoS 1 and 2 that MQTT 5 lets a broker have under way */
	MQTT_KEEP_ALIVE_S = 30
};

struct mqtt_packet {
	enum mqtt_type type;
	unsigned id;          /* PUBLISH with QoS, the acknowledgements */
	int qos, code;        /* PUBLISH; CONNACK, SUBACK (of its only topic), PUBREL, DISCONNECT */
	bool dup, retained, session; /* session: CONNACK found one */
	str topic, payload;   /* parts of the bytes, like the following */
	str properties;       /* MQTT 5 */
};

/* A property of MQTT 5: a text, a pair of texts (USER_PROPERTY), or a number. */
enum {
	MQTT_SERVER_KEEP_ALIVE = 19,
	MQTT_REASON_STRING = 31,
	MQTT_USER_PROPERTY = 38
};
struct mqtt_property {
	int id;
	int64_t number;
	str name, text;
};

/*
 * The packet at the beginning of `in`. *size: its bytes. 1: it is there. 0: not all of it; *size is 0 or what it will have. -1: not by the
 * rules of `version`.
 */
int mqtt_read(str in, int version, struct mqtt_packet *out, size_t *size, struct err *e) MUST_CHECK;
/* The beginning of a PUBLISH that is too large: all but its payload and properties. 1, 0 or -1 as above. */
int mqtt_read_start(str in, struct mqtt_packet *out, struct err *e) MUST_CHECK;
/* The next property of packet.properties, which mqtt_read has checked; false: there are no more. */
bool mqtt_property(str *rest, struct mqtt_property *out);
/* What the broker means: "not authorised"; of CONNACK, SUBACK and DISCONNECT. */
const char *mqtt_reason(enum mqtt_type type, int version, int code);

struct mqtt_hello {
	int version;
	str client_id, user, password;
	bool clean; /* a new session, which ends with the connection; else one that stays */
};
void mqtt_write_connect(struct buf *b, const struct mqtt_hello *h);
void mqtt_write_subscribe(struct buf *b, int version, unsigned id, str topic, int qos);
/* PUBACK, PUBREC, PUBCOMP. */
void mqtt_write_ack(struct buf *b, enum mqtt_type type, unsigned id);
/* PINGREQ, DISCONNECT. */
void mqtt_write_empty(struct buf *b, enum mqtt_type type);

/* ---- a connection ---------------------------------------------------------------------------------------------- */

struct mqtt;

/* Host, port, TLS and WebSocket of "tcp://host:port", also mqtt, ssl, tls, mqtts, tcps, ws and wss. In `a`. ERR_INVALID. */
struct stream_to;
int mqtt_address(str url, struct arena *a, struct stream_to *to, struct peer_url *parts, struct err *e) MUST_CHECK;
/* Connects to t->address, and has waited for the broker's word. *session: it has the session of before. NULL: `e` has the reason. */
struct mqtt *mqtt_open(const struct peer_target *t, const struct mqtt_hello *h, bool *session, struct err *e) MUST_CHECK;
/* Subscribes, the same way; what a session that goes on has for us may come before. -1: the connection is to be closed. */
int mqtt_subscribe(struct mqtt *c, str topic, int qos, struct err *e) MUST_CHECK;
/*
 * The next PUBLISH or PUBREL that is there; its texts are valid until the next call of any of these. 1: one is; `too_large`: a PUBLISH without
 * payload, which is more than MQTT_PACKET_MAX. 0: none now. -1: the connection is of no use any more.
 */
int mqtt_next(struct mqtt *c, struct mqtt_packet *out, bool *too_large, struct err *e) MUST_CHECK;
/* Acknowledges a message of that QoS and id; to be followed by mqtt_flush. */
void mqtt_ack(struct mqtt *c, int qos, unsigned id);
/* Answers PUBREL; to be followed by mqtt_flush. */
void mqtt_complete(struct mqtt *c, unsigned id);
/* Sends what is to be sent, and a ping when it is time. `listening`: mqtt_next was called until it had none, so silence means something. */
int mqtt_flush(struct mqtt *c, bool listening, struct err *e) MUST_CHECK;
/* For poll(2): its descriptor, what to wait for, and the time in ms until mqtt_flush is to be called. */
int mqtt_wait(const struct mqtt *c, short *events, int *timeout_ms);
/* Says good-bye. */
void mqtt_close(struct mqtt *c);

#endif
