/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The oss driver: objects of Alibaba's OSS. An endpoint without a scheme is spoken to without TLS, as Alibaba's own library does. With useSDKCreds the keys
 * are those of the environment, else of the machine's role. What has gone or come is compared by the CRC-64 that the service keeps of each object.
 */
#include <unistd.h>

#include "core/base64.h"
#include "core/crypto.h"
#include "core/net/oss.h"
#include "core/xml.h"
#include "engine/artifact/oss.h"

#define AT_ONCE ((uint64_t)32 << 20) /* a larger file goes in parts */

struct oss {
	struct cloud cloud; /* first */
	struct oss_keys keys;
	bool around;        /* the keys are who the machine is */
	bool make_bucket;
	int64_t rare_days, gone_days; /* of the lifecycle rule; 0: none */
};

/* ---- keys ---------------------------------------------------------------------------------------------------------- */

struct metadata {
	str role, session;
};

static int
session_request(void *arg UNUSED, uint64_t from UNUSED, str etag UNUSED, struct arena *a, struct http_call *call, struct err *e UNUSED)
{
	oss_metadata_session_call(a, call);
	return 0;
}

static int
metadata_request(void *arg, uint64_t from UNUSED, str etag UNUSED, struct arena *a, struct http_call *call, struct err *e UNUSED)
{
	const struct metadata *m = arg;
	oss_metadata_call(m->role, m->session, a, call);
	return 0;
}

static int
ask_metadata(struct oss *o, struct metadata *m, struct arena *a, str *out, struct err *e)
{
	struct http_answer ans;
	const struct http_transfer t = { .request = metadata_request, .arg = m, .tries = 3 };
	if (http_ask(o->cloud.http, &t, a, &ans, e) < 0)
		return err_wrap(e, "oss: useSDKCreds: neither ALIBABA_CLOUD_ACCESS_KEY_ID and _SECRET, nor the machine's role");
	*out = str_trim(ans.body);
	return ans.status == 200 ? 0 : err_set(e, ERR_UNAUTHENTICATED, "oss: useSDKCreds: the metadata service has no role for this machine: it answers with %d",
	                                       ans.status);
}

/* A machine's metadata may want a session first. */
static int
keys_of_machine(struct oss *o, struct err *e)
{
	struct arena *a = o->cloud.site->arena;
	struct metadata m = { .role = STR_NONE };
	struct http_answer ans;
	const struct http_transfer session = { .request = session_request, .tries = 1 };
	str role, keys;
	if (http_ask(o->cloud.http, &session, a, &ans, e) == 0 && ans.status == 200)
		m.session = str_trim(ans.body);
	if (ask_metadata(o, &m, a, &role, e) < 0)
		return -1;
	m.role = role;
	return ask_metadata(o, &m, a, &keys, e) < 0 ? -1 : oss_keys_read(keys, a, &o->keys, e);
}

static int
find_keys(struct oss *o, struct err *e)
{
	if (!o->around || cloud_now_ns() < o->keys.until_ns)
		return 0;
	return oss_keys_around(&o->keys) ? 0 : keys_of_machine(o, e);
}

/* ---- the place ----------------------------------------------------------------------------------------------------- */

static int
write_call(struct cloud *c, const struct cloud_request *r, struct arena *a, struct http_call *out, struct err *e)
{
	struct oss *o = (struct oss *)c;
	const struct oss_request q = { .endpoint = c->endpoint, .method = str_c(r->method), .bucket = c->bucket, .key = r->key, .query = r->query,
		.query_n = r->query_n, .headers = r->headers, .headers_n = r->headers_n };
	if (find_keys(o, e) < 0)
		return -1;
	oss_call(&q, &o->keys, cloud_now_ns(), a, out);
	out->body = r->body;
	return 0;
}

static int64_t
days(const struct val *rule, const char *name)
{
	int64_t n = 0;
	return val_to_i64(val_get(rule, str_c(name)), &n) ? n : 0;
}

static int
read_rule(struct oss *o, const struct val *rule, struct err *e)
{
	o->rare_days = days(rule, "markInfrequentAccessAfterDays");
	o->gone_days = days(rule, "markDeletionAfterDays");
	if (o->rare_days < 0 || o->gone_days < 0)
		return err_set(e, ERR_INVALID, "oss: lifecycleRule: days cannot be negative");
	if (o->gone_days && o->rare_days > o->gone_days)
		return err_set(e, ERR_INVALID, "oss: lifecycleRule: markInfrequentAccessAfterDays cannot be larger than markDeletionAfterDays");
	return 0;
}

