/* SPDX-License-Identifier: Apache-2.0 */
/* gotmpl against Go's text/template with sprig; what is refused; budgets. */
#include "tests/unit/vectors.h"

#include "core/lang/gotmpl_impl.h"

/* Functions that the real one has and we refuse, with their vectors: what they would print is not to be had. */
static bool
is_refused(const struct err *e)
{
	return e->code == ERR_UNSUPPORTED;
}

static const char *
check(struct arena *a, const struct val *line)
{
	struct val input;
	struct err e = { 0 };
	struct gotmpl *t;
	str out = STR_NONE;
	assert_int_equal(json_read(a, val_get_str(line, "input"), &input, &e), 0);
	bool ok = gotmpl_parse(a, val_get_str(line, "template"), &t, &e) == 0 && gotmpl_run(t, &input, 0, a, &out, &e) == 0;
	if (!ok && is_refused(&e))
		return NULL;
	if (ok == val_get(line, S("ok"))->b && str_eq(ok ? out : S(""), val_get_str(line, "out")))
		return NULL;
	return ok ? arena_fmt(a, "%.*s", STR_ARG(out)).p : arena_fmt(a, "error %s", e.msg).p;
}

static void
agrees_with_go(void **state UNUSED)
{
	vectors_replay("tests/vectors/gotmpl.jsonl", check);
}

static enum err_code
code_of(const char *template, const char *input)
{
	struct arena *a = arena_new();
	struct val v;
	struct err e = { 0 };
	str out;
	assert_int_equal(json_read(a, str_c(input), &v, &e), 0);
	int rc = gotmpl_render(a, str_c(template), &v, 0, &out, &e);
	arena_free(a);
	return rc < 0 ? e.code : ERR_NONE;
}

static void
refuses_what_asks_the_machine(void **state UNUSED)
{
	size_t served, refused;
	static const char *const templates[] = { "{{env \"HOME\"}}", "{{expandenv \"$HOME\"}}", "{{getHostByName \"localhost\"}}", "{{genPrivateKey \"rsa\"}}",
		                                 "{{randAlphaNum 5}}", "{{randInt 1 5}}", "{{shuffle \"ab\"}}" };
	for (size_t i = 0; i < ARRAY_LEN(templates); i++)
		assert_int_equal(code_of(templates[i], "{}"), ERR_UNSUPPORTED);
	go_count_functions(&served, &refused);
	print_message("%zu template functions served, %zu refused\n", served, refused);
	assert_true(served >= 90);
}

static void
budgets_end_what_would_not(void **state UNUSED)
{
	static const char *const templates[] = {
		"{{range until 100000}}{{range until 100000}}x{{end}}{{end}}",
		"{{$s := \"xxxxxxxx\"}}{{range until 60}}{{$s = print $s $s}}{{end}}{{$s}}",
		"{{repeat 1000000000 \"abc\"}}",
		"{{indent 100000 (repeat 10000 \"\\n\")}}",
		"{{define \"a\"}}{{template \"a\"}}{{end}}{{template \"a\"}}",
		"{{$l := list 1}}{{range until 40}}{{$l = concat $l $l}}{{end}}{{len $l}}",
		"{{$d := dict}}{{range until 50000}}{{$_ := set $d (toString .) 1}}{{end}}x",
	};
	for (size_t i = 0; i < ARRAY_LEN(templates); i++)
		if (code_of(templates[i], "{}") != ERR_LIMIT)
			fail_msg("%s: not stopped", templates[i]);
	struct buf deep = { 0 };
	for (int i = 0; i < 100000; i++)
		buf_addc(&deep, '(');
	struct buf t = { 0 };
	buf_addf(&t, "{{%.*s", STR_ARG(buf_str(&deep)));
	assert_int_not_equal(code_of(t.p, "{}"), ERR_NONE);
	buf_free(&deep);
	buf_free(&t);
}

static void
nothing_is_an_error_where_argo_says_so(void **state UNUSED)
{
	assert_int_equal(code_of("{{.Input.x}}", "{}"), ERR_INVALID);
	assert_int_equal(code_of("", "{}"), ERR_INVALID);
	assert_int_equal(code_of("a{{.Input.x}}", "{}"), ERR_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_go),
		cmocka_unit_test(refuses_what_asks_the_machine),
		cmocka_unit_test(budgets_end_what_would_not),
		cmocka_unit_test(nothing_is_an_error_where_argo_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
