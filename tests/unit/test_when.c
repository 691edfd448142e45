/* SPDX-License-Identifier: Apache-2.0 */
/* The language of `when`: what holds, what is refused and in which words, where it stops. */
#include "tests/unit/vectors.h"

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
		{ "a - b == 1", "cannot be used with the modifier '-'" },
		{ "!1", "cannot be used with the prefix '!'" },
		{ "a.b == c", "Unable to access a field" },
		{ "'a' =~ '('", "Unable to compile regexp" },
		{ "1.2.3 == 1", "Unable to parse numeric value" },
		{ "false ? true", "'?' without ':'" },
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
static const struct {
	const char *text, *why;
} differences[] = {
	{ "a in a", "something that is no list is a list of one" },
	{ "a in (a)", "a list of one is a list" },
	{ "'a' in 'abc'", "something that is no list is a list of one" },
	{ "(a, b) == (a, b)", "lists are only for what stands behind in" },
};

static bool
differs(str text)
{
	for (size_t i = 0; i < ARRAY_LEN(differences); i++)
		if (differences[i].why && str_eq(text, str_c(differences[i].text)))
			return true;
	return false;
}

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
	return differs(val_get_str(line, "w")) || (rc ? !want : want && want->b == is) ? NULL : msg;
}

/* Made by tests/oracle/workflows with the real library and Argo's way with bare words. */
static void
vectors(void **state)
{
	(void)state;
	vectors_replay("tests/vectors/when.jsonl", check);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(holds), cmocka_unit_test(refused),
		cmocka_unit_test(limits), cmocka_unit_test(vectors) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
