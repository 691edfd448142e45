/* SPDX-License-Identifier: Apache-2.0 */
/* {{tags}}: what is put in, what stays, what must be there, and what is shared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "engine/run/tags.h"

static enum tag_found
look(void *arg, str name, struct arena *a, str *out)
{
	static const struct {
		const char *name, *value;
	} vars[] = { { "a", "1" }, { "b.c", "two" }, { "quote", "say \"hi\"\n\\" }, { "tagged", "{{a}}" },
		{ "which", "c" }, { "empty", "" } };
	(void)arg;
	(void)a;
	if (str_eq(name, S("absent")))
		return TAG_ABSENT;
	for (size_t i = 0; i < ARRAY_LEN(vars); i++)
		if (str_eq(name, str_c(vars[i].name))) {
			*out = str_c(vars[i].value);
			return TAG_FOUND;
		}
	return TAG_MISSING;
}

static void
texts(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "plain", "plain" },
		{ "{{a}}", "1" },
		{ "{{ a }}", "1" },
		{ "<{{a}}{{b.c}}>", "<1two>" },
		{ "{{nobody}}", "{{nobody}}" },
		{ "{{ nobody }} {{a}}", "{{ nobody }} 1" },
		{ "{{quote}}", "say \"hi\"\n\\" },
		{ "{{empty}}x", "x" },
		/* a value is not looked at again in the same pass */
		{ "{{tagged}}", "{{a}}" },
		/* a tag in a tag is part of the name */
		{ "{{b.{{which}}}}", "two" },
		{ "{{b.{{nobody}}}}", "{{b.{{nobody}}}}" },
		/* what is no tag is text; expressions are for later */
		{ "{{a", "{{a" },
		{ "a}}", "a}}" },
		{ "{a}", "{a}" },
		{ "{{=a + 1}} {{a}}", "{{=a + 1}} 1" },
		{ "{{}}", "{{}}" },
		{ "{{a}} {{b.c", "1 {{b.c" },
	};
	(void)state;
	struct arena *a = arena_new();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tag_scope s = { .look = look };
		struct err e;
		str out;
		assert_int_equal(tags_put_text(a, str_c(cases[i].in), &s, &out, &e), 0);
		if (!str_eq(out, str_c(cases[i].out)))
			fail_msg("%s: %.*s", cases[i].in, STR_ARG(out));
	}
	arena_free(a);
}

static const struct val *
put(struct arena *a, const char *json, struct tag_scope *s, struct err *e)
{
	struct val *v = ARENA_NEW(a, struct val);
	s->look = look;
	assert_int_equal(json_read(a, str_c(json), v, e), 0);
	return tags_put(a, v, s, e);
}

/* Braces that open and never close cost no more than other text. */
static void
braces(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	struct buf b = { 0 };
	struct tag_scope s = { .look = look };
	struct err e;
	str out;
	for (int i = 0; i < 200000; i++)
		buf_add(&b, S("{{"));
	buf_add(&b, S("a}}"));
	assert_int_equal(tags_put_text(a, buf_str(&b), &s, &out, &e), 0);
	assert_int_equal(out.n, 400003);
	buf_free(&b);
	assert_int_equal(tags_put_text(a, S("{{{{a}}{{b.c}}"), &s, &out, &e), 0);
	assert_string_equal(out.p, "{{1two");
	arena_free(a);
}

static void
strict(void **state)
{
	(void)state;
	static const char *const only_steps[] = { "steps.", NULL };
	struct arena *a = arena_new();
	struct err e;
	struct tag_scope s = { .strict = only_steps };
	assert_non_null(put(a, "{\"x\":\"{{nobody}}\"}", &s, &e));
	assert_null(put(a, "{\"x\":[\"{{steps.x}}\"]}", &s, &e));
	assert_string_equal(e.msg, "failed to resolve {{steps.x}}");
	assert_int_equal(e.code, ERR_NOT_FOUND);
	s.strict = tags_strict_all;
	assert_null(put(a, "\"{{nobody}}\"", &s, &e));
	arena_free(a);
}

static void
absent(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	struct err e;
	struct tag_scope s = { 0 };
	assert_null(put(a, "\"{{absent}}\"", &s, &e));
	assert_non_null(strstr(e.msg, "absent optional"));
	s.absent_is_null = true;
	const struct val *v = put(a, "[\"{{absent}}\",\"{{a}}\"]", &s, &e);
	assert_int_equal(v->items[0].kind, VAL_NULL);
	assert_string_equal(json_write(a, v).p, "[null,\"1\"]");
	assert_null(put(a, "\"x {{absent}}\"", &s, &e));
	arena_free(a);
}

