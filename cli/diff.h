/* SPDX-License-Identifier: Apache-2.0 */
/* diff: two texts compared by lines, as `diff -u` shows it. */
#ifndef TIDEGATE_CLI_DIFF_H
#define TIDEGATE_CLI_DIFF_H

#include "core/base.h"

/*
 * Appends the unified form with three lines of context and the two names in its head; nothing if the texts are equal.
 * Where they differ by more than 2,000 lines the middle is shown as replaced, which is right but not the shortest.
 * Returns whether they differ.
 */
bool diff_unified(struct buf *out, str old_name, str old_text, str new_name, str new_text, bool colors);

#endif
