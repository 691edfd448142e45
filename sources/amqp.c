/* SPDX-License-Identifier: Apache-2.0 */
/*
 * amqp: messages of an AMQP 0-9-1 exchange, such as RabbitMQ's (spec events 1.C7). A message is acknowledged when its event is on disk, unless the
 * manifest says autoAck: true; one that can be no event is rejected. core/net/rabbit_consumer.h speaks with the broker.
 */
#include "core/net/rabbit_consumer.h"
#include "core/tz.h"
#include "sources/check.h"
#include "sources/feed.h"
#include "sources/message.h"
#include "sources/s3_event.h"
#include "sources/webhook_context.h"

struct amqp_consume {
	bool auto_ack;
	str consumer_tag;
	bool exclusive;
	bool no_local;
	bool no_wait;
	const struct val *src;
};
static const struct schema amqp_consume_schema = { "AMQPConsumeConfig", "How messages are consumed.",
	sizeof(struct amqp_consume), (const struct field[]){
	FIELD(struct amqp_consume, auto_ack, "autoAck", 0,
		.doc = "Whether the broker forgets a message once it is sent, on disk or not. Only if written: here the default is false."),
	FIELD(struct amqp_consume, consumer_tag, "consumerTag", 0, .doc = "Name of the consumer."),
	FIELD(struct amqp_consume, exclusive, "exclusive", 0, .doc = "Be the only consumer."),
	FIELD(struct amqp_consume, no_local, "noLocal", 0, .doc = "Leave out what this connection published."),
	FIELD(struct amqp_consume, no_wait, "noWait", 0, .doc = "Accepted; the answer is waited for, so that what is wrong is told."),
	FIELD_SRC(struct amqp_consume, src),
	{ 0 } } };

struct amqp_exchange {
	bool auto_delete;
	bool durable;
	bool internal;
	bool no_wait;
	const struct val *src;
};
static const struct schema amqp_exchange_schema = { "AMQPExchangeDeclareConfig", "How the exchange is declared.",
	sizeof(struct amqp_exchange), (const struct field[]){
	FIELD(struct amqp_exchange, auto_delete, "autoDelete", 0, .doc = "Delete it with its last queue."),
	FIELD(struct amqp_exchange, durable, "durable", 0, .doc = "Survive a restart of the broker."),
	FIELD(struct amqp_exchange, internal, "internal", 0, .doc = "Take messages from other exchanges only."),
	FIELD(struct amqp_exchange, no_wait, "noWait", 0, .doc = "Accepted; the answer is waited for, so that what is wrong is told."),
	FIELD_SRC(struct amqp_exchange, src),
	{ 0 } } };

struct amqp_bind {
	bool no_wait;
	const struct val *src;
};
static const struct schema amqp_bind_schema = { "AMQPQueueBindConfig", "How the queue is bound.",
	sizeof(struct amqp_bind), (const struct field[]){
	FIELD(struct amqp_bind, no_wait, "noWait", 0, .doc = "Accepted; the answer is waited for, so that what is wrong is told."),
	FIELD_SRC(struct amqp_bind, src),
	{ 0 } } };

struct amqp_queue {
	str arguments;
	bool auto_delete;
	bool durable;
	bool exclusive;
	str name;
	bool no_wait;
	const struct val *parsed; /* `arguments`; NULL: none */
	const struct val *src;
};

/* The text is YAML inside of YAML. */
static void
check_queue(void *obj, const struct val *in, struct decode *c)
{
	struct amqp_queue *queue = obj;
	struct diags d;
	struct val *docs;
	size_t n;
	diags_init(&d);
	if (yaml_read_all(c->arena, S(""), queue->arguments, NULL, &docs, &n, &d) < 0)
		decode_error(c, in, "arguments", "line %u: %.*s", d.v.p[0].line, STR_ARG(d.v.p[0].text));
	else if (n > 1 || (n && docs[0].kind != VAL_MAP))
		decode_error(c, in, "arguments", "an object is needed, as text: \"x-max-length: 1000\"");
	else if (n)
		queue->parsed = &docs[0];
	diags_free(&d);
}

