/* SPDX-License-Identifier: Apache-2.0 */
/* The language of `when`: what holds, what is refused and in which words, where it stops. */
#include "tests/unit/vectors.h"

#include <math.h>

#include "core/lang/when.h"

static void
holds(void **state)
{
	static const struct {
		const char *text;
		bool want;
	} cases[] = {
		{ "", true },
		{ "true", true },
		{ "false", false },
		{ " true ", true },
		/* bare words are strings */
		{ "heads == heads", true },
		{ "heads == tails", false },
		{ "heads != tails", true },
		{ "Succeeded == 'Succeeded'", true },
		{ "\"a b\" == 'a b'", true },
		{ "a_b == 'a_b'", true },
		{ "True == False", false },
		/* numbers are numbers, not strings */
		{ "1 == 1.0", true },
		{ "01 == 1", true },
		{ "1 == '1'", false },
		{ "0x10 == 16", true },
		{ "2 < 10", true },
		{ "'2' < '10'", false },
		{ "a < b", true },
		{ "1 >= 1 && 1 <= 1", true },
		{ "-1 < 0", true },
		{ "2 - 3 == -1", true },
		/* precedence, left to right */
		{ "1 + 2 * 3 == 7", true },
		{ "(1 + 2) * 3 == 9", true },
		{ "10 - 4 - 3 == 3", true },
		{ "7 % 4 == 3", true },
		{ "2 ** 3 == 8", true },
		{ "true || false && false", true },
		{ "(true || false) && false", false },
		{ "!false", true },
		{ "!(1 == 1)", false },
		{ "6 & 3 == 2 || true", true },
		{ "1 << 3 == 8", true },
		/* short circuits: what is not looked at is not wrong */
		{ "false && 1", false },
		{ "true || 1", true },
		{ "'a' + 1 == 'a1'", true },
		{ "'x' in ('x', 'y')", true },
		{ "3 in (1, 2)", false },
		{ "x in (x)", true },
		{ "'heads' =~ '^h'", true },
		{ "heads !~ 'ds$'", false },
		{ "true ? 1 == 1 : 1 == 2", true },
		{ "false ? true : false", false },
		{ "[odd name] == 'odd name'", true },
		{ "'it\\'s' == \"it's\"", true },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };
		bool is = !cases[i].want;
		if (when_eval(str_c(cases[i].text), &is, &e))
			fail_msg("%s: %s", cases[i].text, e.msg);
		if (is != cases[i].want)
			fail_msg("%s: is %s", cases[i].text, is ? "true" : "false");
	}
}

static void
refused(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "1 + 1", "Expected boolean evaluation for '1 + 1'. Got 2" },
		{ "hello", "Expected boolean evaluation for 'hello'. Got hello" },
		{ "a = b", "Invalid token: '='" },
		{ "a # b", "hint: try wrapping the affected expression in quotes" },
		{ "a == {{item}}", "Invalid token" },
		{ "'a", "Unclosed string literal" },
		{ "(1 == 1", "Unbalanced parenthesis" },
		{ "1 == 1)", "Unbalanced parenthesis" },
		{ "1 ==", "a value should stand here" },
		{ "== 1", "a value should stand here" },
		{ "a b", "Cannot transition token types" },
		{ "1e5 == 1", "Cannot transition token types" },
		{ "1 && true", "Value '1' cannot be used with the logical operator '&&', it is not a bool" },
		{ "a < 1", "cannot be used with the comparator '<', it is not a number" },
		{ "x < '2024-01-15'", "it is not a number, as a quoted date is one (of seconds since 1970)" },
		{ "a - b == 1", "cannot be used with the modifier '-'" },
		{ "!1", "cannot be used with the prefix '!'" },
		{ "a.b == c", "Unable to access a field" },
		{ "'a' =~ '('", "Unable to compile regexp" },
		{ "1.2.3 == 1", "Unable to parse numeric value" },
		{ "false ? true", "Expected boolean evaluation for 'false ? true'. Got <nil>" },
		{ "true ? '2024-01-15' : '2024-01-16'", "Cannot transition token types from a date to" },
		{ "1 + '2024-01-15' > 0", "a value should stand here" },
		{ "!'a'", "a value should stand here" },
		{ "1==-1", "Invalid token: '==-'" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };
		bool is;
		if (!when_eval(str_c(cases[i].text), &is, &e))
			fail_msg("%s: not refused", cases[i].text);
		if (!strstr(e.msg, cases[i].why))
			fail_msg("%s: %s", cases[i].text, e.msg);
		assert_int_equal(e.code, ERR_INVALID);
	}
}

