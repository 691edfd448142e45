/* SPDX-License-Identifier: Apache-2.0 */
/* Label and field selectors. */
#include "tests/unit/vectors.h"

#include "engine/selector.h"

/* The labels a=1, b=, phase=Failed. */
static str
label(void *arg, str key)
{
	(void)arg;
	if (str_eq(key, S("a")))
		return S("1");
	if (str_eq(key, S("b")))
		return S("");
	return str_eq(key, S("phase")) ? S("Failed") : STR_NONE;
}

static void
matches(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool holds;
	} cases[] = {
		{ "", true }, { "  ", true }, { "a=1", true }, { "a==1", true }, { "a!=1", false }, { "a=2", false }, { "b=", true },
		{ "b", true }, { "!b", false }, { "!c", true }, { "c", false }, { "c!=1", true }, { "c notin (1)", true },
		{ "phase in (Failed, Error)", true }, { "phase in(Failed,Error),a=1", true }, { "phase notin (Failed)", false },
		{ "phase in (Error)", false }, { " a = 1 , b ", true }, { "a=1,c", false }, { "index", false }, { "!index", true },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena *a = arena_new();
		struct selector s;
		struct err e;
		if (selector_parse(a, str_c(cases[i].text), &s, &e))
			fail_msg("%s: %s", cases[i].text, e.msg);
		if (selector_match(&s, label, NULL) != cases[i].holds)
			fail_msg("%s: not %d", cases[i].text, cases[i].holds);
		arena_free(a);
	}
}

static void
refusals(void **state)
{
	(void)state;
	static const char *const bad[] = { "=1", "a in", "a in (1", "a in (1,2", "a=1 b", "!", ",a", "a,,b", "a in 1" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct arena *a = arena_new();
		struct selector s;
		struct err e;
		if (selector_parse(a, str_c(bad[i]), &s, &e) == 0)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(e.code, ERR_INVALID);
		arena_free(a);
	}
}

static struct arena *sets_arena;
static struct val sets[16];
static size_t sets_n;

static str
label_of(void *arg, str key)
{
	const struct val *v = val_get(arg, key);
	return v ? v->n ? val_text(v) : S("") : STR_NONE;
}

static const char *
check(struct arena *a, const struct val *line)
{
	static char msg[300];
	struct selector s;
	struct err e;
	const struct val *labels = val_get(line, S("labels")), *want = val_get(line, S("v"));
	if (labels) {
		assert_true(sets_n < ARRAY_LEN(sets));
		sets[sets_n++] = val_copy(sets_arena, labels);
		return NULL;
	}
	if (selector_parse_labels(a, val_get_str(line, "s"), &s, &e)) {
		snprintf(msg, sizeof msg, "error: %s", e.msg);
		return want && e.code != ERR_UNSUPPORTED ? msg : NULL; /* > and < are refused by name */
	}
	for (size_t i = 0; i < sets_n; i++)
		msg[i] = selector_match(&s, label_of, &sets[i]) ? '1' : '0';
	msg[sets_n] = '\0';
	return want && str_eq(val_text(want), str_c(msg)) ? NULL : msg;
}

/* Made by tests/oracle/workflows with Kubernetes' own code. */
static void
vectors(void **state)
{
	(void)state;
	sets_arena = arena_new();
	vectors_replay("tests/vectors/selector.jsonl", check);
	arena_free(sets_arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(matches), cmocka_unit_test(refusals), cmocka_unit_test(vectors) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
