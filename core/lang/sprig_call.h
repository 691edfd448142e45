/* SPDX-License-Identifier: Apache-2.0 */
/* sprig_call: sprig's functions for languages other than text/template. */
#ifndef TIDEGATE_CORE_LANG_SPRIG_CALL_H
#define TIDEGATE_CORE_LANG_SPRIG_CALL_H

#include "core/val.h"

struct gofn;

enum { SPRIG_TIME = 0x40 }; /* val.pad of a VAL_INT: a time in ns since the epoch */

/* sprig's function of that name; NULL: there is none, or it is refused (env, gen*, ...). */
const struct gofn *sprig_find(str name);
/*
 * Calls it. Arguments must be of the types that it takes, as Go's reflection wants them: an int where it takes an int. ERR_INVALID
 * otherwise, and for a result with a time in it; a time itself is one of SPRIG_TIME, also as an argument. ERR_LIMIT for one
 * that is too large. `now` is what its functions take for the time, in ns since the epoch;
 * `random` the state of the sequence that random ones draw from.
 */
int sprig_call(const struct gofn *f, const struct val *args, size_t n, int64_t now, uint64_t *random, struct arena *a, struct val *out, struct err *e) MUST_CHECK;

#endif
