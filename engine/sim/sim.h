/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim: a workflow played to its end without anything being executed: the pure core of the engine, an executor whose results are
 * written down, virtual time, and a store that is an array of rows. What a scenario says is in tests/scenario/runner.c; `tidegate test`
 * (cli/test_play.c) serves a part of it.
 */
#ifndef TIDEGATE_ENGINE_SIM_SIM_H
#define TIDEGATE_ENGINE_SIM_SIM_H

#include "core/map.h"
#include "engine/custom_metrics.h"
#include "engine/engine.h"
#include "engine/run/run.h"

/*
 * Where the process dies, at each commit: before it (what was decided is lost, the news comes again from the executor),
 * after it (the rows are there, but nothing of what they ask for was done), or after its effects were carried out.
 */
enum crash { CRASH_NONE, CRASH_BEFORE, CRASH_COMMITTED, CRASH_CARRIED_OUT, CRASHES };
extern const char *const crash_names[CRASHES];

struct sim_locks;
struct other;
/* Somebody else asks for or gives back a lock, or a limit changes. */
struct sim_lock_event {
	struct other *other;
	bool asks;
	str key, limit; /* "name/key" of a ConfigMap, its new value */
};
struct sim_event {
	int64_t at;
	uint64_t order;
	struct stimulus s;
	struct task_result result;
	str name;    /* of the node */
	str refused; /* of a verb: part of the reason */
	int64_t dies; /* of the end of a step: how long it takes when it is told to, ns */
	bool timer, killed, gone;
	uint32_t rank; /* of a timer: place of its node, from 1; 0: the workflow */
	const struct sim_lock_event *lock;
	const struct val *look; /* one of the scenario's `meanwhile` */
};
struct saved {
	VEC(str) rows; /* by node_order */
	str spec, state;
	unsigned spec_version;
	bool rows_changed; /* by the last commit */
};
/* What happened to a step: for who looks at the order of things. */
struct sim_note {
	int64_t at;
	const char *what; /* "start", "end" */
	str name;
	str args;
};
struct sim_memo {
	const struct val *outputs;
	int64_t created;
};
struct sim {
	struct arena *arena, *tmp;
	const struct val *scenario, *const *docs; /* the first document is the scenario itself */
	size_t docs_n;
	struct run *run;
	struct custom_metrics *metrics;
	struct sim_locks *locks;
	struct run_world world;
	enum crash crash;
	bool validated; /* a workflow that is not valid is refused, as when it is submitted */
	VEC(struct sim_event) events;
	VEC(const struct effect *) turn; /* what the stimuli of one commit asked for */
	VEC(struct sim_note) notes;
	struct saved saved;
	struct map kept; /* "cache/key" -> struct sim_memo */
	struct map starts, used, running; /* display name -> count; rule -> count; node id -> itself */
	struct map kills; /* node ids: their end was decided, and has not been seen */
	size_t now_running, most;
	int64_t began, now;
	uint64_t order, stimuli;
	struct buf why; /* what is not as it should be */
	void (*look)(struct sim *x, const struct val *meanwhile); /* NULL: nobody looks */
};

extern size_t sim_calls; /* what scenarios that do not say `calls` are played with; 0: no limit */
/* At SIM_EPOCH; who wants another time sets began and now. */
void sim_init(struct sim *x, const struct val *const *docs, size_t n, enum crash crash);
void sim_free(struct sim *x);
/* Makes the run and plays it to its end. False: the workflow was refused. */
bool sim_play(struct sim *x);

#define SIM_EPOCH (INT64_C(1767225600) * NS_PER_SEC) /* 2026-01-01T00:00:00Z */
void sim_lock_at(struct sim *x, int64_t seconds, struct sim_lock_event ev);
/* read.c */
int64_t sim_number(const struct val *map, const char *key, int64_t dflt);
size_t sim_count(struct sim *x, struct map *m, str key, size_t add);
str sim_text(struct sim *x, const struct val *v);
str sim_field(struct sim *x, const struct val *map, const char *key);

/* locks.c */
void sim_locks_init(struct sim *x);
void sim_locks_free(struct sim *x);
void sim_locks_commit(struct sim *x);
void sim_locks_lose(struct sim *x);
void sim_locks_refill(struct sim *x);
void sim_locks_play(struct sim *x, const struct sim_lock_event *ev);
bool sim_locks_take(struct sim *x, const struct effect *ef); /* an effect on locks: done */
bool sim_locks_news(struct sim *x, struct stimulus *s);      /* the run is to be told something */

#endif