static int
read_place(struct oss *o, const struct val *place, struct err *e)
{
	str endpoint = val_get_str(place, "endpoint");
	while (str_ends(endpoint, S("/")))
		endpoint.n--;
	bool scheme = str_starts(endpoint, S("https://")) || str_starts(endpoint, S("http://"));
	o->cloud.endpoint = scheme ? endpoint : arena_fmt(o->cloud.site->arena, "http://%.*s", STR_ARG(endpoint));
	o->cloud.bucket = val_get_str(place, "bucket");
	if (!endpoint.n || str_find_char(o->cloud.endpoint, '/', 8) != SIZE_MAX)
		return err_set(e, ERR_INVALID, "oss: endpoint is \"%.*s\": write https://oss-REGION.aliyuncs.com",
		               STR_ARG(http_url_public(o->cloud.site->arena, endpoint)));
	if (!o->cloud.bucket.n || str_find_char(o->cloud.bucket, '/', 0) != SIZE_MAX)
		return err_set(e, ERR_INVALID, "oss: it has no bucket, or one with a slash in its name");
	o->make_bucket = val_is_true(val_get(place, S("createBucketIfNotPresent")));
	o->around = val_is_true(val_get(place, S("useSDKCreds")));
	o->keys = (struct oss_keys){ val_get_str(place, "accessKey"), val_get_str(place, "secretKey"), val_get_str(place, "securityToken"),
		                     o->around ? 0 : INT64_MAX };
	if (!o->around && (!o->keys.access_key.n || !o->keys.secret_key.n))
		return err_set(e, ERR_UNAUTHENTICATED, "oss: accessKeySecret and secretKeySecret are needed, or useSDKCreds: true");
	return read_rule(o, val_get(place, S("lifecycleRule")), e);
}

static int
open_oss(const struct val *place, const struct artifact_site *site, void **state, struct err *e)
{
	struct oss *o = ARENA_NEW(site->arena, struct oss);
	*o = (struct oss){ .cloud = { .site = site, .name = "oss", .write = write_call, .refusal = http_xml_refusal } };
	if (crypto_load(e) < 0 || read_place(o, place, e) < 0)
		return -1;
	o->cloud.http = http_session_new();
	*state = o;
	return 0;
}

/* ---- objects ------------------------------------------------------------------------------------------------------- */

int
oss_compare_crc(struct cloud *c, str key, int fd, uint64_t offset, uint64_t bytes, const struct http_answer *ans, struct arena *a, struct err *e)
{
	str kept = http_answer_header(ans, "x-oss-hash-crc64ecma");
	uint64_t crc;
	if (!kept.n)
		return 0;
	if (cloud_crc(CLOUD_CRC64_XZ, fd, offset, bytes, &crc, e) < 0)
		return -1;
	str is = arena_fmt(a, "%llu", (unsigned long long)crc);
	if (str_eq(is, kept))
		return 0;
	artifact_is_damaged(c->site);
	return err_set(e, ERR_UNAVAILABLE, "%.*s: its CRC-64 is %.*s here and %.*s there", STR_ARG(cloud_place(c, key, a)), STR_ARG(is), STR_ARG(kept));
}

static int
get(void *state, str key, int fd, struct err *e)
{
	struct cloud *c = state;
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct http_answer ans;
	int64_t start = cloud_file_start(fd);
	if (cloud_receive(c, &(struct cloud_request){ .method = "GET", .key = key }, fd, a, &ans, e) < 0)
		return -1;
	return start < 0 ? 0 : oss_compare_crc(c, key, fd, (uint64_t)start, (uint64_t)(lseek(fd, 0, SEEK_CUR) - start), &ans, a, e);
}

static int
list(void *state, str prefix, bool (*each)(void *arg, str key, uint64_t bytes), void *arg, struct err *e)
{
	static const struct cloud_listing listing = { .query = { { S("encoding-type"), S("url") }, { S("marker"), { 0 } }, { S("max-keys"), S("1000") },
		{ S("prefix"), { 0 } } }, .n = 4, .prefix = 3, .marker = 1, .read = oss_page_read };
	return cloud_list(state, &listing, prefix, each, arg, e);
}

/* ---- putting ------------------------------------------------------------------------------------------------------- */

