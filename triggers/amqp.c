/* SPDX-License-Identifier: Apache-2.0 */
/*
 * amqp: publishes to an exchange of RabbitMQ. Our own: Argo Events has AMQP as a source only, and the names of the fields are those of that
 * source. The firing's id is the message-id. Exchanges and queues are not declared: whose they are decides how they are.
 */
#include "triggers/broker.h"
#include "triggers/call.h"
#include "triggers/check.h"

struct amqp_trigger {
	str url, exchange, routing_key;
	struct secret_ref *url_secret;
	bool persistent, mandatory;
	struct basic_auth *auth;
	struct tls_config *tls;
	LIST_OF(struct trigger_parameter) parameters;
	LIST_OF(struct trigger_parameter) payload;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct amqp_trigger *t = obj;
	if (!t->url.n && !t->url_secret)
		decode_error(c, in, NULL, "url or urlSecret must be specified");
	if (t->url.n && !str_starts(t->url, S("amqp://")) && !str_starts(t->url, S("amqps://")))
		decode_error(c, in, "url", "must begin with amqp:// or amqps://");
	if (!t->exchange.n && !t->routing_key.n)
		decode_error(c, in, NULL, "exchangeName must be specified; without one routingKey is the name of a queue");
	trigger_need_payload(t->payload.n, in, c);
}

static const struct schema amqp_schema = { "AMQPTrigger", "Publishes to an exchange of RabbitMQ.", sizeof(struct amqp_trigger), (const struct field[]){
	FIELD_PTR(struct amqp_trigger, auth, "auth", 0, &basic_auth_schema, .doc = "User name and password, instead of those in the URL."),
	FIELD(struct amqp_trigger, exchange, "exchangeName", 0, .doc = "Exchange; without one the message goes to the queue that routingKey names."),
	FIELD(struct amqp_trigger, mandatory, "mandatory", 0, .dflt = "true", .doc = "A message that no queue takes is a failure."),
	FIELD_LIST(struct amqp_trigger, parameters, "parameters", 0, &trigger_parameter_schema, .doc = "Values from events to put into this trigger."),
	FIELD_LIST(struct amqp_trigger, payload, "payload", 0, &trigger_payload_schema, .doc = "Values from events that make up the body."),
	FIELD(struct amqp_trigger, persistent, "persistent", 0, .dflt = "true", .doc = "The broker keeps the message through a restart, in a durable queue."),
	FIELD(struct amqp_trigger, routing_key, "routingKey", 0, .doc = "Routing key."),
	FIELD_PTR(struct amqp_trigger, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct amqp_trigger, url, "url", 0, .one_of = "url", .doc = "Broker, such as `amqp://broker:5672/vhost`; amqps:// for TLS."),
	FIELD_PTR(struct amqp_trigger, url_secret, "urlSecret", 0, &secret_ref_schema, .one_of = "url", .doc = "The URL, kept in a Secret."),
	FIELD_SRC(struct amqp_trigger, src),
	{ 0 } }, check };

static void
fire(struct firing *f)
{
	const struct amqp_trigger *t = firing_config(f);
	struct broker_call *b = broker_call(f, &peer_amqp);
	struct err e = { 0 };
	b->target.address = t->url;
	b->message.to = t->exchange;
	b->message.key = t->routing_key;
	b->message.keep = t->persistent;
	b->message.must_route = t->mandatory;
	bool ready = broker_login(b, t->auth, &e) == 0 && broker_tls(b, t->tls, &e) == 0 &&
	             (!t->url_secret || call_secret(f, t->url_secret, &b->target.address, &e) == 0);
	broker_send(b, ready ? NULL : &e);
}

const struct trigger_ops trigger_amqp = { .kind = "amqp", .doc = "Publishes to an exchange of RabbitMQ.", .schema = &amqp_schema, .fire = fire };
