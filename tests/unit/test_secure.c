/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures of webhooks: what each sender's own documentation or SDK says is signed passes, and nothing else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/crypto.h"
#include "sources/secure.h"

/* A request as the sender documents it. */
struct vector {
	const char *from;
	const struct signature *row;
	const char *secret, *signature, *timestamp, *id, *body;
	int64_t at; /* seconds since 1970 */
	const char *known_by; /* the delivery; NULL: nothing */
};

static const struct signature shopify = { "X-Shopify-Hmac-Sha256", .form = SIGNATURE_BASE64, .hash = "sha256", .content = "{body}",
	.status = 401, .missing = "missing", .wrong = "wrong" };

#define STRIPE_BODY "{\n  \"id\": \"evt_123\",\n  \"object\": \"event\",\n  \"account\": \"acct_123\",\n  \"api_version\": \"2017-05-25\",\n" \
	"  \"created\": 1533204620,\n  \"data\": {\n    \"object\": {\n      \"id\": \"cus_123\",\n      \"object\": \"customer\",\n" \
	"      \"created\": 123456789,\n      \"email\": \"test@stripe.com\",\n      \"livemode\": false,\n      \"metadata\": {}\n    }\n  },\n" \
	"  \"livemode\": false,\n  \"pending_webhooks\": 1,\n  \"request\": {\n    \"id\": \"req_123\",\n" \
	"    \"idempotency_key\": \"idempotency-key-123\"\n  },\n  \"type\": \"customer.created\"\n}\n"
#define SLACK_BODY "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar" \
	"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands" \
	"%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"

static const struct vector vectors[] = {
	{ "GitHub, Validating webhook deliveries", &signatures[SIGNED_GITHUB], "It's a Secret to Everybody",
	  "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", .id = "d-1", .body = "Hello, World!", .known_by = "d-1" },
	{ "Atlassian, Manage webhooks", &signatures[SIGNED_BITBUCKET], "It's a Secret to Everybody",
	  "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9", .body = "Hello World!" },
	{ "the same, of Bitbucket Data Center", &signatures[SIGNED_BITBUCKET_SERVER], "It's a Secret to Everybody",
	  "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9", .body = "Hello World!" },
	{ "the same digits as Gitea writes them", &signatures[SIGNED_GITEA], "It's a Secret to Everybody",
	  "a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9", .body = "Hello World!" },
	{ "GitLab, Webhooks", &signatures[SIGNED_GITLAB], "a-token", "a-token", .id = "f5e5f430-f57b-4e6e-9fac-d9128cd7232f",
	  .known_by = "f5e5f430-f57b-4e6e-9fac-d9128cd7232f" },
	{ "Slack, Verifying requests", &signatures[SIGNED_SLACK], "8f742231b10e8888abcd99yyyzzz85a5",
	  "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503", .timestamp = "1531420618", .body = SLACK_BODY,
	  .at = 1531420618, .known_by = "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503" },
	{ "stripe-dotnet, EventUtilityTest", &signatures[SIGNED_STRIPE], "webhook_secret",
	  "t=1533204620,v1=2220f87ef101a04665f11cdf770523143f875572008577fa0f20882ddb9cc3c7,"
	  "v0=63f3a72374a733066c4be69ed7f8e5ac85c22c9f0a6a612ab9a025a9e4ee7eef", .body = STRIPE_BODY, .at = 1533204620,
	  .known_by = "2220f87ef101a04665f11cdf770523143f875572008577fa0f20882ddb9cc3c7" },
	{ "Standard Webhooks, its libraries' test", &signatures[SIGNED_STANDARD], "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
	  "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "1614265330", "msg_p5jXN8AQM9LWM0D4loKWxJek", "{\"test\": 2432232314}", 1614265330,
	  "msg_p5jXN8AQM9LWM0D4loKWxJek" },
	{ "base64 of the body alone (made with Python)", &shopify, "shop-secret", "plW8VGqq0nDMIEhDqaNNW99asdUCy7EIqLZVcQwtAZ0=",
	  .body = "{\"id\":1}" },
};

static int
check(const struct vector *v, str signature, str body, int64_t at, struct arena *a, str *id, struct err *e)
{
	struct signed_message m = { signature, str_c(v->timestamp), str_c(v->id), body };
	return signature_check(v->row, str_c(v->secret), &m, at * NS_PER_SEC, a, id, e);
}

static int
setup(void **state)
{
	struct err e;
	assert_int_equal(crypto_load(&e), 0);
	*state = arena_new();
	return 0;
}

static int
teardown(void **state)
{
	arena_free(*state);
	return 0;
}

static void
test_documented(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct vector *v = &vectors[i];
		struct err e = { 0 };
		str id;
		if (check(v, str_c(v->signature), str_c(v->body), v->at, *state, &id, &e) < 0)
			fail_msg("%s: %s", v->from, e.msg);
		if (!str_eq(id, str_c(v->known_by)))
			fail_msg("%s: known by %.*s", v->from, STR_ARG(id));
	}
}

