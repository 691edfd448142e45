/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nats: messages of a NATS subject (spec events C8), at most once as the protocol has it; with `jetStream`, which is ours, those of a stream, each
 * acknowledged when its event is on disk, and the same event whenever it is given again.
 */
#include <nats/nats.h>

#include "core/net/nkey.h"
#include "sources/check.h"
#include "sources/message.h"
#include "sources/nats_feed.h"
#include "sources/s3_event.h"
#include "sources/webhook_context.h"

static const char *const deliver_names[] = { "all", "new", "last", NULL };
static const int deliver_policies[] = { js_DeliverAll, js_DeliverNew, js_DeliverLast };

struct jet_stream {
	struct nats_stream s;
	int deliver;
	const struct val *src;
};
static bool
is_name(str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || strchr(".*>/\\", s.p[i]))
			return false;
	return true;
}

static void
check_stream(void *obj, const struct val *in, struct decode *c)
{
	struct jet_stream *j = obj;
	j->s.deliver = deliver_policies[j->deliver];
	if (!is_name(j->s.stream))
		decode_error(c, in, "stream", "a stream's name has no spaces, dots, slashes and wildcards");
	if (!is_name(j->s.durable))
		decode_error(c, in, "durable", "a consumer's name has no spaces, dots, slashes and wildcards");
	if (j->s.ack_wait.ns < NS_PER_SEC)
		decode_error(c, in, "ackWait", "must be a second at least");
}

static const struct schema jet_stream_schema = { "NATSJetStream", "A stream of JetStream, read by a durable pull consumer.", sizeof(struct jet_stream),
	(const struct field[]){
	FIELD(struct jet_stream, s.ack_wait, "ackWait", 0, .dflt = "30s",
		.doc = "How long the server waits for the acknowledgement before it gives a message again; of a consumer that is made."),
	FIELD_ENUM(struct jet_stream, deliver, "deliverPolicy", 0, deliver_names, .dflt = "all",
		.doc = "Where a consumer that is made begins: with all that the stream has, the last of it, or what is new."),
	FIELD(struct jet_stream, s.durable, "durable", REQ, .doc = "Name of the consumer. One that is there is used as it is; else it is made."),
	FIELD(struct jet_stream, s.stream, "stream", REQ, .doc = "Name of the stream, which must be there."),
	FIELD_SRC(struct jet_stream, src),
	{ 0 } }, check_stream };

struct nats_source {
	struct nats_auth *auth;
	struct jet_stream *jet_stream;
	struct backoff *connection_backoff;
	struct source_filter *filter;
	struct s3_events *s3_events;
	bool json_body;
	struct kvs metadata;
	str queue;
	str subject;
	struct tls_config *tls;
	str url;
	struct nats_session session; /* for the feed */
	const struct val *src;
};

static struct event *make(const void *config, str subject, struct message_pair *headers, size_t n, str body, struct err *e);

static void
check(void *obj, const struct val *in, struct decode *c)
{
	struct nats_source *s = obj;

	s->session = (struct nats_session){ s->subject, s->queue, s->jet_stream ? &s->jet_stream->s : NULL, make };
	if (s->jet_stream && s->queue.n)
		decode_error(c, in, "queue", "a durable consumer is shared by all who read it: leave the queue out");
	source_need(s->url, in, c, "url");
	source_need(s->subject, in, c, "subject");
	if (s->queue.p && !s->queue.n)
		decode_error(c, in, "queue", "queue can't be empty when it is given");
}

