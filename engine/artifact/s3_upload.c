/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files to S3: a small one with one request, a large one in parts, each tried again by itself, and then put together. Each request is signed with
 * the hash of what it carries, so that the server refuses what was damaged on the way. What S3 allows ("Amazon S3 multipart upload
 * limits"): 10,000 parts, of 5 MiB at least and 5 GiB at most.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "core/base64.h"
#include "core/crypto.h"
#include "core/xml.h"
#include "engine/artifact/s3.h"

#define PART ((uint64_t)32 << 20)
#define PARTS_MAX 10000u
#define PART_TRIES 8u /* 23 s: a server that was there comes back, and what it has of the others is not sent again */

static str
hex(struct arena *a, const unsigned char *bytes, size_t n)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%02x", bytes[i]);
	return arena_dup(a, buf_str(&b));
}

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
	r->body_hash = hex(a, sum, crypto_hash("sha256", text, sum));
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

struct upload {
	struct s3 *s;
	str key, id;
	int fd;
	uint64_t bytes, part;
	struct buf done; /* the list of parts, XML */
};

static int
begin(struct upload *u, struct arena *a, struct err *e)
{
	struct http_answer ans;
	const struct s3_request r = { .method = "POST", .key = u->key, .query = S("uploads="), .headers = u->s->put_headers, .headers_n = u->s->put_headers_n };
	if (s3_ask(u->s, &r, a, &ans, e) < 0)
		return -1;
	u->id = sigv4_encode(a, xml_find(ans.body, "UploadId", a), false);
	return u->id.n ? 0 : err_set(e, ERR_UNAVAILABLE, "%.*s: the answer to an upload has no UploadId", STR_ARG(s3_name(u->s, u->key, a)));
}

static int
send_part(struct upload *u, unsigned number, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	uint64_t offset = (number - 1) * u->part, n = u->bytes - offset < u->part ? u->bytes - offset : u->part;
	struct http_answer ans;
	struct s3_request r = { .method = "PUT", .key = u->key, .headers = u->s->key_headers, .headers_n = u->s->key_headers_n, .tries = PART_TRIES };
	r.query = arena_fmt(a, "partNumber=%u&uploadId=%.*s", number, STR_ARG(u->id));
	if (hash_part(u->s, u->fd, offset, n, a, &r, e) < 0 || s3_send(u->s, &r, u->fd, offset, n, a, &ans, e) < 0)
		return -1;
	str etag = http_answer_header(&ans, "ETag");
	if (!etag.n)
		return err_set(e, ERR_UNAVAILABLE, "%.*s: part %u has no ETag", STR_ARG(s3_name(u->s, u->key, a)), number);
	buf_addf(&u->done, "<Part><PartNumber>%u</PartNumber><ETag>", number);
	xml_escape(&u->done, etag);
	buf_add(&u->done, S("</ETag></Part>"));
	return 0;
}

/* The answer begins with 200 before the server knows: what is wrong then stands in its body. */
static int
complete(struct upload *u, struct arena *a, struct err *e)
{
	struct http_answer ans;
	struct s3_request r = { .method = "POST", .key = u->key, .query = arena_fmt(a, "uploadId=%.*s", STR_ARG(u->id)), .tries = PART_TRIES };
	r.body = arena_fmt(a, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">%.*s</CompleteMultipartUpload>",
		STR_ARG(buf_str(&u->done)));
	if (s3_ask(u->s, &r, a, &ans, e) < 0)
		return -1;
	if (str_find(ans.body, S("<CompleteMultipartUploadResult"), 0) != SIZE_MAX)
		return 0;
	return err_set(e, ERR_UNAVAILABLE, "%.*s: the parts are not put together: %.*s", STR_ARG(s3_name(u->s, u->key, a)),
		STR_ARG(http_xml_refusal(a, ans.body)));
}

/* What was sent is paid for until it is given up. */
static void
give_up(struct upload *u, struct arena *a)
{
	struct http_answer ans;
	struct err e;
	const struct s3_request r = { .method = "DELETE", .key = u->key, .query = arena_fmt(a, "uploadId=%.*s", STR_ARG(u->id)) };
	(void)!s3_ask(u->s, &r, a, &ans, &e);
}

static int
put_parts(struct s3 *s, str key, int fd, uint64_t bytes, struct arena *a, struct err *e)
{
	struct upload u = { .s = s, .key = key, .fd = fd, .bytes = bytes, .part = PART };
	while (bytes / u.part >= PARTS_MAX)
		u.part *= 2;
	if (begin(&u, a, e) < 0)
		return -1;
	int rc = 0;
	for (unsigned i = 1; rc == 0 && (i - 1) * u.part < bytes; i++)
		rc = send_part(&u, i, e);
	if (rc == 0)
		rc = complete(&u, a, e);
	if (rc < 0)
		give_up(&u, a);
	buf_free(&u.done);
	return rc;
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
	return bytes <= PART ? put_whole(s, key, fd, bytes, a, e) : put_parts(s, key, fd, bytes, a, e);
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
