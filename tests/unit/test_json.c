/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#undef JSON_INDENT /* ours is meant */

#include "core/json_valid.h"
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

/* Heap copies of exactly the text, so that ASan sees a read behind it. */
static str
exact(str s)
{
	char *p = malloc(s.n ? s.n : 1);
	assert_non_null(p);
	memcpy(p, s.p, s.n);
	return (str){ p, s.n };
}

static void
assert_str(str got, const char *want)
{
	assert_int_equal(got.n, strlen(want));
	assert_memory_equal(got.p, want, got.n);
}

#define T(text) { S(text), NULL }
struct vector {
	str text;
	const char *out; /* as written again; NULL: the same text */
};

static const struct vector accepted[] = {
	T("null"), T("true"), T("false"), T("0"), T("-0"), T("1"), T("-1"), T("10"), T("1.5"), T("-0.0"), T("1e3"), T("1E+3"),
	T("1e-3"), T("1.10"), T("12345678901234567890"), T("1e400"), T("0.1e1"), T("0e0"), T("0E+1"),
	T("\"\""), T("\"a\""), T("\"\xc3\xa4\""), T("\"\xe2\x82\xac\""), T("\"\xf0\x9f\x98\x80\""), T("\"\x7f\""), T("\"\xef\xbf\xbf\""),
	T("\"\xf4\x8f\xbf\xbf\""), T("\"0123456789abcdef0123456789abcdef{\""), T("\"{{x}}\""),
	T("[]"), T("{}"), T("[1,2,3]"), T("[[[]]]"), T("{\"a\":1}"), T("{\"a\":{\"b\":[null,true]}}"), T("{\"\":0}"),
	T("{\"a\":1,\"a\":2}"), T("[{},[],\"\",0]"), T("[\"\"]"), T("[1e1]"), T("[-0]"), T("\"\\u0000\""), T("\"a\\nb\""),
	{ S(" \t\r\n[ 1 , 2 ]\n "), "[1,2]" }, { S("{ \"a\" : 1 }"), "{\"a\":1}" }, { S("\"\\/\""), "\"/\"" },
	{ S("\"\\u0041\""), "\"A\"" }, { S("\"\\u00e4\""), "\"\xc3\xa4\"" }, { S("\"\\u20AC\""), "\"\xe2\x82\xac\"" },
	{ S("\"\\ud83d\\ude00\""), "\"\xf0\x9f\x98\x80\"" }, { S("\"\\uD800\""), "\"\xef\xbf\xbd\"" },
	{ S("\"\\uDC00x\""), "\"\xef\xbf\xbdx\"" }, { S("\"\\ud800\\ud800\""), "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ S("\"\\ud800\\u0041\""), "\"\xef\xbf\xbd" "A\"" }, { S("\"\\uD8ff\\n\""), "\"\xef\xbf\xbd\\n\"" },
	{ S("\"\\\\u0041\""), "\"\\\\u0041\"" }, { S("\"\\b\\f\\n\\r\\t\\\"\\\\\""), "\"\\b\\f\\n\\r\\t\\\"\\\\\"" },
	{ S("\"\xe2\x80\xa8\""), "\"\\u2028\"" }, { S("\"\\u001f\""), "\"\\u001f\"" },
};

static const str refused[] = {
	S(""), S(" "), S("nul"), S("nulll"), S("True"), S("NaN"), S("Infinity"), S("-"), S("+1"), S("01"), S("-01"), S("1."), S(".5"),
	S("1e"), S("1e+"), S("1.e1"), S("0x10"), S("1_0"), S("--1"), S("1 2"), S("'a'"), S("\""), S("\"a"), S("\"\\"), S("\"\\\""),
	S("\"\\x\""), S("\"\\u\""), S("\"\\u12\""), S("\"\\u123g\""), S("\"\\u 123\""), S("\"\n\""), S("\"\t\""), S("\"\x1f\""), S("\"\0\""),
	S("\"\x80\""), S("\"\xc0\xaf\""), S("\"\xc1\xbf\""), S("\"\xe0\x80\x80\""), S("\"\xe0\x9f\xbf\""), S("\"\xed\xa0\x80\""),
	S("\"\xf0\x80\x80\x80\""), S("\"\xf4\x90\x80\x80\""), S("\"\xf5\x80\x80\x80\""), S("\"\xff\""), S("\"\xc3\""), S("\"\xe2\x82\""),
	S("\"\xf0\x9f\x98\""), S("\"\xc3"), S("[\"\xe4\"]"), S("["), S("]"), S("[1"), S("[1,"), S("[1,]"), S("[,1]"), S("[1 2]"), S("[1,,2]"),
	S("[]]"), S("[}"), S("{"), S("}"), S("{]"), S("{\"a\"}"), S("{\"a\":}"), S("{\"a\" 1}"), S("{\"a\":1,}"), S("{,}"), S("{a:1}"),
	S("{1:1}"), S("{\"a\":1 \"b\":2}"), S("{\"a\":1}}"), S("{'a':1}"), S("{\"a\":1"), S("{\"a"), S("[1]x"), S("\xef\xbb\xbf[]"),
	S("/*c*/1"), S("1//c"), S("[1\0]"), S("\0"), S("1\0"), S("\x0c[]"), S("\xc2\xa0[]"), S("[-]"), S("[1.]"), S("[\"a\\\"]"),
};

