/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/signed.h"

#include "core/crypto.h"
#include "core/log.h"
#include "sources/go_json.h"

/* What runs. */
struct signed_source {
	const struct signed_kind *kind;
	struct webhook_route *route;
	struct hooks *hooks; /* NULL: none are registered */
	void *data;
	struct link errands;
	size_t errands_n;
};

static const struct signed_config *
config(const struct source *s)
{
	return source_config(s);
}

static const struct signed_kind *
kind_of(const struct source *s)
{
	const struct signed_source *own = source_data(s);
	return own->kind;
}

struct webhook_route *
signed_route(const struct source *s)
{
	const struct signed_source *own = source_data(s);
	return own->route;
}

struct hooks *
signed_hooks(const struct source *s)
{
	const struct signed_source *own = source_data(s);
	return own->hooks;
}

void
signed_set_data(struct source *s, void *data)
{
	struct signed_source *own = source_data(s);
	own->data = data;
}

void *
signed_data(const struct source *s)
{
	const struct signed_source *own = source_data(s);
	return own->data;
}

/* ---- the check ------------------------------------------------------------------------------------------------ */

static int
read_secret(struct source *s, const struct secret_ref *ref, const char *field, struct arena *a, str *out, struct err *e)
{
	if (source_secret(s, ref, a, out, e) < 0)
		return err_wrap(e, "%s", field);
	/* An empty key signs as well as any other: it must not be one. */
	return out->n ? 0 : err_set(e, ERR_NOT_FOUND, "%s %.*s/%.*s is empty", field, STR_ARG(ref->name), STR_ARG(ref->key));
}

int
signed_secret_there(struct source *s, const struct secret_ref *ref, const char *field, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	str secret;
	return ref && (read_secret(s, ref, field, a, &secret, e) < 0 || crypto_load(e) < 0) ? -1 : 0;
}

static str
header_of(struct http_req *r, const char *name)
{
	return name ? http_req_header(r, name) : STR_NONE;
}

/* A secret that has gone since the start, or is no good: the sender is not to blame, and need not know. */
static void
refuse_without_secret(struct source *s, struct http_req *r, const struct err *e)
{
	struct arena *a = http_req_arena(r);
	log_error("a webhook's secret cannot be used", "eventsource", str_z(a, source_name(s)), "event", str_z(a, source_event_name(s)), "error",
	          e->msg, NULL);
	source_count_failure(s);
	webhook_text(r, 500, S("Error loading the signing secret"));
}

bool
signed_by(struct source *s, struct http_req *r, const struct signature *sig, const struct secret_ref *ref, const char *field, str *id)
{
	struct err e = { 0 };
	str secret;
	while (sig && sig->otherwise && !http_req_header(r, sig->header).n && http_req_header(r, sig->otherwise->header).n)
		sig = sig->otherwise;
	*id = sig ? header_of(r, sig->id) : STR_NONE;
	if (!sig || !ref)
		return true;
	struct signed_message m = { .signature = header_of(r, sig->header), .timestamp = header_of(r, sig->timestamp), .id = *id,
		                    .body = http_req_body(r) };
	if (read_secret(s, ref, field, http_req_arena(r), &secret, &e) == 0 &&
	    signature_check(sig, secret, &m, loop_now(source_loop(s)), http_req_arena(r), id, &e) == 0)
		return true;
	if (e.code != ERR_DENIED) {
		refuse_without_secret(s, r, &e);
		return false;
	}
	source_count_failure(s);
	webhook_text(r, sig->status, str_c(e.msg));
	return false;
}

bool
signed_passes(struct source *s, struct http_req *r, str *id)
{
	const struct signed_kind *k = kind_of(s);
	return signed_by(s, r, k->signature, config(s)->secret, k->secret, id);
}

bool
signed_size_ok(struct source *s, struct http_req *r)
{
	if (!http_req_too_large(r) && http_req_body(r).n <= (size_t)config(s)->webhook->max_payload)
		return true;
	webhook_refuse(s, r, S("http: request body too large"));
	return false;
}

/* ---- the event ------------------------------------------------------------------------------------------------ */

void
signed_open(struct buf *b, struct http_req *r)
{
	(void)buf_room(b, http_req_body(r).n + 1024); /* mostly enough: the buffer need not grow */
	buf_add(b, S("{\"headers\":"));
	webhook_headers_json(b, r);
	buf_add(b, S(",\"body\":"));
}

