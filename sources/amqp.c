/* SPDX-License-Identifier: Apache-2.0 */
/* amqp: Messages of an AMQP 0-9-1 exchange, such as RabbitMQ. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"
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
		.doc = "Whether the broker forgets a message once it is sent."),
	FIELD(struct amqp_consume, consumer_tag, "consumerTag", 0, .doc = "Name of the consumer."),
	FIELD(struct amqp_consume, exclusive, "exclusive", 0, .doc = "Be the only consumer."),
	FIELD(struct amqp_consume, no_local, "noLocal", 0, .doc = "Leave out what this connection published."),
	FIELD(struct amqp_consume, no_wait, "noWait", 0, .doc = "Do not wait for the answer."),
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
	FIELD(struct amqp_exchange, no_wait, "noWait", 0, .doc = "Do not wait for the answer."),
	FIELD_SRC(struct amqp_exchange, src),
	{ 0 } } };

struct amqp_bind {
	bool no_wait;
	const struct val *src;
};
static const struct schema amqp_bind_schema = { "AMQPQueueBindConfig", "How the queue is bound.",
	sizeof(struct amqp_bind), (const struct field[]){
	FIELD(struct amqp_bind, no_wait, "noWait", 0, .doc = "Do not wait for the answer."),
	FIELD_SRC(struct amqp_bind, src),
	{ 0 } } };

struct amqp_queue {
	str arguments;
	bool auto_delete;
	bool durable;
	bool exclusive;
	str name;
	bool no_wait;
	const struct val *src;
};
static const struct schema amqp_queue_schema = { "AMQPQueueDeclareConfig", "How the queue is declared.",
	sizeof(struct amqp_queue), (const struct field[]){
	FIELD(struct amqp_queue, arguments, "arguments", 0, .doc = "Further arguments, YAML."),
	FIELD(struct amqp_queue, auto_delete, "autoDelete", 0, .doc = "Delete it with its last consumer."),
	FIELD(struct amqp_queue, durable, "durable", 0, .doc = "Survive a restart of the broker."),
	FIELD(struct amqp_queue, exclusive, "exclusive", 0, .doc = "Only for this connection."),
	FIELD(struct amqp_queue, name, "name", 0, .doc = "Name; the server makes one up if empty."),
	FIELD(struct amqp_queue, no_wait, "noWait", 0, .doc = "Do not wait for the answer."),
	FIELD_SRC(struct amqp_queue, src),
	{ 0 } } };

struct amqp_source {
	struct basic_auth *auth;
	struct backoff *connection_backoff;
	struct amqp_consume *consume;
	struct amqp_exchange *exchange_declare;
	str exchange_name;
	str exchange_type;
	struct source_filter *filter;
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

const struct source_ops source_amqp = { .kind = "amqp", .doc = "Messages of an AMQP 0-9-1 exchange, such as RabbitMQ.",
	.schema = &amqp_source_schema };
