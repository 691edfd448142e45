/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base64.h"
#include "core/diag.h"
#include "core/val.h"

static struct arena *arena;

static int
set_up(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static const struct val *
json(const char *text)
{
	struct val *v = ARENA_NEW(arena, struct val);
	struct err e;
	if (json_read(arena, str_c(text), v, &e))
		fail_msg("%s: %s", text, e.msg);
	return v;
}

static const char *
text(const struct val *v)
{
	return json_write(arena, v).p;
}

static void
is_small(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct val), 24);
}

static void
looks_up(void **state)
{
	(void)state;
	const struct val *v = json("{\"a\":{\"b\":[1,\"x\"]},\"a\":{\"b\":[2],\"s\":\"t\"}}");
	assert_string_equal(text(val_path(v, "a.b")), "[2]"); /* the last of two counts */
	assert_null(val_path(v, "a.x"));
	assert_null(val_path(v, "a.b.c"));
	assert_null(val_get(NULL, S("a")));
	assert_null(val_at(val_path(v, "a.b"), 1));
	assert_true(str_eq(val_get_str(val_path(v, "a"), "s"), S("t")));
	assert_null(val_get_str(v, "a").p);
	const struct val *list = json("[1,{\"name\":2},{\"name\":\"x\",\"n\":1},{\"name\":\"x\",\"n\":2}]");
	assert_string_equal(text(val_named(list, S("x"))), "{\"name\":\"x\",\"n\":1}"); /* the first of two counts */
	assert_null(val_named(list, S("y")));
	assert_null(val_named(v, S("x")));
	assert_null(val_named(NULL, S("x")));
	assert_string_equal(val_kind_name(json("1")), "an integer");
	assert_string_equal(val_kind_name(json("1.5")), "a number");
	assert_string_equal(val_kind_name(NULL), "nothing");
}

static void
numbers_are_exact(void **state)
{
	(void)state;
	int64_t i;
	double f;
	assert_true(val_to_i64(json("9223372036854775807"), &i) && i == INT64_MAX);
	assert_false(val_to_i64(json("9223372036854775808"), &i));
	assert_true(val_to_i64(json("1e3"), &i) && i == 1000);
	assert_true(val_to_i64(json("2.0"), &i) && i == 2);
	assert_false(val_to_i64(json("2.5"), &i));
	assert_false(val_to_i64(json("\"2\""), &i));
	assert_true(val_to_double(json("0.1"), &f) && f == 0.1);
	assert_false(val_to_double(json("\"0.1\""), &f));
	struct val plain = val_str(S("12"));
	plain.flags |= VAL_PLAIN;
	assert_true(val_to_i64(&plain, &i) && i == 12);
}

static void
compares(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		bool equal;
	} rows[] = {
		{ "1", "1.0", true }, { "1e2", "100", true }, { "0.1", "0.10", true }, { "1", "2", false }, { "1", "\"1\"", false },
		{ "9007199254740993", "9007199254740992", false }, { "9007199254740993", "9007199254740993", true },
		{ "12345678901234567890", "12345678901234567890", true }, { "[1,2]", "[1,2]", true }, { "[1,2]", "[2,1]", false }, { "[1]", "[1,1]", false },
		{ "{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", true }, { "{\"a\":1}", "{\"a\":1,\"b\":2}", false }, { "{\"a\":1,\"c\":0}", "{\"a\":1,\"b\":0}", false },
		{ "{\"a\":1,\"a\":2}", "{\"a\":2}", true }, { "{\"a\":2,\"a\":1}", "{\"a\":2}", false }, { "null", "null", true }, { "null", "false", false },
		{ "{}", "[]", false }, { "{\"a\":{\"b\":{\"c\":1}}}", "{\"a\":{\"b\":{\"c\":1}}}", true },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (val_eq(json(rows[i].a), json(rows[i].b)) != rows[i].equal || val_eq(json(rows[i].b), json(rows[i].a)) != rows[i].equal)
			fail_msg("%s and %s", rows[i].a, rows[i].b);
	struct val_map x = { 0 }, y = { 0 };
	for (int i = 0; i < 1000; i++) {
		val_map_add(&x, arena_fmt(arena, "k%d", i), val_int(i));
		val_map_add(&y, arena_fmt(arena, "k%d", 999 - i), val_int(999 - i));
	}
	struct val p = val_map_end(&x, arena), q = val_map_end(&y, arena);
	assert_true(val_eq(&p, &q));
	const struct val *r = val_set(arena, &q, S("k500"), &(struct val){ .kind = VAL_NULL });
	assert_false(val_eq(&p, r));
	assert_true(val_eq(val_set(arena, r, S("k500"), val_get(&p, S("k500"))), &p));
}

