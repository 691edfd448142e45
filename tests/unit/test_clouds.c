/* SPDX-License-Identifier: Apache-2.0 */
/* What the drivers of clouds stand on: signatures, accounts, keys of machines, checksums. The services themselves are in tests/integration. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "core/base64.h"
#include "core/crypto.h"
#include "core/diag.h"
#include "core/net/azure_storage.h"
#include "core/net/oss.h"
#include "engine/artifact/cloud.h"

#define NOVEMBER_2005 (INT64_C(1132253398) * NS_PER_SEC)

static str
header(const struct http_call *c, const char *name)
{
	for (size_t i = 0; i < c->headers_n; i++)
		if (str_eq(c->headers[i].name, str_c(name)))
			return c->headers[i].value;
	return STR_NONE;
}

/* The example of Alibaba's "Include signatures in the Authorization header". */
static void
the_signature_of_oss_is_the_published_one(void **state UNUSED)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const struct http_header headers[] = { { S("Content-Type"), S("text/html") }, { S("Content-MD5"), S("ODBGOERFMDMzQTczRUY3NUE3NzA5QzdFNUYzMDQxNEM=") },
		{ S("x-oss-magic"), S("abracadabra") }, { S("x-oss-meta-author"), S("foo@bar.com") } };
	const struct oss_request r = { .endpoint = S("http://oss-cn-hangzhou.aliyuncs.com"), .method = S("PUT"), .bucket = S("oss-example"), .key = S("nelson"),
		.headers = headers, .headers_n = ARRAY_LEN(headers) };
	const struct oss_keys k = { S("44CF9590006BF252F707"), S("OtxrzxIsfpFjA7SwPzILwy8Bw21TLhquhboDYROV"), STR_NONE, INT64_MAX };
	struct http_call call;
	oss_call(&r, &k, NOVEMBER_2005, a, &call);
	assert_string_equal(call.url.p, "http://oss-example.oss-cn-hangzhou.aliyuncs.com/nelson");
	assert_string_equal(header(&call, "Authorization").p, "OSS 44CF9590006BF252F707:26NBxoKdsyly4EDv6inkoDft/yA=");
}

static void
an_address_has_the_bucket_in_its_path(void **state UNUSED)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const struct http_header query[] = { { S("prefix"), S("a b&c") }, { S("uploads"), STR_NONE } };
	struct oss_request r = { .endpoint = S("https://10.0.0.1:8080"), .method = S("GET"), .bucket = S("b"), .key = S("x y/z"), .query = query,
		.query_n = ARRAY_LEN(query) };
	const struct oss_keys k = { S("a"), S("s"), S("t"), INT64_MAX };
	struct http_call call;
	oss_call(&r, &k, NOVEMBER_2005, a, &call);
	assert_string_equal(call.url.p, "https://10.0.0.1:8080/b/x%20y/z?prefix=a%20b%26c&uploads");
	assert_string_equal(header(&call, "x-oss-security-token").p, "t");
	r.endpoint = S("http://[::1]:80");
	oss_call(&r, &k, NOVEMBER_2005, a, &call);
	assert_true(str_starts(call.url, S("http://[::1]:80/b/x")));
}

static void
keys_of_a_machine_are_used_until_shortly_before_they_end(void **state UNUSED)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct oss_keys k;
	struct err e;
	assert_int_equal(oss_keys_read(S("{\"AccessKeyId\": \"i\", \"AccessKeySecret\": \"s\", \"SecurityToken\": \"t\", \"Expiration\": \"1970-01-01T01:00:00Z\"}"),
	                               a, &k, &e), 0);
	assert_true(str_eq(k.secret_key, S("s")) && str_eq(k.token, S("t")));
	assert_int_equal(k.until_ns, INT64_C(3300) * NS_PER_SEC);
	assert_int_equal(oss_keys_read(S("{\"AccessKeyId\": \"i\", \"AccessKeySecret\": \"s3cr3t\"}"), a, &k, &e), -1);
	assert_null(strstr(e.msg, "s3cr3t"));
	assert_int_equal(oss_keys_read(S("<html>"), a, &k, &e), -1);
}

