/* SPDX-License-Identifier: Apache-2.0 */
/* gjson and sjson against the vectors of the real ones; the ways to skip against each other; limits. */
#include "tests/unit/vectors.h"

#include "core/lang/gjson.h"
#include "core/lang/jsonskip.h"
#include "core/lang/match.h"
#include "core/lang/sjson.h"

static const char *const kind_names[] = { "Null", "False", "Number", "String", "True", "JSON" };

static const char *
check_gjson(struct arena *a, const struct val *line)
{
	struct gjson g;
	bool exists = gjson_get(a, val_get_str(line, "json"), val_get_str(line, "path"), &g);
	str text = gjson_string(a, &g);
	const struct val *places = val_get(line, S("places"));
	bool same = exists == val_get(line, S("exists"))->b && str_eq(str_c(kind_names[g.kind]), val_get_str(line, "type")) &&
		str_eq(g.raw, val_get_str(line, "raw")) && str_eq(text, val_get_str(line, "text")) &&
		gjson_bool(&g) == val_get(line, S("bool"))->b && (!places || g.places_n == places->n);
	/* the real one gives what a path computes the place of what it was computed from: not to be copied */
	bool computes = str_find_char(val_get_str(line, "path"), '{', 0) != SIZE_MAX;
	for (size_t i = 0; same && places && i < places->n; i++) {
		struct gjson item;
		int64_t at = -1;
		same = val_to_i64(val_at(places, i), &at) && gjson_get(a, g.raw, arena_fmt(a, "%zu", i), &item);
		str there = str_slice(val_get_str(line, "json"), (size_t)at, (size_t)at + item.raw.n);
		same = same && (g.places[i] == (size_t)at || !str_eq(there, item.raw) || computes);
	}
	/* an offset is only worth something where it points at the value in the text */
	int64_t at = 0;
	assert_true(val_to_i64(val_get(line, S("at")), &at));
	str there = str_slice(val_get_str(line, "json"), (size_t)at, (size_t)at + g.raw.n);
	if (same && at > 0 && str_eq(there, g.raw))
		same = g.at == (size_t)at;
	if (same)
		return NULL;
	return arena_fmt(a, "exists %d, %s, raw %.*s, text %.*s, at %zu, %zu places", exists, kind_names[g.kind], STR_ARG(g.raw), STR_ARG(text),
	                 g.at, g.places_n).p;
}

static void
gjson_agrees_with_the_real_one(void **state UNUSED)
{
	vectors_replay("tests/vectors/gjson.jsonl", check_gjson);
}

static const char *
check_sjson(struct arena *a, const struct val *line)
{
	struct val root, value, want;
	struct err e = { 0 };
	str json = str_trim(val_get_str(line, "json")), error = val_get_str(line, "error");
	if (json.n)
		assert_int_equal(json_read(a, json, &root, &e), 0);
	assert_int_equal(json_read(a, val_get_str(line, "value"), &value, &e), 0);
	const struct val *got = sjson_set(a, json.n ? &root : NULL, val_get_str(line, "path"), &value, &e);
	if (!got)
		return error.n ? NULL : arena_fmt(a, "error %s", e.msg).p;
	if (!error.n && json_read(a, val_get_str(line, "out"), &want, &e) < 0)
		return NULL; /* sjson made something that is no JSON: not to be copied */
	return !error.n && val_eq(got, &want) ? NULL : json_write(a, got).p;
}

static void
sjson_agrees_with_the_real_one(void **state UNUSED)
{
	vectors_replay("tests/vectors/sjson.jsonl", check_sjson);
}

static void
sjson_keeps_limits(void **state UNUSED)
{
	struct arena *a = arena_new();
	struct err e;
	struct val v = val_int(1);
	assert_non_null(sjson_set(a, NULL, S("l.10000"), &v, &e));
	assert_null(sjson_set(a, NULL, S("l.10001"), &v, &e));
	assert_int_equal(e.code, ERR_LIMIT);
	assert_null(sjson_set(a, NULL, S("l.99999999999999999999999"), &v, &e));
	assert_null(sjson_set(a, NULL, S(""), &v, &e));
	struct buf deep = { 0 };
	for (int i = 0; i < SJSON_DEPTH_MAX; i++)
		buf_add(&deep, S("a."));
	assert_null(sjson_set(a, NULL, buf_str(&deep), &v, &e));
	assert_int_equal(e.code, ERR_LIMIT);
	buf_free(&deep);
	arena_free(a);
}