static void
sharing(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	struct err e;
	struct tag_scope s = { .look = look };
	struct val in;
	assert_int_equal(
		json_read(a, S("{\"same\":[1,{\"x\":\"y\"}],\"k{{a}}\":{\"z\":\"{{a}}\"},\"open\":\"{{nobody}}\"}"),
			&in, &e),
		0);
	const struct val *out = tags_put(a, &in, &s, &e);
	assert_ptr_not_equal(out, &in);
	assert_ptr_equal(val_get(out, S("same"))->items, val_get(&in, S("same"))->items);
	assert_string_equal(
		json_write(a, out).p, "{\"same\":[1,{\"x\":\"y\"}],\"k1\":{\"z\":\"1\"},\"open\":\"{{nobody}}\"}");
	assert_true(out->flags & VAL_TAGGED);
	assert_false(val_get(out, S("k1"))->flags & VAL_TAGGED);
	assert_false(s.put_tags);
	assert_ptr_equal(tags_put(a, val_get(out, S("k1")), &s, &e), val_get(out, S("k1")));
	struct val tagged = val_str(S("{{tagged}}"));
	assert_non_null(tags_put(a, &tagged, &s, &e));
	assert_true(s.put_tags);
	arena_free(a);
}

/* An expression is its own text, in brackets; what begins with "later" stays, what begins with "bad" fails. */
static int
evaluate_text_of(void *arg, str text, const char *const *strict, struct arena *a, enum tag_found *found, str *out, struct err *e)
{
	(void)arg;
	(void)strict;
	*found = str_starts(text, S("later")) ? TAG_MISSING : TAG_FOUND;
	*out = arena_fmt(a, "[%.*s]", STR_ARG(text));
	return str_starts(text, S("bad")) ? err_set(e, ERR_INVALID, "bad") : 0;
}

static void
expressions(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "{{=x}}", "[x]" },
		{ "{{= a + b }} {{a}}", "[ a + b ] 1" },
		{ "{{ =x}}", "{{ =x}}" }, /* the sign stands right behind the braces */
		{ "{{=later}}{{=x}}", "{{=later}}[x]" },
		/* to the first two braces, whatever is between */
		{ "{{={a: {b: 1}}}}", "[{a: {b: 1]}}" },
		{ "{{='{{a}}'}}", "['{{a]'}}" },
		{ "{{=x", "{{=x" },
		/* inside of another tag it is text */
		{ "{{b.{{=x}}}}", "{{b.{{=x}}}}" },
		/* what was put in is not looked at again */
		{ "{{={{a}}", "[{{a]" },
	};
	(void)state;
	struct arena *a = arena_new();
	struct err e;
	str out;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tag_scope s = { .look = look, .expression = evaluate_text_of };
		assert_int_equal(tags_put_text(a, str_c(cases[i].in), &s, &out, &e), 0);
		if (!str_eq(out, str_c(cases[i].out)))
			fail_msg("%s: %.*s instead of %s", cases[i].in, STR_ARG(out), cases[i].out);
	}
	struct tag_scope s = { .look = look, .expression = evaluate_text_of };
	assert_int_equal(tags_put_text(a, S("{{=bad}}"), &s, &out, &e), -1);
	assert_string_equal(e.msg, "bad");
	assert_int_equal(tags_put_text(a, S("{{={{}}"), &s, &out, &e), 0);
	assert_true(s.put_tags);
	arena_free(a);
}

static enum tag_found
look_long(void *arg, str name, struct arena *a, str *out)
{
	(void)name;
	(void)a;
	*out = *(str *)arg;
	return TAG_FOUND;
}

static void
limit(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	struct err e;
	size_t half = TAGS_TEXT_MAX / 2 + 1;
	char *big = mem_alloc(half);
	memset(big, 'x', half);
	str value = { big, half }, out;
	struct tag_scope s = { .look = look_long, .arg = &value };
	assert_int_equal(tags_put_text(a, S("{{v}}"), &s, &out, &e), 0);
	assert_int_equal(tags_put_text(a, S("{{v}}{{v}}"), &s, &out, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	free(big);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(texts), cmocka_unit_test(braces), cmocka_unit_test(strict),
		cmocka_unit_test(absent), cmocka_unit_test(sharing), cmocka_unit_test(expressions),
		cmocka_unit_test(limit) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
