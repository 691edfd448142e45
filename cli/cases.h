/* SPDX-License-Identifier: Apache-2.0 */
/* cases: what a sensor makes of events, tried without doing anything. */
#ifndef TIDEGATE_CLI_CASES_H
#define TIDEGATE_CLI_CASES_H

#include "core/val.h"

/* Runs the case {sensor, events, now, expect}; NULL: it holds, else what does not, in `a`. */
const char *case_run(struct arena *a, const struct val *c);

#endif
