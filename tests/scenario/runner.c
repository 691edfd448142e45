/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/*
 * runner: plays scenarios against the pure core of the engine, with a simulated executor and virtual time.
 *
 *     runner [--crash-at-every-commit] [--calls N] [--print] FILE.yaml...
 *     runner --batch [--crash-at-every-commit] <LINES >LINES
 *
 * With --calls a stimulus begins so many calls, and what is left goes on in further ones (engine/run/rest.c), which changes
 * nothing of what a scenario expects.
 *
 * A file's first document is the scenario, the others are the objects: one Workflow, and what it refers to.
 *
 *     steps:                       # what a step's command comes to; the first rule that fits
 *     - node: "@[0].A"             # a node's name (@: the workflow's), its display name, or "*"
 *       exit: 1                    # and: phase: Error, message, seconds (1), delay (0: before it starts), result,
 *       reports: {2: 1/4}          #   seconds after its start: progress
 *       cpu: 1500                  #   thousandths of seconds of a core, memory: of 100Mi
 *       echo: true                 # result and parameters are what the command was given
 *       ms: 1500                   # instead of seconds
 *       unseen: true               # nobody hears of its start before its end
 *       dies: 7                    # seconds from when it is told to end; 1
 *       among: [{...}, {...}]      # one of these, by the node's name
 *       times: 2                   #   parameters: {p: x}, progress: 1/2; times: so often for each node
 *       containers: {a: 3, b: ""}  # of a container set: exit codes, 0 by default; "": never started
 *       ready: 5                   # of a daemon, which runs for ever unless `seconds` is given
 *     verbs:                       # what people do, seconds after the start
 *     - {at: 3, do: stop}          # suspend resume stop terminate retry set, resubmit-memoized; selector, message, phase, outputs,
 *                                  #   parameters, restartSuccessful; refused: part of the reason
 *     locks:                       # others that want a lock, seconds after the start
 *     - {lock: default/Mutex/a, holder: default/other, from: 0, until: 3, priority: 0, created: -1}
 *     database: {licences: "2"}    # limits of the database
 *     calls: 1                     # as --calls; workflowNodes: as in the settings
 *     limits:                      # keys of ConfigMaps that change
 *     - {at: 2, key: name/key, value: "3"}
 *     meanwhile:                   # as in expect, after all that happens in that second: phase to synchronization
 *     - {at: 5, some: [...]}
 *     expect:
 *       phase: Failed
 *       message: child '@[0].A' failed      # ids are written as the names of their nodes
 *       nodes:                     # every node there is; what is left out of one is not compared, but for its message
 *       - {name: "@", type: Steps, phase: Failed, display: ..., ip: ..., boundary: ..., template: ..., scope: ...,
 *          children: [...], outbound: [...], inputs: {}, outputs: {}, progress: 1/2, memo: {...}, used: cpu/memory,
 *          id: wf-123, flags: [hooked, retried], began: 2, ended: 5, labels: {},     # seconds after the start
 *          has: {field: ...}}      # what must be in its status: of maps these members, of lists all; null: it is not there
 *       some: [...]                # nodes that are there among others; none: [names] that are not; count: 7 of all
 *       labels: {l: x}             # of the workflow, "" where there is none; annotations: {...}
 *       outputs: {p: x}            # of the workflow
 *       conditions: {T: message}   # that are True
 *       metrics: [line, ...]       # of the exposition, less its comments; not looked at where the process dies
 *       order: [A, B]              # display names of the steps in the order in which they started
 *       starts: {A: 2}             # how often a step was started, by display name
 *       synchronization: {}        # status.synchronization, as it is
 *       has: {metadata: ...}       # what must be in the workflow, like that of a node
 *       most: 2                    # the most steps that ran side by side
 *       seconds: 7                 # from start to end
 *       refused: text              # the workflow cannot be made: part of the reason
 *
 * With --crash-at-every-commit each file is played three times, and each time the process dies at every commit: before it, after
 * it but before any of its effects, and after them (sim.h). The run is read back from the rows; the end must be the same.
 *
 * --batch reads scenarios from standard input, a line each, JSON: the documents as a list. It answers with a line each: the
 * status, and when each step began and ended; with --crash-at-every-commit also every end that is another one (batch.c).
 */
/* clang-format on */
#include "tests/scenario/batch.h"
#include "tests/scenario/compare.h"

#include <errno.h>

/* ---- a file ---------------------------------------------------------------------------------------------------------
 */

static str
read_file(struct arena *a, const char *path)
{
	FILE *f = fopen(path, "r");
	if (!f) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(2);
	}
	struct buf b CLEANUP(free_buf) = { 0 };
	size_t n;
	while ((n = fread(buf_room(&b, 65536), 1, 65536, f)))
		b.n += n;
	fclose(f);
	return arena_dup(a, buf_str(&b));
}

static void
print_workflow(struct sim *x)
{
	struct val w = run_workflow(x->run, x->arena);
	struct buf b CLEANUP(free_buf) = { 0 };
	json_write_opts(&b, &w, JSON_INDENT);
	printf("%.*s\n", STR_ARG(buf_str(&b)));
}

static bool
play_file(const char *path, const struct val *const *docs, size_t n, enum crash crash, bool print)
{
	struct sim x;
	sim_init(&x, docs, n, crash);
	x.look = compare_meanwhile;
	if (sim_play(&x)) {
		compare_end(&x);
		if (print)
			print_workflow(&x);
	}
	bool ok = !x.why.n;
	if (!ok)
		printf("FAILED %s (crash: %s)\n%.*s", path, crash_names[crash], STR_ARG(buf_str(&x.why)));
	sim_free(&x);
	return ok;
}

static bool
run_file(const char *path, bool with_crashes, bool print)
{
	struct arena *a = arena_new();
	struct diags d;
	struct val *docs;
	size_t n;
	diags_init(&d);
	if (yaml_read_all(a, str_c(path), read_file(a, path), NULL, &docs, &n, &d) || n < 2) {
		diags_print(&d, stderr, 0);
		exit(2);
	}
	const struct val **list = ARENA_ARRAY(a, const struct val *, n);
	for (size_t i = 0; i < n; i++)
		list[i] = &docs[i];
	bool ok = true;
	for (int c = with_crashes ? 1 : 0; c < (with_crashes ? CRASHES : 1); c++)
		ok &= play_file(path, list, n, (enum crash)c, print);
	diags_free(&d);
	arena_free(a);
	return ok;
}

int
main(int argc, char **argv)
{
	bool with_crashes = false, print = false, batch = false;
	size_t passed = 0, failed = 0;
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--crash-at-every-commit"))
			with_crashes = true;
		else if (!strcmp(argv[i], "--calls") && i + 1 < argc)
			sim_calls = strtoul(argv[++i], NULL, 10);
		else if (!strcmp(argv[i], "--print"))
			print = true;
		else if (!strcmp(argv[i], "--batch"))
			batch = true;
		else if (run_file(argv[i], with_crashes, print))
			passed++;
		else
			failed++;
	}
	if (batch)
		return batch_play(with_crashes);
	printf("scenarios%s: %zu passed, %zu failed\n", with_crashes ? " with crashes at every commit" : "", passed,
		failed);
	return failed || !passed;
}
