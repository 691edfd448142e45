/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What large workflows cost, counted and not timed: rows written, and memory taken. Each shape is driven at two sizes; what
 * a node costs may not depend on how many there are.
 */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

#include <malloc.h>

#include "engine/run/run_impl.h"

struct tally {
	size_t nodes, starts, saves, bytes, effects;
	size_t kept; /* bytes that the run holds when it has ended */
	size_t most; /* nodes that one stimulus made */
	size_t stimuli;
	size_t looked; /* tasks that the first frame went through for what depends on what */
};

static struct run *
new_run(struct arena *a, str spec, struct run_limits limits)
{
	const struct run_world world = { .limits = limits };
	struct run *r = NULL;
	struct val v;
	struct err e;
	str text = arena_fmt(a,
		"{\"apiVersion\":\"argoproj.io/v1alpha1\",\"kind\":\"Workflow\",\"metadata\":{\"name\":\"w\",\"namespace\":\"default\",\"uid\":\"u\","
		"\"creationTimestamp\":\"2026-01-01T00:00:00Z\"},\"spec\":{\"entrypoint\":\"main\",\"templates\":[{\"name\":\"nothing\",\"inputs\":"
		"{\"parameters\":[{\"name\":\"p\",\"value\":\"\"}]},\"container\":{\"image\":\"any\",\"command\":[\"true\"],\"args\":[\"{{inputs."
		"parameters.p}}\"]}},%.*s]}}",
		STR_ARG(spec));
	if (json_read(a, text, &v, &e) || run_new(&r, &v, &world, &e))
		fail_msg("%s", e.msg);
	return r;
}

#define NOW (INT64_C(1767225600) * NS_PER_SEC)

struct driver {
	struct run *run;
	struct arena *tmp, *ids;
	VEC(str) started;
	struct tally work;
};

static void
once(struct driver *d, const struct stimulus *s)
{
	struct effect *effects;
	size_t nodes = d->run->nodes.n;
	run_advance(d->run, s, d->tmp, &effects);
	d->work.stimuli++;
	if (d->run->nodes.n - nodes > d->work.most)
		d->work.most = d->run->nodes.n - nodes;
	for (const struct effect *x = effects; x; x = x->next) {
		d->work.effects++;
		if (x->kind == EFFECT_START)
			*VEC_PUSH(&d->started) = arena_dup(d->ids, x->node_id);
		if (x->kind == EFFECT_SAVE) {
			struct val row = node_save(x->node, d->tmp);
			d->work.saves++;
			d->work.bytes += json_write(d->tmp, &row).n;
		}
	}
	arena_reset(d->tmp);
}

static void
advance(struct driver *d, const struct stimulus *s)
{
	once(d, s);
	while (run_busy(d->run))
		once(d, &(struct stimulus){ .kind = STIM_GO_ON, .now = s->now });
}

/* From the start to the end; every step prints its number. `names`: of all nodes, in their order. */
static struct tally
drive_within(str spec, struct run_limits limits, struct buf *names)
{
	struct arena *a CLEANUP(free_arena) = arena_new(), *tmp CLEANUP(free_arena) = arena_new(), *ids CLEANUP(free_arena) = arena_new();
	struct driver d = { .run = new_run(a, spec, limits), .tmp = tmp, .ids = ids };
	int64_t now = NOW;
	advance(&d, &(struct stimulus){ .kind = STIM_START, .now = now });
	for (size_t i = 0; i < d.started.n; i++) {
		struct task_result good = { .phase = PHASE_SUCCEEDED, .message = S(""), .result = arena_fmt(a, "%zu", i) };
		advance(&d, &(struct stimulus){ .kind = STIM_TASK_DONE, .now = now, .node_id = d.started.p[i], .result = &good });
	}
	assert_int_equal(run_phase(d.run), PHASE_SUCCEEDED);
	d.work.nodes = d.run->nodes.n;
	d.work.starts = d.started.n;
	d.work.kept = arena_size(d.run->arena);
	d.work.looked = d.run->frames.n ? d.run->frames.p[0]->looked : 0;
	for (size_t i = 0; names && i < d.run->nodes.n; i++)
		buf_addf(names, "%.*s\n", STR_ARG(d.run->nodes.p[i]->name));
	run_free(d.run);
	VEC_FREE(&d.started);
	return d.work;
}

static struct tally
drive(str spec)
{
	return drive_within(spec, (struct run_limits){ 0 }, NULL);
}

