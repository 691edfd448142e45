/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The azure driver: blobs of Azure Storage. The account is the beginning of the endpoint's host or, as with emulators, of its path. What
 * accountKeySecret selects is the account's key, or a shared access signature (then it is a query); with useSDKCreds who the machine is signs in
 * (core/net/azure_identity.h).
 */
#include "core/base64.h"
#include "core/crypto.h"
#include "core/net/azure_identity.h"
#include "core/net/sigv4.h"
#include "engine/artifact/azure.h"

#include <unistd.h>

#define AT_ONCE ((uint64_t)32 << 20) /* a larger file goes in blocks */

/* ---- requests ------------------------------------------------------------------------------------------------------ */

static int
token_call(struct cloud *c UNUSED, struct arena *a, struct http_call *out, struct err *e)
{
	return azure_identity_call("https://storage.azure.com", a, out, e);
}

static int
write_call(struct cloud *c, const struct cloud_request *r, struct arena *a, struct http_call *out, struct err *e)
{
	struct azure_account account = ((struct azure *)c)->account;
	struct azure_request q = { .method = str_c(r->method), .query = r->query, .query_n = r->query_n, .headers = r->headers, .headers_n = r->headers_n,
		.bytes = r->body.n ? r->body.n : r->bytes };
	q.path = arena_fmt(a, "/%.*s%s%.*s", STR_ARG(sigv4_encode(a, c->bucket, false)), r->key.n ? "/" : "", STR_ARG(sigv4_encode(a, r->key, true)));
	if (c->token_call) {
		if (cloud_token(c, e) < 0)
			return -1;
		account.token = arena_fmt(a, "Bearer %.*s", STR_ARG(c->token.text));
	}
	azure_call(&account, &q, cloud_now_ns(), a, out);
	out->body = r->body;
	return 0;
}

/* ---- the place ----------------------------------------------------------------------------------------------------- */

static int
read_key(struct azure *z, str key, struct err *e)
{
	struct err ours;
	if (!key.n)
		return err_set(e, ERR_UNAUTHENTICATED, "azure: accountKeySecret is needed, or useSDKCreds: true");
	if (azure_key_is_sas(key)) {
		z->account.sas = str_starts(key, S("?")) ? str_slice(key, 1, key.n) : key;
		return 0;
	}
	if (base64_decode(z->cloud.site->arena, key, &z->account.key, &ours) < 0 || !z->account.key.n)
		return err_set(e, ERR_UNAUTHENTICATED, "azure: what accountKeySecret selects is neither a key (base64) nor a shared access signature");
	return 0;
}

static int
read_place(struct azure *z, const struct val *place, struct err *e)
{
	str endpoint = val_get_str(place, "endpoint"), key = val_get_str(place, "accountKey"), sas = val_get_str(place, "sas");
	while (str_ends(endpoint, S("/")))
		endpoint.n--;
	z->cloud.endpoint = z->account.endpoint = endpoint;
	z->account.name = azure_account_of(endpoint);
	z->cloud.bucket = val_get_str(place, "container");
	if (!str_starts(endpoint, S("https://")) && !str_starts(endpoint, S("http://")))
		return err_set(e, ERR_INVALID, "azure: endpoint is \"%.*s\": write https://ACCOUNT.blob.core.windows.net",
		               STR_ARG(http_url_public(z->cloud.site->arena, endpoint)));
	if (!z->account.name.n || !z->cloud.bucket.n)
		return err_set(e, ERR_INVALID, "azure: it has no %s", z->cloud.bucket.n ? "account in its endpoint" : "container");
	if (val_is_true(val_get(place, S("useSDKCreds")))) {
		z->cloud.token_call = token_call;
		return 0;
	}
	return read_key(z, key.n ? key : sas, e);
}

