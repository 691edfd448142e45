/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jq: jq programs over events, in helper processes (sensors/jq/worker.c) that are limited and can be killed. A few helpers serve all
 * programs; a program waits for one that is free, or starts another. A helper that dies takes only its program with it. Loop thread only.
 */
#ifndef TIDEGATE_SENSORS_JQ_H
#define TIDEGATE_SENSORS_JQ_H

#include "core/event.h"
#include "core/loop.h"

struct jq_pool;
struct jq_job;

struct jq_limits {
	int64_t memory; /* of a helper, bytes */
	int64_t cpu_ns; /* processor time for one event; ten times as much of real time */
	int64_t helpers; /* at most */
};
#define JQ_LIMITS_DEFAULT ((struct jq_limits){ (int64_t)256 << 20, NS_PER_SEC, 2 })
/* For pools made from then on. Zero members mean the default. */
void jq_set_limits(const struct jq_limits *l);

struct jq_pool *jq_pool_new(struct loop *l);
/* Kills the helpers. Jobs that are left are gone without an answer. NULL is fine. */
void jq_pool_free(struct jq_pool *p);

/*
 * Runs the program over the event's data; without data it is only compiled. `done` is called later, once, with the object as JSON (valid
 * during the call), or with `e`: ERR_INVALID the program failed, ERR_LIMIT it used up a limit, ERR_UNAVAILABLE no helper can be started.
 */
struct jq_job *jq_run(struct jq_pool *p, str program, struct event *ev, void (*done)(void *arg, str out, const struct err *e), void *arg);
/* Nothing is called for it any more. */
void jq_cancel(struct jq_job *j);

#endif
