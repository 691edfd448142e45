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
struct http_answer;
/* A signed GET of the bucket with that query, for a server of that region, with the secrets as they are now; in `a`. */
int minio_request(struct source *s, str region, str query, struct arena *a, struct http_call *out,
                  struct err *e) MUST_CHECK;
/* What a refusal says. */
void minio_refused(struct arena *a, int status, str body, struct err *e);
/* The region that a refusal asks for; absent: it does not. In `a`. */
str minio_wanted_region(struct arena *a, int status, str body);
/* The query of the stream of notifications, in `a`. */
str minio_stream_query(const struct minio_source *c, struct arena *a);

/* When the server answered, by its clock (ns); by ours, if it does not say. */
int64_t minio_server_time(struct source *s, const struct http_answer *answer);

/*
 * The clocks of a cluster differ, and an event is sent a moment after its object was written: so far a listing looks
 * back.
 */
#define MINIO_OVERLAP (60 * NS_PER_SEC)

/* ---- minio_seen.c: which objects events were about --------------------------------------------------------------- */

struct minio_seen;
struct minio_seen *minio_seen_new(void);
/* An event of that object was told, of that time (ns). */
void minio_seen_add(struct minio_seen *s, str key, str etag, int64_t time);
/* Whether one was told of the object as it was written then. It may have been forgotten. */
bool minio_seen_has(const struct minio_seen *s, str key, str etag, int64_t modified);
void minio_seen_free(struct minio_seen *s);

/* ---- minio_record.c: notifications and their records ------------------------------------------------------------- */

/*
 * The delivery id of the event that this object was written at that time (ns), whether it came by the stream or was
 * found in a listing, which knows milliseconds only. In `a`.
 */
str minio_delivery(struct arena *a, str key, str etag, int64_t time);
/*
 * Notes which object the record is about. Its delivery id, in `a`; absent if it is not about an object that was
 * written, as a listing could show it.
 */
str minio_saw(struct minio_seen *seen, struct arena *a, const struct val *record);
/* The event with these records, a list in JSON. */
struct event *minio_event(const struct minio_source *c, str records);
/* source_ops.wrap: one record, or a whole notification. */
int minio_wrap(struct source *s, struct arena *a, str body, str *out, struct err *e);

/* ---- minio_catch_up.c: what the stream has not told -------------------------------------------------------------- */

struct catch_up;
struct catch_up_ops {
	/* An object that nobody was told of: a record as JSON. */
	void (*missed)(void *arg, str record, str delivery);
	/* All that was written before `time` (ns, by the server's clock) is told; or e: it could not be listed. */
	void (*done)(void *arg, int64_t time, const struct err *e);
};
/* `region` may come to be another. */
struct catch_up *catch_up_new(struct source *s, struct httpc *client, const str *region, struct minio_seen *seen,
                              const struct catch_up_ops *ops, void *arg);
/*
 * Looks for objects that were written after `since` (ns), by the server's clock; 0: for none, only for what its clock
 * says. If that is under way already, it is done once more. Not from within a call's `opened` or `piece`.
 */
void catch_up_begin(struct catch_up *c, int64_t since);
/* The bus has room again: goes on with the next page. */
void catch_up_go_on(struct catch_up *c);
/* Its client must have been freed. */
void catch_up_free(struct catch_up *c);

#endif