static const struct schema amqp_queue_schema = { "AMQPQueueDeclareConfig", "How the queue is declared.",
	sizeof(struct amqp_queue), (const struct field[]){
	FIELD(struct amqp_queue, arguments, "arguments", 0, .doc = "Further arguments: the text of a YAML object."),
	FIELD(struct amqp_queue, auto_delete, "autoDelete", 0, .doc = "Delete it with its last consumer."),
	FIELD(struct amqp_queue, durable, "durable", 0, .doc = "Survive a restart of the broker."),
	FIELD(struct amqp_queue, exclusive, "exclusive", 0, .doc = "Only for this connection."),
	FIELD(struct amqp_queue, name, "name", 0, .doc = "Name; the server makes one up if empty."),
	FIELD(struct amqp_queue, no_wait, "noWait", 0, .doc = "Accepted; the answer is waited for, so that what is wrong is told."),
	FIELD_SRC(struct amqp_queue, src),
	{ 0 } }, check_queue };

struct amqp_source {
	struct basic_auth *auth;
	struct backoff *connection_backoff;
	struct amqp_consume *consume;
	struct amqp_exchange *exchange_declare;
	str exchange_name;
	str exchange_type;
	struct source_filter *filter;
	struct s3_events *s3_events;
	bool json_body;
	struct kvs metadata;
	struct amqp_bind *queue_bind;
	struct amqp_queue *queue_declare;
	str routing_key;
	struct tls_config *tls;
	str url;
	struct secret_ref *url_secret;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct amqp_source *s = obj;

	if (!s->url.n && !s->url_secret)
		decode_error(c, in, NULL, "either url or urlSecret must be specified");
	if (s->url.n && s->url_secret)
		decode_error(c, in, "urlSecret", "only one of url or urlSecret can be specified");
	source_need(s->routing_key, in, c, "routingKey");
	source_need(s->exchange_type, in, c, "exchangeType");
	source_check_basic(s->auth, in, c);
}