/* A case bit of a hexadecimal digit: the same number. */
static bool
means_the_same(const struct vector *v, size_t byte, int bit)
{
	char c = v->signature[byte];
	return v->row->form == SIGNATURE_HEX && bit == 5 && ((c >= 'a' && c <= 'f'));
}

/* Whether the byte belongs to what is checked: Stripe's v0 is there for others. */
static bool
counts(const struct vector *v, size_t byte)
{
	const char *other = strstr(v->signature, ",v0=");
	return !other || byte < (size_t)(other - v->signature);
}

static void
test_every_bit_of_a_signature_counts(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct vector *v = &vectors[i];
		for (size_t k = 0; k < strlen(v->signature) * 8; k++) {
			struct err e = { 0 };
			str id, bad = arena_dup(*state, str_c(v->signature));
			((char *)(uintptr_t)bad.p)[k / 8] ^= (char)(1 << k % 8);
			if (!counts(v, k / 8) || means_the_same(v, k / 8, (int)(k % 8)))
				continue;
			if (check(v, bad, str_c(v->body), v->at, *state, &id, &e) == 0)
				fail_msg("%s: bit %zu does not count: %.*s", v->from, k, STR_ARG(bad));
			assert_int_equal(e.code, ERR_DENIED);
		}
	}
}

static void
test_every_bit_of_a_body_counts(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct vector *v = &vectors[i];
		for (size_t k = 0; v->body && k < strlen(v->body) * 8; k++) {
			struct err e = { 0 };
			str id, bad = arena_dup(*state, str_c(v->body));
			((char *)(uintptr_t)bad.p)[k / 8] ^= (char)(1 << k % 8);
			if (check(v, str_c(v->signature), bad, v->at, *state, &id, &e) == 0)
				fail_msg("%s: bit %zu of the body does not count", v->from, k);
			assert_string_equal(e.msg, v->row->wrong);
		}
	}
}

static void
test_signing_times(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct vector *v = &vectors[i];
		struct err e = { 0 };
		str id;
		if (!v->at)
			continue;
		static const int64_t good[] = { -300, 0, 300 }, bad[] = { -301, 301, 86400 };
		for (size_t k = 0; k < ARRAY_LEN(good); k++)
			assert_int_equal(check(v, str_c(v->signature), str_c(v->body), v->at + good[k], *state, &id, &e), 0);
		for (size_t k = 0; k < ARRAY_LEN(bad); k++) {
			assert_int_equal(check(v, str_c(v->signature), str_c(v->body), v->at + bad[k], *state, &id, &e), -1);
			assert_string_equal(e.msg, v->row->stale);
		}
	}
}

