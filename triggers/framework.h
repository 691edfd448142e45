/* SPDX-License-Identifier: Apache-2.0 */
/*
 * framework: what the files of the trigger framework share; nobody else includes it.
 *
 *     trigger.c    the set of triggers; what the sensors and the kinds call
 *     attempt.c    one attempt: parameters applied, the kind called, what its end means
 *     turn.c       whose turn it is: window, rate limit, pauses, events read back
 *     pages.c      firings that are on disk alone: how they get there, and come back in pages
 *     gather.c     batch and debounce
 *     dead.c       dead letters: how many, tried again, dropped
 *     status.c     what a trigger and a firing wait for
 *     firing_jobs.c firing_rows.c dead_rows.c    rows: what is written when, and how it lies there
 */
#ifndef TIDEGATE_TRIGGERS_FRAMEWORK_H
#define TIDEGATE_TRIGGERS_FRAMEWORK_H

#include "core/map.h"
#include "triggers/dead.h"
#include "triggers/firing.h"

enum {
	KEEP_EVENTS = 256, /* firings per trigger whose events stay in memory while they wait */
	QUEUE_MAX = 4096,  /* firings in a trigger's queue in memory; more are on disk alone and read when there is room again */
	QUEUE_LOW = QUEUE_MAX / 2,
	WAITING_MAX = 1024, /* firings of a trigger that wait beside the queue in memory; more are on disk alone until they are due */
	WAITING_PAGE = 256,
	ENDED_MAX = 1024,   /* firings of a trigger that have ended and whose end is not on disk: then no more begin */
	BESIDE_MAX = 1000, /* firings per trigger that began in the turn of their event and have not ended, beside those of the window */
	/* beyond these a gathering firing closes before its time */
	GATHER_EVENTS_MAX = 10000,
	GATHER_BYTES_MAX = 16 << 20,
};

struct triggers {
	const struct trigger_env *env;
	void (*report)(void *arg, const struct trigger_def *def, const struct firing_outcome *o);
	void *arg;
	struct map by_name; /* "ns/sensor/name" -> struct trigger */
	struct map known;   /* id -> struct firing: those in memory that have a row, until what became of that is on disk */
	struct map dead;    /* the same -> how many dead letters there are (dead.c) */
	bool (*again)(void *arg, const struct dead_again *x); /* who takes events of dead letters again; may be NULL */
	void *again_arg;
	unsigned jobs;      /* about dead letters, under way */
	bool closed;        /* freed, waits for them */
};

/* Before what firing_mark wrote, at the end of a marked row's reason; not within it. */
#define FIRING_WAITS "waits for "

/* What batch or debounce have gathered so far. */
struct open_firing {
	struct firing *firing; /* NULL: nothing; in none of the lists */
	int64_t occasions, events, bytes;
	struct timer timer;
};

/* What every kind has below its key, as parameters of the template left it (attempt.c). */
struct body_lists;

/*
 * Firings of the queue that are on disk alone. Every pending row up to `last` is in memory or set aside; those behind are read in pages
 * when the queue has room.
 */
struct beyond {
	size_t n;         /* so many, about; 0 only if there are none */
	int64_t last;     /* seq */
	int64_t low;      /* while a page is read: from here on its rows are not in order with what came meanwhile */
	unsigned spills;  /* how often one was left there: to know whether one came while a page was read */
	bool reading;
};

/* Firings that wait beside the queue on disk alone, each until its next_ns. */
struct aside {
	size_t n;
	int64_t generation; /* what marks their rows: of an earlier life of the trigger they have another mark, and count as queued */
	int64_t due_ns;     /* when the first of them is; INT64_MAX: none known of */
	int64_t bound_ns;   /* pages were read of those due until then */
	int64_t after_ns, after_seq; /* next_ns and seq of the last one that was read */
	bool reading;
	struct timer timer;
};

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
	struct link ended;   /* that it has ended is not on disk yet */
	struct open_firing open;
	size_t queued, waits, in_window, ends; /* in queue, waiting, the window, ended */
	size_t beside; /* firings that began in the turn of their event and have not ended */
	struct beyond beyond;
	struct aside aside;
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
	unsigned attempt; /* of the one that runs, or ran last; from 1 */
	int64_t next_ns, created_ns;
	bool stored;      /* it has a row */
	bool holds_slot;
	bool holds_up;    /* failed: those behind it wait, too */
	bool set_aside;   /* failed: its row is marked as set aside */
	bool buried;      /* a dead letter */
	bool beside;      /* counted in its trigger's */
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
/* A firing of a pending row; NULL if it is in memory already. */
struct firing *firing_of_row(struct trigger *t, const struct firing_row *r);
/* The rows of the queue as they lie on disk, one by one: each goes where it belongs. */
void firing_resume(void *arg, const struct firing_row *r);
/* The firing has a row from now on. */
void firing_know(struct firing *f);

