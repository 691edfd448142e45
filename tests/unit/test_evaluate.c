/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evaluate: expressions, sprig through them, and tags, against the vectors that tests/oracle/workflows makes with
 * Argo's own code. Values are told apart as there: {"$f": float}, {"$t": time}, {"$d": duration}; a number is an int.
 * Texts of errors are not compared.
 */
#include "tests/unit/vectors.h"

#include "core/lang/expr.h"
#include "core/lang/gofmt.h"
#include "engine/run/evaluate.h"

static struct arena *scope_arena;
static struct val scope;
static struct evaluator *evaluator;

static int
setup(void **state)
{
	(void)state;
	scope_arena = arena_new();
	evaluator = evaluator_new();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	evaluator_free(evaluator);
	arena_free(scope_arena);
	return 0;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

static struct val
decode(struct arena *a, const struct val *v)
{
	int64_t i;
	double f;
	if (v->kind == VAL_NUM && val_to_i64(v, &i))
		return val_int(i);
	if (v->kind == VAL_LIST) {
		struct val_list list = { 0 };
		for (uint32_t k = 0; k < v->n; k++)
			val_list_add(&list, decode(a, &v->items[k]));
		return val_list_end(&list, a);
	}
	if (v->kind != VAL_MAP)
		return *v;
	if (v->n == 1 && str_eq(val_key(&v->members[0]), S("$f"))) {
		assert_true(go_parse_float(val_text(&v->members[0].value), &f));
		return val_float(f);
	}
	struct val_map map = { 0 };
	for (uint32_t k = 0; k < v->n; k++)
		val_map_add(&map, val_key(&v->members[k]), decode(a, &v->members[k].value));
	return val_map_end(&map, a);
}

static void
encode(struct buf *b, struct arena *a, const struct val *v)
{
	if (v->kind == VAL_FLOAT || v->kind == VAL_NUM) {
		double f = 0;
		(void)val_to_double(v, &f);
		buf_add(b, S("{\"$f\":\""));
		go_format_float(b, f, 'g', -1);
		buf_add(b, S("\"}"));
	} else if (expr_is_time(v) || expr_is_duration(v)) {
		struct buf text CLEANUP(free_buf) = { 0 };
		if (expr_is_time(v)) {
			expr_print(&text, v);
			buf_add(b, S("{\"$t\":"));
			json_quote(b, buf_str(&text), 0);
			buf_addc(b, '}');
		} else {
			buf_addf(b, "{\"$d\":%lld}", (long long)v->i);
		}
	} else if (v->kind == VAL_LIST) {
		buf_addc(b, '[');
		for (uint32_t i = 0; i < v->n; i++) {
			buf_add(b, i ? S(",") : S(""));
			encode(b, a, &v->items[i]);
		}
		buf_addc(b, ']');
	} else if (v->kind == VAL_MAP) {
		struct val_map m = { 0 };
		for (uint32_t i = 0; i < v->n; i++) {
			struct buf one CLEANUP(free_buf) = { 0 };
			struct val item;
			struct err e;
			encode(&one, a, &v->members[i].value);
			assert_int_equal(json_read(a, arena_dup(a, buf_str(&one)), &item, &e), 0);
			val_map_add(&m, val_key(&v->members[i]), item);
		}
		struct val sorted = val_map_end(&m, a);
		json_write_opts(b, &sorted, JSON_SORT);
	} else {
		json_write_buf(b, v);
	}
}

/* ---- vectors ----------------------------------------------------------------------------------------------------- */

/* Where the real thing is not followed, and why. */
static const struct {
	const char *text, *why;
} differences[] = {
	{ "2 ** d.f", "Go's math.Pow is off by one in the last place" },
	{ "sort([[\"a\", 1]])", "lists that cannot be sorted are an error, also where Go never gets to compare" },
	{ "sum(d.s)", "adding up the bytes of a string" },
	{ "string(timezone(\"UTC\"))", "a zone prints its name, not the fields of Go's struct" },
	{ "let d = 1; d", "a variable of let may have the name of another variable" },
	{ "sprig.int(\"1.5\")",
		"sprig's functions are one implementation, with the rules of spf13/cast as Argo Events has it" },
	{ "sprig.urlParse(\"http://u:p@h:80/p?q=1#f\")", "refused by name" },
	{ "sprig.toDate(\"2006-01-02\",\"x\")", "what is no date is an error, not the year 1" },
	{ "{{b.{{which}}}}", "a tag within a tag is resolved in the same pass" },
	{ "{{nobody.{{which}}}}", "a tag within a tag is resolved in the same pass" },
	{ "{{a", "Argo looks for the end in the strings behind; here a tag ends in its own or is none" },
	{ "{{a}} {{b.c", "Argo looks for the end in the strings behind; here a tag ends in its own or is none" },
	{ "{{=let x = 2; x * 3}}", "a variable of let is not taken for a missing one" },
};

static bool
differs(str text)
{
	for (size_t i = 0; i < ARRAY_LEN(differences); i++)
		if (str_eq(text, str_c(differences[i].text)))
			return true;
	return false;
}

static bool
read_scope(const struct val *line)
{
	const struct val *v = val_get(line, S("scope"));
	if (!v)
		return false;
	struct val copy = val_copy(scope_arena, v);
	scope = decode(scope_arena, &copy);
	return true;
}

static const char *
check_expression(struct arena *a, const struct val *line)
{
	static char msg[2000];
	if (read_scope(line))
		return NULL;
	struct variables v = evaluate_map(&scope);
	const struct val *want = val_get(line, S("v"));
	str text = val_get_str(line, "x");
	struct val got;
	struct err e = { 0 };
	struct buf is CLEANUP(free_buf) = { 0 }, should CLEANUP(free_buf) = { 0 };
	if (evaluate(evaluator, text, &v, a, &got, &e)) {
		snprintf(msg, sizeof msg, "error: %s", e.msg);
		return want && !differs(text) ? msg : NULL;
	}
	encode(&is, a, &got);
	if (want)
		json_write_opts(&should, want, JSON_SORT);
	if (differs(text) || (want && str_eq(buf_str(&is), buf_str(&should))))
		return NULL;
	snprintf(msg, sizeof msg, "%.*s", STR_ARG(str_slice(buf_str(&is), 0, 1500)));
	return msg;
}

static void
expressions(void **state)
{
	(void)state;
	vectors_replay("tests/vectors/expr-workflows.jsonl", check_expression);
}

static void
sprig(void **state)
{
	(void)state;
	vectors_replay("tests/vectors/sprig.jsonl", check_expression);
}

static enum tag_found
look(void *arg, str name, struct arena *a, str *out)
{
	struct val v;
	struct variables *vars = arg;
	enum tag_found got = vars->look(vars->arg, name, a, &v);
	if (got == TAG_FOUND)
		*out = val_text(&v);
	return got;
}

static int
tag(void *arg, str text, const char *const *strict, struct arena *a, enum tag_found *found, str *out, struct err *e)
{
	return evaluate_tag(evaluator, text, arg, strict, a, found, out, e);
}

static const char *
check_tag(struct arena *a, const struct val *line)
{
	static const char *const siblings[] = { "steps.", "tasks.", NULL };
	static char msg[2000];
	if (read_scope(line))
		return NULL;
	struct variables v = evaluate_map(&scope);
	str mode = val_get_str(line, "m"), text = val_get_str(line, "t"), out;
	const struct val *want = val_get(line, S("v"));
	struct tag_scope s = { .look = look,
		.expression = tag,
		.arg = &v,
		.strict = str_eq(mode, S("a"))   ? NULL
			  : str_eq(mode, S("s")) ? siblings
						 : tags_strict_all };
	struct err e = { 0 };
	if (differs(text))
		return NULL;
	if (tags_put_text(a, text, &s, &out, &e)) {
		snprintf(msg, sizeof msg, "error: %s", e.msg);
		return want ? msg : NULL;
	}
	if (want && str_eq(out, val_text(want)))
		return NULL;
	snprintf(msg, sizeof msg, "%.*s", STR_ARG(str_slice(out, 0, 1500)));
	return msg;
}

static void
tags(void **state)
{
	(void)state;
	vectors_replay("tests/vectors/tags.jsonl", check_tag);
}

static const char *
check_number(struct arena *a, const struct val *line)
{
	static char msg[200];
	double f;
	struct err e;
	struct buf b CLEANUP(free_buf) = { 0 }, json CLEANUP(free_buf) = { 0 };
	(void)a;
	assert_true(go_parse_float(val_get_str(line, "f"), &f));
	struct val v = val_float(f);
	expr_print(&b, &v);
	assert_int_equal(expr_json(&json, &v, &e), 0);
	snprintf(msg, sizeof msg, "%.*s %.*s", STR_ARG(buf_str(&b)), STR_ARG(buf_str(&json)));
	return str_eq(buf_str(&b), val_get_str(line, "v")) && str_eq(buf_str(&json), val_get_str(line, "json")) ? NULL
														: msg;
}

static void
numbers(void **state)
{
	(void)state;
	vectors_replay("tests/vectors/gonumbers.jsonl", check_number);
}

/* The same moment gives the same random numbers and time; what is drawn is of the right kind. */
static void
moments(void **state)
{
	static const char *const texts[] = { "sprig.randAlphaNum(8)", "sprig.randAlpha(8)", "sprig.randNumeric(8)",
		"sprig.randAscii(8)", "sprig.randBytes(8)", "string(sprig.randInt(0, 1000000000))",
		"sprig.shuffle('abcdefghijklm')", "sprig.uuidv4()" };
	(void)state;
	struct arena *a = arena_new();
	struct val none = { .kind = VAL_MAP }, x, y, z;
	struct err e;
	struct variables v = evaluate_map(&none), w = v;
	v.when = (struct expr_moment){ NS_PER_SEC, 7 };
	w.when = (struct expr_moment){ NS_PER_SEC, 8 };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(evaluate(evaluator, str_c(texts[i]), &v, a, &x, &e), 0);
		assert_int_equal(evaluate(evaluator, str_c(texts[i]), &v, a, &y, &e), 0);
		assert_int_equal(evaluate(evaluator, str_c(texts[i]), &w, a, &z, &e), 0);
		assert_true(val_eq(&x, &y));
		assert_false(val_eq(&x, &z));
	}
	bool yes = false;
	const str all =
		S("now().Unix() == 1 and len(sprig.randAlpha(5)) == 5 and sprig.randNumeric(3) matches '^[0-9]{3}$'"
		  " and sprig.randInt(3, 4) == 3 and sprig.randAlphaNum(0) == ''");
	assert_int_equal(evaluate_bool(evaluator, all, &v, &yes, &e), 0);
	assert_true(yes);
	assert_int_equal(evaluate(evaluator, S("sprig.randInt(4, 4)"), &v, a, &x, &e), -1);
	assert_int_equal(evaluate(evaluator, S("sprig.randAlpha(99999999)"), &v, a, &x, &e), -1);
	arena_free(a);
}