static const struct schema amqp_source_schema = { "AMQPEventSource",
	"Messages of an AMQP 0-9-1 exchange, such as RabbitMQ.", sizeof(struct amqp_source), (const struct field[]){
	FIELD_PTR(struct amqp_source, auth, "auth", 0, &basic_auth_schema, .doc = "User name and password."),
	FIELD_PTR(struct amqp_source, connection_backoff, "connectionBackoff", 0, &backoff_schema,
		.doc = "Waits between attempts to connect."),
	FIELD_PTR(struct amqp_source, consume, "consume", 0, &amqp_consume_schema, .doc = "How messages are consumed."),
	FIELD_PTR(struct amqp_source, exchange_declare, "exchangeDeclare", 0, &amqp_exchange_schema,
		.doc = "How the exchange is declared; durable if absent."),
	FIELD(struct amqp_source, exchange_name, "exchangeName", 0,
		.doc = "Exchange to bind to; the default exchange if empty."),
	FIELD(struct amqp_source, exchange_type, "exchangeType", 0, .doc = "direct, fanout, topic or headers."),
	FIELD_PTR(struct amqp_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD_PTR(struct amqp_source, s3_events, "s3Events", 0, &s3_events_schema,
		.doc = "Messages are notifications of S3, and become events as those of minio. Ours."),
	FIELD(struct amqp_source, json_body, "jsonBody", 0,
		.doc = "Whether payloads are JSON and go into the data as such; else they go in as base64."),
	FIELD(struct amqp_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD_PTR(struct amqp_source, queue_bind, "queueBind", 0, &amqp_bind_schema, .doc = "How the queue is bound."),
	FIELD_PTR(struct amqp_source, queue_declare, "queueDeclare", 0, &amqp_queue_schema,
		.doc = "How the queue is declared; exclusive and named by the server if absent."),
	FIELD(struct amqp_source, routing_key, "routingKey", 0, .doc = "Routing key to bind with."),
	FIELD_PTR(struct amqp_source, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct amqp_source, url, "url", 0, .doc = "URL of the broker."),
	FIELD_PTR(struct amqp_source, url_secret, "urlSecret", 0, &secret_ref_schema,
		.doc = "The same, from a Secret."),
	FIELD_SRC(struct amqp_source, src),
	{ 0 } }, check };

/* ---- the message ----------------------------------------------------------------------------------------------------- */

/* As Go prints it; a property that is absent is the zero time there. */
static str
timestamp(struct arena *a, const amqp_basic_properties_t *p)
{
	static const uint64_t most = INT64_MAX / NS_PER_SEC; /* in the year 2262 */
	const struct tz *zone;
	struct err e;
	if (!(p->_flags & AMQP_BASIC_TIMESTAMP_FLAG))
		return S("0001-01-01 00:00:00 +0000 UTC");
	if (tz_open(a, S("Local"), &zone, &e) < 0)
		zone = tz_utc();
	return tz_go_string(a, zone, (int64_t)(p->timestamp < most ? p->timestamp : most) * NS_PER_SEC);
}

static str
property(const amqp_basic_properties_t *p, amqp_flags_t flag, amqp_bytes_t value)
{
	return p->_flags & flag ? rabbit_text(value) : S("");
}

/* The data of a delivery (Argo: AMQPEventData); nothing is begun if it fails. */
static int
begin_message(struct message *m, const struct amqp_source *config, const struct rabbit_delivery *d, struct err *e)
{
	const amqp_basic_properties_t *p = d->properties;
	message_begin(m);
	message_str(m, "contentType", property(p, AMQP_BASIC_CONTENT_TYPE_FLAG, p->content_type));
	message_str(m, "contentEncoding", property(p, AMQP_BASIC_CONTENT_ENCODING_FLAG, p->content_encoding));
	message_int(m, "deliveryMode", p->_flags & AMQP_BASIC_DELIVERY_MODE_FLAG ? p->delivery_mode : 0);
	message_int(m, "priority", p->_flags & AMQP_BASIC_PRIORITY_FLAG ? p->priority : 0);
	message_str(m, "correlationId", property(p, AMQP_BASIC_CORRELATION_ID_FLAG, p->correlation_id));
	message_str(m, "replyTo", property(p, AMQP_BASIC_REPLY_TO_FLAG, p->reply_to));
	message_str(m, "expiration", property(p, AMQP_BASIC_EXPIRATION_FLAG, p->expiration));
	message_str(m, "messageId", property(p, AMQP_BASIC_MESSAGE_ID_FLAG, p->message_id));
	message_str(m, "timestamp", timestamp(m->ev->arena, p));
	message_str(m, "type", property(p, AMQP_BASIC_TYPE_FLAG, p->type));
	message_str(m, "appId", property(p, AMQP_BASIC_APP_ID_FLAG, p->app_id));
	message_str(m, "exchange", d->exchange);
	message_str(m, "routingKey", d->routing_key);
	if (message_body(m, "body", d->body, config->json_body, e) < 0) {
		message_drop(m);
		return -1;
	}
	message_metadata(m, &config->metadata);
	return 0;
}

/* A body as somebody would publish it, without properties. */
static int
wrap(struct source *s, struct arena *a, str body, str *out, struct err *e)
{
	const struct amqp_source *config = source_config(s);
	const amqp_basic_properties_t none = { 0 };
	const struct rabbit_delivery d = { 0, config->exchange_name, config->routing_key, body, &none };
	struct message m;
	if (begin_message(&m, config, &d, e) < 0)
		return -1;
	*out = message_text(&m, a);
	return 0;
}

/*
 * The broker numbers deliveries, not messages: after a break the same message has another tag. A message-id is the publisher's, and nothing in the
 * protocol makes it unique. So the same message-id with the same data is the same message, and one without an id is always a new one.
 */
static str
same_message(struct event *ev, const amqp_basic_properties_t *p)
{
	str id = property(p, AMQP_BASIC_MESSAGE_ID_FLAG, p->message_id);
	return id.n ? arena_fmt(ev->arena, "%.*s:%016llx", STR_ARG(id), (unsigned long long)str_fnv64a(ev->data)) : STR_NONE;
}

/* ---- the connection -------------------------------------------------------------------------------------------------- */

struct consumer {
	struct feed *feed;
	struct rabbit_plan plan;
	struct rabbit_consumer *rabbit;
};

/* What a handle's numbers are. */
enum { TAG, REFUSED };

static bool
wants(void *arg)
{
	const struct consumer *c = arg;
	return feed_wants(c->feed);
}

static void
on_delivery(void *arg, const struct rabbit_delivery *d)
{
	struct consumer *c = arg;
	union feed_handle handle = { .number = { [TAG] = (int64_t)d->tag } };
	struct message m;
	struct err e = { 0 };
	if (begin_message(&m, feed_config(c->feed), d, &e) < 0) {
		handle.number[REFUSED] = true;
		feed_refuse(c->feed, handle, &e);
		return;
	}
	struct event *ev = message_end(&m);
	ev->dedup = same_message(ev, d->properties);
	feed_give(c->feed, ev, handle);
}

/* What is absent is as in Argo, but for the acknowledgement: a block that is there has false where it says nothing. */
static void
make_plan(struct consumer *c, const struct amqp_source *config)
{
	const struct amqp_exchange *exchange = config->exchange_declare;
	const struct amqp_queue *queue = config->queue_declare;
	const struct amqp_consume *consume = config->consume;
	struct rabbit_plan *p = &c->plan;
	*p = (struct rabbit_plan){ .exchange = { .name = config->exchange_name, .type = config->exchange_type, .durable = true },
		                   .queue = { .exclusive = true }, .routing_key = config->routing_key,
		                   .consume = { .prefetch = FEED_WINDOW }, .wants = wants, .deliver = on_delivery, .arg = c };
	if (exchange) {
		p->exchange.durable = exchange->durable;
		p->exchange.auto_delete = exchange->auto_delete;
		p->exchange.internal = exchange->internal;
	}
	if (consume) {
		p->consume.tag = consume->consumer_tag;
		p->consume.auto_ack = consume->auto_ack;
		p->consume.exclusive = consume->exclusive;
		p->consume.no_local = consume->no_local;
	}
	if (queue) {
		p->queue.name = queue->name;
		p->queue.durable = queue->durable;
		p->queue.auto_delete = queue->auto_delete;
		p->queue.exclusive = queue->exclusive;
		p->queue.arguments = queue->parsed;
	}
}

static void
close_consumer(void *conn)
{
	struct consumer *c = conn;
	if (c->rabbit)
		rabbit_leave(c->rabbit);
	free(c);
}

static void *
open_consumer(struct feed *f, const struct peer_target *t, struct err *e)
{
	struct consumer *c = MEM_NEW(struct consumer);
	c->feed = f;
	make_plan(c, feed_config(f));
	c->rabbit = rabbit_consume(t, &c->plan, e);
	if (c->rabbit)
		return c;
	close_consumer(c);
	return NULL;
}

static int
receive(void *conn, struct feed *f, struct err *e)
{
	struct consumer *c = conn;
	int rc = rabbit_receive(c->rabbit, e);
	if (rc > 0)
		feed_wake(f);
	return rc < 0 ? -1 : 0;
}

static int
wait_for(void *conn, short *events UNUSED, int *timeout_ms)
{
	const struct consumer *c = conn;
	*timeout_ms = RABBIT_BEAT_MS;
	return rabbit_fd(c->rabbit);
}

/* Those that can be no events are rejected, so that a dead-letter exchange gets them, and the others acknowledged at one go. */
static int
settle(void *conn, const union feed_handle *handles, size_t n, struct err *e)
{
	struct consumer *c = conn;
	int64_t last = 0;
	if (c->plan.consume.auto_ack)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (!handles[i].number[REFUSED])
			last = handles[i].number[TAG];
		else if (rabbit_reject(c->rabbit, (uint64_t)handles[i].number[TAG], e) < 0)
			return -1;
	return last ? rabbit_ack(c->rabbit, (uint64_t)last, e) : 0;
}

static int
target(struct source *s, struct arena *a, struct peer_target *t, struct err *e)
{
	const struct amqp_source *config = source_config(s);
	t->address = config->url;
	if (config->url_secret && feed_secret(s, config->url_secret, a, &t->address, e) < 0)
		return -1;
	if (feed_login(s, config->auth, a, t, e) < 0)
		return -1;
	return feed_tls(s, config->tls, a, t, e);
}

static const struct feed_ops ops = { .name = "amqp", .target = target, .open = open_consumer, .receive = receive, .wait = wait_for, .settle = settle,
	.close = close_consumer };

static int
start(struct source *s, struct err *e)
{
	const struct amqp_source *config = source_config(s);
	return feed_start(s, &ops, config->connection_backoff, 0, e);
}

const struct source_ops source_amqp = { .kind = "amqp", .doc = "Messages of an AMQP 0-9-1 exchange, such as RabbitMQ.",
	.schema = &amqp_source_schema, .start = start, .ack = feed_ack, .pause = feed_pause, .stop = feed_stop, .wrap = wrap, .describe = feed_describe };
