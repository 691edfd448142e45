/* SPDX-License-Identifier: Apache-2.0 */
/* storageGrid: Notifications of a StorageGRID bucket. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

struct storage_grid_filter {
	str prefix;
	str suffix;
	const struct val *src;
};
static const struct schema storage_grid_filter_schema = { "StorageGridFilter", "Keys by prefix and suffix.",
	sizeof(struct storage_grid_filter), (const struct field[]){
	FIELD(struct storage_grid_filter, prefix, "prefix", 0, .doc = "What keys begin with."),
	FIELD(struct storage_grid_filter, suffix, "suffix", 0, .doc = "What keys end with."),
	FIELD_SRC(struct storage_grid_filter, src),
	{ 0 } } };

struct storage_grid_source {
	str api_url;
	struct secret_ref *auth_token;
	str bucket;
	struct strs events;
	struct storage_grid_filter *filter;
	struct kvs metadata;
	str region;
	struct tls_config *tls;
	str topic_arn;
	struct webhook_context *webhook;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct storage_grid_source *s = obj;

	source_need(s->topic_arn, in, c, "topicArn");
	source_need(s->api_url, in, c, "apiURL");
	source_need_ref(s->auth_token, in, c, "authToken");
	source_need(s->bucket, in, c, "bucket");
	source_need_list(s->events.n, in, c, "events");
	webhook_context_required(s->webhook, in, c);
}

static const struct schema storage_grid_source_schema = { "StorageGridEventSource",
	"Notifications of a StorageGRID bucket.", sizeof(struct storage_grid_source), (const struct field[]){
	FIELD(struct storage_grid_source, api_url, "apiURL", 0, .doc = "URL of the management API."),
	FIELD_PTR(struct storage_grid_source, auth_token, "authToken", 0, &secret_ref_schema, .doc = "Token for it."),
	FIELD(struct storage_grid_source, bucket, "bucket", 0, .doc = "Bucket to watch."),
	FIELD(struct storage_grid_source, events, "events", 0, .doc = "Events, such as ObjectCreated:Put."),
	FIELD_PTR(struct storage_grid_source, filter, "filter", 0, &storage_grid_filter_schema,
		.doc = "Keys by prefix and suffix."),
	FIELD(struct storage_grid_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct storage_grid_source, region, "region", 0, .dflt = "us-east-1", .doc = "Region of the bucket."),
	FIELD_PTR(struct storage_grid_source, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct storage_grid_source, topic_arn, "topicArn", 0, .doc = "ARN of the topic."),
	FIELD_PTR(struct storage_grid_source, webhook, "webhook", 0, &webhook_context_schema, .doc = "The endpoint."),
	FIELD_SRC(struct storage_grid_source, src),
	{ 0 } }, check };

const struct source_ops source_storageGrid = { .kind = "storageGrid", .type = "storagegrid",
	.doc = "Notifications of a StorageGRID bucket.",
	.schema = &storage_grid_source_schema, .rolling = true };
