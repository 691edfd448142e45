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
#include "core/net/s3_list.h"
#include "core/xml.h"
#include "engine/artifact/cloud.h"
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

/* Goes on in the next process, if this one is killed or the service is away; so everything of it is in the journal, too. */
struct sending {
	struct s3 *s;
	int fd;
	struct s3_upload u;
	struct arena *arena;
};

static int
begin(struct sending *x, struct err *e)
{
	struct http_answer ans;
	struct s3 *s = x->s;
	struct arena *a = x->arena;
	const struct s3_request r = { .method = "POST", .key = x->u.key, .query = S("uploads="), .headers = s->put_headers, .headers_n = s->put_headers_n };
	if (s3_ask(s, &r, a, &ans, e) < 0)
		return -1;
	x->u.id = sigv4_encode(a, xml_find(ans.body, "UploadId", a), false);
	if (!x->u.id.n)
		return err_set(e, ERR_UNAVAILABLE, "%.*s: the answer to an upload has no UploadId", STR_ARG(s3_name(s, x->u.key, a)));
	x->u.parts = ARENA_ARRAY(a, struct s3_part, s3_parts_of(&x->u));
	memset(x->u.parts, 0, s3_parts_of(&x->u) * sizeof *x->u.parts);
	s3_journal_begin(s, &x->u, a);
	return 0;
}

/* One that is there with the same bytes is not sent again. */
static int
send_part(struct sending *x, unsigned number, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct s3 *s = x->s;
	struct s3_part *p = &x->u.parts[number - 1];
	uint64_t offset = (number - 1) * x->u.part, n = x->u.bytes - offset < x->u.part ? x->u.bytes - offset : x->u.part;
	struct http_answer ans;
	struct s3_request r = { .method = "PUT", .key = x->u.key, .headers = s->key_headers, .headers_n = s->key_headers_n, .tries = PART_TRIES };
	r.query = arena_fmt(a, "partNumber=%u&uploadId=%.*s", number, STR_ARG(x->u.id));
	if (hash_part(s, x->fd, offset, n, a, &r, e) < 0)
		return -1;
	if (p->etag.n && str_eq(p->sum, r.body_hash))
		return 0;
	if (s3_send(s, &r, x->fd, offset, n, a, &ans, e) < 0)
		return -1;
	*p = (struct s3_part){ arena_dup(x->arena, r.body_hash), arena_dup(x->arena, http_answer_header(&ans, "ETag")) };
	if (!p->etag.n)
		return err_set(e, ERR_UNAVAILABLE, "%.*s: part %u has no ETag", STR_ARG(s3_name(s, x->u.key, a)), number);
	s3_journal_part(s, &x->u, number, p, a);
	return 0;
}

static int
list_parts(const struct s3_upload *u, struct arena *a, str *out, struct err *e)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	int rc = 0;
	for (unsigned i = 0; rc == 0 && i < s3_parts_of(u); i++)
		rc = s3_parts_add(&b, i + 1, u->parts[i].etag, e);
	*out = s3_parts_body(&b, " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"", a);
	return rc;
}

/* The answer begins with 200 before the server knows: what is wrong then stands in its body. */
static int
complete(struct sending *x, struct err *e)
{
	struct http_answer ans;
	struct arena *a = x->arena;
	struct s3_request r = { .method = "POST", .key = x->u.key, .query = arena_fmt(a, "uploadId=%.*s", STR_ARG(x->u.id)), .tries = PART_TRIES };
	if (list_parts(&x->u, a, &r.body, e) < 0 || s3_ask(x->s, &r, a, &ans, e) < 0)
		return -1;
	if (str_find(ans.body, S("<CompleteMultipartUploadResult"), 0) != SIZE_MAX)
		return 0;
	return err_set(e, ERR_UNAVAILABLE, "%.*s: the parts are not put together: %.*s", STR_ARG(s3_name(x->s, x->u.key, a)),
		STR_ARG(http_xml_refusal(a, ans.body)));
}

static int
send_all(struct sending *x, struct err *e)
{
	int rc = 0;
	for (unsigned i = 1; rc == 0 && i <= s3_parts_of(&x->u); i++)
		rc = send_part(x, i, e);
	return rc < 0 ? -1 : complete(x, e);
}

/* What was sent is paid for until it is given up. */
static void
give_up(struct s3 *s, const struct s3_upload *u, struct arena *a)
{
	struct http_answer ans;
	struct err e;
	const struct s3_request r = { .method = "DELETE", .key = u->key, .query = arena_fmt(a, "uploadId=%.*s", STR_ARG(u->id)) };
	if (s3_ask(s, &r, a, &ans, &e) == 0 || e.code == ERR_NOT_FOUND)
		s3_journal_end(s, u->id, a);
}

/* Whether an earlier process has begun it; one of another file under this key is given up. */
static bool
take_up(struct sending *x)
{
	struct s3_uploads all;
	bool found = false;
	s3_journal_read(x->s, x->arena, &all);
	for (size_t i = 0; i < all.v.n; i++) {
		const struct s3_upload *u = &all.v.p[i];
		if (!str_eq(u->key, x->u.key))
			continue;
		if (!found && u->bytes == x->u.bytes && u->part == x->u.part) {
			x->u.id = u->id;
			x->u.parts = u->parts;
			found = true;
		} else {
			give_up(x->s, u, x->arena);
		}
	}
	VEC_FREE(&all.v);
	return found;
}

void
s3_abandon(struct s3 *s)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct s3_uploads all;
	s3_journal_read(s, a, &all);
	for (size_t i = 0; i < all.v.n; i++)
		give_up(s, &all.v.p[i], a);
	VEC_FREE(&all.v);
}

/* A service that is away comes back, and has what was sent. */
static bool
may_go_on(const struct s3 *s, const struct err *e)
{
	return s->site->journal && (e->code == ERR_UNAVAILABLE || e->code == ERR_TIMEOUT);
}

static int
put_parts(struct s3 *s, str key, int fd, uint64_t bytes, struct arena *a, struct err *e)
{
	struct sending x = { .s = s, .fd = fd, .u = { .key = key, .bytes = bytes, .part = cloud_part_size(bytes, S3_PARTS_MAX) }, .arena = a };
	bool earlier = take_up(&x);
	if (!earlier && begin(&x, e) < 0)
		return -1;
	int rc = send_all(&x, e);
	if (rc < 0 && earlier && !may_go_on(s, e)) { /* the service has given it up by itself, or has other parts */
		give_up(s, &x.u, a);
		rc = begin(&x, e) < 0 ? -1 : send_all(&x, e);
	}
	if (rc == 0)
		s3_journal_end(s, x.u.id, a);
	else if (!may_go_on(s, e))
		give_up(s, &x.u, a);
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
