/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/diag.h"
#include "core/val.h"

static struct arena *arena;
static struct diags diags;

static int
set_up(void **state)
{
	(void)state;
	arena = arena_new();
	diags_init(&diags);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	diags_free(&diags);
	arena_free(arena);
	return 0;
}

static const struct val *
read_ok(const char *text)
{
	struct val *docs;
	size_t n;
	if (yaml_read_all(arena, S("t.yaml"), str_c(text), NULL, &docs, &n, &diags) || n != 1)
		fail_msg("%s: %zu documents, %s", text, n, diags.v.n ? diags.v.p[0].text.p : "");
	return docs;
}

static const char *
as_json(const struct val *v)
{
	return json_write(arena, v).p;
}

static void
reads_documents(void **state)
{
	(void)state;
	static const struct {
		const char *yaml, *json;
	} rows[] = {
		{ "a: 1\nb: [x, 2.50, ~]\n", "{\"a\":1,\"b\":[\"x\",2.50,null]}" },
		{ "- yes\n- no\n- on\n- true\n- False\n- NULL\n- ''\n-\n", "[\"yes\",\"no\",\"on\",true,false,null,\"\",null]" },
		{ "[0x1F, 0o17, 017, 0644, 08, 00, 012345678, 0_7, 1_000, +5, .5, 1., 1e3, 1.10, -0, 12345678901234567890]",
			"[31,15,15,420,8,0,12345678,\"0_7\",\"1_000\",5,0.5,1,1e3,1.10,-0,12345678901234567890]" },
		{ "['1', \"true\", !!str 5, ! 6, !!int '7', !!float '1', !!bool 'true', !!null '']", "[\"1\",\"true\",\"5\",\"6\",7,1,true,null]" },
		{ "b: !!binary aGVsbG8=\n", "{\"b\":\"hello\"}" },
		{ "a: |\n  x\n   y\nb: >-\n  p\n  q\n", "{\"a\":\"x\\n y\\n\",\"b\":\"p q\"}" },
		{ "{\"json\": [1, \"\\ud83d\\ude00\", \"a\\/b\"]}", "{\"json\":[1,\"\xf0\x9f\x98\x80\",\"a/b\"]}" },
		{ "{flow: [yaml, {x: y}]}", "{\"flow\":[\"yaml\",{\"x\":\"y\"}]}" },
		{ "a: &x {p: 1}\nb: *x\n", "{\"a\":{\"p\":1},\"b\":{\"p\":1}}" },
		{ "a: &x 1\nb: &x 2\nc: *x\n", "{\"a\":1,\"b\":2,\"c\":2}" },
		{ "base: &b {p: 1, q: 2}\nd:\n  <<: *b\n  q: 3\n", "{\"base\":{\"p\":1,\"q\":2},\"d\":{\"q\":3,\"p\":1}}" },
		{ "b: [&x {p: 1}, &y {p: 2, q: 3}]\nd: {<<: [*x, *y]}\n", "{\"b\":[{\"p\":1},{\"p\":2,\"q\":3}],\"d\":{\"p\":1,\"q\":3}}" },
		{ "{\"<<\": {a: 1}}", "{\"<<\":{\"a\":1}}" },
		{ "1: a\ntrue: b\n~: c\n", "{\"1\":\"a\",\"true\":\"b\",\"~\":\"c\"}" },
		{ "\xef\xbb\xbf" "a: 1\r\nb: 2\r\n", "{\"a\":1,\"b\":2}" },
		{ "# only\n---\n# a comment\n---\na: 1\n---\n...\n", "{\"a\":1}" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(as_json(read_ok(rows[i].yaml)), rows[i].json);
}

static void
keeps_positions(void **state)
{
	(void)state;
	const struct val *v = read_ok("a: 1\nlist:\n  - \xc3\xa4: x\n    b: \"{{y}}\"\nm: {c: d}\n");
	const struct val *item = val_at(val_path(v, "list"), 0);
	assert_int_equal(v->line, 1);
	assert_int_equal(v->col, 1);
	assert_int_equal(item->line, 3);
	assert_int_equal(item->col, 5);
	assert_int_equal(val_path(item, "\xc3\xa4")->col, 8); /* characters, not bytes */
	assert_int_equal(item->members[1].key.line, 4);
	assert_int_equal(item->members[1].key.col, 5);
	assert_int_equal(val_path(v, "m.c")->line, 5);
	assert_int_equal(val_path(v, "m.c")->col, 8);
	assert_true(v->flags & item->flags & VAL_TAGGED);
	assert_false(val_path(v, "m")->flags & VAL_TAGGED);
	assert_true(val_path(v, "a")->flags & VAL_PLAIN);
	assert_false(val_path(item, "b")->flags & VAL_PLAIN);
}

static void
alias_stands_where_it_is_written(void **state)
{
	(void)state;
	const struct val *v = read_ok("a: &x\n  p: 1\nb:   *x\n");
	assert_int_equal(val_path(v, "b")->line, 3);
	assert_int_equal(val_path(v, "b")->col, 6);
	assert_int_equal(val_path(v, "b.p")->line, 2);
}

/* The first finding as "line:col: path: text; hint [other line:col]". */
static const char *
first_finding(str text, const struct val_limits *lim, size_t *documents)
{
	struct val *docs;
	diags_free(&diags);
	diags_init(&diags);
	assert_int_equal(yaml_read_all(arena, S("t.yaml"), text, lim, &docs, documents, &diags), -1);
	assert_true(diags.v.n > 0);
	const struct diag *d = &diags.v.p[0];
	assert_int_equal(d->level, DIAG_ERROR);
	str other = d->other_line ? arena_fmt(arena, " [%u:%u]", d->other_line, d->other_col) : S("");
	return arena_fmt(arena, "%u:%u: %.*s%s%.*s%s%.*s%.*s", d->line, d->col, STR_ARG(d->path), d->path.n ? ": " : "", STR_ARG(d->text),
		d->hint.n ? "; " : "", STR_ARG(d->hint), STR_ARG(other)).p;
}

static void
says_where_and_what_to_do(void **state)
{
	(void)state;
	static const struct {
		const char *yaml, *finding;
		size_t documents;
	} rows[] = {
		{ "a: 1\nb: 2\na: 3\n", "3:1: duplicate key \"a\" [1:1]", 1 },
		{ "s:\n  t:\n    - x: 1\n      x: 2\n", "4:7: s.t[0]: duplicate key \"x\" [3:7]", 1 },
		{ "{\"a\": 1,\n \"a\": 2}", "2:2: duplicate key \"a\" [1:2]", 1 },
		{ "a:\n\tb: 1\n", "2:1: a tab can't be used for indentation; use spaces", 0 },
		{ "a: \"x\n", "1:4: the quote opened here is never closed; add the closing quote", 0 },
		{ "a: 'x\nb: 2\n", "1:4: the quote opened here is never closed; add the closing quote", 0 },
		{ "a: 1\n---\nb: [1\n", "4:1: the list in brackets is not closed here; add a comma or the closing ']' [3:4]", 1 },
		{ "a: x: y\n", "1:5: a key with a value can't stand here; check the indentation; a text that contains \": \" needs quotes", 0 },
		{ "a: *nope\n", "1:4: a: no anchor \"&nope\" before this alias", 0 },
		{ "a: &hello 1\nb: *hullo\n", "2:4: b: no anchor \"&hullo\" before this alias; did you mean \"*hello\"?", 0 },
		{ "a: &x\n  b: *x\n", "2:6: a.b: the alias \"*x\" would contain itself", 0 },
		{ "a: {{x}}\n", "1:5: a: a key must be a text, not a list or a map; put \"{{...}}\" in quotes", 0 },
		{ "a: @x\n", "1:4: a value can't begin with '@'; put it in quotes", 0 },
		{ "a: !!int x\n", "1:4: a: !!int: \"x\" is not an integer", 0 },
		{ "a: !!binary '?'\n", "1:4: a: !!binary: not base64: unexpected character at offset 0", 0 },
		{ "a: !!binary /w==\n", "1:4: a: !!binary: the bytes are no text (UTF-8); a ConfigMap has binaryData for them", 0 },
		{ "<<: 1\n", "1:5: \"<<\" needs a map, not an integer; write \"<<: *anchor\" or a list of such aliases", 0 },
		{ "a: \"\\q\"\n", "1:5: no such escape in double quotes; write \\\\ for a backslash, or use single quotes [1:4]", 0 },
		{ "a: 1\nb: \x01\n", "2:4: a control character; remove it, or write it as an escape in double quotes", 0 },
		{ "a: \xff\n", "1:4: not UTF-8; save the file as UTF-8", 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t n;
		const char *got = first_finding(str_c(rows[i].yaml), NULL, &n);
		assert_string_equal(got, rows[i].finding);
		assert_int_equal(n, rows[i].documents);
	}
}

static void
has_limits(void **state)
{
	(void)state;
	size_t n;
	struct buf b = { 0 };
	for (int i = 0; i < 101; i++)
		buf_addc(&b, '[');
	assert_string_equal(first_finding(buf_str(&b), NULL, &n), "1:101: nested deeper than 100 levels");
	b.n = 0;
	/* nine levels of ten aliases each: a thousand million values in a few hundred bytes */
	buf_add(&b, S("a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n"));
	for (int i = 1; i < 9; i++)
		buf_addf(&b, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1,
			i - 1, i - 1);
	const char *got = first_finding(buf_str(&b), NULL, &n);
	if (!strstr(got, "more than 1000000 values; aliases count as what they stand for"))
		fail_msg("%s", got);
	assert_true(arena_size(arena) < 1 << 20);
	/* depth by aliases */
	b.n = 0;
	buf_add(&b, S("a0: &a0 [[[[[1]]]]]\n"));
	for (int i = 1; i < 30; i++)
		buf_addf(&b, "a%d: &a%d [[[[[*a%d]]]]]\n", i, i, i - 1);
	assert_string_equal(first_finding(buf_str(&b), NULL, &n), "20:16: a19[0][0][0][0][0]: nested deeper than 100 levels");
	struct val_limits lim = { .bytes = 10, .nodes = 3 };
	assert_string_equal(first_finding(S("a: 12345678"), &lim, &n), "0:0: 11 bytes: more than 10 are not accepted");
	assert_string_equal(first_finding(S("[1, 2, 3]"), &lim, &n), "1:8: more than 3 values; aliases count as what they stand for");
	buf_free(&b);
}

/* Many keys: the check for duplicates goes over to a table. */
static void
finds_duplicates_in_large_maps(void **state)
{
	(void)state;
	struct buf b = { 0 };
	for (int i = 0; i < 500; i++)
		buf_addf(&b, "key%d: x\n", i);
	assert_int_equal(read_ok(b.p)->n, 500);
	buf_add(&b, S("key7: y\n"));
	size_t n;
	assert_string_equal(first_finding(buf_str(&b), NULL, &n), "501:1: duplicate key \"key7\" [8:1]");
	b.n = 0;
	buf_add(&b, S("{\"k\": 0"));
	for (int i = 0; i < 100; i++)
		buf_addf(&b, ",\n\"key%d\": 1", i);
	buf_add(&b, S(",\n \"key50\": 1}"));
	assert_string_equal(first_finding(buf_str(&b), NULL, &n), "102:2: duplicate key \"key50\" [52:1]");
	buf_free(&b);
}

static void
writes_what_reads_back(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"{}", "[]", "null", "\"\"", "1", "[[1,[2,[]]],{}]", "{\"a\":{\"b\":[{\"c\":1,\"d\":[]},[1]],\"e\":{}}}",
		"[\"true\",\"no\",\"Y\",\"1\",\"1.5\",\"0x1\",\"1_000\",\"12:30\",\"2024-01-01\",\"null\",\"~\",\"\",\" a\",\"a \",\"-\",\"- a\",\"-a\",\"--x\",\"---\",\"a: b\",\"a:\",\"a #b\",\"#a\",\"<<\",\"=\"]",
		"[\"a\\nb\",\"a\\nb\\n\",\"a\\n\\n\",\"\\n\",\"\\na\",\" a\\nb\",\"a\\n  b\\n\",\"a\\n \",\"a\\tb\",\"\\ta\",\"a\\r\\nb\",\"\\u0000\",\"\\u007f\",\"\\u0085\",\"\\u2028\",\"\\ufeff\",\"\\ud83d\\ude00\"]",
		"{\"a\\nb\":\"x\",\"true\":1,\"\":2,\"- x\":3,\"a: b\":4}", "{\"k\":\"#!/bin/sh\\nset -e\\necho \\\"hi: there\\\"\\n\"}",
		"[1.10,1e3,12345678901234567890,-0]", "[\"*a\",\"&a\",\"!a\",\"%a\",\"@a\",\"`a\",\"{a\",\"[a\",\"'a\",\"\\\"a\",\"|\",\">\",\"?\",\"? a\",\":a\",\": a\"]",
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct val v;
		struct err e;
		struct buf b = { 0 };
		assert_int_equal(json_read(arena, str_c(rows[i]), &v, &e), 0);
		yaml_write_buf(&b, &v);
		struct val *docs;
		size_t n;
		if (yaml_read_all(arena, S("t.yaml"), buf_str(&b), NULL, &docs, &n, &diags))
			fail_msg("%s: %s", b.p, diags.v.p[0].text.p);
		/* a lone null is an empty document */
		if (n != 1 || !val_eq(docs, &v))
			fail_msg("%s is written as\n%sand read as %s", rows[i], b.p, n ? as_json(docs) : "nothing");
		buf_free(&b);
	}
	/* very long keys need the explicit form */
	struct buf key = { 0 }, b = { 0 };
	for (int i = 0; i < 3000; i++)
		buf_addc(&key, 'k');
	struct val_map m = { 0 };
	val_map_add(&m, buf_str(&key), val_int(1));
	struct val v = val_map_end(&m, arena);
	yaml_write_buf(&b, &v);
	assert_true(val_eq(read_ok(b.p), &v));
	buf_free(&key);
	buf_free(&b);
}

static void
writes_what_people_like_to_read(void **state)
{
	(void)state;
	const char *text = "kind: Workflow\nspec:\n  args:\n  - --flag=a b\n  - \"true\"\n  - name: x\n    when: \"{{a}} == b\"\n  script: |\n    set -e\n\n    echo hi\n  count: 1.10\n";
	struct buf b = { 0 };
	yaml_write_buf(&b, read_ok(text));
	assert_string_equal(b.p, text);
	buf_free(&b);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = { TEST(reads_documents), TEST(keeps_positions), TEST(alias_stands_where_it_is_written),
		TEST(says_where_and_what_to_do), TEST(has_limits), TEST(finds_duplicates_in_large_maps), TEST(writes_what_reads_back),
		TEST(writes_what_people_like_to_read) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
