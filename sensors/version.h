/* SPDX-License-Identifier: Apache-2.0 */
/*
 * version: what a decision has to be read with. Decisions say numbers of checks; the texts behind them are rows, written when a
 * sensor first decides under a manifest, and kept as long as there are decisions of that time. So a decision can be explained
 * after its manifest has changed.
 */
#ifndef TIDEGATE_SENSORS_VERSION_H
#define TIDEGATE_SENSORS_VERSION_H

#include "sensors/program.h"
#include "sensors/rows.h"

/* The version of the program's manifest (never 0: the same for the same texts), with its rows queued. */
int64_t version_save(struct rows *r, int64_t sensor, const struct program *p, int64_t now_ns);
/*
 * What it says for explaining: {file, place, bus, dependencies: [{name, source, event, place, onError, any, transform, checks}], triggers:
 * [{name, kind, conditions, uses, place, join, within, rateLimit, batch, debounce, retry, atLeastOnce}]}. `checks` is the number of
 * the first and how many. In `a`.
 */
struct val version_outline(const struct program *p, struct arena *a);

#endif
