/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nodes: what the engine itself costs for each node: a run of N steps driven through run.h by an executor that ends
 * everything at once. A step is started, ends, and its rows are written as JSON; nothing is executed. Half of the nodes are a
 * fan-out, half a DAG in which each waits for two others.
 *
 *     nodes N
 */
#include <malloc.h>
#include <time.h>

#include "core/val.h"
#include "engine/run/run.h"

#define ENOUGH 30000 /* nodes */

static const struct val *
no_template(void *arg UNUSED, bool cluster UNUSED, str ns UNUSED, str name UNUSED)
{
	return NULL;
}

static int
no_config_map(void *arg UNUSED, str ns UNUSED, str name, str key UNUSED, str *out UNUSED, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "configmaps \"%.*s\" not found", STR_ARG(name));
}

static str
manifest(struct arena *a, int n)
{
	struct buf b = { 0 };
	buf_addf(&b,
		"{\"apiVersion\":\"argoproj.io/v1alpha1\",\"kind\":\"Workflow\",\"metadata\":{\"name\":\"bench\",\"namespace\":\"default\","
		"\"uid\":\"1\",\"creationTimestamp\":\"2026-01-01T00:00:00Z\"},\"spec\":{\"entrypoint\":\"main\",\"templates\":["
		"{\"name\":\"nothing\",\"container\":{\"image\":\"any\",\"command\":[\"true\"]}},"
		"{\"name\":\"main\",\"steps\":[[{\"name\":\"fan\",\"template\":\"nothing\",\"withSequence\":{\"count\":\"%d\"}}],"
		"[{\"name\":\"graph\",\"template\":\"graph\"}]]},{\"name\":\"graph\",\"dag\":{\"tasks\":[", n / 2);
	for (int i = 0; i < n / 2; i++) {
		buf_addf(&b, "%s{\"name\":\"t%d\",\"template\":\"nothing\"", i ? "," : "", i);
		if (i >= 10)
			buf_addf(&b, ",\"dependencies\":[\"t%d\",\"t%d\"]", i - 10, i - 9);
		buf_addc(&b, '}');
	}
	buf_add(&b, S("]}}]}}"));
	str s = arena_dup(a, buf_str(&b));
	buf_free(&b);
	return s;
}

struct bench {
	struct run *run;
	struct arena *tmp;
	VEC(str) started; /* ids; in an arena of their own */
	struct arena *ids;
	size_t saved_bytes, nodes;
};

static void
advance(struct bench *b, const struct stimulus *s)
{
	struct effect *effects = NULL;
	run_advance(b->run, s, b->tmp, &effects);
	for (const struct effect *ef = effects; ef; ef = ef->next) {
		if (ef->kind == EFFECT_START)
			*VEC_PUSH(&b->started) = arena_dup(b->ids, ef->node_id);
		if (ef->kind == EFFECT_SAVE && ef->node) {
			struct val row = node_save(ef->node, b->tmp);
			b->saved_bytes += json_write(b->tmp, &row).n;
		}
	}
	arena_reset(b->tmp);
}

static void
drive(struct bench *b)
{
	struct task_result ok = { .phase = PHASE_SUCCEEDED };
	int64_t now = INT64_C(1767225600) * NS_PER_SEC;
	advance(b, &(struct stimulus){ .kind = STIM_START, .now = now });
	for (size_t i = 0; i < b->started.n; i++, b->nodes++) {
		str id = b->started.p[i];
		advance(b, &(struct stimulus){ .kind = STIM_TASK_STARTED, .now = now, .node_id = id });
		advance(b, &(struct stimulus){ .kind = STIM_TASK_DONE, .now = now, .node_id = id, .result = &ok });
	}
}

static int64_t
cpu_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

/* A whole run; its CPU time. */
static int64_t
one_run(int n, struct bench *b)
{
	static const struct run_world world = { .template_spec = no_template, .config_map = no_config_map };
	struct arena *a = arena_new();
	struct err e;
	struct val doc;
	size_t before = b->nodes;
	b->tmp = arena_new();
	b->ids = arena_new();
	int64_t start = cpu_ns();
	if (json_read(a, manifest(a, n), &doc, &e) || run_new(&b->run, &doc, &world, &e)) {
		fprintf(stderr, "%s\n", e.msg);
		exit(1);
	}
	drive(b);
	int64_t took = cpu_ns() - start;
	if (run_phase(b->run) != PHASE_SUCCEEDED || b->nodes - before != (size_t)(n / 2 * 2)) {
		fprintf(stderr, "phase %s after %zu steps\n", phase_name(run_phase(b->run)), b->nodes - before);
		exit(1);
	}
	run_free(b->run);
	VEC_FREE(&b->started);
	arena_free(b->tmp);
	arena_free(b->ids);
	arena_free(a);
	malloc_trim(0); /* the next run touches new pages again, as a first one does */
	return took;
}

int
main(int argc, char **argv)
{
	int64_t n;
	if (argc < 2 || !str_to_i64(str_c(argv[1]), &n) || n < 40 || n > 1000000)
		return 2;
	/* Small runs are repeated, so that each size is measured over as many nodes. */
	int64_t rounds = n < ENOUGH ? ENOUGH / n : 1, took = 0;
	struct bench b = { 0 };
	for (int64_t i = 0; i < rounds; i++)
		took += one_run((int)n, &b);
	printf("%.3f us/node, %zu nodes, %.1f MB of rows\n", (double)took / 1e3 / (double)b.nodes, b.nodes, (double)b.saved_bytes / 1e6);
	return 0;
}
