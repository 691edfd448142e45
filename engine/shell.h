/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shell: what the files of the engine's shell share, and nobody else sees. live.c has the runs in memory and gives them what happens, commit.c
 * writes what changed, tasks.c has their steps carried out; submit.c makes runs, admission.c lets them begin, line.c holds steps back while there
 * is no room, kill.c remembers which are to be ended, archive.c keeps them as rows, query.c and requests.c answer for them, logs.c reads what
 * their steps printed.
 */
#ifndef TIDEGATE_ENGINE_SHELL_H
#define TIDEGATE_ENGINE_SHELL_H

#include "core/lang/regex.h"
#include "core/map.h"
#include "engine/agent.h"
#include "engine/archive.h"
#include "engine/engine.h"
#include "engine/exec/executor.h"
#include "engine/run/run.h"

/* A run in memory: it is not finished, or its last rows are not on disk yet. */
struct live {
	struct engine *engine;
	struct run *run;
	int64_t id;               /* of its row; grows with every submission */
	int64_t created;          /* ns */
	str map_key;              /* "ns/name", owned */
	str key;                  /* idempotency key, owned; may be absent */
	bool inserted;            /* its row was queued once */
	unsigned spec_version;    /* of what was queued last */
	VEC(struct node *) dirty; /* nodes to be written at the end of the turn; may name one twice */
	VEC(struct due) dues;       /* to be written with them; names owned by the run */
	VEC(struct action) actions; /* to be carried out after that commit */
	VEC(struct waiter) waiters; /* to be told after that commit */
	struct map timers;        /* node id -> struct run_timer */
	uint64_t saves_made, saves_done; /* queued, and committed of them */
	VEC(struct waiting) line; /* its steps that wait for room, from line_at on */
	size_t line_at;
	struct link in_line;      /* in engine->line, if it has such steps */
	const struct node *called; /* the one of them that there is room for now ... */
	bool on_disk;             /* ... and whether its row is on disk */
	bool queued;              /* is in engine->changed */
	struct timer more;        /* armed: run_busy, it goes on in the next turn */
	struct timer later;       /* armed: something changed that nobody waits for */
	bool admitted;            /* counted among those that run */
	bool waits;               /* in the queue: it may leave memory */
	bool deleted;
	int64_t queued_at;        /* clock_monotonic_ns, while queued */
	enum phase phase_told;    /* what total_count has of it */
	enum phase phase_shown;   /* what engine_on_save's hook saw of it last ... */
	int64_t shown;            /* ... and when, ns */
	bool tagged;              /* its tags are queued or written: it was finished when it was saved last */
	int64_t finished;         /* when that was seen first, ns; 0: not yet */
};

/* A step that waits for room, and the save that its row goes with. */
struct waiting {
	const struct node *node;
	uint64_t save;
};

struct action {
	enum { ACTION_RELEASE, ACTION_KILL } kind;
	str node_id;              /* owned by the run */
	int64_t grace_seconds;
	str pod;                  /* in a save: of a step that is to be remembered as one to end, or forgotten as such */
};

struct waiter {
	void (*done)(void *arg);
	void *arg;
};

struct engine {
	struct loop *loop;
	struct store *store;
	struct objects *objects;
	struct executor *executor;
	const struct settings *settings;
	struct run_world world;
	struct regex *transient;  /* settings->transient_errors; NULL: none */
	struct map lives;         /* "ns/name" -> struct live */
	struct map keys;          /* idempotency key -> struct live, while it is in memory */
	int64_t next_id;
	struct link line;         /* lives with steps that wait for room */
	size_t waiting;           /* such steps */
	VEC(struct live *) changed; /* in this turn */
	struct map baselines;     /* "ns/kind/template" -> struct baseline, see baseline.c */
	struct link watches;
	void (*saving)(void *arg, const struct workflow_saving *w); /* NULL: nobody */
	void *saving_arg;
	struct arena *scratch;    /* of one stimulus */
	struct custom_metrics *metrics;
	struct grants *grants;    /* locks, and who waits to be told of them */
	struct agent *agent;      /* carries out http templates */
	struct admission *admission;
	struct map kills;         /* "ns/workflow/node id", owned: steps that are to be ended and have a row that says so */
	struct {
		struct timer timer;
		bool sweeping, again;
		struct sweep *sweep; /* that is being read */
	} expiry;
	struct {
		struct timer timer;
		struct round *round; /* under way */
		bool again;
	} collect;                /* artifacts that are to go */
	size_t tags_new;          /* workflows whose tags cannot be found yet, see archive_tags.c */
	struct sync_limits *sync_limits; /* of semaphores with a database key */
	struct cache *cache;      /* results of memoized templates */
	struct cron_clock *cron;  /* CronWorkflows */
	uint64_t saves, saves_before; /* so far; and when quiet.c looked last */
	struct timer quiet;       /* to look again, while there are any */
	bool closing;
};

