/* SPDX-License-Identifier: Apache-2.0 */
/* cron and tz: against the vectors of tests/oracle/cron.py, and what vectors do not say: messages, descriptors, policy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/cron.h"
#include "tests/unit/times.h"

static struct arena *arena;

static int
setup(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static const struct tz *
zone(const char *name)
{
	const struct tz *z;
	struct err e;
	if (tz_open(arena, str_c(name), &z, &e) < 0)
		fail_msg("%s", e.msg);
	return z;
}

static struct cron
parse(const char *text, unsigned flags)
{
	struct cron c;
	struct err e;
	if (cron_parse(str_c(text), flags, arena, &c, &e) < 0)
		fail_msg("%s", e.msg);
	return c;
}

static void
assert_time(int64_t got, const char *want)
{
	assert_string_equal(time_rfc3339_nano(arena, got).p, want);
}

static str
read_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	struct buf b = { 0 };
	size_t n;
	do {
		n = fread(buf_room(&b, 65536), 1, 65536, f);
		b.n += n;
	} while (n);
	fclose(f);
	str s = arena_dup(arena, buf_str(&b));
	buf_free(&b);
	return s;
}

static int64_t
seconds(str s)
{
	int64_t v;
	assert_true(str_to_i64(s, &v));
	return v * NS_PER_SEC;
}

static void
test_vectors(void **state)
{
	(void)state;
	str text = read_file("tests/vectors/cron.tsv");
	size_t rows = 0;
	while (text.n) {
		str line = str_cut(&text, '\n');
		if (line.n == 0 || line.p[0] == '#')
			continue;
		const char *schedule = str_z(arena, str_cut(&line, '\t'));
		const char *name = str_z(arena, str_cut(&line, '\t'));
		int64_t when = seconds(str_cut(&line, '\t'));
		str next = str_cut(&line, '\t');
		struct cron c = parse(schedule, 0);
		const struct tz *z = zone(name);
		int64_t got_next = cron_next(&c, z, when), got_prev = cron_prev(&c, z, when);
		if (got_next != (str_eq(next, S("-")) ? INT64_MAX : seconds(next)))
			fail_msg("%s in %s at %lld: next is %lld, not %.*s", schedule, name, (long long)(when / NS_PER_SEC),
			         (long long)(got_next / NS_PER_SEC), STR_ARG(next));
		if (got_prev != (str_eq(line, S("-")) ? INT64_MIN : seconds(line)))
			fail_msg("%s in %s at %lld: previous is %lld, not %.*s", schedule, name, (long long)(when / NS_PER_SEC),
			         (long long)(got_prev / NS_PER_SEC), STR_ARG(line));
		rows++;
	}
	assert_true(rows > 900);
}

/* What is between quotes, as Go's %q writes it. */
static str
unquoted(str s)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 1; i + 1 < s.n; i++) {
		bool escaped = s.p[i] == '\\';
		i += escaped;
		buf_addc(&b, escaped && s.p[i] == 't' ? '\t' : s.p[i]);
	}
	return arena_dup(arena, buf_str(&b));
}

/* "-": the reference looks five years ahead, this one nine. */
static void
expect_instant(str spec, int64_t got, str want)
{
	if (str_eq(want, S("-")) ? got < at("2031-02-01T00:00:00Z") : got != seconds(want))
		fail_msg("%.*s: next is %lld, not %.*s", STR_ARG(spec), (long long)(got / NS_PER_SEC), STR_ARG(want));
}

/* Where the reference parser says yes and where no, and what it then makes of it. */
static void
test_reference_parser(void **state)
{
	(void)state;
	str text = read_file("tests/vectors/robfig.tsv");
	size_t good = 0, bad = 0;
	while (text.n) {
		str line = str_cut(&text, '\n');
		if (line.n == 0 || line.p[0] == '#')
			continue;
		str spec = unquoted(str_cut(&line, '\t')), verdict = str_cut(&line, '\t'), first = str_cut(&line, '\t');
		struct cron c;
		struct err e = { 0 };
		bool ok = cron_parse(spec, CRON_DESCRIPTORS, arena, &c, &e) == 0;
		if (ok != str_eq(verdict, S("ok")))
			fail_msg("\"%.*s\" is %.*s for the reference: %s", STR_ARG(spec), STR_ARG(verdict), e.msg);
		good += ok;
		bad += !ok;
		if (!ok)
			continue;
		int64_t next = cron_next(&c, NULL, at("2026-02-27T22:58:30Z"));
		expect_instant(spec, next, first);
		if (next != INT64_MAX && !str_eq(line, S("-")))
			expect_instant(spec, cron_next(&c, NULL, next), line);
	}
	assert_int_equal(good + bad, 2000);
	assert_true(good > 700 && bad > 700);
	print_message("%zu specifications that it takes, %zu that it does not\n", good, bad);
}

