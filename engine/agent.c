/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A task is decided (agent_start), released when that is on disk, waits until fewer than AGENT_REQUESTS_MAX are under way,
 * begins (which is written down first), is sent, and ends with its answer. A data template is a question to a helper, which
 * may be asked as often as one likes.
 */
#include "engine/agent.h"

#include "core/base64.h"
#include "core/map.h"
#include "core/net/httpc.h"

#define NO_TIMEOUT_MS ((int64_t)7 * 86400 * 1000)

enum { REDIRECTS_MAX = 10 }; /* as Go's client */

struct request {
	struct link link; /* in agent.waiting, from its release until it begins */
	struct agent *agent; /* NULL: it is gone, and a child that makes data is not yet */
	struct arena *arena; /* of everything below */
	str key, ns, workflow, node_id;
	struct http_request spec;
	const struct agent_data *data; /* in place of `spec` */
	struct child *child;           /* makes the data */
	bool begun;   /* counts in agent.open */
	bool stopped; /* of data: its end is on the way */
};

struct agent {
	struct agent_env env;
	struct httpc *httpc; /* made with the first request */
	struct map requests; /* key -> struct request */
	struct link waiting;
	size_t open; /* begun and not ended */
	bool closing;
};

static void pump(struct agent *g);

/* ---- requests -------------------------------------------------------------------------------------------------- */

static str
make_key(struct arena *a, str ns, str workflow, str node_id)
{
	return arena_fmt(a, "%.*s/%.*s/%.*s", STR_ARG(ns), STR_ARG(workflow), STR_ARG(node_id));
}

static struct request *
find(const struct agent *g, str ns, str workflow, str node_id)
{
	struct arena *tmp CLEANUP(free_arena) = arena_new();
	return map_get(&g->requests, make_key(tmp, ns, workflow, node_id));
}

static struct secret_ref *
copy_ref(struct arena *a, const struct secret_ref *ref)
{
	struct secret_ref *out = ARENA_NEW(a, struct secret_ref);
	*out = *ref;
	out->name = arena_dup(a, ref->name);
	out->key = arena_dup(a, ref->key);
	return out;
}

static void
copy_headers(struct arena *a, const struct http_request *from, struct http_request *to)
{
	to->headers.p = ARENA_ARRAY(a, struct http_header_field, from->headers.n);
	for (size_t i = 0; i < from->headers.n; i++) {
		const struct http_header_field *h = &from->headers.p[i];
		struct http_header_field *out = &to->headers.p[i];
		*out = (struct http_header_field){ .name = arena_dup(a, h->name), .value = arena_dup(a, h->value) };
		if (!h->value_from || !h->value_from->secret_key)
			continue;
		out->value_from = ARENA_NEW(a, struct http_header_source);
		out->value_from->secret_key = copy_ref(a, h->value_from->secret_key);
	}
}

static struct http_request
copy_spec(struct arena *a, const struct http_request *from)
{
	struct http_request to = *from;
	to.url = arena_dup(a, from->url);
	to.method = from->method.n ? arena_dup(a, from->method) : S("GET");
	to.body = arena_dup(a, from->body);
	to.success_condition = arena_dup(a, from->success_condition);
	to.src = NULL;
	copy_headers(a, from, &to);
	if (from->body_from) {
		to.body_from = ARENA_NEW(a, struct http_body_source);
		to.body_from->bytes = arena_dup(a, from->body_from->bytes);
	}
	return to;
}

static struct request *
take(struct agent *g, const struct task_spec *t)
{
	struct request *old = find(g, t->ns, t->workflow, t->node_id);
	if (old)
		return old;
	struct arena *a = arena_new();
	struct request *rq = ARENA_NEW(a, struct request);
	rq->agent = g;
	rq->arena = a;
	rq->ns = arena_dup(a, t->ns);
	rq->workflow = arena_dup(a, t->workflow);
	rq->node_id = arena_dup(a, t->node_id);
	rq->key = make_key(a, t->ns, t->workflow, t->node_id);
	if (t->tmpl->data)
		rq->data = agent_data_copy(a, t);
	else
		rq->spec = copy_spec(a, t->tmpl->http);
	map_put(&g->requests, rq->key, rq);
	return rq;
}

