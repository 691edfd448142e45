/* SPDX-License-Identifier: Apache-2.0 */
/* S3's notifications in their envelopes, and its listings. The texts are those of the services' own documentation, shortened. */
#include "core/base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "core/base64.h"
#include "sources/s3_event.h"
#include "core/net/s3_list.h"

#define AWS_RECORD                                                                                                                          \
	"{\"eventVersion\":\"2.1\",\"eventSource\":\"aws:s3\",\"awsRegion\":\"us-west-2\",\"eventTime\":\"1970-01-01T00:00:00.000Z\","          \
	"\"eventName\":\"ObjectCreated:Put\",\"userIdentity\":{\"principalId\":\"P\"},\"requestParameters\":{\"sourceIPAddress\":\"127.0.0.1\"}," \
	"\"responseElements\":{\"x-amz-request-id\":\"C3\",\"x-amz-id-2\":\"F<\"},\"s3\":{\"s3SchemaVersion\":\"1.0\",\"configurationId\":\"c\"," \
	"\"bucket\":{\"name\":\"b\",\"ownerIdentity\":{\"principalId\":\"A3\"},\"arn\":\"arn:aws:s3:::b\"},\"object\":{\"key\":\"in/Happy+F%C3%A4ce.jpg\"," \
	"\"size\":1024,\"eTag\":\"d41d\",\"versionId\":\"096\",\"sequencer\":\"0055\"}},\"glacierEventData\":{}}"
#define AWS_SHAPED                                                                                                                          \
	"{\"eventVersion\":\"2.1\",\"eventSource\":\"aws:s3\",\"awsRegion\":\"us-west-2\",\"eventTime\":\"1970-01-01T00:00:00.000Z\","          \
	"\"eventName\":\"ObjectCreated:Put\",\"userIdentity\":{\"principalId\":\"P\"},\"requestParameters\":{\"sourceIPAddress\":\"127.0.0.1\"}," \
	"\"responseElements\":{\"x-amz-id-2\":\"F\\u003c\",\"x-amz-request-id\":\"C3\"},\"s3\":{\"s3SchemaVersion\":\"1.0\",\"configurationId\":\"c\"," \
	"\"bucket\":{\"name\":\"b\",\"ownerIdentity\":{\"principalId\":\"A3\"},\"arn\":\"arn:aws:s3:::b\"},\"object\":{\"key\":\"in/Happy+F%C3%A4ce.jpg\"," \
	"\"size\":1024,\"eTag\":\"d41d\",\"versionId\":\"096\",\"sequencer\":\"0055\"}},\"source\":{\"host\":\"\",\"port\":\"\",\"userAgent\":\"\"}}"

static void
expect(const struct s3_events *s, str data, int rc, const char *wanted)
{
	struct arena *a = arena_new();
	str out = STR_NONE;
	assert_int_equal(s3_events_unwrap(s, a, data, &out), rc);
	if (wanted)
		assert_string_equal(str_z(a, out), wanted);
	arena_free(a);
}

static void
records_come_out_of_every_envelope(void **state UNUSED)
{
	const struct s3_events all = { 0 };
	struct arena *a = arena_new();
	static const char shaped[] = "{\"notification\":[" AWS_SHAPED "],\"metadata\":{\"k\":\"v\"}}";
	const char *sent = "{\"Records\":[" AWS_RECORD "]}";
	/* as JSON, as a text, as base64 */
	expect(&all, arena_fmt(a, "{\"header\":{},\"body\":%s,\"metadata\":{\"k\":\"v\"}}", sent), 1, shaped);
	struct buf quoted = { 0 };
	json_quote(&quoted, str_c(sent), 0);
	expect(&all, arena_fmt(a, "{\"channel\":\"c\",\"body\":%.*s,\"metadata\":{\"k\":\"v\"}}", STR_ARG(buf_str(&quoted))), 1, shaped);
	expect(&all, arena_fmt(a, "{\"body\":\"%.*s\",\"metadata\":{\"k\":\"v\"}}", STR_ARG(base64_encode(a, str_c(sent)))), 1, shaped);
	/* by SNS, and by SNS in base64 */
	str sns = arena_fmt(a, "{\"Type\":\"Notification\",\"TopicArn\":\"t\",\"Message\":%.*s}", STR_ARG(buf_str(&quoted)));
	expect(&all, arena_fmt(a, "{\"body\":%.*s,\"metadata\":{\"k\":\"v\"}}", STR_ARG(sns)), 1, shaped);
	expect(&all, arena_fmt(a, "{\"body\":\"%.*s\",\"metadata\":{\"k\":\"v\"}}", STR_ARG(base64_encode(a, sns))), 1, shaped);
	/* MinIO's own */
	expect(&all, S("{\"body\":{\"EventName\":\"s3:ObjectCreated:Put\",\"Key\":\"b/k\",\"Records\":[" AWS_RECORD "]},\"metadata\":{\"k\":\"v\"}}"), 1, shaped);
	buf_free(&quoted);
	arena_free(a);
}

