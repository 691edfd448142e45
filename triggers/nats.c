/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nats: publishes to a NATS subject. The message has gone when the server has answered a ping behind it; with `jetStream` (our own) when the
 * stream has acknowledged it, and the firing's id is its Nats-Msg-Id: a repetition within the stream's window is dropped there.
 */
#include "core/net/nkey.h"
#include "triggers/broker.h"
#include "triggers/call.h"
#include "triggers/check.h"

struct nats_trigger {
	struct nats_auth *auth;
	bool jet_stream;
	LIST_OF(struct trigger_parameter) parameters;
	LIST_OF(struct trigger_parameter) payload;
	str subject;
	struct tls_config *tls;
	str url;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct nats_trigger *t = obj;

	trigger_need(t->url, in, c, "url");
	trigger_need(t->subject, in, c, "subject");
	trigger_need_payload(t->payload.n, in, c);
}

static const struct schema nats_trigger_schema = { "NATSTrigger", "Publishes to a NATS subject.",
	sizeof(struct nats_trigger), (const struct field[]){
	FIELD_PTR(struct nats_trigger, auth, "auth", 0, &nats_auth_schema, .doc = "How to identify."),
	FIELD(struct nats_trigger, jet_stream, "jetStream", 0,
		.doc = "Wait until a stream has the message. Not in Argo Events, which publishes and looks no further."),
	FIELD_LIST(struct nats_trigger, parameters, "parameters", 0, &trigger_parameter_schema,
		.doc = "Values from events to put into this trigger."),
	FIELD_LIST(struct nats_trigger, payload, "payload", 0, &trigger_parameter_schema,
		.doc = "Values from events that make up the body."),
	FIELD(struct nats_trigger, subject, "subject", 0, .doc = "Subject to publish to."),
	FIELD_PTR(struct nats_trigger, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct nats_trigger, url, "url", 0, .doc = "URL of the server."),
	FIELD_SRC(struct nats_trigger, src),
	{ 0 } }, check };

static int
add_nkey(struct broker_call *b, const struct secret_ref *ref, struct err *e)
{
	char public[NKEY_PUBLIC_SIZE + 1];
	if (call_secret(b->firing, ref, &b->target.nkey, e) < 0 || nkey_public(b->target.nkey, public, e) < 0)
		return -1;
	broker_option(b, S("nkey.public"), arena_dup(firing_arena(b->firing), str_c(public)));
	return 0;
}

static int
log_in(struct broker_call *b, const struct nats_auth *a, struct err *e)
{
	if (!a)
		return 0;
	if (a->nkey && add_nkey(b, a->nkey, e) < 0)
		return -1;
	if (broker_login(b, a->basic, e) < 0 || call_secret(b->firing, a->token, &b->target.token, e) < 0)
		return -1;
	return call_secret(b->firing, a->credential, &b->target.creds, e);
}

static const struct val *
stored(struct arena *a, const struct peer_message *m)
{
	const struct val *v = broker_text(a, NULL, S("stream"), str_c(m->text));
	return broker_int(a, v, S("sequence"), m->number[0]);
}

static void
fire(struct firing *f)
{
	const struct nats_trigger *t = firing_config(f);
	struct broker_call *b = broker_call(f, &peer_nats);
	struct err e = { 0 };
	b->target.address = t->url;
	b->target.tls = str_starts(t->url, S("tls://"));
	b->message.to = t->subject;
	b->message.verb = t->jet_stream ? S("jetstream") : STR_NONE;
	b->result = t->jet_stream ? stored : NULL;
	bool ready = log_in(b, t->auth, &e) == 0 && broker_tls(b, t->tls, &e) == 0 && broker_header(b, S(FIRING_HEADER), firing_id(f), &e) == 0;
	broker_send(b, ready ? NULL : &e);
}

const struct trigger_ops trigger_nats = { .kind = "nats", .doc = "Publishes to a NATS subject.",
	.schema = &nats_trigger_schema, .fire = fire };