static void
accepts_what_is_json(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(accepted); i++) {
		struct val v;
		struct err e = { 0 };
		str text = exact(accepted[i].text);
		if (json_read(arena, text, &v, &e))
			fail_msg("%.*s: %s", STR_ARG(text), e.msg);
		assert_true(json_valid(text));
		str out = json_write(arena, &v);
		const char *want = accepted[i].out ? accepted[i].out : accepted[i].text.p;
		if (out.n != strlen(want) || memcmp(out.p, want, out.n) != 0)
			fail_msg("%.*s is written as %s, not %s", STR_ARG(text), out.p, want);
		free((void *)(uintptr_t)text.p);
	}
}

static void
refuses_what_is_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct val v = val_int(42);
		struct err e = { 0 };
		str text = exact(refused[i]);
		if (!json_read(arena, text, &v, &e))
			fail_msg("accepted: %.*s", STR_ARG(text));
		assert_int_equal(e.code, ERR_INVALID);
		assert_int_equal(v.i, 42); /* untouched */
		assert_false(json_valid(text));
		free((void *)(uintptr_t)text.p);
	}
	assert_false(json_valid(STR_NONE));
}

/* What jansson and we make of the same text must agree, but for what is known to differ. */
static bool
same(const struct val *v, const json_t *j)
{
	double f;
	const char *key;
	json_t *item;
	size_t n = 0;
	switch (json_typeof(j)) {
	case JSON_NULL:
		return v->kind == VAL_NULL;
	case JSON_TRUE:
	case JSON_FALSE:
		return v->kind == VAL_BOOL && v->b == json_is_true(j);
	case JSON_INTEGER:
	case JSON_REAL:
		return val_to_double(v, &f) && f == json_number_value(j);
	case JSON_STRING:
		return v->kind == VAL_STR && v->n == json_string_length(j) && memcmp(v->p, json_string_value(j), v->n) == 0;
	case JSON_ARRAY:
		if (v->kind != VAL_LIST || v->n != json_array_size(j))
			return false;
		json_array_foreach(j, n, item)
			if (!same(&v->items[n], item))
				return false;
		return true;
	case JSON_OBJECT:
		if (v->kind != VAL_MAP)
			return false;
		json_object_foreach((json_t *)(uintptr_t)j, key, item)
			if (!val_get(v, str_c(key)) || !same(val_get(v, str_c(key)), item))
				return false;
		return true;
	}
	return false;
}

static uint32_t
random_u32(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33);
}

/* Jansson refuses unpaired surrogates and numbers out of range and, unless told, NULs; it knows nothing of our depth. */
static bool
differs_knowingly(str text, const json_error_t *je)
{
	return str_find(text, S("\\u"), 0) != SIZE_MAX || strstr(je->text, "too big") || strstr(je->text, "overflow") ||
	       strstr(je->text, "real number");
}

