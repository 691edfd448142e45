/* SPDX-License-Identifier: Apache-2.0 */
/* minio's memory of what events were about, and what a record says of its object. */
#include "sources/minio.h"

#include <setjmp.h>
#include <cmocka.h>

#define AT (1784109600 * NS_PER_SEC)

static void
an_object_is_known_as_it_was_written(void **state UNUSED)
{
	struct minio_seen *s = minio_seen_new();
	minio_seen_add(s, S("k"), S("e"), AT);
	assert_true(minio_seen_has(s, S("k"), S("e"), AT));
	assert_true(minio_seen_has(s, S("k"), S("e"), AT - NS_PER_SEC));
	assert_true(minio_seen_has(s, S("k"), S("e"), AT + NS_PER_SEC));
	assert_false(minio_seen_has(s, S("k"), S("e"), AT + 3 * NS_PER_SEC)); /* written again, the same */
	assert_false(minio_seen_has(s, S("k"), S("f"), AT));
	assert_false(minio_seen_has(s, S("ke"), S(""), AT)); /* not run together */
	minio_seen_add(s, S("k"), S("e"), AT - NS_PER_SEC);  /* an older event that comes late */
	assert_true(minio_seen_has(s, S("k"), S("e"), AT + NS_PER_SEC));
	minio_seen_free(s);
}

/* As many as come in a minute are known; those that are older make room. */
static void
it_grows_for_what_a_listing_may_look_back_to(void **state UNUSED)
{
	struct minio_seen *s = minio_seen_new();
	struct arena *a = arena_new();
	size_t known = 0;
	for (int i = 0; i < 5000; i++)
		minio_seen_add(s, arena_fmt(a, "k%d", i), S("e"), AT);
	for (int i = 0; i < 5000; i++)
		known += minio_seen_has(s, arena_fmt(a, "k%d", i), S("e"), AT);
	assert_true(known > 4600);
	for (int i = 0; i < 1000000; i++)
		minio_seen_add(s, arena_fmt(a, "l%d", i), S("e"), AT + i * MINIO_OVERLAP / 100);
	assert_true(minio_seen_has(s, S("l999999"), S("e"), AT));
	arena_free(a);
	minio_seen_free(s);
}

static str
saw(struct arena *a, const char *event, const char *object)
{
	struct minio_seen *s = minio_seen_new();
	struct val v;
	struct err e;
	assert_int_equal(json_read(a, arena_fmt(a, "{\"eventName\":\"%s\",\"s3\":{\"object\":%s}}", event, object), &v, &e), 0);
	str delivery = minio_saw(s, a, &v);
	assert_int_equal(minio_seen_has(s, S("a+b"), S("e"), 0), delivery.p != NULL);
	minio_seen_free(s);
	return delivery;
}

static void
a_record_has_the_id_of_its_listing(void **state UNUSED)
{
	struct arena *a = arena_new();
	static const char object[] = "{\"key\":\"a+b\",\"eTag\":\"e\",\"sequencer\":\"18EBB68DBFE3C989\"}";
	str wanted = minio_delivery(a, S("a+b"), S("e"), INT64_C(0x18EBB68DBFE3C989) / NS_PER_MS * NS_PER_MS); /* a listing has milliseconds */
	assert_true(str_eq(saw(a, "s3:ObjectCreated:Put", object), wanted));
	assert_true(str_eq(saw(a, "s3:ObjectCreated:CompleteMultipartUpload", object), wanted));
	assert_null(saw(a, "s3:ObjectCreated:PutTagging", object).p); /* as often as it happens */
	assert_null(saw(a, "s3:ObjectRemoved:Delete", object).p);
	static const char *const without[] = { "{\"key\":\"a+b\",\"eTag\":\"e\"}", "{\"key\":\"a+b\",\"eTag\":\"e\",\"sequencer\":\"x1\"}",
		"{\"key\":\"a+b\",\"eTag\":\"e\",\"sequencer\":\"\"}", "{\"key\":\"a+b\",\"eTag\":\"e\",\"sequencer\":\"-1\"}",
		"{\"key\":\"a+b\",\"eTag\":\"e\",\"sequencer\":\"18EBB68DBFE3C98900\"}", "{\"eTag\":\"e\",\"sequencer\":\"1\"}", "{}", "[]" };
	for (size_t i = 0; i < ARRAY_LEN(without); i++)
		assert_null(saw(a, "s3:ObjectCreated:Put", without[i]).p);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_object_is_known_as_it_was_written),
		cmocka_unit_test(it_grows_for_what_a_listing_may_look_back_to),
		cmocka_unit_test(a_record_has_the_id_of_its_listing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
