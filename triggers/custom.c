/* SPDX-License-Identifier: Apache-2.0 */
/* custom: Calls a gRPC server of one's own. Not served yet: the table is what lint knows. */
#include "triggers/check.h"
#include "triggers/parameter.h"
#include "triggers/trigger.h"

struct custom_trigger {
	struct secret_ref *cert_secret;
	LIST_OF(struct trigger_parameter) parameters;
	LIST_OF(struct trigger_parameter) payload;
	bool secure;
	str server_name_override;
	str server_url;
	struct kvs spec;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct custom_trigger *t = obj;

	trigger_need(t->server_url, in, c, "serverURL");
	if (!t->spec.n)
		decode_error(c, in, "spec", "spec can't be empty");
	if (t->secure && !t->cert_secret)
		decode_error(c, in, "secure", "certSecret can't be empty when the trigger server connection is secure");
}

static const struct schema custom_trigger_schema = { "CustomTrigger", "Calls a gRPC server of one's own.",
	sizeof(struct custom_trigger), (const struct field[]){
	FIELD_PTR(struct custom_trigger, cert_secret, "certSecret", 0, &secret_ref_schema,
		.doc = "Certificate of the server."),
	FIELD_LIST(struct custom_trigger, parameters, "parameters", 0, &trigger_parameter_schema,
		.doc = "Values from events to put into this trigger."),
	FIELD_LIST(struct custom_trigger, payload, "payload", 0, &trigger_parameter_schema,
		.doc = "Values from events that make up the body."),
	FIELD(struct custom_trigger, secure, "secure", 0, .doc = "Use TLS."),
	FIELD(struct custom_trigger, server_name_override, "serverNameOverride", 0,
		.doc = "Name to expect in the certificate."),
	FIELD(struct custom_trigger, server_url, "serverURL", 0, .doc = "Address of the server."),
	FIELD(struct custom_trigger, spec, "spec", 0, .doc = "What the server wants to know."),
	FIELD_SRC(struct custom_trigger, src),
	{ 0 } }, check };

const struct trigger_ops trigger_custom = { .kind = "custom", .doc = "Calls a gRPC server of one's own.",
	.schema = &custom_trigger_schema };
