/* SPDX-License-Identifier: Apache-2.0 */
/* again: stored events that come in once more (replay.c). */
#ifndef TIDEGATE_CLI_AGAIN_H
#define TIDEGATE_CLI_AGAIN_H

#include "cli/client.h"

/* A new event like the stored one, with what `sets` ("path=value", paths as in a parameter's dest) changes in its data. Its id in *made. */
int emit_like(struct client *c, const char *id, const struct cli_texts *sets, str *made, struct err *e) MUST_CHECK;

#endif
