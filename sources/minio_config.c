/* SPDX-License-Identifier: Apache-2.0 */
/* minio_config: what a manifest says of a minio source, and what is asked of the server for it. */
#include "core/net/http_date.h"
#include "core/net/httpc.h"
#include "core/xml.h"
#include "sources/check.h"
#include "sources/minio.h"
#include "core/net/s3_list.h"

/*
 * As often as it can be asked for: a server that holds its stream back until there are a few KiB then has them in
 * minutes.
 */
enum { PING_S = 1, REGION_MAX = 100 };

static const struct schema minio_bucket_schema = { "S3Bucket", "A bucket.", sizeof(struct minio_bucket),
	(const struct field[]){
	FIELD(struct minio_bucket, key, "key", 0, .doc = "Key; not used here."),
	FIELD(struct minio_bucket, name, "name", 0, .doc = "Name of the bucket."),
	FIELD_SRC(struct minio_bucket, src),
	{ 0 } } };

static const struct schema minio_filter_schema = { "S3Filter", "Keys by prefix and suffix.",
	sizeof(struct minio_filter), (const struct field[]){
	FIELD(struct minio_filter, prefix, "prefix", 0, .doc = "What keys begin with."),
	FIELD(struct minio_filter, suffix, "suffix", 0, .doc = "What keys end with."),
	FIELD_SRC(struct minio_filter, src),
	{ 0 } }, .exact = true };

static void
check_endpoint(const struct minio_source *s, const struct val *in, struct decode *c)
{
	if (str_find_char(s->endpoint, '/', 0) != SIZE_MAX)
		decode_error(c, in, "endpoint", "\"%.*s\": must be host or host:port, without a scheme or a path; insecure: true is http",
			STR_ARG(str_slice(s->endpoint, 0, 100)));
	else if (str_find(s->endpoint, S("amazonaws.com"), 0) != SIZE_MAX || str_eq(s->endpoint, S("storage.googleapis.com")))
		decode_later(c, in, "endpoint", "%.*s has no such notifications: have them sent to a queue or a webhook, and give that source s3Events",
			STR_ARG(str_slice(s->endpoint, 0, 100)));
}

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct minio_source *s = obj;

	source_need_ref(s->access_key, in, c, "accessKey");
	source_need_ref(s->secret_key, in, c, "secretKey");
	source_need(s->endpoint, in, c, "endpoint");
	if (s->bucket && !s->bucket->name.n)
		decode_error(c, s->bucket->src, NULL, "bucket name can't be empty");
	else if (!s->bucket)
		decode_error(c, in, NULL, "bucket: must be given"); /* Argo Events crashes */
	for (size_t i = 0; i < s->events.n; i++)
		if (!s->events.p[i].n)
			decode_error(c, in, "events", "event can't be empty");
	check_endpoint(s, in, c);
}

const struct schema minio_source_schema = { "S3Artifact", "Notifications of a MinIO bucket.",
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

/* ---- requests ---------------------------------------------------------------------------------------------------- */

int
minio_request(struct source *s, str region, str query, struct arena *a, struct http_call *out, struct err *e)
{
	const struct minio_source *c = source_config(s);
	struct sigv4_keys keys = { 0 };
	if (source_secret(s, c->access_key, a, &keys.access_key, e) < 0 || source_secret(s, c->secret_key, a, &keys.secret_key, e) < 0)
		return -1;
	*out = (struct http_call){ .method = S("GET") };
	if (c->ca_certificate && !c->insecure && source_secret(s, c->ca_certificate, a, &out->ca_pem, e) < 0)
		return -1;
	struct sigv4_request q = { .method = out->method, .host = c->endpoint, .query = query, .body = S(""), .region = region, .service = S("s3"),
		                   .once_encoded = true };
	q.path = arena_fmt(a, "/%.*s", STR_ARG(sigv4_encode(a, c->bucket->name, false)));
	out->url = arena_fmt(a, "http%s://%.*s%.*s?%.*s", c->insecure ? "" : "s", STR_ARG(q.host), STR_ARG(q.path), STR_ARG(query));
	out->headers = sigv4_sign(&q, &keys, loop_now(source_loop(s)), a, &out->headers_n);
	return 0;
}

void
minio_refused(struct arena *a, int status, str body, struct err *e)
{
	str text = s3_error_text(a, body);
	enum err_code code = status == 403 || status == 401 ? ERR_DENIED : status == 404 ? ERR_NOT_FOUND : status < 500 ? ERR_INVALID : ERR_UNAVAILABLE;
	err_set(e, code, "the server answered %d%s%.*s", status, text.n ? ": " : "", STR_ARG(text));
}

str
minio_wanted_region(struct arena *a, int status, str body)
{
	str region = status == 400 ? xml_find(body, "Region", a) : STR_NONE;
	return region.n && region.n <= REGION_MAX ? region : STR_NONE;
}

/* In order of names, as the signature wants them. */
str
minio_stream_query(const struct minio_source *c, struct arena *a)
{
	struct buf q CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < c->events.n; i++)
		buf_addf(&q, "events=%.*s&", STR_ARG(sigv4_encode(a, c->events.p[i], false)));
	buf_addf(&q, "ping=%d&prefix=%.*s&suffix=%.*s", PING_S, STR_ARG(sigv4_encode(a, minio_prefix(c), false)),
	         STR_ARG(sigv4_encode(a, minio_suffix(c), false)));
	return arena_dup(a, buf_str(&q));
}

int64_t
minio_server_time(struct source *s, const struct http_answer *answer)
{
	int64_t time;
	return http_date_read(http_answer_header(answer, "Date"), &time) ? time : loop_now(source_loop(s));
}
