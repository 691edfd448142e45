/* SPDX-License-Identifier: Apache-2.0 */
/* test_play: a workflow played to its end without anything being executed (engine/sim), and what a test can expect of it. */
#ifndef TIDEGATE_CLI_TEST_PLAY_H
#define TIDEGATE_CLI_TEST_PLAY_H

#include "cli/match.h"
#include "config/config.h"

struct play {
	const struct objects *objects;     /* templates, ConfigMaps */
	const struct val *steps, *verbs;   /* of the test; may be NULL */
	int64_t at;                        /* when it begins, ns */
	size_t number;                     /* makes a name of its generateName */
};
/*
 * Plays it until nothing goes on. *out is the Workflow with its status, in `a`. ERR_INVALID: it is refused, or a verb was; every reason
 * is in the message.
 */
int play_workflow(const struct play *p, const struct val *workflow, struct arena *a, const struct val **out, struct err *e) MUST_CHECK;

/* A Workflow of a WorkflowTemplate. */
const struct val *play_of_template(struct arena *a, str name);
const struct val *play_with_parameters(struct arena *a, const struct val *workflow, struct kvs parameters);

/* Its output parameters by name. */
const struct val *play_outputs(struct arena *a, const struct val *workflow);
/* `want`: name -> phase, or what must be among {phase, message, type, inputs, outputs}; null: there is no such node. As val_matches. */
bool play_nodes_match(struct arena *a, const struct val *want, const struct val *workflow, struct mismatch *out);

#endif
