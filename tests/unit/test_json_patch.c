/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Patch: the examples of RFC 6902, appendix A, in data of our own, the pointers of RFC 6901, and the limits. */
#include "core/base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "core/json_patch.h"

struct row {
	const char *doc, *patch, *wanted; /* wanted: the result, or "!" and a part of the error */
};

static const struct row rows[] = {
	{ "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b\",\"value\":2}]", "{\"a\":1,\"b\":2}" },
	{ "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/a\",\"value\":2}]", "{\"a\":2}" },
	{ "{\"a\":[1,3]}", "[{\"op\":\"add\",\"path\":\"/a/1\",\"value\":2}]", "{\"a\":[1,2,3]}" },
	{ "{\"a\":[1]}", "[{\"op\":\"add\",\"path\":\"/a/1\",\"value\":2}]", "{\"a\":[1,2]}" },
	{ "{\"a\":[1]}", "[{\"op\":\"add\",\"path\":\"/a/-\",\"value\":[2]}]", "{\"a\":[1,[2]]}" },
	{ "{\"a\":[]}", "[{\"op\":\"add\",\"path\":\"/a/-\",\"value\":null}]", "{\"a\":[null]}" },
	{ "{\"a\":[1]}", "[{\"op\":\"add\",\"path\":\"/a/2\",\"value\":2}]", "!nothing at \"/a/2\"" },
	{ "{\"a\":[1]}", "[{\"op\":\"add\",\"path\":\"/a/01\",\"value\":2}]", "!nothing at" },
	{ "{\"a\":[1]}", "[{\"op\":\"add\",\"path\":\"/a/b\",\"value\":2}]", "!nothing at" },
	{ "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b/c\",\"value\":2}]", "!nothing at \"/b/c\"" },
	{ "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"\",\"value\":{\"x\":1}}]", "{\"x\":1}" },
	{ "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"a\",\"value\":2}]", "!nothing at \"a\"" },
	{ "{\"a\":1,\"b\":2}", "[{\"op\":\"remove\",\"path\":\"/b\"}]", "{\"a\":1}" },
	{ "{\"a\":[1,2,3]}", "[{\"op\":\"remove\",\"path\":\"/a/1\"}]", "{\"a\":[1,3]}" },
	{ "{\"a\":[]}", "[{\"op\":\"remove\",\"path\":\"/a/0\"}]", "!nothing at" },
	{ "{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"/b\"}]", "!nothing at" },
	{ "{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"\"}]", "!nothing at" },
	{ "{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":[2]}]", "{\"a\":[2]}" },
	{ "{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"/b\",\"value\":2}]", "!nothing at" },
	{ "{\"a\":[1]}", "[{\"op\":\"replace\",\"path\":\"/a/-\",\"value\":2}]", "!nothing at" },
	{ "{\"a\":[1]}", "[{\"op\":\"replace\",\"path\":\"/a/1\",\"value\":2}]", "!nothing at" },
	{ "{\"a\":{\"b\":1},\"c\":{}}", "[{\"op\":\"move\",\"from\":\"/a/b\",\"path\":\"/c/d\"}]", "{\"a\":{},\"c\":{\"d\":1}}" },
	{ "{\"a\":[1,2,3]}", "[{\"op\":\"move\",\"from\":\"/a/0\",\"path\":\"/a/2\"}]", "{\"a\":[2,3,1]}" },
	{ "{\"a\":{\"b\":1}}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/b\"}]", "!into itself" },
	{ "{\"a\":1}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a\"}]", "{\"a\":1}" },
	{ "{\"a\":1,\"ab\":2}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/ab\"}]", "{\"ab\":1}" },
	{ "{\"a\":1}", "[{\"op\":\"move\",\"from\":\"/b\",\"path\":\"/c\"}]", "!nothing at \"/b\"" },
	{ "{\"a\":{\"b\":1}}", "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/c\"}]", "{\"a\":{\"b\":1},\"c\":{\"b\":1}}" },
	{ "{\"a\":1}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":1.0}]", "{\"a\":1}" },
	{ "{\"a\":{\"x\":1,\"y\":[2]}}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":{\"y\":[2],\"x\":1}}]", "{\"a\":{\"x\":1,\"y\":[2]}}" },
	{ "{\"a\":\"10\"}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":10}]", "!is not what the test wants" },
	{ "{\"a\":1}", "[{\"op\":\"test\",\"path\":\"/b\",\"value\":null}]", "!nothing at" },
	{ "{\"/\":9,\"~1\":10}", "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":10},{\"op\":\"replace\",\"path\":\"/~1\",\"value\":8}]", "{\"/\":8,\"~1\":10}" },
	{ "{\"~\":1}", "[{\"op\":\"remove\",\"path\":\"/~2\"}]", "!nothing at" },
	{ "{\"\":1}", "[{\"op\":\"replace\",\"path\":\"/\",\"value\":2}]", "{\"\":2}" },
	{ "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b\",\"value\":1},{\"op\":\"remove\",\"path\":\"/x\"}]", "!operation 1 of" },
	{ "{\"a\":1}", "[{\"op\":\"put\",\"path\":\"/b\",\"value\":1}]", "!op must be" },
	{ "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b\"}]", "!add needs path and value" },
	{ "{\"a\":1}", "[{\"op\":\"copy\",\"path\":\"/b\"}]", "!copy needs path and from" },
	{ "{\"a\":1}", "[{\"op\":\"remove\"}]", "!remove needs path" },
	{ "{\"a\":1}", "[7]", "!op must be" },
	{ "{\"a\":1}", "{}", "!must be a list" },
	{ "{\"a\":1}", "[]", "{\"a\":1}" },
};

