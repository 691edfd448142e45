/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expr: against the vectors that tests/oracle/expr makes with the real evaluators, v1.17 and v1.15.5; messages; limits; functions
 * of the caller's.
 */
#include "tests/unit/vectors.h"

#include "core/lang/expr.h"
#include "core/lang/gofmt.h"

static struct arena *env_arena;
static struct val env;

static int
setup(void **state)
{
	(void)state;
	struct err e;
	env_arena = arena_new();
	assert_int_equal(json_read(env_arena, vectors_read_file(env_arena, "tests/oracle/expr/env.json"), &env, &e), 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(env_arena);
	return 0;
}

static int
run(struct arena *a, str text, unsigned flags, struct val *out, struct err *e)
{
	struct expr_options o = { .flags = flags };
	struct expr *x;
	if (expr_compile(text, &o, &x, e) < 0)
		return -1;
	int rc = expr_eval(x, &env, a, out, e);
	if (rc == 0)
		*out = val_copy(a, out);
	expr_free(x);
	return rc;
}

/* As the oracle encodes: floats are {"$f": text}. Members are sorted there. */
static void
encode(struct buf *b, struct arena *a, const struct val *v)
{
	double f;
	switch (v->kind) {
	case VAL_FLOAT:
	case VAL_NUM:
		assert_true(val_to_double(v, &f));
		buf_add(b, S("{\"$f\":\""));
		go_format_float(b, f, 'g', -1);
		buf_add(b, S("\"}"));
		break;
	case VAL_LIST:
		buf_addc(b, '[');
		for (uint32_t i = 0; i < v->n; i++) {
			buf_add(b, i ? S(",") : S(""));
			encode(b, a, &v->items[i]);
		}
		buf_addc(b, ']');
		break;
	case VAL_MAP: {
		struct val_map m = { 0 };
		for (uint32_t i = 0; i < v->n; i++) {
			struct buf one = { 0 };
			struct val item;
			struct err e;
			encode(&one, a, &v->members[i].value);
			assert_int_equal(json_read(a, arena_dup(a, buf_str(&one)), &item, &e), 0);
			val_map_add(&m, val_key(&v->members[i]), item);
			buf_free(&one);
		}
		struct val sorted = val_map_end(&m, a);
		json_write_opts(b, &sorted, JSON_SORT);
		break;
	}
	default:
		json_write_opts(b, v, JSON_SORT);
		break;
	}
}

/* Where we differ on purpose: what the real ones refuse for types they know beforehand, or by a fault of their optimiser. */
static bool
differs_on_purpose(str text)
{
	static const char *const known[] = { "filter(list, #index > 0)", "\"abc\"[1]", "1.0..3.0" };
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (str_eq(text, str_c(known[i])))
			return true;
	return false;
}

static const char *
check(struct arena *a, const struct val *line, const char *version, unsigned flags)
{
	str text = val_get_str(line, "expr");
	const struct val *want = val_get(line, str_c(version));
	const struct val *value = val_get(want, S("value"));
	struct val got;
	struct err e;
	if (differs_on_purpose(text))
		return NULL;
	if (run(a, text, flags, &got, &e) < 0)
		return value ? str_z(a, arena_fmt(a, "error %s", e.msg)) : NULL;
	struct buf b = { 0 }, wanted = { 0 };
	encode(&b, a, &got);
	if (value)
		json_write_opts(&wanted, value, JSON_SORT);
	str result = arena_dup(a, buf_str(&b));
	bool same = value && str_eq(result, buf_str(&wanted));
	buf_free(&b);
	buf_free(&wanted);
	return same ? NULL : result.p;
}

static const char *
check_v117(struct arena *a, const struct val *line)
{
	return check(a, line, "v117", 0);
}

/* What v1.15.5 evaluates is the same here; what it lacks may work. Its equality of lists is stricter than its equality of numbers. */
static const char *
check_v115(struct arena *a, const struct val *line)
{
	static const char *const stricter[] = { "[1] == [1.0]", "list == [3, 1, 2]", "m.z.deep == [10, 20, {\"end\": \"here\"}]", "min(list)" };
	for (size_t i = 0; i < ARRAY_LEN(stricter); i++)
		if (str_eq(val_get_str(line, "expr"), str_c(stricter[i])))
			return NULL;
	return val_path(line, "v115.error") ? NULL : check(a, line, "v115", EXPR_V115);
}

static void
test_vectors_v117(void **state)
{
	(void)state;
	vectors_replay("tests/vectors/expr.jsonl", check_v117);
}

static void
test_vectors_v115(void **state)
{
	(void)state;
	vectors_replay("tests/vectors/expr.jsonl", check_v115);
}

static void
test_messages(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "", "1:1: the expression ends too early" },
		{ "a ==", "the expression ends too early" },
		{ "a\n  && )", "2:6: unexpected )" },
		{ "foo(1)", "1:1: there is no function foo" },
		{ "len(1, 2)", "1:1: len takes 1 argument, not 2" },
		{ "map(list)", "map takes 2 arguments, not 1" },
		{ "a == 1 b", "1:8: unexpected b" },
		{ "s == 1 == \"x\"", "== compares a bool with a string" },
		{ "not a == 1", "== compares a bool with a number" },
		{ "missing.x", "1:9: cannot fetch x from nil" },
		{ "s + 1", "1:3: invalid operation: string + int" },
		{ "s matches \"(\"", "1:11: " },
		{ "\"abc", "1:1: a string without an end" },
		{ "nul ?? 1 + 2", "+ and ?? cannot be mixed" },
		{ "#", "1:1: unexpected #" },
		{ "map(list, #foo)", "#foo: must be #, #index or #acc" },
		{ "s.trim()", "type string has no method trim" },
		{ "s[0].x()", "type int has no method x" },
		{ "sprig.x()", "there is no function sprig.x" },
		{ "list[9]", "index out of range: 9 (length is 3)" },
		{ "filter(list, 1 + #)", "the predicate of filter must give a bool, not float" },
	};
	struct arena *a = arena_new();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct val v;
		struct err e = { 0 };
		assert_int_equal(run(a, str_c(rows[i].text), 0, &v, &e), -1);
		assert_true(e.code == ERR_INVALID || e.code == ERR_UNSUPPORTED || (e.code == ERR_NOT_FOUND && strstr(e.msg, "no function")));
		if (!strstr(e.msg, rows[i].says))
			fail_msg("%s: says \"%s\", not \"%s\"", rows[i].text, e.msg, rows[i].says);
	}
	arena_free(a);
}

