/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "cli/command.h"

struct opts {
	struct cli_common common;
	bool watch;
	const char *output;
	struct cli_texts parameters;
	struct cli_int tail;
	const char *parallel;
};

static const char *const outputs[] = { "json", "yaml", NULL };
static const struct command sample = {
	.name = "sample",
	.args = "NAME [POD]",
	.summary = "A sample.",
	.examples = "  tidegate sample x\n",
	.options = (const struct cli_option[]){
		OPTION(struct opts, watch, "watch", 'w', NULL, "Watch."),
		OPTION(struct opts, output, "output", 'o', "FORMAT", "Format.", .choices = outputs),
		OPTION(struct opts, parameters, "parameter", 'p', "NAME=VALUE", "Parameter."),
		OPTION(struct opts, tail, "tail", 0, "N", "Tail."),
		OPTION(struct opts, parallel, "parallel", 0, "[N]", "So many at once.", .bare = "all"),
		{ 0 },
	},
	.size = sizeof(struct opts),
	.args_min = 1,
	.args_max = 2,
};

struct parsed {
	struct arena *a;
	struct opts o;
	char **args;
	int n, rc;
	struct err e;
};

#define PARSE(...) parse((const char *[]){ "sample", __VA_ARGS__, NULL })
static struct parsed
parse(const char *const *words)
{
	struct parsed p = { .a = arena_new() };
	char **argv = ARENA_ARRAY(p.a, char *, 32);
	int argc = 0;
	for (; words[argc]; argc++) {
		size_t n = strlen(words[argc]) + 1;
		argv[argc] = memcpy(arena_alloc(p.a, n, 1), words[argc], n);
	}
	p.rc = cli_parse(&sample, argc, argv, p.a, &p.o, &p.args, &p.n, &p.e);
	return p;
}

static void
options_and_words_mix(void **state UNUSED)
{
	struct parsed p = PARSE("one", "-w", "-p", "a=1", "--parameter=b=2", "two", "--tail", "10", "-ojson");
	assert_int_equal(p.rc, 0);
	assert_true(p.o.watch);
	assert_string_equal(p.o.output, "json");
	assert_int_equal(p.o.parameters.n, 2);
	assert_string_equal(p.o.parameters.p[1], "b=2");
	assert_true(p.o.tail.set);
	assert_int_equal(p.o.tail.v, 10);
	assert_int_equal(p.n, 2);
	assert_string_equal(p.args[1], "two");
	arena_free(p.a);
}

static void
flags_may_say_so(void **state UNUSED)
{
	struct parsed p = PARSE("one", "--watch=true", "--help=false");
	assert_int_equal(p.rc, 0);
	assert_true(p.o.watch && !p.o.common.help);
	arena_free(p.a);
	p = PARSE("one", "--watch", "--watch=false", "two"); /* the last one counts; the word is no value of it */
	assert_int_equal(p.rc, 0);
	assert_false(p.o.watch);
	assert_int_equal(p.n, 2);
	arena_free(p.a);
}

static void
a_value_that_may_be_missing(void **state UNUSED)
{
	static const struct {
		const char *words[6], *value;
		int n;
	} cases[] = {
		{ { "sample", "x", "--parallel" }, "all", 1 },
		{ { "sample", "--parallel", "x" }, "all", 1 },
		{ { "sample", "--parallel", "2", "x" }, "2", 1 },
		{ { "sample", "x", "--parallel=false" }, "false", 1 },
		{ { "sample", "x", "--parallel", "--tail", "3" }, "all", 1 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct parsed p = parse(cases[i].words);
		assert_int_equal(p.rc, 0);
		assert_string_equal(p.o.parallel, cases[i].value);
		assert_int_equal(p.n, cases[i].n);
		arena_free(p.a);
	}
}

static void
words_behind_two_dashes_are_no_options(void **state UNUSED)
{
	struct parsed p = PARSE("--", "--watch");
	assert_int_equal(p.rc, 0);
	assert_false(p.o.watch);
	assert_string_equal(p.args[0], "--watch");
	arena_free(p.a);
}

static void
errors_say_what_was_meant(void **state UNUSED)
{
	static const struct {
		const char *words[4], *message;
	} cases[] = {
		{ { "sample", "x", "--wacth" }, "unknown option --wacth; did you mean --watch?" },
		{ { "sample", "x", "--zzzzzz" }, "unknown option --zzzzzz" },
		{ { "sample", "x", "-z" }, "unknown option -z" },
		{ { "sample", "x", "--output=xml" }, "--output xml: must be one of json, yaml" },
		{ { "sample", "x", "--tail=ten" }, "--tail ten: must be a whole number" },
		{ { "sample", "x", "--output" }, "option --output needs a value" },
		{ { "sample", "x", "--watch=perhaps" }, "--watch=perhaps: must be true or false" },
		{ { "sample" }, "sample: NAME [POD] is missing" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct parsed p = parse(cases[i].words);
		assert_int_equal(p.rc, -1);
		assert_int_equal(p.e.code, ERR_INVALID);
		assert_string_equal(p.e.msg, cases[i].message);
		arena_free(p.a);
	}
	struct parsed p = PARSE("a", "b", "c");
	assert_string_equal(p.e.msg, "sample: too many arguments");
	arena_free(p.a);
}

static void
help_needs_no_arguments_and_shows_examples_first(void **state UNUSED)
{
	struct parsed p = PARSE("--help");
	assert_int_equal(p.rc, 0);
	assert_true(p.o.common.help);
	arena_free(p.a);
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	cli_help(&sample, f);
	fclose(f);
	const char *examples = strstr(text, "Examples:"), *options = strstr(text, "--output FORMAT"), *common = strstr(text, "--namespace");
	assert_non_null(examples);
	assert_true(examples < options && options < common);
	free(text);
}

static void
pairs(void **state UNUSED)
{
	str k, v;
	assert_true(cli_pair("a=b=c", &k, &v));
	assert_true(str_eq(k, S("a")) && str_eq(v, S("b=c")));
	assert_true(cli_pair("a=", &k, &v));
	assert_int_equal(v.n, 0);
	assert_false(cli_pair("a", &k, &v));
	assert_false(cli_pair("=b", &k, &v));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_and_words_mix),
		cmocka_unit_test(flags_may_say_so),
		cmocka_unit_test(a_value_that_may_be_missing),
		cmocka_unit_test(words_behind_two_dashes_are_no_options),
		cmocka_unit_test(errors_say_what_was_meant),
		cmocka_unit_test(help_needs_no_arguments_and_shows_examples_first),
		cmocka_unit_test(pairs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
