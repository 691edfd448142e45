/* SPDX-License-Identifier: Apache-2.0 */
/*
 * firing: the sensors' side of the trigger framework. A sensor defines its triggers and fires them; from then on the firing
 * is the framework's: it is a row of the store before anything leaves, it is tried until it has succeeded or its retries
 * are used up, and then it is a dead letter with its events and its reason. Nothing is dropped.
 *
 * A kind that works inside (trigger_ops.inside) is tried in the very turn of the event, so that its effect and the event are
 * one transaction, unless rateLimit or earlier firings make it wait. All others are tried after the commit, in order of firing: one
 * at a time if the trigger says atLeastOnce, else up to FIRING_WINDOW at once. Firings that a stopped daemon left are taken up when
 * their trigger is defined again.
 *
 * Retries always apply (Argo: only with atLeastOnce). retryStrategy.steps is the number of attempts. Without a retryStrategy: while the
 * target cannot be reached, for a day, 1 s, 2 s, ... 60 s apart; five attempts for other errors that may pass; one for those that
 * cannot (a parameter without a value, an HTTP 4xx). While the target cannot be reached, one firing at a time is tried (turn.c).
 */
#ifndef TIDEGATE_TRIGGERS_FIRING_H
#define TIDEGATE_TRIGGERS_FIRING_H

#include "core/store.h"
#include "triggers/apply.h"
#include "triggers/trigger.h"

struct triggers;
struct trigger;

enum { FIRING_WINDOW = 16 };

/* policy.k8s: the labels that the object must get before the firing has succeeded. */
struct policy_labels {
	struct kvs labels;
	struct backoff *backoff; /* NULL: five looks, a second apart */
	bool error_on_timeout;
	const struct val *src;
};

/* batch (size and within) or debounce (quiet, most and last); all 0: every occasion is a firing of its own. */
struct gather_rule {
	int64_t size, within_ns;
	int64_t quiet_ns, most_ns; /* most 0: as long as there is no quiet */
	bool last;                 /* only the last occasion counts */
};

/* A trigger as its manifest has it. What it points to belongs to the owner object. */
struct trigger_def {
	str ns, sensor, name;
	const struct trigger_ops *kind;
	const struct val *template;                /* {name, http: {...}}: parameters may change anything below the kind's key */
	const struct trigger_parameter *parameters;
	size_t parameters_n;
	const struct backoff *retry;               /* NULL: the default */
	const struct val *allow;                   /* policy.status.allow; NULL: none */
	const struct policy_labels *labels;        /* policy.k8s; NULL: none */
	bool serial;                               /* atLeastOnce */
	int64_t rate_every_ns;                     /* rateLimit: time from one firing to the next; 0: none */
	struct gather_rule gather;
	bool many;                                 /* parameters see lists of events (struct inputs) */
	const struct trigger_def *dlq;             /* dlqTrigger; NULL: none. Need not outlive trigger_define */
	bool is_dlq;                               /* it is one itself: its firings were given up by another trigger */
};
/* The name of a trigger's dlqTrigger: the trigger's name with this behind it. */
#define FIRING_DLQ_NAME "/dlqTrigger"
#define FIRING_DLQ_REASON "; its dlqTrigger: " /* between two reasons */

enum firing_verdict {
	FIRING_PENDING,
	FIRING_FIRED,
	FIRING_FAILED,  /* will be tried again */
	FIRING_DEAD,
	FIRING_HANDED,  /* given up, and on its way to the dlqTrigger */
	FIRING_HANDLED, /* given up, and the dlqTrigger fired */
	FIRING_SUPERSEDED, /* a later one took its place: debounce */
};
struct firing_outcome {
	enum firing_verdict verdict;
	str id;                   /* of the firing */
	str reason;               /* FAILED, DEAD, HANDED, HANDLED: what went wrong */
	const struct val *result; /* FIRED, HANDLED: what the kind tells; may be NULL */
	unsigned attempt;
	str held;                 /* PENDING, from trigger_fire: why it is not tried at once; may be absent */
};

/* `report` is called for what becomes of a firing after trigger_fire returned; `o` is valid during the call. */
struct triggers *triggers_new(const struct trigger_env *env, void (*report)(void *arg, const struct trigger_def *def, const struct firing_outcome *o),
                              void *arg);
