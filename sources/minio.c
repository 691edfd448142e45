/* SPDX-License-Identifier: Apache-2.0 */
/* minio: Notifications of a MinIO bucket. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"

struct minio_bucket {
	str key;
	str name;
	const struct val *src;
};
static const struct schema minio_bucket_schema = { "S3Bucket", "A bucket.", sizeof(struct minio_bucket),
	(const struct field[]){
	FIELD(struct minio_bucket, key, "key", 0, .doc = "Key; not used here."),
	FIELD(struct minio_bucket, name, "name", 0, .doc = "Name of the bucket."),
	FIELD_SRC(struct minio_bucket, src),
	{ 0 } } };

struct minio_filter {
	str prefix;
	str suffix;
	const struct val *src;
};
static const struct schema minio_filter_schema = { "S3Filter", "Keys by prefix and suffix.",
	sizeof(struct minio_filter), (const struct field[]){
	FIELD(struct minio_filter, prefix, "prefix", 0, .doc = "What keys begin with."),
	FIELD(struct minio_filter, suffix, "suffix", 0, .doc = "What keys end with."),
	FIELD_SRC(struct minio_filter, src),
	{ 0 } } };

struct minio_source {
	struct secret_ref *access_key;
	struct minio_bucket *bucket;
	struct secret_ref *ca_certificate;
	str endpoint;
	struct strs events;
	struct minio_filter *filter;
	bool insecure;
	struct kvs metadata;
	str region;
	struct secret_ref *secret_key;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct minio_source *s = obj;

	source_need_ref(s->access_key, in, c, "accessKey");
	source_need_ref(s->secret_key, in, c, "secretKey");
	source_need(s->endpoint, in, c, "endpoint");
	if (s->bucket && !s->bucket->name.n)
		decode_error(c, s->bucket->src, NULL, "bucket name can't be empty");
	for (size_t i = 0; i < s->events.n; i++)
		if (!s->events.p[i].n)
			decode_error(c, in, "events", "event can't be empty");
}

static const struct schema minio_source_schema = { "S3Artifact", "Notifications of a MinIO bucket.",
	sizeof(struct minio_source), (const struct field[]){
	FIELD_PTR(struct minio_source, access_key, "accessKey", 0, &secret_ref_schema, .doc = "Access key."),
	FIELD_PTR(struct minio_source, bucket, "bucket", 0, &minio_bucket_schema, .doc = "Bucket to watch."),
	FIELD_PTR(struct minio_source, ca_certificate, "caCertificate", 0, &secret_ref_schema,
		.doc = "Certificate authority of the server."),
	FIELD(struct minio_source, endpoint, "endpoint", 0, .doc = "Host and port of the server."),
	FIELD(struct minio_source, events, "events", 0, .doc = "Events, such as s3:ObjectCreated:*."),
	FIELD_PTR(struct minio_source, filter, "filter", 0, &minio_filter_schema, .doc = "Keys by prefix and suffix."),
	FIELD(struct minio_source, insecure, "insecure", 0, .doc = "Without TLS."),
	FIELD(struct minio_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct minio_source, region, "region", 0, .doc = "Region of the bucket."),
	FIELD_PTR(struct minio_source, secret_key, "secretKey", 0, &secret_ref_schema, .doc = "Secret key."),
	FIELD_SRC(struct minio_source, src),
	{ 0 } }, check };

const struct source_ops source_minio = { .kind = "minio", .doc = "Notifications of a MinIO bucket.",
	.schema = &minio_source_schema };
