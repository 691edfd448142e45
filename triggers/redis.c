/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis: publishes on a channel, appends to a stream or pushes onto a list. Our own: Argo Events has Redis as a source only, and the names of
 * the fields are those of that source. An entry of a stream has the fields payload and X-Tidegate-Firing-Id, by which a repetition can be
 * recognised; a channel and a list carry the payload alone.
 */
#include "triggers/broker.h"
#include "triggers/call.h"
#include "triggers/check.h"

struct redis_trigger {
	str address, username, channel, stream, list;
	int64_t db, max_length;
	struct secret_ref *password;
	struct tls_config *tls;
	LIST_OF(struct trigger_parameter) parameters;
	LIST_OF(struct trigger_parameter) payload;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct redis_trigger *t = obj;
	trigger_need(t->address, in, c, "hostAddress");
	if (!t->channel.n && !t->stream.n && !t->list.n)
		decode_error(c, in, NULL, "one of channel, stream and list must be specified");
	if (t->max_length && !t->stream.n)
		decode_error(c, in, "maxLength", "only a stream has a longest length");
	trigger_need_payload(t->payload.n, in, c);
}

static const struct schema redis_schema = { "RedisTrigger", "Publishes on a channel of Redis, or adds to a stream or a list.",
	sizeof(struct redis_trigger), (const struct field[]){
	FIELD(struct redis_trigger, channel, "channel", 0, .one_of = "where", .doc = "Channel to publish on. Redis keeps nothing for who does not listen."),
	FIELD(struct redis_trigger, db, "db", 0, .min = 0, .max = INT32_MAX, .doc = "Number of the database."),
	FIELD(struct redis_trigger, address, "hostAddress", 0, .doc = "Host and port of the server; rediss://host:port with TLS."),
	FIELD(struct redis_trigger, list, "list", 0, .one_of = "where", .doc = "List to push onto, at its end."),
	FIELD(struct redis_trigger, max_length, "maxLength", 0, .min = 0, .max = INT64_MAX, .doc = "About how many entries the stream keeps; 0: all."),
	FIELD_LIST(struct redis_trigger, parameters, "parameters", 0, &trigger_parameter_schema, .doc = "Values from events to put into this trigger."),
	FIELD_PTR(struct redis_trigger, password, "password", 0, &secret_ref_schema, .doc = "Password."),
	FIELD_LIST(struct redis_trigger, payload, "payload", 0, &trigger_payload_schema, .doc = "Values from events that make up the body."),
	FIELD(struct redis_trigger, stream, "stream", 0, .one_of = "where", .doc = "Stream to append to, as field `payload`."),
	FIELD_PTR(struct redis_trigger, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct redis_trigger, username, "username", 0, .doc = "User name; without one the password is the server's."),
	FIELD_SRC(struct redis_trigger, src),
	{ 0 } }, check };

static const struct val *
taken(struct arena *a, const struct peer_message *m)
{
	if (str_eq(m->verb, S("xadd")))
		return broker_text(a, NULL, S("id"), str_c(m->text));
	return broker_int(a, NULL, str_eq(m->verb, S("publish")) ? S("receivers") : S("length"), m->number[0]);
}

static void
fire(struct firing *f)
{
	const struct redis_trigger *t = firing_config(f);
	struct broker_call *b = broker_call(f, &peer_redis);
	struct err e = { 0 };
	b->target.address = t->address;
	b->target.user = t->username.n ? t->username : STR_NONE;
	b->message.verb = t->channel.n ? S("publish") : t->stream.n ? S("xadd") : S("rpush");
	b->message.to = t->channel.n ? t->channel : t->stream.n ? t->stream : t->list;
	b->result = taken;
	if (t->db)
		broker_option(b, S("db"), arena_fmt(firing_arena(f), "%lld", (long long)t->db));
	if (t->max_length)
		broker_option(b, S("maxlen"), arena_fmt(firing_arena(f), "%lld", (long long)t->max_length));
	bool ready = call_secret(f, t->password, &b->target.password, &e) == 0 && broker_tls(b, t->tls, &e) == 0 &&
	             broker_header(b, S(FIRING_HEADER), firing_id(f), &e) == 0;
	broker_send(b, ready ? NULL : &e);
}

const struct trigger_ops trigger_redis = { .kind = "redis", .doc = "Publishes on a channel of Redis, or adds to a stream or a list.",
	.schema = &redis_schema, .fire = fire };
