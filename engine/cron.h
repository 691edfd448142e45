/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cron: CronWorkflows and the clock. Inside engine/ only.
 *
 *     cron_slots.c  when the schedules of one fire
 *     cron_state.c  its row, and the entries of those that are in force
 *     cron_clock.c  whose slot is due: one timer over a heap of all of them
 *     cron_fire.c   what a slot decides, and what it makes
 *     cron_child.c  which workflows are its own, what their ends count, how many stay
 *     cron_view.c   what is shown, and the verbs
 *
 * A slot is decided once. What it made and that it is decided are one transaction; so a slot that was decided before a
 * crash is not decided again, and one that was not is, when the daemon is back, by startingDeadlineSeconds. The cost of
 * a slot does not depend on how many CronWorkflows and workflows there are.
 */
#ifndef TIDEGATE_ENGINE_CRON_H
#define TIDEGATE_ENGINE_CRON_H

#include "core/cron.h"
#include "core/heap.h"
#include "engine/run/evaluate.h"
#include "engine/shell.h"
#include "engine/spec/spec.h"

#define CRON_LABEL "workflows.argoproj.io/cron-workflow"
#define CRON_BACKFILL_LABEL "workflows.argoproj.io/cron-workflow-backfill"
#define CRON_SCHEDULED "workflows.argoproj.io/scheduled-time"

/* ---- cron_slots.c -------------------------------------------------------------------------------------------- */

/* All schedules of one CronWorkflow. */
struct slots {
	struct cron *list;
	size_t n;
	const struct tz *zone;
	int64_t anchor; /* ns: @every counts from here */
};
/* In `a`. The zones are read here; ERR_INVALID, ERR_NOT_FOUND for one that the system does not have any more. */
int slots_read(const struct object *cron, int64_t anchor, struct arena *a, struct slots *out, struct err *e) MUST_CHECK;
/* The zone that the schedules are in: their own, if all have the same one. Lives as long as they. */
const struct tz *slots_zone(const struct slots *s);
/* The first slot after that instant; INT64_MAX: none within nine years. */
int64_t slots_next(const struct slots *s, int64_t after);
/* The last slot at or before that instant; INT64_MIN: none. */
int64_t slots_last(const struct slots *s, int64_t until);
/* The schedules with their zone, as the annotation cronworkflows.argoproj.io/last-used-schedule has them. */
str slots_text(const struct cron_workflow_spec *s, struct arena *a);

/* ---- cron_state.c -------------------------------------------------------------------------------------------- */

/* What is known of one beside its manifest; times in seconds. Texts are owned. */
struct cron_row {
	int64_t created;
	int64_t since;     /* when these schedules came into force: no slot before it is missed */
	int64_t decided;   /* slots up to here are decided */
	int64_t scheduled; /* slot of the last workflow; 0: there was none */
	int64_t succeeded, failed;
	str schedules; /* that `since` is about (slots_text) */
	bool held;     /* suspended, by the manifest or by a verb */
	bool stopped;
	str stop;                                          /* the expression that stopped it */
	enum { HOLD_BY_MANIFEST, HOLD_YES, HOLD_NO } hold; /* what a verb said ... */
	bool hold_suspend;                                 /* ... when the manifest's suspend was this */
	str spec_error, submission_error;                  /* the conditions; absent: none */
	int64_t noted;                                     /* the slot that `note` is about; 0: none */
	str note;                                          /* why it started nothing; absent: it did */
};

struct cron_clock;
struct cron_entry {
	struct cron_clock *clock;
	str key, ns, name;     /* key: "ns/name", owned as ns is; name is its end. All of them end with a NUL */
	struct object *object; /* in force; NULL: there are only workflows of it */
	struct arena *arena;   /* of the slots */
	struct slots slots;
	bool readable; /* the slots are */
	struct cron_row row;
	bool kept;            /* there is a row */
	bool seen;            /* while objects are compared */
	struct heap_node due; /* in clock->due */
	int64_t next;         /* ns, while it is there */
	struct link active;   /* struct cron_active: its workflows that have not ended, oldest first */
	bool trim;            /* in clock->trim: more have ended than are to be kept, perhaps */
};
struct cron_active {
	struct link link;
	struct cron_entry *entry;
	str key, name, uid; /* key: "ns/name", owned as uid is */
};
struct cron_clock {
	struct engine *engine;
	struct map entries; /* "ns/name" -> struct cron_entry */
	struct map active;  /* "ns/workflow" -> struct cron_active */
	struct heap due;
	struct timer timer;
	int64_t started; /* ns: since then slots are decided; 0: not yet, nothing is */
	VEC(struct cron_entry *) trim;
	bool trimming;
	struct trimming *reading;
	struct evaluator *expressions;
};

static inline const struct cron_workflow_spec *
cron_spec(const struct cron_entry *x)
{
	return &((const struct cron_workflow *)x->object->spec)->spec;
}
/* NULL: none. */
struct cron_entry *cron_find(const struct engine *g, str ns, str name);
struct cron_entry *cron_get(struct engine *g, str ns, str name);
/* Forgets one without object and workflows. */
void cron_put_back(struct cron_entry *x);
/* Replaces a text of a row. */
void cron_set(str *text, str to);
/* Writes the row, but for the counters, in this turn's transaction; `failures` are added to row.failed. */
void cron_write(struct cron_entry *x, int64_t failures);
/* The object is not in force any more: its row goes. */
void cron_drop(struct cron_entry *x);
/* On the calling thread: all rows, and the workflows that have not ended. */
int cron_read(struct engine *g, struct err *e) MUST_CHECK;

/* ---- cron_clock.c -------------------------------------------------------------------------------------------- */

/* It waits for its next slot anew: something of it has changed. */
void cron_rearm(struct cron_entry *x);
/* Suspends it or lets it go on, whatever the manifest says. */
void cron_hold(struct cron_entry *x, bool on);
/* ---- schedule.c ---------------------------------------------------------------------------------------------- */

/* Why it will start nothing; absent: it will. In `a`. */
str cron_held_text(const struct cron_entry *x, struct arena *a);

/* ---- cron_fire.c --------------------------------------------------------------------------------------------- */

/* Decides the last slot at or before `now`, of those that are not decided; there is one. */
void cron_decide(struct cron_entry *x, int64_t now);
/* Stops it for good if stopStrategy says so. -1: the expression cannot be evaluated. */
int cron_check_stop(struct cron_entry *x, struct err *e) MUST_CHECK;

/* ---- cron_child.c -------------------------------------------------------------------------------------------- */

void cron_active_add(struct cron_entry *x, str name, str uid);
void cron_active_free(struct cron_active *c);
/* How many of its finished workflows stay may have changed. */
void cron_trim(struct cron_entry *x);
void cron_trim_stop(struct cron_clock *c);

#endif