static void
limits(void **state)
{
	(void)state;
	struct buf b = { 0 };
	struct err e;
	bool is;
	for (int i = 0; i < WHEN_DEPTH_MAX + 10; i++)
		buf_addc(&b, '(');
	assert_int_equal(when_eval(buf_str(&b), &is, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	b.n = 0;
	for (int i = 0; i < WHEN_TOKENS_MAX; i++)
		buf_add(&b, S("1+"));
	assert_int_equal(when_eval(buf_str(&b), &is, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	b.n = 0;
	while (b.n <= WHEN_MAX)
		buf_add(&b, S("'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'"));
	assert_int_equal(when_eval(buf_str(&b), &is, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	buf_free(&b);
}

/* Where govaluate is not followed, and why. */
static const struct vectors_difference differences[] = {
	{ "a in (a)", "a list of one is a list" },
};

static const char *
check(struct arena *a, const struct val *line)
{
	static char msg[600];
	const struct val *want = val_get(line, S("v"));
	struct err e;
	bool is = false;
	(void)a;
	int rc = when_eval(val_get_str(line, "w"), &is, &e);
	snprintf(msg, sizeof msg, "%s", rc ? e.msg : is ? "true" : "false");
	return vectors_difference(differences, ARRAY_LEN(differences), val_get_str(line, "w")) || (rc ? !want : want && want->b == is) ? NULL : msg;
}

/* Made by tests/oracle/workflows with the real library and Argo's way with bare words. */
static void
vectors(void **state)
{
	(void)state;
	vectors_replay("tests/vectors/when.jsonl", check);
}

/* ---- expressions with names ----------------------------------------------------------------------------------------- */

static const struct val *names; /* of the first line of exprs.jsonl */

static bool
lookup(void *arg, str name, struct val *out)
{
	const struct val *v = val_get(names, name);
	if (v)
		*out = when_number_values(arg, v);
	return v != NULL;
}

/* The same for names. */
static const struct vectors_difference name_differences[] = {
	{ "s in (s)", "a list of one is a list" },
	{ "s in ('heads')", "a list of one is a list" },
	{ "s IN ('heads')", "a list of one is a list" },
	{ "l in ll", "lists in lists are compared, which ends the process in Go" },
	{ "m in ll", "so are objects" },
	{ "'a\"b'", "a text ends with the quote it began with, not with either" },
	{ "(n) 5", "what stands behind a parenthesis is not passed over" },
	{ "(n == 5) (n == 6)", "what stands behind a parenthesis is not passed over" },
};

static const char *
difference(str text)
{
	return vectors_difference(name_differences, ARRAY_LEN(name_differences), text);
}

static str
result(struct arena *a, str text)
{
	struct when *w;
	struct err e = { 0 };
	struct val v;
	if (when_compile(text, a, &w, &e) < 0)
		return arena_fmt(a, "error: %s", e.msg);
	int rc = when_value(w, lookup, a, a, &v, &e);
	when_free(w);
	if (rc < 0)
		return arena_fmt(a, "error: %s", e.msg);
	if (v.kind == VAL_FLOAT && !isfinite(v.f))
		return isnan(v.f) ? S("NaN") : v.f > 0 ? S("+Inf") : S("-Inf");
	return json_write(a, &v);
}

static const char *
check_names(struct arena *a, const struct val *line)
{
	static struct val kept;
	static struct arena *forever;
	if (val_get(line, S("values"))) {
		forever = forever ? forever : arena_new();
		kept = val_copy(forever, val_get(line, S("values")));
		names = &kept;
		return NULL;
	}
	str text = val_get_str(line, "x"), got = result(a, text), special = val_get_str(line, "special");
	struct val v = { 0 };
	struct err e;
	bool failed = str_starts(got, S("error: ")), same;
	if (special.n)
		same = str_eq(got, special);
	else if (failed || val_get(line, S("e")))
		same = failed && val_get(line, S("e"));
	else
		same = json_read(a, got, &v, &e) == 0 && val_eq(&v, val_get(line, S("v")));
	if (difference(text))
		return same ? "the same, though it is among the differences" : NULL;
	return same ? NULL : got.p;
}

/* Made by tests/oracle/govaluate with the real library. */
static void
vectors_of_names(void **state)
{
	(void)state;
	vectors_replay("tests/vectors/exprs.jsonl", check_names);
}

static void
made_values_have_a_limit(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	struct val v, list = { .kind = VAL_MAP };
	struct err e;
	struct when *w;
	struct val *items = ARENA_ARRAY(a, struct val, 200000);
	for (size_t i = 0; i < 200000; i++)
		items[i] = val_bool(true);
	struct val inner = { .kind = VAL_LIST, .items = items, .n = 200000 };
	list = *val_set(a, &list, S("l"), &inner);
	names = &list;
	assert_int_equal(when_compile(S("((l, 1), (l, 2), (l, 3), (l, 4)) == 1"), a, &w, &e), 0);
	assert_int_equal(when_value(w, lookup, a, a, &v, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	when_free(w);
	assert_int_equal(when_compile(S("'' + l == ''"), a, &w, &e), 0);
	assert_int_equal(when_value(w, lookup, a, a, &v, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	when_free(w);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(holds), cmocka_unit_test(refused),
		cmocka_unit_test(limits), cmocka_unit_test(vectors), cmocka_unit_test(vectors_of_names),
		cmocka_unit_test(made_values_have_a_limit) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