/* A time that was changed to be fresh is not what was signed. */
static void
test_times_are_signed(void **state)
{
	struct vector v = vectors[5];
	struct err e = { 0 };
	str id;
	v.timestamp = "1531420700";
	assert_int_equal(check(&v, str_c(v.signature), str_c(v.body), 1531420700, *state, &id, &e), -1);
	assert_string_equal(e.msg, "signature validation failed");
	v.timestamp = "soon";
	assert_int_equal(check(&v, str_c(v.signature), str_c(v.body), 1531420618, *state, &id, &e), -1);
	assert_string_equal(e.msg, "cannot create secrets verifier, timestamp is too old");
	str stripe = S("t=1533204700,v1=2220f87ef101a04665f11cdf770523143f875572008577fa0f20882ddb9cc3c7");
	assert_int_equal(check(&vectors[6], stripe, S(STRIPE_BODY), 1533204700, *state, &id, &e), -1);
	assert_string_equal(e.msg, "signature check failed");
}

static void
test_what_is_missing(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct vector v = vectors[i];
		struct err e = { 0 };
		str id;
		assert_int_equal(check(&v, STR_NONE, str_c(v.body), v.at, *state, &id, &e), -1);
		assert_string_equal(e.msg, v.row->missing);
		v.timestamp = NULL;
		if (!v.row->timestamp)
			continue;
		assert_int_equal(check(&v, str_c(v.signature), str_c(v.body), v.at, *state, &id, &e), -1);
		assert_string_equal(e.msg, v.row->missing);
	}
	struct vector standard = vectors[7];
	struct err e = { 0 };
	str id;
	standard.id = NULL;
	assert_int_equal(check(&standard, str_c(standard.signature), str_c(standard.body), standard.at, *state, &id, &e), -1);
	assert_string_equal(e.msg, "missing headers");
}

/* While a secret is exchanged there are signatures by the old one and by the new. */
static void
test_several_signatures(void **state)
{
	struct err e = { 0 };
	str id;
	const struct vector *stripe = &vectors[6], *standard = &vectors[7];
	str two = S("t=1533204620,v1=00,v1=2220f87ef101a04665f11cdf770523143f875572008577fa0f20882ddb9cc3c7");
	assert_int_equal(check(stripe, two, str_c(stripe->body), stripe->at, *state, &id, &e), 0);
	two = S("v1a,AAAA v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
	assert_int_equal(check(standard, two, str_c(standard->body), standard->at, *state, &id, &e), 0);
	two = S("v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
	assert_int_equal(check(standard, two, str_c(standard->body), standard->at, *state, &id, &e), -1);
}

static void
test_keys_in_base64(void **state)
{
	struct err e = { 0 };
	str id;
	struct vector v = vectors[7];
	v.secret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
	assert_int_equal(check(&v, str_c(v.signature), str_c(v.body), v.at, *state, &id, &e), 0);
	v.secret = "whsec_";
	assert_int_equal(check(&v, str_c(v.signature), str_c(v.body), v.at, *state, &id, &e), -1);
	assert_int_equal(e.code, ERR_INVALID); /* ours, not the sender's fault */
	v.secret = "whsec_!";
	assert_int_equal(check(&v, str_c(v.signature), str_c(v.body), v.at, *state, &id, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
}

static void
test_times(void **state)
{
	(void)state;
	int64_t at;
	assert_true(signature_time(S("1614265330"), &at) && at == 1614265330 * NS_PER_SEC);
	assert_true(signature_time(S("1614265330123"), &at) && at == 1614265330123 * NS_PER_MS);
	assert_true(signature_time(S("2021-02-25T15:02:10Z"), &at) && at == 1614265330 * NS_PER_SEC);
	static const char *const bad[] = { "", "-1", "9223372036854775807", "99999999999999999", "9533204620", "99999999999", "1614265330.5", "soon", "+ 1" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(signature_time(str_c(bad[i]), &at));
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = { T(test_documented), T(test_every_bit_of_a_signature_counts), T(test_every_bit_of_a_body_counts),
		                            T(test_signing_times), T(test_times_are_signed), T(test_what_is_missing), T(test_several_signatures),
		                            T(test_keys_in_base64), T(test_times) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
