/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avro_registry: Avro messages with their schemas from a registry, by Confluent's REST interface (GET /schemas/ids/N) and wire format: a byte 0,
 * four bytes of the schema's id, the value. Schemas never change, and are kept. A call waits for the registry, so it is for threads of their
 * own; an object is one thread's.
 *
 * Errors say what to do: ERR_UNAVAILABLE: the registry cannot say now, try again; ERR_UNAUTHENTICATED, ERR_DENIED: not with this login;
 * all others: this message will never do.
 */
#ifndef TIDEGATE_CORE_NET_AVRO_REGISTRY_H
#define TIDEGATE_CORE_NET_AVRO_REGISTRY_H

#include "core/net/peer.h"

enum {
	AVRO_REGISTRY_WAIT_MS = 10000,  /* longest wait for an answer */
	AVRO_REGISTRY_KEPT = 1000,      /* schemas kept; with one more, or AVRO_REGISTRY_BYTES, all are asked for anew */
	AVRO_REGISTRY_BYTES = 16 << 20,
	AVRO_REGISTRY_NO_MS = 60000,    /* a schema that cannot be had, or used, is not asked for again for so long */
};

/* Options of a peer_target. */
#define AVRO_REGISTRY_URL "registry.url"
#define AVRO_REGISTRY_USER "registry.user"
#define AVRO_REGISTRY_PASSWORD "registry.password"
#define AVRO_REGISTRY_ID "registry.id" /* who sends: the schema to write with */

struct avro_registry;

/* The one that the target's options name; `t` lives as long. NULL: they name none. */
struct avro_registry *avro_registry_new(const struct peer_target *t);
/* NULL is fine. */
void avro_registry_free(struct avro_registry *r);
/* Appends the JSON of a message (core/avro.h). */
int avro_registry_decode(struct avro_registry *r, str message, struct buf *out, struct err *e) MUST_CHECK;
/* Appends the message of a JSON text, by the schema of the target's options. */
int avro_registry_encode(struct avro_registry *r, str json, struct buf *out, struct err *e) MUST_CHECK;
/* Whether the error is about the registry, and not about the message. */
bool avro_registry_failed(const struct err *e);

#endif
