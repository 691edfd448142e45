/* SPDX-License-Identifier: Apache-2.0 */
/*
 * webhook_server: what all kinds of the webhook family share (spec events 1.A1). One listener a port serves the endpoints of
 * all sources that name it; it cleans paths, finds the endpoint, checks the bearer token, and answers for /health, a full bus
 * and a body that is too large. Status codes and texts are Argo's.
 */
#ifndef TIDEGATE_SOURCES_WEBHOOK_SERVER_H
#define TIDEGATE_SOURCES_WEBHOOK_SERVER_H

#include "core/loop.h"
#include "core/net/httpd.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

struct webhook_route;

struct webhook_servers *webhook_servers_new(struct loop *l, str address);
/* All routes must be gone. NULL is fine. */
void webhook_servers_free(struct webhook_servers *ws);

/*
 * Serves the endpoint for `s` until webhook_unserve. `handle` gets requests that passed; it answers with webhook_text, or hands
 * the request on by webhook_emit. ERR_EXISTS: the endpoint or the port is taken; ERR_INVALID: bad path variables or TLS
 * material; ERR_NOT_FOUND: a secret is missing.
 */
int webhook_serve(struct source *s, const struct webhook_context *w, void (*handle)(struct source *s, struct http_req *r),
                  struct webhook_route **out, struct err *e) MUST_CHECK;
void webhook_unserve(struct webhook_route *route);

/* Answers with a plain text. */
void webhook_text(struct http_req *r, int status, str text);
/* As webhook_text with 400; counts a failure of the source. */
void webhook_refuse(struct source *s, struct http_req *r, str text);
/* The request becomes an event with that data, which must be JSON; webhook_ack answers it. `dedup` may be absent. */
void webhook_emit(struct source *s, struct webhook_route *route, struct http_req *r, str data, str dedup);
struct webhook_event {
	str data, dedup; /* as of webhook_emit */
};
/* Several events of one request, which is answered once all are on disk, by the worst that happened. None: "success". */
void webhook_emit_all(struct source *s, struct webhook_route *route, struct http_req *r, const struct webhook_event *events, size_t n);
/* What senders are answered, instead of "success". A literal. */
void webhook_set_success(struct webhook_route *route, const char *content_type, str text);
/* source_ops.ack of the family: 200 "success" with the event's id, 503 if the bus is full, 500 otherwise. */
void webhook_ack(struct source *s, struct event *ev, void *token, bool duplicate, const struct err *e);

/*
 * The request's headers as Argo puts them into events: canonical names in order, each with a list of values; Host left out,
 * Authorization masked. Appends a JSON object.
 */
void webhook_headers_json(struct buf *b, struct http_req *r);
/* Appends {"name":["value",...],...} in order of names: a query or a form (Go's url.Values as JSON). */
void webhook_pairs_json(struct buf *b, const struct http_header *pairs, size_t n);
/* Appends {"key":"value",...} in order of keys: `metadata`. */
void webhook_metadata_json(struct buf *b, const struct kvs *metadata);

#endif