/* A container as it would be skipped by somebody with a lot of time. */
static size_t
slow_skip(const char *p, size_t i, size_t n)
{
	size_t depth = 0;
	bool inside = false;
	for (; i < n; i++) {
		if (inside) {
			if (p[i] == '\\')
				i++;
			else if (p[i] == '"')
				inside = false;
		} else if (p[i] == '\\') { /* not in JSON; a quote behind it opens nothing */
			i += i + 1 < n && (p[i + 1] == '"' || p[i + 1] == '\\');
		} else if (p[i] == '"') {
			inside = true;
		} else if (p[i] == '{' || p[i] == '[') {
			depth++;
		} else if ((p[i] == '}' || p[i] == ']') && --depth == 0) {
			return i + 1;
		}
	}
	return n;
}

static void
all_ways_skip_alike(void **state UNUSED)
{
	static const char alphabet[] = "[]{}\"\\\\\"ab,:1 ";
	uint32_t seed = 7;
	for (int round = 0; round < 20000; round++) {
		char text[300];
		size_t n = 2 + (size_t)round % 290;
		text[0] = '[';
		for (size_t i = 1; i < n; i++) {
			seed = seed * 1664525 + 1013904223;
			text[i] = alphabet[(seed >> 16) % (round % 3 ? sizeof alphabet - 1 : 10)];
		}
		size_t want = slow_skip(text, 0, n);
		for (const struct jsonskip_way *w = jsonskip_ways; w->name; w++)
			if (w->usable() && w->container(text, 0, n) != want)
				fail_msg("%s: %zu instead of %zu in %.*s", w->name, w->container(text, 0, n), want, (int)n, text);
	}
}

static void
work_and_depth_have_limits(void **state UNUSED)
{
	struct arena *a = arena_new();
	struct gjson g;
	struct buf path = { 0 }, deep = { 0 };
	buf_add(&path, S("@this"));
	for (int i = 0; i < 60; i++)
		buf_add(&path, S("|[@this,@this]"));
	assert_false(gjson_get(a, S("{\"a\":[1,2,3]}"), buf_str(&path), &g)); /* 2^60 copies */
	assert_true(g.limited);
	for (int i = 0; i < 100000; i++)
		buf_addc(&deep, '[');
	assert_false(gjson_get(a, buf_str(&deep), S("@flatten:{\"deep\":true}"), &g));
	assert_true(g.limited);
	assert_false(gjson_get(a, buf_str(&deep), S("@dig:x"), &g));
	assert_true(g.limited);
	path.n = 0;
	for (int i = 0; i < GJSON_PATH_MAX; i++)
		buf_add(&path, S("0."));
	assert_false(gjson_get(a, buf_str(&deep), buf_str(&path), &g));
	assert_true(g.limited);
	buf_free(&path);
	buf_free(&deep);
	arena_free(a);
}

static void
globs_match(void **state UNUSED)
{
	assert_true(match_glob(S("abc"), S("*")));
	assert_true(match_glob(S(""), S("*")));
	assert_false(match_glob(S(""), S("?")));
	assert_true(match_glob(S("a\xc3\xa9z"), S("a?z")));
	assert_true(match_glob(S("a*z"), S("a\\*z")));
	assert_false(match_glob(S("abz"), S("a\\*z")));
	assert_true(match_glob(S("aXbXcXd"), S("a*X*d")));
	assert_false(match_glob(S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"), S("*a*a*a*a*a*a*a*a*a*c")));
}

static void
keys_escape_to_paths(void **state UNUSED)
{
	struct arena *a = arena_new();
	struct gjson g;
	str key = S("a.b*c|d@e#f");
	assert_true(gjson_get(a, S("{\"a.b*c|d@e#f\":7}"), gjson_escape(a, key), &g));
	assert_true(g.num == 7);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gjson_agrees_with_the_real_one), cmocka_unit_test(sjson_agrees_with_the_real_one),
		cmocka_unit_test(sjson_keeps_limits),             cmocka_unit_test(all_ways_skip_alike),
		cmocka_unit_test(work_and_depth_have_limits),     cmocka_unit_test(globs_match),
		cmocka_unit_test(keys_escape_to_paths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
