/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files to S3: a small one with one request, a large one in parts (parts.h). Each request is signed with the hash of what it carries, so that the server
 * refuses what was damaged on the way. What S3 allows ("Amazon S3 multipart upload limits"): 10,000 parts, of 5 MiB at least and 5 GiB at most.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "core/base64.h"
#include "core/crypto.h"
#include "core/xml.h"
#include "engine/artifact/cloud.h"
#include "engine/artifact/parts.h"
#include "engine/artifact/s3.h"

#define PART ((uint64_t)32 << 20)
#define PART_TRIES 8u /* 23 s: a server that was there comes back, and what it has of the others is not sent again */

static void
add_md5(struct s3_request *r, str bytes, struct arena *a)
{
	unsigned char sum[CRYPTO_HASH_MAX];
	struct http_header *all = ARENA_ARRAY(a, struct http_header, r->headers_n + 1);
	if (r->headers_n)
		memcpy(all, r->headers, r->headers_n * sizeof *all);
	size_t n = crypto_hash("md5", bytes, sum);
	all[r->headers_n++] = (struct http_header){ S("Content-MD5"), base64_encode(a, (str){ (const char *)sum, n }) };
	r->headers = all;
}

/* Adds the sums of the part to its request. `offset` is a multiple of a page. */
static int
hash_part(const struct s3 *s, int fd, uint64_t offset, uint64_t bytes, struct arena *a, struct s3_request *r, struct err *e)
{
	unsigned char sum[CRYPTO_HASH_MAX];
	void *p = bytes ? mmap(NULL, (size_t)bytes, PROT_READ, MAP_PRIVATE, fd, (off_t)offset) : NULL;
	if (p == MAP_FAILED)
		return err_errno(e, "read the file that is sent");
	if (p)
		(void)madvise(p, (size_t)bytes, MADV_SEQUENTIAL);
	str text = { p ? p : "", (size_t)bytes };
	r->body_hash = str_hex(a, sum, crypto_hash("sha256", text, sum));
	if (s->send_md5)
		add_md5(r, text, a);
	if (p)
		(void)munmap(p, (size_t)bytes);
	return 0;
}

static int
put_whole(struct s3 *s, str key, int fd, uint64_t bytes, struct arena *a, struct err *e)
{
	struct s3_request r = { .method = "PUT", .key = key, .headers = s->put_headers, .headers_n = s->put_headers_n };
	struct http_answer ans;
	if (hash_part(s, fd, 0, bytes, a, &r, e) < 0)
		return -1;
	return s3_send(s, &r, fd, 0, bytes, a, &ans, e);
}

/* ---- in parts ---------------------------------------------------------------------------------------------------------- */

static int
begin(void *service, struct journal_upload *u, struct arena *a, struct err *e)
{
	struct http_answer ans;
	struct s3 *s = service;
	const struct s3_request r = { .method = "POST", .key = u->key, .query = S("uploads="), .headers = s->put_headers, .headers_n = s->put_headers_n };
	if (s3_ask(s, &r, a, &ans, e) < 0)
		return -1;
	u->id = sigv4_encode(a, xml_find(ans.body, "UploadId", a), false);
	return u->id.n ? 0 : err_set(e, ERR_UNAVAILABLE, "%.*s: the answer to an upload has no UploadId", STR_ARG(s3_name(s, u->key, a)));
}

static int
send_part(void *service, const struct journal_upload *u, const struct parts_piece *piece, struct journal_part *p, struct arena *a, struct err *e)
{
	struct s3 *s = service;
	struct http_answer ans;
	struct s3_request r = { .method = "PUT", .key = u->key, .headers = s->key_headers, .headers_n = s->key_headers_n, .tries = PART_TRIES };
	r.query = arena_fmt(a, "partNumber=%u&uploadId=%.*s", piece->number, STR_ARG(u->id));
	if (hash_part(s, piece->fd, piece->offset, piece->bytes, a, &r, e) < 0)
		return -1;
	if (p->etag.n && str_eq(p->sum, r.body_hash)) {
		watch_had(s->site->watch, piece->bytes);
		return 0;
	}
	if (s3_send(s, &r, piece->fd, piece->offset, piece->bytes, a, &ans, e) < 0)
		return -1;
	*p = (struct journal_part){ r.body_hash, http_answer_header(&ans, "ETag") };
	return p->etag.n ? 0 : err_set(e, ERR_UNAVAILABLE, "%.*s: part %u has no ETag", STR_ARG(s3_name(s, u->key, a)), piece->number);
}