static int
open_azure(const struct val *place, const struct artifact_site *site, void **state, struct err *e)
{
	struct azure *z = ARENA_NEW(site->arena, struct azure);
	*z = (struct azure){ .cloud = { .site = site, .name = "azure", .write = write_call, .refusal = http_xml_refusal } };
	if (crypto_load(e) < 0 || read_place(z, place, e) < 0)
		return -1;
	z->cloud.http = http_session_new();
	*state = z;
	return 0;
}

/* ---- getting ------------------------------------------------------------------------------------------------------- */

/* The MD5 that is kept with a blob, if it is. */
static int
check_md5(struct cloud *c, str key, int fd, int64_t start, const struct http_answer *ans, struct arena *a, struct err *e)
{
	str whole = http_answer_header(ans, "x-ms-blob-content-md5"), is;
	str kept = whole.n ? whole : ans->status == 200 ? http_answer_header(ans, "Content-MD5") : STR_NONE;
	if (!kept.n || start < 0)
		return 0;
	if (cloud_md5(fd, (uint64_t)start, (uint64_t)(lseek(fd, 0, SEEK_CUR) - start), a, &is, e) < 0)
		return -1;
	if (str_eq(is, kept))
		return 0;
	artifact_is_damaged(c->site);
	return err_set(e, ERR_UNAVAILABLE, "%.*s: what came has the MD5 %.*s, and not %.*s", STR_ARG(cloud_place(c, key, a)), STR_ARG(is), STR_ARG(kept));
}

/* An account with a hierarchical namespace has an empty blob for each folder, which is no file. */
static int
get(void *state, str key, int fd, struct err *e)
{
	struct cloud *c = state;
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct http_answer ans;
	int64_t start = cloud_file_start(fd);
	if (cloud_receive(c, &(struct cloud_request){ .method = "GET", .key = key }, fd, a, &ans, e) < 0)
		return -1;
	if (str_eq(http_answer_header(&ans, "x-ms-meta-hdi_isfolder"), S("true")))
		return err_set(e, ERR_NOT_FOUND, "%.*s: it is a folder", STR_ARG(cloud_place(c, key, a)));
	return check_md5(c, key, fd, start, &ans, a, e);
}

/* ---- putting ------------------------------------------------------------------------------------------------------- */

static int
put_whole(struct cloud *c, str key, int fd, uint64_t bytes, struct arena *a, struct err *e)
{
	struct http_answer ans;
	const struct http_header block[] = { { S("x-ms-blob-type"), S("BlockBlob") } };
	return cloud_put(c, &(struct cloud_request){ .key = key, .headers = block, .headers_n = 1, .bytes = bytes }, fd, 0, a, &ans, e);
}

static int
put(void *state, str key, int fd, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	uint64_t bytes;
	if (cloud_file_size(fd, &bytes, e) < 0)
		return -1;
	return bytes <= AT_ONCE ? put_whole(state, key, fd, bytes, a, e) : azure_put_blocks(state, key, fd, bytes, e);
}

/* ---- listing ------------------------------------------------------------------------------------------------------- */

static int
list(void *state, str prefix, bool (*each)(void *arg, str key, uint64_t bytes), void *arg, struct err *e)
{
	static const struct cloud_listing listing = { .query = { { S("comp"), S("list") }, { S("marker"), { 0 } }, { S("prefix"), { 0 } },
		{ S("restype"), S("container") } }, .n = 4, .prefix = 2, .marker = 1, .read = azure_page_read };
	return cloud_list(state, &listing, prefix, each, arg, e);
}

/* The blob of a folder that is not empty goes with the last of what is in it, or stays. */
static int
remove_object(void *state, str key, struct err *e)
{
	int rc = cloud_remove(state, key, e);
	return rc < 0 && str_find(str_c(e->msg), S("DirectoryIsNotEmpty"), 0) != SIZE_MAX ? 0 : rc;
}

const struct artifact_driver artifact_azure = { .name = "azure", .key = "blob", .open = open_azure, .close = cloud_close, .get = get, .put = put, .abandon = azure_abandon,
	.list = list, .remove = remove_object };
