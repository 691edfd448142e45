/* SPDX-License-Identifier: Apache-2.0 */
/* lines: bytes that come in pieces, told line by line. */
#ifndef TIDEGATE_CORE_LINES_H
#define TIDEGATE_CORE_LINES_H

#include "core/base.h"

/* Zero-initialise, and set `max`. */
struct lines {
	size_t max;      /* bytes of a line */
	struct buf part; /* the beginning of one */
	bool skipping;   /* too long a one, up to its end */
};

/*
 * Calls fn for each line that is whole by now, without its line feed; absent: one that was too long, and is dropped. fn may say false to be told
 * no more: then so does this, and what follows is lost.
 */
bool lines_take(struct lines *l, str bytes, bool (*fn)(void *arg, str line), void *arg);
/* Forgets the beginning of a line; nothing is held any more. */
void lines_reset(struct lines *l);

#endif
