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

#include "engine/run/run_impl.h"

struct work {
	size_t nodes, starts, saves, bytes, effects;
	size_t kept; /* bytes that the run holds when it has ended */
};

static struct run *
new_run(struct arena *a, str spec)
{
	static const struct run_world world;
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

struct driver {
	struct run *run;
	struct arena *tmp, *ids;
	VEC(str) started;
	struct work work;
};

static void
advance(struct driver *d, const struct stimulus *s)
{
	struct effect *effects;
	run_advance(d->run, s, d->tmp, &effects);
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

/* From the start to the end; every step prints its number. */
static struct work
drive(str spec)
{
	struct arena *a CLEANUP(free_arena) = arena_new(), *tmp CLEANUP(free_arena) = arena_new(), *ids CLEANUP(free_arena) = arena_new();
	struct driver d = { .run = new_run(a, spec), .tmp = tmp, .ids = ids };
	int64_t now = INT64_C(1767225600) * NS_PER_SEC;
	advance(&d, &(struct stimulus){ .kind = STIM_START, .now = now });
	for (size_t i = 0; i < d.started.n; i++) {
		struct task_result good = { .phase = PHASE_SUCCEEDED, .message = S(""), .result = arena_fmt(a, "%zu", i) };
		advance(&d, &(struct stimulus){ .kind = STIM_TASK_DONE, .now = now, .node_id = d.started.p[i], .result = &good });
	}
	assert_int_equal(run_phase(d.run), PHASE_SUCCEEDED);
	d.work.nodes = d.run->nodes.n;
	d.work.starts = d.started.n;
	d.work.kept = arena_size(d.run->arena);
	run_free(d.run);
	VEC_FREE(&d.started);
	return d.work;
}

/* At ten times the size, ten times the work; numbers in names grow a little longer. */
static void
is_linear(struct work small, struct work large)
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

/* ---- tests ----------------------------------------------------------------------------------------------------- */

static void
a_row_is_written_once_per_change(void **state UNUSED)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct work w = drive(loop(a, 10000));
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
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_is_written_once_per_change),
		cmocka_unit_test(the_cost_of_a_node_does_not_depend_on_how_many_there_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