static int
put_whole(struct cloud *c, str key, int fd, uint64_t bytes, struct arena *a, struct err *e)
{
	struct http_answer ans;
	return cloud_put(c, &(struct cloud_request){ .key = key, .bytes = bytes }, fd, 0, a, &ans, e);
}

/* ---- the bucket ---------------------------------------------------------------------------------------------------- */

static int
make_bucket(struct cloud *c, int fd, struct arena *a, struct err *e)
{
	struct http_answer ans;
	return cloud_send(c, &(struct cloud_request){ .method = "PUT" }, fd, 0, a, &ans, e);
}

/* A name for what the rule says: where it stands already there is nothing to do. */
static str
rule_id(const struct oss *o, str key, struct arena *a)
{
	return arena_fmt(a, "tidegate-%016llx", (unsigned long long)str_fnv64a(arena_fmt(a, "%lld %lld %.*s", (long long)o->rare_days, (long long)o->gone_days,
		STR_ARG(key))));
}

static str
rule_text(const struct oss *o, str key, str id, struct arena *a)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	buf_addf(&b, "<Rule><ID>%.*s</ID><Prefix>", STR_ARG(id));
	xml_escape(&b, key);
	buf_add(&b, S("</Prefix><Status>Enabled</Status>"));
	if (o->rare_days)
		buf_addf(&b, "<Transition><Days>%lld</Days><StorageClass>IA</StorageClass></Transition>", (long long)o->rare_days);
	if (o->gone_days)
		buf_addf(&b, "<Expiration><Days>%lld</Days></Expiration>", (long long)o->gone_days);
	buf_add(&b, S("</Rule>"));
	return arena_dup(a, buf_str(&b));
}

/* All rules are put at once: ours comes after those that are there. */
static int
put_rule(struct oss *o, str key, struct arena *a, struct err *e)
{
	unsigned char sum[CRYPTO_HASH_MAX];
	struct http_answer ans;
	const struct http_header query[] = { { S("lifecycle"), STR_NONE } };
	struct cloud_request r = { .method = "GET", .query = query, .query_n = 1, .fine = 404 };
	str id = rule_id(o, key, a), end = S("</LifecycleConfiguration>");
	if (cloud_ask(&o->cloud, &r, a, &ans, e) < 0)
		return -1;
	size_t at = ans.status == 404 ? SIZE_MAX : str_find(ans.body, end, 0);
	if (at != SIZE_MAX && str_find(ans.body, id, 0) != SIZE_MAX)
		return 0;
	str before = at == SIZE_MAX ? S("<LifecycleConfiguration>") : str_slice(ans.body, 0, at);
	r.body = arena_fmt(a, "%.*s%.*s%.*s", STR_ARG(before), STR_ARG(rule_text(o, key, id, a)), STR_ARG(end));
	const size_t n = crypto_hash("md5", r.body, sum);
	const struct http_header headers[] = { { S("Content-Type"), S("application/xml") }, { S("Content-MD5"), base64_encode(a, (str){ (const char *)sum, n }) } };
	r.method = "PUT";
	r.headers = headers;
	r.headers_n = ARRAY_LEN(headers);
	r.fine = 0;
	return cloud_ask(&o->cloud, &r, a, &ans, e) < 0 ? err_wrap(e, "lifecycleRule") : 0;
}

static int
put_once(struct cloud *c, str key, int fd, uint64_t bytes, struct arena *a, struct err *e)
{
	return bytes <= AT_ONCE ? put_whole(c, key, fd, bytes, a, e) : oss_put_parts(c, key, fd, bytes, e);
}

static int
put(void *state, str key, int fd, struct err *e)
{
	struct oss *o = state;
	struct arena *a CLEANUP(free_arena) = arena_new();
	uint64_t bytes;
	if (cloud_file_size(fd, &bytes, e) < 0)
		return -1;
	int rc = put_once(&o->cloud, key, fd, bytes, a, e);
	if (rc < 0 && o->make_bucket && e->code == ERR_NOT_FOUND && str_find(str_c(e->msg), S("NoSuchBucket"), 0) != SIZE_MAX)
		rc = make_bucket(&o->cloud, fd, a, e) < 0 ? -1 : put_once(&o->cloud, key, fd, bytes, a, e);
	return rc == 0 && (o->rare_days || o->gone_days) ? put_rule(o, key, a, e) : rc;
}

const struct artifact_driver artifact_oss = { .name = "oss", .key = "key", .open = open_oss, .close = cloud_close, .get = get, .put = put, .abandon = oss_abandon,
	.list = list, .remove = cloud_remove };
