/* SPDX-License-Identifier: Apache-2.0 */
/* core/base.h: strings, errors, arenas, buffers, lists, durations and times. */
#include <setjmp.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "core/base.h"

#define EQ(s, literal) assert_true(str_eq((s), S(literal)))

static void
strings(void **state)
{
	(void)state;
	EQ(str_trim(S(" \ta b\r\n")), "a b");
	EQ(str_trim(S("  ")), "");
	assert_true(str_eq_nocase(S("Content-Type"), S("CONTENT-tYPE")) && str_eq_nocase(STR_NONE, S("")));
	assert_false(str_eq_nocase(S("a"), S("ab")) || str_eq_nocase(S("@["), S("`{")) || str_eq_nocase(S("\xc3\x84"), S("\xc3\xa4")));
	assert_true(str_starts(S("abc"), S("ab")) && !str_starts(S("a"), S("ab")));
	assert_true(str_ends(S("abc"), S("bc")) && !str_ends(S("c"), S("bc")));
	assert_int_equal(str_find(S("hello"), S("l"), 3), 3);
	assert_true(str_find(S("hello"), S("x"), 0) == SIZE_MAX);
	assert_true(str_find(S("hello"), S("h"), 9) == SIZE_MAX);
	EQ(str_slice(S("hello"), 1, 99), "ello");
	EQ(str_slice(S("hello"), 4, 2), "");
	assert_true(str_cmp(S("a"), S("ab")) < 0 && str_cmp(S("b"), S("ab")) > 0 && str_cmp(S("x"), S("x")) == 0);
	str rest = S("a,b,,c");
	EQ(str_cut(&rest, ','), "a");
	EQ(str_cut(&rest, ','), "b");
	EQ(str_cut(&rest, ','), "");
	EQ(str_cut(&rest, ','), "c");
	EQ(str_cut(&rest, ','), "");
	assert_int_equal(str_fnv32a(S("")), 2166136261u);
	assert_int_equal(str_fnv32a(S("a")), 0xe40c292cu);
	assert_true(str_fnv64a(S("a")) == UINT64_C(0xaf63dc4c8601ec8c));
}