/* The answer begins with 200 before the server knows: what is wrong then stands in its body. */
static int
complete(void *service, const struct journal_upload *u, int fd UNUSED, struct arena *a, struct err *e)
{
	struct http_answer ans;
	struct s3_request r = { .method = "POST", .key = u->key, .query = arena_fmt(a, "uploadId=%.*s", STR_ARG(u->id)), .tries = PART_TRIES };
	if (parts_xml(u, " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"", a, &r.body, e) < 0 || s3_ask(service, &r, a, &ans, e) < 0)
		return -1;
	if (str_find(ans.body, S("<CompleteMultipartUploadResult"), 0) != SIZE_MAX)
		return 0;
	return err_set(e, ERR_UNAVAILABLE, "%.*s: the parts are not put together: %.*s", STR_ARG(s3_name(service, u->key, a)),
		STR_ARG(http_xml_refusal(a, ans.body)));
}

static int
give_up(void *service, const struct journal_upload *u, struct arena *a)
{
	struct http_answer ans;
	struct err e;
	const struct s3_request r = { .method = "DELETE", .key = u->key, .query = arena_fmt(a, "uploadId=%.*s", STR_ARG(u->id)) };
	return s3_ask(service, &r, a, &ans, &e) == 0 || e.code == ERR_NOT_FOUND ? 0 : -1;
}

static const struct parts_service parts = { .most = 10000, .begin = begin, .send = send_part, .complete = complete, .give_up = give_up };

void
s3_abandon(struct s3 *s)
{
	parts_abandon(s->site, &parts, s);
}

/* ---- buckets ----------------------------------------------------------------------------------------------------------- */

static int
make_bucket(struct s3 *s, struct arena *a, struct err *e)
{
	struct http_answer ans;
	const struct http_header lock[] = { { S("X-Amz-Bucket-Object-Lock-Enabled"), S("true") } };
	struct s3_request r = { .method = "PUT", .headers = lock, .headers_n = s->lock_objects ? 1 : 0, .body = S("") };
	if (!str_eq(s->region, S("us-east-1")))
		r.body = arena_fmt(a, "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>%.*s"
			"</LocationConstraint></CreateBucketConfiguration>", STR_ARG(s->region));
	if (s3_ask(s, &r, a, &ans, e) == 0)
		return 0;
	/* somebody else was quicker */
	return str_find(str_c(e->msg), S("BucketAlready"), 0) != SIZE_MAX ? 0 : -1;
}

static bool
says(const struct err *e, enum err_code code, str text)
{
	return e->code == code && str_find(str_c(e->msg), text, 0) != SIZE_MAX;
}

static int
put_once(struct s3 *s, str key, int fd, uint64_t bytes, struct arena *a, struct err *e)
{
	return bytes <= PART ? put_whole(s, key, fd, bytes, a, e) : parts_put(s->site, &parts, s, key, fd, bytes, e);
}

int
s3_put_file(struct s3 *s, str key, int fd, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct stat st;
	if (fstat(fd, &st) < 0)
		return err_errno(e, "read the file that is sent");
	int rc = put_once(s, key, fd, (uint64_t)st.st_size, a, e);
	if (rc < 0 && s->make_bucket && says(e, ERR_NOT_FOUND, S("NoSuchBucket")))
		rc = make_bucket(s, a, e) < 0 ? -1 : put_once(s, key, fd, (uint64_t)st.st_size, a, e);
	if (rc < 0 && !s->send_md5 && says(e, ERR_INVALID, S("Content-MD5"))) {
		s->send_md5 = true; /* the bucket locks its objects */
		rc = put_once(s, key, fd, (uint64_t)st.st_size, a, e);
	}
	return rc;
}
