/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mqtt: publishes to a topic. Our own: Argo Events has MQTT as a source only, and the names of the fields are those of that source. With
 * MQTT 5 the firing's id goes along as user property X-Tidegate-Firing-Id.
 */
#include "triggers/broker.h"
#include "triggers/check.h"

struct mqtt_trigger {
	str url, topic, client_id;
	int64_t qos;
	bool retain;
	struct basic_auth *auth;
	struct tls_config *tls;
	LIST_OF(struct trigger_parameter) parameters;
	LIST_OF(struct trigger_parameter) payload;
	const struct val *src;
};

static const struct {
	str scheme, paho;
	bool tls;
} schemes[] = {
	{ { "tcp://", 6 }, { "tcp://", 6 }, false }, { { "mqtt://", 7 }, { "tcp://", 6 }, false }, { { "ws://", 5 }, { "ws://", 5 }, false },
	{ { "ssl://", 6 }, { "ssl://", 6 }, true },  { { "tls://", 6 }, { "ssl://", 6 }, true },   { { "mqtts://", 8 }, { "ssl://", 6 }, true },
	{ { "wss://", 6 }, { "wss://", 6 }, true },
};

static size_t
scheme_of(str url)
{
	size_t i = 0;
	while (i < ARRAY_LEN(schemes) && !str_starts(url, schemes[i].scheme))
		i++;
	return i;
}

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct mqtt_trigger *t = obj;
	trigger_need(t->url, in, c, "url");
	trigger_need(t->topic, in, c, "topic");
	trigger_need_payload(t->payload.n, in, c);
	if (t->url.n && scheme_of(t->url) == ARRAY_LEN(schemes))
		decode_error(c, in, "url", "must begin with tcp://, ssl://, mqtt://, mqtts://, ws:// or wss://");
	if (str_find_char(t->topic, '#', 0) != SIZE_MAX || str_find_char(t->topic, '+', 0) != SIZE_MAX)
		decode_error(c, in, "topic", "wildcards are for those who listen");
}

static const struct schema mqtt_schema = { "MQTTTrigger", "Publishes to a topic of MQTT.", sizeof(struct mqtt_trigger), (const struct field[]){
	FIELD_PTR(struct mqtt_trigger, auth, "auth", 0, &basic_auth_schema, .doc = "User name and password."),
	FIELD(struct mqtt_trigger, client_id, "clientId", 0, .doc = "Name at the broker; without one the broker gives one."),
	FIELD_LIST(struct mqtt_trigger, parameters, "parameters", 0, &trigger_parameter_schema, .doc = "Values from events to put into this trigger."),
	FIELD_LIST(struct mqtt_trigger, payload, "payload", 0, &trigger_payload_schema, .doc = "Values from events that make up the body."),
	FIELD(struct mqtt_trigger, qos, "qos", 0, .dflt = "1", .min = 0, .max = 2, .doc = "0: written to the network; 1, 2: acknowledged by the broker."),
	FIELD(struct mqtt_trigger, retain, "retain", 0, .doc = "The broker keeps the message for those who listen later."),
	FIELD_PTR(struct mqtt_trigger, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct mqtt_trigger, topic, "topic", 0, .doc = "Topic to publish to."),
	FIELD(struct mqtt_trigger, url, "url", 0, .doc = "Broker, such as `tcp://broker:1883` or `ssl://broker:8883`."),
	FIELD_SRC(struct mqtt_trigger, src),
	{ 0 } }, check };

/* `tls` makes tcp:// and ws:// their encrypted siblings, as with Argo's source. */
static void
address(struct broker_call *b, str url)
{
	size_t i = scheme_of(url);
	str scheme = schemes[i].paho, rest = str_slice(url, schemes[i].scheme.n, url.n);
	if (b->target.tls && !schemes[i].tls)
		scheme = str_eq(scheme, S("ws://")) ? S("wss://") : S("ssl://");
	b->target.tls |= schemes[i].tls;
	b->target.address = arena_fmt(firing_arena(b->firing), "%.*s%.*s", STR_ARG(scheme), STR_ARG(rest));
}

static void
fire(struct firing *f)
{
	const struct mqtt_trigger *t = firing_config(f);
	struct broker_call *b = broker_call(f, &peer_mqtt);
	struct err e = { 0 };
	b->message.to = t->topic;
	b->message.qos = (int)t->qos;
	b->message.keep = t->retain;
	if (t->client_id.n)
		broker_option(b, S("clientId"), t->client_id);
	bool ready = broker_login(b, t->auth, &e) == 0 && broker_tls(b, t->tls, &e) == 0 && broker_header(b, S(FIRING_HEADER), firing_id(f), &e) == 0;
	address(b, t->url);
	broker_send(b, ready ? NULL : &e);
}

const struct trigger_ops trigger_mqtt = { .kind = "mqtt", .doc = "Publishes to a topic of MQTT.", .schema = &mqtt_schema, .fire = fire };
