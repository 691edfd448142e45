/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue: the workflows that wait because as many run as may, in all or in their namespace (spec 2.8, 1.). By priority, the
 * higher first, then by age. A workflow that waits is an entry here and rows in the store, nothing else; what stands
 * here can be read from its row. Who is taken out costs the logarithm of who waits. In memory, without I/O.
 */
#ifndef TIDEGATE_ENGINE_QUEUE_H
#define TIDEGATE_ENGINE_QUEUE_H

#include "core/base.h"

struct queue;
struct queue_entry {
	int64_t priority, created, id; /* in this order they rank; id: of its row */
	str ns, name;
};

/* Limits: 0 for none. `of_ns` gives that of a namespace; it is asked once for each. */
struct queue *queue_new(int64_t all, int64_t (*of_ns)(void *arg, str ns), void *arg);
void queue_free(struct queue *q);
/* Whether one more of that namespace may run now: then nobody is waiting who may. */
bool queue_room(struct queue *q, str ns);
/* One more runs; one less. */
void queue_enter(struct queue *q, str ns);
void queue_leave(struct queue *q, str ns);
/* It waits (copied). One entry for a name. */
void queue_add(struct queue *q, const struct queue_entry *e);
bool queue_has(const struct queue *q, str ns, str name);
/* It does not wait any more. False: it did not. */
bool queue_del(struct queue *q, str ns, str name);
/* The next that may run, which counts as running from now on. False: nobody. Its texts are valid until the next call. */
bool queue_next(struct queue *q, struct queue_entry *out);
size_t queue_waiting(const struct queue *q);

#endif
