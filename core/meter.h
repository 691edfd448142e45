/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meter: how far tidegate-artifact is, in memory that it shares with the daemon: one writes as it moves bytes, the other reads when somebody asks. So nothing is sent,
 * nothing polls and nobody waits. Its file can neither shrink nor grow, and what is read from it is held to be wrong in any way: the helper reads what strangers packed.
 */
#ifndef TIDEGATE_CORE_METER_H
#define TIDEGATE_CORE_METER_H

#include "core/base.h"

#define METER_FILE 4 /* the helper's descriptor for it: behind PUT_FILE */
#define METER_REASON_MAX 240u

struct meter;

struct meter_reading {
	uint32_t item;    /* that is being moved, by its place in the job; as many as there are: all are done */
	uint32_t attempt; /* from 1; 0: nothing has begun */
	uint64_t bytes;   /* of the item, that are where they are to be */
	uint64_t total;   /* that there will be; 0: that is not known */
	uint64_t moved;   /* of all items, in all attempts */
	char reason[METER_REASON_MAX]; /* how the attempt before ended; "" */
};

/* ---- the daemon */
/* A new one, with its open file. */
int meter_new(struct meter **m, int *fd, struct err *e) MUST_CHECK;
/* What it says now; never waits. NULL says nothing. False: it changes too often, or was left in the middle of a change; what is read may not belong together then. */
bool meter_read(const struct meter *m, struct meter_reading *out);

/* ---- the helper; with NULL nothing is counted */
/* That of an open file; NULL: it is none. */
struct meter *meter_open(int fd);
/* An item begins: nothing of it is there. */
void meter_begin(struct meter *m, uint32_t item);
/* An attempt ended, and there is another. `anew`: what it brought does not count. */
void meter_again(struct meter *m, bool anew, const char *why);
void meter_total(struct meter *m, uint64_t bytes);
/* So many bytes more came over. */
void meter_moved(struct meter *m, uint64_t bytes);
/* So many were there already. */
void meter_had(struct meter *m, uint64_t bytes);

/* ---- both. NULL is fine */
void meter_free(struct meter *m);

#endif