/* What is running ends without a trace in memory; its rows stay pending. NULL is fine. */
void triggers_free(struct triggers *ts);

/*
 * Defines the trigger, or redefines the one of the same namespace, sensor and name: what waits goes on under the new
 * definition. Keeps a reference to `owner`. Reads pending firings from the store on the calling thread: for start-up and reloads.
 */
int trigger_define(struct triggers *ts, const struct trigger_def *def, struct object *owner, struct trigger **out, struct err *e) MUST_CHECK;
/* The trigger (with its dlqTrigger) is gone from its manifest. Its pending firings stay in the store, until it is defined again. */
void trigger_retire(struct trigger *t);
/* Takes references to the events. The outcome is PENDING for kinds that work outside; its texts are in `a`. */
void trigger_fire(struct trigger *t, const struct inputs *in, struct arena *a, struct firing_outcome *out);
/* How many are being written, read back or tried. 0: nothing goes on before time passes. */
size_t triggers_under_way(const struct triggers *ts);
/* Firings that have not ended; dead letters are not among them. */
size_t trigger_pending(const struct trigger *t);
/* Firings in memory, of all triggers, for tests: however many are pending, there is a limit to it. */
size_t triggers_in_memory(const struct triggers *ts);
/*
 * What it waits for: {pending, away, full, rateLimitUntil, gathering: {id, occasions, events, fires}, head: {id, attempts, next}}; what is not
 * so is absent. `full`: so many wait for what they have made that no more begin. `head` is the first that has not ended. In `a`.
 */
struct val trigger_shown(const struct trigger *t, struct arena *a);

/* ---- for the kinds, beside what trigger.h has ------------------------------------------------------------------- */

const struct val *firing_allow(const struct firing *f); /* policy.status.allow, or NULL */
const struct policy_labels *firing_policy(const struct firing *f); /* policy.k8s, or NULL */
unsigned firing_attempt_number(const struct firing *f); /* from 1 */
/*
 * What the attempt does is done, and it only waits for `text` to come about (policy.k8s). It is written down in this turn: should the daemon end
 * meanwhile, the next calls ops->resume with the text instead of trying again.
 */
void firing_mark(struct firing *f, str text);
/* While the attempt waits for something inside: fn(arg) is called when the daemon ends, and must call firing_done. fn NULL: no more. */
void firing_on_over(struct firing *f, void (*fn)(void *arg), void *arg);
/* The inputs of the attempt, to resolve what the framework does not know of (dynamicHeaders). */
struct inputs firing_inputs(const struct firing *f);
/* Before firing_done with an error: the target's own word on when to ask again (Retry-After). An hour is the most. */
void firing_not_before(struct firing *f, int64_t at_ns);
/*
 * Before firing_done with ERR_UNAVAILABLE: the target is there, and only this firing failed; those behind it need not wait. Else
 * ERR_UNAVAILABLE means that the target cannot be reached.
 */
void firing_alone(struct firing *f);

/* ---- rows (firing_rows.c), for store_fn --------------------------------------------------------------------------- */

#define FIRING_SCHEMA_SQL \
	"CREATE TABLE firing (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, ns TEXT NOT NULL, sensor TEXT NOT NULL," \
	" trigger TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('pending', 'dead')), attempt INTEGER NOT NULL," \
	" next_ns INTEGER NOT NULL, created_ns INTEGER NOT NULL, reason TEXT) STRICT;" \
	"CREATE INDEX firing_trigger ON firing (ns, sensor, trigger, state, seq);" \
	"CREATE TABLE firing_event (firing TEXT NOT NULL, place INTEGER NOT NULL, dependency TEXT NOT NULL, attributes TEXT NOT NULL," \
	" data BLOB NOT NULL, PRIMARY KEY (firing, place)) STRICT, WITHOUT ROWID;"

/* A later step of the store's history. */
#define FIRING_RATE_SCHEMA_SQL \
	"CREATE TABLE firing_rate (ns TEXT NOT NULL, sensor TEXT NOT NULL, trigger TEXT NOT NULL, next_ns INTEGER NOT NULL," \
	" PRIMARY KEY (ns, sensor, trigger)) STRICT, WITHOUT ROWID;"
