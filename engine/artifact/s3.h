/* SPDX-License-Identifier: Apache-2.0 */
/* s3: what the files of the s3 driver share. s3.c reads the place and keeps the keys good, s3_request.c asks, s3_get.c brings
 * objects, s3_upload.c sends files. */
#ifndef TIDEGATE_ENGINE_ARTIFACT_S3_H
#define TIDEGATE_ENGINE_ARTIFACT_S3_H

#include "core/net/aws_keys.h"
#include "core/net/http_transfer.h"
#include "core/val.h"
#include "engine/artifact/driver.h"

enum { S3_ENCRYPTION_HEADERS = 4 };

struct s3 {
	const struct artifact_site *site;
	const struct val *place;
	struct http_session *http;
	str endpoint, bucket, region; /* endpoint: host, and port if it is not the scheme's */
	bool secure, by_host;
	bool named_region;            /* the service has corrected us */
	str ca;
	bool signed_;
	struct aws_keys keys;
	struct http_header put_headers[S3_ENCRYPTION_HEADERS], key_headers[S3_ENCRYPTION_HEADERS]; /* of what is made; of whatever reads or adds to it */
	size_t put_headers_n, key_headers_n;
	bool make_bucket, lock_objects;
	bool send_md5;                /* buckets with a default retention take nothing without ("Managing Object Lock", considerations for uploads) */
};

struct s3_request {
	const char *method;
	str key, query;              /* key: absent for the bucket; query: encoded */
	const struct http_header *headers;
	size_t headers_n;
	str body, body_hash;         /* as for sigv4 */
	unsigned tries;              /* as for http_transfer */
	void (*began)(void *arg, const struct http_answer *head); /* of a download, as for http_transfer */
	void *began_arg;
	uint64_t have;
	str etag;
};

/* Keys of a role end: gets new ones in time. */
int s3_keys(struct s3 *s, struct err *e) MUST_CHECK;

/* ---- s3_request.c: all tries, also in the region that the service names. A refusal is an error: ERR_NOT_FOUND for one of 404. */
int s3_ask(struct s3 *s, const struct s3_request *r, struct arena *a, struct http_answer *out, struct err *e) MUST_CHECK;
int s3_send(struct s3 *s, const struct s3_request *r, int fd, uint64_t offset, uint64_t bytes, struct arena *a, struct http_answer *out, struct err *e)
	MUST_CHECK;
int s3_receive(struct s3 *s, const struct s3_request *r, int fd, struct arena *a, struct http_answer *out, struct err *e) MUST_CHECK;
/* The bucket and the key, for errors. In `a`. */
str s3_name(const struct s3 *s, str key, struct arena *a);

/* ---- s3_get.c */
int s3_get_file(struct s3 *s, str key, int fd, struct err *e) MUST_CHECK;

/* ---- s3_upload.c */
int s3_put_file(struct s3 *s, str key, int fd, struct err *e) MUST_CHECK;
/* What the journal has as begun is given up at the service. */
void s3_abandon(struct s3 *s);

#endif
