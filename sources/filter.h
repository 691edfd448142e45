/* SPDX-License-Identifier: Apache-2.0 */
/* filter: a source's `filter.expression` (spec events 1.0): an expr-lang expression over the event's data. */
#ifndef TIDEGATE_SOURCES_FILTER_H
#define TIDEGATE_SOURCES_FILTER_H

#include "core/event.h"

struct filter;

/* Compiles into `a`. ERR_INVALID with line, column and reason. */
int filter_compile(struct arena *a, str expression, const struct filter **out, struct err *e) MUST_CHECK;
/* 1: the event passes; 0: it does not; -1: the expression failed on it, and it does not pass either. */
int filter_passes(const struct filter *f, struct event *ev, struct err *e) MUST_CHECK;

#endif
