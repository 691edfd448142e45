/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nsq: messages of an NSQ topic, of all nsqds that nsqlookupd knows to have it (spec events 1.C9). A message is finished (FIN) when its event is on
 * disk; one that takes long is touched, so that it does not come again meanwhile. Its nsqd and id make a repetition the same event.
 * core/net/nsq_consumer.h speaks with the servers.
 */
#include "core/net/nsq_consumer.h"
#include "sources/check.h"
#include "sources/feed.h"
#include "sources/message.h"
#include "sources/webhook_context.h"

struct nsq_source {
	str channel;
	struct backoff *connection_backoff;
	struct source_filter *filter;
	str host_address;
	bool json_body;
	struct kvs metadata;
	struct tls_config *tls;
	str topic;
	const struct val *src;
};

static void
check_name(str name, const struct val *in, struct decode *c, const char *field)
{
	source_need(name, in, c, field);
	if (name.n && !nsq_name_is_valid(name))
		decode_error(c, in, field, "a %s has 1 to 64 letters, digits, \".\", \"_\" and \"-\", and may end in #ephemeral", field);
}

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct nsq_source *s = obj;

	source_need(s->host_address, in, c, "hostAddress");
	check_name(s->topic, in, c, "topic");
	check_name(s->channel, in, c, "channel");
}

static const struct schema nsq_source_schema = { "NSQEventSource", "Messages of an NSQ topic.",
	sizeof(struct nsq_source), (const struct field[]){
	FIELD(struct nsq_source, channel, "channel", 0, .doc = "Channel to use."),
	FIELD_PTR(struct nsq_source, connection_backoff, "connectionBackoff", 0, &backoff_schema,
		.doc = "Waits between attempts to connect."),
	FIELD_PTR(struct nsq_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct nsq_source, host_address, "hostAddress", 0, .doc = "Address of nsqlookupd."),
	FIELD(struct nsq_source, json_body, "jsonBody", 0,
		.doc = "Whether payloads are JSON and go into the data as such; else they go in as base64."),
	FIELD(struct nsq_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD_PTR(struct nsq_source, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct nsq_source, topic, "topic", 0, .doc = "Topic to read."),
	FIELD_SRC(struct nsq_source, src),
	{ 0 } }, check };

/* ---- the message ----------------------------------------------------------------------------------------------------- */

/* Nothing is begun if it fails. */
static int
begin_message(struct message *m, const struct nsq_source *config, str where, int64_t timestamp_ns, str body, struct err *e)
{
	message_begin(m);
	if (message_body(m, "body", body, config->json_body, e) < 0) {
		message_drop(m);
		return -1;
	}
	message_str(m, "timestamp", arena_fmt(m->ev->arena, "%lld", (long long)timestamp_ns));
	message_str(m, "nsqdAddress", where);
	message_metadata(m, &config->metadata);
	return 0;
}

/* A body as somebody would publish it now. */
static int
wrap(struct source *s, struct arena *a, str body, str *out, struct err *e)
{
	struct message m;
	if (begin_message(&m, source_config(s), S(""), loop_now(source_loop(s)), body, e) < 0)
		return -1;
	*out = message_text(&m, a);
	return 0;
}

/* ---- the connection -------------------------------------------------------------------------------------------------- */

struct reader {
	struct feed *feed;
	struct nsq_plan plan;
	struct nsq_consumer *nsq;
};

static bool
wants(void *arg)
{
	const struct reader *r = arg;
	return feed_wants(r->feed);
}

static void
on_message(void *arg, str where, const struct nsq_message *from, void *handle)
{
	const struct reader *r = arg;
	union feed_handle h = { .pointer = handle };
	struct message m;
	struct err e = { 0 };
	if (begin_message(&m, feed_config(r->feed), where, from->timestamp_ns, from->body, &e) < 0) {
		feed_refuse(r->feed, h, &e);
		return;
	}
	struct event *ev = message_end(&m);
	ev->dedup = arena_fmt(ev->arena, "%.*s/%.*s", STR_ARG(where), STR_ARG(from->id));
	feed_give(r->feed, ev, h);
}

static void
close_reader(void *conn)
{
	struct reader *r = conn;
	nsq_leave(r->nsq);
	free(r);
}

static void *
open_reader(struct feed *f, const struct peer_target *t, struct err *e)
{
	const struct nsq_source *config = feed_config(f);
	struct reader *r = MEM_NEW(struct reader);
	r->feed = f;
	r->plan = (struct nsq_plan){ config->host_address, config->topic, config->channel, wants, on_message, r };
	r->nsq = nsq_consume(t, &r->plan, e);
	if (r->nsq)
		return r;
	close_reader(r);
	return NULL;
}

static int
receive(void *conn, struct feed *f UNUSED, struct err *e)
{
	struct reader *r = conn;
	return nsq_consumer_receive(r->nsq, e);
}

static int
wait_for(void *conn, short *events UNUSED, int *timeout_ms)
{
	const struct reader *r = conn;
	*timeout_ms = nsq_consumer_wait_ms(r->nsq);
	return nsq_consumer_fd(r->nsq);
}

static int
settle(void *conn, const union feed_handle *handles, size_t n, struct err *e UNUSED)
{
	struct reader *r = conn;
	for (size_t i = 0; i < n; i++)
		nsq_consumer_finish(handles[i].pointer);
	nsq_consumer_tell(r->nsq);
	return 0;
}

static void
forget(void *conn UNUSED, union feed_handle handle)
{
	nsq_forget(handle.pointer);
}

static int
target(struct source *s, struct arena *a, struct peer_target *t, struct err *e)
{
	const struct nsq_source *config = source_config(s);
	t->address = config->host_address;
	return feed_tls(s, config->tls, a, t, e);
}

static const struct feed_ops ops = { .name = "nsq", .target = target, .open = open_reader, .receive = receive, .wait = wait_for, .settle = settle,
	.forget = forget, .close = close_reader };

static int
start(struct source *s, struct err *e)
{
	const struct nsq_source *config = source_config(s);
	return feed_start(s, &ops, config->connection_backoff, 0, e);
}

const struct source_ops source_nsq = { .kind = "nsq", .doc = "Messages of an NSQ topic.", .schema = &nsq_source_schema, .start = start,
	.ack = feed_ack, .pause = feed_pause, .stop = feed_stop, .wrap = wrap, .describe = feed_describe };
