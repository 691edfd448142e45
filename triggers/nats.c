/* SPDX-License-Identifier: Apache-2.0 */
/* nats: Publishes to a NATS subject. Not served yet: the table is what lint knows. */
#include "triggers/check.h"
#include "triggers/parameter.h"
#include "triggers/trigger.h"

struct nats_auth {
	struct basic_auth *basic;
	struct secret_ref *credential;
	struct secret_ref *nkey;
	struct secret_ref *token;
	const struct val *src;
};
static const struct schema nats_auth_schema = { "NATSAuth", "How to identify.", sizeof(struct nats_auth),
	(const struct field[]){
	FIELD_PTR(struct nats_auth, basic, "basic", 0, &basic_auth_schema, .doc = "User name and password."),
	FIELD_PTR(struct nats_auth, credential, "credential", 0, &secret_ref_schema, .doc = "Credentials file."),
	FIELD_PTR(struct nats_auth, nkey, "nkey", 0, &secret_ref_schema, .doc = "NKey."),
	FIELD_PTR(struct nats_auth, token, "token", 0, &secret_ref_schema, .doc = "Token."),
	FIELD_SRC(struct nats_auth, src),
	{ 0 } } };

struct nats_trigger {
	struct nats_auth *auth;
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
	FIELD_LIST(struct nats_trigger, parameters, "parameters", 0, &trigger_parameter_schema,
		.doc = "Values from events to put into this trigger."),
	FIELD_LIST(struct nats_trigger, payload, "payload", 0, &trigger_parameter_schema,
		.doc = "Values from events that make up the body."),
	FIELD(struct nats_trigger, subject, "subject", 0, .doc = "Subject to publish to."),
	FIELD_PTR(struct nats_trigger, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct nats_trigger, url, "url", 0, .doc = "URL of the server."),
	FIELD_SRC(struct nats_trigger, src),
	{ 0 } }, check };

const struct trigger_ops trigger_nats = { .kind = "nats", .doc = "Publishes to a NATS subject.",
	.schema = &nats_trigger_schema };
