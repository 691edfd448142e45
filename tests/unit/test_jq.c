/* SPDX-License-Identifier: Apache-2.0 */
/* jq programs over an event in the helper, against vectors of the jq that Argo Events has. */
#include "tests/unit/vectors.h"

#include "core/event.h"
#include "sensors/jq.h"

static struct loop *loop;
static struct jq_pool *pool;
static struct event *event;

/* Where gojq is not followed, and why. */
static const struct vectors_difference differences[] = {
	{ ".l[1.7]", "a number that is no whole one is no place" },
	{ ".s[0]", "a text has no places" },
	{ "try .s[] catch .", "jq's own words" },
	{ "9007199254740993", "numbers are doubles" },
	{ "123456789012345678 | tostring", "numbers are doubles" },
	{ "\"a\" * 0", "nothing, as in jq 1.6" },
	{ "0 * \"ab\"", "nothing, as in jq 1.6" },
	{ "\"ab\" * 0.5", "rounds up, as in jq 1.6" },
	{ "{@base64 \"x\": 1}", "jq has more" },
	{ ".l | toarray, (1 | toarray)", "jq has more" },
	{ ".l | have_literal_numbers", "jq has more" },
	{ ".o | keys_unsorted | sort", "jq has more" },
	{ ".o | paths, leaf_paths", "jq has more" },
	{ "\"ORSXG5A=\" | @base32d", "jq has more" },
	{ "1 as $x | 2 as $y | [$x, $y, $__loc__.line]", "jq has more" },
	{ "! {f: input_filename}", "jq has more" },
	{ "! {k: (.o | keys_unsorted)}", "jq has more" },
	{ "! # a comment", "jq has more" },
	{ ".l | ltrimstr(\"x\")", "passes over what is no text" },
	{ "\"xxaxx\" | trimstr(\"x\"), ltrimstr(\"x\"), rtrimstr(\"x\"), ltrimstr(1), ltrimstr(\"y\")", "passes over what is no text" },
	{ "1 | ltrimstr(\"a\")", "passes over what is no text" },
	{ "! ltrimstr(\"x\")", "passes over what is no text" },
	{ ".ref | test(\"refs/(heads|tags)/(?!x)\")", "regular expressions are Oniguruma's" },
	{ "\"a\\nb\" | test(\"a.b\"), test(\"a.b\"; \"s\"), test(\"^b\"), test(\"A\\nB\"; \"i\"), test(\"a b\"; \"x\")", "regular expressions are Oniguruma's" },
	{ ".s | match([\"L\", \"gi\"]) | .string", "regular expressions are Oniguruma's" },
	{ ".uni | gsub(\"\\\\b\"; \"|\")", "regular expressions are Oniguruma's" },
	{ "\"ä b ü\" | [match(\"(ü)|b?\"; \"g\") | .captures[0].offset]", "regular expressions are Oniguruma's" },
	{ "\"nan\" | fromjson", "jq reads more numbers" },
	{ "\"1.50\", \"-1e2\", \" 5\", \"0x10\", \"\" | tonumber?", "jq reads more numbers" },
	{ "1e17, 0.00001 | tostring", "an exponent" },
	{ "100000000000000000000 | tojson", "an exponent" },
	{ "1425599621.678 | todate, gmtime", "all digits of the fraction" },
	{ "\"10:15\" | strptime(\"%H:%M\") | mktime?", "a date that is not given is another" },
	{ "27 | cbrt", "the C library's" },
	{ "error(null)", "an error that is nothing is no output" },
	{ "try error(null) catch .", "an error that is nothing is no output" },
	{ "{b: 1, a: 2} | [.[]]", "made by the program, in the order it made it" },
	{ "try (1 / 0) catch .", "an error of the program" },
};

static const char *
difference(str text)
{
	return vectors_difference(differences, ARRAY_LEN(differences), text);
}

struct answer {
	struct arena *a;
	str text; /* "error: ..." */
	bool done;
};

static void
answered(void *arg, str out, const struct err *e)
{
	struct answer *r = arg;
	r->text = e ? arena_fmt(r->a, "error: %s", e->msg) : arena_dup(r->a, out);
	r->done = true;
}

static str
result(struct arena *a, str program)
{
	struct answer r = { .a = a };
	jq_run(pool, program, event, answered, &r);
	while (!r.done)
		loop_turn(loop, -1);
	return r.text;
}

/* "c7: [.a], ...": the compiler costs more than what it compiles, so programs that work are tried together. */
enum { TOGETHER = 25 };

static struct arena *kept;
static VEC(struct val) lines;

static const char *
keep(struct arena *a UNUSED, const struct val *line)
{
	if (val_get(line, S("event"))) {
		event = event_bare();
		event->data = arena_dup(event->arena, val_get_str(line, "event"));
	} else {
		*VEC_PUSH(&lines) = val_copy(kept, line);
	}
	return NULL;
}

static bool
is_joinable(const struct val *line)
{
	str text = val_get_str(line, "x");
	return !val_get(line, S("e")) && !difference(text) && !str_starts(text, S("! "));
}

static bool
holds(struct arena *a, const struct val *line)
{
	str text = val_get_str(line, "x");
	bool whole = str_starts(text, S("! "));
	str got = result(a, whole ? str_slice(text, 2, text.n) : arena_fmt(a, "{r: [%.*s]}", STR_ARG(text)));
	bool failed = str_starts(got, S("error: ")), wants_error = val_get(line, S("e"));
	struct val v;
	struct err e;
	bool same = failed || wants_error ? failed && wants_error : json_read(a, got, &v, &e) == 0 && val_eq(&v, val_get(line, S("v")));
	if (same != !difference(text))
		print_message("%.*s\n  got %.*s%s\n", STR_ARG(text), STR_ARG(got), same ? ", the same, though it is among the differences" : "");
	return same == !difference(text);
}

static bool
hold_together(struct arena *a, const struct val *const *some, size_t n)
{
	struct buf program = { 0 };
	struct val v;
	struct err e;
	for (size_t i = 0; i < n; i++)
		buf_addf(&program, "%sc%zu: [%.*s]", i ? ", " : "{", i, STR_ARG(val_get_str(some[i], "x")));
	buf_addc(&program, '}');
	str got = result(a, buf_str(&program));
	buf_free(&program);
	if (json_read(a, got, &v, &e) < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!val_eq(val_get(&v, arena_fmt(a, "c%zu", i)), val_path(some[i], "v.r")))
			return false;
	return true;
}

/* Made by tests/oracle/jq. */
static void
vectors(void **state UNUSED)
{
	struct arena *a = kept = arena_new();
	const struct val *some[TOGETHER];
	size_t n = 0, failed = 0;
	loop = loop_new();
	pool = jq_pool_new(loop);
	vectors_replay("tests/vectors/jq.jsonl", keep);
	for (size_t i = 0; i <= lines.n; i++) {
		if (i < lines.n && is_joinable(&lines.p[i])) {
			some[n++] = &lines.p[i];
		} else if (i < lines.n) {
			failed += !holds(a, &lines.p[i]);
		}
		if (n < TOGETHER && i < lines.n)
			continue;
		bool all = n == 0 || hold_together(a, some, n);
		for (size_t k = 0; k < n && !all; k++)
			failed += !holds(a, some[k]);
		n = 0;
	}
	jq_pool_free(pool);
	event_unref(event);
	loop_free(loop);
	VEC_FREE(&lines);
	arena_free(kept);
	assert_int_equal(failed, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(vectors) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
