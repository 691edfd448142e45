/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stored: the events of a state directory, read by the side (store_look): whether a daemon runs on it or not, it does not notice. Other
 * than by the interface they come with their data. Many are read page by page, so that nobody waits for us.
 */
#ifndef TIDEGATE_CLI_STORED_H
#define TIDEGATE_CLI_STORED_H

#include "core/event.h"

/* Calls fn for the events of a log from `since` to `until` (ns), oldest first. They are borrowed. ERR_NOT_FOUND: there is no state. */
int stored_events(str state, str ns, str bus, int64_t since, int64_t until, void (*fn)(void *arg, struct event *ev), void *arg, struct err *e) MUST_CHECK;
/* The event of that id in the namespace, with one reference. ERR_NOT_FOUND names it. */
int stored_event(str state, str ns, str id, struct event **out, struct err *e) MUST_CHECK;

#endif
