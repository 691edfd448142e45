/* SPDX-License-Identifier: Apache-2.0 */
/*
 * luapat: Lua 5.1's patterns (reference manual 5.4.1) with a budget. Lua's own matcher backtracks inside one call, where no
 * hook can stop it.
 */
#ifndef TIDEGATE_CORE_LANG_LUAPAT_H
#define TIDEGATE_CORE_LANG_LUAPAT_H

#include "core/base.h"

enum { LUAPAT_CAPTURES = 32, LUAPAT_DEPTH = 190 };
#define LUAPAT_POSITION ((size_t)-2) /* length of a capture "()": its start is the answer */

struct luapat {
	str text, pattern;
	bool (*spend)(size_t n); /* false: stop */
	const char *error;       /* why it stopped; NULL with `spent`: the budget */
	bool spent;
	unsigned depth;
	size_t n;                /* captures */
	struct {
		size_t at, len;
	} captures[LUAPAT_CAPTURES];
};

/* Whether the pattern (without its '^') matches at `at`; *end is then behind it. False too with m->error or m->spent set. */
bool luapat_match(struct luapat *m, size_t at, size_t *end);

#endif
