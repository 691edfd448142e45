/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child: commands in processes of their own, for what libraries do not do well: git, say. A few run at once, the others wait in line.
 * A command has a session of its own and a time limit, and when it has ended, whatever it started ends with it. Loop thread only.
 */
#ifndef TIDEGATE_CORE_CHILD_H
#define TIDEGATE_CORE_CHILD_H

#include "core/base.h"
#include "core/loop.h"

struct children;
struct child;

#define CHILD_FD 3
#define CHILD_FDS 2
struct child_spec {
	const char *const *argv; /* ended by NULL; the first is looked up in PATH */
	const char *const *env;  /* "NAME=value", ended by NULL: all that it gets */
	size_t out_max;          /* bytes of its standard output */
	int64_t timeout_ms;      /* of real time, from its start on */
	int fds[CHILD_FDS];      /* its descriptors from CHILD_FD on, copies of these; 0: it has none of that number */
	str in;                  /* its standard input, all of it: in memory and nowhere on a disk; absent: nothing */
};
struct child_end {
	int status; /* exit status; 128 + n: it died of signal n */
	str out;    /* its standard output */
	str err;    /* the end of its standard error */
};

/* Runs at most `at_once` commands at a time. */
struct children *children_new(struct loop *l, size_t at_once);
/* Kills what runs; their done() and that of those that wait is called with ERR_UNAVAILABLE. Not from within a done(). NULL is fine. */
void children_free(struct children *c);
/*
 * Runs the command; its texts are copied. done() runs exactly once, later, on the loop: with how it ended, whatever its status, or with an
 * error: ERR_UNAVAILABLE (it cannot be started, it was stopped), ERR_TIMEOUT, ERR_LIMIT (too much output). `end` is valid during done(), until
 * when the command can be named by what is returned.
 */
struct child *child_run(struct children *c, const struct child_spec *s, void (*done)(void *arg, const struct child_end *end, const struct err *e), void *arg);
/* Whether its process has been started; else it waits in line. */
bool child_started(const struct child *c);
/* Kills it, or takes it out of the line; done() follows, later, with ERR_UNAVAILABLE. */
void child_stop(struct child *c);

#endif
