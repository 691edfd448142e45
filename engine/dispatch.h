/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatch: what a WorkflowEventBinding makes of an event that was sent to the API (spec 1.8, 7.2;
 * server/event/dispatch/operation.go, v4.1.2). Pure: it says what is to be submitted, and submits nothing.
 */
#ifndef TIDEGATE_ENGINE_DISPATCH_H
#define TIDEGATE_ENGINE_DISPATCH_H

#include "config/config.h"
#include "engine/engine.h"
#include "engine/run/evaluate.h"

struct dispatch_event {
	str ns, discriminator;
	struct val metadata; /* name of a header that begins with x-, in small letters -> list of its values */
	struct val payload;  /* the body; null if there was none */
};
/*
 * The Workflow that `binding` starts for the event, and the parameters it gets, in `a`; *manifest is NULL if its selector is false,
 * or if it submits nothing. ERR_INVALID: an expression that cannot be evaluated or gives the wrong type.
 */
int dispatch_event(const struct object *binding, const struct dispatch_event *ev, struct evaluator *expressions, struct arena *a,
	const struct val **manifest, struct kvs *parameters, struct err *e) MUST_CHECK;

#endif
