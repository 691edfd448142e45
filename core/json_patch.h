/* SPDX-License-Identifier: Apache-2.0 */
/* json_patch: JSON Patch (RFC 6902) over values, with JSON Pointers (RFC 6901). */
#ifndef TIDEGATE_CORE_JSON_PATCH_H
#define TIDEGATE_CORE_JSON_PATCH_H

#include "core/val.h"

enum { JSON_PATCH_MAX = 1000 /* operations */ };

/*
 * `doc` with the list of operations applied in order, all or none; the result shares with both and is in `a`. NULL and ERR_INVALID, ERR_NOT_FOUND (a
 * path leads nowhere), ERR_EXISTS (a test does not hold) or ERR_LIMIT, with the number of the operation.
 */
const struct val *json_patch(struct arena *a, const struct val *doc, const struct val *operations, struct err *e);
/* What the pointer points to; NULL if there is nothing, or if it is none. */
const struct val *json_pointer(const struct val *doc, str pointer);

#endif
