/* SPDX-License-Identifier: Apache-2.0 */
/*
 * webhook_context: the endpoint that every source of the webhook family serves (spec events 1.A1), and source filters.
 */
#ifndef TIDEGATE_SOURCES_WEBHOOK_CONTEXT_H
#define TIDEGATE_SOURCES_WEBHOOK_CONTEXT_H

#include "config/config.h"

struct webhook_context {
	str endpoint;                   /* begins with "/"; may have {variables} */
	str method;                     /* "" matches no request */
	str port;                       /* decimal */
	str url;                        /* where the outside reaches it: for registering hooks */
	struct secret_ref *server_cert, *server_key; /* both: HTTPS */
	struct kvs metadata;            /* copied into the event's data */
	struct secret_ref *auth;        /* bearer token required of callers */
	int64_t max_payload;            /* bytes */
	const struct val *src;
};
/*
 * Checks W2 to W4 of spec events 5.2, and the server's certificate and key: both or none. Use it as a member called
 * `webhook`, or INLINE as the webhook source does.
 */
extern const struct schema webhook_context_schema;
/* W1: the member `webhook` must be there. */
void webhook_context_required(const struct webhook_context *w, const struct val *in, struct decode *c);

/* `filter: {expression: ...}` of a source. */
struct source_filter {
	str expression;
	const struct val *src;
};
extern const struct schema source_filter_schema;

#endif
