/* SPDX-License-Identifier: Apache-2.0 */
/* mqtt_feed: what the kinds that speak MQTT (mqtt, emitter) have in common: a feed (feed.h) over core/net/mqtt.h. */
#ifndef TIDEGATE_SOURCES_MQTT_FEED_H
#define TIDEGATE_SOURCES_MQTT_FEED_H

#include "sources/feed.h"

struct mqtt_hello;

/* How a message becomes the data of an event. */
struct mqtt_form {
	bool json_body, message_id, user_properties; /* the last two: whether they are in the data */
	const struct kvs *metadata;
	const char *error_topic;                     /* a message of this topic says what is wrong with the connection; NULL: there is none */
};

/* The member `field`, an address; absent is fine. */
void mqtt_feed_check_url(str url, const struct val *in, struct decode *c, const char *field);
/* `auth` and `tls` may be NULL. A user in the address counts where there is no `auth`. */
int mqtt_feed_target(struct source *s, str url, const struct basic_auth *auth, const struct tls_config *tls, struct arena *a, struct peer_target *t,
                     struct err *e) MUST_CHECK;
/* feed_ops.open: with the kind's topic and QoS. The feed's context is a struct mqtt_memory if the session stays, else NULL. */
void *mqtt_feed_open(struct feed *f, const struct peer_target *t, const struct mqtt_hello *h, str topic, int qos, struct mqtt_form form,
                     struct err *e);
/* feed_ops. */
int mqtt_feed_receive(void *conn, struct feed *f, struct err *e);
int mqtt_feed_wait(void *conn, short *events, int *timeout_ms);
int mqtt_feed_settle(void *conn, const union feed_handle *handles, size_t n, struct err *e);
void mqtt_feed_close(void *conn);
/* source_ops.take of a session that stays: what mqtt_memory.h remembers is written with the event. */
bool mqtt_feed_take(struct source *s, struct event *ev, void *token);
/* source_ops.wrap. */
int mqtt_feed_wrap(str topic, str body, struct mqtt_form form, struct arena *a, str *out, struct err *e) MUST_CHECK;

#endif