static void
an_account_is_found_in_its_endpoint(void **state UNUSED)
{
	static const struct {
		const char *endpoint, *account;
	} cases[] = { { "https://acc.blob.core.windows.net", "acc" }, { "http://127.0.0.1:10000/devstoreaccount1", "devstoreaccount1" },
		      { "http://azurite:10000/one/more", "one" }, { "no url", "" } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_true(str_eq(azure_account_of(str_c(cases[i].endpoint)), str_c(cases[i].account)));
}

static void
a_key_with_a_query_is_a_signature(void **state UNUSED)
{
	assert_true(azure_key_is_sas(S("?sv=2020&sig=x")));
	assert_true(azure_key_is_sas(S("sv=2020&sig=x")));
	assert_false(azure_key_is_sas(S("a2V5IG9mIHRoZSBhY2NvdW50/+==")));
	assert_false(azure_key_is_sas(S("")));
}

/* The check values that catalogues of CRCs have for these nine bytes; and from the middle of a file, beyond a page. */
static void
checksums_are_those_of_the_catalogues(void **state UNUSED)
{
	static const struct {
		uint64_t polynomial, check;
	} crcs[] = { { CLOUD_CRC64_XZ, UINT64_C(0x995DC9BBDF1939FA) }, { CLOUD_CRC64_NVME, UINT64_C(0xAE8B14860A799888) }, { CLOUD_CRC32, 0xCBF43926 } };
	struct arena *a CLEANUP(free_arena) = arena_new();
	FILE *f = tmpfile();
	struct err e;
	uint32_t crc32;
	uint64_t crc64;
	str md5;
	assert_non_null(f);
	assert_int_equal(fseek(f, 5000, SEEK_SET), 0);
	assert_true(fputs("123456789", f) >= 0 && fflush(f) == 0);
	assert_int_equal(cloud_crc32c(fileno(f), 5000, 9, &crc32, &e), 0);
	assert_int_equal(crc32, 0xE3069283u);
	for (size_t i = 0; i < ARRAY_LEN(crcs); i++) {
		assert_int_equal(cloud_crc(crcs[i].polynomial, fileno(f), 5000, 9, &crc64, &e), 0);
		assert_true(crc64 == crcs[i].check);
	}
	assert_int_equal(cloud_md5(fileno(f), 5000, 9, a, &md5, &e), 0);
	assert_string_equal(md5.p, "JfnnlDI7RTiF9RgfG2JNCw==");
	assert_int_equal(cloud_md5(fileno(f), 0, 0, a, &md5, &e), 0);
	assert_string_equal(md5.p, "1B2M2Y8AsgTpgAmY7PhCfg==");
	fclose(f);
}

static void
parts_grow_so_that_there_are_not_too_many(void **state UNUSED)
{
	const uint64_t mib = 1 << 20;
	assert_int_equal(cloud_part_size(1, 10000), 32 * mib);
	assert_int_equal(cloud_part_size(10000 * 32 * mib - 1, 10000), 32 * mib);
	assert_int_equal(cloud_part_size(10000 * 32 * mib, 10000), 64 * mib);
}

/* What is wrong with a place is said before anybody is asked, and without its secrets. */
static void
a_place_that_is_wrong_is_refused(void **state UNUSED)
{
	static const struct {
		const char *driver, *place, *why;
		enum err_code code;
	} cases[] = {
		{ "gcs", "{}", "gcs: it has no bucket", ERR_INVALID },
		{ "azure", "{endpoint: acc.blob.core.windows.net, container: c}", "azure: endpoint is \"acc.blob.core.windows.net\": write "
			"https://ACCOUNT.blob.core.windows.net", ERR_INVALID },
		{ "azure", "{endpoint: \"https://a.b\"}", "azure: it has no container", ERR_INVALID },
		{ "azure", "{endpoint: \"https://a.b\", container: c}", "azure: accountKeySecret is needed, or useSDKCreds: true", ERR_UNAUTHENTICATED },
		{ "azure", "{endpoint: \"https://a.b\", container: c, accountKey: \"s3cr3t!\"}", "azure: what accountKeySecret selects is neither a key (base64) nor a "
			"shared access signature", ERR_UNAUTHENTICATED },
		{ "oss", "{bucket: b}", "oss: endpoint is \"\": write https://oss-REGION.aliyuncs.com", ERR_INVALID },
		{ "oss", "{endpoint: \"https://h/path\", bucket: b}", "oss: endpoint is \"https://h/path\": write https://oss-REGION.aliyuncs.com", ERR_INVALID },
		{ "oss", "{endpoint: h, bucket: b, accessKey: k}", "oss: accessKeySecret and secretKeySecret are needed, or useSDKCreds: true", ERR_UNAUTHENTICATED },
		{ "oss", "{endpoint: h, bucket: b, accessKey: k, secretKey: s, lifecycleRule: {markDeletionAfterDays: -1}}", "oss: lifecycleRule: days cannot be "
			"negative", ERR_INVALID },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena *a CLEANUP(free_arena) = arena_new();
		const struct artifact_site site = { .arena = a, .scratch = -1 };
		const struct artifact_driver *d = artifact_driver_named(str_c(cases[i].driver));
		struct diags problems;
		struct val *docs;
		struct err e;
		void *driver;
		size_t n;
		diags_init(&problems);
		assert_int_equal(yaml_read_all(a, S("place"), str_c(cases[i].place), NULL, &docs, &n, &problems), 0);
		assert_int_equal(d->open(&docs[0], &site, &driver, &e), -1);
		assert_string_equal(e.msg, cases[i].why);
		assert_int_equal(e.code, cases[i].code);
		diags_free(&problems);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_signature_of_oss_is_the_published_one),
		cmocka_unit_test(an_address_has_the_bucket_in_its_path),
		cmocka_unit_test(keys_of_a_machine_are_used_until_shortly_before_they_end),
		cmocka_unit_test(an_account_is_found_in_its_endpoint),
		cmocka_unit_test(a_key_with_a_query_is_a_signature),
		cmocka_unit_test(checksums_are_those_of_the_catalogues),
		cmocka_unit_test(parts_grow_so_that_there_are_not_too_many),
		cmocka_unit_test(a_place_that_is_wrong_is_refused),
	};
	struct err e;
	if (crypto_load(&e) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