static void
each_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *a CLEANUP(free_arena) = arena_new();
		struct val doc, patch;
		struct err e = { 0 };
		assert_int_equal(json_read(a, str_c(rows[i].doc), &doc, &e), 0);
		assert_int_equal(json_read(a, str_c(rows[i].patch), &patch, &e), 0);
		const struct val *out = json_patch(a, &doc, &patch, &e);
		const char *got = out ? json_write(a, out).p : arena_fmt(a, "!%s", e.msg).p;
		if (*rows[i].wanted == '!' ? !out && strstr(got, rows[i].wanted + 1) : strcmp(got, rows[i].wanted) == 0)
			continue;
		fail_msg("%s over %s: %s, not %s", rows[i].patch, rows[i].doc, got, rows[i].wanted);
	}
}

static void
what_would_grow_without_end_is_refused(void **state)
{
	(void)state;
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct buf b CLEANUP(free_buf) = { 0 };
	struct val doc, patch;
	struct err e = { 0 };
	buf_addc(&b, '[');
	for (int i = 0; i < 200; i++) /* each doubles it */
		buf_addf(&b, "%s{\"op\":\"copy\",\"from\":\"\",\"path\":\"/x%d\"}", i ? "," : "", i);
	buf_addc(&b, ']');
	assert_int_equal(json_read(a, S("{}"), &doc, &e), 0);
	assert_int_equal(json_read(a, buf_str(&b), &patch, &e), 0);
	assert_null(json_patch(a, &doc, &patch, &e));
	assert_int_equal(e.code, ERR_LIMIT);
	b.n = 0;
	buf_addc(&b, '[');
	for (int i = 0; i <= JSON_PATCH_MAX; i++)
		buf_addf(&b, "%s{\"op\":\"add\",\"path\":\"/x\",\"value\":1}", i ? "," : "");
	buf_addc(&b, ']');
	assert_int_equal(json_read(a, buf_str(&b), &patch, &e), 0);
	assert_null(json_patch(a, &doc, &patch, &e));
	assert_int_equal(e.code, ERR_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_row), cmocka_unit_test(what_would_grow_without_end_is_refused) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
