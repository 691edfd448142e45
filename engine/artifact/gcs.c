/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gcs driver: objects of Google Cloud Storage by its JSON API. Signed in for by the key in the manifest, else by the file that
 * GOOGLE_APPLICATION_CREDENTIALS names, else by the machine's own account. STORAGE_EMULATOR_HOST is another server, which asks for no token;
 * CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE one that does.
 * What is sent has its CRC-32C with it, which the service checks before there is an object.
 */
#include <stdlib.h>
#include <unistd.h>

#include "core/base64.h"
#include "core/crypto.h"
#include "core/files.h"
#include "core/net/gcp.h"
#include "core/net/sigv4.h"
#include "engine/artifact/gcs.h"

#define AT_ONCE ((uint64_t)1 << 20)  /* a larger file goes in chunks */
#define BOUNDARY "tidegate-3f8a1c5be7d2" /* of two parts; with it a part has no chance to hold a line like it */
#define SCOPE S("https://www.googleapis.com/auth/devstorage.read_write")
enum { KEY_MAX = 64 << 10 };

struct gcs {
	struct cloud cloud; /* first */
	str key;            /* of the service account; absent: that of the environment */
	bool emulated;
};

/* ---- signing in ---------------------------------------------------------------------------------------------------- */

static int
token_call(struct cloud *c, struct arena *a, struct http_call *out, struct err *e)
{
	str key = ((struct gcs *)c)->key;
	const char *file = getenv("GOOGLE_APPLICATION_CREDENTIALS");
	if (!key.n && file && *file && files_read(file, KEY_MAX, a, &key, e) < 0)
		return err_wrap(e, "GOOGLE_APPLICATION_CREDENTIALS");
	if (!key.n) {
		gcp_metadata_call(GCP_METADATA_TOKEN, a, out);
		return 0;
	}
	return gcp_token_call(key, SCOPE, cloud_now_ns(), a, out, e);
}

/* {"error": {"message": ..., "errors": [{"reason": ...}]}} */
static str
refusal(struct arena *a, str body)
{
	struct val v;
	struct err e;
	if (json_read(a, body, &v, &e) < 0)
		return STR_NONE;
	const struct val *error = val_get(&v, S("error"));
	str reason = val_get_str(val_at(val_get(error, S("errors")), 0), "reason"), message = val_get_str(error, "message");
	return reason.n && message.n ? arena_fmt(a, "%.*s: %.*s", STR_ARG(reason), STR_ARG(message)) : message.n ? message : STR_NONE;
}

/* ---- requests ------------------------------------------------------------------------------------------------------ */

/* What is made (POST) has its name in the query. */
static str
url_of(const struct cloud *c, const struct cloud_request *r, struct arena *a)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	bool made = strcmp(r->method, "POST") == 0;
	if (r->url.n)
		return r->url;
	buf_addf(&b, "%.*s%s/storage/v1/b/%.*s/o", STR_ARG(c->endpoint), made ? "/upload" : "", STR_ARG(sigv4_encode(a, c->bucket, false)));
	if (r->key.n && !made)
		buf_addf(&b, "/%.*s", STR_ARG(sigv4_encode(a, r->key, false)));
	for (size_t i = 0; i < r->query_n; i++)
		buf_addf(&b, "%c%.*s=%.*s", i ? '&' : '?', STR_ARG(r->query[i].name), STR_ARG(sigv4_encode(a, r->query[i].value, false)));
	return arena_dup(a, buf_str(&b));
}

static int
write_call(struct cloud *c, const struct cloud_request *r, struct arena *a, struct http_call *out, struct err *e)
{
	struct http_header *headers = ARENA_ARRAY(a, struct http_header, r->headers_n + 1);
	size_t n = 0;
	for (; n < r->headers_n; n++)
		headers[n] = r->headers[n];
	if (!((struct gcs *)c)->emulated) {
		if (cloud_token(c, e) < 0)
			return -1;
		headers[n++] = (struct http_header){ S("Authorization"), arena_fmt(a, "Bearer %.*s", STR_ARG(c->token.text)) };
	}
	*out = (struct http_call){ .method = str_c(r->method), .url = url_of(c, r, a), .headers = headers, .headers_n = n, .body = r->body };
	return 0;
}