static void
test_fraction_of_second(void **state)
{
	(void)state;
	struct cron c = parse("* * * * *", 0);
	assert_time(cron_next(&c, NULL, at("2024-01-01T00:00:00Z") - 1), "2024-01-01T00:00:00Z");
	assert_time(cron_next(&c, NULL, at("2024-01-01T00:00:00Z")), "2024-01-01T00:01:00Z");
	assert_time(cron_next(&c, NULL, at("2024-01-01T00:00:59.5Z")), "2024-01-01T00:01:00Z");
	assert_time(cron_prev(&c, NULL, at("2024-01-01T00:00:00Z") + 1), "2024-01-01T00:00:00Z");
	assert_time(cron_prev(&c, NULL, at("1960-01-01T00:00:30.5Z")), "1960-01-01T00:00:00Z");
	assert_time(cron_next(&c, NULL, at("1960-01-01T00:00:30.5Z")), "1960-01-01T00:01:00Z");
}

static void
test_zone_prefix(void **state)
{
	(void)state;
	struct cron c = parse("CRON_TZ=Europe/Berlin 0 12 * * *", 0);
	assert_time(cron_next(&c, zone("America/New_York"), at("2024-07-01T00:00:00Z")), "2024-07-01T10:00:00Z");
	c = parse("TZ=Asia/Kolkata  30 5 * * *", 0);
	assert_time(cron_next(&c, NULL, at("2024-07-01T00:00:00Z")), "2024-07-02T00:00:00Z");
	c = parse("TZ=Asia/Kolkata 30 5 * * *", 0);
	assert_time(cron_prev(&c, NULL, at("2024-07-02T00:00:01Z")), "2024-07-02T00:00:00Z");
}

static void
test_descriptors(void **state)
{
	(void)state;
	int64_t t = at("2024-05-15T13:14:15Z");
	static const struct {
		const char *text, *next;
	} rows[] = {
		{ "@yearly", "2025-01-01T00:00:00Z" }, { "@annually", "2025-01-01T00:00:00Z" }, { "@monthly", "2024-06-01T00:00:00Z" },
		{ "@weekly", "2024-05-19T00:00:00Z" }, { "@daily", "2024-05-16T00:00:00Z" },    { "@midnight", "2024-05-16T00:00:00Z" },
		{ "@hourly", "2024-05-15T14:00:00Z" }, { "@every 1h30m", "2024-05-15T14:44:15Z" }, { "@every 10ms", "2024-05-15T13:14:16Z" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cron c = parse(rows[i].text, CRON_DESCRIPTORS);
		assert_time(cron_next(&c, NULL, t + 5), rows[i].next);
	}
}

/* Each slot once: at the transition if it is skipped, the first time if it comes twice. Hourly schedules follow the clock. */
static void
test_each_once(void **state)
{
	(void)state;
	const struct tz *z = zone("Europe/Berlin");
	struct cron c = parse("30 2 * * *", CRON_EACH_ONCE);
	assert_time(cron_next(&c, z, at("2024-03-30T12:00:00Z")), "2024-03-31T01:00:00Z");
	assert_time(cron_next(&c, z, at("2024-03-31T01:00:00Z")), "2024-04-01T00:30:00Z");
	assert_time(cron_prev(&c, z, at("2024-03-31T12:00:00Z")), "2024-03-31T01:00:00Z");
	assert_time(cron_next(&c, z, at("2024-10-26T12:00:00Z")), "2024-10-27T00:30:00Z");
	assert_time(cron_next(&c, z, at("2024-10-27T00:30:00Z")), "2024-10-28T01:30:00Z");
	assert_time(cron_prev(&c, z, at("2024-10-27T12:00:00Z")), "2024-10-27T00:30:00Z");
	c = parse("30 * * * *", CRON_EACH_ONCE);
	assert_time(cron_next(&c, z, at("2024-10-27T00:30:00Z")), "2024-10-27T01:30:00Z");
	assert_time(cron_next(&c, z, at("2024-03-31T00:30:00Z")), "2024-03-31T01:30:00Z");
	c = parse("0 3 * * *", CRON_EACH_ONCE); /* not in the gap: fires once, at its own time, which is the transition */
	assert_time(cron_next(&c, z, at("2024-03-31T00:59:59Z")), "2024-03-31T01:00:00Z");
	assert_time(cron_next(&c, z, at("2024-03-31T01:00:00Z")), "2024-04-01T01:00:00Z");
}

static void
test_messages(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "60 * * * *", "schedule \"60 * * * *\": minute \"60\": must be 0 to 59" },
		{ "* 24 * * *", "hour \"24\": must be 0 to 23" },
		{ "* * 0 * *", "day of month \"0\": must be 1 to 31" },
		{ "* * * 13 *", "month \"13\": must be 1 to 12 or JAN to DEC" },
		{ "* * * JANUARY *", "month \"JANUARY\": must be 1 to 12 or JAN to DEC" },
		{ "* * * * 7", "day of week \"7\": must be 0 to 6 or SUN to SAT; Sunday is 0" },
		{ "++1 * * * *", "minute \"++1\": must be 0 to 59" },
		{ "5-1 * * * *", "minute \"5-1\": a range goes from the smaller to the larger" },
		{ "*/0 * * * *", "minute \"*/0\": the step behind / must be a number from 1 on" },
		{ "*/ * * * *", "minute \"*/\": the step behind /" },
		{ "*/-2 * * * *", "the step behind /" },
		{ "1/2/3 * * * *", "the step behind /" },
		{ "1-2-3 * * * *", "minute \"2-3\": must be 0 to 59" },
		{ "-1 * * * *", "minute \"\": must be 0 to 59" },
		{ ", * * * *", "minute \",\": must be 0 to 59" },
		{ "99999999999999999999 * * * *", "minute \"99999999999999999999\"" },
		{ "* * * *", "4 fields where five are expected" },
		{ "* * * * * *", "6 fields where five are expected" },
		{ "", "0 fields where five are expected" },
		{ "@daily", "descriptors are not accepted here; write five fields" },
		{ "TZ=Nowhere/City * * * * *", "time zone Nowhere/City is not in the system's database" },
		{ "TZ=Europe/Berlim * * * * *", "did you mean Europe/Berlin?" },
		{ "TZ=../../etc/passwd * * * * *", "write a name like Europe/Berlin" },
		{ "TZ=UTC", "0 fields where five are expected" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cron c;
		struct err e = { 0 };
		assert_int_equal(cron_parse(str_c(rows[i].text), 0, arena, &c, &e), -1);
		if (!strstr(e.msg, rows[i].says))
			fail_msg("%s: says \"%s\", not \"%s\"", rows[i].text, e.msg, rows[i].says);
	}
	struct cron c;
	struct err e = { 0 };
	assert_int_equal(cron_parse(S("@fortnightly"), CRON_DESCRIPTORS, arena, &c, &e), -1);
	assert_non_null(strstr(e.msg, "@weekly"));
	assert_int_equal(cron_parse(S("@every soon"), CRON_DESCRIPTORS, arena, &c, &e), -1);
	assert_non_null(strstr(e.msg, "@every"));
}