static void
events_of_eventbridge_become_records(void **state UNUSED)
{
	const struct s3_events all = { 0 };
	expect(&all, S("{\"body\":{\"version\":\"0\",\"id\":\"17\",\"detail-type\":\"Object Created\",\"source\":\"aws.s3\",\"account\":\"1\",\"time\":\"2021-11-12T00:00:00Z\","
	               "\"region\":\"ca-central-1\",\"detail\":{\"version\":\"0\",\"bucket\":{\"name\":\"b\"},\"object\":{\"key\":\"an example\",\"size\":5,\"etag\":\"b1\","
	               "\"version-id\":\"IY\",\"sequencer\":\"00\"},\"requester\":\"1\",\"source-ip-address\":\"1.2.3.4\",\"reason\":\"PutObject\"}}}"), 1,
	       "{\"notification\":[{\"eventVersion\":\"2.1\",\"eventSource\":\"aws:s3\",\"awsRegion\":\"ca-central-1\",\"eventTime\":\"2021-11-12T00:00:00Z\","
	       "\"eventName\":\"ObjectCreated:Put\",\"userIdentity\":{\"principalId\":\"1\"},\"requestParameters\":{\"sourceIPAddress\":\"1.2.3.4\"},\"responseElements\":null,"
	       "\"s3\":{\"s3SchemaVersion\":\"1.0\",\"configurationId\":\"\",\"bucket\":{\"name\":\"b\",\"ownerIdentity\":{\"principalId\":\"\"},\"arn\":\"arn:aws:s3:::b\"},"
	       "\"object\":{\"key\":\"an+example\",\"size\":5,\"eTag\":\"b1\",\"versionId\":\"IY\",\"sequencer\":\"00\"}},\"source\":{\"host\":\"\",\"port\":\"\",\"userAgent\":\"\"}}]}");
}

/* Ceph sends keys as they are called. */
static void
keys_of_ceph_are_encoded(void **state UNUSED)
{
	const struct s3_events some = { .prefix = S("in/a+b %41"), .suffix = S(".csv") };
	expect(&some, S("{\"body\":{\"Records\":[{\"eventVersion\":\"2.2\",\"eventSource\":\"ceph:s3\",\"eventName\":\"ObjectCreated:Put\",\"s3\":{\"bucket\":{\"name\":\"b\","
	                "\"id\":\"x\"},\"object\":{\"key\":\"in/a+b %41.csv\",\"size\":3,\"metadata\":[],\"tags\":[]}},\"eventId\":\"1\",\"opaqueData\":\"\"}]}}"), 1,
	       "{\"notification\":[{\"eventVersion\":\"2.2\",\"eventSource\":\"ceph:s3\",\"awsRegion\":\"\",\"eventTime\":\"\",\"eventName\":\"ObjectCreated:Put\","
	       "\"userIdentity\":{\"principalId\":\"\"},\"requestParameters\":null,\"responseElements\":null,\"s3\":{\"s3SchemaVersion\":\"\",\"configurationId\":\"\","
	       "\"bucket\":{\"name\":\"b\",\"ownerIdentity\":{\"principalId\":\"\"},\"arn\":\"\"},\"object\":{\"key\":\"in%2Fa%2Bb+%2541.csv\",\"size\":3,\"sequencer\":\"\"}},"
	       "\"source\":{\"host\":\"\",\"port\":\"\",\"userAgent\":\"\"}}]}");
}