static void
integers(void **state)
{
	(void)state;
	int64_t v = 7;
	assert_true(str_to_i64(S("-9223372036854775808"), &v) && v == INT64_MIN);
	assert_true(str_to_i64(S("9223372036854775807"), &v) && v == INT64_MAX);
	assert_true(str_to_i64(S("+12"), &v) && v == 12);
	static const char *const bad[] = { "", "-", "9223372036854775808", "-9223372036854775809", "1 ", "0x1", "1.0" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(str_to_i64(str_c(bad[i]), &v));
	assert_int_equal(v, 12);
}

static void
doubles(void **state)
{
	(void)state;
	double v;
	assert_true(str_to_double(S("-1.5e3"), &v) && v == -1500);
	assert_true(str_to_double(S(".5"), &v) && v == .5);
	static const char *const bad[] = { "", "inf", "nan", "0x1p3", " 1", "1 ", "e", "1e", "--1" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(str_to_double(str_c(bad[i]), &v));
}

static void
distances(void **state)
{
	(void)state;
	assert_int_equal(str_distance(S("endpont"), S("endpoint")), 1);
	assert_int_equal(str_distance(S("exmaple"), S("example")), 1);
	assert_int_equal(str_distance(S(""), S("abc")), 3);
	assert_int_equal(str_distance(S("kitten"), S("sitting")), 3);
	assert_int_equal(str_distance(S("abcdefghijkl"), S("")), 8);
}

static void
errors(void **state)
{
	(void)state;
	struct err e;
	assert_int_equal(err_set(&e, ERR_INVALID, "port %d: must be between 1 and 65535", 99999), -1);
	assert_int_equal(err_wrap(&e, "reading %s", "x.yaml"), -1);
	assert_string_equal(e.msg, "reading x.yaml: port 99999: must be between 1 and 65535");
	assert_int_equal(err_http_status(e.code), 400);
	errno = ENOENT;
	err_errno(&e, "opening %s", "y");
	assert_int_equal(e.code, ERR_NOT_FOUND);
	char long_text[800];
	memset(long_text, 'x', sizeof long_text - 1);
	long_text[sizeof long_text - 1] = '\0';
	err_wrap(&e, "%s", long_text);
	assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
}

/* What libc says, in any room: so much of it as fits, its end marked, and the length of all of it. */
#define SAME(fmt, ...) \
	do { \
		char ours[300], libc[300]; \
		for (size_t room = 0; room < sizeof ours; room += room < 24 ? 1 : 69) { \
			memset(ours, '?', sizeof ours); \
			memset(libc, '?', sizeof libc); \
			int n = snprintf(libc, room, fmt, __VA_ARGS__); \
			assert_int_equal(text_format(ours, room, fmt, __VA_ARGS__), n); \
			assert_memory_equal(ours, libc, room ? strlen(libc) + 1 : sizeof ours); \
		} \
	} while (0)

static void
formats(void **state UNUSED)
{
	static const char bytes[] = { 'a', 'b', 'c', 'd' }; /* not terminated */
	SAME("plain %s", "");
	SAME("%s/%.*s|%.*s|%.2s|%.s|%c%%", "name", 2, bytes, 4, bytes, "xyz", "gone", '!');
	SAME("%s %.*s", "a text that is longer than any of the small rooms", -1, "a negative precision is none");
	SAME("%d %i %d %d %d", 0, 7, -1, INT32_MIN, INT32_MAX);
	SAME("%ld %lld %zd %lld", LONG_MIN, (long long)INT64_MAX, (ssize_t)-5, (long long)INT64_MIN);
	SAME("%u %lu %llu %zu", UINT32_MAX, ULONG_MAX, (unsigned long long)UINT64_MAX, SIZE_MAX);
	SAME("%x %X %02x %02X %lx %016llx", 0u, 0xBEEFu, 5u, 0xFFFu, 0xabcdefUL, 0x1234ULL);
	SAME("%04lld-%02d-%02dT%02d:%02d:%02dZ", 2026LL, 1, 31, 0, 59, 7);
	SAME("%05d %03d %0*d %01d", -42, -1234, 6, 77, 0);
	/* libc's: */
	SAME("%5d|%-5s|%5s|%.3d|%+d|%hd|%p|%s", 3, "l", "r", 4, 5, (short)6, (void *)0, "and what follows");
	SAME("%s %.3f %g %s", "before", 1.0 / 3, 1e100, "behind");
}

static void
arenas(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	for (size_t i = 1; i < 3000; i++) {
		char *p = arena_alloc(a, i, 16);
		assert_int_equal((uintptr_t)p % 16, 0);
		for (size_t j = 0; j < i; j++)
			assert_int_equal(p[j], 0);
		memset(p, 0xff, i);
	}
	assert_non_null(arena_alloc(a, 5 << 20, 64));
	str s = arena_fmt(a, "%0300d", 1);
	assert_int_equal(s.n, 300);
	assert_int_equal(s.p[300], 0);
	assert_null(arena_dup(a, STR_NONE).p);
	arena_reset(a);
	assert_int_equal(arena_size(a), 0);
	EQ(arena_dup(a, S("again")), "again");
	arena_free(a);
	arena_free(NULL);
}

static void
buffers(void **state)
{
	(void)state;
	struct buf b = { 0 };
	for (int i = 0; i < 100; i++)
		buf_addf(&b, "%d,", i);
	buf_addf(&b, "%0500d", 7);
	buf_addc(&b, '!');
	assert_int_equal(b.n, 290 + 500 + 1);
	assert_int_equal(b.p[b.n], 0);
	buf_free(&b);
	EQ(buf_str(&b), "");
}

static void
lists(void **state)
{
	(void)state;
	struct item {
		int n;
		struct link link;
	} items[3] = { { .n = 1 }, { .n = 2 }, { .n = 3 } };
	struct link head;
	list_init(&head);
	for (int i = 0; i < 3; i++)
		list_add_tail(&head, &items[i].link);
	int sum = 0;
	LIST_EACH (&head, struct item, link, it) {
		sum = sum * 10 + it->n;
		list_del(&it->link);
	}
	assert_int_equal(sum, 123);
	assert_true(list_empty(&head));
	list_del(&items[0].link);
}

static void
durations(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ns;
		const char *printed;
	} good[] = {
		{ "0", 0, "0s" }, { "30s", 30 * NS_PER_SEC, "30s" }, { "1h30m", 5400 * NS_PER_SEC, "1h30m0s" },
		{ "1.5h", 5400 * NS_PER_SEC, "1h30m0s" }, { "-2m", -120 * NS_PER_SEC, "-2m0s" }, { "300ms", 300 * NS_PER_MS, "300ms" },
		{ "1h2m3.5s", 3723 * NS_PER_SEC + 500 * NS_PER_MS, "1h2m3.5s" }, { ".5s", 500 * NS_PER_MS, "500ms" },
		{ "7us", 7000, "7\302\265s" }, { "1\302\265s", 1000, "1\302\265s" }, { "12ns", 12, "12ns" },
	};
	struct arena *a = arena_new();
	struct err e;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		dur d;
		assert_int_equal(dur_parse(str_c(good[i].text), &d, &e), 0);
		assert_int_equal(d.ns, good[i].ns);
		assert_string_equal(dur_fmt(a, d).p, good[i].printed);
	}
	static const char *const bad[] = { "", "s", "10", "1x", "1h-2m", ".s", "9999999999h", "1 s", "-" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		dur d = { 42 };
		assert_int_equal(dur_parse(str_c(bad[i]), &d, &e), -1);
		assert_int_equal(d.ns, 42);
	}
	arena_free(a);
}

static void
times(void **state)
{
	(void)state;
	static const struct {
		const char *text, *printed;
	} good[] = {
		{ "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z" }, { "2026-07-15T10:00:00.123456789Z", "2026-07-15T10:00:00.123456789Z" },
		{ "2026-07-15T10:00:00.100Z", "2026-07-15T10:00:00.1Z" }, { "2024-02-29T23:59:59+02:30", "2024-02-29T21:29:59Z" },
		{ "1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.5Z" }, { "2000-12-31T00:00:00-11:00", "2000-12-31T11:00:00Z" },
	};
	struct arena *a = arena_new();
	struct err e;
	int64_t t;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(time_parse_rfc3339(str_c(good[i].text), &t, &e), 0);
		assert_string_equal(time_rfc3339_nano(a, t).p, good[i].printed);
	}
	assert_string_equal(time_rfc3339(a, -1).p, "1969-12-31T23:59:59Z");
	static const char *const bad[] = { "", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01", "2026-01-01T24:00:00Z",
		"2026-01-01T00:00:00", "2026-01-01T00:00:00Zx", "2026-01-01T00:00:00.Z", "0001-01-01T00:00:00Z", "2026-1-01T00:00:00Z" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(time_parse_rfc3339(str_c(bad[i]), &t, &e), -1);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings), cmocka_unit_test(integers), cmocka_unit_test(doubles), cmocka_unit_test(distances),
		cmocka_unit_test(errors), cmocka_unit_test(formats), cmocka_unit_test(arenas), cmocka_unit_test(buffers), cmocka_unit_test(lists),
		cmocka_unit_test(durations), cmocka_unit_test(times),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