void
signed_close(struct buf *b, const struct source *s)
{
	if (config(s)->metadata.n) {
		buf_add(b, S(",\"metadata\":"));
		webhook_metadata_json(b, &config(s)->metadata);
	}
	buf_addc(b, '}');
}

void
signed_handle(struct source *s, struct http_req *r)
{
	str id, payload = http_req_body(r);
	if (!signed_size_ok(s, r) || !signed_passes(s, r, &id))
		return;
	if (!json_valid(payload)) {
		webhook_refuse(s, r, S("invalid event"));
		return;
	}
	struct buf data CLEANUP(free_buf) = { 0 };
	signed_open(&data, r);
	go_json_compact(&data, payload);
	signed_close(&data, s);
	webhook_emit(s, signed_route(s), r, buf_str(&data), id);
}

int
signed_wrap(struct source *s, struct arena *a, str body, str *out, struct err *e)
{
	if (!json_valid(body))
		return err_set(e, ERR_INVALID, "body: %.*s", STR_ARG(go_json_error(a, body)));
	struct buf b CLEANUP(free_buf) = { 0 };
	buf_add(&b, S("{\"headers\":{\"Content-Type\":[\"application/json\"]},\"body\":"));
	go_json_compact(&b, body);
	signed_close(&b, s);
	*out = arena_dup(a, buf_str(&b));
	return 0;
}

/* ---- errands -------------------------------------------------------------------------------------------------- */

enum { ERRANDS_MAX = 64 };

struct errand {
	struct link link; /* in signed_source.errands */
	struct source *source;
	struct http_req *req;
	void (*done)(struct source *s, struct http_req *r, void *arg, const struct http_answer *answer, const struct err *e);
	void *arg;
};

static void
later(struct http_req *r)
{
	http_reply_header(r, "Retry-After", S("1"));
	webhook_text(r, 503, S("try again"));
}

static void
errand_done(void *arg, const struct http_answer *answer, const struct err *e)
{
	struct errand *x = arg;
	struct signed_source *own = source_data(x->source);
	list_del(&x->link);
	own->errands_n--;
	x->done(x->source, x->req, x->arg, answer, e);
	free(x);
}

void
signed_ask(struct source *s, struct http_req *r, const struct http_call *call,
           void (*done)(struct source *s, struct http_req *r, void *arg, const struct http_answer *answer, const struct err *e), void *arg)
{
	struct signed_source *own = source_data(s);
	struct httpc *client = sources_httpc(source_owner(s));
	if (!client || own->errands_n == ERRANDS_MAX) {
		later(r);
		return;
	}
	struct errand *x = MEM_NEW(struct errand);
	*x = (struct errand){ .source = s, .req = r, .done = done, .arg = arg };
	list_add_tail(&own->errands, &x->link);
	own->errands_n++;
	httpc_send(client, call, errand_done, x);
}

static void
forget_errands(struct source *s)
{
	struct signed_source *own = source_data(s);
	struct httpc *client = sources_httpc(source_owner(s));
	LIST_EACH(&own->errands, struct errand, link, x) {
		list_del(&x->link);
		if (client)
			httpc_forget(client, x);
		later(x->req);
		free(x);
	}
}

/* ---- life ----------------------------------------------------------------------------------------------------- */

int
signed_start(struct source *s, const struct signed_kind *kind, int64_t every_ns, struct err *e)
{
	const struct webhook_context *w = config(s)->webhook;
	struct webhook_route *route;
	struct hooks *hooks = NULL;
	if (kind->signature && signed_secret_there(s, config(s)->secret, kind->secret, e) < 0)
		return -1;
	if (webhook_serve(s, w, kind->handle ? kind->handle : signed_handle, &route, e) < 0)
		return -1;
	if (kind->hooks && kind->registers(s)) {
		hooks = hooks_start(s, kind->hooks, w, every_ns, e);
		if (!hooks) {
			webhook_unserve(route);
			return -1;
		}
	}
	struct signed_source *own = MEM_NEW(struct signed_source);
	*own = (struct signed_source){ .kind = kind, .route = route, .hooks = hooks };
	list_init(&own->errands);
	source_set_data(s, own);
	return 0;
}

void
signed_stop(struct source *s)
{
	struct signed_source *own = source_data(s);
	struct hooks *hooks = own->hooks;
	forget_errands(s);
	webhook_unserve(own->route);
	free(own);
	if (hooks)
		hooks_stop(hooks);
	else
		source_stopped(s);
}
