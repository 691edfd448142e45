/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of SNS: what of them is signed, and from where a certificate is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sources/sns_message.h"

static int
setup(void **state)
{
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
assert_text(struct arena *a, const char *json, const char *want)
{
	struct sns_message m;
	struct err e = { 0 };
	if (sns_message_read(str_c(json), a, &m, &e) < 0)
		fail_msg("%s: %s", json, e.msg);
	assert_string_equal(sns_message_text(&m, a).p, want);
}

/* The examples of "Creating an Amazon SNS message string to sign", shortened. */
static void
test_text(void **state)
{
#define COMMON "\"MessageId\":\"4d4dc071\",\"TopicArn\":\"arn:aws:sns:us-east-2:1:s4\",\"Timestamp\":\"2011-11-07T21:48:37.553Z\""
	assert_text(*state, "{\"Type\":\"Notification\",\"Message\":\"a\\nb\",\"Subject\":\"Hi\"," COMMON "}",
	            "Message\na\nb\nMessageId\n4d4dc071\nSubject\nHi\nTimestamp\n2011-11-07T21:48:37.553Z\nTopicArn\narn:aws:sns:us-east-2:1:s4\n"
	            "Type\nNotification\n");
	assert_text(*state, "{\"Type\":\"Notification\",\"Message\":\"a\",\"Subject\":null,\"Token\":\"t\"," COMMON "}",
	            "Message\na\nMessageId\n4d4dc071\nTimestamp\n2011-11-07T21:48:37.553Z\nTopicArn\narn:aws:sns:us-east-2:1:s4\n"
	            "Type\nNotification\n");
	assert_text(*state, "{\"Type\":\"SubscriptionConfirmation\",\"Message\":\"a\",\"Subject\":\"no\",\"Token\":\"t\",\"SubscribeURL\":\"https://u\"," COMMON "}",
	            "Message\na\nMessageId\n4d4dc071\nSubscribeURL\nhttps://u\nTimestamp\n2011-11-07T21:48:37.553Z\nToken\nt\n"
	            "TopicArn\narn:aws:sns:us-east-2:1:s4\nType\nSubscriptionConfirmation\n");
}

static void
test_no_message(void **state)
{
	static const char *const bad[] = { "", "[]", "1", "{", "{\"Message\":1}", "{\"Type\":[]}" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct sns_message m;
		struct err e = { 0 };
		assert_int_equal(sns_message_read(str_c(bad[i]), *state, &m, &e), -1);
		assert_int_equal(e.code, ERR_INVALID);
	}
	struct sns_message m;
	struct err e = { 0 };
	assert_int_equal(sns_message_read(S("{\"SignatureVersion\":\"3\"}"), *state, &m, &e), 0);
	assert_null(sns_message_hash(&m));
	assert_int_equal(m.type, SNS_OTHER);
}

static void
test_certificate_urls(void **state)
{
	(void)state;
	static const struct {
		const char *url, *service;
		bool good;
	} cases[] = {
		{ "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-1.pem", "", true },
		{ "https://sns.cn-north-1.amazonaws.com.cn/x.pem", "", true },
		{ "https://sns.us-gov-west-1.amazonaws.com/x.pem", "", true },
		{ "http://sns.us-east-1.amazonaws.com/x.pem", "", false },
		{ "https://sns.us-east-1.amazonaws.com:8443/x.pem", "", false },
		{ "https://sns.us-east-1.amazonaws.com", "", false },
		{ "https://sns.us-east-1.amazonaws.com.evil.org/x.pem", "", false },
		{ "https://evil.org/sns.us-east-1.amazonaws.com/x.pem", "", false },
		{ "https://sns.us-east-1.amazonaws.com@evil.org/x.pem", "", false },
		{ "https://sns.us-east-1.amazonaws.com\\@evil.org/x.pem", "", false },
		{ "https://evil.org#sns.us-east-1.amazonaws.com/x.pem", "", false },
		{ "https://evil.org?.sns.us-east-1.amazonaws.com/x.pem", "", false },
		{ "https://xsns.us-east-1.amazonaws.com/x.pem", "", false },
		{ "https://sns.x.amazonaws.com/x.pem", "", false },
		{ "https://sns..amazonaws.com/x.pem", "", false },
		{ "https://sns.us-east-1.s3.amazonaws.com/x.pem", "", false },
		{ "https://sns.us-east-1.amazonaws.com/x.pem\r\nX: y", "", false },
		{ "https:///x.pem", "", false },
		{ "x.pem", "", false },
		{ "https://sns.us-east-1.amazonaws.com/x", "", false },
		{ "https://sns.us-east-1.amazonaws.com/x.pem?a=b", "", false },
		{ "", "", false },
		{ "http://127.0.0.1:4566/x.pem", "http://127.0.0.1:4566", true },
		{ "http://127.0.0.1:4566/x.pem", "http://127.0.0.1:4566/some/path", true },
		{ "https://127.0.0.1:4566/x.pem", "http://127.0.0.1:4566", false },
		{ "http://127.0.0.1:4567/x.pem", "http://127.0.0.1:4566", false },
		{ "http://127.0.0.1:4566.evil.org/x.pem", "http://127.0.0.1:4566", false },
		{ "https://sns.us-east-1.amazonaws.com/x.pem", "http://127.0.0.1:4566", false },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };
		bool good = sns_certificate_url(str_c(cases[i].url), str_c(cases[i].service), &e) == 0;
		if (good != cases[i].good)
			fail_msg("%s at %s: %s", cases[i].url, cases[i].service, good ? "taken" : e.msg);
		assert_true(good || e.code == ERR_DENIED);
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = { T(test_text), T(test_no_message), T(test_certificate_urls) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
