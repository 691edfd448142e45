/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node_cost: what a node costs the engine's core, and whether that depends on how many there are. A loop over a no-op
 * step is driven through engine/run/run.h: every step that is started ends at once, one stimulus after the other, and every
 * row that is to be saved is made, as the shell would. Nothing is stored or executed.
 *
 *     node_cost [SMALL LARGE]        default 1000 30000
 *
 * CPU time, so that a busy machine does not matter. Rounds alternate between the two sizes; the best of each counts.
 * Prints ns a node for both, and the ratio.
 */
#include "core/val.h"
#include "engine/run/run.h"

#include <time.h>

enum { ROUNDS = 5, NODES_A_ROUND = 60000 };

static int64_t
now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

static struct val
manifest(struct arena *a, size_t n)
{
	static const char form[] =
		"{\"apiVersion\":\"argoproj.io/"
		"v1alpha1\",\"kind\":\"Workflow\",\"metadata\":{\"name\":\"bench\",\"namespace\":\"default\","
		"\"uid\":\"u\",\"creationTimestamp\":\"2026-01-01T00:00:00Z\"},\"spec\":{\"entrypoint\":\"main\","
		"\"templates\":[{\"name\":\"main\",\"steps\":[[{"
		"\"name\":\"fan\",\"template\":\"noop\",\"arguments\":{\"parameters\":[{\"name\":\"i\",\"value\":\"{{"
		"item}}\"}]},"
		"\"withSequence\":{\"count\":\"%zu\"}}]]},{\"name\":\"noop\",\"inputs\":{\"parameters\":[{\"name\":"
		"\"i\"}]},"
		"\"container\":{\"image\":\"busybox\",\"command\":[\"true\"],\"args\":[\"{{inputs.parameters.i}}\"]}}]}"
		"}";
	struct val v;
	struct err e;
	if (json_read(a, arena_fmt(a, form, n), &v, &e)) {
		fprintf(stderr, "node_cost: %s\n", e.msg);
		exit(1);
	}
	return v;
}

struct queue {
	VEC(str) ids;
	size_t at;
	size_t saved_bytes;
};

static void
advance(struct run *r, const struct stimulus *s, struct arena *tmp, struct arena *row_arena, struct queue *q)
{
	struct effect *effects;
	run_advance(r, s, tmp, &effects);
	for (const struct effect *x = effects; x; x = x->next) {
		if (x->kind == EFFECT_START)
			*VEC_PUSH(&q->ids) = node_id(run_node(r, x->node_id));
		if (x->kind == EFFECT_SAVE) {
			struct val row = node_save(x->node, row_arena);
			q->saved_bytes += json_write(row_arena, &row).n;
			arena_reset(row_arena);
		}
	}
	arena_reset(tmp);
}

/* One workflow from start to end; ns. */
static int64_t
one_run(size_t n)
{
	struct arena *a CLEANUP(free_arena) = arena_new(), *tmp CLEANUP(free_arena) = arena_new(),
			*row CLEANUP(free_arena) = arena_new();
	struct val m = manifest(a, n);
	struct queue q = { 0 };
	struct run *r;
	struct err e;
	static const struct run_world world;
	static const struct task_result good = { .phase = PHASE_SUCCEEDED, .message = { "", 0 } };
	int64_t began = now_ns();
	if (run_new(&r, &m, &world, &e)) {
		fprintf(stderr, "node_cost: %s\n", e.msg);
		exit(1);
	}
	struct stimulus s = { .kind = STIM_START, .now = INT64_C(1767225600) * NS_PER_SEC };
	advance(r, &s, tmp, row, &q);
	for (s.result = &good; q.at < q.ids.n; q.at++) {
		s.node_id = q.ids.p[q.at];
		s.kind = STIM_TASK_STARTED;
		advance(r, &s, tmp, row, &q);
		s.kind = STIM_TASK_DONE;
		advance(r, &s, tmp, row, &q);
	}
	bool done = run_phase(r) == PHASE_SUCCEEDED && q.at == n;
	run_free(r);
	int64_t took = now_ns() - began;
	VEC_FREE(&q.ids);
	if (!done) {
		fprintf(stderr, "node_cost: the workflow did not succeed\n");
		exit(1);
	}
	return took;
}

static double
round_of(size_t n)
{
	size_t runs = NODES_A_ROUND / n ? NODES_A_ROUND / n : 1;
	int64_t best = INT64_MAX;
	for (size_t i = 0; i < runs; i++) {
		int64_t took = one_run(n);
		best = took < best ? took : best;
	}
	return (double)best / (double)n;
}

int
main(int argc, char **argv)
{
	int64_t small = 1000, large = 30000;
	if (argc == 3 && (!str_to_i64(str_c(argv[1]), &small) || !str_to_i64(str_c(argv[2]), &large) || small < 1 ||
				 large < 1)) {
		fprintf(stderr, "usage: node_cost [SMALL LARGE]\n");
		return 2;
	}
	double best_small = 1e18, best_large = 1e18;
	for (int i = 0; i < ROUNDS; i++) {
		double a = round_of((size_t)small), b = round_of((size_t)large);
		best_small = a < best_small ? a : best_small;
		best_large = b < best_large ? b : best_large;
	}
	printf("node_cost nodes=%lld ns_per_node=%.0f nodes=%lld ns_per_node=%.0f ratio=%.2f\n", (long long)small,
		best_small, (long long)large, best_large, best_large / best_small);
	return 0;
}
