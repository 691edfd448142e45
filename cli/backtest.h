/* SPDX-License-Identifier: Apache-2.0 */
/* backtest: two sensors over the stored events, and what is different. */
#ifndef TIDEGATE_CLI_BACKTEST_H
#define TIDEGATE_CLI_BACKTEST_H

#include "cli/firing_diff.h"
#include "cli/tryout.h"

struct backtest;
struct backtest_side {
	struct backtest *of;
	enum side side;
	struct objects *objects;
	struct tryout *tryout;
	size_t errors;      /* decisions that are one */
	str error;          /* the first */
};
struct backtest {
	struct arena *arena;
	str ns, name;
	bool deployed;      /* there is something to compare with */
	int64_t since, until;
	size_t events, taken; /* stored in that time; those that a side depends on */
	struct backtest_side sides[2];
	struct firing_diff diff;
};
/* since and until are set. `before` may be NULL: there was none; `others` are the objects around both. */
int backtest_open(struct backtest *b, struct object *before, struct object *after, const struct manifest_set *others, struct err *e) MUST_CHECK;
/* Reads the events of the bus from the state directory. */
int backtest_run(struct backtest *b, str state, str ns, str bus, struct err *e) MUST_CHECK;
/* Also of one that did not open. */
void backtest_close(struct backtest *b);

/* To standard output; at most `limit` differences (0: all). True: there are some. */
bool backtest_print(struct backtest *b, bool json, size_t limit);

#endif