struct archived;
struct save_job;

/* ---- live.c: runs in memory */
/* NULL: it is not in memory, or deleted. */
struct live *live_find(const struct engine *g, str ns, str name);
/* The run is its own from now on; nothing of it is written yet. `key`: copied; may be absent. */
struct live *live_new(struct engine *g, struct run *r, int64_t id, int64_t created, str key);
/* Takes a stored run into memory. */
struct live *live_read(struct engine *g, struct archived *x);
/* It leaves memory: it is to be saved no more, and nobody waits for its commits. */
void live_forget(struct live *l);
/* Gives the run a stimulus and queues what comes of it. */
void live_advance(struct live *l, const struct stimulus *s);
/* The same for a step's STIM_ROOM: writes only what changed. */
void live_room(struct live *l, const struct stimulus *s);
/*
 * The same for a step that has started, or says how far it is. That is news for those who look on, but decides nothing: after a crash the executor finds
 * it running all the same. So it is saved with whatever comes next, or a moment later, and a short step costs one commit and not two.
 */
void live_look_on(struct live *l, const struct stimulus *s);

/* ---- commit.c: what changed goes to disk */
/* Writes the run's rows at the end of this turn. */
void live_changed(struct live *l);
/* With what is written next of it, or a moment later. */
void live_changed_soon(struct live *l);
/* done(arg) runs after the commit of what was queued for this run in this turn. */
void live_wait(struct live *l, void (*done)(void *arg), void *arg);

/* ---- tasks.c: steps and requests, and those who carry them out */
/* Spawns the step's helper, which waits for the commit; or puts the step in line. */
void tasks_start(struct live *l, const struct effect *x);
/* The job is on disk: what it says is released, and killed. */
void tasks_carry_out(struct engine *g, const struct save_job *j);
/* The agent, whose news come here. */
struct agent *tasks_agent(struct engine *g);

/* ---- measure.c: metrics of the engine itself */
/* The seconds since clock_monotonic_ns said that. */
double measure_since(int64_t clock);
/* Counts the phase of the workflow if it is another than before. `settled`: the turn is over; before that, nobody has waited for long. */
void measure_phase(struct live *l, bool settled);
/* A step was lost, at `now` (ns); before the run is told. */
void measure_lost(const struct node *n, int64_t now);
/* Something to be removed later is about to be written. */
void measure_due(const struct due *d);

/* ---- watch.c */
/* Tells those who watch. */
void live_tell(struct engine *g, str ns, str name, bool finished, bool deleted);
void watches_free(struct engine *g);
/* It is about to be saved. Not 0: nobody was told, as it was told of a moment ago; again at that time. */
int64_t show_saving(struct live *l);
/* One that is not in memory is about to be removed. */
void show_removing(struct engine *g, int64_t id, str ns, str name);

/* ---- quiet.c */
/* Has malloc keep little of what was freed. For the whole process; the same again is fine. */
void quiet_prepare(void);
/* A save is done: gives memory back when there has been none for a moment. */
void quiet_awaited(struct engine *g);

/* ---- line.c */
void line_add(struct live *l, const struct node *n, uint64_t save);
/* Forgets the steps of a run that leaves memory. */
void line_leave(struct live *l);
/* So long that no further workflow need begin. */
bool line_is_long(const struct engine *g);
/* Starts what waits, as long as the executor has room. `engine` as an argument for callbacks. */
void line_serve(void *engine);

/* ---- collect.c: artifacts that are to go */
/* Which of the run's are, when it ends or is deleted before. */
void collect_note(struct save_job *j, const struct run *r);
int collect_write(sqlite3 *db, const struct save_job *j, struct err *e) MUST_CHECK;
/* The workflow's rows are being deleted. *keeps: what lies below its name on this machine stays. */
int collect_deleted(sqlite3 *db, int64_t id, bool *keeps, struct err *e) MUST_CHECK;
/* Whoever starts the daemon has put right what was wrong: everything is tried at once. */
void collect_start(struct engine *g);
void collect_soon(struct engine *g);
void collect_at(struct engine *g, int64_t at);
void collect_stop(struct engine *g);

