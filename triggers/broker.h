/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker: what the kinds that send to a message broker have in common. They say whom to send to and what (core/net/peer.h); secrets are
 * read each time, so that a changed one makes a new connection; the firing has succeeded when the broker has confirmed the message.
 */
#ifndef TIDEGATE_TRIGGERS_BROKER_H
#define TIDEGATE_TRIGGERS_BROKER_H

#include "core/net/peer.h"
#include "triggers/firing.h"
#include "triggers/parameter.h"

struct broker_call {
	struct firing *firing;
	struct peer_target target;
	struct peer_message message;
	struct http_header options[16], headers[100];
	/* What is shown of a message that was taken; NULL: nothing. */
	const struct val *(*result)(struct arena *a, const struct peer_message *m);
};

/* A call with the firing's payload and id. In the firing's arena. */
struct broker_call *broker_call(struct firing *f, const struct peer_ops *ops);
void broker_option(struct broker_call *b, str name, str value);
int broker_header(struct broker_call *b, str name, str value, struct err *e) MUST_CHECK;
/* User name and password; `a` NULL: none. */
int broker_login(struct broker_call *b, const struct basic_auth *a, struct err *e) MUST_CHECK;
/* Certificates; `t` NULL: no TLS, unless the target says so already. */
int broker_tls(struct broker_call *b, const struct tls_config *t, struct err *e) MUST_CHECK;
int broker_secure_headers(struct broker_call *b, const struct secure_header *s, size_t n, struct err *e) MUST_CHECK;
/* Ends the firing with `e` if it is set; else sends, and ends it with what becomes of that. */
void broker_send(struct broker_call *b, const struct err *e);
/* {"name": value, ...} onto `to` (NULL: a new object), for result functions. */
const struct val *broker_int(struct arena *a, const struct val *to, str name, int64_t value);
const struct val *broker_text(struct arena *a, const struct val *to, str name, str value);
/* The result of a message to Kafka: {"partition": 0, "offset": 17}. */
const struct val *broker_offset(struct arena *a, const struct peer_message *m);

#endif