/* At ten times the size, ten times the work; numbers in names grow a little longer. */
static void
is_linear(struct tally small, struct tally large)
{
	double by = (double)large.nodes / (double)small.nodes;
	assert_true(by > 9 && by < 11);
	assert_true((double)large.saves <= (double)small.saves * by * 1.01 + 8);
	assert_true((double)large.effects <= (double)small.effects * by * 1.01 + 8);
	assert_true((double)large.bytes <= (double)small.bytes * by * 1.2);
	assert_true((double)large.kept <= (double)small.kept * by * 1.2);
}

/* ---- shapes ---------------------------------------------------------------------------------------------------- */

static str
loop(struct arena *a, size_t n)
{
	return arena_fmt(a,
		"{\"name\":\"main\",\"steps\":[[{\"name\":\"one\",\"template\":\"nothing\",\"arguments\":{\"parameters\":[{\"name\":\"p\",\"value\":"
		"\"{{item}}\"}]},\"withSequence\":{\"count\":\"%zu\"}}]]}",
		n);
}

/* A loop over a list in a parameter, whose results a loop and a step go through. */
static str
results(struct arena *a, size_t n)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%s%zu", i ? "," : "[", i);
	return arena_fmt(a,
		"{\"name\":\"main\",\"steps\":[[{\"name\":\"one\",\"template\":\"nothing\",\"withParam\":\"%.*s]\"}],"
		"[{\"name\":\"each\",\"template\":\"nothing\",\"arguments\":{\"parameters\":[{\"name\":\"p\",\"value\":\"{{item}}\"}]},"
		"\"withParam\":\"{{steps.one.outputs.result}}\"},{\"name\":\"all\",\"template\":\"nothing\",\"arguments\":{\"parameters\":"
		"[{\"name\":\"p\",\"value\":\"{{steps.one.outputs.result}}\"}]}}]]}",
		STR_ARG(buf_str(&b)));
}

static str
chain(struct arena *a, size_t n)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%s[{\"name\":\"s%zu\",\"template\":\"nothing\"}]", i ? "," : "", i);
	return arena_fmt(a, "{\"name\":\"main\",\"steps\":[%.*s]}", STR_ARG(buf_str(&b)));
}

/* Each task waits for the `edges` before it. */
static str
graph(struct arena *a, size_t n, size_t edges)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < n; i++) {
		buf_addf(&b, "%s{\"name\":\"t%zu\",\"template\":\"nothing\",\"dependencies\":[", i ? "," : "", i);
		for (size_t k = 1; k <= edges && k <= i; k++)
			buf_addf(&b, "%s\"t%zu\"", k > 1 ? "," : "", i - k);
		buf_add(&b, S("]}"));
	}
	return arena_fmt(a, "{\"name\":\"main\",\"dag\":{\"tasks\":[%.*s]}}", STR_ARG(buf_str(&b)));
}

/* A chain in which each task speaks of the first one and of the one before. */
static str
backward(struct arena *a, size_t n)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	buf_add(&b, S("{\"name\":\"t0\",\"template\":\"nothing\"}"));
	for (size_t i = 1; i < n; i++)
		buf_addf(&b,
			",{\"name\":\"t%zu\",\"template\":\"nothing\",\"dependencies\":[\"t%zu\"],\"arguments\":{\"parameters\":[{\"name\":\"p\","
			"\"value\":\"{{tasks.t0.outputs.result}} {{tasks.t%zu.outputs.result}}\"}]}}",
			i, i - 1, i - 1);
	return arena_fmt(a, "{\"name\":\"main\",\"dag\":{\"tasks\":[%.*s]}}", STR_ARG(buf_str(&b)));
}

/* One task, many that wait for it, one that waits for them all. */
static str
fan(struct arena *a, size_t n)
{
	struct buf b CLEANUP(free_buf) = { 0 }, all CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < n; i++) {
		buf_addf(&b, ",{\"name\":\"t%zu\",\"template\":\"nothing\",\"dependencies\":[\"first\"]}", i);
		buf_addf(&all, "%s\"t%zu\"", i ? "," : "", i);
	}
	return arena_fmt(a,
		"{\"name\":\"main\",\"dag\":{\"tasks\":[{\"name\":\"first\",\"template\":\"nothing\"}%.*s,{\"name\":\"last\",\"template\":\"nothing\","
		"\"dependencies\":[%.*s]}]}}",
		STR_ARG(buf_str(&b)), STR_ARG(buf_str(&all)));
}

/* Groups of two, the second half of them skipped. */
static str
groups(struct arena *a, size_t n)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < n; i++)
		buf_addf(&b,
			"%s[{\"name\":\"s%zu\",\"template\":\"nothing\"},{\"name\":\"x%zu\",\"template\":\"nothing\",\"when\":\"%s\"}]",
			i ? "," : "", i, i, i % 2 ? "false" : "true");
	return arena_fmt(a, "{\"name\":\"main\",\"steps\":[%.*s]}", STR_ARG(buf_str(&b)));
}

