/* SPDX-License-Identifier: Apache-2.0 */
/* program: other programs, for commands that wait for them. */
#ifndef TIDEGATE_CLI_PROGRAM_H
#define TIDEGATE_CLI_PROGRAM_H

#include "core/base.h"

#define PROGRAM_ARGS_MAX 24

/* The words of a call, ended by NULL. */
struct program {
	const char *argv[PROGRAM_ARGS_MAX];
	size_t n;
	const char *cwd; /* NULL: ours */
	uint64_t file_max; /* bytes of a file that it writes, at most; 0: any number */
};
/* Appends a word; NULL is left out. */
void program_add(struct program *p, const char *word);
/*
 * Runs it to its end; it dies with us. Standard output goes to `out` (NULL: nowhere), up to `max` bytes. ERR_UNAVAILABLE: it is
 * not installed; ERR_LIMIT: more output; ERR_IO: it failed, with the end of what it said about that.
 */
int program_run(const struct program *p, struct buf *out, size_t max, struct err *e) MUST_CHECK;

#endif