static void
test_never(void **state)
{
	(void)state;
	struct cron c = parse("0 0 31 2,4,6 *", 0);
	assert_true(cron_next(&c, zone("Europe/Berlin"), at("2024-01-01T00:00:00Z")) == INT64_MAX);
	assert_true(cron_prev(&c, zone("Europe/Berlin"), at("2024-01-01T00:00:00Z")) == INT64_MIN);
	c = parse("* * * * *", 0);
	assert_true(cron_next(&c, NULL, INT64_MAX) == INT64_MAX);
	assert_true(cron_prev(&c, NULL, INT64_MIN + 1) == INT64_MIN);
}

static void
test_go_string(void **state)
{
	(void)state;
	int64_t t = at("2026-07-15T10:00:00.123456Z");
	assert_string_equal(tz_go_string(arena, zone("Europe/Berlin"), t).p, "2026-07-15 12:00:00.123456 +0200 CEST");
	assert_string_equal(tz_go_string(arena, tz_utc(), at("2026-07-15T10:00:00Z")).p, "2026-07-15 10:00:00 +0000 UTC");
	assert_string_equal(tz_go_string(arena, zone("America/St_Johns"), at("2050-01-15T10:00:00Z")).p, "2050-01-15 06:30:00 -0330 NST");
	assert_string_equal(tz_go_string(arena, zone("America/Sao_Paulo"), t).p, "2026-07-15 07:00:00.123456 -0300 -03");
}

static void
test_damaged_zone_file(void **state)
{
	(void)state;
	str good = read_file("/usr/share/zoneinfo/Europe/Berlin");
	const struct tz *z;
	struct err e;
	assert_int_equal(tz_read(arena, S("x"), good, &z, &e), 0);
	for (size_t n = 0; n < 400; n++)
		assert_int_equal(tz_read(arena, S("x"), str_slice(good, 0, n), &z, &e), -1);
	for (size_t i = 0; i < good.n; i++) { /* any outcome but a crash, and a zone that was accepted answers */
		str bad = arena_dup(arena, good);
		((char *)(uintptr_t)bad.p)[i] = (char)0xff;
		if (tz_read(arena, S("x"), bad, &z, &e) == 0)
			(void)tz_span(z, 1700000000);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),    cmocka_unit_test(test_reference_parser), cmocka_unit_test(test_fraction_of_second), cmocka_unit_test(test_zone_prefix),
		cmocka_unit_test(test_descriptors), cmocka_unit_test(test_each_once),         cmocka_unit_test(test_messages),
		cmocka_unit_test(test_never),      cmocka_unit_test(test_go_string),          cmocka_unit_test(test_damaged_zone_file),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
