/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The s3 driver: objects of AWS's S3, and of what speaks its protocol. Fields are those of Argo's S3Artifact. A bucket of AWS is addressed by
 * host, one of others by path, unless `addressingStyle` says otherwise. Without keys in the manifest those that AWS's tools would find
 * are taken (core/net/aws_keys.h); a bucket that is open to all is then still read without.
 */
#include "core/base64.h"
#include "core/crypto.h"
#include "core/net/s3_address.h"
#include "core/net/s3_list.h"
#include "core/net/sts.h"
#include "engine/artifact/cloud.h"
#include "engine/artifact/s3.h"

/* ---- keys -------------------------------------------------------------------------------------------------------------- */

static int
find_keys(struct s3 *s, struct err *e)
{
	struct arena *a = s->site->arena;
	s->keys = (struct aws_keys){ { val_get_str(s->place, "accessKey"), val_get_str(s->place, "secretKey"), val_get_str(s->place, "sessionToken") },
		INT64_MAX };
	str role = val_get_str(s->place, "roleARN");
	bool must = role.n || val_is_true(val_get(s->place, S("useSDKCreds")));
	s->signed_ = s->keys.keys.access_key.n;
	if (!s->signed_) {
		int rc = aws_keys_around(s->http, s->region, a, &s->keys, e);
		if (rc == 1 && must)
			return err_set(e, ERR_UNAUTHENTICATED, "s3: there are no AWS keys: neither in the artifact, nor in the daemon's environment, its profile, a "
				"web identity, or a metadata service");
		if (rc < 0)
			return -1;
		s->signed_ = rc == 0;
	}
	if (!role.n)
		return 0;
	struct sigv4_keys with = s->keys.keys;
	return aws_keys_of_role(s->http, role, s->region, &with, a, &s->keys, e);
}

int
s3_keys(struct s3 *s, struct err *e)
{
	if (s->keys.until_ns != INT64_MAX && cloud_now_ns() > s->keys.until_ns - STS_EARLY)
		return find_keys(s, e);
	return 0;
}

/* ---- the place --------------------------------------------------------------------------------------------------------- */

static void
add_header(struct http_header *list, size_t *n, const char *name, str value)
{
	list[(*n)++] = (struct http_header){ str_c(name), value };
}

/* A key of one's own goes with each request, and its MD5 with it ("Specifying server-side encryption with customer-provided keys"). */
static int
customer_key(struct s3 *s, str key, struct err *e)
{
	unsigned char sum[CRYPTO_HASH_MAX];
	struct arena *a = s->site->arena;
	if (!s->secure)
		return err_set(e, ERR_INVALID, "s3: encryptionOptions.serverSideCustomerKeySecret needs TLS: leave `insecure` out");
	if (key.n != 32)
		return err_set(e, ERR_INVALID, "s3: the key in encryptionOptions.serverSideCustomerKeySecret must have 32 bytes, and has %zu", key.n);
	size_t n = crypto_hash("md5", key, sum);
	add_header(s->key_headers, &s->key_headers_n, "X-Amz-Server-Side-Encryption-Customer-Algorithm", S("AES256"));
	add_header(s->key_headers, &s->key_headers_n, "X-Amz-Server-Side-Encryption-Customer-Key", base64_encode(a, key));
	add_header(s->key_headers, &s->key_headers_n, "X-Amz-Server-Side-Encryption-Customer-Key-MD5", base64_encode(a, (str){ (const char *)sum, n }));
	memcpy(s->put_headers, s->key_headers, sizeof s->put_headers);
	s->put_headers_n = s->key_headers_n;
	return 0;
}

static int
read_encryption(struct s3 *s, const struct val *o, struct err *e)
{
	str own = val_get_str(o, "serverSideCustomerKey"), id = val_get_str(o, "kmsKeyId"), context = val_get_str(o, "kmsEncryptionContext");
	if (!val_is_true(val_get(o, S("enableEncryption"))))
		return 0;
	if (own.n && id.n)
		return err_set(e, ERR_INVALID, "s3: encryptionOptions has kmsKeyId and serverSideCustomerKeySecret: only one can be");
	if (own.n)
		return customer_key(s, own, e);
	add_header(s->put_headers, &s->put_headers_n, "X-Amz-Server-Side-Encryption", id.n ? S("aws:kms") : S("AES256"));
	if (id.n)
		add_header(s->put_headers, &s->put_headers_n, "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", id);
	if (id.n && context.n)
		add_header(s->put_headers, &s->put_headers_n, "X-Amz-Server-Side-Encryption-Context", base64_encode(s->site->arena, context));
	return 0;
}

static int
read_style(struct s3 *s, struct err *e)
{
	str style = val_get_str(s->place, "addressingStyle");
	s->by_host = s3_goes_by_host(s->endpoint, s->bucket);
	if (!style.n || str_eq(style, S("auto")))
		return 0;
	s->by_host = str_eq(style, S("virtual-hosted"));
	return s->by_host || str_eq(style, S("path")) ? 0
	                                              : err_set(e, ERR_INVALID, "s3: addressingStyle is \"%.*s\": write path or virtual-hosted", STR_ARG(style));
}

