/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schedules around the changes of zones' offsets, against what tests/oracle/cron_zones.py makes of the same with Python's zoneinfo, both
 * from this machine's zones: a sample of them, all with TIDEGATE_FULL=1.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "core/cron.h"
#include "core/map.h"

/* One line: a zone, a schedule, and its instants in (low, high]. */
struct case_ {
	str zone, schedule, instants;
	bool once;
	int64_t low, high; /* ns */
};

static int64_t
seconds(str s)
{
	int64_t v;
	assert_true(str_to_i64(s, &v));
	return v * NS_PER_SEC;
}

static const struct tz *
zone_of(struct map *zones, struct arena *a, str name)
{
	const struct tz *z = map_get(zones, name);
	struct err e;
	if (z)
		return z;
	name = arena_dup(a, name);
	if (tz_open(a, name, &z, &e) < 0)
		fail_msg("%s", e.msg);
	map_put(zones, name, (void *)(uintptr_t)z);
	return z;
}

static void
differs(const struct case_ *c, const char *which, int64_t got)
{
	fail_msg("%.*s in %.*s (%s) from %lld: %s is %lld, wanted of: %.*s", STR_ARG(c->schedule), STR_ARG(c->zone), c->once ? "once" : "argo",
		(long long)(c->low / NS_PER_SEC), which, (long long)(got / NS_PER_SEC), STR_ARG(c->instants));
}

/* Forwards, and each of them backwards. */
static void
check(const struct case_ *c, const struct tz *zone, struct arena *a)
{
	struct cron cron;
	struct err e;
	int64_t at = c->low;
	if (cron_parse(c->schedule, CRON_DESCRIPTORS | (c->once ? CRON_EACH_ONCE : 0), a, &cron, &e) < 0)
		fail_msg("%s", e.msg);
	for (str rest = c->instants; rest.n;) {
		int64_t want = seconds(str_cut(&rest, ' ')), got = cron_next(&cron, zone, at);
		if (got != want)
			differs(c, "next", got);
		if (at != c->low && cron_prev(&cron, zone, want) != at)
			differs(c, "previous", cron_prev(&cron, zone, want));
		at = want;
	}
	if (cron_next(&cron, zone, at) <= c->high)
		differs(c, "next", cron_next(&cron, zone, at));
}

static void
zones_agree_with_zoneinfo(void **state)
{
	(void)state;
	bool full = getenv("TIDEGATE_FULL") != NULL;
	struct arena *a CLEANUP(free_arena) = arena_new(), *tmp CLEANUP(free_arena) = arena_new();
	struct map zones = { 0 };
	FILE *f = popen(full ? "python3 tests/oracle/cron_zones.py 1" : "python3 tests/oracle/cron_zones.py 37", "r");
	char line[8192];
	size_t n = 0;
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		str rest = str_trim(str_c(line));
		struct case_ c = { .zone = str_cut(&rest, '\t'), .schedule = str_cut(&rest, '\t') };
		c.once = str_eq(str_cut(&rest, '\t'), S("once"));
		c.low = seconds(str_cut(&rest, '\t'));
		c.high = seconds(str_cut(&rest, '\t'));
		c.instants = rest;
		check(&c, zone_of(&zones, a, c.zone), tmp);
		arena_reset(tmp);
		n++;
	}
	assert_int_equal(pclose(f), 0);
	assert_true(n > (full ? 100000u : 2000u));
	print_message("%zu cases, %zu zones\n", n, zones.n);
	map_free(&zones);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(zones_agree_with_zoneinfo) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
