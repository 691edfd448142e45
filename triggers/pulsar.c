/* SPDX-License-Identifier: Apache-2.0 */
/* pulsar: Sends to a Pulsar topic. Not served yet: the table is what lint knows. */
#include "triggers/check.h"
#include "triggers/parameter.h"
#include "triggers/trigger.h"

struct pulsar_trigger {
	struct kvs auth_athenz_params;
	struct secret_ref *auth_athenz_secret;
	struct secret_ref *auth_token_secret;
	struct backoff *connection_backoff;
	LIST_OF(struct trigger_parameter) parameters;
	LIST_OF(struct trigger_parameter) payload;
	struct tls_config *tls;
	bool tls_allow_insecure_connection;
	struct secret_ref *tls_trust_certs_secret;
	bool tls_validate_hostname;
	str topic;
	str url;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct pulsar_trigger *t = obj;

	trigger_need(t->url, in, c, "url");
	trigger_need(t->topic, in, c, "topic");
	trigger_need_payload(t->payload.n, in, c);
}

static const struct schema pulsar_trigger_schema = { "PulsarTrigger", "Sends to a Pulsar topic.",
	sizeof(struct pulsar_trigger), (const struct field[]){
	FIELD(struct pulsar_trigger, auth_athenz_params, "authAthenzParams", 0, .doc = "Parameters of Athenz."),
	FIELD_PTR(struct pulsar_trigger, auth_athenz_secret, "authAthenzSecret", 0, &secret_ref_schema,
		.doc = "Private key for Athenz."),
	FIELD_PTR(struct pulsar_trigger, auth_token_secret, "authTokenSecret", 0, &secret_ref_schema, .doc = "Token."),
	FIELD_PTR(struct pulsar_trigger, connection_backoff, "connectionBackoff", 0, &backoff_schema,
		.doc = "Waits between attempts to connect."),
	FIELD_LIST(struct pulsar_trigger, parameters, "parameters", 0, &trigger_parameter_schema,
		.doc = "Values from events to put into this trigger."),
	FIELD_LIST(struct pulsar_trigger, payload, "payload", 0, &trigger_parameter_schema,
		.doc = "Values from events that make up the body."),
	FIELD_PTR(struct pulsar_trigger, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct pulsar_trigger, tls_allow_insecure_connection, "tlsAllowInsecureConnection", 0,
		.doc = "Do not check the certificate."),
	FIELD_PTR(struct pulsar_trigger, tls_trust_certs_secret, "tlsTrustCertsSecret", 0, &secret_ref_schema,
		.doc = "Certificate authority of the server."),
	FIELD(struct pulsar_trigger, tls_validate_hostname, "tlsValidateHostname", 0,
		.doc = "Check the host name of the certificate."),
	FIELD(struct pulsar_trigger, topic, "topic", 0, .doc = "Topic to send to."),
	FIELD(struct pulsar_trigger, url, "url", 0, .doc = "URL of the server."),
	FIELD_SRC(struct pulsar_trigger, src),
	{ 0 } }, check };

const struct trigger_ops trigger_pulsar = { .kind = "pulsar", .doc = "Sends to a Pulsar topic.",
	.schema = &pulsar_trigger_schema,
	.instead = "use http with the REST interface of the broker, POST /topics/persistent/<tenant>/<namespace>/<topic>" };