/* Equality of deep maps must not visit a level twice: 2^90 visits would never end. */
static void
compares_deep_maps_once(void **state)
{
	(void)state;
	struct buf b = { 0 };
	for (int i = 0; i < 90; i++)
		buf_add(&b, S("{\"a\":"));
	buf_addc(&b, '1');
	for (int i = 0; i < 90; i++)
		buf_addc(&b, '}');
	assert_true(val_eq(json(b.p), json(b.p)));
	buf_free(&b);
}

static void
sets_and_unsets(void **state)
{
	(void)state;
	struct val one = val_int(1), tag = val_str(S("{{x}}"));
	const struct val *v = val_set(arena, NULL, S("a"), &one);
	assert_string_equal(text(v), "{\"a\":1}");
	assert_false(v->flags & VAL_TAGGED);
	const struct val *w = val_set(arena, v, S("b"), &tag);
	assert_string_equal(text(w), "{\"a\":1,\"b\":\"{{x}}\"}");
	assert_true(w->flags & VAL_TAGGED);
	assert_string_equal(text(v), "{\"a\":1}"); /* as it was */
	w = val_unset(arena, w, S("b"));
	assert_string_equal(text(w), "{\"a\":1}");
	assert_false(w->flags & VAL_TAGGED);
	assert_ptr_equal(val_unset(arena, w, S("zz")), w);
}

