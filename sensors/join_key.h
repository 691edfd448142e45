/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join_key: the value by which events pair (joinKey of a trigger's template): an expression over `data` (the event's data),
 * `context` (id, source, subject, type, datacontenttype, time) and `dependency` (the name of the one it counts for).
 */
#ifndef TIDEGATE_SENSORS_JOIN_KEY_H
#define TIDEGATE_SENSORS_JOIN_KEY_H

#include "core/event.h"
#include "core/lang/expr.h"

enum { JOIN_KEY_MAX = 1024 /* bytes of a value */ };

/* ERR_INVALID with line, column and reason. Freed with expr_free. */
int join_key_compile(str expression, struct expr **out, struct err *e) MUST_CHECK;
/* The event's value as text, in `a`: strings as they are, all else as JSON. ERR_INVALID: it has none, and why. */
int join_key_of(const struct expr *x, struct event *ev, str dependency, struct arena *a, str *out, struct err *e) MUST_CHECK;

#endif
