/* SPDX-License-Identifier: Apache-2.0 */
#include "core/xml.h"

#include <setjmp.h>

#include <cmocka.h>

static struct arena *arena;

/* Everything the reader tells, as one text: <name> for an element that opens, </> for one that closes, [text]; ! for an error. */
static const char *
told(const char *text)
{
	struct xml_reader x = { .text = str_c(text) };
	struct buf b CLEANUP(free_buf) = { 0 };
	struct err e;
	str out;
	for (int kind; (kind = xml_next(&x, arena, &out, &e)) != XML_END;) {
		if (kind < 0) {
			buf_addc(&b, '!');
			break;
		}
		buf_addf(&b, kind == XML_OPEN ? "<%.*s>" : kind == XML_TEXT ? "[%.*s]" : "</>", STR_ARG(out));
	}
	return arena_dup(arena, buf_str(&b)).p;
}

static void
what_is_told(void **state UNUSED)
{
	static const struct {
		const char *text, *told;
	} cases[] = {
		{ "<a/>", "<a></>" },
		{ "\xEF\xBB\xBF<?xml version=\"1.0\"?>\n<a>t</a>\n<!-- end -->", "<a>[t]</>" },
		{ "<q:a xmlns:q='u' b = \"<>\"><q:c/></q:a>", "<a><c></></>" },
		{ "<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x20AC;&#x1F600;</a>", "<a>[<>&\"'A\xE2\x82\xAC\xF0\x9F\x98\x80]</>" },
		{ "<a>x<![CDATA[<&]]]>]]>y</a>", "<a>[x][<&]][]]>y]</>" },
		{ "<a>1\r\n2\r3</a>", "<a>[1\n2\n3]</>" },
		{ "<a><!-- <b> -->t</a>", "<a>[t]</>" },
		/* refused */
		{ "", "!" },
		{ "text", "!" },
		{ "<a>", "<a>!" },
		{ "<a></b>", "<a>!" },
		{ "<a><b></a></b>", "<a><b>!" },
		{ "<a/><b/>", "<a></>!" },
		{ "<a/>t", "<a></>!" },
		{ "<a b></a>", "!" },
		{ "<a b=c></a>", "!" },
		{ "<a>&nbsp;</a>", "<a>!" },
		{ "<a>&#0;</a>", "<a>!" },
		{ "<a>&#xD800;</a>", "<a>!" },
		{ "<a>&#99999999999;</a>", "<a>!" },
		{ "<a>& b</a>", "<a>!" },
		{ "<!DOCTYPE a><a/>", "!" },
		{ "<a>\x01</a>", "!" },
		{ "<a>\xC0\x80</a>", "!" },
		{ "</a>", "!" },
		{ "<>", "!" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(told(cases[i].text), cases[i].told);
}

static void
elements_within_each_other_have_a_limit(void **state UNUSED)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (int i = 0; i < XML_DEPTH_MAX; i++)
		buf_add(&b, S("<a>"));
	struct xml_reader x = { .text = buf_str(&b) };
	struct err e = { 0 };
	str out;
	for (int i = 0; i < XML_DEPTH_MAX; i++)
		assert_int_equal(xml_next(&x, arena, &out, &e), XML_OPEN);
	buf_add(&b, S("<a>"));
	x.text = buf_str(&b);
	assert_int_equal(xml_next(&x, arena, &out, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
}

static void
records_have_the_text_of_their_children(void **state UNUSED)
{
	str id, body;
	struct xml_field fields[] = { { "Id", &id }, { "Body", &body } };
	struct err e = { 0 };
	struct xml_reader x = { .text = S("<l><n>3</n><m><Id>1</Id><Body>a<![CDATA[&]]>b</Body><Id>no</Id></m>"
	                                  "<m><Body><deep><Id>no</Id></deep></Body></m><m/></l>") };
	assert_int_equal(xml_record(&x, "m", fields, 2, arena, &e), 1);
	assert_true(str_eq(id, S("1")) && str_eq(body, S("a&b")));
	assert_int_equal(xml_record(&x, "m", fields, 2, arena, &e), 1);
	assert_true(!id.p && !body.p);
	assert_int_equal(xml_record(&x, "m", fields, 2, arena, &e), 1);
	assert_int_equal(xml_record(&x, "m", fields, 2, arena, &e), 0);
	struct xml_reader cut = { .text = S("<l><m><Id>1</Id>") };
	assert_int_equal(xml_record(&cut, "m", fields, 2, arena, &e), -1);
	assert_string_equal(e.msg, "XML, line 1: the text ends too early");
}

static void
one_text_is_found(void **state UNUSED)
{
	assert_true(str_eq(xml_find(S("<e><Code>A</Code><Code>B</Code></e>"), "Code", arena), S("A")));
	assert_true(str_eq(xml_find(S("<e><Code></Code></e>"), "Code", arena), S("")));
	assert_null(xml_find(S("<e><Code>A"), "Code", arena).p);
	assert_null(xml_find(S("{\"no\": \"xml\"}"), "Code", arena).p);
}

static int
begin(void **state UNUSED)
{
	arena = arena_new();
	return 0;
}

static int
end(void **state UNUSED)
{
	arena_free(arena);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_told),
		cmocka_unit_test(elements_within_each_other_have_a_limit),
		cmocka_unit_test(records_have_the_text_of_their_children),
		cmocka_unit_test(one_text_is_found),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
