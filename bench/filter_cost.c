/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a data filter costs an event: one path and one regular expression, over events of three sizes, with the checked field at
 * the end. The first sensor pays for finding out whether the data is JSON, the others do not. Printed as the best of several
 * rounds, beside the time of one look over the bytes (memchr) as the bare limit.
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

/* A push event of about `size` bytes; its ref comes last. */
static str
payload(struct arena *a, size_t size)
{
	struct buf b = { 0 };
	buf_add(&b, S("{\"repository\":{\"full_name\":\"octo/hello\"},\"commits\":["));
	for (size_t i = 0; b.n + 60 < size; i++)
		buf_addf(&b, "%s{\"id\":\"%08zx\",\"message\":\"fix \\\"%zu\\\" [x]\",\"added\":[\"a/b.c\",\"d\"],\"author\":{\"name\":\"Ada\"}}", i ? "," : "", i * 2654435761u, i);
	buf_add(&b, S("],\"ref\":\"refs/heads/main\"}"));
	str s = arena_dup(a, buf_str(&b));
	buf_free(&b);
	return s;
}

static double
best_of(int64_t (*work)(void *arg), void *arg)
{
	double best = 1e18;
	for (int round = 0; round < 7; round++) {
		int64_t start = now_ns(), n = 0;
		while (now_ns() - start < 20 * NS_PER_MS)
			for (int i = 0; i < 16; i++)
				n += work(arg);
		double each = (double)(now_ns() - start) / (double)n;
		best = each < best ? each : best;
	}
	return best;
}

struct job {
	struct filter_set set;
	struct event *ev;
	struct arena *tmp;
};

static int64_t
filter(void *arg)
{
	struct job *j = arg;
	struct filtered f = { .ev = j->ev, .tmp = j->tmp };
	str why;
	enum verdict v = filter_set_eval(&j->set, &f, &why);
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

static int
script_cost(struct arena *a)
{
	struct filters filters = { .script = S("return event.ref:match('^refs/heads/main$') ~= nil") };
	struct dependency dep = { .name = S("push"), .filters = &filters };
	struct job j = { .ev = event_bare(), .tmp = arena_new() };
	struct err e;
	j.ev->data = payload(a, 1024);
	if (filter_set_compile(&dep, STR_NONE, a, &j.set, &e) < 0)
		return 1;
	printf("script, %6zu bytes: %7.0f ns for the first sensor, %6.0f ns for others\n", j.ev->data.n, best_of(filter_anew, &j), best_of(filter, &j));
	filter_set_free(&j.set);
	event_unref(j.ev);
	arena_free(j.tmp);
	return 0;
}

int
main(void)
{
	static const size_t sizes[] = { 144, 1024, 65536 };
	struct arena *a = arena_new();
	str value = S("^refs/heads/main$");
	struct data_filter data = { .path = S("ref"), .type = S("string"), .value = { &value, 1 } };
	struct filters filters = { .data = { &data, 1 } };
	struct dependency dep = { .name = S("push"), .filters = &filters };
	struct err e;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct job j = { .ev = event_bare(), .tmp = arena_new() };
		j.ev->data = payload(a, sizes[i]);
		if (filter_set_compile(&dep, STR_NONE, a, &j.set, &e) < 0)
			return 1;
		printf("filter, %6zu bytes: %7.0f ns for the first sensor, %6.0f ns for others (path alone %.0f ns, one look over the bytes %.0f ns)\n",
		       j.ev->data.n, best_of(filter_first, &j), best_of(filter, &j), best_of(path_alone, &j), best_of(look_over, &j));
		filter_set_free(&j.set);
		event_unref(j.ev);
		arena_free(j.tmp);
	}
	int failed = script_cost(a);
	arena_free(a);
	return failed;
}
