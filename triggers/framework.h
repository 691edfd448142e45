/* SPDX-License-Identifier: Apache-2.0 */
/*
 * framework: what the files of the trigger framework share; nobody else includes it.
 *
 *     trigger.c    the set of triggers; what the sensors and the kinds call
 *     attempt.c    one attempt: parameters applied, the kind called, what its end means
 *     turn.c       whose turn it is: window, rate limit, pauses, events read back
 *     gather.c     batch and debounce
 *     dead.c       dead letters: how many, tried again, dropped
 *     firing_jobs.c firing_rows.c dead_rows.c    rows: what is written when, and how it lies there
 */
#ifndef TIDEGATE_TRIGGERS_FRAMEWORK_H
#define TIDEGATE_TRIGGERS_FRAMEWORK_H

#include "core/map.h"
#include "triggers/dead.h"
#include "triggers/firing.h"

enum {
	KEEP_EVENTS = 256, /* firings per trigger whose events stay in memory while they wait */
	QUEUE_MAX = 4096,  /* new firings per trigger in memory; more are on disk alone and read when there is room again */
	QUEUE_LOW = QUEUE_MAX / 2,
	/* beyond these a gathering firing closes before its time */
	GATHER_EVENTS_MAX = 10000,
	GATHER_BYTES_MAX = 16 << 20,
};

struct triggers {
	const struct trigger_env *env;
	void (*report)(void *arg, const struct trigger_def *def, const struct firing_outcome *o);
	void *arg;
	struct map by_name; /* "ns/sensor/name" -> struct trigger */
	struct map dead;    /* the same -> how many dead letters there are (dead.c) */
	bool (*again)(void *arg, const struct dead_again *x); /* who takes events of dead letters again; may be NULL */
	void *again_arg;
	unsigned jobs;      /* about dead letters, under way */
	bool closed;        /* freed, waits for them */
};

/* Before what firing_mark wrote, at the end of a row's reason. */
#define FIRING_WAITS "waits for "

/* What batch or debounce have gathered so far. */
struct open_firing {
	struct firing *firing; /* NULL: nothing; in none of the lists */
	int64_t occasions, events, bytes;
	struct timer timer;
};

/* What every kind has below its key, as parameters of the template left it (attempt.c). */
struct body_lists;

struct memory {
	struct memory *next;
	const struct trigger_ops *kind;
	void *p;
};

struct trigger {
	struct triggers *ts; /* NULL: freed, waits for what runs */
	str key;
	struct trigger_def def;
	struct object *owner;
	struct trigger *dlq; /* where a firing goes that is given up; NULL: to the dead letters */
	struct link queue;   /* on disk, in order; the head may have to wait for its time */
	struct link waiting; /* between two attempts, beside the queue */
	struct link running; /* in an attempt, or being read back */
	struct link unwritten; /* a row that it depends on is under way */
	struct open_firing open;
	size_t queued, in_window;
	int64_t last, newest; /* with some beyond: seq of the last row before them, and of the last of them */
	size_t beyond;       /* firings that are on disk alone */
	unsigned spills;     /* how often one was left there: to know whether one came while a page was read */
	bool reading;        /* a page of them */
	int64_t rate_next_ns; /* when rateLimit lets the next one through; 0: it let none through yet */
	struct timer timer;  /* the head of the queue waits for its time */
	struct memory *memory; /* what kinds remember of it; another kind by a new manifest has another */
	bool retired, pumping;
	bool away;           /* the target could not be reached: one at a time until it can */
};

struct firing {
	struct link link;
	struct trigger *t;
	char id[33];
	int64_t order;    /* of firing: seq of its row, 0 while it has none */
	bool fresh;       /* it was never in the queue */
	unsigned attempt; /* of the one that runs, or ran last; from 1 */
	int64_t next_ns, created_ns;
	bool stored;      /* it has a row */
	bool holds_slot;
	struct timer timer;
	struct arena *arena; /* of the events' bookkeeping */
	size_t n;            /* events; 0: not in memory */
	str *dependencies;
	struct event **events;
	char *mark;          /* what the attempt of a daemon that ended waited for */
	char *given_up;      /* at a dlqTrigger: why the trigger before it gave it up */
	/* the attempt */
	struct arena *work;
	struct object *owner;
	const struct val *spec, *source, *allow;
	struct body_lists *lists;
	void *config;
	void (*on_over)(void *arg); /* ends what it waits for inside; NULL: it waits for nobody */
	void *on_over_arg;
	const struct policy_labels *policy;
	str payload;
	int64_t not_before_ns; /* the target's own word on when to ask again; 0: none */
	bool alone;            /* its failure says nothing about those behind it */
	bool busy;           /* between fire and firing_done */
	struct firing_outcome *sync; /* the caller of trigger_fire waits for it */
	struct arena *sync_arena;
};