/* An expression pays for what it uses, and cannot use up more than its share. */
static void
limits(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	struct val none = { .kind = VAL_MAP }, x;
	struct err e;
	struct variables v = evaluate_map(&none);
	struct buf deep CLEANUP(free_buf) = { 0 };
	for (int i = 0; i < 2000; i++)
		buf_addc(&deep, '(');
	const str texts[] = { buf_str(&deep), S("map(1..9000, map(1..9000, #))"), S("repeat('x', 99999999)"),
		S("1..99999999"), S("reduce(1..100, #acc + #acc, 'xxxxxxxx')") };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(evaluate(evaluator, texts[i], &v, a, &x, &e), -1);
		assert_int_equal(e.code, ERR_LIMIT);
	}
	/* a limit is an error of a tag, also where names may come later */
	enum tag_found found;
	str out;
	assert_int_equal(evaluate_tag(evaluator, texts[1], &v, NULL, a, &found, &out, &e), -1);
	/* more texts than are kept */
	for (int i = 0; i < 2000; i++)
		assert_int_equal(evaluate(evaluator, arena_fmt(a, "%d + 1", i), &v, a, &x, &e), 0);
	assert_int_equal(x.i, 2000);
	arena_free(a);
}

/* What JSON cannot say is an error in Go's words. */
static void
no_number_of_json(void **state)
{
	(void)state;
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "1 / 0", "json: unsupported value: +Inf" }, { "[1, {a: -1 / 0}]", "json: unsupported value: -Inf" },
		{ "0 / 0", "json: unsupported value: NaN" },
	};
	static const char *const strict[] = { NULL };
	struct arena *a = arena_new();
	struct val none = { .kind = VAL_MAP };
	struct variables v = evaluate_map(&none);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum tag_found found;
		str out;
		struct err e = { 0 };
		assert_int_equal(evaluate_tag(evaluator, str_c(rows[i].text), &v, strict, a, &found, &out, &e), -1);
		if (!strstr(e.msg, rows[i].want))
			fail_msg("%s: %s", rows[i].text, e.msg);
	}
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(expressions, setup, teardown),
		cmocka_unit_test_setup_teardown(sprig, setup, teardown),
		cmocka_unit_test_setup_teardown(tags, setup, teardown),
		cmocka_unit_test(numbers),
		cmocka_unit_test_setup_teardown(moments, setup, teardown),
		cmocka_unit_test_setup_teardown(limits, setup, teardown),
		cmocka_unit_test_setup_teardown(no_number_of_json, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
