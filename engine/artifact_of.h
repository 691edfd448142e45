/* SPDX-License-Identifier: Apache-2.0 */
/* artifact_of: an artifact of a node, as the workflow's status shows it, and where its bytes lie. For who wants to see them from outside. */
#ifndef TIDEGATE_ENGINE_ARTIFACT_OF_H
#define TIDEGATE_ENGINE_ARTIFACT_OF_H

#include "core/val.h"

struct artifact_of {
	const struct val *artifact; /* of the workflow */
	str key;                    /* of its object; absent: it has none */
	str raw;                    /* present: the bytes themselves */
	struct val place;           /* else where it lies, as artifact_located has it */
};

/*
 * The artifact `name` of the node (its id, or its name) of a workflow with its status, and with `file` one beneath it; in `a`, sharing. `inputs`: of those it
 * took. ERR_NOT_FOUND: there is no such node or artifact, or it was deleted; ERR_INVALID: `file` is no path beneath it.
 */
int artifact_of_node(const struct val *workflow, str node, bool inputs, str name, str file, struct arena *a, struct artifact_of *out, struct err *e) MUST_CHECK;

#endif