/* `n` times `part` between `head` and `tail`. */
static str
repeated(struct arena *a, const char *head, const char *part, size_t n, const char *tail)
{
	struct buf b = { 0 };
	buf_add(&b, str_c(head));
	for (size_t i = 0; i < n; i++)
		buf_add(&b, str_c(part));
	buf_add(&b, str_c(tail));
	str s = arena_dup(a, buf_str(&b));
	buf_free(&b);
	return s;
}

static void
test_limits(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	const str texts[] = {
		repeated(a, "", "(", 100000, ""), repeated(a, "", "(", 600, "1"), repeated(a, "1", "+1", 600, ""),
		repeated(a, "", "!", 600, "t"), repeated(a, "", "[", 600, ""), repeated(a, "[", "1,", 12000, "1]"),
		repeated(a, "a", ".a", 600, ""), repeated(a, "a", "?.a", 600, ""), repeated(a, "", "t ? 1 : ", 600, "2"),
		repeated(a, "", "let x = 1; ", 600, "x"), S("1..100000000"), S("0..9223372036854775807"),
		S("repeat(\"abc\", 100000000)"), S("map(1..1000, map(1..1000, map(1..1000, #)))"),
		S("reduce(1..60, #acc + #acc, \"x\")"), S("len(map(1..2000, repeat(\"x\", 100000)))"),
		S("replace(repeat(\"a\", 1000000), \"a\", repeat(\"b\", 1000))"),
	};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct val v;
		struct err e = { 0 };
		assert_int_equal(run(a, texts[i], 0, &v, &e), -1);
		if (e.code != ERR_LIMIT)
			fail_msg("%zu: %s", i, e.msg);
	}
	arena_free(a);
}

static int
call_double(const struct expr_call *c, const struct val *args, size_t n, struct val *out, struct err *e)
{
	(void)n;
	if (args[0].kind != VAL_INT)
		return err_set(e, ERR_INVALID, "an int, please");
	*out = val_int(args[0].i * *(int *)c->arg);
	return 0;
}

static bool
functions(void *arg, str name, struct expr_function *out)
{
	(void)arg;
	if (!str_eq(name, S("math.times")))
		return expr_argo_function(name, out);
	*out = (struct expr_function){ "math.times", 1, 1, call_double, NULL };
	return true;
}

static struct val
run_with_functions(struct arena *a, const char *text, const char *error)
{
	int factor = 2;
	struct expr_options o = { .function = functions, .arg = &factor };
	struct expr *x;
	struct err e;
	struct val v = val_null();
	if (expr_compile(str_c(text), &o, &x, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
	int rc = expr_eval(x, &env, a, &v, &e);
	if (error) {
		assert_int_equal(rc, -1);
		assert_string_equal(e.msg, error);
	} else if (rc < 0) {
		fail_msg("%s: %s", text, e.msg);
	}
	v = val_copy(a, &v);
	expr_free(x);
	return v;
}

static void
test_functions_of_the_caller(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	assert_int_equal(run_with_functions(a, "math.times(20) + 2", NULL).i, 42);
	assert_int_equal(run_with_functions(a, "asInt(\"40\") + asInt(2.9)", NULL).i, 42);
	assert_true(run_with_functions(a, "asInt(big) == 12345678901234567", NULL).b);
	assert_true(run_with_functions(a, "asFloat(\"1.5\") == 1.5", NULL).b);
	struct val v = run_with_functions(a, "toJson({b: [1, nil], a: \"<\"})", NULL);
	assert_string_equal(str_z(a, val_text(&v)), "{\"a\":\"\\u003c\",\"b\":[1,null]}");
	v = run_with_functions(a, "sprig.upper(s) + sprig.join(\"-\", [1, true]) + sprig.trimSuffix(\"b\", \"ab\")", NULL);
	assert_string_equal(str_z(a, val_text(&v)), "HELLO1-truea");
	assert_int_equal(run_with_functions(a, "len(sprig.dict(\"k\", [1, 2])[\"k\"])", NULL).i, 2);
	assert_true(run_with_functions(a, "sprig.hasPrefix(\"he\", s) and sprig.contains(\"ell\", s)", NULL).b);
	run_with_functions(a, "1 + math.times(\"x\")", "1:9: math.times: an int, please");
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors_v117), cmocka_unit_test(test_vectors_v115),
		cmocka_unit_test(test_messages),     cmocka_unit_test(test_limits),
		cmocka_unit_test(test_functions_of_the_caller),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