/* ---- kill.c: steps that are to be ended */
/* Which of the save's actions it writes down. */
void kills_note(struct engine *g, struct save_job *j, const struct run *r);
int kills_write(sqlite3 *db, const struct save_job *j, struct err *e) MUST_CHECK;
/* The step has ended, or there is none. */
void kills_ended(struct engine *g, str ns, str workflow, str node_id);
/* After a restart, before files are removed and anything starts: what was not ended then is now. */
int kills_recover(struct engine *g, struct err *e) MUST_CHECK;
void kills_free(struct engine *g);

/* ---- grant.c: locks */
struct grants *grants_new(struct engine *g);
void grants_free(struct grants *t);
/* Before anybody starts: what this run holds, it holds. */
void grants_recover(struct live *l);
void grants_ask(struct live *l, const struct effect *x);
void grants_release(struct live *l, str node_id);
/* Nobody is let in between these two. */
void grants_close(struct engine *g);
void grants_open(struct engine *g);
/* Tells all who are to be told, until nobody is left. Not from within a stimulus. */
void grants_tell(struct engine *g);
/* Sets the gauges that tell how locks are used. */
void grants_measure(const struct grants *t);
/* Limits may have changed. */
void grants_refresh(struct engine *g);

/* ---- cron_clock.c: workflows that the clock starts */
struct cron_clock *cron_new(struct engine *g);
void cron_free(struct cron_clock *c);
void cron_apply(struct engine *g);
/* ---- cron_child.c: what is written of a CronWorkflow's workflows with them, and counted */
void cron_child_note(struct save_job *j, const struct run *r);
void cron_child_saving(struct engine *g, const struct save_job *j);
int cron_child_write(sqlite3 *db, const struct save_job *j, struct err *e) MUST_CHECK;
int cron_child_delete(sqlite3 *db, int64_t id, struct err *e) MUST_CHECK;
/* One that is not in memory is deleted. */
void cron_child_gone(struct engine *g, str ns, str name);

/* ---- cache.c: results that are used again */
struct cache *cache_new(struct engine *g);
void cache_free(struct cache *c); /* after the store has written what was queued */
int cache_find(void *engine, str ns, str name, str key, struct arena *a, struct memo_entry *out, struct err *e);
void cache_keep(struct live *l, const struct effect *x);

/* ---- sync_limits.c */
struct sync_limits *sync_limits_new(void);
void sync_limits_free(struct sync_limits *t);
int sync_limits_read(struct engine *g, struct err *e) MUST_CHECK;

/* ---- admission.c: which workflows run, and which wait */
struct open_row;
struct admission *admission_new(struct engine *g);
void admission_free(struct admission *t);
/* Whether it may run now, which counts it; else it is put in the queue, and STIM_START follows when its turn comes. */
bool admission_enter(struct live *l);
/* One that was read back for somebody: whether it is in the queue. */
void admission_found(struct live *l);
/* After a restart: it ran; it waited. */
void admission_recover(struct live *l);
void admission_recover_row(struct engine *g, const struct open_row *row);
/* It has ended. */
void admission_leave(struct live *l);
/* A workflow that is not in memory is deleted. */
void admission_forget(struct engine *g, str ns, str name);
/* Starts those whose turn it is. Not from within a stimulus. */
void admission_serve(struct engine *g);
bool admission_waits(const struct engine *g, str ns, str name);
size_t admission_waiting(const struct engine *g);

