/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json: how fast a webhook's payload is read, ours against jansson, in one interleaved run. The payload is made here: a
 * push event in the form GitHub sends, with its many URLs, in one size class after the other.
 *
 * Prints, for each size, the median of the rounds in MB/s and the ratio.
 */
#include <jansson.h>
#undef JSON_INDENT
#include <time.h>

#include "core/val.h"

#define ROUNDS 21

static int64_t
now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

static void
payload(struct buf *b, int commits)
{
	buf_add(b,
		S("{\"ref\":\"refs/heads/main\",\"before\":\"6113728f27ae82c7b1a177c8d03f9e96e0adf246\",\"after\":\"0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c\","
		"\"repository\":{\"id\":186853002,\"name\":\"hello\",\"private\":false,\"description\":null"));
	static const char *const links[] = { "keys", "collaborators", "teams", "hooks", "issue_events", "events",
		"assignees", "branches", "tags", "blobs", "git_refs",
		"trees", "statuses", "languages", "stargazers", "contributors", "subscribers", "commits", "comments",
			"contents", "compare", "merges", "archive",
		"downloads", "issues", "pulls", "milestones", "notifications", "labels", "releases", "deployments" };
	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		buf_addf(b, ",\"%s_url\":\"https://api.example.com/repos/Codertocat/hello/%s{/number}\"", links[i],
			links[i]);
	buf_add(b,
		S(",\"created_at\":1557933565,\"size\":0,\"has_issues\":true,\"forks\":1,\"score\":1.5e3},\"commits\":["));
	for (int i = 0; i < commits; i++)
		buf_addf(b, "%s{\"id\":\"%040d\",\"distinct\":true,\"message\":\"Fix the \\\"thing\\\"\\n\\nthat was "
			"broken \xe2\x80\x94 for good\",\"timestamp\":\"2026-07-15T15:20:18Z\","
			"\"url\":\"https://example.com/Codertocat/hello/commit/%040d\",\"author\":{\"name\":\"A U "
				"Thor\",\"email\":\"author@example.com\"},"
			"\"added\":[\"src/main.c\",\"docs/index.md\"],\"removed\":[],\"modified\":[\"README.md\"]}",
				i ? "," : "", i, i);
	buf_add(b, S("],\"sender\":{\"login\":\"Codertocat\",\"id\":21031067,\"site_admin\":false}}"));
}

static double
ours(str text, int times)
{
	struct arena *a = arena_new();
	int64_t start = now_ns();
	for (int i = 0; i < times; i++) {
		struct val v;
		struct err e;
		if (json_read(a, text, &v, &e))
			abort();
		arena_reset(a);
	}
	int64_t took = now_ns() - start;
	arena_free(a);
	return (double)text.n * times * 1000 / (double)took;
}

static double
theirs(str text, int times)
{
	int64_t start = now_ns();
	for (int i = 0; i < times; i++) {
		json_error_t e;
		json_t *j = json_loadb(text.p, text.n, 0, &e);
		if (!j)
			abort();
		json_decref(j);
	}
	return (double)text.n * times * 1000 / (double)(now_ns() - start);
}

static int
by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

int
main(void)
{
	static const int commits[] = { 1, 20, 400 };
	for (size_t c = 0; c < ARRAY_LEN(commits); c++) {
		struct buf b = { 0 };
		payload(&b, commits[c]);
		int times = (int)(4000000 / b.n) + 1;
		double o[ROUNDS], t[ROUNDS];
		for (int i = 0; i < ROUNDS; i++) {
			o[i] = ours(buf_str(&b), times);
			t[i] = theirs(buf_str(&b), times);
		}
		qsort(o, ROUNDS, sizeof *o, by_size);
		qsort(t, ROUNDS, sizeof *t, by_size);
		printf("json %7zu bytes: ours %6.0f MB/s, jansson %5.0f MB/s, %.1fx\n", b.n, o[ROUNDS / 2],
			t[ROUNDS / 2], o[ROUNDS / 2] / t[ROUNDS / 2]);
		buf_free(&b);
	}
	return 0;
}