/* Vectors of RFC 7386, appendix A. */
static void
merges_as_rfc_7386(void **state)
{
	(void)state;
	static const char *const rows[][3] = {
		{ "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" }, { "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
		{ "{\"a\":\"b\"}", "{\"a\":null}", "{}" }, { "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
		{ "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" }, { "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}" },
		{ "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}" },
		{ "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" }, { "[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]" },
		{ "{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]" }, { "{\"a\":\"foo\"}", "null", "null" }, { "{\"a\":\"foo\"}", "\"bar\"", "\"bar\"" },
		{ "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}" }, { "[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}" },
		{ "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(text(val_merge_patch(arena, json(rows[i][0]), json(rows[i][1]))), rows[i][2]);
}

static void
merges_keyed_lists(void **state)
{
	(void)state;
	static const char *const rows[][3] = {
		{ "{\"templates\":[{\"name\":\"a\",\"x\":1},{\"name\":\"b\"}]}", "{\"templates\":[{\"name\":\"a\",\"y\":2},{\"name\":\"c\"}]}",
			"{\"templates\":[{\"name\":\"a\",\"x\":1,\"y\":2},{\"name\":\"b\"},{\"name\":\"c\"}]}" },
		{ "{\"c\":{\"env\":[{\"name\":\"A\",\"value\":\"1\"}],\"args\":[\"x\",\"y\"]}}", "{\"c\":{\"env\":[{\"name\":\"A\",\"value\":\"2\"}],\"args\":[\"z\"]}}",
			"{\"c\":{\"env\":[{\"name\":\"A\",\"value\":\"2\"}],\"args\":[\"z\"]}}" },
		{ "{\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/a\"}]}", "{\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/b\"}]}",
			"{\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/a\"},{\"name\":\"v\",\"mountPath\":\"/b\"}]}" },
		{ "{\"volumeClaimTemplates\":[{\"metadata\":{\"name\":\"w\"},\"spec\":{\"a\":1}}]}",
			"{\"volumeClaimTemplates\":[{\"metadata\":{\"name\":\"w\"},\"spec\":{\"b\":2}}]}",
			"{\"volumeClaimTemplates\":[{\"metadata\":{\"name\":\"w\"},\"spec\":{\"a\":1,\"b\":2}}]}" },
		{ "{\"env\":[{\"name\":\"A\"}]}", "{\"env\":null}", "{}" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(text(val_merge(arena, json(rows[i][0]), json(rows[i][1]))), rows[i][2]);
}

static void
resolves_without_copying_more_than_needed(void **state)
{
	(void)state;
	const struct val *v = json("{\"a\":[\"1\"]}");
	assert_ptr_equal(val_resolve_all(arena, v), v);
	struct val plain = val_str(S("1"));
	plain.flags |= VAL_PLAIN;
	assert_string_equal(text(val_resolve_all(arena, val_set(arena, v, S("b"), &plain))), "{\"a\":[\"1\"],\"b\":1}");
	struct val copy = val_copy(arena, v);
	assert_true(val_eq(&copy, v));
	assert_ptr_not_equal(copy.members, v->members);
}

static void
finds_the_near_word(void **state)
{
	(void)state;
	static const char *const words[] = { "endpoint", "method", "port", "url", "authSecret" };
	assert_string_equal(diag_nearest(S("endpiont"), words, 5), "endpoint");
	assert_string_equal(diag_nearest(S("prot"), words, 5), "port");
	assert_string_equal(diag_nearest(S("AuthSecret"), words, 5), "authSecret");
	assert_null(diag_nearest(S("image"), words, 5));
	assert_null(diag_nearest(S("x"), words, 5));
	assert_null(diag_nearest(S("po"), words, 0));
}

static void
prints_findings_in_order(void **state)
{
	(void)state;
	struct diags d;
	diags_init(&d);
	d.file = S("f.yaml");
	diags_source(&d, S("f.yaml"), S("a: 1\n\xc3\xa4\xc3\xa4: \x1b[31mx\nlast"));
	struct diag *x = diag_add(&d, DIAG_ERROR, &(struct val){ .line = 3, .col = 2 }, S("a.b"), "wrong %d", 1);
	diag_hint(&d, x, "write %s", "it");
	x->other_line = 1;
	x->other_col = 1;
	diag_add(&d, DIAG_WARNING, &(struct val){ .line = 2, .col = 5 }, S(""), "odd");
	char *out;
	size_t n;
	FILE *f = open_memstream(&out, &n);
	diags_print(&d, f, DIAG_CARET);
	fclose(f);
	assert_string_equal(out, "f.yaml:2:5: warning: odd\n     2 | \xc3\xa4\xc3\xa4:  [31mx\n       |     ^\n"
		"f.yaml:3:2: error: a.b: wrong 1; write it\n     3 | last\n       |  ^\n"
		"f.yaml:1:1: note: the other place\n     1 | a: 1\n       | ^\n");
	free(out);
	struct val list = diags_json(&d, arena);
	assert_string_equal(text(&list), "[{\"level\":\"warning\",\"file\":\"f.yaml\",\"line\":2,\"column\":5,\"text\":\"odd\"},"
		"{\"level\":\"error\",\"file\":\"f.yaml\",\"line\":3,\"column\":2,\"path\":\"a.b\",\"text\":\"wrong 1\",\"hint\":\"write it\","
		"\"otherFile\":\"f.yaml\",\"otherLine\":1,\"otherColumn\":1}]");
	assert_int_equal(d.errors, 1);
	for (int i = 0; i < 3000; i++)
		diag_hint(&d, diag_add(&d, DIAG_ERROR, NULL, S(""), "again"), "x");
	assert_int_equal(d.errors, 3001);
	assert_true(d.v.n <= 1001);
	diags_free(&d);
}

static void
base64_both_ways(void **state)
{
	(void)state;
	static const char *const rows[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" } }; /* RFC 4648 section 10 */
	str out;
	struct err e;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_string_equal(base64_encode(arena, str_c(rows[i][0])).p, rows[i][1]);
		assert_int_equal(base64_decode(arena, str_c(rows[i][1]), &out, &e), 0);
		assert_string_equal(out.p, rows[i][0]);
	}
	assert_int_equal(base64_decode(arena, S("Zm8\n"), &out, &e), 0);
	assert_string_equal(out.p, "fo");
	assert_int_equal(base64_decode(arena, S("_-8"), &out, &e), 0);
	assert_memory_equal(out.p, "\xff\xef", 2);
	static const char *const bad[] = { "Z", "Zg=", "Z===", "Zg==Zg==", "Z*==", "Zm9v=" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(base64_decode(arena, str_c(bad[i]), &out, &e), -1);
}

/* A value packed over another shares what is the very same, and no more. */
static void
packs_what_is_its_own(void **state UNUSED)
{
	const struct val *base = json("{\"a\":{\"b\":\"same\",\"c\":[1,\"two\",null]},\"d\":\"old\"}");
	struct val text = val_str(S("new"));
	const struct val *v = val_set(arena, base, S("d"), &text);
	struct val *packed = val_pack(v, base), *alone = val_pack(v, NULL);
	assert_true(val_eq(packed, v) && val_eq(alone, v));
	assert_ptr_equal(val_get(packed, S("a"))->members, val_get(base, S("a"))->members);
	assert_ptr_not_equal(val_get_str(packed, "d").p, text.p);
	assert_ptr_not_equal(val_get(alone, S("a"))->members, val_get(base, S("a"))->members);
	free(packed);
	free(alone);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = { TEST(is_small), TEST(looks_up), TEST(numbers_are_exact), TEST(compares), TEST(compares_deep_maps_once),
		TEST(sets_and_unsets), TEST(merges_as_rfc_7386), TEST(merges_keyed_lists), TEST(resolves_without_copying_more_than_needed),
		TEST(finds_the_near_word), TEST(prints_findings_in_order), TEST(base64_both_ways),
		TEST(packs_what_is_its_own) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
