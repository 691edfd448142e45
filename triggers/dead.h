/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dead: dead letters. What cannot be processed is kept, with its events and the reason: a firing that was given up, and an event that
 * a filter, a transform or a trigger's manifest stopped. They are rows of the table of firings in the state 'dead'.
 */
#ifndef TIDEGATE_TRIGGERS_DEAD_H
#define TIDEGATE_TRIGGERS_DEAD_H

#include "triggers/firing.h"

enum { DEAD_KEEP = 10000 /* letters kept per trigger, if the settings say nothing */, DEAD_PAGE = 100 /* tried again at a time */ };

/*
 * An event that became no firing: of the dependency alone (trigger empty), or at a trigger that cannot run. Takes references. Within the
 * event's turn, and so in its transaction.
 */
void dead_letter_keep(struct triggers *ts, str ns, str sensor, str trigger, const struct inputs *in, str reason);
/* Such an event, to be tried once more. */
struct dead_again {
	str id, ns, sensor, trigger, dependency;
	struct event *ev;
};
/*
 * Who takes such events again. He calls dead_letter_taken in the turn that decides about the event, before anything else of it: then the
 * letter is gone in the same transaction, and comes back if the event is stopped again. False: there is no such sensor, dependency
 * or trigger now, and the letter stays.
 */
void dead_letters_on_again(struct triggers *ts, bool (*again)(void *arg, const struct dead_again *x), void *arg);
void dead_letter_taken(struct triggers *ts, str id);

/* Which letters: absent and zero members choose all. */
struct dead_choice {
	str id, ns, sensor, trigger;
	str reason;                 /* a part of it */
	int64_t since_ns, before_ns; /* when it fired, or was stopped */
	int64_t after, until;       /* seq of letters: to go on with */
	size_t limit;
};
/*
 * For a store_fn: a list of {seq, id, namespace, sensor, trigger, attempts, time, reason, events: [{dependency, id, source, subject, time,
 * size}]}, oldest first; with `data` each event has its data, too. No trigger: the event did not get past its dependency.
 */
int dead_letters_read(sqlite3 *db, const struct dead_choice *c, bool data, struct arena *a, struct val *out, struct err *e);

/* For a store_fn: the dead letter of the trigger (empty: of the dependency alone) that has the event; absent: there is none. In `a`. */
int dead_letter_of(sqlite3 *db, str ns, str sensor, str trigger, str event, struct arena *a, str *id, struct err *e);

struct dead_done {
	size_t n;       /* dropped, or on their way again */
	size_t skipped; /* whose sensor or trigger there is not now */
	int64_t last;   /* seq of the last one looked at; 0: there was none */
	int64_t newest; /* seq of the newest of all: what comes behind it came meanwhile */
};
/* Tries at most DEAD_PAGE letters again, from their first attempt on. `done` runs when that is on disk. The choice is copied. */
void dead_letters_retry(struct triggers *ts, const struct dead_choice *c, void (*done)(void *arg, const struct dead_done *d, const struct err *e), void *arg);
void dead_letters_drop(struct triggers *ts, const struct dead_choice *c, void (*done)(void *arg, const struct dead_done *d, const struct err *e), void *arg);

#endif