/* "https://host/" is what some write for "host". */
static int
read_endpoint(struct s3 *s, struct err *e)
{
	str text = val_get_str(s->place, "endpoint");
	s->secure = !val_is_true(val_get(s->place, S("insecure")));
	if (str_starts(text, S("http://")) || str_starts(text, S("https://"))) {
		s->secure = str_starts(text, S("https://"));
		text = str_slice(text, str_find(text, S("://"), 0) + 3, text.n);
	}
	while (str_ends(text, S("/")))
		text = str_slice(text, 0, text.n - 1);
	s->endpoint = text;
	if (!text.n || str_find_char(text, '/', 0) != SIZE_MAX)
		return err_set(e, ERR_INVALID, "s3: endpoint is \"%.*s\": write HOST or HOST:PORT", STR_ARG(text));
	return s->bucket.n ? 0 : err_set(e, ERR_INVALID, "s3: it has no bucket");
}

static void
close_s3(void *state)
{
	struct s3 *s = state;
	http_session_free(s->http);
}

static int
read_place(struct s3 *s, struct err *e)
{
	const struct val *bucket = val_get(s->place, S("createBucketIfNotPresent"));
	str region = val_get_str(s->place, "region"), around = str_c(getenv("AWS_REGION"));
	s->bucket = val_get_str(s->place, "bucket");
	s->region = region.n ? region : around.n ? around : S("us-east-1");
	s->ca = val_get_str(s->place, "ca");
	s->make_bucket = bucket;
	s->lock_objects = bucket && val_is_true(val_get(bucket, S("objectLocking")));
	s->send_md5 = s->lock_objects;
	if (crypto_load(e) < 0 || read_endpoint(s, e) < 0 || read_style(s, e) < 0)
		return -1;
	const struct val *options = val_get(s->place, S("encryptionOptions"));
	return options && read_encryption(s, options, e) < 0 ? -1 : find_keys(s, e);
}

static int
open_s3(const struct val *place, const struct artifact_site *site, void **state, struct err *e)
{
	struct s3 *s = ARENA_NEW(site->arena, struct s3);
	*s = (struct s3){ .site = site, .place = place, .http = http_session_new() };
	*state = s;
	int rc = read_place(s, e);
	if (rc < 0)
		close_s3(s);
	return rc;
}

/* ---- objects ----------------------------------------------------------------------------------------------------------- */

static int
get(void *state, str key, int fd, struct err *e)
{
	return s3_get_file(state, key, fd, e);
}

static int
put(void *state, str key, int fd, struct err *e)
{
	return s3_put_file(state, key, fd, e);
}

static void
abandon(void *state)
{
	s3_abandon(state);
}

/* 1: there are more, from *next on. */
static int
list_page(struct s3 *s, str prefix, str *next, struct arena *keep, bool (*each)(void *arg, str key, uint64_t bytes), void *arg, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct http_answer ans;
	struct s3_page page;
	struct s3_request r = { .method = "GET" };
	r.query = arena_fmt(a, "list-type=2&encoding-type=url&prefix=%.*s", STR_ARG(sigv4_encode(a, prefix, false)));
	if (next->n)
		r.query = arena_fmt(a, "continuation-token=%.*s&%.*s", STR_ARG(sigv4_encode(a, *next, false)), STR_ARG(r.query));
	if (s3_ask(s, &r, a, &ans, e) < 0)
		return -1;
	if (s3_list_read(a, ans.body, &page, e) < 0)
		return err_wrap(e, "%.*s", STR_ARG(s3_name(s, prefix, a)));
	if (page.next.n && str_eq(page.next, *next))
		return err_set(e, ERR_INVALID, "%.*s: the listing does not go on", STR_ARG(s3_name(s, prefix, a)));
	for (size_t i = 0; i < page.n; i++) {
		const struct s3_object *o = &page.objects[i];
		if (str_starts(o->key, prefix) && !each(arg, o->key, o->size > 0 ? (uint64_t)o->size : 0)) /* what is listed may be removed */
			return 0;
	}
	*next = arena_dup(keep, page.next);
	return page.next.n > 0;
}

static int
list(void *state, str prefix, bool (*each)(void *arg, str key, uint64_t bytes), void *arg, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	str next = STR_NONE;
	int rc;
	while ((rc = list_page(state, prefix, &next, a, each, arg, e)) == 1)
		;
	return rc;
}

static int
remove_object(void *state, str key, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct http_answer ans;
	const struct s3_request r = { .method = "DELETE", .key = key };
	int rc = s3_ask(state, &r, a, &ans, e);
	return rc < 0 && e->code == ERR_NOT_FOUND ? 0 : rc;
}

const struct artifact_driver artifact_s3 = { .name = "s3", .key = "key", .open = open_s3, .close = close_s3, .get = get, .put = put, .abandon = abandon, .list = list,
	.remove = remove_object };