/* Mutates the vectors thirty thousand times and compares the verdicts and the trees. */
static void
agrees_with_jansson(void **state)
{
	(void)state;
	static const char noise[] = "\"\\{}[],:0123456789.eE+-tfnu \xc3\xa4";
	uint64_t seed = 20;
	size_t both = 0;
	for (int round = 0; round < 30000; round++) {
		char text[256];
		str from = accepted[random_u32(&seed) % ARRAY_LEN(accepted)].text;
		str other = accepted[random_u32(&seed) % ARRAY_LEN(accepted)].text;
		int n = snprintf(text, sizeof text, round % 2 ? "[%.*s,%.*s]" : "{\"k\":%.*s,\"l\":%.*s}", STR_ARG(from), STR_ARG(other));
		for (uint32_t changes = random_u32(&seed) % 3; changes; changes--)
			text[random_u32(&seed) % (uint32_t)n] = noise[random_u32(&seed) % (sizeof noise - 1)];
		str s = exact((str){ text, (size_t)n });
		json_error_t je = { 0 };
		json_t *j = json_loadb(s.p, s.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &je);
		struct val v;
		struct err e = { 0 };
		bool ours = json_read(arena, s, &v, &e) == 0;
		if (ours != (j != NULL) && !differs_knowingly(s, &je))
			fail_msg("%.*s: we say %s, jansson says %s", STR_ARG(s), ours ? "ok" : e.msg, j ? "ok" : je.text);
		if (ours && j && !same(&v, j))
			fail_msg("%.*s: trees differ", STR_ARG(s));
		both += ours && j;
		json_decref(j);
		free((void *)(uintptr_t)s.p);
		arena_reset(arena);
	}
	assert_true(both > 5000); /* else the mutations are too wild to compare anything */
}

