/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a condition of eight dependencies costs: asked with all of them there, and as part of a join that eight events go through,
 * the last of which fires. Printed as the best of several rounds.
 */
#include <time.h>

#include "sensors/join.h"

static int64_t
now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

static bool
have(const void *arg, size_t dep)
{
	return *(const unsigned *)arg >> dep & 1;
}

static void
left(void *arg UNUSED, const struct join_part *part UNUSED, enum join_end why UNUSED, int64_t at UNUSED)
{
}

static double
ask(const struct condition *c)
{
	enum { N = 100000 };
	volatile unsigned all = 0xff;
	size_t holds = 0;
	int64_t start = now_ns();
	for (int i = 0; i < N; i++) {
		unsigned bits = all;
		holds += condition_holds(c, have, &bits);
	}
	double each = (double)(now_ns() - start) / N;
	return holds == N ? each : 1e9;
}

static double
join_eight(const struct condition *c, struct event *ev, struct arena *tmp)
{
	enum { N = 10000 };
	struct join *j = join_new(&(struct join_rules){ .cond = c, .deps_n = 8 });
	int64_t start = now_ns(), place = 0;
	size_t fired = 0;
	for (int i = 0; i < N; i++) {
		struct join_part *parts;
		for (size_t dep = 0; dep < 8; dep++) {
			size_t n = join_take(j, dep, S(""), ev, ++place, tmp, &parts, left, NULL);
			for (size_t k = 0; k < n; k++)
				event_unref(parts[k].ev);
			fired += n > 0;
		}
		arena_reset(tmp);
	}
	double each = (double)(now_ns() - start) / (8.0 * N);
	join_free(j);
	return fired == N ? each : 1e9;
}

int
main(void)
{
	static const str deps[] = { S("a"), S("b"), S("c"), S("d"), S("e"), S("f"), S("g"), S("h") };
	struct arena *a = arena_new(), *tmp = arena_new();
	struct event *ev = event_new();
	struct condition c;
	struct err e;
	double asked = 1e9, joined = 1e9;
	if (condition_compile(a, S("a && b && (c || d) && e && (f || g) && h && c && g"), deps, ARRAY_LEN(deps), &c, &e) < 0)
		return 1;
	for (int round = 0; round < 7; round++) {
		double x = ask(&c), y = join_eight(&c, ev, tmp);
		asked = x < asked ? x : asked;
		joined = y < joined ? y : joined;
	}
	printf("condition of 8: %.1f ns\nan event in a join of 8, condition included: %.1f ns\n", asked, joined);
	event_unref(ev);
	arena_free(tmp);
	arena_free(a);
	return 0;
}
