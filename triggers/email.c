/* SPDX-License-Identifier: Apache-2.0 */
/* email: Sends mail. Not served yet: the table is what lint knows. */
#include "triggers/check.h"
#include "triggers/parameter.h"
#include "triggers/trigger.h"

struct email_trigger {
	str body;
	str from;
	str host;
	LIST_OF(struct trigger_parameter) parameters;
	int64_t port;
	struct secret_ref *smtp_password;
	str subject;
	struct strs to;
	str username;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct email_trigger *t = obj;

	trigger_need(t->host, in, c, "host");
	if (!val_get(in, S("port")))
		decode_warn(c, in, NULL, "port is missing: most servers listen on 587");
}

static const struct schema email_trigger_schema = { "EmailTrigger", "Sends mail.", sizeof(struct email_trigger),
	(const struct field[]){
	FIELD(struct email_trigger, body, "body", 0, .doc = "Text of the mail."),
	FIELD(struct email_trigger, from, "from", 0, .doc = "Sender."),
	FIELD(struct email_trigger, host, "host", 0, .doc = "Host of the SMTP server."),
	FIELD_LIST(struct email_trigger, parameters, "parameters", 0, &trigger_parameter_schema,
		.doc = "Values from events to put into this trigger."),
	FIELD(struct email_trigger, port, "port", 0, .min = 0, .max = 65535, .doc = "Port of the SMTP server."),
	FIELD_PTR(struct email_trigger, smtp_password, "smtpPassword", 0, &secret_ref_schema, .doc = "Password."),
	FIELD(struct email_trigger, subject, "subject", 0, .doc = "Subject."),
	FIELD(struct email_trigger, to, "to", 0, .doc = "Receivers."),
	FIELD(struct email_trigger, username, "username", 0, .doc = "User name."),
	FIELD_SRC(struct email_trigger, src),
	{ 0 } }, check };

const struct trigger_ops trigger_email = { .kind = "email", .doc = "Sends mail.", .schema = &email_trigger_schema };