/* A loop whose elements are all skipped, of a group or of a DAG. */
static str
skipped(struct arena *a, size_t n, bool dag)
{
	const char *step = "{\"name\":\"one\",\"template\":\"nothing\",\"when\":\"{{item}} == x\",\"withSequence\":{\"count\":\"";
	return arena_fmt(a, "{\"name\":\"main\",%s%s%zu\"}}%s}", dag ? "\"dag\":{\"tasks\":[" : "\"steps\":[[", step, n, dag ? "]}" : "]]");
}

/* A loop of steps with a long command, different for each. */
static str
long_commands(struct arena *a, size_t n)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < 300; i++)
		buf_add(&b, S("echo 0123456789; "));
	return arena_fmt(a,
		"{\"name\":\"main\",\"steps\":[[{\"name\":\"one\",\"template\":\"long\",\"arguments\":{\"parameters\":[{\"name\":\"p\",\"value\":"
		"\"{{item}}\"}]},\"withSequence\":{\"count\":\"%zu\"}}]]},{\"name\":\"long\",\"inputs\":{\"parameters\":[{\"name\":\"p\"}]},"
		"\"script\":{\"image\":\"any\",\"command\":[\"sh\"],\"source\":\"%.*s {{inputs.parameters.p}}\"}}",
		n, STR_ARG(buf_str(&b)));
}

/* Calls itself twice, and would end with 2^100 nodes. */
static str
recursion(struct arena *a, bool steps)
{
	return steps ? arena_dup(a, S("{\"name\":\"main\",\"steps\":[[{\"name\":\"a\",\"template\":\"main\"},{\"name\":\"b\",\"template\":\"main\"}]]}"))
		     : arena_dup(a, S("{\"name\":\"main\",\"dag\":{\"tasks\":[{\"name\":\"a\",\"template\":\"main\"},{\"name\":\"b\",\"template\":\"main\"}]}}"));
}

/* ---- tests ----------------------------------------------------------------------------------------------------- */

static void
a_row_is_written_once_per_change(void **state UNUSED)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct tally w = drive(loop(a, 10000));
	assert_int_equal(w.starts, 10000);
	assert_int_equal(w.nodes, 10002);
	/* Made and ended: twice for each, the group and the root among them. */
	assert_int_equal(w.saves, 2 * w.nodes);
}

static void
the_cost_of_a_node_does_not_depend_on_how_many_there_are(void **state UNUSED)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	is_linear(drive(loop(a, 1000)), drive(loop(a, 10000)));
	is_linear(drive(results(a, 1000)), drive(results(a, 10000)));
	is_linear(drive(chain(a, 1000)), drive(chain(a, 10000)));
	is_linear(drive(graph(a, 1000, 10)), drive(graph(a, 10000, 10)));
	is_linear(drive(backward(a, 1000)), drive(backward(a, 10000)));
	is_linear(drive(fan(a, 1000)), drive(fan(a, 10000)));
	is_linear(drive(groups(a, 500)), drive(groups(a, 5000)));
	is_linear(drive(skipped(a, 1000, false)), drive(skipped(a, 10000, false)));
	is_linear(drive(skipped(a, 1000, true)), drive(skipped(a, 10000, true)));
}

/* To know whether a task comes after another, nobody goes through all that lies between. */
static void
what_depends_on_what_is_known_at_once(void **state UNUSED)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct tally w = drive(backward(a, 20000));
	assert_int_equal(w.starts, 20000);
	assert_true(w.looked <= w.nodes);
}

/* What a step needed to run (its command: 5 KB) goes when it has ended, though its workflow goes on. */
static void
memory_grows_with_what_runs(void **state UNUSED)
{
	enum { N = 2000, RESTS = 1400 };
	struct arena *a CLEANUP(free_arena) = arena_new(), *tmp CLEANUP(free_arena) = arena_new(), *ids CLEANUP(free_arena) = arena_new();
	struct driver d = { .run = new_run(a, long_commands(a, N), (struct run_limits){ .calls = 100 }), .tmp = tmp, .ids = ids };
	size_t before = mallinfo2().uordblks;
	advance(&d, &(struct stimulus){ .kind = STIM_START, .now = NOW });
	size_t waiting = mallinfo2().uordblks;
	struct task_result good = { .phase = PHASE_SUCCEEDED, .message = S("") };
	for (size_t i = 0; i + 1 < d.started.n; i++)
		advance(&d, &(struct stimulus){ .kind = STIM_TASK_DONE, .now = NOW, .node_id = d.started.p[i], .result = &good });
	size_t done = mallinfo2().uordblks;
	assert_int_equal(d.started.n, N);
	assert_false(run_finished(d.run));
	if (waiting) { /* a sanitizer's allocator does not say */
		assert_true(waiting - before > (size_t)N * 5000);
		assert_true(done - before < (size_t)N * RESTS);
	}
	run_free(d.run);
	VEC_FREE(&d.started);
}

