/* SPDX-License-Identifier: Apache-2.0 */
/* spawn: starts a program without a shell, with nothing of ours but three files, or up to five: what core/child.c and whoever may block start theirs with. Any thread. */
#ifndef TIDEGATE_CORE_SPAWN_H
#define TIDEGATE_CORE_SPAWN_H

#include <sys/types.h>

#include "core/base.h"

struct spawn {
	const char *const *argv; /* ended by NULL; the first is looked up in PATH */
	const char *const *env;  /* all that it gets, ended by NULL */
	int dir;                 /* where it begins; -1: where we are */
	int in, out, err;        /* above 2 (spawn_pipe makes such); in -1: /dev/null */
	int more[2];             /* its files 3 and 4, above 4; 0: it has none */
	bool session;            /* of its own, so that all it starts can be ended; else it is of our process group */
};
/* 0 with its number in *pid, or the errno of why not. */
int spawn_start(const struct spawn *s, pid_t *pid) MUST_CHECK;
/* A pipe whose numbers are above those that a program gets its own at, where dup2 would leave close-on-exec set. -1: none of it is open. */
int spawn_pipe(int fds[2], struct err *e) MUST_CHECK;
/* How it ended, as a shell gives it: 128 + n for signal n. Waits for it. */
int spawn_wait(pid_t pid);

#endif
