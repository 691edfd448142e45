/* SPDX-License-Identifier: Apache-2.0 */
/* lint_jq: whether the jq programs of sensors compile. Reading manifests does not ask: that would wait for another process. */
#ifndef TIDEGATE_CLI_LINT_JQ_H
#define TIDEGATE_CLI_LINT_JQ_H

#include "config/config.h"
#include "core/diag.h"

/* Adds an error for each program that does not compile, with its line; a warning where none could be asked. */
void lint_jq(const struct manifest_set *set, struct diags *d);

#endif
