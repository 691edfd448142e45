/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter: a source's `filter.expression` (spec events 1.0): expr-lang v1.15 over the event's data. The names are the top-level
 * keys of the data, with _ for -; "a.b" is the member b of a.
 */
#ifndef TIDEGATE_SOURCES_FILTER_H
#define TIDEGATE_SOURCES_FILTER_H

#include "core/event.h"

struct filter;

/* ERR_INVALID with line, column and reason; ERR_UNSUPPORTED if it calls jsonpath. */
int filter_compile(str expression, struct filter **out, struct err *e) MUST_CHECK;
void filter_free(struct filter *f); /* NULL is fine */
/* 1: the event passes; 0: it does not; -1: the expression failed on it, and it does not pass either. */
int filter_passes(const struct filter *f, struct event *ev, struct err *e) MUST_CHECK;

#endif
