/* SPDX-License-Identifier: Apache-2.0 */
/* dead_impl: what the files about dead letters share; nobody else includes it. */
#ifndef TIDEGATE_TRIGGERS_DEAD_IMPL_H
#define TIDEGATE_TRIGGERS_DEAD_IMPL_H

#include "triggers/dead.h"

/* A letter without its events. */
struct dead_row {
	int64_t seq, attempt, created_ns;
	str id, ns, sensor, trigger, reason;
};

/* dead_rows.c, for store_fn */
int dead_rows_read(sqlite3 *db, const struct dead_choice *c, struct arena *a, struct dead_row **out, size_t *n, struct err *e);
int dead_rows_newest(sqlite3 *db, int64_t *seq, struct err *e);
int dead_rows_drop(sqlite3 *db, const struct dead_choice *c, struct err *e);
/* Calls fn for every trigger that has some of the chosen. */
int dead_rows_count_chosen(sqlite3 *db, const struct dead_choice *c, void (*fn)(void *arg, str ns, str sensor, str trigger, int64_t n), void *arg,
                           struct err *e);
/* The oldest of the row's trigger go, beyond r->dead_keep. */
int dead_rows_trim(sqlite3 *db, const struct firing_row *r, struct err *e);
/* Calls fn for every trigger that has some. */
int dead_rows_count(sqlite3 *db, void (*fn)(void *arg, str ns, str sensor, str trigger, int64_t n), void *arg, struct err *e);

#endif
