/* SPDX-License-Identifier: Apache-2.0 */
/* submit: what k8s and argoWorkflow do alike: hand a Workflow to the engine within the turn, exactly once. */
#ifndef TIDEGATE_TRIGGERS_SUBMIT_H
#define TIDEGATE_TRIGGERS_SUBMIT_H

#include "triggers/trigger.h"

/* The Workflow, labelled, that the firing of a k8s or argoWorkflow trigger submits; NULL: it does something else. */
const struct val *trigger_submits(struct firing *f);
/*
 * Labels the firing's source as Argo does (events.argoproj.io/sensor, /trigger, /action-timestamp) and submits it with the firing's
 * id as key. Ends with firing_done, now.
 */
void trigger_submit(struct firing *f);
/* The same with another object: the Workflow that a kind made. */
void trigger_submit_object(struct firing *f, const struct val *object);

#endif
