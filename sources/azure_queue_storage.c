/* SPDX-License-Identifier: Apache-2.0 */
/* azureQueueStorage: Messages of an Azure storage queue. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

struct azure_queue_storage_source {
	struct secret_ref *connection_string;
	bool decode_message;
	bool dlq;
	struct source_filter *filter;
	bool json_body;
	struct kvs metadata;
	str queue_name;
	str storage_account_name;
	int64_t wait_time_in_seconds;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct azure_queue_storage_source *s = obj;

	if (!s->connection_string && !s->storage_account_name.n)
		decode_error(c, in, NULL, "must specify connectionString or storageAccountName");
	source_need(s->queue_name, in, c, "queueName");
}

static const struct schema azure_queue_storage_source_schema = { "AzureQueueStorageEventSource",
	"Messages of an Azure storage queue.", sizeof(struct azure_queue_storage_source), (const struct field[]){
	FIELD_PTR(struct azure_queue_storage_source, connection_string, "connectionString", 0, &secret_ref_schema,
		.doc = "Connection string of the account."),
	FIELD(struct azure_queue_storage_source, decode_message, "decodeMessage", 0, .doc = "Decode base64 first."),
	FIELD(struct azure_queue_storage_source, dlq, "dlq", 0, .doc = "Leave messages that cannot be read."),
	FIELD_PTR(struct azure_queue_storage_source, filter, "filter", 0, &source_filter_schema,
		.doc = "Which events are let in."),
	FIELD(struct azure_queue_storage_source, json_body, "jsonBody", 0,
		.doc = "Whether payloads are JSON and go into the data as such; else they go in as base64."),
	FIELD(struct azure_queue_storage_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct azure_queue_storage_source, queue_name, "queueName", 0, .doc = "Name of the queue."),
	FIELD(struct azure_queue_storage_source, storage_account_name, "storageAccountName", 0,
		.doc = "Account, for a managed identity."),
	FIELD(struct azure_queue_storage_source, wait_time_in_seconds, "waitTimeInSeconds", 0, .dflt = "3", .min = 0,
		.max = 86400, .doc = "Wait between two looks at an empty queue."),
	FIELD_SRC(struct azure_queue_storage_source, src),
	{ 0 } }, check };

const struct source_ops source_azureQueueStorage = { .kind = "azureQueueStorage",
	.doc = "Messages of an Azure storage queue.",
	.schema = &azure_queue_storage_source_schema, .rolling = true };
