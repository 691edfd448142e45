/* SPDX-License-Identifier: Apache-2.0 */
/* Avro against vectors of goavro, both ways; what goavro does not do (plain values in unions, defaults); limits; schemas that are none. */
#include "tests/unit/vectors.h"

#include "core/avro.h"

static str
bytes_of(struct arena *a, str hex)
{
	char *p = arena_alloc(a, hex.n / 2 + 1, 1);
	for (size_t i = 0; i + 1 < hex.n; i += 2) {
		char digits[3] = { hex.p[i], hex.p[i + 1], 0 };
		p[i / 2] = (char)strtoul(digits, NULL, 16);
	}
	return (str){ p, hex.n / 2 };
}

static str
hex_of(struct arena *a, str bytes)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < bytes.n; i++)
		buf_addf(&b, "%02x", (unsigned char)bytes.p[i]);
	return arena_dup(a, buf_str(&b));
}

/* "!" and the reason if it cannot be done. */
static str
decoded(struct arena *a, const char *schema, str hex)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	struct err e = { 0 };
	struct avro_schema *s = avro_schema_read(str_c(schema), &e);
	int rc = s ? avro_decode(s, bytes_of(a, hex), &b, &e) : -1;
	avro_schema_free(s);
	return rc < 0 ? arena_fmt(a, "!%s", e.msg) : arena_dup(a, buf_str(&b));
}

static str
encoded(struct arena *a, const char *schema, str json)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	struct err e = { 0 };
	struct val v;
	struct avro_schema *s = avro_schema_read(str_c(schema), &e);
	int rc = s && json_read(a, json, &v, &e) == 0 ? avro_encode(s, &v, &b, &e) : -1;
	avro_schema_free(s);
	return rc < 0 ? arena_fmt(a, "!%s", e.msg) : hex_of(a, buf_str(&b));
}

static const char *
check_vector(struct arena *a, const struct val *line)
{
	const char *schema = str_z(a, val_get_str(line, "schema"));
	str hex = val_get_str(line, "hex"), text = val_get_str(line, "text"), got = decoded(a, schema, hex);
	if (text.n ? !str_eq(got, text) : !str_starts(got, S("!")))
		return arena_fmt(a, "decoded %.*s", STR_ARG(got)).p;
	if (!val_is_true(val_get(line, S("again"))))
		return NULL;
	got = encoded(a, schema, text);
	return str_eq(got, hex) ? NULL : arena_fmt(a, "encoded %.*s", STR_ARG(got)).p;
}

static void
values_are_those_of_goavro(void **state UNUSED)
{
	vectors_replay("tests/vectors/avro.jsonl", check_vector);
}

#define RECORD "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"b\",\"type\":[\"null\",\"string\"],\"default\":null}]}"
#define LOGICAL "[\"null\",{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}]"
#define NUMBERS "[\"null\",\"int\",\"long\",\"double\",\"string\"]"
#define RECORDS "[{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"}]}," \
	"{\"type\":\"record\",\"name\":\"s\",\"fields\":[{\"name\":\"a\",\"type\":\"string\"}]}]"

static void
plain_values_find_their_type(void **state UNUSED)
{
	static const struct {
		const char *schema, *json, *hex;
	} cases[] = {
		{ RECORD, "{\"a\": 1}", "0200" }, { RECORD, "{\"b\": \"x\", \"a\": 1, \"more\": []}", "02020278" },
		{ RECORD, "{\"a\": 1, \"b\": {\"string\": \"x\"}}", "02020278" },
		{ NUMBERS, "null", "00" }, { NUMBERS, "5", "020a" }, { NUMBERS, "5.0", "020a" }, { NUMBERS, "3000000000", "0480f882ad16" },
		{ NUMBERS, "0.5", "06000000000000e03f" }, { NUMBERS, "\"x\"", "080278" }, { NUMBERS, "{\"double\": 5}", "060000000000001440" },
		{ RECORDS, "{\"a\": \"x\"}", "020278" }, { RECORDS, "{\"a\": 1}", "0002" },
		{ "\"double\"", "1", "000000000000f03f" }, { LOGICAL, "1700000000123", "02f6a1abfef962" },
		{ RECORD, "{\"a\": \"1\"}", "!avro: a string is no int" }, { RECORD, "{}", "!avro: r: a is missing, and has no default" },
		{ "\"int\"", "2147483648", "!avro: an integer is no int" }, { "\"long\"", "0.5", "!avro: a number is no long" },
		{ NUMBERS, "true", "!avro: a boolean is none of the types of its union" }, { "\"bytes\"", "\"\xE2\x82\xAC\"", "!avro: bytes: bytes are characters up to U+00FF" },
		{ "{\"type\":\"fixed\",\"name\":\"f\",\"size\":2}", "\"x\"", "!avro: f has 2 bytes, not 1" },
		{ "{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\"]}", "\"B\"", "!avro: e has no \"B\"" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena *a CLEANUP(free_arena) = arena_new();
		str got = encoded(a, cases[i].schema, str_c(cases[i].json));
		if (!str_eq(got, str_c(cases[i].hex)))
			fail_msg("%s: %.*s", cases[i].json, STR_ARG(got));
	}
}

/* goavro loses what is below a second. */
static void
times_keep_their_milliseconds(void **state UNUSED)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	assert_string_equal(decoded(a, LOGICAL, S("02f6a1abfef962")).p, "{\"long.timestamp-millis\":1700000000123}");
}