static const struct schema nats_source_schema = { "NATSEventsSource", "Messages of a NATS subject.",
	sizeof(struct nats_source), (const struct field[]){
	FIELD_PTR(struct nats_source, auth, "auth", 0, &nats_auth_schema, .doc = "How to identify."),
	FIELD_PTR(struct nats_source, connection_backoff, "connectionBackoff", 0, &backoff_schema,
		.doc = "Waits between attempts to connect."),
	FIELD_PTR(struct nats_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD_PTR(struct nats_source, s3_events, "s3Events", 0, &s3_events_schema,
		.doc = "Messages are notifications of S3, and become events as those of minio. Ours."),
	FIELD_PTR(struct nats_source, jet_stream, "jetStream", 0, &jet_stream_schema,
		.doc = "Read a stream, at least once; the same message is the same event. Else the subject as it is, at most once."),
	FIELD(struct nats_source, json_body, "jsonBody", 0,
		.doc = "Whether payloads are JSON and go into the data as such; else they go in as base64."),
	FIELD(struct nats_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct nats_source, queue, "queue", 0, .doc = "Share the messages with others of this queue."),
	FIELD(struct nats_source, subject, "subject", 0, .doc = "Subject to listen to."),
	FIELD_PTR(struct nats_source, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct nats_source, url, "url", 0, .doc = "URL of the server."),
	FIELD_SRC(struct nats_source, src),
	{ 0 } }, check };

/* ---- events ---------------------------------------------------------------------------------------------------------- */

static struct event *
make(const void *config, str subject, struct message_pair *headers, size_t n, str body, struct err *e)
{
	const struct nats_source *c = config;
	struct message m;
	message_begin(&m);
	message_str(&m, "subject", subject);
	if (message_body(&m, "body", body, c->json_body, e) < 0) {
		message_drop(&m);
		return NULL;
	}
	if (n) /* else Go leaves them out */
		message_lists(&m, "header", headers, n);
	message_metadata(&m, &c->metadata);
	return message_end(&m);
}

/* ---- connecting ------------------------------------------------------------------------------------------------------ */

static int
add_nkey(struct source *s, const struct secret_ref *ref, struct arena *a, struct peer_target *t, struct err *e)
{
	char public[NKEY_PUBLIC_SIZE + 1];
	if (feed_secret(s, ref, a, &t->nkey, e) < 0 || nkey_public(t->nkey, public, e) < 0)
		return -1;
	struct http_header *option = ARENA_NEW(a, struct http_header);
	*option = (struct http_header){ S("nkey.public"), arena_dup(a, str_c(public)) };
	t->options = option;
	t->options_n = 1;
	return 0;
}

static int
target(struct source *s, struct arena *a, struct peer_target *t, struct err *e)
{
	const struct nats_source *c = source_config(s);
	const struct nats_auth *auth = c->auth;
	t->address = c->url;
	if (feed_tls(s, c->tls, a, t, e) < 0)
		return -1;
	if (!auth)
		return 0;
	if (feed_login(s, auth->basic, a, t, e) < 0 || feed_secret(s, auth->token, a, &t->token, e) < 0 || feed_secret(s, auth->credential, a, &t->creds, e) < 0)
		return -1;
	return auth->nkey ? add_nkey(s, auth->nkey, a, t, e) : 0;
}

static void *
open_session(struct feed *f, const struct peer_target *t, struct err *e)
{
	const struct nats_source *c = feed_config(f);
	return nats_feed_open(f, t, &c->session, e);
}

static const struct feed_ops feed = { "nats", target, open_session, nats_feed_receive, nats_feed_wait, nats_feed_settle, nats_feed_forget,
	                              nats_feed_close };

static int
start(struct source *s, struct err *e)
{
	const struct nats_source *c = source_config(s);
	return feed_start(s, &feed, c->connection_backoff, 0, e);
}

static int
wrap(struct source *s, struct arena *a, str body, str *out, struct err *e)
{
	const struct nats_source *c = source_config(s);
	struct event *ev = make(c, c->subject, NULL, 0, body, e);
	if (!ev)
		return -1;
	*out = arena_dup(a, ev->data);
	event_unref(ev);
	return 0;
}

const struct source_ops source_nats = { .kind = "nats", .doc = "Messages of a NATS subject, or of a stream of JetStream.", .schema = &nats_source_schema,
	.start = start, .ack = feed_ack, .pause = feed_pause, .stop = feed_stop, .wrap = wrap, .describe = feed_describe };
