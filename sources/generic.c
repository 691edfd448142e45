/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generic: events of a gRPC server of one's own (spec events 1.C4): generic.Eventing/StartEventSource is called with the name of the event and the
 * `config`, and answers with a stream of events. The protocol has no acknowledgement: what is in flight when the daemon is killed
 * is the server's to send again. A full bus stops reading, and HTTP/2's flow control stops the server.
 */
#include "core/log.h"
#include "core/net/grpc.h"
#include "sources/backoff.h"
#include "sources/check.h"
#include "sources/message.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

enum { SETTLED_S = 2, /* a stream that stands so long works, though nothing came */ LONG_S = 30, COMPLAIN_S = 60 };

struct generic_source {
	struct secret_ref *auth_secret;
	struct secret_ref *ca_certificate;
	str config;
	struct source_filter *filter;
	bool insecure;
	bool json_body;
	struct kvs metadata;
	str url;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct generic_source *s = obj;

	source_need(s->url, in, c, "url");
	source_need(s->config, in, c, "config");
	if (s->url.n && (str_find(s->url, S("://"), 0) != SIZE_MAX || str_find_char(s->url, '/', 0) != SIZE_MAX) && !str_starts(s->url, S("dns:///")))
		decode_error(c, in, "url", "\"%.*s\": must be host:port", STR_ARG(str_slice(s->url, 0, 100)));
	if (s->insecure && s->ca_certificate)
		decode_warn(c, in, "caCertificate", "is not looked at, as insecure means without TLS");
}

static const struct schema generic_source_schema = { "GenericEventSource", "Events of a gRPC server of one's own.",
	sizeof(struct generic_source), (const struct field[]){
	FIELD_PTR(struct generic_source, auth_secret, "authSecret", 0, &secret_ref_schema,
		.doc = "Bearer token to send."),
	FIELD_PTR(struct generic_source, ca_certificate, "caCertificate", 0, &secret_ref_schema,
		.doc = "Certificate authority of the server; without it the system's. Ours: Argo Events has no TLS here."),
	FIELD(struct generic_source, config, "config", 0, .doc = "What the server wants to know."),
	FIELD_PTR(struct generic_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct generic_source, insecure, "insecure", 0, .doc = "Without TLS."),
	FIELD(struct generic_source, json_body, "jsonBody", 0,
		.doc = "Whether payloads are JSON and go into the data as such; else they go in as base64."),
	FIELD(struct generic_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct generic_source, url, "url", 0, .doc = "Address of the server, host:port."),
	FIELD_SRC(struct generic_source, src),
	{ 0 } }, check };

/* ---- the running source --------------------------------------------------------------------------------------------- */

struct generic {
	struct source *source;
	const struct generic_source *config;
	struct httpc *client;       /* of this source alone: it holds back and ends what is its own */
	struct grpc_stream *stream; /* NULL: none, it waits for the next attempt */
	struct backoff_state backoff;
	struct timer retry, settled;
	int64_t since, complained;
	VEC(struct event *) waiting; /* came while the bus was full: no more than one piece of the stream */
	bool stopping;
};

static void connect_(void *arg);

static void
retry(struct generic *g, const struct err *e)
{
	struct loop *l = source_loop(g->source);
	timer_stop(&g->settled);
	source_state(g->source, false, e);
	timer_start(l, &g->retry, loop_now(l) + backoff_next(&g->backoff, NULL), connect_, g);
}

/* A server that takes the call and ends it at once does not work: that is not told as a connection. */
static void
works(void *arg)
{
	struct generic *g = arg;
	source_state(g->source, true, NULL);
}

static void
connected(void *arg)
{
	struct generic *g = arg;
	struct loop *l = source_loop(g->source);
	g->since = loop_now(l);
	timer_start(l, &g->settled, g->since + SETTLED_S * NS_PER_SEC, works, g);
}

static int
read_event(str message, str *payload, struct err *e)
{
	struct proto_field f;
	int rc;
	*payload = S("");
	while ((rc = proto_next(&message, &f, e)) > 0)
		if (f.number == 2)
			*payload = f.bytes.p ? f.bytes : S("");
	return rc;
}

static int
data_of(const struct generic_source *c, str payload, struct message *m, struct err *e)
{
	message_begin(m);
	if (message_body(m, "body", payload, c->json_body, e) < 0) {
		message_drop(m);
		return -1;
	}
	message_metadata(m, &c->metadata);
	return 0;
}