/* "localhost:4443", "http://localhost:4443", "https://.../storage/v1/" */
static str
endpoint_of(str other, struct arena *a)
{
	while (str_ends(other, S("/")))
		other.n--;
	if (str_ends(other, S("/storage/v1")))
		other.n -= strlen("/storage/v1");
	if (!other.n)
		return S("https://storage.googleapis.com");
	return str_find(other, S("://"), 0) != SIZE_MAX ? other : arena_fmt(a, "http://%.*s", STR_ARG(other));
}

static int
open_gcs(const struct val *place, const struct artifact_site *site, void **state, struct err *e)
{
	struct gcs *g = ARENA_NEW(site->arena, struct gcs);
	str emulator = str_c(getenv("STORAGE_EMULATOR_HOST")), other = str_c(getenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE"));
	*g = (struct gcs){ .cloud = { .site = site, .name = "gcs", .write = write_call, .refusal = refusal, .token_call = token_call } };
	g->cloud.bucket = val_get_str(place, "bucket");
	g->key = val_get_str(place, "serviceAccountKey");
	g->emulated = emulator.n;
	g->cloud.endpoint = endpoint_of(emulator.n ? emulator : other, site->arena);
	if (!g->cloud.bucket.n)
		return err_set(e, ERR_INVALID, "gcs: it has no bucket");
	if (crypto_load(e) < 0)
		return -1;
	g->cloud.http = http_session_new();
	*state = g;
	return 0;
}

/* ---- checksums ----------------------------------------------------------------------------------------------------- */

/* As Google writes it: base64 of its four bytes, the highest first. */
static int
crc_text(int fd, uint64_t offset, uint64_t bytes, struct arena *a, str *out, struct err *e)
{
	uint32_t crc;
	if (cloud_crc32c(fd, offset, bytes, &crc, e) < 0)
		return -1;
	const char sum[4] = { (char)(crc >> 24), (char)(crc >> 16), (char)(crc >> 8), (char)crc };
	*out = base64_encode(a, (str){ sum, sizeof sum });
	return 0;
}

/* "crc32c=n03x6A==,md5=..."; there may be several headers of that name. */
static str
crc_kept(const struct http_answer *ans)
{
	for (size_t i = 0; i < ans->headers_n; i++) {
		str name = ans->headers[i].name, text = ans->headers[i].value;
		while (name.n == 11 && strncasecmp(name.p, "x-goog-hash", 11) == 0 && text.n) {
			str one = str_trim(str_cut(&text, ','));
			if (str_starts(one, S("crc32c=")))
				return str_slice(one, 7, one.n);
		}
	}
	return STR_NONE;
}

static int
compare_crc(struct cloud *c, str key, str is, str kept, struct arena *a, struct err *e)
{
	if (!kept.n || str_eq(is, kept))
		return 0;
	artifact_is_damaged(c->site);
	return err_set(e, ERR_UNAVAILABLE, "%.*s: its CRC-32C is %.*s here and %.*s there", STR_ARG(cloud_place(c, key, a)), STR_ARG(is), STR_ARG(kept));
}

static int
get(void *state, str key, int fd, struct err *e)
{
	struct cloud *c = state;
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct http_answer ans;
	const struct http_header query[] = { { S("alt"), S("media") } };
	int64_t start = cloud_file_start(fd);
	if (cloud_receive(c, &(struct cloud_request){ .method = "GET", .key = key, .query = query, .query_n = 1 }, fd, a, &ans, e) < 0)
		return -1;
	str encoding = http_answer_header(&ans, "x-goog-stored-content-encoding"), is;
	if (start < 0 || (encoding.n && !str_eq(encoding, S("identity")))) /* unpacked on the way: the sum is of what is stored */
		return 0;
	if (crc_text(fd, (uint64_t)start, (uint64_t)(lseek(fd, 0, SEEK_CUR) - start), a, &is, e) < 0)
		return -1;
	return compare_crc(c, key, is, crc_kept(&ans), a, e);
}

/* ---- putting ------------------------------------------------------------------------------------------------------- */

str
gcs_description(const struct gcs_upload *u, struct arena *a)
{
	struct val_map m = { 0 };
	val_map_add(&m, S("name"), val_str(u->key));
	val_map_add(&m, S("crc32c"), val_str(u->crc));
	val_map_add(&m, S("contentType"), val_cstr(GCS_BINARY));
	struct val v = val_map_end(&m, a);
	return json_write(a, &v);
}

/* What the service says it has. */
int
gcs_check_made(const struct gcs_upload *u, const struct http_answer *ans, struct arena *a, struct err *e)
{
	struct val v;
	if (json_read(a, ans->body, &v, e) < 0)
		return err_wrap(e, "%.*s: the answer to an upload", STR_ARG(cloud_place(u->c, u->key, a)));
	return compare_crc(u->c, u->key, u->crc, val_get_str(&v, "crc32c"), a, e);
}

/* Description and file in one body. */
static int
put_whole(struct gcs_upload *u, struct arena *a, struct err *e)
{
	struct http_answer ans;
	struct buf b CLEANUP(free_buf) = { 0 };
	const struct http_header query[] = { { S("uploadType"), S("multipart") }, { S("name"), u->key } };
	const struct http_header headers[] = { { S("Content-Type"), S("multipart/related; boundary=" BOUNDARY) } };
	struct cloud_request r = { .method = "POST", .key = u->key, .query = query, .query_n = ARRAY_LEN(query), .headers = headers, .headers_n = 1 };
	buf_addf(&b, "--" BOUNDARY "\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n%.*s\r\n--" BOUNDARY "\r\nContent-Type: " GCS_BINARY "\r\n\r\n",
	         STR_ARG(gcs_description(u, a)));
	ssize_t n = u->bytes ? pread(u->fd, buf_room(&b, (size_t)u->bytes), (size_t)u->bytes, 0) : 0;
	if (n < 0 || (uint64_t)n != u->bytes)
		return n < 0 ? err_errno(e, "read the file that is sent") : err_set(e, ERR_IO, "the file that is sent has become shorter");
	b.n += (size_t)n;
	buf_add(&b, S("\r\n--" BOUNDARY "--\r\n"));
	r.body = buf_str(&b);
	if (cloud_ask(u->c, &r, a, &ans, e) < 0)
		return -1;
	watch_moved(u->c->site->watch, u->bytes);
	return gcs_check_made(u, &ans, a, e);
}

static int
put(void *state, str key, int fd, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct gcs_upload u = { .c = state, .key = key, .fd = fd };
	if (cloud_file_size(fd, &u.bytes, e) < 0 || crc_text(fd, 0, u.bytes, a, &u.crc, e) < 0)
		return -1;
	return u.bytes <= AT_ONCE ? put_whole(&u, a, e) : gcs_put_chunks(&u, e);
}

/* ---- listing ------------------------------------------------------------------------------------------------------- */

static int
list(void *state, str prefix, bool (*each)(void *arg, str key, uint64_t bytes), void *arg, struct err *e)
{
	static const struct cloud_listing listing = { .query = { { S("prefix"), { 0 } }, { S("maxResults"), S("1000") }, { S("pageToken"), { 0 } } }, .n = 3,
		.prefix = 0, .marker = 2, .read = gcs_page_read };
	return cloud_list(state, &listing, prefix, each, arg, e);
}

const struct artifact_driver artifact_gcs = { .name = "gcs", .key = "key", .open = open_gcs, .close = cloud_close, .get = get, .put = put, .abandon = gcs_abandon,
	.list = list, .remove = cloud_remove };
