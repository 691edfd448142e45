/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events for WorkflowEventBindings: POST /api/v1/events/{ns}/{discriminator}. Every binding of the namespace is asked; what they start
 * is one transaction, and the answer leaves when it is on disk.
 */
#include <ctype.h>

#include "api/rest.h"
#include "core/log.h"
#include "engine/dispatch.h"
#include "engine/engine.h"

enum { PAYLOAD_MAX = 2 << 20 };

struct dispatching {
	struct http_req *req;
	size_t open;      /* submissions that are not on disk yet, and one for whoever submits */
	struct err first; /* of the bindings that failed */
};

static void
settle(void *arg)
{
	struct dispatching *d = arg;
	if (--d->open)
		return;
	struct val none = { .kind = VAL_MAP };
	if (d->first.code)
		rest_fail(d->req, &d->first);
	else
		rest_reply(d->req, &none);
}

/* As in Argo only headers that begin with x-, so that no secret gets among the variables. */
static struct val
metadata(struct http_req *r)
{
	struct arena *a = http_req_arena(r);
	const struct http_header *h;
	const struct val *map = NULL;
	struct val none = { .kind = VAL_MAP };
	size_t n = http_req_headers(r, &h);
	for (size_t i = 0; i < n; i++) {
		char *name = arena_alloc(a, h[i].name.n + 1, 1);
		for (size_t k = 0; k < h[i].name.n; k++)
			name[k] = (char)tolower((unsigned char)h[i].name.p[k]);
		str key = { name, h[i].name.n };
		if (!str_starts(key, S("x-")))
			continue;
		struct val_list list = { 0 };
		const struct val *before = val_get(map, key);
		for (uint32_t k = 0; before && k < before->n; k++)
			val_list_add(&list, before->items[k]);
		val_list_add(&list, val_str(h[i].value));
		struct val values = val_list_end(&list, a);
		map = val_set(a, map, key, &values);
	}
	return map ? *map : none;
}

static void
failed(struct dispatching *d, const struct object *b, const struct err *e)
{
	log_warn("event not dispatched", "namespace", b->ns.p, "binding", b->name.p, "error", e->msg, NULL);
	if (d->first.code)
		return;
	d->first = *e;
	(void)err_wrap(&d->first, "failed to dispatch event to WorkflowEventBinding \"%.*s\"", STR_ARG(b->name));
}

/* The sender's key makes a repeated event the same one. */
static str
key_of(struct http_req *r, const struct object *b)
{
	str key = http_req_header(r, "Idempotency-Key");
	return key.n ? arena_fmt(http_req_arena(r), "binding/%.*s/%.*s/%.*s", STR_ARG(b->ns), STR_ARG(b->name), STR_ARG(key)) : STR_NONE;
}

static void
dispatch(struct api *api, struct dispatching *d, const struct object *b, const struct dispatch_event *ev, struct evaluator *expressions)
{
	struct arena *a = http_req_arena(d->req);
	const struct val *manifest;
	struct submit_options o = { .ns = b->ns, .key = key_of(d->req, b) };
	struct diags found;
	struct err e = { 0 };
	str name;
	if (dispatch_event(b, ev, expressions, a, &manifest, &o.parameters, &e)) {
		failed(d, b, &e);
		return;
	}
	if (!manifest)
		return;
	diags_init(&found);
	d->open++;
	if (engine_submit(api->env.engine, manifest, &o, a, &name, settle, d, &found, &e)) {
		d->open--;
		failed(d, b, &e);
	}
	diags_free(&found);
}

void
post_event(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct arena *a = http_req_arena(r);
	struct dispatching *d = ARENA_NEW(a, struct dispatching);
	struct dispatch_event ev = { .ns = rest_ns(api, r, true), .discriminator = http_req_var(r, "discriminator"), .metadata = metadata(r),
		.payload = val_null() };
	struct err e;
	if (http_req_body(r).n > PAYLOAD_MAX) {
		rest_failf(r, ERR_LIMIT, "the payload is larger than %d bytes", PAYLOAD_MAX);
		return;
	}
	if (http_req_body(r).n && json_read(a, http_req_body(r), &ev.payload, &e)) {
		rest_failf(r, ERR_INVALID, "the payload is no JSON: %s", e.msg);
		return;
	}
	if (!ev.discriminator.p)
		ev.discriminator = S("");
	*d = (struct dispatching){ .req = r, .open = 1 };
	struct evaluator *expressions = evaluator_new();
	const struct kind *k = objects_kind(api->env.objects, S("WorkflowEventBinding"));
	struct object *b;
	for (size_t i = 0; (b = objects_next(api->env.objects, k, &i));)
		if (str_eq(b->ns, ev.ns))
			dispatch(api, d, b, &ev, expressions);
	evaluator_free(expressions);
	settle(d);
}
