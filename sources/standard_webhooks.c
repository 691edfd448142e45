/* SPDX-License-Identifier: Apache-2.0 */
/*
 * standardWebhooks: any sender that follows the specification of standardwebhooks.com (and Svix, which it comes from). Not in
 * Argo Events. The id of a message is signed and names the delivery.
 */
#include "sources/check.h"
#include "sources/signed.h"

struct standard_source {
	struct signed_config common;
	struct source_filter *filter;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct standard_source *s = obj;

	source_need_ref(s->common.secret, in, c, "secret");
	webhook_context_required(s->common.webhook, in, c);
}

static const struct schema standard_source_schema = { "StandardWebhooksEventSource",
	"Webhooks as standardwebhooks.com specifies them. Tidegate's own.", sizeof(struct standard_source), (const struct field[]){
	FIELD_PTR(struct standard_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct standard_source, common.metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD_PTR(struct standard_source, common.secret, "secret", 0, &secret_ref_schema,
		.doc = "Secret that signs, as the sender shows it: `whsec_` and base64."),
	FIELD_PTR(struct standard_source, common.webhook, "webhook", 0, &webhook_context_schema, .doc = "The endpoint."),
	FIELD_SRC(struct standard_source, src),
	{ 0 } }, check };

static const struct signed_kind standard = { .signature = &signatures[SIGNED_STANDARD], .secret = "secret" };

static int
start(struct source *s, struct err *e)
{
	return signed_start(s, &standard, 0, e);
}

const struct source_ops source_standardWebhooks = { .kind = "standardWebhooks", .doc = "Webhooks as standardwebhooks.com specifies them.",
	.schema = &standard_source_schema, .rolling = true, .start = start, .ack = webhook_ack, .stop = signed_stop, .wrap = signed_wrap };
