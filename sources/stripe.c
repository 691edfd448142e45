/* SPDX-License-Identifier: Apache-2.0 */
/* stripe: Webhooks of Stripe. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

struct stripe_source {
	struct secret_ref *api_key;
	bool create_webhook;
	struct strs event_filter;
	struct kvs metadata;
	struct webhook_context *webhook;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct stripe_source *s = obj;

	if (s->create_webhook && !s->api_key)
		decode_error(c, in, NULL, "api key can't be empty: apiKey is needed to create the webhook");
	webhook_context_required(s->webhook, in, c);
}

static const struct schema stripe_source_schema = { "StripeEventSource", "Webhooks of Stripe.",
	sizeof(struct stripe_source), (const struct field[]){
	FIELD_PTR(struct stripe_source, api_key, "apiKey", 0, &secret_ref_schema, .doc = "Key for the API."),
	FIELD(struct stripe_source, create_webhook, "createWebhook", 0, .doc = "Register the endpoint with Stripe."),
	FIELD(struct stripe_source, event_filter, "eventFilter", 0, .doc = "Types of event to let in; all if empty."),
	FIELD(struct stripe_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD_PTR(struct stripe_source, webhook, "webhook", 0, &webhook_context_schema, .doc = "The endpoint."),
	FIELD_SRC(struct stripe_source, src),
	{ 0 } }, check };

const struct source_ops source_stripe = { .kind = "stripe", .doc = "Webhooks of Stripe.",
	.schema = &stripe_source_schema, .rolling = true };
