/* SPDX-License-Identifier: Apache-2.0 */
/*
 * webhook: an HTTP endpoint whose requests become events: {"header":{...},"body":...,"metadata":{...}} (spec events 1.A1), and only
 * those that are signed if the manifest says how.
 */
#include "sources/go_json.h"
#include "sources/s3_event.h"
#include "sources/signed.h"
#include "sources/webhook_signature.h"

struct webhook_source {
	struct webhook_context context;
	struct source_filter *filter;
	struct s3_events *s3_events;
	struct webhook_signature *signature;
	const struct val *src;
};

/* What a GET says stands in its query, which nobody signs. */
static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct webhook_source *s = obj;

	if (s->signature && str_eq(s->context.method, S("GET")))
		decode_error(c, in, "signature", "the query of a GET is not signed: have it sent by POST");
}

static const struct schema webhook_source_schema = { "WebhookEventSource", "An HTTP endpoint whose requests become events.",
	sizeof(struct webhook_source), (const struct field[]){
	FIELD_OBJ(struct webhook_source, context, "", INLINE, &webhook_context_schema, .doc = "The endpoint."),
	FIELD_PTR(struct webhook_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD_PTR(struct webhook_source, s3_events, "s3Events", 0, &s3_events_schema,
		.doc = "Messages are notifications of S3, and become events as those of minio. Ours."),
	FIELD_PTR(struct webhook_source, signature, "signature", 0, &webhook_signature_schema, .doc = "How the sender signs: nothing else is let in."),
	FIELD_SRC(struct webhook_source, src),
	{ 0 } }, check, .exact = true };

/* What runs. */
struct webhook {
	struct arena *arena;
	struct webhook_route *route;
	const struct signature *signature; /* NULL: nothing is signed */
};

enum body_result { BODY_OK, BODY_ANSWERED };

static void
add_query(struct buf *b, struct http_req *r)
{
	const struct http_header *args;
	size_t n = http_req_args(r, &args);
	webhook_pairs_json(b, args, n);
}

static void
add_form(struct buf *b, struct http_req *r)
{
	const struct http_header *fields;
	size_t n = http_form_parse(http_req_arena(r), http_req_body(r), &fields);
	webhook_pairs_json(b, fields, n);
}

/* Any JSON value, embedded as it came. */
static enum body_result
add_json(struct buf *b, struct source *s, struct http_req *r)
{
	str body = http_req_body(r);
	if (json_valid(body)) {
		go_json_compact(b, body);
		return BODY_OK;
	}
	struct arena *a = http_req_arena(r);
	webhook_refuse(s, r, arena_fmt(a, "json: error calling MarshalJSON for type *json.RawMessage: %.*s", STR_ARG(go_json_error(a, body))));
	return BODY_ANSWERED;
}

static bool
is_too_large(struct source *s, struct http_req *r)
{
	const struct webhook_source *c = source_config(s);
	return http_req_too_large(r) || http_req_body(r).n > (size_t)c->context.max_payload;
}

static enum body_result
add_body(struct buf *b, struct source *s, struct http_req *r)
{
	str method = http_req_method(r);
	if (str_eq(method, S("GET"))) {
		add_query(b, r);
		return BODY_OK;
	}
	if (!str_eq(method, S("POST"))) {
		webhook_refuse(s, r, arena_fmt(http_req_arena(r), "unsupoorted method: %.*s", STR_ARG(method)));
		return BODY_ANSWERED;
	}
	if (is_too_large(s, r)) {
		/* Argo writes the text once when it reads the body and once when it gives up. */
		webhook_refuse(s, r, S("failed to parse request body, http: request body too large"
		                       "failed to parse request body, http: request body too large"));
		return BODY_ANSWERED;
	}
	if (!str_eq(http_req_header(r, "Content-Type"), S("application/x-www-form-urlencoded")))
		return add_json(b, s, r);
	add_form(b, r);
	return BODY_OK;
}

/* A body that was cut is refused for that, with the words that everybody gets. */
static bool
passes(struct source *s, struct http_req *r, str *id)
{
	const struct webhook_source *c = source_config(s);
	const struct webhook *own = source_data(s);
	*id = STR_NONE;
	return !own->signature || is_too_large(s, r) || signed_by(s, r, own->signature, c->signature->secret, "signature.secret", id);
}

static void
handle(struct source *s, struct http_req *r)
{
	const struct webhook_source *c = source_config(s);
	const struct webhook *own = source_data(s);
	str id;
	if (!str_eq(c->context.method, http_req_method(r))) {
		webhook_refuse(s, r, S("http method does not match"));
		return;
	}
	if (!passes(s, r, &id))
		return;
	struct buf data CLEANUP(free_buf) = { 0 };
	(void)buf_room(&data, http_req_body(r).n + 1024); /* mostly enough: the buffer need not grow */
	buf_add(&data, S("{\"header\":"));
	webhook_headers_json(&data, r);
	buf_add(&data, S(",\"body\":"));
	if (add_body(&data, s, r) == BODY_ANSWERED)
		return;
	if (c->context.metadata.n) {
		buf_add(&data, S(",\"metadata\":"));
		webhook_metadata_json(&data, &c->context.metadata);
	}
	buf_addc(&data, '}');
	webhook_emit(s, own->route, r, buf_str(&data), id);
}

static int
wrap(struct source *s, struct arena *a, str body, str *out, struct err *e)
{
	const struct webhook_source *c = source_config(s);
	if (!json_valid(body))
		return err_set(e, ERR_INVALID, "body: %.*s", STR_ARG(go_json_error(a, body)));
	struct buf b CLEANUP(free_buf) = { 0 };
	buf_add(&b, S("{\"header\":{\"Content-Type\":[\"application/json\"]},\"body\":"));
	go_json_compact(&b, body);
	if (c->context.metadata.n) {
		buf_add(&b, S(",\"metadata\":"));
		webhook_metadata_json(&b, &c->context.metadata);
	}
	buf_addc(&b, '}');
	*out = arena_dup(a, buf_str(&b));
	return 0;
}

static int
start(struct source *s, struct err *e)
{
	const struct webhook_source *c = source_config(s);
	struct webhook_route *route;
	if (c->signature && signed_secret_there(s, c->signature->secret, "signature.secret", e) < 0)
		return -1;
	if (webhook_serve(s, &c->context, handle, &route, e) < 0)
		return -1;
	struct arena *a = arena_new();
	struct webhook *own = ARENA_NEW(a, struct webhook);
	*own = (struct webhook){ a, route, c->signature ? webhook_signature_row(c->signature, a) : NULL };
	source_set_data(s, own);
	return 0;
}

static void
stop(struct source *s)
{
	struct webhook *own = source_data(s);
	webhook_unserve(own->route);
	arena_free(own->arena);
	source_stopped(s);
}

const struct source_ops source_webhook = { .kind = "webhook", .doc = "An HTTP endpoint whose requests become events.",
	.schema = &webhook_source_schema, .rolling = true, .start = start, .ack = webhook_ack, .stop = stop, .wrap = wrap };