/* What one stimulus begins is bounded, and nothing else changes by that. */
static void
a_stimulus_begins_no_more_than_it_may(void **state UNUSED)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const str specs[] = { loop(a, 2000), results(a, 500), graph(a, 2000, 3) };
	for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
		struct buf names CLEANUP(free_buf) = { 0 }, same CLEANUP(free_buf) = { 0 };
		struct tally at_once = drive_within(specs[i], (struct run_limits){ 0 }, &names);
		struct tally w = drive_within(specs[i], (struct run_limits){ .calls = 100 }, &same);
		assert_true(w.most <= 102);
		assert_true(w.stimuli <= at_once.stimuli + at_once.nodes / 50);
		assert_int_equal(w.saves, at_once.saves);
		assert_true(str_eq(buf_str(&names), buf_str(&same)));
	}
}

/* A workflow that would become too large ends, and says by which limit and where; before that, whoever stops it is heard. */
static void
ends_too_large(str spec, struct run_limits limits, const char *why)
{
	struct arena *a CLEANUP(free_arena) = arena_new(), *tmp CLEANUP(free_arena) = arena_new();
	struct driver d = { .run = new_run(a, spec, limits), .tmp = tmp, .ids = a };
	advance(&d, &(struct stimulus){ .kind = STIM_START, .now = NOW });
	assert_int_equal(run_phase(d.run), PHASE_ERROR);
	assert_true(str_find(d.run->message, str_c(why), 0) != SIZE_MAX);
	assert_true(str_find(d.run->message, S("'main'"), 0) != SIZE_MAX);
	assert_true(d.work.most <= limits.calls * 2);
	size_t named = 0;
	for (size_t i = 0; i < d.run->nodes.n; i++)
		named += str_eq(d.run->nodes.p[i]->message, d.run->message) && d.run->nodes.p[i]->phase == PHASE_ERROR;
	assert_int_equal(named, 1);
	/* The innermost, which had come to their end before, were written once more; the others not. */
	assert_true(d.work.saves <= d.run->nodes.n + d.run->nodes.n / 4);
	run_free(d.run);
}

static void
a_workflow_that_grows_without_end_is_an_error(void **state UNUSED)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	for (int steps = 0; steps < 2; steps++) {
		ends_too_large(recursion(a, steps), (struct run_limits){ .calls = 50, .nodes = 5000 }, "5000 nodes, which is what workflowNodes");
		ends_too_large(recursion(a, steps), (struct run_limits){ .calls = 50, .memory = 2 << 20 }, "2 MiB in memory, which is what workflowMemory");
	}
}

static void
a_workflow_that_grows_can_be_stopped(void **state UNUSED)
{
	static const enum stimulus_kind verbs[] = { STIM_STOP, STIM_TERMINATE };
	struct arena *a CLEANUP(free_arena) = arena_new(), *tmp CLEANUP(free_arena) = arena_new();
	for (int i = 0; i < 4; i++) {
		struct driver d = { .run = new_run(a, recursion(a, i / 2), (struct run_limits){ .calls = 50 }), .tmp = tmp, .ids = a };
		once(&d, &(struct stimulus){ .kind = STIM_START, .now = NOW });
		for (int k = 0; k < 10; k++)
			once(&d, &(struct stimulus){ .kind = STIM_GO_ON, .now = NOW });
		size_t nodes = d.run->nodes.n;
		advance(&d, &(struct stimulus){ .kind = verbs[i % 2], .now = NOW });
		assert_int_equal(run_phase(d.run), PHASE_FAILED);
		assert_true(d.run->nodes.n <= nodes + 2 * DEPTH_MAX);
		for (size_t k = 0; k < d.run->nodes.n; k++)
			assert_true(phase_fulfilled(d.run->nodes.p[k]->phase));
		run_free(d.run);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_is_written_once_per_change),
		cmocka_unit_test(the_cost_of_a_node_does_not_depend_on_how_many_there_are),
		cmocka_unit_test(what_depends_on_what_is_known_at_once),
		cmocka_unit_test(memory_grows_with_what_runs),
		cmocka_unit_test(a_stimulus_begins_no_more_than_it_may),
		cmocka_unit_test(a_workflow_that_grows_without_end_is_an_error),
		cmocka_unit_test(a_workflow_that_grows_can_be_stopped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
