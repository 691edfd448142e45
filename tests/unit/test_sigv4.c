/* SPDX-License-Identifier: Apache-2.0 */
/* sigv4: the requests of AWS's published test suite and of its documentation, with the signatures published there. */
#include "core/base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "core/crypto.h"
#include "core/base64.h"
#include "core/net/msk.h"

#define SUITE_AT INT64_C(1440938160) /* 2015-08-30T12:36:00Z */

/* Token of the suite's post-sts-header-before. */
#define STS_TOKEN "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/" \
	"qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbq" \
	"BAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
#define PARAM1_SHA256 "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e" /* of "Param1=value1" */
#define UNRESERVED "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

enum whose { SUITE, SUITE_TOKEN, SUITE_STS, IAM, S3 };

/* Who asks, where, and when. */
static const struct {
	struct sigv4_keys keys;
	const char *host, *service;
	int64_t at;
} asked[] = {
	[SUITE] = { { S("AKIDEXAMPLE"), S("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), STR_NONE }, "example.amazonaws.com", "service", SUITE_AT },
	[SUITE_TOKEN] = { { S("AKIDEXAMPLE"), S("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
	                    S("6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267") }, "example.amazonaws.com", "service", SUITE_AT },
	[SUITE_STS] = { { S("AKIDEXAMPLE"), S("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), S(STS_TOKEN) }, "example.amazonaws.com", "service", SUITE_AT },
	[IAM] = { { S("AKIDEXAMPLE"), S("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), STR_NONE }, "iam.amazonaws.com", "iam", SUITE_AT },
	[S3] = { { S("AKIAIOSFODNN7EXAMPLE"), S("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), STR_NONE }, "examplebucket.s3.amazonaws.com", "s3",
	         INT64_C(1369353600) },
};

/*
 * "aws-sig-v4-test-suite" of AWS's General Reference, since 2021 in awslabs/aws-c-auth below tests/aws-signing-test-suite/v4, from where the cases with
 * a hash of the body in a header are. Those for who cleans paths ("-normalized") are left out: a path is signed as it is. IAM is the example of "Create a
 * signed AWS API request"; those of s3 are from "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk". Headers
 * are in "Name:value" lines; a value that was folded over lines stands in one, as HTTP has it today (RFC 9112, 5.2).
 */
static const struct {
	const char *name;
	enum whose whose;
	const char *method, *path, *query, *headers, *body, *signature;
} published[] = {
	{ "get-header-key-duplicate", SUITE, "GET", "/", "", "My-Header1:value2\nMy-Header1:value2\nMy-Header1:value1", "",
	  "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea" },
	{ "get-header-value-multiline", SUITE, "GET", "/", "", "My-Header1:value1   value2      value3", "",
	  "cfd34249e4b1c8d6b91ef74165d41a32e5fab3306300901bb65a51a73575eefd" },
	{ "get-header-value-order", SUITE, "GET", "/", "", "My-Header1:value4\nMy-Header1:value1\nMy-Header1:value3\nMy-Header1:value2", "",
	  "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01" },
	{ "get-header-value-trim", SUITE, "GET", "/", "", "My-Header1: value1\nMy-Header2: \"a   b   c\"", "",
	  "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736" },
	{ "get-relative-unnormalized", SUITE, "GET", "/example/..", "", "", "",
	  "eca7ead57bb5aa5c8e28007acd4ff04e1ff9a0ff3b237ec1554a184887ff9282" },
	{ "get-relative-relative-unnormalized", SUITE, "GET", "/example1/example2/../..", "", "", "",
	  "dc33e0856fd4baca4d7aa2146c38958283844764f38c74252a333df5e613003b" },
	{ "get-slash-unnormalized", SUITE, "GET", "//", "", "", "",
	  "c88bcd3d312d75078c0cd961d6deae3f4c754924b01669efcfcb439fd5e5b76e" },
	{ "get-slash-dot-slash-unnormalized", SUITE, "GET", "/./", "", "", "",
	  "68714168e6557f8f2de0ef956fc24dc2593a4bd2961f8df51898d8a134695145" },
	{ "get-slash-pointless-dot-unnormalized", SUITE, "GET", "/./example", "", "", "",
	  "beb03f223f7deae4146464f06e29eebbee9c8afbe15c290cf07aa8b119e14cff" },
	{ "get-slashes-unnormalized", SUITE, "GET", "//example//", "", "", "",
	  "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5" },
	{ "get-space", SUITE, "GET", "/example space/", "", "", "",
	  "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741" },
	{ "get-unreserved", SUITE, "GET", "/" UNRESERVED, "", "", "",
	  "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f" },
	{ "get-utf8", SUITE, "GET", "/\xE1\x88\xB4", "", "", "",
	  "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85" },
	{ "get-vanilla", SUITE, "GET", "/", "", "", "",
	  "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
	{ "get-vanilla-empty-query-key", SUITE, "GET", "/", "Param1=value1", "", "",
	  "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb" },
	{ "get-vanilla-query-order-encoded", SUITE, "GET", "/", "Param-3=Value3&Param=Value2&%E1%88%B4=Value1", "", "",
	  "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac" },
	{ "get-vanilla-query-order-key-case", SUITE, "GET", "/", "Param2=value2&Param1=value1", "", "",
	  "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
	{ "get-vanilla-query-order-value", SUITE, "GET", "/", "Param1=value2&Param1=value1", "", "",
	  "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694" },
	{ "get-vanilla-query-unreserved", SUITE, "GET", "/", UNRESERVED "=" UNRESERVED, "", "",
	  "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197" },
	{ "get-vanilla-utf8-query", SUITE, "GET", "/", "%E1%88%B4=bar", "", "",
	  "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04" },
	{ "get-vanilla-with-session-token", SUITE_TOKEN, "GET", "/", "", "", "",
	  "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8" },
	{ "post-header-key-sort", SUITE, "POST", "/", "", "My-Header1:value1", "",
	  "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c" },
	{ "post-header-value-case", SUITE, "POST", "/", "", "My-Header1:VALUE1", "",
	  "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d" },
	{ "post-sts-header-before", SUITE_STS, "POST", "/", "", "", "",
	  "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead" },
	{ "post-vanilla, post-header-key-case, post-sts-header-after", SUITE, "POST", "/", "", "", "",
	  "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b" },
	{ "post-vanilla-query, post-vanilla-empty-query-value", SUITE, "POST", "/", "Param1=value1", "", "",
	  "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11" },
	{ "post-x-www-form-urlencoded", SUITE, "POST", "/", "", "Content-Type:application/x-www-form-urlencoded", "Param1=value1",
	  "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a" },
	{ "post-x-www-form-urlencoded, with its hash", SUITE, "POST", "/", "",
	  "Content-Type:application/x-www-form-urlencoded\nContent-Length:13\nX-Amz-Content-Sha256:" PARAM1_SHA256, "Param1=value1",
	  "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b" },
	{ "post-x-www-form-urlencoded-parameters, with its hash", SUITE, "POST", "/", "",
	  "Content-Type:application/x-www-form-urlencoded; charset=utf-8\nContent-Length:13\nX-Amz-Content-Sha256:" PARAM1_SHA256, "Param1=value1",
	  "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422" },
	{ "ListUsers", IAM, "GET", "/", "Action=ListUsers&Version=2010-05-08", "Content-Type:application/x-www-form-urlencoded; charset=utf-8", "",
	  "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7" },
	{ "GET Object", S3, "GET", "/test.txt", "", "Range:bytes=0-9", "",
	  "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41" },
	{ "PUT Object", S3, "PUT", "/test%24file.text", "",
	  "Date:Fri, 24 May 2013 00:00:00 GMT\nX-Amz-Storage-Class:REDUCED_REDUNDANCY", "Welcome to Amazon S3.",
	  "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd" },
	{ "GET Bucket Lifecycle", S3, "GET", "/", "lifecycle", "", "",
	  "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543" },
	{ "Get Bucket (List Objects)", S3, "GET", "/", "max-keys=2&prefix=J", "", "",
	  "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7" },
	{ "Get Bucket (List Objects), the other way round", S3, "GET", "/", "prefix=J&max-keys=2", "", "",
	  "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7" },
};

/* "Name:value" lines. */
static size_t
read_headers(struct http_header *out, str lines)
{
	size_t n = 0;
	while (lines.n) {
		str value = str_cut(&lines, '\n'), name = str_cut(&value, ':');
		out[n++] = (struct http_header){ name, value };
	}
	return n;
}

static str
published_signature(size_t i, struct arena *a)
{
	struct http_header headers[8];
	size_t n;
	enum whose w = published[i].whose;
	const struct sigv4_request r = { .method = str_c(published[i].method), .path = str_c(published[i].path), .query = str_c(published[i].query),
		.host = str_c(asked[w].host), .headers = headers, .headers_n = read_headers(headers, str_c(published[i].headers)),
		.body = str_c(published[i].body), .region = S("us-east-1"), .service = str_c(asked[w].service), .once_encoded = w == S3 };
	const struct http_header *h = sigv4_sign(&r, &asked[w].keys, asked[w].at * NS_PER_SEC, a, &n);
	assert_true(str_eq(h[n - 1].name, S("Authorization")));
	return h[n - 1].value;
}

static void
signatures_are_the_published_ones(void **state UNUSED)
{
	struct err e;
	assert_int_equal(crypto_load(&e), 0);
	for (size_t i = 0; i < ARRAY_LEN(published); i++) {
		struct arena *a CLEANUP(free_arena) = arena_new();
		str is = published_signature(i, a);
		if (!str_ends(is, arena_fmt(a, ", Signature=%s", published[i].signature)))
			fail_msg("%s: %.*s", published[i].name, STR_ARG(is));
	}
}

static void
a_session_token_is_sent_and_signed(void **state UNUSED)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct sigv4_keys keys = asked[SUITE].keys;
	struct sigv4_request r = { .method = S("POST"), .path = S("/2015-03-31/functions/f/invocations"), .host = str_c(asked[SUITE].host),
		.region = S("us-east-1"), .service = str_c(asked[SUITE].service) };
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
	assert_string_equal(sigv4_presign(&r, &asked[S3].keys, INT64_C(1369353600) * NS_PER_SEC, 86400, a).p,
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
		struct sigv4_keys keys = asked[SUITE].keys;
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
