/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree: a Workflow's nodes as people read them. What only groups (StepGroup, a Retry with one attempt) is left out; what
 * was never reached (Omitted) too.
 */
#ifndef TIDEGATE_CLI_TREE_H
#define TIDEGATE_CLI_TREE_H

#include "core/val.h"

struct tree_opts {
	bool colors, ascii;
	bool wide;          /* with template and pod names */
	size_t max_lines;   /* 0: all; else the rest is counted in one line */
	size_t max_columns; /* 0: any; else lines are cut */
	str status;         /* only nodes with this phase; absent: all */
};
/* Appends the tree, one line a node; returns the number of lines. `now` (ns) is the end of what still runs. */
size_t tree_print(struct buf *out, const struct val *workflow, const struct tree_opts *o, int64_t now);
/* The block above the tree: name, namespace, status, message, times, progress, parameters. */
void workflow_header(struct buf *out, const struct val *workflow, bool colors, int64_t now);
/* "Running (Suspended)", "Pending", ...: the STATUS column of lists. In `a`. */
str workflow_status(struct arena *a, const struct val *workflow);

#endif