/* ---- archive.c: rows of the store */
/* What the save of one run in one turn writes. Owns its arena; made on the loop, used by the writer. */
struct save_job {
	struct arena *arena;
	struct live *live;        /* for the loop only */
	int64_t id, created, started, finished;
	str ns, name, uid, key, phase, spec, state; /* spec absent: unchanged */
	bool queued; /* it waits to be let run, by its priority */
	int64_t priority;
	bool insert, remove;
	bool ended;               /* it is finished, and was not when it was saved last */
	bool untag;               /* it goes on, or what it can be found by is written anew */
	struct tag_list tags;
	str cron;                 /* of a CronWorkflow, and this begins or ends it; else absent */
	struct due *dues;
	size_t dues_n;
	struct collect_row {
		str node, artifact, place;
		bool mark, held;
	} *collect;
	size_t collect_n;
	str collect_uid;
	bool keeps;               /* with remove, when it is written: its artifacts stay */
	struct node_row {
		int64_t order;
		str data;
	} *nodes;
	size_t nodes_n;
	int64_t now;              /* ns */
	struct action *actions;
	size_t actions_n;
	struct waiter *waiters;
	size_t waiters_n;
};
int archive_write(sqlite3 *db, void *save_job, struct err *e);
/* One stored workflow, rebuilt. `nodes` false: without them. ERR_NOT_FOUND. */
struct archived {
	int64_t id, created;
	str ns, name, phase;
	struct run *run;
	size_t nodes;
};
int archive_load(sqlite3 *db, str ns, str name, bool nodes, const struct run_world *w, struct archived *out, struct err *e) MUST_CHECK;
int archive_load_row(sqlite3 *db, int64_t id, bool nodes, const struct run_world *w, struct archived *out, struct err *e) MUST_CHECK;
/* The workflows that are not finished, in order of their ids; and the largest id there is. */
struct open_row {
	int64_t id, created;
	bool queued; /* it waits to be let run: the others below are set */
	int64_t priority;
	str ns, name;
};
int archive_open(sqlite3 *db, struct arena *a, struct open_row **rows, size_t *n, int64_t *largest, struct err *e) MUST_CHECK;
/* Ids of the workflows that wait to be let run, newest first, of a namespace (absent: of all), until row() is false. */
int archive_each_queued(sqlite3 *db, str ns, bool (*row)(void *arg, int64_t id), void *arg, struct err *e) MUST_CHECK;
/* 0 if there is none. */
int archive_find(sqlite3 *db, str ns, str name, int64_t *id, struct err *e) MUST_CHECK;
int archive_find_key(sqlite3 *db, str key, struct arena *a, str *ns, str *name, struct err *e) MUST_CHECK;
/* The newest of a namespace (absent: of all): 0 if there is none. */
int archive_latest(sqlite3 *db, str ns, int64_t *id, struct err *e) MUST_CHECK;
/* Removes a finished workflow's rows; expiry_files must follow, with what it says. */
int archive_delete(sqlite3 *db, int64_t id, str ns, str name, bool *keeps, struct err *e) MUST_CHECK;
/* A world in which nothing is found: for runs that are only shown. */
extern const struct run_world archive_no_world;

/* ---- transfers.c */
/* "loading artifact data: 312.0 MiB of 1.0 GiB from s3 minio:9000, box/key; attempt 2, since ..."; in `a`. */
str transfer_text(const struct transfer_view *v, struct arena *a);
/* The same in its parts: {direction, waits, artifact, place, bytes, total, attempt, reason}, as far as they are known. */
struct val transfer_val(const struct transfer_view *v, struct arena *a);

/* ---- uploads.c */
/* The manifest with these keys of artifacts of its arguments; they are in `a`. ERR_INVALID: there is no such artifact, or it has no key. */
int engine_with_artifacts(struct arena *a, const struct val *manifest, const struct run_world *w, const struct kvs *keys, const struct val **out,
	struct err *e) MUST_CHECK;

/* ---- world.c */
struct run_world engine_world(struct engine *g);

/* ---- baseline.c */
/* For struct run_world. */
const struct val *baseline_find(void *engine, const struct run *r);
/* A run has ended: if well, the next ones of its template are expected to take as long. */
void baseline_learn(struct engine *g, const struct run *r);
void baseline_free(struct engine *g);

/* ---- policy.c */
/* The manifest with the settings' workflowDefaults below it. */
const struct val *policy_defaults(const struct engine *g, struct arena *a, const struct val *manifest);
/* Whether workflowRestrictions allow it: ERR_DENIED. */
int policy_check(const struct engine *g, const struct val *manifest, struct err *e) MUST_CHECK;

/* ---- submit.c */
/*
 * As engine_submit, but of a manifest whose spec is already whole; used by resubmit. `memoized`: the run whose good results are taken
 * along; NULL if none are.
 */
int submit_manifest(struct engine *g, const struct val *manifest, const struct submit_options *o, const struct run *memoized, struct arena *a,
                    str *name, struct live **out, struct diags *d, struct err *e) MUST_CHECK;
/* What another run executed, once more (run_again): not validated anew, as the templates in force do not count. */
int submit_again(struct engine *g, const struct val *manifest, const struct submit_options *o, const struct val *saved, const struct val *state,
                 const struct val *frozen, struct arena *a, str *name, struct live **out, struct err *e) MUST_CHECK;

#endif
