/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim: the world that a scenario is played in: the pure core of the engine, a simulated executor, virtual time, and a
 * store that is an array of rows. What a scenario says is in runner.c.
 */
#ifndef TIDEGATE_TESTS_SCENARIO_SIM_H
#define TIDEGATE_TESTS_SCENARIO_SIM_H

#include "core/map.h"
#include "engine/custom_metrics.h"
#include "engine/engine.h"
#include "engine/run.h"

/*
 * Where the process dies, at each commit: before it (what was decided is lost, the news comes again from the executor),
 * after it (the rows are there, but nothing of what they ask for was done), or after its effects were carried out.
 */
enum crash { CRASH_NONE, CRASH_BEFORE, CRASH_COMMITTED, CRASH_CARRIED_OUT, CRASHES };
extern const char *const crash_names[CRASHES];

struct sim_event {
	int64_t at;
	uint64_t order;
	struct stimulus s;
	struct task_result result;
	str name;    /* of the node */
	str refused; /* of a verb: part of the reason */
	bool timer, killed, gone;
};
struct saved {
	VEC(str) rows; /* by node_order */
	str spec, state;
	unsigned spec_version;
};
/* What happened to a step: for who looks at the order of things. */
struct sim_note {
	int64_t at;
	const char *what; /* "start", "end" */
	str name;
	str args;
};
struct sim {
	struct arena *arena, *tmp;
	const struct val *scenario, *const *docs; /* the first document is the scenario itself */
	size_t docs_n;
	struct run *run;
	struct custom_metrics *metrics;
	struct run_world world;
	enum crash crash;
	VEC(struct sim_event) events;
	VEC(struct sim_note) notes;
	struct saved saved;
	struct map starts, used, running; /* display name -> count; rule -> count; node id -> itself */
	size_t now_running, most;
	int64_t now;
	uint64_t order, stimuli;
	struct buf why; /* what is not as it should be */
};

void sim_init(struct sim *x, const struct val *const *docs, size_t n, enum crash crash);
void sim_free(struct sim *x);
/* Makes the run and plays it to its end. False: the workflow was refused. */
bool sim_play(struct sim *x);

size_t sim_count(struct sim *x, struct map *m, str key, size_t add);
str sim_text(struct sim *x, const struct val *v);
str sim_field(struct sim *x, const struct val *map, const char *key);

#endif