/* ---- attempt.c --------------------------------------------------------------------------------------------------- */

/* The events are in memory; takes it to `running`. */
void firing_attempt(struct firing *f);
/* Whether the first attempt is made in the turn of the event: the kind works inside, and what it works with is here. */
bool attempt_is_inside(const struct trigger_def *d);

/* ---- turn.c ------------------------------------------------------------------------------------------------------ */

/* Into the queue at its place in the order of firing, or left on disk alone; what is far down does not keep its events. */
void turn_add(struct firing *f);
/* Takes from the head of the queue while the window has room and time has come. */
void turn_pump(struct trigger *t);
/* The same in the next turn. */
void turn_pump_soon(struct trigger *t);
/* The firing is out of the window. */
void turn_leave(struct firing *f);
/* Before the row of a failed firing is written: whether it holds the others up, and where it waits for f->next_ns. */
void turn_plan_retry(struct firing *f, bool holds_up);
/* A row is on disk. The firing may have its turn; it failed, and waits; it has ended. */
void turn_enter(struct firing *f);
void turn_return(struct firing *f);
void turn_end(struct firing *f);
/* Whether a firing could be tried now, before everything else. */
bool turn_is_open(const struct trigger *t);
/* When rateLimit lets the next firing leave; now or before, if it may at once. */
int64_t turn_rate_slot(const struct trigger *t, int64_t now);
/* It is tried now: rateLimit counts it. */
void turn_count(struct trigger *t);
/* What waits is forgotten here; it is on disk. */
void turn_forget(struct trigger *t);

/* ---- pages.c ------------------------------------------------------------------------------------------------------- */

/* Whether a firing with a row of that seq stays on disk alone, because the queue is full or others are there before it. */
bool beyond_takes(struct trigger *t, int64_t seq);
/* The last of a queue that is too long goes back to where it is only on disk. */
void beyond_push(struct trigger *t);
/* A failed firing, set aside, whose row is on disk. False: it is to wait in memory. */
bool aside_takes(struct firing *f);
/* Reads what there is room for, if there is. */
void pages_read(struct trigger *t);
void pages_forget(struct trigger *t);
/* A page is being read. */
bool pages_busy(const struct trigger *t);

/* ---- firing_jobs.c ------------------------------------------------------------------------------------------------- */

/* The firing is new; once that is on disk it goes into the queue. */
void firing_insert(struct firing *f);
/* The attempt failed, and there will be another: turn_return once that is on disk. The row comes into being if the attempt was within the turn of the event. */
void firing_retry(struct firing *f, str reason);
/* It was handed to the trigger where it is now; then it goes into the queue. */
void firing_hand_over(struct firing *f, str reason);
/* It is in the queue again, with its row as one of that. */
void firing_requeue(struct firing *f);
/* It is a dead letter now; it has ended well, and its row goes. Either way nothing is left of it in memory once that is on disk. */
void firing_bury(struct firing *f, str reason);
void firing_delete(struct firing *f);
/* The attempt goes on, and the next daemon makes it again or, if the row is marked, goes on with it. */
void firing_keep_open(struct firing *f, bool marked, str reason);
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

/* ---- status.c ------------------------------------------------------------------------------------------------------ */

/* Why a firing of now is not tried at once; absent: it is. Before it is in the queue. In `a`. */
str trigger_held(const struct trigger *t, struct arena *a);

/* ---- dead.c -------------------------------------------------------------------------------------------------------- */

void dead_open(struct triggers *ts);
void dead_close(struct triggers *ts);
/* There is one more of the trigger. How many may stay, if it is time to make room; else 0. */
int64_t dead_count(struct triggers *ts, str ns, str sensor, str trigger);

#endif