static void
what_is_no_schema(void **state UNUSED)
{
	static const char *const cases[][2] = {
		{ "", "the text ends" }, { "7", "avro: an integer is no type" }, { "\"x\"", "avro: there is no type \"x\"" }, { "{}", "avro: there is no type \"\"" },
		{ "[]", "avro: union: a union needs types" }, { "[[\"null\"]]", "avro: union: it has a union in it" },
		{ "{\"type\":\"record\",\"name\":\"1\",\"fields\":[]}", "avro: \"1\" is no name for a type" },
		{ "{\"type\":\"record\",\"name\":\"r\"}", "avro: r: a record needs fields" },
		{ "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\"}]}", "avro: r: a field needs a name and a type" },
		{ "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\\\"\",\"type\":\"int\"}]}", "avro: r: a field needs a name and a type" },
		{ "[{\"type\":\"fixed\",\"name\":\"f\",\"size\":1},{\"type\":\"fixed\",\"name\":\"f\",\"size\":2}]", "avro: there are two types f" },
		{ "{\"type\":\"fixed\",\"name\":\"f\",\"size\":-1}", "avro: f: fixed needs a size" },
		{ "{\"type\":\"fixed\",\"name\":\"f\",\"size\":1e12}", "avro: f: fixed needs a size" },
		{ "{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[]}", "avro: e: an enum needs symbols" },
		{ "{\"type\":\"array\"}", "avro: array: items are missing" }, { "{\"type\":\"map\"}", "avro: map: values are missing" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };
		assert_null(avro_schema_read(str_c(cases[i][0]), &e));
		if (!strstr(e.msg, cases[i][1]))
			fail_msg("%s: %s", cases[i][0], e.msg);
	}
}

static void
assert_limit(struct arena *a, const char *schema, str hex, const char *what)
{
	str got = decoded(a, schema, hex);
	if (!str_eq(got, arena_fmt(a, "!avro: more than %s", what)))
		fail_msg("%s: %.*s", schema, STR_ARG(str_slice(got, 0, 100)));
}

/* Schemas and messages that would take all memory, or the stack. */
static void
limits(void **state UNUSED)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct buf deep CLEANUP(free_buf) = { 0 };
	assert_limit(a, "{\"type\":\"array\",\"items\":\"null\"}", S("feffffffffffffffff01"), "1000000 values");
	assert_limit(a, "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"r\",\"type\":\"r\"}]}", S(""), "64 values inside each other");
	for (int i = 0; i < 100; i++)
		buf_add(&deep, S("02"));
	assert_limit(a, "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"r\",\"type\":[\"null\",\"r\"]}]}", buf_str(&deep), "64 values inside each other");
	str twice = S("{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\",\"type\":\"r\",\"default\":{}},{\"name\":\"b\",\"type\":\"r\",\"default\":{}}]}");
	assert_string_equal(encoded(a, twice.p, S("{}")).p, "!avro: more than 64 values inside each other");
}

/* Each record has the next one twice, by default: 2^40 of them, in few letters. */
static void
defaults_do_not_multiply_for_ever(void **state UNUSED)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct buf s CLEANUP(free_buf) = { 0 };
	buf_addc(&s, '[');
	for (int i = 40; i > 0; i--)
		buf_addf(&s, "%s{\"type\":\"record\",\"name\":\"r%d\",\"fields\":[{\"name\":\"a\",\"default\":%s,\"type\":\"%s%.0d\"},"
			"{\"name\":\"b\",\"default\":%s,\"type\":\"%s%.0d\"}]}", i < 40 ? "," : "", i, i < 40 ? "{}" : "null", i < 40 ? "r" : "null",
			i < 40 ? i + 1 : 0, i < 40 ? "{}" : "null", i < 40 ? "r" : "null", i < 40 ? i + 1 : 0);
	buf_addc(&s, ']');
	buf_addc(&s, 0);
	str got = encoded(a, s.p, S("{\"r1\": {}}"));
	assert_string_equal(got.p, "!avro: more than 1000000 values");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_those_of_goavro),
		cmocka_unit_test(plain_values_find_their_type),
		cmocka_unit_test(times_keep_their_milliseconds),
		cmocka_unit_test(what_is_no_schema),
		cmocka_unit_test(limits),
		cmocka_unit_test(defaults_do_not_multiply_for_ever),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
