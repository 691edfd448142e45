/* SPDX-License-Identifier: Apache-2.0 */
/* openWhisk: Invokes an action of OpenWhisk. Not served yet: the table is what lint knows. */
#include "triggers/check.h"
#include "triggers/parameter.h"
#include "triggers/trigger.h"

struct open_whisk_trigger {
	str action_name;
	struct secret_ref *auth_token;
	str host;
	str namespace;
	LIST_OF(struct trigger_parameter) parameters;
	LIST_OF(struct trigger_parameter) payload;
	str version;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct open_whisk_trigger *t = obj;

	trigger_need(t->action_name, in, c, "actionName");
	trigger_need(t->host, in, c, "host");
	trigger_need_ref(t->auth_token, in, c, "authToken");
	trigger_need_payload(t->payload.n, in, c);
}

static const struct schema open_whisk_trigger_schema = { "OpenWhiskTrigger", "Invokes an action of OpenWhisk.",
	sizeof(struct open_whisk_trigger), (const struct field[]){
	FIELD(struct open_whisk_trigger, action_name, "actionName", 0, .doc = "Name of the action."),
	FIELD_PTR(struct open_whisk_trigger, auth_token, "authToken", 0, &secret_ref_schema,
		.doc = "Token for the API."),
	FIELD(struct open_whisk_trigger, host, "host", 0, .doc = "Host of the API."),
	FIELD(struct open_whisk_trigger, namespace, "namespace", 0, .dflt = "_", .doc = "Namespace of the action."),
	FIELD_LIST(struct open_whisk_trigger, parameters, "parameters", 0, &trigger_parameter_schema,
		.doc = "Values from events to put into this trigger."),
	FIELD_LIST(struct open_whisk_trigger, payload, "payload", 0, &trigger_parameter_schema,
		.doc = "Values from events that make up the body."),
	FIELD(struct open_whisk_trigger, version, "version", 0, .dflt = "v1", .doc = "Version of the API."),
	FIELD_SRC(struct open_whisk_trigger, src),
	{ 0 } }, check };

const struct trigger_ops trigger_openWhisk = { .kind = "openWhisk", .doc = "Invokes an action of OpenWhisk.",
	.schema = &open_whisk_trigger_schema };