static void
drop(struct request *rq)
{
	struct agent *g = rq->agent;
	list_del(&rq->link);
	map_del(&g->requests, rq->key);
	g->open -= rq->begun;
	rq->agent = NULL;
	if (!rq->child)
		arena_free(rq->arena);
}

/* The result may lie in the request's arena. */
static void
end(struct request *rq, const struct task_result *result)
{
	struct agent *g = rq->agent;
	map_del(&g->requests, rq->key);
	g->env.end(g->env.arg, rq->ns, rq->workflow, rq->node_id, result);
	drop(rq);
	pump(g);
}

static void
end_with(struct request *rq, enum phase phase, const char *why)
{
	struct task_result result = { .phase = phase, .message = str_c(why), .exit_code = -1 };
	end(rq, &result);
}

/* ---- sending --------------------------------------------------------------------------------------------------- */

static int
header_value(const struct request *rq, const struct http_header_field *h, str *out, struct err *e)
{
	*out = h->value.p ? h->value : S("");
	if (!h->value_from)
		return 0;
	const struct secret_ref *ref = h->value_from->secret_key;
	if (secret_key(rq->agent->env.objects, rq->ns, ref->name, ref->key, out, e))
		return err_wrap(e, "http header %.*s", STR_ARG(h->name));
	if (str_ends(*out, S("\n"))) /* editors leave one */
		out->n--;
	return 0;
}

static int
make_call(struct request *rq, struct http_call *out, struct err *e)
{
	const struct http_request *s = &rq->spec;
	struct http_header *headers = ARENA_ARRAY(rq->arena, struct http_header, s->headers.n);
	*out = (struct http_call){ .method = s->method, .url = s->url, .body = s->body, .headers = headers,
		.headers_n = s->headers.n, .insecure = s->insecure_skip_verify, .max_redirects = REDIRECTS_MAX,
		.max_response = AGENT_ANSWER_MAX,
		.timeout_ms = s->timeout_seconds ? s->timeout_seconds * 1000 : NO_TIMEOUT_MS };
	for (size_t i = 0; i < s->headers.n; i++) {
		headers[i].name = s->headers.p[i].name;
		if (header_value(rq, &s->headers.p[i], &headers[i].value, e))
			return -1;
	}
	if (s->body_from && base64_decode(rq->arena, s->body_from->bytes, &out->body, e))
		return err_wrap(e, "http.bodyFrom.bytes");
	return 0;
}

static void
answered(void *arg, const struct http_answer *ans, const struct err *e)
{
	struct request *rq = arg;
	struct task_result result;
	if (rq->agent->closing)
		return;
	if (!ans) {
		end_with(rq, PHASE_FAILED, e->msg);
		return;
	}
	agent_judge(rq->arena, &rq->spec, ans, &result);
	end(rq, &result);
}

static void
made(void *arg, str text, const struct err *e)
{
	struct request *rq = arg;
	struct task_result result;
	rq->child = NULL;
	if (!rq->agent) {
		arena_free(rq->arena);
		return;
	}
	agent_data_judge(rq->arena, text, e, &result);
	end(rq, &result);
}

static void
make_data(struct request *rq)
{
	struct agent *g = rq->agent;
	struct data_wanted wanted;
	struct err e;
	if (agent_data_wanted(rq->arena, rq->ns, rq->data, &wanted, &e) == 0)
		rq->child = g->env.make_data(g->env.arg, &wanted, rq->arena, made, rq, &e);
	if (!rq->child)
		made(rq, STR_NONE, &e);
}

static void
ask(struct request *rq)
{
	struct agent *g = rq->agent;
	struct http_call call;
	struct err e;
	if (rq->stopped) {
		end_with(rq, PHASE_FAILED, "stopped before it was sent");
		return;
	}
	if (rq->data) {
		make_data(rq);
		return;
	}
	if (make_call(rq, &call, &e)) {
		end_with(rq, PHASE_ERROR, e.msg);
		return;
	}
	if (!g->httpc)
		g->httpc = httpc_new(g->env.loop);
	httpc_send(g->httpc, &call, answered, rq);
}

