/* SPDX-License-Identifier: Apache-2.0 */
/* batch: many scenarios in one process, for tests/model. See runner.c. */
#ifndef TIDEGATE_TESTS_SCENARIO_BATCH_H
#define TIDEGATE_TESTS_SCENARIO_BATCH_H

#include "engine/sim/sim.h"

/* The exit code: 2 if the input is no list of scenarios. */
int batch_play(bool with_crashes);

#endif
