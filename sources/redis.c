/* SPDX-License-Identifier: Apache-2.0 */
/* redis: Messages of Redis channels. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

struct redis_source {
	struct strs channels;
	int64_t db;
	struct source_filter *filter;
	str host_address;
	bool json_body;
	struct kvs metadata;
	str namespace;
	struct secret_ref *password;
	struct tls_config *tls;
	str username;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct redis_source *s = obj;

	source_need(s->host_address, in, c, "hostAddress");
	source_need_list(s->channels.n, in, c, "channels");
	if (s->password && !s->namespace.n)
		decode_error(c, in, NULL, "namespace must be defined in order to retrieve the password from the "
			"secret");
}

static const struct schema redis_source_schema = { "RedisEventSource", "Messages of Redis channels.",
	sizeof(struct redis_source), (const struct field[]){
	FIELD(struct redis_source, channels, "channels", 0, .doc = "Channels to subscribe to."),
	FIELD(struct redis_source, db, "db", 0, .min = 0, .max = INT32_MAX, .doc = "Number of the database."),
	FIELD_PTR(struct redis_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct redis_source, host_address, "hostAddress", 0, .doc = "Host and port of the server."),
	FIELD(struct redis_source, json_body, "jsonBody", 0,
		.doc = "Whether payloads are JSON and go into the data as such; else they go in as base64."),
	FIELD(struct redis_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct redis_source, namespace, "namespace", 0, .doc = "Namespace of the Secret with the password."),
	FIELD_PTR(struct redis_source, password, "password", 0, &secret_ref_schema, .doc = "Password."),
	FIELD_PTR(struct redis_source, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct redis_source, username, "username", 0, .doc = "User name."),
	FIELD_SRC(struct redis_source, src),
	{ 0 } }, check };

const struct source_ops source_redis = { .kind = "redis", .doc = "Messages of Redis channels.",
	.schema = &redis_source_schema };
