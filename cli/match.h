/* SPDX-License-Identifier: Apache-2.0 */
/* match: whether a value is as a test wants it, and where it is not. */
#ifndef TIDEGATE_CLI_MATCH_H
#define TIDEGATE_CLI_MATCH_H

#include "core/val.h"

struct mismatch {
	const struct val *at; /* what was wanted: its line is where the test says so */
	str path;             /* from the root: "spec.arguments[0].name" */
	str want, got;        /* JSON, shortened */
};
/*
 * Of maps the members of `want` must be in `is` (null: must not be there), of lists all items; plain YAML scalars are what they look
 * like. `exactly`: nothing else may be there. `is` may be NULL. False: the first difference is in *out, its texts in `a`.
 */
bool val_matches(struct arena *a, const struct val *want, const struct val *is, bool exactly, struct mismatch *out);
/* Calls fn for each place where the two differ: members, items of lists of one length, else the whole. NULL: it is not there. Paths are in `a`. */
void val_changes(struct arena *a, const struct val *from, const struct val *to,
	void (*fn)(void *arg, str path, const struct val *from, const struct val *to), void *arg);
/* JSON for a message: at most some 300 bytes; "nothing" for NULL. */
str val_excerpt(struct arena *a, const struct val *v);

#endif
