/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aside: one call that may block for as long as it likes (a file system of a network, a server that does not answer) on a thread of its own.
 * The pool of the loop is for what ends soon: four hung file systems would take it from everybody.
 */
#ifndef TIDEGATE_SOURCES_ASIDE_H
#define TIDEGATE_SOURCES_ASIDE_H

#include "core/loop.h"

struct aside;

struct aside_job {
	void (*work)(void *arg); /* on the thread: touches only what `arg` owns */
	void (*done)(void *arg); /* on the loop, in a later turn: frees it */
	void (*drop)(void *arg); /* on the thread, instead of done(), if nobody waits any more: frees it */
	void *arg;
};
/* Begins. NULL with ERR_UNAVAILABLE if there is no thread to be had: arg stays the caller's. Loop thread. */
struct aside *aside_start(struct loop *l, const struct aside_job *job, struct err *e);
/* Nobody waits any more: its done() is not called. Only before done() runs. Loop thread. NULL is fine. */
void aside_leave(struct aside *a);

#endif