/* One message that is no event does not end the stream, as in Argo; a minute's worth of them is one line in the log. */
static void
refuse(struct generic *g, const struct err *e)
{
	int64_t now = loop_now(source_loop(g->source));
	source_count_failure(g->source);
	if (g->complained && now - g->complained < COMPLAIN_S * NS_PER_SEC)
		return;
	g->complained = now;
	struct arena *a CLEANUP(free_arena) = arena_new();
	log_warn("a message is no event and is dropped", "eventsource", str_z(a, source_name(g->source)), "event",
	         str_z(a, source_event_name(g->source)), "error", e->msg, NULL);
}

static bool
message(void *arg, str bytes)
{
	struct generic *g = arg;
	struct message m;
	struct err e;
	str payload;
	backoff_reset(&g->backoff);
	if (timer_is_armed(&g->settled)) {
		timer_stop(&g->settled);
		works(g);
	}
	if (read_event(bytes, &payload, &e) < 0 || data_of(g->config, payload, &m, &e) < 0)
		refuse(g, &e);
	else if (g->waiting.n || source_is_paused(g->source))
		*VEC_PUSH(&g->waiting) = message_end(&m);
	else
		source_emit(g->source, message_end(&m), NULL);
	return true;
}

static void
ended(void *arg, const struct err *e)
{
	struct generic *g = arg;
	struct err over;
	g->stream = NULL;
	if (g->stopping)
		return;
	if (g->since && loop_now(source_loop(g->source)) - g->since > LONG_S * NS_PER_SEC)
		backoff_reset(&g->backoff);
	g->since = 0;
	err_set(&over, ERR_UNAVAILABLE, "generic.Eventing/StartEventSource: the server ended the stream");
	retry(g, e ? e : &over);
}

static const struct grpc_stream_ops stream_ops = { connected, message, ended };

static void
connect_(void *arg)
{
	struct generic *g = arg;
	const struct generic_source *c = g->config;
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct grpc_call call = { .server = c->url, .method = S("generic.Eventing/StartEventSource"), .secure = !c->insecure };
	struct err e;
	if ((c->auth_secret && source_secret(g->source, c->auth_secret, a, &call.token, &e) < 0) ||
	    (c->ca_certificate && !c->insecure && source_secret(g->source, c->ca_certificate, a, &call.ca_pem, &e) < 0)) {
		retry(g, &e);
		return;
	}
	struct buf b CLEANUP(free_buf) = { 0 };
	proto_add(&b, 1, source_event_name(g->source));
	proto_add(&b, 2, c->config);
	call.message = buf_str(&b);
	g->stream = grpc_listen(g->client, &call, &stream_ops, g);
	if (source_is_paused(g->source))
		httpc_pause(g->client, g->stream, true);
}

/* ---- life ----------------------------------------------------------------------------------------------------------- */

static int
start(struct source *s, struct err *e UNUSED)
{
	struct generic *g = MEM_NEW(struct generic);
	*g = (struct generic){ .source = s, .config = source_config(s), .client = httpc_new(source_loop(s)) };
	source_set_data(s, g);
	source_connecting(s);
	connect_(g);
	return 0;
}

static void
pause_(struct source *s, bool on)
{
	struct generic *g = source_data(s);
	size_t n = 0;
	if (on) {
		httpc_pause(g->client, g->stream, true);
		return;
	}
	while (n < g->waiting.n && !source_is_paused(s))
		source_emit(s, g->waiting.p[n++], NULL);
	if (n)
		memmove(g->waiting.p, g->waiting.p + n, (g->waiting.n - n) * sizeof *g->waiting.p);
	g->waiting.n -= n;
	if (!source_is_paused(s))
		httpc_pause(g->client, g->stream, false);
}

static void
stop(struct source *s)
{
	struct generic *g = source_data(s);
	g->stopping = true;
	timer_stop(&g->retry);
	timer_stop(&g->settled);
	httpc_free(g->client); /* ends the stream */
	for (size_t i = 0; i < g->waiting.n; i++)
		event_unref(g->waiting.p[i]);
	VEC_FREE(&g->waiting);
	free(g);
	source_stopped(s);
}

static int
wrap(struct source *s, struct arena *a, str body, str *out, struct err *e)
{
	struct message m;
	if (data_of(source_config(s), body, &m, e) < 0)
		return -1;
	struct event *ev = message_end(&m);
	*out = arena_dup(a, ev->data);
	event_unref(ev);
	return 0;
}

const struct source_ops source_generic = { .kind = "generic", .doc = "Events of a gRPC server of one's own.", .schema = &generic_source_schema,
	.start = start, .pause = pause_, .stop = stop, .wrap = wrap };
