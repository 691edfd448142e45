/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the filters of a dependency cost an event, by kind ("regex" is three data filters, one a regular expression) and by the size of its body; what is checked stands at the end of the body. "first"
 * is for the first sensor that looks at the event, which pays for finding out whether the body is JSON (or, with a script, for reading it);
 * "next" for the others, and for all of them if the source had looked already. Printed as the best of several rounds, with two limits: the
 * look-up of the path alone, and one look over the bytes (memchr).
 */
#include <time.h>

#include "core/lang/gjson.h"
#include "core/log.h"
#include "sensors/filter.h"

static int64_t
now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

/* A push event of `size` bytes; its number and its ref come last. */
static str
payload(struct arena *a, size_t size)
{
	static const str end = S("],\"size\":3,\"ref\":\"refs/heads/main\"}");
	struct buf b = { 0 };
	buf_add(&b, S("{\"repository\":{\"full_name\":\"octo/hello\"},\"commits\":["));
	for (size_t i = 0; b.n + 110 + end.n < size; i++)
		buf_addf(&b, "%s{\"id\":\"%08zx\",\"message\":\"fix \\\"%zu\\\" [x]\",\"added\":[\"a/b.c\",\"d\"],\"author\":{\"name\":\"Ada\"}}", i ? "," : "", i * 2654435761u, i);
	buf_addf(&b, "%s\"%*s\"", b.n > 60 ? "," : "", (int)(size - b.n - end.n - 2 - (b.n > 60)), "");
	buf_add(&b, end);
	assert(b.n == size);
	str s = arena_dup(a, buf_str(&b));
	buf_free(&b);
	return s;
}

static double
best_of(int64_t (*work)(void *arg), void *arg)
{
	double best = 1e18;
	int times = 1; /* asking for the time is a system call: it must not count */
	for (int round = 0; round < 9; round++) {
		int64_t start = now_ns(), took;
		for (int i = 0; i < times; i++)
			work(arg);
		took = now_ns() - start;
		best = took < best * times ? (double)took / times : best;
		while (round == 0 && (int64_t)times * (took + 1) < 5 * NS_PER_MS)
			times *= 2;
	}
	return best;
}

struct job {
	struct filter_set set;
	struct event *ev;
	struct arena *tmp;
	struct trace trace;
};

static int64_t
filter(void *arg)
{
	struct job *j = arg;
	struct filtered f = { .ev = j->ev, .tmp = j->tmp, .trace = &j->trace };
	trace_clear(&j->trace);
	enum verdict v = filter_set_eval(&j->set, &f);
	assert(v == FILTER_PASS);
	arena_reset(j->tmp);
	return 1;
}

static int64_t
filter_first(void *arg)
{
	((struct job *)arg)->ev->checked = EVENT_UNCHECKED;
	return filter(arg);
}

static int64_t
path_alone(void *arg)
{
	struct job *j = arg;
	struct gjson g;
	bool found = gjson_get(j->tmp, j->ev->data, S("ref"), &g);
	assert(found);
	arena_reset(j->tmp);
	return 1;
}

static int64_t
look_over(void *arg)
{
	struct job *j = arg;
	const void *volatile found = memchr(j->ev->data.p, 1, j->ev->data.n);
	assert(!found);
	return 1;
}

/* A new event each time: its tree is built for the script, as for the first sensor that needs it. */
static int64_t
filter_anew(void *arg)
{
	struct job *j = arg;
	struct job once = { .set = j->set, .ev = event_bare(), .tmp = j->tmp };
	once.ev->data = j->ev->data;
	filter(&once);
	event_unref(once.ev);
	return 1;
}

static str main_ref = S("^refs/heads/main$"), alternatives = S("^refs/(heads|tags)/(main|v[0-9]+[.][0-9]+)$"), three = S("3"), repository = S("octo/hello");

static const struct filter_kind {
	const char *name;
	struct data_filter data[3];
	struct expr_filter expr;
	str script;
} kinds[] = {
	{ .name = "data", .data = { { .path = S("ref"), .type = S("string"), .value = { &main_ref, 1 } } } },
	{ .name = "number", .data = { { .path = S("size"), .type = S("number"), .comparator = S(">="), .value = { &three, 1 } } } },
	{ .name = "regex", .data = { { .path = S("repository.full_name"), .type = S("string"), .value = { &repository, 1 } },
	                       { .path = S("size"), .type = S("number"), .comparator = S(">="), .value = { &three, 1 } },
	                       { .path = S("ref"), .type = S("string"), .value = { &alternatives, 1 } } } },
	{ .name = "exprs", .expr = { .expr = S("size >= 3 && ref == \"refs/heads/main\"") } },
	{ .name = "script", .script = S("return event.ref:match('^refs/heads/main$') ~= nil") },
};

static int
measure(struct arena *a, const struct filter_kind *k, size_t size)
{
	struct filter_field fields[] = { { .name = S("size"), .path = S("size") }, { .name = S("ref"), .path = S("ref") } };
	struct expr_filter expr = k->expr;
	expr.fields.p = fields;
	expr.fields.n = ARRAY_LEN(fields);
	struct data_filter data[ARRAY_LEN(k->data)];
	size_t n = 0;
	for (; n < ARRAY_LEN(data) && k->data[n].path.n; n++)
		data[n] = k->data[n];
	struct filters filters = { .data = { data, n }, .exprs = { &expr, expr.expr.n > 0 }, .script = k->script };
	struct dependency dep = { .name = S("push"), .filters = &filters };
	struct job j = { .ev = event_bare(), .tmp = arena_new() };
	struct checks checks = { .arena = a };
	struct err e;
	j.ev->data = payload(a, size);
	if (filter_set_compile(&dep, &checks, &j.set, &e) < 0) {
		fprintf(stderr, "%s: %s\n", k->name, e.msg);
		return -1;
	}
	double first = best_of(k->script.n ? filter_anew : filter_first, &j), next = best_of(filter, &j);
	printf("%s %zu: first %.0f ns, next %.0f ns (path alone %.0f ns, one look over the bytes %.0f ns)\n", k->name, size, first, next,
	       best_of(path_alone, &j), best_of(look_over, &j));
	filter_set_free(&j.set);
	VEC_FREE(&checks.list);
	event_unref(j.ev);
	arena_free(j.tmp);
	return 0;
}

int
main(void)
{
	static const size_t sizes[] = { 144, 1178, 65700 };
	struct arena *a = arena_new();
	int failed = 0;
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
			failed |= measure(a, &kinds[k], sizes[i]);
	arena_free(a);
	return -failed;
}
