/* SPDX-License-Identifier: Apache-2.0 */
/* awsLambda: Calls a function of AWS Lambda. Not served yet: the table is what lint knows. */
#include "triggers/check.h"
#include "triggers/parameter.h"
#include "triggers/trigger.h"

struct aws_lambda_trigger {
	struct secret_ref *access_key;
	str function_name;
	str invocation_type;
	LIST_OF(struct trigger_parameter) parameters;
	LIST_OF(struct trigger_parameter) payload;
	str region;
	str role_arn;
	struct secret_ref *secret_key;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct aws_lambda_trigger *t = obj;

	trigger_need(t->function_name, in, c, "functionName");
	trigger_need(t->region, in, c, "region");
	trigger_need_payload(t->payload.n, in, c);
}

static const char *const invocation_types[] = { "", "RequestResponse", "Event", "DryRun", NULL };

static const struct schema aws_lambda_trigger_schema = { "AWSLambdaTrigger", "Calls a function of AWS Lambda.",
	sizeof(struct aws_lambda_trigger), (const struct field[]){
	FIELD_PTR(struct aws_lambda_trigger, access_key, "accessKey", 0, &secret_ref_schema, .doc = "Access key."),
	FIELD(struct aws_lambda_trigger, function_name, "functionName", 0, .doc = "Name of the function."),
	FIELD(struct aws_lambda_trigger, invocation_type, "invocationType", 0, .choices = invocation_types,
		.doc = "RequestResponse (default), Event or DryRun."),
	FIELD_LIST(struct aws_lambda_trigger, parameters, "parameters", 0, &trigger_parameter_schema,
		.doc = "Values from events to put into this trigger."),
	FIELD_LIST(struct aws_lambda_trigger, payload, "payload", 0, &trigger_parameter_schema,
		.doc = "Values from events that make up the body."),
	FIELD(struct aws_lambda_trigger, region, "region", 0, .doc = "Region of the function."),
	FIELD(struct aws_lambda_trigger, role_arn, "roleARN", 0, .doc = "Role to take on."),
	FIELD_PTR(struct aws_lambda_trigger, secret_key, "secretKey", 0, &secret_ref_schema, .doc = "Secret key."),
	FIELD_SRC(struct aws_lambda_trigger, src),
	{ 0 } }, check };

const struct trigger_ops trigger_awsLambda = { .kind = "awsLambda", .doc = "Calls a function of AWS Lambda.",
	.schema = &aws_lambda_trigger_schema };
