/* SPDX-License-Identifier: Apache-2.0 */
/* kinds: the one list of manifest kinds that this program knows, for everything that reads manifests. */
#ifndef TIDEGATE_CLI_KINDS_H
#define TIDEGATE_CLI_KINDS_H

#include "config/config.h"

extern const struct kind *const tidegate_kinds[];
extern const size_t tidegate_kinds_n;

#endif
