/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signed: what the kinds of the webhook family with a sender of their own share: the secret is there before the port is, every request
 * is checked by the kind's row of signatures (sources/secure.h), and becomes {"headers":{...},"body":...,"metadata":{...}}, known by the
 * id of its delivery. Hooks are registered with the sender's API if the kind has one (sources/hooks.h).
 */
#ifndef TIDEGATE_SOURCES_SIGNED_H
#define TIDEGATE_SOURCES_SIGNED_H

#include "sources/hooks.h"
#include "sources/secure.h"
#include "sources/webhook_server.h"

/* The configuration of such a kind begins with this. */
struct signed_config {
	struct webhook_context *webhook;
	struct secret_ref *secret; /* NULL: nothing is checked */
	struct kvs metadata;
};

struct signed_kind {
	const struct signature *signature; /* NULL: the sender signs nothing */
	const char *secret;                /* the field of signed_config.secret, for messages */
	void (*handle)(struct source *s, struct http_req *r); /* NULL: signed_handle */
	const struct hook_api *hooks;      /* NULL: none can be registered */
	bool (*registers)(const struct source *s); /* whether the manifest asks for it */
};

/* source_ops.start and .stop of such a kind; .ack is webhook_ack, .wrap signed_wrap. `every_ns` as for hooks_start. */
int signed_start(struct source *s, const struct signed_kind *kind, int64_t every_ns, struct err *e) MUST_CHECK;
void signed_stop(struct source *s);
int signed_wrap(struct source *s, struct arena *a, str body, str *out, struct err *e);

struct webhook_route *signed_route(const struct source *s);
struct hooks *signed_hooks(const struct source *s); /* NULL: none are registered */
/* What the kind keeps beside; its own to free. */
void signed_set_data(struct source *s, void *data);
void *signed_data(const struct source *s);

/* Checks the secret against what is there now; before the port is opened, so that nothing is let in unchecked. */
int signed_secret_there(struct source *s, const struct secret_ref *ref, const char *field, struct err *e) MUST_CHECK;
/*
 * Whether the request is signed as `sig` says, by the secret. If not, it is answered and counted. *id as of signature_check, and with
 * no `sig` or `ref` too.
 */
bool signed_by(struct source *s, struct http_req *r, const struct signature *sig, const struct secret_ref *ref, const char *field, str *id);
/* The same by the kind's row. */
bool signed_passes(struct source *s, struct http_req *r, str *id);

/*
 * Asks somebody else on behalf of a request, which waits. `done` gets the answer, or NULL and the error; it answers the request, or asks
 * on. It is not called if the source stops meanwhile, or too many wait: then the request is answered with 503.
 */
void signed_ask(struct source *s, struct http_req *r, const struct http_call *call,
                void (*done)(struct source *s, struct http_req *r, void *arg, const struct http_answer *answer, const struct err *e), void *arg);

/* Checks, and makes an event of a body that is JSON; "invalid event" if it is not. */
void signed_handle(struct source *s, struct http_req *r);
/* False, and answered: the body is larger than the endpoint takes. */
bool signed_size_ok(struct source *s, struct http_req *r);
/* {"headers":...,"body":<body>: open; signed_close adds the metadata and the end. */
void signed_open(struct buf *b, struct http_req *r);
void signed_close(struct buf *b, const struct source *s);
#endif