static void
says_where(void **state)
{
	(void)state;
	static const struct {
		const char *text, *msg;
	} rows[] = {
		{ "{\"a\": 1,\n  \"b\": tru }", "2:8: not a value; did you mean true?" },
		{ "[1,\n2,\n]", "3:1: a comma before ']'; remove it" },
		{ "{\n \"a\" 1}", "2:6: '1' where ':' should be" },
		{ "[1", "1:3: the text ends where ',' or ']' should be" },
		{ "[\"abc", "1:2: the string that starts here is never closed" },
		{ "[\"a\\qb\"]", "1:4: no such escape; write \\\\ for a backslash" },
		{ "[1] x", "1:5: 'x' where the end of the text should be" },
		{ "{a: 1}", "1:2: 'a' where a member's name in double quotes should be" },
		{ "[\"a\tb\"]", "1:4: control character 0x09 in a string; write \\u0009" },
		{ "[\"\xff\"]", "1:3: byte 0xff is not UTF-8" },
		{ "012", "1:1: a number must not start with 0" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct val v;
		struct err e = { 0 };
		assert_int_equal(json_read(arena, str_c(rows[i].text), &v, &e), -1);
		assert_string_equal(e.msg, rows[i].msg);
	}
}

static void
keeps_positions_and_flags(void **state)
{
	(void)state;
	struct val v;
	struct err e;
	assert_int_equal(json_read(arena, S("{\n  \"a\": [1,\n \"{{x}}\"],\n \"b\": \"{x}\"}"), &v, &e), 0);
	const struct val *list = val_path(&v, "a");
	assert_int_equal(list->line, 2);
	assert_int_equal(list->col, 8);
	assert_int_equal(val_at(list, 1)->line, 3);
	assert_int_equal(val_at(list, 1)->col, 2);
	assert_int_equal(v.members[1].key.line, 4);
	assert_true(v.flags & list->flags & val_at(list, 1)->flags & VAL_TAGGED);
	assert_false(val_at(list, 0)->flags & VAL_TAGGED);
	assert_false(val_path(&v, "b")->flags & VAL_TAGGED);
	assert_int_equal(json_read(arena, S("\"\\u007b{\""), &v, &e), 0);
	assert_true(v.flags & VAL_TAGGED); /* also when an escape hides it */
}

static void
has_limits(void **state)
{
	(void)state;
	struct buf b = { 0 };
	struct val v;
	struct err e = { 0 };
	for (int i = 0; i < 100; i++)
		buf_addc(&b, '[');
	for (int i = 0; i < 100; i++)
		buf_addc(&b, ']');
	assert_int_equal(json_read(arena, buf_str(&b), &v, &e), 0);
	struct buf deeper = { 0 };
	buf_addf(&deeper, "[%s]", b.p);
	assert_int_equal(json_read(arena, buf_str(&deeper), &v, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_string_equal(e.msg, "1:101: nested too deep");
	struct val_limits lim = { .nodes = 4, .bytes = 20 };
	assert_int_equal(json_read_limited(arena, S("[1,2,3]"), &lim, &v, &e), 0);
	assert_int_equal(json_read_limited(arena, S("[1,2,3,4]"), &lim, &v, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(json_read_limited(arena, S("\"012345678901234567\""), &lim, &v, &e), 0);
	assert_int_equal(json_read_limited(arena, S("\"0123456789012345678\""), &lim, &v, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	buf_free(&b);
	buf_free(&deeper);
}

static void
prints_floats_as_go(void **state)
{
	(void)state;
	static const struct {
		double f;
		const char *text;
	} rows[] = {
		{ 0, "0" }, { -0.0, "-0" }, { 1, "1" }, { -1, "-1" }, { 0.1, "0.1" }, { 1.5, "1.5" }, { 100, "100" }, { 1e20, "100000000000000000000" },
		{ 1e21, "1e+21" }, { 1.5e21, "1.5e+21" }, { 123456789012345680000.0, "123456789012345680000" }, { 1e-6, "0.000001" },
		{ 1e-7, "1e-7" }, { 1.25e-7, "1.25e-7" }, { 1e-10, "1e-10" }, { 0.000001234, "0.000001234" }, { 3.141592653589793, "3.141592653589793" },
		{ 0.30000000000000004, "0.30000000000000004" }, { 1.7976931348623157e308, "1.7976931348623157e+308" }, { 5e-324, "5e-324" },
		{ 2.2250738585072014e-308, "2.2250738585072014e-308" }, { 9007199254740993.0, "9007199254740992" }, { 1e100, "1e+100" }, { 1.0 / 3, "0.3333333333333333" },
		{ __builtin_inf(), "null" }, { __builtin_nan(""), "null" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = { 0 };
		json_float(&b, rows[i].f);
		assert_str(buf_str(&b), rows[i].text);
		buf_free(&b);
	}
}

static void
writes_with_options(void **state)
{
	(void)state;
	struct val v;
	struct err e;
	struct buf b = { 0 };
	assert_int_equal(json_read(arena, S("{\"b\":[1,{}],\"a\":\"<&>\",\"c\":[]}"), &v, &e), 0);
	json_write_opts(&b, &v, JSON_INDENT | JSON_SORT | JSON_HTML);
	assert_string_equal(b.p, "{\n  \"a\": \"\\u003c\\u0026\\u003e\",\n  \"b\": [\n    1,\n    {}\n  ],\n  \"c\": []\n}");
	b.n = 0;
	json_quote(&b, S("\xff\xe2\x80\xa9<\xc3"), 0);
	assert_string_equal(b.p, "\"\\ufffd\\u2029<\\ufffd\"");
	buf_free(&b);
}

/* A text is looked at sixteen bytes at a time. */
static void
quotes_what_needs_it_wherever_it_stands(void **state)
{
	static const struct {
		char c;
		const char *plain, *html;
	} rows[] = { { '"', "\\\"", "\\\"" }, { '\\', "\\\\", "\\\\" }, { '\n', "\\n", "\\n" }, { 0x1f, "\\u001f", "\\u001f" }, { '<', "<", "\\u003c" },
		{ '>', ">", "\\u003e" }, { '&', "&", "\\u0026" }, { '=', "=", "=" }, { '?', "?", "?" }, { '$', "$", "$" }, { ':', ":", ":" } };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (int before = 0; before < 40; before++) {
			char text[64], want[80];
			int n = snprintf(text, sizeof text, "%.*s%c0123456789abcdef", before, "0123456789012345678901234567890123456789", rows[i].c);
			for (int html = 0; html < 2; html++) {
				struct buf b = { 0 };
				snprintf(want, sizeof want, "\"%.*s%s0123456789abcdef\"", before, text, html ? rows[i].html : rows[i].plain);
				json_quote(&b, (str){ text, (size_t)n }, html ? JSON_HTML : 0);
				assert_string_equal(b.p, want);
				buf_free(&b);
			}
		}
}

/* ---- the ways to look whether a text is valid ---------------------------------------------------------------- */

static uint32_t seed;

static unsigned
pick(unsigned n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 12) % n;
}

static void
add_space(struct buf *b)
{
	static const char *const spaces[] = { " ", "\n", "\t\r\n   ", "                                                                    " };
	if (pick(6) == 0)
		buf_add(b, str_c(spaces[pick(ARRAY_LEN(spaces))]));
}

/* Any value, mostly one that goes on for a while. */
static void
add_value(struct buf *b, unsigned depth)
{
	static const char *const scalars[] = { "true", "false", "null", "0", "-1", "1.5e3", "12345", "\"\"", "\"a\"", "\"abc\\n\\\"x\\\\\"", "\"\\u00e4\"",
		"\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"", "\"[{,:}]\"", "\"long, so that a block has nothing but what is in this one string, or nearly nothing but that\"" };
	unsigned container = depth ? pick(4) : 0;
	add_space(b);
	if (container < 2) {
		buf_add(b, str_c(scalars[pick(ARRAY_LEN(scalars))]));
	} else {
		buf_addc(b, container == 2 ? '{' : '[');
		for (unsigned i = 0, n = pick(6); i < n; i++) {
			if (i)
				buf_addc(b, ',');
			if (container == 2) {
				add_space(b);
				buf_add(b, str_c(scalars[7 + pick(ARRAY_LEN(scalars) - 7)]));
				add_space(b);
				buf_addc(b, ':');
			}
			add_value(b, depth - 1);
		}
		add_space(b);
		buf_addc(b, container == 2 ? '}' : ']');
	}
	add_space(b);
}

/* Changes a byte, takes one out, or swaps two. */
static void
spoil(char *p, size_t *n)
{
	static const char bytes[] = "{}[],:\"\\ \n\ttfnu0123-.eE\xc3\xa4\xe2\xed\xa0\xf0\x80\x01\x7f/";
	size_t at = pick((unsigned)*n), other = pick((unsigned)*n);
	switch (pick(3)) {
	case 0:
		p[at] = bytes[pick(sizeof bytes)];
		break;
	case 1:
		memmove(p + at, p + at + 1, --*n - at);
		break;
	default: {
		char c = p[at];
		p[at] = p[other];
		p[other] = c;
	}
	}
}

/* A copy without a byte to spare, so that reading outside shows. */
static bool
ask_all(const char *p, size_t n)
{
	str text = exact((str){ p, n });
	bool want = json_valid_plain(text);
	for (const struct json_valid_way *w = json_valid_ways; w->name; w++)
		if (w->usable() && w->valid(text) != want)
			fail_msg("%s says that this is %svalid: %.*s", w->name, want ? "in" : "", STR_ARG(text));
	free((void *)(uintptr_t)text.p);
	return want;
}

static void
all_ways_agree_on_texts(void **state)
{
	(void)state;
	size_t valid = 0, rounds = 30000;
	seed = 11;
	for (size_t round = 0; round < rounds; round++) {
		struct buf b = { 0 };
		add_value(&b, 3 + pick(4));
		size_t n = b.n;
		for (unsigned i = pick(4); i && n; i--)
			spoil(b.p, &n);
		valid += ask_all(b.p, n);
		buf_free(&b);
	}
	assert_true(valid > rounds / 5 && valid < rounds * 4 / 5);
}

/* Texts of many parts and groups of tokens, most of which go wrong late if at all. */
static void
all_ways_agree_on_long_texts(void **state)
{
	(void)state;
	size_t valid = 0, rounds = 1500;
	seed = 17;
	for (size_t round = 0; round < rounds; round++) {
		struct buf b = { 0 };
		bool object = pick(2);
		buf_addc(&b, object ? '{' : '[');
		for (size_t i = 0, n = 3000 + pick(9000); b.n < n; i++) {
			buf_add(&b, i ? S(",") : S(""));
			buf_add(&b, object ? S("\"k\":") : S(""));
			add_value(&b, 1 + pick(5));
		}
		buf_addc(&b, object ? '}' : ']');
		size_t n = b.n;
		for (unsigned i = pick(3); i && n; i--)
			spoil(b.p, &n);
		valid += ask_all(b.p, n);
		buf_free(&b);
	}
	assert_true(valid > rounds / 5 && valid < rounds * 4 / 5);
}

/* Every row of tokens up to a length, behind so many others that it lies across the border of what is looked at together, or not. */
static void
all_ways_agree_on_rows_of_tokens(void **state)
{
	(void)state;
	static const char *const tokens[] = { "{", "}", "[", "]", ",", ":", "\"\"", "0" };
	static const struct {
		const char *open, *close;
		unsigned zeros, length;
	} rows[] = { { "", "", 0, 6 }, { "[", "]", 0, 6 }, { "{\"\":", "}", 0, 6 }, { "[", "]", 30, 5 }, { "[[", "]]", 30, 5 }, { "[{\"\":[", "]}]", 28, 5 } };
	size_t valid = 0;
	for (size_t r = 0; r < ARRAY_LEN(rows); r++)
		for (unsigned length = 1; length <= rows[r].length; length++)
			for (unsigned number = 0; number < 1u << 3 * length; number++) {
				char text[160];
				int n = snprintf(text, sizeof text, "%s", rows[r].open);
				for (unsigned i = 0; i < rows[r].zeros; i++)
					n += snprintf(text + n, sizeof text - (size_t)n, "0,");
				for (unsigned i = 0; i < length; i++)
					n += snprintf(text + n, sizeof text - (size_t)n, "%s", tokens[number >> 3 * i & 7]);
				n += snprintf(text + n, sizeof text - (size_t)n, "%s", rows[r].close);
				valid += ask_all(text, (size_t)n);
			}
	assert_true(valid > 200);
}

/* Whatever stands in the tables stands at every place of a block, within lists, objects and strings. */
static void
all_ways_agree_at_every_place(void **state)
{
	(void)state;
	static const char *const around[][2] = { { "[", "]" }, { "{\"k\":", "}" }, { "[1,", ",2]" }, { "{\"a\":[", "]}" }, { "", "" }, { "[\"", "\"]" } };
	for (size_t i = 0; i < ARRAY_LEN(accepted) + ARRAY_LEN(refused); i++) {
		str inner = i < ARRAY_LEN(accepted) ? accepted[i].text : refused[i - ARRAY_LEN(accepted)];
		for (unsigned place = 0; place < 66; place++)
			for (size_t k = 0; k < ARRAY_LEN(around); k++) {
				struct buf b = { 0 };
				buf_addf(&b, "%s%*s", around[k][0], (int)place, "");
				buf_add(&b, inner);
				buf_add(&b, str_c(around[k][1]));
				(void)ask_all(b.p, b.n);
				buf_free(&b);
			}
	}
}

/* Every pair, and every third and fourth byte that could make a difference, across the border of a block. */
static void
all_ways_agree_on_utf8(void **state)
{
	(void)state;
	static const unsigned char later[] = { 'a', 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc2, 0xe0, 0xff };
	for (unsigned first = 0x80; first < 0x100; first++)
		for (unsigned second = 0x20; second < 0x100; second++)
			for (unsigned k = 0; k < ARRAY_LEN(later) * (first >= 0xe0 ? ARRAY_LEN(later) : 1); k++) {
				char text[80];
				size_t at = 58 + k % 6;
				memset(text, ' ', sizeof text);
				text[0] = '[';
				text[1] = text[70] = '"';
				text[71] = ']';
				text[at] = (char)first;
				text[at + 1] = (char)second;
				text[at + 2] = (char)later[k % ARRAY_LEN(later)];
				text[at + 3] = (char)later[k / ARRAY_LEN(later)];
				(void)ask_all(text, sizeof text);
			}
}

static void
all_ways_keep_the_limits(void **state)
{
	(void)state;
	for (size_t depth = 1; depth < 140; depth++) {
		char text[300];
		for (size_t i = 0; i < depth; i++) {
			text[i] = '[';
			text[2 * depth - 1 - i] = ']';
		}
		assert_int_equal(ask_all(text, 2 * depth), depth <= JSON_DEPTH_MAX);
	}
	for (size_t values = JSON_VALUES_MAX - 2; values < JSON_VALUES_MAX + 3; values++) {
		struct buf b = { 0 };
		buf_addc(&b, '[');
		for (size_t i = 0; i + 1 < values; i++)
			buf_add(&b, i ? S(",1") : S("1"));
		buf_addc(&b, ']');
		assert_int_equal(ask_all(b.p, b.n), values <= JSON_VALUES_MAX);
		buf_free(&b);
	}
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = { TEST(accepts_what_is_json), TEST(refuses_what_is_not), TEST(agrees_with_jansson), TEST(says_where),
		TEST(keeps_positions_and_flags), TEST(has_limits), TEST(prints_floats_as_go), TEST(writes_with_options), TEST(quotes_what_needs_it_wherever_it_stands),
		TEST(all_ways_agree_on_texts), TEST(all_ways_agree_on_long_texts), TEST(all_ways_agree_on_rows_of_tokens), TEST(all_ways_agree_at_every_place), TEST(all_ways_agree_on_utf8), TEST(all_ways_keep_the_limits) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
