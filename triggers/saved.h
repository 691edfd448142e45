/* SPDX-License-Identifier: Apache-2.0 */
/*
 * saved: an event kept beside the log: by a sensor that waits for others, by a firing that has not ended. Two columns: the
 * attributes as JSON text and the data as bytes. A copy, so that retention need not wait for either.
 */
#ifndef TIDEGATE_TRIGGERS_SAVED_H
#define TIDEGATE_TRIGGERS_SAVED_H

#include "core/event.h"

/* The attributes, in `a`. Any thread that holds a reference. */
str saved_attributes(const struct event *ev, struct arena *a);
/* The event again, with one reference; NULL (ERR_IO) if the text is damaged. */
struct event *saved_event(str attributes, str data, struct err *e);

#endif