/* ---- trigger.c --------------------------------------------------------------------------------------------------- */

/* Also out of whatever list it is in. */
void firing_free(struct firing *f);
void firing_drop_events(struct firing *f);
/* The attempt's own memory. */
void firing_end_work(struct firing *f);
void trigger_free_if_idle(struct trigger *t);
void triggers_free_if_idle(struct triggers *ts);
void firing_make_id(const struct trigger_def *def, const struct inputs *in, char out[33]);
/* A dead letter is a firing again, from its first attempt on. False: the trigger does not run now, or has it already. */
bool trigger_take_back(struct trigger *t, str id, int64_t seq, int64_t created_ns);
/* For firing_rows_pending: the row goes where it belongs, unless it is in memory already. */
void firing_resume(void *arg, const struct firing_row *r);

/* ---- attempt.c --------------------------------------------------------------------------------------------------- */

/* The events are in memory; takes it to `running`. */
void firing_attempt(struct firing *f);
/* Whether the first attempt is made in the turn of the event: the kind works inside, and what it works with is here. */
bool attempt_is_inside(const struct trigger_def *d);

/* ---- turn.c ------------------------------------------------------------------------------------------------------ */

/* Into the queue at its place in the order of firing; what is far down does not keep its events. */
void turn_add(struct firing *f);
/* Takes from the head of the queue while the window has room and time has come. */
void turn_pump(struct trigger *t);
/* A firing whose insertion is on disk: into the queue, or left on disk alone. */
void turn_add_new(struct firing *f);
/* The same in the next turn. */
void turn_pump_soon(struct trigger *t);
/* The firing is out of the window. */
void turn_leave(struct firing *f);
/* The firing waits until f->next_ns, beside the queue: others go on. */
void turn_wait_beside(struct firing *f);
/* Whether a firing could be tried now, before everything else. */
bool turn_is_open(const struct trigger *t);
/* It is tried now: rateLimit counts it. */
void turn_count(struct trigger *t);
/* What waits is forgotten here; it is on disk. */
void turn_forget(struct trigger *t);

/* ---- firing_jobs.c ------------------------------------------------------------------------------------------------- */

/* The firing is new; once that is on disk it goes into the queue. */
void firing_insert(struct firing *f);
/* What became of the attempt. The row comes into being if the attempt was within the turn of the event. */
void firing_keep(struct firing *f, bool dead, str reason);
/* The same for a firing that was handed to the trigger where it is now; then it goes into the queue. */
void firing_hand_over(struct firing *f, str reason);
void firing_delete(struct firing *f);
/* The attempt is as it was, and waits: so the next daemon counts it once. */
void firing_keep_mark(struct firing *f, str reason);
void rate_save(struct trigger *t);
/* A dead letter that never was a firing. */
void firing_insert_dead(struct triggers *ts, const struct trigger_def *def, const struct inputs *in, str reason);
void firing_delete_row(struct triggers *ts, str id);

/* batch and debounce: the row of a firing that gathers; more events for it, from that place on; it goes into the queue once that is on disk. */
void firing_insert_open(struct firing *f);
void firing_append(struct firing *f, const struct inputs *in, int64_t place, int64_t occasions);
void firing_close(struct firing *f);

/* ---- gather.c ------------------------------------------------------------------------------------------------------ */

bool gather_is_on(const struct gather_rule *g);
/* Takes the firing over; in `a` the id of the one that its events are in now. */
void gather(struct firing *f, const struct inputs *in, struct arena *a, struct firing_outcome *out);
/* A row of before a restart that was still open. */
void gather_resume(struct firing *f, const struct firing_row *r);
void gather_close(struct trigger *t);
void gather_forget(struct trigger *t);

/* ---- dead.c -------------------------------------------------------------------------------------------------------- */

void dead_open(struct triggers *ts);
void dead_close(struct triggers *ts);
/* There is one more of the trigger. How many may stay, if it is time to make room; else 0. */
int64_t dead_count(struct triggers *ts, str ns, str sensor, str trigger);

#endif
