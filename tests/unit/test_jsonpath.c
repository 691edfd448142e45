/* SPDX-License-Identifier: Apache-2.0 */
/* jsonpath: against the vectors that tests/oracle/jsonpath makes with the real library; limits. */
#include "tests/unit/vectors.h"

#include "core/lang/expr_ast.h"
#include "core/lang/jsonpath.h"

static struct arena *doc_arena;
static struct val doc;
static const char *
check(struct arena *a, const struct val *line)
{
	static char msg[2000];
	struct val v;
	struct err e;
	const struct val *json = val_get(line, S("json")), *want = val_get(line, S("v")),
			 *error = val_get(line, S("e"));
	if (json) {
		arena_reset(doc_arena);
		assert_int_equal(expr_read_json(doc_arena, arena_dup(doc_arena, val_text(json)), &doc, &e), 0);
		return NULL;
	}
	if (jsonpath_query(a, val_get_str(line, "p"), &doc, &v, &e)) {
		snprintf(msg, sizeof msg, "error: %s", e.msg);
		return error && str_eq(val_text(error), str_c(e.msg)) ? NULL : msg;
	}
	struct buf b CLEANUP(free_buf) = { 0 };
	struct buf w CLEANUP(free_buf) = { 0 };
	if (expr_json(&b, &v, &e))
		buf_add(&b, str_c(e.msg));
	struct val plain = want ? *want : val_null();
	json_write_opts(&w, &plain, JSON_SORT | JSON_HTML);
	if (want && str_eq(buf_str(&b), buf_str(&w)))
		return NULL;
	snprintf(msg, sizeof msg, "%.*s", STR_ARG(str_slice(buf_str(&b), 0, 1500)));
	return msg;
}

static void
vectors(void **state)
{
	(void)state;
	doc_arena = arena_new();
	vectors_replay("tests/vectors/jsonpath.jsonl", check);
	arena_free(doc_arena);
}

static void
limits(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	struct err e;
	struct val v, root;
	struct buf b = { 0 };
	/* depth: filters within filters */
	buf_add(&b, S("$"));
	for (int i = 0; i < 300; i++)
		buf_add(&b, S("[?(@"));
	for (int i = 0; i < 300; i++)
		buf_add(&b, S(")]"));
	root = val_null();
	assert_int_equal(jsonpath_query(a, buf_str(&b), &root, &v, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	/* length */
	b.n = 0;
	for (int i = 0; i < JSONPATH_MAX; i++)
		buf_add(&b, S("$."));
	assert_int_equal(jsonpath_query(a, buf_str(&b), &root, &v, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	/* work: every element looks at all others, three times over */
	b.n = 0;
	buf_add(&b, S("[0"));
	for (int i = 1; i < 3000; i++)
		buf_add(&b, S(",1"));
	buf_add(&b, S("]"));
	assert_int_equal(json_read(a, buf_str(&b), &root, &e), 0);
	assert_int_equal(jsonpath_query(a, S("$[?($..* == 1)]"), &root, &v, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	/* what a filter leaves out is no error, unless it ends the program in Go */
	assert_int_equal(json_read(a, S("[1,2]"), &root, &e), 0);
	assert_int_equal(jsonpath_query(a, S("$[?(@ % 0)]"), &root, &v, &e), -1);
	assert_string_equal(e.msg, "runtime error: integer divide by zero");
	buf_free(&b);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(vectors), cmocka_unit_test(limits) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
