/* SPDX-License-Identifier: Apache-2.0 */
/* redisStream: Entries of Redis streams. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

struct redis_stream_source {
	str consumer_group;
	int64_t db;
	struct source_filter *filter;
	str host_address;
	int64_t max_msg_count_per_read;
	struct kvs metadata;
	struct secret_ref *password;
	struct strs streams;
	struct tls_config *tls;
	str username;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct redis_stream_source *s = obj;

	source_need(s->host_address, in, c, "hostAddress");
	source_need_list(s->streams.n, in, c, "streams");
}

static const struct schema redis_stream_source_schema = { "RedisStreamEventSource", "Entries of Redis streams.",
	sizeof(struct redis_stream_source), (const struct field[]){
	FIELD(struct redis_stream_source, consumer_group, "consumerGroup", 0, .dflt = "argo-events-cg",
		.doc = "Group to read as."),
	FIELD(struct redis_stream_source, db, "db", 0, .min = 0, .max = INT32_MAX, .doc = "Number of the database."),
	FIELD_PTR(struct redis_stream_source, filter, "filter", 0, &source_filter_schema,
		.doc = "Which events are let in."),
	FIELD(struct redis_stream_source, host_address, "hostAddress", 0, .doc = "Host and port of the server."),
	FIELD(struct redis_stream_source, max_msg_count_per_read, "maxMsgCountPerRead", 0, .dflt = "10", .min = 0,
		.max = 100000, .doc = "Most entries to read at once."),
	FIELD(struct redis_stream_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD_PTR(struct redis_stream_source, password, "password", 0, &secret_ref_schema, .doc = "Password."),
	FIELD(struct redis_stream_source, streams, "streams", 0, .doc = "Streams to read."),
	FIELD_PTR(struct redis_stream_source, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct redis_stream_source, username, "username", 0, .doc = "User name."),
	FIELD_SRC(struct redis_stream_source, src),
	{ 0 } }, check };

const struct source_ops source_redisStream = { .kind = "redisStream", .doc = "Entries of Redis streams.",
	.schema = &redis_stream_source_schema };