/* The step behind it. Above 0 the firing is open: so many occasions are in it, and next_ns is when it closes. */
#define FIRING_GATHER_SCHEMA_SQL "ALTER TABLE firing ADD COLUMN gathered INTEGER NOT NULL DEFAULT 0;"
extern const char firing_gather_sql[];
/* A firing that waits beside the queue on disk alone: `aside` is above 0, and says since which life of its trigger. */
#define FIRING_ASIDE_SCHEMA_SQL \
	"ALTER TABLE firing ADD COLUMN aside INTEGER NOT NULL DEFAULT 0;" \
	"CREATE INDEX firing_aside ON firing (ns, sensor, trigger, aside, next_ns, seq) WHERE aside > 0;"
extern const char firing_aside_sql[];
extern const char firing_schema_sql[];

enum { FIRING_MARKED = -1 /* in place of what is gathered: done, but for what the reason says that it waits for */ };

struct firing_row {
	char id[33];
	int64_t seq;        /* set by firing_row_insert; 0: the id was there already */
	unsigned attempt;
	int64_t next_ns, created_ns;
	str ns, sensor, trigger;
	bool dead;
	int64_t gathered;   /* above 0: open; FIRING_MARKED */
	int64_t aside;      /* above 0: set aside */
	size_t first_place; /* of the events; of a row that was read: how many there are */
	int64_t bytes;      /* of a row that was read: of their data */
	int64_t dead_keep; /* not 0: it is time to drop the oldest dead letters of the trigger beyond so many */
	str reason;
	size_t n;
	const str *dependencies;
	struct event *const *events;
};
int firing_row_insert(sqlite3 *db, struct firing_row *r, struct err *e);
int firing_row_delete(sqlite3 *db, const char *id, struct err *e);
/* The new trigger, attempt, time and reason; see dead_keep. */
int firing_row_update(sqlite3 *db, struct firing_row *r, struct err *e);
/* More events for a firing that is open. */
int firing_row_append(sqlite3 *db, struct firing_row *r, struct err *e);
/* Pending firings of a trigger, so many at a time. */
struct firing_page {
	str ns, sensor, trigger;
	int64_t aside;     /* of the queue: rows with this mark are left out; of those set aside: only they are meant */
	int64_t after;     /* seq; of those set aside: with next_ns == after_ns */
	int64_t after_ns, due_ns; /* of those set aside: next_ns behind the one, and up to the other */
	size_t limit;
	size_t n;          /* result: how many there were */
	int64_t next_ns;   /* result, of those set aside: of the first one that is due later; INT64_MAX: there is none */
};
/* Calls fn for each: in order of seq; of those set aside, in order of next_ns. */
int firing_rows_queue(sqlite3 *db, struct firing_page *p, void (*fn)(void *arg, const struct firing_row *r), void *arg, struct err *e);
int firing_rows_aside(sqlite3 *db, struct firing_page *p, void (*fn)(void *arg, const struct firing_row *r), void *arg, struct err *e);
/* A mark above those of all that are set aside. */
int firing_rows_mark(sqlite3 *db, const struct firing_page *p, int64_t *mark, struct err *e);
/* When rateLimit lets the trigger's next firing through: r->next_ns of r->ns, sensor, trigger. */
int firing_rate_write(sqlite3 *db, struct firing_row *r, struct err *e);
int firing_rate_read(sqlite3 *db, str ns, str sensor, str trigger, int64_t *next_ns, struct err *e);
/* How many there are in the queue behind p->after. */
int firing_rows_beyond(sqlite3 *db, const struct firing_page *p, size_t *n, struct err *e);
/* {id, state: pending or dead, trigger, attempts, next, since, reason, gathered, before: how many are pending before it}; empty: it has ended. */
int firing_shown(sqlite3 *db, str id, struct arena *a, struct val *out, struct err *e);
/* The firing's events, in `a`, each with one reference. */
int firing_row_events(sqlite3 *db, const char *id, struct arena *a, str **dependencies, struct event ***events, size_t *n, struct err *e);

#endif
