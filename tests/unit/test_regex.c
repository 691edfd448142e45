/* SPDX-License-Identifier: Apache-2.0 */
/* regex against Go's regexp: what is accepted, what matches and where. */
#include "tests/unit/vectors.h"

#include "core/lang/regex.h"

static const char *
check(struct arena *a, const struct val *line)
{
	struct regex *re = NULL;
	struct err e = { 0 };
	struct regex_span spans[REGEX_GROUPS_MAX + 1];
	bool ok = regex_compile(val_get_str(line, "pattern"), &re, &e) == 0;
	if (ok != val_get(line, S("ok"))->b) {
		regex_free(re);
		return ok ? "accepted" : arena_fmt(a, "refused: %s", e.msg).p;
	}
	const char *wrong = NULL;
	const struct val *want = val_get(line, S("spans"));
	int match = ok ? regex_find(re, val_get_str(line, "text"), 0, spans, &e) : 0;
	if (match != val_get(line, S("match"))->b)
		wrong = match < 0 ? arena_fmt(a, "error %s", e.msg).p : match ? "a match" : "no match";
	for (size_t i = 0; !wrong && match && i < want->n; i++) {
		int64_t at = 0;
		assert_true(val_to_i64(val_at(want, i), &at));
		size_t got = i % 2 ? spans[i / 2].end : spans[i / 2].start;
		if (got != (size_t)at)
			wrong = arena_fmt(a, "span %zu: %zu", i, got).p;
	}
	regex_free(re);
	return wrong;
}

static void
agrees_with_go(void **state UNUSED)
{
	vectors_replay("tests/vectors/regex.jsonl", check);
}

static void
too_much_work_is_an_error(void **state UNUSED)
{
	struct regex *re;
	struct err e;
	struct buf b = { 0 };
	for (int i = 0; i < 40; i++)
		buf_addc(&b, 'a');
	assert_int_equal(regex_compile(S("(a+)+$"), &re, &e), 0);
	buf_addc(&b, 'x');
	assert_int_equal(regex_matches(re, buf_str(&b), &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	regex_free(re);
	buf_free(&b);
}

static void
bytes_that_are_no_utf8_are_survived(void **state UNUSED)
{
	struct regex *re;
	struct err e;
	assert_int_equal(regex_compile(S("b"), &re, &e), 0);
	assert_int_equal(regex_matches(re, S("\xff\xfe" "b\xc3"), &e), 1);
	regex_free(re);
}

/* A plain text is looked for without PCRE2; in brackets it is not taken for one. */
static void
plain_text_is_found_as_a_pattern_is(void **state UNUSED)
{
	static const char *const patterns[] = { "main", "^main", "main$", "^main$", "^", "$", "^$", "", "v1\\.0", "^a\\.b$", "m\\$", "^refs/heads/main$", "aa", "a\\\\b", "\\^a" };
	static const char *const texts[] = { "", "main", "main\n", "\nmain", "xmain", "mainx", "mainmain", "v1.0", "v1x0", "a.b", "a.bb", "m$", "refs/heads/main",
		"refs/heads/main2", "aaaa", "a\\b", "^a", "\xffmain", "main\xff", "\xffmain\xff" };
	struct err e;
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		struct arena *a = arena_new();
		struct regex *plain, *bracketed;
		assert_int_equal(regex_compile(str_c(patterns[i]), &plain, &e), 0);
		assert_int_equal(regex_compile(arena_fmt(a, "(?:%s)", patterns[i]), &bracketed, &e), 0);
		for (size_t k = 0; k < ARRAY_LEN(texts); k++)
			for (size_t from = 0; from <= 2 && from <= strlen(texts[k]); from++) {
				struct regex_span got = { 0 }, want = { 0 };
				int found = regex_find(plain, str_c(texts[k]), from, &got, &e);
				if (found != regex_find(bracketed, str_c(texts[k]), from, &want, &e) || got.start != want.start || got.end != want.end)
					fail_msg("%s in %s from %zu: %d, %zu to %zu", patterns[i], texts[k], from, found, got.start, got.end);
			}
		regex_free(plain);
		regex_free(bracketed);
		arena_free(a);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_go),
		cmocka_unit_test(too_much_work_is_an_error),
		cmocka_unit_test(bytes_that_are_no_utf8_are_survived),
		cmocka_unit_test(plain_text_is_found_as_a_pattern_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
