/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compare: what a scenario expects against what the run shows. Differences are told in sim.why. What can be expected is
 * said in runner.c.
 */
#ifndef TIDEGATE_TESTS_SCENARIO_COMPARE_H
#define TIDEGATE_TESTS_SCENARIO_COMPARE_H

#include "engine/sim/sim.h"

/* One of the scenario's `meanwhile`, now that its time has come. */
void compare_meanwhile(struct sim *x, const struct val *look);
/* The scenario's `expect`, after the end. */
void compare_end(struct sim *x);

#endif