/* ---- beginning ------------------------------------------------------------------------------------------------- */

/* While the begin is written down the request may be killed: it is looked up again then. */
struct go {
	struct agent *agent;
	struct arena *arena;
	str key;
};

static void
go(void *arg)
{
	struct go *x = arg;
	struct request *rq = map_get(&x->agent->requests, x->key);
	if (rq && rq->begun && !x->agent->closing)
		ask(rq);
	arena_free(x->arena);
}

static void
begin(struct request *rq)
{
	struct agent *g = rq->agent;
	struct arena *a = arena_new();
	struct go *x = ARENA_NEW(a, struct go);
	*x = (struct go){ .agent = g, .arena = a, .key = arena_dup(a, rq->key) };
	if (g->env.begin(g->env.arg, rq->ns, rq->workflow, rq->node_id, go, x))
		return;
	arena_free(a);
	drop(rq);
}

static void
pump(struct agent *g)
{
	while (!list_empty(&g->waiting) && g->open < AGENT_REQUESTS_MAX) {
		struct request *rq = LIST_FIRST(&g->waiting, struct request, link);
		list_del(&rq->link);
		rq->begun = true;
		g->open++;
		begin(rq);
	}
}

/* ---- what the engine calls ------------------------------------------------------------------------------------- */

bool
agent_takes(const struct task_spec *t)
{
	return t->tmpl->type == TEMPLATE_HTTP || t->tmpl->type == TEMPLATE_DATA;
}

void
agent_start(struct agent *g, const struct task_spec *t)
{
	(void)take(g, t);
}

/* RFC 9110, 9.2.2: sent twice, they have the effect of once. */
static bool
is_idempotent(str method)
{
	static const char *const methods[] = { "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE" };
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (str_eq(method, str_c(methods[i])))
			return true;
	return false;
}

static void
taken_up(void *arg)
{
	struct go *x = arg;
	struct request *rq = map_get(&x->agent->requests, x->key);
	arena_free(x->arena);
	if (!rq)
		return;
	if (rq->data || is_idempotent(rq->spec.method)) {
		ask(rq);
		return;
	}
	str why = arena_fmt(rq->arena,
		"the daemon ended while the request was under way: whether it arrived is not known, and %.*s is not repeated",
		STR_ARG(rq->spec.method));
	end_with(rq, PHASE_ERROR, why.p);
}

void
agent_adopt(struct agent *g, const struct task_spec *t)
{
	struct request *rq = take(g, t);
	rq->begun = true;
	g->open++;
	struct arena *a = arena_new();
	struct go *x = ARENA_NEW(a, struct go);
	*x = (struct go){ .agent = g, .arena = a, .key = arena_dup(a, rq->key) };
	loop_post(g->env.loop, taken_up, x);
}

bool
agent_release(struct agent *g, str ns, str workflow, str node_id)
{
	struct request *rq = find(g, ns, workflow, node_id);
	if (!rq)
		return false;
	if (!rq->begun && !rq->link.next)
		list_add_tail(&g->waiting, &rq->link);
	pump(g);
	return true;
}

bool
agent_kill(struct agent *g, str ns, str workflow, str node_id)
{
	struct request *rq = find(g, ns, workflow, node_id);
	if (!rq)
		return false;
	if (rq->data && rq->begun) { /* a pod, to the run, which waits for its end */
		rq->stopped = true;
		if (rq->child)
			child_stop(rq->child);
		return true;
	}
	if (g->httpc)
		httpc_forget(g->httpc, rq);
	drop(rq);
	pump(g);
	return true;
}

size_t
agent_running(const struct agent *g)
{
	return g->open;
}

struct agent *
agent_new(const struct agent_env *env)
{
	struct agent *g = MEM_NEW(struct agent);
	g->env = *env;
	list_init(&g->waiting);
	return g;
}

void
agent_free(struct agent *g)
{
	if (!g)
		return;
	g->closing = true;
	httpc_free(g->httpc);
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&g->requests, &i));)
		drop(slot->value);
	map_free(&g->requests);
	free(g);
}
