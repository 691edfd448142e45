/* SPDX-License-Identifier: Apache-2.0 */
/*
 * submit: what k8s, argoWorkflow and exec do alike with the engine. A Workflow is handed to it within the turn, exactly once; a verb is
 * carried out in one transaction with the end of the firing; and where the trigger has a policy.k8s the firing ends when the labels have come.
 */
#ifndef TIDEGATE_TRIGGERS_SUBMIT_H
#define TIDEGATE_TRIGGERS_SUBMIT_H

#include "engine/engine.h"
#include "triggers/firing.h"

/* The object with the labels that Argo sets: events.argoproj.io/sensor, /trigger, /action-timestamp. In the firing's arena. */
const struct val *trigger_labelled(struct firing *f, const struct val *object);
/*
 * Submits the object, with what `o` (may be NULL) adds. The firing's id is the key, so that it is the same Workflow at every attempt; with a
 * policy.k8s each attempt makes its own, as it is that one's labels that did not come. Ends with firing_done, now or when they have.
 */
void trigger_submit(struct firing *f, const struct val *object, const struct submit_options *o);
/*
 * Carries out the verb. Of a missing workflow `missing` is called, or it is an error if that is NULL. Ends with firing_done.
 */
void trigger_verb(struct firing *f, enum verb v, str ns, str name, const struct verb_options *o, void (*missing)(struct firing *f));

/*
 * The kind has done what it does to the object. Ends the firing, with what it is as result: at once, or as its policy.k8s says (labels.c). `kind`
 * lives as long as the firing's arena.
 */
void trigger_done_with(struct firing *f, const char *kind, str ns, str name);
/* ops->resume of the kinds that use it. */
void trigger_resume(struct firing *f, str mark);

#endif
