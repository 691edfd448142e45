/* SPDX-License-Identifier: Apache-2.0 */
/* progress: a line that tells how far a transfer is, on the standard error while that is a terminal; else nothing. */
#ifndef TIDEGATE_CLI_PROGRESS_H
#define TIDEGATE_CLI_PROGRESS_H

#include "core/transfer_watch.h"

struct progress {
	struct transfer_watch watch; /* to be told of the transfer */
	str name;
	const char *after;           /* what is told when all bytes are over */
	uint64_t bytes, total;
	int64_t began, drawn;        /* ns, monotonic */
	bool on;
};
/* Draws the line. `name` lives as long; `total` 0: it is not known yet. */
void progress_begin(struct progress *p, str name, uint64_t total, const char *after);
/* Takes the line away. */
void progress_end(struct progress *p);

#endif
