/* SPDX-License-Identifier: Apache-2.0 */
/* minio: what the files of that source share. */
#ifndef TIDEGATE_SOURCES_MINIO_H
#define TIDEGATE_SOURCES_MINIO_H

#include "core/net/sigv4.h"
#include "sources/source.h"

struct minio_bucket {
	str key;
	str name;
	const struct val *src;
};
struct minio_filter {
	str prefix;
	str suffix;
	const struct val *src;
};
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
extern const struct schema minio_source_schema;

static inline str
minio_prefix(const struct minio_source *c)
{
	return c->filter && c->filter->prefix.n ? c->filter->prefix : S("");
}

static inline str
minio_suffix(const struct minio_source *c)
{
	return c->filter && c->filter->suffix.n ? c->filter->suffix : S("");
}

struct http_call;
/* A signed GET of the bucket with that query, with the secrets as they are now; in `a`. */
int minio_request(struct source *s, str query, struct arena *a, struct http_call *out, struct err *e) MUST_CHECK;
/* What a refusal says. */
void minio_refused(struct arena *a, int status, str body, struct err *e);
/* The query of the stream of notifications, in `a`. */
str minio_stream_query(const struct minio_source *c, struct arena *a);

/* ---- minio_catch_up.c: what came while nobody listened --------------------------------------------------------------- */

struct catch_up;
struct catch_up_ops {
	/* An object that nobody was told of: a record as JSON. */
	void (*missed)(void *arg, str record, str dedup);
	/* All of them were told; or e: they could not be, and are looked for with the next connection. */
	void (*done)(void *arg, const struct err *e);
};
struct catch_up *catch_up_new(struct source *s, struct httpc *client, const struct catch_up_ops *ops, void *arg);
/* An event of that object was told, of that time (ns). */
void catch_up_saw(struct catch_up *c, str key, str etag, int64_t time);
/* Looks for objects that were written after `since` (ns), by the server's clock. If that is under way already, it is done once more. */
void catch_up_begin(struct catch_up *c, int64_t since);
/* The bus has room again: goes on with the next page. */
void catch_up_go_on(struct catch_up *c);
/* Its client must have been freed. */
void catch_up_free(struct catch_up *c);

#endif