static void
what_is_no_notification_is_left_alone(void **state UNUSED)
{
	const struct s3_events all = { 0 }, some = { .prefix = S("in/Happy F\xc3\xa4"), .suffix = S(".jpg") }, none = { .prefix = S("in/Happy+") };
	static const char *const others[] = { "", "null", "{}", "{\"body\":null}", "{\"body\":1}", "{\"body\":\"?\"}", "{\"body\":\"e30=\"}", "{\"body\":{\"Records\":[]}}",
		"{\"body\":{\"Records\":[{\"kinesis\":{}}]}}", "{\"body\":{\"Message\":\"hello\"}}", "{\"body\":{\"Records\":[1]}}" };
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		expect(&all, str_c(others[i]), -1, NULL);
	expect(&all, S("{\"body\":{\"Service\":\"Amazon S3\",\"Event\":\"s3:TestEvent\",\"Bucket\":\"b\"}}"), 0, NULL);
	expect(&some, S("{\"body\":{\"Records\":[" AWS_RECORD "]}}"), 1, "{\"notification\":[" AWS_SHAPED "]}");
	expect(&none, S("{\"body\":{\"Records\":[" AWS_RECORD "]}}"), 0, NULL);
	/* Envelopes in envelopes end. */
	struct buf b = { 0 };
	for (int i = 0; i < 40; i++) {
		struct buf outer = { 0 };
		buf_add(&outer, S("{\"Message\":"));
		json_quote(&outer, b.n ? buf_str(&b) : S("x"), 0);
		buf_addc(&outer, '}');
		buf_free(&b);
		b = outer;
		if (i >= 12)
			break;
	}
	struct buf event = { 0 };
	buf_addf(&event, "{\"body\":%.*s}", STR_ARG(buf_str(&b)));
	expect(&all, buf_str(&event), -1, NULL);
	buf_free(&event);
	buf_free(&b);
}

static void
listings_are_read(void **state UNUSED)
{
	struct arena *a = arena_new();
	struct s3_page p;
	struct err e;
	str xml = S("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name><Prefix></Prefix>"
	            "<KeyCount>2</KeyCount><IsTruncated>true</IsTruncated><NextContinuationToken>1ueG&amp;==</NextContinuationToken>"
	            "<Contents><Key>a%2Bb/c+d%26</Key><LastModified>2009-10-12T17:50:30.5Z</LastModified><ETag>&quot;fba9dede-2&quot;</ETag><Size>434234</Size>"
	            "<Owner><ID>x</ID></Owner></Contents><Contents><Key>e</Key><LastModified>2009-10-12T17:50:30.000Z</LastModified></Contents></ListBucketResult>");
	assert_int_equal(s3_list_read(a, xml, &p, &e), 0);
	assert_int_equal(p.n, 2);
	assert_true(str_eq(p.objects[0].key, S("a+b/c d&")));
	assert_true(str_eq(p.objects[0].etag, S("fba9dede-2")));
	assert_int_equal(p.objects[0].size, 434234);
	assert_true(p.objects[0].modified == 1255369830 * NS_PER_SEC + NS_PER_SEC / 2);
	assert_true(str_eq(p.objects[1].etag, S("")));
	assert_true(str_eq(p.next, S("1ueG&==")));
	static const char *const wrong[] = { "", "x", "<Error/>", "<ListBucketResult>", "<ListBucketResult><Contents/></ListBucketResult>",
		"<ListBucketResult><Contents><Key>k</Key><LastModified>yesterday</LastModified></Contents></ListBucketResult>" };
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(s3_list_read(a, str_c(wrong[i]), &p, &e), -1);
	assert_true(str_eq(s3_error_text(a, S("<Error><Code>NoSuchKey</Code><Message>It is not there</Message></Error>")), S("NoSuchKey: It is not there")));
	assert_null(s3_error_text(a, S("<html>")).p);
	arena_free(a);
}

static void
keys_are_encoded_as_records_have_them(void **state UNUSED)
{
	struct arena *a = arena_new();
	str key = S("a b/\xc3\xa4+%&-_.~\"");
	assert_string_equal(str_z(a, s3_key_encode(a, key)), "a+b%2F%C3%A4%2B%25%26-_.~%22");
	assert_true(str_eq(s3_key_decode(a, s3_key_encode(a, key)), key));
	assert_string_equal(str_z(a, s3_key_decode(a, S("%zz%4%"))), "%zz%4%");
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_come_out_of_every_envelope),
		cmocka_unit_test(events_of_eventbridge_become_records),
		cmocka_unit_test(keys_of_ceph_are_encoded),
		cmocka_unit_test(what_is_no_notification_is_left_alone),
		cmocka_unit_test(listings_are_read),
		cmocka_unit_test(keys_are_encoded_as_records_have_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
