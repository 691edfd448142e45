/* SPDX-License-Identifier: Apache-2.0 */
/*
 * locks: who holds which mutexes and semaphores, and who waits for them (spec 2.13). In memory, without I/O: after a
 * restart it is filled again from what the workflows' rows say (locks_hold) before anybody may ask.
 *
 * A holder asks for all its locks at once and gets all of them or none. Waiting is first come first served by rank, and
 * only who is the first in line of every lock it wants may have them. Ranks are one order over all holders, so those
 * who wait cannot wait for each other. A release costs what it wakes.
 */
#ifndef TIDEGATE_ENGINE_LOCKS_H
#define TIDEGATE_ENGINE_LOCKS_H

#include "core/base.h"

struct val;

struct locks;

enum lock_kind { LOCK_MUTEX, LOCK_SEMAPHORE, LOCK_DATABASE_MUTEX, LOCK_DATABASE_SEMAPHORE };
struct lock_id {
	enum lock_kind kind;
	str ns, name, key; /* key: of a ConfigMap's semaphore only */
};
/* Argo's name: "ns/Mutex/a", "ns/ConfigMap/cm/key", "ns/Database/key". */
str lock_text(struct arena *a, const struct lock_id *id);
static inline bool
lock_is_semaphore(const struct lock_id *id)
{
	return id->kind == LOCK_SEMAPHORE || id->kind == LOCK_DATABASE_SEMAPHORE;
}

/* The place in line: by priority, the higher first, then by creation; the rest makes it one order. */
struct lock_rank {
	int64_t priority, created;
	int64_t workflow; /* id of its row */
	uint32_t order;   /* of the node */
};

/*
 * How many may hold a semaphore. -1 if that cannot be known or is no number above zero, with the reason. Called when a
 * lock comes into use and in locks_refresh.
 */
typedef int locks_limit(void *arg, const struct lock_id *id, int64_t *limit, struct err *e);

struct locks *locks_new(locks_limit *limit, void *arg);
void locks_free(struct locks *t);

/* What a holder that has to wait is told, in Argo's words. In the arena given. */
struct locks_wait {
	str lock;    /* the first of its locks that it cannot have */
	str message; /* "Waiting for ns/Mutex/a lock. Lock status: 0/1" */
};
/*
 * Asks for all `n` locks (copied). 1: they are held from now on, or were already. 0: it waits, `w` says for what, and
 * locks_granted will name it. ERR_NOT_FOUND, ERR_INVALID: one of them cannot be, nothing was asked. `holder` is
 * "ns/workflow" or "ns/workflow/node" and may have one claim at a time.
 */
int locks_ask(struct locks *t, str holder, const struct lock_rank *rank, const struct lock_id *ids, size_t n,
	struct arena *a, struct locks_wait *w, struct err *e);
/*
 * The same of one who has asked, as it is now; locks_granted will not name him for it. -1: he has no claim. Holders are those
 * of locks_shown.
 */
int locks_look(struct locks *t, str holder, struct arena *a, struct locks_wait *w, const struct val **holders);
/* What was held before a restart is held, whatever the limits say now. */
void locks_hold(struct locks *t, str holder, const struct lock_id *ids, size_t n);
/* Gives up what the holder holds, or its place in line. False if it had neither: a second release is nothing. */
bool locks_release(struct locks *t, str holder);
/*
 * Closed, nobody is let in: for the time of a restart, so that who asks first does not come first. Open again, all those
 * are let in whose turn it is. What an ask came to meanwhile is known then only (locks_look).
 */
void locks_close(struct locks *t);
void locks_open(struct locks *t);
bool locks_closed(const struct locks *t);
/* Looks at all limits again, and lets those in who fit now. */
void locks_refresh(struct locks *t);
/* Who was let in by a release or a refresh, each once, in order. Absent: nobody. Valid until the next call. */
str locks_granted(struct locks *t);

/* Those who hold a lock now, oldest first, at most `max`; for display. In the arena. */
size_t locks_holders(const struct locks *t, const struct lock_id *id, size_t max, struct arena *a, str **out);
/* Who holds each of these locks, a list for each, 20 of it at most: for the status of who waits. In the arena. */
const struct val *locks_shown(const struct locks *t, const struct lock_id *ids, size_t n, struct arena *a);
/* Calls fn for every lock that somebody holds or waits for, with how many do. */
void locks_each(const struct locks *t, void (*fn)(void *arg, const struct lock_id *id, size_t held, size_t waiting), void *arg);
/* fn is called whenever a lock is given to somebody; not for what locks_hold says. */
void locks_on_taken(struct locks *t, void (*fn)(const struct lock_id *id));
/* Holders and waiters of all locks: zero when nobody uses any. */
size_t locks_claims(const struct locks *t);

#endif
