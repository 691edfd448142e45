/* SPDX-License-Identifier: Apache-2.0 */
/* sigv4: the requests of AWS's published test suite and documentation, with the signatures published there. */
#include "core/base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "core/crypto.h"
#include "core/base64.h"
#include "core/net/msk.h"

#define SUITE_AT INT64_C(1440938160) /* 2015-08-30T12:36:00Z */

static const struct sigv4_keys suite_keys = { S("AKIDEXAMPLE"), S("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), STR_NONE };
static const struct sigv4_keys s3_keys = { S("AKIAIOSFODNN7EXAMPLE"), S("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), STR_NONE };

static const struct http_header form[] = { { S("Content-Type"), S("application/x-www-form-urlencoded") } };
static const struct http_header form_utf8[] = { { S("Content-Type"), S("application/x-www-form-urlencoded; charset=utf-8") } };
static const struct http_header case_and_spaces[] = { { S("My-Header1"), S(" value1") }, { S("My-Header2"), S(" \"a   b   c\" ") } };
static const struct http_header twice[] = { { S("My-Header1"), S("value2") }, { S("My-Header1"), S("value2") }, { S("My-Header1"), S("value1") } };
static const struct http_header range[] = { { S("Range"), S("bytes=0-9") } };

#define SUITE .host = S("example.amazonaws.com"), .region = S("us-east-1"), .service = S("service")

static const struct {
	const char *name;
	struct sigv4_request r;
	const struct sigv4_keys *keys;
	int64_t at;
	const char *signature;
} published[] = {
	{ "get-vanilla", { .method = S("GET"), .path = S("/"), SUITE }, &suite_keys, SUITE_AT,
	  "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
	{ "get-vanilla-query-order-key-case", { .method = S("GET"), .path = S("/"), .query = S("Param2=value2&Param1=value1"), SUITE }, &suite_keys,
	  SUITE_AT, "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
	{ "post-vanilla", { .method = S("POST"), .path = S("/"), SUITE }, &suite_keys, SUITE_AT,
	  "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b" },
	{ "post-x-www-form-urlencoded", { .method = S("POST"), .path = S("/"), .headers = form, .headers_n = 1, .body = S("Param1=value1"), SUITE },
	  &suite_keys, SUITE_AT, "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a" },
	{ "get-header-value-trim", { .method = S("GET"), .path = S("/"), .headers = case_and_spaces, .headers_n = 2, SUITE }, &suite_keys, SUITE_AT,
	  "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736" },
	{ "get-header-key-duplicate", { .method = S("GET"), .path = S("/"), .headers = twice, .headers_n = 3, SUITE }, &suite_keys, SUITE_AT,
	  "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea" },
	{ "ListUsers",
	  { .method = S("GET"), .path = S("/"), .query = S("Action=ListUsers&Version=2010-05-08"), .headers = form_utf8, .headers_n = 1,
	    .host = S("iam.amazonaws.com"), .region = S("us-east-1"), .service = S("iam") },
	  &suite_keys, SUITE_AT, "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7" },
	{ "s3 GET Object",
	  { .method = S("GET"), .path = S("/test.txt"), .headers = range, .headers_n = 1, .host = S("examplebucket.s3.amazonaws.com"),
	    .region = S("us-east-1"), .service = S("s3"), .once_encoded = true },
	  &s3_keys, INT64_C(1369353600), "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41" },
	{ "s3 GET Bucket lifecycle",
	  { .method = S("GET"), .path = S("/"), .query = S("lifecycle"), .host = S("examplebucket.s3.amazonaws.com"), .region = S("us-east-1"),
	    .service = S("s3"), .once_encoded = true },
	  &s3_keys, INT64_C(1369353600), "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543" },
};

static void
signatures_are_the_published_ones(void **state UNUSED)
{
	struct err e;
	assert_int_equal(crypto_load(&e), 0);
	for (size_t i = 0; i < ARRAY_LEN(published); i++) {
		struct arena *a CLEANUP(free_arena) = arena_new();
		size_t n;
		const struct http_header *h = sigv4_sign(&published[i].r, published[i].keys, published[i].at * NS_PER_SEC, a, &n);
		str last = h[n - 1].value, signature = str_slice(last, last.n - 64, last.n);
		assert_true(str_eq(h[n - 1].name, S("Authorization")));
		if (!str_eq(signature, str_c(published[i].signature)))
			fail_msg("%s: %.*s", published[i].name, STR_ARG(last));
	}
}

static void
a_session_token_is_sent_and_signed(void **state UNUSED)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct sigv4_keys keys = suite_keys;
	struct sigv4_request r = { .method = S("POST"), .path = S("/2015-03-31/functions/f/invocations"), SUITE };
	size_t n;
	keys.session_token = S("a/token==");
	const struct http_header *h = sigv4_sign(&r, &keys, SUITE_AT * NS_PER_SEC, a, &n);
	assert_int_equal(n, 3);
	assert_true(str_eq(h[1].name, S("X-Amz-Security-Token")) && str_eq(h[1].value, keys.session_token));
	assert_true(str_find(h[2].value, S("SignedHeaders=host;x-amz-date;x-amz-security-token, "), 0) != SIZE_MAX);
}

/* "Authenticating Requests: Using Query Parameters" of S3's API reference. */
static void
a_presigned_query_is_the_published_one(void **state UNUSED)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const struct sigv4_request r = { .method = S("GET"), .path = S("/test.txt"), .host = S("examplebucket.s3.amazonaws.com"), .region = S("us-east-1"),
	                                 .service = S("s3"), .once_encoded = true };
	assert_string_equal(sigv4_presign(&r, &s3_keys, INT64_C(1369353600) * NS_PER_SEC, 86400, a).p,
	                    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
	                    "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
	                    "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

/* In the form of aws-msk-iam-sasl-signer; the signatures are those of botocore, which AWS's signer for Python calls, for 2026-11-26T12:00:00Z. */
static void
a_token_for_msk(void **state UNUSED)
{
	static const struct {
		str session;
		const char *query;
	} cases[] = {
		{ STR_NONE, "&X-Amz-SignedHeaders=host&X-Amz-Signature=b76c0071d251e43b80a295877b83d8f7a9ae9cabc5d5155e6ecd019b61ce4c1a" },
		{ S("a/token=="), "&X-Amz-Security-Token=a%2Ftoken%3D%3D&X-Amz-SignedHeaders=host"
		                  "&X-Amz-Signature=81e11e0f435f71ee6d3fe04d64cb34cb93bc5e09a6f163523d28a936ef7efbfd" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena *a CLEANUP(free_arena) = arena_new();
		struct sigv4_keys keys = suite_keys;
		int64_t until, now = INT64_C(1795694400) * NS_PER_SEC;
		struct err e;
		str url;
		keys.session_token = cases[i].session;
		str token = msk_token(S("us-east-1"), &keys, now, a, &until);
		assert_int_equal(until, now + 900 * NS_PER_SEC);
		assert_int_equal(str_find_char(token, '=', 0), SIZE_MAX);
		assert_int_equal(base64_decode(a, token, &url, &e), 0);
		str expected = arena_fmt(a, "https://kafka.us-east-1.amazonaws.com/?Action=kafka-cluster%%3AConnect&X-Amz-Algorithm=AWS4-HMAC-SHA256"
			"&X-Amz-Credential=AKIDEXAMPLE%%2F20261126%%2Fus-east-1%%2Fkafka-cluster%%2Faws4_request&X-Amz-Date=20261126T120000Z&X-Amz-Expires=900"
			"%s&User-Agent=tidegate%%2F", cases[i].query);
		if (!str_starts(url, expected))
			fail_msg("%.*s", STR_ARG(url));
	}
}

static void
encoding_leaves_only_the_unreserved(void **state UNUSED)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	str all = sigv4_encode(a, S("Az09-_.~ /:%\xC3\xA9"), false), path = sigv4_encode(a, S("a/b c"), true);
	assert_true(str_eq(all, S("Az09-_.~%20%2F%3A%25%C3%A9")));
	assert_true(str_eq(path, S("a/b%20c")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signatures_are_the_published_ones),
		cmocka_unit_test(a_session_token_is_sent_and_signed),
		cmocka_unit_test(a_presigned_query_is_the_published_one),
		cmocka_unit_test(a_token_for_msk),
		cmocka_unit_test(encoding_leaves_only_the_unreserved),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
